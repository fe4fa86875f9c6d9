//! What a load has come to until now, for `--metrics`.

use std::time::Duration;

use crate::cli::live::LivePage;
use crate::drive::load::run::SoFar;
use crate::judge::load::measured::{Connections, Measured, MeasuredSecond};
use crate::judge::load::tally::Tally;
use crate::report::load::SecondFigures;
use crate::report::load::live::{self, LoadSoFar};
use crate::report::load::openmetrics::{Snapshot, write};

/// For so many seconds the page is made anew each second, and for as many more every other.
const OFTEN: usize = 600;

/// The seconds of a run, as they come.
pub struct Metrics {
    page: LivePage,
    /// Phases of plans that are over: counters must not go back.
    over: Vec<(String, Tally)>,
    connections: Connections,
    seconds: Vec<SecondFigures>,
}

impl Metrics {
    pub fn new(page: LivePage) -> Metrics {
        Metrics { page, over: Vec::new(), connections: Connections::default(), seconds: Vec::new() }
    }

    /// Takes in a second, which was over so long after the start, and makes the pages anew.
    pub fn update(&mut self, so_far: &SoFar<'_>, elapsed: Duration, second: &Tally) {
        let at_s = elapsed.as_secs().saturating_sub(1);
        self.seconds.push(SecondFigures::new(&MeasuredSecond::new(at_s, second)));
        let phases: Vec<(&str, &Tally)> = self.over.iter().map(|(name, tally)| (name.as_str(), tally)).collect();
        let begun = so_far.plan.phases.iter().zip(so_far.phases).filter(|(_, tally)| tally.planned > 0);
        let phases: Vec<(&str, &Tally)> =
            phases.into_iter().chain(begun.map(|(phase, tally)| (phase.name.as_str(), tally))).collect();
        let mut connections = self.connections.clone();
        so_far.connections.iter().for_each(|more| connections.add(more));
        let mut metrics = Vec::new();
        let snapshot = Snapshot { phases: &phases, in_flight: so_far.in_flight, connections_lost: &connections.lost };
        write(&mut metrics, &snapshot).expect("memory takes everything");
        self.page.tell(metrics);
        // A longer page is made less often, so that a long run costs no more than a short one.
        let is_due = self.seconds.len().is_multiple_of(1 + self.seconds.len() / OFTEN);
        if is_due && self.page.is_wanted() {
            let (plan, seconds) = (so_far.plan, &self.seconds[..]);
            let so_far = LoadSoFar { plan, phases: &phases, seconds, connections: &connections, elapsed };
            self.page.show(live::build(&self.page.begun, &so_far));
        }
    }

    /// A plan is over, and another follows.
    pub fn keep(&mut self, trial: &Measured) {
        let phases = trial.plan.phases.iter().zip(&trial.phases);
        self.over.extend(phases.map(|(phase, measured)| (phase.name.clone(), measured.tally.clone())));
        self.connections.add(&trial.connections);
    }
}
