//! Calls that ran side by side: is there, for each key, an order of them that explains every reply (clause SEQ-7)?
//!
//! Each key of a message is a register with a counter. Which Seq a key expects after a delete or a clear, and what the counter
//! counts, is left open; the history is lawful if one answer to these questions explains all of it.

mod anomaly;
mod atomic;
pub mod raced;
pub mod register;
pub mod search;
mod stamps;
mod witness;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::judge::text::counted;
use crate::model::rules::{Counter, Gone};
use crate::spec::Spec;
use crate::verdict::{Overall, Verdict};
pub use anomaly::{Anomaly, Witnessed};
use raced::{RacedCall, RacedHistory, RacedMessage};
use register::{Assumed, EMPTY, KeyAt, Touch, ValueNumber};
use search::{NEVER, OrderSearch, Sought, UnderWay};

/// The clause that is judged.
pub const CLAUSE: &str = "SEQ-7";

/// Steps of one key's search beyond which it is given up: some ten seconds.
const BUDGET: u64 = 3_000_000;
/// More keys than this are not explained one by one.
const MOST_EXPLAINED: usize = 20;

/// A call that began before the record has ended so long after its beginning, or after twice what its longest call took.
const LONGEST_CALL_NS: u64 = 1_000_000_000;
/// So many calls on a key may have been under way when the record began.
const MOST_UNRECORDED: u32 = 2;
/// In place of a call: it is not in the record.
const NOBODYS: u32 = u32::MAX;
/// In place of every value that nobody saw.
const UNSEEN: ValueNumber = ValueNumber::MAX;

/// What a history came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RaceVerdict {
    /// `None` where the search was given up.
    pub linearizable: Option<bool>,
    /// Calls on the pairs of messages.
    pub operations: usize,
    /// Calls that changed a key and overlapped with another on it.
    pub contended: usize,
    /// Calls of which nobody knows whether they were carried out.
    pub unknown_outcomes: usize,
    /// Keys whose search was given up.
    pub undecided: usize,
    /// Keys that no order explains; more than these are counted only.
    pub anomalies: Vec<Anomaly>,
    pub unexplained: usize,
    /// Question to the answer that this history decides.
    pub readings: BTreeMap<&'static str, &'static str>,
}

impl RaceVerdict {
    /// What the history says of the clause.
    pub fn of_clause(&self) -> Verdict {
        match self.linearizable {
            Some(false) => Verdict::Fail,
            _ if self.contended == 0 => Verdict::Unknown("no two calls met at a key".to_owned()),
            Some(true) => Verdict::Pass,
            None => Verdict::Unknown(format!("the search was given up at {}", counted(self.undecided, "key"))),
        }
    }

    /// Each clause of which the history says something, with what it says.
    pub fn clauses(&self, spec: &Spec) -> Vec<(String, Verdict)> {
        let observed = self.readings.keys().filter_map(|question| spec.question(question));
        let observed = observed.map(|clause| (clause.id.clone(), Verdict::Pass));
        observed.chain([(CLAUSE.to_owned(), self.of_clause())]).collect()
    }

    /// What the whole run comes to, and one line that says why; `incomplete` says why it was cut short, where it was.
    pub fn overall(&self, incomplete: Option<&str>) -> (Overall, String) {
        match (self.of_clause(), incomplete) {
            (Verdict::Fail, _) => {
                let first = self.anomalies.first().map_or("no order of the calls explains them", |first| first.name);
                (Overall::Fail, format!("{CLAUSE}: {} without an explanation: {first}", counted(self.unexplained, "key")))
            }
            (_, Some(why)) => (Overall::Inconclusive, format!("the run was cut short: {why}")),
            (Verdict::Unknown(why) | Verdict::Skipped(why), None) => (Overall::Inconclusive, why),
            (Verdict::Pass, None) => {
                let calls = counted(self.operations, "call");
                (
                    Overall::Pass,
                    format!("each key has an order that explains all of {calls}, of which {} met another", self.contended),
                )
            }
        }
    }
}

/// Everything that came to one key, in the order of its sending.
#[derive(Clone, Debug)]
pub(crate) struct Register<'a> {
    message: &'a RacedMessage,
    key: u32,
    first: KeyAt,
    under_way: Vec<UnderWay>,
    touches: Vec<Touch>,
    /// The call of each, by its place in the message.
    calls: Vec<u32>,
}

