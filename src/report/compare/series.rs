//! A history of runs: a file of one line of JSON each, to which every new run is added.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{CompareError, NamedReport, figures};
use super::{Compare, SeriesChange, SeriesEntry, SeriesMetric};
use crate::judge::compare::history::{MetricHistory, overall};
use crate::judge::compare::metric::{Metric, Tolerances};
use crate::report::build::{Facts, begun};
use crate::report::secrets::Secrets;
use crate::report::{Report, build::GENERATOR};
use crate::verdict::Overall;

/// Version of a line. Grows when a field changes its meaning or goes.
const LINE_VERSION: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesLine {
    pub version: u32,
    /// What people know it by: a commit, a build, or when it began.
    pub run: String,
    pub started: String,
    pub generator: String,
    pub target: String,
    /// Name and fingerprint of the plan: runs of another are another series.
    pub plan: String,
    pub verdict: Overall,
    /// Metric to value; times in microseconds.
    pub values: BTreeMap<String, f64>,
}

/// A line that is none; says which, from 1.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    #[error("{line}: no line of a history: {cause}")]
    NoLine { line: usize, cause: serde_json::Error },
    #[error("{line}: a line of version {version}, and this msgext reads version {LINE_VERSION}")]
    Version { line: usize, version: u32 },
}

impl SeriesLine {
    /// Of a report of load; of none else.
    pub fn of(named: &NamedReport, label: Option<&str>) -> Result<SeriesLine, CompareError> {
        let NamedReport { report, name } = named;
        let no_load = || CompareError::NoLoad { name: name.clone(), command: report.command.clone() };
        let load = report.load.as_ref().ok_or_else(no_load)?;
        let values = figures(named, load).values.into_iter().map(|(metric, value)| (metric.word().to_owned(), value));
        Ok(SeriesLine {
            version: LINE_VERSION,
            run: label.unwrap_or(&report.started).to_owned(),
            started: report.started.clone(),
            generator: report.generator.clone(),
            target: report.target.clone(),
            plan: format!("{} {}", load.plan, load.plan_fingerprint).trim_end().to_owned(),
            verdict: report.verdict,
            values: values.collect(),
        })
    }

    pub fn metrics(&self) -> BTreeMap<Metric, f64> {
        let known = |name: &str| Metric::ALL.into_iter().find(|metric| metric.word() == name);
        // What is no number above 0 has no logarithm.
        self.values.iter().filter(|(_, value)| **value > 0.0).filter_map(|(name, value)| Some((known(name)?, *value))).collect()
    }
}

/// The lines of a file; empty ones are skipped.
pub fn read(text: &str) -> Result<Vec<SeriesLine>, SeriesError> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(number, line)| {
        let read: SeriesLine = serde_json::from_str(line).map_err(|cause| SeriesError::NoLine { line: number, cause })?;
        match read.version {
            LINE_VERSION => Ok(read),
            version => Err(SeriesError::Version { line: number, version }),
        }
    });
    read.collect()
}

/// The report of a series, of which `lines` are all, the newest last.
pub fn build(facts: &Facts, file: &str, lines: &[SeriesLine], histories: &[MetricHistory], tolerances: &Tolerances) -> Report {
    let names: Vec<String> = lines.iter().map(|line| line.run.clone()).collect();
    let (verdict, reason) = overall(histories, &names);
    let metric = |history: &MetricHistory| SeriesMetric {
        name: history.metric.word().to_owned(),
        values: history.runs.iter().filter_map(|run| lines[*run].values.get(history.metric.word()).copied()).collect(),
        changes: history
            .changes
            .iter()
            .map(|point| SeriesChange {
                run: names[history.runs[point.at]].clone(),
                before: point.before,
                after: point.after,
                ratio: point.after / point.before,
                p: point.p,
            })
            .collect(),
        verdict: tolerances.ratio(history.metric).map(|_| history.verdict),
    };
    let series = SeriesEntry { file: file.to_owned(), runs: names.clone(), metrics: histories.iter().map(metric).collect() };
    let compare = Compare {
        unit: "run".to_owned(),
        base: Vec::new(),
        new: Vec::new(),
        notes: Vec::new(),
        doubts: Vec::new(),
        changes: Vec::new(),
        metrics: Vec::new(),
        history: Some(series),
    };
    Report {
        verdict,
        reason,
        generator: GENERATOR.to_owned(),
        compare: Some(compare),
        ..begun("compare", facts, &Secrets::default())
    }
}
