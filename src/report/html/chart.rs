//! Pictures as numbers: axes, lines and bars, ready for a template to draw as SVG.
//!
//! A picture's inside is [`WIDTH`] by [`HEIGHT`] units, stretched over whatever room there is; what must not be stretched, such
//! as the text of an axis, is placed by a share of the room.

use std::fmt::Write as _;

use serde::Serialize;

pub(super) const WIDTH: f64 = 10_000.0;
pub(super) const HEIGHT: f64 = 1_000.0;
/// How wide a point is that stands alone.
const DASH: f64 = 30.0;
/// Marks of an axis at most: a phone has no room for more.
const MOST_TICKS: f64 = 6.0;

/// One picture.
#[derive(Debug, Default, Serialize)]
pub(super) struct Chart {
    pub id: &'static str,
    pub title: String,
    /// What it shows, for those who do not see it.
    pub summary: String,
    pub x_name: String,
    /// What the horizontal axis spans, where it can be zoomed into.
    pub span: Option<f64>,
    pub x_ticks: Vec<Mark>,
    pub y_ticks: Vec<Mark>,
    pub bands: Vec<Band>,
    pub series: Vec<Series>,
    pub dots: Vec<Dot>,
}

/// A mark of an axis, at a share (0 to 100) of it from the left or from the top.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Mark {
    pub at: f64,
    pub text: String,
}

/// A stretch of the horizontal axis with a name.
#[derive(Debug, Serialize)]
pub(super) struct Band {
    pub from: f64,
    pub width: f64,
    pub text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Series {
    /// Which of the style's colours it has.
    pub class: &'static str,
    pub name: String,
    pub path: String,
    /// An area, or a line.
    pub is_filled: bool,
}

/// One measured point with a name of its own.
#[derive(Debug, Serialize)]
pub(super) struct Dot {
    pub x: f64,
    pub y: f64,
    pub class: &'static str,
    pub text: String,
}

/// What maps values to shares of an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    least: f64,
    most: f64,
    is_log: bool,
}

impl Scale {
    /// From 0 to a round number beyond `most`.
    pub(super) fn linear(most: f64) -> Scale {
        let step = step(most.max(1.0));
        Scale { least: 0.0, most: (most.max(1.0) / step).ceil() * step, is_log: false }
    }

    /// From 0 to just `most`.
    pub(super) fn exact(most: f64) -> Scale {
        Scale { least: 0.0, most, is_log: false }
    }

    /// Whole powers of ten around the positive ones of these.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = extremes(values).unwrap_or((1.0, 10.0));
        let least = 10_f64.powf(least.log10().floor());
        Scale { least, most: 10_f64.powf(most.log10().ceil()).max(10.0 * least), is_log: true }
    }

    /// Just around the positive ones of these, by ratios.
    pub(super) fn log_around(values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = extremes(values).unwrap_or((1.0, 10.0));
        Scale { least: least / 1.2, most: most * 1.2, is_log: true }
    }

    /// From 0 to 1.
    pub(super) fn share(self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(self.least).log10() - self.least.log10()) / (self.most.log10() - self.least.log10())
        } else {
            (value - self.least) / (self.most - self.least)
        };
        share.clamp(0.0, 1.0)
    }

    pub(super) fn x(self, value: f64) -> f64 {
        (self.share(value) * WIDTH).round()
    }

    pub(super) fn y(self, value: f64) -> f64 {
        ((1.0 - self.share(value)) * HEIGHT).round()
    }

    fn marks(self) -> Vec<f64> {
        if self.is_log {
            let decades = std::iter::successors(Some(10_f64.powf(self.least.log10().floor())), |mark| Some(mark * 10.0));
            let decades: Vec<f64> = decades.take_while(|mark| *mark <= self.most * 1.001).collect();
            // Where there are few of them, those between are marked, too.
            let between: &[f64] = if self.most < 10.0 * self.least {
                &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0]
            } else if decades.len() < 3 {
                &[1.0, 2.0, 5.0]
            } else {
                &[1.0]
            };
            let marks = decades.iter().flat_map(|decade| between.iter().map(move |mark| mark * decade));
            return marks.filter(|mark| (self.least * 0.999..=self.most * 1.001).contains(mark)).collect();
        }
        let step = step(self.most);
        std::iter::successors(Some(0.0), |mark| Some(mark + step)).take_while(|mark| *mark <= self.most * 1.001).collect()
    }

    pub(super) fn x_ticks(self, told: impl Fn(f64) -> String) -> Vec<Mark> {
        self.marks().into_iter().map(|mark| Mark { at: percent(self.share(mark)), text: told(mark) }).collect()
    }

    pub(super) fn y_ticks(self, told: impl Fn(f64) -> String) -> Vec<Mark> {
        self.marks().into_iter().map(|mark| Mark { at: percent(1.0 - self.share(mark)), text: told(mark) }).collect()
    }
}

