//! The replies of a run that were not as they had to be: all counted, a few of each kind kept with their exchange.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ledger::Difference;
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

/// Everything that was found in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub kept: Vec<KeptFinding>,
    /// Clause to findings.
    pub counts: BTreeMap<Cow<'static, str>, u64>,
    /// Phase to findings.
    pub by_phase: BTreeMap<usize, u64>,
}

impl Findings {
    /// Counts them, and keeps those of which there are few yet. `exchange` is made only for what is kept.
    pub fn take(&mut self, differences: &mut Vec<Difference>, phase: Option<usize>, exchange: impl Fn() -> Option<Exchange>) {
        if let Some(phase) = phase {
            *self.by_phase.entry(phase).or_default() += differences.len() as u64;
        }
        for difference in differences.drain(..) {
            let count = self.counts.entry(difference.clause.clone()).or_default();
            *count += 1;
            if *count <= KEPT {
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

    /// Whether one of that phase was kept.
    pub fn kept_of(&self, phase: usize) -> bool {
        self.kept.iter().any(|found| found.phase == Some(phase))
    }

    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
