//! A reply put into bytes.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rules::{BodyForm, Info, ItemForm, LeftOut, StatusWords, Wire};
use crate::api::{ActionStatus, KeyResult, Reply};

/// What goes back over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// How long a queueing limiter holds it back.
    pub delay: Duration,
}

impl Response {
    pub fn json(value: &Value) -> Response {
        Response { status: 200, content_type: "application/json", body: value.to_string().into_bytes(), delay: Duration::ZERO }
    }
}

pub fn render(wire: &Wire, reply: &Reply) -> Response {
    let json = Value::Object(object(wire, reply));
    let status = if reply.code == 0 { 200 } else { wire.refusal_status };
    let (content_type, body) = match wire.body {
        BodyForm::Json => ("application/json", json.to_string().into_bytes()),
        BodyForm::Html => ("text/html", format!("<html><body>{json}</body></html>").into_bytes()),
        BodyForm::Empty => ("application/json", Vec::new()),
        BodyForm::Latin1 => ("application/json", latin1(&json.to_string())),
        BodyForm::InArray => ("application/json", json!([json]).to_string().into_bytes()),
        BodyForm::WithByteOrderMark => ("application/json", format!("\u{feff}{json}").into_bytes()),
        BodyForm::InCallback => ("application/javascript", format!("callback({json})").into_bytes()),
        BodyForm::Twice => ("application/json", format!("{json}{json}").into_bytes()),
        BodyForm::CutTo(bytes) => ("application/json", json.to_string().into_bytes().into_iter().take(bytes).collect()),
    };
    Response { status, content_type, body, delay: Duration::ZERO }
}

fn object(wire: &Wire, reply: &Reply) -> Map<String, Value> {
    let mut object = Map::new();
    let fails_in_part = reply.results.iter().flatten().any(|result| result.code != 0);
    let status = match (wire.status_words, reply.status) {
        (StatusWords::FailsInPart, _) if fails_in_part => Some("FAIL"),
        (StatusWords::Missing, _) => None,
        (StatusWords::AlwaysOk, _) | (StatusWords::Documented | StatusWords::FailsInPart, ActionStatus::Ok) => Some("OK"),
        (StatusWords::Documented | StatusWords::FailsInPart, ActionStatus::Fail) => Some("FAIL"),
        (StatusWords::Lowercase, ActionStatus::Ok) => Some("ok"),
        (StatusWords::Lowercase, ActionStatus::Fail) => Some("fail"),
    };
    if let Some(status) = status {
        object.insert("ActionStatus".into(), status.into());
    }
    match wire.info {
        Info::Reason => drop(object.insert("ErrorInfo".into(), reply.info.as_str().into())),
        Info::Empty => drop(object.insert("ErrorInfo".into(), "".into())),
        Info::Null => drop(object.insert("ErrorInfo".into(), Value::Null)),
        Info::Missing => {}
    }
    if reply.code != 0 || wire.leaves_out != LeftOut::Code {
        object.insert("ErrorCode".into(), number(wire.codes_as_strings, reply.code));
    }
    if let Some(results) = &reply.results {
        object.insert(wire.list_name.into(), list(wire, results));
    }
    if wire.extra_fields {
        object.insert("Seq".into(), 1.into());
        object.insert("RequestId".into(), "5f0c".into());
    }
    object
}

fn list(wire: &Wire, results: &[KeyResult]) -> Value {
    if wire.item == ItemForm::ByKey {
        return results.iter().map(|result| (result.extension.key.clone(), item(wire, result))).collect::<Map<_, _>>().into();
    }
    results.iter().map(|result| item(wire, result)).collect()
}

fn item(wire: &Wire, result: &KeyResult) -> Value {
    let code = number(wire.codes_as_strings, result.code);
    let mut extension = json!({
        "Key": result.extension.key,
        "Value": result.extension.value,
        "Seq": number(wire.seqs_as_strings, result.extension.seq),
    });
    if wire.extra_fields {
        extension["UpdateTime"] = json!(1_665_388_280);
    }
    if result.extension.value.is_empty() && wire.leaves_out == LeftOut::Values {
        extension = without(extension, "Value");
    }
    match wire.item {
        ItemForm::NullWhereFailed if result.code != 0 => json!({"ErrorCode": code, "Extension": null}),
        ItemForm::Wrapped if result.code == 0 && wire.leaves_out == LeftOut::ItemCodes => json!({"Extension": extension}),
        ItemForm::Wrapped | ItemForm::ByKey | ItemForm::NullWhereFailed => json!({"ErrorCode": code, "Extension": extension}),
        ItemForm::WithoutCode => json!({"Extension": extension}),
        ItemForm::WithoutSeq => json!({"ErrorCode": code, "Extension": without(extension, "Seq")}),
        ItemForm::WithoutValue => json!({"ErrorCode": code, "Extension": without(extension, "Value")}),
        ItemForm::Flat => {
            extension["ErrorCode"] = code;
            extension
        }
    }
}

fn without(mut extension: Value, field: &str) -> Value {
    if let Value::Object(fields) = &mut extension {
        fields.remove(field);
    }
    extension
}

fn number(as_string: bool, number: i64) -> Value {
    if as_string { number.to_string().into() } else { number.into() }
}

/// A byte a character, as a server does that takes its text for Latin-1: no longer UTF-8 beyond ASCII.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}
