//! Two runs, or several of each, held against each other: what of conformance was lost, and whether the load has become slower.
//!
//! [`compare`] makes a [`Comparison`]. It says no only where the ratio's bounds lie beyond what is tolerated, yes only where they lie
//! within; what lies between is inconclusive.

pub mod bootstrap;
pub mod change;
pub mod conformance;
pub mod history;
pub mod metric;
pub mod permute;
#[cfg(test)]
mod simulation;
mod student;

use std::collections::BTreeMap;

use bootstrap::{Scatter, SecondSeen};
use conformance::{Facet, Shift, Statement};
use metric::{Metric, Tolerances};
use permute::{DifferenceBounds, ERROR};

use super::text::counted;
use crate::verdict::Overall;

/// What is compared of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComparedRun {
    pub statements: Vec<Statement>,
    pub readings: BTreeMap<String, String>,
    /// Of a load.
    pub figures: Option<RunFigures>,
}

/// What a load measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFigures {
    /// Those that could be measured; times in microseconds.
    pub values: BTreeMap<Metric, f64>,
    /// In their order; none where they were not kept.
    pub seconds: Vec<SecondSeen>,
    /// Why it cannot be trusted.
    pub doubts: Vec<String>,
}

/// What varies, and of which there have to be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedUnit {
    Run,
    /// Of one run each.
    Second,
    /// Two runs, one of each, one after the other.
    Round,
}

impl ComparedUnit {
    pub fn word(self) -> &'static str {
        match self {
            ComparedUnit::Run => "run",
            ComparedUnit::Second => "second",
            ComparedUnit::Round => "round",
        }
    }
}

/// One metric of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricComparison {
    pub metric: Metric,
    /// Geometric means over the runs.
    pub base: f64,
    pub new: f64,
    /// New to base, and the bounds of that.
    pub ratio: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Two-sided p-value of there being no difference; of seconds there is none.
    pub p: Option<f64>,
    /// The ratio beyond which it is worse than it may be; `None` for what does not decide.
    pub limit: Option<f64>,
    /// Of what does not decide it is a pass.
    pub verdict: Overall,
    /// So many runs of each side, or rounds, would probably settle what is open; `None` where it is not, or too many would be needed.
    pub needed: Option<usize>,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub unit: ComparedUnit,
    pub shifts: Vec<Shift>,
    pub metrics: Vec<MetricComparison>,
    /// Why figures cannot be compared, though they decide.
    pub doubts: Vec<String>,
}

/// Fewest runs of each side, and fewest rounds, that can show anything: see [`permute`].
const LEAST_RUNS: usize = 3;
const LEAST_ROUNDS: usize = 5;
/// More than so many nobody will make.
const MOST_NEEDED: usize = 1000;

/// Compares runs of one kind. `seed` draws where not everything can be counted.
pub fn compare(base: &[ComparedRun], new: &[ComparedRun], tolerances: &Tolerances, seed: u64) -> Comparison {
    let is_single = base.len() == 1 && new.len() == 1;
    let unit = if is_single { ComparedUnit::Second } else { ComparedUnit::Run };
    of_unit(unit, base, new, tolerances, seed).doubted()
}

/// Compares as many runs of each side, of which each two were made one after the other; `cut_short` says why there are no more.
pub fn compare_rounds(
    base: &[ComparedRun],
    new: &[ComparedRun],
    tolerances: &Tolerances,
    seed: u64,
    cut_short: Option<String>,
) -> Comparison {
    let mut comparison = of_unit(ComparedUnit::Round, base, new, tolerances, seed);
    comparison.doubts.extend(cut_short);
    comparison.doubted()
}

