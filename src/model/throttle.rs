//! The endpoint's limiters: which one counts a call, and what it says.

use std::collections::HashMap;
use std::time::Duration;

use super::limiter::{Admission, Limit, Limiter, Scope};
use super::request::Operator;
use super::rules::LimitRules;
use crate::api::{Call, Operation};

/// Where and when a call came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub sdkappid: u64,
    pub connection: u64,
    pub now: Duration,
}

/// All limiters that ever counted a call.
#[derive(Debug, Default)]
pub struct Throttle {
    limiters: HashMap<(WhoseLimit, Bucket), Limiter>,
}

/// Which of the endpoint's limits a limiter's state serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum WhoseLimit {
    App,
    Message,
    /// The message limit of members, where the admin has one of its own.
    MembersOnMessage,
}

/// What one limiter's state belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    App(u64),
    Message(u64, String),
    Conversation(u64, String, String),
    Key(u64, String, String),
    Connection(u64),
    Replica(u64),
}

impl Throttle {
    /// Asks the app's limit.
    pub fn admit_to_app(&mut self, limits: &LimitRules, arrival: Arrival) -> Admission {
        let Some(limit) = &limits.app else { return Admission::Admit };
        let bucket = match limit.scope {
            Scope::Connection => Bucket::Connection(arrival.connection),
            Scope::Replica(replicas) => Bucket::Replica(arrival.connection % u64::from(replicas.max(1))),
            Scope::App | Scope::Message | Scope::Conversation | Scope::Key => Bucket::App(arrival.sdkappid),
        };
        self.limiter(limit, WhoseLimit::App, bucket).admit(arrival.now, 1)
    }

    /// Asks the message's limit; one for each key asks all of them, and one refusal refuses the call.
    pub fn admit_to_message(&mut self, limits: &LimitRules, arrival: Arrival, operator: &Operator, call: &Call) -> Admission {
        let counts = match call.operation {
            Operation::Set => true,
            Operation::Delete => limits.counts_delete,
            Operation::Clear => limits.counts_clear,
        };
        let is_bound = limits.binds_admins || *operator != Operator::Admin;
        let Some(limit) = limits.message.as_ref().filter(|_| counts && is_bound) else { return Admission::Admit };
        let level = level(limits, operator);
        if limit.scope != Scope::Key {
            // A clear has no pairs, and is a call all the same.
            let weight = limit.unit.weight(call.pairs().len().max(1) as u64);
            return self.limiter(limit, level, bucket(limit, arrival, call, "")).admit(arrival.now, weight);
        }
        let mut decision = Admission::Admit;
        for kv in call.pairs() {
            let key_decision = self.limiter(limit, level, bucket(limit, arrival, call, &kv.key)).admit(arrival.now, 1);
            if key_decision != Admission::Admit {
                decision = key_decision;
            }
        }
        decision
    }

    /// Counts a call that was refused for its fields, where those count.
    pub fn charge_invalid(&mut self, limits: &LimitRules, arrival: Arrival, call: &Call, operator: &Operator) {
        if let Some(limit) = limits.message.as_ref().filter(|_| limits.counts_invalid) {
            self.limiter(limit, level(limits, operator), bucket(limit, arrival, call, "")).charge(arrival.now, 1);
        }
    }

    fn limiter(&mut self, limit: &Limit, level: WhoseLimit, bucket: Bucket) -> &mut Limiter {
        self.limiters.entry((level, bucket)).or_insert_with(|| Limiter::new(limit))
    }
}

fn level(limits: &LimitRules, operator: &Operator) -> WhoseLimit {
    if limits.callers_apart && *operator != Operator::Admin { WhoseLimit::MembersOnMessage } else { WhoseLimit::Message }
}

fn bucket(limit: &Limit, arrival: Arrival, call: &Call, key: &str) -> Bucket {
    let Arrival { sdkappid, connection, .. } = arrival;
    match limit.scope {
        Scope::App => Bucket::App(sdkappid),
        Scope::Message => Bucket::Message(sdkappid, call.msg_key.clone()),
        Scope::Conversation => Bucket::Conversation(sdkappid, call.from.clone().unwrap_or_default(), call.to.clone()),
        Scope::Key => Bucket::Key(sdkappid, call.msg_key.clone(), key.to_owned()),
        Scope::Connection => Bucket::Connection(connection),
        Scope::Replica(replicas) => Bucket::Replica(connection % u64::from(replicas.max(1))),
    }
}
