//! What is wrong with a few calls, by its name.

use msgext::api::{Call, Extension, KeyResult, Kv, MemberCalls, Operation, Reply, code};
use msgext::history::Identity;
use msgext::judge::race::raced::RacedHistory;
use msgext::judge::race::{RaceVerdict, judge};

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

fn verdict(made: &[Made]) -> RaceVerdict {
    judged_from(Some(MSG_KEY), made)
}

/// The verdict where the message was made in the history, or was there before.
fn judged_from(fresh: Option<&str>, made: &[Made]) -> RaceVerdict {
    let identity = Identity { admin: ADMIN.to_owned(), member_calls: MemberCalls::Identifier };
    judge(&RacedHistory::read(&exchanges(made), &identity, fresh))
}

fn name(made: &[Made]) -> Option<&'static str> {
    let verdict = verdict(made);
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

#[test]
fn a_hundred_lost_calls_are_no_reason_to_give_up() {
    let a_hundred: Vec<Made> = (0..100).map(|nth| lost(nth, "the same")).collect();
    let then = |more: &[Made]| verdict(&[a_hundred.as_slice(), more].concat());
    let came = |given| [set(100, None, "a", given), shows(101, "a", given), lost(102, "b"), shows(103, "the same", given + 9)];
    // So many of them came before the set, and some after it.
    assert_eq!(then(&came(41)).linearizable, Some(true));
    // And what was there then did not come back.
    assert_eq!(then(&[&came(41)[..], &[shows(104, "a", 41)]].concat()).linearizable, Some(false));
}

#[test]
fn a_key_named_twice_in_a_call_is_not_changed_after_its_reply() {
    let mut twice = set(1, None, "b", 2);
    twice.call.kvs.iter_mut().for_each(|kvs| kvs.push(kvs[0].clone()));
    let lost = Made { reply: None, ..twice.clone() };
    let (before, after) = (set(0, None, "a", 1), set(2, None, "c", 3));
    for (is_lawful, made) in [
        // Either of its two pairs may have counted, or both.
        (true, vec![before.clone(), twice.clone(), after.clone(), shows(3, "c", 3)]),
        (true, vec![before.clone(), twice.clone(), shows(2, "b", 9)]),
        (false, vec![before.clone(), twice, after.clone(), shows(3, "b", 9)]),
        (true, vec![before, lost, after, shows(3, "b", 9)]),
    ] {
        assert_eq!(verdict(&made).linearizable, Some(is_lawful), "{made:#?}");
    }
}

#[test]
fn a_delete_of_what_may_not_be_there_tells_any_seq() {
    let delete = |nth, seq, told_seq| made(nth, Operation::Delete, seq, "", Some(told(0, "", told_seq)));
    let is_lawful = |fresh, made: &[Made]| judged_from(fresh, made).linearizable == Some(true);
    // A deleted key's Seq may go on, and whether a member's Seq has to match it is open (DEL-3, DEL-4).
    let gone_on = [delete(1, Some(6), 8), set(2, Some(8), "a", 9)];
    assert!(is_lawful(None, &gone_on));
    // Of what is there it has to.
    assert!(!is_lawful(Some(MSG_KEY), &[&[set(0, None, "b", 1)], &gone_on[..]].concat()));
    // One that tells no Seq leaves the key with that which it had.
    let untold = [delete(0, None, 0), set(1, Some(7), "a", 8)];
    assert!(is_lawful(None, &untold) && !is_lawful(Some(MSG_KEY), &untold));
}
