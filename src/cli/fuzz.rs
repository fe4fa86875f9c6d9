//! `msgext fuzz`: random sequences of calls, against the model.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::conduct::{Conduct, ConductArgs, NO_HEADING, now};
use super::exit::{Exit, Failure};
use super::files::Output;
use super::history::{HistoryArgs, record};
use super::number::whole;
use super::rate::{RequestRate, request_rate};
use super::target::span_to;
use super::terminal::{Screen, bar_length, bars, room, width};
use crate::drive::fuzz::{self, FuzzOptions};
use crate::drive::ground::{Ground, GroundError};
use crate::drive::probe::Found;
use crate::judge::fuzz::Fuzzed;
use crate::report::fuzz::{build, text};
use crate::report::snippet;
use crate::scenario::conform::plan::{self, Planned};
use crate::scenario::writer;
use crate::spec::{self, Spec};

/// Where the differences are kept, beside the reports.
const DIFFERENCES: &str = "differences.yaml";
/// More of them seldom have another cause.
const MOST_DIFFERENCES: usize = 10;
const LONGEST: Duration = Duration::from_hours(24);

/// Sends random sequences of calls, and compares what comes of them with the reference endpoint
#[derive(Debug, clap::Args)]
pub struct FuzzArgs {
    /// Cases to be decided
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole::<u64>(1, 1_000_000_000))]
    cases: u64,
    /// Ends the search after so long: 30s, 5m; without it, when all cases are decided
    #[arg(long = "for", value_name = "SPAN", value_parser = span_to(LONGEST))]
    within: Option<Duration>,
    /// Cases that run at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = whole::<u16>(1, 256))]
    jobs: u16,
    /// Requests over everything (150/s, 9000/m; a bare number is a second's), or none; 150/s on a real target, none on the
    /// embedded endpoint
    #[arg(long, value_name = "RATE|none", value_parser = request_rate, help_heading = NO_HEADING)]
    rate: Option<RequestRate>,
    #[command(flatten)]
    history: HistoryArgs,
    #[command(flatten)]
    conduct: ConductArgs,
}

pub fn run(args: &FuzzArgs) -> Result<Exit, Failure> {
    if args.conduct.target.has_pins() {
        return Err(Failure::usage("--pin has no effect on fuzz, which sees how the target reads: it goes with run"));
    }
    args.history.only_on_a_target(args.conduct.target.is_embedded())?;
    let spec = spec::bundled();
    let conduct = Conduct::begin("fuzz", &args.conduct.output, args.conduct.target.resolve()?, args.conduct.seed(now()))?;
    let path = args.conduct.output.folder("fuzz").join(DIFFERENCES);
    let (file, history) = (Output::prepare(&path)?, args.history.prepare()?);
    let secrets = conduct.named.secrets();
    let (mut saved, mut unwritten) = (Vec::new(), None);
    let (report, could_not_test) = match search(args, &spec, &conduct) {
        Ok((fuzzed, found, elapsed)) => {
            let facts = conduct.facts(Some(found), elapsed, fuzzed.cut_short.clone());
            if !fuzzed.differences.is_empty() {
                (saved, unwritten) = save(&spec, &fuzzed, &path.display().to_string(), file)?;
            }
            let identity = conduct.identity(found);
            let unrecorded =
                history.and_then(|output| record(output, identity, Vec::new(), &fuzzed.exchanges, &conduct.named.secrets()));
            unwritten = unwritten.or(unrecorded);
            (build::build(&spec, &facts, &fuzzed, &saved, &secrets), None)
        }
        Err(error) => {
            let why = format!("{}: {error}", conduct.named.name);
            (conduct.untested(&why), Some(Failure::of_ground(&error, why)))
        }
    };
    let texts = snippet::texts(&saved);
    conduct.finish(&report, could_not_test, unwritten, |err, report| match &report.fuzz {
        Some(fuzz) => text::summary(err, report, fuzz, &texts, width()),
        None => Ok(()),
    })
}

/// Writes the scenarios of the differences, and reads them as whoever repeats them will.
fn save(spec: &Spec, fuzzed: &Fuzzed, path: &str, file: Output) -> Result<(Vec<Planned>, Option<Failure>), Failure> {
    let scenarios = fuzzed.differences.iter().map(|found| found.scenario.clone()).collect();
    let text =
        writer::write(scenarios).map_err(|error| Failure::could_not_test(format!("a difference cannot be written: {error}")))?;
    let unwritten = file.write(|out| out.write_all(text.as_bytes())).err();
    let (saved, problems) = plan::load(vec![(path.to_owned(), text)], spec);
    match problems.first() {
        None => Ok((saved, unwritten)),
        Some(problem) => Err(Failure::could_not_test(format!("{path} cannot be read again: {}", problem.message))),
    }
}

fn search(args: &FuzzArgs, spec: &Spec, conduct: &Conduct) -> Result<(Fuzzed, Found, Duration), GroundError> {
    let Conduct { named, stop, runtime, .. } = conduct;
    let (suite, _) = plan::load(plan::bundled(), spec);
    let rate = RequestRate::budget(args.rate, args.conduct.target.is_embedded());
    let options =
        FuzzOptions { cases: args.cases, within: args.within, jobs: usize::from(args.jobs), differences: MOST_DIFFERENCES };
    let progress = progress(args.conduct.quiet, args.cases);
    let searched = runtime.block_on(async {
        let mut ground = Ground::prepare(&named.target, &named.place, conduct.seed, rate, stop).await?;
        ground.keeps_exchanges = args.history.is_given();
        if args.jobs > 1 {
            ground.ask_at_once(stop).await?;
        }
        let fuzzed = fuzz::run(&ground, spec, &suite, &options, stop, &|| progress.inc(1)).await;
        Ok((fuzzed, ground.found, ground.elapsed()))
    });
    progress.finish_and_clear();
    searched
}

fn progress(quiet: bool, cases: u64) -> ProgressBar {
    let bar = bars(Screen::of_stderr(quiet)).add(ProgressBar::new(cases));
    let template = format!("{{bar:{}.green/dim}} {{pos}}/{{len}} cases  {{elapsed}}", bar_length(room()));
    bar.set_style(ProgressStyle::with_template(&template).expect("a template without a mistake"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
