//! The numbers of a message that has one counter (reading `seq=per-message`): every call has one of its own, and a later call a
//! greater one.

use std::collections::HashMap;

use super::raced::{RacedCall, RacedMessage};
use super::register::Touch;
use super::search::UnderWay;

/// Two calls of a message whose numbers do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misnumbered {
    /// The message's place in the history.
    pub message: usize,
    /// The calls' places in the message, and their numbers.
    pub calls: [(usize, i64); 2],
}

/// The first two calls that have one number, or that have theirs in the wrong order.
pub(super) fn misnumbered(place: usize, message: &RacedMessage) -> Option<Misnumbered> {
    let mut numbers: Vec<(i64, usize, UnderWay)> = Vec::new();
    let mut first: HashMap<i64, usize> = HashMap::new();
    for (number, call) in message.calls.iter().enumerate() {
        for stamp in stamps(call) {
            match first.insert(stamp, number) {
                Some(other) if other != number => {
                    return Some(Misnumbered { message: place, calls: [(other, stamp), (number, stamp)] });
                }
                Some(_) => {}
                None => numbers.push((stamp, number, call.when)),
            }
        }
    }
    numbers.sort_unstable_by_key(|(stamp, ..)| *stamp);
    let mut latest: Option<(i64, usize, UnderWay)> = None;
    for this in numbers {
        match latest {
            // The one with the smaller number was sent when this one had been answered.
            Some((stamp, number, when)) if this.2.received < when.sent => {
                return Some(Misnumbered { message: place, calls: [(this.1, this.0), (number, stamp)] });
            }
            Some((.., when)) if when.sent >= this.2.sent => {}
            _ => latest = Some(this),
        }
    }
    None
}

/// The Seqs that a call's sets were told.
fn stamps(call: &RacedCall) -> impl Iterator<Item = i64> {
    call.touches.iter().filter_map(|touch| match touch.touch {
        Touch::Set { told, .. } => told,
        _ => None,
    })
}
