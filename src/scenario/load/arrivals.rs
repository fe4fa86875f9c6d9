//! When each call of a plan is due, in whole nanoseconds, with no drift however long a phase is.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times and counts are positive, and far below 2^53")]

use std::time::Duration;

use super::{Arrivals, Phase, Rate, Spacing};
use crate::clock::Offset;
use crate::clock::nanoseconds;
use crate::random::Random;

/// One call that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number in the run, from 0.
    pub index: u64,
    pub phase: usize,
    pub at: Offset,
}

/// Every due call of a plan, one after another; the phases that send as fast as they can have none. The same seed gives the
/// same calls, to whoever asks.
#[derive(Clone, Debug)]
pub struct Schedule {
    arrivals: Vec<Arrivals>,
    ends: Vec<Offset>,
    seed: u64,
    phase: usize,
    pace: Pace,
    index: u64,
}

impl Schedule {
    pub fn new(phases: &[Phase], seed: u64) -> Schedule {
        let arrivals: Vec<Arrivals> = phases.iter().map(|phase| phase.arrivals.clone()).collect();
        let ends = arrivals.iter().scan(Offset::ZERO, |end, arrivals| {
            *end = *end + arrivals.duration();
            Some(*end)
        });
        let mut schedule = Schedule { ends: ends.collect(), arrivals, seed, phase: 0, pace: Pace::Silent, index: 0 };
        schedule.pace = schedule.begin(0);
        schedule
    }

    /// When each phase ends; the next one starts there.
    pub fn ends(&self) -> &[Offset] {
        &self.ends
    }

    fn begin(&self, phase: usize) -> Pace {
        match self.arrivals.get(phase) {
            Some(arrivals) => Pace::new(arrivals, Random::named(self.seed, &format!("phase {phase}"))),
            None => Pace::Silent,
        }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        while self.phase < self.arrivals.len() {
            let start = if self.phase == 0 { Offset::ZERO } else { self.ends[self.phase - 1] };
            // A call due at the very end would be the next phase's first.
            if let Some(at) = self.pace.next().map(|at| start + Duration::from_nanos(at)).filter(|at| *at < self.ends[self.phase])
            {
                let due = Due { index: self.index, phase: self.phase, at };
                self.index += 1;
                return Some(due);
            }
            self.phase += 1;
            self.pace = self.begin(self.phase);
        }
        None
    }
}

impl Arrivals {
    /// How long the phase is.
    pub fn duration(&self) -> Duration {
        match self {
            Arrivals::Rest(duration) | Arrivals::Ramp { duration, .. } | Arrivals::Saturate { duration } => *duration,
            Arrivals::Count { calls, rate } => rate.time(*calls),
            Arrivals::Bursts { every, times, .. } => every.saturating_mul(u32::try_from(*times).unwrap_or(u32::MAX)),
        }
    }

    /// The calls of the phase, where its length decides them alone; of a Poisson process, those to be expected.
    pub fn calls(&self) -> Option<f64> {
        match self {
            Arrivals::Rest(_) => Some(0.0),
            Arrivals::Ramp { from, to, duration, .. } => {
                Some(from.per_second().midpoint(to.per_second()) * duration.as_secs_f64())
            }
            Arrivals::Count { calls, .. } => Some(*calls as f64),
            Arrivals::Bursts { calls, times, .. } => Some(*calls as f64 * *times as f64),
            Arrivals::Saturate { .. } => None,
        }
    }

    /// The most calls a second that are due at any time; `None` for as fast as it goes.
    pub fn peak_per_second(&self) -> Option<f64> {
        match self {
            Arrivals::Rest(_) => Some(0.0),
            Arrivals::Ramp { from, to, .. } => Some(from.per_second().max(to.per_second())),
            Arrivals::Count { rate, .. } | Arrivals::Bursts { rate, .. } => Some(rate.per_second()),
            Arrivals::Saturate { .. } => None,
        }
    }
}

/// The due times of one phase, from its start.
#[derive(Clone, Debug)]
enum Pace {
    Silent,
    Even { steps: Steps, left: u64 },
    Bursts { calls: u64, rate: Rate, every: u64, start: u64, steps: Steps, left: u64 },
    Curve { curve: Curve, poisson: Option<Random>, expected: f64 },
}

