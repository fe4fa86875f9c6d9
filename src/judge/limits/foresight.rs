//! What a probe would come to, by each of the suspects that are left: so it is known which probe tells most.

use std::time::Duration;

use super::Weighed;
use super::probe::{Probe, ProbeStage};
use super::suspect::Suspect;
use super::trace::Trace;
use crate::clock::nanoseconds;
use crate::model::limiter::{Admission, Limiter};

/// Of so many suspects it is foreseen.
pub const FORESEEN: usize = 8;
/// A suspect that is less likely has to be ruled out, too.
const LEAST_WEIGHT: f64 = 0.003;
/// A probe begins so long after the last reply, in nanoseconds.
const PAUSE_NS: u64 = 10_000_000;

/// How much the suspects disagree on what a probe comes to: the entropy of its outcomes, in bits. Where all probes come to one
/// counter, `before` is what this one has seen.
pub fn bits(weighed: &[Weighed], before: Option<&Trace>, probe: &Probe) -> f64 {
    let mut outcomes: Vec<(Vec<f64>, f64)> = Vec::new();
    for weighed in weighed.iter().take(FORESEEN) {
        let foreseen = foresee(&weighed.suspect, before, probe);
        let weight = weighed.weight.max(LEAST_WEIGHT);
        match outcomes.iter_mut().find(|(other, _)| is_alike(other, &foreseen)) {
            Some((_, sum)) => *sum += weight,
            None => outcomes.push((foreseen, weight)),
        }
    }
    let all: f64 = outcomes.iter().map(|(_, weight)| weight).sum();
    outcomes.iter().map(|(_, weight)| -(weight / all) * (weight / all).log2()).sum()
}

/// What a suspect would make of a probe: of each stage, calls admitted in its quarters, and in all.
fn foresee(suspect: &Suspect, before: Option<&Trace>, probe: &Probe) -> Vec<f64> {
    let mut limiter = suspect.counter();
    let calls = before.into_iter().flat_map(|trace| &trace.calls);
    for call in calls.clone() {
        limiter.admit(suspect.clock(u64::midpoint(call.sent, call.received)), suspect.unit.weight(call.pairs));
    }
    let mut now = calls.map(|call| call.received).max().unwrap_or(0) + PAUSE_NS;
    let mut foreseen = Vec::new();
    for stage in &probe.stages {
        now += nanoseconds(stage.rest);
        foreseen.extend(foresee_stage(suspect, &mut limiter, &mut now, stage));
    }
    foreseen
}

/// How long a suspect remembers, which admits so many calls at once.
pub fn lasting(suspect: &Suspect, level: u64) -> Duration {
    match suspect.algorithm.burst() {
        Some(_) => Duration::from_secs_f64((level as f64 / suspect.rate()).max(0.05)),
        None => suspect.window,
    }
}

/// Plays a stage; gives the calls admitted in each of its quarters, and in all.
fn foresee_stage(suspect: &Suspect, limiter: &mut Limiter, now: &mut u64, stage: &ProbeStage) -> [f64; 5] {
    let gap = nanoseconds(stage.gap());
    let mut admitted = [0.0; 5];
    let mut refused = 0;
    for index in 0..stage.calls {
        if index > 0 {
            *now += gap;
        }
        match limiter.admit(suspect.clock(*now), suspect.unit.weight(stage.pairs)) {
            Admission::Refuse => refused += 1,
            Admission::Admit | Admission::AdmitAfter(_) => {
                admitted[4] += 1.0;
                admitted[usize::try_from(index * 4 / stage.calls).unwrap_or(3)] += 1.0;
            }
        }
        if stage.enough.is_some_and(|enough| refused >= enough) {
            break;
        }
    }
    admitted
}

/// Whether two outcomes could be taken for each other.
fn is_alike(one: &[f64], other: &[f64]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() <= 1.5 + 0.0015 * one.max(*other))
}