/// The least and the most of the positive ones.
fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| *value > 0.0).fold(None, |known, value| {
        let (least, most) = known.unwrap_or((value, value));
        Some((value.min(least), value.max(most)))
    })
}

/// A round distance between the marks of an axis that ends here.
fn step(most: f64) -> f64 {
    let least = most / MOST_TICKS;
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|round| round * decade).find(|step| *step >= least).unwrap_or(decade * 10.0)
}

pub(super) fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// A line through points; where there is none, it breaks off.
pub(super) fn line(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let points: Vec<Option<(f64, f64)>> = points.collect();
    let mut path = String::new();
    for stretch in points.split(Option::is_none) {
        let stretch: Vec<(f64, f64)> = stretch.iter().copied().flatten().collect();
        let Some((x, y)) = stretch.first() else { continue };
        let _ = match stretch.len() {
            1 => write!(path, "M{} {y}h{}", x - DASH / 2.0, DASH),
            _ => write!(path, "M{x} {y}"),
        };
        for [(from_x, from_y), (x, y)] in stretch.array_windows() {
            let _ = write!(path, "l{} {}", x - from_x, y - from_y);
        }
    }
    path
}

/// Columns of one width side by side, each from the ground up to its height in units.
pub(super) fn columns(heights: &[f64]) -> String {
    let at = |place: usize| (place as f64 * WIDTH / heights.len() as f64).round();
    let mut path = format!("M0 {HEIGHT}");
    for (place, height) in heights.iter().enumerate() {
        let _ = write!(path, "V{}H{}", HEIGHT - height.round(), at(place + 1));
    }
    let _ = write!(path, "V{HEIGHT}z");
    path
}

/// Stacks counts: the whole first, and what is nearest to the ground last, each over the one before.
pub(super) fn stacked(parts: &[(&'static str, &str, Vec<u64>)], scale: Scale) -> Vec<Series> {
    let is_seen = |counts: &[u64]| counts.iter().any(|count| *count > 0);
    let mut heights: Vec<u64> = vec![0; parts.first().map_or(0, |(.., counts)| counts.len())];
    let mut series = Vec::new();
    for (class, name, counts) in parts {
        heights.iter_mut().zip(counts).for_each(|(height, count)| *height += count);
        if is_seen(counts) {
            let units: Vec<f64> = heights.iter().map(|height| scale.share(*height as f64) * HEIGHT).collect();
            series.push(Series { class, name: (*name).to_owned(), path: columns(&units), is_filled: true });
        }
    }
    series.reverse();
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_and_has_few_marks() {
        let ticks = |most| Scale::linear(most).x_ticks(|mark| mark.to_string());
        assert_eq!(ticks(9.0).last(), Some(&Mark { at: 100.0, text: "10".to_owned() }));
        assert_eq!(ticks(0.0).first(), Some(&Mark { at: 0.0, text: "0".to_owned() }));
        for most in [1.0, 3.0, 7.0, 59.0, 60.0, 61.0, 3599.0, 123_456.0] {
            assert!((2..=7).contains(&ticks(most).len()), "{most}: {:?}", ticks(most));
        }
    }

    #[test]
    fn a_logarithmic_axis_spans_whole_decades_and_takes_what_is_zero_for_the_least() {
        let scale = Scale::log([0.0, 30.0, 4000.0].into_iter());
        assert_eq!([10.0, 100.0, 1000.0, 10_000.0].map(|value| scale.x(value).to_string()), ["0", "3333", "6667", "10000"]);
        assert_eq!([0.0, 10_000.0].map(|value| scale.y(value).to_string()), ["1000", "0"]);
        let told = |scale: Scale| scale.x_ticks(|mark| mark.to_string()).into_iter().map(|tick| tick.text).collect::<Vec<_>>();
        assert_eq!(told(scale), ["10", "100", "1000", "10000"]);
        assert_eq!(told(Scale::log([].into_iter())), ["1", "2", "5", "10"]);
        assert_eq!(told(Scale::log_around([90.0, 430.0].into_iter())), ["80", "100", "200", "300", "400"]);
    }

    #[test]
    fn a_line_breaks_off_where_there_is_nothing() {
        let points = [Some((0.0, 5.0)), Some((10.0, 7.0)), None, Some((30.0, 1.0))];
        assert_eq!(line(points.into_iter()), "M0 5l10 2M15 1h30");
    }

    #[test]
    fn stacked_columns_stand_on_those_below_them_and_what_is_never_there_is_left_out() {
        let parts = [("ok", "accepted", vec![2, 0]), ("no", "refused", vec![1, 4]), ("bad", "errors", vec![0, 0])];
        let series = stacked(&parts, Scale::exact(4.0));
        assert_eq!(series.iter().map(|series| series.class).collect::<Vec<_>>(), ["no", "ok"]);
        assert_eq!(series[0].path, "M0 1000V250H5000V0H10000V1000z");
        assert_eq!(series[1].path, "M0 1000V500H5000V1000H10000V1000z");
    }
}
