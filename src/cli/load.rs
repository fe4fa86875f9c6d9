//! `msgext load`: open-loop load, every reply judged.

use std::io;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::embedded;
use super::exit::{Exit, Failure};
use super::files;
use super::load_progress::LoadProgress;
use super::output::OutputArgs;
use super::target::{Named, TargetArgs, span};
use crate::drive::load::reply::Verdict;
use crate::drive::load::run::{Event, Run, run as carry_out};
use crate::drive::load::worker::Record;
use crate::drive::load::{Ground, LoadError};
use crate::judge::check::evaluate;
use crate::judge::doubt::{PhaseFacts, doubts};
use crate::judge::limit_clauses::{Answer, Call, Limit, Outcome, outcomes};
use crate::judge::text::counted;
use crate::report::load::{Check as Checked, Connections, Load, Phase as Figures, ReadBack, Second};
use crate::report::load_build::{Found, LoadFacts, PhaseRun, build};
use crate::report::load_text;
use crate::report::snippet::{self, Texts};
use crate::report::{Overall, Report};
use crate::scenario::Caller;
use crate::scenario::load::check::{Check, Subject};
use crate::scenario::load::{Arrivals, BUNDLED, Choice, Mix, Phase, Plan, Rate, Spacing, Traffic, load};
use crate::scenario::source::SourceFile;
use crate::spec;

/// Messages are made at this rate on a real target: a quarter below the app's limit of 200.
const MAKING: u32 = 150;
/// A thread is given so many calls a second at most, where there are cores for more.
const CALLS_A_THREAD: f64 = 40_000.0;

/// Sends load when it is due, judges every reply, and tells how long calls took
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A plan file, or one that is built in: limits, soak, ramp, spike. `limits` if left out, unless --rate is given
    #[arg(value_name = "PLAN")]
    plan: Option<String>,
    /// Without a plan: calls a second (5000/s), or `max` for as many as the connections let through
    #[arg(long, value_name = "RATE", conflicts_with = "plan")]
    rate: Option<String>,
    /// How long to send at --rate
    #[arg(long = "for", value_name = "SPAN", value_parser = span, requires = "rate", default_value = "10s")]
    duration: Duration,
    /// Sends exactly so many calls at --rate
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,
    /// Poisson arrivals in place of even ones
    #[arg(long, requires = "rate")]
    poisson: bool,
    /// Most calls under way, each on a connection of its own
    #[arg(long, value_name = "N")]
    connections: Option<NonZeroU32>,
    /// Messages that calls go to
    #[arg(long, value_name = "N", requires = "rate")]
    messages: Option<NonZeroU32>,
    /// Pairs a call
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=20))]
    kvs: Option<u32>,
    /// Bytes a value
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=1000))]
    value_bytes: Option<u32>,
    /// Who calls: admin, sender or recipient; several, separated by commas, take turns
    #[arg(long = "as", value_name = "WHO", value_delimiter = ',', value_parser = caller, requires = "rate")]
    callers: Vec<Caller>,
    /// What has to hold, such as "p99 response < 50ms"; may be repeated
    #[arg(long, value_name = "CHECK")]
    check: Vec<Check>,
    /// Threads that send; as many as the plan needs if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Repeats a run's random choices
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Shows no progress
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub fn run(args: &Args) -> Result<Exit, Failure> {
    let (plan, source) = plan(args)?;
    let mut named = args.target.resolve()?;
    let served = if args.target.is_embedded() { Some(serve()?) } else { None };
    if let Some(served) = &served {
        named.target = crate::drive::target::Target { timeout: named.target.timeout, ..served.target.clone() };
    }
    let outputs = args.output.files("load");
    for (path, _) in &outputs {
        files::prepare(path)?;
    }
    let (report, response) = test(args, &plan, &source, &named)?;
    for (path, render) in &outputs {
        files::write(path, |out| render(out, &report))?;
    }
    tell(&report, &response, &source, &args.output.out)
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

// ---------------------------------------------------------------------------------------------------------- the plan

/// The plan that the arguments mean, and the file in which it stands.
fn plan(args: &Args) -> Result<(Plan, Arc<SourceFile>), Failure> {
    let (mut plan, source) = match &args.rate {
        Some(rate) => quick(args, rate)?,
        None => named(args.plan.as_deref().unwrap_or("limits"))?,
    };
    plan.connections = args.connections.unwrap_or(plan.connections);
    plan.checks.extend(args.check.iter().cloned());
    Ok((plan, source))
}

fn named(name: &str) -> Result<(Plan, Arc<SourceFile>), Failure> {
    let (path, text) = match BUNDLED.iter().find(|(bundled, ..)| *bundled == name) {
        Some((_, path, text)) => ((*path).to_owned(), (*text).to_owned()),
        None if Path::new(name).exists() => files::read(Path::new(name))?,
        None => {
            let known = BUNDLED.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format!("{name}: no such file, and no plan that is built in; those are {known}")));
        }
    };
    let (source, plan) = load(&path, &text);
    match plan {
        Ok(plan) => Ok((plan, source)),
        Err(problems) => {
            let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
            let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
            Err(Failure::usage(format!("{}; nothing was sent", counted(problems.len(), "problem"))))
        }
    }
}

