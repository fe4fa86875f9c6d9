//! A load plan as it stands in a file. Every problem is located, all of them are told at once.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::Value as Json;

use super::check::Check;
use super::{Choice, Rate, Spacing};
use crate::scenario::extent::Extent;
use crate::scenario::{Caller, schema};
use crate::yaml::span::Span;

/// The plans that are built in.
pub const BUNDLED: &[(&str, &str, &str)] = &[
    ("limits", "scenarios/load/limits.yaml", include_str!("../../../scenarios/load/limits.yaml")),
    ("soak", "scenarios/load/soak.yaml", include_str!("../../../scenarios/load/soak.yaml")),
    ("ramp", "scenarios/load/ramp.yaml", include_str!("../../../scenarios/load/ramp.yaml")),
    ("spike", "scenarios/load/spike.yaml", include_str!("../../../scenarios/load/spike.yaml")),
];

/// A load plan: phases of traffic, and what has to hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PlanFile {
    /// One sentence that says what the plan is for.
    pub(super) title: String,
    /// Most calls under way at a time; each has a connection of its own.
    #[serde(default = "sixteen")]
    pub(super) connections: NonZeroU32,
    /// How long a reply may take.
    #[serde(default = "ten_seconds")]
    pub(super) timeout: Span,
    /// Messages that are made for the run.
    #[serde(default = "sixty_four")]
    pub(super) messages: NonZeroU32,
    /// A call that the generator itself is later with than this is left out, not sent late. Without it every call is sent.
    #[serde(default)]
    pub(super) skip_later_than: Option<Span>,
    /// Judges the limits of the target against these (clauses LIM-1 to LIM-5).
    #[serde(default)]
    pub(super) limits: Option<LimitsFile>,
    /// What the calls are like, where a phase does not say.
    #[serde(default)]
    pub(super) traffic: TrafficFile,
    pub(super) phases: Vec<PhaseFile>,
    /// What has to hold of the whole run.
    #[serde(default)]
    pub(super) checks: Vec<CheckText>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitsFile {
    pub(super) app: RateText,
    pub(super) message: RateText,
}

/// One stretch of a plan. It has exactly one kind of arrivals: rate, from and to, burst, or rest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PhaseFile {
    pub(super) name: String,
    /// Calls a second: 200/s, 12000/m; `max` sends as fast as the connections let it.
    #[serde(default)]
    pub(super) rate: Option<RateOrMax>,
    /// With `to`: a rate that changes evenly, or, with `by` and `each`, in steps.
    #[serde(default)]
    pub(super) from: Option<RateText>,
    #[serde(default)]
    pub(super) to: Option<RateText>,
    #[serde(default)]
    pub(super) by: Option<RateText>,
    #[serde(default)]
    pub(super) each: Option<Span>,
    #[serde(default)]
    pub(super) burst: Option<BurstFile>,
    /// Sends nothing for so long.
    #[serde(default)]
    pub(super) rest: Option<Span>,
    #[serde(default, rename = "for")]
    pub(super) duration: Option<Span>,
    /// In place of `for`: exactly so many calls.
    #[serde(default)]
    pub(super) calls: Option<u64>,
    #[serde(default)]
    pub(super) arrivals: Spacing,
    #[serde(default)]
    pub(super) traffic: TrafficFile,
    #[serde(default)]
    pub(super) checks: Vec<CheckText>,
    /// Ends the run when a check of this phase fails at the end of a second.
    #[serde(default)]
    pub(super) abort_on_fail: bool,
}

/// `calls` calls at `rate`, every so often.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BurstFile {
    pub(super) calls: u64,
    pub(super) rate: RateText,
    pub(super) every: Span,
    #[serde(default = "one")]
    pub(super) times: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TrafficFile {
    #[serde(default)]
    pub(super) mix: Option<MixFile>,
    /// Pairs in a set or a delete.
    #[serde(default)]
    pub(super) kvs: Option<Extent>,
    #[serde(default)]
    pub(super) value_bytes: Option<Extent>,
    /// Keys of each message that are used.
    #[serde(default)]
    pub(super) keys: Option<u32>,
    /// Which of the messages, counted from 1.
    #[serde(default)]
    pub(super) messages: Option<Extent>,
    #[serde(default)]
    pub(super) choose: Option<Choice>,
    /// Who calls; several take turns.
    #[serde(default, rename = "as")]
    pub(super) callers: Option<Vec<Caller>>,
}

/// Shares of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MixFile {
    #[serde(default)]
    pub(super) set: u32,
    #[serde(default)]
    pub(super) delete: u32,
    #[serde(default)]
    pub(super) clear: u32,
}

