//! The pictures of a load: times by percentile, the run second by second, and latency against load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::chart::{Band, Chart, Dot, HEIGHT, Scale, Series, WIDTH, columns, line, percent, stacked};
use crate::judge::load::check::{per_second, told};
use crate::report::load::{CapacityFigures, CurveFigures, Load, SecondFigures, TrialFigures};

/// Rows of the table of seconds; of a longer run each stands for several.
const MOST_ROWS: usize = 120;
/// The colours of phases.
const PHASES: [&str; 8] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];

/// What a page shows of a load besides its figures.
#[derive(Debug, Serialize)]
pub(super) struct LoadPictures {
    percentiles: Vec<Chart>,
    seconds: Vec<Chart>,
    /// Each row stands for so many seconds.
    row_s: usize,
    rows: Vec<SecondRow>,
    capacity: Option<Chart>,
}

/// Some seconds: counts added up, and the worst of the times.
#[derive(Debug, Default, Serialize)]
struct SecondRow {
    from_s: u64,
    sent: u64,
    accepted: u64,
    refused: u64,
    errors: u64,
    lost: u64,
    response_p99_us: u64,
    lag_p99_us: u64,
}

impl LoadPictures {
    pub(super) fn new(load: &Load) -> LoadPictures {
        let of_run = |curve: &&CurveFigures| curve.phase.is_none();
        let (whole, phases): (Vec<&CurveFigures>, Vec<&CurveFigures>) = load.curves.iter().partition(of_run);
        let class = |curve: &CurveFigures| match curve.of.as_str() {
            "response" => "response",
            "service" => "service",
            "lag" => "lag",
            _ => "wait",
        };
        let whole: Vec<_> = whole.into_iter().map(|curve| (class(curve), curve.of.clone(), &curve.points[..])).collect();
        let phases: Vec<_> = PHASES
            .into_iter()
            .zip(phases)
            .map(|(class, curve)| (class, curve.phase.clone().unwrap_or_default(), &curve.points[..]))
            .collect();
        let percentiles = [
            percentiles("percentiles", "Times by percentile", &whole),
            percentiles("percentiles-by-phase", "Response time by percentile, phase by phase", &phases),
        ];
        let row_s = load.seconds.len().div_ceil(MOST_ROWS).max(1);
        LoadPictures {
            percentiles: percentiles.into_iter().flatten().collect(),
            seconds: if load.seconds.is_empty() { Vec::new() } else { vec![calls(load), times(load)] },
            row_s,
            rows: load.seconds.chunks(row_s).map(row).collect(),
            capacity: load.capacity.as_ref().filter(|capacity| !capacity.curve.is_empty()).map(capacity),
        }
    }
}

fn row(seconds: &[SecondFigures]) -> SecondRow {
    let mut row = SecondRow { from_s: seconds.first().map_or(0, |second| second.t_s), ..SecondRow::default() };
    for second in seconds {
        row.sent += second.sent;
        row.accepted += second.accepted;
        row.refused += second.refused;
        row.errors += second.errors;
        row.lost += second.lost;
        row.response_p99_us = row.response_p99_us.max(second.response_p99_us);
        row.lag_p99_us = row.lag_p99_us.max(second.lag_p99_us);
    }
    row
}

pub(super) fn micros(us: f64) -> String {
    let time = told(Duration::from_secs_f64(us / 1e6));
    // A mark of an axis is a round number.
    time.replace(".00 ", " ")
}

/// A line of a picture: its colour, its name, and microseconds by percentile.
pub(super) type NamedPoints<'c> = (&'static str, String, &'c [(f64, u64)]);

/// HDR's axes: each mark to the right is ten times as rare, each mark up ten times as long.
pub(super) fn percentiles(id: &'static str, title: &str, curves: &[NamedPoints<'_>]) -> Option<Chart> {
    let last = |points: &[(f64, u64)]| points.iter().rev().map(|(percentile, _)| *percentile).find(|last| *last < 100.0);
    let rarest = curves.iter().filter_map(|(.., points)| last(points)).fold(99.0, f64::max);
    let (_, response, first) = curves.first()?;
    let x = Scale::exact(rarity(rarest).ceil());
    let y = Scale::log(curves.iter().flat_map(|(.., points)| *points).map(|(_, us)| *us as f64));
    let series = curves.iter().map(|(class, name, points)| Series {
        class,
        name: name.clone(),
        path: line(points.iter().map(|(percentile, us)| Some((x.x(rarity(percentile.min(rarest))), y.y(*us as f64))))),
        is_filled: false,
    });
    let at = |wanted: f64| first.iter().find(|(percentile, _)| *percentile >= wanted).map_or(0, |(_, us)| *us);
    Some(Chart {
        id,
        title: title.to_owned(),
        summary: format!(
            "{response}: half of the calls within {}, 99 % within {}, all within {}",
            micros(at(50.0) as f64),
            micros(at(99.0) as f64),
            micros(at(100.0) as f64)
        ),
        x_name: "percentile".to_owned(),
        x_ticks: x.x_ticks(percentile).into_iter().filter(|tick| !tick.text.is_empty()).collect(),
        y_ticks: y.y_ticks(micros),
        series: series.collect(),
        ..Chart::default()
    })
}

