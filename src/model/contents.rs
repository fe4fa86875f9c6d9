//! What the endpoint holds, and how one call changes it: a pure step on calls, without bytes, signatures, limits or time.
//!
//! A state is a plain value: it can be copied, compared and hashed, so that whoever looks for an order of calls that explains what
//! was seen can go back to one, and need not look at one twice.

use std::collections::BTreeMap;
use std::mem::swap;

use super::gate::Refusal;
use super::request::{self, Address, Operator};
use super::rules::{AllFailed, ClearReach, FromOmitted, KeySpace, LimitPlace, MixedUp, Order, Partial, Rules, Side, Swapped};
use super::store::Store;
use crate::api::MemberCalls;
use crate::api::{Call, Extension, KeyResult, Operation, Reply};

/// Every message of every app, with its pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Contents {
    messages: BTreeMap<MessageId, StoredMessage>,
}

/// The app's number and the message's key.
type MessageId = (u64, String);

/// A message and its pairs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredMessage {
    pub sender: String,
    pub recipient: String,
    /// It was sent without a sender, on behalf of the admin.
    pub is_admins: bool,
    pub supports_extension: bool,
    store: Store,
}

impl Contents {
    /// Messages there are.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    pub fn add(&mut self, app: u64, msg_key: String, message: StoredMessage) {
        self.messages.insert((app, msg_key), message);
    }

    /// Carries out one call and answers it, as [`super::Model`] does where no signature, plan or limit stands in its way.
    pub fn apply(&mut self, rules: &Rules, app: u64, operator: &Operator, call: &Call) -> Reply {
        let done = request::check_names(rules, call.from.as_deref(), &call.to, &call.msg_key)
            .and_then(|()| request::check(rules, call, operator))
            .and_then(|()| self.admit(rules, app, operator, call))
            .and_then(|()| self.write(rules, app, operator, call, true));
        done.unwrap_or_else(Reply::from)
    }

    /// The pairs of a message as `get_key_values` names it.
    pub(super) fn read(&self, rules: &Rules, app: u64, address: &Address) -> Result<&Store, Refusal> {
        let message = self.messages.get(&(app, address.msg_key.clone()));
        let message = message.filter(|message| message.is_named_by(rules, address.from.as_deref(), &address.to));
        message.map(|message| &message.store).ok_or_else(|| no_message(rules))
    }

    /// Is there such a message, does it take pairs, and may the caller write them?
    pub(super) fn admit(&mut self, rules: &Rules, app: u64, operator: &Operator, call: &Call) -> Result<(), Refusal> {
        let (access, codes, from) = (&rules.access, &rules.codes, call.from.as_deref());
        let id = (app, call.msg_key.clone());
        if access.creates_missing_message && !self.messages.contains_key(&id) {
            let mut made = StoredMessage::new(call.from.clone().unwrap_or_default(), call.to.clone());
            made.is_admins = call.from.is_none();
            self.messages.insert(id.clone(), made);
        }
        let Some(message) = self.messages.get(&id) else {
            let is_acknowledged = access.acknowledges_missing.contains(&call.operation);
            return if is_acknowledged { Ok(()) } else { Err(no_message(rules)) };
        };
        if !message.is_named_by(rules, from, &call.to) {
            let swapped = message.is_swapped_by(from, &call.to) && access.swapped == Swapped::Refused;
            let exchanged = || Refusal::new(codes.invalid, "From_Account and To_Account are exchanged");
            return Err(if swapped { exchanged() } else { no_message(rules) });
        }
        if let Operator::Account(account) = operator {
            let (is_sender, is_recipient) = (*account == message.sender, *account == message.recipient);
            let sides = [(is_sender, access.sender_may), (is_recipient, access.recipient_may), (true, access.strangers_may)];
            if !sides.iter().any(|(is_of_it, may)| *is_of_it && may.contains(&call.operation)) {
                return Err(Refusal::new(codes.outsider, format!("{account} may not do this")));
            }
        }
        if !message.supports_extension && !access.ignores_missing_support {
            return Err(Refusal::new(codes.unsupported, "the message does not support extensions"));
        }
        Ok(())
    }

    /// What a call hears that the message's limit refused.
    pub(super) fn over_limit(&self, rules: &Rules, app: u64, call: &Call) -> Result<Reply, Refusal> {
        let code = rules.codes.message_limit;
        if rules.limits.place == LimitPlace::Top || call.pairs().is_empty() {
            return Err(Refusal::new(code, "this message is set too often"));
        }
        let store = self.messages.get(&(app, call.msg_key.clone())).map(|message| &message.store);
        let result = |key: &str| {
            let nothing = || Extension { key: key.to_owned(), value: String::new(), seq: 0 };
            KeyResult { code, extension: store.map_or_else(nothing, |store| store.current(rules, key)) }
        };
        let mut results: Vec<KeyResult> = call.pairs().iter().map(|kv| result(&kv.key)).collect();
        put_in_order(rules, &mut results);
        Ok(Reply::accepted(Some(results)))
    }

    /// Writes what an admitted call asks for; where it is not `kept`, only the answer is as if it had.
    pub(super) fn write(
        &mut self,
        rules: &Rules,
        app: u64,
        operator: &Operator,
        call: &Call,
        kept: bool,
    ) -> Result<Reply, Refusal> {
        if call.operation == Operation::Clear && rules.writes.clear_reach == ClearReach::Conversation {
            let from = call.from.as_deref();
            for message in self.messages.values_mut().filter(|message| message.is_named_by(rules, from, &call.to)) {
                message.store.clear(rules, operator, &[]);
            }
        }
        let favoured = rules.access.taken_for_admin.filter(|side| self.is_side(app, operator, call, *side));
        let operator = if favoured.is_some() { &Operator::Admin } else { operator };
        let mut nowhere = Store::default();
        let store = match self.store(rules, app, &call.msg_key) {
            Some(store) => store,
            None if rules.access.acknowledges_missing.contains(&call.operation) => &mut nowhere,
            None => return Err(no_message(rules)),
        };
        if kept { apply_to(store, rules, operator, call) } else { apply_to(&mut store.clone(), rules, operator, call) }
    }

    /// Whether a call is made by this side of its message.
    fn is_side(&self, app: u64, operator: &Operator, call: &Call, side: Side) -> bool {
        let message = self.messages.get(&(app, call.msg_key.clone()));
        let account = message.map(|message| match side {
            Side::Sender => &message.sender,
            Side::Recipient => &message.recipient,
        });
        matches!(operator, Operator::Account(caller) if account == Some(caller))
    }

    /// The pairs that a call works on.
    pub(super) fn store(&mut self, rules: &Rules, app: u64, msg_key: &str) -> Option<&mut Store> {
        let id = (app, msg_key.to_owned());
        let id = match rules.writes.key_space {
            KeySpace::Message => id,
            KeySpace::Conversation => {
                let of = |message: &StoredMessage| (message.sender.clone(), message.recipient.clone());
                let conversation = of(self.messages.get(&id)?);
                self.messages.iter().find(|(_, message)| of(message) == conversation).map(|(id, _)| id.clone())?
            }
        };
        self.messages.get_mut(&id).map(|message| &mut message.store)
    }
}

