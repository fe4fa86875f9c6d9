//! Which of the limiters that come into question explains what was seen, and how sure that is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use super::Weighed;
use super::proposal::rate_unit;
use super::seen::Seen;
use super::suspect::{Likelihood, SliceCounts, Suspect};
use super::trace::{DRAWS, Replayable, Trace};
use crate::clock::nanoseconds;
use crate::model::limiter::Algorithm;

/// Suspects that are replayed with all draws, the most likely ones by one draw.
const SHORTLIST: usize = 40;
/// Of these so many of one kind.
const MOST_ALIKE: usize = 6;
/// Of these so many are told apart.
const MOST_CLASSES: usize = 8;
/// And so many of one kind: a bucket's other rates are looked at later.
const MOST_LEADERS_ALIKE: usize = 3;
/// Suspects that are less likely than the best by so much, as a logarithm, are not looked at any more.
const HOPELESS: f64 = 60.0;
/// Suspects that are less likely by so much are not moved to where they explain more.
const BEHIND: f64 = 30.0;
/// Rates that are less likely by so much are the last that are looked at.
const UNLIKELY: f64 = 6.0;
/// So often it is looked on from a bucket that explains much more.
const MOST_LEAPS: usize = 4;
/// Of these, the nearest so many.
const MOST_NEAR: u64 = 12;
/// And of these so many are fitted anew, where they have been looked at already.
const REFITTED: u64 = 1;
/// Places that are tried of the time in which the first call may have arrived.
const BEGINNINGS: u64 = 24;
/// Draws by which neighbours are compared.
const FEW_DRAWS: usize = 3;

/// Weighs every suspect by all that was seen, those that were likely before among them: the likeliest first, one of each class,
/// and how well it explains it.
pub fn weigh(traces: &[Trace], seen: &Seen, before: &[Weighed]) -> (Vec<Weighed>, Likelihood) {
    let traces: Vec<Replayable> = traces.iter().map(Trace::replayable).collect();
    let mut evidence = AllSeen::new(&traces);
    let mut suspects: Vec<Suspect> = Vec::new();
    for known in before {
        if !suspects.iter().any(|other| is_same_kind(other, &known.suspect)) {
            suspects.push(known.suspect);
        }
    }
    suspects.extend(seen.suspects());
    let shortlist = shortlist(suspects, &evidence);
    let Some(first) = shortlist.first() else { return (Vec::new(), Likelihood::default()) };
    evidence.lead(first);
    let leaders = moved(leaders(&shortlist, &mut evidence), &evidence);
    evidence.lead(&leaders[0]);
    let apart = with_near_rates(leaders, &evidence);
    let best = apart[0].1;
    let weight = |(suspect, explained): &(Suspect, Likelihood)| explained.log + prior(suspect, explained, &evidence, best.log);
    let logs: Vec<f64> = apart.iter().map(weight).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: f64 = logs.iter().map(|log| (log - top).exp()).sum();
    let weighed =
        apart.iter().zip(&logs).map(|((suspect, _), log)| Weighed { suspect: *suspect, weight: (log - top).exp() / all });
    let mut weighed: Vec<Weighed> = weighed.collect();
    weighed.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    (weighed, best)
}

/// The suspects that explain it roughly, the best first.
fn shortlist(suspects: Vec<Suspect>, evidence: &AllSeen<'_>) -> Vec<Suspect> {
    let mut rough: Vec<(Suspect, f64)> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    let mut buckets: HashMap<Suspect, f64> = HashMap::new();
    for suspect in suspects {
        // How many calls are admitted is all that a rough look sees: there a queue is a bucket.
        let is_queue = matches!(suspect.algorithm, Algorithm::LeakyQueue { .. });
        let bucket = held_back_or_not(&suspect).filter(|_| is_queue).unwrap_or(suspect);
        let log = *buckets.entry(bucket).or_insert_with(|| evidence.roughly(&bucket, best - HOPELESS));
        best = best.max(log);
        rough.push((suspect, log));
    }
    rough.sort_by(|one, other| other.1.total_cmp(&one.1));
    // A stage that hangs on the moment in which each call arrives says little by one draw: no kind is given up for that.
    let mut shortlist: Vec<Suspect> = Vec::new();
    for (suspect, log) in rough {
        let alike = shortlist.iter().filter(|other| is_same_kind(other, &suspect)).count();
        if alike < MOST_ALIKE && log > best - HOPELESS && shortlist.len() < SHORTLIST {
            shortlist.push(suspect);
        }
    }
    shortlist
}

