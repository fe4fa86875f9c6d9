//! Rate limiters of every kind that a target may have: a [`Limit`] says which, a [`Limiter`] holds one counter of it.
//!
//! Every kind decides first and updates after, in whole numbers only: a float would drift over a long run, and then a
//! judge that replays the same calls would disagree at the boundary. Never a clock: time comes in with each call.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::yaml::span::Span;

/// Beyond these a limit limits nothing; within them no sum below overflows.
const MAX_LIMIT: u64 = 1_000_000_000;
const MAX_WINDOW: Duration = Duration::from_hours(24 * 31);

/// How calls are counted against a limit `L` in a window `W`; the rate is `L/W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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

/// What of a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub kind: Kind,
    pub limit: u64,
    pub window: Duration,
    /// Whether a refused call is counted as if it had been admitted.
    pub count_rejected: bool,
    pub unit: Unit,
    pub scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Admit,
    /// Admitted, but carried out only so much later.
    AdmitAfter(Duration),
    Refuse,
}

/// Why a limit cannot be read; each says what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitSyntax {
    #[error("`{0}` is not KIND:LIMIT/WINDOW, such as sliding-log:200/60s")]
    Shape(String),
    #[error("`{0}` is no kind of limiter; there are {kinds}", kinds = Kind::all(1).map(Kind::name).join(", "))]
    Kind(String),
    #[error("`{0}` is no number of calls from 1 to {MAX_LIMIT}")]
    Number(String),
    #[error("`{0}` is no length of time such as 60s, 500ms or 1m, above zero and at most 31 days")]
    Time(String),
    #[error("`{0}` is no option; there are burst=N, phase=TIME, unit=request|kv, rejected, scope=WORD")]
    Option(String),
    #[error("`{0}` stands twice")]
    Twice(&'static str),
    #[error("{kind} has no {option}; {allowed}")]
    NotOfKind { kind: &'static str, option: &'static str, allowed: &'static str },
    #[error("the phase {phase} is not shorter than the window {window}", phase = Time(*phase), window = Time(*window))]
    Phase { phase: Duration, window: Duration },
    #[error("`{0}` is no unit; there are request and kv")]
    Unit(String),
    #[error("`{0}` is no scope; there are app, message, conversation, key, connection and replica:N")]
    Scope(String),
}

impl Kind {
    /// Every kind, each with a burst of the limit and no phase.
    pub fn all(limit: u64) -> [Kind; 9] {
        [
            Kind::FixedWindowAligned { phase: Duration::ZERO },
            Kind::FixedWindowAnchored,
            Kind::SlidingLog,
            Kind::SlidingCounter,
            Kind::TokenBucket { burst: limit },
            Kind::Gcra { burst: limit },
            Kind::LeakyMeter { burst: limit },
            Kind::LeakyQueue { capacity: limit },
            Kind::IntervalRefill,
        ]
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::FixedWindowAligned { .. } => "fixed-window-aligned",
            Kind::FixedWindowAnchored => "fixed-window-anchored",
            Kind::SlidingLog => "sliding-log",
            Kind::SlidingCounter => "sliding-counter",
            Kind::TokenBucket { .. } => "token-bucket",
            Kind::Gcra { .. } => "gcra",
            Kind::LeakyMeter { .. } => "leaky-meter",
            Kind::LeakyQueue { .. } => "leaky-queue",
            Kind::IntervalRefill => "interval-refill",
        }
    }

    /// The most that may come at one instant after a rest, where the kind has that as a number of its own.
    pub fn burst(mut self) -> Option<u64> {
        self.burst_mut().copied()
    }

    fn burst_mut(&mut self) -> Option<&mut u64> {
        match self {
            Kind::TokenBucket { burst } | Kind::Gcra { burst } | Kind::LeakyMeter { burst } => Some(burst),
            Kind::LeakyQueue { capacity } => Some(capacity),
            Kind::FixedWindowAligned { .. }
            | Kind::FixedWindowAnchored
            | Kind::SlidingLog
            | Kind::SlidingCounter
            | Kind::IntervalRefill => None,
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
    pub fn new(kind: Kind, limit: u64, window: Duration) -> Limit {
        Limit { kind, limit, window, count_rejected: false, unit: Unit::Request, scope: Scope::App }
    }
}

impl FromStr for Limit {
    type Err = LimitSyntax;

    /// Where the text has no scope it is [`Scope::App`], no burst the limit, no phase zero, no unit requests.
    fn from_str(text: &str) -> Result<Limit, LimitSyntax> {
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let shape = || LimitSyntax::Shape(head.to_owned());
        let (name, rest) = head.split_once(':').ok_or_else(shape)?;
        let (limit, window) = rest.split_once('/').ok_or_else(shape)?;
        let limit = number(limit)?;
        let named = Kind::all(limit).into_iter().find(|kind| kind.name() == name);
        let mut kind = named.ok_or_else(|| LimitSyntax::Kind(name.to_owned()))?;
        let window =
            time(window).and_then(|time| if time.is_zero() { Err(LimitSyntax::Time(window.into())) } else { Ok(time) })?;

        let options = Options::read(parts)?;
        if let Some(burst) = options.burst {
            let allowed = "token-bucket, gcra, leaky-meter and leaky-queue have";
            let none = LimitSyntax::NotOfKind { kind: kind.name(), option: "burst", allowed };
            *kind.burst_mut().ok_or(none)? = burst;
        }
        if let Some(phase) = options.phase {
            if !matches!(kind, Kind::FixedWindowAligned { .. }) {
                let allowed = "only fixed-window-aligned has";
                return Err(LimitSyntax::NotOfKind { kind: kind.name(), option: "phase", allowed });
            }
            if phase >= window {
                return Err(LimitSyntax::Phase { phase, window });
            }
            kind = Kind::FixedWindowAligned { phase };
        }
        Ok(Limit {
            kind,
            limit,
            window,
            count_rejected: options.rejected.is_some(),
            unit: options.unit.unwrap_or(Unit::Request),
            scope: options.scope.unwrap_or(Scope::App),
        })
    }
}

/// What follows the window, each at most once.
#[derive(Default)]
struct Options {
    burst: Option<u64>,
    phase: Option<Duration>,
    unit: Option<Unit>,
    rejected: Option<()>,
    scope: Option<Scope>,
}

impl Options {
    fn read<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Options, LimitSyntax> {
        let mut options = Options::default();
        for part in parts {
            match part.split_once('=') {
                Some(("burst", value)) => once(&mut options.burst, "burst", number(value)?)?,
                Some(("phase", value)) => once(&mut options.phase, "phase", time(value)?)?,
                Some(("unit", value)) => once(&mut options.unit, "unit", value.parse()?)?,
                Some(("scope", value)) => once(&mut options.scope, "scope", value.parse()?)?,
                None if part == "rejected" => once(&mut options.rejected, "rejected", ())?,
                _ => return Err(LimitSyntax::Option(part.to_owned())),
            }
        }
        Ok(options)
    }
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), LimitSyntax> {
    if slot.replace(value).is_some() { Err(LimitSyntax::Twice(name)) } else { Ok(()) }
}

fn number(text: &str) -> Result<u64, LimitSyntax> {
    let number = text.parse().ok().filter(|number| (1..=MAX_LIMIT).contains(number));
    number.ok_or_else(|| LimitSyntax::Number(text.to_owned()))
}

fn time(text: &str) -> Result<Duration, LimitSyntax> {
    let time = text.parse().ok().map(|Span(time)| time).filter(|time| *time <= MAX_WINDOW);
    time.ok_or_else(|| LimitSyntax::Time(text.to_owned()))
}

impl FromStr for Unit {
    type Err = LimitSyntax;

    fn from_str(text: &str) -> Result<Unit, LimitSyntax> {
        match text {
            "request" => Ok(Unit::Request),
            "kv" => Ok(Unit::Kv),
            _ => Err(LimitSyntax::Unit(text.to_owned())),
        }
    }
}

impl FromStr for Scope {
    type Err = LimitSyntax;

    fn from_str(text: &str) -> Result<Scope, LimitSyntax> {
        let unknown = || LimitSyntax::Scope(text.to_owned());
        match text {
            "app" => Ok(Scope::App),
            "message" => Ok(Scope::Message),
            "conversation" => Ok(Scope::Conversation),
            "key" => Ok(Scope::Key),
            "connection" => Ok(Scope::Connection),
            _ => {
                let replicas = text.strip_prefix("replica:").and_then(|count| count.parse().ok());
                replicas.filter(|count| *count > 0).map(Scope::Replica).ok_or_else(unknown)
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind.name(), self.limit, Time(self.window))?;
        if let Some(burst) = self.kind.burst().filter(|burst| *burst != self.limit) {
            write!(f, ",burst={burst}")?;
        }
        if let Kind::FixedWindowAligned { phase } = self.kind
            && !phase.is_zero()
        {
            write!(f, ",phase={}", Time(phase))?;
        }
        if self.unit == Unit::Kv {
            f.write_str(",unit=kv")?;
        }
        if self.count_rejected {
            f.write_str(",rejected")?;
        }
        if self.scope != Scope::App {
            write!(f, ",scope={}", self.scope)?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::App => f.write_str("app"),
            Scope::Message => f.write_str("message"),
            Scope::Conversation => f.write_str("conversation"),
            Scope::Key => f.write_str("key"),
            Scope::Connection => f.write_str("connection"),
            Scope::Replica(count) => write!(f, "replica:{count}"),
        }
    }
}

/// A length of time in the largest of s, ms, us and ns that holds it whole.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let (size, unit) = units.into_iter().find(|(size, _)| nanos.is_multiple_of(*size)).unwrap_or((1, "ns"));
        write!(f, "{}{unit}", nanos / size)
    }
}

/// One counter of a [`Limit`]: for one app, one message, one key or whatever its scope is. Never used, it is full.
#[derive(Clone, Debug)]
pub struct Limiter {
    limit: u64,
    /// In nanoseconds.
    window: u128,
    count_rejected: bool,
    /// The latest time seen, in nanoseconds since 1970. A clock that steps back stands still here until it has caught up.
    now: u128,
    state: State,
}

/// Where a level is kept it is in tokens times the window's nanoseconds: so it moves by exactly `limit` a nanosecond.
#[derive(Clone, Debug)]
enum State {
    FixedWindowAligned {
        phase: u128,
        index: u128,
        count: u64,
    },
    FixedWindowAnchored {
        start: Option<u128>,
        count: u64,
    },
    SlidingLog {
        entries: VecDeque<(u128, u64)>,
        sum: u64,
    },
    SlidingCounter {
        index: u128,
        previous: u64,
        current: u64,
    },
    TokenBucket {
        capacity: u128,
        tokens: u128,
    },
    /// Times are in nanoseconds times the limit, in which the interval between two calls is exactly the window.
    Gcra {
        tolerance: u128,
        arrival: u128,
    },
    LeakyMeter {
        capacity: u128,
        excess: u128,
    },
    LeakyQueue {
        capacity: u128,
        excess: u128,
    },
    IntervalRefill {
        start: Option<u128>,
        tick: u128,
        left: u64,
    },
}

impl Limiter {
    pub fn new(limit: &Limit) -> Limiter {
        let window = limit.window.clamp(Duration::from_nanos(1), MAX_WINDOW).as_nanos();
        let calls = limit.limit.min(MAX_LIMIT);
        let level = |burst: u64| u128::from(burst.min(MAX_LIMIT)) * window;
        let state = match limit.kind {
            Kind::FixedWindowAligned { phase } => {
                State::FixedWindowAligned { phase: phase.as_nanos() % window, index: 0, count: 0 }
            }
            Kind::FixedWindowAnchored => State::FixedWindowAnchored { start: None, count: 0 },
            Kind::SlidingLog => State::SlidingLog { entries: VecDeque::new(), sum: 0 },
            Kind::SlidingCounter => State::SlidingCounter { index: 0, previous: 0, current: 0 },
            Kind::TokenBucket { burst } => State::TokenBucket { capacity: level(burst), tokens: level(burst) },
            Kind::Gcra { burst } => State::Gcra { tolerance: level(burst), arrival: 0 },
            Kind::LeakyMeter { burst } => State::LeakyMeter { capacity: level(burst), excess: 0 },
            Kind::LeakyQueue { capacity } => State::LeakyQueue { capacity: level(capacity), excess: 0 },
            Kind::IntervalRefill => State::IntervalRefill { start: None, tick: 0, left: calls },
        };
        Limiter { limit: calls, window, count_rejected: limit.count_rejected, now: 0, state }
    }

    /// Decides on a call of so much weight at `now` (since 1970) and counts it. A call without weight always passes.
    pub fn admit(&mut self, now: Duration, weight: u64) -> Decision {
        self.advance(now);
        if self.fits(weight) {
            let wait = self.wait();
            self.take(weight);
            if wait.is_zero() { Decision::Admit } else { Decision::AdmitAfter(wait) }
        } else {
            if self.count_rejected {
                self.take(weight);
            }
            Decision::Refuse
        }
    }

    /// Counts a call that was not asked about: an invalid one, where these count too.
    pub fn charge(&mut self, now: Duration, weight: u64) {
        self.advance(now);
        self.take(weight);
    }

    /// Brings the state up to `now`: what has ended is forgotten, what refills or leaks has done so.
    fn advance(&mut self, now: Duration) {
        let before = self.now;
        self.now = before.max(now.as_nanos());
        let (now, limit, window) = (self.now, self.limit, self.window);
        let flow = (now - before).saturating_mul(u128::from(limit));
        match &mut self.state {
            State::FixedWindowAligned { phase, index, count } => {
                // A window is added so that times before the phase, in the first window since 1970, have an index too.
                let this = (now + window - *phase) / window;
                if this != *index {
                    (*index, *count) = (this, 0);
                }
            }
            State::FixedWindowAnchored { start, count } => {
                if start.is_none_or(|start| now >= start + window) {
                    (*start, *count) = (Some(now), 0);
                }
            }
            State::SlidingLog { entries, sum } => {
                while let Some((_, weight)) = entries.pop_front_if(|(time, _)| *time + window <= now) {
                    *sum -= weight;
                }
            }
            State::SlidingCounter { index, previous, current } => {
                let this = now / window;
                if this != *index {
                    *previous = if this == *index + 1 { *current } else { 0 };
                    (*index, *current) = (this, 0);
                }
            }
            State::TokenBucket { capacity, tokens } => *tokens = tokens.saturating_add(flow).min(*capacity),
            State::Gcra { .. } => {}
            State::LeakyMeter { excess, .. } | State::LeakyQueue { excess, .. } => *excess = excess.saturating_sub(flow),
            State::IntervalRefill { start, tick, left } => {
                let this = (now - *start.get_or_insert(now)) / window;
                if this != *tick {
                    (*tick, *left) = (this, limit);
                }
            }
        }
    }

    fn fits(&self, weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        let (limit, cost) = (u128::from(self.limit), u128::from(weight) * self.window);
        match &self.state {
            State::FixedWindowAligned { count, .. } | State::FixedWindowAnchored { count, .. } => {
                count.saturating_add(weight) <= self.limit
            }
            State::SlidingLog { sum, .. } => sum.saturating_add(weight) <= self.limit,
            State::SlidingCounter { previous, current, .. } => {
                let covered = u128::from(*previous) * (self.window - self.now % self.window);
                // The rule asks that the estimate *before* the call is below the limit, not that the one after is within it;
                // the two differ by the fraction. The rest of a heavier call has to fit whole.
                covered + (u128::from(*current) + u128::from(weight - 1)) * self.window < limit * self.window
            }
            State::TokenBucket { tokens, .. } => *tokens >= cost,
            State::Gcra { tolerance, arrival } => {
                let now = self.now.saturating_mul(limit);
                now.max(*arrival).saturating_add(cost) <= now.saturating_add(*tolerance)
            }
            State::LeakyMeter { capacity, excess } | State::LeakyQueue { capacity, excess } => excess + cost <= *capacity,
            State::IntervalRefill { left, .. } => *left >= weight,
        }
    }

    /// How long a call that fits is held back, rounded up: it is never let out early.
    fn wait(&self) -> Duration {
        match &self.state {
            State::LeakyQueue { excess, .. } => nanoseconds(excess.div_ceil(u128::from(self.limit.max(1)))),
            _ => Duration::ZERO,
        }
    }

    /// Counts without asking. What is counted although it did not fit goes no deeper than "nothing left": a level without
    /// a floor would refuse for as long after a flood as the flood was long, and the log would grow with it.
    fn take(&mut self, weight: u64) {
        if weight == 0 {
            return;
        }
        let cost = u128::from(weight) * self.window;
        match &mut self.state {
            State::FixedWindowAligned { count, .. } | State::FixedWindowAnchored { count, .. } => {
                *count = count.saturating_add(weight);
            }
            State::SlidingLog { entries, sum } => {
                let weight = weight.min(self.limit);
                entries.push_back((self.now, weight));
                *sum += weight;
                // The newest entries that fill the limit decide alone: older ones are gone before any of these is.
                while let Some((_, surplus)) = entries.pop_front_if(|(_, weight)| *sum - *weight >= self.limit) {
                    *sum -= surplus;
                }
            }
            State::SlidingCounter { current, .. } => *current = current.saturating_add(weight),
            State::TokenBucket { tokens, .. } => *tokens = tokens.saturating_sub(cost),
            State::Gcra { tolerance, arrival } => {
                let now = self.now.saturating_mul(u128::from(self.limit));
                *arrival = now.max(*arrival).saturating_add(cost).min(now.saturating_add(*tolerance));
            }
            State::LeakyMeter { capacity, excess } | State::LeakyQueue { capacity, excess } => {
                *excess = (*excess + cost).min(*capacity);
            }
            State::IntervalRefill { left, .. } => *left = left.saturating_sub(weight),
        }
    }
}

fn nanoseconds(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const MS: u64 = 1_000_000;
    /// A whole hour, so that seconds of the clock are seconds of an aligned window.
    const START: Duration = Duration::from_hours(472_222);

    /// A limiter and the calls of a probe on it; times are in nanoseconds since a whole minute.
    struct Probe(Limiter);

    impl Probe {
        fn new(limit: &Limit) -> Probe {
            Probe(Limiter::new(limit))
        }

        fn call(&mut self, at: u64) -> bool {
            self.0.admit(START + Duration::from_nanos(at), 1) != Decision::Refuse
        }

        /// How many of `count` calls at `rate_per_s`, the first at `from`, were accepted.
        fn burst(&mut self, from: u64, count: u64, rate_per_s: u64) -> u64 {
            (0..count).map(|i| u64::from(self.call(from + i * 1_000_000_000 / rate_per_s))).sum()
        }
    }

    fn s(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    fn e1(limit: &Limit) -> u64 {
        Probe::new(limit).burst(s(5), 300, 150)
    }

    fn e2(limit: &Limit) -> [u64; 3] {
        [20, 56, 62].map(|wait| {
            let mut probe = Probe::new(limit);
            probe.burst(s(5), 300, 150);
            probe.burst(s(5 + wait), 300, 150)
        })
    }

    fn e2b(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 100, 150);
        probe.burst(s(35), 100, 150);
        probe.burst(s(67), 300, 150)
    }

    fn e4(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        let step = 1_000_000_000 / 150;
        let first = s(60) - 100 * MS - 199 * step;
        let before: u64 = (0..200).map(|i| u64::from(probe.call(first + i * step))).sum();
        before + probe.burst(s(60) + 100 * MS, 200, 150)
    }

    fn e6(limit: &Limit) -> [u64; 6] {
        let mut probe = Probe::new(limit);
        // 2r = 400 a minute: 200 calls in each 30 s.
        std::array::from_fn(|bin| (0..200).map(|i| u64::from(probe.call(s(8) + (bin as u64 * 200 + i) * 150 * MS))).sum())
    }

    fn e3(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 200, 150);
        probe.burst(s(8), 1800, 10)
    }

    /// Second of the first accepted call when polling at 10/s after a fill, and how many pass at that very instant.
    fn e7(limit: &Limit) -> Option<(f64, u64)> {
        let mut probe = Probe::new(limit);
        probe.burst(s(5), 300, 150);
        let first = (0..6000).map(|i| s(7) + i * 100 * MS).find(|at| probe.call(*at))?;
        let more = (0..300).take_while(|_| probe.call(first)).count() as u64;
        Some(((first / MS) as f64 / 1000.0, 1 + more))
    }

    fn e8(limit: &Limit) -> u64 {
        let mut probe = Probe::new(limit);
        probe.call(s(5));
        probe.burst(s(95), 200, 150);
        probe.burst(s(131), 200, 150)
    }

    struct Row {
        limits: &'static [&'static str],
        e1: u64,
        e2: [u64; 3],
        e2b: u64,
        e4: u64,
        e6: [u64; 6],
        e3: u64,
        e7: Option<(f64, u64)>,
    }

    /// What each kind accepts of each probe, told beforehand from the rules alone.
    const TABLE: &[Row] = &[
        Row {
            limits: &["fixed-window-aligned:200/60s"],
            e1: 200,
            e2: [0, 200, 200],
            e2b: 200,
            e4: 400,
            e6: [200, 53, 147, 53, 147, 53],
            e3: 480,
            e7: Some((60.0, 200)),
        },
        Row {
            limits: &["fixed-window-anchored:200/60s", "interval-refill:200/60s"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 200,
            e4: 200,
            e6: [200, 0, 200, 0, 200, 0],
            e3: 430,
            e7: Some((65.0, 200)),
        },
        Row {
            limits: &["sliding-log:200/60s"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 100,
            e4: 200,
            e6: [200, 0, 200, 0, 200, 0],
            e3: 430,
            e7: Some((65.0, 1)),
        },
        Row {
            limits: &["sliding-log:200/60s,rejected"],
            e1: 200,
            e2: [0, 0, 200],
            e2b: 100,
            e4: 200,
            e6: [200, 0, 0, 0, 0, 0],
            e3: 0,
            e7: None,
        },
        Row {
            limits: &["sliding-counter:200/60s"],
            e1: 200,
            e2: [0, 10, 30],
            e2b: 30,
            e4: 205,
            e6: [200, 27, 100, 100, 100, 100],
            e3: 427,
            // At :60.0 the last window still counts whole.
            e7: Some((60.1, 1)),
        },
        Row {
            limits: &["sliding-counter:200/60s,rejected"],
            e1: 200,
            e2: [0, 0, 0],
            e2b: 24,
            e4: 201,
            e6: [200, 0, 0, 0, 0, 0],
            e3: 0,
            e7: None,
        },
        Row {
            limits: &["token-bucket:200/60s", "gcra:200/60s", "leaky-meter:200/60s", "leaky-queue:200/60s"],
            e1: 206,
            e2: [67, 187, 206],
            e2b: 206,
            e4: 209,
            e6: [200, 199, 100, 100, 100, 100],
            e3: 609,
            e7: Some((7.1, 1)),
        },
        Row {
            limits: &["token-bucket:200/60s,burst=50", "gcra:200/60s,burst=50", "leaky-meter:200/60s,burst=50"],
            e1: 56,
            e2: [56, 56, 56],
            e2b: 56,
            e4: 59,
            e6: [149, 100, 100, 100, 100, 100],
            e3: 605,
            e7: Some((7.1, 1)),
        },
        Row {
            limits: &["token-bucket:200/60s,burst=1", "gcra:200/60s,burst=1", "leaky-meter:200/60s,burst=1"],
            e1: 7,
            e2: [7, 7, 7],
            e2b: 7,
            e4: 10,
            e6: [100, 100, 100, 100, 100, 100],
            e3: 600,
            e7: Some((7.1, 1)),
        },
    ];

    #[test]
    fn every_kind_accepts_of_every_probe_what_its_rule_foretells() {
        for row in TABLE {
            for text in row.limits {
                let limit: Limit = text.parse().unwrap();
                assert_eq!(e1(&limit), row.e1, "{text} E1");
                assert_eq!(e2(&limit), row.e2, "{text} E2");
                assert_eq!(e2b(&limit), row.e2b, "{text} E2b");
                assert_eq!(e4(&limit), row.e4, "{text} E4");
                assert_eq!(e6(&limit), row.e6, "{text} E6");
                assert_eq!(e3(&limit), row.e3, "{text} E3");
                assert_eq!(e7(&limit), row.e7, "{text} E7");
            }
        }
    }

    #[test]
    fn only_a_burst_that_spans_an_interval_tells_anchored_windows_from_interval_refill() {
        assert_eq!(e8(&"fixed-window-anchored:200/60s".parse().unwrap()), 0);
        assert_eq!(e8(&"interval-refill:200/60s".parse().unwrap()), 200);
    }

    #[test]
    fn a_drip_a_little_above_the_rate_is_cut_by_windows_and_passes_a_bucket() {
        for (text, accepted) in [
            ("fixed-window-aligned:200/60s", 1000),
            ("fixed-window-anchored:200/60s", 1000),
            ("sliding-log:200/60s", 1000),
            ("token-bucket:200/60s", 1050),
            ("sliding-log:200/60s,rejected", 200),
        ] {
            let mut probe = Probe::new(&text.parse().unwrap());
            let drip: u64 = (0..1050).map(|i| u64::from(probe.call(i * s(300) / 1050))).sum();
            assert_eq!(drip, accepted, "{text}");
        }
    }

    #[test]
    fn two_bursts_around_a_second_show_how_an_app_is_limited() {
        for (text, accepted) in [
            ("fixed-window-aligned:200/1s", 400),
            ("sliding-log:200/1s", 200),
            ("sliding-counter:200/1s", 220),
            ("token-bucket:200/1s", 239),
        ] {
            let mut probe = Probe::new(&text.parse().unwrap());
            // 200 calls in 90 ms, the last one a step before its end: from .90 to .99 and from .01 to .10.
            let mut burst = |from: u64| (0..200).map(|i| u64::from(probe.call(from + i * 90 * MS / 200))).sum::<u64>();
            assert_eq!(burst(900 * MS) + burst(1010 * MS), accepted, "{text}");
        }
    }

    #[test]
    fn invalid_calls_that_are_charged_leave_nothing_and_those_that_are_not_are_free() {
        for kind in Kind::all(200) {
            let limit = Limit::new(kind, 200, MINUTE);
            let mut free = Limiter::new(&limit);
            let mut charged = Limiter::new(&limit);
            let admitted =
                |limiter: &mut Limiter, count: u32| (0..count).filter(|_| limiter.admit(START, 1) != Decision::Refuse).count();
            assert_eq!((admitted(&mut free, 100), admitted(&mut charged, 100)), (100, 100));
            (0..150).for_each(|_| charged.charge(START, 1));
            assert_eq!((admitted(&mut free, 200), admitted(&mut charged, 200)), (100, 0), "{}", kind.name());
        }
    }

    #[test]
    fn a_call_weighs_one_request_or_its_pairs() {
        for kind in Kind::all(200) {
            let accepted = |unit: Unit| {
                let mut limiter = Limiter::new(&Limit::new(kind, 200, MINUTE));
                (0..300).filter(|_| limiter.admit(START, unit.weight(8)) != Decision::Refuse).count()
            };
            assert_eq!((accepted(Unit::Request), accepted(Unit::Kv)), (200, 25), "{}", kind.name());
        }
    }

    #[test]
    fn a_call_without_weight_passes_even_a_full_limiter() {
        for kind in Kind::all(1) {
            let mut limiter = Limiter::new(&Limit::new(kind, 1, MINUTE));
            assert_eq!(limiter.admit(START, 1), Decision::Admit);
            assert_eq!(limiter.admit(START, 1), Decision::Refuse, "{}", kind.name());
            assert_ne!(limiter.admit(START, 0), Decision::Refuse, "{}", kind.name());
        }
    }

    #[test]
    fn a_queue_delays_by_position_and_refuses_only_when_full() {
        let mut limiter = Limiter::new(&"leaky-queue:200/1s,burst=3".parse().unwrap());
        let decisions: Vec<Decision> = (0..4).map(|_| limiter.admit(START, 1)).collect();
        let after = |ms| Decision::AdmitAfter(Duration::from_millis(ms));
        assert_eq!(decisions, [Decision::Admit, after(5), after(10), Decision::Refuse]);
        assert_eq!(limiter.admit(START + Duration::from_millis(7), 1), after(8));
    }

    #[test]
    fn a_delay_that_is_no_whole_nanosecond_is_rounded_up() {
        let mut limiter = Limiter::new(&"leaky-queue:3/1s".parse().unwrap());
        limiter.admit(START, 1);
        assert_eq!(limiter.admit(START, 1), Decision::AdmitAfter(Duration::from_nanos(333_333_334)));
    }

    #[test]
    fn a_phase_moves_the_edge_of_aligned_windows() {
        let mut limiter = Limiter::new(&"fixed-window-aligned:1/60s,phase=30s".parse().unwrap());
        let at = |seconds| START + Duration::from_secs(seconds);
        assert_eq!(limiter.admit(at(5), 1), Decision::Admit);
        assert_eq!(limiter.admit(at(29), 1), Decision::Refuse);
        assert_eq!(limiter.admit(at(30), 1), Decision::Admit);
        assert_eq!(limiter.admit(at(60), 1), Decision::Refuse);
    }

    #[test]
    fn an_entry_leaves_the_log_exactly_one_window_later_and_not_before() {
        let mut limiter = Limiter::new(&"sliding-log:1/60s".parse().unwrap());
        assert_eq!(limiter.admit(START, 1), Decision::Admit);
        assert_eq!(limiter.admit(START + Duration::from_nanos(59_999_999_999), 1), Decision::Refuse);
        assert_eq!(limiter.admit(START + MINUTE, 1), Decision::Admit);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        for kind in Kind::all(2) {
            let mut limiter = Limiter::new(&Limit::new(kind, 2, MINUTE));
            let decisions = [5, 0, 5].map(|ms| limiter.admit(START + Duration::from_millis(ms), 1) != Decision::Refuse);
            assert_eq!(decisions, [true, true, false], "{}", kind.name());
        }
    }

    #[test]
    fn limits_read_as_they_are_written() {
        let limit = |kind, seconds| Limit::new(kind, 200, Duration::from_secs(seconds));
        let phase = Duration::from_secs(30);
        for (text, expected) in [
            ("sliding-log:200/60s", limit(Kind::SlidingLog, 60)),
            ("sliding-log:200/1m", limit(Kind::SlidingLog, 60)),
            ("token-bucket:200/1000ms,burst=50", limit(Kind::TokenBucket { burst: 50 }, 1)),
            ("gcra:200/1s", limit(Kind::Gcra { burst: 200 }, 1)),
            ("fixed-window-aligned:200/60s,phase=30s", limit(Kind::FixedWindowAligned { phase }, 60)),
            ("leaky-queue:200/1s", limit(Kind::LeakyQueue { capacity: 200 }, 1)),
            (
                "sliding-counter:200/60s,scope=replica:3,rejected,unit=kv",
                Limit { count_rejected: true, unit: Unit::Kv, scope: Scope::Replica(3), ..limit(Kind::SlidingCounter, 60) },
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn limits_that_cannot_be_read_say_what_is_allowed() {
        for (text, message) in [
            ("sliding-log", "`sliding-log` is not KIND:LIMIT/WINDOW, such as sliding-log:200/60s"),
            ("sliding-log:200", "`sliding-log:200` is not KIND:LIMIT/WINDOW, such as sliding-log:200/60s"),
            (
                "log:200/60s",
                "`log` is no kind of limiter; there are fixed-window-aligned, fixed-window-anchored, sliding-log, \
                 sliding-counter, token-bucket, gcra, leaky-meter, leaky-queue, interval-refill",
            ),
            ("gcra:0/60s", "`0` is no number of calls from 1 to 1000000000"),
            ("gcra:-1/60s", "`-1` is no number of calls from 1 to 1000000000"),
            ("gcra:200/60s,burst=2000000000", "`2000000000` is no number of calls from 1 to 1000000000"),
            ("gcra:200/60", "`60` is no length of time such as 60s, 500ms or 1m, above zero and at most 31 days"),
            ("gcra:200/0s", "`0s` is no length of time such as 60s, 500ms or 1m, above zero and at most 31 days"),
            ("gcra:200/745h", "`745h` is no length of time such as 60s, 500ms or 1m, above zero and at most 31 days"),
            ("gcra:200/1s,x", "`x` is no option; there are burst=N, phase=TIME, unit=request|kv, rejected, scope=WORD"),
            ("gcra:200/1s,rejected,rejected", "`rejected` stands twice"),
            ("sliding-log:200/60s,burst=5", "sliding-log has no burst; token-bucket, gcra, leaky-meter and leaky-queue have"),
            ("gcra:200/60s,phase=1s", "gcra has no phase; only fixed-window-aligned has"),
            ("fixed-window-aligned:200/1s,phase=1000ms", "the phase 1s is not shorter than the window 1s"),
            ("gcra:200/1s,unit=byte", "`byte` is no unit; there are request and kv"),
            (
                "gcra:200/1s,scope=replica:0",
                "`replica:0` is no scope; there are app, message, conversation, key, connection and replica:N",
            ),
        ] {
            let syntax = text.parse::<Limit>().unwrap_err();
            assert_eq!(syntax.to_string(), message, "{text}");
        }
    }

    fn any_limit() -> impl Strategy<Value = Limit> {
        let scope = prop_oneof![
            Just(Scope::App),
            Just(Scope::Message),
            Just(Scope::Conversation),
            Just(Scope::Key),
            Just(Scope::Connection),
            (1..9u32).prop_map(Scope::Replica)
        ];
        let size = prop_oneof![Just(1), Just(1_000), Just(1_000_000), Just(1_000_000_000)];
        (0..9usize, 1..=300u64, 1..=300u64, (1..=90u64, size), 0.0..1.0, any::<(bool, bool)>(), scope).prop_map(
            |(kind, limit, burst, (window, size), phase, (count_rejected, kv), scope)| {
                let window = Duration::from_nanos(window * size);
                let kind = match Kind::all(burst)[kind] {
                    Kind::FixedWindowAligned { .. } => {
                        let phase = window.mul_f64(phase).min(window.saturating_sub(Duration::from_nanos(1)));
                        Kind::FixedWindowAligned { phase }
                    }
                    other => other,
                };
                let unit = if kv { Unit::Kv } else { Unit::Request };
                Limit { kind, limit, window, count_rejected, unit, scope }
            },
        )
    }

    /// A call that asks or is charged: nanoseconds since the one before, and weight.
    fn any_calls() -> impl Strategy<Value = Vec<(bool, u64, u64)>> {
        let gap = prop_oneof![3 => 0..3u64, 2 => 0..40u64, 1 => 0..400u64];
        let weight = prop_oneof![4 => Just(1u64), 1 => 0..6u64];
        prop::collection::vec((prop::bool::weighted(0.9), gap, weight), 0..120)
    }

    fn decisions(limit: &Limit, calls: &[(bool, u64, u64)]) -> Vec<Option<bool>> {
        let mut limiter = Limiter::new(limit);
        let mut now = START;
        let mut decide = |(asks, gap, weight): &(bool, u64, u64)| {
            now += Duration::from_nanos(*gap);
            if *asks {
                Some(limiter.admit(now, *weight) != Decision::Refuse)
            } else {
                limiter.charge(now, *weight);
                None
            }
        };
        calls.iter().map(&mut decide).collect()
    }

    /// The log with every entry kept for ever, charged and refused ones where they count.
    fn decisions_of_a_full_log(limit: &Limit, calls: &[(bool, u64, u64)]) -> Vec<Option<bool>> {
        let mut entries: Vec<(Duration, u64)> = Vec::new();
        let mut now = START;
        let mut decide = |(asks, gap, weight): &(bool, u64, u64)| {
            now += Duration::from_nanos(*gap);
            let held: u64 = entries.iter().filter(|(time, _)| *time + limit.window > now).map(|(_, weight)| weight).sum();
            let fits = *weight == 0 || held + weight <= limit.limit;
            if fits || !asks || limit.count_rejected {
                entries.push((now, *weight));
            }
            asks.then_some(fits)
        };
        calls.iter().map(&mut decide).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_limit_that_is_written_and_read_is_the_same(limit in any_limit()) {
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }

        #[test]
        fn any_text_is_a_limit_or_an_error_and_never_a_panic(text in "[a-z0-9:/,=-]{0,40}|.*") {
            if let Ok(limit) = text.parse::<Limit>() {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }

        #[test]
        fn bucket_gcra_meter_and_queue_decide_alike(
            limit in 1..9u64, burst in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let of = |kind| Limit { count_rejected, ..Limit::new(kind, limit, Duration::from_nanos(window)) };
            let bucket = decisions(&of(Kind::TokenBucket { burst }), &calls);
            prop_assert_eq!(&decisions(&of(Kind::Gcra { burst }), &calls), &bucket);
            prop_assert_eq!(&decisions(&of(Kind::LeakyMeter { burst }), &calls), &bucket);
            prop_assert_eq!(&decisions(&of(Kind::LeakyQueue { capacity: burst }), &calls), &bucket);
        }

        #[test]
        fn a_log_that_forgets_decides_as_one_that_does_not(
            limit in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let limit = Limit { count_rejected, ..Limit::new(Kind::SlidingLog, limit, Duration::from_nanos(window)) };
            prop_assert_eq!(decisions(&limit, &calls), decisions_of_a_full_log(&limit, &calls));
        }

        #[test]
        fn a_log_never_holds_more_entries_than_the_limit(
            limit in 1..9u64, window in 1..200u64, count_rejected: bool, calls in any_calls(),
        ) {
            let limit = Limit { count_rejected, ..Limit::new(Kind::SlidingLog, limit, Duration::from_nanos(window)) };
            let mut limiter = Limiter::new(&limit);
            let mut now = START;
            for (asks, gap, weight) in calls {
                now += Duration::from_nanos(gap);
                if asks { limiter.admit(now, weight); } else { limiter.charge(now, weight); }
                let State::SlidingLog { entries, .. } = &limiter.state else { panic!("not a log") };
                prop_assert!(entries.len() as u64 <= limit.limit);
            }
        }

        #[test]
        fn no_limit_time_or_weight_overflows(
            kind in 0..9usize, numbers: [u64; 3], window: Duration, times: [Duration; 4], weight: u64, count_rejected: bool,
        ) {
            let [limit, burst, small] = numbers;
            for limit in [limit, u64::MAX, 0] {
                let limit = Limit { count_rejected, ..Limit::new(Kind::all(burst)[kind], limit, window) };
                let mut limiter = Limiter::new(&limit);
                for now in times.into_iter().chain([Duration::MAX]) {
                    limiter.admit(now, weight);
                    limiter.admit(now, small % 9);
                    limiter.charge(now, u64::MAX);
                }
            }
        }
    }
}
