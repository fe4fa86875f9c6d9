//! The parts of a case's scenario that need no model: its frame, a question, and what has to be refused whoever looks.

use std::collections::BTreeMap;

use crate::api::code;
use crate::scenario::conform::ready::{Act, ReadyCall, ready};
use crate::scenario::conform::text::Codes;
use crate::scenario::conform::{Expect, KeyExpect, Observe, Scenario, Step};
use crate::scenario::fuzz::{FuzzCall, MESSAGES, OddityAnswer, kind_of};
use crate::scenario::{Caller, EmbeddedSetup, MessageKind};

/// A scenario of these steps, for the clauses that they name.
pub fn scenario(id: &str, steps: Vec<Step>) -> Scenario {
    let mut clauses: Vec<String> = Vec::new();
    for clause in steps.iter().filter_map(|step| step.names().0) {
        if !clauses.iter().any(|known| known == clause) {
            clauses.push(clause.to_owned());
        }
    }
    let is_used = |name: &str| steps.iter().any(|step| step.names().1 == Some(name));
    let messages = MESSAGES.iter().filter(|(name, ..)| is_used(name)).map(|(name, kind, _)| ((*name).to_owned(), *kind));
    Scenario {
        id: id.to_owned(),
        title: "Calls drawn at random come to what they come to on the reference endpoint".to_owned(),
        clauses,
        tags: vec!["fuzz".to_owned()],
        caller: Caller::default(),
        messages: messages.collect(),
        alone: false,
        needs_rate: None,
        embedded: EmbeddedSetup::default(),
        cases: Vec::new(),
        steps,
    }
}

/// A call as a scenario has it, ready to be made.
pub fn ready_call(step: &Step) -> Option<ReadyCall> {
    match ready(&scenario("", vec![step.clone()]), "").pop()?.act {
        Act::Call(call) => Some(*call),
        _ => None,
    }
}

/// What a set with Seq 0 of a key that is gone says of all such keys.
pub fn observe(question: &str, key: &str) -> Observe {
    let refused = Some(Codes::OneOf(vec![code::SEQ_CONFLICT]));
    let done = KeyExpect { code: Some(Codes::default()), ..KeyExpect::default() };
    let tombstone = Expect { refused, ..Expect::default() };
    let reset = Expect { keys: BTreeMap::from([(key.to_owned(), done)]), ..Expect::default() };
    Observe {
        reading: question.to_owned(),
        is: BTreeMap::from([("tombstone".to_owned(), tombstone), ("reset".to_owned(), reset)]),
    }
}

/// The clause and the codes of a call that has to be refused as a whole, whoever looks at its pairs.
pub fn refusal(drawn: &FuzzCall) -> Option<(&'static str, Codes)> {
    let one_of = |codes: &[i64]| if codes.is_empty() { Codes::AnyRefusal } else { Codes::OneOf(codes.to_vec()) };
    match (drawn.caller, kind_of(drawn.message), drawn.oddity.map(|oddity| (oddity.clause, oddity.answer))) {
        (Caller::Stranger, ..) => Some(("WHO-2", Codes::AnyRefusal)),
        (_, MessageKind::Missing, _) => Some(("MSG-1", one_of(&[code::NOT_FOUND]))),
        (_, MessageKind::Unsupported, _) => Some(("MSG-2", one_of(&[code::UNSUPPORTED]))),
        (.., Some((clause, OddityAnswer::Refused(codes)))) => Some((clause, one_of(codes))),
        _ => None,
    }
}
