//! A plan sent by several processes, and their parts added up: real processes, real sockets.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{
    DEADLINE, KEY, Ran, Relay, Serve, command, end, interruptible, is_set, msgext_in, report_of, signal, test_at, until,
};

/// Shards get so long to be ready, on a machine that has much else to do.
const AHEAD: Duration = Duration::from_secs(30);

/// When shards that are started now begin, in seconds since 1970.
fn start() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    (now + AHEAD).as_secs().to_string()
}

/// One shard, under way.
fn shard(folder: &Path, url: &str, which: &str, start: &str, more: &[&str]) -> Child {
    let part = format!("part-{}.json", which.split('/').next().unwrap_or_default());
    let own = ["--quiet", "--shard", which, "--start-at", start, "--out", &part];
    let mut command = interruptible();
    command.args(test_at("load", url, &[&own, more].concat())).env("MSGEXT_SECRET_KEY", KEY).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary can be run")
}

fn exit_of(mut child: Child) -> Option<i32> {
    let mut status = None;
    until("the shard has ended", || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    end(&mut child);
    status.and_then(|status| status.code())
}

/// Sends a plan by so many shards, which all do their part.
fn sent(folder: &Path, url: &str, of: u32, more: &[&str]) {
    let start = start();
    let shards: Vec<Child> = (0..of).map(|number| shard(folder, url, &format!("{number}/{of}"), &start, more)).collect();
    for (number, child) in shards.into_iter().enumerate() {
        assert_eq!(exit_of(child), Some(0), "shard {number}: {:?}", part(folder, number)["measured"]["Err"]);
    }
}

fn part(folder: &Path, number: usize) -> Value {
    let text = fs::read(folder.join(format!("part-{number}.json"))).expect("a part");
    serde_json::from_slice(&text).expect("JSON")
}

/// The exit code, the report and what was said of some parts that are merged.
fn merge(folder: &Path, parts: &[&str]) -> (i32, Value, String) {
    let mut command = assert_cmd::Command::from_std(command());
    let output = command.arg("merge").args(parts).current_dir(folder).timeout(DEADLINE).output().expect("the binary can be run");
    let code = output.status.code().expect("it ends");
    let report = if code == 2 { Value::Null } else { report_of(folder, "merge") };
    (code, report, String::from_utf8(output.stderr).expect("UTF-8"))
}

fn free_of_limits() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn four_processes_send_a_plan_call_by_call_and_without_one_of_them_nothing_is_known() {
    let (serve, folder) = (free_of_limits(), folder());
    sent(folder.path(), serve.url(), 4, &["--rate", "200/s", "--for", "3s", "--mix", "8:1:1", "--messages", "62"]);
    let all = ["part-3.json", "part-0.json", "part-2.json", "part-1.json"];
    let (code, report, told) = merge(folder.path(), &all);
    assert_eq!((code, &report["verdict"]), (0, &"pass".into()), "{told}");
    let total = &report["load"]["total"];
    assert_eq!((&total["planned"], &total["sent"], &total["accepted"]), (&600.into(), &600.into(), &600.into()));
    assert_eq!(report["load"]["read_back"], serde_json::json!({"read": 62, "messages": 62}));
    assert_eq!(report["load"]["connections"]["opened"], 16);
    let shards = report["load"]["shards"].as_array().expect("shards");
    // 62 messages are not dealt out evenly, and so neither are their calls.
    assert_eq!(shards.iter().map(|shard| shard["sent"].as_u64().expect("a count")).sum::<u64>(), 600);
    assert!(shards.iter().all(|shard| shard["clock_offset_us"].is_i64() && shard["sent"].as_u64() > Some(120)), "{shards:?}");

    assert_eq!(merge(folder.path(), &["."]).0, 0, "all parts of a folder");
    let (code, report, said) = merge(folder.path(), &all[..3]);
    assert_eq!((code, &report["reason"]), (4, &"shard 1 of 4: it has left no part".into()));
    assert!(said.contains(" planned by the shards that have sent, in "), "{said}");
    for (parts, told) in [
        (&["part-0.json", "part-0.json"][..], "are both of shard 0/4"),
        (&["reports/merge/report.json"], "it is no part of a load"),
        (&["part-9.json"], "there is no such file"),
        (&["reports"], "there is no part-*.json in it"),
    ] {
        let (code, _, said) = merge(folder.path(), parts);
        assert!(code == 2 && said.contains(told), "{parts:?}: {code} {said}");
    }
    let other = fs::read_to_string(folder.path().join("part-1.json")).expect("a part");
    fs::write(folder.path().join("part-1.json"), other.replacen("\"seed\":1", "\"seed\":2", 1)).expect("a file");
    let (code, _, told) = merge(folder.path(), &all);
    assert!(code == 2 && told.contains("are of different runs: the seed is not the same"), "{told}");
}

/// What the app is served follows from the calls of all shards, and from those of no single one.
#[test]
fn limits_are_judged_on_the_calls_of_all_shards_together() {
    const PLAN: &str = "title: t
limits: {app: 20/1s, message: 1000/60s}
messages: 40
connections: 8
phases:
  - {name: hold, rate: 40/s, for: 4s}
checks: [refused >= 1, lost = 0, errors = 0]
";
    let strict = |limit: &'static str| {
        let (serve, folder) = (Serve::start(&["--app-limit", limit, "--message-limit", "none"]), folder());
        fs::write(folder.path().join("plan.yaml"), PLAN).expect("a file");
        sent(folder.path(), serve.url(), 2, &["plan.yaml"]);
        let (_, report, told) = merge(folder.path(), &["part-0.json", "part-1.json"]);
        let clauses = report["clauses"].as_array().expect("clauses");
        let strict = clauses.iter().find(|clause| clause["id"] == "LIM-1").unwrap_or_else(|| panic!("{limit}: {told}"));
        strict["verdict"].clone()
    };
    // Each waits for its start, beside the other.
    let verdicts = thread::scope(|scope| {
        let limits = ["sliding-log:20/1s", "sliding-log:15/1s"].map(|limit| scope.spawn(move || strict(limit)));
        limits.map(|limit| limit.join().expect("no panic"))
    });
    assert_eq!(verdicts, ["pass", "fail"]);
}

