//! A body read into a call, field by field, and a call checked against the bounds (section "request body").

use serde_json::{Map, Value};

use super::gate::Refusal;
use super::rules::{DuplicateKeys, EmptyValue, Rules};
use crate::api::MemberCalls;
use crate::api::{Call, Kv, Operation};

/// Who acts, once the body is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    Admin,
    Account(String),
}

/// Which message a body names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub from: Option<String>,
    pub to: String,
    pub msg_key: String,
}

/// A body whose message could be read. Its pairs may still be refused.
#[derive(Clone, Debug)]
pub struct ParsedCall {
    pub call: Call,
    pub operator: Operator,
    /// A field of another type than it has to be; the call has what else could be read.
    pub fault: Option<Refusal>,
}

/// Reads a body into its JSON object.
pub fn object(rules: &Rules, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let bad = |info: String| Refusal::new(rules.codes.bad_json, info);
    if body.len() > rules.bounds.body_bytes {
        return Err(invalid(rules, &format!("a body of {} bytes is longer than {}", body.len(), rules.bounds.body_bytes)));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(bad("the body is no JSON object".to_owned())),
        Err(_) if rules.fields.lenient_json => {
            // Reads the first JSON value and leaves whatever follows it.
            match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
                Some(Ok(Value::Object(object))) => Ok(object),
                _ => Err(bad("the body is not JSON".to_owned())),
            }
        }
        Err(error) => Err(bad(format!("the body is not JSON: {error}"))),
    }
}

/// Reads a set, delete or clear.
pub fn draft(rules: &Rules, body: &Map<String, Value>, identifier: &str, is_admin: bool) -> Result<ParsedCall, Refusal> {
    if rules.fields.refuses_unknown_fields
        && let Some(field) = body
            .keys()
            .find(|field| !["From_Account", "To_Account", "MsgKey", "OperateType", "ExtensionList"].contains(&field.as_str()))
    {
        return Err(Refusal::new(rules.codes.invalid, format!("unknown field {field}")));
    }
    let Address { from, to, msg_key } = address(rules, body)?;
    let operator = operator(rules, identifier, is_admin, from.as_deref());
    let (operation, kvs, fault) = match operation(rules, body) {
        Ok(operation) => {
            let (kvs, fault) = pairs(rules, operation, body.get("ExtensionList"));
            (operation, kvs, fault)
        }
        // A set of nothing is all that is known of it.
        Err(fault) => (Operation::Set, None, Some(fault)),
    };
    Ok(ParsedCall { call: Call { from, to, msg_key, operation, kvs }, operator, fault })
}

/// Reads which message a body names; `get_key_values` names it the same way.
pub fn address(rules: &Rules, body: &Map<String, Value>) -> Result<Address, Refusal> {
    let from = match text(rules, body, "From_Account") {
        Err(_) if rules.fields.passes_over_bad_from => None,
        from => from?,
    };
    let to = text(rules, body, "To_Account")?.unwrap_or_default();
    let msg_key = text(rules, body, "MsgKey")?.unwrap_or_default();
    check_names(rules, from.as_deref(), &to, &msg_key)?;
    Ok(Address { from, to, msg_key })
}

/// Whether everything is there that has to be in order to name a message.
pub fn check_names(rules: &Rules, from: Option<&str>, to: &str, msg_key: &str) -> Result<(), Refusal> {
    let fields = &rules.fields;
    let required = [
        ("From_Account", from.unwrap_or_default(), fields.from_required),
        ("To_Account", to, fields.to_required),
        ("MsgKey", msg_key, fields.msg_key_required),
    ];
    match required.into_iter().find(|(_, text, required)| *required && text.is_empty()) {
        Some((field, ..)) => Err(invalid(rules, &format!("{field} is missing or empty"))),
        None => Ok(()),
    }
}

fn operator(rules: &Rules, identifier: &str, is_admin: bool, from: Option<&str>) -> Operator {
    match (is_admin, rules.access.members, from) {
        (true, MemberCalls::FromAccount, Some(from)) if from != identifier => Operator::Account(from.to_owned()),
        (true, ..) => Operator::Admin,
        (false, ..) => Operator::Account(identifier.to_owned()),
    }
}

/// The pairs that could be read, and why not all of them were.
fn pairs(rules: &Rules, operation: Operation, list: Option<&Value>) -> (Option<Vec<Kv>>, Option<Refusal>) {
    let items = match list {
        // A clear's list means nothing to a lawful endpoint, whatever it is.
        Some(_) if operation == Operation::Clear => return (Some(listed_keys(list)), None),
        None | Some(Value::Null) => return (None, None),
        Some(Value::Array(items)) => items.as_slice(),
        Some(item @ Value::Object(_)) if rules.fields.takes_single_item => std::slice::from_ref(item),
        Some(_) => return (None, Some(wrong_type(rules, "ExtensionList", "an array"))),
    };
    let read: Vec<Result<Kv, Refusal>> = items.iter().map(|item| kv(rules, item)).collect();
    let fault = read.iter().find_map(|kv| kv.as_ref().err().cloned());
    (Some(read.into_iter().filter_map(Result::ok).collect()), fault)
}

