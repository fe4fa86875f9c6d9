//! One of several machines that carry out a plan together: it sends its share, and leaves a part for `msgext merge` to judge.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use super::{LoadArgs, Tested, portion, test};
use crate::cli::conduct::Conduct;
use crate::cli::exit::{Exit, Failure, say};
use crate::cli::files::Output;
use crate::clock::nanoseconds;
use crate::judge::load::shards::Shard;
use crate::judge::text::printable;
use crate::report::Facts;
use crate::report::part::LoadPart;
use crate::scenario::load::Plan;
use crate::yaml::source::SourceFile;

/// Several machines
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several machines")]
pub struct ShardArgs {
    /// Sends one share of the plan (0/4 to 3/4) and leaves a part in place of reports, for msgext merge; auto finds out which in a job
    /// of Slurm, auto/4 in an Indexed Job of Kubernetes too
    #[arg(long, value_name = "I/N", value_parser = ShardArg::parse, requires = "start_at", conflicts_with_all = ["find_capacity", "interleave"])]
    shard: Option<ShardArg>,
    /// When all shards start, such as 2026-01-31T12:00:00Z, or in seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = start_at, requires = "shard")]
    start_at: Option<Duration>,
}

/// Which shard this is, or where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShardArg {
    Given(Shard),
    /// The environment tells which, and of how many where that is left open.
    Auto(Option<u32>),
}

/// What a shard is to do.
#[derive(Clone, Copy, Debug)]
pub struct OrderedShard {
    pub shard: Shard,
    /// Since 1970.
    pub start_at: Duration,
}

/// Environments of several tasks: what says which task this is, from 0, and of how many.
const TASKS: [(&str, &str); 2] = [("SLURM_PROCID", "SLURM_NTASKS"), ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")];

impl ShardArg {
    fn parse(text: &str) -> Result<ShardArg, String> {
        match text.strip_prefix("auto") {
            Some("") => Ok(ShardArg::Auto(None)),
            Some(of) => match of.strip_prefix('/').map(str::parse) {
                Some(Ok(of)) if of > 0 => Ok(ShardArg::Auto(Some(of))),
                _ => Err("write auto, or auto/4 where there are four".to_owned()),
            },
            None => text.parse().map(ShardArg::Given),
        }
    }

    fn shard(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
        let of = match self {
            ShardArg::Given(shard) => return Ok(shard),
            ShardArg::Auto(of) => of,
        };
        let found = TASKS.into_iter().find_map(|(which, all)| Some((which, variable(which)?, all)));
        let Some((which, number, all)) = found else {
            let names: Vec<&str> = TASKS.into_iter().map(|(which, _)| which).collect();
            return Err(format!("none of {} says which shard this is: write which, as in 0/4", names.join(", ")));
        };
        let of = match of {
            Some(of) => of.to_string(),
            None => variable(all).ok_or_else(|| {
                format!("{which} says which shard this is, and nothing says of how many: write that, as in auto/4, or set {all}")
            })?,
        };
        format!("{number}/{of}").parse().map_err(|told| format!("{which} is {number} of {of}: {told}"))
    }
}

fn start_at(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    let told = || "write a time with its offset from UTC, as in 2026-01-31T12:00:00Z, or the seconds since 1970".to_owned();
    let time: jiff::Timestamp = text.parse().map_err(|_| told())?;
    Duration::try_from(time.duration_since(jiff::Timestamp::UNIX_EPOCH)).map_err(|_| told())
}

impl ShardArgs {
    /// What is to be done, where this is a shard.
    pub fn ordered(&self) -> Result<Option<OrderedShard>, Failure> {
        let Some((shard, start_at)) = self.shard.zip(self.start_at) else { return Ok(None) };
        let shard = shard.shard(|name| env::var(name).ok());
        let shard = shard.map_err(|told| Failure::usage(format!("--shard: {told}")))?;
        Ok(Some(OrderedShard { shard, start_at }))
    }
}

/// Sends a shard's share. Its exit code tells whether it did that, and nothing of the target.
pub fn run(args: &LoadArgs, mut plan: Plan, source: &SourceFile, ordered: &OrderedShard) -> Result<Exit, Failure> {
    let OrderedShard { shard, start_at } = *ordered;
    refuse(args, &plan, shard)?;
    // What holds is known of the whole only.
    plan.phases.iter_mut().for_each(|phase| phase.abort_on_fail = false);
    let named = args.conduct.target.resolve()?;
    args.manners.admit(&named, &plan, None)?;
    // The same for all of them, where it is not given.
    let seed = args.conduct.seed_or(start_at.as_secs());
    let conduct = Conduct::without_reports("load", named, seed)?;
    let path = path(args, shard);
    let output = Output::prepare(&path)?;
    let logs = (Output::prepare(&path.with_extension("hlog"))?, args.history.prepare()?);
    let portion = portion(args, &plan, None, (shard, Some(start_at)), conduct.seed);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Into::into);
    let tested = test(args, &plan, (None, portion), &conduct, logs, &folder);
    let part = |facts: &Facts, why: String| LoadPart::new(shard, nanoseconds(start_at), facts, (&source.path, &source.text), why);
    let (part, exit, unwritten) = match tested {
        Ok(tested) => {
            let Tested { measured, found, clock, unwritten } = *tested;
            let exit = if measured.cut_short.is_some() { Exit::Inconclusive } else { Exit::Holds };
            let told = format!("shard {shard}: {} calls sent; msgext merge judges all parts together", measured.total().sent);
            say(format_args!("{told}\npart: {}", printable(&path.display().to_string())));
            let facts = conduct.facts(Some(found), measured.elapsed, None);
            let part = LoadPart { clock, measured: Ok(measured), ..part(&facts, String::new()) };
            (part, Ok(exit), unwritten)
        }
        Err(failure) => (part(&conduct.untested_facts(&failure.message), failure.message.clone()), Err(failure), None),
    };
    output.write(|out| part.write(out, &conduct.named.secrets()))?;
    match unwritten {
        Some(failure) => Err(failure),
        None => exit,
    }
}

