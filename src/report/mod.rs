//! One versioned report of a run, and its renderers.
//!
//! [`Report`] has types of its own, so that the JSON stays the same when the inside changes. Nothing here prints or knows
//! the time, and no secret gets in: see [`secrets`].

pub mod annotations;
pub mod badge;
mod bound;
pub mod build;
pub mod compare;
pub mod curl;
pub mod doctor;
pub mod failure;
pub mod fuzz;
pub mod history;
pub mod html;
pub mod json;
pub mod junit;
pub mod limits;
pub mod load;
pub mod markdown;
pub mod mutants;
pub mod openmetrics;
pub mod part;
pub mod race;
pub mod saved;
pub mod secrets;
pub mod snippet;
pub mod table;
pub mod text;

#[cfg(test)]
mod fixture;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use build::{Facts, RunFacts, build};

use crate::spec::Level;
use crate::verdict::Overall;

/// Version of the JSON form. Grows when a field changes its meaning or goes; a new field does not change it.
pub const VERSION: u32 = 1;

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// What made the report: `msgext 0.1.0`.
    pub generator: String,
    pub command: String,
    pub verdict: Overall,
    /// One line that says what decided.
    pub reason: String,
    pub target: String,
    /// How members were called.
    pub member_calls: String,
    /// How keys were read back.
    pub read_back: String,
    /// How many calls at a time the target takes.
    #[serde(default)]
    pub calls_at_once: String,
    pub seed: u64,
    /// When the run began, in RFC 3339.
    pub started: String,
    pub elapsed_ms: u64,
    /// Whether findings on clauses of level `should` decide too.
    pub strict: bool,
    /// Whether the run was cut short.
    pub incomplete: bool,
    /// Why it was cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_why: Option<String>,
    /// A shell line that repeats the run, its seed named and its secrets masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command_line: String,
    /// What the run was given by flags, files or defaults, but for its secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<String, String>,
    pub totals: Totals,
    pub clauses: Vec<ClauseEntry>,
    /// Question to the answer that was seen.
    pub readings: BTreeMap<String, String>,
    /// Question to the answer that was required.
    pub pinned: BTreeMap<String, String>,
    pub contradictions: Vec<ContradictionEntry>,
    /// Scenarios whose repetitions differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<FlakyEntry>,
    /// Of a load run, its phases.
    pub scenarios: Vec<ScenarioEntry>,
    /// What a load plan asked to hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<load::CheckEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<load::Load>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<race::Race>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<limits::LimitEntry>,
    /// Of several histories that were judged, each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histories: Vec<history::HistoryVerdict>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuzz: Option<fuzz::Fuzz>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutants: Option<mutants::Mutants>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<compare::Compare>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doctor: Option<doctor::Doctor>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    pub scenarios: Counts,
    pub clauses: Counts,
    pub findings: usize,
    /// Requests sent, retries included.
    pub requests: u64,
    pub retries: u64,
    /// Messages that scenarios made; what they hold stays at the target.
    #[serde(default)]
    pub messages: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub pass: usize,
    pub fail: usize,
    pub skipped: usize,
    pub unknown: usize,
}

/// What the repetitions of one scenario came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Flaky")]
pub struct FlakyEntry {
    pub scenario: String,
    pub passed: usize,
    pub failed: usize,
    pub unknown: usize,
}

/// The verdict of a clause or a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Verdict")]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    Pass,
    Fail,
    Skipped,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Clause")]
pub struct ClauseEntry {
    pub id: String,
    pub level: Level,
    pub section: String,
    pub statement: String,
    pub verdict: VerdictWord,
    /// Why it is skipped or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub scenarios: Vec<String>,
}

/// An answer to an open clause that another one excludes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Contradiction")]
pub struct ContradictionEntry {
    pub clause: String,
    pub reading: String,
    pub answer: String,
    pub scenario: String,
    pub place: FilePlace,
    pub against: AgainstEntry,
}

