//! The pictures of a comparison: both sides' times by percentile, each metric's change with its bounds, and a history's series.

use serde::Serialize;

use super::chart::{Band, Chart, Scale, Series, WIDTH, line, percent};
use super::load::{NamedPoints, micros, percentiles};
use crate::judge::compare::{outcome, percent as told_change};
use crate::report::compare::text::{bounds, value};
use crate::report::compare::{Compare, ComparedEntry, MetricEntry, SeriesEntry, SeriesMetric};
use crate::verdict::Overall;

/// Lines of a side at most: more are not told apart.
const MOST_LINES: usize = 6;
/// The least change that the axis spans, to either side.
const LEAST_SPAN: f64 = 0.02;

/// What a page shows of a comparison besides its figures.
#[derive(Debug, Serialize)]
pub(super) struct ComparePictures<'a> {
    percentiles: Option<Chart>,
    rows: Vec<MetricRow<'a>>,
    /// How far the axis of the rows goes to either side.
    span: String,
    series: Vec<Chart>,
}

/// One metric, in words and on the axis.
#[derive(Debug, Serialize)]
struct MetricRow<'a> {
    name: &'a str,
    base: String,
    new: String,
    change: String,
    bounds: String,
    limit: String,
    verdict: Option<Overall>,
    outcome: String,
    place: ChangePlace,
}

/// Shares (0 to 100) of the axis, on whose middle nothing has changed.
#[derive(Debug, Serialize)]
struct ChangePlace {
    at: f64,
    /// From the least to the most that the change may be.
    from: Option<f64>,
    width: Option<f64>,
    limit: Option<f64>,
}

impl<'a> ComparePictures<'a> {
    pub(super) fn new(compare: &'a Compare) -> ComparePictures<'a> {
        // What decides is seen well, however far the rest may be off.
        let decides = compare.metrics.iter().any(|metric| metric.limit.is_some());
        let shown = compare.metrics.iter().filter(|metric| metric.limit.is_some() || !decides);
        let span = shown.flat_map(ratios).map(|ratio| ratio.ln().abs()).fold(LEAST_SPAN, f64::max) * 1.1;
        ComparePictures {
            percentiles: both_sides(compare),
            rows: compare.metrics.iter().map(|metric| row(metric, span)).collect(),
            span: format!("{} to {}", told_change((-span).exp()), told_change(span.exp())),
            series: compare.history.as_ref().map(series).unwrap_or_default(),
        }
    }
}

fn ratios(metric: &MetricEntry) -> impl Iterator<Item = f64> {
    [Some(metric.ratio), metric.low, metric.high, metric.limit].into_iter().flatten().filter(|ratio| *ratio > 0.0)
}

fn row(metric: &MetricEntry, span: f64) -> MetricRow<'_> {
    let share = |ratio: f64| percent((ratio.ln() / span / 2.0 + 0.5).clamp(0.0, 1.0));
    let known = metric.low.zip(metric.high).map(|(low, high)| (share(low), share(high)));
    MetricRow {
        name: &metric.name,
        base: value(&metric.name, metric.base),
        new: value(&metric.name, metric.new),
        change: told_change(metric.ratio),
        bounds: bounds(metric),
        limit: metric.limit.map(told_change).unwrap_or_default(),
        verdict: metric.verdict,
        outcome: metric.verdict.map(|verdict| outcome(verdict, metric.needed)).unwrap_or_default(),
        place: ChangePlace {
            at: share(metric.ratio),
            from: known.map(|(low, _)| low),
            width: known.map(|(low, high)| percent((high - low) / 100.0).max(0.5)),
            limit: metric.limit.map(share),
        },
    }
}

/// A line a run, those of one side in one colour.
fn both_sides(compare: &Compare) -> Option<Chart> {
    let [base, new] = [lines("c1", "before", &compare.base), lines("c2", "now", &compare.new)];
    if base.is_empty() || new.is_empty() {
        return None;
    }
    percentiles("compared-percentiles", "Response time by percentile, before and now", &[base, new].concat())
}

fn lines<'c>(class: &'static str, side: &str, runs: &'c [ComparedEntry]) -> Vec<NamedPoints<'c>> {
    let known = runs.iter().filter(|run| !run.response.is_empty()).take(MOST_LINES);
    known.map(|run| (class, format!("{side}: {}", run.name), &run.response[..])).collect()
}

