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
        if let Some(due) = self.due(Instant::now()) {
            sleep_until(due).await;
        }
    }

    /// When whoever comes now may send; `None` without a budget.
    fn due(&self, now: Instant) -> Option<Instant> {
        let gap = self.gap?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.max(now));
        *next = Some(due + gap);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_spreads_requests_and_none_does_not() {
        let (now, budget) = (Instant::now(), Budget::of(Some(Rate::a_second(100))));
        let due: Vec<Instant> = (0..51).filter_map(|_| budget.due(now)).collect();
        assert_eq!((due.len(), due[0], due[50]), (51, now, now + Duration::from_millis(500)));
        assert_eq!(Budget::of(None).due(now), None);
    }

    #[test]
    fn a_pause_is_not_made_up_for_by_a_burst() {
        let (start, budget) = (Instant::now(), Budget::of(Some(Rate::a_second(10))));
        assert_eq!(budget.due(start), Some(start));
        let later = start + Duration::from_secs(5);
        let due = [0, 1, 2].map(|_| budget.due(later));
        assert_eq!(due, [0, 100, 200].map(|milliseconds| Some(later + Duration::from_millis(milliseconds))));
    }
}
