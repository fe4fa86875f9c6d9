//! What went wrong with a key, by the name that the field has for it.

use std::collections::HashSet;

use super::Register;
use super::raced::RacedHistory;
use super::register::{EMPTY, Touch, ValueNumber};
use super::search::{NEVER, UnderWay};
use super::stamps::Misnumbered;

/// Operations that no order explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    pub name: &'static str,
    /// The message's key.
    pub message: String,
    /// Empty where it is of the whole message.
    pub key: String,
    /// In the order of their sending.
    pub witness: Vec<Witnessed>,
}

/// One operation of an anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Its number in the history.
    pub exchange: u32,
    /// In nanoseconds since the start of the history.
    pub sent: u64,
    /// `None` for one without a reply.
    pub received: Option<u64>,
    /// In words, what it asked and what it was told.
    pub told: String,
}

/// What a name asks of the operations of a witness.
type Shows = fn(&Symptoms<'_>) -> bool;

/// The names, the surest first.
const NAMES: &[(&str, Shows)] = &[
    ("phantom", |seen| seen.any(|_, touch| touch.shown().is_some_and(|value| seen.phantoms.contains(&value)))),
    ("two winners of one Seq", |seen| seen.pair(|one, other| expects(one).is_some() && expects(one) == expects(other))),
    ("Seq given twice", |seen| seen.pair(|one, other| told(one).is_some() && told(one) == told(other))),
    ("write undone by an earlier clear", |seen| {
        let undone = |one: Touch| !one.changes() && one.holds().is_some_and(|(value, _)| seen.after_clear.contains(&value));
        !seen.removes() && seen.in_turn(|one, read| undone(one) && is_missing(read))
    }),
    ("Seq gone back", |seen| {
        !seen.removes() && seen.in_turn(|one, other| told(one).zip(told(other)).is_some_and(|(first, later)| later < first))
    }),
    ("lost update", |seen| {
        let overwrites = |one: Touch, other: Touch| one.holds().zip(other.holds()).is_some_and(|(a, b)| a.1 == b.1 && a.0 != b.0);
        !seen.removes() && seen.pair(|one, other| (told(one).is_some() || told(other).is_some()) && overwrites(one, other))
    }),
    ("stale refusal", |seen| seen.is_behind(is_refusal, true)),
    ("stale read", |seen| seen.is_behind(|touch| !is_refusal(touch), true)),
    ("acknowledged write missing", |seen| seen.is_behind(|_| true, false)),
    ("stale refusal", |seen| seen.any(|_, touch| is_refusal(touch))),
    ("stale read", |seen| seen.any(|_, touch| !touch.changes())),
    ("no order of these calls explains their replies", |_| true),
];

/// The operations of a witness.
struct Symptoms<'a> {
    operations: Vec<(UnderWay, Touch)>,
    /// Values that nobody was told to have set, and some were told not to have.
    phantoms: &'a HashSet<ValueNumber>,
    /// Values that were seen when all of these were over.
    lasting: &'a HashSet<ValueNumber>,
    /// Values that were set after a clear had been acknowledged.
    after_clear: &'a HashSet<ValueNumber>,
}

impl Symptoms<'_> {
    fn any(&self, shows: impl Fn(UnderWay, Touch) -> bool) -> bool {
        self.operations.iter().any(|(when, touch)| shows(*when, *touch))
    }

    /// Any two, in either order.
    fn pair(&self, shows: impl Fn(Touch, Touch) -> bool) -> bool {
        let later = |nth: usize| self.operations[nth + 1..].iter();
        (0..self.operations.len()).any(|nth| later(nth).any(|(_, other)| shows(self.operations[nth].1, *other)))
    }

    /// Two of which the first was over when the second was sent.
    fn in_turn(&self, shows: impl Fn(Touch, Touch) -> bool) -> bool {
        self.any(|when, one| self.any(|later, other| when.received < later.sent && shows(one, other)))
    }

    fn removes(&self) -> bool {
        self.any(|_, touch| matches!(touch, Touch::Remove { .. } | Touch::Clear))
    }

    /// One of these reads shows the key as it was before another operation that was over when the read was sent; what that one
    /// set or saw was seen again afterwards, or was not.
    fn is_behind(&self, reads: impl Fn(Touch) -> bool, again: bool) -> bool {
        !self.removes()
            && self.in_turn(|one, read| {
                let Some((value, seq)) = one.holds() else { return false };
                let is_older = is_missing(read) || read.holds().is_some_and(|(_, shown)| shown < seq);
                reads(read) && !read.changes() && is_older && self.lasting.contains(&value) == again
            })
    }
}

fn is_refusal(touch: Touch) -> bool {
    matches!(touch, Touch::Conflict { .. })
}

fn expects(touch: Touch) -> Option<i64> {
    match touch {
        Touch::Set { expects, told: Some(_), .. } => expects,
        _ => None,
    }
}

fn told(touch: Touch) -> Option<i64> {
    match touch {
        Touch::Set { told, .. } => told,
        _ => None,
    }
}