/// What one set of answers makes of a history.
struct Explained {
    assumed: Assumed,
    /// Message and key, and the operation beyond which no order leads.
    impossible: Vec<(usize, u32, u32)>,
    undecided: usize,
    /// Messages that gave one Seq to two calls, or gave them in the wrong order.
    misnumbered: Vec<stamps::Misnumbered>,
}

impl Explained {
    fn faults(&self) -> usize {
        self.impossible.len() + self.misnumbered.len()
    }
}

/// Judges a history.
pub fn judge(history: &RacedHistory) -> RaceVerdict {
    let calls = || history.messages.iter().flat_map(|message| &message.calls);
    let mut verdict = RaceVerdict {
        linearizable: None,
        operations: calls().count(),
        contended: history.messages.iter().map(contended).sum(),
        unknown_outcomes: calls().filter(|call| call.when.received == NEVER).count(),
        undecided: 0,
        anomalies: Vec::new(),
        unexplained: 0,
        readings: BTreeMap::new(),
    };
    let best = best_explained(history);
    verdict.undecided = best.undecided;
    if best.faults() > 0 {
        verdict.linearizable = Some(false);
        verdict.unexplained = best.faults();
        verdict.anomalies = anomalies(history, &best);
    } else if best.undecided == 0 {
        verdict.linearizable = Some(true);
        verdict.readings = readings(history, best.assumed);
    }
    verdict
}

/// Whether these answers to the open clauses explain a history; `None` where the search was given up.
pub fn is_explained(history: &RacedHistory, assumed: Assumed) -> Option<bool> {
    let explained = explain(history, assumed, 0);
    if explained.faults() > 0 { Some(false) } else { Some(true).filter(|_| explained.undecided == 0) }
}

/// The answers that leave the least unexplained; the first that leave nothing.
fn best_explained(history: &RacedHistory) -> Explained {
    let rank = |explained: &Explained| (explained.faults(), explained.undecided);
    let mut best = explain(history, Assumed::DOCUMENTED, usize::MAX);
    for assumed in Assumed::all().filter(|assumed| *assumed != Assumed::DOCUMENTED) {
        if rank(&best) == (0, 0) {
            break;
        }
        let explained = explain(history, assumed, best.faults());
        if rank(&explained) < rank(&best) {
            best = explained;
        }
    }
    best
}

/// Searches key by key; ends beyond so many faults.
fn explain(history: &RacedHistory, assumed: Assumed, most: usize) -> Explained {
    let mut explained = Explained { assumed, impossible: Vec::new(), undecided: 0, misnumbered: Vec::new() };
    let mut search = OrderSearch::new(BUDGET);
    for (place, message) in history.messages.iter().enumerate() {
        if assumed.counter == Counter::PerMessage {
            explained.misnumbered.extend(stamps::misnumbered(place, message));
        }
        for register in registers(message) {
            match register.order(assumed, &mut search) {
                Sought::Found(_) => {}
                Sought::Nowhere(stuck) => explained.impossible.push((place, register.key, stuck)),
                Sought::Undecided => explained.undecided += 1,
            }
        }
        if explained.faults() > most {
            break;
        }
    }
    explained
}

fn anomalies(history: &RacedHistory, explained: &Explained) -> Vec<Anomaly> {
    let misnumbered = explained.misnumbered.iter().map(|found| anomaly::of_stamps(history, found));
    let unordered = explained.impossible.iter().map(|(place, key, stuck)| {
        let register = register(&history.messages[*place], *key);
        anomaly::of_witness(history, &register, &witness::smallest(&register, explained.assumed, *stuck))
    });
    misnumbered.chain(unordered).take(MOST_EXPLAINED).collect()
}

/// The answers that this history decides: those without which it would have no explanation.
fn readings(history: &RacedHistory, held: Assumed) -> BTreeMap<&'static str, &'static str> {
    let excluded = |other: Assumed| explain(history, other, 0).faults() > 0;
    let mut decided = atomic::readings(history, held);
    let mut told = |question, answer, same: fn(Assumed, Assumed) -> bool| {
        if Assumed::all().filter(|other| !same(*other, held)).all(excluded) {
            decided.insert(question, answer);
        }
    };
    let counter = match held.counter {
        Counter::PerKey => "per-key",
        Counter::PerMessage => "per-message",
    };
    let gone = |gone: Gone| match gone {
        Gone::Tombstone => "tombstone",
        Gone::Reset => "reset",
    };
    told("seq", counter, |a, b| a.counter == b.counter);
    told("deleted-key", gone(held.deleted), |a, b| a.deleted == b.deleted);
    told("cleared-key", gone(held.cleared), |a, b| a.cleared == b.cleared);
    decided
}

