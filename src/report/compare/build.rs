//! From a comparison to its report.

use super::read::{NamedReport, compared};
use super::{Compare, ComparedEntry, MetricEntry, ShiftEntry};
use crate::judge::compare::conformance::Shift;
use crate::judge::compare::{Comparison, MetricComparison};
use crate::report::build::{Facts, begun};
use crate::report::load::{CheckEntry, Load};
use crate::report::secrets::Secrets;
use crate::report::{Report, Totals};
use crate::verdict::Overall;

/// The report of a comparison; `command` made it.
pub fn build(
    (command, facts): (&str, &Facts),
    [base, new]: [&[NamedReport]; 2],
    comparison: &Comparison,
    notes: Vec<String>,
    secrets: &Secrets,
) -> Report {
    let (verdict, reason) = comparison.overall();
    let compare = Compare {
        unit: comparison.unit.word().to_owned(),
        base: base.iter().map(entry).collect(),
        new: new.iter().map(entry).collect(),
        notes,
        doubts: comparison.doubts.clone(),
        changes: comparison.shifts.iter().map(change).collect(),
        metrics: comparison.metrics.iter().map(metric).collect(),
        history: None,
    };
    let requests = base.iter().chain(new).map(|named| named.report.totals.requests).sum();
    Report {
        verdict,
        reason: secrets.told(&reason),
        totals: Totals { requests, ..Totals::default() },
        checks: checks(comparison),
        compare: Some(compare),
        ..begun(command, facts, secrets)
    }
}

/// What decides, as checks: a format that shows those shows the comparison.
fn checks(comparison: &Comparison) -> Vec<CheckEntry> {
    let holds = |verdict: Overall| match verdict {
        Overall::Pass => Some(true),
        Overall::Fail => Some(false),
        Overall::Inconclusive => None,
    };
    let metrics = comparison.metrics.iter().filter(|metric| metric.limit.is_some()).map(|metric| CheckEntry {
        name: format!("{} is no worse", metric.metric.word()),
        holds: holds(metric.verdict),
        actual: metric.told(comparison.unit),
    });
    let shifts =
        comparison.shifts.iter().filter(|shift| shift.decides && shift.verdict != Overall::Pass).map(|shift| CheckEntry {
            name: format!("{} {} is as it was", shift.kind.word(), shift.id),
            holds: holds(shift.verdict),
            actual: format!("{} (before: {})", shift.is, shift.was),
        });
    metrics.chain(shifts).collect()
}

/// One run of a side.
pub fn entry(named: &NamedReport) -> ComparedEntry {
    let NamedReport { name, report } = named;
    let figures = compared(named).figures.unwrap_or_default();
    ComparedEntry {
        name: name.clone(),
        target: report.target.clone(),
        generator: report.generator.clone(),
        started: report.started.clone(),
        verdict: report.verdict,
        values: figures.values.into_iter().map(|(metric, value)| (metric.word().to_owned(), value)).collect(),
        response: report.load.as_ref().map(response).unwrap_or_default(),
    }
}

fn response(load: &Load) -> Vec<(f64, u64)> {
    let whole = load.curves.iter().find(|curve| curve.of == "response" && curve.phase.is_none());
    whole.map(|curve| curve.points.clone()).unwrap_or_default()
}

fn change(shift: &Shift) -> ShiftEntry {
    ShiftEntry {
        kind: shift.kind.word().to_owned(),
        name: shift.id.clone(),
        was: shift.was.clone(),
        is: shift.is.clone(),
        verdict: shift.verdict,
        decides: shift.decides,
    }
}

fn metric(compared: &MetricComparison) -> MetricEntry {
    MetricEntry {
        name: compared.metric.word().to_owned(),
        base: compared.base,
        new: compared.new,
        ratio: compared.ratio,
        low: compared.low,
        high: compared.high,
        p: compared.p,
        limit: compared.limit,
        verdict: compared.limit.map(|_| compared.verdict),
        needed: compared.needed,
    }
}
