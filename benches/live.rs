//! What the live page costs: a load at 1,000 calls a second, with somebody who looks at its page and without, in turns.
//!
//!     cargo bench --bench live [-- rounds=N]
//!
//! Told are the processor time of all threads but the one that sends, and the generator's lag; medians over the rounds. Ends with 1 where the
//! page takes more than 1 % of a core. Loopback only, 20 s a load.

#![expect(clippy::print_stdout, reason = "a table")]

#[path = "support/endpoint.rs"]
mod endpoint;

use std::fs;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use endpoint::{KEY, MSGEXT, Running, serve};
use serde_json::Value;

/// The load, and the part of it in which it is looked at, in seconds.
const LENGTH_S: u64 = 20;
const LOOK_S: (u64, u64) = (4, 14);
/// Clock ticks a second, in which `/proc` counts processor time.
const TICKS_A_SECOND: f64 = 100.0;
/// Of a core.
const MOST: f64 = 0.01;

/// One load.
struct Cost {
    /// Share of a core.
    cpu: f64,
    lag_p99_us: f64,
}

fn load(url: &str, is_looked_at: bool) -> io::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(MSGEXT);
    command.args(["load", "--quiet", "--target", url, "--sdkappid", "1400000000", "--admin", "administrator"]);
    command.args(["--rate", "1000/s", "--for", &format!("{LENGTH_S}s"), "--messages", "400", "--metrics", "127.0.0.1:0"]);
    let child = command.env(KEY.0, KEY.1).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut load = Running(child);
    let mut told = BufReader::new(load.0.stderr.take().ok_or_else(|| io::Error::other("no output"))?);
    let address = page_address(&mut told)?;
    // Whatever it says else is taken from it.
    let rest = thread::spawn(move || io::copy(&mut told, &mut io::sink()));
    if is_looked_at {
        get(&address, "/")?;
        thread::spawn(move || get(&address, "/events"));
    }
    thread::sleep(Duration::from_secs(LOOK_S.0));
    let before = cpu_ticks(load.0.id())?;
    thread::sleep(Duration::from_secs(LOOK_S.1 - LOOK_S.0));
    let after = cpu_ticks(load.0.id())?;
    load.0.wait()?;
    let _ = rest.join();
    let spent = (after - before) as f64 / TICKS_A_SECOND / (LOOK_S.1 - LOOK_S.0) as f64;
    Ok(Cost { cpu: spent, lag_p99_us: lag(folder.path())? })
}

fn page_address(told: &mut impl io::BufRead) -> io::Result<String> {
    let mut line = String::new();
    while told.read_line(&mut line)? > 0 {
        if let Some(url) = line.trim().strip_prefix("live page: http://") {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        line.clear();
    }
    Err(io::Error::other("the load has no live page"))
}

/// Reads until the other side ends it.
fn get(address: &str, path: &str) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut all = 0;
    let mut buffer = [0; 16_384];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            read => all += read as u64,
        }
    }
}

/// Processor time of all threads but the busiest, which sends.
fn cpu_ticks(process: u32) -> io::Result<u64> {
    let mut ticks = Vec::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        // The name, which may hold anything, ends with the last parenthesis; user and system time are the 12th and 13th after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let spent = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
        ticks.push(spent(11) + spent(12));
    }
    Ok(ticks.iter().sum::<u64>() - ticks.iter().max().copied().unwrap_or(0))
}

fn lag(folder: &Path) -> io::Result<f64> {
    let report: Value = serde_json::from_slice(&fs::read(folder.join("reports/load/report.json"))?)?;
    report["load"]["total"]["lag_us"]["p99"].as_f64().ok_or_else(|| io::Error::other("no lag in the report"))
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() -> io::Result<()> {
    // Without this word somebody only wants to see it built.
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return Ok(());
    }
    let rounds =
        words.iter().find_map(|word| word.strip_prefix("rounds=")?.parse().ok()).filter(|rounds| *rounds > 0).unwrap_or(5);
    let (_serve, url) = serve(&["--app-limit", "none", "--message-limit", "none"])?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        without.push(load(&url, false)?);
        with.push(load(&url, true)?);
    }
    let medians = [("nobody looks", &without), ("somebody looks", &with)].map(|(who, costs)| {
        let (cpu, lag) = (median(costs.iter().map(|cost| cost.cpu)), median(costs.iter().map(|cost| cost.lag_p99_us)));
        println!("{who:16} {:.2} % of a core beside the sender, lag p99 {:.2} ms", cpu * 100.0, lag / 1000.0);
        (cpu, lag)
    });
    let cost = medians[1].0 - medians[0].0;
    println!(
        "the page takes {:.2} % of a core; lag p99 is {:.2} of what it is without",
        cost * 100.0,
        medians[1].1 / medians[0].1
    );
    if cost > MOST {
        std::process::exit(1);
    }
    Ok(())
}
