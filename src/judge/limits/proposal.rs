//! Which limiters come into question at all: their numbers are read off what was seen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::suspect::Suspect;
use super::trace::{ProbedCall, Trace};
use crate::clock::nanoseconds;
use crate::judge::limiter::Decision;
use crate::model::limiter::{Algorithm, Unit};

/// Windows that people choose, in milliseconds.
const USUAL_WINDOWS_MS: &[u64] = &[
    100, 200, 250, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000, 15_000, 20_000, 24_000, 30_000, 40_000,
    45_000, 50_000, 60_000, 90_000, 100_000, 120_000, 150_000, 180_000, 200_000, 240_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000,
];
const MINUTE: Duration = Duration::from_mins(1);

/// A stage after which so much of the limit was free again has seen it recover.
pub const RECOVERED: f64 = 0.85;
/// A limit that is free again after a rest may have a window that is so many times shorter.
const SHORTER: f64 = 6.0;
/// A window's circle is looked at in so many places for its beginning.
const PLACES: usize = 360;
/// Beginnings of a window that are tried.
const MOST_PHASES: usize = 5;
/// Rates, capacities and limits that are tried of each kind.
const MOST_NUMBERS: usize = 5;
/// Above so many calls a second a rate is taken to be whole.
const WHOLE_RATE: f64 = 100.0;

/// A stage of such a length is no burst.
const LONG_NS: u64 = 200_000_000;

const NS: f64 = 1e9;

/// A stretch of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct TimeStretch {
    from: u64,
    to: u64,
}

/// A rate in calls a second, as far as it is known.
#[derive(Clone, Copy, Debug)]
struct Interval {
    least: f64,
    most: f64,
}

/// What the first stage of all came to; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Fill {
    admitted: u64,
    /// From its first call to its last.
    took: u64,
    /// To the first one that was refused, about.
    met: u64,
}

/// What was seen of a limit, whatever its kind.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls admitted by a stage that ended in refusals, most frequent first.
    levels: Vec<u64>,
    fill: Option<Fill>,
    /// What a call takes that nothing holds back, in seconds.
    way: f64,
    /// How long it may take until all is free again, at least and at most.
    pub recovery: Option<(Duration, Duration)>,
    /// In each of these a window began, if there are windows.
    beginnings: Vec<TimeStretch>,
    /// In none of these did one begin.
    full: Vec<TimeStretch>,
    /// Calls a second that come free, at least and at most; and where refused calls count.
    rate: Option<Interval>,
    rested_rate: Option<Interval>,
    /// The shortest rest, in seconds, after which all was free again.
    full_after: f64,
    /// Calls a second that a stage of some length had admitted, at the most.
    admitted_rate: f64,
}

impl Seen {
    pub fn of(traces: &[Trace]) -> Seen {
        let mut seen = Seen::default();
        let mut levels: BTreeMap<u64, usize> = BTreeMap::new();
        for trace in traces {
            for stage in 0..trace.stages() {
                let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
                let admitted = count(&calls, Decision::Admitted);
                let length = calls.last().zip(calls.first()).map_or(0, |(last, first)| last.sent - first.sent);
                if trace.goes_on(stage) && length > LONG_NS {
                    seen.admitted_rate = seen.admitted_rate.max(admitted as f64 / (length as f64 / NS));
                }
                if count(&calls, Decision::Refused) == 0 {
                    continue;
                }
                if calls[0].pairs == 1 && admitted > 0 {
                    *levels.entry(admitted).or_default() += 1;
                    // The first stage that was ever refused has met a limit that nobody had used.
                    if seen.fill.is_none() {
                        let met = length * admitted / calls.len() as u64;
                        seen.fill = Some(Fill { admitted, took: length, met });
                    }
                }
            }
        }
        let mut levels: Vec<(u64, usize)> = levels.into_iter().collect();
        levels.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        seen.levels = levels.into_iter().map(|(level, _)| level).collect();
        for trace in traces {
            seen.way = seen.way.max(trace.usual_way() as f64 / NS);
            seen.stretches(trace);
        }
        seen.recovery = recovery(traces, seen.level().unwrap_or(0));
        seen.full_after = seen.recovery.map_or(0.0, |(shortest, _)| shortest.as_secs_f64() * SHORTER);
        [seen.rate, seen.rested_rate] = rates(traces, seen.level().unwrap_or(0));
        seen
    }

