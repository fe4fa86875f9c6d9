//! Histories that were recorded, and judged again: the verdict is the same, whatever the order of their lines, and what began
//! before the record is unknown, not wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msgext::random::Random;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::binary::{KEY, Serve, msgext, msgext_in, report_of, test_at};

/// A recorded race, and the section of its report.
fn recorded(flags: &[&str], code: i32) -> (TempDir, Vec<Value>, Value) {
    let serve = Serve::start(&[flags, &["--app-limit", "none", "--message-limit", "none"]].concat());
    let short = ["--quiet", "--rate", "none", "--operations", "2400", "--messages", "20", "--history", "h.jsonl"];
    let ran = msgext_in(tempfile::tempdir().expect("a folder"), Some(KEY), &test_at("race", serve.url(), &short)).exits(code);
    let race = report_of(ran.folder.path(), "race")["race"].clone();
    let text = fs::read_to_string(ran.folder.path().join("h.jsonl")).expect("a history");
    assert!(!text.contains(KEY) && !text.contains("eJw"), "a secret");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (ran.folder, lines, race)
}

/// The section of the report on these lines.
fn judged(lines: &[Value], code: i32) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("h.jsonl"), lines);
    let ran = msgext_in(folder, None, &["judge", "h.jsonl"]).exits(code);
    report_of(ran.folder.path(), "judge")["race"].clone()
}

fn write(path: &Path, lines: &[Value]) {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(path, lines.join("\n") + "\n").expect("a file can be written");
}

#[test]
fn a_history_judged_again_has_the_same_verdict_whatever_the_order_of_its_lines() {
    for (flags, code) in
        [(["--latency", "0ms"].as_slice(), 0), (&["--race", "check-then-set:500us"], 1), (&["--fault", "close:40"], 0)]
    {
        let (_folder, mut lines, race) = recorded(flags, code);
        assert_eq!(judged(&lines, code), race, "{flags:?}");
        Random::seeded(3).shuffle(&mut lines[1..]);
        assert_eq!(judged(&lines, code), race, "{flags:?}");
    }
}

#[test]
fn what_began_before_a_record_is_unknown_and_what_it_shows_itself_is_judged() {
    let (_folder, mut lines, _) = recorded(&[], 0);
    let sent = |line: &Value| line["sent_ns"].as_u64().expect("a time");
    lines[0]["fresh"] = json!([]);
    let mut random = Random::seeded(5);
    for _ in 0..10 {
        let start = sent(&lines[1 + random.below(lines.len() - 1)]);
        let head = lines[..1].iter();
        let cut: Vec<Value> = head.chain(lines[1..].iter().filter(|line| sent(line) >= start)).cloned().collect();
        let race = judged(&cut, if cut.len() > 40 { 0 } else { 4 });
        assert_ne!(race["linearizable"], false, "from {start} on: {race}");
    }
}

#[test]
fn a_file_that_is_no_history_is_told_with_its_line() {
    let head = json!({"version": 1, "generator": "x", "admin": "administrator", "member_calls": "identifier"});
    let exchange = json!({"number": 0, "client": 0, "sent_ns": 1, "received_ns": 2, "method": "POST", "path": "/", "query": [], "request_body": ""});
    for (text, says) in [
        (String::new(), "h.jsonl:1: the file is empty"),
        (format!("{exchange}\n"), "h.jsonl:1: missing field `version`"),
        (
            format!("{}\n", json!({"version": 2, "generator": "x", "admin": "a", "member_calls": "none"})),
            "version 2 of a history",
        ),
        (format!("{head}\n{exchange}\n{{\"number\": 1\n"), "h.jsonl:3: "),
        (format!("{head}\n{exchange}\n{exchange}\n"), "two exchanges have the number 0"),
        ("{\"log\": {\"entries\": [{}]}}".to_owned(), "this is no HAR 1.2"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("h.jsonl"), &text).expect("a file");
        let ran = msgext_in(folder, None, &["judge", "h.jsonl"]).exits(2);
        assert!(ran.stderr.contains(says), "{text}: {}", ran.stderr);
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("h.jsonl"), format!("{head}\n{exchange}\n")).expect("a file");
    let ran = msgext_in(folder, None, &["judge", "h.jsonl"]).exits(4);
    assert!(ran.stderr.contains("1 exchange in it"), "{}", ran.stderr);
}

