//! How many calls a lawful limiter may let through: what a scenario may expect before the first refusal.
//!
//! The documentation gives a limit, not a way of counting, so every kind of [`crate::model::limiter`] that has the
//! documented limit (and, where it has a burst, a burst of the limit) is lawful. Never says which kind it was.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::At;
use crate::scenario::conform::LimitExpect;
use crate::verdict::Finding;

/// How many calls may be let through before the first refusal, by any lawful limiter that was unused until then.
///
/// The calls come one after another; `elapsed` is from the first one's sending to the last one's reply, so every arrival
/// lies within it, however long each call was under way. What is counted must be one a call, and each call must count.
/// The lower bound speaks only of runs that ended in a refusal.
///
/// **At least `limit`.** Nothing was counted before, and refusing needs `limit` counted: a window's count, a log's length
/// and a meter's excess are at most the number of calls so far; a bucket has at least `limit` tokens less those calls; and
/// a sliding counter, whose window before the first call is empty, weighs each call by one or, after an edge, by less.
///
/// **At most `limit` for each aligned window touched**, which are at most `ceil(elapsed / window) + 1`: one more than
/// fit, because the first call may come just before an edge, and a single one when no time passes. No kind lets through more:
/// - anchored windows, and a log, hold `limit` in any stretch of one window from a first call on, refilled intervals too,
///   and `floor(elapsed / window) + 1` such stretches cover the time;
/// - a sliding counter refuses at `limit` in each aligned window, whatever the one before weighs;
/// - a bucket, GCRA or a meter lets through its burst and what flows in, `limit + floor(limit * elapsed / window)`, which
///   is an aligned window's bound without its rounding up;
/// - a queue decides as a meter, and each delay is itself part of `elapsed`: one call at a time never fills it.
pub fn lawful_rounds(limit: u64, window: Duration, elapsed: Duration) -> RangeInclusive<u64> {
    let windows = elapsed.as_nanos().div_ceil(window.as_nanos().max(1)) + 1;
    limit..=u64::try_from(windows).unwrap_or(u64::MAX).saturating_mul(limit)
}

/// What a repetition up to the first refusal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    Lawful,
    /// Boxed: the other outcomes are small, and this one is rare.
    Unlawful(Box<Finding>),
    /// So much time went by that no limiter had to refuse; says so.
    TooSlow(String),
}

