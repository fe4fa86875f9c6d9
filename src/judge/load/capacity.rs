//! The search for a target's capacity: which rate to try next, and what the trials come to.
//!
//! Doubles until a rate fails, bisects in log space until the two are close, and confirms what passed with one long trial.
//! Never runs anything: whoever does asks [`Search::next`] and tells [`Search::record`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Checked, per_second};
use crate::scenario::load::check::Check;

/// Verdicts on one level: two that agree decide it.
const TO_DECIDE: u32 = 2;
/// Trials of one level that the generator spoilt, before that level is beyond it. A spoilt one says nothing of the target.
const SPOILT: u32 = 3;
/// Long trials before nothing is said to pass.
const CONFIRMATIONS: u32 = 5;
/// Where every rate fails, none below this is tried.
const LOWEST_RATE: f64 = 1.0;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum NextTrial {
    /// Try this rate, in calls a second; a confirmation is long, any other trial short.
    Trial {
        rate: f64,
        confirm: bool,
    },
    Done,
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialOutcome {
    pub verdict: TrialVerdict,
    /// Calls a second that were really accepted.
    pub achieved: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub p999: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialVerdict {
    Passed,
    Failed,
    /// The generator could not keep up: it says nothing of what the target could carry.
    GeneratorLimited,
    /// A lawful limit refused the calls: neither does that.
    LimitRefused,
}

/// One trial of the latency-against-load curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub rate: f64,
    pub confirm: bool,
    pub outcome: TrialOutcome,
}

/// What limits the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitedBy {
    Target,
    Generator,
    Limiter,
    /// The highest rate that was allowed passes.
    #[default]
    Nothing,
}

impl LimitedBy {
    pub fn word(self) -> &'static str {
        match self {
            LimitedBy::Target => "target",
            LimitedBy::Generator => "generator",
            LimitedBy::Limiter => "limiter",
            LimitedBy::Nothing => "nothing",
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Highest rate that a long trial confirmed; `None` where none was.
    pub passes_at: Option<f64>,
    /// Lowest rate above it that did not pass; `None` where the generator's limit or the highest rate came first.
    pub fails_at: Option<f64>,
    pub limited_by: LimitedBy,
    /// Every trial, in order.
    pub curve: Vec<Trial>,
}

/// The search. Rates are in calls a second.
#[derive(Clone, Debug)]
pub struct Search {
    max_rate: f64,
    precision: f64,
    /// Highest level that passed.
    low: Option<f64>,
    /// Lowest level that did not, and why.
    high: Option<(f64, LimitedBy)>,
    /// The level that is tried.
    level: f64,
    stage: SearchStage,
    curve: Vec<Trial>,
}

#[derive(Clone, Copy, Debug)]
enum SearchStage {
    Search { passes: u32, failures: u32, spoilt: u32 },
    Confirm { done: u32, spoilt: u32 },
    Done,
}

const FIRST: SearchStage = SearchStage::Search { passes: 0, failures: 0, spoilt: 0 };

impl Search {
    /// Begins at `start_rate`, never exceeds `max_rate`, and ends when what fails is at most `1 + precision` times what passes.
    pub fn new(start_rate: f64, max_rate: f64, precision: f64) -> Search {
        let level = start_rate.min(max_rate);
        let stage = FIRST;
        Search { max_rate, precision, low: None, high: None, level, stage, curve: Vec::new() }
    }

    pub fn next(&self) -> NextTrial {
        match self.stage {
            SearchStage::Search { .. } => NextTrial::Trial { rate: self.level, confirm: false },
            SearchStage::Confirm { .. } => NextTrial::Trial { rate: self.level, confirm: true },
            SearchStage::Done => NextTrial::Done,
        }
    }

