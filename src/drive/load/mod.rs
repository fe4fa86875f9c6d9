//! Open-loop load: a thread a core, calls sent when they are due, every reply judged.
//!
//! [`LoadGround::prepare`] makes the messages, [`run::run`] carries out a plan on them, [`LoadGround::read_back`] looks at what is left.

mod choose;
mod clock;
mod offset;
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
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::compose::Composer;
use super::ground::{Ground, GroundError};
use super::messages::Message;
use super::reach::{self, ReachError};
use super::route::{HostPort, Way};
use super::stop::Stop;
use super::target::{ReadBack, Target};
use crate::api::MemberCalls;
use crate::drive::descriptors::TooFewDescriptors;
use crate::history::Exchange;
use crate::judge::load::findings::Findings;
use crate::judge::load::ledger::{Difference, Ledger};
use crate::judge::load::measured;
use crate::judge::load::shards::{ClockOffset, Shard};
use crate::scenario::Caller;
use crate::scenario::load::Plan;
use choose::Share;
use render::Templates;
use wire::{Tls, TlsSetupError};

/// Connections are opened so long before a load that is to start at a certain time: as long as they may take, and some more.
const READY_BEFORE: Duration = Duration::from_secs(6);
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
        "the target takes one call at a time, and the plan has {0} connections: --connections 1 sends over one, from one process"
    )]
    OneAtATime(NonZeroU32),
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error("it was ready {} s after it was to start (--start-at): start it sooner, or the load later", .0.as_secs_f64())]
    Late(Duration),
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
}

/// What of a plan is sent from here, and when.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Which of the plan's messages, and so of its calls.
    pub shard: Shard,
    pub threads: u32,
    /// What calls are drawn by, the same for all shards.
    pub seed: u64,
    /// When the plan's zero is, since 1970; as soon as all is ready where that is left open.
    pub start_at: Option<Duration>,
}

/// Ground for load: where the target is, and the messages that calls go to, with what is known of them.
pub struct LoadGround<'a> {
    pub ground: Ground<'a>,
    way: &'a Way,
    address: SocketAddr,
    portion: Portion,
    /// Those of the shard.
    messages: Vec<Message>,
    /// One for each worker; they go from run to run.
    ledgers: Vec<Ledger>,
    /// Where every exchange goes, if anybody records them. Where no more can be taken in, a worker waits: its lag tells of it.
    pub recording: Option<SyncSender<Exchange>>,
}

