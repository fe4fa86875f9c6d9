//! What was seen of a limit, whatever its kind: the numbers that every kind's are read off.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::trace::{ProbedCall, Trace};
use crate::judge::limiter::Decision;
use crate::model::limiter::Unit;

/// A stage after which so much of the limit was free again has seen it recover.
pub const RECOVERED: f64 = 0.85;
/// A fill in which a window began has admitted as much as two at the most, nearly.
const TWICE: f64 = 2.1;
/// Fewer calls than these come out twice alike by chance.
const FEWEST_ALIKE: u64 = 10;
/// A limit of one call may let so many times more calls come free than the most that was seen.
const UNSEEN: f64 = 5.0;
/// And fewer than these come back alike by chance.
const FEWEST_BACK: u64 = 30;
/// Times are off by as much.
const NEARLY: f64 = 1.02;
/// A stage of such a length is no burst.
const LONG_NS: u64 = 200_000_000;
/// No call for so long, where calls are due: others went first.
const WAITED_NS: u64 = 1_000_000_000;
/// Of a second.
pub const NS: f64 = 1e9;

/// A stretch of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeStretch {
    pub from: u64,
    pub to: u64,
}

/// A rest after which all was free again, and how long the fill before it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    pub rest: Duration,
    pub took: Duration,
    /// When it was.
    pub during: TimeStretch,
}

/// A rate in calls a second, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    pub least: f64,
    pub most: f64,
}

/// What the first stage of all came to; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    pub admitted: u64,
    /// From its first call to its last.
    pub took: u64,
    /// To the first one that was refused, about.
    pub met: u64,
}

/// What was seen of a limit, whatever its kind.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls admitted by a stage that ended in refusals, most frequent first.
    pub levels: Vec<u64>,
    pub fill: Option<Fill>,
    /// Calls that a limit that nobody had used admits at once.
    pub level: u64,
    /// What a call takes that nothing holds back, in seconds.
    pub way: f64,
    /// Rests after which all was free again, the shortest first, and the longest after which it was not: it is shorter.
    pub recovered: Vec<Recovery>,
    pub unrecovered: Option<Duration>,
    /// In each of these a window began, if there are windows.
    pub beginnings: Vec<TimeStretch>,
    /// In none of these did one begin.
    pub full: Vec<TimeStretch>,
    /// Calls a second that come free, at least and at most; and where refused calls count.
    pub rate: Option<Interval>,
    pub rested_rate: Option<Interval>,
    /// And of a limit that holds one call only, where refused calls are free and where they count.
    pub spaced: [Option<Interval>; 2],
    /// Calls a second that a stage of some length had admitted, at the most.
    pub admitted_rate: f64,
    /// What weighs, as far as calls of many pairs have shown it.
    pub units: Vec<Unit>,
}

