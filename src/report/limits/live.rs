//! The report of a search that goes on: what is known at this moment, and no verdict.

use std::io::{self, Write};
use std::time::Duration;

use super::build::limit;
use crate::judge::limits::Decision;
use crate::judge::limits::probe::Probe;
use crate::judge::limits::trace::{ProbedCall, Trace};
use crate::judge::limits::verdict::Inquired;
use crate::report::Report;
use crate::report::build::milliseconds;
use crate::report::openmetrics::{END, family};

/// The search of one limit at one moment.
#[derive(Clone, Copy, Debug)]
pub struct SearchSoFar<'a> {
    /// The limits that were searched before.
    pub before: &'a [Inquired],
    /// What is known by the probes that are through.
    pub inquired: &'a Inquired,
    /// The probes that are out, and their calls.
    pub probes: &'a [Probe],
    pub out: &'a [ProbedCall],
    /// Of this limit's search.
    pub elapsed: Duration,
    pub left: Duration,
}

impl SearchSoFar<'_> {
    /// All limits, this one with the calls that are out.
    fn all(&self) -> Vec<Inquired> {
        let mut now = Inquired { elapsed: self.elapsed, ..self.inquired.clone() };
        now.traces.push(Trace { calls: self.out.to_vec() });
        self.before.iter().cloned().chain([now]).collect()
    }
}

/// What was true before the search began, with what is known of each limit. `elapsed` is that of all searches.
pub fn build(begun: &Report, so_far: &SearchSoFar<'_>, elapsed: Duration) -> Report {
    let probes: Vec<&str> = so_far.probes.iter().map(|probe| probe.name.as_str()).collect();
    let whose = so_far.inquired.whose.word();
    let mut report = begun.clone();
    report.reason = format!("{whose}'s limit: {}; {} s left at most", probes.join(", "), so_far.left.as_secs());
    report.elapsed_ms = milliseconds(elapsed);
    report.limits = so_far.all().iter().map(limit).collect();
    report.totals.requests = report.limits.iter().map(|limit| limit.calls).sum::<u64>() + so_far.out.len() as u64;
    report
}

/// The same as `OpenMetrics` text.
pub fn metrics(out: &mut dyn Write, so_far: &SearchSoFar<'_>) -> io::Result<()> {
    let all = so_far.all();
    family(out, "msgext_limit_calls", "counter", "Calls that were sent to find a limit out.")?;
    for inquired in &all {
        let calls = || inquired.traces.iter().flat_map(|trace| &trace.calls);
        for (word, decision) in [("admitted", Decision::Admitted), ("refused", Decision::Refused)] {
            let count = calls().filter(|call| call.decision == decision).count();
            writeln!(out, r#"msgext_limit_calls_total{{limit="{}",came_to="{word}"}} {count}"#, inquired.whose.word())?;
        }
    }
    family(out, "msgext_limit_confidence", "gauge", "How sure the likeliest limiter is, from 0 to 1.")?;
    for inquired in &all {
        let Some(first) = inquired.learnt.candidates.first() else { continue };
        let (whose, kind, sure) = (inquired.whose.word(), first.suspect.algorithm.name(), inquired.learnt.confidence());
        writeln!(out, r#"msgext_limit_confidence{{limit="{whose}",kind="{kind}"}} {sure:.4}"#)?;
    }
    out.write_all(END)
}
