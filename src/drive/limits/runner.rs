//! One probe on its way: which call is next and when it is due, and what came of those before.

use std::time::Duration;

use super::LATE;
use crate::api::{code, reply};
use crate::clock::nanoseconds;
use crate::drive::client::TargetClient;
use crate::history::Outcome;
use crate::judge::limits::Decision;
use crate::judge::limits::probe::{Probe, ProbeStage};
use crate::judge::limits::trace::ProbedCall;

/// A call, and what its reply said.
#[derive(Clone, Copy, Debug)]
pub struct ToldCall {
    pub call: ProbedCall,
    /// `None` where nothing came, or nothing that holds a code.
    pub code: Option<i64>,
    pub at_top: bool,
    /// Whose message it was, and the number that it was set to; `None` where it is no set of the one key.
    pub written: Option<(usize, usize)>,
}

/// One probe on its way.
pub struct Runner<'p> {
    pub probe: &'p Probe,
    /// Where all calls go but the app's, which go to all messages; and those that are asked of another one, or elsewhere.
    pub message: Option<usize>,
    pub other_message: Option<usize>,
    pub elsewhere: Option<usize>,
    /// For calls on another connection.
    pub afresh: Option<TargetClient>,
    pub stage: usize,
    /// Calls of the stage that were sent, and refused.
    pub sent: u64,
    pub refused: u64,
    pub due: Duration,
    /// Whether a stage began later than it was due.
    pub is_late: bool,
    pub calls: Vec<ToldCall>,
}

impl Runner<'_> {
    /// Its calls until now, and what came of them as far as their replies say.
    pub fn calls(&self) -> impl Iterator<Item = ProbedCall> {
        self.calls.iter().map(|told| {
            let decision = match told.code {
                None => Decision::Lost,
                Some(code) if code::is_limit(code) => Decision::Refused,
                Some(_) => Decision::Admitted,
            };
            ProbedCall { decision, ..told.call }
        })
    }

    /// Whether it is in the midst of a burst and waits for its turn: bursts that took turns would be none.
    pub fn is_bursting(&self, rate: f64, free: Duration) -> bool {
        self.sent > 0 && self.due <= free && self.stage().is_some_and(|stage| stage.rate >= rate)
    }

    /// The stage that it is in; `None` once it is through.
    pub fn stage(&self) -> Option<&ProbeStage> {
        self.probe.stages.get(self.stage)
    }

    /// Takes down a call that goes out now, and when the next is due.
    pub fn send(&mut self, sent: Duration, due: Duration, written: Option<(usize, usize)>) -> usize {
        let Some(stage) = self.probe.stages.get(self.stage) else { return 0 };
        let call = ProbedCall {
            sent: nanoseconds(sent),
            received: 0,
            pairs: stage.pairs,
            stage: u32::try_from(self.stage).unwrap_or(u32::MAX),
            decision: Decision::Lost,
        };
        self.calls.push(ToldCall { call, code: None, at_top: true, written });
        self.sent += 1;
        let is_late = sent > due + LATE;
        self.is_late |= is_late && self.sent == 1;
        let from = if is_late { sent } else { due };
        self.due = from + stage.gap();
        if self.sent >= stage.calls {
            self.go_on(from);
        }
        self.calls.len() - 1
    }

    pub fn settle(&mut self, index: usize, outcome: &Outcome, received: Duration) {
        let told = &mut self.calls[index];
        told.call.received = nanoseconds(received);
        if let Outcome::Replied(http) = outcome {
            (told.code, told.at_top) = said(&http.body);
        }
        let is_refused = told.code.is_some_and(code::is_limit);
        if !is_refused || told.call.stage as usize != self.stage {
            return;
        }
        self.refused += 1;
        if self.stage().and_then(|stage| stage.enough).is_some_and(|enough| self.refused >= enough) {
            let last = self.calls.last().map_or(Duration::ZERO, |told| Duration::from_nanos(told.call.sent));
            self.go_on(last);
        }
    }

    /// To the next stage, after its rest.
    fn go_on(&mut self, last_sent: Duration) {
        self.stage += 1;
        (self.sent, self.refused) = (0, 0);
        if let Some(stage) = self.stage() {
            self.due = last_sent + stage.gap().max(stage.rest);
        }
    }
}

/// The code of a reply, the top level's or else the first of a key that is not 0, and whether it stands at the top.
fn said(body: &[u8]) -> (Option<i64>, bool) {
    let (Some(reply), _) = reply::decode(body) else { return (reply::top_code(body), true) };
    let at_key = reply.results.iter().flatten().map(|result| result.code).find(|code| *code != 0);
    match at_key {
        Some(code) if reply.code == 0 => (Some(code), false),
        _ => (Some(reply.code), true),
    }
}
