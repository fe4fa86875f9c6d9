//! Race plans: how many clients do what to how few keys at the same time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::extent::Extent;
use super::kind::{FileKind, misplaced};
use super::{Caller, schema};
use crate::yaml::reader::{Read, read_file};
use crate::yaml::source::{Problem, SourceFile};

/// The plans that are built in; the first is the default.
pub const BUNDLED: &[(&str, &str, &str)] = &[
    ("writers", "scenarios/race/writers.yaml", include_str!("../../scenarios/race/writers.yaml")),
    ("clears", "scenarios/race/clears.yaml", include_str!("../../scenarios/race/clears.yaml")),
];

/// Clients that call side by side, and what they call. Written as it stands in its file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RacePlan {
    /// One sentence that says what the plan is for.
    pub title: String,
    /// Clients that call at the same time, each over a connection of its own.
    pub clients: u32,
    /// Messages, one after another; all clients are on one at a time.
    pub messages: u32,
    /// Keys of each message.
    #[serde(default = "three")]
    pub keys: u32,
    /// Calls on all messages together.
    pub operations: u32,
    /// Pairs in a set or a delete, and keys in a read.
    #[serde(default = "one")]
    pub kvs: Extent,
    /// Shares of the operations.
    #[serde(default)]
    pub mix: RaceMix,
    /// Shares of the Seqs that members send.
    #[serde(default)]
    pub seq: SeqMix,
    /// Who calls; each is as likely as it is often named.
    #[serde(default = "members", rename = "as")]
    pub callers: Vec<Caller>,
}

/// Shares of the operations; they need not add up to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RaceMix {
    #[serde(default)]
    pub set: u32,
    #[serde(default)]
    pub delete: u32,
    #[serde(default)]
    pub clear: u32,
    #[serde(default)]
    pub read: u32,
}

/// Shares of the Seqs that members send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeqMix {
    /// The latest that any client was told.
    #[serde(default)]
    pub latest: u32,
    /// One less.
    #[serde(default)]
    pub stale: u32,
    /// 0, as for a key that was never set.
    #[serde(default)]
    pub zero: u32,
}

impl Default for RaceMix {
    fn default() -> RaceMix {
        RaceMix { set: 1, delete: 0, clear: 0, read: 0 }
    }
}

impl Default for SeqMix {
    fn default() -> SeqMix {
        SeqMix { latest: 1, stale: 0, zero: 0 }
    }
}

fn one() -> Extent {
    Extent(1, 1)
}

fn three() -> u32 {
    3
}

fn members() -> Vec<Caller> {
    vec![Caller::Sender, Caller::Recipient]
}

pub const MOST_CLIENTS: u32 = 256;
pub const MOST_OPERATIONS: u32 = 10_000_000;
const MOST_SHARES: u32 = 1_000_000;

impl RacePlan {
    /// What is wrong with it: the field, what, and what to do.
    pub fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let (mix, seq, kvs) = (self.mix, self.seq, self.kvs);
        let shares = [mix.set, mix.delete, mix.clear, mix.read, seq.latest, seq.stale, seq.zero];
        let bad = [
            ("clients", !(2..=MOST_CLIENTS).contains(&self.clients), format!("2 to {MOST_CLIENTS} clients race"), "name so many"),
            ("messages", self.messages == 0, "without a message there is nothing to call".to_owned(), "make one at least"),
            (
                "operations",
                self.operations < self.messages.max(1) || self.operations > MOST_OPERATIONS,
                format!("{} messages take {} to {MOST_OPERATIONS} calls", self.messages, self.messages.max(1)),
                "write a number between them",
            ),
            ("keys", !(1..=300).contains(&self.keys), "a message has 1 to 300 keys".to_owned(), "write a number from 1 to 300"),
            (
                "kvs",
                kvs.0 == 0 || kvs.1 > 20 || kvs.1 > self.keys,
                format!("a call on {} keys has 1 to {} pairs", self.keys, self.keys.min(20)),
                "write a number between them",
            ),
            ("mix", mix.set == 0, "without sets there is nothing to race for".to_owned(), "give set a share"),
            (
                "mix",
                shares.iter().any(|share| *share > MOST_SHARES),
                format!("a share is at most {MOST_SHARES}"),
                "write smaller numbers in the same proportion",
            ),
            (
                "seq",
                seq.latest == 0,
                "a member that never sends the latest Seq never sets a key again".to_owned(),
                "give latest a share",
            ),
            (
                "as",
                self.callers.is_empty() || self.callers.contains(&Caller::Stranger),
                "calls are made by admin, sender and recipient".to_owned(),
                "name one of them at least, and no stranger",
            ),
        ];
        bad.into_iter().filter(|(_, is, ..)| *is).map(|(field, _, message, help)| (field, message, help)).collect()
    }
}

/// A plan read from its file, or everything that is wrong with it.
pub fn load(path: &str, text: &str) -> (Arc<SourceFile>, Result<RacePlan, Vec<Problem>>) {
    let (source, Read { value, mut problems, .. }) = read_file::<RacePlan>(path, text);
    if let Some(problem) = misplaced(&source, FileKind::Race) {
        return (source, Err(vec![problem]));
    }
    let found = value.iter().filter(|_| problems.is_empty()).flat_map(RacePlan::problems).collect::<Vec<_>>();
    problems.extend(
        found.into_iter().map(|(field, message, help)| source.problem(&format!("/{field}"), message, Some(help.to_owned()))),
    );
    let plan = value.filter(|_| problems.is_empty()).ok_or(problems);
    (source, plan)
}

/// The schema of a plan file.
pub fn schema() -> Json {
    schema::of::<RacePlan>().to_value()
}
