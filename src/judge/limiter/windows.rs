//! Fixed windows: the first calls of each are admitted, up to the limit, and all after these are refused.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::evidence::{BoundedCall, Evidence};
use super::phase::{self, Between};
use super::{Decision, Direction, Replay};

/// A window whose start and end are not known exactly.
#[derive(Clone, Copy)]
struct Window {
    start: Between,
    end: Between,
}

pub(super) fn replay_aligned(evidence: &Evidence) -> Replay {
    phase::closest(evidence, |edges, tally| {
        for edges in edges.windows(2) {
            check(evidence, Window { start: edges[0], end: edges[1] }, None, tally);
            if tally.is_full() {
                return;
            }
        }
    })
}

/// Checks the calls of a window. `first` is the one that it began with, if that is known.
fn check(evidence: &Evidence, window: Window, first: Option<&BoundedCall>, tally: &mut Replay) {
    let before = evidence.admitted.possible.received_before(window.start.earliest);
    let mut admitted = 0;
    match first.map(|call| (call.index, call.decision)) {
        Some((_, Decision::Admitted)) => admitted += 1,
        Some((index, Decision::Refused)) => tally.add(index, Direction::TooStrict, 0),
        _ => {}
    }
    for (place, call) in evidence.sent_within(window.start.latest, window.end.latest) {
        if tally.is_full() {
            return;
        }
        // The first one is among these too where it had its reply at once.
        if first.is_some_and(|first| first.index == call.index) {
            continue;
        }
        match call.decision {
            Decision::Admitted if call.received < window.end.earliest => {
                if admitted >= evidence.limit {
                    tally.add(call.index, Direction::TooLenient, admitted);
                }
                admitted += 1;
            }
            // One that came after the end has fewer calls before it that still count.
            Decision::Refused => {
                let possible = evidence.admitted.possibly_before[place] - before;
                if possible < evidence.limit {
                    tally.add(call.index, Direction::TooStrict, possible);
                }
            }
            _ => {}
        }
    }
}

/// A window begins with the first call after the last one ended. Which call that was may be open between a few; so every
/// chain of first calls that there can have been is followed, and the one with the fewest violations is taken.
pub(super) fn replay_anchored(evidence: &Evidence) -> Replay {
    let chains = Chains::of(evidence);
    let mut tally = Replay::new(evidence.limit);
    let mut next = chains.last;
    while let Some(node) = next {
        let link = chains.links[node].expect("a link of a chain");
        check(evidence, link.window, chains.first_call(node), &mut tally);
        next = link.from;
    }
    tally
}

/// A window of a chain.
#[derive(Clone, Copy)]
struct Link {
    window: Window,
    /// Violations in the windows before this one.
    cost: u64,
    /// The window before this one.
    from: Option<usize>,
}

/// All chains of windows. Node `k` is the window that began with call `k` in order of sending; node `calls + k` is one that
/// began with a lost call, which may have come at any time, but before call `k`: that one came for sure.
struct Chains<'a> {
    evidence: &'a Evidence,
    links: Vec<Option<Link>>,
    /// By earliest start: what follows a window starts later than it, so that mostly each is visited once.
    open: BinaryHeap<Reverse<(u64, usize)>>,
    /// For each call, the earliest reply of those from it on that surely came, and whose it was.
    earliest_reply_from: Vec<Option<(u64, usize)>>,
    /// For each call, the latest reply of those up to it.
    latest_reply_to: Vec<u64>,
    first_lost: Option<u64>,
    /// The last window of the best chain.
    last: Option<usize>,
}

impl<'a> Chains<'a> {
    fn of(evidence: &'a Evidence) -> Chains<'a> {
        let calls = &evidence.calls;
        let mut chains = Chains {
            evidence,
            links: vec![None; 2 * calls.len()],
            open: BinaryHeap::new(),
            earliest_reply_from: earliest_reply_from(calls),
            latest_reply_to: latest_reply_to(calls),
            first_lost: calls.iter().find(|call| call.decision == Decision::Lost).map(|call| call.sent),
            last: None,
        };
        chains.follow();
        chains
    }

    fn follow(&mut self) {
        self.begin_windows(Between { earliest: 0, latest: 0 }, 0, None);
        let mut fewest = u64::MAX;
        while let Some(Reverse((_, node))) = self.open.pop() {
            let Some(link) = self.links[node] else { continue };
            let mut tally = Replay::new(self.evidence.limit);
            check(self.evidence, link.window, self.first_call(node), &mut tally);
            let cost = link.cost + tally.total();
            let goes_on = self.begin_windows(link.window.end, cost, Some(node));
            if !goes_on && cost < fewest {
                (fewest, self.last) = (cost, Some(node));
            }
        }
    }

    /// Begins every window that may come after one with this end; says whether one has to.
    fn begin_windows(&mut self, Between { earliest, latest }: Between, cost: u64, from: Option<usize>) -> bool {
        let calls = &self.evidence.calls;
        let surely_after = calls.partition_point(|call| call.sent < latest);
        let Some((by, certain)) = self.earliest_reply_from.get(surely_after).copied().flatten() else { return false };
        let skipped = self.latest_reply_to.partition_point(|reply| *reply < earliest);
        for (place, call) in calls.iter().enumerate().skip(skipped).take_while(|(_, call)| call.sent <= by) {
            if call.received >= earliest && call.decision != Decision::Lost {
                let start = Between { earliest: call.sent.max(earliest), latest: call.received };
                self.relax(place, start, cost, from);
            }
        }
        if let Some(sent) = self.first_lost.filter(|sent| *sent <= by) {
            self.relax(calls.len() + certain, Between { earliest: sent.max(earliest), latest: by }, cost, from);
        }
        true
    }

    /// Takes the window as it may be after any window before it, and the fewest violations that led to it.
    fn relax(&mut self, node: usize, start: Between, cost: u64, from: Option<usize>) {
        let link = &mut self.links[node];
        let known = link.map_or((u64::MAX, u64::MAX), |link| (link.window.start.earliest, link.cost));
        if start.earliest >= known.0 && cost >= known.1 {
            return;
        }
        let start = Between { earliest: start.earliest.min(known.0), ..start };
        let end = Between {
            earliest: start.earliest + self.evidence.shortest_window(),
            latest: start.latest.saturating_add(self.evidence.longest_window()),
        };
        let window = Window { start, end };
        let from = link.filter(|link| link.cost <= cost).map_or(from, |link| link.from);
        *link = Some(Link { window, cost: cost.min(known.1), from });
        self.open.push(Reverse((start.earliest, node)));
    }

    /// The call that a window began with, unless that was a lost one.
    fn first_call(&self, node: usize) -> Option<&'a BoundedCall> {
        self.evidence.calls.get(node)
    }
}

fn earliest_reply_from(calls: &[BoundedCall]) -> Vec<Option<(u64, usize)>> {
    let mut earliest = vec![None; calls.len()];
    let mut next: Option<(u64, usize)> = None;
    for (place, call) in calls.iter().enumerate().rev() {
        let surely_came = matches!(call.decision, Decision::Admitted | Decision::Refused);
        if surely_came && next.is_none_or(|(reply, _)| call.received < reply) {
            next = Some((call.received, place));
        }
        earliest[place] = next;
    }
    earliest
}

fn latest_reply_to(calls: &[BoundedCall]) -> Vec<u64> {
    let mut latest = 0;
    let replies = calls.iter().map(|call| {
        if call.decision != Decision::Lost {
            latest = latest.max(call.received);
        }
        latest
    });
    replies.collect()
}
