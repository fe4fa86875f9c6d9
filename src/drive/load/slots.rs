//! The connections of a worker, a slot each: what it is doing, since when, and what has to be done about it by when.
//!
//! Never a socket opened, never a clock: whoever drives the connections tells what came of them, and when.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::wire::HttpConnection;
use super::writer::DraftCall;
use crate::clock::{Offset, Timestamp};
use crate::judge::load::measured::Connections;
use crate::random::Random;

/// A connection that cannot be opened, or has ended before it carried a reply, is opened again after this, and then after twice as
/// long each time: by up to half of it less, so that all do not come at once.
const RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// One that has stood longer than this without a call has ended for want of one.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) struct Slots {
    all: Vec<ConnectionSlot>,
    /// The longest free one first.
    free: VecDeque<u32>,
    /// In their order. One whose call has ended meanwhile means nothing.
    deadlines: VecDeque<(u32, Timestamp)>,
    /// Slots to be opened again.
    retries: Vec<u32>,
    in_flight: usize,
    timeout: Duration,
    random: Random,
    fared: Connections,
}

struct ConnectionSlot {
    connection: Option<Box<HttpConnection>>,
    doing: Doing,
    /// When it came free, or is to be opened again.
    since: Timestamp,
    /// When it was last opened.
    opened: Timestamp,
    /// A reply has come over it.
    has_served: bool,
    retry: Duration,
}

enum Doing {
    Opening,
    Free,
    Call { flight: Flight, deadline: Timestamp },
    Waiting,
}

/// A call under way.
pub(super) struct Flight {
    pub(super) draft: DraftCall,
    pub(super) phase: usize,
    pub(super) due: Offset,
    pub(super) sent: Offset,
}

impl Slots {
    /// So many, none of them open; a call on one times out after so long.
    pub(super) fn new(count: u32, timeout: Duration, random: Random) -> Slots {
        let slot = |_| ConnectionSlot {
            connection: None,
            doing: Doing::Waiting,
            since: Timestamp::default(),
            opened: Timestamp::default(),
            has_served: false,
            retry: RETRY,
        };
        Slots {
            all: (0..count).map(slot).collect(),
            free: VecDeque::new(),
            deadlines: VecDeque::new(),
            retries: Vec::new(),
            in_flight: 0,
            timeout,
            random,
            fared: Connections::default(),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "made for a count of 32 bits")]
    pub(super) fn numbers(&self) -> Range<u32> {
        0..self.all.len() as u32
    }

    /// How the connections fared until now.
    pub(super) fn fared(&self) -> &Connections {
        &self.fared
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn are_opening(&self) -> bool {
        self.all.iter().any(|slot| matches!(slot.doing, Doing::Opening))
    }

    /// Since when the one has been free that has been so the longest.
    pub(super) fn free_since(&self) -> Option<Timestamp> {
        self.free.front().map(|slot| self.all[*slot as usize].since)
    }

    /// When a time-out or an attempt to open is due next.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.front().map(|(_, deadline)| *deadline);
        let retries = self.retries.iter().map(|slot| self.all[*slot as usize].since);
        retries.chain(deadline).min()
    }

    // ------------------------------------------------------------------------------------------------------- calls

    /// Puts a call, sent now, on the slot that has been free the longest, and gives its number; `None` where none is.
    pub(super) fn begin(&mut self, flight: Flight, now: Timestamp) -> Option<u32> {
        let slot = self.free.pop_front()?;
        let deadline = now + self.timeout;
        self.deadlines.push_back((slot, deadline));
        self.in_flight += 1;
        self.all[slot as usize].doing = Doing::Call { flight, deadline };
        Some(slot)
    }

    /// A reply came; gives the call that it is for. The slot is not free by that alone.
    pub(super) fn reply(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.land(slot);
        let held = &mut self.all[slot as usize];
        held.has_served |= flight.is_some();
        if held.has_served {
            held.retry = RETRY;
        }
        flight
    }

    /// The call on a slot is no longer under way; gives it.
    pub(super) fn land(&mut self, slot: u32) -> Option<Flight> {
        let doing = &mut self.all[slot as usize].doing;
        match std::mem::replace(doing, Doing::Waiting) {
            Doing::Call { flight, .. } => {
                self.in_flight -= 1;
                Some(flight)
            }
            other => {
                *doing = other;
                None
            }
        }
    }

    pub(super) fn free(&mut self, slot: u32, now: Timestamp) {
        let held = &mut self.all[slot as usize];
        (held.doing, held.since) = (Doing::Free, now);
        self.free.push_back(slot);
    }

    /// One more slot whose call has timed out; it is to be lost.
    pub(super) fn timed_out(&mut self, now: Timestamp) -> Option<u32> {
        while let Some(&(slot, past)) = self.deadlines.front().filter(|(_, deadline)| *deadline <= now) {
            self.deadlines.pop_front();
            if matches!(self.all[slot as usize].doing, Doing::Call { deadline, .. } if deadline == past) {
                return Some(slot);
            }
        }
        None
    }

