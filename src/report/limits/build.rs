//! From what was found out about limits to its report.

use std::time::Duration;

use super::{CandidateEntry, CountsEntry, LimitEntry, TimelinePart};
use crate::clock::nanoseconds;
use crate::judge::limits::probe::AskedCall;
use crate::judge::limits::verdict::{Inquired, NamedLimit, clauses, overall};
use crate::judge::limits::windows::beginnings;
use crate::judge::limits::{Decision, Learnt};
use crate::model::limiter::Unit;
use crate::report::build::{self, Facts, begun, totals};
use crate::report::secrets::Secrets;
use crate::report::{ClauseEntry, FilePlace, FindingEntry, Report, ScenarioEntry, VerdictWord};
use crate::spec::Spec;
use crate::verdict::Verdict;

/// Parts of the timeline.
const PARTS: usize = 60;
/// Windows that are told.
const MOST_WINDOWS: usize = 500;
/// Candidates that are told.
const MOST_CANDIDATES: usize = 5;

/// Builds the report of a search. What `secrets` holds is masked in all of it.
pub fn build(spec: &Spec, facts: &Facts, inquired: &[Inquired], secrets: &[String]) -> Report {
    let secrets = Secrets::of(secrets, []);
    let clauses: Vec<ClauseEntry> =
        clauses(inquired, spec).iter().map(|(id, verdict)| build::clause(spec, id, verdict, Vec::new(), &secrets)).collect();
    let readings = inquired.iter().flat_map(Inquired::readings);
    let scenarios: Vec<ScenarioEntry> = inquired.iter().map(|one| scenario(spec, one)).collect();
    let requests = inquired.iter().map(|one| one.learnt.calls).sum();
    let (verdict, reason) = overall(inquired);
    Report {
        verdict,
        reason: secrets.told(&reason),
        totals: totals(&scenarios, &clauses, requests, 0),
        clauses,
        readings: readings.map(|(question, answer)| (question.to_owned(), answer.to_owned())).collect(),
        scenarios,
        limits: inquired.iter().map(limit).collect(),
        ..begun("limits", facts, &secrets)
    }
}

/// Each limit as a scenario, so that what is broken is told as it is everywhere.
fn scenario(spec: &Spec, inquired: &Inquired) -> ScenarioEntry {
    let clauses = inquired.clauses();
    let broken = clauses.iter().filter(|clause| clause.verdict == Verdict::Fail);
    let place = || FilePlace { file: "msgext limits".to_owned(), line: None, column: None };
    let findings = broken.filter_map(|broken| {
        let clause = spec.clause(broken.clause)?;
        Some(FindingEntry {
            clause: broken.clause.to_owned(),
            level: clause.level,
            statement: clause.statement.clone(),
            subject: format!("the {}'s limit", inquired.whose.word()),
            expected: clause.statement.clone(),
            actual: broken.why.clone(),
            note: None,
            place: place(),
            excerpt: None,
            exchange: None,
            curl: None,
        })
    });
    let findings: Vec<FindingEntry> = findings.collect();
    let undecided = inquired.undecided();
    let verdict = match (&findings[..], &undecided) {
        ([_, ..], _) => VerdictWord::Fail,
        ([], Some(_)) => VerdictWord::Unknown,
        ([], None) => VerdictWord::Pass,
    };
    ScenarioEntry {
        id: format!("limit-of-{}", inquired.whose.word()),
        title: format!("Which limiter the {}'s is", inquired.whose.word()),
        verdict,
        why: undecided.filter(|_| verdict == VerdictWord::Unknown),
        clauses: clauses.iter().map(|clause| clause.clause.to_owned()).collect(),
        findings,
        requests: inquired.learnt.calls,
        retries: 0,
        elapsed_ms: u64::try_from(inquired.elapsed.as_millis()).unwrap_or(u64::MAX),
        place: place(),
    }
}

/// One limit as far as it was found out.
pub fn limit(inquired: &Inquired) -> LimitEntry {
    let (named, learnt) = (inquired.named(), &inquired.learnt);
    let is_bucket = named.capacity.is_some();
    let confidence = if inquired.has_limit() { learnt.confidence() } else { f64::from(u8::from(named.kind == "none")) };
    LimitEntry {
        scope: inquired.whose.word().to_owned(),
        kind: named.kind.to_owned(),
        limit: named.limit,
        window_s: named.window.map(|window| window.as_secs_f64()),
        capacity: named.capacity,
        unit: named.unit.map(unit),
        counts_rejected: named.counts_rejected,
        per: inquired.counter().map(|scope| scope.to_string()),
        counts: counts(learnt),
        code: inquired.refusal_code(),
        place: inquired.at_top.map(|at_top| if at_top { "top" } else { "each-key" }.to_owned()),
        confidence,
        rate: learnt.rates().filter(|_| is_bucket).map(|(least, most)| [least, most]),
        meaning: named.meaning,
        decided_by: learnt.decided_by.clone(),
        calls: learnt.calls,
        refused: learnt.refused,
        lost: inquired.lost,
        elapsed_s: inquired.elapsed.as_secs_f64(),
        candidates: learnt
            .candidates
            .iter()
            .take(MOST_CANDIDATES)
            .map(|weighed| {
                let named = NamedLimit::of(&weighed.suspect, inquired.whose.window());
                CandidateEntry {
                    kind: named.kind.to_owned(),
                    limit: named.limit,
                    window_s: named.window.map(|window| window.as_secs_f64()),
                    capacity: named.capacity,
                    unit: named.unit.map(unit),
                    counts_rejected: named.counts_rejected,
                    weight: weighed.weight,
                }
            })
            .collect(),
        windows_s: windows(inquired),
        timeline: timeline(inquired),
    }
}

fn counts(learnt: &Learnt) -> CountsEntry {
    let [delete, clear, invalid, member] =
        [AskedCall::Delete, AskedCall::Clear, AskedCall::Invalid, AskedCall::Member].map(|asked| learnt.sharing.answer(asked));
    CountsEntry { delete, clear, invalid, member }
}

fn unit(unit: Unit) -> String {
    if unit == Unit::Kv { "kv" } else { "request" }.to_owned()
}

fn windows(inquired: &Inquired) -> Vec<f64> {
    let from = nanoseconds(inquired.begun);
    let to = from + nanoseconds(inquired.elapsed);
    let first = inquired.learnt.candidates.first().filter(|_| inquired.has_limit() && inquired.learnt.is_sure());
    let starts = first.map_or_else(Vec::new, |first| beginnings(&first.suspect, &inquired.traces, from, to));
    let starts = if starts.len() <= MOST_WINDOWS { starts } else { Vec::new() };
    starts.into_iter().map(|start| Duration::from_nanos(start - from).as_secs_f64()).collect()
}

fn timeline(inquired: &Inquired) -> Vec<TimelinePart> {
    let calls = inquired.traces.iter().flat_map(|trace| &trace.calls);
    let (begun, length) = (nanoseconds(inquired.begun), nanoseconds(inquired.elapsed).max(1));
    let mut parts = vec![TimelinePart::default(); PARTS];
    for call in calls.filter(|call| call.sent >= begun) {
        let at = (call.sent - begun).saturating_mul(PARTS as u64) / length;
        let part = &mut parts[usize::try_from(at).unwrap_or(PARTS).min(PARTS - 1)];
        match call.decision {
            Decision::Admitted => part.admitted += 1,
            Decision::Refused => part.refused += 1,
            Decision::Unknown | Decision::Lost => {}
        }
    }
    parts
}
