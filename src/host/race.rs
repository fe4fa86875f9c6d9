//! Writes that are not atomic: as a reading lets them be, a call key by key, or on purpose, so that it is seen what a race looks
//! like.
//!
//! What goes on for some microseconds holds its thread: no timer is so fine.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::api::{Kv, Operation, Reply};
use crate::model::gate::Refusal;
use crate::model::store::Store;
use crate::model::{Model, PendingWrite, Response, Rules};
use crate::yaml::span::Span;

/// How a write loses its atomicity, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaceFlaw {
    pub kind: RaceKind,
    pub window: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceKind {
    /// The Seq is checked, and the pair set some time later, whatever has come between.
    CheckThenSet,
    /// The whole message is read, changed and written back some time later.
    MapCopy,
    /// A member's Seq is checked against, and refused with, the message as it was some time ago.
    StaleReplica,
    /// A call is acknowledged, and carried out some time later.
    LateApply,
    /// A clear is acknowledged, and removes what is there some time later.
    LateClear,
    /// The next Seq is read, and given some time later, whoever has got it by then.
    DuplicateSeq,
}

impl RaceKind {
    /// Every kind with its word on the command line.
    pub const WORDS: &[(&str, RaceKind)] = &[
        ("check-then-set", RaceKind::CheckThenSet),
        ("map-copy", RaceKind::MapCopy),
        ("stale-replica", RaceKind::StaleReplica),
        ("late-apply", RaceKind::LateApply),
        ("late-clear", RaceKind::LateClear),
        ("duplicate-seq", RaceKind::DuplicateSeq),
    ];
}

/// A race that cannot be read from the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no race: write KIND:SPAN, as in check-then-set:50us, with KIND one of {words}", words = words())]
pub struct ParseRaceError(String);

impl FromStr for RaceFlaw {
    type Err = ParseRaceError;

    fn from_str(text: &str) -> Result<RaceFlaw, ParseRaceError> {
        let wrong = || ParseRaceError(text.to_owned());
        let (word, window) = text.split_once(':').ok_or_else(wrong)?;
        let (_, kind) = RaceKind::WORDS.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?;
        let Span(window) = window.parse().map_err(|()| wrong())?;
        if window.is_zero() || window > Duration::from_mins(1) { Err(wrong()) } else { Ok(RaceFlaw { kind: *kind, window }) }
    }
}

