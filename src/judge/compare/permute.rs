//! Bounds of a difference that hold whatever the distribution: exact permutation tests, turned round.
//!
//! A shift is refused by the test where too few of all ways to exchange the two sides' values (or, of pairs, to turn a pair round) differ
//! as much as what was seen. Each way stops doing so at one shift, its typical value (Hartigan 1969); so the bounds are two of these.

use crate::random::Random;

/// Each bound is wrong in at most so many cases.
pub const ERROR: f64 = 0.05;
/// More ways than this are not all counted, but drawn.
const MOST_WAYS: usize = 200_000;
const DRAWN: usize = 19_999;

/// Between what a difference lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DifferenceBounds {
    /// `None` where there are too few values for one.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Two-sided p-value of there being no difference.
    pub p: f64,
}

/// By how much the values of `new` lie above those of `base`.
pub fn of_samples(base: &[f64], new: &[f64], seed: u64) -> DifferenceBounds {
    if ways(base.len() + new.len(), base.len()) > MOST_WAYS {
        return of_typical(drawn_exchanges(base, new, seed));
    }
    let (of_base, of_new) = (means_by_size(base), means_by_size(new));
    let pairs =
        of_base.iter().zip(&of_new).flat_map(|(base, new)| new.iter().flat_map(|new| base.iter().map(move |base| new - base)));
    of_typical(pairs.collect())
}

/// Where the differences of pairs lie.
pub fn of_pairs(differences: &[f64], seed: u64) -> DifferenceBounds {
    let all = 1_usize.checked_shl(u32::try_from(differences.len()).unwrap_or(u32::MAX));
    if all.is_some_and(|all| all <= MOST_WAYS) {
        return of_typical(means_by_size(differences).concat());
    }
    let mut random = Random::seeded(seed);
    let mut draw = || {
        let turned: Vec<f64> = differences.iter().copied().filter(|_| random.below(2) == 1).collect();
        if turned.is_empty() { None } else { Some(mean(&turned)) }
    };
    of_typical((0..DRAWN).filter_map(|_| draw()).collect())
}

fn of_typical(mut values: Vec<f64>) -> DifferenceBounds {
    values.sort_by(f64::total_cmp);
    // What was seen is one of the ways itself.
    let ways = (values.len() + 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a twentieth of what fits in memory")]
    let refused = (ERROR * ways + 1e-9) as usize;
    let bound = |values: &mut dyn Iterator<Item = &f64>| refused.checked_sub(1).and_then(|place| values.nth(place)).copied();
    let (below, above) = (values.partition_point(|value| *value < 0.0), values.partition_point(|value| *value <= 0.0));
    let fewer = above.min(values.len() - below) + 1;
    DifferenceBounds {
        low: bound(&mut values.iter()),
        high: bound(&mut values.iter().rev()),
        p: (2.0 * fewer as f64 / ways).min(1.0),
    }
}

/// Means of all subsets, those of one value first.
fn means_by_size(values: &[f64]) -> Vec<Vec<f64>> {
    let mut by_size = vec![Vec::new(); values.len()];
    for subset in 1_usize..1 << values.len() {
        let chosen = values.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, value)| *value);
        let chosen: Vec<f64> = chosen.collect();
        by_size[chosen.len() - 1].push(mean(&chosen));
    }
    by_size
}

fn drawn_exchanges(base: &[f64], new: &[f64], seed: u64) -> Vec<f64> {
    let mut random = Random::seeded(seed);
    let mut places: Vec<usize> = (0..base.len() + new.len()).collect();
    let mut draw = || {
        random.shuffle(&mut places);
        let (to_new, to_base) = places.split_at(new.len());
        let from_base: Vec<f64> = to_new.iter().filter_map(|place| base.get(*place)).copied().collect();
        let from_new: Vec<f64> =
            to_base.iter().filter_map(|place| place.checked_sub(base.len())).map(|place| new[place]).collect();
        if from_base.is_empty() { None } else { Some(mean(&from_new) - mean(&from_base)) }
    };
    (0..DRAWN).filter_map(|_| draw()).collect()
}

