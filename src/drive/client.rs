//! One HTTP exchange at a time, looked at closely: no proxy of the environment's, no redirect, no silent retry, nothing unbounded.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONNECTION, CONTENT_ENCODING, DATE, HeaderValue};
use reqwest::{Method, Proxy, Url};
use rustls::{AlertDescription, ClientConfig, InvalidMessage};

use super::reach::Reach;
use super::route::{Route, Way};
use crate::api::HttpRequest;
use crate::api::reply::{MAX_BODY_BYTES, coding};
use crate::history::{Cut, HttpReply, Loss, Outcome};

/// Sends requests, to wherever [`Client::at`] points it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    timeout: Duration,
    route: Arc<Route>,
    /// Where the target has a name.
    reach: Option<Reach>,
    tls: ClientConfig,
}

/// A client with the address of its target. Copies of one client share its connections.
#[derive(Clone, Debug)]
pub struct TargetClient {
    client: Client,
    /// What is dialled.
    base: Url,
    /// Where the URL that is dialled does not say it.
    host: Option<String>,
    /// Each call is the only one of its connection.
    closes: bool,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client")]
pub enum SetupError {
    Http(#[from] reqwest::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Client {
    /// `timeout` bounds an exchange from the first byte sent to the last received.
    pub fn new(timeout: Duration, way: Option<&Way>) -> Result<Client, SetupError> {
        let route = way.map(|way| Arc::clone(&way.route)).unwrap_or_default();
        let reach = way.map(|way| Reach::new(way.next(), timeout));
        let tls = route.tls()?;
        Ok(Client { http: http(timeout, &route, reach.clone(), tls.clone())?, timeout, route, reach, tls })
    }

    /// It has to be the client's own.
    pub fn at(&self, way: &Way) -> TargetClient {
        let host = way.route.connect_to.is_some().then(|| way.host_header());
        TargetClient { client: self.clone(), base: way.dialled(), host, closes: false }
    }
}

fn http(timeout: Duration, route: &Route, reach: Option<Reach>, tls: ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // A retry that nobody sees would make a double write look like a conflict of the target's making.
        .retry(reqwest::retry::never())
        .http1_only()
        // As on the load path: what one of them reaches, the other does.
        .http1_title_case_headers()
        .tls_backend_preconfigured(tls)
        .timeout(timeout)
        .connect_timeout(timeout);
    let builder = match reach {
        Some(reach) => builder.dns_resolver(reach),
        None => builder,
    };
    match &route.proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy.clone())?).build(),
        None => builder.build(),
    }
}

impl TargetClient {
    /// The same, with no connection open yet.
    pub fn afresh(&self) -> Result<TargetClient, SetupError> {
        let Client { timeout, route, reach, tls, .. } = self.client.clone();
        let client = Client { http: http(timeout, &route, reach.clone(), tls.clone())?, timeout, route, reach, tls };
        Ok(TargetClient { client, base: self.base.clone(), host: self.host.clone(), closes: self.closes })
    }

    /// The same, which asks for each connection to be closed after a call.
    pub fn closing(self) -> TargetClient {
        TargetClient { closes: true, ..self }
    }

    /// Sends one request and waits for what becomes of it.
    pub async fn send(&self, request: &HttpRequest) -> Outcome {
        match self.responded(request).await {
            Ok(response) => receive(response).await,
            Err(loss) => Outcome::Lost(loss),
        }
    }

    /// The same, and what the target's clock said, in seconds since 1970, where the reply has a Date.
    pub async fn send_dated(&self, request: &HttpRequest) -> (Outcome, Option<i64>) {
        match self.responded(request).await {
            Ok(response) => {
                let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
                let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
                (receive(response).await, date.map(|date| date.timestamp().as_second()))
            }
            Err(loss) => (Outcome::Lost(loss), None),
        }
    }

    async fn responded(&self, request: &HttpRequest) -> Result<reqwest::Response, Loss> {
        let Some((method, url)) = self.address(request) else {
            let told = format!("{} {} is no request that can be sent", request.method, request.path);
            return Err(Loss::NotConnected(told));
        };
        let mut builder = self.client.http.request(method, url);
        let headers = request.sent_headers(&self.client.route.sent_headers());
        let names_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        for (name, value) in
            headers.into_iter().chain(self.host.clone().filter(|_| !names_host).map(|host| ("Host".into(), host)))
        {
            builder = builder.header(name, value);
        }
        if self.closes {
            builder = builder.header(CONNECTION, "close");
        }
        builder.body(request.body.clone()).send().await.map_err(|error| loss(&error))
    }

    /// The URL of a command's path.
    pub fn url_of(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let base_path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base_path}{path}"));
        url
    }

    fn address(&self, request: &HttpRequest) -> Option<(Method, Url)> {
        let method = Method::from_bytes(request.method.as_bytes()).ok()?;
        let mut url = self.url_of(&request.path);
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
    match tls_error(cause) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "the port answers, but not in TLS: is it http:// that it speaks?".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!(
                "{cause}: its certificate is not trusted for this name (a private authority's goes into `ca` of a target file)"
            )
        }
        Some(rustls::Error::AlertReceived(alert)) if speaks_of_ours(*alert) => {
            format!("{cause}: it asks for a certificate of ours (`client-certificate` of a target file), or does not trust ours")
        }
        _ => cause.to_string(),
    }
}

fn speaks_of_ours(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::HandshakeFailure
    )
}

fn tls_error<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    // An I/O error does not name what it wraps as its source.
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => tls_error(within),
        None => cause.downcast_ref(),
    }
}
