//! A comparison for a terminal: what is not as it was, each metric with its bounds, and the verdict.

use std::io;
use std::time::Duration;

use super::{Compare, MetricEntry, SeriesEntry};
use crate::judge::compare::{outcome, percent};
use crate::judge::load::check::told;
use crate::judge::text::{counted, printable};
use crate::report::Report;
use crate::report::table::{DIM, TextTable};
use crate::report::text::{GREEN, RED, YELLOW, heading, verdict};
use crate::verdict::Overall;

/// Everything of a comparison. `width` is the terminal's, where there is one.
pub fn summary(out: &mut dyn io::Write, report: &Report, compare: &Compare, width: Option<usize>) -> io::Result<()> {
    section(out, compare, width)?;
    if let Some(series) = &compare.history {
        self::series(out, series, width)?;
    }
    verdict(out, report)
}

/// The comparison alone.
pub fn section(out: &mut dyn io::Write, compare: &Compare, width: Option<usize>) -> io::Result<()> {
    for note in &compare.notes {
        writeln!(out, "{DIM}{}{DIM:#}", printable(note))?;
    }
    if !compare.changes.is_empty() {
        heading(out, "Changed")?;
        for change in &compare.changes {
            let (mark, style) = match change.verdict {
                Overall::Pass => ("✓", GREEN),
                Overall::Fail => ("✗", RED),
                Overall::Inconclusive => ("?", YELLOW),
            };
            let aside = if change.decides { "" } else { " (does not decide)" };
            let told = printable(&format!("{} {}: was {}, is {}{aside}", change.kind, change.name, change.was, change.is));
            writeln!(out, "  {style}{mark}{style:#} {told}")?;
        }
    }
    if !compare.metrics.is_empty() {
        heading(out, "Load")?;
        let header = ["", "base", "new", "change", "bounds", "limit", ""].map(str::to_owned);
        TextTable::new(std::iter::once(header).chain(compare.metrics.iter().map(row))).leaving_out(&[1, 2]).write(out, width)?;
        let several = |side: usize| counted(side, &compare.unit);
        let of = match compare.unit.as_str() {
            "round" => several(compare.base.len()),
            "second" => "one run of each, by their seconds".to_owned(),
            _ => format!("{} against {}", several(compare.base.len()), several(compare.new.len())),
        };
        writeln!(out, "  {DIM}{of}; each bound holds in 95 % of cases{DIM:#}")?;
    }
    for doubt in &compare.doubts {
        writeln!(out, "  {YELLOW}!{YELLOW:#} {}", printable(doubt))?;
    }
    Ok(())
}

fn row(metric: &MetricEntry) -> [String; 7] {
    let (bounds, limit) = (bounds(metric), metric.limit.map(percent).unwrap_or_default());
    [
        metric.name.clone(),
        value(&metric.name, metric.base),
        value(&metric.name, metric.new),
        percent(metric.ratio),
        bounds,
        limit,
        metric.verdict.map(|verdict| outcome(verdict, metric.needed)).unwrap_or_default(),
    ]
}

pub fn bounds(metric: &MetricEntry) -> String {
    match (metric.low, metric.high) {
        (Some(low), Some(high)) => format!("{} to {}", percent(low), percent(high)),
        _ => "none".to_owned(),
    }
}

/// A metric's value in its unit.
pub fn value(name: &str, value: f64) -> String {
    match name {
        "throughput" => format!("{value:.1}/s"),
        "cpu" => format!("{value:.1} µs"),
        _ => told(Duration::from_secs_f64(value / 1e6)),
    }
}

fn series(out: &mut dyn io::Write, series: &SeriesEntry, width: Option<usize>) -> io::Result<()> {
    heading(out, "History")?;
    let rows = series.metrics.iter().flat_map(|metric| {
        let newest = metric.values.last().map(|newest| value(&metric.name, *newest)).unwrap_or_default();
        let runs = counted(metric.values.len(), "run");
        let whole = [metric.name.clone(), format!("{newest} in the newest of {runs}"), String::new()];
        let changes = metric.changes.iter().map(|change| {
            let (before, after) = (value(&metric.name, change.before), value(&metric.name, change.after));
            [
                String::new(),
                format!("{} in {}", percent(change.ratio), change.run),
                format!("from {before} to {after}, p {:.1e}", change.p),
            ]
        });
        std::iter::once(whole).chain(changes).collect::<Vec<_>>()
    });
    TextTable::new(rows).write(out, width)
}
