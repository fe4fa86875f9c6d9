//! A race for a terminal: what no order explains, call by call along the time, and what it all came to.

use std::io;

use super::{AnomalyEntry, Race, TimelineEntry};
use crate::judge::text::{counted, printable};
use crate::report::Report;
use crate::report::table::{DIM, TextTable};
use crate::report::text::{RED, heading, verdict};

/// Columns of the time in a picture.
const COLUMNS: usize = 24;
/// So many anomalies are drawn; the JSON report has the rest.
const DRAWN: usize = 3;

/// What a race came to. `width` is the terminal's, where there is one.
pub fn summary(out: &mut dyn io::Write, report: &Report, race: &Race, width: Option<usize>) -> io::Result<()> {
    race.anomalies.iter().take(DRAWN).try_for_each(|anomaly| picture(out, anomaly, width))?;
    let more = race.unexplained.saturating_sub(DRAWN.min(race.anomalies.len()));
    if more > 0 {
        writeln!(out, "{DIM}and {} more; the JSON report has the first of them{DIM:#}", counted(more, "key"))?;
    }
    if !report.readings.is_empty() {
        heading(out, "Readings")?;
        TextTable::new(report.readings.iter().map(|(reading, answer)| [reading.clone(), answer.clone()])).write(out, width)?;
    }
    heading(out, "Totals")?;
    let rows = [
        ("calls", race.operations),
        ("met another", race.contended),
        ("outcome unknown", race.unknown_outcomes),
        ("keys undecided", race.undecided),
        ("unexplained", race.unexplained),
    ];
    TextTable::new(rows.into_iter().map(|(what, count)| [what.to_owned(), count.to_string()])).write(out, width)?;
    verdict(out, report)
}

/// The calls of an anomaly as bars along the time.
fn picture(out: &mut dyn io::Write, anomaly: &AnomalyEntry, width: Option<usize>) -> io::Result<()> {
    let [message, key] = [&anomaly.message, &anomaly.key].map(|text| printable(text));
    let key = if key.is_empty() { String::new() } else { format!(", key {key}") };
    writeln!(out, "{RED}{}{RED:#}: message {message}{key}", anomaly.name)?;
    let ends = anomaly.timeline.iter().filter_map(|call| call.received_us);
    let end = ends.chain(anomaly.timeline.iter().map(|call| call.sent_us)).fold(1.0, f64::max);
    let rows = anomaly.timeline.iter().map(|call| [bar(call, end), format!("client {}", call.client), call.told.clone()]);
    let scale = [format!("{:<1$}", "0", COLUMNS - 1), format!("{end:.0} us"), String::new()];
    TextTable::new(std::iter::once(scale).chain(rows)).write(out, width)?;
    writeln!(out)
}

/// `  ├───┤`: from the sending to the reply; one without a reply goes on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a few columns")]
fn bar(call: &TimelineEntry, end: f64) -> String {
    let place = |time: f64| ((time / end) * (COLUMNS - 1) as f64).round() as usize;
    let (from, to) = (place(call.sent_us), call.received_us.map_or(COLUMNS, place));
    let closing = if call.received_us.is_some() { "┤" } else { "→" };
    let middle = "─".repeat(to.saturating_sub(from + 1));
    let bar = if to > from { format!("├{middle}{closing}") } else { "│".to_owned() };
    format!("{}{bar}", " ".repeat(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_drawn_from_its_sending_to_its_reply_and_one_without_goes_on() {
        let call =
            |sent_us, received_us| TimelineEntry { client: 1, sent_us, received_us, told: String::new(), curl: String::new() };
        assert_eq!(bar(&call(0.0, Some(23.0)), 23.0), format!("├{}┤", "─".repeat(22)));
        assert_eq!(bar(&call(10.0, Some(12.0)), 23.0), format!("{}├─┤", " ".repeat(10)));
        assert_eq!(bar(&call(20.0, None), 23.0), format!("{}├───→", " ".repeat(20)));
        assert_eq!(bar(&call(5.0, Some(5.0)), 23.0), "     │");
    }
}
