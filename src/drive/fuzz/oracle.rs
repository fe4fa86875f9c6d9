//! What a case has to come to: the reference model answers each of its calls, and the answers become a scenario's expectations.
//!
//! Seqs stay names (`latest`, `stale`), so that model and target may count as they like. What the documentation leaves open, and
//! no reading has settled, is left out of the case or asked of nobody.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::frame::{observe, ready_call, refusal, scenario};
use super::known::{GoneKeys, KeyKnown, KnownKeys};
use crate::api::call::MAX_KVS_PER_MESSAGE;
use crate::api::message::{GET_PATH, SEND_PATH, decode_send, get_body};
use crate::api::reply::decode;
use crate::api::{HttpRequest, Kv, MemberCalls, Operation, Reply, code};
use crate::drive::compose::{Composed, Composer};
use crate::drive::messages::{Message, missing_key, send_of};
use crate::drive::readback::{Pages, UNREACHABLE_SEQ};
use crate::drive::target::{Accounts, App, Signatures};
use crate::history::{HttpReply, Outcome};
use crate::judge::conform::Sent;
use crate::judge::conform::memory::Memory;
use crate::judge::conform::pairs::Pairs;
use crate::model::readings::reading;
use crate::model::rules::Gone;
use crate::model::{Model, Request, Rules, ServedApp, Setup};
use crate::random::Random;
use crate::scenario::conform::ready::{ReadyCall, numbered};
use crate::scenario::conform::text::{Codes, KeyState, Seq, SeqExpect, Text};
use crate::scenario::conform::{CallStep, Expect, KeyExpect, KvSpec, Peek, Scenario, Step};
use crate::scenario::fuzz::{FuzzCall, FuzzCase, FuzzPair, FuzzRepeat, FuzzStep, MESSAGES, Oddity, is_of_open_size, kind_of};
use crate::scenario::{Caller, MessageKind};

/// The questions whose answers it has to know, as far as they can be known.
pub const QUESTIONS: [&str; 2] = ["deleted-key", "cleared-key"];

/// What a set may be refused with whose Seq is too large, or negative (clauses SEQ-10, SEQ-11).
const SEQ_OF_OPEN_SIZE: [i64; 3] = [code::SEQ_CONFLICT, code::INVALID, code::BAD_JSON];
/// The Seq of a key that the first set of a message has set (clause SET-1).
const FIRST_SEQ: i64 = 1;

/// What a delete of a key that is not there may be answered (clause DEL-4).
const DELETE_OF_NOTHING: [i64; 3] = [0, code::SEQ_CONFLICT, code::NOT_FOUND];

/// The model, and what the target was seen to do.
#[derive(Debug)]
pub struct Oracle {
    setup: Setup,
    app: App,
    without_plan: App,
    accounts: Accounts,
    gone: GoneKeys,
    /// The readings that are not the reference's.
    rests_on: BTreeMap<String, String>,
    can_read_back: bool,
    has_plan_less_app: bool,
}

impl Oracle {
    /// An oracle for a target of these readings.
    pub fn new(readings: &BTreeMap<String, String>, can_read_back: bool, has_plan_less_app: bool) -> Oracle {
        let mut rules = Rules::default();
        (rules.limits.app, rules.limits.message) = (None, None);
        let reference = rules.clone();
        let seen = QUESTIONS.into_iter().filter_map(|question| reading(question, readings.get(question)?));
        seen.for_each(|reading| (reading.apply)(&mut rules));
        let known = |question: &str, gone: Gone| readings.contains_key(question).then_some(gone);
        let gone = GoneKeys {
            deleted: known("deleted-key", rules.seq.deleted_key),
            cleared: known("cleared-key", rules.seq.cleared_key),
        };
        let differs = |(question, answer): &(&String, &String)| {
            let mut rules = reference.clone();
            reading(question, answer).is_some_and(|reading| {
                (reading.apply)(&mut rules);
                rules != reference
            })
        };
        let rests_on = readings.iter().filter(differs).map(|(question, answer)| (question.clone(), answer.clone())).collect();
        let app = |sdkappid| App {
            sdkappid,
            admin: "administrator".to_owned(),
            secret_key: "the oracle's own".into(),
            signatures: Signatures::default(),
        };
        let served = |sdkappid, has_plan| ServedApp {
            sdkappid,
            secret_key: "the oracle's own".to_owned(),
            admins: vec!["administrator".to_owned()],
            has_plan,
        };
        Oracle {
            setup: Setup { rules, apps: vec![served(1, true), served(2, false)] },
            app: app(1),
            without_plan: app(2),
            accounts: Accounts::default(),
            gone,
            rests_on,
            can_read_back,
            has_plan_less_app,
        }
    }

