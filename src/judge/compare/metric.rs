//! What is compared of a load, and how much worse it may be.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Accepted calls a second.
    Throughput,
    P50,
    P90,
    P99,
    P999,
    /// Processor time of the generator a call.
    Cpu,
}

impl Metric {
    pub const ALL: [Metric; 6] = [Metric::Throughput, Metric::P50, Metric::P90, Metric::P99, Metric::P999, Metric::Cpu];
    /// Those that each second of a run shows.
    pub const OF_SECONDS: [Metric; 5] = [Metric::Throughput, Metric::P50, Metric::P90, Metric::P99, Metric::P999];

    pub fn word(self) -> &'static str {
        match self {
            Metric::Throughput => "throughput",
            Metric::P50 => "p50",
            Metric::P90 => "p90",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
            Metric::Cpu => "cpu",
        }
    }

    /// Of a response time, the share of calls that it holds for.
    pub fn share(self) -> Option<f64> {
        match self {
            Metric::P50 => Some(0.5),
            Metric::P90 => Some(0.9),
            Metric::P99 => Some(0.99),
            Metric::P999 => Some(0.999),
            Metric::Throughput | Metric::Cpu => None,
        }
    }

    /// Whether more of it is better.
    pub fn is_better_high(self) -> bool {
        self == Metric::Throughput
    }
}

/// By what share a metric may be worse; one that is not in it is shown and decides nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerances(BTreeMap<Metric, f64>);

impl Default for Tolerances {
    fn default() -> Tolerances {
        Tolerances([(Metric::Throughput, 0.05), (Metric::P50, 0.1), (Metric::P90, 0.1), (Metric::P99, 0.1)].into())
    }
}

impl Tolerances {
    /// The last of several for one metric counts; without any, the usual ones.
    pub fn new(asked: &[Tolerance]) -> Tolerances {
        if asked.is_empty() {
            return Tolerances::default();
        }
        Tolerances(asked.iter().map(|tolerance| (tolerance.metric, tolerance.share)).collect())
    }

    /// The ratio of new to base beyond which the metric is worse than it may be.
    pub fn ratio(&self, metric: Metric) -> Option<f64> {
        let share = self.0.get(&metric)?;
        Some(if metric.is_better_high() { 1.0 - share } else { 1.0 + share })
    }
}

/// `p99=5%`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    pub metric: Metric,
    pub share: f64,
}

impl FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Tolerance, String> {
        let form = || format!("write METRIC=SHARE, as in p99=5%, with one of {}", Metric::ALL.map(Metric::word).join(", "));
        let (name, share) = text.split_once('=').ok_or_else(form)?;
        let is_it = |metric: &Metric| metric.word().replace('.', "") == name.replace('.', "");
        let metric = Metric::ALL.into_iter().find(is_it).ok_or_else(form)?;
        let percent = share.strip_suffix('%').and_then(|share| share.parse::<f64>().ok()).ok_or_else(form)?;
        let most = if metric.is_better_high() { 100.0 } else { 100_000.0 };
        if !(0.0..most).contains(&percent) {
            return Err(format!("write a share from 0% to less than {most}%"));
        }
        Ok(Tolerance { metric, share: percent / 100.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_metric_and_a_share_and_nothing_else() {
        let read = |text: &str| text.parse::<Tolerance>();
        assert_eq!(read("p99=5%"), Ok(Tolerance { metric: Metric::P99, share: 0.05 }));
        assert_eq!((read("p99.9=0%"), read("p999=0%")), (read("p999=0%"), Ok(Tolerance { metric: Metric::P999, share: 0.0 })));
        for wrong in ["p99", "p99=5", "p98=5%", "p99=-1%", "p99=NaN%", "throughput=100%", "=5%", "p99=%"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_named_decides_and_nothing_else_does() {
        let named = Tolerances::new(&["p99=5%", "throughput=20%"].map(|text| text.parse().unwrap()));
        assert_eq!(
            (named.ratio(Metric::P99), named.ratio(Metric::Throughput), named.ratio(Metric::P50)),
            (Some(1.05), Some(0.8), None)
        );
        let usual = Tolerances::new(&[]);
        assert_eq!((usual.ratio(Metric::P50), usual.ratio(Metric::P999), usual.ratio(Metric::Cpu)), (Some(1.1), None, None));
    }
}