impl<'a> LoadGround<'a> {
    /// Makes as many messages as the plan wants of this shard. The ground's target is at `way`.
    pub async fn prepare(
        mut ground: Ground<'a>,
        way: &'a Way,
        plan: &Plan,
        portion: Portion,
        stop: &Stop,
    ) -> Result<LoadGround<'a>, LoadError> {
        let address = reach::address(way.next(), plan.timeout).await?;
        let callers = callers(plan);
        if ground.found.member_calls == MemberCalls::Nobody && callers.iter().any(|caller| caller.is_member()) {
            return Err(LoadError::NoMembers);
        }
        ground.ask_at_once(stop).await?;
        if ground.found.calls_at_once.is_one() && plan.connections > NonZeroU32::MIN {
            return Err(LoadError::OneAtATime(plan.connections));
        }
        let Portion { shard, threads, .. } = portion;
        let all = plan.messages.get();
        let messages = ground.messages(shard.part(all) as usize, stop).await?;
        let keys = plan.traffics().map(|traffic| traffic.keys).max().unwrap_or(1);
        let ledger = |thread| {
            let Share { number, of } = Share::of_thread(thread, threads, shard);
            Ledger::new(all as usize, keys as usize, u64::from(number), u64::from(of))
        };
        let ledgers = (0..threads).map(ledger).collect();
        Ok(LoadGround { ground, way, address, portion, messages, ledgers, recording: None })
    }

    /// The keys of the messages, made for this load.
    pub fn msg_keys(&self) -> Vec<String> {
        self.messages.iter().map(|message| message.msg_key.clone()).collect()
    }

    pub fn threads(&self) -> usize {
        self.ledgers.len()
    }

    /// The unchanging parts of every request of a run that begins now. Each run has signatures of its own: a search may go on for
    /// longer than they last.
    fn templates(&self, plan: &Plan) -> Templates {
        let now_s = since_1970().as_secs();
        let Target { app, accounts, .. } = self.ground.target;
        app.signatures.renew();
        let composer = Composer { app, without_plan: None, accounts, member_calls: self.ground.found.member_calls, now_s };
        let callers: Vec<Caller> = callers(plan).into_iter().collect();
        Templates::new(&composer, &callers, &self.messages, self.portion.shard.of, self.way)
    }

    /// How connections are secured, where the target's URL asks for it.
    fn tls(&self) -> Result<Option<Tls>, LoadError> {
        if !self.way.is_tls() {
            return Ok(None);
        }
        let tls = Tls::new(self.way.route.tls().map_err(TlsSetupError::from)?, &self.way.tls_name())?;
        let HostPort { host, port } = self.way.end();
        Ok(Some(if self.way.route.proxy.is_some() { tls.through_proxy(&host, port) } else { tls }))
    }

    /// How far the target's clock is ahead of this machine's; `None` where its replies do not tell.
    pub async fn clock_offset(&self, stop: &Stop) -> Option<ClockOffset> {
        tokio::select! {
            offset = offset::measure(&self.ground) => offset,
            () = stop.wait() => None,
        }
    }

    /// Waits until little time is left before the load is to start.
    pub async fn wait_for_start(&self, stop: &Stop) {
        let Some(start) = self.portion.start_at else { return };
        tokio::select! {
            () = sleep(start.saturating_sub(since_1970() + READY_BEFORE)) => {}
            () = stop.wait() => {}
        }
    }

    /// Reads messages back and compares them with what was acknowledged; `None` where the target has no way to read one back.
    pub async fn read_back(&self, findings: &mut Findings, stop: &Stop) -> Option<measured::ReadBackCount> {
        if self.ground.found.read_back != ReadBack::Get {
            return None;
        }
        let one_in = self.messages.len().div_ceil(MOST_READ_BACK).max(1);
        let asked = self.messages.iter().enumerate().step_by(one_in);
        let told = self.ground.read_back(asked.clone(), stop).await;
        let mut count = measured::ReadBackCount { messages: self.messages.len(), ..Default::default() };
        let left = asked.len() - told.len();
        if left > 0 {
            count.unread.insert("the run was ended before".to_owned(), left);
        }
        for (index, pairs, exchanges) in told {
            if let Some(recording) = &self.recording {
                for exchange in exchanges {
                    // Why nobody listens any more is told by whoever cannot write.
                    let _ = recording.send(exchange);
                }
            }
            let pairs = match pairs {
                Ok(pairs) => pairs,
                Err(why) => {
                    *count.unread.entry(why.to_string()).or_default() += 1;
                    continue;
                }
            };
            count.read += 1;
            let mut differences: Vec<Difference> = Vec::new();
            let Shard { number, of } = self.portion.shard;
            let number = number + of * u32::try_from(index).unwrap_or(u32::MAX);
            let pairs: Vec<(&str, &str, i64)> =
                pairs.iter().map(|(key, (value, seq))| (key.as_str(), value.as_str(), *seq)).collect();
            self.ledgers[index % self.ledgers.len()].compare(number, &pairs, &mut differences);
            for difference in &mut differences {
                difference.subject = format!("message {}: {}", number + 1, difference.subject);
            }
            findings.take(&mut differences, None, || None);
        }
        Some(count)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn callers(plan: &Plan) -> BTreeSet<Caller> {
    plan.traffics().flat_map(|traffic| traffic.callers.iter().copied()).collect()
}
