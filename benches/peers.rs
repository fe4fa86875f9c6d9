//! `msgext load` beside its peers, on one machine: requests a CPU-second, and how late requests arrive.
//!
//! `cargo bench --bench peers -- cpu`, `-- lag`, `-- tls`, or the first two where none is named. It needs two cores that have nothing else to
//! do, takes what it finds of wrk, oha and k6, and of an earlier build of msgext, and says which it did not find and how to get it.
//! Only loopback is used.

mod support;

use std::error::Error;
use std::io;

use clap::{Parser, ValueEnum};
use support::{clients, cpu, lag, machine};

#[derive(Debug, Parser)]
struct Args {
    /// What to measure; everything if left out
    #[arg(value_enum)]
    measures: Vec<Measure>,
    /// Length of each measurement
    #[arg(long)]
    seconds: Option<u64>,
    /// How often each client has its turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Cargo says so of itself; without it somebody only wants to see this built and started
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Requests a CPU-second of the client, as fast as one core lets it
    Cpu,
    /// How late requests arrive at the server, at 200 and at 5,000 a second
    Lag,
    /// As cpu, over TLS that an nginx on the server's core ends; not of every client
    Tls,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if !args.bench {
        return Ok(());
    }
    let out = &mut io::stdout();
    let cores = machine::cores()?;
    machine::describe(out, cores)?;
    let clients = clients::installed(out)?;
    let measured = |measure| args.measures.is_empty() || args.measures.contains(&measure);
    let turns = (args.seconds.unwrap_or(10), args.rounds);
    if measured(Measure::Cpu) {
        cpu::compare(out, cores, &clients, turns, false)?;
    }
    if args.measures.contains(&Measure::Tls) {
        cpu::compare(out, cores, &clients, turns, true)?;
    }
    if measured(Measure::Lag) {
        lag::compare(out, cores, &clients, args.seconds, args.rounds)?;
    }
    Ok(())
}
