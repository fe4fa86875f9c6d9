//! hyper's client on bytes that are given to it, without a socket, a runtime or a clock.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::Builder;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::response::{Ending, Verdict};

/// hyper limits a head by its buffer: as large as ours.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// So often hyper may be asked without reading on, before it counts as waiting: it yields now and then.
const PATIENCE: usize = 40;

/// What comes from a target once a request is out.
struct Script {
    chunks: VecDeque<Vec<u8>>,
    ending: Ending,
    asked: bool,
    reads: Rc<Cell<usize>>,
}

pub(crate) fn reads(chunks: &[&[u8]], ending: Ending) -> Verdict {
    let reads = Rc::new(Cell::new(0));
    let chunks = chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| chunk.to_vec()).collect();
    let script = Script { chunks, ending, asked: false, reads: Rc::clone(&reads) };
    let mut context = Context::from_waker(Waker::noop());
    let handshake = pin!(Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake::<_, Empty<Bytes>>(script));
    let Poll::Ready(Ok((mut sender, connection))) = handshake.poll(&mut context) else { panic!("hyper begins at once") };
    let mut connection = pin!(connection);
    let request = hyper::Request::post("/").body(Empty::new()).expect("a request");
    let response = sender.send_request(request);
    let mut call = pin!(async {
        let (head, body) = response.await?.into_parts();
        Ok::<_, hyper::Error>((head.status.as_u16(), body.collect().await?.to_bytes().to_vec()))
    });
    let mut connected = true;
    let mut asked_in_vain = 0;
    while asked_in_vain < PATIENCE {
        let before = reads.get();
        connected = connected && connection.as_mut().poll(&mut context).is_pending();
        match call.as_mut().poll(&mut context) {
            Poll::Ready(Err(_)) => return Verdict::Broken,
            Poll::Ready(Ok((status, body))) => {
                let mut keep_alive = false;
                for _ in 0..PATIENCE {
                    connected = connected && connection.as_mut().poll(&mut context).is_pending();
                    keep_alive = matches!(sender.poll_ready(&mut context), Poll::Ready(Ok(())));
                }
                return Verdict::Whole { status, body, keep_alive: connected && keep_alive };
            }
            Poll::Pending => {}
        }
        asked_in_vain = if reads.get() == before { asked_in_vain + 1 } else { 0 };
    }
    Verdict::Waiting
}

impl Read for Script {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, mut space: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let script = self.get_mut();
        if !script.asked {
            return Poll::Pending;
        }
        let Some(chunk) = script.chunks.front_mut() else {
            return if script.ending == Ending::Closed { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let length = chunk.len().min(space.remaining());
        space.put_slice(&chunk[..length]);
        chunk.drain(..length);
        if chunk.is_empty() {
            script.chunks.pop_front();
        }
        script.reads.set(script.reads.get() + 1);
        Poll::Ready(Ok(()))
    }
}

impl Write for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
