//! The reference endpoint, pure: [`Model::answer`] over [`Rules`]. Bytes in, bytes out, and the time is an argument.
//!
//! Its documented behaviour is `Rules::default()`. There is no `if mutant` here: whatever can differ is a field of the rules.

pub mod gate;
pub mod limiter;
pub mod mutants;
pub mod readings;
pub mod request;
pub mod rules;
pub mod store;
pub mod throttle;
pub mod verified;
pub mod wire;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::message::GET_PAGE;
use crate::api::{Extension, KeyResult, Operation, Reply};
use gate::{Admitted, Command, Refusal};
use limiter::Decision;
use request::{Address, Operator, Order, Parsed, Write};
pub use rules::Rules;
use rules::{AllFailed, ClearReach, KeySpace, LimitPlace, Partial, Swapped};
use store::Store;
use throttle::{Arrival, Throttle};
use verified::Verified;
pub use wire::Response;

/// What the endpoint is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: Rules,
    /// At least one.
    pub apps: Vec<App>,
}

/// One app that the endpoint serves.
#[derive(Clone, Debug)]
pub struct App {
    pub sdkappid: u64,
    pub secret_key: String,
    pub admins: Vec<String>,
    /// Without the plan every call gets 10008.
    pub has_plan: bool,
}

/// One request, as a host received it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Without the `?`, still encoded.
    pub query: &'a str,
    pub body: &'a [u8],
    /// Tells connections apart, for limits that hold for each.
    pub connection: u64,
}

/// The endpoint's whole state.
#[derive(Debug)]
pub struct Model {
    messages: HashMap<MessageId, Message>,
    throttle: Throttle,
    verified: Verified,
    calls: u64,
    writes: u64,
}

type MessageId = (u64, String);

/// A reply with how long a queueing limiter holds it back, or the refusal of the call.
type Written = Result<(Reply, Duration), Refusal>;

#[derive(Debug)]
struct Message {
    sender: String,
    recipient: String,
    is_admins: bool,
    supports_extension: bool,
    store: Store,
}

/// A request that got past the gate, with its body read: everything that needs no state.
#[derive(Debug)]
pub struct Prepared {
    admitted: Admitted,
    body: Result<Body, Refusal>,
    connection: u64,
}

#[derive(Debug)]
enum Body {
    Write(Parsed),
    Get { address: Address, start_seq: i64 },
    Send { from: Option<String>, to: String, random: u64, supports_extension: bool },
}

/// Checks and reads a request; needs no state but the signatures already verified, so that hosts can do it side by side.
pub fn prepare(setup: &Setup, verified: &Verified, request: Request<'_>, now: Duration) -> Result<Prepared, Response> {
    let admitted =
        gate::admit(setup, verified, request, now).map_err(|refusal| wire::render(&setup.rules.wire, &refused(refusal)))?;
    let rules = &setup.rules;
    let body = request::object(rules, request.body).and_then(|object| match admitted.command {
        Command::SetKeyValues => request::parse(rules, &object, &admitted.identifier, admitted.is_admin).map(Body::Write),
        Command::GetKeyValues => {
            let start_seq = object.get("StartSeq").and_then(Value::as_i64).unwrap_or(0);
            request::address(rules, &object).map(|address| Body::Get { address, start_seq })
        }
        Command::SendMessage => read_send(rules, &object),
    });
    Ok(Prepared { admitted, body, connection: request.connection })
}

fn read_send(rules: &Rules, object: &Map<String, Value>) -> Result<Body, Refusal> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let to = text("To_Account").ok_or_else(|| Refusal::new(rules.codes.invalid, "To_Account is missing"))?;
    Ok(Body::Send {
        from: text("From_Account"),
        to,
        random: object.get("MsgRandom").and_then(Value::as_u64).unwrap_or(0),
        supports_extension: object.get("SupportMessageExtension").and_then(Value::as_u64) == Some(1),
    })
}

impl Default for Model {
    fn default() -> Model {
        Model::new()
    }
}

