//! The token bucket, and with it GCRA and the leaky bucket: each call adds one to what the bucket lacks, which the rate
//! makes up for, and a call is refused where it would lack more than the limit.
//!
//! What is lacking now grows, if it changes, with every call and by every call's coming later. (To come after a while
//! instead of before it adds the same, except that less is lost by making up for nothing, and less by being beyond the
//! limit.) So it is the most when all come at their replies, and the least when all come as they are sent. Without one of
//! them it would be less by one at the most. Levels are in calls times nanoseconds of the window.

use super::evidence::{Arrivals, Evidence, least_flow, most_flow};
use super::{Decision, Direction, Tally};

/// A queue is one of these, so what is held back may be so by right. `prompt` is the evidence without that: a call that came
/// later than it says makes no difference to a bucket that is lacking at the time, and that is when it refuses.
pub(super) fn replay(held_back: &Evidence, prompt: &Evidence) -> Tally {
    let mut tally = Tally::new(prompt.limit);
    check_refusals(prompt, false, &mut tally);
    check_admissions(held_back, &least_lacking(held_back, false), &mut tally);
    tally
}

/// Where refused calls count, one that is refused empties the bucket: it never lacks more than the limit.
pub(super) fn replay_counting_refused(evidence: &Evidence) -> Tally {
    let mut tally = Tally::new(evidence.limit);
    check_refusals(evidence, true, &mut tally);
    let (admitted, all) = (least_lacking(evidence, false), least_lacking(evidence, true));
    let least: Vec<u128> = admitted.into_iter().zip(all).map(|(admitted, all)| admitted.max(all)).collect();
    check_admissions(evidence, &least, &mut tally);
    tally
}

fn check_refusals(evidence: &Evidence, counts_refused: bool, tally: &mut Tally) {
    let window = u128::from(evidence.window);
    let counted = if counts_refused { &evidence.all } else { &evidence.admitted };
    let mut lacking = Lacking::new(evidence, &counted.possible);
    for (place, call) in evidence.calls.iter().enumerate().filter(|(_, call)| call.decision == Decision::Refused) {
        let replied = lacking.advance(call.sent);
        let on_the_way = counted.possibly_before[place] - replied;
        let most = lacking.level + u128::from(on_the_way) * window;
        if most + window <= u128::from(evidence.limit) * window {
            tally.add(call.index, Direction::TooStrict, in_calls(most / window));
        }
    }
}

/// The most that can be lacking, with all calls coming at their replies.
struct Lacking<'a> {
    evidence: &'a Evidence,
    replies: &'a [u64],
    next: usize,
    now: u64,
    level: u128,
}

impl Lacking<'_> {
    fn new<'a>(evidence: &'a Evidence, calls: &'a Arrivals) -> Lacking<'a> {
        Lacking { evidence, replies: &calls.received, next: 0, now: 0, level: 0 }
    }

    /// Goes on to a time, and says how many replies came before it.
    fn advance(&mut self, time: u64) -> u64 {
        let window = u128::from(self.evidence.window);
        while let Some(reply) = self.replies.get(self.next).filter(|reply| **reply < time) {
            self.flow(*reply);
            self.level = (self.level + window).min(u128::from(self.evidence.limit) * window);
            self.next += 1;
        }
        self.flow(time);
        self.next as u64
    }

    fn flow(&mut self, time: u64) {
        self.level = self.level.saturating_sub(least_flow(self.evidence.limit, time - self.now));
        self.now = time;
    }
}

/// For each call, the least that can have been lacking when it came: calls that may have come after it are taken out.
fn least_lacking(evidence: &Evidence, counts_refused: bool) -> Vec<u128> {
    let window = u128::from(evidence.window);
    let counted = if counts_refused { &evidence.all } else { &evidence.admitted };
    // What was admitted never lacks more than the limit; where it does, that is what is looked for.
    let most = if counts_refused { u128::from(evidence.limit) * window } else { u128::MAX };
    let (mut now, mut level, mut sent) = (0, 0u128, 0);
    let least = evidence.calls.iter().zip(&counted.surely_before).map(|(call, replied)| {
        level = level.saturating_sub(most_flow(evidence.limit, call.sent - now));
        now = call.sent;
        let on_the_way = u128::from(sent - replied) * window;
        let flow = if call.decision == Decision::Lost { 0 } else { most_flow(evidence.limit, call.received - call.sent) };
        let least = level.saturating_sub(on_the_way).saturating_sub(flow);
        if call.decision == Decision::Admitted || (counts_refused && call.decision == Decision::Refused) {
            level = (level + window).min(most);
            sent += 1;
        }
        least
    });
    least.collect()
}

fn check_admissions(evidence: &Evidence, least_lacking: &[u128], tally: &mut Tally) {
    let window = u128::from(evidence.window);
    for (call, least) in evidence.calls.iter().zip(least_lacking) {
        if call.decision == Decision::Admitted && least + window > u128::from(evidence.limit) * window {
            tally.add(call.index, Direction::TooLenient, in_calls(least.div_ceil(window)));
        }
    }
}

fn in_calls(level: u128) -> u64 {
    u64::try_from(level).unwrap_or(u64::MAX)
}
