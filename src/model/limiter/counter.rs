//! One counter of a limit: it decides first and updates after.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Admission, Algorithm, Limit, MAX_LIMIT, MAX_WINDOW};
use crate::clock::nanoseconds;

/// One counter of a [`Limit`]: for one app, one message, one key or whatever its scope is. Never used, it is full.
#[derive(Clone, Debug)]
pub struct Limiter {
    limit: u64,
    /// In nanoseconds.
    window: u64,
    count_rejected: bool,
    /// The latest time seen, in nanoseconds since 1970. A clock that steps back stands still here until it has caught up.
    now: u64,
    state: CounterState,
}

/// Where a level is kept it is in tokens times the window's nanoseconds: so it moves by exactly `limit` a nanosecond.
#[derive(Clone, Debug)]
enum CounterState {
    FixedWindowAligned {
        phase: u64,
        index: u64,
        count: u64,
    },
    FixedWindowAnchored {
        start: Option<u64>,
        count: u64,
    },
    SlidingLog {
        entries: VecDeque<(u64, u64)>,
        sum: u64,
    },
    SlidingCounter {
        index: u64,
        previous: u64,
        current: u64,
    },
    TokenBucket {
        capacity: u128,
        tokens: u128,
    },
    /// Times are in nanoseconds times the limit, in which the interval between two calls is exactly the window.
    Gcra {
        tolerance: u128,
        arrival: u128,
    },
    LeakyMeter {
        capacity: u128,
        excess: u128,
    },
    LeakyQueue {
        capacity: u128,
        excess: u128,
    },
    IntervalRefill {
        start: Option<u64>,
        tick: u64,
        left: u64,
    },
}

impl Limiter {
    pub fn new(limit: &Limit) -> Limiter {
        let window = nanoseconds(limit.window.clamp(Duration::from_nanos(1), MAX_WINDOW));
        let calls = limit.limit.min(MAX_LIMIT);
        let level = |burst: u64| level(burst.min(MAX_LIMIT), window);
        let state = match limit.algorithm {
            Algorithm::FixedWindowAligned { phase } => {
                CounterState::FixedWindowAligned { phase: nanoseconds(phase) % window, index: 0, count: 0 }
            }
            Algorithm::FixedWindowAnchored => CounterState::FixedWindowAnchored { start: None, count: 0 },
            Algorithm::SlidingLog => CounterState::SlidingLog { entries: VecDeque::new(), sum: 0 },
            Algorithm::SlidingCounter => CounterState::SlidingCounter { index: 0, previous: 0, current: 0 },
            Algorithm::TokenBucket { burst } => CounterState::TokenBucket { capacity: level(burst), tokens: level(burst) },
            Algorithm::Gcra { burst } => CounterState::Gcra { tolerance: level(burst), arrival: 0 },
            Algorithm::LeakyMeter { burst } => CounterState::LeakyMeter { capacity: level(burst), excess: 0 },
            Algorithm::LeakyQueue { capacity } => CounterState::LeakyQueue { capacity: level(capacity), excess: 0 },
            Algorithm::IntervalRefill => CounterState::IntervalRefill { start: None, tick: 0, left: calls },
        };
        Limiter { limit: calls, window, count_rejected: limit.count_rejected, now: 0, state }
    }

    /// Decides on a call of so much weight at `now` (since 1970) and counts it. A call without weight always passes.
    #[inline]
    pub fn admit(&mut self, now: Duration, weight: u64) -> Admission {
        self.admit_at(nanoseconds(now), weight)
    }

    /// As [`Limiter::admit`], at so many nanoseconds since 1970.
    #[inline]
    pub fn admit_at(&mut self, now: u64, weight: u64) -> Admission {
        self.advance(now);
        if self.fits(weight) {
            let wait = self.wait();
            self.take(weight);
            if wait.is_zero() { Admission::Admit } else { Admission::AdmitAfter(wait) }
        } else {
            if self.count_rejected {
                self.take(weight);
            }
            Admission::Refuse
        }
    }

    /// Counts a call that was not asked about: an invalid one, where these count too.
    pub fn charge(&mut self, now: Duration, weight: u64) {
        self.advance(nanoseconds(now));
        self.take(weight);
    }

