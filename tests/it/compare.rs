//! `msgext compare`: saved reports held against each other, and the history of a series.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::binary::{Ran, msgext, msgext_in, report_of};

/// A folder with a report of this command in `a.json`, and that report.
fn saved(args: &[&str]) -> (TempDir, Value) {
    let ran = msgext(None, &[args, &["--quiet", "--json", "a.json"]].concat());
    let report = read(&ran.folder.path().join("a.json"));
    (ran.folder, report)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a report")).expect("JSON")
}

fn keep(folder: &TempDir, name: &str, report: &Value) {
    fs::write(folder.path().join(name), report.to_string()).expect("a file can be written");
}

/// Compares in this folder, and gives it back with what came of it.
fn compare(folder: TempDir, args: &[&str]) -> (Ran, Value) {
    let ran = msgext_in(folder, None, &[&["compare"], args].concat());
    let report = report_of(ran.folder.path(), "compare");
    (ran, report)
}

/// A report of a load that was really made, as if nothing had disturbed it, with another figure of its whole.
fn with_p99(report: &Value, p99: u64) -> Value {
    let mut report = report.clone();
    report["load"]["doubts"] = json!([]);
    report["load"]["total"]["response_us"]["p99"] = p99.into();
    report
}

fn clause<'a>(report: &'a mut Value, id: &str) -> &'a mut Value {
    let clauses = report["clauses"].as_array_mut().expect("clauses");
    clauses.iter_mut().find(|clause| clause["id"] == id).expect("the clause")
}

#[test]
fn what_held_and_no_longer_does_fails_and_what_is_not_known_any_more_is_inconclusive() {
    let (folder, base) = saved(&["run", "--filter", "clause:SEQ-*,clause:DEL-3"]);
    let (ran, same) = compare(folder, &["a.json", "a.json"]);
    assert_eq!((ran.code, &same["verdict"], &same["compare"]["changes"]), (0, &"pass".into(), &json!([])));

    let changed = |change: &dyn Fn(&mut Value), folder: TempDir| {
        let mut new = base.clone();
        change(&mut new);
        keep(&folder, "b.json", &new);
        compare(folder, &["a.json", "b.json"])
    };
    let (ran, broken) = changed(&|new| clause(new, "SEQ-1")["verdict"] = "fail".into(), ran.folder);
    assert_eq!((ran.code, &broken["verdict"]), (1, &"fail".into()), "{}", ran.stderr);
    assert!(ran.stderr.contains("clause SEQ-1: does not hold (before: holds)"), "{}", ran.stderr);
    let (ran, unknown) = changed(&|new| clause(new, "SEQ-1")["verdict"] = "unknown".into(), ran.folder);
    assert_eq!((ran.code, &unknown["verdict"]), (4, &"inconclusive".into()), "{}", ran.stderr);
    let (ran, reading) = changed(&|new| new["readings"]["deleted-key"] = "reset".into(), ran.folder);
    assert_eq!((ran.code, &reading["compare"]["changes"][0]["was"]), (1, &"tombstone".into()), "{}", ran.stderr);
    // The other way round it has become better, and that is no failure.
    let (ran, better) = changed(&|new| clause(new, "SEQ-1")["verdict"] = "fail".into(), ran.folder);
    assert_eq!(better["verdict"], "fail");
    let (ran, better) = compare(ran.folder, &["b.json", "a.json"]);
    assert_eq!((ran.code, &better["compare"]["changes"][0]["verdict"]), (0, &"pass".into()), "{}", ran.stderr);
    let junit = fs::read_to_string(ran.folder.path().join("reports/compare/junit.xml")).expect("JUnit");
    assert!(roxmltree::Document::parse(&junit).is_ok());
}

#[test]
fn a_mutant_that_survives_now_fails() {
    let (folder, base) = saved(&["mutants", "--filter", "101 bytes"]);
    assert_eq!(base["verdict"], "pass", "{base}");
    let mut new = base.clone();
    let mutant = &mut new["mutants"]["matrix"][0];
    mutant.as_object_mut().expect("a mutant").remove("killed_by");
    keep(&folder, "b.json", &new);
    let (ran, report) = compare(folder, &["a.json", "b.json"]);
    assert_eq!((ran.code, &report["compare"]["changes"][0]["kind"]), (1, &"mutant".into()), "{}", ran.stderr);
    assert_eq!(compare(ran.folder, &["a.json", "a.json"]).0.code, 0);
}

