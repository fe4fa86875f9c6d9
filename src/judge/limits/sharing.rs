//! Who shares a limit's counter: asked of it while it is full, so that whoever is still admitted has another, or counts for none.

use std::collections::BTreeMap;
use std::time::Duration;

use super::probe::{AskedCall, Probe, ProbeStage};
use super::trace::ProbedCall;
use super::{Decision, ENOUGH, Inquiry, InquiryStep, refusals};

/// Calls of each sort, and as many sets after them, which show that the counter is still full.
const CALLS: u64 = 12;
/// So often it is asked, where chance has a hand in the answer.
const MOST_TIMES: usize = 4;
/// A counter that takes fewer calls is asked twice at least: a window that begins just then makes its own calls look like others'.
const FEW: u64 = 2 * CALLS;
/// Counts that differ by less say nothing.
const FEWEST_APART: f64 = 3.0;
/// So near to one of two answers a count has to be, as a share of what lies between them.
const NEAR: f64 = 0.25;

/// What came of calls of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct SharingTally {
    /// Calls admitted, and as many as there would be, did they come to the counter, and did they not.
    admitted: f64,
    shared: f64,
    apart: f64,
    times: usize,
    /// Of these with an answer, and how many it takes.
    told: usize,
    fewest: usize,
}

/// Which calls come to a limit's counter, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sharing {
    tallies: BTreeMap<AskedCall, SharingTally>,
}

impl SharingTally {
    fn answer(self) -> Option<bool> {
        let between = self.apart - self.shared;
        match (self.admitted - self.shared) / between {
            _ if between < FEWEST_APART || self.told < self.fewest => None,
            share if share <= NEAR => Some(true),
            share if share >= 1.0 - NEAR => Some(false),
            _ => None,
        }
    }
}

impl Sharing {
    /// Whether calls of this sort come to the counter; `None` where that was not asked, or the answers were mixed.
    pub fn answer(&self, asked: AskedCall) -> Option<bool> {
        self.tallies.get(&asked).and_then(|tally| tally.answer())
    }

    /// What is asked of a counter that has just been filled up.
    pub fn beyond(asked: AskedCall, rate: f64) -> [ProbeStage; 2] {
        [asked, AskedCall::Set].map(|asked| stage(asked, rate))
    }

    /// What is still to be asked: by `fresh`, which fills a counter that nobody has used, and takes `level` calls.
    pub fn probes(&self, asks: &[AskedCall], fresh: &ProbeStage, level: u64) -> Vec<Probe> {
        let times = |asked: &AskedCall| self.tallies.get(asked).map_or(0, |tally| tally.times);
        let is_open = |asked: &AskedCall| self.answer(*asked).is_none() && times(asked) < MOST_TIMES;
        let open: Vec<AskedCall> = asks.iter().copied().filter(is_open).collect();
        let beyond = open.iter().filter(|asked| !asked.is_never_beyond());
        let beyond: Vec<ProbeStage> = beyond.flat_map(|asked| Sharing::beyond(*asked, fresh.rate)).collect();
        let before = open.iter().filter(|asked| asked.is_never_beyond());
        let before = before.map(|asked| {
            let half = ProbeStage { calls: level.div_ceil(2), ..stage(*asked, fresh.rate) };
            Probe::new(
                format!("whether {} count", asked.words()),
                vec![half.after(fresh.rest), fresh.clone().after(Duration::ZERO)],
            )
        });
        let filled = (!beyond.is_empty())
            .then(|| Probe::new("who shares the limit", std::iter::once(fresh.clone()).chain(beyond).collect()));
        filled.into_iter().chain(before).collect()
    }

