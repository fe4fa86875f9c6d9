//! How sure it is which limiter the target has.

use super::suspect::Suspect;
use super::weighing::is_same_class;
use super::{SURE, Weighed};
use crate::model::limiter::Algorithm;

/// It is gone on until it is so sure: a single slice that came out odd, by a stall, must not settle it.
const SETTLED: f64 = 0.999_999;
/// A bucket's rate is named once it is so sure.
const SURE_NUMBER: f64 = 0.9;
/// Rates that differ by less are hardly different.
const CLOSE_RATES: f64 = 0.03;

/// How sure it is that the target has the first of these, or one of its kind with a rate that is hardly another.
pub fn confidence(weighed: &[Weighed]) -> f64 {
    let Some(first) = weighed.first() else { return 0.0 };
    weighed.iter().filter(|other| is_nearly(&first.suspect, &other.suspect)).map(|other| other.weight).sum()
}

/// Whether two are the same but for a bucket's rate that is off by a few percent.
pub fn is_nearly(one: &Suspect, other: &Suspect) -> bool {
    let is_close = one.algorithm.burst().is_some() && (one.rate() / other.rate() - 1.0).abs() < CLOSE_RATES;
    is_same_class(one, &Suspect { limit: if is_close { one.limit } else { other.limit }, ..*other })
}

/// Whether the kind is settled, and its numbers nearly so. A refill at intervals is a window that begins when the first call came: that an
/// aligned one happens to do so, no probe rules out.
pub fn is_settled(weighed: &[Weighed]) -> bool {
    let Some(first) = weighed.first() else { return false };
    let begins_by_chance = |algorithm| matches!(algorithm, Algorithm::IntervalRefill | Algorithm::FixedWindowAligned { .. });
    let twins = weighed.iter().filter(|other| {
        let algorithms = [first.suspect.algorithm, other.suspect.algorithm];
        algorithms.into_iter().all(begins_by_chance) && !is_nearly(&first.suspect, &other.suspect)
    });
    let twins: f64 = twins.map(|twin| twin.weight).sum();
    let sure = confidence(weighed);
    sure >= SURE && sure + twins >= SETTLED && first.weight >= SURE_NUMBER
}
