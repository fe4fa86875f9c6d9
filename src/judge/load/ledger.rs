//! What the target has to hold: each key of each message with its last acknowledged write, so that every reply of a load
//! run can be judged. A key has one writer: at most one call on it is under way.
//!
//! Never a value in memory: a value is told by the number of its write ([`WriteId`]).

#![expect(clippy::cast_possible_truncation, reason = "a call has at most 20 pairs, a message at most 300 keys")]

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::write::WriteId;
use crate::api::scan::Item;
use crate::api::{Operation, code};
use crate::history::Class;

/// One key as the target has to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    state: HeldKey,
    /// The Seq that the target last told; 0 if none.
    seq: i64,
    /// What that was when the last call on it was opened.
    sent_seq: i64,
    /// The last write on it that a limit turned away;
    turned_away: WriteId,
    busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldKey {
    Unset,
    Present {
        write: WriteId,
    },
    /// Deleted or cleared: which Seq it expects now is an open question, until a conflict has told it.
    Gone {
        told: bool,
    },
    /// A call's outcome is unknown: its write may have been done, or not, or be done later. `before` is the last write that
    /// was acknowledged.
    Doubt {
        before: WriteId,
    },
}

const FRESH: Key = Key { state: HeldKey::Unset, seq: 0, sent_seq: 0, turned_away: WriteId::NONE, busy: false };

/// One message's keys.
#[derive(Clone, Debug)]
struct HeldMessage {
    keys: Box<[Key]>,
    /// Where the search for a free key goes on.
    cursor: u32,
    /// Calls under way.
    busy: u32,
    /// A clear is under way: nothing else may be.
    clearing: bool,
}

/// One call on its way. `keys` are indices; the writes are numbered from `first_write` on, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub message: u32,
    pub operation: Operation,
    pub keys: [u16; 20],
    pub count: u8,
    pub first_write: WriteId,
    pub by_member: bool,
}

impl Ticket {
    pub fn keys(&self) -> &[u16] {
        &self.keys[..usize::from(self.count)]
    }
}

/// A difference between a reply and what the target has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub clause: Cow<'static, str>,
    pub subject: String,
    pub expected: String,
    pub actual: String,
}

/// More lost writes of one key than this are not told apart: then every value of it is lawful.
const MOST_GHOSTS: usize = 16;

/// Every key of a set of messages, each of which only this ledger's owner writes to.
#[derive(Clone, Debug)]
pub struct Ledger {
    names: Box<[String]>,
    messages: Vec<Option<HeldMessage>>,
    /// By message and key the writes (for a removal none) whose calls got no reply: a server may still do them much later.
    ghosts: HashMap<(u32, u16), Vec<WriteId>>,
    writes: u64,
    /// Added to each write's number, so that ledgers side by side number apart.
    stride: u64,
}

impl Ledger {
    /// A ledger over messages `0..messages` with `keys` keys each. Of `owners` ledgers this is the one with number `owner`.
    pub fn new(messages: usize, keys: usize, owner: u64, owners: u64) -> Ledger {
        let names = (1..=keys).map(|number| format!("k{number}")).collect();
        Ledger { names, messages: vec![None; messages], ghosts: HashMap::new(), writes: owner, stride: owners.max(1) }
    }

    pub fn name(&self, key: u16) -> &str {
        &self.names[usize::from(key)]
    }

    /// The Seq that the last call on a key is sent with, under way or settled: the last one told before it.
    pub fn seq(&self, message: u32, key: u16) -> i64 {
        self.messages[message as usize].as_ref().map_or(0, |message| message.keys[usize::from(key)].sent_seq)
    }

    fn message(&mut self, message: u32) -> &mut HeldMessage {
        let keys = self.names.len();
        self.messages[message as usize].get_or_insert_with(|| HeldMessage {
            keys: vec![FRESH; keys].into(),
            cursor: 0,
            busy: 0,
            clearing: false,
        })
    }