    /// The readings without which what it expects need not hold on the reference.
    pub fn rests_on(&self) -> &BTreeMap<String, String> {
        &self.rests_on
    }

    /// The case as a scenario in which every step says what has to come of it. `None` where nothing is left of it.
    pub fn scenario(&self, id: &str, case: &FuzzCase) -> Option<Scenario> {
        let mut asked = Asked::new(self);
        for step in &case.steps {
            match step {
                FuzzStep::Call(call) => asked.call(call),
                FuzzStep::Repeat(repeat) => asked.repeat(*repeat),
                FuzzStep::Look(message) => asked.look(message),
            }
        }
        case.last_looks.iter().for_each(|message| asked.look(message));
        let calls = asked.steps.iter().filter(|step| step.call().is_some()).count();
        let mut embedded = case.embedded.clone();
        // Where the endpoint gets too few calls to answer one with 10002, nothing would be tried again.
        embedded.internal_error_every = embedded.internal_error_every.filter(|every| calls >= *every as usize);
        (!asked.steps.is_empty()).then(|| Scenario { embedded, ..scenario(id, asked.steps) })
    }

    fn composer(&self) -> Composer<'_> {
        Composer {
            app: &self.app,
            without_plan: Some(&self.without_plan),
            accounts: &self.accounts,
            member_calls: MemberCalls::Identifier,
            now_s: 0,
        }
    }
}

/// A case being asked of the model, call by call.
struct Asked<'a> {
    oracle: &'a Oracle,
    model: Model,
    random: Random,
    messages: HashMap<&'static str, Message>,
    memory: Memory,
    keys: KnownKeys,
    /// The messages that were called on.
    touched: HashSet<&'static str>,
    /// The clause that the last write of each message speaks for.
    last_write: HashMap<&'static str, &'static str>,
    steps: Vec<Step>,
}

