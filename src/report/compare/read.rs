//! Saved reports, read for a comparison: what is in them, and whether they can be compared at all.

use crate::judge::compare::bootstrap::SecondSeen;
use crate::judge::compare::conformance::{State, Statement, StatementKind};
use crate::judge::compare::metric::Metric;
use crate::judge::compare::{ComparedRun, RunFigures};
use crate::judge::load::tally::of_hdr;
use crate::report::load::{Load, SecondFigures};
use crate::report::mutants::Mutants;
use crate::report::saved::{self, SavedError};
use crate::report::{Report, VerdictWord};
use crate::spec::Level;

/// Commands whose reports can be compared.
const KINDS: [&str; 3] = ["run", "load", "mutants"];

/// A report with the name that people know it by.
#[derive(Clone, Debug)]
pub struct NamedReport {
    pub name: String,
    pub report: Report,
}

/// Why reports cannot be read, or not be compared. Each begins with the name of the file that it is about.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Saved(#[from] SavedError),
    #[error("{name} is a report of msgext {command}: only those of run, load and mutants can be compared")]
    Command { name: String, command: String },
    #[error("{name} is a report of msgext {command}, and {other} one of msgext {expected}: compare reports of one command")]
    Commands { name: String, command: String, other: String, expected: String },
    #[error("{name} carried out the plan {plan}, and {other} another one, {expected}: compare runs of one plan")]
    Plans { name: String, plan: String, other: String, expected: String },
    #[error("{name} searched for a capacity: its trials are no two times the same; compare runs of a plan, or of --rate")]
    Search { name: String },
    #[error("{name} is a report of msgext {command}: a history is one of load")]
    NoLoad { name: String, command: String },
}

/// Reads one report.
pub fn read(name: &str, text: &str) -> Result<NamedReport, CompareError> {
    let report = saved::read(name, text)?;
    if !KINDS.contains(&report.command.as_str()) {
        return Err(CompareError::Command { name: name.to_owned(), command: report.command });
    }
    if report.load.as_ref().is_some_and(|load| load.capacity.is_some()) {
        return Err(CompareError::Search { name: name.to_owned() });
    }
    Ok(NamedReport { name: name.to_owned(), report })
}

/// Whether all of them did the same.
pub fn comparable(reports: &[&NamedReport]) -> Result<(), CompareError> {
    let Some((first, others)) = reports.split_first() else { return Ok(()) };
    for other in others {
        if other.report.command != first.report.command {
            return Err(CompareError::Commands {
                name: other.name.clone(),
                command: other.report.command.clone(),
                other: first.name.clone(),
                expected: first.report.command.clone(),
            });
        }
        if let (Some(load), Some(expected)) = (&other.report.load, &first.report.load)
            && !is_same_plan(load, expected)
        {
            return Err(CompareError::Plans {
                name: other.name.clone(),
                plan: told_plan(load),
                other: first.name.clone(),
                expected: told_plan(expected),
            });
        }
    }
    Ok(())
}

/// A report without a fingerprint of its plan is taken at the plan's name.
fn is_same_plan(a: &Load, b: &Load) -> bool {
    let names = |load: &Load| load.phases.iter().map(|phase| phase.name.clone()).collect::<Vec<_>>();
    let prints = [&a.plan_fingerprint, &b.plan_fingerprint];
    a.plan == b.plan && names(a) == names(b) && (prints[0] == prints[1] || prints.iter().any(|print| print.is_empty()))
}

fn told_plan(load: &Load) -> String {
    format!(
        "{} ({}, {} calls)",
        load.plan,
        if load.plan_fingerprint.is_empty() { "?" } else { &load.plan_fingerprint },
        load.total.planned
    )
}

