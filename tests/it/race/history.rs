//! Histories of calls side by side on the reference endpoint, lawful and spoilt, small enough to be looked at or large enough to be
//! timed.

use std::time::Duration;

use msgext::api::call::PATH;
use msgext::api::{Call, HttpRequest, Kv, Operation, Reply};
use msgext::history::{Exchange, HttpReply, Loss, Outcome};
use msgext::model::Rules;
use msgext::model::contents::{Contents, StoredMessage};
use msgext::model::request::Operator;
use msgext::model::wire;
use msgext::random::Random;

pub const APP: u64 = 1_400_000_000;
pub const ADMIN: &str = "administrator";
pub const SENDER: &str = "s";
const RECIPIENT: &str = "r";
/// The message of a history that has but one.
pub const MSG_KEY: &str = "1_2_3";
/// A Seq that no key reaches, so that a set with it only reads.
const UNREACHABLE: i64 = 1_000_000;

/// One call as it was made and answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub client: u32,
    pub by_member: bool,
    pub call: Call,
    /// `None` where it was lost.
    pub reply: Option<Reply>,
    pub sent: u64,
    pub received: u64,
}

/// What a history is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub clients: u32,
    pub calls: usize,
    pub keys: usize,
    pub most_kvs: usize,
    /// Shares of sets, deletes and clears.
    pub mix: [u32; 3],
    /// One call of so many gets no reply.
    pub lost_in: usize,
}

/// A message without a pair.
pub fn empty(msg_key: &str) -> Contents {
    let mut contents = Contents::default();
    contents.add(APP, msg_key.to_owned(), StoredMessage::new(SENDER.to_owned(), RECIPIENT.to_owned()));
    contents
}

pub fn operator(by_member: bool) -> Operator {
    if by_member { Operator::Account(SENDER.to_owned()) } else { Operator::Admin }
}

/// The calls on one message by clients side by side: each takes its time to the endpoint, which carries them out one by one, and
/// each reply takes its time back.
pub fn lawful(random: &mut Random, rules: &Rules, shape: Shape, msg_key: &str) -> Vec<Made> {
    let mut contents = empty(msg_key);
    let mut free: Vec<u64> = (0..shape.clients).map(|_| random.below(30) as u64).collect();
    let mut latest = vec![0; shape.keys];
    let mut made: Vec<Made> = Vec::with_capacity(shape.calls);
    // Arrivals in the order of time: whichever client is there first.
    let mut arrivals: Vec<(u64, u64, u32)> = Vec::new();
    for (client, free) in (0..).zip(&mut free) {
        arrivals.push((*free + 1 + random.below(30) as u64, *free, client));
    }
    while made.len() < shape.calls {
        let next = (0..arrivals.len()).min_by_key(|at| arrivals[*at]).expect("a client");
        let (arrived, sent, client) = arrivals[next];
        let by_member = random.below(3) > 0;
        let call = choose(random, shape, by_member, &latest, made.len(), msg_key);
        let is_lost = random.below(shape.lost_in) == 0;
        let comes = !is_lost || random.below(2) == 0;
        let reply = comes.then(|| contents.apply(rules, APP, &operator(by_member), &call));
        for result in reply.iter().flat_map(|reply| reply.results.iter().flatten()) {
            latest[number(&result.extension.key)] = result.extension.seq;
        }
        if call.operation == Operation::Clear && comes {
            latest.fill(0);
        }
        let received = arrived + 1 + random.below(30) as u64;
        made.push(Made { client, by_member, call, reply: reply.filter(|_| !is_lost), sent, received });
        let sent = received + 1 + random.below(10) as u64;
        arrivals[next] = (sent + 1 + random.below(30) as u64, sent, client);
    }
    made
}

fn number(key: &str) -> usize {
    key[1..].parse().expect("the keys are k0, k1, ...")
}

fn choose(random: &mut Random, shape: Shape, by_member: bool, latest: &[i64], number: usize, msg_key: &str) -> Call {
    let operation = [Operation::Set, Operation::Delete, Operation::Clear][random.weighted(&shape.mix)];
    // Some of them read: a member's set with a Seq that cannot match.
    let reads = operation == Operation::Set && by_member && random.below(4) == 0;
    let mut keys: Vec<usize> = (0..shape.keys).collect();
    random.shuffle(&mut keys);
    keys.truncate(1 + random.below(shape.most_kvs));
    let kvs = keys.into_iter().map(|key| {
        let seq = match random.below(8) {
            _ if reads => UNREACHABLE,
            0 => (latest[key] - 1).max(0),
            1 => 0,
            _ => latest[key],
        };
        let value = match operation {
            // A refusal that shows what was sent shows nothing (SEQ-12), so that members' values differ.
            Operation::Set if !by_member && random.below(2) == 0 => "the same".to_owned(),
            Operation::Set => format!("v{number}"),
            Operation::Delete | Operation::Clear => String::new(),
        };
        Kv { key: format!("k{key}"), value: Some(value), seq: by_member.then_some(seq) }
    });
    let kvs = (operation != Operation::Clear).then(|| kvs.collect());
    Call { from: Some(SENDER.to_owned()), to: RECIPIENT.to_owned(), msg_key: msg_key.to_owned(), operation, kvs }
}

/// The exchanges that they are made of.
pub fn exchanges(made: &[Made]) -> Vec<Exchange> {
    let wire = Rules::default().wire;
    let exchange = |one: &Made| {
        let identifier = if one.by_member { SENDER } else { ADMIN };
        let outcome = match &one.reply {
            Some(reply) => {
                let body = wire::render(&wire, reply).body;
                Outcome::Replied(HttpReply { status: 200, body, cut: None, coding: None })
            }
            None => Outcome::Lost(Loss::TimedOut),
        };
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: PATH.to_owned(),
            query: vec![("identifier".to_owned(), identifier.to_owned())],
            headers: Vec::new(),
            body: serde_json::Value::Object(one.call.to_json()).to_string().into_bytes(),
        };
        let [sent, received] = [one.sent, one.received].map(Duration::from_nanos);
        Exchange { client: one.client, request, outcome, due: sent, sent, received, retries: 0 }
    };
    made.iter().map(exchange).collect()
}
