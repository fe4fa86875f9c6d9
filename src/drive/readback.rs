//! Pages of `get_key_values` put together, whatever a page claims.

use crate::api::message::{Page, decode_get};
use crate::history::Outcome;
use crate::judge::conform::pairs::Pairs;

/// More pages than 300 pairs can fill: beyond it a target pages in a circle.
const MAX_PAGES: usize = 16;

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
    pub fn take(&mut self, outcome: &Outcome) -> Result<Option<Pairs>, String> {
        let page = match outcome {
            Outcome::Lost(loss) => return Err(loss.to_string()),
            Outcome::Replied(reply) => decode_get(&reply.body, reply.coding.as_deref())?,
        };
        let Page { complete, pairs, .. } = page;
        let last_seq = pairs.values().map(|(_, seq)| *seq).max();
        self.pairs.extend(pairs);
        self.count += 1;
        match last_seq {
            Some(last) if !complete && last >= self.start_seq && self.count < MAX_PAGES => {
                self.start_seq = last + 1;
                Ok(None)
            }
            _ if complete => Ok(Some(std::mem::take(&mut self.pairs))),
            _ => Err("get_key_values never says that its pages are complete".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::HttpReply;

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
    fn a_target_that_never_ends_is_given_up() {
        let mut pages = Pages::default();
        assert_eq!(pages.take(&page(0, "a", 4)), Ok(None));
        assert!(pages.take(&page(0, "a", 4)).is_err());
    }
}
