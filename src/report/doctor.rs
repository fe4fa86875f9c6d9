//! What works at a target, in the report.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::begun;
use super::secrets::Secrets;
use super::text::{GREEN, RED, YELLOW, verdict};
use super::{Facts, Report};
use crate::judge::doctor::{ExaminedStep, StepState, overall};
use crate::judge::text::printable;

/// A target looked at call by call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Doctor {
    /// In the order in which they are taken.
    pub steps: Vec<StepEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Step")]
pub struct StepEntry {
    pub name: String,
    pub state: StepWord,
    /// What was seen.
    pub told: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
    /// The URL of the call that showed it, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Whether a step works; only `broken` is held against the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepWord {
    Ok,
    Absent,
    Broken,
    Blocked,
    NotTested,
}

impl From<StepState> for StepWord {
    fn from(state: StepState) -> StepWord {
        match state {
            StepState::Works => StepWord::Ok,
            StepState::Absent => StepWord::Absent,
            StepState::Broken => StepWord::Broken,
            StepState::Blocked => StepWord::Blocked,
            StepState::NotTested => StepWord::NotTested,
        }
    }
}

impl StepWord {
    pub fn word(self) -> &'static str {
        match self {
            StepWord::Ok => "ok",
            StepWord::Absent => "absent",
            StepWord::Broken => "broken",
            StepWord::Blocked => "blocked",
            StepWord::NotTested => "not tested",
        }
    }
}

/// Builds the report of what a target was found to be.
pub fn build(facts: &Facts, steps: &[ExaminedStep], secrets: &Secrets) -> Report {
    let (overall, reason, _) = overall(steps);
    let entries = steps.iter().map(|step| entry(step, secrets)).collect();
    let doctor = Some(Doctor { steps: entries });
    Report { verdict: overall, reason: secrets.told(&reason), doctor, ..begun("doctor", facts, secrets) }
}

/// A step as a report has it.
pub fn entry(step: &ExaminedStep, secrets: &Secrets) -> StepEntry {
    StepEntry {
        name: step.name.to_owned(),
        state: step.state.into(),
        told: secrets.told(&step.told),
        advice: step.advice.clone(),
        url: step.call.as_ref().map(|call| secrets.scrub(call.trim_start_matches("POST "))),
    }
}

/// A step in a line, with what to do about it in another.
pub fn line(out: &mut dyn io::Write, step: &StepEntry) -> io::Result<()> {
    let style = match step.state {
        StepWord::Ok => GREEN,
        StepWord::Broken | StepWord::Blocked => RED,
        StepWord::Absent | StepWord::NotTested => YELLOW,
    };
    writeln!(out, "{style}{:<10}{style:#}  {:<27}  {}", step.state.word(), step.name, printable(&step.told))?;
    if step.state != StepWord::Ok
        && let Some(url) = &step.url
    {
        writeln!(out, "{:<39}  by POST {}", "", printable(url))?;
    }
    if !step.advice.is_empty() {
        writeln!(out, "{:<39}  {}", "", printable(&step.advice))?;
    }
    Ok(())
}

/// What the steps come to; they were told one by one.
pub fn summary(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    writeln!(out)?;
    verdict(out, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_work_is_told_with_its_call_and_what_to_do_and_one_that_works_without() {
        let step = |state, advice: &str| ExaminedStep {
            name: "plan",
            state,
            told: "refused: 10008 the key is a-secret-key-of-ours\u{1b}".to_owned(),
            advice: advice.to_owned(),
            call: Some("POST http://h/v4/x".to_owned()),
        };
        let secrets = Secrets::of(&["a-secret-key-of-ours".to_owned()], []);
        let told = |step: &ExaminedStep| {
            let mut out = Vec::new();
            line(&mut out, &entry(step, &secrets)).expect("memory");
            anstream::adapter::strip_bytes(&out).into_vec()
        };
        let blocked = String::from_utf8(told(&step(StepState::Blocked, "see the console"))).expect("UTF-8");
        let lines: Vec<&str> = blocked.lines().map(str::trim).collect();
        let first = "blocked     plan                         refused: 10008 the key is ***\\u{1b}";
        assert_eq!(lines, [first, "by POST http://h/v4/x", "see the console"]);
        let works = String::from_utf8(told(&step(StepState::Works, ""))).expect("UTF-8");
        assert_eq!(works.lines().count(), 1);
    }
}