    /// Reserves `count` keys of the first `keys` for a call; `None` while too many are under way. A delete takes keys that are
    /// there, and becomes a set where too few are; so does a clear of a message that is busy.
    pub fn open(
        &mut self,
        message: u32,
        operation: Operation,
        count: u32,
        keys: u32,
        length: u32,
        by_member: bool,
    ) -> Option<Ticket> {
        let stride = self.stride;
        let held = self.message(message);
        if held.clearing {
            return None;
        }
        let mut ticket = Ticket { message, operation, keys: [0; 20], count: 0, first_write: WriteId::NONE, by_member };
        if operation == Operation::Clear && held.busy == 0 {
            (held.clearing, held.busy) = (true, 1);
            return Some(ticket);
        }
        let deletes = operation == Operation::Delete
            && held.reserve(&mut ticket, count, keys, |key| matches!(key.state, HeldKey::Present { .. }));
        if !deletes {
            ticket.operation = Operation::Set;
            if !held.reserve(&mut ticket, count, keys, |_| true) {
                return None;
            }
        }
        held.busy += 1;
        ticket.first_write = WriteId::new(self.writes + stride, length);
        self.writes += stride * u64::from(count);
        Some(ticket)
    }

    /// The write to the ticket's key at this position.
    pub fn write(&self, ticket: &Ticket, position: usize) -> WriteId {
        ticket.first_write.after(self.stride * position as u64)
    }

    /// Ends a call that got no reply, or one that does not say whether it was carried out.
    pub fn lose(&mut self, ticket: &Ticket) {
        let clears = ticket.operation == Operation::Clear;
        let all: Vec<u16> = if clears { (0..self.names.len() as u16).collect() } else { ticket.keys().to_vec() };
        let writes = self.numbers(ticket);
        self.close(ticket);
        for (index, write) in all.into_iter().zip(writes) {
            let sets = ticket.operation == Operation::Set;
            self.doubt(ticket.message, index, if sets { write } else { WriteId::NONE });
        }
    }

    fn doubt(&mut self, message: u32, index: u16, tried: WriteId) {
        let ghosts = self.ghosts.entry((message, index)).or_default();
        if ghosts.len() <= MOST_GHOSTS {
            ghosts.push(tried);
        }
        let key = &mut self.message(message).keys[usize::from(index)];
        (key.busy, key.state) = (false, HeldKey::Doubt { before: key.acknowledged() });
    }

    /// Ends a call that a limit turned away: nothing may have changed.
    pub fn turn_away(&mut self, ticket: &Ticket) {
        let writes = self.numbers(ticket);
        let message = self.close(ticket);
        for (&index, write) in ticket.keys().iter().zip(writes) {
            let key = &mut message.keys[usize::from(index)];
            key.busy = false;
            key.turned_away = write;
        }
    }

