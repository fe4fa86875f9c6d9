//! The request budget: so many requests a second over everything that a run sends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::yaml::rate::Rate;

/// Spaces requests evenly; shared by all scenarios of a run.
#[derive(Debug)]
pub struct Budget {
    /// Time between two requests; `None` for no budget.
    gap: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Budget {
    /// `None` sends without waiting.
    pub fn of(rate: Option<Rate>) -> Budget {
        Budget { gap: rate.map(|rate| rate.time(1)), next: Mutex::new(None) }
    }

    /// Waits for the next request's turn. A turn that nobody took is lost, not saved up: no burst ever exceeds the rate.
    pub async fn turn(&self) {
        let Some(gap) = self.gap else { return };
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let due = next.map_or(now, |next| next.max(now));
            *next = Some(due + gap);
            due
        };
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_spreads_requests_and_none_does_not() {
        let start = Instant::now();
        let budget = Budget::of(Some(Rate::a_second(100)));
        for _ in 0..51 {
            budget.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 500);
        let free = Budget::of(None);
        for _ in 0..1000 {
            free.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for_by_a_burst() {
        let budget = Budget::of(Some(Rate::a_second(10)));
        budget.turn().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let start = Instant::now();
        for _ in 0..3 {
            budget.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 200);
    }
}
