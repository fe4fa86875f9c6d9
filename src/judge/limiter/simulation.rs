//! The plan that tests limits, played against limiters of every kind: lawful ones are never blamed, all others always are.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;

use super::{Decision, Direction, Lawful, LimiterJudgement, Timed, judge};
use crate::model::limiter::{Admission, Algorithm, Limit, Limiter, LimiterKind};
use crate::random::Random;

const LIMIT: u64 = 200;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Nanoseconds in a second, and in a microsecond.
const NANOSECONDS: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000;

/// A whole hour since 1970, to which a start within the window is added.
const START: Duration = Duration::from_hours(472_222);

/// A call as it is planned.
#[derive(Clone, Copy)]
struct Due {
    at: u64,
    is_hot: bool,
}

/// The calls of the plan. One message is hot; it alone is limited here, so many others share what is not for it.
fn plan() -> Vec<Due> {
    let mut plan = Plan { calls: Vec::new(), now: 0 };
    plan.calls(900, 150, true);
    plan.calls(320, 16, true);
    let cooled = plan.now + 121 * NANOSECONDS;
    plan.rest(2_500);
    for _ in 0..4 {
        plan.calls(200, 2000, false);
        plan.rest(3_200);
    }
    plan.calls(2000, 200, false);
    plan.rest(2_500);
    plan.calls(1500, 250, false);
    plan.rest(2_500);
    plan.calls(300, 100, false);
    plan.now = cooled;
    plan.calls(500, 150, true);
    plan.calls
}

struct Plan {
    calls: Vec<Due>,
    now: u64,
}

impl Plan {
    /// Where it is hot every second call is for the hot message.
    fn calls(&mut self, count: u64, rate: u64, hot: bool) {
        let now = self.now;
        self.calls.extend((0..count).map(|i| Due { at: now + i * NANOSECONDS / rate, is_hot: hot && i % 2 == 0 }));
        self.now += count * NANOSECONDS / rate;
    }

    fn rest(&mut self, ms: u64) {
        self.now += ms * 1_000_000;
    }
}

/// What is limited, and all that a caller does not know of it.
struct Target {
    app: Option<Limit>,
    message: Option<Limit>,
    /// When the plan begins on the target's clock, beyond a whole hour.
    start: Duration,
    /// How much faster its clock is than ours, in parts in a million.
    drift: i64,
    /// How long a call takes there, and the same back, in microseconds.
    way: (u64, u64),
    /// While it stalls, nothing reaches it.
    stall: Range<u64>,
}

/// What the plan made of a target: the app's calls, and the hot message's.
struct Seen {
    app: Vec<Timed>,
    message: Vec<Timed>,
}

impl Target {
    fn new(app: Option<Limit>, message: Option<Limit>, seed: u64) -> Target {
        let start = Duration::from_millis(Random::named(seed, "start").below(60_000) as u64);
        Target { app, message, start, drift: 0, way: (20, 500), stall: 0..0 }
    }

    fn now(&self, arrival: u64) -> Duration {
        let drift = i64::try_from(arrival).unwrap() / 1_000_000 * self.drift;
        START + self.start + Duration::from_nanos(arrival.checked_add_signed(drift).unwrap())
    }

