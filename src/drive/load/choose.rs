//! Which message, which operation and how many pairs: a function of the call's number, so that every thread agrees.

#![expect(clippy::cast_possible_truncation, reason = "a plan has fewer messages and callers than 2^32")]

use crate::api::Operation;
use crate::judge::load::shards::Shard;
use crate::random::Random;
use crate::scenario::Caller;
use crate::scenario::load::{Choice, Traffic};

/// The choices of one phase, ready to be made.
#[derive(Clone, Debug)]
pub(super) struct Chooser {
    traffic: Traffic,
    seed: u64,
    /// Ascending sums of the ranks' weights, for [`Choice::Zipf`].
    sums: Vec<f64>,
    /// Every call is a set, so that nothing has to be drawn.
    only_sets: bool,
}

/// What one call is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) operation: Operation,
    pub(super) kvs: u32,
    pub(super) caller: Caller,
}

/// What is one worker's of all: every so many-th.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// The worker's, from 0.
    pub(super) number: u32,
    /// How many workers there are.
    pub(super) of: u32,
}

impl Share {
    /// Of one thread of so many of a shard. All that its threads have together is the shard's.
    pub(super) fn of_thread(thread: u32, threads: u32, shard: Shard) -> Share {
        Share { number: shard.number + thread * shard.of, of: shard.of * threads }
    }

    /// How many of so many things.
    pub(super) fn part(self, all: u32) -> u32 {
        let Share { number, of } = self;
        Shard { number, of }.part(all)
    }

    /// Whether the call's message, and so the call, is this worker's.
    pub(super) fn has(self, chooser: &Chooser, call: u64) -> bool {
        self.of == 1 || chooser.message(call) % self.of == self.number
    }

    /// The next of this worker's messages, round and round within first and end.
    pub(super) fn after(self, message: u32, (first, end): (u32, u32)) -> u32 {
        let next = message + self.of;
        if next < end { next } else { first + (self.number + self.of - first % self.of) % self.of }
    }
}

