//! A series of runs: where each metric changed, and whether the newest stretch of it is worse than the one before.

use std::collections::BTreeMap;

use super::change::{ChangePoint, SHORTEST, change_points};
use super::metric::{Metric, Tolerances};
use super::percent;
use crate::verdict::Overall;

/// Only so many of the newest runs are looked at.
pub const MOST_RUNS: usize = 500;

/// The changes of one metric; their means are values again, and no logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricHistory {
    pub metric: Metric,
    /// The runs that have it, by their places in the series.
    pub runs: Vec<usize>,
    /// Each of a run of `runs`, by its place there.
    pub changes: Vec<ChangePoint>,
    /// Whether the newest stretch is worse than the one before by more than is tolerated.
    pub verdict: Overall,
}

/// Looks at a series of runs, the newest last.
pub fn histories(series: &[BTreeMap<Metric, f64>], tolerances: &Tolerances) -> Vec<MetricHistory> {
    let of_metric = |metric: Metric| {
        let seen: Vec<(usize, f64)> =
            series.iter().enumerate().filter_map(|(run, values)| Some((run, *values.get(&metric)?))).collect();
        let newest = &seen[seen.len().saturating_sub(MOST_RUNS)..];
        let (runs, values): (Vec<usize>, Vec<f64>) = newest.iter().map(|(run, value)| (*run, value.ln())).unzip();
        let changes: Vec<ChangePoint> = change_points(&values)
            .into_iter()
            .map(|point| ChangePoint { before: point.before.exp(), after: point.after.exp(), ..point })
            .collect();
        let limit = tolerances.ratio(metric);
        let verdict = match (changes.last(), limit) {
            (Some(last), Some(limit)) => {
                let ratio = last.after / last.before;
                let is_worse = if metric.is_better_high() { ratio < limit } else { ratio > limit };
                if is_worse { Overall::Fail } else { Overall::Pass }
            }
            (None, Some(_)) if values.len() < 2 * SHORTEST => Overall::Inconclusive,
            (_, None) | (None, Some(_)) => Overall::Pass,
        };
        MetricHistory { metric, runs, changes, verdict }
    };
    Metric::ALL.into_iter().map(of_metric).filter(|history| !history.runs.is_empty()).collect()
}

/// What the histories come to; `names` are those of the runs.
pub fn overall(histories: &[MetricHistory], names: &[String]) -> (Overall, String) {
    let worse: Vec<String> =
        histories.iter().filter(|history| history.verdict == Overall::Fail).filter_map(|history| told(history, names)).collect();
    if !worse.is_empty() {
        return (Overall::Fail, worse.join("; "));
    }
    if histories.is_empty() || histories.iter().any(|history| history.verdict == Overall::Inconclusive) {
        return (Overall::Inconclusive, format!("{} runs are too few to show a change: it takes {}", names.len(), 2 * SHORTEST));
    }
    (Overall::Pass, format!("no change for the worse in the newest of {} runs", names.len()))
}

/// `p99 +10.2 % since run 41`
fn told(history: &MetricHistory, names: &[String]) -> Option<String> {
    let last = history.changes.last()?;
    let name = names.get(*history.runs.get(last.at)?)?;
    Some(format!("{} {} since {name}", history.metric.word(), percent(last.after / last.before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<BTreeMap<Metric, f64>> {
        // A little unevenness, or every difference would be certain.
        (0..).zip(values).map(|(run, value)| [(Metric::P99, value * (1.0 + 0.004 * f64::from(run % 3)))].into()).collect()
    }

    fn found(values: &[f64]) -> (Overall, String) {
        let names: Vec<String> = (0..values.len()).map(|run| format!("run {run}")).collect();
        overall(&histories(&series(values), &Tolerances::new(&["p99=5%".parse().unwrap()])), &names)
    }

    #[test]
    fn the_run_in_which_it_became_worse_is_named_until_it_is_better_again() {
        let slower = [[100.0; 10], [112.0; 10]].concat();
        let (verdict, why) = found(&slower);
        assert_eq!((verdict, why.contains("since run 10"), why.contains("+12.")), (Overall::Fail, true, true), "{why}");
        assert_eq!(found(&[&slower[..], &[100.0; 10]].concat()).0, Overall::Pass);
        assert_eq!(found(&[[100.0; 10], [103.0; 10]].concat()).0, Overall::Pass);
        assert_eq!(
            (found(&[100.0; 5]).0, found(&[100.0; 6]).0, found(&[]).0),
            (Overall::Inconclusive, Overall::Pass, Overall::Inconclusive)
        );
    }
}
