//! An open line to the target: what it takes to send anything to it, recorded exchange by exchange.

use std::time::Duration;

use serde_json::Value;

use super::client::TargetClient;
use super::compose::Composer;
use super::messages::{self, Message, Pool};
use super::pace::Budget;
use super::readback::{Pages, ReadError};
use super::target::{Clock, MessageSource, ReadBack, Target};
use crate::api::MemberCalls;
use crate::api::message::{GET_PATH, SEND_PATH, decode_send, get_body};
use crate::api::{HttpRequest, code, reply};
use crate::history::{Exchange, Loss, Outcome};
use crate::judge::conform::pairs::Pairs;
use crate::random::Random;
use crate::scenario::{Caller, MessageKind};

/// The documentation's 10002 says "try again": so often, with these pauses before each. A target that answers so to one call in ten
/// does so by chance to one in ten thousand four times in a row, and a run has more calls than that.
const INTERNAL_ERROR_PAUSES_MS: [u64; 5] = [50, 100, 200, 500, 1000];
/// A full second after the app's limit refused a call, the same call is within the limit again.
const APP_LIMIT_PAUSES: [Duration; 2] = [Duration::from_millis(1100), Duration::from_millis(2100)];

/// So often a call whose connection ended is sent again, before that is the target's answer.
const CLOSED_AGAIN: usize = 2;

/// Where a scenario runs.
pub struct Session<'a> {
    pub target: &'a Target,
    pub client: TargetClient,
    pub clock: Clock,
    pub budget: &'a Budget,
    pub pool: &'a Pool,
    pub member_calls: MemberCalls,
    pub read_back: ReadBack,
    pub seed: u64,
    pub keeps_exchanges: bool,
    /// Seconds since 1970 at the clock's zero.
    pub epoch: Duration,
}

/// One scenario's, or the probe's, dealings with the target.
pub struct Line<'a> {
    pub session: &'a Session<'a>,
    pub random: Random,
    pub exchanges: Vec<Exchange>,
    /// How often the target answered 10002.
    pub internal_errors: u32,
}

