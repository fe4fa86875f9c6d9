//! One key of a message as a register with a counter: what is known of it at a moment, and what a call does to it or sees of it.
//!
//! Where the documentation leaves something open, and no reply can tell it, every answer is lawful here.

use crate::model::rules::{Counter, Gone};

/// The answers to open clauses that decide which Seq a key expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// Clause SEQ-8.
    pub counter: Counter,
    /// Clause DEL-3.
    pub deleted: Gone,
    /// Clause CLR-3.
    pub cleared: Gone,
}

/// A value by its number among those of the history.
pub type ValueNumber = u32;

/// The number of the empty value, which a key that is not there may be shown with.
pub const EMPTY: ValueNumber = 0;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyAt {
    held: HeldValue,
    seq: SeqKnown,
    /// It was written by a call without a reply, and nothing has depended on that since.
    is_rumour: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum HeldValue {
    /// Whatever it was when the history began.
    Unknown,
    Absent,
    Value(ValueNumber),
}

/// The Seq that a member has to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SeqKnown {
    Is(i64),
    Above(i64),
}

/// What a call did to a key, or saw of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Touch {
    /// `expects` is a member's Seq, `told` the one that the reply told.
    Set {
        value: ValueNumber,
        expects: Option<i64>,
        told: Option<i64>,
    },
    /// A delete.
    Remove {
        expects: Option<i64>,
        told: Option<i64>,
    },
    Clear,
    /// 23001, with what it carried.
    Conflict {
        sent: PairTold,
        told: PairTold,
        deletes: bool,
    },
    /// A read that told the pair.
    Seen(PairTold),
    /// A read, or a refusal with 23004, that told that there is none.
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairTold {
    pub value: ValueNumber,
    pub seq: i64,
    /// No call of the history wrote this value to this key, so that it may have been there before.
    pub is_older: bool,
}

impl Touch {
    /// The value that it saw.
    pub fn shown(self) -> Option<ValueNumber> {
        match self {
            Touch::Seen(pair) | Touch::Conflict { told: pair, .. } => Some(pair.value),
            Touch::Set { .. } | Touch::Remove { .. } | Touch::Clear | Touch::Missing => None,
        }
    }

    /// The pair that it was told the key holds, as it set it or saw it.
    pub fn holds(self) -> Option<(ValueNumber, i64)> {
        match self {
            Touch::Set { value, told: Some(seq), .. } => Some((value, seq)),
            Touch::Seen(pair) | Touch::Conflict { told: pair, .. } if pair.value != EMPTY => Some((pair.value, pair.seq)),
            _ => None,
        }
    }

