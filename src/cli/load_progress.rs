//! A load run while it goes on: a bar on a terminal, a line a phase elsewhere.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::drive::load::run::{Event, Tick};
use crate::history::Class;
use crate::judge::check::told;
use crate::judge::tally::Tally;
use crate::scenario::load::Plan;
use crate::scenario::load::arrivals::Schedule;

/// Shows a run. It is told at most ten times a second, by the thread that adds up, and never by one that sends.
pub struct LoadProgress<'a> {
    plan: &'a Plan,
    ends: Vec<u64>,
    bar: ProgressBar,
    /// One line a phase, where there is no terminal and nobody asked for quiet.
    lines: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Of the last second that is over.
    second: String,
    sent: (Duration, u64),
    rate: f64,
}

impl<'a> LoadProgress<'a> {
    pub fn new(plan: &'a Plan, quiet: bool) -> LoadProgress<'a> {
        let ends = Schedule::new(&plan.phases, 0).ends().to_vec();
        let on_terminal = io::stderr().is_terminal() && !quiet;
        let target = if on_terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(ends.last().copied().unwrap_or(0) / 1_000_000), target);
        let style =
            ProgressStyle::with_template("{bar:24.green/black} {elapsed_precise} {msg}").expect("the template is a constant");
        bar.set_style(style);
        LoadProgress { plan, ends, bar, lines: !on_terminal && !quiet, state: RefCell::default() }
    }

    pub fn show(&self, event: &Event<'_>) {
        match event {
            Event::Tick(tick) => self.tick(*tick),
            Event::Second { tally, .. } => self.state.borrow_mut().second = in_short(tally),
            Event::PhaseOver { phase, tally } if self.lines && tally.planned > 0 => {
                let start = if *phase == 0 { 0 } else { self.ends[phase - 1] };
                let seconds = Duration::from_nanos(self.ends[*phase] - start).as_secs_f64();
                let name = &self.plan.phases[*phase].name;
                anstream::eprintln!("{name}: {} sent, {:.1}/s  {}", tally.sent, tally.sent as f64 / seconds, in_short(tally));
            }
            Event::PhaseOver { .. } => {}
        }
    }

    fn tick(&self, tick: Tick) {
        let mut state = self.state.borrow_mut();
        let (at, sent) = state.sent;
        let since = tick.elapsed.saturating_sub(at).as_secs_f64();
        if since > 0.45 {
            state.rate = (tick.sent - sent) as f64 / since;
            state.sent = (tick.elapsed, tick.sent);
        }
        let phase = self.plan.phases.get(tick.phase).map_or("", |phase| phase.name.as_str());
        self.bar.set_position(u64::try_from(tick.elapsed.as_millis()).unwrap_or(u64::MAX));
        self.bar.set_message(format!("{phase}  {:.0}/s  {} in flight  {}", state.rate, tick.in_flight, state.second));
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
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
