//! A reply taken in: what it says is settled with the ledger, and the call gets its fate.

use crate::api::call::MAX_KVS;
use crate::api::reply::{Reply, decode_coded};
use crate::api::scan::{Item, Scanner};
use crate::api::{Operation, code};
use crate::history::{Class, Fate};
use crate::judge::load::ledger::{Difference, Ledger, Ticket, leaves_doubt};

/// A reply settled: its fate, and the code that tells it (the top level's, or the first key's that is not 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub fate: Fate,
    /// `None` where no code could be read.
    pub code: Option<i64>,
}

/// Settles one reply with the ledger; what is wrong with it goes to `differences`.
pub fn settle(
    scanner: &mut Scanner,
    ledger: &mut Ledger,
    ticket: &Ticket,
    (status, body, coding): (u16, &[u8], Option<&str>),
    differences: &mut Vec<Difference>,
) -> Settled {
    if status != 200 {
        differences.push(difference("HTTP-1", "HTTP status", "200", &status.to_string()));
    }
    let Some(reply) = scanner.scan(body) else { return settle_odd(ledger, ticket, (body, coding), differences) };
    let mut items = [Item::default(); MAX_KVS];
    let Some(results) = reply.results() else {
        return said(ledger, ticket, reply.code, false, &[], differences);
    };
    let count = results.len();
    if count > MAX_KVS {
        let items: Vec<Item<'_>> = results.collect();
        return said(ledger, ticket, reply.code, true, &items, differences);
    }
    items.iter_mut().zip(results).for_each(|(item, result)| *item = result);
    said(ledger, ticket, reply.code, true, &items[..count], differences)
}

/// A reply that is not plain: escapes, or defects, each of which is told.
fn settle_odd(
    ledger: &mut Ledger,
    ticket: &Ticket,
    (body, coding): (&[u8], Option<&str>),
    differences: &mut Vec<Difference>,
) -> Settled {
    let (reply, defects) = decode_coded(body, coding);
    differences
        .extend(defects.into_iter().map(|defect| difference(defect.clause, &defect.place, defect.expected, &defect.actual)));
    let Some(Reply { code, results, .. }) = reply else {
        ledger.lose(ticket);
        return Settled { fate: Fate::Error, code: None };
    };
    let has_list = results.is_some();
    let results = results.unwrap_or_default();
    let items: Vec<Item<'_>> = results
        .iter()
        .map(|result| {
            let extension = &result.extension;
            Item { code: result.code, key: &extension.key, value: &extension.value, seq: extension.seq }
        })
        .collect();
    said(ledger, ticket, code, has_list, &items, differences)
}

