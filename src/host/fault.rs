//! Faults of the wire: what a network, or a broken server, does to a reply that the model got right.

use std::str::FromStr;

use crate::api::call;
use crate::api::message::{GET_PATH, SEND_PATH};

/// One fault, done to every n-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// One call in this many, of each command counted for itself.
    pub every: u64,
    /// `None` for all of them.
    pub only: Option<SpoiltCommand>,
}

/// A command of the endpoint, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoiltCommand {
    Set,
    Get,
    Send,
}

impl SpoiltCommand {
    /// Every command with its word on the command line and its path.
    pub const ALL: [(&str, &str, SpoiltCommand); 3] = [
        ("set", call::PATH, SpoiltCommand::Set),
        ("get", GET_PATH, SpoiltCommand::Get),
        ("send", SEND_PATH, SpoiltCommand::Send),
    ];

    pub fn of(path: &str) -> Option<SpoiltCommand> {
        SpoiltCommand::ALL.iter().find(|(_, known, _)| *known == path).map(|(.., command)| *command)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection is reset in place of a reply.
    Reset,
    /// The connection is closed in place of a reply.
    Close,
    /// The connection is closed in the middle of the body.
    Truncate,
    /// The body comes a byte at a time, a few a second.
    SlowBody,
    /// The body never ends.
    Endless,
    /// The body is 10 MB long.
    Huge,
    /// The body is not JSON.
    Garbage,
    /// HTTP 502, as a gateway answers for a server that is gone.
    BadGateway,
}

impl FaultKind {
    /// Every kind with its word on the command line.
    pub const WORDS: &[(&str, FaultKind)] = &[
        ("reset", FaultKind::Reset),
        ("close", FaultKind::Close),
        ("truncate", FaultKind::Truncate),
        ("slow-body", FaultKind::SlowBody),
        ("endless", FaultKind::Endless),
        ("huge", FaultKind::Huge),
        ("garbage", FaultKind::Garbage),
        ("bad-gateway", FaultKind::BadGateway),
    ];

    /// Whether it happens after the endpoint has done its work, so that the call was carried out.
    pub fn after_the_work(self) -> bool {
        self != FaultKind::BadGateway
    }
}

/// A fault that cannot be read from the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault: write KIND:N[,on=set|get|send], one call in N, with KIND one of {words}", words = words())]
pub struct ParseFaultError(String);

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Fault, ParseFaultError> {
        let wrong = || ParseFaultError(text.to_owned());
        let (word, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (every, only) = match rest.split_once(",on=") {
            Some((every, on)) => {
                let (.., command) = SpoiltCommand::ALL.iter().find(|(word, ..)| *word == on).ok_or_else(wrong)?;
                (every, Some(*command))
            }
            None => (rest, None),
        };
        let (_, kind) = FaultKind::WORDS.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?;
        let every = every.parse().ok().filter(|every| *every > 0).ok_or_else(wrong)?;
        Ok(Fault { kind: *kind, every, only })
    }
}

fn words() -> String {
    FaultKind::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_a_kind_and_a_share() {
        assert_eq!("reset:100".parse(), Ok(Fault { kind: FaultKind::Reset, every: 100, only: None }));
        assert_eq!("close:2,on=get".parse(), Ok(Fault { kind: FaultKind::Close, every: 2, only: Some(SpoiltCommand::Get) }));
        for wrong in ["reset", "reset:0", "reset:-1", "explode:3", "", "reset:2,on=", "reset:2,on=clear", "reset:2,get"] {
            let error = wrong.parse::<Fault>().expect_err(wrong);
            assert!(error.to_string().contains("bad-gateway"), "{error}");
        }
    }
}