impl Pace {
    fn new(arrivals: &Arrivals, random: Random) -> Pace {
        match arrivals {
            Arrivals::Rest(_) | Arrivals::Saturate { .. } => Pace::Silent,
            Arrivals::Ramp { from, to, spacing: Spacing::Even, .. } if from == to => {
                Pace::Even { steps: Steps::new(*from), left: u64::MAX }
            }
            Arrivals::Ramp { from, to, duration, spacing } => Pace::Curve {
                curve: Curve::new(*from, *to, *duration),
                poisson: (*spacing == Spacing::Poisson).then_some(random),
                expected: 0.0,
            },
            Arrivals::Count { calls, rate } => Pace::Even { steps: Steps::new(*rate), left: *calls },
            Arrivals::Bursts { calls, rate, every, .. } => Pace::Bursts {
                calls: *calls,
                rate: *rate,
                every: nanoseconds(*every),
                start: 0,
                steps: Steps::new(*rate),
                left: *calls,
            },
        }
    }

    fn next(&mut self) -> Option<u64> {
        match self {
            Pace::Silent => None,
            Pace::Even { steps, left } => {
                *left = left.checked_sub(1)?;
                Some(steps.next())
            }
            Pace::Bursts { calls, rate, every, start, steps, left } => {
                if *left == 0 {
                    (*left, *start, *steps) = (*calls, *start + *every, Steps::new(*rate));
                }
                *left -= 1;
                Some(*start + steps.next())
            }
            Pace::Curve { curve, poisson, expected } => {
                let Some(random) = poisson else {
                    let at = curve.at(*expected);
                    *expected += 1.0;
                    return at;
                };
                // The first call of a Poisson process comes after a gap, as every other.
                *expected += exponential(random);
                curve.at(*expected)
            }
        }
    }
}

/// `i * per / calls` for one `i` after another, rounded down, without a division a call.
#[derive(Clone, Copy, Debug)]
struct Steps {
    at: u64,
    rest: u64,
    whole: u64,
    part: u64,
    calls: u64,
}

impl Steps {
    fn new(rate: Rate) -> Steps {
        let (per, calls) = (nanoseconds(rate.per), rate.calls.max(1));
        Steps { at: 0, rest: 0, whole: per / calls, part: per % calls, calls }
    }

    fn next(&mut self) -> u64 {
        let at = self.at;
        self.at = self.at.saturating_add(self.whole);
        self.rest += self.part;
        if self.rest >= self.calls {
            self.rest -= self.calls;
            self.at += 1;
        }
        at
    }
}

/// A rate that changes evenly with time. Of the calls to be expected until `t`, `a t + k t²/2`, the inverse gives when one
/// is due.
#[derive(Clone, Copy, Debug)]
struct Curve {
    /// Calls a nanosecond at the start, and how much that grows in a nanosecond.
    a: f64,
    k: f64,
}

impl Curve {
    fn new(from: Rate, to: Rate, duration: Duration) -> Curve {
        let (a, b) = (from.per_second() / 1e9, to.per_second() / 1e9);
        Curve { a, k: (b - a) / duration.as_nanos().max(1) as f64 }
    }

    /// `None` where so many calls never come: a falling rate has reached zero.
    fn at(self, expected: f64) -> Option<u64> {
        let root = self.a * self.a + 2.0 * self.k * expected;
        if root < 0.0 {
            return None;
        }
        // The usual solution of the quadratic loses all digits where `k` is small; this form of it does not.
        let denominator = self.a + root.sqrt();
        Some(if denominator > 0.0 { (2.0 * expected / denominator) as u64 } else { 0 })
    }
}

