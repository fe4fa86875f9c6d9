//! One reply at a time, held against what a scenario expects of it; and what all scenarios come to.

pub mod flaky;
pub(crate) mod incidental;
pub(crate) mod limit;
pub(crate) mod memory;
pub(crate) mod pairs;
pub(crate) mod race;
pub(crate) mod reply;
pub mod summary;
pub(crate) mod verdict;

use crate::api::reply::kept;
use crate::api::{Kv, Operation};
use crate::verdict::Finding;

/// A call as a judge has to know it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The scenario's name of the message.
    pub message: String,
    /// `None` for a raw call, whose meaning only its author knows.
    pub operation: Option<Operation>,
    /// The pairs as they stand in the body, resolved.
    pub kvs: Vec<Kv>,
}

impl Sent {
    /// The keys of the call, each once, in order.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::with_capacity(self.kvs.len());
        for kv in &self.kvs {
            if !keys.contains(&kv.key.as_str()) {
                keys.push(&kv.key);
            }
        }
        keys
    }
}

/// Where an expectation stands, and what it speaks for.
#[derive(Clone, Debug)]
pub struct At {
    /// The clause that a difference breaks.
    pub clause: String,
    /// Index path of the step.
    pub place: String,
    /// Index of the exchange.
    pub exchange: Option<usize>,
}

impl At {
    /// A difference found here.
    pub fn finding(&self, subject: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Finding {
        Finding {
            clause: self.clause.clone(),
            place: self.place.clone(),
            subject: kept(subject.into()),
            expected: kept(expected.into()),
            actual: kept(actual.into()),
            note: None,
            exchange: self.exchange,
        }
    }

    /// The same place, speaking for another clause.
    pub fn on(&self, clause: &str) -> At {
        At { clause: clause.to_owned(), ..self.clone() }
    }

    /// A place below this one.
    pub fn below(&self, place: &str) -> At {
        At { place: format!("{}{place}", self.place), ..self.clone() }
    }
}
