//! How strong the suite and the searches are, as a section of the report.

pub mod build;
pub mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Unlawful endpoints, of which each has to be caught, and lawful ones, of which none may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mutants {
    pub killed: usize,
    pub total: usize,
    pub survivors: Vec<MutantEntry>,
    /// Combinations of readings that were tried.
    pub combinations: usize,
    pub false_alarms: Vec<FalseAlarmEntry>,
    /// Every mutant.
    pub matrix: Vec<MutantEntry>,
}

/// One mutant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Mutant")]
pub struct MutantEntry {
    /// What is wrong with it.
    pub name: String,
    /// The clauses that it breaks.
    pub breaks: Vec<String>,
    /// The command that killed it: `run`, `fuzz` or `race`; later ones were tried where earlier ones saw nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed_by: Option<String>,
    /// The clause of the finding that killed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub clause: String,
    /// Why it could not be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A lawful endpoint that is no pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FalseAlarm")]
pub struct FalseAlarmEntry {
    /// Its answers to open questions, as `question=answer`.
    pub readings: Vec<String>,
    pub why: String,
}
