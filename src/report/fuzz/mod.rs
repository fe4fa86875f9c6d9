//! What a search with random calls came to, as a section of the report.

pub mod build;
pub mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Random sequences of calls, each held against the reference endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fuzz {
    /// Cases that were run to a verdict.
    pub cases: u64,
    /// Cases in which a call got no reply, or none that could be read; others were tried in their place.
    pub unknown: u64,
    /// Why the last of them is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_unknown: Option<String>,
    /// The first of each clause. Its findings stand under `scenarios`.
    pub differences: Vec<DifferenceEntry>,
}

/// A case that came to something else, made as small as it could be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Difference")]
pub struct DifferenceEntry {
    pub clause: String,
    /// The id of the scenario that repeats it.
    pub scenario: String,
    /// How many steps that takes.
    pub steps: usize,
    /// The file that `msgext run` repeats it from.
    pub file: String,
    /// Whether the same calls came to the same once more.
    pub came_again: bool,
    /// Question to the answer that was seen on the target and is not the reference's, where the scenario takes it for granted: on
    /// the reference it may fail as well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rests_on: BTreeMap<String, String>,
    /// Further cases that broke the same clause.
    pub others: u64,
}
