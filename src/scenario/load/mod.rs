//! Load plans: what an author writes in YAML, and the arrivals that it means.
//!
//! Pure: text in, values and located problems out. Never a clock: times are nanoseconds since the plan's start.

pub mod arrivals;
pub mod check;
mod file;
pub mod lint;
mod lower;

use std::num::NonZeroU32;
use std::time::Duration;

use check::Check;
pub use file::{BUNDLED, RateOrMax, schema};
pub use lower::load;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Caller;
pub use crate::yaml::rate::Rate;

/// A plan as it is carried out: everything decided, nothing optional that has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    pub title: String,
    pub phases: Vec<Phase>,
    pub traffic: Traffic,
    /// How many are made.
    pub messages: NonZeroU32,
    /// Most calls in flight; each has a connection of its own.
    pub connections: NonZeroU32,
    pub timeout: Duration,
    /// How late a call may be sent by the generator's own fault before it is left out; `None` sends it however late.
    pub skip_later_than: Option<Duration>,
    /// How long a call may wait for a connection after the last phase; `None` waits as long as a reply may take.
    pub patience: Option<Duration>,
    /// The limits that are judged, where the plan is there to test them.
    pub limits: Option<Limits>,
    /// Checks on the whole run.
    pub checks: Vec<Check>,
}

impl Plan {
    /// The traffic of every phase; of a plan without phases, which are still to be found, its own.
    pub fn traffics(&self) -> impl Iterator<Item = &Traffic> {
        let own = self.phases.is_empty().then_some(&self.traffic);
        self.phases.iter().map(|phase| phase.traffic.as_ref().unwrap_or(&self.traffic)).chain(own)
    }
}

/// One stretch of a plan, one kind of arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub arrivals: Arrivals,
    /// Overrides the plan's, for this phase.
    pub traffic: Option<Traffic>,
    pub checks: Vec<Check>,
    /// Ends the run as soon as a check of this phase does not hold and no later call of it can change that.
    pub abort_on_fail: bool,
    /// Index path of the phase in its file.
    pub place: String,
}

impl Phase {
    /// A phase with nothing of its own but its arrivals.
    pub fn bare(name: &str, arrivals: Arrivals) -> Phase {
        Phase { name: name.to_owned(), arrivals, traffic: None, checks: Vec::new(), abort_on_fail: false, place: String::new() }
    }
}

/// When calls are due, from the phase's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Arrivals {
    /// Nothing, for so long.
    Rest(Duration),
    /// `from` to `to` calls a second, changing evenly with time; equal for a constant rate.
    Ramp { from: Rate, to: Rate, duration: Duration, spacing: Spacing },
    /// So many calls at `rate`, evenly; the phase ends one gap after the last is due.
    Count { calls: u64, rate: Rate },
    /// `calls` calls at `rate` every `every`, `times` times.
    Bursts { calls: u64, rate: Rate, every: Duration, times: u64 },
    /// As fast as the connections let it: a call is due when a connection comes free. Closed, not open.
    Saturate { duration: Duration },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Call `i` is due at `i / rate`.
    #[default]
    Even,
    /// A Poisson process of that rate: gaps are exponential.
    Poisson,
}

/// What the calls are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    pub mix: Mix,
    /// Pairs in a set or a delete, from 1 to 20.
    pub kvs: (u32, u32),
    /// Bytes of a value, from 1 to 1000.
    pub value_bytes: (u32, u32),
    /// Keys of each message that are used, at most 300.
    pub keys: u32,
    /// Messages that calls go to: these indices of all that the plan makes.
    pub messages: (u32, u32),
    pub choice: Choice,
    pub callers: Vec<Caller>,
}

/// Shares of the operations; they need not add up to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    pub set: u32,
    pub delete: u32,
    pub clear: u32,
}

/// How a call's message is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// One after another.
    Spread,
    /// The message at rank `r` with weight `r^-exponent`.
    Zipf(f64),
    /// Every so many-th call is for the first message; all others are spread over the rest.
    Hot {
        #[serde(rename = "one-in")]
        one_in: u32,
    },
}

impl Choice {
    /// The share of the calls that the message gets which gets the most, of so many.
    pub fn hottest(self, messages: u32) -> f64 {
        let even = 1.0 / f64::from(messages.max(1));
        match self {
            Choice::Spread => even,
            Choice::Zipf(exponent) => 1.0 / (1..=messages.max(1)).map(|rank| f64::from(rank).powf(-exponent)).sum::<f64>(),
            Choice::Hot { one_in } => even.max(1.0 / f64::from(one_in.max(1))),
        }
    }
}

/// The two limits of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub app: Rate,
    pub message: Rate,
}