    /// The generator stood still for so long: no reply is late by that.
    pub(super) fn stalled(&mut self, time: Duration) {
        for (slot, deadline) in &mut self.deadlines {
            let extended = *deadline + time;
            if let Doing::Call { deadline: of_call, .. } = &mut self.all[*slot as usize].doing
                && of_call == deadline
            {
                *of_call = extended;
            }
            *deadline = extended;
        }
    }

    // ------------------------------------------------------------------------------------------------- connections

    /// The slot's connection, for as long as it takes to look at it; [`Slots::put_back`] ends that.
    pub(super) fn take(&mut self, slot: u32) -> Option<Box<HttpConnection>> {
        self.all[slot as usize].connection.take()
    }

    pub(super) fn put_back(&mut self, slot: u32, connection: Box<HttpConnection>) {
        self.all[slot as usize].connection = Some(connection);
    }

    pub(super) fn connection(&mut self, slot: u32) -> Option<&mut HttpConnection> {
        self.all[slot as usize].connection.as_deref_mut()
    }

    pub(super) fn opening(&mut self, slot: u32, now: Timestamp) {
        let held = &mut self.all[slot as usize];
        (held.doing, held.opened, held.has_served) = (Doing::Opening, now, false);
    }

    /// A connection stands that is one of the plan's own.
    pub(super) fn opened(&mut self, slot: u32, now: Timestamp) {
        self.fared.opened += 1;
        self.free(slot, now);
    }

    /// A connection stands that replaces one that was lost.
    pub(super) fn reopened(&mut self, slot: u32, now: Timestamp) {
        self.fared.reopened += 1;
        self.free(slot, now);
    }

    /// A connection is gone, and with it the reply to the call on it, which is given back.
    pub(super) fn lose(&mut self, slot: u32, cause: &str, now: Timestamp) -> Option<Flight> {
        *self.fared.lost.entry(cause.to_owned()).or_default() += 1;
        let flight = self.land(slot);
        let held = &mut self.all[slot as usize];
        (held.connection, held.since) = (None, now);
        let doing = std::mem::replace(&mut held.doing, Doing::Waiting);
        if matches!(doing, Doing::Free) {
            self.free.retain(|free| *free != slot);
        }
        let at_once = now.since(held.opened) < AT_ONCE;
        if matches!(doing, Doing::Opening) || (at_once && !held.has_served) {
            let pause = held.retry.mul_f64(1.0 - f64::from(self.random.next_u32()) / f64::from(u32::MAX) / 2.0);
            held.since = now + pause;
            held.retry = (held.retry * 2).min(LONGEST_RETRY);
            self.fared.stillborn += 1;
        }
        flight
    }

    /// The system had no local port or descriptor left for one.
    pub(super) fn exhausted(&mut self) {
        self.fared.exhausted += 1;
    }

    /// A lost one is to be opened again: at once where it has carried a reply.
    pub(super) fn retry(&mut self, slot: u32) {
        self.retries.push(slot);
    }

