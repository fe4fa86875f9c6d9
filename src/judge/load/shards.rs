//! One load from several machines: which part is whose, how far their clocks are apart, and the sum of what they measured.
//!
//! Every shard carries out the calls of its own messages, each when the whole plan has it due, so that the parts add up to the plan
//! call by call. Nothing is judged but the sum.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::told;
use super::doubt::Doubt;
use super::fit::worst;
use super::measured::{Measured, MeasuredPhase, MeasuredSecond, ReadBackCount, TimedCall};
use super::tally::Latency;

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
    fn from(self, other_ns: i64) -> ClockOffset {
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

/// One shard's part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardPart {
    pub number: u32,
    pub clock: Option<ClockOffset>,
    /// Or why there is nothing.
    pub measured: Result<Measured, String>,
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

    /// Why the parts are not one load: the generator's own failings, all of them.
    pub fn doubts(&self) -> Vec<Doubt> {
        let failed = self.runs.iter().filter_map(|run| Some((run.number, run.failed.as_ref()?)));
        let failed = failed.map(|(number, why)| format!("shard {number} of {}: {why}", self.runs.len()));
        let unknown: Vec<String> = self
            .runs
            .iter()
            .filter(|run| run.failed.is_none() && run.clock.is_none())
            .map(|run| run.number.to_string())
            .collect();
        let unknown = (!unknown.is_empty()).then(|| {
            format!("how far the clocks were apart is unknown: the target told shard {} no time (Date)", unknown.join(", "))
        });
        let skew = self.skew().filter(|skew| *skew > self.most_skew);
        let skew = skew.map(|skew| {
            format!("the shards' clocks may be {} apart, over the {} that they may", told(skew), told(self.most_skew))
        });
        let reasons = failed.chain(unknown).chain(skew);
        reasons.map(|reason| Doubt { phase: None, reason, of_generator: true }).collect()
    }
}

/// What all shards measured together, bucket by bucket. `nothing` is of the plan that they had in common. Calls are placed in time by how far
/// each shard's clock was from the first one's.
pub fn sum(nothing: Measured, parts: Vec<ShardPart>, most_skew: Duration) -> Measured {
    let mut whole = Measured { threads: 0, ..nothing };
    let (mut runs, mut seconds) = (Vec::new(), SummedSeconds::default());
    let first = parts.iter().find_map(|part| part.clock).map_or(0, ClockOffset::middle_ns);
    for ShardPart { number, clock, measured } in parts {
        let of_shard = |sent, lag_p99, failed| ShardRun { number, sent, clock, lag_p99, failed };
        match measured {
            Ok(mut measured) => {
                let total = measured.total();
                runs.push(of_shard(total.sent, total.lag.quantile(0.99), None));
                seconds.add(std::mem::take(&mut measured.seconds));
                whole.add(measured, clock.map(|clock| clock.from(first)));
            }
            Err(why) => runs.push(of_shard(0, Duration::ZERO, Some(why))),
        }
    }
    whole.calls.sort_by_key(|call| call.sent);
    whole.seconds = seconds.end();
    whole.shards = Some(Shards { runs, most_skew });
    whole
}

impl Measured {
    /// Takes in what another shard measured of the same plan at the same time.
    fn add(&mut self, other: Measured, clock: Option<ClockOffset>) {
        if self.phases.is_empty() {
            self.phases = vec![MeasuredPhase { ended: true, ..MeasuredPhase::default() }; other.phases.len()];
        }
        for (phase, more) in self.phases.iter_mut().zip(&other.phases) {
            phase.add(more);
        }
        self.elapsed = self.elapsed.max(other.elapsed);
        self.findings.add(other.findings, 0);
        self.calls.extend(other.calls.into_iter().map(|call| clock.map_or(call, |clock| call.by(clock))));
        self.connections.add(&other.connections);
        self.cpu += other.cpu;
        self.threads += other.threads;
        match (&mut self.read_back, other.read_back) {
            (Some(sum), Some(more)) => sum.add(more),
            (sum, more) => *sum = sum.take().or(more),
        }
        self.cut_short = self.cut_short.take().or(other.cut_short);
    }
}

impl MeasuredPhase {
    fn add(&mut self, other: &MeasuredPhase) {
        self.tally.add(&other.tally);
        self.elapsed = self.elapsed.max(other.elapsed);
        self.reached |= other.reached;
        self.ended &= other.ended;
        self.stalled = self.stalled.max(other.stalled);
        self.busiest = self.busiest.max(other.busiest);
        self.fit = worst([self.fit, other.fit]);
    }
}

impl TimedCall {
    /// On a clock that is ahead by so much: it was sent no earlier, and answered no later, than its times then say. Nothing was sent
    /// before the plan's zero.
    fn by(self, clock: ClockOffset) -> TimedCall {
        let sent = self.sent.saturating_add_signed(clock.least_ns);
        TimedCall { sent, received: self.received.saturating_add_signed(clock.most_ns).max(sent), ..self }
    }
}

impl ReadBackCount {
    /// Each shard reads back its own messages, of those that all have.
    fn add(&mut self, other: ReadBackCount) {
        self.read += other.read;
        self.messages += other.messages;
        other.unread.into_iter().for_each(|(why, count)| *self.unread.entry(why).or_default() += count);
    }
}

/// What shards saw in the same seconds, with their times as they were read.
#[derive(Default)]
struct SummedSeconds(BTreeMap<u64, (MeasuredSecond, Latency)>);

