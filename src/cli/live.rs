//! `--metrics`: what a command has come to until now, for whoever scrapes it, and as a page for whoever looks.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::conduct::{Conduct, NO_HEADING};
use super::exit::{Failure, say};
use crate::drive::probe::Found;
use crate::report::build::begun;
use crate::report::openmetrics::{CONTENT_TYPE as OPENMETRICS, END as NO_METRICS};
use crate::report::secrets::Secrets;
use crate::report::{Report, html};

const HTML: &str = "text/html; charset=utf-8";
const EVENTS: &str = "text/event-stream";
/// What tells a page that nothing more will come.
const END: &[u8] = b"event: end\ndata:\n\n";

/// Where to look on while a command runs.
#[derive(Debug, clap::Args)]
pub struct LiveArgs {
    /// Serves the report as a live page, and its metrics in the form of OpenMetrics at /metrics, at this address while it runs;
    /// port 0 lets the system choose
    #[arg(long, value_name = "ADDR", help_heading = NO_HEADING)]
    metrics: Option<SocketAddr>,
}

/// A page that is made anew each second, and figures beside it, served until their runtime ends.
pub struct LivePage {
    shown: Arc<Showing>,
    /// What was true before anything was measured.
    pub begun: Report,
}

/// What there is to be seen.
struct Showing {
    metrics: Mutex<Bytes>,
    report: Mutex<Report>,
    /// Whether anybody ever asked for the page: until then none is made.
    is_wanted: AtomicBool,
    /// The body of the page, as an event.
    event: watch::Sender<Bytes>,
}

type LiveBody = UnsyncBoxBody<Bytes, Infallible>;

impl LiveArgs {
    /// Serves what a command has begun, where the user wants to see it.
    pub fn serve(&self, conduct: &Conduct, found: Found) -> Result<Option<LivePage>, Failure> {
        let Some(address) = self.metrics else { return Ok(None) };
        let facts = conduct.facts(Some(found), Duration::ZERO, None);
        let secrets = Secrets::of(&conduct.named.secrets(), []);
        let begun = Report { reason: format!("{} begins", conduct.command), ..begun(conduct.command, &facts, &secrets) };
        let served = LivePage::serve(address, &conduct.runtime, begun);
        let (page, address) = served.map_err(|error| Failure::could_not_test(format!("--metrics {address}: {error}")))?;
        say(format_args!("metrics: http://{address}/metrics\nlive page: http://{address}/"));
        Ok(Some(page))
    }
}

impl LivePage {
    fn serve(address: SocketAddr, runtime: &Runtime, begun: Report) -> io::Result<(LivePage, SocketAddr)> {
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let shown = Arc::new(Showing {
            metrics: Mutex::new(Bytes::from_static(NO_METRICS)),
            report: Mutex::new(begun.clone()),
            is_wanted: AtomicBool::new(false),
            event: watch::Sender::new(Bytes::new()),
        });
        let page = LivePage { shown: Arc::clone(&shown), begun };
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shown = Arc::clone(&shown);
                let answers = service_fn(move |request| {
                    let answered = shown.answer(&request);
                    async { Ok::<_, Infallible>(answered) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answers));
            }
        });
        Ok((page, address))
    }

    /// The figures from now on, as OpenMetrics text.
    pub fn tell(&self, metrics: Vec<u8>) {
        *locked(&self.shown.metrics) = metrics.into();
    }

    /// Whether anybody looks at the page.
    pub fn is_wanted(&self) -> bool {
        self.shown.is_wanted.load(Ordering::Relaxed)
    }

    /// The report from now on.
    pub fn show(&self, report: Report) {
        self.shown.show(report);
    }
}

impl Drop for LivePage {
    fn drop(&mut self) {
        self.shown.event.send_replace(Bytes::from_static(END));
    }
}

impl Showing {
    fn show(&self, report: Report) {
        if self.event.receiver_count() > 0 {
            let mut body = Vec::new();
            html::write_body(&mut body, &report).expect("memory takes everything");
            self.event.send_replace(event(&String::from_utf8_lossy(&body)));
        }
        *locked(&self.report) = report;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<LiveBody> {
        let path = request.uri().path();
        let is_known = matches!(path, "/" | "/events" | "/metrics");
        if !is_known || !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = whole("text/plain", "GET / or GET /metrics\n");
            *response.status_mut() = if is_known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
            return response;
        }
        match path {
            "/" => {
                self.is_wanted.store(true, Ordering::Relaxed);
                let report = locked(&self.report).clone();
                let mut page = Vec::new();
                html::write_live(&mut page, &report).expect("memory takes everything");
                whole(HTML, page)
            }
            "/events" => response(EVENTS, events(self.event.subscribe())),
            _ => whole(OPENMETRICS, locked(&self.metrics).clone()),
        }
    }
}

/// What is shown each time it changes; who is slow misses some, and gets the newest.
fn events(shown: watch::Receiver<Bytes>) -> LiveBody {
    let each = stream::unfold(shown, |mut shown| async move {
        shown.changed().await.ok()?;
        let event = shown.borrow_and_update().clone();
        Some((Ok(Frame::data(event)), shown))
    });
    StreamBody::new(each).boxed_unsync()
}

/// A text of several lines as one event.
fn event(text: &str) -> Bytes {
    let mut event = String::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        event.push_str("data:");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

fn whole(kind: &'static str, body: impl Into<Bytes>) -> Response<LiveBody> {
    response(kind, Full::new(body.into()).boxed_unsync())
}

fn response(kind: &'static str, body: LiveBody) -> Response<LiveBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
