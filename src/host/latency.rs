//! Time that a server adds to its answers, so that what a client measures can be held against what is known.

use std::str::FromStr;
use std::time::Duration;

use crate::random::Random;
use crate::yaml::span::Span;

/// How long an answer takes from the arrival of its request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AddedLatency {
    Constant(Duration),
    /// A share of the set calls, from 0 to 1, takes `slow`, all else `fast`.
    Bimodal {
        fast: Duration,
        slow: Duration,
        slow_share: f64,
    },
}

/// A latency that cannot be read from the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no latency: write 2ms, 500us or 1s, at most 24h, or bimodal:FAST,SLOW,SHARE such as bimodal:1ms,50ms,1%")]
pub struct ParseLatencyError(String);

impl AddedLatency {
    /// What this answer takes; set calls are numbered, other requests are not. The same number always takes the same time.
    pub fn of(self, set_call: Option<u64>) -> Duration {
        match self {
            AddedLatency::Constant(time) => time,
            AddedLatency::Bimodal { fast, slow, slow_share } => {
                let is_slow = set_call.is_some_and(|number| share_of_range(number) < slow_share);
                if is_slow { slow } else { fast }
            }
        }
    }
}

impl Default for AddedLatency {
    fn default() -> AddedLatency {
        AddedLatency::Constant(Duration::ZERO)
    }
}

/// A number from 0 to 1 that depends on `number` only, and looks random from one number to the next.
fn share_of_range(number: u64) -> f64 {
    f64::from(Random::seeded(number).next_u32()) / (f64::from(u32::MAX) + 1.0)
}

impl FromStr for AddedLatency {
    type Err = ParseLatencyError;

    fn from_str(text: &str) -> Result<AddedLatency, ParseLatencyError> {
        let wrong = || ParseLatencyError(text.to_owned());
        let Some(parts) = text.strip_prefix("bimodal:") else {
            return time(text).map(AddedLatency::Constant).ok_or_else(wrong);
        };
        let [fast, slow, share] = parts.split(',').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let percent: Option<f64> = share.strip_suffix('%').and_then(|percent| percent.parse().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(wrong)?;
        let (fast, slow) = (time(fast).ok_or_else(wrong)?, time(slow).ok_or_else(wrong)?);
        Ok(AddedLatency::Bimodal { fast, slow, slow_share: percent / 100.0 })
    }
}

fn time(text: &str) -> Option<Duration> {
    text.parse().ok().map(|Span(time)| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_latency_is_a_time_or_two_times_and_a_share() {
        assert_eq!("2ms".parse(), Ok(AddedLatency::Constant(2 * MILLISECOND)));
        assert_eq!("250us".parse(), Ok(AddedLatency::Constant(MILLISECOND / 4)));
        let bimodal = AddedLatency::Bimodal { fast: MILLISECOND, slow: 50 * MILLISECOND, slow_share: 0.01 };
        assert_eq!("bimodal:1ms,50ms,1%".parse(), Ok(bimodal));
        for wrong in ["", "2", "us", "bimodal:1ms,50ms", "bimodal:1ms,50ms,1", "bimodal:1ms,50ms,101%", "bimodal:1,2,3%"] {
            let error = wrong.parse::<AddedLatency>().expect_err(wrong);
            assert!(error.to_string().contains("bimodal:1ms,50ms,1%"), "{error}");
        }
    }

    #[test]
    fn the_slow_share_is_slow_and_always_the_same_calls_are() {
        let latency = AddedLatency::Bimodal { fast: MILLISECOND, slow: 50 * MILLISECOND, slow_share: 0.01 };
        let slow = |number: &u64| latency.of(Some(*number)) > MILLISECOND;
        let calls: Vec<u64> = (0..100_000).filter(slow).collect();
        assert!((900..1100).contains(&calls.len()), "{} of 100,000", calls.len());
        assert_eq!(calls, (0..100_000).filter(slow).collect::<Vec<_>>());
        // Slow calls come close to each other and far from each other, as they do by chance.
        assert!(calls.windows(2).any(|pair| pair[1] - pair[0] < 5) && calls.windows(2).any(|pair| pair[1] - pair[0] > 300));
    }

    #[test]
    fn only_set_calls_are_slow() {
        let latency = AddedLatency::Bimodal { fast: MILLISECOND, slow: 50 * MILLISECOND, slow_share: 1.0 };
        assert_eq!((latency.of(None), latency.of(Some(7))), (MILLISECOND, 50 * MILLISECOND));
    }
}
