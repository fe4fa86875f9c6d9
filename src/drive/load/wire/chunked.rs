//! A chunked body, put together in the buffer that it came in.

use httparse::Status;

use super::Cause;
use crate::api::reply::MAX_BODY_BYTES;

/// Most bytes of chunk extensions in a body, and most bytes of trailers.
const MAX_EXTRA_BYTES: usize = 16 << 10;
const MAX_TRAILERS: usize = 100;

/// What is expected next, and how much there is. The body grows at its place; what frames it is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    expected: Expected,
    start: usize,
    /// Where the body ends so far; the trailers, as far as they came, follow it.
    pub(super) end: usize,
    trailer_bytes: usize,
    trailers: usize,
    extension_bytes: usize,
    /// Bytes of this chunk that are still to come.
    chunk: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Size,
    MoreSize,
    /// White space came after the size: no digit may follow.
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer, or the empty line that ends it all.
    Line,
    MoreLine,
    LineLf,
    LastLf,
    Nothing,
}

/// What became of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// All are used; what is kept ends here.
    Partly { filled: usize },
    /// The body ended, and so many bytes came after it.
    Wholly { beyond: usize },
}

impl Chunked {
    /// A body that starts at this place of its buffer.
    pub(super) fn at(start: usize) -> Chunked {
        Chunked { expected: Expected::Size, start, end: start, trailer_bytes: 0, trailers: 0, extension_bytes: 0, chunk: 0 }
    }

    /// Takes in what came since the last time: the bytes from `from` to the end of `bytes`.
    pub(super) fn decode(&mut self, bytes: &mut [u8], from: usize) -> Result<Decoded, Cause> {
        let mut at = from;
        while at < bytes.len() {
            if self.expected == Expected::Data {
                at += self.take_data(bytes, at);
            } else {
                self.step(bytes, at)?;
                at += 1;
            }
            if self.expected == Expected::Nothing {
                self.check_trailers(bytes)?;
                return Ok(Decoded::Wholly { beyond: bytes.len() - at });
            }
        }
        Ok(Decoded::Partly { filled: self.end + self.trailer_bytes })
    }

    fn take_data(&mut self, bytes: &mut [u8], at: usize) -> usize {
        let length = self.chunk.min(bytes.len() - at);
        bytes.copy_within(at..at + length, self.end);
        self.end += length;
        self.chunk -= length;
        if self.chunk == 0 {
            self.expected = Expected::DataCr;
        }
        length
    }

    fn step(&mut self, bytes: &mut [u8], at: usize) -> Result<(), Cause> {
        let byte = bytes[at];
        self.expected = match (self.expected, byte) {
            (Expected::Size | Expected::MoreSize, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.add_digit(byte)?;
                Expected::MoreSize
            }
            (Expected::MoreSize | Expected::AfterSize, b' ' | b'\t') => Expected::AfterSize,
            (Expected::MoreSize | Expected::AfterSize, b';') => Expected::Extension,
            (Expected::MoreSize | Expected::AfterSize | Expected::Extension, b'\r') => Expected::SizeLf,
            (Expected::Extension, b'\n') => return Err(Cause::Garbage),
            (Expected::Extension, _) => {
                self.extension_bytes += 1;
                (self.extension_bytes < MAX_EXTRA_BYTES).then_some(Expected::Extension).ok_or(Cause::TooLarge)?
            }
            (Expected::SizeLf, b'\n') if self.chunk == 0 => Expected::Line,
            (Expected::SizeLf, b'\n') if self.chunk > MAX_BODY_BYTES - (self.end - self.start) => return Err(Cause::TooLarge),
            (Expected::SizeLf, b'\n') => Expected::Data,
            (Expected::DataCr, b'\r') => Expected::DataLf,
            (Expected::DataLf, b'\n') => Expected::Size,
            (Expected::Line, b'\r') if self.trailers == 0 => Expected::LastLf,
            (Expected::LastLf, b'\n') if self.trailers == 0 => Expected::Nothing,
            (Expected::Line, b'\r') => self.keep_trailer(bytes, byte, Expected::LastLf)?,
            (Expected::LastLf, b'\n') => self.keep_trailer(bytes, byte, Expected::Nothing)?,
            (Expected::MoreLine, b'\r') => self.keep_trailer(bytes, byte, Expected::LineLf)?,
            (Expected::LineLf, b'\n') => {
                self.trailers += 1;
                self.keep_trailer(bytes, byte, Expected::Line)?
            }
            (Expected::Line | Expected::MoreLine, _) => self.keep_trailer(bytes, byte, Expected::MoreLine)?,
            _ => return Err(Cause::Garbage),
        };
        Ok(())
    }

    fn add_digit(&mut self, byte: u8) -> Result<(), Cause> {
        let digit = char::from(byte).to_digit(16).ok_or(Cause::Garbage)?;
        self.chunk = self.chunk.checked_mul(16).and_then(|size| size.checked_add(digit as usize)).ok_or(Cause::Garbage)?;
        Ok(())
    }

    fn keep_trailer(&mut self, bytes: &mut [u8], byte: u8, next: Expected) -> Result<Expected, Cause> {
        bytes[self.end + self.trailer_bytes] = byte;
        self.trailer_bytes += 1;
        let is_bounded = self.trailer_bytes < MAX_EXTRA_BYTES && self.trailers <= MAX_TRAILERS;
        is_bounded.then_some(next).ok_or(Cause::TooLarge)
    }

    /// Trailers mean nothing here, but a body that ends in no trailers is cut or garbled.
    fn check_trailers(&self, bytes: &[u8]) -> Result<(), Cause> {
        if self.trailers == 0 {
            return Ok(());
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let trailers = &bytes[self.end..self.end + self.trailer_bytes];
        match httparse::parse_headers(trailers, &mut headers[..self.trailers]) {
            Ok(Status::Complete(_)) => Ok(()),
            _ => Err(Cause::Garbage),
        }
    }
}
