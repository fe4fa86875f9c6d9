//! A load plan as it stands in a file, and what it means. Every problem is located, all of them are told at once.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and step counts are positive, and bounded by the lint"
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

use super::check::Check;
use super::{Arrivals, Choice, Limits, Mix, Phase, Plan, Rate, Spacing, Traffic};
use crate::scenario::Caller;
use crate::yaml::reader::read_file;
use crate::yaml::source::{Problem, SourceFile};
use crate::yaml::span::Span;

/// The plans that are built in.
pub const BUNDLED: &[(&str, &str, &str)] = &[
    ("limits", "scenarios/load/limits.yaml", include_str!("../../../scenarios/load/limits.yaml")),
    ("soak", "scenarios/load/soak.yaml", include_str!("../../../scenarios/load/soak.yaml")),
    ("ramp", "scenarios/load/ramp.yaml", include_str!("../../../scenarios/load/ramp.yaml")),
    ("spike", "scenarios/load/spike.yaml", include_str!("../../../scenarios/load/spike.yaml")),
];

/// A day: a signature lasts no longer, and no histogram has to.
const LONGEST: Duration = Duration::from_hours(23);
const MOST_CALLS: f64 = 1e10;
const MOST_SHARES: u32 = 1_000_000;
/// More have no ports on one address, or nearly so.
const MOST_CONNECTIONS: u32 = 20_000;
/// Each is made by a call before the run.
const MOST_MESSAGES: u32 = 1_000_000;
/// A judged plan keeps every call in memory.
const MOST_JUDGED_CALLS: f64 = 200_000.0;

/// A load plan: phases of traffic, and what has to hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PlanFile {
    /// One sentence that says what the plan is for.
    title: String,
    /// Most calls under way at a time; each has a connection of its own.
    #[serde(default = "sixteen")]
    connections: NonZeroU32,
    /// How long a reply may take.
    #[serde(default = "ten_seconds")]
    timeout: Span,
    /// Messages that are made for the run.
    #[serde(default = "sixty_four")]
    messages: NonZeroU32,
    /// A call that the generator itself is later with than this is left out, not sent late. Without it every call is sent.
    #[serde(default)]
    skip_later_than: Option<Span>,
    /// Judges the limits of the target against these (clauses LIM-1 to LIM-5).
    #[serde(default)]
    limits: Option<LimitsFile>,
    /// What the calls are like, where a phase does not say.
    #[serde(default)]
    traffic: TrafficFile,
    phases: Vec<PhaseFile>,
    /// What has to hold of the whole run.
    #[serde(default)]
    checks: Vec<CheckText>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsFile {
    app: RateText,
    message: RateText,
}

/// One stretch of a plan. It has exactly one kind of arrivals: rate, from and to, burst, or rest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PhaseFile {
    name: String,
    /// Calls a second: 200/s, 12000/m; `max` sends as fast as the connections let it.
    #[serde(default)]
    rate: Option<RateOrMax>,
    /// With `to`: a rate that changes evenly, or, with `by` and `each`, in steps.
    #[serde(default)]
    from: Option<RateText>,
    #[serde(default)]
    to: Option<RateText>,
    #[serde(default)]
    by: Option<RateText>,
    #[serde(default)]
    each: Option<Span>,
    #[serde(default)]
    burst: Option<BurstFile>,
    /// Sends nothing for so long.
    #[serde(default)]
    rest: Option<Span>,
    #[serde(default, rename = "for")]
    duration: Option<Span>,
    /// In place of `for`: exactly so many calls.
    #[serde(default)]
    calls: Option<u64>,
    #[serde(default)]
    arrivals: Spacing,
    #[serde(default)]
    traffic: TrafficFile,
    #[serde(default)]
    checks: Vec<CheckText>,
    /// Ends the run when a check of this phase fails at the end of a second.
    #[serde(default)]
    abort_on_fail: bool,
}

/// `calls` calls at `rate`, every so often.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BurstFile {
    calls: u64,
    rate: RateText,
    every: Span,
    #[serde(default = "one")]
    times: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TrafficFile {
    #[serde(default)]
    mix: Option<MixFile>,
    /// Pairs in a set or a delete.
    #[serde(default)]
    kvs: Option<Extent>,
    #[serde(default)]
    value_bytes: Option<Extent>,
    /// Keys of each message that are used.
    #[serde(default)]
    keys: Option<u32>,
    /// Which of the messages, counted from 1.
    #[serde(default)]
    messages: Option<Extent>,
    #[serde(default)]
    choose: Option<Choice>,
    /// Who calls; several take turns.
    #[serde(default, rename = "as")]
    callers: Option<Vec<Caller>>,
}

