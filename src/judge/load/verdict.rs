//! From what was measured to what it comes to: checks, doubts, clauses, and one verdict with its reason.
//!
//! Whom to blame, in this order: the generator, the connections, the user who interrupted, and only then the target.

use std::borrow::Cow;

use super::check::{Checked, evaluate, implied};
use super::doubt::{Doubt, PhaseFacts, doubts};
use super::limits::{self, ClauseOutcome};
use super::measured::{Measured, MeasuredPhase};
use crate::history::Fate;
use crate::scenario::load::Arrivals;
use crate::scenario::load::check::Check;
use crate::verdict::{Overall, Verdict};

/// Everything that a load run comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadVerdict {
    /// One for each phase.
    pub phases: Vec<Verdict>,
    /// Of what the target held after the run.
    pub read_back: Verdict,
    /// The run's, and then each phase's; of a search, its answer alone.
    pub checks: Vec<Checked>,
    /// Why the run cannot be trusted.
    pub doubts: Vec<Doubt>,
    /// Those that the plan tests, and any other with a finding.
    pub clauses: Vec<ClauseOutcome>,
    pub overall: Overall,
    /// One line that says what decided.
    pub reason: String,
}

/// Judges a run.
pub fn judge(measured: &Measured) -> LoadVerdict {
    // A trial that cannot be trusted has told its search so.
    let doubts = if measured.searched.is_some() { Vec::new() } else { doubts_of(measured) };
    let checks = match &measured.searched {
        Some(searched) => vec![searched.checked()],
        None => checks(measured, &doubts),
    };
    let clauses = clauses(measured);
    let phases = phases(measured, &clauses);
    let read_back = read_back(measured);
    let (overall, reason) = overall(measured, &checks, &doubts, &clauses);
    LoadVerdict { phases, read_back, checks, doubts, clauses, overall, reason }
}

/// Why a run cannot be trusted, phase by phase.
pub fn doubts_of(measured: &Measured) -> Vec<Doubt> {
    let Measured { plan, phases, .. } = measured;
    let reached = plan.phases.iter().zip(phases).enumerate().filter(|(_, (_, measured))| measured.reached);
    let of_phase = reached.flat_map(|(index, (phase, measured))| {
        let checks: Vec<&Check> = plan.checks.iter().chain(&phase.checks).collect();
        doubts(&PhaseFacts {
            index,
            name: &phase.name,
            tally: &measured.tally,
            checks: &checks,
            busy: measured.busiest,
            fit: measured.fit,
            closed: matches!(phase.arrivals, Arrivals::Saturate { .. }),
        })
    });
    of_phase.collect()
}

/// Every check, and those that go without saying.
///
/// A generator that was late, or bunched its calls, makes a good target look slow and a limit refuse: then a check that does
/// not hold decides nothing, unless it is on what only the target can do.
fn checks(measured: &Measured, doubts: &[Doubt]) -> Vec<Checked> {
    let Measured { plan, findings, .. } = measured;
    let decides = |check: &Check, holds: bool, phase: Option<usize>| {
        let mut of_generator = doubts.iter().filter(|doubt| doubt.of_generator);
        let is_doubted = of_generator.any(|doubt| phase.is_none_or(|phase| phase == doubt.phase));
        holds || !is_doubted || check.is_on_the_target_alone()
    };
    let total = measured.total();
    let asked: Vec<&Check> = plan.checks.iter().chain(plan.phases.iter().flat_map(|phase| &phase.checks)).collect();
    let of_run = plan.checks.iter().cloned().chain(implied(&asked)).map(|check| {
        let checked = evaluate(&check, &total, measured.elapsed, findings.total());
        Checked { holds: checked.holds.filter(|holds| decides(&check, *holds, None)), ..checked }
    });
    let of_phases = plan.phases.iter().zip(&measured.phases).enumerate().flat_map(|(index, (phase, measured))| {
        let findings = findings.of_phase(index);
        let decides = &decides;
        phase.checks.iter().map(move |check| {
            let checked = evaluate(check, &measured.tally, measured.elapsed, findings);
            Checked {
                text: format!("{}: {}", phase.name, checked.text),
                holds: checked.holds.filter(|holds| measured.reached && decides(check, *holds, Some(index))),
                actual: checked.actual,
            }
        })
    });
    of_run.chain(of_phases).collect()
}

/// The clauses on limits, where the plan is there to test them, and whatever replies have broken.
fn clauses(measured: &Measured) -> Vec<ClauseOutcome> {
    let mut clauses = match measured.plan.limits {
        Some(limits) => {
            let mut clauses = limits::outcomes(&measured.calls, limits.app, limits.message);
            clauses.push(refused_changes_nothing(measured));
            clauses
        }
        None => Vec::new(),
    };
    for (clause, total) in &measured.findings.counts {
        // A clause with findings is broken, whatever else was seen of it.
        if let Some(known) = clauses.iter_mut().find(|known| known.clause == *clause) {
            known.verdict = Verdict::Fail;
        } else {
            let (clause, verdict) = (clause.clone(), Verdict::Fail);
            clauses.push(ClauseOutcome { clause, verdict, findings: Vec::new(), total: *total });
        }
    }
    clauses
}