fn one() -> u64 {
    1
}

fn sixteen() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(15)
}

fn sixty_four() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(63)
}

fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RateText(pub(super) Rate);

/// A rate, or as many calls as the connections let through.
#[derive(Clone, Copy, Debug)]
pub enum RateOrMax {
    Rate(Rate),
    Max,
}

#[derive(Clone, Debug)]
pub(super) struct CheckText(pub(super) Check);

/// Reads a text that has a form of its own.
fn read_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    form: &'static str,
    read: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct FormVisitor<T> {
        form: &'static str,
        read: fn(&str) -> Result<T, String>,
    }
    impl<T> Visitor<'_> for FormVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.form)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.read)(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_any(FormVisitor { form, read })
}

impl<'de> Deserialize<'de> for RateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RateText, D::Error> {
        read_text(deserializer, "a rate such as 200/s", |text| text.parse().map(RateText))
    }
}

impl<'de> Deserialize<'de> for RateOrMax {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RateOrMax, D::Error> {
        read_text(deserializer, "a rate such as 200/s, or max", |text| match text {
            "max" => Ok(RateOrMax::Max),
            text => text.parse().map(RateOrMax::Rate),
        })
    }
}

impl<'de> Deserialize<'de> for CheckText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CheckText, D::Error> {
        read_text(deserializer, "a check such as \"p99 response < 50ms\"", |text| {
            text.parse().map(CheckText).map_err(|error: super::check::CheckSyntax| error.to_string())
        })
    }
}

macro_rules! text_schema {
    ($($type:ident: $json:tt)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($json)
            }
        }
    )*};
}