/// Shares of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MixFile {
    #[serde(default)]
    set: u32,
    #[serde(default)]
    delete: u32,
    #[serde(default)]
    clear: u32,
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

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Json")]
struct RateText(Rate);

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Json")]
enum RateOrMax {
    Rate(Rate),
    Max,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Json")]
struct CheckText(Check);

/// A number, or `{from: 1, to: 20}`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Json")]
struct Extent(u32, u32);

const RATE_FORM: &str = "a rate: 200/s, 12000/m or 200/1s";

impl std::str::FromStr for Rate {
    type Err = String;

    /// `200/s`, `12000/m`, `200/1s`; a fraction such as `0.5/s` is kept exactly.
    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("`{text}` is no rate: write 200/s, 12000/m or 200/1s");
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

fn text(json: &Json, form: &str) -> Result<String, String> {
    json.as_str().map(str::to_owned).ok_or_else(|| format!("expected {form}"))
}

impl TryFrom<Json> for RateText {
    type Error = String;
    fn try_from(json: Json) -> Result<RateText, String> {
        text(&json, RATE_FORM)?.parse().map(RateText)
    }
}

impl TryFrom<Json> for RateOrMax {
    type Error = String;
    fn try_from(json: Json) -> Result<RateOrMax, String> {
        match text(&json, "a rate such as 200/s, or max")?.as_str() {
            "max" => Ok(RateOrMax::Max),
            text => text.parse().map(RateOrMax::Rate),
        }
    }
}

impl TryFrom<Json> for CheckText {
    type Error = String;
    fn try_from(json: Json) -> Result<CheckText, String> {
        text(&json, "a check such as \"p99 response < 50ms\"")?
            .parse()
            .map(CheckText)
            .map_err(|error: super::check::CheckSyntax| error.to_string())
    }
}

impl TryFrom<Json> for Extent {
    type Error = String;
    fn try_from(json: Json) -> Result<Extent, String> {
        let number = |json: &Json| json.as_u64().and_then(|number| u32::try_from(number).ok());
        let ends = match &json {
            Json::Object(object) if object.len() == 2 => {
                object.get("from").and_then(number).zip(object.get("to").and_then(number))
            }
            json => number(json).map(|number| (number, number)),
        };
        match ends {
            Some((from, to)) if from <= to => Ok(Extent(from, to)),
            _ => Err("expected a number, or { from: 1, to: 20 }".to_owned()),
        }
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
    Extent: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "object", "additionalProperties": false, "required": ["from", "to"],
        "properties": {"from": {"type": "integer", "minimum": 0}, "to": {"type": "integer", "minimum": 0}}}],
        "description": "A number, or { from: …, to: … }."}
}

/// The schema of a plan file.
pub fn schema() -> Json {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PlanFile>().to_value()
}

/// A plan read from its file.
pub fn load(path: &str, text: &str) -> (Arc<SourceFile>, Result<Plan, Vec<Problem>>) {
    let (source, file) = read_file::<PlanFile>(path, text);
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".yaml").trim_end_matches(".yml");
    let plan = file.and_then(|file| {
        let mut lowering = Lowering { source: &source, problems: Vec::new() };
        let plan = lowering.plan(&file, name);
        if lowering.problems.is_empty() { Ok(plan) } else { Err(lowering.problems) }
    });
    (source, plan)
}

struct Lowering<'s> {
    source: &'s SourceFile,
    problems: Vec<Problem>,
}

