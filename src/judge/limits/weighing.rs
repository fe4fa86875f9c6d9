//! Which of the limiters that come into question explains what was seen, and how sure that is.

use super::Weighed;
use super::proposal::{Seen, rate_unit};
use super::suspect::{Likelihood, SliceCounts, Suspect};
use super::trace::{DRAWS, Replayable, Trace};
use crate::clock::nanoseconds;
use crate::model::limiter::Algorithm;

/// Suspects that are replayed with all draws, the most likely ones by one draw.
const SHORTLIST: usize = 32;
/// Of these so many are told apart.
const MOST_CLASSES: usize = 8;
/// Suspects that are less likely than the best by so much, as a logarithm, are not looked at any more.
const HOPELESS: f64 = 60.0;
/// Suspects that are less likely by so much are not moved to where they explain more.
const BEHIND: f64 = 30.0;
/// Draws by which neighbours are compared.
const FEW_DRAWS: usize = 3;

/// Weighs every suspect by all that was seen: the likeliest first, one of each class, and how well it explains it.
pub fn weigh(traces: &[Trace], seen: &Seen) -> (Vec<Weighed>, Likelihood) {
    let traces: Vec<Replayable> = traces.iter().map(Trace::replayable).collect();
    let mut evidence = AllSeen::new(&traces);
    let shortlist = shortlist(seen, &evidence);
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
fn shortlist(seen: &Seen, evidence: &AllSeen<'_>) -> Vec<Suspect> {
    let mut rough: Vec<(Suspect, f64)> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    for suspect in seen.suspects() {
        let log = evidence.roughly(&suspect, best - HOPELESS);
        best = best.max(log);
        rough.push((suspect, log));
    }
    rough.sort_by(|one, other| other.1.total_cmp(&one.1));
    rough.truncate(SHORTLIST);
    rough.into_iter().map(|(suspect, _)| suspect).collect()
}

/// The best of each class; the very best leads from here on.
fn leaders(shortlist: &[Suspect], evidence: &mut AllSeen<'_>) -> Vec<Suspect> {
    let mut close: Vec<(Suspect, Likelihood)> = shortlist.iter().map(|suspect| (*suspect, evidence.explained(suspect))).collect();
    sort(&mut close);
    evidence.lead(&close[0].0);
    let mut leaders: Vec<Suspect> = Vec::new();
    for (suspect, _) in &close {
        if !leaders.iter().any(|leader| is_same_class(leader, suspect)) && leaders.len() < MOST_CLASSES {
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
        if explained.log > top - BEHIND || has_phase(suspect) {
            climb(suspect, explained, evidence);
        }
    }
    sort(&mut leaders);
    leaders.into_iter().map(|(suspect, _)| suspect).collect()
}

/// One of each class, with those beside the first whose rates are next to its own: a rate is named only if these explain less.
fn with_near_rates(leaders: Vec<Suspect>, evidence: &AllSeen<'_>) -> Vec<(Suspect, Likelihood)> {
    let near = near_rates(&leaders[0]);
    let mut apart: Vec<(Suspect, Likelihood)> = Vec::new();
    for suspect in leaders {
        if !apart.iter().any(|(other, _)| is_same_class(other, &suspect)) {
            apart.push((suspect, evidence.explained(&suspect)));
        }
    }
    for near in near {
        if !apart.iter().any(|(other, _)| is_same_class(other, &near)) {
            let fitted = bursts_near(&near).into_iter().map(|near| (near, evidence.explained(&near)));
            apart.extend(fitted.max_by(|one, other| one.1.log.total_cmp(&other.1.log)));
        }
    }
    sort(&mut apart);
    apart
}

/// The best first.
fn sort(explained: &mut [(Suspect, Likelihood)]) {
    explained.sort_by(|one, other| other.1.log.total_cmp(&one.1.log));
}

/// All that was seen, and what the leading suspect expects of it.
struct AllSeen<'t> {
    traces: &'t [Replayable],
    common: Vec<SliceCounts>,
}

impl<'t> AllSeen<'t> {
    fn new(traces: &'t [Replayable]) -> AllSeen<'t> {
        let common = traces.iter().map(|trace| vec![Default::default(); trace.slices.len()]).collect();
        AllSeen { traces, common }
    }

    fn lead(&mut self, suspect: &Suspect) {
        self.common = self.traces.iter().map(|trace| suspect.expect(trace, DRAWS)).collect();
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

    /// For comparing neighbours.
    fn nearly(&self, suspect: &Suspect) -> Likelihood {
        self.explained_by(suspect, FEW_DRAWS)
    }

    fn explained_by(&self, suspect: &Suspect, draws: usize) -> Likelihood {
        let mut explained = Likelihood::default();
        for (trace, common) in self.traces.iter().zip(&self.common) {
            explained += Likelihood::by(&suspect.expect(trace, draws), trace, common);
        }
        explained
    }
}

/// A number that had to be fitted explains less than one that is known: a phase counts by the share of the window in which it
/// explains as much.
fn prior(suspect: &Suspect, explained: &Likelihood, evidence: &AllSeen<'_>, best: f64) -> f64 {
    match suspect.algorithm {
        _ if explained.log < best - BEHIND => 0.0,
        Algorithm::FixedWindowAligned { .. } | Algorithm::SlidingCounter => {
            let window = nanoseconds(suspect.window);
            let here = evidence.nearly(suspect).log;
            let explains = |phase: u64| evidence.nearly(&Suspect { phase: phase % window, ..*suspect }).log > here - 1.0;
            let widths = (0..10).map(|times| (window / 2000) << times);
            let width = widths.take_while(|width| explains(suspect.phase + width) || explains(suspect.phase + window - width));
            (width.last().unwrap_or(window / 4000) as f64 / window as f64).ln()
        }
        // A queue that never held anything back is a bucket.
        Algorithm::LeakyQueue { .. } => -2.0,
        _ => 0.0,
    }
}

fn has_phase(suspect: &Suspect) -> bool {
    matches!(suspect.algorithm, Algorithm::FixedWindowAligned { .. } | Algorithm::SlidingCounter)
}

/// Whether two differ only in what is fitted: a phase, or a bucket's numbers by little.
pub fn is_same_class(one: &Suspect, other: &Suspect) -> bool {
    let kind = std::mem::discriminant(&one.algorithm) == std::mem::discriminant(&other.algorithm);
    kind && one.limit == other.limit
        && one.window == other.window
        && one.unit == other.unit
        && one.counts_rejected == other.counts_rejected
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
    let bucket = |make: &dyn Fn(u64) -> Algorithm, burst: u64| {
        let unit = rate_unit(suspect.limit);
        let step = (suspect.limit / share / unit).max(1) * unit;
        let less = if suspect.limit > step { suspect.limit - step } else { suspect.limit };
        let fewer = burst - u64::from(burst > 1);
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
        Algorithm::TokenBucket { burst } => bucket(&|burst| Algorithm::TokenBucket { burst }, burst),
        Algorithm::LeakyQueue { capacity } => bucket(&|capacity| Algorithm::LeakyQueue { capacity }, capacity),
        _ => Vec::new(),
    }
}

/// A bucket's rates that are next to its own.
fn near_rates(suspect: &Suspect) -> Vec<Suspect> {
    let unit = rate_unit(suspect.limit);
    let limits = [
        suspect.limit + unit,
        suspect.limit + 2 * unit,
        suspect.limit.saturating_sub(unit),
        suspect.limit.saturating_sub(2 * unit),
    ];
    let with = |limit| Suspect { limit, ..*suspect };
    limits.into_iter().filter(|limit| *limit > 0 && suspect.algorithm.burst().is_some()).map(with).collect()
}

fn bursts_near(suspect: &Suspect) -> Vec<Suspect> {
    let burst = suspect.algorithm.burst().unwrap_or(1);
    let with = |burst| match suspect.algorithm {
        Algorithm::LeakyQueue { .. } => Suspect { algorithm: Algorithm::LeakyQueue { capacity: burst }, ..*suspect },
        _ => Suspect { algorithm: Algorithm::TokenBucket { burst }, ..*suspect },
    };
    (burst.saturating_sub(2).max(1)..=burst + 2).map(with).collect()
}
