//! Spans of time as people write them, one grammar for files and flags alike.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A span of time: `500ms`, `61s`, `1.5s`, `2m`, `1h30m`; at most [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// No trial, phase, wait, window or time-out is longer: a signature lasts a day.
pub const LONGEST: Duration = Duration::from_hours(24);

/// What a span looks like, for messages.
pub const EXAMPLES: &str = "500ms, 61s or 2m, at most 24h";

/// Of the units that jiff knows, the ones that the schema tells of; all are short and of one spelling.
const UNITS: [&str; 7] = ["ns", "us", "µs", "ms", "s", "m", "h"];

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Span, ()> {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        // A sign, `ago`, ISO 8601 and a bare number are no part of it, though jiff reads most of them.
        let numbers_and_units = text.starts_with(is_number)
            && text.split(is_number).filter(|unit| !unit.is_empty()).all(|unit| UNITS.contains(&unit));
        let span: jiff::SignedDuration = if numbers_and_units { text.parse().map_err(|_| ())? } else { return Err(()) };
        span.try_into().ok().filter(|span| *span <= LONGEST).map(Span).ok_or(())
    }
}

/// In the largest unit that says it exactly.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanoseconds) = (self.0.as_secs(), self.0.subsec_nanos());
        match seconds {
            0 if nanoseconds > 0 => {}
            _ if seconds > 0 && seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600)?,
            _ if seconds > 0 && seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60)?,
            _ => write!(f, "{seconds}s")?,
        }
        match nanoseconds {
            0 => Ok(()),
            _ if nanoseconds.is_multiple_of(1_000_000) => write!(f, "{}ms", nanoseconds / 1_000_000),
            _ => write!(f, "{nanoseconds}ns"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        struct SpanVisitor;
        impl Visitor<'_> for SpanVisitor {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a span of time like {EXAMPLES}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(|()| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(SpanVisitor)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$",
            "description": "A span of time: 500ms, 61s, 1.5s, 2m; at most 24h.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units_and_nothing_else_is_one() {
        let read = |text: &str| text.parse::<Span>().map(|span| span.0);
        let spans = [
            ("61s", Duration::from_secs(61)),
            ("500ms", Duration::from_millis(500)),
            ("2m", Duration::from_mins(2)),
            ("1.5s", Duration::from_millis(1500)),
            ("200us", Duration::from_micros(200)),
            ("1h30m", Duration::from_mins(90)),
            ("24h", LONGEST),
        ];
        for (text, span) in spans {
            assert_eq!(read(text), Ok(span), "{text}");
        }
        for (written, span) in spans {
            assert_eq!(Span(span).to_string().parse::<Span>().map(|span| span.0), Ok(span), "{written}");
        }
        assert_eq!(Span(Duration::from_secs(61)).to_string(), "61s");
        assert_eq!(Span(Duration::from_mins(2)).to_string(), "2m");
        assert_eq!(Span(Duration::ZERO).to_string(), "0s");
        assert!(EXAMPLES.ends_with(&Span(LONGEST).to_string()));
        for wrong in ["61", "s", "-1s", "+1s", "1s ago", "PT1S", "1d", "1 s", "24h1ns", "99999999999999999999s", ""] {
            assert_eq!(read(wrong), Err(()), "{wrong}");
        }
    }
}
