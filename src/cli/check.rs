//! `msgext check`: are these files well-formed? Every problem at once; nothing is sent.

use std::path::PathBuf;

use super::exit::{Exit, Failure, say};
use super::files;
use crate::judge::text::counted;
use crate::report::snippet;
use crate::scenario::conform::plan;
use crate::scenario::{load, target};
use crate::spec::{self, Spec};
use crate::yaml::reader::read_file;
use crate::yaml::source::SourceFile;

/// Tells everything that is wrong with scenario files, load plans or target files, and where
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Scenario files, load plans, target files, or folders; what is built in if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let files = if args.paths.is_empty() { bundled() } else { files::read_yaml(&args.paths)? };
    let spec = spec::bundled();
    let (mut scenarios, mut targets, mut specs, mut plans, mut problems) = (Vec::new(), 0, 0, 0, Vec::new());
    for (path, text) in &files {
        match kind(&SourceFile::new(path, text)) {
            FileKind::Scenarios => scenarios.push((path.clone(), text.clone())),
            FileKind::Target => {
                targets += 1;
                problems.extend(target::load(path, text, &spec).err().into_iter().flatten());
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
    let (planned, scenario_problems) = plan::load(scenarios, &spec);
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
    say(format_args!("{}: no problem", some.collect::<Vec<_>>().join(", ")));
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

/// A file is known by what only its kind holds; whatever holds none of these has to hold scenarios. A target file is one
/// without its `url`, too: that is what is to be told of it.
fn kind(source: &SourceFile) -> FileKind {
    let kinds = [
        ("/scenarios", FileKind::Scenarios),
        ("/clauses", FileKind::Clauses),
        ("/phases", FileKind::Plan),
        ("/url", FileKind::Target),
        ("/sdkappid", FileKind::Target),
        ("/admin", FileKind::Target),
    ];
    kinds.into_iter().find(|(field, _)| source.has(field)).map_or(FileKind::Scenarios, |(_, kind)| kind)
}
