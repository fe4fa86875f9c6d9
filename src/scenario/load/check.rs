//! Checks in plain words: `p99 response < 50ms`, `refused = 0`, `accepted rate >= 199/s`, `codes.60007 >= 1`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::history::Class;
use crate::yaml::span::Span;

/// What a stretch of load has to come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Check {
    /// As it was written.
    pub text: String,
    pub subject: Subject,
    pub relation: Relation,
    /// In the subject's unit: microseconds, calls, calls a second, or a share from 0 to 1.
    pub bound: f64,
}

impl Check {
    /// Whether only the target can make it fail, however badly calls were sent.
    pub fn is_on_the_target_alone(&self) -> bool {
        let (Subject::Count(counted) | Subject::Share(counted)) = self.subject else { return false };
        matches!(counted, Counted::Class(Class::Error | Class::Lost) | Counted::Findings)
    }
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

/// Why a text is no check; says what could stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckSyntax {
    #[error("`{0}` compares nothing: write SUBJECT RELATION BOUND, such as p99 response < 50ms, with one of < <= = != >= >")]
    NoRelation(String),
    #[error("`{0}` is nothing that can be checked; there are {subjects}", subjects = SUBJECTS)]
    Subject(String),
    #[error("`{bound}` is no bound for {subject}: write {form}")]
    Bound { bound: String, subject: String, form: &'static str },
}

const SUBJECTS: &str = "STATISTIC TIME [of CLASS] (p99 response, max lag, mean wait, p99.9 service of accepted), COUNT \
    (sent, accepted, conflicts, refused, errors, lost, skipped, unsent, findings, codes.60007), COUNT rate (accepted rate), COUNT share";

const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("!=", Relation::NotEqual),
    ("<", Relation::Less),
    (">", Relation::More),
    ("=", Relation::Equal),
];

const TIMINGS: [(&str, Timing); 4] =
    [("lag", Timing::Lag), ("wait", Timing::Wait), ("service", Timing::Service), ("response", Timing::Response)];

const COUNTS: [(&str, Counted); 10] = [
    ("planned", Counted::Planned),
    ("sent", Counted::Sent),
    ("skipped", Counted::Skipped),
    ("unsent", Counted::Unsent),
    ("accepted", Counted::Class(Class::Accepted)),
    ("conflicts", Counted::Class(Class::Conflict)),
    ("refused", Counted::Class(Class::Refused)),
    ("errors", Counted::Class(Class::Error)),
    ("lost", Counted::Class(Class::Lost)),
    ("findings", Counted::Findings),
];

impl TryFrom<String> for Check {
    type Error = CheckSyntax;

    fn try_from(text: String) -> Result<Check, CheckSyntax> {
        text.parse()
    }
}

impl From<Check> for String {
    fn from(check: Check) -> String {
        check.text
    }
}

impl FromStr for Check {
    type Err = CheckSyntax;

    fn from_str(text: &str) -> Result<Check, CheckSyntax> {
        let found = RELATIONS.iter().filter_map(|(sign, relation)| text.find(sign).map(|at| (at, *sign, *relation)));
        // Of two signs at one place the longer one stands there.
        let found = found.min_by_key(|(at, sign, _)| (*at, usize::MAX - sign.len()));
        let (at, sign, relation) = found.ok_or_else(|| CheckSyntax::NoRelation(text.to_owned()))?;
        let (left, right) = (text[..at].trim(), text[at + sign.len()..].trim());
        let subject = subject(left).ok_or_else(|| CheckSyntax::Subject(left.to_owned()))?;
        let (bound, form) = match subject {
            Subject::Time { .. } => (microseconds(right), "a time, such as 50ms, 200us or 1.5s, at most 24h"),
            Subject::Count(_) => (number(right), "a number"),
            Subject::Rate(_) => (right.strip_suffix("/s").and_then(number), "a rate, such as 199/s"),
            Subject::Share(_) => (right.strip_suffix('%').and_then(number).map(|percent| percent / 100.0), "a share, such as 1%"),
        };
        let bound = bound.ok_or_else(|| CheckSyntax::Bound { bound: right.to_owned(), subject: left.to_owned(), form })?;
        Ok(Check { text: text.trim().to_owned(), subject, relation, bound })
    }
}

