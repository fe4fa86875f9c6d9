//! What came of the calls to one counter, and when each of them can have reached it.

use crate::judge::limiter::Decision;
use crate::random::Random;

/// So many times it is drawn when each call arrived; of many calls, which even out more by themselves, fewer times.
pub const DRAWS: usize = 8;
const DRAWS_OF_MANY: usize = 4;
const MANY: usize = 20_000;

/// A stage that is not short is looked at in this many slices at the most, each of at least so long and so many calls.
const MOST_SLICES: u64 = 40;
const SHORTEST_SLICE_NS: u64 = 60_000_000;
const FEWEST_CALLS: u64 = 8;

/// No rest: what comes free in it is hardly a call.
const MOMENT_NS: u64 = 100_000_000;

/// A reply that takes so much longer than others has been held back.
const HELD_NS: u64 = 50_000_000;

/// One call of a probe. Times are nanoseconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbedCall {
    pub sent: u64,
    /// Of no matter for a lost call.
    pub received: u64,
    pub pairs: u64,
    /// Number of its stage, counted through all probes of its counter.
    pub stage: u32,
    pub decision: Decision,
}

/// All calls to one counter, in the order of their sending.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub calls: Vec<ProbedCall>,
}

/// Calls that came close after another, or all of a stage: of them it matters how many were admitted, not which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSlice {
    pub asked: u32,
    pub admitted: u32,
    /// For so long the replies of the admitted ones were held back in all, in nanoseconds.
    pub held: u64,
    /// It goes on where calls were refused a moment before.
    pub is_beyond: bool,
    /// Parts of a stage and the whole of it tell the same twice: each counts half.
    pub is_half: bool,
}

/// A call as it may have arrived.
#[derive(Clone, Copy, Debug)]
pub struct DrawnArrival {
    pub at: u64,
    pub slice: u32,
    pub pairs: u8,
    /// Without a reply it is not known what came of it.
    pub is_known: bool,
}

/// A call, with the slices that it belongs to.
struct Placed<'t> {
    call: &'t ProbedCall,
    slice: usize,
}

/// A trace made ready for being replayed by many limiters.
#[derive(Clone, Debug)]
pub struct Replayable {
    pub slices: Vec<CallSlice>,
    /// For each slice the one that is its whole stage.
    pub wholes: Vec<usize>,
    /// Each with all calls, in the order of their arrival.
    pub draws: Vec<Vec<DrawnArrival>>,
    /// What an admitted call waits beyond this is seen to be held back.
    pub held_ns: u64,
    /// When its first call was sent, and how long that took there at the most, in nanoseconds.
    pub first_sent: u64,
    pub first_way: u64,
}

impl Trace {
    /// What one stage came to.
    pub fn stage(&self, stage: u32) -> impl Iterator<Item = &ProbedCall> {
        let from = self.calls.partition_point(|call| call.stage < stage);
        self.calls[from..].iter().take_while(move |call| call.stage == stage)
    }

    /// Whether a stage goes on where calls were refused a moment before.
    pub fn goes_on(&self, stage: u32) -> bool {
        let from = self.calls.partition_point(|call| call.stage < stage);
        let before = from.checked_sub(1).and_then(|before| self.calls.get(before));
        let is_close = |before: &ProbedCall| self.calls.get(from).is_some_and(|first| first.sent - before.sent < MOMENT_NS);
        before.is_some_and(|before| before.decision == Decision::Refused && is_close(before))
    }

    pub fn stages(&self) -> u32 {
        self.calls.last().map_or(0, |call| call.stage + 1)
    }

    /// How long replies take, in nanoseconds, the fastest first.
    fn ways(&self, decision: Decision) -> Vec<u64> {
        let calls = self.calls.iter().filter(move |call| call.decision == decision);
        let mut ways: Vec<u64> = calls.map(|call| call.received.saturating_sub(call.sent)).collect();
        ways.sort_unstable();
        ways
    }

    /// How long a refused call's reply takes, which nothing holds back, in nanoseconds: half of them take less.
    fn middle_way(&self) -> u64 {
        let refused = self.ways(Decision::Refused);
        refused.get(refused.len() / 2).copied().unwrap_or(0)
    }

