//! The replies of a run that were not as they had to be: all counted, a few of each kind kept with their exchange.

use std::collections::BTreeMap;

use crate::history::Exchange;
use crate::judge::ledger::Difference;

/// One kept finding.
#[derive(Clone, Debug)]
pub struct Finding {
    pub difference: Difference,
    pub phase: usize,
    /// `None` for what was read back after the run.
    pub exchange: Option<Exchange>,
}

/// Of one clause so many are kept, by each worker.
const KEPT: u64 = 5;

#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub kept: Vec<Finding>,
    /// Clause to findings.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Counts them, and keeps those of which there are few yet. `exchange` is made only for what is kept.
    pub fn take(&mut self, differences: &mut Vec<Difference>, phase: usize, exchange: impl Fn() -> Option<Exchange>) {
        for difference in differences.drain(..) {
            let count = self.counts.entry(difference.clause).or_default();
            *count += 1;
            if *count <= KEPT {
                self.kept.push(Finding { difference, phase, exchange: exchange() });
            }
        }
    }

    pub fn add(&mut self, other: Findings) {
        self.kept.extend(other.kept);
        other.counts.into_iter().for_each(|(clause, count)| *self.counts.entry(clause).or_default() += count);
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
        let difference = |clause| Difference { clause, subject: "k1".into(), expected: "a".into(), actual: "b".into() };
        for _ in 0..100 {
            findings.take(&mut vec![difference("SET-2"), difference("SET-4")], 0, || None);
        }
        let mut sum = findings.clone();
        sum.add(findings);
        assert_eq!((sum.total(), sum.kept.len(), sum.counts["SET-4"]), (400, 20, 200));
    }
}
