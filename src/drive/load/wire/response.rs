//! One response after another out of a buffer that is filled from outside. Never a socket.
//!
//! Framing is RFC 9112's: a body's length comes from the status, from chunks, from `Content-Length`, or from the end of the
//! connection, in this order.

use std::ops::Range;

use httparse::{EMPTY_HEADER, Status};

use super::Broken;
use crate::api::reply::MAX_BODY_BYTES;

/// Longest head that is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// Longest line of a chunk's size with its extensions, and of all trailers.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Room for a lawful reply of a few pairs; it grows where one is longer.
const FIRST_BYTES: usize = 8 * 1024;

/// A whole response; its body is in the reader's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Whether the connection can take another call.
    pub keep_alive: bool,
    body: Range<usize>,
    end: usize,
}

/// Reads responses.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    filled: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    Body { status: u16, keep_alive: bool, start: usize, framing: Framing },
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    /// Ends here.
    Length(usize),
    Chunked(Chunks),
    UntilClose,
}

/// Chunks are joined in place: `decoded` is where the body ends so far, `raw` where the bytes go on that are still framed.
#[derive(Clone, Copy, Debug)]
struct Chunks {
    decoded: usize,
    raw: usize,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Size,
    Data(usize),
    DataEnd,
    Trailers,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { buffer: vec![0; FIRST_BYTES], filled: 0, state: State::Head }
    }
}

impl Reader {
    /// Room for the next bytes, at least one.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// So many bytes of the room have been filled.
    pub fn fill(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The response, once it is whole.
    pub fn poll(&mut self) -> Result<Option<Response>, Broken> {
        while matches!(self.state, State::Head) {
            if !self.head()? {
                return Ok(None);
            }
        }
        self.body()
    }

    /// The response that the connection's end completes, if it does.
    pub fn end(&mut self) -> Result<Response, Broken> {
        match self.state {
            State::Body { status, start, framing: Framing::UntilClose, .. } => {
                Ok(Response { status, keep_alive: false, body: start..self.filled, end: self.filled })
            }
            State::Head if self.filled == 0 => Err(Broken::Closed),
            State::Head | State::Body { .. } => Err(Broken::Cut),
        }
    }

    pub fn bytes(&self, response: &Response) -> &[u8] {
        &self.buffer[response.body.clone()]
    }

    /// Forgets a response, so that the next can be read. Nothing may follow it: no call has been sent that could be answered.
    pub fn consume(&mut self, response: &Response) -> Result<(), Broken> {
        let follows = self.filled > response.end;
        (self.filled, self.state) = (0, State::Head);
        if follows { Err(Broken::Unasked) } else { Ok(()) }
    }

    /// Reads a head; `false` where it is not whole yet.
    fn head(&mut self) -> Result<bool, Broken> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let length = match parsed.parse(&self.buffer[..self.filled]) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if self.filled > MAX_HEAD_BYTES => return Err(Broken::TooLarge),
            Ok(Status::Partial) => return Ok(false),
            Err(httparse::Error::TooManyHeaders) => return Err(Broken::TooLarge),
            Err(_) => return Err(Broken::Garbage),
        };
        let status = parsed.code.unwrap_or_default();
        match status {
            // A switch of protocols was not asked for; every other interim response is passed over.
            101 => return Err(Broken::Garbage),
            100..200 => {
                self.buffer.copy_within(length..self.filled, 0);
                self.filled -= length;
                return Ok(self.filled > 0);
            }
            _ => {}
        }
        let (keep_alive, framing) = framing(&parsed, status, length)?;
        self.state = State::Body { status, keep_alive, start: length, framing };
        Ok(true)
    }

    fn body(&mut self) -> Result<Option<Response>, Broken> {
        let State::Body { status, keep_alive, start, framing } = &mut self.state else { return Ok(None) };
        let (status, keep_alive, start) = (*status, *keep_alive, *start);
        let whole = |body: Range<usize>, end| Ok(Some(Response { status, keep_alive, body, end }));
        match framing {
            Framing::Length(end) if *end <= self.filled => whole(start..*end, *end),
            Framing::Length(_) => Ok(None),
            Framing::Chunked(chunks) => {
                let done = chunks.join(&mut self.buffer, self.filled)?;
                let (decoded, raw) = (chunks.decoded, chunks.raw);
                if decoded - start > MAX_BODY_BYTES {
                    return Err(Broken::TooLarge);
                }
                if done { whole(start..decoded, raw) } else { Ok(None) }
            }
            Framing::UntilClose if self.filled - start > MAX_BODY_BYTES => Err(Broken::TooLarge),
            Framing::UntilClose => Ok(None),
        }
    }
}

