//! Findings and verdicts: what a judge says of a history.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::message::SEND_PATH;
use crate::api::reply::top_code;
use crate::history::{Exchange, Outcome};

/// One difference between what a clause asks and what the target did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Id of the clause that is broken.
    pub clause: String,
    /// Where in the scenario's file the broken expectation stands, as an index path: `/scenarios/3/steps/1/set`.
    pub place: String,
    /// What differs, in the reply or the message: `k2`, `ErrorCode`, `ExtensionList[0].Extension.Seq`.
    pub subject: String,
    pub expected: String,
    pub actual: String,
    /// What else a reader needs to know: "in iteration 17", "after a retry".
    pub note: Option<String>,
    /// Index of the exchange in the scenario's history that shows it; `None` where no single one does.
    pub exchange: Option<usize>,
}

impl Finding {
    /// The same finding, of a scenario that stands at another place.
    pub fn moved(&self, from: &str, to: &str) -> Finding {
        let place = self.place.strip_prefix(from).map_or_else(|| self.place.clone(), |rest| format!("{to}{rest}"));
        Finding { place, ..self.clone() }
    }
}

/// What is known at the end. Skipped and unknown are never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    /// The user put it out of scope, or it does not apply to this target; says why.
    Skipped(String),
    /// It was asked and could not be established; says why.
    Unknown(String),
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skipped(_) => "skipped",
            Verdict::Unknown(_) => "unknown",
        }
    }

    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Skipped(why) | Verdict::Unknown(why) => Some(why),
            Verdict::Pass | Verdict::Fail => None,
        }
    }
}

/// What a whole run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    Pass,
    Fail,
    Inconclusive,
}

impl Overall {
    /// The greater decides where several are told as one.
    pub fn severity(self) -> u8 {
        match self {
            Overall::Pass => 0,
            Overall::Inconclusive => 1,
            Overall::Fail => 2,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Overall::Pass => "pass",
            Overall::Fail => "fail",
            Overall::Inconclusive => "inconclusive",
        }
    }
}

/// The answer to an open clause that one step saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The question's name: `deleted-key`.
    pub reading: String,
    /// The lawful answer that fits what the target did: `tombstone`.
    pub answer: String,
    /// Index path of the step.
    pub place: String,
}

/// Everything that one scenario (one row of a table) came to.
#[derive(Clone, Debug)]
pub struct ScenarioOutcome {
    /// The scenario's id; a row's is `id/row`.
    pub id: String,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    pub observations: Vec<Observation>,
    /// Exchanges in the order in which they were sent, the making of messages and reading back included: those that findings
    /// point at, and all others until [`ScenarioOutcome::let_go`].
    pub exchanges: Vec<Exchange>,
    pub requests: RequestCount,
    pub elapsed: Duration,
}

/// Requests that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCount {
    /// Those that were sent again among them.
    pub sent: u64,
    pub retries: u64,
    /// Messages that they made.
    pub messages: u64,
}

impl RequestCount {
    pub fn of(exchanges: &[Exchange]) -> RequestCount {
        let retries = exchanges.iter().filter(|exchange| exchange.retries > 0).count();
        let messages = exchanges.iter().filter(|exchange| makes_message(exchange)).count();
        RequestCount { sent: exchanges.len() as u64, retries: retries as u64, messages: messages as u64 }
    }
}

fn makes_message(exchange: &Exchange) -> bool {
    let is_taken = || matches!(&exchange.outcome, Outcome::Replied(reply) if top_code(&reply.body) == Some(0));
    exchange.request.path == SEND_PATH && is_taken()
}

impl ScenarioOutcome {
    /// Lets go of every exchange that no finding shows: a run that goes on for long has had millions.
    pub fn let_go(&mut self) {
        let shown: BTreeSet<usize> = self.findings.iter().filter_map(|finding| finding.exchange).collect();
        for place in self.findings.iter_mut().filter_map(|finding| finding.exchange.as_mut()) {
            *place = shown.range(..*place).count();
        }
        let mut places = 0..;
        self.exchanges.retain(|_| places.next().is_some_and(|place| shown.contains(&place)));
        self.exchanges.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::HttpRequest;
    use crate::history::{Loss, Outcome};

    fn exchange(retries: u32) -> Exchange {
        let outcome = Outcome::Lost(Loss::TimedOut);
        let [method, path] = [const { String::new() }; 2];
        let request = HttpRequest { method, path, query: Vec::new(), headers: Vec::new(), body: Vec::new() };
        Exchange { client: 0, request, outcome, due: Duration::ZERO, sent: Duration::ZERO, received: Duration::ZERO, retries }
    }

    fn finding(exchange: Option<usize>) -> Finding {
        let [clause, place, subject, expected, actual] = [const { String::new() }; 5];
        Finding { clause, place, subject, expected, actual, note: None, exchange }
    }

    #[test]
    fn what_no_finding_shows_is_let_go_of_and_what_one_shows_stays_its_own_and_counted() {
        let exchanges: Vec<Exchange> = (0..6).map(exchange).collect();
        let mut outcome = ScenarioOutcome {
            id: "a".to_owned(),
            verdict: Verdict::Fail,
            findings: [Some(4), None, Some(1), Some(4)].map(finding).into(),
            observations: Vec::new(),
            requests: RequestCount::of(&exchanges),
            exchanges,
            elapsed: Duration::ZERO,
        };
        outcome.let_go();
        let shown = |finding: &Finding| finding.exchange.map(|place| outcome.exchanges[place].retries);
        assert_eq!(outcome.findings.iter().map(shown).collect::<Vec<_>>(), [Some(4), None, Some(1), Some(4)]);
        assert_eq!((outcome.exchanges.len(), outcome.requests), (2, RequestCount { sent: 6, retries: 5, messages: 0 }));
    }
}
