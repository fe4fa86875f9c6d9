//! A reply decoded: leniently, so that one wrong field does not hide the others, and strictly, so that none goes unsaid.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::duplicates::{self, Members};

/// Replies beyond this many bytes are not read further. A lawful one holds 20 pairs of at most 1,100 bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// Of a text that a target sent no more than this is kept: far more than is ever shown, so that what is masked in it is masked
/// before it is cut.
pub const MOST_KEPT_BYTES: usize = 16 << 10;

/// The text as far as it is kept.
pub fn kept(mut text: String) -> String {
    if text.len() > MOST_KEPT_BYTES {
        text.truncate(text.floor_char_boundary(MOST_KEPT_BYTES));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

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

    /// The key's result. Where a key that stood twice was answered twice, the one that failed, or else the last.
    pub fn result(&self, key: &str) -> Option<&KeyResult> {
        let of_key = || self.results.iter().flatten().filter(|result| result.extension.key == key);
        of_key().find(|result| result.code != 0).or_else(|| of_key().next_back())
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
const TWICE_CLAUSE: &str = "HTTP-9";

/// More defects of one reply than this are counted and not told.
const MOST_DEFECTS: usize = 20;

/// The coding that a body is in by its `Content-Encoding` fields, if it is in any.
pub fn coding<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    fields.find(|field| !field.trim_ascii().is_empty() && !field.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Why a body in this coding cannot be read.
pub fn coded(coding: &str) -> String {
    format!("coded as {}, though no coding was asked for", excerpt(coding))
}

/// Reads a body that came in no coding. The reply is `None` where too little could be read to say what the answer was.
///
/// Only what is asked for is read: a field that nobody knows may hold any JSON, however deeply nested or large a number.
pub fn decode(body: &[u8]) -> (Option<Reply>, Vec<Defect>) {
    decode_coded(body, None)
}

/// As [`decode`]. A body is read as it came, whatever coding its header names; one that cannot be is so for its coding.
pub fn decode_coded(body: &[u8], coding: Option<&str>) -> (Option<Reply>, Vec<Defect>) {
    let mut defects = Vec::new();
    let reply = decode_body(body, coding, &mut defects);
    if defects.len() > MOST_DEFECTS {
        let left_out = defects.split_off(MOST_DEFECTS).len();
        defects.push(Defect {
            clause: defects[0].clause,
            place: "body".into(),
            expected: "no defect",
            actual: format!("{left_out} more of them"),
        });
    }
    (reply, defects)
}

/// The code at the top, for those who ask nothing else: what [`decode`] reads, at a fraction of its cost.
pub fn top_code(body: &[u8]) -> Option<i64> {
    let value: &RawValue = serde_json::from_slice(body).ok()?;
    serde_json::from_str(ReplyFields::of(value)?.get("ErrorCode")?.get()).ok()
}

fn decode_body(body: &[u8], coding: Option<&str>, defects: &mut Vec<Defect>) -> Option<Reply> {
    let mut whole = |expected, actual| {
        let (expected, actual) = coding.map_or((expected, actual), |coding| ("JSON", coded(coding)));
        defects.push(Defect { clause: STATUS_CLAUSE, place: "body".into(), expected, actual });
        None
    };
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return whole("UTF-8", error.to_string()),
    };
    let value: &RawValue = match serde_json::from_str(text) {
        Ok(value) => value,
        // The cause first: whoever cuts this cuts the body.
        Err(error) => return whole("JSON", format!("{error}: {}", excerpt(text))),
    };
    let Some(fields) = ReplyFields::of(value) else { return whole("an object", excerpt(value.get())) };
    defects.extend(duplicates::places(value).into_iter().map(|place| Defect {
        clause: TWICE_CLAUSE,
        place,
        expected: "each field once (RFC 8259, section 4)",
        actual: "twice".to_owned(),
    }));
    decode_object(&fields, defects)
}

/// The fields of an object, unread. Of one that stands twice the last counts, as for most readers of JSON.
struct ReplyFields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> ReplyFields<'a> {
    /// `None` where the value is no object.
    fn of(value: &'a RawValue) -> Option<ReplyFields<'a>> {
        serde_json::from_str::<Members>(value.get()).ok().map(|Members(fields)| ReplyFields(fields))
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The field as that type; what stands there goes to `defects` where it is none.
    fn read<T: Deserialize<'a>>(
        &self,
        (clause, place, name): (&'static str, &str, &str),
        expected: &'static str,
        defects: &mut Vec<Defect>,
    ) -> Option<T> {
        let value = self.get(name);
        let read = value.and_then(|value| serde_json::from_str(value.get()).ok());
        if read.is_none() {
            defects.push(wrong(clause, &format!("{place}{name}"), expected, value));
        }
        read
    }
}

fn decode_object(fields: &ReplyFields<'_>, defects: &mut Vec<Defect>) -> Option<Reply> {
    let status_word: Option<String> = fields.get("ActionStatus").and_then(|value| serde_json::from_str(value.get()).ok());
    let status = match status_word.as_deref() {
        Some("OK") => Some(ActionStatus::Ok),
        Some("FAIL") => Some(ActionStatus::Fail),
        _ => {
            defects.push(wrong(STATUS_CLAUSE, "ActionStatus", "\"OK\" or \"FAIL\"", fields.get("ActionStatus")));
            None
        }
    };
    let code: Option<i64> = fields.read((STATUS_CLAUSE, "", "ErrorCode"), "an integer", defects);
    let told: Option<String> = fields.read((STATUS_CLAUSE, "", "ErrorInfo"), "a string", defects);
    let results = match fields.get("ExtensionList").filter(|list| list.get() != "null") {
        None => None,
        Some(list) => {
            if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(list.get()) {
                Some(decode_results(&items, defects))
            } else {
                defects.push(wrong(RESULT_CLAUSE, "ExtensionList", "an array", Some(list)));
                None
            }
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
            actual: format!("{:?} with ErrorCode {code}", status_word.unwrap_or_default()),
        });
    }
    if code != 0 && told.as_deref() == Some("") {
        defects.push(Defect {
            clause: "HTTP-3",
            place: "ErrorInfo".into(),
            expected: "a reason",
            actual: format!("an empty ErrorInfo with ErrorCode {code}"),
        });
    }
    let status = status.unwrap_or(if code == 0 { ActionStatus::Ok } else { ActionStatus::Fail });
    Some(Reply { status, code, info: kept(told.unwrap_or_default()), results })
}

fn decode_results(items: &[&RawValue], defects: &mut Vec<Defect>) -> Vec<KeyResult> {
    items.iter().enumerate().filter_map(|(index, item)| decode_result(index, item, defects)).collect()
}

fn decode_result(index: usize, item: &RawValue, defects: &mut Vec<Defect>) -> Option<KeyResult> {
    let place = format!("ExtensionList[{index}]");
    let Some(fields) = ReplyFields::of(item) else {
        defects.push(wrong(RESULT_CLAUSE, &place, "an object", Some(item)));
        return None;
    };
    let code = fields.read((RESULT_CLAUSE, &format!("{place}."), "ErrorCode"), "an integer", defects);
    let Some(extension) = fields.get("Extension").and_then(ReplyFields::of) else {
        let place = format!("{place}.Extension");
        defects.push(wrong(RESULT_CLAUSE, &place, "an object with Key, Value and Seq", fields.get("Extension")));
        return None;
    };
    let place = format!("{place}.Extension.");
    let key = extension.read((RESULT_CLAUSE, &place, "Key"), "a string", defects);
    let value = extension.read((RESULT_CLAUSE, &place, "Value"), "a string", defects);
    let seq = extension.read((RESULT_CLAUSE, &place, "Seq"), "an integer", defects);
    Some(KeyResult { code: code?, extension: Extension { key: key?, value: value?, seq: seq? } })
}

fn wrong(clause: &'static str, place: &str, expected: &'static str, actual: Option<&RawValue>) -> Defect {
    let actual = match actual.map(RawValue::get) {
        None | Some("null") => "nothing, or null".to_owned(),
        Some(other) => excerpt(other),
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
    fn the_top_code_alone_is_the_one_that_the_whole_reply_has() {
        let bodies = [
            DOCUMENTED,
            r#"{"ActionStatus":"FAIL","ErrorCode":10002}"#,
            r#"{"ErrorCode":1,"ErrorCode":60007}"#,
            r#"{"ErrorCode":"10002"}"#,
            r#"{"ErrorCode":1e400}"#,
            r#"{"ActionStatus":"OK"}"#,
            "[10002]",
            r#"{"ErrorCode":10002"#,
            "",
        ];
        let codes = bodies.map(|body| top_code(body.as_bytes()));
        assert_eq!(codes, bodies.map(|body| decode(body.as_bytes()).0.map(|reply| reply.code)));
        assert_eq!(codes, [Some(0), Some(10002), Some(60007), None, None, None, None, None, None]);
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
    fn any_json_is_json_where_nobody_asks_for_it_and_only_there() {
        let with = |field: &str| format!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,{field}}}"#);
        let deep = format!(r#""A":{}{}"#, "[".repeat(200_000), "]".repeat(200_000));
        for field in [r#""A":1e400"#, r#""A":-0.0"#, r#""A":"\ud800""#, r#""A":123456789012345678901234567890"#, &deep] {
            assert_eq!(places(&with(field)), Vec::<String>::new(), "{}", &field[..20.min(field.len())]);
        }
        assert_eq!(places(&with(r#""A":01"#)), ["HTTP-2 body"]);
        assert_eq!(places(&with(r#""ExtensionList":1e400"#)), ["SET-3 ExtensionList"]);
        assert_eq!(places(r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":1e400}"#), ["HTTP-2 ErrorCode"]);
        assert_eq!(places(r#"{"ActionStatus":"OK","ErrorInfo":"\ud800","ErrorCode":0}"#), ["HTTP-2 ErrorInfo"]);
    }

    #[test]
    fn a_field_that_stands_twice_is_told_wherever_it_stands_and_the_last_one_counts() {
        let body = r#"{"ActionStatus":"OK","ErrorCode":10004,"ErrorInfo":"","\u0045rrorCode":0,"A":{"B":[{"C":1,"C":2}]},
            "ExtensionList":[{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":1,"Seq":2}}]}"#;
        let (reply, _) = decode(body.as_bytes());
        let reply = reply.expect("a reply");
        assert_eq!((reply.code, reply.results.expect("a list")[0].extension.seq), (0, 2));
        let mut told = places(body);
        told.sort();
        assert_eq!(told, ["HTTP-9 A.B[0].C", "HTTP-9 ErrorCode", "HTTP-9 ExtensionList[0].Extension.Seq"]);
    }

    #[test]
    fn of_very_many_defects_the_first_are_told_and_the_rest_counted() {
        let items = vec!["1"; 15_000].join(",");
        let body = format!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[{items}]}}"#);
        let (_, defects) = decode(body.as_bytes());
        assert_eq!((defects.len(), defects[20].actual.as_str()), (21, "14980 more of them"));
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
