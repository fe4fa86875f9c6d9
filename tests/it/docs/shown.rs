//! Whether what a page shows is what was said.

use std::iter;

/// The first line that was not said after those before it; `…` stands for anything.
pub(super) fn unseen(shown: &str, said: &str) -> Option<String> {
    unseen_but(&[], shown, said)
}

/// The same; of lines that begin like one of `varying` the figures may be others.
pub(super) fn unseen_but(varying: &[&str], shown: &str, said: &str) -> Option<String> {
    let mut rest = said.lines();
    let mut shown = shown.lines().filter(|line| line.trim() != "…" && !line.is_empty());
    let is_seen = |line: &str, told: &str| {
        let varies = varying.iter().any(|begins| line.starts_with(begins));
        if varies { fits(&shape(line), &shape(told)) } else { fits(line, told) }
    };
    shown.find(|line| !rest.any(|told| is_seen(line, told))).map(str::to_owned)
}

pub(super) fn fits(shown: &str, told: &str) -> bool {
    let pieces: Vec<&str> = shown.split('…').collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return shown == told };
    let Some(mut rest) = told.strip_prefix(first) else { return false };
    for piece in middle {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// The line with 0 for every number, whatever its sign, its unit of time and the width of its column, and without what is drawn.
fn shape(line: &str) -> String {
    let is_drawn = |char: char| ('\u{2500}'..='\u{259f}').contains(&char);
    let words = line.split(|char: char| char.is_whitespace() || is_drawn(char)).filter(|word| !word.is_empty());
    let words = words.map(|word| if ["µs", "us", "ms"].contains(&word) { "s".to_owned() } else { without_figures(word) });
    words.collect::<Vec<_>>().join(" ")
}

fn without_figures(word: &str) -> String {
    let unsigned = word.strip_prefix(['+', '-']).filter(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
    let mut chars = unsigned.unwrap_or(word).chars().peekable();
    let next = || {
        let char = chars.next()?;
        if !char.is_ascii_digit() {
            return Some(char);
        }
        while chars.next_if(|char| char.is_ascii_digit() || *char == '.').is_some() {}
        Some('0')
    };
    iter::from_fn(next).collect()
}

#[test]
fn what_is_shown_is_found_in_its_order_or_not_at_all() {
    let said = "one\n  two 2\nthree\n";
    assert_eq!(unseen("one\n…\nthree\n", said), None);
    assert_eq!(unseen("one\n  two …\n", said), None);
    assert_eq!(unseen("three\none\n", said), Some("one".to_owned()));
    assert_eq!(unseen("  two 3…\n", said), Some("  two 3…".to_owned()));
}

#[test]
fn figures_may_be_others_where_they_vary_and_words_never() {
    let unseen = |shown: &str, said: &str| unseen_but(&["  calls", "  p99"], shown, said);
    assert_eq!(unseen("  calls  17, 3 refused, in 17.7 s\n", "  calls 4, 12 refused, in 800 ms\n"), None);
    assert_eq!(unseen("  p99  +9.5 %  █▁ ├──┤  …\n", "  p99 -10 %  ▂▂▂  over\n"), None);
    assert_eq!(unseen("  calls  17, 3 refused\n", "  calls  17, 3 lost\n"), Some("  calls  17, 3 refused".to_owned()));
    assert_eq!(unseen("  killed  17\n", "  killed  18\n"), Some("  killed  17".to_owned()));
}