impl<'a> Asked<'a> {
    fn new(oracle: &'a Oracle) -> Asked<'a> {
        let mut asked = Asked {
            oracle,
            model: Model::new(),
            random: Random::seeded(0),
            messages: HashMap::new(),
            memory: Memory::default(),
            keys: KnownKeys::new(oracle.gone),
            touched: HashSet::new(),
            last_write: HashMap::new(),
            steps: Vec::new(),
        };
        for (name, kind, _) in MESSAGES {
            let message = asked.message(*kind);
            asked.messages.insert(name, message);
        }
        asked
    }

    fn message(&mut self, kind: MessageKind) -> Message {
        let (from, to) = (Some(self.oracle.accounts.sender.clone()), self.oracle.accounts.recipient.clone());
        let Some(send) = send_of(kind, &self.oracle.accounts, 0) else {
            return Message { from, to, msg_key: missing_key(0) };
        };
        let request = self.oracle.composer().plain(SEND_PATH, Caller::Admin, &send.to_json(), &mut self.random);
        let msg_key = decode_send(&self.answer(&request), None).unwrap_or_default();
        Message { from: send.from, to, msg_key }
    }

    fn answer(&mut self, request: &HttpRequest) -> Vec<u8> {
        let target = request.target();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let request = Request { method: &request.method, path, query, body: &request.body, connection: 0 };
        self.model.answer(&self.oracle.setup, request, Duration::ZERO).body
    }

    // Calls

    fn call(&mut self, drawn: &FuzzCall) {
        let Some(drawn) = self.sensible(drawn) else { return };
        // Twenty keys are hardly ever there to be deleted, unless they are set for it.
        if drawn.operation == Operation::Delete && drawn.oddity.is_some_and(Oddity::is_of_many) && refusal(&drawn).is_none() {
            self.call(&FuzzCall { operation: Operation::Set, ..drawn.clone() });
        }
        if self.call_of_one(&drawn) {
            return;
        }
        let mut step = drawn.step();
        if step.call_mut().is_none_or(|call| !self.fit(&drawn, call)) {
            return;
        }
        let Some((sent, reply)) = ready_call(&step).and_then(|ready| self.ask(&ready, drawn.message)) else { return };
        let lacks_seq = || (reply.code != 0 && reply.results.is_none()).then(|| ("REQ-12", Codes::OneOf(vec![reply.code])));
        let (clause, expect) = match refusal(&drawn).or_else(lacks_seq) {
            Some((clause, codes)) => {
                let unchanged = self.oracle.can_read_back && kind_of(drawn.message).takes_pairs();
                (clause, Some(Expect { refused: Some(codes), unchanged, ..Expect::default() }))
            }
            None => self.expected(&drawn, &sent, &reply),
        };
        self.touched.insert(drawn.message);
        self.learn(drawn.message, drawn.operation, &sent, &reply);
        self.memory.learn(&sent, &reply);
        if let Some(call) = step.call_mut() {
            (call.clause, call.expect) = (Some(clause.to_owned()), expect);
        }
        self.steps.push(step);
    }

    /// The call put to the model.
    fn ask(&mut self, ready: &ReadyCall, message: &'static str) -> Option<(Sent, Reply)> {
        let Composed { request, sent } =
            self.oracle.composer().call(ready, &self.messages[message], &self.memory, &mut self.random);
        // Only a clause of level should says how many pairs a message holds.
        if self.keys.held(message) + sent.kvs.len() > MAX_KVS_PER_MESSAGE {
            return None;
        }
        decode(&self.answer(&request)).0.map(|reply| (sent, reply))
    }

    fn learn(&mut self, message: &'static str, operation: Operation, sent: &Sent, reply: &Reply) {
        if reply.code == 0 || reply.results.is_some() {
            let clause = match operation {
                Operation::Set => "SET-4",
                Operation::Delete => "DEL-1",
                Operation::Clear => "CLR-1",
            };
            self.last_write.insert(message, clause);
            self.keys.learn(message, operation, sent, reply);
        }
    }

    /// A member's set of one key, where only by itself it has an outcome that is settled or answers a question.
    fn call_of_one(&mut self, drawn: &FuzzCall) -> bool {
        let is_plain = drawn.operation == Operation::Set && drawn.caller.is_member() && drawn.oddity.is_none();
        if !is_plain || refusal(drawn).is_some() {
            return false;
        }
        let message = drawn.message;
        let question = |pair: &FuzzPair| self.keys.question(message, &pair.key).filter(|_| pair.seq != Seq::Absent);
        let is_wrong = |pair: &&FuzzPair| is_of_open_size(pair.seq) && self.keys.of(message, &pair.key) != Some(KeyKnown::Asked);
        let asks = drawn.pairs.iter().find_map(|pair| question(pair).map(|question| (pair, question)));
        let wrong = drawn.pairs.iter().find(is_wrong);
        let Some(pair) = asks.map(|(pair, _)| pair).or(wrong) else { return false };
        let seq = if asks.is_some() { Seq::Number(0) } else { pair.seq };
        let mut step = FuzzCall { pairs: vec![FuzzPair { seq, ..pair.clone() }], ..drawn.clone() }.step();
        let Some(call) = step.call_mut() else { return false };
        if let Some((pair, question)) = asks {
            call.observe = Some(observe(question, &pair.key));
            self.keys.ask(message, &pair.key);
        } else {
            let refused = Some(Codes::OneOf(SEQ_OF_OPEN_SIZE.to_vec()));
            call.expect = Some(Expect { refused, unchanged: self.oracle.can_read_back, ..Expect::default() });
            call.clause = Some("SEQ-2".to_owned());
        }
        self.touched.insert(message);
        self.steps.push(step);
        true
    }

    fn repeat(&mut self, drawn: FuzzRepeat) {
        let message = drawn.message;
        let Some(call) = ready_call(&drawn.set()).filter(|_| kind_of(message).takes_pairs()) else { return };
        let mut rounds = 0;
        while rounds < drawn.rounds
            && let Some((sent, reply)) = self.ask(&call.in_round(rounds + 1), message)
        {
            self.learn(message, Operation::Set, &sent, &reply);
            self.memory.learn(&sent, &reply);
            rounds += 1;
        }
        if rounds > 0 {
            self.touched.insert(message);
            self.steps.push(FuzzRepeat { rounds, ..drawn }.step());
        }
    }

    /// The call without what would leave open what comes of it; `None` where that is all of it.
    fn sensible(&self, drawn: &FuzzCall) -> Option<FuzzCall> {
        let mut call = drawn.clone();
        let kind = kind_of(call.message);
        // Nobody but the admin has sent the admin's own message; what a delete or clear meets where pairs are not supported is open.
        if kind == MessageKind::FromAdmin && call.caller == Caller::Sender {
            call.caller = Caller::Admin;
        }
        if kind == MessageKind::Unsupported && call.operation != Operation::Set {
            return None;
        }
        let is_plain = kind.takes_pairs() && call.caller != Caller::Stranger;
        call.oddity = call.oddity.filter(|oddity| {
            let fits = is_plain && oddity.operations.contains(&call.operation);
            fits && (!oddity.needs_plan_less_app() || self.oracle.has_plan_less_app)
        });
        if call.oddity.is_some_and(Oddity::is_admins) {
            call.caller = Caller::Admin;
        }
        // One thing wrong at a time: which of two is told is open.
        if call.oddity.is_some() || !is_plain {
            let second = call.pairs.iter_mut().filter(|pair| pair.seq == Seq::Absent || is_of_open_size(pair.seq));
            second.for_each(|pair| pair.seq = Seq::Latest);
        }
        // Of a key named twice it is open which pair counts.
        let mut named: Vec<String> = Vec::new();
        call.pairs.retain(|pair| {
            let is_new = !named.contains(&pair.key);
            named.push(pair.key.clone());
            is_new
        });
        // Without a pair it would lack two things.
        Some(call).filter(|call| call.operation == Operation::Clear || !call.pairs.is_empty())
    }

    /// Leaves out the pairs of which it is open what comes, and gives a key that is not there a Seq that is surely right or wrong.
    /// Whether there is a call left.
    fn fit(&self, drawn: &FuzzCall, call: &mut CallStep) -> bool {
        let Some(kvs) = call.kvs.as_mut().filter(|_| drawn.operation != Operation::Clear) else { return true };
        let is_live = |kv: &KvSpec| numbered(&kv.key.0, kv.times, 0).all(|key| self.keys.is_live(drawn.message, &key));
        kvs.iter_mut().filter(|kv| is_of_open_size(kv.seq)).for_each(|kv| kv.seq = Seq::Latest);
        // Below the latest of a key that is not there lies a negative one, of which it is open what comes.
        let negative = kvs.iter_mut().filter(|kv| kv.seq == Seq::Stale && !is_live(kv));
        negative.for_each(|kv| kv.seq = Seq::Number(UNREACHABLE_SEQ));
        if refusal(drawn).is_some() {
            return true;
        }
        if drawn.operation == Operation::Delete {
            // A key that is not there may fail a delete as a whole, and twenty have to be there to be deleted.
            let has_live = kvs.iter().any(is_live);
            let is_asked = |kv: &KvSpec| self.keys.of(drawn.message, &kv.key.0) == Some(KeyKnown::Asked);
            kvs.retain(|kv| is_live(kv) || !has_live && kv.times.is_none() && !is_asked(kv));
        }
        if drawn.caller.is_member() {
            kvs.retain_mut(|kv| self.fit_seq(drawn.message, kv));
        }
        !kvs.is_empty()
    }

    /// Whether it is settled what a member's pair comes to.
    fn fit_seq(&self, message: &'static str, kv: &mut KvSpec) -> bool {
        let key = &kv.key.0;
        let known = self.keys.of(message, key);
        if known == Some(KeyKnown::Live) {
            // The first Seq of all is surely wrong only where another has followed.
            let may_be_right = !self.keys.goes_on(message, key) || self.memory.latest(message, key) <= FIRST_SEQ;
            if kv.seq == Seq::Number(FIRST_SEQ) && may_be_right {
                kv.seq = Seq::Latest;
            }
            return true;
        }
        let gone = self.keys.expects(known);
        kv.seq = match (kv.seq, gone) {
            (Seq::Absent, _) => Seq::Absent,
            (Seq::Stale | Seq::Ahead | Seq::Number(1..), _) => Seq::Number(UNREACHABLE_SEQ),
            // A clear tells no Seq, so that only a refusal can.
            (Seq::Latest, Some(Gone::Tombstone)) if known != Some(KeyKnown::Cleared) => Seq::Latest,
            (Seq::Latest | Seq::Number(_), _) => Seq::Number(0),
        };
        gone.is_some()
    }

    /// What a call that was not refused as a whole has to come to, and the clause that says so.
    fn expected(&self, drawn: &FuzzCall, sent: &Sent, reply: &Reply) -> (&'static str, Option<Expect>) {
        let conflicts = || reply.results.iter().flatten().filter(|result| result.code == code::SEQ_CONFLICT);
        let is_live = |key: &str| self.keys.is_live(drawn.message, key);
        match drawn.operation {
            Operation::Clear if drawn.oddity.is_none() => ("CLR-1", None),
            Operation::Clear => {
                ("REQ-6", Some(Expect { code: Some(Codes::default()), each: Some(KeyExpect::default()), ..Expect::default() }))
            }
            Operation::Delete if sent.kvs.iter().all(|kv| !is_live(&kv.key)) => {
                let codes = Some(Codes::OneOf(DELETE_OF_NOTHING.to_vec()));
                let each = KeyExpect { code: codes.clone(), ..KeyExpect::default() };
                ("DEL-4", Some(Expect { code: codes, each: Some(each), ..Expect::default() }))
            }
            Operation::Set | Operation::Delete => {
                let conflict = Some(Codes::OneOf(vec![code::SEQ_CONFLICT]));
                // The first set of a message gives every key the first Seq (SET-1), whatever a Seq counts.
                let is_first =
                    drawn.operation == Operation::Set && !self.touched.contains(drawn.message) && conflicts().next().is_none();
                if is_first && drawn.oddity.is_none() {
                    let first = |kv: &Kv| {
                        let value = kv.value.clone().map(Text);
                        (kv.key.clone(), KeyExpect { code: Some(Codes::default()), value, seq: Some(SeqExpect::Number(1)) })
                    };
                    return ("SET-1", Some(Expect { keys: sent.kvs.iter().map(first).collect(), ..Expect::default() }));
                }
                let keys: BTreeMap<String, KeyExpect> = conflicts()
                    .map(|result| {
                        let (key, extension) = (&result.extension.key, &result.extension);
                        let shown = is_live(key).then(|| (Text(extension.value.clone()), SeqExpect::Latest));
                        let (value, seq) = shown.unzip();
                        (key.clone(), KeyExpect { code: conflict.clone(), value, seq })
                    })
                    .collect();
                let deletes = drawn.operation == Operation::Delete;
                let worked = drawn.oddity.map_or(if deletes { "DEL-1" } else { "SET-2" }, |oddity| oddity.clause);
                let clause = match (keys.len(), deletes) {
                    (0, _) => worked,
                    (some, _) if some < sent.kvs.len() => "SEQ-4",
                    (_, true) => "DEL-2",
                    (_, false) if keys.keys().all(|key| is_live(key)) => "SEQ-1",
                    (_, false) => "SEQ-2",
                };
                (clause, Some(Expect { keys, ..Expect::default() }).filter(|expect| !expect.keys.is_empty()))
            }
        }
    }

    // Reading back

    fn look(&mut self, message: &'static str) {
        let asked = self.keys.settled(message);
        if asked.is_empty() || !self.oracle.can_read_back {
            return;
        }
        let Some(pairs) = self.pairs(message) else { return };
        let state = |key: &String| match pairs.get(key) {
            Some((value, _)) if !value.is_empty() => {
                KeyState::Present { value: Some(Text(value.clone())), seq: Some(SeqExpect::Latest) }
            }
            _ => KeyState::Absent,
        };
        self.steps.push(Step::Peek(Peek {
            message: Some(message).filter(|name| *name != MESSAGES[0].0).map(str::to_owned),
            clause: self.last_write.get(message).map(|clause| (*clause).to_owned()),
            keys: asked.iter().map(|key| (key.clone(), state(key))).collect(),
            when: BTreeMap::new(),
        }));
        self.keys.look(message);
    }

    /// All pairs of a message on the model.
    fn pairs(&mut self, message: &'static str) -> Option<Pairs> {
        let mut pages = Pages::default();
        loop {
            let at = &self.messages[message];
            let body = get_body(at.from.as_deref(), &at.to, &at.msg_key, pages.start_seq());
            let request = self.oracle.composer().plain(GET_PATH, Caller::Admin, &body, &mut self.random);
            let page = HttpReply { status: 200, body: self.answer(&request), cut: None, coding: None };
            if let Some(pairs) = pages.take(&Outcome::Replied(page)).ok()? {
                return Some(pairs);
            }
        }
    }
}
