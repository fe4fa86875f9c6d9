//! The clients that are compared, each told in its own way to do the same job.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use msgext::api::usersig::{Claims, sign};
use msgext::api::{Call, HttpRequest, Kv, Operation, call, http};
use serde_json::Value;

const SDKAPPID: u64 = 1_400_000_000;
const ADMIN: &str = "administrator";
const KEY: &str = "a key that protects nothing";
/// What clients write that always write the same.
const VALUE: &str = "a value of 32 bytes, as one is..";

/// What a client is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) address: SocketAddr,
    pub(crate) connections: u32,
    pub(crate) seconds: u64,
    /// Requests a second; `None` is as fast as the replies come.
    pub(crate) rate: Option<u64>,
    /// Over TLS, with this authority's certificate.
    pub(crate) ca: Option<PathBuf>,
}

impl Job {
    /// Where a server at localhost is reached that way.
    fn base(&self) -> String {
        match self.ca {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }
}

/// A client that is there.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    program: PathBuf,
    command: Tell,
}

/// How a client is told: `None` where it cannot do the job. Files that it needs go to the folder.
type Tell = fn(&Path, &Job, &Path) -> io::Result<Option<Command>>;

/// The order of the clients' turns in a round: each has as often come early as late.
pub(crate) fn order(round: usize, clients: usize) -> impl Iterator<Item = usize> {
    (0..clients).map(move |place| if round.is_multiple_of(2) { place } else { clients - 1 - place })
}

/// A client that may be there.
struct Known {
    name: &'static str,
    program: &'static str,
    /// A variable that says where it is, where `PATH` does not.
    variable: &'static str,
    how_to_get: &'static str,
    command: Tell,
}

const PEERS: [Known; 5] = [
    Known {
        name: "an earlier one",
        program: "msgext-earlier",
        variable: "MSGEXT_EARLIER",
        how_to_get: "cargo build --release of another commit",
        command: msgext_load,
    },
    Known { name: "wrk", program: "wrk", variable: "MSGEXT_WRK", how_to_get: "Debian's package wrk", command: wrk },
    Known { name: "oha", program: "oha", variable: "MSGEXT_OHA", how_to_get: "cargo install oha --locked", command: oha },
    Known { name: "k6, checked", program: "k6", variable: "MSGEXT_K6", how_to_get: K6, command: k6_checked },
    Known { name: "k6, unchecked", program: "k6", variable: "MSGEXT_K6", how_to_get: K6, command: k6_unchecked },
];

const K6: &str = "the package k6 of its own Debian repository, or its release on GitHub";

/// `msgext load` first; what is not there is said and left out.
pub(crate) fn installed(out: &mut dyn Write) -> io::Result<Vec<Client>> {
    let mut clients = Vec::new();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_msgext"));
    if silent(Command::new(&own).args(["load", "--help"])).status()?.success() {
        clients.push(Client { name: "msgext load", program: own, command: msgext_load });
    } else {
        writeln!(out, "left out: msgext load, which this build does not have")?;
    }
    for Known { name, program, variable, how_to_get, command } in PEERS {
        match find(program, variable) {
            Some(program) => {
                writeln!(out, "{name}: {}", version(&program))?;
                clients.push(Client { name, program, command });
            }
            None => writeln!(out, "left out: {name}, which is not on PATH nor at ${variable}; get it by {how_to_get}")?,
        }
    }
    Ok(clients)
}

fn find(program: &str, variable: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = || env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    named.or_else(on_path).filter(|file| file.is_file())
}

/// The first line of what it says of itself.
fn version(program: &Path) -> String {
    let said = |flag| Command::new(program).arg(flag).output().map(|output| output.stdout).unwrap_or_default();
    let lines = [said("--version"), said("version")].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // wrk has no such flag, but says its version before its usage.
    let named = lines.iter().filter_map(|text| text.lines().next()).find(|line| line.chars().any(|c| c.is_ascii_digit()));
    named.unwrap_or("a version that it does not tell").to_owned()
}

impl Client {
    /// The command for a job; what it says on standard error goes to a file in the folder.
    pub(crate) fn command(&self, job: &Job, folder: &Path) -> io::Result<Option<Command>> {
        let Some(mut command) = (self.command)(&self.program, job, folder)? else { return Ok(None) };
        silent(&mut command).stderr(File::create(folder.join(STDERR))?);
        Ok(Some(command))
    }

    /// The last thing that it said on standard error.
    pub(crate) fn last_words(folder: &Path) -> String {
        let said = fs::read_to_string(folder.join(STDERR)).unwrap_or_default();
        said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing").trim().to_owned()
    }
}

const STDERR: &str = "stderr.txt";
/// Where `msgext load` leaves its report.
pub(crate) const REPORT: &str = "load.json";