    /// Ends a call that was answered at every key, and tells what differs from what the target has to hold. The class is
    /// that of the whole call.
    pub fn settle(&mut self, ticket: &Ticket, answers: &[Item<'_>], differences: &mut Vec<Difference>) -> Class {
        if ticket.operation == Operation::Clear {
            for answer in answers.iter().filter(|answer| answer.code != 0) {
                let expected = "0, as the clear as a whole";
                differences.push(difference("CLR-1", answer.key, "ErrorCode", expected, &answer.code.to_string()));
            }
            let message = self.close(ticket);
            for key in message.keys.iter_mut().filter(|key| key.state != HeldKey::Unset) {
                // The vendor's own client forgets a cleared key's Seq and sends 0.
                (key.state, key.seq) = (HeldKey::Gone { told: false }, 0);
            }
            return Class::Accepted;
        }
        if answers.len() != usize::from(ticket.count) {
            differences.push(Difference {
                clause: "SET-3".into(),
                subject: "ExtensionList".into(),
                expected: format!("one result for each of {} keys", ticket.count),
                actual: format!("{} results", answers.len()),
            });
        }
        self.close(ticket);
        let mut class = Class::Accepted;
        for (position, &index) in ticket.keys().iter().enumerate() {
            let name = &*self.names[usize::from(index)];
            // Nearly always in the request's order; which order it is, is left open (reading `order`).
            let at_place = answers.get(position).filter(|answer| answer.key == name);
            let answer = at_place.or_else(|| answers.iter().find(|answer| answer.key == name));
            let write = self.write(ticket, position);
            if answer.is_none() {
                differences.push(difference("SET-3", name, "result", "one", "none"));
            }
            class = class.max(match answer {
                Some(answer) => self.answer(ticket, index, write, answer, differences),
                None => Class::Error,
            });
            if answer.is_none_or(|answer| leaves_doubt(answer.code)) {
                self.doubt(ticket.message, index, if ticket.operation == Operation::Set { write } else { WriteId::NONE });
            }
        }
        class
    }

    fn answer(
        &mut self,
        ticket: &Ticket,
        index: u16,
        write: WriteId,
        answer: &Item<'_>,
        differences: &mut Vec<Difference>,
    ) -> Class {
        let ghosts = Ghosts::of(&self.ghosts, ticket.message, index);
        let Some(message) = &mut self.messages[ticket.message as usize] else { return Class::Error };
        let key = &mut message.keys[usize::from(index)];
        key.busy = false;
        if answer.seq < 0 {
            differences.push(difference("SET-3", answer.key, "Seq", "at least 0", &answer.seq.to_string()));
        }
        key.settle(ticket, write, answer, ghosts, differences)
    }

    /// What a message read back has to be and is not. `pairs` are keys with value and Seq, in the order of the keys; a deleted
    /// one may have an empty value.
    pub fn compare(&self, message: u32, pairs: &[(&str, &str, i64)], differences: &mut Vec<Difference>) {
        let untouched = vec![FRESH; self.names.len()];
        let keys = self.messages[message as usize].as_ref().map_or(&*untouched, |held| &*held.keys);
        for (index, (key, name)) in (0u16..).zip(keys.iter().zip(&self.names)).filter(|(_, (key, _))| !key.busy) {
            let at = pairs.binary_search_by_key(&name.as_str(), |(key, ..)| key).ok();
            let found = at.map(|at| (pairs[at].1, pairs[at].2)).filter(|(value, _)| !value.is_empty());
            key.compare(name, found, Ghosts::of(&self.ghosts, message, index), differences);
        }
        let nobodys = pairs.iter().filter(|(key, value, _)| !value.is_empty() && !self.names.iter().any(|name| name == key));
        for (key, value, seq) in nobodys {
            let expected = "nothing, which is what anybody set on it";
            differences.push(difference("SET-2", key, "read back", expected, &format!("value {value:?} at Seq {seq}")));
        }
    }

    fn numbers(&self, ticket: &Ticket) -> impl Iterator<Item = WriteId> + use<> {
        let (first, stride) = (ticket.first_write, self.stride);
        (0..).map(move |position| first.after(stride * position))
    }

    fn close(&mut self, ticket: &Ticket) -> &mut HeldMessage {
        let message = self.message(ticket.message);
        message.busy -= 1;
        message.clearing = false;
        message
    }
}

impl HeldMessage {
    /// Takes the next `count` free keys that will do; all of them or none.
    fn reserve(&mut self, ticket: &mut Ticket, count: u32, keys: u32, will_do: impl Fn(&Key) -> bool) -> bool {
        let keys = keys.min(self.keys.len() as u32).max(1);
        let (mut taken, mut at) = (0, self.cursor % keys);
        for _ in 0..keys {
            let key = &self.keys[at as usize];
            if !key.busy && will_do(key) {
                ticket.keys[taken] = at as u16;
                taken += 1;
            }
            at = if at + 1 == keys { 0 } else { at + 1 };
            if taken == count as usize {
                self.cursor = at;
                ticket.count = count as u8;
                for key in ticket.keys() {
                    let key = &mut self.keys[usize::from(*key)];
                    (key.busy, key.sent_seq) = (true, key.seq);
                }
                return true;
            }
        }
        false
    }
}

impl Key {
    /// The last acknowledged write; 0 where there is none.
    fn acknowledged(&self) -> WriteId {
        match self.state {
            HeldKey::Present { write } => write,
            HeldKey::Doubt { before } => before,
            HeldKey::Unset | HeldKey::Gone { .. } => WriteId::NONE,
        }
    }

