//! What a scenario came to, from its findings and from how it ended.

use super::At;
use super::Sent;
use super::memory::Memory;
use super::reply::judge;
use crate::api::Reply;
use crate::scenario::conform::ready::ReadyCall;
use crate::spec::Spec;
use crate::verdict::{Finding, Verdict};

/// Why a scenario went no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// A difference from a clause that decides: what comes after it would only follow from it.
    Failed,
    /// Something is not known that the rest builds on.
    Unknown(String),
    /// It does not apply to this target after all.
    Skipped(String),
}

/// A finding on a clause that decides outweighs everything; one on a `should` clause only what was established.
pub fn verdict(spec: &Spec, findings: &[Finding], end: Option<WalkEnd>, nothing_to_retry: bool) -> Verdict {
    match end {
        _ if findings.iter().any(|finding| ends(spec, finding)) => Verdict::Fail,
        Some(WalkEnd::Unknown(why)) => Verdict::Unknown(why),
        Some(WalkEnd::Skipped(why)) => Verdict::Skipped(why),
        _ if !findings.is_empty() => Verdict::Fail,
        _ if nothing_to_retry => {
            Verdict::Skipped("the target never answered 10002, so there was nothing to try again".to_owned())
        }
        Some(WalkEnd::Failed) | None => Verdict::Pass,
    }
}

/// Whether a finding ends its scenario: one on a `should` clause is told, and the scenario goes on.
pub fn ends(spec: &Spec, finding: &Finding) -> bool {
    spec.decides(&finding.clause, false)
}

/// What a reply breaks of the `should` clauses that its step names.
pub fn judge_should(sent: &Sent, reply: &Reply, call: &ReadyCall, memory: &Memory, at: &At) -> Vec<Finding> {
    let of_clause = |(clause, expect)| {
        let place = format!("{}/should/{clause}", at.place);
        let at = At { clause: String::clone(clause), place, exchange: at.exchange };
        judge(sent, reply, Some(expect), memory, &at)
    };
    let findings = call.should.iter().flat_map(of_clause);
    // Its expectation stands under `should`, not under `expect`.
    findings.map(|finding| Finding { place: finding.place.replacen("/expect", "", 1), ..finding }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn finding(clause: &str) -> Finding {
        let text = |text: &str| text.to_owned();
        Finding {
            clause: text(clause),
            place: text("/scenarios/0/steps/0/set"),
            subject: text("k1.Seq"),
            expected: text("2"),
            actual: text("1"),
            note: None,
            exchange: Some(0),
        }
    }

    #[test]
    fn a_finding_that_decides_outweighs_what_is_unknown_and_one_that_does_not_is_outweighed() {
        let spec = spec::bundled();
        let of = |clause: Option<&str>, end| verdict(&spec, &clause.map(finding).into_iter().collect::<Vec<_>>(), end, false);
        let unknown = || Some(WalkEnd::Unknown("lost".to_owned()));
        assert_eq!(of(None, None), Verdict::Pass);
        assert_eq!(of(Some("SET-1"), Some(WalkEnd::Failed)), Verdict::Fail);
        assert_eq!(of(Some("SET-1"), unknown()), Verdict::Fail);
        assert_eq!(of(Some("URL-7"), unknown()), Verdict::Unknown("lost".to_owned()));
        assert_eq!(of(Some("URL-7"), None), Verdict::Fail);
        assert_eq!(of(None, unknown()), Verdict::Unknown("lost".to_owned()));
    }

    #[test]
    fn a_scenario_about_retries_that_saw_none_is_skipped_and_never_a_pass() {
        let spec = spec::bundled();
        assert!(matches!(verdict(&spec, &[], None, true), Verdict::Skipped(_)));
        assert_eq!(verdict(&spec, &[finding("SET-1")], None, true), Verdict::Fail);
    }
}