/// LIM-5: the ledger finds what a refused call has changed.
fn refused_changes_nothing(measured: &Measured) -> ClauseOutcome {
    let clause = Cow::Borrowed("LIM-5");
    let total = measured.findings.counts.get(&clause).copied().unwrap_or(0);
    let refused = measured.calls.iter().any(|call| matches!(call.fate, Fate::RefusedForApp | Fate::RefusedForMessage));
    let verdict = match (total, refused) {
        (0, true) => Verdict::Pass,
        (0, false) => Verdict::Unknown("no call was refused".to_owned()),
        _ => Verdict::Fail,
    };
    ClauseOutcome { clause, verdict, findings: Vec::new(), total }
}

fn phases(measured: &Measured, clauses: &[ClauseOutcome]) -> Vec<Verdict> {
    let of_limits = |phase| clauses.iter().flat_map(|clause| &clause.findings).any(|broken| broken.phase == phase);
    let verdict = |(index, phase): (usize, &MeasuredPhase)| match phase.reached {
        _ if measured.findings.kept_of(index) || of_limits(index) => Verdict::Fail,
        true => Verdict::Pass,
        false => Verdict::Unknown("the run ended before it".to_owned()),
    };
    measured.phases.iter().enumerate().map(verdict).collect()
}

fn read_back(measured: &Measured) -> Verdict {
    match measured.read_back {
        _ if measured.findings.kept.iter().any(|kept| kept.phase.is_none()) => Verdict::Fail,
        Some(read_back) if read_back.read > 0 => Verdict::Pass,
        Some(_) => Verdict::Unknown("no message could be read back".to_owned()),
        None => Verdict::Skipped("the target has no way to read a message back".to_owned()),
    }
}

/// What a load run comes to, and what decided.
fn overall(measured: &Measured, checks: &[Checked], doubts: &[Doubt], clauses: &[ClauseOutcome]) -> (Overall, String) {
    let broken: Vec<&str> =
        clauses.iter().filter(|clause| clause.verdict == Verdict::Fail).map(|clause| &*clause.clause).collect();
    let failed: Vec<&str> = checks.iter().filter(|check| check.holds == Some(false)).map(|check| check.text.as_str()).collect();
    if !broken.is_empty() || !failed.is_empty() {
        let parts = [("broken clauses", broken), ("checks that do not hold", failed)];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<String> = parts.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
        return (Overall::Fail, parts.join("; "));
    }
    let is_unknown = |clause: &&ClauseOutcome| matches!(clause.verdict, Verdict::Unknown(_));
    let unknown: Vec<&str> = clauses.iter().filter(is_unknown).map(|clause| &*clause.clause).collect();
    let sent: u64 = measured.phases.iter().map(|phase| phase.tally.sent).sum();
    let unmeasured = checks.iter().find(|check| check.holds.is_none());
    let why = measured
        .cut_short
        .as_ref()
        .map(ToString::to_string)
        .or_else(|| doubts.first().map(|doubt| doubt.reason.clone()))
        .or_else(|| (sent == 0).then(|| "nothing was sent".to_owned()))
        .or_else(|| (!unknown.is_empty()).then(|| format!("not established: {}", unknown.join(", "))))
        .or_else(|| unmeasured.map(|check| format!("{}: {}", check.text, check.actual)));
    match why {
        Some(why) => (Overall::Inconclusive, why),
        None => (Overall::Pass, passed(measured, sent, checks.len(), clauses.len())),
    }
}

