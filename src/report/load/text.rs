//! The end of a load run on a terminal: what each phase came to, how long calls took, and what was checked.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds, and columns of a bar")]

use std::io;
use std::time::Duration;

use super::{CapacityFigures, Load, PhaseFigures, Times};
use crate::api::code::meaning;
use crate::judge::load::check::{per_second, told};
use crate::judge::load::tally::Latency;
use crate::judge::text::{counted, printable};
use crate::report::snippet::Texts;
use crate::report::table::{DIM, TextTable};
use crate::report::text::{GREEN, RED, YELLOW, failures, heading, verdict};
use crate::report::{Report, VerdictWord};

/// Everything of a load run. `response` is the whole run's, for the histogram; `width` the terminal's, where there is one.
pub fn summary(
    out: &mut dyn io::Write,
    report: &Report,
    load: &Load,
    response: &Latency,
    (texts, width): (&Texts, Option<usize>),
) -> io::Result<()> {
    failures(out, report, texts, width)?;
    if let Some(capacity) = &load.capacity {
        heading(out, "Trials")?;
        self::capacity(out, capacity, width)?;
    } else {
        heading(out, "Phases")?;
        phases(out, load, width)?;
        if response.count() > 0 {
            heading(out, "Response time")?;
            histogram(out, response, width)?;
        }
        heading(out, "Percentiles")?;
        percentiles(out, &load.total, width)?;
    }
    codes(out, &load.total, width)?;
    clauses(out, report)?;
    checks(out, report)?;
    if !load.doubts.is_empty() {
        heading(out, "Doubts")?;
        for doubt in &load.doubts {
            writeln!(out, "  {YELLOW}!{YELLOW:#} {}", printable(doubt))?;
        }
    }
    heading(out, "Totals")?;
    totals(out, report, load, width)?;
    verdict(out, report)
}

fn phases(out: &mut dyn io::Write, load: &Load, width: Option<usize>) -> io::Result<()> {
    let header = ["phase", "sent", "rate", "accepted", "conflicts", "refused", "failed", "p50", "p99", "p99.9", "lag p99"]
        .map(str::to_owned);
    let row = |phase: &PhaseFigures| {
        let [response, lag] = [&phase.response_us, &phase.lag_us];
        let time = |us: u64| if response.count == 0 { "-".to_owned() } else { in_words(us) };
        [
            phase.name.clone(),
            phase.sent.to_string(),
            format!("{:.1}/s", phase.rate),
            phase.accepted.to_string(),
            phase.conflicts.to_string(),
            phase.refused.to_string(),
            (phase.errors + phase.lost).to_string(),
            time(response.p50),
            time(response.p99),
            time(response.p999),
            if lag.count == 0 { "-".to_owned() } else { in_words(lag.p99) },
        ]
    };
    let sending = load.phases.iter().filter(|phase| phase.planned > 0).map(row);
    TextTable::new(std::iter::once(header).chain(sending))
        .wrapping(&[0])
        .leaving_out(&[9, 7, 1, 4, 10, 2, 5, 6])
        .write(out, width)
}

fn percentiles(out: &mut dyn io::Write, total: &PhaseFigures, width: Option<usize>) -> io::Result<()> {
    let header = ["", "p50", "p90", "p99", "p99.9", "max", "mean"].map(str::to_owned);
    let rows = [
        ("response", &total.response_us),
        ("service", &total.service_us),
        ("connection wait", &total.connection_wait_us),
        ("lag", &total.lag_us),
    ];
    let row = |(name, times): (&str, &Times)| {
        let [p50, p90, p99, p999, max] = [times.p50, times.p90, times.p99, times.p999, times.max].map(in_words);
        [name.to_owned(), p50, p90, p99, p999, max, in_words(times.mean.round() as u64)]
    };
    let rows = rows.into_iter().filter(|(_, times)| times.count > 0).map(row);
    TextTable::new(std::iter::once(header).chain(rows)).wrapping(&[]).leaving_out(&[6, 2, 4]).write(out, width)?;
    let beyond = total.response_us.beyond_range;
    if beyond > 0 { writeln!(out, "  {beyond} calls took over a minute, and count as a minute here") } else { Ok(()) }
}

fn in_words(us: u64) -> String {
    told(Duration::from_micros(us))
}