impl Seen {
    pub fn of(traces: &[Trace]) -> Seen {
        let mut seen = Seen::default();
        let mut levels: BTreeMap<u64, usize> = BTreeMap::new();
        // What counters admitted at once that nobody had used.
        let mut fresh: Vec<u64> = Vec::new();
        // And others after a rest, in nanoseconds.
        let mut rested: Vec<(u64, u64)> = Vec::new();
        for trace in traces {
            let mut last_sent = None;
            for stage in 0..trace.stages() {
                let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
                let rest = last_sent.zip(calls.first()).map(|(last, first): (u64, _)| first.sent - last);
                last_sent = calls.last().map(|last| last.sent).or(last_sent);
                let admitted = count(&calls, Decision::Admitted);
                let length = calls.last().zip(calls.first()).map_or(0, |(last, first)| last.sent - first.sent);
                if trace.goes_on(stage) && length > LONG_NS {
                    seen.admitted_rate = seen.admitted_rate.max(admitted as f64 / (length as f64 / NS));
                }
                if count(&calls, Decision::Refused) == 0 {
                    continue;
                }
                if calls[0].pairs == 1 && admitted > 0 && !trace.goes_on(stage) {
                    *levels.entry(admitted).or_default() += 1;
                    fresh.extend((stage == 0).then_some(admitted));
                    rested.extend(rest.map(|rest| (admitted, rest)));
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
        seen.level = alike(&fresh).unwrap_or_else(|| level(seen.fill.map_or(0, |fill| fill.admitted), &rested));
        seen.levels = levels.into_iter().map(|(level, _)| level).collect();
        for trace in traces {
            seen.way = seen.way.max(trace.usual_way() as f64 / NS);
            seen.stretches(trace);
        }
        seen.look_at_rests(traces);
        [seen.rate, seen.rested_rate] = rates(traces, seen.level);
        seen.units = units(traces, seen.level);
        let fastest = fastest(traces);
        seen.spaced = [false, true].map(|counts_rejected| spaced(traces, counts_rejected, fastest));
        seen
    }

    /// Calls that a limit that nobody had used admits at once.
    pub fn level(&self) -> Option<u64> {
        self.fill.map(|_| self.level)
    }

    /// How long it may take until all is free again, at least and at most. A window may have ended by chance in one rest, but not
    /// in two of them.
    pub fn recovery(&self) -> Option<(Duration, Duration)> {
        let first = self.recovered.first()?;
        let second = self.recovered.get(1).unwrap_or(first);
        let least = self.unrecovered.unwrap_or(first.rest / 2) / 2;
        Some((least, (second.rest + second.took) * 5 / 2))
    }

    /// Whether it has recovered in rests that had no moment in common: in all others one window may have ended, however long it was.
    pub fn recovered_apart(&self) -> bool {
        let last_from = self.recovered.iter().map(|recovered| recovered.during.from).max();
        let first_to = self.recovered.iter().map(|recovered| recovered.during.to).min();
        last_from.zip(first_to).is_some_and(|(from, to)| from > to)
    }

    /// Which rests were long enough.
    fn look_at_rests(&mut self, traces: &[Trace]) {
        for trace in traces {
            for stage in 1..trace.stages() {
                let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
                let before: Vec<&ProbedCall> = trace.stage(stage - 1).collect();
                let (Some(first), Some(last_before)) = (calls.first(), before.last()) else { continue };
                let was_full = last_before.decision == Decision::Refused;
                let met = count(&calls, Decision::Refused) > 0;
                if !was_full || !met || first.pairs != 1 || self.level == 0 {
                    continue;
                }
                let rest = Duration::from_nanos(first.sent - last_before.sent);
                if count(&calls, Decision::Admitted) as f64 >= RECOVERED * self.level as f64 {
                    let during = TimeStretch { from: last_before.sent, to: first.received };
                    self.recovered.push(Recovery { rest, took: Duration::from_nanos(last_before.sent - before[0].sent), during });
                } else {
                    self.unrecovered = self.unrecovered.max(Some(rest));
                }
            }
        }
        // In a rest that is shorter than one that was too short a window has ended by chance.
        let unrecovered = self.unrecovered.unwrap_or_default();
        self.recovered.retain(|recovered| recovered.rest > unrecovered);
        self.recovered.sort_by_key(|recovered| recovered.rest);
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
}

/// What several counters admitted at once that nobody had used: in a fill of one of them a window may have begun.
fn alike(fresh: &[u64]) -> Option<u64> {
    let least = fresh.iter().copied().min()?;
    let near = fresh.iter().filter(|level| is_near(**level, least)).count();
    (near >= 2).then_some(least)
}

fn is_near(level: u64, other: u64) -> bool {
    level.abs_diff(other) <= 1 + other / 50
}

/// What a limit admits at once: what its first fill did, unless a window began in that; then it is what rests of very different lengths have
/// brought back, each time the same.
fn level(first: u64, rested: &[(u64, u64)]) -> u64 {
    let comes_back = |level: u64| {
        let rests = || rested.iter().filter(|(other, _)| is_near(*other, level)).map(|(_, rest)| *rest);
        rests().min().zip(rests().max()).is_some_and(|(least, most)| least + least / 2 < most)
    };
    let is_less =
        |level: &u64| *level >= FEWEST_BACK && *level < first && !is_near(first, *level) && first as f64 <= TWICE * *level as f64;
    rested.iter().map(|(level, _)| *level).filter(is_less).filter(|level| comes_back(*level)).max().unwrap_or(first)
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
        // When a call was refused last, and how many were admitted since.
        let mut refused_before: Option<(u64, usize)> = None;
        for stage in 0..trace.stages() {
            let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
            let refused = |call: &&&ProbedCall| call.decision == Decision::Refused;
            let (Some(first), Some(last)) = (calls.iter().find(refused), calls.iter().rfind(refused)) else {
                refused_before = None;
                continue;
            };
            let admitted = |from: u64, to: u64| {
                calls.iter().filter(|call| call.decision == Decision::Admitted && (from..to).contains(&call.sent)).count()
            };
            if calls[0].pairs == 1 {
                // While others kept it waiting, all may have come free again.
                for stretch in calls.chunk_by(|one, next| next.sent - one.sent < WAITED_NS) {
                    let mut refusals = stretch.iter().filter(refused);
                    let (Some(first), Some(last)) = (refusals.next(), stretch.iter().rfind(refused)) else { continue };
                    // Sent once the first refusal had come back: by then the limit had been met for sure.
                    if let Some(met) = refusals.find(|call| call.sent > first.received) {
                        let elapsed = last.sent - met.sent;
                        take(&mut best, admitted(met.sent, last.sent), elapsed, elapsed);
                    }
                }
                // What came free in a rest, and while the burst after it went on, unless all was free before it was over.
                let burst = admitted(0, u64::MAX);
                if let Some((before, since)) = refused_before.filter(|_| (burst as f64) < RECOVERED * level as f64) {
                    let all = since + burst;
                    take(&mut best, all, first.sent - before, last.sent - before);
                    if !trace.goes_on(stage) {
                        take(&mut rested, all, first.sent - before, last.sent - before);
                    }
                }
            }
            refused_before = Some((last.sent, admitted(last.sent, u64::MAX)));
        }
    }
    [best, rested]
}

/// Calls a second of a limit that holds one call only: an admitted call has come late enough after the one before that counts,
/// a refused one too early. `None` where one limit cannot have done both.
fn spaced(traces: &[Trace], counts_rejected: bool, [sent, admitted]: [f64; 2]) -> Option<Interval> {
    let (mut least, mut most) = (0.0_f64, f64::INFINITY);
    for trace in traces {
        let one_way = trace.usual_way() / 2;
        let counts = |call: &&ProbedCall| {
            call.decision == Decision::Admitted || counts_rejected && call.decision == Decision::Refused || call.pairs != 1
        };
        let counted: Vec<&ProbedCall> = trace.calls.iter().filter(counts).collect();
        for call in trace.calls.iter().filter(|call| call.pairs == 1) {
            // The last that has arrived before for sure, and whether others may have.
            let before = counted.partition_point(|other| other.sent + one_way < call.sent);
            let others = counted.partition_point(|other| other.sent <= call.sent + one_way) - before;
            let surely = before.checked_sub(1).map(|before| counted[before]);
            let Some(previous) = surely.filter(|previous| previous.pairs == 1) else { continue };
            let gap = call.sent - previous.sent;
            match call.decision {
                Decision::Admitted => least = least.max(NS / (gap + one_way) as f64),
                Decision::Refused if others <= usize::from(counts_rejected) && gap > one_way * 2 => {
                    most = most.min(NS / (gap - one_way) as f64);
                }
                _ => {}
            }
        }
    }
    // Where calls overtake each other, nothing is seen of that, but a stage still tells how many come free at the least.
    least = least.max(admitted);
    let most = if most.is_finite() { most } else { (least * UNSEEN).min(sent) };
    (least > 0.0 && least <= most * NEARLY).then_some(Interval { least: least.min(most), most: most.max(least) })
}

/// Calls a second that a stage was sent, at the most, and that it had admitted, at the most, of a limit that holds one.
fn fastest(traces: &[Trace]) -> [f64; 2] {
    let mut most = [0.0_f64; 2];
    for trace in traces {
        let way = trace.usual_way();
        for stage in 0..trace.stages() {
            let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
            let (Some(first), Some(last)) = (calls.first(), calls.last()) else { continue };
            let length = last.sent - first.sent;
            let admitted = count(&calls, Decision::Admitted).saturating_sub(1);
            most[0] = most[0].max((calls.len() - 1) as f64 * NS / (length + 1) as f64);
            most[1] = most[1].max(admitted as f64 * NS / (length + way + 1) as f64);
        }
    }
    most
}

/// What weighs: calls of many pairs, sent until they were refused, meet a limit on pairs sooner.
fn units(traces: &[Trace], level: u64) -> Vec<Unit> {
    for trace in traces {
        for stage in 0..trace.stages() {
            let calls: Vec<&ProbedCall> = trace.stage(stage).collect();
            let weighs = calls.first().is_some_and(|call| call.pairs > 1);
            let admitted = count(&calls, Decision::Admitted) as f64;
            // Of few calls chance makes more.
            if weighs && count(&calls, Decision::Refused) > 0 && level >= FEWEST_ALIKE {
                if admitted > 0.7 * level as f64 {
                    return vec![Unit::Request];
                }
                if admitted < 0.3 * level as f64 {
                    return vec![Unit::Kv];
                }
            }
        }
    }
    vec![Unit::Request, Unit::Kv]
}

fn count(calls: &[&ProbedCall], decision: Decision) -> u64 {
    calls.iter().filter(|call| call.decision == decision).count() as u64
}
