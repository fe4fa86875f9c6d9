//! Tables for people: columns aligned as a terminal shows them, and no wider than it is.

use std::io;

use anstyle::{Effects, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::judge::text::printable;

pub(super) const DIM: Style = Style::new().effects(Effects::DIMMED);
/// No column is wrapped to less than this.
const LEAST: usize = 16;
const GAP: usize = 2;

/// Rows of as many cells. Every cell may hold foreign text.
pub(super) struct TextTable<const N: usize> {
    rows: Vec<[String; N]>,
    wraps: [bool; N],
    less_needed: Vec<usize>,
}

impl<const N: usize> TextTable<N> {
    /// Where there is too little room the last column is wrapped.
    pub(super) fn new(rows: impl Iterator<Item = [String; N]>) -> TextTable<N> {
        let rows = rows.map(|row| row.map(|cell| printable(&cell))).collect();
        TextTable { rows, wraps: std::array::from_fn(|column| column + 1 == N), less_needed: Vec::new() }
    }

    /// These columns are wrapped, and no others.
    pub(super) fn wrapping(mut self, columns: &[usize]) -> TextTable<N> {
        self.wraps = std::array::from_fn(|column| columns.contains(&column));
        self
    }

    /// Where wrapping is not enough, these columns of a table with a header are left out, and it is said which: the first of
    /// them in which every cell is 0, then one after another.
    pub(super) fn leaving_out(mut self, columns: &[usize]) -> TextTable<N> {
        let is_idle = |column: &&usize| self.rows.iter().skip(1).all(|row| row[**column] == "0");
        let (idle, others): (Vec<_>, Vec<_>) = columns.iter().partition(is_idle);
        self.less_needed = idle.into_iter().chain(others).copied().collect();
        self
    }

    /// `width` is the terminal's, where there is one.
    pub(super) fn write(self, out: &mut dyn io::Write, width: Option<usize>) -> io::Result<()> {
        let widest = |column: usize| self.rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
        let mut widths: [Option<usize>; N] = std::array::from_fn(|column| Some(widest(column)));
        let mut left_out = Vec::new();
        if let Some(room) = width {
            let mut less_needed = self.less_needed.iter();
            while total(&self.narrowest(&widths)) > room
                && let Some(&column) = less_needed.next()
            {
                widths[column] = None;
                left_out.extend(self.rows.first().map(|header| header[column].as_str()));
            }
            self.narrow(&mut widths, room);
        }
        self.rows.iter().try_for_each(|row| write_row(out, row, &widths))?;
        if left_out.is_empty() {
            return Ok(());
        }
        writeln!(out, "  {DIM}no room for: {}{DIM:#}", left_out.join(", "))
    }

    fn narrowest(&self, widths: &[Option<usize>; N]) -> [Option<usize>; N] {
        let least = |column: usize| widths[column].map(|width| if self.wraps[column] { width.min(LEAST) } else { width });
        std::array::from_fn(least)
    }

    /// Takes from the widest of the columns that wrap, until the table fits or none can give more.
    fn narrow(&self, widths: &mut [Option<usize>; N], room: usize) {
        while total(widths) > room {
            let wrapping = widths.iter_mut().zip(self.wraps).filter_map(|(width, wraps)| width.as_mut().filter(|_| wraps));
            match wrapping.max().filter(|width| **width > LEAST) {
                Some(width) => *width -= 1,
                None => return,
            }
        }
    }
}

fn total<const N: usize>(widths: &[Option<usize>; N]) -> usize {
    widths.iter().flatten().map(|width| GAP + width).sum()
}

fn write_row<const N: usize>(out: &mut dyn io::Write, row: &[String; N], widths: &[Option<usize>; N]) -> io::Result<()> {
    let cells = row.iter().zip(widths).filter_map(|(cell, width)| width.map(|width| (wrapped(cell, width), width)));
    let cells: Vec<(Vec<&str>, usize)> = cells.collect();
    let height = cells.iter().map(|(lines, _)| lines.len()).max().unwrap_or_default();
    for place in 0..height {
        let mut line = String::new();
        for (lines, width) in &cells {
            let part = lines.get(place).copied().unwrap_or_default();
            line.extend(std::iter::repeat_n(' ', GAP));
            line.push_str(part);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(part.width())));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The text in lines of at most this width, broken at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<&str> {
    let (mut lines, mut rest) = (Vec::new(), text);
    while rest.width() > width {
        let fits = fitting(rest, width).max(rest.chars().next().map_or(0, char::len_utf8));
        let broken = if rest[fits..].starts_with(' ') { Some(fits) } else { rest[..fits].rfind(' ') };
        let (line, more) = rest.split_at(broken.filter(|at| *at > 0).unwrap_or(fits));
        lines.push(line.trim_end());
        rest = more.trim_start();
    }
    if lines.is_empty() || !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The text, with an ellipsis in place of what does not fit.
pub fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    format!("{}…", &text[..fitting(text, width.saturating_sub(1))])
}

/// So many bytes of the text fit into the width.
fn fitting(text: &str, width: usize) -> usize {
    let mut taken = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        taken += character.width().unwrap_or(0);
        taken > width
    });
    beyond.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::plain;

    fn rows<const N: usize>(rows: &[[&str; N]]) -> impl Iterator<Item = [String; N]> {
        rows.iter().map(|row| row.map(str::to_owned))
    }

    const PHASES: [[&str; 5]; 3] = [
        ["phase", "sent", "refused", "failed", "p99"],
        ["a hot message for a minute", "1200", "0", "0", "71.68 ms"],
        ["rest", "1", "0", "12", "1.20 ms"],
    ];

    fn phases(width: Option<usize>) -> String {
        plain(|out| TextTable::new(rows(&PHASES)).wrapping(&[0]).leaving_out(&[1, 3, 2]).write(out, width))
    }

    #[test]
    fn wide_characters_keep_their_columns() {
        let table = TextTable::new(rows(&[["中文", "x"], ["abcd", "y"]]));
        assert_eq!(plain(|out| table.write(out, None)), "  中文  x\n  abcd  y\n");
    }

    #[test]
    fn a_table_that_fits_is_left_as_it_is() {
        let whole = phases(None);
        assert!(whole.starts_with("  phase                       sent  refused  failed  p99\n"), "{whole}");
        assert_eq!((phases(Some(200)), phases(Some(61))), (whole.clone(), whole));
    }

    #[test]
    fn a_table_that_is_too_wide_wraps_and_leaves_out_what_is_needed_least() {
        insta::assert_snapshot!(phases(Some(52)), @r"
          phase              sent  refused  failed  p99
          a hot message for  1200  0        0       71.68 ms
          a minute
          rest               1     0        12      1.20 ms
        ");
        insta::assert_snapshot!(phases(Some(45)), @r"
          phase                sent  failed  p99
          a hot message for a  1200  0       71.68 ms
          minute
          rest                 1     12      1.20 ms
          no room for: refused
        ");
        for width in 28..=61 {
            let table = phases(Some(width));
            assert!(table.lines().all(|line| line.width() <= width.max(36)), "{width}\n{table}");
        }
    }

    #[test]
    fn a_cell_is_wrapped_at_spaces_or_else_anywhere_and_loses_nothing() {
        assert_eq!(wrapped("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrapped("one twothree", 4), ["one", "twot", "hree"]);
        assert_eq!(wrapped("中文中文", 5), ["中文", "中文"]);
        assert_eq!((wrapped("中", 1), wrapped("abc   ", 3)), (vec!["中"], vec!["abc"]));
        assert_eq!((wrapped("", 3), wrapped("abc", 3)), (vec![""], vec!["abc"]));
    }

    #[test]
    fn a_text_is_shortened_only_where_it_does_not_fit() {
        assert_eq!(
            (shortened("abcd", 4), shortened("abcde", 4), shortened("中文中", 5)),
            ("abcd".into(), "abc…".into(), "中文…".into())
        );
    }
}
