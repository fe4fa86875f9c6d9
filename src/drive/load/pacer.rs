//! When a worker sends: what follows from the plan, the moment, and the connections that are free.
//!
//! Never a clock, a socket or a thread: every moment is handed in, as the plan's own time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::choose::{Chooser, Share};
use crate::clock::Offset;
use crate::scenario::load::arrivals::{Due, Schedule};
use crate::scenario::load::{Arrivals, Plan};

/// After the run was cut short, replies still under way are waited for so long.
const GRACE: Duration = Duration::from_secs(1);

/// Paces one worker's share of a plan.
#[derive(Debug)]
pub(super) struct Pacer {
    choosers: Arc<[Chooser]>,
    share: Share,
    schedule: Schedule,
    /// The next due call of this worker's.
    next: Option<Due>,
    /// From the call before it.
    gap: Duration,
    saturated: VecDeque<SaturatedPhase>,
    saturated_calls: u64,
    /// A due call found no free key; the time of the last reply tells since when there is one.
    blocked: bool,
    last_reply: Offset,
    /// When a call was last found due that could have gone before: whatever was due by then is late by the generator's fault,
    /// also where it has to wait for a connection now, because the others are late, too.
    behind: Offset,
    /// When the generator stood still the last time, from and until.
    still: (Offset, Offset),
    phase: usize,
    ends: Vec<Offset>,
    skip_later_than: Option<Duration>,
    patience_ends: Offset,
    grace: Duration,
    stopped: Option<Offset>,
}

/// A phase that sends as fast as it can.
#[derive(Clone, Copy, Debug)]
struct SaturatedPhase {
    phase: usize,
    from: Offset,
    until: Offset,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// To be tried over the connection that has been free the longest: [`Pacer::sent`] or [`Pacer::blocked`] tells how it went.
    Send(Release),
    /// Left out: the generator is too late for it.
    Skip(Due),
    /// Nothing is due, or nothing is free.
    Wait,
}

/// A call that goes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) phase: usize,
    /// Its number among the calls that are due, or among those of all phases that send as fast as they can.
    pub(super) index: u64,
    pub(super) due: Offset,
    /// How long it stood in line for a connection or a key; `None` where it was due no sooner than there was one.
    pub(super) wait: Option<Duration>,
}

/// Why a call went later than it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    /// The generator's own fault.
    pub(super) lag: Duration,
    /// In line for a connection or a key.
    pub(super) wait: Duration,
}

/// How long there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// A call is due: to the microsecond. The gap is that between the call before it and this one.
    Exact { at: Offset, gap: Duration },
    /// Something else is, which may be late.
    Chore(Offset),
}

impl Release {
    /// Of a call that was sent then; `None` where it had no due time of its own to be late for.
    pub(super) fn delay(&self, sent: Offset) -> Option<Delay> {
        self.wait.map(|wait| Delay { lag: sent.since(self.due).saturating_sub(wait), wait })
    }
}

impl Pacer {
    pub(super) fn new(plan: &Plan, choosers: Arc<[Chooser]>, share: Share, seed: u64) -> Pacer {
        let schedule = Schedule::new(&plan.phases, seed);
        let ends = schedule.ends().to_vec();
        let end = ends.last().copied().unwrap_or_default();
        let mut pacer = Pacer {
            choosers,
            share,
            schedule,
            next: None,
            gap: Duration::MAX,
            saturated: saturated(plan, &ends),
            saturated_calls: 0,
            blocked: false,
            last_reply: Offset::ZERO,
            behind: Offset::ZERO,
            still: (Offset::ZERO, Offset::ZERO),
            phase: 0,
            ends,
            skip_later_than: plan.skip_later_than,
            patience_ends: end + plan.patience.unwrap_or(plan.timeout),
            grace: GRACE.min(plan.timeout),
            stopped: None,
        };
        pacer.advance();
        pacer
    }

