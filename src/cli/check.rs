//! `msgext check`: are these files well-formed? Every problem at once; nothing is sent.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::files;
use crate::judge::text::counted;
use crate::report::snippet;
use crate::scenario::check::{FileKind, FilesRead, check};
use crate::scenario::conform::plan;
use crate::scenario::load;
use crate::spec;

/// Tells everything that is wrong with scenario files, load plans or target files, and where
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Scenario files, load plans, target files, or folders; what is built in if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let files = if args.paths.is_empty() { bundled() } else { files::read_yaml(&args.paths)? };
    let FilesRead { files: kinds, scenarios, problems } = check(&files, &spec::bundled());
    if !problems.is_empty() {
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
        return Err(Failure::usage(format!("{} in {}", counted(problems.len(), "problem"), counted(files.len(), "file"))));
    }
    let of_kind = |kind| kinds.get(&kind).copied().unwrap_or_default();
    let counts = [
        (of_kind(FileKind::Scenarios), "scenario file"),
        (scenarios, "scenario"),
        (of_kind(FileKind::Target), "target file"),
        (of_kind(FileKind::Clauses), "clause file"),
        (of_kind(FileKind::Plan), "load plan"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what));
    anstream::eprintln!("{}: no problem", some.collect::<Vec<_>>().join(", "));
    Ok(Exit::Holds)
}

/// What is built in.
fn bundled() -> Vec<(String, String)> {
    let plans = load::BUNDLED.iter().map(|(_, path, text)| ((*path).to_owned(), (*text).to_owned()));
    plan::bundled().into_iter().chain(plans).collect()
}
