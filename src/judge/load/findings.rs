//! The replies of a run that were not as they had to be: all counted, a few of each kind kept with their exchange.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ledger::Difference;
use crate::api::reply::kept;
use crate::history::Exchange;

/// One finding of which there were few yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptFinding {
    pub difference: Difference,
    /// `None` for what was read back after the run.
    pub phase: Option<usize>,
    /// `None` for what was read back after the run.
    pub exchange: Option<Exchange>,
}

/// Of one clause so many are kept, by each worker.
const KEPT: u64 = 5;
/// Clauses of level `should` that a reply can break: told, and no reason to fail.
const SHOULD: [&str; 2] = ["HTTP-3", "HTTP-9"];

/// Whether a finding on the clause decides a verdict.
pub fn decides(clause: &str) -> bool {
    !SHOULD.contains(&clause)
}

/// Everything that was found in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub kept: Vec<KeptFinding>,
    /// Clause to findings.
    pub counts: BTreeMap<Cow<'static, str>, u64>,
    /// Phase to findings that decide.
    pub by_phase: BTreeMap<usize, u64>,
}

impl Findings {
    /// Counts them, and keeps those of which there are few yet. `exchange` is made only for what is kept.
    pub fn take(&mut self, differences: &mut Vec<Difference>, phase: Option<usize>, exchange: impl Fn() -> Option<Exchange>) {
        if let Some(phase) = phase {
            let deciding = differences.iter().filter(|difference| decides(&difference.clause)).count();
            if deciding > 0 {
                *self.by_phase.entry(phase).or_default() += deciding as u64;
            }
        }
        for difference in differences.drain(..) {
            let count = self.counts.entry(difference.clause.clone()).or_default();
            *count += 1;
            if *count <= KEPT {
                let Difference { clause, subject, expected, actual } = difference;
                let [subject, expected, actual] = [subject, expected, actual].map(kept);
                let difference = Difference { clause, subject, expected, actual };
                self.kept.push(KeptFinding { difference, phase, exchange: exchange() });
            }
        }
    }

    /// Takes in another's, whose phases follow on so many.
    pub fn add(&mut self, other: Findings, phases: usize) {
        self.kept
            .extend(other.kept.into_iter().map(|found| KeptFinding { phase: found.phase.map(|phase| phase + phases), ..found }));
        other.by_phase.into_iter().for_each(|(phase, count)| *self.by_phase.entry(phase + phases).or_default() += count);
        other.counts.into_iter().for_each(|(clause, count)| *self.counts.entry(clause).or_default() += count);
    }

    pub fn of_phase(&self, phase: usize) -> u64 {
        self.by_phase.get(&phase).copied().unwrap_or(0)
    }

    /// Those that decide.
    pub fn total(&self) -> u64 {
        self.counts.iter().filter(|(clause, _)| decides(clause)).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{self, Level};

    #[test]
    fn what_the_specification_calls_should_is_told_and_does_not_decide() {
        for clause in spec::bundled().clauses.iter().filter(|clause| clause.id.starts_with("HTTP-") || !decides(&clause.id)) {
            // A load run sends no body that is not JSON (HTTP-4).
            let can_be_broken = clause.level == Level::Should && clause.id != "HTTP-4";
            assert_eq!(decides(&clause.id), !can_be_broken, "{}", clause.id);
        }
        let mut findings = Findings::default();
        let twice = Difference { clause: "HTTP-9".into(), subject: "a".into(), expected: "b".into(), actual: "c".into() };
        findings.take(&mut vec![twice], Some(0), || None);
        assert_eq!((findings.total(), findings.of_phase(0), findings.kept.len()), (0, 0, 1));
    }

    #[test]
    fn all_are_counted_and_the_first_few_of_each_clause_kept() {
        let mut findings = Findings::default();
        let difference = |clause: &'static str| Difference {
            clause: clause.into(),
            subject: "k1".into(),
            expected: "a".into(),
            actual: "b".into(),
        };
        for _ in 0..100 {
            findings.take(&mut vec![difference("SET-2"), difference("SET-4")], Some(0), || None);
        }
        let mut sum = findings.clone();
        sum.add(findings, 1);
        assert_eq!((sum.total(), sum.kept.len(), sum.counts["SET-4"]), (400, 20, 200));
        assert_eq!((&sum.by_phase, sum.kept[19].phase), (&[(0, 200), (1, 200)].into(), Some(1)));
    }
}
