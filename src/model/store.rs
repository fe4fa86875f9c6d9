//! The pairs of one message, and how a set, a delete and a clear change them.

use std::collections::BTreeMap;

use super::request::Operator;
use super::rules::{
    AnsweredWith, Carried, ClearList, ClearReach, Counter, DeleteMissing, DeleteReach, DuplicateKeys, EmptyValue, Gone, KeyMatch,
    Partial, Rules, SeqMatch, SeqRange, ValueKept,
};
use crate::api::{Call, Extension, KeyResult, Kv, Operation};

/// The pairs of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    entries: BTreeMap<String, StoredPair>,
    /// The last number that a request of this message took.
    counter: i64,
    clear_seq: i64,
    /// What the last clear removed, where the next set undoes it.
    cleared: BTreeMap<String, StoredPair>,
}

/// A key that is, or was, set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StoredPair {
    /// `None` is a tombstone.
    value: Option<String>,
    seq: i64,
    /// Who wrote it last.
    writer: Operator,
}

impl StoredPair {
    fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("")
    }
}

/// A pair as `get_key_values` lists it; a tombstone's value is empty.
pub struct Listed {
    pub key: String,
    pub value: String,
    pub seq: i64,
}

impl Store {
    /// Every pair, in the order of their Seqs.
    pub fn list(&self) -> Vec<Listed> {
        let listed =
            |(key, entry): (&String, &StoredPair)| Listed { key: key.clone(), value: entry.value().to_owned(), seq: entry.seq };
        let mut pairs: Vec<Listed> = self.entries.iter().map(listed).collect();
        pairs.sort_by_key(|pair| pair.seq);
        pairs
    }

    pub fn clear_seq(&self) -> i64 {
        self.clear_seq
    }

    /// How many pairs there would be if all these keys were set.
    pub fn size_with(&self, rules: &Rules, kvs: &[Kv]) -> usize {
        let live = self.entries.values().filter(|entry| entry.value.is_some()).count();
        let mut new: Vec<String> = kvs.iter().map(|kv| stored_key(rules, &kv.key)).filter(|key| !self.is_live(key)).collect();
        new.sort_unstable();
        new.dedup();
        live + new.len()
    }

