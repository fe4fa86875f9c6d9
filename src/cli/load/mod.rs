//! `msgext load`: open-loop load, every reply judged.

pub mod metrics;
pub mod plan;
pub mod progress;
pub mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::conduct::ConductArgs;
use super::exit::{Exit, Failure};
use super::target::{Named, span};
use super::{embedded, files};
use crate::drive::load::run::{Watcher, run as carry_out};
use crate::drive::load::search::{Terms, search};
use crate::drive::load::{Ground, LoadError};
use crate::drive::target::Target;
use crate::judge::load::tally::Latency;
use crate::judge::load::verdict::judge;
use crate::report::load::{build, text};
use crate::report::snippet::Texts;
use crate::report::{Facts, Report};
use crate::scenario::load::check::Check;
use crate::scenario::load::{Plan, Rate};
use crate::spec;
use crate::verdict::Overall;
use crate::yaml::source::SourceFile;
use metrics::Metrics;
use plan::PlanArgs;
use watch::Watch;

/// Messages are made at this rate on a real target: a quarter below the app's limit of 200.
const MAKING: u32 = 150;
/// A thread is given so many calls a second at most, where there are cores for more.
const CALLS_A_THREAD: f64 = 40_000.0;

/// Sends load when it is due, judges every reply, and tells how long calls took
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Threads that send; as many as the plan needs if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Serves live metrics in the `OpenMetrics` form at this address while it runs; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    conduct: ConductArgs,
}

/// How much the target bears
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Capacity")]
struct SearchArgs {
    /// Searches for the highest rate at which --slo holds, with the traffic of the plan or of the flags
    #[arg(long, requires = "slo", conflicts_with_all = ["rate", "check"])]
    find_capacity: bool,
    /// What has to hold, such as "p99 response < 20ms"; may be repeated
    #[arg(long, value_name = "CHECK")]
    slo: Vec<Check>,
    /// The first rate that is tried [default: 100/s]
    #[arg(long, value_name = "RATE", value_parser = plan::rate)]
    start_rate: Option<Rate>,
    /// No higher rate is tried [default: 100000/s]
    #[arg(long, value_name = "RATE", value_parser = plan::rate)]
    max_rate: Option<Rate>,
    /// How long each trial is [default: 3s]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    trial: Option<Duration>,
    /// How long the last trial is, which confirms the answer [default: 20s]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    confirm: Option<Duration>,
}

impl SearchArgs {
    fn terms(&self) -> Result<Option<Terms>, Failure> {
        let SearchArgs { slo, start_rate, max_rate, trial, confirm, .. } = self;
        let alone = [
            ("--slo", !slo.is_empty()),
            ("--start-rate", start_rate.is_some()),
            ("--max-rate", max_rate.is_some()),
            ("--trial", trial.is_some()),
            ("--confirm", confirm.is_some()),
        ];
        // Clap holds a flag that is not given for one that is: `requires` would not do.
        match alone.into_iter().find(|(_, given)| *given && !self.find_capacity) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} goes with --find-capacity; a check on any other run is --check")))
            }
            None => Ok(self.find_capacity.then(|| Terms {
                slo: slo.clone(),
                start: start_rate.map_or(100.0, Rate::per_second),
                max: max_rate.map_or(100_000.0, Rate::per_second),
                trial: trial.unwrap_or(Duration::from_secs(3)),
                confirmation: confirm.unwrap_or(Duration::from_secs(20)),
            })),
        }
    }
}

pub fn run(args: &Args) -> Result<Exit, Failure> {
    let terms = args.search.terms()?;
    let (plan, source) = args.plan.plan(args.search.find_capacity, args.conduct.target.timeout())?;
    let mut named = args.conduct.target.resolve()?;
    let served = if args.conduct.target.is_embedded() { Some(serve()?) } else { None };
    if let Some(served) = &served {
        named.target = Target { timeout: named.target.timeout, ..served.target.clone() };
    }
    let outputs = args.conduct.output.files("load");
    for (path, _) in &outputs {
        files::prepare(path)?;
    }
    let (report, response) = test(args, plan, terms.as_ref(), &source, &named)?;
    for (path, render) in &outputs {
        files::write(path, |out| render(out, &report))?;
    }
    tell(&report, &response, &source, &args.conduct.output.folder("load"))
        .map_err(|error| Failure::could_not_test(format!("nothing can be told: {error}")))?;
    Ok(match report.verdict {
        Overall::Pass => Exit::Holds,
        Overall::Fail => Exit::FellShort,
        Overall::Inconclusive => Exit::Inconclusive,
    })
}

