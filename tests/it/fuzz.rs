//! `msgext fuzz`: what it finds, how small it makes it, and whom it leaves alone.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};
use msgext::api::MemberCalls;
use msgext::cli::embedded;
use msgext::drive::fuzz::{self, FuzzOptions};
use msgext::drive::ground::Ground;
use msgext::drive::stop::Stop;
use msgext::drive::target::{ReadBack, Target};
use msgext::judge::fuzz::Fuzzed;
use msgext::model::Rules;
use msgext::model::mutants::{MUTANTS, Mutant};
use msgext::model::readings::{READINGS, reading};
use msgext::scenario::conform::plan;
use msgext::scenario::writer;
use msgext::spec;
use msgext::verdict::Overall;
use serde_json::Value;

use crate::support::binary::{KEY, Serve, msgext, msgext_in, report_of, test_at};
use crate::support::conform::{conform, suite};

const SEED: u64 = 7;

/// A search on an embedded target by these rules, until so many clauses are broken.
async fn fuzz(target: Target, rules: Rules, cases: u64, differences: usize) -> Fuzzed {
    let (place, stop) = (embedded::place(rules), Stop::default());
    let ground = Ground::prepare(&target, &place, SEED, None, &stop).await.expect("the target can be tested");
    let options = FuzzOptions { cases, within: None, jobs: 8, differences };
    fuzz::run(&ground, &spec::bundled(), &suite(), &options, &stop, &|| {}).await
}

/// About the URL, the form on the wire, the limits or races: no sequence of calls is needed to show it, or none is short enough.
fn is_elsewhere(mutant: &Mutant) -> bool {
    mutant.breaks.iter().all(|clause| ["URL-", "HTTP-", "LIM-", "SEQ-7"].iter().any(|group| clause.starts_with(group)))
}

/// Take many calls to be shown, or a Seq of which the documentation leaves open what it is, or two answers to one question, or
/// pass for another reading.
const FAR_FETCHED: &[&str] = &[
    "a set brings back what was cleared",
    "the Seq stops at 99",
    "a clear clears 200 at most",
    "a Seq fits by its low 32 bits",
    "a negative Seq fits",
    "a deleted key that is set again begins at 1",
    "an admin's delete leaves no tombstone, a member's does",
];

