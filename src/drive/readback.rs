//! Pages of `get_key_values` put together, whatever a page claims.

use crate::api::code;
use crate::api::message::{GetError, Page, decode_get};
use crate::api::reply::decode;
use crate::history::{HttpReply, Loss, Outcome};
use crate::judge::conform::pairs::Pairs;
use crate::judge::text::named;

/// More pages than 300 pairs can fill: beyond it a target pages in a circle.
const MAX_PAGES: usize = 16;

/// Why it is unknown what a message holds. Never that it holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the reply was lost: {0}")]
    Lost(Loss),
    /// The target will not tell.
    #[error("{what} was refused: {code} {info}")]
    Refused { what: &'static str, code: i64, info: String },
    #[error("{0}")]
    Unreadable(String),
}

impl ReadError {
    /// Whether the target has said that it does not do what was asked: not lost, not busy, not turned away by a limit.
    pub fn is_an_answer(&self) -> bool {
        match self {
            ReadError::Lost(_) => false,
            ReadError::Refused { code, .. } => *code != code::INTERNAL && !self.is_turned_away(),
            ReadError::Unreadable(_) => true,
        }
    }

    /// Whether a limit keeps the message from being read: a member reads by sets, which count.
    pub fn is_turned_away(&self) -> bool {
        matches!(self, ReadError::Refused { code, .. } if code::is_limit(*code))
    }
}

impl From<GetError> for ReadError {
    fn from(error: GetError) -> ReadError {
        match error {
            GetError::Refused { code, info } => ReadError::Refused { what: "get_key_values", code, info },
            GetError::Unreadable(_) => ReadError::Unreadable(error.to_string()),
        }
    }
}

/// Pages as they come in.
#[derive(Debug, Default)]
pub struct Pages {
    pairs: Pairs,
    start_seq: i64,
    count: usize,
}

impl Pages {
    /// Where the next page starts.
    pub fn start_seq(&self) -> i64 {
        self.start_seq
    }

    /// Takes in what the request for a page came to: `Some` pairs once the last page is in.
    pub fn take(&mut self, outcome: &Outcome) -> Result<Option<Pairs>, ReadError> {
        let Page { complete, pairs, .. } = match outcome {
            Outcome::Lost(loss) => return Err(ReadError::Lost(loss.clone())),
            Outcome::Replied(HttpReply { cut: Some(_), .. }) => {
                return Err(ReadError::Unreadable("the reply of get_key_values was cut short".to_owned()));
            }
            Outcome::Replied(reply) => match decode_get(&reply.body, reply.coding.as_deref())? {
                page if reply.status == 200 => page,
                _ => return Err(ReadError::Unreadable(format!("get_key_values answered HTTP {}", reply.status))),
            },
        };
        let last_seq = pairs.values().map(|(_, seq)| *seq).max();
        self.pairs.extend(pairs);
        self.count += 1;
        match last_seq {
            Some(last) if !complete && last >= self.start_seq && self.count < MAX_PAGES => {
                self.start_seq = last + 1;
                Ok(None)
            }
            _ if complete => Ok(Some(std::mem::take(&mut self.pairs))),
            _ => Err(ReadError::Unreadable("get_key_values never says that its pages are complete".to_owned())),
        }
    }
}

/// A Seq that no message reaches, and that still fits in 32 bits.
pub const UNREACHABLE_SEQ: i64 = 2_000_000_000;

