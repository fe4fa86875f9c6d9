//! A command that tests a target, from its beginning to its end: one way in and one way out for every mode.

use std::fs;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, Failure, say, told};
use super::github;
use super::invocation;
use super::number::whole;
use super::output::{OutputArgs, Outputs};
use super::target::{Named, TargetArgs};
use crate::drive::probe::Found;
use crate::drive::stop::Stop;
use crate::history::Identity;
use crate::judge::text::printable;
use crate::report::secrets::Secrets;
use crate::report::{Facts, Report, build};

/// For a flag that comes after those with a heading, and belongs to the command as a whole.
pub const NO_HEADING: Option<&str> = None;

/// What all such commands take: whom they test, how they go about it, and what they leave behind.
#[derive(Debug, clap::Args)]
pub struct ConductArgs {
    /// Repeats a run's random choices
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0, u64::MAX), help_heading = NO_HEADING)]
    seed: Option<u64>,
    /// Shows no progress; of a run no more than its verdict
    #[arg(long, short, help_heading = NO_HEADING)]
    pub quiet: bool,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ConductArgs {
    /// The seed that was asked for, or else one that `now` (since 1970) happens to give.
    pub fn seed(&self, now: Duration) -> u64 {
        self.seed_or(u64::from(now.subsec_nanos()))
    }

    /// The seed that was asked for, or this one.
    pub fn seed_or(&self, other: u64) -> u64 {
        self.seed.unwrap_or(other)
    }
}

/// A command that has begun: no report of an earlier run is left, and whatever ends it, [`Conduct::finish`] leaves one of its own.
pub struct Conduct {
    pub named: Named,
    pub seed: u64,
    pub runtime: Runtime,
    /// Set by the first Ctrl-C, SIGTERM or SIGHUP.
    pub stop: Stop,
    /// Nobody wants to be told more than the verdict.
    pub is_terse: bool,
    pub command: &'static str,
    /// Since 1970.
    started: Duration,
    outputs: Outputs,
}

impl Conduct {
    /// Listens to signals, and makes the files of the reports ready. Nothing was sent before.
    pub fn begin(command: &'static str, output: &OutputArgs, named: Named, seed: u64) -> Result<Conduct, Failure> {
        let conduct = Conduct::without_reports(command, named, seed)?;
        Ok(Conduct { outputs: output.prepare(command)?, ..conduct })
    }

    /// Of a run that leaves no report of its own.
    pub fn without_reports(command: &'static str, named: Named, seed: u64) -> Result<Conduct, Failure> {
        let started = now();
        let runtime = runtime()?;
        let stop = Stop::default();
        // Before there is anything of this run to be seen: who then ends it gets a report of it.
        runtime.block_on(async { listen(&stop) });
        Ok(Conduct { named, seed, runtime, stop, is_terse: false, command, started, outputs: Outputs::default() })
    }

    /// What a report says of this run itself, and of the target as it was found.
    pub fn facts(&self, found: Option<Found>, elapsed: Duration, incomplete: Option<String>) -> Facts {
        let word = |of: fn(Found) -> &'static str| found.map_or("unknown", of).to_owned();
        Facts {
            target: self.named.name.clone(),
            member_calls: word(|found| found.member_calls.answer()),
            read_back: word(|found| found.read_back.word()),
            calls_at_once: word(|found| found.calls_at_once.word()),
            seed: self.seed,
            started_unix_s: i64::try_from(self.started.as_secs()).unwrap_or(i64::MAX),
            elapsed,
            incomplete,
            command_line: invocation::command_line(Some(self.seed)),
            configuration: invocation::configuration(&self.named),
        }
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        now().saturating_sub(self.started)
    }

    /// Whose calls a history of this run holds.
    pub fn identity(&self, found: Found) -> Identity {
        Identity { admin: self.named.target.app.admin.clone(), member_calls: found.member_calls }
    }

    /// What a report says of this run where nothing could be tested.
    pub fn untested_facts(&self, why: &str) -> Facts {
        self.facts(None, Duration::ZERO, Some(why.to_owned()))
    }

    /// The report of a run in which nothing could be tested.
    pub fn untested(&self, why: &str) -> Report {
        let secrets = self.secrets();
        Report { reason: secrets.scrub(why), ..build::begun(self.command, &self.untested_facts(why), &secrets) }
    }

    /// Tells what the run came to and writes its reports; the exit code follows from the report, or from what kept it from
    /// testing, or from the reports that could not be written, of which `unwritten` is one already. What cannot be shown
    /// keeps no report from being written, nor one report another.
    pub fn finish(
        self,
        report: &Report,
        could_not_test: Option<Failure>,
        unwritten: Option<Failure>,
        tell: impl FnOnce(&mut dyn Write, &Report) -> io::Result<()>,
    ) -> Result<Exit, Failure> {
        let is_tested = could_not_test.is_none();
        if is_tested {
            github::tell(|err| tell(err, report));
        }
        let could_not_test =
            could_not_test.map(|Failure { exit, message }| Failure { exit, message: self.secrets().scrub(&message) });
        let failures: Vec<Failure> = could_not_test.into_iter().chain(unwritten).collect();
        close(self.outputs, report, failures, is_tested && !self.is_terse)
    }

    fn secrets(&self) -> Secrets {
        Secrets::of(&self.named.secrets(), [])
    }
}

/// Writes the reports, and tells what went wrong, and where they are if that is wanted. The exit code follows from the report,
/// or from the last failure.
pub fn close(outputs: Outputs, report: &Report, mut failures: Vec<Failure>, tells_where: bool) -> Result<Exit, Failure> {
    let folder = outputs.folder().display().to_string();
    failures.extend(outputs.write(report));
    failures.extend(github::publish(report));
    if tells_where {
        say(format_args!("reports: {}", printable(&folder)));
    }
    let last = failures.pop();
    for failure in &failures {
        told(failure);
    }
    last.map_or(Ok(report.verdict.into()), Err)
}

/// Since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::could_not_test(format!("no runtime can be started: {error}")))
}

/// Ends the run at the first signal that asks for it.
fn listen(stop: &Stop) {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // Who starts a command with `nohup` wants it to go on.
        if kind == SignalKind::hangup() && is_ignored(kind) {
            continue;
        }
        // Listened to from here on: a signal before the first request ends the run as any other does.
        let Ok(mut signal) = signal(kind) else { continue };
        let stop = stop.clone();
        tokio::spawn(async move {
            signal.recv().await;
            stop.set();
        });
    }
}

/// Whether the process was started with this signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