    /// Brings the state up to `now`: what has ended is forgotten, what refills or leaks has done so.
    #[inline]
    fn advance(&mut self, now: u64) {
        let before = self.now;
        self.now = before.max(now);
        let (now, limit, window) = (self.now, self.limit, self.window);
        let flow = level(limit, now - before);
        match &mut self.state {
            CounterState::FixedWindowAligned { phase, index, count } => {
                // A window is added so that times before the phase, in the first window since 1970, have an index too.
                let this = now.saturating_add(window - *phase) / window;
                if this != *index {
                    (*index, *count) = (this, 0);
                }
            }
            CounterState::FixedWindowAnchored { start, count } => {
                if start.is_none_or(|start| now - start >= window) {
                    (*start, *count) = (Some(now), 0);
                }
            }
            CounterState::SlidingLog { entries, sum } => {
                while let Some((_, weight)) = entries.pop_front_if(|(time, _)| now - *time >= window) {
                    *sum -= weight;
                }
            }
            CounterState::SlidingCounter { index, previous, current } => {
                let this = now / window;
                if this != *index {
                    *previous = if this == *index + 1 { *current } else { 0 };
                    (*index, *current) = (this, 0);
                }
            }
            CounterState::TokenBucket { capacity, tokens } => *tokens = tokens.saturating_add(flow).min(*capacity),
            CounterState::Gcra { .. } => {}
            CounterState::LeakyMeter { excess, .. } | CounterState::LeakyQueue { excess, .. } => {
                *excess = excess.saturating_sub(flow);
            }
            CounterState::IntervalRefill { start, tick, left } => {
                let this = (now - *start.get_or_insert(now)) / window;
                if this != *tick {
                    (*tick, *left) = (this, limit);
                }
            }
        }
    }

    #[inline]
    fn fits(&self, weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        let cost = level(weight, self.window);
        match &self.state {
            CounterState::FixedWindowAligned { count, .. } | CounterState::FixedWindowAnchored { count, .. } => {
                count.saturating_add(weight) <= self.limit
            }
            CounterState::SlidingLog { sum, .. } => sum.saturating_add(weight) <= self.limit,
            CounterState::SlidingCounter { previous, current, .. } => {
                let covered = level(*previous, self.window - self.now % self.window);
                // The rule asks that the estimate *before* the call is below the limit, not that the one after is within it;
                // the two differ by the fraction. The rest of a heavier call has to fit whole.
                covered + level(current.saturating_add(weight - 1), self.window) < level(self.limit, self.window)
            }
            CounterState::TokenBucket { tokens, .. } => *tokens >= cost,
            CounterState::Gcra { tolerance, arrival } => {
                let now = level(self.limit, self.now);
                now.max(*arrival).saturating_add(cost) <= now.saturating_add(*tolerance)
            }
            CounterState::LeakyMeter { capacity, excess } | CounterState::LeakyQueue { capacity, excess } => {
                excess + cost <= *capacity
            }
            CounterState::IntervalRefill { left, .. } => *left >= weight,
        }
    }

    /// How long a call that fits is held back, rounded up: it is never let out early.
    #[inline]
    fn wait(&self) -> Duration {
        match &self.state {
            CounterState::LeakyQueue { excess, .. } => {
                let wait = excess.div_ceil(u128::from(self.limit.max(1)));
                Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
            }
            _ => Duration::ZERO,
        }
    }

    /// Counts without asking. What is counted although it did not fit goes no deeper than "nothing left": a level without
    /// a floor would refuse for as long after a flood as the flood was long, and the log would grow with it.
    #[inline]
    fn take(&mut self, weight: u64) {
        if weight == 0 {
            return;
        }
        let cost = level(weight, self.window);
        match &mut self.state {
            CounterState::FixedWindowAligned { count, .. } | CounterState::FixedWindowAnchored { count, .. } => {
                *count = count.saturating_add(weight);
            }
            CounterState::SlidingLog { entries, sum } => {
                let weight = weight.min(self.limit);
                entries.push_back((self.now, weight));
                *sum += weight;
                // The newest entries that fill the limit decide alone: older ones are gone before any of these is.
                while let Some((_, surplus)) = entries.pop_front_if(|(_, weight)| *sum - *weight >= self.limit) {
                    *sum -= surplus;
                }
            }
            CounterState::SlidingCounter { current, .. } => *current = current.saturating_add(weight),
            CounterState::TokenBucket { tokens, .. } => *tokens = tokens.saturating_sub(cost),
            CounterState::Gcra { tolerance, arrival } => {
                let now = level(self.limit, self.now);
                *arrival = now.max(*arrival).saturating_add(cost).min(now.saturating_add(*tolerance));
            }
            CounterState::LeakyMeter { capacity, excess } | CounterState::LeakyQueue { capacity, excess } => {
                *excess = (*excess + cost).min(*capacity);
            }
            CounterState::IntervalRefill { left, .. } => *left = left.saturating_sub(weight),
        }
    }
}

