//! The sliding counter: the aligned window before this one counts by the share of it that a whole window back still covers.

use super::evidence::{CountedCalls, Evidence};
use super::phase::{self, Between};
use super::{Decision, Direction, Replay};

pub(super) fn replay(evidence: &Evidence, counted: &CountedCalls) -> Replay {
    phase::closest(evidence, |edges, tally| {
        // Before the start there is a window without a call.
        let edges = std::iter::once(edges[0]).chain(edges.iter().copied());
        let edges: Vec<Between> = edges.collect();
        for edges in edges.windows(3) {
            check(evidence, counted, [edges[0], edges[1], edges[2]], tally);
            if tally.is_full() {
                return;
            }
        }
    })
}

/// Checks the calls of the window between the last two edges; the one before is between the first two.
fn check(evidence: &Evidence, counted: &CountedCalls, [before, start, end]: [Between; 3], tally: &mut Replay) {
    let (certain, possible) = (&counted.certain, &counted.possible);
    let least_previous = certain.received_before(start.earliest).saturating_sub(certain.sent_before(before.latest));
    let sent = certain.sent_before(start.latest);
    let (replied_before, replied) = (possible.received_before(before.earliest), possible.received_before(start.earliest));
    let most_previous = possible.sent_by(start.latest).saturating_sub(replied_before);

    let window = u128::from(evidence.window);
    let estimate =
        |previous: u64, left: u64, current: u64| u128::from(previous) * u128::from(left) + u128::from(current) * window;
    let limit = estimate(0, 0, evidence.limit);
    let in_calls = |estimate: u128| u64::try_from(estimate / window).unwrap_or(u64::MAX);
    for (place, call) in evidence.sent_within(start.latest, end.latest) {
        match call.decision {
            Decision::Admitted if call.received < end.earliest => {
                let left = evidence.window.saturating_sub(call.received - start.earliest);
                let least = estimate(least_previous, left, counted.surely_before[place].saturating_sub(sent));
                if least >= limit {
                    tally.add(call.index, Direction::TooLenient, in_calls(least));
                }
            }
            // One that came after the end has fewer calls before it that still count, or by less.
            Decision::Refused => {
                let left = evidence.window.saturating_sub(call.sent - start.latest);
                let both = counted.possibly_before[place] - replied_before;
                let current = counted.possibly_before[place] - replied;
                let most = estimate(most_previous.min(both - current), left, current);
                if most < limit {
                    tally.add(call.index, Direction::TooStrict, in_calls(most));
                }
            }
            _ => {}
        }
        if tally.is_full() {
            return;
        }
    }
}
