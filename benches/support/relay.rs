//! What stands between a load and its endpoint in a bench: it sees every call, and may keep its reply back.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// A call is handed on, and its reply comes back as this makes it; or it is answered here, or its connection reset.
pub type Handled = Result<fn(Vec<u8>) -> Vec<u8>, Option<&'static [u8]>>;

/// Hands calls on as `handle` has it; gives its own address.
pub fn relay(upstream: &str, handle: impl Fn(&[u8]) -> Handled + Send + Sync + 'static) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (address, handle) = (upstream.trim_start_matches("http://").to_owned(), Arc::new(handle));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (address, handle) = (address.clone(), Arc::clone(&handle));
            // Who goes away ends it.
            thread::spawn(move || hand_on(&client, &address, &*handle));
        }
    });
    Ok(url)
}

fn hand_on(mut client: &TcpStream, address: &str, handle: &dyn Fn(&[u8]) -> Handled) -> io::Result<()> {
    let server = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asks, mut answers) = (BufReader::new(client.try_clone()?), BufReader::new(server.try_clone()?));
    loop {
        let request = message(&mut asks)?;
        match handle(&request) {
            Ok(change) => {
                (&server).write_all(&request)?;
                client.write_all(&change(message(&mut answers)?))?;
            }
            Err(Some(reply)) => client.write_all(reply)?,
            Err(None) => return Ok(set_socket_linger(client, Some(Duration::ZERO))?),
        }
    }
}

/// Whether it writes to pairs.
pub fn is_call(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.windows(15).any(|word| word == b"set_key_values?")
}

/// One message with a length.
fn message(from: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&bytes[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            let head = bytes.len();
            bytes.resize(head + length, 0);
            from.read_exact(&mut bytes[head..])?;
            return Ok(bytes);
        }
    }
}