fn of_unit(unit: ComparedUnit, base: &[ComparedRun], new: &[ComparedRun], tolerances: &Tolerances, seed: u64) -> Comparison {
    let (of_base, of_new) = (figures(base), figures(new));
    let scatters: BTreeMap<Metric, Scatter> = match (unit, &of_base[..], &of_new[..]) {
        (ComparedUnit::Second, [base], [new]) => bootstrap::scatters(&base.seconds, &new.seconds, seed).into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let mut doubts: Vec<String> = of_base.iter().chain(&of_new).flat_map(|figures| figures.doubts.clone()).collect();
    let mut metrics = Vec::new();
    for metric in Metric::ALL.into_iter().filter(|_| !of_base.is_empty() && !of_new.is_empty()) {
        let limit = tolerances.ratio(metric);
        let logarithms =
            |of: &[&RunFigures]| of.iter().map(|of| of.values.get(&metric).map(|value| value.ln())).collect::<Option<Vec<_>>>();
        match (logarithms(&of_base), logarithms(&of_new)) {
            (Some(base), Some(new)) => {
                let bounds = bounds(unit, &base, &new, scatters.get(&metric), seed);
                metrics.push(compared(unit, metric, [&base, &new], bounds, limit));
            }
            _ if limit.is_some() => doubts.push(format!("{} was not measured in every run", metric.word())),
            _ => {}
        }
    }
    Comparison { unit, shifts: conformance::shifts(&shown(base), &shown(new)), metrics, doubts }
}

fn figures(runs: &[ComparedRun]) -> Vec<&RunFigures> {
    runs.iter().filter_map(|run| run.figures.as_ref()).collect()
}

fn shown(runs: &[ComparedRun]) -> Vec<Facet<'_>> {
    runs.iter().map(|run| (&run.statements[..], &run.readings)).collect()
}

/// The bounds of a difference of logarithms, and by how much that of one run of each scatters, where that is known.
type Bounded = (DifferenceBounds, Option<f64>);

fn bounds(unit: ComparedUnit, base: &[f64], new: &[f64], scatter: Option<&Scatter>, seed: u64) -> Bounded {
    let nothing = DifferenceBounds { low: None, high: None, p: 1.0 };
    match unit {
        ComparedUnit::Second => scatter.map_or((nothing, None), |scatter| {
            (DifferenceBounds { low: Some(scatter.low), high: Some(scatter.high), p: 1.0 }, Some(scatter.deviation))
        }),
        ComparedUnit::Run => {
            let degrees = (base.len() + new.len() - 2) as f64;
            let squares: f64 = [base, new].iter().map(|side| student::squares(side, student::mean(side))).sum();
            (permute::of_samples(base, new, seed), (degrees > 0.0).then(|| (2.0 * squares / degrees).sqrt()))
        }
        ComparedUnit::Round => {
            let differences: Vec<f64> = base.iter().zip(new).map(|(base, new)| new - base).collect();
            let squares = student::squares(&differences, student::mean(&differences));
            let degrees = differences.len().saturating_sub(1) as f64;
            (permute::of_pairs(&differences, seed), (degrees > 0.0).then(|| (squares / degrees).sqrt()))
        }
    }
}

fn compared(
    unit: ComparedUnit,
    metric: Metric,
    [base, new]: [&[f64]; 2],
    (bounds, deviation): Bounded,
    limit: Option<f64>,
) -> MetricComparison {
    let (before, after) = (student::mean(base), student::mean(new));
    let verdict = limit.map_or(Overall::Pass, |limit| verdict(metric, bounds, limit.ln()));
    let runs = base.len().min(new.len());
    let needed = limit.filter(|_| verdict == Overall::Inconclusive).zip(deviation);
    MetricComparison {
        metric,
        base: before.exp(),
        new: after.exp(),
        ratio: (after - before).exp(),
        low: bounds.low.map(f64::exp),
        high: bounds.high.map(f64::exp),
        p: (unit != ComparedUnit::Second).then_some(bounds.p),
        limit,
        verdict,
        needed: needed
            .and_then(|(limit, deviation)| needed_to_settle(unit, (after - before - limit.ln()).abs(), deviation, runs)),
    }
}

fn verdict(metric: Metric, bounds: DifferenceBounds, limit: f64) -> Overall {
    // Turned so that more is worse.
    let (low, high, limit) = if metric.is_better_high() {
        (bounds.high.map(|high| -high), bounds.low.map(|low| -low), -limit)
    } else {
        (bounds.low, bounds.high, limit)
    };
    match (low, high) {
        (Some(low), _) if low > limit => Overall::Fail,
        (_, Some(high)) if high <= limit => Overall::Pass,
        _ => Overall::Inconclusive,
    }
}

