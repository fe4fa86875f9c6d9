//! Whatever wants to know of a run while it goes on: progress, seconds, the interval log, live metrics.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::metrics::Metrics;
use super::progress::LoadProgress;
use crate::cli::exit::Failure;
use crate::cli::files::Output;
use crate::drive::load::run::LoadEvent;
use crate::drive::load::search::Stage;
use crate::judge::load::measured::Measured;
use crate::report::load::intervals::{self, IntervalLines};
use crate::scenario::load::Plan;

pub struct Watch {
    progress: LoadProgress,
    metrics: Option<Metrics>,
    /// The log's lines of seconds. Those of phases are known in the end, and stand between them.
    seconds: IntervalLines<BufWriter<File>>,
    /// Where the log appears once it is whole.
    output: Output,
    /// The first thing that went wrong with the log; the run goes on without it.
    log_error: Option<io::Error>,
    started: SystemTime,
    /// When the plan that is carried out began, since the start.
    begun: Duration,
    /// When each phase of every plan that has begun was planned to, since the start.
    phases: Vec<Duration>,
}

impl Watch {
    /// The interval log goes to this file of the folder.
    pub fn start(quiet: bool, metrics: Option<Metrics>, output: Output, folder: &Path) -> Result<Watch, Failure> {
        let seconds = tempfile::tempfile_in(folder).map_err(|error| unwritable(&error))?;
        Ok(Watch {
            progress: LoadProgress::new(quiet),
            metrics,
            seconds: IntervalLines::new(BufWriter::new(seconds)),
            output,
            log_error: None,
            started: SystemTime::now(),
            begun: Duration::ZERO,
            phases: Vec::new(),
        })
    }

    pub fn shows_moments(&self) -> bool {
        self.progress.has_bars()
    }

    pub fn begin(&mut self, plan: &Plan) {
        self.begun = self.started.elapsed().unwrap_or_default();
        let mut start = self.begun;
        for phase in &plan.phases {
            self.phases.push(start);
            start += phase.arrivals.duration();
        }
        self.progress.begin(plan);
    }

    pub fn event(&mut self, event: &LoadEvent<'_>) {
        self.progress.show(event);
        let LoadEvent::Second { second, tally, so_far } = event else { return };
        let at = self.begun + Duration::from_secs(*second);
        let written = self.seconds.write(None, at, Duration::from_secs(1), tally);
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

    /// Writes the log, with lines for each phase too.
    pub fn end(mut self, measured: &Measured) -> Result<(), Failure> {
        self.progress.end();
        self.log_error.take().map_or(Ok(()), Err).and_then(|()| self.write_log(measured)).map_err(|error| unwritable(&error))
    }

    fn write_log(self, measured: &Measured) -> io::Result<()> {
        let mut phases = IntervalLines::new(Vec::new());
        for ((phase, start), measured) in measured.plan.phases.iter().zip(self.phases).zip(&measured.phases) {
            phases.write(Some(&phase.name), start, measured.elapsed, &measured.tally)?;
        }
        let mut seconds = self.seconds.end()?.into_inner()?;
        seconds.rewind()?;
        let mut out = BufWriter::new(self.output.create()?);
        intervals::write(&mut out, self.started, BufReader::new(seconds), phases.end()?.as_slice())?;
        out.flush()?;
        self.output.place()
    }

    fn note(&mut self, written: io::Result<()>) {
        if let (Err(error), None) = (written, &self.log_error) {
            self.log_error = Some(error);
        }
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::could_not_test(format!("the interval log cannot be written: {error}"))
}