/// How often a percentile is exceeded, as the power of ten: 1 for 90 %, 2 for 99 %.
fn rarity(percentile: f64) -> f64 {
    -((100.0 - percentile) / 100.0).log10()
}

fn percentile(rarity: f64) -> String {
    // Marks lie on whole powers of ten, or between them where there are few.
    if (rarity - rarity.round()).abs() > 1e-9 {
        return String::new();
    }
    match rarity {
        rarity if rarity < 0.5 => "0 %".to_owned(),
        rarity if rarity < 2.5 => format!("{:.0} %", 100.0 - 100.0 / 10_f64.powf(rarity)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few digits")]
        rarity => format!("99.{} %", "9".repeat(rarity.round() as usize - 2)),
    }
}

fn bands(load: &Load, x: Scale) -> Vec<Band> {
    let phases = load.phases.iter().filter_map(|phase| Some((phase.start_s?, phase)));
    let bands = phases.map(|(start, phase)| {
        let (from, to) = (x.share(start), x.share(start + phase.elapsed_ms as f64 / 1000.0));
        Band { from: percent(from), width: percent(to - from), text: phase.name.clone() }
    });
    bands.collect()
}

/// Seconds from the first to the last, those in which nothing was measured too.
fn timeline(load: &Load) -> Vec<Option<&SecondFigures>> {
    let by_time: BTreeMap<u64, &SecondFigures> = load.seconds.iter().map(|second| (second.t_s, second)).collect();
    let last = by_time.keys().last().copied().unwrap_or(0);
    (0..=last).map(|at| by_time.get(&at).copied()).collect()
}

fn seconds(mark: f64) -> String {
    let whole = Duration::from_secs_f64(mark).as_secs();
    match whole {
        _ if mark.fract() > 0.0 => format!("{mark:.1} s"),
        whole if whole >= 120 && whole.is_multiple_of(60) => format!("{} min", whole / 60),
        whole => format!("{whole} s"),
    }
}

fn calls(load: &Load) -> Chart {
    let timeline = timeline(load);
    let x = Scale::exact(timeline.len() as f64);
    let of = |count: fn(&SecondFigures) -> u64| timeline.iter().map(|second| second.map_or(0, count)).collect::<Vec<u64>>();
    let parts = [
        ("accepted", "accepted", of(|second| second.accepted)),
        ("refused", "refused by a limit", of(|second| second.refused)),
        ("errors", "errors", of(|second| second.errors)),
        ("lost", "lost", of(|second| second.lost)),
    ];
    let most =
        timeline.iter().flatten().map(|second| second.sent.max(second.accepted + second.refused + second.errors + second.lost));
    let most = most.max().unwrap_or(0);
    let y = Scale::linear(most as f64);
    let mut series = stacked(&parts, y);
    let sent: Vec<f64> = of(|second| second.sent).into_iter().map(|sent| y.share(sent as f64) * HEIGHT).collect();
    series.push(Series { class: "sent", name: "sent".to_owned(), path: columns(&sent), is_filled: false });
    let refused: u64 = load.seconds.iter().map(|second| second.refused).sum();
    Chart {
        id: "calls-by-second",
        title: "Calls a second".to_owned(),
        summary: format!("{} seconds, at most {most} calls in one of them, {refused} calls refused in all", timeline.len()),
        x_name: "since the start".to_owned(),
        span: Some(timeline.len() as f64),
        x_ticks: x.x_ticks(seconds),
        y_ticks: y.y_ticks(|mark| format!("{mark}")),
        bands: bands(load, x),
        series,
        ..Chart::default()
    }
}

/// Response time and the generator's own lag on one axis: where both rise together the target is not to blame.
fn times(load: &Load) -> Chart {
    let timeline = timeline(load);
    let x = Scale::exact(timeline.len() as f64);
    let each = |second: &SecondFigures| [second.response_p50_us, second.response_p99_us, second.lag_p99_us];
    let y = Scale::log(load.seconds.iter().flat_map(each).map(|us| us as f64));
    let middle = |place: usize| ((place as f64 + 0.5) / timeline.len() as f64 * WIDTH).round();
    let series = |class, name: &str, of: fn(&SecondFigures) -> u64| {
        let values = timeline.iter().enumerate().map(|(place, second)| {
            let us = second.map(of).filter(|us| *us > 0)?;
            Some((middle(place), y.y(us as f64)))
        });
        Series { class, name: name.to_owned(), path: line(values), is_filled: false }
    };
    let worst = load.seconds.iter().max_by_key(|second| second.response_p99_us);
    let lag = load.seconds.iter().map(|second| second.lag_p99_us).max().unwrap_or(0);
    let mut all = Vec::new();
    let refusals = refusals(&timeline);
    if !refusals.is_empty() {
        all.push(Series { class: "refused", name: "seconds with refusals".to_owned(), path: refusals, is_filled: true });
    }
    all.push(series("median", "response p50", |second| second.response_p50_us));
    all.push(series("response", "response p99", |second| second.response_p99_us));
    all.push(series("lag", "lag p99, the generator's own", |second| second.lag_p99_us));
    Chart {
        id: "times-by-second",
        title: "Response time and lag".to_owned(),
        summary: format!(
            "the highest response p99 is {}, in second {}; the highest lag p99 is {}",
            micros(worst.map_or(0, |second| second.response_p99_us) as f64),
            worst.map_or(0, |second| second.t_s),
            micros(lag as f64)
        ),
        x_name: "since the start".to_owned(),
        span: Some(timeline.len() as f64),
        x_ticks: x.x_ticks(seconds),
        y_ticks: y.y_ticks(micros),
        bands: bands(load, x),
        series: all,
        ..Chart::default()
    }
}

/// Marks on the ground, one for each stretch in which a limit refused calls.
fn refusals(timeline: &[Option<&SecondFigures>]) -> String {
    let at = |place: usize| (place as f64 * WIDTH / timeline.len() as f64).round();
    let refuses = |second: Option<&SecondFigures>| second.is_some_and(|second| second.refused > 0);
    let (mut path, mut place) = (String::new(), 0);
    for stretch in timeline.chunk_by(|one, next| refuses(*one) == refuses(*next)) {
        if refuses(stretch[0]) {
            let (from, to) = (at(place), at(place + stretch.len()));
            let _ = write!(path, "M{from} {HEIGHT}V{}H{to}V{HEIGHT}z", HEIGHT - 25.0);
        }
        place += stretch.len();
    }
    path
}

fn capacity(capacity: &CapacityFigures) -> Chart {
    let mut trials: Vec<&TrialFigures> = capacity.curve.iter().collect();
    trials.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let times = trials.iter().flat_map(|trial| [trial.response_us.p50, trial.response_us.p99]).map(|us| us as f64);
    let (x, y) = (Scale::log_around(trials.iter().map(|trial| trial.rate)), Scale::log(times));
    // Of several trials at one rate, the line goes through the one in the middle.
    let rates: Vec<&[&TrialFigures]> = trials.chunk_by(|one, next| one.rate.total_cmp(&next.rate).is_eq()).collect();
    let through = |of: fn(&TrialFigures) -> u64| {
        line(rates.iter().map(|same| {
            let mut times: Vec<u64> = same.iter().map(|trial| of(trial)).collect();
            times.sort_unstable();
            Some((x.x(same[0].rate), y.y(times[times.len() / 2] as f64)))
        }))
    };
    let dots = trials.iter().map(|trial| Dot {
        x: percent(x.share(trial.rate)),
        y: percent(1.0 - y.share(trial.response_us.p99 as f64)),
        class: match (trial.passed, trial.confirms) {
            (true, true) => "confirmed",
            (true, false) => "passed",
            (false, _) => "failed",
        },
        text: format!("{}: p99 {}", per_second(trial.rate), micros(trial.response_us.p99 as f64)),
    });
    let answer = match (capacity.passes_at, capacity.fails_at) {
        (Some(passes), Some(fails)) => format!("holds at {}, and no longer at {}", per_second(passes), per_second(fails)),
        (Some(passes), None) => format!("holds at {}", per_second(passes)),
        (None, _) => "holds at no rate that was confirmed".to_owned(),
    };
    let lines =
        [("median", "p50", through(|trial| trial.response_us.p50)), ("response", "p99", through(|trial| trial.response_us.p99))];
    Chart {
        id: "latency-against-load",
        title: format!("Response time against load: {answer}"),
        summary: format!("{} trials; {answer}", trials.len()),
        x_name: "calls a second that were offered".to_owned(),
        x_ticks: x.x_ticks(|rate| format!("{rate:.0}/s")),
        y_ticks: y.y_ticks(micros),
        bands: Vec::new(),
        series: lines
            .into_iter()
            .map(|(class, name, path)| Series { class, name: name.to_owned(), path, is_filled: false })
            .collect(),
        dots: dots.collect(),
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_of_the_percentiles_is_ten_times_as_rare() {
        let marks = [0.0, 1.0, 2.0, 3.0, 5.0, 0.5].map(percentile);
        assert_eq!(marks, ["0 %", "90 %", "99 %", "99.9 %", "99.999 %", ""]);
        assert!((rarity(99.9) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_stretch_of_refusals_is_one_mark() {
        let second = |refused| SecondFigures {
            t_s: 0,
            sent: 1,
            accepted: 1,
            refused,
            errors: 0,
            lost: 0,
            response_p50_us: 1,
            response_p99_us: 1,
            lag_p99_us: 1,
            response_hdr: String::new(),
        };
        let (none, some) = (second(0), second(2));
        assert_eq!(refusals(&[Some(&none), Some(&some), Some(&some), None]), "M2500 1000V975H7500V1000z");
        assert_eq!(refusals(&[Some(&none), None]), "");
    }
}
