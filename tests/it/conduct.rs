//! How a command that tests a target begins and ends: whatever ends it, it leaves a report of its own and no other.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{
    KEY, Relay, Running, Serve, Silent, command, ended_by, gone, msgext, msgext_in, report_in, report_of, run_at, signal,
    test_at, until, verdicts,
};

/// Sets a key, and then waits for longer than any test.
const LONG: &str = "scenarios:
  - id: long-wait
    title: A key is still there after a long time
    clauses: [SET-1]
    steps:
      - set: {kvs: [{key: k, value: v}]}
      - wait: 60m
      - set: {kvs: [{key: k, value: w}]}
";

#[test]
fn a_target_that_cannot_be_tested_is_one_line_and_an_inconclusive_report() {
    let serve = Serve::start(&[]);
    could_not_test(&serve.run(&[]), "not the key of serve", "refused the credentials: 70009");
    could_not_test(&run_at(&gone(), &[]), KEY, "cannot be reached: no connection");
    let without_plan = ["run", "--target", serve.url(), "--sdkappid", "1400000001", "--admin", "administrator"];
    could_not_test(&without_plan, KEY, "lacks the plan");
    let not_admin = ["run", "--target", serve.url(), "--sdkappid", "1400000000", "--admin", "msgext_sender"];
    could_not_test(&not_admin, KEY, "refused the credentials: 60010");
}

fn could_not_test(args: &[&str], key: &str, says: &str) {
    let ran = msgext(Some(key), args).exits(3);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(says), "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()));
    assert!(report["reason"].as_str().expect("a reason").contains(says), "{}", report["reason"]);
    assert_eq!(report["totals"]["scenarios"]["pass"], 0);
}

/// What a command that tests a target is given here to be short.
const SHORT: [(&str, &[&str]); 5] = [
    ("run", &["--filter", "id:set-first-*", "--rate", "none"]),
    ("load", &["--rate", "100/s", "--calls", "10"]),
    ("race", &["--operations", "100", "--messages", "2", "--rate", "none"]),
    ("fuzz", &["--cases", "5", "--rate", "none"]),
    ("doctor", &[]),
];

/// Names of the files in the folder of a command's newest run.
fn left_behind(folder: &Path, command: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join("reports").join(command)).expect("a folder of reports");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn no_report_of_an_earlier_run_outlives_the_start_of_a_new_one() {
    let (serve, gone) = (Serve::start(&[]), gone());
    for (command, more) in SHORT {
        let elsewhere = ["--json", "elsewhere.json"].into_iter().chain(more.iter().copied()).collect::<Vec<_>>();
        let held = msgext(Some(KEY), &test_at(command, serve.url(), &elsewhere)).exits(0);
        assert_eq!(report_of(held.folder.path(), command)["verdict"], "pass");
        let ran = msgext_in(held.folder, Some(KEY), &test_at(command, &gone, &elsewhere)).exits(3);
        assert_eq!(
            left_behind(ran.folder.path(), command),
            ["junit.xml", "report.html", "report.json", "report.md"],
            "{command}"
        );
        for path in [format!("reports/{command}/report.json"), "elsewhere.json".to_owned()] {
            let report: Value = serde_json::from_slice(&fs::read(ran.folder.path().join(&path)).expect(&path)).expect("JSON");
            assert_eq!((&report["verdict"], &report["target"]), (&"inconclusive".into(), &format!("{gone}/").into()), "{path}");
        }
        for name in ["junit.xml", "report.html", "report.md"] {
            let text = fs::read_to_string(ran.folder.path().join("reports").join(command).join(name)).expect(name);
            assert!(text.contains("cannot be reached"), "{name}: {text}");
        }
    }
}

#[test]
fn what_is_refused_before_the_start_leaves_an_earlier_report_alone() {
    for (command, more) in SHORT {
        let held = msgext(None, &[&[command], more].concat()).exits(0);
        let before = left_behind(held.folder.path(), command);
        let ran = msgext_in(held.folder, None, &[command, "--target", "ftp://nowhere"]).exits(2);
        assert_eq!(left_behind(ran.folder.path(), command), before);
        assert_eq!(report_of(ran.folder.path(), command)["verdict"], "pass");
    }
}

