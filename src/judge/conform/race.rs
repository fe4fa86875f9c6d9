//! Calls at the same time with the same Seq: one wins.

use super::At;
use crate::api::{KeyResult, Reply, code};
use crate::judge::text::{named, quoted};
use crate::verdict::Finding;

/// Of calls with the same Seq exactly one may set the key (clause SEQ-7); each other carries the winner's pair. `replies` come
/// with the indices of their exchanges.
pub fn one_wins(key: &str, replies: &[(usize, &Reply)], at: &At) -> Vec<Finding> {
    let results = replies.iter().filter_map(|(exchange, reply)| reply.result(key).map(|result| (*exchange, result)));
    let (winners, losers): (Vec<_>, Vec<_>) = results.partition(|(_, result)| result.code == 0);
    let [(_, winner)] = winners.as_slice() else {
        let expected = format!("exactly one of {} calls sets it", replies.len());
        return vec![at.finding(named(key), expected, format!("{} did", winners.len()))];
    };
    let lost_lawfully = |loser: &KeyResult| loser.code == code::SEQ_CONFLICT && loser.extension == winner.extension;
    let unlawful = losers.into_iter().filter(|(_, loser)| !lost_lawfully(loser));
    unlawful
        .map(|(exchange, loser)| {
            let at = At { exchange: Some(exchange), ..at.clone() };
            let expected = format!("23001 with the winner's {}", pair(winner));
            at.finding(named(key), expected, format!("{} with {}", loser.code, pair(loser)))
        })
        .collect()
}

fn pair(result: &KeyResult) -> String {
    format!("{} Seq {}", quoted(&result.extension.value), result.extension.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Extension;

    fn reply(code: i64, value: &str, seq: i64) -> Reply {
        let extension = Extension { key: "k".into(), value: value.into(), seq };
        Reply::accepted(Some(vec![KeyResult { code, extension }]))
    }

    fn findings(replies: &[Reply]) -> usize {
        let at = At { clause: "SEQ-7".into(), place: "/scenarios/0/steps/0".into(), exchange: None };
        let replies: Vec<(usize, &Reply)> = replies.iter().enumerate().collect();
        one_wins("k", &replies, &at).len()
    }

    #[test]
    fn one_winner_whose_pair_the_others_carry_is_lawful() {
        assert_eq!(findings(&[reply(23001, "b", 1), reply(0, "b", 1), reply(23001, "b", 1)]), 0);
    }

    #[test]
    fn two_winners_none_and_a_loser_with_another_pair_are_not() {
        assert_eq!(findings(&[reply(0, "a", 1), reply(0, "b", 2)]), 1);
        assert_eq!(findings(&[reply(23001, "", 0), reply(23001, "", 0)]), 1);
        assert_eq!(findings(&[reply(0, "a", 1), reply(23001, "b", 1)]), 1);
        assert_eq!(findings(&[reply(0, "a", 1), reply(10004, "a", 1)]), 1);
    }
}
