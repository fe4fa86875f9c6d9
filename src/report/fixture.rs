//! A report for the tests of the renderers, made the way a real one is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_yaml::with::singleton_map_recursive;

use super::compare::{Compare, ComparedEntry, MetricEntry, SeriesChange, SeriesEntry, SeriesMetric, ShiftEntry};
use super::load::CheckEntry;
use super::{AgainstEntry, ContradictionEntry, Facts, FilePlace, Report, RunFacts, build};
use crate::api::HttpRequest;
use crate::history::{Exchange, HttpReply, Outcome};
use crate::judge::conform::summary::summarise;
use crate::scenario::conform::plan::Planned;
use crate::spec::{Profile, Spec};
use crate::verdict::{Finding, Observation, Overall, RequestCount, ScenarioOutcome, Verdict};
use crate::yaml::source::SourceFile;

pub(super) const FILE: &str = "scenarios/conformance/seq.yaml";
pub(super) const YAML: &str = "scenarios:
  - id: seq-grows
    title: A set makes Seq grow.
    steps:
      - set: { kvs: [{ key: k1 }], expect: { keys: { k1: { seq: 1 } } } }
";
pub(super) const USERSIG: &str = "eJwSecretSecret*-_";

pub(super) fn facts() -> RunFacts {
    RunFacts {
        facts: Facts {
            target: "https://console.tim.qq.com".to_owned(),
            member_calls: "identifier".to_owned(),
            read_back: "get_key_values".to_owned(),
            calls_at_once: "several".to_owned(),
            seed: 42,
            started_unix_s: 1_700_000_000,
            elapsed: Duration::from_millis(12_345),
            incomplete: None,
            command_line: "msgext run --seed 42".to_owned(),
            configuration: [("sdkappid".to_owned(), "1400000000".to_owned())].into(),
        },
        requests: 7,
        retries: 1,
        messages: 0,
        strict: false,
        pinned: Profile::new(),
    }
}

/// One of each: a failure, a should-level failure, a pass with a reading, an unknown and two skipped for one reason.
pub(super) fn report() -> Report {
    let planned = ["seq-grows", "at-most-300", "delete-first", "lost", "by-member", "by-other"].map(|id| planned(id, "SEQ-3"));
    let mut outcomes = planned.each_ref().map(|planned| outcome(&planned.id, Verdict::Pass));
    outcomes[0] = failed("seq-grows", "SEQ-3", "1", "0");
    outcomes[1] = failed("at-most-300", "LIMIT-9", "23004", "0");
    outcomes[2].observations.push(Observation {
        reading: "deleted-key".to_owned(),
        answer: "reset".to_owned(),
        place: String::new(),
    });
    outcomes[3].verdict = Verdict::Unknown("no reply within the time-out".to_owned());
    for skipped in &mut outcomes[4..] {
        skipped.verdict = Verdict::Skipped("--member-calls none".to_owned());
    }
    built(&planned, &outcomes)
}

/// The same with a text of somebody else's at the end of everything that may hold one.
pub(super) fn hostile(text: &str) -> Report {
    let mut report = report();
    for scenario in &mut report.scenarios {
        for finding in &mut scenario.findings {
            let exchange = finding.exchange.as_mut().unwrap();
            let own = [&mut finding.subject, &mut finding.expected, &mut finding.actual, &mut finding.place.file];
            own.into_iter().chain(&mut finding.note).chain(&mut exchange.response_body).for_each(|own| own.push_str(text));
            exchange.lost = Some(text.to_owned());
        }
        let own = [&mut scenario.id, &mut scenario.title, &mut scenario.place.file].into_iter().chain(&mut scenario.why);
        own.for_each(|own| own.push_str(text));
    }
    let place = FilePlace { file: text.to_owned(), line: None, column: None };
    let against = AgainstEntry { answer: text.to_owned(), scenario: Some(text.to_owned()), place: Some(place.clone()) };
    let [clause, reading, answer, scenario] = ["DEL-4", text, text, text].map(str::to_owned);
    report.contradictions.push(ContradictionEntry { clause, reading, answer, scenario, place, against });
    report.checks.push(CheckEntry { name: text.to_owned(), holds: Some(false), actual: text.to_owned() });
    report.readings.insert(text.to_owned(), text.to_owned());
    report.reason.push_str(text);
    report.target.push_str(text);
    report
}

/// As many scenarios with the same finding.
pub(super) fn many(scenarios: usize) -> Report {
    let ids: Vec<String> = (0..scenarios).map(|row| format!("seq-grows/{row}")).collect();
    let planned: Vec<Planned> = ids.iter().map(|id| planned(id, "SEQ-3")).collect();
    let outcomes: Vec<ScenarioOutcome> = ids.iter().map(|id| failed(id, "SEQ-3", "1", "0")).collect();
    built(&planned, &outcomes)
}

