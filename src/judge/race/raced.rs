//! A history as the judge of races has to know it: by message, each call with what it did to each key, or saw of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::register::{EMPTY, PairTold, Touch, ValueNumber};
use super::search::{NEVER, UnderWay};
use crate::api::message::{GET_PATH, SEND_PATH, decode_get, decode_send};
use crate::api::reply::decode_coded;
use crate::api::{Call, HttpRequest, KeyResult, Kv, MemberCalls, Operation, Reply, call, code};
use crate::history::{Exchange, HttpReply, Identity, Loss, Outcome};

/// A whole history, by its messages.
#[derive(Debug)]
pub struct RacedHistory {
    pub messages: Vec<RacedMessage>,
    /// The values by their numbers.
    pub values: Vec<String>,
    /// Exchanges that are no call on the pairs of a message.
    pub others: usize,
    by_msg_key: HashMap<String, usize>,
    numbers: HashMap<String, ValueNumber>,
}

/// The calls on one message.
#[derive(Clone, Debug, Default)]
pub struct RacedMessage {
    pub msg_key: String,
    /// Whether it was made in this history, and so without a pair at first.
    pub is_fresh: bool,
    /// In the order of their sending.
    pub calls: Vec<RacedCall>,
    /// The keys that calls name, each once.
    pub keys: Vec<String>,
}

/// One call on a message, as far as it was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RacedCall {
    /// Its number in the history.
    pub exchange: u32,
    pub when: UnderWay,
    pub touches: Vec<KeyTouch>,
    /// What it did to every key that it does not name.
    pub rest: Option<Touch>,
    /// What it tried to set and, as it was told, did not: key and value.
    pub refused: Vec<(u32, ValueNumber)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTouch {
    /// The key's place among the message's.
    pub key: u32,
    pub touch: Touch,
    /// When it may have come to the key, and whether the reply says that it did.
    pub when: UnderWay,
}

