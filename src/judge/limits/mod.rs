//! Which limiter a target has, found out from outside.
//!
//! Every limiter that may explain what was seen is a suspect; the reference's own counters replay the calls of every probe, and
//! what they would have made of them is held against what the target made of them. The next probe is the one whose outcome
//! the suspects that are left disagree on most, for the time that it takes. Nothing here sends anything: probes go out by
//! [`Inquiry::next`], and what came of them comes in by [`Inquiry::take`].

mod certainty;
mod foresight;
mod library;
pub mod probe;
mod proposal;
mod seen;
pub mod sharing;
pub mod suspect;
pub mod trace;
pub mod unchanged;
pub mod verdict;
mod weighing;
pub mod windows;

use std::time::Duration;

pub use crate::judge::limiter::Decision;
use certainty::{confidence, is_nearly, is_settled};
use foresight::{Foresight, lasting};
use probe::{AskedCall, Probe, ProbeStage};
use proposal::CLOSE;
use seen::Seen;
use sharing::Sharing;
use suspect::{Likelihood, Suspect};
use trace::{ProbedCall, Trace};

/// A limiter is named once it is so sure.
const SURE: f64 = 0.99;
/// A number that is so much less likely than another is not told.
const UNLIKELY: f64 = 0.002;
/// Pairs of the calls that show whether these count: as many as a call may have.
const PAIRS: u64 = 20;
/// Refusals after which a stage has met the limit.
const ENOUGH: u64 = 12;
/// Calls after which there is no limit, if none of them was refused.
const MOST_CALLS: u64 = 3_000;
/// Shorter rests are none.
const SHORTEST_REST: Duration = Duration::from_millis(2);
/// A limit takes so long at least to be free again.
const SHORTEST_RECOVERY: Duration = Duration::from_secs(1);
/// Rests that are tried side by side.
const RESTS: u32 = 5;
/// What a probe has to tell at least, in bits.
const LEAST_BITS: f64 = 0.02;
/// Probes that go out after those that always do.
const MOST_PROBES: usize = 24;
/// So often it is gone on beyond the limit, faster each time, until it is met.
const MOST_ALWAYS: usize = 4;
/// Probes that are chosen to go out side by side.
const SIDE_BY_SIDE: usize = 4;
/// So often one probe is repeated.
const MOST_REPEATED: usize = 2;
/// Slices that no suspect explains, beyond which none of them is the target's.
const MOST_ODD: f64 = 0.04;

/// What an inquiry may do.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Calls a second at the most.
    pub rate: f64,
    /// Each probe gets a counter that nobody has used; else all come to one.
    pub fresh: bool,
    /// For all of it.
    pub time: Duration,
    /// The window that the documentation speaks of.
    pub window: Duration,
}

/// A limiter, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    pub suspect: Suspect,
    pub weight: f64,
}

/// What an inquiry came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Learnt {
    /// The most likely first, one of each kind.
    pub candidates: Vec<Weighed>,
    pub calls: u64,
    pub refused: u64,
    /// Whether the most likely one explains what was seen.
    pub is_explained: bool,
    /// Refused calls that the most likely one would have admitted.
    pub refused_besides: u64,
    /// The probe that made it sure.
    pub decided_by: Option<String>,
    /// Which calls come to its counter.
    pub sharing: Sharing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InquiryStep {
    Fill,
    /// Rests, each twice as long as the one before.
    Rests,
    Always,
    Choose,
    /// Who shares the counter.
    Share,
    Over,
}

/// One limit that is being found out about.
#[derive(Clone, Debug)]
pub struct Inquiry {
    setting: Setting,
    traces: Vec<Trace>,
    /// What the traces show.
    seen: Seen,
    step: InquiryStep,
    /// The rest that comes next; of several, the shortest.
    rest: Duration,
    /// Rests that were side by side were repeated.
    has_rested_again: bool,
    probes: usize,
    /// Names of those that were chosen.
    chosen: Vec<String>,
    weighed: Vec<Weighed>,
    best: Likelihood,
    decided_by: Option<String>,
    /// What is asked of a full counter, and what came of it.
    asks: Vec<AskedCall>,
    sharing: Sharing,
    /// Calls that asked it, and of these refused: they say nothing of the kind.
    besides: (u64, u64),
}

fn refusals(calls: &[ProbedCall]) -> u64 {
    calls.iter().filter(|call| call.decision == Decision::Refused).count() as u64
}

impl Learnt {
    /// Whether it is sure which limiter this is.
    pub fn is_sure(&self) -> bool {
        self.confidence() >= SURE && self.is_explained
    }

    /// How sure it is that the target has the first candidate, or one with a rate that is hardly another.
    pub fn confidence(&self) -> f64 {
        confidence(&self.candidates)
    }