/// What differs between the sides, and may explain a change.
pub fn notes(base: &[NamedReport], new: &[NamedReport]) -> Vec<String> {
    type Fact = (&'static str, fn(&Report) -> String);
    let facts: [Fact; 6] = [
        ("target", |report| report.target.clone()),
        ("made by", |report| report.generator.clone()),
        ("member calls", |report| report.member_calls.clone()),
        ("reading back", |report| report.read_back.clone()),
        ("calls at once", |report| report.calls_at_once.clone()),
        ("strict", |report| report.strict.to_string()),
    ];
    let values = |side: &[NamedReport], of: fn(&Report) -> String| {
        let mut values: Vec<String> = side.iter().map(|named| of(&named.report)).collect();
        values.sort();
        values.dedup();
        values.join(", ")
    };
    let differ = facts.into_iter().map(|(name, of)| (name, values(base, of), values(new, of))).filter(|(_, was, is)| was != is);
    differ.map(|(name, was, is)| format!("{name}: {was} before, {is} now")).collect()
}

/// What of a report is compared.
pub fn compared(named: &NamedReport) -> ComparedRun {
    let report = &named.report;
    let statement = |kind, id: &str, decides, state| Statement { kind, id: id.to_owned(), decides, state };
    let why = |why: &Option<String>, word: &str| State::Unknown(why.clone().unwrap_or_else(|| word.to_owned()));
    let clauses = report.clauses.iter().map(|clause| {
        let state = match clause.verdict {
            VerdictWord::Pass => State::Holds,
            VerdictWord::Fail => State::Broken,
            VerdictWord::Skipped | VerdictWord::Unknown => why(&clause.why, clause.verdict.word()),
        };
        statement(StatementKind::Clause, &clause.id, report.strict || clause.level != Level::Should, state)
    });
    let checks = report.checks.iter().map(|check| {
        let state = match check.holds {
            Some(true) => State::Holds,
            Some(false) => State::Broken,
            None => State::Unknown(check.actual.clone()),
        };
        statement(StatementKind::Check, &check.name, true, state)
    });
    let mutants = report.mutants.iter().flat_map(of_mutants);
    ComparedRun {
        statements: clauses.chain(checks).chain(mutants).collect(),
        readings: report.readings.clone(),
        figures: report.load.as_ref().map(|load| figures(named, load)),
    }
}

fn of_mutants(mutants: &Mutants) -> Vec<Statement> {
    let killed = mutants.matrix.iter().map(|mutant| {
        let state = match (&mutant.killed_by, &mutant.unknown) {
            (Some(_), _) => State::Holds,
            (None, Some(why)) => State::Unknown(why.clone()),
            (None, None) => State::Broken,
        };
        (StatementKind::Mutant, mutant.name.clone(), state)
    });
    let alarms = mutants.false_alarms.iter().map(|alarm| (StatementKind::Lawful, alarm.readings.join(" "), State::Broken));
    killed.chain(alarms).map(|(kind, id, state)| Statement { kind, id, decides: true, state }).collect()
}

/// The figures of a load; what is 0 was not measured, and has no ratio.
pub fn figures(named: &NamedReport, load: &Load) -> RunFigures {
    let total = &load.total;
    let values = Metric::ALL.map(|metric| {
        let value = match metric {
            Metric::Throughput => total.accepted as f64 * 1000.0 / total.elapsed_ms.max(1) as f64,
            Metric::P50 => total.response_us.p50 as f64,
            Metric::P90 => total.response_us.p90 as f64,
            Metric::P99 => total.response_us.p99 as f64,
            Metric::P999 => total.response_us.p999 as f64,
            Metric::Cpu => load.cpu_us_per_request,
        };
        (metric, value)
    });
    let cut = named.report.incomplete_why.as_ref().map(|why| format!("cut short: {why}"));
    let doubts = load.doubts.iter().cloned().chain(cut.filter(|_| named.report.incomplete));
    RunFigures {
        values: values.into_iter().filter(|(_, value)| *value > 0.0).collect(),
        seconds: load.seconds.iter().map(second).collect(),
        doubts: doubts.map(|doubt| format!("{}: {doubt}", named.name)).collect(),
    }
}

fn second(second: &SecondFigures) -> SecondSeen {
    let times = of_hdr(&second.response_hdr)
        .map(|times| times.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect());
    SecondSeen { accepted: second.accepted, times: times.unwrap_or_default() }
}
