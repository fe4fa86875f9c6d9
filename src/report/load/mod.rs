//! What a load run came to, as a report holds it.

pub mod build;
pub mod intervals;
pub mod live;
pub mod openmetrics;
pub mod text;

#[cfg(test)]
mod fixture;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::Class;
use crate::judge::load::capacity::{Searched, TrialVerdict};
use crate::judge::load::measured::MeasuredSecond;
use crate::judge::load::shards::ShardRun;
use crate::judge::load::tally::{Latency, Tally};

/// Phases whose curves can be told apart.
const MOST_CURVES: usize = 8;
/// Points of a curve for each halving of what lies beyond.
const TICKS: u32 = 4;

/// The part of a report that only a load run has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Name of the plan.
    pub plan: String,
    /// Tells plans of one name apart: of all that they send, and nothing that they only check.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan_fingerprint: String,
    pub title: String,
    pub threads: u32,
    pub phases: Vec<PhaseFigures>,
    /// The whole run.
    pub total: PhaseFigures,
    pub connections: ConnectionFigures,
    /// Processor time of the generator's threads for each call that was sent, the waiting for a due time included.
    pub cpu_us_per_request: f64,
    /// Why the run cannot be trusted; any of these makes it inconclusive.
    pub doubts: Vec<String>,
    /// Second by second.
    pub seconds: Vec<SecondFigures>,
    /// Times by percentile, of the whole run and of each of a few phases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<CurveFigures>,
    /// Clause to findings; the first few of each stand with their phases, in `scenarios`.
    pub findings_by_clause: BTreeMap<String, u64>,
    /// Messages read back after the run, and how many there are; absent where none could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_back: Option<ReadBackFigures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityFigures>,
    /// Of a load that several machines sent, each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardFigures>,
    /// How far two of their clocks may have been apart, in microseconds; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_us: Option<u64>,
}

/// What one of several machines had to do with a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Shard")]
pub struct ShardFigures {
    /// From 0.
    pub number: u32,
    pub sent: u64,
    pub lag_p99_us: u64,
    /// How much the target's clock was ahead of its own, and how much more or less it may have been, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_within_us: Option<u64>,
    /// Why nothing is known of what it was to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Counts and times of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Phase")]
pub struct PhaseFigures {
    pub name: String,
    /// Calls that were due.
    pub planned: u64,
    pub sent: u64,
    /// Left out because the generator was too late for them.
    pub skipped: u64,
    /// For which no connection came free before the run ended.
    pub unsent: u64,
    pub accepted: u64,
    /// Not done, and rightly: a key need not be as the last reply had left it, after a delete, a clear or a lost call.
    pub conflicts: u64,
    pub refused: u64,
    pub errors: u64,
    pub lost: u64,
    /// Calls sent a second of the phase's actual time.
    pub rate: f64,
    /// When the phase was planned to begin, since the start of the run; a trial of a search has no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_s: Option<f64>,
    pub elapsed_ms: u64,
    /// Code to replies.
    pub codes: BTreeMap<String, u64>,
    /// Cause to calls without a reply.
    pub losses: BTreeMap<String, u64>,
    /// Sending minus the time from which the call could have been sent: the generator's own.
    pub lag_us: Times,
    /// Time in line for a connection.
    pub connection_wait_us: Times,
    /// Received minus sent.
    pub service_us: Times,
    /// Received minus due.
    pub response_us: Times,
    pub service_by_class: BTreeMap<String, Times>,
    pub response_by_class: BTreeMap<String, Times>,
}

/// Percentiles in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    pub count: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    /// Times over a minute, which count as a minute here.
    pub beyond_range: u64,
}

