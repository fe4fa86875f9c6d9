//! `--metrics`: what a run has come to until now, for whoever scrapes it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::drive::load::run::SoFar;
use crate::judge::load::measured::{Connections, Measured};
use crate::judge::load::tally::Tally;
use crate::report::load::openmetrics::{CONTENT_TYPE as OPENMETRICS, Snapshot, write};

/// A page that is made anew each second, and served until its runtime ends.
pub struct Metrics {
    pub address: SocketAddr,
    page: Arc<Mutex<Bytes>>,
    /// Phases of plans that are over: counters must not go back.
    over: Vec<(String, Tally)>,
    connections: Connections,
}

impl Metrics {
    pub fn serve(address: SocketAddr, runtime: &Runtime) -> io::Result<Metrics> {
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let page = Arc::new(Mutex::new(Bytes::from_static(b"# EOF\n")));
        let metrics = Metrics {
            address: listener.local_addr()?,
            page: Arc::clone(&page),
            over: Vec::new(),
            connections: Connections::default(),
        };
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let page = Arc::clone(&page);
                let answers = service_fn(move |request| {
                    let answered = answer(&request, &page);
                    async { Ok::<_, Infallible>(answered) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answers));
            }
        });
        Ok(metrics)
    }

    /// Makes the page anew.
    pub fn update(&mut self, so_far: &SoFar<'_>) {
        let phases: Vec<(&str, &Tally)> = self.over.iter().map(|(name, tally)| (name.as_str(), tally)).collect();
        let begun = so_far.plan.phases.iter().zip(so_far.phases).filter(|(_, tally)| tally.planned > 0);
        let phases: Vec<(&str, &Tally)> =
            phases.into_iter().chain(begun.map(|(phase, tally)| (phase.name.as_str(), tally))).collect();
        let mut connections = self.connections.clone();
        so_far.connections.iter().for_each(|more| connections.add(more));
        let mut page = Vec::new();
        let snapshot = Snapshot { phases: &phases, in_flight: so_far.in_flight, connections_lost: &connections.lost };
        write(&mut page, &snapshot).expect("memory takes everything");
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page.into();
    }

    /// A plan is over, and another follows.
    pub fn keep(&mut self, trial: &Measured) {
        let phases = trial.plan.phases.iter().zip(&trial.phases);
        self.over.extend(phases.map(|(phase, measured)| (phase.name.clone(), measured.tally.clone())));
        self.connections.add(&trial.connections);
    }
}

fn answer(request: &Request<Incoming>, page: &Mutex<Bytes>) -> Response<Full<Bytes>> {
    let is_page = matches!(request.uri().path(), "/metrics" | "/");
    if !is_page || !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Full::from("GET /metrics\n"));
        *response.status_mut() = if is_page { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
        return response;
    }
    let page = page.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut response = Response::new(Full::new(page));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(OPENMETRICS));
    response
}
