//! Runs of the bundled suite for the tests of its strength.

use msgext::cli::embedded;
use msgext::drive::conform::{ConformOptions, ConformRun, run};
use msgext::drive::stop::Stop;
use msgext::drive::target::Target;
use msgext::judge::conform::summary::{Summary, summarise};
use msgext::model::Rules;
use msgext::scenario::conform::plan::{self, Planned};
use msgext::spec::{self, Profile};

/// The bundled suite.
pub(crate) fn suite() -> Vec<Planned> {
    let (planned, problems) = plan::load(plan::bundled(), &spec::bundled());
    assert_eq!(problems, []);
    planned
}

/// One run of the suite against the embedded endpoint by these rules.
pub(crate) async fn conform(planned: &[Planned], rules: Rules) -> (ConformRun, Summary) {
    conform_target(planned, embedded::target(), rules).await
}

/// One run of the suite against an embedded target by these rules.
pub(crate) async fn conform_target(planned: &[Planned], target: Target, rules: Rules) -> (ConformRun, Summary) {
    let options =
        ConformOptions { rate: None, fast: false, fail_fast: false, strict: false, jobs: 16, keeps_exchanges: true, seed: 1 };
    let place = embedded::place(rules);
    let spec = spec::bundled();
    let run = run(&spec, planned, &target, &place, &options, &Stop::default(), &|_| {}).await.expect("the target can be tested");
    let summary = summarise(
        &spec,
        planned,
        &run.outcomes,
        run.found.saw_member_calls.then(|| run.found.member_calls.answer()),
        &Profile::new(),
        false,
        run.incomplete.as_deref(),
    );
    (run, summary)
}

/// Every finding in a line of its own, for a failed assertion's message.
pub(crate) fn told(run: &ConformRun, summary: &Summary) -> String {
    let findings = run.outcomes.iter().flat_map(|outcome| {
        outcome.findings.iter().map(|finding| {
            format!(
                "{}: {} {} expected {} actual {}",
                outcome.id, finding.clause, finding.subject, finding.expected, finding.actual
            )
        })
    });
    let contradictions = summary.contradictions.iter().map(|contradiction| format!("{contradiction:?}"));
    let verdicts = run.outcomes.iter().filter_map(|outcome| outcome.verdict.why().map(|why| format!("{}: {why}", outcome.id)));
    findings.chain(contradictions).chain(verdicts).take(40).collect::<Vec<_>>().join("\n")
}