fn is_missing(touch: Touch) -> bool {
    touch == Touch::Missing || touch.shown() == Some(EMPTY)
}

/// Names what these operations of a key show.
pub(super) fn of_witness(history: &RacedHistory, register: &Register<'_>, witness: &[u32]) -> Anomaly {
    let operations =
        witness.iter().map(|place| (register.under_way[*place as usize], register.touches[*place as usize])).collect();
    let end = witness.iter().map(|place| register.under_way[*place as usize].received).filter(|end| *end != NEVER).max();
    let later = register.under_way.iter().zip(&register.touches).filter(|(when, _)| end.is_some_and(|end| when.sent > end));
    let lasting: HashSet<ValueNumber> = later.filter_map(|(_, touch)| touch.shown()).collect();
    let (phantoms, after_clear) = (phantoms(register), after_clear(register));
    let seen = Symptoms { operations, phantoms: &phantoms, lasting: &lasting, after_clear: &after_clear };
    let name = NAMES.iter().find(|(_, shows)| shows(&seen)).map_or("", |(name, _)| *name);
    let witnessed = witness.iter().map(|place| witnessed(history, register, *place as usize));
    Anomaly {
        name,
        message: register.message.msg_key.clone(),
        key: register.message.keys[register.key as usize].clone(),
        witness: witnessed.collect(),
    }
}

/// Values that calls were told not to have set.
fn phantoms(register: &Register<'_>) -> HashSet<ValueNumber> {
    let refused = register.message.calls.iter().flat_map(|call| &call.refused);
    let mut phantoms: HashSet<ValueNumber> = refused.filter(|(key, _)| *key == register.key).map(|(_, value)| *value).collect();
    for value in register.touches.iter().filter_map(|touch| touch.sets()) {
        phantoms.remove(&value);
    }
    phantoms
}

/// Values that were set after the first clear had been acknowledged.
fn after_clear(register: &Register<'_>) -> HashSet<ValueNumber> {
    let all = || register.under_way.iter().zip(&register.touches);
    let first = all().filter(|(_, touch)| **touch == Touch::Clear).map(|(when, _)| when.received).min();
    let later = all().filter(|(when, _)| first.is_some_and(|cleared| when.sent > cleared));
    later.filter_map(|(_, touch)| touch.sets()).collect()
}

fn witnessed(history: &RacedHistory, register: &Register<'_>, place: usize) -> Witnessed {
    let when = register.under_way[place];
    Witnessed {
        exchange: register.message.calls[register.calls[place] as usize].exchange,
        sent: when.sent,
        received: (when.received != NEVER).then_some(when.received),
        told: said(history, register.touches[place]),
    }
}

/// Names two calls of a message with one counter.
pub(super) fn of_stamps(history: &RacedHistory, found: &Misnumbered) -> Anomaly {
    let message = &history.messages[found.message];
    let is_twice = found.calls[0].1 == found.calls[1].1;
    let mut calls = found.calls;
    calls.sort_unstable_by_key(|(place, _)| *place);
    let witness = calls.map(|(place, seq)| {
        let call = &message.calls[place];
        Witnessed {
            exchange: call.exchange,
            sent: call.when.sent,
            received: (call.when.received != NEVER).then_some(call.when.received),
            told: format!("a write: done, and the message's Seq is {seq}"),
        }
    });
    Anomaly {
        name: if is_twice { "Seq given twice" } else { "Seq gone back" },
        message: message.msg_key.clone(),
        key: String::new(),
        witness: witness.to_vec(),
    }
}

/// What an operation asked, and what it was told.
fn said(history: &RacedHistory, touch: Touch) -> String {
    let value = |number: ValueNumber| history.values[number as usize].clone();
    let asked = |what: String, expects: Option<i64>, told: Option<i64>| {
        let who = expects.map_or_else(|| "an admin's ".to_owned(), |_| String::new());
        let with = expects.map_or_else(String::new, |seq| format!(" with Seq {seq}"));
        let outcome = told.map_or_else(|| "no reply".to_owned(), |seq| format!("done, Seq {seq}"));
        format!("{who}{what}{with}: {outcome}")
    };
    match touch {
        Touch::Set { value: set, expects, told } => asked(format!("set of {}", value(set)), expects, told),
        Touch::Remove { expects, told } => asked("delete".to_owned(), expects, told),
        Touch::Clear => "clear: done".to_owned(),
        Touch::Conflict { sent, told, deletes } => {
            let what = if deletes { "delete".to_owned() } else { format!("set of {}", value(sent.value)) };
            let holds = if told.value == EMPTY { "nothing".to_owned() } else { value(told.value) };
            format!("{what} with Seq {}: refused, it holds {holds} at Seq {}", sent.seq, told.seq)
        }
        Touch::Seen(pair) => format!("read: it holds {} at Seq {}", value(pair.value), pair.seq),
        Touch::Missing => "read: it holds nothing".to_owned(),
    }
}
