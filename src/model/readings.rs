//! Readings as lawful changes of [`Rules`]: which field each answer sets.

use super::limiter::Unit;
use super::rules::{
    AllFailed, Atomicity, ClearList, Counter, DeleteMissing, DuplicateKeys, EmptyValue, FromOmitted, Gone, LimitPlace, Order,
    Rules, Swapped,
};
use crate::api::MemberCalls;
use crate::api::call::MAX_KVS;
use crate::api::code;

/// One answer to one question, and what it does to the rules.
pub struct Reading {
    pub question: &'static str,
    pub answer: &'static str,
    pub apply: fn(&mut Rules),
}

macro_rules! readings {
    ($($question:literal $answer:literal => |$rules:ident| $change:expr;)*) => {
        /// Every answer that the reference endpoint can give; the first of each question is the default.
        pub const READINGS: &[Reading] = &[$(Reading { question: $question, answer: $answer, apply: |$rules| $change }),*];
    };
}

readings! {
    "caller" "identifier" => |rules| rules.access.members = MemberCalls::Identifier;
    "caller" "from-account" => |rules| rules.access.members = MemberCalls::FromAccount;
    "caller" "none" => |rules| rules.access.members = MemberCalls::Nobody;
    "seq" "per-key" => |rules| rules.seq.counter = Counter::PerKey;
    "seq" "per-message" => |rules| rules.seq.counter = Counter::PerMessage;
    "order" "request" => |rules| rules.writes.order = Order::Request;
    "order" "any" => |rules| rules.writes.order = Order::Reversed;
    "request" "atomic" => |rules| rules.writes.request = Atomicity::Atomic;
    "request" "key-by-key" => |rules| rules.writes.request = Atomicity::KeyByKey;
    "clear" "atomic" => |rules| rules.writes.clear = Atomicity::Atomic;
    "clear" "key-by-key" => |rules| rules.writes.clear = Atomicity::KeyByKey;
    "all-failed" "ok" => |rules| rules.writes.all_failed = AllFailed::Ok;
    "all-failed" "fail" => |rules| rules.writes.all_failed = AllFailed::Fail;
    "deleted-key" "tombstone" => |rules| rules.seq.deleted_key = Gone::Tombstone;
    "deleted-key" "reset" => |rules| rules.seq.deleted_key = Gone::Reset;
    "delete-missing" "ok" => |rules| rules.writes.delete_missing = DeleteMissing::Succeeds;
    "delete-missing" "not-exist" => |rules| rules.writes.delete_missing = DeleteMissing::NotExist;
    "delete-missing" "conflict" => |rules| rules.writes.delete_missing = DeleteMissing::Conflict;
    "cleared-key" "reset" => |rules| rules.seq.cleared_key = Gone::Reset;
    "cleared-key" "tombstone" => |rules| rules.seq.cleared_key = Gone::Tombstone;
    "clear-list" "absent" => |rules| rules.writes.clear_list = ClearList::Absent;
    "clear-list" "empty" => |rules| rules.writes.clear_list = ClearList::Empty;
    "clear-list" "keys" => |rules| rules.writes.clear_list = ClearList::Keys;
    "empty-value" "value" => |rules| rules.fields.empty_value = EmptyValue::Stored;
    "empty-value" "delete" => |rules| rules.fields.empty_value = EmptyValue::Deletes;
    "empty-value" "refused" => |rules| rules.fields.empty_value = EmptyValue::Refused;
    "duplicate-keys" "last" => |rules| rules.fields.duplicate_keys = DuplicateKeys::LastWins;
    "duplicate-keys" "first" => |rules| rules.fields.duplicate_keys = DuplicateKeys::FirstWins;
    "duplicate-keys" "conflict" => |rules| rules.fields.duplicate_keys = DuplicateKeys::SecondConflicts;
    "duplicate-keys" "refused" => |rules| rules.fields.duplicate_keys = DuplicateKeys::Refused;
    "types" "invalid-parameter" => |rules| rules.codes.wrong_type = code::INVALID;
    "types" "bad-json" => |rules| rules.codes.wrong_type = code::BAD_JSON;
    "types" "not-a-string" => |rules| rules.codes.wrong_type = code::NOT_A_STRING;
    "delete-21" "refused" => |rules| rules.bounds.kvs_per_delete = MAX_KVS;
    "delete-21" "done" => |rules| rules.bounds.kvs_per_delete = usize::MAX;
    "delete-value" "optional" => |rules| rules.fields.delete_value_required = false;
    "delete-value" "required" => |rules| rules.fields.delete_value_required = true;
    "negative-seq" "conflict" => |rules| rules.fields.refuses_negative_seq = false;
    "negative-seq" "refused" => |rules| rules.fields.refuses_negative_seq = true;
    "from-omitted" "any-sender" => |rules| rules.access.from_omitted = FromOmitted::AnySender;
    "from-omitted" "admin-sender" => |rules| rules.access.from_omitted = FromOmitted::AdminSender;
    "swapped" "not-found" => |rules| rules.access.swapped = Swapped::NotFound;
    "swapped" "found" => |rules| rules.access.swapped = Swapped::Found;
    "swapped" "refused" => |rules| rules.access.swapped = Swapped::Refused;
    "limit-place" "top" => |rules| rules.limits.place = LimitPlace::Top;
    "limit-place" "each-key" => |rules| rules.limits.place = LimitPlace::EachKey;
    "limit-unit" "request" => |rules| set_unit(rules, Unit::Request);
    "limit-unit" "kv" => |rules| set_unit(rules, Unit::Kv);
    "limit-deletes" "counted" => |rules| rules.limits.counts_delete = true;
    "limit-deletes" "free" => |rules| rules.limits.counts_delete = false;
    "limit-clears" "counted" => |rules| rules.limits.counts_clear = true;
    "limit-clears" "free" => |rules| rules.limits.counts_clear = false;
    "limit-refused" "free" => |rules| count_refused(rules, false);
    "limit-refused" "counted" => |rules| count_refused(rules, true);
    "limit-invalid" "free" => |rules| rules.limits.counts_invalid = false;
    "limit-invalid" "counted" => |rules| rules.limits.counts_invalid = true;
    "limit-callers" "together" => |rules| rules.limits.callers_apart = false;
    "limit-callers" "apart" => |rules| rules.limits.callers_apart = true;
}

