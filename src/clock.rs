//! Time as a value, and a clock that moves only when it is told to. Whoever reads the real one hands the time on as an argument.
//!
//! A load run knows two kinds of moments, whose origins differ: [`Timestamp`] and [`Offset`]. Only [`Zero`] leads from one to
//! the other.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moment on the clock of a run, in whole nanoseconds since that was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A moment of a plan, in whole nanoseconds since its zero; what happened before that is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(i64);

/// When a plan's zero is on the clock of the run that carries it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zero(pub Timestamp);

impl Timestamp {
    /// So long after the clock was started.
    pub fn after_start(time: Duration) -> Timestamp {
        Timestamp(nanoseconds(time))
    }

    /// The time that has passed since then; zero where that is still to come.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The next whole multiple of a time, counted from the clock's start.
    pub fn next_multiple_of(self, time: Duration) -> Timestamp {
        let step = nanoseconds(time).max(1);
        Timestamp((self.0 / step + 1).saturating_mul(step))
    }
}

impl Offset {
    pub const ZERO: Offset = Offset(0);
    /// Later than everything.
    pub const MAX: Offset = Offset(i64::MAX);

    /// So long after the plan's zero.
    pub fn after_zero(time: Duration) -> Offset {
        Offset::from_nanos(nanoseconds(time))
    }

    pub fn from_nanos(nanoseconds: u64) -> Offset {
        Offset(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
    }

    /// The time that has passed since then; zero where that is still to come.
    pub fn since(self, earlier: Offset) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// So long before.
    pub fn before(self, time: Duration) -> Offset {
        Offset(self.0.saturating_sub_unsigned(nanoseconds(time)))
    }

    /// The time since the plan's zero; zero where that is still to come.
    pub fn since_zero(self) -> Duration {
        self.since(Offset::ZERO)
    }

    /// As [`Offset::since_zero`], in nanoseconds.
    pub fn as_nanos(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl Zero {
    pub fn offset(self, time: Timestamp) -> Offset {
        Offset(time.0.wrapping_sub(self.0.0).cast_signed())
    }

    pub fn timestamp(self, offset: Offset) -> Timestamp {
        Timestamp(self.0.0.saturating_add_signed(offset.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(nanoseconds(time)))
    }
}

impl Add<Duration> for Offset {
    type Output = Offset;

    fn add(self, time: Duration) -> Offset {
        Offset(self.0.saturating_add_unsigned(nanoseconds(time)))
    }
}

/// Shared time since 1970 for one embedded endpoint; clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    pub fn starting_at(now: Duration) -> VirtualClock {
        VirtualClock(Arc::new(AtomicU64::new(nanoseconds(now))))
    }

    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }
}

/// Nanoseconds in 64 bits last until the year 2554.
/// In whole nanoseconds, as far as a number of 64 bits goes.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_time_and_it_stands_still_until_moved() {
        let clock = VirtualClock::starting_at(Duration::from_secs(10));
        let other = clock.clone();
        assert_eq!(other.now(), Duration::from_secs(10));
        clock.advance(Duration::from_millis(1));
        assert_eq!(other.now(), Duration::from_millis(10_001));
    }

    #[test]
    fn the_zero_leads_from_the_clock_to_the_plan_and_back() {
        let at = |ms| Timestamp::after_start(Duration::from_millis(ms));
        let zero = Zero(at(20));
        assert_eq!(zero.offset(at(50)), Offset::after_zero(Duration::from_millis(30)));
        assert_eq!(zero.timestamp(zero.offset(at(50))), at(50));
        // What came before the plan is told from what came with its zero, and is no time since then.
        assert!(zero.offset(at(5)) < Offset::ZERO && zero.offset(at(20)) == Offset::ZERO);
        assert_eq!((zero.offset(at(5)).since_zero(), zero.timestamp(zero.offset(at(5)))), (Duration::ZERO, at(5)));
    }

    #[test]
    fn what_lies_ahead_is_no_time_ago_and_nothing_comes_after_the_end() {
        let (early, late) = (Offset::from_nanos(10), Offset::from_nanos(30));
        assert_eq!((late.since(early), early.since(late)), (Duration::from_nanos(20), Duration::ZERO));
        assert_eq!((Offset::MAX + Duration::MAX, Offset::after_zero(Duration::MAX)), (Offset::MAX, Offset::MAX));
        let now = Timestamp::after_start(Duration::from_millis(200));
        assert_eq!(now.next_multiple_of(Duration::from_millis(100)), now + Duration::from_millis(100));
    }
}
