//! Findings put together for people: one failure for what one call breaks of a clause, the same failure of many scenarios once.

use std::collections::{BTreeMap, HashMap};

use super::{FindingEntry, Report, ScenarioEntry, VerdictWord};
use crate::judge::text::{self, printable};

/// Scenarios named where many have one thing in common.
const SCENARIOS_SHOWN: usize = 6;

/// Findings of one scenario on one clause, by one call; by no single call, at one place.
#[derive(Clone, Debug)]
pub struct FailureGroup<'a> {
    pub scenario: &'a ScenarioEntry,
    /// Never empty.
    pub findings: Vec<&'a FindingEntry>,
    /// How often this scenario has one of these findings once more.
    pub again: usize,
    /// Other scenarios with one of these findings, which are not shown again.
    pub also_in: Vec<&'a str>,
}

impl<'a> FailureGroup<'a> {
    pub fn first(&self) -> &'a FindingEntry {
        self.findings[0]
    }

    fn count_again(&mut self, scenario: &'a ScenarioEntry) {
        if scenario.id == self.scenario.id {
            self.again += 1;
        } else if self.also_in.last() != Some(&scenario.id.as_str()) {
            self.also_in.push(&scenario.id);
        }
    }

    fn takes(&self, finding: &FindingEntry) -> bool {
        let first = self.first();
        let same_call = match (&first.exchange, &finding.exchange) {
            (Some(a), Some(b)) => a == b,
            (None, None) => first.place == finding.place,
            _ => false,
        };
        same_call && first.clause == finding.clause && first.note == finding.note
    }
}

/// The failures of one scenario, in the order of its findings.
pub fn of_scenario(scenario: &ScenarioEntry) -> Vec<FailureGroup<'_>> {
    gather(std::iter::once(scenario), |_| true)
}

/// The failures of a run whose findings decide, or those whose findings do not.
pub fn of_report(report: &Report, deciding: bool) -> Vec<FailureGroup<'_>> {
    gather(report.scenarios.iter(), |finding| report.decides(finding) == deciding)
}

/// A finding with the clause, subject, expected and actual of an earlier one is only counted there.
fn gather<'a>(
    scenarios: impl Iterator<Item = &'a ScenarioEntry>,
    takes: impl Fn(&FindingEntry) -> bool,
) -> Vec<FailureGroup<'a>> {
    let mut failures: Vec<FailureGroup> = Vec::new();
    let mut shown: HashMap<[&str; 4], usize> = HashMap::new();
    for scenario in scenarios {
        let first_of_scenario = failures.len();
        for finding in scenario.findings.iter().filter(|finding| takes(finding)) {
            let key = [&finding.clause, &finding.subject, &finding.expected, &finding.actual].map(String::as_str);
            if let Some(&index) = shown.get(&key) {
                failures[index].count_again(scenario);
                continue;
            }
            let own = failures[first_of_scenario..].iter().position(|failure| failure.takes(finding));
            let index = own.map_or(failures.len(), |position| first_of_scenario + position);
            match failures.get_mut(index) {
                Some(failure) => failure.findings.push(finding),
                None => failures.push(FailureGroup { scenario, findings: vec![finding], again: 0, also_in: Vec::new() }),
            }
            shown.insert(key, index);
        }
    }
    failures
}

/// The scenarios with a verdict that has a why, together by that.
pub fn whys(report: &Report, verdict: VerdictWord) -> BTreeMap<&str, Vec<&str>> {
    let mut by_why: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for scenario in report.scenarios.iter().filter(|scenario| scenario.verdict == verdict) {
        by_why.entry(scenario.why.as_deref().unwrap_or("no reason given")).or_default().push(&scenario.id);
    }
    by_why
}

/// A reply's body, cut where it is long.
pub fn body(text: &str) -> String {
    const MAX: usize = 300;
    let shown: String = printable(&text.chars().take(MAX).collect::<String>());
    if text.chars().nth(MAX).is_some() { format!("{shown}… ({} bytes)", text.len()) } else { shown }
}

