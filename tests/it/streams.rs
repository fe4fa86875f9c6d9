//! What cannot be shown is not what cannot be tested: full disks and closed pipes where people or programs were to read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{KEY, Running, WRONG, command, ended_by, gone, report_of, test_at, until};

/// What takes nothing: a disk without room, or a pipe that nobody reads.
#[derive(Clone, Copy, Debug)]
enum Deaf {
    Full,
    Closed,
}

impl Deaf {
    const BOTH: [Deaf; 2] = [Deaf::Full, Deaf::Closed];

    fn stdio(self) -> Stdio {
        match self {
            Deaf::Full => File::create("/dev/full").expect("a device that is always full").into(),
            Deaf::Closed => io::pipe().expect("a pipe").1.into(),
        }
    }
}

/// A folder with a scenario that fails and a file that is none.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("wrong.yaml", WRONG), ("bad.yaml", "scenarios: 7\n")] {
        fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    folder
}

fn run(folder: &TempDir, args: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    let mut command = command();
    command.args(args).env("MSGEXT_SECRET_KEY", KEY).current_dir(folder);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).output().expect("the binary can be run")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("UTF-8")
}

const PASSING: &[&str] = &["run", "--filter", "id:set-first-*"];
const FAILING: &[&str] = &["run", "wrong.yaml"];
const LOAD: &[&str] = &["load", "--rate", "100/s", "--calls", "10", "--messages", "4"];

#[test]
fn standard_error_that_takes_nothing_changes_no_exit_code_no_output_and_no_report() {
    let gone = gone();
    let failing_load = [LOAD, &["--check", "accepted = 0", "--metrics", "127.0.0.1:0"]].concat();
    let search = ["--find-capacity", "--slo", "accepted >= 0", "--start-rate", "20/s", "--max-rate", "20/s", "--trial", "200ms"];
    let search = [&["load"], &search[..], &["--confirm", "200ms"]].concat();
    let usersig = ["usersig", "--sdkappid", "1", "--identifier", "a", "--expire", "x"];
    let cases: [(&[&str], i32); 15] = [
        (PASSING, 0),
        (FAILING, 1),
        (&[PASSING, &["--dry-run", "--seed", "7"]].concat(), 0),
        (&test_at("run", &gone, &[]), 3),
        (&["run", "bad.yaml"], 2),
        (LOAD, 0),
        (&failing_load, 1),
        (&search, 0),
        (&test_at("load", &gone, &[]), 3),
        (&["check"], 0),
        (&["check", "bad.yaml"], 2),
        (&["list", "--clauses"], 0),
        (&["--help"], 0),
        (&["run", "--no-such-flag"], 2),
        (&usersig, 2),
    ];
    for (args, code) in cases {
        let heard = run(&folder(), args, Stdio::piped(), Stdio::piped());
        assert_eq!(heard.status.code(), Some(code), "{args:?}\n{}", text(&heard.stderr));
        for deaf in Deaf::BOTH {
            let folder = folder();
            let unheard = run(&folder, args, Stdio::piped(), deaf.stdio());
            assert_eq!(unheard.status.code(), Some(code), "{args:?} {deaf:?}");
            assert!(unheard.stdout == heard.stdout, "{args:?} {deaf:?}");
            if matches!(code, 0 | 1) && matches!(args[0], "run" | "load") && heard.stdout.is_empty() {
                let report = report_of(folder.path(), args[0]);
                assert_eq!(report["verdict"], if code == 0 { "pass" } else { "fail" }, "{args:?} {deaf:?}");
            }
        }
    }
}

#[test]
fn serve_goes_on_where_nobody_listens_to_what_it_says() {
    for (stdout, stderr) in [(Stdio::null(), Deaf::Full.stdio()), (Deaf::Closed.stdio(), Deaf::Closed.stdio())] {
        // A port that was free a moment ago: what it prints is read by nobody.
        let url = gone();
        let address = url.trim_start_matches("http://");
        let mut serve = command();
        serve.args(["serve", "--listen", address]).env("MSGEXT_SECRET_KEY", KEY).stdout(stdout).stderr(stderr);
        let mut serve = Running(serve.spawn().expect("the binary can be run"));
        until("it listens", || std::net::TcpStream::connect(address).is_ok());
        let ran = run(&folder(), &test_at("run", &url, &PASSING[1..]), Stdio::null(), Stdio::piped());
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        assert_eq!(ended_by("-INT", &mut serve.0), Some(0));
    }
    let ran = run(&folder(), &["serve", "--listen", "127.0.0.1:0"], Deaf::Full.stdio(), Stdio::piped());
    assert_eq!(ran.status.code(), Some(3));
    assert!(text(&ran.stderr).starts_with("error: standard output cannot be written: "), "{}", text(&ran.stderr));
}

