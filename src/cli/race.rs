//! `msgext race`: concurrent clients, and an order of their calls.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::conduct::{Conduct, ConductArgs, NO_HEADING, now};
use super::embedded;
use super::exit::{Exit, Failure};
use super::history::{HistoryArgs, record};
use super::live::{LiveArgs, LivePage};
use super::number::whole;
use super::plan::named;
use super::rate::{RequestRate, request_rate};
use super::terminal::{Screen, bar_length, bars, room, width};
use crate::drive::descriptors::make_room;
use crate::drive::ground::{Ground, GroundError};
use crate::drive::probe::Found;
use crate::drive::race::{RaceError, RaceRun, run as carry_out};
use crate::drive::target::TargetPlace;
use crate::history::Class;
use crate::judge::race::judge;
use crate::judge::race::raced::RacedHistory;
use crate::model::Rules;
use crate::report::race::{build, live, text};
use crate::scenario::race::{BUNDLED, MOST_CLIENTS, MOST_OPERATIONS, RacePlan, load};
use crate::spec;

/// The live page is made anew so often.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// Threads of the embedded endpoint: calls come to it side by side.
pub const SERVING: usize = 4;

/// Lets clients race for few keys, and looks for an order of their calls that explains every reply
#[derive(Debug, clap::Args)]
pub struct RaceArgs {
    #[command(flatten)]
    plan: RacePlanArgs,
    /// Requests over everything (150/s, 9000/m; a bare number is a second's), or none; 150/s on a real target, none on the
    /// embedded endpoint
    #[arg(long, value_name = "RATE|none", value_parser = request_rate, help_heading = NO_HEADING)]
    rate: Option<RequestRate>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    history: HistoryArgs,
    #[command(flatten)]
    conduct: ConductArgs,
}

/// Who does what
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Plan")]
struct RacePlanArgs {
    /// A plan file, or one that is built in: writers, clears
    #[arg(value_name = "PLAN", default_value = "writers")]
    plan: String,
    /// Clients that call at the same time; 8, or what the plan says
    #[arg(long, value_name = "N", value_parser = whole::<u32>(2, MOST_CLIENTS.into()))]
    clients: Option<u32>,
    /// Messages, one after another; 200, or what the plan says
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, MOST_OPERATIONS.into()))]
    messages: Option<u32>,
    /// Keys of each message; 2, or what the plan says
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 300))]
    keys: Option<u32>,
    /// Calls on all messages together; 24000, or what the plan says
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, MOST_OPERATIONS.into()))]
    operations: Option<u32>,
}

impl RacePlanArgs {
    fn plan(&self) -> Result<RacePlan, Failure> {
        let (mut plan, _) = named(&self.plan, BUNDLED, load)?;
        let given = [
            (self.clients, &mut plan.clients),
            (self.messages, &mut plan.messages),
            (self.keys, &mut plan.keys),
            (self.operations, &mut plan.operations),
        ];
        for (given, field) in given {
            *field = given.unwrap_or(*field);
        }
        match plan.problems().into_iter().next() {
            Some((field, message, help)) => Err(Failure::usage(format!("--{field}: {message}: {help}"))),
            None => Ok(plan),
        }
    }
}

pub fn run(args: &RaceArgs) -> Result<Exit, Failure> {
    let plan = args.plan.plan()?;
    if args.conduct.target.has_pins() {
        return Err(Failure::usage("--pin has no effect on race, which takes every reading: it goes with run"));
    }
    let conduct = Conduct::begin("race", &args.conduct.output, args.conduct.target.resolve()?, args.conduct.seed(now()))?;
    let history = args.history.prepare()?;
    let (report, could_not_test, unwritten) = match test(args, &plan, &conduct) {
        Ok((run, found)) => {
            let identity = conduct.identity(found);
            let raced = RacedHistory::read(&run.exchanges, &identity, run.messages.iter().map(String::as_str));
            let verdict = judge(&raced);
            let (overall, reason) = verdict.overall(run.cut_short.as_deref());
            let facts = conduct.facts(Some(found), run.elapsed, run.cut_short.clone());
            let secrets = conduct.named.secrets();
            let report = build::build(&spec::bundled(), ("race", &facts), &verdict, (overall, &reason), &run.exchanges, &secrets);
            (report, None, history.and_then(|output| record(output, identity, run.messages, &run.exchanges, &secrets)))
        }
        Err(failure) => (conduct.untested(&failure.message), Some(failure), None),
    };
    conduct.finish(&report, could_not_test, unwritten, |err, report| match &report.race {
        Some(race) => text::summary(err, report, race, width()),
        None => Ok(()),
    })
}

