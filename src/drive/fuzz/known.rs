//! What is known of the keys of a case, as far as readings and replies settle it.

use std::collections::{BTreeMap, HashSet};

use crate::api::{Operation, Reply, code};
use crate::judge::conform::Sent;
use crate::model::rules::Gone;

/// What is known of a key that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKnown {
    Live,
    Deleted,
    Cleared,
    /// It is not set, and a refusal has told its Seq.
    Told,
    /// It is not set, and which Seq it expects is open.
    Open,
    /// Whether it is set is open, too: a set of it has just answered which Seq it expected.
    Asked,
}

/// Which Seqs gone keys expect; `None` where no reading has settled it.
#[derive(Clone, Copy, Debug)]
pub struct GoneKeys {
    pub deleted: Option<Gone>,
    pub cleared: Option<Gone>,
}

/// The keys of all messages of a case.
#[derive(Debug)]
pub struct KnownKeys {
    gone: GoneKeys,
    keys: BTreeMap<(&'static str, String), KeyKnown>,
    /// Keys that may have begun to count from 1 again.
    restarted: HashSet<(&'static str, String)>,
}

impl KnownKeys {
    pub fn new(gone: GoneKeys) -> KnownKeys {
        KnownKeys { gone, keys: BTreeMap::new(), restarted: HashSet::new() }
    }

    /// `None` for a key that was never set.
    pub fn of(&self, message: &'static str, key: &str) -> Option<KeyKnown> {
        self.keys.get(&(message, key.to_owned())).copied()
    }

    pub fn is_live(&self, message: &'static str, key: &str) -> bool {
        self.of(message, key) == Some(KeyKnown::Live)
    }

    /// Whether the key's Seq has only ever grown.
    pub fn goes_on(&self, message: &'static str, key: &str) -> bool {
        !self.restarted.contains(&(message, key.to_owned()))
    }

    /// The keys of a message that may be set.
    pub fn held(&self, message: &'static str) -> usize {
        let may_be = |known: &KeyKnown| matches!(known, KeyKnown::Live | KeyKnown::Asked);
        self.keys.iter().filter(|((of, _), known)| *of == message && may_be(known)).count()
    }

    /// The keys of a message of which it is known whether they are set.
    pub fn settled(&self, message: &'static str) -> Vec<String> {
        let settled = self.keys.iter().filter(|((of, _), known)| *of == message && **known != KeyKnown::Asked);
        settled.map(|((_, key), _)| key.clone()).collect()
    }

    /// Which Seq a key expects that is not set; the outer `None` where no reading has settled it.
    pub fn expects(&self, known: Option<KeyKnown>) -> Option<Gone> {
        match known {
            Some(KeyKnown::Deleted) => self.gone.deleted,
            Some(KeyKnown::Cleared) => self.gone.cleared,
            Some(KeyKnown::Told) => Some(Gone::Tombstone),
            Some(KeyKnown::Live | KeyKnown::Open | KeyKnown::Asked) => None,
            // One that never was is as one without a trace.
            None => Some(Gone::Reset),
        }
    }

    /// The question that a set with Seq 0 of this key would answer, where nothing has answered it for all keys.
    pub fn question(&self, message: &'static str, key: &str) -> Option<&'static str> {
        match self.of(message, key)? {
            KeyKnown::Deleted if self.gone.deleted.is_none() => Some("deleted-key"),
            KeyKnown::Cleared if self.gone.cleared.is_none() => Some("cleared-key"),
            _ => None,
        }
    }

    /// A set with Seq 0 has asked for which Seq the key waits.
    pub fn ask(&mut self, message: &'static str, key: &str) {
        self.keys.insert((message, key.to_owned()), KeyKnown::Asked);
    }

    /// Notes what became of the keys of a call.
    pub fn learn(&mut self, message: &'static str, operation: Operation, sent: &Sent, reply: &Reply) {
        if operation == Operation::Clear {
            return self.clear(message);
        }
        let gone = self.gone;
        for kv in &sent.kvs {
            let slot = (message, kv.key.clone());
            let was = self.keys.get(&slot).copied();
            let result = reply.result(&kv.key).map(|result| result.code);
            let now = match (operation, result, was) {
                (Operation::Set, Some(0), _) => KeyKnown::Live,
                (Operation::Delete, Some(0), Some(KeyKnown::Live)) => KeyKnown::Deleted,
                (Operation::Set, Some(code::SEQ_CONFLICT), Some(KeyKnown::Cleared)) if gone.cleared == Some(Gone::Tombstone) => {
                    KeyKnown::Told
                }
                // Whether a delete of what is not there counts is open.
                (Operation::Delete, _, Some(KeyKnown::Deleted)) if gone.deleted != Some(Gone::Reset) => KeyKnown::Open,
                (Operation::Delete, _, Some(KeyKnown::Cleared)) if gone.cleared != Some(Gone::Reset) => KeyKnown::Open,
                (Operation::Delete, _, Some(KeyKnown::Told)) => KeyKnown::Open,
                _ => continue,
            };
            let has_gone_on = match was {
                None | Some(KeyKnown::Live) => true,
                Some(KeyKnown::Deleted) => gone.deleted == Some(Gone::Tombstone),
                Some(_) => false,
            };
            if now == KeyKnown::Live && !has_gone_on {
                self.restarted.insert(slot.clone());
            }
            self.keys.insert(slot, now);
        }
    }

    fn clear(&mut self, message: &'static str) {
        // Whether a clear takes a tombstone with it is open.
        let is_left = self.gone.deleted != Some(Gone::Reset);
        for ((_, _), known) in self.keys.iter_mut().filter(|((of, _), _)| *of == message) {
            *known = match *known {
                KeyKnown::Live | KeyKnown::Cleared => KeyKnown::Cleared,
                KeyKnown::Deleted if !is_left => KeyKnown::Deleted,
                KeyKnown::Deleted | KeyKnown::Told | KeyKnown::Open | KeyKnown::Asked => KeyKnown::Open,
            };
        }
    }

    /// The message was read back. What that tells of a key that is gone is open, and `latest` is what was told last.
    pub fn look(&mut self, message: &'static str) {
        let gone = self.gone;
        let of_message = self.keys.iter_mut().filter(|((of, _), _)| *of == message);
        for (_, known) in of_message {
            match known {
                KeyKnown::Live | KeyKnown::Asked => {}
                KeyKnown::Cleared if gone.cleared == Some(Gone::Reset) => {}
                KeyKnown::Deleted if gone.deleted == Some(Gone::Reset) => {}
                _ => *known = KeyKnown::Open,
            }
        }
    }
}
