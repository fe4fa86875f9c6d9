//! What the outcomes of all scenarios come to: a verdict for each clause, the readings, and one verdict of the run.
//!
//! Never a pass without a scenario that passed: what was not established is unknown or skipped, and says why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::flaky::{Flaky, flaky};
use crate::judge::text::{counted, some_of};
use crate::scenario::conform::plan::Planned;
use crate::spec::{Clause, Level, Profile, Spec};
use crate::verdict::{Overall, ScenarioOutcome, Verdict};

/// Names of a long list that a reason tells.
const NAMES_SHOWN: usize = 8;

/// Everything that a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// One for each clause of the spec, in its order.
    pub clauses: Vec<ClauseVerdict>,
    /// Question to the one answer that was seen; a question answered in two ways is in `contradictions` instead.
    pub readings: BTreeMap<String, String>,
    pub contradictions: Vec<Contradiction>,
    /// Scenarios whose repetitions differ.
    pub flaky: Vec<Flaky>,
    pub overall: Overall,
    /// One line that says what decided.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClauseVerdict {
    pub id: String,
    pub level: Level,
    pub verdict: Verdict,
    /// The scenarios that test it, and any other that has a finding on it.
    pub scenarios: Vec<String>,
}

/// An answer to an open clause that another answer, or the pinned one, excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub clause: String,
    /// The question's name.
    pub reading: String,
    pub answer: String,
    pub seen: Sighting,
    pub against: Against,
}

/// What an answer contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// The profile's answer.
    Pinned(String),
    Seen {
        answer: String,
        seen: Sighting,
    },
}

/// Which step of which scenario saw an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub scenario: String,
    /// Index path of the step in the scenario's file.
    pub place: String,
}

/// Question, answer, and the answer that this one includes: a target that keeps to no order may now and then keep the request's.
const WIDER: &[(&str, &str, &str)] = &[("order", "any", "request")];

/// Sums up a run. `caller` is the answer to that question that the probe of the target found; `incomplete` says why it was cut short, where it was; a planned scenario without an outcome was not reached.
pub fn summarise(
    spec: &Spec,
    planned: &[Planned],
    outcomes: &[ScenarioOutcome],
    caller: Option<&str>,
    pinned: &Profile,
    strict: bool,
    incomplete: Option<&str>,
) -> Summary {
    let run = Run::new(spec, planned, outcomes, incomplete);
    let (readings, contradictions) = readings(spec, outcomes, caller, pinned);
    let clauses: Vec<ClauseVerdict> =
        spec.clauses.iter().map(|clause| run.clause_verdict(spec, clause, &readings, &contradictions)).collect();
    let flaky = flaky(outcomes, incomplete.is_none());
    let (overall, mut reason) = run.overall(spec, &clauses, (&contradictions, &flaky), strict, incomplete);
    let unseen = |question: &&str| {
        !readings.contains_key(*question) && !contradictions.iter().any(|contradiction| contradiction.reading == **question)
    };
    let unseen: Vec<&str> = pinned.keys().map(String::as_str).filter(unseen).collect();
    if !unseen.is_empty() {
        reason = format!("{reason}; pinned, and not observed: {}", some_of(&unseen, NAMES_SHOWN));
    }
    Summary { clauses, readings, contradictions, flaky, overall, reason }
}

/// Every clause that a scenario tests: those that it names, and those whose questions it observes.
pub fn clauses_of(spec: &Spec, planned: &Planned) -> BTreeSet<String> {
    let named = planned.clauses().into_iter().map(str::to_owned);
    named.chain(planned.questions().into_iter().map(|reading| clause_asking(spec, reading))).collect()
}

/// The verdict of a planned scenario that has no outcome.
pub fn not_reached(incomplete: Option<&str>) -> Verdict {
    Verdict::Unknown(match incomplete {
        Some(why) => format!("not reached: {why}"),
        None => "not reached".to_owned(),
    })
}

