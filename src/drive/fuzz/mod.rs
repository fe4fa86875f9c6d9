//! Random sequences of calls, each run as the scenario that the oracle makes of it; what differs is made smaller.

mod frame;
mod known;
pub mod oracle;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::conform::walk::walk;
use super::ground::Ground;
use super::stop::Stop;
use super::target::MessageSource;
use crate::api::MemberCalls;
use crate::judge::fuzz::{CaseEnd, FUZZ_PLACE, FuzzDifference, Fuzzed, broken, contradict};
use crate::random::Random;
use crate::scenario::conform::plan::Planned;
use crate::scenario::conform::{Scenario, Step};
use crate::scenario::fuzz::{FuzzCase, FuzzScope, cases};
use crate::spec::Spec;
use crate::verdict::ScenarioOutcome;
use crate::yaml::source::SourceFile;
use oracle::{Oracle, QUESTIONS};

/// So often a case is run again to make it smaller.
const MOST_TRIES: u32 = 400;
/// More unknown cases than these, and than decided ones: the target does not answer well enough to be searched.
const MOST_UNKNOWN: u64 = 20;

/// What the user chose.
#[derive(Clone, Debug)]
pub struct FuzzOptions {
    /// Cases to be decided.
    pub cases: u64,
    /// Ends the search after so long.
    pub within: Option<Duration>,
    /// Cases that run at the same time.
    pub jobs: usize,
    /// Clauses that are found broken, after which the search ends.
    pub differences: usize,
}

/// Searches a target; `questions` are scenarios that see how it reads what the documentation leaves open, `told` hears of each
/// case that was decided.
pub async fn run(
    ground: &Ground<'_>,
    spec: &Spec,
    questions: &[Planned],
    options: &FuzzOptions,
    stop: &Stop,
    told: &dyn Fn(),
) -> Fuzzed {
    let search = &FuzzSearch::begin(ground, spec, questions, stop).await;
    // Cases that turn out to be unknown while the last ones run have others in their place.
    while !search.is_over(options) {
        stream::iter(iter::from_fn(|| search.next_case(options)))
            .for_each_concurrent(ground.at_once(options.jobs), |number| async move {
                tokio::select! {
                    () = search.case(number, told) => {}
                    () = stop.wait() => {}
                }
            })
            .await;
    }
    Fuzzed { cut_short: search.cut_short(), ..search.fuzzed.take() }
}

/// A search under way. What it has come to is only ever held between two awaits.
struct FuzzSearch<'a> {
    ground: &'a Ground<'a>,
    spec: &'a Spec,
    stop: &'a Stop,
    oracle: Oracle,
    /// Knows no reading, so that what it expects holds on the reference, too; where the target reads as the reference does, there
    /// is no need of it.
    unlearnt: Option<Oracle>,
    strategy: BoxedStrategy<FuzzCase>,
    /// Where a scenario is said to stand that stands in no file yet.
    source: Arc<SourceFile>,
    /// Cases that were begun and are not unknown.
    begun: Cell<u64>,
    /// The number of the last case.
    numbers: Cell<u64>,
    fuzzed: RefCell<Fuzzed>,
}

/// A case as it was run.
type Walked = (Scenario, ScenarioOutcome);

