//! `msgext mutants`: how much of what is wrong the suite and the searches see, and whether they blame anybody wrongly.

mod trials;

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::conduct::Conduct;
use super::exit::{Exit, Failure};
use super::number::whole;
use super::output::OutputArgs;
use super::target::Named;
use super::terminal::{Screen, bar_length, bars, room, width};
use crate::model::combinations::combinations;
use crate::report::Facts;
use crate::report::mutants::{build, text};
use trials::{Trials, candidates};

/// Questions that only calls side by side can answer.
const RACES: [&str; 2] = ["request", "clear"];
/// Combinations that are tried where nothing else is said.
const COMBINATIONS: usize = 200;

/// Runs the suite, fuzz and race against endpoints with one fault each, and the suite and fuzz against lawful ones
#[derive(Debug, clap::Args)]
pub struct MutantsArgs {
    /// Only mutants of whose name, or a clause that they break, this is a part; no lawful endpoint then, unless asked for
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Lawful endpoints: combinations of answers to open questions, at least as many as let all pairs of answers meet; 0 for none
    /// [default: 200]
    #[arg(long, value_name = "N", value_parser = whole::<u32>(0, 100_000))]
    combinations: Option<u32>,
    /// Draws other combinations, and other random calls
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(0, u64::MAX))]
    seed: u64,
    /// Shows no progress
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub fn run(args: &MutantsArgs) -> Result<Exit, Failure> {
    let usual = if args.filter.is_some() { 0 } else { COMBINATIONS };
    let count = args.combinations.map_or(usual, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let lawful = if count == 0 { Vec::new() } else { combinations(count, args.seed, &RACES) };
    let mutants = candidates(args.filter.as_deref());
    if mutants.is_empty() && lawful.is_empty() {
        return Err(Failure::usage("no mutant is left: --filter admits none; `msgext list --mutants` shows what there is"));
    }
    let conduct = Conduct::begin("mutants", &args.output, Named::embedded(), args.seed)?;
    let start = Instant::now();
    let progress = progress(args.quiet, mutants.len() + lawful.len());
    let run = Trials::new(args.seed, &conduct.stop, &progress).run(mutants, &lawful);
    progress.finish_and_clear();
    let facts = Facts {
        member_calls: "as each reads".to_owned(),
        read_back: "as each can".to_owned(),
        ..conduct.facts(None, start.elapsed(), run.cut_short.clone())
    };
    let report = build::build(&facts, &run, &conduct.named.secrets());
    conduct.finish(&report, None, None, |err, report| match &report.mutants {
        Some(mutants) => text::summary(err, report, mutants, width()),
        None => Ok(()),
    })
}

fn progress(quiet: bool, trials: usize) -> ProgressBar {
    let bar = bars(Screen::of_stderr(quiet)).add(ProgressBar::new(trials as u64));
    let template = format!("{{bar:{}.green/dim}} {{pos}}/{{len}} endpoints  {{elapsed}}  {{wide_msg}}", bar_length(room()));
    bar.set_style(ProgressStyle::with_template(&template).expect("a template without a mistake"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
