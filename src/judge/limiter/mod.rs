//! Whether any lawful limiter could have decided as a target did, from when each call was sent and answered, and how.
//!
//! The documentation gives a limit, not a way of counting. So each way that there is replays the calls, and only what none
//! of them explains is held against the target. Every replay asks less than its kind does, never more: what it calls a
//! violation is one at whatever times the calls arrived. It may miss some; a plan that tests limits is made so that it
//! misses none that matters.

mod bucket;
mod counter;
mod evidence;
mod log;
mod phase;
#[cfg(test)]
mod simulation;
mod windows;

use std::fmt;
use std::time::Duration;

use crate::model::limiter::LimiterKind;
use evidence::Evidence;

/// How many violations of each direction are kept.
const KEPT: usize = 5;

/// What one limit made of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Admitted,
    /// By this very limit.
    Refused,
    /// Answered, but turned away for another reason: it may have been counted, or not.
    Unknown,
    /// Never answered: it may have been counted, at any time from its sending on, or not.
    Lost,
}

/// A call of the limited scope. Times are nanoseconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    pub sent: u64,
    /// Of no matter for a lost call.
    pub received: u64,
    pub decision: Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It refused a call that it had to admit.
    TooStrict,
    /// It admitted a call that it had to refuse.
    TooLenient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index into the calls that were judged.
    pub call: usize,
    pub direction: Direction,
    /// How many calls could have been counted at most when this one came (too strict: below the limit), or have to have been
    /// at least (too lenient: the limit or more). A bucket's are those that it has not made up for since.
    pub counted: u64,
}

impl Violation {
    /// What a lawful limiter would have done.
    pub fn expected(&self) -> &'static str {
        match self.direction {
            Direction::TooStrict => "admitted",
            Direction::TooLenient => "refused",
        }
    }

    /// What this one did, and why it may not.
    pub fn actual(&self) -> String {
        let counted = self.counted;
        match self.direction {
            Direction::TooStrict => format!("refused, though no more than {counted} calls can have counted"),
            Direction::TooLenient => format!("admitted, though no fewer than {counted} calls have to have counted"),
        }
    }
}

/// A lawful way of counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lawful {
    pub kind: LimiterKind,
    /// Whether refused calls count as if they had been admitted.
    pub counts_rejected: bool,
}

impl fmt::Display for Lawful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.word(), if self.counts_rejected { "+rejected" } else { "" })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimiterJudgement {
    /// The lawful ways that explain every decision. Where there is none, the target's is not lawful.
    pub explained_by: Vec<Lawful>,
    /// The one that is closest to the target; all below is by it.
    pub closest: Lawful,
    /// The first few of each direction, in no order.
    pub violations: Vec<Violation>,
    pub too_strict: u64,
    pub too_lenient: u64,
}

impl LimiterJudgement {
    pub fn is_lawful(&self) -> bool {
        !self.explained_by.is_empty()
    }
}

/// Judges the decisions on all calls of one limited scope, in any order, by a limit of so many calls a window. The run is
/// taken to last thousands of windows at the most, and the target to have counted nothing before it.
///
/// A fixed window decides the same whether refused calls count or not, and one that is refilled at intervals as an aligned
/// one whose phase is the first call's. Token bucket, GCRA and leaky bucket, as a meter or as a queue, decide the same.
pub fn judge(limit: u64, window: Duration, calls: &[Timed]) -> LimiterJudgement {
    let held_back = Evidence::new(limit, window, calls);
    let prompt = held_back.without_holding_back();
    let prompt = prompt.as_ref().unwrap_or(&held_back);
    let replays = [
        (plain(LimiterKind::TokenBucket), bucket::replay(&held_back, prompt)),
        (rejected(LimiterKind::TokenBucket), bucket::replay_counting_refused(&held_back, prompt)),
        (plain(LimiterKind::FixedWindowAligned), windows::replay_aligned(prompt)),
        (plain(LimiterKind::FixedWindowAnchored), windows::replay_anchored(prompt)),
        (plain(LimiterKind::SlidingLog), log::replay(prompt)),
        (rejected(LimiterKind::SlidingLog), log::replay_counting_refused(prompt)),
        (plain(LimiterKind::SlidingCounter), counter::replay(prompt, &prompt.admitted)),
        (rejected(LimiterKind::SlidingCounter), counter::replay(prompt, &prompt.all)),
    ];
    let explained_by = replays.iter().filter(|(_, tally)| tally.total() == 0).map(|(kind, _)| *kind).collect();
    let closest = replays.into_iter().min_by_key(|(_, tally)| tally.distance());
    let (closest, tally) = closest.expect("there are kinds");
    LimiterJudgement {
        explained_by,
        closest,
        violations: tally.violations,
        too_strict: tally.too_strict,
        too_lenient: tally.too_lenient,
    }
}