/// A gap of mean 1.
fn exponential(random: &mut Random) -> f64 {
    const STEPS: f64 = (1_u64 << 53) as f64;
    // From above 0 to 1, so that the logarithm is finite.
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / STEPS;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;

    fn per_second(calls: u64) -> Rate {
        Rate { calls, per: Duration::from_secs(1) }
    }

    fn schedule(arrivals: &[Arrivals]) -> Vec<Due> {
        let phases: Vec<Phase> = arrivals.iter().map(|arrivals| Phase::bare("p", arrivals.clone())).collect();
        Schedule::new(&phases, 7).collect()
    }

    fn constant(rate: Rate, duration: Duration, spacing: Spacing) -> Arrivals {
        Arrivals::Ramp { from: rate, to: rate, duration, spacing }
    }

    #[test]
    fn a_minute_at_200_a_second_is_12000_calls_5_ms_apart() {
        let due = schedule(&[constant(per_second(200), Duration::from_mins(1), Spacing::Even)]);
        assert_eq!(due.len(), 12_000);
        assert!(due.iter().all(|due| due.at.as_nanos() == due.index * 5_000_000));
    }

    #[test]
    fn phases_follow_each_other_and_a_rest_is_silent() {
        let due = schedule(&[
            constant(per_second(10), Duration::from_secs(1), Spacing::Even),
            Arrivals::Rest(Duration::from_secs(2)),
            Arrivals::Bursts { calls: 2, rate: per_second(1000), every: Duration::from_secs(1), times: 2 },
            Arrivals::Saturate { duration: Duration::from_secs(1) },
            Arrivals::Count { calls: 3, rate: per_second(100) },
        ]);
        let rest: Vec<(usize, u64)> = due[10..].iter().map(|due| (due.phase, due.at.as_nanos())).collect();
        let ms = S / 1000;
        let bursts = [(2, 3 * S), (2, 3 * S + ms), (2, 4 * S), (2, 4 * S + ms)];
        let counted = [(4, 6 * S), (4, 6 * S + 10 * ms), (4, 6 * S + 20 * ms)];
        assert_eq!(rest, [bursts.as_slice(), counted.as_slice()].concat());
        assert_eq!(due.iter().map(|due| due.index).collect::<Vec<_>>(), (0..17).collect::<Vec<_>>());
    }

    #[test]
    fn a_ramp_has_the_calls_under_its_line_up_and_down() {
        let up = Arrivals::Ramp {
            from: per_second(100),
            to: per_second(300),
            duration: Duration::from_secs(10),
            spacing: Spacing::Even,
        };
        let due = schedule(&[up]);
        assert_eq!(due.len(), 2000);
        // Half the time: 100 * 5 + 20 * 25 / 2 = 750 calls.
        assert_eq!(due.iter().filter(|due| due.at.as_nanos() < 5 * S).count(), 750);
        let down = Arrivals::Ramp {
            from: per_second(100),
            to: Rate { calls: 0, per: Duration::from_secs(1) },
            duration: Duration::from_secs(10),
            spacing: Spacing::Even,
        };
        let due = schedule(&[down]);
        assert!((499..=501).contains(&due.len()), "{}", due.len());
        assert!(due.is_sorted_by_key(|due| due.at));
    }

    #[test]
    fn poisson_gaps_are_exponential_and_even_ones_are_not() {
        // Ten cells of equal probability; 27.9 is the 99.9 % point of chi-square with 9 degrees of freedom.
        let statistic = |spacing| {
            let due = schedule(&[constant(per_second(1000), Duration::from_secs(20), spacing)]);
            let mut cells = [0_u32; 10];
            for pair in due.windows(2) {
                let gap = pair[1].at.since(pair[0].at).as_secs_f64() * 1e3;
                cells[((1.0 - (-gap).exp()) * 10.0).min(9.0) as usize] += 1;
            }
            let expected = (due.len() - 1) as f64 / 10.0;
            cells.iter().map(|cell| (f64::from(*cell) - expected).powi(2) / expected).sum::<f64>()
        };
        assert!(statistic(Spacing::Poisson) < 27.9, "{}", statistic(Spacing::Poisson));
        assert!(statistic(Spacing::Even) > 27.9);
    }

    proptest! {
        #[test]
        fn even_calls_never_drift(calls in 1..100_000_u64, per in 1..100_000_u64, many in 1..2000_u64) {
            let rate = Rate { calls, per: Duration::from_nanos(per) };
            let mut steps = Steps::new(rate);
            for index in 0..many {
                prop_assert_eq!(u128::from(steps.next()), u128::from(index) * u128::from(per) / u128::from(calls));
            }
        }

        #[test]
        fn what_is_due_is_in_order_and_within_its_phase(from in 0..2000_u64, to in 1..2000_u64, ms in 1..3000_u64, poisson: bool) {
            let spacing = if poisson { Spacing::Poisson } else { Spacing::Even };
            let duration = Duration::from_millis(ms);
            let ramp = Arrivals::Ramp { from: per_second(from), to: per_second(to), duration, spacing };
            let due = schedule(&[Arrivals::Rest(duration), ramp.clone()]);
            prop_assert!(due.is_sorted_by_key(|due| due.at));
            prop_assert!(due.iter().all(|due| (ms * 1_000_000..2 * ms * 1_000_000).contains(&due.at.as_nanos())));
            prop_assert_eq!(&due, &schedule(&[Arrivals::Rest(duration), ramp]));
        }
    }
}
