//! Keys, values, counts and lists as people are told them.

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
    fn a_long_value_is_cut_and_its_bytes_told() {
        assert_eq!(quoted("it's"), "\"it's\"");
        let long = quoted(&"é".repeat(500));
        assert!(long.ends_with("…\" (1000 bytes)"), "{long}");
    }
}
