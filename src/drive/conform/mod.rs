//! A conformance run: every planned scenario, side by side, within one budget of requests.

pub mod walk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use super::ground::{Ground, GroundError};
use super::probe::Found;
use super::stop::Stop;
use super::target::{CallsAtOnce, MessageSource, Target, TargetPlace};
use crate::api::MemberCalls;
use crate::scenario::conform::plan::Planned;
use crate::scenario::{Caller, MessageKind};
use crate::spec::Spec;
use crate::verdict::{RequestCount, ScenarioOutcome, Verdict};
use crate::yaml::rate::Rate;
use walk::walk;

/// Scenarios that run at the same time, where nothing else is said.
pub const SIDE_BY_SIDE: usize = 16;

/// What the user chose of a run.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one choice of the user's")]
pub struct ConformOptions {
    /// The budget of requests over everything; `None` for none.
    pub rate: Option<Rate>,
    /// Leaves out scenarios that wait.
    pub fast: bool,
    /// Ends the run at the first failure that decides.
    pub fail_fast: bool,
    /// `should` clauses decide too.
    pub strict: bool,
    /// Scenarios that run at the same time.
    pub jobs: usize,
    /// Keeps every exchange, and not only those that a finding shows.
    pub keeps_exchanges: bool,
    pub seed: u64,
}

/// Something that happened, for whoever shows the progress.
#[derive(Debug)]
pub enum Event<'a> {
    Started(&'a Planned),
    Ended(&'a Planned, &'a ScenarioOutcome),
}

/// A run at its end.
#[derive(Debug)]
pub struct ConformRun {
    /// In the order of the plan.
    pub outcomes: Vec<ScenarioOutcome>,
    pub found: Found,
    /// Why it was cut short, where it was.
    pub incomplete: Option<String>,
    pub elapsed: Duration,
}

/// Runs the plan. `stop` ends the run early: what is done is kept, the rest is unknown.
pub async fn run(
    spec: &Spec,
    plan: &[Planned],
    target: &Target,
    place: &TargetPlace,
    options: &ConformOptions,
    stop: &Stop,
    events: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Result<ConformRun, GroundError> {
    let mut ground = Ground::prepare(target, place, options.seed, options.rate, stop).await?;
    ground.keeps_exchanges = options.keeps_exchanges;
    if options.jobs.min(plan.len()) > 1 || plan.iter().any(|planned| planned.needs().at_once) {
        ground.ask_at_once(stop).await?;
    }
    let ground = &ground;
    let failed = AtomicBool::new(false);
    let one = |planned| {
        let failed = &failed;
        async move {
            let over = stop.is_set() || failed.load(Ordering::Relaxed);
            let mut outcome = match left_out(planned, ground, options) {
                Some(why) => untested(planned, Verdict::Skipped(why)),
                None if over => untested(planned, Verdict::Unknown("the run ended before it".to_owned())),
                None => {
                    events(Event::Started(planned));
                    tokio::select! {
                        outcome = walked(spec, planned, ground) => outcome,
                        () = stop.wait() => untested(planned, Verdict::Unknown("interrupted".to_owned())),
                    }
                }
            };
            if options.fail_fast && outcome.findings.iter().any(|finding| spec.decides(&finding.clause, options.strict)) {
                failed.store(true, Ordering::Relaxed);
            }
            events(Event::Ended(planned, &outcome));
            if !options.keeps_exchanges {
                outcome.let_go();
            }
            outcome
        }
    };
    // Whatever uses up the app's own limit goes last, and alone.
    let (together, alone): (Vec<_>, Vec<_>) = plan.iter().enumerate().partition(|(_, planned)| !planned.scenario.alone);
    let mut outcomes = Vec::with_capacity(plan.len());
    for (group, width) in [(together, ground.at_once(options.jobs)), (alone, 1)] {
        let indexed = group.into_iter().map(|(index, planned)| {
            let outcome = one(planned);
            async move { (index, outcome.await) }
        });
        outcomes.extend(stream::iter(indexed).buffer_unordered(width).collect::<Vec<_>>().await);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let incomplete = if stop.is_set() {
        Some("interrupted".to_owned())
    } else {
        failed.load(Ordering::Relaxed).then(|| "ended at the first failure (--fail-fast)".to_owned())
    };
    Ok(ConformRun { outcomes, found: ground.found, incomplete, elapsed: ground.elapsed() })
}

fn untested(planned: &Planned, verdict: Verdict) -> ScenarioOutcome {
    ScenarioOutcome {
        id: planned.id.clone(),
        verdict,
        findings: Vec::new(),
        observations: Vec::new(),
        exchanges: Vec::new(),
        requests: RequestCount::default(),
        elapsed: Duration::ZERO,
    }
}

async fn walked(spec: &Spec, planned: &Planned, ground: &Ground<'_>) -> ScenarioOutcome {
    let (session, _launched) = ground.session(planned.scenario.embedded.clone()).await;
    walk(spec, planned, &session).await
}

/// Why a target that lists its messages has none of a kind that the scenario needs, and never had.
fn unlisted(planned: &Planned, source: &MessageSource) -> Option<&'static str> {
    let MessageSource::Listed(listed) = source else { return None };
    let lists_unsupported = listed.iter().any(|message| !message.supports_extension);
    planned.messages().into_values().find_map(|kind| match kind {
        MessageKind::FromAdmin => Some("the target's list has no message of the admin's own"),
        MessageKind::Unsupported if !lists_unsupported => Some("the target's list has no message without extension support"),
        MessageKind::Sent | MessageKind::Unsupported | MessageKind::Missing => None,
    })
}

/// Why a scenario is not run on this target, by these options.
fn left_out(planned: &Planned, ground: &Ground<'_>, options: &ConformOptions) -> Option<String> {
    let (needs, found) = (planned.needs(), ground.found);
    let uses_members = needs.callers.iter().any(|caller| *caller != Caller::Admin);
    if options.fast && needs.waits && !ground.is_embedded() {
        return Some("it waits (--fast)".to_owned());
    }
    if uses_members && found.member_calls == MemberCalls::Nobody {
        return Some(match ground.target.member_calls {
            Some(_) => "it needs member calls (--member-calls none)".to_owned(),
            None => "it needs member calls, and the target takes none".to_owned(),
        });
    }
    if needs.at_once && found.calls_at_once == CallsAtOnce::One {
        return Some("it sends calls at once, and the target takes one at a time".to_owned());
    }
    if needs.without_plan && ground.target.without_plan.is_none() {
        return Some("the target names no app without the plan".to_owned());
    }
    if let Some(why) = unlisted(planned, &ground.target.messages) {
        return Some(why.to_owned());
    }
    let budget =
        options.rate.filter(|rate| planned.scenario.needs_rate.is_some_and(|needed| f64::from(needed) > rate.per_second()));
    budget.map(|rate| {
        let needed = planned.scenario.needs_rate.unwrap_or_default();
        format!("it has to send {needed} requests a second, and the budget is {rate} (--rate none lifts it)")
    })
}