/// Two texts, cut to where they first differ where they are long, without characters that would upset a terminal or a table.
pub fn shown(expected: &str, actual: &str) -> (String, String) {
    let differ = expected.chars().zip(actual.chars()).take_while(|(a, b)| a == b).count();
    (excerpt(expected, differ), excerpt(actual, differ))
}

/// The text cut around its `middle`-th character where it is long. The longest cause for which a body is no JSON is shorter.
fn excerpt(text: &str, middle: usize) -> String {
    const MAX: usize = 96;
    const BEFORE: usize = 16;
    let count = text.chars().count();
    if count <= MAX {
        return printable(text);
    }
    let start = middle.saturating_sub(BEFORE).min(count - MAX);
    let window: String = text.chars().skip(start).take(MAX).collect();
    let (head, tail) = (if start > 0 { "…" } else { "" }, if start + MAX < count { "…" } else { "" });
    format!("{head}{}{tail} ({} bytes)", printable(&window), text.len())
}

/// The first of some scenarios.
pub fn some_of(scenarios: &[&str]) -> String {
    printable(&text::some_of(scenarios, SCENARIOS_SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reply::{MAX_BODY_BYTES, decode};
    use crate::report::fixture;

    #[test]
    fn equal_findings_of_many_scenarios_are_one_failure() {
        let report = fixture::many(500);
        let failures = of_report(&report, true);
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].also_in.len(), 499);
        assert_eq!(
            some_of(&failures[0].also_in),
            "seq-grows/1, seq-grows/2, seq-grows/3, seq-grows/4, seq-grows/5, seq-grows/6 and 493 more"
        );
    }

    #[test]
    fn a_finding_that_a_scenario_repeats_is_counted() {
        let mut report = fixture::many(1);
        let mut again = report.scenarios[0].findings[0].clone();
        again.note = Some("in iteration 2".to_owned());
        report.scenarios[0].findings.push(again);
        let failures = of_scenario(&report.scenarios[0]);
        assert_eq!((failures.len(), failures[0].again, failures[0].also_in.len()), (1, 1, 0));
    }

    #[test]
    fn a_finding_that_differs_is_a_failure_of_its_own() {
        let mut report = fixture::many(3);
        report.scenarios[1].findings[0].actual = "another".to_owned();
        let failures = of_report(&report, true);
        assert_eq!(
            failures.iter().map(|failure| failure.scenario.id.as_str()).collect::<Vec<_>>(),
            ["seq-grows/0", "seq-grows/1"]
        );
        assert_eq!(failures[0].also_in, ["seq-grows/1", "seq-grows/2"], "their second finding is the same");
    }

    #[test]
    fn long_texts_are_cut_to_where_they_differ() {
        let (expected, actual) = shown(&"é".repeat(500), &format!("{}x{}", "é".repeat(400), "é".repeat(99)));
        assert_eq!(expected, format!("…{}… (1000 bytes)", "é".repeat(96)));
        assert_eq!(actual, format!("…{}x{}… (999 bytes)", "é".repeat(16), "é".repeat(79)));
        assert_eq!(shown("23001", "0"), ("23001".to_owned(), "0".to_owned()));
    }

    #[test]
    fn why_a_body_is_no_json_is_never_cut() {
        // The longest of serde_json's causes, at the end of the longest body that is read.
        let body = format!("\"{}\u{1}", "é".repeat(MAX_BODY_BYTES / 2 - 1));
        let defect = &decode(body.as_bytes()).1[0];
        let cause = serde_json::from_str::<&serde_json::value::RawValue>(&body).unwrap_err().to_string();
        let (_, actual) = shown(defect.expected, &defect.actual);
        assert!(actual.starts_with(&cause) && actual.ends_with(&format!("… ({} bytes)", defect.actual.len())), "{actual}");
    }
}
