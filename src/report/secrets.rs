//! The one place that keeps secrets out of a report: every text that a target or a caller could have put one into goes
//! through here.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use crate::api::HttpRequest;
use crate::history::Exchange;
use crate::verdict::ScenarioOutcome;

/// A lawful value has 1,000 bytes, escaped twice that.
const MOST_TOLD_BYTES: usize = 4096;

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// A value shorter than this is no secret, and to mask it would maul every text that happens to contain it.
const MIN_BYTES: usize = 8;
/// So much of a secret, from any place in it, is masked as the whole is: whoever made a text may have cut it.
const PART: usize = 12;
/// A text that is escaped more often than this is not seen through.
const MOST_ESCAPED: usize = 4;

/// Texts that no report may show.
#[derive(Default)]
pub struct Secrets {
    /// Every part of so many bytes of each secret that is longer, as [`Spelled`] has it.
    parts: HashSet<[u8; PART]>,
    /// Those that are shorter.
    short: BTreeSet<Vec<u8>>,
    /// The signatures among them, as they were sent.
    usersigs: HashSet<String>,
}

impl Secrets {
    /// The caller's own secrets, and every `usersig` that the run sent.
    pub fn new(secrets: &[String], outcomes: &[ScenarioOutcome]) -> Secrets {
        Secrets::of(secrets, outcomes.iter().flat_map(|outcome| &outcome.exchanges))
    }

    /// The caller's own secrets, and every `usersig` in these exchanges.
    pub fn of<'e>(secrets: &[String], exchanges: impl IntoIterator<Item = &'e Exchange>) -> Secrets {
        let mut known = Secrets::default();
        for secret in secrets {
            known.add(secret);
        }
        for exchange in exchanges {
            known.learn(&exchange.request);
        }
        known
    }

    /// The signature of a call is a secret, too.
    pub fn learn(&mut self, request: &HttpRequest) {
        for (_, usersig) in request.query.iter().filter(|(name, _)| is_usersig(name)) {
            if !self.usersigs.contains(usersig) {
                self.usersigs.insert(usersig.clone());
                self.add(usersig);
            }
        }
    }

    fn add(&mut self, secret: &str) {
        let bytes = Spelled::out(secret).bytes;
        match bytes.len() {
            ..MIN_BYTES => {}
            MIN_BYTES..PART => drop(self.short.insert(bytes)),
            PART.. => self.parts.extend(bytes.array_windows::<PART>()),
        }
    }

    /// A text of the target's, or with some of it, as a report holds it: masked, and cut where it is longer than any lawful one.
    pub fn told(&self, text: &str) -> String {
        let text = self.scrub(text);
        if text.len() <= MOST_TOLD_BYTES {
            return text;
        }
        format!("{}… [cut here]", &text[..text.floor_char_boundary(MOST_TOLD_BYTES)])
    }

    /// The text with a mask for each secret, and for each part of one that is long enough to be of use; however it is escaped.
    pub fn scrub(&self, text: &str) -> String {
        if self.parts.is_empty() && self.short.is_empty() {
            return text.to_owned();
        }
        let spelled = Spelled::out(text);
        let (mut scrubbed, mut shown) = (String::with_capacity(text.len()), 0);
        for secret in self.found(&spelled.bytes) {
            let (start, end) = (spelled.origins[secret.start].start, spelled.origins[secret.end - 1].end);
            // One escape may stand for several bytes, and so be a part of two neighbours.
            if end <= shown {
                continue;
            }
            scrubbed.push_str(&text[shown..start.max(shown)]);
            scrubbed.push_str(MASK);
            shown = end;
        }
        scrubbed.push_str(&text[shown..]);
        scrubbed
    }

    /// Where secrets stand, from left to right; what overlaps is one.
    fn found(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let parts = bytes.array_windows::<PART>().enumerate().filter(|(_, part)| self.parts.contains(*part));
        let mut found: Vec<Range<usize>> = parts.map(|(start, _)| start..start + PART).collect();
        for short in &self.short {
            let windows = bytes.windows(short.len()).enumerate().filter(|(_, window)| window == short);
            found.extend(windows.map(|(start, _)| start..start + short.len()));
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, last| {
            let overlaps = next.start < last.end;
            last.end = if overlaps { last.end.max(next.end) } else { last.end };
            overlaps
        });
        found
    }

    /// The path and query of a request, with `usersig` standing for whatever signature it carried.
    ///
    /// An empty signature is shown as it is: that it was empty is what the scenario is about.
    pub fn url(&self, request: &HttpRequest, usersig: &str) -> String {
        const PLACEHOLDER: &str = "msgextUsersigStandsHere";
        let mut masked = request.clone();
        for (name, value) in &mut masked.query {
            if is_usersig(name) && !value.is_empty() {
                PLACEHOLDER.clone_into(value);
            }
        }
        self.scrub(&masked.target()).replace(PLACEHOLDER, usersig)
    }
}

