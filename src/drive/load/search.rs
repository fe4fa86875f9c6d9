//! The search for a capacity carried out: one trial after another on the same messages, each a run of its own.

use std::time::{Duration, Instant};

use super::run::{LoadEvent, Watcher, run};
use super::{LoadError, LoadGround};
use crate::drive::stop::Stop;
use crate::judge::load::capacity::{NextTrial, Search, Searched, TrialVerdict};
use crate::judge::load::check::implied;
use crate::judge::load::measured::{CutShort, Measured};
use crate::judge::load::trial::{judge_trial, trial_outcome};
use crate::scenario::load::check::Check;
use crate::scenario::load::{Arrivals, Phase, Plan, Rate, Spacing};

/// What is still in line when a trial ends waits no longer: it was offered more than it could take.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is searched for, and how.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What has to hold at a rate for it to pass. That nothing fails and nothing is lost goes without saying.
    pub slo: Vec<Check>,
    pub start: f64,
    pub max: f64,
    pub trial: Duration,
    pub confirmation: Duration,
}

/// Answers come as close as this share of the rate.
const PRECISION: f64 = 0.05;

/// What happens, for whoever watches.
pub enum Stage<'a> {
    /// A trial begins; it is the only phase of this plan.
    Trial(&'a Plan),
    Event(LoadEvent<'a>),
    /// Why it did not pass, where it did not.
    Ended {
        trial: &'a Measured,
        passed: bool,
        why: Option<&'a str>,
    },
}

/// Searches with the traffic of `plan`, whose phases do not matter; `stop` ends it early.
pub fn search(
    ground: &mut LoadGround<'_>,
    plan: &Plan,
    terms: &Terms,
    stop: &Stop,
    ticks: bool,
    watch: &mut (dyn FnMut(Stage<'_>) + Send),
) -> Result<Measured, LoadError> {
    let slo: Vec<Check> = terms.slo.iter().cloned().chain(implied(&terms.slo.iter().collect::<Vec<_>>())).collect();
    let bare = Plan { phases: Vec::new(), checks: slo, limits: None, patience: Some(PATIENCE), ..plan.clone() };
    let mut measured = Measured::nothing_of(bare.clone(), u32::try_from(ground.threads()).unwrap_or(u32::MAX));
    let (mut search, mut whys, start) = (Search::new(terms.start, terms.max, PRECISION), Vec::new(), Instant::now());
    while let NextTrial::Trial { rate, confirm } = search.next() {
        let trial = Plan { phases: vec![phase(terms, rate, confirm, whys.len() + 1)], ..bare.clone() };
        watch(Stage::Trial(&trial));
        let begun = start.elapsed();
        let ran = run(ground, &trial, stop, Watcher { ticks, tell: &mut |event| watch(Stage::Event(event)) })?;
        if stop.is_set() {
            measured.cut_short = Some(CutShort::InSearch);
            break;
        }
        let (verdict, why) = judge_trial(&ran);
        watch(Stage::Ended { trial: &ran, passed: verdict == TrialVerdict::Passed, why: why.as_deref() });
        search.record(trial_outcome(&ran, verdict));
        measured.append(ran, begun);
        whys.push(why);
    }
    measured.searched = Some(Searched { slo: terms.slo.clone(), capacity: search.capacity(), whys });
    Ok(measured)
}

fn phase(terms: &Terms, rate: f64, confirm: bool, number: usize) -> Phase {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive, and far below 2^50")]
    let thousandths = (rate * 1000.0).round() as u64;
    let rate = Rate { calls: thousandths.max(1), per: Duration::from_secs(1000) };
    let duration = if confirm { terms.confirmation } else { terms.trial };
    let name = format!("{}-{number}-at-{:.0}", if confirm { "confirmation" } else { "trial" }, rate.per_second());
    Phase::bare(&name, Arrivals::Ramp { from: rate, to: rate, duration, spacing: Spacing::Even })
}
