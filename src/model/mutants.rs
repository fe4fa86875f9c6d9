//! Mutants: the reference endpoint with one deliberate, unlawful deviation each.
//!
//! A suite is as strong as the share of these that it catches. Nothing else knows them by name.

use std::time::Duration;

use super::limiter::{Algorithm, Limit, Scope};
use super::rules::{
    AnsweredWith, BodyForm, Carried, ClearReach, DeleteReach, Info, ItemForm, KeyMatch, KeySpace, LeftOut, Measure, MixedUp,
    Partial, Rules, SeqMatch, SeqRange, Side, StatusWords, ValueKept,
};
use crate::api::{Operation, code};

/// One unlawful change.
pub struct Mutant {
    /// What is wrong, in a few words.
    pub name: &'static str,
    /// The clauses that it breaks; a finding has to name one of them.
    pub breaks: &'static [&'static str],
    pub apply: fn(&mut Rules),
}

macro_rules! mutants {
    ($($name:literal breaks $($clause:literal)+ => |$rules:ident| $change:expr;)*) => {
        /// Every mutant.
        pub const MUTANTS: &[Mutant] = &[$(Mutant { name: $name, breaks: &[$($clause),+], apply: |$rules| { $change; } }),*];
    };
}

mutants! {
    // Bounds
    "19 pairs a set" breaks "REQ-7" => |rules| rules.bounds.kvs_per_set = 19;
    "21 pairs a set" breaks "REQ-7" => |rules| rules.bounds.kvs_per_set = 21;
    "19 pairs a delete" breaks "REQ-17" "DEL-1" => |rules| rules.bounds.kvs_per_delete = 19;
    "keys to 99 bytes" breaks "REQ-8" => |rules| rules.bounds.key_bytes = 99;
    "keys to 101 bytes" breaks "REQ-8" => |rules| rules.bounds.key_bytes = 101;
    "keys to 128 bytes" breaks "REQ-8" => |rules| rules.bounds.key_bytes = 128;
    "key length in characters" breaks "REQ-9" => |rules| rules.bounds.key_measure = Measure::Chars;
    "key length in UTF-16 units" breaks "REQ-9" => |rules| rules.bounds.key_measure = Measure::Utf16Units;
    "values to 999 bytes" breaks "REQ-10" => |rules| rules.bounds.value_bytes = 999;
    "values to 1001 bytes" breaks "REQ-10" => |rules| rules.bounds.value_bytes = 1001;
    "10 pairs a set" breaks "REQ-7" => |rules| rules.bounds.kvs_per_set = 10;
    "sets of any number of pairs" breaks "REQ-7" => |rules| rules.bounds.kvs_per_set = usize::MAX;
    "keys to 64 bytes" breaks "REQ-8" => |rules| rules.bounds.key_bytes = 64;
    "keys of any length" breaks "REQ-8" => |rules| rules.bounds.key_bytes = usize::MAX;
    "values to 1024 bytes" breaks "REQ-10" => |rules| rules.bounds.value_bytes = 1024;
    "values of any length" breaks "REQ-10" => |rules| rules.bounds.value_bytes = usize::MAX;
    "value length in characters" breaks "REQ-11" => |rules| rules.bounds.value_measure = Measure::Chars;
    "value length in UTF-16 units" breaks "REQ-11" => |rules| rules.bounds.value_measure = Measure::Utf16Units;
    "value length in escaped JSON" breaks "REQ-10" "REQ-11" => |rules| rules.bounds.value_measure = Measure::Escaped;
    "a key and its value to 1000 bytes together" breaks "REQ-8" "REQ-10" => |rules| rules.bounds.pair_bytes = 1000;
    "bodies to 12 KB" breaks "REQ-7" "REQ-10" => |rules| rules.bounds.body_bytes = 12_000;
    "bodies to 22000 bytes" breaks "REQ-7" "REQ-10" => |rules| rules.bounds.body_bytes = 22_000;

    // Codes
    "a conflict is 10004" breaks "SEQ-1" => |rules| rules.codes.seq_conflict = code::INVALID;
    "a conflict is 60007" breaks "SEQ-1" => |rules| rules.codes.seq_conflict = code::APP_TOO_OFTEN;
    "a conflict is 23004" breaks "SEQ-1" => |rules| rules.codes.seq_conflict = code::NOT_FOUND;
    "an invalid field is 23004" breaks "REQ-4" "REQ-2" "REQ-3" "REQ-7" "REQ-8" => |rules| rules.codes.invalid = code::NOT_FOUND;
    "an invalid field is 23001" breaks "REQ-4" "REQ-2" "REQ-3" "REQ-7" "REQ-8" => |rules| {
        rules.codes.invalid = code::SEQ_CONFLICT;
        rules.codes.wrong_type = code::SEQ_CONFLICT;
    };
    "an invalid field is 60002" breaks "REQ-4" "REQ-2" "REQ-3" "REQ-7" "REQ-8" => |rules| rules.codes.invalid = code::BAD_URL;
    "23002 and 23004 exchanged" breaks "MSG-1" "MSG-2" => |rules| {
        rules.codes.unsupported = code::NOT_FOUND;
        rules.codes.no_message = code::UNSUPPORTED;
    };
    "a message that does not exist is 10004" breaks "MSG-1" => |rules| rules.codes.no_message = code::INVALID;
    "a message without support is 10004" breaks "MSG-2" => |rules| rules.codes.unsupported = code::INVALID;
    "a message that does not exist is 23002" breaks "MSG-1" => |rules| rules.codes.no_message = code::UNSUPPORTED;
    "a message without support is 23004" breaks "MSG-2" => |rules| rules.codes.unsupported = code::NOT_FOUND;
    "no plan is 10004" breaks "ERR-2" => |rules| rules.codes.no_plan = code::INVALID;
    "over the message's limit is 23001" breaks "LIM-4" => |rules| rules.codes.message_limit = code::SEQ_CONFLICT;
    "over the app's limit is 23003" breaks "LIM-2" => |rules| rules.codes.app_limit = code::TOO_OFTEN;
    "over the message's limit is 60007" breaks "LIM-4" => |rules| rules.codes.message_limit = code::APP_TOO_OFTEN;
    "refusal codes swapped" breaks "LIM-2" "LIM-4" => |rules| {
        rules.codes.message_limit = code::APP_TOO_OFTEN;
        rules.codes.app_limit = code::TOO_OFTEN;
    };
    "no plan is 60020" breaks "ERR-2" => |rules| rules.codes.no_plan = 60020;

    // Gate
    "another app's sdkappid is let in" breaks "URL-2" => |rules| {
        rules.gate.checks_app = false;
        rules.gate.checks_sig_app = false;
    };
    "an empty UserSig is let in" breaks "URL-4" => |rules| rules.gate.takes_empty_sig = true;
    "a damaged UserSig is let in" breaks "URL-4" => |rules| rules.gate.takes_damaged_sig = true;
    "an expired UserSig is let in" breaks "URL-4" => |rules| rules.gate.checks_sig_expiry = false;
    "a forged UserSig is let in" breaks "URL-4" => |rules| rules.gate.checks_sig_hmac = false;
    "another identifier's UserSig is let in" breaks "URL-4" => |rules| rules.gate.checks_sig_identifier = false;
    "another app's UserSig is let in" breaks "URL-4" => |rules| rules.gate.checks_sig_app = false;
    "random to 2^31 - 1" breaks "URL-5" => |rules| rules.gate.random = Some((0, (1 << 31) - 1));
    "random from 1" breaks "URL-5" => |rules| rules.gate.random = Some((1, u64::from(u32::MAX)));

    // Fields
    "From_Account is required" breaks "REQ-1" => |rules| rules.fields.from_required = true;
    "To_Account may be left out" breaks "REQ-2" => |rules| rules.fields.to_required = false;
    "MsgKey may be left out" breaks "REQ-3" => |rules| rules.fields.msg_key_required = false;
    "OperateType 4 sets" breaks "REQ-4" => |rules| rules.fields.unknown_operation_sets = true;
    "no OperateType sets" breaks "REQ-4" => |rules| rules.fields.missing_operation_sets = true;
    "ExtensionList may be left out" breaks "REQ-5" => |rules| {
        rules.fields.list_required = false;
        rules.fields.takes_empty_list = true;
    };
    "an empty ExtensionList is fine" breaks "REQ-5" => |rules| rules.fields.takes_empty_list = true;
    "a clear with a list is refused" breaks "REQ-6" => |rules| rules.fields.clear_refuses_list = true;
    "a clear clears what is listed" breaks "CLR-1" "REQ-6" => |rules| rules.writes.clear_reach = ClearReach::Listed;
    "an empty Key is a key" breaks "REQ-8" => |rules| rules.fields.key_required = false;
    "Value may be left out of a set" breaks "REQ-10" => |rules| rules.fields.value_required = false;
    "Seq may be left out by members" breaks "REQ-12" => |rules| rules.fields.seq_required_of_members = false;
    "Seq is required of admins" breaks "REQ-12" "SEQ-6" => |rules| rules.fields.seq_required_of_admins = true;
    "unknown fields are refused" breaks "HTTP-5" => |rules| rules.fields.refuses_unknown_fields = true;
    "unknown fields of a pair are refused" breaks "HTTP-5" => |rules| rules.fields.refuses_unknown_pair_fields = true;
    "types are coerced" breaks "REQ-2" "REQ-3" "REQ-4" "REQ-16" => |rules| rules.fields.coerces_types = true;
    "what follows the body is passed over" breaks "HTTP-7" => |rules| rules.fields.lenient_json = true;
    "a refused set sets its well-formed pairs" breaks "REQ-13" "REQ-7" => |rules| rules.fields.applies_refused = true;
    "a pair is taken for a list of one" breaks "REQ-5" "REQ-16" => |rules| rules.fields.takes_single_item = true;
    "fractions are cut off" breaks "REQ-4" "REQ-16" => |rules| rules.fields.cuts_fractions = true;
    "a From_Account of another type counts as left out" breaks "REQ-19" => |rules| rules.fields.passes_over_bad_from = true;

    // Who and what
    "strangers may write" breaks "WHO-2" => |rules| rules.access.strangers_may = &Operation::ALL;
    "the recipient may not write" breaks "SET-6" => |rules| rules.access.recipient_may = &[];
    "members may not clear" breaks "CLR-2" => |rules| {
        rules.access.sender_may = &[Operation::Set, Operation::Delete];
        rules.access.recipient_may = &[Operation::Set, Operation::Delete];
    };
    "strangers may clear" breaks "WHO-2" => |rules| rules.access.strangers_may = &[Operation::Clear];
    "every caller is an admin" breaks "SEQ-1" "WHO-2" => |rules| rules.access.every_identifier_is_admin = true;
    "the recipient may not clear" breaks "CLR-2" => |rules| rules.access.recipient_may = &[Operation::Set, Operation::Delete];
    "the recipient may not delete" breaks "DEL-1" "DEL-2" => |rules| rules.access.recipient_may = &[Operation::Set, Operation::Clear];
    "strangers may delete" breaks "WHO-2" => |rules| rules.access.strangers_may = &[Operation::Delete];
    "the sender's Seq is not checked" breaks "SEQ-1" "SEQ-2" => |rules| rules.access.taken_for_admin = Some(Side::Sender);
    "the recipient's Seq is not checked" breaks "SEQ-1" "SEQ-2" => |rules| rules.access.taken_for_admin = Some(Side::Recipient);
    "a set of a message that does not exist is acknowledged" breaks "MSG-1" => |rules| rules.access.acknowledges_missing = &[Operation::Set];
    "a delete on a message that does not exist is acknowledged" breaks "MSG-1" => |rules| rules.access.acknowledges_missing = &[Operation::Delete];
    "a clear of a message that does not exist is acknowledged" breaks "MSG-1" => |rules| rules.access.acknowledges_missing = &[Operation::Clear];
    "a message that does not exist is made" breaks "MSG-1" => |rules| rules.access.creates_missing_message = true;
    "support is not asked for" breaks "MSG-2" => |rules| rules.access.ignores_missing_support = true;
    "the plan is not asked for" breaks "ERR-2" => |rules| rules.access.ignores_missing_plan = true;

    // Seq
    "the first Seq is 0" breaks "SET-1" => |rules| rules.seq.first = 0;
    "the first Seq is 2" breaks "SET-1" => |rules| rules.seq.first = 2;
    "the Seq does not grow" breaks "SET-2" => |rules| rules.seq.step = 0;
    "the Seq shrinks" breaks "SET-2" => |rules| rules.seq.step = -1;
    "a set's Seq is not checked" breaks "SEQ-1" => |rules| rules.seq.matches = SeqMatch::Always;
    "a Seq ahead fits" breaks "SEQ-2" => |rules| rules.seq.matches = SeqMatch::AtLeast;
    "a stale Seq fits" breaks "SEQ-1" => |rules| rules.seq.matches = SeqMatch::AtMost;
    "no Seq fits" breaks "SET-1" "SET-2" => |rules| rules.seq.matches = SeqMatch::Never;
    "a new key takes any Seq" breaks "SEQ-2" => |rules| rules.seq.fresh_key_takes_any = true;
    "a deleted key takes any Seq" breaks "DEL-3" "SEQ-2" => |rules| rules.seq.deleted_key_takes_any = true;
    "a deleted key is never set again" breaks "DEL-1" "SEQ-5" => |rules| rules.seq.deleted_key_is_over = true;
    "a deleted key that is set again begins at 1" breaks "SEQ-1" "SET-2" => |rules| rules.seq.restarts_after_delete = true;
    "an admin's delete leaves no tombstone, a member's does" breaks "DEL-3" => |rules| rules.seq.admin_delete_resets = true;
    "a Seq fits by its low 32 bits" breaks "SEQ-2" => |rules| rules.seq.matches = SeqMatch::LowBits(32);
    "a negative Seq fits" breaks "SEQ-10" "SEQ-2" => |rules| rules.seq.matches = SeqMatch::Absolute;
    "the first pair's Seq counts for all" breaks "SEQ-1" "SEQ-4" => |rules| rules.seq.first_counts_for_all = true;
    "each pair of a request has a Seq of its own" breaks "SET-1" "SEQ-8" => |rules| rules.seq.counts_pairs = true;
    "the Seq stops at 99" breaks "SET-2" => |rules| rules.seq.range = SeqRange::StopsAt(99);
    "the Seq wraps at 2^8" breaks "SET-2" => |rules| rules.seq.range = SeqRange::WrapsAt(1 << 8);
    "an admin's Seq is taken over" breaks "SEQ-6" => |rules| rules.seq.takes_admins = true;
    "an admin's delete is checked" breaks "DEL-2" => |rules| rules.seq.checks_admin_delete = true;
    "a member's own key takes any Seq" breaks "SEQ-1" "SEQ-2" => |rules| rules.seq.own_key_takes_any = true;
    "a key that holds the value takes any Seq" breaks "SEQ-2" => |rules| rules.seq.same_value_takes_any = true;
    "Seqs are equal if their low bytes are" breaks "SEQ-2" => |rules| rules.seq.matches = SeqMatch::LowBits(8);
    "a Seq one behind fits" breaks "SEQ-1" => |rules| rules.seq.matches = SeqMatch::OneBehind;
    "Seq 0 fits always" breaks "SEQ-2" => |rules| rules.seq.matches = SeqMatch::ZeroToo;
    "an admin's Seq is checked" breaks "SEQ-6" => |rules| rules.seq.checks_admin = true;
    "a delete's Seq is not checked" breaks "DEL-2" => |rules| rules.seq.checks_delete = false;
    "an admin's write leaves the Seq" breaks "SEQ-6" "SET-2" => |rules| rules.seq.admin_write_grows = false;
    "a set of the same value leaves the Seq" breaks "SET-2" => |rules| rules.seq.same_value_grows = false;
    "a conflict carries what was sent" breaks "SEQ-3" => |rules| rules.seq.carried = Carried::Sent;
    "a conflict carries the sent Seq" breaks "SEQ-3" => |rules| rules.seq.carried = Carried::CurrentValueSentSeq;
    "a conflict carries the sent value" breaks "SEQ-3" => |rules| rules.seq.carried = Carried::SentValueCurrentSeq;
    "a conflict carries nothing" breaks "SEQ-3" => |rules| rules.seq.carried = Carried::Nothing;
    "a conflict writes all the same" breaks "SEQ-3" => |rules| rules.seq.conflict_writes = true;
    "a conflict raises the Seq" breaks "SEQ-3" => |rules| rules.seq.conflict_grows = true;

    // Writes
    "all or nothing" breaks "SEQ-4" => |rules| rules.writes.partial = Partial::AllOrNothing;
    "stops at the first conflict" breaks "SEQ-4" => |rules| rules.writes.partial = Partial::StopsAtFirst;
    "one conflict fails the top level" breaks "SEQ-4" => |rules| rules.writes.partial = Partial::FailsTop;
    "keys ignore case" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::IgnoresCase;
    "keys are trimmed" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::Trimmed;
    "keys are told apart by 64 bytes" breaks "SET-4" "REQ-8" => |rules| rules.writes.keys = KeyMatch::Prefix(64);
    "keys are ASCII" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::AsciiOnly;
    "keys lose spaces at their end" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::TrimmedEnd;
    "keys lose combining marks" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::WithoutMarks;
    "dots in keys are underscores" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::DotsReplaced;
    "a key is a property that every object has" breaks "SET-4" "SET-2" => |rules| rules.writes.loses_key = Some("__proto__");
    "keys are told apart by 99 bytes" breaks "SET-4" "REQ-8" => |rules| rules.writes.keys = KeyMatch::Prefix(99);
    "keys lose control characters" breaks "SET-4" => |rules| rules.writes.keys = KeyMatch::WithoutControls;
    "keys lose characters beyond 16 bits" breaks "SET-4" "REQ-9" => |rules| rules.writes.keys = KeyMatch::Utf16Only;
    "values lose characters beyond 16 bits" breaks "SET-4" "REQ-11" => |rules| rules.writes.values = ValueKept::Utf16Only;
    "values are escaped for HTML" breaks "SET-4" => |rules| rules.writes.values = ValueKept::HtmlEscaped;
    "values that read as numbers are kept as numbers" breaks "SET-4" => |rules| rules.writes.values = ValueKept::AsNumbers;
    "the value null is none" breaks "SET-4" => |rules| rules.writes.values = ValueKept::NullIsNothing;
    "values are cut to 512 characters" breaks "SET-4" "REQ-10" => |rules| rules.writes.values = ValueKept::CutTo(512);
    "values are trimmed" breaks "SET-4" => |rules| rules.writes.values = ValueKept::Trimmed;
    "values are cut to 255 characters" breaks "SET-4" "REQ-10" => |rules| rules.writes.values = ValueKept::CutTo(255);
    "values are ASCII" breaks "SET-4" "REQ-11" => |rules| rules.writes.values = ValueKept::AsciiOnly;
    "values end at a NUL" breaks "SET-4" => |rules| rules.writes.values = ValueKept::CutAtNul;
    "values end at a character of four bytes" breaks "SET-4" => |rules| rules.writes.values = ValueKept::CutAtFourBytes;
    "values have the line ends of Unix" breaks "SET-4" => |rules| rules.writes.values = ValueKept::UnixLines;
    "values are ASCII, but echoed as sent" breaks "SET-4" "REQ-11" => |rules| {
        rules.writes.values = ValueKept::AsciiOnly;
        rules.wire.echoes_sent_value = true;
    };
    "values lose control characters" breaks "SET-4" => |rules| rules.writes.values = ValueKept::WithoutControls;
    "messages of a conversation share their keys" breaks "SET-5" => |rules| rules.writes.key_space = KeySpace::Conversation;
    "a set replaces all pairs" breaks "SET-4" => |rules| rules.writes.set_replaces_all = true;
    "a delete deletes nothing" breaks "DEL-1" => |rules| rules.writes.delete_reach = DeleteReach::Nothing;
    "a delete deletes its first key only" breaks "DEL-1" => |rules| rules.writes.delete_reach = DeleteReach::FirstNamed;
    "a delete deletes everything" breaks "DEL-1" => |rules| rules.writes.delete_reach = DeleteReach::Everything;
    "a delete deletes what begins with its key" breaks "DEL-1" => |rules| rules.writes.delete_reach = DeleteReach::Prefixed;
    "a delete needs the value" breaks "DEL-1" => |rules| rules.writes.delete_needs_value = true;
    "a delete leaves what others wrote" breaks "DEL-1" => |rules| rules.writes.delete_reach = DeleteReach::Own;
    "a set of more than ten pairs keeps ten" breaks "SET-2" "SET-4" "SET-3" => |rules| rules.writes.pairs_kept_at_most = 10;
    "a clear leaves what others wrote" breaks "CLR-1" "CLR-2" => |rules| rules.writes.clear_reach = ClearReach::Own;
    "a set brings back what was cleared" breaks "CLR-1" "SET-4" "SET-1" => |rules| rules.writes.set_undoes_clear = true;
    "a clear clears nothing" breaks "CLR-1" => |rules| rules.writes.clear_reach = ClearReach::Nothing;
    "a clear leaves one" breaks "CLR-1" => |rules| rules.writes.clear_reach = ClearReach::AllButLast;
    "a clear clears 20 at most" breaks "CLR-1" => |rules| rules.writes.clear_reach = ClearReach::AtMost(20);
    "a clear clears 200 at most" breaks "CLR-1" => |rules| rules.writes.clear_reach = ClearReach::AtMost(200);
    "a clear clears the conversation" breaks "CLR-1" => |rules| rules.writes.clear_reach = ClearReach::Conversation;
    "clearing nothing fails" breaks "CLR-4" => |rules| rules.writes.clear_of_nothing_fails = true;
    "results stop at 19" breaks "SET-3" => |rules| rules.writes.results_at_most = 19;
    "results stop at ten" breaks "SET-3" => |rules| rules.writes.results_at_most = 10;
    "results have their neighbour's Seq" breaks "SET-2" "SEQ-3" => |rules| rules.writes.mixed_up = MixedUp::Seqs;
    "results have their neighbour's value" breaks "SET-3" "SET-4" "SEQ-3" => |rules| rules.writes.mixed_up = MixedUp::Values;
    "results have their neighbour's code" breaks "SEQ-4" "SEQ-1" => |rules| rules.writes.mixed_up = MixedUp::Codes;
    "a set answers with the Seq before it" breaks "SET-1" "SET-2" => |rules| rules.writes.answered = AnsweredWith::WithSeqBefore;
    "a set answers with the value before it" breaks "SET-3" "SET-4" => |rules| rules.writes.answered = AnsweredWith::WithValueBefore;
    "a message remembers 250 pairs" breaks "SET-4" => |rules| rules.writes.remembers = 250;
    "a message begins anew after 100 writes" breaks "SET-2" "SET-4" => |rules| rules.writes.begins_anew_after = Some(100);
    "failed keys have no result" breaks "SET-3" => |rules| rules.writes.drops_failed_results = true;
    "one acknowledged write in 20 is lost" breaks "SET-2" "SET-4" "DEL-1" "SEQ-7" "CLR-1" => |rules| rules.writes.loses_one_in = Some(20);
    "one acknowledged write in 2000 is lost" breaks "SEQ-7" => |rules| rules.writes.loses_one_in = Some(2000);
    "10002 after the work was done" breaks "ERR-1" => |rules| rules.writes.internal_error_applies = true;
    "always 10002" breaks "ERR-1" => |rules| rules.writes.internal_error_every = Some(1);

    // Limits
    "199 calls a second" breaks "LIM-1" => |rules| rules.limits.app = Some(second(199));
    "150 calls a second" breaks "LIM-1" => |rules| rules.limits.app = Some(second(150));
    "201 calls a second" breaks "LIM-2" => |rules| rules.limits.app = Some(second(201));
    "200 calls an hour" breaks "LIM-1" "LIM-2" => |rules| {
        rules.limits.app = Some(Limit::new(Algorithm::FixedWindowAnchored, 200, Duration::from_hours(1)));
    };
    "no limit a second" breaks "LIM-2" => |rules| rules.limits.app = None;
    "199 sets a minute" breaks "LIM-3" => |rules| rules.limits.message = Some(minute(199, Scope::Message));
    "150 sets a minute" breaks "LIM-3" => |rules| rules.limits.message = Some(minute(150, Scope::Message));
    "201 sets a minute" breaks "LIM-4" => |rules| rules.limits.message = Some(minute(201, Scope::Message));
    "no limit a minute" breaks "LIM-4" => |rules| rules.limits.message = None;
    "200 calls in three seconds" breaks "LIM-1" "LIM-2" => |rules| {
        rules.limits.app = Some(Limit::new(Algorithm::SlidingLog, 200, Duration::from_secs(3)));
    };
    "100 sets in half a minute" breaks "LIM-3" => |rules| {
        let limit = Limit::new(Algorithm::SlidingLog, 100, Duration::from_secs(30));
        rules.limits.message = Some(Limit { scope: Scope::Message, ..limit });
    };
    "an admin has no limit a minute" breaks "LIM-4" => |rules| rules.limits.binds_admins = false;
    "one limit for all messages" breaks "LIM-4" "LIM-3" => |rules| rules.limits.message = Some(minute(200, Scope::Conversation));
    "a limit a key" breaks "LIM-4" => |rules| rules.limits.message = Some(minute(200, Scope::Key));
    "200 sets an hour" breaks "LIM-4" => |rules| {
        rules.limits.message = Some(Limit { scope: Scope::Message, ..Limit::new(Algorithm::FixedWindowAnchored, 200, Duration::from_hours(1)) });
    };
    "a call over its limit is carried out" breaks "LIM-5" => |rules| rules.limits.applies_refused = true;

    // The wire
    "refusals are HTTP 400" breaks "HTTP-1" => |rules| rules.wire.refusal_status = 400;
    "refusals are HTTP 429" breaks "HTTP-1" => |rules| rules.wire.refusal_status = 429;
    "refusals are HTTP 500" breaks "HTTP-1" => |rules| rules.wire.refusal_status = 500;
    "ActionStatus in lower case" breaks "HTTP-2" => |rules| rules.wire.status_words = StatusWords::Lowercase;
    "ActionStatus is always OK" breaks "HTTP-2" => |rules| rules.wire.status_words = StatusWords::AlwaysOk;
    "no ActionStatus" breaks "HTTP-2" => |rules| rules.wire.status_words = StatusWords::Missing;
    "no ErrorInfo" breaks "HTTP-2" => |rules| rules.wire.info = Info::Missing;
    "ErrorInfo is null" breaks "HTTP-2" => |rules| rules.wire.info = Info::Null;
    "codes as strings" breaks "HTTP-2" => |rules| rules.wire.codes_as_strings = true;
    "Seqs as strings" breaks "SET-3" => |rules| rules.wire.seqs_as_strings = true;
    "flat items" breaks "SET-3" => |rules| rules.wire.item = ItemForm::Flat;
    "items without code" breaks "SET-3" => |rules| rules.wire.item = ItemForm::WithoutCode;
    "items without Seq" breaks "SET-3" => |rules| rules.wire.item = ItemForm::WithoutSeq;
    "items without Value" breaks "SET-3" => |rules| rules.wire.item = ItemForm::WithoutValue;
    "items by key" breaks "SET-3" => |rules| rules.wire.item = ItemForm::ByKey;
    "one conflict makes ActionStatus FAIL" breaks "SEQ-4" "HTTP-2" => |rules| rules.wire.status_words = StatusWords::FailsInPart;
    "no ErrorCode where it is 0" breaks "HTTP-2" => |rules| rules.wire.leaves_out = LeftOut::Code;
    "no ErrorCode of a key where it is 0" breaks "SET-3" => |rules| rules.wire.leaves_out = LeftOut::ItemCodes;
    "no Value where it is empty" breaks "SET-3" => |rules| rules.wire.leaves_out = LeftOut::Values;
    "no Extension where a key failed" breaks "SET-3" "SEQ-3" => |rules| rules.wire.item = ItemForm::NullWhereFailed;
    "another name for the list" breaks "SET-3" => |rules| rules.wire.list_name = "extensionList";
    "HTML" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::Html;
    "an empty body" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::Empty;
    "Latin-1" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::Latin1;
    "the reply in an array" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::InArray;
    "replies begin with a byte order mark" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::WithByteOrderMark;
    "the reply in a callback" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::InCallback;
    "the reply twice" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::Twice;
    "replies are cut to 4096 bytes" breaks "HTTP-2" => |rules| rules.wire.body = BodyForm::CutTo(4096);
}

fn second(limit: u64) -> Limit {
    Limit {
        scope: Scope::App,
        ..Limit::new(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, limit, Duration::from_secs(1))
    }
}

fn minute(limit: u64, scope: Scope) -> Limit {
    Limit { scope, ..Limit::new(Algorithm::SlidingLog, limit, Duration::from_mins(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{self, Level};

    #[test]
    fn every_mutant_changes_the_rules_and_breaks_known_clauses() {
        let spec = spec::bundled();
        for mutant in MUTANTS {
            let mut rules = Rules::default();
            (mutant.apply)(&mut rules);
            assert_ne!(rules, Rules::default(), "{}", mutant.name);
            for clause in mutant.breaks {
                let clause = spec.clause(clause).unwrap_or_else(|| panic!("{}: no clause {clause}", mutant.name));
                assert_ne!(clause.level, Level::Should, "{}: a should clause decides nothing", mutant.name);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MUTANTS.len());
    }
}
