//! Checks of a load plan held against what was measured.

use std::borrow::Cow;
use std::time::Duration;

use super::tally::{Latency, Tally};
use crate::scenario::load::check::{Check, Counted, Statistic, Subject, Timing};

/// A check with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// As it was written.
    pub text: String,
    /// `None` where there was nothing to measure: unknown, and never a pass.
    pub holds: Option<bool>,
    /// It does not hold, and no later call can change that.
    pub is_lost: bool,
    pub actual: String,
}

/// Holds a check against a stretch that took `elapsed` and had so many findings.
///
/// A histogram knows a time to three digits; the longest that it may have been is compared.
pub fn evaluate(check: &Check, tally: &Tally, elapsed: Duration, findings: u64) -> Checked {
    let (value, actual) = match check.subject {
        Subject::Time { statistic, timing, class } => {
            let times = match timing {
                Timing::Lag => Cow::Borrowed(&tally.lag),
                Timing::Wait => Cow::Borrowed(&tally.wait),
                Timing::Service => tally.service(class),
                Timing::Response => tally.response(class),
            };
            let time = time(&times, statistic);
            (time.map(|time| time.as_secs_f64() * 1e6), time.map_or("no call".to_owned(), told))
        }
        Subject::Count(counted) => {
            let count = count(counted, tally, findings);
            (Some(count as f64), count.to_string())
        }
        Subject::Rate(counted) => {
            let rate = (!elapsed.is_zero()).then(|| count(counted, tally, findings) as f64 / elapsed.as_secs_f64());
            (rate, rate.map_or("no time passed".to_owned(), |rate| format!("{rate:.1}/s")))
        }
        Subject::Share(counted) => {
            let share = (tally.sent > 0).then(|| count(counted, tally, findings) as f64 / tally.sent as f64);
            (share, share.map_or("no call".to_owned(), |share| format!("{:.3}%", share * 100.0)))
        }
    };
    let holds = value.map(|value| check.relation.holds(value, check.bound));
    let is_lost = holds == Some(false) && value.is_some_and(|value| is_lost(check, value));
    Checked { text: check.text.clone(), holds, is_lost, actual }
}

/// Whether nothing that is still to come can make a check hold that does not hold at this value: counts only grow, the longest
/// time becomes longer, the shortest shorter.
fn is_lost(check: &Check, value: f64) -> bool {
    match check.subject {
        Subject::Count(_) | Subject::Time { statistic: Statistic::Max, .. } => {
            check.relation.bounds_above() && value >= check.bound
        }
        Subject::Time { statistic: Statistic::Min, .. } => check.relation.bounds_below() && value <= check.bound,
        Subject::Time { .. } | Subject::Rate(_) | Subject::Share(_) => false,
    }
}

fn time(times: &Latency, statistic: Statistic) -> Option<Duration> {
    (times.count() > 0).then(|| match statistic {
        Statistic::Min => times.min(),
        Statistic::Mean => times.mean(),
        Statistic::Quantile(share) => times.quantile(share),
        Statistic::Max => times.max(),
    })
}

fn count(counted: Counted, tally: &Tally, findings: u64) -> u64 {
    match counted {
        Counted::Planned => tally.planned,
        Counted::Sent => tally.sent,
        Counted::Skipped => tally.skipped,
        Counted::Unsent => tally.unsent,
        Counted::Class(class) => tally.of(class),
        Counted::Code(code) => tally.codes.get(&code).copied().unwrap_or(0),
        Counted::Findings => findings,
    }
}

/// Checks that go without saying, where none is asked on the same count: nothing fails, and nothing is lost.
pub fn implied(asked: &[&Check]) -> Vec<Check> {
    let counted = |check: &Check| match check.subject {
        Subject::Count(counted) | Subject::Rate(counted) | Subject::Share(counted) => Some(counted),
        Subject::Time { .. } => None,
    };
    let always = ["errors = 0", "lost = 0"].into_iter().filter_map(|text| text.parse::<Check>().ok());
    always.filter(|check| !asked.iter().any(|asked| counted(asked) == counted(check))).collect()
}

/// A time as people read it: `87 µs`, `12.3 ms`, `4.70 s`.
pub fn told(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A rate as people read it.
pub fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Class;

    fn tally() -> Tally {
        let mut tally = Tally { planned: 100, sent: 100, ..Tally::default() };
        tally.classes = [98, 0, 2, 0, 0];
        tally.codes = [(0, 98), (60007, 2)].into();
        (1..=98).for_each(|ms| tally.response[Class::Accepted as usize].record(Duration::from_millis(ms)));
        tally
    }

    fn holds(text: &str) -> Option<bool> {
        evaluate(&text.parse().expect("a check"), &tally(), Duration::from_secs(10), 0).holds
    }

    #[test]
    fn checks_hold_or_not_and_what_was_not_measured_is_unknown() {
        let held = ["max response <= 98.1ms", "refused = 2", "codes.60007 >= 2", "accepted rate >= 9.8/s", "refused share <= 2%"];
        for check in held {
            assert_eq!(holds(check), Some(true), "{check}");
        }
        let broken = ["p50 response < 49ms", "refused = 0", "codes.0 < 98", "accepted rate > 9.8/s", "lost > 0", "findings != 0"];
        for check in broken {
            assert_eq!(holds(check), Some(false), "{check}");
        }
        assert_eq!(holds("p99 response of lost < 1s"), None);
    }

    #[test]
    fn a_check_is_lost_only_where_no_later_call_can_make_it_hold() {
        let is_lost = |text: &str| evaluate(&text.parse().expect("a check"), &tally(), Duration::from_secs(10), 0).is_lost;
        for check in ["refused = 1", "refused = 0", "codes.0 < 98", "max response < 90ms", "min response >= 5ms", "sent <= 99"] {
            assert!(is_lost(check), "{check}");
        }
        let open =
            ["refused = 3", "sent >= 101", "p50 response < 49ms", "accepted rate > 99/s", "lost > 0", "refused share <= 1%"];
        for check in open.into_iter().chain(["sent != 100", "refused = 2", "max response > 1s"]) {
            assert!(!is_lost(check), "{check}");
        }
    }

    #[test]
    fn the_actual_value_is_told_in_plain_words() {
        let actual = |text: &str| evaluate(&text.parse().expect("a check"), &tally(), Duration::from_secs(10), 0).actual;
        assert_eq!(
            [actual("sent rate > 1/s"), actual("refused share = 0%"), actual("p100 lag < 1s")],
            ["10.0/s", "2.000%", "no call"]
        );
        let times = [87, 12_340, 470_000, 4_700_000].map(|us| told(Duration::from_micros(us)));
        assert_eq!(times, ["87 µs", "12.34 ms", "470 ms", "4.70 s"]);
    }
}
