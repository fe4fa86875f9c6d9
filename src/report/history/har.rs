//! HAR 1.2, as browsers and proxies export it: the calls of this service in it, and the rest counted.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::{HistoryError, RecordedHistory, usual_headers};
use crate::api::message::{GET_PATH, SEND_PATH};
use crate::api::{HttpRequest, call};
use crate::history::{Exchange, HttpReply, Identity, Loss, Outcome};
use crate::report::secrets::{MASK, is_usersig};

/// Times in a HAR are told in milliseconds: each call may have begun a little later, and its reply come a little later, too.
const COARSE: Duration = Duration::from_millis(1);

/// A file that is one object with a log, where a history has a line for each of its own.
#[derive(Deserialize)]
struct Har {
    log: Option<HarLog>,
}

/// What was recorded, calls of this service and others.
#[derive(Deserialize)]
pub struct HarLog {
    entries: Vec<HarEntry>,
}

/// As it stands there: what of it is missing or odd matters only in a call of this service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    #[serde(default)]
    started_date_time: String,
    /// In milliseconds; missing or -1 where it is not known.
    time: Option<f64>,
    request: HarRequest,
    response: Option<HarResponse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    post_data: Option<HarText>,
    /// -1 where it is not known.
    body_size: Option<i64>,
}

#[derive(Deserialize)]
struct HarResponse {
    /// 0 where none came.
    status: i64,
    content: Option<HarText>,
}

#[derive(Deserialize)]
struct HarText {
    #[serde(default)]
    text: String,
    encoding: Option<String>,
}

impl HarText {
    fn bytes(&self) -> Option<Vec<u8>> {
        match self.encoding.as_deref() {
            Some("base64") => STANDARD.decode(&self.text).ok(),
            _ => Some(self.text.clone().into_bytes()),
        }
    }
}

/// One call of this service, as far as its entry tells when it was.
struct HarCall<'a> {
    entry: &'a HarEntry,
    url: Url,
    path: &'static str,
    started: Timestamp,
    took: Option<Duration>,
}

/// The log of a HAR; `None` for a file that is none, and perhaps a history.
pub fn parse(text: &str) -> Result<Option<HarLog>, HistoryError> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Har>();
    match values.next() {
        Some(Ok(Har { log: Some(log) })) => match text[values.byte_offset()..].trim() {
            "" => Ok(Some(log)),
            _ => Err(HistoryError { line: 1, what: "something follows the log of this HAR".to_owned() }),
        },
        Some(Err(error)) if error.is_data() => {
            Err(HistoryError { line: error.line(), what: format!("{error}; this is no HAR 1.2") })
        }
        _ => Ok(None),
    }
}

impl HarLog {
    /// The calls of this service, whose callers a HAR does not tell: `identity` says who they are.
    pub fn history(self, identity: Identity) -> Result<RecordedHistory, HistoryError> {
        let calls = (1..).zip(&self.entries).filter_map(|(number, entry)| {
            let told = |what| HistoryError { line: 1, what: format!("entry {number} of its log {what}") };
            entry.call().map(|call| call.map_err(told))
        });
        let calls: Vec<HarCall<'_>> = calls.collect::<Result<_, _>>()?;
        let start = calls.iter().map(|call| call.started).min().unwrap_or_default();
        let end = calls.iter().map(|call| call.sent(start) + call.took.unwrap_or_default()).max().unwrap_or_default();
        let exchanges = calls.iter().map(|call| call.exchange(start, end)).collect();
        Ok(RecordedHistory { identity, fresh: Vec::new(), others: self.entries.len() - calls.len(), exchanges })
    }
}

impl HarEntry {
    /// `None` if it is no call of this service; or what keeps it from being judged, and with it every other on its message.
    fn call(&self) -> Option<Result<HarCall<'_>, String>> {
        let url = Url::parse(&self.request.url).ok()?;
        // A gateway may have a path before the service's own.
        let path = [call::PATH, GET_PATH, SEND_PATH].into_iter().find(|path| url.path().ends_with(path))?;
        let kept = self.request.post_data.as_ref().map_or(0, |body| body.text.len());
        if usize::try_from(self.request.body_size.unwrap_or(-1)).is_ok_and(|size| kept < size) {
            return Some(Err("does not hold what was sent: record it with the bodies of requests".to_owned()));
        }
        let Ok(started) = self.started_date_time.parse() else {
            return Some(Err(format!("has the startedDateTime {:?}, which is no time with a zone", self.started_date_time)));
        };
        let took = self.time.and_then(|time| Duration::try_from_secs_f64(time / 1000.0).ok());
        Some(Ok(HarCall { entry: self, url, path, started, took }))
    }
}

impl HarCall<'_> {
    fn sent(&self, start: Timestamp) -> Duration {
        Duration::try_from(self.started.duration_since(start)).unwrap_or_default()
    }

    /// Of a reply of which nobody knows when it came it is known that it came before the record was made.
    fn exchange(&self, start: Timestamp, end: Duration) -> Exchange {
        let HarEntry { request, response, .. } = self.entry;
        let sent = self.sent(start);
        let body = |text: &Option<HarText>| text.as_ref().and_then(HarText::bytes);
        let replied = response.as_ref().and_then(|response| {
            let status = u16::try_from(response.status).ok().filter(|status| *status > 0)?;
            Some(HttpReply { status, body: body(&response.content)?, cut: None, coding: None })
        });
        let lost = || Outcome::Lost(Loss::Closed("no reply was recorded".to_owned()));
        let masked = |name: &str, value: &str| if is_usersig(name) { MASK.to_owned() } else { value.to_owned() };
        Exchange {
            client: 0,
            request: HttpRequest {
                method: request.method.clone(),
                path: self.path.to_owned(),
                query: self.url.query_pairs().map(|(name, value)| (name.to_string(), masked(&name, &value))).collect(),
                headers: usual_headers(),
                body: body(&request.post_data).unwrap_or_default(),
            },
            outcome: replied.map_or_else(lost, Outcome::Replied),
            due: sent,
            sent,
            received: self.took.map_or(end, |took| sent + took) + 2 * COARSE,
            retries: 0,
        }
    }
}
