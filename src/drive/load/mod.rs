//! Open-loop load: a thread a core, calls sent when they are due, every reply judged.
//!
//! [`LoadGround::prepare`] makes the messages, [`run::run`] carries out a plan on them, [`LoadGround::read_back`] looks at what is left.

mod choose;
mod clock;
mod pacer;
mod recorder;
mod render;
pub mod run;
pub mod search;
mod slots;
pub mod wire;
mod worker;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::Url;

use super::ground::{Ground, GroundError};
use super::line::Line;
use super::messages::Message;
use super::stop::Stop;
use super::target::ReadBack;
use crate::api::MemberCalls;
use crate::judge::load::findings::Findings;
use crate::judge::load::ledger::{Difference, Ledger};
use crate::judge::load::measured;
use crate::scenario::load::Plan;
use crate::scenario::{Caller, EmbeddedSetup};
use render::Templates;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wire::{Tls, TlsSetupError};

/// More messages than this are not all read back after a run.
const MOST_READ_BACK: usize = 300;

/// Why a load run could not begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error("the plan calls as a member, and the target takes no member calls: let it call as admin (--as admin)")]
    NoMembers,
    #[error(
        "{needed} file descriptors are needed for {connections} connections, and the system allows {allowed}: raise the limit (ulimit -n), or take fewer connections (--connections)"
    )]
    Descriptors { connections: u32, needed: u64, allowed: u64 },
    #[error("{host} has no address: {cause}")]
    NoAddress { host: String, cause: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
}

/// Ground for load: where the target is, and the messages that calls go to, with what is known of them.
pub struct LoadGround<'a> {
    pub ground: Ground<'a>,
    url: &'a Url,
    address: SocketAddr,
    messages: Vec<Message>,
    /// One for each worker; they go from run to run.
    ledgers: Vec<Ledger>,
    templates: Arc<Templates>,
}

impl<'a> LoadGround<'a> {
    /// Makes as many messages as the plan wants. The ground's target is at `url`.
    pub async fn prepare(
        ground: Ground<'a>,
        url: &'a Url,
        plan: &Plan,
        threads: u32,
        stop: &Stop,
    ) -> Result<LoadGround<'a>, LoadError> {
        let address = address(url)?;
        let callers = callers(plan);
        if ground.found.member_calls == MemberCalls::Nobody && callers.iter().any(|caller| caller.is_member()) {
            return Err(LoadError::NoMembers);
        }
        let messages = ground.messages(plan.messages.get() as usize, stop).await?;
        let keys = plan.traffics().map(|traffic| traffic.keys).max().unwrap_or(1);
        let ledger = |number| Ledger::new(messages.len(), keys as usize, u64::from(number), u64::from(threads));
        let ledgers = (0..threads).map(ledger).collect();
        let templates = Arc::new(templates(&ground, url, &callers, &messages).await);
        Ok(LoadGround { ground, url, address, messages, ledgers, templates })
    }

    pub fn threads(&self) -> usize {
        self.ledgers.len()
    }

    /// How connections are secured, where the target's URL asks for it.
    fn tls(&self) -> Result<Option<Tls>, LoadError> {
        if self.url.scheme() != "https" {
            return Ok(None);
        }
        let host = self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Some(Tls::of_system(&host)?))
    }

    /// Reads messages back and compares them with what was acknowledged; `None` where the target has no way to read one back.
    pub async fn read_back(&self, findings: &mut Findings, stop: &Stop) -> Option<measured::ReadBackCount> {
        if self.ground.found.read_back != ReadBack::Get {
            return None;
        }
        let step = self.messages.len().div_ceil(MOST_READ_BACK).max(1);
        let asked = self.messages.iter().enumerate().step_by(step);
        let told = self.ground.read_back(asked.clone(), stop).await;
        let mut count = measured::ReadBackCount { messages: self.messages.len(), ..Default::default() };
        let left = asked.len() - told.len();
        if left > 0 {
            count.unread.insert("the run was ended before".to_owned(), left);
        }
        for (index, pairs) in told {
            let pairs = match pairs {
                Ok(pairs) => pairs,
                Err(why) => {
                    *count.unread.entry(why.to_string()).or_default() += 1;
                    continue;
                }
            };
            count.read += 1;
            let mut differences: Vec<Difference> = Vec::new();
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let pairs: Vec<(&str, &str, i64)> =
                pairs.iter().map(|(key, (value, seq))| (key.as_str(), value.as_str(), *seq)).collect();
            self.ledgers[index % self.ledgers.len()].compare(number, &pairs, &mut differences);
            for difference in &mut differences {
                difference.subject = format!("message {}: {}", index + 1, difference.subject);
            }
            findings.take(&mut differences, None, || None);
        }
        Some(count)
    }
}

/// Descriptors beside those of a run's connections: files, timers, the connections of the probe.
const OTHER_DESCRIPTORS: u64 = 100;

/// Makes room for so many connections, of each so many ends, where the system lets this process raise its own limit.
pub fn make_room(connections: u32, ends: u64) -> Result<(), LoadError> {
    let needed = u64::from(connections) * ends + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(limit.maximum.map_or(needed, |most| most.min(needed))), ..limit };
    // What counts is what is allowed afterwards.
    let _ = setrlimit(Resource::Nofile, raised);
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(LoadError::Descriptors { connections, needed, allowed }),
        _ => Ok(()),
    }
}

/// The unchanging parts of every request.
async fn templates(ground: &Ground<'_>, url: &Url, callers: &BTreeSet<Caller>, messages: &[Message]) -> Templates {
    let (session, _launched) = ground.session(EmbeddedSetup::default()).await;
    let line = Line::open(&session, "load");
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let callers: Vec<Caller> = callers.iter().copied().collect();
    Templates::new(&line.composer(), &callers, messages, &host, url.path().trim_end_matches('/'))
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
