//! From what a load run measured, and what it came to, to its report.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{
    CapacityFigures, CheckEntry, ConnectionFigures, Load, PhaseFigures, ReadBackFigures, SecondFigures, ShardFigures, curves,
    in_us,
};
use crate::history::Exchange;
use crate::judge::load::ledger::Difference;
use crate::judge::load::limits::ClauseOutcome;
use crate::judge::load::measured::Measured;
use crate::judge::load::shards::{ShardRun, Shards};
use crate::judge::load::verdict::LoadVerdict;
use crate::report::build::{self, Facts, begun, exchange, milliseconds, totals};
use crate::report::secrets::Secrets;
use crate::report::{ClauseEntry, FilePlace, FindingEntry, Report, ScenarioEntry, curl};
use crate::scenario::load::Plan;
use crate::spec::{Level, Spec};
use crate::verdict::Verdict;
use crate::yaml::source::SourceFile;

/// One finding, whatever found it, and the phase in which it was made; `None` for what was read back after the run.
struct PhasedFinding<'a> {
    difference: &'a Difference,
    phase: Option<usize>,
    exchange: Option<&'a Exchange>,
}

/// Builds the report. What `secrets` holds is masked in all of it, and so is every signature that an exchange shows.
pub fn build(
    spec: &Spec,
    facts: &Facts,
    source: &SourceFile,
    measured: &Measured,
    verdict: &LoadVerdict,
    secrets: &[String],
) -> Report {
    let found = found(measured, verdict);
    let secrets = Secrets::of(secrets, found.iter().filter_map(|found| found.exchange));
    let mut clauses: Vec<ClauseEntry> = verdict.clauses.iter().map(|outcome| clause(spec, outcome, measured, &secrets)).collect();
    clauses.sort_by_key(|clause| spec.clauses.iter().position(|known| known.id == clause.id));
    let scenarios = scenarios(spec, source, measured, verdict, &found, &secrets);
    let checks = verdict.checks.iter().map(|checked| CheckEntry {
        name: checked.text.clone(),
        holds: checked.holds,
        actual: secrets.told(&checked.actual),
    });
    let load = figures(measured, verdict, &secrets);
    Report {
        verdict: verdict.overall,
        reason: secrets.told(&verdict.reason),
        totals: totals(&scenarios, &clauses, load.total.sent, 0),
        clauses,
        scenarios,
        checks: checks.collect(),
        load: Some(load),
        ..begun("load", facts, &secrets)
    }
}

/// What replies and what the judge of the limits have found.
fn found<'a>(measured: &'a Measured, verdict: &'a LoadVerdict) -> Vec<PhasedFinding<'a>> {
    let of_replies = measured.findings.kept.iter().map(|kept| PhasedFinding {
        difference: &kept.difference,
        phase: kept.phase,
        exchange: kept.exchange.as_ref(),
    });
    let of_limits = verdict.clauses.iter().flat_map(|outcome| &outcome.findings).map(|broken| PhasedFinding {
        difference: &broken.difference,
        phase: Some(broken.phase),
        exchange: None,
    });
    of_replies.chain(of_limits).collect()
}

fn figures(measured: &Measured, verdict: &LoadVerdict, secrets: &Secrets) -> Load {
    let Measured { plan, connections, findings, .. } = measured;
    let phases = plan.phases.iter().zip(&measured.phases);
    let mut phases: Vec<PhaseFigures> =
        phases.map(|(phase, run)| PhaseFigures::new(&phase.name, &run.tally, run.elapsed)).collect();
    if measured.searched.is_none() {
        place_in_time(plan, &mut phases);
    }
    let sum = measured.total();
    let total = PhaseFigures::new("total", &sum, measured.elapsed);
    Load {
        plan: plan.name.clone(),
        plan_fingerprint: fingerprint(plan),
        title: plan.title.clone(),
        threads: measured.threads,
        connections: ConnectionFigures {
            opened: connections.opened,
            reopened: connections.reopened,
            lost: connections.lost.clone(),
        },
        cpu_us_per_request: (measured.cpu.as_secs_f64() * 1e7 / total.sent.max(1) as f64).round() / 10.0,
        doubts: verdict.doubts.iter().map(|doubt| secrets.told(&doubt.reason)).collect(),
        seconds: measured.seconds.iter().map(SecondFigures::new).collect(),
        curves: curves(
            &sum,
            plan.phases.iter().map(|phase| phase.name.as_str()).zip(measured.phases.iter().map(|run| &run.tally)),
        ),
        findings_by_clause: findings.counts.iter().map(|(clause, count)| (clause.to_string(), *count)).collect(),
        read_back: measured.read_back.as_ref().map(|count| ReadBackFigures { read: count.read, messages: count.messages }),
        capacity: measured.searched.as_ref().map(|searched| CapacityFigures::new(searched, &phases)),
        shards: measured.shards.iter().flat_map(|shards| &shards.runs).map(|run| shard(run, secrets)).collect(),
        clock_skew_us: measured.shards.as_ref().and_then(Shards::skew).map(in_us),
        total,
        phases,
    }
}

