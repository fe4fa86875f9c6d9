//! What was found out about limits, as a section of the report.

pub mod build;
pub mod live;
pub mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One limit of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Limit")]
pub struct LimitEntry {
    /// `app` or `message`.
    pub scope: String,
    /// `none`, `fixed-window-aligned`, `fixed-window-anchored`, `sliding-log`, `sliding-counter`, `token-bucket` (GCRA and a leaky
    /// bucket as a meter, too), `leaky-queue`, `interval-refill` or `unknown`.
    pub kind: String,
    /// Calls or pairs in a window; `null` where there is no limit, or it is unknown.
    pub limit: Option<u64>,
    /// A bucket has none: there it is the time in which it fills, or the documented one.
    pub window_s: Option<f64>,
    /// What a bucket or a queue holds.
    pub capacity: Option<u64>,
    /// `request` or `kv`.
    pub unit: Option<String>,
    /// `null` where it makes no difference to a caller, or is unknown.
    pub counts_rejected: Option<bool>,
    /// What has a counter of its own: `app`, `message`, `conversation`, `key` or `connection`; `null` where that is not known.
    #[serde(default)]
    pub per: Option<String>,
    /// Which other calls count.
    #[serde(default)]
    pub counts: CountsEntry,
    /// Of most refusals.
    pub code: Option<i64>,
    /// Where it stands: `top` or `each-key`.
    pub place: Option<String>,
    /// How sure the kind is, from 0 to 1.
    pub confidence: f64,
    /// Calls a second that come free, at least and at most, where it is a bucket's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<[f64; 2]>,
    /// In one sentence.
    pub meaning: String,
    /// The probe after which it was sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Calls that were sent to find it out, those that a limit refused, and those without a reply.
    pub calls: u64,
    pub refused: u64,
    pub lost: u64,
    pub elapsed_s: f64,
    /// What may be, the most likely first.
    pub candidates: Vec<CandidateEntry>,
    /// When windows began, in seconds since the search began, where they are the same for all calls; not told of very many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows_s: Vec<f64>,
    /// Calls admitted and refused, over the search cut into equal parts.
    pub timeline: Vec<TimelinePart>,
}

/// Whether calls come to a limit's counter; `null` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LimitCounts")]
pub struct CountsEntry {
    pub delete: Option<bool>,
    pub clear: Option<bool>,
    /// Calls that are refused for what they are.
    pub invalid: Option<bool>,
    /// A member's sets, where an admin's count.
    pub member: Option<bool>,
}

/// A limiter that may be the target's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LimitCandidate")]
pub struct CandidateEntry {
    pub kind: String,
    pub limit: Option<u64>,
    pub window_s: Option<f64>,
    pub capacity: Option<u64>,
    pub unit: Option<String>,
    pub counts_rejected: Option<bool>,
    /// How likely, from 0 to 1.
    pub weight: f64,
}

/// One part of the search's time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePart {
    pub admitted: u64,
    pub refused: u64,
}