/// Judges the rounds before the first refusal, which came after them where `refused`.
pub fn judge_rounds(limit: &LimitExpect, rounds: u64, refused: bool, elapsed: Duration, at: &At) -> Judged {
    let lawful = lawful_rounds(limit.rounds, limit.window.0, elapsed);
    if !refused && rounds <= *lawful.end() {
        return Judged::TooSlow(format!("{rounds} rounds took {elapsed:.1?}: no limiter has to refuse one of them"));
    }
    if refused && lawful.contains(&rounds) {
        return Judged::Lawful;
    }
    let clause = if rounds < *lawful.start() { &limit.fewer } else { &limit.more };
    let range = if lawful.start() == lawful.end() {
        lawful.start().to_string()
    } else {
        format!("{} to {}", lawful.start(), lawful.end())
    };
    let actual = format!("{rounds} in {elapsed:.1?}{}", if refused { "" } else { ", none refused" });
    let finding = at.on(clause).below("/limit").finding("calls served", format!("{range} served, then one refused"), actual);
    Judged::Unlawful(Box::new(finding))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::limiter::{Admission, Algorithm, Limit, Limiter};
    use crate::yaml::span::Span;

    const MINUTE: Duration = Duration::from_mins(1);
    /// A whole hour, so that an aligned window begins here.
    const START: Duration = Duration::from_hours(472_222);

    struct Rounds {
        let_through: u64,
        refused: bool,
        elapsed: Duration,
    }

    /// Calls one after another until the first refusal: the next is sent a gap after the last reply, which takes a queue's
    /// delay and the way there and back.
    fn rounds(limit: &Limit, start: Duration, ways: impl IntoIterator<Item = [Duration; 3]>) -> Rounds {
        let mut limiter = Limiter::new(limit);
        let (mut now, mut let_through) = (start, 0);
        for (index, [gap, there, back]) in ways.into_iter().enumerate() {
            if index > 0 {
                now += gap;
            }
            now += there;
            let decision = limiter.admit(now, 1);
            now += back;
            match decision {
                Admission::Refuse => return Rounds { let_through, refused: true, elapsed: now.saturating_sub(start) },
                Admission::Admit => {}
                Admission::AdmitAfter(delay) => now += delay,
            }
            let_through += 1;
        }
        Rounds { let_through, refused: false, elapsed: now.saturating_sub(start) }
    }

    fn at_once() -> impl Iterator<Item = [Duration; 3]> {
        std::iter::repeat_n([Duration::ZERO; 3], 1000)
    }

    #[test]
    fn calls_at_one_instant_are_let_through_up_to_the_limit_exactly() {
        for kind in Algorithm::all(200) {
            let seen = rounds(&Limit::new(kind, 200, MINUTE), START, at_once());
            // One call at a time never fills a queue of two or more.
            let is_queue = matches!(kind, Algorithm::LeakyQueue { .. });
            assert_eq!((seen.refused, seen.let_through == 200), (!is_queue, !is_queue), "{}", kind.name());
            assert!(lawful_rounds(200, MINUTE, seen.elapsed).contains(&seen.let_through), "{}", kind.name());
        }
        assert_eq!(lawful_rounds(200, MINUTE, Duration::ZERO), 200..=200);
    }

    #[test]
    fn one_more_or_one_less_than_the_limit_at_one_instant_is_unlawful() {
        for unlawful in [199, 201] {
            for kind in Algorithm::all(unlawful).into_iter().filter(|kind| !matches!(kind, Algorithm::LeakyQueue { .. })) {
                let seen = rounds(&Limit::new(kind, unlawful, MINUTE), START, at_once());
                assert!(seen.refused && seen.elapsed.is_zero());
                assert!(!lawful_rounds(200, MINUTE, seen.elapsed).contains(&seen.let_through), "{}", kind.name());
            }
        }
    }

    #[test]
    fn one_less_than_the_limit_is_unlawful_however_long_it_took() {
        for elapsed in [0, 1, 59, 60, 3600].map(Duration::from_secs) {
            assert!(lawful_rounds(200, MINUTE, elapsed).contains(&200));
            assert!(!lawful_rounds(200, MINUTE, elapsed).contains(&199));
        }
    }

    #[test]
    fn two_limits_around_an_edge_are_lawful_and_one_call_more_is_not() {
        let limit = Limit::new(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 200, MINUTE);
        let nanosecond = Duration::from_nanos(1);
        let gaps =
            (0..1000).map(|index| [if index == 200 { nanosecond } else { Duration::ZERO }, Duration::ZERO, Duration::ZERO]);
        let seen = rounds(&limit, START.saturating_sub(nanosecond), gaps);
        assert_eq!((seen.let_through, seen.elapsed), (400, nanosecond));
        assert_eq!(lawful_rounds(200, MINUTE, nanosecond), 200..=400);
    }

    #[test]
    fn a_whole_window_touches_two_and_a_nanosecond_more_touches_three() {
        assert_eq!(lawful_rounds(200, MINUTE, MINUTE), 200..=400);
        assert_eq!(lawful_rounds(200, MINUTE, MINUTE + Duration::from_nanos(1)), 200..=600);
    }

    #[test]
    fn bounds_that_no_number_holds_are_saturated() {
        assert_eq!(lawful_rounds(u64::MAX, Duration::ZERO, Duration::MAX), u64::MAX..=u64::MAX);
    }

    /// Mostly no time at all, so that limiters fill; at times a good part of a window.
    fn any_time() -> impl Strategy<Value = Duration> {
        prop_oneof![8 => Just(0u64), 3 => 0..4u64, 1 => 0..60u64].prop_map(Duration::from_nanos)
    }

    fn any_ways() -> impl Strategy<Value = Vec<[Duration; 3]>> {
        prop::collection::vec([any_time(), any_time(), any_time()], 1..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_lawful_limiter_is_ever_outside(
            limit in 1..12u64, window in 1..100u64, start in 0..1000u64, phase in 0..100u64, count_rejected: bool,
            ways in any_ways(),
        ) {
            let window = Duration::from_nanos(window);
            let phased = Algorithm::FixedWindowAligned { phase: Duration::from_nanos(phase) };
            for kind in Algorithm::all(limit).into_iter().chain([phased]) {
                let lawful = Limit { count_rejected, ..Limit::new(kind, limit, window) };
                let seen = rounds(&lawful, Duration::from_nanos(start), ways.iter().copied());
                let range = lawful_rounds(limit, window, seen.elapsed);
                let inside = if seen.refused { range.contains(&seen.let_through) } else { seen.let_through <= *range.end() };
                prop_assert!(inside, "{}: {} not in {:?}", lawful, seen.let_through, range);
            }
        }
    }

    #[test]
    fn rounds_are_judged_by_the_time_they_took() {
        let limit = LimitExpect { rounds: 200, window: Span(MINUTE), fewer: "LIM-3".into(), more: "LIM-4".into() };
        let at = At { clause: "LIM-4".into(), place: "/scenarios/0/steps/0/repeat".into(), exchange: None };
        let judged = |rounds, refused, seconds| judge_rounds(&limit, rounds, refused, Duration::from_secs(seconds), &at);
        let clause = |judged: Judged| match judged {
            Judged::Unlawful(finding) => finding.clause,
            other => panic!("{other:?}"),
        };
        assert_eq!(judged(200, true, 0), Judged::Lawful);
        assert_eq!(clause(judged(201, true, 0)), "LIM-4");
        assert_eq!(clause(judged(199, true, 0)), "LIM-3");
        assert_eq!(judged(400, true, 3), Judged::Lawful);
        assert_eq!(clause(judged(401, false, 3)), "LIM-4");
        assert!(matches!(judged(401, false, 70), Judged::TooSlow(_)));
    }
}
