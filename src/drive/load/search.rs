//! The search for a capacity carried out: one trial after another on the same messages, each a run of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::run::{Event, Run, Watcher, run};
use super::{Ground, LoadError};
use crate::history::Class;
use crate::judge::capacity::{Capacity, Limiter, Outcome, Search, Step, Verdict};
use crate::judge::check::{evaluate, implied};
use crate::scenario::load::check::Check;
use crate::scenario::load::{Arrivals, Phase, Plan, Rate, Spacing};

/// Of the calls of a trial one in so many may be refused, or find no connection, before that is what decides it.
const ONE_IN: u64 = 1000;
/// What is still in line when a trial ends waits no longer: it was offered more than it could take.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is searched for, and how.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What has to hold at a rate for it to pass. That nothing fails and nothing is lost goes without saying.
    pub slo: Vec<Check>,
    pub start: f64,
    pub max: f64,
    pub trial: Duration,
    pub confirmation: Duration,
}

/// Answers come as close as this share of the rate.
const PRECISION: f64 = 0.05;

/// What happens, for whoever watches.
pub enum Stage<'a> {
    /// A trial begins; it is the only phase of this plan.
    Trial(&'a Plan),
    Event(Event<'a>),
    /// Why it did not pass, where it did not.
    Ended {
        plan: &'a Plan,
        run: &'a Run,
        passed: bool,
        why: Option<&'a str>,
    },
}

/// The search at its end. Each trial is a phase of the plan and of the run.
pub struct Searched {
    pub capacity: Capacity,
    pub plan: Plan,
    pub run: Run,
    /// For each trial why it did not pass.
    pub whys: Vec<Option<String>>,
}

/// Searches with the traffic of `plan`, whose phases do not matter; `stop` turning true ends it early.
pub fn search(
    ground: &mut Ground<'_>,
    plan: &Plan,
    terms: &Terms,
    stop: &Arc<AtomicBool>,
    ticks: bool,
    watch: &mut (dyn FnMut(Stage<'_>) + Send),
) -> Result<Searched, LoadError> {
    let slo: Vec<Check> = terms.slo.iter().cloned().chain(implied(&terms.slo.iter().collect::<Vec<_>>())).collect();
    let bare = Plan { phases: Vec::new(), checks: slo, limits: None, patience: Some(PATIENCE), ..plan.clone() };
    let mut searched = Searched { capacity: Capacity::default(), plan: bare.clone(), run: Run::default(), whys: Vec::new() };
    let mut search = Search::new(terms.start, terms.max, PRECISION);
    while let Step::Trial { rate, confirm } = search.next() {
        let trial = Plan { phases: vec![phase(terms, rate, confirm, searched.whys.len() + 1)], ..bare.clone() };
        watch(Stage::Trial(&trial));
        let ran = run(ground, &trial, stop, Watcher { ticks, tell: &mut |event| watch(Stage::Event(event)) })?;
        if stop.load(Ordering::Relaxed) {
            searched.run.incomplete = Some("cut short before the search had come to its end".to_owned());
            break;
        }
        let (verdict, why) = judged(&trial, &ran);
        watch(Stage::Ended { plan: &trial, run: &ran, passed: verdict == Verdict::Passed, why: why.as_deref() });
        let tally = &ran.total;
        let response = tally.response(None);
        search.record(Outcome {
            verdict,
            achieved: tally.of(Class::Accepted) as f64 / ran.phases[0].elapsed.as_secs_f64().max(1e-9),
            p50: response.quantile(0.5),
            p99: response.quantile(0.99),
            p999: response.quantile(0.999),
        });
        searched.plan.phases.extend(trial.phases);
        searched.run.append(ran);
        searched.whys.push(why);
    }
    searched.capacity = search.capacity();
    Ok(searched)
}

fn phase(terms: &Terms, rate: f64, confirm: bool, number: usize) -> Phase {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive, and far below 2^50")]
    let thousandths = (rate * 1000.0).round() as u64;
    let rate = Rate { calls: thousandths.max(1), per: Duration::from_secs(1000) };
    let duration = if confirm { terms.confirmation } else { terms.trial };
    let name = format!("{}-{number}-at-{:.0}", if confirm { "confirmation" } else { "trial" }, rate.per_second());
    Phase::bare(&name, Arrivals::Ramp { from: rate, to: rate, duration, spacing: Spacing::Even })
}

/// What a trial came to, and why it did not pass. First what says nothing of the target, then what it did itself.
fn judged(plan: &Plan, run: &Run) -> (Verdict, Option<String>) {
    let tally = &run.total;
    let refused = tally.of(Class::Refused);
    if refused * ONE_IN > tally.sent {
        let codes: Vec<String> =
            tally.codes.iter().filter(|(code, _)| **code != 0).map(|(code, calls)| format!("{calls} with {code}")).collect();
        return (Verdict::Limited(Limiter::Limit), Some(format!("a limit refused {refused} calls: {}", codes.join(", "))));
    }
    if tally.unsent * ONE_IN > tally.planned {
        let why = format!("{} of {} calls found no connection free", tally.unsent, tally.planned);
        return (Verdict::Failed, Some(why));
    }
    if let Some((_, doubt)) = run.doubts(plan).into_iter().find(|(_, doubt)| doubt.of_generator) {
        return (Verdict::Limited(Limiter::Generator), Some(doubt.reason));
    }
    let elapsed = run.phases[0].elapsed;
    let checked = plan.checks.iter().map(|check| evaluate(check, tally, elapsed, run.findings.total()));
    match checked.into_iter().find(|checked| checked.holds != Some(true)) {
        Some(checked) => (Verdict::Failed, Some(format!("{}: {}", checked.text, checked.actual))),
        None => (Verdict::Passed, None),
    }
}
