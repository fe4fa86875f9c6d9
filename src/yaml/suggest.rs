//! "Did you mean": the word that someone probably meant.

use strsim::osa_distance;

/// The known word nearest to a misspelt one; `None` where none is near enough to be a slip.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    let slips = 1 + word.chars().count() / 4;
    known
        .into_iter()
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= slips && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `value`?", or all that there is to choose from.
pub fn help<'w>(word: &str, known: impl IntoIterator<Item = &'w str> + Clone) -> Option<String> {
    if let Some(meant) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let words: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
    // A list longer than this is read by nobody.
    (1..=20).contains(&words.len()).then(|| format!("known here: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let known = ["value", "seq", "SEQ-3", "deleted-key"];
        for (slip, meant) in
            [("vale", "value"), ("Value", "value"), ("seqq", "seq"), ("seq-3", "SEQ-3"), ("dleeted-key", "deleted-key")]
        {
            assert_eq!(nearest(slip, known), Some(meant), "{slip}");
        }
    }

    #[test]
    fn another_word_finds_nothing_and_is_told_what_there_is() {
        assert_eq!(nearest("banana", ["value", "seq"]), None);
        assert_eq!(nearest("x", ["k"]), None);
        assert_eq!(help("banana", ["value", "seq"]).as_deref(), Some("known here: `value`, `seq`"));
    }
}