/// Widest bar, in characters, and the least that is worth showing.
const WIDEST_BAR: usize = 40;
const SHORTEST_BAR: usize = 8;
/// What stands beside a bar of the histogram.
const BESIDE_A_BAR: usize = 38;

/// Bars over spans of time that grow by halves, so that a millisecond and a minute fit into one picture.
fn histogram(out: &mut dyn io::Write, times: &Latency, width: Option<usize>) -> io::Result<()> {
    let widest = width.map_or(WIDEST_BAR, |width| width.saturating_sub(BESIDE_A_BAR).clamp(SHORTEST_BAR, WIDEST_BAR));
    let bars = bars(times);
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let rows = bars.iter().map(|(upto, count)| {
        let share = *count as f64 / times.count() as f64 * 100.0;
        [format!("≤ {}", in_words(*upto)), bar(*count as f64 / most as f64, widest), count.to_string(), format!("{share:.2} %")]
    });
    TextTable::new(rows).wrapping(&[]).write(out, width)
}

/// The upper end of each span in microseconds, with the calls in it; from the first span that has any to the last.
fn bars(times: &Latency) -> Vec<(u64, u64)> {
    let (mut ends, mut end) = (vec![10_u64], 10_u64);
    while end < u64::try_from(times.max().as_micros()).unwrap_or(u64::MAX) {
        // 10, 15, 20, 30, 50, 70, 100: nearly even steps of a logarithm, and round numbers.
        let mantissa = end / 10_u64.pow(end.ilog10());
        let scale = 10_u64.pow(end.ilog10() - 1);
        let next = match (mantissa, end / scale) {
            (1, 10) => 15,
            (1, _) => 20,
            (2, _) => 30,
            (3, _) => 50,
            (5, _) => 70,
            _ => 100,
        };
        end = next * scale;
        ends.push(end);
    }
    let mut below = 0;
    let counted = ends.into_iter().map(|end| {
        let upto = times.histogram().count_between(0, end);
        let count = upto - below;
        below = upto;
        (end, count)
    });
    let mut bars: Vec<(u64, u64)> = counted.skip_while(|(_, count)| *count == 0).collect();
    if let Some(last) = bars.last_mut() {
        // The longest time's own bucket may reach beyond its end.
        last.1 += times.count() - below;
    }
    bars
}

fn bar(share: f64, widest: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share * widest as f64 * 8.0).ceil() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

fn codes(out: &mut dyn io::Write, total: &PhaseFigures, width: Option<usize>) -> io::Result<()> {
    if total.codes.is_empty() && total.losses.is_empty() {
        return Ok(());
    }
    heading(out, "Replies")?;
    let codes = total.codes.iter().map(|(code, calls)| {
        let words = code.parse().ok().and_then(meaning).unwrap_or("a code without a known meaning");
        [code.clone(), calls.to_string(), words.to_owned()]
    });
    let losses = total.losses.iter().map(|(cause, calls)| ["none".to_owned(), calls.to_string(), cause.clone()]);
    TextTable::new(codes.chain(losses)).write(out, width)
}

