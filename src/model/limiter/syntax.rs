//! Limits as they are written: `KIND:LIMIT/WINDOW` and options.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Algorithm, Limit, MAX_LIMIT, MAX_WINDOW, Scope, Unit};
use crate::yaml::span::Span;

/// Why a limit cannot be read; each says what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitSyntax {
    #[error("`{0}` is not KIND:LIMIT/WINDOW, such as sliding-log:200/60s")]
    Shape(String),
    #[error("`{0}` is no kind of limiter; there are {kinds}", kinds = Algorithm::all(1).map(Algorithm::name).join(", "))]
    Kind(String),
    #[error("`{0}` is no number of calls from 1 to {MAX_LIMIT}")]
    Number(String),
    #[error("`{0}` is no length of time such as 60s, 500ms or 1m, above zero and at most 24h")]
    Time(String),
    #[error("`{0}` is no option; there are burst=N, phase=TIME, unit=request|kv, rejected, scope=WORD")]
    Option(String),
    #[error("`{0}` stands twice")]
    Twice(&'static str),
    #[error("{kind} has no {option}; {allowed}")]
    NotOfKind { kind: &'static str, option: &'static str, allowed: &'static str },
    #[error("the phase {phase} is not shorter than the window {window}", phase = InUnits(*phase), window = InUnits(*window))]
    Phase { phase: Duration, window: Duration },
    #[error("`{0}` is no unit; there are request and kv")]
    Unit(String),
    #[error("`{0}` is no scope; there are app, message, conversation, key, connection and replica:N")]
    Scope(String),
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
        let named = Algorithm::all(limit).into_iter().find(|kind| kind.name() == name);
        let mut algorithm = named.ok_or_else(|| LimitSyntax::Kind(name.to_owned()))?;
        let window =
            time(window).and_then(|time| if time.is_zero() { Err(LimitSyntax::Time(window.into())) } else { Ok(time) })?;

        let options = LimitOptions::read(parts)?;
        if let Some(burst) = options.burst {
            let allowed = "token-bucket, gcra, leaky-meter and leaky-queue have";
            let none = LimitSyntax::NotOfKind { kind: algorithm.name(), option: "burst", allowed };
            *algorithm.burst_mut().ok_or(none)? = burst;
        }
        if let Some(phase) = options.phase {
            if !matches!(algorithm, Algorithm::FixedWindowAligned { .. }) {
                let allowed = "only fixed-window-aligned has";
                return Err(LimitSyntax::NotOfKind { kind: algorithm.name(), option: "phase", allowed });
            }
            if phase >= window {
                return Err(LimitSyntax::Phase { phase, window });
            }
            algorithm = Algorithm::FixedWindowAligned { phase };
        }
        Ok(Limit {
            algorithm,
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
struct LimitOptions {
    burst: Option<u64>,
    phase: Option<Duration>,
    unit: Option<Unit>,
    rejected: Option<()>,
    scope: Option<Scope>,
}

impl LimitOptions {
    fn read<'a>(parts: impl Iterator<Item = &'a str>) -> Result<LimitOptions, LimitSyntax> {
        let mut options = LimitOptions::default();
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
        write!(f, "{}:{}/{}", self.algorithm.name(), self.limit, InUnits(self.window))?;
        if let Some(burst) = self.algorithm.burst().filter(|burst| *burst != self.limit) {
            write!(f, ",burst={burst}")?;
        }
        if let Algorithm::FixedWindowAligned { phase } = self.algorithm
            && !phase.is_zero()
        {
            write!(f, ",phase={}", InUnits(phase))?;
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
struct InUnits(Duration);

impl fmt::Display for InUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let (size, unit) = units.into_iter().find(|(size, _)| nanos.is_multiple_of(*size)).unwrap_or((1, "ns"));
        write!(f, "{}{unit}", nanos / size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_read_as_they_are_written() {
        let limit = |kind, seconds| Limit::new(kind, 200, Duration::from_secs(seconds));
        let phase = Duration::from_secs(30);
        for (text, expected) in [
            ("sliding-log:200/60s", limit(Algorithm::SlidingLog, 60)),
            ("sliding-log:200/1m", limit(Algorithm::SlidingLog, 60)),
            ("token-bucket:200/1000ms,burst=50", limit(Algorithm::TokenBucket { burst: 50 }, 1)),
            ("gcra:200/1s", limit(Algorithm::Gcra { burst: 200 }, 1)),
            ("fixed-window-aligned:200/60s,phase=30s", limit(Algorithm::FixedWindowAligned { phase }, 60)),
            ("leaky-queue:200/1s", limit(Algorithm::LeakyQueue { capacity: 200 }, 1)),
            (
                "sliding-counter:200/60s,scope=replica:3,rejected,unit=kv",
                Limit { count_rejected: true, unit: Unit::Kv, scope: Scope::Replica(3), ..limit(Algorithm::SlidingCounter, 60) },
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
            ("gcra:200/60", "`60` is no length of time such as 60s, 500ms or 1m, above zero and at most 24h"),
            ("gcra:200/0s", "`0s` is no length of time such as 60s, 500ms or 1m, above zero and at most 24h"),
            ("gcra:200/25h", "`25h` is no length of time such as 60s, 500ms or 1m, above zero and at most 24h"),
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
                let kind = match Algorithm::all(burst)[kind] {
                    Algorithm::FixedWindowAligned { .. } => {
                        let phase = window.mul_f64(phase).min(window.saturating_sub(Duration::from_nanos(1)));
                        Algorithm::FixedWindowAligned { phase }
                    }
                    other => other,
                };
                let unit = if kv { Unit::Kv } else { Unit::Request };
                Limit { algorithm: kind, limit, window, count_rejected, unit, scope }
            },
        )
    }

    proptest! {
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
    }
}
