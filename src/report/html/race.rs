//! The calls of an anomaly along the time.

use serde::Serialize;

use super::chart::percent;
use crate::report::race::{AnomalyEntry, Race};

/// One anomaly with its calls placed.
#[derive(Debug, Serialize)]
pub(super) struct Witness<'a> {
    anomaly: &'a AnomalyEntry,
    end_us: f64,
    bars: Vec<WitnessBar>,
}

/// From the sending of a call to its reply, as shares (0 to 100) of the whole.
#[derive(Debug, Serialize)]
struct WitnessBar {
    from: f64,
    width: f64,
    is_open: bool,
}

pub(super) fn witnesses(race: &Race) -> Vec<Witness<'_>> {
    race.anomalies.iter().map(witness).collect()
}

fn witness(anomaly: &AnomalyEntry) -> Witness<'_> {
    let ends = anomaly.timeline.iter().map(|call| call.received_us.unwrap_or(call.sent_us));
    let end = ends.fold(1.0, f64::max);
    let bars = anomaly.timeline.iter().map(|call| {
        let to = call.received_us.unwrap_or(end);
        let width = percent((to - call.sent_us) / end).max(0.5);
        WitnessBar { from: percent(call.sent_us / end).min(99.5), width, is_open: call.received_us.is_none() }
    });
    Witness { anomaly, end_us: end, bars: bars.collect() }
}