/// The best of each class; the very best leads from here on.
fn leaders(shortlist: &[Suspect], evidence: &mut AllSeen<'_>) -> Vec<Suspect> {
    let mut close: Vec<(Suspect, Likelihood)> = shortlist.iter().map(|suspect| (*suspect, evidence.explained(suspect))).collect();
    sort(&mut close);
    evidence.lead(&close[0].0);
    let mut leaders: Vec<Suspect> = Vec::new();
    for (suspect, _) in &close {
        let alike = leaders.iter().filter(|leader| is_same_kind(leader, suspect)).count();
        let is_new = !leaders.iter().any(|leader| is_same_class(leader, suspect));
        if is_new && alike < MOST_LEADERS_ALIKE && leaders.len() < MOST_CLASSES {
            leaders.push(*suspect);
        }
    }
    leaders
}

/// Each moved to where it explains most, the best first.
fn moved(leaders: Vec<Suspect>, evidence: &AllSeen<'_>) -> Vec<Suspect> {
    let mut leaders: Vec<(Suspect, Likelihood)> = leaders.into_iter().map(|leader| (leader, evidence.nearly(&leader))).collect();
    let top = leaders.iter().map(|leader| leader.1.log).fold(f64::NEG_INFINITY, f64::max);
    for (suspect, explained) in &mut leaders {
        if has_phase(suspect) {
            *suspect = in_phase(*suspect, evidence);
            *explained = evidence.nearly(suspect);
        } else if let (Algorithm::IntervalRefill, [trace]) = (suspect.algorithm, evidence.traces) {
            *suspect = begun(*suspect, trace.first_way, evidence);
            *explained = evidence.nearly(suspect);
        }
        if explained.log > top - BEHIND {
            climb(suspect, explained, evidence);
        }
    }
    sort(&mut leaders);
    leaders.into_iter().map(|(suspect, _)| suspect).collect()
}

/// One of each class, with those beside each bucket whose rates are near its own: a rate is named only if these explain less.
fn with_near_rates(leaders: Vec<Suspect>, evidence: &AllSeen<'_>) -> Vec<(Suspect, Likelihood)> {
    let mut apart: Vec<(Suspect, Likelihood)> = Vec::new();
    for suspect in leaders {
        if is_new(&apart, &suspect) {
            apart.push((suspect, evidence.explained(&suspect)));
        }
    }
    sort(&mut apart);
    with_near_limits(&mut apart, evidence);
    for _ in 0..MOST_LEAPS {
        let best = apart[0].1.log;
        let likely = likely_buckets(&apart);
        for other in likely.iter().filter_map(held_back_or_not) {
            if is_new(&apart, &other) {
                apart.push((other, evidence.explained(&other)));
            }
        }
        sort(&mut apart);
        look_near(&mut apart, evidence);
        sort(&mut apart);
        // Where what is far off explains much more, its own neighbours may explain more still.
        if apart[0].1.log < best + UNLIKELY {
            break;
        }
    }
    apart
}

fn likely_buckets(apart: &[(Suspect, Likelihood)]) -> Vec<Suspect> {
    let best = apart[0].1.log;
    let is_likely = |(suspect, explained): &(Suspect, Likelihood)| {
        (suspect.algorithm.burst().is_some() && explained.log > best - UNLIKELY).then_some(*suspect)
    };
    apart.iter().filter_map(is_likely).collect()
}

