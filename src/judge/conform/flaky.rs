//! Scenarios that were run several times, and did not come to the same each time.

use std::collections::BTreeMap;

use crate::scenario::conform::plan::repeated;
use crate::verdict::{ScenarioOutcome, Verdict};

/// What the repetitions of one scenario came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaky {
    pub scenario: String,
    pub passed: usize,
    pub failed: usize,
    pub unknown: usize,
}

/// The scenarios whose repetitions differ. Of a run that was cut short it does not count what it did not come to.
pub fn flaky(outcomes: &[ScenarioOutcome], is_whole: bool) -> Vec<Flaky> {
    let mut scenarios: BTreeMap<&str, Flaky> = BTreeMap::new();
    for outcome in outcomes {
        let scenario = repeated(&outcome.id);
        let flaky = scenarios.entry(scenario).or_insert_with(|| Flaky { scenario: scenario.to_owned(), ..Flaky::default() });
        match outcome.verdict {
            Verdict::Pass => flaky.passed += 1,
            Verdict::Fail => flaky.failed += 1,
            Verdict::Unknown(_) if is_whole => flaky.unknown += 1,
            Verdict::Unknown(_) | Verdict::Skipped(_) => {}
        }
    }
    let differs = |flaky: &Flaky| [flaky.passed, flaky.failed, flaky.unknown].iter().filter(|count| **count > 0).count() > 1;
    scenarios.into_values().filter(differs).collect()
}
