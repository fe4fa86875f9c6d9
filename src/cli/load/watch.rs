//! Whatever wants to know of a run while it goes on: progress, seconds, the interval log, live metrics.

use std::fs::File;
use std::io::{self, BufWriter};
use std::time::{Duration, SystemTime};

use super::metrics::Metrics;
use super::progress::LoadProgress;
use crate::cli::exit::Failure;
use crate::cli::files::Output;
use crate::drive::load::run::LoadEvent;
use crate::drive::load::search::Stage;
use crate::judge::load::measured::Measured;
use crate::report::load::intervals::IntervalLog;
use crate::scenario::load::Plan;

pub struct Watch {
    progress: LoadProgress,
    metrics: Option<Metrics>,
    log: IntervalLog<BufWriter<File>>,
    /// Where the log appears once it is whole.
    output: Output,
    /// The first thing that went wrong with the log; the run goes on without it.
    log_error: Option<io::Error>,
    started: SystemTime,
    /// When the plan that is carried out began, since the start.
    begun: Duration,
}

impl Watch {
    /// The interval log goes to this file.
    pub fn start(quiet: bool, metrics: Option<Metrics>, output: Output) -> Result<Watch, Failure> {
        let started = SystemTime::now();
        let log = output.create().and_then(|file| IntervalLog::begin(BufWriter::new(file), started));
        let log = log.map_err(|error| Failure::could_not_test(format!("the interval log cannot be written: {error}")))?;
        let (progress, begun) = (LoadProgress::new(quiet), Duration::ZERO);
        Ok(Watch { progress, metrics, log, output, log_error: None, started, begun })
    }

    pub fn shows_moments(&self) -> bool {
        self.progress.has_bars()
    }

    pub fn begin(&mut self, plan: &Plan) {
        self.begun = self.started.elapsed().unwrap_or_default();
        self.progress.begin(plan);
    }

    pub fn event(&mut self, event: &LoadEvent<'_>) {
        self.progress.show(event);
        let LoadEvent::Second { second, tally, so_far } = event else { return };
        let at = self.begun + Duration::from_secs(*second);
        let written = self.log.write(None, at, Duration::from_secs(1), tally);
        self.note(written);
        if let Some(metrics) = &mut self.metrics {
            metrics.update(so_far);
        }
    }

    pub fn stage(&mut self, stage: &Stage<'_>) {
        match stage {
            Stage::Trial(plan) => self.begin(plan),
            Stage::Event(event) => self.event(event),
            Stage::Ended { trial, passed, why } => {
                self.progress.verdict(*passed, *why);
                if let Some(metrics) = &mut self.metrics {
                    metrics.keep(trial);
                }
            }
        }
    }

    /// Closes the log with a line for each phase.
    pub fn end(mut self, measured: &Measured) -> Result<(), Failure> {
        self.progress.end();
        let mut at = Duration::ZERO;
        for (phase, measured) in measured.plan.phases.iter().zip(&measured.phases) {
            let written = self.log.write(Some(&phase.name), at, measured.elapsed, &measured.tally);
            self.note(written);
            at += measured.elapsed;
        }
        let written = self.log_error.map_or(Ok(()), Err).and_then(|()| self.log.end());
        match written.and_then(|_| self.output.place()) {
            Ok(()) => Ok(()),
            Err(error) => Err(Failure::could_not_test(format!("the interval log cannot be written: {error}"))),
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        if let (Err(error), None) = (written, &self.log_error) {
            self.log_error = Some(error);
        }
    }
}
