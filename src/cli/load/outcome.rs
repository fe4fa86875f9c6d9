//! From a run to its report: figures, checks, clauses and findings.

use crate::drive::load::reply::Verdict;
use crate::drive::load::run::Run;
use crate::drive::load::worker::Record;
use crate::judge::check::{evaluate, implied};
use crate::judge::doubt::Doubt;
use crate::judge::ledger::Difference;
use crate::judge::limit_clauses::{Answer, Broken, Call, Limit, Outcome, outcomes};
use crate::report::load::build::{Found, PhaseRun, build};
use crate::report::load::{Capacity, Check as Checked, Connections, Load, Phase, ReadBack, Second};
use crate::report::{Facts, Report};
use crate::scenario::load::check::Check;
use crate::scenario::load::{Plan, Rate};
use crate::scenario::source::SourceFile;
use crate::{judge, spec, verdict};

/// A run, or all trials of a search, with what else is known of it.
pub struct Measured {
    pub plan: Plan,
    pub run: Run,
    pub searched: Option<Search>,
    pub seconds: Vec<Second>,
    /// How many messages were read back, of how many.
    pub read_back: Option<(usize, usize)>,
    pub threads: usize,
}

/// What a search was for, and its answer; for each trial why it did not pass.
pub struct Search {
    pub slo: Vec<Check>,
    pub capacity: judge::capacity::Capacity,
    pub whys: Vec<Option<String>>,
}

pub fn report(measured: &Measured, facts: &Facts, source: &SourceFile, secrets: &[String]) -> Report {
    let Measured { plan, run, .. } = measured;
    let limits = limit_outcomes(plan, run);
    let of_limits = limit_differences(&limits);
    let of_replies = run.findings.kept.iter().map(|found| Found {
        difference: &found.difference,
        phase: found.phase,
        exchange: found.exchange.as_ref(),
    });
    let of_limits = of_limits.iter().map(|(phase, difference)| Found { difference, phase: Some(*phase), exchange: None });
    let found: Vec<Found<'_>> = of_replies.chain(of_limits).collect();
    let phases: Vec<PhaseRun<'_>> =
        run.phases.iter().map(|phase| PhaseRun { tally: &phase.tally, elapsed: phase.elapsed, reached: phase.reached }).collect();
    // A trial that cannot be trusted has told its search so.
    let doubts = if measured.searched.is_some() { Vec::new() } else { run.doubts(plan) };
    let figures = figures(measured, &doubts);
    let checks = figures.capacity.as_ref().map_or_else(|| checks(plan, run, &doubts), |capacity| vec![capacity.check()]);
    build(spec::bundled(), facts, (plan, source), &phases, &found, &limits, (figures, checks), secrets)
}

fn figures(measured: &Measured, doubts: &[(usize, Doubt)]) -> Load {
    let Measured { plan, run, searched, .. } = measured;
    let phases = plan.phases.iter().zip(&run.phases);
    let phases: Vec<Phase> = phases.map(|(phase, run)| Phase::new(&phase.name, &run.tally, run.elapsed)).collect();
    Load {
        plan: plan.name.clone(),
        title: plan.title.clone(),
        threads: u32::try_from(measured.threads).unwrap_or(u32::MAX),
        total: Phase::new("total", &run.total, run.elapsed),
        connections: Connections {
            opened: run.connections.opened,
            reopened: run.connections.reopened,
            lost: run.connections.lost.clone(),
        },
        cpu_us_per_request: (run.cpu.as_secs_f64() * 1e7 / run.total.sent.max(1) as f64).round() / 10.0,
        doubts: doubts.iter().map(|(_, doubt)| doubt.reason.clone()).collect(),
        seconds: measured.seconds.clone(),
        findings_by_clause: run.findings.counts.iter().map(|(clause, count)| ((*clause).to_owned(), *count)).collect(),
        read_back: measured.read_back.map(|(read, messages)| ReadBack { read, messages }),
        capacity: searched.as_ref().map(|search| Capacity::new(&search.capacity, &search.slo, &phases, &search.whys)),
        phases,
    }
}

