//! The state of a running load as `OpenMetrics` 1.0 text, for whoever scrapes it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::history::Class;
use crate::judge::load::tally::{Latency, Tally};
use crate::report::openmetrics::{END, escaped, family};

/// Upper ends of the buckets, in microseconds, and as they are written, in seconds.
const BUCKETS: [(u64, &str); 15] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (5_000_000, "5.0"),
    (10_000_000, "10.0"),
];

/// A run at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The phases that have begun, each with its calls so far.
    pub phases: &'a [(&'a str, &'a Tally)],
    pub in_flight: u64,
    /// Cause to connections lost.
    pub connections_lost: &'a BTreeMap<String, u64>,
}

/// Counters never go back while a run goes on, for tallies only grow.
pub fn write(out: &mut dyn Write, snapshot: &Snapshot) -> io::Result<()> {
    let mut total = Tally::default();
    snapshot.phases.iter().for_each(|(_, tally)| total.add(tally));

    family(out, "msgext_calls", "counter", "Calls by what they came to.")?;
    for (phase, tally) in snapshot.phases {
        for class in Class::ALL {
            let (phase, class, calls) = (escaped(phase), class.word(), tally.of(class));
            writeln!(out, r#"msgext_calls_total{{phase="{phase}",class="{class}"}} {calls}"#)?;
        }
    }
    family(out, "msgext_codes", "counter", "Replies by code.")?;
    for (code, calls) in &total.codes {
        writeln!(out, r#"msgext_codes_total{{code="{code}"}} {calls}"#)?;
    }
    family(out, "msgext_not_sent", "counter", "Calls that were due and not sent.")?;
    for (cause, calls) in [("late", total.skipped), ("no-connection", total.unsent)] {
        writeln!(out, r#"msgext_not_sent_total{{cause="{cause}"}} {calls}"#)?;
    }
    family(out, "msgext_in_flight", "gauge", "Calls under way.")?;
    writeln!(out, "msgext_in_flight {}", snapshot.in_flight)?;
    family(out, "msgext_connections_lost", "counter", "Connections lost by cause.")?;
    for (cause, number) in snapshot.connections_lost {
        writeln!(out, r#"msgext_connections_lost_total{{cause="{}"}} {number}"#, escaped(cause))?;
    }
    by_class(out, "msgext_response_seconds", "From due to received.", &total.response)?;
    by_class(out, "msgext_service_seconds", "From sent to received.", &total.service)?;
    for (name, help, latency) in [
        ("msgext_connection_wait_seconds", "In line for a free connection.", &total.wait),
        ("msgext_lag_seconds", "Sent later than it could have been.", &total.lag),
    ] {
        timed(out, name, help)?;
        histogram(out, name, "", latency)?;
    }
    out.write_all(END)
}

fn timed(out: &mut dyn Write, name: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# TYPE {name} histogram\n# UNIT {name} seconds\n# HELP {name} {help}")
}

fn by_class(out: &mut dyn Write, name: &str, help: &str, times: &[Latency; Class::COUNT]) -> io::Result<()> {
    timed(out, name, help)?;
    Class::ALL
        .into_iter()
        .try_for_each(|class| histogram(out, name, &format!(r#"class="{}""#, class.word()), &times[class as usize]))
}

fn histogram(out: &mut dyn Write, name: &str, label: &str, latency: &Latency) -> io::Result<()> {
    let comma = if label.is_empty() { "" } else { "," };
    let mut values = latency.histogram().iter_recorded().peekable();
    let mut calls = 0;
    for (to_us, le) in BUCKETS {
        // A slot counts with its upper end: a time is never said to be shorter than it may have been.
        while let Some(value) = values.next_if(|value| value.value_iterated_to() <= to_us) {
            calls += value.count_at_value();
        }
        writeln!(out, r#"{name}_bucket{{{label}{comma}le="{le}"}} {calls}"#)?;
    }
    let (count, braced) = (latency.count(), if label.is_empty() { String::new() } else { format!("{{{label}}}") });
    writeln!(out, r#"{name}_bucket{{{label}{comma}le="+Inf"}} {count}"#)?;
    let sum = latency.mean().as_secs_f64() * count as f64;
    writeln!(out, "{name}_count{braced} {count}\n{name}_sum{braced} {sum:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::plain;
    use crate::report::load::fixture::tally;

    fn text() -> String {
        let (hold, beyond) = (tally(10, 0), tally(200, 5));
        let lost = BTreeMap::from([("a \"reset\"\n".to_owned(), 2)]);
        let phases = [("hold", &hold), ("be\\yond", &beyond)];
        plain(|out| write(out, &Snapshot { phases: &phases, in_flight: 7, connections_lost: &lost }))
    }

    #[test]
    fn counters_gauges_and_labels_have_the_form_of_the_standard() {
        let text = text();
        for line in [
            r#"msgext_calls_total{phase="hold",class="accepted"} 10"#,
            r#"msgext_calls_total{phase="be\\yond",class="refused"} 5"#,
            r#"msgext_codes_total{code="0"} 210"#,
            r#"msgext_codes_total{code="60007"} 5"#,
            "msgext_in_flight 7",
            r#"msgext_connections_lost_total{cause="a \"reset\"\n"} 2"#,
            r#"msgext_response_seconds_bucket{class="refused",le="0.00025"} 0"#,
            r#"msgext_response_seconds_bucket{class="refused",le="0.0005"} 5"#,
            r#"msgext_response_seconds_bucket{class="refused",le="+Inf"} 5"#,
            r#"msgext_response_seconds_count{class="refused"} 5"#,
            "# UNIT msgext_lag_seconds seconds",
            r#"msgext_lag_seconds_bucket{le="0.0001"} 215"#,
            "msgext_lag_seconds_count 215",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn every_sample_belongs_to_the_family_declared_last_and_buckets_never_fall() {
        let (mut family, mut kind, mut seen, mut last) = (String::new(), String::new(), Vec::new(), 0);
        for line in text().lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, declared) = rest.split_once(' ').unwrap();
                assert!(!seen.contains(&name.to_owned()), "{name} twice");
                seen.push(name.to_owned());
                (family, kind) = (name.to_owned(), declared.to_owned());
                continue;
            }
            if line.starts_with('#') {
                assert!(line.split(' ').nth(2) == Some(&family), "{line}");
                continue;
            }
            let name = line.split(['{', ' ']).next().unwrap();
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => &[""],
            };
            assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            if name.ends_with("_bucket") {
                assert!(line.contains(r#"le="0.0001""#) || value >= f64::from(last), "{line}");
                #[expect(clippy::cast_possible_truncation, reason = "a count of the fixture")]
                (last = value as i32);
            }
        }
    }
}
