//! Arguments, progress, exit codes; the only floor that prints.

pub mod check;
pub mod conduct;
pub mod embedded;
pub mod exit;
pub mod files;
pub mod list;
pub mod load;
pub mod output;
pub mod progress;
pub mod run;
pub mod schema;
pub mod serve;
pub mod target;
pub mod usersig;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
pub use exit::Exit;

/// Proves whether an endpoint is a single-chat message extension API (`set_key_values`)
#[derive(Debug, Parser)]
#[command(name = "msgext", version, about, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Load(Box<load::Args>),
    Serve(Box<serve::Args>),
    List(list::Args),
    Check(check::Args),
    Schema(schema::Args),
    Usersig(usersig::Args),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::List(args) => list::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Usersig(args) => usersig::run(&args),
    };
    result.unwrap_or_else(|failure| exit::told(&failure)).into()
}
