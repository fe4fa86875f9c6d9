//! Targets that are broken, or whose network is: a finding, an unknown or an error, and never a pass, a hang or a panic.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;

use msgext::cli::embedded;
use msgext::drive::conform::walk::walk;
use msgext::drive::ground::Ground;
use msgext::drive::stop::Stop;
use msgext::history::{Exchange, Outcome};
use msgext::host::fault::FaultKind;
use msgext::model::Rules;
use msgext::scenario::EmbeddedSetup;
use msgext::scenario::conform::plan;
use msgext::spec;
use serde_json::Value;

use crate::support::binary::{KEY, Listener, Ran, Relay, Serve, msgext, ok, read_http, run_at, verdicts};

/// A few scenarios that need members, admins and reading back, and end soon.
const FEW: [&str; 5] = ["--timeout", "500ms", "--rate", "none", "--filter=id:set-first-*,id:set-with-*,id:seq-zero-*"];

fn run_few_against(kind: &str) -> Ran {
    let fault = format!("{kind}:3");
    let serve = Serve::start(&["--app-limit", "none", "--fault", &fault]);
    msgext(Some(KEY), &serve.run(&FEW))
}

/// The clauses of all findings, each once.
fn broken_clauses(report: &Value) -> Vec<&str> {
    let scenarios = report["scenarios"].as_array().expect("scenarios").iter();
    let findings = scenarios.flat_map(|scenario| scenario["findings"].as_array().expect("findings"));
    let mut clauses: Vec<&str> = findings.map(|finding| finding["clause"].as_str().expect("a clause")).collect();
    clauses.sort_unstable();
    clauses.dedup();
    clauses
}

#[test]
fn without_a_fault_the_same_scenarios_pass() {
    let serve = Serve::start(&["--app-limit", "none"]);
    let report = msgext(Some(KEY), &serve.run(&FEW)).exits(0).report();
    assert!(verdicts(&report).len() >= 5);
    assert!(verdicts(&report).iter().all(|(_, verdict)| verdict == "pass"));
}

#[test]
fn a_reply_that_is_lost_is_unknown_and_never_sent_again() {
    for (kind, why) in [("reset", "the connection ended"), ("close", "the connection ended"), ("bad-gateway", "HTTP 502")] {
        let report = run_few_against(kind).exits(4).report();
        assert_eq!(report["verdict"], "inconclusive", "{kind}");
        assert_eq!(report["totals"]["retries"], 0, "{kind}");
        assert_eq!(broken_clauses(&report), Vec::<&str>::new(), "{kind}");
        let unknown: Vec<&Value> =
            report["scenarios"].as_array().expect("scenarios").iter().filter(|s| s["verdict"] == "unknown").collect();
        assert!(!unknown.is_empty(), "{kind}");
        for scenario in unknown {
            assert!(scenario["why"].as_str().expect("a why").contains(why), "{kind}: {scenario}");
        }
    }
}

#[test]
fn a_reply_that_is_no_whole_json_object_breaks_http_2() {
    let cases = [
        ("truncate", "cut short"),
        ("garbage", "not JSON"),
        ("huge", "still going on"),
        ("endless", "still coming"),
        ("slow-body", "still coming"),
    ];
    for (kind, actual) in cases {
        let report = run_few_against(kind).exits(1).report();
        assert_eq!(broken_clauses(&report), ["HTTP-2"], "{kind}");
        let told = report["scenarios"].to_string();
        assert!(told.contains(actual), "{kind}: {told}");
    }
}

#[test]
fn every_fault_that_serve_knows_is_tried_here() {
    let tried = ["reset", "close", "truncate", "slow-body", "endless", "huge", "garbage", "bad-gateway"];
    assert_eq!(FaultKind::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>(), tried);
}

#[test]
fn an_internal_error_is_tried_again_as_documented_and_the_target_passes() {
    let serve = Serve::start(&["--app-limit", "none", "--internal-error", "20"]);
    let filter = "--filter=id:set-*,id:del-*,!tag:race";
    let report = msgext(Some(KEY), &serve.run(&["--rate", "none", filter])).exits(0).report();
    assert!(report["totals"]["retries"].as_u64() > Some(0), "{}", report["totals"]);
}

