//! Every bound, code and choice of the reference endpoint as a field.
//!
//! [`Rules::default`] is the documented behaviour. A reading is a lawful change of a field (`readings.rs`), a mutant an
//! unlawful one (`mutants.rs`). In each enum the lawful variants come first; the rest exist to be caught.

#![expect(clippy::struct_excessive_bools, reason = "each bool is one independent rule")]

mod documented;
mod wire;

use serde_json::Value;

use super::limiter::Limit;
use crate::api::{MemberCalls, Operation};
pub use wire::{BodyForm, Info, ItemForm, LeftOut, StatusWords, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub bounds: Bounds,
    pub codes: CodeRules,
    pub gate: Gate,
    pub fields: Fields,
    pub access: Access,
    pub seq: SeqRules,
    pub writes: Writes,
    pub limits: LimitRules,
    pub wire: Wire,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    pub kvs_per_set: usize,
    pub kvs_per_delete: usize,
    pub key_bytes: usize,
    pub value_bytes: usize,
    pub key_measure: Measure,
    pub value_measure: Measure,
    pub kvs_per_message: usize,
    /// Of a key and its value together.
    pub pair_bytes: usize,
    /// Of a whole body.
    pub body_bytes: usize,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Bytes,
    Chars,
    Utf16Units,
    /// Bytes as JSON has them, escapes and all.
    Escaped,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CodeRules {
    pub internal: i64,
    pub invalid: i64,
    pub no_plan: i64,
    pub seq_conflict: i64,
    pub unsupported: i64,
    pub message_limit: i64,
    pub no_message: i64,
    pub no_key: i64,
    pub outsider: i64,
    pub not_admin: i64,
    pub bad_json: i64,
    pub wrong_type: i64,
    pub app_limit: i64,
    pub method: i64,
    pub path: i64,
    pub bad_query: i64,
    pub no_sdkappid: i64,
    pub unknown_app: i64,
    pub sig_damaged: i64,
    pub sig_forged: i64,
    pub sig_expired: i64,
    pub sig_identifier: i64,
    pub sig_app: i64,
}

/// What is checked before the body is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    pub post_only: bool,
    pub checks_app: bool,
    pub checks_content_type: bool,
    /// Lowest and highest `random` that is taken; `None` takes anything.
    pub random: Option<(u64, u64)>,
    pub checks_sig_app: bool,
    pub checks_sig_identifier: bool,
    pub checks_sig_expiry: bool,
    pub checks_sig_hmac: bool,
    pub takes_empty_sig: bool,
    pub takes_damaged_sig: bool,
}

/// How the body's fields are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    pub from_required: bool,
    pub to_required: bool,
    pub msg_key_required: bool,
    /// An `OperateType` that is none of the three is taken for a set.
    pub unknown_operation_sets: bool,
    pub missing_operation_sets: bool,
    pub list_required: bool,
    pub takes_empty_list: bool,
    pub clear_refuses_list: bool,
    pub key_required: bool,
    pub value_required: bool,
    pub delete_value_required: bool,
    pub seq_required_of_members: bool,
    pub seq_required_of_admins: bool,
    pub refuses_unknown_fields: bool,
    pub refuses_unknown_pair_fields: bool,
    /// Numbers in strings are taken for numbers, and numbers for strings.
    pub coerces_types: bool,
    pub empty_value: EmptyValue,
    pub duplicate_keys: DuplicateKeys,
    pub refuses_negative_seq: bool,
    /// Carries out the well-formed part of a call that it refuses.
    pub applies_refused: bool,
    pub lenient_json: bool,
    /// Takes an item for a list of one.
    pub takes_single_item: bool,
    /// Takes 1.5 for 1.
    pub cuts_fractions: bool,
    /// A `From_Account` that is no string counts as left out.
    pub passes_over_bad_from: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyValue {
    Stored,
    Deletes,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    LastWins,
    FirstWins,
    SecondConflicts,
    Refused,
}

/// Who may call, and on which message.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub members: MemberCalls,
    pub sender_may: &'static [Operation],
    pub recipient_may: &'static [Operation],
    pub strangers_may: &'static [Operation],
    /// Whose Seq is not checked, as if an admin called.
    pub taken_for_admin: Option<Side>,
    pub from_omitted: FromOmitted,
    pub swapped: Swapped,
    pub creates_missing_message: bool,
    /// Answers these as if they had been done where there is no such message.
    pub acknowledges_missing: &'static [Operation],
    pub ignores_missing_support: bool,
    pub ignores_missing_plan: bool,
    pub every_identifier_is_admin: bool,
}

/// A member of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Sender,
    Recipient,
}

/// Which message a call without `From_Account` finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromOmitted {
    AnySender,
    AdminSender,
}

/// What a call with sender and recipient exchanged gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    NotFound,
    Found,
    Refused,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SeqRules {
    pub counter: Counter,
    pub first: i64,
    pub step: i64,
    pub range: SeqRange,
    /// Each pair of a request takes the message's next number.
    pub counts_pairs: bool,
    pub matches: SeqMatch,
    /// A key that was never set takes any Seq.
    pub fresh_key_takes_any: bool,
    /// So does a key that the caller itself wrote last.
    pub own_key_takes_any: bool,
    /// So does one that holds the value already.
    pub same_value_takes_any: bool,
    /// So does one that was deleted.
    pub deleted_key_takes_any: bool,
    /// No member sets it again.
    pub deleted_key_is_over: bool,
    /// The first pair's Seq counts for all of its request.
    pub first_counts_for_all: bool,
    pub checks_admin: bool,
    pub checks_admin_delete: bool,
    pub checks_delete: bool,
    pub admin_write_grows: bool,
    pub same_value_grows: bool,
    /// An admin's Seq is taken over, and counted on from.
    pub takes_admins: bool,
    /// A key that is set again after a delete begins anew, whichever Seq it expected.
    pub restarts_after_delete: bool,
    /// An admin's delete leaves no tombstone, whatever a member's leaves.
    pub admin_delete_resets: bool,
    pub carried: Carried,
    pub conflict_writes: bool,
    pub conflict_grows: bool,
    pub deleted_key: Gone,
    pub cleared_key: Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Each key counts its own writes.
    PerKey,
    /// Every successful request takes the message's next number and stamps it on each key that it touched.
    PerMessage,
}