impl Lowering<'_> {
    fn problem(&mut self, place: &str, message: impl Into<String>, help: &str) {
        self.problems.push(self.source.problem(place, message, Some(help.to_owned())));
    }

    fn plan(&mut self, file: &PlanFile, name: &str) -> Plan {
        let base = Traffic {
            mix: Mix { set: 1, delete: 0, clear: 0 },
            kvs: (1, 1),
            value_bytes: (32, 32),
            keys: 20,
            messages: (0, file.messages.get()),
            choice: Choice::Spread,
            callers: vec![Caller::Admin],
        };
        let traffic = self.traffic(&file.traffic, &base, "/traffic");
        let mut phases: Vec<Phase> = Vec::new();
        for (index, phase) in file.phases.iter().enumerate() {
            let place = format!("/phases/{index}");
            let own = self.traffic(&phase.traffic, &traffic, &format!("{place}/traffic"));
            for (name, arrivals) in self.arrivals(phase, &place) {
                if phases.iter().any(|other| other.name == name) {
                    self.problem(&format!("{place}/name"), format!("another phase is called `{name}`"), "rename one");
                }
                phases.push(Phase {
                    name,
                    arrivals,
                    traffic: (own != traffic).then(|| own.clone()),
                    checks: phase.checks.iter().map(|check| check.0.clone()).collect(),
                    abort_on_fail: phase.abort_on_fail,
                    place: place.clone(),
                });
            }
        }
        let plan = Plan {
            name: name.to_owned(),
            title: file.title.clone(),
            phases,
            traffic,
            messages: file.messages,
            connections: file.connections,
            timeout: file.timeout.0,
            skip_later_than: file.skip_later_than.map(|span| span.0),
            patience: None,
            limits: file.limits.as_ref().map(|limits| Limits { app: limits.app.0, message: limits.message.0 }),
            checks: file.checks.iter().map(|check| check.0.clone()).collect(),
        };
        for (place, message, help) in plan.problems() {
            self.problem(place, message, help);
        }
        plan
    }

    fn traffic(&mut self, file: &TrafficFile, base: &Traffic, place: &str) -> Traffic {
        let extent = |extent: Option<Extent>, base| extent.map_or(base, |Extent(from, to)| (from, to));
        let mix = file.mix.map_or(base.mix, |mix| Mix { set: mix.set, delete: mix.delete, clear: mix.clear });
        let messages = file.messages.map_or(base.messages, |Extent(from, to)| (from.saturating_sub(1), to));
        let traffic = Traffic {
            mix,
            kvs: extent(file.kvs, base.kvs),
            value_bytes: extent(file.value_bytes, base.value_bytes),
            keys: file.keys.unwrap_or(base.keys),
            messages,
            choice: file.choose.unwrap_or(base.choice),
            callers: file.callers.clone().unwrap_or_else(|| base.callers.clone()),
        };
        for (field, message, help) in traffic.problems(base.messages.1) {
            self.problem(&format!("{place}/{field}"), message, help);
        }
        traffic
    }

    /// The phases that one entry stands for: several where it goes in steps.
    fn arrivals(&mut self, phase: &PhaseFile, place: &str) -> Vec<(String, Arrivals)> {
        let kinds =
            [phase.rate.is_some(), phase.from.is_some() || phase.to.is_some(), phase.burst.is_some(), phase.rest.is_some()];
        if kinds.into_iter().filter(|is| *is).count() != 1 {
            self.problem(place, "a phase has exactly one of rate, from and to, burst, rest", "write one of them");
            return Vec::new();
        }
        self.stray_fields(phase, place);
        let named = |arrivals| vec![(phase.name.clone(), arrivals)];
        if let Some(Span(rest)) = phase.rest {
            return named(Arrivals::Rest(rest));
        }
        if let Some(burst) = &phase.burst {
            let BurstFile { calls, rate: RateText(rate), every: Span(every), times } = *burst;
            if rate.time(calls) > every {
                self.problem(
                    &format!("{place}/burst"),
                    "a burst lasts longer than the time to the next",
                    "let `every` be longer",
                );
            }
            return named(Arrivals::Bursts { calls, rate, every, times });
        }
        let duration = phase.duration.map(|span| span.0);
        let spacing = phase.arrivals;
        match (phase.rate, phase.from, phase.to, duration, phase.calls) {
            (Some(RateOrMax::Max), _, _, Some(duration), None) => named(Arrivals::Saturate { duration }),
            (Some(RateOrMax::Rate(rate)), _, _, Some(duration), None) => {
                named(Arrivals::Ramp { from: rate, to: rate, duration, spacing })
            }
            (Some(RateOrMax::Rate(rate)), _, _, None, Some(calls)) if spacing == Spacing::Even => {
                named(Arrivals::Count { calls, rate })
            }
            (None, Some(RateText(from)), Some(RateText(to)), None, None) => self.steps(phase, place, from, to),
            (None, Some(RateText(from)), Some(RateText(to)), Some(duration), None) => {
                named(Arrivals::Ramp { from, to, duration, spacing })
            }
            (None, ..) => {
                self.problem(place, "a rate that changes needs from, to and for, or from, to, by and each", "write all of them");
                Vec::new()
            }
            (Some(_), ..) => {
                self.problem(
                    place,
                    "a rate needs either for or calls (calls only with even arrivals)",
                    "write for: 30s, or calls: 6000",
                );
                Vec::new()
            }
        }
    }

    /// A field that would change nothing is a mistake.
    fn stray_fields(&mut self, phase: &PhaseFile, place: &str) {
        let kind = match phase {
            PhaseFile { rest: Some(_), .. } => "rest",
            PhaseFile { burst: Some(_), .. } => "burst",
            PhaseFile { rate: Some(RateOrMax::Max), .. } => "rate: max",
            PhaseFile { rate: Some(_), .. } => "rate",
            _ => "from and to",
        };
        let paced: &[&str] = &["rate", "from and to"];
        let timed: &[&str] = &["rate", "rate: max", "from and to"];
        let sending: &[&str] = &["rate", "rate: max", "from and to", "burst"];
        let fields = [
            ("for", phase.duration.is_some(), timed),
            ("calls", phase.calls.is_some(), &["rate"]),
            ("by", phase.by.is_some(), &["from and to"]),
            ("each", phase.each.is_some(), &["from and to"]),
            ("arrivals", phase.arrivals != Spacing::Even, paced),
            ("traffic", phase.traffic != TrafficFile::default(), sending),
            ("checks", !phase.checks.is_empty(), sending),
            ("abort-on-fail", phase.abort_on_fail, sending),
        ];
        for (field, _, _) in fields.iter().filter(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
            self.problem(&format!("{place}/{field}"), format!("`{field}` says nothing of a phase with {kind}"), "leave it out");
        }
        if phase.abort_on_fail && phase.checks.is_empty() {
            let help = "add checks to this phase, such as [\"errors = 0\"]";
            self.problem(&format!("{place}/abort-on-fail"), "this phase has no check that could fail", help);
        }
    }

    fn steps(&mut self, phase: &PhaseFile, place: &str, from: Rate, to: Rate) -> Vec<(String, Arrivals)> {
        let (Some(RateText(by)), Some(Span(each))) = (phase.by, phase.each) else {
            self.problem(place, "steps need by and each", "write by: 100/s, each: 5s, or a `for` in place of both");
            return Vec::new();
        };
        let [first, last, step] = [from, to, by].map(Rate::per_second);
        let count = ((last - first).abs() / step + 1e-9).floor();
        if count > 1000.0 {
            self.problem(place, "more than 1000 steps", "take larger ones");
            return Vec::new();
        }
        let rate = |number: f64| {
            let calls = first + number * step * (last - first).signum();
            // In millionths, so that steps of 0.1/s are what they say.
            Rate { calls: (calls * 1e6).round() as u64, per: Duration::from_secs(1_000_000) }
        };
        let step = |number: u32| {
            let rate = rate(f64::from(number));
            let arrivals = Arrivals::Ramp { from: rate, to: rate, duration: each, spacing: phase.arrivals };
            (format!("{}-{}", phase.name, rate.per_second()), arrivals)
        };
        (0..=count as u32).map(step).collect()
    }
}

