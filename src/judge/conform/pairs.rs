//! The pairs of a message as they were read back, against what they have to be.

use std::collections::{BTreeMap, BTreeSet};

use super::At;
use super::memory::Memory;
use crate::judge::text::{named, quoted};
use crate::scenario::conform::text::{KeyState, SeqExpect};
use crate::verdict::Finding;

/// Key to (value, Seq). A deleted pair may be listed with an empty value.
pub type Pairs = BTreeMap<String, (String, i64)>;

/// Every pair that is not what it was.
pub fn changes(before: &Pairs, after: &Pairs, at: &At) -> Vec<Finding> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed
        .map(|key| at.finding(named(key), format!("still {}", pair_said(before.get(key))), pair_said(after.get(key))))
        .collect()
}

fn pair_said(pair: Option<&(String, i64)>) -> String {
    pair.map_or_else(|| "absent".to_owned(), |(value, seq)| format!("{} Seq {seq}", quoted(value)))
}

/// A key that was read back, where it is not what it has to be.
pub fn differs(
    key: &str,
    state: &KeyState,
    pair: Option<&(String, i64)>,
    memory: &Memory,
    message: &str,
    at: &At,
) -> Option<Finding> {
    // A deleted pair may be kept as one with an empty value.
    let live = pair.filter(|(value, _)| !value.is_empty());
    let (expected, fits) = match (state, pair) {
        (KeyState::Absent, _) => ("absent".to_owned(), live.is_none()),
        (KeyState::Present { value, seq }, pair) => {
            let expected_seq = seq.and_then(|seq| match seq {
                SeqExpect::Number(seq) => Some((seq, false)),
                SeqExpect::Latest => Some((memory.latest(message, key), false)),
                SeqExpect::Grown => memory.floor(message, key).map(|floor| (floor, true)),
            });
            let value_said = value.as_ref().map_or_else(|| "a value".to_owned(), |value| quoted(&value.0));
            let seq_said =
                expected_seq.map_or_else(String::new, |(seq, grown)| format!(" Seq {}{seq}", if grown { "above " } else { "" }));
            let fits = pair.is_some_and(|(actual, actual_seq)| {
                value.as_ref().is_none_or(|value| value.0 == *actual)
                    && expected_seq.is_none_or(|(seq, grown)| if grown { *actual_seq > seq } else { *actual_seq == seq })
            });
            (format!("{value_said}{seq_said}"), fits)
        }
    };
    (!fits).then(|| at.finding(named(key), expected, pair_said(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::conform::text::Text;

    fn at() -> At {
        At { clause: "REQ-13".into(), place: "/scenarios/0/steps/0".into(), exchange: None }
    }

    fn pairs(pairs: &[(&str, &str, i64)]) -> Pairs {
        pairs.iter().map(|(key, value, seq)| ((*key).to_owned(), ((*value).to_owned(), *seq))).collect()
    }

    #[test]
    fn a_message_that_stayed_as_it_was_has_no_change_and_each_other_key_is_named() {
        let before = pairs(&[("a", "v", 1), ("b", "v", 1), ("c", "v", 1)]);
        assert_eq!(changes(&before, &before, &at()), []);
        let after = pairs(&[("a", "v", 1), ("b", "v", 2), ("d", "v", 1)]);
        let changed = changes(&before, &after, &at());
        let told: Vec<String> = changed.iter().map(|finding| format!("{}: {}", finding.subject, finding.actual)).collect();
        assert_eq!(told, ["b: \"v\" Seq 2", "c: absent", "d: \"v\" Seq 1"]);
    }

    #[test]
    fn a_deleted_pair_is_absent_with_or_without_its_tombstone() {
        let differs = |state: &KeyState, pair: Option<(&str, i64)>| {
            let pair = pair.map(|(value, seq)| (value.to_owned(), seq));
            differs("k", state, pair.as_ref(), &Memory::default(), "m", &at())
        };
        assert_eq!(differs(&KeyState::Absent, None), None);
        assert_eq!(differs(&KeyState::Absent, Some(("", 2))), None);
        assert!(differs(&KeyState::Absent, Some(("v", 2))).is_some());
        let value = |seq| KeyState::Present { value: Some(Text("v".into())), seq };
        assert_eq!(differs(&value(Some(SeqExpect::Number(2))), Some(("v", 2))), None);
        assert!(differs(&value(Some(SeqExpect::Number(2))), Some(("v", 3))).is_some());
        assert!(differs(&value(None), Some(("w", 2))).is_some());
        assert!(differs(&value(None), None).is_some());
    }
}
