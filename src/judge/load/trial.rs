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
    if let Some(doubt) = doubts_of(measured).into_iter().find(|doubt| doubt.of_generator) {
        return (TrialVerdict::GeneratorLimited, Some(doubt.reason));
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::load::fixture::measured;

    const TRIAL: &str = "title: t\nphases:\n  - {name: at-10, rate: 10/s, for: 4s}\nchecks: ['p99 response < 50ms']\n";

    fn trial(change: impl FnOnce(&mut Measured)) -> (TrialVerdict, String) {
        let mut run = measured(TRIAL);
        change(&mut run);
        let (verdict, why) = judge_trial(&run);
        (verdict, why.unwrap_or_default())
    }

    #[test]
    fn each_trial_names_who_kept_it_from_passing() {
        assert_eq!(trial(|_| {}), (TrialVerdict::Passed, String::new()));
        let slow = |run: &mut Measured| run.phases[0].tally.response[Class::Accepted as usize].record(Duration::from_secs(1));
        assert_eq!(trial(slow).0, TrialVerdict::Failed);
        let (verdict, why) = trial(|run| {
            slow(run);
            (0..9).for_each(|_| run.phases[0].tally.lag.record(Duration::from_millis(40)));
        });
        assert!(verdict == TrialVerdict::GeneratorLimited && why.contains("the generator was late"), "{why}");
        let (verdict, why) = trial(|run| {
            run.phases[0].tally.classes[Class::Refused as usize] = 7;
            run.phases[0].tally.codes.insert(60007, 7);
        });
        assert_eq!((verdict, why.as_str()), (TrialVerdict::LimitRefused, "a limit refused 7 calls: 7 with 60007"));
        let (verdict, why) = trial(|run| run.phases[0].tally.unsent = 2);
        assert_eq!((verdict, why.as_str()), (TrialVerdict::Failed, "2 of 40 calls found no connection free"));
    }
}
