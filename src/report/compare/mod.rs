//! What a comparison of runs came to, as a section of the report.

pub mod build;
pub mod read;
pub mod series;
pub mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::Overall;

/// Runs held against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compare {
    /// What varies: `run`, `second` (of one run each) or `round` (two runs, one after the other).
    pub unit: String,
    pub base: Vec<ComparedEntry>,
    pub new: Vec<ComparedEntry>,
    /// What differs between them besides.
    pub notes: Vec<String>,
    /// Why figures cannot be trusted.
    pub doubts: Vec<String>,
    /// What is not as it was; the worst first.
    pub changes: Vec<ShiftEntry>,
    pub metrics: Vec<MetricEntry>,
    /// With `--history`, where the series of runs changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<SeriesEntry>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ComparedRun")]
pub struct ComparedEntry {
    /// The file, or the round.
    pub name: String,
    pub target: String,
    /// What made its report.
    pub generator: String,
    pub started: String,
    pub verdict: Overall,
    /// Metric to value; times in microseconds.
    pub values: BTreeMap<String, f64>,
    /// Response times of the whole run: percentile, and microseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<(f64, u64)>,
}

/// A clause, a check, a mutant or a reading that is not as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct ShiftEntry {
    /// `clause`, `check`, `mutant`, `lawful endpoint` or `reading`.
    pub kind: String,
    pub name: String,
    pub was: String,
    pub is: String,
    /// `pass` where it became better.
    pub verdict: Overall,
    pub decides: bool,
}

/// One metric of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Metric")]
pub struct MetricEntry {
    /// `throughput` (accepted calls a second), `p50`, `p90`, `p99`, `p99.9` (response times in microseconds), or `cpu` (microseconds of
    /// the generator's processor time a call).
    pub name: String,
    /// Geometric means over the runs.
    pub base: f64,
    pub new: f64,
    /// New to base.
    pub ratio: f64,
    /// Bounds of the ratio, each of which holds in 95 % of cases; `null` where there are too few runs for one.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Two-sided p-value of the exact permutation test; `null` for seconds, which are resampled.
    pub p: Option<f64>,
    /// The ratio beyond which it is worse than it may be; `null` where it does not decide.
    pub limit: Option<f64>,
    /// `null` where it does not decide.
    pub verdict: Option<Overall>,
    /// So many runs of each side, or rounds, would probably settle what is open.
    pub needed: Option<usize>,
}

/// A series of runs, and where it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Series")]
pub struct SeriesEntry {
    pub file: String,
    /// The runs of the series, the newest last.
    pub runs: Vec<String>,
    pub metrics: Vec<SeriesMetric>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesMetric {
    pub name: String,
    /// Of each run that has it, in their order.
    pub values: Vec<f64>,
    pub changes: Vec<SeriesChange>,
    /// `null` where it does not decide.
    pub verdict: Option<Overall>,
}

/// From this run on a metric is another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesChange {
    pub run: String,
    /// Geometric means of the stretches before and from there.
    pub before: f64,
    pub after: f64,
    pub ratio: f64,
    pub p: f64,
}
