//! Two targets in one run: a plan sent to the one and to the other in turn, so that what moves the machine moves both.

use std::time::Duration;

use super::progress::LoadProgress;
use super::{LoadArgs, failed, portion};
use crate::cli::conduct::{Conduct, now};
use crate::cli::exit::{Exit, Failure, say};
use crate::cli::files::Output;
use crate::cli::number::whole;
use crate::cli::rate::USUAL;
use crate::cli::target::Named;
use crate::cli::terminal::width;
use crate::drive::descriptors::make_room;
use crate::drive::ground::Ground;
use crate::drive::load::LoadGround;
use crate::drive::load::run::{LoadEvent, Watcher, run as carry_out};
use crate::drive::target::TargetPlace;
use crate::judge::compare::compare_rounds;
use crate::judge::compare::metric::{Tolerance, Tolerances};
use crate::judge::load::measured::Measured;
use crate::judge::load::shards::Shard;
use crate::judge::load::verdict::judge;
use crate::judge::text::{counted, printable};
use crate::report::Report;
use crate::report::compare::read::{NamedReport, compared, notes};
use crate::report::compare::{build as compare_build, text};
use crate::report::load::build;
use crate::report::secrets::Secrets;
use crate::scenario::load::Plan;
use crate::spec;
use crate::yaml::source::SourceFile;

/// Rounds, where nothing else is said.
const ROUNDS: u32 = 5;

/// Two targets
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Two targets")]
pub struct InterleaveArgs {
    /// Sends the plan to two targets in turn (A B, B A, A B, …), and holds the second against the first
    #[arg(long, num_args = 2, value_names = ["TARGET_A", "TARGET_B"], conflicts_with_all = ["target", "find_capacity", "metrics", "history"])]
    interleave: Option<Vec<String>>,
    /// How often the plan is sent to each [default: 5]
    #[arg(long, value_name = "N", requires = "interleave", value_parser = whole::<u32>(1, 1000))]
    rounds: Option<u32>,
    /// By how much a metric of the second may be worse, as msgext compare has it
    #[arg(long, value_name = "METRIC=SHARE", requires = "interleave", value_delimiter = ',')]
    max_regression: Vec<Tolerance>,
}

impl InterleaveArgs {
    /// The targets, where there are two.
    pub fn targets(&self) -> Option<[&str; 2]> {
        match self.interleave.as_deref() {
            Some([a, b]) => Some([a, b]),
            _ => None,
        }
    }
}

/// One target, made ready.
struct Interleaved<'a> {
    named: &'a Named,
    ground: LoadGround<'a>,
    runs: Vec<Measured>,
}

pub fn run(args: &LoadArgs, targets: [&str; 2], plan: &Plan, source: &SourceFile) -> Result<Exit, Failure> {
    let [a, b] = targets.map(|target| args.conduct.target.at(target).resolve());
    let (a, b) = (a?, b?);
    for named in [&a, &b] {
        args.manners.admit(named, plan, None)?;
    }
    let name = format!("{} against {}", b.name, a.name);
    let conduct = Conduct::begin("load", &args.conduct.output, a, args.conduct.seed(now()))?;
    // An earlier run's would be taken for this one's.
    drop(Output::prepare(&args.conduct.output.folder("load").join("intervals.hlog"))?);
    let (report, could_not_test) = match interleaved(args, plan, source, &conduct, &b, name) {
        Ok(report) => (report, None),
        Err(failure) => (conduct.untested(&failure.message), Some(failure)),
    };
    conduct.finish(&report, could_not_test, None, |err, report| match &report.compare {
        Some(compare) => text::summary(err, report, compare, width()),
        None => Ok(()),
    })
}