fn series(history: &SeriesEntry) -> Vec<Chart> {
    history
        .metrics
        .iter()
        .filter(|metric| metric.values.len() > 1)
        .enumerate()
        .map(|(nth, metric)| one(nth, metric, history))
        .collect()
}

/// One metric run by run, in a stretch for each time between two changes.
fn one(nth: usize, metric: &SeriesMetric, history: &SeriesEntry) -> Chart {
    const IDS: [&str; 8] = ["series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-7", "series-8"];
    let runs = metric.values.len();
    let (x, y) = (Scale::exact(runs as f64), Scale::linear(metric.values.iter().copied().fold(0.0, f64::max)));
    let middle = |place: usize| ((place as f64 + 0.5) / runs as f64 * WIDTH).round();
    let points = metric.values.iter().enumerate().map(|(place, value)| Some((middle(place), y.y(*value))));
    // Where a run lacks the metric, it is not known which of them the change begins with.
    let is_whole = runs == history.runs.len();
    let begins = |run: &String| history.runs.iter().position(|known| known == run).filter(|_| is_whole);
    let mut starts: Vec<usize> = metric.changes.iter().filter_map(|change| begins(&change.run)).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([runs]);
    let bands = starts.iter().zip(ends).map(|(start, end)| {
        let (from, to) = (x.share(*start as f64), x.share(end as f64));
        Band { from: percent(from), width: percent(to - from), text: history.runs[*start].clone() }
    });
    let changes = metric.changes.iter().map(|change| format!("{} in {}", told_change(change.ratio), change.run));
    let changes = changes.collect::<Vec<_>>();
    let changes = if changes.is_empty() { "no change".to_owned() } else { changes.join(", ") };
    Chart {
        id: IDS[nth.min(IDS.len() - 1)],
        title: format!("{}: {changes}", metric.name),
        summary: format!("{runs} runs; {changes}"),
        x_name: "runs, the newest last".to_owned(),
        y_ticks: y.y_ticks(|mark| match metric.name.as_str() {
            "throughput" | "cpu" => value(&metric.name, mark),
            _ => micros(mark),
        }),
        bands: if is_whole { bands.collect() } else { Vec::new() },
        series: vec![Series { class: "response", name: metric.name.clone(), path: line(points), is_filled: false }],
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::comparison;

    #[test]
    fn a_change_lies_on_its_side_of_the_middle_within_its_bounds_and_its_limit_on_the_same_axis() {
        let compare = comparison("");
        let pictures = ComparePictures::new(&compare);
        let of = |name: &str| &pictures.rows.iter().find(|row| row.name == name).expect("a row").place;
        let p99 = of("p99");
        let (from, width, limit) = (p99.from.expect("bounds"), p99.width.expect("bounds"), p99.limit.expect("a limit"));
        // +6 to +14 % around +10 %, where +5 % is allowed.
        assert!(50.0 < limit && limit < from && from < p99.at && p99.at < from + width && from + width <= 100.0, "{p99:?}");
        let throughput = of("throughput");
        assert!(throughput.limit.is_some_and(|limit| limit < 50.0) && (throughput.at - 50.0).abs() < 1.0, "{throughput:?}");
        assert_eq!((of("p99.9").from, of("p99.9").width), (None, None));
    }

    #[test]
    fn both_sides_are_drawn_where_both_have_times_and_a_series_in_stretches_between_its_changes() {
        let mut compare = comparison("");
        assert!(ComparePictures::new(&compare).percentiles.is_none());
        compare
            .base
            .iter_mut()
            .chain(&mut compare.new)
            .for_each(|run| run.response = vec![(50.0, 900), (99.0, 1000), (100.0, 1200)]);
        let chart = ComparePictures::new(&compare).percentiles.expect("a picture");
        let classes: Vec<&str> = chart.series.iter().map(|series| series.class).collect();
        assert_eq!(classes, ["c1", "c1", "c2"]);
        let series = &ComparePictures::new(&compare).series[0];
        assert_eq!(series.bands.len(), 2, "{series:?}");
    }
}
