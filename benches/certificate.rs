//! How fast histories of calls side by side are judged: `cargo bench --bench certificate`.
//!
//! Many messages with few calls each, and one message with many; one call in a hundred has no reply. The time is that of the judge
//! alone, from calls that have been read to its answer.

#[path = "../tests/it/race/history.rs"]
mod history;

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use history::{ADMIN, Shape, exchanges, lawful};
use msgext::api::MemberCalls;
use msgext::history::Identity;
use msgext::judge::race::is_explained;
use msgext::judge::race::raced::{RacedHistory, RacedMessage};
use msgext::judge::race::register::Assumed;
use msgext::model::Rules;
use msgext::random::Random;

const ROUNDS: usize = 5;
const MIX: [u32; 3] = [88, 8, 4];

/// Name, messages, calls on each, and the goal.
const CASES: [(&str, usize, usize, Duration); 2] = [
    ("1,000,000 calls on 100,000 messages", 100_000, 10, Duration::from_secs(3)),
    ("10,000 calls on one message", 1, 10_000, Duration::from_millis(100)),
];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, messages, calls, goal) in CASES {
        let history = made(messages, calls);
        let mut took: Vec<Duration> = (0..ROUNDS).map(|_| judged(&history)).collect();
        took.sort_unstable();
        writeln!(out, "{name}: {:?} (of {ROUNDS}: {:?} to {:?}; goal {goal:?})", took[ROUNDS / 2], took[0], took[ROUNDS - 1])?;
    }
    Ok(())
}

fn judged(history: &RacedHistory) -> Duration {
    let start = Instant::now();
    assert_eq!(is_explained(history, Assumed::DOCUMENTED), Some(true), "a lawful history");
    start.elapsed()
}

/// A history, message by message, so that no more than one is held as it was sent.
fn made(messages: usize, calls: usize) -> RacedHistory {
    let (mut random, rules) = (Random::seeded(7), Rules::default());
    let identity = Identity { admin: ADMIN.to_owned(), member_calls: MemberCalls::Identifier };
    let shape = Shape { clients: 8, calls, keys: 3, most_kvs: 2, mix: MIX, lost_in: 100 };
    let message = |number: usize| -> Vec<RacedMessage> {
        let msg_key = format!("{number}_2_3");
        let made = lawful(&mut random, &rules, shape, &msg_key);
        RacedHistory::read(&exchanges(&made), &identity, [msg_key.as_str()]).messages
    };
    RacedHistory::of((0..messages).flat_map(message).collect())
}
