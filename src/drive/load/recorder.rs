//! What a worker records of its calls: by phase and second, which it tells once a second, and by phase until its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use super::pacer::{Delay, Release};
use super::slots::Flight;
use crate::clock::Offset;
use crate::clock::nanoseconds;
use crate::history::{Exchange, Fate};
use crate::judge::load::findings::Findings;
use crate::judge::load::fit::Fit;
use crate::judge::load::ledger::Difference;
use crate::judge::load::measured::{Connections, TimedCall};
use crate::judge::load::reply::Settled;
use crate::judge::load::tally::Tally;
use crate::scenario::load::Plan;
use crate::scenario::load::arrivals::Due;

/// What is shown of a run while it goes on.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// What a worker tells once a second, and at its end.
pub(super) struct Told {
    pub(super) worker: usize,
    /// How its connections fared until now.
    pub(super) connections: Connections,
    /// Every call of an earlier phase than this has gone, or was left out.
    pub(super) due_phase: usize,
    /// Phase to findings until now.
    pub(super) findings: BTreeMap<usize, u64>,
    /// Seconds since the plan's zero, rounded down, in which it was recorded.
    pub(super) second: u64,
    pub(super) slices: Vec<Slice>,
}

/// What a worker saw of one phase in one second.
pub(super) struct Slice {
    pub(super) phase: usize,
    pub(super) tally: Box<Tally>,
}

/// Where a worker's records go, and where the emptied ones come back from.
pub(super) struct Channels {
    pub(super) worker: usize,
    pub(super) told: Sender<Told>,
    pub(super) spare: Receiver<Box<Tally>>,
}

/// What a worker alone can say of a phase.
#[derive(Clone, Debug, Default)]
pub(super) struct PhaseEnd {
    /// When its last call was sent.
    pub(super) last_sent: Offset,
    /// Time in which the thread had something to do, while the phase went on.
    pub(super) busy: Duration,
    /// Longest time in which it stood still.
    pub(super) stalled: Duration,
    pub(super) fit: Fit,
}

pub(super) struct Recorder {
    channels: Channels,
    gauges: Arc<Gauges>,
    second: u64,
    /// By phase, what this second has seen of it.
    tallies: Vec<Option<Box<Tally>>>,
    phases: Vec<PhaseEnd>,
    findings: Findings,
    /// Every call, where the plan's limits are judged.
    calls: Option<Vec<TimedCall>>,
}

/// Everything that was recorded and not told.
pub(super) struct Recorded {
    pub(super) phases: Vec<PhaseEnd>,
    pub(super) findings: Findings,
    pub(super) calls: Vec<TimedCall>,
}

impl Recorder {
    pub(super) fn new(plan: &Plan, gauges: Arc<Gauges>, channels: Channels) -> Recorder {
        Recorder {
            channels,
            gauges,
            second: 0,
            tallies: plan.phases.iter().map(|_| None).collect(),
            phases: vec![PhaseEnd::default(); plan.phases.len()],
            findings: Findings::default(),
            calls: plan.limits.is_some().then(Vec::new),
        }
    }

    pub(super) fn sent(&mut self, release: &Release, at: Offset) {
        self.gauges.sent.fetch_add(1, Ordering::Relaxed);
        let delay = release.delay(at);
        let tally = self.tally(release.phase);
        tally.planned += 1;
        tally.sent += 1;
        if let Some(Delay { lag, wait }) = delay {
            tally.lag.record_ns(nanoseconds(lag));
            tally.wait.record_ns(nanoseconds(wait));
        }
        let phase = &mut self.phases[release.phase];
        phase.last_sent = at;
        if let Some(Delay { lag, .. }) = delay {
            phase.fit.planned(release.due);
            phase.fit.released(release.due + lag);
        }
    }

    /// A call was left out.
    pub(super) fn skipped(&mut self, due: Due) {
        let tally = self.tally(due.phase);
        tally.planned += 1;
        tally.skipped += 1;
        self.phases[due.phase].fit.planned(due.at);
    }

