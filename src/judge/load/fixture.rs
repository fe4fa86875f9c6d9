//! A load run as the tests of its judges need it.

use std::time::Duration;

use super::measured::{Measured, MeasuredPhase, MeasuredSecond, TimedCall};
use crate::history::{Class, Fate};
use crate::scenario::load::load;

/// One phase of 10 calls a second for 4 s, with limits, a check and no doubt.
pub(super) const PLAN: &str = "title: t
limits: {app: 10/1s, message: 100/60s}
phases:
  - {name: hold, rate: 10/s, for: 4s, checks: ['p99 response < 50ms']}
";

/// What a run of `plan` measures on a target that serves each call, sent when it was due, within 2 ms.
pub(super) fn measured(plan: &str) -> Measured {
    let (_, plan) = load("plan.yaml", plan);
    let mut run = Measured::nothing_of(plan.expect("a plan"), 1);
    let mut phase =
        MeasuredPhase { reached: true, ended: true, elapsed: Duration::from_secs(4), busiest: 0.1, ..MeasuredPhase::default() };
    for call in 0..40 {
        let sent = call * 100_000_000;
        run.calls.push(TimedCall { message: 0, phase: 0, fate: Fate::Accepted, sent, received: sent + 2_000_000 });
        phase.tally.planned += 1;
        phase.tally.sent += 1;
        phase.tally.classes[Class::Accepted as usize] += 1;
        phase.tally.lag.record(Duration::from_micros(40));
        phase.tally.response[Class::Accepted as usize].record(Duration::from_millis(2));
    }
    run.seconds = (0..4).map(|at| MeasuredSecond::new(at, &phase.tally)).collect();
    run.elapsed = phase.elapsed;
    run.phases = vec![phase];
    run
}
