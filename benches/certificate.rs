//! How fast histories of calls side by side are judged: `cargo bench --bench certificate`.
//!
//! Many messages with few calls each, and one message with many; one call in a hundred has no reply. The time is that of the judge
//! alone, from calls that have been read to its answer. Then histories of one message before this judge and before the checker of
//! `todc-utils`, a Wing–Gong–Lowe search that carries calls out on the model: twice as many calls each time, until it takes too long.

#[path = "../tests/it/race/checker.rs"]
mod checker;
#[path = "../tests/it/race/history.rs"]
mod history;

use std::cell::Cell;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use checker::{OnTheModel, accepts, completions};
use history::{ADMIN, MSG_KEY, Made, Shape, exchanges, lawful};
use msgext::api::MemberCalls;
use msgext::history::Identity;
use msgext::judge::race::is_explained;
use msgext::judge::race::raced::{RacedHistory, RacedMessage};
use msgext::judge::race::register::Assumed;
use msgext::model::Rules;
use msgext::model::contents::Contents;
use msgext::random::Random;
use todc_utils::specifications::Specification;

const ROUNDS: usize = 5;
const MIX: [u32; 3] = [88, 8, 4];
/// One call of so many gets no reply, or hardly any.
const SOME_LOST: usize = 100;
const NONE_LOST: usize = usize::MAX;

/// Name, messages, calls on each, and the goal.
const CASES: [(&str, usize, usize, Duration); 2] = [
    ("1,000,000 calls on 100,000 messages", 100_000, 10, Duration::from_secs(3)),
    ("10,000 calls on one message", 1, 10_000, Duration::from_millis(100)),
];

/// The fewest calls that the two judges are compared on, and the most.
const FEWEST: usize = 20;
const MOST: usize = 20_480;
/// So long the other may take over one history.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, messages, calls, goal) in CASES {
        let history = made(messages, calls);
        let mut took: Vec<Duration> = (0..ROUNDS).map(|_| judged(&history)).collect();
        took.sort_unstable();
        writeln!(out, "{name}: {:?} (of {ROUNDS}: {:?} to {:?}; goal {goal:?})", took[ROUNDS / 2], took[0], took[ROUNDS - 1])?;
    }
    for (name, lost_in) in [("one call in 100 without a reply", SOME_LOST), ("every call with its reply", NONE_LOST)] {
        writeln!(out, "\none message, {name}, medians of {ROUNDS} histories: calls, msgext, todc-utils")?;
        for calls in (0..).map(|doubled| FEWEST << doubled).take_while(|calls| *calls <= MOST) {
            let histories: Vec<Vec<Made>> = (0..ROUNDS as u64)
                .map(|seed| lawful(&mut Random::seeded(seed), &Rules::default(), shape(calls, lost_in), MSG_KEY))
                .collect();
            let ours = histories.iter().map(|made| Some(judged(&RacedHistory::of(read(made, MSG_KEY))))).collect();
            let theirs: Vec<Option<Duration>> = histories.iter().map(|made| searched(made)).collect();
            writeln!(out, "{calls}: {}, {}", median(ours), median(theirs.clone()))?;
            if theirs.iter().any(Option::is_none) {
                break;
            }
        }
    }
    Ok(())
}

fn judged(history: &RacedHistory) -> Duration {
    let start = Instant::now();
    assert_eq!(is_explained(history, Assumed::DOCUMENTED), Some(true), "a lawful history");
    start.elapsed()
}

thread_local! {
    /// When the search that is under way is given up.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn is_too_late() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline)
}

/// The model until the deadline; then no call fits any more, which ends a search.
struct UntilTheDeadline;

impl Specification for UntilTheDeadline {
    type State = Contents;
    type Operation = Made;

    fn init() -> Contents {
        OnTheModel::init()
    }

    fn apply(made: &Made, before: &Contents) -> (bool, Contents) {
        if is_too_late() { (false, Contents::default()) } else { OnTheModel::apply(made, before) }
    }
}

/// How long the other takes; `None` where that is too long.
fn searched(made: &[Made]) -> Option<Duration> {
    let start = Instant::now();
    DEADLINE.set(Some(start + PATIENCE));
    let is_explained = completions(made).take_while(|_| !is_too_late()).any(accepts::<UntilTheDeadline>);
    assert!(is_explained || is_too_late(), "a lawful history");
    is_explained.then(|| start.elapsed())
}

/// What took too long is the longest.
fn median(mut took: Vec<Option<Duration>>) -> String {
    took.sort_unstable_by_key(|took| took.unwrap_or(Duration::MAX));
    let given_up = took.iter().filter(|took| took.is_none()).count();
    let median = took[took.len() / 2].map_or_else(|| format!("more than {PATIENCE:?}"), |median| format!("{median:?}"));
    if given_up == 0 { median } else { format!("{median} ({given_up} of {} given up)", took.len()) }
}

fn shape(calls: usize, lost_in: usize) -> Shape {
    Shape { clients: 8, calls, keys: 3, most_kvs: 2, mix: MIX, lost_in }
}

/// A history, message by message, so that no more than one is held as it was sent.
fn made(messages: usize, calls: usize) -> RacedHistory {
    let (mut random, rules) = (Random::seeded(7), Rules::default());
    let message = |number: usize| {
        let msg_key = format!("{number}_2_3");
        read(&lawful(&mut random, &rules, shape(calls, SOME_LOST), &msg_key), &msg_key)
    };
    RacedHistory::of((0..messages).flat_map(message).collect())
}

fn read(made: &[Made], msg_key: &str) -> Vec<RacedMessage> {
    let identity = Identity { admin: ADMIN.to_owned(), member_calls: MemberCalls::Identifier };
    RacedHistory::read(&exchanges(made), &identity, [msg_key]).messages
}
