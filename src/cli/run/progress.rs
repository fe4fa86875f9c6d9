//! How a run goes, and its failures as they come, where there is a terminal. The end tells every failure in any case.

use std::slice;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::exit::say;
use crate::cli::github;
use crate::cli::target::Named;
use crate::cli::terminal::{Screen, TELLS_EVERY, bar_length, bars, fitted, room, width};
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
    state: Arc<Mutex<Shown>>,
    texts: &'a Texts<'a>,
    named: &'a Named,
    screen: Screen,
    /// Shows what passed, too.
    verbose: bool,
    /// Where nothing can be drawn a thread tells how it goes, until this is gone.
    _told: Option<Sender<()>>,
}

/// Columns of `334/334 scenarios  12m  `, about.
const BESIDE_THE_BAR: usize = 28;

#[derive(Default)]
struct Shown {
    running: Vec<String>,
    ended: usize,
    failed: usize,
    unknown: usize,
    skipped: usize,
    told: usize,
}

impl<'a> RunProgress<'a> {
    /// Failures shown as they come; the end repeats them all.
    const MOST_TOLD: usize = 5;

    pub fn new(
        spec: &'a Spec,
        scenarios: usize,
        texts: &'a Texts<'a>,
        named: &'a Named,
        (quiet, verbose): (bool, bool),
    ) -> RunProgress<'a> {
        let screen = Screen::of_stderr(quiet);
        let bars = bars(screen);
        let style = |template: &str| ProgressStyle::with_template(template).expect("a template without a mistake");
        let total = bars.add(ProgressBar::new(scenarios as u64));
        total.set_style(style(&format!(
            "{{bar:{}.green/dim}} {{pos}}/{{len}} scenarios  {{elapsed}}  {{msg}}",
            bar_length(room())
        )));
        let running = bars.add(ProgressBar::new_spinner());
        running.set_style(style("{spinner} {msg}"));
        running.enable_steady_tick(Duration::from_millis(100));
        let state = Arc::default();
        let told = (screen == Screen::Dumb).then(|| tell_now_and_then(Arc::clone(&state), scenarios));
        RunProgress { spec, bars, total, running, state, texts, named, screen, verbose, _told: told }
    }

    /// Takes in an event of the run.
    pub fn show(&self, event: &Event<'_>) {
        let mut state = locked(&self.state);
        match event {
            Event::Started(planned) => state.running.push(printable(&planned.id)),
            Event::Ended(planned, outcome) => {
                let id = printable(&planned.id);
                state.running.retain(|running| *running != id);
                state.ended += 1;
                match outcome.verdict {
                    Verdict::Pass => {}
                    Verdict::Fail => state.failed += 1,
                    Verdict::Skipped(_) => state.skipped += 1,
                    Verdict::Unknown(_) => state.unknown += 1,
                }
                if !outcome.findings.is_empty() && matches!(self.screen, Screen::Drawable | Screen::Dumb) {
                    state.told += 1;
                    if state.told <= RunProgress::MOST_TOLD {
                        self.bars.suspend(|| self.tell(planned, outcome));
                    }
                }
                if self.verbose && outcome.verdict == Verdict::Pass {
                    let secrets = Secrets::new(&self.named.secrets(), slice::from_ref(outcome));
                    let exchanges = build::exchanges(outcome, &secrets);
                    self.bars.suspend(|| github::tell(|err| text::passed(err, &outcome.id, &exchanges)));
                }
                self.total.inc(1);
                let room = room();
                self.total.set_message(fitted(&counts(&state), room.saturating_sub(bar_length(room) + BESIDE_THE_BAR)));
            }
        }
        self.running.set_message(at_work(&state.running, room().saturating_sub("⠋ ".width())));
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
        let _ = text::scenario(&mut anstream::stderr().lock(), &scenario, self.texts, width());
    }
}

/// Tells how it goes every few seconds, until what is given back is dropped.
fn tell_now_and_then(state: Arc<Mutex<Shown>>, scenarios: usize) -> Sender<()> {
    let (told, ended) = channel();
    thread::spawn(move || {
        while ended.recv_timeout(TELLS_EVERY) == Err(RecvTimeoutError::Timeout) {
            let state = locked(&state);
            let head = (0, format!("{} of {scenarios} scenarios", state.ended));
            let parts: Vec<_> = std::iter::once(head).chain(counts(&state)).collect();
            say(fitted(&parts, room()));
        }
    });
    told
}

fn locked(state: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn counts(state: &Shown) -> Vec<(u8, String)> {
    let counts = [(state.failed, "failed"), (state.unknown, "unknown"), (state.skipped, "skipped")];
    let shown = (0..).zip(counts).filter(|(_, (count, _))| *count > 0);
    shown.map(|(rank, (count, word))| (rank, format!("{count} {word}"))).collect()
}

/// As many of the names as there is room for, and how many there are besides.
fn at_work(names: &[String], room: usize) -> String {
    let mut parts: Vec<(u8, String)> = names.iter().map(|name| (1, name.clone())).collect();
    if names.join("  ").width() > room {
        parts.push((0, format!("{} in all", names.len())));
    }
    fitted(&parts, room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_find_no_room_are_counted() {
        let names = ["one", "another", "a-third"].map(str::to_owned);
        assert_eq!((at_work(&names, 80), at_work(&[], 80)), ("one  another  a-third".to_owned(), String::new()));
        assert_eq!(at_work(&names, 20), "one  3 in all");
    }
}
