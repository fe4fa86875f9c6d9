//! Where a series of runs changed: E-divisive (Matteson and James 2014) with Student's t in place of its random permutations, as Hunter
//! has it (Fleming and others 2023), so that one series has one answer.

use super::student::{mean, p_value};

/// A change as unlikely as this by chance is one.
const MOST_P: f64 = 0.001;
/// While the series is cut, so much is enough: what lies between two changes hides each from a test of the whole.
const MOST_P_OF_A_CUT: f64 = 0.01;
/// A stretch of fewer runs is none.
pub const SHORTEST: usize = 3;

/// From this run on the series is another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Place of the first run that is changed.
    pub at: usize,
    /// Means of the stretches before and from there.
    pub before: f64,
    pub after: f64,
    pub p: f64,
}

/// The changes of a series, the first one first.
pub fn change_points(series: &[f64]) -> Vec<ChangePoint> {
    let mut cuts = vec![0, series.len()];
    cut(series, 0, &mut cuts);
    cuts.sort_unstable();
    // The weakest goes first: the stretches beside it grow, and what was doubtful between them may become clear.
    loop {
        let points = points(series, &cuts);
        let Some(weakest) = points.iter().max_by(|a, b| a.p.total_cmp(&b.p)).filter(|weakest| weakest.p > MOST_P) else {
            return points;
        };
        cuts.retain(|at| *at != weakest.at);
    }
}

fn points(series: &[f64], cuts: &[usize]) -> Vec<ChangePoint> {
    let point = |cuts: &[usize]| {
        let (before, after) = (&series[cuts[0]..cuts[1]], &series[cuts[1]..cuts[2]]);
        ChangePoint { at: cuts[1], before: mean(before), after: mean(after), p: p_value(before, after) }
    };
    cuts.windows(3).map(point).collect()
}

fn cut(series: &[f64], offset: usize, cuts: &mut Vec<usize>) {
    let Some(at) = best_cut(series).filter(|at| p_value(&series[..*at], &series[*at..]) <= MOST_P_OF_A_CUT) else { return };
    cuts.push(offset + at);
    cut(&series[..at], offset, cuts);
    cut(&series[at..], offset + at, cuts);
}

/// Where the two parts differ most by their energy distance.
fn best_cut(series: &[f64]) -> Option<usize> {
    let distance = |a: usize, b: usize| (series[a] - series[b]).abs();
    let all = series.len();
    if all < 2 * SHORTEST {
        return None;
    }
    // Sums of distances within the left part, within the right one, and between the two, as the cut moves to the right.
    let (mut left, mut between) = (0.0, 0.0);
    let mut right: f64 = (0..all).map(|a| (a + 1..all).map(|b| distance(a, b)).sum::<f64>()).sum();
    let mut best: Option<(usize, f64)> = None;
    for at in 1..all {
        let moved = at - 1;
        let to_left: f64 = (0..moved).map(|other| distance(other, moved)).sum();
        let to_right: f64 = (at..all).map(|other| distance(other, moved)).sum();
        left += to_left;
        right -= to_right;
        between += to_right - to_left;
        let (n, m) = (at as f64, (all - at) as f64);
        if at < SHORTEST || all - at < SHORTEST {
            continue;
        }
        let energy = 2.0 * between / (n * m) - 2.0 * left / (n * (n - 1.0)) - 2.0 * right / (m * (m - 1.0));
        let scaled = energy * n * m / (n + m);
        if best.is_none_or(|(_, most)| scaled > most) {
            best = Some((at, scaled));
        }
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Nearly normal: a sum of twelve.
    fn noise(random: &mut Random) -> f64 {
        (0..12).map(|_| f64::from(random.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
    }

    fn series(levels: &[(usize, f64)], random: &mut Random) -> Vec<f64> {
        levels.iter().flat_map(|(runs, level)| (0..*runs).map(|_| level + noise(random)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn each_change_is_found_at_its_run() {
        let mut random = Random::seeded(1);
        let series = series(&[(20, 0.0), (15, 5.0), (25, 1.0)], &mut random);
        let found: Vec<usize> = change_points(&series).iter().map(|point| point.at).collect();
        assert_eq!(found, [20, 35]);
        let up = change_points(&series)[0];
        assert!((up.after - up.before - 5.0).abs() < 1.0 && up.p < MOST_P, "{up:?}");
    }

    #[test]
    fn a_series_that_only_scatters_has_hardly_ever_a_change_and_a_short_one_never() {
        let mut random = Random::seeded(2);
        let false_alarms = (0..300).filter(|_| !change_points(&series(&[(40, 0.0)], &mut random)).is_empty()).count();
        assert!(false_alarms <= 12, "{false_alarms} of 300");
        assert_eq!(change_points(&[1.0, 1.0, 9.0, 9.0, 9.0]), []);
        assert_eq!((change_points(&[]), change_points(&[1.0; 30])), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_change_of_three_deviations_is_found_within_ten_runs() {
        let mut random = Random::seeded(3);
        let found = |random: &mut Random| {
            let points = change_points(&series(&[(20, 0.0), (10, 3.0)], random));
            points.iter().any(|point| point.at.abs_diff(20) <= 2)
        };
        let found = (0..100).filter(|_| found(&mut random)).count();
        assert!(found >= 90, "{found} of 100");
    }
}
