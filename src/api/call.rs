//! One `set_key_values` request body as a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Path of the command (clause URL-1).
pub const PATH: &str = "/v4/openim_msg_ext_http_svc/set_key_values";

/// Most key/value pairs in one call.
pub const MAX_KVS: usize = 20;
/// Longest key, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 100;
/// Longest value, in bytes of UTF-8.
pub const MAX_VALUE_BYTES: usize = 1000;
/// Most pairs on one message (told by the vendor elsewhere, so a `should`).
pub const MAX_KVS_PER_MESSAGE: usize = 300;

/// What a call does; the numbers are `OperateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Set = 1,
    Delete = 2,
    Clear = 3,
}

impl Operation {
    pub const ALL: [Operation; 3] = [Operation::Set, Operation::Delete, Operation::Clear];

    pub fn from_number(number: i64) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| *operation as i64 == number)
    }
}

/// One pair of a call. `None` means that the field is left out of the JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kv {
    pub key: String,
    pub value: Option<String>,
    pub seq: Option<i64>,
}

impl Kv {
    pub fn to_json(&self) -> Value {
        let mut item = Map::new();
        item.insert("Key".into(), json!(self.key));
        if let Some(value) = &self.value {
            item.insert("Value".into(), json!(value));
        }
        if let Some(seq) = self.seq {
            item.insert("Seq".into(), json!(seq));
        }
        Value::Object(item)
    }
}

/// One well-formed request body. `from` is the sender of the *message*, not of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub from: Option<String>,
    pub to: String,
    pub msg_key: String,
    pub operation: Operation,
    /// `None` leaves `ExtensionList` out, as a clear does.
    pub kvs: Option<Vec<Kv>>,
}

impl Call {
    /// The call in a body; `None` for one that is not of the documented form.
    pub fn read(body: &[u8]) -> Option<Call> {
        let body: CallBody = serde_json::from_slice(body).ok()?;
        let kv = |item: KvBody| Kv { key: item.key, value: item.value, seq: item.seq };
        Some(Call {
            from: body.from,
            to: body.to,
            msg_key: body.msg_key,
            operation: Operation::from_number(body.operation)?,
            kvs: body.kvs.map(|kvs| kvs.into_iter().map(kv).collect()),
        })
    }

    /// The pairs that it names.
    pub fn pairs(&self) -> &[Kv] {
        self.kvs.as_deref().unwrap_or_default()
    }

    pub fn to_json(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(from) = &self.from {
            body.insert("From_Account".into(), json!(from));
        }
        body.insert("To_Account".into(), json!(self.to));
        body.insert("MsgKey".into(), json!(self.msg_key));
        body.insert("OperateType".into(), json!(self.operation as i64));
        if let Some(kvs) = &self.kvs {
            body.insert("ExtensionList".into(), kvs.iter().map(Kv::to_json).collect());
        }
        body
    }
}

/// The fields of a body, by their names.
#[derive(Deserialize)]
struct CallBody {
    #[serde(rename = "From_Account", default)]
    from: Option<String>,
    #[serde(rename = "To_Account")]
    to: String,
    #[serde(rename = "MsgKey")]
    msg_key: String,
    #[serde(rename = "OperateType")]
    operation: i64,
    #[serde(rename = "ExtensionList", default)]
    kvs: Option<Vec<KvBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KvBody {
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    seq: Option<i64>,
}

/// How members call (the readings of clause WHO-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemberCalls {
    /// As the `identifier` of the URL, where that is no admin's.
    Identifier,
    /// As `From_Account`, where an admin calls with it.
    FromAccount,
    /// Not at all.
    #[serde(rename = "none")]
    Nobody,
}

impl MemberCalls {
    /// The name of the reading.
    pub fn answer(self) -> &'static str {
        match self {
            MemberCalls::Identifier => "identifier",
            MemberCalls::FromAccount => "from-account",
            MemberCalls::Nobody => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_own_delete_example_is_rendered_field_for_field() {
        let call = Call {
            from: Some("62768".into()),
            to: "116400".into(),
            msg_key: "44739199_12_1665388280".into(),
            operation: Operation::Delete,
            kvs: Some(vec![Kv { key: "key1".into(), value: Some(String::new()), seq: Some(1) }]),
        };
        let expected = json!({
            "From_Account": "62768", "To_Account": "116400", "MsgKey": "44739199_12_1665388280",
            "OperateType": 2, "ExtensionList": [{"Key": "key1", "Value": "", "Seq": 1}]
        });
        assert_eq!(Value::Object(call.to_json()), expected);
        assert_eq!(Call::read(expected.to_string().as_bytes()), Some(call));
    }

    #[test]
    fn a_body_without_a_required_field_or_with_one_of_another_type_is_no_call() {
        let body = json!({"To_Account": "b", "MsgKey": "1_2_3", "OperateType": 3});
        assert!(Call::read(body.to_string().as_bytes()).is_some());
        for (field, value) in [("To_Account", Value::Null), ("MsgKey", json!(1)), ("OperateType", json!(4))] {
            let mut body = body.clone();
            body[field] = value;
            assert_eq!(Call::read(body.to_string().as_bytes()), None, "{field}");
        }
        assert_eq!(Call::read(b"{"), None);
    }

    #[test]
    fn fields_that_are_none_are_left_out_not_null() {
        let call = Call { from: None, to: "b".into(), msg_key: "1_2_3".into(), operation: Operation::Clear, kvs: None };
        assert_eq!(Value::Object(call.to_json()), json!({"To_Account": "b", "MsgKey": "1_2_3", "OperateType": 3}));
    }

    #[test]
    fn operate_types_are_one_two_three_and_nothing_else() {
        assert_eq!(Operation::from_number(2), Some(Operation::Delete));
        assert_eq!(Operation::from_number(0), None);
        assert_eq!(Operation::from_number(4), None);
    }
}
