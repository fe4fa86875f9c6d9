//! Which limiters come into question at all: their numbers are read off what was seen.

use std::time::Duration;

use super::seen::{Fill, Interval, NS, RECOVERED, Seen, TimeStretch};
use super::suspect::Suspect;
use crate::clock::nanoseconds;
use crate::model::limiter::Algorithm;

/// Windows that people choose, in milliseconds.
const USUAL_WINDOWS_MS: &[u64] = &[
    100, 200, 250, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000, 15_000, 20_000, 24_000, 30_000, 40_000,
    45_000, 50_000, 60_000, 90_000, 100_000, 120_000, 150_000, 180_000, 200_000, 240_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000,
];
const MINUTE: Duration = Duration::from_mins(1);

/// A window's circle is looked at in so many places for its beginning.
const PLACES: usize = 360;
/// Beginnings of a window that are tried.
const MOST_PHASES: usize = 5;
/// And so many places of a circle where nothing is known of it.
const ANYWHERE: u64 = 10;
/// Rates, capacities and limits that are tried of each kind.
const MOST_NUMBERS: usize = 5;
/// Rates that differ by less are not told apart.
pub const CLOSE: f64 = 0.0025;
/// Rates that are off by less than one part in so many are near.
const NEAR: u64 = 10;
/// Above so many calls a second a rate is taken to be whole.
const WHOLE_RATE: f64 = 100.0;

/// Rates that are tried of a limit that holds one call only.
const MOST_SPACED: usize = 40;

impl Interval {
    /// Rates in it, in calls a minute.
    fn a_minute(self, most: usize) -> Vec<u64> {
        let (least, most_of_all) = (self.least.max(1.0 / 60.0), self.most.max(self.least));
        let step = (most_of_all / least).powf(1.0 / (most - 1) as f64).max(1.0 + CLOSE);
        let mut rates: Vec<u64> = Vec::new();
        let mut rate = least;
        while rate < most_of_all * step && rates.len() <= most {
            rates.push(whole(rate.min(most_of_all) * 60.0));
            rate *= step;
        }
        rates.dedup();
        rates
    }
}

impl Seen {
    /// Every limiter that may explain it, whatever its unit.
    pub fn suspects(&self) -> Vec<Suspect> {
        let windows = self.windows();
        let limits = self.limits();
        let mut suspects = Vec::new();
        let mut add = |algorithm, limit, window, phase| {
            for unit in &self.units {
                let free = Suspect { algorithm, limit, window, counts_rejected: false, unit: *unit, phase };
                suspects.push(free);
                suspects.extend(free.shows_rejected().then_some(Suspect { counts_rejected: true, ..free }));
            }
        };
        for window in &windows {
            for limit in &limits {
                for phase in self.phases(*window) {
                    add(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, *limit, *window, phase);
                }
                for phase in self.recent_beginnings(*window).into_iter().filter(|_| *limit > 1) {
                    add(Algorithm::SlidingCounter, *limit, *window, phase);
                }
                // Of one call, these are the bucket that holds one, or nearly.
                if *limit > 1 {
                    for algorithm in [Algorithm::FixedWindowAnchored, Algorithm::SlidingLog, Algorithm::IntervalRefill] {
                        add(algorithm, *limit, *window, 0);
                    }
                }
            }
        }
        for counts_rejected in [false, true] {
            for (a_minute, burst) in self.buckets(counts_rejected) {
                // A queue that holds one call holds none back.
                let queue = (burst > 1).then_some(Algorithm::LeakyQueue { capacity: burst });
                for algorithm in [Algorithm::TokenBucket { burst }].into_iter().chain(queue) {
                    for unit in self.units.iter().copied() {
                        suspects.push(Suspect { algorithm, limit: a_minute, window: MINUTE, counts_rejected, unit, phase: 0 });
                    }
                }
            }
        }
        suspects
    }