    /// Takes in what the trial came to that [`Search::next`] asked for.
    pub fn record(&mut self, outcome: TrialOutcome) {
        let confirm = matches!(self.stage, SearchStage::Confirm { .. });
        self.curve.push(Trial { rate: self.level, confirm, outcome });
        let (passed, is_spoilt) = (outcome.verdict == TrialVerdict::Passed, outcome.verdict == TrialVerdict::GeneratorLimited);
        match &mut self.stage {
            SearchStage::Search { passes, failures, spoilt } => {
                *passes += u32::from(passed);
                *spoilt += u32::from(is_spoilt);
                *failures += u32::from(!passed && !is_spoilt);
                if *passes == TO_DECIDE {
                    self.low = Some(self.level);
                    self.search_on();
                } else if *failures == TO_DECIDE || *spoilt == SPOILT {
                    self.high = Some((self.level, limited_by(outcome.verdict)));
                    self.search_on();
                }
            }
            SearchStage::Confirm { .. } if passed => self.stage = SearchStage::Done,
            SearchStage::Confirm { spoilt, .. } if is_spoilt && *spoilt + 1 < SPOILT => *spoilt += 1,
            SearchStage::Confirm { done, spoilt } => {
                *done += 1;
                *spoilt = 0;
                self.high = Some((self.level, limited_by(outcome.verdict)));
                // Each step is double the last one, for where short trials flatter the target the truth may be far below.
                self.level /= (1.0 + self.precision).powi(1 << (*done - 1));
                if *done == CONFIRMATIONS || self.level < LOWEST_RATE {
                    (self.low, self.stage) = (None, SearchStage::Done);
                } else {
                    self.low = Some(self.level);
                }
            }
            SearchStage::Done => {}
        }
    }

    /// A level is decided: on to the next, or to the confirmation of the highest that passed.
    fn search_on(&mut self) {
        self.stage = FIRST;
        match (self.low, self.high) {
            (Some(low), None) if low < self.max_rate => self.level = (low * 2.0).min(self.max_rate),
            (Some(low), Some((high, _))) if high > low * (1.0 + self.precision) => self.level = (low * high).sqrt(),
            (Some(low), _) => (self.level, self.stage) = (low, SearchStage::Confirm { done: 0, spoilt: 0 }),
            (None, Some((high, _))) if high / 2.0 >= LOWEST_RATE => self.level = high / 2.0,
            (None, _) => self.stage = SearchStage::Done,
        }
    }

    /// What is known so far: the answer, once [`Search::next`] says that it is done.
    pub fn capacity(&self) -> Capacity {
        let (fails_at, limited_by) = match self.high {
            None => (None, LimitedBy::Nothing),
            Some((_, LimitedBy::Generator)) => (None, LimitedBy::Generator),
            Some((rate, limited_by)) => (Some(rate), limited_by),
        };
        Capacity { passes_at: self.low, fails_at, limited_by, curve: self.curve.clone() }
    }
}

fn limited_by(verdict: TrialVerdict) -> LimitedBy {
    match verdict {
        TrialVerdict::Passed | TrialVerdict::Failed => LimitedBy::Target,
        TrialVerdict::GeneratorLimited => LimitedBy::Generator,
        TrialVerdict::LimitRefused => LimitedBy::Limiter,
    }
}

/// What a search was for, and its answer; for each trial why it did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Searched {
    pub slo: Vec<Check>,
    pub capacity: Capacity,
    pub whys: Vec<Option<String>>,
}

impl Searched {
    /// The answer as a check: it holds where a rate was confirmed, and is open where only the generator set the limit, or the
    /// search did not come to its end.
    pub fn checked(&self, is_whole: bool) -> Checked {
        let Capacity { passes_at, limited_by, .. } = self.capacity;
        let holds = match (passes_at, limited_by) {
            (_, LimitedBy::Generator) | (None, LimitedBy::Limiter) => None,
            _ => is_whole.then_some(passes_at.is_some()),
        };
        Checked { text: "capacity".to_owned(), holds, is_lost: false, actual: self.in_a_sentence() }
    }

