//! One response at a time, read piece by piece into a buffer that is used again.

use super::Cause;
use super::chunked::{Chunked, Decoded};
use super::head::{self, Framing, Head};
use crate::api::reply::MAX_BODY_BYTES;

/// A buffer's first size: a lawful reply fits in.
const FIRST_BYTES: usize = 16 << 10;
/// Least room that is offered while nobody knows how much will come.
const LEAST_SPACE: usize = 4 << 10;
/// A buffer that had to grow beyond this is given back.
const MOST_KEPT: usize = 128 << 10;

/// Reads responses: bytes go into [`Reader::space`], and [`Reader::received`] tells how many. Between two responses stands
/// [`Reader::next`].
#[derive(Debug)]
pub struct Reader {
    /// Every byte may be written to; those before `filled` are this response's.
    buffer: Vec<u8>,
    filled: usize,
    head: Option<Head>,
    chunked: Chunked,
    body_end: usize,
    /// Bytes came after the response, which nobody asked for.
    overrun: bool,
    /// The head of the response before, as it came and as it was read: a server mostly repeats itself.
    last_head: Vec<u8>,
    last_read: Option<Head>,
}

/// A whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpResponse<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// The content coding that the body is in, if it is in any.
    pub coding: Option<&'a str>,
    /// Whether the connection can carry another call.
    pub keep_alive: bool,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader {
            buffer: vec![0; FIRST_BYTES],
            filled: 0,
            head: None,
            chunked: Chunked::at(0),
            body_end: 0,
            overrun: false,
            last_head: Vec::new(),
            last_read: None,
        }
    }
}

impl Reader {
    /// Room for what comes next; never empty before the response is whole.
    pub fn space(&mut self) -> &mut [u8] {
        let wanted = match self.head {
            Some(Head { length, framing: Framing::Length(body), .. }) => length + body,
            _ => self.filled + LEAST_SPACE,
        };
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted.next_power_of_two(), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// So many bytes came into the space. `None` while more have to come.
    pub fn received(&mut self, count: usize) -> Result<Option<HttpResponse<'_>>, Cause> {
        Ok(self.take_in(count)?.then(|| self.whole()))
    }

    /// The connection ended in order: the end of some responses.
    pub fn ended(&mut self) -> Result<HttpResponse<'_>, Cause> {
        self.close()?;
        Ok(self.whole())
    }

    /// Forgets the response.
    pub fn next(&mut self) {
        self.filled = 0;
        self.head = None;
        self.overrun = false;
        if self.buffer.len() > MOST_KEPT {
            self.buffer.truncate(FIRST_BYTES);
            self.buffer.shrink_to_fit();
        }
    }

    /// What is lost when the connection ends here.
    pub fn cut_off(&self) -> Cause {
        if self.filled == 0 { Cause::ClosedBeforeReply } else { Cause::ClosedInsideReply }
    }

    /// As [`Reader::received`], for those who cannot hold the response yet.
    pub(super) fn take_in(&mut self, count: usize) -> Result<bool, Cause> {
        let from = self.filled;
        self.filled += count;
        match self.head {
            Some(head) => self.read_body(head, from),
            None => self.read_head(),
        }
    }

    pub(super) fn close(&mut self) -> Result<(), Cause> {
        match self.head {
            Some(Head { framing: Framing::UntilClose, .. }) => {
                self.body_end = self.filled;
                Ok(())
            }
            _ => Err(self.cut_off()),
        }
    }

    /// The response, once it is whole.
    pub(super) fn whole(&self) -> HttpResponse<'_> {
        let Some(head) = self.head else { return HttpResponse { status: 0, body: &[], coding: None, keep_alive: false } };
        HttpResponse {
            status: head.status,
            body: &self.buffer[head.length..self.body_end],
            coding: head.coding.map(|(start, end)| str::from_utf8(&self.buffer[start..end]).unwrap_or("an unknown coding")),
            keep_alive: head.keep_alive && !self.overrun,
        }
    }

    fn read_head(&mut self) -> Result<bool, Cause> {
        while let Some(head) = self.find_head()? {
            if !head.is_interim() {
                self.head = Some(head);
                self.chunked = Chunked::at(head.length);
                return self.read_body(head, head.length);
            }
            self.buffer.copy_within(head.length..self.filled, 0);
            self.filled -= head.length;
        }
        Ok(false)
    }

    fn find_head(&mut self) -> Result<Option<Head>, Cause> {
        let bytes = &self.buffer[..self.filled];
        if self.last_read.is_some() && bytes.starts_with(&self.last_head) {
            return Ok(self.last_read);
        }
        let head = head::parse(bytes)?;
        if let Some(head) = head {
            self.last_head.clear();
            self.last_head.extend_from_slice(&bytes[..head.length]);
            self.last_read = Some(head);
        }
        Ok(head)
    }

    fn read_body(&mut self, head: Head, from: usize) -> Result<bool, Cause> {
        match head.framing {
            Framing::Length(length) => {
                self.body_end = head.length + length;
                self.overrun = self.filled > self.body_end;
                Ok(self.filled >= self.body_end)
            }
            Framing::Chunked => match self.chunked.decode(&mut self.buffer[..self.filled], from)? {
                Decoded::Partly { filled } => {
                    self.filled = filled;
                    Ok(false)
                }
                Decoded::Wholly { beyond } => {
                    self.body_end = self.chunked.end;
                    self.overrun = beyond > 0;
                    Ok(true)
                }
            },
            Framing::UntilClose if self.filled - head.length > MAX_BODY_BYTES => Err(Cause::TooLarge),
            Framing::UntilClose => Ok(false),
        }
    }
}
