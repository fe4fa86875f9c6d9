//! From what a run recorded to its report.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::bound;
use super::secrets::{MASK, Secrets};
use super::{
    AgainstEntry, ClauseEntry, ContradictionEntry, Counts, ExcerptEntry, ExchangeEntry, FilePlace, FindingEntry, FlakyEntry,
    Report, ScenarioEntry, Totals, VERSION, VerdictWord, curl,
};
use crate::api::reply::MOST_KEPT_BYTES;
use crate::history::{self, Cut, Outcome};
use crate::judge::conform::flaky::Flaky;
use crate::judge::conform::summary::{self, Sighting, Summary};
use crate::scenario::conform::plan::Planned;
use crate::spec::{Level, Profile, Spec};
use crate::verdict::{self, Overall, RequestCount, ScenarioOutcome};
use crate::yaml::source::SourceFile;

/// What makes reports and histories.
pub const GENERATOR: &str = concat!("msgext ", env!("CARGO_PKG_VERSION"));

/// A body longer than this is cut.
const MAX_BODY_BYTES: usize = 4096;
/// Lines of an excerpt before the one that is meant, and after it.
const LINES_BEFORE: usize = 3;
const MAX_LINE_CHARS: usize = 240;

/// What a report says of any run itself.
#[derive(Clone, Debug)]
pub struct Facts {
    pub target: String,
    /// How members were called.
    pub member_calls: String,
    /// How keys were read back.
    pub read_back: String,
    /// How many calls at a time the target takes.
    pub calls_at_once: String,
    pub seed: u64,
    /// Seconds since 1970.
    pub started_unix_s: i64,
    pub elapsed: Duration,
    /// Why the run was cut short; `None` where it was not.
    pub incomplete: Option<String>,
    /// A shell line that repeats the run.
    pub command_line: String,
    /// What the run was given.
    pub configuration: BTreeMap<String, String>,
}

/// What a report says of a run of scenarios besides.
#[derive(Clone, Debug)]
pub struct RunFacts {
    pub facts: Facts,
    /// Requests sent, retries included.
    pub requests: u64,
    pub retries: u64,
    /// Messages that scenarios made.
    pub messages: u64,
    pub strict: bool,
    pub pinned: Profile,
}

/// A report of a command with nothing in it yet but what is true of any run.
pub fn begun(command: &str, facts: &Facts, secrets: &Secrets) -> Report {
    Report {
        version: VERSION,
        generator: GENERATOR.to_owned(),
        command: command.to_owned(),
        verdict: Overall::Inconclusive,
        reason: String::new(),
        target: secrets.scrub(&facts.target),
        member_calls: facts.member_calls.clone(),
        read_back: facts.read_back.clone(),
        calls_at_once: facts.calls_at_once.clone(),
        seed: facts.seed,
        started: jiff::Timestamp::from_second(facts.started_unix_s).unwrap_or_default().to_string(),
        elapsed_ms: milliseconds(facts.elapsed),
        strict: false,
        incomplete: facts.incomplete.is_some(),
        incomplete_why: facts.incomplete.as_ref().map(|why| secrets.told(why)),
        command_line: secrets.scrub(&facts.command_line),
        configuration: facts.configuration.iter().map(|(what, set)| (what.clone(), secrets.told(set))).collect(),
        totals: Totals {
            scenarios: Counts::default(),
            clauses: Counts::default(),
            findings: 0,
            requests: 0,
            retries: 0,
            messages: 0,
        },
        clauses: Vec::new(),
        readings: BTreeMap::new(),
        pinned: BTreeMap::new(),
        contradictions: Vec::new(),
        flaky: Vec::new(),
        scenarios: Vec::new(),
        checks: Vec::new(),
        load: None,
        race: None,
        limits: Vec::new(),
        histories: Vec::new(),
        fuzz: None,
        mutants: None,
        compare: None,
        doctor: None,
    }
}

/// What the scenarios and clauses of a report come to, and the requests that they took.
pub fn totals(scenarios: &[ScenarioEntry], clauses: &[ClauseEntry], requests: u64, retries: u64) -> Totals {
    Totals {
        scenarios: counts(scenarios.iter().map(|scenario| scenario.verdict)),
        clauses: counts(clauses.iter().map(|clause| clause.verdict)),
        findings: scenarios.iter().map(|scenario| scenario.findings.len()).sum(),
        requests,
        retries,
        messages: 0,
    }
}

