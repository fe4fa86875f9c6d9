//! The picture of a limit: what was admitted and refused over the time of the search, and its windows.

use super::chart::{Band, Chart, Scale, percent, stacked};
use crate::report::limits::LimitEntry;

pub(super) fn chart(limit: &LimitEntry) -> Option<Chart> {
    let of = |count: fn(&crate::report::limits::TimelinePart) -> u64| limit.timeline.iter().map(count).collect::<Vec<u64>>();
    let (admitted, refused) = (of(|part| part.admitted), of(|part| part.refused));
    let most = admitted.iter().zip(&refused).map(|(admitted, refused)| admitted + refused).max().filter(|most| *most > 0)?;
    let (x, y) = (Scale::exact(limit.elapsed_s.max(f64::MIN_POSITIVE)), Scale::linear(most as f64));
    let parts = [("accepted", "accepted", admitted), ("refused", "refused", refused)];
    let starts = if limit.windows_s.len() <= MOST_WINDOWS { &limit.windows_s[..] } else { &[] };
    let ends = starts.iter().skip(1).copied().chain([limit.elapsed_s]);
    let length = limit.window_s.unwrap_or(f64::INFINITY);
    let bands = starts.iter().zip(ends).map(|(start, end)| Band {
        from: percent(x.share(*start)),
        width: percent(x.share((end - start).min(length))),
        text: String::new(),
    });
    let bands: Vec<Band> = bands.collect();
    let stripes = if bands.is_empty() { "" } else { "; each stripe is a window, from when it began" };
    Some(Chart {
        id: if limit.scope == "app" { "limit-app" } else { "limit-message" },
        title: "Calls over the time of the search".to_owned(),
        summary: format!("{} calls in {:.1} s, of which {} were refused", limit.calls, limit.elapsed_s, limit.refused),
        x_name: format!("since the start of the search{stripes}"),
        x_ticks: x.x_ticks(|mark| format!("{mark} s")),
        y_ticks: y.y_ticks(|mark| format!("{mark}")),
        bands,
        series: stacked(&parts, y),
        ..Chart::default()
    })
}

/// More of them are not told apart.
const MOST_WINDOWS: usize = 120;
