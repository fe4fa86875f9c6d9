//! A comparison as Markdown.

use std::io;

use super::text;
use crate::judge::compare::{outcome, percent};
use crate::report::compare::text::{bounds, value};
use crate::report::compare::{Compare, SeriesEntry};
use crate::verdict::Overall;

pub fn write(out: &mut dyn io::Write, compare: &Compare) -> io::Result<()> {
    compare.notes.iter().try_for_each(|note| writeln!(out, "- {}", text(note)))?;
    if !compare.changes.is_empty() {
        writeln!(out, "\n## Changed\n\n| what | | was | is | |\n|---|---|---|---|---|")?;
    }
    for change in &compare.changes {
        let told = match change.verdict {
            _ if !change.decides => "does not decide",
            Overall::Pass => "better",
            Overall::Fail => "**worse**",
            Overall::Inconclusive => "unknown",
        };
        let [kind, name, was, is] = [&change.kind, &change.name, &change.was, &change.is].map(|cell| text(cell));
        writeln!(out, "| {kind} | {name} | {was} | {is} | {told} |")?;
    }
    if !compare.metrics.is_empty() {
        writeln!(out, "\n## Load\n\n| | base | new | change | 95 % bounds | limit | |\n|---|--:|--:|--:|---|--:|---|")?;
    }
    for metric in &compare.metrics {
        let [base, new] = [metric.base, metric.new].map(|side| value(&metric.name, side));
        let limit = metric.limit.map(percent).unwrap_or_default();
        let told = metric.verdict.map(|verdict| outcome(verdict, metric.needed)).unwrap_or_default();
        let (name, change, bounds) = (text(&metric.name), percent(metric.ratio), bounds(metric));
        writeln!(out, "| {name} | {base} | {new} | {change} | {bounds} | {limit} | {told} |")?;
    }
    if !compare.doubts.is_empty() {
        writeln!(out, "\n## Doubts\n")?;
    }
    compare.doubts.iter().try_for_each(|doubt| writeln!(out, "- {}", text(doubt)))?;
    compare.history.as_ref().map_or(Ok(()), |series| self::series(out, series))
}

fn series(out: &mut dyn io::Write, series: &SeriesEntry) -> io::Result<()> {
    writeln!(
        out,
        "\n## History of {} runs\n\n| metric | changed in | before | after | change |\n|---|---|--:|--:|--:|",
        series.runs.len()
    )?;
    for metric in &series.metrics {
        for change in &metric.changes {
            let [before, after] = [change.before, change.after].map(|side| value(&metric.name, side));
            writeln!(out, "| {} | {} | {before} | {after} | {} |", text(&metric.name), text(&change.run), percent(change.ratio))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{comparison, plain};

    #[test]
    fn each_change_and_each_metric_is_a_row() {
        insta::assert_snapshot!(plain(|out| write(out, &comparison(""))), @r"
        - target: a before, b now

        ## Changed

        | what | | was | is | |
        |---|---|---|---|---|
        | clause | SEQ-1 | holds | does not hold | **worse** |
        | clause | MSG-3 | holds | unknown: lost | does not decide |
        | mutant | 101 bytes | does not hold | holds | better |

        ## Load

        | | base | new | change | 95 % bounds | limit | |
        |---|--:|--:|--:|---|--:|---|
        | throughput | 200.0/s | 199.9/s | +0.0 % | -0.1 % to +0.0 % | -5.0 % | within |
        | p99 | 1.00 ms | 1.10 ms | +10.0 % | +6.0 % to +14.0 % | +5.0 % | worse |
        | p99.9 | 2.00 ms | 2.10 ms | +5.0 % | none | +5.0 % | open: try 12 of each |
        | cpu | 50.0 µs | 51.0 µs | +2.0 % | none |  |  |

        ## Doubts

        - c.json: the generator was late

        ## History of 2 runs

        | metric | changed in | before | after | change |
        |---|---|--:|--:|--:|
        | p99 | commit-8 | 1.00 ms | 1.20 ms | +20.0 % |
        ");
    }

    #[test]
    fn a_hostile_text_stays_in_its_cell() {
        let rows = |text: &str| plain(|out| write(out, &comparison(text)));
        let hostile = rows("|<script>\n# x");
        assert!(!hostile.contains("<script>") && hostile.lines().count() == rows("").lines().count(), "{hostile}");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(hostile.lines().zip(rows("").lines()).all(|(line, plain)| cells(line) == cells(plain)), "{hostile}");
    }
}
