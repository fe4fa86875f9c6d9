//! How surely a limiter is found out in real time: `msgext limits` against `msgext serve`, over TCP.
//!
//!     cargo bench --bench limits_tcp [-- [tries=N] WORDS]
//!
//! Each kind as the app's limit, one after another, since each burst needs a core; four kinds, and two numbers that are off by one, as a
//! message's limit in a window of 10 s, side by side. Ends with 1 where one is not named right. Words pick the cases whose names have
//! them all.

#![expect(clippy::print_stdout, reason = "a table")]

#[path = "support/endpoint.rs"]
mod endpoint;

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use endpoint::{KEY, MSGEXT, Running, serve};
use serde_json::Value;

/// A limit of the app or of a message, and the numbers that are named: of a bucket the calls in the window that it is told by.
struct Case {
    whose: &'static str,
    limit: &'static str,
    kind: &'static str,
    number: u64,
    exit: i32,
}

const fn case(whose: &'static str, limit: &'static str, kind: &'static str, number: u64, exit: i32) -> Case {
    Case { whose, limit, kind, number, exit }
}

const CASES: [Case; 17] = [
    case("app", "fixed-window-aligned:200/1s", "fixed-window-aligned", 200, 0),
    case("app", "fixed-window-anchored:200/1s", "fixed-window-anchored", 200, 0),
    case("app", "sliding-log:200/1s", "sliding-log", 200, 0),
    case("app", "sliding-log:200/1s,rejected", "sliding-log", 200, 0),
    case("app", "sliding-counter:200/1s", "sliding-counter", 200, 0),
    case("app", "token-bucket:200/1s", "token-bucket", 200, 0),
    case("app", "gcra:200/1s", "token-bucket", 200, 0),
    case("app", "leaky-queue:200/1s", "leaky-queue", 200, 0),
    case("app", "interval-refill:200/1s", "interval-refill", 200, 0),
    case("app", "token-bucket:201/1s", "token-bucket", 201, 1),
    case("app", "fixed-window-aligned:199/1s", "fixed-window-aligned", 199, 1),
    // In a tenth of the documented window a message is served ten times as much: that breaks LIM-4.
    case("message", "fixed-window-aligned:200/10s", "fixed-window-aligned", 200, 1),
    case("message", "fixed-window-anchored:200/10s", "fixed-window-anchored", 200, 1),
    case("message", "sliding-log:200/10s", "sliding-log", 200, 1),
    case("message", "token-bucket:200/10s", "token-bucket", 200, 1),
    case("message", "sliding-log:199/10s", "sliding-log", 199, 1),
    case("message", "sliding-log:201/10s", "sliding-log", 201, 1),
];

/// What a search came to.
struct Named {
    is_right: bool,
    told: String,
    took: Duration,
}

fn serve_case(case: &Case) -> io::Result<(Running, String)> {
    let [own, other] = if case.whose == "app" { ["--app-limit", "--message-limit"] } else { ["--message-limit", "--app-limit"] };
    serve(&[own, case.limit, other, "none"])
}

fn search(case: &Case) -> io::Result<Named> {
    let (folder, (_serve, url), began) = (tempfile::tempdir()?, serve_case(case)?, Instant::now());
    let mut command = Command::new(MSGEXT);
    command.args(["limits", "--quiet", "--only", case.whose, "--target", &url]);
    command.args(["--sdkappid", "1400000000", "--admin", "administrator"]).env(KEY.0, KEY.1);
    let status = command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let limit = named(folder.path())?;
    let is_named = limit["kind"] == case.kind && limit["limit"] == case.number;
    let told = format!("{} {}, {:.3} sure", limit["kind"], limit["limit"], limit["confidence"].as_f64().unwrap_or(0.0));
    Ok(Named { is_right: is_named && status.code() == Some(case.exit), told, took: began.elapsed() })
}

fn named(folder: &Path) -> io::Result<Value> {
    let report = std::fs::read(folder.join("reports/limits/report.json"))?;
    let report: Value = serde_json::from_slice(&report)?;
    Ok(report["limits"][0].clone())
}

/// Tries a case so often, and tells how it went; whether it was right each time.
fn tried(case: &Case, tries: usize) -> io::Result<bool> {
    let named = (0..tries).map(|_| search(case)).collect::<io::Result<Vec<Named>>>()?;
    let right = named.iter().filter(|named| named.is_right).count();
    let mut took: Vec<f64> = named.iter().map(|named| named.took.as_secs_f64()).collect();
    took.sort_by(f64::total_cmp);
    println!(
        "{:8} {:36} {right} of {tries} right, {:.0} s (of {tries}: {:.0} to {:.0})",
        case.whose,
        case.limit,
        took[tries / 2],
        took[0],
        took[tries - 1]
    );
    for wrong in named.iter().filter(|named| !named.is_right) {
        println!("    {}", wrong.told);
    }
    Ok(right == tries)
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let tries = words.iter().find_map(|word| word.strip_prefix("tries=")?.parse().ok()).filter(|tries| *tries > 0).unwrap_or(1);
    let is_asked = |case: &&Case| {
        let name = format!("{} {}", case.whose, case.limit);
        words.iter().all(|word| word.starts_with("tries=") || name.contains(word.as_str()))
    };
    let mut all_right = true;
    for case in CASES.iter().filter(is_asked).filter(|case| case.whose == "app") {
        all_right &= tried(case, tries)?;
    }
    std::thread::scope(|scope| {
        let messages = CASES.iter().filter(is_asked).filter(|case| case.whose == "message");
        let searches: Vec<_> = messages.map(|case| scope.spawn(move || tried(case, tries))).collect();
        for search in searches {
            all_right &= search.join().map_err(|_| io::Error::other("a search panicked"))??;
        }
        io::Result::Ok(())
    })?;
    if !all_right {
        std::process::exit(1);
    }
    Ok(())
}
