//! From a plan as it stands in its file to what it means: defaults filled in, steps spread out, every problem located.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and step counts are positive, and bounded by the lint"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::file::{BurstFile, PhaseFile, PlanFile, RateOrMax, RateText, TrafficFile};
use super::{Arrivals, Choice, Limits, Mix, Phase, Plan, Rate, Spacing, Traffic};
use crate::scenario::Caller;
use crate::scenario::extent::Extent;
use crate::scenario::kind::{FileKind, misplaced};
use crate::yaml::reader::{self, Read, read_file};
use crate::yaml::source::{Problem, SourceFile, child_path, item_path};
use crate::yaml::span::Span;

/// A plan read from its file, or everything that is wrong with it.
pub fn load(path: &str, text: &str) -> (Arc<SourceFile>, Result<Plan, Vec<Problem>>) {
    let (source, Read { value, mut problems, hidden }) = read_file::<PlanFile>(path, text);
    if let Some(problem) = misplaced(&source, FileKind::Plan) {
        return (source, Err(vec![problem]));
    }
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".yaml").trim_end_matches(".yml");
    let plan = value.map(|file| {
        let mut lowering = PlanLowering { source: &source, hidden: &hidden, problems: Vec::new() };
        let plan = lowering.plan(&file, name);
        problems.append(&mut lowering.problems);
        plan
    });
    let plan = plan.filter(|_| problems.is_empty()).ok_or(problems);
    (source, plan)
}

struct PlanLowering<'s> {
    source: &'s SourceFile,
    /// Nodes that could not be read. What they may have said is not missing.
    hidden: &'s HashSet<String>,
    problems: Vec<Problem>,
}

