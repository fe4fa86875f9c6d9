//! Scenarios: what an author of conformance tests writes in YAML, and what it expands to.

mod cases;
pub mod filter;
mod lint;
pub mod plan;
pub mod ready;
pub mod schema;
pub mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::schema::{AnswerName, AnswersByQuestion, ClauseId, QuestionName, keyed};
use super::{Caller, EmbeddedSetup, MessageKind};
use crate::api::Operation;
use crate::yaml::span::Span;
use text::{Body, Codes, KeyState, Seq, SeqExpect, Text};

/// What need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One file of scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub scenarios: Vec<Scenario>,
}

/// Steps against fresh messages, with what is expected of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// Unique in the run; lower-case words joined by hyphens.
    pub id: String,
    /// One sentence that says what holds.
    pub title: String,
    /// The clauses that it tests. A broken expectation counts against the first, unless its step names another.
    #[schemars(with = "Vec<ClauseId>")]
    pub clauses: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who calls, where a step does not say; `admin` if left out.
    #[serde(default, skip_serializing_if = "is_default", rename = "as")]
    pub caller: Caller,
    /// Messages by name. `m` is there without being named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<String, MessageKind>,
    /// Runs alone, after all others: for scenarios that use up the app's own limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alone: bool,
    /// Requests a second that it must be free to send; with a smaller budget it is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_rate: Option<u32>,
    /// How the embedded endpoint is set up for it, where a clause needs something to bite on. A real target is taken as it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedded: EmbeddedSetup,
    /// Rows of a table. Each row is a scenario of its own: `${column}` in any text stands for the row's value. The column `row`
    /// names the row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<BTreeMap<String, Json>>,
    pub steps: Vec<Step>,
}

impl Scenario {
    /// Leaves out every step but the first so many, and the clauses and messages that no step names any more.
    pub fn keep_steps(&mut self, count: usize) {
        self.steps.truncate(count);
        let names =
            |name: &String| self.steps.iter().map(Step::names).any(|(clause, message)| [clause, message].contains(&Some(name)));
        self.clauses.retain(names);
        self.messages.retain(|message, _| names(message));
    }
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Set(CallStep),
    Delete(CallStep),
    Clear(CallStep),
    /// A call with a body of its own (`body`), however malformed.
    Raw(CallStep),
    /// Reads keys back without changing them.
    Peek(Peek),
    /// Time passes: `61s`, `500ms`, `2m`. Jumps the embedded clock, really waits on a real target.
    Wait(Span),
    Repeat(Repeat),
    /// Calls that are sent at the same time.
    Parallel(Parallel),
}

impl Step {
    /// Its word in the YAML.
    fn word(&self) -> &'static str {
        match self {
            Step::Set(_) => "set",
            Step::Delete(_) => "delete",
            Step::Clear(_) => "clear",
            Step::Raw(_) => "raw",
            Step::Peek(_) => "peek",
            Step::Wait(_) => "wait",
            Step::Repeat(_) => "repeat",
            Step::Parallel(_) => "parallel",
        }
    }

    /// What a call does, as far as anyone but its author knows.
    fn operation(&self) -> Option<Operation> {
        match self {
            Step::Set(_) => Some(Operation::Set),
            Step::Delete(_) => Some(Operation::Delete),
            Step::Clear(_) => Some(Operation::Clear),
            Step::Raw(_) | Step::Peek(_) | Step::Wait(_) | Step::Repeat(_) | Step::Parallel(_) => None,
        }
    }

    /// The call that it is, where it is one.
    pub fn call(&self) -> Option<&CallStep> {
        match self {
            Step::Set(call) | Step::Delete(call) | Step::Clear(call) | Step::Raw(call) => Some(call),
            Step::Peek(_) | Step::Wait(_) | Step::Repeat(_) | Step::Parallel(_) => None,
        }
    }

    pub fn call_mut(&mut self) -> Option<&mut CallStep> {
        match self {
            Step::Set(call) | Step::Delete(call) | Step::Clear(call) | Step::Raw(call) => Some(call),
            Step::Peek(_) | Step::Wait(_) | Step::Repeat(_) | Step::Parallel(_) => None,
        }
    }

    /// The clause and the message that it names itself; a repetition's are those of its first step.
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        match (self, self.call()) {
            (Step::Peek(peek), _) => (peek.clause.as_deref(), peek.message.as_deref()),
            (Step::Repeat(repeat), _) => repeat.steps.first().map_or((None, None), Step::names),
            (_, Some(call)) => (call.clause.as_deref(), call.message.as_deref()),
            (_, None) => (None, None),
        }
    }
}