fn subject(text: &str) -> Option<Subject> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [count] => counted(count).map(Subject::Count),
        [count, "rate"] => counted(count).map(Subject::Rate),
        [count, "share"] => counted(count).map(Subject::Share),
        [first, time] => Some(Subject::Time { statistic: statistic(first)?, timing: of(&TIMINGS, time)?, class: None }),
        [first, time @ ("service" | "response"), "of", class] => {
            let Counted::Class(class) = of(&COUNTS, class)? else { return None };
            Some(Subject::Time { statistic: statistic(first)?, timing: of(&TIMINGS, time)?, class: Some(class) })
        }
        _ => None,
    }
}

fn counted(word: &str) -> Option<Counted> {
    match word.strip_prefix("codes.") {
        Some(code) => code.parse().ok().map(Counted::Code),
        None => of(&COUNTS, word),
    }
}

fn statistic(word: &str) -> Option<Statistic> {
    match word {
        "min" => Some(Statistic::Min),
        "mean" => Some(Statistic::Mean),
        "max" => Some(Statistic::Max),
        _ => {
            let percent = word.strip_prefix('p').and_then(number).filter(|percent| *percent <= 100.0);
            // By way of millionths, so that 99.9 % is 0.999 and not its neighbour.
            percent.map(|percent| Statistic::Quantile((percent * 1e6).round() / 1e8))
        }
    }
}

fn of<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
}

/// A plain decimal number; no sign, exponent or `inf`.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

fn microseconds(text: &str) -> Option<f64> {
    text.parse().ok().map(|Span(time)| time.as_nanos() as f64 / 1e3)
}

impl Relation {
    pub fn holds(self, actual: f64, bound: f64) -> bool {
        match self {
            Relation::Less => actual < bound,
            Relation::AtMost => actual <= bound,
            #[expect(clippy::float_cmp, reason = "counts are compared for equality, and are exact")]
            Relation::Equal => actual == bound,
            #[expect(clippy::float_cmp, reason = "as above")]
            Relation::NotEqual => actual != bound,
            Relation::AtLeast => actual >= bound,
            Relation::More => actual > bound,
        }
    }

    /// Whether a large value is what breaks it.
    pub fn bounds_above(self) -> bool {
        matches!(self, Relation::Less | Relation::AtMost | Relation::Equal)
    }

    /// Whether a small value is what breaks it.
    pub fn bounds_below(self) -> bool {
        matches!(self, Relation::AtLeast | Relation::More | Relation::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_in_plain_words() {
        let time = |statistic, timing, class| Subject::Time { statistic, timing, class };
        let cases = [
            ("p99 response < 50ms", time(Statistic::Quantile(0.99), Timing::Response, None), Relation::Less, 50_000.0),
            (
                "p99.9 service of accepted <= 3s",
                time(Statistic::Quantile(0.999), Timing::Service, Some(Class::Accepted)),
                Relation::AtMost,
                3e6,
            ),
            ("max lag<200us", time(Statistic::Max, Timing::Lag, None), Relation::Less, 200.0),
            ("refused = 0", Subject::Count(Counted::Class(Class::Refused)), Relation::Equal, 0.0),
            ("errors != 0", Subject::Count(Counted::Class(Class::Error)), Relation::NotEqual, 0.0),
            ("accepted rate >= 199/s", Subject::Rate(Counted::Class(Class::Accepted)), Relation::AtLeast, 199.0),
            ("refused share < 1%", Subject::Share(Counted::Class(Class::Refused)), Relation::Less, 0.01),
            ("codes.60007 >= 1", Subject::Count(Counted::Code(60007)), Relation::AtLeast, 1.0),
        ];
        for (text, subject, relation, bound) in cases {
            assert_eq!(text.parse(), Ok(Check { text: text.to_owned(), subject, relation, bound }), "{text}");
        }
    }

    #[test]
    fn what_is_no_check_says_what_could_stand_there() {
        let cases = [
            ("p99 response", "compares nothing"),
            ("p101 response < 1ms", "nothing that can be checked"),
            ("p99 lag of lost < 1ms", "nothing that can be checked"),
            ("p99 response < 50", "a time, such as"),
            ("refused < 1ms", "a number"),
            ("accepted rate > 199", "a rate, such as"),
            ("lost share < 1", "a share, such as"),
            ("lost < -1", "a number"),
            ("lost == 0", "a number"),
            ("codes.x = 1", "nothing that can be checked"),
        ];
        for (text, part) in cases {
            let error = text.parse::<Check>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