fn plain(kind: LimiterKind) -> Lawful {
    Lawful { kind, counts_rejected: false }
}

fn rejected(kind: LimiterKind) -> Lawful {
    Lawful { kind, counts_rejected: true }
}

/// Violations of one kind's rule.
struct Replay {
    limit: u64,
    violations: Vec<Violation>,
    too_strict: u64,
    too_lenient: u64,
    /// By how many calls a refusal was ahead of the limit, at most.
    farthest_short: u64,
    /// By how many calls an admission was beyond the limit, at most.
    farthest_over: u64,
    /// Whether one is enough, and how many more there are is of no matter.
    only_first: bool,
}

impl Replay {
    fn new(limit: u64) -> Replay {
        Replay {
            limit,
            violations: Vec::new(),
            too_strict: 0,
            too_lenient: 0,
            farthest_short: 0,
            farthest_over: 0,
            only_first: false,
        }
    }

    fn only_first(limit: u64) -> Replay {
        Replay { only_first: true, ..Replay::new(limit) }
    }

    fn total(&self) -> u64 {
        self.too_strict + self.too_lenient
    }

    /// How far from this kind the target is. One with a wrong limit errs one way only, and with a limit that is wrong by
    /// little it errs by few calls each time, however often: so the number of violations comes last.
    fn distance(&self) -> (u64, u64, u64) {
        (self.farthest_short.min(self.farthest_over), self.farthest_short.max(self.farthest_over), self.total())
    }

    fn is_full(&self) -> bool {
        self.only_first && self.total() > 0
    }

