//! The few operations on a key that no order explains, whatever all the others did.

use std::collections::HashSet;

use super::register::{Assumed, KeyAt, Touch, ValueNumber};
use super::search::{OrderSearch, Sought, UnderWay};
use super::{NOBODYS, Register};

/// Steps of a search that only makes a witness smaller.
const BUDGET: u64 = 20_000;

/// Places in the register of the operations that cannot be ordered, in the order of their sending: the smallest set that was
/// found. `stuck` is the operation beyond whose reply no order leads.
///
/// What is left out is not held to what it was told: a read may have seen anything, a write may have come at any moment of its
/// time, or never. Before the first of them the key may have been in any state.
pub(super) fn smallest(register: &Register<'_>, assumed: Assumed, stuck: u32) -> Vec<u32> {
    let end = register.under_way[stuck as usize].received;
    let mut part = Stretch::until(register, end);
    let mut search = OrderSearch::new(BUDGET);
    if !part.is_impossible(register, assumed, &mut search) {
        return part.held(register);
    }
    // The shortest stretch of time before the end that has no explanation of its own.
    let mut ends: Vec<u64> = register.under_way.iter().map(|when| when.received).filter(|received| *received < end).collect();
    ends.sort_unstable_by(|one, other| other.cmp(one));
    for start in ends.into_iter().enumerate().filter(|(nth, _)| *nth < 32 || nth.is_power_of_two()).map(|(_, start)| start) {
        let shorter = part.after(register, start);
        if shorter.is_impossible(register, assumed, &mut search) {
            part = shorter;
            break;
        }
    }
    for place in 0..part.operations.len() {
        let was = part.operations[place].is_held;
        part.operations[place].is_held = false;
        if was && !part.is_impossible(register, assumed, &mut search) {
            part.operations[place].is_held = true;
        }
    }
    part.held(register)
}

/// A stretch of a key's history.
#[derive(Clone)]
struct Stretch {
    first: KeyAt,
    operations: Vec<StretchOperation>,
}

#[derive(Clone, Copy)]
struct StretchOperation {
    place: u32,
    /// It is held to what it was told.
    is_held: bool,
}

impl Stretch {
    fn until(register: &Register<'_>, end: u64) -> Stretch {
        let places = (0..).zip(&register.under_way).filter(|(_, when)| when.sent <= end);
        Stretch {
            first: register.first,
            operations: places.map(|(place, _)| StretchOperation { place, is_held: true }).collect(),
        }
    }

    /// What was not over at `start`; what had begun by then is held to nothing.
    fn after(&self, register: &Register<'_>, start: u64) -> Stretch {
        let when = |operation: &StretchOperation| register.under_way[operation.place as usize];
        let later = self.operations.iter().filter(|operation| when(operation).received > start);
        let operations = later.map(|operation| StretchOperation { is_held: when(operation).sent > start, ..*operation });
        Stretch { first: KeyAt::UNKNOWN, operations: operations.collect() }
    }

    fn held(&self, register: &Register<'_>) -> Vec<u32> {
        let held = self.operations.iter().filter(|operation| operation.is_held).map(|operation| operation.place);
        held.filter(|place| register.calls[*place as usize] != NOBODYS).collect()
    }

    fn is_impossible(&self, register: &Register<'_>, assumed: Assumed, search: &mut OrderSearch<KeyAt>) -> bool {
        let (mut under_way, mut touches): (Vec<UnderWay>, Vec<Touch>) = (Vec::new(), Vec::new());
        for operation in &self.operations {
            let (when, touch) = (register.under_way[operation.place as usize], register.touches[operation.place as usize]);
            let (is_certain, touch) = match touch {
                touch if operation.is_held => (when.is_certain, touch),
                Touch::Set { value, expects, .. } => (false, Touch::Set { value, expects, told: None }),
                Touch::Remove { expects, .. } => (false, Touch::Remove { expects, told: None }),
                Touch::Clear => (false, Touch::Clear),
                Touch::Conflict { .. } | Touch::Seen(_) | Touch::Missing => continue,
            };
            under_way.push(UnderWay { is_certain, twin: None, ..when });
            touches.push(touch);
        }
        if self.first == KeyAt::UNKNOWN {
            tell_older(&mut touches);
        }
        let sought = search.order(self.first, &under_way, |at, operation| assumed.after(*at, touches[operation as usize]));
        matches!(sought, Sought::Nowhere(_))
    }
}

/// Marks the pairs that were seen and that no call of this stretch may have set.
fn tell_older(touches: &mut [Touch]) {
    let set: HashSet<ValueNumber> = touches.iter().filter_map(|touch| touch.sets()).collect();
    for touch in touches {
        if let Touch::Seen(pair) | Touch::Conflict { told: pair, .. } = touch {
            pair.is_older = !set.contains(&pair.value);
        }
    }
}