impl Chooser {
    pub(super) fn new(traffic: &Traffic, seed: u64) -> Chooser {
        let ranks = traffic.messages.1 - traffic.messages.0;
        let sums = match traffic.choice {
            Choice::Zipf(exponent) => (1..=ranks)
                .scan(0.0, |sum, rank| {
                    *sum += f64::from(rank).powf(-exponent);
                    Some(*sum)
                })
                .collect(),
            Choice::Spread | Choice::Hot { .. } => Vec::new(),
        };
        let only_sets = traffic.mix.delete == 0 && traffic.mix.clear == 0 && traffic.kvs.0 == traffic.kvs.1;
        Chooser { traffic: traffic.clone(), seed, sums, only_sets }
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The message of the call with this number.
    pub(super) fn message(&self, call: u64) -> u32 {
        let (first, end) = self.traffic.messages;
        let count = u64::from(end - first);
        let spread = |call: u64| first + (call % count) as u32;
        match self.traffic.choice {
            Choice::Spread => spread(call),
            Choice::Hot { one_in } if call.is_multiple_of(u64::from(one_in)) || count == 1 => first,
            Choice::Hot { one_in } => first + 1 + ((call - call / u64::from(one_in) - 1) % (count - 1)) as u32,
            Choice::Zipf(_) => {
                let total = self.sums.last().copied().unwrap_or(1.0);
                let drawn = unit(self.random(call).next_u64()) * total;
                first + (self.sums.partition_point(|sum| *sum <= drawn) as u32).min(end - first - 1)
            }
        }
    }

    /// Whether another message may take a call of this one's, where this one is busy. The hot one's stay its own.
    pub(super) fn may_stand_in(&self, message: u32) -> bool {
        !matches!(self.traffic.choice, Choice::Hot { .. }) || message != self.traffic.messages.0
    }

    /// Everything else of it.
    pub(super) fn chosen(&self, call: u64) -> Chosen {
        let Traffic { mix, kvs, callers, .. } = &self.traffic;
        let caller = callers[(call % callers.len() as u64) as usize];
        if self.only_sets {
            return Chosen { operation: Operation::Set, kvs: kvs.0, caller };
        }
        let mut random = self.random(!call);
        let drawn = random.below((mix.set + mix.delete + mix.clear) as usize) as u32;
        let operation = match drawn {
            drawn if drawn < mix.set => Operation::Set,
            drawn if drawn < mix.set + mix.delete => Operation::Delete,
            _ => Operation::Clear,
        };
        Chosen { operation, kvs: kvs.0 + random.below((kvs.1 - kvs.0 + 1) as usize) as u32, caller }
    }

    fn random(&self, call: u64) -> Random {
        Random::seeded(self.seed ^ call.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

/// A number from 0 to 1, of 53 random bits.
fn unit(bits: u64) -> f64 {
    const STEPS: f64 = (1_u64 << 53) as f64;
    (bits >> 11) as f64 / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load::Mix;

    fn traffic(choice: Choice) -> Traffic {
        Traffic {
            mix: Mix { set: 8, delete: 1, clear: 1 },
            kvs: (1, 3),
            value_bytes: (16, 16),
            keys: 5,
            messages: (2, 12),
            choice,
            callers: vec![Caller::Sender, Caller::Admin],
        }
    }

    fn counts(choice: Choice) -> Vec<u32> {
        let chooser = Chooser::new(&traffic(choice), 7);
        let mut counts = vec![0; 12];
        (0..10_000).for_each(|call| counts[chooser.message(call) as usize] += 1);
        counts
    }

    #[test]
    fn spread_calls_go_round_and_hot_ones_to_the_first() {
        assert!(counts(Choice::Spread)[2..].iter().all(|count| *count == 1000));
        let hot = counts(Choice::Hot { one_in: 2 });
        assert_eq!((hot[1], hot[2]), (0, 5000));
        assert!(hot[3..].iter().all(|count| (555..=556).contains(count)), "{hot:?}");
    }

    #[test]
    fn zipf_gives_the_ranks_their_weights() {
        let counts = counts(Choice::Zipf(1.0));
        // The sum of 1/r for ten ranks is 2.93.
        assert!((3200..3650).contains(&counts[2]) && (1550..1880).contains(&counts[3]), "{counts:?}");
    }

    #[test]
    fn shares_are_apart_and_make_up_the_whole() {
        let chooser = Chooser::new(&traffic(Choice::Spread), 7);
        let shares = [0, 1, 2].map(|number| Share { number, of: 3 });
        assert!((0..100).all(|call| shares.iter().filter(|share| share.has(&chooser, call)).count() == 1));
        assert_eq!(shares.map(|share| share.part(8)), [3, 3, 2]);
        assert_eq!([2, 5, 8, 11].map(|message| shares[2].after(message, (2, 12))), [5, 8, 11, 2]);
        assert_eq!(shares[0].after(9, (2, 12)), 3);
    }

    #[test]
    fn the_threads_of_a_shard_have_together_what_is_the_shards() {
        let chooser = Chooser::new(&traffic(Choice::Spread), 7);
        for number in 0..3 {
            let shard = Shard::new(number, 3).expect("one of three");
            for threads in 1..4 {
                let shares: Vec<Share> = (0..threads).map(|thread| Share::of_thread(thread, threads, shard)).collect();
                let owners = |call| shares.iter().filter(|share| share.has(&chooser, call)).count();
                assert!((0..100).all(|call| owners(call) == usize::from(chooser.message(call) % 3 == number)));
            }
        }
    }

    #[test]
    fn the_mix_is_kept_and_the_same_for_the_same_seed() {
        let chooser = Chooser::new(&traffic(Choice::Spread), 7);
        let sets = (0..10_000).filter(|call| chooser.chosen(*call).operation == Operation::Set).count();
        assert!((7800..8200).contains(&sets), "{sets}");
        assert!((0..1000).all(|call| (1..=3).contains(&chooser.chosen(call).kvs)));
        assert_eq!(chooser.chosen(5), Chooser::new(&traffic(Choice::Spread), 7).chosen(5));
        assert_eq!(chooser.chosen(1).caller, Caller::Admin);
    }
}
