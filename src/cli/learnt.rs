//! The limits that `msgext limits` has found out, for a run that is to stay within them.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conduct::NO_HEADING;
use super::exit::Failure;
use super::files;
use super::rate::RequestRate;
use super::target::Named;
use crate::judge::text::printable;
use crate::report::limits::LimitEntry;
use crate::report::saved;
use crate::scenario::load::{Arrivals, Plan, Traffic};
use crate::yaml::rate::Rate;

/// Of what an app's limit lets through, so much is used.
const USED: (u64, u32) = (3, 4);
/// Pairs of a call at the most: where pairs count, that many fewer calls.
const MOST_PAIRS: u32 = 20;
/// More than any report has.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub struct LearntArgs {
    /// Stays within the limits that a search has found, by the JSON report of msgext limits
    #[arg(long, value_name = "FILE", help_heading = NO_HEADING)]
    limits: Option<PathBuf>,
}

/// What a search has found out, as far as it has.
#[derive(Clone, Debug, PartialEq)]
pub struct LearntLimits {
    /// Where it is from.
    file: String,
    /// What else to do than to ask for less.
    otherwise: &'static str,
    app: Option<LearntLimit>,
    message: Option<LearntLimit>,
}

/// So many calls in a window; `None` for no limit.
type LearntLimit = Option<Rate>;

impl LearntArgs {
    pub fn read(&self) -> Result<Option<LearntLimits>, Failure> {
        self.limits.as_deref().map(read).transpose()
    }
}

fn read(path: &Path) -> Result<LearntLimits, Failure> {
    let (name, text) = files::read_up_to(path, MOST_BYTES)?;
    let wrong = |why: &dyn Display| Failure::usage(format!("{why}; --limits takes the report.json of `msgext limits`"));
    let report = saved::read(&name, &text).map_err(|error| wrong(&error))?;
    if report.command != "limits" {
        return Err(wrong(&format!("{name} is a report of `msgext {}`", printable(&report.command))));
    }
    let of = |scope: &str| report.limits.iter().find(|limit| limit.scope == scope).and_then(learnt);
    Ok(LearntLimits { app: of("app"), message: of("message"), file: name, otherwise: "leave --limits out" })
}

/// For a command that may go beyond the limits.
#[derive(Debug, clap::Args)]
pub struct MannersArgs {
    /// Goes beyond the documented limits at the vendor's own service, too, where other calls of the app feel it
    #[arg(long, help_heading = NO_HEADING)]
    yes_break_limits: bool,
}

impl MannersArgs {
    /// Refuses a plan that goes beyond the documented limits of the vendor's own service; a search tries `most` calls a second.
    pub fn admit(&self, named: &Named, plan: &Plan, most: Option<f64>) -> Result<(), Failure> {
        if self.yes_break_limits || !named.is_vendors() {
            return Ok(());
        }
        LearntLimits::documented().admit(plan, most)
    }

    /// Refuses a search that goes beyond the limits to find them out.
    pub fn admit_search(&self, named: &Named) -> Result<(), Failure> {
        if self.yes_break_limits || !named.is_vendors() {
            return Ok(());
        }
        let why = "it finds limits out by going beyond them, which other calls of the app feel";
        Err(Failure::usage(format!("{}: {why}: say --yes-break-limits, where the app is one that nobody else needs", named.name)))
    }
}

/// `None` where the search has not found it out.
fn learnt(limit: &LimitEntry) -> Option<LearntLimit> {
    if limit.kind == "none" {
        return Some(None);
    }
    let (calls, window) = limit.limit.zip(limit.window_s)?;
    // Where pairs count, a call takes as many as it may have.
    let weight = if limit.unit.as_deref() == Some("kv") { MOST_PAIRS } else { 1 };
    let per = Duration::try_from_secs_f64(window).ok().filter(|window| !window.is_zero())?;
    Some(Some(Rate { calls, per: per.checked_mul(weight)? }))
}

impl LearntLimits {
    /// What the documentation says of the service itself.
    fn documented() -> LearntLimits {
        let limit = |per| Some(Some(Rate { calls: 200, per }));
        LearntLimits {
            file: "by the documentation".to_owned(),
            otherwise: "say --yes-break-limits, where the app is one that nobody else needs",
            app: limit(Duration::from_secs(1)),
            message: limit(Duration::from_mins(1)),
        }
    }

    /// The request budget that stays within the app's limit.
    pub fn budget(&self) -> Result<RequestRate, Failure> {
        let (share, of) = USED;
        match self.known(self.app, "app")? {
            Some(Rate { calls, per }) => Ok(RequestRate::Limited(Rate { calls: calls * share, per: per * of })),
            None => Ok(RequestRate::Unlimited),
        }
    }

    /// Refuses a plan that goes beyond one of the limits; a search tries `most` calls a second.
    pub fn admit(&self, plan: &Plan, most: Option<f64>) -> Result<(), Failure> {
        let phases = plan.phases.iter().map(|phase| (peak(&phase.arrivals), phase.traffic.as_ref().unwrap_or(&plan.traffic)));
        for (asked, Traffic { choice, messages: (from, to), .. }) in phases.chain(most.map(|most| (most, &plan.traffic))) {
            self.within(self.app, "app", "the app", asked, "a lower rate")?;
            self.within(
                self.message,
                "message",
                "one message",
                asked * choice.hottest(to - from),
                "more messages, or a lower rate",
            )?;
        }
        Ok(())
    }

    fn within(&self, limit: Option<LearntLimit>, whose: &str, on: &str, asked: f64, instead: &str) -> Result<(), Failure> {
        let Some(limit) = self.known(limit, whose)?.filter(|limit| asked > limit.per_second()) else { return Ok(()) };
        let what = if asked.is_finite() { format!("up to {asked:.1} calls a second") } else { "as many calls as go".to_owned() };
        let (calls, seconds, Self { file, otherwise, .. }) = (limit.calls, limit.per.as_secs_f64(), self);
        Err(Failure::usage(format!(
            "{what} on {on} are beyond its limit of {calls} in {seconds} s ({file}): take {instead}, or {otherwise}"
        )))
    }

    fn known(&self, limit: Option<LearntLimit>, whose: &str) -> Result<LearntLimit, Failure> {
        limit.ok_or_else(|| Failure::usage(format!("{}: the search has not found out the {whose}'s limit", self.file)))
    }
}

/// Calls a second at the most.
fn peak(arrivals: &Arrivals) -> f64 {
    match arrivals {
        Arrivals::Rest(_) => 0.0,
        Arrivals::Ramp { from, to, .. } => from.per_second().max(to.per_second()),
        Arrivals::Count { rate, .. } | Arrivals::Bursts { rate, .. } => rate.per_second(),
        Arrivals::Saturate { .. } => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(app: Option<LearntLimit>) -> LearntLimits {
        LearntLimits { file: "report.json".to_owned(), otherwise: "leave --limits out", app, message: Some(None) }
    }

    #[test]
    fn a_budget_is_three_quarters_of_the_limit_and_what_is_not_known_is_no_budget() {
        let rate = |found: LearntLimits| match found.budget() {
            Ok(RequestRate::Limited(rate)) => Some(rate.per_second()),
            Ok(RequestRate::Unlimited) => Some(f64::INFINITY),
            Err(_) => None,
        };
        assert_eq!(rate(limits(Some(Some(Rate { calls: 80, per: Duration::from_secs(2) })))), Some(30.0));
        assert_eq!(rate(limits(Some(None))), Some(f64::INFINITY));
        assert_eq!(rate(limits(None)), None);
    }
}
