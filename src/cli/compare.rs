//! `msgext compare`: saved reports held against each other, and the history of a series of runs.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conduct::{close, now};
use super::exit::{Exit, Failure};
use super::invocation::command_line;
use super::number::whole;
use super::output::OutputArgs;
use super::terminal::width;
use super::{files, github};
use crate::judge::compare::compare;
use crate::judge::compare::history::histories;
use crate::judge::compare::metric::{Tolerance, Tolerances};
use crate::judge::text::some_of;
use crate::report::compare::read::{NamedReport, comparable, compared, notes, read};
use crate::report::compare::series::{self, SeriesLine};
use crate::report::compare::{build, text};
use crate::report::secrets::Secrets;
use crate::report::{Facts, Report};

/// Of a load of a day.
const MOST_BYTES: u64 = 1 << 30;

/// Holds runs against an earlier one: what held and no longer does, and whether the target has become slower
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// The run before: a JSON report of run, load or mutants, or the folder of one
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// The runs that are held against it
    #[arg(value_name = "NEW", required_unless_present = "history")]
    new: Vec<PathBuf>,
    /// A further run of the base; may be repeated
    #[arg(long = "base", value_name = "REPORT")]
    more: Vec<PathBuf>,
    /// By how much a metric may be worse: throughput, p50, p90, p99, p99.9 or cpu; what is named decides, and nothing else. May be repeated
    /// [default: throughput=5%,p50=10%,p90=10%,p99=10%]
    #[arg(long, value_name = "METRIC=SHARE", value_delimiter = ',')]
    max_regression: Vec<Tolerance>,
    /// Adds these runs of load to a history, a line of JSON each, and tells in which run the series has changed; then there is no base
    #[arg(long, value_name = "FILE", conflicts_with = "more")]
    history: Option<PathBuf>,
    /// Names the run in the history, as by its commit [default: when it began]
    #[arg(long, value_name = "TEXT", requires = "history", conflicts_with = "new")]
    label: Option<String>,
    /// Draws other samples where not everything can be counted
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(0, u64::MAX))]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let first = load(&args.base)?;
    let new: Vec<NamedReport> = args.new.iter().map(|path| load(path)).collect::<Result<_, _>>()?;
    let tolerances = Tolerances::new(&args.max_regression);
    let report = if let Some(file) = &args.history {
        let runs: Vec<NamedReport> = std::iter::once(first).chain(new).collect();
        of_history(file, &runs, args, &tolerances)?
    } else {
        let more = args.more.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
        let base: Vec<NamedReport> = std::iter::once(first).chain(more).collect();
        of_runs(&base, &new, args.seed, &tolerances)?
    };
    let outputs = args.output.prepare("compare")?;
    if let Some(compare) = &report.compare {
        github::tell(|err| text::summary(err, &report, compare, width()));
    }
    close(outputs, &report, Vec::new(), true)
}

/// A report, or the one in the folder of a run.
fn load(path: &Path) -> Result<NamedReport, Failure> {
    let inside = path.join("report.json");
    let (name, text) = files::read_up_to(if path.is_dir() { &inside } else { path }, MOST_BYTES)?;
    read(&name, &text).map_err(|error| Failure::usage(error.to_string()))
}

fn of_runs(base: &[NamedReport], new: &[NamedReport], seed: u64, tolerances: &Tolerances) -> Result<Report, Failure> {
    comparable(&base.iter().chain(new).collect::<Vec<_>>()).map_err(|error| Failure::usage(error.to_string()))?;
    let [of_base, of_new] = [base, new].map(|side| side.iter().map(compared).collect::<Vec<_>>());
    let comparison = compare(&of_base, &of_new, tolerances, seed);
    let facts = facts(new, seed);
    Ok(build::build(("compare", &facts), [base, new], &comparison, notes(base, new), &Secrets::default()))
}

fn of_history(file: &Path, runs: &[NamedReport], args: &CompareArgs, tolerances: &Tolerances) -> Result<Report, Failure> {
    let path = file.display().to_string();
    let known = if files::is_there(file) { files::read_up_to(file, MOST_BYTES)?.1 } else { String::new() };
    let mut lines = series::read(&known).map_err(|error| Failure::usage(format!("{path}:{error}")))?;
    let new =
        runs.iter().map(|named| SeriesLine::of(named, args.label.as_deref()).map_err(|error| Failure::usage(error.to_string())));
    let mut new = new.collect::<Result<Vec<_>, _>>()?;
    // Who repeats a step of a pipeline adds its run once.
    new.retain(|line| !lines.contains(line));
    append(file, &new).map_err(|error| Failure::could_not_test(format!("{path} cannot be written: {error}")))?;
    lines.append(&mut new);
    let plan = runs.last().and_then(|named| SeriesLine::of(named, None).ok()).map(|line| line.plan);
    lines.retain(|line| Some(&line.plan) == plan.as_ref());
    let values: Vec<_> = lines.iter().map(SeriesLine::metrics).collect();
    let histories = histories(&values, tolerances);
    Ok(series::build(&facts(runs, args.seed), &path, &lines, &histories, tolerances))
}

fn append(file: &Path, lines: &[SeriesLine]) -> std::io::Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    OpenOptions::new().create(true).append(true).open(file)?.write_all(&text)
}

/// What the report says of the comparison itself; the target is that of the new runs.
fn facts(new: &[NamedReport], seed: u64) -> Facts {
    let mut targets: Vec<&str> = new.iter().map(|named| named.report.target.as_str()).collect();
    targets.dedup();
    let last = new.last().map(|named| &named.report);
    Facts {
        target: some_of(&targets, 3),
        member_calls: last.map(|report| report.member_calls.clone()).unwrap_or_default(),
        read_back: last.map(|report| report.read_back.clone()).unwrap_or_default(),
        calls_at_once: last.map(|report| report.calls_at_once.clone()).unwrap_or_default(),
        seed,
        started_unix_s: i64::try_from(now().as_secs()).unwrap_or(i64::MAX),
        elapsed: Duration::ZERO,
        incomplete: None,
        command_line: command_line(Some(seed)),
        configuration: BTreeMap::new(),
    }
}
