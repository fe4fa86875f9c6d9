//! The clauses on limits, LIM-1 to LIM-4, from the calls of a whole run: which hold, which are broken, and what was not seen.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ledger::Difference;
use super::measured::TimedCall;
use crate::history::Fate;
use crate::judge::limiter::{Decision, Direction, LimiterJudgement, Timed, Violation, judge};
use crate::judge::text::counted;
use crate::scenario::load::Rate;
use crate::verdict::Verdict;

/// What came of one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClauseOutcome {
    pub clause: Cow<'static, str>,
    pub verdict: Verdict,
    pub findings: Vec<Broken>,
    /// Findings in all.
    pub total: u64,
}

/// One call that no lawful limiter could have answered so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub phase: usize,
    pub difference: Difference,
}

/// Judges all calls, which are in the order of their sending.
pub fn outcomes(calls: &[TimedCall], app: Rate, message: Rate) -> Vec<ClauseOutcome> {
    let mut clauses: BTreeMap<&'static str, (Vec<Broken>, u64)> = BTreeMap::new();
    let app_calls = ScopeCalls::new(calls.iter(), Fate::RefusedForApp);
    app_calls.judge(app, ["LIM-1", "LIM-2"], "the app", &mut clauses);
    let mut by_message: BTreeMap<u32, Vec<&TimedCall>> = BTreeMap::new();
    for call in calls {
        by_message.entry(call.message).or_default().push(call);
    }
    let messages: Vec<(u32, ScopeCalls<'_>)> = by_message
        .into_iter()
        .map(|(number, calls)| (number, ScopeCalls::new(calls.into_iter(), Fate::RefusedForMessage)))
        .collect();
    for (number, scope) in &messages {
        // A message that was never called beyond its limit is refused for another's sake, if at all.
        let within = scope.calls.len() as u64 <= message.calls;
        let strict = if within { "LIM-4" } else { "LIM-3" };
        scope.judge(message, [strict, "LIM-4"], &format!("message {}", number + 1), &mut clauses);
    }
    let hottest = messages.iter().map(|(_, scope)| scope).max_by_key(|scope| scope.calls.len());
    let seen = [
        ("LIM-1", app_calls.served_in_one(app)),
        ("LIM-2", app_calls.refused_and_served_again("app")),
        ("LIM-3", hottest.map_or(Err("no call was made".into()), |hottest| hottest.served_in_one(message))),
        ("LIM-4", hottest.map_or(Err("no call was made".into()), |hottest| hottest.refused_and_served_again("message"))),
    ];
    let outcome = |(clause, seen): (&'static str, Result<(), String>)| {
        let (findings, total) = clauses.remove(clause).unwrap_or_default();
        let verdict = match seen {
            _ if total > 0 => Verdict::Fail,
            Ok(()) => Verdict::Pass,
            Err(why) => Verdict::Unknown(why),
        };
        ClauseOutcome { clause: clause.into(), verdict, findings, total }
    };
    seen.into_iter().map(outcome).collect()
}

/// The calls that one limiter counts.
struct ScopeCalls<'c> {
    calls: Vec<&'c TimedCall>,
    timed: Vec<Timed>,
}