    /// How long it takes at the most until all is free again, twice over; `None` where nothing limits.
    pub fn recovery(&self) -> Option<Duration> {
        let suspect = &self.candidates.first()?.suspect;
        Some(lasting(suspect, suspect.algorithm.burst().unwrap_or(0)).max(SHORTEST_RECOVERY) * 2)
    }

    /// The least and the most calls a second that come free, as far as that is known.
    pub fn rates(&self) -> Option<(f64, f64)> {
        let first = self.candidates.first()?;
        let likely = self
            .candidates
            .iter()
            .filter(|other| other.weight >= UNLIKELY * first.weight && is_nearly(&first.suspect, &other.suspect));
        let rates: Vec<f64> = likely.map(|weighed| weighed.suspect.rate()).collect();
        let (least, most) =
            rates.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
        // Between two rates that are next to each other nothing was looked at.
        Some((least * (1.0 - CLOSE), most * (1.0 + CLOSE)))
    }
}

impl Inquiry {
    /// `asks` of the counter that it finds, as far as the time allows.
    pub fn new(setting: Setting, asks: Vec<AskedCall>) -> Inquiry {
        Inquiry {
            setting,
            asks,
            sharing: Sharing::default(),
            besides: (0, 0),
            traces: Vec::new(),
            seen: Seen::default(),
            step: InquiryStep::Fill,
            rest: if setting.fresh { setting.window / 60 } else { setting.window / 4 },
            has_rested_again: false,
            probes: 0,
            chosen: Vec::new(),
            weighed: Vec::new(),
            best: Likelihood::default(),
            decided_by: None,
        }
    }

    /// A call that came before all probes.
    pub fn begin(&mut self, call: ProbedCall) {
        self.traces.push(Trace { calls: vec![call] });
    }

    /// The probes that go out next, side by side where each has a counter of its own; none where all is known that can be.
    pub fn next(&mut self, spent: Duration) -> Vec<Probe> {
        let left = self.setting.time.saturating_sub(spent);
        loop {
            let probes = match self.step {
                InquiryStep::Fill => vec![self.first_fill()],
                InquiryStep::Rests => self.rests(),
                InquiryStep::Always => self.always(),
                InquiryStep::Choose => self.choose(left.saturating_sub(self.sharing_takes())),
                InquiryStep::Share => self.share(),
                InquiryStep::Over => return Vec::new(),
            };
            let probes = self.fitting(probes, left);
            if !probes.is_empty() {
                return probes;
            }
            self.step = match self.step {
                InquiryStep::Fill | InquiryStep::Share | InquiryStep::Over => InquiryStep::Over,
                InquiryStep::Choose => InquiryStep::Share,
                InquiryStep::Rests => InquiryStep::Always,
                InquiryStep::Always => InquiryStep::Choose,
            };
            if self.step == InquiryStep::Choose {
                self.weigh();
            }
        }
    }

    /// What came of the probes of a round.
    pub fn take(&mut self, round: &[(Probe, Vec<ProbedCall>)]) {
        if self.step == InquiryStep::Share {
            self.take_shared(round);
            return;
        }
        if self.step == InquiryStep::Fill {
            for (probe, calls) in round {
                let is_admitted = |call: &&ProbedCall| call.stage == 0 && call.decision == Decision::Admitted;
                self.sharing.take(probe, calls, calls.iter().filter(is_admitted).count() as u64);
            }
        }
        for (probe, calls) in round {
            let own = self.own_calls(probe, calls);
            if self.setting.fresh || self.traces.is_empty() {
                self.traces.push(Trace { calls: own });
            } else {
                self.traces[0].calls.extend(own);
            }
        }
        self.seen = Seen::of(&self.traces);
        match self.step {
            InquiryStep::Fill => self.look_at_fill(),
            InquiryStep::Rests => self.look_at_rests(),
            InquiryStep::Always => {}
            InquiryStep::Choose | InquiryStep::Share | InquiryStep::Over => {
                let was_settled = self.is_settled();
                self.weigh();
                if !was_settled && self.is_settled() {
                    self.decided_by = self.deciding(round);
                }
            }
        }
    }

    /// The calls of a probe that came to its counter, their stages counted through all of the trace.
    fn own_calls(&self, probe: &Probe, calls: &[ProbedCall]) -> Vec<ProbedCall> {
        let before = if self.setting.fresh { 0 } else { self.traces.first().map_or(0, Trace::stages) };
        let comes = |stage: usize| {
            let asked = probe.stages[stage].asked;
            asked == AskedCall::Set || self.sharing.answer(asked) == Some(true)
        };
        let stages = (0..probe.stages.len()).filter(|stage| comes(*stage));
        let own = (before..).zip(stages).flat_map(|(number, stage)| {
            let calls = calls.iter().filter(move |call| call.stage as usize == stage);
            calls.map(move |call| ProbedCall { stage: number, ..*call })
        });
        own.collect()
    }