    fn is_live(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.value.is_some())
    }

    /// Takes over from another version of this message the keys that a call named; where it named none, all of them.
    pub fn take(&mut self, rules: &Rules, other: &Store, kvs: &[Kv]) {
        if kvs.is_empty() {
            self.entries.clone_from(&other.entries);
        }
        for key in kvs.iter().map(|kv| stored_key(rules, &kv.key)) {
            match other.entries.get(&key) {
                Some(pair) => drop(self.entries.insert(key, pair.clone())),
                None => drop(self.entries.remove(&key)),
            }
        }
        self.counter = self.counter.max(other.counter);
        self.clear_seq = self.clear_seq.max(other.clear_seq);
    }

    /// Gives a key that is there another Seq.
    pub fn renumber(&mut self, rules: &Rules, key: &str, seq: i64) {
        if let Some(pair) = self.entries.get_mut(&stored_key(rules, key)) {
            pair.seq = seq;
        }
    }

    /// The keys that are, or were, set.
    pub fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn live_keys(&self) -> Vec<String> {
        let live = self.entries.iter().filter(|(_, pair)| pair.value.is_some());
        live.map(|(key, _)| key.clone()).collect()
    }

    /// The pair as it stands, for a key that a limit refused.
    pub fn current(&self, rules: &Rules, key: &str) -> Extension {
        let entry = self.entries.get(&stored_key(rules, key));
        let (value, seq) = entry.map_or((String::new(), 0), |entry| (entry.value().to_owned(), entry.seq));
        Extension { key: key.to_owned(), value, seq }
    }

    /// Carries out a set or a delete: one result a key.
    pub fn write(&mut self, rules: &Rules, operator: &Operator, call: &Call) -> Vec<KeyResult> {
        if rules.writes.begins_anew_after.is_some_and(|writes| self.counter >= writes) {
            *self = Store::default();
        }
        let before = (rules.writes.partial == Partial::AllOrNothing).then(|| self.clone());
        let mut kvs = effective(rules, call.pairs());
        if rules.seq.first_counts_for_all {
            let first = kvs.first().and_then(|kv| kv.seq);
            for kv in &mut kvs {
                kv.seq = first;
            }
        }
        let mut stamp = self.counter + 1;
        let mut results: Vec<KeyResult> = Vec::with_capacity(kvs.len());
        if call.operation == Operation::Set {
            for (key, pair) in std::mem::take(&mut self.cleared) {
                self.entries.entry(key).or_insert(pair);
            }
        }
        if rules.writes.set_replaces_all && call.operation == Operation::Set {
            self.entries.retain(|key, _| kvs.iter().any(|kv| stored_key(rules, &kv.key) == *key));
        }
        for (index, kv) in kvs.iter().enumerate() {
            let stops = rules.writes.partial == Partial::StopsAtFirst && results.iter().any(|result| result.code != 0);
            if stops {
                results.push(self.conflict(rules, kv));
                continue;
            }
            let deletes = call.operation == Operation::Delete
                || (kv.value.as_deref() == Some("") && rules.fields.empty_value == EmptyValue::Deletes);
            let is_kept = rules.writes.loses_key != Some(&kv.key);
            results.push(match deletes {
                true => self.delete(rules, operator, kv, index, stamp),
                false if is_kept => self.set(rules, operator, kv, index, stamp),
                false => self.clone().set(rules, operator, kv, index, stamp),
            });
            stamp += i64::from(rules.seq.counts_pairs);
        }
        self.forget_beyond(rules.writes.remembers, &kvs);
        if results.iter().any(|result| result.code == 0) {
            self.counter = stamp;
        }
        if let Some(before) = before.filter(|_| results.iter().any(|result| result.code != 0)) {
            *self = before;
        }
        results
    }

    /// Leaves no more pairs than these, and of those that were there before only.
    fn forget_beyond(&mut self, most: usize, written: &[Kv]) {
        if self.entries.len() <= most {
            return;
        }
        let live = self.live_keys();
        let old = live.iter().filter(|key| !written.iter().any(|kv| kv.key == **key));
        for key in old.take(live.len().saturating_sub(most)) {
            self.entries.remove(key);
        }
    }

    /// Removes every pair; gives the keys that were there.
    pub fn clear(&mut self, rules: &Rules, operator: &Operator, listed: &[Kv]) -> Vec<String> {
        let live = self.live_keys();
        let gone: Vec<String> = match rules.writes.clear_reach {
            ClearReach::Message | ClearReach::Conversation => live,
            ClearReach::Nothing => Vec::new(),
            ClearReach::AtMost(most) => live.into_iter().take(most).collect(),
            ClearReach::AllButLast => live.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default(),
            ClearReach::Listed => live.into_iter().filter(|key| listed.iter().any(|kv| kv.key == *key)).collect(),
            ClearReach::Own => live.into_iter().filter(|key| self.is_own(key, operator)).collect(),
        };
        if rules.writes.set_undoes_clear {
            self.cleared = self.entries.clone();
        }
        if rules.seq.cleared_key == Gone::Reset {
            self.entries.retain(|_, entry| entry.value.is_some());
        }
        self.remove(rules, &gone);
        gone
    }

    /// Removes these keys as a clear does, and comes to no other.
    pub fn remove(&mut self, rules: &Rules, gone: &[String]) {
        self.counter += 1;
        if rules.seq.counter == Counter::PerMessage {
            self.clear_seq = self.counter;
        }
        match rules.seq.cleared_key {
            Gone::Reset => self.entries.retain(|key, _| !gone.contains(key)),
            Gone::Tombstone => {
                for key in gone {
                    if let Some(entry) = self.entries.get_mut(key) {
                        entry.value = None;
                    }
                }
            }
        }
    }

    /// The `ExtensionList` of a clear's reply.
    pub fn cleared_list(&self, rules: &Rules, gone: Vec<String>) -> Option<Vec<KeyResult>> {
        match rules.writes.clear_list {
            ClearList::Absent => None,
            ClearList::Empty => Some(Vec::new()),
            ClearList::Keys => {
                let result = |key: String| {
                    let seq = self.entries.get(&key).map_or(0, |entry| entry.seq);
                    KeyResult { code: 0, extension: Extension { key, value: String::new(), seq } }
                };
                Some(gone.into_iter().map(result).collect())
            }
        }
    }

    /// Whether the caller wrote the key last; an admin owns them all.
    fn is_own(&self, key: &str, operator: &Operator) -> bool {
        *operator == Operator::Admin || self.entries.get(key).is_some_and(|entry| entry.writer == *operator)
    }

    fn set(&mut self, rules: &Rules, operator: &Operator, kv: &Kv, index: usize, stamp: i64) -> KeyResult {
        if !self.seq_fits(rules, operator, kv, rules.seq.checks_admin, true) {
            return self.refuse(rules, kv, stamp);
        }
        let value = kept(rules.writes.values, kv.value.as_deref().unwrap_or(""));
        let before = (rules.writes.answered != AnsweredWith::AsItIs).then(|| self.current(rules, &kv.key));
        let seq = self.next_seq(rules, operator, kv, stamp);
        if index < rules.writes.pairs_kept_at_most {
            let pair = StoredPair { value: Some(value.clone()), seq, writer: operator.clone() };
            self.entries.insert(stored_key(rules, &kv.key), pair);
        }
        let value = if rules.wire.echoes_sent_value { kv.value.clone().unwrap_or_default() } else { value };
        let (value, seq) = match (rules.writes.answered, before) {
            (AnsweredWith::WithSeqBefore, Some(before)) => (value, before.seq),
            (AnsweredWith::WithValueBefore, Some(before)) => (before.value, seq),
            _ => (value, seq),
        };
        KeyResult { code: 0, extension: Extension { key: kv.key.clone(), value, seq } }
    }

    fn delete(&mut self, rules: &Rules, operator: &Operator, kv: &Kv, index: usize, stamp: i64) -> KeyResult {
        let key = stored_key(rules, &kv.key);
        if !self.is_live(&key) {
            let code = match rules.writes.delete_missing {
                DeleteMissing::Succeeds => 0,
                DeleteMissing::NotExist => rules.codes.no_key,
                DeleteMissing::Conflict => rules.codes.seq_conflict,
            };
            return KeyResult { code, extension: self.current(rules, &kv.key) };
        }
        if rules.seq.checks_delete
            && !self.seq_fits(rules, operator, kv, rules.seq.checks_admin || rules.seq.checks_admin_delete, false)
        {
            return self.refuse(rules, kv, stamp);
        }
        let seq = self.next_seq(rules, operator, kv, stamp);
        let keeps_value = rules.writes.delete_needs_value
            && self.entries.get(&key).is_some_and(|entry| Some(entry.value()) != kv.value.as_deref());
        let reaches = match rules.writes.delete_reach {
            DeleteReach::Nothing => false,
            DeleteReach::FirstNamed => index == 0,
            DeleteReach::Named => true,
            DeleteReach::Own => self.is_own(&key, operator),
            DeleteReach::Prefixed => {
                self.entries.retain(|other, _| *other == key || !other.starts_with(&key));
                true
            }
            DeleteReach::Everything => {
                self.entries.clear();
                true
            }
        };
        let resets = *operator == Operator::Admin && rules.seq.admin_delete_resets;
        let seq = match if resets { Gone::Reset } else { rules.seq.deleted_key } {
            _ if !reaches || keeps_value => seq,
            Gone::Tombstone => {
                self.entries.insert(key, StoredPair { value: None, seq, writer: operator.clone() });
                seq
            }
            Gone::Reset => {
                self.entries.remove(&key);
                0
            }
        };
        KeyResult { code: 0, extension: Extension { key: kv.key.clone(), value: String::new(), seq } }
    }

    fn seq_fits(&self, rules: &Rules, operator: &Operator, kv: &Kv, checks_admin: bool, is_set: bool) -> bool {
        if *operator == Operator::Admin && !checks_admin {
            return true;
        }
        let entry = self.entries.get(&stored_key(rules, &kv.key));
        let is_tombstone = entry.is_some_and(|entry| entry.value.is_none());
        if is_tombstone && rules.seq.deleted_key_is_over {
            return false;
        }
        let takes_any = match entry {
            None => rules.seq.fresh_key_takes_any && is_set,
            Some(entry) => {
                (rules.seq.own_key_takes_any && entry.writer == *operator)
                    || (rules.seq.same_value_takes_any && entry.value.is_some() && entry.value == kv.value)
                    || (rules.seq.deleted_key_takes_any && is_tombstone && is_set)
            }
        };
        if takes_any {
            return true;
        }
        let (expected, sent) = (entry.map_or(0, |entry| entry.seq), kv.seq.unwrap_or(0));
        match rules.seq.matches {
            SeqMatch::Equal => sent == expected,
            SeqMatch::AtLeast => sent >= expected,
            SeqMatch::AtMost => sent <= expected,
            SeqMatch::Always => true,
            SeqMatch::Never => false,
            SeqMatch::LowBits(bits) => (sent ^ expected).trailing_zeros() >= bits,
            SeqMatch::OneBehind => sent == expected || sent + 1 == expected,
            SeqMatch::ZeroToo => sent == expected || sent == 0,
            SeqMatch::Absolute => sent.checked_abs() == Some(expected),
        }
    }

    /// What a refused key still does to the message (nothing, in a lawful endpoint), and its result.
    fn refuse(&mut self, rules: &Rules, kv: &Kv, stamp: i64) -> KeyResult {
        let result = self.conflict(rules, kv);
        let key = stored_key(rules, &kv.key);
        if rules.seq.conflict_writes {
            let value = kept(rules.writes.values, kv.value.as_deref().unwrap_or(""));
            let pair = StoredPair { value: Some(value), seq: stamp, writer: Operator::Admin };
            self.entries.insert(key.clone(), pair);
        }
        if rules.seq.conflict_grows
            && let Some(entry) = self.entries.get_mut(&key)
        {
            entry.seq += 1;
        }
        result
    }

    fn conflict(&self, rules: &Rules, kv: &Kv) -> KeyResult {
        let current = self.current(rules, &kv.key);
        let (sent_value, sent_seq) = (kv.value.clone().unwrap_or_default(), kv.seq.unwrap_or(0));
        let (value, seq) = match rules.seq.carried {
            Carried::Current => (current.value, current.seq),
            Carried::Sent => (sent_value, sent_seq),
            Carried::CurrentValueSentSeq => (current.value, sent_seq),
            Carried::SentValueCurrentSeq => (sent_value, current.seq),
            Carried::Nothing => (String::new(), 0),
        };
        KeyResult { code: rules.codes.seq_conflict, extension: Extension { key: kv.key.clone(), value, seq } }
    }

    fn next_seq(&self, rules: &Rules, operator: &Operator, kv: &Kv, stamp: i64) -> i64 {
        let entry = self.entries.get(&stored_key(rules, &kv.key));
        let next = match (entry, rules.seq.counter) {
            (Some(entry), _) if *operator == Operator::Admin && !rules.seq.admin_write_grows => entry.seq,
            (Some(entry), _) if entry.value.is_some() && entry.value == kv.value && !rules.seq.same_value_grows => entry.seq,
            (Some(entry), _) if rules.seq.restarts_after_delete && entry.value.is_none() => rules.seq.first,
            (Some(_), _) if *operator == Operator::Admin && rules.seq.takes_admins => kv.seq.unwrap_or(0) + 1,
            _ if rules.seq.counts_pairs => stamp,
            (_, Counter::PerMessage) => stamp,
            (None, Counter::PerKey) => rules.seq.first,
            (Some(entry), Counter::PerKey) => entry.seq + rules.seq.step,
        };
        match rules.seq.range {
            SeqRange::Endless => next,
            SeqRange::StopsAt(last) => next.min(last),
            SeqRange::WrapsAt(end) => next % end,
        }
    }
}