fn serve() -> Result<embedded::Served, Failure> {
    embedded::serve().map_err(|error| Failure::could_not_test(format!("the embedded endpoint cannot be started: {error}")))
}

/// Makes ready, carries out, reads back; the whole run's response times are for the histogram.
fn test(
    args: &Args,
    plan: Plan,
    terms: Option<&Terms>,
    source: &SourceFile,
    named: &Named,
) -> Result<(Report, Latency), Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = args.conduct.seed(now);
    let runtime = Runtime::new().map_err(|error| Failure::could_not_test(format!("no runtime can be started: {error}")))?;
    let stop = interrupts(&runtime);
    let budget = (!args.conduct.target.is_embedded()).then_some(MAKING);
    let prepared = runtime.block_on(Ground::prepare(&named.target, &plan, threads(args, &plan, terms), seed, budget));
    let mut ground = prepared.map_err(|error| failed(named, &error))?;
    if stop.load(Ordering::Relaxed) {
        return Err(failed(named, &LoadError::Interrupted));
    }
    let metrics = args.metrics.map(|address| serve_metrics(address, &runtime)).transpose()?;
    let mut watch = Watch::start(args.conduct.quiet, metrics, &args.conduct.output.folder("load").join("intervals.hlog"))?;
    let ticks = watch.shows_moments();
    let measured = if let Some(terms) = terms {
        search(&mut ground, &plan, terms, &stop, ticks, &mut |stage| watch.stage(&stage))
    } else {
        watch.begin(&plan);
        carry_out(&mut ground, &plan, &stop, Watcher { ticks, tell: &mut |event| watch.event(&event) })
    };
    let mut measured = measured.map_err(|error| failed(named, &error))?;
    watch.end(&measured)?;
    measured.read_back = runtime.block_on(ground.read_back(&mut measured.findings));
    let facts = Facts {
        target: named.name.clone(),
        member_calls: ground.found.member_calls.answer().to_owned(),
        read_back: ground.found.read_back.word().to_owned(),
        seed,
        started_unix_s: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        elapsed: measured.elapsed,
        incomplete: measured.cut_short.as_ref().map(ToString::to_string),
    };
    let response = measured.total().response(None).into_owned();
    let report = build::build(spec::bundled(), &facts, source, &measured, &judge(&measured), &named.secrets);
    Ok((report, response))
}

/// Threads for the busiest phase. One core is left to the target, or to whoever adds up.
fn threads(args: &Args, plan: &Plan, terms: Option<&Terms>) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let of_plan = plan.phases.iter().filter_map(|phase| phase.arrivals.peak_per_second()).fold(0.0, f64::max);
    let peak = terms.map_or(of_plan, |terms| terms.max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive; too many are capped next")]
    let needed = (peak / CALLS_A_THREAD).ceil().max(1.0) as u32;
    let most = args.threads.unwrap_or_else(|| needed.min(cores.saturating_sub(1).max(1)));
    most.min(plan.connections.get()).min(plan.messages.get())
}

fn failed(named: &Named, error: &LoadError) -> Failure {
    let message = format!("{}: {error}", named.name);
    match error {
        LoadError::NoMembers => Failure::usage(message),
        LoadError::Interrupted => Failure { exit: Exit::Inconclusive, message },
        _ => Failure::could_not_test(message),
    }
}

fn serve_metrics(address: SocketAddr, runtime: &Runtime) -> Result<Metrics, Failure> {
    let served = Metrics::serve(address, runtime);
    let metrics = served.map_err(|error| Failure::could_not_test(format!("--metrics {address}: {error}")))?;
    anstream::eprintln!("metrics: http://{}/metrics", metrics.address);
    Ok(metrics)
}

/// Turns true at the first Ctrl-C.
fn interrupts(runtime: &Runtime) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        if let Ok(mut signal) = signal(SignalKind::interrupt()) {
            signal.recv().await;
            stopped.store(true, Ordering::Relaxed);
        }
    });
    stop
}

fn tell(report: &Report, response: &Latency, source: &SourceFile, folder: &Path) -> io::Result<()> {
    let Some(load) = &report.load else { return Ok(()) };
    let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
    let mut err = anstream::stderr().lock();
    text::summary(&mut err, report, load, response, &texts)?;
    io::Write::write_fmt(&mut err, format_args!("reports: {}\n", folder.display()))
}
