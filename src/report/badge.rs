//! The verdict as a badge: the JSON of an endpoint of shields.io.

use std::io;

use serde_json::json;

use super::Report;
use crate::verdict::Overall;

pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let color = match report.verdict {
        Overall::Pass => "brightgreen",
        Overall::Fail => "red",
        Overall::Inconclusive => "yellow",
    };
    let message = match (report.verdict, report.command.as_str(), &report.mutants) {
        (Overall::Inconclusive, ..) | (_, _, None) if report.command != "run" => report.verdict.word().to_owned(),
        (_, _, Some(mutants)) => format!("{} of {} killed", mutants.killed, mutants.total),
        _ => report.told_scenarios(),
    };
    let badge = json!({"schemaVersion": 1, "label": format!("msgext {}", report.command), "message": message, "color": color});
    serde_json::to_writer_pretty(&mut *out, &badge)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, plain};

    #[test]
    fn a_badge_counts_what_the_terminal_counts_and_has_the_verdicts_colour() {
        let badge = |report: &Report| serde_json::from_str::<serde_json::Value>(&plain(|out| write(out, report))).unwrap();
        let run = badge(&fixture::report());
        assert_eq!((&run["schemaVersion"], &run["label"], &run["color"]), (&1.into(), &"msgext run".into(), &"red".into()));
        assert_eq!(run["message"], fixture::report().told_scenarios());
        let load = Report { command: "load".to_owned(), verdict: Overall::Inconclusive, ..fixture::report() };
        assert_eq!((&badge(&load)["message"], &badge(&load)["color"]), (&"inconclusive".into(), &"yellow".into()));
    }
}
