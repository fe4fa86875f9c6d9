//! The judge of races against two others, which know nothing of it: one that tries all orders, and the checker of `todc-utils`.
//! Both carry the calls out on the model itself.

use msgext::api::{Extension, KeyResult, MemberCalls, Operation, Reply};
use msgext::history::Identity;
use msgext::judge::race::is_explained;
use msgext::judge::race::raced::RacedHistory;
use msgext::judge::race::register::Assumed;
use msgext::model::Rules;
use msgext::model::contents::Contents;
use msgext::random::Random;
use todc_utils::specifications::Specification;

use super::checker::{OnTheModel, accepts, completions};
use super::history::{ADMIN, MSG_KEY, Made, Shape, empty, exchanges, lawful};

const HISTORIES: usize = 100_000;

fn by_checker(made: &[Made]) -> bool {
    completions(made).any(accepts::<OnTheModel>)
}

/// Tries every order that the times allow.
fn by_force(left: &[Made], contents: &Contents) -> bool {
    let end = left.iter().filter(|one| one.reply.is_some()).map(|one| one.received).min();
    let Some(end) = end else { return true };
    (0..left.len()).filter(|at| left[*at].sent <= end).any(|at| {
        let (fits, after) = OnTheModel::apply(&left[at], contents);
        let rest: Vec<Made> = left.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, one)| one.clone()).collect();
        fits && by_force(&rest, &after)
    })
}

/// Changes what one call was told, to something that might have been told at another time.
fn spoil(random: &mut Random, made: &mut [Made]) {
    let one = random.below(made.len());
    // A refusal may well show a key that is not there with the value that was sent (SEQ-12).
    let others = made.iter().enumerate().filter(|(other, _)| *other != one);
    let set: Vec<String> = others.flat_map(|(_, one)| one.call.pairs()).filter_map(|kv| kv.value.clone()).collect();
    let Some(Reply { results: Some(results), .. }) = &mut made[one].reply else { return };
    if set.is_empty() || results.is_empty() || made[one].call.operation != Operation::Set {
        return;
    }
    let at = random.below(results.len());
    let KeyResult { code, extension: Extension { value, seq, .. } } = &mut results[at];
    match random.below(3) {
        // A refusal that shows something else; one that shows nothing may show anything (SEQ-12).
        0 if *code != 0 && !value.is_empty() => value.clone_from(&set[random.below(set.len())]),
        1 if *code != 0 && !value.is_empty() => *seq = (*seq + [1, -1][random.below(2)]).max(1),
        // Done, with another Seq.
        _ if *code == 0 => *seq = (*seq + [1, -1][random.below(2)]).max(1),
        _ => {}
    }
}

/// Moves the calls of one client in time, so that one that had seen another may now be over before it was sent.
fn shift(random: &mut Random, made: &mut [Made]) {
    let (client, by) = (made[random.below(made.len())].client, random.below(60) as u64);
    for one in made.iter_mut().filter(|one| one.client == client) {
        (one.sent, one.received) = (one.sent + by, one.received + by);
    }
}

fn by_this(made: &[Made]) -> Option<bool> {
    let identity = Identity { admin: ADMIN.to_owned(), member_calls: MemberCalls::Identifier };
    let exchanges = exchanges(made);
    is_explained(&RacedHistory::read(&exchanges, &identity, [MSG_KEY]), Assumed::DOCUMENTED)
}

#[test]
fn three_judges_agree_on_every_small_history_lawful_or_not() {
    let (mut random, mut unlawful) = (Random::seeded(11), 0);
    for number in 0..HISTORIES {
        // A call on several keys has one moment on the model, which no key by itself can show. And which Seq a delete tells is left
        // open, so that one at another time may have told the same.
        let (keys, kind) = (1 + number % 2, number % 3);
        let mix = [88, if kind == 0 { 8 } else { 0 }, if keys == 1 { 4 } else { 0 }];
        let shape = Shape { clients: 3, calls: 2 + random.below(6), keys, most_kvs: 1, mix, lost_in: 10 };
        let mut made = lawful(&mut random, &Rules::default(), shape, MSG_KEY);
        match kind {
            0 => {}
            1 => spoil(&mut random, &mut made),
            _ => shift(&mut random, &mut made),
        }
        let judged = by_this(&made).expect("a small history is decided");
        assert!(judged || kind > 0, "a lawful history is unexplained: {made:#?}");
        assert_eq!(judged, by_checker(&made), "{number}: {made:#?}");
        assert_eq!(judged, by_force(&made, &empty(MSG_KEY)), "{number}: {made:#?}");
        unlawful += usize::from(!judged);
    }
    assert!((HISTORIES / 10..HISTORIES / 2).contains(&unlawful), "{unlawful}");
}
