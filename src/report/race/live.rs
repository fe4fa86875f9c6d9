//! The report of a race that goes on: which calls have ended, and no verdict.

use std::io::{self, Write};
use std::time::Duration;

use crate::history::Class;
use crate::report::Report;
use crate::report::build::milliseconds;
use crate::report::openmetrics::{END, family};

/// Calls that have ended until now, by what they came to.
pub type EndedCalls = [u64; Class::COUNT];

/// What was true before the race began, with the calls of `planned` that have ended since.
pub fn build(begun: &Report, ended: &EndedCalls, planned: u32, elapsed: Duration) -> Report {
    let all: u64 = ended.iter().sum();
    let told = Class::ALL.into_iter().zip(ended).filter(|(_, calls)| **calls > 0);
    let told: Vec<String> = told.map(|(class, calls)| format!("{calls} {}", class.word())).collect();
    let mut report = begun.clone();
    report.reason = format!("{all} of about {planned} calls have ended: {}", told.join(", "));
    report.elapsed_ms = milliseconds(elapsed);
    report.totals.requests = all;
    report
}

/// The same as `OpenMetrics` text.
pub fn metrics(out: &mut dyn Write, ended: &EndedCalls) -> io::Result<()> {
    family(out, "msgext_calls", "counter", "Calls by what they came to.")?;
    for (class, calls) in Class::ALL.into_iter().zip(ended) {
        writeln!(out, r#"msgext_calls_total{{class="{}"}} {calls}"#, class.word())?;
    }
    out.write_all(END)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::build::begun;
    use crate::report::fixture::facts;
    use crate::report::secrets::Secrets;
    use crate::verdict::Overall;

    #[test]
    fn a_race_that_goes_on_has_counts_and_no_verdict() {
        let ended = [90, 9, 0, 0, 1];
        let report = build(&begun("race", &facts().facts, &Secrets::default()), &ended, 400, Duration::from_secs(3));
        let told = (report.verdict, report.reason.as_str(), report.totals.requests, report.elapsed_ms);
        let reason = "100 of about 400 calls have ended: 90 accepted, 9 conflict, 1 lost";
        assert_eq!(told, (Overall::Inconclusive, reason, 100, 3000));
        let mut text = Vec::new();
        metrics(&mut text, &ended).expect("memory takes everything");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("msgext_calls_total{class=\"conflict\"} 9\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