/// Builds the report. What `secrets` holds, and every signature that the run sent, is masked in all of it.
pub fn build(
    spec: &Spec,
    facts: &RunFacts,
    planned: &[Planned],
    outcomes: &[ScenarioOutcome],
    summary: &Summary,
    secrets: &[String],
) -> Report {
    let secrets = Secrets::new(secrets, outcomes);
    let by_id: HashMap<&str, &ScenarioOutcome> = outcomes.iter().map(|outcome| (outcome.id.as_str(), outcome)).collect();
    let incomplete = facts.facts.incomplete.as_deref();
    let mut scenarios: Vec<ScenarioEntry> = planned
        .iter()
        .map(|planned| match by_id.get(planned.id.as_str()) {
            Some(outcome) => scenario(spec, planned, outcome, &secrets),
            None => scenario(spec, planned, &unreached(planned, incomplete), &secrets),
        })
        .collect();
    bound::shorten(&mut scenarios);
    let judged = summary.clauses.iter();
    let clauses: Vec<ClauseEntry> =
        judged.map(|judged| clause(spec, &judged.id, &judged.verdict, judged.scenarios.clone(), &secrets)).collect();

    Report {
        verdict: summary.overall,
        reason: secrets.told(&summary.reason),
        strict: facts.strict,
        totals: Totals { messages: facts.messages, ..totals(&scenarios, &clauses, facts.requests, facts.retries) },
        clauses,
        readings: summary.readings.clone(),
        pinned: facts.pinned.clone(),
        flaky: summary.flaky.iter().map(wavering).collect(),
        contradictions: summary.contradictions.iter().map(|contradicted| contradiction(planned, contradicted)).collect(),
        scenarios,
        ..begun("run", &facts.facts, &secrets)
    }
}

/// One scenario's part of the report, for those who print it before the run has ended.
pub fn scenario(spec: &Spec, planned: &Planned, outcome: &ScenarioOutcome, secrets: &Secrets) -> ScenarioEntry {
    ScenarioEntry {
        id: outcome.id.clone(),
        title: planned.scenario.title.clone(),
        verdict: (&outcome.verdict).into(),
        why: outcome.verdict.why().map(|why| secrets.told(why)),
        clauses: summary::clauses_of(spec, planned).into_iter().collect(),
        findings: outcome.findings.iter().map(|found| finding(spec, planned, outcome, found, secrets)).collect(),
        requests: outcome.requests.sent,
        retries: outcome.requests.retries,
        elapsed_ms: milliseconds(outcome.elapsed),
        place: place(planned, &planned.place),
    }
}

fn wavering(flaky: &Flaky) -> FlakyEntry {
    let Flaky { scenario, passed, failed, unknown } = flaky;
    FlakyEntry { scenario: scenario.clone(), passed: *passed, failed: *failed, unknown: *unknown }
}

/// What a scenario sent and was told: a shell line that repeats each call, and the exchange.
pub fn exchanges(outcome: &ScenarioOutcome, secrets: &Secrets) -> Vec<(String, ExchangeEntry)> {
    outcome.exchanges.iter().map(|sent| (curl::line(&sent.request, secrets), exchange(sent, secrets))).collect()
}

fn unreached(planned: &Planned, incomplete: Option<&str>) -> ScenarioOutcome {
    ScenarioOutcome {
        id: planned.id.clone(),
        verdict: summary::not_reached(incomplete),
        findings: Vec::new(),
        observations: Vec::new(),
        exchanges: Vec::new(),
        requests: RequestCount::default(),
        elapsed: Duration::ZERO,
    }
}

fn finding(
    spec: &Spec,
    planned: &Planned,
    outcome: &ScenarioOutcome,
    finding: &verdict::Finding,
    secrets: &Secrets,
) -> FindingEntry {
    let clause = spec.clause(&finding.clause);
    let shown_by = finding.exchange.and_then(|index| outcome.exchanges.get(index));
    FindingEntry {
        clause: finding.clause.clone(),
        level: clause.map_or(Level::Must, |clause| clause.level),
        statement: clause.map(|clause| clause.statement.clone()).unwrap_or_default(),
        subject: secrets.told(&finding.subject),
        expected: secrets.told(&finding.expected),
        actual: secrets.told(&finding.actual),
        note: finding.note.as_ref().map(|note| secrets.told(note)),
        place: place(planned, &finding.place),
        excerpt: excerpt(&planned.source, &finding.place, secrets),
        exchange: shown_by.map(|shown_by| exchange(shown_by, secrets)),
        curl: shown_by.map(|exchange| curl::line(&exchange.request, secrets)),
    }
}

