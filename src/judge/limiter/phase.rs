//! The search for the phase of an aligned window, which no caller knows.

use super::Replay;
use super::evidence::{Evidence, clock_error};

/// Phases are not told apart closer than this, in nanoseconds, nor than one in [`FINEST`] of the window.
const CLOSEST: u64 = 1_000_000;
const FINEST: u64 = 1 << 14;
/// How many phases are compared where none explains everything.
const COMPARED: u64 = 256;

/// When something may have been, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Between {
    pub(super) earliest: u64,
    pub(super) latest: u64,
}

/// Replays by every phase, and returns the tally of the one that is closest. A replay gets the edges of the windows, in order.
///
/// A replay by some phases together has only those violations that it has by each of them. So where there is any all are
/// out; where there is none they are halved, until they are as good as one.
pub(super) fn closest(evidence: &Evidence, replay: impl Fn(&[Between], &mut Replay)) -> Replay {
    let (window, limit) = (evidence.window, evidence.limit);
    let finest = (window / FINEST).max(CLOSEST);
    let mut open = vec![Between { earliest: 0, latest: window }];
    while let Some(phases) = open.pop() {
        let mut tally = Replay::only_first(limit);
        replay(&edges(evidence, phases), &mut tally);
        if tally.is_full() {
            continue;
        }
        if phases.latest - phases.earliest <= finest {
            return tally;
        }
        let middle = phases.earliest.midpoint(phases.latest);
        open.push(Between { earliest: middle, ..phases });
        open.push(Between { latest: middle, ..phases });
    }
    let tallies = (0..COMPARED).map(|part| {
        let phase = window / COMPARED * part;
        let mut tally = Replay::new(limit);
        replay(&edges(evidence, Between { earliest: phase, latest: phase }), &mut tally);
        tally
    });
    tallies.min_by_key(Replay::distance).unwrap_or_else(|| Replay::new(limit))
}

/// The edges from the first, which is at the start and has every call after it, to one that is after the last sending.
/// They lie on the target's clock, so that on ours they are less and less certain.
fn edges(evidence: &Evidence, phases: Between) -> Vec<Between> {
    let end = evidence.calls.last().map_or(0, |call| call.sent);
    let mut edges = vec![Between { earliest: 0, latest: 0 }];
    let mut edge = phases;
    loop {
        let earliest = edge.earliest.saturating_sub(clock_error(edge.earliest));
        edges.push(Between { earliest, latest: edge.latest + clock_error(edge.latest) });
        if earliest > end {
            return edges;
        }
        edge = Between { earliest: edge.earliest + evidence.window, latest: edge.latest + evidence.window };
    }
}
