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
use crate::judge::load::tally::Tally;
use crate::report::load::intervals::{self, IntervalLines};
use crate::scenario::load::Plan;

pub struct Watch {
    progress: LoadProgress,
    metrics: Option<Metrics>,
    /// The log's lines of seconds, or the first thing that went wrong with them; the run goes on without them. Those of phases are
    /// known in the end, and stand between them.
    seconds: io::Result<IntervalLines<BufWriter<File>>>,
    /// Where the log appears once it is whole.
    output: Output,
    started: SystemTime,
    /// When the plan that is carried out began, since the start.
    begun: Duration,
    /// When each phase of every plan that has begun was planned to, since the start.
    phases: Vec<Duration>,
}

impl Watch {
    /// The interval log goes to this file of the folder.
    pub fn start(quiet: bool, metrics: Option<Metrics>, output: Output, folder: &Path) -> Watch {
        let seconds = tempfile::tempfile_in(folder).map(|file| IntervalLines::new(BufWriter::new(file)));
        Watch {
            progress: LoadProgress::new(quiet),
            metrics,
            seconds,
            output,
            started: SystemTime::now(),
            begun: Duration::ZERO,
            phases: Vec::new(),
        }
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
        self.log_second(at, tally);
        if let Some(metrics) = &mut self.metrics {
            metrics.update(so_far, at + Duration::from_secs(1), tally);
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

    /// Closes the log with lines for each phase too, or says why there is none.
    pub fn end(self, measured: &Measured) -> Option<Failure> {
        let Watch { progress, seconds, output, started, phases, .. } = self;
        drop(progress);
        let written = seconds.and_then(|seconds| write_log(seconds, &output, started, &phases, measured));
        match written {
            Ok(()) => output.place().err(),
            Err(error) => Some(output.unwritable(&error)),
        }
    }

    fn log_second(&mut self, at: Duration, tally: &Tally) {
        if let Ok(seconds) = &mut self.seconds
            && let Err(error) = seconds.write(None, at, Duration::from_secs(1), tally)
        {
            self.seconds = Err(error);
        }
    }
}

fn write_log(
    seconds: IntervalLines<BufWriter<File>>,
    output: &Output,
    started: SystemTime,
    starts: &[Duration],
    measured: &Measured,
) -> io::Result<()> {
    let mut phases = IntervalLines::new(Vec::new());
    for ((phase, start), measured) in measured.plan.phases.iter().zip(starts).zip(&measured.phases) {
        phases.write(Some(&phase.name), *start, measured.elapsed, &measured.tally)?;
    }
    let mut seconds = seconds.end()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    seconds.rewind()?;
    let mut out = BufWriter::new(output.create()?);
    intervals::write(&mut out, started, BufReader::new(seconds), phases.end()?.as_slice())?;
    out.flush()
}
