//! The plan that the arguments mean: one that is built in, a file, or a phase by flags alone.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::exit::Failure;
use crate::cli::number::{count, whole};
use crate::cli::plan::named;
use crate::cli::target::{DEFAULT_TIMEOUT, span};
use crate::scenario::Caller;
use crate::scenario::extent::Extent;
use crate::scenario::load::check::Check;
use crate::scenario::load::lint::{MOST_CALLS, MOST_CONNECTIONS, MOST_MESSAGES};
use crate::scenario::load::{Arrivals, BUNDLED, Choice, Mix, Phase, Plan, Rate, RateOrMax, Spacing, Traffic, load};
use crate::yaml::source::SourceFile;

/// How long `--rate` is sent where nothing else is said.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// What to send
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Plan")]
pub struct PlanArgs {
    /// A plan file, or one that is built in: limits, soak, ramp, spike [default without --rate: limits]
    #[arg(value_name = "PLAN", conflicts_with = "rate")]
    plan: Option<String>,
    /// Without a plan: calls a second (5000/s), or max for as many as the connections let through
    #[arg(long, value_name = "RATE", value_parser = rate_or_max)]
    rate: Option<RateOrMax>,
    /// How long to send at --rate [default: 10s]
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "calls")]
    duration: Option<Duration>,
    /// Sends exactly so many calls at --rate
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, MOST_CALLS))]
    calls: Option<u64>,
    /// Poisson arrivals in place of even ones
    #[arg(long, conflicts_with = "calls")]
    poisson: bool,
    /// Most calls under way, each on a connection of its own; 16, or what the plan says
    #[arg(long, value_name = "N", value_parser = count(MOST_CONNECTIONS))]
    connections: Option<NonZeroU32>,
    /// Messages that calls go to [default: 64]
    #[arg(long, value_name = "N", value_parser = count(MOST_MESSAGES), conflicts_with = "plan")]
    messages: Option<NonZeroU32>,
    /// Sets, deletes and clears by their shares, as in 8:1:1 [default: 1:0:0]
    #[arg(long, value_name = "MIX", value_parser = mix, conflicts_with = "plan")]
    mix: Option<Mix>,
    /// Which message a call goes to: spread, zipf:1.1, or hot:2 (every second call to the first) [default: spread]
    #[arg(long, value_name = "HOW", value_parser = choice, conflicts_with = "plan")]
    choose: Option<Choice>,
    /// Pairs a call, as in 3 or 1-20 [default: 1]
    #[arg(long, value_name = "N", value_parser = extent, conflicts_with = "plan")]
    kvs: Option<Extent>,
    /// Bytes a value, as in 1000 or 16-1000 [default: 32]
    #[arg(long, value_name = "N", value_parser = extent, conflicts_with = "plan")]
    value_bytes: Option<Extent>,
    /// Who calls: admin, sender or recipient; several, separated by commas, take turns [default: admin]
    #[arg(long = "as", value_name = "WHO", value_delimiter = ',', value_parser = caller, conflicts_with = "plan")]
    callers: Vec<Caller>,
    /// What has to hold, such as "p99 response < 50ms"; may be repeated
    #[arg(long, value_name = "CHECK")]
    check: Vec<Check>,
}

fn rate_or_max(text: &str) -> Result<RateOrMax, String> {
    match text {
        "max" => Ok(RateOrMax::Max),
        _ => Rate::of_argument(text).map(RateOrMax::Rate).map_err(|told| format!("{told}; max is as fast as it goes")),
    }
}

/// A number, or two joined by a hyphen.
fn extent(text: &str) -> Result<Extent, String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from <= to => Ok(Extent(from, to)),
        _ => Err("write a number, or two as in 1-20".to_owned()),
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let shares: Vec<u32> = text.split(':').map_while(|share| share.parse().ok()).collect();
    match (shares.as_slice(), text.split(':').count()) {
        (&[set, delete, clear], 3) => Ok(Mix { set, delete, clear }),
        _ => Err("write three shares, of sets, deletes and clears, as in 8:1:1".to_owned()),
    }
}

