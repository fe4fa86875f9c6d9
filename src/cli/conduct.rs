//! The arguments that `run` and `load` have in common: whom they test, how they go about it, and what they leave behind.

use std::time::Duration;

use super::output::OutputArgs;
use super::target::TargetArgs;

#[derive(Debug, clap::Args)]
pub struct ConductArgs {
    /// Repeats a run's random choices
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Shows no progress
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ConductArgs {
    /// The seed that was asked for, or else one that `now` (since 1970) happens to give.
    pub fn seed(&self, now: Duration) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(now.subsec_nanos()))
    }
}
