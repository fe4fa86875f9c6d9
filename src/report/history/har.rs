//! HAR 1.2, as browsers and proxies export it: the calls of this service in it, and the rest counted.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use super::{HistoryError, RecordedHistory, usual_headers};
use crate::api::message::{GET_PATH, SEND_PATH};
use crate::api::{HttpRequest, call};
use crate::history::Identity;
use crate::history::{Exchange, HttpReply, Loss, Outcome};
use crate::report::secrets::{MASK, is_usersig};

/// Times in a HAR are told in milliseconds: each call may have begun a little later, and its reply come a little later, too.
const COARSE: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
struct Har {
    log: HarLog,
}

#[derive(Deserialize)]
struct HarLog {
    entries: Vec<HarEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    #[serde(deserialize_with = "timestamp")]
    started_date_time: Timestamp,
    /// In milliseconds; -1 where it is not known.
    #[serde(default)]
    time: f64,
    request: HarRequest,
    response: HarResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    #[serde(default)]
    post_data: Option<HarText>,
}

#[derive(Deserialize)]
struct HarResponse {
    /// 0 where none came.
    status: i64,
    #[serde(default)]
    content: Option<HarText>,
}

#[derive(Deserialize)]
struct HarText {
    #[serde(default)]
    text: String,
    #[serde(default)]
    encoding: Option<String>,
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

impl HarText {
    fn bytes(&self) -> Option<Vec<u8>> {
        match self.encoding.as_deref() {
            Some("base64") => STANDARD.decode(&self.text).ok(),
            _ => Some(self.text.clone().into_bytes()),
        }
    }
}

/// Whether a file is one: a single object with a log, where a history has a line for each.
pub fn is_har(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Top {
        #[expect(dead_code, reason = "it only has to be there")]
        log: serde::de::IgnoredAny,
    }
    serde_json::from_str::<Top>(text).is_ok()
}

/// Reads the calls of this service, whose callers a HAR does not tell: `identity` says who they are.
pub fn read(text: &str, identity: Identity) -> Result<RecordedHistory, HistoryError> {
    let har: Har = serde_json::from_str(text)
        .map_err(|error| HistoryError { line: error.line(), what: format!("{error}; this is no HAR 1.2") })?;
    let start = har.log.entries.iter().map(|entry| entry.started_date_time).min().unwrap_or_default();
    let all = har.log.entries.len();
    let exchanges: Vec<Exchange> = har.log.entries.iter().filter_map(|entry| exchange(entry, start)).collect();
    Ok(RecordedHistory { identity, fresh: Vec::new(), others: all - exchanges.len(), exchanges })
}

fn exchange(entry: &HarEntry, start: Timestamp) -> Option<Exchange> {
    let url = Url::parse(&entry.request.url).ok()?;
    // A gateway may have a path before the service's own.
    let path = [call::PATH, GET_PATH, SEND_PATH].into_iter().find(|path| url.path().ends_with(path))?;
    let sent = Duration::try_from(entry.started_date_time.duration_since(start)).unwrap_or_default();
    let took = Duration::try_from_secs_f64(entry.time / 1000.0).unwrap_or_default();
    let body = |text: &Option<HarText>| text.as_ref().and_then(HarText::bytes);
    let outcome = match (u16::try_from(entry.response.status), body(&entry.response.content)) {
        (Ok(status @ 1..), Some(body)) => Outcome::Replied(HttpReply { status, body, cut: None, coding: None }),
        _ => Outcome::Lost(Loss::Closed("no reply was recorded".to_owned())),
    };
    let masked = |name: &str, value: &str| if is_usersig(name) { MASK.to_owned() } else { value.to_owned() };
    let request = HttpRequest {
        method: entry.request.method.clone(),
        path: path.to_owned(),
        query: url.query_pairs().map(|(name, value)| (name.to_string(), masked(&name, &value))).collect(),
        headers: usual_headers(),
        body: body(&entry.request.post_data).unwrap_or_default(),
    };
    Some(Exchange { client: 0, request, outcome, due: sent, sent, received: sent + took + 2 * COARSE, retries: 0 })
}
