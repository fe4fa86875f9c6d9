//! What the target last told of each key: where `latest`, `stale` and "the Seq grew" come from.

use std::collections::HashMap;

use super::Sent;
use crate::api::{KeyResult, Operation, Reply, code};

/// What a scenario knows of its messages, from replies alone.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    keys: HashMap<(String, String), Known>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The Seq last told.
    seq: i64,
    /// A later set has to give more than this. `None` after a delete, whose Seq may start again.
    floor: Option<i64>,
    live: bool,
}

impl Memory {
    /// The Seq last told for the key; 0 for one that was never seen.
    pub fn latest(&self, message: &str, key: &str) -> i64 {
        self.known(message, key).map_or(0, |known| known.seq)
    }

    /// What the next set's Seq has to exceed, where that is known.
    pub fn floor(&self, message: &str, key: &str) -> Option<i64> {
        self.known(message, key).and_then(|known| known.floor)
    }

    /// Whether some key of the message is known to be set.
    pub fn holds_any(&self, message: &str) -> bool {
        self.keys.iter().any(|((of, _), known)| of == message && known.live)
    }

    /// The keys of the message that were ever told of, in order.
    pub fn keys(&self, message: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = self.keys.keys().filter(|(of, _)| of == message).map(|(_, key)| key.as_str()).collect();
        keys.sort_unstable();
        keys
    }

    fn known(&self, message: &str, key: &str) -> Option<&Known> {
        self.keys.get(&(message.to_owned(), key.to_owned()))
    }

    /// Takes in a reply to a set, delete or clear.
    pub fn learn(&mut self, sent: &Sent, reply: &Reply) {
        if sent.operation == Some(Operation::Clear) {
            if reply.code == 0 {
                self.keys.retain(|(of, _), _| *of != sent.message);
            }
            return;
        }
        // A result for a key that the call did not name is a finding, and nothing that anyone would read back. What a raw call
        // names only its author knows.
        let is_named = |result: &&KeyResult| sent.operation.is_none() || sent.kvs.iter().any(|kv| kv.key == result.extension.key);
        for result in reply.results.iter().flatten().filter(is_named) {
            let (seq, slot) = (result.extension.seq, (sent.message.clone(), result.extension.key.clone()));
            let floor = self.keys.get(&slot).and_then(|known| known.floor);
            let known = match (sent.operation, result.code) {
                (Some(Operation::Set), 0) => {
                    // Replies to parallel calls come in any order: the highest Seq is the latest.
                    let seq = floor.map_or(seq, |floor| floor.max(seq));
                    Known { seq, floor: Some(seq), live: true }
                }
                (Some(Operation::Delete), 0) => Known { seq, floor: None, live: false },
                (_, code::SEQ_CONFLICT) => {
                    let live = !result.extension.value.is_empty();
                    Known { seq, floor: live.then_some(seq), live }
                }
                _ => continue,
            };
            self.keys.insert(slot, known);
        }
    }

    /// Takes in a pair that was read back.
    pub fn learn_pair(&mut self, message: &str, key: &str, value: &str, seq: i64) {
        let live = !value.is_empty();
        self.keys.insert((message.to_owned(), key.to_owned()), Known { seq, floor: live.then_some(seq), live });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Extension, Kv};

    fn sent(operation: Operation) -> Sent {
        Sent { message: "m".into(), operation: Some(operation), kvs: vec![Kv { key: "k".into(), value: None, seq: None }] }
    }

    fn reply(code: i64, value: &str, seq: i64) -> Reply {
        Reply::accepted(Some(vec![KeyResult { code, extension: Extension { key: "k".into(), value: value.into(), seq } }]))
    }

    #[test]
    fn a_key_never_seen_is_at_zero_and_a_set_moves_it() {
        let mut memory = Memory::default();
        assert_eq!((memory.latest("m", "k"), memory.floor("m", "k")), (0, None));
        memory.learn(&sent(Operation::Set), &reply(0, "v", 3));
        assert_eq!((memory.latest("m", "k"), memory.floor("m", "k"), memory.holds_any("m")), (3, Some(3), true));
        assert_eq!(memory.latest("other", "k"), 0);
    }

    #[test]
    fn a_key_that_the_call_did_not_name_is_not_learnt_unless_nobody_knows_what_it_names() {
        for (operation, keys) in [(Some(Operation::Set), vec![]), (Some(Operation::Delete), vec![]), (None, vec!["k"])] {
            let mut memory = Memory::default();
            memory.learn(&Sent { message: "m".into(), operation, kvs: Vec::new() }, &reply(23001, "v", 3));
            assert_eq!(memory.keys("m"), keys, "{operation:?}");
        }
    }

    #[test]
    fn a_conflict_tells_the_latest_and_another_failure_tells_nothing() {
        let mut memory = Memory::default();
        memory.learn(&sent(Operation::Set), &reply(23001, "v", 7));
        assert_eq!(memory.latest("m", "k"), 7);
        memory.learn(&sent(Operation::Set), &reply(23003, "v", 9));
        assert_eq!(memory.latest("m", "k"), 7);
    }

    #[test]
    fn a_delete_keeps_the_seq_but_asks_no_growth_and_a_clear_forgets() {
        let mut memory = Memory::default();
        memory.learn(&sent(Operation::Set), &reply(0, "v", 1));
        memory.learn(&sent(Operation::Delete), &reply(0, "", 2));
        assert_eq!((memory.latest("m", "k"), memory.floor("m", "k"), memory.holds_any("m")), (2, None, false));
        memory.learn(&sent(Operation::Clear), &Reply::accepted(None));
        assert_eq!(memory.latest("m", "k"), 0);
        memory.learn(&sent(Operation::Set), &reply(0, "v", 1));
        memory.learn(&sent(Operation::Clear), &Reply::refusal(10004, "no"));
        assert_eq!(memory.latest("m", "k"), 1);
    }
}