    fn settle(
        &mut self,
        ticket: &Ticket,
        write: WriteId,
        answer: &Item<'_>,
        ghosts: Ghosts<'_>,
        differences: &mut Vec<Difference>,
    ) -> Class {
        match answer.code {
            0 if ticket.operation == Operation::Delete => {
                (self.state, self.seq) = (HeldKey::Gone { told: false }, answer.seq);
                Class::Accepted
            }
            0 => {
                self.acknowledge(write, answer, ghosts, differences);
                Class::Accepted
            }
            code::TOO_OFTEN => {
                self.turned_away = write;
                Class::Refused
            }
            code::SEQ_CONFLICT if ticket.by_member => {
                if self.conflict(answer, ghosts, differences) {
                    Class::Conflict
                } else {
                    Class::Error
                }
            }
            // A key that may be gone may be missing, too (reading `delete-missing`).
            code::NOT_FOUND if matches!(self.state, HeldKey::Doubt { .. }) => {
                self.state = HeldKey::Gone { told: false };
                Class::Conflict
            }
            code => {
                if !leaves_doubt(code) {
                    differences.push(difference("SET-2", answer.key, "ErrorCode", "0", &code.to_string()));
                }
                Class::Error
            }
        }
    }

    fn acknowledge(&mut self, write: WriteId, answer: &Item<'_>, ghosts: Ghosts<'_>, differences: &mut Vec<Difference>) {
        if !write.is(answer.value) {
            differences.push(difference("SET-4", answer.key, "Value", &write.text(), answer.value));
        }
        // A key that is or may be gone counts from its old Seq or from 0 (readings `deleted-key` and `cleared-key`).
        let least = match self.state {
            HeldKey::Unset | HeldKey::Gone { .. } | HeldKey::Doubt { .. } => 0,
            HeldKey::Present { .. } if ghosts.removed() => 0,
            HeldKey::Present { .. } => self.seq,
        };
        if answer.seq <= least {
            let expected = format!("more than {least}, which an acknowledged write has");
            differences.push(difference("SET-2", answer.key, "Seq", &expected, &answer.seq.to_string()));
        }
        (self.state, self.seq) = (HeldKey::Present { write }, answer.seq);
    }

    /// A member sent the last Seq told. A conflict is lawful only where that may be out of date; says whether it is.
    fn conflict(&mut self, answer: &Item<'_>, ghosts: Ghosts<'_>, differences: &mut Vec<Difference>) -> bool {
        let lawful = match self.state {
            HeldKey::Doubt { before } => before.is(answer.value) || ghosts.explain(answer.value),
            HeldKey::Gone { told: false } => answer.value.is_empty() || ghosts.explain(answer.value),
            HeldKey::Unset | HeldKey::Gone { told: true } | HeldKey::Present { .. } => ghosts.explain(answer.value),
        };
        if !lawful {
            let held = self.acknowledged();
            let (clause, actual) = match self.state {
                HeldKey::Gone { told: true } => ("SEQ-5", format!("value {:?} at Seq {}", answer.value, answer.seq)),
                _ => self.blame(answer.value, answer.seq),
            };
            let expected = if let HeldKey::Gone { told: true } = self.state {
                format!("no conflict at Seq {}, which a conflict has told", self.seq)
            } else if held == WriteId::NONE {
                "no conflict: nothing is set".into()
            } else {
                format!("no conflict at Seq {}", self.seq)
            };
            differences.push(difference(clause, answer.key, "ErrorCode", &expected, &format!("23001 with {actual}")));
        }
        self.adopt(answer, ghosts);
        lawful
    }