pub(super) fn exchange(exchange: &history::Exchange, secrets: &Secrets) -> ExchangeEntry {
    let request = &exchange.request;
    let (http_status, response_body, lost) = match &exchange.outcome {
        Outcome::Replied(reply) => {
            (Some(reply.status), Some(body(&reply.body, secrets)), reply.cut.map(|cut| cut_word(cut).to_owned()))
        }
        Outcome::Lost(loss) => (None, None, Some(secrets.told(&loss.to_string()))),
    };
    ExchangeEntry {
        method: request.method.clone(),
        url: secrets.url(request, MASK),
        request_body: body(&request.body, secrets),
        http_status,
        response_body,
        lost,
        retries: exchange.retries,
    }
}

fn cut_word(cut: Cut) -> &'static str {
    match cut {
        Cut::Short => "the connection ended before the end of the body",
        Cut::TooLong => "the body went on beyond what is read",
        Cut::Endless => "the body was still coming when the time-out ended",
    }
}

/// Scrubbed before it is cut.
fn body(bytes: &[u8], secrets: &Secrets) -> String {
    // Of a long one there is no need to look at more than can be shown.
    let looked_at = &bytes[..bytes.len().min(2 * MAX_BODY_BYTES)];
    let text = secrets.scrub(&String::from_utf8_lossy(looked_at));
    if text.len() <= MAX_BODY_BYTES && looked_at.len() == bytes.len() {
        return text;
    }
    let end = text.floor_char_boundary(MAX_BODY_BYTES.min(text.len()));
    let more = if bytes.len() >= MOST_KEPT_BYTES { " or more" } else { "" };
    format!("{}… [cut here; {}{more} bytes in all]", &text[..end], bytes.len())
}

/// What the spec says of a clause, and what a run does.
pub(super) fn clause(
    spec: &Spec,
    id: &str,
    verdict: &verdict::Verdict,
    scenarios: Vec<String>,
    secrets: &Secrets,
) -> ClauseEntry {
    let clause = spec.clause(id);
    ClauseEntry {
        id: id.to_owned(),
        level: clause.map_or(Level::Must, |clause| clause.level),
        section: clause.map(|clause| clause.section.clone()).unwrap_or_default(),
        statement: clause.map(|clause| clause.statement.clone()).unwrap_or_default(),
        verdict: verdict.into(),
        why: verdict.why().map(|why| secrets.told(why)),
        scenarios,
    }
}

fn contradiction(planned: &[Planned], contradiction: &summary::Contradiction) -> ContradictionEntry {
    let place_of = |sighting: &Sighting| match planned.iter().find(|planned| planned.id == sighting.scenario) {
        Some(planned) => place(planned, &sighting.place),
        None => FilePlace { file: sighting.place.clone(), line: None, column: None },
    };
    let against = match &contradiction.against {
        summary::Against::Pinned(answer) => AgainstEntry { answer: answer.clone(), scenario: None, place: None },
        summary::Against::Seen { answer, seen } => {
            AgainstEntry { answer: answer.clone(), scenario: Some(seen.scenario.clone()), place: Some(place_of(seen)) }
        }
    };
    ContradictionEntry {
        clause: contradiction.clause.clone(),
        reading: contradiction.reading.clone(),
        answer: contradiction.answer.clone(),
        scenario: contradiction.seen.scenario.clone(),
        place: place_of(&contradiction.seen),
        against,
    }
}

fn place(planned: &Planned, index_path: &str) -> FilePlace {
    let place = planned.source.place(index_path);
    FilePlace { file: planned.source.path.clone(), line: place.map(|place| place.line), column: place.map(|place| place.column) }
}

/// The lines around a place of a file.
pub(super) fn excerpt(source: &SourceFile, index_path: &str, secrets: &Secrets) -> Option<ExcerptEntry> {
    let first_line = source.place(index_path)?.line.saturating_sub(LINES_BEFORE).max(1);
    let lines = source.text.lines().skip(first_line - 1).take(2 * LINES_BEFORE + 1);
    let cut = |line: &str| match line.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    let lines: Vec<String> = lines.map(|line| cut(&secrets.scrub(line))).collect();
    (!lines.is_empty()).then_some(ExcerptEntry { first_line, lines })
}