/// One call as a proxy would export it.
fn entry(at_ms: u64, seq: i64, value: &str, told: &Value) -> Value {
    let body = json!({"From_Account": "s", "To_Account": "r", "MsgKey": "1_2_3", "OperateType": 1,
        "ExtensionList": [{"Key": "k", "Value": value, "Seq": seq}]});
    let reply = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "ExtensionList": [told]});
    let url = "https://gateway.example/im/v4/openim_msg_ext_http_svc/set_key_values?identifier=s&usersig=eJw-secret";
    json!({
        "startedDateTime": format!("2026-01-01T00:00:{:02}.{:03}Z", at_ms / 1000, at_ms % 1000), "time": 4.5,
        "request": {"method": "POST", "url": url, "postData": {"mimeType": "application/json", "text": body.to_string()}},
        "response": {"status": 200, "content": {"text": reply.to_string()}},
    })
}

/// A HAR with these entries.
fn har(entries: &[Value]) -> Value {
    json!({"log": {"version": "1.2", "entries": entries}})
}

/// What the command says of a HAR, in so many words.
fn judged_har(har: &str, code: i32) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.har"), har).expect("a file");
    msgext_in(folder, None, &["judge", "a.har"]).exits(code).stderr
}

#[test]
fn a_har_is_judged_and_what_is_no_call_in_it_is_counted() {
    let done = |value: &str, seq: i64| json!({"ErrorCode": 0, "Extension": {"Key": "k", "Value": value, "Seq": seq}});
    let other = json!({"startedDateTime": "2026-01-01T00:00:00.000Z", "time": 1,
        "request": {"method": "GET", "url": "https://example/index.html"}, "response": {"status": 200}});
    // Of others nothing has to be as it should.
    let odd = json!({"request": {"method": "CONNECT", "url": "gateway.example:443"}});
    let judged =
        |calls: &[Value], code| judged_har(&har(&[[other.clone(), odd.clone()].as_slice(), calls].concat()).to_string(), code);
    // Two members that overlap, some time after the record began: one is refused with what the other set, or both are done.
    let before = entry(10, 3, "z", &done("z", 4));
    let first = entry(2010, 4, "a", &done("a", 5));
    let refused = json!({"ErrorCode": 23001, "Extension": {"Key": "k", "Value": "a", "Seq": 5}});
    let third = entry(2030, 5, "c", &done("c", 6));
    let said = judged(&[before.clone(), first.clone(), entry(2011, 4, "b", &refused), third.clone()], 0);
    assert!(said.contains("2 exchanges in it that are no call") && !said.contains("eJw-secret"), "{said}");
    let said = judged(&[before, first, entry(2011, 4, "b", &done("b", 5)), third], 1);
    assert!(said.contains("two winners of one Seq"), "{said}");
}

#[test]
fn what_an_exporter_leaves_out_of_a_har_is_unknown() {
    let done = |value: &str, seq: i64| json!({"ErrorCode": 0, "Extension": {"Key": "k", "Value": value, "Seq": seq}});
    let stale = json!({"ErrorCode": 23001, "Extension": {"Key": "k", "Value": "a", "Seq": 5}});
    // The refusal shows what the second call had changed some time before.
    let calls = [entry(10, 4, "a", &done("a", 5)), entry(2010, 5, "b", &done("b", 6)), entry(4010, 4, "c", &stale)];
    let with = |change: &dyn Fn(&mut Value)| {
        let mut calls = calls.clone();
        change(&mut calls[1]);
        har(&calls).to_string()
    };
    let said = judged_har(&with(&|_| {}), 1);
    assert!(said.contains("FAIL SEQ-7"), "{said}");
    // When its reply came: the change may have come after the refusal.
    for time in [json!(-1), Value::Null] {
        judged_har(&with(&|call| call["time"] = time.clone()), 0);
    }
    // The reply: perhaps nothing was changed.
    for response in [Value::Null, json!({"status": 0}), json!({"status": 200, "content": {"size": 9, "mimeType": "x"}})] {
        let said = judged_har(&with(&|call| call["response"] = response.clone()), 4);
        assert!(said.contains("unexplained      0"), "{said}");
    }
    // What was called: nobody can tell what it changed.
    for (body, says) in [
        (json!({"bodySize": 140}), "entry 2 of its log does not hold what was sent"),
        (json!({"bodySize": 140, "postData": {"mimeType": "x", "text": "{\"From"}}), "does not hold what was sent"),
    ] {
        let said = judged_har(
            &with(&|call| {
                let request = call["request"].as_object_mut().expect("a request");
                request.remove("postData");
                request.extend(body.as_object().expect("fields").clone());
            }),
            2,
        );
        assert!(said.contains(says), "{said}");
    }
    let said = judged_har(&with(&|call| call["startedDateTime"] = json!("yesterday")), 2);
    assert!(said.contains("entry 2 of its log has the startedDateTime \"yesterday\""), "{said}");
    // What is known, however it is told.
    for time in ["2026-01-01T02:00:02.010+02:00", "2025-12-31T18:00:02.0100000-06:00"] {
        judged_har(&with(&|call| call["startedDateTime"] = json!(time)), 1);
    }
    let base64 = |call: &mut Value| {
        let content = &mut call["response"]["content"];
        *content = json!({"text": STANDARD.encode(content["text"].as_str().expect("text")), "encoding": "base64"});
    };
    judged_har(&with(&base64), 1);
    let said = judged_har(&(with(&|_| {}) + "\n{}"), 2);
    assert!(said.contains("something follows the log"), "{said}");
}

