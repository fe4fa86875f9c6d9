//! `msgext serve` for a bench, until its value goes.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub const MSGEXT: &str = env!("CARGO_BIN_EXE_msgext");
/// The variable that holds the secret key, and the development key.
pub const KEY: (&str, &str) = ("MSGEXT_SECRET_KEY", "msgext-development-key");

/// A process that ends with its value.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on a port of the system's choice; gives its URL.
pub fn serve(args: &[&str]) -> io::Result<(Running, String)> {
    let mut command = Command::new(MSGEXT);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let told: Value = serde_json::from_str(&line)?;
    Ok((running, told["url"].as_str().ok_or_else(|| io::Error::other("no address"))?.to_owned()))
}
