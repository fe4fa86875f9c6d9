//! `msgext run`: conformance.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::conduct::ConductArgs;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::target::Named;
use super::{embedded, files};
use crate::drive::conform::{self, Options, RunError, counts};
use crate::drive::target::{Target, TargetPlace};
use crate::judge::conform::summary::{Summary, summarise};
use crate::judge::text::counted;
use crate::random::Random;
use crate::report::secrets::Secrets;
use crate::report::snippet::{self, Texts};
use crate::report::{Facts, Report, RunFacts, build, curl, text};
use crate::scenario::conform::filter::Filter;
use crate::scenario::conform::plan::{self, Planned};
use crate::spec;
use crate::verdict::{Overall, ScenarioOutcome};

/// The request budget on a real target, where none is given: a quarter below the app's limit of 200.
const DEFAULT_RATE: u32 = 150;

/// Checks a target against the documentation, scenario by scenario
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
pub struct Args {
    /// Scenario files or folders; the bundled scenarios if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only these: id:GLOB, clause:GLOB, tag:NAME, level:must|should|open, or a word; `!` excludes
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
    /// Leaves out scenarios that really wait on a real target
    #[arg(long)]
    fast: bool,
    /// Requests a second over everything, or `none`; 150 on a real target, none on the embedded endpoint
    #[arg(long, value_name = "N|none", value_parser = rate)]
    rate: Option<Rate>,
    /// Runs every scenario so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Runs the scenarios in a random order
    #[arg(long)]
    shuffle: bool,
    /// Ends at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Lets `should` clauses decide too
    #[arg(long)]
    strict: bool,
    /// Prints the requests, as they would be if the target answered as the reference endpoint does, and sends none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    conduct: ConductArgs,
}

#[derive(Clone, Copy, Debug)]
enum Rate {
    PerSecond(u32),
    Unlimited,
}

pub fn run(args: &Args) -> Result<Exit, Failure> {
    let options = options(args);
    let plan = plan(args, options.seed)?;
    let named = args.conduct.target.resolve()?;
    if args.dry_run {
        return dry_run(&plan, named.target, &options);
    }
    let outputs = args.conduct.output.files("run");
    for (path, _) in &outputs {
        files::prepare(path)?;
    }
    let texts = snippet::texts(&plan);
    let (report, could_not_test) = conform(&plan, &named, &options, &texts, args.conduct.quiet)?;
    for (path, render) in &outputs {
        files::write(path, |out| render(out, &report))?;
    }
    if let Some(failure) = could_not_test {
        return Err(failure);
    }
    tell(&report, &texts, &args.conduct.output.out)
        .map_err(|error| Failure::could_not_test(format!("nothing can be told: {error}")))?;
    Ok(match report.verdict {
        Overall::Pass => Exit::Holds,
        Overall::Fail => Exit::FellShort,
        Overall::Inconclusive => Exit::Inconclusive,
    })
}

/// The scenarios of these files, or the bundled ones; every problem is told.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Planned>, Failure> {
    let files = if paths.is_empty() { plan::bundled() } else { files::read_yaml(paths)? };
    let kept = files.clone();
    let (planned, problems) = plan::load(files, spec::bundled());
    if problems.is_empty() {
        return Ok(planned);
    }
    let texts: Texts<'_> = kept.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
    Err(Failure::usage(format!("{}; nothing was sent", counted(problems.len(), "problem"))))
}

fn plan(args: &Args, seed: u64) -> Result<Vec<Planned>, Failure> {
    let filter = args.filter.clone().unwrap_or_default();
    let mut planned = load(&args.paths)?;
    planned.retain(|planned| filter.admits(planned, spec::bundled()));
    if planned.is_empty() {
        return Err(Failure::usage("no scenario is left to run: --filter admits none; `msgext list` shows what there is"));
    }
    let mut planned = plan::repeat(&planned, usize::from(args.repeat));
    if args.shuffle {
        Random::seeded(seed).shuffle(&mut planned);
    }
    Ok(planned)
}

