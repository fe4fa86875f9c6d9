//! Clients that call side by side, each on a thread and over a connection of its own, and what came back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;

use super::client::SetupError;
use super::ground::{Ground, GroundError};
use super::line::{Line, Session};
use super::messages::Message;
use super::readback::UNREACHABLE_SEQ;
use super::stop::Stop;
use super::target::{CallsAtOnce, ReadBack};
use crate::api::message::{GET_PATH, get_body};
use crate::api::reply::decode;
use crate::api::{HttpRequest, Kv, MemberCalls, Operation, Reply, call, code};
use crate::history::{Class, Exchange, Loss, Outcome};
use crate::random::Random;
use crate::scenario::race::RacePlan;
use crate::scenario::{Caller, EmbeddedSetup};

/// Why a race could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error("the target takes one call at a time: no two of them can meet at a key")]
    OneAtATime,
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("a client has no runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A race that was run.
#[derive(Debug)]
pub struct RaceRun {
    /// In no order.
    pub exchanges: Vec<Exchange>,
    /// The keys of the messages, made for this race.
    pub messages: Vec<String>,
    pub elapsed: Duration,
    /// Why it was cut short; `None` where it was not.
    pub cut_short: Option<String>,
}

/// Hears what each call came to that has ended, from the thread of its client.
pub type ToldCalls<'t> = &'t (dyn Fn(Class) + Sync);

/// Runs the plan's clients.
pub async fn run(ground: &Ground<'_>, plan: &RacePlan, stop: &Stop, told: ToldCalls<'_>) -> Result<RaceRun, RaceError> {
    if ground.found.calls_at_once == CallsAtOnce::One {
        return Err(RaceError::OneAtATime);
    }
    let messages = ground.messages(plan.messages as usize, stop).await?;
    let (session, _launched) = ground.session(EmbeddedSetup::default()).await;
    let field = Field::new(plan, &messages, stop, told);
    let clients = (0..plan.clients).map(|number| Ok((number, own_session(&session)?))).collect::<Result<Vec<_>, SetupError>>()?;
    let ended: Vec<_> = std::thread::scope(|scope| {
        let field = &field;
        let threads: Vec<_> = clients
            .iter()
            .map(|(number, session)| {
                scope.spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build()?;
                    Ok(runtime.block_on(RaceClient::new(field, session, *number).run()))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let ended = ended.into_iter().collect::<Result<Vec<Vec<Exchange>>, std::io::Error>>()?;
    Ok(RaceRun {
        exchanges: ended.into_iter().flatten().collect(),
        messages: messages.into_iter().map(|message| message.msg_key).collect(),
        elapsed: ground.elapsed(),
        cut_short: stop.is_set().then(|| "interrupted".to_owned()),
    })
}

/// The same target over a connection of its own.
fn own_session<'a>(session: &Session<'a>) -> Result<Session<'a>, SetupError> {
    Ok(Session { client: session.client.afresh()?, clock: session.clock.clone(), ..*session })
}

/// What all clients share.
struct Field<'a> {
    plan: &'a RacePlan,
    messages: &'a [Message],
    keys: Vec<String>,
    /// The Seq of each key of the message in hand that any client was told last.
    latest: Mutex<Vec<i64>>,
    /// All clients are at the same message.
    barrier: Barrier,
    is_over: AtomicBool,
    stop: &'a Stop,
    told: ToldCalls<'a>,
}

impl<'a> Field<'a> {
    fn new(plan: &'a RacePlan, messages: &'a [Message], stop: &'a Stop, told: ToldCalls<'a>) -> Field<'a> {
        Field {
            plan,
            messages,
            keys: (1..=plan.keys).map(|number| format!("k{number}")).collect(),
            latest: Mutex::new(vec![0; plan.keys as usize]),
            barrier: Barrier::new(plan.clients as usize),
            is_over: AtomicBool::new(false),
            stop,
            told,
        }
    }

    /// Waits for all the others; one of them does `first` before anybody goes on.
    fn meet(&self, first: impl FnOnce()) {
        if self.barrier.wait().is_leader() {
            first();
        }
        self.barrier.wait();
    }

    fn with_latest<T>(&self, on: impl FnOnce(&mut Vec<i64>) -> T) -> T {
        on(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct RaceClient<'a> {
    field: &'a Field<'a>,
    line: Line<'a>,
    /// What is chosen; the line's own numbers stay with its requests.
    random: Random,
    number: u32,
    writes: u64,
}

impl<'a> RaceClient<'a> {
    fn new(field: &'a Field<'a>, session: &'a Session<'a>, number: u32) -> RaceClient<'a> {
        let name = format!("client {number}");
        let random = Random::named(session.seed, &format!("{name}'s choices"));
        RaceClient { field, line: Line::open(session, &name), random, number, writes: 0 }
    }

    async fn run(mut self) -> Vec<Exchange> {
        let (plan, field) = (self.field.plan, self.field);
        let (clients, messages) = (plan.clients, plan.messages);
        for (nth, message) in (0..).zip(field.messages) {
            field.meet(|| {
                field.is_over.store(field.stop.is_set(), Ordering::SeqCst);
                field.with_latest(|latest| latest.fill(0));
            });
            if field.is_over.load(Ordering::SeqCst) {
                break;
            }
            let calls = share(share(plan.operations, messages, nth), clients, self.number);
            for _ in 0..calls {
                if field.stop.is_set() {
                    break;
                }
                let request = self.choose(message);
                self.send(request).await;
            }
            // What the message holds when everybody is done says what became of calls without a reply.
            field.meet(|| {});
            if self.number == 0 && !field.stop.is_set() && self.line.session.read_back.is_possible() {
                let request = self.read(message, &(0..field.keys.len()).collect::<Vec<_>>());
                self.send(request).await;
            }
        }
        self.line.exchanges
    }

    fn choose(&mut self, message: &Message) -> (HttpRequest, Vec<usize>) {
        let plan = self.field.plan;
        let mix = plan.mix;
        let reads = if self.line.session.read_back.is_possible() { mix.read } else { 0 };
        let operation = [Some(Operation::Set), Some(Operation::Delete), Some(Operation::Clear), None];
        let operation = operation[self.random.weighted(&[mix.set, mix.delete, mix.clear, reads])];
        let keys = self.some_keys();
        match operation {
            None => self.read(message, &keys),
            Some(operation) => {
                let caller = plan.callers[self.random.below(plan.callers.len())];
                let caller = if self.line.session.member_calls == MemberCalls::Nobody { Caller::Admin } else { caller };
                self.write(message, operation, caller, &keys)
            }
        }
    }

    /// Distinct keys, as many as the plan says.
    fn some_keys(&mut self) -> Vec<usize> {
        let (least, most) = (self.field.plan.kvs.0 as usize, self.field.plan.kvs.1 as usize);
        let mut keys: Vec<usize> = (0..self.field.keys.len()).collect();
        self.random.shuffle(&mut keys);
        keys.truncate(least + self.random.below(most - least + 1));
        keys
    }

    fn write(&mut self, message: &Message, operation: Operation, caller: Caller, keys: &[usize]) -> (HttpRequest, Vec<usize>) {
        let mut kvs = Vec::new();
        for key in keys.iter().filter(|_| operation != Operation::Clear) {
            let latest = self.field.with_latest(|latest| latest[*key]);
            let seq = self.field.plan.seq;
            let seq = [latest, latest - 1, 0][self.random.weighted(&[seq.latest, seq.stale, seq.zero])];
            self.writes += 1;
            // Each write is known again by its value.
            let value = if operation == Operation::Set { format!("{}.{}", self.number, self.writes) } else { String::new() };
            kvs.push(Kv {
                key: self.field.keys[*key].clone(),
                value: Some(value),
                seq: caller.is_member().then_some(seq.max(0)),
            });
        }
        let keys = if operation == Operation::Clear { (0..self.field.keys.len()).collect() } else { keys.to_vec() };
        (self.request(message, operation, caller, &kvs), keys)
    }

    fn request(&mut self, message: &Message, operation: Operation, caller: Caller, kvs: &[Kv]) -> HttpRequest {
        let composer = self.line.composer();
        let mut body = composer.body(operation, caller, message);
        if operation != Operation::Clear {
            body.insert("ExtensionList".into(), kvs.iter().map(Kv::to_json).collect());
        }
        composer.plain(call::PATH, caller, &body.into(), &mut self.line.random)
    }

    /// A read of these keys, or, where a read tells them all, of all.
    fn read(&mut self, message: &Message, keys: &[usize]) -> (HttpRequest, Vec<usize>) {
        if self.line.session.read_back == ReadBack::Get {
            let body = get_body(message.from.as_deref(), &message.to, &message.msg_key, 0);
            let composer = self.line.composer();
            return (composer.plain(GET_PATH, Caller::Admin, &body, &mut self.line.random), Vec::new());
        }
        let kv = |key: &usize| {
            let never = Some("never set".to_owned());
            Kv { key: self.field.keys[*key].clone(), value: never, seq: Some(UNREACHABLE_SEQ) }
        };
        let kvs: Vec<Kv> = keys.iter().map(kv).collect();
        (self.request(message, Operation::Set, Caller::Sender, &kvs), keys.to_vec())
    }

    async fn send(&mut self, (request, keys): (HttpRequest, Vec<usize>)) {
        self.line.session.budget.turn().await;
        let exchange = self.unless_stopped(&request).await;
        let reply = match &exchange.outcome {
            Outcome::Replied(http) => decode(&http.body).0,
            Outcome::Lost(_) => None,
        };
        let class = match (&exchange.outcome, &reply) {
            (Outcome::Lost(_), _) => Class::Lost,
            (_, Some(reply)) => class(reply),
            (_, None) => Class::Error,
        };
        if let Some(reply) = reply {
            self.field.with_latest(|latest| {
                for key in keys {
                    // A clear tells no Seq; 0 is what most then expect.
                    let seq = if reply.results.is_none() { Some(0).filter(|_| reply.code == 0) } else { None };
                    let told = reply.result(&self.field.keys[key]).map(|result| result.extension.seq);
                    latest[key] = told.or(seq).unwrap_or(latest[key]);
                }
            });
        }
        self.line.exchanges.push(exchange);
        (self.field.told)(class);
    }

    /// Sends a call; whoever is stopped does not wait for the reply, and does not know what became of it.
    async fn unless_stopped(&self, request: &HttpRequest) -> Exchange {
        let sent = self.line.session.clock.now();
        let ended = tokio::select! {
            exchange = self.line.once(request, self.number) => return exchange,
            () = self.field.stop.wait() => self.line.session.clock.now(),
        };
        let outcome = Outcome::Lost(Loss::Closed("the run was ended".to_owned()));
        Exchange { client: self.number, request: request.clone(), outcome, due: sent, sent, received: ended, retries: 0 }
    }
}

fn class(reply: &Reply) -> Class {
    let codes = || std::iter::once(reply.code).chain(reply.results.iter().flatten().map(|result| result.code));
    match () {
        () if codes().all(|code| code == 0) => Class::Accepted,
        () if codes().any(|code| code == code::SEQ_CONFLICT) => Class::Conflict,
        () if codes().any(code::is_limit) => Class::Refused,
        () => Class::Error,
    }
}

/// How many of `all` fall to this one of `parts`.
fn share(all: u32, parts: u32, number: u32) -> u32 {
    all / parts + u32::from(number < all % parts)
}