    /// Takes the pair that a refusal carries for what the target holds.
    fn adopt(&mut self, answer: &Item<'_>, ghosts: Ghosts<'_>) {
        let known = [self.acknowledged(), self.turned_away].into_iter().chain(ghosts.0.iter().copied());
        self.seq = answer.seq;
        self.state = match known.into_iter().find(|write| *write != WriteId::NONE && write.is(answer.value)) {
            Some(write) => HeldKey::Present { write },
            None => HeldKey::Gone { told: true },
        };
    }

    /// The clause that a value breaks which stands where another should, and what it is, in words.
    fn blame(&self, value: &str, seq: i64) -> (&'static str, String) {
        if self.turned_away != WriteId::NONE && self.turned_away.is(value) {
            return ("LIM-5", format!("the value of a call that a limit had refused, at Seq {seq}"));
        }
        ("SET-2", format!("value {value:?} at Seq {seq}"))
    }

    fn compare(&self, name: &str, found: Option<(&str, i64)>, ghosts: Ghosts<'_>, differences: &mut Vec<Difference>) {
        let held = self.acknowledged();
        let is_held = held.is(found.map_or("", |(value, _)| value));
        let as_told = matches!(self.state, HeldKey::Doubt { .. }) || found.is_none_or(|(_, seq)| seq == self.seq);
        if (is_held && as_told) || ghosts.explain(found.map_or("", |(value, _)| value)) {
            return;
        }
        let expected =
            if held == WriteId::NONE { "nothing".to_owned() } else { format!("value {:?} at Seq {}", held.text(), self.seq) };
        let (clause, actual) = match found {
            None => ("SET-2", "nothing".to_owned()),
            Some((value, seq)) => self.blame(value, seq),
        };
        differences.push(difference(clause, name, "read back", &expected, &actual));
    }
}

/// The lost writes of one key.
#[derive(Clone, Copy)]
struct Ghosts<'a>(&'a [WriteId]);

