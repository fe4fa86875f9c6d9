//! `msgext mutants`: what it kills, whom it leaves alone, and what it tells when it is cut short.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::binary::{Running, ended_by, msgext, report_of, until};

#[test]
fn a_mutant_is_killed_by_the_first_that_can_see_it() {
    let ran = msgext(None, &["mutants", "--quiet", "--filter", "stale"]).exits(0);
    let report = report_of(ran.folder.path(), "mutants");
    let mutants = &report["mutants"];
    let matrix = mutants["matrix"].as_array().expect("a matrix");
    assert_eq!(matrix.len(), 2, "{mutants}");
    assert_eq!((&mutants["killed"], &mutants["total"]), (&matrix.len().into(), &matrix.len().into()));
    assert_eq!((&mutants["combinations"], &mutants["survivors"]), (&0.into(), &Value::Array(Vec::new())));
    for mutant in matrix {
        let breaks: BTreeSet<&str> = mutant["breaks"].as_array().expect("clauses").iter().filter_map(Value::as_str).collect();
        let only_races_see_it = breaks.iter().eq(["SEQ-7"].iter());
        assert_eq!(mutant["killed_by"] == "race", only_races_see_it, "{mutant}");
        assert!(mutant["clause"].as_str().is_some_and(|clause| breaks.contains(clause)), "{mutant}");
    }
    assert!(ran.stderr.contains("Killed by") && ran.stderr.contains("PASS all of "), "{}", ran.stderr);
    let markdown = std::fs::read_to_string(ran.folder.path().join("reports/mutants/report.md")).expect("Markdown");
    assert!(markdown.contains("| writes are not atomic: stale-replica | SEQ-7 |  |  | SEQ-7 |"), "{markdown}");
}

#[test]
fn a_filter_that_leaves_nothing_is_told() {
    let ran = msgext(None, &["mutants", "--filter", "no such mutant"]).exits(2);
    assert!(ran.stderr.contains("--filter admits none"), "{}", ran.stderr);
}

#[test]
fn an_interruption_leaves_a_report_of_what_was_tried() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = Running::start(folder.path(), &["mutants", "--quiet"]);
    until("it has begun", || folder.path().join("reports/mutants").is_dir());
    assert_eq!(ended_by("-INT", &mut running.0), Some(4));
    let report = report_of(folder.path(), "mutants");
    assert_eq!((&report["verdict"], &report["incomplete_why"]), (&"inconclusive".into(), &"interrupted".into()));
}
