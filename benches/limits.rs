//! How surely a limiter is found out: every kind, with every number, under a simulated clock.
//!
//!     cargo bench --bench limits [-- [seed=N] WORDS]
//!
//! Each row of the table is a kind. As the app's limit: limits of 50, 199, 200, 201 and 1000, windows of 1, 30 and 60 s, several phases,
//! calls or pairs, refused calls counted or not; each call takes up to 20 ms there, and up to 20 ms back. As a message's limit, where probes go
//! side by side on fresh messages within the app's rate: limits of 199, 200, 201 and 400, windows of 10, 30 and 60 s that begin anywhere.
//! Ends with 1 where fewer than 99 % are named right, or more than 0.2 % are named wrong and held for sure, or where a search of a
//! message's limit took more than 6 minutes. Words pick the cases whose names have them all.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "a table of numbers that are small"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use msgext::judge::limits::probe::{AskedCall, Probe, ProbeStage};
use msgext::judge::limits::trace::ProbedCall;
use msgext::judge::limits::{Decision, Inquiry, Learnt, Setting};
use msgext::model::limiter::{Admission, Algorithm, Limit, Limiter, Scope, Unit};
use msgext::random::Random;

const START: Duration = Duration::from_hours(472_222);
/// How long calls take there, and back, at least and at most.
const APP_WAY_NS: (u64, u64) = (0, 20_000_000);
const MESSAGE_WAY_NS: (u64, u64) = (150_000, 2_000_000);
/// A message's limit is to be found out within this.
const MESSAGE_TIME: Duration = Duration::from_mins(6);
/// What is asked of a message's counter once it is found.
const ASKS: [AskedCall; 7] = [
    AskedCall::OtherMessage,
    AskedCall::OtherKey,
    AskedCall::OtherConnection,
    AskedCall::Member,
    AskedCall::Delete,
    AskedCall::Clear,
    AskedCall::Invalid,
];

#[derive(Clone)]
struct Case {
    name: String,
    limit: Option<Limit>,
    /// Of its clock, ahead of the run's.
    ahead: Duration,
    is_message: bool,
}

impl Case {
    /// Calls of a message leave the most of a way that is off, in seconds.
    fn jitter_s(&self) -> f64 {
        (if self.is_message { MESSAGE_WAY_NS } else { APP_WAY_NS }).1 as f64 / 1e9
    }
}

/// A target under a simulated clock.
struct Simulated<'c> {
    case: &'c Case,
    /// The app's counter.
    limiter: Option<Limiter>,
    now: u64,
    random: Random,
}

/// One probe on its way.
struct Runner {
    probe: Probe,
    /// That of its message.
    limiter: Option<Limiter>,
    stage: usize,
    /// Calls of the stage that were sent, and refused.
    sent: u64,
    refused: u64,
    due: u64,
    calls: Vec<ProbedCall>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Returns,
}

impl Runner {
    fn stage(&self) -> Option<&ProbeStage> {
        self.probe.stages.get(self.stage)
    }

    /// Bursts do not take turns.
    fn is_bursting(&self, rate: f64, free: u64) -> bool {
        self.sent > 0 && self.due <= free && self.stage().is_some_and(|stage| stage.rate >= rate)
    }

    fn send(&mut self, now: u64) -> usize {
        let stage = self.probe.stages[self.stage].clone();
        let decision = Decision::Lost;
        self.calls.push(ProbedCall { sent: now, received: 0, pairs: stage.pairs, stage: self.stage as u32, decision });
        self.sent += 1;
        self.due = now + nanoseconds(stage.gap());
        if self.sent >= stage.calls {
            self.go_on(now);
        }
        self.calls.len() - 1
    }

    fn take(&mut self, index: usize) {
        let call = self.calls[index];
        self.refused += u64::from(call.decision == Decision::Refused && call.stage as usize == self.stage);
        if self.stage().and_then(|stage| stage.enough).is_some_and(|enough| self.refused >= enough) {
            self.go_on(self.calls.last().map_or(0, |last| last.sent));
        }
    }