/// A bucket as a queue, and a queue as a bucket: they admit the same calls.
fn held_back_or_not(suspect: &Suspect) -> Option<Suspect> {
    let algorithm = match suspect.algorithm {
        Algorithm::TokenBucket { burst } if burst > 1 => Algorithm::LeakyQueue { capacity: burst },
        Algorithm::LeakyQueue { capacity } => Algorithm::TokenBucket { burst: capacity },
        _ => return None,
    };
    Some(Suspect { algorithm, ..*suspect })
}

/// Adds the rates near those of the likely buckets.
fn look_near(apart: &mut Vec<(Suspect, Likelihood)>, evidence: &AllSeen<'_>) {
    let best = apart[0].1.log;
    let likely = likely_buckets(apart);
    for (suspect, faster) in likely.into_iter().flat_map(|suspect| [(suspect, true), (suspect, false)]) {
        let mut algorithm = suspect.algorithm;
        for (step, near) in (1..).zip(near_rates(&suspect, faster)) {
            let known = apart.iter().position(|(other, _)| is_same_class(other, &near));
            if known.is_some() && step > REFITTED {
                continue;
            }
            // What it holds changes with the rate, by little from one to the next.
            let fitted = bursts_near(&Suspect { algorithm, ..near }).into_iter().map(|near| (near, evidence.nearly(&near).log));
            let Some((near, _)) = fitted.max_by(|one, other| one.1.total_cmp(&other.1)) else { break };
            algorithm = near.algorithm;
            let explained = evidence.explained(&near);
            match known {
                Some(known) if apart[known].1.log < explained.log => apart[known] = (near, explained),
                Some(_) => {}
                None => apart.push((near, explained)),
            }
            // What hangs on the gaps between calls may be less likely nearby than further off.
            if explained.log < best - UNLIKELY && !near.is_tight() {
                break;
            }
        }
    }
}

fn is_new(apart: &[(Suspect, Likelihood)], suspect: &Suspect) -> bool {
    !apart.iter().any(|(other, _)| is_same_class(other, suspect))
}

/// What a sliding counter admits says its limit to a call or so: those next to the likeliest one's are held against it.
fn with_near_limits(apart: &mut Vec<(Suspect, Likelihood)>, evidence: &AllSeen<'_>) {
    for _ in 0..MOST_NEAR {
        let first = apart[0].0;
        let near = [first.limit - 1, first.limit + 1].map(|limit| Suspect { limit, ..first });
        let near: Vec<Suspect> = near.into_iter().filter(|near| near.limit > 0 && is_new(apart, near)).collect();
        if !matches!(first.algorithm, Algorithm::SlidingCounter) || near.is_empty() {
            break;
        }
        for mut near in near {
            let mut explained = evidence.nearly(&near);
            climb(&mut near, &mut explained, evidence);
            apart.push((near, evidence.explained(&near)));
        }
        sort(apart);
    }
}

/// The best first.
fn sort(explained: &mut [(Suspect, Likelihood)]) {
    explained.sort_by(|one, other| other.1.log.total_cmp(&one.1.log));
}

/// All that was seen, and what the leading suspect expects of it.
struct AllSeen<'t> {
    traces: &'t [Replayable],
    common: Vec<SliceCounts>,
    /// How well each suspect explains it that was replayed with so many draws already.
    known: RefCell<HashMap<(Suspect, usize), Likelihood>>,
}

