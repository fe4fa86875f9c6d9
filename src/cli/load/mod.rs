//! `msgext load`: open-loop load, every reply judged.

pub mod interleave;
pub mod metrics;
pub mod plan;
pub mod progress;
pub mod shard;
pub mod watch;

use std::path::Path;
use std::time::Duration;

use super::conduct::{Conduct, ConductArgs, NO_HEADING, now};
use super::embedded;
use super::exit::{Exit, Failure};
use super::files::Output;
use super::history::{HistoryArgs, Recording};
use super::learnt::{LearntArgs, MannersArgs};
use super::live::LiveArgs;
use super::number::whole;
use super::rate::USUAL;
use super::target::{Named, span_to};
use super::terminal::width;
use crate::drive::descriptors::make_room;
use crate::drive::ground::Ground;
use crate::drive::load::run::{Watcher, run as carry_out};
use crate::drive::load::search::{Terms, search};
use crate::drive::load::{LoadError, LoadGround, Portion};
use crate::drive::probe::Found;
use crate::drive::target::TargetPlace;
use crate::judge::load::measured::Measured;
use crate::judge::load::shards::{ClockOffset, Shard};
use crate::judge::load::tally::Latency;
use crate::judge::load::verdict::judge;
use crate::model::Rules;
use crate::random::Random;
use crate::report::load::{build, text};
use crate::report::snippet::Texts;
use crate::scenario::load::check::Check;
use crate::scenario::load::lint::LONGEST_PLAN;
use crate::scenario::load::{Plan, Rate};
use crate::spec;
use interleave::InterleaveArgs;
use metrics::Metrics;
use plan::PlanArgs;
use shard::ShardArgs;
use watch::Watch;

/// A thread is given so many calls a second at most, where there are cores for more.
const CALLS_A_THREAD: f64 = 40_000.0;

/// Sends load when it is due, judges every reply, and tells how long calls took
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    interleave: InterleaveArgs,
    #[command(flatten)]
    shard: ShardArgs,
    /// Threads that send; as many as the plan needs if left out
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 1024), help_heading = NO_HEADING)]
    threads: Option<u32>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    learnt: LearntArgs,
    #[command(flatten)]
    manners: MannersArgs,
    #[command(flatten)]
    history: HistoryArgs,
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
    #[arg(long, value_name = "RATE", value_parser = Rate::of_argument)]
    start_rate: Option<Rate>,
    /// No higher rate is tried [default: 100000/s]
    #[arg(long, value_name = "RATE", value_parser = Rate::of_argument)]
    max_rate: Option<Rate>,
    /// How long each trial is [default: 3s]
    #[arg(long, value_name = "SPAN", value_parser = span_to(LONGEST_PLAN))]
    trial: Option<Duration>,
    /// How long the last trial is, which confirms the answer [default: 20s]
    #[arg(long, value_name = "SPAN", value_parser = span_to(LONGEST_PLAN))]
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

pub fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let terms = args.search.terms()?;
    let (plan, source) = args.plan.plan(args.search.find_capacity, args.conduct.target.timeout())?;
    if args.conduct.target.has_pins() {
        return Err(Failure::usage("--pin has no effect on load, which observes no readings: it goes with run"));
    }
    if let Some(learnt) = args.learnt.read()? {
        learnt.admit(&plan, terms.as_ref().map(|terms| terms.max))?;
    }
    let ordered = args.shard.ordered()?;
    let shard = ordered.as_ref().map_or(Shard::WHOLE, |ordered| ordered.shard);
    let parts = plan.connections.min(plan.messages).get() / shard.of;
    if let Some(threads) = args.threads.filter(|threads| *threads > parts) {
        let why = "each needs a connection and a message of its own, and there are not so many of both";
        return Err(Failure::usage(format!("--threads {threads}: {why} ({parts})")));
    }
    if let Some(ordered) = &ordered {
        return shard::run(args, plan, &source, ordered);
    }
    if let Some(targets) = args.interleave.targets() {
        return interleave::run(args, targets, &plan, &source);
    }
    let named = args.conduct.target.resolve()?;
    args.manners.admit(&named, &plan, terms.as_ref().map(|terms| terms.max))?;
    let conduct = Conduct::begin("load", &args.conduct.output, named, args.conduct.seed(now()))?;
    let folder = args.conduct.output.folder("load");
    let outputs = (Output::prepare(&folder.join("intervals.hlog"))?, args.history.prepare()?);
    let whole = portion(args, &plan, terms.as_ref(), (Shard::WHOLE, None), conduct.seed);
    let tested = test(args, &plan, (terms.as_ref(), whole), &conduct, outputs, &folder);
    let (report, response, could_not_test, unwritten) = match tested {
        Ok(tested) => {
            let Tested { measured, found, unwritten, .. } = *tested;
            let measured = &measured;
            let (elapsed, cut_short) = (measured.elapsed, measured.cut_short.as_ref().map(ToString::to_string));
            let facts = conduct.facts(Some(found), elapsed, cut_short);
            let report = build::build(&spec::bundled(), &facts, &source, measured, &judge(measured), &conduct.named.secrets());
            (report, measured.total().response(None).into_owned(), None, unwritten)
        }
        Err(failure) => (conduct.untested(&failure.message), Latency::default(), Some(failure), None),
    };
    conduct.finish(&report, could_not_test, unwritten, |err, report| {
        let Some(load) = &report.load else { return Ok(()) };
        let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
        text::summary(err, report, load, &response, (&texts, width()))
    })
}