/// What an answer contradicts: what another step saw, or, without a scenario, what was pinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Against")]
pub struct AgainstEntry {
    pub answer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<FilePlace>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Scenario")]
pub struct ScenarioEntry {
    pub id: String,
    pub title: String,
    pub verdict: VerdictWord,
    /// Why it is skipped or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub clauses: Vec<String>,
    pub findings: Vec<FindingEntry>,
    /// Requests sent, retries included.
    pub requests: u64,
    pub retries: u64,
    pub elapsed_ms: u64,
    pub place: FilePlace,
}

/// One difference from a clause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct FindingEntry {
    pub clause: String,
    pub level: Level,
    /// What the clause says.
    pub statement: String,
    /// What differs: `k2`, `ErrorCode`.
    pub subject: String,
    pub expected: String,
    pub actual: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub place: FilePlace,
    /// The lines around that place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<ExcerptEntry>,
    /// The call that shows it, where a single one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeEntry>,
    /// A shell line that repeats the call, given `$MSGEXT_TARGET` and `$MSGEXT_USERSIG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curl: Option<String>,
}

/// Some lines of a YAML file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Excerpt")]
pub struct ExcerptEntry {
    /// The number of the first of them, from 1.
    pub first_line: usize,
    pub lines: Vec<String>,
}

/// One call and its reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Exchange")]
pub struct ExchangeEntry {
    pub method: String,
    /// Path and query, the signature masked.
    pub url: String,
    /// Cut at 4 KiB, and then says so; what is no UTF-8 is replaced.
    pub request_body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Cut at 4 KiB, and then says so; what is no UTF-8 is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// How the reply, or the rest of it, was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    pub retries: u32,
}

/// Where something stands in a YAML file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Place")]
pub struct FilePlace {
    pub file: String,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl Report {
    /// The scenarios by what became of them, as every format counts them: one that fails no more than what should hold stands apart.
    pub fn told_scenarios(&self) -> String {
        let is_aside = |scenario: &&ScenarioEntry| {
            !scenario.findings.is_empty() && scenario.findings.iter().all(|finding| !self.decides(finding))
        };
        let aside = self.scenarios.iter().filter(|scenario| scenario.verdict == VerdictWord::Fail).filter(is_aside).count();
        let counts = Counts { fail: self.totals.scenarios.fail.saturating_sub(aside), ..self.totals.scenarios.clone() };
        if aside == 0 { counts.to_string() } else { format!("{counts}, {aside} failed on a should clause only") }
    }

    /// Whether a finding decides the verdict.
    pub fn decides(&self, finding: &FindingEntry) -> bool {
        self.strict || finding.level != Level::Should
    }
}

/// `seq-grows: 3 passed, 1 failed`
impl std::fmt::Display for FlakyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = Counts { pass: self.passed, fail: self.failed, unknown: self.unknown, skipped: 0 };
        write!(f, "{}: {counts}", self.scenario)
    }
}

impl VerdictWord {
    pub fn word(self) -> &'static str {
        match self {
            VerdictWord::Pass => "pass",
            VerdictWord::Fail => "fail",
            VerdictWord::Skipped => "skipped",
            VerdictWord::Unknown => "unknown",
        }
    }
}

impl Counts {
    fn count(&mut self, verdict: VerdictWord) {
        *match verdict {
            VerdictWord::Pass => &mut self.pass,
            VerdictWord::Fail => &mut self.fail,
            VerdictWord::Skipped => &mut self.skipped,
            VerdictWord::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// `3 passed, 1 failed`, without the zeros.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts =
            [(self.pass, "passed"), (self.fail, "failed"), (self.unknown, "unknown"), (self.skipped, "skipped")].into_iter();
        let parts: Vec<String> = counts.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// `deleted-key is reset in b (file:3:5), but tombstone in a (file:2:1)`
impl std::fmt::Display for ContradictionEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {} in {} ({}), but ", self.reading, self.answer, self.scenario, self.place)?;
        match (&self.against.scenario, &self.against.place) {
            (Some(scenario), Some(place)) => write!(f, "{} in {scenario} ({place})", self.against.answer),
            _ => write!(f, "{} is pinned", self.against.answer),
        }
    }
}

/// `scenarios/seq.yaml:12:9`, or as much of it as is known.
impl std::fmt::Display for FilePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}
