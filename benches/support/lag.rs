//! How late requests arrive, by the server's clock: what a client's own account of it cannot hide.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::bare;
use super::clients::{Client, Job, REPORT, patience};
use super::machine::{self, Cores};
use super::server::{Seen, Server, Watch};

const CONNECTIONS: u32 = 16;
/// Requests a second, and for how many seconds.
const RATES: [(u64, u64); 2] = [(200, 20), (5_000, 10)];

pub(crate) fn compare(out: &mut dyn Write, cores: Cores, clients: &[Client], seconds: Option<u64>) -> io::Result<()> {
    for (rate, length) in RATES {
        let seconds = seconds.unwrap_or(length);
        writeln!(
            out,
            "\narrival behind schedule in us: {rate} a second for {seconds} s, {CONNECTIONS} connections, {} calls",
            rate * seconds
        )?;
        writeln!(out, "{:14} {:>9} {:>9} {:>9} {:>9}  its own p99", "client", "p50", "p99", "max", "calls")?;
        let job = |server: &Server| Job { address: server.address, connections: CONNECTIONS, seconds, rate: Some(rate) };
        let server = Server::start(cores.server, Watch::Arrivals)?;
        bare::send(job(&server), cores.client)?;
        tell(out, "a bare loop", (rate, seconds), &server.stop()?, None)?;
        for client in clients {
            let folder = TempDir::new()?;
            let server = Server::start(cores.server, Watch::Arrivals)?;
            let job = job(&server);
            let Some(command) = client.command(&job, folder.path())? else {
                server.stop()?;
                continue;
            };
            // The server looks at its sockets all the time, so that this process waits on the other core.
            let ended = machine::run(command, cores.client, cores.client, patience(&job))?;
            let seen = server.stop()?;
            if !ended.status.success() {
                writeln!(out, "{} ended with {}: {}", client.name, ended.status, Client::last_words(folder.path()))?;
            }
            let report = std::fs::read(folder.path().join(REPORT)).ok();
            let report: Option<Value> = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            tell(out, client.name, (rate, seconds), &seen, report.as_ref())?;
        }
    }
    Ok(())
}

fn tell(out: &mut dyn Write, name: &str, (rate, seconds): (u64, u64), seen: &Seen, report: Option<&Value>) -> io::Result<()> {
    // What came before is a client finding out whether the server answers.
    let planned = usize::try_from(rate * seconds).unwrap_or(usize::MAX);
    let arrivals = &seen.arrivals[seen.arrivals.len().saturating_sub(planned)..];
    let lags = lags(arrivals, rate);
    let us = |share: f64| quantile(&lags, share).map_or_else(|| "-".to_owned(), |lag| format!("{:.0}", lag.as_secs_f64() * 1e6));
    let own = report
        .map(|report| format!("{} us, {} calls", report["load"]["phases"][0]["lag_us"]["p99"], report["load"]["total"]["sent"]));
    writeln!(out, "{name:14} {:>9} {:>9} {:>9} {:>9}  {}", us(0.5), us(0.99), us(1.0), arrivals.len(), own.unwrap_or_default())
}

/// How much later each call came than at a steady rate whose start is the one that makes none of them early; sorted.
fn lags(arrivals: &[Duration], rate: u64) -> Vec<Duration> {
    let ideal = |index: u64| Duration::from_nanos(index * 1_000_000_000 / rate);
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_unstable();
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
