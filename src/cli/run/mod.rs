//! `msgext run`: conformance.

mod progress;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use progress::RunProgress;

use crate::cli::conduct::{Conduct, ConductArgs, now, runtime};
use crate::cli::exit::{Exit, Failure, say};
use crate::cli::files::Output;
use crate::cli::history::{HistoryArgs, record};
use crate::cli::learnt::LearntArgs;
use crate::cli::number::whole;
use crate::cli::rate::{RequestRate, request_rate};
use crate::cli::target::Named;
use crate::cli::terminal::width;
use crate::cli::{embedded, files};
use crate::drive::conform::{self, ConformOptions, Event, SIDE_BY_SIDE};
use crate::drive::stop::Stop;
use crate::judge::conform::summary::summarise;
use crate::judge::text::{counted, printable};
use crate::random::Random;
use crate::report::secrets::Secrets;
use crate::report::snippet::{self, Texts};
use crate::report::{Facts, Report, RunFacts, VerdictWord, build, curl, saved, text};
use crate::scenario::conform::filter::Filter;
use crate::scenario::conform::plan::{self, Partition, Planned};
use crate::spec::{self, Spec};
use crate::verdict::{RequestCount, ScenarioOutcome};
use crate::yaml::rate::Rate;

/// Of a report.
const MOST_REPORT_BYTES: u64 = 256 << 20;

/// Checks a target against the documentation, scenario by scenario
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
pub struct RunArgs {
    /// Scenario files or folders; the bundled scenarios if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only these: id:GLOB, clause:GLOB, tag:NAME, level:must|should|open, or a word; ! excludes
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
    /// Leaves out scenarios that really wait on a real target
    #[arg(long)]
    fast: bool,
    /// Requests over everything (150/s, 9000/m; a bare number is a second's), or none; 150/s on a real target, none on the
    /// embedded endpoint
    #[arg(long, value_name = "RATE|none", value_parser = request_rate)]
    rate: Option<RequestRate>,
    #[command(flatten)]
    learnt: LearntArgs,
    /// Runs every scenario so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u16>(1, u16::MAX.into()))]
    repeat: u16,
    /// Scenarios that run at the same time [default: 16]
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1, 256))]
    jobs: Option<u16>,
    /// Runs one of several equal parts of the scenarios, as in 1/4, for as many machines
    #[arg(long, value_name = "PART/PARTS")]
    partition: Option<Partition>,
    /// Runs only what failed, or was unknown, in the newest run of --out
    #[arg(long)]
    rerun_failed: bool,
    /// Shows what passing scenarios sent and were told, too
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Runs the scenarios in a random order
    #[arg(long)]
    shuffle: bool,
    /// Ends at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Lets clauses of level should decide too
    #[arg(long)]
    strict: bool,
    /// Prints the requests, as they would be if the target answered as the reference endpoint does, and sends none
    #[arg(long, conflicts_with_all = ["history", "fail_fast", "strict", "rate", "limits", "json", "junit", "markdown", "html", "badge", "out"])]
    dry_run: bool,
    #[command(flatten)]
    history: HistoryArgs,
    #[command(flatten)]
    conduct: ConductArgs,
}

pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let seed = args.conduct.seed(now());
    let spec = spec::bundled();
    let plan = plan(args, &spec, seed)?;
    let named = args.conduct.target.resolve()?;
    let options = options(args, seed)?;
    if args.dry_run {
        return dry_run(&spec, &plan, &named, &options, args.conduct.quiet);
    }
    args.history.only_on_a_target(args.conduct.target.is_embedded())?;
    let texts = snippet::texts(&plan);
    let mut conduct = Conduct::begin("run", &args.conduct.output, named, seed)?;
    conduct.is_terse = args.conduct.quiet;
    let history = args.history.prepare()?;
    let (report, could_not_test, unwritten) =
        conform(&spec, &plan, &conduct, &options, &texts, (args.conduct.quiet, args.verbose, history));
    let is_terse = conduct.is_terse;
    conduct.finish(&report, could_not_test, unwritten, |err, report| {
        if is_terse {
            return text::verdict(err, report);
        }
        text::failures(err, report, &texts, width())?;
        text::summary(err, report, &texts, width())
    })
}

