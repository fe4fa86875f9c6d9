//! The trials of mutants for a terminal: what survived, whom a pass was denied to, and the score.

use std::collections::BTreeMap;
use std::io;

use super::{MutantEntry, Mutants};
use crate::judge::mutants::Killer;
use crate::judge::text::printable;
use crate::report::Report;
use crate::report::table::TextTable;
use crate::report::text::{RED, heading, verdict};

/// What the trials came to. `width` is the terminal's, where there is one.
pub fn summary(out: &mut dyn io::Write, report: &Report, mutants: &Mutants, width: Option<usize>) -> io::Result<()> {
    for mutant in &mutants.survivors {
        writeln!(out, "{RED}survives{RED:#}: {} ({})", printable(&mutant.name), mutant.breaks.join(" "))?;
    }
    for mutant in &mutants.matrix {
        if let Some(why) = &mutant.unknown {
            writeln!(out, "unknown: {}: {}", printable(&mutant.name), printable(why))?;
        }
    }
    for alarm in &mutants.false_alarms {
        writeln!(out, "{RED}false alarm{RED:#}: {}\n  {}", alarm.readings.join(" "), printable(&alarm.why))?;
    }
    heading(out, "Killed by")?;
    let [run, fuzz, race] = Killer::words();
    let titles = ["breaks", run, fuzz, race, "survive"].map(str::to_owned);
    let shown = |count: usize| if count == 0 { String::new() } else { count.to_string() };
    let rows = groups(&mutants.matrix)
        .into_iter()
        .map(|(group, [run, fuzz, race, survive])| [group, shown(run), shown(fuzz), shown(race), shown(survive)]);
    TextTable::new(std::iter::once(titles).chain(rows)).write(out, width)?;
    heading(out, "Totals")?;
    let rows = [
        ("killed", format!("{} of {}", mutants.killed, mutants.total)),
        ("lawful", format!("{} combinations of readings, {} false alarms", mutants.combinations, mutants.false_alarms.len())),
    ];
    TextTable::new(rows.into_iter().map(|(what, count)| [what.to_owned(), count])).write(out, width)?;
    verdict(out, report)
}

/// By the group of the first clause that it breaks: how many each command killed, and how many nobody did.
fn groups(matrix: &[MutantEntry]) -> BTreeMap<String, [usize; 4]> {
    let mut groups: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for mutant in matrix {
        let group = mutant.breaks.first().and_then(|clause| clause.split('-').next()).unwrap_or_default();
        let by = mutant.killed_by.as_deref();
        let place = Killer::words().iter().position(|word| by == Some(word)).unwrap_or(Killer::ALL.len());
        groups.entry(group.to_owned()).or_default()[place] += 1;
    }
    groups
}