/// What the head says of the body, and of the connection after it.
fn framing(head: &httparse::Response<'_, '_>, status: u16, start: usize) -> Result<(bool, Framing), Broken> {
    let mut keep_alive = head.version == Some(1);
    let (mut length, mut chunked, mut encoded) = (None, false, false);
    for header in head.headers.iter() {
        // By length first: nearly every header is none of these.
        match header.name.len() {
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for word in words(header.value) {
                    keep_alive = match word {
                        word if word.eq_ignore_ascii_case(b"close") => false,
                        word if word.eq_ignore_ascii_case(b"keep-alive") => true,
                        _ => keep_alive,
                    };
                }
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let value = digits(header.value).ok_or(Broken::Garbage)?;
                if length.replace(value).is_some_and(|before| before != value) {
                    return Err(Broken::Garbage);
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                encoded = true;
                chunked = words(header.value).last().is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }
    let framing = match length {
        _ if status == 204 || status == 304 => Framing::Length(start),
        _ if chunked => Framing::Chunked(Chunks { decoded: start, raw: start, at: At::Size }),
        _ if encoded => Framing::UntilClose,
        Some(length) if length > MAX_BODY_BYTES => return Err(Broken::TooLarge),
        Some(length) => Framing::Length(start + length),
        None => Framing::UntilClose,
    };
    Ok((keep_alive && !matches!(framing, Framing::UntilClose), framing))
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn digits(value: &[u8]) -> Option<usize> {
    let value = value.trim_ascii();
    let plain = !value.is_empty() && value.len() < 19 && value.iter().all(u8::is_ascii_digit);
    plain.then(|| value.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

impl Chunks {
    /// Joins what has come; `true` once the last chunk and its trailers are there.
    fn join(&mut self, buffer: &mut [u8], filled: usize) -> Result<bool, Broken> {
        loop {
            match self.at {
                At::Size => {
                    let Some(line) = self.line(buffer, filled)? else { return Ok(false) };
                    let size = size(&buffer[line])?;
                    self.at = if size == 0 { At::Trailers } else { At::Data(size) };
                }
                At::Data(left) => {
                    let here = left.min(filled - self.raw);
                    buffer.copy_within(self.raw..self.raw + here, self.decoded);
                    self.decoded += here;
                    self.raw += here;
                    if here < left {
                        self.at = At::Data(left - here);
                        return Ok(false);
                    }
                    self.at = At::DataEnd;
                }
                At::DataEnd => match &buffer[self.raw..filled] {
                    [b'\r', b'\n', ..] => {
                        self.raw += 2;
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok(false),
                    _ => return Err(Broken::Garbage),
                },
                At::Trailers => {
                    let Some(line) = self.line(buffer, filled)? else { return Ok(false) };
                    if line.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// The next line without its end, once it is there.
    fn line(&mut self, buffer: &[u8], filled: usize) -> Result<Option<Range<usize>>, Broken> {
        let rest = &buffer[self.raw..filled];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return if rest.len() > MAX_LINE_BYTES { Err(Broken::TooLarge) } else { Ok(None) };
        };
        if length == 0 || rest[length - 1] != b'\r' {
            return Err(Broken::Garbage);
        }
        let line = self.raw..self.raw + length - 1;
        self.raw += length + 1;
        Ok(Some(line))
    }
}

fn size(line: &[u8]) -> Result<usize, Broken> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > 15 {
        return Err(Broken::Garbage);
    }
    digits.iter().try_fold(0, |size, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Broken::Garbage)?;
        Ok(size * 16 + digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of bytes that arrive in pieces of `piece`, and then the end of the connection.
    fn read(bytes: &[u8], piece: usize) -> Result<(u16, Vec<u8>, bool), Broken> {
        let mut reader = Reader::default();
        for part in bytes.chunks(piece) {
            let mut part = part;
            while !part.is_empty() {
                let spare = reader.spare();
                let count = spare.len().min(part.len());
                spare[..count].copy_from_slice(&part[..count]);
                reader.fill(count);
                part = &part[count..];
            }
            if let Some(response) = reader.poll()? {
                let body = reader.bytes(&response).to_vec();
                return reader.consume(&response).map(|()| (response.status, body, response.keep_alive));
            }
        }
        let response = reader.end()?;
        Ok((response.status, reader.bytes(&response).to_vec(), response.keep_alive))
    }

    #[test]
    fn bodies_end_where_their_framing_says_however_they_are_cut_up() {
        let cases: &[(&str, &str, bool)] = &[
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: close\r\n\r\nabc", "abc", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\n\r\nabc", "abc", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: r\r\n\r\n", "abc", true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "a", true),
            ("HTTP/1.1 200 OK\r\n\r\nabc", "abc", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ];
        for (bytes, body, keep_alive) in cases {
            for piece in 1..=bytes.len() {
                let (_, read, alive) = read(bytes.as_bytes(), piece).unwrap_or_else(|error| panic!("{bytes:?} {piece}: {error}"));
                assert_eq!((String::from_utf8_lossy(&read).as_ref(), alive), (*body, *keep_alive), "{bytes:?} in {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_response_is_told_from_what_ends_too_soon() {
        let huge = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_BODY_BYTES + 1);
        let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
        let cases: &[(&str, Broken)] = &[
            ("", Broken::Closed),
            ("HTTP/1.1 200 OK\r\nContent-", Broken::Cut),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Broken::Cut),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", Broken::Cut),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Broken::Garbage),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", Broken::Garbage),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", Broken::Garbage),
            ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", Broken::Garbage),
            ("SSH-2.0-OpenSSH\r\n\r\n", Broken::Garbage),
            (&huge, Broken::TooLarge),
            (&head, Broken::TooLarge),
        ];
        for (bytes, broken) in cases {
            assert_eq!(read(bytes.as_bytes(), 4096), Err(broken.clone()), "{:?}", &bytes[..bytes.len().min(80)]);
        }
        let unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc";
        assert_eq!(read(unasked, 4096), Err(Broken::Unasked));
    }
}
