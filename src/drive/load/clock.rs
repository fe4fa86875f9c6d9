//! Time for a thread that paces: a clock that every thread of a run shares, and a sleep that wakes in time.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

use crate::clock::Timestamp;

/// The clock of a run, the same for every thread of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MonotonicClock(Instant);

impl MonotonicClock {
    /// The same for all runs on one ground, and for whoever reads back: their times can be compared.
    pub(super) fn starting_at(start: Instant) -> MonotonicClock {
        MonotonicClock(start)
    }

    pub(super) fn now(self) -> Timestamp {
        Timestamp::after_start(self.0.elapsed())
    }
}

/// A timer for an epoll loop. It wakes the thread a little early, and the thread spins for the rest: a sleep ends late by
/// whatever the scheduler takes, a spin does not.
#[derive(Debug)]
pub(super) struct Timer {
    fd: OwnedFd,
    set_for: Option<Timestamp>,
    /// How much early it wakes: a little more than the latest sleeps were late.
    margin: Duration,
}

const FIRST_MARGIN: Duration = Duration::from_micros(200);
const LEAST_MARGIN: Duration = Duration::from_micros(60);
const MOST_MARGIN: Duration = Duration::from_micros(500);
/// A late sleep is remembered for some thousand others: one in a hundred that is late would be the 99th percentile of all lag.
const MEMORY: u32 = 4096;

impl Timer {
    /// A timer for the calling thread.
    pub(super) fn new() -> io::Result<Timer> {
        // By default the kernel may end a sleep 50 µs late to save wake-ups. Where it cannot be told, the spin is longer.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Timer { fd, set_for: None, margin: FIRST_MARGIN })
    }

    /// What an epoll has to watch, edge-triggered: setting the timer again is enough, it need not be read.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Sets the timer so that the thread can wait for `at`. `false` where that is so near that it has to spin.
    ///
    /// Of a `gap` between two calls half is slept where it can be. A thread that never sleeps is overdue when anything else
    /// wants its core, and stands aside for milliseconds; one that does sleep comes before whatever ran meanwhile.
    pub(super) fn set(&mut self, at: Timestamp, now: Timestamp, gap: Duration) -> io::Result<bool> {
        let early = self.margin.min((gap / 2).max(LEAST_MARGIN));
        let Some(sleep) = at.since(now).checked_sub(early).filter(|sleep| !sleep.is_zero()) else { return Ok(false) };
        let wake = now + sleep;
        if self.set_for != Some(wake) {
            let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(sleep) };
            timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
            self.set_for = Some(wake);
        }
        Ok(true)
    }

    /// Learns from having woken at `now` how late sleeps end here.
    pub(super) fn woke(&mut self, now: Timestamp) {
        let Some(wake) = self.set_for.filter(|wake| now >= *wake) else { return };
        let late = now.since(wake) * 5 / 4;
        let decayed = self.margin.saturating_sub(self.margin / MEMORY);
        self.margin = decayed.max(late).clamp(LEAST_MARGIN, MOST_MARGIN);
        self.set_for = None;
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Timestamp {
        Timestamp::after_start(Duration::from_micros(us))
    }

    #[test]
    fn what_is_far_is_slept_for_and_what_is_near_is_spun_for() {
        let mut timer = Timer::new().expect("a timer");
        let gap = Duration::from_micros;
        assert!(timer.set(at(10_000), at(0), gap(10_000)).expect("set"));
        assert!(!timer.set(at(10_000), at(9_990), gap(10_000)).expect("not set"));
        // Of a gap of 200 µs half is slept, whatever the margin is.
        assert!(timer.set(at(10_200), at(10_090), gap(200)).expect("set"));
        assert!(!timer.set(at(10_050), at(10_000), gap(50)).expect("not set"));
    }

    #[test]
    fn late_sleeps_widen_the_margin_and_good_ones_narrow_it() {
        let mut timer = Timer::new().expect("a timer");
        let before = timer.margin;
        timer.set(at(10_000), at(0), Duration::MAX).expect("set");
        timer.woke(at(10_000) + MOST_MARGIN);
        let late = timer.margin;
        assert!(late > before);
        for round in 1..20_000 {
            timer.set(at(round * 100_000), at((round - 1) * 100_000), Duration::MAX).expect("set");
            timer.woke(timer.set_for.expect("it is set"));
        }
        assert!(timer.margin < late && timer.margin >= LEAST_MARGIN);
    }
}