/// The pairs of these keys as a member's set with [`UNREACHABLE_SEQ`] has told them: each refusal carries the pair (SEQ-3). A
/// key without an answer is unknown, not absent.
pub fn told_by_conflict(keys: &[String], outcome: &Outcome) -> Result<Pairs, ReadError> {
    let http = match outcome {
        Outcome::Lost(loss) => return Err(ReadError::Lost(loss.clone())),
        Outcome::Replied(http) => http,
    };
    let Some(reply) = decode(&http.body).0.filter(|_| http.cut.is_none()) else {
        return Err(ReadError::Unreadable("the reply to a set that cannot match cannot be read".to_owned()));
    };
    let refused = |code, info| Err(ReadError::Refused { what: "a set that cannot match", code, info });
    if reply.results.is_none() {
        return refused(reply.code, reply.info);
    }
    let mut pairs = Pairs::new();
    for key in keys {
        match reply.result(key) {
            None => return Err(ReadError::Unreadable(format!("a set of {} that cannot match got no answer", named(key)))),
            Some(result) if result.code == 0 => {
                return Err(ReadError::Unreadable(format!("a set of {} that cannot match was taken", named(key))));
            }
            Some(result) if result.code != code::SEQ_CONFLICT => return refused(result.code, format!("at {}", named(key))),
            Some(result) if result.extension.value.is_empty() => {}
            Some(result) => {
                pairs.insert(key.clone(), (result.extension.value.clone(), result.extension.seq));
            }
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Cut;

    fn page(complete: u8, key: &str, seq: i64) -> Outcome {
        let body = format!(
            r#"{{"ErrorCode":0,"CompleteFlag":{complete},"LatestSeq":9,"ClearSeq":0,"ExtensionList":[{{"Key":"{key}","Value":"v","Seq":{seq}}}]}}"#
        );
        Outcome::Replied(HttpReply { status: 200, body: body.into_bytes(), cut: None, coding: None })
    }

    #[test]
    fn pages_are_joined_at_the_last_seq_plus_one() {
        let mut pages = Pages::default();
        assert_eq!(pages.take(&page(0, "a", 4)), Ok(None));
        assert_eq!(pages.start_seq(), 5);
        let pairs = pages.take(&page(1, "b", 5)).expect("pages").expect("the last page");
        assert_eq!(pairs.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_read_that_is_lost_refused_or_damaged_is_unknown_and_only_a_refusal_is_an_answer() {
        let replied =
            |status, body: &str, cut| Outcome::Replied(HttpReply { status, body: body.as_bytes().to_vec(), cut, coding: None });
        let full = r#"{"ErrorCode":0,"CompleteFlag":1,"ExtensionList":[]}"#;
        let refused = |code: i64| format!(r#"{{"ErrorCode":{code},"ErrorInfo":"x"}}"#);
        let cases = [
            (Outcome::Lost(Loss::TimedOut), false),
            (replied(200, &refused(10002), None), false),
            (replied(200, &refused(60007), None), false),
            (replied(200, &refused(10004), None), true),
            (replied(404, "<html>", None), true),
            (replied(500, full, None), true),
            (replied(200, full, Some(Cut::Short)), true),
        ];
        for (outcome, is_an_answer) in cases {
            let why = Pages::default().take(&outcome).expect_err("no pairs");
            assert_eq!(why.is_an_answer(), is_an_answer, "{outcome:?}: {why}");
        }
        assert_eq!(Pages::default().take(&replied(200, full, None)), Ok(Some(Pairs::new())));
    }

    #[test]
    fn a_conflict_tells_the_pairs_of_the_keys_that_it_answers_and_a_key_without_an_answer_is_unknown() {
        let told = |items: &str| {
            let body = format!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[{items}]}}"#);
            let outcome = Outcome::Replied(HttpReply { status: 200, body: body.into_bytes(), cut: None, coding: None });
            told_by_conflict(&["a".to_owned(), "b".to_owned()], &outcome)
        };
        let item =
            |key, code, value| format!(r#"{{"ErrorCode":{code},"Extension":{{"Key":"{key}","Value":"{value}","Seq":4}}}}"#);
        let a = item("a", 23001, "v");
        let pairs = told(&format!("{a},{}", item("b", 23001, ""))).expect("both are told");
        assert_eq!(pairs, Pairs::from([("a".to_owned(), ("v".to_owned(), 4))]));
        assert!(told(&a).is_err());
        assert!(told(&format!("{a},{}", item("b", 0, "v"))).is_err());
        assert!(told(&format!("{a},{}", item("b", 23003, "v"))).is_err_and(|why| !why.is_an_answer()));
    }

    #[test]
    fn a_target_that_never_ends_is_given_up() {
        let mut pages = Pages::default();
        assert_eq!(pages.take(&page(0, "a", 4)), Ok(None));
        assert!(pages.take(&page(0, "a", 4)).is_err());
    }
}
