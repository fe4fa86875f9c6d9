//! What a search with random calls came to.

use std::collections::{BTreeMap, BTreeSet};

use super::text::counted;
use crate::history::Exchange;
use crate::scenario::conform::Scenario;
use crate::spec::Spec;
use crate::verdict::{Finding, Observation, Overall, ScenarioOutcome, Verdict};

/// Where a case's scenario is said to stand, before it stands in a file with others.
pub const FUZZ_PLACE: &str = "/scenarios/0";

/// A search at its end.
#[derive(Debug, Default)]
pub struct Fuzzed {
    /// Cases that were run to a verdict.
    pub cases: u64,
    /// Cases in which a call got no reply, or none that could be read; others were tried in their place.
    pub unknown: u64,
    /// Why the last of them is unknown.
    pub why_unknown: Option<String>,
    /// The first of each clause.
    pub differences: Vec<FuzzDifference>,
    /// The clauses that cases without a difference speak for.
    pub held: BTreeSet<String>,
    /// Question to the answer that was seen before the search.
    pub readings: BTreeMap<String, String>,
    /// Requests sent, those of cases that were made smaller and retries included.
    pub requests: u64,
    pub retries: u64,
    /// All exchanges, where they are to be recorded.
    pub exchanges: Vec<Exchange>,
    /// Why it ended early, where it did.
    pub cut_short: Option<String>,
}

/// A case that came to something else than on the reference endpoint.
#[derive(Clone, Debug)]
pub struct FuzzDifference {
    /// As small as it could be made, and what came of it.
    pub scenario: Scenario,
    pub outcome: ScenarioOutcome,
    /// Whether the same calls came to the same once more.
    pub came_again: bool,
    /// The readings that it takes for granted and that are not the reference's: there it may fail as well.
    pub rests_on: BTreeMap<String, String>,
    /// Further cases that broke the same clause.
    pub others: u64,
}

impl FuzzDifference {
    /// A case as it was run once.
    pub fn new((scenario, outcome): (Scenario, ScenarioOutcome)) -> FuzzDifference {
        FuzzDifference { scenario, outcome, came_again: false, rests_on: BTreeMap::new(), others: 0 }
    }

    /// The readings that it takes for granted, in words.
    pub fn told_readings(rests_on: &BTreeMap<String, String>) -> Vec<String> {
        rests_on.iter().map(|(question, answer)| format!("{question} is {answer}")).collect()
    }

    /// The clause that it breaks.
    pub fn clause<'d>(&'d self, spec: &Spec) -> &'d str {
        broken(&self.outcome, spec).unwrap_or_default()
    }
}

/// The first clause that an outcome breaks and that decides.
pub fn broken<'o>(outcome: &'o ScenarioOutcome, spec: &Spec) -> Option<&'o str> {
    outcome.findings.iter().map(|finding| finding.clause.as_str()).find(|clause| spec.decides(clause, false))
}

/// An outcome in which one of these questions has two answers fails by that.
pub fn contradict(outcome: &mut ScenarioOutcome, questions: &[&str], spec: &Spec) {
    let contradictions = contradictions(outcome, questions, spec);
    if !contradictions.is_empty() {
        outcome.verdict = Verdict::Fail;
        outcome.findings.extend(contradictions);
    }
}

/// The answers to these questions that are not those that were given before.
fn contradictions(outcome: &ScenarioOutcome, questions: &[&str], spec: &Spec) -> Vec<Finding> {
    let seen = || outcome.observations.iter().filter(|seen| questions.contains(&seen.reading.as_str()));
    let contradiction = |seen: &Observation| {
        let first = outcome.observations.iter().find(|first| first.reading == seen.reading)?;
        let clause = spec.question(&seen.reading).filter(|_| first.answer != seen.answer)?;
        Some(Finding {
            clause: clause.id.clone(),
            place: seen.place.clone(),
            subject: seen.reading.clone(),
            expected: format!("{}, as before", first.answer),
            actual: seen.answer.clone(),
            note: None,
            exchange: None,
        })
    };
    seen().filter_map(contradiction).collect()
}

/// What one case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseEnd {
    Unknown,
    Decided,
    /// It is the first to break this clause.
    Differs(String),
}

impl Fuzzed {
    /// Counts a case that was run. The first to break a clause is kept as it is: whoever comes next to that clause finds it there.
    /// One that rests on no reading takes the place of one that does.
    pub fn count(&mut self, case: FuzzDifference, spec: &Spec) -> CaseEnd {
        let clause = broken(&case.outcome, spec).map(str::to_owned);
        match (&case.outcome.verdict, &clause) {
            (Verdict::Unknown(why) | Verdict::Skipped(why), None) => {
                self.unknown += 1;
                self.why_unknown = Some(why.clone());
                return CaseEnd::Unknown;
            }
            (Verdict::Pass, None) => self.held.extend(case.scenario.clauses.iter().cloned()),
            _ => {}
        }
        self.cases += 1;
        let Some(clause) = clause else { return CaseEnd::Decided };
        match self.first_of(&clause, spec) {
            Some(first) if first.rests_on.is_empty() || !case.rests_on.is_empty() => {
                first.others += 1;
                return CaseEnd::Decided;
            }
            Some(first) => *first = FuzzDifference { others: first.others + 1, ..case },
            None => self.differences.push(case),
        }
        CaseEnd::Differs(clause)
    }

