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

/// Doubts that are told; all of them are in the JSON.
const MOST_DOUBTS: usize = 5;

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
            let told = printable(&format!("{} {}: {} (before: {}){aside}", change.kind, change.name, change.is, change.was));
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
    for doubt in compare.doubts.iter().take(MOST_DOUBTS) {
        writeln!(out, "  {YELLOW}!{YELLOW:#} {}", printable(doubt))?;
    }
    match compare.doubts.len().saturating_sub(MOST_DOUBTS) {
        0 => Ok(()),
        more => writeln!(out, "  {DIM}and {more} more doubts{DIM:#}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::text::is_printable;
    use crate::report::fixture::{self, comparison, plain};

    fn shown(text: &str) -> String {
        plain(|out| summary(out, &fixture::report(), &comparison(text), None))
    }

    #[test]
    fn what_changed_stands_first_and_each_metric_has_its_bounds_and_what_became_of_it() {
        insta::assert_snapshot!(shown(""), @r"
        target: a before, b now
        Changed
          ✗ clause SEQ-1: does not hold (before: holds)
          ? clause MSG-3: unknown: lost (before: holds) (does not decide)
          ✓ mutant 101 bytes: holds (before: does not hold)
        Load
                      base     new      change   bounds             limit
          throughput  200.0/s  199.9/s  +0.0 %   -0.1 % to +0.0 %   -5.0 %  within
          p99         1.00 ms  1.10 ms  +10.0 %  +6.0 % to +14.0 %  +5.0 %  worse
          p99.9       2.00 ms  2.10 ms  +5.0 %   none               +5.0 %  open: try 12 of each
          cpu         50.0 µs  51.0 µs  +2.0 %   none
          2 runs against 1 run; each bound holds in 95 % of cases
          ! c.json: the generator was late
        History
          p99  1.20 ms in the newest of 2 runs
               +20.0 % in commit-8              from 1.00 ms to 1.20 ms, p 1.0e-4

        FAIL 1 broken clause: SEQ-3
        ");
    }

    #[test]
    fn a_hostile_text_cannot_steer_the_terminal() {
        let text = shown("\u{1b}[2J\r\n::error::x\u{202e}");
        assert!(text.chars().all(|character| is_printable(character) || character == '\n'), "{text}");
        assert_eq!(text.lines().count(), shown("").lines().count(), "{text}");
    }
}
