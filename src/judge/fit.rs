//! Did the calls come as they were planned? Pearson's chi-square over ten cells of a block of time, block by block.
//!
//! A block fails at a chance of one in a million: the planned counts are exact, so no lawful run of ours comes near it.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cells of a block, and nanoseconds of one")]

use std::collections::VecDeque;

/// Cells of one block.
const CELLS: u64 = 10;
/// A cell's least length.
const CELL: u64 = 100_000_000;
/// The point of chi-square with nine degrees of freedom that is exceeded once in a million times.
const CRITICAL: f64 = 45.0;
/// A cell is planned to hold so many calls at least, on average: with fewer, chi-square is no chi-square.
const LEAST: f64 = 5.0;
/// Blocks are kept open for late calls until so many more have begun.
const OPEN: usize = 4;

/// Counts as calls come; its size does not grow with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    cell: u64,
    /// Number of the first open block.
    first: u64,
    open: VecDeque<[[u32; 2]; CELLS as usize]>,
    worst: Option<Misfit>,
    /// Planned calls, and the cells that had any, of all blocks that are over.
    usual: (u64, u64),
}

/// The block that fitted worst of those that did not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Misfit {
    /// Start of the block, in nanoseconds since the plan's start.
    pub at: u64,
    pub statistic: f64,
    /// Calls that were released in another cell than they were planned for.
    pub moved: u64,
    pub planned: u64,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit::new(0.0)
    }
}

impl Fit {
    /// For arrivals of so many a second on average; where they are few the cells are longer.
    pub fn new(per_second: f64) -> Fit {
        let needed = if per_second > 0.0 { LEAST / per_second * 1e9 } else { 0.0 };
        Fit { cell: CELL.max(needed as u64), first: 0, open: VecDeque::new(), worst: None, usual: (0, 0) }
    }

    /// A call was planned for this time. Such calls come in order.
    pub fn planned(&mut self, at: u64) {
        self.count(at, 0);
        while self.open.len() > OPEN {
            self.close();
        }
    }

    /// A call was released at this time, wherever it had to wait then.
    pub fn released(&mut self, at: u64) {
        self.count(at, 1);
    }

    /// The verdict on all that was counted.
    pub fn worst(mut self) -> Option<Misfit> {
        while !self.open.is_empty() {
            self.close();
        }
        self.worst
    }

    fn count(&mut self, at: u64, which: usize) {
        let cell = at / self.cell;
        let block = cell / CELLS;
        if self.open.is_empty() {
            self.first = block;
        }
        // Later than that is late in any cell.
        let index = block.saturating_sub(self.first).min(4 * OPEN as u64) as usize;
        while self.open.len() <= index {
            self.open.push_back([[0; 2]; CELLS as usize]);
        }
        self.open[index][(cell % CELLS) as usize][which] += 1;
    }

    fn close(&mut self) {
        let Some(block) = self.open.pop_front() else { return };
        let planned: u64 = block.iter().map(|[planned, _]| u64::from(*planned)).sum();
        let off = |[planned, released]: &[u32; 2]| (f64::from(*planned) - f64::from(*released)).abs();
        self.usual.0 += planned;
        self.usual.1 += block.iter().filter(|[planned, _]| *planned > 0).count() as u64;
        // A cell for which few calls were planned, such as that after a phase's end, is held to what is usual.
        let usual = self.usual.0 as f64 / self.usual.1.max(1) as f64;
        let statistic: f64 = block.iter().map(|cell| off(cell).powi(2) / f64::from(cell[0]).max(usual).max(1.0)).sum();
        let moved = block.iter().map(|cell| u64::from(cell[0].saturating_sub(cell[1]))).sum();
        let misfit = Misfit { at: self.first * CELLS * self.cell, statistic, moved, planned };
        if statistic > CRITICAL && self.worst.is_none_or(|worst| worst.statistic < statistic) {
            self.worst = Some(misfit);
        }
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    /// An even stream whose calls are released as late as `lag` says.
    fn worst(rate: u64, seconds: u64, lag: impl Fn(u64) -> u64) -> Option<Misfit> {
        let mut fit = Fit::new(rate as f64);
        for at in (0..rate * seconds).map(|index| index * S / rate) {
            fit.planned(at);
            fit.released(at + lag(at));
        }
        fit.worst()
    }

    #[test]
    fn a_stall_is_seen_and_jitter_is_not() {
        let stall =
            |from: u64, length: u64| move |at: u64| if (from..from + length).contains(&at) { from + length - at } else { 0 };
        let misfit = worst(200, 30, stall(12 * S + S / 4, S / 5)).expect("a stall of 200 ms at 200/s");
        assert_eq!((misfit.at, misfit.planned), (12 * S, 200));
        assert!(misfit.moved >= 20, "{misfit:?}");
        assert!(worst(5000, 30, stall(7 * S + S / 20, S / 10)).is_some());
        let jitter = |at: u64| (at / 1000).wrapping_mul(0x9e37_79b9) % 1_000_000;
        for rate in [1, 30, 200, 5000, 50_000] {
            assert_eq!(worst(rate, 20, jitter), None, "{rate}");
        }
    }

    #[test]
    fn calls_that_were_never_released_are_seen() {
        let mut fit = Fit::new(200.0);
        for at in (0..2000).map(|index| index * 5_000_000) {
            fit.planned(at);
            if !(3 * S..3 * S + S / 2).contains(&at) {
                fit.released(at);
            }
        }
        assert!(fit.worst().is_some());
    }
}