    /// Rates in calls a minute, and what a bucket of each can hold.
    fn buckets(&self, counts_rejected: bool) -> Vec<(u64, u64)> {
        let rates = self.a_minute(counts_rejected);
        let full = rates.iter().flat_map(|rate| self.bursts(*rate, counts_rejected).into_iter().map(|burst| (*rate, burst)));
        let spaced = self.spaced[usize::from(counts_rejected)].map_or(Vec::new(), |spaced| spaced.a_minute(MOST_SPACED));
        let full: Vec<(u64, u64)> = full.collect();
        let round = full.iter().flat_map(|(rate, burst)| filled_in_a_usual_window(*rate, *burst));
        let mut all: Vec<(u64, u64)> = round.chain(full.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        // What holds two calls loses less between them.
        all.into_iter().chain(spaced.into_iter().flat_map(|rate| [(rate, 1), (rate, 2)])).collect()
    }

    fn windows(&self) -> Vec<Duration> {
        let Some((shortest, longest)) = self.recovery() else { return Vec::new() };
        let usual = USUAL_WINDOWS_MS.iter().map(|ms| Duration::from_millis(*ms));
        let mut windows: Vec<Duration> = usual.filter(|window| (shortest..=longest).contains(window)).collect();
        for measured in self.periods() {
            let is_in = |window: &Duration| (window.as_secs_f64() - measured.0).abs() <= measured.1;
            if !windows.iter().any(is_in) {
                windows.push(roundest(measured.0 - measured.1, measured.0 + measured.1));
            }
        }
        windows
    }

    /// Between two beginnings that follow each other lies a window, or several: in seconds, and how much it may be off.
    fn periods(&self) -> Vec<(f64, f64)> {
        let (shortest, longest) = self.recovery().unwrap_or_default();
        let exact = self.beginnings.iter().filter(|stretch| stretch.to - stretch.from < 300_000_000);
        let exact: Vec<&TimeStretch> = exact.collect();
        let mut periods: Vec<(f64, f64)> = Vec::new();
        for pair in exact.windows(2) {
            let middle = |stretch: &TimeStretch| (stretch.from + stretch.to) as f64 / 2.0 / NS;
            let period = middle(pair[1]) - middle(pair[0]);
            let off = ((pair[0].to - pair[0].from) + (pair[1].to - pair[1].from)) as f64 / 2.0 / NS;
            let is_new = !periods.iter().any(|(other, _)| (other - period).abs() < off);
            if is_new && period > shortest.as_secs_f64() && period < longest.as_secs_f64() && period > 4.0 * off {
                periods.push((period, off));
            }
        }
        periods.truncate(3);
        periods
    }

    fn limits(&self) -> Vec<u64> {
        let mut limits = Vec::new();
        let first = self.level().unwrap_or(0);
        let smallest = self.levels.iter().copied().filter(|level| *level * 2 > first).min();
        for limit in [Some(first), self.levels.first().copied(), smallest].into_iter().flatten() {
            if limit > 0 && !limits.contains(&limit) {
                limits.push(limit);
            }
        }
        limits
    }

    /// Where windows of this length can have begun, in nanoseconds: wherever one did, and nowhere else.
    fn phases(&self, window: Duration) -> Vec<u64> {
        let length = nanoseconds(window);
        let place = length / PLACES as u64;
        let is_possible = |at: usize| {
            let phase = at as u64 * place;
            let begins = self
                .beginnings
                .iter()
                .all(|stretch| begins_in(phase, length, stretch.from.saturating_sub(place), stretch.to + place));
            begins && !self.full.iter().any(|full| begins_in(phase, length, full.from + place, full.to.saturating_sub(place)))
        };
        let possible: Vec<u64> = (0..PLACES).filter(|at| is_possible(*at)).map(|at| at as u64 * place).collect();
        spread(&possible, MOST_PHASES)
    }

    /// Where a window began, as the stretches tell that are shortest, or anywhere.
    fn recent_beginnings(&self, window: Duration) -> Vec<u64> {
        let length = nanoseconds(window);
        let mut narrow: Vec<&TimeStretch> =
            self.beginnings.iter().filter(|stretch| (stretch.to - stretch.from) * 8 < length).collect();
        narrow.sort_by_key(|stretch| stretch.to - stretch.from);
        let mut phases: Vec<u64> = Vec::new();
        for stretch in narrow {
            let phase = u64::midpoint(stretch.from, stretch.to) % length;
            if !phases.iter().any(|other| other.abs_diff(phase) * 40 < length) {
                phases.push(phase);
            }
        }
        phases.truncate(MOST_PHASES);
        phases.extend((0..ANYWHERE).map(|at| at * length / ANYWHERE));
        phases
    }

    /// Rates that come into question, in calls a minute.
    fn a_minute(&self, counts_rejected: bool) -> Vec<u64> {
        let seen = if counts_rejected { self.rested_rate } else { self.rate };
        let Some(seen) = seen else {
            // Whoever is never served while calling cannot see how much comes free: as much at least as a rest has shown.
            let level = self.level as f64;
            let rested = self.recovered.first().map_or(1.0, |recovered| recovered.rest.as_secs_f64());
            let least = self.admitted_rate.max(level * RECOVERED / (rested + 2.0 * self.way));
            let unrested = self.unrecovered.map_or(0.0, |rest| rest.as_secs_f64() - 2.0 * self.way);
            let most = if unrested > 0.0 { (level + 1.0) / unrested } else { least * 20.0 }.max(least * 1.1);
            return Interval { least, most }.a_minute(15);
        };
        seen.a_minute(2 * MOST_NUMBERS)
    }

    /// What a bucket of this rate must have held, so that it admitted what it did at first.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
    fn bursts(&self, a_minute: u64, counts_rejected: bool) -> Vec<u64> {
        let Some(Fill { admitted, took, met }) = self.fill else { return Vec::new() };
        let a_second = a_minute as f64 / 60.0;
        let refilled = a_second * if counts_rejected { met } else { took } as f64 / NS;
        let burst = admitted as f64 - refilled;
        let off = 1.0 + a_second * self.way / 2.0;
        let (least, most) = ((burst - off).floor().max(1.0) as u64, (burst + off).ceil().max(1.0) as u64);
        spread(&(least..=most).collect::<Vec<u64>>(), MOST_NUMBERS)
    }
}

/// Rates near this one at which a bucket fills in a window that people choose.
fn filled_in_a_usual_window(a_minute: u64, burst: u64) -> impl Iterator<Item = (u64, u64)> {
    let rates = USUAL_WINDOWS_MS.iter().map(move |ms| (burst * 60_000).div_ceil(*ms));
    rates.filter(move |rate| rate.abs_diff(a_minute) * NEAR <= a_minute).map(move |rate| (rate, burst))
}

/// Rates are told apart by so many calls a minute: a quarter of a percent, and a round number of calls a minute, or of calls a
/// second where they are many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of what was sent")]
pub fn rate_unit(a_minute: u64) -> u64 {
    let per = if a_minute as f64 > WHOLE_RATE * 60.0 { 60 } else { 1 };
    let least = (a_minute as f64 / per as f64 * CLOSE) as u64;
    let round = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    per * round.into_iter().find(|round| *round >= least).unwrap_or(1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of what was sent")]
fn whole(a_minute: f64) -> u64 {
    let unit = rate_unit(a_minute as u64);
    ((a_minute / unit as f64).round().max(1.0) * unit as f64) as u64
}

/// Whether a window of this length and phase begins between two times.
fn begins_in(phase: u64, length: u64, from: u64, to: u64) -> bool {
    if from >= to {
        return false;
    }
    let since = (from + length - phase) % length;
    let next = if since == 0 { 0 } else { length - since };
    from + next <= to
}

/// So many of these at the most, from the first to the last.
fn spread(all: &[u64], most: usize) -> Vec<u64> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|index| all[index * (all.len() - 1) / (most - 1)]).collect()
}

/// The time in seconds between these two that has the fewest digits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time that was measured")]
fn roundest(least: f64, most: f64) -> Duration {
    for step_ms in [10_000.0, 1_000.0, 500.0, 100.0, 50.0, 10.0, 1.0] {
        let round = (f64::midpoint(least, most) * 1000.0 / step_ms).round() * step_ms;
        if round >= least * 1000.0 && round <= most * 1000.0 && round > 0.0 {
            return Duration::from_millis(round as u64);
        }
    }
    Duration::from_secs_f64(f64::midpoint(least, most).max(0.001))
}
