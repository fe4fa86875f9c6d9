//! One thread of a run: sends its share of the calls when they are due, over connections of its own, and judges every reply.
//!
//! Here is only the loop, and what an event brings: when to send is the pacer's to say, what a call carries the writer's. Which
//! calls are its own follows from their message: a message has one worker, and so one writer. Nothing is shared on the way of a
//! call but counters that are only ever shown.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Barrier, OnceLock};
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::choose::{Chooser, Share};
use super::clock::{MonotonicClock, Timer};
use super::pacer::{Action, Pacer, Release, Wake};
use super::recorder::{Channels, Gauges, Recorded, Recorder};
use super::render::Templates;
use super::slots::{Flight, Slots};
use super::wire::{Cause, HttpConnection, HttpResponse, Tls};
use super::writer::Writer;
use crate::api::reply::MOST_KEPT_BYTES;
use crate::clock::{Offset, Timestamp, Zero};
use crate::drive::stop::Stop;
use crate::history::{Exchange, HttpReply, Loss, Outcome};
use crate::judge::load::ledger::Ledger;
use crate::judge::load::measured::Connections;
use crate::random::Random;
use crate::scenario::load::Plan;

/// Connections get so long to open before the plan begins.
const OPENING: Duration = Duration::from_secs(5);
/// An event's token that stands for the timer; every other is a slot's number.
const TIMER: u64 = u64::MAX;
/// A thread that comes back so much later than it wanted to stood still: stopped, or without a processor.
const STILL: Duration = Duration::from_millis(10);
/// A stop is looked for so often.
const STOP_EVERY: Duration = Duration::from_millis(100);
/// What need not be exact may come as late as a sleep ends.
const LEEWAY: Duration = Duration::from_millis(1);
const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const TEN_MS: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Events taken in at a time.
const MOST_EVENTS: usize = 1024;

/// What all workers of a run have in common.
pub(super) struct Common {
    pub(super) plan: Plan,
    pub(super) choosers: Arc<[Chooser]>,
    pub(super) templates: Arc<Templates>,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Tls>,
    pub(super) seed: u64,
    pub(super) clock: MonotonicClock,
    /// Workers and their starter meet here when every connection is open.
    pub(super) ready: Barrier,
    /// Set by the starter between two meetings.
    pub(super) zero: OnceLock<Zero>,
    pub(super) stop: Stop,
    /// A check of a phase that aborts did not hold.
    pub(super) aborted: AtomicBool,
    pub(super) gauges: Arc<Gauges>,
    pub(super) recording: Option<SyncSender<Exchange>>,
}

/// A worker at its end.
pub(super) struct Ended {
    pub(super) ledger: Ledger,
    pub(super) record: Recorded,
    pub(super) connections: Connections,
    pub(super) cpu: Duration,
    /// When it was cut short, where it was.
    pub(super) stopped: Option<Offset>,
}

/// Why a worker could not do its job.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("no connection to {address} can be opened: {cause}")]
    Unreachable { address: SocketAddr, cause: String },
    #[error("it was not begun")]
    NoZero,
    #[error("the operating system refused a timer or a queue of events")]
    System(#[from] io::Error),
}

/// Carries out a share of the plan on the calling thread, over its share of the plan's connections.
pub(super) fn work(common: &Arc<Common>, share: Share, ledger: Ledger, channels: Channels) -> Result<Ended, WorkerError> {
    let opened = Worker::new(Arc::clone(common), share, ledger, channels).and_then(Worker::open_all);
    // Whoever failed still has to meet the others, who would wait for ever.
    common.ready.wait();
    common.ready.wait();
    let opened = opened?;
    // Where the start gave none, nothing is to be sent; why is for the starter to tell.
    opened.run(common.zero.get().copied().ok_or(WorkerError::NoZero)?)
}

/// The thread's state.
struct Worker {
    common: Arc<Common>,
    zero: Zero,
    /// When it wanted to go on at the latest.
    awake_by: Timestamp,
    epoll: rustix::fd::OwnedFd,
    timer: Timer,
    pacer: Pacer,
    slots: Slots,
    writer: Writer,
    recorder: Recorder,
}