/// So many tokens, or what flows at such a limit in so many nanoseconds.
fn level(tokens: u64, nanoseconds: u64) -> u128 {
    u128::from(tokens) * u128::from(nanoseconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::limiter::Unit;

    const MINUTE: Duration = Duration::from_mins(1);
    const MS: u64 = 1_000_000;
    /// A whole hour, so that seconds of the clock are seconds of an aligned window.
    const START: Duration = Duration::from_hours(472_222);

    /// A limiter and the calls of a probe on it; times are in nanoseconds since a whole minute.
    struct Probe(Limiter);

    impl Probe {
        fn new(limit: &Limit) -> Probe {
            Probe(Limiter::new(limit))
        }

        fn call(&mut self, at: u64) -> bool {
            self.0.admit(START + Duration::from_nanos(at), 1) != Admission::Refuse
        }

        /// How many of `count` calls at `rate_per_s`, the first at `from`, were accepted.
        fn burst(&mut self, from: u64, count: u64, rate_per_s: u64) -> u64 {
            (0..count).map(|i| u64::from(self.call(from + i * 1_000_000_000 / rate_per_s))).sum()
        }
    }

    fn s(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    fn e1(limit: &Limit) -> u64 {
        Probe::new(limit).burst(s(5), 300, 150)
    }

    fn e2(limit: &Limit) -> [u64; 3] {
        [20, 56, 62].map(|wait| {
            let mut probe = Probe::new(limit);
            probe.burst(s(5), 300, 150);
            probe.burst(s(5 + wait), 300, 150)
        })
    }

    fn e2b(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 100, 150);
        probe.burst(s(35), 100, 150);
        probe.burst(s(67), 300, 150)
    }

    fn e4(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        let step = 1_000_000_000 / 150;
        let first = s(60) - 100 * MS - 199 * step;
        let before: u64 = (0..200).map(|i| u64::from(probe.call(first + i * step))).sum();
        before + probe.burst(s(60) + 100 * MS, 200, 150)
    }

    fn e6(limit: &Limit) -> [u64; 6] {
        let mut probe = Probe::new(limit);
        // 2r = 400 a minute: 200 calls in each 30 s.
        std::array::from_fn(|bin| (0..200).map(|i| u64::from(probe.call(s(8) + (bin as u64 * 200 + i) * 150 * MS))).sum())
    }

    fn e3(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 200, 150);
        probe.burst(s(8), 1800, 10)
    }

    /// Second of the first accepted call when polling at 10/s after a fill, and how many pass at that very instant.
    fn e7(limit: &Limit) -> Option<(f64, u64)> {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 300, 150);
        let first = (0..6000).map(|i| s(7) + i * 100 * MS).find(|at| probe.call(*at))?;
        let more = (0..300).take_while(|_| probe.call(first)).count() as u64;
        Some(((first / MS) as f64 / 1000.0, 1 + more))
    }

    fn e8(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.call(s(5));
        probe.burst(s(95), 200, 150);
        probe.burst(s(131), 200, 150)
    }

    struct Foretold {
        limits: &'static [&'static str],
        e1: u64,
        e2: [u64; 3],
        e2b: u64,
        e4: u64,
        e6: [u64; 6],
        e3: u64,
        e7: Option<(f64, u64)>,
    }

    /// What each kind accepts of each probe, told beforehand from the rules alone.
    const TABLE: &[Foretold] = &[
        Foretold {
            limits: &["fixed-window-aligned:200/60s"],
            e1: 200,
            e2: [0, 200, 200],
            e2b: 200,
            e4: 400,
            e6: [200, 53, 147, 53, 147, 53],
            e3: 480,
            e7: Some((60.0, 200)),
        },
        Foretold {
            limits: &["fixed-window-anchored:200/60s", "interval-refill:200/60s"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 200,
            e4: 200,
            e6: [200, 0, 200, 0, 200, 0],
            e3: 430,
            e7: Some((65.0, 200)),
        },
        Foretold {
            limits: &["sliding-log:200/60s"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 100,
            e4: 200,
            e6: [200, 0, 200, 0, 200, 0],
            e3: 430,
            e7: Some((65.0, 1)),
        },
        Foretold {
            limits: &["sliding-log:200/60s,rejected"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 100,
            e4: 200,
            e6: [200, 0, 0, 0, 0, 0],
            e3: 0,
            e7: None,
        },
        Foretold {
            limits: &["sliding-counter:200/60s"],
            e1: 200,
            e2: [0, 10, 30],
            e2b: 30,
            e4: 205,
            e6: [200, 27, 100, 100, 100, 100],
            e3: 427,
            // At :60.0 the last window still counts whole.
            e7: Some((60.1, 1)),
        },
        Foretold {
            limits: &["sliding-counter:200/60s,rejected"],
            e1: 200,
            e2: [0, 0, 0],
            e2b: 24,
            e4: 201,
            e6: [200, 0, 0, 0, 0, 0],
            e3: 0,
            e7: None,
        },
        Foretold {
            limits: &["token-bucket:200/60s", "gcra:200/60s", "leaky-meter:200/60s", "leaky-queue:200/60s"],
            e1: 206,
            e2: [67, 187, 206],
            e2b: 206,
            e4: 209,
            e6: [200, 199, 100, 100, 100, 100],
            e3: 609,
            e7: Some((7.1, 1)),
        },
        Foretold {
            limits: &["token-bucket:200/60s,burst=50", "gcra:200/60s,burst=50", "leaky-meter:200/60s,burst=50"],
            e1: 56,
            e2: [56, 56, 56],
            e2b: 56,
            e4: 59,
            e6: [149, 100, 100, 100, 100, 100],
            e3: 605,
            e7: Some((7.1, 1)),
        },
        Foretold {
            limits: &["token-bucket:200/60s,burst=1", "gcra:200/60s,burst=1", "leaky-meter:200/60s,burst=1"],
            e1: 7,
            e2: [7, 7, 7],
            e2b: 7,
            e4: 10,
            e6: [100, 100, 100, 100, 100, 100],
            e3: 600,
            e7: Some((7.1, 1)),
        },
    ];

    #[test]
    fn every_kind_accepts_of_every_probe_what_its_rule_foretells() {
        for row in TABLE {
            for text in row.limits {
                let limit: Limit = text.parse().unwrap();
                assert_eq!(e1(&limit), row.e1, "{text} E1");
                assert_eq!(e2(&limit), row.e2, "{text} E2");
                assert_eq!(e2b(&limit), row.e2b, "{text} E2b");
                assert_eq!(e4(&limit), row.e4, "{text} E4");
                assert_eq!(e6(&limit), row.e6, "{text} E6");
                assert_eq!(e3(&limit), row.e3, "{text} E3");
                assert_eq!(e7(&limit), row.e7, "{text} E7");
            }
        }
    }

    #[test]
    fn only_a_burst_that_spans_an_interval_tells_anchored_windows_from_interval_refill() {
        assert_eq!(e8(&"fixed-window-anchored:200/60s".parse().unwrap()), 0);
        assert_eq!(e8(&"interval-refill:200/60s".parse().unwrap()), 200);
    }

    #[test]
    fn a_drip_a_little_above_the_rate_is_cut_by_windows_and_passes_a_bucket() {
        for (text, accepted) in [
            ("fixed-window-aligned:200/60s", 1000),
            ("fixed-window-anchored:200/60s", 1000),
            ("sliding-log:200/60s", 1000),
            ("token-bucket:200/60s", 1050),
            ("sliding-log:200/60s,rejected", 200),
        ] {
            let mut probe = Probe::new(&text.parse().unwrap());
            let drip: u64 = (0..1050).map(|i| u64::from(probe.call(i * s(300) / 1050))).sum();
            assert_eq!(drip, accepted, "{text}");
        }
    }

    #[test]
    fn two_bursts_around_a_second_show_how_an_app_is_limited() {
        for (text, accepted) in [
            ("fixed-window-aligned:200/1s", 400),
            ("sliding-log:200/1s", 200),
            ("sliding-counter:200/1s", 220),
            ("token-bucket:200/1s", 239),
        ] {
            let mut probe = Probe::new(&text.parse().unwrap());
            // 200 calls in 90 ms, the last one a step before its end: from .90 to .99 and from .01 to .10.
            let mut burst = |from: u64| (0..200).map(|i| u64::from(probe.call(from + i * 90 * MS / 200))).sum::<u64>();
            assert_eq!(burst(900 * MS) + burst(1010 * MS), accepted, "{text}");
        }
    }

    #[test]
    fn invalid_calls_that_are_charged_leave_nothing_and_those_that_are_not_are_free() {
        for kind in Algorithm::all(200) {
            let limit = Limit::new(kind, 200, MINUTE);
            let mut free = Limiter::new(&limit);
            let mut charged = Limiter::new(&limit);
            let admitted =
                |limiter: &mut Limiter, count: u32| (0..count).filter(|_| limiter.admit(START, 1) != Admission::Refuse).count();
            assert_eq!((admitted(&mut free, 100), admitted(&mut charged, 100)), (100, 100));
            (0..150).for_each(|_| charged.charge(START, 1));
            assert_eq!((admitted(&mut free, 200), admitted(&mut charged, 200)), (100, 0), "{}", kind.name());
        }
    }

    #[test]
    fn a_call_weighs_one_request_or_its_pairs() {
        for kind in Algorithm::all(200) {
            let accepted = |unit: Unit| {
                let mut limiter = Limiter::new(&Limit::new(kind, 200, MINUTE));
                (0..300).filter(|_| limiter.admit(START, unit.weight(8)) != Admission::Refuse).count()
            };
            assert_eq!((accepted(Unit::Request), accepted(Unit::Kv)), (200, 25), "{}", kind.name());
        }
    }

    #[test]
    fn a_call_without_weight_passes_even_a_full_limiter() {
        for kind in Algorithm::all(1) {
            let mut limiter = Limiter::new(&Limit::new(kind, 1, MINUTE));
            assert_eq!(limiter.admit(START, 1), Admission::Admit);
            assert_eq!(limiter.admit(START, 1), Admission::Refuse, "{}", kind.name());
            assert_ne!(limiter.admit(START, 0), Admission::Refuse, "{}", kind.name());
        }
    }

    #[test]
    fn a_queue_delays_by_position_and_refuses_only_when_full() {
        let mut limiter = Limiter::new(&"leaky-queue:200/1s,burst=3".parse().unwrap());
        let decisions: Vec<Admission> = (0..4).map(|_| limiter.admit(START, 1)).collect();
        let after = |ms| Admission::AdmitAfter(Duration::from_millis(ms));
        assert_eq!(decisions, [Admission::Admit, after(5), after(10), Admission::Refuse]);
        assert_eq!(limiter.admit(START + Duration::from_millis(7), 1), after(8));
    }

    #[test]
    fn a_delay_that_is_no_whole_nanosecond_is_rounded_up() {
        let mut limiter = Limiter::new(&"leaky-queue:3/1s".parse().unwrap());
        limiter.admit(START, 1);
        assert_eq!(limiter.admit(START, 1), Admission::AdmitAfter(Duration::from_nanos(333_333_334)));
    }

    #[test]
    fn a_phase_moves_the_edge_of_aligned_windows() {
        let mut limiter = Limiter::new(&"fixed-window-aligned:1/60s,phase=30s".parse().unwrap());
        let at = |seconds| START + Duration::from_secs(seconds);
        assert_eq!(limiter.admit(at(5), 1), Admission::Admit);
        assert_eq!(limiter.admit(at(29), 1), Admission::Refuse);
        assert_eq!(limiter.admit(at(30), 1), Admission::Admit);
        assert_eq!(limiter.admit(at(60), 1), Admission::Refuse);
    }

    #[test]
    fn an_entry_leaves_the_log_exactly_one_window_later_and_not_before() {
        let mut limiter = Limiter::new(&"sliding-log:1/60s".parse().unwrap());
        assert_eq!(limiter.admit(START, 1), Admission::Admit);
        assert_eq!(limiter.admit(START + Duration::from_nanos(59_999_999_999), 1), Admission::Refuse);
        assert_eq!(limiter.admit(START + MINUTE, 1), Admission::Admit);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        for kind in Algorithm::all(2) {
            let mut limiter = Limiter::new(&Limit::new(kind, 2, MINUTE));
            let decisions = [5, 0, 5].map(|ms| limiter.admit(START + Duration::from_millis(ms), 1) != Admission::Refuse);
            assert_eq!(decisions, [true, true, false], "{}", kind.name());
        }
    }

    /// A call that asks or is charged: nanoseconds since the one before, and weight.
    fn any_calls() -> impl Strategy<Value = Vec<(bool, u64, u64)>> {
        let gap = prop_oneof![3 => 0..3u64, 2 => 0..40u64, 1 => 0..400u64];
        let weight = prop_oneof![4 => Just(1u64), 1 => 0..6u64];
        prop::collection::vec((prop::bool::weighted(0.9), gap, weight), 0..120)
    }

    fn decisions(limit: &Limit, calls: &[(bool, u64, u64)]) -> Vec<Option<bool>> {
        let mut limiter = Limiter::new(limit);
        let mut now = START;
        let mut decide = |(asks, gap, weight): &(bool, u64, u64)| {
            now += Duration::from_nanos(*gap);
            if *asks {
                Some(limiter.admit(now, *weight) != Admission::Refuse)
            } else {
                limiter.charge(now, *weight);
                None
            }
        };
        calls.iter().map(&mut decide).collect()
    }

    /// The log with every entry kept for ever, charged and refused ones where they count.
    fn decisions_of_a_full_log(limit: &Limit, calls: &[(bool, u64, u64)]) -> Vec<Option<bool>> {
        let mut entries: Vec<(Duration, u64)> = Vec::new();
        let mut now = START;
        let mut decide = |(asks, gap, weight): &(bool, u64, u64)| {
            now += Duration::from_nanos(*gap);
            let held: u64 = entries.iter().filter(|(time, _)| *time + limit.window > now).map(|(_, weight)| weight).sum();
            let fits = *weight == 0 || held + weight <= limit.limit;
            if fits || !asks || limit.count_rejected {
                entries.push((now, *weight));
            }
            asks.then_some(fits)
        };
        calls.iter().map(&mut decide).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn bucket_gcra_meter_and_queue_decide_alike(
            limit in 1..9u64, burst in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let of = |kind| Limit { count_rejected, ..Limit::new(kind, limit, Duration::from_nanos(window)) };
            let bucket = decisions(&of(Algorithm::TokenBucket { burst }), &calls);
            prop_assert_eq!(&decisions(&of(Algorithm::Gcra { burst }), &calls), &bucket);
            prop_assert_eq!(&decisions(&of(Algorithm::LeakyMeter { burst }), &calls), &bucket);
            prop_assert_eq!(&decisions(&of(Algorithm::LeakyQueue { capacity: burst }), &calls), &bucket);
        }

        #[test]
        fn a_log_that_forgets_decides_as_one_that_does_not(
            limit in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let limit = Limit { count_rejected, ..Limit::new(Algorithm::SlidingLog, limit, Duration::from_nanos(window)) };
            prop_assert_eq!(decisions(&limit, &calls), decisions_of_a_full_log(&limit, &calls));
        }

        #[test]
        fn a_log_never_holds_more_entries_than_the_limit(
            limit in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let limit = Limit { count_rejected, ..Limit::new(Algorithm::SlidingLog, limit, Duration::from_nanos(window)) };
            let mut limiter = Limiter::new(&limit);
            let mut now = START;
            for (asks, gap, weight) in calls {
                now += Duration::from_nanos(gap);
                if asks { limiter.admit(now, weight); } else { limiter.charge(now, weight); }
                let CounterState::SlidingLog { entries, .. } = &limiter.state else { panic!("not a log") };
                prop_assert!(entries.len() as u64 <= limit.limit);
            }
        }

        #[test]
        fn no_limit_time_or_weight_overflows(
            kind in 0..9usize, numbers: [u64; 3], window: Duration, times: [Duration; 4], weight: u64, count_rejected: bool,
        ) {
            let [limit, burst, small] = numbers;
            for limit in [limit, u64::MAX, 0] {
                let limit = Limit { count_rejected, ..Limit::new(Algorithm::all(burst)[kind], limit, window) };
                let mut limiter = Limiter::new(&limit);
                for now in times.into_iter().chain([Duration::MAX]) {
                    limiter.admit(now, weight);
                    limiter.admit(now, small % 9);
                    limiter.charge(now, u64::MAX);
                }
            }
        }
    }
}
