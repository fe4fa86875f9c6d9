//! `msgext list`: what there is, and what covers what.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::files::print;
use super::run::load;
use crate::judge::conform::summary::clauses_of;
use crate::judge::text::{printable, some_of};
use crate::scenario::conform::filter::Filter;
use crate::scenario::conform::plan::Planned;
use crate::spec::{self, Clause, Spec};

/// Lists scenarios, clauses and readings, and what covers what
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Scenario files or folders; the bundled scenarios if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The clauses of the documentation, each with the scenarios that test it
    #[arg(long, conflicts_with = "readings")]
    clauses: bool,
    /// The questions that the documentation leaves open, with their lawful answers
    #[arg(long)]
    readings: bool,
    /// Only these: id:GLOB, clause:GLOB, tag:NAME, level:must|should|open, or a word; `!` excludes
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
}

pub fn run(args: &ListArgs) -> Result<Exit, Failure> {
    let spec = spec::bundled();
    let filter = args.filter.clone().unwrap_or_default();
    let planned: Vec<Planned> = load(&args.paths, &spec)?.into_iter().filter(|planned| filter.admits(planned, &spec)).collect();
    print(|out| match (args.clauses, args.readings) {
        (true, _) => clauses(out, &spec, &planned),
        (_, true) => readings(out, &spec),
        (false, false) => scenarios(out, &planned),
    })?;
    Ok(Exit::Holds)
}

fn scenarios(out: &mut dyn Write, planned: &[Planned]) -> io::Result<()> {
    let width = planned.iter().map(|planned| planned.id.len()).max().unwrap_or(0).min(60);
    for planned in planned {
        let clauses = planned.scenario.clauses.join(" ");
        let [id, title] = [&planned.id, &planned.scenario.title].map(|text| printable(text));
        writeln!(out, "{id:width$}  {clauses:24}  {title}")?;
    }
    Ok(())
}

fn clauses(out: &mut dyn Write, spec: &Spec, planned: &[Planned]) -> io::Result<()> {
    let mut covering: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for planned in planned {
        for clause in clauses_of(spec, planned) {
            covering.entry(clause).or_default().push(&planned.id);
        }
    }
    for clause in &spec.clauses {
        let scenarios = covering.get(&clause.id).map(Vec::as_slice).unwrap_or_default();
        writeln!(out, "{:8} {:6} {}", clause.id, clause.level.word(), clause.statement)?;
        writeln!(out, "{:15} {}", "", covered_by(clause, scenarios))?;
    }
    Ok(())
}

fn covered_by(clause: &Clause, scenarios: &[&str]) -> String {
    const SHOWN: usize = 4;
    match scenarios {
        // The probe of the target finds out who acts as a member, before any scenario.
        [] if clause.reading.as_deref() == Some("caller") => "found out by the probe of the target".to_owned(),
        [] => "no scenario".to_owned(),
        some => printable(&some_of(some, SHOWN)),
    }
}

fn readings(out: &mut dyn Write, spec: &Spec) -> io::Result<()> {
    for (question, clause) in spec.questions() {
        writeln!(out, "{question} ({}): {}", clause.id, clause.statement)?;
        for answer in &clause.readings {
            writeln!(out, "    {:18} {}", answer.name, answer.meaning)?;
        }
    }
    Ok(())
}