#[test]
fn what_one_shard_has_found_is_found_and_no_part_holds_a_secret() {
    let (serve, folder) = (free_of_limits(), folder());
    // A set whose reply leaves its key out breaks SET-3.
    let relay = Relay::changing(serve.url(), |request, reply| {
        let text = String::from_utf8_lossy(&reply).into_owned();
        let is_cut = is_set(request) && text.contains("\"ExtensionList\":[");
        Some(if is_cut { text.replacen("\"k1\"", "\"kx\"", 1).into_bytes() } else { reply })
    });
    sent(folder.path(), &relay.url, 2, &["--rate", "50/s", "--for", "1s", "--messages", "4"]);
    for number in 0..2 {
        let text = fs::read_to_string(folder.path().join(format!("part-{number}.json"))).expect("a part");
        assert!(!text.contains(KEY) && text.contains("\"usersig\",\"***\""), "{text}");
    }
    let (code, report, told) = merge(folder.path(), &["part-0.json", "part-1.json"]);
    assert!(code == 1 && told.contains("SET-3"), "{told}");
    assert!(report["load"]["findings_by_clause"]["SET-3"].as_u64() > Some(1));
}

#[test]
fn a_shard_that_is_late_or_is_ended_says_so() {
    let (serve, folder) = (free_of_limits(), folder());
    let calls = ["--rate", "50/s", "--for", "60m", "--messages", "4"];
    let late = shard(folder.path(), serve.url(), "0/2", "1700000000", &calls);
    assert_eq!(exit_of(late), Some(3));
    let why = part(folder.path(), 0)["measured"]["Err"].as_str().expect("why").to_owned();
    assert!(why.contains("after it was to start"), "{why}");
    let (code, report, _) = merge(folder.path(), &["part-0.json"]);
    assert!(code == 3 && report["reason"].as_str().is_some_and(|reason| reason.contains("after it was to start")));

    let relay = Relay::start(serve.url(), |_| false);
    let running = shard(folder.path(), &relay.url, "0/1", &start(), &calls);
    // Far fewer come before its plan begins.
    until("calls are sent", || relay.calls() > 60);
    signal("-INT", &running);
    assert_eq!(exit_of(running), Some(4));
    let (code, report, _) = merge(folder.path(), &["part-0.json"]);
    assert!(code == 4 && report["reason"].as_str().is_some_and(|reason| reason.starts_with("cut short after")), "{report}");
}

#[test]
fn what_does_not_go_with_a_shard_is_refused_before_anything_is_sent() {
    let refused = |args: &[&str], told: &str| {
        let ran: Ran = msgext_in(folder(), Some(KEY), &[&["load", "--rate", "100/s", "--calls", "10"], args].concat()).exits(2);
        assert!(ran.stderr.contains(told), "{args:?}: {}", ran.stderr);
    };
    let at = ["--start-at", "2000000000"];
    refused(&["--shard", "0/2"], "--start-at");
    refused(&["--start-at", "2000000000"], "--shard");
    refused(&[&["--shard", "2/2"][..], &at].concat(), "which shard of how many");
    refused(&[&["--shard", "auto"][..], &at].concat(), "SLURM_PROCID, JOB_COMPLETION_INDEX");
    refused(&["--shard", "0/2", "--start-at", "soon"], "2026-01-31T12:00:00Z");
    refused(&[&["--shard", "0/2"][..], &at].concat(), "--shard needs --target");
    let target = test_at("load", "http://127.0.0.1:9", &[]);
    let with = |more: &[&'static str]| [&target[1..], &["--shard", "0/2"], &at, more].concat();
    refused(&with(&["--json", "x.json"]), "msgext merge");
    refused(&with(&["--messages", "1"]), "each shard needs a connection and a message of its own");
}
