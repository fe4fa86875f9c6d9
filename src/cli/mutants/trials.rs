//! Each endpoint tried by one command after another, until one sees what is wrong.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::runtime::{Builder, Runtime};

use crate::cli::embedded;
use crate::cli::race::{SERVING, unlimited};
use crate::drive::conform::{self, ConformOptions, SIDE_BY_SIDE};
use crate::drive::fuzz::{self, FuzzOptions};
use crate::drive::ground::Ground;
use crate::drive::race;
use crate::drive::stop::Stop;
use crate::drive::target::TargetPlace;
use crate::history::Identity;
use crate::host::race::{RaceFlaw, RaceKind};
use crate::judge::conform::summary::{Summary, summarise};
use crate::judge::fuzz::Fuzzed;
use crate::judge::mutants::{FalseAlarm, Killer, MutantEnd, MutantTrial, MutantsRun};
use crate::judge::race::raced::RacedHistory;
use crate::judge::race::{CLAUSE, judge};
use crate::model::Rules;
use crate::model::combinations::{Combination, rules_of};
use crate::model::mutants::MUTANTS;
use crate::scenario::conform::plan::{self, Planned};
use crate::scenario::race::{BUNDLED, RacePlan, load};
use crate::spec::{self, Profile, Spec};
use crate::verdict::{Overall, ScenarioOutcome};

/// How long a write of a mutant of races is not atomic.
const WINDOW: Duration = Duration::from_micros(500);
/// Cases of a mutant that the suite does not see.
const CASES: u64 = 3_000;
/// Cases of each lawful endpoint.
const LAWFUL_CASES: u64 = 20;
/// Races to be won: a tenth of the plan first, and all of it twice, since chance may be against a race.
const RACES: [u32; 3] = [10, 1, 1];

/// An endpoint that has to be caught.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    name: String,
    breaks: Vec<String>,
    rules: Rules,
    race: Option<RaceFlaw>,
}

/// Every mutant, those of races last, of whose name or clauses the text is a part.
pub(super) fn candidates(filter: Option<&str>) -> Vec<Candidate> {
    let sequential = MUTANTS.iter().map(|mutant| {
        let mut rules = Rules::default();
        (mutant.apply)(&mut rules);
        let breaks = mutant.breaks.iter().map(|clause| (*clause).to_owned()).collect();
        Candidate { name: mutant.name.to_owned(), breaks, rules, race: None }
    });
    let races = RaceKind::WORDS.iter().map(|(word, kind)| Candidate {
        name: format!("writes are not atomic: {word}"),
        breaks: vec![CLAUSE.to_owned()],
        rules: Rules::default(),
        race: Some(RaceFlaw { kind: *kind, window: WINDOW }),
    });
    let admits = |candidate: &Candidate| {
        filter.is_none_or(|text| candidate.name.contains(text) || candidate.breaks.iter().any(|clause| clause.contains(text)))
    };
    sequential.chain(races).filter(admits).collect()
}

/// What every trial needs.
pub(super) struct Trials<'a> {
    spec: Spec,
    suite: Vec<Planned>,
    seed: u64,
    stop: &'a Stop,
    progress: &'a ProgressBar,
}

/// Why an endpoint could not be tried.
type Untried = String;