fn interleaved(
    args: &LoadArgs,
    plan: &Plan,
    source: &SourceFile,
    conduct: &Conduct,
    other: &Named,
    name: String,
) -> Result<Report, Failure> {
    let rounds = args.interleave.rounds.unwrap_or(ROUNDS);
    make_room(plan.connections.get(), 2).map_err(|error| failed(&conduct.named, &error.into()))?;
    let mut sides = [&conduct.named, other].map(|named| prepare(args, plan, conduct, named));
    let [Ok(a), Ok(b)] = &mut sides else {
        return Err(sides.into_iter().find_map(Result::err).unwrap_or_else(|| Failure::usage("")));
    };
    let mut progress = LoadProgress::new(args.conduct.quiet);
    let begun = now();
    for round in 0..rounds {
        let order = if round % 2 == 0 { [&mut *a, &mut *b] } else { [&mut *b, &mut *a] };
        for side in order {
            if conduct.stop.is_set() {
                break;
            }
            progress.begin(plan);
            let ticks = progress.has_bars();
            let mut tell = |event: LoadEvent<'_>| progress.show(&event);
            let ran = carry_out(&mut side.ground, plan, &conduct.stop, Watcher { ticks, tell: &mut tell });
            side.runs.push(ran.map_err(|error| failed(side.named, &error))?);
        }
    }
    drop(progress);
    let elapsed = now().saturating_sub(begun);
    let whole =
        a.runs.len().min(b.runs.len()) - usize::from(conduct.stop.is_set() && !a.runs.is_empty() && a.runs.len() == b.runs.len());
    let cut_short = (whole < rounds as usize).then(|| format!("cut short after {}", counted(whole, "whole round")));
    for side in [&mut *a, &mut *b] {
        side.runs.truncate(whole);
        if let Some(last) = side.runs.last_mut() {
            last.read_back = conduct.runtime.block_on(side.ground.read_back(&mut last.findings, &conduct.stop));
        }
    }
    let [base, new] = [&*a, &*b].map(|side| reports(conduct, source, side));
    let [of_base, of_new] = [&base, &new].map(|side| side.iter().map(compared).collect::<Vec<_>>());
    let tolerances = Tolerances::new(&args.interleave.max_regression);
    let comparison = compare_rounds(&of_base, &of_new, &tolerances, conduct.seed, cut_short.clone());
    let found = b.ground.ground.found;
    let mut facts = conduct.facts(Some(found), elapsed, cut_short);
    facts.target = name;
    let secrets = Secrets::of(&[conduct.named.secrets(), other.secrets()].concat(), []);
    Ok(compare_build::build(("load", &facts), [&base, &new], &comparison, notes(&base, &new), &secrets))
}

fn prepare<'a>(args: &LoadArgs, plan: &Plan, conduct: &'a Conduct, named: &'a Named) -> Result<Interleaved<'a>, Failure> {
    let TargetPlace::Remote(way) = &named.place else {
        return Err(Failure::could_not_test("load needs a target that has an address"));
    };
    let (seed, stop) = (conduct.seed, &conduct.stop);
    let ground = conduct.runtime.block_on(async {
        let ground = Ground::prepare(&named.target, &named.place, seed, Some(USUAL), stop).await?;
        LoadGround::prepare(ground, way, plan, portion(args, plan, None, (Shard::WHOLE, None), seed), stop).await
    });
    let ground = ground.map_err(|error| failed(named, &error))?;
    say(format_args!("ready: {}", printable(&named.name)));
    Ok(Interleaved { named, ground, runs: Vec::new() })
}

/// The report of each round.
fn reports(conduct: &Conduct, source: &SourceFile, side: &Interleaved<'_>) -> Vec<NamedReport> {
    let found = side.ground.ground.found;
    let report = |(round, measured): (usize, &Measured)| {
        let elapsed: Duration = measured.elapsed;
        let mut facts = conduct.facts(Some(found), elapsed, None);
        facts.target.clone_from(&side.named.name);
        let report = build::build(&spec::bundled(), &facts, source, measured, &judge(measured), &side.named.secrets());
        NamedReport { name: format!("round {round} of {}", side.named.name), report }
    };
    (1..).zip(&side.runs).map(report).collect()
}
