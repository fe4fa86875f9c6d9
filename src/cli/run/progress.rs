//! The bars of a run, and its failures as they come, where there is a terminal. The end tells every failure in any case.

use std::io::{self, IsTerminal};
use std::slice;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::target::Named;
use crate::drive::conform::Event;
use crate::judge::text::printable;
use crate::report::secrets::Secrets;
use crate::report::snippet::Texts;
use crate::report::{build, text};
use crate::scenario::conform::plan::Planned;
use crate::spec::Spec;
use crate::verdict::{ScenarioOutcome, Verdict};

/// Shows a run while it goes on.
pub struct RunProgress<'a> {
    spec: &'a Spec,
    bars: MultiProgress,
    total: ProgressBar,
    running: ProgressBar,
    state: Mutex<Shown>,
    texts: &'a Texts<'a>,
    named: &'a Named,
    visible: bool,
}

#[derive(Default)]
struct Shown {
    running: Vec<String>,
    failed: usize,
    unknown: usize,
    skipped: usize,
    told: usize,
}

impl<'a> RunProgress<'a> {
    /// Failures shown as they come; the end repeats them all.
    const MOST_TOLD: usize = 5;

    pub fn new(spec: &'a Spec, scenarios: usize, texts: &'a Texts<'a>, named: &'a Named, quiet: bool) -> RunProgress<'a> {
        let visible = io::stderr().is_terminal() && !quiet;
        let target = if visible { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let style = |template: &str| ProgressStyle::with_template(template).expect("the template is a constant");
        let total = bars.add(ProgressBar::new(scenarios as u64));
        total.set_style(style("{bar:30.green/black} {pos}/{len} scenarios  {elapsed}  {msg}"));
        let running = bars.add(ProgressBar::new_spinner());
        running.set_style(style("{spinner} {wide_msg}"));
        running.enable_steady_tick(Duration::from_millis(100));
        RunProgress { spec, bars, total, running, state: Mutex::default(), texts, named, visible }
    }

    /// Takes in an event of the run.
    pub fn show(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(planned) => state.running.push(printable(&planned.id)),
            Event::Ended(planned, outcome) => {
                let id = printable(&planned.id);
                state.running.retain(|running| *running != id);
                match outcome.verdict {
                    Verdict::Pass => {}
                    Verdict::Fail => state.failed += 1,
                    Verdict::Skipped(_) => state.skipped += 1,
                    Verdict::Unknown(_) => state.unknown += 1,
                }
                if !outcome.findings.is_empty() && self.visible {
                    state.told += 1;
                    if state.told <= RunProgress::MOST_TOLD {
                        self.bars.suspend(|| self.tell(planned, outcome));
                    }
                }
                self.total.inc(1);
                self.total.set_message(counts(&state));
            }
        }
        self.running.set_message(state.running.join("  "));
    }

    pub fn end(&self) {
        self.running.finish_and_clear();
        self.total.finish_and_clear();
        // A terminal that cannot be cleared shows a line too many, and nothing worse.
        let _ = self.bars.clear();
    }

    fn tell(&self, planned: &Planned, outcome: &ScenarioOutcome) {
        let secrets = Secrets::new(&self.named.secrets(), slice::from_ref(outcome));
        let scenario = build::scenario(self.spec, planned, outcome, &secrets);
        // What cannot be shown now stands in the reports.
        let _ = text::scenario(&mut anstream::stderr().lock(), &scenario, self.texts);
    }
}

fn counts(state: &Shown) -> String {
    let counts = [(state.failed, "failed"), (state.unknown, "unknown"), (state.skipped, "skipped")];
    let shown = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    shown.collect::<Vec<_>>().join("  ")
}