impl<'a> Ghosts<'a> {
    fn of(all: &'a HashMap<(u32, u16), Vec<WriteId>>, message: u32, key: u16) -> Ghosts<'a> {
        // Nearly always there are none at all, and then nothing needs to be looked up.
        Ghosts(if all.is_empty() { &[] } else { all.get(&(message, key)).map_or(&[], Vec::as_slice) })
    }

    fn explain(self, value: &str) -> bool {
        self.0.len() > MOST_GHOSTS || self.0.iter().any(|write| write.is(value))
    }

    fn removed(self) -> bool {
        self.0.contains(&WriteId::NONE) || self.0.len() > MOST_GHOSTS
    }
}

/// A code that says that something failed, but not whether the call was carried out.
pub fn leaves_doubt(code: i64) -> bool {
    code == code::INTERNAL || (60000..70000).contains(&code) && !code::is_credentials(code)
}

fn difference(clause: &'static str, key: &str, field: &str, expected: &str, actual: &str) -> Difference {
    Difference {
        clause: clause.into(),
        subject: format!("{key} {field}"),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u32 = 32;

    fn ledger() -> Ledger {
        Ledger::new(2, 4, 0, 1)
    }

    fn open(ledger: &mut Ledger, operation: Operation, by_member: bool) -> Ticket {
        ledger.open(0, operation, 1, 1, LENGTH, by_member).expect("a free key")
    }

    /// Settles a call on key k1 with what the target says of it.
    fn settle(ledger: &mut Ledger, ticket: &Ticket, code: i64, value: &str, seq: i64) -> (Class, Vec<String>) {
        let mut differences = Vec::new();
        let class = ledger.settle(ticket, &[Item { code, key: "k1", value, seq }], &mut differences);
        (class, differences.into_iter().map(|difference| difference.clause.into_owned()).collect())
    }

    /// A set by a member that the target does as told.
    fn set(ledger: &mut Ledger, seq: i64) -> WriteId {
        let ticket = open(ledger, Operation::Set, true);
        assert_eq!(settle(ledger, &ticket, 0, &ticket.first_write.text(), seq), (Class::Accepted, vec![]));
        ticket.first_write
    }

    #[test]
    fn values_have_their_length_and_tell_writes_apart() {
        for (number, length) in [(1, 1), (1, 4), (2, 16), (0xffff, 17), (1 << 50, 1000)] {
            let write = WriteId::new(number, length);
            let text = write.text();
            assert!(text.len() == length as usize && write.is(&text), "{text}");
            assert!(!write.after(1).is(&text) && !write.is(&text[1..]) && !write.is(&format!("{text}x")));
        }
        assert!(WriteId::NONE.is("") && !WriteId::NONE.is("x"));
    }

    #[test]
    fn a_seq_has_to_grow_and_a_value_to_come_back() {
        let mut ledger = ledger();
        set(&mut ledger, 1);
        set(&mut ledger, 2);
        let lost = open(&mut ledger, Operation::Set, false);
        assert_eq!(settle(&mut ledger, &lost, 0, &lost.first_write.text(), 2).1, ["SET-2"]);
        let mangled = open(&mut ledger, Operation::Set, false);
        assert_eq!(settle(&mut ledger, &mangled, 0, "?", 9).1, ["SET-4"]);
    }

    #[test]
    fn a_conflict_is_lawful_only_where_the_seq_may_be_out_of_date() {
        let mut ledger = ledger();
        let written = set(&mut ledger, 1);
        let ticket = open(&mut ledger, Operation::Set, true);
        assert_eq!(settle(&mut ledger, &ticket, 23001, &written.text(), 3), (Class::Error, vec!["SET-2".to_owned()]));
        let lost = open(&mut ledger, Operation::Set, true);
        ledger.lose(&lost);
        let next = open(&mut ledger, Operation::Set, true);
        let sent = ledger.seq(0, 0);
        assert_eq!(settle(&mut ledger, &next, 23001, &lost.first_write.text(), 4), (Class::Conflict, vec![]));
        // A finding shows the call as it was sent, and the next one goes by what was told.
        assert_eq!((sent, ledger.seq(0, 0)), (3, sent));
        let another = open(&mut ledger, Operation::Set, true);
        assert_eq!(ledger.seq(0, 0), 4);
        ledger.lose(&another);
        let next = open(&mut ledger, Operation::Set, true);
        assert_eq!(settle(&mut ledger, &next, 23001, "another's", 5).1, ["SET-2"]);
    }

    #[test]
    fn a_refused_call_that_was_carried_out_breaks_lim_5() {
        let mut ledger = ledger();
        set(&mut ledger, 1);
        let refused = open(&mut ledger, Operation::Set, true);
        ledger.turn_away(&refused);
        let next = open(&mut ledger, Operation::Set, true);
        assert_eq!(settle(&mut ledger, &next, 23001, &refused.first_write.text(), 2).1, ["LIM-5"]);
    }

    #[test]
    fn a_deleted_key_may_go_on_from_its_seq_or_begin_anew() {
        for (code, seq) in [(0, 1), (0, 3), (23001, 2)] {
            let mut ledger = ledger();
            set(&mut ledger, 1);
            let delete = open(&mut ledger, Operation::Delete, true);
            assert_eq!(delete.operation, Operation::Delete);
            settle(&mut ledger, &delete, 0, "", 2);
            let again = open(&mut ledger, Operation::Set, true);
            let value = if code == 0 { again.first_write.text() } else { String::new() };
            let class = if code == 0 { Class::Accepted } else { Class::Conflict };
            assert_eq!(settle(&mut ledger, &again, code, &value, seq), (class, vec![]), "{code} {seq}");
        }
    }

    #[test]
    fn a_conflict_tells_the_seq_that_works_next() {
        let mut ledger = ledger();
        set(&mut ledger, 1);
        let delete = open(&mut ledger, Operation::Delete, true);
        settle(&mut ledger, &delete, 0, "", 2);
        for (seq, told) in [(0, (Class::Conflict, vec![])), (0, (Class::Error, vec!["SEQ-5".to_owned()]))] {
            let again = open(&mut ledger, Operation::Set, true);
            assert_eq!(settle(&mut ledger, &again, 23001, "", seq), told);
        }
    }

    #[test]
    fn a_delete_of_nothing_becomes_a_set_and_a_clear_waits_for_nobody() {
        let mut ledger = ledger();
        let ticket = open(&mut ledger, Operation::Delete, false);
        assert_eq!(ticket.operation, Operation::Set);
        let busy = ledger.open(0, Operation::Clear, 1, 4, LENGTH, false).expect("a free key");
        assert_eq!(busy.operation, Operation::Set);
        assert!(ledger.open(0, Operation::Set, 3, 4, LENGTH, false).is_none());
        let clear = ledger.open(1, Operation::Clear, 1, 4, LENGTH, false).expect("a free message");
        assert!(ledger.open(1, Operation::Set, 1, 4, LENGTH, false).is_none());
        assert_eq!(ledger.settle(&clear, &[], &mut Vec::new()), Class::Accepted);
        assert!(ledger.open(1, Operation::Set, 1, 4, LENGTH, false).is_some());
    }

    #[test]
    fn what_is_read_back_is_the_last_acknowledged_write() {
        let mut ledger = ledger();
        let written = set(&mut ledger, 1);
        let refused = open(&mut ledger, Operation::Set, true);
        ledger.turn_away(&refused);
        let clauses = |ledger: &Ledger, value: &str, seq: i64| {
            let mut differences = Vec::new();
            ledger.compare(0, &[("k1", value, seq)], &mut differences);
            differences.into_iter().map(|difference| difference.clause.into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(clauses(&ledger, &written.text(), 1), Vec::<String>::new());
        assert_eq!(clauses(&ledger, &written.text(), 2), ["SET-2"]);
        assert_eq!(clauses(&ledger, "", 1), ["SET-2"]);
        assert_eq!(clauses(&ledger, &refused.first_write.text(), 2), ["LIM-5"]);
    }

    #[test]
    fn a_key_that_nobody_set_is_found_also_on_a_message_that_nobody_wrote_to() {
        let mut ledger = ledger();
        let written = set(&mut ledger, 1).text();
        let subjects = |message, pairs: &[(&str, &str, i64)]| {
            let mut differences = Vec::new();
            ledger.compare(message, pairs, &mut differences);
            differences.into_iter().map(|difference| difference.subject).collect::<Vec<_>>()
        };
        assert_eq!(subjects(0, &[("ghost", "x", 9), ("k1", &written, 1)]), ["ghost read back"]);
        assert_eq!(subjects(0, &[("ghost", "", 9), ("k1", &written, 1)]), Vec::<String>::new());
        assert_eq!(subjects(1, &[("ghost", "x", 9), ("k1", "v", 1)]), ["k1 read back", "ghost read back"]);
        assert_eq!(subjects(1, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_missing_result_is_told_and_leaves_its_key_in_doubt() {
        let mut ledger = ledger();
        let ticket = ledger.open(0, Operation::Set, 2, 4, LENGTH, false).expect("free keys");
        let value = ticket.first_write.text();
        let mut differences = Vec::new();
        ledger.settle(&ticket, &[Item { code: 0, key: "k1", value: &value, seq: 1 }], &mut differences);
        assert_eq!(differences.iter().map(|difference| difference.clause.as_ref()).collect::<Vec<_>>(), ["SET-3", "SET-3"]);
    }
}
