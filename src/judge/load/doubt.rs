//! Reasons why a load run cannot be trusted: the generator's own failings, and its connections', which must not pass for the
//! target's. The generator's come first.

use std::time::Duration;

use super::check::told;
use super::fit::Block;
use super::measured::Connections;
use super::shards::Shards;
use super::tally::Tally;
use crate::scenario::load::check::{Check, Subject, Timing};

/// Lag may take up this share of a latency that is checked.
const LAG_SHARE: u32 = 10;
/// More calls than one in so many left out, and the planned load was not applied.
const ONE_IN: u64 = 1000;
/// A thread that is busier than this cannot send in time.
const BUSY: f64 = 0.95;
/// A thread that stood still for so long was stopped, or had no processor.
const STILL: Duration = Duration::from_millis(100);
/// More connections than one in so many that end at once, and what was measured is how connections are opened.
const ONE_CONNECTION_IN: u64 = 10;

/// What is known of one phase.
#[derive(Clone, Copy, Debug)]
pub struct PhaseFacts<'a> {
    pub index: usize,
    pub name: &'a str,
    pub tally: &'a Tally,
    /// Latency bounds that are checked on this phase or on the whole run.
    pub checks: &'a [&'a Check],
    /// Of the busiest thread.
    pub busy: f64,
    /// How long a thread stood still at the longest.
    pub stalled: Duration,
    /// The stretch whose arrivals fitted the plan worst.
    pub fit: Option<Block>,
    /// A closed phase sends whenever it can: then a thread is busy by design, and there is no plan to keep.
    pub closed: bool,
}

/// A reason not to trust a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Index of the phase; `None` for the whole run.
    pub phase: Option<usize>,
    /// One sentence, with its numbers.
    pub reason: String,
    /// The generator is at fault: what was measured says nothing bad of the target.
    pub of_generator: bool,
}

/// Every reason to doubt a phase.
pub fn doubts(phase: &PhaseFacts<'_>) -> Vec<Doubt> {
    let PhaseFacts { name, tally, .. } = phase;
    let mut doubts = Vec::new();
    let mut doubt = |of_generator, reason: String| doubts.push(Doubt { phase: Some(phase.index), reason, of_generator });
    if phase.stalled > STILL {
        doubt(
            true,
            format!("{name}: the generator stood still for {}: it was stopped, or had no processor", told(phase.stalled)),
        );
    }
    if phase.closed {
        return doubts;
    }
    let lag = tally.lag.quantile(0.99);
    if let Some(bound) = tightest(phase.checks).filter(|bound| tally.lag.count() > 0 && lag > *bound / LAG_SHARE) {
        doubt(
            true,
            format!("{name}: the generator was late by {} (p99), over a tenth of the {} that is checked", told(lag), told(bound)),
        );
    }
    if tally.skipped * ONE_IN > tally.planned {
        doubt(
            true,
            format!("{name}: {} of {} calls were left out, for which the generator was too late", tally.skipped, tally.planned),
        );
    }
    if tally.unsent * ONE_IN > tally.planned {
        doubt(
            false,
            format!(
                "{name}: for {} of {} calls no connection came free: the target, or the number of connections, is the limit",
                tally.unsent, tally.planned
            ),
        );
    }
    if phase.busy > BUSY {
        doubt(true, format!("{name}: a thread of the generator was busy {:.0} % of the time", phase.busy * 100.0));
    }
    if let Some(block) = phase.fit.filter(|block| !block.is_as_planned()) {
        doubt(
            true,
            format!(
                "{name}: arrivals were not as planned: {} calls in place of {} in the {} from {:.1} s on (chi-square {:.0}, over {:.0})",
                block.released,
                block.planned,
                told(block.length),
                block.at.as_secs_f64(),
                block.statistic,
                block.critical
            ),
        );
    }
    doubts
}

/// Every reason why parts are not one load: the generator's own failings, all of them.
pub fn doubts_of_shards(shards: &Shards) -> Vec<Doubt> {
    let failed = shards.runs.iter().filter_map(|run| Some((run.number, run.failed.as_ref()?)));
    let failed = failed.map(|(number, why)| format!("shard {number} of {}: {why}", shards.runs.len()));
    let unknown: Vec<String> =
        shards.runs.iter().filter(|run| run.failed.is_none() && run.clock.is_none()).map(|run| run.number.to_string()).collect();
    let unknown = (!unknown.is_empty()).then(|| {
        format!("how far the clocks were apart is unknown: the target told shard {} no time (Date)", unknown.join(", "))
    });
    let skew = shards.skew().filter(|skew| *skew > shards.most_skew);
    let skew = skew
        .map(|skew| format!("the shards' clocks may be {} apart, over the {} that they may", told(skew), told(shards.most_skew)));
    let reasons = failed.chain(unknown).chain(skew);
    reasons.map(|reason| Doubt { phase: None, reason, of_generator: true }).collect()
}