    /// The phase that the plan is in.
    pub(super) fn phase(&self) -> usize {
        self.phase
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// When the run was cut short, where it was.
    pub(super) fn stopped(&self) -> Option<Offset> {
        self.stopped
    }

    /// The phase of the next call; beyond all where none is to come.
    pub(super) fn due_phase(&self) -> usize {
        let due = self.next.map_or(usize::MAX, |due| due.phase);
        due.min(self.saturated.front().map_or(usize::MAX, |phase| phase.phase))
    }

    /// Whether calls with a due time are still to come.
    pub(super) fn has_due_calls(&self) -> bool {
        self.next.is_some()
    }

    /// It is so late now.
    pub(super) fn pass(&mut self, now: Offset) {
        while self.phase + 1 < self.ends.len() && now >= self.ends[self.phase] {
            self.phase += 1;
        }
    }

    /// The generator stood still for so long, until now: what a call waited meanwhile is its fault, whether or not a connection was
    /// free, and whoever waits has so much more patience.
    pub(super) fn stalled(&mut self, now: Offset, time: Duration) {
        self.still = (now.before(time), now);
        self.patience_ends = self.patience_ends + time;
    }

    /// The run is cut short: nothing more is sent.
    pub(super) fn stop(&mut self, now: Offset) {
        self.stopped.get_or_insert(now);
    }

    /// What to do, given since when a connection is free, if one is.
    pub(super) fn decide(&mut self, now: Offset, free_since: Option<Offset>) -> Action {
        if self.is_stopped() {
            return Action::Wait;
        }
        match self.next.filter(|due| due.at <= now) {
            Some(due) => free_since.map_or(Action::Wait, |since| self.decide_due(due, now, since)),
            None => self.decide_saturated(now, free_since),
        }
    }

    fn decide_due(&mut self, due: Due, now: Offset, free_since: Offset) -> Action {
        // A call that found every key taken could go as soon as a reply freed one.
        let ready = if self.blocked { free_since.max(self.last_reply) } else { free_since };
        if ready <= due.at {
            self.behind = now;
        }
        // What a call waits for a connection or a key is no fault of the generator's.
        let (still_from, still_until) = self.still;
        let stood_still = ready.min(still_until).since(due.at.max(still_from));
        let wait = ready.since(due.at.max(self.behind)).saturating_sub(stood_still);
        let lag = now.since(due.at).saturating_sub(wait);
        if self.skip_later_than.is_some_and(|limit| lag > limit) {
            self.blocked = false;
            self.advance();
            return Action::Skip(due);
        }
        Action::Send(Release { phase: due.phase, index: due.index, due: due.at, wait: Some(wait) })
    }

    /// A call of a phase that sends as fast as it can is due when its connection came free.
    fn decide_saturated(&mut self, now: Offset, free_since: Option<Offset>) -> Action {
        while self.saturated.front().is_some_and(|phase| phase.until <= now) {
            self.saturated.pop_front();
        }
        let (Some(&SaturatedPhase { phase, from, .. }), Some(free_since)) = (self.saturated.front(), free_since) else {
            return Action::Wait;
        };
        if now < from {
            return Action::Wait;
        }
        let chooser = &self.choosers[phase];
        while !self.share.has(chooser, self.saturated_calls) {
            self.saturated_calls += 1;
        }
        let index = self.saturated_calls;
        self.saturated_calls += 1;
        Action::Send(Release { phase, index, due: free_since.max(from), wait: None })
    }

    /// The call went out.
    pub(super) fn sent(&mut self, release: &Release) {
        self.blocked = false;
        if release.wait.is_some() {
            self.advance();
        }
    }

    /// The call found no key that no other call is writing.
    pub(super) fn blocked(&mut self) {
        self.blocked = true;
    }

    /// A reply came, and gave back its keys.
    pub(super) fn replied(&mut self, now: Offset) {
        self.last_reply = now;
    }

    /// How long to wait, given whether a connection is free, and when something else is to be done at the latest.
    pub(super) fn wake(&self, is_free: bool, chore: Offset) -> Wake {
        let can_send = is_free && !self.blocked && !self.is_stopped();
        let due = self.next.map_or(Offset::MAX, |due| due.at);
        let at = due.min(self.saturated.front().map_or(Offset::MAX, |phase| phase.from));
        if can_send && at <= chore { Wake::Exact { at, gap: self.gap } } else { Wake::Chore(chore) }
    }

    /// One more call to be given up, once those that are left have waited too long after the plan's end.
    pub(super) fn out_of_patience(&mut self, now: Offset) -> Option<Due> {
        if now < self.patience_ends { None } else { self.give_up(Offset::MAX) }
    }

    /// One more call that was due and not sent when the run ended.
    pub(super) fn left(&mut self) -> Option<Due> {
        self.give_up(self.stopped.unwrap_or(Offset::MAX))
    }

    pub(super) fn is_over(&self, now: Offset, in_flight: usize) -> bool {
        if let Some(stopped) = self.stopped {
            return in_flight == 0 || now >= stopped + self.grace;
        }
        let all_sent = self.next.is_none() && self.saturated.is_empty();
        all_sent && in_flight == 0 && self.ends.last().is_none_or(|end| now >= *end)
    }

    fn give_up(&mut self, until: Offset) -> Option<Due> {
        let due = self.next.filter(|due| due.at <= until)?;
        self.advance();
        Some(due)
    }

    fn advance(&mut self) {
        let last = self.next.map_or(Offset::ZERO, |due| due.at);
        let (choosers, share) = (&self.choosers, self.share);
        self.next = self.schedule.by_ref().find(|due| share.has(&choosers[due.phase], due.index));
        self.gap = self.next.map_or(Duration::MAX, |due| due.at.since(last));
    }
}

fn saturated(plan: &Plan, ends: &[Offset]) -> VecDeque<SaturatedPhase> {
    let starts = std::iter::once(Offset::ZERO).chain(ends.iter().copied());
    let phases = plan.phases.iter().zip(starts.zip(ends)).enumerate();
    let saturated = phases.filter(|(_, (phase, _))| matches!(phase.arrivals, Arrivals::Saturate { .. }));
    saturated.map(|(phase, (_, (from, until)))| SaturatedPhase { phase, from, until: *until }).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::scenario::Caller;
    use crate::scenario::load::{Choice, Mix, Phase, Rate, Spacing, Traffic};

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> Offset {
        Offset::after_zero(Duration::from_millis(ms))
    }

    fn plan(arrivals: &[Arrivals]) -> Plan {
        Plan {
            name: "p".to_owned(),
            title: String::new(),
            phases: arrivals.iter().map(|arrivals| Phase::bare("p", arrivals.clone())).collect(),
            traffic: Traffic {
                mix: Mix { set: 1, delete: 0, clear: 0 },
                kvs: (1, 1),
                value_bytes: (16, 16),
                keys: 1,
                messages: (0, 10),
                choice: Choice::Spread,
                callers: vec![Caller::Admin],
            },
            messages: NonZeroU32::new(10).expect("ten"),
            connections: NonZeroU32::MIN,
            timeout: TIMEOUT,
            skip_later_than: None,
            patience: None,
            limits: None,
            checks: Vec::new(),
        }
    }

    /// 200 calls a second: one is due every 5 ms.
    fn steady(length: Duration) -> Arrivals {
        let rate = Rate { calls: 200, per: Duration::from_secs(1) };
        Arrivals::Ramp { from: rate, to: rate, duration: length, spacing: Spacing::Even }
    }

    fn pacer(plan: &Plan, share: Share) -> Pacer {
        Pacer::new(plan, plan.traffics().map(|traffic| Chooser::new(traffic, 7)).collect(), share, 7)
    }

    /// A worker without threads or sockets: time goes on only where it is told to, and a reply takes as long as it is told to.
    struct SimulatedWorker {
        pacer: Pacer,
        now: Offset,
        /// Since when connections are free.
        free: VecDeque<Offset>,
        /// When the calls under way will be replied to, in this order.
        replies: VecDeque<Offset>,
        service: Duration,
        sent: Vec<(Release, Offset)>,
        skipped: Vec<Offset>,
    }

    impl SimulatedWorker {
        fn new(plan: &Plan, connections: usize, service: Duration) -> SimulatedWorker {
            SimulatedWorker {
                pacer: pacer(plan, Share { number: 0, of: 1 }),
                now: Offset::ZERO,
                free: vec![Offset::ZERO; connections].into(),
                replies: VecDeque::new(),
                service,
                sent: Vec::new(),
                skipped: Vec::new(),
            }
        }

        /// Wakes then, sees the replies that have come, and does whatever is due.
        fn wake(&mut self, now: Offset) {
            self.now = now;
            while self.replies.pop_front_if(|reply| *reply <= now).is_some() {
                self.pacer.replied(now);
                self.free.push_back(now);
            }
            self.pacer.pass(now);
            loop {
                match self.pacer.decide(now, self.free.front().copied()) {
                    Action::Send(release) => {
                        self.free.pop_front();
                        self.replies.push_back(now + self.service);
                        self.pacer.sent(&release);
                        self.sent.push((release, now));
                    }
                    Action::Skip(due) => self.skipped.push(due.at),
                    Action::Wait => break,
                }
            }
        }

        /// Wakes whenever the pacer wants to, or a reply comes, until then.
        fn run(&mut self, until: Offset) {
            self.wake(self.now);
            loop {
                let (Wake::Exact { at, .. } | Wake::Chore(at)) = self.pacer.wake(!self.free.is_empty(), until);
                let next = self.replies.front().map_or(at, |reply| at.min(*reply));
                if next >= until {
                    break;
                }
                self.wake(next);
            }
        }

        /// Of the calls that were due from then on, when they were due, and why they went later.
        fn delays(&self, from: Offset) -> Vec<(Offset, Delay)> {
            let sent = self.sent.iter().filter(|(release, _)| release.due >= from);
            sent.map(|(release, sent)| (release.due, release.delay(*sent).expect("it had a due time"))).collect()
        }
    }

    const NONE: Delay = Delay { lag: Duration::ZERO, wait: Duration::ZERO };

    #[test]
    fn what_is_due_is_sent_on_time() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(1000))]), 1, ms(1));
        worker.run(at(1000));
        let expected: Vec<_> = (0..200).map(|call| (at(5 * call), NONE)).collect();
        assert_eq!(worker.delays(Offset::ZERO), expected);
    }

    #[test]
    fn a_wake_that_is_late_sends_late_and_the_generator_is_to_blame() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(1000))]), 3, ms(1));
        worker.wake(at(0));
        worker.wake(at(12));
        let late = |by| Delay { lag: ms(by), ..NONE };
        assert_eq!(worker.delays(Offset::ZERO), [(at(0), NONE), (at(5), late(7)), (at(10), late(2))]);
        // The next one is on time again.
        worker.wake(at(15));
        assert_eq!(worker.delays(at(15)), [(at(15), NONE)]);
    }

    #[test]
    fn what_is_later_than_the_bound_by_the_generators_fault_is_left_out() {
        let bounded = Plan { skip_later_than: Some(ms(7)), ..plan(&[steady(ms(1000))]) };
        let mut worker = SimulatedWorker::new(&bounded, 3, ms(1));
        worker.wake(at(17));
        assert_eq!((worker.skipped.as_slice(), worker.delays(Offset::ZERO).len()), ([at(0), at(5)].as_slice(), 2));
        // As late as the bound is not later than it, and what waits for a connection is not late at all.
        assert_eq!(worker.delays(at(10))[0], (at(10), Delay { lag: ms(7), ..NONE }));
        let mut waiting = SimulatedWorker::new(&bounded, 1, ms(100));
        waiting.run(at(250));
        assert_eq!((waiting.skipped.len(), waiting.sent.len()), (0, 3));
    }

    #[test]
    fn what_waits_for_a_connection_is_not_late_by_the_generators_fault() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(1000))]), 1, ms(100));
        worker.run(at(250));
        let waited = |wait| Delay { wait: ms(wait), ..NONE };
        assert_eq!(worker.delays(Offset::ZERO), [(at(0), NONE), (at(5), waited(95)), (at(10), waited(190))]);
        worker.wake(at(300));
        assert_eq!(worker.delays(at(15)), [(at(15), waited(285))]);
        // Late by its fault is only what passes after the connection came free.
        worker.replies.clear();
        worker.free = [at(400)].into();
        worker.wake(at(403));
        assert_eq!(worker.delays(at(20))[0], (at(20), Delay { lag: ms(3), wait: ms(380) }));
    }

    #[test]
    fn what_a_stopped_generator_could_not_send_is_late_by_its_fault_also_where_every_connection_was_busy() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(1000))]), 1, ms(100));
        worker.wake(at(0));
        // The reply has long been there; it is read, and the connection free, only now.
        worker.replies.clear();
        worker.free = [at(6000)].into();
        worker.pacer.stalled(at(6000), ms(5900));
        worker.wake(at(6000));
        assert_eq!(worker.delays(at(5)), [(at(5), Delay { lag: ms(5900), wait: ms(95) })]);
        // Nobody has lost patience meanwhile, though the plan ended long ago.
        let patient = at(1000) + TIMEOUT;
        assert_eq!((worker.pacer.out_of_patience(patient + ms(5899)), worker.pacer.due_phase()), (None, 0));
        assert!(worker.pacer.out_of_patience(patient + ms(5900)).is_some());
    }

    #[test]
    fn what_waits_for_a_key_is_not_late_by_the_generators_fault() {
        let mut pacer = pacer(&plan(&[steady(ms(1000))]), Share { number: 0, of: 1 });
        let Action::Send(first) = pacer.decide(at(0), Some(at(0))) else { panic!("it is due") };
        pacer.sent(&first);
        let Action::Send(blocked) = pacer.decide(at(5), Some(at(0))) else { panic!("it is due") };
        pacer.blocked();
        assert_eq!((blocked.due, pacer.wake(true, at(100))), (at(5), Wake::Chore(at(100))));
        pacer.replied(at(50));
        let Action::Send(freed) = pacer.decide(at(51), Some(at(0))) else { panic!("a key is free") };
        pacer.sent(&freed);
        // It was found on time once, so that only what came after the reply is late.
        assert_eq!((freed.due, freed.delay(at(51))), (at(5), Some(Delay { lag: ms(1), wait: ms(45) })));
        let Action::Send(next) = pacer.decide(at(51), Some(at(0))) else { panic!("it is due") };
        assert_eq!(next.delay(at(51)), Some(Delay { lag: ms(41), ..NONE }), "nothing is blocked any more");
    }

    #[test]
    fn a_phase_as_fast_as_it_can_be_sends_whenever_a_connection_is_free_and_ends_on_time() {
        let saturate = Arrivals::Saturate { duration: ms(100) };
        let mut worker = SimulatedWorker::new(&plan(&[Arrivals::Rest(ms(50)), saturate, steady(ms(50))]), 2, ms(10));
        worker.run(at(150));
        let due: Vec<Offset> = worker.sent.iter().map(|(release, _)| release.due).collect();
        let expected: Vec<Offset> = (5..15).flat_map(|tenth| [at(10 * tenth); 2]).collect();
        assert_eq!(due, expected);
        assert!(worker.sent.iter().all(|(release, sent)| release.phase == 1 && release.delay(*sent).is_none()));
        assert_eq!(worker.sent.iter().map(|(release, _)| release.index).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        worker.run(at(200));
        assert!(worker.sent[20..].iter().all(|(release, _)| release.phase == 2 && release.wait == Some(Duration::ZERO)));
        assert_eq!(worker.sent.len(), 20 + 10);
    }

    #[test]
    fn a_generator_that_stood_still_is_to_blame_for_every_call_due_meanwhile() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(10_000))]), 2, ms(8));
        worker.run(at(1000));
        assert_eq!(worker.delays(Offset::ZERO).iter().filter(|(_, delay)| *delay != NONE).count(), 0);
        worker.wake(at(4000));
        worker.run(at(10_000));
        let (meanwhile, waited): (Vec<_>, Vec<_>) = worker.delays(at(1000)).into_iter().partition(|(due, _)| *due <= at(4000));
        assert_eq!(meanwhile.len(), 601);
        // They wait for one another, two at a time; their lag is what the generator stood still after they were due.
        for (place, (due, delay)) in (0..).zip(&meanwhile) {
            assert_eq!(*delay, Delay { lag: at(4000).since(*due), wait: ms(place / 2 * 8) }, "{due:?}");
        }
        assert!(waited.iter().all(|(_, delay)| delay.lag.is_zero()), "on time again");
    }

    #[test]
    fn a_target_that_stood_still_is_to_blame_for_every_call_due_meanwhile() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(10_000))]), 2, ms(1));
        worker.run(at(1000));
        worker.service = ms(3000);
        worker.run(at(1010));
        worker.service = ms(1);
        worker.run(at(10_000));
        let delays = worker.delays(at(1010));
        assert!(delays.iter().all(|(_, delay)| delay.lag.is_zero()));
        assert_eq!(delays[0], (at(1010), Delay { wait: ms(2990), ..NONE }));
    }

    #[test]
    fn after_a_stop_nothing_is_sent_and_the_replies_are_waited_for_a_while() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(1000)), Arrivals::Saturate { duration: ms(1000) }]), 2, ms(100));
        worker.run(at(6));
        assert!(!worker.pacer.is_over(at(6), 0));
        worker.pacer.stop(at(6));
        worker.pacer.stop(at(50));
        assert_eq!(worker.pacer.wake(true, at(60)), Wake::Chore(at(60)));
        for now in [at(10), at(110), at(1500)] {
            assert_eq!(worker.pacer.decide(now, Some(at(0))), Action::Wait);
        }
        let grace_ends = at(6) + GRACE;
        assert!(worker.pacer.is_over(at(7), 0) && !worker.pacer.is_over(at(1005), 1) && worker.pacer.is_over(grace_ends, 1));
        // What was due by the stop is left; nothing later was to be sent.
        worker.free.clear();
        assert_eq!(worker.pacer.left(), None);
        let impatient = Plan { timeout: ms(20), ..plan(&[steady(ms(1000))]) };
        let mut pacer = pacer(&impatient, Share { number: 0, of: 1 });
        pacer.stop(at(6));
        assert!(!pacer.is_over(at(25), 1) && pacer.is_over(at(26), 1));
        assert_eq!([pacer.left(), pacer.left(), pacer.left()].map(|due| due.map(|due| due.at)), [Some(at(0)), Some(at(5)), None]);
    }

    #[test]
    fn what_is_left_after_the_end_is_given_up_when_patience_ends() {
        for (patience, ends) in [(Some(ms(250)), at(270)), (None, at(20) + TIMEOUT)] {
            let mut pacer = pacer(&Plan { patience, ..plan(&[steady(ms(20))]) }, Share { number: 0, of: 1 });
            let Action::Send(first) = pacer.decide(at(0), Some(at(0))) else { panic!("it is due") };
            pacer.sent(&first);
            let before = at(ends.since_zero().as_millis().try_into().expect("small")).min(at(269));
            assert_eq!((pacer.out_of_patience(before), pacer.is_over(before, 0)), (None, false));
            let given_up: Vec<Offset> = std::iter::from_fn(|| pacer.out_of_patience(ends)).map(|due| due.at).collect();
            assert_eq!(given_up, [at(5), at(10), at(15)]);
            assert!(pacer.is_over(ends, 0) && !pacer.is_over(ends, 1));
        }
    }

    #[test]
    fn a_plan_whose_calls_are_all_sent_lasts_to_its_end() {
        let mut worker = SimulatedWorker::new(&plan(&[steady(ms(20)), Arrivals::Rest(ms(30))]), 1, ms(1));
        worker.run(at(20));
        assert!(!worker.pacer.has_due_calls() && !worker.pacer.is_over(at(49), 0) && worker.pacer.is_over(at(50), 0));
        worker.pacer.pass(at(19));
        assert_eq!(worker.pacer.phase(), 0);
        worker.pacer.pass(at(20));
        assert_eq!(worker.pacer.phase(), 1);
    }

    #[test]
    fn a_due_call_is_waited_for_exactly_unless_something_else_comes_first() {
        let mut pacer = pacer(&plan(&[steady(ms(1000))]), Share { number: 0, of: 1 });
        assert_eq!(pacer.wake(true, at(2)), Wake::Exact { at: at(0), gap: Duration::ZERO });
        let Action::Send(first) = pacer.decide(at(0), Some(at(0))) else { panic!("it is due") };
        pacer.sent(&first);
        assert_eq!(pacer.wake(true, at(5)), Wake::Exact { at: at(5), gap: ms(5) });
        assert_eq!(pacer.wake(true, at(4)), Wake::Chore(at(4)));
        // Without a connection only an event helps.
        assert_eq!(pacer.wake(false, at(5)), Wake::Chore(at(5)));
        assert_eq!(pacer.decide(at(5), None), Action::Wait);
    }

    #[test]
    fn every_call_is_one_workers() {
        let plan = plan(&[steady(ms(1000))]);
        let due = |number| {
            let mut pacer = pacer(&plan, Share { number, of: 3 });
            std::iter::from_fn(move || pacer.left()).map(|due| due.index)
        };
        let mut all: Vec<u64> = (0..3).flat_map(due).collect();
        assert!(all.len() == 200 && !all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
    }
}
