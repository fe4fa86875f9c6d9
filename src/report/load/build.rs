//! From what a load run recorded to its report.

use std::time::Duration;

use super::{Check, Load};
use crate::history;
use crate::judge::ledger::Difference;
use crate::judge::limit_clauses::Outcome;
use crate::judge::tally::Tally;
use crate::report::build::{Facts, begun, exchange, milliseconds, totals};
use crate::report::secrets::Secrets;
use crate::report::{Clause, Finding, Level, Overall, Place, Report, Scenario, Verdict, curl};
use crate::scenario::load::Plan;
use crate::scenario::source::SourceFile;
use crate::spec::Spec;

/// One phase as it was measured.
pub struct PhaseRun<'a> {
    pub tally: &'a Tally,
    pub elapsed: Duration,
    pub reached: bool,
}

/// One finding of a load run, and the phase in which it was made; `None` for what was read back after it.
pub struct Found<'a> {
    pub difference: &'a Difference,
    pub phase: Option<usize>,
    pub exchange: Option<&'a history::Exchange>,
}

/// Builds the report. `load` and `checks` are complete but for the verdict that follows from them.
#[expect(clippy::too_many_arguments, reason = "a report has so many sources, and each is used here alone")]
pub fn build(
    spec: &Spec,
    facts: &Facts,
    (plan, source): (&Plan, &SourceFile),
    phases: &[PhaseRun<'_>],
    found: &[Found<'_>],
    clauses: &[Outcome],
    (load, checks): (Load, Vec<Check>),
    secrets: &[String],
) -> Report {
    let secrets = Secrets::of(secrets, found.iter().filter_map(|found| found.exchange));
    let mut clauses: Vec<Clause> = clauses.iter().map(|outcome| clause(spec, outcome, plan)).collect();
    for (id, count) in &load.findings_by_clause {
        broken(spec, &mut clauses, id, *count);
    }
    clauses.sort_by_key(|clause| spec.clauses.iter().position(|known| known.id == clause.id));
    let mut scenarios: Vec<Scenario> = plan
        .phases
        .iter()
        .zip(phases)
        .enumerate()
        .map(|(index, (phase, run))| {
            let findings = found.iter().filter(|found| found.phase == Some(index));
            let place = place(source, &phase.place);
            let findings: Vec<Finding> = findings.map(|found| finding(spec, found, place.clone(), &secrets)).collect();
            let verdict = match (findings.is_empty(), run.reached) {
                (false, _) => Verdict::Fail,
                (true, true) => Verdict::Pass,
                (true, false) => Verdict::Unknown,
            };
            scenario(&phase.name, &plan.title, verdict, findings, run, place)
        })
        .collect();
    let read_back: Vec<&Found<'_>> = found.iter().filter(|found| found.phase.is_none()).collect();
    if !read_back.is_empty() {
        let place = place(source, "");
        let findings = read_back.into_iter().map(|found| finding(spec, found, place.clone(), &secrets)).collect();
        let run = PhaseRun { tally: &Tally::default(), elapsed: Duration::ZERO, reached: true };
        scenarios.push(scenario("read back", "What the target holds after the run", Verdict::Fail, findings, &run, place));
    }
    let (verdict, reason) = verdict(&load, &checks, &clauses, facts.incomplete.as_deref());
    Report {
        verdict,
        reason: secrets.scrub(&reason),
        totals: totals(&scenarios, &clauses, load.total.sent, 0),
        clauses,
        scenarios,
        checks,
        load: Some(load),
        ..begun("load", facts, &secrets)
    }
}

/// What a load run comes to, and what decided.
fn verdict(load: &Load, checks: &[Check], clauses: &[Clause], incomplete: Option<&str>) -> (Overall, String) {
    let named = |verdict| clauses.iter().filter(move |clause| clause.verdict == verdict).map(|clause| clause.id.clone());
    let broken: Vec<String> = named(Verdict::Fail).collect();
    let failed: Vec<String> = checks.iter().filter(|check| check.holds == Some(false)).map(|check| check.name.clone()).collect();
    if !broken.is_empty() || !failed.is_empty() {
        let parts = [("broken clauses", broken), ("checks that do not hold", failed)];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        return (
            Overall::Fail,
            parts.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect::<Vec<_>>().join("; "),
        );
    }
    let unknown: Vec<String> = named(Verdict::Unknown).collect();
    let unmeasured = checks.iter().find(|check| check.holds.is_none());
    let why = incomplete
        .map(str::to_owned)
        .or_else(|| load.doubts.first().cloned())
        .or_else(|| (load.total.sent == 0).then(|| "nothing was sent".to_owned()))
        .or_else(|| (!unknown.is_empty()).then(|| format!("not established: {}", unknown.join(", "))))
        .or_else(|| unmeasured.map(|check| format!("{}: {}", check.name, check.actual)));
    match why {
        Some(why) => (Overall::Inconclusive, why),
        None => (Overall::Pass, passed(load, checks, clauses)),
    }
}

fn passed(load: &Load, checks: &[Check], clauses: &[Clause]) -> String {
    if let Some(capacity) = &load.capacity {
        return capacity.in_a_sentence();
    }
    let mut parts = vec![format!("{} calls judged", load.total.sent)];
    if !clauses.is_empty() {
        parts.push(format!("{} clauses hold", clauses.len()));
    }
    if !checks.is_empty() {
        parts.push(format!("{} checks hold", checks.len()));
    }
    parts.join(", ")
}

fn clause(spec: &Spec, outcome: &Outcome, plan: &Plan) -> Clause {
    let scenarios = plan.phases.iter().map(|phase| phase.name.clone()).collect();
    let why = outcome.verdict.why().map(str::to_owned);
    Clause { verdict: (&outcome.verdict).into(), why, scenarios, ..failed(spec, outcome.clause) }
}

/// A clause as the documentation has it, and broken.
fn failed(spec: &Spec, id: &str) -> Clause {
    let known = spec.clause(id);
    Clause {
        id: id.to_owned(),
        level: known.map_or(Level::Must, |clause| clause.level.into()),
        section: known.map(|clause| clause.section.clone()).unwrap_or_default(),
        statement: known.map(|clause| clause.statement.clone()).unwrap_or_default(),
        verdict: Verdict::Fail,
        why: None,
        scenarios: Vec::new(),
    }
}

/// A clause with findings is broken, whatever else was seen of it.
fn broken(spec: &Spec, clauses: &mut Vec<Clause>, id: &str, count: u64) {
    let why = (count > 1).then(|| format!("{count} findings"));
    if let Some(clause) = clauses.iter_mut().find(|clause| clause.id == id) {
        (clause.verdict, clause.why) = (Verdict::Fail, why);
        return;
    }
    clauses.push(Clause { why, ..failed(spec, id) });
}

fn finding(spec: &Spec, found: &Found<'_>, place: Place, secrets: &Secrets) -> Finding {
    let Difference { clause, subject, expected, actual } = found.difference;
    let known = spec.clause(clause);
    Finding {
        clause: (*clause).to_owned(),
        level: known.map_or(Level::Must, |clause| clause.level.into()),
        statement: known.map(|clause| clause.statement.clone()).unwrap_or_default(),
        subject: secrets.scrub(subject),
        expected: secrets.scrub(expected),
        actual: secrets.scrub(actual),
        note: found.exchange.map(|exchange| format!("sent {:.6} s into the run", exchange.sent.as_secs_f64())),
        place,
        exchange: found.exchange.map(|found| exchange(found, secrets)),
        curl: found.exchange.map(|exchange| curl::line(&exchange.request, secrets)),
    }
}

fn scenario(name: &str, title: &str, verdict: Verdict, findings: Vec<Finding>, run: &PhaseRun<'_>, place: Place) -> Scenario {
    let mut clauses: Vec<String> = findings.iter().map(|finding| finding.clause.clone()).collect();
    clauses.dedup();
    Scenario {
        id: name.to_owned(),
        title: title.to_owned(),
        verdict,
        why: (verdict == Verdict::Unknown).then(|| "the run ended before it".to_owned()),
        clauses,
        findings,
        requests: run.tally.sent,
        retries: 0,
        elapsed_ms: milliseconds(run.elapsed),
        place,
    }
}

fn place(source: &SourceFile, path: &str) -> Place {
    let place = source.place(path);
    Place { file: source.path.clone(), line: place.map(|place| place.line), column: place.map(|place| place.column) }
}
