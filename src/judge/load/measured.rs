//! What a load run measured, as one plain value: made by whoever drives, judged here, shown by a report, written and read back
//! whole. Never a verdict: see [`super::verdict`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::Searched;
use super::findings::Findings;
use super::fit::Block;
use super::shards::Shards;
use super::tally::{Latency, Tally};
use crate::history::{Class, Fate};
use crate::scenario::load::Plan;

/// A run, or all trials of a search, each a phase of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub plan: Plan,
    /// One for each phase of the plan, in its order.
    pub phases: Vec<MeasuredPhase>,
    /// Second by second, of all phases; those in which nothing was due are there, too.
    pub seconds: Vec<MeasuredSecond>,
    /// From the plan's zero to the last reply; of a search, the sum.
    pub elapsed: Duration,
    pub findings: Findings,
    /// Every call in the order of sending, where the plan's limits are judged; otherwise empty.
    pub calls: Vec<TimedCall>,
    pub connections: Connections,
    /// Processor time of the threads that sent.
    pub cpu: Duration,
    pub threads: u32,
    /// `None` where the target has no way to read a message back.
    pub read_back: Option<ReadBackCount>,
    /// Who carried it out together; `None` where one process did it all.
    #[serde(default)]
    pub shards: Option<Shards>,
    /// `None` for a run that searched for no capacity.
    pub searched: Option<Searched>,
    /// `None` for a run that came to its end.
    pub cut_short: Option<CutShort>,
}

/// One phase of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredPhase {
    pub tally: Tally,
    /// From the phase's start to its planned end, or to its last call where that was sent later.
    pub elapsed: Duration,
    /// Whether the run came so far.
    pub reached: bool,
    /// Whether it went on to the phase's planned end.
    pub ended: bool,
    /// Longest time in which a thread that had to send stood still: stopped, or without a processor.
    pub stalled: Duration,
    /// The share of the phase (0 to 1) in which the busiest thread had something to do.
    pub busiest: f64,
    /// The stretch whose arrivals fitted the plan worst, of any thread's.
    pub fit: Option<Block>,
}

impl MeasuredPhase {
    /// Whether everything that it planned came to an end of its own.
    pub fn is_whole(&self) -> bool {
        self.ended && self.tally.given_up == 0
    }
}

/// One second of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSecond {
    /// When it began, in whole seconds since the run's start.
    pub at_s: u64,
    pub sent: u64,
    pub accepted: u64,
    pub refused: u64,
    pub errors: u64,
    pub lost: u64,
    pub response_p50: Duration,
    pub response_p99: Duration,
    pub lag_p99: Duration,
    /// All response times, as [`super::tally::Latency::hdr`] writes them; empty where no reply came.
    pub response: String,
}

/// One call as the judge of the limits has to know it; times in nanoseconds since the plan's zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedCall {
    pub message: u32,
    pub phase: u16,
    pub fate: Fate,
    pub sent: u64,
    pub received: u64,
}

/// How connections fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    pub opened: u64,
    pub reopened: u64,
    /// Those that could not be opened, or ended at once, before they had carried a reply.
    pub stillborn: u64,
    /// Those that the generator had no local port or descriptor for.
    pub exhausted: u64,
    /// Cause to connections that ended before the run did.
    pub lost: BTreeMap<String, u64>,
}

/// Messages read back after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBackCount {
    pub read: usize,
    /// Why a message is not known, to how many of them.
    pub unread: BTreeMap<String, usize>,
    /// All that there are; of very many only some are read back.
    pub messages: usize,
}

impl ReadBackCount {
    /// In one sentence, which messages are not known and why; `None` where all that were asked for are.
    pub fn doubt(&self) -> Option<String> {
        let unread: usize = self.unread.values().sum();
        let (why, _) = self.unread.iter().max_by_key(|(_, count)| **count)?;
        let asked = self.read + unread;
        Some(format!("{unread} of {asked} messages could not be read back after the run, so what they hold is unknown: {why}"))
    }
}

/// Why a run ended before its plan did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CutShort {
    /// The user ended it, so long after the plan's zero.
    Interrupted(Duration),
    /// The user ended a search before it had its answer.
    InSearch,
    /// A check of a phase that aborts did not hold.
    Aborted { phase: String, check: String, actual: String },
}

impl Measured {
    /// What there is before a plan without phases is carried out.
    pub fn nothing_of(plan: Plan, threads: u32) -> Measured {
        Measured {
            plan,
            phases: Vec::new(),
            seconds: Vec::new(),
            elapsed: Duration::ZERO,
            findings: Findings::default(),
            calls: Vec::new(),
            connections: Connections::default(),
            cpu: Duration::ZERO,
            threads,
            read_back: None,
            shards: None,
            searched: None,
            cut_short: None,
        }
    }

