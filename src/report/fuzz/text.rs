//! A search for a terminal: each difference where it stands in the file that repeats it, and what it all came to.

use std::io;

use super::Fuzz;
use crate::judge::fuzz::FuzzDifference;
use crate::judge::text::{counted, printable};
use crate::report::Report;
use crate::report::snippet::Texts;
use crate::report::table::{DIM, TextTable};
use crate::report::text::{failures, heading, verdict};

/// What a search came to. `width` is the terminal's, where there is one.
pub fn summary(out: &mut dyn io::Write, report: &Report, fuzz: &Fuzz, texts: &Texts, width: Option<usize>) -> io::Result<()> {
    failures(out, report, texts, width)?;
    if let Some(first) = fuzz.differences.first() {
        heading(out, "Differences")?;
        let rows = fuzz.differences.iter().map(|found| {
            let again = if found.came_again { "" } else { "did not come again" };
            let others = if found.others > 0 { format!("in {} more", counted_cases(found.others)) } else { String::new() };
            let readings = FuzzDifference::told_readings(&found.rests_on);
            let rests_on = if readings.is_empty() { String::new() } else { format!("where {}", readings.join(", ")) };
            [found.clause.clone(), counted(found.steps, "step"), found.scenario.clone(), others, again.to_owned(), rests_on]
        });
        TextTable::new(rows).write(out, width)?;
        writeln!(out, "{DIM}to repeat them: msgext run {}{DIM:#}", printable(&first.file))?;
    }
    if !report.readings.is_empty() {
        heading(out, "Readings")?;
        TextTable::new(report.readings.iter().map(|(reading, answer)| [reading.clone(), answer.clone()])).write(out, width)?;
    }
    heading(out, "Totals")?;
    let rows = [("cases", fuzz.cases), ("unknown", fuzz.unknown), ("requests", report.totals.requests)];
    TextTable::new(rows.into_iter().map(|(what, count)| [what.to_owned(), count.to_string()])).write(out, width)?;
    verdict(out, report)
}

fn counted_cases(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "case")
}