/// One phase, by flags alone.
fn quick(args: &Args, rate: &str) -> Result<(Plan, Arc<SourceFile>), Failure> {
    let duration = args.duration;
    let arrivals = if rate == "max" {
        Arrivals::Saturate { duration }
    } else {
        let rate = if rate.contains('/') { rate.to_owned() } else { format!("{rate}/s") };
        let rate: Rate = rate.parse().map_err(|error| Failure::usage(format!("--rate: {error}")))?;
        let spacing = if args.poisson { Spacing::Poisson } else { Spacing::Even };
        match args.calls {
            Some(calls) => Arrivals::Count { calls, rate },
            None => Arrivals::Ramp { from: rate, to: rate, duration, spacing },
        }
    };
    let messages = args.messages.or(NonZeroU32::new(64)).unwrap_or(NonZeroU32::MIN);
    let (kvs, bytes) = (args.kvs.unwrap_or(1), args.value_bytes.unwrap_or(32));
    let traffic = Traffic {
        mix: Mix { set: 1, delete: 0, clear: 0 },
        kvs: (kvs, kvs),
        value_bytes: (bytes, bytes),
        keys: 20,
        messages: (0, messages.get()),
        choice: Choice::Spread,
        callers: if args.callers.is_empty() { vec![Caller::Admin] } else { args.callers.clone() },
    };
    let plan = Plan {
        name: "quick".to_owned(),
        title: format!("{rate} on the command line"),
        phases: vec![Phase::bare("load", arrivals)],
        traffic,
        messages,
        connections: NonZeroU32::MIN.saturating_add(15),
        timeout: args.target.timeout(),
        skip_later_than: None,
        limits: None,
        checks: Vec::new(),
    };
    let problem = plan.problems().into_iter().next();
    match problem.or_else(|| plan.traffic.problems(messages.get()).into_iter().next()) {
        Some((_, message, help)) => Err(Failure::usage(format!("{message}: {help}"))),
        None => Ok((plan, Arc::new(SourceFile::new("the command line", "")))),
    }
}

fn caller(text: &str) -> Result<Caller, String> {
    match text {
        "admin" => Ok(Caller::Admin),
        "sender" => Ok(Caller::Sender),
        "recipient" => Ok(Caller::Recipient),
        _ => Err("write admin, sender or recipient".to_owned()),
    }
}

/// Threads for the plan's busiest phase, one a core at most.
fn threads(args: &Args, plan: &Plan) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let peak = plan.phases.iter().filter_map(|phase| phase.arrivals.peak_per_second()).fold(0.0, f64::max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive; too many are capped next")]
    let needed = (peak / CALLS_A_THREAD).ceil().max(1.0) as u32;
    args.threads.unwrap_or(needed.min(cores)).min(plan.connections.get()).min(plan.messages.get())
}

// ----------------------------------------------------------------------------------------------------------- the run

