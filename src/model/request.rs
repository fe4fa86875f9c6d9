//! A body read into a call, or refused, field by field (section "request body").

use serde_json::{Map, Value};

use super::gate::Refusal;
use super::rules::{DuplicateKeys, EmptyValue, FromOmitted, MemberCalls, Rules, Swapped};
use crate::api::{Kv, Operation};

/// Who acts, once the body is known.
#[derive(Clone, Debug, PartialEq, Eq)]
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
pub struct Parsed {
    pub address: Address,
    pub operator: Operator,
    pub order: Result<Order, Rejected>,
}

/// A call whose fields are in order: who wants what done to which message.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    pub address: &'a Address,
    pub operator: &'a Operator,
    pub order: &'a Order,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Order {
    pub operation: Operation,
    pub kvs: Vec<Kv>,
}

/// A call refused for its fields, with the part of it that was well-formed.
#[derive(Clone, Debug)]
pub struct Rejected {
    pub refusal: Refusal,
    pub well_formed: Option<Order>,
}

/// Reads a body into its JSON object.
pub fn object(rules: &Rules, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let bad = |info: String| Refusal::new(rules.codes.bad_json, info);
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
pub fn parse(rules: &Rules, body: &Map<String, Value>, identifier: &str, is_admin: bool) -> Result<Parsed, Refusal> {
    if rules.fields.refuses_unknown_fields
        && let Some(field) = body
            .keys()
            .find(|field| !["From_Account", "To_Account", "MsgKey", "OperateType", "ExtensionList"].contains(&field.as_str()))
    {
        return Err(Refusal::new(rules.codes.invalid, format!("unknown field {field}")));
    }
    let address = address(rules, body)?;
    let operator = operator(rules, identifier, is_admin, address.from.as_deref());
    let order = order(rules, body, operator != Operator::Admin);
    Ok(Parsed { address, operator, order })
}

/// Reads which message a body names; `get_key_values` names it the same way.
pub fn address(rules: &Rules, body: &Map<String, Value>) -> Result<Address, Refusal> {
    let fields = &rules.fields;
    let from = text(rules, body, "From_Account", fields.from_required)?;
    let to = text(rules, body, "To_Account", fields.to_required)?.unwrap_or_default();
    let msg_key = text(rules, body, "MsgKey", fields.msg_key_required)?.unwrap_or_default();
    Ok(Address { from, to, msg_key })
}

impl Address {
    /// Whether it names a message from `sender` to `recipient`; `admins` decides whose message one without sender is.
    pub fn names(&self, rules: &Rules, sender: &str, recipient: &str, is_admins: bool) -> bool {
        let access = &rules.access;
        let straight = match &self.from {
            Some(from) => from == sender && self.to == recipient,
            None => self.to == recipient && (access.from_omitted == FromOmitted::AnySender || is_admins),
        };
        straight
            || (self.is_swapped(sender, recipient)
                && (access.swapped == Swapped::Found || access.members == MemberCalls::FromAccount))
    }

    pub fn is_swapped(&self, sender: &str, recipient: &str) -> bool {
        self.from.as_deref() == Some(recipient) && self.to == sender
    }
}

fn operator(rules: &Rules, identifier: &str, is_admin: bool, from: Option<&str>) -> Operator {
    match (is_admin, rules.access.members, from) {
        (true, MemberCalls::FromAccount, Some(from)) if from != identifier => Operator::Account(from.to_owned()),
        (true, ..) => Operator::Admin,
        (false, ..) => Operator::Account(identifier.to_owned()),
    }
}

fn order(rules: &Rules, body: &Map<String, Value>, is_member: bool) -> Result<Order, Rejected> {
    let reject = |refusal| Rejected { refusal, well_formed: None };
    let operation = operation(rules, body).map_err(reject)?;
    if operation == Operation::Clear {
        return match body.get("ExtensionList") {
            Some(_) if rules.fields.clear_refuses_list => Err(reject(invalid(rules, "a clear takes no ExtensionList"))),
            list => Ok(Order { operation, kvs: listed_keys(list) }),
        };
    }
    let items = list(rules, body).map_err(reject)?;
    let most = if operation == Operation::Set { rules.bounds.kvs_per_set } else { rules.bounds.kvs_per_delete };
    let count = match items.len() {
        0 if !rules.fields.takes_empty_list => Some(invalid(rules, "ExtensionList is empty")),
        count if count > most => Some(invalid(rules, &format!("ExtensionList holds {count} pairs, more than {most}"))),
        _ => None,
    };
    let read: Vec<Result<Kv, Refusal>> = items.iter().map(|item| kv(rules, item, operation, is_member)).collect();
    let first_bad = count.or_else(|| read.iter().find_map(|kv| kv.as_ref().err().cloned()));
    let order = Order { operation, kvs: read.into_iter().filter_map(Result::ok).collect() };
    match first_bad.or_else(|| duplicate(rules, &order.kvs)) {
        None => Ok(order),
        Some(refusal) => Err(Rejected { refusal, well_formed: Some(order) }),
    }
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

fn list<'a>(rules: &Rules, body: &'a Map<String, Value>) -> Result<&'a [Value], Refusal> {
    match body.get("ExtensionList") {
        Some(Value::Array(items)) => Ok(items),
        None | Some(Value::Null) if !rules.fields.list_required => Ok(&[]),
        None | Some(Value::Null) => Err(invalid(rules, "ExtensionList is missing")),
        Some(_) => Err(wrong_type(rules, "ExtensionList", "an array")),
    }
}

