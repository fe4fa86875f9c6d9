//! `msgext limits`: which limiters it names, and what it says of them.

use std::time::Duration;

use msgext::cli::embedded;
use msgext::drive::ground::Ground;
use msgext::drive::limits::inquire;
use msgext::drive::stop::Stop;
use msgext::judge::limits::Setting;
use msgext::judge::limits::verdict::{DocumentedLimit, Inquired, overall};
use msgext::model::Rules;
use msgext::model::limiter::{Limit, Scope};
use msgext::model::readings::READINGS;
use msgext::verdict::{Overall, Verdict};
use serde_json::{Value, json};

use crate::support::binary::{KEY, Running, Serve, ended_by, msgext, msgext_in, report_of, test_at, until};

const SEED: u64 = 7;

/// What is found out about one limit of an endpoint by these rules, under its own clock.
async fn found(whose: DocumentedLimit, rules: Rules) -> Inquired {
    let (target, place, stop) = (embedded::target(), embedded::place(rules), Stop::default());
    let ground = Ground::prepare(&target, &place, SEED, None, &stop).await.expect("the target can be tested");
    let (rate, fresh, time) = match whose {
        DocumentedLimit::App => (2_000.0, false, Duration::from_secs(90)),
        DocumentedLimit::Message => (150.0, true, Duration::from_mins(6)),
    };
    let setting = Setting { rate, fresh, time, window: whose.window() };
    inquire(&ground, whose, setting, &[], &stop, &mut |_| {}).await.expect("it can be found out")
}

fn limited(app: Option<&str>, message: Option<&str>) -> Rules {
    let limit = |text: &str, whose| {
        let limit: Limit = text.parse().expect("a limit");
        Limit { scope: if text.contains("scope=") { limit.scope } else { whose }, ..limit }
    };
    let mut rules = Rules::default();
    rules.limits.app = app.map(|text| limit(text, Scope::App));
    rules.limits.message = message.map(|text| limit(text, Scope::Message));
    rules
}

/// The kind that is named, its limit, and the clauses that are broken.
fn told(inquired: &Inquired) -> (String, Option<u64>, Vec<&'static str>) {
    let named = inquired.named();
    let broken = inquired.clauses().into_iter().filter(|clause| clause.verdict == Verdict::Fail).map(|clause| clause.clause);
    (named.kind.to_owned(), named.limit, broken.collect())
}