    /// Keeps what a difference of that clause was made smaller to.
    pub fn keep(&mut self, clause: &str, smallest: FuzzDifference, spec: &Spec) {
        let first = self.first_of(clause, spec);
        // Meanwhile one that rests on no reading may have come.
        if let Some(first) = first.filter(|first| smallest.rests_on.is_empty() || !first.rests_on.is_empty()) {
            *first = FuzzDifference { others: first.others, ..smallest };
        }
    }

    /// The differences that are to be seen on a target of whatever readings.
    pub fn settled(&self) -> usize {
        self.differences.iter().filter(|found| found.rests_on.is_empty()).count()
    }

    fn first_of(&mut self, clause: &str, spec: &Spec) -> Option<&mut FuzzDifference> {
        self.differences.iter_mut().find(|first| first.clause(spec) == clause)
    }

    /// Each clause of which the search says something, with what it says.
    pub fn clauses(&self, spec: &Spec) -> BTreeMap<String, Verdict> {
        let held = self.held.iter().map(|clause| (clause.clone(), Verdict::Pass));
        let broken = self.differences.iter().map(|difference| (difference.clause(spec).to_owned(), Verdict::Fail));
        held.chain(broken).collect()
    }

    /// What the search comes to, and one line that says why.
    pub fn overall(&self, spec: &Spec) -> (Overall, String) {
        let cases = counted(usize::try_from(self.cases).unwrap_or(usize::MAX), "case");
        match (self.differences.first(), &self.cut_short) {
            (Some(first), _) => {
                let clauses = counted(self.differences.len(), "clause");
                let steps = counted(first.scenario.steps.len(), "step");
                (Overall::Fail, format!("{clauses} broken in {cases}: {} in {steps}", first.clause(spec)))
            }
            (None, Some(why)) => (Overall::Inconclusive, format!("the search was cut short: {why}{}", self.told_unknown())),
            (None, None) if self.cases == 0 => (Overall::Inconclusive, format!("no case was decided{}", self.told_unknown())),
            (None, None) => (Overall::Pass, format!("{cases} came to what they come to on the reference endpoint")),
        }
    }

    fn told_unknown(&self) -> String {
        self.why_unknown.as_ref().map_or_else(String::new, |why| format!("; the last unknown one: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    #[test]
    fn a_second_answer_to_a_question_is_a_finding_and_the_same_one_again_is_none() {
        let spec = spec::bundled();
        let of = |answers: [(&str, &str); 2]| {
            let observation = |(reading, answer): (&str, &str)| {
                let place = format!("{FUZZ_PLACE}/steps/3/set");
                Observation { reading: reading.to_owned(), answer: answer.to_owned(), place }
            };
            let mut outcome = ScenarioOutcome {
                id: "a".to_owned(),
                verdict: Verdict::Pass,
                findings: Vec::new(),
                observations: answers.map(observation).to_vec(),
                exchanges: Vec::new(),
                requests: crate::verdict::RequestCount::default(),
                elapsed: std::time::Duration::ZERO,
            };
            contradict(&mut outcome, &["deleted-key"], &spec);
            assert_eq!(outcome.verdict == Verdict::Fail, !outcome.findings.is_empty());
            outcome
                .findings
                .iter()
                .map(|finding| format!("{} {}: {}", finding.clause, finding.expected, finding.actual))
                .collect::<Vec<_>>()
        };
        assert_eq!(of([("deleted-key", "tombstone"), ("deleted-key", "reset")]), ["DEL-3 tombstone, as before: reset"]);
        assert_eq!(of([("deleted-key", "reset"), ("deleted-key", "reset")]), [""; 0]);
        assert_eq!(of([("order", "any"), ("order", "request")]), [""; 0]);
    }

    #[test]
    fn only_decided_cases_pass_and_what_was_cut_short_does_not() {
        let spec = spec::bundled();
        let of = |cases, cut_short: Option<&str>| {
            Fuzzed { cases, unknown: 3, cut_short: cut_short.map(str::to_owned), ..Fuzzed::default() }.overall(&spec).0
        };
        assert_eq!(of(100, None), Overall::Pass);
        assert_eq!(of(0, None), Overall::Inconclusive);
        assert_eq!(of(100, Some("interrupted")), Overall::Inconclusive);
    }
}