/// The answer with that name, if the endpoint can give it.
pub fn reading(question: &str, answer: &str) -> Option<&'static Reading> {
    READINGS.iter().find(|reading| reading.question == question && reading.answer == answer)
}

fn set_unit(rules: &mut Rules, unit: Unit) {
    if let Some(limit) = &mut rules.limits.message {
        limit.unit = unit;
    }
}

fn count_refused(rules: &mut Rules, counted: bool) {
    if let Some(limit) = &mut rules.limits.message {
        limit.count_rejected = counted;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::spec;

    fn spec_readings() -> BTreeMap<String, Vec<String>> {
        let spec = spec::bundled();
        let questions = spec.questions();
        questions
            .map(|(name, clause)| (name.to_owned(), clause.readings.iter().map(|answer| answer.name.clone()).collect()))
            .collect()
    }

    #[test]
    fn the_endpoint_can_give_every_answer_of_the_spec_in_its_order_and_no_other() {
        let mut readings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for reading in READINGS {
            readings.entry(reading.question.to_owned()).or_default().push(reading.answer.to_owned());
        }
        assert_eq!(readings, spec_readings());
    }

    #[test]
    fn a_questions_first_answer_is_the_default_and_every_other_changes_a_field() {
        let mut seen = Vec::new();
        for reading in READINGS {
            let mut rules = Rules::default();
            (reading.apply)(&mut rules);
            let first = !seen.contains(&reading.question);
            assert_eq!(rules == Rules::default(), first, "{}={}", reading.question, reading.answer);
            seen.push(reading.question);
        }
    }
}
