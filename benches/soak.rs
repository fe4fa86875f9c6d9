//! A long load through a bad way: does it lose nothing, and grow by nothing?
//!
//!     cargo bench --bench soak [-- minutes=N]
//!
//! 1,000 calls a second for half an hour, through a relay that resets one connection in 500 calls, answers one call in 700 with a gateway's 502, and
//! falsifies one reply in 1,000, and counts what it does. Ends with 1 unless every call is answered or lost, every loss and every finding is one
//! that the relay has made, and the memory that is in use at the end is at most a quarter above that after the first tenth. Loopback only.

#![expect(clippy::print_stdout, reason = "a table")]

#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "support/relay.rs"]
mod relay;

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use endpoint::{KEY, MSGEXT, Running, serve};
use relay::{Handled, is_call, relay};
use serde_json::Value;

const RATE: u64 = 1000;
const RESET_ONE_IN: u64 = 500;
const GATEWAY_ONE_IN: u64 = 700;
const FALSE_ONE_IN: u64 = 1000;
const BAD_GATEWAY: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
const MOST_GROWN: f64 = 1.25;

/// What the relay has done.
#[derive(Default)]
struct Done {
    calls: AtomicU64,
    resets: AtomicU64,
    gateways: AtomicU64,
    falsified: AtomicU64,
}

impl Done {
    fn handle(&self, request: &[u8]) -> Handled {
        // The probe's calls, and what makes messages, come through.
        if !is_call(request) || !request.windows(8).any(|word| word == b"\"Key\":\"k") {
            return Ok(|reply| reply);
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if call.is_multiple_of(RESET_ONE_IN) {
            self.resets.fetch_add(1, Ordering::Relaxed);
            Err(None)
        } else if call.is_multiple_of(GATEWAY_ONE_IN) {
            self.gateways.fetch_add(1, Ordering::Relaxed);
            Err(Some(BAD_GATEWAY))
        } else if call % FALSE_ONE_IN == 1 {
            self.falsified.fetch_add(1, Ordering::Relaxed);
            // A result for another key.
            Ok(|reply| String::from_utf8_lossy(&reply).replacen("\"Key\":\"k", "\"Key\":\"x", 1).into_bytes())
        } else {
            Ok(|reply| reply)
        }
    }
}

/// Resident memory in MB.
fn memory(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

fn main() -> io::Result<()> {
    let minutes: u64 = std::env::args().find_map(|word| word.strip_prefix("minutes=")?.parse().ok()).unwrap_or(30);
    let (_serve, url) = serve(&["--app-limit", "none", "--message-limit", "none"])?;
    let done = Arc::new(Done::default());
    let own = Arc::clone(&done);
    let url = relay(&url, move |request| own.handle(request))?;
    let folder = tempfile::tempdir()?;
    let mut load = Command::new(MSGEXT);
    load.args(["load", "--quiet", "--target", &url, "--sdkappid", "1400000000", "--admin", "administrator"]);
    load.args(["--rate", &format!("{RATE}/s"), "--for", &format!("{minutes}m"), "--messages", "2000", "--connections", "32"]);
    load.args(["--check", "lost >= 0", "--check", "errors >= 0"]);
    let load = load.env(KEY.0, KEY.1).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (mut load, began) = (Running(load), Instant::now());
    let (mut early, mut last) = (None, 0.0);
    while load.0.try_wait()?.is_none() {
        if let Some(now) = memory(load.0.id()) {
            last = now;
            if began.elapsed() > Duration::from_mins(minutes) / 10 {
                early.get_or_insert(now);
            }
        }
        thread::sleep(Duration::from_secs(1));
    }
    let status = load.0.wait()?;
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("reports/load/report.json"))?)?;
    let total = &report["load"]["total"];
    let count = |name: &str| total[name].as_u64().unwrap_or(0);
    let losses = |told: &str| -> u64 {
        let all = total["losses"].as_object().into_iter().flatten();
        all.filter(|(cause, _)| cause.contains(told)).filter_map(|(_, calls)| calls.as_u64()).sum()
    };
    let made = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let ended: u64 = ["accepted", "conflicts", "refused", "errors", "lost"].map(count).iter().sum();
    let found =
        report["load"]["findings_by_clause"].as_object().map_or(0, |found| found.values().filter_map(Value::as_u64).sum());
    let grown = last / early.unwrap_or(last);
    println!("{} calls in {minutes} min, exit {:?}: {}", count("sent"), status.code(), report["reason"]);
    println!("losses: {}", total["losses"]);
    println!("memory: {:.1} MB after a tenth, {last:.1} MB at the end", early.unwrap_or(last));
    let claims = [
        ("every planned call was sent", count("planned"), count("sent")),
        ("every call was answered or lost", count("sent"), ended),
        ("every loss by a gateway", made(&done.gateways), losses("502")),
        ("every other loss by a reset", made(&done.resets), count("lost") - losses("502")),
        ("every false reply was found", made(&done.falsified), found),
    ];
    let mut holds = grown <= MOST_GROWN;
    for (what, expected, seen) in claims {
        println!("{} {what}: {expected} {seen}", if expected == seen { "✓" } else { "✗" });
        holds &= expected == seen;
    }
    if !holds {
        std::process::exit(1);
    }
    Ok(())
}
