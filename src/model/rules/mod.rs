//! Every bound, code and choice of the reference endpoint as a field.
//!
//! [`Rules::default`] is the documented behaviour. A reading is a lawful change of a field (`readings.rs`), a mutant an
//! unlawful one (`mutants.rs`). In each enum the lawful variants come first; the rest exist to be caught.

#![expect(clippy::struct_excessive_bools, reason = "each bool is one independent rule")]

mod documented;

use super::limiter::Limit;
use crate::api::MemberCalls;

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
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Bytes,
    Chars,
    Utf16Units,
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
    pub strangers_may: bool,
    pub recipient_may: bool,
    pub members_may_clear: bool,
    pub strangers_may_clear: bool,
    pub from_omitted: FromOmitted,
    pub swapped: Swapped,
    pub creates_missing_message: bool,
    pub ignores_missing_support: bool,
    pub ignores_missing_plan: bool,
    pub every_identifier_is_admin: bool,
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
    pub matches: SeqMatch,
    /// A key that was never set takes any Seq.
    pub fresh_key_takes_any: bool,
    /// So does a key that the caller itself wrote last.
    pub own_key_takes_any: bool,
    /// So does one that holds the value already.
    pub same_value_takes_any: bool,
    pub checks_admin: bool,
    pub checks_delete: bool,
    pub admin_write_grows: bool,
    pub same_value_grows: bool,
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

/// When a Seq fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqMatch {
    Equal,
    AtLeast,
    AtMost,
    Always,
    Never,
    /// Equal in the lowest eight bits.
    LowByte,
    OneBehind,
    /// 0 as well as the latest.
    ZeroToo,
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
    /// Results beyond so many are left out.
    pub results_at_most: usize,
    pub drops_failed_results: bool,
    /// Acknowledges every n-th write of a pair without doing it.
    pub loses_one_in: Option<u64>,
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
    /// Only so many bytes tell keys apart.
    Prefix(usize),
    AsciiOnly,
    /// Characters of 16 bits only.
    Utf16Only,
    WithoutControls,
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
    /// Carries out a call that it refuses for its rate.
    pub applies_refused: bool,
}

/// Where 23003 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitPlace {
    Top,
    EachKey,
}

/// The form of the reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    pub refusal_status: u16,
    pub status_words: StatusWords,
    pub item: ItemForm,
    pub codes_as_strings: bool,
    pub seqs_as_strings: bool,
    pub info: Info,
    pub list_name: &'static str,
    /// Adds fields that the documentation does not list, which is lawful.
    pub extra_fields: bool,
    pub echoes_sent_value: bool,
    pub body: BodyForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWords {
    Documented,
    Lowercase,
    AlwaysOk,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemForm {
    Wrapped,
    /// Key, Value and Seq beside `ErrorCode`.
    Flat,
    WithoutCode,
    WithoutSeq,
    WithoutValue,
    /// An object from key to result in place of the list.
    ByKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    Reason,
    Empty,
    Missing,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    Json,
    Html,
    Empty,
    Latin1,
    InArray,
}

impl Measure {
    pub fn length(self, text: &str) -> usize {
        match self {
            Measure::Bytes => text.len(),
            Measure::Chars => text.chars().count(),
            Measure::Utf16Units => text.encode_utf16().count(),
        }
    }
}
