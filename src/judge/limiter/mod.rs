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

use std::time::Duration;

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The kinds of lawful limiter that explain every decision. Where there is none, the target has no lawful one.
    pub explained_by: Vec<&'static str>,
    /// The kind that explains most; all below is by it.
    pub closest: &'static str,
    /// The first few of each direction, in no order.
    pub violations: Vec<Violation>,
    pub too_strict: u64,
    pub too_lenient: u64,
}

impl Judgement {
    pub fn is_lawful(&self) -> bool {
        !self.explained_by.is_empty()
    }
}

/// Judges the decisions on all calls of one limited scope, in any order, by a limit of so many calls a window.
///
/// A fixed window decides the same whether refused calls count or not, and one that is refilled at intervals as an aligned
/// one whose phase is the first call's. Token bucket, GCRA and leaky bucket, as a meter or as a queue, decide the same.
pub fn judge(limit: u64, window: Duration, calls: &[Timed]) -> Judgement {
    let held_back = Evidence::new(limit, window, calls);
    let prompt = held_back.without_holding_back();
    let prompt = prompt.as_ref().unwrap_or(&held_back);
    let aligned = prompt.by_the_targets_clock();
    let replays = [
        ("token-bucket", bucket::replay(&held_back)),
        ("token-bucket+rejected", bucket::replay_counting_refused(&held_back)),
        ("fixed-window-aligned", windows::replay_aligned(&aligned)),
        ("fixed-window-anchored", windows::replay_anchored(prompt)),
        ("sliding-log", log::replay(prompt)),
        ("sliding-log+rejected", log::replay_counting_refused(prompt)),
        ("sliding-counter", counter::replay(&aligned, &aligned.admitted)),
        ("sliding-counter+rejected", counter::replay(&aligned, &aligned.all)),
    ];
    let explained_by = replays.iter().filter(|(_, tally)| tally.total() == 0).map(|(kind, _)| *kind).collect();
    let closest = replays.into_iter().min_by_key(|(_, tally)| tally.total());
    let (closest, tally) = closest.expect("there are kinds");
    Judgement {
        explained_by,
        closest,
        violations: tally.violations,
        too_strict: tally.too_strict,
        too_lenient: tally.too_lenient,
    }
}

/// Violations of one kind's rule.
struct Tally {
    violations: Vec<Violation>,
    too_strict: u64,
    too_lenient: u64,
    /// From so many on it is of no matter how many there are.
    enough: u64,
}

impl Tally {
    fn new() -> Tally {
        Tally::up_to(u64::MAX)
    }

    fn up_to(enough: u64) -> Tally {
        Tally { violations: Vec::new(), too_strict: 0, too_lenient: 0, enough }
    }

    fn total(&self) -> u64 {
        self.too_strict + self.too_lenient
    }

    fn is_full(&self) -> bool {
        self.total() >= self.enough
    }

    fn add(&mut self, call: usize, direction: Direction, counted: u64) {
        let count = match direction {
            Direction::TooStrict => &mut self.too_strict,
            Direction::TooLenient => &mut self.too_lenient,
        };
        *count += 1;
        if *count <= KEPT as u64 {
            self.violations.push(Violation { call, direction, counted });
        }
    }
}