impl<'a> FuzzSearch<'a> {
    async fn begin(ground: &'a Ground<'a>, spec: &'a Spec, questions: &[Planned], stop: &'a Stop) -> FuzzSearch<'a> {
        let found = ground.found;
        let members = found.member_calls != MemberCalls::Nobody;
        let own_messages = !matches!(ground.target.messages, MessageSource::Listed(_));
        let mut search = FuzzSearch {
            ground,
            spec,
            stop,
            oracle: Oracle::new(&BTreeMap::new(), false, false),
            unlearnt: None,
            strategy: cases(FuzzScope { members, own_messages, embedded: ground.is_embedded() }),
            source: Arc::new(SourceFile::new(String::new(), String::new())),
            begun: Cell::new(0),
            numbers: Cell::new(0),
            fuzzed: RefCell::default(),
        };
        let readings = if members { search.learn(questions).await } else { BTreeMap::new() };
        let can_read_back = found.read_back.is_possible();
        let oracle =
            |readings: &BTreeMap<String, String>| Oracle::new(readings, can_read_back, ground.target.without_plan.is_some());
        search.oracle = oracle(&readings);
        search.unlearnt = (!search.oracle.rests_on().is_empty()).then(|| oracle(&BTreeMap::new()));
        search.fuzzed.borrow_mut().readings = readings;
        search
    }

    /// The answers that the target gives to the oracle's questions; none to one that it answers twice.
    async fn learn(&self, questions: &[Planned]) -> BTreeMap<String, String> {
        let asks = |planned: &&Planned| QUESTIONS.iter().any(|question| planned.questions().contains(question));
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for planned in questions.iter().filter(asks) {
            let outcome = tokio::select! {
                outcome = self.walk(planned) => outcome,
                () = self.stop.wait() => break,
            };
            for observation in outcome.observations {
                seen.entry(observation.reading).or_default().insert(observation.answer);
            }
        }
        let one = |(question, answers): (String, BTreeSet<String>)| {
            let answer = answers.into_iter().collect::<Vec<_>>();
            <[String; 1]>::try_from(answer).ok().map(|[answer]| (question, answer))
        };
        seen.into_iter().filter(|(question, _)| QUESTIONS.contains(&question.as_str())).filter_map(one).collect()
    }

    /// The number of a case to be run, where there is to be another.
    fn next_case(&self, options: &FuzzOptions) -> Option<u64> {
        let is_over = self.is_over(options);
        let count = |of: &Cell<u64>| of.set(of.get() + 1);
        (!is_over).then(|| {
            count(&self.begun);
            count(&self.numbers);
            self.numbers.get()
        })
    }

    fn is_over(&self, options: &FuzzOptions) -> bool {
        options.within.is_some_and(|within| self.ground.elapsed() >= within)
            || self.fuzzed.borrow().settled() >= options.differences
            || self.begun.get() >= options.cases
            || self.cut_short().is_some()
    }

    /// Why the search cannot go on.
    fn cut_short(&self) -> Option<String> {
        let Fuzzed { cases, unknown, .. } = *self.fuzzed.borrow();
        let is_unknown = unknown > MOST_UNKNOWN.max(cases);
        let why = is_unknown.then(|| format!("of {} cases {unknown} are unknown", cases + unknown));
        if self.stop.is_set() { Some("interrupted".to_owned()) } else { why }
    }

    async fn case(&self, number: u64, told: &dyn Fn()) {
        let mut runner = self.runner(number);
        let name = format!("fuzz-{}-{number}", self.ground.seed);
        let (tree, walked) = loop {
            let Ok(tree) = self.strategy.new_tree(&mut runner) else { return };
            if let Some(walked) = self.walk_case(&self.oracle, &name, &tree.current()).await {
                break (tree, walked);
            }
        };
        let (oracle, walked) = self.on_no_reading(&name, &tree.current(), walked).await;
        let drawn = FuzzDifference { rests_on: oracle.rests_on().clone(), ..FuzzDifference::new(walked.clone()) };
        let end = self.fuzzed.borrow_mut().count(drawn, self.spec);
        match end {
            CaseEnd::Unknown => self.begun.set(self.begun.get() - 1),
            CaseEnd::Decided => told(),
            CaseEnd::Differs(clause) => {
                told();
                let tries = Tries { search: self, oracle, name: &name, clause: &clause, left: MOST_TRIES, smallest: walked };
                let smallest = tries.smallest(tree).await;
                self.fuzzed.borrow_mut().keep(&clause, smallest, self.spec);
            }
        }
    }

    fn runner(&self, number: u64) -> TestRunner {
        let mut random = Random::named(self.ground.seed, &format!("case {number}"));
        let seed: Vec<u8> = (0..4).flat_map(|_| random.next_u64().to_le_bytes()).collect();
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    /// A case that differs as the oracle has it that knows no reading, where it differs as that has it, too.
    async fn on_no_reading(&self, name: &str, case: &FuzzCase, walked: Walked) -> (&Oracle, Walked) {
        let unlearnt = self.unlearnt.as_ref().filter(|_| self.clause(&walked.1).is_some());
        let Some(unlearnt) = unlearnt else { return (&self.oracle, walked) };
        match self.walk_case(unlearnt, name, case).await {
            Some(again) if self.clause(&again.1).is_some() => (unlearnt, again),
            _ => (&self.oracle, walked),
        }
    }

    /// `None` where the oracle leaves nothing of it.
    async fn walk_case(&self, oracle: &Oracle, name: &str, case: &FuzzCase) -> Option<Walked> {
        let scenario = oracle.scenario(name, case)?;
        let outcome = self.walk_scenario(&scenario).await;
        Some((scenario, outcome))
    }

    async fn walk_scenario(&self, scenario: &Scenario) -> ScenarioOutcome {
        let (id, scenario, source) = (scenario.id.clone(), scenario.clone(), Arc::clone(&self.source));
        self.walk(&Planned::new(id, scenario, source, FUZZ_PLACE.to_owned())).await
    }

    async fn walk(&self, planned: &Planned) -> ScenarioOutcome {
        let (session, _launched) = self.ground.session(planned.scenario.embedded.clone()).await;
        let mut outcome = walk(self.spec, planned, &session).await;
        contradict(&mut outcome, &QUESTIONS, self.spec);
        let mut fuzzed = self.fuzzed.borrow_mut();
        if self.ground.keeps_exchanges {
            fuzzed.exchanges.extend(outcome.exchanges.iter().cloned());
        }
        outcome.let_go();
        fuzzed.requests += outcome.requests.sent;
        fuzzed.retries += outcome.requests.retries;
        outcome
    }

    fn clause<'o>(&self, outcome: &'o ScenarioOutcome) -> Option<&'o str> {
        broken(outcome, self.spec)
    }
}

