//! Keys, values, counts and lists as people are told them, and the one escaping for all that eyes see.

/// What is not seen, or changes how what stands around it is seen: marks of direction, line ends that only some know,
/// characters without width, and noncharacters. Those two that join emoji and letters of some scripts are left out.
const UNSEEN: [(char, char); 15] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{200e}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{e0000}', '\u{e007f}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{ffffe}', '\u{fffff}'),
    ('\u{10fffe}', '\u{10ffff}'),
];

/// Whether a character may be shown as it stands. XML 1.0 takes each that may.
pub fn is_printable(character: char) -> bool {
    !character.is_control() && !UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Somebody else's text for people: on one line, and with escapes for whatever could colour, move, hide or forge what a
/// terminal shows.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            printable.push(character);
        } else {
            printable.extend(character.escape_default());
        }
    }
    printable
}

/// A key as findings name it: as it stands if that is short and plain, else quoted and cut.
pub fn named(key: &str) -> String {
    let plain = !key.is_empty() && key.len() <= 24 && key.chars().all(|character| character.is_ascii_graphic());
    if plain { key.to_owned() } else { quoted(key) }
}

/// A text in quotes, with what cannot be seen escaped, cut where it is long.
pub fn quoted(text: &str) -> String {
    const CHARS: usize = 40;
    if text.chars().count() <= CHARS {
        return format!("{text:?}");
    }
    let shown: String = text.chars().take(CHARS).chain(['…']).collect();
    format!("{shown:?} ({} bytes)", text.len())
}

/// `1 scenario`, `2 scenarios`.
pub fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The first few names of a list that may be long: `a, b and 498 more`.
pub fn some_of(names: &[&str], most: usize) -> String {
    let shown = names.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    if names.len() > most { format!("{shown} and {} more", names.len() - most) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_short_keys_stand_as_they_are_and_others_are_quoted() {
        assert_eq!(named("k1"), "k1");
        assert_eq!(named(""), "\"\"");
        assert_eq!(named("a b"), "\"a b\"");
        assert_eq!(named("\u{1}"), "\"\\u{1}\"");
    }

    #[test]
    fn what_could_upset_a_terminal_is_escaped_and_what_is_only_foreign_stands() {
        assert_eq!(printable("a\u{1b}[31m\r\n\t\u{9b}31m\u{7f}\0"), r"a\u{1b}[31m\r\n\t\u{9b}31m\u{7f}\u{0}");
        let unseen = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}\u{85}";
        assert!(printable(unseen).is_ascii(), "{}", printable(unseen));
        for shown in ["中文 é ❤\u{fe0f}", "👩\u{200d}👧", "\u{fffd}", r"C:\dir"] {
            assert_eq!(printable(shown), shown);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_its_bytes_told() {
        assert_eq!(quoted("it's"), "\"it's\"");
        let long = quoted(&"é".repeat(500));
        assert!(long.ends_with("…\" (1000 bytes)"), "{long}");
    }
}
