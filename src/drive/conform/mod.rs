//! A conformance run: every planned scenario, side by side, within one budget of requests.

pub mod walk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, SetupError};
use super::conform::walk::walk;
use super::line::Session;
use super::messages::Pool;
use super::pace::Budget;
use super::probe::{Found, ProbeError, probe};
use super::target::{Clock, Launched, MemberCalls, ReadBack, Target, TargetPlace};
use crate::scenario::conform::plan::Planned;
use crate::scenario::{Caller, EmbeddedSetup};
use crate::spec;
use crate::verdict::{ScenarioOutcome, Verdict};

/// Scenarios that run at the same time.
const SIDE_BY_SIDE: usize = 16;

/// What the user chose of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests a second over everything; `None` for no budget.
    pub rate: Option<u32>,
    /// Leaves out scenarios that wait.
    pub fast: bool,
    /// Ends the run at the first failure that decides.
    pub fail_fast: bool,
    /// `should` clauses decide too.
    pub strict: bool,
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
pub struct Run {
    /// In the order of the plan.
    pub outcomes: Vec<ScenarioOutcome>,
    pub found: Found,
    /// Why it was cut short, where it was.
    pub incomplete: Option<String>,
    pub elapsed: Duration,
}

/// Why nothing was tested.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error("cut short before the target was known")]
    Interrupted,
}