/// A question that no clause asks stands for itself, so that its contradictions are not lost.
fn clause_asking(spec: &Spec, reading: &str) -> String {
    spec.question(reading).map_or_else(|| reading.to_owned(), |clause| clause.id.clone())
}

fn readings(
    spec: &Spec,
    outcomes: &[ScenarioOutcome],
    caller: Option<&str>,
    pinned: &Profile,
) -> (BTreeMap<String, String>, Vec<Contradiction>) {
    let mut answers: BTreeMap<&str, Vec<(&str, Sighting)>> = BTreeMap::new();
    if let Some(caller) = caller {
        let probe = Sighting { scenario: "the probe of the target".to_owned(), place: String::new() };
        answers.insert("caller", vec![(caller, probe)]);
    }
    for outcome in outcomes {
        for observation in &outcome.observations {
            let seen = answers.entry(&observation.reading).or_default();
            if seen.iter().all(|(answer, _)| *answer != observation.answer) {
                let sighting = Sighting { scenario: outcome.id.clone(), place: observation.place.clone() };
                seen.push((&observation.answer, sighting));
            }
        }
    }

    let mut readings = BTreeMap::new();
    let mut contradictions = Vec::new();
    for (reading, mut seen) in answers {
        for (_, wider, narrower) in WIDER.iter().filter(|(question, ..)| *question == reading) {
            let is_wider = pinned.get(reading).is_some_and(|pin| pin == wider) || seen.iter().any(|(answer, _)| answer == wider);
            seen.retain(|(answer, _)| !(is_wider && answer == narrower));
        }
        if let [(answer, _)] = seen.as_slice() {
            readings.insert(reading.to_owned(), (*answer).to_owned());
        }
        let (against, rest) = match (pinned.get(reading), seen.split_first()) {
            (Some(pin), _) => (Against::Pinned(pin.clone()), seen.as_slice()),
            (None, Some(((answer, first), rest))) => (Against::Seen { answer: (*answer).to_owned(), seen: first.clone() }, rest),
            (None, None) => continue,
        };
        let excluded = rest.iter().filter(|(answer, _)| !matches!(&against, Against::Pinned(pin) if pin == answer));
        contradictions.extend(excluded.map(|(answer, sighting)| Contradiction {
            clause: clause_asking(spec, reading),
            reading: reading.to_owned(),
            answer: (*answer).to_owned(),
            seen: sighting.clone(),
            against: against.clone(),
        }));
    }
    (readings, contradictions)
}

/// The scenarios of a run beside what they came to.
struct Run<'a> {
    scenarios: Vec<Entry<'a>>,
}

struct Entry<'a> {
    id: &'a str,
    clauses: BTreeSet<String>,
    verdict: Verdict,
    outcome: Option<&'a ScenarioOutcome>,
}

impl Entry<'_> {
    fn has_finding_on(&self, clause: &str) -> bool {
        self.outcome.is_some_and(|outcome| outcome.findings.iter().any(|finding| finding.clause == clause))
    }

    /// The clauses that it failed on, each once.
    fn failed_on(&self) -> BTreeSet<&str> {
        self.outcome.map(|outcome| outcome.findings.iter().map(|finding| finding.clause.as_str()).collect()).unwrap_or_default()
    }

    /// Why a clause without a finding cannot be said to hold, as far as this scenario goes. A finding on a `should` clause
    /// is no reason: the scenario went on to its end.
    fn doubt(&self, spec: &Spec) -> Option<String> {
        let failed_on: Vec<&str> = self.failed_on().into_iter().filter(|clause| spec.decides(clause, false)).collect();
        match &self.verdict {
            Verdict::Unknown(why) => Some(format!("scenario {} is unknown: {why}", self.id)),
            _ if !failed_on.is_empty() => Some(format!("scenario {} failed on {}", self.id, failed_on.join(", "))),
            Verdict::Fail if self.failed_on().is_empty() => Some(format!("scenario {} failed", self.id)),
            Verdict::Fail | Verdict::Pass | Verdict::Skipped(_) => None,
        }
    }

    /// Whether it was gone through to its end.
    fn ran(&self) -> bool {
        matches!(self.verdict, Verdict::Pass | Verdict::Fail)
    }
}

