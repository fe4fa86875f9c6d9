//! Whom to blame: a read that is lost is unknown, the generator is named before the connections, those before the user who
//! interrupted, and the target last.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{
    KEY, Listener, Ran, Relay, Running, Serve, body_of, ended_by, hand_on, is_get, is_set, msgext, msgext_in, ok, read_http,
    report_of, signal, test_at, until,
};

const REFUSED_CHANGES_NOTHING: &str = "scenarios:
  - id: refused-changes-nothing
    title: A stale Seq is refused and changes nothing
    clauses: [SEQ-1]
    as: sender
    steps:
      - set: {kvs: [{key: k, value: v1, seq: 0}]}
      - set: {kvs: [{key: k, value: v2, seq: 0}], expect: {keys: {k: {code: 23001}}, unchanged: true}}
";

const ONE_SET: &str = "scenarios:
  - id: one-set
    title: A set works
    clauses: [SET-2]
    steps:
      - set: {kvs: [{key: k1, value: v1}]}
";

/// What becomes of a reply; with `None` there is none.
type Spoil = fn(&[u8]) -> Option<Vec<u8>>;
/// What becomes of the body of one.
type Change = fn(&str) -> String;
type BoxedChange = Box<dyn Fn(&str) -> String + Send + Sync>;

fn endpoint() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("written");
    folder
}

/// A run of one file of scenarios.
fn run(url: &str, scenarios: &str, more: &[&str]) -> Ran {
    let args = [["--rate", "none", "scenarios.yaml"].as_slice(), more].concat();
    msgext_in(folder_with("scenarios.yaml", scenarios), Some(KEY), &test_at("run", url, &args))
}

fn load(url: &str, more: &[&str]) -> Ran {
    msgext(Some(KEY), &test_at("load", url, &[["--quiet"].as_slice(), more].concat()))
}

fn report(ran: &Ran) -> Value {
    report_of(ran.folder.path(), "load")
}

fn reason(report: &Value) -> &str {
    report["reason"].as_str().expect("a reason")
}

/// An endpoint whose calls of `get_key_values` with these numbers get no reply.
fn losing_gets(serve: &Serve, lost: &'static [usize]) -> Relay {
    let gets = AtomicUsize::new(0);
    Relay::changing(serve.url(), move |request, reply| {
        let is_lost = is_get(request) && lost.contains(&(gets.fetch_add(1, Ordering::SeqCst) + 1));
        (!is_lost).then_some(reply)
    })
}

// -------------------------------------------------------------------------------------------------------------- reads

#[test]
fn a_read_that_is_lost_is_unknown_and_neither_a_change_nor_none() {
    let serve = endpoint();
    // The probe's own read is the first.
    for (lost, code) in [(&[][..], 0), (&[2][..], 4), (&[3][..], 4), (&[2, 3][..], 4)] {
        let relay = losing_gets(&serve, lost);
        let report = run(&relay.url, REFUSED_CHANGES_NOTHING, &[]).exits(code).report();
        let verdict = &report["scenarios"][0]["verdict"];
        assert_eq!(verdict, if code == 0 { "pass" } else { "unknown" }, "{lost:?}: {}", report["reason"]);
    }
}

#[test]
fn the_probes_own_read_that_is_lost_does_not_say_that_the_target_has_none() {
    let serve = endpoint();
    let relay = losing_gets(&serve, &[1]);
    let report = run(&relay.url, REFUSED_CHANGES_NOTHING, &[]).exits(0).report();
    assert_eq!(report["read_back"], "get_key_values");
    let refusing = Relay::changing(serve.url(), |request, reply| {
        let refused = r#"{"ActionStatus":"FAIL","ErrorCode":60006,"ErrorInfo":"no such command"}"#;
        Some(if is_get(request) { ok(refused) } else { reply })
    });
    let report = run(&refusing.url, REFUSED_CHANGES_NOTHING, &[]).exits(0).report();
    assert_eq!(report["read_back"], "conflicting set");
}

