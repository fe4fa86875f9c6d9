//! Random sequences of calls: what a case of `fuzz` does, before anything is expected of it.
//!
//! Drawn by strategies that shrink: towards fewer steps, fewer pairs, the admin, the first key and the first value.

mod oddity;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::conform::text::{Seq, Text};
use super::conform::{CallStep, KvSpec, Repeat, Step};
use super::{Caller, EmbeddedSetup, MessageKind};
use crate::api::Operation;
use crate::api::call::MAX_KVS;
use crate::yaml::span::Span;
pub use oddity::{ODDITIES, Oddity, OddityAnswer};

/// Steps of a case before the last look at its messages.
const FEW_STEPS: RangeInclusive<usize> = 1..=12;
/// What comes only after many calls takes a long case.
const MANY_STEPS: RangeInclusive<usize> = 24..=48;
/// What stands around a repetition.
const STEPS_BEFORE: RangeInclusive<usize> = 0..=2;
const STEPS_AFTER: RangeInclusive<usize> = 1..=4;
/// Pairs in a repetition: more than a byte counts.
const MOST_AGAIN: usize = 280;
/// The message's limit may count requests or pairs: it lets so many of either through in a minute, and leaves room for other calls.
const PAIRS_A_MINUTE: usize = 120;
const BETWEEN_PAIRS: Duration = Duration::from_millis(500);
/// Most pairs of a call that no oddity adds to.
const MOST_PAIRS: usize = 3;
/// Where 10002 is answered now and then, it is so often.
const INTERNAL_ERROR_EVERY: u32 = 2;
/// No key ever gets so far.
const FAR: i64 = 2_000_000_000;
/// More than 32 bits hold.
const WIDE: i64 = 1 << 32;

/// Whether it is open what a Seq of that size is, but for that no key has it.
pub fn is_of_open_size(seq: Seq) -> bool {
    matches!(seq, Seq::Number(..0 | WIDE..))
}

/// The messages of a case: their names, and how likely each is.
pub const MESSAGES: &[(&str, MessageKind, u32)] = &[
    ("m", MessageKind::Sent, 16),
    ("other", MessageKind::Sent, 4),
    ("own", MessageKind::FromAdmin, 2),
    ("plain", MessageKind::Unsupported, 1),
    ("gone", MessageKind::Missing, 1),
];

/// What a case does.
#[derive(Clone, Debug)]
pub struct FuzzCase {
    pub embedded: EmbeddedSetup,
    pub steps: Vec<FuzzStep>,
    /// The messages that are read back in the end.
    pub last_looks: Vec<&'static str>,
}

#[derive(Clone, Debug)]
pub enum FuzzStep {
    Call(FuzzCall),
    Repeat(FuzzRepeat),
    /// Reads back every key that was named before.
    Look(&'static str),
}

#[derive(Clone, Debug)]
pub struct FuzzCall {
    pub caller: Caller,
    pub message: &'static str,
    pub operation: Operation,
    pub pairs: Vec<FuzzPair>,
    pub oddity: Option<&'static Oddity>,
}

/// Sets by the admin one after another: of one key, or of twenty others each time.
#[derive(Clone, Copy, Debug)]
pub struct FuzzRepeat {
    pub message: &'static str,
    pub rounds: usize,
    pub fresh: bool,
}

#[derive(Clone, Debug)]
pub struct FuzzPair {
    pub key: String,
    pub value: String,
    pub seq: Seq,
}

impl FuzzCase {
    /// Steps and pairs, each of which may be left out.
    pub fn parts(&self) -> usize {
        self.steps.iter().map(|step| 1 + step.pairs()).sum()
    }