fn said(
    ledger: &mut Ledger,
    ticket: &Ticket,
    code: i64,
    has_list: bool,
    items: &[Item<'_>],
    differences: &mut Vec<Difference>,
) -> Settled {
    let told = Some(code);
    let by_key = ticket.operation != Operation::Clear;
    if code == 0 || (code == code::SEQ_CONFLICT && has_list && by_key) {
        // One key's conflict is its own: where another key worked, the top level says 0 (SEQ-4).
        if code != 0 && items.iter().any(|item| item.code == 0) {
            differences.push(difference("SEQ-4", "ErrorCode", "0, since a key worked", &code.to_string()));
        }
        let class = ledger.settle(ticket, items, differences);
        let first = items.iter().map(|item| item.code).find(|code| *code != 0);
        let first = first.filter(|_| by_key);
        let fate = match class {
            Class::Accepted => Fate::Accepted,
            Class::Conflict => Fate::Conflict,
            Class::Refused => Fate::RefusedForMessage,
            Class::Error | Class::Lost => Fate::Error,
        };
        return Settled { fate, code: first.or(told) };
    }
    if code::is_limit(code) {
        ledger.turn_away(ticket);
        let fate = if code == code::TOO_OFTEN { Fate::RefusedForMessage } else { Fate::RefusedForApp };
        return Settled { fate, code: told };
    }
    if !leaves_doubt(code) {
        differences.push(difference("SET-2", "ErrorCode", "0, or a limit's refusal", &code.to_string()));
    }
    ledger.lose(ticket);
    Settled { fate: Fate::Error, code: told }
}

fn difference(clause: &'static str, subject: &str, expected: &str, actual: &str) -> Difference {
    Difference { clause: clause.into(), subject: subject.to_owned(), expected: expected.to_owned(), actual: actual.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a first set of key k1, given the status and the body of its reply; `VALUE` stands for what was sent.
    fn settled(status: u16, body: &str) -> (Fate, Option<i64>, Vec<String>) {
        let mut ledger = Ledger::new(1, 1, 0, 1);
        let ticket = ledger.open(0, Operation::Set, 1, 1, 32, true).expect("a free key");
        let mut value = Vec::new();
        ledger.write(&ticket, 0).put(&mut value);
        let body = body.replace("VALUE", &String::from_utf8(value).expect("ASCII"));
        let mut differences = Vec::new();
        let Settled { fate, code } =
            settle(&mut Scanner::default(), &mut ledger, &ticket, (status, body.as_bytes(), None), &mut differences);
        (fate, code, differences.into_iter().map(|difference| difference.clause.into_owned()).collect())
    }

    #[test]
    fn a_reply_in_a_coding_names_it() {
        let mut ledger = Ledger::new(1, 1, 0, 1);
        let ticket = ledger.open(0, Operation::Set, 1, 1, 32, true).expect("a free key");
        let mut differences = Vec::new();
        let coded = (200, b"\x1f\x8b".as_slice(), Some("gzip"));
        let settled = settle(&mut Scanner::default(), &mut ledger, &ticket, coded, &mut differences);
        assert_eq!(settled, Settled { fate: Fate::Error, code: None });
        let told: Vec<_> = differences.iter().map(|told| (told.clause.as_ref(), told.actual.as_str())).collect();
        assert_eq!(told, [("HTTP-2", "coded as gzip, though no coding was asked for")]);
    }

    type Case = (u16, String, Fate, Option<i64>, Vec<&'static str>);

    #[test]
    fn a_clear_that_a_conflict_refuses_is_not_taken_for_done() {
        let mut ledger = Ledger::new(1, 1, 0, 1);
        let clear = ledger.open(0, Operation::Clear, 1, 1, 32, true).expect("a free message");
        let body = br#"{"ActionStatus":"FAIL","ErrorCode":23001,"ErrorInfo":"x","ExtensionList":[]}"#;
        let mut differences = Vec::new();
        let Settled { fate, .. } = settle(&mut Scanner::default(), &mut ledger, &clear, (200, body, None), &mut differences);
        assert_eq!((fate, &*differences[0].clause, differences.len()), (Fate::Error, "SET-2", 1));
    }

    #[test]
    fn each_reply_has_its_verdict_and_what_is_wrong_with_it_is_named() {
        const OK: &str = r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ExtensionList":[{"ErrorCode":0,"Extension":{"Key":"k1","Value":"VALUE","Seq":1}}]}"#;
        let by_key = OK.replace(r#"[{"ErrorCode":0"#, r#"[{"ErrorCode":23003"#);
        let conflict_at_the_top = OK.replace(
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""#,
            r#"{"ActionStatus":"FAIL","ErrorCode":23001,"ErrorInfo":"x"#,
        );
        let refused = |code: i64| format!(r#"{{"ActionStatus":"FAIL","ErrorCode":{code},"ErrorInfo":"x"}}"#);
        let cases: Vec<Case> = vec![
            (200, OK.into(), Fate::Accepted, Some(0), vec![]),
            (200, OK.replace("k1", r"\u006b1"), Fate::Accepted, Some(0), vec![]),
            (404, OK.into(), Fate::Accepted, Some(0), vec!["HTTP-1"]),
            (200, OK.replace("VALUE", "other"), Fate::Accepted, Some(0), vec!["SET-4"]),
            (200, OK.replace(r#""ErrorInfo":"","#, ""), Fate::Accepted, Some(0), vec!["HTTP-2"]),
            (200, by_key, Fate::RefusedForMessage, Some(23003), vec![]),
            (200, refused(23003), Fate::RefusedForMessage, Some(23003), vec![]),
            (200, conflict_at_the_top, Fate::Accepted, Some(23001), vec!["SEQ-4"]),
            (200, OK.replace(r#""ErrorInfo""#, r#""ErrorCode":0,"ErrorInfo""#), Fate::Accepted, Some(0), vec!["HTTP-9"]),
            (200, refused(23003).replace(r#""x""#, r#""""#), Fate::RefusedForMessage, Some(23003), vec!["HTTP-3"]),
            (200, OK.replace(r#""Seq":1"#, r#""Seq":0"#), Fate::Accepted, Some(0), vec!["SET-2"]),
            (200, refused(60007), Fate::RefusedForApp, Some(60007), vec![]),
            (200, refused(10002), Fate::Error, Some(10002), vec![]),
            (200, refused(10004), Fate::Error, Some(10004), vec!["SET-2"]),
            (200, "<html>".into(), Fate::Error, None, vec!["HTTP-2"]),
        ];
        for (status, body, fate, code, clauses) in cases {
            assert_eq!(settled(status, &body), (fate, code, clauses.into_iter().map(str::to_owned).collect()), "{status} {body}");
        }
    }
}