fn options(args: &Args) -> Options {
    let rate = match args.rate {
        Some(Rate::PerSecond(rate)) => Some(rate),
        Some(Rate::Unlimited) => None,
        None if args.conduct.target.is_embedded() => None,
        None => Some(DEFAULT_RATE),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = args.conduct.seed(now);
    Options { rate, fast: args.fast, fail_fast: args.fail_fast, strict: args.strict, seed }
}

/// Runs the plan to a report. Where the target could not be tested there is a report too, and the failure beside it.
fn conform(
    plan: &[Planned],
    named: &Named,
    options: &Options,
    texts: &Texts<'_>,
    quiet: bool,
) -> Result<(Report, Option<Failure>), Failure> {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let progress = Progress::new(plan.len(), texts, &named.secrets, quiet);
    let result = runtime()?.block_on(async {
        let interrupted = interrupts();
        conform::run(plan, &named.target, options, interrupted, &|event| progress.show(&event)).await
    });
    progress.end();
    let facts = |outcomes: &[ScenarioOutcome], member_calls: &str, read_back: &str, elapsed, incomplete| {
        let (requests, retries) = counts(outcomes);
        RunFacts {
            facts: Facts {
                target: named.name.clone(),
                member_calls: member_calls.to_owned(),
                read_back: read_back.to_owned(),
                seed: options.seed,
                started_unix_s: i64::try_from(started.as_secs()).unwrap_or(i64::MAX),
                elapsed,
                incomplete,
            },
            requests,
            retries,
            strict: options.strict,
            pinned: named.pinned.clone(),
        }
    };
    let sum = |outcomes: &[ScenarioOutcome], caller: Option<&str>, incomplete: Option<&str>| -> Summary {
        summarise(spec::bundled(), plan, outcomes, caller, &named.pinned, options.strict, incomplete)
    };
    let report = |facts: &RunFacts, outcomes: &[ScenarioOutcome], summary: &Summary| {
        build::build(spec::bundled(), facts, plan, outcomes, summary, &named.secrets)
    };
    match result {
        Ok(run) => {
            let caller = run.found.member_calls.answer();
            let summary = sum(&run.outcomes, run.found.saw_member_calls.then_some(caller), run.incomplete.as_deref());
            let facts = facts(&run.outcomes, caller, run.found.read_back.word(), run.elapsed, run.incomplete);
            Ok((report(&facts, &run.outcomes, &summary), None))
        }
        Err(error) => {
            let why = format!("{}: {error}", named.name);
            let facts = facts(&[], "unknown", "unknown", Duration::ZERO, Some(why.clone()));
            let report = report(&facts, &[], &sum(&[], None, Some(&why)));
            let failure = match error {
                RunError::Interrupted => Failure { exit: Exit::Inconclusive, message: why },
                RunError::Setup(_) | RunError::Probe(_) => Failure::could_not_test(why),
            };
            Ok((report, Some(failure)))
        }
    }
}

/// Turns true at the first Ctrl-C.
fn interrupts() -> watch::Receiver<bool> {
    let (interrupt, interrupted) = watch::channel(false);
    // Listened to from here on: a Ctrl-C before the first request ends the run as any other does.
    let signal = signal(SignalKind::interrupt());
    tokio::spawn(async move {
        if let Ok(mut signal) = signal {
            signal.recv().await;
            interrupt.send_replace(true);
        }
        // The channel has to stay open for as long as somebody waits for it.
        interrupt.closed().await;
    });
    interrupted
}

fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::could_not_test(format!("no runtime can be started: {error}")))
}

fn tell(report: &Report, texts: &Texts<'_>, out: &Path) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    text::failures(&mut err, report, texts)?;
    text::summary(&mut err, report, texts)?;
    writeln!(err, "reports: {}", out.join("run").display())
}

/// Prints every request of the plan, sent to the embedded endpoint in the target's name.
fn dry_run(plan: &[Planned], target: Target, options: &Options) -> Result<Exit, Failure> {
    let stand_in = Target { place: TargetPlace::Embedded(embedded::launch_for(&target)), ..target };
    let (_running, interrupted) = watch::channel(false);
    let options = Options { rate: None, ..options.clone() };
    let run = runtime()?
        .block_on(conform::run(plan, &stand_in, &options, interrupted, &|_| {}))
        .map_err(|error| Failure::could_not_test(error.to_string()))?;
    let secrets = Secrets::new(&[], &run.outcomes);
    let print = || -> io::Result<()> {
        let mut out = io::stdout().lock();
        for outcome in &run.outcomes {
            writeln!(out, "# {}", outcome.id)?;
            if let Some(why) = outcome.verdict.why() {
                writeln!(out, "# left out: {why}")?;
            }
            for exchange in &outcome.exchanges {
                writeln!(out, "{}", curl::line(&exchange.request, &secrets))?;
            }
        }
        Ok(())
    };
    match print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::could_not_test(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(Exit::Holds),
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "none" {
        return Ok(Rate::Unlimited);
    }
    let rate = text.trim_end_matches("/s").parse().ok().filter(|rate| *rate > 0);
    rate.map(Rate::PerSecond).ok_or_else(|| "write a number of requests a second, or none".to_owned())
}
