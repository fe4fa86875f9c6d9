//! `msgext mutants`: what it kills, whom it leaves alone, and what it tells when it is cut short.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::binary::{Running, ended_by, msgext, report_of, until};

#[test]
fn what_breaks_seq_7_is_killed_one_after_another_by_what_can_see_it() {
    let ran = msgext(None, &["mutants", "--quiet", "--filter", "SEQ-7"]).exits(0);
    let report = report_of(ran.folder.path(), "mutants");
    let mutants = &report["mutants"];
    let matrix = mutants["matrix"].as_array().expect("a matrix");
    assert!(matrix.len() >= 8, "{}", matrix.len());
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
    assert!(markdown.contains("| writes are not atomic: check-then-set | SEQ-7 |  |  | SEQ-7 |"), "{markdown}");
}

#[test]
fn endpoints_of_many_answers_are_no_false_alarm_and_a_filter_may_leave_nothing() {
    let ran = msgext(None, &["mutants", "--quiet", "--filter", "no such mutant", "--combinations", "1"]).exits(0);
    let report = report_of(ran.folder.path(), "mutants");
    let mutants = &report["mutants"];
    // As many as let all pairs of answers meet.
    assert!(mutants["combinations"].as_u64() > Some(10), "{mutants}");
    assert_eq!((&mutants["total"], &mutants["false_alarms"]), (&0.into(), &Value::Array(Vec::new())));
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