fn words() -> String {
    RaceKind::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

/// What became of a write.
type Written = Result<Reply, Refusal>;

/// Longer than this, and a thread may sleep.
const SLEEPS: Duration = Duration::from_millis(1);
/// Between two keys of a call that comes to them one by one.
const BETWEEN_KEYS: Duration = Duration::from_micros(100);

fn wait(time: Duration) {
    if time > SLEEPS {
        thread::sleep(time);
        return;
    }
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// A model that several threads work on.
#[derive(Clone, Debug)]
pub struct SharedModel {
    model: Arc<Mutex<Model>>,
    /// By their keys the messages as a replica has them.
    replica: Arc<Mutex<HashMap<String, Store>>>,
}

impl SharedModel {
    pub fn new(model: Model) -> SharedModel {
        SharedModel { model: Arc::new(Mutex::new(model)), replica: Arc::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replica(&self) -> MutexGuard<'_, HashMap<String, Store>> {
        self.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a write as its rules say: at one moment, or key by key.
    pub fn write(&self, rules: &Rules, write: &PendingWrite) -> Response {
        match write.call.operation {
            _ if write.is_atomic(rules) => self.lock().finish(rules, write),
            Operation::Clear => self.clear_each(rules, write),
            Operation::Set | Operation::Delete => self.write_each(rules, write),
        }
    }

    fn write_each(&self, rules: &Rules, write: &PendingWrite) -> Response {
        let parts = write.call.pairs().iter().map(|kv| {
            let part = write.part(vec![kv.clone()]);
            let reply = self.lock().store(rules, write).map(|store| part.apply(rules, store));
            wait(BETWEEN_KEYS);
            reply.and_then(Result::ok)
        });
        let results = parts.flatten().filter_map(|reply| reply.results).flatten().collect();
        write.answer(rules, Ok(write.results(rules, results)))
    }

    fn clear_each(&self, rules: &Rules, write: &PendingWrite) -> Response {
        let keys = self.lock().store(rules, write).map(|store| store.keys()).unwrap_or_default();
        for key in &keys {
            if let Some(store) = self.lock().store(rules, write) {
                store.remove(rules, std::slice::from_ref(key));
            }
            wait(BETWEEN_KEYS);
        }
        // What is left is what was set meanwhile; the reply is that of a clear.
        let mut empty = Store::default();
        write.answer(rules, write.apply(rules, &mut empty))
    }

    /// Carries out a write with this flaw.
    pub fn race(&self, rules: &Rules, write: &PendingWrite, race: RaceFlaw) -> Response {
        let Some(mut copy) = self.copy(rules, write) else { return self.write(rules, write) };
        match race.kind {
            RaceKind::CheckThenSet | RaceKind::MapCopy => {
                let reply = write.apply(rules, &mut copy);
                wait(race.window);
                let done = written(write, &reply);
                let takes_all = race.kind == RaceKind::MapCopy || write.call.operation == Operation::Clear;
                if let Some(store) = self.lock().store(rules, write).filter(|_| takes_all || !done.is_empty()) {
                    store.take(rules, &copy, if takes_all { &[] } else { &done });
                }
                write.answer(rules, reply)
            }
            RaceKind::LateClear if write.call.operation != Operation::Clear => self.write(rules, write),
            RaceKind::LateApply | RaceKind::LateClear => {
                let reply = write.apply(rules, &mut copy);
                let (model, late) = (self.clone(), (rules.clone(), write.clone()));
                later(race.window, move || drop(model.write(&late.0, &late.1)));
                write.answer(rules, reply)
            }
            RaceKind::DuplicateSeq => {
                let told = write.apply(rules, &mut copy);
                wait(race.window);
                let mut model = self.lock();
                let reply = model.store(rules, write).map(|store| renumbered(rules, write, store, &told));
                drop(model);
                reply.map_or_else(|| self.write(rules, write), |reply| write.answer(rules, reply))
            }
            RaceKind::StaleReplica => {
                let mut stale = self.replica().get(&write.call.msg_key).cloned().unwrap_or_default();
                let reply = write.apply(rules, &mut stale);
                if written(write, &reply).is_empty() && write.call.operation != Operation::Clear {
                    return write.answer(rules, reply);
                }
                let response = self.write(rules, write);
                let (shared, rules, write) = (self.clone(), rules.clone(), write.clone());
                later(race.window, move || {
                    let Some(fresh) = shared.copy(&rules, &write) else { return };
                    shared.replica().insert(write.call.msg_key.clone(), fresh);
                });
                response
            }
        }
    }

    fn copy(&self, rules: &Rules, write: &PendingWrite) -> Option<Store> {
        self.lock().store(rules, write).cloned()
    }
}

/// Does something when the call in hand has been answered.
fn later(window: Duration, act: impl FnOnce() + Send + 'static) {
    tokio::task::spawn(async move {
        // Whoever waits for the reply is served first.
        tokio::task::yield_now().await;
        wait(window);
        act();
    });
}

/// Writes to the message as it is, and gives the pairs the Seqs that were told before.
fn renumbered(rules: &Rules, write: &PendingWrite, store: &mut Store, told: &Written) -> Written {
    let mut reply = write.apply(rules, store)?;
    for result in reply.results.iter_mut().flatten().filter(|result| result.code == 0) {
        let key = &result.extension.key;
        if let Some(told) = told.as_ref().ok().and_then(|told| told.result(key)).filter(|told| told.code == 0) {
            result.extension.seq = told.extension.seq;
            store.renumber(rules, key, told.extension.seq);
        }
    }
    Ok(reply)
}

/// The pairs of a call that were done.
fn written(write: &PendingWrite, reply: &Written) -> Vec<Kv> {
    let is_done = |kv: &&Kv| reply.as_ref().ok().and_then(|reply| reply.result(&kv.key)).is_some_and(|result| result.code == 0);
    write.call.pairs().iter().filter(is_done).cloned().collect()
}
