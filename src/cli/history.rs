//! What a command sent and was told, kept in a file.

use std::path::PathBuf;

use super::conduct::NO_HEADING;
use super::exit::Failure;
use super::files::Output;
use crate::history::Exchange;
use crate::history::Identity;
use crate::report::build::GENERATOR;
use crate::report::history::{self, HistoryHead};
use crate::report::secrets::Secrets;

#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// Writes every call with its reply there, a line each, to be judged again (msgext judge)
    #[arg(long, value_name = "FILE", help_heading = NO_HEADING)]
    history: Option<PathBuf>,
}

impl HistoryArgs {
    pub fn is_given(&self) -> bool {
        self.history.is_some()
    }

    /// Makes the file ready.
    pub fn prepare(&self) -> Result<Option<Output>, Failure> {
        self.history.as_deref().map(Output::prepare).transpose()
    }

    /// For a command whose embedded endpoint has a clock that stands still between two calls: nobody could tell their order.
    pub fn only_on_a_target(&self, is_embedded: bool) -> Result<(), Failure> {
        if self.is_given() && is_embedded {
            return Err(Failure::usage(
                "--history goes with --target: the clock of the embedded endpoint stands still between calls",
            ));
        }
        Ok(())
    }
}

/// Writes the history; gives back why it could not be. `fresh` are messages that had no pair before.
pub fn record<'e>(
    output: Output,
    identity: Identity,
    fresh: Vec<String>,
    exchanges: impl IntoIterator<Item = &'e Exchange> + Clone,
    secrets: &[String],
) -> Option<Failure> {
    let secrets = Secrets::of(secrets, exchanges.clone());
    let Identity { admin, member_calls } = identity;
    let head = HistoryHead { version: history::VERSION, generator: GENERATOR.to_owned(), admin, member_calls, fresh };
    output.write(|out| history::write(out, &head, exchanges, &secrets)).err()
}