    /// A call was given up before it could be sent.
    pub(super) fn unsent(&mut self, due: Due) {
        let tally = self.tally(due.phase);
        tally.planned += 1;
        tally.unsent += 1;
    }

    pub(super) fn replied(&mut self, flight: &Flight, settled: Settled, now: Offset) {
        let tally = self.finish(flight, settled.fate, now);
        if let Some(code) = settled.code {
            tally.count_code(code, 1);
        }
    }

    pub(super) fn lost(&mut self, flight: &Flight, cause: &str, now: Offset) {
        let tally = self.finish(flight, Fate::Lost, now);
        *tally.losses.entry(cause.to_owned()).or_default() += 1;
    }

    /// The run was ended before the call had its reply.
    pub(super) fn given_up(&mut self, flight: &Flight, now: Offset) {
        self.time(flight, Fate::Lost, now);
        self.tally(flight.phase).given_up += 1;
    }

    fn finish(&mut self, flight: &Flight, fate: Fate, now: Offset) -> &mut Tally {
        self.time(flight, fate, now);
        let class = fate.class() as usize;
        let tally = self.tally(flight.phase);
        tally.classes[class] += 1;
        tally.service[class].record_ns(nanoseconds(now.since(flight.sent)));
        tally.response[class].record_ns(nanoseconds(now.since(flight.due)));
        tally
    }

    /// A call is no longer under way.
    fn time(&mut self, flight: &Flight, fate: Fate, now: Offset) {
        self.gauges.received.fetch_add(1, Ordering::Relaxed);
        if let Some(calls) = &mut self.calls {
            calls.push(TimedCall {
                message: flight.draft.ticket.message,
                phase: u16::try_from(flight.phase).unwrap_or(u16::MAX),
                fate,
                sent: flight.sent.as_nanos(),
                received: now.as_nanos(),
            });
        }
    }

    /// What was wrong with a reply. The exchange is made only where it is kept.
    pub(super) fn found(&mut self, differences: &mut Vec<Difference>, phase: usize, exchange: impl Fn() -> Option<Exchange>) {
        self.findings.take(differences, Some(phase), exchange);
    }

    /// The thread had something to do for so long.
    pub(super) fn busy(&mut self, phase: usize, time: Duration) {
        self.phases[phase].busy += time;
    }

    /// The thread stood still for so long.
    pub(super) fn stalled(&mut self, phase: usize, time: Duration) {
        let longest = &mut self.phases[phase].stalled;
        *longest = time.max(*longest);
    }

    /// When the second is over that is being recorded.
    pub(super) fn second_ends(&self) -> Offset {
        Offset::after_zero(Duration::from_secs(self.second + 1))
    }

    /// Hands over what the second has seen, and goes on with the one that it is now.
    pub(super) fn next_second(&mut self, connections: &Connections, due_phase: usize, now: Offset) {
        self.tell(connections, due_phase);
        self.second = now.since_zero().as_secs();
    }

    fn tell(&mut self, connections: &Connections, due_phase: usize) {
        let tallies = self.tallies.iter_mut().enumerate();
        let slices = tallies.filter_map(|(phase, tally)| tally.take().map(|tally| Slice { phase, tally })).collect();
        // Nobody listens any more where the run has failed elsewhere.
        let _ = self.channels.told.send(Told {
            worker: self.channels.worker,
            connections: connections.clone(),
            due_phase,
            findings: self.findings.by_phase.clone(),
            second: self.second,
            slices,
        });
    }

    /// Hands over the last second, and gives the rest.
    pub(super) fn end(mut self, connections: &Connections) -> Recorded {
        self.tell(connections, usize::MAX);
        Recorded { phases: self.phases, findings: self.findings, calls: self.calls.unwrap_or_default() }
    }

    fn tally(&mut self, phase: usize) -> &mut Tally {
        let spare = &self.channels.spare;
        self.tallies[phase].get_or_insert_with(|| spare.try_recv().unwrap_or_default())
    }
}
