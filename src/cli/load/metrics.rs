//! `--metrics`: what a run has come to until now, for whoever scrapes it, and as a page for whoever looks.

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

use crate::drive::load::run::SoFar;
use crate::judge::load::measured::{Connections, Measured, MeasuredSecond};
use crate::judge::load::tally::Tally;
use crate::report::load::SecondFigures;
use crate::report::load::live::{self, LoadSoFar};
use crate::report::load::openmetrics::{CONTENT_TYPE as OPENMETRICS, Snapshot, write};
use crate::report::{Report, html};

const HTML: &str = "text/html; charset=utf-8";
const EVENTS: &str = "text/event-stream";
/// For so many seconds the page is made anew each second, and for as many more every other.
const OFTEN: usize = 600;
/// What tells a page that nothing more will come.
const END: &[u8] = b"event: end\ndata:\n\n";

type MetricsBody = UnsyncBoxBody<Bytes, Infallible>;

/// Pages that are made anew each second, and served until their runtime ends.
pub struct Metrics {
    pub address: SocketAddr,
    shown: Arc<Showing>,
    /// Phases of plans that are over: counters must not go back.
    over: Vec<(String, Tally)>,
    connections: Connections,
    seconds: Vec<SecondFigures>,
    begun: Report,
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

impl Metrics {
    /// Serves a run of which nothing is known but how it has begun.
    pub fn serve(address: SocketAddr, runtime: &Runtime, begun: Report) -> io::Result<Metrics> {
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let shown = Arc::new(Showing {
            metrics: Mutex::new(Bytes::from_static(b"# EOF\n")),
            report: Mutex::new(begun.clone()),
            is_wanted: AtomicBool::new(false),
            event: watch::Sender::new(Bytes::new()),
        });
        let metrics = Metrics {
            address: listener.local_addr()?,
            shown: Arc::clone(&shown),
            over: Vec::new(),
            connections: Connections::default(),
            seconds: Vec::new(),
            begun,
        };
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
        Ok(metrics)
    }

    /// Takes in a second, which was over so long after the start, and makes the pages anew.
    pub fn update(&mut self, so_far: &SoFar<'_>, elapsed: Duration, second: &Tally) {
        let at_s = elapsed.as_secs().saturating_sub(1);
        self.seconds.push(SecondFigures::new(&MeasuredSecond::new(at_s, second)));
        let phases: Vec<(&str, &Tally)> = self.over.iter().map(|(name, tally)| (name.as_str(), tally)).collect();
        let begun = so_far.plan.phases.iter().zip(so_far.phases).filter(|(_, tally)| tally.planned > 0);
        let phases: Vec<(&str, &Tally)> =
            phases.into_iter().chain(begun.map(|(phase, tally)| (phase.name.as_str(), tally))).collect();
        let mut connections = self.connections.clone();
        so_far.connections.iter().for_each(|more| connections.add(more));
        let mut page = Vec::new();
        let snapshot = Snapshot { phases: &phases, in_flight: so_far.in_flight, connections_lost: &connections.lost };
        write(&mut page, &snapshot).expect("memory takes everything");
        *locked(&self.shown.metrics) = page.into();
        // A longer page is made less often, so that a long run costs no more than a short one.
        let is_due = self.seconds.len().is_multiple_of(1 + self.seconds.len() / OFTEN);
        if is_due && self.shown.is_wanted.load(Ordering::Relaxed) {
            let (plan, seconds) = (so_far.plan, &self.seconds[..]);
            let so_far = LoadSoFar { plan, phases: &phases, seconds, connections: &connections, elapsed };
            self.shown.show(live::build(&self.begun, &so_far));
        }
    }

    /// A plan is over, and another follows.
    pub fn keep(&mut self, trial: &Measured) {
        let phases = trial.plan.phases.iter().zip(&trial.phases);
        self.over.extend(phases.map(|(phase, measured)| (phase.name.clone(), measured.tally.clone())));
        self.connections.add(&trial.connections);
    }
}

impl Drop for Metrics {
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

    fn answer(&self, request: &Request<Incoming>) -> Response<MetricsBody> {
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
fn events(shown: watch::Receiver<Bytes>) -> MetricsBody {
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

fn whole(kind: &'static str, body: impl Into<Bytes>) -> Response<MetricsBody> {
    response(kind, Full::new(body.into()).boxed_unsync())
}

fn response(kind: &'static str, body: MetricsBody) -> Response<MetricsBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
