//! What one shard of a load leaves behind: all that it measured, for whoever adds up the parts and judges them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::Facts;
use super::build::GENERATOR;
use super::saved::version_of;
use super::secrets::{MASK, Secrets, is_usersig};
use crate::history::{Exchange, Outcome};
use crate::judge::load::measured::Measured;
use crate::judge::load::shards::{ClockOffset, Shard};

/// Version of the form. Grows when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// One shard's part of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadPart {
    pub version: u32,
    pub generator: String,
    pub shard: Shard,
    /// When the load was to start, in nanoseconds since 1970; the same for all of its shards.
    pub start_at_ns: u64,
    /// What calls were drawn by; the same for all shards.
    pub seed: u64,
    pub target: String,
    pub member_calls: String,
    pub read_back: String,
    pub calls_at_once: String,
    pub command_line: String,
    pub configuration: BTreeMap<String, String>,
    /// The plan's file, and what it says.
    pub plan_path: String,
    pub plan_text: String,
    pub clock: Option<ClockOffset>,
    /// Or why nothing was sent.
    pub measured: Result<Measured, String>,
}

/// Why a file cannot be taken for a part.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    #[error("it is no part of a load: {0}")]
    NoPart(serde_json::Error),
    #[error("it is version {0} of a part, and this msgext knows version {VERSION}: take the msgext that wrote it")]
    Version(u32),
}

impl LoadPart {
    /// Of a shard that has not come so far as to measure anything.
    pub fn new(shard: Shard, start_at_ns: u64, facts: &Facts, (plan_path, plan_text): (&str, &str), why: String) -> LoadPart {
        LoadPart {
            version: VERSION,
            generator: GENERATOR.to_owned(),
            shard,
            start_at_ns,
            seed: facts.seed,
            target: facts.target.clone(),
            member_calls: facts.member_calls.clone(),
            read_back: facts.read_back.clone(),
            calls_at_once: facts.calls_at_once.clone(),
            command_line: facts.command_line.clone(),
            configuration: facts.configuration.clone(),
            plan_path: plan_path.to_owned(),
            plan_text: plan_text.to_owned(),
            clock: None,
            measured: Err(why),
        }
    }

    /// Writes it without the secrets that it may hold: the caller's own, and the signatures of its calls.
    pub fn write(mut self, out: &mut dyn Write, secrets: &[String]) -> io::Result<()> {
        let kept = self.measured.iter_mut().flat_map(|measured| &mut measured.findings.kept);
        let mut exchanges: Vec<&mut Exchange> = kept.filter_map(|kept| kept.exchange.as_mut()).collect();
        let secrets = Secrets::of(secrets, exchanges.iter().map(|exchange| &**exchange));
        for exchange in &mut exchanges {
            mask(exchange, &secrets);
        }
        let text = serde_json::to_string(&self)?;
        out.write_all(secrets.scrub(&text).as_bytes())
    }

    pub fn read(text: &str) -> Result<LoadPart, PartError> {
        let version = version_of(text).map_err(PartError::NoPart)?;
        if version == VERSION { serde_json::from_str(text).map_err(PartError::NoPart) } else { Err(PartError::Version(version)) }
    }
}

/// Bodies are bytes, in which a secret would not be seen later on.
fn mask(exchange: &mut Exchange, secrets: &Secrets) {
    let scrub = |bytes: &mut Vec<u8>| *bytes = secrets.scrub(&String::from_utf8_lossy(bytes)).into_bytes();
    for (_, usersig) in exchange.request.query.iter_mut().filter(|(name, value)| is_usersig(name) && !value.is_empty()) {
        MASK.clone_into(usersig);
    }
    scrub(&mut exchange.request.body);
    if let Outcome::Replied(reply) = &mut exchange.outcome {
        scrub(&mut reply.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_part_is_read_as_it_was_written_and_of_another_version_not_at_all() {
        let shard = Shard::new(1, 4).expect("one of four");
        let part = LoadPart::new(shard, 5, &fixture::facts().facts, ("plan.yaml", "title: t"), "late".to_owned());
        let mut written = Vec::new();
        part.clone().write(&mut written, &[]).expect("a vector takes everything");
        let text = String::from_utf8(written).expect("JSON");
        assert_eq!(LoadPart::read(&text).expect("a part"), part);
        let other = text.replacen("\"version\":1", "\"version\":2", 1);
        assert!(LoadPart::read(&other).is_err_and(|error| error.to_string().contains("version 2")));
        assert!(LoadPart::read("{}").is_err());
    }
}