#[test]
fn of_several_files_each_has_its_verdict_and_the_worst_is_that_of_all() {
    let (lawful, _, race) = recorded(&[], 0);
    let (flawed, _, flaws) = recorded(&["--race", "check-then-set:500us"], 1);
    fs::rename(flawed.path().join("h.jsonl"), lawful.path().join("flawed.jsonl")).expect("a file can be moved");
    let ran = msgext_in(lawful, None, &["judge", "h.jsonl", "flawed.jsonl"]).exits(1);
    let report = report_of(ran.folder.path(), "judge");
    let histories = report["histories"].as_array().expect("histories");
    let of = |place: usize| (&histories[place]["file"], &histories[place]["verdict"], &histories[place]["race"]);
    assert_eq!([of(0), of(1)], [(&"h.jsonl".into(), &"pass".into(), &race), (&"flawed.jsonl".into(), &"fail".into(), &flaws)]);
    assert_eq!((&report["verdict"], &report["race"]), (&"fail".into(), &Value::Null));
    assert!(report["reason"].as_str().is_some_and(|reason| reason.starts_with("2 files, flawed.jsonl: SEQ-7")), "{report}");
    let ran = msgext_in(ran.folder, None, &["judge", "h.jsonl", "h.jsonl"]).exits(0);
    // A file that cannot be read hides no other's verdict, and what it would say is unknown: it is no pass.
    for (beside, verdict) in [("flawed.jsonl", "fail"), ("h.jsonl", "inconclusive")] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(ran.folder.path().join(beside), folder.path().join(beside)).expect("a file can be copied");
        let ran = msgext_in(folder, None, &["judge", "nowhere.jsonl", beside]).exits(2);
        assert!(ran.stderr.ends_with("error: nowhere.jsonl: there is no such file\n"), "{}", ran.stderr);
        let report = report_of(ran.folder.path(), "judge");
        let [nowhere, other] = [0, 1].map(|place| &report["histories"][place]);
        assert_eq!((&nowhere["verdict"], &nowhere["race"]), (&"inconclusive".into(), &Value::Null));
        assert_eq!((&other["race"], &report["verdict"]), (if beside == "h.jsonl" { &race } else { &flaws }, &verdict.into()));
    }
    msgext_in(ran.folder, None, &["judge", "nowhere.jsonl"]).exits(2);
}

/// A command's history on an endpoint by these flags, and the lines of it.
fn kept(command: &str, flags: &[&str], more: &[&str]) -> Vec<Value> {
    let serve = Serve::start(&[flags, &["--app-limit", "none"]].concat());
    let args = [["--quiet", "--history", "h.jsonl"].as_slice(), more].concat();
    let ran = msgext_in(tempfile::tempdir().expect("a folder"), Some(KEY), &test_at(command, serve.url(), &args));
    let text = fs::read_to_string(ran.folder.path().join("h.jsonl")).expect("a history");
    assert!(!text.contains(KEY) && !text.contains("eJw"), "a secret");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The section of the report on lines of a lawful endpoint: it is never blamed, and is no pass where no two calls happened to meet.
fn explained(lines: &[Value]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("h.jsonl"), lines);
    let ran = msgext_in(folder, None, &["judge", "h.jsonl"]);
    let race = report_of(ran.folder.path(), "judge")["race"].clone();
    assert_eq!(race["linearizable"], true, "{race}");
    ran.exits(if race["contended"] == 0 { 4 } else { 0 });
    race
}

const FUZZ: [&str; 6] = ["--rate", "none", "--cases", "100", "--seed", "1"];
const LOAD: [&str; 9] = ["--rate", "500/s", "--for", "1s", "--mix", "8:1:1", "--as", "admin,sender,recipient", "--kvs=1-4"];
const RUN: [&str; 3] = ["--rate", "none", "--fast"];