#[test]
fn a_closed_standard_output_ends_quietly_and_a_full_one_is_told() {
    let cases: [(&[&str], i32); 13] = [
        (&["schema"], 0),
        (&["schema", "report"], 0),
        (&["completions", "bash"], 0),
        (&["list"], 0),
        (&["list", "--clauses"], 0),
        (&["list", "--readings"], 0),
        (&["usersig", "--sdkappid", "1", "--identifier", "a"], 0),
        (&["--help"], 0),
        (&["--version"], 0),
        (&[PASSING, &["--dry-run"]].concat(), 0),
        (&[PASSING, &["--json", "-"]].concat(), 0),
        (&[FAILING, &["--json", "-"]].concat(), 1),
        (&[LOAD, &["--check", "accepted = 0", "--junit", "-", "--markdown", "-"]].concat(), 1),
    ];
    for (args, code) in cases {
        let closed = run(&folder(), args, Deaf::Closed.stdio(), Stdio::piped());
        assert_eq!(closed.status.code(), Some(code), "{args:?}: {}", text(&closed.stderr));
        assert!(
            !text(&closed.stderr).contains("error: ") && !text(&closed.stderr).contains("roken pipe"),
            "{}",
            text(&closed.stderr)
        );
        let full = run(&folder(), args, Deaf::Full.stdio(), Stdio::piped());
        assert_eq!(full.status.code(), Some(3), "{args:?}: {}", text(&full.stderr));
        assert!(text(&full.stderr).contains("error: standard output cannot be written: "), "{}", text(&full.stderr));
    }
}

#[test]
fn a_report_that_cannot_be_written_is_named_and_keeps_nothing_else_from_being_told_or_written() {
    for (args, verdict, last_line) in [(PASSING, "pass", "PASS "), (FAILING, "fail", "FAIL "), (LOAD, "pass", "PASS ")] {
        for unwritten in [&["--json"][..], &["--junit"], &["--markdown"], &["--json", "--junit"]] {
            let folder = folder();
            let asked = unwritten.iter().flat_map(|flag| [*flag, "/dev/full"]);
            let args = args.iter().copied().chain(asked).chain(["--out", "o"]).collect::<Vec<_>>();
            let ran = run(&folder, &args, Stdio::piped(), Stdio::piped());
            let said = text(&ran.stderr);
            assert_eq!(ran.status.code(), Some(3), "{args:?}: {said}");
            let told = said.lines().position(|line| line.starts_with(last_line)).expect("a verdict");
            let errors: Vec<usize> =
                (0..).zip(said.lines()).filter(|(_, line)| line.starts_with("error: ")).map(|(at, _)| at).collect();
            assert_eq!(said.matches("error: /dev/full cannot be written: ").count(), unwritten.len(), "{said}");
            assert!(errors.len() == unwritten.len() && errors.iter().all(|error| *error > told), "{said}");
            let kept = folder.path().join("o").join(args[0]);
            let report: Value = serde_json::from_slice(&fs::read(kept.join("report.json")).expect("a report")).expect("JSON");
            assert_eq!(report["verdict"], verdict);
            assert!(fs::read_to_string(kept.join("report.md")).expect("a report").starts_with("# msgext "));
            assert!(fs::read_to_string(kept.join("report.html")).expect("a page").trim_end().ends_with("</html>"));
            assert!(fs::read_to_string(kept.join("junit.xml")).expect("a report").trim_end().ends_with("</testsuites>"));
        }
    }
}

#[test]
fn the_interval_log_is_a_report_like_the_others() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("reports/load")).expect("a folder");
    symlink("/dev/full", folder.path().join("reports/load/intervals.hlog")).expect("a link");
    let ran = run(&folder, LOAD, Stdio::piped(), Stdio::piped());
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("\nPASS ") && said.contains("\nerror: reports/load/intervals.hlog cannot be written: "), "{said}");
    assert_eq!(report_of(folder.path(), "load")["verdict"], "pass");
}

#[test]
fn what_kept_a_run_from_testing_and_what_kept_its_report_from_being_written_are_both_told() {
    let ran = run(&folder(), &test_at("run", &gone(), &["--json", "/dev/full"]), Stdio::piped(), Stdio::piped());
    let said = text(&ran.stderr);
    assert_eq!((ran.status.code(), said.lines().count()), (Some(3), 2), "{said}");
    assert!(said.contains("cannot be reached") && said.contains("error: /dev/full cannot be written: "), "{said}");
}