impl Model {
    pub fn new() -> Model {
        Model { messages: HashMap::new(), throttle: Throttle::default(), verified: Verified::default(), calls: 0, writes: 0 }
    }

    /// Answers one request that arrives at `now` (since 1970).
    pub fn answer(&mut self, setup: &Setup, request: Request<'_>, now: Duration) -> Response {
        match prepare(setup, &self.verified, request, now) {
            Ok(prepared) => self.step(setup, prepared, now),
            Err(response) => response,
        }
    }

    /// Carries out a prepared request.
    pub fn step(&mut self, setup: &Setup, prepared: Prepared, now: Duration) -> Response {
        let rules = &setup.rules;
        let Prepared { admitted, body, connection } = prepared;
        let mut delay = Duration::ZERO;
        let outcome = match (admitted.command, body) {
            (Command::SetKeyValues, body) => {
                let written = self.write(rules, &admitted, body, Arrival { sdkappid: admitted.sdkappid, connection, now });
                written.map(|(reply, held)| {
                    delay = held;
                    wire::render(&rules.wire, &reply)
                })
            }
            (_, Err(refusal)) => Err(refusal),
            (_, Ok(Body::Get { address, start_seq })) => self.get(rules, admitted.sdkappid, &address, start_seq),
            (_, Ok(Body::Send { from, to, random, supports_extension })) => {
                let is_admins = from.is_none();
                let sender = from.unwrap_or(admitted.identifier);
                let message = Message { sender, recipient: to, is_admins, supports_extension, store: Store::default() };
                Ok(self.send(admitted.sdkappid, message, random, now))
            }
            (_, Ok(Body::Write(_))) => unreachable!("a write is matched by its command above"),
        };
        let mut response = outcome.unwrap_or_else(|refusal| wire::render(&rules.wire, &refused(refusal)));
        response.delay = delay;
        response
    }

