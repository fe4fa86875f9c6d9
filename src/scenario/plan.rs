//! Scenarios read, expanded, chosen and ordered: what a run does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_yaml::Value;

use super::lint::{self, Lint};
use super::reader::{self, Moved};
use super::source::{Problem, SourceFile, child_path, item_path};
use super::{CallStep, Caller, Expect, Scenario, Step, cases};
use crate::spec::Spec;

/// One scenario, or one row of a scenario's table with its values filled in.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The scenario's id; a row's is `id/row`, a repetition's ends in `#2`.
    pub id: String,
    pub scenario: Scenario,
    pub source: Arc<SourceFile>,
    /// Index path of the scenario in its file: `/scenarios/3`.
    pub place: String,
}

/// What a scenario asks of the target and of the user's patience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub callers: BTreeSet<Caller>,
    /// Reads keys back: `peek`, or `unchanged`.
    pub peeks: bool,
    /// Lets time pass: `wait`, or `every`.
    pub waits: bool,
    /// Calls as an app without the plan.
    pub without_plan: bool,
}

macro_rules! bundle {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("scenarios/conformance/", $name), include_str!(concat!("../../scenarios/conformance/", $name)))),*]
    };
}

/// A file of `scenarios/conformance` is part of the binary by standing here.
const BUNDLED: &[(&str, &str)] = bundle![];

/// The scenarios that are part of the binary: path and text of each file.
pub fn bundled() -> Vec<(String, String)> {
    BUNDLED.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Reads files (path and text of each) into a plan, and tells everything that is wrong with them. What has a problem is not planned.
pub fn load(files: Vec<(String, String)>, spec: &Spec) -> (Vec<Planned>, Vec<Problem>) {
    let mut loading = Loading { spec, ids: BTreeMap::new(), planned: Vec::new(), problems: Vec::new() };
    for (path, text) in files {
        loading.file(&Arc::new(SourceFile::new(path, text)));
    }
    (loading.planned, loading.problems)
}

/// Each scenario `times` times over, round by round; ids of the second round end in `#2`.
pub fn repeat(planned: &[Planned], times: usize) -> Vec<Planned> {
    let round = |number: usize| {
        planned.iter().map(move |planned| match number {
            1 => planned.clone(),
            _ => Planned { id: format!("{}#{number}", planned.id), ..planned.clone() },
        })
    };
    (1..=times).flat_map(round).collect()
}

/// Puts items into an order that the seed alone decides, on every machine.
pub fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        let choices = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let chosen = usize::try_from(splitmix64(&mut state) % choices).unwrap_or(last);
        items.swap(last, chosen);
    }
}

/// Vigna's `SplitMix64`: <https://prng.di.unimi.it/splitmix64.c>.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The outline of a file: enough to take its scenarios one by one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outline {
    #[expect(dead_code, reason = "only its shape is checked; the scenarios are read from the tree")]
    scenarios: Vec<IgnoredAny>,
}