    /// What came of such a probe, of a counter that takes `level` calls.
    pub fn take(&mut self, probe: &Probe, calls: &[ProbedCall], level: u64) {
        let came = |at: usize| Came::of(calls, at);
        for (at, asked) in probe.stages.iter().map(|stage| stage.asked).enumerate().filter(|(_, asked)| *asked != AskedCall::Set)
        {
            let tally = self.tallies.entry(asked).or_default();
            tally.times += 1;
            let (own, after) = (came(at), came(at + 1));
            if own.is_doubtful || after.is_doubtful || own.calls == 0 || after.calls == 0 {
                continue;
            }
            tally.told += 1;
            tally.fewest = if level < FEW { 2 } else { 1 };
            let apart = level as f64;
            if asked.is_never_beyond() {
                tally.admitted += after.admitted;
                tally.shared += (apart - own.calls as f64).max(0.0);
                tally.apart += apart;
            } else {
                tally.admitted += own.admitted;
                tally.shared += after.admitted;
                tally.apart += apart.min(own.calls as f64);
            }
        }
    }
}

impl Inquiry {
    /// A counter is filled up; then what the documentation has come to another one is called, or what it has come to the same.
    pub(super) fn first_fill(&self) -> Probe {
        let message = [AskedCall::OtherMessage, AskedCall::OtherConversation];
        let asked = if self.setting.fresh { message.as_slice() } else { &[AskedCall::OtherConnection] };
        let others = asked.iter().flat_map(|asked| Sharing::beyond(*asked, self.setting.rate));
        let stages = std::iter::once(self.fresh_fill(self.setting.window)).chain(others);
        Probe::new("how much is admitted at once", stages.collect())
    }

    /// Where another message was refused with the first, all probes come to one counter. Where each connection has a counter of
    /// its own, none comes to one that is known.
    pub(super) fn look_at_fill(&mut self) {
        let is_refused = self.traces.iter().any(|trace| refusals(&trace.calls) > 0);
        let is_one = self.sharing.answer(AskedCall::OtherConnection) != Some(false);
        self.step = if is_refused && is_one { InquiryStep::Rests } else { InquiryStep::Over };
        if self.sharing.answer(AskedCall::OtherMessage) == Some(true) {
            self.setting.fresh = false;
            self.rest = self.setting.window / 4;
        }
    }

    pub(super) fn share(&self) -> Vec<Probe> {
        let probes = self.sharing_probes();
        // All that comes to one counter goes out one after another.
        let at_once = if self.setting.fresh { probes.len() } else { 1 };
        probes.into_iter().take(at_once).collect()
    }

    fn sharing_probes(&self) -> Vec<Probe> {
        let Some(level) = self.seen.level() else { return Vec::new() };
        let fresh = self.fresh_fill(self.lasts());
        self.sharing.probes(&self.asks, &fresh, level)
    }

    /// Time that is kept for asking who shares the counter.
    pub(super) fn sharing_takes(&self) -> Duration {
        let probes = self.sharing_probes();
        let lengths = probes.iter().map(|probe| self.expected_length(probe));
        if self.setting.fresh { lengths.sum() } else { lengths.max().unwrap_or_default() }
    }

    pub(super) fn take_shared(&mut self, round: &[(Probe, Vec<ProbedCall>)]) {
        let level = self.seen.level().unwrap_or(0);
        for (probe, calls) in round {
            self.sharing.take(probe, calls, level);
            let (sent, refused) = self.besides;
            self.besides = (sent + calls.len() as u64, refused + refusals(calls));
        }
    }
}

/// A few calls of a sort.
fn stage(asked: AskedCall, rate: f64) -> ProbeStage {
    ProbeStage { asked, ..ProbeStage::burst(CALLS, rate) }
}

/// What came of a stage.
struct Came {
    calls: usize,
    admitted: f64,
    /// A lost reply may have been either.
    is_doubtful: bool,
}

impl Came {
    fn of(calls: &[ProbedCall], stage: usize) -> Came {
        let own: Vec<Decision> = calls.iter().filter(|call| call.stage as usize == stage).map(|call| call.decision).collect();
        let count = |wanted: Decision| own.iter().filter(|decision| **decision == wanted).count();
        let known = count(Decision::Admitted) + count(Decision::Refused);
        Came { calls: own.len(), admitted: count(Decision::Admitted) as f64, is_doubtful: known < own.len() }
    }
}

