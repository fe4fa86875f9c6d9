//! The documentation as data: clauses, their levels, and the readings of what it leaves open.
//!
//! Read from `scenarios/spec.yaml`, which is part of the binary. Never a verdict: see [`crate::judge`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How binding a clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The documentation says it; decides the verdict.
    Must,
    /// The vendor says it elsewhere; reported apart, decides only under `--strict`.
    Should,
    /// The documentation is silent or contradicts itself; observed, never judged.
    Open,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::Open => "open",
        }
    }
}

/// One testable statement of the documentation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    pub id: String,
    pub level: Level,
    /// The part of the documentation that it stands in.
    pub section: String,
    pub statement: String,
    /// For an open clause: the name of the question that it leaves.
    #[serde(default)]
    pub reading: Option<String>,
    /// The lawful answers, the reference endpoint's first: name to meaning.
    #[serde(default)]
    pub readings: Vec<Answer>,
}

/// One lawful answer to an open clause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub name: String,
    pub meaning: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub clauses: Vec<Clause>,
}

/// A lawful answer for each question that it names: `deleted-key` to `reset`.
pub type Profile = BTreeMap<String, String>;

/// The text that [`bundled`] is read from.
pub const SOURCE: &str = include_str!("../../scenarios/spec.yaml");

/// The clauses of the documentation.
pub fn bundled() -> Spec {
    serde_yaml::from_str(SOURCE).expect("scenarios/spec.yaml is tested to be well-formed")
}

impl Spec {
    pub fn clause(&self, id: &str) -> Option<&Clause> {
        self.clauses.iter().find(|clause| clause.id == id)
    }

    /// Whether a finding on this clause decides a verdict: on a `should` clause only where those count too. A clause that is
    /// not known is taken for a `must`.
    pub fn decides(&self, clause: &str, strict: bool) -> bool {
        strict || self.clause(clause).is_none_or(|clause| clause.level != Level::Should)
    }

    /// The open clause that asks the question `reading`.
    pub fn question(&self, reading: &str) -> Option<&Clause> {
        self.clauses.iter().find(|clause| clause.reading.as_deref() == Some(reading))
    }

    pub fn questions(&self) -> impl Iterator<Item = (&str, &Clause)> {
        self.clauses.iter().filter_map(|clause| clause.reading.as_deref().map(|name| (name, clause)))
    }
}
