//! Several histories in one report: the worst verdict is that of them all.

use super::HistoryVerdict;
use crate::judge::text::counted;
use crate::report::build::totals;
use crate::report::{ClauseEntry, Report, VerdictWord};

/// The report of one history as it is; of several, each with its own verdict, and one that holds for all.
pub fn together(mut reports: Vec<Report>) -> Option<Report> {
    let histories: Vec<HistoryVerdict> = reports.iter().map(entry).collect();
    let clauses = clauses(&reports);
    let requests = reports.iter().map(|report| report.totals.requests).sum();
    let worst = (0..reports.len()).rev().max_by_key(|place| reports[*place].verdict.severity())?;
    let decides = reports.swap_remove(worst);
    if histories.len() == 1 {
        return Some(decides);
    }
    let target = counted(histories.len(), "file");
    let reason = format!("{target}, {}: {}", decides.target, decides.reason);
    Some(Report { reason, target, totals: totals(&[], &clauses, requests, 0), clauses, race: None, histories, ..decides })
}

fn entry(report: &Report) -> HistoryVerdict {
    let (verdict, reason) = (report.verdict, report.reason.clone());
    HistoryVerdict { file: report.target.clone(), verdict, reason, race: report.race.clone() }
}

/// Each clause once, with the worst that a history says of it.
fn clauses(reports: &[Report]) -> Vec<ClauseEntry> {
    let mut all: Vec<ClauseEntry> = Vec::new();
    for clause in reports.iter().flat_map(|report| &report.clauses) {
        match all.iter_mut().find(|known| known.id == clause.id) {
            Some(known) if rank(clause.verdict) > rank(known.verdict) => *known = clause.clone(),
            Some(_) => {}
            None => all.push(clause.clone()),
        }
    }
    all
}

fn rank(verdict: VerdictWord) -> u8 {
    match verdict {
        VerdictWord::Skipped => 0,
        VerdictWord::Pass => 1,
        VerdictWord::Unknown => 2,
        VerdictWord::Fail => 3,
    }
}