    /// All phases added up.
    pub fn total(&self) -> Tally {
        self.phases.iter().fold(Tally::default(), |mut total, phase| {
            total.add(&phase.tally);
            total
        })
    }

    /// Takes in a run that began so long after this one; its phases follow on this one's.
    pub fn append(&mut self, mut later: Measured, begun: Duration) {
        later.seconds.iter_mut().for_each(|second| second.at_s += begun.as_secs());
        let (phases, moved) = (self.phases.len(), u64::try_from(begun.as_nanos()).unwrap_or(u64::MAX));
        for call in &mut later.calls {
            call.phase += u16::try_from(phases).unwrap_or(u16::MAX);
            call.sent += moved;
            call.received += moved;
        }
        self.findings.add(later.findings, phases);
        self.plan.phases.append(&mut later.plan.phases);
        self.phases.append(&mut later.phases);
        self.seconds.append(&mut later.seconds);
        self.elapsed += later.elapsed;
        self.calls.append(&mut later.calls);
        self.connections.add(&later.connections);
        self.cpu += later.cpu;
        self.cut_short = self.cut_short.take().or(later.cut_short);
    }
}

impl MeasuredSecond {
    pub fn new(at_s: u64, tally: &Tally) -> MeasuredSecond {
        let second = MeasuredSecond {
            at_s,
            sent: tally.sent,
            accepted: tally.of(Class::Accepted),
            refused: tally.of(Class::Refused),
            errors: tally.of(Class::Error),
            lost: tally.of(Class::Lost),
            response_p50: Duration::ZERO,
            response_p99: Duration::ZERO,
            lag_p99: tally.lag.quantile(0.99),
            response: String::new(),
        };
        second.with(&tally.response(None))
    }

    /// With these response times.
    pub fn with(self, response: &Latency) -> MeasuredSecond {
        MeasuredSecond {
            response_p50: response.quantile(0.5),
            response_p99: response.quantile(0.99),
            response: if response.count() == 0 { String::new() } else { response.hdr() },
            ..self
        }
    }
}

impl Connections {
    pub fn add(&mut self, other: &Connections) {
        self.opened += other.opened;
        self.reopened += other.reopened;
        self.stillborn += other.stillborn;
        self.exhausted += other.exhausted;
        other.lost.iter().for_each(|(cause, count)| *self.lost.entry(cause.clone()).or_default() += count);
    }
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CutShort::Interrupted(after) => write!(f, "cut short after {:.1} s", after.as_secs_f64()),
            CutShort::InSearch => f.write_str("cut short before the search had come to its end"),
            CutShort::Aborted { phase, check, actual } => {
                write!(f, "{phase}: {check} does not hold (abort-on-fail): {actual}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::load::fixture::{PLAN, measured};
    use crate::judge::load::verdict::judge;

    #[test]
    fn what_was_measured_is_read_back_as_it_was_written_and_judged_the_same() {
        let mut run = measured(PLAN);
        run.cut_short = Some(CutShort::Interrupted(Duration::from_millis(1500)));
        run.read_back = Some(ReadBackCount { read: 3, unread: [("lost".to_owned(), 1)].into(), messages: 4 });
        run.connections.lost.insert("reset".to_owned(), 2);
        let text = serde_json::to_string(&run).unwrap();
        let again: Measured = serde_json::from_str(&text).unwrap();
        assert_eq!((&again, judge(&again)), (&run, judge(&run)));
        let cut = text.replacen("\"threads\"", "\"thread\"", 1);
        assert!(serde_json::from_str::<Measured>(&cut).is_err());
    }

    #[test]
    fn a_later_run_follows_on_the_phases_and_the_times_of_an_earlier_one() {
        let (mut run, later) = (measured(PLAN), measured(PLAN));
        let (calls, phases, sent) = (run.calls.len(), run.phases.len(), run.total().sent);
        run.append(later.clone(), Duration::from_secs(10));
        assert_eq!((run.phases.len(), run.plan.phases.len(), run.total().sent), (2 * phases, 2 * phases, 2 * sent));
        let (first, moved) = (later.calls[0], run.calls[calls]);
        assert_eq!((moved.phase, moved.sent), (first.phase + 1, first.sent + 10_000_000_000));
        assert_eq!(run.seconds.last().map(|second| second.at_s), later.seconds.last().map(|second| second.at_s + 10));
    }
}
