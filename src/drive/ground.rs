//! A target made ready, for every mode alike: reached, its ways found out, messages made on it, and read back in the end.

use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use super::at_once;
use super::client::{Client, SetupError};
use super::line::{Line, Session};
use super::messages::{Message, Pool};
use super::pace::Budget;
use super::probe::{Found, ProbeError, probe};
use super::readback::ReadError;
use super::stop::Stop;
use super::target::{CallsAtOnce, Clock, Launched, ReadBack, Target, TargetPlace};
use crate::api::MemberCalls;
use crate::history::Exchange;
use crate::judge::conform::pairs::Pairs;
use crate::scenario::{EmbeddedSetup, MessageKind};
use crate::yaml::rate::Rate;

/// Messages that are made, or read back, at the same time.
const SIDE_BY_SIDE: usize = 16;

/// So often a message is tried to be made, before there is none.
const MAKING_TRIES: usize = 3;

/// Why a target cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error("{made} of {wanted} messages could be made: {why}")]
    Messages { made: usize, wanted: usize, why: String },
    #[error("cut short before the target was known")]
    Interrupted,
}

/// A target that can be tested, and everything that it takes to call it.
pub struct Ground<'a> {
    pub target: &'a Target,
    pub found: Found,
    pub budget: Budget,
    pub seed: u64,
    /// Every exchange is kept whole, for whoever records them.
    pub keeps_exchanges: bool,
    place: &'a TargetPlace,
    client: Client,
    pool: Pool,
    pub(super) start: Instant,
    /// How long it took to find out about the target, by its first calls.
    pub(super) probed: Duration,
}

impl<'a> Ground<'a> {
    /// Finds out what the target takes; requests are sent at `rate` at most to it, then and later.
    pub async fn prepare(
        target: &'a Target,
        place: &'a TargetPlace,
        seed: u64,
        rate: Option<Rate>,
        stop: &Stop,
    ) -> Result<Ground<'a>, GroundError> {
        let mut ground = Ground::new(target, place, seed, rate)?;
        ground.found = tokio::select! {
            found = ground.probe() => found?,
            () = stop.wait() => return Err(GroundError::Interrupted),
        };
        ground.probed = ground.start.elapsed();
        Ok(ground)
    }

    /// The same with nothing found out, and nothing sent, yet.
    pub fn new(target: &'a Target, place: &'a TargetPlace, seed: u64, rate: Option<Rate>) -> Result<Ground<'a>, GroundError> {
        let member_calls = target.member_calls.unwrap_or(MemberCalls::Nobody);
        let read_back = target.read_back.unwrap_or(ReadBack::Impossible);
        Ok(Ground {
            target,
            found: Found {
                member_calls,
                saw_member_calls: false,
                read_back,
                calls_at_once: CallsAtOnce::default(),
                first_call: None,
            },
            budget: Budget::of(rate),
            seed,
            keeps_exchanges: false,
            place,
            client: Client::new(target.timeout, place.way())?,
            pool: Pool::new(&target.messages),
            start: Instant::now(),
            probed: Duration::ZERO,
        })
    }

    async fn probe(&self) -> Result<Found, ProbeError> {
        let (mut session, _launched) = self.session(EmbeddedSetup::default()).await;
        probe(&mut session).await
    }

    /// Finds out how many calls the target takes at a time, before several are sent at once.
    pub async fn ask_at_once(&mut self, stop: &Stop) -> Result<(), GroundError> {
        if !self.is_embedded() {
            let (session, _launched) = self.session(EmbeddedSetup::default()).await;
            self.found.calls_at_once = tokio::select! {
                found = at_once::find(&session, self.elapsed()) => found?,
                () = stop.wait() => return Err(GroundError::Interrupted),
            };
        }
        Ok(())
    }

    /// So many calls may be under way, of as many as would be.
    pub fn at_once(&self, calls: usize) -> usize {
        if self.found.calls_at_once.is_one() { 1 } else { calls }
    }

    /// Since the target was first called.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn is_embedded(&self) -> bool {
        matches!(self.place, TargetPlace::Embedded(_))
    }

    /// A way to the target, and what has to live as long as it: an embedded one is started anew, by its setup.
    pub async fn session(&self, embedded: EmbeddedSetup) -> (Session<'_>, Option<Launched>) {
        let (client, clock, epoch, launched) = match self.place {
            TargetPlace::Remote(way) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let epoch = now.saturating_sub(self.start.elapsed());
                let client = self.client.at(way);
                let client = if self.found.calls_at_once.is_one() { client.closing() } else { client };
                (client, Clock::Real(self.start), epoch, None)
            }
            TargetPlace::Embedded(launch) => {
                let launched = launch(embedded).await;
                let clock = Clock::Virtual(launched.clock.clone());
                (self.client.at(&launched.url.clone().into()), clock, Duration::ZERO, Some(launched))
            }
        };
        let session = Session {
            target: self.target,
            client,
            clock,
            budget: &self.budget,
            pool: &self.pool,
            member_calls: self.found.member_calls,
            read_back: self.found.read_back,
            seed: self.seed,
            keeps_exchanges: self.keeps_exchanges,
            epoch,
        };
        (session, launched)
    }

    /// Makes so many messages with extension support.
    pub async fn messages(&self, wanted: usize, stop: &Stop) -> Result<Vec<Message>, GroundError> {
        let (session, _launched) = &self.session(EmbeddedSetup::default()).await;
        // A message whose reply was lost is one that nobody needs: another is made.
        let one = |index: usize| async move {
            let mut line = Line::open(session, &format!("message {index}"));
            let mut made = line.message(MessageKind::Sent).await;
            for _ in 1..MAKING_TRIES {
                if made.is_ok() {
                    break;
                }
                made = line.message(MessageKind::Sent).await;
            }
            made
        };
        let all = stream::iter(0..wanted).map(one).buffered(self.at_once(SIDE_BY_SIDE)).collect::<Vec<_>>();
        let results = tokio::select! {
            results = all => results,
            () = stop.wait() => return Err(GroundError::Interrupted),
        };
        let made: Vec<Message> = results.iter().filter_map(|result| result.as_ref().ok().cloned()).collect();
        match results.into_iter().find_map(Result::err) {
            Some(why) => Err(GroundError::Messages { made: made.len(), wanted, why }),
            None => Ok(made),
        }
    }

    /// What messages hold, each with its index, or why that is unknown, and what was sent for it; `stop` leaves out what has not
    /// been read.
    pub async fn read_back<'m>(
        &self,
        messages: impl Iterator<Item = (usize, &'m Message)>,
        stop: &Stop,
    ) -> Vec<(usize, Result<Pairs, ReadError>, Vec<Exchange>)> {
        let (session, _launched) = &self.session(EmbeddedSetup::default()).await;
        let read = |(index, message): (usize, &'m Message)| async move {
            let mut line = Line::open(session, "read back");
            (index, line.pairs(message).await, line.exchanges)
        };
        stream::iter(messages)
            .map(read)
            .buffer_unordered(self.at_once(SIDE_BY_SIDE))
            .take_until(Box::pin(stop.wait()))
            .collect()
            .await
    }
}
