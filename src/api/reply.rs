//! A reply decoded: leniently, so that one wrong field does not hide the others, and strictly, so that none goes unsaid.

use serde_json::Value;

/// Replies beyond this many bytes are not read further. A lawful one holds 20 pairs of at most 1,100 bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionStatus {
    Ok,
    Fail,
}

/// A pair as the server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub key: String,
    pub value: String,
    pub seq: i64,
}

/// What became of one key of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyResult {
    pub code: i64,
    pub extension: Extension,
}

/// A reply, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: ActionStatus,
    pub code: i64,
    pub info: String,
    /// `None` where the reply has no `ExtensionList`.
    pub results: Option<Vec<KeyResult>>,
}

impl Reply {
    pub fn refusal(code: i64, info: impl Into<String>) -> Reply {
        Reply { status: ActionStatus::Fail, code, info: info.into(), results: None }
    }

    pub fn accepted(results: Option<Vec<KeyResult>>) -> Reply {
        Reply { status: ActionStatus::Ok, code: 0, info: String::new(), results }
    }

    /// The key's result; the last, where a key that stood twice was answered twice.
    pub fn result(&self, key: &str) -> Option<&KeyResult> {
        self.results.iter().flatten().rfind(|result| result.extension.key == key)
    }
}

/// One place where a reply is not of the documented form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The clause that the form breaks.
    pub clause: &'static str,
    /// Where in the reply: `ErrorCode`, `ExtensionList[2].Extension.Seq`.
    pub place: String,
    pub expected: &'static str,
    pub actual: String,
}

const STATUS_CLAUSE: &str = "HTTP-2";
const RESULT_CLAUSE: &str = "SET-3";

