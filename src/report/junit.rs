//! The report as `JUnit` XML: a suite for each file, one for the checks, one for the readings where they contradict each
//! other, and one for a verdict that no case of these shows. All text in it is printable, and so XML takes it whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::load::CheckEntry;
use super::{ContradictionEntry, FindingEntry, Report, ScenarioEntry, VerdictWord};
use crate::judge::text::printable;
use crate::verdict::Overall;

pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let mut junit = quick_junit::Report::new(format!("msgext {}", report.command));
    junit.set_time(Duration::from_millis(report.elapsed_ms));

    let mut by_file: BTreeMap<&str, Vec<&ScenarioEntry>> = BTreeMap::new();
    for scenario in &report.scenarios {
        by_file.entry(&scenario.place.file).or_default().push(scenario);
    }
    for (file, scenarios) in by_file {
        let mut suite = TestSuite::new(printable(file));
        suite.extra.insert("file".into(), printable(file).into());
        suite.set_time(Duration::from_millis(scenarios.iter().map(|scenario| scenario.elapsed_ms).sum()));
        suite.add_test_cases(scenarios.into_iter().map(|scenario| test_case(report, scenario)));
        junit.add_test_suite(suite);
    }
    if !report.checks.is_empty() {
        let mut suite = TestSuite::new("checks");
        suite.add_test_cases(report.checks.iter().map(checked));
        junit.add_test_suite(suite);
    }
    if !report.contradictions.is_empty() {
        let mut suite = TestSuite::new("readings");
        suite.add_test_cases(report.contradictions.iter().map(contradicted));
        junit.add_test_suite(suite);
    }
    // Whoever reads this file alone must not take for a success what was none.
    if junit.failures + junit.errors == 0 {
        junit.add_test_suites(undecided(report));
    }
    // Of any time zone, as the schemas have it: this one is UTC.
    let timestamp = report.started.trim_end_matches('Z');
    junit.test_suites.iter_mut().for_each(|suite| drop(suite.extra.insert("timestamp".into(), timestamp.into())));
    let xml = junit.to_string().map_err(io::Error::other)?;
    writeln!(out, "{}", without_skipped(&xml))
}

/// The whole has no count of what was skipped: the schemas of Jenkins and of Surefire know it of a suite alone.
fn without_skipped(xml: &str) -> String {
    let end = xml.find("<testsuites").and_then(|start| xml[start..].find('>').map(|length| start + length)).unwrap_or(0);
    let (whole, suites) = xml.split_at(end);
    match whole.split_once(" skipped=\"") {
        Some((before, after)) => {
            let after = after.split_once('"').map_or("", |(_, after)| after);
            format!("{before}{after}{suites}")
        }
        None => xml.to_owned(),
    }
}

fn test_case(report: &Report, scenario: &ScenarioEntry) -> TestCase {
    let (deciding, others): (Vec<&FindingEntry>, Vec<&FindingEntry>) =
        scenario.findings.iter().partition(|finding| report.decides(finding));
    let mut status = match scenario.verdict {
        VerdictWord::Fail if deciding.is_empty() && !others.is_empty() => TestCaseStatus::success(),
        _ if !deciding.is_empty() => TestCaseStatus::non_success(NonSuccessKind::Failure),
        VerdictWord::Pass => TestCaseStatus::success(),
        VerdictWord::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        VerdictWord::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
        VerdictWord::Skipped => TestCaseStatus::skipped(),
    };
    if let Some(first) = deciding.first() {
        status.set_type(first.clause.as_str()).set_message(line(first)).set_description(lines(&deciding));
    } else if let Some(why) = &scenario.why {
        status.set_message(printable(why));
        if scenario.verdict == VerdictWord::Unknown {
            status.set_type(scenario.verdict.word());
        }
    }
    let mut case = TestCase::new(printable(&scenario.id), status);
    case.extra.insert("file".into(), printable(&scenario.place.file).into());
    if let Some(line) = scenario.place.line {
        case.extra.insert("line".into(), line.to_string().into());
    }
    case.set_classname(printable(&scenario.place.file)).set_time(Duration::from_millis(scenario.elapsed_ms));
    if !others.is_empty() {
        case.set_system_out(format!("not decisive:\n{}", lines(&others)));
    }
    case
}

fn checked(check: &CheckEntry) -> TestCase {
    let mut status = match check.holds {
        Some(true) => TestCaseStatus::success(),
        Some(false) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        None => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if check.holds != Some(true) {
        status.set_type("check").set_message(printable(&format!("it is {}", check.actual)));
    }
    let mut case = TestCase::new(printable(&check.name), status);
    case.set_classname("checks");
    case
}

fn contradicted(contradiction: &ContradictionEntry) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(contradiction.clause.as_str()).set_message(printable(&contradiction.to_string()));
    let mut case = TestCase::new(printable(&contradiction.reading), status);
    case.set_classname("readings");
    case
}

