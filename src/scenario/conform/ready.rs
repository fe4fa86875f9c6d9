//! Steps made ready to be done: who calls, on which message, for which clause, and where that stands in the file.
//!
//! Decides all that the run cannot change, once; what is well-formed but senseless was told before: see [`super::plan`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use super::text::{Body, KeyState, Seq};
use super::{CallStep, Expect, Http, KvSpec, LimitExpect, Observe, ObserveUntil, Parallel, Peek, Repeat, Scenario, Step};
use crate::api::Operation;
use crate::scenario::Caller;
use crate::yaml::source::{child_path, item_path};

/// The message that a step means which names none.
pub const DEFAULT_MESSAGE: &str = "m";

/// Answers to open questions, by question: the step is done where one of each was seen.
pub type When = BTreeMap<String, Vec<String>>;

/// One thing that happens, and on which condition.
#[derive(Clone, Debug)]
pub struct ReadyStep {
    pub when: When,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    Call(Box<ReadyCall>),
    Peek(ReadyPeek),
    Wait(Duration),
    Repeat(Box<ReadyRepeat>),
    Parallel(ReadyParallel),
}

/// A call, and what is expected of it. Its fields mean what those of [`CallStep`] do.
#[derive(Clone, Debug)]
pub struct ReadyCall {
    /// Index path: `/scenarios/3/steps/1/set`.
    pub place: String,
    /// `None` for a raw call, whose meaning only its author knows.
    pub operation: Option<Operation>,
    pub caller: Caller,
    pub message: String,
    pub clause: String,
    pub pairs: Option<Vec<ReadyPair>>,
    pub fields: BTreeMap<String, Json>,
    pub omit: Vec<String>,
    pub body: Option<Body>,
    pub http: Http,
    pub expect: Option<Expect>,
    pub should: BTreeMap<String, Expect>,
    pub observe: Option<Observe>,
}

impl ReadyCall {
    /// The call as it is made in this round of a repetition, where rounds count from 1.
    pub fn in_round(&self, round: usize) -> Cow<'_, ReadyCall> {
        let is_fresh = |pair: &ReadyPair| pair.fresh;
        if !self.pairs.iter().flatten().any(is_fresh) {
            return Cow::Borrowed(self);
        }
        let mut call = self.clone();
        for pair in call.pairs.iter_mut().flatten().filter(|pair| is_fresh(pair)) {
            pair.made_before = (round - 1) * pair.times.unwrap_or_default();
        }
        Cow::Owned(call)
    }

    /// Whether nothing may come of it: then it may be sent again, whatever became of its reply.
    pub fn expects_refusal(&self) -> bool {
        let refused = |expect: &Expect| expect.refused.is_some() || expect.code.as_ref().is_some_and(|codes| !codes.contains(0));
        self.expect.as_ref().is_some_and(refused)
    }

    /// Whether it goes to another path, or by another method, than the command's own.
    pub fn goes_elsewhere(&self) -> bool {
        self.http.path.is_some() || self.http.method.is_some()
    }
}

/// One pair of a call, or `times` pairs of one value. Only the target knows what a named Seq comes to.
#[derive(Clone, Debug)]
pub struct ReadyPair {
    pub key: String,
    pub value: String,
    pub seq: Seq,
    pub times: Option<usize>,
    /// Whether each round of a repetition has keys of its own; so many were made in the rounds before.
    pub fresh: bool,
    pub made_before: usize,
    pub fields: BTreeMap<String, Json>,
    pub omit: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ReadyPeek {
    pub place: String,
    pub message: String,
    pub clause: String,
    pub keys: BTreeMap<String, KeyState>,
}

#[derive(Clone, Debug)]
pub struct ReadyRepeat {
    pub place: String,
    /// What it breaks never to see `until`.
    pub clause: String,
    pub times: usize,
    pub every: Option<Duration>,
    pub steps: Vec<ReadyStep>,
    pub until: Option<Expect>,
    pub observe: Option<ObserveUntil>,
    pub limit: Option<LimitExpect>,
}

#[derive(Clone, Debug)]
pub struct ReadyParallel {
    pub place: String,
    pub clause: String,
    pub times: usize,
    pub calls: Vec<ReadyCall>,
    pub one_wins: Option<String>,
}

impl ReadyCall {
    /// A plain set that is no scenario's: of a probe, or to read a message back.
    pub fn set(caller: Caller, message: &str, pairs: Vec<ReadyPair>) -> ReadyCall {
        ReadyCall {
            place: String::new(),
            operation: Some(Operation::Set),
            caller,
            message: message.to_owned(),
            clause: String::new(),
            pairs: Some(pairs),
            fields: BTreeMap::new(),
            omit: Vec::new(),
            body: None,
            http: Http::default(),
            expect: None,
            should: BTreeMap::new(),
            observe: None,
        }
    }