impl StoredMessage {
    /// From one account to another, with support for extensions and without a pair.
    pub fn new(sender: String, recipient: String) -> StoredMessage {
        StoredMessage { sender, recipient, is_admins: false, supports_extension: true, store: Store::default() }
    }

    /// Whether a call with these accounts names it. Whose message one without a sender is, is left open.
    fn is_named_by(&self, rules: &Rules, from: Option<&str>, to: &str) -> bool {
        let access = &rules.access;
        let straight = match from {
            Some(from) => from == self.sender && to == self.recipient,
            None => to == self.recipient && (access.from_omitted == FromOmitted::AnySender || self.is_admins),
        };
        straight
            || (self.is_swapped_by(from, to) && (access.swapped == Swapped::Found || access.members == MemberCalls::FromAccount))
    }

    fn is_swapped_by(&self, from: Option<&str>, to: &str) -> bool {
        from == Some(self.recipient.as_str()) && to == self.sender
    }
}

fn no_message(rules: &Rules) -> Refusal {
    Refusal::new(rules.codes.no_message, "no such message")
}

pub(super) fn apply_to(store: &mut Store, rules: &Rules, operator: &Operator, call: &Call) -> Result<Reply, Refusal> {
    let kvs = call.pairs();
    if call.operation == Operation::Clear {
        if rules.writes.clear_of_nothing_fails && store.list().is_empty() {
            return Err(Refusal::new(rules.codes.no_message, "there is nothing to clear"));
        }
        let gone = store.clear(rules, operator, kvs);
        return Ok(Reply::accepted(store.cleared_list(rules, gone)));
    }
    if call.operation == Operation::Set && store.size_with(rules, kvs) > rules.bounds.kvs_per_message {
        return Err(Refusal::new(rules.codes.invalid, format!("a message holds at most {} pairs", rules.bounds.kvs_per_message)));
    }
    let results = store.write(rules, operator, call);
    Ok(written(rules, results))
}

