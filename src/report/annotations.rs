//! The report as workflow commands of GitHub Actions: its failures at their lines in the YAML.
//!
//! A command is one line; what a text holds cannot end it, begin another, or add a property.

use std::io;

use super::failure::{self, FailureGroup};
use super::{FilePlace, Report};
use crate::judge::text::printable;
use crate::verdict::Overall;

/// GitHub shows ten of a step, and drops the rest without a word.
const MOST: usize = 10;

/// An `::error` for each failure, or for a verdict that no failure explains; a `::warning` where it is inconclusive.
pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let failures = failure::of_report(report, true);
    let shown = if failures.len() > MOST { MOST - 1 } else { failures.len() };
    failures[..shown].iter().try_for_each(|failure| failed(out, failure))?;
    let title = format!("msgext {}", report.command);
    if shown < failures.len() {
        return command(
            out,
            "error",
            None,
            &title,
            &format!("{} more failures are in the step's summary", failures.len() - shown),
        );
    }
    match report.verdict {
        Overall::Fail if failures.is_empty() => command(out, "error", None, &title, &report.reason),
        Overall::Inconclusive => command(out, "warning", None, &title, &report.reason),
        Overall::Fail | Overall::Pass => Ok(()),
    }
}

fn failed(out: &mut dyn io::Write, failure: &FailureGroup) -> io::Result<()> {
    let first = failure.first();
    let finding = |finding: &&super::FindingEntry| {
        let (expected, actual) = failure::shown(&finding.expected, &finding.actual);
        format!("{}: expected {expected}, got {actual}", finding.subject)
    };
    let lines: Vec<String> = std::iter::once(first.statement.clone()).chain(failure.findings.iter().map(finding)).collect();
    let message = lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n");
    command(out, "error", Some(&first.place), &format!("{}: {}", first.clause, failure.scenario.id), &message)
}

fn command(out: &mut dyn io::Write, name: &str, place: Option<&FilePlace>, title: &str, message: &str) -> io::Result<()> {
    write!(out, "::{name} ")?;
    if let Some(FilePlace { file, line, column }) = place {
        write!(out, "file={},", property(&printable(file)))?;
        let numbers = [("line", line), ("col", column)].into_iter().filter_map(|(name, number)| Some((name, (*number)?)));
        for (name, number) in numbers {
            write!(out, "{name}={number},")?;
        }
    }
    writeln!(out, "title={}::{}", property(&printable(title)), data(message))
}

/// Escaped as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, plain};

    #[test]
    fn a_failure_stands_at_its_line_and_what_does_not_decide_is_none() {
        insta::assert_snapshot!(plain(|out| write(out, &fixture::report())), @"::error file=scenarios/conformance/seq.yaml,line=5,col=9,title=SEQ-3%3A seq-grows::Seq grows by one with every successful set.%0Ak1.Seq: expected 1, got 0%0AErrorCode: expected 0, got 10002");
    }

    #[test]
    fn a_hostile_text_ends_no_command_and_begins_none() {
        let report = fixture::hostile("\r\n::stop-commands::x\n%0A::error::y,line=1::z\u{2028}");
        let lines = plain(|out| write(out, &report));
        assert!(lines.lines().count() == 1 && lines.starts_with("::error file="), "{lines}");
        let (properties, _) = lines["::error ".len()..].split_once("::").unwrap();
        assert_eq!(
            properties.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name).collect::<Vec<_>>(),
            ["file", "line", "col", "title"]
        );
        assert!(properties.contains("%25250A") || properties.contains("%250A"), "{properties}");
    }

    #[test]
    fn of_many_failures_as_many_are_shown_as_github_shows_and_how_many_there_are_besides() {
        let mut report = fixture::many(40);
        (0..).zip(&mut report.scenarios).for_each(|(row, scenario)| scenario.findings[0].actual = format!("seq {row}"));
        let lines = plain(|out| write(out, &report));
        assert!(lines.lines().count() == MOST && lines.contains("more failures are in the step's summary"), "{lines}");
    }

    #[test]
    fn a_verdict_without_a_failure_is_told_and_a_pass_is_not() {
        let bare = Report { scenarios: Vec::new(), reason: "nobody answers".to_owned(), ..fixture::report() };
        let of = |verdict| plain(|out| write(out, &Report { verdict, ..bare.clone() }));
        assert_eq!(of(Overall::Inconclusive), "::warning title=msgext run::nobody answers\n");
        assert_eq!(
            (of(Overall::Fail), of(Overall::Pass)),
            ("::error title=msgext run::nobody answers\n".to_owned(), String::new())
        );
    }
}