#[test]
fn what_has_no_effect_on_a_load_is_refused_and_what_has_one_takes_it() {
    let calls = ["load", "--rate", "100/s", "--calls", "10"];
    let pinned = msgext(None, &[&calls[..], &["--pin", "deleted-key=reset"]].concat()).exits(2);
    assert!(pinned.stderr.contains("--pin"), "{}", pinned.stderr);
    let without_effect: [(&[&str], &str); 14] = [
        (&["load", "--rate", "max", "--calls", "10"], "--calls goes with a rate"),
        (&["load", "--rate", "max", "--poisson"], "--poisson goes with a rate"),
        (&["load", "--rate", "9/s", "--calls", "10", "--for", "1s"], "cannot be used with"),
        (&["load", "--rate", "9/s", "--calls", "10", "--poisson"], "cannot be used with"),
        (&["load", "soak", "--for", "1s"], "--for goes with --rate"),
        (&["load", "soak", "--kvs", "3"], "cannot be used with"),
        (&["load", "--kvs", "3"], "--kvs goes with --rate"),
        (&["load", "--rate", "9/s", "--trial", "1s"], "goes with --find-capacity"),
        (&["load", "--find-capacity", "--slo", "lost = 0", "--calls", "9"], "--calls goes with --rate"),
        (&["load", "--find-capacity", "--slo", "lost = 0", "--check", "lost = 0"], "cannot be used with"),
        (&["load", "--rate", "9/s", "--connections", "4", "--threads", "5"], "--threads 5"),
        (&["load", "--rate", "9/s", "--sdkappid", "5"], "need a --target"),
        (&["run", "--dry-run", "--json", "-"], "cannot be used with"),
        (&["run", "--dry-run", "--fail-fast"], "cannot be used with"),
    ];
    for (args, says) in without_effect {
        let refused = msgext(None, args).exits(2);
        assert!(refused.stderr.contains(says), "{args:?}: {}", refused.stderr);
    }
    let nobody = msgext(None, &[&calls[..], &["--member-calls", "none", "--as", "sender"]].concat()).exits(2);
    assert!(nobody.stderr.contains("--as admin"), "{}", nobody.stderr);
    msgext(None, &[&calls[..], &["--member-calls", "none", "--as", "admin"]].concat()).exits(0);
    msgext(None, &[&calls[..], &["--as", "sender"]].concat()).exits(0);
}

/// A command that goes on for longer than any test, once it has called its target.
struct Endless {
    running: Running,
    folder: TempDir,
    _serve: Serve,
}

impl Endless {
    fn start(command: &str) -> Endless {
        let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none"]);
        let relay = Relay::start(serve.url(), |_| false);
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("long.yaml"), LONG).expect("a file can be written");
        let more: &[&str] = match command {
            "run" => &["long.yaml", "--member-calls", "none"],
            "race" => &["--messages", "2", "--operations", "10000000", "--rate", "100/s"],
            "fuzz" => &["--cases", "10000000", "--rate", "100/s"],
            _ => &["--rate", "100/s", "--for", "60m"],
        };
        let running = Running::start(folder.path(), &test_at(command, &relay.url, more));
        // The probe's own set comes first.
        until("the command calls", || relay.calls() >= 2);
        Endless { running, folder, _serve: serve }
    }
}

#[test]
fn whatever_signal_ends_a_command_it_leaves_a_report_of_what_was_done() {
    // That of `doctor` is a test of its own: it never takes long at a target that answers.
    for (command, _) in SHORT.into_iter().filter(|(command, _)| *command != "doctor") {
        for name in ["-INT", "-TERM", "-HUP"] {
            let mut endless = Endless::start(command);
            assert_eq!(ended_by(name, &mut endless.running.0), Some(4), "{command} {name}");
            let report = report_of(endless.folder.path(), command);
            assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()), "{command} {name}");
        }
    }
}

#[test]
fn a_command_that_is_to_survive_its_terminal_does() {
    let serve = Serve::start(&[]);
    let relay = Relay::start(serve.url(), |_| false);
    let folder = tempfile::tempdir().expect("a folder");
    let load = test_at("load", &relay.url, &["--rate", "20/s", "--calls", "20"]);
    let mut nohup = std::process::Command::new("nohup");
    nohup.arg(command().get_program()).args(load).current_dir(&folder).env("MSGEXT_SECRET_KEY", KEY);
    let mut running = Running(nohup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nohup can be run"));
    until("the load has begun", || relay.calls() >= 2);
    signal("-HUP", &running.0);
    assert_eq!(running.0.wait().expect("an end").code(), Some(0));
    assert_eq!(report_of(folder.path(), "load")["load"]["total"]["sent"], 20);
}

#[test]
fn ctrl_c_ends_a_waiting_run_with_a_report_of_what_was_done() {
    let serve = Serve::start(&[]);
    let relay = Relay::start(serve.url(), |_| false);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("long.yaml"), LONG).expect("a file can be written");
    let mut run = Running::start(folder.path(), &run_at(&relay.url, &["long.yaml", "--member-calls", "none"]));
    // One set by the probe, and the scenario's own.
    until("the scenario waits", || relay.calls() == 2);
    assert_eq!(ended_by("-INT", &mut run.0), Some(4));
    let report = report_in(folder.path());
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()));
    assert_eq!(report["incomplete_why"], "interrupted");
    assert_eq!(verdicts(&report), [("long-wait".to_owned(), "unknown".to_owned())]);
    for name in ["report.md", "junit.xml", "report.html"] {
        assert!(folder.path().join("reports/run").join(name).metadata().expect(name).len() > 0);
    }
}

#[test]
fn ctrl_c_before_the_target_has_answered_leaves_a_report_too() {
    let target = Silent::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Running::start(folder.path(), &run_at(&target.url, &["--timeout", "10m"]));
    until("the run has called", || target.connections() > 0);
    assert_eq!(ended_by("-INT", &mut run.0), Some(4));
    let report = report_in(folder.path());
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()));
    assert_eq!(report["totals"]["scenarios"]["pass"], 0);
}
