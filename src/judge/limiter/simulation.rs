//! The plan that tests limits, played against limiters of every kind: lawful ones are never blamed, all others always are.

use std::time::Duration;

use super::{Decision, Judgement, Timed, judge};
use crate::model::limiter::{Decision as Decided, Kind, Limit, Limiter};
use crate::random::Random;

const LIMIT: u64 = 200;
const SECOND: u64 = 1_000_000_000;
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
    let cooled = plan.now + 121 * SECOND;
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
        self.calls.extend((0..count).map(|i| Due { at: now + i * SECOND / rate, is_hot: hot && i % 2 == 0 }));
        self.now += count * SECOND / rate;
    }

    fn rest(&mut self, ms: u64) {
        self.now += ms * 1_000_000;
    }
}

/// The two limits, and how long a call is on its way, there and back, in microseconds.
struct Target {
    app: Option<Limit>,
    message: Option<Limit>,
    start: Duration,
    way: (u64, u64),
}

/// What the plan made of a target: the app's calls, and the hot message's.
struct Seen {
    app: Vec<Timed>,
    message: Vec<Timed>,
}

fn play(plan: &[Due], target: &Target, seed: u64) -> Seen {
    let mut random = Random::seeded(seed);
    let (shortest, longest) = target.way;
    let mut way = || (shortest + random.below((longest - shortest) as usize) as u64) * MICROSECOND;
    let mut arrivals: Vec<(u64, Due)> = plan.iter().map(|due| (due.at + way(), *due)).collect();
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    let mut app = target.app.as_ref().map(Limiter::new);
    let mut message = target.message.as_ref().map(Limiter::new);
    let mut seen = Seen { app: Vec::new(), message: Vec::new() };
    for (arrival, due) in arrivals {
        let now = START + target.start + Duration::from_nanos(arrival);
        let ask = |limiter: &mut Option<Limiter>| limiter.as_mut().map_or(Decided::Admit, |limiter| limiter.admit(now, 1));
        let by_app = ask(&mut app);
        let by_message = if due.is_hot && by_app != Decided::Refuse { ask(&mut message) } else { Decided::Admit };
        let delay = [by_app, by_message].into_iter().map(|decided| match decided {
            Decided::AdmitAfter(delay) => u64::try_from(delay.as_nanos()).unwrap(),
            _ => 0,
        });
        let refused = by_app == Decided::Refuse || by_message == Decided::Refuse;
        let delay = if refused { 0 } else { delay.max().unwrap() };
        let received = arrival + delay + way();
        let timed = |decision| Timed { sent: due.at, received, decision };
        let decision = |this, other| match (this, other) {
            (Decided::Refuse, _) => Decision::Refused,
            (_, Decided::Refuse) => Decision::Unknown,
            _ => Decision::Admitted,
        };
        seen.app.push(timed(decision(by_app, by_message)));
        if due.is_hot {
            seen.message.push(timed(decision(by_message, by_app)));
        }
    }
    seen
}

fn limits(limit: u64, window: Duration) -> impl Iterator<Item = Limit> {
    Kind::all(limit)
        .into_iter()
        .flat_map(move |kind| [false, true].map(|count_rejected| Limit { count_rejected, ..Limit::new(kind, limit, window) }))
}

#[test]
fn explore() {
    let plan = plan();
    let seconds: u64 = std::env::var("PH").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    let way = match std::env::var("WAY").as_deref() {
        Ok("slow") => (1000, 5000),
        Ok("mid") => (200, 2000),
        _ => (20, 500),
    };
    for app_limit in [200, 199, 150, 0] {
        for (a, m) in limits(app_limit.max(1), Duration::from_secs(1)).zip(limits(app_limit.max(1), Duration::from_secs(60))) {
            let (mut av, mut mv) = (Vec::new(), Vec::new());
            let mut took = [Duration::ZERO; 2];
            for phase in 0..seconds {
                let start = Duration::from_millis(60_000 * phase / seconds + 137 * phase);
                let none = app_limit == 0;
                let good = |w| Some(Limit::new(Kind::TokenBucket { burst: 200 }, 200, Duration::from_secs(w)));
                let seen =
                    play(&plan, &Target { app: if none { None } else { Some(a.clone()) }, message: good(60), start, way }, phase);
                let t = std::time::Instant::now();
                let j = judge(LIMIT, Duration::from_secs(1), &seen.app);
                took[0] += t.elapsed();
                av.push(j);
                let seen =
                    play(&plan, &Target { app: good(1), message: if none { None } else { Some(m.clone()) }, start, way }, phase);
                let t = std::time::Instant::now();
                let j = judge(LIMIT, Duration::from_secs(60), &seen.message);
                took[1] += t.elapsed();
                mv.push(j);
            }
            let show = |v: &[Judgement], lawful: bool| {
                let bad = v.iter().filter(|j| j.is_lawful() != lawful).count();
                let j = v.iter().find(|j| j.is_lawful() != lawful).unwrap_or(&v[0]);
                let mins = v.iter().map(|j| j.too_strict).min().unwrap();
                let minl = v.iter().map(|j| j.too_lenient).min().unwrap();
                let wrong = v.iter().map(|j| if app_limit == 0 { j.too_strict } else { j.too_lenient }).max().unwrap();
                format!(
                    "{}{bad} wrongdir {wrong} min s{mins} l{minl} eg {:?} {}",
                    if bad > 0 { "BAD" } else { "ok" },
                    j.explained_by,
                    j.closest
                )
            };
            eprintln!(
                "{a} APP {} | MSG {} | {:?} {:?}",
                show(&av, app_limit == 200),
                show(&mv, app_limit == 200),
                took[0] / seconds as u32,
                took[1] / seconds as u32
            );
            if app_limit == 0 {
                break;
            }
        }
    }
}
