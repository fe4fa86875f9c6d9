//! A load run while it goes on: a bar for each phase on a terminal, a line a phase elsewhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::exit::say;
use crate::drive::load::run::{LoadEvent, Tick};
use crate::history::Class;
use crate::judge::load::check::told;
use crate::judge::load::tally::Tally;
use crate::judge::text::printable;
use crate::scenario::load::Plan;
use crate::scenario::load::arrivals::Schedule;

/// Shows plans that are carried out, one after another. It is told at most ten times a second, by the thread that adds up, and
/// never by one that sends.
pub struct LoadProgress {
    bars: MultiProgress,
    style: ProgressStyle,
    how: How,
    phases: Vec<PhaseBar>,
    state: Moment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Bars,
    Lines,
    Nothing,
}

struct PhaseBar {
    name: String,
    start: Duration,
    length: Duration,
    /// From when it begins.
    bar: Option<ProgressBar>,
}

#[derive(Default)]
struct Moment {
    /// Of the last second that is over.
    second: String,
    sent: (Duration, u64),
    rate: f64,
}

impl LoadProgress {
    pub fn new(quiet: bool) -> LoadProgress {
        let how = match (quiet, io::stderr().is_terminal()) {
            (true, _) => How::Nothing,
            (false, true) => How::Bars,
            (false, false) => How::Lines,
        };
        let target = if how == How::Bars { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{prefix:.bold} {bar:16.green/black} {wide_msg}");
        let style = style.expect("the template is a constant").progress_chars("━━╌");
        let bars = MultiProgress::with_draw_target(target);
        LoadProgress { bars, style, how, phases: Vec::new(), state: Moment::default() }
    }

    pub fn has_bars(&self) -> bool {
        self.how == How::Bars
    }

    /// A plan begins.
    pub fn begin(&mut self, plan: &Plan) {
        let ends: Vec<Duration> = Schedule::new(&plan.phases, 0).ends().iter().map(|end| end.since_zero()).collect();
        let starts = std::iter::once(Duration::ZERO).chain(ends);
        let phases = plan.phases.iter().zip(starts);
        self.phases = phases
            .map(|(phase, start)| {
                let (name, length) = (printable(&phase.name), phase.arrivals.duration());
                PhaseBar { name, start, length, bar: None }
            })
            .collect();
        self.state = Moment::default();
    }

    pub fn show(&mut self, event: &LoadEvent<'_>) {
        match event {
            _ if self.how == How::Nothing => {}
            LoadEvent::Tick(tick) => self.tick(*tick),
            LoadEvent::Second { tally, .. } => self.state.second = in_short(tally),
            LoadEvent::PhaseOver { phase, tally } => {
                let PhaseBar { length, .. } = self.phases[*phase];
                let rate = tally.sent as f64 / length.as_secs_f64();
                self.end_phase(*phase, tally.planned > 0, &format!("{} sent, {rate:.1}/s  {}", tally.sent, in_short(tally)));
            }
        }
    }

    /// A trial of a search has come to this.
    pub fn verdict(&mut self, passed: bool, why: Option<&str>) {
        let word = if passed { "✓ passed".to_owned() } else { format!("✗ {}", printable(why.unwrap_or("failed"))) };
        match self.how {
            How::Lines => say(format_args!("  {word}")),
            How::Bars => {
                let bar = self.phases.last().and_then(|phase| phase.bar.as_ref());
                bar.inspect(|bar| bar.set_message(format!("{word}  {}", bar.message())));
            }
            How::Nothing => {}
        }
    }

    pub fn end(&self) {
        let _ = self.bars.clear();
    }

    fn tick(&mut self, tick: Tick) {
        let (at, sent) = self.state.sent;
        let since = tick.elapsed.saturating_sub(at).as_secs_f64();
        if since > 0.45 {
            self.state.rate = (tick.sent - sent) as f64 / since;
            self.state.sent = (tick.elapsed, tick.sent);
        }
        if self.how != How::Bars || tick.phase >= self.phases.len() {
            return;
        }
        (0..tick.phase).for_each(|phase| self.bar(phase).set_position(u64::MAX));
        let message = format!("{:.0}/s  {} in flight  {}", self.state.rate, tick.in_flight, self.state.second);
        let done = tick.elapsed.saturating_sub(self.phases[tick.phase].start);
        let bar = self.bar(tick.phase);
        bar.set_message(message);
        bar.set_position(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
    }

    /// The phase's bar, which begins with the phase.
    fn bar(&mut self, phase: usize) -> ProgressBar {
        let width = self.phases.iter().map(|phase| phase.name.len()).max().unwrap_or(0);
        let PhaseBar { name, length, bar, .. } = &mut self.phases[phase];
        let made = bar.get_or_insert_with(|| {
            let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            let bar = self.bars.add(ProgressBar::new(length).with_style(self.style.clone()));
            bar.set_prefix(format!("{name:width$}"));
            bar
        });
        made.clone()
    }

    fn end_phase(&mut self, phase: usize, sent: bool, words: &str) {
        match self.how {
            How::Lines if sent => say(format_args!("{}: {words}", self.phases[phase].name)),
            How::Bars => {
                let bar = self.bar(phase);
                bar.set_message(if sent { words.to_owned() } else { String::new() });
                bar.finish();
            }
            How::Lines | How::Nothing => {}
        }
    }
}

fn in_short(tally: &Tally) -> String {
    let response = tally.response(None);
    let failed = tally.of(Class::Error) + tally.of(Class::Lost);
    let mut line = format!("{} refused", tally.of(Class::Refused));
    if failed > 0 {
        let _ = write!(line, "  {failed} failed");
    }
    if response.count() > 0 {
        let [p50, p99] = [0.5, 0.99].map(|share| told(response.quantile(share)));
        let _ = write!(line, "  p50 {p50}  p99 {p99}  lag p99 {}", told(tally.lag.quantile(0.99)));
    }
    line
}