fn clauses(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    if report.clauses.is_empty() {
        return Ok(());
    }
    heading(out, "Clauses")?;
    for clause in &report.clauses {
        let (mark, style) = match clause.verdict {
            VerdictWord::Pass => ("✓", GREEN),
            VerdictWord::Fail => ("✗", RED),
            VerdictWord::Unknown | VerdictWord::Skipped => ("?", YELLOW),
        };
        write!(out, "  {style}{mark}{style:#} {}  {}", clause.id, clause.statement)?;
        match &clause.why {
            Some(why) => writeln!(out, " {DIM}{}: {}{DIM:#}", clause.verdict.word(), printable(why))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn checks(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    if report.checks.is_empty() {
        return Ok(());
    }
    heading(out, "Checks")?;
    for check in &report.checks {
        let (mark, style) = match check.holds {
            Some(true) => ("✓", GREEN),
            Some(false) => ("✗", RED),
            None => ("?", YELLOW),
        };
        writeln!(out, "  {style}{mark}{style:#} {}  {DIM}{}{DIM:#}", printable(&check.name), printable(&check.actual))?;
    }
    Ok(())
}

/// The latency-against-load curve: every trial, the slowest rate first.
fn capacity(out: &mut dyn io::Write, capacity: &CapacityFigures, width: Option<usize>) -> io::Result<()> {
    let widest = width.map_or(WIDEST_BAR, |width| (width / 4).clamp(SHORTEST_BAR, WIDEST_BAR));
    let most = capacity.curve.iter().map(|trial| trial.response_us.p99).max().unwrap_or(1).max(2);
    let mut trials: Vec<_> = capacity.curve.iter().collect();
    trials.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let header = ["", "offered", "accepted", "p50", "p99", "p99 against load", ""].map(str::to_owned);
    let rows = trials.into_iter().map(|trial| {
        let Times { p50, p99, .. } = trial.response_us;
        // By logarithm: a curve that bends up at its end would else be one bar.
        let height = (p99.max(1) as f64).ln() / (most as f64).ln();
        let kind = if trial.confirms { "confirmed" } else { "" };
        [
            if trial.passed { "✓" } else { "✗" }.to_owned(),
            per_second(trial.rate),
            per_second(trial.achieved),
            in_words(p50),
            in_words(p99),
            bar(height, widest),
            trial.why.as_deref().unwrap_or(kind).to_owned(),
        ]
    });
    TextTable::new(std::iter::once(header).chain(rows)).leaving_out(&[3, 2]).write(out, width)
}

fn totals(out: &mut dyn io::Write, report: &Report, load: &Load, width: Option<usize>) -> io::Result<()> {
    let lost: u64 = load.connections.lost.values().sum();
    let causes: Vec<String> = load.connections.lost.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    let read_back = match &load.read_back {
        Some(read_back) => format!("{} of {} messages", read_back.read, read_back.messages),
        None => "not possible here".to_owned(),
    };
    let shards = (!load.shards.is_empty()).then(|| ("shards", shards(load)));
    let rows = [
        ("plan", format!("{}: {}", load.plan, load.title)),
        (
            "calls",
            format!(
                "{} of {} {}, in {:.1} s",
                load.total.sent,
                load.total.planned,
                planned(load),
                report.elapsed_ms as f64 / 1000.0
            ),
        ),
        (
            "connections",
            format!("{} opened, {lost} lost{causes}, {} reopened", load.connections.opened, load.connections.reopened),
        ),
        ("read back", read_back),
        (
            "generator",
            format!("{:.1} µs of processor time a call, {}", load.cpu_us_per_request, counted(load.threads as usize, "thread")),
        ),
        ("target", report.target.clone()),
        ("seed", format!("{} (--seed {} repeats the run's random choices)", report.seed, report.seed)),
    ];
    TextTable::new(rows.into_iter().chain(shards).map(|(name, value)| [name.to_owned(), value])).write(out, width)
}

/// What a shard that has sent nothing was to send, nobody knows.
fn planned(load: &Load) -> &'static str {
    if load.shards.iter().any(|shard| shard.why.is_some()) { "planned by the shards that have sent" } else { "planned" }
}

fn shards(load: &Load) -> String {
    let apart = load.clock_skew_us.map_or("how far their clocks were apart is unknown".to_owned(), |skew| {
        format!("their clocks at most {} apart", in_words(skew))
    });
    let sent = load.shards.iter().filter(|shard| shard.why.is_none()).count();
    format!("{sent} of {} have sent, {apart}", load.shards.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::plain;

    #[test]
    fn a_histogram_has_a_bar_for_each_span_and_loses_no_call() {
        let mut times = Latency::default();
        (0..90).for_each(|_| times.record(Duration::from_micros(120)));
        (0..9).for_each(|_| times.record(Duration::from_micros(420)));
        times.record(Duration::from_millis(2));
        insta::assert_snapshot!(plain(|out| histogram(out, &times, None)), @r"
          ≤ 150 µs   ████████████████████████████████████████  90  90.00 %
          ≤ 200 µs                                             0   0.00 %
          ≤ 300 µs                                             0   0.00 %
          ≤ 500 µs   ████                                      9   9.00 %
          ≤ 700 µs                                             0   0.00 %
          ≤ 1.00 ms                                            0   0.00 %
          ≤ 1.50 ms                                            0   0.00 %
          ≤ 2.00 ms  ▌                                         1   1.00 %
        ");
        assert_eq!(bars(&times).iter().map(|(_, count)| count).sum::<u64>(), 100);
    }
}
