//! A load run while it goes on: a bar for the phase that goes on where it can be drawn, and a line at each phase's end.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::exit::say;
use crate::cli::terminal::{Screen, TELLS_EVERY, bar_length, bars, fitted, room, width};
use crate::drive::load::run::{LoadEvent, Tick};
use crate::history::Class;
use crate::judge::load::check::told;
use crate::judge::load::tally::Tally;
use crate::judge::text::printable;
use crate::report::table::shortened;
use crate::scenario::load::arrivals::Schedule;
use crate::scenario::load::{Phase, Plan};

/// Shows plans that are carried out, one after another. It is told at most ten times a second, by the thread that adds up, and
/// never by one that sends.
pub struct LoadProgress {
    bars: MultiProgress,
    screen: Screen,
    phases: Vec<PhaseBar>,
    state: Moment,
}

struct PhaseBar {
    name: String,
    start: Duration,
    length: Duration,
    is_over: bool,
    /// While it goes on.
    bar: Option<ProgressBar>,
}

/// What a line says, each with its rank: what is needed most has the lowest.
type Parts = Vec<(u8, String)>;

#[derive(Default)]
struct Moment {
    /// Of the last second that is over.
    second: Parts,
    sent: (Duration, u64),
    rate: f64,
}

impl LoadProgress {
    pub fn new(quiet: bool) -> LoadProgress {
        let screen = Screen::of_stderr(quiet);
        LoadProgress { bars: bars(screen), screen, phases: Vec::new(), state: Moment::default() }
    }

    pub fn has_bars(&self) -> bool {
        self.screen == Screen::Drawable
    }

    /// A plan begins.
    pub fn begin(&mut self, plan: &Plan) {
        let ends: Vec<Duration> = Schedule::new(&plan.phases, 0).ends().iter().map(|end| end.since_zero()).collect();
        let starts = std::iter::once(Duration::ZERO).chain(ends);
        let phase = |(phase, start): (&Phase, Duration)| PhaseBar {
            name: printable(&phase.name),
            start,
            length: phase.arrivals.duration(),
            is_over: false,
            bar: None,
        };
        self.phases = plan.phases.iter().zip(starts).map(phase).collect();
        self.state = Moment::default();
    }

    pub fn show(&mut self, event: &LoadEvent<'_>) {
        match event {
            _ if self.screen == Screen::Quiet => {}
            LoadEvent::Tick(tick) => self.tick(*tick),
            LoadEvent::Second { second, tally, .. } => {
                self.state.second = in_short(tally);
                let over = Duration::from_secs(second + 1);
                if self.screen == Screen::Dumb && over.as_secs().is_multiple_of(TELLS_EVERY.as_secs()) {
                    self.tell_moment(over, tally);
                }
            }
            LoadEvent::PhaseOver { phase, tally } => self.end_phase(*phase, tally),
        }
    }

    /// A trial of a search has come to this.
    pub fn verdict(&mut self, passed: bool, why: Option<&str>) {
        let word = if passed { "✓ passed".to_owned() } else { format!("✗ {}", printable(why.unwrap_or("failed"))) };
        self.tell("", &[(0, word)]);
    }

    fn tick(&mut self, tick: Tick) {
        let (at, sent) = self.state.sent;
        let since = tick.elapsed.saturating_sub(at).as_secs_f64();
        if since > 0.45 {
            self.state.rate = (tick.sent - sent) as f64 / since;
            self.state.sent = (tick.elapsed, tick.sent);
        }
        let room = room();
        let Some(phase) = self.phases.get_mut(tick.phase).filter(|phase| !phase.is_over) else { return };
        let name = shortened(&phase.name, room / 3);
        let bar = phase.bar.get_or_insert_with(|| {
            let length = u64::try_from(phase.length.as_millis()).unwrap_or(u64::MAX);
            self.bars.add(ProgressBar::new(length).with_style(style(room)))
        });
        let mut parts = vec![(0, format!("{:.0}/s", self.state.rate)), (5, format!("{} in flight", tick.in_flight))];
        parts.extend(self.state.second.iter().cloned());
        let beside = name.width() + " ".len() + bar_length(room) + " ".len();
        bar.set_prefix(name);
        bar.set_message(fitted(&parts, room.saturating_sub(beside)));
        let done = tick.elapsed.saturating_sub(phase.start);
        bar.set_position(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
    }

    /// How it goes, for a terminal on which nothing can be drawn; a second of these calls is over.
    fn tell_moment(&self, over: Duration, tally: &Tally) {
        let begun = self.phases.iter().rev().find(|phase| phase.start < over && !phase.is_over);
        let Some(PhaseBar { name, start, length, .. }) = begun else { return };
        let (done, length) = (over.saturating_sub(*start).as_secs_f64().ceil(), length.as_secs_f64().ceil());
        if done < length {
            let head = vec![(0, format!("{done} of {length} s")), (1, format!("{}/s", tally.sent))];
            self.tell(name, &head.into_iter().chain(in_short(tally)).collect::<Parts>());
        }
    }

    fn end_phase(&mut self, phase: usize, tally: &Tally) {
        let phase = &mut self.phases[phase];
        phase.is_over = true;
        if let Some(bar) = phase.bar.take() {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        let (name, length) = (phase.name.clone(), phase.length);
        if tally.planned > 0 {
            let rate = tally.sent as f64 / length.as_secs_f64();
            let head = (0, format!("{} sent, {rate:.1}/s", tally.sent));
            self.tell(&name, &std::iter::once(head).chain(in_short(tally)).collect::<Parts>());
        }
    }

    /// A line that stays.
    fn tell(&self, name: &str, parts: &[(u8, String)]) {
        let width = if self.has_bars() { room() } else { width().unwrap_or(usize::MAX) };
        let head = if name.is_empty() { "  ".to_owned() } else { format!("{}: ", shortened(name, width / 3)) };
        let line = shortened(&format!("{head}{}", fitted(parts, width.saturating_sub(head.width()).max(1))), width);
        match self.screen {
            Screen::Drawable | Screen::Dumb | Screen::None => self.bars.suspend(|| say(&line)),
            Screen::Quiet => {}
        }
    }
}

impl Drop for LoadProgress {
    /// However a run ends, no bar is left.
    fn drop(&mut self) {
        // A terminal that cannot be cleared shows a line too many, and nothing worse.
        let _ = self.bars.clear();
    }
}

fn style(room: usize) -> ProgressStyle {
    let style = ProgressStyle::with_template(&format!("{{prefix:.bold}} {{bar:{}.green/dim}} {{msg}}", bar_length(room)));
    style.expect("a template without a mistake").progress_chars("━━╌")
}

fn in_short(tally: &Tally) -> Parts {
    let response = tally.response(None);
    let failed = tally.of(Class::Error) + tally.of(Class::Lost);
    let mut parts = vec![(3, format!("{} refused", tally.of(Class::Refused)))];
    if failed > 0 {
        parts.push((1, format!("{failed} failed")));
    }
    if response.count() > 0 {
        let [p50, p99] = [0.5, 0.99].map(|share| told(response.quantile(share)));
        let lag = told(tally.lag.quantile(0.99));
        parts.extend([(4, format!("p50 {p50}")), (2, format!("p99 {p99}")), (6, format!("lag p99 {lag}"))]);
    }
    parts
}
