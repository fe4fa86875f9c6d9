//! Rates as people write them, one grammar for files and flags alike.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::span::Span;

/// Calls a second, exactly: `calls` in `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub calls: u64,
    pub per: Duration,
}

/// What a rate looks like, for messages.
pub const EXAMPLES: &str = "200/s, 12000/m or 200/1s";

impl Rate {
    pub const fn a_second(calls: u64) -> Rate {
        Rate { calls, per: Duration::from_secs(1) }
    }

    /// A rate on the command line, where a bare number is a second's.
    pub fn of_argument(text: &str) -> Result<Rate, String> {
        if text.contains('/') { text.parse() } else { format!("{text}/s").parse() }
            .map_err(|_: String| format!("write {EXAMPLES}; a bare number is a second's"))
    }

    pub fn per_second(self) -> f64 {
        self.calls as f64 / self.per.as_secs_f64()
    }

    /// The time that so many calls take, rounded up.
    pub fn time(self, calls: u64) -> Duration {
        let time = (u128::from(calls) * self.per.as_nanos()).div_ceil(u128::from(self.calls.max(1)));
        Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = String;

    /// `200/s`, `12000/m`, `200/1s`; a fraction such as `0.5/s` is kept exactly.
    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("`{text}` is no rate: write {EXAMPLES}");
        let (calls, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = if per.starts_with(|letter: char| letter.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let Span(mut per) = per.parse().map_err(|()| wrong())?;
        let (whole, fraction) = calls.split_once('.').unwrap_or((calls, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let scale = 10_u32.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let calls: u64 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
        per = per.checked_mul(scale).ok_or_else(wrong)?;
        if calls == 0 || per.is_zero() { Err(wrong()) } else { Ok(Rate { calls, per }) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = Span(self.per).to_string();
        write!(f, "{}/{}", self.calls, if per == "1s" { "s" } else { &per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact() {
        for (text, calls, per_ms) in
            [("200/s", 200, 1000), ("200/1s", 200, 1000), ("0.5/s", 5, 10_000), ("3/500ms", 3, 500), ("5/h", 5, 3_600_000)]
        {
            let rate = Rate { calls, per: Duration::from_millis(per_ms) };
            assert_eq!(text.parse(), Ok(rate), "{text}");
            assert_eq!(rate.to_string().parse(), Ok(rate), "{rate}");
        }
        for wrong in ["200", "0/s", "/s", "-1/s", "1/0s", "1e3/s", "5/d", "1/25h"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bare_number_is_a_second_s_on_the_command_line_only() {
        assert_eq!(Rate::of_argument("200"), Ok(Rate::a_second(200)));
        assert_eq!(Rate::of_argument("200/m"), "200/m".parse());
        for wrong in ["0", "fast", "-1", "200/", ""] {
            assert!(Rate::of_argument(wrong).is_err_and(|told| told.contains(EXAMPLES)), "{wrong}");
        }
    }
}
