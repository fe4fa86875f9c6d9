//! What is sent to find out about a limit: calls at a rate, and rests between them.

use std::time::Duration;

/// What calls ask for: a set of a message's one key by an admin, or what may come to another counter, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AskedCall {
    Set,
    OtherKey,
    OtherMessage,
    OtherConversation,
    OtherConnection,
    Delete,
    Clear,
    /// A set that is refused for a field that it lacks.
    Invalid,
    /// A set by a member.
    Member,
}

/// Calls at an even rate, after a rest.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeStage {
    /// Since the stage before was over.
    pub rest: Duration,
    /// At the most.
    pub calls: u64,
    /// Calls a second.
    pub rate: f64,
    /// Pairs of each call.
    pub pairs: u64,
    /// It is over once so many of its calls were refused.
    pub enough: Option<u64>,
    pub asked: AskedCall,
}

/// Some stages on one counter, from which something can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What it looks at, for whoever waits for it.
    pub name: String,
    pub stages: Vec<ProbeStage>,
}

impl AskedCall {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            AskedCall::Set => "sets",
            AskedCall::OtherKey => "sets of another key",
            AskedCall::OtherMessage => "sets on another message",
            AskedCall::OtherConversation => "sets in another conversation",
            AskedCall::OtherConnection => "sets on another connection",
            AskedCall::Delete => "deletes",
            AskedCall::Clear => "clears",
            AskedCall::Invalid => "invalid calls",
            AskedCall::Member => "a member's sets",
        }
    }

    /// A target may look at what a call is before it looks at its limits: then it is refused for that even beyond them.
    pub fn is_never_beyond(self) -> bool {
        self == AskedCall::Invalid
    }
}

impl ProbeStage {
    pub fn burst(calls: u64, rate: f64) -> ProbeStage {
        ProbeStage { rest: Duration::ZERO, calls, rate, pairs: 1, enough: None, asked: AskedCall::Set }
    }

    pub fn after(self, rest: Duration) -> ProbeStage {
        ProbeStage { rest, ..self }
    }

    pub fn until_refused(self, times: u64) -> ProbeStage {
        ProbeStage { enough: Some(times), ..self }
    }

    pub fn of_pairs(self, pairs: u64) -> ProbeStage {
        ProbeStage { pairs, ..self }
    }

    /// Between two of its calls.
    pub fn gap(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    /// At the longest, its rest included.
    pub fn length(&self) -> Duration {
        self.rest + Duration::from_secs_f64(self.calls as f64 / self.rate)
    }
}

impl Probe {
    pub fn new(name: impl Into<String>, stages: Vec<ProbeStage>) -> Probe {
        Probe { name: name.into(), stages }
    }

    /// At the longest.
    pub fn length(&self) -> Duration {
        self.stages.iter().map(ProbeStage::length).sum()
    }
}
