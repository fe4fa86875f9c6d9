//! The two sibling calls that a test needs: `openim/sendmsg` makes a message, `get_key_values` reads it back.
//!
//! Facts are the vendor's; only the fields that a test needs are modelled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reply::{coded, kept};

pub const SEND_PATH: &str = "/v4/openim/sendmsg";
pub const GET_PATH: &str = "/v4/openim_msg_ext_http_svc/get_key_values";

/// Most pairs in one page of `get_key_values`.
pub const GET_PAGE: usize = 200;

/// A message to be sent. `from: None` sends it as the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    pub from: Option<String>,
    pub to: String,
    pub random: u32,
    pub supports_extension: bool,
}

impl Send {
    pub fn to_json(&self) -> Value {
        /// Whoever comes upon it should know what it is.
        const TEXT: &str = "A test message of msgext, which tests message extensions: nobody needs it.";
        let mut body = json!({
            "SyncOtherMachine": 2,
            "To_Account": self.to,
            "MsgRandom": self.random,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": TEXT}}],
            "SupportMessageExtension": i32::from(self.supports_extension),
        });
        if let Some(from) = &self.from {
            body["From_Account"] = json!(from);
        }
        body
    }
}

/// The `MsgKey` of a `sendmsg` reply, or the code and reason of its refusal.
pub fn decode_send(body: &[u8], coding: Option<&str>) -> Result<String, String> {
    let reply = json_of(body, coding).map_err(|what| format!("sendmsg answered {what}"))?;
    match (reply["ErrorCode"].as_i64(), reply["MsgKey"].as_str()) {
        (Some(0), Some(msg_key)) => Ok(msg_key.to_owned()),
        (Some(0), None) => Err("sendmsg answered without a MsgKey".to_owned()),
        (Some(code), _) => Err(format!("sendmsg was refused: {code} {}", info(&reply))),
        (None, _) => Err("sendmsg answered without an ErrorCode".to_owned()),
    }
}

fn info(reply: &Value) -> String {
    kept(reply["ErrorInfo"].as_str().unwrap_or("").to_owned())
}

/// One page of `get_key_values`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub complete: bool,
    pub latest_seq: i64,
    pub clear_seq: i64,
    /// Key to (value, Seq); a deleted pair may be listed with an empty value.
    pub pairs: BTreeMap<String, (String, i64)>,
}

pub fn get_body(from: Option<&str>, to: &str, msg_key: &str, start_seq: i64) -> Value {
    let mut body = json!({"To_Account": to, "MsgKey": msg_key, "StartSeq": start_seq});
    if let Some(from) = from {
        body["From_Account"] = json!(from);
    }
    body
}

/// Why a reply of `get_key_values` does not tell what a message holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GetError {
    #[error("get_key_values was refused: {code} {info}")]
    Refused { code: i64, info: String },
    #[error("get_key_values answered {0}")]
    Unreadable(String),
}

/// The page, or why there is none.
pub fn decode_get(body: &[u8], coding: Option<&str>) -> Result<Page, GetError> {
    let unreadable = |what: String| Err(GetError::Unreadable(what));
    let reply = json_of(body, coding).map_err(GetError::Unreadable)?;
    match reply["ErrorCode"].as_i64() {
        Some(0) => {}
        Some(code) => return Err(GetError::Refused { code, info: info(&reply) }),
        None => return unreadable("without an ErrorCode".to_owned()),
    }
    let mut pairs = BTreeMap::new();
    for item in reply["ExtensionList"].as_array().into_iter().flatten() {
        let (Some(key), Some(value), Some(seq)) = (item["Key"].as_str(), item["Value"].as_str(), item["Seq"].as_i64()) else {
            return unreadable(kept(format!("with a pair without Key, Value or Seq: {item}")));
        };
        if pairs.insert(key.to_owned(), (value.to_owned(), seq)).is_some() {
            return unreadable(kept(format!("with key {key} twice")));
        }
    }
    Ok(Page {
        complete: reply["CompleteFlag"].as_i64() == Some(1),
        latest_seq: reply["LatestSeq"].as_i64().unwrap_or(0),
        clear_seq: reply["ClearSeq"].as_i64().unwrap_or(0),
        pairs,
    })
}

/// A body is read as it came, whatever coding its header names; or what was answered in place of JSON.
fn json_of(body: &[u8], coding: Option<&str>) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| {
        let why = coding.map_or_else(|| error.to_string(), coded);
        format!("something that is not JSON: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_without_support_says_so() {
        let send = Send { from: None, to: "b".into(), random: 1, supports_extension: false };
        assert_eq!(send.to_json()["SupportMessageExtension"], 0);
        assert!(send.to_json().get("From_Account").is_none());
    }

    #[test]
    fn a_refused_send_tells_its_code_and_an_accepted_one_its_key() {
        assert_eq!(decode_send(br#"{"ErrorCode":0,"MsgKey":"1_2_3"}"#, None), Ok("1_2_3".into()));
        assert_eq!(decode_send(br#"{"ErrorCode":70009,"ErrorInfo":"bad"}"#, None), Err("sendmsg was refused: 70009 bad".into()));
        assert!(decode_send(b"\xff", None).is_err());
        let coded = decode_send(b"\x1f\x8b", Some("gzip"));
        let why = "sendmsg answered something that is not JSON: coded as gzip, though no coding was asked for";
        assert_eq!(coded, Err(why.into()));
    }

    #[test]
    fn a_page_is_read_and_a_pair_without_seq_is_not_guessed() {
        let page = decode_get(
            br#"{"ErrorCode":0,"CompleteFlag":1,"LatestSeq":2,"ClearSeq":0,"ExtensionList":[{"Key":"k","Value":"v","Seq":2}]}"#,
            None,
        );
        assert_eq!(page.expect("a page").pairs["k"], ("v".to_owned(), 2));
        let unreadable = |body: &str| matches!(decode_get(body.as_bytes(), None), Err(GetError::Unreadable(_)));
        assert!(unreadable(r#"{"ErrorCode":0,"ExtensionList":[{"Key":"k","Value":"v"}]}"#));
        let pair = r#"{"Key":"k","Value":"v","Seq":2}"#;
        assert!(unreadable(&format!(r#"{{"ErrorCode":0,"CompleteFlag":1,"ExtensionList":[{pair},{pair}]}}"#)));
        assert!(unreadable("{}") && unreadable("<html>"));
    }

    #[test]
    fn a_refusal_is_told_from_a_reply_that_cannot_be_read() {
        let refused = decode_get(br#"{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"no such message"}"#, None);
        assert_eq!(refused, Err(GetError::Refused { code: 10004, info: "no such message".into() }));
    }
}