    fn send(&mut self, sdkappid: u64, message: Message, random: u64, now: Duration) -> Response {
        let msg_key = format!("{}_{random}_{}", self.messages.len() + 1, now.as_secs());
        let reply = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "MsgTime": now.as_secs(), "MsgKey": msg_key});
        self.messages.insert((sdkappid, msg_key), message);
        Response::json(&reply)
    }

    fn get(&self, rules: &Rules, sdkappid: u64, address: &Address, start_seq: i64) -> Result<Response, Refusal> {
        let message = self.messages.get(&(sdkappid, address.msg_key.clone()));
        let message = message.filter(|message| message.is_named_by(rules, address));
        let message = message.ok_or_else(|| Refusal::new(rules.codes.no_message, "no such message"))?;
        let pairs = message.store.list();
        let latest_seq = pairs.last().map_or(0, |pair| pair.seq);
        let rest: Vec<_> = pairs.into_iter().filter(|pair| pair.seq >= start_seq).collect();
        // A client goes on at the last Seq + 1, so pairs of one Seq must not be parted: the page grows where they would be.
        let mut end = rest.len().min(GET_PAGE);
        while end < rest.len() && end > 0 && rest[end].seq == rest[end - 1].seq {
            end += 1;
        }
        let listed = rest[..end].iter().map(|pair| json!({"Key": pair.key, "Value": pair.value, "Seq": pair.seq}));
        Ok(Response::json(&json!({
            "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0,
            "CompleteFlag": i32::from(end == rest.len()),
            "LatestSeq": latest_seq, "ClearSeq": message.store.clear_seq(),
            "ExtensionList": listed.collect::<Vec<_>>(),
        })))
    }

    fn write(&mut self, rules: &Rules, admitted: &Admitted, body: Result<Body, Refusal>, arrival: Arrival) -> Written {
        self.calls += 1;
        let held = match self.throttle.admit_to_app(&rules.limits, arrival) {
            Decision::Admit => Duration::ZERO,
            Decision::AdmitAfter(delay) => delay,
            Decision::Refuse => {
                if let Ok(Body::Write(parsed)) = body
                    && rules.limits.applies_refused
                {
                    let _ = self.carry_out(rules, parsed, arrival);
                }
                return Err(Refusal::new(rules.codes.app_limit, "the app calls too often"));
            }
        };
        if !admitted.has_plan && !rules.access.ignores_missing_plan {
            return Err(Refusal::new(rules.codes.no_plan, "the app's plan does not include message extensions"));
        }
        let Body::Write(parsed) = body? else { unreachable!("the body was read for this command") };
        if rules.writes.internal_error_every.is_some_and(|every| self.calls.is_multiple_of(u64::from(every))) {
            if rules.writes.internal_error_applies {
                let _ = self.carry_out(rules, parsed, arrival);
            }
            return Err(Refusal::new(rules.codes.internal, "internal error, please retry"));
        }
        self.carry_out(rules, parsed, arrival).map(|(reply, delay)| (reply, held + delay))
    }

    /// Everything from the message on: does it exist, may the caller, is it within its limit, and the pairs themselves.
    fn carry_out(&mut self, rules: &Rules, parsed: Parsed, arrival: Arrival) -> Written {
        let Parsed { address, operator, order } = parsed;
        let order = match order {
            Ok(order) => order,
            Err(rejected) => {
                self.throttle.charge_invalid(&rules.limits, arrival, &address, &operator);
                if let Some(order) = rejected.well_formed.filter(|_| rules.fields.applies_refused) {
                    let _ = self.apply(rules, arrival.sdkappid, Write { address: &address, operator: &operator, order: &order });
                }
                return Err(rejected.refusal);
            }
        };
        let write = Write { address: &address, operator: &operator, order: &order };
        self.check_message(rules, arrival.sdkappid, write)?;
        let delay = match self.throttle.admit_to_message(&rules.limits, arrival, write) {
            Decision::Admit => Duration::ZERO,
            Decision::AdmitAfter(delay) => delay,
            Decision::Refuse => {
                if rules.limits.applies_refused {
                    let _ = self.apply(rules, arrival.sdkappid, write);
                }
                return self.over_limit(rules, arrival.sdkappid, write).map(|reply| (reply, Duration::ZERO));
            }
        };
        self.apply(rules, arrival.sdkappid, write).map(|reply| (reply, delay))
    }

    fn check_message(&mut self, rules: &Rules, sdkappid: u64, write: Write<'_>) -> Result<(), Refusal> {
        let (access, codes, address) = (&rules.access, &rules.codes, write.address);
        let id = (sdkappid, address.msg_key.clone());
        if access.creates_missing_message && !self.messages.contains_key(&id) {
            let sender = address.from.clone().unwrap_or_default();
            let (recipient, is_admins) = (address.to.clone(), address.from.is_none());
            let message = Message { sender, recipient, is_admins, supports_extension: true, store: Store::default() };
            self.messages.insert(id.clone(), message);
        }
        let no_message = || Refusal::new(codes.no_message, "no such message");
        let message = self.messages.get(&id).ok_or_else(no_message)?;
        if !message.is_named_by(rules, address) {
            let swapped = address.is_swapped(&message.sender, &message.recipient) && access.swapped == Swapped::Refused;
            let exchanged = || Refusal::new(codes.invalid, "From_Account and To_Account are exchanged");
            return Err(if swapped { exchanged() } else { no_message() });
        }
        if let Operator::Account(account) = write.operator {
            let (is_sender, is_recipient) = (*account == message.sender, *account == message.recipient);
            let may = is_sender || (is_recipient && access.recipient_may) || access.strangers_may;
            if !may || (write.order.operation == Operation::Clear && !access.members_may_clear) {
                return Err(Refusal::new(codes.outsider, format!("{account} may not do this")));
            }
        }
        if !message.supports_extension && !access.ignores_missing_support {
            return Err(Refusal::new(codes.unsupported, "the message does not support extensions"));
        }
        Ok(())
    }

    fn over_limit(&self, rules: &Rules, sdkappid: u64, write: Write<'_>) -> Result<Reply, Refusal> {
        let code = rules.codes.message_limit;
        if rules.limits.place == LimitPlace::Top || write.order.kvs.is_empty() {
            return Err(Refusal::new(code, "this message is set too often"));
        }
        let store = self.messages.get(&(sdkappid, write.address.msg_key.clone())).map(|message| &message.store);
        let result = |key: &str| {
            let nothing = || Extension { key: key.to_owned(), value: String::new(), seq: 0 };
            KeyResult { code, extension: store.map_or_else(nothing, |store| store.current(rules, key)) }
        };
        Ok(Reply::accepted(Some(write.order.kvs.iter().map(|kv| result(&kv.key)).collect())))
    }

    fn apply(&mut self, rules: &Rules, sdkappid: u64, write: Write<'_>) -> Result<Reply, Refusal> {
        let Write { address, operator, order } = write;
        if order.operation == Operation::Clear && rules.writes.clear_reach == ClearReach::Conversation {
            for message in self.messages.values_mut().filter(|message| message.is_named_by(rules, address)) {
                message.store.clear(rules, &[]);
            }
        }
        self.writes += 1;
        let loses = rules.writes.loses_one_in.is_some_and(|every| self.writes.is_multiple_of(every));
        let Some(store) = self.store(rules, sdkappid, address) else {
            return Err(Refusal::new(rules.codes.no_message, "no such message"));
        };
        let before = loses.then(|| store.clone());
        let reply = apply_to(store, rules, operator, order);
        if let Some(before) = before {
            *store = before;
        }
        reply
    }

    /// The pairs that a call works on.
    fn store(&mut self, rules: &Rules, sdkappid: u64, address: &Address) -> Option<&mut Store> {
        let id = (sdkappid, address.msg_key.clone());
        let id = match rules.writes.key_space {
            KeySpace::Message => id,
            KeySpace::Conversation => {
                let of = |message: &Message| (message.sender.clone(), message.recipient.clone());
                let conversation = of(self.messages.get(&id)?);
                self.messages.iter().filter(|(_, message)| of(message) == conversation).map(|(id, _)| id.clone()).min()?
            }
        };
        self.messages.get_mut(&id).map(|message| &mut message.store)
    }
}

