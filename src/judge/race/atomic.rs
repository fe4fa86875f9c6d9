//! Whether a call comes to its keys at one moment: two open clauses, which a history may decide (readings `request` and `clear`).

use std::collections::BTreeMap;

use super::raced::{KeyTouch, RacedCall, RacedHistory, RacedMessage};
use super::register::{Assumed, KeyAt, Touch};
use super::search::{OrderSearch, Sought, UnderWay};

/// Steps of the search over one message.
const BUDGET: u64 = 50_000;
/// With fewer calls that could have been seen half done, nothing is said of those that were not: a moment between two keys is short.
const ENOUGH: usize = 500;

/// What comes to several keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Several {
    Request,
    Clear,
}

impl Several {
    /// `None` for what only reads: that others see a call at one moment is what the clauses leave open, and so one read is one.
    fn of(call: &RacedCall) -> Option<Several> {
        let reads = |named: &KeyTouch| matches!(named.touch, Touch::Seen(_) | Touch::Missing);
        match call.rest {
            Some(Touch::Clear) => Some(Several::Clear),
            _ if call.touches.iter().all(reads) => None,
            _ => Some(Several::Request),
        }
    }
}

/// The answers that this history decides; a message whose keys have an order each, but none in common, was seen half done.
pub(super) fn readings(history: &RacedHistory, assumed: Assumed) -> BTreeMap<&'static str, &'static str> {
    let mut search = OrderSearch::new(BUDGET);
    let (mut half_done, mut chances) = ([false; 2], [0; 2]);
    let kinds = [Several::Request, Several::Clear];
    for message in &history.messages {
        chances = [0, 1].map(|kind| chances[kind] + overlapping(message, kinds[kind]));
        if message.keys.len() < 2 || is_explained(message, assumed, &kinds, &mut search) != Some(false) {
            continue;
        }
        // Reads that do not come at one moment say nothing of the calls.
        if is_explained(message, assumed, &[], &mut search) != Some(true) {
            continue;
        }
        // What does not come at one moment however the other kind comes.
        let alone = kinds.map(|kind| is_explained(message, assumed, &[kind], &mut search));
        half_done[0] |= alone[0] == Some(false);
        half_done[1] |= alone[1] == Some(false);
    }
    let answer = |kind: usize| match (half_done[kind], chances[kind] >= ENOUGH) {
        (true, _) => Some("key-by-key"),
        (false, true) => Some("atomic"),
        (false, false) => None,
    };
    [("request", answer(0)), ("clear", answer(1))].into_iter().filter_map(|(name, answer)| Some((name, answer?))).collect()
}

/// Whether the message has an order in which calls of these kinds come at one moment; `None` where the search was given up.
fn is_explained(
    message: &RacedMessage,
    assumed: Assumed,
    whole: &[Several],
    search: &mut OrderSearch<Vec<KeyAt>>,
) -> Option<bool> {
    let (mut under_way, mut touches): (Vec<UnderWay>, Vec<Vec<KeyTouch>>) = (Vec::new(), Vec::new());
    for call in &message.calls {
        let is_named = |key: u32| call.touches.iter().any(|named| named.key == key);
        let others = (0..).zip(&message.keys).map(|(key, _)| key).filter(|key| !is_named(*key));
        let rest = others.filter_map(|key| call.rest.map(|touch| KeyTouch { key, touch, when: call.when }));
        let all: Vec<KeyTouch> = call.touches.iter().copied().chain(rest).collect();
        let is_read = all.iter().all(|named| !named.touch.changes());
        // A call that is known in part has no one moment.
        let is_known = all.iter().all(|named| named.when == call.when);
        if is_known && Several::of(call).is_none_or(|kind| whole.contains(&kind)) {
            under_way.push(UnderWay { is_read, ..call.when });
            touches.push(all);
            continue;
        }
        for named in all {
            under_way.push(UnderWay { is_read: !named.touch.changes(), ..named.when });
            touches.push(vec![named]);
        }
    }
    let first = if message.is_fresh { KeyAt::FRESH } else { KeyAt::UNKNOWN };
    let after = |state: &Vec<KeyAt>, operation: u32| {
        touches[operation as usize].iter().try_fold(state.clone(), |mut state, named| {
            let at = &mut state[named.key as usize];
            *at = assumed.after(*at, named.touch)?;
            Some(state)
        })
    };
    match search.order(vec![first; message.keys.len()], &under_way, after) {
        Sought::Found(_) => Some(true),
        Sought::Nowhere(_) => Some(false),
        Sought::Undecided => None,
    }
}

/// Calls of a kind that changed several keys while another call was under way.
fn overlapping(message: &RacedMessage, kind: Several) -> usize {
    let is_several = |place: usize| {
        let call = &message.calls[place];
        match kind {
            Several::Clear => call.rest == Some(Touch::Clear) && message.keys.len() > 1,
            Several::Request => call.touches.iter().filter(|named| named.touch.changes()).count() > 1,
        }
    };
    let overlaps = |place: usize| {
        let when = message.calls[place].when;
        let next = message.calls.get(place + 1).is_some_and(|next| next.when.sent <= when.received);
        let before = message.calls[..place].last().is_some_and(|before| before.when.received >= when.sent);
        next || before
    };
    (0..message.calls.len()).filter(|place| is_several(*place) && overlaps(*place)).count()
}
