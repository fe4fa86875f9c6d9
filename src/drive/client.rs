//! One HTTP exchange at a time, looked at closely: no proxy, no redirect, no silent retry, nothing unbounded.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use reqwest::{Method, Url};
use rustls::{ClientConfig, InvalidMessage};
use rustls_platform_verifier::ConfigVerifierExt as _;

use crate::api::HttpRequest;
use crate::api::reply::{MAX_BODY_BYTES, coding};
use crate::history::{Cut, HttpReply, Loss, Outcome};

/// Sends requests, to wherever [`Client::at`] points it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    timeout: Duration,
}

/// A client with the address of its target. Copies of one client share its connections and its certificates.
#[derive(Clone, Debug)]
pub struct TargetClient {
    client: Client,
    base: Url,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client")]
pub enum SetupError {
    Http(#[from] reqwest::Error),
    Trust(#[from] rustls::Error),
}

/// How the connections of every mode are secured: whom the system trusts is trusted, and HTTP/1.1 is asked for.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::with_platform_verifier()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Client {
    /// `timeout` bounds an exchange from the first byte sent to the last received.
    pub fn new(timeout: Duration) -> Result<Client, SetupError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // A retry that nobody sees would make a double write look like a conflict of the target's making.
            .retry(reqwest::retry::never())
            .http1_only()
            // As on the load path: what one of them reaches, the other does.
            .http1_title_case_headers()
            .tls_backend_preconfigured(tls()?)
            .timeout(timeout)
            .connect_timeout(timeout)
            .build()?;
        Ok(Client { http, timeout })
    }

    pub fn at(&self, base: Url) -> TargetClient {
        TargetClient { client: self.clone(), base }
    }
}

impl TargetClient {
    /// The same, with no connection open yet.
    pub fn afresh(&self) -> Result<TargetClient, SetupError> {
        Ok(Client::new(self.client.timeout)?.at(self.base.clone()))
    }

    /// Sends one request and waits for what becomes of it.
    pub async fn send(&self, request: &HttpRequest) -> Outcome {
        let Some((method, url)) = self.address(request) else {
            return Outcome::Lost(Loss::NotConnected(format!(
                "{} {} is no request that can be sent",
                request.method, request.path
            )));
        };
        let mut builder = self.client.http.request(method, url);
        for (name, value) in request.sent_headers() {
            builder = builder.header(name, value);
        }
        match builder.body(request.body.clone()).send().await {
            Ok(response) => receive(response).await,
            Err(error) => Outcome::Lost(loss(&error)),
        }
    }

    fn address(&self, request: &HttpRequest) -> Option<(Method, Url)> {
        let method = Method::from_bytes(request.method.as_bytes()).ok()?;
        let mut url = self.base.clone();
        let base_path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base_path}{}", request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Some((method, url))
    }
}

async fn receive(mut response: reqwest::Response) -> Outcome {
    let status = response.status().as_u16();
    if let 502..=504 = status {
        return Outcome::Lost(Loss::Gateway(status));
    }
    let fields = response.headers().get_all(CONTENT_ENCODING);
    let coding = coding(fields.iter().map(HeaderValue::as_bytes)).map(|coding| String::from_utf8_lossy(coding).into_owned());
    let mut body = Vec::new();
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break None,
            Err(error) if error.is_timeout() => break Some(Cut::Endless),
            Err(_) => break Some(Cut::Short),
        }
        if body.len() > MAX_BODY_BYTES {
            body.truncate(MAX_BODY_BYTES);
            break Some(Cut::TooLong);
        }
    };
    Outcome::Replied(HttpReply { status, body, cut, coding })
}

fn loss(error: &reqwest::Error) -> Loss {
    if error.is_timeout() {
        return Loss::TimedOut;
    }
    let cause = root_cause(error);
    if error.is_connect() { Loss::NotConnected(cause) } else { Loss::Closed(cause) }
}

/// The innermost error, whose words never hold the URL and so never a `UserSig`.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = match error.source() {
        Some(source) => source,
        None => return "unknown cause".to_owned(),
    };
    while let Some(source) = cause.source() {
        cause = source;
    }
    if answers_without_tls(cause) {
        return "the port answers, but not in TLS: is it http:// that it speaks?".to_owned();
    }
    cause.to_string()
}

fn answers_without_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    // An I/O error does not name what it wraps as its source.
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => answers_without_tls(within),
        None => matches!(cause.downcast_ref(), Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))),
    }
}
