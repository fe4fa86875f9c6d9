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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The kinds of lawful limiter that explain every decision. Where there is none, the target has no lawful one.
    pub explained_by: Vec<&'static str>,
    /// The kind that is closest to the target; all below is by it.
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

/// Judges the decisions on all calls of one limited scope, in any order, by a limit of so many calls a window. The run is
/// taken to last thousands of windows at the most, and the target to have counted nothing before it.
///
/// A fixed window decides the same whether refused calls count or not, and one that is refilled at intervals as an aligned
/// one whose phase is the first call's. Token bucket, GCRA and leaky bucket, as a meter or as a queue, decide the same.
pub fn judge(limit: u64, window: Duration, calls: &[Timed]) -> Judgement {
    let held_back = Evidence::new(limit, window, calls);
    let prompt = held_back.without_holding_back();
    let prompt = prompt.as_ref().unwrap_or(&held_back);
    let replays = [
        ("token-bucket", bucket::replay(&held_back, prompt)),
        ("token-bucket+rejected", bucket::replay_counting_refused(prompt)),
        ("fixed-window-aligned", windows::replay_aligned(prompt)),
        ("fixed-window-anchored", windows::replay_anchored(prompt)),
        ("sliding-log", log::replay(prompt)),
        ("sliding-log+rejected", log::replay_counting_refused(prompt)),
        ("sliding-counter", counter::replay(prompt, &prompt.admitted)),
        ("sliding-counter+rejected", counter::replay(prompt, &prompt.all)),
    ];
    let explained_by = replays.iter().filter(|(_, tally)| tally.total() == 0).map(|(kind, _)| *kind).collect();
    let closest = replays.into_iter().min_by_key(|(_, tally)| tally.distance());
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

impl Tally {
    fn new(limit: u64) -> Tally {
        Tally {
            limit,
            violations: Vec::new(),
            too_strict: 0,
            too_lenient: 0,
            farthest_short: 0,
            farthest_over: 0,
            only_first: false,
        }
    }

    fn only_first(limit: u64) -> Tally {
        Tally { only_first: true, ..Tally::new(limit) }
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