/// Every check, and those that go without saying.
///
/// A generator that was late, or bunched its calls, makes a good target look slow and a limit refuse: then a check that does
/// not hold decides nothing, unless it is on what only the target can do.
fn checks(plan: &Plan, run: &Run, doubts: &[(usize, Doubt)]) -> Vec<Checked> {
    let doubted: Vec<usize> = doubts.iter().filter(|(_, doubt)| doubt.of_generator).map(|(phase, _)| *phase).collect();
    let decides = |check: &Check, holds: bool, phase: Option<usize>| {
        let is_doubted = phase.map_or(!doubted.is_empty(), |phase| doubted.contains(&phase));
        holds || !is_doubted || check.is_on_the_target_alone()
    };
    let total = run.findings.total();
    let asked: Vec<&Check> = plan.checks.iter().chain(plan.phases.iter().flat_map(|phase| &phase.checks)).collect();
    let of_run = plan.checks.iter().cloned().chain(implied(&asked)).map(|check| {
        let checked = evaluate(&check, &run.total, run.elapsed, total);
        Checked { holds: checked.holds.filter(|holds| decides(&check, *holds, None)), name: checked.text, actual: checked.actual }
    });
    let of_phases = plan.phases.iter().zip(&run.phases).enumerate().flat_map(|(index, (phase, measured))| {
        let findings = run.findings.by_phase.get(&index).copied().unwrap_or(0);
        let decides = &decides;
        phase.checks.iter().map(move |check| {
            let checked = evaluate(check, &measured.tally, measured.elapsed, findings);
            Checked {
                name: format!("{}: {}", phase.name, checked.text),
                holds: checked.holds.filter(|holds| measured.reached && decides(check, *holds, Some(index))),
                actual: checked.actual,
            }
        })
    });
    of_run.chain(of_phases).collect()
}

/// The clauses on limits, where the plan is there to test them.
fn limit_outcomes(plan: &Plan, run: &Run) -> Vec<Outcome> {
    let Some(limits) = plan.limits else { return Vec::new() };
    let calls: Vec<Call> = run.records.iter().map(call).collect();
    let limit = |rate: Rate| Limit { calls: rate.calls, window: rate.per };
    let mut outcomes = outcomes(&calls, limit(limits.app), limit(limits.message));
    let broken = run.findings.counts.get("LIM-5").copied().unwrap_or(0);
    let refused = calls.iter().any(|call| matches!(call.answer, Answer::RefusedForApp | Answer::RefusedForMessage));
    let verdict = match (broken, refused) {
        (0, true) => verdict::Verdict::Pass,
        (0, false) => verdict::Verdict::Unknown("no call was refused".to_owned()),
        _ => verdict::Verdict::Fail,
    };
    outcomes.push(Outcome { clause: "LIM-5", verdict, findings: Vec::new(), total: broken });
    outcomes
}

fn call(record: &Record) -> Call {
    let answer = match record.verdict {
        Verdict::Accepted | Verdict::Conflict => Answer::Accepted,
        Verdict::RefusedForApp => Answer::RefusedForApp,
        Verdict::RefusedForMessage => Answer::RefusedForMessage,
        Verdict::Error => Answer::Failed,
        Verdict::Lost => Answer::Lost,
    };
    Call { message: record.message, phase: usize::from(record.phase), sent: record.sent, received: record.received, answer }
}

fn limit_differences(outcomes: &[Outcome]) -> Vec<(usize, Difference)> {
    let broken = outcomes.iter().flat_map(|outcome| outcome.findings.iter().map(move |broken| (outcome.clause, broken)));
    let difference = |(clause, broken): (&'static str, &Broken)| {
        let (subject, expected, actual) = (broken.subject.clone(), broken.expected.clone(), broken.actual.clone());
        (broken.phase, Difference { clause, subject, expected, actual })
    };
    broken.map(difference).collect()
}