/// A comparison, one of each, with a text of somebody else's at the end of everything that may hold one.
pub(super) fn comparison(text: &str) -> Compare {
    let told = |own: &str| format!("{own}{text}");
    let run = |name: &str| ComparedEntry {
        name: told(name),
        target: told("http://127.0.0.1/"),
        generator: "msgext 0.1.0".to_owned(),
        started: "2023-11-14T22:13:20Z".to_owned(),
        verdict: Overall::Pass,
        values: [("p99".to_owned(), 1000.0)].into(),
        response: Vec::new(),
    };
    let shift = |kind: &str, name: &str, was: &str, is: &str, verdict, decides| {
        let [kind, was, is] = [kind, was, is].map(str::to_owned);
        ShiftEntry { kind, name: told(name), was: format!("{was}{text}"), is: format!("{is}{text}"), verdict, decides }
    };
    let metric = |name: &str, [base, new]: [f64; 2], bounds: Option<[f64; 2]>, limit: Option<f64>, verdict, needed| MetricEntry {
        name: name.to_owned(),
        base,
        new,
        ratio: new / base,
        low: bounds.map(|[low, _]| low),
        high: bounds.map(|[_, high]| high),
        p: None,
        limit,
        verdict,
        needed,
    };
    let change = SeriesChange { run: told("commit-8"), before: 1000.0, after: 1200.0, ratio: 1.2, p: 0.000_1 };
    let values = vec![1000.0, 1200.0];
    let series = SeriesMetric { name: "p99".to_owned(), values, changes: vec![change], verdict: Some(Overall::Fail) };
    Compare {
        unit: "run".to_owned(),
        base: vec![run("a.json"), run("b.json")],
        new: vec![run("c.json")],
        notes: vec![told("target: a before, b now")],
        doubts: vec![told("c.json: the generator was late")],
        changes: vec![
            shift("clause", "SEQ-1", "holds", "does not hold", Overall::Fail, true),
            shift("clause", "MSG-3", "holds", "unknown: lost", Overall::Inconclusive, false),
            shift("mutant", "101 bytes", "does not hold", "holds", Overall::Pass, true),
        ],
        metrics: vec![
            metric("throughput", [200.0, 199.9], Some([0.999, 1.0]), Some(0.95), Some(Overall::Pass), None),
            metric("p99", [1000.0, 1100.0], Some([1.06, 1.14]), Some(1.05), Some(Overall::Fail), None),
            metric("p99.9", [2000.0, 2100.0], None, Some(1.05), Some(Overall::Inconclusive), Some(12)),
            metric("cpu", [50.0, 51.0], None, None, None, None),
        ],
        history: Some(SeriesEntry {
            file: told("h.jsonl"),
            runs: vec![told("commit-7"), told("commit-8")],
            metrics: vec![series],
        }),
    }
}

/// What a renderer writes, without its colours.
pub(super) fn plain(render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    render(&mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

pub(super) fn built(planned: &[Planned], outcomes: &[ScenarioOutcome]) -> Report {
    let summary = summarise(&spec(), planned, outcomes, None, &Profile::new(), false, None);
    let mut report = build(&spec(), &facts(), planned, outcomes, &summary, &["the-app's-secret-key".to_owned()]);
    let findings = report.scenarios.iter_mut().flat_map(|scenario| &mut scenario.findings);
    findings.for_each(|finding| finding.place = FilePlace { line: Some(5), column: Some(9), ..finding.place.clone() });
    report
}

pub(super) fn planned(id: &str, clause: &str) -> Planned {
    let yaml = format!("{{ id: {id}, title: A set makes Seq grow., clauses: [{clause}], steps: [] }}");
    let mut source = SourceFile::default();
    FILE.clone_into(&mut source.path);
    let scenario = singleton_map_recursive::deserialize(serde_yaml::Deserializer::from_str(&yaml)).unwrap();
    Planned::new(id.to_owned(), scenario, Arc::new(source), "/scenarios/0".to_owned())
}

pub(super) fn outcome(id: &str, verdict: Verdict) -> ScenarioOutcome {
    let (findings, observations, exchanges, requests) = (vec![], vec![], vec![], RequestCount::default());
    ScenarioOutcome {
        id: id.to_owned(),
        verdict,
        findings,
        observations,
        exchanges,
        requests,
        elapsed: Duration::from_millis(20),
    }
}

pub(super) fn failed(id: &str, clause: &str, expected: &str, actual: &str) -> ScenarioOutcome {
    let finding = Finding {
        clause: clause.to_owned(),
        place: "/scenarios/0/steps/0/set".to_owned(),
        subject: "k1.Seq".to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        note: Some("after a retry".to_owned()),
        exchange: Some(0),
    };
    let other =
        Finding { subject: "ErrorCode".to_owned(), expected: "0".to_owned(), actual: "10002".to_owned(), ..finding.clone() };
    let exchanges = vec![exchange(br#"{"ActionStatus":"OK","ErrorCode":0}"#)];
    let requests = RequestCount::of(&exchanges);
    ScenarioOutcome { findings: vec![finding, other], exchanges, requests, ..outcome(id, Verdict::Fail) }
}

pub(super) fn exchange(reply: &[u8]) -> Exchange {
    Exchange {
        client: 0,
        request: HttpRequest {
            method: "POST".to_owned(),
            path: "/v4/openim_msg_ext_http_svc/set_key_values".to_owned(),
            query: crate::api::http::query(1_400_000_000, "admin", USERSIG, 7),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: br#"{"MsgKey":"1_2_3"}"#.to_vec(),
        },
        outcome: Outcome::Replied(HttpReply { status: 200, body: reply.to_vec(), cut: None, coding: None }),
        due: Duration::ZERO,
        sent: Duration::ZERO,
        received: Duration::from_millis(1),
        retries: 1,
    }
}

pub(super) fn spec() -> Spec {
    serde_yaml::from_str(
        "clauses:
         - { id: SEQ-3, level: must, section: Seq, statement: Seq grows by one with every successful set. }
         - { id: LIMIT-9, level: should, section: limits, statement: A message holds at most 300 pairs. }
         - { id: DEL-4, level: open, section: delete, statement: What a deleted key's Seq is., reading: deleted-key }
         - { id: URL-1, level: must, section: URL, statement: The path is set_key_values. }",
    )
    .unwrap()
}
