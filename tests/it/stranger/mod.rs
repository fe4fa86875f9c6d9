//! Somebody else's endpoint: in another language, written from the documentation, without `sendmsg`, one call at a time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::binary::{KEY, Ran, end, msgext_in, report_of};
use crate::support::debian::program;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stranger/endpoint.py");
/// More than a run takes.
const MESSAGES: usize = 400;

struct Endpoint {
    child: Child,
    port: String,
}

impl Endpoint {
    /// With these faults, and messages of which the last few take no extension.
    fn start(folder: &Path, faults: &[&str]) -> Endpoint {
        let messages: String = (0..MESSAGES).fold(String::new(), |mut all, number| {
            let mark = if number < MESSAGES - 10 { "" } else { "-" };
            let _ = writeln!(all, "{mark}{}", key(number));
            all
        });
        fs::write(folder.join("messages.txt"), messages).expect("a file");
        let mut python = Command::new(program("python3", "python3"));
        python.args([SOURCE, "0", "messages.txt"]).args(faults).env("MSGEXT_SECRET_KEY", KEY).current_dir(folder);
        let mut child = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 can be run");
        let mut line = String::new();
        let told = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line);
        let endpoint = Endpoint { child, port: line.trim().to_owned() };
        told.expect("it says its port");
        endpoint
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn key(number: usize) -> String {
    format!("{number}_7_1700000000")
}

/// Runs a command at an endpoint with these faults, of which a target file says all that there is to say.
fn at(faults: &[&str], command: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = Endpoint::start(folder.path(), faults);
    let (supported, unsupported): (Vec<_>, Vec<_>) = (0..MESSAGES).partition(|number| *number < MESSAGES - 10);
    let keys = |numbers: Vec<usize>| numbers.into_iter().map(key).collect::<Vec<_>>().join(", ");
    let target = format!(
        "url: http://127.0.0.1:{}\nsdkappid: 1400000000\nadmin: administrator\nmessages: {{list: {{supported: [{}], unsupported: [{}]}}}}\n",
        endpoint.port,
        keys(supported),
        keys(unsupported)
    );
    fs::write(folder.path().join("target.yaml"), target).expect("a file");
    msgext_in(folder, Some(KEY), &[command, &["--target", "target.yaml"]].concat())
}

/// The exit code of the first run, and the clauses that it calls broken.
fn first_run(faults: &[&str]) -> (i32, BTreeSet<String>) {
    let ran = at(faults, &["run", "--fast"]);
    let report: Value = ran.report();
    let clauses = report["clauses"].as_array().expect("clauses").iter();
    let broken = clauses.filter(|clause| clause["verdict"] == "fail" && clause["level"] == "must");
    (ran.code, broken.map(|clause| clause["id"].as_str().expect("an id").to_owned()).collect())
}

#[test]
fn its_first_run_passes_and_each_of_three_ordinary_faults_is_named_by_its_clauses_alone() {
    let named = |clauses: &[&str]| clauses.iter().map(|clause| (*clause).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(first_run(&[]), (0, named(&[])));
    let faults = [
        // More than 20 pairs are taken.
        ("many", named(&["REQ-7"])),
        // Lengths are counted in characters.
        ("characters", named(&["REQ-9", "REQ-11"])),
        // An admin's Seq is checked, when it sets, deletes, is left out, and sets beside another; that is nobody's but the admin's.
        ("admin", named(&["SEQ-6", "DEL-2", "REQ-12", "SEQ-7"])),
    ];
    for (fault, clauses) in &faults {
        assert_eq!(first_run(&[fault]), (1, clauses.clone()), "{fault}");
    }
    let all: BTreeSet<String> = faults.iter().flat_map(|(_, clauses)| clauses.clone()).collect();
    assert_eq!(first_run(&faults.each_ref().map(|(fault, _)| *fault)), (1, all));
}

#[test]
fn where_it_serves_a_connection_until_that_is_closed_each_call_has_its_own() {
    let taken = |faults: &[&str], command: &[&str]| {
        let ran = at(faults, command);
        let report = report_of(ran.folder.path(), command[0]);
        (ran.code, report["calls_at_once"].clone(), ran.stderr)
    };
    // It closes each connection by itself: calls at once are answered one after another.
    let (code, found, _) = taken(&[], &["run", "--fast"]);
    assert_eq!((code, found), (0, "several".into()));
    let (code, found, said) = taken(&["keeps"], &["run", "--fast"]);
    assert_eq!((code, found), (0, "one connection".into()), "{said}");
    assert!(said.contains("the target takes one connection\n"), "{said}");

    let (code, _, said) = taken(&["keeps"], &["doctor"]);
    let told = "absent      calls at once                one connection is served until it is closed, and others wait";
    assert!(code == 0 && said.contains(told), "{said}");

    let load = ["load", "--rate", "20/s", "--for", "1s", "--messages", "20"];
    let (code, _, said) = taken(&["keeps"], &load);
    assert!(code == 2 && said.contains("the plan has 16 connections: --connections 1"), "{said}");
    let (code, found, said) = taken(&["keeps"], &[&load[..], &["--connections", "1"]].concat());
    assert_eq!((code, found), (0, "one connection".into()), "{said}");
}
