//! Findings and verdicts: what a judge says of a history.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::Exchange;

/// One difference between what a clause asks and what the target did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Id of the clause that is broken.
    pub clause: String,
    /// Where in the scenario's file the broken expectation stands, as an index path: `/scenarios/3/steps/1/set`.
    pub place: String,
    /// What differs, in the reply or the message: `k2`, `ErrorCode`, `ExtensionList[0].Extension.Seq`.
    pub subject: String,
    pub expected: String,
    pub actual: String,
    /// What else a reader needs to know: "in iteration 17", "after a retry".
    pub note: Option<String>,
    /// Index of the exchange in the scenario's history that shows it; `None` where no single one does.
    pub exchange: Option<usize>,
}

/// What is known at the end. Skipped and unknown are never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    /// The user put it out of scope, or it does not apply to this target; says why.
    Skipped(String),
    /// It was asked and could not be established; says why.
    Unknown(String),
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skipped(_) => "skipped",
            Verdict::Unknown(_) => "unknown",
        }
    }

    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Skipped(why) | Verdict::Unknown(why) => Some(why),
            Verdict::Pass | Verdict::Fail => None,
        }
    }
}

/// What a whole run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    Pass,
    Fail,
    Inconclusive,
}

impl Overall {
    pub fn word(self) -> &'static str {
        match self {
            Overall::Pass => "pass",
            Overall::Fail => "fail",
            Overall::Inconclusive => "inconclusive",
        }
    }
}

/// The answer to an open clause that one step saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The question's name: `deleted-key`.
    pub reading: String,
    /// The lawful answer that fits what the target did: `tombstone`.
    pub answer: String,
    /// Index path of the step.
    pub place: String,
}

/// Everything that one scenario (one row of a table) came to.
#[derive(Clone, Debug)]
pub struct ScenarioOutcome {
    /// The scenario's id; a row's is `id/row`.
    pub id: String,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    pub observations: Vec<Observation>,
    /// Every exchange, in the order in which they were sent, the making of messages and reading back included.
    pub exchanges: Vec<Exchange>,
    pub elapsed: Duration,
}
