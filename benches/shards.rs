//! A load of several machines: how even its calls arrive, and what becomes of that, of its clocks and of merging with up to 1,000 of them.
//!
//!     cargo bench --bench shards [-- rounds=N]
//!
//! First for real: 200 calls a second for 20 s at an endpoint on this machine, by one process and by four, in turns; told is by how much the
//! gaps between calls were off, as they came in. Then simulated, with the lag that was measured there: shards whose clocks are off
//! (normally distributed) send 200 a second together. Told are how far from their due times calls come in, the most that a second held, and
//! what it takes to merge the parts of ten minutes. Ends with 1 where four processes are less even than one by more than a fiftieth of a gap. Loopback only.

#![expect(clippy::cast_possible_truncation, clippy::print_stdout, reason = "a table of numbers that are small")]

#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "support/relay.rs"]
mod relay;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use endpoint::{KEY, MSGEXT, Running, serve};
use msgext::history::Class;
use msgext::judge::load::doubt::doubts_of_shards;
use msgext::judge::load::measured::{Measured, MeasuredPhase, MeasuredSecond};
use msgext::judge::load::merge::{ShardPart, sum};
use msgext::judge::load::shards::{ClockOffset, MOST_SKEW, Shards};
use msgext::judge::load::tally::{Latency, Tally};
use msgext::random::Random;
use msgext::scenario::load::load;
use relay::{is_call, relay};
use serde_json::Value;

const RATE: u64 = 200;
const LENGTH_S: u64 = 20;
/// A start so far ahead that every shard is ready by then.
const AHEAD_S: u64 = 20;
/// Four processes may be less even than one by so much: a fiftieth of the gap between two calls.
const MOST_UNEVEN_US: f64 = 1e6 / RATE as f64 / 50.0;
const SHARDS: [usize; 4] = [1, 10, 100, 1000];
/// Standard deviations of the clocks, in milliseconds.
const CLOCKS_MS: [f64; 3] = [0.1, 1.0, 10.0];
const SIMULATED_S: usize = 600;

type Moments = Arc<Mutex<Vec<Instant>>>;

// ------------------------------------------------------------------------------------------------------------- for real

/// What one load came to.
struct Arrived {
    /// By how much gaps were off, in microseconds.
    off: Latency,
    /// The generator's lag at its percentiles, in microseconds.
    lag: [f64; 5],
}

/// So many processes send it together.
fn sent(url: &str, moments: &Moments, processes: u32) -> io::Result<Arrived> {
    let folder = tempfile::tempdir()?;
    let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?.as_secs() + AHEAD_S;
    let shard = |number: u32| {
        let mut command = Command::new(MSGEXT);
        command.args(["load", "--quiet", "--target", url, "--sdkappid", "1400000000", "--admin", "administrator"]);
        command.args(["--rate", &format!("{RATE}/s"), "--for", &format!("{LENGTH_S}s"), "--messages", "400"]);
        command.args(["--shard", &format!("{number}/{processes}"), "--start-at", &start.to_string()]);
        command.args(["--out", &format!("part-{number}.json")]).env(KEY.0, KEY.1).current_dir(&folder);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Running)
    };
    let mut shards = (0..processes).map(shard).collect::<io::Result<Vec<Running>>>()?;
    for shard in &mut shards {
        shard.0.wait()?;
    }
    let report = merged(folder.path(), processes)?;
    let mut moments = std::mem::take(&mut *moments.lock().unwrap_or_else(PoisonError::into_inner));
    moments.sort_unstable();
    // What the probe sent comes seconds before.
    let calls = moments.len().saturating_sub((RATE * LENGTH_S) as usize);
    let mut off = Latency::default();
    for pair in moments[calls..].windows(2) {
        off.record((pair[1] - pair[0]).abs_diff(Duration::from_secs(1) / RATE as u32));
    }
    let lag = ["p50", "p90", "p99", "p999", "max"].map(|name| report["load"]["total"]["lag_us"][name].as_f64().unwrap_or(0.0));
    Ok(Arrived { off, lag })
}

fn merged(folder: &Path, processes: u32) -> io::Result<Value> {
    let parts: Vec<String> = (0..processes).map(|number| format!("part-{number}.json")).collect();
    let merge = Command::new(MSGEXT).arg("merge").args(parts).current_dir(folder).stderr(Stdio::null()).status()?;
    let report: Value = serde_json::from_slice(&fs::read(folder.join("reports/merge/report.json"))?)?;
    let sent = report["load"]["total"]["sent"].as_u64();
    if sent == Some(RATE * LENGTH_S) {
        return Ok(report);
    }
    Err(io::Error::other(format!("merge ended with {merge}: {} ({sent:?} calls)", report["reason"])))
}

// ------------------------------------------------------------------------------------------------------------ simulated

/// Draws from what was measured: between two percentiles evenly by logarithm.
struct Lag([f64; 5]);

impl Lag {
    fn draw_us(&self, random: &mut Random) -> f64 {
        const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];
        let share = unit(random);
        let at = SHARES.iter().position(|known| share < *known).unwrap_or(4);
        let (from, before) = if at == 0 { (0.0, 1.0) } else { (SHARES[at - 1], self.0[at - 1].max(1.0)) };
        before * (self.0[at].max(1.0) / before).powf((share - from) / (SHARES[at] - from))
    }
}