    pub fn expectations(&self) -> impl Iterator<Item = &Expect> {
        let observed = self.observe.iter().flat_map(|observe| observe.is.values());
        self.expect.iter().chain(self.should.values()).chain(observed)
    }
}

impl ReadyPair {
    pub fn new(key: &str, value: &str, seq: Seq) -> ReadyPair {
        let (fields, omit) = (BTreeMap::new(), Vec::new());
        let (key, value) = (key.to_owned(), value.to_owned());
        ReadyPair { key, value, seq, times: None, fresh: false, made_before: 0, fields, omit }
    }

    /// The key of each pair that it makes.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        numbered(&self.key, self.times, self.made_before)
    }
}

/// `k`, or so many of `k1`, `k2`, … as `times` says, after these.
pub fn numbered(key: &str, times: Option<usize>, after: usize) -> impl Iterator<Item = String> {
    let alone = times.is_none().then(|| key.to_owned());
    alone.into_iter().chain((1..=times.unwrap_or_default()).map(move |number| format!("{key}{}", after + number)))
}

impl Act {
    /// The calls that it makes itself; those of a repetition are its steps'.
    pub fn calls(&self) -> &[ReadyCall] {
        match self {
            Act::Call(call) => std::slice::from_ref(call),
            Act::Parallel(parallel) => &parallel.calls,
            Act::Peek(_) | Act::Wait(_) | Act::Repeat(_) => &[],
        }
    }
}

/// Everything that the steps do, within repetitions too.
pub fn acts(steps: &[ReadyStep]) -> Vec<&Act> {
    let mut found = Vec::new();
    for step in steps {
        found.push(&step.act);
        if let Act::Repeat(repeat) = &step.act {
            found.extend(acts(&repeat.steps));
        }
    }
    found
}

/// The steps of the scenario that stands at `place`.
pub fn ready(scenario: &Scenario, place: &str) -> Vec<ReadyStep> {
    Lowering { scenario }.steps(&scenario.steps, &child_path(place, "steps"))
}

struct Lowering<'a> {
    scenario: &'a Scenario,
}

impl Lowering<'_> {
    fn steps(&self, steps: &[Step], place: &str) -> Vec<ReadyStep> {
        (0..).zip(steps).map(|(index, step)| self.step(step, &item_path(place, index))).collect()
    }

    fn step(&self, step: &Step, place: &str) -> ReadyStep {
        let place = child_path(place, step.word());
        let (when, act) = match step {
            Step::Set(call) | Step::Delete(call) | Step::Clear(call) | Step::Raw(call) => {
                (call.when.clone(), Act::Call(Box::new(self.call(call, step.operation(), place))))
            }
            Step::Peek(peek) => (peek.when.clone(), Act::Peek(self.peek(peek, place))),
            Step::Wait(span) => (When::new(), Act::Wait(span.0)),
            Step::Repeat(repeat) => (repeat.when.clone(), Act::Repeat(Box::new(self.repeat(repeat, place)))),
            Step::Parallel(parallel) => (When::new(), Act::Parallel(self.parallel(parallel, place))),
        };
        ReadyStep { when, act }
    }

    fn call(&self, call: &CallStep, operation: Option<Operation>, place: String) -> ReadyCall {
        let pair = |kv: &KvSpec| ReadyPair {
            key: kv.key.0.clone(),
            value: kv.value.as_ref().map_or_else(|| default_value(operation).to_owned(), |text| text.0.clone()),
            seq: kv.seq,
            times: kv.times,
            fresh: kv.fresh,
            made_before: 0,
            fields: kv.fields.clone(),
            omit: kv.omit.clone(),
        };
        ReadyCall {
            place,
            operation,
            caller: call.caller.unwrap_or(self.scenario.caller),
            message: message(call.message.as_ref()),
            clause: self.clause(call.clause.as_ref()),
            pairs: call.kvs.as_ref().map(|kvs| kvs.iter().map(pair).collect()),
            fields: call.fields.clone(),
            omit: call.omit.clone(),
            body: call.body.clone(),
            http: call.http.clone(),
            expect: call.expect.clone(),
            should: call.should.clone(),
            observe: call.observe.clone(),
        }
    }

    fn peek(&self, peek: &Peek, place: String) -> ReadyPeek {
        let (message, clause) = (message(peek.message.as_ref()), self.clause(peek.clause.as_ref()));
        ReadyPeek { place, message, clause, keys: peek.keys.clone() }
    }

    fn repeat(&self, repeat: &Repeat, place: String) -> ReadyRepeat {
        ReadyRepeat {
            clause: self.clause(None),
            times: repeat.times,
            every: repeat.every.map(|span| span.0),
            steps: self.steps(&repeat.steps, &child_path(&place, "do")),
            until: repeat.until.clone(),
            observe: repeat.observe.clone(),
            limit: repeat.limit.clone(),
            place,
        }
    }

    fn parallel(&self, parallel: &Parallel, place: String) -> ReadyParallel {
        let steps = child_path(&place, "do");
        let call = |(index, step): (usize, &Step)| {
            let place = child_path(&item_path(&steps, index), step.word());
            step.call().map(|call| self.call(call, step.operation(), place))
        };
        ReadyParallel {
            clause: self.clause(parallel.clause.as_ref()),
            times: parallel.times.unwrap_or(1),
            calls: (0..).zip(&parallel.steps).filter_map(call).collect(),
            one_wins: parallel.one_wins.clone(),
            place,
        }
    }

    fn clause(&self, named: Option<&String>) -> String {
        named.or(self.scenario.clauses.first()).cloned().unwrap_or_default()
    }
}

