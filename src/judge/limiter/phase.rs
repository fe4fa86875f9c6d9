//! The search for the phase of an aligned window, which no caller knows.

use super::Tally;

/// Phases are not told apart closer than this, in nanoseconds, nor than one in [`FINEST`] of the window.
const CLOSEST: u64 = 1_000_000;
const FINEST: u64 = 1 << 14;
/// How many phases are compared where none explains everything.
const COMPARED: u64 = 256;

/// Some phases, none excluded that may be the one: edges of windows lie from `earliest` to `latest` after each whole one.
#[derive(Clone, Copy)]
pub(super) struct Phases {
    pub(super) earliest: u64,
    pub(super) latest: u64,
}

/// Replays by every phase, and returns the tally of the one that explains most.
///
/// A replay by some phases has only those violations that it has by each of them. So where there is any all are out;
/// where there is none they are halved, until they are as good as one.
pub(super) fn best(window: u64, replay: impl Fn(Phases, &mut Tally)) -> Tally {
    let finest = (window / FINEST).max(CLOSEST);
    let mut open = vec![Phases { earliest: 0, latest: window }];
    while let Some(phases) = open.pop() {
        let mut tally = Tally::up_to(1);
        replay(phases, &mut tally);
        if tally.is_full() {
            continue;
        }
        if phases.latest - phases.earliest <= finest {
            return tally;
        }
        let middle = phases.earliest.midpoint(phases.latest);
        open.push(Phases { earliest: middle, ..phases });
        open.push(Phases { latest: middle, ..phases });
    }
    let mut best: Option<Tally> = None;
    for part in 0..COMPARED {
        let phase = u64::try_from(u128::from(window) * u128::from(part) / u128::from(COMPARED)).unwrap_or(0);
        let mut tally = Tally::up_to(best.as_ref().map_or(u64::MAX, Tally::total));
        replay(Phases { earliest: phase, latest: phase }, &mut tally);
        if !tally.is_full() {
            best = Some(tally);
        }
    }
    best.unwrap_or_else(Tally::new)
}

impl Phases {
    /// The windows that the calls up to `last` lie in: when each begins, and when the next does. The first has begun by the
    /// start, its edge is not after it.
    pub(super) fn windows(self, window: u64, last: u64) -> impl Iterator<Item = (Phases, Phases)> {
        let after = move |edge: Phases| Phases { earliest: edge.earliest + window, latest: edge.latest + window };
        let first = (Phases { earliest: 0, latest: 0 }, self);
        let next = std::iter::successors(Some((self, after(self))), move |(_, end)| Some((*end, after(*end))));
        std::iter::once(first).chain(next.take_while(move |(start, _)| start.earliest <= last))
    }
}