/// Runs the clients.
fn test(args: &RaceArgs, plan: &RacePlan, conduct: &Conduct) -> Result<(RaceRun, Found), Failure> {
    let Conduct { named, stop, runtime, .. } = conduct;
    let is_embedded = args.conduct.target.is_embedded();
    let served = if is_embedded { Some(embedded::serve(unlimited(Rules::default()), None, SERVING)?) } else { None };
    let place = served.as_ref().map_or_else(|| named.place.clone(), |served| TargetPlace::Remote(served.url.clone().into()));
    // The embedded endpoint has its ends of the connections in this process, too.
    make_room(plan.clients, if is_embedded { 2 } else { 1 }).map_err(|error| Failure::usage(error.to_string()))?;
    let rate = RequestRate::budget(args.rate, is_embedded);
    let failed = |error: &RaceError| {
        let why = format!("{}: {error}", named.name);
        match error {
            RaceError::Ground(error) => Failure::of_ground(error, why),
            _ => Failure::could_not_test(why),
        }
    };
    let ground = runtime.block_on(async {
        let mut ground = Ground::prepare(&named.target, &place, conduct.seed, rate, stop).await?;
        ground.ask_at_once(stop).await?;
        Ok(ground)
    });
    let ground = ground.map_err(|error: GroundError| failed(&error.into()))?;
    let watch = RaceWatch::new(args.conduct.quiet, plan, args.live.serve(conduct, ground.found)?);
    let run = runtime.block_on(carry_out(&ground, plan, stop, &|class| watch.told(class)));
    watch.progress.finish_and_clear();
    Ok((run.map_err(|error| failed(&error))?, ground.found))
}

/// Whoever looks on while clients race.
struct RaceWatch {
    progress: ProgressBar,
    page: Option<LivePage>,
    planned: u32,
    begun: Instant,
    /// Calls that have ended, by what they came to.
    ended: [AtomicU64; Class::COUNT],
    /// When the page was made last.
    shown: Mutex<Instant>,
}

impl RaceWatch {
    fn new(quiet: bool, plan: &RacePlan, page: Option<LivePage>) -> RaceWatch {
        let begun = Instant::now();
        let ended = Default::default();
        RaceWatch { progress: progress(quiet, plan), page, planned: plan.operations, begun, ended, shown: Mutex::new(begun) }
    }

    fn told(&self, class: Class) {
        self.progress.inc(1);
        let Some(page) = &self.page else { return };
        self.ended[class as usize].fetch_add(1, Ordering::Relaxed);
        // Nobody waits for whoever makes it.
        if let Ok(mut shown) = self.shown.try_lock()
            && shown.elapsed() >= SHOWN_EVERY
        {
            *shown = Instant::now();
            let ended = self.ended.each_ref().map(|ended| ended.load(Ordering::Relaxed));
            let mut metrics = Vec::new();
            live::metrics(&mut metrics, &ended).expect("memory takes everything");
            page.tell(metrics);
            page.show(live::build(&page.begun, &ended, self.planned, self.begun.elapsed()));
        }
    }
}

/// Calls that a limit refuses do not race.
pub fn unlimited(mut rules: Rules) -> Rules {
    (rules.limits.app, rules.limits.message) = (None, None);
    rules
}

fn progress(quiet: bool, plan: &RacePlan) -> ProgressBar {
    let bar = bars(Screen::of_stderr(quiet)).add(ProgressBar::new(plan.operations.into()));
    let template = format!("{{bar:{}.green/dim}} {{pos}}/{{len}} calls  {{elapsed}}", bar_length(room()));
    bar.set_style(ProgressStyle::with_template(&template).expect("a template without a mistake"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
