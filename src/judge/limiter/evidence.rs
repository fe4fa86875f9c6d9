//! What is known of when calls reached a limiter: each did so between its sending and its reply, and no more is known.
//!
//! So the number of arrivals by a time lies between the replies and the sendings by then. All bounds here come from that.

use std::time::Duration;

use super::{Decision, Timed};

/// How far the target's clock may run fast or slow by ours: one part in so many, 100 ppm.
pub(super) const DRIFT: u64 = 10_000;
/// How far two clocks may come apart besides: they are read late, stepped and slewed.
const CLOCK_TOLERANCE: u64 = 1_000_000;

/// The calls of one limited scope, with the limit that they are judged by.
pub(super) struct Evidence {
    pub(super) limit: u64,
    /// In nanoseconds, as the clock of the calls' times has it.
    pub(super) window: u64,
    /// In order of sending.
    pub(super) calls: Vec<Call>,
    /// Where admitted calls are counted only.
    pub(super) admitted: Counted,
    /// Where refused ones are counted too.
    pub(super) all: Counted,
}

#[derive(Clone, Copy)]
pub(super) struct Call {
    /// Index into the calls as they were given.
    pub(super) index: usize,
    pub(super) sent: u64,
    /// The latest time at which it can have arrived; without bound for a lost one.
    pub(super) received: u64,
    pub(super) decision: Decision,
}

/// The calls that a limiter counts.
pub(super) struct Counted {
    pub(super) certain: Arrivals,
    /// The certain ones, and those of which it is not known.
    pub(super) possible: Arrivals,
    /// For each call: how many certain ones had their reply before it was sent.
    pub(super) surely_before: Vec<u64>,
    /// For each call: how many possible others were sent before its reply.
    pub(super) possibly_before: Vec<u64>,
}

/// Sendings and replies of some calls, each in order.
pub(super) struct Arrivals {
    pub(super) sent: Vec<u64>,
    pub(super) received: Vec<u64>,
}

impl Evidence {
    pub(super) fn new(limit: u64, window: Duration, calls: &[Timed]) -> Evidence {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX / 4).clamp(1, u64::MAX / 4);
        let calls = calls.iter().enumerate().map(|(index, call)| {
            let received = if call.decision == Decision::Lost { u64::MAX } else { call.received.max(call.sent) };
            Call { index, sent: call.sent, received, decision: call.decision }
        });
        Evidence::of(limit, window, calls.collect())
    }

    fn of(limit: u64, window: u64, mut calls: Vec<Call>) -> Evidence {
        calls.sort_by_key(|call| (call.sent, call.index));
        let admitted = Counted::new(&calls, |decision| decision == Decision::Admitted);
        let all = Counted::new(&calls, |decision| matches!(decision, Decision::Admitted | Decision::Refused));
        Evidence { limit, window, calls, admitted, all }
    }

    /// The calls that surely came from `start` to before `end`, with their places in order of sending.
    pub(super) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = (usize, &Call)> {
        let from = self.calls.partition_point(|call| call.sent < start);
        let sent = self.calls.iter().enumerate().skip(from).take_while(move |(_, call)| call.sent < end);
        sent.filter(move |(_, call)| call.received < end)
    }

    /// The least that a window can last by our clock.
    pub(super) fn shortest_window(&self) -> u64 {
        self.window - self.window / DRIFT
    }

    /// The most that a window can last by our clock.
    pub(super) fn longest_window(&self) -> u64 {
        self.window + self.window / DRIFT
    }

    /// The same calls as a limiter has to have seen them that holds nothing back.
    ///
    /// A queue answers what it admits up to a window later, and what it refuses at once. Taken for slow ways to a limiter of
    /// another kind, such times explain nearly everything. So where refusals overtake admissions by far, again and again, how
    /// long the way is at most is read from the refusals, and doubled: they go it too. A target that only stalls is not taken
    /// for this: what it answers late it answers late to all.
    pub(super) fn without_holding_back(&self) -> Option<Evidence> {
        let refusals = || self.calls.iter().filter(|call| call.decision == Decision::Refused);
        let way = refusals().map(|call| call.received - call.sent).max().filter(|way| *way <= self.window / 20)?;
        let is_held = |call: &&Call| {
            let overtaken_by = self.earliest_refusal_after(call.sent);
            call.decision == Decision::Admitted && overtaken_by.saturating_add(self.window / 4) < call.received
        };
        let held = self.calls.iter().filter(is_held).count() as u64;
        let prompt = |call: &Call| match call.decision {
            Decision::Admitted => Call { received: call.received.min(call.sent + 2 * way), ..*call },
            _ => *call,
        };
        (held > self.limit / 4).then(|| Evidence::of(self.limit, self.window, self.calls.iter().map(prompt).collect()))
    }

    fn earliest_refusal_after(&self, time: u64) -> u64 {
        let after = self.calls.partition_point(|call| call.sent <= time);
        let next = self.calls[after..].iter().find(|call| call.decision == Decision::Refused);
        next.map_or(u64::MAX, |call| call.received)
    }
}

impl Counted {
    fn new(calls: &[Call], counts: impl Fn(Decision) -> bool) -> Counted {
        let may_count = |decision| counts(decision) || matches!(decision, Decision::Unknown | Decision::Lost);
        let certain = Arrivals::new(calls.iter().filter(|call| counts(call.decision)));
        let possible = Arrivals::new(calls.iter().filter(|call| may_count(call.decision)));
        let surely_before = calls.iter().map(|call| certain.received_before(call.sent)).collect();
        let others = |call: &Call| possible.sent_by(call.received) - u64::from(may_count(call.decision));
        let possibly_before = calls.iter().map(others).collect();
        Counted { certain, possible, surely_before, possibly_before }
    }
}

impl Arrivals {
    fn new<'a>(calls: impl Iterator<Item = &'a Call>) -> Arrivals {
        let (sent, mut received): (Vec<u64>, Vec<u64>) = calls.map(|call| (call.sent, call.received)).unzip();
        received.sort_unstable();
        Arrivals { sent, received }
    }

    pub(super) fn sent_by(&self, time: u64) -> u64 {
        self.sent.partition_point(|sent| *sent <= time) as u64
    }

    pub(super) fn sent_before(&self, time: u64) -> u64 {
        self.sent.partition_point(|sent| *sent < time) as u64
    }

    pub(super) fn received_by(&self, time: u64) -> u64 {
        self.received.partition_point(|received| *received <= time) as u64
    }

    pub(super) fn received_before(&self, time: u64) -> u64 {
        self.received.partition_point(|received| *received < time) as u64
    }
}

/// How far another clock may have come apart from ours in so much time.
pub(super) fn clock_error(time: u64) -> u64 {
    CLOCK_TOLERANCE + time / DRIFT
}
