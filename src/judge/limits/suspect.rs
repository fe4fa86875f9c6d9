//! One limiter that the target may have, and how well it explains what was seen.

use std::time::Duration;

use super::trace::{DrawnArrival, Replayable};
use crate::clock::nanoseconds;
use crate::model::limiter::{Admission, Algorithm, Limit, Limiter, Scope, Unit};

/// A slice may come out otherwise than every limiter of the right kind would have it: a stall, another client.
const ODD: f64 = 0.002;
/// Degrees of freedom of a variance that comes of so many draws, and Student's density at its middle for it:
/// `Γ((ν+1)/2) / (sqrt(νπ) Γ(ν/2))`.
const FREEDOM: f64 = 7.0;
const STUDENT: f64 = 0.385_03;
/// The mean of few draws is off, too.
const UNSURE_MEAN: f64 = 1.2;
/// Variance of a count that no draw of arrivals shows: of none, for each call more, and at the most.
const LEAST_VARIANCE: (f64, f64, f64) = (0.1, 0.02, 0.3);
/// Variance of what calls were held back, in milliseconds squared, that no draw shows: of all of a slice, and of each call in it.
const HELD_VARIANCE: (f64, f64) = (2.0, 64.0);
/// Nobody waits longer.
const MOST_HELD_MS: f64 = 100_000.0;
/// A slice that is off by more than so many deviations, and one call, is not explained.
const FAR: f64 = 5.0;
/// What one stage that it does not explain counts at the most, where a suspect is looked at roughly.
const ROUGHLY_OFF: f64 = 20.0;
/// By this share the calls that a bucket admits are off which counts refused ones and is always asked for more.
const GAPS: f64 = 0.1;
/// A variance above this is the suspect's own: more than chance in the arrivals of calls.
const LARGE: f64 = 9.0;

/// A limiter with all its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suspect {
    pub algorithm: Algorithm,
    pub limit: u64,
    pub window: Duration,
    pub counts_rejected: bool,
    pub unit: Unit,
    /// When its windows begin, in nanoseconds on the run's clock; below the window's length. Where they begin with the first call
    /// of all: how long that took there; 0 is as drawn.
    pub phase: u64,
}

/// How well a limiter explains what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likelihood {
    /// Logarithm of the likelihood.
    pub log: f64,
    /// Slices that it does not explain, and how many calls fewer were admitted in these.
    pub odd: u32,
    pub fewer: f64,
    /// Slices in all, and calls by which they are off, one way or the other.
    pub slices: u32,
    pub off: f64,
}

/// A count as it comes out over all draws.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub mean: f64,
    pub variance: f64,
}

/// What a limiter would have made of each slice: calls admitted, and for how long each of these was held back, in milliseconds.
pub type SliceCounts = Vec<(Spread, Spread)>;

impl Spread {
    /// One of so many draws.
    pub fn add(&mut self, count: f64, draws: f64) {
        self.mean += count / draws;
        self.variance += count.powi(2) / draws;
    }

    /// All draws have been added.
    pub fn finish(&mut self) {
        self.variance = (self.variance - self.mean.powi(2)).max(0.0) * UNSURE_MEAN;
    }

    /// What no draw shows is added.
    fn whole_variance(self) -> f64 {
        let (none, each, most) = LEAST_VARIANCE;
        self.variance + (none + each * self.mean).min(most)
    }

    /// Logarithm of how likely a count is. A variance that few draws show is at least that of the suspect that explains most:
    /// else chance would decide between neighbours.
    fn log(self, count: u32, of: u32, common: f64) -> f64 {
        let variance = Spread { variance: self.variance.max(common.min(LARGE)), ..self }.whole_variance();
        self.density(f64::from(count), variance, f64::from(of) + 1.0)
    }

    /// Logarithm of how likely it is that each of so many calls was held back for so many milliseconds.
    fn log_held(self, held: f64, of: u32, common: f64) -> f64 {
        self.density(held, self.variance.max(common) + HELD_VARIANCE.0 + HELD_VARIANCE.1 / f64::from(of.max(1)), MOST_HELD_MS)
    }

    /// Student's, or odd: anywhere in a range.
    fn density(self, seen: f64, variance: f64, range: f64) -> f64 {
        let off = seen - self.mean;
        let student = STUDENT / variance.sqrt() * (1.0 + off * off / (FREEDOM * variance)).powf(-f64::midpoint(FREEDOM, 1.0));
        ((1.0 - ODD) * student + ODD / range).ln()
    }
}

impl Suspect {
    pub fn counter(&self) -> Limiter {
        Limiter::new(&Limit {
            algorithm: self.algorithm,
            limit: self.limit,
            window: self.window,
            count_rejected: self.counts_rejected,
            unit: self.unit,
            scope: Scope::App,
        })
    }

    /// A time of the run as the limiter's clock has it, on which windows begin at whole multiples.
    pub fn clock(&self, at: u64) -> u64 {
        at + self.ahead()
    }

    /// The limiter's clock is so much ahead of the run's, in nanoseconds.
    fn ahead(&self) -> u64 {
        let phase = if matches!(self.algorithm, Algorithm::IntervalRefill) { 0 } else { self.phase };
        nanoseconds(self.window).saturating_mul(4).saturating_sub(phase)
    }

    /// Nothing comes before the call with which the windows begin, where that is fitted.
    fn begins(&self, trace: &Replayable) -> Option<u64> {
        let is_fitted = matches!(self.algorithm, Algorithm::IntervalRefill) && self.phase > 0;
        is_fitted.then(|| trace.first_sent + self.phase.min(trace.first_way))
    }

    fn weight(&self, arrival: &DrawnArrival) -> u64 {
        self.unit.weight(u64::from(arrival.pairs))
    }

