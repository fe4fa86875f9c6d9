//! The binary as a child process, and sockets to point it at: whatever a test starts ends with the test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Nothing here takes so long by far: what does hangs.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);
/// What `serve` takes where it is given no key.
pub(crate) const KEY: &str = "msgext-development-key";
/// A member's first set gives Seq 1; this file says 7.
pub(crate) const WRONG: &str = "scenarios:
  - id: first-seq-is-seven
    title: The first set of a key gives Seq 7
    clauses: [SET-1]
    steps:
      - set: {as: sender, kvs: [{key: k1, value: v}], expect: {keys: {k1: {seq: 7}}}}
";
/// Variables of the caller's that would change what the binary says.
const VARIABLES: [&str; 6] =
    ["MSGEXT_SECRET_KEY", "CLICOLOR_FORCE", "FORCE_COLOR", "HTTP_PROXY", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"];

// ------------------------------------------------------------------------------------------------------------- runs

/// A run of the binary at its end, with the folder in which it ran.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) folder: TempDir,
}

/// Runs the binary in an empty folder.
pub(crate) fn msgext<S: AsRef<str>>(key: Option<&str>, args: &[S]) -> Ran {
    msgext_in(tempfile::tempdir().expect("a folder"), key, args)
}

/// Runs the binary in this folder, with this secret key in its environment.
pub(crate) fn msgext_in<S: AsRef<str>>(folder: TempDir, key: Option<&str>, args: &[S]) -> Ran {
    let mut command = assert_cmd::Command::from_std(command());
    command.envs(key.map(|key| ("MSGEXT_SECRET_KEY", key)));
    command.args(args.iter().map(AsRef::as_ref)).current_dir(&folder).timeout(DEADLINE);
    let output = command.output().expect("the binary can be run");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert!(!stderr.contains("panicked"), "{stderr}");
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("ended by a signal, or at the deadline: {:?}\n{stderr}", output.status));
    Ran { code, stdout, stderr, folder }
}

impl Ran {
    /// The JSON report that the run left behind.
    pub(crate) fn report(&self) -> Value {
        report_in(self.folder.path())
    }

    /// Asserts the exit code, and shows what was said where it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

pub(crate) fn report_in(folder: &Path) -> Value {
    report_of(folder, "run")
}

/// The JSON report that a command left in this folder.
pub(crate) fn report_of(folder: &Path, command: &str) -> Value {
    let path = folder.join("reports").join(command).join("report.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the report is JSON")
}

/// The scenarios of a report: each id with its verdict.
pub(crate) fn verdicts(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let scenarios = report["scenarios"].as_array().expect("scenarios");
    scenarios.iter().map(|scenario| (text(&scenario["id"]), text(&scenario["verdict"]))).collect()
}

// ------------------------------------------------------------------------------------------------------ a live endpoint

const BINARY: &str = env!("CARGO_BIN_EXE_msgext");

/// The binary with nothing of the caller's environment that changes what it says.
pub(crate) fn command() -> Command {
    without_variables(Command::new(BINARY))
}

/// The same, ended by signals from its first moment on: tests in the background, or under `nohup`, run with signals ignored that
/// a child would go on ignoring.
pub(crate) fn interruptible() -> Command {
    let mut command = without_variables(Command::new("env"));
    command.args(["--default-signal", BINARY]);
    command
}

/// Takes out of a command's environment what changes what the binary says.
pub(crate) fn without_variables(mut command: Command) -> Command {
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Ends a child that a test has started, where it has not ended by itself.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A running `msgext serve`.
pub(crate) struct Serve {
    pub(crate) child: Child,
    /// The line that it prints for programs.
    pub(crate) facts: Value,
}

impl Serve {
    /// With the development key.
    pub(crate) fn start(args: &[&str]) -> Serve {
        Serve::start_with_key(KEY, args)
    }

    pub(crate) fn start_with_key(key: &str, args: &[&str]) -> Serve {
        let mut command = command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).env("MSGEXT_SECRET_KEY", key);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary can be run");
        // From here on it ends with its guard, whatever becomes of its line.
        let mut serve = Serve { child, facts: Value::Null };
        let mut lines = BufReader::new(serve.child.stdout.take().expect("a pipe"));
        let (send, receive) = channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = lines.read_line(&mut line).map(|_| line);
            // Nobody listens any more where the deadline has passed.
            let _ = send.send(read);
        });
        let line = receive.recv_timeout(DEADLINE).expect("serve says where it is").expect("a line");
        serve.facts = serde_json::from_str(&line).unwrap_or_else(|error| panic!("serve {args:?} said {line:?}: {error}"));
        serve
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("a fact that is a string")
    }

    pub(crate) fn url(&self) -> &str {
        self.fact("url")
    }

    /// The arguments of a run against it.
    pub(crate) fn run<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        run_at(self.url(), more)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A run that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Running {
        let mut command = interruptible();
        command.args(args).current_dir(folder).env("MSGEXT_SECRET_KEY", KEY);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary can be run"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Sends a signal: `-INT` is Ctrl-C.
pub(crate) fn signal(name: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().expect("kill can be run").success());
}