/// The reply to a set or a delete with these results.
pub(super) fn written(rules: &Rules, mut results: Vec<KeyResult>) -> Reply {
    let failed = results.iter().find(|result| result.code != 0).map(|result| result.code);
    let all_failed = results.iter().all(|result| result.code != 0);
    mix_up(rules.writes.mixed_up, &mut results);
    put_in_order(rules, &mut results);
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

fn put_in_order(rules: &Rules, results: &mut [KeyResult]) {
    if rules.writes.order == Order::Reversed {
        results.reverse();
    }
}

/// Gives each result a part of the one after it, and the last a part of the first.
fn mix_up(mixed_up: MixedUp, results: &mut [KeyResult]) {
    for at in 1..results.len() {
        let (one, next) = results[at - 1..=at].split_at_mut(1);
        let (one, next) = (&mut one[0], &mut next[0]);
        match mixed_up {
            MixedUp::Nothing => {}
            MixedUp::Seqs => swap(&mut one.extension.seq, &mut next.extension.seq),
            MixedUp::Values => swap(&mut one.extension.value, &mut next.extension.value),
            MixedUp::Codes => swap(&mut one.code, &mut next.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::api::reply::decode;
    use crate::api::{Kv, call, code};
    use crate::model::{Model, Request, ServedApp, Setup};

    const APP: u64 = 1_400_000_000;
    const MSG_KEY: &str = "1_2_3";

    /// One message from `s` to `r`.
    fn one_message() -> Contents {
        let mut contents = Contents::default();
        contents.add(APP, MSG_KEY.to_owned(), StoredMessage::new("s".to_owned(), "r".to_owned()));
        contents
    }

    fn call(operation: Operation, kvs: Option<Vec<Kv>>) -> Call {
        Call { from: Some("s".to_owned()), to: "r".to_owned(), msg_key: MSG_KEY.to_owned(), operation, kvs }
    }

    fn set(key: &str, value: &str, seq: i64) -> Call {
        call(Operation::Set, Some(vec![Kv { key: key.to_owned(), value: Some(value.to_owned()), seq: Some(seq) }]))
    }

    fn after(calls: &[Call]) -> Contents {
        let (mut contents, member) = (one_message(), Operator::Account("s".to_owned()));
        for call in calls {
            contents.apply(&Rules::default(), APP, &member, call);
        }
        contents
    }

    #[test]
    fn equal_contents_hash_alike_and_others_differ() {
        let (a, b) = (set("a", "1", 0), set("b", "2", 0));
        let seen: HashSet<Contents> = [after(&[a.clone(), b.clone()]), after(&[b.clone(), a.clone()])].into();
        assert_eq!(seen.len(), 1, "the order of two keys cannot be seen afterwards");
        assert!(!seen.contains(&after(std::slice::from_ref(&a))) && !seen.contains(&after(&[a, b, set("a", "1", 1)])));
    }

    #[test]
    fn a_refused_call_leaves_the_contents_as_they_were_and_a_served_one_does_not() {
        let before = after(&[set("a", "1", 0)]);
        let (rules, sender) = (Rules::default(), Operator::Account("s".to_owned()));
        let stranger = Operator::Account("x".to_owned());
        let refused = [
            (&sender, set("a", "2", 7), code::OK),
            (&sender, set("", "2", 0), code::INVALID),
            (&sender, call(Operation::Set, None), code::INVALID),
            (&stranger, set("b", "2", 0), rules.codes.outsider),
        ];
        for (operator, call, code) in refused {
            let mut contents = before.clone();
            let reply = contents.apply(&rules, APP, operator, &call);
            assert_eq!((reply.code, &contents), (code, &before), "{call:?}");
        }
        let mut contents = before.clone();
        assert_eq!(contents.apply(&rules, APP, &sender, &set("a", "2", 1)).code, code::OK);
        assert_ne!(contents, before);
    }

    fn kv() -> impl Strategy<Value = Kv> {
        let key = prop_oneof!["[abc]", Just(String::new()), Just("k".repeat(101)), Just("é".repeat(50))];
        let value = prop_oneof![Just(None), "[xy]{0,3}".prop_map(Some), Just(Some("v".repeat(1001)))];
        let seq = prop_oneof![Just(None), (-1_i64..4).prop_map(Some)];
        (key, value, seq).prop_map(|(key, value, seq)| Kv { key, value, seq })
    }

    fn any_call() -> impl Strategy<Value = Call> {
        let kvs = prop_oneof![
            6 => prop::collection::vec(kv(), 0..4).prop_map(Some),
            1 => prop::collection::vec(kv(), 21).prop_map(Some),
            1 => Just(None),
        ];
        let named = |name: &'static str| prop_oneof![4 => Just(name.to_owned()), 1 => Just("x".to_owned())];
        let from = prop_oneof![3 => Just(Some("s".to_owned())), 1 => Just(Some("r".to_owned())), 1 => Just(None)];
        (from, named("r"), named(MSG_KEY), prop::sample::select(Operation::ALL.to_vec()), kvs)
            .prop_map(|(from, to, msg_key, operation, kvs)| Call { from, to, msg_key, operation, kvs })
    }

    /// Without what stands in the way of a call before its fields are read.
    fn open() -> Setup {
        let mut rules = Rules::default();
        rules.gate.takes_empty_sig = true;
        (rules.limits.app, rules.limits.message) = (None, None);
        let app = ServedApp { sdkappid: APP, secret_key: String::new(), admins: vec!["adm".to_owned()], has_plan: true };
        Setup { rules, apps: vec![app] }
    }

    proptest! {
        #[test]
        fn calls_are_answered_as_their_bytes_are(calls in prop::collection::vec((0..4_usize, any_call()), 1..12)) {
            let (setup, mut model, mut contents) = (open(), Model::new(), one_message());
            model.contents = contents.clone();
            for (caller, call) in calls {
                let identifier = ["adm", "s", "r", "x"][caller];
                let operator = if caller == 0 { Operator::Admin } else { Operator::Account(identifier.to_owned()) };
                let query = format!("sdkappid={APP}&identifier={identifier}&usersig=&random=1&contenttype=json");
                let body = Value::Object(call.to_json()).to_string();
                let request = Request { method: "POST", path: call::PATH, query: &query, body: body.as_bytes(), connection: 0 };
                let (told, defects) = decode(&model.answer(&setup, request, Duration::ZERO).body);
                prop_assert!(defects.is_empty(), "{:?}", defects);
                prop_assert_eq!(told, Some(contents.apply(&setup.rules, APP, &operator, &call)), "{:?}", call);
                prop_assert_eq!(&model.contents, &contents);
            }
        }
    }
}
