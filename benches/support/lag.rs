//! How late requests arrive, by the server's clock: what a client's own account of it cannot hide.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::bare;
use super::clients::{Client, Job, REPORT, order, patience};
use super::machine::{self, Cores};
use super::server::{Seen, Server, Watch};

const CONNECTIONS: u32 = 16;
/// Requests a second, and for how many seconds.
const RATES: [(u64, u64); 2] = [(200, 20), (5_000, 10)];

/// One client's turn, with what it says of itself.
struct Turn {
    /// Sorted.
    lags: Vec<Duration>,
    own_p99: Option<u64>,
}

/// Every client has its turn in every round, so that what changes on the machine meanwhile meets them all.
pub(crate) fn compare(
    out: &mut dyn Write,
    cores: Cores,
    clients: &[Client],
    seconds: Option<u64>,
    rounds: usize,
) -> io::Result<()> {
    for (rate, length) in RATES {
        let seconds = seconds.unwrap_or(length);
        writeln!(
            out,
            "\narrival behind schedule in us: {rate} a second, {CONNECTIONS} connections, {rounds} rounds of {seconds} s; medians"
        )?;
        let mut bare = Vec::new();
        let mut turns: Vec<Vec<Turn>> = clients.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            bare.push(bare_turn(cores, rate, seconds)?);
            for client in order(round, clients.len()) {
                turns[client].extend(take_turn(out, cores, &clients[client], rate, seconds)?);
            }
        }
        writeln!(out, "{:14} {:>9} {:>9} {:>9} {:>19}  its own p99", "client", "p50", "p99", "max", "p99 from to")?;
        tell(out, "a bare loop", &bare)?;
        for (client, turns) in clients.iter().zip(&turns).filter(|(_, turns)| !turns.is_empty()) {
            tell(out, client.name, turns)?;
        }
    }
    Ok(())
}

fn job(server: &Server, rate: u64, seconds: u64) -> Job {
    Job { address: server.address, connections: CONNECTIONS, seconds, rate: Some(rate), ca: None }
}

fn bare_turn(cores: Cores, rate: u64, seconds: u64) -> io::Result<Turn> {
    let server = Server::start(cores.server, Watch::Arrivals)?;
    bare::send(job(&server, rate, seconds), cores.client)?;
    Ok(Turn { lags: lags(&server.stop()?, rate, seconds), own_p99: None })
}

/// `None` where the client cannot do the job.
fn take_turn(out: &mut dyn Write, cores: Cores, client: &Client, rate: u64, seconds: u64) -> io::Result<Option<Turn>> {
    let folder = TempDir::new()?;
    let server = Server::start(cores.server, Watch::Arrivals)?;
    let job = job(&server, rate, seconds);
    let Some(command) = client.command(&job, folder.path())? else {
        server.stop()?;
        return Ok(None);
    };
    // The server looks at its sockets all the time, so that this process waits on the other core.
    let ended = machine::run(command, cores.client, cores.client, patience(&job))?;
    let seen = server.stop()?;
    if !ended.status.success() {
        writeln!(out, "{} ended with {}: {}", client.name, ended.status, Client::last_words(folder.path()))?;
    }
    let report = std::fs::read(folder.path().join(REPORT)).ok();
    let report: Option<Value> = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let own_p99 = report.and_then(|report| report["load"]["phases"][0]["lag_us"]["p99"].as_u64());
    Ok(Some(Turn { lags: lags(&seen, rate, seconds), own_p99 }))
}

fn tell(out: &mut dyn Write, name: &str, turns: &[Turn]) -> io::Result<()> {
    let all = |share: f64| {
        let mut all: Vec<u128> = turns.iter().filter_map(|turn| quantile(&turn.lags, share)).map(|lag| lag.as_micros()).collect();
        all.sort_unstable();
        all
    };
    let middle = |all: &[u128]| all.get(all.len() / 2).map_or_else(|| "-".to_owned(), ToString::to_string);
    let p99 = all(0.99);
    let range = p99.first().zip(p99.last()).map_or_else(String::new, |(from, to)| format!("{from} to {to}"));
    let mut own: Vec<u128> = turns.iter().filter_map(|turn| turn.own_p99).map(u128::from).collect();
    own.sort_unstable();
    let own = if own.is_empty() { String::new() } else { middle(&own) };
    writeln!(out, "{name:14} {:>9} {:>9} {:>9} {range:>19}  {own}", middle(&all(0.5)), middle(&p99), middle(&all(1.0)))
}

/// How much later each call came than at a steady rate whose start is the one that makes none of them early; sorted.
fn lags(seen: &Seen, rate: u64, seconds: u64) -> Vec<Duration> {
    // What came before is a client finding out whether the server answers.
    let planned = usize::try_from(rate * seconds).unwrap_or(usize::MAX);
    let mut arrivals = seen.arrivals[seen.arrivals.len().saturating_sub(planned)..].to_vec();
    arrivals.sort_unstable();
    let ideal = |index: u64| Duration::from_nanos(index * 1_000_000_000 / rate);
    let due = || arrivals.iter().zip(0..).map(|(arrival, index)| (*arrival, ideal(index)));
    let start = due().map(|(arrival, ideal)| arrival.saturating_sub(ideal)).min().unwrap_or_default();
    let mut lags: Vec<Duration> = due().map(|(arrival, ideal)| arrival.saturating_sub(start + ideal)).collect();
    lags.sort_unstable();
    lags
}

/// The smallest that so large a share of them does not exceed.
fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "calls are few")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