#[test]
fn several_runs_of_each_tell_a_slower_target_from_one_that_is_as_it_was_and_too_few_tell_nothing() {
    let (folder, run) = saved(&["load", "--rate", "50/s", "--calls", "60"]);
    let names = |side: &str| (0..5).map(|run| format!("{side}{run}.json")).collect::<Vec<_>>();
    for (side, times) in
        [("base", [1000, 1010, 990, 1005, 995]), ("same", [1004, 992, 1008, 998, 1001]), ("slow", [1110, 1105, 1100, 1108, 1095])]
    {
        names(side).iter().zip(times).for_each(|(name, p99)| keep(&folder, name, &with_p99(&run, p99)));
    }
    let against = |new: &[String], bases: usize, folder: TempDir| {
        let base = names("base");
        let more = base[1..bases].iter().flat_map(|name| ["--base".to_owned(), name.clone()]);
        let args: Vec<String> = std::iter::once(base[0].clone()).chain(new.iter().cloned()).chain(more).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--max-regression", "p99=5%"]).collect();
        compare(folder, &args)
    };
    let (ran, slow) = against(&names("slow"), 5, folder);
    assert_eq!((ran.code, &slow["verdict"], &slow["compare"]["unit"]), (1, &"fail".into(), &"run".into()), "{}", ran.stderr);
    let p99 = slow["compare"]["metrics"].as_array().expect("metrics").iter().find(|metric| metric["name"] == "p99").expect("p99");
    assert!(
        p99["low"].as_f64().is_some_and(|low| (1.05..1.12).contains(&low)) && p99["p"].as_f64().is_some_and(|p| p < 0.01),
        "{p99}"
    );
    let (ran, same) = against(&names("same"), 5, ran.folder);
    assert_eq!((ran.code, &same["checks"][0]["holds"]), (0, &true.into()), "{}", ran.stderr);
    let (ran, few) = against(&names("slow")[..2], 2, ran.folder);
    assert_eq!(
        (ran.code, &few["verdict"], few["reason"].as_str().is_some_and(|why| why.contains("3 runs of each"))),
        (4, &"inconclusive".into(), true),
        "{}",
        ran.stderr
    );
    let (again, once_more) = against(&names("slow"), 5, ran.folder);
    assert_eq!((again.code, &once_more["compare"]["metrics"]), (1, &slow["compare"]["metrics"]));
}

#[test]
fn what_cannot_be_compared_is_told_and_leaves_the_last_comparison_alone() {
    let (folder, load) = saved(&["load", "--rate", "50/s", "--calls", "10"]);
    let other = saved(&["load", "--rate", "50/s", "--calls", "11"]).1;
    let run = saved(&["run", "--filter", "id:seq-*"]).1;
    let mut newer = load.clone();
    newer["version"] = 99.into();
    keep(&folder, "other.json", &other);
    keep(&folder, "run.json", &run);
    keep(&folder, "newer.json", &newer);
    fs::write(folder.path().join("text.json"), "[1, 2").expect("a file");
    let mut folder = folder;
    for (name, says) in [
        ("other.json", "compare runs of one plan"),
        ("run.json", "compare reports of one command"),
        ("newer.json", "version 99"),
        ("text.json", "no JSON report of msgext"),
        ("gone.json", "there is no such file"),
    ] {
        let ran = msgext_in(folder, None, &["compare", "a.json", name]).exits(2);
        assert!(ran.stderr.contains(says) && ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(!ran.folder.path().join("reports/compare").exists());
        folder = ran.folder;
    }
    msgext_in(folder, None, &["compare", "a.json"]).exits(2);
}

#[test]
fn a_history_takes_each_run_once_and_names_the_one_in_which_it_changed() {
    let (mut folder, run) = saved(&["load", "--rate", "50/s", "--calls", "10"]);
    let add = |folder: TempDir, number: u64, p99: u64| {
        keep(&folder, "b.json", &with_p99(&run, p99 + number % 3));
        let label = format!("commit-{number}");
        compare(folder, &["b.json", "--history", "h.jsonl", "--label", &label, "--max-regression", "p99=5%"])
    };
    for number in 0..12 {
        let (ran, report) = add(folder, number, if number < 8 { 1000 } else { 1200 });
        let expected = match number {
            0..5 => 4,
            5..10 => 0,
            _ => 1,
        };
        assert_eq!(ran.code, expected, "{number}: {}", ran.stderr);
        if number >= 10 {
            assert!(ran.stderr.contains("since commit-8"), "{}", ran.stderr);
            let metrics = report["compare"]["history"]["metrics"].as_array().expect("metrics");
            let p99 = metrics.iter().find(|metric| metric["name"] == "p99").expect("p99");
            assert_eq!(p99["changes"][0]["run"], "commit-8");
        }
        folder = ran.folder;
    }
    let (ran, _) = add(folder, 11, 1200);
    let history = fs::read_to_string(ran.folder.path().join("h.jsonl")).expect("a history");
    let lines: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    assert_eq!((lines.len(), &lines[3]["version"], &lines[3]["run"]), (12, &1.into(), &"commit-3".into()));
    fs::write(ran.folder.path().join("h.jsonl"), format!("{history}{{\"version\": 2}}\n")).expect("a file");
    let wrong = msgext_in(ran.folder, None, &["compare", "b.json", "--history", "h.jsonl"]).exits(2);
    assert!(wrong.stderr.contains("h.jsonl:13: "), "{}", wrong.stderr);
}
