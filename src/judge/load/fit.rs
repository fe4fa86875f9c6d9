//! Were the calls released as they were planned? A test of goodness of fit, in a few kilobytes however long the run.
//!
//! Time is cut into cells of 100 ms, or wider where the plan is thin, so that each is planned to hold enough calls for the
//! test's approximation. Each block of ten cells is put to Pearson's chi-square test: what was released against what was
//! planned. Blocks begin every five cells, so that a stall over the edge of one lies whole in the next; and it is all done
//! twice, the second time half a cell later, so that a stall cannot hide by beginning near the end of a cell.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Offset;

/// The narrowest cell.
const TICK_NS: u64 = 100_000_000;
/// What a cell has to hold by plan for the statistic to be distributed as chi-square.
const LEAST_PLANNED: u64 = 5;
/// Cells of a block.
const BLOCK: usize = 10;
/// Cells from the beginning of one block to that of the next.
const STRIDE: usize = 5;
/// Ticks kept: what may lie between the last call planned and the last one released.
const KEPT: usize = 64;
/// Ticks that a call may come behind another one; they are judged later than that.
const SLACK: u64 = 10;
/// Chi-square's upper quantile at 1e-6 for 1 to 9 degrees of freedom.
const CRITICAL: [f64; BLOCK - 1] = [23.93, 27.63, 30.66, 33.38, 35.89, 38.26, 40.52, 42.70, 44.81];

/// The arrivals of one stretch, told call by call. Times go on but for small steps back.
#[derive(Clone, Debug)]
pub struct Fit {
    grids: [Grid; 2],
}

/// One way to cut time into cells.
#[derive(Clone, Debug)]
struct Grid {
    /// How long before the plan's zero its first tick began.
    shift_ns: u64,
    /// A ring: tick `n` stands at `n % KEPT`.
    ticks: [Calls; KEPT],
    /// Number of the first tick that still counts; `None` before the first call.
    first: Option<u64>,
    last_planned: u64,
    last_released: u64,
    /// The cell that still grows.
    open: Cell,
    /// The last cells, fewer than a block.
    cells: Vec<Cell>,
    worst: Option<Block>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    planned: u64,
    released: u64,
}

/// Some ticks, as many as the plan needs to be thick enough.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    calls: Calls,
    first_tick: u64,
    ticks: u64,
}

/// How a block of cells fits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Where its worst cell begins.
    pub at: Duration,
    /// How long that cell is.
    pub length: Duration,
    /// Calls planned in that cell.
    pub planned: u64,
    /// Calls released in that cell.
    pub released: u64,
    /// Pearson's chi-square of the whole block.
    pub statistic: f64,
    /// What chance alone exceeds once in a million blocks.
    pub critical: f64,
}

impl Block {
    pub fn is_as_planned(&self) -> bool {
        self.statistic <= self.critical
    }

    fn excess(&self) -> f64 {
        self.statistic / self.critical
    }
}

impl Default for Fit {
    fn default() -> Fit {
        Fit { grids: [0, TICK_NS / 2].map(Grid::new) }
    }
}

impl Fit {
    /// A call was due then, whether it was released or left out. To be told no later than its release.
    pub fn planned(&mut self, at: Offset) {
        self.grids.iter_mut().for_each(|grid| grid.planned(at.as_nanos()));
    }

    /// A call was released then, into the line for a connection.
    pub fn released(&mut self, at: Offset) {
        self.grids.iter_mut().for_each(|grid| grid.released(at.as_nanos()));
    }

    /// The stretch has ended: no call of it is still to come. Gives the block that fits worst; `None` for too few calls.
    pub fn end(self) -> Option<Block> {
        worst(self.grids.into_iter().map(Grid::end))
    }
}

/// The one of them that fits worst.
pub fn worst(blocks: impl IntoIterator<Item = Option<Block>>) -> Option<Block> {
    blocks.into_iter().flatten().max_by(|a, b| a.excess().total_cmp(&b.excess()))
}

impl Grid {
    fn new(shift_ns: u64) -> Grid {
        Grid {
            shift_ns,
            ticks: [Calls::default(); KEPT],
            first: None,
            last_planned: 0,
            last_released: 0,
            open: Cell::default(),
            cells: Vec::with_capacity(BLOCK),
            worst: None,
        }
    }