/// The pairs that count where a key stands twice.
fn effective(rules: &Rules, kvs: &[Kv]) -> Vec<Kv> {
    let stands_in = |part: &[Kv], kv: &Kv| part.iter().any(|other| other.key == kv.key);
    let counts = |index: usize| match rules.fields.duplicate_keys {
        DuplicateKeys::LastWins => !stands_in(&kvs[index + 1..], &kvs[index]),
        DuplicateKeys::FirstWins => !stands_in(&kvs[..index], &kvs[index]),
        DuplicateKeys::SecondConflicts | DuplicateKeys::Refused => true,
    };
    kvs.iter().enumerate().filter(|(index, _)| counts(*index)).map(|(_, kv)| kv.clone()).collect()
}

fn stored_key(rules: &Rules, key: &str) -> String {
    match rules.writes.keys {
        KeyMatch::Exact => key.to_owned(),
        KeyMatch::IgnoresCase => key.to_lowercase(),
        KeyMatch::Trimmed => key.trim().to_owned(),
        KeyMatch::TrimmedEnd => key.trim_end().to_owned(),
        KeyMatch::WithoutMarks => key.chars().filter(|character| !('\u{300}'..='\u{36f}').contains(character)).collect(),
        KeyMatch::DotsReplaced => key.replace('.', "_"),
        KeyMatch::AsciiOnly => ascii(key),
        KeyMatch::Utf16Only => narrow(key),
        KeyMatch::WithoutControls => without_controls(key),
        KeyMatch::Prefix(bytes) => key
            .chars()
            .scan(0, |length, character| {
                *length += character.len_utf8();
                (*length <= bytes).then_some(character)
            })
            .collect(),
    }
}

