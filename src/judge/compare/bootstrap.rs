//! Two runs alone, by their seconds: a moving-block bootstrap (Künsch 1989), of the same seconds of both, since both followed one plan.
//!
//! What differs from run to run, and not from second to second, it cannot see.

use std::collections::{BTreeMap, BTreeSet};

use super::metric::Metric;
use super::permute::ERROR;
use super::student;
use crate::random::Random;

const DRAWS: usize = 600;
/// Longer runs are looked at in stretches of several seconds.
const MOST_STRETCHES: usize = 600;
/// What one second does to the next has to stay together: a block is so many stretches, or of a short run a sixth, of a long one a
/// twentieth of all.
const BLOCK: usize = 10;
const FEWEST_BLOCKS: usize = 6;
const USUAL_BLOCKS: usize = 20;
const MANY: f64 = 1e6;
/// Fewer seconds say nothing.
pub const LEAST_SECONDS: usize = 10;

/// What one second of a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecondSeen {
    pub accepted: u64,
    /// Microseconds, and how many calls took so long; the shortest first.
    pub times: Vec<(u64, u64)>,
}

/// How the logarithm of a ratio scatters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scatter {
    pub low: f64,
    pub high: f64,
    pub deviation: f64,
}

/// The scatter of each metric's ratio, of those that seconds show.
pub fn scatters(base: &[SecondSeen], new: &[SecondSeen], seed: u64) -> Vec<(Metric, Scatter)> {
    let seconds = base.len().min(new.len());
    if seconds < LEAST_SECONDS {
        return Vec::new();
    }
    let each = seconds.div_ceil(MOST_STRETCHES);
    let [base, new] = [base, new].map(|run| Stretches::new(&run[..seconds], each));
    let stretches = base.counts.len();
    let block = (stretches / FEWEST_BLOCKS).clamp(1, BLOCK).max(stretches / USUAL_BLOCKS);
    let mut random = Random::seeded(seed);
    let mut ratios = vec![Vec::with_capacity(DRAWS); Metric::OF_SECONDS.len()];
    for _ in 0..DRAWS {
        let starts: Vec<usize> = (0..stretches.div_ceil(block)).map(|_| random.below(stretches - block + 1)).collect();
        let [base, new] = [&base, &new].map(|run| run.drawn(&starts, block));
        for ((base, new), ratios) in base.iter().zip(&new).zip(&mut ratios) {
            ratios.extend(base.zip(*new).map(|(base, new)| (new / base).ln()));
        }
    }
    let whole = ratios.into_iter().zip(Metric::OF_SECONDS).filter(|(ratios, _)| ratios.len() == DRAWS);
    whole.map(|(ratios, metric)| (metric, scatter(ratios, stretches / block))).collect()
}

/// To a fifth of a percent, so that few times occur: both sides are rounded alike.
fn rounded(time: u64) -> u64 {
    const BITS: u32 = 9;
    let lost = (u64::BITS - time.leading_zeros()).saturating_sub(BITS);
    time >> lost << lost
}

/// A run's stretches, as counts of calls by the times that occur in it.
struct Stretches {
    times: Vec<u64>,
    /// Accepted calls, and by the place of each time in `times`, how many calls.
    counts: Vec<(u64, Vec<(usize, u64)>)>,
}

impl Stretches {
    fn new(seconds: &[SecondSeen], each: usize) -> Stretches {
        let stretches = seconds.chunks(each).map(|stretch| {
            let mut calls: BTreeMap<u64, u64> = BTreeMap::new();
            for (time, more) in stretch.iter().flat_map(|second| &second.times) {
                *calls.entry(rounded(*time)).or_default() += more;
            }
            (stretch.iter().map(|second| second.accepted).sum::<u64>(), calls)
        });
        let stretches: Vec<_> = stretches.collect();
        let times: BTreeSet<u64> = stretches.iter().flat_map(|(_, calls)| calls.keys().copied()).collect();
        let times: Vec<u64> = times.into_iter().collect();
        let place = |time: u64| times.partition_point(|known| *known < time);
        let placed = |calls: BTreeMap<u64, u64>| calls.into_iter().map(|(time, calls)| (place(time), calls)).collect();
        let counts = stretches.into_iter().map(|(accepted, calls)| (accepted, placed(calls))).collect();
        Stretches { times, counts }
    }

    /// The metrics of a run that is made of these blocks.
    fn drawn(&self, starts: &[usize], block: usize) -> [Option<f64>; Metric::OF_SECONDS.len()] {
        let (mut accepted, mut calls) = (0, vec![0; self.times.len()]);
        for (of_stretch, times) in starts.iter().flat_map(|start| &self.counts[*start..start + block]) {
            accepted += of_stretch;
            for (place, more) in times {
                calls[*place] += more;
            }
        }
        let all: u64 = calls.iter().sum();
        let mut at = (0, calls.first().copied().unwrap_or_default());
        // The shares grow, so that each goes on where the one before it ended.
        let mut quantile = |share: f64| {
            while (at.1 as f64) < share * all as f64 && at.0 + 1 < calls.len() {
                at = (at.0 + 1, at.1 + calls[at.0 + 1]);
            }
            (all > 0).then(|| self.times[at.0].max(1) as f64)
        };
        Metric::OF_SECONDS.map(|metric| match metric.share() {
            Some(share) => quantile(share),
            None => (accepted > 0).then_some(accepted as f64),
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a list of draws")]
fn scatter(mut ratios: Vec<f64>, blocks: usize) -> Scatter {
    ratios.sort_by(f64::total_cmp);
    let outside = (ERROR * ratios.len() as f64) as usize;
    let mean = student::mean(&ratios);
    let deviation = (student::squares(&ratios, mean) / (ratios.len() - 1) as f64).sqrt();
    // A few blocks scatter less than what they are drawn from, by about as much as Student's t is wider than its limit.
    let few = (blocks - 1).max(1) as f64;
    let wider = student::upper_quantile(ERROR, few) / student::upper_quantile(ERROR, MANY);
    let stretched = |bound: f64| mean + (bound - mean) * wider;
    Scatter { low: stretched(ratios[outside]), high: stretched(ratios[ratios.len() - 1 - outside]), deviation: deviation * wider }
}
