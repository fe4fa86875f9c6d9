//! How surely a limiter is found out: every kind, with every number, under a simulated clock.
//!
//!     cargo bench --bench limits [-- [seed=N] WORDS]
//!
//! Each row of the table is a kind, each with limits of 50, 199, 200, 201 and 1000, windows of 1, 30 and 60 s, several phases, calls
//! or pairs, refused calls counted or not; each call takes up to 20 ms there, and up to 20 ms back. Ends with 1 where fewer than
//! 99 % are named right, or more than 0.2 % are named wrong and held for sure. Words pick the cases whose names have them all.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "a table of numbers that are small"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use msgext::judge::limits::probe::Probe;
use msgext::judge::limits::trace::ProbedCall;
use msgext::judge::limits::{Decision, Inquiry, Learnt, Setting};
use msgext::model::limiter::{Admission, Algorithm, Limit, Limiter, Scope, Unit};
use msgext::random::Random;

const JITTER_NS: u64 = 20_000_000;
const START: Duration = Duration::from_hours(472_222);

#[derive(Clone)]
struct Case {
    name: String,
    limit: Option<Limit>,
    /// Of its clock, ahead of the run's.
    ahead: Duration,
}

/// A limiter under a simulated clock.
struct Simulated {
    limiter: Option<Limiter>,
    unit: Unit,
    ahead: Duration,
    now: u64,
    random: Random,
}

impl Simulated {
    fn way(&mut self) -> u64 {
        self.random.below(JITTER_NS as usize + 1) as u64
    }

    fn play(&mut self, probe: &Probe) -> Vec<ProbedCall> {
        let mut calls = Vec::new();
        // Sent and not arrived yet: when it will, and its place.
        let mut under_way: Vec<(u64, usize)> = Vec::new();
        for (number, stage) in probe.stages.iter().enumerate() {
            self.now += stage.rest.as_nanos() as u64;
            let gap = (1e9 / stage.rate) as u64;
            let from = calls.len();
            let mut sent = 0;
            while sent < stage.calls {
                self.arrive(&mut under_way, &mut calls, self.now);
                let refused = calls[from..]
                    .iter()
                    .filter(|call: &&ProbedCall| call.decision == Decision::Refused && call.received <= self.now)
                    .count();
                if stage.enough.is_some_and(|enough| refused as u64 >= enough) {
                    break;
                }
                under_way.push((self.now + self.way(), calls.len()));
                let call = ProbedCall {
                    sent: self.now,
                    received: 0,
                    pairs: stage.pairs,
                    stage: number as u32,
                    decision: Decision::Lost,
                };
                calls.push(call);
                sent += 1;
                self.now += gap;
            }
            self.now -= gap.min(self.now);
        }
        self.arrive(&mut under_way, &mut calls, u64::MAX);
        self.now += 2 * JITTER_NS;
        calls
    }

    fn arrive(&mut self, under_way: &mut Vec<(u64, usize)>, calls: &mut [ProbedCall], until: u64) {
        under_way.sort_unstable();
        let ready = under_way.iter().take_while(|(at, _)| *at <= until).count();
        for (at, index) in under_way.drain(..ready).collect::<Vec<_>>() {
            let weight = self.unit.weight(calls[index].pairs);
            let now = START + self.ahead + Duration::from_nanos(at);
            let decided = self.limiter.as_mut().map_or(Admission::Admit, |limiter| limiter.admit(now, weight));
            let held = if let Admission::AdmitAfter(wait) = decided { wait.as_nanos() as u64 } else { 0 };
            calls[index].received = at + held + self.way();
            calls[index].decision = if decided == Admission::Refuse { Decision::Refused } else { Decision::Admitted };
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![Case { name: "none".into(), limit: None, ahead: Duration::ZERO }];
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
                        cases.push(Case { name: format!("{limit} +{phase}%"), limit: Some(limit), ahead });
                    }
                }
            }
        }
    }
    cases
}

fn run(case: &Case, seed: u64) -> (Learnt, Duration, u64) {
    let limiter = case.limit.as_ref().map(Limiter::new);
    let unit = case.limit.as_ref().map_or(Unit::Request, |limit| limit.unit);
    let random = Random::named(seed, &case.name);
    let mut simulated = Simulated { limiter, unit, ahead: case.ahead, now: 1_000_000_000, random };
    let window = case.limit.as_ref().map_or(Duration::from_secs(1), |limit| limit.window);
    // What is documented is known only roughly.
    let window = if window > Duration::from_secs(1) { Duration::from_mins(1) } else { window };
    let setting = Setting { rate: 2_500.0, fresh: false, time: Duration::from_hours(1), window };
    let mut inquiry = Inquiry::new(setting, Vec::new());
    loop {
        let probes = inquiry.next(Duration::from_nanos(simulated.now));
        if probes.is_empty() {
            break;
        }
        let played = |probe: Probe| {
            let calls = simulated.play(&probe);
            (probe, calls)
        };
        let round: Vec<(Probe, Vec<ProbedCall>)> = probes.into_iter().map(played).collect();
        inquiry.take(&round);
    }
    let learnt = inquiry.learnt();
    let calls = learnt.calls;
    (learnt, Duration::from_nanos(simulated.now), calls)
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
            (least..=most).contains(&rate) && found.abs_diff(burst) as f64 <= 1.0 + rate * JITTER_NS as f64 / 1e9
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
    let cases: Vec<Case> =
        cases().into_iter().filter(|case| words.iter().all(|word| case.name.contains(word.as_str()))).collect();
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
    if count(Named::Right) * 100 < all * 99 || count(Named::Wrong) * 500 > all {
        std::process::exit(1);
    }
}
