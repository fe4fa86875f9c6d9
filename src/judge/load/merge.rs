//! What several shards measured of one load, added up.
//!
//! Every shard carries out the calls of its own messages, each when the whole plan has it due, so that the parts add up to the plan
//! call by call. Nothing is judged but the sum.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::fit::worst;
use super::measured::{Measured, MeasuredPhase, MeasuredSecond, ReadBackCount, TimedCall};
use super::shards::{ClockOffset, ShardRun, Shards};
use super::tally::Latency;

/// One shard's part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardPart {
    pub number: u32,
    pub clock: Option<ClockOffset>,
    /// Or why there is nothing.
    pub measured: Result<Measured, String>,
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
    use crate::judge::load::shards::{MOST_SKEW, Shard};
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
}
