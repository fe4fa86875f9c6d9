//! Bounds what a report repeats of a target's texts: in full until there is much of them, and then the beginnings.

use super::{ExchangeEntry, FindingEntry, ScenarioEntry};

/// So much of a report is told in full; one of all the bundled scenarios stays below 10 MB, whatever the target sends.
const MOST_IN_FULL: usize = 4 << 20;
/// What is told of each text beyond that.
const BEGINNING: usize = 100;

pub(super) fn shorten(scenarios: &mut [ScenarioEntry]) {
    let mut told = 0;
    for scenario in scenarios {
        if let Some(why) = &mut scenario.why {
            told += text(why, told);
        }
        for finding in &mut scenario.findings {
            told += self::finding(finding, told);
        }
    }
}

/// Shortens a finding where so much was told before it; gives what it takes itself.
fn finding(finding: &mut FindingEntry, told: usize) -> usize {
    let FindingEntry { subject, expected, actual, note, excerpt, exchange, curl, .. } = finding;
    let bodies = exchange.iter_mut().flat_map(|ExchangeEntry { request_body, response_body, lost, .. }| {
        [Some(request_body), response_body.as_mut(), lost.as_mut()].into_iter().flatten()
    });
    let texts = [subject, expected, actual].into_iter().chain(note).chain(bodies);
    if told > MOST_IN_FULL {
        // The place says where they stand.
        *excerpt = None;
    }
    let lines = excerpt.iter().flat_map(|excerpt| &excerpt.lines).map(|line| written(line)).sum::<usize>();
    // A curl line that is cut repeats nothing.
    texts.map(|own| text(own, told)).sum::<usize>() + lines + curl.as_ref().map_or(0, |line| written(line))
}

fn text(own: &mut String, told: usize) -> usize {
    if told > MOST_IN_FULL && own.len() > 2 * BEGINNING {
        own.truncate(own.floor_char_boundary(BEGINNING));
        own.push_str("… [cut here: the report is long]");
    }
    written(own)
}

/// Bytes of a text in JSON, where a control character takes six.
fn written(text: &str) -> usize {
    text.bytes().map(|byte| if byte < b' ' { 6 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{built, failed, planned};
    use crate::report::json;
    use crate::verdict::ScenarioOutcome;

    #[test]
    fn a_report_of_long_texts_is_bounded_and_one_of_few_is_told_in_full() {
        let written = |scenarios: usize| {
            let planned: Vec<_> = (0..scenarios).map(|number| planned(&format!("s{number}"), "SEQ-3")).collect();
            let long = "\u{1}é".repeat(2000);
            let outcomes: Vec<ScenarioOutcome> =
                planned.iter().map(|planned| failed(&planned.id, "SEQ-3", "expected", &long)).collect();
            let mut out = Vec::new();
            json::write(&mut out, &built(&planned, &outcomes)).unwrap();
            out.len()
        };
        assert!(written(334) < 10 << 20, "{}", written(334));
        assert!(written(334) > MOST_IN_FULL);
        assert!(written(20) > 20 * 4096);
    }

    #[test]
    fn what_comes_late_keeps_its_beginning_and_its_curl_line() {
        let planned = [planned("seq-grows", "SEQ-3")];
        let report = built(&planned, &[failed("seq-grows", "SEQ-3", "short", &"é".repeat(1000))]);
        let mut late = report.scenarios[0].findings[0].clone();
        assert_eq!(finding(&mut late.clone(), MOST_IN_FULL), finding(&mut late.clone(), 0));
        finding(&mut late, MOST_IN_FULL + 1);
        assert_eq!(late.actual, format!("{}… [cut here: the report is long]", "é".repeat(50)));
        assert_eq!((late.expected.as_str(), &late.curl), ("short", &report.scenarios[0].findings[0].curl));
    }
}
