//! What is wrong with a plan that is well-formed, wherever it comes from: a file, or the command line.

use std::time::Duration;

use super::{Arrivals, Choice, Mix, Plan, Traffic};
use crate::scenario::{Caller, LONGEST_TIMEOUT};

/// Nearly a day: a signature lasts no longer, from before the connections are opened until the last call is given up, and no
/// histogram has to.
pub const LONGEST_PLAN: Duration = Duration::from_hours(23);
pub const MOST_CALLS: u64 = 10_000_000_000;
const MOST_SHARES: u32 = 1_000_000;
/// More have no ports on one address, or nearly so.
pub const MOST_CONNECTIONS: u32 = 20_000;
/// Each is made by a call before the run.
pub const MOST_MESSAGES: u32 = 1_000_000;
/// A judged plan keeps every call in memory.
const MOST_JUDGED_CALLS: f64 = 200_000.0;

impl Traffic {
    /// What is wrong with it: the field, what, and what to do. `messages` is how many there are.
    pub fn problems(&self, messages: u32) -> Vec<(&'static str, String, &'static str)> {
        let Mix { set, delete, clear } = self.mix;
        let bad = [
            (
                "mix",
                [set, delete, clear].into_iter().any(|share| share > MOST_SHARES),
                format!("a share is at most {MOST_SHARES}"),
                "write smaller numbers in the same proportion",
            ),
            ("mix", set == 0, "without sets there is nothing to delete or clear".to_owned(), "give set a share"),
            ("kvs", !within(self.kvs, 1, 20), "a call has 1 to 20 pairs".to_owned(), "write a number from 1 to 20"),
            ("kvs", self.kvs.1 > self.keys, format!("a call of {} pairs needs as many keys", self.kvs.1), "give more keys"),
            (
                "value-bytes",
                !within(self.value_bytes, 1, 1000),
                "a value has 1 to 1000 bytes".to_owned(),
                "write a number from 1 to 1000",
            ),
            (
                "keys",
                !within((self.keys, self.keys), 1, 300),
                "a message has 1 to 300 keys".to_owned(),
                "write a number from 1 to 300",
            ),
            (
                "messages",
                self.messages.0 >= self.messages.1 || self.messages.1 > messages,
                format!("there are messages 1 to {messages}"),
                "name some of these, or let the plan make more",
            ),
            (
                "choose",
                matches!(self.choice, Choice::Zipf(exponent) if !(exponent > 0.0 && exponent <= 10.0)),
                "a zipf exponent is above 0 and at most 10".to_owned(),
                "write choose: {zipf: 1.1}",
            ),
            (
                "choose",
                matches!(self.choice, Choice::Hot { one_in: 0 }),
                "one call in 0 is none".to_owned(),
                "write choose: {hot: {one-in: 2}} for every second call",
            ),
            (
                "as",
                self.callers.is_empty() || self.callers.contains(&Caller::Stranger),
                "calls are made by admin, sender and recipient".to_owned(),
                "name one of them at least, and no stranger",
            ),
        ];
        bad.into_iter().filter(|(_, is, ..)| *is).map(|(field, _, message, help)| (field, message, help)).collect()
    }
}

fn within((from, to): (u32, u32), least: u32, most: u32) -> bool {
    least <= from && from <= to && to <= most
}

impl Plan {
    /// What is wrong with the plan as a whole: the place, what, and what to do.
    pub fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let sends = self.phases.iter().any(|phase| !matches!(phase.arrivals, Arrivals::Rest(_)));
        let duration = self.phases.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.arrivals.duration()));
        let calls: f64 = self.phases.iter().filter_map(|phase| phase.arrivals.calls()).sum();
        let endless = self.phases.iter().any(|phase| phase.arrivals.calls().is_none());
        let one_pair = self.traffics().all(|traffic| traffic.kvs == (1, 1) && traffic.mix.delete + traffic.mix.clear == 0);
        let judged = self.limits.is_some();
        let bad = [
            ("/phases", !sends, "no phase sends anything".to_owned(), "write one with a rate or a burst"),
            ("/timeout", self.timeout.is_zero(), "no reply comes in no time".to_owned(), "write a time-out above zero"),
            (
                "/timeout",
                self.timeout > LONGEST_TIMEOUT,
                format!("a reply is waited for {:?}", self.timeout),
                "write 20m, or less",
            ),
            (
                "/connections",
                self.connections.get() > MOST_CONNECTIONS,
                format!("a run has at most {MOST_CONNECTIONS} connections"),
                "take fewer",
            ),
            (
                "/messages",
                self.messages.get() > MOST_MESSAGES,
                format!("a run has at most {MOST_MESSAGES} messages"),
                "take fewer",
            ),
            ("/phases", duration > LONGEST_PLAN, format!("the plan lasts {duration:?}"), "a plan lasts at most 23 hours"),
            (
                "/phases",
                calls > MOST_CALLS as f64,
                format!("the plan has {calls:.0} calls"),
                "a plan has at most 10,000,000,000 calls",
            ),
            (
                "/limits",
                judged && (endless || calls > MOST_JUDGED_CALLS),
                format!("a plan that judges limits has at most {MOST_JUDGED_CALLS:.0} calls, all of them at a given rate"),
                "take fewer calls, or leave limits out",
            ),
            (
                "/limits",
                judged && !one_pair,
                "a plan that judges limits sets one pair a call: whether pairs are counted is left open".to_owned(),
                "let kvs be 1 and mix be {set: 1}",
            ),
        ];
        bad.into_iter().filter(|(_, is, ..)| *is).map(|(place, _, message, help)| (place, message, help)).collect()
    }
}
