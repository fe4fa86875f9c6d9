//! What a probe would come to, by each of the suspects that are left: so it is known which probe tells most.

use std::time::Duration;

use super::Weighed;
use super::probe::{Probe, ProbeStage};
use super::suspect::{Spread, Suspect};
use super::trace::Trace;
use crate::clock::nanoseconds;
use crate::model::limiter::{Admission, Limiter};
use crate::random::Random;

/// Of so many suspects it is foreseen.
pub const FORESEEN: usize = 12;
/// So often it is drawn when each call will arrive.
const FORESEEN_DRAWS: usize = 3;
/// What is so much less likely than the first is not foreseen.
const NEGLIGIBLE: f64 = 1e-7;
/// A suspect that is less likely has to be ruled out, too.
const LEAST_WEIGHT: f64 = 0.003;
/// A probe begins so long after the last reply, in nanoseconds.
const PAUSE_NS: u64 = 10_000_000;
/// Outcomes whose means are off by less than so many deviations may be taken for each other.
const APART: f64 = 2.0;
/// And those that are off by so many calls: of none, for each call more, and at the most.
const ALIKE: (f64, f64, f64) = (0.4, 0.04, 0.8);

/// What the likely suspects expect of probes that have yet to be sent.
pub struct Foresight {
    /// The likely suspects, each with a counter that the probe will come to, and how likely it is.
    counters: Vec<(Suspect, Limiter, f64)>,
    /// When a probe would begin, in nanoseconds.
    begins: u64,
    /// How long calls take there at the most, in nanoseconds.
    way: u64,
}

/// For each draw and each stage of a probe: when its calls arrive, in nanoseconds since the stage's beginning, in their order.
type ArrivalDraws = Vec<Vec<Vec<u64>>>;

impl Foresight {
    /// Where all probes come to one counter, `before` is what this one has seen.
    pub fn of(weighed: &[Weighed], before: Option<&Trace>, way: u64) -> Foresight {
        let calls = before.into_iter().flat_map(|trace| &trace.calls);
        let used = |Weighed { suspect, weight }: Weighed| {
            let mut used = suspect.counter();
            for call in calls.clone() {
                used.admit_at(suspect.clock(u64::midpoint(call.sent, call.received)), suspect.unit.weight(call.pairs));
            }
            (suspect, used, weight.max(LEAST_WEIGHT))
        };
        let begins = calls.clone().map(|call| call.received).max().unwrap_or(0) + PAUSE_NS;
        Foresight { counters: representatives(weighed).into_iter().map(used).collect(), begins, way }
    }

    fn arrivals(&self, probe: &Probe) -> ArrivalDraws {
        let way = self.way;
        let mut random = Random::named(way, &probe.name);
        let mut arrivals = |stage: &ProbeStage| {
            let gap = nanoseconds(stage.gap());
            let mut arrivals: Vec<u64> =
                (0..stage.calls).map(|index| index * gap + random.below(usize::try_from(way).unwrap_or(0) + 1) as u64).collect();
            arrivals.sort_unstable();
            arrivals
        };
        (0..FORESEEN_DRAWS).map(|_| probe.stages.iter().map(&mut arrivals).collect()).collect()
    }

    /// How much the suspects disagree on what a probe comes to: the entropy of its outcomes, in bits.
    pub fn bits(&self, probe: &Probe) -> f64 {
        let arrivals = self.arrivals(probe);
        let mut outcomes: Vec<(Vec<Spread>, f64)> = Vec::new();
        for (suspect, used, weight) in &self.counters {
            let foreseen = self.foresee(probe, &arrivals, suspect, used);
            match outcomes.iter_mut().find(|(other, _)| is_alike(other, &foreseen)) {
                Some((_, sum)) => *sum += *weight,
                None => outcomes.push((foreseen, *weight)),
            }
        }
        let all: f64 = outcomes.iter().map(|(_, weight)| weight).sum();
        outcomes.iter().map(|(_, weight)| -(weight / all) * (weight / all).log2()).sum()
    }

    /// What a suspect would make of it: of each stage, calls admitted in its quarters, and in all.
    fn foresee(&self, probe: &Probe, arrivals: &ArrivalDraws, suspect: &Suspect, used: &Limiter) -> Vec<Spread> {
        let mut foreseen = vec![Spread::default(); probe.stages.len() * 5];
        for draw in arrivals {
            let (mut limiter, mut now) = (used.clone(), self.begins);
            for (at, (stage, arrivals)) in probe.stages.iter().zip(draw).enumerate() {
                now += nanoseconds(stage.rest);
                let admitted = foresee_stage(suspect, &mut limiter, &mut now, stage, arrivals);
                for (spread, admitted) in foreseen[at * 5..].iter_mut().zip(admitted) {
                    spread.add(f64::from(admitted), FORESEEN_DRAWS as f64);
                }
            }
        }
        foreseen.iter_mut().for_each(Spread::finish);
        foreseen
    }
}

/// The likeliest, and of the others some over all their rates: neighbours foresee the same.
fn representatives(weighed: &[Weighed]) -> Vec<Weighed> {
    let Some(first) = weighed.first() else { return Vec::new() };
    let mut others: Vec<Weighed> =
        weighed[1..].iter().filter(|other| other.weight > first.weight * NEGLIGIBLE).copied().collect();
    others.sort_by(|one, other| one.suspect.rate().total_cmp(&other.suspect.rate()));
    let step = others.len().div_ceil(FORESEEN - 1).max(1);
    std::iter::once(*first).chain(others.into_iter().step_by(step)).collect()
}

/// How long a suspect remembers, which admits so many calls at once.
pub fn lasting(suspect: &Suspect, level: u64) -> Duration {
    match suspect.algorithm.burst() {
        Some(_) => Duration::from_secs_f64((level as f64 / suspect.rate()).max(0.05)),
        None => suspect.window,
    }
}

/// Plays a stage; gives the calls admitted in each of its quarters, and in all.
fn foresee_stage(suspect: &Suspect, limiter: &mut Limiter, now: &mut u64, stage: &ProbeStage, arrivals: &[u64]) -> [u32; 5] {
    let mut admitted = [0; 5];
    let (mut refused, mut last) = (0, 0);
    for (index, arrival) in (0..).zip(arrivals) {
        last = *arrival;
        match limiter.admit_at(suspect.clock(*now + arrival), suspect.unit.weight(stage.pairs)) {
            Admission::Refuse => refused += 1,
            Admission::Admit | Admission::AdmitAfter(_) => {
                admitted[4] += 1;
                admitted[usize::try_from(index * 4 / stage.calls).unwrap_or(3)] += 1;
            }
        }
        if stage.enough.is_some_and(|enough| refused >= enough) {
            break;
        }
    }
    *now += last;
    admitted
}

/// Whether two outcomes could be taken for each other.
fn is_alike(one: &[Spread], other: &[Spread]) -> bool {
    one.iter().zip(other).all(|(one, other)| {
        let chance = APART * (one.variance + other.variance).sqrt();
        let (none, each, most) = ALIKE;
        let mean = one.mean.max(other.mean);
        (one.mean - other.mean).abs() <= (none + each * mean).min(most) + chance
    })
}