    /// The case without one of its parts.
    pub fn without(&self, mut part: usize) -> FuzzCase {
        let mut case = self.clone();
        for (index, step) in case.steps.iter_mut().enumerate() {
            match step {
                _ if part == 0 => {
                    case.steps.remove(index);
                    break;
                }
                FuzzStep::Call(call) if part <= call.pairs.len() => {
                    call.pairs.remove(part - 1);
                    break;
                }
                step => part -= 1 + step.pairs(),
            }
        }
        case
    }
}

impl FuzzStep {
    fn pairs(&self) -> usize {
        match self {
            FuzzStep::Call(call) => call.pairs.len(),
            FuzzStep::Repeat(_) | FuzzStep::Look(_) => 0,
        }
    }
}

impl FuzzCall {
    /// The call as a scenario has it; nothing is expected of it yet.
    pub fn step(&self) -> Step {
        let deletes = self.operation == Operation::Delete;
        let kv = |pair: &FuzzPair| KvSpec::new(&pair.key, Some(pair.value.as_str()).filter(|_| !deletes), pair.seq);
        let kvs = (self.operation != Operation::Clear).then(|| self.pairs.iter().map(kv).collect());
        let call = CallStep {
            caller: Some(self.caller).filter(|caller| *caller != Caller::default()),
            message: Some(self.message).filter(|message| *message != MESSAGES[0].0).map(str::to_owned),
            kvs,
            ..CallStep::default()
        };
        let wrap = match self.operation {
            Operation::Set => Step::Set,
            Operation::Delete => Step::Delete,
            Operation::Clear => Step::Clear,
        };
        match self.oddity {
            Some(oddity) => oddity.twist(call, wrap),
            None => wrap(call),
        }
    }
}

impl FuzzRepeat {
    /// The set that is repeated.
    pub fn set(self) -> Step {
        let kv = KvSpec::new("k1", Some("v"), Seq::Latest);
        let fresh = KvSpec { key: Text("n".to_owned()), times: Some(MAX_KVS), fresh: true, ..kv.clone() };
        let call =
            FuzzCall { caller: Caller::Admin, message: self.message, operation: Operation::Set, pairs: Vec::new(), oddity: None };
        let mut step = call.step();
        if let Some(call) = step.call_mut() {
            (call.kvs, call.clause) = (Some(vec![if self.fresh { fresh } else { kv }]), Some("SET-2".to_owned()));
        }
        step
    }

    /// As a scenario has it.
    pub fn step(self) -> Step {
        Step::Repeat(Repeat {
            times: self.rounds,
            steps: vec![self.set()],
            every: (self.rounds * self.pairs() > PAIRS_A_MINUTE).then(|| Span(BETWEEN_PAIRS.mul_f64(self.pairs() as f64))),
            until: None,
            observe: None,
            limit: None,
            when: BTreeMap::new(),
        })
    }

    /// Those of one round.
    fn pairs(self) -> usize {
        if self.fresh { MAX_KVS } else { 1 }
    }
}

/// How the message of that name comes to be.
pub fn kind_of(message: &str) -> MessageKind {
    MESSAGES.iter().find(|(name, ..)| *name == message).map_or_else(MessageKind::default, |(_, kind, _)| *kind)
}

/// What cases may do on a target.
#[derive(Clone, Copy, Debug)]
pub struct FuzzScope {
    /// Members call, and not only the admin.
    pub members: bool,
    /// The admin can send messages of its own.
    pub own_messages: bool,
    /// It can be told to answer 10002 now and then, and its clock to go on: waiting takes no time.
    pub embedded: bool,
}

/// Cases within a scope.
pub fn cases(scope: FuzzScope) -> BoxedStrategy<FuzzCase> {
    let setup = option::weighted(0.1, Just(INTERNAL_ERROR_EVERY)).prop_map(move |internal_error_every| EmbeddedSetup {
        internal_error_every: internal_error_every.filter(|_| scope.embedded),
        ..EmbeddedSetup::default()
    });
    let looks: Vec<_> = messages(scope).filter(|(_, kind, _)| kind.takes_pairs()).map(|(name, ..)| look(name)).collect();
    let looks = looks.prop_map(|looks| looks.into_iter().flatten().collect());
    let message = || weighted(messages(scope).map(|(name, _, weight)| (*weight, *name)));
    let step = prop_oneof![
        8 => call(scope, message()).prop_map(FuzzStep::Call),
        1 => message().prop_map(FuzzStep::Look),
    ]
    .boxed();
    let [few, many, before, after] = [FEW_STEPS, MANY_STEPS, STEPS_BEFORE, STEPS_AFTER].map(|count| vec(step.clone(), count));
    let long = (before, repeat(scope, message()).prop_map(FuzzStep::Repeat), after)
        .prop_map(|(before, repeat, after)| before.into_iter().chain([repeat]).chain(after).collect());
    (setup, prop_oneof![30 => few, 2 => many, 1 => long], looks)
        .prop_map(|(embedded, steps, last_looks)| FuzzCase { embedded, steps, last_looks })
        .boxed()
}

fn messages(scope: FuzzScope) -> impl Iterator<Item = &'static (&'static str, MessageKind, u32)> {
    MESSAGES.iter().filter(move |(_, kind, _)| scope.own_messages || *kind != MessageKind::FromAdmin)
}