impl SummedSeconds {
    /// Of the lag of a second each shard has told no more than its 99th percentile: the largest of these is no less than that of all.
    fn add(&mut self, seconds: Vec<MeasuredSecond>) {
        for second in seconds {
            let times = Latency::read(&second.response).unwrap_or_default();
            match self.0.entry(second.at_s) {
                Entry::Vacant(vacant) => drop(vacant.insert((second, times))),
                Entry::Occupied(mut known) => {
                    let (sum, all) = known.get_mut();
                    sum.sent += second.sent;
                    sum.accepted += second.accepted;
                    sum.refused += second.refused;
                    sum.errors += second.errors;
                    sum.lost += second.lost;
                    sum.lag_p99 = sum.lag_p99.max(second.lag_p99);
                    all.add(&times);
                }
            }
        }
    }

    fn end(self) -> Vec<MeasuredSecond> {
        let seconds = self.0.into_values().map(|(second, times)| second.with(&times));
        seconds.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Class, Fate};
    use crate::judge::load::fixture::{PLAN, measured};
    use crate::judge::load::verdict::judge;
    use crate::random::Random;
    use crate::verdict::Overall;

    const EXACT: ClockOffset = ClockOffset { least_ns: -1000, most_ns: 1000 };

    /// A run of so many calls, of which those are recorded that are this shard's.
    fn run(calls: u32, shard: Shard) -> Measured {
        let mut run = Measured::nothing_of(measured(PLAN).plan, 1);
        let mut random = Random::seeded(1);
        let mut phase = MeasuredPhase { reached: true, ended: true, elapsed: Duration::from_secs(4), ..MeasuredPhase::default() };
        let mut second = phase.tally.clone();
        for call in 0..calls {
            let took = Duration::from_micros(100 + random.below(1 << (call % 24)) as u64);
            if call % shard.of != shard.number {
                continue;
            }
            for tally in [&mut phase.tally, &mut second] {
                tally.planned += 1;
                tally.sent += 1;
                tally.classes[Class::Accepted as usize] += 1;
                tally.count_code(0, 1);
                tally.lag.record(Duration::from_micros(40));
                tally.response[Class::Accepted as usize].record(took);
            }
            let sent = u64::from(call) * 100_000_000;
            run.calls.push(TimedCall { message: 0, phase: 0, fate: Fate::Accepted, sent, received: sent + 2_000_000 });
        }
        run.seconds = vec![MeasuredSecond::new(3, &second)];
        run.elapsed = phase.elapsed;
        run.phases = vec![phase];
        run
    }

    fn parts(calls: u32, of: u32) -> Vec<ShardPart> {
        let part = |number| {
            let shard = Shard::new(number, of).expect("one of them");
            ShardPart { number, clock: Some(EXACT), measured: Ok(run(calls, shard)) }
        };
        (0..of).map(part).collect()
    }

    fn merged(parts: Vec<ShardPart>) -> Measured {
        sum(Measured::nothing_of(measured(PLAN).plan, 0), parts, MOST_SKEW)
    }

    #[test]
    fn the_parts_of_any_number_of_shards_come_to_what_one_process_measures_bucket_by_bucket() {
        let whole = run(5000, Shard::WHOLE);
        for of in [1, 2, 3, 7, 64] {
            let merged = merged(parts(5000, of));
            assert_eq!(merged.phases, whole.phases, "{of}");
            let (one, other) = (&merged.seconds[0], &whole.seconds[0]);
            let buckets = |second: &MeasuredSecond| Latency::read(&second.response).expect("a histogram");
            assert_eq!(buckets(one), buckets(other), "{of}");
            // Room for longer times may be written with it.
            assert_eq!(
                MeasuredSecond { response: String::new(), ..one.clone() },
                MeasuredSecond { response: String::new(), ..other.clone() }
            );
            assert_eq!((merged.calls.len(), merged.elapsed, merged.threads), (5000, whole.elapsed, of));
            assert!(merged.calls.is_sorted_by_key(|call| call.sent));
        }
    }

    #[test]
    fn a_shard_that_is_missing_or_has_another_time_makes_the_run_inconclusive() {
        let verdict = |change: &dyn Fn(&mut ShardPart)| {
            let mut parts = parts(40, 4);
            change(&mut parts[2]);
            let verdict = judge(&merged(parts));
            (verdict.overall, verdict.doubts.first().map(|doubt| doubt.reason.clone()).unwrap_or_default())
        };
        assert_eq!(verdict(&|_| {}).1, "");
        let (overall, reason) = verdict(&|part| part.measured = Err("it has left no part".to_owned()));
        assert_eq!((overall, reason.as_str()), (Overall::Inconclusive, "shard 2 of 4: it has left no part"));
        assert!(verdict(&|part| part.clock = None).1.contains("told shard 2 no time"));
        let ahead = |ns: i64| move |part: &mut ShardPart| part.clock = Some(ClockOffset { least_ns: ns, most_ns: ns });
        assert_eq!(verdict(&ahead(19_000_000)).1, "");
        assert_eq!(verdict(&ahead(-21_000_000)).1, "the shards' clocks may be 21.00 ms apart, over the 20.00 ms that they may");
    }

    #[test]
    fn calls_are_placed_in_time_by_the_clocks_of_their_shards() {
        let mut parts = parts(4, 2);
        parts[1].clock = Some(ClockOffset { least_ns: 299_000_000, most_ns: 301_000_000 });
        let calls: Vec<(u64, u64)> = merged(parts).calls.iter().map(|call| (call.sent, call.received)).collect();
        // Those of the second shard, sent at 100 and 300 ms of its clock.
        assert_eq!(calls[1..], [(199_999_000, 202_001_000), (399_000_000, 403_000_000), (599_000_000, 603_000_000)]);
    }

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
        assert_eq!(EXACT.and(ClockOffset { least_ns: 2000, most_ns: 3000 }), None);
    }
}