/// The keys of a clear's list, which means nothing to a lawful endpoint.
fn listed_keys(list: Option<&Value>) -> Vec<Kv> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item["Key"].as_str()).map(|key| Kv { key: key.to_owned(), value: None, seq: None }).collect()
}

fn kv(rules: &Rules, item: &Value, operation: Operation, is_member: bool) -> Result<Kv, Refusal> {
    let (fields, bounds) = (&rules.fields, &rules.bounds);
    let Value::Object(item) = item else { return Err(wrong_type(rules, "an item of ExtensionList", "an object")) };
    let key = text(rules, item, "Key", fields.key_required)?.unwrap_or_default();
    let length = bounds.key_measure.length(&key);
    if length > bounds.key_bytes {
        return Err(invalid(rules, &format!("a Key of {length} is longer than {}", bounds.key_bytes)));
    }
    let value = match item.get("Value") {
        None | Some(Value::Null) => None,
        Some(value) => Some(string(rules, "Value", value)?),
    };
    let required = if operation == Operation::Set { fields.value_required } else { fields.delete_value_required };
    match &value {
        None if required => return Err(invalid(rules, "Value is missing")),
        Some(value) if bounds.value_measure.length(value) > bounds.value_bytes => {
            return Err(invalid(rules, &format!("a Value is longer than {}", bounds.value_bytes)));
        }
        Some(value) if value.is_empty() && operation == Operation::Set && fields.empty_value == EmptyValue::Refused => {
            return Err(invalid(rules, "Value is empty"));
        }
        _ => {}
    }
    let seq = match item.get("Seq") {
        None | Some(Value::Null) => None,
        Some(seq) => Some(integer(rules, "Seq", seq)?),
    };
    match seq {
        None if is_member && fields.seq_required_of_members => Err(invalid(rules, "Seq is missing")),
        None if !is_member && fields.seq_required_of_admins => Err(invalid(rules, "Seq is missing")),
        Some(..0) if fields.refuses_negative_seq => Err(invalid(rules, "Seq is negative")),
        _ => Ok(Kv { key, value, seq }),
    }
}

fn duplicate(rules: &Rules, kvs: &[Kv]) -> Option<Refusal> {
    if rules.fields.duplicate_keys != DuplicateKeys::Refused {
        return None;
    }
    let twice = kvs.iter().enumerate().find(|(index, kv)| kvs[..*index].iter().any(|earlier| earlier.key == kv.key));
    twice.map(|(_, kv)| invalid(rules, &format!("Key {:?} stands twice", kv.key)))
}

/// A text field: `None` where it is missing, null or empty and need not be there.
fn text(rules: &Rules, object: &Map<String, Value>, field: &str, required: bool) -> Result<Option<String>, Refusal> {
    let text = match object.get(field) {
        None | Some(Value::Null) => None,
        Some(value) => Some(string(rules, field, value)?).filter(|text| !text.is_empty()),
    };
    if required && text.is_none() {
        return Err(invalid(rules, &format!("{field} is missing or empty")));
    }
    Ok(text)
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
