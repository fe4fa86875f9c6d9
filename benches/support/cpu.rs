//! Requests a CPU-second: what a client's own work costs, however fast the server is.

use std::io::{self, Write};

use tempfile::TempDir;

use super::clients::{Client, Job, order, patience};
use super::machine::{self, Cores};
use super::server::{Server, Watch};
use super::tls::Terminator;

const CONNECTIONS: u32 = 32;

/// One client's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    calls_a_cpu_second: f64,
    /// Shares of their core that client and server were at work.
    client_busy: f64,
    server_busy: f64,
}

/// Every client has its turn in every round, in one order and then in the other, so that what changes on the machine meanwhile
/// meets them all; they are compared within a round.
pub(crate) fn compare(
    out: &mut dyn Write,
    cores: Cores,
    clients: &[Client],
    (seconds, rounds): (u64, usize),
    is_tls: bool,
) -> io::Result<()> {
    let over = if is_tls { " over TLS, which nginx ends" } else { "" };
    writeln!(
        out,
        "\nrequests a CPU-second of the client{over}: {CONNECTIONS} connections, closed loop, {rounds} rounds of {seconds} s; medians"
    )?;
    let mut rounds: Vec<Vec<Option<Turn>>> = vec![vec![None; clients.len()]; rounds];
    for (round, turns) in rounds.iter_mut().enumerate() {
        for client in order(round, clients.len()) {
            turns[client] = take_turn(out, cores, &clients[client], seconds, is_tls)?;
        }
    }
    writeln!(
        out,
        "{:14} {:>9} {:>9} {:>9} {:>7} {:>7} {:>10}",
        "client", "median", "lowest", "highest", "busy", "server", "msgext is"
    )?;
    let median = |turns: &[Turn], of: fn(&Turn) -> f64| middle(turns.iter().map(of).collect());
    let own = clients.iter().position(|client| client.name.starts_with("msgext")).unwrap_or_default();
    for (index, client) in clients.iter().enumerate() {
        let turns: Vec<Turn> = rounds.iter().filter_map(|turns| turns[index]).collect();
        let turns = turns.as_slice();
        let rates: Vec<f64> = turns.iter().map(|turn| turn.calls_a_cpu_second).collect();
        let Some(rate) = middle(rates.clone()) else {
            writeln!(out, "{:14} no turn of it can be counted", client.name)?;
            continue;
        };
        let (lowest, highest) = (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
        let busy = 100.0 * median(turns, |turn| turn.client_busy).unwrap_or_default();
        let server = 100.0 * median(turns, |turn| turn.server_busy).unwrap_or_default();
        let of_round = |turns: &Vec<Option<Turn>>| Some(turns[own]?.calls_a_cpu_second / turns[index]?.calls_a_cpu_second);
        let ratio = middle(rounds.iter().filter_map(of_round).collect());
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} x"));
        writeln!(out, "{:14} {rate:>9.0} {lowest:>9.0} {highest:>9.0} {busy:>5.0} % {server:>5.0} % {ratio:>10}", client.name)?;
    }
    if rounds.iter().flatten().flatten().any(|turn| turn.client_busy < 0.5) {
        writeln!(out, "a client idled for more than half of its time: the server, or another process, held it up")?;
    }
    Ok(())
}

/// `None`, and a word on it, where the client failed.
fn take_turn(out: &mut dyn Write, cores: Cores, client: &Client, seconds: u64, is_tls: bool) -> io::Result<Option<Turn>> {
    let folder = TempDir::new()?;
    let server = Server::start(cores.server, Watch::Count)?;
    let before = is_tls.then(|| Terminator::start(server.address, cores.server)).transpose()?;
    let address = before.as_ref().map_or(server.address, |before| before.address);
    let ca = before.as_ref().map(Terminator::ca);
    let job = Job { address, connections: CONNECTIONS, seconds, rate: None, ca };
    let Some(command) = client.command(&job, folder.path())? else { return Ok(None) };
    let ended = machine::run(command, cores.client, cores.server, patience(&job))?;
    drop(before);
    let seen = server.stop()?;
    if !ended.status.success() {
        writeln!(out, "{} ended with {}: {}", client.name, ended.status, Client::last_words(folder.path()))?;
    }
    if ended.cpu.is_zero() || seen.calls == 0 {
        return Ok(None);
    }
    let (cpu, wall) = (ended.cpu.as_secs_f64(), ended.wall.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "calls of some seconds are far below 2^52")]
    let calls = seen.calls as f64;
    Ok(Some(Turn { calls_a_cpu_second: calls / cpu, client_busy: cpu / wall, server_busy: seen.cpu.as_secs_f64() / wall }))
}

fn middle(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}