/// Each key's operations.
fn registers(message: &RacedMessage) -> impl Iterator<Item = Register<'_>> {
    (0..).zip(&message.keys).map(|(key, _)| register(message, key))
}

fn register(message: &RacedMessage, key: u32) -> Register<'_> {
    let first = if message.is_fresh { KeyAt::FRESH } else { KeyAt::UNKNOWN };
    let mut register = Register { message, key, first, under_way: Vec::new(), touches: Vec::new(), calls: Vec::new() };
    if !message.is_fresh {
        register.push_unrecorded();
    }
    for (place, call) in (0..).zip(&message.calls) {
        let named = call.touches.iter().filter(|named| named.key == key);
        let mut is_named = false;
        for named in named {
            is_named = true;
            register.push(named.when, named.touch, place);
        }
        if let Some(rest) = call.rest.filter(|_| !is_named) {
            register.push(call.when, rest, place);
        }
    }
    register.pair_twins();
    register
}

impl Register<'_> {
    /// What began before the record may come after its beginning, and is not in it: it leaves the key in a state that nobody knows.
    fn push_unrecorded(&mut self) {
        let start = self.message.calls.first().map_or(0, |call| call.when.sent);
        let took = |call: &RacedCall| call.when.received.saturating_sub(call.when.sent);
        let took = self.message.calls.iter().filter(|call| call.when.received != NEVER).map(took).max().unwrap_or(0);
        let end = start.saturating_add(LONGEST_CALL_NS.max(2 * took));
        for nth in 0..MOST_UNRECORDED {
            let twin = nth.checked_sub(1);
            let when = UnderWay { sent: start, received: end, is_certain: false, is_read: false, twin };
            self.push(when, Touch::Set { value: EMPTY, expects: None, told: None }, NOBODYS);
        }
    }

    fn push(&mut self, when: UnderWay, touch: Touch, call: u32) {
        self.under_way.push(UnderWay { is_read: !touch.changes(), ..when });
        self.touches.push(touch);
        self.calls.push(call);
    }

    fn order(&self, assumed: Assumed, search: &mut OrderSearch<KeyAt>) -> Sought {
        let touch = |operation: u32| self.touches[operation as usize];
        search.order(self.first, &self.under_way, |at, operation| assumed.after(*at, touch(operation)))
    }

    /// Of lost calls that nobody can tell apart, since they did the same or wrote what nobody saw, the first comes first.
    fn pair_twins(&mut self) {
        let seen: HashSet<ValueNumber> = self.touches.iter().filter_map(|touch| touch.shown()).collect();
        let mut last: HashMap<Touch, u32> = HashMap::new();
        for (operation, touch) in (0..).zip(&self.touches) {
            let when = &mut self.under_way[operation as usize];
            if when.received == NEVER {
                let as_seen = match *touch {
                    Touch::Set { value, expects, told } if value != EMPTY && !seen.contains(&value) => {
                        Touch::Set { value: UNSEEN, expects, told }
                    }
                    touch => touch,
                };
                when.twin = last.insert(as_seen, operation);
            }
        }
    }
}

/// Calls that change a key while another call on it is under way.
fn contended(message: &RacedMessage) -> usize {
    let mut contended = HashSet::new();
    for register in registers(message) {
        let mut latest: Option<usize> = None;
        for (operation, when) in register.under_way.iter().enumerate() {
            if register.calls[operation] == NOBODYS {
                continue;
            }
            if let Some(other) = latest.filter(|other| when.sent <= register.under_way[*other].received) {
                let pair = [operation, other].into_iter().filter(|one| register.touches[*one].changes());
                contended.extend(pair.map(|one| register.calls[one]));
            }
            let ends_later = |other: usize| when.received > register.under_way[other].received;
            if when.received != NEVER && latest.is_none_or(ends_later) {
                latest = Some(operation);
            }
        }
    }
    contended.len()
}