    /// Calls that a limit that nobody had used admitted at once.
    pub fn level(&self) -> Option<u64> {
        self.fill.map(|fill| fill.admitted)
    }

    /// Where windows began, and where none did: a refused call is followed by an admitted one only where one has begun.
    fn stretches(&mut self, trace: &Trace) {
        let admitted = trace.calls.iter().filter(|call| call.decision == Decision::Admitted).map(|call| call.sent);
        let admitted: Vec<u64> = admitted.collect();
        let way = trace.usual_way();
        // A call that was refused beside an admitted one may have come after it.
        let is_alone = |call: &ProbedCall| {
            let next = admitted.partition_point(|sent| *sent + way < call.sent);
            admitted.get(next).is_none_or(|sent| *sent > call.received)
        };
        let mut waiting: VecDeque<&ProbedCall> = VecDeque::new();
        let mut full: Option<TimeStretch> = None;
        for call in &trace.calls {
            match call.decision {
                Decision::Refused => {
                    let from = full.filter(|_| is_alone(call)).map_or(call.received, |full| full.from);
                    full = Some(TimeStretch { from, to: call.sent });
                    waiting.push_back(call);
                }
                Decision::Admitted => {
                    self.full.extend(full.take());
                    // Only what was answered before this call was sent has surely come before it.
                    let mut before = None;
                    while let Some(refused) = waiting.pop_front_if(|refused| refused.received < call.sent) {
                        before = Some(refused);
                    }
                    self.beginnings.extend(before.map(|refused| TimeStretch { from: refused.sent, to: call.received }));
                }
                Decision::Unknown | Decision::Lost => {}
            }
        }
        self.full.extend(full);
        self.full.retain(|full| full.from < full.to);
    }

    /// Calls a second that come free at the most, as far as that was seen.
    pub fn most_free(&self) -> f64 {
        self.rate.map_or(0.0, |rate| rate.most).max(self.admitted_rate)
    }

    /// Every limiter that may explain it, whatever its unit.
    pub fn suspects(&self) -> Vec<Suspect> {
        let windows = self.windows();
        let limits = self.limits();
        let mut suspects = Vec::new();
        let mut add = |algorithm, limit, window, phase| {
            for (counts_rejected, unit) in [(false, Unit::Request), (true, Unit::Request), (false, Unit::Kv), (true, Unit::Kv)] {
                let suspect = Suspect { algorithm, limit, window, counts_rejected, unit, phase };
                if !counts_rejected || suspect.shows_rejected() {
                    suspects.push(suspect);
                }
            }
        };
        for window in &windows {
            for limit in &limits {
                for phase in self.phases(*window) {
                    add(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, *limit, *window, phase);
                }
                for phase in self.recent_beginnings(*window) {
                    add(Algorithm::SlidingCounter, *limit, *window, phase);
                }
                for algorithm in [Algorithm::FixedWindowAnchored, Algorithm::SlidingLog, Algorithm::IntervalRefill] {
                    add(algorithm, *limit, *window, 0);
                }
            }
        }
        for counts_rejected in [false, true] {
            for (a_minute, burst) in self.buckets(counts_rejected) {
                for algorithm in [Algorithm::TokenBucket { burst }, Algorithm::LeakyQueue { capacity: burst }] {
                    for unit in [Unit::Request, Unit::Kv] {
                        suspects.push(Suspect { algorithm, limit: a_minute, window: MINUTE, counts_rejected, unit, phase: 0 });
                    }
                }
            }
        }
        suspects
    }

