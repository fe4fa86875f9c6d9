//! The endpoint in process, on wiremock, with a clock that only the run moves.

use std::sync::{Mutex, PoisonError};

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request as MockRequest, Respond, ResponseTemplate};

use crate::clock::VirtualClock;
use crate::model::{Model, Request, Setup};

/// A running endpoint; it ends when this is dropped.
pub struct Embedded {
    /// `None` only while it is dropped.
    server: Option<MockServer>,
    url: String,
}

impl Embedded {
    /// Starts an endpoint that reads its time from `clock`.
    pub async fn start(setup: Setup, clock: VirtualClock) -> Embedded {
        let server = MockServer::start().await;
        let answer = Responder { setup, model: Mutex::new(Model::new()), clock };
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Embedded { url: server.uri(), server: Some(server) }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Embedded {
    /// wiremock 0.6.5 blocks on a tokio lock when it is dropped. In a task that has used up its cooperative budget that lock
    /// is never given and the thread spins for ever; a thread outside the runtime has no budget to use up.
    fn drop(&mut self) {
        let server = self.server.take();
        std::thread::spawn(move || drop(server));
    }
}

struct Responder {
    setup: Setup,
    model: Mutex<Model>,
    clock: VirtualClock,
}

impl Respond for Responder {
    fn respond(&self, request: &MockRequest) -> ResponseTemplate {
        let request = Request {
            method: request.method.as_str(),
            path: request.url.path(),
            query: request.url.query().unwrap_or(""),
            body: &request.body,
            connection: 0,
        };
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        // A queueing limiter's delay is time of the virtual clock, which stands still while a call is answered.
        let response = model.answer(&self.setup, request, self.clock.now());
        ResponseTemplate::new(response.status).set_body_raw(response.body, response.content_type)
    }
}
