//! `msgext load` as a user runs it: real processes, real sockets.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod binary;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use binary::{DEADLINE, KEY, Listener, Ran, Relay, Serve, command, end, msgext, msgext_in, read_http, report_of};
use serde_json::Value;

/// Runs a load against an endpoint with the app of `serve`.
fn load(url: &str, more: &[&str]) -> Ran {
    let target = ["load", "--target", url, "--sdkappid", "1400000000", "--admin", "administrator", "--quiet"];
    msgext(Some(KEY), &[target.as_slice(), more].concat())
}

fn report(ran: &Ran) -> Value {
    report_of(ran.folder.path(), "load")
}

fn free_of_limits(more: &[&str]) -> Serve {
    Serve::start(&[["--app-limit", "none", "--message-limit", "none"].as_slice(), more].concat())
}

/// Ids of the clauses that the report calls broken.
fn broken(report: &Value) -> Vec<&str> {
    let clauses = report["clauses"].as_array().expect("clauses").iter();
    clauses.filter(|clause| clause["verdict"] == "fail").map(|clause| clause["id"].as_str().expect("an id")).collect()
}

#[test]
fn a_quick_run_counts_every_call_and_leaves_its_report() {
    let serve = free_of_limits(&[]);
    let ran = load(serve.url(), &["--rate", "500/s", "--calls", "700", "--check", "accepted = 700"]).exits(0);
    let report = report(&ran);
    assert_eq!((&report["verdict"], &report["command"]), (&"pass".into(), &"load".into()));
    let phase = &report["load"]["phases"][0];
    assert_eq!((&phase["sent"], &phase["accepted"], &phase["codes"]["0"]), (&700.into(), &700.into(), &700.into()));
    for times in ["lag_us", "service_us", "response_us", "connection_wait_us"] {
        assert_eq!(phase[times]["count"], 700, "{times}");
    }
    assert_eq!(report["load"]["read_back"]["read"], report["load"]["read_back"]["messages"]);
    let schema = msgext::<&str>(None, &["schema", "report"]).exits(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("a schema");
    assert!(jsonschema::is_valid(&schema, &report));
}

#[test]
fn a_check_that_does_not_hold_fails_the_run_and_names_itself() {
    let serve = free_of_limits(&[]);
    let ran = load(serve.url(), &["--rate", "200/s", "--calls", "20", "--check", "codes.60007 >= 1"]).exits(1);
    assert!(ran.stderr.contains("codes.60007 >= 1"), "{}", ran.stderr);
    assert_eq!(report(&ran)["checks"][0]["holds"], false);
}

#[test]
fn refusals_of_a_limit_are_told_from_errors() {
    let serve = Serve::start(&["--app-limit", "sliding-log:50/60s", "--message-limit", "none"]);
    let ran = load(serve.url(), &["--rate", "500/s", "--calls", "100", "--check", "refused >= 50", "--as", "sender"]).exits(0);
    let phase = &report(&ran)["load"]["phases"][0];
    assert_eq!(phase["errors"], 0);
    assert_eq!(phase["codes"]["60007"], phase["refused"]);
}

#[test]
fn a_target_that_loses_one_acknowledged_write_in_500_is_caught() {
    let serve = free_of_limits(&["--lose-one-in", "500"]);
    let ran = load(serve.url(), &["--rate", "2000/s", "--calls", "4000"]).exits(1);
    assert_eq!(broken(&report(&ran)), ["SET-2"]);
    assert!(ran.stderr.contains("acknowledged"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(KEY), "the key is a secret");
}

#[test]
fn a_refused_call_that_is_carried_out_breaks_lim_5() {
    let mutant = ["--mutant", "a call over its limit is carried out", "--message-limit", "none"];
    let serve = Serve::start(&[["--app-limit", "sliding-log:20/60s"].as_slice(), &mutant].concat());
    let ran = load(serve.url(), &["--rate", "500/s", "--calls", "200", "--messages", "4"]).exits(1);
    assert_eq!(broken(&report(&ran)), ["LIM-5"]);
}

#[test]
fn mixed_calls_of_members_are_judged_whatever_a_deleted_key_expects() {
    let plan = "title: t\nconnections: 8\nmessages: 20\ntraffic: {mix: {set: 3, delete: 2, clear: 1}, kvs: {from: 1, to: 4}, \
                value-bytes: {from: 1, to: 1000}, as: [sender, recipient, admin]}\nphases:\n  - {name: a, rate: 1000/s, calls: 1500, \
                checks: [\"findings = 0\"]}\nchecks: [\"errors >= 0\"]\n";
    for readings in [
        ["deleted-key=tombstone", "cleared-key=tombstone", "seq=per-message"],
        ["deleted-key=reset", "cleared-key=reset", "seq=per-key"],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plan.yaml"), plan).expect("written");
        let serve = free_of_limits(&readings.iter().flat_map(|reading| ["--reading", *reading]).collect::<Vec<_>>());
        let target = ["load", "plan.yaml", "--target", serve.url(), "--sdkappid", "1400000000", "--admin", "administrator"];
        let ran = msgext_in(folder, Some(KEY), &target).exits(0);
        assert_eq!(broken(&report(&ran)), Vec::<&str>::new(), "{readings:?}");
    }
}

#[test]
fn lost_replies_are_counted_by_cause_and_never_pass() {
    let serve = free_of_limits(&["--fault", "reset:20", "--fault", "bad-gateway:30"]);
    let ran = load(serve.url(), &["--rate", "1000/s", "--calls", "600"]).exits(1);
    let report = report(&ran);
    let load = &report["load"];
    assert_eq!(broken(&report), Vec::<&str>::new());
    assert_eq!(load["total"]["losses"]["gateway answered HTTP 502"], 10);
    assert!(load["connections"]["reopened"].as_u64() >= Some(20), "{}", load["connections"]);
}

#[test]
fn an_interrupt_ends_the_run_early_and_keeps_what_was_measured() {
    let serve = free_of_limits(&[]);
    let relay = Relay::start(serve.url(), |_| false);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command();
    command.args(["load", "--target", &relay.url, "--sdkappid", "1400000000", "--admin", "administrator"]);
    command.args(["--rate", "200/s", "--for", "60s", "--quiet"]).env("MSGEXT_SECRET_KEY", KEY).current_dir(&folder);
    let mut child = command.stderr(Stdio::null()).spawn().expect("the binary can be run");
    let pid = child.id().to_string();
    let started = Instant::now();
    while relay.calls() < 20 {
        assert!(started.elapsed() < DEADLINE, "the run does not begin");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill can be run").success());
    let status = child.wait();
    end(&mut child);
    assert_eq!(status.expect("an end").code(), Some(4));
    let report = report_of(folder.path(), "load");
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()));
    assert!(report["load"]["total"]["sent"].as_u64() < Some(12_000));
}

#[test]
fn what_cannot_be_run_says_why_and_has_its_exit_code() {
    let unreachable = load("http://127.0.0.1:9", &["--rate", "10/s"]).exits(3);
    assert!(unreachable.stderr.contains("cannot be reached"), "{}", unreachable.stderr);
    let usage = [
        (vec!["load", "no-such-plan"], "limits, soak, ramp, spike"),
        (vec!["load", "--rate", "fast"], "is no rate"),
        (vec!["load", "--rate", "5/s", "--check", "p99 < 5"], "nothing that can be checked"),
        (vec!["load", "soak", "--rate", "5/s"], "cannot be used with"),
        (vec!["load", "--rate", "5/s", "--kvs", "21"], "21"),
    ];
    for (args, part) in usage {
        let ran = msgext(None, &args).exits(2);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = fs::File::create(folder.path().join("plan.yaml")).expect("a file");
    file.write_all(b"title: t\nphases:\n  - {name: a, rate: 5/s}\n  - {name: b, rat: 5/s}\n").expect("written");
    let ran = msgext_in(folder, None, &["load", "plan.yaml"]).exits(2);
    assert!(ran.stderr.contains("plan.yaml:4") && ran.stderr.contains("nothing was sent"), "{}", ran.stderr);
}

#[test]
fn garbage_in_place_of_replies_is_told_and_loses_nothing() {
    let listener = Listener::start(|mut stream| {
        while let Ok(request) = read_http(&mut stream) {
            let is_set = request.starts_with(b"POST /v4/openim_msg_ext_http_svc/set_key_values?");
            let body: &[u8] =
                if is_set { b"<html>" } else { br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgKey":"1_2_3"}"# };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
                return;
            }
        }
    });
    let ran = load(&listener.url, &["--rate", "100/s", "--calls", "20", "--messages", "2"]).exits(1);
    let report = report(&ran);
    assert_eq!(broken(&report), ["HTTP-2"]);
    assert_eq!((&report["load"]["total"]["errors"], &report["load"]["findings_by_clause"]["HTTP-2"]), (&20.into(), &20.into()));
}
