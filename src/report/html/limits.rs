//! The picture of a limit: what was admitted and refused over the time of the search, and how long a window of it is.

use super::chart::{Band, Chart, Scale, percent, stacked};
use crate::report::limits::LimitEntry;

pub(super) fn chart(limit: &LimitEntry) -> Option<Chart> {
    let of = |count: fn(&crate::report::limits::TimelinePart) -> u64| limit.timeline.iter().map(count).collect::<Vec<u64>>();
    let (admitted, refused) = (of(|part| part.admitted), of(|part| part.refused));
    let most = admitted.iter().zip(&refused).map(|(admitted, refused)| admitted + refused).max().filter(|most| *most > 0)?;
    let (x, y) = (Scale::exact(limit.elapsed_s.max(f64::MIN_POSITIVE)), Scale::linear(most as f64));
    let parts = [("accepted", "accepted", admitted), ("refused", "refused", refused)];
    let window = limit.window_s.filter(|window| *window > 0.0 && limit.limit.is_some());
    // Where in the search a window begins is not told; how long it is, is.
    let bands = window.into_iter().flat_map(|window| {
        let starts = std::iter::successors(Some(0.0), move |start| Some(start + window));
        let starts = starts.take_while(move |start| *start < limit.elapsed_s && limit.elapsed_s / window <= MOST_WINDOWS);
        starts.map(move |start| (start, window.min(limit.elapsed_s - start)))
    });
    let bands =
        bands.map(|(start, length)| Band { from: percent(x.share(start)), width: percent(x.share(length)), text: String::new() });
    let bands: Vec<Band> = bands.collect();
    let stripes = window.filter(|_| !bands.is_empty()).map(|window| format!("; a stripe is as long as a window, {window} s"));
    Some(Chart {
        id: if limit.scope == "app" { "limit-app" } else { "limit-message" },
        title: "Calls over the time of the search".to_owned(),
        summary: format!("{} calls in {:.1} s, of which {} were refused", limit.calls, limit.elapsed_s, limit.refused),
        x_name: format!("since the start of the search{}", stripes.unwrap_or_default()),
        x_ticks: x.x_ticks(|mark| format!("{mark} s")),
        y_ticks: y.y_ticks(|mark| format!("{mark}")),
        bands,
        series: stacked(&parts, y),
        ..Chart::default()
    })
}

/// More of them are not told apart.
const MOST_WINDOWS: f64 = 30.0;
