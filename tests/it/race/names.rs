//! What is wrong with a few calls, by its name.

use msgext::api::{Call, Extension, KeyResult, Kv, MemberCalls, Operation, Reply, code};
use msgext::history::Identity;
use msgext::judge::race::judge;
use msgext::judge::race::raced::RacedHistory;

use super::history::{ADMIN, Made, exchanges};

const MSG_KEY: &str = "1_2_3";

/// A call on the key, one after another: each is sent when the one before has been answered.
fn made(nth: u64, operation: Operation, seq: Option<i64>, value: &str, reply: Option<Reply>) -> Made {
    let kv = Kv { key: "k".to_owned(), value: Some(value.to_owned()), seq };
    let kvs = (operation != Operation::Clear).then(|| vec![kv]);
    let call = Call { from: Some("s".to_owned()), to: "r".to_owned(), msg_key: MSG_KEY.to_owned(), operation, kvs };
    Made { client: 0, by_member: seq.is_some(), call, reply, sent: 100 * nth + 10, received: 100 * nth + 90 }
}

fn told(code: i64, value: &str, seq: i64) -> Reply {
    let extension = Extension { key: "k".to_owned(), value: value.to_owned(), seq };
    Reply::accepted(Some(vec![KeyResult { code, extension }]))
}

fn set(nth: u64, seq: Option<i64>, value: &str, given: i64) -> Made {
    made(nth, Operation::Set, seq, value, Some(told(0, value, given)))
}

/// A refusal, which shows what the key holds.
fn shows(nth: u64, value: &str, seq: i64) -> Made {
    made(nth, Operation::Set, Some(99), "never", Some(told(code::SEQ_CONFLICT, value, seq)))
}

fn lost(nth: u64, value: &str) -> Made {
    made(nth, Operation::Set, None, value, None)
}

/// The same at the time of the call before it.
fn beside(one: Made) -> Made {
    Made { sent: one.sent - 95, received: one.received - 95, ..one }
}

fn name(made: &[Made]) -> Option<&'static str> {
    let identity = Identity { admin: ADMIN.to_owned(), member_calls: MemberCalls::Identifier };
    let verdict = judge(&RacedHistory::read(&exchanges(made), &identity, [MSG_KEY]));
    assert_eq!(verdict.linearizable, Some(verdict.anomalies.is_empty()));
    verdict.anomalies.first().map(|anomaly| anomaly.name)
}

#[test]
fn each_anomaly_has_its_name_and_what_is_lawful_and_near_it_has_none() {
    let refused = || Some(Reply::refusal(code::TOO_OFTEN, "too often"));
    let limited = made(0, Operation::Set, None, "a", refused());
    let clear = made(1, Operation::Clear, Some(0), "", Some(Reply::accepted(None)));
    let cases: [(&str, Vec<Made>, Vec<Made>); 8] = [
        ("phantom", vec![limited.clone(), shows(1, "a", 1)], vec![limited, shows(1, "", 0)]),
        (
            "two winners of one Seq",
            vec![set(0, Some(0), "a", 1), beside(set(1, Some(0), "b", 1))],
            vec![set(0, Some(0), "a", 1), beside(set(1, Some(1), "b", 2))],
        ),
        (
            "Seq given twice",
            vec![set(0, None, "a", 1), beside(set(1, None, "b", 1))],
            vec![set(0, None, "a", 1), beside(set(1, None, "b", 2))],
        ),
        (
            "Seq gone back",
            vec![lost(0, "a"), lost(1, "b"), set(2, None, "c", 3), set(3, None, "d", 2)],
            vec![lost(0, "a"), lost(1, "b"), set(2, None, "c", 2), set(3, None, "d", 4)],
        ),
        (
            "lost update",
            vec![set(0, None, "a", 1), lost(1, "b"), shows(2, "b", 1)],
            vec![set(0, None, "a", 1), lost(1, "b"), shows(2, "b", 2)],
        ),
        (
            "write undone by an earlier clear",
            vec![set(0, None, "a", 1), clear.clone(), set(2, Some(0), "b", 1), shows(3, "b", 1), shows(4, "", 0)],
            vec![set(0, None, "a", 1), clear, set(2, Some(0), "b", 1), shows(3, "b", 1), shows(4, "b", 1)],
        ),
        (
            "stale refusal",
            vec![set(0, None, "a", 1), set(1, None, "b", 2), shows(2, "a", 1), shows(3, "b", 2)],
            vec![set(0, None, "a", 1), set(1, None, "b", 2), beside(shows(2, "a", 1)), shows(3, "b", 2)],
        ),
        (
            "acknowledged write missing",
            vec![set(0, None, "a", 1), set(1, None, "b", 2), shows(2, "a", 1)],
            vec![set(0, None, "a", 1), lost(1, "b"), shows(2, "a", 1)],
        ),
    ];
    for (expected, unlawful, lawful) in cases {
        assert_eq!(name(&unlawful), Some(expected), "{unlawful:#?}");
        assert_eq!(name(&lawful), None, "{expected}: {lawful:#?}");
    }
}