/// A verdict other than pass, as a case of its own.
fn undecided(report: &Report) -> Option<TestSuite> {
    let kind = match report.verdict {
        Overall::Pass => return None,
        Overall::Fail => NonSuccessKind::Failure,
        Overall::Inconclusive => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(report.verdict.word()).set_message(printable(&report.reason));
    let mut suite = TestSuite::new("verdict");
    suite.add_test_case(TestCase::new(report.command.as_str(), status));
    Some(suite)
}

fn line(finding: &FindingEntry) -> String {
    printable(&format!("{}: {}: expected {}, got {}", finding.clause, finding.subject, finding.expected, finding.actual))
}

fn lines(findings: &[&FindingEntry]) -> String {
    let mut lines = String::new();
    let mut last_curl = None;
    for finding in findings {
        let place = printable(&finding.place.to_string());
        let _ = writeln!(lines, "{}\n  {}\n  at {place}", line(finding), finding.statement);
        let curl = finding.curl.as_ref().filter(|curl| last_curl.replace(*curl) != Some(curl));
        for more in [finding.note.as_ref(), curl].into_iter().flatten() {
            // What is printable already, as a curl line is, stays as it is.
            let _ = writeln!(lines, "  {}", printable(more));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, plain};

    #[test]
    fn verdicts_become_failure_error_skipped_and_nothing() {
        insta::assert_snapshot!(plain(|out| write(out, &fixture::report())), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="msgext run" tests="6" failures="1" errors="1" time="12.345">
            <testsuite name="scenarios/conformance/seq.yaml" tests="6" skipped="2" errors="1" failures="1" time="0.120" file="scenarios/conformance/seq.yaml" timestamp="2023-11-14T22:13:20">
                <testcase name="seq-grows" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml">
                    <failure message="SEQ-3: k1.Seq: expected 1, got 0" type="SEQ-3">SEQ-3: k1.Seq: expected 1, got 0
          Seq grows by one with every successful set.
          at scenarios/conformance/seq.yaml:5:9
          after a retry
          curl -sS -X POST &quot;$MSGEXT_TARGET&quot;&apos;/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&amp;identifier=admin&amp;usersig=&apos;&quot;$MSGEXT_USERSIG&quot;&apos;&amp;random=7&amp;contenttype=json&apos; -H &apos;Content-Type: application/json&apos; --data-binary &apos;{&quot;MsgKey&quot;:&quot;1_2_3&quot;}&apos;
        SEQ-3: ErrorCode: expected 0, got 10002
          Seq grows by one with every successful set.
          at scenarios/conformance/seq.yaml:5:9
          after a retry
        </failure>
                </testcase>
                <testcase name="at-most-300" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml">
                    <system-out>not decisive:
        LIMIT-9: k1.Seq: expected 23004, got 0
          A message holds at most 300 pairs.
          at scenarios/conformance/seq.yaml:5:9
          after a retry
          curl -sS -X POST &quot;$MSGEXT_TARGET&quot;&apos;/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&amp;identifier=admin&amp;usersig=&apos;&quot;$MSGEXT_USERSIG&quot;&apos;&amp;random=7&amp;contenttype=json&apos; -H &apos;Content-Type: application/json&apos; --data-binary &apos;{&quot;MsgKey&quot;:&quot;1_2_3&quot;}&apos;
        LIMIT-9: ErrorCode: expected 0, got 10002
          A message holds at most 300 pairs.
          at scenarios/conformance/seq.yaml:5:9
          after a retry
        </system-out>
                </testcase>
                <testcase name="delete-first" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml"/>
                <testcase name="lost" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml">
                    <error message="no reply within the time-out" type="unknown"/>
                </testcase>
                <testcase name="by-member" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml">
                    <skipped message="--member-calls none"/>
                </testcase>
                <testcase name="by-other" classname="scenarios/conformance/seq.yaml" time="0.020" file="scenarios/conformance/seq.yaml">
                    <skipped message="--member-calls none"/>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn whatever_texts_hold_it_is_well_formed_and_nothing_of_them_is_lost() {
        let unicode = (1..0x1_0000).chain([0x1_fffe, 0x1_ffff, 0x10_ffff]).filter_map(char::from_u32);
        for hostile in unicode.collect::<Vec<_>>().chunks(256).map(|some| some.iter().collect::<String>()) {
            let xml = plain(|out| write(out, &fixture::hostile(&hostile)));
            let read = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {hostile:?}"));
            let case = read.descendants().find(|node| node.has_tag_name("testcase")).unwrap();
            assert_eq!(case.attribute("name"), Some(format!("seq-grows{}", printable(&hostile)).as_str()));
            let failure = case.first_element_child().unwrap();
            assert!(failure.text().unwrap().contains(&printable(&hostile)), "{hostile:?}");
        }
        assert!(roxmltree::Document::parse("<a b='\u{fffe}'/>").is_err(), "the reader would take everything");
    }

    #[test]
    fn a_verdict_that_no_case_shows_is_a_case_and_a_pass_is_none() {
        let bare = Report { scenarios: Vec::new(), reason: "nobody answers".to_owned(), ..fixture::report() };
        let of = |verdict| plain(|out| write(out, &Report { verdict, ..bare.clone() }));
        assert!(of(Overall::Inconclusive).contains(r#"<error message="nobody answers" type="inconclusive"/>"#));
        assert!(of(Overall::Fail).contains(r#"<failure message="nobody answers" type="fail"/>"#));
        assert!(!of(Overall::Pass).contains("nobody answers"));
        assert!(!plain(|out| write(out, &fixture::report())).contains(r#"name="verdict""#));
    }

    #[test]
    fn a_should_level_finding_is_a_failure_when_strict() {
        let report = Report { strict: true, ..fixture::report() };
        assert!(plain(|out| write(out, &report)).contains(r#"failures="2""#));
        assert!(plain(|out| write(out, &fixture::report())).contains(r#"failures="1""#));
    }
}