/// What does not go with a shard.
fn refuse(args: &LoadArgs, plan: &Plan, shard: Shard) -> Result<(), Failure> {
    let parts = plan.connections.min(plan.messages);
    let why = if args.conduct.target.is_embedded() {
        "--shard needs --target: the embedded endpoint is of one process".to_owned()
    } else if args.conduct.output.asks_for_a_report() {
        "a shard leaves a part and no report: what shows one goes with msgext merge".to_owned()
    } else if shard.of > parts.get() {
        format!("--shard {shard}: each shard needs a connection and a message of its own, and the plan has {parts} of both")
    } else {
        return Ok(());
    };
    Err(Failure::usage(why))
}

/// Where its part goes: --out names the file, or the folder of all of them.
fn path(args: &LoadArgs, shard: Shard) -> PathBuf {
    let out = &args.conduct.output.out;
    let is_file = out.extension().is_some_and(|extension| extension == "json");
    if is_file { out.clone() } else { out.join("load").join(format!("part-{}.json", shard.number)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ShardArg::parse(text)?.shard(variable).map(|shard| shard.to_string())
    }

    #[test]
    fn a_shard_is_given_or_found_out_from_where_it_runs() {
        let slurm = [("SLURM_PROCID", "3"), ("SLURM_NTASKS", "4")];
        let kubernetes = [("JOB_COMPLETION_INDEX", "0")];
        assert_eq!(auto("1/4", &slurm).as_deref(), Ok("1/4"));
        assert_eq!(auto("auto", &slurm).as_deref(), Ok("3/4"));
        assert_eq!(auto("auto/8", &kubernetes).as_deref(), Ok("0/8"));
        assert_eq!(auto("auto", &[kubernetes[0], ("JOB_COMPLETIONS", "2")]).as_deref(), Ok("0/2"));
        for (text, variables) in
            [("4/4", &slurm[..]), ("auto/3", &slurm), ("auto", &kubernetes), ("auto", &[]), ("auto/0", &[]), ("x", &[])]
        {
            assert!(auto(text, variables).is_err(), "{text} {variables:?}");
        }
    }

    #[test]
    fn a_start_is_a_time_of_the_clock() {
        assert_eq!(start_at("2026-01-31T12:00:00Z"), Ok(Duration::from_hours(491_628)));
        assert_eq!(start_at("2026-01-31T13:00:00.5+01:00"), Ok(Duration::from_millis(1_769_860_800_500)));
        assert_eq!(start_at("1769860800.25"), Ok(Duration::from_millis(1_769_860_800_250)));
        for text in ["soon", "2026-01-31 12:00", "-1", "NaN", "1960-01-01T00:00:00Z"] {
            assert!(start_at(text).is_err(), "{text}");
        }
    }
}
