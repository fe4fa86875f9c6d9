//! The least that can be done to send requests in time: one thread that sleeps, then spins, then writes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::clients::{Job, request};
use super::machine::{now, pin};

/// A sleep may end so much too late.
const SPIN: Duration = Duration::from_micros(120);

/// Sends on this core what the job asks for.
pub(crate) fn send(job: Job, core: usize) -> io::Result<()> {
    let sending = thread::spawn(move || {
        pin(core)?;
        send_all(&job)
    });
    sending.join().map_err(|_| io::Error::other("the bare loop panicked"))?
}

fn send_all(job: &Job) -> io::Result<()> {
    let Some(rate) = job.rate else { return Err(io::Error::other("a loop that keeps time needs a rate")) };
    let request = bytes(job);
    let connect = |_| {
        let stream = TcpStream::connect(job.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let mut streams = (0..job.connections).map(connect).collect::<io::Result<Vec<TcpStream>>>()?;
    let count = streams.len();
    let start = now() + Duration::from_millis(100);
    let mut reply = [0; 4096];
    let calls = usize::try_from(rate * job.seconds).map_err(io::Error::other)?;
    for (call, due) in (0..calls).zip(0..).map(|(call, index)| (call, start + Duration::from_nanos(index * 1_000_000_000 / rate)))
    {
        let stream = &mut streams[call % count];
        // The reply to the call before this one on the same connection; it has been there for long.
        if call >= count && stream.read(&mut reply)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        thread::sleep(due.saturating_sub(now() + SPIN));
        while now() < due {
            std::hint::spin_loop();
        }
        stream.write_all(&request)?;
    }
    // The last replies, so that nothing is cut off.
    streams.iter_mut().take(calls).try_for_each(|stream| stream.read(&mut reply).map(drop))
}

fn bytes(job: &Job) -> Vec<u8> {
    let request = request(job.address);
    let mut lines = vec![format!("{} {} HTTP/1.1", request.method, request.target())];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(format!("Content-Length: {}\r\n\r\n", request.body.len()));
    [lines.join("\r\n").into_bytes(), request.body].concat()
}
