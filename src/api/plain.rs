//! Plain JSON read in place: no escape in what is wanted, no exponent, no tree.
//!
//! Whoever reads must be sure elsewhere that the bytes are UTF-8. `None` says "not plain", which may still be JSON.

use std::ops::Range;

/// How deep a value that nobody asked for may nest.
pub(super) const MOST_NESTED: u32 = 32;
/// So many digits always fit an `i64`.
const MOST_DIGITS: usize = 18;
/// Numbers that are skipped are shorter, so that none is too large for JSON's readers.
const MOST_SKIPPED_DIGITS: usize = 300;

/// The names of those members of an object that nobody asked for.
#[derive(Default)]
pub(super) struct Names {
    places: [(usize, usize); MOST_NAMES],
    count: usize,
}

/// With more of them it is left to others to find out whether one stands twice.
const MOST_NAMES: usize = 4;

impl Names {
    fn add(&mut self, bytes: &[u8], name: Range<usize>) -> Option<()> {
        let known = &self.places[..self.count];
        if known.iter().any(|(start, end)| bytes[*start..*end] == bytes[name.clone()]) {
            return None;
        }
        *self.places.get_mut(self.count)? = (name.start, name.end);
        self.count += 1;
        Some(())
    }
}

/// A place in a body. Every method passes over white space, then over what it is named for, or gives up.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// `member` reads a name and its value.
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Cursor<'a>) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        if self.peek()? == b'}' {
            return self.byte(b'}');
        }
        loop {
            self.peek()?;
            member(self)?;
            if self.is_last(b'}')? {
                return Some(());
            }
        }
    }

    /// Whether a member's name is this, in its quotes. If so, it is passed over, with its colon: one comparison of a constant
    /// length is faster than to look for the name's end.
    pub(super) fn is_named<const N: usize>(&mut self, quoted: &[u8; N]) -> bool {
        let start = self.at;
        if self.bytes[start..].first_chunk() != Some(quoted) {
            return false;
        }
        self.at += N;
        let named = self.byte(b':').is_some();
        if !named {
            self.at = start;
        }
        named
    }

    pub(super) fn array(&mut self, mut item: impl FnMut(&mut Cursor<'a>) -> Option<()>) -> Option<()> {
        self.byte(b'[')?;
        if self.peek()? == b']' {
            return self.byte(b']');
        }
        loop {
            item(self)?;
            if self.is_last(b']')? {
                return Some(());
            }
        }
    }

    /// A string without escapes, by its place.
    pub(super) fn string(&mut self) -> Option<Range<usize>> {
        self.byte(b'"')?;
        let start = self.at;
        self.at += plain_length(&self.bytes[start..]);
        (self.bytes.get(self.at) == Some(&b'"')).then_some(())?;
        self.at += 1;
        Some(start..self.at - 1)
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            if self.at - start == MOST_DIGITS {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        let digits = self.at - start;
        // JSON knows no 01, and takes -0 for a fraction.
        let led_by_zero = digits > 0 && self.bytes[start] == b'0' && (digits > 1 || negative);
        (digits > 0 && !led_by_zero).then_some(if negative { -number } else { number })
    }

    /// A member that nobody asked for, of an object with these others.
    pub(super) fn skip_member(&mut self, others: &mut Names, nested: u32) -> Option<()> {
        let name = self.string()?;
        others.add(self.bytes, name)?;
        self.byte(b':')?;
        self.skip(nested)
    }

    fn skip(&mut self, nested: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' => {
                let nested = nested.checked_sub(1)?;
                let mut names = Names::default();
                self.object(|cursor| cursor.skip_member(&mut names, nested))
            }
            b'[' => {
                let nested = nested.checked_sub(1)?;
                self.array(|cursor| cursor.skip(nested))
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.skip_number(),
        }
    }

    /// Here the short escapes do no harm; `\u` could be half a character.
    fn skip_string(&mut self) -> Option<()> {
        self.byte(b'"')?;
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.bytes.get(self.at..)? {
                [b'"', ..] => {
                    self.at += 1;
                    return Some(());
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
                _ => return None,
            }
        }
    }

    /// A number without an exponent.
    fn skip_number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek()? == b'-');
        let start = self.at;
        let whole = self.digits();
        (whole > 0 && (whole == 1 || self.bytes[start] != b'0')).then_some(())?;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            (self.digits() > 0).then_some(())?;
        }
        (self.at - start <= MOST_SKIPPED_DIGITS).then_some(())
    }

    fn digits(&mut self) -> usize {
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    pub(super) fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.peek()?;
        self.bytes[self.at..].starts_with(word).then_some(())?;
        self.at += word.len();
        Some(())
    }

    /// Whether the list ends here, and not with a comma.
    fn is_last(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        (byte == b',' || byte == end).then_some(byte == end)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then_some(())?;
        self.at += 1;
        Some(())
    }

    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// The next byte that is no white space; it is not passed over.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Bytes before the first quote, backslash or control character: eight at a time, as values are up to a thousand long.
fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
    words.len() * 8 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The lowest bit that is set is the high bit of the first special byte. Higher bits may lie: a subtraction borrows.
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for special in [b'"', b'\\', 0, b'\n', 0x1f] {
            for length in 0..40 {
                for other in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xff] {
                    let mut bytes = vec![other; length];
                    assert_eq!(plain_length(&bytes), length);
                    bytes.extend([special, other, special]);
                    assert_eq!(plain_length(&bytes), length, "{other} before {special}");
                }
            }
        }
    }
}