/// Searches a mutant; the steps of what it finds, or what is wrong with that.
async fn found(mutant: &Mutant) -> Result<usize, String> {
    let mut rules = Rules::default();
    (mutant.apply)(&mut rules);
    let fuzzed = fuzz(embedded::target(), rules.clone(), 20_000, 1).await;
    let found = fuzzed.differences.first().ok_or_else(|| format!("{} survives {} cases", mutant.name, fuzzed.cases))?;
    let text = writer::write(vec![found.scenario.clone()]).map_err(|error| format!("{}: {error}", mutant.name))?;
    let (saved, problems) = plan::load(vec![("saved.yaml".to_owned(), text.clone())], &spec::bundled());
    // What rests on a reading of the target's, as its title says, holds where that is the reading.
    let mut reference = Rules::default();
    for (question, answer) in &found.rests_on {
        (reading(question, answer).expect("a reading").apply)(&mut reference);
    }
    let (on_mutant, on_reference) = (conform(&saved, rules).await.1.overall, conform(&saved, reference).await.1.overall);
    match (problems.is_empty(), on_mutant, on_reference) {
        (true, Overall::Fail, Overall::Pass) => Ok(found.scenario.steps.len()),
        _ => Err(format!("{}: {problems:?}, {on_mutant:?} on it, {on_reference:?} on the reference:\n{text}", mutant.name)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutants_that_calls_can_show_are_found_and_kept_as_a_few_steps_that_fail_on_them_alone() {
    // Every fifth, and what is hard to find: all of them take both cores for minutes from the tests beside this one.
    let sequential = MUTANTS.iter().filter(|mutant| !is_elsewhere(mutant)).enumerate();
    let sequential = sequential.filter(|(number, mutant)| number % 5 == 0 || FAR_FETCHED.contains(&mutant.name));
    let sequential = sequential.map(|(_, mutant)| mutant);
    let found: Vec<Result<usize, String>> = stream::iter(sequential).map(found).buffered(1).collect().await;
    let wrong: Vec<&String> = found.iter().filter_map(|found| found.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let small = found.iter().flatten().filter(|steps| **steps <= 4).count();
    assert!(found.len() >= 30 && 10 * small >= 9 * found.len(), "{small} of {} in 4 steps or fewer", found.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reading_and_no_way_of_calling_or_reading_back_is_a_difference() {
    let mut lawful: Vec<(String, Target, Rules)> = Vec::new();
    for one in READINGS {
        let mut rules = Rules::default();
        (one.apply)(&mut rules);
        lawful.push((format!("{}={}", one.question, one.answer), embedded::target(), rules));
    }
    // All questions that decide which Seq a key expects at once.
    for seq in ["per-key", "per-message"] {
        for deleted in ["tombstone", "reset"] {
            for cleared in ["tombstone", "reset"] {
                for missing in ["ok", "not-exist", "conflict"] {
                    let mut rules = Rules::default();
                    let answers = [("seq", seq), ("deleted-key", deleted), ("cleared-key", cleared), ("delete-missing", missing)];
                    for (question, answer) in answers {
                        (reading(question, answer).expect("a reading").apply)(&mut rules);
                    }
                    (reading("all-failed", "fail").expect("a reading").apply)(&mut rules);
                    lawful.push((format!("{answers:?}"), embedded::target(), rules));
                }
            }
        }
    }
    for read_back in [ReadBack::Get, ReadBack::Member, ReadBack::Impossible] {
        for (answer, member_calls) in [("identifier", None), ("from-account", None), ("identifier", Some(MemberCalls::Nobody))] {
            let mut rules = Rules::default();
            (reading("caller", answer).expect("a reading").apply)(&mut rules);
            let target = Target { read_back: Some(read_back), member_calls, ..embedded::target() };
            lawful.push((format!("{read_back:?} {answer} {member_calls:?}"), target, rules));
        }
    }
    let blamed: Vec<String> = stream::iter(lawful)
        .map(|(name, target, rules)| async move {
            let fuzzed = fuzz(target, rules, 30, 1).await;
            let wrong = fuzzed.overall(&spec::bundled()).0 != Overall::Pass || fuzzed.cases != 30;
            let found = fuzzed.differences.iter().map(|found| (&found.outcome.findings, &found.scenario.steps));
            wrong.then(|| format!("{name}: {:?}: {:?}", fuzzed.overall(&spec::bundled()), found.collect::<Vec<_>>()))
        })
        .buffered(1)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(blamed.is_empty(), "{}", blamed.join("\n"));
}

#[test]
fn the_embedded_endpoint_has_no_difference_and_a_seed_repeats_the_search() {
    let requests = |seed: &str| {
        let ran = msgext(None, &["fuzz", "--quiet", "--cases", "100", "--jobs", "1", "--seed", seed]).exits(0);
        let report = report_of(ran.folder.path(), "fuzz");
        assert_eq!((&report["verdict"], &report["fuzz"]["cases"]), (&"pass".into(), &100.into()), "{}", ran.stderr);
        assert_eq!(report["fuzz"]["differences"], Value::Array(Vec::new()));
        assert!(!ran.folder.path().join("reports/fuzz/differences.yaml").exists());
        report["totals"]["requests"].clone()
    };
    assert_eq!(requests("5"), requests("5"));
    assert_ne!(requests("5"), requests("6"));
}

#[test]
fn a_difference_is_told_and_its_file_fails_on_the_target_and_passes_on_the_reference() {
    let flags = ["--app-limit", "none", "--message-limit", "none", "--mutant", "a conflict writes all the same"];
    let serve = Serve::start(&flags);
    let ran = msgext(Some(KEY), &test_at("fuzz", serve.url(), &["--quiet", "--rate", "none", "--cases", "300"])).exits(1);
    let report = report_of(ran.folder.path(), "fuzz");
    let found = report["fuzz"]["differences"].as_array().expect("differences");
    assert!(found.iter().any(|found| found["clause"].as_str().is_some_and(|clause| clause.starts_with("SEQ-"))), "{found:?}");
    let places: BTreeMap<&str, &Value> = report["scenarios"]
        .as_array()
        .expect("scenarios")
        .iter()
        .map(|scenario| (scenario["id"].as_str().unwrap_or(""), scenario))
        .collect();
    for found in found {
        assert!(found["steps"].as_u64() <= Some(4) && found["came_again"] == true, "{found}");
        let scenario = places[found["scenario"].as_str().expect("an id")];
        assert_eq!(scenario["findings"][0]["place"]["file"], found["file"]);
        assert!(scenario["findings"][0]["place"]["line"].is_u64(), "{scenario}");
    }
    assert!(ran.stderr.contains("FAIL[") && ran.stderr.contains("to repeat them: msgext run reports/fuzz/differences.yaml"));
    let again =
        msgext_in(ran.folder, Some(KEY), &test_at("run", serve.url(), &["reports/fuzz/differences.yaml", "--quiet"])).exits(1);
    msgext_in(again.folder, None, &["run", "reports/fuzz/differences.yaml", "--quiet"]).exits(0);
}

#[test]
fn a_lost_reply_leaves_its_case_unknown_and_another_is_tried() {
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--fault", "close:40,on=set"]);
    let ran = msgext(Some(KEY), &test_at("fuzz", serve.url(), &["--quiet", "--rate", "none", "--cases", "100"])).exits(0);
    let report = report_of(ran.folder.path(), "fuzz");
    assert_eq!(report["fuzz"]["cases"], 100);
    assert!(report["fuzz"]["unknown"].as_u64() > Some(0), "{}", report["fuzz"]);
    assert!(report["fuzz"]["why_unknown"].as_str().is_some_and(|why| why.starts_with("a reply was lost")), "{}", report["fuzz"]);
    // Where nearly every case is unknown, nothing is decided.
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--fault", "close:3,on=set"]);
    let ran = msgext(Some(KEY), &test_at("fuzz", serve.url(), &["--quiet", "--rate", "none", "--cases", "100", "--jobs", "1"]))
        .exits(4);
    let report = report_of(ran.folder.path(), "fuzz");
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()));
    assert!(ran.stderr.contains("are unknown"), "{}", ran.stderr);
}