/// Ways to choose so many of so many; as many as there can be where there are more.
fn ways(of: usize, choose: usize) -> usize {
    (0..choose.min(of - choose))
        .try_fold(1_usize, |ways, place| ways.checked_mul(of - place).map(|ways| ways / (place + 1)))
        .unwrap_or(usize::MAX)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: std::ops::Range<u32>, random: &mut Random) -> Vec<f64> {
        // Skewed, as times are.
        values.map(|_| -((f64::from(random.next_u32()) + 1.0) / 4_294_967_297.0).ln()).collect()
    }

    /// The test itself, as the books have it: every way to part the values, and those at least as far apart as what was seen.
    fn p_above(base: &[f64], new: &[f64]) -> f64 {
        let all: Vec<f64> = new.iter().chain(base).copied().collect();
        let difference = |chosen: &dyn Fn(usize) -> bool| {
            let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
            for (place, value) in all.iter().enumerate() {
                sums[usize::from(chosen(place))] += value;
                counts[usize::from(chosen(place))] += 1.0;
            }
            sums[1] / counts[1] - sums[0] / counts[0]
        };
        let seen = difference(&|place| place < new.len());
        let parts: Vec<usize> = (0..1_usize << all.len()).filter(|part| part.count_ones() as usize == new.len()).collect();
        let far = parts.iter().filter(|part| difference(&|place| **part >> place & 1 == 1) >= seen - 1e-12).count();
        far as f64 / parts.len() as f64
    }

    #[test]
    fn a_bound_is_where_the_exact_test_begins_to_refuse() {
        let mut random = Random::seeded(5);
        for (bases, news) in [(3, 3), (4, 5), (5, 5), (6, 3)] {
            let (base, new) = (spread(0..bases, &mut random), spread(0..news, &mut random));
            let low = of_samples(&base, &new, 0).low.unwrap();
            let moved = |by: f64| new.iter().map(|value| value - low - by).collect::<Vec<_>>();
            assert!(p_above(&base, &moved(-1e-6)) <= ERROR && p_above(&base, &moved(1e-6)) > ERROR, "{bases} {news}");
        }
    }

    #[test]
    fn two_runs_each_have_no_bounds_and_three_that_lie_apart_do() {
        let none = of_samples(&[1.0, 1.1], &[2.0, 2.1], 0);
        assert_eq!((none.low, none.high), (None, None));
        let some = of_samples(&[1.0, 1.1, 1.2], &[2.0, 2.1, 2.3], 0);
        assert!((some.low.unwrap() - 0.8).abs() < 1e-9 && (some.high.unwrap() - 1.3).abs() < 1e-9, "{some:?}");
        assert!((some.p - 0.1).abs() < 1e-9);
        let (four, five) = (of_pairs(&[1.0, 2.0, 3.0, 4.0], 0), of_pairs(&[1.0, 2.0, 3.0, 4.0, 5.0], 0));
        assert_eq!((four.low, five.low, five.high), (None, Some(1.0), Some(5.0)));
    }

    #[test]
    fn a_bound_is_wrong_in_a_twentieth_of_all_cases_and_hardly_less_often() {
        let mut random = Random::seeded(11);
        let mut wrong = |bounds: &dyn Fn(&mut Random) -> DifferenceBounds| {
            (0..4000).filter(|_| bounds(&mut random).low.is_some_and(|low| low > 0.0)).count() as f64 / 4000.0
        };
        let of_runs = wrong(&|random| of_samples(&spread(0..5, random), &spread(0..5, random), 0));
        let of_rounds = wrong(&|random| {
            let (a, b) = (spread(0..6, random), spread(0..6, random));
            of_pairs(&a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>(), 0)
        });
        assert!((0.035..=0.058).contains(&of_runs) && (0.035..=0.058).contains(&of_rounds), "{of_runs} {of_rounds}");
    }

    #[test]
    fn where_ways_are_drawn_the_bounds_are_nearly_those_of_all_ways_and_the_same_again() {
        let mut random = Random::seeded(3);
        let (base, new) = (spread(0..9, &mut random), spread(0..9, &mut random));
        let (all, drawn) = (of_samples(&base, &new, 1), of_typical(drawn_exchanges(&base, &new, 1)));
        assert!((all.low.unwrap() - drawn.low.unwrap()).abs() < 0.03 && (all.p - drawn.p).abs() < 0.02, "{all:?} {drawn:?}");
        let many = spread(0..40, &mut random);
        assert_eq!(of_samples(&many, &many, 7), of_samples(&many, &many, 7));
        assert_eq!(of_pairs(&many, 7), of_pairs(&many, 7));
    }
}
