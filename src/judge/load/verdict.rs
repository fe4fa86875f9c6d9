//! From what was measured to what it comes to: checks, doubts, clauses, and one verdict with its reason.
//!
//! Whom to blame, in this order: the generator, the connections, the user who interrupted, and only then the target.

use std::borrow::Cow;

use super::check::{Checked, evaluate, implied};
use super::doubt::{Doubt, PhaseFacts, doubts, doubts_of_connections, doubts_of_shards};
use super::findings;
use super::limits::{self, ClauseOutcome};
use super::measured::{Measured, MeasuredPhase, ReadBackCount};
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
        Some(searched) => vec![searched.checked(measured.cut_short.is_none())],
        None => checks(measured, &doubts),
    };
    let clauses = clauses(measured);
    let phases = phases(measured, &clauses);
    let read_back = read_back(measured);
    let (overall, reason) = overall(measured, &checks, &doubts, &clauses);
    LoadVerdict { phases, read_back, checks, doubts, clauses, overall, reason }
}

/// Why a run cannot be trusted: the generator's reasons first, and phase by phase.
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
            stalled: measured.stalled,
            fit: measured.fit,
            closed: matches!(phase.arrivals, Arrivals::Saturate { .. }),
        })
    });
    let of_shards = measured.shards.iter().flat_map(doubts_of_shards);
    let mut all: Vec<Doubt> = of_shards.chain(of_phase).chain(doubts_of_connections(&measured.connections)).collect();
    all.sort_by_key(|doubt| !doubt.of_generator);
    all
}

/// Every check, and those that go without saying: each on its whole stretch, and on nothing else.
///
/// A generator that was late, or bunched its calls, makes a good target look slow and a limit refuse: then a check that does
/// not hold decides nothing, unless it is on what only the target can do. Of a stretch that was cut short only that is known
/// which later calls could not have changed.
fn checks(measured: &Measured, doubts: &[Doubt]) -> Vec<Checked> {
    let Measured { plan, findings, .. } = measured;
    let decided = |check: &Check, checked: &Checked, phase: Option<usize>, is_whole: bool| {
        let mut of_generator = doubts.iter().filter(|doubt| doubt.of_generator);
        let is_doubted = of_generator.any(|doubt| phase.is_none() || doubt.phase.is_none() || phase == doubt.phase);
        let trusted = checked.holds == Some(true) || !is_doubted || check.is_on_the_target_alone();
        checked.holds.filter(|_| trusted && (is_whole || checked.is_lost))
    };
    let total = measured.total();
    let asked: Vec<&Check> = plan.checks.iter().chain(plan.phases.iter().flat_map(|phase| &phase.checks)).collect();
    let of_run = plan.checks.iter().cloned().chain(implied(&asked)).map(|check| {
        let checked = evaluate(&check, &total, measured.elapsed, findings.total());
        Checked { holds: decided(&check, &checked, None, measured.cut_short.is_none()), ..checked }
    });
    let of_phases = plan.phases.iter().zip(&measured.phases).enumerate().flat_map(|(index, (phase, measured))| {
        let findings = findings.of_phase(index);
        let decided = &decided;
        phase.checks.iter().map(move |check| {
            let checked = evaluate(check, &measured.tally, measured.elapsed, findings);
            let holds = decided(check, &checked, Some(index), measured.is_whole());
            Checked { text: format!("{}: {}", phase.name, checked.text), holds, ..checked }
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
        _ if measured.findings.of_phase(index) > 0 || of_limits(index) => Verdict::Fail,
        _ if phase.is_whole() => Verdict::Pass,
        true => Verdict::Unknown("the run ended before its end".to_owned()),
        false => Verdict::Unknown("the run ended before it".to_owned()),
    };
    measured.phases.iter().enumerate().map(verdict).collect()
}

fn read_back(measured: &Measured) -> Verdict {
    match &measured.read_back {
        _ if measured.findings.kept.iter().any(|kept| kept.phase.is_none()) => Verdict::Fail,
        Some(read_back) => read_back.doubt().map_or(Verdict::Pass, Verdict::Unknown),
        None => Verdict::Skipped("the target has no way to read a message back".to_owned()),
    }
}

/// What a load run comes to, and what decided.
fn overall(measured: &Measured, checks: &[Checked], doubts: &[Doubt], clauses: &[ClauseOutcome]) -> (Overall, String) {
    let decides = |clause: &&ClauseOutcome| clause.verdict == Verdict::Fail && findings::decides(&clause.clause);
    let broken: Vec<&str> = clauses.iter().filter(decides).map(|clause| &*clause.clause).collect();
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
    let why = doubts
        .first()
        .map(|doubt| doubt.reason.clone())
        .or_else(|| measured.cut_short.as_ref().map(ToString::to_string))
        .or_else(|| (sent == 0).then(|| "nothing was sent".to_owned()))
        .or_else(|| measured.read_back.as_ref().and_then(ReadBackCount::doubt))
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
    use std::collections::BTreeMap;
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
    fn of_a_phase_cut_short_only_that_decides_which_no_later_call_could_have_changed() {
        let cut = |run: &mut Measured| {
            run.cut_short = Some(CutShort::Interrupted(Duration::from_secs(2)));
            run.phases[0].ended = false;
        };
        let slow = verdict(|run| {
            cut(run);
            slow(run);
        });
        assert_eq!(slow.overall, Overall::Inconclusive, "{}", slow.reason);
        assert!(slow.checks.iter().all(|check| check.holds.is_none()), "{:?}", slow.checks);
        assert!(matches!(&slow.phases[..], [Verdict::Unknown(why)] if why.contains("before its end")));
        let lost = verdict(|run| {
            cut(run);
            run.phases[0].tally.classes[Class::Lost as usize] = 1;
        });
        assert_eq!((lost.overall, lost.reason.as_str()), (Overall::Fail, "checks that do not hold: lost = 0"));
        let given_up = verdict(|run| {
            cut(run);
            run.phases[0].tally.given_up = 3;
        });
        assert_eq!(given_up.overall, Overall::Inconclusive, "{}", given_up.reason);
    }

    #[test]
    fn the_generator_is_blamed_before_the_connections_and_both_before_the_target() {
        let stood_still = verdict(|run| {
            slow(run);
            run.phases[0].tally.unsent = 20;
            run.phases[0].stalled = Duration::from_secs(6);
            run.connections.stillborn = 9;
        });
        assert_eq!(stood_still.overall, Overall::Inconclusive);
        assert!(stood_still.reason.contains("the generator stood still"), "{}", stood_still.reason);
        let told: Vec<bool> = stood_still.doubts.iter().map(|doubt| doubt.of_generator).collect();
        assert_eq!(told, [true, false, false]);
    }

    #[test]
    fn what_was_not_reached_or_not_sent_is_no_pass() {
        let unreached = verdict(|run| (run.phases[0].reached, run.phases[0].ended) = (false, false));
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
        let read = |read| {
            let unread = if read < 4 { [("no reply".to_owned(), 4 - read)].into() } else { BTreeMap::default() };
            Some(ReadBackCount { read, unread, messages: 4 })
        };
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