impl<'a> Run<'a> {
    fn new(spec: &Spec, planned: &'a [Planned], outcomes: &'a [ScenarioOutcome], incomplete: Option<&str>) -> Run<'a> {
        let by_id: HashMap<&str, &ScenarioOutcome> = outcomes.iter().map(|outcome| (outcome.id.as_str(), outcome)).collect();
        let scenarios = planned.iter().map(|planned| {
            let outcome = by_id.get(planned.id.as_str()).copied();
            let verdict = outcome.map_or_else(|| not_reached(incomplete), |outcome| outcome.verdict.clone());
            Entry { id: &planned.id, clauses: clauses_of(spec, planned), verdict, outcome }
        });
        Run { scenarios: scenarios.collect() }
    }

    fn clause_verdict(
        &self,
        spec: &Spec,
        clause: &Clause,
        readings: &BTreeMap<String, String>,
        contradictions: &[Contradiction],
    ) -> ClauseVerdict {
        let listing = || self.scenarios.iter().filter(|entry| entry.clauses.contains(&clause.id));
        let failed = self.scenarios.iter().any(|entry| entry.has_finding_on(&clause.id))
            || contradictions.iter().any(|contradiction| contradiction.clause == clause.id);
        let skipped = || listing().find_map(|entry| entry.verdict.why());

        let verdict = if failed {
            Verdict::Fail
        } else if clause.reading.as_ref().is_some_and(|reading| readings.contains_key(reading)) {
            Verdict::Pass
        } else if let Some(doubt) = listing().find_map(|entry| entry.doubt(spec)) {
            Verdict::Unknown(doubt)
        } else if listing().any(Entry::ran) {
            match clause.reading {
                Some(_) => Verdict::Skipped("no step of this run observed it".to_owned()),
                None => Verdict::Pass,
            }
        } else {
            let nothing_to_test = match (clause.level, &clause.reading) {
                (Level::Open, None) => "it asks nothing that a run could decide",
                _ => "no scenario of this run tests it",
            };
            Verdict::Skipped(skipped().unwrap_or(nothing_to_test).to_owned())
        };

        let scenarios =
            self.scenarios.iter().filter(|entry| entry.clauses.contains(&clause.id) || entry.has_finding_on(&clause.id));
        let scenarios = scenarios.map(|entry| entry.id.to_owned()).collect();
        ClauseVerdict { id: clause.id.clone(), level: clause.level, verdict, scenarios }
    }

    fn overall(
        &self,
        spec: &Spec,
        clauses: &[ClauseVerdict],
        (contradictions, flaky): (&[Contradiction], &[Flaky]),
        strict: bool,
        incomplete: Option<&str>,
    ) -> (Overall, String) {
        let count = |word: &str| self.scenarios.iter().filter(|entry| entry.verdict.word() == word).count();
        let (passed, failed) = (count("pass"), count("fail"));

        if let Some(reason) = self.failure(spec, contradictions, strict) {
            return (Overall::Fail, reason);
        }
        let wavers: Vec<&str> = flaky.iter().map(|flaky| flaky.scenario.as_str()).collect();
        let wavering = || format!("{}: {}", counted(wavers.len(), "flaky scenario"), some_of(&wavers, NAMES_SHOWN));
        if strict && !wavers.is_empty() {
            return (Overall::Fail, wavering());
        }
        if let Some(why) = incomplete {
            return (Overall::Inconclusive, format!("the run was cut short: {why}"));
        }
        if !wavers.is_empty() {
            return (Overall::Inconclusive, wavering());
        }
        let unknown: Vec<&str> =
            self.scenarios.iter().filter(|entry| matches!(entry.verdict, Verdict::Unknown(_))).map(|entry| entry.id).collect();
        if !unknown.is_empty() {
            return (
                Overall::Inconclusive,
                format!("{}: {}", counted(unknown.len(), "unknown scenario"), some_of(&unknown, NAMES_SHOWN)),
            );
        }
        if passed + failed == 0 {
            return (Overall::Inconclusive, "no scenario ran".to_owned());
        }
        let mut reason = format!("{} passed", counted(passed, "scenario"));
        for (number, what) in [(count("skipped"), "skipped"), (failed, "failed on a should clause only")] {
            if number > 0 {
                reason = format!("{reason}, {number} {what}");
            }
        }
        let untested = |clause: &&ClauseVerdict| clause.level == Level::Must && clause.verdict != Verdict::Pass;
        let untested: Vec<&str> = clauses.iter().filter(untested).map(|clause| clause.id.as_str()).collect();
        let tested = clauses.iter().filter(|clause| clause.level == Level::Must && clause.verdict == Verdict::Pass).count();
        // Who runs a few scenarios of their own knows what they left out.
        if !untested.is_empty() && (untested.len() <= tested || tested == 0) {
            reason =
                format!("{reason}; {} not tested: {}", counted(untested.len(), "must clause"), some_of(&untested, NAMES_SHOWN));
        }
        (Overall::Pass, reason)
    }

    /// What makes the run a failure.
    fn failure(&self, spec: &Spec, contradictions: &[Contradiction], strict: bool) -> Option<String> {
        let broken: BTreeSet<&str> =
            self.scenarios.iter().flat_map(Entry::failed_on).filter(|clause| spec.decides(clause, strict)).collect();
        // A failure that names no finding must still not be taken for a pass.
        let unexplained: Vec<&str> = self
            .scenarios
            .iter()
            .filter(|entry| entry.verdict == Verdict::Fail && entry.failed_on().is_empty())
            .map(|entry| entry.id)
            .collect();
        let contradicted: BTreeSet<&str> = contradictions.iter().map(|contradiction| contradiction.reading.as_str()).collect();

        let parts: Vec<String> = [("broken clause", broken), ("contradicted reading", contradicted)]
            .into_iter()
            .map(|(what, names)| (what, names.into_iter().collect::<Vec<&str>>()))
            .chain([("failed scenario", unexplained)])
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{}: {}", counted(names.len(), what), some_of(&names, NAMES_SHOWN)))
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_yaml::with::singleton_map_recursive;

    use super::*;
    use crate::verdict::{Finding, Observation, RequestCount};
    use crate::yaml::source::SourceFile;

    fn spec() -> Spec {
        serde_yaml::from_str(
            "clauses:
             - { id: MUST-1, level: must, section: s, statement: one }
             - { id: MUST-2, level: must, section: s, statement: two }
             - { id: SHOULD-1, level: should, section: s, statement: three }
             - { id: OPEN-1, level: open, section: s, statement: four, reading: deleted-key, readings: [] }",
        )
        .unwrap()
    }

    fn planned(id: &str, clauses: &[&str]) -> Planned {
        with_steps(id, clauses, "[]")
    }

    fn with_steps(id: &str, clauses: &[&str], steps: &str) -> Planned {
        let yaml = format!("{{ id: {id}, title: t, clauses: {clauses:?}, steps: {steps} }}");
        let scenario = singleton_map_recursive::deserialize(serde_yaml::Deserializer::from_str(&yaml)).unwrap();
        Planned::new(id.to_owned(), scenario, Arc::new(SourceFile::default()), "/scenarios/0".to_owned())
    }

    fn outcome(id: &str, verdict: Verdict) -> ScenarioOutcome {
        let (findings, observations, exchanges, requests) = (vec![], vec![], vec![], RequestCount::default());
        ScenarioOutcome { id: id.to_owned(), verdict, findings, observations, exchanges, requests, elapsed: Duration::ZERO }
    }

    fn failed(id: &str, clause: &str) -> ScenarioOutcome {
        let finding = Finding {
            clause: clause.to_owned(),
            place: "/scenarios/0/steps/0".to_owned(),
            subject: "k1".to_owned(),
            expected: "0".to_owned(),
            actual: "23001".to_owned(),
            note: None,
            exchange: None,
        };
        ScenarioOutcome { findings: vec![finding], ..outcome(id, Verdict::Fail) }
    }

    fn saw(id: &str, answers: &[&str]) -> ScenarioOutcome {
        let observations = answers.iter().enumerate().map(|(index, answer)| Observation {
            reading: "deleted-key".to_owned(),
            answer: (*answer).to_owned(),
            place: format!("/scenarios/0/steps/{index}"),
        });
        ScenarioOutcome { observations: observations.collect(), ..outcome(id, Verdict::Pass) }
    }

    fn sum(planned: &[Planned], outcomes: &[ScenarioOutcome]) -> Summary {
        summarise(&spec(), planned, outcomes, None, &Profile::new(), false, None)
    }

    fn verdict<'a>(summary: &'a Summary, clause: &str) -> &'a Verdict {
        &summary.clauses.iter().find(|verdict| verdict.id == clause).unwrap().verdict
    }

    #[test]
    fn a_clause_passes_by_one_scenario_and_fails_by_any_finding() {
        let plan = [planned("a", &["MUST-1"]), planned("b", &["MUST-1"])];
        let skipped = || outcome("b", Verdict::Skipped("no member".to_owned()));

        let passes = sum(&plan, &[outcome("a", Verdict::Pass), skipped()]);
        assert_eq!(verdict(&passes, "MUST-1"), &Verdict::Pass);
        assert_eq!(
            (passes.overall, passes.reason.as_str()),
            (Overall::Pass, "1 scenario passed, 1 skipped; 1 must clause not tested: MUST-2")
        );

        let fails = sum(&plan, &[outcome("a", Verdict::Pass), failed("b", "MUST-1")]);
        assert_eq!(verdict(&fails, "MUST-1"), &Verdict::Fail);
        assert_eq!((fails.overall, fails.reason.as_str()), (Overall::Fail, "1 broken clause: MUST-1"));
    }

    #[test]
    fn a_finding_counts_against_a_clause_that_the_scenario_does_not_list() {
        let summary = sum(&[planned("a", &["MUST-1"])], &[failed("a", "MUST-2")]);
        assert_eq!(verdict(&summary, "MUST-2"), &Verdict::Fail);
        assert_eq!(summary.clauses[1].scenarios, ["a"]);
        assert_eq!(verdict(&summary, "MUST-1"), &Verdict::Unknown("scenario a failed on MUST-2".to_owned()));
    }

    #[test]
    fn a_scenario_whose_repetitions_differ_is_flaky_no_pass_and_under_strict_a_failure() {
        let unknown = || Verdict::Unknown("no reply".to_owned());
        let plan =
            [planned("a", &["MUST-1"]), planned("a#2", &["MUST-1"]), planned("b", &["SHOULD-1"]), planned("b#2", &["SHOULD-1"])];
        let of = |strict: bool, verdicts: [ScenarioOutcome; 4]| {
            let summary = summarise(&spec(), &plan, &verdicts, None, &Profile::new(), strict, None);
            (
                summary.overall,
                summary
                    .flaky
                    .into_iter()
                    .map(|flaky| (flaky.scenario, flaky.passed, flaky.failed, flaky.unknown))
                    .collect::<Vec<_>>(),
            )
        };
        let pass = |id: &str| outcome(id, Verdict::Pass);
        let [a, b] = ["a", "b"].map(str::to_owned);
        assert_eq!(of(true, [pass("a"), pass("a#2"), pass("b"), pass("b#2")]), (Overall::Pass, vec![]));
        let lost = || [pass("a"), outcome("a#2", unknown()), pass("b"), pass("b#2")];
        assert_eq!(of(false, lost()), (Overall::Inconclusive, vec![(a.clone(), 1, 0, 1)]));
        assert_eq!(of(true, lost()), (Overall::Fail, vec![(a.clone(), 1, 0, 1)]));
        let should = || [pass("a"), pass("a#2"), failed("b", "SHOULD-1"), pass("b#2")];
        assert_eq!(of(false, should()), (Overall::Inconclusive, vec![(b, 1, 1, 0)]));
        assert_eq!(
            of(false, [pass("a"), pass("a#2"), failed("b", "SHOULD-1"), failed("b#2", "SHOULD-1")]),
            (Overall::Pass, vec![])
        );
        let broken = of(false, [pass("a"), failed("a#2", "MUST-1"), pass("b"), pass("b#2")]);
        assert_eq!(broken, (Overall::Fail, vec![(a, 1, 1, 0)]));
    }

    #[test]
    fn a_clause_of_an_unknown_scenario_is_unknown_even_where_another_passed() {
        let plan = [planned("a", &["MUST-1"]), planned("b", &["MUST-1"])];
        let unknown = outcome("b", Verdict::Unknown("no reply".to_owned()));
        let summary = sum(&plan, &[outcome("a", Verdict::Pass), unknown]);
        assert_eq!(verdict(&summary, "MUST-1"), &Verdict::Unknown("scenario b is unknown: no reply".to_owned()));
        assert_eq!((summary.overall, summary.reason.as_str()), (Overall::Inconclusive, "1 unknown scenario: b"));
    }

    #[test]
    fn a_clause_that_nothing_tested_is_skipped_and_says_why() {
        let summary = sum(
            &[planned("a", &["MUST-1"]), planned("b", &["MUST-1"])],
            &["a", "b"].map(|id| outcome(id, Verdict::Skipped(format!("{id}'s why")))),
        );
        assert_eq!(verdict(&summary, "MUST-1"), &Verdict::Skipped("a's why".to_owned()));
        assert_eq!(verdict(&summary, "MUST-2"), &Verdict::Skipped("no scenario of this run tests it".to_owned()));
        assert_eq!((summary.overall, summary.reason.as_str()), (Overall::Inconclusive, "no scenario ran"));
    }

    #[test]
    fn should_findings_decide_only_when_strict() {
        let plan = [planned("a", &["SHOULD-1"])];
        let outcomes = [failed("a", "SHOULD-1")];
        let lenient = sum(&plan, &outcomes);
        assert_eq!(verdict(&lenient, "SHOULD-1"), &Verdict::Fail);
        assert_eq!(
            (lenient.overall, lenient.reason.as_str()),
            (Overall::Pass, "0 scenarios passed, 1 failed on a should clause only; 2 must clauses not tested: MUST-1, MUST-2")
        );
        let strict = summarise(&spec(), &plan, &outcomes, None, &Profile::new(), true, None);
        assert_eq!(strict.overall, Overall::Fail);
    }

    #[test]
    fn findings_on_open_and_on_unheard_of_clauses_decide() {
        for clause in ["OPEN-1", "NEVER-HEARD-OF"] {
            assert_eq!(sum(&[planned("a", &["MUST-1"])], &[failed("a", clause)]).overall, Overall::Fail, "{clause}");
        }
    }

    #[test]
    fn a_failure_without_a_finding_is_no_pass() {
        let summary = sum(&[planned("a", &["MUST-1"])], &[outcome("a", Verdict::Fail)]);
        assert_eq!((summary.overall, summary.reason.as_str()), (Overall::Fail, "1 failed scenario: a"));
    }

    #[test]
    fn an_open_clause_passes_when_observed_and_only_then() {
        let plan = [planned("a", &["OPEN-1"])];
        let observed = sum(&plan, &[saw("a", &["reset"])]);
        assert_eq!(verdict(&observed, "OPEN-1"), &Verdict::Pass);
        assert_eq!(observed.readings["deleted-key"], "reset");
        let unobserved = sum(&plan, &[outcome("a", Verdict::Pass)]);
        assert_eq!(verdict(&unobserved, "OPEN-1"), &Verdict::Skipped("no step of this run observed it".to_owned()));
        let skipped = sum(&plan, &[outcome("a", Verdict::Skipped("no member".to_owned()))]);
        assert_eq!(verdict(&skipped, "OPEN-1"), &Verdict::Skipped("no member".to_owned()));
    }

    #[test]
    fn equal_answers_are_one_reading_and_different_ones_contradict() {
        let plan = [planned("a", &["OPEN-1"]), planned("b", &["OPEN-1"])];
        let agreed = sum(&plan, &[saw("a", &["reset", "reset"]), saw("b", &["reset"])]);
        assert_eq!((agreed.overall, agreed.contradictions.len()), (Overall::Pass, 0));

        let between = sum(&plan, &[saw("a", &["reset"]), saw("b", &["tombstone"])]);
        let within = sum(&plan, &[saw("a", &["reset", "tombstone"])]);
        for (summary, second) in [(between, ("b", "/scenarios/0/steps/0")), (within, ("a", "/scenarios/0/steps/1"))] {
            assert_eq!(verdict(&summary, "OPEN-1"), &Verdict::Fail);
            assert_eq!((summary.overall, summary.reason.as_str()), (Overall::Fail, "1 contradicted reading: deleted-key"));
            assert_eq!(summary.readings, BTreeMap::new());
            let sighting = |(scenario, place): (&str, &str)| Sighting { scenario: scenario.to_owned(), place: place.to_owned() };
            assert_eq!(
                summary.contradictions,
                [Contradiction {
                    clause: "OPEN-1".to_owned(),
                    reading: "deleted-key".to_owned(),
                    answer: "tombstone".to_owned(),
                    seen: sighting(second),
                    against: Against::Seen { answer: "reset".to_owned(), seen: sighting(("a", "/scenarios/0/steps/0")) },
                }]
            );
        }
    }

    #[test]
    fn the_pinned_answer_passes_and_any_other_fails() {
        let plan = [planned("a", &["OPEN-1"])];
        let pinned = Profile::from([("deleted-key".to_owned(), "reset".to_owned())]);
        let sum = |answers| summarise(&spec(), &plan, &[saw("a", answers)], None, &pinned, false, None);
        assert_eq!(sum(&["reset"]).overall, Overall::Pass);
        let other = sum(&["tombstone"]);
        assert_eq!((other.overall, &other.contradictions[0].against), (Overall::Fail, &Against::Pinned("reset".to_owned())));
        assert_eq!(sum(&["reset", "tombstone"]).contradictions.len(), 1);
    }

    #[test]
    fn a_run_cut_short_is_inconclusive_and_the_rest_of_it_unknown() {
        let plan = [planned("a", &["MUST-1"]), planned("b", &["MUST-2"])];
        let outcomes = [outcome("a", Verdict::Pass)];
        let summary = summarise(&spec(), &plan, &outcomes, None, &Profile::new(), false, Some("interrupted"));
        assert_eq!((summary.overall, summary.reason.as_str()), (Overall::Inconclusive, "the run was cut short: interrupted"));
        assert_eq!(verdict(&summary, "MUST-1"), &Verdict::Pass);
        assert_eq!(verdict(&summary, "MUST-2"), &Verdict::Unknown("scenario b is unknown: not reached: interrupted".to_owned()));
        assert_eq!(sum(&plan, &outcomes).overall, Overall::Inconclusive);
    }

    #[test]
    fn clauses_named_only_by_nested_steps_are_tested_too() {
        let steps = "[
            { set: { clause: A, should: { B: {} }, observe: { reading: deleted-key, is: {} } } },
            { peek: { clause: C, keys: {} } },
            { repeat: { times: 2, limit: { rounds: 1, window: 1s, fewer: D, more: E }, do: [
                { parallel: { clause: F, do: [ { clear: { clause: G } } ] } } ] } } ]";
        let clauses = clauses_of(&spec(), &with_steps("a", &["MUST-1"], steps));
        assert_eq!(clauses.into_iter().collect::<Vec<_>>().join(" "), "A B C D E F G MUST-1 OPEN-1");
    }
}
