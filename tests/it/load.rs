//! `msgext load` as a user runs it: real processes, real sockets.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{
    DEADLINE, KEY, Listener, Ran, Relay, Serve, command, end, is_set, msgext, msgext_in, read_http, report_of, signal,
};

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

/// Calls in the interval log under this tag, as `HdrHistogram`'s own reader has them.
fn logged(folder: &Path, tag: &str) -> u64 {
    let log = fs::read(folder.join("reports/load/intervals.hlog")).expect("an interval log");
    let entries = IntervalLogIterator::new(&log).map(|entry| entry.expect("a line of the format"));
    let counts = entries.filter_map(|entry| match entry {
        LogEntry::Interval(line) if line.tag().is_some_and(|own| own.as_str() == tag) => {
            let encoded = STANDARD.decode(line.encoded_histogram()).expect("base 64");
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut encoded.as_slice()).expect("a histogram");
            Some(histogram.len())
        }
        _ => None,
    });
    counts.sum()
}

/// When each interval of the log begins, in its order, with its tag.
fn begun(folder: &Path) -> Vec<(String, Duration)> {
    let log = fs::read(folder.join("reports/load/intervals.hlog")).expect("an interval log");
    let entries = IntervalLogIterator::new(&log).map(|entry| entry.expect("a line of the format"));
    let begun = entries.filter_map(|entry| match entry {
        LogEntry::Interval(line) => Some((line.tag().map_or("", |tag| tag.as_str()).to_owned(), line.start_timestamp())),
        _ => None,
    });
    begun.collect()
}

/// A run that goes on, and its live metrics.
struct Going {
    child: Child,
    folder: TempDir,
    /// Address of the metrics.
    metrics: String,
    /// What it says after that.
    said: Receiver<String>,
}