impl<'a> Line<'a> {
    pub fn open(session: &'a Session<'a>, name: &str) -> Line<'a> {
        Line { session, random: Random::named(session.seed, name), exchanges: Vec::new(), internal_errors: 0 }
    }

    pub fn composer(&self) -> Composer<'a> {
        let target = self.session.target;
        Composer {
            app: &target.app,
            without_plan: target.without_plan.as_ref(),
            accounts: &target.accounts,
            member_calls: self.session.member_calls,
            now_s: (self.session.epoch + self.session.clock.now()).as_secs(),
        }
    }

    /// A fresh message, or in words why there is none.
    pub async fn message(&mut self, kind: MessageKind) -> Result<Message, String> {
        let random = self.random.next_u32();
        let accounts = &self.session.target.accounts;
        let Some(send) = messages::send_of(kind, accounts, random) else {
            let (from, to) = (Some(accounts.sender.clone()), accounts.recipient.clone());
            return Ok(Message { from, to, msg_key: messages::missing_key(random) });
        };
        let msg_key = match &self.session.target.messages {
            MessageSource::Listed(_) if send.from.is_none() => {
                Err("the target's list has no message of the admin's own".to_owned())
            }
            MessageSource::Listed(_) => self.session.pool.take(send.supports_extension),
            MessageSource::Command(command) => messages::by_command(command, &send, self.session.target.timeout).await,
            MessageSource::SendMsg => {
                let request = self.composer().plain(SEND_PATH, Caller::Admin, &send.to_json(), &mut self.random);
                let exchange = self.exchange(request, true).await;
                let made = match &self.exchanges[exchange].outcome {
                    Outcome::Replied(reply) => decode_send(&reply.body, reply.coding.as_deref()),
                    Outcome::Lost(loss) => Err(loss.to_string()),
                };
                self.let_go(exchange);
                made
            }
        };
        let msg_key = msg_key.map_err(|why| format!("no message could be made: {why}"))?;
        Ok(Message { from: send.from, to: send.to, msg_key })
    }

    /// All pairs of a message by `get_key_values`, or why they are unknown.
    pub async fn pairs(&mut self, message: &Message) -> Result<Pairs, ReadError> {
        let mut pages = Pages::default();
        loop {
            let request = self.get(message, pages.start_seq());
            let exchange = self.exchange(request, true).await;
            let taken = pages.take(&self.exchanges[exchange].outcome);
            self.let_go(exchange);
            if let Some(pairs) = taken? {
                return Ok(pairs);
            }
        }
    }

    /// A call that changes nothing: `get_key_values` from this Seq on.
    pub fn get(&mut self, message: &Message, start_seq: i64) -> HttpRequest {
        let body: Value = get_body(message.from.as_deref(), &message.to, &message.msg_key, start_seq);
        self.composer().plain(GET_PATH, Caller::Admin, &body, &mut self.random)
    }

    /// Sends a request when the budget lets it, and again where the documentation invites that. Gives the exchange's index.
    pub async fn exchange(&mut self, request: HttpRequest, waits_for_app_limit: bool) -> usize {
        self.session.budget.turn().await;
        let first = self.once(&request, 0).await;
        self.settle(first, waits_for_app_limit).await
    }

    /// Sends an exchange's request again for as long as its reply invites that, and records each. Gives the last one's index.
    pub async fn settle(&mut self, mut exchange: Exchange, waits_for_app_limit: bool) -> usize {
        let mut internal = INTERNAL_ERROR_PAUSES_MS.map(Duration::from_millis).into_iter();
        let mut throttled = APP_LIMIT_PAUSES.into_iter();
        loop {
            let pause = match top_code(&exchange.outcome) {
                Some(code::INTERNAL) => {
                    self.internal_errors += 1;
                    internal.next()
                }
                Some(code) if code::is_app_limit(code) && waits_for_app_limit => throttled.next(),
                _ => None,
            };
            self.exchanges.push(exchange);
            let index = self.exchanges.len() - 1;
            let Some(pause) = pause else { return index };
            self.let_go(index);
            self.session.clock.wait(pause).await;
            self.session.budget.turn().await;
            let before = &self.exchanges[index];
            exchange = Exchange { retries: before.retries + 1, ..self.once(&before.request, before.client).await };
        }
    }

    /// What a reply said is known: no more of it is kept than is ever shown, or recorded.
    pub fn let_go(&mut self, exchange: usize) {
        if self.session.keeps_exchanges {
            return;
        }
        if let Outcome::Replied(reply) = &mut self.exchanges[exchange].outcome {
            reply.let_go();
        }
    }

    /// Whether the connection ends without a reply each time that an exchange's request is sent, always over a connection of its
    /// own, while another call is answered before and after.
    pub async fn closes_each_time(&mut self, exchange: usize, message: &Message) -> bool {
        let request = self.exchanges[exchange].request.clone();
        for _ in 0..CLOSED_AGAIN {
            let Ok(client) = self.session.client.afresh() else { return false };
            if !self.is_answered(message).await {
                return false;
            }
            self.session.budget.turn().await;
            let again = self.once_by(&client, &request, 0).await;
            let is_closed = matches!(again.outcome, Outcome::Lost(Loss::Closed(_)));
            self.exchanges.push(again);
            if !is_closed {
                return false;
            }
        }
        self.is_answered(message).await
    }

    /// Whether a call that changes nothing is answered, however.
    async fn is_answered(&mut self, message: &Message) -> bool {
        let request = self.get(message, 0);
        let exchange = self.exchange(request, true).await;
        matches!(self.exchanges[exchange].outcome, Outcome::Replied(_))
    }

    /// Sends a request now, once, as this one of the clients that send at the same time; the caller records it.
    pub async fn once(&self, request: &HttpRequest, client: u32) -> Exchange {
        self.once_by(&self.session.client, request, client).await
    }

    async fn once_by(&self, sender: &TargetClient, request: &HttpRequest, client: u32) -> Exchange {
        let sent = self.session.clock.now();
        let outcome = sender.send(request).await;
        let received = self.session.clock.now();
        Exchange { client, request: request.clone(), outcome, due: sent, sent, received, retries: 0 }
    }
}

/// The top-level code of a reply, where there is one.
fn top_code(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Replied(http) => reply::top_code(&http.body),
        Outcome::Lost(_) => None,
    }
}
