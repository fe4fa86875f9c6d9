//! The reader of responses, against hyper's.

use msgext::api::reply::MAX_BODY_BYTES;
use msgext::drive::load::wire::{Cause, HttpResponse, Reader};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::hyper_client;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Whole {
        status: u16,
        body: Vec<u8>,
        keep_alive: bool,
    },
    /// More has to come.
    Waiting,
    Broken,
}

/// What follows the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Open,
    Closed,
}

/// Each is read by hyper in the same way, whole and split, open and closed.
const RESPONSES: &[&str] = &[
    // Bodies of a known length.
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 404\r\nCONTENT-LENGTH:  1 \t\r\n\r\nx",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 999 \r\nContent-Length: 0002\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    // Lengths that are none.
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "HTTP/1.1 200 OK\r\nContent-Length: 3, 2\r\n\r\nok!",
    "HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
    // Chunks.
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n00A\r\n, world!!!\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0;last\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \t\r\nok\r\n0\r\nExpires: never\r\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    // Chunks that are none.
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nb\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nno trailer\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\rZ\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\nZ: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\rX",
    // Bodies that the connection's end ends.
    "HTTP/1.1 200 OK\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: 2\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello",
    // Bodies that there are none of.
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    // Interim responses.
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 103 Early Hints\r\nConnection: close\r\nLink: x\r\n\r\nHTTP/1.1 199 x\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nhello",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    // Whether the connection outlives the response.
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nConnection: keep-alive , CLOSE\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    // More than was asked for.
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nX",
    // Heads that are none, or not whole.
    "",
    "\r\n",
    "hello",
    "HTTP",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r",
    "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nno header\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
    "<html>502 Bad Gateway</html>",
];

fn whole(response: HttpResponse<'_>) -> Verdict {
    Verdict::Whole { status: response.status, body: response.body.to_vec(), keep_alive: response.keep_alive }
}

/// The verdict on one response, which may come after another.
fn read_with(reader: &mut Reader, chunks: &[&[u8]], ending: Ending) -> Result<Verdict, Cause> {
    reader.next();
    for (index, mut chunk) in chunks.iter().copied().enumerate() {
        while !chunk.is_empty() {
            let space = reader.space();
            let length = chunk.len().min(space.len());
            space[..length].copy_from_slice(&chunk[..length]);
            chunk = &chunk[length..];
            if let Some(mut response) = reader.received(length)? {
                // What comes unasked later ends the connection, not the response.
                response.keep_alive &= index + 1 == chunks.len() && chunk.is_empty();
                return Ok(whole(response));
            }
        }
    }
    if ending == Ending::Open { Ok(Verdict::Waiting) } else { reader.ended().map(whole) }
}

fn reads(chunks: &[&[u8]], ending: Ending) -> Verdict {
    read_with(&mut Reader::default(), chunks, ending).unwrap_or(Verdict::Broken)
}

fn cause(response: &[u8], ending: Ending) -> Option<Cause> {
    read_with(&mut Reader::default(), &[response], ending).err()
}

/// On a connection that is closed after the response, only status and body can be compared.
fn comparable(verdict: Verdict, ending: Ending) -> Verdict {
    match verdict {
        Verdict::Whole { status, body, .. } if ending == Ending::Closed => Verdict::Whole { status, body, keep_alive: false },
        verdict => verdict,
    }
}

fn assert_as_hyper(chunks: &[&[u8]], ending: Ending) {
    let (ours, hypers) = (reads(chunks, ending), hyper_client::reads(chunks, ending));
    let response = String::from_utf8_lossy(&chunks.concat()).into_owned();
    assert_eq!(comparable(ours, ending), comparable(hypers, ending), "{response:?} in {} pieces, {ending:?}", chunks.len());
}

fn bytes_of(response: &[u8]) -> Vec<&[u8]> {
    response.chunks(1).collect()
}

#[test]
fn a_response_in_one_piece_is_what_hyper_says_it_is() {
    for response in RESPONSES {
        assert_as_hyper(&[response.as_bytes()], Ending::Open);
        assert_as_hyper(&[response.as_bytes()], Ending::Closed);
    }
}

/// Left open, hyper looks at a head that is garbled only once it is whole; we say so as soon as it is seen.
#[test]
fn a_response_byte_by_byte_is_what_hyper_says_it_is() {
    for response in RESPONSES {
        assert_as_hyper(&bytes_of(response.as_bytes()), Ending::Closed);
    }
}

#[test]
fn where_a_response_is_split_changes_nothing() {
    for response in RESPONSES {
        for ending in [Ending::Open, Ending::Closed] {
            let expected = reads(&[response.as_bytes()], ending);
            assert_eq!(reads(&bytes_of(response.as_bytes()), ending), expected, "{response:?}");
            for at in 0..response.len() {
                let (start, end) = response.as_bytes().split_at(at);
                assert_eq!(reads(&[start, end], ending), expected, "{response:?} split at {at}");
            }
        }
    }
}