impl Message {
    fn is_named_by(&self, rules: &Rules, address: &Address) -> bool {
        address.names(rules, &self.sender, &self.recipient, self.is_admins)
    }
}

fn apply_to(store: &mut Store, rules: &Rules, operator: &Operator, order: &Order) -> Result<Reply, Refusal> {
    if order.operation == Operation::Clear {
        if rules.writes.clear_of_nothing_fails && store.list().is_empty() {
            return Err(Refusal::new(rules.codes.no_message, "there is nothing to clear"));
        }
        let gone = store.clear(rules, &order.kvs);
        return Ok(Reply::accepted(store.cleared_list(rules, gone)));
    }
    if order.operation == Operation::Set && store.size_with(rules, &order.kvs) > rules.bounds.kvs_per_message {
        return Err(Refusal::new(rules.codes.invalid, format!("a message holds at most {} pairs", rules.bounds.kvs_per_message)));
    }
    let results = store.write(rules, operator, order);
    Ok(written(rules, results))
}

/// The reply to a set or a delete.
fn written(rules: &Rules, mut results: Vec<KeyResult>) -> Reply {
    let failed = results.iter().find(|result| result.code != 0).map(|result| result.code);
    let all_failed = results.iter().all(|result| result.code != 0);
    if rules.writes.order == rules::Order::Reversed {
        results.reverse();
    }
    if rules.writes.drops_failed_results {
        results.retain(|result| result.code == 0);
    }
    results.truncate(rules.writes.results_at_most);
    let fails_top = match rules.writes.partial {
        Partial::FailsTop => failed.is_some(),
        _ => all_failed && rules.writes.all_failed == AllFailed::Fail,
    };
    match failed.filter(|_| fails_top) {
        Some(code) => Reply { results: Some(results), ..Reply::refusal(code, "no pair was written") },
        None => Reply::accepted(Some(results)),
    }
}

fn refused(refusal: Refusal) -> Reply {
    Reply::refusal(refusal.code, refusal.info)
}