fn test(args: &Args, plan: &Plan, source: &SourceFile, named: &Named) -> Result<(Report, crate::judge::tally::Latency), Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = args.seed.unwrap_or_else(|| u64::from(now.subsec_nanos()));
    let runtime = Runtime::new().map_err(|error| Failure::could_not_test(format!("no runtime can be started: {error}")))?;
    let stop = interrupts(&runtime);
    let budget = (!args.target.is_embedded()).then_some(MAKING);
    let failed = |error: LoadError| {
        let message = format!("{}: {error}", named.name);
        match error {
            LoadError::NoMembers => Failure::usage(message),
            LoadError::Interrupted => Failure { exit: Exit::Inconclusive, message },
            _ => Failure::could_not_test(message),
        }
    };
    let prepared = runtime.block_on(Ground::prepare(&named.target, plan, threads(args, plan), seed, budget));
    let mut ground = prepared.map_err(failed)?;
    if stop.load(Ordering::Relaxed) {
        return Err(failed(LoadError::Interrupted));
    }
    let progress = LoadProgress::new(plan, args.quiet);
    let mut seconds = Vec::new();
    let mut run = carry_out(&mut ground, plan, &stop, &mut |event| {
        if let Event::Second { second, tally } = &event {
            seconds.push(Second::new(*second, tally));
        }
        progress.show(&event);
    })
    .map_err(failed)?;
    progress.end();
    let in_run = run.findings.kept.len();
    let read_back = runtime.block_on(ground.read_back(&mut run.findings));
    let found: Vec<Found<'_>> = run
        .findings
        .kept
        .iter()
        .enumerate()
        .map(|(index, found)| Found {
            difference: &found.difference,
            phase: (index < in_run).then_some(found.phase),
            exchange: found.exchange.as_ref(),
        })
        .collect();
    let facts = LoadFacts {
        target: named.name.clone(),
        member_calls: ground.found.member_calls.answer().to_owned(),
        read_back: ground.found.read_back.word().to_owned(),
        seed,
        started_unix_s: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        elapsed: run.elapsed,
        incomplete: run.incomplete.clone(),
    };
    let limits = limit_outcomes(plan, &run);
    let limit_findings = limit_differences(&limits);
    let found: Vec<Found<'_>> = found
        .into_iter()
        .chain(limit_findings.iter().map(|(phase, difference)| Found { difference, phase: Some(*phase), exchange: None }))
        .collect();
    let threads = ground.threads();
    let figures = figures(plan, &run, seconds, read_back, threads);
    let checks = checks(plan, &run);
    let phases: Vec<PhaseRun<'_>> =
        run.phases.iter().map(|phase| PhaseRun { tally: &phase.tally, elapsed: phase.elapsed, reached: phase.reached }).collect();
    let report = build(spec::bundled(), &facts, (plan, source), &phases, &found, &limits, (figures, checks), &named.secrets);
    Ok((report, run.total.response(None)))
}

fn figures(plan: &Plan, run: &Run, seconds: Vec<Second>, read_back: Option<(usize, usize)>, threads: usize) -> Load {
    let phases = plan.phases.iter().zip(&run.phases);
    let facts = phases.clone().filter(|(_, run)| run.reached).flat_map(|(phase, measured)| {
        let checks: Vec<&Check> = plan.checks.iter().chain(&phase.checks).collect();
        doubts(&PhaseFacts {
            name: &phase.name,
            tally: &measured.tally,
            checks: &checks,
            busy: measured.busiest,
            misfit: measured.misfit,
            closed: matches!(phase.arrivals, Arrivals::Saturate { .. }),
        })
    });
    Load {
        plan: plan.name.clone(),
        title: plan.title.clone(),
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        phases: phases.clone().map(|(phase, run)| Figures::new(&phase.name, &run.tally, run.elapsed)).collect(),
        total: Figures::new("total", &run.total, run.elapsed),
        connections: Connections {
            opened: run.connections.opened,
            reopened: run.connections.reopened,
            lost: run.connections.lost.clone(),
        },
        cpu_us_per_request: (run.cpu.as_secs_f64() * 1e7 / run.total.sent.max(1) as f64).round() / 10.0,
        doubts: facts.collect(),
        seconds,
        findings_by_clause: run.findings.counts.iter().map(|(clause, count)| ((*clause).to_owned(), *count)).collect(),
        read_back: read_back.map(|(read, messages)| ReadBack { read, messages }),
        capacity: None,
    }
}