#[test]
fn a_coding_is_the_responses_own_however_often_the_reader_is_used() {
    const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok";
    const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nContent-Encoding: br\r\n\r\n";
    const CODED: &str = "HTTP/1.1 200 OK\r\nX: y\r\nCONTENT-ENCODING:\t gzip \r\nContent-Length: 2\r\n\r\nok";
    let mut reader = Reader::default();
    for (response, coding) in [
        (PLAIN.to_owned(), None),
        (CODED.to_owned(), Some("gzip")),
        (CODED.to_owned(), Some("gzip")),
        ([EARLY, PLAIN].concat(), None),
        ([EARLY, CODED].concat(), Some("gzip")),
    ] {
        reader.next();
        reader.space()[..response.len()].copy_from_slice(response.as_bytes());
        assert_eq!(reader.received(response.len()).unwrap().unwrap().coding, coding, "{response}");
    }
}

#[test]
fn a_reader_used_again_forgets_the_response_before() {
    for first in RESPONSES {
        for second in RESPONSES {
            let mut reader = Reader::default();
            let _ = read_with(&mut reader, &[first.as_bytes()], Ending::Open);
            let verdict = read_with(&mut reader, &[second.as_bytes()], Ending::Closed).unwrap_or(Verdict::Broken);
            assert_eq!(verdict, reads(&[second.as_bytes()], Ending::Closed), "{second:?} after {first:?}");
        }
    }
}

#[test]
fn heads_and_trailers_up_to_their_bounds_are_read_as_by_hyper() {
    let length = |headers: String| format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{headers}\r\nok");
    let trailers =
        |trailers: String| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{trailers}\r\n");
    let extension =
        |bytes| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;{}\r\nok\r\n0\r\n\r\n", "e".repeat(bytes));
    for (lawful, unlawful) in [
        (length("X: y\r\n".repeat(99)), length("X: y\r\n".repeat(100))),
        (length(format!("X: {}\r\n", "y".repeat(60_000))), length(format!("X: {}\r\n", "y".repeat(70_000)))),
        (trailers("X: y\r\n".repeat(100)), trailers("X: y\r\n".repeat(101))),
        (trailers(format!("X: {}\r\n", "y".repeat(16_000))), trailers(format!("X: {}\r\n", "y".repeat(17_000)))),
        (extension(16_000), extension(17_000)),
    ] {
        assert!(matches!(reads(&[lawful.as_bytes()], Ending::Open), Verdict::Whole { status: 200, .. }));
        assert_eq!(reads(&[unlawful.as_bytes()], Ending::Open), Verdict::Broken);
        for response in [lawful, unlawful] {
            let pieces: Vec<&[u8]> = response.as_bytes().chunks(1000).collect();
            assert_as_hyper(&pieces, Ending::Open);
        }
    }
}

/// The deliberate difference: hyper reads a body however long; we would not keep it, and say so as soon as that is known.
#[test]
fn a_body_is_read_up_to_its_bound_and_not_beyond() {
    let length = |bytes| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "b".repeat(bytes));
    let chunked = |bytes| {
        let chunks = format!("{:x}\r\n{}\r\n1\r\nb\r\n0\r\n\r\n", bytes - 1, "b".repeat(bytes - 1));
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
    };
    let until_close = |bytes| format!("HTTP/1.1 200 OK\r\n\r\n{}", "b".repeat(bytes));
    for response in [length(MAX_BODY_BYTES), chunked(MAX_BODY_BYTES), until_close(MAX_BODY_BYTES)] {
        assert_as_hyper(&[response.as_bytes()], Ending::Closed);
    }
    for response in [length(MAX_BODY_BYTES + 1), chunked(MAX_BODY_BYTES + 1), until_close(MAX_BODY_BYTES + 1)] {
        assert_eq!(cause(response.as_bytes(), Ending::Closed), Some(Cause::TooLarge));
        assert!(matches!(hyper_client::reads(&[response.as_bytes()], Ending::Closed), Verdict::Whole { .. }));
    }
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n";
    assert_eq!(cause(announced, Ending::Open), Some(Cause::TooLarge));
    assert_eq!(hyper_client::reads(&[announced], Ending::Open), Verdict::Waiting);
}

#[test]
fn a_loss_has_the_cause_that_it_has() {
    for (response, ending, expected) in [
        ("", Ending::Closed, Cause::ClosedBeforeReply),
        ("HTTP/1.1 100 Continue\r\n\r\n", Ending::Closed, Cause::ClosedBeforeReply),
        ("HTTP/1.1 200 OK\r\n", Ending::Closed, Cause::ClosedInsideReply),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Ending::Closed, Cause::ClosedInsideReply),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Ending::Closed, Cause::ClosedInsideReply),
        ("hello", Ending::Open, Cause::Garbage),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello", Ending::Open, Cause::Garbage),
    ] {
        assert_eq!(cause(response.as_bytes(), ending), Some(expected), "{response:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_damaged_response_is_what_hyper_says_it_is(
        response in select(RESPONSES),
        damages in prop::collection::vec((any::<Index>(), 0..3_usize, "[\r\n\t ;:,0-9a-f\u{0}\u{80}HXc]{0,3}"), 1..4),
    ) {
        let mut bytes = response.as_bytes().to_vec();
        for (place, cut, shard) in damages {
            let start = place.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, shard.bytes());
        }
        assert_as_hyper(&[&bytes], Ending::Closed);
        assert_as_hyper(&bytes_of(&bytes), Ending::Closed);
        if cause(&bytes, Ending::Open) != Some(Cause::TooLarge) {
            assert_as_hyper(&[&bytes], Ending::Open);
        }
    }
}