#[test]
fn an_internal_error_in_a_race_is_no_finding() {
    let serve = Serve::start(&["--app-limit", "none", "--internal-error", "20"]);
    let report = msgext(Some(KEY), &serve.run(&["--rate", "none", "--filter", "tag:race", "--repeat", "3"])).report();
    assert_eq!(broken_clauses(&report), Vec::<&str>::new(), "{}", report["reason"]);
}

#[test]
fn an_app_limit_in_a_race_is_no_finding() {
    // Eight calls at once, of which two at least are refused.
    let serve = Serve::start(&["--app-limit", "sliding-log:6/1s"]);
    let args = ["--rate", "none", "--member-calls", "none", "--filter", "id:seq-admins-at-once"];
    let report = msgext(Some(KEY), &serve.run(&args)).report();
    assert_eq!(broken_clauses(&report), Vec::<&str>::new(), "{}", report["reason"]);
}

#[test]
fn a_target_that_answers_nothing_but_internal_errors_does_not_pass() {
    let serve = Serve::start(&["--app-limit", "none", "--internal-error", "1"]);
    let report =
        msgext(Some(KEY), &serve.run(&["--rate", "none", "--filter", "id:set-first-gives-seq-1/admin"])).exits(1).report();
    assert_ne!(report["verdict"], "pass");
    assert!(report["totals"]["retries"].as_u64() > Some(0), "{}", report["totals"]);
}

#[test]
fn a_reply_lost_in_the_probe_does_not_answer_who_may_call() {
    // The probe's first call is an admin's, its second the first of a member.
    let serve = Serve::start(&["--app-limit", "none"]);
    let relay = Relay::start(serve.url(), |call| call == 2);
    let ran = msgext(Some(KEY), &run_at(&relay.url, &FEW));
    assert!(relay.calls() >= 2);
    let report = ran.report();
    assert_ne!(report["readings"]["caller"], "none", "exit {}: {}", ran.code, report["reason"]);
    let member = verdicts(&report).into_iter().find(|(id, _)| id == "set-first-gives-seq-1/sender");
    assert!(ran.code != 0 || member.is_some_and(|(_, verdict)| verdict == "pass"), "exit {}: {}", ran.code, report["reason"]);
}

// ------------------------------------------------------------------------------------------------- servers made by hand

/// What goes out, and what becomes of the connection then.
struct Answer {
    name: &'static str,
    bytes: Vec<u8>,
    stays_open: bool,
}

