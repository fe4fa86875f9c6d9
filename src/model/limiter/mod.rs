//! Rate limiters of every kind that a target may have: a [`Limit`] says which, a [`Limiter`] holds one counter of it.
//!
//! Every kind decides first and updates after, in whole numbers only: a float would drift over a long run, and then a
//! judge that replays the same calls would disagree at the boundary. Never a clock: time comes in with each call.

mod counter;
mod syntax;

use std::time::Duration;

use crate::yaml::span::LONGEST;
pub use counter::Limiter;
pub use syntax::LimitSyntax;

/// Beyond these a limit limits nothing; within them no sum below overflows.
const MAX_LIMIT: u64 = 1_000_000_000;
const MAX_WINDOW: Duration = LONGEST;

/// How calls are counted against a limit `L` in a window `W`; the rate is `L/W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Windows begin at whole multiples of the window's length since 1970, plus `phase`.
    FixedWindowAligned { phase: Duration },
    /// A window begins with the first call after the last one ended (INCR with EXPIRE).
    FixedWindowAnchored,
    /// The last `W` before each call hold at most `L`.
    SlidingLog,
    /// As the log, but estimated: the aligned window before this one counts by the share of it that `W` still covers.
    SlidingCounter,
    /// `burst` tokens at most, refilled continuously at the rate.
    TokenBucket { burst: u64 },
    /// Decides as the token bucket does, but keeps a theoretical arrival time.
    Gcra { burst: u64 },
    /// Decides as the token bucket does, but keeps the excess, which leaks at the rate.
    LeakyMeter { burst: u64 },
    /// As the meter, but each call is let out only when those before it have leaked; refuses beyond `capacity` in the queue.
    LeakyQueue { capacity: u64 },
    /// `L` tokens again at every whole window after the first call, however many were left.
    IntervalRefill,
}

/// The kinds of limiters that can be told apart from outside. Token bucket, GCRA and the leaky bucket, as a meter or as a queue,
/// admit the same calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimiterKind {
    FixedWindowAligned,
    FixedWindowAnchored,
    SlidingLog,
    SlidingCounter,
    TokenBucket,
    IntervalRefill,
}

/// What of a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Request,
    Kv,
}

/// What has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    App,
    Message,
    Conversation,
    Key,
    Connection,
    /// Each of so many replicas counts alone, so that the app gets up to that many times the limit.
    Replica(u32),
}

/// One limit as it is configured: `KIND:LIMIT/WINDOW[,burst=N][,phase=500ms][,unit=kv][,rejected][,scope=message]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub algorithm: Algorithm,
    pub limit: u64,
    pub window: Duration,
    /// Whether a refused call is counted as if it had been admitted.
    pub count_rejected: bool,
    pub unit: Unit,
    pub scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admit,
    /// Admitted, but carried out only so much later.
    AdmitAfter(Duration),
    Refuse,
}

impl Algorithm {
    /// Every kind, each with a burst of the limit and no phase.
    pub fn all(limit: u64) -> [Algorithm; 9] {
        [
            Algorithm::FixedWindowAligned { phase: Duration::ZERO },
            Algorithm::FixedWindowAnchored,
            Algorithm::SlidingLog,
            Algorithm::SlidingCounter,
            Algorithm::TokenBucket { burst: limit },
            Algorithm::Gcra { burst: limit },
            Algorithm::LeakyMeter { burst: limit },
            Algorithm::LeakyQueue { capacity: limit },
            Algorithm::IntervalRefill,
        ]
    }

    /// What it is seen as from outside.
    pub fn kind(self) -> LimiterKind {
        match self {
            Algorithm::FixedWindowAligned { .. } => LimiterKind::FixedWindowAligned,
            Algorithm::FixedWindowAnchored => LimiterKind::FixedWindowAnchored,
            Algorithm::SlidingLog => LimiterKind::SlidingLog,
            Algorithm::SlidingCounter => LimiterKind::SlidingCounter,
            Algorithm::TokenBucket { .. }
            | Algorithm::Gcra { .. }
            | Algorithm::LeakyMeter { .. }
            | Algorithm::LeakyQueue { .. } => LimiterKind::TokenBucket,
            Algorithm::IntervalRefill => LimiterKind::IntervalRefill,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Gcra { .. } => "gcra",
            Algorithm::LeakyMeter { .. } => "leaky-meter",
            Algorithm::LeakyQueue { .. } => "leaky-queue",
            _ => self.kind().word(),
        }
    }

    /// The most that may come at one instant after a rest, where the kind has that as a number of its own.
    pub fn burst(mut self) -> Option<u64> {
        self.burst_mut().copied()
    }

    fn burst_mut(&mut self) -> Option<&mut u64> {
        match self {
            Algorithm::TokenBucket { burst } | Algorithm::Gcra { burst } | Algorithm::LeakyMeter { burst } => Some(burst),
            Algorithm::LeakyQueue { capacity } => Some(capacity),
            Algorithm::FixedWindowAligned { .. }
            | Algorithm::FixedWindowAnchored
            | Algorithm::SlidingLog
            | Algorithm::SlidingCounter
            | Algorithm::IntervalRefill => None,
        }
    }
}

impl LimiterKind {
    pub fn word(self) -> &'static str {
        match self {
            LimiterKind::FixedWindowAligned => "fixed-window-aligned",
            LimiterKind::FixedWindowAnchored => "fixed-window-anchored",
            LimiterKind::SlidingLog => "sliding-log",
            LimiterKind::SlidingCounter => "sliding-counter",
            LimiterKind::TokenBucket => "token-bucket",
            LimiterKind::IntervalRefill => "interval-refill",
        }
    }
}

impl Unit {
    /// What a call with so many pairs weighs.
    pub fn weight(self, kvs: u64) -> u64 {
        match self {
            Unit::Request => 1,
            Unit::Kv => kvs,
        }
    }
}

impl Limit {
    /// A limit of requests for the whole app, refused ones not counted.
    pub fn new(algorithm: Algorithm, limit: u64, window: Duration) -> Limit {
        Limit { algorithm, limit, window, count_rejected: false, unit: Unit::Request, scope: Scope::App }
    }
}
