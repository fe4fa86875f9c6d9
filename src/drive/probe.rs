//! The first calls of a run: is the target there, does it take the credentials, can messages be made, who acts as a member,
//! can a message be read back?

use std::time::Duration;

use super::line::{Line, Session};
use super::messages::Message;
use super::readback::{ReadError, UNREACHABLE_SEQ, told_by_conflict};
use super::target::{CallsAtOnce, ReadBack};
use crate::api::message::SEND_PATH;
use crate::api::reply::decode;
use crate::api::{MemberCalls, Reply, call, code};
use crate::history::{HttpReply, Loss, Outcome};
use crate::judge::conform::memory::Memory;
use crate::judge::conform::pairs::Pairs;
use crate::judge::text::named;
use crate::scenario::conform::ready::{DEFAULT_MESSAGE, ReadyCall, ReadyPair};
use crate::scenario::conform::text::Seq;
use crate::scenario::{Caller, MessageKind};

/// What to do at a target that makes no messages.
pub const NO_SENDMSG: &str =
    "a target without openim/sendmsg needs a target file, whose `messages` lists messages or names a command";
/// What to do where something answers, and not as this API does.
const NO_API: &str = "is the URL the target's, up to where /v4 begins?";
/// What a gateway says that wants to know who calls, in HTTP and not in TLS.
const NO_CLIENT_CERTIFICATE: &str = "SSL certificate";
/// So much of a page that is no reply is told.
const MOST_TOLD_CHARS: usize = 120;

/// What the probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub member_calls: MemberCalls,
    /// Whether replies showed it; otherwise it was told, or is only the best that could be tried.
    pub saw_member_calls: bool,
    pub read_back: ReadBack,
    pub calls_at_once: CallsAtOnce,
    /// When the first call of all was sent, and answered, on the run's clock: some limiters count from there.
    pub first_call: Option<(Duration, Duration)>,
}

/// Why the target cannot be tested; `call` is the call that showed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    #[error("the target cannot be reached: {loss} ({call})")]
    Unreachable { loss: Loss, call: String },
    #[error("the target refused the credentials: {code} {info} ({call})")]
    Credentials { code: i64, info: String, call: String },
    #[error("{why} ({call}): {NO_SENDMSG}")]
    NoMessages { why: String, call: String },
    /// It is not the target that is asked for them.
    #[error("{0}")]
    NoMessage(String),
    #[error("the app lacks the plan for message extensions: {info} ({call})")]
    NoPlan { info: String, call: String },
    #[error("what answers is not this API: {told} ({call}): {advice}")]
    NoApi { told: String, call: String, advice: &'static str },
}

/// Finds out. `session` has the user's choices, or defaults where there are none.
pub async fn probe(session: &mut Session<'_>) -> Result<Found, ProbeError> {
    let (wanted_calls, wanted_read_back) = (session.target.member_calls, session.target.read_back);
    session.member_calls = wanted_calls.unwrap_or(MemberCalls::Nobody);
    // One message for all of it: a target file may list few.
    let mut line = Line::open(session, "probe");
    let message = message(&mut line).await?;
    let first_call = line.exchanges.first().map(|exchange| (exchange.sent, exchange.received));
    let (written, _) = admin_may_call(session, &message).await?;
    let (member_calls, saw_member_calls) = match wanted_calls {
        Some(calls) => (calls, false),
        None => find_member_calls(session, &message).await?,
    };
    session.member_calls = member_calls;
    let read_back = match wanted_read_back {
        // Without members there is nobody whose Seq could conflict.
        Some(ReadBack::Member) if member_calls == MemberCalls::Nobody => ReadBack::Impossible,
        Some(ReadBack::Member) => by_refusal(session, &message, written.as_ref()).await.or_untrue(ReadBack::Member),
        Some(read_back) => read_back,
        None => find_read_back(session, &message, written.as_ref()).await,
    };
    Ok(Found { member_calls, saw_member_calls, read_back, calls_at_once: CallsAtOnce::default(), first_call })
}

/// A pair that the admin's set was taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPair {
    /// As it was sent, and as the reply has it.
    values: Vec<String>,
}

/// The key of the admin's set, and the value.
const WRITTEN: (&str, &str) = ("admin", "v");