/// The scenarios of these files, or the bundled ones; every problem is told.
pub fn load(paths: &[PathBuf], spec: &Spec) -> Result<Vec<Planned>, Failure> {
    let files = if paths.is_empty() { plan::bundled() } else { files::read_yaml(paths)? };
    let kept = files.clone();
    let (planned, problems) = plan::load(files, spec);
    if problems.is_empty() {
        return Ok(planned);
    }
    let texts: Texts<'_> = kept.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
    Err(Failure::usage(format!("{}; nothing was sent", counted(problems.len(), "problem"))))
}

fn plan(args: &RunArgs, spec: &Spec, seed: u64) -> Result<Vec<Planned>, Failure> {
    let filter = args.filter.clone().unwrap_or_default();
    let mut planned = load(&args.paths, spec)?;
    planned.retain(|planned| filter.admits(planned, spec));
    if planned.is_empty() {
        return Err(Failure::usage("no scenario is left to run: --filter admits none; `msgext list` shows what there is"));
    }
    if args.rerun_failed {
        let failed = failed_before(&args.conduct.output.folder("run").join("report.json"))?;
        planned.retain(|planned| failed.contains(&planned.id));
        if planned.is_empty() {
            return Err(Failure::usage("no scenario is left to run: none of those that failed in the newest run is among these"));
        }
    }
    if let Some(partition) = args.partition {
        planned = partition.of(planned);
        if planned.is_empty() {
            return Err(Failure::usage("no scenario is left to run: --partition has more parts than there are scenarios"));
        }
    }
    let mut planned = plan::repeat(&planned, usize::from(args.repeat));
    if args.shuffle {
        Random::seeded(seed).shuffle(&mut planned);
    }
    Ok(planned)
}

/// The scenarios that did not pass in the run of this report.
fn failed_before(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--rerun-failed: {}: {why}", path.display()));
    if !files::is_there(path) {
        return Err(wrong("there is no run before this one"));
    }
    let (_, text) = files::read_up_to(path, MOST_REPORT_BYTES)?;
    let report = saved::read("the report", &text).map_err(|error| wrong(&error.to_string()))?;
    let failed = report.scenarios.iter().filter(|scenario| matches!(scenario.verdict, VerdictWord::Fail | VerdictWord::Unknown));
    let failed: BTreeSet<String> = failed.map(|scenario| plan::repeated(&scenario.id).to_owned()).collect();
    if failed.is_empty() { Err(wrong("nothing failed in it")) } else { Ok(failed) }
}

fn options(args: &RunArgs, seed: u64) -> Result<ConformOptions, Failure> {
    let learnt = args.learnt.read()?.map(|learnt| learnt.budget()).transpose()?;
    let rate = RequestRate::budget(args.rate.or(learnt), args.conduct.target.is_embedded());
    Ok(ConformOptions {
        rate,
        fast: args.fast,
        fail_fast: args.fail_fast,
        strict: args.strict,
        jobs: args.jobs.map_or(SIDE_BY_SIDE, usize::from),
        keeps_exchanges: args.history.is_given(),
        seed,
    })
}