    /// Rates in calls a minute, and what a bucket of each can hold.
    fn buckets(&self, counts_rejected: bool) -> Vec<(u64, u64)> {
        let rates = self.a_minute(counts_rejected);
        // Of a bucket that holds hardly more than one call much runs over between calls: more comes free than is seen.
        let seen = rates.last().copied().filter(|_| !counts_rejected && self.rate.is_some());
        let over = seen.into_iter().flat_map(|most| (1..9).map(move |times| whole(most as f64 * 1.1_f64.powi(times))));
        let small = over.flat_map(|a_minute| [(a_minute, 1), (a_minute, 2)]);
        let full = rates.iter().flat_map(|rate| self.bursts(*rate, counts_rejected).into_iter().map(|burst| (*rate, burst)));
        full.chain(small).collect()
    }

    fn windows(&self) -> Vec<Duration> {
        let Some((shortest, longest)) = self.recovery else { return Vec::new() };
        let usual = USUAL_WINDOWS_MS.iter().map(|ms| Duration::from_millis(*ms));
        let mut windows: Vec<Duration> = usual.filter(|window| (shortest..=longest).contains(window)).collect();
        for measured in self.periods() {
            let is_in = |window: &Duration| (window.as_secs_f64() - measured.0).abs() <= measured.1;
            if !windows.iter().any(is_in) {
                windows.push(roundest(measured.0 - measured.1, measured.0 + measured.1));
            }
        }
        windows
    }

    /// Between two beginnings that follow each other lies a window, or several: in seconds, and how much it may be off.
    fn periods(&self) -> Vec<(f64, f64)> {
        let (shortest, longest) = self.recovery.unwrap_or_default();
        let exact = self.beginnings.iter().filter(|stretch| stretch.to - stretch.from < 300_000_000);
        let exact: Vec<&TimeStretch> = exact.collect();
        let mut periods: Vec<(f64, f64)> = Vec::new();
        for pair in exact.windows(2) {
            let middle = |stretch: &TimeStretch| (stretch.from + stretch.to) as f64 / 2.0 / NS;
            let period = middle(pair[1]) - middle(pair[0]);
            let off = ((pair[0].to - pair[0].from) + (pair[1].to - pair[1].from)) as f64 / 2.0 / NS;
            let is_new = !periods.iter().any(|(other, _)| (other - period).abs() < off);
            if is_new && period > shortest.as_secs_f64() && period < longest.as_secs_f64() && period > 4.0 * off {
                periods.push((period, off));
            }
        }
        periods.truncate(3);
        periods
    }

    fn limits(&self) -> Vec<u64> {
        let mut limits = Vec::new();
        let first = self.level().unwrap_or(0);
        let smallest = self.levels.iter().copied().filter(|level| *level * 2 > first).min();
        for limit in [Some(first), self.levels.first().copied(), smallest].into_iter().flatten() {
            if limit > 0 && !limits.contains(&limit) {
                limits.push(limit);
            }
        }
        limits
    }

    /// Where windows of this length can have begun, in nanoseconds: wherever one did, and nowhere else.
    fn phases(&self, window: Duration) -> Vec<u64> {
        let length = nanoseconds(window);
        let place = length / PLACES as u64;
        let is_possible = |at: usize| {
            let phase = at as u64 * place;
            let begins = self
                .beginnings
                .iter()
                .all(|stretch| begins_in(phase, length, stretch.from.saturating_sub(place), stretch.to + place));
            begins && !self.full.iter().any(|full| begins_in(phase, length, full.from + place, full.to.saturating_sub(place)))
        };
        let possible: Vec<u64> = (0..PLACES).filter(|at| is_possible(*at)).map(|at| at as u64 * place).collect();
        spread(&possible, MOST_PHASES)
    }

