//! The first calls of a run: is the target there, does it take the credentials, can messages be made, who acts as a member,
//! can a message be read back?

use std::time::Duration;

use super::line::{Line, Session};
use super::messages::Message;
use super::target::ReadBack;
use crate::api::MemberCalls;
use crate::api::reply::decode;
use crate::api::{Reply, code};
use crate::history::{Loss, Outcome};
use crate::judge::conform::memory::Memory;
use crate::scenario::conform::ready::{DEFAULT_MESSAGE, ReadyCall, ReadyPair};
use crate::scenario::conform::text::Seq;
use crate::scenario::{Caller, MessageKind};

/// The first call of all makes a message, which not every endpoint can.
const NO_SENDMSG: &str =
    " (openim/sendmsg; a target without that call needs a target file, whose `messages` lists messages or names a command)";

/// What the probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub member_calls: MemberCalls,
    /// Whether replies showed it; otherwise it was told, or is only the best that could be tried.
    pub saw_member_calls: bool,
    pub read_back: ReadBack,
    /// When the first call of all was sent, and answered, on the run's clock: some limiters count from there.
    pub first_call: Option<(Duration, Duration)>,
}

/// Why the target cannot be tested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    #[error("the target cannot be reached: {0}")]
    Unreachable(Loss),
    #[error("the target refused the credentials: {code} {info}{advice}")]
    Credentials { code: i64, info: String, advice: &'static str },
    #[error("{0}")]
    NoMessages(String),
    #[error("the app lacks the plan for message extensions: {0}")]
    NoPlan(String),
}

/// Finds out. `session` has the user's choices, or defaults where there are none.
pub async fn probe(session: &mut Session<'_>) -> Result<Found, ProbeError> {
    let (wanted_calls, wanted_read_back) = (session.target.member_calls, session.target.read_back);
    session.member_calls = wanted_calls.unwrap_or(MemberCalls::Nobody);
    // One message for all of it: a target file may list few.
    let mut line = Line::open(session, "probe");
    let message = message(&mut line).await?;
    let first_call = line.exchanges.first().map(|exchange| (exchange.sent, exchange.received));
    admin_may_call(session, &message).await?;
    let (member_calls, saw_member_calls) = match wanted_calls {
        Some(calls) => (calls, false),
        None => find_member_calls(session, &message).await?,
    };
    session.member_calls = member_calls;
    let read_back = match wanted_read_back {
        // Without members there is nobody whose Seq could conflict.
        Some(ReadBack::Member) if member_calls == MemberCalls::Nobody => ReadBack::Impossible,
        Some(read_back) => read_back,
        None => find_read_back(session, &message).await,
    };
    Ok(Found { member_calls, saw_member_calls, read_back, first_call })
}

async fn admin_may_call(session: &Session<'_>, message: &Message) -> Result<(), ProbeError> {
    let Some(reply) = set(session, message, Caller::Admin, "admin", &[0]).await?.pop().flatten() else { return Ok(()) };
    match reply.code {
        code::NO_PLAN => Err(ProbeError::NoPlan(reply.info)),
        code if code::is_credentials(code) => Err(ProbeError::Credentials { code, info: reply.info, advice: "" }),
        _ => Ok(()),
    }
}

/// A member's own `identifier` is taken, or a stale Seq sent with `From_Account` is refused; otherwise nobody acts as a member.
/// A reply that says nothing decides nothing: then members are tried that way, and their scenarios tell how it went.
async fn find_member_calls(session: &mut Session<'_>, message: &Message) -> Result<(MemberCalls, bool), ProbeError> {
    session.member_calls = MemberCalls::Identifier;
    let Some(as_identifier) = set(session, message, Caller::Sender, "identifier", &[0]).await?.pop().flatten() else {
        return Ok((MemberCalls::Identifier, false));
    };
    let refused = as_identifier.code != 0 && (code::is_credentials(as_identifier.code) || as_identifier.code == code::INVALID);
    if !refused {
        return Ok((MemberCalls::Identifier, true));
    }
    session.member_calls = MemberCalls::FromAccount;
    let Some(second) = set(session, message, Caller::Sender, "from-account", &[0, 0]).await?.pop().flatten() else {
        return Ok((MemberCalls::FromAccount, false));
    };
    let conflicted = second.results.iter().flatten().any(|result| result.code == code::SEQ_CONFLICT);
    Ok((if conflicted { MemberCalls::FromAccount } else { MemberCalls::Nobody }, true))
}

/// A read that is lost decides nothing: then that way is tried, and what it is needed for tells how it went.
async fn find_read_back(session: &Session<'_>, message: &Message) -> ReadBack {
    match Line::open(session, "probe").pairs(message).await {
        Err(why) if why.is_an_answer() && session.member_calls == MemberCalls::Nobody => ReadBack::Impossible,
        Err(why) if why.is_an_answer() => ReadBack::Member,
        Ok(_) | Err(_) => ReadBack::Get,
    }
}

/// Sets a key of its own with these Seqs, one after another; `None` for a reply that says nothing.
async fn set(
    session: &Session<'_>,
    message: &Message,
    caller: Caller,
    key: &str,
    seqs: &[i64],
) -> Result<Vec<Option<Reply>>, ProbeError> {
    let mut line = Line::open(session, "probe");
    let mut replies = Vec::new();
    for seq in seqs {
        let call = ReadyCall::set(caller, DEFAULT_MESSAGE, vec![ReadyPair::new(key, "v", Seq::Number(*seq))]);
        let composed = line.composer().call(&call, message, &Memory::default(), &mut line.random);
        let exchange = line.exchange(composed.request, true).await;
        match &line.exchanges[exchange].outcome {
            Outcome::Lost(loss @ Loss::NotConnected(_)) => return Err(ProbeError::Unreachable(loss.clone())),
            Outcome::Lost(_) => replies.push(None),
            Outcome::Replied(http) => replies.push(decode(&http.body).0),
        }
    }
    Ok(replies)
}

/// A message to try things on. A failure is told by its cause: no connection, refused credentials, or no messages.
async fn message(line: &mut Line<'_>) -> Result<Message, ProbeError> {
    let why = match line.message(MessageKind::Sent).await {
        Ok(message) => return Ok(message),
        Err(why) => why,
    };
    match line.exchanges.last().map(|exchange| &exchange.outcome) {
        Some(Outcome::Lost(loss)) => Err(ProbeError::Unreachable(loss.clone())),
        Some(Outcome::Replied(http)) => match decode(&http.body).0 {
            Some(reply) if code::is_credentials(reply.code) => {
                Err(ProbeError::Credentials { code: reply.code, info: reply.info, advice: NO_SENDMSG })
            }
            _ => Err(ProbeError::NoMessages(why)),
        },
        None => Err(ProbeError::NoMessages(why)),
    }
}