    /// The answer.
    pub fn in_a_sentence(&self) -> String {
        let slo = self.slo.iter().map(|check| check.text.as_str()).collect::<Vec<_>>().join(", ");
        let passes = match self.capacity.passes_at {
            Some(rate) => format!("{slo}: holds at {}", per_second(rate)),
            None => format!("{slo}: confirmed at no rate"),
        };
        let fails = self.capacity.fails_at.map_or(String::new(), |rate| format!(", and no longer at {}", per_second(rate)));
        let limit = match self.capacity.limited_by {
            LimitedBy::Generator => "; beyond it the generator is the limit, not the target",
            LimitedBy::Limiter => "; there a limit of the target refuses calls: what it could carry is not known",
            LimitedBy::Nothing => ", the highest rate that was tried",
            LimitedBy::Target => "",
        };
        format!("{passes}{fails}{limit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn outcome(verdict: TrialVerdict, rate: f64) -> TrialOutcome {
        let time = Duration::from_millis(1);
        TrialOutcome { verdict, achieved: rate, p50: time, p99: time, p999: time }
    }

    /// Searches a target whose trials come to what `verdict` says of a rate and of whether it confirms.
    fn searched(start: f64, max: f64, mut verdict: impl FnMut(f64, bool) -> TrialVerdict) -> Capacity {
        let mut search = Search::new(start, max, 0.05);
        for _ in 0..200 {
            match search.next() {
                NextTrial::Trial { rate, confirm } => search.record(outcome(verdict(rate, confirm), rate)),
                NextTrial::Done => return search.capacity(),
            }
        }
        panic!("no end after 200 trials");
    }

    fn step_at(capacity: f64) -> impl Fn(f64, bool) -> TrialVerdict {
        move |rate, _| if rate <= capacity { TrialVerdict::Passed } else { TrialVerdict::Failed }
    }

    #[test]
    fn a_sharp_step_lies_in_the_answer_and_the_answer_is_narrow() {
        for true_capacity in [3.0, 99.0, 100.0, 777.0, 12_345.0, 99_999.0] {
            let capacity = searched(100.0, 200_000.0, step_at(true_capacity));
            let (passes_at, fails_at) = (capacity.passes_at.unwrap(), capacity.fails_at.unwrap());
            assert!(passes_at <= true_capacity && true_capacity < fails_at, "{true_capacity}: {passes_at} {fails_at}");
            assert!(fails_at <= passes_at * 1.05 + 1e-9, "{true_capacity}: {passes_at} {fails_at}");
            assert_eq!(capacity.limited_by, LimitedBy::Target);
            assert_eq!(capacity.curve.last().map(|trial| (trial.confirm, trial.rate)), Some((true, passes_at)));
            assert!(capacity.curve.len() < 40, "{}", capacity.curve.len());
        }
    }

    #[test]
    fn a_noisy_step_is_found_within_a_tenth() {
        let mut near = 0;
        for seed in 0..200 {
            let mut random = Random::seeded(seed);
            // Half of the trials pass at the capacity, and hardly one a few percent beyond; a long trial is less noisy.
            let noisy = |rate: f64, confirm: bool| {
                let width = if confirm { 0.005 } else { 0.02 };
                let passes = 1.0 / (1.0 + ((rate / 5000.0_f64).ln() / width).exp());
                let drawn = f64::from(random.next_u32()) / f64::from(u32::MAX);
                if drawn < passes { TrialVerdict::Passed } else { TrialVerdict::Failed }
            };
            let capacity = searched(100.0, 100_000.0, noisy);
            near += u32::from(capacity.passes_at.is_some_and(|rate| (4500.0..5500.0).contains(&rate)));
            assert!(capacity.fails_at.unwrap() > capacity.passes_at.unwrap(), "{seed}");
        }
        assert!(near >= 195, "{near} of 200");
    }

    #[test]
    fn one_odd_trial_of_three_does_not_decide() {
        let mut trials = 0;
        let capacity = searched(100.0, 200_000.0, |rate, confirm| {
            trials += 1;
            // The first level passes, fails once, and passes.
            let fluke = trials == 2 && !confirm;
            if rate <= 1000.0 && !fluke { TrialVerdict::Passed } else { TrialVerdict::Failed }
        });
        assert!(capacity.passes_at.unwrap() > 950.0, "{capacity:?}");
        assert_eq!(capacity.curve[..3].iter().filter(|trial| trial.rate < 101.0).count(), 3);
    }

    #[test]
    fn the_highest_rate_that_is_allowed_is_tried_and_never_exceeded() {
        let capacity = searched(100.0, 700.0, step_at(1e9));
        assert_eq!((capacity.passes_at, capacity.fails_at, capacity.limited_by), (Some(700.0), None, LimitedBy::Nothing));
        assert!(capacity.curve.iter().all(|trial| trial.rate <= 700.0));
        assert_eq!(searched(100.0, 50.0, step_at(1e9)).passes_at, Some(50.0));
    }

    #[test]
    fn the_generators_limit_is_not_called_the_targets_nor_is_a_lawful_one() {
        let limited = |by| move |rate, _| if rate <= 3000.0 { TrialVerdict::Passed } else { by };
        let generator = searched(100.0, 100_000.0, limited(TrialVerdict::GeneratorLimited));
        assert_eq!((generator.fails_at, generator.limited_by), (None, LimitedBy::Generator));
        assert!(generator.passes_at.unwrap() > 2850.0);
        let lawful = searched(100.0, 100_000.0, limited(TrialVerdict::LimitRefused));
        assert_eq!((lawful.fails_at.is_some(), lawful.limited_by), (true, LimitedBy::Limiter));
    }

    #[test]
    fn a_trial_that_the_generator_spoils_is_tried_again_and_counts_for_nothing() {
        for every in [2, 3] {
            let mut trials = 0;
            let capacity = searched(100.0, 100_000.0, |rate, _| {
                trials += 1;
                if trials % every == 0 { TrialVerdict::GeneratorLimited } else { step_at(1000.0)(rate, false) }
            });
            assert_eq!(capacity.limited_by, LimitedBy::Target, "{every}: {capacity:?}");
            assert!((950.0..=1000.0).contains(&capacity.passes_at.unwrap()), "{every}: {capacity:?}");
        }
        let starved = searched(100.0, 100_000.0, |_, _| TrialVerdict::GeneratorLimited);
        assert_eq!((starved.passes_at, starved.fails_at, starved.limited_by), (None, None, LimitedBy::Generator));
        let searched = Searched { slo: Vec::new(), capacity: starved, whys: Vec::new() };
        assert_eq!(searched.checked(true).holds, None);
    }

    #[test]
    fn a_search_that_was_cut_short_has_no_answer_yet() {
        let of = |passes_at, is_whole| {
            let capacity = Capacity { passes_at, limited_by: LimitedBy::Target, ..Capacity::default() };
            Searched { slo: Vec::new(), capacity, whys: Vec::new() }.checked(is_whole).holds
        };
        assert_eq!(
            [of(None, true), of(Some(9.0), true), of(None, false), of(Some(9.0), false)],
            [Some(false), Some(true), None, None]
        );
    }

    #[test]
    fn a_rate_that_a_long_trial_refutes_is_not_said_to_pass() {
        let flattered = |rate, confirm| step_at(if confirm { 900.0 } else { 1000.0 })(rate, confirm);
        let capacity = searched(100.0, 100_000.0, flattered);
        assert!((700.0..900.0).contains(&capacity.passes_at.unwrap()), "{capacity:?}");
        assert!(capacity.fails_at.unwrap() > 900.0, "{capacity:?}");

        let never =
            searched(100.0, 100_000.0, |rate, confirm| if confirm { TrialVerdict::Failed } else { step_at(1000.0)(rate, false) });
        assert_eq!((never.passes_at, never.limited_by), (None, LimitedBy::Target));
        assert_eq!(never.curve.iter().filter(|trial| trial.confirm).count(), 5);
    }

    #[test]
    fn a_target_that_carries_nothing_ends_the_search() {
        let capacity = searched(100.0, 100_000.0, |_, _| TrialVerdict::Failed);
        assert_eq!(capacity.passes_at, None);
        assert!(capacity.fails_at.unwrap() < 2.0, "{capacity:?}");
    }
}