    fn play(&self, plan: &[Due], seed: u64) -> Seen {
        let mut random = Random::seeded(seed);
        let (shortest, longest) = self.way;
        let mut way = || (shortest + random.below(usize::try_from(longest - shortest).unwrap()) as u64) * MICROSECOND;
        let arrival = |due: &Due, way| if self.stall.contains(&(due.at + way)) { self.stall.end + way } else { due.at + way };
        let mut arrivals: Vec<(u64, Due)> = plan.iter().map(|due| (arrival(due, way()), *due)).collect();
        arrivals.sort_by_key(|(arrival, _)| *arrival);
        let (mut app, mut message) = (self.app.as_ref().map(Limiter::new), self.message.as_ref().map(Limiter::new));
        let mut outcome = Seen { app: Vec::new(), message: Vec::new() };
        for (arrival, due) in arrivals {
            let ask =
                |limiter: Option<&mut Limiter>| limiter.map_or(Admission::Admit, |limiter| limiter.admit(self.now(arrival), 1));
            let by_app = ask(app.as_mut());
            let is_asked = due.is_hot && by_app != Admission::Refuse;
            let by_message = if is_asked { ask(message.as_mut()) } else { Admission::Admit };
            let received = arrival + held_back([by_app, by_message]) + way();
            let timed = |decision| Timed { sent: due.at, received, decision };
            outcome.app.push(timed(seen_as(by_app, by_message)));
            if due.is_hot {
                outcome.message.push(timed(seen_as(by_message, by_app)));
            }
        }
        outcome
    }
}

/// A queue holds back what it admits; a refusal comes at once.
fn held_back(decided: [Admission; 2]) -> u64 {
    let delays = decided.map(|decided| match decided {
        Admission::Admit => Some(0),
        Admission::AdmitAfter(delay) => Some(u64::try_from(delay.as_nanos()).unwrap()),
        Admission::Refuse => None,
    });
    delays[0].zip(delays[1]).map_or(0, |(app, message)| app.max(message))
}

fn seen_as(this: Admission, other: Admission) -> Decision {
    match (this, other) {
        (Admission::Refuse, _) => Decision::Refused,
        (_, Admission::Refuse) => Decision::Unknown,
        _ => Decision::Admitted,
    }
}

/// A limiter of every kind, and of each one that counts refused calls.
fn limiters(limit: u64, window: Duration) -> impl Iterator<Item = Limit> {
    let both = move |kind| [false, true].map(|count_rejected| Limit { count_rejected, ..Limit::new(kind, limit, window) });
    Algorithm::all(limit).into_iter().flat_map(both)
}

/// What the judge takes a limiter for.
fn class(limit: &Limit) -> Lawful {
    let (kind, counts_rejected) = match limit.algorithm.kind() {
        LimiterKind::FixedWindowAligned | LimiterKind::IntervalRefill => (LimiterKind::FixedWindowAligned, false),
        LimiterKind::FixedWindowAnchored => (LimiterKind::FixedWindowAnchored, false),
        kind => (kind, limit.count_rejected),
    };
    Lawful { kind, counts_rejected }
}

fn lawful(window: Duration) -> Limit {
    Limit::new(Algorithm::TokenBucket { burst: LIMIT }, LIMIT, window)
}

/// Plays the plan against the app's limiters of each kind, and judges them.
fn judge_apps(limit: u64, vary: impl Fn(&mut Target)) -> Vec<(Limit, LimiterJudgement)> {
    let plan = plan();
    let judged = limiters(limit, SECOND).zip(0..).map(|(app, seed)| {
        let mut target = Target::new(Some(app.clone()), Some(lawful(MINUTE)), seed);
        vary(&mut target);
        (app, judge(LIMIT, SECOND, &target.play(&plan, seed).app))
    });
    judged.collect()
}

/// Plays the plan so many times against the message's limiters of each kind, and judges them.
fn judge_messages(limit: u64, seeds: u64, vary: impl Fn(&mut Target)) -> Vec<(Limit, LimiterJudgement)> {
    let plan: Vec<Due> = plan().into_iter().filter(|due| due.is_hot).collect();
    let judged = limiters(limit, MINUTE).flat_map(|message| (0..seeds).map(move |seed| (message.clone(), seed)));
    let judged = judged.map(|(message, seed)| {
        let mut target = Target::new(None, Some(message.clone()), seed);
        vary(&mut target);
        (message, judge(LIMIT, MINUTE, &target.play(&plan, seed).message))
    });
    judged.collect()
}

