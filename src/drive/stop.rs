//! The user's wish to end a run early, for whoever waits and for whoever only looks now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Not set until somebody ends the run; clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Stop {
    pub fn set(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Comes back once it is set.
    pub async fn wait(&self) {
        let notified = self.notify.notified();
        // Whoever is set between the look and the wait is notified all the same: `notified` listens from its making on.
        if !self.is_set() {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn clones_are_ended_together_and_nobody_before() {
        let stop = Stop::default();
        let (other, mut waiting) = (stop.clone(), Box::pin(stop.wait()));
        assert!(!other.is_set() && waiting.as_mut().now_or_never().is_none());
        other.set();
        waiting.await;
        stop.wait().await;
        assert!(stop.is_set());
    }
}
