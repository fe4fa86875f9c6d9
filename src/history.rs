//! What is recorded of a run: exchanges, each one call with its reply or how that was lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::reply::MOST_KEPT_BYTES;
use crate::api::{HttpRequest, MemberCalls};

/// Whose calls a history holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The `identifier` of an App admin.
    pub admin: String,
    pub member_calls: MemberCalls,
}

/// One call, what came back, and when. Times are since the start of the run, on the target's clock where that is virtual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Who sent it: calls of one client never overlap, but for those of a step that sends several at once.
    pub client: u32,
    pub request: HttpRequest,
    pub outcome: Outcome,
    /// When it was to be sent: by a plan, or as soon as the step came to it.
    pub due: Duration,
    pub sent: Duration,
    pub received: Duration,
    /// How often the call was sent before this, because the target answered 10002 or its app limit refused it.
    pub retries: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Replied(HttpReply),
    /// Nothing came back that could be called a reply: whether the call was carried out is unknown.
    Lost(Loss),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReply {
    pub status: u16,
    pub body: Vec<u8>,
    /// `Some` when a status line came, but not the whole body.
    pub cut: Option<Cut>,
    /// The body's content coding, where it came in one, though none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
}

impl HttpReply {
    /// Lets go of what is not kept of a body, once it has been judged.
    pub fn let_go(&mut self) {
        if self.body.len() > MOST_KEPT_BYTES {
            self.body.truncate(MOST_KEPT_BYTES);
            self.body.shrink_to_fit();
        }
    }
}

/// Why a reply's body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// The connection ended, or broke the framing, before the announced end.
    Short,
    /// The body went on beyond what the client reads.
    TooLong,
    /// The body was still coming when the time-out ended.
    Endless,
}

/// How a reply was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Loss {
    /// No connection could be made: the call was certainly not carried out.
    NotConnected(String),
    /// The connection ended before a status line.
    Closed(String),
    TimedOut,
    /// A gateway's 502, 503 or 504: by the documentation a network error, not an answer.
    Gateway(u16),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Loss::NotConnected(cause) => write!(f, "no connection: {cause}"),
            Loss::Closed(cause) => write!(f, "the connection ended before the reply: {cause}"),
            Loss::TimedOut => f.write_str("no reply within the time-out"),
            Loss::Gateway(status) => write!(f, "a gateway answered HTTP {status}"),
        }
    }
}

/// What became of a call of a load run, as finely as anybody needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    Accepted,
    /// Let through by both limits, and not done ([`Class::Conflict`]).
    Conflict,
    RefusedForApp,
    RefusedForMessage,
    Error,
    Lost,
}

impl Fate {
    pub fn class(self) -> Class {
        match self {
            Fate::Accepted => Class::Accepted,
            Fate::Conflict => Class::Conflict,
            Fate::RefusedForApp | Fate::RefusedForMessage => Class::Refused,
            Fate::Error => Class::Error,
            Fate::Lost => Class::Lost,
        }
    }
}

/// What a call of a load run came to, the worse the later. Each call has one; of its keys the worst decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// The target did what was asked, for every key.
    Accepted,
    /// Not done, and rightly: a key was not as the last reply had left it, which is lawful after a delete, a clear or a lost
    /// call. The target carried the call out as far as it had to.
    Conflict,
    /// A limit, the app's or the message's, turned it away.
    Refused,
    /// Any other code than 0 at the top or at a key, or a reply that cannot be read.
    Error,
    /// No reply: whether it was carried out is unknown.
    Lost,
}

impl Class {
    pub const COUNT: usize = 5;
    pub const ALL: [Class; Class::COUNT] = [Class::Accepted, Class::Conflict, Class::Refused, Class::Error, Class::Lost];

    pub fn word(self) -> &'static str {
        match self {
            Class::Accepted => "accepted",
            Class::Conflict => "conflict",
            Class::Refused => "refused",
            Class::Error => "error",
            Class::Lost => "lost",
        }
    }
}