impl WrittenPair {
    fn of(reply: &Reply) -> Option<WrittenPair> {
        let (key, value) = WRITTEN;
        let result = reply.result(key);
        let is_taken = reply.code == 0 && result.is_none_or(|result| result.code == 0);
        let told = result.map(|result| result.extension.value.clone());
        is_taken.then(|| WrittenPair { values: std::iter::once(value.to_owned()).chain(told).collect() })
    }

    fn is(&self, pairs: &Pairs) -> bool {
        pairs.get(WRITTEN.0).is_some_and(|(value, _)| self.values.contains(value))
    }
}

/// What one way of reading back came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadTrial {
    /// It told the pair that was set.
    True,
    /// It told something else, in these words.
    Untrue(String),
    Refused(String),
    /// Nothing was told that decides it, or nothing is known to have been set.
    Unknown(String),
}

impl ReadTrial {
    fn of(read: Result<Pairs, ReadError>, written: Option<&WrittenPair>) -> ReadTrial {
        let (key, value) = WRITTEN;
        match (read, written) {
            (Err(why), _) if why.is_an_answer() => ReadTrial::Refused(why.to_string()),
            (Err(why), _) => ReadTrial::Unknown(why.to_string()),
            (Ok(_), None) => ReadTrial::Unknown("no set was taken that could be read back".to_owned()),
            (Ok(pairs), Some(written)) if written.is(&pairs) => ReadTrial::True,
            (Ok(pairs), Some(_)) => {
                let told = pairs.get(key).map_or("no value".to_owned(), |(value, _)| named(value));
                ReadTrial::Untrue(format!("{key} was set to {}, and it tells {told}", named(value)))
            }
        }
    }

    fn or_untrue(&self, read_back: ReadBack) -> ReadBack {
        if matches!(self, ReadTrial::Untrue(_)) { ReadBack::Untrue } else { read_back }
    }
}

/// Whether an admin's set is taken; gives the pair that it was taken for, and the answer to that pair, or to the whole call.
pub async fn admin_may_call(session: &Session<'_>, message: &Message) -> Result<(Option<WrittenPair>, Option<i64>), ProbeError> {
    let replies = set(session, message, Caller::Admin, WRITTEN, &[0]).await?;
    let Some(reply) = replies.into_iter().next().flatten() else { return Ok((None, None)) };
    let call = called(session, call::PATH);
    match reply.code {
        code::NO_PLAN => Err(ProbeError::NoPlan { info: reply.info, call }),
        code if code::is_credentials(code) => Err(ProbeError::Credentials { code, info: reply.info, call }),
        0 => Ok((WrittenPair::of(&reply), Some(reply.result(WRITTEN.0).map_or(0, |result| result.code)))),
        code => Ok((None, Some(code))),
    }
}

/// A member's own `identifier` is taken, or a stale Seq sent with `From_Account` is refused; otherwise nobody acts as a member.
/// A reply that says nothing decides nothing: then members are tried that way, and their scenarios tell how it went.
pub async fn find_member_calls(session: &mut Session<'_>, message: &Message) -> Result<(MemberCalls, bool), ProbeError> {
    session.member_calls = MemberCalls::Identifier;
    let Some(as_identifier) = set(session, message, Caller::Sender, ("identifier", "v"), &[0]).await?.pop().flatten() else {
        return Ok((MemberCalls::Identifier, false));
    };
    let refused = as_identifier.code != 0 && (code::is_credentials(as_identifier.code) || as_identifier.code == code::INVALID);
    if !refused {
        return Ok((MemberCalls::Identifier, true));
    }
    session.member_calls = MemberCalls::FromAccount;
    let Some(second) = set(session, message, Caller::Sender, ("from-account", "v"), &[0, 0]).await?.pop().flatten() else {
        return Ok((MemberCalls::FromAccount, false));
    };
    if !conflicts(&second) {
        return Ok((MemberCalls::Nobody, true));
    }
    // Where an admin's Seq is checked as well, a conflict does not show that a member called.
    let of_admin = set(session, message, Caller::Admin, ("from-account", "v"), &[0]).await?.pop().flatten();
    let is_anybodys = of_admin.is_some_and(|reply| conflicts(&reply));
    Ok((if is_anybodys { MemberCalls::Nobody } else { MemberCalls::FromAccount }, true))
}

