//! What a command sent and was told, kept in a file.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::conduct::NO_HEADING;
use super::exit::Failure;
use super::files::Output;
use crate::drive::urgency::give_way;
use crate::history::{Exchange, Identity};
use crate::report::build::GENERATOR;
use crate::report::history::{self, HistoryHead};
use crate::report::secrets::Secrets;

/// So many exchanges may wait to be written, some 20 MB: more than a moment in which the disk or a core is busy elsewhere.
const MOST_WAITING: usize = 16 << 10;

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
    write(output, identity, fresh, exchanges, secrets)
}

/// A history that is written while its calls are made: of many calls none is kept in memory.
pub struct Recording(JoinHandle<Option<Failure>>);

impl Recording {
    /// Begins it; what is handed to the sender is written.
    pub fn begin(
        output: Output,
        identity: Identity,
        fresh: Vec<String>,
        secrets: &[String],
    ) -> (Recording, SyncSender<Exchange>) {
        let secrets = Secrets::of(secrets, []);
        let (sender, exchanges) = sync_channel(MOST_WAITING);
        let writer = thread::spawn(move || {
            give_way();
            write(output, identity, fresh, exchanges, secrets)
        });
        (Recording(writer), sender)
    }

    /// Waits until all is written, once every sender is gone; gives back why it could not be.
    pub fn end(self) -> Option<Failure> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn write(
    output: Output,
    identity: Identity,
    fresh: Vec<String>,
    exchanges: impl IntoIterator<Item: Borrow<Exchange>>,
    secrets: Secrets,
) -> Option<Failure> {
    let Identity { admin, member_calls } = identity;
    let head = HistoryHead { version: history::VERSION, generator: GENERATOR.to_owned(), admin, member_calls, fresh };
    output.write(|out| history::write(out, &head, exchanges, secrets)).err()
}