fn look(message: &'static str) -> impl Strategy<Value = Option<&'static str>> {
    option::weighted(0.95, Just(message))
}

/// Shrinks towards the first.
fn weighted<T: Clone + std::fmt::Debug + 'static>(choices: impl Iterator<Item = (u32, T)>) -> impl Strategy<Value = T> {
    proptest::strategy::Union::new_weighted(choices.map(|(weight, choice)| (weight, Just(choice))).collect())
}

fn call(scope: FuzzScope, message: impl Strategy<Value = &'static str>) -> impl Strategy<Value = FuzzCall> {
    let callers = [(4, Caller::Admin), (4, Caller::Sender), (2, Caller::Recipient), (1, Caller::Stranger)];
    let callers = callers.into_iter().filter(move |(_, caller)| scope.members || *caller == Caller::Admin);
    let operations = [(7, Operation::Set), (3, Operation::Delete), (1, Operation::Clear)];
    let oddity = option::weighted(0.15, select(ODDITIES.iter().collect::<Vec<_>>()));
    (weighted(callers), message, weighted(operations.into_iter()), vec(pair(), 1..=MOST_PAIRS), oddity)
        .prop_map(|(caller, message, operation, pairs, oddity)| FuzzCall { caller, message, operation, pairs, oddity })
}

/// Mostly as long as it gets, and shorter only where that is enough.
fn repeat(scope: FuzzScope, message: impl Strategy<Value = &'static str>) -> impl Strategy<Value = FuzzRepeat> {
    let most = if scope.embedded { MOST_AGAIN } else { PAIRS_A_MINUTE };
    (message, any::<bool>(), 1..=4 * most).prop_map(move |(message, fresh, rounds)| {
        let one = FuzzRepeat { message, rounds: 1, fresh };
        FuzzRepeat { rounds: rounds.min(most / one.pairs()), ..one }
    })
}

fn pair() -> impl Strategy<Value = FuzzPair> {
    let named = [(20, Seq::Latest), (4, Seq::Stale), (4, Seq::Ahead), (2, Seq::Absent)];
    let numbers = [(4, 0), (2, FAR), (4, 1), (1, -1), (1, WIDE)].map(|(weight, number)| (weight, Seq::Number(number)));
    let seq = named.into_iter().chain(numbers);
    (text(&["k1", "k2", "k3"], odd_keys()), text(&["v", "w", "x"], odd_values()), weighted(seq))
        .prop_map(|(key, value, seq)| FuzzPair { key, value, seq })
}

/// Mostly a usual one.
fn text(usual: &'static [&'static str], odd: Vec<String>) -> impl Strategy<Value = String> {
    prop_oneof![3 => select(usual).prop_map(str::to_owned), 1 => select(odd)]
}

