//! The reference endpoint, pure: [`Model::answer`] over [`Rules`]. Bytes in, bytes out, and the time is an argument. Below it
//! stands a step on calls, [`contents::Contents::apply`], for whoever has no bytes.
//!
//! Its documented behaviour is `Rules::default()`. There is no `if mutant` here: whatever can differ is a field of the rules.

pub mod combinations;
pub mod contents;
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

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::message::GET_PAGE;
use crate::api::{Call, KeyResult, Kv, Operation, Reply};
use contents::{Contents, StoredMessage};
use gate::{Admitted, Refusal, RestCommand};
use limiter::Admission;
use request::{Address, Operator, ParsedCall};
use rules::Atomicity;
pub use rules::Rules;
use store::Store;
use throttle::{Arrival, Throttle};
use verified::Verified;
pub use wire::Response;

/// What the endpoint is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: Rules,
    /// At least one.
    pub apps: Vec<ServedApp>,
}

/// One app that the endpoint serves.
#[derive(Clone, Debug)]
pub struct ServedApp {
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
    contents: Contents,
    throttle: Throttle,
    verified: Verified,
    calls: u64,
    writes: u64,
}

/// A set, delete or clear that nothing stands in the way of any more.
#[derive(Clone, Debug)]
pub struct PendingWrite {
    app: u64,
    operator: Operator,
    pub call: Call,
    /// How long a queueing limiter holds it back.
    delay: Duration,
}

/// A step half done.
#[derive(Debug)]
pub enum Begun {
    Answered(Response),
    Write(PendingWrite),
}

/// What the checks let through: a write, or one that the message's limit answers.
enum Passed {
    Write(PendingWrite),
    OverLimit(Reply, Duration),
}

type Admissible = Result<Passed, Refusal>;

/// A request that got past the gate, with its body read: everything that needs no state.
#[derive(Debug)]
pub struct Prepared {
    admitted: Admitted,
    body: Result<ReadBody, Refusal>,
    connection: u64,
}

#[derive(Debug)]
enum ReadBody {
    Write(ParsedCall),
    Get { address: Address, start_seq: i64 },
    Send { from: Option<String>, to: String, random: u64, supports_extension: bool },
}

/// Checks and reads a request; needs no state but the signatures already verified, so that hosts can do it side by side.
pub fn prepare(setup: &Setup, verified: &Verified, request: Request<'_>, now: Duration) -> Result<Prepared, Response> {
    let admitted =
        gate::admit(setup, verified, request, now).map_err(|refusal| wire::render(&setup.rules.wire, &refusal.into()))?;
    let rules = &setup.rules;
    let body = request::object(rules, request.body).and_then(|object| match admitted.command {
        RestCommand::SetKeyValues => request::draft(rules, &object, &admitted.identifier, admitted.is_admin).map(ReadBody::Write),
        RestCommand::GetKeyValues => {
            let start_seq = object.get("StartSeq").and_then(Value::as_i64).unwrap_or(0);
            request::address(rules, &object).map(|address| ReadBody::Get { address, start_seq })
        }
        RestCommand::SendMessage => read_send(rules, &object),
    });
    Ok(Prepared { admitted, body, connection: request.connection })
}