/// What came of a run, and what the target takes.
struct Tested {
    measured: Measured,
    found: Found,
    /// The target's, where the load started at a time of the clock's.
    clock: Option<ClockOffset>,
    /// The interval log or the history, where it could not be written.
    unwritten: Option<Failure>,
}

/// Makes ready, carries out, reads back. What is written meanwhile lies in `folder`.
fn test(
    args: &LoadArgs,
    plan: &Plan,
    (terms, portion): (Option<&Terms>, Portion),
    conduct: &Conduct,
    (log, history): (Output, Option<Output>),
    folder: &Path,
) -> Result<Box<Tested>, Failure> {
    let Conduct { named, stop, runtime, .. } = conduct;
    let served = if args.conduct.target.is_embedded() { Some(embedded::serve(Rules::default(), None, 1)?) } else { None };
    let (place, rate) = match &served {
        Some(served) => (TargetPlace::Remote(served.url.clone().into()), None),
        // Shards make their messages at the same time.
        None => (named.place.clone(), Some(Rate { per: USUAL.per * portion.shard.of, ..USUAL })),
    };
    let TargetPlace::Remote(way) = &place else {
        return Err(Failure::could_not_test("load needs a target that has an address"));
    };
    // The embedded endpoint has its ends of the connections in this process, too.
    let ends = if served.is_some() { 2 } else { 1 };
    make_room(plan.connections.get(), ends).map_err(|error| failed(named, &error.into()))?;
    let mut ground = runtime.block_on(async {
        let mut ground = Ground::prepare(&named.target, &place, own_seed(&portion), rate, stop).await?;
        ground.keeps_exchanges = args.history.is_given();
        LoadGround::prepare(ground, way, plan, portion, stop).await
    });
    let ground = ground.as_mut().map_err(|error| failed(named, error))?;
    let found = ground.ground.found;
    let metrics = args.live.serve(conduct, found)?.map(Metrics::new);
    let clock = portion.start_at.and_then(|_| runtime.block_on(ground.clock_offset(stop)));
    runtime.block_on(ground.wait_for_start(stop));
    let mut watch = Watch::start(args.conduct.quiet, metrics, log, folder);
    let ticks = watch.shows_moments();
    let recording = history.map(|output| {
        let (recording, sender) =
            Recording::begin(output, conduct.identity(ground.ground.found), ground.msg_keys(), &named.secrets());
        ground.recording = Some(sender);
        recording
    });
    let measured = if let Some(terms) = terms {
        search(ground, plan, terms, stop, ticks, &mut |stage| watch.stage(&stage))
    } else {
        watch.begin(plan);
        carry_out(ground, plan, stop, Watcher { ticks, tell: &mut |event| watch.event(&event) })
    };
    let ended = measured.map_err(|error| failed(named, &error)).map(|mut measured| {
        let unwritten = watch.end(&measured);
        measured.read_back = runtime.block_on(ground.read_back(&mut measured.findings, stop));
        (measured, unwritten)
    });
    ground.recording = None;
    let unrecorded = recording.and_then(Recording::end);
    let (measured, unwritten) = ended?;
    let unwritten = unwritten.or(unrecorded);
    Ok(Box::new(Tested { measured, found: ground.ground.found, clock, unwritten }))
}

fn portion(
    args: &LoadArgs,
    plan: &Plan,
    terms: Option<&Terms>,
    (shard, start_at): (Shard, Option<Duration>),
    seed: u64,
) -> Portion {
    Portion { shard, threads: threads(args, plan, terms, shard), seed, start_at }
}

/// What a shard draws for itself, so that no two of them send the same call to make a message.
fn own_seed(portion: &Portion) -> u64 {
    let Portion { shard, seed, .. } = *portion;
    if shard == Shard::WHOLE { seed } else { Random::named(seed, &format!("shard {shard}")).next_u64() }
}

/// Threads for the busiest phase. One core is left to the target, or to whoever adds up.
fn threads(args: &LoadArgs, plan: &Plan, terms: Option<&Terms>, shard: Shard) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let of_plan = plan.phases.iter().filter_map(|phase| phase.arrivals.peak_per_second()).fold(0.0, f64::max);
    let peak = terms.map_or(of_plan, |terms| terms.max) / f64::from(shard.of);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive; too many are capped next")]
    let needed = (peak / CALLS_A_THREAD).ceil().max(1.0) as u32;
    let most = args.threads.unwrap_or_else(|| needed.min(cores.saturating_sub(1).max(1)));
    most.min(plan.connections.get() / shard.of).min(plan.messages.get() / shard.of).max(1)
}

fn failed(named: &Named, error: &LoadError) -> Failure {
    let message = format!("{}: {error}", named.name);
    match error {
        LoadError::NoMembers | LoadError::OneAtATime(_) | LoadError::Descriptors(_) => Failure::usage(message),
        LoadError::Ground(error) => Failure::of_ground(error, message),
        _ => Failure::could_not_test(message),
    }
}