impl<'c> ScopeCalls<'c> {
    fn new(calls: impl Iterator<Item = &'c TimedCall>, refused_by: Fate) -> ScopeCalls<'c> {
        let calls: Vec<&TimedCall> = calls.collect();
        let decision = |fate| match fate {
            Fate::Accepted | Fate::Conflict => Decision::Admitted,
            Fate::Lost => Decision::Lost,
            fate if fate == refused_by => Decision::Refused,
            Fate::RefusedForApp | Fate::RefusedForMessage | Fate::Error => Decision::Unknown,
        };
        let timed = |call: &&TimedCall| Timed { sent: call.sent, received: call.received, decision: decision(call.fate) };
        ScopeCalls { timed: calls.iter().map(timed).collect(), calls }
    }

    fn count(&self, decision: Decision) -> usize {
        self.timed.iter().filter(|timed| timed.decision == decision).count()
    }

    fn judge(
        &self,
        limit: Rate,
        [strict, lenient]: [&'static str; 2],
        whose: &str,
        into: &mut BTreeMap<&'static str, (Vec<Broken>, u64)>,
    ) {
        // Without a refusal, and with no more calls than the limit, there is nothing that a limiter could have got wrong.
        if self.count(Decision::Refused) == 0 && self.timed.len() as u64 <= limit.calls {
            return;
        }
        let judgement = judge(limit.calls, limit.per, &self.timed);
        if judgement.is_lawful() {
            return;
        }
        let recovery = |violation: &Violation| violation.direction == Direction::TooStrict && violation.counted * 2 < limit.calls;
        for violation in &judgement.violations {
            // Refusing where hardly anything can have counted is not a tighter limit, but one that does not recover.
            let clause = match violation.direction {
                Direction::TooStrict if recovery(violation) => lenient,
                Direction::TooStrict => strict,
                Direction::TooLenient => lenient,
            };
            let call = self.calls[violation.call];
            let entry = into.entry(clause).or_default();
            entry.1 += 1;
            entry.0.push(Broken {
                phase: usize::from(call.phase),
                difference: Difference {
                    clause: clause.into(),
                    subject: format!("a call of {whose}, {:.3} s into the run", call.sent as f64 / 1e9),
                    expected: violation.expected().to_owned(),
                    actual: format!("{} ({})", violation.actual(), totals(&judgement)),
                },
            });
        }
    }

    /// Whether one window saw as many calls served as the limit allows.
    fn served_in_one(&self, limit: Rate) -> Result<(), String> {
        let window = u64::try_from(limit.per.as_nanos()).unwrap_or(u64::MAX);
        let served: Vec<u64> =
            self.timed.iter().filter(|timed| timed.decision == Decision::Admitted).map(|timed| timed.sent).collect();
        let full = served.windows(usize::try_from(limit.calls).unwrap_or(usize::MAX).max(1));
        let mut full = full.map(|calls| calls[calls.len() - 1] - calls[0]);
        if full.any(|took| took < window) {
            return Ok(());
        }
        Err(format!("never were {} calls served within {:?}: the run did not ask for so many", limit.calls, limit.per))
    }

    fn refused_and_served_again(&self, whose: &str) -> Result<(), String> {
        let first_refused = self.timed.iter().position(|timed| timed.decision == Decision::Refused);
        let Some(first_refused) = first_refused else {
            return Err(format!("the {whose}'s limit refused nothing, and did not have to"));
        };
        // That it is served as soon as it has to be is for the judge of the limiter.
        let again = self.timed[first_refused..].iter().any(|timed| timed.decision == Decision::Admitted);
        if again { Ok(()) } else { Err("nothing was served after the first refusal".to_owned()) }
    }
}

fn totals(judgement: &LimiterJudgement) -> String {
    let strict = counted(usize::try_from(judgement.too_strict).unwrap_or(usize::MAX), "call");
    let lenient = counted(usize::try_from(judgement.too_lenient).unwrap_or(usize::MAX), "call");
    format!(
        "taken for a {}, the closest lawful kind, it refused {strict} and admitted {lenient} that it may not",
        judgement.closest
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::limiter::{Admission, Algorithm, Limit as Rule, Limiter};

    const APP: Rate = Rate { calls: 20, per: Duration::from_secs(1) };
    const MESSAGE: Rate = Rate { calls: 30, per: Duration::from_mins(1) };

    /// A message is called 80 times in 8 s, another one with it; the app is called 60 times at once, and after two minutes
    /// all is called again.
    #[expect(clippy::cast_possible_truncation, reason = "a remainder below seven")]
    fn run(app: u64, message: u64, shared: bool) -> Vec<String> {
        let rule = |kind, limit, window| Limiter::new(&Rule::new(kind, limit, window));
        let mut app = rule(Algorithm::SlidingLog, app, APP.per);
        let mut messages: Vec<Limiter> = (0..7).map(|_| rule(Algorithm::SlidingLog, message, MESSAGE.per)).collect();
        let heat = (0..80).flat_map(|i| [(i * 100, 0), (i * 100 + 50, i as u32 % 6 + 1)]);
        let burst = (0..60).map(|i| (10_000 + i, 1 + i as u32 % 6));
        let again = (0..20).map(|i| (140_000 + i * 100, i as u32 % 3));
        let calls = heat.chain(burst).chain(again).map(|(ms, number)| {
            let sent = ms * 1_000_000;
            let now = Duration::from_hours(472_222) + Duration::from_nanos(sent + 100_000);
            let held = &mut messages[if shared { 0 } else { number as usize }];
            let fate = match app.admit(now, 1) {
                Admission::Refuse => Fate::RefusedForApp,
                _ if held.admit(now, 1) == Admission::Refuse => Fate::RefusedForMessage,
                _ => Fate::Accepted,
            };
            TimedCall { message: number, phase: 0, sent, received: sent + 200_000, fate }
        });
        let outcomes = outcomes(&calls.collect::<Vec<_>>(), APP, MESSAGE);
        assert!(outcomes.iter().all(|outcome| (outcome.verdict == Verdict::Fail) == (outcome.total > 0)));
        let broken = |outcome: &ClauseOutcome| outcome.verdict == Verdict::Fail;
        outcomes.into_iter().filter(broken).map(|outcome| outcome.clause.into_owned()).collect()
    }

    #[test]
    fn lawful_limits_pass_and_each_wrong_one_breaks_its_clause() {
        assert_eq!(run(20, 30, false), Vec::<String>::new());
        assert_eq!(run(19, 30, false), ["LIM-1"]);
        assert_eq!(run(1000, 30, false), ["LIM-2"]);
        assert_eq!(run(20, 29, false), ["LIM-3"]);
        assert_eq!(run(20, 1000, false), ["LIM-4"]);
        assert!(run(20, 30, true).contains(&"LIM-4".to_owned()));
    }

    #[test]
    fn what_was_not_asked_for_is_unknown() {
        let call = |ms: u64| TimedCall {
            message: 0,
            phase: 0,
            sent: ms * 1_000_000,
            received: ms * 1_000_000 + 1,
            fate: Fate::Accepted,
        };
        let outcomes = outcomes(&(0..10).map(|i| call(i * 100)).collect::<Vec<_>>(), APP, MESSAGE);
        assert!(outcomes.iter().all(|outcome| matches!(outcome.verdict, Verdict::Unknown(_))), "{outcomes:?}");
    }
}
