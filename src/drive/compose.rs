//! A step put into a request: the caller's identity, the message, the pairs with their Seqs, and every wilful departure.

use serde_json::{Map, Value};

use super::messages::Message;
use super::target::{Accounts, App};
use crate::api::MemberCalls;
use crate::api::usersig::Claims;
use crate::api::{Call, HttpRequest, Kv, Operation, call, http};
use crate::judge::conform::Sent;
use crate::judge::conform::memory::Memory;
use crate::random::Random;
use crate::scenario::Caller;
use crate::scenario::conform::ready::{ReadyCall, ReadyPair};
use crate::scenario::conform::text::{Body, Seq};
use crate::scenario::conform::{Http, UserSig};

/// Who speaks, to which app, at what time.
#[derive(Debug)]
pub struct Composer<'a> {
    pub app: &'a App,
    pub without_plan: Option<&'a App>,
    pub accounts: &'a Accounts,
    pub member_calls: MemberCalls,
    /// Seconds since 1970, as the target counts them.
    pub now_s: u64,
}

/// A request ready to be sent, and what a judge has to know of it.
#[derive(Clone, Debug)]
pub struct Composed {
    pub request: HttpRequest,
    pub sent: Sent,
}

impl Composer<'_> {
    pub fn call(&self, call: &ReadyCall, message: &Message, memory: &Memory, random: &mut Random) -> Composed {
        let items = items(call, memory);
        let body = match (&call.body, call.operation) {
            (Some(body), _) => self.raw_body(body, message),
            (None, operation) => {
                let mut body = self.body(operation.unwrap_or(Operation::Set), call.caller, message);
                if call.pairs.is_some() {
                    body.insert("ExtensionList".into(), items.iter().map(|item| self.item(item, message)).collect());
                }
                self.amend(&mut body, &call.fields, &call.omit, message);
                Value::Object(body).to_string().into_bytes()
            }
        };
        let request = self.request(&call.http, call.caller, body, random);
        let kvs = items.into_iter().map(|item| item.kv).collect();
        Composed { request, sent: Sent { message: call.message.clone(), operation: call.operation, kvs } }
    }

    /// A request of the caller's own with a body as it should be, for another command.
    pub fn plain(&self, path: &str, caller: Caller, body: &Value, random: &mut Random) -> HttpRequest {
        let identifier = self.identifier(caller);
        HttpRequest {
            method: "POST".into(),
            path: path.into(),
            query: http::query(self.app.sdkappid, identifier, &self.app.usersig(identifier, self.now_s), request_number(random)),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
        }
    }

    fn identifier(&self, caller: Caller) -> &str {
        match self.member_calls {
            MemberCalls::Identifier => self.accounts.of(caller).unwrap_or(&self.app.admin),
            MemberCalls::FromAccount | MemberCalls::Nobody => &self.app.admin,
        }
    }

    /// The fields of a call to this message, without its pairs.
    pub fn body(&self, operation: Operation, caller: Caller, message: &Message) -> Map<String, Value> {
        let (from, to) = match (self.member_calls, caller) {
            (MemberCalls::FromAccount, Caller::Admin) => (None, message.to.clone()),
            (MemberCalls::FromAccount, Caller::Recipient) => {
                (Some(message.to.clone()), message.from.clone().unwrap_or_else(|| self.app.admin.clone()))
            }
            (MemberCalls::FromAccount, member) => (self.accounts.of(member).map(str::to_owned), message.to.clone()),
            (MemberCalls::Identifier | MemberCalls::Nobody, _) => (message.from.clone(), message.to.clone()),
        };
        Call { from, to, msg_key: message.msg_key.clone(), operation, kvs: None }.to_json()
    }

    fn item(&self, item: &ComposedPair<'_>, message: &Message) -> Value {
        match item.kv.to_json() {
            Value::Object(mut object) => {
                self.amend(&mut object, &item.pair.fields, &item.pair.omit, message);
                Value::Object(object)
            }
            other => other,
        }
    }

    fn amend<'f>(
        &self,
        object: &mut Map<String, Value>,
        fields: impl IntoIterator<Item = (&'f String, &'f Value)>,
        omit: &[String],
        message: &Message,
    ) {
        for (field, value) in fields {
            object.insert(field.clone(), self.filled(value, message));
        }
        for field in omit {
            object.remove(field);
        }
    }

    fn raw_body(&self, body: &Body, message: &Message) -> Vec<u8> {
        match body {
            Body::Text(text) => self.fill(text, message).into_bytes(),
            Body::Hex(bytes) => bytes.clone(),
            Body::Json(json) => self.filled(json, message).to_string().into_bytes(),
        }
    }

    /// The JSON with the placeholders in its strings filled in.
    fn filled(&self, json: &Value, message: &Message) -> Value {
        match json {
            Value::String(text) => Value::String(self.fill(text, message)),
            Value::Array(items) => items.iter().map(|item| self.filled(item, message)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.filled(value, message))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
        }
    }

    fn fill(&self, text: &str, message: &Message) -> String {
        let from = message.from.as_deref().unwrap_or(&self.app.admin);
        text.replace("<MsgKey>", &message.msg_key).replace("<From_Account>", from).replace("<To_Account>", &message.to)
    }

    fn request(&self, departures: &Http, caller: Caller, body: Vec<u8>, random: &mut Random) -> HttpRequest {
        let app = if departures.without_plan { self.without_plan.unwrap_or(self.app) } else { self.app };
        let identifier = if departures.without_plan { &app.admin } else { self.identifier(caller) };
        let mut query =
            http::query(app.sdkappid, identifier, &self.usersig(app, identifier, departures.usersig), request_number(random));
        for (name, value) in &departures.query {
            let position = query.iter().position(|(other, _)| other == name);
            match (position, value) {
                (Some(position), Some(value)) => query[position].1.clone_from(value),
                (Some(position), None) => drop(query.remove(position)),
                (None, Some(value)) => query.push((name.clone(), value.clone())),
                (None, None) => {}
            }
        }
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.retain(|(name, _)| !departures.headers.keys().any(|other| other.eq_ignore_ascii_case(name)));
        headers.extend(departures.headers.clone());
        HttpRequest {
            method: departures.method.clone().unwrap_or_else(|| "POST".into()),
            path: departures.path.clone().unwrap_or_else(|| call::PATH.into()),
            query,
            headers,
            body,
        }
    }

    fn usersig(&self, app: &App, identifier: &str, how: UserSig) -> String {
        const HOUR_S: u64 = 3600;
        const DAY_S: u64 = 24 * HOUR_S;
        let claims = Claims { identifier: identifier.to_owned(), sdkappid: app.sdkappid, issued_s: self.now_s, expire_s: DAY_S };
        match how {
            UserSig::Valid => app.usersig(identifier, self.now_s),
            UserSig::Empty => String::new(),
            UserSig::Damaged => {
                let damaged: String = app.sign(&claims).chars().rev().collect();
                app.signatures.keep(&damaged);
                damaged
            }
            UserSig::Forged => {
                let forger = App { secret_key: "a key that is not the app's".into(), ..app.clone() };
                forger.sign(&claims)
            }
            UserSig::Expired => app.sign(&Claims { issued_s: self.now_s.saturating_sub(DAY_S), expire_s: HOUR_S, ..claims }),
            UserSig::OtherIdentifier => app.sign(&Claims { identifier: format!("{identifier}_twin"), ..claims }),
            UserSig::OtherApp => app.sign(&Claims { sdkappid: app.sdkappid + 1, ..claims }),
        }
    }
}

/// The URL's `random`, from the middle of its range: what its ends do is one scenario's question (URL-5), not every call's.
fn request_number(random: &mut Random) -> u32 {
    (random.next_u32() >> 1).max(1)
}

/// One pair of a call with what its author said of it.
struct ComposedPair<'a> {
    kv: Kv,
    pair: &'a ReadyPair,
}

fn items<'a>(call: &'a ReadyCall, memory: &Memory) -> Vec<ComposedPair<'a>> {
    let item = |pair: &'a ReadyPair, key: String| {
        let latest = memory.latest(&call.message, &key);
        let seq = match pair.seq {
            Seq::Latest => Some(latest),
            Seq::Stale => Some(latest - 1),
            Seq::Ahead => Some(latest + 1),
            Seq::Absent => None,
            Seq::Number(seq) => Some(seq),
        };
        ComposedPair { kv: Kv { key, value: Some(pair.value.clone()), seq }, pair }
    };
    let pairs = call.pairs.as_deref().unwrap_or_default().iter();
    pairs.flat_map(|pair| pair.keys().map(move |key| item(pair, key))).collect()
}