fn conflicts(reply: &Reply) -> bool {
    reply.results.iter().flatten().any(|result| result.code == code::SEQ_CONFLICT)
}

/// A read that is lost decides nothing: then that way is tried, and what it is needed for tells how it went. Which of a set and
/// a read is wrong, where they differ, shows where another way to read agrees with the set.
async fn find_read_back(session: &Session<'_>, message: &Message, written: Option<&WrittenPair>) -> ReadBack {
    let get = by_get(session, message, written).await;
    if matches!(get, ReadTrial::True | ReadTrial::Unknown(_)) {
        return ReadBack::Get;
    }
    let is_told = matches!(get, ReadTrial::Untrue(_));
    if session.member_calls == MemberCalls::Nobody {
        return if is_told { ReadBack::Get } else { ReadBack::Impossible };
    }
    match by_refusal(session, message, written).await {
        ReadTrial::True => ReadBack::Member,
        _ if is_told => ReadBack::Get,
        trial => trial.or_untrue(ReadBack::Member),
    }
}

pub async fn by_get(session: &Session<'_>, message: &Message, written: Option<&WrittenPair>) -> ReadTrial {
    ReadTrial::of(Line::open(session, "probe").pairs(message).await, written)
}

/// By a member's set with a Seq that cannot match.
pub async fn by_refusal(session: &Session<'_>, message: &Message, written: Option<&WrittenPair>) -> ReadTrial {
    let mut line = Line::open(session, "read back");
    let pair = ReadyPair::new(WRITTEN.0, "peek", Seq::Number(UNREACHABLE_SEQ));
    let call = ReadyCall::set(Caller::Sender, DEFAULT_MESSAGE, vec![pair]);
    let composed = line.composer().call(&call, message, &Memory::default(), &mut line.random);
    let exchange = line.exchange(composed.request, true).await;
    ReadTrial::of(told_by_conflict(&[WRITTEN.0.to_owned()], &line.exchanges[exchange].outcome), written)
}

/// Sets a key of its own with these Seqs, one after another; `None` for a reply that says nothing.
async fn set(
    session: &Session<'_>,
    message: &Message,
    caller: Caller,
    (key, value): (&str, &str),
    seqs: &[i64],
) -> Result<Vec<Option<Reply>>, ProbeError> {
    let mut line = Line::open(session, "probe");
    let mut replies = Vec::new();
    for seq in seqs {
        let call = ReadyCall::set(caller, DEFAULT_MESSAGE, vec![ReadyPair::new(key, value, Seq::Number(*seq))]);
        let composed = line.composer().call(&call, message, &Memory::default(), &mut line.random);
        let exchange = line.exchange(composed.request, true).await;
        match &line.exchanges[exchange].outcome {
            Outcome::Lost(loss @ Loss::NotConnected(_)) => {
                return Err(ProbeError::Unreachable { loss: loss.clone(), call: called(session, call::PATH) });
            }
            Outcome::Lost(_) => replies.push(None),
            Outcome::Replied(http) => replies.push(decode(&http.body).0),
        }
    }
    Ok(replies)
}

/// A call as an error names it: its method and its URL, without the query.
pub fn called(session: &Session<'_>, path: &str) -> String {
    format!("POST {}", session.client.url_of(path))
}

/// A message to try things on. A failure is told by its cause: no connection, refused credentials, or no messages.
pub async fn message(line: &mut Line<'_>) -> Result<Message, ProbeError> {
    let why = match line.message(MessageKind::Sent).await {
        Ok(message) => return Ok(message),
        Err(why) => why,
    };
    let session = line.session;
    let Some(exchange) = line.exchanges.last() else { return Err(ProbeError::NoMessage(why)) };
    let call = called(session, SEND_PATH);
    match &exchange.outcome {
        Outcome::Lost(loss) => Err(ProbeError::Unreachable { loss: loss.clone(), call }),
        // One who is no admin may well make the call that is to be tested, as a member.
        Outcome::Replied(http) if let Some(reply) = decode(&http.body).0.filter(|reply| code::is_not_admin(reply.code)) => {
            Err(ProbeError::Credentials { code: reply.code, info: reply.info, call })
        }
        // Whether it is the credentials or the call that is not taken is told by the call that is to be tested.
        Outcome::Replied(_) => Err(credentials(session).await.err().unwrap_or(ProbeError::NoMessages { why, call })),
    }
}

