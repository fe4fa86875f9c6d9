//! Whom the bundled suite passes: the documented endpoint and every lawful one. Whom it catches is what `msgext mutants` tells.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use msgext::api::MemberCalls;
use msgext::cli::embedded;
use msgext::drive::target::{ReadBack, Target};
use msgext::model::Rules;
use msgext::model::limiter::{Algorithm, Limit, Scope, Unit};
use msgext::model::readings::{READINGS, Reading, reading};
use msgext::scenario::conform::plan::Planned;
use msgext::spec::{self, Level};
use msgext::verdict::Overall;
use msgext::verdict::Verdict;

use crate::support::conform::{conform, conform_target, suite, told};

/// Questions that only calls side by side can answer.
const RACES: [&str; 2] = ["request", "clear"];

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_endpoint_passes_with_every_must_and_should_clause() {
    let planned = suite();
    let (run, summary) = conform(&planned, Rules::default()).await;
    assert_eq!(summary.overall, Overall::Pass, "{}", told(&run, &summary));
    for clause in summary.clauses.iter().filter(|clause| clause.level != Level::Open) {
        assert_eq!(clause.verdict, Verdict::Pass, "{}", clause.id);
    }
    for (question, clause) in spec::bundled().questions().filter(|(question, _)| !RACES.contains(question)) {
        assert_eq!(summary.readings.get(question), clause.readings.first().map(|answer| &answer.name), "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_alone_passes_and_is_named() {
    let planned = suite();
    // The first answer of each question is the documented endpoint's, which passes above.
    let first = |reading: &&Reading| READINGS.iter().find(|other| other.question == reading.question).map(|first| first.answer);
    let others = READINGS.iter().filter(|reading| first(reading) != Some(reading.answer) && !RACES.contains(&reading.question));
    let wrong: Vec<String> = stream::iter(others)
        .map(|reading| with_reading(&planned, reading))
        .buffer_unordered(2)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

async fn with_reading(planned: &[Planned], reading: &Reading) -> Option<String> {
    let mut rules = Rules::default();
    (reading.apply)(&mut rules);
    let (run, summary) = conform(planned, rules).await;
    let seen = summary.readings.get(reading.question);
    let right = summary.overall == Overall::Pass && seen.map(String::as_str) == Some(reading.answer);
    (!right).then(|| format!("{}={} is seen as {seen:?}:\n{}", reading.question, reading.answer, told(&run, &summary)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lawful_limiter_passes() {
    let planned = suite();
    let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
    for kind in Algorithm::all(200) {
        for (count_rejected, unit) in [(false, Unit::Request), (true, Unit::Request), (false, Unit::Kv)] {
            let mut rules = Rules::default();
            rules.limits.app = Some(Limit { scope: Scope::App, ..Limit::new(kind, 200, second) });
            rules.limits.message = Some(Limit { scope: Scope::Message, count_rejected, unit, ..Limit::new(kind, 200, minute) });
            let (run, summary) = conform(&planned, rules).await;
            // A queue delays before it refuses, which no virtual clock shows: it may leave a question open, but never fail.
            let lawful = summary.overall == Overall::Pass || (kind.name() == "leaky-queue" && summary.overall != Overall::Fail);
            assert!(lawful, "{kind:?} rejected={count_rejected} {unit:?}:\n{}", told(&run, &summary));
        }
    }
}

/// A target without `get_key_values` is read back by a member's sets that cannot match, or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_reading_back_and_of_calling_passes() {
    let planned = suite();
    for read_back in [ReadBack::Get, ReadBack::Member, ReadBack::Impossible] {
        for (answer, member_calls) in
            [("identifier", None), ("from-account", None), ("identifier", Some(MemberCalls::Nobody)), ("none", None)]
        {
            let mut rules = Rules::default();
            (reading("caller", answer).expect("an answer of the spec").apply)(&mut rules);
            let target = Target { read_back: Some(read_back), member_calls, ..embedded::target() };
            let (run, summary) = conform_target(&planned, target, rules).await;
            assert_eq!(summary.overall, Overall::Pass, "{read_back:?} {answer} {member_calls:?}:\n{}", told(&run, &summary));
        }
    }
}