    /// How long a reply takes that nothing holds back, in nanoseconds: nearly all of the refused ones' take less.
    pub fn usual_way(&self) -> u64 {
        let refused = self.ways(Decision::Refused);
        let at = |ways: &[u64], share: usize| ways.get((ways.len() * share / 1000).min(ways.len().saturating_sub(1))).copied();
        if refused.len() >= 10 { at(&refused, 998).unwrap_or(0) } else { at(&self.ways(Decision::Admitted), 500).unwrap_or(0) }
    }

    /// Draws for each call when it arrived: at any time between its sending and its reply.
    pub fn replayable(&self) -> Replayable {
        let (usual, middle_way) = (self.usual_way(), self.middle_way());
        let held_ns = HELD_NS.max(usual * 2);
        let (mut slices, mut wholes): (Vec<CallSlice>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut placed: Vec<Placed<'_>> = Vec::with_capacity(self.calls.len());
        let mut from = 0;
        while let Some(first) = self.calls.get(from) {
            let count = self.calls[from..].iter().take_while(|call| call.stage == first.stage).count();
            let calls = &self.calls[from..from + count];
            from += count;
            let length = (calls[count - 1].sent - first.sent).max(1);
            let parts = MOST_SLICES.min(length / SHORTEST_SLICE_NS).min(count as u64 / FEWEST_CALLS).max(1);
            let is_beyond = self.goes_on(first.stage);
            let whole = slices.len();
            let fresh = CallSlice { is_beyond, is_half: parts > 1, ..CallSlice::default() };
            let parts = if parts > 1 { parts } else { 0 };
            slices.resize(whole + 1 + usize::try_from(parts).unwrap_or(0), fresh);
            wholes.resize(slices.len(), whole);
            for call in calls {
                let part = usize::try_from((call.sent - first.sent) * parts / (length + 1)).unwrap_or(0);
                let slice = whole + usize::from(parts > 0) + part;
                // A call that another limit refused is none that this one has seen.
                if call.decision != Decision::Unknown {
                    placed.push(Placed { call, slice });
                }
                let is_admitted = call.decision == Decision::Admitted;
                let held = (call.received.saturating_sub(call.sent)).saturating_sub(held_ns + middle_way);
                // What is in a part is in the whole.
                for at in [slice, whole].into_iter().take(if slice == whole { 1 } else { 2 }) {
                    let slice = &mut slices[at];
                    slice.asked += u32::from(matches!(call.decision, Decision::Admitted | Decision::Refused));
                    slice.admitted += u32::from(is_admitted);
                    slice.held += if is_admitted { held } else { 0 };
                }
            }
        }
        let mut random = Random::named(self.calls.len() as u64, "arrivals");
        let draws = if placed.len() > MANY { DRAWS_OF_MANY } else { DRAWS };
        let draws = (0..draws).map(|_| draw(&placed, usual, held_ns, &mut random)).collect();
        let first = self.calls.first();
        let first_way = first.map_or(0, |first| first.received.saturating_sub(first.sent).max(usual / 2));
        Replayable { slices, wholes, draws, held_ns, first_sent: first.map_or(0, |first| first.sent), first_way }
    }
}

/// A way there takes as long at the most as a way back. What takes longer than usual may have done so on either, but for a reply that has been
/// held back.
fn draw(calls: &[Placed<'_>], usual: u64, held_ns: u64, random: &mut Random) -> Vec<DrawnArrival> {
    let one_way = usual / 2;
    let arrival = |Placed { call, slice }: &Placed<'_>| {
        let is_known = call.decision != Decision::Lost;
        let both = if is_known { call.received.saturating_sub(call.sent) } else { usual };
        let is_held = call.decision == Decision::Admitted && both > held_ns;
        let (least, most) = match both {
            both if both <= usual => (both.saturating_sub(one_way).min(one_way), both.min(one_way)),
            _ if is_held => (0, one_way),
            both => (0, both),
        };
        let way = least + random.below(usize::try_from(most - least).unwrap_or(0) + 1) as u64;
        let (slice, pairs) = (u32::try_from(*slice).unwrap_or(u32::MAX), u8::try_from(call.pairs).unwrap_or(u8::MAX));
        DrawnArrival { at: call.sent + way, slice, pairs, is_known }
    };
    let mut arrivals: Vec<DrawnArrival> = calls.iter().map(arrival).collect();
    arrivals.sort_by_key(|arrival| arrival.at);
    arrivals
}