/// Secrets are not for debug output either.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} parts)", self.parts.len() + self.short.len())
    }
}

pub(super) fn is_usersig(name: &str) -> bool {
    name.eq_ignore_ascii_case("usersig")
}

/// A text without its escapes and in small letters, each byte with the place in the text that it comes from.
struct Spelled {
    bytes: Vec<u8>,
    origins: Vec<Range<usize>>,
}

impl Spelled {
    fn out(text: &str) -> Spelled {
        let mut spelled = Spelled { bytes: Vec::with_capacity(text.len()), origins: Vec::with_capacity(text.len()) };
        for (start, character) in text.char_indices() {
            spelled.put(character, start..start + character.len_utf8());
        }
        // What one program has escaped, the next may have escaped again.
        for _ in 0..MOST_ESCAPED {
            match spelled.unescaped() {
                Some(unescaped) => spelled = unescaped,
                None => break,
            }
        }
        spelled.bytes.make_ascii_lowercase();
        spelled
    }

    fn put(&mut self, character: char, origin: Range<usize>) {
        let bytes = character.encode_utf8(&mut [0; 4]).as_bytes().to_owned();
        self.origins.extend(std::iter::repeat_n(origin, bytes.len()));
        self.bytes.extend(bytes);
    }

    /// `None` where there is no escape.
    fn unescaped(&self) -> Option<Spelled> {
        self.bytes.iter().any(|byte| matches!(byte, b'%' | b'\\' | b'&')).then_some(())?;
        let mut unescaped =
            Spelled { bytes: Vec::with_capacity(self.bytes.len()), origins: Vec::with_capacity(self.bytes.len()) };
        let mut at = 0;
        while at < self.bytes.len() {
            let (meant, length) = escape(&self.bytes[at..]).unwrap_or((Meant::Byte(self.bytes[at]), 1));
            let origin = self.origins[at].start..self.origins[at + length - 1].end;
            match meant {
                Meant::Byte(byte) => {
                    unescaped.bytes.push(byte);
                    unescaped.origins.push(origin);
                }
                Meant::Character(character) => unescaped.put(character, origin),
            }
            at += length;
        }
        (unescaped.bytes.len() < self.bytes.len()).then_some(unescaped)
    }
}

enum Meant {
    Byte(u8),
    Character(char),
}

