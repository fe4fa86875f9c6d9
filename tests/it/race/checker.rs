//! Whole histories before the checker of `todc-utils`, which carries the calls out on the model itself.

use msgext::api::{KeyResult, Reply, code};
use msgext::model::Rules;
use msgext::model::contents::Contents;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::history::{APP, MSG_KEY, Made, empty, operator};

/// A message on the model, and calls that have to get the replies that they got.
pub struct OnTheModel;

impl Specification for OnTheModel {
    type State = Contents;
    type Operation = Made;

    fn init() -> Contents {
        empty(MSG_KEY)
    }

    fn apply(made: &Made, before: &Contents) -> (bool, Contents) {
        let mut contents = before.clone();
        let reply = contents.apply(&Rules::default(), APP, &operator(made.by_member), &made.call);
        (made.reply.as_ref().is_none_or(|told| same(told, &reply)), contents)
    }
}

/// What a key was told matters, not the words. Which Seq a refusal shows of a key that was never set is left open (SEQ-12).
fn same(told: &Reply, right: &Reply) -> bool {
    let shows_none = |result: &KeyResult| result.code == code::SEQ_CONFLICT && result.extension.value.is_empty();
    let is_same = |(told, right): (&KeyResult, &KeyResult)| {
        told == right || shows_none(told) && shows_none(right) && right.extension.seq == 0
    };
    let [of_told, of_right] = [told, right].map(|reply| reply.results.as_deref().unwrap_or_default());
    told.code == right.code && of_told.len() == of_right.len() && of_told.iter().zip(of_right).all(is_same)
}

/// Calls without a reply came, or did not: every choice is a history of its own.
pub fn completions(made: &[Made]) -> impl Iterator<Item = Vec<Made>> {
    let lost = made.iter().filter(|one| one.reply.is_none()).count();
    (0..1_u64 << lost).map(move |mut came| {
        let mut is_there = |one: &&Made| {
            let choice = came;
            came >>= u32::from(one.reply.is_none());
            one.reply.is_some() || choice & 1 == 1
        };
        made.iter().filter(|one| is_there(one)).cloned().collect()
    })
}

/// Whether some order of these calls explains them.
pub fn accepts<S: Specification<Operation = Made>>(made: Vec<Made>) -> bool {
    let end = made.iter().map(|one| one.received).max().unwrap_or_default() + 1;
    let mut actions = Vec::new();
    for (process, one) in made.into_iter().enumerate() {
        let received = if one.reply.is_some() { one.received } else { end };
        actions.push((one.sent, 0, process, Action::Call(one.clone())));
        actions.push((received, 1, process, Action::Response(one)));
    }
    actions.sort_by_key(|(time, kind, process, _)| (*time, *kind, *process));
    let actions: Vec<_> = actions.into_iter().map(|(.., process, action)| (process, action)).collect();
    actions.is_empty() || WGLChecker::<S>::is_linearizable(History::from_actions(actions))
}