fn shard(run: &ShardRun, secrets: &Secrets) -> ShardFigures {
    let figures = ShardFigures::new(run);
    ShardFigures { why: figures.why.as_ref().map(|why| secrets.told(why)), ..figures }
}

/// A part of the SHA-256 of the plan as it is written, without its checks.
fn fingerprint(plan: &Plan) -> String {
    let mut sent = Plan { checks: Vec::new(), limits: None, title: String::new(), ..plan.clone() };
    for phase in &mut sent.phases {
        (phase.checks, phase.abort_on_fail, phase.place) = (Vec::new(), false, String::new());
    }
    let written = serde_json::to_vec(&sent).unwrap_or_default();
    let digest = Sha256::digest(written);
    format!("{:012x}", digest.iter().take(6).fold(0_u64, |print, byte| print << 8 | u64::from(*byte)))
}

/// When each phase was planned to begin.
pub fn place_in_time(plan: &Plan, phases: &mut [PhaseFigures]) {
    let mut start = Duration::ZERO;
    for (phase, figures) in plan.phases.iter().zip(phases) {
        figures.start_s = Some(start.as_secs_f64());
        start += phase.arrivals.duration();
    }
}

fn clause(spec: &Spec, outcome: &ClauseOutcome, measured: &Measured, secrets: &Secrets) -> ClauseEntry {
    let found = measured.findings.counts.get(&outcome.clause).copied().unwrap_or(0);
    let is_tested = measured.plan.limits.is_some() && outcome.clause.starts_with("LIM-");
    let phases = measured.plan.phases.iter().filter(|_| is_tested).map(|phase| phase.name.clone()).collect();
    let mut entry = build::clause(spec, &outcome.clause, &outcome.verdict, phases, secrets);
    if entry.why.is_none() && found > 1 {
        entry.why = Some(format!("{found} findings"));
    }
    entry
}

/// Each phase, and what was read back after them where that was not as it had to be.
fn scenarios(
    spec: &Spec,
    source: &SourceFile,
    measured: &Measured,
    verdict: &LoadVerdict,
    found: &[PhasedFinding<'_>],
    secrets: &Secrets,
) -> Vec<ScenarioEntry> {
    let title = &measured.plan.title;
    let findings = |phase: Option<usize>, place: &FilePlace| -> Vec<FindingEntry> {
        let found = found.iter().filter(|found| found.phase == phase);
        let excerpt = phase.and_then(|phase| build::excerpt(source, &measured.plan.phases[phase].place, secrets));
        let found = found.map(|found| FindingEntry { excerpt: excerpt.clone(), ..finding(spec, found, place.clone(), secrets) });
        found.collect()
    };
    let phases = measured.plan.phases.iter().zip(&measured.phases).zip(&verdict.phases).enumerate();
    let mut scenarios: Vec<ScenarioEntry> = phases
        .map(|(index, ((phase, run), verdict))| {
            let place = place(source, &phase.place);
            let findings = findings(Some(index), &place);
            let (sent, elapsed) = (run.tally.sent, run.elapsed);
            scenario(&phase.name, title, (verdict, secrets), findings, (sent, elapsed), place)
        })
        .collect();
    let whole = place(source, "");
    let read_back = findings(None, &whole);
    if !read_back.is_empty() {
        let title = "What the target holds after the run";
        scenarios.push(scenario("read back", title, (&verdict.read_back, secrets), read_back, (0, Duration::ZERO), whole));
    }
    scenarios
}

fn finding(spec: &Spec, found: &PhasedFinding<'_>, place: FilePlace, secrets: &Secrets) -> FindingEntry {
    let Difference { clause, subject, expected, actual } = found.difference;
    let known = spec.clause(clause);
    FindingEntry {
        clause: clause.to_string(),
        level: known.map_or(Level::Must, |clause| clause.level),
        statement: known.map(|clause| clause.statement.clone()).unwrap_or_default(),
        subject: secrets.told(subject),
        expected: secrets.told(expected),
        actual: secrets.told(actual),
        note: found.exchange.map(|exchange| format!("sent {:.6} s into the run", exchange.sent.as_secs_f64())),
        place,
        excerpt: None,
        exchange: found.exchange.map(|found| exchange(found, secrets)),
        curl: found.exchange.map(|exchange| curl::line(&exchange.request, secrets)),
    }
}

fn scenario(
    name: &str,
    title: &str,
    (verdict, secrets): (&Verdict, &Secrets),
    findings: Vec<FindingEntry>,
    (requests, elapsed): (u64, Duration),
    place: FilePlace,
) -> ScenarioEntry {
    let mut clauses: Vec<String> = findings.iter().map(|finding| finding.clause.clone()).collect();
    clauses.dedup();
    ScenarioEntry {
        id: name.to_owned(),
        title: title.to_owned(),
        verdict: verdict.into(),
        why: verdict.why().map(|why| secrets.told(why)),
        clauses,
        findings,
        requests,
        retries: 0,
        elapsed_ms: milliseconds(elapsed),
        place,
    }
}

fn place(source: &SourceFile, path: &str) -> FilePlace {
    let place = source.place(path);
    FilePlace { file: source.path.clone(), line: place.map(|place| place.line), column: place.map(|place| place.column) }
}
