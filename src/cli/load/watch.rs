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
use crate::judge::load::tally::Tally;
use crate::report::load::intervals::IntervalLog;
use crate::scenario::load::Plan;

pub struct Watch {
    progress: LoadProgress,
    metrics: Option<Metrics>,
    /// Or the first thing that went wrong with it; the run goes on without it.
    log: io::Result<IntervalLog<BufWriter<File>>>,
    /// Where the log appears once it is whole.
    output: Output,
    started: SystemTime,
    /// When the plan that is carried out began, since the start.
    begun: Duration,
}

impl Watch {
    /// The interval log goes to this file.
    pub fn start(quiet: bool, metrics: Option<Metrics>, output: Output) -> Watch {
        let started = SystemTime::now();
        let log = output.create().and_then(|file| IntervalLog::begin(BufWriter::new(file), started));
        Watch { progress: LoadProgress::new(quiet), metrics, log, output, started, begun: Duration::ZERO }
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
        self.log(None, at, Duration::from_secs(1), tally);
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

    /// Closes the log with a line for each phase, or says why there is none.
    pub fn end(mut self, measured: &Measured) -> Option<Failure> {
        self.progress.end();
        let mut at = Duration::ZERO;
        for (phase, measured) in measured.plan.phases.iter().zip(&measured.phases) {
            self.log(Some(&phase.name), at, measured.elapsed, &measured.tally);
            at += measured.elapsed;
        }
        match self.log.and_then(IntervalLog::end) {
            Ok(_) => self.output.place().err(),
            Err(error) => Some(self.output.unwritable(&error)),
        }
    }

    fn log(&mut self, scope: Option<&str>, at: Duration, length: Duration, tally: &Tally) {
        if let Ok(log) = &mut self.log
            && let Err(error) = log.write(scope, at, length, tally)
        {
            self.log = Err(error);
        }
    }
}