/// Whether the call that is tested is answered, and not for who calls: tried on a message that there is not.
pub async fn credentials(session: &Session<'_>) -> Result<Option<Reply>, ProbeError> {
    let mut line = Line::open(session, "credentials");
    let message = line.message(MessageKind::Missing).await.map_err(ProbeError::NoMessage)?;
    let call = ReadyCall::set(Caller::Admin, DEFAULT_MESSAGE, vec![ReadyPair::new(WRITTEN.0, WRITTEN.1, Seq::Number(0))]);
    let composed = line.composer().call(&call, &message, &Memory::default(), &mut line.random);
    let exchange = line.exchange(composed.request, true).await;
    let call = called(session, call::PATH);
    match &line.exchanges[exchange].outcome {
        Outcome::Lost(loss) => Err(ProbeError::Unreachable { loss: loss.clone(), call }),
        Outcome::Replied(http) => match decode(&http.body).0 {
            Some(reply) if reply.code == code::NO_PLAN => Err(ProbeError::NoPlan { info: reply.info, call }),
            Some(reply) if code::is_credentials(reply.code) => {
                Err(ProbeError::Credentials { code: reply.code, info: reply.info, call })
            }
            None => Err(no_api(http, call)),
            reply => Ok(reply),
        },
    }
}

fn no_api(http: &HttpReply, call: String) -> ProbeError {
    let page = String::from_utf8_lossy(&http.body);
    let told = format!("HTTP {}, {}", http.status, title(&page));
    let advice = if page.contains(NO_CLIENT_CERTIFICATE) {
        "it asks for a certificate of ours: `client-certificate` of a target file"
    } else {
        NO_API
    };
    ProbeError::NoApi { told, call, advice }
}

/// What a page says it is, or its beginning.
fn title(page: &str) -> String {
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title);
    let words = title.unwrap_or(page).split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { "an empty body".to_owned() } else { words.chars().take(MOST_TOLD_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Extension, KeyResult};

    fn reply(code: i64, of_key: i64, value: &str) -> Reply {
        let extension = Extension { key: "admin".into(), value: value.into(), seq: 1 };
        Reply { code, ..Reply::accepted(Some(vec![KeyResult { code: of_key, extension }])) }
    }

    fn pairs(value: &str) -> Pairs {
        Pairs::from([("admin".to_owned(), (value.to_owned(), 1))])
    }

    #[test]
    fn a_read_is_true_where_it_tells_what_was_set_and_untrue_where_it_tells_another_value_or_none() {
        let written = WrittenPair::of(&reply(0, 0, "v"));
        assert_eq!(ReadTrial::of(Ok(pairs("v")), written.as_ref()), ReadTrial::True);
        for untrue in [pairs("peek"), Pairs::new()] {
            let trial = ReadTrial::of(Ok(untrue.clone()), written.as_ref());
            assert!(matches!(trial, ReadTrial::Untrue(_)), "{untrue:?}");
            assert_eq!(trial.or_untrue(ReadBack::Member), ReadBack::Untrue);
        }
        // What a target has made of the value, and said so, is what it holds.
        let changed = WrittenPair::of(&reply(0, 0, "V"));
        assert_eq!(ReadTrial::of(Ok(pairs("V")), changed.as_ref()), ReadTrial::True);
    }

    #[test]
    fn nothing_is_said_of_a_read_where_no_set_was_taken_or_the_read_was_lost() {
        for refused in [reply(10004, 0, "v"), reply(0, 23001, "v")] {
            assert_eq!(WrittenPair::of(&refused), None);
        }
        let lost = ReadTrial::of(Err(ReadError::Lost(Loss::TimedOut)), WrittenPair::of(&reply(0, 0, "v")).as_ref());
        for trial in [lost, ReadTrial::of(Ok(pairs("w")), None)] {
            assert!(matches!(trial, ReadTrial::Unknown(_)), "{trial:?}");
            assert_eq!(trial.or_untrue(ReadBack::Member), ReadBack::Member);
        }
    }

    #[test]
    fn a_page_is_told_by_its_title_or_its_beginning() {
        assert_eq!(title("<html><head><title>404 Not\nFound</title></head>"), "404 Not Found");
        assert_eq!(title(" plain  words "), "plain words");
        assert_eq!(title(""), "an empty body");
    }
}
