//! The `msgext` binary: everything it does is told in [`msgext::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    msgext::cli::main()
}