/// How far a Seq can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqRange {
    Endless,
    StopsAt(i64),
    WrapsAt(i64),
}

/// When a Seq fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqMatch {
    Equal,
    AtLeast,
    AtMost,
    Always,
    Never,
    /// Only so many of the low bits count.
    LowBits(u32),
    OneBehind,
    /// 0 as well as the latest.
    ZeroToo,
    /// Whatever its sign.
    Absolute,
}

/// What a conflict's `Extension` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    Current,
    /// What the caller sent.
    Sent,
    CurrentValueSentSeq,
    SentValueCurrentSeq,
    Nothing,
}

/// Which Seq a key expects that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its last one: a tombstone keeps it.
    Tombstone,
    /// 0, as if it had never been.
    Reset,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Writes {
    pub partial: Partial,
    pub keys: KeyMatch,
    pub values: ValueKept,
    pub key_space: KeySpace,
    pub set_replaces_all: bool,
    pub delete_reach: DeleteReach,
    pub delete_missing: DeleteMissing,
    pub delete_needs_value: bool,
    pub clear_reach: ClearReach,
    pub clear_list: ClearList,
    pub clear_of_nothing_fails: bool,
    /// The next set brings back what was cleared.
    pub set_undoes_clear: bool,
    /// Of a set's pairs no more than these are kept, and all acknowledged.
    pub pairs_kept_at_most: usize,
    /// Whether a request's pairs are written, and a clear's keys removed, at one moment: what only calls side by side can see.
    pub request: Atomicity,
    pub clear: Atomicity,
    pub order: Order,
    pub all_failed: AllFailed,
    /// What a result takes from the one after it.
    pub mixed_up: MixedUp,
    /// As what was written is answered.
    pub answered: AnsweredWith,
    /// Results beyond so many are left out.
    pub results_at_most: usize,
    pub drops_failed_results: bool,
    /// Acknowledges every n-th write of a pair without doing it.
    pub loses_one_in: Option<u64>,
    /// A key that is acknowledged and not kept.
    pub loses_key: Option<&'static str>,
    /// A message with more pairs than these forgets the one that was written longest ago.
    pub remembers: usize,
    /// A message begins anew after so many writes.
    pub begins_anew_after: Option<i64>,
    /// Answers 10002 to every n-th call.
    pub internal_error_every: Option<u32>,
    /// Carries out a call that it answers with 10002.
    pub internal_error_applies: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partial {
    PerKey,
    AllOrNothing,
    StopsAtFirst,
    /// One failed key fails the top level too.
    FailsTop,
}

/// Whether a call comes to all of its keys at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomicity {
    Atomic,
    KeyByKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMatch {
    Exact,
    IgnoresCase,
    Trimmed,
    TrimmedEnd,
    /// Only so many bytes tell keys apart.
    Prefix(usize),
    AsciiOnly,
    /// Characters of 16 bits only.
    Utf16Only,
    WithoutControls,
    WithoutMarks,
    DotsReplaced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKept {
    Exact,
    Trimmed,
    CutTo(usize),
    AsciiOnly,
    /// Characters of 16 bits only.
    Utf16Only,
    WithoutControls,
    HtmlEscaped,
    /// Text that reads as a number is kept as that number.
    AsNumbers,
    /// The word `null` is no value.
    NullIsNothing,
    CutAtNul,
    /// At the first character that takes four bytes.
    CutAtFourBytes,
    UnixLines,
}

/// Within what a key is one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpace {
    Message,
    Conversation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteReach {
    Named,
    Nothing,
    FirstNamed,
    Everything,
    /// What the caller itself wrote last.
    Own,
    /// Every key that begins with the one that is named.
    Prefixed,
}

/// What deleting a key that is not there gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteMissing {
    Succeeds,
    NotExist,
    Conflict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearReach {
    Message,
    Nothing,
    AllButLast,
    AtMost(usize),
    Conversation,
    Listed,
    /// What the caller itself wrote last.
    Own,
}

/// The `ExtensionList` of a clear's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearList {
    Absent,
    Empty,
    Keys,
}

/// What a result takes from the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixedUp {
    Nothing,
    Seqs,
    Values,
    Codes,
}

/// As what a written pair is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredWith {
    AsItIs,
    WithSeqBefore,
    WithValueBefore,
}

/// The order of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Request,
    Reversed,
}

/// The top level when every key failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllFailed {
    Ok,
    /// The first key's code.
    Fail,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LimitRules {
    pub app: Option<Limit>,
    pub message: Option<Limit>,
    pub place: LimitPlace,
    pub counts_delete: bool,
    pub counts_clear: bool,
    pub counts_invalid: bool,
    /// Admin and members have a limit each.
    pub callers_apart: bool,
    pub binds_admins: bool,
    /// Carries out a call that it refuses for its rate.
    pub applies_refused: bool,
}

/// Where 23003 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitPlace {
    Top,
    EachKey,
}

impl Measure {
    pub fn length(self, text: &str) -> usize {
        match self {
            Measure::Bytes => text.len(),
            Measure::Chars => text.chars().count(),
            Measure::Utf16Units => text.encode_utf16().count(),
            Measure::Escaped => Value::from(text).to_string().len() - 2,
        }
    }
}