/// A set, delete, clear or raw call, and what is expected of it.
///
/// With none of `expect`, `should` and `observe`, everything has to work: `ErrorCode` 0 at the top and for every key, each key
/// answered once, a set's value echoed, and a Seq that grew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CallStep {
    /// Who calls; the scenario's `as` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "as")]
    pub caller: Option<Caller>,
    /// Name of the message; `m` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The pairs. Left out, the body has no `ExtensionList`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvs: Option<Vec<KvSpec>>,
    /// Top-level fields of the body, set to any JSON (`null` too) after it was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Json>,
    /// Top-level fields of the body to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// `raw` only: the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub http: Http,
    /// The clause that a difference from `expect` breaks; the scenario's first if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ClauseId>")]
    pub clause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// What clauses of level `should` ask beyond `expect`, by clause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "keyed::<ClauseId, Expect>")]
    pub should: BTreeMap<String, Expect>,
    /// An open clause: which outcome means which reading. An outcome that is none of them is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Observe>,
    /// Does the step only where these readings were seen, in this scenario or by the probe of the target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "AnswersByQuestion")]
    pub when: BTreeMap<String, Vec<String>>,
}

/// One pair, or `times` pairs, of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KvSpec {
    pub key: Text,
    /// Left out: `v` on a set, the empty string (as in the documentation's example) on a delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    /// `latest` if left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: Seq,
    /// Makes this many pairs: `k` becomes `k1`, `k2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
    /// With `times`, in a call of a repetition: each round goes on where the one before ended. After `k1` to `k20` come `k21` to
    /// `k40`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fresh: bool,
    /// Fields of this item, set to any JSON after it was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Json>,
    /// Fields of this item to leave out: `[Key]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
}

impl KvSpec {
    /// A pair with nothing odd about it.
    pub fn new(key: &str, value: Option<&str>, seq: Seq) -> KvSpec {
        let value = value.map(|value| Text(value.to_owned()));
        let (key, fields, omit) = (Text(key.to_owned()), BTreeMap::new(), Vec::new());
        KvSpec { key, value, seq, times: None, fresh: false, fields, omit }
    }
}

/// Departures from a well-formed HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    /// `POST` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Parameters set to another value; `null` leaves one out; a new name adds one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Option<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Signs with something other than the caller's own, valid `UserSig`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usersig: UserSig,
    /// Calls as the target's app without the plan, where it names one; otherwise the scenario is skipped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub without_plan: bool,
}

/// The signature that a call carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserSig {
    #[default]
    Valid,
    Empty,
    /// Not even of the form of a signature.
    Damaged,
    /// Made with another key.
    Forged,
    /// Made a day ago for an hour.
    Expired,
    /// Another identifier's.
    OtherIdentifier,
    /// Another app's.
    OtherApp,
}

/// What a reply has to be. Fields left out ask nothing, but see `keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// The top-level `ErrorCode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Codes>,
    /// The whole call is refused, at the top or at every key, with this code (`any`: whichever).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Codes>,
    /// By key. A key of the call that is not named has to work, unless `each` says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, KeyExpect>,
    /// Every key of the call that `keys` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<KeyExpect>,
    /// Reads the message before and after: not one pair of it may have changed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unchanged: bool,
}

/// What one key's result has to be. Fields left out ask nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyExpect {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Codes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<SeqExpect>,
}

/// The lawful outcomes of an open clause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Observe {
    /// The question's name in `spec.yaml`: `deleted-key`.
    #[schemars(with = "QuestionName")]
    pub reading: String,
    /// What each answer looks like. The first that fits, in the order of `spec.yaml`, is the reading.
    #[schemars(schema_with = "keyed::<AnswerName, Expect>")]
    pub is: BTreeMap<String, Expect>,
}

/// Reads keys back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peek {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ClauseId>")]
    pub clause: Option<String>,
    /// `absent`, a value, or `{ value: …, seq: … }`.
    pub keys: BTreeMap<String, KeyState>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "AnswersByQuestion")]
    pub when: BTreeMap<String, Vec<String>>,
}

/// Steps done again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repeat {
    pub times: usize,
    #[serde(rename = "do")]
    pub steps: Vec<Step>,
    /// Waits this long between two rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Ends when the last call of a round answers like this; that call is not judged otherwise, and never to see it is a failure.
    /// With `unchanged` the call that ends it must have changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Expect>,
    /// With `until`: whether the awaited answer came is the answer to an open question; never to see it is no failure then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<ObserveUntil>,
    /// With `until`: judges how many rounds it took against what a lawful limiter could have decided in that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitExpect>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "AnswersByQuestion")]
    pub when: BTreeMap<String, Vec<String>>,
}

/// The open question that a repetition answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObserveUntil {
    /// The question's name in `spec.yaml`.
    #[schemars(with = "QuestionName")]
    pub reading: String,
    /// The answer if `until` was seen.
    #[schemars(with = "AnswerName")]
    pub seen: String,
    /// The answer if it never was.
    #[schemars(with = "AnswerName")]
    pub never: String,
}

/// A limit on the rounds before `until`, counted from a limiter that has not yet seen a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitExpect {
    /// How many rounds every lawful limiter lets through.
    pub rounds: u64,
    pub window: Span,
    /// The clause that fewer break.
    #[schemars(with = "ClauseId")]
    pub fewer: String,
    /// The clause that more break.
    #[schemars(with = "ClauseId")]
    pub more: String,
}

/// Calls sent at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parallel {
    #[serde(rename = "do")]
    pub steps: Vec<Step>,
    /// Sends each of them this many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
    /// Key that exactly one of the calls may set; all others get 23001, with the winner's pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_wins: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ClauseId>")]
    pub clause: Option<String>,
}
