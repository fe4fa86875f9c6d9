//! Open-loop load: a thread a core, calls sent when they are due, every reply judged.
//!
//! [`Ground::prepare`] makes the messages, [`run::run`] carries out a plan on them, [`Ground::read_back`] looks at what is left.

pub mod choose;
pub mod clock;
pub mod render;
pub mod reply;
pub mod run;
pub mod search;
pub mod wire;
pub mod worker;

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::SystemTime;

use futures::stream::{self, StreamExt};
use reqwest::Url;
use tokio::time::Instant;

use super::client::{Client, SetupError};
use super::compose::Composer;
use super::line::{Line, Session};
use super::messages::{Message, Pool};
use super::pace::Budget;
use super::probe::{Found, ProbeError, probe};
use super::target::{Clock, MemberCalls, ReadBack, Target, TargetPlace};
use crate::judge::load::findings::Findings;
use crate::judge::load::ledger::{Difference, Ledger};
use crate::judge::load::measured;
use crate::scenario::load::Plan;
use crate::scenario::{Caller, MessageKind};
use render::Templates;
use wire::{Tls, TlsSetupError};

/// Messages that are made, or read back, at the same time.
const SIDE_BY_SIDE: usize = 16;
/// More messages than this are not all read back after a run.
const MOST_READ_BACK: usize = 300;

/// Why a load run could not begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error("{made} of {wanted} messages could be made: {why}")]
    Messages { made: usize, wanted: usize, why: String },
    #[error("the plan calls as a member, and the target takes no member calls: let it call as admin (--as admin)")]
    NoMembers,
    #[error("{host} has no address: {cause}")]
    NoAddress { host: String, cause: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
    #[error("cut short before the first call")]
    Interrupted,
}

/// A target made ready: what it takes, where it is, and the messages that calls go to, with what is known of them.
pub struct Ground<'a> {
    pub found: Found,
    target: &'a Target,
    url: &'a Url,
    address: SocketAddr,
    client: Client,
    budget: Budget,
    start: Instant,
    seed: u64,
    messages: Vec<Message>,
    /// One for each worker; they go from run to run.
    ledgers: Vec<Ledger>,
}

impl<'a> Ground<'a> {
    /// Finds out what the target takes, and makes as many messages as the plan wants, at most `budget` a second.
    pub async fn prepare(
        target: &'a Target,
        plan: &Plan,
        threads: u32,
        seed: u64,
        budget: Option<u32>,
    ) -> Result<Ground<'a>, LoadError> {
        let TargetPlace::Remote(url) = &target.place else { unreachable!("a load run's target has an address") };
        let mut ground = Ground {
            found: Found { member_calls: MemberCalls::Nobody, saw_member_calls: false, read_back: ReadBack::Impossible },
            target,
            url,
            address: address(url)?,
            client: Client::new(target.timeout)?,
            budget: Budget::per_second(budget),
            start: Instant::now(),
            seed,
            messages: Vec::new(),
            ledgers: Vec::new(),
        };
        let pool = Pool::new(&target.messages);
        let mut session = ground.session(&pool);
        let found = probe(&mut session).await?;
        (session.member_calls, session.read_back) = (found.member_calls, found.read_back);
        if found.member_calls == MemberCalls::Nobody && callers(plan).iter().any(|caller| caller.is_member()) {
            return Err(LoadError::NoMembers);
        }
        let made = made(&session, plan.messages.get() as usize).await?;
        let keys = plan.traffics().map(|traffic| traffic.keys).max().unwrap_or(1);
        ground.found = found;
        ground.ledgers =
            (0..threads).map(|number| Ledger::new(made.len(), keys as usize, u64::from(number), u64::from(threads))).collect();
        ground.messages = made;
        Ok(ground)
    }

    pub fn threads(&self) -> usize {
        self.ledgers.len()
    }

    fn session<'s>(&'s self, pool: &'s Pool) -> Session<'s> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Session {
            target: self.target,
            client: self.client.at(self.url.clone()),
            clock: Clock::Real(self.start),
            budget: &self.budget,
            pool,
            member_calls: self.found.member_calls,
            read_back: self.found.read_back,
            seed: self.seed,
            epoch: now.saturating_sub(self.start.elapsed()),
        }
    }

    /// How connections are secured, where the target's URL asks for it.
    fn tls(&self) -> Result<Option<Tls>, LoadError> {
        if self.url.scheme() != "https" {
            return Ok(None);
        }
        let host = self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Some(Tls::of_system(&host)?))
    }

    fn templates(&self, plan: &Plan) -> Templates {
        let pool = Pool::default();
        let session = self.session(&pool);
        let composer: Composer<'_> = Line::open(&session, "load").composer();
        let host = match (self.url.host_str(), self.url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let callers: Vec<Caller> = callers(plan).into_iter().collect();
        Templates::new(&composer, &callers, &self.messages, &host, self.url.path().trim_end_matches('/'))
    }

    /// Reads messages back and compares them with what was acknowledged; `None` where the target has no way to read one back.
    pub async fn read_back(&self, findings: &mut Findings) -> Option<measured::ReadBack> {
        if self.found.read_back != ReadBack::Get {
            return None;
        }
        let pool = Pool::default();
        let session = &self.session(&pool);
        let step = self.messages.len().div_ceil(MOST_READ_BACK).max(1);
        let of = self.ledgers.len();
        let read = stream::iter(self.messages.iter().enumerate().step_by(step)).map(|(index, message)| async move {
            let pairs = Line::open(session, "read back").pairs(message).await.ok()?;
            let mut differences: Vec<Difference> = Vec::new();
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let pair = |key: &str| pairs.get(key).map(|(value, seq)| (value.as_str(), *seq));
            self.ledgers[index % of].compare(number, pair, &mut differences);
            for difference in &mut differences {
                difference.subject = format!("message {}: {}", index + 1, difference.subject);
            }
            Some(differences)
        });
        let read: Vec<Option<Vec<Difference>>> = read.buffer_unordered(SIDE_BY_SIDE).collect().await;
        let count = read.iter().flatten().count();
        for mut differences in read.into_iter().flatten() {
            findings.take(&mut differences, None, || None);
        }
        Some(measured::ReadBack { read: count, messages: self.messages.len() })
    }
}

async fn made(session: &Session<'_>, wanted: usize) -> Result<Vec<Message>, LoadError> {
    let one = |index: usize| async move { Line::open(session, &format!("message {index}")).message(MessageKind::Sent).await };
    let results: Vec<_> = stream::iter(0..wanted).map(one).buffered(SIDE_BY_SIDE).collect().await;
    let made: Vec<Message> = results.iter().filter_map(|result| result.as_ref().ok().cloned()).collect();
    match results.into_iter().find_map(Result::err) {
        Some(why) => Err(LoadError::Messages { made: made.len(), wanted, why }),
        None => Ok(made),
    }
}

fn callers(plan: &Plan) -> BTreeSet<Caller> {
    plan.traffics().flat_map(|traffic| traffic.callers.iter().copied()).collect()
}

fn address(url: &Url) -> Result<SocketAddr, LoadError> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let resolved = (host.as_str(), port)
        .to_socket_addrs()
        .and_then(|mut all| all.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name resolves to nothing")));
    resolved.map_err(|cause| LoadError::NoAddress { host, cause })
}