/// How many runs of each side, or rounds, bring the bounds of a difference that lies so far from the limit to one side of it.
fn needed_to_settle(unit: ComparedUnit, gap: f64, deviation: f64, runs: usize) -> Option<usize> {
    let least = if unit == ComparedUnit::Round { LEAST_ROUNDS } else { LEAST_RUNS };
    (least.max(runs + 1)..=MOST_NEEDED).find(|runs| {
        let degrees = if unit == ComparedUnit::Round { runs - 1 } else { 2 * runs - 2 };
        student::upper_quantile(ERROR, degrees as f64) * deviation / (*runs as f64).sqrt() < gap
    })
}

impl Comparison {
    /// Of figures that cannot be trusted nothing follows: what looks slow may be the generator's own doing.
    fn doubted(mut self) -> Comparison {
        if !self.doubts.is_empty() {
            self.metrics
                .iter_mut()
                .filter(|metric| metric.limit.is_some())
                .for_each(|metric| metric.verdict = Overall::Inconclusive);
        }
        self
    }

    /// What it comes to, and one line that says why.
    pub fn overall(&self) -> (Overall, String) {
        let of = |verdict: Overall| {
            let shifts = self.shifts.iter().filter(move |shift| shift.decides && shift.verdict == verdict).map(shifted);
            let metrics = self.metrics.iter().filter(move |metric| metric.limit.is_some() && metric.verdict == verdict);
            shifts.chain(metrics.map(|metric| metric.told(self.unit))).collect::<Vec<_>>()
        };
        let decides = self.metrics.iter().any(|metric| metric.limit.is_some());
        let worse = of(Overall::Fail);
        if !worse.is_empty() {
            return (Overall::Fail, listed(&worse));
        }
        let open = if self.doubts.is_empty() { of(Overall::Inconclusive) } else { self.doubts.clone() };
        if !open.is_empty() {
            return (Overall::Inconclusive, listed(&open));
        }
        let within = if decides { ", and no slower than it may be" } else { "" };
        (Overall::Pass, format!("all that held still holds{within}"))
    }
}

/// The first few, and how many there are besides.
fn listed(whys: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = whys.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if whys.len() > SHOWN { format!("{shown}; and {} more", whys.len() - SHOWN) } else { shown }
}

fn shifted(shift: &Shift) -> String {
    format!("{} {}: {} (before: {})", shift.kind.word(), shift.id, shift.is, shift.was)
}

impl MetricComparison {
    /// `p99 +12.1 % (+8.0 % to +15.2 %), at most +5 %`
    pub fn told(&self, unit: ComparedUnit) -> String {
        let limit = self
            .limit
            .map(|limit| format!(", at {} {}", if self.metric.is_better_high() { "least" } else { "most" }, percent(limit)));
        let open = if self.verdict == Overall::Inconclusive { self.told_needed(unit) } else { String::new() };
        format!("{} {} ({}){}{open}", self.metric.word(), percent(self.ratio), self.told_bounds(), limit.unwrap_or_default())
    }

    pub fn told_bounds(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{} to {}", percent(low), percent(high)),
            _ => "no bounds".to_owned(),
        }
    }

    fn told_needed(&self, unit: ComparedUnit) -> String {
        match (self.needed, unit) {
            (Some(needed), ComparedUnit::Round) => format!(": {} would probably settle it", counted(needed, "round")),
            (Some(needed), _) => format!(": {} of each would probably settle it", counted(needed, "run")),
            (None, ComparedUnit::Round) if self.low.is_none() => format!(": it takes {LEAST_ROUNDS} rounds at least"),
            (None, _) if self.low.is_none() => format!(": it takes {LEAST_RUNS} runs of each at least"),
            (None, _) => format!(": it lies so near that over {MOST_NEEDED} would be needed"),
        }
    }
}