/// Checks a call's pairs against the bounds.
pub fn check(rules: &Rules, call: &Call, operator: &Operator) -> Result<(), Refusal> {
    if call.operation == Operation::Clear {
        let refused = rules.fields.clear_refuses_list && call.kvs.is_some();
        return if refused { Err(invalid(rules, "a clear takes no ExtensionList")) } else { Ok(()) };
    }
    if call.kvs.is_none() && rules.fields.list_required {
        return Err(invalid(rules, "ExtensionList is missing"));
    }
    let (kvs, bounds) = (call.pairs(), &rules.bounds);
    let most = if call.operation == Operation::Set { bounds.kvs_per_set } else { bounds.kvs_per_delete };
    match kvs.len() {
        0 if !rules.fields.takes_empty_list => return Err(invalid(rules, "ExtensionList is empty")),
        count if count > most => {
            return Err(invalid(rules, &format!("ExtensionList holds {count} pairs, more than {most}")));
        }
        _ => {}
    }
    kvs.iter().try_for_each(|kv| check_kv(rules, kv, call.operation, *operator != Operator::Admin))?;
    duplicate(rules, kvs).map_or(Ok(()), Err)
}

fn operation(rules: &Rules, body: &Map<String, Value>) -> Result<Operation, Refusal> {
    let number = match body.get("OperateType") {
        None | Some(Value::Null) if rules.fields.missing_operation_sets => 1,
        None => return Err(invalid(rules, "OperateType is missing")),
        Some(value) => integer(rules, "OperateType", value)?,
    };
    match Operation::from_number(number) {
        Some(operation) => Ok(operation),
        None if rules.fields.unknown_operation_sets => Ok(Operation::Set),
        None => Err(invalid(rules, &format!("OperateType has to be 1, 2 or 3, not {number}"))),
    }
}

/// The keys of a clear's list, which means nothing to a lawful endpoint.
fn listed_keys(list: Option<&Value>) -> Vec<Kv> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item["Key"].as_str()).map(|key| Kv { key: key.to_owned(), value: None, seq: None }).collect()
}

fn kv(rules: &Rules, item: &Value) -> Result<Kv, Refusal> {
    let Value::Object(item) = item else { return Err(wrong_type(rules, "an item of ExtensionList", "an object")) };
    let unknown = item.keys().find(|field| !["Key", "Value", "Seq"].contains(&field.as_str()));
    if let Some(field) = unknown.filter(|_| rules.fields.refuses_unknown_pair_fields) {
        return Err(invalid(rules, &format!("unknown field {field} in a pair")));
    }
    let field = |name: &str| item.get(name).filter(|value| !value.is_null());
    Ok(Kv {
        key: text(rules, item, "Key")?.unwrap_or_default(),
        value: field("Value").map(|value| string(rules, "Value", value)).transpose()?,
        seq: field("Seq").map(|seq| integer(rules, "Seq", seq)).transpose()?,
    })
}

fn check_kv(rules: &Rules, kv: &Kv, operation: Operation, is_member: bool) -> Result<(), Refusal> {
    let (fields, bounds) = (&rules.fields, &rules.bounds);
    if kv.key.is_empty() && fields.key_required {
        return Err(invalid(rules, "Key is missing or empty"));
    }
    let length = bounds.key_measure.length(&kv.key);
    if length > bounds.key_bytes {
        return Err(invalid(rules, &format!("a Key of {length} is longer than {}", bounds.key_bytes)));
    }
    if length + kv.value.as_deref().map_or(0, str::len) > bounds.pair_bytes {
        return Err(invalid(rules, &format!("a pair is longer than {}", bounds.pair_bytes)));
    }
    let required = if operation == Operation::Set { fields.value_required } else { fields.delete_value_required };
    match &kv.value {
        None if required => return Err(invalid(rules, "Value is missing")),
        Some(value) if bounds.value_measure.length(value) > bounds.value_bytes => {
            return Err(invalid(rules, &format!("a Value is longer than {}", bounds.value_bytes)));
        }
        Some(value) if value.is_empty() && operation == Operation::Set && fields.empty_value == EmptyValue::Refused => {
            return Err(invalid(rules, "Value is empty"));
        }
        _ => {}
    }
    match kv.seq {
        None if is_member && fields.seq_required_of_members => Err(invalid(rules, "Seq is missing")),
        None if !is_member && fields.seq_required_of_admins => Err(invalid(rules, "Seq is missing")),
        Some(..0) if fields.refuses_negative_seq => Err(invalid(rules, "Seq is negative")),
        _ => Ok(()),
    }
}

fn duplicate(rules: &Rules, kvs: &[Kv]) -> Option<Refusal> {
    if rules.fields.duplicate_keys != DuplicateKeys::Refused {
        return None;
    }
    let twice = kvs.iter().enumerate().find(|(index, kv)| kvs[..*index].iter().any(|earlier| earlier.key == kv.key));
    twice.map(|(_, kv)| invalid(rules, &format!("Key {:?} stands twice", kv.key)))
}

/// A text field: `None` where it is missing, null or empty.
fn text(rules: &Rules, object: &Map<String, Value>, field: &str) -> Result<Option<String>, Refusal> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(Some(string(rules, field, value)?).filter(|text| !text.is_empty())),
    }
}

fn string(rules: &Rules, field: &str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if rules.fields.coerces_types => Ok(number.to_string()),
        _ => Err(wrong_type(rules, field, "a string")),
    }
}

fn integer(rules: &Rules, field: &str, value: &Value) -> Result<i64, Refusal> {
    let number = match value {
        Value::String(text) if rules.fields.coerces_types => text.parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "what is cut off is what this is about")]
        Value::Number(number) if rules.fields.cuts_fractions => number.as_f64().map(|number| number as i64),
        value => value.as_i64(),
    };
    number.ok_or_else(|| wrong_type(rules, field, "an integer"))
}

fn invalid(rules: &Rules, info: &str) -> Refusal {
    Refusal::new(rules.codes.invalid, info)
}

fn wrong_type(rules: &Rules, field: &str, expected: &str) -> Refusal {
    Refusal::new(rules.codes.wrong_type, format!("{field} has to be {expected}"))
}
