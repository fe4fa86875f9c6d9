//! What a race came to, as a section of the report.

pub mod build;
pub mod live;
pub mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Calls that ran side by side, and whether an order of them explains their replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Race {
    /// `null` where that could not be decided.
    pub linearizable: Option<bool>,
    /// Calls on the pairs of messages, reads among them.
    pub operations: usize,
    /// Calls that changed a key while another on it was under way.
    pub contended: usize,
    /// Calls of which nobody knows whether they were carried out.
    pub unknown_outcomes: usize,
    /// Keys whose search was given up.
    pub undecided: usize,
    /// Keys, or messages, that no order explains.
    pub unexplained: usize,
    /// The first of them, one by one.
    pub anomalies: Vec<AnomalyEntry>,
}

/// A few calls on one key that no order explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Anomaly")]
pub struct AnomalyEntry {
    pub name: String,
    /// The message's key.
    pub message: String,
    /// Empty where it is of the whole message.
    pub key: String,
    /// The calls, by their numbers in the history, in the order of their sending.
    pub exchanges: Vec<u32>,
    pub timeline: Vec<TimelineEntry>,
}

/// One call of an anomaly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TimelineCall")]
pub struct TimelineEntry {
    pub client: u32,
    /// Since the first of these calls was sent, in microseconds.
    pub sent_us: f64,
    /// Without it there was no reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_us: Option<f64>,
    /// What the call asked, and what it was told.
    pub told: String,
    /// A shell line that repeats the call, given `$MSGEXT_TARGET` and `$MSGEXT_USERSIG`.
    pub curl: String,
}