    /// The value that it set, or may have set.
    pub fn sets(self) -> Option<ValueNumber> {
        match self {
            Touch::Set { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Whether it changes the key.
    pub fn changes(self) -> bool {
        matches!(self, Touch::Set { .. } | Touch::Remove { .. } | Touch::Clear)
    }
}

impl KeyAt {
    /// A key of a message that was just made.
    pub const FRESH: KeyAt = KeyAt { held: HeldValue::Absent, seq: SeqKnown::Is(0), is_rumour: false };
    /// A key of a message of which nothing is known.
    pub const UNKNOWN: KeyAt = KeyAt { held: HeldValue::Unknown, seq: SeqKnown::Above(-1), is_rumour: false };

    fn absent(seq: SeqKnown) -> KeyAt {
        KeyAt { held: HeldValue::Absent, seq, is_rumour: false }
    }

    fn with(held: HeldValue, seq: SeqKnown) -> KeyAt {
        KeyAt { held, seq, is_rumour: false }
    }

    /// The pair is what is told of it here.
    fn shows(self, pair: PairTold) -> Option<KeyAt> {
        let seq = self.seq.when_told(pair.seq)?;
        let fits = match self.held {
            HeldValue::Value(value) => value == pair.value,
            HeldValue::Unknown => pair.is_older,
            HeldValue::Absent => false,
        };
        fits.then_some(KeyAt::with(HeldValue::Value(pair.value), seq))
    }

    fn is_missing(self) -> Option<KeyAt> {
        match self.held {
            HeldValue::Absent => Some(self),
            HeldValue::Unknown => Some(KeyAt::absent(self.seq)),
            HeldValue::Value(_) => None,
        }
    }
}

impl SeqKnown {
    fn fits(self, sent: i64) -> bool {
        match self {
            SeqKnown::Is(seq) => sent == seq,
            SeqKnown::Above(least) => sent > least,
        }
    }

    fn when_told(self, told: i64) -> Option<SeqKnown> {
        self.fits(told).then_some(SeqKnown::Is(told))
    }

    /// This one or a later.
    fn or_later(self) -> SeqKnown {
        match self {
            SeqKnown::Is(seq) => SeqKnown::Above(seq - 1),
            above @ SeqKnown::Above(_) => above,
        }
    }

    /// After one more write, which told its Seq or did not.
    fn grown(self, counter: Counter, told: Option<i64>) -> Option<SeqKnown> {
        let next = match (self, counter) {
            (SeqKnown::Is(seq), Counter::PerKey) => SeqKnown::Is(seq + 1),
            (SeqKnown::Is(seq), Counter::PerMessage) => SeqKnown::Above(seq),
            (SeqKnown::Above(least), _) => SeqKnown::Above(least + 1),
        };
        told.map_or(Some(next), |told| next.when_told(told))
    }
}

impl Assumed {
    /// What the reference endpoint does where nothing else is said.
    pub const DOCUMENTED: Assumed = Assumed { counter: Counter::PerKey, deleted: Gone::Tombstone, cleared: Gone::Reset };

    /// Every combination, the commonest first.
    pub fn all() -> impl Iterator<Item = Assumed> {
        const GONE: [Gone; 2] = [Gone::Tombstone, Gone::Reset];
        let counters = [Counter::PerKey, Counter::PerMessage].into_iter();
        let deleted = counters.flat_map(|counter| GONE.map(|deleted| (counter, deleted)));
        deleted.flat_map(|(counter, deleted)| [Gone::Reset, Gone::Tombstone].map(|cleared| Assumed { counter, deleted, cleared }))
    }

    /// The key after a call has come to it; `None` where the call would have been told something else.
    pub fn after(self, at: KeyAt, touch: Touch) -> Option<KeyAt> {
        match touch {
            Touch::Set { value, expects, told } => self.set(at, value, expects, told),
            Touch::Remove { expects, told } => self.remove(at, expects, told),
            Touch::Clear => self.clear(at),
            Touch::Conflict { sent, told, deletes } => conflict(at, sent, told, deletes),
            Touch::Seen(pair) => at.shows(pair),
            Touch::Missing => at.is_missing(),
        }
    }

    fn set(self, at: KeyAt, value: ValueNumber, expects: Option<i64>, told: Option<i64>) -> Option<KeyAt> {
        // What an empty value does is left open (reading `empty-value`), and so is its Seq.
        if value == EMPTY {
            return Some(KeyAt::UNKNOWN);
        }
        let before = expects.map_or(Some(at.seq), |expects| at.seq.when_told(expects))?;
        let seq = before.grown(self.counter, told)?;
        Some(KeyAt { is_rumour: told.is_none(), ..KeyAt::with(HeldValue::Value(value), seq) })
    }

    fn remove(self, at: KeyAt, expects: Option<i64>, told: Option<i64>) -> Option<KeyAt> {
        // No key that was ever set has this Seq: it is told where none is.
        let told = told.filter(|told| *told > 0);
        if !matches!(at.held, HeldValue::Value(_)) {
            // Whether that is a success where there is none is left open (reading `delete-missing`), and so is whether it counts.
            let counts = told.filter(|told| self.deleted == Gone::Tombstone && at.seq.or_later().fits(*told));
            return Some(KeyAt::absent(counts.map_or(at.seq, SeqKnown::Is)));
        }
        let before = expects.map_or(Some(at.seq), |expects| at.seq.when_told(expects))?;
        match self.deleted {
            // A write that left no trace need not have been.
            Gone::Reset if at.is_rumour && expects.is_none() && self.cleared == Gone::Reset => None,
            Gone::Reset => Some(KeyAt::absent(SeqKnown::Is(0))),
            Gone::Tombstone => {
                let (later, grown) = (before.or_later(), before.grown(self.counter, None)?);
                match told {
                    // A delete need not tell its Seq, nor count; a Seq beyond the next is another write's.
                    Some(told) if later.fits(told) => {
                        let is_next = before.fits(told) || grown.fits(told);
                        is_next.then_some(KeyAt::absent(SeqKnown::Is(told)))
                    }
                    _ => Some(KeyAt::absent(later)),
                }
            }
        }
    }

    fn clear(self, at: KeyAt) -> Option<KeyAt> {
        match (self.cleared, at.held, at.seq) {
            (Gone::Reset, ..) if at.is_rumour => None,
            // Whether a clear takes a deleted key's tombstone with it is left open.
            (Gone::Reset, HeldValue::Absent, SeqKnown::Is(seq)) if seq > 0 => Some(KeyAt::absent(SeqKnown::Above(-1))),
            (Gone::Reset, HeldValue::Absent, SeqKnown::Above(_)) => Some(KeyAt::absent(SeqKnown::Above(-1))),
            (Gone::Reset, ..) => Some(KeyAt::absent(SeqKnown::Is(0))),
            (Gone::Tombstone, HeldValue::Absent, _) => Some(at),
            (Gone::Tombstone, _, seq) => Some(KeyAt::absent(seq.or_later())),
        }
    }
}

/// A refusal for a Seq that does not match.
fn conflict(at: KeyAt, sent: PairTold, told: PairTold, deletes: bool) -> Option<KeyAt> {
    let shows_none = told.value == EMPTY || told.value == sent.value;
    match at.held {
        HeldValue::Unknown if shows_none => Some(KeyAt::absent(at.seq)),
        HeldValue::Value(_) | HeldValue::Unknown => at.shows(told).filter(|_| sent.seq != told.seq),
        HeldValue::Absent if !shows_none => None,
        // What a key that was never set is told with is left open (clause SEQ-12), and so is deleting it (DEL-4).
        HeldValue::Absent => match at.seq {
            SeqKnown::Is(seq) if sent.seq == seq && !deletes => None,
            SeqKnown::Is(seq) if seq > 0 && told.seq != seq => None,
            SeqKnown::Is(_) | SeqKnown::Above(_) => Some(at),
        },
    }
}
