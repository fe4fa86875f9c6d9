//! A call that a limit refused changes nothing (LIM-5): what messages hold in the end, against what was set on them.

use super::Decision;
use super::verdict::LimitClause;
use crate::judge::text::named;
use crate::verdict::Verdict;

const CLAUSE: &str = "LIM-5";

/// A set of the one key on a message, in the order of their sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetValue {
    pub value: String,
    pub decision: Decision,
}

/// A message that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMessage {
    pub sets: Vec<SetValue>,
    /// The key's value, or why it is unknown.
    pub value: Result<Option<String>, String>,
}

/// Whether a message that holds this can tell: a refused set came last, after one that was carried out.
pub fn can_tell(sets: &[SetValue]) -> bool {
    let is_last_refused = sets.last().is_some_and(|last| last.decision == Decision::Refused);
    is_last_refused && sets.iter().any(|set| set.decision == Decision::Admitted)
}

/// What the messages come to that were read back.
pub fn judge(read: &[ReadMessage]) -> LimitClause {
    let of = |verdict, why: &str| LimitClause { clause: CLAUSE, verdict, why: why.to_owned() };
    let mut unknown = "no message was refused a set in the end";
    let mut is_seen = false;
    for ReadMessage { sets, value } in read {
        match value {
            Err(why) => unknown = why,
            Ok(Some(value)) => match sets.iter().find(|set| set.value == *value).map(|set| set.decision) {
                Some(Decision::Refused) => {
                    let why = format!("a message holds {}, which a refused call set", named(value));
                    return of(Verdict::Fail, &why);
                }
                Some(Decision::Admitted) => is_seen = true,
                _ => unknown = "a message holds what no call is known to have set",
            },
            Ok(None) => unknown = "a message does not hold what was set on it",
        }
    }
    if is_seen { of(Verdict::Pass, "") } else { of(Verdict::Unknown(unknown.to_owned()), unknown) }
}

/// It was not looked at.
pub fn skipped(why: &str) -> LimitClause {
    LimitClause { clause: CLAUSE, verdict: Verdict::Skipped(why.to_owned()), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(decisions: &[Decision]) -> Vec<SetValue> {
        (1..).zip(decisions).map(|(number, decision)| SetValue { value: format!("{number}"), decision: *decision }).collect()
    }

    #[test]
    fn a_message_that_holds_a_refused_calls_value_breaks_the_clause_and_an_admitted_ones_keeps_it() {
        let history = sets(&[Decision::Admitted, Decision::Refused]);
        let judged = |value: Result<Option<&str>, &str>| {
            let value = value.map(|value| value.map(str::to_owned)).map_err(str::to_owned);
            judge(&[ReadMessage { sets: history.clone(), value }]).verdict
        };
        assert_eq!(judged(Ok(Some("1"))), Verdict::Pass);
        assert_eq!(judged(Ok(Some("2"))), Verdict::Fail);
        for unknown in [Ok(Some("3")), Ok(None), Err("lost")] {
            assert!(matches!(judged(unknown), Verdict::Unknown(_)), "{unknown:?}");
        }
        assert!(matches!(judge(&[]).verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn only_a_message_whose_last_set_was_refused_can_tell() {
        use Decision::{Admitted, Refused};
        assert!(can_tell(&sets(&[Admitted, Refused])));
        assert!(![&[Refused][..], &[Refused, Admitted], &[Admitted], &[]].into_iter().any(|sets_of| can_tell(&sets(sets_of))));
    }
}