    /// Calls a second that it admits in the long run.
    pub fn rate(&self) -> f64 {
        self.limit as f64 / self.window.as_secs_f64()
    }

    /// Whether refused calls can be seen to count: a window that is full stays full until it ends.
    pub fn shows_rejected(&self) -> bool {
        !matches!(
            self.algorithm,
            Algorithm::FixedWindowAligned { .. } | Algorithm::FixedWindowAnchored | Algorithm::IntervalRefill
        )
    }

    /// Whether it hangs on the gaps between calls how many a bucket admits: it cannot save up, or refused calls empty it.
    pub fn is_tight(&self) -> bool {
        self.algorithm.burst().is_some_and(|burst| burst == 1 || self.counts_rejected)
    }

    /// How well it explains a trace, by one draw and by whole stages only; given up below `worst`.
    pub fn roughly(&self, trace: &Replayable, worst: f64) -> f64 {
        let (mut limiter, ahead) = (self.counter(), self.ahead());
        let (mut log, mut admitted, mut whole) = (0.0, 0u32, 0);
        let rough = |whole: usize, admitted: u32| {
            let off = f64::from(trace.slices[whole].admitted) - f64::from(admitted);
            let about = 20.0 + (f64::from(admitted) * 0.02).powi(2);
            -(off * off / about).min(ROUGHLY_OFF)
        };
        for arrival in &trace.draws[0] {
            let this = trace.wholes[arrival.slice as usize];
            if this != whole {
                log += rough(whole, admitted);
                (admitted, whole) = (0, this);
                if log < worst {
                    return log;
                }
            }
            let decided = limiter.admit_at(arrival.at + ahead, self.weight(arrival));
            admitted += u32::from(arrival.is_known && decided != Admission::Refuse);
            // It gets no fewer.
            if admitted > trace.slices[whole].admitted && log + rough(whole, admitted) < worst {
                return log - ROUGHLY_OFF;
            }
        }
        log + rough(whole, admitted)
    }

    /// What it would have made of a trace, by so many draws.
    pub fn expect(&self, trace: &Replayable, draws: usize) -> SliceCounts {
        let mut expected: SliceCounts = vec![Default::default(); trace.slices.len()];
        let mut counts = vec![(0u32, 0u64); trace.slices.len()];
        let all = draws.min(trace.draws.len()) as f64;
        let (ahead, begins) = (self.ahead(), self.begins(trace));
        for draw in trace.draws.iter().take(draws) {
            counts.fill((0, 0));
            let mut limiter = self.counter();
            for (index, arrival) in draw.iter().enumerate() {
                let at = match begins {
                    Some(begins) if index == 0 => begins,
                    begins => arrival.at.max(begins.unwrap_or(0)),
                };
                let (admitted, held) = match limiter.admit_at(at + ahead, self.weight(arrival)) {
                    Admission::Refuse => (0, 0),
                    Admission::Admit => (1, 0),
                    Admission::AdmitAfter(wait) => (1, nanoseconds(wait).saturating_sub(trace.held_ns)),
                };
                if arrival.is_known {
                    let count = &mut counts[arrival.slice as usize];
                    *count = (count.0 + admitted, count.1 + held);
                }
            }
            // What is in a part is in the whole, which comes before its parts.
            for (slice, whole) in trace.wholes.iter().enumerate().filter(|(slice, whole)| slice != *whole) {
                let (part, all) = (counts[slice], counts[*whole]);
                counts[*whole] = (all.0 + part.0, all.1 + part.1);
            }
            for ((one, other), (admitted, held)) in expected.iter_mut().zip(&counts) {
                one.add(f64::from(*admitted), all);
                other.add(each(*held, *admitted), all);
            }
        }
        for ((admitted, held), slice) in expected.iter_mut().zip(&trace.slices) {
            admitted.finish();
            held.finish();
            // Where each call takes what has come free, it hangs on every gap between two calls how many are admitted.
            if self.counts_rejected && slice.is_beyond && self.algorithm.burst().is_some() {
                admitted.variance += (admitted.mean * GAPS).powi(2);
            }
        }
        expected
    }
}

/// Milliseconds for which each of some admitted calls was held back, of nanoseconds in all.
fn each(held: u64, admitted: u32) -> f64 {
    held as f64 / 1e6 / f64::from(admitted.max(1))
}

impl Likelihood {
    /// How well what was expected explains what came of a trace; `common` is what the leading suspect expected of it.
    pub fn by(expected: &SliceCounts, trace: &Replayable, common: &SliceCounts) -> Likelihood {
        let mut explained = Likelihood::default();
        for ((slice, (admitted, held)), (common_admitted, common_held)) in trace.slices.iter().zip(expected).zip(common) {
            let mut log = admitted.log(slice.admitted, slice.asked, common_admitted.variance);
            if slice.held > 0 || held.mean > 0.0 {
                log += held.log_held(each(slice.held, slice.admitted), slice.admitted, common_held.variance);
            }
            explained.log += if slice.is_half { log / 2.0 } else { log };
            explained.off += (f64::from(slice.admitted) - admitted.mean).abs();
            explained.slices += 1;
            let off = f64::from(slice.admitted) - admitted.mean;
            if off.abs() > 1.0 + FAR * admitted.whole_variance().sqrt() {
                explained.odd += 1;
                explained.fewer += (-off).max(0.0);
            }
        }
        explained
    }
}

impl std::ops::AddAssign for Likelihood {
    fn add_assign(&mut self, other: Likelihood) {
        self.log += other.log;
        self.odd += other.odd;
        self.fewer += other.fewer;
        self.slices += other.slices;
        self.off += other.off;
    }
}
