//! From a plan as it stands in its file to what it means: defaults filled in, steps spread out, every problem located.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and step counts are positive, and bounded by the lint"
)]

use std::sync::Arc;
use std::time::Duration;

use super::file::{BurstFile, Extent, PhaseFile, PlanFile, RateOrMax, RateText, TrafficFile};
use super::{Arrivals, Choice, Limits, Mix, Phase, Plan, Rate, Spacing, Traffic};
use crate::scenario::Caller;
use crate::yaml::reader::read_file;
use crate::yaml::source::{Problem, SourceFile};
use crate::yaml::span::Span;

/// A plan read from its file.
pub fn load(path: &str, text: &str) -> (Arc<SourceFile>, Result<Plan, Vec<Problem>>) {
    let (source, file) = read_file::<PlanFile>(path, text);
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".yaml").trim_end_matches(".yml");
    let plan = file.and_then(|file| {
        let mut lowering = PlanLowering { source: &source, problems: Vec::new() };
        let plan = lowering.plan(&file, name);
        if lowering.problems.is_empty() { Ok(plan) } else { Err(lowering.problems) }
    });
    (source, plan)
}

struct PlanLowering<'s> {
    source: &'s SourceFile,
    problems: Vec<Problem>,
}

impl PlanLowering<'_> {
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
