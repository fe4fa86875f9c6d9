//! One thread of a run: sends its share of the calls when they are due, over connections of its own, and judges every reply.
//!
//! Which calls are its own follows from their message: a message has one worker, and so one writer. Nothing is shared on
//! the way of a call but counters that are only ever shown.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::{ClockId, clock_gettime};

use super::choose::Chooser;
use super::clock::{Alarm, Clock};
use super::render::{Buffer, Templates};

use super::wire::{Connection, Response, Tls};
use crate::api::scan::Scanner;
use crate::drive::stop::Stop;
use crate::history::{Exchange, Fate, HttpReply, Outcome};
use crate::judge::load::findings::Findings;
use crate::judge::load::fit::Fit;
use crate::judge::load::ledger::{Difference, Ledger, Ticket};
use crate::judge::load::measured::{Connections, TimedCall};
use crate::judge::load::reply::{Settled, settle};
use crate::judge::load::tally::Tally;
use crate::random::Random;
use crate::scenario::load::arrivals::{Due, Schedule};
use crate::scenario::load::{Arrivals, Plan};

/// Connections get so long to open before the plan begins.
const OPENING: u64 = 5_000_000_000;
/// How often a worker tells what it has recorded.
pub const INTERVAL: u64 = 1_000_000_000;
/// A connection that cannot be opened is tried again after this, and then after twice as long each time.
const RETRY: u64 = 10_000_000;
const LONGEST_RETRY: u64 = 1_000_000_000;
/// A call whose message is busy looks at so many others.
const MOST_STAND_INS: u32 = 64;
/// An event's token that stands for the timer; every other is a slot's number.
const TIMER: u64 = u64::MAX;
const STOP_EVERY: u64 = 100_000_000;
const NO_TIME: rustix::time::Timespec = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
/// After the run was cut short, replies still under way are waited for so long.
const GRACE: u64 = 2_000_000_000;

/// What all workers of a run have in common.
pub struct Common {
    pub plan: Plan,
    pub choosers: Vec<Chooser>,
    pub templates: Arc<Templates>,
    pub address: SocketAddr,
    pub tls: Option<Tls>,
    pub seed: u64,
    pub clock: Clock,
    /// Workers and their starter meet here when every connection is open.
    pub ready: Barrier,
    /// The plan's zero on the clock; set by the starter between two meetings.
    pub zero: OnceLock<u64>,
    pub stop: Stop,
    /// A check of a phase that aborts did not hold.
    pub aborted: AtomicBool,
    pub gauges: Gauges,
}

/// What is shown of a run while it goes on.
#[derive(Debug, Default)]
pub struct Gauges {
    pub sent: AtomicU64,
    pub received: AtomicU64,
}

/// What a worker tells once a second, and at its end.
pub struct Told {
    pub worker: usize,
    /// How its connections fared until now.
    pub connections: Connections,
    /// Phase to findings until now.
    pub findings: BTreeMap<usize, u64>,
    /// Seconds since the plan's zero, rounded down, in which it was recorded.
    pub second: u64,
    pub slices: Vec<Slice>,
}

/// What a worker saw of one phase in one second.
pub struct Slice {
    pub phase: usize,
    pub tally: Box<Tally>,
}

/// A worker at its end.
pub struct Ended {
    pub ledger: Ledger,
    pub findings: Findings,
    pub calls: Vec<TimedCall>,
    pub connections: Connections,
    pub cpu: Duration,
    pub phases: Vec<PhaseEnd>,
}

/// What a worker alone can say of a phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseEnd {
    /// When its last call was sent, since the plan's zero.
    pub last_sent: u64,
    /// Time in which the thread had something to do, while the phase went on.
    pub busy: u64,
    pub fit: Fit,
}

/// Why a worker could not do its job.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("no connection to {address} can be opened: {cause}")]
    Unreachable { address: SocketAddr, cause: String },
    #[error("the operating system refused a timer or a queue of events")]
    System(#[from] io::Error),
}

