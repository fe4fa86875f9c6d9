//! Two runs alone, by their seconds: a moving-block bootstrap (Künsch 1989), of the same seconds of both, since both followed one plan.
//!
//! What differs from run to run, and not from second to second, it cannot see.

use super::metric::Metric;
use super::permute::ERROR;
use crate::random::Random;

const DRAWS: usize = 1000;
/// Longer runs are looked at in stretches of several seconds.
const MOST_STRETCHES: usize = 600;
/// A block is so many stretches, or a twentieth of all: what one second does to the next has to stay together.
const LEAST_BLOCK: usize = 5;
const BLOCKS: usize = 20;
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
    let block = LEAST_BLOCK.max(stretches / BLOCKS).min(stretches);
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
    whole.map(|(ratios, metric)| (metric, scatter(ratios))).collect()
}

/// A run's stretches, as counts of calls by the times that occur in it.
struct Stretches {
    times: Vec<u64>,
    /// Accepted calls, and by the place of each time in `times`, how many calls.
    counts: Vec<(u64, Vec<(usize, u64)>)>,
}

impl Stretches {
    fn new(seconds: &[SecondSeen], each: usize) -> Stretches {
        let mut times: Vec<u64> = seconds.iter().flat_map(|second| second.times.iter().map(|(time, _)| *time)).collect();
        times.sort_unstable();
        times.dedup();
        let place = |time: &u64| times.partition_point(|known| known < time);
        let counts = seconds.chunks(each).map(|stretch| {
            let calls = stretch.iter().flat_map(|second| second.times.iter().map(|(time, calls)| (place(time), *calls)));
            (stretch.iter().map(|second| second.accepted).sum(), calls.collect())
        });
        Stretches { counts: counts.collect(), times }
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
        let quantile = |share: f64| {
            let (mut below, wanted) = (0, (share * all as f64).ceil().clamp(1.0, (all as f64).max(1.0)));
            let place = calls.iter().position(|calls| {
                below += calls;
                below as f64 >= wanted
            });
            place.filter(|_| all > 0).map(|place| self.times[place].max(1) as f64)
        };
        Metric::OF_SECONDS.map(|metric| match metric.share() {
            Some(share) => quantile(share),
            None => (accepted > 0).then_some(accepted as f64),
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a list of draws")]
fn scatter(mut ratios: Vec<f64>) -> Scatter {
    ratios.sort_by(f64::total_cmp);
    let outside = (ERROR * ratios.len() as f64) as usize;
    let mean = super::student::mean(&ratios);
    let deviation = (super::student::squares(&ratios, mean) / (ratios.len() - 1) as f64).sqrt();
    Scatter { low: ratios[outside], high: ratios[ratios.len() - 1 - outside], deviation }
}
