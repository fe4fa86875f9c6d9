//! Waiting to the microsecond. A runtime's timer ticks once a millisecond; the kernel's does not.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{clock_gettime, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Time on the clock of an [`Alarm`], since some moment of the past that all processes share.
pub fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// A timer of the kernel's. One wait at a time.
#[derive(Debug)]
pub struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[allow(deprecated, reason = "what took its place is unsafe to call, and an OwnedFd keeps the promise that it asks for")]
    pub fn new() -> io::Result<Alarm> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Alarm(AsyncFd::with_interest(timer, Interest::READABLE)?))
    }

    /// Waits until [`now`] is `at`; not at all where that has passed.
    pub async fn wait_until(&self, at: Duration) -> io::Result<()> {
        let it_value = Timespec::try_from(at).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let expired = ready.try_io(|timer| {
                let mut times = [0; size_of::<u64>()];
                rustix::io::read(timer, &mut times).map_err(io::Error::from)
            });
            if let Ok(expired) = expired {
                return expired.map(drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_goes_off_when_its_time_has_come_and_not_before() {
        let alarm = Alarm::new().unwrap();
        for wait in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(2)] {
            let at = now() + wait;
            alarm.wait_until(at).await.unwrap();
            assert!(now() >= at);
        }
    }

    #[tokio::test]
    async fn a_time_that_has_passed_is_not_waited_for() {
        let alarm = Alarm::new().unwrap();
        alarm.wait_until(Duration::from_nanos(1)).await.unwrap();
        alarm.wait_until(now()).await.unwrap();
    }
}
