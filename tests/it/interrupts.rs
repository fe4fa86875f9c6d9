//! Signals at random moments, seeded: whatever a command was about, it leaves whole reports of what was done.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use msgext::random::Random;
use serde_json::Value;

use crate::support::binary::{KEY, Serve, end, interruptible, signal, test_at, until};

const INTERRUPTIONS: usize = 200;
const SIDE_BY_SIDE: usize = 8;
/// The latest moment of a signal, since the command was started.
const LATEST_MS: usize = 900;

/// Commands that go on for minutes.
const COMMANDS: [(&str, &[&str]); 5] = [
    ("run", &["--rate", "none"]),
    ("load", &["--rate", "300/s", "--for", "10m", "--messages", "200", "--check", "p99 response < 20s"]),
    ("load", &["--find-capacity", "--slo", "p99 response < 1s", "--start-rate", "50/s", "--trial", "200ms", "--messages", "30"]),
    ("race", &["--rate", "none", "--messages", "30", "--operations", "10000000"]),
    ("fuzz", &["--rate", "none", "--cases", "10000000"]),
];
const SIGNALS: [&str; 3] = ["-INT", "-TERM", "-HUP"];

#[test]
fn two_hundred_interruptions_leave_two_hundred_whole_reports() {
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none"]);
    let (next, untouched) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slowest = thread::scope(|scope| {
        let interrupts = (0..SIDE_BY_SIDE).map(|_| {
            scope.spawn(|| {
                let mut slowest = Duration::ZERO;
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= INTERRUPTIONS {
                        return slowest;
                    }
                    match interrupt(&serve, number) {
                        Some(took) => slowest = slowest.max(took),
                        None => drop(untouched.fetch_add(1, Ordering::SeqCst)),
                    }
                }
            })
        });
        let ended: Vec<_> = interrupts.collect();
        ended.into_iter().map(|ended| ended.join().expect("no panic")).max()
    });
    let untouched = untouched.load(Ordering::SeqCst);
    println!("the slowest of them ended {slowest:?} after its signal; {untouched} had not begun yet");
    // Only a process that has hardly started is ended by the signal itself.
    assert!(untouched < INTERRUPTIONS / 5, "{untouched}");
}

/// How long a command went on after a signal; `None` where that came before the command had begun.
fn interrupt(serve: &Serve, number: usize) -> Option<Duration> {
    let mut random = Random::named(1, &format!("interruption {number}"));
    let (name, more) = COMMANDS[number % COMMANDS.len()];
    let sent = SIGNALS[number / COMMANDS.len() % SIGNALS.len()];
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = interruptible();
    command
        .args(test_at(name, serve.url(), &[["--quiet", "--history", "h.jsonl"].as_slice(), more].concat()))
        .env("MSGEXT_SECRET_KEY", KEY);
    let started = command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = started.expect("the binary can be run");
    thread::sleep(Duration::from_millis(random.below(LATEST_MS) as u64));
    let asked = Instant::now();
    signal(sent, &child);
    let mut status = None;
    until("the command has ended", || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    let took = asked.elapsed();
    end(&mut child);
    let (status, reports) = (status.expect("it has ended"), folder.path().join("reports").join(name));
    let what = format!("{number}: {name} {sent}");
    if status.signal().is_some() {
        assert!(!reports.join("report.json").exists(), "{what}: a report of a command that has not begun");
        return None;
    }
    let verdict = whole(&reports, &what);
    let history = std::fs::read_to_string(folder.path().join("h.jsonl")).unwrap_or_default();
    assert!(history.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{what}: a history with half a line");
    assert!(!folder.path().join("h.jsonl.part").exists(), "{what}: a history that is not whole");
    let finished = BTreeMap::from([(0, "pass"), (1, "fail"), (4, "inconclusive")]);
    assert_eq!(status.code().and_then(|code| finished.get(&code).copied()), Some(verdict.as_str()), "{what}");
    Some(took)
}

/// The verdict of the reports in a folder, each of which is whole.
fn whole(folder: &Path, what: &str) -> String {
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name));
        text.unwrap_or_else(|error| panic!("{what}: {name}: {error}"))
    };
    let report: Value = serde_json::from_str(&read("report.json")).unwrap_or_else(|error| panic!("{what}: {error}"));
    roxmltree::Document::parse(&read("junit.xml")).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(read("report.md").starts_with('#'), "{what}");
    assert!(read("report.html").trim_end().ends_with("</html>"), "{what}");
    assert_eq!(report["incomplete"], true, "{what}: {}", report["reason"]);
    report["verdict"].as_str().expect("a verdict").to_owned()
}
