//! What was found out about limits, for a terminal.

use std::io;

use super::{CandidateEntry, CountsEntry, LimitEntry};
use crate::judge::text::{counted, printable};
use crate::report::Report;
use crate::report::table::{DIM, TextTable};
use crate::report::text::{RED, heading, verdict};

/// Heights of a column, from nothing to the highest.
const COLUMNS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Each limit with what may be, and what came of the calls over time.
pub fn summary(out: &mut dyn io::Write, report: &Report, width: Option<usize>) -> io::Result<()> {
    for limit in &report.limits {
        heading(out, &format!("Limit of the {}", limit.scope))?;
        writeln!(out, "  {}", printable(&limit.meaning))?;
        let sure = format!("{:.1} %", limit.confidence * 100.0);
        let code = limit.code.map_or("none".to_owned(), |code| code.to_string());
        let place = limit.place.as_deref().map_or(String::new(), |place| format!(", {place}"));
        let rows = [
            ("kind", format!("{} ({sure} sure)", limit.kind)),
            ("counter", counter(limit)),
            ("refusals", format!("{code}{place}")),
            ("calls", format!("{}, {} refused, {} lost, in {:.1} s", limit.calls, limit.refused, limit.lost, limit.elapsed_s)),
        ];
        TextTable::new(rows.into_iter().map(|(what, told)| [what.to_owned(), told])).write(out, width)?;
        if limit.kind == "unknown" && !limit.candidates.is_empty() {
            let likely = limit.candidates.iter().filter(|candidate| candidate.weight >= 0.001);
            TextTable::new(likely.map(|candidate| [format!("{:.1} %", candidate.weight * 100.0), told(candidate)]))
                .write(out, width)?;
        }
        picture(out, limit)?;
    }
    for finding in report.scenarios.iter().flat_map(|scenario| &scenario.findings) {
        writeln!(out, "{RED}{}{RED:#}: {}: {}", finding.clause, finding.statement, printable(&finding.actual))?;
    }
    if !report.readings.is_empty() {
        heading(out, "Readings")?;
        TextTable::new(report.readings.iter().map(|(reading, answer)| [reading.clone(), answer.clone()])).write(out, width)?;
    }
    writeln!(out)?;
    verdict(out, report)
}

/// Whose counter it is, and what counts there beside an admin's sets.
fn counter(limit: &LimitEntry) -> String {
    let per = match (limit.per.as_deref(), limit.kind.as_str()) {
        (Some(per), _) => format!("one for each {per}"),
        (None, "none") => return "none".to_owned(),
        (None, _) => "whose is not known".to_owned(),
    };
    let CountsEntry { delete, clear, invalid, member } = limit.counts;
    let calls = [("deletes", delete), ("clears", clear), ("invalid calls", invalid), ("a member's sets", member)];
    let those = |wanted: Option<bool>| -> Vec<&str> {
        calls.iter().filter(|(_, counts)| *counts == wanted).map(|(calls, _)| *calls).collect()
    };
    let told = [(Some(true), "count"), (Some(false), "do not"), (None, "not known")];
    let told = told.into_iter().filter_map(|(wanted, word)| {
        let those = those(wanted);
        (!those.is_empty()).then(|| format!("; {word}: {}", those.join(", ")))
    });
    format!("{per}{}", told.collect::<String>())
}

fn told(candidate: &CandidateEntry) -> String {
    let numbers = candidate.limit.zip(candidate.window_s).map(|(limit, window)| format!(" {limit} in {window} s"));
    let parts = [
        numbers,
        candidate.capacity.map(|capacity| format!(", {capacity} at once")),
        candidate.unit.as_deref().filter(|unit| *unit == "kv").map(|_| ", pairs".to_owned()),
        candidate.counts_rejected.filter(|counts| *counts).map(|_| ", refused calls count".to_owned()),
    ];
    format!("{}{}", candidate.kind, parts.into_iter().flatten().collect::<String>())
}

/// Admitted and refused calls over the time of the search.
fn picture(out: &mut dyn io::Write, limit: &LimitEntry) -> io::Result<()> {
    let most = limit.timeline.iter().map(|part| part.admitted.max(part.refused)).max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    let row = |counts: &dyn Fn(usize) -> u64| -> String {
        (0..limit.timeline.len()).map(|at| COLUMNS[height(counts(at), most)]).collect()
    };
    writeln!(out, "  admitted {}", row(&|at| limit.timeline[at].admitted))?;
    writeln!(out, "  refused  {}", row(&|at| limit.timeline[at].refused))?;
    let scale = counted(usize::try_from(most).unwrap_or(usize::MAX), "call");
    writeln!(out, "           {DIM}0 to {:.1} s, {scale} at the highest{DIM:#}", limit.elapsed_s)
}

/// What is there is seen, however little.
fn height(count: u64, most: u64) -> usize {
    usize::try_from((count * 8).div_ceil(most)).unwrap_or(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_is_seen_and_none_is_not() {
        assert_eq!([0, 1, 500, 1000].map(|count| COLUMNS[height(count, 1000)]), [' ', '▁', '▄', '█']);
    }
}
