//! The report for a terminal: failures as they happen or all at the end, and what they come to.
//!
//! Always coloured; whether colours show is up to the writer (`anstream`).

use std::io;

use annotate_snippets::Level as Title;
use anstyle::{AnsiColor, Effects, Style};

use super::failure::{self, FailureGroup, some_of};
use super::snippet::{self, Texts};
use super::table::{DIM, TextTable};
use super::{ExchangeEntry, Level, Overall, Report, ScenarioEntry, VerdictWord};
use crate::judge::text::{counted, printable};

/// The target whose messages are gone with it.
const EMBEDDED: &str = "embedded";

const BOLD: Style = Style::new().effects(Effects::BOLD);
pub(super) const GREEN: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
pub(super) const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);

/// So many failures are shown in full; of the rest, a line each.
const IN_FULL: usize = 30;
/// A curl line longer than this is left to the JSON report.
const MAX_CURL_BYTES: usize = 2000;

/// The failures of one scenario, as soon as it has ended. `width` is here, and below, the terminal's, where there is one.
pub fn scenario(out: &mut dyn io::Write, scenario: &ScenarioEntry, texts: &Texts, width: Option<usize>) -> io::Result<()> {
    failure::of_scenario(scenario).iter().try_for_each(|failure| in_full(out, failure, texts, width))
}

/// A scenario that passed, with what it sent and was told.
pub fn passed(out: &mut dyn io::Write, id: &str, exchanges: &[(String, ExchangeEntry)]) -> io::Result<()> {
    writeln!(out, "{GREEN}pass{GREEN:#} {}", printable(id))?;
    exchanges.iter().try_for_each(|(curl, exchange)| {
        if curl.len() > MAX_CURL_BYTES {
            writeln!(out, "  {DIM}a curl line of {} bytes{DIM:#}", curl.len())?;
        } else {
            writeln!(out, "  {curl}")?;
        }
        writeln!(out, "  {DIM}reply{DIM:#} {}", reply(exchange))
    })
}

/// Every failure that decides, each once.
pub fn failures(out: &mut dyn io::Write, report: &Report, texts: &Texts, width: Option<usize>) -> io::Result<()> {
    all(out, &failure::of_report(report, true), texts, width)
}

/// What the run came to: the findings that do not decide, what was not established, the readings, and the verdict.
pub fn summary(out: &mut dyn io::Write, report: &Report, texts: &Texts, width: Option<usize>) -> io::Result<()> {
    let others = failure::of_report(report, false);
    if !others.is_empty() {
        heading(out, "Should hold, but does not decide")?;
        all(out, &others, texts, width)?;
    }
    if !report.contradictions.is_empty() {
        heading(out, "Contradictions")?;
        for contradiction in &report.contradictions {
            writeln!(out, "  {}: {}", contradiction.clause, printable(&contradiction.to_string()))?;
        }
    }
    if !report.flaky.is_empty() {
        heading(out, "Flaky")?;
        report.flaky.iter().try_for_each(|flaky| writeln!(out, "  {}", printable(&flaky.to_string())))?;
    }
    whys(out, "Unknown", report, VerdictWord::Unknown)?;
    whys(out, "Skipped", report, VerdictWord::Skipped)?;
    if !report.readings.is_empty() {
        heading(out, "Readings")?;
        TextTable::new(report.readings.iter().map(|(reading, answer)| [reading.clone(), answer.clone()])).write(out, width)?;
    }
    heading(out, "Totals")?;
    totals(out, report, width)?;
    verdict(out, report)
}

/// The last line.
pub fn verdict(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let (word, style) = match report.verdict {
        Overall::Pass => ("PASS", GREEN),
        Overall::Fail => ("FAIL", RED),
        Overall::Inconclusive => ("INCONCLUSIVE", YELLOW),
    };
    writeln!(out, "\n{style}{word}{style:#} {}", printable(&report.reason))
}

fn all(out: &mut dyn io::Write, failures: &[FailureGroup], texts: &Texts, width: Option<usize>) -> io::Result<()> {
    let (full, rest) = failures.split_at(failures.len().min(IN_FULL));
    full.iter().try_for_each(|failure| in_full(out, failure, texts, width))?;
    for failure in rest {
        for finding in &failure.findings {
            let (expected, actual) = failure::shown(&finding.expected, &finding.actual);
            let [id, subject] = [&failure.scenario.id, &finding.subject].map(|text| printable(text));
            writeln!(out, "{}: {id}: {subject}: expected {expected}, got {actual}", finding.clause)?;
        }
    }
    Ok(())
}

