//! What a pipeline reads: annotations and the summary of GitHub Actions, JUnit, a badge; and what it asks of a run.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{KEY, Relay, Serve, command, msgext, msgext_in, report_in, run_at, test_at, verdicts};

/// Three scenarios, of which the second fails, as does the third.
const MIXED: &str = "scenarios:
  - id: holds
    title: A set is kept
    clauses: [SET-1]
    steps:
      - set: {kvs: [{key: \"::error::x\", value: v}]}
  - id: does-not-hold
    title: A set is kept
    clauses: [SET-1]
    steps:
      - set: {kvs: [{key: \"::error::x\", value: v}], expect: {keys: {\"::error::x\": {seq: 7}}}}
  - id: does-not-hold-either
    title: A set is kept
    clauses: [SET-1]
    steps:
      - set: {kvs: [{key: k, value: v}], expect: {keys: {k: {seq: 8}}}}
";

fn with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("a file can be written");
    folder
}

/// Runs as in GitHub Actions.
fn in_actions(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = command();
    command
        .args(args)
        .current_dir(folder)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary.md"));
    command.output().expect("the binary can be run")
}

#[test]
fn github_shows_a_failure_at_its_line_and_the_summary_and_hears_nothing_else() {
    let folder = with("mixed.yaml", MIXED);
    let ran = in_actions(&folder, &["run", "mixed.yaml"]);
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).expect("UTF-8");
    let commands: Vec<&str> = said.lines().map(str::trim_start).filter(|line| line.starts_with("::")).collect();
    let word = commands[0].strip_prefix("::stop-commands::").expect("the runner is told to listen to nothing");
    let heard = commands.iter().skip_while(|line| **line != format!("::{word}::")).skip(1).collect::<Vec<_>>();
    assert_eq!(heard.len(), 2, "{said}");
    assert!(heard[0].starts_with("::error file=mixed.yaml,line=11,col=") && heard[1].contains(",line=16,"), "{heard:?}");
    assert!(heard[0].contains("title=SET-1%3A does-not-hold::") && heard[0].contains("%0A"), "{}", heard[0]);
    // A key that looks like a command was told, and not heard.
    assert!(commands.len() > heard.len() + 2 && word.len() > 20, "{said}");
    let summary = fs::read_to_string(folder.path().join("summary.md")).expect("a summary");
    assert_eq!(summary, fs::read_to_string(folder.path().join("reports/run/report.md")).expect("Markdown"));

    in_actions(&folder, &["run", "mixed.yaml", "--filter", "id:holds", "--quiet"]);
    let both = fs::read_to_string(folder.path().join("summary.md")).expect("a summary");
    assert!(both.starts_with(&summary) && both.contains("# msgext run: pass"), "{both}");
    let elsewhere = msgext_in(folder, None, &["run", "mixed.yaml"]).exits(1);
    assert!(!elsewhere.stderr.contains("::stop-commands") && !elsewhere.stderr.contains("::error file"), "{}", elsewhere.stderr);
}

#[test]
fn junit_has_what_its_readers_look_for_and_counts_as_the_terminal_does() {
    let ran = msgext_in(with("mixed.yaml", MIXED), None, &["run", "mixed.yaml", "--badge", "b.json"]).exits(1);
    let xml = fs::read_to_string(ran.folder.path().join("reports/run/junit.xml")).expect("JUnit");
    let junit = roxmltree::Document::parse(&xml).expect("XML");
    // What the schemas of Jenkins and of Surefire know of each element.
    for (element, known) in [
        ("testsuites", &["name", "time", "tests", "failures", "errors", "disabled"][..]),
        ("testsuite", &["name", "tests", "failures", "errors", "skipped", "time", "timestamp", "file", "disabled"]),
        ("testcase", &["name", "classname", "time", "file", "line"]),
        ("failure", &["message", "type"]),
    ] {
        let found: BTreeSet<&str> = junit
            .descendants()
            .filter(|node| node.has_tag_name(element))
            .flat_map(|node| node.attributes())
            .map(|attribute| attribute.name())
            .collect();
        assert!(!found.is_empty() && found.iter().all(|name| known.contains(name)), "{element}: {found:?}");
    }
    let suite = junit.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
    assert!(suite.attribute("timestamp").is_some_and(|time| time.len() == 19 && !time.ends_with('Z')), "{xml}");
    assert_eq!(
        (suite.attribute("tests"), suite.attribute("failures"), suite.attribute("skipped")),
        (Some("3"), Some("2"), Some("0"))
    );
    let lines: Vec<_> =
        junit.descendants().filter(|node| node.has_tag_name("testcase")).map(|node| node.attribute("line")).collect();
    assert_eq!(lines, [Some("2"), Some("7"), Some("12")]);
    assert!(ran.stderr.contains("scenarios  1 passed, 2 failed\n"), "{}", ran.stderr);
    let badge: Value =
        serde_json::from_str(&fs::read_to_string(ran.folder.path().join("b.json")).expect("a badge")).expect("JSON");
    assert_eq!((&badge["message"], &badge["color"]), (&"1 passed, 2 failed".into(), &"red".into()));
}

#[test]
fn what_failed_runs_again_and_nothing_else() {
    let folder = with("mixed.yaml", MIXED);
    let first = msgext_in(folder, None, &["run", "mixed.yaml", "--rerun-failed"]).exits(2);
    assert!(first.stderr.contains("there is no run before this one"), "{}", first.stderr);
    let all = msgext_in(first.folder, None, &["run", "mixed.yaml", "--repeat", "2"]).exits(1);
    let again = msgext_in(all.folder, None, &["run", "mixed.yaml", "--rerun-failed"]).exits(1);
    let ids: Vec<String> = verdicts(&again.report()).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["does-not-hold", "does-not-hold-either"]);
    let passes = msgext_in(again.folder, None, &["run", "mixed.yaml", "--filter", "id:holds"]).exits(0);
    let nothing = msgext_in(passes.folder, None, &["run", "mixed.yaml", "--rerun-failed"]).exits(2);
    assert!(nothing.stderr.contains("nothing failed in it"), "{}", nothing.stderr);
}

#[test]
fn the_parts_of_a_suite_are_all_of_it_and_have_nothing_in_common() {
    let ids = |args: &[&str]| {
        let ran = msgext(None, &[&["run", "--quiet", "--filter", "id:seq-*"], args].concat()).exits(0);
        verdicts(&ran.report()).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let whole = ids(&[]);
    let mut parts: Vec<String> =
        ["1/3", "2/3", "3/3"].iter().flat_map(|part| ids(&["--partition", part, "--jobs", "1"])).collect();
    assert_eq!(parts.len(), whole.len());
    parts.sort();
    let mut sorted = whole;
    sorted.sort();
    assert_eq!(parts, sorted);
    for wrong in ["0/3", "4/3", "3", "1/0", "a/b"] {
        let told = msgext(None, &["run", "--partition", wrong]).exits(2).stderr;
        assert!(told.contains("as in 1/4"), "{told}");
    }
    let empty = msgext(None, &["run", "--filter", "id:set-first-gives-seq-1/*", "--partition", "9/9"]).exits(2);
    assert!(empty.stderr.contains("more parts than"), "{}", empty.stderr);
}

#[test]
fn quiet_says_one_line_and_verbose_what_passing_scenarios_sent() {
    let quiet = msgext_in(with("mixed.yaml", MIXED), None, &["run", "mixed.yaml", "-q"]).exits(1);
    assert_eq!(quiet.stderr.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), ["FAIL 1 broken clause: SET-1"]);
    let usual = msgext_in(quiet.folder, None, &["run", "mixed.yaml", "--filter", "id:holds"]).exits(0);
    assert!(!usual.stderr.contains("curl"), "{}", usual.stderr);
    let verbose = msgext_in(usual.folder, None, &["run", "mixed.yaml", "--filter", "id:holds", "-v"]).exits(0);
    assert!(
        verbose.stderr.contains("pass holds\n  curl -sS") && verbose.stderr.contains("reply HTTP 200 {"),
        "{}",
        verbose.stderr
    );
    msgext_in(verbose.folder, None, &["run", "mixed.yaml", "-q", "-v"]).exits(2);
}

#[test]
fn a_scenario_that_differs_between_repeats_is_flaky_and_fails_under_strict() {
    let serve = Serve::start(&[]);
    let flaky = |more: &[&str]| {
        // The probe's own set comes first, and the last of the repetitions is lost.
        let relay = Relay::start(serve.url(), |call| call == 4);
        let folder = with(
            "one.yaml",
            "scenarios:\n  - {id: kept, title: A set is kept, clauses: [SET-1], steps: [set: {kvs: [{key: k, value: v}]}]}\n",
        );
        let args = ["one.yaml", "--repeat", "4", "--jobs", "1", "--member-calls", "none", "--rate", "none"];
        msgext_in(folder, Some(KEY), &run_at(&relay.url, &[&args, more].concat()))
    };
    let lax = flaky(&[]).exits(4);
    let report = lax.report();
    assert_eq!(
        (&report["flaky"][0]["scenario"], &report["flaky"][0]["passed"], &report["flaky"][0]["unknown"]),
        (&"kept".into(), &3.into(), &1.into()),
        "{}",
        lax.stderr
    );
    assert!(lax.stderr.contains("1 flaky scenario: kept"), "{}", lax.stderr);
    let strict = flaky(&["--strict"]).exits(1);
    assert_eq!(report_in(strict.folder.path())["verdict"], "fail");
}

#[test]
fn two_targets_in_turn_are_told_apart_or_found_alike() {
    let [fast, same, slow] = ["2ms", "2ms", "6ms"].map(|latency| Serve::start(&["--latency", latency, "--app-limit", "none"]));
    let load = |new: &Serve, more: &[&str]| {
        let args = ["load", "--interleave", fast.url(), new.url(), "--sdkappid", "1400000000", "--admin", "administrator"];
        msgext(Some(KEY), &[&args, &["--rate", "100/s", "--calls", "40", "--max-regression", "p50=80%"][..], more].concat())
    };
    let slower = load(&slow, &[]);
    let report = crate::support::binary::report_of(slower.folder.path(), "load");
    // A machine that was busy elsewhere makes it inconclusive, and never a pass.
    assert!(slower.code == 1 || slower.code == 4, "{}", slower.stderr);
    let compare = &report["compare"];
    assert_eq!(
        (&compare["unit"], compare["base"].as_array().map(Vec::len), compare["new"].as_array().map(Vec::len)),
        (&"round".into(), Some(5), Some(5))
    );
    assert!(
        compare["metrics"]
            .as_array()
            .expect("metrics")
            .iter()
            .any(|metric| metric["name"] == "p50" && metric["ratio"].as_f64().is_some_and(|ratio| ratio > 1.5)),
        "{compare}"
    );
    let alike = load(&same, &["--rounds", "5"]);
    assert!(alike.code == 0 || alike.code == 4, "{}", alike.stderr);
    let few = load(&slow, &["--rounds", "2"]).exits(4);
    assert!(few.stderr.contains("5 rounds"), "{}", few.stderr);
    msgext(Some(KEY), &test_at("load", fast.url(), &["--interleave", fast.url(), slow.url(), "--rate", "10/s"])).exits(2);
    msgext(Some(KEY), &["load", "--interleave", fast.url(), "--rate", "10/s"]).exits(2);
}