    /// The first probe of a round after which it was sure.
    fn deciding(&self, round: &[(Probe, Vec<ProbedCall>)]) -> Option<String> {
        let before = self.traces.len().saturating_sub(round.len());
        let is_enough = |probes: usize| {
            let traces = &self.traces[..before + probes];
            let (weighed, _) = weighing::weigh(traces, &Seen::of(traces), &self.weighed);
            is_settled(&weighed)
        };
        let last = round.len().checked_sub(1)?;
        let decided = (0..last).find(|probe| is_enough(probe + 1)).unwrap_or(last);
        Some(round[decided].0.name.clone())
    }

    /// What came of each counter's calls.
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// What is known now.
    pub fn learnt(&self) -> Learnt {
        let (besides, refused_besides) = self.besides;
        let calls = self.traces.iter().map(|trace| trace.calls.len() as u64).sum::<u64>() + besides;
        let refused = self.traces.iter().map(|trace| refusals(&trace.calls)).sum::<u64>() + refused_besides;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
        let refused_besides = self.best.fewer.round() as u64;
        Learnt {
            candidates: self.weighed.clone(),
            calls,
            refused,
            is_explained: f64::from(self.best.odd) <= (MOST_ODD * f64::from(self.best.slices)).max(1.0),
            refused_besides,
            decided_by: self.decided_by.clone(),
            sharing: self.sharing.clone(),
        }
    }

    /// What a call takes there and back that nothing holds up, in nanoseconds.
    fn way(&self) -> u64 {
        self.traces.iter().map(Trace::usual_way).max().unwrap_or(0)
    }

    /// Whether the kind is settled, and its numbers nearly so.
    fn is_settled(&self) -> bool {
        is_settled(&self.weighed)
    }

    fn fill(&self) -> ProbeStage {
        ProbeStage::burst(MOST_CALLS, self.setting.rate).until_refused(ENOUGH)
    }

    /// A fill of a counter that nobody has used, or that has forgotten. It begins at another place of a window each time.
    fn fresh_fill(&self, window: Duration) -> ProbeStage {
        let tenths = 21 + 3 * u32::try_from(self.probes % 4).unwrap_or(0);
        self.fill().after(if self.setting.fresh { Duration::ZERO } else { window * tenths / 10 })
    }

    /// How long the limit remembers, about.
    fn lasts(&self) -> Duration {
        self.seen.recovery().map_or(self.rest, |(_, longest)| longest * 2 / 5)
    }

    fn rests(&mut self) -> Vec<Probe> {
        let longest = self.setting.time * 2 / 5;
        if self.rest > longest {
            return Vec::new();
        }
        let fill = self.fill();
        let after = |rest: Duration| fill.clone().after(rest);
        if !self.setting.fresh {
            return vec![Probe::new(rest_name(self.rest), vec![after(self.rest)])];
        }
        // Each on a counter of its own: several at once. Where shorter rests have shown nothing, the documented window is the
        // likely one, and all that tells kinds apart goes out with the longer ones.
        let rests: Vec<Duration> = (0..RESTS).map(|times| self.rest * (1 << times)).filter(|rest| *rest <= longest).collect();
        let mut probes: Vec<Probe> =
            rests.into_iter().map(|rest| Probe::new(rest_name(rest), vec![fill.clone(), after(rest)])).collect();
        if self.rest >= self.setting.window / 4 {
            let level = self.seen.level().unwrap_or(1);
            let others = self.kinds_apart(level, self.setting.window).into_iter();
            probes.extend(others.filter(|probe| probe.length() < self.setting.window * 3));
            self.probes = 1;
        }
        probes
    }

    /// Rests get longer until the limit has recovered in two of them, and shorter until it has not in one.
    fn look_at_rests(&mut self) {
        let at_once = if self.setting.fresh { 1 << RESTS } else { 2 };
        let (recovered, unrecovered) = (&self.seen.recovered, self.seen.unrecovered.unwrap_or_default());
        let Some(shortest) = recovered.first().map(|recovered| recovered.rest) else {
            self.rest *= at_once;
            return;
        };
        if shortest > unrecovered * 3 && self.rest > SHORTEST_REST {
            self.rest = self.rest.min(shortest) / at_once;
        } else if recovered.len() < 2 {
            self.rest = shortest.max(unrecovered) * 2;
        } else if !self.seen.recovered_apart() && !self.has_rested_again && self.rest < self.setting.window / 4 {
            // At another time; rests about as long as the documented window go out with all that tells kinds apart.
            self.has_rested_again = true;
            self.rest = shortest / 2;
        } else {
            self.step = InquiryStep::Always;
        }
    }

