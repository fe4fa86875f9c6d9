//! `msgext check`: are these files well-formed? Every problem at once; nothing is sent.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::files;
use super::target::TargetFile;
use crate::judge::text::counted;
use crate::report::snippet;
use crate::scenario::conform::plan;
use crate::scenario::load;
use crate::spec::{self, Spec};
use crate::yaml::reader::read_file;

/// Tells everything that is wrong with scenario files, load plans or target files, and where
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Scenario files, load plans, target files, or folders; what is built in if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let files = if args.paths.is_empty() { bundled() } else { files::read_yaml(&args.paths)? };
    let (mut scenarios, mut targets, mut specs, mut plans, mut problems) = (Vec::new(), 0, 0, 0, Vec::new());
    for (path, text) in &files {
        match kind(text) {
            FileKind::Scenarios => scenarios.push((path.clone(), text.clone())),
            FileKind::Target => {
                targets += 1;
                problems.extend(read_file::<TargetFile>(path, text).1.err().into_iter().flatten());
            }
            FileKind::Plan => {
                plans += 1;
                problems.extend(load::load(path, text).1.err().into_iter().flatten());
            }
            FileKind::Clauses => {
                specs += 1;
                problems.extend(read_file::<Spec>(path, text).1.err().into_iter().flatten());
            }
        }
    }
    let scenario_files = scenarios.len();
    let (planned, scenario_problems) = plan::load(scenarios, spec::bundled());
    problems.extend(scenario_problems);
    if !problems.is_empty() {
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
        return Err(Failure::usage(format!("{} in {}", counted(problems.len(), "problem"), counted(files.len(), "file"))));
    }
    let counts = [
        (scenario_files, "scenario file"),
        (planned.len(), "scenario"),
        (targets, "target file"),
        (specs, "clause file"),
        (plans, "load plan"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what));
    anstream::eprintln!("{}: no problem", some.collect::<Vec<_>>().join(", "));
    Ok(Exit::Holds)
}

/// What a file is for.
enum FileKind {
    Scenarios,
    Target,
    Clauses,
    Plan,
}

/// What is built in.
fn bundled() -> Vec<(String, String)> {
    let plans = load::BUNDLED.iter().map(|(_, path, text)| ((*path).to_owned(), (*text).to_owned()));
    plan::bundled().into_iter().chain(plans).collect()
}

/// A target file says where the target is, a file of clauses and a plan begin theirs at the margin; every other has to hold
/// scenarios.
fn kind(text: &str) -> FileKind {
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    let kinds = [("url:", FileKind::Target), ("clauses:", FileKind::Clauses), ("phases:", FileKind::Plan)];
    kinds.into_iter().find(|(field, _)| has(field)).map_or(FileKind::Scenarios, |(_, kind)| kind)
}
