//! Histories that were recorded, and judged again: the verdict is the same, whatever the order of their lines, and what began
//! before the record is unknown, not wrong.

use std::fs;
use std::path::Path;

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

#[test]
fn a_har_is_judged_and_what_is_no_call_in_it_is_counted() {
    let done = |value: &str, seq: i64| json!({"ErrorCode": 0, "Extension": {"Key": "k", "Value": value, "Seq": seq}});
    let other = json!({"startedDateTime": "2026-01-01T00:00:00.000Z", "time": 1,
        "request": {"method": "GET", "url": "https://example/index.html"}, "response": {"status": 200}});
    let har = |calls: Vec<Value>| {
        let entries = [vec![other.clone()], calls].concat();
        json!({"log": {"version": "1.2", "entries": entries}})
    };
    let judged = |har: &Value, code: i32| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.har"), har.to_string()).expect("a file");
        msgext_in(folder, None, &["judge", "a.har"]).exits(code)
    };
    // Two members that overlap, some time after the record began: one is refused with what the other set, or both are done.
    let before = entry(10, 3, "z", &done("z", 4));
    let first = entry(2010, 4, "a", &done("a", 5));
    let refused = json!({"ErrorCode": 23001, "Extension": {"Key": "k", "Value": "a", "Seq": 5}});
    let third = entry(2030, 5, "c", &done("c", 6));
    let ran = judged(&har(vec![before.clone(), first.clone(), entry(2011, 4, "b", &refused), third.clone()]), 0);
    assert!(ran.stderr.contains("1 exchange in it that are no call") && !ran.stderr.contains("eJw-secret"), "{}", ran.stderr);
    let ran = judged(&har(vec![before, first, entry(2011, 4, "b", &done("b", 5)), third]), 1);
    assert!(ran.stderr.contains("two winners of one Seq"), "{}", ran.stderr);
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
    // What cannot be read is told before anything is judged.
    let ran = msgext_in(ran.folder, None, &["judge", "flawed.jsonl", "nowhere.jsonl"]).exits(2);
    assert!(ran.stderr.starts_with("error: nowhere.jsonl: there is no such file"), "{}", ran.stderr);
}

/// A command's history on an endpoint by these flags, and the lines of it.
fn kept(command: &str, flags: &[&str], more: &[&str], code: i32) -> Vec<Value> {
    let serve = Serve::start(&[flags, &["--app-limit", "none"]].concat());
    let args = [["--quiet", "--rate", "none", "--history", "h.jsonl"].as_slice(), more].concat();
    let ran = msgext_in(tempfile::tempdir().expect("a folder"), Some(KEY), &test_at(command, serve.url(), &args)).exits(code);
    let text = fs::read_to_string(ran.folder.path().join("h.jsonl")).expect("a history");
    assert!(!text.contains(KEY) && !text.contains("eJw"), "a secret");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_run_and_fuzz_recorded_is_judged_and_only_what_no_order_explains_is_blamed() {
    let lawful: [&[&str]; 4] = [
        &[],
        &["--reading", "empty-value=delete", "--reading", "deleted-key=reset"],
        &["--reading", "duplicate-keys=conflict", "--reading", "order=any", "--reading", "seq=per-message"],
        &["--internal-error", "20"],
    ];
    for flags in lawful {
        let mut lines = kept("run", flags, &["--fast"], 0);
        let race = judged(&lines, 0);
        assert_eq!(race["linearizable"], true, "{flags:?}: {race}");
        Random::seeded(3).shuffle(&mut lines[1..]);
        assert_eq!(judged(&lines, 0), race, "{flags:?}");
    }
    // One call after another: each key has an order, and no two calls met.
    let race = judged(&kept("fuzz", &[], &["--cases", "100"], 0), 4);
    assert_eq!((&race["linearizable"], &race["contended"]), (&true.into(), &0.into()));
    let mutant = ["--mutant", "a conflict writes all the same"];
    for (command, more) in [("run", ["--fast"].as_slice()), ("fuzz", &["--cases", "100"])] {
        let race = judged(&kept(command, &mutant, more, 1), 1);
        assert!(race["anomalies"].to_string().contains("\"phantom\""), "{command}: {race}");
    }
}

#[test]
fn a_history_needs_a_clock_that_goes_on() {
    for command in ["run", "fuzz"] {
        let ran = msgext(None, &[command, "--history", "h.jsonl"]).exits(2);
        assert!(ran.stderr.contains("the clock of the embedded endpoint stands still"), "{}", ran.stderr);
        assert!(!ran.folder.path().join("h.jsonl").exists());
    }
}
