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
    pub(super) calls: Vec<BoundedCall>,
    /// Where admitted calls are counted only.
    pub(super) admitted: CountedCalls,
    /// Where refused ones are counted too.
    pub(super) all: CountedCalls,
}

#[derive(Clone, Copy)]
pub(super) struct BoundedCall {
    /// Index into the calls as they were given.
    pub(super) index: usize,
    pub(super) sent: u64,
    /// The latest time at which it can have arrived; without bound for a lost one.
    pub(super) received: u64,
    pub(super) decision: Decision,
}

/// The calls that a limiter counts.
pub(super) struct CountedCalls {
    pub(super) certain: ArrivalTimes,
    /// The certain ones, and those of which it is not known.
    pub(super) possible: ArrivalTimes,
    /// For each call: how many certain ones had their reply before it was sent.
    pub(super) surely_before: Vec<u64>,
    /// For each call: how many possible others were sent before its reply.
    pub(super) possibly_before: Vec<u64>,
}

/// Sendings and replies of some calls, each in order.
pub(super) struct ArrivalTimes {
    pub(super) sent: Vec<u64>,
    pub(super) received: Vec<u64>,
}

impl Evidence {
    pub(super) fn new(limit: u64, window: Duration, calls: &[Timed]) -> Evidence {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX / 4).clamp(1, u64::MAX / 4);
        let calls = calls.iter().enumerate().map(|(index, call)| {
            let received = if call.decision == Decision::Lost { u64::MAX } else { call.received.max(call.sent) };
            BoundedCall { index, sent: call.sent, received, decision: call.decision }
        });
        Evidence::of(limit, window, calls.collect())
    }

    fn of(limit: u64, window: u64, mut calls: Vec<BoundedCall>) -> Evidence {
        calls.sort_by_key(|call| (call.sent, call.index));
        let admitted = CountedCalls::new(&calls, |decision| decision == Decision::Admitted);
        let all = CountedCalls::new(&calls, |decision| matches!(decision, Decision::Admitted | Decision::Refused));
        Evidence { limit, window, calls, admitted, all }
    }

    /// The calls that were sent from `start` to before `end`, with their places in order.
    pub(super) fn sent_within(&self, start: u64, end: u64) -> impl Iterator<Item = (usize, &BoundedCall)> {
        let from = self.calls.partition_point(|call| call.sent < start);
        self.calls.iter().enumerate().skip(from).take_while(move |(_, call)| call.sent < end)
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
        let is_held = |call: &&BoundedCall| {
            let overtaken_by = self.earliest_refusal_after(call.sent);
            call.decision == Decision::Admitted && overtaken_by.saturating_add(self.window / 4) < call.received
        };
        let held = self.calls.iter().filter(is_held).count() as u64;
        let prompt = |call: &BoundedCall| match call.decision {
            Decision::Admitted => BoundedCall { received: call.received.min(call.sent + 2 * way), ..*call },
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

impl CountedCalls {
    fn new(calls: &[BoundedCall], counts: impl Fn(Decision) -> bool) -> CountedCalls {
        let may_count = |decision| counts(decision) || matches!(decision, Decision::Unknown | Decision::Lost);
        let certain = ArrivalTimes::new(calls.iter().filter(|call| counts(call.decision)));
        let possible = ArrivalTimes::new(calls.iter().filter(|call| may_count(call.decision)));
        let surely_before = calls.iter().map(|call| certain.received_before(call.sent)).collect();
        let others = |call: &BoundedCall| possible.sent_by(call.received) - u64::from(may_count(call.decision));
        let possibly_before = calls.iter().map(others).collect();
        CountedCalls { certain, possible, surely_before, possibly_before }
    }
}

impl ArrivalTimes {
    fn new<'a>(calls: impl Iterator<Item = &'a BoundedCall>) -> ArrivalTimes {
        let (sent, mut received): (Vec<u64>, Vec<u64>) = calls.map(|call| (call.sent, call.received)).unzip();
        received.sort_unstable();
        ArrivalTimes { sent, received }
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A call every 5 ms, of which every fourth is refused; `reply` says when each has its reply, by its sending.
    fn evidence(reply: impl Fn(u64, Decision) -> u64) -> Evidence {
        let calls = (0..300).map(|i| {
            let sent = i * 5 * MS;
            let decision = if i % 4 == 3 { Decision::Refused } else { Decision::Admitted };
            Timed { sent, received: reply(sent, decision), decision }
        });
        Evidence::new(200, Duration::from_secs(1), &calls.collect::<Vec<Timed>>())
    }

    fn delay(decision: Decision) -> u64 {
        if decision == Decision::Refused { 2 * MS } else { 600 * MS }
    }

    #[test]
    fn what_refusals_overtake_by_far_is_held_back_and_came_as_they_did() {
        let prompt = evidence(|sent, decision| sent + delay(decision)).without_holding_back().expect("held back");
        assert!(prompt.calls.iter().all(|call| call.received - call.sent <= 4 * MS));
    }

    #[test]
    fn what_is_late_with_the_refusals_is_not_held_back() {
        assert!(evidence(|sent, _| sent + 600 * MS).without_holding_back().is_none());
        // All that was sent in a stall is answered at its end.
        let stall = |sent: u64| if (400 * MS..1200 * MS).contains(&sent) { 1200 * MS } else { sent };
        assert!(evidence(|sent, _| stall(sent) + 2 * MS).without_holding_back().is_none());
    }

    #[test]
    fn arrivals_lie_between_replies_and_sendings() {
        let evidence = evidence(|sent, decision| sent + delay(decision));
        let (admitted, all) = (&evidence.admitted, &evidence.all);
        assert_eq!((admitted.certain.sent_by(0), admitted.certain.sent_before(0)), (1, 0));
        assert_eq!((admitted.certain.received_by(600 * MS), admitted.certain.received_before(600 * MS)), (1, 0));
        // The fourth call: three were admitted before it, none of which had its reply yet, and it does not count itself.
        assert_eq!((admitted.surely_before[3], admitted.possibly_before[3]), (0, 3));
        assert_eq!((all.surely_before[7], all.possibly_before[7]), (1, 7));
    }
}