    /// Where a window began, as the stretches tell that are shortest, or anywhere.
    fn recent_beginnings(&self, window: Duration) -> Vec<u64> {
        let length = nanoseconds(window);
        let mut narrow: Vec<&TimeStretch> =
            self.beginnings.iter().filter(|stretch| (stretch.to - stretch.from) * 8 < length).collect();
        narrow.sort_by_key(|stretch| stretch.to - stretch.from);
        let mut phases: Vec<u64> = Vec::new();
        for stretch in narrow {
            let phase = u64::midpoint(stretch.from, stretch.to) % length;
            if !phases.iter().any(|other| other.abs_diff(phase) * 40 < length) {
                phases.push(phase);
            }
        }
        phases.truncate(MOST_PHASES);
        phases.extend((0..16).map(|at| at * length / 16));
        phases
    }

    /// Rates that come into question, in calls a minute.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of what was sent")]
    fn a_minute(&self, counts_rejected: bool) -> Vec<u64> {
        let seen = if counts_rejected { self.rested_rate } else { self.rate };
        let Some(Interval { least, most }) = seen else {
            // Whoever is never served while calling cannot see how much comes free: as much at least as a rest has shown.
            let least = self.admitted_rate.max(self.level().unwrap_or(0) as f64 * RECOVERED / self.full_after.max(0.001));
            return (0..15).map(|times| whole(least * 60.0 * 1.25_f64.powi(times))).collect();
        };
        let unit = rate_unit((least * 60.0) as u64);
        let (least, most) = ((least * 60.0) as u64 / unit, ((most * 60.0) as u64).div_ceil(unit));
        let all: Vec<u64> = (least.max(1)..=most.clamp(1, least + 400)).map(|rate| rate * unit).collect();
        spread(&all, 2 * MOST_NUMBERS)
    }

    /// What a bucket of this rate must have held, so that it admitted what it did at first.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
    fn bursts(&self, a_minute: u64, counts_rejected: bool) -> Vec<u64> {
        let Some(Fill { admitted, took, met }) = self.fill else { return Vec::new() };
        let a_second = a_minute as f64 / 60.0;
        let refilled = a_second * if counts_rejected { met } else { took } as f64 / NS;
        let burst = admitted as f64 - refilled;
        let off = 1.0 + a_second * self.way / 2.0;
        let (least, most) = ((burst - off).floor().max(1.0) as u64, (burst + off).ceil().max(1.0) as u64);
        spread(&(least..=most).collect::<Vec<u64>>(), MOST_NUMBERS)
    }
}

/// How long it takes at least and at most until a limit is free again: as far as rests of several lengths show.
fn recovery(traces: &[Trace], level: u64) -> Option<(Duration, Duration)> {
    let mut shortest: Option<u64> = None;
    let mut longest = 0;
    for trace in traces {
        for stage in 1..trace.stages() {
            let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
            let before: Vec<&ProbedCall> = trace.stage(stage - 1).collect();
            let (Some(first), Some(last_before)) = (calls.first(), before.last()) else { continue };
            let (rest, took) = (first.sent - last_before.sent, last_before.sent - before[0].sent);
            let was_full = before.last().is_some_and(|call| call.decision == Decision::Refused);
            let admitted = count(&calls, Decision::Admitted);
            if was_full && calls[0].pairs == 1 && admitted as f64 >= RECOVERED * level as f64 && level > 0 {
                if shortest.is_none_or(|shortest| rest < shortest) {
                    shortest = Some(rest);
                }
                longest = longest.max(rest + took);
            }
        }
    }
    let shortest = shortest?;
    Some((Duration::from_nanos(shortest).div_f64(SHORTER), Duration::from_nanos(longest * 5 / 2)))
}

