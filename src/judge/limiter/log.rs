//! The sliding log: the window before each call holds at most the limit.

use super::evidence::{CountedCalls, Evidence};
use super::{Decision, Direction, Replay};

pub(super) fn replay(evidence: &Evidence) -> Replay {
    let mut tally = Replay::new(evidence.limit);
    for call in evidence.calls.iter().filter(|call| call.decision == Decision::Admitted) {
        check_span(evidence, call.index, call.received, &mut tally);
    }
    check_refusals(evidence, &evidence.admitted, &mut tally);
    tally
}

pub(super) fn replay_counting_refused(evidence: &Evidence) -> Replay {
    let mut tally = Replay::new(evidence.limit);
    for (place, call) in evidence.calls.iter().enumerate().filter(|(_, call)| call.decision == Decision::Admitted) {
        let expired = match call.received.checked_sub(evidence.shortest_window()) {
            Some(start) => evidence.all.certain.sent_by(start),
            None => 0,
        };
        let counted = evidence.all.surely_before[place].saturating_sub(expired);
        if counted >= evidence.limit {
            tally.add(call.index, Direction::TooLenient, counted);
        } else {
            check_span(evidence, call.index, call.received, &mut tally);
        }
    }
    check_refusals(evidence, &evidence.all, &mut tally);
    tally
}

/// No span shorter than a window holds more admitted calls than the limit, in whatever order they came.
fn check_span(evidence: &Evidence, call: usize, end: u64, tally: &mut Replay) {
    let admitted = &evidence.admitted.certain;
    let expired = end.checked_sub(evidence.shortest_window()).map_or(0, |start| admitted.sent_by(start));
    let within = admitted.received_by(end).saturating_sub(expired);
    if within > evidence.limit {
        tally.add(call, Direction::TooLenient, within - 1);
    }
}

fn check_refusals(evidence: &Evidence, counted: &CountedCalls, tally: &mut Replay) {
    for (place, call) in evidence.calls.iter().enumerate().filter(|(_, call)| call.decision == Decision::Refused) {
        let expired = match call.sent.checked_sub(evidence.longest_window()) {
            Some(start) => counted.possible.received_by(start),
            None => 0,
        };
        let possible = counted.possibly_before[place] - expired;
        if possible < evidence.limit {
            tally.add(call.index, Direction::TooStrict, possible);
        }
    }
}
