//! Arguments, progress, exit codes; the only floor that prints.

mod check;
mod compare;
mod conduct;
mod doctor;
pub mod embedded;
mod exit;
mod files;
mod fuzz;
mod github;
mod history;
mod invocation;
mod judge;
mod learnt;
mod limits;
mod list;
mod live;
mod load;
mod merge;
mod mutants;
mod number;
mod output;
mod plan;
mod race;
mod rate;
mod report;
mod route;
mod run;
mod schema;
mod serve;
mod shell;
mod target;
mod terminal;
mod usersig;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::judge::text::printable;

#[derive(Debug, Parser)]
#[command(
    name = "msgext",
    version,
    about = "Proves whether an endpoint is a single-chat message extension API (set_key_values)",
    after_help = exit::HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Load(Box<load::LoadArgs>),
    Race(Box<race::RaceArgs>),
    Fuzz(Box<fuzz::FuzzArgs>),
    Limits(Box<limits::LimitsArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Merge(merge::MergeArgs),
    Compare(compare::CompareArgs),
    Judge(judge::JudgeArgs),
    Mutants(mutants::MutantsArgs),
    Report(report::ReportArgs),
    Serve(Box<serve::ServeArgs>),
    List(list::ListArgs),
    Check(check::CheckArgs),
    Schema(schema::SchemaArgs),
    Usersig(usersig::UsersigArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_arguments(&shown(error)).into(),
    };
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Race(args) => race::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Limits(args) => limits::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::List(args) => list::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Usersig(args) => usersig::run(&args),
        Command::Completions(args) => shell::complete(&args, Cli::command()),
        Command::Man(args) => shell::manual(&args, Cli::command()),
    };
    result.unwrap_or_else(|failure| exit::told(&failure)).into()
}

/// The error of arguments that may hold anything: clap repeats them as they are, so it is given what can be shown of them.
fn shown(error: clap::Error) -> clap::Error {
    let arguments = std::env::args_os().map(|argument| printable(&argument.to_string_lossy()));
    Cli::try_parse_from(arguments).err().unwrap_or(error)
}