    fn planned(&mut self, at_ns: u64) {
        let tick = (at_ns + self.shift_ns) / TICK_NS;
        // A plan that runs far ahead of the releases leaves the oldest ticks behind as they are.
        while self.first_or(tick) + KEPT as u64 <= tick {
            self.advance();
        }
        let tick = tick.max(self.first_or(tick));
        self.last_planned = self.last_planned.max(tick);
        self.ticks[place(tick)].planned += 1;
        self.close();
    }

    fn released(&mut self, at_ns: u64) {
        let tick = (at_ns + self.shift_ns) / TICK_NS;
        let first = self.first_or(tick);
        // A call so late that its tick is out of reach stands in the last one: it is far too full in any case.
        let tick = tick.clamp(first, first + KEPT as u64 - 1);
        self.last_released = self.last_released.max(tick);
        self.ticks[place(tick)].released += 1;
        self.close();
    }

    fn end(mut self) -> Option<Block> {
        let last = self.last_planned.max(self.last_released);
        while self.first.is_some_and(|first| first <= last) {
            self.advance();
        }
        if let Some(cell) = self.cells.last_mut() {
            cell.add(self.open.calls);
        }
        self.judge();
        self.worst
    }

    fn first_or(&mut self, tick: u64) -> u64 {
        *self.first.get_or_insert_with(|| {
            (self.last_planned, self.last_released, self.open.first_tick) = (tick, tick, tick);
            tick
        })
    }

    /// A tick is over when both the plan and the releases have gone beyond it: a late generator plans late, too.
    fn close(&mut self) {
        let over = self.last_planned.min(self.last_released);
        while self.first.is_some_and(|first| first + SLACK < over) {
            self.advance();
        }
    }

    /// The first tick is over: it goes to the open cell, and that to its block once it holds enough.
    fn advance(&mut self) {
        let Some(first) = self.first else { return };
        self.open.add(std::mem::take(&mut self.ticks[place(first)]));
        self.first = Some(first + 1);
        if self.open.calls.planned < LEAST_PLANNED {
            return;
        }
        self.cells.push(std::mem::replace(&mut self.open, Cell { first_tick: first + 1, ..Cell::default() }));
        if self.cells.len() == BLOCK {
            self.judge();
            self.cells.drain(..STRIDE);
        }
    }

