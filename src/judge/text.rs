//! Keys and values as findings show them.

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