impl Worker {
    fn new(common: Arc<Common>, share: Share, ledger: Ledger, channels: Channels) -> Result<Worker, WorkerError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let timer = Timer::new()?;
        epoll::add(&epoll, timer.fd(), epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN | epoll::EventFlags::ET)
            .map_err(io::Error::from)?;
        let (plan, choosers) = (&common.plan, || Arc::clone(&common.choosers));
        let random = Random::named(common.seed, &format!("worker {}", share.number));
        Ok(Worker {
            zero: Zero::default(),
            awake_by: Timestamp::default(),
            epoll,
            timer,
            pacer: Pacer::new(plan, choosers(), share, common.seed),
            slots: Slots::new(share.part(plan.connections.get()), plan.timeout, random.clone()),
            writer: Writer::new(choosers(), Arc::clone(&common.templates), share, random, ledger),
            recorder: Recorder::new(plan, Arc::clone(&common.gauges), channels),
            common,
        })
    }

    /// Opens every connection; at least one has to come about.
    fn open_all(mut self) -> Result<Worker, WorkerError> {
        let start = self.common.clock.now();
        let until = start + self.common.plan.timeout.min(OPENING);
        self.slots.numbers().for_each(|slot| self.open(slot, start));
        let mut events = Vec::with_capacity(MOST_EVENTS);
        while self.slots.are_opening() && self.common.clock.now() < until && !self.common.stop.is_set() {
            self.wait_for(&mut events, Some(&TEN_MS))?;
            for event in &events {
                self.ready(event);
            }
        }
        if self.slots.free_since().is_none() && !self.slots.numbers().is_empty() && !self.common.stop.is_set() {
            let cause = self.slots.fared().lost.keys().next().cloned().unwrap_or_else(|| "it takes too long".to_owned());
            return Err(WorkerError::Unreachable { address: self.common.address, cause });
        }
        Ok(self)
    }

    /// Runs the plan to its end.
    fn run(mut self, zero: Zero) -> Result<Ended, WorkerError> {
        self.zero = zero;
        self.awake_by = zero.timestamp(Offset::ZERO);
        let mut events = Vec::with_capacity(MOST_EVENTS);
        loop {
            let now = self.common.clock.now();
            self.timer.woke(now);
            self.attend(now);
            for event in &events {
                self.ready(event);
            }
            self.pass(now);
            let worked = self.release() || !events.is_empty();
            self.obey(now);
            if self.pacer.is_over(self.zero.offset(now), self.slots.in_flight()) {
                break;
            }
            if worked {
                self.recorder.busy(self.pacer.phase(), self.common.clock.now().since(now));
            }
            self.wait(&mut events)?;
        }
        Ok(self.end())
    }

    /// Gives up the calls that are still on their way, or were due and never sent.
    fn end(mut self) -> Ended {
        let now = self.now();
        for slot in self.slots.numbers() {
            if let Some(flight) = self.slots.land(slot) {
                self.record(slot, &flight, now, || Outcome::Lost(Loss::Closed("the run was ended".to_owned())));
                self.writer.lose(&flight.draft);
                self.recorder.given_up(&flight, now);
            }
        }
        while let Some(due) = self.pacer.left() {
            self.recorder.unsent(due);
        }
        let connections = self.slots.fared().clone();
        Ended {
            ledger: self.writer.into_ledger(),
            record: self.recorder.end(&connections),
            connections,
            cpu: Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default(),
            stopped: self.pacer.stopped(),
        }
    }

    fn now(&self) -> Offset {
        self.zero.offset(self.common.clock.now())
    }

    // ---------------------------------------------------------------------------------------------------- waiting

    /// It goes on now. Where that is much later than it wanted to, what came meanwhile was not slow, nor was what did not come.
    fn attend(&mut self, now: Timestamp) {
        let still = now.since(self.awake_by);
        self.awake_by = now;
        if still < STILL {
            return;
        }
        let (at, first) = (self.zero.offset(now), self.pacer.phase());
        self.pacer.pass(at);
        self.pacer.stalled(at, still);
        self.slots.stalled(still);
        (first..=self.pacer.phase()).for_each(|phase| self.recorder.stalled(phase, still));
    }

    /// Waits for an event or for the next thing that is due; for what is due by then, not at all.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let now = self.common.clock.now();
        self.attend(now);
        let chore = self.recorder.second_ends().min(self.zero.offset(self.wake_at(now)));
        let (at, gap) = match self.pacer.wake(self.slots.free_since().is_some(), chore) {
            Wake::Exact { at, gap } => (at, gap),
            Wake::Chore(at) => (at + LEEWAY, Duration::MAX),
        };
        let at = self.zero.timestamp(at);
        self.awake_by = at.max(now);
        let sleeps = self.timer.set(at, now, gap)?;
        self.wait_for(events, if sleeps { None } else { Some(&NO_TIME) })
    }

    /// When there is something to do about a connection, or to look for a stop: that at whole multiples, so that the timer need
    /// not be set anew each time.
    fn wake_at(&self, now: Timestamp) -> Timestamp {
        let stop = now.next_multiple_of(STOP_EVERY);
        self.slots.wake_at().map_or(stop, |at| at.min(stop))
    }

    fn wait_for(&self, events: &mut Vec<epoll::Event>, timeout: Option<&Timespec>) -> io::Result<()> {
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that is done by time alone.
    fn pass(&mut self, now: Timestamp) {
        let at = self.zero.offset(now);
        self.pacer.pass(at);
        if at >= self.recorder.second_ends() {
            self.recorder.next_second(self.slots.fared(), self.pacer.due_phase(), at);
        }
        while let Some(slot) = self.slots.timed_out(now) {
            self.lose(slot, "timed out", now);
        }
        while let Some(slot) = self.slots.open_next(now) {
            self.open(slot, now);
        }
        while let Some(due) = self.pacer.out_of_patience(at) {
            self.recorder.unsent(due);
        }
    }

    /// Ends the run where that is asked for, once whatever is due was sent: what is left then had no connection.
    fn obey(&mut self, now: Timestamp) {
        if self.common.stop.is_set() || self.common.aborted.load(Ordering::Relaxed) {
            self.pacer.stop(self.zero.offset(now));
        }
    }

    // ---------------------------------------------------------------------------------------------------- sending

    /// Sends whatever is due and finds a connection; `false` where there was nothing to do.
    fn release(&mut self) -> bool {
        let mut worked = false;
        let mut now = self.now();
        loop {
            // A phase that sends as fast as it can has no due time to look at the clock for.
            if worked && self.pacer.has_due_calls() {
                now = self.now();
            }
            let free_since = self.slots.free_since().map(|since| self.zero.offset(since));
            match self.pacer.decide(now, free_since) {
                Action::Send(release) if self.send(&release) => {}
                Action::Send(_) | Action::Wait => return worked,
                Action::Skip(due) => self.recorder.skipped(due),
            }
            worked = true;
        }
    }

    /// `false` where every key that the call could write is being written.
    fn send(&mut self, release: &Release) -> bool {
        let &Release { phase, index, due, .. } = release;
        let Some(draft) = self.writer.reserve(phase, index) else {
            self.pacer.blocked();
            return false;
        };
        let bytes = self.writer.render(&draft);
        let now = self.common.clock.now();
        let sent = self.zero.offset(now);
        let Some(slot) = self.slots.begin(Flight { draft, phase, due, sent }, now) else { return false };
        let written = self.slots.connection(slot).map_or(Ok(()), |connection| connection.send(bytes));
        self.pacer.sent(release);
        self.recorder.sent(release, sent);
        if let Err(cause) = written {
            self.lose(slot, cause.words(), now);
        }
        true
    }

    // -------------------------------------------------------------------------------------------------- receiving

    /// Takes in what an edge brought.
    fn ready(&mut self, event: &epoll::Event) {
        let token = event.data.u64();
        if token == TIMER {
            return;
        }
        let slot = u32::try_from(token).unwrap_or(0);
        // Where the target has closed its side the end is read now: the edge that tells of it does not come again.
        let flags = event.flags;
        let closed = flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        while self.receive(slot) && closed {}
    }

    /// Takes in one response, or whatever else a connection has; `false` once it has nothing more.
    fn receive(&mut self, slot: u32) -> bool {
        let Some(mut connection) = self.slots.take(slot) else { return false };
        match self.take_in(slot, &mut connection) {
            Ok(more) => {
                self.slots.put_back(slot, connection);
                more
            }
            Err(cause) => {
                drop(connection);
                self.lose(slot, cause, self.common.clock.now());
                false
            }
        }
    }

    /// Whether there may be more to take in; or why the connection is of no use after it.
    fn take_in(&mut self, slot: u32, connection: &mut HttpConnection) -> Result<bool, &'static str> {
        if !connection.is_ready() {
            let stands = connection.establish().map_err(Cause::words)?;
            if stands {
                self.stands(slot);
            }
            return Ok(stands);
        }
        match connection.receive() {
            Ok(None) => Ok(false),
            Ok(Some(response)) => self.respond(slot, &response).map(|()| true),
            Err(cause) => Err(cause.words()),
        }
    }

    fn stands(&mut self, slot: u32) {
        let now = self.common.clock.now();
        // Every connection is opened once before the plan's zero; whatever comes later replaces one that was lost.
        if self.common.zero.get().is_some() {
            self.slots.reopened(slot, now);
        } else {
            self.slots.opened(slot, now);
        }
    }

    /// Judges a response; says why the connection is of no use after it, if it is not.
    fn respond(&mut self, slot: u32, response: &HttpResponse<'_>) -> Result<(), &'static str> {
        let now = self.common.clock.now();
        let Some(flight) = self.slots.reply(slot) else { return Err("unasked-for reply") };
        let at = self.zero.offset(now);
        self.pacer.replied(at);
        if let status @ 502..=504 = response.status {
            self.record(slot, &flight, at, || Outcome::Lost(Loss::Gateway(status)));
            self.writer.lose(&flight.draft);
            self.recorder.lost(&flight, &format!("gateway answered HTTP {status}"), at);
        } else {
            self.judge(slot, &flight, response, at);
        }
        if !response.keep_alive {
            return Err("closed after a reply");
        }
        self.slots.free(slot, now);
        Ok(())
    }

    fn judge(&mut self, slot: u32, flight: &Flight, response: &HttpResponse<'_>, now: Offset) {
        let mut differences = Vec::new();
        self.record(slot, flight, now, || replied(response, usize::MAX));
        let settled = self.writer.settle(&flight.draft, response, &mut differences);
        if !differences.is_empty() {
            let exchange = || exchange(&self.writer, slot, flight, replied(response, MOST_KEPT_BYTES), now);
            self.recorder.found(&mut differences, flight.phase, || Some(exchange()));
        }
        self.recorder.replied(flight, settled, now);
    }

    /// Hands a call that has ended to whoever records the run.
    fn record(&self, slot: u32, flight: &Flight, now: Offset, outcome: impl FnOnce() -> Outcome) {
        let Some(recording) = &self.common.recording else { return };
        let mut exchange = exchange(&self.writer, slot, flight, outcome(), now);
        let zero = self.zero.timestamp(Offset::ZERO).since(Timestamp::default());
        for time in [&mut exchange.due, &mut exchange.sent, &mut exchange.received] {
            *time += zero;
        }
        // Why nobody listens any more is told by whoever cannot write.
        let _ = recording.send(exchange);
    }

    // ------------------------------------------------------------------------------------------------ connections

    fn open(&mut self, slot: u32, now: Timestamp) {
        self.slots.opening(slot, now);
        let mut connection = HttpConnection::new(self.common.address, self.common.tls.clone());
        let watched = connection.open().and_then(|()| {
            let data = epoll::EventData::new_u64(u64::from(slot));
            let added = epoll::add(&self.epoll, &connection, data, HttpConnection::INTEREST);
            added.map_err(|error| Cause::from(&io::Error::from(error)))
        });
        match watched {
            Ok(()) => self.slots.put_back(slot, Box::new(connection)),
            Err(cause) => {
                if cause == Cause::Exhausted {
                    self.slots.exhausted();
                }
                self.lose(slot, cause.words(), now);
            }
        }
    }

    /// A connection is gone, and with it the reply to the call on it.
    fn lose(&mut self, slot: u32, cause: &str, now: Timestamp) {
        if let Some(flight) = self.slots.lose(slot, cause, now) {
            self.record(slot, &flight, self.zero.offset(now), || Outcome::Lost(Loss::Closed(cause.to_owned())));
            self.writer.lose(&flight.draft);
            self.recorder.lost(&flight, cause, self.zero.offset(now));
        }
        if !self.pacer.is_stopped() {
            self.slots.retry(slot);
        }
    }
}

/// A call and what came of it, until the next one on its keys.
fn exchange(writer: &Writer, slot: u32, flight: &Flight, outcome: Outcome, now: Offset) -> Exchange {
    Exchange {
        client: slot,
        request: writer.request(&flight.draft),
        outcome,
        due: flight.due.since_zero(),
        sent: flight.sent.since_zero(),
        received: now.since_zero(),
        retries: 0,
    }
}

/// A response of which no more than so much is kept.
fn replied(&HttpResponse { status, body, coding, .. }: &HttpResponse<'_>, most: usize) -> Outcome {
    let body = body[..body.len().min(most)].to_vec();
    Outcome::Replied(HttpReply { status, body, cut: None, coding: coding.map(str::to_owned) })
}
