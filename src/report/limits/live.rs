//! The report of a search that goes on: what is known at this moment, and no verdict.

use std::io::{self, Write};
use std::time::Duration;

use super::build::limit;
use crate::judge::limits::Decision;
use crate::judge::limits::trace::Trace;
use crate::judge::limits::verdict::{Inquired, LimitsSoFar};
use crate::report::Report;
use crate::report::build::milliseconds;
use crate::report::openmetrics::{END, family};

/// What was true before the search began, with what is known of each limit; `before` are those that are through. `elapsed` is that
/// of all searches.
pub fn build(begun: &Report, before: &[Inquired], so_far: &LimitsSoFar<'_>, elapsed: Duration) -> Report {
    let LimitsSoFar { inquired, probes, out, left, .. } = *so_far;
    let probes: Vec<&str> = probes.iter().map(|probe| probe.name.as_str()).collect();
    let mut now = Inquired { elapsed: so_far.elapsed, ..inquired.clone() };
    now.traces.push(Trace { calls: out.to_vec() });
    let mut report = begun.clone();
    report.reason = format!("{}'s limit: {}; {} s left at most", inquired.whose.word(), probes.join(", "), left.as_secs());
    report.elapsed_ms = milliseconds(elapsed);
    report.limits = before.iter().chain([&now]).map(limit).collect();
    report.totals.requests = report.limits.iter().map(|limit| limit.calls).sum::<u64>() + out.len() as u64;
    report
}

/// The same as `OpenMetrics` text.
pub fn metrics(out: &mut dyn Write, before: &[Inquired], so_far: &LimitsSoFar<'_>) -> io::Result<()> {
    let all = || before.iter().map(|one| (one, [].as_slice())).chain([(so_far.inquired, so_far.out)]);
    family(out, "msgext_limit_calls", "counter", "Calls that were sent to find a limit out.")?;
    for (inquired, under_way) in all() {
        let calls = || inquired.traces.iter().flat_map(|trace| &trace.calls).chain(under_way);
        for (word, decision) in [("admitted", Decision::Admitted), ("refused", Decision::Refused)] {
            let count = calls().filter(|call| call.decision == decision).count();
            writeln!(out, r#"msgext_limit_calls_total{{limit="{}",came_to="{word}"}} {count}"#, inquired.whose.word())?;
        }
    }
    family(out, "msgext_limit_confidence", "gauge", "How sure the likeliest limiter is, from 0 to 1.")?;
    for (inquired, _) in all() {
        let Some(first) = inquired.learnt.candidates.first() else { continue };
        let (whose, kind, sure) = (inquired.whose.word(), first.suspect.algorithm.name(), inquired.learnt.confidence());
        writeln!(out, r#"msgext_limit_confidence{{limit="{whose}",kind="{kind}"}} {sure:.4}"#)?;
    }
    out.write_all(END)
}