fn unit(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Box and Muller's.
fn normal(random: &mut Random) -> f64 {
    (-2.0 * (1.0 - unit(random)).ln()).sqrt() * (std::f64::consts::TAU * unit(random)).cos()
}

/// Ticks are dealt out in turn to shards whose clocks are off: how far off calls come in (p50 and p99, in milliseconds), and the most in any
/// second.
fn arrivals(shards: usize, clock_ms: f64, lag: &Lag, random: &mut Random) -> (f64, f64, usize) {
    let clocks: Vec<f64> = (0..shards).map(|_| normal(random) * clock_ms / 1e3).collect();
    let due = |tick: usize| tick as f64 / RATE as f64;
    let ticks = RATE as usize * SIMULATED_S;
    let at: Vec<f64> = (0..ticks).map(|tick| due(tick) + clocks[tick % shards] + lag.draw_us(random) / 1e6).collect();
    let mut off: Vec<f64> = at.iter().enumerate().map(|(tick, at)| (at - due(tick)).abs() * 1e3).collect();
    let mut at = at;
    at.sort_by(f64::total_cmp);
    off.sort_by(f64::total_cmp);
    let mut from = 0;
    let mut most = 0;
    for (index, moment) in at.iter().enumerate() {
        while moment - at[from] >= 1.0 {
            from += 1;
        }
        most = most.max(index - from + 1);
    }
    (off[off.len() / 2], off[off.len() * 99 / 100], most)
}

/// The parts of so many shards, each with its own times in every second.
fn parts(shards: usize, clock_ms: f64, random: &mut Random) -> Vec<ShardPart> {
    let (_, plan) = load("plan.yaml", "title: t\nphases: [{name: hold, rate: 200/s, for: 10m}]\n");
    let plan = plan.expect("a plan");
    let part = |number: usize| {
        let mut measured = Measured::nothing_of(plan.clone(), 1);
        let mut phase = MeasuredPhase { reached: true, ended: true, ..MeasuredPhase::default() };
        phase.elapsed = Duration::from_secs(SIMULATED_S as u64);
        for second in 0..SIMULATED_S {
            let mut tally = Tally::default();
            for _ in 0..(RATE as usize).div_ceil(shards) {
                (tally.planned, tally.sent) = (tally.planned + 1, tally.sent + 1);
                tally.classes[Class::Accepted as usize] += 1;
                let took = Duration::from_secs_f64(0.002 * (0.5 * normal(random)).exp());
                tally.response[Class::Accepted as usize].record(took);
            }
            measured.seconds.push(MeasuredSecond::new(second as u64, &tally));
            phase.tally.add(&tally);
        }
        measured.phases = vec![phase];
        // Known to half a millisecond, as on one network.
        let ahead = (normal(random) * clock_ms * 1e6) as i64;
        let clock = Some(ClockOffset { least_ns: ahead - 500_000, most_ns: ahead + 500_000 });
        ShardPart { number: number as u32, clock, measured: Ok(measured) }
    };
    (0..shards).map(part).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> io::Result<()> {
    let rounds = std::env::args().find_map(|word| word.strip_prefix("rounds=")?.parse().ok()).unwrap_or(3);
    let (_serve, url) = serve(&["--app-limit", "none", "--message-limit", "none"])?;
    let moments = Moments::default();
    let noted = Arc::clone(&moments);
    // When each call comes in.
    let url = relay(&url, move |request| {
        if is_call(request) {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
        Ok(|reply| reply)
    })?;
    let mut all: [Vec<Arrived>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (processes, runs) in [1, 4].into_iter().zip(&mut all) {
            runs.push(sent(&url, &moments, processes)?);
        }
    }
    println!("gaps between calls as they come in, off by (medians of {rounds} rounds): p50, p99");
    let off = |runs: &[Arrived], share: f64| median(runs.iter().map(|run| run.off.quantile(share).as_secs_f64() * 1e6).collect());
    for (name, runs) in ["one process", "four processes"].into_iter().zip(&all) {
        println!("  {name:16} {:6.0} µs {:6.0} µs", off(runs, 0.5), off(runs, 0.99));
    }
    let lag = Lag(std::array::from_fn(|at| median(all[0].iter().map(|run| run.lag[at]).collect())));
    println!("simulated, {RATE}/s for {SIMULATED_S} s, with a lag of {:?} µs (p50, p90, p99, p99.9, max):", lag.0);
    println!("  shards  clocks   off by p50     p99   most in 1 s   apart at most   inconclusive   merged in   parts");
    for shards in SHARDS {
        for clock_ms in CLOCKS_MS {
            let mut random = Random::named(1, &format!("{shards} shards {clock_ms}"));
            let (p50, p99, most) = arrivals(shards, clock_ms, &lag, &mut random);
            let parts = parts(shards, clock_ms, &mut random);
            let bytes: usize = parts.iter().map(|part| serde_json::to_vec(&part.measured).map_or(0, |text| text.len())).sum();
            let nothing = Measured::nothing_of(parts[0].measured.clone().expect("it was measured").plan, 0);
            let began = Instant::now();
            let whole = sum(nothing, parts, MOST_SKEW);
            let took = began.elapsed();
            let doubts = whole.shards.as_ref().map_or(0, |shards| doubts_of_shards(shards).len());
            let skew = whole.shards.as_ref().and_then(Shards::skew).unwrap_or_default();
            println!(
                "  {shards:6}  {clock_ms:4} ms  {p50:7.2} ms {p99:7.2} ms   {most:11}   {:10.1} ms   {:12}   {:7.2} s   {:.1} MB",
                skew.as_secs_f64() * 1e3,
                if doubts > 0 { "yes" } else { "no" },
                took.as_secs_f64(),
                bytes as f64 / 1e6
            );
        }
    }
    let worse = off(&all[1], 0.99) - off(&all[0], 0.99);
    if worse > MOST_UNEVEN_US {
        println!("four processes are less even than one by {worse:.0} µs (p99)");
        std::process::exit(1);
    }
    Ok(())
}
