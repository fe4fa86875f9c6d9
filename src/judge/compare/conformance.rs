//! What held and no longer does: clauses, checks, mutants that were killed, readings.

use std::collections::{BTreeMap, BTreeSet};

use crate::verdict::Overall;

/// Something that a run shows to hold or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub kind: StatementKind,
    pub id: String,
    /// Whether it counts: a clause of level `should` does only under `--strict`.
    pub decides: bool,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatementKind {
    Clause,
    Check,
    /// That a mutant is caught.
    Mutant,
    /// That lawful answers to open questions are no failure.
    Lawful,
    Reading,
}

impl StatementKind {
    pub fn word(self) -> &'static str {
        match self {
            StatementKind::Clause => "clause",
            StatementKind::Check => "check",
            StatementKind::Mutant => "mutant",
            StatementKind::Lawful => "lawful endpoint",
            StatementKind::Reading => "reading",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Holds,
    Broken,
    /// It was not tested, or is not known; says why.
    Unknown(String),
}

impl State {
    /// Of several runs the worst counts.
    fn severity(&self) -> u8 {
        match self {
            State::Holds => 0,
            State::Unknown(_) => 1,
            State::Broken => 2,
        }
    }

    fn told(&self) -> String {
        match self {
            State::Holds => "holds".to_owned(),
            State::Broken => "does not hold".to_owned(),
            State::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// What is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    pub kind: StatementKind,
    pub id: String,
    pub was: String,
    pub is: String,
    /// For the worse, or unknown; what became better is a pass.
    pub verdict: Overall,
    pub decides: bool,
}

/// What runs show, each with its statements and its readings.
pub type Facet<'a> = (&'a [Statement], &'a BTreeMap<String, String>);

/// What the new runs show otherwise than the runs of the base.
pub fn shifts(base: &[Facet<'_>], new: &[Facet<'_>]) -> Vec<Shift> {
    let (was, is) = (states(base), states(new));
    let mut shifts: Vec<Shift> = Vec::new();
    for (key @ (kind, id), (state, decides)) in &is {
        let before = was.get(key).map(|(state, _)| state);
        let verdict = match (before, state) {
            (Some(State::Broken), State::Broken) | (Some(State::Holds), State::Holds) => continue,
            (_, State::Broken) => Overall::Fail,
            (Some(State::Holds), State::Unknown(_)) => Overall::Inconclusive,
            (Some(State::Broken), State::Holds) => Overall::Pass,
            (_, State::Unknown(_) | State::Holds) => continue,
        };
        let was = before.map_or_else(|| "not tested".to_owned(), State::told);
        shifts.push(Shift { kind: *kind, id: (*id).to_owned(), was, is: state.told(), verdict, decides: *decides });
    }
    for (key @ (kind, id), (_, decides)) in was.iter().filter(|(_, (state, _))| *state == State::Holds) {
        if !is.contains_key(key) && *kind != StatementKind::Lawful {
            let (was, is) = (State::Holds.told(), "not tested".to_owned());
            shifts.push(Shift { kind: *kind, id: (*id).to_owned(), was, is, verdict: Overall::Inconclusive, decides: *decides });
        }
    }
    shifts.extend(readings(base, new));
    shifts.sort_by_key(|shift| std::cmp::Reverse(shift.verdict.severity()));
    shifts
}

/// A statement holds where every run says so; one that is missing in a run is unknown there.
fn states<'a>(runs: &[Facet<'a>]) -> BTreeMap<(StatementKind, &'a str), (State, bool)> {
    let mut states: BTreeMap<(StatementKind, &str), (State, bool, usize)> = BTreeMap::new();
    for statement in runs.iter().flat_map(|(statements, _)| statements.iter()) {
        let fresh = || (statement.state.clone(), statement.decides, 0);
        let (state, _, seen) = states.entry((statement.kind, &statement.id)).or_insert_with(fresh);
        *seen += 1;
        if statement.state.severity() > state.severity() {
            *state = statement.state.clone();
        }
    }
    let missing = |state: State, seen: usize| match state {
        State::Holds if seen < runs.len() => State::Unknown(format!("tested in {seen} of {} runs", runs.len())),
        state => state,
    };
    states.into_iter().map(|(key, (state, decides, seen))| (key, (missing(state, seen), decides))).collect()
}

fn readings(base: &[Facet<'_>], new: &[Facet<'_>]) -> Vec<Shift> {
    let (was, is) = (answers(base), answers(new));
    let shift = |question: &str, was: String, is: String, verdict| Shift {
        kind: StatementKind::Reading,
        id: question.to_owned(),
        was,
        is,
        verdict,
        decides: true,
    };
    let told = |answers: &BTreeSet<&str>| answers.iter().copied().collect::<Vec<_>>().join(" or ");
    let of_question = |(question, before): (&&str, &BTreeSet<&str>)| match is.get(question) {
        None => Some(shift(question, told(before), "not seen".to_owned(), Overall::Inconclusive)),
        Some(now) if now.is_subset(before) => None,
        Some(now) => Some(shift(question, told(before), told(now), Overall::Fail)),
    };
    was.iter().filter_map(of_question).collect()
}

fn answers<'a>(runs: &[Facet<'a>]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut answers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (question, answer) in runs.iter().flat_map(|(_, readings)| readings.iter()) {
        answers.entry(question).or_default().insert(answer);
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(states: &[(&str, State)]) -> Vec<Statement> {
        let statement = |(id, state): &(&str, State)| Statement {
            kind: StatementKind::Clause,
            id: (*id).to_owned(),
            decides: true,
            state: state.clone(),
        };
        states.iter().map(statement).collect()
    }

    fn verdicts(base: &[Vec<Statement>], new: &[Vec<Statement>]) -> Vec<(String, Overall)> {
        let none = BTreeMap::new();
        let base: Vec<Facet<'_>> = base.iter().map(|run| (run.as_slice(), &none)).collect();
        let new: Vec<Facet<'_>> = new.iter().map(|run| (run.as_slice(), &none)).collect();
        shifts(&base, &new).into_iter().map(|shift| (shift.id, shift.verdict)).collect()
    }

    #[test]
    fn what_held_and_is_broken_fails_what_is_unknown_is_open_and_the_rest_is_as_it_was() {
        let unknown = || State::Unknown("lost".to_owned());
        let base = run(&[("A", State::Holds), ("B", State::Holds), ("C", State::Broken), ("D", State::Holds), ("E", unknown())]);
        let same = verdicts(std::slice::from_ref(&base), std::slice::from_ref(&base));
        assert_eq!(same, []);
        let new = run(&[("A", State::Broken), ("B", unknown()), ("C", State::Holds), ("E", State::Broken), ("F", State::Broken)]);
        let found = verdicts(&[base], &[new]);
        let expected = [
            ("A", Overall::Fail),
            ("E", Overall::Fail),
            ("F", Overall::Fail),
            ("B", Overall::Inconclusive),
            ("D", Overall::Inconclusive),
            ("C", Overall::Pass),
        ];
        assert_eq!(found, expected.map(|(id, verdict)| (id.to_owned(), verdict)));
    }

    #[test]
    fn of_several_runs_one_that_breaks_it_is_enough_and_a_base_that_wavers_proves_nothing() {
        let (holds, broken) = (run(&[("A", State::Holds)]), run(&[("A", State::Broken)]));
        let one = verdicts(&[holds.clone(), holds.clone()], &[holds.clone(), broken.clone()]);
        assert_eq!(one, [("A".to_owned(), Overall::Fail)]);
        assert_eq!(verdicts(&[holds.clone(), broken.clone()], &[holds.clone(), broken]), []);
        assert_eq!(
            verdicts(std::slice::from_ref(&holds), &[holds.clone(), Vec::new()]),
            [("A".to_owned(), Overall::Inconclusive)]
        );
    }

    #[test]
    fn an_answer_that_the_base_never_gave_is_a_change_and_one_that_is_not_seen_is_unknown() {
        let answers =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeMap<_, _>>();
        let of = |base: &[&BTreeMap<String, String>], new: &BTreeMap<String, String>| {
            let base: Vec<Facet<'_>> = base.iter().map(|readings| (&[][..], *readings)).collect();
            shifts(&base, &[(&[], new)]).into_iter().map(|shift| (shift.was, shift.is, shift.verdict)).collect::<Vec<_>>()
        };
        let (reset, tombstone) = (answers(&[("deleted-key", "reset")]), answers(&[("deleted-key", "tombstone")]));
        assert_eq!(of(&[&reset], &reset), []);
        assert_eq!(of(&[&reset], &tombstone), [("reset".to_owned(), "tombstone".to_owned(), Overall::Fail)]);
        assert_eq!(of(&[&reset, &tombstone], &tombstone), []);
        assert_eq!(of(&[&reset], &answers(&[])), [("reset".to_owned(), "not seen".to_owned(), Overall::Inconclusive)]);
    }
}