/// What became of a metric, in a word.
pub fn outcome(verdict: Overall, needed: Option<usize>) -> String {
    match (verdict, needed) {
        (Overall::Inconclusive, Some(needed)) => format!("open: try {needed} of each"),
        (Overall::Inconclusive, None) => "open".to_owned(),
        (Overall::Fail, _) => "worse".to_owned(),
        (Overall::Pass, _) => "within".to_owned(),
    }
}

/// A ratio as people are told it: `+12.1 %`.
pub fn percent(ratio: f64) -> String {
    // What rounds to nothing has no sign: 0 is added to lose one.
    format!("{:+.1} %", ((ratio - 1.0) * 1000.0).round() / 10.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(values: &[f64]) -> Vec<ComparedRun> {
        let figures = |value: &f64| RunFigures { values: [(Metric::P99, *value)].into(), ..RunFigures::default() };
        values.iter().map(|value| ComparedRun { figures: Some(figures(value)), ..ComparedRun::default() }).collect()
    }

    fn of_p99(base: &[f64], new: &[f64]) -> Comparison {
        compare(&runs(base), &runs(new), &Tolerances::new(&["p99=5%".parse().unwrap()]), 1)
    }

    #[test]
    fn it_fails_only_beyond_the_limit_passes_only_within_and_else_says_how_many_runs_would_settle_it() {
        let base = [1000.0, 1003.0, 998.0, 1001.0];
        let of = |by: f64, scatter: f64| of_p99(&base, &[by - scatter, by + scatter, by - scatter / 2.0, by + scatter / 2.0]);
        assert_eq!(of(1100.0, 3.0).overall().0, Overall::Fail);
        assert_eq!((of(1000.0, 3.0).overall().0, of(900.0, 3.0).overall().0), (Overall::Pass, Overall::Pass));
        let open = of(1070.0, 60.0);
        let needed = open.metrics[0].needed.unwrap();
        assert!(open.overall().0 == Overall::Inconclusive && (5..200).contains(&needed), "{needed}");
        // The nearer to the limit, the more it takes.
        assert!(of(1060.0, 60.0).metrics[0].needed.unwrap() > needed);
        let few = of_p99(&base[..2], &[1200.0, 1201.0]);
        assert_eq!((few.overall().0, few.metrics[0].low), (Overall::Inconclusive, None));
    }

    #[test]
    fn what_cannot_be_trusted_blames_nobody_and_passes_nobody() {
        let tolerances = Tolerances::new(&["p99=5%".parse().unwrap()]);
        for new in [[1200.0, 1201.0, 1202.0, 1203.0], [1000.0, 1001.0, 1002.0, 1003.0]] {
            let mut late = runs(&new);
            late[0].figures.as_mut().unwrap().doubts.push("the generator was late".to_owned());
            let base = runs(&[1000.0, 1001.0, 1002.0, 1003.0]);
            assert_eq!(
                compare(&base, &late, &tolerances, 1).overall(),
                (Overall::Inconclusive, "the generator was late".to_owned())
            );
        }
        let cut = compare_rounds(&runs(&[1.0; 5]), &runs(&[2.0; 5]), &tolerances, 1, Some("cut short".to_owned()));
        assert_eq!(cut.overall().0, Overall::Inconclusive);
        assert_eq!(compare_rounds(&runs(&[1.0; 5]), &runs(&[2.0; 5]), &tolerances, 1, None).overall().0, Overall::Fail);
    }

    #[test]
    fn fewer_accepted_calls_a_second_are_worse_and_more_are_not() {
        let of = |new: f64| {
            let figures = |value: f64| RunFigures { values: [(Metric::Throughput, value)].into(), ..RunFigures::default() };
            let run = |value: f64| ComparedRun { figures: Some(figures(value)), ..ComparedRun::default() };
            let side = |value: f64| (0..4).map(|place| run(value + f64::from(place) / 10.0)).collect::<Vec<_>>();
            compare(&side(200.0), &side(new), &Tolerances::new(&["throughput=5%".parse().unwrap()]), 1).overall().0
        };
        assert_eq!((of(180.0), of(199.0), of(250.0)), (Overall::Fail, Overall::Pass, Overall::Pass));
    }
}
