//! Arguments, progress, exit codes; the only floor that prints.

pub mod embedded;

use std::process::ExitCode;

/// Runs the command line.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
