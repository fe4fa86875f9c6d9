//! The sliding counter: the aligned window before this one counts by the share of it that a whole window back still covers.

use super::evidence::{Counted, Evidence};
use super::phase::{self, Phases};
use super::{Decision, Direction, Tally};

pub(super) fn replay(evidence: &Evidence, counted: &Counted) -> Tally {
    let last = evidence.calls.last().map_or(0, |call| call.sent);
    phase::best(evidence.window, |phases: Phases, tally| {
        let mut before = Phases { earliest: 0, latest: 0 };
        for (start, end) in phases.windows(evidence.window, last) {
            check(evidence, counted, [before, start, end], tally);
            if tally.is_full() {
                break;
            }
            before = start;
        }
    })
}

/// Checks the calls that were surely made in the window between the last two edges; the one before is between the first two.
fn check(evidence: &Evidence, counted: &Counted, [before, start, end]: [Phases; 3], tally: &mut Tally) {
    let (certain, possible) = (&counted.certain, &counted.possible);
    let least_previous = certain.received_before(start.earliest).saturating_sub(certain.sent_before(before.latest));
    let replied = possible.received_before(start.earliest);
    let most_previous = possible.sent_by(start.latest).saturating_sub(possible.received_before(before.earliest));
    let surely_sent_before = certain.sent_before(start.latest);

    let from = evidence.calls.partition_point(|call| call.sent < start.latest);
    let sent_within = evidence.calls.iter().enumerate().skip(from).take_while(|(_, call)| call.sent < end.earliest);
    for (place, call) in sent_within.filter(|(_, call)| call.received < end.earliest) {
        let estimate = |previous: u64, left: u64, current: u64| {
            u128::from(previous) * u128::from(left) + u128::from(current) * u128::from(evidence.window)
        };
        let (limit, window) = (estimate(0, 0, evidence.limit), u128::from(evidence.window));
        let in_calls = |estimate: u128| u64::try_from(estimate).unwrap_or(u64::MAX);
        match call.decision {
            Decision::Admitted => {
                let current = counted.surely_before[place].saturating_sub(surely_sent_before);
                let left = evidence.window.saturating_sub(call.received - start.earliest);
                let least = estimate(least_previous, left, current);
                if least >= limit {
                    tally.add(call.index, Direction::TooLenient, in_calls(least / window));
                }
            }
            Decision::Refused => {
                let current = counted.possibly_before[place] - replied;
                let left = evidence.window.saturating_sub(call.sent - start.latest);
                let most = estimate(most_previous, left, current);
                if most < limit {
                    tally.add(call.index, Direction::TooStrict, in_calls(most / window));
                }
            }
            Decision::Unknown | Decision::Lost => {}
        }
        if tally.is_full() {
            return;
        }
    }
}