fn in_full(out: &mut dyn io::Write, failure: &FailureGroup, texts: &Texts, width: Option<usize>) -> io::Result<()> {
    let first = failure.first();
    let level = if first.level == Level::Should { Title::WARNING.with_name("SHOULD") } else { Title::ERROR.with_name("FAIL") };
    let heading = printable(&format!("{}: {}", failure.scenario.id, first.statement));
    snippet::point(out, level.primary_title(heading.trim_end_matches([':', ' '])).id(&first.clause), &first.place, texts)?;

    let header = ["subject", "expected", "actual"].map(str::to_owned);
    let rows = failure.findings.iter().map(|finding| {
        let (expected, actual) = failure::shown(&finding.expected, &finding.actual);
        [finding.subject.clone(), expected, actual]
    });
    TextTable::new(std::iter::once(header).chain(rows)).wrapping(&[0, 1, 2]).write(out, width)?;

    if let Some(note) = &first.note {
        writeln!(out, "  {DIM}note{DIM:#}  {}", printable(note))?;
    }
    if let Some(exchange) = &first.exchange {
        writeln!(out, "  {DIM}reply{DIM:#} {}", reply(exchange))?;
    }
    match &first.curl {
        Some(curl) if curl.len() > MAX_CURL_BYTES => {
            writeln!(out, "  {DIM}curl is {} bytes long: see the JSON report{DIM:#}", curl.len())?;
        }
        Some(curl) => writeln!(out, "  {curl}")?,
        None => {}
    }
    if failure.again > 0 {
        writeln!(out, "  {DIM}seen again in this scenario: {} times{DIM:#}", failure.again)?;
    }
    if !failure.also_in.is_empty() {
        writeln!(out, "  {DIM}also in: {}{DIM:#}", some_of(&failure.also_in))?;
    }
    writeln!(out)
}