    /// What is asked in any case: whether pairs count, and what comes of going on beyond the limit.
    fn always(&mut self) -> Vec<Probe> {
        if self.probes > MOST_ALWAYS || (self.probes > 0 && self.went_beyond()) {
            return Vec::new();
        }
        let is_first = self.probes == 0;
        self.probes += 1;
        let window = self.lasts();
        let beyond = self.beyond(window);
        let pairs = is_first.then(|| self.fresh_fill(window).of_pairs(PAIRS));
        let name = format!("going on at {:.1}/s", beyond.rate);
        if self.setting.fresh {
            let pairs = pairs.map(|pairs| Probe::new("whether pairs count", vec![pairs]));
            pairs.into_iter().chain([Probe::new(name, vec![self.fill(), beyond])]).collect()
        } else {
            vec![Probe::new(name, pairs.into_iter().chain([self.fresh_fill(window), beyond]).collect())]
        }
    }

    /// Whether calls were refused all along some stage, so that it is seen how many come free.
    fn went_beyond(&self) -> bool {
        self.traces.iter().any(|trace| {
            let last: Vec<&ProbedCall> = trace.stage(trace.stages() - 1).collect();
            let refused = last.iter().filter(|call| call.decision == Decision::Refused).count();
            last.len() >= 40 && refused * 4 >= last.len()
        })
    }

    /// More calls than come free, for longer than a window.
    fn beyond(&self, window: Duration) -> ProbeStage {
        let level = self.seen.level().unwrap_or(1) as f64;
        let free = self.seen.most_free().max(level / window.as_secs_f64());
        let rate = (free * 2.5).min(self.setting.rate);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
        let calls = ((window.as_secs_f64() * 2.2).max(0.6) * rate) as u64;
        let calls = calls.clamp(60, self.most_in_one());
        ProbeStage::burst(calls, rate)
    }

    fn choose(&mut self, left: Duration) -> Vec<Probe> {
        if self.is_settled() || self.probes > MOST_PROBES || self.weighed.is_empty() {
            return Vec::new();
        }
        let before = self.traces.first().filter(|_| !self.setting.fresh);
        let is_left = |probe: &Probe| {
            let times = self.chosen.iter().filter(|name| **name == probe.name).count();
            times < MOST_REPEATED && self.expected_length(probe) <= left
        };
        let library = self.library().into_iter().filter(is_left);
        let foresight = Foresight::of(&self.weighed, before, self.way() / 2);
        let mut told: Vec<(f64, Probe)> = library.map(|probe| (foresight.bits(&probe), probe)).collect();
        told.retain(|(bits, _)| *bits >= LEAST_BITS);
        let worth = |(bits, probe): &(f64, Probe)| bits / (self.expected_length(probe).as_secs_f64() + 0.2);
        told.sort_by(|one, other| worth(other).total_cmp(&worth(one)));
        let most = if self.setting.fresh { SIDE_BY_SIDE } else { 1 };
        told.truncate(most);
        self.probes += told.len();
        self.chosen.extend(told.iter().map(|(_, probe)| probe.name.clone()));
        told.into_iter().map(|(_, probe)| probe).collect()
    }

    /// Calls of one stage at the most: where probes share the rate, as many as go out in some seconds.
    fn most_in_one(&self) -> u64 {
        if self.setting.fresh { 2_000 } else { 12_000 }
    }

    /// A stage mostly ends where the limit is met, long before its last call.
    fn expected_calls(&self, stage: &ProbeStage) -> u64 {
        let level = self.seen.level().unwrap_or(MOST_CALLS);
        if stage.enough.is_some() { stage.calls.min(level * 5 / 4 + ENOUGH) } else { stage.calls }
    }

    /// Those that fit into the time that is left: side by side they share the rate, so all of their calls, and the longest of them.
    fn fitting(&self, mut probes: Vec<Probe>, left: Duration) -> Vec<Probe> {
        let (mut calls, mut longest) = (0, Duration::ZERO);
        probes.retain(|probe| {
            let with = calls + probe.stages.iter().map(|stage| self.expected_calls(stage)).sum::<u64>();
            let length = longest.max(self.expected_length(probe));
            let among_others = Duration::from_secs_f64(calls as f64 / self.setting.rate);
            let fits = length + among_others <= left;
            (calls, longest) = if fits { (with, length) } else { (calls, longest) };
            fits
        });
        probes
    }

    fn expected_length(&self, probe: &Probe) -> Duration {
        let length = |stage: &ProbeStage| ProbeStage { calls: self.expected_calls(stage), ..stage.clone() }.length();
        probe.stages.iter().map(length).sum()
    }

    fn weigh(&mut self) {
        (self.weighed, self.best) = weighing::weigh(&self.traces, &self.seen, &self.weighed);
    }
}

fn rest_name(rest: Duration) -> String {
    format!("what is free again after {:.3} s", rest.as_secs_f64())
}