pub(super) fn counts(verdicts: impl Iterator<Item = VerdictWord>) -> Counts {
    let mut counts = Counts::default();
    verdicts.for_each(|verdict| counts.count(verdict));
    counts
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<&verdict::Verdict> for VerdictWord {
    fn from(verdict: &verdict::Verdict) -> VerdictWord {
        match verdict {
            verdict::Verdict::Pass => VerdictWord::Pass,
            verdict::Verdict::Fail => VerdictWord::Fail,
            verdict::Verdict::Skipped(_) => VerdictWord::Skipped,
            verdict::Verdict::Unknown(_) => VerdictWord::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, USERSIG, plain};
    use crate::report::snippet::Texts;
    use crate::report::{html, json, junit, markdown, text};

    #[test]
    fn no_rendering_shows_a_secret_even_where_the_target_echoes_it() {
        const KEY: &str = "the-app's-secret-key";
        let planned = [fixture::planned("seq-grows", "SEQ-3"), fixture::planned("lost", "SEQ-3")];
        let mut failed = fixture::failed("seq-grows", "SEQ-3", &format!("not {USERSIG}"), &format!("{KEY} {USERSIG}"));
        failed.exchanges[0] = fixture::exchange(format!("bad UserSig {USERSIG} of {KEY}").as_bytes());
        failed.exchanges[0].request.body = format!("{{\"echo\":\"{USERSIG}\"}}").into_bytes();
        failed.findings[0].note = Some(format!("sent {USERSIG}"));
        let lost = fixture::outcome("lost", verdict::Verdict::Unknown(format!("GET /?usersig={USERSIG} failed")));
        let report = fixture::built(&planned, &[failed, lost]);

        let renderings = [
            plain(|out| json::write(out, &report)),
            plain(|out| junit::write(out, &report)),
            plain(|out| markdown::write(out, &report)),
            plain(|out| html::write(out, &report)),
            plain(|out| text::failures(out, &report, &Texts::new(), None)),
            plain(|out| text::summary(out, &report, &Texts::new(), None)),
        ];
        for rendering in renderings {
            for part in [USERSIG, &USERSIG[..12], KEY] {
                assert!(!rendering.contains(part), "{rendering}");
            }
        }
    }

    #[test]
    fn a_long_body_is_cut_and_says_so_and_a_secret_on_the_edge_is_gone() {
        let secrets = Secrets::new(&[USERSIG.to_owned()], &[]);
        let text = format!("{}{USERSIG}{}", "a".repeat(MAX_BODY_BYTES - 5), "b".repeat(900));
        let cut = body(text.as_bytes(), &secrets);
        assert!(cut.ends_with(&format!("aaa***bb… [cut here; {} bytes in all]", text.len())), "{cut}");
        assert_eq!(body(b"short \xff", &secrets), "short \u{fffd}");
    }

    #[test]
    fn an_excerpt_is_the_lines_around_a_place_without_their_secrets() {
        let secrets = Secrets::new(&[USERSIG.to_owned()], &[]);
        let text = format!("a: 1\nb: 2\nc: 3\nd: 4\ne: {USERSIG}\nf: {}\n", "é".repeat(500));
        let found = excerpt(&SourceFile::new("a.yaml", text), "/e", &secrets).unwrap();
        assert_eq!((found.first_line, found.lines.len(), found.lines[3].as_str()), (2, 5, "e: ***"));
        assert!(found.lines[4].ends_with("é…"), "{}", found.lines[4]);
        assert_eq!(excerpt(&SourceFile::default(), "/e", &secrets), None);
    }

    #[test]
    fn a_scenario_that_was_not_reached_is_unknown_in_the_report() {
        let planned = [fixture::planned("first", "SEQ-3"), fixture::planned("second", "URL-1")];
        let report = fixture::built(&planned, &[fixture::outcome("first", verdict::Verdict::Pass)]);
        assert_eq!(report.totals.scenarios, Counts { pass: 1, unknown: 1, ..Counts::default() });
        assert_eq!(report.scenarios[1].why.as_deref(), Some("not reached"));
        assert_eq!(report.verdict, Overall::Inconclusive);
    }
}