/// What an escape at the start of these bytes stands for, and how long it is: of a URL, of JSON, of a string of Rust's, of HTML.
fn escape(bytes: &[u8]) -> Option<(Meant, usize)> {
    match bytes {
        [b'%', high, low, ..] => Some((Meant::Byte(u8::try_from(digits(&[*high, *low], 16)?).ok()?), 3)),
        [b'\\', b'u', b'{', rest @ ..] => character(rest, b'}', 16, 3),
        [b'\\', b'u', a, b, c, d, ..] => Some((Meant::Character(char::from_u32(digits(&[*a, *b, *c, *d], 16)?)?), 6)),
        [b'\\', itself @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((Meant::Byte(*itself), 2)),
        [b'&', b'#', b'x' | b'X', rest @ ..] => character(rest, b';', 16, 3),
        [b'&', b'#', rest @ ..] => character(rest, b';', 10, 2),
        [b'&', ..] => {
            let names: [(&[u8], u8); 5] =
                [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];
            let (name, byte) = names.into_iter().find(|(name, _)| bytes.starts_with(name))?;
            Some((Meant::Byte(byte), name.len()))
        }
        _ => None,
    }
}

/// A number of a few digits up to its end, after so many bytes of an escape.
fn character(rest: &[u8], end: u8, radix: u32, before: usize) -> Option<(Meant, usize)> {
    let length = rest.iter().take(8).position(|byte| *byte == end)?;
    Some((Meant::Character(char::from_u32(digits(&rest[..length], radix)?)?), before + length + 1))
}

fn digits(digits: &[u8], radix: u32) -> Option<u32> {
    let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_alphanumeric);
    are_digits.then_some(digits).and_then(|digits| u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(usersig: &str) -> HttpRequest {
        HttpRequest {
            method: "POST".to_owned(),
            path: "/p".to_owned(),
            query: crate::api::http::query(1_400_000_000, "admin", usersig, 7),
            headers: vec![],
            body: vec![],
        }
    }

    const USERSIG: &str = "eJwtzM0KgkAYheF7mXXI-NeYCa0hI*Bf1UKIYz5NozjmKEV778qtzvPC_z7xTJoqPj7j2Mc_";

    fn known() -> Secrets {
        Secrets::new(&["eJw*a+b/c=".to_owned(), "eJw*a+b/c=longer".to_owned(), "admin".to_owned(), USERSIG.to_owned()], &[])
    }

    #[test]
    fn secrets_are_masked_plain_and_encoded_and_other_text_is_left() {
        let secrets = known();
        assert_eq!(secrets.scrub("<eJw*a+b/c=>"), "<***>");
        assert_eq!(secrets.scrub("eJw*a+b/c=longer"), "***");
        assert_eq!(secrets.scrub("u=eJw*a%2Bb%2Fc%3D&v"), "u=***&v");
        for other in ["admin eJw*a", "", "100%", "%zz \\u12 \\u{110000} &#; &#x; &amp &#99999999;", "\\\\ %25 é \u{fffd}"] {
            assert_eq!(secrets.scrub(other), other);
        }
    }

    #[test]
    fn a_secret_is_known_however_it_is_escaped() {
        let each = |escape: fn(char) -> String| USERSIG.chars().map(escape).collect::<String>();
        let of_signs = |escape: fn(char) -> String| {
            let signs =
                USERSIG.chars().map(|character| if character.is_alphanumeric() { character.into() } else { escape(character) });
            signs.collect::<String>()
        };
        let percent = of_signs(|sign| format!("%{:02X}", u32::from(sign)));
        let spellings = [
            of_signs(|sign| format!("%{:02x}", u32::from(sign))),
            percent.replacen("%2D", "%2d", 1),
            USERSIG.replace('*', "%2a"),
            of_signs(|sign| format!("\\u{:04x}", u32::from(sign))),
            of_signs(|sign| format!("\\u{{{:x}}}", u32::from(sign))),
            of_signs(|sign| format!("&#{};", u32::from(sign))),
            of_signs(|sign| format!("&#x{:X};", u32::from(sign))),
            each(|character| format!("%{:02x}", u32::from(character))),
            each(|character| format!("\\u{:04X}", u32::from(character))),
            percent.replace('%', "%25"),
            percent.replace('%', "\\u0025"),
            serde_json::Value::from(of_signs(|sign| format!("\\u{:04x}", u32::from(sign)))).to_string(),
            USERSIG.to_ascii_uppercase(),
            percent,
        ];
        for spelling in spellings {
            let scrubbed = known().scrub(&format!("é<{spelling}>é"));
            assert_eq!(scrubbed.replace('"', ""), "é<***>é", "{spelling}");
        }
    }

    #[test]
    fn a_part_of_a_secret_is_masked_and_what_is_too_short_to_be_of_use_is_left() {
        let secrets = known();
        for start in 0..USERSIG.len() {
            for end in start + 1..=USERSIG.len() {
                let part = &USERSIG[start..end];
                let expected = if part.len() < PART { part } else { MASK };
                assert_eq!(secrets.scrub(&format!("<{part}…>")), format!("<{expected}…>"));
            }
        }
    }

    #[test]
    fn a_url_shows_what_stands_for_the_signature_and_an_empty_one_as_it_is() {
        let secrets = Secrets::default();
        assert_eq!(
            secrets.url(&request("eJwSecret"), MASK),
            "/p?sdkappid=1400000000&identifier=admin&usersig=***&random=7&contenttype=json"
        );
        assert!(secrets.url(&request("short"), MASK).contains("usersig=***&"));
        assert!(secrets.url(&request(""), MASK).contains("usersig=&"));
    }
}
