//! Time for a thread that paces: nanoseconds since the run began, and a sleep that wakes in time.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

/// Nanoseconds since one instant, the same for every thread of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A timer for an epoll loop. It wakes the thread a little early, and the thread spins for the rest: a sleep ends late by
/// whatever the scheduler takes, a spin does not.
#[derive(Debug)]
pub struct Alarm {
    timer: OwnedFd,
    /// For when it is set; 0 when it is not.
    set_for: u64,
    /// How much early it wakes: a little more than the latest sleeps were late.
    margin: u64,
}

const LEAST_MARGIN: u64 = 60_000;
const MOST_MARGIN: u64 = 500_000;
/// A late sleep is remembered for some thousand others: one in a hundred that is late would be the 99th percentile of all lag.
const MEMORY: u64 = 4096;

impl Alarm {
    /// An alarm for the calling thread.
    pub fn new() -> io::Result<Alarm> {
        // By default the kernel may end a sleep 50 µs late to save wake-ups. Where it cannot be told, the spin is longer.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Alarm { timer, set_for: 0, margin: 200_000 })
    }

    /// What an epoll has to watch, edge-triggered: setting the alarm again is enough, it need not be read.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }

    /// Sets the alarm so that the thread can wait for `at`. `false` where that is so near that it has to spin.
    ///
    /// Of a `gap` between two calls half is slept where it can be. A thread that never sleeps is overdue when anything else
    /// wants its core, and stands aside for milliseconds; one that does sleep comes before whatever ran meanwhile.
    pub fn set(&mut self, at: u64, now: u64, gap: u64) -> io::Result<bool> {
        let wake = at.saturating_sub(self.margin.min((gap / 2).max(LEAST_MARGIN)));
        if wake <= now {
            return Ok(false);
        }
        if self.set_for != wake {
            let it_value = timespec(Duration::from_nanos(wake - now));
            let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.set_for = wake;
        }
        Ok(true)
    }

    /// Learns from having woken at `now` how late sleeps end here.
    pub fn woke(&mut self, now: u64) {
        if self.set_for == 0 || now < self.set_for {
            return;
        }
        let late = (now - self.set_for) + (now - self.set_for) / 4;
        let decayed = self.margin - self.margin / MEMORY;
        self.margin = decayed.max(late).clamp(LEAST_MARGIN, MOST_MARGIN);
        self.set_for = 0;
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_is_slept_for_and_what_is_near_is_spun_for() {
        let mut alarm = Alarm::new().expect("a timer");
        assert!(alarm.set(10_000_000, 0, 10_000_000).expect("set"));
        assert!(!alarm.set(10_000_000, 9_990_000, 10_000_000).expect("not set"));
        // Of a gap of 200 µs half is slept, whatever the margin is.
        assert!(alarm.set(10_200_000, 10_090_000, 200_000).expect("set"));
        assert!(!alarm.set(10_050_000, 10_000_000, 50_000).expect("not set"));
    }

    #[test]
    fn late_sleeps_widen_the_margin_and_good_ones_narrow_it() {
        let mut alarm = Alarm::new().expect("a timer");
        let before = alarm.margin;
        alarm.set(10_000_000, 0, u64::MAX).expect("set");
        alarm.woke(10_000_000 + 100_000);
        let late = alarm.margin;
        assert!(late > before);
        for round in 1..20_000 {
            alarm.set(round * 100_000_000, (round - 1) * 100_000_000, u64::MAX).expect("set");
            alarm.woke(alarm.set_for);
        }
        assert!(alarm.margin < late && alarm.margin >= LEAST_MARGIN);
    }
}