fn choice(text: &str) -> Result<Choice, String> {
    let wrong = || "write spread, zipf:1.1 or hot:2".to_owned();
    match text.split_once(':') {
        None if text == "spread" => Ok(Choice::Spread),
        Some(("zipf", exponent)) => exponent.parse().map(Choice::Zipf).map_err(|_| wrong()),
        Some(("hot", one_in)) => one_in.parse().map(|one_in| Choice::Hot { one_in }).map_err(|_| wrong()),
        _ => Err(wrong()),
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

impl PlanArgs {
    /// The plan, and the file in which it stands. A search needs no rate. Replies get `timeout`, where it is given, in place of
    /// what the plan gives them.
    pub fn plan(&self, searches: bool, timeout: Option<Duration>) -> Result<(Plan, Arc<SourceFile>), Failure> {
        self.refuse_flags(searches)?;
        let (mut plan, source) = match (&self.plan, self.rate) {
            (Some(name), _) => named(name, BUNDLED, load)?,
            (None, None) if !searches => named("limits", BUNDLED, load)?,
            (None, rate) => self.by_flags(rate, timeout.unwrap_or(DEFAULT_TIMEOUT))?,
        };
        plan.timeout = timeout.unwrap_or(plan.timeout);
        plan.connections = self.connections.unwrap_or(plan.connections);
        plan.checks.extend(self.check.iter().cloned());
        Ok((plan, source))
    }

    /// A flag that would change nothing is a mistake.
    fn refuse_flags(&self, searches: bool) -> Result<(), Failure> {
        let (by_plan, is_max) = (self.rate.is_none() && !searches, matches!(self.rate, Some(RateOrMax::Max)));
        let own_traffic = "goes with --rate or --find-capacity: the plan `limits` has traffic of its own";
        let no_due_times = "goes with a rate in calls a second: at `max` no call is due at a time of its own";
        let (no_rate, own_phases) =
            (self.rate.is_none(), "goes with --rate: a plan and a search say themselves when calls are due");
        let flags = [
            ("--for", self.duration.is_some() && no_rate, own_phases),
            ("--calls", self.calls.is_some() && no_rate, own_phases),
            ("--poisson", self.poisson && no_rate, own_phases),
            ("--messages", self.messages.is_some() && by_plan, own_traffic),
            ("--mix", self.mix.is_some() && by_plan, own_traffic),
            ("--choose", self.choose.is_some() && by_plan, own_traffic),
            ("--kvs", self.kvs.is_some() && by_plan, own_traffic),
            ("--value-bytes", self.value_bytes.is_some() && by_plan, own_traffic),
            ("--as", !self.callers.is_empty() && by_plan, own_traffic),
            ("--calls", self.calls.is_some() && is_max, no_due_times),
            ("--poisson", self.poisson && is_max, no_due_times),
        ];
        match flags.into_iter().find(|(_, is_idle, _)| *is_idle) {
            Some((flag, _, why)) => Err(Failure::usage(format!("{flag} {why}"))),
            None => Ok(()),
        }
    }

    /// One phase.
    fn by_flags(&self, rate: Option<RateOrMax>, timeout: Duration) -> Result<(Plan, Arc<SourceFile>), Failure> {
        let duration = self.duration.unwrap_or(DEFAULT_DURATION);
        let arrivals = rate.map(|rate| match (rate, self.calls) {
            (RateOrMax::Max, _) => Arrivals::Saturate { duration },
            (RateOrMax::Rate(rate), Some(calls)) => Arrivals::Count { calls, rate },
            (RateOrMax::Rate(rate), None) => {
                let spacing = if self.poisson { Spacing::Poisson } else { Spacing::Even };
                Arrivals::Ramp { from: rate, to: rate, duration, spacing }
            }
        });
        let messages = self.messages.unwrap_or(NonZeroU32::MIN.saturating_add(63));
        let of = |given: Option<Extent>, usual| given.map_or((usual, usual), |Extent(from, to)| (from, to));
        let traffic = Traffic {
            mix: self.mix.unwrap_or(Mix { set: 1, delete: 0, clear: 0 }),
            kvs: of(self.kvs, 1),
            value_bytes: of(self.value_bytes, 32),
            keys: 20,
            messages: (0, messages.get()),
            choice: self.choose.unwrap_or(Choice::Spread),
            callers: if self.callers.is_empty() { vec![Caller::Admin] } else { self.callers.clone() },
        };
        let plan = Plan {
            name: "quick".to_owned(),
            title: "what the command line asks for".to_owned(),
            phases: arrivals.into_iter().map(|arrivals| Phase::bare("load", arrivals)).collect(),
            traffic,
            messages,
            connections: NonZeroU32::MIN.saturating_add(15),
            timeout,
            skip_later_than: None,
            patience: None,
            limits: None,
            checks: Vec::new(),
        };
        let problems = if plan.phases.is_empty() { Vec::new() } else { plan.problems() };
        let problem = problems.into_iter().next().map(|(_, message, help)| format!("{message}: {help}"));
        let of_traffic = || plan.traffic.problems(messages.get()).into_iter().next();
        match problem.or_else(|| of_traffic().map(|(field, message, help)| format!("--{field}: {message}: {help}"))) {
            Some(problem) => Err(Failure::usage(problem)),
            None => Ok((plan, Arc::new(SourceFile::new("the command line", "")))),
        }
    }
}