impl RacedHistory {
    /// Reads a history; the order of its exchanges is of no matter. Messages in `fresh` had no pair before.
    pub fn read<'e>(
        exchanges: impl IntoIterator<Item = &'e Exchange>,
        identity: &Identity,
        fresh: impl IntoIterator<Item = &'e str>,
    ) -> RacedHistory {
        let mut history = RacedHistory::of(Vec::new());
        for msg_key in fresh {
            history.message(msg_key).is_fresh = true;
        }
        for (number, exchange) in (0..).zip(exchanges) {
            history.take(number, exchange, identity);
        }
        for message in &mut history.messages {
            message.calls.sort_by_key(|call| (call.when.sent, call.exchange));
            message.tell_older();
        }
        history
    }

    /// A history of messages that were read one by one; of their values it knows the numbers only.
    pub fn of(messages: Vec<RacedMessage>) -> RacedHistory {
        RacedHistory {
            messages,
            values: vec![String::new()],
            others: 0,
            by_msg_key: HashMap::new(),
            numbers: HashMap::from([(String::new(), EMPTY)]),
        }
    }

    /// The message with that key; a new one if there is none yet.
    fn message(&mut self, msg_key: &str) -> &mut RacedMessage {
        let messages = &mut self.messages;
        let place = *self.by_msg_key.entry(msg_key.to_owned()).or_insert_with(|| {
            messages.push(RacedMessage { msg_key: msg_key.to_owned(), ..RacedMessage::default() });
            messages.len() - 1
        });
        &mut self.messages[place]
    }

    fn key(&mut self, msg_key: &str, key: &str) -> u32 {
        self.message(msg_key).key(key)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a history has fewer than 2³² values")]
    fn value(&mut self, value: &str) -> ValueNumber {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = self.values.len() as ValueNumber;
        self.values.push(value.to_owned());
        self.numbers.insert(value.to_owned(), number);
        number
    }

    fn pair(&mut self, value: &str, seq: i64) -> PairTold {
        PairTold { value: self.value(value), seq, is_older: false }
    }

    fn take(&mut self, number: u32, exchange: &Exchange, identity: &Identity) {
        let taken = match exchange.request.path.as_str() {
            call::PATH => self.take_call(number, exchange, identity),
            GET_PATH => self.take_look(number, exchange),
            SEND_PATH => {
                if let Outcome::Replied(reply) = &exchange.outcome
                    && let Ok(msg_key) = decode_send(&reply.body, reply.coding.as_deref())
                {
                    self.message(&msg_key).is_fresh = true;
                }
                None
            }
            _ => None,
        };
        self.others += usize::from(taken.is_none());
    }

    fn take_call(&mut self, number: u32, exchange: &Exchange, identity: &Identity) -> Option<()> {
        let call = Call::read(&exchange.request.body)?;
        let reply = match &exchange.outcome {
            // It was certainly not carried out.
            Outcome::Lost(Loss::NotConnected(_)) => return Some(()),
            Outcome::Lost(_) => None,
            Outcome::Replied(http) => said(http),
        };
        let mut raced =
            RacedCall { exchange: number, when: under_way(exchange), touches: Vec::new(), rest: None, refused: Vec::new() };
        let by_member = identity.is_members(&exchange.request, &call);
        match reply.as_ref().map(|reply| (reply.code, &reply.results)) {
            Some((0, _)) if call.operation == Operation::Clear => raced.rest = Some(Touch::Clear),
            Some((0, _) | (_, Some(_))) if call.operation != Operation::Clear => {
                for kv in call.pairs() {
                    let result = reply.as_ref().and_then(|reply| reply.result(&kv.key));
                    self.take_pair(&mut raced, &call, kv, by_member, result);
                }
            }
            Some((code, _)) if code != 0 && !leaves_doubt(code) => {
                call.pairs().iter().for_each(|kv| self.refuse(&mut raced, &call, kv));
            }
            _ => {
                (raced.when.received, raced.when.is_certain) = (NEVER, false);
                match call.operation {
                    Operation::Clear => raced.rest = Some(Touch::Clear),
                    _ => call.pairs().iter().for_each(|kv| self.take_pair(&mut raced, &call, kv, by_member, None)),
                }
            }
        }
        self.message(&call.msg_key).calls.push(raced);
        Some(())
    }

    fn take_pair(&mut self, raced: &mut RacedCall, call: &Call, kv: &Kv, by_member: bool, result: Option<&KeyResult>) {
        let key = self.key(&call.msg_key, &kv.key);
        let is_twice = call.pairs().iter().filter(|other| other.key == kv.key).count() > 1;
        let value = self.value(kv.value.as_deref().unwrap_or(""));
        let expects = kv.seq.filter(|_| by_member);
        let deletes = call.operation == Operation::Delete;
        let does = |told| if deletes { Touch::Remove { expects, told } } else { Touch::Set { value, expects, told } };
        let certain = raced.when;
        let perhaps = UnderWay { is_certain: false, ..certain };
        let (touch, when) = match result.map(|result| (result.code, &result.extension)) {
            // Which pair of the two counts is left open (reading `duplicate-keys`), and nobody can tell afterwards. It came before
            // the reply, if there was one.
            _ if is_twice => (Touch::Set { value: EMPTY, expects: None, told: None }, perhaps),
            Some((0, extension)) => (does(Some(extension.seq)), certain),
            Some((code::SEQ_CONFLICT, extension)) => {
                let sent = PairTold { value, seq: kv.seq.unwrap_or(0), is_older: false };
                (Touch::Conflict { sent, told: self.pair(&extension.value, extension.seq), deletes }, certain)
            }
            Some((code::NOT_FOUND, _)) if deletes => (Touch::Missing, certain),
            Some((code, _)) if !leaves_doubt(code) => return self.refuse(raced, call, kv),
            _ => (does(None), UnderWay { received: NEVER, ..perhaps }),
        };
        raced.touches.push(KeyTouch { key, touch, when });
        if matches!(touch, Touch::Conflict { .. }) {
            self.refuse(raced, call, kv);
        }
    }

    /// Notes what a call did not set.
    fn refuse(&mut self, raced: &mut RacedCall, call: &Call, kv: &Kv) {
        if call.operation == Operation::Set {
            raced.refused.push((self.key(&call.msg_key, &kv.key), self.value(kv.value.as_deref().unwrap_or(""))));
        }
    }

    fn take_look(&mut self, number: u32, exchange: &Exchange) -> Option<()> {
        let body: serde_json::Value = serde_json::from_slice(&exchange.request.body).ok()?;
        let msg_key = body["MsgKey"].as_str()?;
        let Outcome::Replied(http) = &exchange.outcome else { return Some(()) };
        let page = decode_get(&http.body, http.coding.as_deref()).ok().filter(|_| http.cut.is_none());
        let Some(page) = page else { return Some(()) };
        let is_whole = page.complete && body["StartSeq"].as_i64().unwrap_or(0) <= 0;
        let when = under_way(exchange);
        let touches = page.pairs.iter().map(|(name, (value, seq))| {
            let key = self.key(msg_key, name);
            let touch = if value.is_empty() { Touch::Missing } else { Touch::Seen(self.pair(value, *seq)) };
            KeyTouch { key, touch, when }
        });
        let touches = touches.collect();
        let rest = is_whole.then_some(Touch::Missing);
        self.message(msg_key).calls.push(RacedCall { exchange: number, when, touches, rest, refused: Vec::new() });
        Some(())
    }
}

