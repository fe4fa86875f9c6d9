//! `msgext completions` and `msgext man`: what a shell and `man` know of the commands, from the definitions that read them.

use std::fs;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use super::files::print;

/// Prints a script that completes commands and flags in a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Of which
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes the man pages, one for each command
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The folder that they are written to, which is made where it is missing
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub fn complete(args: &CompletionsArgs, mut commands: Command) -> Result<Exit, Failure> {
    // The generator panics where it cannot write; memory takes everything.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "msgext", &mut script);
    print(|out| out.write_all(&script))?;
    Ok(Exit::Holds)
}

pub fn manual(args: &ManArgs, commands: Command) -> Result<Exit, Failure> {
    let written = fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(commands, &args.folder));
    written.map_err(|error| Failure::could_not_test(format!("{}: {error}", args.folder.display())))?;
    Ok(Exit::Holds)
}