fn read_send(rules: &Rules, object: &Map<String, Value>) -> Result<ReadBody, Refusal> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let to = text("To_Account").ok_or_else(|| Refusal::new(rules.codes.invalid, "To_Account is missing"))?;
    Ok(ReadBody::Send {
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
        Model { contents: Contents::default(), throttle: Throttle::default(), verified: Verified::default(), calls: 0, writes: 0 }
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
        match self.begin(setup, prepared, now) {
            Begun::Answered(response) => response,
            Begun::Write(write) => self.finish(&setup.rules, &write),
        }
    }

    /// The first half of a step: everything up to a write itself.
    pub fn begin(&mut self, setup: &Setup, prepared: Prepared, now: Duration) -> Begun {
        let rules = &setup.rules;
        let Prepared { admitted, body, connection } = prepared;
        let outcome = match (admitted.command, body) {
            (RestCommand::SetKeyValues, body) => {
                match self.admit(rules, &admitted, body, Arrival { sdkappid: admitted.sdkappid, connection, now }) {
                    Ok(Passed::Write(write)) => return Begun::Write(write),
                    Ok(Passed::OverLimit(reply, delay)) => Ok(Response { delay, ..wire::render(&rules.wire, &reply) }),
                    Err(refusal) => Err(refusal),
                }
            }
            (_, Err(refusal)) => Err(refusal),
            (_, Ok(ReadBody::Get { address, start_seq })) => self.get(rules, admitted.sdkappid, &address, start_seq),
            (_, Ok(ReadBody::Send { from, to, random, supports_extension })) => {
                let is_admins = from.is_none();
                let sender = from.unwrap_or(admitted.identifier);
                let mut message = StoredMessage::new(sender, to);
                (message.is_admins, message.supports_extension) = (is_admins, supports_extension);
                Ok(self.send(admitted.sdkappid, message, random, now))
            }
            (_, Ok(ReadBody::Write(_))) => unreachable!("a write is matched by its command above"),
        };
        Begun::Answered(outcome.unwrap_or_else(|refusal| wire::render(&rules.wire, &refusal.into())))
    }

    /// The second half: writes, or answers as if it had, where the rules lose an acknowledged write.
    pub fn finish(&mut self, rules: &Rules, write: &PendingWrite) -> Response {
        self.writes += 1;
        let is_lost = rules.writes.loses_one_in.is_some_and(|every| self.writes.is_multiple_of(every));
        let written = self.contents.write(rules, write.app, &write.operator, &write.call, !is_lost);
        write.answer(rules, written)
    }

    /// The pairs that a write works on; `None` where its message is gone.
    pub fn store(&mut self, rules: &Rules, write: &PendingWrite) -> Option<&mut Store> {
        self.contents.store(rules, write.app, &write.call.msg_key)
    }

    fn send(&mut self, sdkappid: u64, message: StoredMessage, random: u64, now: Duration) -> Response {
        let msg_key = format!("{}_{random}_{}", self.contents.message_count() + 1, now.as_secs());
        let reply = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "MsgTime": now.as_secs(), "MsgKey": msg_key});
        self.contents.add(sdkappid, msg_key, message);
        Response::json(&reply)
    }

    fn get(&self, rules: &Rules, sdkappid: u64, address: &Address, start_seq: i64) -> Result<Response, Refusal> {
        let store = self.contents.read(rules, sdkappid, address)?;
        let pairs = store.list();
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
            "LatestSeq": latest_seq, "ClearSeq": store.clear_seq(),
            "ExtensionList": listed.collect::<Vec<_>>(),
        })))
    }

    fn admit(&mut self, rules: &Rules, admitted: &Admitted, body: Result<ReadBody, Refusal>, arrival: Arrival) -> Admissible {
        self.calls += 1;
        let held = match self.throttle.admit_to_app(&rules.limits, arrival) {
            Admission::Admit => Duration::ZERO,
            Admission::AdmitAfter(delay) => delay,
            Admission::Refuse => {
                if let Ok(ReadBody::Write(draft)) = body
                    && rules.limits.applies_refused
                {
                    self.carry_out(rules, draft, arrival);
                }
                return Err(Refusal::new(rules.codes.app_limit, "the app calls too often"));
            }
        };
        if !admitted.has_plan && !rules.access.ignores_missing_plan {
            return Err(Refusal::new(rules.codes.no_plan, "the app's plan does not include message extensions"));
        }
        let ReadBody::Write(draft) = body? else { unreachable!("the body was read for this command") };
        if rules.writes.internal_error_every.is_some_and(|every| self.calls.is_multiple_of(u64::from(every))) {
            if rules.writes.internal_error_applies {
                self.carry_out(rules, draft, arrival);
            }
            return Err(Refusal::new(rules.codes.internal, "internal error, please retry"));
        }
        match self.check(rules, draft, arrival)? {
            Passed::Write(write) => Ok(Passed::Write(PendingWrite { delay: held + write.delay, ..write })),
            Passed::OverLimit(reply, delay) => Ok(Passed::OverLimit(reply, held + delay)),
        }
    }

    /// Does what a call asks that is answered as if it had been refused.
    fn carry_out(&mut self, rules: &Rules, draft: ParsedCall, arrival: Arrival) {
        if let Ok(Passed::Write(write)) = self.check(rules, draft, arrival) {
            self.finish(rules, &write);
        }
    }

    /// Everything from the fields on: are they in order, is there such a message, may the caller, is it within its limit?
    fn check(&mut self, rules: &Rules, draft: ParsedCall, arrival: Arrival) -> Admissible {
        let ParsedCall { call, operator, fault } = draft;
        let app = arrival.sdkappid;
        let refusal = fault.or_else(|| request::check(rules, &call, &operator).err());
        let mut write = PendingWrite { app, operator, call, delay: Duration::ZERO };
        if let Some(refusal) = refusal {
            self.throttle.charge_invalid(&rules.limits, arrival, &write.call, &write.operator);
            if rules.fields.applies_refused {
                self.finish(rules, &write);
            }
            return Err(refusal);
        }
        self.contents.admit(rules, app, &write.operator, &write.call)?;
        match self.throttle.admit_to_message(&rules.limits, arrival, &write.operator, &write.call) {
            Admission::Admit => {}
            Admission::AdmitAfter(delay) => write.delay = delay,
            Admission::Refuse => {
                if rules.limits.applies_refused {
                    self.finish(rules, &write);
                }
                let reply = self.contents.over_limit(rules, app, &write.call)?;
                return Ok(Passed::OverLimit(reply, Duration::ZERO));
            }
        }
        Ok(Passed::Write(write))
    }
}

impl PendingWrite {
    /// The same, for the part of the call with these pairs.
    pub fn part(&self, kvs: Vec<Kv>) -> PendingWrite {
        PendingWrite { call: Call { kvs: Some(kvs), ..self.call.clone() }, ..self.clone() }
    }

    /// Whether it comes to all of its keys at one moment.
    pub fn is_atomic(&self, rules: &Rules) -> bool {
        let atomicity = match self.call.operation {
            Operation::Clear => rules.writes.clear,
            Operation::Set | Operation::Delete if self.call.pairs().len() > 1 => rules.writes.request,
            Operation::Set | Operation::Delete => Atomicity::Atomic,
        };
        atomicity == Atomicity::Atomic
    }

    /// What the call makes of these pairs, wherever they come from.
    pub fn apply(&self, rules: &Rules, store: &mut Store) -> Result<Reply, Refusal> {
        contents::apply_to(store, rules, &self.operator, &self.call)
    }

    /// The reply to a call whose pairs came to these results.
    pub fn results(&self, rules: &Rules, results: Vec<KeyResult>) -> Reply {
        contents::written(rules, results)
    }

    pub fn answer(&self, rules: &Rules, written: Result<Reply, Refusal>) -> Response {
        Response { delay: self.delay, ..wire::render(&rules.wire, &written.unwrap_or_else(Reply::from)) }
    }
}
