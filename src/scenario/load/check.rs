//! Checks in plain words: `p99 response < 50ms`, `refused = 0`, `accepted rate >= 199/s`, `codes.60007 >= 1`.

use crate::history::Class;

/// What a stretch of load has to come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// As it was written.
    pub text: String,
    pub subject: Subject,
    pub relation: Relation,
    /// In the subject's unit: microseconds, calls, calls a second, or a share from 0 to 1.
    pub bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject {
    /// A time, in microseconds, of all calls or of one class. Lag and wait know no class.
    Time { statistic: Statistic, timing: Timing, class: Option<Class> },
    /// Calls.
    Count(Counted),
    /// Calls a second of the stretch's actual time.
    Rate(Counted),
    /// Share of the calls that were sent.
    Share(Counted),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    Min,
    Mean,
    /// From 0 to 1.
    Quantile(f64),
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    Lag,
    Wait,
    Service,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Planned,
    Sent,
    Skipped,
    Unsent,
    Class(Class),
    /// Replies with this code, as in `codes.60007`.
    Code(i64),
    /// Replies that differ from what the ledger expects.
    Findings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    More,
}
