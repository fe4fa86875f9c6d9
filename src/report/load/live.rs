//! The report of a load that goes on: what is known of it at this moment, and no verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use super::build::place_in_time;
use super::{ConnectionFigures, Load, PhaseFigures, SecondFigures, curves};
use crate::judge::load::check::per_second;
use crate::judge::load::measured::Connections;
use crate::judge::load::tally::Tally;
use crate::report::Report;
use crate::report::build::milliseconds;
use crate::scenario::load::Plan;

/// A load at one moment.
#[derive(Clone, Copy, Debug)]
pub struct LoadSoFar<'a> {
    /// The plan that is carried out; of a search, that of the trial.
    pub plan: &'a Plan,
    /// Each phase that has begun, those of earlier trials too.
    pub phases: &'a [(&'a str, &'a Tally)],
    pub seconds: &'a [SecondFigures],
    pub connections: &'a Connections,
    /// Since the start.
    pub elapsed: Duration,
}

/// What was true before the load began, with what it has come to until now.
pub fn build(begun: &Report, so_far: &LoadSoFar) -> Report {
    let LoadSoFar { plan, phases, seconds, connections, elapsed } = *so_far;
    let mut sum = Tally::default();
    for (_, tally) in phases {
        sum.add(tally);
    }
    let mut figures: Vec<PhaseFigures> = phases.iter().map(|(name, tally)| PhaseFigures::new(name, tally, elapsed)).collect();
    if phases.len() <= plan.phases.len() {
        place_in_time(plan, &mut figures);
        for (phase, figures) in plan.phases.iter().zip(&mut figures) {
            let since = elapsed.saturating_sub(Duration::from_secs_f64(figures.start_s.unwrap_or_default()));
            let own = since.min(phase.arrivals.duration());
            figures.elapsed_ms = milliseconds(own);
            figures.rate = if own.is_zero() { 0.0 } else { figures.sent as f64 / own.as_secs_f64() };
        }
    }
    let total = PhaseFigures::new("total", &sum, elapsed);
    let now = seconds.last().map_or(0, |second| second.sent);
    let phase = phases.last().map_or("", |(name, _)| name);
    let mut report = begun.clone();
    report.reason = format!("{} calls sent, {} now, in the phase {phase}", total.sent, per_second(now as f64));
    report.elapsed_ms = milliseconds(elapsed);
    report.totals.requests = total.sent;
    report.load = Some(Load {
        plan: plan.name.clone(),
        plan_fingerprint: String::new(),
        title: plan.title.clone(),
        threads: 0,
        phases: figures,
        total,
        connections: ConnectionFigures {
            opened: connections.opened,
            reopened: connections.reopened,
            lost: connections.lost.clone(),
        },
        cpu_us_per_request: 0.0,
        doubts: Vec::new(),
        seconds: seconds.to_vec(),
        curves: curves(&sum, phases.iter().copied()),
        findings_by_clause: BTreeMap::new(),
        read_back: None,
        capacity: None,
        shards: Vec::new(),
        clock_skew_us: None,
    });
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::load::measured::MeasuredSecond;
    use crate::report::build::begun;
    use crate::report::fixture::facts;
    use crate::report::load::fixture::tally;
    use crate::report::secrets::Secrets;
    use crate::scenario::load::load;
    use crate::verdict::Overall;

    #[test]
    fn a_load_that_goes_on_has_figures_and_no_verdict() {
        let text = "title: t\nphases:\n  - {name: warm, rate: 50/s, for: 10s}\n  - {name: hold, rate: 100/s, for: 30s}\n";
        let plan = load("plan.yaml", text).1.expect("a plan");
        let (warm, hold) = (tally(500, 0), tally(180, 20));
        let phases = [("warm", &warm), ("hold", &hold)];
        let second = SecondFigures { sent: 100, ..SecondFigures::new(&MeasuredSecond::new(11, &hold)) };
        let connections = Connections::default();
        let (seconds, elapsed) = ([second], Duration::from_secs(12));
        let so_far = LoadSoFar { plan: &plan, phases: &phases, seconds: &seconds, connections: &connections, elapsed };
        let report = build(&begun("load", &facts().facts, &Secrets::default()), &so_far);
        assert_eq!(
            (report.verdict, report.reason.as_str()),
            (Overall::Inconclusive, "700 calls sent, 100/s now, in the phase hold")
        );
        let load = report.load.unwrap();
        let phases: Vec<_> = load.phases.iter().map(|phase| (phase.start_s, phase.elapsed_ms, phase.refused)).collect();
        assert_eq!(phases, [(Some(0.0), 10_000, 0), (Some(10.0), 2_000, 20)]);
    }
}
