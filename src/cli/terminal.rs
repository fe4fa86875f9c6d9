//! Standard error as people look at it: what it can show, and how much of it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::UnicodeWidthStr as _;

/// A run tells so often how it goes where nothing can be drawn.
pub const TELLS_EVERY: Duration = Duration::from_secs(5);
/// Columns that stay free at the end of a line that is drawn again: a `^C` that wrapped would move all that was drawn.
const FREE: usize = 3;
/// Columns and rows of a terminal that does not tell them.
const USUAL: (u16, u16) = (80, 24);
/// It is drawn so often a second.
const DRAWN_HZ: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// What was drawn can be drawn again.
    Drawable,
    /// A terminal that only goes on (`TERM=dumb`).
    Dumb,
    /// No terminal: a file, or a pipe.
    None,
    /// Nobody wants to see anything.
    Quiet,
}

impl Screen {
    pub fn of_stderr(quiet: bool) -> Screen {
        match (quiet, io::stderr().is_terminal()) {
            (true, _) => Screen::Quiet,
            (false, false) => Screen::None,
            (false, true) if std::env::var("TERM").is_ok_and(|term| term != "dumb") => Screen::Drawable,
            (false, true) => Screen::Dumb,
        }
    }
}

/// Columns of the terminal, where there is one.
pub fn width() -> Option<usize> {
    terminal_size_of(io::stderr()).map(|(Width(columns), _)| usize::from(columns))
}

fn size() -> (u16, u16) {
    terminal_size_of(io::stderr()).map_or(USUAL, |(Width(columns), Height(rows))| (columns, rows))
}

/// Columns for a line that is drawn again and again.
pub fn room() -> usize {
    usize::from(size().0).saturating_sub(FREE)
}

/// Bars to be drawn, where they can be.
pub fn bars(screen: Screen) -> MultiProgress {
    MultiProgress::with_draw_target(match screen {
        Screen::Drawable => ProgressDrawTarget::term_like_with_hz(Box::<Canvas>::default(), DRAWN_HZ),
        Screen::Dumb | Screen::None | Screen::Quiet => ProgressDrawTarget::hidden(),
    })
}

/// Standard error as indicatif draws on it, but for one thing: indicatif ends a line by filling it up, so that whatever comes next
/// is on the next one, a `^C` too. Here a line ends where its text does.
#[derive(Debug, Default)]
struct Canvas(Mutex<Drawing>);

#[derive(Debug, Default)]
struct Drawing {
    /// What is not flushed yet.
    pending: String,
    /// The line is whole; what is written next belongs on the next one.
    is_filled: bool,
}

impl Canvas {
    fn with(&self, draw: impl FnOnce(&mut Drawing)) {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A control sequence.
    fn control(&self, sequence: &str) {
        self.with(|drawing| {
            drawing.pending.push_str(sequence);
            drawing.is_filled = false;
        });
    }

    /// By the sequence that ends so. Zero would be taken for one.
    fn step(&self, steps: usize, end: char) {
        self.control(&if steps == 0 { String::new() } else { format!("\x1b[{steps}{end}") });
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.step(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.step(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.step(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.step(n, 'D');
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)?;
        self.control("\r\n");
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        const CLEAR_THE_REST: &str = "\x1b[K";
        let is_filler = s.bytes().all(|byte| byte == b' ');
        self.with(|drawing| {
            let before = if drawing.is_filled && !is_filler { "\r\n" } else { "" };
            drawing.pending.extend([before, if is_filler { CLEAR_THE_REST } else { s }]);
            drawing.is_filled = is_filler;
        });
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.control("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut pending = String::new();
        self.with(|drawing| pending = std::mem::take(&mut drawing.pending));
        let mut err = io::stderr().lock();
        err.write_all(pending.as_bytes())?;
        err.flush()
    }
}

/// A bar is so long where there is so much room.
pub fn bar_length(room: usize) -> usize {
    match room {
        0..70 => 8,
        70..100 => 16,
        _ => 30,
    }
}

/// As many of the parts as there is room for, in their order; those of the lowest rank are needed most.
pub fn fitted(parts: &[(u8, String)], room: usize) -> String {
    const GAP: &str = "  ";
    let mut by_need: Vec<usize> = (0..parts.len()).collect();
    by_need.sort_by_key(|part| parts[*part].0);
    let (mut kept, mut taken) = (Vec::new(), 0);
    for part in by_need {
        let width = parts[part].1.width() + if taken == 0 { 0 } else { GAP.len() };
        if taken + width <= room {
            taken += width;
            kept.push(part);
        }
    }
    kept.sort_unstable();
    kept.into_iter().map(|part| parts[part].1.as_str()).collect::<Vec<_>>().join(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_line_ends_with_its_text_and_the_next_begins_below_it() {
        let canvas = Canvas::default();
        for line in ["one", "two"] {
            canvas.write_str(line).unwrap();
            canvas.write_str("     ").unwrap();
        }
        canvas.move_cursor_up(1).unwrap();
        canvas.move_cursor_up(0).unwrap();
        canvas.write_str("\r").unwrap();
        canvas.write_str("three").unwrap();
        canvas.write_str("").unwrap();
        canvas.with(|drawing| assert_eq!(drawing.pending, "one\x1b[K\r\ntwo\x1b[K\x1b[1A\rthree\x1b[K"));
    }

    #[test]
    fn parts_keep_their_order_and_those_that_are_needed_least_go_first() {
        let parts = [(0, "200/s"), (3, "p50 1 ms"), (1, "p99 9 ms"), (2, "1 failed")].map(|(rank, text)| (rank, text.to_owned()));
        assert_eq!(fitted(&parts, 80), "200/s  p50 1 ms  p99 9 ms  1 failed");
        assert_eq!(fitted(&parts, 35), fitted(&parts, 80));
        assert_eq!(fitted(&parts, 34), "200/s  p99 9 ms  1 failed");
        assert_eq!(
            (fitted(&parts, 15), fitted(&parts, 14), fitted(&parts, 4)),
            ("200/s  p99 9 ms".into(), "200/s".into(), String::new())
        );
    }
}