impl<'a> Trials<'a> {
    pub fn new(seed: u64, stop: &'a Stop, progress: &'a ProgressBar) -> Trials<'a> {
        let spec = spec::bundled();
        let (suite, _) = plan::load(plan::bundled(), &spec);
        Trials { spec, suite, seed, stop, progress }
    }

    /// Tries them all: side by side what one core can try, and alone what needs them all.
    pub fn run(&self, candidates: Vec<Candidate>, lawful: &[Combination]) -> MutantsRun {
        let ends = self.side_by_side(&candidates, |runtime, candidate| runtime.block_on(self.sequential(candidate)));
        let alarms = self.side_by_side(lawful, |runtime, combination| runtime.block_on(self.lawful(combination)));
        let raced = candidates.into_iter().zip(ends).filter_map(|(candidate, end)| {
            let end = match end? {
                MutantEnd::Survives => self.raced(&candidate)?,
                end => end,
            };
            self.progress.inc(1);
            Some(MutantTrial { name: candidate.name, breaks: candidate.breaks, end })
        });
        let trials = raced.collect();
        MutantsRun {
            trials,
            combinations: alarms.iter().flatten().count(),
            false_alarms: alarms.into_iter().flatten().flatten().collect(),
            cut_short: self.stop.is_set().then(|| "interrupted".to_owned()),
        }
    }

    /// What `act` says of each item, in their order; `None` for those that a stop left out. A core has a thread of its own.
    fn side_by_side<T: Sync, E: Send>(&self, items: &[T], act: impl Fn(&Runtime, &T) -> E + Sync) -> Vec<Option<E>> {
        let queue = Mutex::new(items.iter().enumerate());
        let ends = Mutex::new(items.iter().map(|_| None).collect::<Vec<Option<E>>>());
        let work = || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((place, item)) = next.filter(|_| !self.stop.is_set()) else { return };
                let end = act(&runtime, item);
                if !self.stop.is_set() {
                    ends.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(end);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        ends.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// By the suite, and where that sees nothing by random calls. Most are caught by the scenarios of the clauses that they break:
    /// on the embedded endpoint no scenario sees what another does.
    async fn sequential(&self, candidate: &Candidate) -> MutantEnd {
        if candidate.race.is_some() {
            return MutantEnd::Survives;
        }
        let breaks = |clause: &str| candidate.breaks.iter().any(|broken| broken == clause);
        let near = |planned: &&Planned| planned.scenario.clauses.iter().any(|clause| breaks(clause));
        let near: Vec<Planned> = self.suite.iter().filter(near).cloned().collect();
        for plan in [&near, &self.suite] {
            match self.conform(plan, &candidate.rules).await {
                Err(why) => return MutantEnd::Unknown(why),
                Ok((summary, outcomes)) if summary.overall == Overall::Fail => {
                    let found: BTreeSet<&str> =
                        outcomes.iter().flat_map(|outcome| &outcome.findings).map(|finding| finding.clause.as_str()).collect();
                    if let Some(clause) = found.into_iter().find(|clause| breaks(clause)) {
                        return MutantEnd::Killed { by: Killer::Run, clause: clause.to_owned() };
                    }
                }
                Ok(_) => {}
            }
        }
        match self.fuzz(&candidate.rules, CASES).await {
            Err(why) => MutantEnd::Unknown(why),
            Ok(fuzzed) => fuzzed.differences.first().map_or(MutantEnd::Survives, |found| MutantEnd::Killed {
                by: Killer::Fuzz,
                clause: found.clause(&self.spec).to_owned(),
            }),
        }
    }

    /// What is wrong with what was said of a lawful endpoint.
    async fn lawful(&self, combination: &Combination) -> Option<FalseAlarm> {
        let rules = rules_of(combination);
        let why = match self.conform(&self.suite, &rules).await {
            Err(why) => Some(why),
            Ok((summary, _)) if summary.overall != Overall::Pass => Some(format!("run: {}", summary.reason)),
            Ok((summary, _)) => {
                let other = |reading: &str, answer: &str| summary.readings.get(reading).filter(|seen| *seen != answer).cloned();
                let misread = combination.iter().find_map(|reading| {
                    let seen = other(reading.question, reading.answer)?;
                    Some(format!("run: {}={} is seen as {seen}", reading.question, reading.answer))
                });
                match misread {
                    Some(misread) => Some(misread),
                    None => self.fuzz(&rules, LAWFUL_CASES).await.map_or_else(Some, |fuzzed| {
                        let (overall, reason) = fuzzed.overall(&self.spec);
                        (overall != Overall::Pass).then(|| format!("fuzz: {reason}"))
                    }),
                }
            }
        };
        self.progress.inc(1);
        let readings = || combination.iter().map(|reading| format!("{}={}", reading.question, reading.answer)).collect();
        why.map(|why| FalseAlarm { readings: readings(), why })
    }

    async fn conform(&self, plan: &[Planned], rules: &Rules) -> Result<(Summary, Vec<ScenarioOutcome>), Untried> {
        let options = ConformOptions {
            rate: None,
            fast: false,
            fail_fast: false,
            strict: false,
            jobs: SIDE_BY_SIDE,
            keeps_exchanges: false,
            seed: self.seed,
        };
        let (target, place) = (embedded::target(), embedded::place(rules.clone()));
        let run = conform::run(&self.spec, plan, &target, &place, &options, self.stop, &|_| {}).await;
        let run = run.map_err(|error| error.to_string())?;
        let caller = run.found.saw_member_calls.then(|| run.found.member_calls.answer());
        let summary = summarise(&self.spec, plan, &run.outcomes, caller, &Profile::new(), false, run.incomplete.as_deref());
        Ok((summary, run.outcomes))
    }

    async fn fuzz(&self, rules: &Rules, cases: u64) -> Result<Fuzzed, Untried> {
        let (target, place) = (embedded::target(), embedded::place(rules.clone()));
        let ground = Ground::prepare(&target, &place, self.seed, None, self.stop).await.map_err(|error| error.to_string())?;
        let options = FuzzOptions { cases, within: None, jobs: 8, differences: 1 };
        Ok(fuzz::run(&ground, &self.spec, &self.suite, &options, self.stop, &|| {}).await)
    }

    /// By calls side by side; `None` where a stop came first.
    fn raced(&self, candidate: &Candidate) -> Option<MutantEnd> {
        for part in RACES {
            match self.race(candidate, part) {
                _ if self.stop.is_set() => return None,
                Err(why) => return Some(MutantEnd::Unknown(why)),
                Ok(true) => return Some(MutantEnd::Killed { by: Killer::Race, clause: CLAUSE.to_owned() }),
                Ok(false) => {}
            }
        }
        Some(MutantEnd::Survives)
    }

    /// Whether a part of the usual race has no explanation.
    fn race(&self, candidate: &Candidate, part: u32) -> Result<bool, Untried> {
        let served = embedded::serve(unlimited(candidate.rules.clone()), candidate.race, SERVING);
        let served = served.map_err(|failure| failure.message)?;
        let (target, place) = (embedded::target(), TargetPlace::Remote(served.url.clone().into()));
        let plan = race_plan(part)?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let ground = Ground::prepare(&target, &place, self.seed, None, self.stop).await.map_err(|error| error.to_string())?;
            let run = race::run(&ground, &plan, self.stop, &|_| {}).await.map_err(|error| error.to_string())?;
            let identity = Identity { admin: target.app.admin.clone(), member_calls: ground.found.member_calls };
            let raced = RacedHistory::read(&run.exchanges, &identity, run.messages.iter().map(String::as_str));
            Ok(judge(&raced).linearizable == Some(false))
        })
    }
}

/// The usual plan, with one call in `part`.
fn race_plan(part: u32) -> Result<RacePlan, Untried> {
    let (_, path, text) = BUNDLED.first().ok_or("there is no plan of races")?;
    let plan = load(path, text).1.map_err(|_| "the plan of races has a problem")?;
    Ok(RacePlan { messages: plan.messages / part, operations: plan.operations / part, ..plan })
}