/// One kind of time at ever finer percentiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Curve")]
pub struct CurveFigures {
    /// `response`, `service`, `connection wait` or `lag`.
    pub of: String,
    /// The phase whose response it is; absent for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Percentile, and microseconds.
    pub points: Vec<(f64, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Connections")]
pub struct ConnectionFigures {
    pub opened: u64,
    pub reopened: u64,
    /// Cause to connections.
    pub lost: BTreeMap<String, u64>,
}

/// What replies came in one second, and what was sent in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Second")]
pub struct SecondFigures {
    pub t_s: u64,
    pub sent: u64,
    pub accepted: u64,
    pub refused: u64,
    pub errors: u64,
    pub lost: u64,
    pub response_p50_us: u64,
    pub response_p99_us: u64,
    pub lag_p99_us: u64,
    /// All response times in microseconds: an HDR histogram in its V2 form, deflated, in base 64; absent where no reply came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response_hdr: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReadBack")]
pub struct ReadBackFigures {
    pub read: usize,
    pub messages: usize,
}

/// How much the target bears: between the two rates its service level breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Capacity")]
pub struct CapacityFigures {
    pub slo: Vec<String>,
    /// Calls a second at which a long trial passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes_at: Option<f64>,
    /// Calls a second at which trials failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_at: Option<f64>,
    /// `target`, `generator`, `limiter`, or `nothing` where the highest rate passed.
    pub limited_by: String,
    /// Every trial, in order.
    pub curve: Vec<TrialFigures>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trial")]
pub struct TrialFigures {
    /// Calls a second that were offered.
    pub rate: f64,
    /// Calls a second that were accepted.
    pub achieved: f64,
    /// A long trial, at the end.
    pub confirms: bool,
    pub passed: bool,
    pub response_us: Times,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A check with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Check")]
pub struct CheckEntry {
    /// The check as it was written, after the phase's name where it is a phase's.
    pub name: String,
    /// Absent where there was nothing to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    pub actual: String,
}

impl PhaseFigures {
    pub fn new(name: &str, tally: &Tally, elapsed: Duration) -> PhaseFigures {
        let by_class = |times: &[Latency; Class::COUNT]| {
            let times = Class::ALL.into_iter().map(|class| (class.word().to_owned(), Times::new(&times[class as usize])));
            times.filter(|(_, times)| times.count > 0).collect()
        };
        PhaseFigures {
            name: name.to_owned(),
            planned: tally.planned,
            sent: tally.sent,
            skipped: tally.skipped,
            unsent: tally.unsent,
            accepted: tally.of(Class::Accepted),
            conflicts: tally.of(Class::Conflict),
            refused: tally.of(Class::Refused),
            errors: tally.of(Class::Error),
            lost: tally.of(Class::Lost),
            rate: if elapsed.is_zero() { 0.0 } else { tally.sent as f64 / elapsed.as_secs_f64() },
            start_s: None,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            codes: tally.codes.iter().map(|(code, calls)| (code.to_string(), *calls)).collect(),
            losses: tally.losses.clone(),
            lag_us: Times::new(&tally.lag),
            connection_wait_us: Times::new(&tally.wait),
            service_us: Times::new(&tally.service(None)),
            response_us: Times::new(&tally.response(None)),
            service_by_class: by_class(&tally.service),
            response_by_class: by_class(&tally.response),
        }
    }
}

impl CapacityFigures {
    /// `phases` are the trials.
    pub fn new(searched: &Searched, phases: &[PhaseFigures]) -> CapacityFigures {
        let Searched { slo, capacity, whys } = searched;
        let trials = capacity.curve.iter().zip(phases).zip(whys);
        let curve = trials.map(|((trial, phase), why)| TrialFigures {
            rate: trial.rate,
            achieved: trial.outcome.achieved,
            confirms: trial.confirm,
            passed: trial.outcome.verdict == TrialVerdict::Passed,
            response_us: phase.response_us.clone(),
            why: why.clone(),
        });
        CapacityFigures {
            slo: slo.iter().map(|check| check.text.clone()).collect(),
            passes_at: capacity.passes_at,
            fails_at: capacity.fails_at,
            limited_by: capacity.limited_by.word().to_owned(),
            curve: curve.collect(),
        }
    }
}

impl ShardFigures {
    pub fn new(run: &ShardRun) -> ShardFigures {
        ShardFigures {
            number: run.number,
            sent: run.sent,
            lag_p99_us: in_us(run.lag_p99),
            clock_offset_us: run.clock.map(|clock| clock.middle_ns() / 1000),
            clock_within_us: run.clock.map(|clock| in_us(clock.within())),
            why: run.failed.clone(),
        }
    }
}

impl Times {
    pub fn new(times: &Latency) -> Times {
        if times.count() == 0 {
            return Times::default();
        }
        Times {
            count: times.count(),
            mean: (times.mean().as_secs_f64() * 1e7).round() / 10.0,
            p50: in_us(times.quantile(0.5)),
            p90: in_us(times.quantile(0.9)),
            p99: in_us(times.quantile(0.99)),
            p999: in_us(times.quantile(0.999)),
            max: in_us(times.max()),
            beyond_range: times.beyond(),
        }
    }
}

/// The curves of a run, and those of its phases where they are few enough to be told apart.
pub fn curves<'a>(total: &Tally, phases: impl Iterator<Item = (&'a str, &'a Tally)>) -> Vec<CurveFigures> {
    let (response, service) = (total.response(None), total.service(None));
    let whole = [("response", &*response), ("service", &*service), ("connection wait", &total.wait), ("lag", &total.lag)];
    let whole = whole.into_iter().map(|(of, times)| CurveFigures { of: of.to_owned(), phase: None, points: points(times) });
    let phases: Vec<(&str, &Tally)> = phases.filter(|(_, tally)| tally.sent > 0).collect();
    let phases = if (2..=MOST_CURVES).contains(&phases.len()) { phases } else { Vec::new() };
    let phases = phases.into_iter().map(|(name, tally)| CurveFigures {
        of: "response".to_owned(),
        phase: Some(name.to_owned()),
        points: points(&tally.response(None)),
    });
    whole.chain(phases).filter(|curve| !curve.points.is_empty()).collect()
}

fn points(times: &Latency) -> Vec<(f64, u64)> {
    let mut points: Vec<(f64, u64)> = Vec::new();
    for step in times.histogram().iter_quantiles(TICKS) {
        let percentile = (step.quantile_iterated_to() * 1e8).round() / 1e6;
        // A stretch of one value is a line between two points.
        if let [.., (_, before), (end, last)] = &mut points[..]
            && *before == step.value_iterated_to()
            && before == last
        {
            *end = percentile;
        } else {
            points.push((percentile, step.value_iterated_to()));
        }
    }
    points
}

impl SecondFigures {
    pub fn new(second: &MeasuredSecond) -> SecondFigures {
        SecondFigures {
            t_s: second.at_s,
            sent: second.sent,
            accepted: second.accepted,
            refused: second.refused,
            errors: second.errors,
            lost: second.lost,
            response_p50_us: in_us(second.response_p50),
            response_p99_us: in_us(second.response_p99),
            lag_p99_us: in_us(second.lag_p99),
            response_hdr: second.response.clone(),
        }
    }
}

fn in_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::fixture::tally;
    use super::*;

    #[test]
    fn a_curve_goes_up_to_the_longest_time_and_phases_have_one_where_they_are_few() {
        let tally = tally(1000, 0);
        let of = |phases: usize| curves(&tally, (0..phases).map(|_| ("a", &tally)));
        let response = of(2).swap_remove(0);
        assert_eq!((response.of.as_str(), &response.phase), ("response", &None));
        assert_eq!(response.points.last(), Some(&(100.0, in_us(tally.response(None).max()))));
        assert!(response.points.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{:?}", response.points);
        let phases = |curves: Vec<CurveFigures>| curves.iter().filter(|curve| curve.phase.is_some()).count();
        assert_eq!([1, 2, 8, 9].map(|count| phases(of(count))), [0, 2, 8, 0]);
    }
}
