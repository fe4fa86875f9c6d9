//! A plan carried out: workers send, this thread adds up what they tell, second by second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use super::choose::{Chooser, Share};
use super::clock::MonotonicClock;
use super::recorder::{Channels, PhaseEnd, Slice, Told};
use super::worker::{Common, Ended, WorkerError, work};
use super::{LoadError, LoadGround, since_1970};
use crate::clock::{Offset, Zero};
use crate::drive::stop::Stop;
use crate::drive::urgency::give_way;
use crate::judge::load::check::{Checked, evaluate};
use crate::judge::load::fit::worst;
use crate::judge::load::measured::{Connections, CutShort, Measured, MeasuredPhase, MeasuredSecond};
use crate::judge::load::tally::Tally;
use crate::scenario::load::Plan;
use crate::scenario::load::arrivals::Schedule;

/// A moment is told so often, where it is told.
const TICK: Duration = Duration::from_millis(100);
/// Workers get so long to be on their marks before the plan's zero.
const LEAD: Duration = Duration::from_millis(20);

/// Whoever watches a run.
pub struct Watcher<'a> {
    /// Whether to tell each moment. Who does not show them spares the workers' cores.
    pub ticks: bool,
    pub tell: &'a mut (dyn FnMut(LoadEvent<'_>) + Send),
}

/// Something that happened, for whoever watches.
pub enum LoadEvent<'a> {
    /// At most ten a second.
    Tick(Tick),
    /// A second is over; what it saw, of all phases.
    Second { second: u64, tally: &'a Tally, so_far: SoFar<'a> },
    /// A phase's planned time is over. Replies may still come.
    PhaseOver { phase: usize, tally: &'a Tally },
}

/// What a run has come to until now.
#[derive(Clone, Copy)]
pub struct SoFar<'a> {
    pub plan: &'a Plan,
    /// Of each phase.
    pub phases: &'a [Tally],
    /// By worker, how its connections fared.
    pub connections: &'a [Connections],
    pub in_flight: u64,
}

/// The moment.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    pub phase: usize,
    /// Since the plan's zero.
    pub elapsed: Duration,
    pub sent: u64,
    pub in_flight: u64,
}

/// Carries out a plan; `stop` ends it early.
pub fn run(ground: &mut LoadGround<'_>, plan: &Plan, stop: &Stop, watcher: Watcher<'_>) -> Result<Measured, LoadError> {
    let threads = ground.threads();
    let common = Arc::new(Common {
        choosers: plan.traffics().map(|traffic| Chooser::new(traffic, ground.portion.seed)).collect(),
        templates: Arc::new(ground.templates(plan)),
        plan: plan.clone(),
        address: ground.address,
        tls: ground.tls()?,
        seed: ground.portion.seed,
        clock: MonotonicClock::starting_at(ground.ground.start.into()),
        recording: ground.recording.clone(),
        ready: Barrier::new(threads + 1),
        zero: OnceLock::new(),
        stop: stop.clone(),
        aborted: AtomicBool::new(false),
        gauges: Arc::default(),
    });
    let (telling, told) = channel();
    let (mut spares, mut handles) = (Vec::new(), Vec::new());
    let of = u32::try_from(threads).unwrap_or(u32::MAX);
    for ((number, worker), ledger) in (0..of).zip(0..).zip(std::mem::take(&mut ground.ledgers)) {
        let (spare, returned) = channel();
        spares.push(spare);
        let channels = Channels { worker, told: telling.clone(), spare: returned };
        let common = Arc::clone(&common);
        let own = Share::of_thread(number, of, ground.portion.shard);
        handles.push(thread::spawn(move || work(&common, own, ledger, channels)));
    }
    drop(telling);
    common.ready.wait();
    // Calls that are late all at once would be a burst that nobody planned.
    let lead = ground.portion.start_at.map_or(Ok(LEAD), |start| ahead(start, since_1970()));
    let zero = lead.map(|lead| Zero(common.clock.now() + lead));
    if let Ok(zero) = zero {
        let _ = common.zero.set(zero);
    }
    common.ready.wait();
    let zero = zero?;
    let mut collector = Collector::new(&common, zero, spares);
    let (sums, told) = (&mut collector, told);
    thread::scope(|scope| {
        scope.spawn(move || {
            // Whoever adds up and shows can wait.
            give_way();
            sums.collect(&told, watcher);
        });
    });
    let ended: Vec<Result<Ended, WorkerError>> =
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
    let elapsed = zero.offset(common.clock.now()).since_zero();
    let ended = ended.into_iter().collect::<Result<Vec<Ended>, WorkerError>>()?;
    Ok(collector.sum(ground, ended, elapsed))
}