fn message(named: Option<&String>) -> String {
    named.cloned().unwrap_or_else(|| DEFAULT_MESSAGE.to_owned())
}

/// The empty string on a delete, as in the documentation's example.
fn default_value(operation: Option<Operation>) -> &'static str {
    if operation == Some(Operation::Delete) { "" } else { "v" }
}

#[cfg(test)]
mod tests {
    use serde_yaml::with::singleton_map_recursive;

    use super::*;

    fn lowered(yaml: &str) -> Vec<ReadyStep> {
        let yaml = serde_yaml::Deserializer::from_str(yaml);
        let scenario = singleton_map_recursive::deserialize(yaml).expect("a scenario");
        ready(&scenario, "/scenarios/3")
    }

    #[test]
    fn what_a_step_leaves_out_is_its_scenarios() {
        let steps = lowered("{id: a, title: t, clauses: [A, B], as: sender, steps: [delete: {kvs: [{key: k}]}]}");
        let Act::Call(call) = &steps[0].act else { panic!("a call") };
        assert_eq!(call.place, "/scenarios/3/steps/0/delete");
        assert_eq!((call.operation, call.caller), (Some(Operation::Delete), Caller::Sender));
        assert_eq!((call.message.as_str(), call.clause.as_str()), ("m", "A"));
        let pairs = call.pairs.as_deref().expect("pairs");
        assert_eq!((pairs[0].value.as_str(), pairs[0].seq), ("", Seq::Latest));
    }

    #[test]
    fn what_a_step_says_stays() {
        let step = "{as: stranger, message: n, clause: B, kvs: [{key: k, value: w, times: 2}]}";
        let steps = lowered(&format!("{{id: a, title: t, clauses: [A, B], as: sender, steps: [set: {step}]}}"));
        let Act::Call(call) = &steps[0].act else { panic!("a call") };
        assert_eq!((call.caller, call.message.as_str(), call.clause.as_str()), (Caller::Stranger, "n", "B"));
        let pairs = call.pairs.as_deref().expect("pairs");
        assert_eq!(pairs[0].keys().collect::<Vec<_>>(), ["k1", "k2"]);
        assert_eq!(pairs[0].value, "w");
    }

    #[test]
    fn fresh_keys_go_on_from_round_to_round_and_others_come_again() {
        let keys = |kv: &str| {
            let steps = lowered(&format!("{{id: a, title: t, clauses: [A], steps: [set: {{kvs: [{kv}]}}]}}"));
            let Act::Call(call) = &steps[0].act else { panic!("a call") };
            let pairs = call.in_round(3).pairs.clone().expect("pairs");
            pairs.iter().flat_map(ReadyPair::keys).collect::<Vec<_>>()
        };
        assert_eq!(keys("{key: k, times: 2, fresh: true}"), ["k5", "k6"]);
        assert_eq!(keys("{key: k, times: 2}"), ["k1", "k2"]);
    }

    #[test]
    fn nested_steps_have_their_own_places() {
        let steps = lowered(
            "{id: a, title: t, clauses: [A], steps: [{repeat: {times: 2, do: [{wait: 1s}, {parallel: {do: [{clear: {}}, {raw: {body: x}}]}}]}}]}",
        );
        let acts = acts(&steps);
        let places: Vec<&str> = acts.iter().flat_map(|act| act.calls()).map(|call| call.place.as_str()).collect();
        let parallel = "/scenarios/3/steps/0/repeat/do/1/parallel/do";
        assert_eq!(places, [format!("{parallel}/0/clear"), format!("{parallel}/1/raw")]);
        assert_eq!(acts.len(), 3);
    }
}
