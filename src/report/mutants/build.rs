//! From the trials of mutants to their report.

use super::{FalseAlarmEntry, MutantEntry, Mutants};
use crate::judge::mutants::{FalseAlarm, MutantEnd, MutantTrial, MutantsRun};
use crate::report::Report;
use crate::report::build::{Facts, begun};
use crate::report::secrets::Secrets;

pub fn build(facts: &Facts, run: &MutantsRun, secrets: &[String]) -> Report {
    let secrets = Secrets::of(secrets, []);
    let (verdict, reason) = run.overall();
    Report {
        verdict,
        reason: secrets.told(&reason),
        mutants: Some(Mutants {
            killed: run.killed(),
            total: run.trials.len(),
            survivors: run.survivors().map(|trial| entry(trial, &secrets)).collect(),
            combinations: run.combinations,
            false_alarms: run.false_alarms.iter().map(|alarm| alarmed(alarm, &secrets)).collect(),
            matrix: run.trials.iter().map(|trial| entry(trial, &secrets)).collect(),
        }),
        ..begun("mutants", facts, &secrets)
    }
}

fn entry(trial: &MutantTrial, secrets: &Secrets) -> MutantEntry {
    let (killed_by, clause, unknown) = match &trial.end {
        MutantEnd::Killed { by, clause } => (Some(by.word().to_owned()), clause.clone(), None),
        MutantEnd::Survives => (None, String::new(), None),
        MutantEnd::Unknown(why) => (None, String::new(), Some(secrets.told(why))),
    };
    MutantEntry { name: trial.name.clone(), breaks: trial.breaks.clone(), killed_by, clause, unknown }
}

fn alarmed(alarm: &FalseAlarm, secrets: &Secrets) -> FalseAlarmEntry {
    FalseAlarmEntry { readings: alarm.readings.clone(), why: secrets.told(&alarm.why) }
}
