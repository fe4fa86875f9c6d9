//! `msgext check`: are these files well-formed? Every problem at once; nothing is sent.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::files;
use super::target::read_target_file;
use crate::report::snippet;
use crate::scenario::plan;
use crate::spec;

/// Tells everything that is wrong with scenario or target files, and where
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario files, target files, or folders; the bundled scenarios if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &Args) -> Result<Exit, Failure> {
    let files = if args.paths.is_empty() { plan::bundled() } else { files::read_yaml(&args.paths)? };
    let (targets, scenarios): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, text)| is_target(text));
    for (path, _) in &targets {
        read_target_file(path.as_ref())?;
    }
    let count = scenarios.len();
    let texts = scenarios.clone();
    let texts = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (planned, problems) = plan::load(scenarios, spec::bundled());
    if !problems.is_empty() {
        let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
        return Err(Failure::usage(format!("{} in {}", counted(problems.len(), "problem"), counted(count, "file"))));
    }
    let counts = [(count, "scenario file"), (planned.len(), "scenario"), (targets.len(), "target file")];
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what));
    anstream::eprintln!("{}: no problem", some.collect::<Vec<_>>().join(", "));
    Ok(Exit::Holds)
}

/// A target file is one that says where the target is.
fn is_target(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("url:"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
