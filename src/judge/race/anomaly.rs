//! What went wrong with a key, by the name that the field has for it.

use std::collections::HashSet;

use super::Register;
use super::raced::RacedHistory;
use super::register::{EMPTY, Pair, Touch, ValueNumber};
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
type Shows = fn(&Seen<'_>) -> bool;

/// The names, the surest first. Of a pair the first operation was over before the second was sent, where it says so.
const NAMES: &[(&str, Shows)] = &[
    ("phantom", |seen| seen.any(|_, touch| touch.shown().is_some_and(|value| seen.phantoms.contains(&value)))),
    ("two winners of one Seq", |seen| seen.pair(|one, other| expects(one).is_some() && expects(one) == expects(other))),
    ("Seq given twice", |seen| seen.pair(|one, other| told(one).is_some() && told(one) == told(other))),
    ("Seq gone back", |seen| {
        !seen.any(|_, touch| removes(touch))
            && seen.in_turn(|one, other| told(one).zip(told(other)).is_some_and(|(first, later)| later < first))
    }),
    ("write undone by an earlier clear", |seen| {
        seen.any(|when, touch| touch == Touch::Clear && seen.any(|later, set| told(set).is_some() && when.received < later.sent))
            && seen.in_turn(|set, read| told(set).is_some() && is_missing(read))
    }),
    ("stale refusal", |seen| seen.any(|_, touch| matches!(touch, Touch::Conflict { sent, told, .. } if sent.seq == told.seq))),
    ("stale refusal", |seen| seen.misses_a_write(|read| matches!(read, Touch::Conflict { .. })) && seen.was_seen_later),
    ("stale read", |seen| seen.misses_a_write(|read| !matches!(read, Touch::Conflict { .. })) && seen.was_seen_later),
    ("lost update", |seen| {
        seen.in_turn(|set, read| {
            told(set).is_some_and(|seq| shown(read).is_some_and(|pair| pair.seq == seq && !is_of(set, pair)))
        })
    }),
    ("acknowledged write missing", |seen| seen.misses_a_write(|_| true)),
    ("no order of these calls explains their replies", |_| true),
];

/// The operations of a witness.
struct Seen<'a> {
    operations: Vec<(UnderWay, Touch)>,
    /// Values that nobody was told to have set, and some were told not to have.
    phantoms: &'a HashSet<ValueNumber>,
    /// What the last set of these wrote was seen at some time after it.
    was_seen_later: bool,
}

impl Seen<'_> {
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

    /// A read shows the key as it was before a write that had been acknowledged.
    fn misses_a_write(&self, reads: impl Fn(Touch) -> bool) -> bool {
        self.in_turn(|set, read| {
            let is_older =
                shown(read).map_or(is_missing(read), |pair| told(set).is_some_and(|seq| pair.seq <= seq && !is_of(set, pair)));
            told(set).is_some() && reads(read) && is_older
        })
    }
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

fn removes(touch: Touch) -> bool {
    matches!(touch, Touch::Remove { .. } | Touch::Clear)
}

fn is_missing(touch: Touch) -> bool {
    touch == Touch::Missing || shown(touch).is_some_and(|pair| pair.value == EMPTY)
}

fn shown(touch: Touch) -> Option<Pair> {
    match touch {
        Touch::Seen(pair) | Touch::Conflict { told: pair, .. } => Some(pair),
        _ => None,
    }
}

fn is_of(set: Touch, pair: Pair) -> bool {
    set.sets() == Some(pair.value)
}

/// Names what these operations of a key show.
pub(super) fn of_witness(history: &RacedHistory, register: &Register<'_>, witness: &[u32]) -> Anomaly {
    let operations =
        witness.iter().map(|place| (register.under_way[*place as usize], register.touches[*place as usize])).collect();
    let was_seen_later = last_set(register, witness).is_some_and(|(value, received)| {
        let mut all = register.under_way.iter().zip(&register.touches);
        all.any(|(when, touch)| when.sent > received && touch.shown() == Some(value))
    });
    let phantoms = phantoms(register);
    let seen = Seen { operations, phantoms: &phantoms, was_seen_later };
    let name = NAMES.iter().find(|(_, shows)| shows(&seen)).map_or("", |(name, _)| *name);
    let witnessed = witness.iter().map(|place| witnessed(history, register, *place as usize));
    Anomaly {
        name,
        message: register.message.msg_key.clone(),
        key: register.message.keys[register.key as usize].clone(),
        witness: witnessed.collect(),
    }
}

/// What the last acknowledged set wrote, and when it was acknowledged.
fn last_set(register: &Register<'_>, witness: &[u32]) -> Option<(ValueNumber, u64)> {
    witness.iter().rev().find_map(|place| match register.touches[*place as usize] {
        Touch::Set { value, told: Some(_), .. } => Some((value, register.under_way[*place as usize].received)),
        _ => None,
    })
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
