//! When the windows of a limiter began that was found out.

use std::iter;

use super::suspect::Suspect;
use super::trace::Trace;
use crate::clock::nanoseconds;
use crate::model::limiter::Algorithm;

/// The beginnings within a stretch of time, in nanoseconds on the clock of the traces. None of a kind that has no windows, or of
/// counters whose windows each begin by themselves.
pub fn beginnings(suspect: &Suspect, traces: &[Trace], from: u64, to: u64) -> Vec<u64> {
    let window = nanoseconds(suspect.window).max(1);
    let every = |first: u64| iter::successors(Some(first), move |start| Some(start + window));
    let within = |start: &u64| (from..to).contains(start);
    match (suspect.algorithm, traces) {
        (Algorithm::FixedWindowAligned { .. }, _) => {
            let first = from + (suspect.phase + window - from % window) % window;
            every(first).take_while(within).collect()
        }
        (Algorithm::IntervalRefill, [trace]) => {
            let first = arrivals(trace).next().map(|first| first + suspect.phase);
            first.into_iter().flat_map(every).take_while(|start| *start < to).filter(within).collect()
        }
        (Algorithm::FixedWindowAnchored, [trace]) => {
            let mut starts: Vec<u64> = Vec::new();
            for arrival in arrivals(trace) {
                if starts.last().is_none_or(|start| arrival >= start + window) {
                    starts.push(arrival);
                }
            }
            starts.into_iter().filter(within).collect()
        }
        _ => Vec::new(),
    }
}

/// About when each call reached the counter: as long there as back.
fn arrivals(trace: &Trace) -> impl Iterator<Item = u64> {
    trace.calls.iter().map(|call| u64::midpoint(call.sent, call.received.max(call.sent)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::limits::Decision;
    use crate::judge::limits::trace::ProbedCall;
    use crate::model::limiter::Unit;

    fn suspect(algorithm: Algorithm, phase: u64) -> Suspect {
        Suspect { algorithm, limit: 2, window: Duration::from_nanos(100), counts_rejected: false, unit: Unit::Request, phase }
    }

    fn trace(at: &[u64]) -> Trace {
        let call = |at: &u64| ProbedCall { sent: *at, received: *at, pairs: 1, stage: 0, decision: Decision::Admitted };
        Trace { calls: at.iter().map(call).collect() }
    }

    #[test]
    fn windows_begin_by_the_clock_by_the_first_call_of_all_or_by_the_first_after_the_last() {
        let one = [trace(&[10, 50, 130, 135, 320])];
        let aligned = suspect(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 30);
        assert_eq!(beginnings(&aligned, &one, 0, 331), [30, 130, 230, 330]);
        assert_eq!(beginnings(&aligned, &one, 30, 130), [30]);
        assert_eq!(beginnings(&suspect(Algorithm::IntervalRefill, 5), &one, 20, 400), [115, 215, 315]);
        assert_eq!(beginnings(&suspect(Algorithm::FixedWindowAnchored, 0), &one, 0, 400), [10, 130, 320]);
    }

    #[test]
    fn what_has_no_windows_or_many_counters_has_no_beginnings() {
        let two = [trace(&[10]), trace(&[40])];
        assert_eq!(beginnings(&suspect(Algorithm::SlidingLog, 0), &two[..1], 0, 400), [0; 0]);
        assert_eq!(beginnings(&suspect(Algorithm::FixedWindowAnchored, 0), &two, 0, 400), [0; 0]);
        assert_eq!(beginnings(&suspect(Algorithm::IntervalRefill, 1), &two, 0, 400), [0; 0]);
    }
}