    /// One more slot that it is time to open again.
    pub(super) fn open_next(&mut self, now: Timestamp) -> Option<u32> {
        let at = self.retries.iter().position(|slot| self.all[*slot as usize].since <= now)?;
        Some(self.retries.swap_remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Operation;
    use crate::judge::load::ledger::Ledger;

    const TIMEOUT: Duration = Duration::from_millis(100);

    fn at(ms: u64) -> Timestamp {
        Timestamp::after_start(Duration::from_millis(ms))
    }

    fn new(count: u32) -> Slots {
        Slots::new(count, TIMEOUT, Random::seeded(7))
    }

    /// So many slots, free since the clock's start; each has carried a reply.
    fn free(count: u32) -> Slots {
        let mut slots = new(count);
        for slot in slots.numbers() {
            slots.opened(slot, at(0));
            slots.all[slot as usize].has_served = true;
        }
        slots
    }

    /// A call of that phase, by which it is known again.
    fn call(phase: usize) -> Flight {
        let ticket = Ledger::new(1, 1, 0, 1).open(0, Operation::Set, 1, 1, 16, false).expect("a free key");
        Flight { draft: DraftCall { ticket, caller: 0, random: 0 }, phase, due: Offset::ZERO, sent: Offset::ZERO }
    }

    fn phase(flight: Option<Flight>) -> Option<usize> {
        flight.map(|flight| flight.phase)
    }

    #[test]
    fn a_call_goes_over_the_slot_that_has_been_free_the_longest() {
        let mut slots = free(2);
        assert_eq!((slots.begin(call(0), at(10)), slots.in_flight()), (Some(0), 1));
        assert_eq!(phase(slots.reply(0)), Some(0));
        slots.free(0, at(20));
        assert_eq!(slots.free_since(), Some(at(0)));
        assert_eq!(slots.begin(call(1), at(30)), Some(1));
        assert_eq!(slots.free_since(), Some(at(20)));
        assert_eq!(slots.begin(call(2), at(30)), Some(0));
        assert_eq!((slots.free_since(), slots.begin(call(3), at(30)), slots.in_flight()), (None, None, 2));
    }

    #[test]
    fn a_call_without_a_reply_times_out_and_not_before() {
        let mut slots = free(2);
        slots.begin(call(0), at(10));
        slots.begin(call(1), at(20));
        assert_eq!(slots.wake_at(), Some(at(110)));
        assert_eq!(slots.timed_out(at(109)), None);
        assert_eq!((slots.timed_out(at(115)), slots.timed_out(at(115))), (Some(0), None));
        assert_eq!((phase(slots.lose(0, "timed out", at(115))), slots.in_flight()), (Some(0), 1));
        assert_eq!(slots.timed_out(at(120)), Some(1));
        assert_eq!(slots.fared().lost["timed out"], 1);
    }

    #[test]
    fn a_call_that_was_replied_to_does_not_time_out_the_next_one_on_its_slot() {
        let mut slots = free(1);
        slots.begin(call(0), at(10));
        assert_eq!(phase(slots.reply(0)), Some(0));
        slots.free(0, at(50));
        slots.begin(call(1), at(60));
        assert_eq!((slots.timed_out(at(110)), slots.in_flight()), (None, 1));
        assert_eq!(slots.timed_out(at(160)), Some(0));
    }

    #[test]
    fn a_reply_that_nobody_asked_for_is_no_calls_and_leaves_the_slot_as_it_was() {
        let mut slots = free(1);
        assert_eq!((phase(slots.reply(0)), slots.in_flight()), (None, 0));
        assert_eq!(slots.begin(call(0), at(10)), Some(0));
        assert_eq!(phase(slots.reply(0)), Some(0));
        assert_eq!(phase(slots.reply(0)), None);
        // One that was free is lost as a free one: no call goes over it.
        slots.free(0, at(20));
        assert_eq!((phase(slots.reply(0)), phase(slots.lose(0, "not HTTP", at(20)))), (None, None));
        assert_eq!(slots.begin(call(1), at(30)), None);
    }

    /// Loses slot 0 at that time, and gives how long it takes until it is opened again.
    fn pause(slots: &mut Slots, now: Timestamp) -> Duration {
        slots.lose(0, "closed", now);
        slots.retry(0);
        let next = slots.wake_at().expect("it is to be opened again");
        assert_eq!(slots.open_next(next), Some(0));
        next.since(now)
    }

    #[test]
    fn one_that_fails_or_ends_at_once_is_opened_twice_as_late_each_time_up_to_a_second() {
        for stands in [false, true] {
            let mut slots = new(1);
            let mut now = at(0);
            for most in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
                slots.opening(0, now);
                if stands {
                    slots.reopened(0, now);
                }
                let pause = pause(&mut slots, now);
                assert!((most / 2..=most).contains(&pause.as_millis()), "{most}: {pause:?}");
                now = now + pause;
            }
            assert_eq!((slots.fared().stillborn, slots.fared().lost["closed"]), (9, 9));
            // Once a reply has come, the next failure is the first one again.
            slots.opening(0, now);
            slots.reopened(0, now);
            slots.begin(call(0), now);
            assert!(slots.reply(0).is_some());
            slots.free(0, now);
            assert_eq!(pause(&mut slots, now), Duration::ZERO);
            slots.opening(0, now);
            assert!(pause(&mut slots, now) <= RETRY);
        }
    }

    #[test]
    fn connections_that_fail_together_do_not_all_come_back_together() {
        let mut slots = new(8);
        for slot in slots.numbers() {
            slots.opening(slot, at(0));
            slots.lose(slot, "connection refused", at(0));
            slots.retry(slot);
        }
        let back = (0..=10).map(|ms| std::iter::from_fn(|| slots.open_next(at(ms))).count());
        assert!(back.filter(|count| *count > 0).count() >= 3);
    }

    #[test]
    fn one_that_has_stood_idle_ended_for_want_of_a_call_and_is_opened_again_at_once() {
        let mut slots = new(1);
        slots.opening(0, at(0));
        slots.opened(0, at(0));
        assert_eq!(pause(&mut slots, at(2000)), Duration::ZERO);
        assert_eq!(slots.fared().stillborn, 0);
    }

    #[test]
    fn while_the_generator_stood_still_no_reply_became_late() {
        let mut slots = free(2);
        slots.begin(call(0), at(10));
        slots.stalled(Duration::from_secs(6));
        slots.begin(call(1), at(6020));
        assert_eq!((slots.wake_at(), slots.timed_out(at(6109))), (Some(at(6110)), None));
        assert_eq!((slots.timed_out(at(6110)), slots.timed_out(at(6119)), slots.timed_out(at(6120))), (Some(0), None, Some(1)));
    }

    #[test]
    fn one_that_worked_is_opened_again_at_once_and_takes_no_call_meanwhile() {
        let mut slots = free(2);
        assert_eq!(phase(slots.lose(0, "closed between calls", at(30))), None);
        slots.retry(0);
        assert_eq!(slots.begin(call(0), at(30)), Some(1));
        assert_eq!(slots.begin(call(1), at(30)), None);
        assert_eq!((slots.open_next(at(29)), slots.open_next(at(30)), slots.open_next(at(30))), (None, Some(0), None));
        assert_eq!(phase(slots.lose(1, "connection reset", at(40))), Some(0));
    }
}