    fn judge(&mut self) {
        self.worst = worst([self.worst, block(&self.cells, self.shift_ns)]);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
fn place(tick: u64) -> usize {
    (tick % KEPT as u64) as usize
}

impl Cell {
    fn add(&mut self, calls: Calls) {
        self.calls.planned += calls.planned;
        self.calls.released += calls.released;
        self.ticks += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "no cell holds 2^53 calls")]
    fn term(&self) -> f64 {
        let (planned, released) = (self.calls.planned as f64, self.calls.released as f64);
        (released - planned).powi(2) / planned
    }
}

/// `None` where there are too few cells for a test.
fn block(cells: &[Cell], shift_ns: u64) -> Option<Block> {
    let critical = *CRITICAL.get(cells.len().checked_sub(2)?)?;
    let worst = cells.iter().max_by(|a, b| a.term().total_cmp(&b.term()))?;
    Some(Block {
        at: Duration::from_nanos((worst.first_tick * TICK_NS).saturating_sub(shift_ns)),
        length: Duration::from_nanos(worst.ticks * TICK_NS),
        planned: worst.calls.planned,
        released: worst.calls.released,
        statistic: cells.iter().map(Cell::term).sum(),
        critical,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;

    /// The worst block of calls that are due so, each released when `release` says.
    fn fitted(due: impl Iterator<Item = u64>, mut release: impl FnMut(u64) -> u64) -> Option<Block> {
        let mut fit = Fit::default();
        for due in due {
            fit.planned(Offset::from_nanos(due));
            fit.released(Offset::from_nanos(release(due)));
        }
        fit.end()
    }

    fn even(rate: u32, seconds: u64) -> impl Iterator<Item = u64> {
        (0..u64::from(rate) * seconds).map(move |call| call * SECOND / u64::from(rate))
    }

    fn stalled(from: u64, length: u64) -> impl Fn(u64) -> u64 {
        move |due| if (from..from + length).contains(&due) { from + length } else { due + MS / 20 }
    }

    #[test]
    fn a_stall_of_200_ms_at_200_a_second_is_caught_wherever_it_begins() {
        for from in (3000..5000).step_by(10) {
            let block = fitted(even(200, 10), stalled(from * MS, 200 * MS)).unwrap();
            assert!(!block.is_as_planned(), "from {from} ms: {block:?}");
            assert!(block.at.as_millis().abs_diff(u128::from(from)) <= 300, "from {from} ms: {block:?}");
        }
        let block = fitted(even(200, 10), stalled(3000 * MS, 200 * MS)).unwrap();
        assert_eq!((block.at, block.planned, block.released), (Duration::from_millis(3200), 20, 60));
    }

    #[test]
    fn jitter_of_a_millisecond_is_as_planned_at_any_rate() {
        for rate in [1, 7, 200, 5000, 50_000] {
            let mut random = Random::seeded(7);
            // Releases keep their order, as those of one thread do.
            let mut last = 0;
            let jitter = |due: u64| {
                last = last.max(due + random.next_u64() % MS);
                last
            };
            let seconds = if rate < 10 { 200 } else { 10 };
            let block = fitted(even(rate, seconds), jitter).unwrap();
            assert!(block.is_as_planned(), "{rate}/s: {block:?}");
        }
    }

    #[test]
    fn a_stall_at_a_high_rate_is_caught() {
        let block = fitted(even(50_000, 5), stalled(2010 * MS, 20 * MS)).unwrap();
        assert!(block.is_as_planned(), "calls that stay in their cell are on time as far as cells can tell: {block:?}");
        let block = fitted(even(50_000, 5), stalled(2090 * MS, 20 * MS)).unwrap();
        assert!(!block.is_as_planned(), "{block:?}");
    }

    #[test]
    fn calls_left_out_are_not_as_planned() {
        let mut fit = Fit::default();
        for due in even(200, 10) {
            fit.planned(Offset::from_nanos(due));
            if !(4 * SECOND..5 * SECOND).contains(&due) {
                fit.released(Offset::from_nanos(due));
            }
        }
        assert_eq!(fit.end().map(|block| (block.planned, block.released)), Some((20, 0)));
    }

    #[test]
    fn random_and_thin_and_bursty_plans_are_held_to_themselves() {
        let mut random = Random::seeded(3);
        let mut at = 0;
        let poisson: Vec<u64> = std::iter::repeat_with(|| {
            at += random.next_u64() % (2 * SECOND / 200);
            at
        })
        .take(4000)
        .collect();
        let late = |due| due + MS / 20;
        assert!(fitted(poisson.into_iter(), late).unwrap().is_as_planned());
        let bursts = (0..20 * 50).map(|call| call / 50 * SECOND + call % 50 * MS);
        assert!(fitted(bursts.clone(), late).unwrap().is_as_planned());
        assert!(!fitted(bursts, stalled(7 * SECOND, 3 * SECOND)).unwrap().is_as_planned());
        assert_eq!(fitted(even(200, 10).take(9), late), None, "nine calls prove nothing");
    }

    #[test]
    fn a_stall_longer_than_the_cells_that_are_kept_is_caught() {
        let block = fitted(even(200, 60), stalled(20 * SECOND, 15 * SECOND)).unwrap();
        assert!(!block.is_as_planned(), "{block:?}");
    }

    #[test]
    fn the_critical_values_are_chi_squares() {
        // At one and two degrees of freedom the tail is known: 2(1 - Φ(√x)), and exp(-x/2).
        assert!(((-CRITICAL[1] / 2.0).exp() / 1e-6 - 1.0).abs() < 0.01);
        let four = CRITICAL[3] / 2.0;
        assert!(((-four).exp() * (1.0 + four) / 1e-6 - 1.0).abs() < 0.01);
        let eight = CRITICAL[7] / 2.0;
        let tail = (-eight).exp() * (1.0 + eight + eight.powi(2) / 2.0 + eight.powi(3) / 6.0);
        assert!((tail / 1e-6 - 1.0).abs() < 0.01);
    }
}