fn assert_explained(judged: &[(Limit, LimiterJudgement)]) {
    for (limit, judgement) in judged {
        assert!(judgement.explained_by.contains(&class(limit)), "{limit}: {judgement:?}");
    }
}

fn assert_unlawful(judged: &[(Limit, LimiterJudgement)], direction: Direction) {
    for (limit, judgement) in judged {
        assert!(!judgement.is_lawful(), "{limit}: {judgement:?}");
        assert!(judgement.violations.iter().all(|violation| violation.direction == direction), "{limit}: {judgement:?}");
    }
}

fn on_slow_ways(target: &mut Target) {
    target.way = (1_000, 5_000);
}

#[test]
fn every_lawful_limit_of_an_app_is_explained_by_its_own_kind() {
    assert_explained(&judge_apps(LIMIT, |_| {}));
}

#[test]
fn every_lawful_limit_of_an_app_is_explained_on_slow_ways_that_reorder_calls() {
    assert_explained(&judge_apps(LIMIT, on_slow_ways));
}

#[test]
fn every_lawful_limit_of_an_app_is_explained_on_a_clock_that_drifts() {
    assert_explained(&judge_apps(LIMIT, |target| target.drift = 80));
}

#[test]
fn every_lawful_limit_of_an_app_is_explained_while_the_target_stalls() {
    let beyond = 57 * NANOSECONDS;
    assert_explained(&judge_apps(LIMIT, |target| target.stall = beyond..beyond + 4 * NANOSECONDS / 5));
}

/// A call of a queue that is admitted may have stood on the way for longer than any that is refused.
#[test]
fn no_lawful_queue_of_an_app_is_blamed_while_the_target_stalls_for_moments() {
    let plan = plan();
    for app in limiters(LIMIT, SECOND).filter(|limit| matches!(limit.algorithm, Algorithm::LeakyQueue { .. })) {
        for (ms, seed) in [3, 10, 25, 45].into_iter().flat_map(|ms| (0..60).step_by(5).map(move |seed| (ms, seed))) {
            let mut target = Target::new(Some(app.clone()), Some(lawful(MINUTE)), seed);
            let stalled = (55_000 + seed * 101) * 1_000_000;
            target.stall = stalled..stalled + ms * 1_000_000;
            let judgement = judge(LIMIT, SECOND, &target.play(&plan, seed).app);
            assert!(judgement.is_lawful(), "{app}, stalled for {ms} ms at {stalled}: {judgement:?}");
        }
    }
}

#[test]
fn every_lawful_limit_of_a_message_is_explained_by_its_own_kind() {
    assert_explained(&judge_messages(LIMIT, 12, |_| {}));
    assert_explained(&judge_messages(LIMIT, 4, on_slow_ways));
    assert_explained(&judge_messages(LIMIT, 4, |target| target.drift = -80));
}

#[test]
fn an_app_that_is_held_to_199_is_too_strict_whatever_the_kind() {
    assert_unlawful(&judge_apps(199, |_| {}), Direction::TooStrict);
}

#[test]
fn an_app_that_is_held_to_199_is_too_strict_on_slow_ways_too() {
    assert_unlawful(&judge_apps(199, on_slow_ways), Direction::TooStrict);
}

#[test]
fn an_app_that_is_held_to_150_is_too_strict_whatever_the_kind() {
    assert_unlawful(&judge_apps(150, |_| {}), Direction::TooStrict);
}

#[test]
fn an_app_that_nothing_limits_is_too_lenient() {
    let seen = Target::new(None, Some(lawful(MINUTE)), 0).play(&plan(), 0);
    assert_unlawful(&[(lawful(SECOND), judge(LIMIT, SECOND, &seen.app))], Direction::TooLenient);
}

#[test]
fn a_message_that_is_held_to_199_or_150_is_too_strict_whatever_the_kind() {
    assert_unlawful(&judge_messages(199, 8, |_| {}), Direction::TooStrict);
    assert_unlawful(&judge_messages(199, 4, on_slow_ways), Direction::TooStrict);
    assert_unlawful(&judge_messages(150, 4, |_| {}), Direction::TooStrict);
}

