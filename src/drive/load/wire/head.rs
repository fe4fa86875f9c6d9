//! The head of a response: its status, how its body ends, and whether the connection outlives it.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::Cause;
use crate::api::reply::{MAX_BODY_BYTES, coding};

/// Heads beyond this are not read further.
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes up to the body.
    pub(super) length: usize,
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    /// Where in the head the body's content coding is named, if it is in any.
    pub(super) coding: Option<(usize, usize)>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    /// A final response follows such a head, which is otherwise of no interest. After 101 no HTTP follows.
    pub(super) fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

/// The head at the start of the bytes, once it is whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, Cause> {
    let mut response = httparse::Response::new(&mut []);
    let mut headers = [MaybeUninit::<Header>::uninit(); MAX_HEADERS];
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
        Ok(Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) => return Err(Cause::TooLarge),
        Err(_) => return Err(Cause::Garbage),
    };
    let (Some(status @ 100..), Some(version)) = (response.code, response.version) else { return Err(Cause::Garbage) };
    let fields = HeaderFields::of(response.headers);
    let framing = match status {
        100..=199 | 204 | 304 => Framing::Length(0),
        _ => fields.framing(version)?,
    };
    let keep_alive = fields.keeps_alive(version) && status != 101 && framing != Framing::UntilClose;
    let coding = fields.coding.map(|coding| {
        let start = coding.as_ptr().addr() - bytes.as_ptr().addr();
        (start, start + coding.len())
    });
    Ok(Some(Head { length, status, framing, keep_alive, coding }))
}

/// What the few headers say that matter here.
#[derive(Default)]
struct HeaderFields<'a> {
    length: Option<Length>,
    transfer: Option<Transfer>,
    says_close: bool,
    says_keep_alive: bool,
    coding: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    /// No number, or two that differ.
    Unclear,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transfer {
    Chunked,
    /// The last coding is not chunked: only the end of the connection ends the body.
    Other,
}

impl<'a> HeaderFields<'a> {
    fn of(headers: &[Header<'a>]) -> HeaderFields<'a> {
        let mut fields = HeaderFields::default();
        for header in headers {
            // Most headers differ from these four in their length already.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => fields.add_length(header.value),
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => fields.set_transfer(header.value),
                16 if header.name.eq_ignore_ascii_case("content-encoding") => {
                    fields.coding = fields.coding.or_else(|| coding(std::iter::once(header.value)));
                }
                10 if header.name.eq_ignore_ascii_case("connection") => fields.add_options(header.value),
                _ => {}
            }
        }
        fields
    }

    /// A length may be given more than once, as long as it is the same.
    fn add_length(&mut self, value: &[u8]) {
        for number in list(value) {
            let length = decimal(number).map_or(Length::Unclear, Length::Bytes);
            self.length = match self.length {
                Some(before) if before != length => Some(Length::Unclear),
                _ => Some(length),
            };
        }
    }

    fn set_transfer(&mut self, value: &[u8]) {
        let is_chunked = value.is_ascii() && list(value).last().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        self.transfer = Some(if is_chunked { Transfer::Chunked } else { Transfer::Other });
    }

    fn add_options(&mut self, value: &[u8]) {
        for option in list(value).filter(|_| value.is_ascii()) {
            self.says_close |= option.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// As RFC 9112, section 6.3: a transfer coding overrides a length.
    fn framing(&self, version: u8) -> Result<Framing, Cause> {
        match (self.transfer, self.length) {
            (Some(_), _) if version == 0 => Err(Cause::Garbage),
            (Some(Transfer::Chunked), _) => Ok(Framing::Chunked),
            (Some(Transfer::Other), _) | (None, None) => Ok(Framing::UntilClose),
            (None, Some(Length::Unclear)) => Err(Cause::Garbage),
            (None, Some(Length::Bytes(bytes))) => match usize::try_from(bytes) {
                Ok(bytes) if bytes <= MAX_BODY_BYTES => Ok(Framing::Length(bytes)),
                _ => Err(Cause::TooLarge),
            },
        }
    }

    fn keeps_alive(&self, version: u8) -> bool {
        !self.says_close && (version == 1 || self.says_keep_alive)
    }
}

fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only: `parse` would take a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, digit) }
}