/// One difference being made smaller.
struct Tries<'s> {
    search: &'s FuzzSearch<'s>,
    oracle: &'s Oracle,
    name: &'s str,
    clause: &'s str,
    left: u32,
    smallest: Walked,
}

impl Tries<'_> {
    /// Makes a case smaller for as long as it breaks the same clause.
    async fn smallest(mut self, mut tree: impl ValueTree<Value = FuzzCase>) -> FuzzDifference {
        let rests_on = self.oracle.rests_on().clone();
        if !self.again().await {
            return FuzzDifference { rests_on, ..FuzzDifference::new(self.smallest) };
        }
        let (mut smallest, mut breaks) = (tree.current(), true);
        while if breaks { tree.simplify() } else { tree.complicate() } {
            if self.left == 0 {
                break;
            }
            let case = tree.current();
            breaks = self.breaks(&case).await;
            if breaks {
                smallest = case;
            }
        }
        // What seemed needed while other steps were larger may go now.
        for part in (0..smallest.parts()).rev() {
            let case = smallest.without(part);
            if self.breaks(&case).await {
                smallest = case;
            }
        }
        self.look_at_what_differs().await;
        let came_again = self.again().await;
        self.smallest.0.title = title(self.clause, &rests_on);
        FuzzDifference { came_again, rests_on, ..FuzzDifference::new(self.smallest) }
    }

    /// Whether the case breaks the clause, too; then it is the smallest so far.
    async fn breaks(&mut self, case: &FuzzCase) -> bool {
        if self.left == 0 || self.search.stop.is_set() {
            return false;
        }
        self.left -= 1;
        let walked = self.search.walk_case(self.oracle, self.name, case).await;
        let walked = walked.filter(|(_, outcome)| self.search.clause(outcome) == Some(self.clause));
        let breaks = walked.is_some();
        self.smallest = walked.map_or_else(|| self.smallest.clone(), upto_the_difference);
        breaks
    }

    /// Leaves one key of each look that found some of them different.
    async fn look_at_what_differs(&mut self) {
        let (mut scenario, outcome) = self.smallest.clone();
        for (index, step) in scenario.steps.iter_mut().enumerate() {
            let Step::Peek(peek) = step else { continue };
            let keys = format!("{FUZZ_PLACE}/steps/{index}/peek/keys/");
            let differs = outcome.findings.iter().find_map(|finding| finding.place.strip_prefix(&keys));
            peek.keys.retain(|key, _| differs.is_none_or(|differs| key == differs));
        }
        let outcome = self.search.walk_scenario(&scenario).await;
        if self.search.clause(&outcome) == Some(self.clause) {
            self.smallest = (scenario, outcome);
        }
    }

    /// Whether the smallest breaks the clause once more.
    async fn again(&mut self) -> bool {
        let outcome = self.search.walk_scenario(&self.smallest.0).await;
        self.search.clause(&outcome) == Some(self.clause)
    }
}

fn title(clause: &str, rests_on: &BTreeMap<String, String>) -> String {
    let readings = FuzzDifference::told_readings(rests_on);
    let on = if readings.is_empty() { String::new() } else { format!(" on a target where {}", readings.join(" and ")) };
    format!("Calls drawn at random, which broke {clause}{on}")
}

/// What comes after the step that differs has not been done.
fn upto_the_difference((mut scenario, outcome): Walked) -> Walked {
    let step = |place: &str| place.strip_prefix(FUZZ_PLACE)?.strip_prefix("/steps/")?.split('/').next()?.parse::<usize>().ok();
    if let Some(last) = outcome.findings.iter().filter_map(|finding| step(&finding.place)).max() {
        scenario.keep_steps(last + 1);
    }
    (scenario, outcome)
}