/// Runs the plan to a report. Where the target could not be tested there is a report too, and the failure beside it.
fn conform(
    spec: &Spec,
    plan: &[Planned],
    conduct: &Conduct,
    options: &ConformOptions,
    texts: &Texts<'_>,
    (quiet, verbose, history): (bool, bool, Option<Output>),
) -> (Report, Option<Failure>, Option<Failure>) {
    let Named { target, place, name, pinned, .. } = &conduct.named;
    let progress = RunProgress::new(spec, plan.len(), texts, &conduct.named, (quiet, verbose));
    let events = |event: Event<'_>| progress.show(&event);
    let result = conduct.runtime.block_on(conform::run(spec, plan, target, place, options, &conduct.stop, &events));
    progress.end();
    let report = |facts: Facts, outcomes: &[ScenarioOutcome], caller: Option<&str>| {
        let summary = summarise(spec, plan, outcomes, caller, pinned, options.strict, facts.incomplete.as_deref());
        let requests = outcomes.iter().map(|outcome| outcome.requests.sent).sum();
        let retries = outcomes.iter().map(|outcome| outcome.requests.retries).sum();
        let messages = outcomes.iter().map(|outcome| outcome.requests.messages).sum();
        let facts = RunFacts { facts, requests, retries, messages, strict: options.strict, pinned: pinned.clone() };
        build::build(spec, &facts, plan, outcomes, &summary, &conduct.named.secrets())
    };
    match result {
        Ok(run) => {
            let caller = run.found.member_calls.answer();
            let facts = conduct.facts(Some(run.found), run.elapsed, run.incomplete);
            let report = report(facts, &run.outcomes, run.found.saw_member_calls.then_some(caller));
            let identity = conduct.identity(run.found);
            let exchanges = run.outcomes.iter().flat_map(|outcome| &outcome.exchanges);
            let secrets = conduct.named.secrets();
            (report, None, history.and_then(|output| record(output, identity, Vec::new(), exchanges, &secrets)))
        }
        Err(error) => {
            let why = format!("{name}: {error}");
            (report(conduct.untested_facts(&why), &[], None), Some(Failure::of_ground(&error, why)), None)
        }
    }
}

/// Prints every request of the plan, sent to the embedded endpoint in the target's name.
fn dry_run(spec: &Spec, plan: &[Planned], named: &Named, options: &ConformOptions, is_quiet: bool) -> Result<Exit, Failure> {
    let rate = options.rate;
    let (target, place) = (&named.target, embedded::place_for(&named.target));
    let options = ConformOptions { rate: None, keeps_exchanges: true, ..options.clone() };
    let run = runtime()?
        .block_on(conform::run(spec, plan, target, &place, &options, &Stop::default(), &|_| {}))
        .map_err(|error| Failure::could_not_test(error.to_string()))?;
    let secrets = Secrets::new(&named.secrets(), &run.outcomes);
    files::print(|out| run.outcomes.iter().try_for_each(|outcome| requests(out, outcome, &secrets)))?;
    if !is_quiet {
        extent(&run.outcomes, rate);
    }
    Ok(Exit::Holds)
}

/// How much would be sent, and for about how long.
fn extent(outcomes: &[ScenarioOutcome], rate: Option<Rate>) {
    let counts: Vec<RequestCount> = outcomes.iter().map(|outcome| outcome.requests).collect();
    let (sent, messages): (u64, u64) =
        counts.iter().fold((0, 0), |(sent, messages), count| (sent + count.sent, messages + count.messages));
    let waited = outcomes.iter().map(|outcome| outcome.elapsed).max().unwrap_or_default();
    let paced = rate.map_or(Duration::ZERO, |rate| rate.time(sent));
    let about = match rate {
        Some(rate) => format!("about {} s at {rate}", waited.max(paced).as_secs().max(1)),
        None => format!("{} s and what the target takes", waited.as_secs()),
    };
    say(format_args!(
        "would send {sent} requests for {}, {messages} of them to make messages: {about}",
        counted(outcomes.len(), "scenario")
    ));
}

fn requests(out: &mut dyn Write, outcome: &ScenarioOutcome, secrets: &Secrets) -> io::Result<()> {
    writeln!(out, "# {}", printable(&outcome.id))?;
    if let Some(why) = outcome.verdict.why() {
        writeln!(out, "# left out: {}", printable(&secrets.scrub(why)))?;
    }
    outcome.exchanges.iter().try_for_each(|exchange| writeln!(out, "{}", curl::line(&exchange.request, secrets)))
}
