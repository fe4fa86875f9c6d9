//! One trial of a search for a capacity: did its rate pass, and if not, who is to blame?

use super::capacity::{TrialOutcome, TrialVerdict};
use super::check::evaluate;
use super::measured::Measured;
use super::verdict::doubts_of;
use crate::history::Class;

/// Of the calls of a trial one in so many may be refused, or find no connection, before that is what decides it.
const ONE_IN: u64 = 1000;

/// What a trial came to, and why it did not pass. First what says nothing of the target, then what it did itself.
pub fn judge_trial(measured: &Measured) -> (TrialVerdict, Option<String>) {
    let tally = measured.total();
    let refused = tally.of(Class::Refused);
    if refused * ONE_IN > tally.sent {
        let codes: Vec<String> =
            tally.codes.iter().filter(|(code, _)| **code != 0).map(|(code, calls)| format!("{calls} with {code}")).collect();
        return (TrialVerdict::LimitRefused, Some(format!("a limit refused {refused} calls: {}", codes.join(", "))));
    }
    if tally.unsent * ONE_IN > tally.planned {
        let why = format!("{} of {} calls found no connection free", tally.unsent, tally.planned);
        return (TrialVerdict::Failed, Some(why));
    }
    if let Some(doubt) = doubts_of(measured).into_iter().find(|doubt| doubt.of_generator) {
        return (TrialVerdict::GeneratorLimited, Some(doubt.reason));
    }
    let elapsed = measured.phases[0].elapsed;
    let checked = measured.plan.checks.iter().map(|check| evaluate(check, &tally, elapsed, measured.findings.total()));
    match checked.into_iter().find(|checked| checked.holds != Some(true)) {
        Some(checked) => (TrialVerdict::Failed, Some(format!("{}: {}", checked.text, checked.actual))),
        None => (TrialVerdict::Passed, None),
    }
}

/// The outcome of a trial, as its search takes it.
pub fn trial_outcome(measured: &Measured, verdict: TrialVerdict) -> TrialOutcome {
    let tally = measured.total();
    let response = tally.response(None);
    TrialOutcome {
        verdict,
        achieved: tally.of(Class::Accepted) as f64 / measured.phases[0].elapsed.as_secs_f64().max(1e-9),
        p50: response.quantile(0.5),
        p99: response.quantile(0.99),
        p999: response.quantile(0.999),
    }
}