    fn go_on(&mut self, last_sent: u64) {
        self.stage += 1;
        (self.sent, self.refused) = (0, 0);
        if let Some(stage) = self.stage() {
            self.due = last_sent + nanoseconds(stage.gap().max(stage.rest));
        }
    }
}

impl Simulated<'_> {
    fn way(&mut self) -> u64 {
        let (least, most) = if self.case.is_message { MESSAGE_WAY_NS } else { APP_WAY_NS };
        least + self.random.below((most - least) as usize + 1) as u64
    }

    /// Sends probes side by side, within a rate over all of them.
    fn round(&mut self, probes: Vec<Probe>, rate: f64) -> Vec<(Probe, Vec<ProbedCall>)> {
        let mut begins = self.now;
        let fresh = |case: &Case| case.limit.as_ref().filter(|_| case.is_message).map(Limiter::new);
        let runner = |probe: Probe| {
            let first = &probe.stages[0];
            let due = begins + nanoseconds(first.rest);
            begins += nanoseconds(first.gap()) * first.calls.min(300);
            Runner { limiter: fresh(self.case), stage: 0, sent: 0, refused: 0, due, calls: Vec::new(), probe }
        };
        let mut runners: Vec<Runner> = probes.into_iter().map(runner).collect();
        let mut events: BinaryHeap<Reverse<(u64, Event, usize, usize)>> = BinaryHeap::new();
        let gap = (1e9 / rate) as u64;
        let mut free = self.now;
        loop {
            let at_work = (0..runners.len()).filter(|at| runners[*at].stage().is_some());
            let next = at_work.min_by_key(|at| (!runners[*at].is_bursting(rate, free.max(self.now)), runners[*at].due));
            let due = next.map(|next| runners[next].due.max(free));
            if let Some(Reverse((at, event, runner, index))) =
                events.peek().copied().filter(|Reverse((at, ..))| due.is_none_or(|due| *at <= due))
            {
                events.pop();
                self.now = self.now.max(at);
                match event {
                    Event::Arrives => {
                        let returns = self.arrive(&mut runners[runner], index, at);
                        events.push(Reverse((returns, Event::Returns, runner, index)));
                    }
                    Event::Returns => runners[runner].take(index),
                }
                continue;
            }
            let Some((next, due)) = next.zip(due) else { break };
            self.now = self.now.max(due);
            free = self.now + gap;
            let index = runners[next].send(self.now);
            events.push(Reverse((self.now + self.way(), Event::Arrives, next, index)));
        }
        runners.into_iter().map(|runner| (runner.probe, runner.calls)).collect()
    }

    /// What becomes of a call, and when its reply is back.
    fn arrive(&mut self, runner: &mut Runner, index: usize, at: u64) -> u64 {
        let call = runner.calls[index];
        let asked = runner.probe.stages[call.stage as usize].asked;
        // Another message has another counter, and what is invalid counts for none.
        let is_elsewhere = matches!(asked, AskedCall::OtherMessage | AskedCall::OtherConversation | AskedCall::Invalid);
        let limiter = if self.case.is_message { &mut runner.limiter } else { &mut self.limiter };
        let weight = self.case.limit.as_ref().map_or(1, |limit| limit.unit.weight(call.pairs));
        let now = START + self.case.ahead + Duration::from_nanos(at);
        let decided = limiter.as_mut().filter(|_| !is_elsewhere).map_or(Admission::Admit, |limiter| limiter.admit(now, weight));
        let held = if let Admission::AdmitAfter(wait) = decided { nanoseconds(wait) } else { 0 };
        let decision = if decided == Admission::Refuse { Decision::Refused } else { Decision::Admitted };
        let received = at + held + self.way();
        runner.calls[index] = ProbedCall { received, decision, ..call };
        received
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn app_cases() -> Vec<Case> {
    let mut cases = vec![Case { name: "app none".into(), limit: None, ahead: Duration::ZERO, is_message: false }];
    for limit in [50, 199, 200, 201, 1000] {
        for window in [1, 30, 60].map(Duration::from_secs) {
            let mut algorithms = vec![
                (Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 10),
                (Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 45),
                (Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 83),
                (Algorithm::FixedWindowAnchored, 0),
                (Algorithm::SlidingLog, 0),
                (Algorithm::SlidingCounter, 20),
                (Algorithm::SlidingCounter, 70),
                (Algorithm::IntervalRefill, 0),
                (Algorithm::LeakyQueue { capacity: limit }, 0),
            ];
            algorithms.extend([limit, limit / 4, 1].map(|burst| (Algorithm::TokenBucket { burst }, 0)));
            if limit == 200 {
                algorithms.push((Algorithm::Gcra { burst: limit }, 0));
                algorithms.push((Algorithm::LeakyMeter { burst: limit }, 0));
            }
            for (algorithm, phase) in algorithms {
                for unit in [Unit::Request, Unit::Kv] {
                    let is_fixed = matches!(
                        algorithm,
                        Algorithm::FixedWindowAligned { .. } | Algorithm::FixedWindowAnchored | Algorithm::IntervalRefill
                    );
                    // A window that is full stays so, whether refused calls count or not.
                    for count_rejected in if is_fixed { vec![false] } else { vec![false, true] } {
                        let ahead = window * phase / 100;
                        let limit = Limit { algorithm, limit, window, count_rejected, unit, scope: Scope::App };
                        cases.push(Case { name: format!("app {limit} +{phase}%"), limit: Some(limit), ahead, is_message: false });
                    }
                }
            }
        }
    }
    cases
}

fn message_cases() -> Vec<Case> {
    let mut cases = vec![Case { name: "message none".into(), limit: None, ahead: Duration::ZERO, is_message: true }];
    for limit in [199, 200, 201, 400] {
        for window in [10, 30, 60].map(Duration::from_secs) {
            // Where a window begins decides what the first probes see.
            let phases = |algorithm, every: usize| (0..100).step_by(every).map(move |phase| (algorithm, phase));
            let aligned = phases(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, if limit == 200 { 5 } else { 20 });
            let counters = phases(Algorithm::SlidingCounter, if limit == 200 { 25 } else { 50 });
            let others = [
                Algorithm::FixedWindowAnchored,
                Algorithm::SlidingLog,
                Algorithm::IntervalRefill,
                Algorithm::TokenBucket { burst: limit },
                Algorithm::TokenBucket { burst: limit / 4 },
            ];
            for (algorithm, phase) in aligned.chain(counters).chain(others.map(|algorithm| (algorithm, 0))) {
                let ahead = window * phase as u32 / 100;
                let limit = Limit::new(algorithm, limit, window);
                cases.push(Case { name: format!("message {limit} +{phase}%"), limit: Some(limit), ahead, is_message: true });
            }
        }
    }
    cases
}

fn run(case: &Case, seed: u64) -> (Learnt, Duration, u64) {
    let limiter = case.limit.as_ref().filter(|_| !case.is_message).map(Limiter::new);
    let random = Random::named(seed, &case.name);
    let mut simulated = Simulated { case, limiter, now: 1_000_000_000, random };
    let window = case.limit.as_ref().map_or(Duration::from_secs(1), |limit| limit.window);
    // What is documented is known only roughly.
    let window = if window > Duration::from_secs(1) { Duration::from_mins(1) } else { window };
    let setting = if case.is_message {
        Setting { rate: 150.0, fresh: true, time: MESSAGE_TIME, window: Duration::from_mins(1) }
    } else {
        Setting { rate: 2_500.0, fresh: false, time: Duration::from_hours(1), window }
    };
    let mut inquiry = Inquiry::new(setting, if case.is_message { ASKS.to_vec() } else { Vec::new() });
    let begun = simulated.now;
    let spent = |now: u64| Duration::from_nanos(now - begun);
    loop {
        let probes = inquiry.next(spent(simulated.now));
        if probes.is_empty() {
            break;
        }
        let round = simulated.round(probes, setting.rate);
        inquiry.take(&round);
    }
    let learnt = inquiry.learnt();
    let calls = learnt.calls;
    (learnt, spent(simulated.now), calls)
}
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Named {
    Right,
    Unsure,
    Wrong,
}

fn named(case: &Case, learnt: &Learnt) -> Named {
    let Some(limit) = &case.limit else {
        return if learnt.refused == 0 { Named::Right } else { Named::Wrong };
    };
    let Some(first) = learnt.candidates.first() else { return Named::Unsure };
    let suspect = first.suspect;
    let bursts = limit.algorithm.burst();
    let is_kind = match limit.algorithm {
        // A queue that holds one call holds none back.
        Algorithm::LeakyQueue { .. } => matches!(suspect.algorithm, Algorithm::LeakyQueue { .. }),
        _ => suspect.algorithm.kind() == limit.algorithm.kind() && !matches!(suspect.algorithm, Algorithm::LeakyQueue { .. }),
    };
    let rate = limit.limit as f64 / limit.window.as_secs_f64();
    let is_numbers = match bursts {
        // Jitter lets as many calls come free, or keeps them back.
        Some(burst) => {
            let found = suspect.algorithm.burst().unwrap_or(0);
            let (least, most) = learnt.rates().unwrap_or_default();
            (least..=most).contains(&rate) && found.abs_diff(burst) as f64 <= 1.0 + rate * case.jitter_s()
        }
        None => suspect.limit == limit.limit && suspect.window == limit.window,
    };
    let is_rejected = !suspect.shows_rejected() || suspect.counts_rejected == limit.count_rejected;
    let is_right = is_kind && is_numbers && is_rejected && suspect.unit == limit.unit;
    match (is_right, learnt.is_sure()) {
        (true, true) => Named::Right,
        (false, true) => Named::Wrong,
        (_, false) => Named::Unsure,
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let seed = words.iter().find_map(|word| word.strip_prefix("seed=")?.parse().ok()).unwrap_or(7);
    let words: Vec<&String> = words.iter().filter(|word| !word.starts_with("seed=")).collect();
    let cases = app_cases().into_iter().chain(message_cases());
    let cases: Vec<Case> = cases.filter(|case| words.iter().all(|word| case.name.contains(word.as_str()))).collect();
    let (next, rows, began) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let at = Instant::now();
                    let (learnt, simulated, calls) = run(case, seed);
                    rows.lock().expect("no thread panicked").push((
                        case,
                        named(case, &learnt),
                        learnt,
                        simulated,
                        calls,
                        at.elapsed(),
                    ));
                }
            });
        }
    });
    let mut kinds: BTreeMap<String, BTreeMap<Named, usize>> = BTreeMap::new();
    let rows = rows.into_inner().expect("no thread panicked");
    for (case, named, learnt, simulated, calls, took) in &rows {
        let kind = case.name.split(':').next().unwrap_or_default().to_owned();
        *kinds.entry(kind).or_default().entry(*named).or_default() += 1;
        if *named != Named::Right || took.as_secs() > 2 {
            println!(
                "{named:?} {}: {:.0} s, {calls} calls, {took:.1?}, explained {}",
                case.name,
                simulated.as_secs_f64(),
                learnt.is_explained
            );
            for weighed in learnt.candidates.iter().take(2) {
                println!("    {:.4} {:?}", weighed.weight, weighed.suspect);
            }
        }
    }
    for (kind, named) in &kinds {
        println!("{kind:24} {named:?}");
    }
    let all = rows.len();
    let count = |wanted: Named| rows.iter().filter(|(_, named, ..)| *named == wanted).count();
    println!(
        "{} of {all} named right, {} wrong and held for sure, in {:.1?}",
        count(Named::Right),
        count(Named::Wrong),
        began.elapsed()
    );
    let of_messages = rows.iter().filter(|(case, ..)| case.is_message);
    let longest = of_messages.map(|(.., simulated, _, _)| *simulated).max().unwrap_or_default();
    println!("a message's limit took {:.0} s at the most", longest.as_secs_f64());
    if count(Named::Right) * 100 < all * 99 || count(Named::Wrong) * 500 > all || longest > MESSAGE_TIME {
        std::process::exit(1);
    }
}
