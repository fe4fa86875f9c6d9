//! One load from several machines: which part is whose, and how far their clocks are apart.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// More shards than these are no plan of anybody's.
const MOST_SHARDS: u32 = 10_000;
/// Clocks that may be further apart than this make a run inconclusive, where nothing else is asked: of 200 calls a second four are
/// due meanwhile.
pub const MOST_SKEW: Duration = Duration::from_millis(20);
const SECOND_NS: i64 = 1_000_000_000;

/// One of several machines that carry out a plan together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// All of a plan.
    pub const WHOLE: Shard = Shard { number: 0, of: 1 };

    /// `None` where there is no such shard.
    pub fn new(number: u32, of: u32) -> Option<Shard> {
        (number < of && of <= MOST_SHARDS).then_some(Shard { number, of })
    }

    /// How many of so many things that are dealt out in turn.
    pub fn part(self, all: u32) -> u32 {
        all / self.of + u32::from(self.number < all % self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let shard = parts.and_then(|(number, of)| Shard::new(number, of));
        shard.ok_or_else(|| format!("write which shard of how many, from 0 on, as in 0/4 to 3/4; at most {MOST_SHARDS}"))
    }
}

/// How much the target's clock is ahead of a machine's, in nanoseconds, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    pub least_ns: i64,
    pub most_ns: i64,
}

impl ClockOffset {
    /// By a reply with a `Date` of whole seconds to a call that was sent and answered then: at some moment between, the target's
    /// clock showed that second. Times are nanoseconds since 1970.
    pub fn by_date(date_s: i64, sent_ns: i64, received_ns: i64) -> ClockOffset {
        let second = date_s.saturating_mul(SECOND_NS);
        ClockOffset {
            least_ns: second.saturating_sub(received_ns),
            most_ns: second.saturating_add(SECOND_NS).saturating_sub(sent_ns),
        }
    }

    /// As both have it; `None` where they exclude each other: then the clock was set meanwhile, or its seconds are not even.
    pub fn and(self, other: ClockOffset) -> Option<ClockOffset> {
        let both = ClockOffset { least_ns: self.least_ns.max(other.least_ns), most_ns: self.most_ns.min(other.most_ns) };
        (both.least_ns <= both.most_ns).then_some(both)
    }

    /// Counted from another one.
    pub fn from(self, other_ns: i64) -> ClockOffset {
        let from = |at: i64| at.saturating_sub(other_ns);
        ClockOffset { least_ns: from(self.least_ns), most_ns: from(self.most_ns) }
    }

    pub fn middle_ns(self) -> i64 {
        self.least_ns.midpoint(self.most_ns)
    }

    /// It is off by as much at the most.
    pub fn within(self) -> Duration {
        Duration::from_nanos(self.most_ns.abs_diff(self.least_ns) / 2)
    }

    /// The parts, in nanoseconds, of a second of this machine's clock at which to ask next: the target's next second begins somewhere
    /// between, so that each reply narrows it down to what lies between two of them.
    pub fn asks(self, count: u32) -> Vec<i64> {
        let length = self.most_ns - self.least_ns;
        let at = |index: i64| -(self.least_ns + length * (2 * index + 1) / (2 * i64::from(count)));
        (0..i64::from(count)).rev().map(|index| at(index).rem_euclid(SECOND_NS)).collect()
    }
}

/// What is known of one shard of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardRun {
    pub number: u32,
    pub sent: u64,
    /// `None` where the target's replies say no time.
    pub clock: Option<ClockOffset>,
    /// The 99th percentile of its lag.
    pub lag_p99: Duration,
    /// Why nothing is known of what it was to send; then it has sent nothing, or nobody knows what.
    pub failed: Option<String>,
}

/// Who carried out a run together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shards {
    /// In the order of their numbers, one for each; of one that left nothing behind that is said.
    pub runs: Vec<ShardRun>,
    pub most_skew: Duration,
}

impl Shards {
    /// How far two of the clocks may be apart; `None` where one is not known.
    pub fn skew(&self) -> Option<Duration> {
        let clocks = self.runs.iter().filter(|run| run.failed.is_none()).map(|run| run.clock);
        let clocks: Vec<ClockOffset> = clocks.collect::<Option<_>>()?;
        let most = clocks.iter().map(|clock| clock.most_ns).max().filter(|_| clocks.len() > 1);
        let least = clocks.iter().map(|clock| clock.least_ns).min();
        Some(most.zip(least).map_or(Duration::ZERO, |(most, least)| Duration::from_nanos(most.abs_diff(least))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_clock_is_known_to_little_more_than_a_call_takes_after_four_rounds() {
        let mut random = Random::seeded(3);
        for _ in 0..200 {
            let mut below = |most: u32| i64::from(random.next_u32() % most);
            let truth = below(4_000_000_000) - 2_000_000_000;
            let mut now = 1_700_000_000_123_456_789 + below(1_000_000_000);
            let mut ask = |sent: i64| {
                let (there, back) = (below(1_000_000), below(1_000_000));
                ClockOffset::by_date((sent + there + truth).div_euclid(SECOND_NS), sent, sent + there + back)
            };
            let mut known = ask(now);
            for _ in 0..4 {
                for at in known.asks(8) {
                    known = known.and(ask(now + (at - now).rem_euclid(SECOND_NS))).expect("they agree");
                }
                now += SECOND_NS;
            }
            assert!((known.least_ns..=known.most_ns).contains(&truth), "{known:?} {truth}");
            assert!(known.within() < Duration::from_micros(1500), "{known:?} {truth}");
        }
        assert_eq!(ClockOffset { least_ns: -1000, most_ns: 1000 }.and(ClockOffset { least_ns: 2000, most_ns: 3000 }), None);
    }
}
