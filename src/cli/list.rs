//! `msgext list`: what there is, and what covers what.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::files::print;
use super::run::load;
use crate::judge::conform::summary::clauses_of;
use crate::judge::text::{printable, some_of};
use crate::model::mutants::MUTANTS;
use crate::scenario::conform::filter::Filter;
use crate::scenario::conform::plan::Planned;
use crate::spec::{self, Clause, Spec};

/// More names than these are counted.
const SHOWN: usize = 4;

/// Lists scenarios, clauses, readings, tags and mutants, and what covers what
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
pub struct ListArgs {
    /// Scenario files or folders; the bundled scenarios if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The clauses of the documentation, each with the scenarios that test it
    #[arg(long, group = "what")]
    clauses: bool,
    /// The questions that the documentation leaves open, with their lawful answers
    #[arg(long, group = "what")]
    readings: bool,
    /// The words that --filter tag:NAME takes, each with its scenarios
    #[arg(long, group = "what")]
    tags: bool,
    /// The deviations that serve --mutant takes, each with the clauses that it breaks
    #[arg(long, group = "what", conflicts_with_all = ["filter", "paths"])]
    mutants: bool,
    /// Only these: id:GLOB, clause:GLOB, tag:NAME, level:must|should|open, or a word; ! excludes
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
}

pub fn run(args: &ListArgs) -> Result<Exit, Failure> {
    let spec = spec::bundled();
    let filter = args.filter.clone().unwrap_or_default();
    let all = load(&args.paths, &spec)?;
    let planned: Vec<&Planned> = all.iter().filter(|planned| filter.admits(planned, &spec)).collect();
    let covering = Covering { spec: &spec, filter: &filter, all: &all };
    print(|out| match args {
        ListArgs { clauses: true, .. } => clauses(out, &covering.clauses()),
        ListArgs { readings: true, .. } => readings(out, &covering.clauses()),
        ListArgs { tags: true, .. } => tags(out, &planned),
        ListArgs { mutants: true, .. } => mutants(out),
        _ => scenarios(out, &planned),
    })?;
    Ok(Exit::Holds)
}

fn scenarios(out: &mut dyn Write, planned: &[&Planned]) -> io::Result<()> {
    let width = planned.iter().map(|planned| planned.id.len()).max().unwrap_or(0).min(60);
    for planned in planned {
        let clauses = planned.scenario.clauses.join(" ");
        let [id, title] = [&planned.id, &planned.scenario.title].map(|text| printable(text));
        writeln!(out, "{id:width$}  {clauses:24}  {title}")?;
    }
    Ok(())
}

/// What covers the clauses that the filter leaves.
struct Covering<'a> {
    spec: &'a Spec,
    filter: &'a Filter,
    all: &'a [Planned],
}

impl<'a> Covering<'a> {
    /// Each clause with the scenarios that are left. A clause whose scenarios are all left out is left out, too: to say that it
    /// has none would be wrong.
    fn clauses(&self) -> Vec<(&'a Clause, Vec<&'a str>)> {
        let mut covering: BTreeMap<String, Vec<&Planned>> = BTreeMap::new();
        for planned in self.all {
            for clause in clauses_of(self.spec, planned) {
                covering.entry(clause).or_default().push(planned);
            }
        }
        let left = |clause: &'a Clause| {
            let all = covering.get(&clause.id).map(Vec::as_slice).unwrap_or_default();
            let left: Vec<&Planned> = all.iter().copied().filter(|planned| self.filter.admits(planned, self.spec)).collect();
            let is_left = self.filter.admits_clause(clause, &left, self.spec) && (!left.is_empty() || all.is_empty());
            is_left.then(|| (clause, left.iter().map(|planned| planned.id.as_str()).collect()))
        };
        self.spec.clauses.iter().filter_map(left).collect()
    }
}

fn clauses(out: &mut dyn Write, clauses: &[(&Clause, Vec<&str>)]) -> io::Result<()> {
    for (clause, scenarios) in clauses {
        writeln!(out, "{:8} {:6} {}", clause.id, clause.level.word(), clause.statement)?;
        writeln!(out, "{:15} {}", "", covered_by(clause, scenarios))?;
    }
    Ok(())
}

fn covered_by(clause: &Clause, scenarios: &[&str]) -> String {
    match scenarios {
        // The probe of the target finds out who acts as a member, before any scenario.
        [] if clause.reading.as_deref() == Some("caller") => "found out by the probe of the target".to_owned(),
        [] => "no scenario".to_owned(),
        some => printable(&some_of(some, SHOWN)),
    }
}

fn readings(out: &mut dyn Write, clauses: &[(&Clause, Vec<&str>)]) -> io::Result<()> {
    for (clause, _) in clauses {
        let Some(question) = &clause.reading else { continue };
        writeln!(out, "{question} ({}): {}", clause.id, clause.statement)?;
        for answer in &clause.readings {
            writeln!(out, "    {:18} {}", answer.name, answer.meaning)?;
        }
    }
    Ok(())
}

fn tags(out: &mut dyn Write, planned: &[&Planned]) -> io::Result<()> {
    let mut tagged: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for planned in planned {
        for tag in &planned.scenario.tags {
            tagged.entry(tag).or_default().push(&planned.id);
        }
    }
    for (tag, scenarios) in tagged {
        writeln!(out, "{tag:12} {:>3}  {}", scenarios.len(), some_of(&scenarios, SHOWN))?;
    }
    Ok(())
}

fn mutants(out: &mut dyn Write) -> io::Result<()> {
    for mutant in MUTANTS {
        writeln!(out, "{:60}  {}", mutant.name, mutant.breaks.join(" "))?;
    }
    Ok(())
}