fn answers() -> Vec<Answer> {
    let closing = |name, bytes: Vec<u8>| Answer { name, bytes, stays_open: false };
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let nested = "[".repeat(100_000);
    let nested_object = format!(r#"{{"ActionStatus":{}"#, r#"{"a":"#.repeat(100_000));
    vec![
        closing("nothing", Vec::new()),
        closing("no HTTP", b"220 mail.example ESMTP ready\r\n".to_vec()),
        closing("TLS", b"\x15\x03\x01\x00\x02\x02\x28".to_vec()),
        closing("zeros", vec![0; 4096]),
        closing("half a status line", b"HTTP/1.1 20".to_vec()),
        closing("a status beyond all", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n".to_vec()),
        closing("a head without a body", head("Content-Length: 0\r\n")),
        closing("a head without an end", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n".to_vec()),
        closing("a body that is too short", [head("Content-Length: 500\r\n"), b"{}".to_vec()].concat()),
        closing("a body that is too long", [head("Content-Length: 1\r\n"), b"{}{}{}".to_vec()].concat()),
        closing("a length that is no number", [head("Content-Length: many\r\n"), b"{}".to_vec()].concat()),
        closing("two lengths", [head("Content-Length: 2\r\nContent-Length: 3\r\n"), b"{}".to_vec()].concat()),
        closing("10 MB of headers", head(&format!("X-Much: {}\r\n", "x".repeat(1000)).repeat(10_000))),
        closing("one header of 10 MB", head(&format!("X-Long: {}\r\n", "x".repeat(10_000_000)))),
        closing("chunks that are none", [head("Transfer-Encoding: chunked\r\n"), b"zz\r\nnot a chunk\r\n".to_vec()].concat()),
        closing("a chunk that never ends", [head("Transfer-Encoding: chunked\r\n"), b"fffffff\r\n{".to_vec()].concat()),
        closing("no UTF-8", [head("Content-Length: 4\r\n"), b"\xff\xfe\x80\xc0".to_vec()].concat()),
        closing("the word null", ok("null")),
        closing("a number", ok("7")),
        closing("an array", ok("[]")),
        closing("an empty object", ok("{}")),
        closing("an OK of another type", ok(r#"{"ActionStatus":0,"ErrorInfo":1,"ErrorCode":"0"}"#)),
        closing("100,000 arrays", ok(&nested)),
        closing("100,000 objects", ok(&nested_object)),
        closing("a redirect", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".to_vec()),
        closing("a page", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n<p>no</p>".to_vec()),
        Answer { name: "silence", bytes: Vec::new(), stays_open: true },
        Answer { name: "a head and then silence", bytes: head("Content-Length: 9\r\n"), stays_open: true },
    ]
}

/// Reads one request and gives one answer: to each of them, or only where no message is asked for.
fn answering(bytes: Vec<u8>, stays_open: bool, makes_messages: bool) -> Listener {
    Listener::start(move |mut stream: TcpStream| {
        while let Ok(request) = read_http(&mut stream) {
            let sends = makes_messages && request.starts_with(b"POST /v4/openim/sendmsg");
            let sent = ok(r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgTime":1,"MsgKey":"1_2_3"}"#);
            // The client may be gone before the last byte.
            let _ = stream.write_all(if sends { &sent } else { &bytes });
            if !sends && !stays_open {
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
        }
    })
}

/// Every answer, four at a time, as what a run of a few scenarios makes of it.
fn each_answer(makes_messages: bool, check: impl Fn(&'static str, Ran) + Sync) {
    let mut answers = answers().into_iter().peekable();
    while answers.peek().is_some() {
        thread::scope(|scope| {
            for Answer { name, bytes, stays_open } in answers.by_ref().take(4) {
                let check = &check;
                scope.spawn(move || {
                    let target = answering(bytes, stays_open, makes_messages);
                    let args = ["--timeout", "300ms", "--rate", "none", "--filter", "id:set-first-*"];
                    check(name, msgext(Some(KEY), &run_at(&target.url, &args)));
                });
            }
        });
    }
}

#[test]
fn a_target_that_makes_no_message_cannot_be_tested_and_says_why_in_one_line() {
    each_answer(false, |name, ran| {
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{name}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.len() < 400, "{name}: {}", ran.stderr);
        assert_eq!(ran.report()["verdict"], "inconclusive", "{name}");
    });
}

#[test]
fn a_target_that_only_makes_messages_never_passes() {
    each_answer(true, |name, ran| {
        assert!([1, 3, 4].contains(&ran.code), "{name}: exit {}: {}", ran.code, ran.stderr);
        let report = ran.report();
        assert_eq!(report["totals"]["scenarios"]["pass"], 0, "{name}");
        assert_eq!(report["verdict"] == "fail", ran.code == 1, "{name}: {}", report["reason"]);
        assert!(ran.stderr.len() < 20_000, "{name}: {} bytes of stderr", ran.stderr.len());
    });
}

#[tokio::test]
async fn of_the_rounds_of_a_repetition_only_a_history_keeps_replies_but_those_that_a_finding_shows_and_the_last() {
    const ROUNDS: &str = "scenarios:
  - id: rounds
    title: Rounds
    clauses: [SET-1]
    steps:
      - repeat: {times: 5, do: [{set: {kvs: [{key: k, value: v}], should: {HTTP-4: {keys: {k: {value: w}}}}}}]}
";
    let (planned, problems) = plan::load(vec![("rounds.yaml".to_owned(), ROUNDS.to_owned())], &spec::bundled());
    assert_eq!(problems, []);
    let (target, place) = (embedded::target(), embedded::place(Rules::default()));
    let mut ground = Ground::prepare(&target, &place, 1, None, &Stop::default()).await.expect("the target can be tested");
    // The first made the message, and all five rounds differ alike: that is one finding.
    for (keeps, replies) in [(false, [false, true, false, false, false, true]), (true, [true; 6])] {
        ground.keeps_exchanges = keeps;
        let (session, _launched) = ground.session(EmbeddedSetup::default()).await;
        let outcome = walk(&spec::bundled(), &planned[0], &session).await;
        let is_kept = |exchange: &Exchange| matches!(&exchange.outcome, Outcome::Replied(reply) if !reply.body.is_empty());
        assert_eq!(outcome.exchanges.iter().map(is_kept).collect::<Vec<_>>(), replies);
        assert_eq!(outcome.findings.iter().map(|finding| finding.exchange).collect::<Vec<_>>(), [Some(1)]);
    }
}