impl<'t> AllSeen<'t> {
    fn new(traces: &'t [Replayable]) -> AllSeen<'t> {
        let common = traces.iter().map(|trace| vec![Default::default(); trace.slices.len()]).collect();
        AllSeen { traces, common, known: RefCell::default() }
    }

    fn lead(&mut self, suspect: &Suspect) {
        self.common = self.traces.iter().map(|trace| suspect.expect(trace, DRAWS)).collect();
        self.known.take();
    }

    fn roughly(&self, suspect: &Suspect, worst: f64) -> f64 {
        let mut log = 0.0;
        for trace in self.traces {
            if log < worst {
                break;
            }
            log += suspect.roughly(trace, worst - log);
        }
        log
    }

    fn explained(&self, suspect: &Suspect) -> Likelihood {
        self.explained_by(suspect, DRAWS)
    }

    /// Calls that it is off by, by one draw.
    fn off(&self, suspect: &Suspect) -> f64 {
        self.explained_by(suspect, 1).off
    }

    /// For comparing neighbours.
    fn nearly(&self, suspect: &Suspect) -> Likelihood {
        self.explained_by(suspect, FEW_DRAWS)
    }

    fn explained_by(&self, suspect: &Suspect, draws: usize) -> Likelihood {
        let replay = || {
            let mut explained = Likelihood::default();
            for (trace, common) in self.traces.iter().zip(&self.common) {
                explained += Likelihood::by(&suspect.expect(trace, draws), trace, common);
            }
            explained
        };
        *self.known.borrow_mut().entry((*suspect, draws)).or_insert_with(replay)
    }
}

/// A number that had to be fitted explains less than one that is known: a phase counts by the share of the window in which it
/// explains as much.
fn prior(suspect: &Suspect, explained: &Likelihood, evidence: &AllSeen<'_>, best: f64) -> f64 {
    match (suspect.algorithm, evidence.traces) {
        _ if explained.log < best - BEHIND => 0.0,
        (Algorithm::FixedWindowAligned { .. } | Algorithm::SlidingCounter, _) => fitted_phase(suspect, suspect.window, evidence),
        (Algorithm::IntervalRefill, [trace]) if suspect.phase > 0 => {
            fitted_phase(suspect, Duration::from_nanos(trace.first_way), evidence)
        }
        // A queue that never held anything back is a bucket.
        (Algorithm::LeakyQueue { .. }, _) => -2.0,
        _ => 0.0,
    }
}

/// The share of the times at which windows may begin that explains as much, as a logarithm.
fn fitted_phase(suspect: &Suspect, may_be: Duration, evidence: &AllSeen<'_>) -> f64 {
    let (window, may_be) = (nanoseconds(suspect.window), nanoseconds(may_be));
    let here = evidence.nearly(suspect).log;
    let explains = |phase: u64| evidence.nearly(&Suspect { phase: phase % window, ..*suspect }).log > here - 1.0;
    let widths = (0..10).map(|times| (window / 2000) << times);
    let width = widths.take_while(|width| explains(suspect.phase + width) || explains(suspect.phase + window - width));
    (width.last().unwrap_or(window / 4000) as f64 / may_be.max(1) as f64).min(1.0).ln()
}

fn has_phase(suspect: &Suspect) -> bool {
    matches!(suspect.algorithm, Algorithm::FixedWindowAligned { .. } | Algorithm::SlidingCounter)
}

/// Whether two differ only in what is fitted: a phase, or a bucket's numbers by little.
pub fn is_same_class(one: &Suspect, other: &Suspect) -> bool {
    is_same_kind(one, other) && one.limit == other.limit && one.window == other.window
}

/// Whether two differ in their numbers only.
fn is_same_kind(one: &Suspect, other: &Suspect) -> bool {
    let kind = std::mem::discriminant(&one.algorithm) == std::mem::discriminant(&other.algorithm);
    kind && one.unit == other.unit && one.counts_rejected == other.counts_rejected
}

/// Moved to the phase by which the fewest calls are off: that leads there from further away than what is likely does. What a
/// sliding counter admits at once hangs on its phase, too, so its limit is moved with it.
fn in_phase(suspect: Suspect, evidence: &AllSeen<'_>) -> Suspect {
    let window = nanoseconds(suspect.window);
    let (mut best, mut off) = (suspect, evidence.off(&suspect));
    let mut step = window / 24;
    while step > window / 8000 {
        let calls = (best.limit * step / window).max(1);
        let limits = match best.algorithm {
            Algorithm::SlidingCounter if best.limit > calls => vec![best.limit, best.limit - calls, best.limit + calls],
            _ => vec![best.limit],
        };
        let phases = [step, window - step, 0].map(|by| (best.phase + by) % window);
        let near = limits.iter().flat_map(|limit| phases.map(|phase| Suspect { phase, limit: *limit, ..best }));
        let moved = near.map(|near| (near, evidence.off(&near))).find(|(_, there)| *there < off);
        match moved {
            Some(better) => (best, off) = better,
            None => step /= 2,
        }
    }
    best
}

/// Begun by the first call of all, when that explains most.
fn begun(suspect: Suspect, first_way: u64, evidence: &AllSeen<'_>) -> Suspect {
    let begun = |at: u64| Suspect { phase: (first_way * at / BEGINNINGS).max(1), ..suspect };
    let all = (0..=BEGINNINGS).map(begun).map(|begun| (begun, evidence.off(&begun)));
    all.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(suspect, |(best, _)| best)
}

/// Moves a suspect's fitted numbers step by step to where it explains most.
fn climb(suspect: &mut Suspect, explained: &mut Likelihood, evidence: &AllSeen<'_>) {
    for share in [50, 200, 800, 3200] {
        for _ in 0..4 {
            let better = neighbours(suspect, share)
                .into_iter()
                .map(|near| (near, evidence.nearly(&near)))
                .max_by(|one, other| one.1.log.total_cmp(&other.1.log));
            let Some((near, found)) = better.filter(|(_, found)| found.log > explained.log + 0.01) else { break };
            (*suspect, *explained) = (near, found);
        }
    }
}

/// Suspects whose fitted numbers are off by one part in so many.
fn neighbours(suspect: &Suspect, share: u64) -> Vec<Suspect> {
    let window = nanoseconds(suspect.window);
    let with = |algorithm, limit| Suspect { algorithm, limit, ..*suspect };
    let bucket = |make: &dyn Fn(u64) -> Algorithm, burst: u64, least: u64| {
        let unit = rate_unit(suspect.limit);
        let step = (suspect.limit / share / unit).max(1) * unit;
        let less = if suspect.limit > step { suspect.limit - step } else { suspect.limit };
        let fewer = burst - u64::from(burst > least);
        vec![
            with(make(burst), suspect.limit + step),
            with(make(burst), less),
            with(make(burst + 1), suspect.limit),
            with(make(fewer), suspect.limit),
            with(make(burst + 1), less),
            with(make(fewer), suspect.limit + step),
        ]
    };
    match suspect.algorithm {
        Algorithm::FixedWindowAligned { .. } | Algorithm::SlidingCounter => {
            let step = window / share;
            [suspect.phase + step, suspect.phase + window - step]
                .map(|phase| Suspect { phase: phase % window, ..*suspect })
                .to_vec()
        }
        Algorithm::IntervalRefill if suspect.phase > 0 => {
            let step = window / share;
            [suspect.phase + step, suspect.phase.saturating_sub(step).max(1)].map(|phase| Suspect { phase, ..*suspect }).to_vec()
        }
        Algorithm::TokenBucket { burst } => bucket(&|burst| Algorithm::TokenBucket { burst }, burst, 1),
        // A queue that holds one call holds none back.
        Algorithm::LeakyQueue { capacity } => bucket(&|capacity| Algorithm::LeakyQueue { capacity }, capacity, 2),
        _ => Vec::new(),
    }
}

/// A bucket's rates that are next to its own, and further and further off.
fn near_rates(suspect: &Suspect, faster: bool) -> impl Iterator<Item = Suspect> {
    let (suspect, unit) = (*suspect, rate_unit(suspect.limit));
    let steps = (1..=MOST_NEAR).chain([18, 27, 40]);
    let limit = move |step: u64| if faster { suspect.limit + step * unit } else { suspect.limit.saturating_sub(step * unit) };
    steps.map(limit).filter(|limit| *limit > 0).map(move |limit| Suspect { limit, ..suspect })
}

fn bursts_near(suspect: &Suspect) -> Vec<Suspect> {
    let burst = suspect.algorithm.burst().unwrap_or(1);
    let with = |burst| match suspect.algorithm {
        Algorithm::LeakyQueue { .. } => Suspect { algorithm: Algorithm::LeakyQueue { capacity: burst }, ..*suspect },
        _ => Suspect { algorithm: Algorithm::TokenBucket { burst }, ..*suspect },
    };
    // Where a bucket is small, its size is known.
    let off = u64::from(burst >= 4);
    (burst - off..=burst + off).map(with).collect()
}