/// Calls of a fill that go out after the limit is met.
const _: () = assert!(ENOUGH >= CALLS, "a fill shows that a counter is full as well as a stage does");

#[cfg(test)]
mod tests {
    use super::*;

    /// A stage's calls, of which so many are admitted.
    fn calls(stage: u32, admitted: u64, all: u64) -> impl Iterator<Item = ProbedCall> {
        (0..all).map(move |call| ProbedCall {
            sent: 0,
            received: 1,
            pairs: 1,
            stage,
            decision: if call < admitted { Decision::Admitted } else { Decision::Refused },
        })
    }

    fn fresh() -> ProbeStage {
        ProbeStage::burst(3_000, 150.0).until_refused(ENOUGH)
    }

    #[test]
    fn calls_that_are_refused_with_the_counter_share_it_and_calls_that_are_admitted_beside_it_do_not() {
        let mut sharing = Sharing::default();
        let probe = sharing.probes(&[AskedCall::OtherKey, AskedCall::Clear], &fresh(), 200).remove(0);
        let seen = [(0, 200, 212), (1, 0, 12), (2, 0, 12), (3, 12, 12), (4, 0, 12)];
        let seen: Vec<ProbedCall> = seen.into_iter().flat_map(|(stage, admitted, all)| calls(stage, admitted, all)).collect();
        sharing.take(&probe, &seen, 200);
        assert_eq!([AskedCall::OtherKey, AskedCall::Clear].map(|asked| sharing.answer(asked)), [Some(true), Some(false)]);
        assert_eq!(sharing.probes(&[AskedCall::OtherKey, AskedCall::Clear], &fresh(), 200), []);
    }

    #[test]
    fn where_the_counter_was_free_again_meanwhile_or_a_reply_was_lost_it_is_asked_again_and_not_for_ever() {
        let mut sharing = Sharing::default();
        let free = || calls(1, 12, 12).chain(calls(2, 12, 12)).collect::<Vec<ProbedCall>>();
        let lost = |call: ProbedCall| ProbedCall { decision: Decision::Lost, ..call };
        let lost = || calls(1, 11, 11).chain(calls(1, 1, 1).map(lost)).chain(calls(2, 0, 12)).collect();
        let mut rounds = 0;
        while let Some(probe) = sharing.probes(&[AskedCall::Delete], &fresh(), 200).pop() {
            sharing.take(&probe, &if rounds % 2 == 0 { free() } else { lost() }, 200);
            rounds += 1;
        }
        assert_eq!((rounds, sharing.answer(AskedCall::Delete)), (4, None));
    }

    #[test]
    fn of_a_small_counter_one_answer_is_not_enough() {
        let mut sharing = Sharing::default();
        let probe = sharing.probes(&[AskedCall::OtherKey], &fresh(), 5).remove(0);
        let answers = [(5, None), (0, None), (0, Some(true))].map(|(admitted, answer)| {
            let seen: Vec<ProbedCall> = calls(0, 5, 17).chain(calls(1, admitted, 12)).chain(calls(2, 0, 12)).collect();
            sharing.take(&probe, &seen, 5);
            (sharing.answer(AskedCall::OtherKey), answer)
        });
        assert!(answers.iter().take(2).all(|(told, right)| told == right), "{answers:?}");
    }

    #[test]
    fn calls_that_are_refused_for_what_they_are_count_where_as_many_fewer_sets_follow() {
        for (admitted, counts) in [(100, Some(true)), (200, Some(false)), (150, None)] {
            let mut sharing = Sharing::default();
            let probe = sharing.probes(&[AskedCall::Invalid], &fresh(), 200).remove(0);
            let seen: Vec<ProbedCall> = calls(0, 100, 100).chain(calls(1, admitted, admitted + 12)).collect();
            sharing.take(&probe, &seen, 200);
            assert_eq!(sharing.answer(AskedCall::Invalid), counts, "{admitted}");
        }
    }
}