    fn add(&mut self, call: usize, direction: Direction, counted: u64) {
        let (count, farthest, off_by) = match direction {
            Direction::TooStrict => (&mut self.too_strict, &mut self.farthest_short, self.limit.saturating_sub(counted)),
            Direction::TooLenient => (&mut self.too_lenient, &mut self.farthest_over, (counted + 1).saturating_sub(self.limit)),
        };
        *count += 1;
        *farthest = off_by.max(*farthest);
        if *count <= KEPT as u64 {
            self.violations.push(Violation { call, direction, counted });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MS: u64 = 1_000_000;

    /// So many calls, one each so many microseconds from `from` ms on, each with its reply a tenth of a millisecond later.
    fn calls(from: u64, count: u64, gap_us: u64) -> Vec<Timed> {
        let sent = (0..count).map(|i| from * MS + i * gap_us * 1_000);
        sent.map(|sent| Timed { sent, received: sent + MS / 10, decision: Decision::Admitted }).collect()
    }

    fn decided(mut calls: Vec<Timed>, decision: Decision) -> Vec<Timed> {
        for call in &mut calls {
            call.decision = decision;
        }
        calls
    }

    fn refused(calls: Vec<Timed>) -> Vec<Timed> {
        decided(calls, Decision::Refused)
    }

    fn judged(parts: &[Vec<Timed>]) -> LimiterJudgement {
        judge(200, SECOND, &parts.concat())
    }

    #[test]
    fn no_call_at_all_is_explained_by_every_kind() {
        assert_eq!(judged(&[]).explained_by.len(), 8);
    }

    #[test]
    fn a_burst_of_the_limit_has_to_be_served() {
        let burst = |served| [calls(5_000, served, 500), refused(calls(5_000 + served / 2, 1, 1))];
        assert!(judged(&burst(200)).is_lawful());
        let judgement = judged(&burst(198));
        assert_eq!((judgement.is_lawful(), judgement.too_strict, judgement.too_lenient), (false, 1, 0));
        assert_eq!(judgement.violations, [Violation { call: 198, direction: Direction::TooStrict, counted: 198 }]);
    }

    #[test]
    fn a_refusal_that_may_have_come_last_is_lawful() {
        let mut last = refused(calls(5_050, 1, 1));
        assert!(!judged(&[calls(5_000, 200, 500), last.clone()]).is_lawful());
        last[0].received = 5_100 * MS;
        assert!(judged(&[calls(5_000, 200, 500), last]).is_lawful());
    }

    #[test]
    fn twice_the_limit_is_lawful_around_an_edge_only() {
        assert_eq!(judged(&[calls(5_000, 400, 500)]).explained_by, [plain(LimiterKind::FixedWindowAligned)]);
        let judgement = judged(&[calls(5_000, 410, 500)]);
        assert!(!judgement.is_lawful() && judgement.too_strict == 0 && judgement.too_lenient > 0);
    }

    #[test]
    fn of_an_even_two_hundred_a_second_some_may_be_refused_and_of_fewer_none() {
        let refusing_one = |gap_us| {
            let mut even = calls(5_000, 2_000, gap_us);
            even[401].decision = Decision::Refused;
            judged(&[even])
        };
        assert!(refusing_one(5_000).is_lawful());
        let judgement = refusing_one(5_100);
        assert_eq!((judgement.is_lawful(), judgement.too_strict, judgement.too_lenient), (false, 1, 0));
    }

    #[test]
    fn a_lost_call_excuses_a_refusal_from_its_sending_on() {
        let lost = |at| decided(calls(at, 1, 1), Decision::Lost);
        let burst = [calls(5_000, 199, 500), refused(calls(5_100, 1, 1))].concat();
        assert!(judged(&[lost(1_000), burst.clone()]).is_lawful());
        assert!(!judged(&[burst, lost(5_101)]).is_lawful());
    }

    #[test]
    fn a_call_turned_away_for_another_reason_excuses_a_refusal_while_it_counts() {
        let turned_away = |at| decided(calls(at, 1, 1), Decision::Unknown);
        let burst = [calls(5_000, 199, 500), refused(calls(5_100, 1, 1))].concat();
        assert!(judged(&[turned_away(4_990), burst.clone()]).is_lawful());
        assert!(!judged(&[turned_away(1_000), burst]).is_lawful());
    }

    #[test]
    fn the_order_in_which_calls_are_given_is_of_no_matter() {
        let mut all = [calls(5_000, 199, 500), refused(calls(5_100, 1, 1))].concat();
        let there = judge(200, SECOND, &all);
        all.reverse();
        let back = judge(200, SECOND, &all);
        assert_eq!((there.violations[0].call, back.violations[0].call), (199, 0));
    }

    #[test]
    fn a_violation_says_what_was_expected_and_why() {
        let violation = |direction, counted| Violation { call: 0, direction, counted };
        let strict = violation(Direction::TooStrict, 199);
        assert_eq!(strict.expected(), "admitted");
        assert_eq!(strict.actual(), "refused, though no more than 199 calls can have counted");
        let lenient = violation(Direction::TooLenient, 200);
        assert_eq!(lenient.expected(), "refused");
        assert_eq!(lenient.actual(), "admitted, though no fewer than 200 calls have to have counted");
    }
}