fn kept(how: ValueKept, value: &str) -> String {
    match how {
        ValueKept::Exact => value.to_owned(),
        ValueKept::Trimmed => value.trim().to_owned(),
        ValueKept::CutTo(chars) => value.chars().take(chars).collect(),
        ValueKept::AsciiOnly => ascii(value),
        ValueKept::Utf16Only => narrow(value),
        ValueKept::WithoutControls => without_controls(value),
        ValueKept::HtmlEscaped => value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
        ValueKept::AsNumbers => value.parse::<f64>().map_or_else(|_| value.to_owned(), |number| number.to_string()),
        ValueKept::NullIsNothing => {
            if value == "null" {
                String::new()
            } else {
                value.to_owned()
            }
        }
        ValueKept::CutAtNul => value.chars().take_while(|character| *character != '\0').collect(),
        ValueKept::CutAtFourBytes => value.chars().take_while(|character| character.len_utf8() < 4).collect(),
        ValueKept::UnixLines => value.replace("\r\n", "\n"),
    }
}

fn without_controls(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Without what takes two units in UTF-16.
fn narrow(text: &str) -> String {
    text.chars().filter(|character| character.len_utf16() == 1).collect()
}

fn ascii(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member_sets(store: &mut Store, rules: &Rules, key: &str, seq: i64) -> i64 {
        let kv = Kv { key: key.to_owned(), value: Some("v".to_owned()), seq: Some(seq) };
        let result = store.set(rules, &Operator::Account("m".to_owned()), &kv, 0, 1);
        if result.code == 0 { result.extension.seq } else { -1 }
    }

    /// A clear that comes to one key after another comes to each of them once.
    #[test]
    fn what_removes_one_key_leaves_the_tombstone_of_another() {
        let rules = Rules::default();
        let deleted = || {
            let mut store = Store::default();
            assert_eq!(["gone", "kept"].map(|key| member_sets(&mut store, &rules, key, 0)), [1, 1]);
            let kv = Kv { key: "gone".to_owned(), value: None, seq: Some(1) };
            assert_eq!(store.delete(&rules, &Operator::Admin, &kv, 0, 1).extension.seq, 2);
            store
        };
        let mut removed = deleted();
        removed.remove(&rules, &["kept".to_owned()]);
        assert_eq!([0, 2].map(|seq| member_sets(&mut removed, &rules, "gone", seq)), [-1, 3]);
        let mut cleared = deleted();
        cleared.clear(&rules, &Operator::Admin, &[]);
        assert_eq!([2, 0].map(|seq| member_sets(&mut cleared, &rules, "gone", seq)), [-1, 1]);
    }
}