fn silent(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// How long a job may take before its client is given up.
pub(crate) fn patience(job: &Job) -> Duration {
    Duration::from_secs(job.seconds + 60)
}

// ---------------------------------------------------------------------------------------------- the request of the peers

/// One set, always the same: peers know no other.
pub(crate) fn request(address: SocketAddr) -> HttpRequest {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let claims = Claims { identifier: ADMIN.into(), sdkappid: SDKAPPID, issued_s: now.as_secs(), expire_s: 86_400 };
    let set = Call {
        from: Some("msgext_sender".into()),
        to: "msgext_recipient".into(),
        msg_key: "1_1_1".into(),
        operation: Operation::Set,
        kvs: Some(vec![Kv { key: "k1".into(), value: Some(VALUE.into()), seq: Some(0) }]),
    };
    HttpRequest {
        method: "POST".into(),
        path: call::PATH.into(),
        query: http::query(SDKAPPID, ADMIN, &sign(KEY, &claims), 1),
        headers: vec![("Host".into(), address.to_string()), ("Content-Type".into(), "application/json".into())],
        body: Value::Object(set.to_json()).to_string().into_bytes(),
    }
}

fn url_and_body(job: &Job) -> (String, String) {
    let request = request(job.address);
    (format!("{}{}", job.base(), request.target()), String::from_utf8_lossy(&request.body).into_owned())
}

// --------------------------------------------------------------------------------------------------------- each in its way

fn msgext_load(program: &Path, job: &Job, folder: &Path) -> io::Result<Option<Command>> {
    let mut command = Command::new(program);
    command.current_dir(folder).env("MSGEXT_SECRET_KEY", KEY).args(["load", "--threads", "1", "--quiet", "--json", REPORT]);
    let target = folder.join("target.yaml");
    let ca = job.ca.as_ref().map_or(String::new(), |ca| format!("ca: {}\n", ca.display()));
    fs::write(&target, format!("url: {}\nsdkappid: {SDKAPPID}\nadmin: {ADMIN}\n{ca}", job.base()))?;
    command.arg("--target").arg(target);
    command.args(["--rate", &job.rate.map_or_else(|| "max".into(), |rate| format!("{rate}/s"))]);
    command.args(["--for", &format!("{}s", job.seconds), "--connections", &job.connections.to_string(), "--messages", "64"]);
    Ok(Some(command))
}

fn wrk(program: &Path, job: &Job, folder: &Path) -> io::Result<Option<Command>> {
    if job.rate.is_some() {
        return Ok(None);
    }
    // It asks nobody who the server is.
    let (url, body) = url_and_body(job);
    let script = folder.join("post.lua");
    let lua = format!("wrk.method = 'POST'\nwrk.body = [[{body}]]\nwrk.headers['Content-Type'] = 'application/json'\n");
    fs::write(&script, lua)?;
    let mut command = Command::new(program);
    command.args(["-t1", &format!("-c{}", job.connections), &format!("-d{}s", job.seconds), "-s"]).arg(script).arg(url);
    Ok(Some(command))
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all clients")]
fn oha(program: &Path, job: &Job, _: &Path) -> io::Result<Option<Command>> {
    if job.ca.is_some() {
        return Ok(None);
    }
    let (url, body) = url_and_body(job);
    let mut command = Command::new(program);
    command.args(["--no-tui", "-m", "POST", "-T", "application/json", "-d", &body]);
    command.args(["-c", &job.connections.to_string(), "-z", &format!("{}s", job.seconds)]);
    if let Some(rate) = job.rate {
        command.args(["-q", &rate.to_string()]);
    }
    command.arg(url);
    Ok(Some(command))
}

fn k6_checked(program: &Path, job: &Job, folder: &Path) -> io::Result<Option<Command>> {
    let check = "const json = reply.json();
        check(json, { accepted: (json) => json.ErrorCode === 0 && json.ExtensionList[0].Extension.Value === VALUE });";
    k6(program, job, folder, check)
}

/// Arrivals do not depend on it, so that it has its turn only where CPU time is compared.
fn k6_unchecked(program: &Path, job: &Job, folder: &Path) -> io::Result<Option<Command>> {
    if job.rate.is_some() { Ok(None) } else { k6(program, job, folder, "") }
}

fn k6(program: &Path, job: &Job, folder: &Path, check: &str) -> io::Result<Option<Command>> {
    if job.ca.is_some() {
        return Ok(None);
    }
    let Job { connections, seconds, .. } = job;
    let (url, body) = url_and_body(job);
    // A check that fails only shows in the exit code where a threshold says so.
    let replies = if check.is_empty() { "discardResponseBodies: true" } else { "thresholds: { checks: ['rate==1'] }" };
    let executor = match job.rate {
        None => format!("executor: 'constant-vus', vus: {connections}"),
        Some(rate) => format!(
            "executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s', preAllocatedVUs: {connections}, maxVUs: {connections}"
        ),
    };
    let script = format!(
        "import http from 'k6/http';
import {{ check }} from 'k6';
const VALUE = '{VALUE}';
export const options = {{
    {replies},
    scenarios: {{ sets: {{ {executor}, duration: '{seconds}s', gracefulStop: '1s' }} }},
}};
const parameters = {{ headers: {{ 'Content-Type': 'application/json' }} }};
export default function () {{
    const reply = http.post('{url}', '{body}', parameters);
    {check}
}}
"
    );
    let file = folder.join("sets.js");
    fs::write(&file, script)?;
    let mut command = Command::new(program);
    command.args(["run", "--quiet", "--no-usage-report", "--no-summary", "--address", ""]).arg(file);
    Ok(Some(command))
}