/// One connection, and what it is doing.
struct Slot {
    connection: Option<Box<Connection>>,
    doing: Doing,
    /// When it came free, or is to be opened again.
    since: u64,
    retry: u64,
}

enum Doing {
    Opening,
    Free,
    Call(Flight),
    Waiting,
}

/// A call under way.
struct Flight {
    ticket: Ticket,
    phase: usize,
    caller: u8,
    random: u32,
    due: u64,
    sent: u64,
}

/// The thread's state.
pub struct Worker {
    common: Arc<Common>,
    number: u64,
    of: u64,
    told: Sender<Told>,
    spare: Receiver<Box<Tally>>,
    epoll: rustix::fd::OwnedFd,
    alarm: Alarm,
    slots: Vec<Slot>,
    free: VecDeque<u32>,
    /// In the order of their deadlines: slot and time of sending.
    deadlines: VecDeque<(u32, u64)>,
    /// Slots to be opened again.
    retries: Vec<u32>,
    in_flight: u32,
    schedule: Schedule,
    next: Option<Due>,
    /// From the call before it.
    gap: u64,
    /// Phases that send as fast as they can: phase, from, until, next call's number.
    saturated: VecDeque<(usize, u64, u64)>,
    saturated_calls: u64,
    /// A due call found no free key; the time of the last reply tells since when there is one.
    blocked: bool,
    last_reply: u64,
    /// When a call was last found due that could have gone before: whatever was due by then is late by the generator's fault,
    /// also where it has to wait for a connection now, because the others are late, too.
    behind: u64,
    zero: u64,
    second: u64,
    /// By phase, what this second has seen of it.
    tallies: Vec<Option<Box<Tally>>>,
    ends: Vec<PhaseEnd>,
    phase_ends: Vec<u64>,
    phase: usize,
    random: Random,
    buffer: Buffer,
    scanner: Scanner,
    ledger: Ledger,
    findings: Findings,
    calls: Vec<TimedCall>,
    connections: Connections,
    stopped: Option<u64>,
}

