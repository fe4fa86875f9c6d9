//! Comparisons of simulated runs, made of the seconds of a real one: how often they blame a target that is as it was, and miss one that
//! is slower.
//!
//! `seconds.txt` holds the response times of three minutes of 200 calls a second to `msgext serve --latency 5ms` over TCP, on a machine
//! with two cores and other work, an HDR histogram for each second. A run is made of stretches of ten of its seconds.

use super::bootstrap::SecondSeen;
use super::metric::{Metric, Tolerances};
use super::{ComparedRun, RunFigures, compare};
use crate::judge::load::tally::of_hdr;
use crate::random::Random;
use crate::verdict::Overall;

const STRETCH: usize = 10;
const COMPARISONS: usize = 200;

fn real() -> Vec<SecondSeen> {
    let second = |line: &str| {
        let times: Vec<(u64, u64)> =
            of_hdr(line).unwrap().iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect();
        SecondSeen { accepted: times.iter().map(|(_, calls)| calls).sum(), times }
    };
    include_str!("seconds.txt").lines().map(second).collect()
}

/// A run of so many seconds, whose calls take so much longer.
fn run(real: &[SecondSeen], (length, slower): (usize, f64), random: &mut Random) -> ComparedRun {
    let starts = (0..length / STRETCH).map(|_| random.below(real.len() - STRETCH + 1));
    let mut seconds: Vec<SecondSeen> = starts.flat_map(|start| real[start..start + STRETCH].to_vec()).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds")]
    for (time, _) in seconds.iter_mut().flat_map(|second| &mut second.times) {
        *time = (*time as f64 * slower) as u64;
    }
    let mut calls: Vec<(u64, u64)> = seconds.iter().flat_map(|second| second.times.iter().copied()).collect();
    calls.sort_unstable();
    let all: u64 = calls.iter().map(|(_, more)| more).sum();
    let quantile = |share: f64| {
        let mut below = 0;
        let found = calls.iter().find(|(_, more)| {
            below += more;
            below as f64 >= share * all as f64
        });
        found.map_or(0.0, |(time, _)| *time as f64)
    };
    let accepted: u64 = seconds.iter().map(|second| second.accepted).sum();
    let values = Metric::OF_SECONDS.map(|metric| (metric, metric.share().map_or(accepted as f64 / length as f64, quantile)));
    let figures = RunFigures { values: values.into(), seconds, doubts: Vec::new() };
    ComparedRun { figures: Some(figures), ..ComparedRun::default() }
}

/// Of two hundred comparisons of so many runs of so many seconds each, how many fail and how many pass.
fn simulate((runs, seconds): (usize, usize), slower: f64, tolerances: &Tolerances) -> (usize, usize) {
    let (real, mut random) = (real(), Random::seeded(7));
    let mut verdicts = [0, 0];
    for seed in 0..COMPARISONS {
        let mut side = |slower: f64| (0..runs).map(|_| run(&real, (seconds, slower), &mut random)).collect::<Vec<_>>();
        let (base, new) = (side(1.0), side(slower));
        match compare(&base, &new, tolerances, seed as u64).overall().0 {
            Overall::Fail => verdicts[0] += 1,
            Overall::Pass => verdicts[1] += 1,
            Overall::Inconclusive => {}
        }
    }
    verdicts.into()
}

#[test]
fn of_two_hundred_comparisons_of_alike_runs_at_most_a_twentieth_blames_the_target() {
    let ((alone, alone_passed), (several, several_passed)) =
        (simulate((1, 60), 1.0, &Tolerances::default()), simulate((5, 120), 1.0, &Tolerances::default()));
    assert!(alone <= 10 && several <= 10, "{alone} and {several} of {COMPARISONS} fail");
    // Nor is everything left open.
    assert!(alone_passed > COMPARISONS / 2 && several_passed > COMPARISONS * 9 / 10, "{alone_passed} and {several_passed} pass");
}

#[test]
fn of_five_runs_each_a_tenth_more_is_found_in_nine_of_ten_comparisons_and_never_passed() {
    let tolerances = Tolerances::new(&["p99=5%".parse().unwrap()]);
    let (found, passed) = simulate((5, 120), 1.1, &tolerances);
    assert!(found >= COMPARISONS * 9 / 10 && passed == 0, "{found} of {COMPARISONS} found, {passed} passed");
}
