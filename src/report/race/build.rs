//! From a race and what it came to, to its report.

use super::{AnomalyEntry, Race, TimelineEntry};
use crate::history::Exchange;
use crate::judge::race::{Anomaly, RaceVerdict, Witnessed};
use crate::report::build::{self, Facts, begun, totals};
use crate::report::secrets::Secrets;
use crate::report::{ClauseEntry, Report, curl};
use crate::spec::Spec;
use crate::verdict::Overall;

/// Builds the report of a race, by the command that ran or read it. What `secrets` holds is masked in all of it, and so is every signature that an exchange shows.
pub fn build(
    spec: &Spec,
    (command, facts): (&str, &Facts),
    verdict: &RaceVerdict,
    (overall, reason): (Overall, &str),
    exchanges: &[Exchange],
    secrets: &[String],
) -> Report {
    let shown = verdict.anomalies.iter().flat_map(|anomaly| &anomaly.witness);
    let secrets = Secrets::of(secrets, shown.filter_map(|witnessed| exchanges.get(witnessed.exchange as usize)));
    let clauses: Vec<ClauseEntry> =
        verdict.clauses(spec).iter().map(|(id, verdict)| build::clause(spec, id, verdict, Vec::new(), &secrets)).collect();
    Report {
        verdict: overall,
        reason: secrets.told(reason),
        totals: totals(&[], &clauses, exchanges.len() as u64, 0),
        clauses,
        readings: verdict.readings.iter().map(|(question, answer)| ((*question).to_owned(), (*answer).to_owned())).collect(),
        race: Some(race(verdict, exchanges, &secrets)),
        ..begun(command, facts, &secrets)
    }
}

fn race(verdict: &RaceVerdict, exchanges: &[Exchange], secrets: &Secrets) -> Race {
    Race {
        linearizable: verdict.linearizable,
        operations: verdict.operations,
        contended: verdict.contended,
        unknown_outcomes: verdict.unknown_outcomes,
        undecided: verdict.undecided,
        unexplained: verdict.unexplained,
        anomalies: verdict.anomalies.iter().map(|found| anomaly(found, exchanges, secrets)).collect(),
    }
}

fn anomaly(found: &Anomaly, exchanges: &[Exchange], secrets: &Secrets) -> AnomalyEntry {
    let start = found.witness.iter().map(|witnessed| witnessed.sent).min().unwrap_or_default();
    AnomalyEntry {
        name: found.name.to_owned(),
        message: secrets.told(&found.message),
        key: secrets.told(&found.key),
        exchanges: found.witness.iter().map(|witnessed| witnessed.exchange).collect(),
        timeline: found.witness.iter().map(|witnessed| call(witnessed, start, exchanges, secrets)).collect(),
    }
}

fn call(witnessed: &Witnessed, start: u64, exchanges: &[Exchange], secrets: &Secrets) -> TimelineEntry {
    let since = |time: u64| time.saturating_sub(start) as f64 / 1000.0;
    let exchange = exchanges.get(witnessed.exchange as usize);
    TimelineEntry {
        client: exchange.map_or(0, |exchange| exchange.client),
        sent_us: since(witnessed.sent),
        received_us: witnessed.received.map(since),
        told: secrets.told(&witnessed.told),
        curl: exchange.map(|exchange| curl::line(&exchange.request, secrets)).unwrap_or_default(),
    }
}
