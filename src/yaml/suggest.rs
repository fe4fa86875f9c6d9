//! "Did you mean": the word that someone probably meant.

use std::cmp::Reverse;

use strsim::osa_distance;

/// The known word nearest to a misspelt one; `None` where none is near enough to be a slip.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    let slips = 1 + word.chars().count() / 4;
    known
        .into_iter()
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= slips && *distance < candidate.chars().count())
        // Of two that are as near, the one that begins alike: a slip in the first letters is rare.
        .min_by_key(|(distance, candidate)| (*distance, Reverse(common_start(&word, candidate)), *candidate))
        .map(|(_, candidate)| candidate)
}

fn common_start(word: &str, candidate: &str) -> usize {
    word.chars().zip(candidate.to_lowercase().chars()).take_while(|(one, other)| one == other).count()
}

/// As [`help`], of names like `SEQ-3`: one family is not meant where another is named, and a family's numbers are soon told.
pub fn numbered<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let family = |name: &str| name.rsplit_once('-').map(|(family, _)| family.to_lowercase());
    let known: Vec<&str> = known.into_iter().collect();
    let kin: Vec<&str> = known.iter().copied().filter(|known| family(known) == family(word)).collect();
    match kin[..] {
        [first, .., last] => Some(match nearest(word, kin.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? There are {first} to {last}"),
            None => format!("there are {first} to {last}"),
        }),
        _ => help(word, known),
    }
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
    fn a_number_out_of_its_family_is_not_taken_for_another_family_s() {
        let known = ["SEQ-1", "SEQ-9", "SET-1", "SET-2", "ERR-1"];
        for (word, told) in [
            ("SET-99", "did you mean `SET-1`? There are SET-1 to SET-2"),
            ("SEQ-999", "did you mean `SEQ-9`? There are SEQ-1 to SEQ-9"),
            ("SEQ-12345", "there are SEQ-1 to SEQ-9"),
            ("EQR-1", "did you mean `ERR-1`?"),
            ("seq1", "did you mean `SEQ-1`?"),
        ] {
            assert_eq!(numbered(word, known).as_deref(), Some(told), "{word}");
        }
        assert_eq!(nearest("seq-8", ["SET-8", "SEQ-9"]), Some("SEQ-9"));
    }

    #[test]
    fn another_word_finds_nothing_and_is_told_what_there_is() {
        assert_eq!(nearest("banana", ["value", "seq"]), None);
        assert_eq!(nearest("x", ["k"]), None);
        assert_eq!(help("banana", ["value", "seq"]).as_deref(), Some("known here: `value`, `seq`"));
    }
}