/// Runs the plan. `interrupted` turning true ends the run early: what is done is kept, the rest is unknown.
pub async fn run(
    plan: &[Planned],
    target: &Target,
    options: &Options,
    interrupted: watch::Receiver<bool>,
    events: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Result<Run, RunError> {
    let start = Instant::now();
    let run = Context {
        target,
        client: Client::new(target.timeout)?,
        options,
        budget: Budget::per_second(options.rate),
        pool: Pool::new(&target.messages),
        start,
    };
    let found = tokio::select! {
        found = run.probe() => found?,
        () = turned(interrupted.clone()) => return Err(RunError::Interrupted),
    };
    let failed = AtomicBool::new(false);
    let one = |planned| {
        let (run, failed, mut interrupted) = (&run, &failed, interrupted.clone());
        async move {
            let over = *interrupted.borrow_and_update() || failed.load(Ordering::Relaxed);
            let outcome = match run.left_out(planned, found) {
                Some(why) => untested(planned, Verdict::Skipped(why)),
                None if over => untested(planned, Verdict::Unknown("the run ended before it".to_owned())),
                None => {
                    events(Event::Started(planned));
                    tokio::select! {
                        outcome = run.walk(planned, found) => outcome,
                        () = turned(interrupted) => untested(planned, Verdict::Unknown("interrupted".to_owned())),
                    }
                }
            };
            if options.fail_fast
                && outcome.findings.iter().any(|finding| spec::bundled().decides(&finding.clause, options.strict))
            {
                failed.store(true, Ordering::Relaxed);
            }
            events(Event::Ended(planned, &outcome));
            outcome
        }
    };
    // Whatever uses up the app's own limit goes last, and alone.
    let (together, alone): (Vec<_>, Vec<_>) = plan.iter().enumerate().partition(|(_, planned)| !planned.scenario.alone);
    let mut outcomes = Vec::with_capacity(plan.len());
    for (group, width) in [(together, SIDE_BY_SIDE), (alone, 1)] {
        let indexed = group.into_iter().map(|(index, planned)| {
            let outcome = one(planned);
            async move { (index, outcome.await) }
        });
        outcomes.extend(stream::iter(indexed).buffer_unordered(width).collect::<Vec<_>>().await);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let incomplete = if *interrupted.borrow() {
        Some("interrupted".to_owned())
    } else {
        failed.load(Ordering::Relaxed).then(|| "ended at the first failure (--fail-fast)".to_owned())
    };
    Ok(Run { outcomes, found, incomplete, elapsed: start.elapsed() })
}

async fn turned(mut interrupted: watch::Receiver<bool>) {
    if interrupted.wait_for(|interrupted| *interrupted).await.is_err() {
        // Nobody is left who could interrupt.
        std::future::pending::<()>().await;
    }
}

fn untested(planned: &Planned, verdict: Verdict) -> ScenarioOutcome {
    ScenarioOutcome {
        id: planned.id.clone(),
        verdict,
        findings: Vec::new(),
        observations: Vec::new(),
        exchanges: Vec::new(),
        elapsed: Duration::ZERO,
    }
}

struct Context<'a> {
    target: &'a Target,
    client: Client,
    options: &'a Options,
    budget: Budget,
    pool: Pool,
    start: Instant,
}

impl Context<'_> {
    /// A session, and what has to live as long as it.
    async fn session(&self, embedded: EmbeddedSetup) -> (Session<'_>, Option<Launched>) {
        let (client, clock, epoch, launched) = match &self.target.place {
            TargetPlace::Remote(url) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let epoch = now.saturating_sub(self.start.elapsed());
                (self.client.at(url.clone()), Clock::Real(self.start), epoch, None)
            }
            TargetPlace::Embedded(launch) => {
                let launched = launch(embedded).await;
                let clock = Clock::Virtual(launched.clock.clone());
                (self.client.at(launched.url.clone()), clock, Duration::ZERO, Some(launched))
            }
        };
        let session = Session {
            target: self.target,
            client,
            clock,
            budget: &self.budget,
            pool: &self.pool,
            member_calls: self.target.member_calls.unwrap_or(MemberCalls::Nobody),
            read_back: self.target.read_back.unwrap_or(ReadBack::Impossible),
            seed: self.options.seed,
            epoch,
        };
        (session, launched)
    }

    async fn probe(&self) -> Result<Found, RunError> {
        let (mut session, _launched) = self.session(EmbeddedSetup::default()).await;
        Ok(probe(&mut session).await?)
    }

    async fn walk(&self, planned: &Planned, found: Found) -> ScenarioOutcome {
        let (mut session, _launched) = self.session(planned.scenario.embedded.clone()).await;
        session.member_calls = found.member_calls;
        session.read_back = found.read_back;
        walk(planned, &session).await
    }

    /// Why a scenario is not run on this target, by these options.
    fn left_out(&self, planned: &Planned, found: Found) -> Option<String> {
        let needs = planned.needs();
        let uses_members = needs.callers.iter().any(|caller| *caller != Caller::Admin);
        if self.options.fast && needs.waits && matches!(self.target.place, TargetPlace::Remote(_)) {
            return Some("it waits (--fast)".to_owned());
        }
        if uses_members && found.member_calls == MemberCalls::Nobody {
            return Some(match self.target.member_calls {
                Some(_) => "it needs member calls (--member-calls none)".to_owned(),
                None => "it needs member calls, and the target takes none".to_owned(),
            });
        }
        if needs.peeks && found.read_back == ReadBack::Impossible {
            return Some("the target has no way to read a message back".to_owned());
        }
        if needs.without_plan && self.target.without_plan.is_none() {
            return Some("the target names no app without the plan".to_owned());
        }
        let budget = self.options.rate.filter(|rate| planned.scenario.needs_rate.is_some_and(|needed| needed > *rate));
        budget.map(|rate| {
            let needed = planned.scenario.needs_rate.unwrap_or_default();
            format!("it has to send {needed} requests a second, and the budget is {rate} (--rate none lifts it)")
        })
    }
}

/// Requests sent by a scenario, and how many of them were sent again.
pub fn counts(outcomes: &[ScenarioOutcome]) -> (u64, u64) {
    let exchanges = || outcomes.iter().flat_map(|outcome| &outcome.exchanges);
    let retries: u64 = exchanges().map(|exchange| u64::from(exchange.retries)).sum();
    (exchanges().count() as u64 + retries, retries)
}