/// Lawful keys that an endpoint may take for one another, or for none.
fn odd_keys() -> Vec<String> {
    let of_length = |character: &str, bytes: usize| {
        let mut text = character.repeat(bytes / character.len());
        text.extend(std::iter::repeat_n('a', bytes - text.len()));
        text
    };
    let words = ["K1", " k1", "k1 ", "k1\u{1}", "é", "e\u{301}", "ё", "中", "😀", "k", "k10", "k1/~.", "null", "0", "__proto__"];
    let words = words.into_iter().map(str::to_owned);
    let long =
        [("p", 65), ("q", 99), ("q", 100), ("é", 100), ("中", 100), ("😀", 100)].map(|(text, bytes)| of_length(text, bytes));
    let twins = [64, 99].into_iter().flat_map(|bytes| ["1", "2"].map(|end| of_length("p", bytes) + end));
    words.chain(long).chain(twins).collect()
}

/// Lawful values that an endpoint may not keep as they are.
fn odd_values() -> Vec<String> {
    let words = [
        " v ", "V", "\t\n", "v\u{1}", "é", "中", "😀", "\"\\/", "null", "0", "007", "{}", "<b>&amp;", "e\u{301}", "v\0w",
        "v\r\nw",
    ];
    let long = [("v", 256), ("v", 999), ("v", 1000), ("é", 500), ("中", 333), ("😀", 250), ("\"", 1000)];
    words.into_iter().map(str::to_owned).chain(long.into_iter().map(|(text, times)| text.repeat(times))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::api::call::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

    #[test]
    fn what_no_oddity_spoils_is_lawful() {
        assert!(odd_keys().iter().all(|key| (1..=MAX_KEY_BYTES).contains(&key.len())));
        assert!(odd_values().iter().all(|value| (1..=MAX_VALUE_BYTES).contains(&value.len())));
    }

    #[test]
    fn a_long_case_is_drawn_now_and_then_and_shrinks_to_few_rounds() {
        let (mut runner, mut longest) = (TestRunner::deterministic(), BTreeMap::new());
        for _ in 0..400 {
            let mut tree = cases(all()).new_tree(&mut runner).expect("a case");
            let repeat = |case: &FuzzCase| {
                case.steps.iter().find_map(|step| if let FuzzStep::Repeat(repeat) = step { Some(*repeat) } else { None })
            };
            let Some(FuzzRepeat { rounds, fresh, .. }) = repeat(&tree.current()) else { continue };
            let most = longest.entry(fresh).or_insert(rounds);
            *most = rounds.max(*most);
            // As long as another step is left, the repetition is.
            while tree.simplify() && repeat(&tree.current()).is_some_and(|repeat| repeat.rounds > 1) {}
            assert!(repeat(&tree.current()).is_none_or(|repeat| repeat.rounds == 1));
        }
        assert_eq!(longest, BTreeMap::from([(false, MOST_AGAIN), (true, MOST_AGAIN / MAX_KVS)]));
    }

    fn all() -> FuzzScope {
        FuzzScope { members: true, own_messages: true, embedded: true }
    }

    #[test]
    fn a_case_shrinks_to_one_plain_call_and_without_members_only_the_admin_calls() {
        let mut runner = TestRunner::deterministic();
        for _ in 0..20 {
            let mut tree = cases(all()).new_tree(&mut runner).expect("a case");
            while tree.simplify() {}
            let case = tree.current();
            assert_eq!((case.steps.len(), case.last_looks.len(), case.embedded.internal_error_every), (1, 0, None));
            let FuzzStep::Call(call) = &case.steps[0] else { panic!("{case:?}") };
            assert_eq!((call.caller, call.message, call.pairs.len(), call.oddity.is_none()), (Caller::Admin, "m", 1, true));
        }
        let none = FuzzScope { members: false, own_messages: false, embedded: false };
        for _ in 0..200 {
            let case = cases(none).new_tree(&mut runner).expect("a case").current();
            let is_admins = |step: &FuzzStep| !matches!(step, FuzzStep::Call(call) if call.caller != Caller::Admin);
            let waits = |step: &FuzzStep| matches!(step, FuzzStep::Repeat(repeat) if matches!(repeat.step(), Step::Repeat(Repeat { every: Some(_), .. })));
            assert!(!case.steps.iter().any(waits));
            assert!(case.steps.iter().all(is_admins) && case.embedded.internal_error_every.is_none());
        }
    }
}