fn reply(exchange: &ExchangeEntry) -> String {
    let status = exchange.http_status.map(|status| format!("HTTP {status}"));
    let body = exchange.response_body.as_deref().map(failure::body);
    let retries = (exchange.retries > 0).then(|| format!("(retries: {})", exchange.retries));
    let lost = exchange.lost.as_ref().map(|lost| printable(lost));
    [status, body, lost, retries].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

pub(super) fn heading(out: &mut dyn io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{BOLD}{text}{BOLD:#}")
}

fn whys(out: &mut dyn io::Write, title: &str, report: &Report, verdict: VerdictWord) -> io::Result<()> {
    let by_why = failure::whys(report, verdict);
    if by_why.is_empty() {
        return Ok(());
    }
    heading(out, title)?;
    for (why, scenarios) in by_why {
        writeln!(out, "  {:>4}  {}: {}", scenarios.len(), printable(why), some_of(&scenarios))?;
    }
    Ok(())
}

fn totals(out: &mut dyn io::Write, report: &Report, width: Option<usize>) -> io::Result<()> {
    let totals = &report.totals;
    let (seconds, tenths) = (report.elapsed_ms / 1000, report.elapsed_ms % 1000 / 100);
    let messages = usize::try_from(totals.messages).unwrap_or(usize::MAX);
    let left = messages > 0 && report.target != EMBEDDED;
    let rows = [
        ("scenarios", report.told_scenarios()),
        ("clauses", totals.clauses.to_string()),
        ("requests", format!("{}, {} of them retries, in {seconds}.{tenths} s", totals.requests, totals.retries)),
        ("left behind", format!("{}, with the keys that were set on them", counted(messages, "message"))),
        ("target", report.target.clone()),
        ("at once", format!("the target takes {}", report.calls_at_once)),
        ("seed", format!("{} (--seed {} repeats the run's random choices)", report.seed, report.seed)),
    ];
    let takes_one = report.calls_at_once.starts_with("one");
    let shown = rows.into_iter().filter(|(name, _)| match *name {
        "left behind" => left,
        "at once" => takes_one,
        _ => true,
    });
    TextTable::new(shown.map(|(name, value)| [name.to_owned(), value])).write(out, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::text::is_printable;
    use crate::report::fixture::{self, plain};

    fn texts() -> Texts<'static> {
        Texts::from([(fixture::FILE, fixture::YAML)])
    }

    #[test]
    fn a_failure_shows_the_line_the_difference_and_how_to_repeat_it() {
        let report = fixture::report();
        insta::assert_snapshot!(plain(|out| scenario(out, &report.scenarios[0], &texts(), None)), @r#"
        FAIL[SEQ-3]: seq-grows: Seq grows by one with every successful set.
         --> scenarios/conformance/seq.yaml:5:9
          |
        5 |       - set: { kvs: [{ key: k1 }], expect: { keys: { k1: { seq: 1 } } } }
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          subject    expected  actual
          k1.Seq     1         0
          ErrorCode  0         10002
          note  after a retry
          reply HTTP 200 {"ActionStatus":"OK","ErrorCode":0} (retries: 1)
          curl -sS -X POST "$MSGEXT_TARGET"'/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&identifier=admin&usersig='"$MSGEXT_USERSIG"'&random=7&contenttype=json' -H 'Content-Type: application/json' --data-binary '{"MsgKey":"1_2_3"}'
        "#);
    }

    #[test]
    fn the_summary_ends_with_the_verdict_and_tells_apart_what_does_not_decide() {
        insta::assert_snapshot!(plain(|out| summary(out, &fixture::report(), &Texts::new(), None)), @r#"
        Should hold, but does not decide
        SHOULD[LIMIT-9]: at-most-300: A message holds at most 300 pairs.
        --> scenarios/conformance/seq.yaml:5:9
          subject    expected  actual
          k1.Seq     23004     0
          ErrorCode  0         10002
          note  after a retry
          reply HTTP 200 {"ActionStatus":"OK","ErrorCode":0} (retries: 1)
          curl -sS -X POST "$MSGEXT_TARGET"'/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&identifier=admin&usersig='"$MSGEXT_USERSIG"'&random=7&contenttype=json' -H 'Content-Type: application/json' --data-binary '{"MsgKey":"1_2_3"}'

        Unknown
             1  no reply within the time-out: lost
        Skipped
             2  --member-calls none: by-member, by-other
        Readings
          deleted-key  reset
        Totals
          scenarios  1 passed, 1 failed, 1 unknown, 2 skipped, 1 failed on a should clause only
          clauses    1 passed, 2 failed, 1 skipped
          requests   7, 1 of them retries, in 12.3 s
          target     https://console.tim.qq.com
          seed       42 (--seed 42 repeats the run's random choices)

        FAIL 1 broken clause: SEQ-3
        "#);
    }

    #[test]
    fn five_hundred_equal_failures_are_shown_once() {
        let rendered = plain(|out| failures(out, &fixture::many(500), &texts(), None));
        assert_eq!(rendered.matches("FAIL[").count(), 1);
        assert!(rendered.contains("and 493 more"), "{rendered}");
    }

    #[test]
    fn of_five_hundred_different_failures_most_are_a_line_each() {
        let mut report = fixture::many(500);
        for (row, scenario) in report.scenarios.iter_mut().enumerate() {
            scenario.findings[0].actual = format!("seq {row}");
        }
        let rendered = plain(|out| failures(out, &report, &texts(), None));
        assert_eq!(rendered.matches("FAIL[").count(), 30);
        assert!(rendered.contains("\nSEQ-3: seq-grows/499: k1.Seq: expected 1, got seq 499\n"));
    }

    #[test]
    fn what_a_target_answers_cannot_steer_the_terminal() {
        let report = fixture::hostile("\u{1b}[2J\u{7}\u{9b}31m\r\nPASS\u{202e}\u{2028}\u{feff}");
        let mut out = Vec::new();
        failures(&mut out, &report, &texts(), None).unwrap();
        summary(&mut out, &report, &texts(), None).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("\u{1b}[2J") && out.contains(r"\u{1b}[2J\u{7}\u{9b}31m\r\nPASS\u{202e}"), "{out}");
        let shown = |character: char| is_printable(character) || matches!(character, '\n' | '\u{1b}');
        assert!(out.chars().all(shown) && !out.lines().any(|line| line.starts_with("PASS")), "{out}");
    }
}
