//! docs/strength.md shows who killed the mutants of the last result, which is kept in reports/mutants.md.

use super::{blocks, read};

/// Who tries them, in the order of the columns.
const JUDGES: [&str; 3] = ["run", "fuzz", "race"];

/// Mutants by the section of the first clause that they break and by who killed them, from a report in Markdown.
fn reported(report: &str) -> Vec<(String, &'static str)> {
    let rows = report.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let killed = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, breaks, by @ ..] = cells.as_slice() else { return None };
        let place = by.iter().position(|clause| clause.contains('-')).filter(|_| by.len() == JUDGES.len())?;
        Some((breaks.split('-').next()?.to_owned(), JUDGES[place]))
    });
    let mut killed: Vec<_> = killed.collect();
    killed.sort();
    killed
}

/// The same from what the command prints, where a figure stands below the name of its column.
fn printed(text: &str) -> Vec<(String, &'static str)> {
    let table = text.lines().skip_while(|line| !line.starts_with("  breaks"));
    let rows = table.clone().skip(1).take_while(|line| line.starts_with("  "));
    let header = table.clone().next().unwrap_or_default();
    let count = |row: &str, judge: &str| {
        let figure = row.get(header.find(judge)?..)?.split("  ").next()?;
        figure.trim().parse::<usize>().ok()
    };
    let of_row = |row: &str| {
        let section = row.split_whitespace().next().unwrap_or_default().to_owned();
        let counts = JUDGES.map(|judge| (judge, count(row, judge).unwrap_or(0)));
        counts.into_iter().flat_map(move |(judge, count)| vec![(section.clone(), judge); count])
    };
    let mut killed: Vec<_> = rows.flat_map(of_row).collect();
    killed.sort();
    killed
}

#[test]
fn the_page_shows_the_last_result() {
    let page = read("docs/strength.md");
    let block = blocks(&page).into_iter().find(|block| block.text.starts_with("$ msgext mutants")).expect("a block");
    assert_eq!(printed(&block.text), reported(&read("reports/mutants.md")));
}

#[test]
fn a_figure_in_another_column_is_another_result() {
    let report = "| mutant | breaks | run | fuzz | race |\n|---|---|---|---|---|\n| a | DEL-3 | | DEL-3 | |\n| b | SEQ-1 SET-2 | SET-2 | | |\n";
    let killed = [("DEL".to_owned(), "fuzz"), ("SEQ".to_owned(), "run")];
    assert_eq!(reported(report), killed);
    assert_eq!(printed("Killed by\n  breaks  run  fuzz  race\n  DEL          1\n  SEQ     1\nTotals\n"), killed);
    assert_ne!(printed("Killed by\n  breaks  run  fuzz  race\n  DEL                1\n  SEQ     1\nTotals\n"), killed);
}