impl RacedMessage {
    #[expect(clippy::cast_possible_truncation, reason = "a message has a few hundred keys")]
    fn key(&mut self, name: &str) -> u32 {
        let place = self.keys.iter().position(|key| key == name).unwrap_or_else(|| {
            self.keys.push(name.to_owned());
            self.keys.len() - 1
        });
        place as u32
    }

    /// Marks the pairs that were seen and that no call of this history tried to set: they may have been there before, or come of a
    /// call that may have set one thing or another.
    fn tell_older(&mut self) {
        let mut touches = self.calls.iter().flat_map(|call| &call.touches);
        if self.is_fresh && !touches.any(|touch| touch.touch.sets() == Some(EMPTY)) {
            return;
        }
        let set = self.calls.iter().flat_map(|call| {
            let set = call.touches.iter().filter_map(|touch| match touch.touch {
                Touch::Set { value, .. } => Some((touch.key, value)),
                _ => None,
            });
            set.chain(call.refused.iter().copied())
        });
        let set: HashSet<(u32, ValueNumber)> = set.collect();
        for KeyTouch { key, touch, .. } in self.calls.iter_mut().flat_map(|call| &mut call.touches) {
            if let Touch::Seen(pair) | Touch::Conflict { told: pair, .. } = touch {
                pair.is_older = !set.contains(&(*key, pair.value));
            }
        }
    }
}

impl Identity {
    fn is_members(&self, request: &HttpRequest, call: &Call) -> bool {
        match self.member_calls {
            MemberCalls::Identifier => {
                request.query.iter().any(|(name, identifier)| name == "identifier" && *identifier != self.admin)
            }
            MemberCalls::FromAccount => call.from.is_some(),
            MemberCalls::Nobody => false,
        }
    }
}

/// The reply, where it is whole and can be read.
fn said(http: &HttpReply) -> Option<Reply> {
    let (reply, _) = decode_coded(&http.body, http.coding.as_deref());
    reply.filter(|_| http.cut.is_none())
}

/// Whether a call that got this code may have been carried out all the same: the code is a gateway's, not the endpoint's.
fn leaves_doubt(code: i64) -> bool {
    (60000..70000).contains(&code) && !code::is_credentials(code) && !code::is_app_limit(code)
}

fn under_way(exchange: &Exchange) -> UnderWay {
    let [sent, received] = [exchange.sent, exchange.received].map(nanoseconds);
    UnderWay { sent, received, is_certain: true, is_read: false, twin: None }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}
