//! From a search and what it came to, to its report.

use std::collections::BTreeMap;

use super::{DifferenceEntry, Fuzz};
use crate::judge::fuzz::{FUZZ_PLACE, FuzzDifference, Fuzzed};
use crate::report::build::{self, Facts, begun, totals};
use crate::report::secrets::Secrets;
use crate::report::{ClauseEntry, Report, ScenarioEntry, bound};
use crate::scenario::conform::plan::Planned;
use crate::spec::Spec;
use crate::verdict::ScenarioOutcome;

/// Builds the report of a search. `saved` are the scenarios of its differences as they stand in their file. What `secrets` holds,
/// and every signature that was sent, is masked in all of it.
pub fn build(spec: &Spec, facts: &Facts, fuzzed: &Fuzzed, saved: &[Planned], secrets: &[String]) -> Report {
    let outcomes: Vec<ScenarioOutcome> =
        fuzzed.differences.iter().zip(saved).map(|(found, saved)| placed(found, saved)).collect();
    let secrets = Secrets::new(secrets, &outcomes);
    let mut scenarios: Vec<ScenarioEntry> =
        saved.iter().zip(&outcomes).map(|(saved, outcome)| build::scenario(spec, saved, outcome, &secrets)).collect();
    bound::shorten(&mut scenarios);
    let clauses: BTreeMap<_, _> = fuzzed.clauses(spec);
    let clauses: Vec<ClauseEntry> = clauses
        .iter()
        .map(|(id, verdict)| {
            let broken_by = fuzzed.differences.iter().filter(|found| found.clause(spec) == id);
            build::clause(spec, id, verdict, broken_by.map(|found| found.scenario.id.clone()).collect(), &secrets)
        })
        .collect();
    let (verdict, reason) = fuzzed.overall(spec);
    let difference = |(found, saved): (&FuzzDifference, &Planned)| DifferenceEntry {
        clause: found.clause(spec).to_owned(),
        scenario: found.scenario.id.clone(),
        steps: found.scenario.steps.len(),
        file: saved.source.path.clone(),
        came_again: found.came_again,
        rests_on: found.rests_on.clone(),
        others: found.others,
    };
    Report {
        verdict,
        reason: secrets.told(&reason),
        totals: totals(&scenarios, &clauses, fuzzed.requests, fuzzed.retries),
        clauses,
        readings: fuzzed.readings.clone(),
        scenarios,
        fuzz: Some(Fuzz {
            cases: fuzzed.cases,
            unknown: fuzzed.unknown,
            why_unknown: fuzzed.why_unknown.as_deref().map(|why| secrets.told(why)),
            differences: fuzzed.differences.iter().zip(saved).map(difference).collect(),
        }),
        ..begun("fuzz", facts, &secrets)
    }
}

/// What came of a difference, with its places in the file that it was saved to.
fn placed(found: &FuzzDifference, saved: &Planned) -> ScenarioOutcome {
    let findings = found.outcome.findings.iter().map(|finding| finding.moved(FUZZ_PLACE, &saved.place));
    ScenarioOutcome { findings: findings.collect(), ..found.outcome.clone() }
}
