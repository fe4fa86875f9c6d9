//! A clock that moves only when it is told to. Whoever reads the real one hands the time on as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
fn nanoseconds(time: Duration) -> u64 {
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
}