/// A limit, the kind and the number that are named, and the clauses that it breaks.
type AppCase<'a> = (Option<&'a str>, &'a str, Option<u64>, &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_limit_is_named_with_its_number_and_one_that_is_off_by_one_is_blamed() {
    let cases: [AppCase<'_>; 7] = [
        (Some("fixed-window-aligned:200/1s,phase=300ms"), "fixed-window-aligned", Some(200), &[]),
        (Some("token-bucket:200/1s"), "token-bucket", Some(200), &[]),
        (Some("sliding-counter:200/1s"), "sliding-counter", Some(200), &[]),
        (Some("sliding-log:200/1s,rejected"), "sliding-log", Some(200), &[]),
        (Some("sliding-log:199/1s"), "sliding-log", Some(199), &["LIM-1"]),
        (Some("fixed-window-anchored:201/1s"), "fixed-window-anchored", Some(201), &["LIM-2"]),
        (None, "none", None, &["LIM-2"]),
    ];
    for (limit, kind, number, broken) in cases {
        let inquired = found(DocumentedLimit::App, limited(limit, None)).await;
        assert_eq!(told(&inquired), (kind.to_owned(), number, broken.to_vec()), "{limit:?}: {:?}", inquired.learnt.candidates);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messages_limit_is_named_within_six_minutes_of_the_targets_time() {
    let cases: [(&str, &str, Option<u64>, &[&str]); 5] = [
        ("token-bucket:200/60s", "token-bucket", Some(200), &[]),
        ("fixed-window-aligned:200/60s", "fixed-window-aligned", Some(200), &[]),
        ("sliding-log:200/60s,unit=kv", "sliding-log", Some(200), &[]),
        ("sliding-log:201/60s", "sliding-log", Some(201), &["LIM-4"]),
        ("fixed-window-anchored:199/60s", "fixed-window-anchored", Some(199), &["LIM-3"]),
    ];
    for (limit, kind, number, broken) in cases {
        let inquired = found(DocumentedLimit::Message, limited(Some("fixed-window-aligned:200/1s"), Some(limit))).await;
        assert_eq!(told(&inquired), (kind.to_owned(), number, broken.to_vec()), "{limit}: {:?}", inquired.learnt.candidates);
        assert!(inquired.elapsed < Duration::from_mins(6), "{limit}: {:?}", inquired.elapsed);
        let counts_pairs = inquired.readings().contains(&("limit-unit", "kv"));
        assert_eq!(counts_pairs, limit.contains("unit=kv"), "{limit}");
    }
}

/// What has a counter of its own, by a limit, and the clauses that breaks.
type SharedCase<'a> = (&'a str, Option<Scope>, &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_a_messages_limit_is_found_out_and_a_counter_that_is_not_the_messages_own_is_blamed() {
    let cases: [SharedCase<'_>; 5] = [
        ("fixed-window-anchored:200/60s", Some(Scope::Message), &[]),
        ("token-bucket:200/60s,burst=4", Some(Scope::Message), &["LIM-3"]),
        ("sliding-log:200/60s,scope=key", Some(Scope::Key), &["LIM-4"]),
        ("sliding-log:200/60s,scope=conversation", Some(Scope::Conversation), &["LIM-4"]),
        ("sliding-log:200/60s,scope=app", Some(Scope::App), &["LIM-4"]),
    ];
    for (limit, counter, broken) in cases {
        let inquired = found(DocumentedLimit::Message, limited(Some("fixed-window-aligned:200/1s"), Some(limit))).await;
        assert_eq!((inquired.counter(), told(&inquired).2), (counter, broken.to_vec()), "{limit}: {:?}", inquired.learnt.sharing);
        let known = inquired.clauses().into_iter().find(|clause| clause.clause == "LIM-5").map(|clause| clause.verdict);
        assert_eq!(known, Some(Verdict::Pass), "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn which_calls_count_is_found_out_as_the_target_has_it() {
    let questions = ["limit-deletes", "limit-clears", "limit-invalid", "limit-callers", "limit-place"];
    for turned in [false, true] {
        let mut rules = limited(Some("fixed-window-aligned:200/1s"), Some("sliding-counter:200/60s"));
        let answers = READINGS.iter().filter(|reading| questions.contains(&reading.question));
        let answers: Vec<(&str, &str)> = answers
            .filter(|reading| turned == ["free", "apart", "each-key"].contains(&reading.answer))
            .map(|reading| {
                (reading.apply)(&mut rules);
                (reading.question, reading.answer)
            })
            .collect();
        let inquired = found(DocumentedLimit::Message, rules).await;
        let readings = inquired.readings();
        let missing: Vec<_> = answers.iter().filter(|answer| !readings.contains(answer)).collect();
        assert!(
            answers.len() == questions.len() && missing.is_empty(),
            "{missing:?} of {answers:?}: {:?}",
            inquired.learnt.sharing
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_that_is_carried_out_is_seen_in_what_the_message_holds() {
    let mut rules = limited(Some("fixed-window-aligned:200/1s"), Some("sliding-log:200/60s"));
    rules.limits.applies_refused = true;
    for whose in [DocumentedLimit::App, DocumentedLimit::Message] {
        assert_eq!(told(&found(whose, rules.clone()).await).2, ["LIM-5"], "{whose:?}");
    }
}

#[test]
fn an_apps_limit_that_each_connection_has_of_its_own_is_no_limit_of_the_app() {
    let serve = Serve::start(&["--app-limit", "fixed-window-anchored:200/1s,scope=connection", "--message-limit", "none"]);
    let ran = msgext(Some(KEY), &test_at("limits", serve.url(), &["--quiet", "--only", "app"])).exits(1);
    assert!(ran.stderr.contains("LIM-2"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_with_another_code_are_told_as_such() {
    let mut rules = limited(None, Some("sliding-log:200/60s"));
    rules.limits.app = None;
    rules.codes.message_limit = msgext::api::code::APP_TOO_OFTEN;
    let inquired = found(DocumentedLimit::Message, rules).await;
    assert_eq!(told(&inquired), ("sliding-log".to_owned(), Some(200), vec!["LIM-4"]));
    assert_eq!(overall(&[inquired]).0, Overall::Fail);
}

#[test]
fn the_embedded_endpoint_has_lawful_limits_and_each_report_says_which() {
    let ran = msgext(None, &["limits", "--quiet"]).exits(0);
    let report = report_of(ran.folder.path(), "limits");
    let limits = report["limits"].as_array().expect("limits");
    let told =
        |at: usize| Value::from_iter(["scope", "kind", "limit", "window_s", "unit", "code"].map(|name| limits[at][name].clone()));
    assert_eq!(told(0), json!(["app", "fixed-window-aligned", 200, 1.0, "request", 60007]));
    assert_eq!(told(1), json!(["message", "sliding-log", 200, 60.0, "request", 23003]));
    assert!(limits.iter().all(|limit| limit["confidence"].as_f64() >= Some(0.99)), "{limits:?}");
    assert_eq!((&report["readings"]["limit-unit"], &report["readings"]["limit-refused"]), (&"request".into(), &"free".into()));
    assert!(ran.stderr.contains("a sliding log: the 60 s before each call hold 200 calls at most"), "{}", ran.stderr);
    let markdown = std::fs::read_to_string(ran.folder.path().join("reports/limits/report.md")).expect("Markdown");
    assert!(markdown.contains("| message | sliding-log |"), "{markdown}");
}

#[test]
fn what_was_learnt_is_the_budget_of_a_run_and_the_bound_of_a_load() {
    let report = |app: Value| {
        let limits =
            [("app", app), ("message", json!({"kind": "sliding-log", "limit": 60, "window_s": 60.0, "unit": "request"}))];
        let mut report = report_of(msgext(None, &["limits", "-q", "--only", "app"]).exits(0).folder.path(), "limits");
        let entry = report["limits"][0].clone();
        report["limits"] = limits
            .into_iter()
            .map(|(scope, told)| {
                let mut entry = entry.clone();
                entry["scope"] = scope.into();
                told.as_object().expect("fields").iter().for_each(|(field, value)| entry[field] = value.clone());
                entry
            })
            .collect();
        ("learnt.json", report.to_string())
    };
    let of_app = |limit: u64| report(json!({"kind": "sliding-log", "limit": limit, "window_s": 1.0, "unit": "request"}));
    let load = |args: &[&str]| {
        ["load", "--for", "1s", "--limits", "learnt.json"]
            .into_iter()
            .chain(args.iter().copied())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let at = |(name, text): (&str, String), args: &[String], code| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), text).expect("a file can be written");
        msgext_in(folder, None, args).exits(code)
    };
    at(of_app(100), &load(&["--rate", "50/s"]), 0);
    let told = at(of_app(100), &load(&["--rate", "150/s"]), 2);
    assert!(told.stderr.contains("beyond its limit of 100 in 1 s (learnt.json): take a lower rate"), "{}", told.stderr);
    let told = at(of_app(100), &load(&["--rate", "50/s", "--messages", "20"]), 2);
    assert!(told.stderr.contains("beyond its limit of 60 in 60 s (learnt.json): take more messages"), "{}", told.stderr);
    let told = at(report(json!({"kind": "unknown", "limit": null})), &load(&["--rate", "50/s"]), 2);
    assert!(told.stderr.contains("has not found out the app's limit"), "{}", told.stderr);
    let run: Vec<String> = ["run", "--filter", "id:seq-*", "--limits", "learnt.json"].map(str::to_owned).to_vec();
    at(of_app(100_000), &run, 0);
    let told = at(("learnt.json", "{}".to_owned()), &run, 2);
    assert!(told.stderr.contains("--limits takes the report.json of `msgext limits`"), "{}", told.stderr);
}

#[test]
fn a_search_that_is_ended_early_is_inconclusive_and_leaves_its_report() {
    let serve = Serve::start(&["--app-limit", "none"]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = Running::start(folder.path(), &test_at("limits", serve.url(), &["--quiet", "--only", "message"]));
    until("the search has begun", || folder.path().join("reports/limits").exists());
    assert_eq!(ended_by("-INT", &mut running.0), Some(4));
    let report = report_of(folder.path(), "limits");
    assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()), "{report}");
}

#[test]
fn a_target_without_a_limit_falls_short_and_one_that_is_away_is_not_tested() {
    let serve = Serve::start(&["--app-limit", "none", "--message-limit", "none"]);
    let ran = msgext(Some(KEY), &test_at("limits", serve.url(), &["--quiet", "--only", "app"])).exits(1);
    let report = report_of(ran.folder.path(), "limits");
    assert_eq!((&report["limits"][0]["kind"], &report["limits"][0]["limit"]), (&"none".into(), &Value::Null));
    assert!(ran.stderr.contains("LIM-2"), "{}", ran.stderr);
    let url = serve.url().to_owned();
    drop(serve);
    msgext(Some(KEY), &test_at("limits", &url, &["--quiet"])).exits(3);
}