#[test]
fn serve_spoils_reads_and_sends_as_it_spoils_sets_and_one_of_them_alone_where_it_is_told_so() {
    let spoilt = |fault: &str, code: i32| {
        let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--fault", fault]);
        run(serve.url(), REFUSED_CHANGES_NOTHING, &[]).exits(code).report()
    };
    assert_eq!(spoilt("close:2,on=get", 4)["scenarios"][0]["verdict"], "unknown");
    assert_eq!(spoilt("close:2,on=send", 4)["scenarios"][0]["verdict"], "unknown");
    assert_eq!(spoilt("close:1,on=send", 3)["verdict"], "inconclusive");
    assert_eq!(spoilt("close:9,on=get", 0)["scenarios"][0]["verdict"], "pass");
}

#[test]
fn reading_back_after_a_load_counts_only_what_was_read() {
    let serve = endpoint();
    let after_the_first = |spoil: Spoil| {
        let gets = AtomicUsize::new(0);
        Relay::changing(serve.url(), move |request, reply| {
            if is_get(request) && gets.fetch_add(1, Ordering::SeqCst) > 0 { spoil(&reply) } else { Some(reply) }
        })
    };
    let few = ["--rate", "50/s", "--for", "1s", "--messages", "8"];
    let gone = |_: &[u8]| Some(ok(r#"{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"no such message"}"#));
    let not_all = |reply: &[u8]| Some(ok(&body_of(reply).replace(r#""CompleteFlag":1"#, r#""CompleteFlag":0"#)));
    let in_error = |reply: &[u8]| Some([b"HTTP/1.1 500 Oh\r\n".as_slice(), &reply[b"HTTP/1.1 200 OK\r\n".len()..]].concat());
    let cases: [(Spoil, &str); 4] = [(gone, "10004"), (not_all, "complete"), (in_error, "HTTP 500"), (|_| None, "lost")];
    for (spoil, why) in cases {
        let report = report(&load(&after_the_first(spoil).url, &few).exits(4));
        assert!(reason(&report).contains("could not be read back") && reason(&report).contains(why), "{why}: {report}");
        assert_eq!(report["load"]["read_back"]["read"], 0, "{why}");
    }
    report(&load(&after_the_first(|reply| Some(reply.to_vec())).url, &few).exits(0));
    let ghost = |reply: &[u8]| {
        let with = r#""ExtensionList":[{"Key":"zz","Value":"x","Seq":99},"#;
        Some(ok(&body_of(reply).replace(r#""ExtensionList":["#, with)))
    };
    let report = report(&load(&after_the_first(ghost).url, &few).exits(1));
    assert!(report["scenarios"].to_string().contains("zz read back"), "{}", report["reason"]);
}

// ---------------------------------------------------------------------------------------------------- the generator

/// Starts a load in a folder of its own.
fn start(folder: &TempDir, url: &str, more: &[&str]) -> Running {
    Running::start(folder.path(), &test_at("load", url, &[["--quiet"].as_slice(), more].concat()))
}

fn waits_for_calls(relay: &Relay, calls: usize) {
    until("the run goes on", || relay.calls() >= calls);
}

#[test]
fn a_generator_that_was_stopped_with_every_connection_busy_names_itself() {
    let serve = endpoint();
    let relay = Relay::changing(serve.url(), |request, reply| {
        if is_set(request) {
            thread::sleep(Duration::from_millis(50));
        }
        Some(reply)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let more = ["--rate", "50/s", "--for", "3s", "--timeout", "1s", "--connections", "3", "--messages", "8"];
    let mut running = start(&folder, &relay.url, &more);
    waits_for_calls(&relay, 40);
    signal("-STOP", &running.0);
    thread::sleep(Duration::from_secs(4));
    signal("-CONT", &running.0);
    assert_eq!(running.0.wait().expect("an end").code(), Some(4));
    let report = report_of(folder.path(), "load");
    assert!(reason(&report).contains("the generator stood still"), "{}", report["reason"]);
    let phase = &report["load"]["phases"][0];
    assert_eq!((&phase["lost"], &phase["unsent"], &phase["sent"]), (&0.into(), &0.into(), &150.into()), "{phase}");
}

#[test]
fn more_connections_than_the_system_has_descriptors_for_are_refused_before_anything_is_sent() {
    let serve = endpoint();
    let relay = Relay::changing(serve.url(), |_, reply| Some(reply));
    let bounded = |soft: &str, hard: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let line = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &line, "bash", env!("CARGO_BIN_EXE_msgext")]);
        command.args(test_at("load", &relay.url, &["--quiet", "--rate", "50/s", "--calls", "20", "--connections", "200"]));
        let output = command.env("MSGEXT_SECRET_KEY", KEY).current_dir(&folder).output().expect("bash can be run");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, said) = bounded("64", "64");
    assert!(code == Some(2) && said.contains("descriptors") && said.contains("ulimit -n"), "{code:?}: {said}");
    assert_eq!(relay.calls(), 0);
    // Where only the soft limit is in the way it is raised.
    let (code, said) = bounded("64", "1024");
    assert_eq!(code, Some(0), "{said}");
}

// -------------------------------------------------------------------------------------------------------------- the user

#[test]
fn whoever_interrupts_a_search_or_calls_under_way_does_not_make_the_target_fail() {
    let serve = endpoint();
    let silent_from = |call: usize| {
        let sets = AtomicUsize::new(0);
        Relay::changing(serve.url(), move |request, reply| {
            if is_set(request) && sets.fetch_add(1, Ordering::SeqCst) >= call {
                thread::sleep(Duration::from_secs(30));
            }
            Some(reply)
        })
    };
    let search = ["--find-capacity", "--slo", "p99 response < 1s", "--start-rate", "20/s", "--trial", "30s", "--messages", "8"];
    let going = ["--rate", "20/s", "--for", "30s", "--messages", "8", "--connections", "4"];
    for (more, call) in [(search.as_slice(), 1000), (going.as_slice(), 10)] {
        let relay = silent_from(call);
        let folder = tempfile::tempdir().expect("a folder");
        let mut running = start(&folder, &relay.url, more);
        waits_for_calls(&relay, 12);
        let asked = Instant::now();
        assert_eq!(ended_by("-INT", &mut running.0), Some(4), "{more:?}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{more:?}");
        let report = report_of(folder.path(), "load");
        assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()), "{more:?}");
        assert_eq!(report["load"]["total"]["lost"], 0, "{more:?}");
    }
}

#[test]
fn a_target_that_stops_while_messages_are_made_or_read_back_does_not_keep_whoever_ends_the_run() {
    for stops_at in ["sendmsg", "get_key_values"] {
        let serve = endpoint();
        let (asked, seen) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let told = Arc::clone(&seen);
        let relay = Relay::changing(serve.url(), move |request, reply| {
            let named = String::from_utf8_lossy(&request[..100]).contains(stops_at);
            if named && asked.fetch_add(1, Ordering::SeqCst) > 3 {
                told.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_secs(40));
            }
            Some(reply)
        });
        let folder = tempfile::tempdir().expect("a folder");
        let mut running = start(&folder, &relay.url, &["--rate", "50/s", "--for", "1s", "--messages", "30", "--timeout", "30s"]);
        until("the target has stopped", || seen.load(Ordering::SeqCst) > 0);
        let ended = Instant::now();
        assert_eq!(ended_by("-INT", &mut running.0), Some(4), "{stops_at}");
        assert!(ended.elapsed() < Duration::from_secs(10), "{stops_at}");
        assert_eq!(report_of(folder.path(), "load")["verdict"], "inconclusive", "{stops_at}");
    }
}

// --------------------------------------------------------------------------------------------------------- the connections

#[test]
fn connections_that_end_at_once_are_not_opened_again_without_a_pause_and_raise_a_doubt() {
    let (serve, accepted) = (endpoint(), Arc::new(AtomicUsize::new(0)));
    let (counted, upstream) = (Arc::clone(&accepted), serve.url().trim_start_matches("http://").to_owned());
    let listener = Listener::start(move |mut client| {
        // The first ones are the probe's.
        if counted.fetch_add(1, Ordering::SeqCst) >= 9 {
            return;
        }
        let mut server = TcpStream::connect(&upstream).expect("the endpoint is there");
        while let Ok(request) = read_http(&mut client) {
            if hand_on(&request, &mut server).and_then(|reply| client.write_all(&reply)).is_err() {
                return;
            }
        }
    });
    let ran = load(&listener.url, &["--rate", "50/s", "--for", "2s", "--messages", "2", "--connections", "8"]);
    assert!([3, 4].contains(&ran.code), "{}: {}", ran.code, ran.stderr);
    // Eight connections that double their pauses from 10 ms on open some ten times each; without a pause it is thousands.
    assert!(accepted.load(Ordering::SeqCst) < 200, "{}", accepted.load(Ordering::SeqCst));
    let report = report(&ran);
    assert!(ran.code == 3 || report["load"]["doubts"].to_string().contains("could not be opened, or ended"), "{report}");
}

#[test]
fn the_time_out_that_is_asked_for_is_the_one_of_a_plans_calls_too() {
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--latency", "300ms"]);
    let plan = "title: t\nmessages: 2\nconnections: 4\ntimeout: 5s\nphases:\n  - {name: a, rate: 10/s, for: 1s}\n";
    let lost = |more: &[&str], code: i32| {
        let args = test_at("load", serve.url(), &[["--quiet", "plan.yaml"].as_slice(), more].concat());
        let ran = msgext_in(folder_with("plan.yaml", plan), Some(KEY), &args).exits(code);
        report(&ran)["load"]["total"]["losses"]["timed out"].as_u64()
    };
    assert_eq!((lost(&[], 0), lost(&["--timeout", "4s"], 0)), (None, None));
    let unreachable = msgext(Some(KEY), &test_at("load", serve.url(), &["--quiet", "soak", "--timeout", "100ms"])).exits(3);
    assert!(unreachable.stderr.contains("time-out"), "{}", unreachable.stderr);
}

// ----------------------------------------------------------------------------------------------------------- the phase

#[test]
fn what_later_calls_of_a_phase_can_still_make_hold_does_not_end_it() {
    let serve = endpoint();
    let phase = |check: &str| {
        format!(
            "title: t\nmessages: 8\nphases:\n  - {{name: hot, rate: 20/s, for: 2s, checks: [\"{check}\"], abort-on-fail: true}}\n  - {{name: after, rate: 20/s, for: 1s}}\n"
        )
    };
    let ran = |check: &str, code: i32| {
        let args = test_at("load", serve.url(), &["--quiet", "plan.yaml"]);
        report(&msgext_in(folder_with("plan.yaml", &phase(check)), Some(KEY), &args).exits(code))
    };
    assert_eq!(ran("accepted >= 40", 0)["load"]["total"]["sent"], 60);
    // At the phase's end it is known, and the next one is not begun.
    let short = ran("accepted >= 41", 1);
    assert_eq!((&short["load"]["phases"][0]["sent"], &short["load"]["phases"][0]["planned"]), (&40.into(), &40.into()));
    assert!(short["load"]["total"]["sent"].as_u64() < Some(60), "{}", short["load"]["total"]);
    let lost = ran("accepted <= 5", 1);
    assert!(lost["load"]["total"]["sent"].as_u64() < Some(40), "{}", lost["load"]["total"]);
}

// ----------------------------------------------------------------------------------------------------------- the target

#[test]
fn run_and_load_find_the_same_wrong_replies() {
    let serve = endpoint();
    let cases: [(&str, Change, &str); 6] = [
        (
            "23001 at the top, all keys 0",
            |body| {
                body.replacen(r#""ErrorCode":0"#, r#""ErrorCode":23001"#, 1).replacen(r#""OK""#, r#""FAIL""#, 1).replacen(
                    r#""ErrorInfo":"""#,
                    r#""ErrorInfo":"x""#,
                    1,
                )
            },
            "fail",
        ),
        ("Seq 0", |body| zero_seqs(body, "0"), "fail"),
        ("Seq below 0", |body| zero_seqs(body, "-7"), "fail"),
        ("a field twice", |body| body.replacen('{', r#"{"ErrorCode":10004,"#, 1), "pass"),
        ("a number beyond all", |body| body.replacen('{', r#"{"Unknown":1e400,"#, 1), "pass"),
        (
            "deeply nested",
            |body| body.replacen('{', &format!(r#"{{"Unknown":{}{},"#, "[".repeat(2000), "]".repeat(2000)), 1),
            "pass",
        ),
    ];
    for (name, change, verdict) in cases {
        let relay = Relay::changing(serve.url(), move |request, reply| {
            Some(if is_set(request) && body_of(&reply).contains("ExtensionList") { ok(&change(body_of(&reply))) } else { reply })
        });
        let ran = run(&relay.url, ONE_SET, &[]);
        let loaded = load(&relay.url, &["--rate", "100/s", "--calls", "20", "--messages", "4"]);
        let reports = [ran.report(), report(&loaded)];
        for report in &reports {
            assert_eq!(report["verdict"], verdict, "{name}: {}: {}", report["command"], report["reason"]);
            let names_it = report["scenarios"].to_string().contains("HTTP-9");
            assert_eq!(names_it, name == "a field twice", "{name}: {}", report["command"]);
        }
    }
}

fn zero_seqs(body: &str, seq: &str) -> String {
    let (before, _) = body.split_once(r#""Seq":"#).expect("a Seq");
    let rest = &body[before.len() + 6..];
    format!("{before}\"Seq\":{seq}{}", rest.trim_start_matches(|character: char| character.is_ascii_digit()))
}

#[test]
fn a_connection_that_ends_each_time_for_a_refused_call_is_the_targets_answer_and_one_that_ends_once_is_not() {
    let serve = endpoint();
    let closing = |every: bool| {
        let closed = Mutex::new(0);
        Relay::changing(serve.url(), move |request, reply| {
            let is_refused = is_set(request) && body_of(&reply).contains("10004");
            let mut closed = closed.lock().expect("no panic");
            *closed += usize::from(is_refused);
            (!is_refused || (!every && *closed > 1)).then_some(reply)
        })
    };
    let scenario = "scenarios:\n  - id: bad\n    title: A call without To_Account is refused\n    clauses: [REQ-1]\n    steps:\n      \
                    - set: {kvs: [{key: k}], omit: [To_Account], expect: {refused: 10004}}\n";
    let report = run(&closing(true).url, scenario, &[]).exits(1).report();
    assert_eq!(report["scenarios"][0]["findings"][0]["clause"], "HTTP-1", "{}", report["reason"]);
    assert_eq!(run(&closing(false).url, scenario, &[]).exits(4).report()["scenarios"][0]["verdict"], "unknown");
}

// ------------------------------------------------------------------------------------------------------------- the size

#[test]
fn whatever_a_target_sends_what_is_kept_of_it_is_bounded() {
    let serve = endpoint();
    let extra = |count: usize| {
        let items: Vec<String> = (0..count)
            .map(|number| format!(r#"{{"ErrorCode":0,"Extension":{{"Key":"{number}","Value":"","Seq":1}}}}"#))
            .collect();
        items.join(",")
    };
    let items = extra(15_000);
    let info = "E".repeat(1_000_000);
    let with_items = move |body: &str| body.replacen(r#""ExtensionList":["#, &format!(r#""ExtensionList":[{items},"#), 1);
    let with_info = move |_: &str| format!(r#"{{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"{info}"}}"#);
    let changes: [BoxedChange; 2] = [Box::new(with_items), Box::new(with_info)];
    for change in changes {
        let relay = Relay::changing(serve.url(), move |request, reply| {
            // The probe's calls are left alone.
            let spoils = is_set(request) && body_of(request).contains("\"k1\"");
            Some(if spoils { ok(&change(body_of(&reply))) } else { reply })
        });
        let ran = run(&relay.url, ONE_SET, &["--repeat", "20"]).exits(1);
        let size = |name: &str| fs::metadata(ran.folder.path().join("reports/run").join(name)).expect("a report").len();
        assert!(size("report.json") < 1_000_000 && size("junit.xml") < 1_000_000, "{} bytes", size("report.json"));
        assert!(ran.stderr.len() < 20_000, "{} bytes", ran.stderr.len());
        assert_eq!(ran.report()["totals"]["scenarios"]["fail"], 20);
    }
}