impl Traffic {
    /// What is wrong with it: the field, what, and what to do. `messages` is how many there are.
    pub fn problems(&self, messages: u32) -> Vec<(&'static str, String, &'static str)> {
        let Mix { set, delete, clear } = self.mix;
        let bad = [
            (
                "mix",
                [set, delete, clear].into_iter().any(|share| share > MOST_SHARES),
                format!("a share is at most {MOST_SHARES}"),
                "write smaller numbers in the same proportion",
            ),
            ("mix", set == 0, "without sets there is nothing to delete or clear".to_owned(), "give set a share"),
            ("kvs", !within(self.kvs, 1, 20), "a call has 1 to 20 pairs".to_owned(), "write a number from 1 to 20"),
            ("kvs", self.kvs.1 > self.keys, format!("a call of {} pairs needs as many keys", self.kvs.1), "give more keys"),
            (
                "value-bytes",
                !within(self.value_bytes, 1, 1000),
                "a value has 1 to 1000 bytes".to_owned(),
                "write a number from 1 to 1000",
            ),
            (
                "keys",
                !within((self.keys, self.keys), 1, 300),
                "a message has 1 to 300 keys".to_owned(),
                "write a number from 1 to 300",
            ),
            (
                "messages",
                self.messages.0 >= self.messages.1 || self.messages.1 > messages,
                format!("there are messages 1 to {messages}"),
                "name some of these, or let the plan make more",
            ),
            (
                "choose",
                matches!(self.choice, Choice::Zipf(exponent) if !(exponent > 0.0 && exponent <= 10.0)),
                "a zipf exponent is above 0 and at most 10".to_owned(),
                "write choose: {zipf: 1.1}",
            ),
            (
                "choose",
                matches!(self.choice, Choice::Hot { one_in: 0 }),
                "one call in 0 is none".to_owned(),
                "write choose: {hot: {one-in: 2}} for every second call",
            ),
            (
                "as",
                self.callers.is_empty() || self.callers.contains(&Caller::Stranger),
                "calls are made by admin, sender and recipient".to_owned(),
                "name one of them at least, and no stranger",
            ),
        ];
        bad.into_iter().filter(|(_, is, ..)| *is).map(|(field, _, message, help)| (field, message, help)).collect()
    }
}