/// Calls a second that come free, at least and at most: what is admitted between two refusals has come free meanwhile.
fn rates(traces: &[Trace], level: u64) -> [Option<Interval>; 2] {
    let (mut best, mut rested) = (None, None);
    for trace in traces {
        let way = trace.usual_way() as f64 / NS;
        let take = |best: &mut Option<Interval>, admitted: usize, shortest: u64, longest: u64| {
            let (admitted, shortest, longest) = (admitted as f64, shortest as f64 / NS, longest as f64 / NS);
            if admitted < 8.0 || shortest < 4.0 * way {
                return;
            }
            let (least, most) = (((admitted - 2.5) / (longest + way)).max(0.01), (admitted + 2.5) / (shortest - way));
            if best.is_none_or(|best| (most - least) / most < (best.most - best.least) / best.most) {
                *best = Some(Interval { least, most });
            }
        };
        let mut refused_before: Option<u64> = None;
        for stage in 0..trace.stages() {
            let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
            let refused = |call: &&&ProbedCall| call.decision == Decision::Refused;
            let (Some(first), Some(last)) = (calls.iter().find(refused), calls.iter().rfind(refused)) else {
                refused_before = None;
                continue;
            };
            // Sent once the first refusal had come back: by then the limit had been met for sure.
            let met = calls.iter().filter(refused).find(|call| call.sent > first.received);
            let admitted = |from: u64, to: u64| {
                calls.iter().filter(|call| call.decision == Decision::Admitted && (from..to).contains(&call.sent)).count()
            };
            if calls[0].pairs == 1 {
                if let Some(met) = met {
                    let elapsed = last.sent - met.sent;
                    take(&mut best, admitted(met.sent, last.sent), elapsed, elapsed);
                }
                // What came free in a rest, and while the burst after it went on, unless all was free before it was over.
                let all = admitted(0, u64::MAX);
                if let Some(before) = refused_before.filter(|_| (all as f64) < RECOVERED * level as f64) {
                    take(&mut best, all, first.sent - before, last.sent - before);
                    take(&mut rested, all, first.sent - before, last.sent - before);
                }
            }
            refused_before = Some(last.sent);
        }
    }
    [best, rested]
}

fn count(calls: &[&ProbedCall], decision: Decision) -> u64 {
    calls.iter().filter(|call| call.decision == decision).count() as u64
}

/// Rates are told apart by so many calls a minute: a quarter of a percent, and a round number of calls a minute, or of calls a
/// second where they are many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of what was sent")]
pub fn rate_unit(a_minute: u64) -> u64 {
    let per = if a_minute as f64 > WHOLE_RATE * 60.0 { 60 } else { 1 };
    let least = (a_minute as f64 / per as f64 * 0.0025) as u64;
    let round = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    per * round.into_iter().find(|round| *round >= least).unwrap_or(1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of what was sent")]
fn whole(a_minute: f64) -> u64 {
    let unit = rate_unit(a_minute as u64);
    ((a_minute / unit as f64).round().max(1.0) * unit as f64) as u64
}

/// Whether a window of this length and phase begins between two times.
fn begins_in(phase: u64, length: u64, from: u64, to: u64) -> bool {
    if from >= to {
        return false;
    }
    let since = (from + length - phase) % length;
    let next = if since == 0 { 0 } else { length - since };
    from + next <= to
}

/// So many of these at the most, from the first to the last.
fn spread(all: &[u64], most: usize) -> Vec<u64> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|index| all[index * (all.len() - 1) / (most - 1)]).collect()
}

/// The time in seconds between these two that has the fewest digits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time that was measured")]
fn roundest(least: f64, most: f64) -> Duration {
    for step_ms in [10_000.0, 1_000.0, 500.0, 100.0, 50.0, 10.0, 1.0] {
        let round = (f64::midpoint(least, most) * 1000.0 / step_ms).round() * step_ms;
        if round >= least * 1000.0 && round <= most * 1000.0 && round > 0.0 {
            return Duration::from_millis(round as u64);
        }
    }
    Duration::from_secs_f64(f64::midpoint(least, most).max(0.001))
}
