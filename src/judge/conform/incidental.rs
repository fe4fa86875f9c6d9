//! Readings that any reply may show, without a scenario that asks for them.

use super::Sent;
use super::memory::Memory;
use crate::api::{Operation, Reply, code};

/// With fewer keys, or sorted ones, a target that answers in an order of its own could pass for one that keeps the call's.
const KEYS_THAT_SHOW_ORDER: usize = 8;

/// Question and answer for each reading that the reply shows. `memory` is from before the call.
pub fn readings(sent: &Sent, reply: &Reply, memory: &Memory) -> Vec<(&'static str, &'static str)> {
    [order(sent, reply), all_failed(reply), clear_list(sent, reply, memory), limit_place(sent, reply)]
        .into_iter()
        .flatten()
        .collect()
}

fn order(sent: &Sent, reply: &Reply) -> Option<(&'static str, &'static str)> {
    let asked = sent.keys();
    let results = reply.results.as_ref().filter(|_| reply.code == 0)?;
    let told: Vec<&str> = results.iter().map(|result| result.extension.key.as_str()).collect();
    let shows =
        asked.len() >= KEYS_THAT_SHOW_ORDER && told.len() == asked.len() && !asked.is_sorted() && !asked.iter().rev().is_sorted();
    shows.then_some(("order", if asked == told { "request" } else { "any" }))
}

fn all_failed(reply: &Reply) -> Option<(&'static str, &'static str)> {
    let results = reply.results.as_ref().filter(|results| !results.is_empty())?;
    let conflicts = results.iter().all(|result| result.code == code::SEQ_CONFLICT);
    conflicts.then_some(("all-failed", if reply.code == 0 { "ok" } else { "fail" }))
}

fn clear_list(sent: &Sent, reply: &Reply, memory: &Memory) -> Option<(&'static str, &'static str)> {
    let shows = sent.operation == Some(Operation::Clear) && reply.code == 0 && memory.holds_any(&sent.message);
    let answer = match &reply.results {
        None => "absent",
        Some(results) if results.is_empty() => "empty",
        Some(_) => "keys",
    };
    shows.then_some(("clear-list", answer))
}

fn limit_place(sent: &Sent, reply: &Reply) -> Option<(&'static str, &'static str)> {
    if !matches!(sent.operation, Some(Operation::Set | Operation::Delete)) {
        return None;
    }
    let results = reply.results.as_deref().unwrap_or_default();
    if reply.code == code::TOO_OFTEN {
        return Some(("limit-place", "top"));
    }
    let each = !results.is_empty() && results.iter().all(|result| result.code == code::TOO_OFTEN);
    each.then_some(("limit-place", "each-key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Extension, KeyResult, Kv};

    fn sent(operation: Operation, keys: &[&str]) -> Sent {
        let kvs = keys.iter().map(|key| Kv { key: (*key).to_owned(), value: None, seq: None }).collect();
        Sent { message: "m".into(), operation: Some(operation), kvs }
    }

    fn results(code: i64, keys: &[&str]) -> Vec<KeyResult> {
        let result =
            |key: &&str| KeyResult { code, extension: Extension { key: (*key).to_owned(), value: String::new(), seq: 1 } };
        keys.iter().map(result).collect()
    }

    #[test]
    fn order_shows_only_on_many_unsorted_keys() {
        let keys = ["d", "a", "h", "b", "g", "c", "f", "e"];
        let mut reversed = keys;
        reversed.reverse();
        let call = sent(Operation::Set, &keys);
        let memory = Memory::default();
        assert_eq!(readings(&call, &Reply::accepted(Some(results(0, &keys))), &memory), [("order", "request")]);
        assert_eq!(readings(&call, &Reply::accepted(Some(results(0, &reversed))), &memory), [("order", "any")]);
        let sorted = ["a", "b", "c", "d", "e", "f", "g", "h"];
        assert_eq!(readings(&sent(Operation::Set, &sorted), &Reply::accepted(Some(results(0, &sorted))), &memory), []);
    }

    #[test]
    fn a_wholly_failed_call_shows_what_its_top_level_says_and_a_partly_failed_one_does_not() {
        let call = sent(Operation::Set, &["a"]);
        let memory = Memory::default();
        assert_eq!(readings(&call, &Reply::accepted(Some(results(23001, &["a"]))), &memory), [("all-failed", "ok")]);
        let fails = Reply { results: Some(results(23001, &["a"])), ..Reply::refusal(23001, "all") };
        assert_eq!(readings(&call, &fails, &memory), [("all-failed", "fail")]);
        assert_eq!(readings(&call, &Reply::accepted(Some(results(0, &["a"]))), &memory), []);
    }

    #[test]
    fn a_clear_shows_its_list_only_where_there_was_something_to_clear() {
        let call = sent(Operation::Clear, &[]);
        let mut memory = Memory::default();
        assert_eq!(readings(&call, &Reply::accepted(Some(vec![])), &memory), []);
        memory.learn_pair("m", "a", "v", 1);
        assert_eq!(readings(&call, &Reply::accepted(Some(vec![])), &memory), [("clear-list", "empty")]);
        assert_eq!(readings(&call, &Reply::accepted(None), &memory), [("clear-list", "absent")]);
    }

    #[test]
    fn a_limit_shows_its_place() {
        let call = sent(Operation::Set, &["a"]);
        let memory = Memory::default();
        assert_eq!(readings(&call, &Reply::refusal(23003, "slow"), &memory), [("limit-place", "top")]);
        assert_eq!(readings(&call, &Reply::accepted(Some(results(23003, &["a"]))), &memory), [("limit-place", "each-key")]);
    }
}