/// Every check, and two that go without saying: that nothing failed, and that nothing was lost.
fn checks(plan: &Plan, run: &Run) -> Vec<Checked> {
    let total = run.findings.total();
    let implied = ["errors = 0", "lost = 0"].iter().filter_map(|text| text.parse::<Check>().ok());
    let asked: Vec<&Check> = plan.checks.iter().chain(plan.phases.iter().flat_map(|phase| &phase.checks)).collect();
    let counted = |check: &Check| match check.subject {
        Subject::Count(counted) | Subject::Rate(counted) | Subject::Share(counted) => Some(counted),
        Subject::Time { .. } => None,
    };
    let implied = implied.filter(|check| !asked.iter().any(|asked| counted(asked) == counted(check)));
    let of_run = plan.checks.iter().cloned().chain(implied).map(|check| {
        let checked = evaluate(&check, &run.total, run.elapsed, total);
        Checked { name: checked.text, holds: checked.holds, actual: checked.actual }
    });
    let of_phases = plan.phases.iter().zip(&run.phases).enumerate().flat_map(|(index, (phase, measured))| {
        let findings = run.findings.kept.iter().filter(move |found| found.phase == index).count() as u64;
        phase.checks.iter().map(move |check| {
            let checked = evaluate(check, &measured.tally, measured.elapsed, findings);
            Checked {
                name: format!("{}: {}", phase.name, checked.text),
                holds: checked.holds.filter(|_| measured.reached),
                actual: checked.actual,
            }
        })
    });
    of_run.chain(of_phases).collect()
}

/// The clauses on limits, where the plan is there to test them.
fn limit_outcomes(plan: &Plan, run: &Run) -> Vec<Outcome> {
    let Some(limits) = plan.limits else { return Vec::new() };
    let calls: Vec<Call> = run.records.iter().map(call).collect();
    let limit = |rate: Rate| Limit { calls: rate.calls, window: rate.per };
    let mut outcomes = outcomes(&calls, limit(limits.app), limit(limits.message));
    let broken = run.findings.counts.get("LIM-5").copied().unwrap_or(0);
    let refused = calls.iter().any(|call| matches!(call.answer, Answer::RefusedForApp | Answer::RefusedForMessage));
    let verdict = match (broken, refused) {
        (0, true) => crate::verdict::Verdict::Pass,
        (0, false) => crate::verdict::Verdict::Unknown("no call was refused".to_owned()),
        _ => crate::verdict::Verdict::Fail,
    };
    outcomes.push(Outcome { clause: "LIM-5", verdict, findings: Vec::new(), total: broken });
    outcomes
}

fn call(record: &Record) -> Call {
    let answer = match record.verdict {
        Verdict::Accepted => Answer::Accepted,
        Verdict::RefusedForApp => Answer::RefusedForApp,
        Verdict::RefusedForMessage => Answer::RefusedForMessage,
        Verdict::Error => Answer::Failed,
        Verdict::Lost => Answer::Lost,
    };
    Call { message: record.message, phase: usize::from(record.phase), sent: record.sent, received: record.received, answer }
}

fn limit_differences(outcomes: &[Outcome]) -> Vec<(usize, crate::judge::ledger::Difference)> {
    let broken = outcomes.iter().flat_map(|outcome| outcome.findings.iter().map(move |broken| (outcome.clause, broken)));
    let difference = |(clause, broken): (&'static str, &crate::judge::limit_clauses::Broken)| {
        let (subject, expected, actual) = (broken.subject.clone(), broken.expected.clone(), broken.actual.clone());
        (broken.phase, crate::judge::ledger::Difference { clause, subject, expected, actual })
    };
    broken.map(difference).collect()
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

fn tell(report: &Report, response: &crate::judge::tally::Latency, source: &SourceFile, out: &Path) -> io::Result<()> {
    let Some(load) = &report.load else { return Ok(()) };
    let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
    let mut err = anstream::stderr().lock();
    load_text::summary(&mut err, report, load, response, &texts)?;
    io::Write::write_fmt(&mut err, format_args!("reports: {}\n", out.join("load").display()))
}