/// Sends a signal and gives the exit code; `None` where the signal itself ended the child.
pub(crate) fn ended_by(name: &str, child: &mut Child) -> Option<i32> {
    signal(name, child);
    let mut status = None;
    until("the child has ended", || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    status.and_then(|status| status.code())
}

/// Waits for a condition, and panics when it does not come about.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The arguments of a run against an endpoint with the app of `serve`.
pub(crate) fn run_at<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    test_at("run", url, more)
}

/// The arguments of a command against an endpoint with the app of `serve`.
pub(crate) fn test_at<'a>(command: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let target = [command, "--target", url, "--sdkappid", "1400000000", "--admin", "administrator"];
    target.into_iter().chain(more.iter().copied()).collect()
}

// ------------------------------------------------------------------------------------------------------------ sockets

/// A listener that hands each connection to a function.
pub(crate) struct Listener {
    pub(crate) url: String,
}

impl Listener {
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serve = Arc::new(serve);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Listener { url }
    }
}

/// A URL at which nobody listens.
pub(crate) fn gone() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// An endpoint that takes connections, counts them, and says nothing.
pub(crate) struct Silent {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
}

impl Silent {
    pub(crate) fn start() -> Silent {
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let Listener { url } = Listener::start(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            // Ends when the client goes away.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        Silent { url, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Goes between a run and an endpoint, and counts the set calls.
pub(crate) struct Relay {
    pub(crate) url: String,
    calls: Arc<AtomicUsize>,
}

impl Relay {
    /// Closes the connection in place of handing on a set call whose number, from 1, `cuts`.
    pub(crate) fn start(upstream: &str, cuts: impl Fn(usize) -> bool + Send + Sync + 'static) -> Relay {
        Relay::between(
            upstream,
            move |request, set_call, server| {
                if set_call.is_some_and(&cuts) { None } else { hand_on(request, server).ok() }
            },
        )
    }

    /// Hands every call on, and gives back what `change` makes of its reply; with `None` the connection is closed instead.
    pub(crate) fn changing(upstream: &str, change: impl Fn(&[u8], Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static) -> Relay {
        Relay::between(upstream, move |request, _, server| change(request, hand_on(request, server).ok()?))
    }

    /// Gives each call to `answer`, a set with its number, and its answer back; with `None` the connection is closed instead.
    fn between(
        upstream: &str,
        answer: impl Fn(&[u8], Option<usize>, &mut TcpStream) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Relay {
        let upstream = upstream.strip_prefix("http://").expect("a URL").to_owned();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let listener = Listener::start(move |mut client| {
            let mut server = TcpStream::connect(&upstream).expect("the endpoint is there");
            while let Ok(request) = read_http(&mut client) {
                let set_call = is_set(&request).then(|| counted.fetch_add(1, Ordering::SeqCst) + 1);
                let Some(answer) = answer(&request, set_call, &mut server) else { return };
                if client.write_all(&answer).is_err() {
                    return;
                }
            }
        });
        Relay { url: listener.url, calls }
    }

    /// Set calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// What the endpoint says to a request.
pub(crate) fn hand_on(request: &[u8], server: &mut TcpStream) -> io::Result<Vec<u8>> {
    server.write_all(request)?;
    read_http(server)
}

/// Whether a request is a call of `set_key_values`.
pub(crate) fn is_set(request: &[u8]) -> bool {
    request.starts_with(b"POST /v4/openim_msg_ext_http_svc/set_key_values?")
}

/// Whether a request is a call of `get_key_values`.
pub(crate) fn is_get(request: &[u8]) -> bool {
    request.starts_with(b"POST /v4/openim_msg_ext_http_svc/get_key_values?")
}

/// A reply with this body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The body of an HTTP message.
pub(crate) fn body_of(message: &[u8]) -> &str {
    let text = std::str::from_utf8(message).expect("UTF-8");
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// One HTTP message with the body that its `Content-Length` announces, as it came.
pub(crate) fn read_http(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut byte = [0];
    while !message.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        message.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&message).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(Ok(0), |value| value.trim().parse());
    let start = message.len();
    message.resize(start + length.map_err(io::Error::other)?, 0);
    stream.read_exact(&mut message[start..])?;
    Ok(message)
}
