//! Clocks that are off, by a library that makes a process believe in another time.

use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::binary::{DEADLINE, KEY, Serve, command, report_of, test_at};
use crate::support::debian::program;

/// A command in whose process the time is so much ahead; what it measures a stretch of time by is left alone.
fn ahead(by: &str, args: &[&str], folder: &std::path::Path) -> Output {
    let mut faketime = Command::new(program("faketime", "faketime"));
    faketime.args(["-f", by]).arg(command().get_program()).args(args);
    faketime.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("MSGEXT_SECRET_KEY", KEY).current_dir(folder);
    assert_cmd::Command::from_std(faketime).timeout(DEADLINE).output().expect("faketime can be run")
}

#[test]
fn a_clock_that_is_off_is_named_with_what_to_do_and_by_two_days_it_is_in_the_way() {
    let serve = Serve::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    for (by, state, exit, is_off) in [("+0", "ok", 0, false), ("+10m", "ok", 0, true), ("+2d", "blocked", 3, true)] {
        let examined = ahead(by, &test_at("doctor", serve.url(), &[]), folder.path());
        let report = report_of(folder.path(), "doctor");
        let steps = report["doctor"]["steps"].as_array().expect("steps");
        let clock = steps.iter().find(|step| step["name"] == "clock").expect("the clock's step");
        assert_eq!((&clock["state"], examined.status.code()), (&state.into(), Some(exit)), "{by} {clock}");
        let advice = clock["advice"].as_str().unwrap_or_default();
        assert_eq!(advice.contains("set this machine's clock"), is_off, "{by} {clock}");
    }
}

#[test]
fn shards_whose_clocks_are_apart_are_no_evidence_and_their_clocks_are_told() {
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none"]);
    let folder = tempfile::tempdir().expect("a folder");
    let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock") + Duration::from_secs(30);
    let start = start.as_secs().to_string();
    thread::scope(|scope| {
        for (shard, part, by) in [("0/2", "part-0.json", "+0"), ("1/2", "part-1.json", "+0.1")] {
            let own = ["--rate", "50/s", "--for", "1s", "--messages", "4", "--shard", shard, "--start-at", &start, "--out", part];
            let args: Vec<String> = test_at("load", serve.url(), &own).into_iter().map(str::to_owned).collect();
            let folder = folder.path();
            scope.spawn(move || {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let sent = ahead(by, &args, folder);
                assert_eq!(sent.status.code(), Some(0), "{}", String::from_utf8_lossy(&sent.stderr));
            });
        }
    });
    let merged = |more: &[&str]| -> (Option<i32>, Value) {
        let mut merge = command();
        merge.args(["merge", "."]).args(more).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let code = merge.status().expect("the binary can be run").code();
        (code, report_of(folder.path(), "merge"))
    };
    let (code, report) = merged(&[]);
    let reason = report["reason"].as_str().expect("a reason");
    assert!(code == Some(4) && reason.contains("over the 20.00 ms that they may"), "{reason}");
    let offset = |shard: usize| report["load"]["shards"][shard]["clock_offset_us"].as_i64().expect("an offset");
    // By as much as a machine that is busy lets a call take.
    assert!((50_000..150_000).contains(&(offset(0) - offset(1))), "{} {}", offset(0), offset(1));
    assert_eq!(merged(&["--most-skew", "10s"]).0, Some(0));
}