struct Loading<'s> {
    spec: &'s Spec,
    /// Scenario id to where it was first seen.
    ids: BTreeMap<String, String>,
    planned: Vec<Planned>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn file(&mut self, source: &Arc<SourceFile>) {
        let (value, problems) = reader::parse(source);
        self.tell(problems);
        let Some(value) = value else { return };
        let outline = reader::read::<Outline>(source, &value, "", &Moved::default());
        self.tell(outline.problems);
        let mut budget = cases::MOST_EXPANDED;
        for (index, scenario) in value.get("scenarios").and_then(Value::as_sequence).into_iter().flatten().enumerate() {
            self.scenario(source, &item_path("/scenarios", index), scenario, &mut budget);
        }
    }

    fn scenario(&mut self, source: &Arc<SourceFile>, path: &str, scenario: &Value, budget: &mut usize) {
        self.unique_id(source, path, scenario);
        let (rows, problems) = cases::expand(source, path, scenario, budget);
        self.tell(problems);
        for row in rows {
            let read = reader::read::<Scenario>(source, &row.value, path, &row.moved);
            let mut problems = read.problems;
            if let Some(scenario) = &read.value {
                let hidden = &read.hidden;
                problems.extend(lint::check(&Lint { source, spec: self.spec, scenario, path, moved: &row.moved, hidden }));
            }
            if let Some(scenario) = read.value.filter(|_| problems.is_empty()) {
                let id = match row.id {
                    Some(row) => format!("{}/{row}", scenario.id),
                    None => scenario.id.clone(),
                };
                self.planned.push(Planned { id, scenario, source: Arc::clone(source), place: path.to_owned() });
            }
            self.tell(problems);
        }
    }

    fn unique_id(&mut self, source: &SourceFile, path: &str, scenario: &Value) {
        let Some(id) = scenario.get("id").and_then(Value::as_str) else { return };
        let place = child_path(path, "id");
        let here = format!("{}:{}", source.path, source.place(&place).map_or(1, |place| place.line));
        if let Some(first) = self.ids.get(id) {
            let problem = source.problem(
                &place,
                format!("another scenario is called `{id}`"),
                Some(format!("rename one: the other is at {first}")),
            );
            self.tell(vec![problem]);
        } else {
            self.ids.insert(id.to_owned(), here);
        }
    }

    /// A problem that each row has is one problem.
    fn tell(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if !self.problems.iter().rev().take(MOST_COMPARED).any(|told| *told == problem) {
                self.problems.push(problem);
            }
        }
    }
}

/// Rows of one scenario repeat each other's problems soon, if at all.
const MOST_COMPARED: usize = 1000;

impl Planned {
    /// What it asks of the target and of the user's patience.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.walk(&mut |step| match step {
            Step::Set(call) | Step::Delete(call) | Step::Clear(call) | Step::Raw(call) => {
                needs.callers.insert(call.caller.unwrap_or(self.scenario.caller));
                needs.peeks |= expectations(call).any(|expect| expect.unchanged);
                needs.without_plan |= call.http.without_plan;
            }
            Step::Peek(_) => needs.peeks = true,
            Step::Wait(_) => needs.waits = true,
            Step::Repeat(repeat) => needs.waits |= repeat.every.is_some(),
            Step::Parallel(_) => {}
        });
        needs
    }

    /// The clauses that it may find broken: its own, and those that its steps name.
    pub fn clauses(&self) -> BTreeSet<&str> {
        let mut clauses: BTreeSet<&str> = self.scenario.clauses.iter().map(String::as_str).collect();
        self.walk(&mut |step| match step {
            Step::Set(call) | Step::Delete(call) | Step::Clear(call) | Step::Raw(call) => {
                clauses.extend(call.clause.as_deref());
                clauses.extend(call.should.keys().map(String::as_str));
            }
            Step::Peek(peek) => clauses.extend(peek.clause.as_deref()),
            Step::Repeat(repeat) => {
                clauses.extend(repeat.limit.iter().flat_map(|limit| [limit.fewer.as_str(), limit.more.as_str()]));
            }
            Step::Parallel(parallel) => clauses.extend(parallel.clause.as_deref()),
            Step::Wait(_) => {}
        });
        clauses
    }

    fn walk<'p>(&'p self, visit: &mut impl FnMut(&'p Step)) {
        fn walk<'p>(steps: &'p [Step], visit: &mut impl FnMut(&'p Step)) {
            for step in steps {
                visit(step);
                match step {
                    Step::Repeat(repeat) => walk(&repeat.steps, visit),
                    Step::Parallel(parallel) => walk(&parallel.steps, visit),
                    _ => {}
                }
            }
        }
        walk(&self.scenario.steps, visit);
    }
}

fn expectations(call: &CallStep) -> impl Iterator<Item = &Expect> {
    let observed = call.observe.iter().flat_map(|observe| observe.is.values());
    call.expect.iter().chain(call.should.values()).chain(observed)
}