/// Every reason to doubt a run by how its connections fared.
pub fn doubts_of_connections(connections: &Connections) -> Vec<Doubt> {
    let Connections { opened, reopened, stillborn, exhausted, .. } = *connections;
    let of_run = |of_generator, reason| Doubt { phase: None, reason, of_generator };
    let exhausted = (exhausted > 0)
        .then(|| of_run(true, format!("the generator had no local port or descriptor left for a connection {exhausted} times")));
    let stillborn = (stillborn * ONE_CONNECTION_IN > opened + reopened).then(|| {
        let reason = format!("{stillborn} connections could not be opened, or ended before they had carried a reply");
        of_run(false, reason)
    });
    exhausted.into_iter().chain(stillborn).collect()
}

fn tightest(checks: &[&Check]) -> Option<Duration> {
    let bounds = checks.iter().filter_map(|check| match check.subject {
        Subject::Time { timing: Timing::Service | Timing::Response | Timing::Wait, .. } if check.relation.bounds_above() => {
            Some(Duration::from_secs_f64(check.bound / 1e6))
        }
        _ => None,
    });
    bounds.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(change: impl Fn(&mut Tally), busy: f64, closed: bool) -> Vec<Doubt> {
        let mut tally = Tally { planned: 10_000, sent: 10_000, ..Tally::default() };
        (0..10_000).for_each(|_| tally.lag.record(Duration::from_micros(90)));
        change(&mut tally);
        let check = "p99 response < 1ms".parse().expect("a check");
        let stalled = Duration::ZERO;
        doubts(&PhaseFacts { index: 0, name: "p", tally: &tally, checks: &[&check], busy, stalled, fit: None, closed })
    }

    #[test]
    fn a_generator_that_stood_still_is_doubted_first_also_where_it_sends_as_fast_as_it_can() {
        let tally = Tally { planned: 100, sent: 10, unsent: 90, ..Tally::default() };
        let of = |stalled, closed| {
            let stalled = Duration::from_millis(stalled);
            doubts(&PhaseFacts { index: 0, name: "p", tally: &tally, checks: &[], busy: 0.1, stalled, fit: None, closed })
        };
        let told = of(6000, false);
        assert!(told[0].of_generator && told[0].reason.contains("stood still for 6.00 s") && told.len() == 2, "{told:?}");
        assert_eq!((of(50, false).len(), of(6000, true).len(), of(50, true).len()), (1, 1, 0));
    }

    #[test]
    fn connections_that_end_at_once_are_doubted_and_those_that_only_end_are_not() {
        let of = |stillborn, exhausted| {
            let lost = [("closed between calls".to_owned(), 500)].into();
            doubts_of_connections(&Connections { opened: 8, reopened: 500, stillborn, exhausted, lost })
        };
        assert_eq!(of(50, 0), vec![]);
        assert!(matches!(&of(51, 0)[..], [Doubt { phase: None, of_generator: false, .. }]));
        assert!(matches!(&of(0, 1)[..], [Doubt { of_generator: true, .. }]));
    }

    #[test]
    fn a_good_run_is_not_doubted_and_each_failing_is_told() {
        assert_eq!(told_of(|_| {}, 0.5, false), vec![]);
        let late = |tally: &mut Tally| (0..200).for_each(|_| tally.lag.record(Duration::from_micros(150)));
        assert!(told_of(late, 0.5, false)[0].reason.contains("late by"));
        assert!(told_of(|tally| tally.skipped = 11, 0.5, false)[0].reason.contains("left out"));
        assert_eq!(told_of(|tally| tally.skipped = 10, 0.5, false), vec![]);
        let unsent = told_of(|tally| tally.unsent = 11, 0.5, false);
        assert!(unsent[0].reason.contains("no connection") && !unsent[0].of_generator, "{unsent:?}");
        assert!(told_of(|_| {}, 0.97, false)[0].reason.contains("busy 97 %"));
        assert_eq!(told_of(|_| {}, 1.0, true), vec![]);
    }
}