fn passed(measured: &Measured, sent: u64, checks: usize, clauses: usize) -> String {
    if let Some(searched) = &measured.searched {
        return searched.in_a_sentence();
    }
    let mut parts = vec![format!("{sent} calls judged")];
    if clauses > 0 {
        parts.push(format!("{clauses} clauses hold"));
    }
    if checks > 0 {
        parts.push(format!("{checks} checks hold"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Class;
    use crate::judge::load::fixture::{PLAN, measured};
    use crate::judge::load::ledger::Difference;
    use crate::judge::load::measured::{CutShort, ReadBackCount};
    use std::time::Duration;

    /// The plan without limits, so that nothing is left to be established.
    const BARE: &str = "title: t\nphases:\n  - {name: hold, rate: 10/s, for: 4s, checks: ['p99 response < 50ms']}\n";

    fn verdict(change: impl FnOnce(&mut Measured)) -> LoadVerdict {
        let mut run = measured(BARE);
        change(&mut run);
        judge(&run)
    }

    fn slow(run: &mut Measured) {
        (0..10).for_each(|_| run.phases[0].tally.response[Class::Accepted as usize].record(Duration::from_millis(80)));
    }

    fn late(run: &mut Measured) {
        (0..10).for_each(|_| run.phases[0].tally.lag.record(Duration::from_millis(30)));
    }

    fn found(run: &mut Measured, phase: Option<usize>) {
        let of = |text: &str| text.to_owned();
        let difference = Difference { clause: "SET-1".into(), subject: of("k Seq"), expected: of("2"), actual: of("1") };
        run.findings.take(&mut vec![difference], phase, || None);
    }

    #[test]
    fn a_run_that_holds_passes_and_says_what_was_judged() {
        let passed = verdict(|_| {});
        assert_eq!((passed.overall, passed.reason.as_str()), (Overall::Pass, "40 calls judged, 3 checks hold"));
        assert_eq!((passed.phases, passed.doubts), (vec![Verdict::Pass], vec![]));
    }

    #[test]
    fn a_slow_target_fails_and_a_slow_generator_decides_nothing() {
        let slow_target = verdict(slow);
        assert_eq!(slow_target.overall, Overall::Fail);
        assert!(slow_target.reason.contains("hold: p99 response < 50ms"), "{}", slow_target.reason);
        let slow_generator = verdict(|run| {
            slow(run);
            late(run);
        });
        assert_eq!(
            (slow_generator.overall, slow_generator.checks.iter().any(|check| check.holds.is_none())),
            (Overall::Inconclusive, true)
        );
        assert!(slow_generator.reason.contains("the generator was late"), "{}", slow_generator.reason);
    }

    #[test]
    fn a_late_generator_excuses_no_finding() {
        let broken = verdict(|run| {
            late(run);
            found(run, Some(0));
        });
        assert_eq!((broken.overall, &broken.phases[..]), (Overall::Fail, &[Verdict::Fail][..]));
        assert!(broken.reason.starts_with("broken clauses: SET-1"), "{}", broken.reason);
    }

    #[test]
    fn an_interrupted_run_is_inconclusive_whatever_held_and_fails_by_what_it_saw() {
        let cut = |run: &mut Measured| run.cut_short = Some(CutShort::Interrupted(Duration::from_secs(2)));
        let interrupted = verdict(cut);
        assert_eq!((interrupted.overall, interrupted.reason.as_str()), (Overall::Inconclusive, "cut short after 2.0 s"));
        let broken = verdict(|run| {
            cut(run);
            found(run, Some(0));
        });
        assert_eq!(broken.overall, Overall::Fail);
    }

    #[test]
    fn what_was_not_reached_or_not_sent_is_no_pass() {
        let unreached = verdict(|run| run.phases[0].reached = false);
        assert!(matches!(&unreached.phases[..], [Verdict::Unknown(_)]));
        assert_eq!(unreached.overall, Overall::Inconclusive);
        let nothing = verdict(|run| run.phases[0].tally = crate::judge::load::tally::Tally::default());
        assert_eq!(nothing.overall, Overall::Inconclusive);
    }

    #[test]
    fn a_limit_that_refuses_nobody_is_not_established_and_one_that_refuses_early_is_broken() {
        let unseen = judge(&measured(PLAN));
        let of = |verdict: &LoadVerdict, id: &str| {
            verdict.clauses.iter().find(|clause| clause.clause == id).map(|clause| clause.verdict.clone())
        };
        assert!(matches!(of(&unseen, "LIM-5"), Some(Verdict::Unknown(_))));
        assert_eq!(unseen.overall, Overall::Inconclusive);
        let mut early = measured(PLAN);
        early.calls[3].fate = Fate::RefusedForApp;
        let early = judge(&early);
        assert_eq!((early.overall, of(&early, "LIM-5")), (Overall::Fail, Some(Verdict::Pass)));
        assert!(early.clauses.iter().any(|clause| clause.findings.iter().any(|broken| broken.phase == 0)));
    }

    #[test]
    fn what_was_read_back_is_judged_apart_and_a_read_without_a_reply_is_unknown() {
        let read = |read| Some(ReadBackCount { read, messages: 4 });
        assert_eq!(verdict(|run| run.read_back = read(4)).read_back, Verdict::Pass);
        assert!(matches!(verdict(|run| run.read_back = read(0)).read_back, Verdict::Unknown(_)));
        assert!(matches!(verdict(|_| {}).read_back, Verdict::Skipped(_)));
        let broken = verdict(|run| {
            run.read_back = read(4);
            found(run, None);
        });
        assert_eq!((broken.read_back, broken.overall, &broken.phases[..]), (Verdict::Fail, Overall::Fail, &[Verdict::Pass][..]));
    }
}