impl PlanLowering<'_> {
    fn problem(&mut self, place: &str, message: impl Into<String>, help: &str) {
        self.problems.push(self.source.problem(place, message, Some(help.to_owned())));
    }

    fn key_problem(&mut self, place: &str, message: impl Into<String>, help: &str) {
        self.problems.push(self.source.key_problem(place, message, Some(help.to_owned())));
    }

    /// Whether the node, or a part of it, could not be read.
    fn is_partial(&self, path: &str) -> bool {
        self.hidden.contains(path) || reader::is_partial(self.hidden, path)
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
        let places = (0..).map(|index| item_path("/phases", index)).filter(|place| !self.hidden.contains(place));
        let entries: Vec<(String, &PhaseFile)> = places.zip(&file.phases).collect();
        for (place, phase) in entries {
            let own = self.traffic(&phase.traffic, &traffic, &child_path(&place, "traffic"));
            self.empty_fields(phase, &place);
            for (name, arrivals) in self.arrivals(phase, &place) {
                if phases.iter().any(|other| other.name == name) {
                    self.problem(&child_path(&place, "name"), format!("another phase is called `{name}`"), "rename one");
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
        // Of phases that are not known, nothing can be said together.
        let all_phases = !self.hidden.iter().any(|hidden| hidden.starts_with("/phases")) && self.problems.is_empty();
        for (place, message, help) in plan.problems() {
            if place != "/phases" || all_phases {
                self.problem(place, message, help);
            }
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
            let given = [field, "keys"].into_iter().take(if field == "kvs" { 2 } else { 1 });
            // What is inherited was told where it stands, and what could not be read may be in order.
            let Some(at) = given.map(|field| child_path(place, field)).find(|at| self.source.has(at)) else { continue };
            let depends_on = match field {
                "messages" => self.hidden.contains("/messages"),
                "kvs" => self.hidden.contains(&child_path(place, "keys")) || self.hidden.contains("/traffic/keys"),
                "mix" => self.is_partial(&at),
                _ => false,
            };
            if !depends_on {
                self.problem(&at, message, help);
            }
        }
        traffic
    }

    /// Spans and counts of nothing.
    fn empty_fields(&mut self, phase: &PhaseFile, place: &str) {
        let burst = phase.burst.as_ref();
        let is_zero = |span: Option<Span>| span.is_some_and(|Span(span)| span.is_zero());
        let fields = [
            ("for", is_zero(phase.duration)),
            ("each", is_zero(phase.each)),
            ("rest", is_zero(phase.rest)),
            ("burst/every", is_zero(burst.map(|burst| burst.every))),
            ("calls", phase.calls == Some(0)),
            ("burst/calls", burst.is_some_and(|burst| burst.calls == 0)),
            ("burst/times", burst.is_some_and(|burst| burst.times == 0)),
        ];
        for (field, _) in fields.into_iter().filter(|(_, is_empty)| *is_empty) {
            self.problem(&format!("{place}/{field}"), "a phase takes no time", "write spans, calls and times above zero");
        }
    }

    /// The phases that one entry stands for: several where it goes in steps.
    fn arrivals(&mut self, phase: &PhaseFile, place: &str) -> Vec<(String, Arrivals)> {
        let kinds = [
            ("rate", phase.rate.is_some()),
            ("from", phase.from.is_some() || phase.to.is_some()),
            ("burst", phase.burst.is_some()),
            ("rest", phase.rest.is_some()),
        ];
        let given: Vec<&str> = kinds.into_iter().filter_map(|(kind, is)| is.then_some(kind)).collect();
        if let [_, .., last] = given[..] {
            let message = "a phase has exactly one of rate, from and to, burst, rest";
            self.key_problem(&child_path(place, last), message, "write one of them");
            return Vec::new();
        }
        // What could not be read may be the very thing that is missing.
        let is_partial = self.is_partial(place);
        if given.is_empty() {
            if !is_partial {
                self.problem(place, "a phase has exactly one of rate, from and to, burst, rest", "write one of them");
            }
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
                let message = "a burst lasts longer than the time to the next";
                self.problem(&format!("{place}/burst/every"), message, "let `every` be longer");
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
            (None, Some(RateText(from)), Some(RateText(to)), Some(duration), None) => {
                named(Arrivals::Ramp { from, to, duration, spacing })
            }
            _ if is_partial => Vec::new(),
            (None, Some(RateText(from)), Some(RateText(to)), None, None) => self.steps(phase, place, from, to),
            (None, ..) => {
                let message = "a rate that changes needs from, to and for, or from, to, by and each";
                self.key_problem(
                    &child_path(place, if phase.from.is_some() { "from" } else { "to" }),
                    message,
                    "write all of them",
                );
                Vec::new()
            }
            (Some(_), ..) => {
                let field = if phase.calls.is_some() { "calls" } else { "rate" };
                let message = "a rate needs either for or calls (calls only with even arrivals)";
                self.key_problem(&child_path(place, field), message, "write for: 30s, or calls: 6000");
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
            self.key_problem(&child_path(place, field), format!("`{field}` says nothing of a phase with {kind}"), "leave it out");
        }
        if phase.abort_on_fail && phase.checks.is_empty() && !self.is_partial(&child_path(place, "checks")) {
            let help = "add checks to this phase, such as [\"errors = 0\"]";
            self.key_problem(&child_path(place, "abort-on-fail"), "this phase has no check that could fail", help);
        }
    }

    fn steps(&mut self, phase: &PhaseFile, place: &str, from: Rate, to: Rate) -> Vec<(String, Arrivals)> {
        let (Some(RateText(by)), Some(Span(each))) = (phase.by, phase.each) else {
            let field =
                ["by", "each", "from"].into_iter().find(|field| self.source.has(&child_path(place, field))).unwrap_or("from");
            let help = "write by: 100/s, each: 5s, or a `for` in place of both";
            self.key_problem(&child_path(place, field), "steps need by and each", help);
            return Vec::new();
        };
        let [first, last, step] = [from, to, by].map(Rate::per_second);
        let count = ((last - first).abs() / step + 1e-9).floor();
        if count > 1000.0 {
            self.problem(&child_path(place, "by"), "more than 1000 steps", "take larger ones");
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