impl Worker {
    /// Prepares worker `number` of `of`, with its share of the plan's connections. To be called on the thread that will run it.
    pub fn new(
        common: Arc<Common>,
        number: u64,
        of: u64,
        ledger: Ledger,
        told: Sender<Told>,
        spare: Receiver<Box<Tally>>,
    ) -> Result<Worker, WorkerError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let alarm = Alarm::new()?;
        epoll::add(&epoll, alarm.fd(), epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN | epoll::EventFlags::ET)
            .map_err(io::Error::from)?;
        let plan = &common.plan;
        let schedule = Schedule::new(&plan.phases, common.seed);
        let phase_ends = schedule.ends().to_vec();
        let starts = std::iter::once(0).chain(phase_ends.iter().copied());
        let saturated = plan.phases.iter().enumerate().zip(starts.zip(&phase_ends));
        let saturated = saturated
            .filter(|((_, phase), _)| matches!(phase.arrivals, Arrivals::Saturate { .. }))
            .map(|((index, _), (from, until))| (index, from, *until))
            .collect();
        let total = u64::from(plan.connections.get());
        let connections = total / of + u64::from(number < total % of);
        let phases = plan.phases.len();
        let slot = || Slot { connection: None, doing: Doing::Waiting, since: 0, retry: RETRY };
        Ok(Worker {
            number,
            of,
            told,
            spare,
            epoll,
            alarm,
            slots: (0..connections).map(|_| slot()).collect(),
            free: VecDeque::new(),
            deadlines: VecDeque::new(),
            retries: Vec::new(),
            in_flight: 0,
            schedule,
            next: None,
            gap: u64::MAX,
            saturated,
            saturated_calls: 0,
            blocked: false,
            last_reply: 0,
            behind: 0,
            zero: 0,
            second: 0,
            tallies: (0..phases).map(|_| None).collect(),
            ends: vec![PhaseEnd::default(); phases],
            phase_ends,
            phase: 0,
            random: Random::named(common.seed, &format!("worker {number}")),
            buffer: Buffer::default(),
            scanner: Scanner::default(),
            ledger,
            findings: Findings::default(),
            calls: Vec::new(),
            connections: Connections::default(),
            stopped: None,
            common,
        })
    }

    /// Opens every connection, waits for the others, and runs the plan to its end.
    pub fn run(mut self) -> Result<Ended, WorkerError> {
        let opened = self.open_all();
        // Whoever failed still has to meet the others, who would wait for ever.
        self.common.ready.wait();
        self.common.ready.wait();
        opened?;
        let Some(zero) = self.common.zero.get() else { return Ok(self.end()) };
        self.zero = *zero;
        self.advance();
        let mut events = Vec::with_capacity(1024);
        loop {
            let now = self.common.clock.now();
            self.alarm.woke(now);
            let mut worked = !events.is_empty();
            for event in &events {
                self.ready(event);
            }
            self.tick(now);
            worked |= self.release();
            if self.is_over(now) {
                break;
            }
            if worked {
                let until = self.common.clock.now();
                self.ends[self.phase].busy += until - now;
            }
            events.clear();
            self.wait(&mut events, worked)?;
        }
        Ok(self.end())
    }

    fn end(mut self) -> Ended {
        self.drop_the_rest();
        self.tell();
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let cpu = Duration::new(u64::try_from(cpu.tv_sec).unwrap_or(0), u32::try_from(cpu.tv_nsec).unwrap_or(0));
        Ended {
            ledger: self.ledger,
            findings: self.findings,
            calls: self.calls,
            connections: self.connections,
            cpu,
            phases: self.ends,
        }
    }

    // ---------------------------------------------------------------------------------------------------- waiting

    /// Waits for an event or for the next thing that is due. After work it only looks, so that nothing due is slept over.
    fn wait(&mut self, events: &mut Vec<epoll::Event>, worked: bool) -> Result<(), WorkerError> {
        let now = self.common.clock.now();
        let (at, exact) = self.wake_at(now);
        // What need not be exact may come as late as a sleep ends.
        let at = if exact { at } else { at.saturating_add(1_000_000) };
        let sleeps = !(worked && exact && at <= now) && self.alarm.set(at, now, if exact { self.gap } else { u64::MAX })?;
        let timeout = if sleeps { None } else { Some(&NO_TIME) };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// When something has to be done next, and whether to the microsecond.
    fn wake_at(&self, now: u64) -> (u64, bool) {
        let chores = [
            self.zero + (self.second + 1) * INTERVAL,
            self.deadlines.front().map_or(u64::MAX, |(_, sent)| sent + self.timeout()),
            self.retries.iter().map(|slot| self.slots[*slot as usize].since).min().unwrap_or(u64::MAX),
            // A stop is looked for now and then: at whole multiples, so that the alarm need not be set anew each time.
            (now / STOP_EVERY + 1) * STOP_EVERY,
        ];
        let chore = chores.into_iter().min().unwrap_or(u64::MAX);
        let due = if self.free.is_empty() || self.blocked || self.stopped.is_some() {
            u64::MAX
        } else {
            let open = self.next.map_or(u64::MAX, |due| self.zero + due.at);
            let closed = self.saturated.front().map_or(u64::MAX, |(_, from, _)| self.zero + from);
            open.min(closed)
        };
        if due <= chore { (due, true) } else { (chore, false) }
    }

    fn end_of_plan(&self) -> u64 {
        self.zero + self.phase_ends.last().copied().unwrap_or(0)
    }

    fn timeout(&self) -> u64 {
        u64::try_from(self.common.plan.timeout.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Everything that is done by time alone.
    fn tick(&mut self, now: u64) {
        let since_zero = now.saturating_sub(self.zero);
        while self.phase + 1 < self.phase_ends.len() && since_zero >= self.phase_ends[self.phase] {
            self.phase += 1;
        }
        if since_zero >= (self.second + 1) * INTERVAL {
            self.tell();
            self.second = since_zero / INTERVAL;
        }
        while let Some(&(slot, sent)) = self.deadlines.front() {
            if sent + self.timeout() > now {
                break;
            }
            self.deadlines.pop_front();
            if matches!(&self.slots[slot as usize].doing, Doing::Call(flight) if flight.sent == sent) {
                self.lose(slot, "timed out", now);
            }
        }
        for at in (0..self.retries.len()).rev() {
            if self.slots[self.retries[at] as usize].since <= now {
                let slot = self.retries.swap_remove(at);
                self.open(slot, now);
            }
        }
        if self.stopped.is_none() && (self.common.stop.is_set() || self.common.aborted.load(Ordering::Relaxed)) {
            self.stopped = Some(now);
        }
        let patience = self.common.plan.patience.unwrap_or(self.common.plan.timeout);
        if self.next.is_some() && now >= self.end_of_plan() + u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX) {
            self.leave_unsent(u64::MAX);
        }
    }

    fn is_over(&self, now: u64) -> bool {
        if let Some(stopped) = self.stopped {
            return self.in_flight == 0 || now >= stopped + GRACE.min(self.timeout());
        }
        let all_sent = self.next.is_none() && self.saturated.is_empty();
        all_sent && self.in_flight == 0 && now >= self.end_of_plan()
    }

    // ---------------------------------------------------------------------------------------------------- sending

    /// Moves to the next due call that is this worker's.
    fn advance(&mut self) {
        let last = self.next.map_or(0, |due| due.at);
        self.next = self
            .schedule
            .by_ref()
            .find(|due| self.of == 1 || u64::from(self.common.choosers[due.phase].message(due.index)) % self.of == self.number);
        self.gap = self.next.map_or(u64::MAX, |due| due.at - last);
    }

    /// Sends whatever is due and finds a connection.
    fn release(&mut self) -> bool {
        let mut worked = false;
        // A phase that sends as fast as it can has no due time to look at the clock for.
        let mut now = self.common.clock.now();
        while self.stopped.is_none() {
            if worked && self.next.is_some() {
                now = self.common.clock.now();
            }
            if let Some(due) = self.next.filter(|due| self.zero + due.at <= now) {
                if !self.release_due(due, now) {
                    break;
                }
                self.advance();
            } else if !self.release_saturated(now) {
                break;
            }
            worked = true;
        }
        worked
    }

    /// `false` where it has to wait for a connection, or for a key that no other call is writing.
    fn release_due(&mut self, due: Due, now: u64) -> bool {
        let at = self.zero + due.at;
        let Some(&slot) = self.free.front() else { return false };
        let free_since = self.slots[slot as usize].since;
        // A call that found every key taken could go as soon as a reply freed one.
        let ready = if self.blocked { free_since.max(self.last_reply) } else { free_since };
        if ready <= at {
            self.behind = now;
        }
        // What a call waits for a connection or a key is no fault of the generator's.
        let in_line = if at <= self.behind { self.behind } else { at };
        let wait = ready.saturating_sub(in_line);
        let (phase, limit) = (due.phase, self.common.plan.skip_later_than);
        if limit.is_some_and(|limit| u128::from((now - at).saturating_sub(wait)) > limit.as_nanos()) {
            self.blocked = false;
            let tally = self.tally(phase);
            tally.planned += 1;
            tally.skipped += 1;
            self.ends[phase].fit.planned(due.at);
            return true;
        }
        let Some((ticket, caller)) = self.ticket(phase, due.index) else {
            self.blocked = true;
            return false;
        };
        self.blocked = false;
        self.free.pop_front();
        let sent = self.send(slot, Flight { ticket, phase, caller, random: 0, due: at, sent: 0 });
        let lag = (sent - at).saturating_sub(wait);
        let tally = self.tally(phase);
        tally.planned += 1;
        tally.lag.record_ns(lag);
        tally.wait.record_ns(wait);
        let fit = &mut self.ends[phase].fit;
        fit.planned(due.at);
        fit.released(due.at + lag);
        true
    }

    /// One call of a phase that sends as fast as it can: due when its connection came free.
    fn release_saturated(&mut self, now: u64) -> bool {
        let Some(&(phase, from, until)) = self.saturated.front() else { return false };
        if now >= self.zero + until {
            self.saturated.pop_front();
            return true;
        }
        let Some(&slot) = self.free.front().filter(|_| now >= self.zero + from) else { return false };
        let due = self.slots[slot as usize].since.max(self.zero + from);
        let chooser = &self.common.choosers[phase];
        let call = loop {
            let call = self.saturated_calls;
            self.saturated_calls += 1;
            if self.of == 1 || u64::from(chooser.message(call)) % self.of == self.number {
                break call;
            }
        };
        let Some((ticket, caller)) = self.ticket(phase, call) else {
            self.blocked = true;
            return false;
        };
        self.blocked = false;
        self.free.pop_front();
        self.send(slot, Flight { ticket, phase, caller, random: 0, due, sent: 0 });
        self.tally(phase).planned += 1;
        true
    }

    /// Reserves keys for a call. Where its message is busy the next of this worker's messages stands in for it.
    fn ticket(&mut self, phase: usize, call: u64) -> Option<(Ticket, u8)> {
        let chooser = &self.common.choosers[phase];
        let traffic = chooser.traffic();
        let chosen = chooser.chosen(call);
        let caller = self.common.templates.position(chosen.caller);
        let by_member = chosen.caller.is_member();
        let (least, most) = traffic.value_bytes;
        let length = if least == most { least } else { least + (self.random.next_u32() % (most - least + 1)) };
        let (first, end) = traffic.messages;
        let (number, of) = (u32::try_from(self.number).unwrap_or(0), u32::try_from(self.of).unwrap_or(1));
        let own_first = first + (number + of - first % of) % of;
        let mut message = chooser.message(call);
        for _ in 0..MOST_STAND_INS {
            let ticket = self.ledger.open(message, chosen.operation, chosen.kvs, traffic.keys, length, by_member);
            if ticket.is_some() || !chooser.may_stand_in(message) {
                return ticket.map(|ticket| (ticket, caller));
            }
            message = if message + of < end { message + of } else { own_first };
        }
        None
    }

    /// Sends over a free connection; gives the time of sending.
    fn send(&mut self, slot: u32, mut flight: Flight) -> u64 {
        // Ten digits, from the middle of the range.
        flight.random = 1_000_000_000 + (self.random.next_u32() >> 2);
        let Common { templates, clock, .. } = &*self.common;
        templates.render(&mut self.buffer, flight.caller, flight.random, &flight.ticket, &self.ledger);
        let sent = clock.now();
        flight.sent = sent;
        self.ends[flight.phase].last_sent = sent - self.zero;
        self.tally(flight.phase).sent += 1;
        self.common.gauges.sent.fetch_add(1, Ordering::Relaxed);
        self.in_flight += 1;
        self.deadlines.push_back((slot, sent));
        let held = &mut self.slots[slot as usize];
        held.doing = Doing::Call(flight);
        let written = match &mut held.connection {
            Some(connection) => connection.send(&self.buffer.bytes).err(),
            None => None,
        };
        if let Some(cause) = written {
            self.lose(slot, &cause.to_string(), sent);
        }
        sent
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
        let Some(mut connection) = self.slots[slot as usize].connection.take() else { return false };
        let (more, cause) = self.take_in(slot, &mut connection);
        match cause {
            None => self.slots[slot as usize].connection = Some(connection),
            Some(cause) => {
                drop(connection);
                let now = self.common.clock.now();
                self.lose(slot, &cause, now);
            }
        }
        more
    }

    /// Whether there may be more to take in, and why the connection is of no use after it, if it is not.
    fn take_in(&mut self, slot: u32, connection: &mut Connection) -> (bool, Option<String>) {
        if !connection.is_ready() {
            return match connection.establish() {
                Ok(true) => {
                    let now = self.common.clock.now();
                    self.opened(slot, now);
                    (true, None)
                }
                Ok(false) => (false, None),
                Err(cause) => (false, Some(cause.to_string())),
            };
        }
        match connection.receive() {
            Ok(None) => (false, None),
            Ok(Some(response)) => {
                let now = self.common.clock.now();
                let cause = self.respond(slot, &response, now);
                (cause.is_none(), cause)
            }
            Err(cause) => (false, Some(cause.to_string())),
        }
    }

    /// Judges a response; gives why the connection is of no use after it, if it is not.
    fn respond(&mut self, slot: u32, response: &Response<'_>, now: u64) -> Option<String> {
        let doing = std::mem::replace(&mut self.slots[slot as usize].doing, Doing::Waiting);
        let Doing::Call(flight) = doing else { return Some("unasked-for reply".to_owned()) };
        self.last_reply = now;
        let Response { status, body, keep_alive } = *response;
        if let 502..=504 = status {
            self.ledger.lose(&flight.ticket);
            self.count_lost(&flight, &format!("gateway answered HTTP {status}"), now);
        } else {
            let mut differences = Vec::new();
            let settled = settle(&mut self.scanner, &mut self.ledger, &flight.ticket, (status, body), &mut differences);
            if !differences.is_empty() {
                self.find(&mut differences, slot, &flight, (status, body), now);
            }
            self.count(&flight, settled, now);
        }
        if keep_alive {
            self.free(slot, now);
            return None;
        }
        Some("closed after a reply".to_owned())
    }

    fn count(&mut self, flight: &Flight, settled: Settled, now: u64) {
        self.finish(flight, settled.fate, now);
        if let Some(code) = settled.code {
            *self.tally(flight.phase).codes.entry(code).or_default() += 1;
        }
    }

    fn count_lost(&mut self, flight: &Flight, cause: &str, now: u64) {
        self.finish(flight, Fate::Lost, now);
        *self.tally(flight.phase).losses.entry(cause.to_owned()).or_default() += 1;
    }

    fn finish(&mut self, flight: &Flight, fate: Fate, now: u64) {
        self.in_flight -= 1;
        self.common.gauges.received.fetch_add(1, Ordering::Relaxed);
        let class = fate.class() as usize;
        let tally = self.tally(flight.phase);
        tally.classes[class] += 1;
        tally.service[class].record_ns(now - flight.sent);
        tally.response[class].record_ns(now.saturating_sub(flight.due));
        if self.common.plan.limits.is_some() {
            self.calls.push(TimedCall {
                message: flight.ticket.message,
                phase: u16::try_from(flight.phase).unwrap_or(u16::MAX),
                fate,
                sent: flight.sent - self.zero,
                received: now - self.zero,
            });
        }
    }

    fn find(&mut self, differences: &mut Vec<Difference>, client: u32, flight: &Flight, (status, body): (u16, &[u8]), now: u64) {
        let (templates, ledger, zero) = (&self.common.templates, &self.ledger, self.zero);
        self.findings.take(differences, Some(flight.phase), || {
            Some(Exchange {
                client,
                request: templates.request(flight.caller, flight.random, &flight.ticket, ledger),
                outcome: Outcome::Replied(HttpReply { status, body: body.to_vec(), cut: None }),
                due: Duration::from_nanos(flight.due.saturating_sub(zero)),
                sent: Duration::from_nanos(flight.sent - zero),
                received: Duration::from_nanos(now - zero),
                retries: 0,
            })
        });
    }

    // ------------------------------------------------------------------------------------------------ connections

    /// Opens every connection; at least one has to come about.
    fn open_all(&mut self) -> Result<(), WorkerError> {
        let start = self.common.clock.now();
        let until = start + self.timeout().min(OPENING);
        (0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)).for_each(|slot| self.open(slot, start));
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        let is_opening = |slot: &Slot| matches!(slot.doing, Doing::Opening);
        while self.slots.iter().any(is_opening) && self.common.clock.now() < until {
            events.clear();
            let pause = rustix::time::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&pause)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            for event in &events {
                self.ready(event);
            }
        }
        if self.free.is_empty() && !self.slots.is_empty() {
            let cause = self.connections.lost.keys().next().cloned().unwrap_or_else(|| "it takes too long".to_owned());
            return Err(WorkerError::Unreachable { address: self.common.address, cause });
        }
        Ok(())
    }

    fn open(&mut self, slot: u32, now: u64) {
        let mut connection = Connection::new(self.common.address, self.common.tls.clone());
        let watched = connection.open().map_err(|cause| cause.to_string()).and_then(|()| {
            let data = epoll::EventData::new_u64(u64::from(slot));
            epoll::add(&self.epoll, &connection, data, Connection::INTEREST)
                .map_err(|error| error.to_string())
                .map(|()| connection)
        });
        match watched {
            Ok(connection) => {
                let held = &mut self.slots[slot as usize];
                (held.connection, held.doing) = (Some(Box::new(connection)), Doing::Opening);
            }
            Err(cause) => self.lose(slot, &cause, now),
        }
    }

    fn opened(&mut self, slot: u32, now: u64) {
        // Every connection is opened once before the plan's zero; whatever comes later replaces one that was lost.
        if self.common.zero.get().is_some() {
            self.connections.reopened += 1;
        } else {
            self.connections.opened += 1;
        }
        self.slots[slot as usize].retry = RETRY;
        self.free(slot, now);
    }

    fn free(&mut self, slot: u32, now: u64) {
        let held = &mut self.slots[slot as usize];
        (held.doing, held.since) = (Doing::Free, now);
        self.free.push_back(slot);
    }

    /// A connection is gone, and with it the reply to the call on it. It is opened again: at once where it worked before.
    fn lose(&mut self, slot: u32, cause: &str, now: u64) {
        *self.connections.lost.entry(cause.to_owned()).or_default() += 1;
        let held = &mut self.slots[slot as usize];
        held.connection = None;
        let doing = std::mem::replace(&mut held.doing, Doing::Waiting);
        held.since = now;
        match doing {
            Doing::Call(flight) => {
                self.ledger.lose(&flight.ticket);
                self.count_lost(&flight, cause, now);
            }
            Doing::Free => self.free.retain(|free| *free != slot),
            Doing::Opening => {
                held.since = now + held.retry;
                held.retry = (held.retry * 2).min(LONGEST_RETRY);
            }
            Doing::Waiting => {}
        }
        if self.stopped.is_none() {
            self.retries.push(slot);
        }
    }

    // -------------------------------------------------------------------------------------------------- recording

    fn tally(&mut self, phase: usize) -> &mut Tally {
        let spare = &self.spare;
        self.tallies[phase].get_or_insert_with(|| spare.try_recv().unwrap_or_default())
    }

    /// Hands over what this second has seen.
    fn tell(&mut self) {
        let tallies = self.tallies.iter_mut().enumerate();
        let slices = tallies.filter_map(|(phase, tally)| tally.take().map(|tally| Slice { phase, tally })).collect();
        // Nobody listens any more where the run has failed elsewhere.
        let _ = self.told.send(Told {
            worker: usize::try_from(self.number).unwrap_or(usize::MAX),
            connections: self.connections.clone(),
            findings: self.findings.by_phase.clone(),
            second: self.second,
            slices,
        });
    }

    /// Calls that are still on their way, or were due and never sent, when the run ends.
    fn drop_the_rest(&mut self) {
        let now = self.common.clock.now();
        for slot in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            if matches!(self.slots[slot as usize].doing, Doing::Call(_)) {
                self.lose(slot, "the run ended before the reply", now);
            }
        }
        self.leave_unsent(self.stopped.map_or(u64::MAX, |stopped| stopped.saturating_sub(self.zero)));
    }

    /// Gives up the calls that were due until then and found no connection.
    fn leave_unsent(&mut self, until: u64) {
        while let Some(due) = self.next.filter(|due| due.at <= until) {
            let tally = self.tally(due.phase);
            tally.planned += 1;
            tally.unsent += 1;
            self.advance();
        }
    }
}
