//! What the process says to whoever called it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::drive::ground::GroundError;
use crate::judge::text::printable;
use crate::verdict::Overall;

/// The exit codes; their numbers are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked holds.
    Holds = 0,
    /// The target fell short: a clause, a check, a regression.
    FellShort = 1,
    /// The command line or an input file is wrong; nothing was sent.
    Usage = 2,
    /// Nothing could be tested: unreachable, credentials refused, a report that cannot be written.
    CouldNotTest = 3,
    /// It was tested, and there is no verdict: unknown outcomes, an early end, nothing ran.
    Inconclusive = 4,
}

/// The codes, for `--help`.
pub const HELP: &str =
    "Exit codes: 0 holds · 1 the target fell short · 2 usage or bad input file · 3 could not test · 4 inconclusive";

/// Why a command could not do its job. Its message is one line that says what to do.
#[derive(Clone, Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into() }
    }

    pub fn could_not_test(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::CouldNotTest, message: message.into() }
    }
}

impl Failure {
    /// Of a target that could not be made ready: an interrupted run is inconclusive, everything else could not be tested.
    pub fn of_ground(error: &GroundError, message: String) -> Failure {
        let exit = if matches!(error, GroundError::Interrupted) { Exit::Inconclusive } else { Exit::CouldNotTest };
        Failure { exit, message }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<Overall> for Exit {
    fn from(overall: Overall) -> Exit {
        match overall {
            Overall::Pass => Exit::Holds,
            Overall::Fail => Exit::FellShort,
            Overall::Inconclusive => Exit::Inconclusive,
        }
    }
}

/// Tells people a line. What cannot be shown, on a full disk or in a closed pipe, changes nothing that is done.
pub fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Tells what is wrong with the arguments, or prints the help that they ask for.
pub fn of_arguments(error: &clap::Error) -> Exit {
    let told_or_printed = error.print();
    if error.use_stderr() {
        return Exit::Usage;
    }
    match told_or_printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            told(&Failure::could_not_test(format!("standard output cannot be written: {error}")))
        }
        _ => Exit::Holds,
    }
}

/// Tells a failure; the exit code follows from it.
pub fn told(failure: &Failure) -> Exit {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    say(format_args!("{style}error{style:#}: {}", printable(&failure.message)));
    failure.exit
}