#[test]
fn what_run_and_fuzz_recorded_is_judged_and_only_what_no_order_explains_is_blamed() {
    let lawful: [&[&str]; 6] = [
        &[],
        &["--reading", "empty-value=delete", "--reading", "deleted-key=reset"],
        &["--reading", "duplicate-keys=conflict", "--reading", "order=any", "--reading", "seq=per-message"],
        &["--internal-error", "20"],
        &["--fault", "close:40"],
        &["--fault", "bad-gateway:30"],
    ];
    for flags in lawful {
        let mut lines = kept("run", flags, &RUN);
        let race = explained(&lines);
        assert!(race["unknown_outcomes"] != 0 || !flags.contains(&"--fault"), "{flags:?}: {race}");
        Random::seeded(3).shuffle(&mut lines[1..]);
        assert_eq!(explained(&lines), race, "{flags:?}");
    }
    // A reply that was lost ends a step of calls sent at once: all of them were sent, and what is missing would explain nothing.
    let alone = [RUN.as_slice(), &["--filter", "id:seq-one-of-many-wins-on-a-set-key"]].concat();
    let lines = kept("run", &["--fault", "close:7,on=set"], &alone);
    let clients: BTreeSet<u64> = lines.iter().filter_map(|line| line["client"].as_u64()).collect();
    assert_eq!(clients, (0..16).collect(), "{lines:?}");
    assert!(lines.iter().any(|line| !line["lost"].is_null()), "{lines:?}");
    // One call after another: each key has an order, and no two calls met. Every reply is whole, those of many rounds, too.
    let lines = kept("fuzz", &[], &FUZZ);
    let race = explained(&lines);
    assert_eq!((&race["contended"], &race["unknown_outcomes"]), (&json!(0), &json!(0)));
    assert!(lines[1..].iter().all(|line| line["response_body"] != ""));
    for (command, more, mutant, found) in [
        ("run", RUN.as_slice(), "a conflict writes all the same", "phantom"),
        ("run", &RUN, "one acknowledged write in 20 is lost", "acknowledged write missing"),
        ("fuzz", &FUZZ, "a conflict writes all the same", "phantom"),
    ] {
        let race = judged(&kept(command, &["--mutant", mutant], more), 1);
        assert!(race["anomalies"].to_string().contains(found), "{command}, {mutant}: {race}");
    }
}

#[test]
fn what_load_recorded_is_judged_whatever_became_of_its_calls() {
    let lawful: [&[&str]; 5] = [
        &["--message-limit", "none"],
        &["--message-limit", "none", "--reading", "seq=per-message", "--reading", "cleared-key=reset"],
        &["--message-limit", "none", "--fault", "close:40"],
        &["--message-limit", "none", "--fault", "bad-gateway:30"],
        &["--message-limit", "fixed-window-aligned:5/60s"],
    ];
    for flags in lawful {
        let mut lines = kept("load", flags, &LOAD);
        let race = explained(&lines);
        // Every call, and a look at every message in the end.
        let told = lines[1..].iter().filter(|line| line["path"].as_str().is_some_and(|path| path.ends_with("set_key_values")));
        assert_eq!((told.count(), lines.len()), (500, 1 + 500 + 64), "{flags:?}");
        assert!(race["unknown_outcomes"] != 0 || !flags.contains(&"--fault"), "{flags:?}: {race}");
        Random::seeded(3).shuffle(&mut lines[1..]);
        assert_eq!(explained(&lines), race, "{flags:?}");
    }
    let lossy = ["--message-limit", "none", "--lose-one-in", "20"];
    let by_member = ["--rate", "500/s", "--for", "1s", "--as", "sender", "--messages", "200"];
    for more in [LOAD.as_slice(), &by_member] {
        let race = judged(&kept("load", &lossy, more), 1);
        assert!(race["anomalies"].to_string().contains("acknowledged write missing"), "{more:?}: {race}");
    }
}

#[test]
fn the_trials_of_a_search_are_one_history() {
    let search = ["--find-capacity", "--slo", "p99 response < 10s", "--start-rate", "200/s", "--max-rate", "400/s"];
    let short = ["--trial", "200ms", "--confirm", "200ms", "--as", "sender"];
    let lines = kept("load", &["--message-limit", "none"], &[search.as_slice(), &short].concat());
    assert!(lines.len() > 100, "{}", lines.len());
    explained(&lines);
}

#[test]
fn a_history_needs_a_clock_that_goes_on() {
    for command in ["run", "fuzz"] {
        let ran = msgext(None, &[command, "--history", "h.jsonl"]).exits(2);
        assert!(ran.stderr.contains("the clock of the embedded endpoint stands still"), "{}", ran.stderr);
        assert!(!ran.folder.path().join("h.jsonl").exists());
    }
}