/// The coding that a body is in by its `Content-Encoding` fields, if it is in any.
pub fn coding<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    fields.find(|field| !field.trim_ascii().is_empty() && !field.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Why a body in this coding cannot be read.
pub fn coded(coding: &str) -> String {
    format!("coded as {}, though no coding was asked for", excerpt(coding))
}

/// Reads a body that came in no coding. The reply is `None` where too little could be read to say what the answer was.
pub fn decode(body: &[u8]) -> (Option<Reply>, Vec<Defect>) {
    decode_coded(body, None)
}

/// As [`decode`]. A body is read as it came, whatever coding its header names; one that cannot be is so for its coding.
pub fn decode_coded(body: &[u8], coding: Option<&str>) -> (Option<Reply>, Vec<Defect>) {
    let mut defects = Vec::new();
    let value = match json(body) {
        Ok(value) => value,
        Err((expected, actual)) => {
            let (expected, actual) = coding.map_or((expected, actual), |coding| ("JSON", coded(coding)));
            defects.push(Defect { clause: STATUS_CLAUSE, place: "body".into(), expected, actual });
            return (None, defects);
        }
    };
    if !value.is_object() {
        defects.push(wrong(STATUS_CLAUSE, "body", "an object", &value));
        return (None, defects);
    }
    let reply = decode_object(&value, &mut defects);
    (reply, defects)
}

/// The JSON, or what was expected in its place and what came.
fn json(body: &[u8]) -> Result<Value, (&'static str, String)> {
    let text = std::str::from_utf8(body).map_err(|error| ("UTF-8", error.to_string()))?;
    serde_json::from_str(text).map_err(|error| ("JSON", format!("{}: {error}", excerpt(text))))
}

fn decode_object(value: &Value, defects: &mut Vec<Defect>) -> Option<Reply> {
    let status = match value["ActionStatus"].as_str() {
        Some("OK") => Some(ActionStatus::Ok),
        Some("FAIL") => Some(ActionStatus::Fail),
        _ => {
            defects.push(wrong(STATUS_CLAUSE, "ActionStatus", "\"OK\" or \"FAIL\"", &value["ActionStatus"]));
            None
        }
    };
    let code = integer(value, "ErrorCode", "ErrorCode", STATUS_CLAUSE, defects);
    let info = string(value, "ErrorInfo", "ErrorInfo", STATUS_CLAUSE, defects).unwrap_or_default();
    let results = match value.get("ExtensionList") {
        None | Some(Value::Null) => None,
        Some(Value::Array(items)) => Some(decode_results(items, defects)),
        Some(other) => {
            defects.push(wrong(RESULT_CLAUSE, "ExtensionList", "an array", other));
            None
        }
    };
    let code = code?;
    if let Some(status) = status
        && (status == ActionStatus::Ok) != (code == 0)
    {
        defects.push(Defect {
            clause: STATUS_CLAUSE,
            place: "ActionStatus".into(),
            expected: "FAIL exactly when ErrorCode is not 0",
            actual: format!("{} with ErrorCode {code}", value["ActionStatus"]),
        });
    }
    if code != 0 && info.is_empty() && value["ErrorInfo"].is_string() {
        defects.push(Defect {
            clause: "HTTP-3",
            place: "ErrorInfo".into(),
            expected: "a reason",
            actual: format!("an empty ErrorInfo with ErrorCode {code}"),
        });
    }
    let status = status.unwrap_or(if code == 0 { ActionStatus::Ok } else { ActionStatus::Fail });
    Some(Reply { status, code, info, results })
}

fn decode_results(items: &[Value], defects: &mut Vec<Defect>) -> Vec<KeyResult> {
    items.iter().enumerate().filter_map(|(index, item)| decode_result(index, item, defects)).collect()
}

fn decode_result(index: usize, item: &Value, defects: &mut Vec<Defect>) -> Option<KeyResult> {
    let place = format!("ExtensionList[{index}]");
    if !item.is_object() {
        defects.push(wrong(RESULT_CLAUSE, &place, "an object", item));
        return None;
    }
    let code = integer(item, "ErrorCode", &format!("{place}.ErrorCode"), RESULT_CLAUSE, defects);
    let extension = &item["Extension"];
    if !extension.is_object() {
        defects.push(wrong(RESULT_CLAUSE, &format!("{place}.Extension"), "an object with Key, Value and Seq", extension));
        return None;
    }
    let place = format!("{place}.Extension");
    let key = string(extension, "Key", &format!("{place}.Key"), RESULT_CLAUSE, defects);
    let value = string(extension, "Value", &format!("{place}.Value"), RESULT_CLAUSE, defects);
    let seq = integer(extension, "Seq", &format!("{place}.Seq"), RESULT_CLAUSE, defects);
    Some(KeyResult { code: code?, extension: Extension { key: key?, value: value?, seq: seq? } })
}

fn integer(object: &Value, field: &str, place: &str, clause: &'static str, defects: &mut Vec<Defect>) -> Option<i64> {
    let number = object[field].as_i64();
    if number.is_none() {
        defects.push(wrong(clause, place, "an integer", &object[field]));
    }
    number
}

fn string(object: &Value, field: &str, place: &str, clause: &'static str, defects: &mut Vec<Defect>) -> Option<String> {
    let text = object[field].as_str().map(str::to_owned);
    if text.is_none() {
        defects.push(wrong(clause, place, "a string", &object[field]));
    }
    text
}

fn wrong(clause: &'static str, place: &str, expected: &'static str, actual: &Value) -> Defect {
    let actual = match actual {
        // Indexing a JSON object gives null for a field that is not there.
        Value::Null => "nothing, or null".to_owned(),
        other => excerpt(&other.to_string()),
    };
    Defect { clause, place: place.to_owned(), expected, actual }
}

fn excerpt(text: &str) -> String {
    const CHARS: usize = 60;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    text.chars().take(CHARS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[
        {"ErrorCode":0,"Extension":{"Key":"k1","Value":"v1","Seq":1}},
        {"ErrorCode":23001,"Extension":{"Key":"k2","Value":"v1234","Seq":2}}]}"#;

    fn places(body: &str) -> Vec<String> {
        decode(body.as_bytes()).1.into_iter().map(|defect| format!("{} {}", defect.clause, defect.place)).collect()
    }

    #[test]
    fn the_documents_own_reply_has_no_defect() {
        let (reply, defects) = decode(DOCUMENTED.as_bytes());
        assert_eq!(defects, vec![]);
        let reply = reply.expect("a reply");
        assert_eq!(reply.result("k2").expect("k2").extension.value, "v1234");
        assert_eq!(reply.result("k2").expect("k2").code, 23001);
    }

    #[test]
    fn unknown_fields_are_tolerated() {
        assert!(places(r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"Seq":3,"RequestId":"x"}"#).is_empty());
    }

    #[test]
    fn each_wrong_field_is_named_and_the_rest_still_read() {
        let cases = [
            (r#"{"ActionStatus":"ok","ErrorInfo":"","ErrorCode":0}"#, vec!["HTTP-2 ActionStatus"]),
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":"0"}"#, vec!["HTTP-2 ErrorCode"]),
            (r#"{"ActionStatus":"OK","ErrorCode":0}"#, vec!["HTTP-2 ErrorInfo"]),
            (r#"{"ActionStatus":"OK","ErrorInfo":"x","ErrorCode":10004}"#, vec!["HTTP-2 ActionStatus"]),
            (r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":10004}"#, vec!["HTTP-3 ErrorInfo"]),
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":{}}"#, vec!["SET-3 ExtensionList"]),
            (
                r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[{"Key":"k","Value":"v","Seq":1}]}"#,
                vec!["SET-3 ExtensionList[0].ErrorCode", "SET-3 ExtensionList[0].Extension"],
            ),
            (
                r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":"1"}}]}"#,
                vec!["SET-3 ExtensionList[0].Extension.Seq"],
            ),
            ("[]", vec!["HTTP-2 body"]),
            ("", vec!["HTTP-2 body"]),
        ];
        for (body, expected) in cases {
            assert_eq!(places(body), expected, "{body}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_a_defect_not_a_panic() {
        let (reply, defects) = decode(b"{\"ErrorInfo\":\"\xff\"}");
        assert!(reply.is_none());
        assert_eq!(defects[0].expected, "UTF-8");
    }

    #[test]
    fn a_body_that_its_coding_makes_unreadable_names_it_and_one_that_can_be_read_is() {
        let (reply, defects) = decode_coded(b"\x1f\x8b\x08\xff", Some("gzip"));
        assert!(reply.is_none());
        let [Defect { clause: "HTTP-2", place, expected: "JSON", actual }] = defects.as_slice() else { panic!("{defects:?}") };
        assert_eq!((place.as_str(), actual.as_str()), ("body", "coded as gzip, though no coding was asked for"));
        assert_eq!(decode_coded(DOCUMENTED.as_bytes(), Some("gzip")), decode(DOCUMENTED.as_bytes()));
    }

    #[test]
    fn a_coding_is_whatever_is_not_identity() {
        let of = |fields: &[&'static str]| coding(fields.iter().map(|field| field.as_bytes()));
        assert_eq!((of(&[]), of(&[""]), of(&["identity"]), of(&[" Identity "])), (None, None, None, None));
        assert_eq!(of(&["identity", "gzip"]), Some(b"gzip".as_slice()));
        assert_eq!(of(&["deflate, br"]), Some(b"deflate, br".as_slice()));
    }
}