impl Going {
    fn start(url: &str, more: &[&str]) -> Going {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = command();
        command.args(["load", "--target", url, "--sdkappid", "1400000000", "--admin", "administrator", "--quiet"]);
        command.args(["--metrics", "127.0.0.1:0"]).args(more).env("MSGEXT_SECRET_KEY", KEY).current_dir(&folder);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary can be run");
        let (send, said) = channel();
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        let first = said.recv_timeout(DEADLINE);
        let metrics =
            first.as_deref().unwrap_or("").trim_start_matches("metrics: http://").trim_end_matches("/metrics").to_owned();
        Going { child, folder, metrics, said }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.metrics).expect("metrics are served");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Waits until so many calls were accepted; gives the page that says so.
    fn accepted(&self, calls: u64) -> String {
        let started = Instant::now();
        loop {
            let page = self.get("/metrics");
            let of =
                |line: &str| line.strip_prefix("msgext_calls_total{phase=\"load\",class=\"accepted\"} ")?.parse::<u64>().ok();
            if page.lines().find_map(of) >= Some(calls) {
                return page;
            }
            assert!(started.elapsed() < DEADLINE, "the run does not go on: {page}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Exit code, what was said, and the report.
    fn end(mut self) -> (Option<i32>, String, Value) {
        let code = self.child.wait().expect("an end").code();
        let said: Vec<String> = self.said.iter().collect();
        (code, said.join("\n"), report_of(self.folder.path(), "load"))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Stops a process for so long.
fn stands_still(child: &Child, time: Duration) {
    signal("-STOP", child);
    thread::sleep(time);
    signal("-CONT", child);
}

#[test]
fn an_interrupt_ends_a_run_whose_metrics_told_of_it_and_keeps_what_was_measured() {
    let serve = free_of_limits(&[]);
    let going = Going::start(serve.url(), &["--rate", "200/s", "--for", "60s"]);
    let page = going.accepted(150);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("application/openmetrics-text"), "{page}");
    assert!(
        page.contains("msgext_response_seconds_bucket{class=\"accepted\",le=\"+Inf\"}") && page.ends_with("# EOF\n"),
        "{page}"
    );
    assert!(!page.contains(KEY) && !page.contains("usersig"), "{page}");
    assert!(going.get("/other").starts_with("HTTP/1.1 404"));
    signal("-INT", &going.child);
    let (code, _, report) = going.end();
    assert_eq!((code, &report["verdict"], &report["incomplete"]), (Some(4), &"inconclusive".into(), &true.into()));
    let sent = report["load"]["total"]["sent"].as_u64();
    assert!((Some(150)..Some(12_000)).contains(&sent), "{sent:?}");
}

#[test]
fn what_falls_due_as_a_run_is_interrupted_is_sent_where_a_connection_is_free() {
    let serve = free_of_limits(&[]);
    for round in 0..4 {
        let going = Going::start(serve.url(), &["--rate", "500/s", "--for", "60s", "--connections", "150", "--messages", "150"]);
        going.accepted(50);
        // It finds calls that are due, and that it has to end, at the same time.
        for sent in ["-STOP", "-TERM", "-CONT"] {
            signal(sent, &going.child);
        }
        let (code, said, report) = going.end();
        assert_eq!((code, &report["load"]["total"]["unsent"]), (Some(4), &0.into()), "{round}: {said}");
    }
}

#[test]
fn a_generator_that_stood_still_blames_itself_and_not_the_target() {
    let serve = free_of_limits(&[]);
    let going = Going::start(serve.url(), &["--rate", "200/s", "--for", "5s", "--check", "p99 response < 50ms"]);
    going.accepted(150);
    stands_still(&going.child, Duration::from_millis(300));
    let (code, said, report) = going.end();
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(report["checks"][0]["holds"], Value::Null, "{said}");
    assert!(report["load"]["total"]["lag_us"]["max"].as_u64() > Some(250_000), "{said}");
    assert!(report["reason"].as_str().expect("a reason").contains("the generator stood still"), "{said}");
}

#[test]
fn a_target_that_stood_still_is_measured_from_when_calls_were_due() {
    let serve = free_of_limits(&[]);
    let going = Going::start(serve.url(), &["--rate", "200/s", "--for", "5s", "--connections", "5"]);
    going.accepted(150);
    stands_still(&serve.child, Duration::from_secs(1));
    let (_, said, report) = going.end();
    let phase = &report["load"]["phases"][0];
    let p99 = |times: &str| phase[times]["p99"].as_u64().expect("a time");
    assert_eq!((&phase["sent"], &phase["accepted"]), (&1000.into(), &1000.into()), "{said}");
    // Five calls of a thousand were under way, two hundred were due meanwhile.
    assert!(p99("response_us") > 700_000 && p99("connection_wait_us") > 600_000, "{said}");
    assert!(p99("service_us") < 350_000 && p99("lag_us") < 350_000, "{said}");
}

#[test]
fn a_search_finds_where_a_limit_refuses_and_says_that_it_is_one() {
    let serve = Serve::start(&["--app-limit", "sliding-log:20/200ms", "--message-limit", "none"]);
    let search = ["--find-capacity", "--slo", "refused = 0", "--start-rate", "50/s", "--max-rate", "400/s"];
    let ran = load(serve.url(), &[search.as_slice(), &["--trial", "500ms", "--confirm", "1s"]].concat()).exits(0);
    let report = report(&ran);
    let capacity = &report["load"]["capacity"];
    assert_eq!((&capacity["limited_by"], &report["verdict"]), (&"limiter".into(), &"pass".into()), "{}", ran.stderr);
    let [passes, fails] = ["passes_at", "fails_at"].map(|name| capacity[name].as_f64().expect("a rate"));
    assert!((50.0..=105.0).contains(&passes) && (passes..=200.0).contains(&fails), "{}", ran.stderr);
    assert_eq!(capacity["curve"].as_array().map(Vec::len), report["load"]["phases"].as_array().map(Vec::len));
}

#[test]
fn each_trial_of_a_search_signs_anew_and_no_call_of_a_run_does() {
    let serve = free_of_limits(&[]);
    let signatures = |more: &[&str]| {
        let seen: Arc<Mutex<BTreeSet<Vec<u8>>>> = Arc::default();
        let of_sets = Arc::clone(&seen);
        let relay = Relay::changing(serve.url(), move |request, reply| {
            let sent = request.split(|byte| *byte == b'&').find(|part| part.starts_with(b"usersig="));
            if is_set(request) {
                of_sets.lock().expect("unpoisoned").insert(sent.expect("a signature").to_vec());
            }
            Some(reply)
        });
        let as_admin = ["--as", "admin", "--member-calls", "none", "--connections", "2", "--messages", "4"];
        let ran = load(&relay.url, &[more, as_admin.as_slice()].concat());
        let of_sets = seen.lock().expect("unpoisoned").len();
        (report(&ran)["load"]["phases"].as_array().expect("phases").len(), of_sets)
    };
    // Trials of more than a second begin in different seconds, and a signature says in which it was made. The probe's own set
    // has one more, unless it was made in the second in which the load began.
    let search = ["--find-capacity", "--slo", "lost = 0", "--start-rate", "10/s", "--max-rate", "20/s"];
    let (trials, signed) = signatures(&[search.as_slice(), &["--trial", "1100ms", "--confirm", "1100ms"]].concat());
    assert!(trials > 1 && (trials..=trials + 1).contains(&signed), "{trials} {signed}");
    let (phases, signed) = signatures(&["--rate", "20/s", "--for", "3s"]);
    assert!(phases == 1 && (1..=2).contains(&signed), "{phases} {signed}");
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
    assert_eq!(logged(ran.folder.path(), "response"), 700);
    assert_eq!(logged(ran.folder.path(), "load-response"), 700);
    let schema = msgext::<&str>(None, &["schema", "report"]).exits(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("a schema");
    assert!(jsonschema::is_valid(&schema, &report));
}

#[test]
fn the_log_is_in_the_order_of_time_for_those_who_ask_for_a_span() {
    let folder = tempfile::tempdir().expect("a folder");
    let phases = "phases:\n  - {name: first, rate: 20/s, calls: 20}\n  - {name: second, rate: 20/s, calls: 30}\n";
    fs::write(folder.path().join("plan.yaml"), format!("title: Two phases\nmessages: 4\n{phases}")).expect("a file");
    let ran = msgext_in(folder, None, &["load", "plan.yaml", "--quiet"]).exits(0);
    let begun = begun(ran.folder.path());
    assert!(begun.is_sorted_by_key(|(_, at)| *at), "{begun:?}");
    let of = |tag: &str| begun.iter().find(|(own, _)| own == tag).map(|(_, at)| at.as_secs_f64());
    // The first phase takes a second by its plan.
    let between = of("second-response").zip(of("first-response")).map(|(second, first)| second - first);
    assert!(between.is_some_and(|between| (between - 1.0).abs() < 0.002), "{between:?}");
    assert_eq!((logged(ran.folder.path(), "first-response"), logged(ran.folder.path(), "second-response")), (20, 30));
    assert_eq!(logged(ran.folder.path(), "response"), 50);
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
fn a_phase_that_may_not_fail_ends_the_run_when_it_does() {
    let serve = free_of_limits(&["--lose-one-in", "50"]);
    let folder = tempfile::tempdir().expect("a folder");
    let plan = "title: t\nphases:\n  - {name: a, rate: 500/s, for: 30s, checks: [\"findings = 0\"], abort-on-fail: true}\n";
    fs::write(folder.path().join("plan.yaml"), plan).expect("written");
    let target = ["load", "plan.yaml", "--target", serve.url(), "--sdkappid", "1400000000", "--admin", "administrator"];
    let ran = msgext_in(folder, Some(KEY), &target).exits(1);
    let report = report(&ran);
    assert_eq!((broken(&report), &report["checks"][2]["holds"]), (vec!["SET-2"], &false.into()));
    assert!(report["incomplete_why"].as_str().expect("a reason").contains("abort-on-fail"), "{}", ran.stderr);
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
                checks: [\"findings = 0\", \"errors = 0\"]}\n";
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
    let serve = free_of_limits(&["--fault", "reset:20,on=set", "--fault", "bad-gateway:30,on=set"]);
    let ran = load(serve.url(), &["--rate", "1000/s", "--calls", "600"]).exits(1);
    let report = report(&ran);
    let load = &report["load"];
    assert_eq!(broken(&report), Vec::<&str>::new());
    assert_eq!(load["total"]["losses"]["gateway answered HTTP 502"], 10);
    assert!(load["connections"]["reopened"].as_u64() >= Some(20), "{}", load["connections"]);
}

#[test]
fn what_cannot_be_run_says_why_and_has_its_exit_code() {
    let unreachable = load("http://127.0.0.1:9", &["--rate", "10/s"]).exits(3);
    assert!(unreachable.stderr.contains("cannot be reached"), "{}", unreachable.stderr);
    let usage = [
        (vec!["load", "no-such-plan"], "limits, soak, ramp, spike"),
        (vec!["load", "--rate", "fast"], "200/s, 12000/m or 200/1s"),
        (vec!["load", "--rate", "5/s", "--check", "p99 < 5"], "nothing that can be checked"),
        (vec!["load", "soak", "--rate", "5/s"], "cannot be used with"),
        (vec!["load", "--rate", "5/s", "--kvs", "21"], "1 to 20 pairs"),
        (vec!["load", "--rate", "5/s", "--mix", "1:2"], "three shares"),
        (vec!["load", "--mix", "1:2:1"], "goes with --rate"),
        (vec!["load", "--rate", "5/s", "--slo", "refused = 0"], "goes with --find-capacity"),
        (vec!["load", "--find-capacity"], "--slo"),
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