#[test]
fn a_message_that_nothing_limits_is_too_lenient() {
    let seen = Target::new(Some(lawful(SECOND)), None, 0).play(&plan(), 0);
    assert_unlawful(&[(lawful(MINUTE), judge(LIMIT, MINUTE, &seen.message))], Direction::TooLenient);
}

#[test]
fn a_message_that_is_never_served_again_is_too_strict() {
    let mut seen = Target::new(None, Some(lawful(MINUTE)), 0).play(&plan(), 0).message;
    let late = seen.iter_mut().filter(|call| call.sent > 100 * NANOSECONDS);
    late.for_each(|call| call.decision = Decision::Refused);
    assert_unlawful(&[(lawful(MINUTE), judge(LIMIT, MINUTE, &seen))], Direction::TooStrict);
}

/// A call of any history: times are in hundredths of the window.
#[derive(Clone, Debug)]
struct AnyCall {
    gap: u64,
    there: u64,
    back: u64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// Turned away for another reason, and counted or not.
    TurnedAway {
        is_counted: bool,
    },
    Lost {
        is_counted: bool,
    },
}

fn any_call() -> impl Strategy<Value = AnyCall> {
    let gap = prop_oneof![4 => Just(0), 8 => 0..20u64, 1 => 0..250u64];
    let fate = prop_oneof![
        12 => Just(Fate::Answered),
        1 => any::<bool>().prop_map(|is_counted| Fate::TurnedAway { is_counted }),
        1 => any::<bool>().prop_map(|is_counted| Fate::Lost { is_counted }),
    ];
    (gap, 0..12u64, 0..12u64, fate).prop_map(|(gap, there, back, fate)| AnyCall { gap, there, back, fate })
}

/// Calls that arrive one after another, as they were sent and answered. The way to a queue is the same for all.
fn history(limit: &Limit, start: Duration, calls: &[AnyCall]) -> Vec<Timed> {
    let unit = u64::try_from(limit.window.as_nanos()).unwrap() / 100;
    let is_queue = matches!(limit.algorithm, Algorithm::LeakyQueue { .. });
    let mut limiter = Limiter::new(limit);
    let mut arrival = 100 * unit;
    let timed = calls.iter().map(|call| {
        arrival += call.gap * unit;
        let now = START + start + Duration::from_nanos(arrival);
        let is_asked = !matches!(call.fate, Fate::TurnedAway { is_counted: false } | Fate::Lost { is_counted: false });
        let decided = if is_asked { limiter.admit(now, 1) } else { Admission::Admit };
        let (there, back) = if is_queue { (unit, unit) } else { (call.there * unit, call.back * unit) };
        let decision = match call.fate {
            Fate::TurnedAway { .. } => Decision::Unknown,
            Fate::Lost { .. } => Decision::Lost,
            Fate::Answered if decided == Admission::Refuse => Decision::Refused,
            Fate::Answered => Decision::Admitted,
        };
        // A lost call may be given up before it arrives.
        let received = if decision == Decision::Lost { arrival - there } else { arrival + held_back([decided; 2]) + back };
        Timed { sent: arrival - there, received, decision }
    });
    timed.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_lawful_limiter_is_ever_blamed(
        limit in 1..8u64, window in prop_oneof![Just(100), Just(50_000)], start in 0..100_000u64,
        calls in prop::collection::vec(any_call(), 1..60),
    ) {
        let window = Duration::from_micros(window);
        for limit in limiters(limit, window) {
            let judgement = judge(limit.limit, window, &history(&limit, Duration::from_micros(start), &calls));
            prop_assert!(judgement.explained_by.contains(&class(&limit)), "{}: {:?}", limit, judgement);
        }
    }
}
