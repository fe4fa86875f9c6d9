//! A history as a file: one exchange a line, so that somebody else, or somebody later, can judge it again.
//!
//! JSON Lines, versioned: a head that says whose calls these are, and then the exchanges, in any order. No secret is in it: the
//! signature of a call is masked, and so is whatever repeats one.

pub mod har;
pub mod together;

use std::borrow::Borrow;
use std::io::{self, Write};
use std::time::Duration;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::race::Race;
use super::secrets::{MASK, Secrets, is_usersig};
use crate::api::{HttpRequest, MemberCalls};
use crate::history::{Exchange, HttpReply, Identity, Loss, Outcome};
use crate::verdict::Overall;

/// Version of the form. Grows when a field changes its meaning or goes.
pub const VERSION: u32 = 1;

/// The first line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryHead {
    /// Version of this form.
    pub version: u32,
    /// Who recorded it: `msgext 0.1.0`.
    pub generator: String,
    /// The `identifier` of the App admin.
    pub admin: String,
    /// How members call: `identifier`, `from-account` or `none`.
    pub member_calls: MemberCalls,
    /// The keys of messages that had no pair before the first of these calls. Of any other nothing is known but what was recorded.
    #[serde(default)]
    pub fresh: Vec<String>,
}

/// Every other line: one call with its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HistoryExchange")]
pub struct HistoryEntry {
    /// Tells exchanges apart.
    pub number: u32,
    pub client: u32,
    /// When the call was sent, in nanoseconds since the start of the history.
    pub sent_ns: u64,
    /// When its reply was there, or it was given up.
    pub received_ns: u64,
    pub method: String,
    pub path: String,
    /// With the signature masked.
    pub query: Vec<(String, String)>,
    pub request_body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// How the reply was lost, in words; without it there was one. Whether such a call was carried out is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// What one of several histories came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryVerdict {
    pub file: String,
    pub verdict: Overall,
    /// One line that says what decided.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
}

/// A history that was read, or the part of a file that is one.
#[derive(Debug)]
pub struct RecordedHistory {
    pub identity: Identity,
    pub fresh: Vec<String>,
    pub exchanges: Vec<Exchange>,
    /// Exchanges of the file that are no calls of this service.
    pub others: usize,
}

/// What is wrong with a file, and in which of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct HistoryError {
    pub line: usize,
    pub what: String,
}

/// Writes a history, each exchange as it comes.
pub fn write(
    out: &mut dyn Write,
    head: &HistoryHead,
    exchanges: impl IntoIterator<Item: Borrow<Exchange>>,
    mut secrets: Secrets,
) -> io::Result<()> {
    line(out, head)?;
    (0..).zip(exchanges).try_for_each(|(number, exchange)| {
        let exchange = exchange.borrow();
        secrets.learn(&exchange.request);
        line(out, &entry(number, exchange, &secrets))
    })
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

fn entry(number: u32, exchange: &Exchange, secrets: &Secrets) -> HistoryEntry {
    let request = &exchange.request;
    let text = |bytes: &[u8]| secrets.scrub(&String::from_utf8_lossy(bytes));
    let (http_status, response_body, lost) = match &exchange.outcome {
        // What came of a reply that broke off says nothing for certain.
        Outcome::Replied(reply) => {
            (Some(reply.status), Some(text(&reply.body)), reply.cut.map(|_| "the reply broke off".to_owned()))
        }
        Outcome::Lost(loss) => (None, None, Some(secrets.told(&loss.to_string()))),
    };
    let shown = |name: &str, value: &str| if is_usersig(name) { MASK.to_owned() } else { secrets.scrub(value) };
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    HistoryEntry {
        number,
        client: exchange.client,
        sent_ns: nanoseconds(exchange.sent),
        received_ns: nanoseconds(exchange.received),
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect(),
        request_body: text(&request.body),
        http_status,
        response_body,
        lost,
    }
}

/// The schema of a line of a history.
pub fn schema() -> Schema {
    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema is of use")]
    enum HistoryLine {
        Head(HistoryHead),
        Exchange(HistoryEntry),
    }
    schemars::schema_for!(HistoryLine)
}

/// What a call sends in any case, and no history has to say.
fn usual_headers() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "application/json".to_owned())]
}

/// Reads a history; the order of its exchanges is of no matter.
pub fn read(text: &str) -> Result<RecordedHistory, HistoryError> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty());
    let (line, first) = lines.next().ok_or(HistoryError { line: 1, what: "the file is empty".to_owned() })?;
    let head: HistoryHead = parsed(line, first, "the first line says whose calls these are")?;
    if head.version != VERSION {
        let what = format!("version {} of a history; this is msgext for version {VERSION}", head.version);
        return Err(HistoryError { line, what });
    }
    let mut entries: Vec<HistoryEntry> =
        lines.map(|(line, text)| parsed(line, text, "a line is one exchange")).collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.number);
    if let Some(pair) = entries.array_windows::<2>().find(|[one, other]| one.number == other.number) {
        return Err(HistoryError { line: 1, what: format!("two exchanges have the number {}", pair[0].number) });
    }
    Ok(RecordedHistory {
        identity: Identity { admin: head.admin, member_calls: head.member_calls },
        fresh: head.fresh,
        exchanges: entries.into_iter().map(exchange).collect(),
        others: 0,
    })
}

fn parsed<'t, T: Deserialize<'t>>(line: usize, text: &'t str, is: &str) -> Result<T, HistoryError> {
    serde_json::from_str(text).map_err(|error| HistoryError { line, what: format!("{error}; {is}") })
}

fn exchange(entry: HistoryEntry) -> Exchange {
    let [sent, received] = [entry.sent_ns, entry.received_ns].map(Duration::from_nanos);
    let outcome = match (entry.lost, entry.http_status, entry.response_body) {
        (None, Some(status), Some(body)) => {
            Outcome::Replied(HttpReply { status, body: body.into_bytes(), cut: None, coding: None })
        }
        (lost, ..) => Outcome::Lost(Loss::Closed(lost.unwrap_or_else(|| "no reply was recorded".to_owned()))),
    };
    let request = HttpRequest {
        method: entry.method,
        path: entry.path,
        query: entry.query,
        headers: usual_headers(),
        body: entry.request_body.into_bytes(),
    };
    Exchange { client: entry.client, request, outcome, due: sent, sent, received, retries: 0 }
}