text_schema! {
    RateText: {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?/[0-9.]*(ns|us|µs|ms|s|m|h)$", "description": "A rate: 200/s, 12000/m, 200/1s."}
    RateOrMax: {"type": "string", "pattern": r"^(max|[0-9]+(\.[0-9]+)?/[0-9.]*(ns|us|µs|ms|s|m|h))$", "description": "A rate, or max."}
    CheckText: {"type": "string", "description": "p99 response < 50ms; refused = 0; accepted rate >= 199/s; codes.60007 >= 1."}
}

/// The schema of a plan file.
pub fn schema() -> Json {
    schema::of::<PlanFile>().to_value()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::load::{Arrivals, load};

    fn problems(text: &str) -> Vec<String> {
        let (_, plan) = load("plan.yaml", text);
        plan.err().unwrap_or_default().into_iter().map(|problem| problem.message).collect()
    }

    const HEAD: &str = "title: t\nphases:\n";

    #[test]
    fn every_bundled_plan_is_in_order() {
        for (name, path, text) in BUNDLED {
            let (_, plan) = load(path, text);
            let plan = plan.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            assert_eq!(plan.name, *name);
        }
    }

    #[test]
    fn phases_are_lowered_to_their_arrivals() {
        let text = format!(
            "{HEAD}  - {{name: a, rate: 200/s, for: 10s}}\n  - {{name: b, from: 100/s, to: 300/s, by: 100/s, each: 5s}}\n  \
             - {{name: c, rate: 12000/m, calls: 7}}\n  - {{name: d, rate: max, for: 1s, traffic: {{messages: {{from: 2, to: 3}}, choose: {{hot: {{one-in: 2}}}}}}}}\n"
        );
        let (_, plan) = load("x/plan.yaml", &text);
        let plan = plan.expect("a plan");
        let names: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["a", "b-100", "b-200", "b-300", "c", "d"]);
        assert_eq!(
            plan.phases[4].arrivals,
            Arrivals::Count { calls: 7, rate: Rate { calls: 12_000, per: Duration::from_mins(1) } }
        );
        let own = plan.phases[5].traffic.as_ref().expect("its own");
        assert_eq!((own.messages, own.choice), ((1, 3), Choice::Hot { one_in: 2 }));
    }

    #[test]
    fn each_problem_is_told_and_all_at_once() {
        let cases = [
            ("  - {name: a, rate: 200/s}\n", "a rate needs either for or calls"),
            ("  - {name: a, rate: 200/s, rest: 1s, for: 1s}\n", "exactly one of rate"),
            ("  - {name: a, rest: 1s}\n", "no phase sends anything"),
            ("  - {name: a, rate: fast, for: 1s}\n", "is no rate"),
            ("  - {name: a, rate: 1/s, for: 1s, checks: [p99 <]}\n", "nothing that can be checked"),
            ("  - {name: a, rate: 1/s, for: 1s, traffic: {kvs: 21}}\n", "1 to 20 pairs"),
            ("  - {name: a, rate: 1/s, for: 1s, traffic: {messages: 65}}\n", "messages 1 to 64"),
            ("  - {name: a, rate: 1/s, for: 1s, traffic: {as: [stranger]}}\n", "admin, sender and recipient"),
            ("  - {name: a, rate: 1/s, fro: 1s}\n", "fro"),
            ("  - {name: a, rate: 1/s, for: 1s}\n  - {name: b, rest: 1s, checks: [\"sent = 0\"]}\n", "`checks` says nothing"),
            ("  - {name: a, burst: {calls: 1, rate: 1/s, every: 1s}, for: 1s}\n", "`for` says nothing"),
            ("  - {name: a, rate: max, for: 1s, arrivals: poisson}\n", "`arrivals` says nothing"),
            ("  - {name: a, rate: 1/s, for: 1s, abort-on-fail: true}\n", "no check that could fail"),
            ("  - {name: a, rate: 1/s, for: 0s}\n", "takes no time"),
            ("  - {name: a, rate: 1/s, for: 1s}\ntimeout: 0s\n", "no reply comes in no time"),
            ("  - {name: a, rate: 1/s, for: 1s}\nconnections: 100000\n", "at most 20000 connections"),
            ("  - {name: a, rate: 10000/s, for: 60s}\nlimits: {app: 200/1s, message: 200/60s}\n", "at most 200000 calls"),
        ];
        for (phase, part) in cases {
            let told = problems(&format!("{HEAD}{phase}"));
            assert!(told.iter().any(|problem| problem.contains(part)), "{phase}: {told:?}");
        }
        let two = problems(&format!(
            "{HEAD}  - {{name: a, rate: 1/s, for: 1s}}\n  - {{name: a, rate: 1/s}}\n  - {{name: b, rest: 1s, rate: 1/s}}\n"
        ));
        assert_eq!(two.len(), 2, "{two:?}");
    }

    #[test]
    fn each_problem_stands_at_the_value_that_it_is_about_and_hides_no_other() {
        let text = "\
title: t
connections: 0
timeout: 99h
traffic: {kvs: {from: 3, to: 2}, keys: 400, mix: {set: many}}
phases:
  - {name: a, rate: 50, for: 0s, traffic: {kvs: 21}}
  - {name: b, rate: 1/s, for: 1s, checks: [\"errors = 0\", \"p99 <\", \"lost = 0\"]}
  - {name: c, rate: 1/s, rest: 1s}
  - {name: d, from: 1/s, to: 2/s, by: 0/s, each: 0s}
  - {name: e, burst: {calls: 100, rate: 1/s, every: 1s}}
  - {name: e, rate: max, calls: 5, fro: 1s, for: 1s, arrivals: poisson}
  - {name: f, rate: 1/s}
checks: [\"sent > 1\", 5]
";
        let (_, plan) = load("plan.yaml", text);
        let place = |problem: &crate::yaml::source::Problem| {
            let place = problem.place.as_ref().expect("a place");
            format!("{}:{} {}", place.line, place.column, &text[place.span.clone()])
        };
        let mut told: Vec<String> = plan.expect_err("problems").iter().map(place).collect();
        told.sort_by_key(|told| told.split_once(':').and_then(|(line, _)| line.parse::<u32>().ok()));
        assert_eq!(
            told,
            [
                "2:14 0",
                "3:10 99h",
                "4:16 {from: 3, to: 2}",
                "4:56 many",
                "4:40 400",
                "6:21 50",
                "6:49 21",
                "6:30 0s",
                "7:58 \"p99 <\"",
                "8:26 rest",
                "9:39 0/s",
                "9:50 0s",
                "10:53 1s",
                "11:36 fro",
                "11:26 calls",
                "11:54 arrivals",
                "12:15 rate",
                "13:22 5",
            ]
        );
    }

    #[test]
    fn what_could_not_be_read_is_not_missing_too() {
        for phase in
            ["rate: fast, for: 1s", "rate: 1/s, for: soon", "from: 1/s, to: 2/s, by: x, each: 1s", "burst: 5", "rest: no"]
        {
            let told = problems(&format!("{HEAD}  - {{name: a, {phase}}}\n"));
            assert_eq!(told.len(), 1, "{phase}: {told:?}");
        }
    }

    #[test]
    fn the_schema_takes_the_bundled_plans_and_refuses_a_misspelt_one() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let valid = |text: &str| validator.is_valid(&serde_yaml::from_str::<Json>(text).expect("YAML"));
        for (name, _, text) in BUNDLED {
            assert!(valid(text), "{name}");
        }
        assert!(!valid("title: t\nphase: []\n") && !valid("title: t\nphases: [{name: a, rate: fast}]\n"));
    }
}