fn within((from, to): (u32, u32), least: u32, most: u32) -> bool {
    least <= from && from <= to && to <= most
}

impl Plan {
    /// What is wrong with the plan as a whole: the place, what, and what to do.
    pub fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let sends = self.phases.iter().any(|phase| !matches!(phase.arrivals, Arrivals::Rest(_)));
        let duration = self.phases.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.arrivals.duration()));
        let calls: f64 = self.phases.iter().filter_map(|phase| phase.arrivals.calls()).sum();
        let endless = self.phases.iter().any(|phase| phase.arrivals.calls().is_none());
        let one_pair = self.traffics().all(|traffic| traffic.kvs == (1, 1) && traffic.mix.delete + traffic.mix.clear == 0);
        let judged = self.limits.is_some();
        let bad = [
            ("/phases", !sends, "no phase sends anything".to_owned(), "write one with a rate or a burst"),
            (
                "/phases",
                self.phases.iter().any(|phase| phase.arrivals.duration().is_zero()),
                "a phase takes no time".to_owned(),
                "write spans, calls and times above zero",
            ),
            ("/timeout", self.timeout.is_zero(), "no reply comes in no time".to_owned(), "write a time-out above zero"),
            (
                "/connections",
                self.connections.get() > MOST_CONNECTIONS,
                format!("a run has at most {MOST_CONNECTIONS} connections"),
                "take fewer",
            ),
            (
                "/messages",
                self.messages.get() > MOST_MESSAGES,
                format!("a run has at most {MOST_MESSAGES} messages"),
                "take fewer",
            ),
            ("/phases", duration > LONGEST, format!("the plan lasts {duration:?}"), "a plan lasts at most 23 hours"),
            ("/phases", calls > MOST_CALLS, format!("the plan has {calls:.0} calls"), "a plan has at most 10,000,000,000 calls"),
            (
                "/limits",
                judged && (endless || calls > MOST_JUDGED_CALLS),
                format!("a plan that judges limits has at most {MOST_JUDGED_CALLS:.0} calls, all of them at a given rate"),
                "take fewer calls, or leave limits out",
            ),
            (
                "/limits",
                judged && !one_pair,
                "a plan that judges limits sets one pair a call: whether pairs are counted is left open".to_owned(),
                "let kvs be 1 and mix be {set: 1}",
            ),
        ];
        bad.into_iter().filter(|(_, is, ..)| *is).map(|(place, _, message, help)| (place, message, help)).collect()
    }

    /// The traffic of every phase.
    pub fn traffics(&self) -> impl Iterator<Item = &Traffic> {
        self.phases.iter().map(|phase| phase.traffic.as_ref().unwrap_or(&self.traffic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn rates_are_exact() {
        for (text, calls, per_ms) in
            [("200/s", 200, 1000), ("200/1s", 200, 1000), ("0.5/s", 5, 10_000), ("3/500ms", 3, 500), ("5/h", 5, 3_600_000)]
        {
            assert_eq!(text.parse(), Ok(Rate { calls, per: Duration::from_millis(per_ms) }), "{text}");
        }
        for wrong in ["200", "0/s", "/s", "-1/s", "1/0s", "1e3/s", "5/d"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
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
    fn the_schema_takes_the_bundled_plans_and_refuses_a_misspelt_one() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let valid = |text: &str| validator.is_valid(&serde_yaml::from_str::<Json>(text).expect("YAML"));
        for (name, _, text) in BUNDLED {
            assert!(valid(text), "{name}");
        }
        assert!(!valid("title: t\nphase: []\n") && !valid("title: t\nphases: [{name: a, rate: fast}]\n"));
    }
}
