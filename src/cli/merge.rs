//! `msgext merge`: the parts that the shards of a load have left, added up and judged as one run.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conduct::close;
use super::exit::{Exit, Failure};
use super::invocation::command_line;
use super::output::OutputArgs;
use super::target::span;
use super::terminal::width;
use super::{files, github};
use crate::judge::load::measured::Measured;
use crate::judge::load::merge::{ShardPart, sum};
use crate::judge::load::shards::{MOST_SKEW, Shard};
use crate::judge::load::verdict::judge;
use crate::report::load::{build, text};
use crate::report::part::LoadPart;
use crate::report::secrets::Secrets;
use crate::report::snippet::Texts;
use crate::report::{Facts, Report};
use crate::spec;
use crate::yaml::source::SourceFile;

/// A part of a million calls whose limits are judged.
const MOST_BYTES: u64 = 1 << 30;

/// Adds up the parts that the shards of a load have left, and judges them as one run
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// The parts, one of each shard, or a folder that holds them (part-*.json); one that is missing makes the run inconclusive
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,
    /// How far the shards' clocks may be apart [default: 20ms]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    most_skew: Option<Duration>,
    #[command(flatten)]
    output: OutputArgs,
}

/// A part, and the file that it was read from.
struct ReadPart {
    path: String,
    part: LoadPart,
}

pub fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = args.parts.iter().map(|path| parts_at(path)).collect::<Result<Vec<_>, Failure>>()?.concat();
    let parts = files.iter().map(|path| read(path)).collect::<Result<Vec<ReadPart>, Failure>>()?;
    let Some(first) = parts.first() else { return Err(Failure::usage("there is no part to merge")) };
    parts.iter().try_for_each(|part| same_run(first, part))?;
    let (facts, source) = (facts(&first.part), SourceFile::new(&first.part.plan_path, &first.part.plan_text));
    let shards = by_number(parts)?;
    let outputs = args.output.prepare("merge")?;
    let Some(plan) = shards.iter().find_map(|part| part.measured.as_ref().ok()).map(|measured| measured.plan.clone()) else {
        let why = shards.iter().find_map(|part| part.measured.as_ref().err()).cloned().unwrap_or_default();
        let failure = Failure::could_not_test(format!("no shard has sent anything: {why}"));
        return close(outputs, &untested(&facts, &failure.message), vec![failure], true);
    };
    let whole = sum(Measured::nothing_of(plan, 0), shards, args.most_skew.unwrap_or(MOST_SKEW));
    let facts = Facts { elapsed: whole.elapsed, incomplete: whole.cut_short.as_ref().map(ToString::to_string), ..facts };
    let report = build::build(&spec::bundled(), &facts, &source, &whole, &judge(&whole), &[]);
    if let Some(load) = &report.load {
        let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
        let response = whole.total().response(None).into_owned();
        github::tell(|err| text::summary(err, &report, load, &response, (&texts, width())));
    }
    close(outputs, &report, Vec::new(), true)
}

/// Itself, or the parts in it.
fn parts_at(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = path.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| Failure::usage(format!("{}: it cannot be read: {error}", path.display())))?;
    let is_part = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("part-") && name.ends_with(".json")
    };
    let mut parts: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_part).collect();
    parts.sort();
    if parts.is_empty() { Err(Failure::usage(format!("{}: there is no part-*.json in it", path.display()))) } else { Ok(parts) }
}

fn read(path: &Path) -> Result<ReadPart, Failure> {
    let (path, text) = files::read_up_to(path, MOST_BYTES)?;
    let part = LoadPart::read(&text).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
    Ok(ReadPart { path, part })
}

/// Parts of different runs are nobody's load.
fn same_run(first: &ReadPart, other: &ReadPart) -> Result<(), Failure> {
    let plan = |part: &LoadPart| part.measured.as_ref().ok().map(|measured| measured.plan.clone());
    let (one, two) = (&first.part, &other.part);
    let differences = [
        ("the number of shards", one.shard.of == two.shard.of),
        ("--start-at", one.start_at_ns == two.start_at_ns),
        ("the seed", one.seed == two.seed),
        ("the target", one.target == two.target),
        ("the plan", one.plan_text == two.plan_text && plan(one).zip(plan(two)).is_none_or(|(one, two)| one == two)),
    ];
    match differences.into_iter().find(|(_, is_same)| !is_same) {
        Some((what, _)) => {
            Err(Failure::usage(format!("{} and {} are of different runs: {what} is not the same", first.path, other.path)))
        }
        None => Ok(()),
    }
}

/// One for each shard, in their order.
fn by_number(mut parts: Vec<ReadPart>) -> Result<Vec<ShardPart>, Failure> {
    parts.sort_by_key(|part| part.part.shard);
    if let Some([one, two]) = parts.array_windows().find(|[one, two]| one.part.shard == two.part.shard) {
        return Err(Failure::usage(format!("{} and {} are both of shard {}", one.path, two.path, one.part.shard)));
    }
    let of = parts.first().map_or(0, |first| first.part.shard.of);
    let mut parts = parts.into_iter().map(|read| read.part).peekable();
    let part = |number: u32| match parts.next_if(|part| part.shard.number == number) {
        Some(LoadPart { shard: Shard { number, .. }, clock, measured, .. }) => ShardPart { number, clock, measured },
        None => ShardPart { number, clock: None, measured: Err("it has left no part".to_owned()) },
    };
    Ok((0..of).map(part).collect())
}

fn facts(part: &LoadPart) -> Facts {
    Facts {
        target: part.target.clone(),
        member_calls: part.member_calls.clone(),
        read_back: part.read_back.clone(),
        calls_at_once: part.calls_at_once.clone(),
        seed: part.seed,
        started_unix_s: i64::try_from(part.start_at_ns / 1_000_000_000).unwrap_or(i64::MAX),
        elapsed: Duration::ZERO,
        incomplete: None,
        command_line: command_line(None),
        configuration: part.configuration.clone(),
    }
}

fn untested(facts: &Facts, why: &str) -> Report {
    let facts = Facts { incomplete: Some(why.to_owned()), ..facts.clone() };
    Report { reason: why.to_owned(), ..crate::report::build::begun("load", &facts, &Secrets::default()) }
}
