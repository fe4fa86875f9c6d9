//! The token bucket, and with it GCRA and the leaky bucket: each call adds one to what the bucket lacks, which the rate
//! makes up for, and a call is refused where it would lack more than the limit.
//!
//! What is lacking now grows, if it changes, with every call and by every call's coming later. (To come after a while
//! instead of before it adds the same, except that less is lost by making up for nothing, and less by being beyond the
//! limit.) So it is the most when all come at their replies, and the least when all come as they are sent. Without one of
//! them it would be less by one at the most.

use super::evidence::{CountedCalls, DRIFT, Evidence};
use super::{Decision, Direction, Replay};

/// A queue is one of these, so what is held back may be so by right. `prompt` is the evidence without that: a call that came
/// later than it says makes no difference to a bucket that is lacking at the time, and that is when it refuses.
pub(super) fn replay(held_back: &Evidence, prompt: &Evidence) -> Replay {
    let mut tally = Replay::new(prompt.limit);
    check_refusals(prompt, &prompt.admitted, &mut tally);
    check_admissions(held_back, &least_lacking(held_back, false), &mut tally);
    tally
}

/// Where refused calls count, one that is refused empties the bucket: it never lacks more than the limit.
pub(super) fn replay_counting_refused(held_back: &Evidence, prompt: &Evidence) -> Replay {
    let mut tally = Replay::new(prompt.limit);
    check_refusals(prompt, &prompt.all, &mut tally);
    let (admitted, all) = (least_lacking(held_back, false), least_lacking(held_back, true));
    let least: Vec<u128> = admitted.into_iter().zip(all).map(|(admitted, all)| admitted.max(all)).collect();
    check_admissions(held_back, &least, &mut tally);
    tally
}

/// What a bucket lacks, in calls times nanoseconds of the window times the drift, so that all is in whole numbers.
struct Lacking {
    level: u128,
    now: u64,
    limit: u128,
    /// One call.
    one: u128,
    /// What is made up for in a nanosecond.
    flow: u128,
}

impl Lacking {
    /// With the target's clock as slow as can be.
    fn most(evidence: &Evidence) -> Lacking {
        Lacking::new(evidence, DRIFT - 1)
    }

    /// With the target's clock as fast as can be.
    fn least(evidence: &Evidence) -> Lacking {
        Lacking::new(evidence, DRIFT + 1)
    }

    fn new(evidence: &Evidence, speed: u64) -> Lacking {
        let one = u128::from(evidence.window) * u128::from(DRIFT);
        let flow = u128::from(evidence.limit) * u128::from(speed);
        Lacking { level: 0, now: 0, limit: u128::from(evidence.limit) * one, one, flow }
    }

    fn advance(&mut self, time: u64) {
        self.level = self.level.saturating_sub(self.flow * u128::from(time - self.now));
        self.now = time;
    }

    fn add(&mut self) {
        self.level += self.one;
    }

    fn add_up_to_the_limit(&mut self) {
        self.level = (self.level + self.one).min(self.limit);
    }

    fn would_admit(&self, level: u128) -> bool {
        level + self.one <= self.limit
    }
}

fn check_refusals(evidence: &Evidence, counted: &CountedCalls, tally: &mut Replay) {
    let mut lacking = Lacking::most(evidence);
    let mut replied = 0;
    for (place, call) in evidence.calls.iter().enumerate().filter(|(_, call)| call.decision == Decision::Refused) {
        while let Some(reply) = counted.possible.received.get(replied).filter(|reply| **reply < call.sent) {
            lacking.advance(*reply);
            lacking.add_up_to_the_limit();
            replied += 1;
        }
        lacking.advance(call.sent);
        let on_the_way = counted.possibly_before[place] - replied as u64;
        let most = lacking.level + u128::from(on_the_way) * lacking.one;
        if lacking.would_admit(most) {
            tally.add(call.index, Direction::TooStrict, in_calls(most / lacking.one));
        }
    }
}

/// For each call, the least that can have been lacking when it came: calls that may have come after it are taken out.
fn least_lacking(evidence: &Evidence, counts_refused: bool) -> Vec<u128> {
    let counted = if counts_refused { &evidence.all } else { &evidence.admitted };
    let mut lacking = Lacking::least(evidence);
    let mut sent = 0;
    let least = evidence.calls.iter().zip(&counted.surely_before).map(|(call, replied)| {
        lacking.advance(call.sent);
        let on_the_way = u128::from(sent - replied) * lacking.one;
        let made_up = lacking.flow * u128::from(call.received - call.sent);
        let least = lacking.level.saturating_sub(on_the_way).saturating_sub(made_up);
        match call.decision {
            // A lawful one never admits beyond the limit; where one does, that has to show.
            Decision::Admitted if !counts_refused => lacking.add(),
            Decision::Admitted | Decision::Refused if counts_refused => lacking.add_up_to_the_limit(),
            _ => return least,
        }
        sent += 1;
        least
    });
    least.collect()
}

fn check_admissions(evidence: &Evidence, least_lacking: &[u128], tally: &mut Replay) {
    let bucket = Lacking::least(evidence);
    for (call, least) in evidence.calls.iter().zip(least_lacking) {
        if call.decision == Decision::Admitted && !bucket.would_admit(*least) {
            tally.add(call.index, Direction::TooLenient, in_calls(least.div_ceil(bucket.one)));
        }
    }
}

fn in_calls(calls: u128) -> u64 {
    u64::try_from(calls).unwrap_or(u64::MAX)
}