/// From now on, both since 1970.
fn ahead(start: Duration, now: Duration) -> Result<Duration, LoadError> {
    start.checked_sub(now).ok_or_else(|| LoadError::Late(now.saturating_sub(start)))
}

/// Adds up what the workers tell.
struct Collector<'a> {
    common: &'a Common,
    zero: Zero,
    spares: Vec<Sender<Box<Tally>>>,
    connections: Vec<Connections>,
    /// By worker, phase to findings.
    findings: Vec<BTreeMap<usize, u64>>,
    phases: Vec<Tally>,
    ends: Vec<Offset>,
    /// By second, what has been told of it, and by how many workers.
    seconds: BTreeMap<u64, (Tally, usize)>,
    over: usize,
    /// By worker, the phase of its next call.
    due_phases: Vec<usize>,
    aborted: Option<CutShort>,
    measured: Vec<MeasuredSecond>,
}

impl<'a> Collector<'a> {
    fn new(common: &'a Common, zero: Zero, spares: Vec<Sender<Box<Tally>>>) -> Collector<'a> {
        let phases = common.plan.phases.iter().map(|_| Tally::default()).collect();
        let ends = Schedule::new(&common.plan.phases, common.seed).ends().to_vec();
        Collector {
            common,
            zero,
            connections: vec![Connections::default(); spares.len()],
            findings: vec![BTreeMap::new(); spares.len()],
            due_phases: vec![0; spares.len()],
            spares,
            phases,
            ends,
            seconds: BTreeMap::new(),
            over: 0,
            aborted: None,
            measured: Vec::new(),
        }
    }

    /// Listens until every worker has ended.
    fn collect(&mut self, told: &Receiver<Told>, watcher: Watcher<'_>) {
        let Watcher { ticks, tell: watch } = watcher;
        let patience = if ticks { TICK } else { Duration::MAX };
        let mut next = Offset::ZERO;
        loop {
            match told.recv_timeout(patience) {
                Ok(told) => self.take(told, watch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.now();
            if ticks && now >= next {
                self.tick(now, watch);
                next = now + TICK;
            }
        }
        while let Some((second, (tally, _))) = self.seconds.pop_first() {
            self.second_over(second, &tally, watch);
        }
        self.phases_over(Offset::MAX, watch);
    }

    fn now(&self) -> Offset {
        self.zero.offset(self.common.clock.now())
    }

    fn tick(&mut self, now: Offset, watch: &mut dyn FnMut(LoadEvent<'_>)) {
        let phase = self.ends.partition_point(|end| *end <= now).min(self.ends.len().saturating_sub(1));
        let sent = self.common.gauges.sent.load(Ordering::Relaxed);
        watch(LoadEvent::Tick(Tick { phase, elapsed: now.since_zero(), sent, in_flight: self.in_flight() }));
    }

    fn in_flight(&self) -> u64 {
        let received = self.common.gauges.received.load(Ordering::Relaxed);
        self.common.gauges.sent.load(Ordering::Relaxed).saturating_sub(received)
    }

    fn so_far(&self) -> SoFar<'_> {
        SoFar { plan: &self.common.plan, phases: &self.phases, connections: &self.connections, in_flight: self.in_flight() }
    }

    fn take(&mut self, told: Told, watch: &mut dyn FnMut(LoadEvent<'_>)) {
        let (second, workers) = self.seconds.entry(told.second).or_default();
        *workers += 1;
        self.connections[told.worker] = told.connections;
        self.findings[told.worker] = told.findings;
        self.due_phases[told.worker] = told.due_phase;
        for Slice { phase, mut tally } in told.slices {
            second.add(&tally);
            self.phases[phase].add(&tally);
            tally.clear();
            // A worker that has ended wants none back.
            let _ = self.spares[told.worker].send(tally);
        }
        while let Some(first) = self.seconds.first_entry().filter(|first| first.get().1 >= self.spares.len()) {
            let (second, (tally, _)) = first.remove_entry();
            self.second_over(second, &tally, watch);
            let now = Offset::after_zero(Duration::from_secs(second + 1));
            self.phases_over(now, watch);
            self.abort_on_fail(now);
        }
    }

    fn phases_over(&mut self, until: Offset, watch: &mut dyn FnMut(LoadEvent<'_>)) {
        while self.over < self.ends.len() && self.ends[self.over] <= until {
            watch(LoadEvent::PhaseOver { phase: self.over, tally: &self.phases[self.over] });
            self.over += 1;
        }
    }

    /// Ends the run where a phase has failed that is to end it: what later calls of the phase can still make hold waits for them.
    fn abort_on_fail(&mut self, now: Offset) {
        let plan = &self.common.plan;
        let aborting = plan.phases.iter().enumerate().filter(|(_, phase)| phase.abort_on_fail);
        let failed = aborting.into_iter().find_map(|(index, phase)| Some((phase, self.failed(index, now)?)));
        if let Some((phase, failed)) = failed.filter(|_| self.aborted.is_none()) {
            let phase = phase.name.clone();
            self.aborted = Some(CutShort::Aborted { phase, check: failed.text, actual: failed.actual });
            self.common.aborted.store(true, Ordering::Relaxed);
        }
    }

    /// A check of a phase that does not hold, and will not.
    fn failed(&self, index: usize, now: Offset) -> Option<Checked> {
        let (tally, end) = (&self.phases[index], self.ends[index]);
        let start = if index == 0 { Offset::ZERO } else { self.ends[index - 1] };
        let is_over =
            now >= end && self.due_phases.iter().all(|due| *due > index) && tally.classes.iter().sum::<u64>() == tally.sent;
        let findings = self.findings.iter().filter_map(|findings| findings.get(&index)).sum();
        let elapsed = now.min(end).since(start);
        let checks = self.common.plan.phases[index].checks.iter();
        checks
            .map(|check| evaluate(check, tally, elapsed, findings))
            .find(|checked| checked.is_lost || (is_over && checked.holds == Some(false)))
    }

    fn sum(self, ground: &mut LoadGround<'_>, ended: Vec<Ended>, elapsed: Duration) -> Measured {
        let threads = u32::try_from(self.spares.len()).unwrap_or(u32::MAX);
        let mut run = Measured::nothing_of(self.common.plan.clone(), threads);
        run.elapsed = elapsed;
        run.seconds = self.measured;
        run.cut_short = self.aborted.or_else(|| {
            let ended_early = self.common.stop.is_set();
            ended_early.then_some(CutShort::Interrupted(elapsed))
        });
        let mut of_workers: Vec<Vec<PhaseEnd>> = Vec::new();
        let cut = ended.iter().filter_map(|worker| worker.stopped).min();
        for worker in ended {
            run.findings.add(worker.record.findings, 0);
            run.calls.extend(worker.record.calls);
            run.connections.add(&worker.connections);
            run.cpu += worker.cpu;
            of_workers.push(worker.record.phases);
            ground.ledgers.push(worker.ledger);
        }
        run.calls.sort_by_key(|call| call.sent);
        let stopped = cut.unwrap_or(Offset::MAX);
        let starts = std::iter::once(Offset::ZERO).chain(self.ends.iter().copied());
        for (index, ((tally, start), end)) in self.phases.into_iter().zip(starts).zip(&self.ends).enumerate() {
            let of_phase: Vec<&PhaseEnd> = of_workers.iter().map(|phases| &phases[index]).collect();
            let last_sent = of_phase.iter().map(|phase| phase.last_sent).max().unwrap_or_default();
            let took = (*end).min(stopped).max(last_sent).since(start);
            let busy = of_phase.iter().map(|phase| phase.busy).max().unwrap_or_default();
            run.phases.push(MeasuredPhase {
                tally,
                elapsed: took,
                reached: stopped > start,
                ended: stopped >= *end,
                stalled: of_phase.iter().map(|phase| phase.stalled).max().unwrap_or_default(),
                busiest: if took.is_zero() { 0.0 } else { busy.div_duration_f64(took) },
                fit: worst(of_phase.iter().map(|phase| phase.fit.clone().end())),
            });
        }
        run
    }

    /// A second is over, told by every worker.
    fn second_over(&mut self, second: u64, tally: &Tally, watch: &mut dyn FnMut(LoadEvent<'_>)) {
        self.measured.push(MeasuredSecond::new(second, tally));
        watch(LoadEvent::Second { second, tally, so_far: self.so_far() });
    }
}
