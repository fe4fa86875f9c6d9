//! Gateways before an endpoint that answer by themselves, or part with connections: what they do is not the endpoint's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::binary::{KEY, Relay, Serve, is_set, msgext, report_of, run_at, test_at};
use crate::support::gateway::Gateway;

const CALLS: [&str; 9] = ["--quiet", "--rate", "100/s", "--for", "3s", "--messages", "40", "--connections", "8"];

fn serve() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

/// Nothing but what it is sent to.
fn nginx(upstream: &str, more: &str) -> Gateway {
    let server = |port| format!("    listen 127.0.0.1:{port};\n{more}    location / {{ proxy_pass {upstream}/; }}\n");
    Gateway::nginx(|_| {}, server)
}

/// The exit code and the report of a load.
fn load(url: &str, more: &[&str]) -> (i32, Value) {
    let ran = msgext(Some(KEY), &test_at("load", url, &[&CALLS[..], more].concat()));
    (ran.code, report_of(ran.folder.path(), "load"))
}

/// What becomes of a set once the endpoint has gone away.
#[derive(Clone, Copy)]
enum Away {
    /// Its connection ends.
    Ends,
    /// Nothing comes back.
    Silent,
}

/// An endpoint that goes away after so many sets.
fn goes_away(serve: &Serve, away: Away) -> Relay {
    const BEFORE: usize = 100;
    let sets = AtomicUsize::new(0);
    Relay::changing(serve.url(), move |request, reply| {
        if !is_set(request) || sets.fetch_add(1, Ordering::SeqCst) < BEFORE {
            return Some(reply);
        }
        match away {
            Away::Ends => None,
            Away::Silent => loop {
                thread::park();
            },
        }
    })
}

const BAD_GATEWAY: &str = "gateway answered HTTP 502";
const UNAVAILABLE: &str = "gateway answered HTTP 503";
const TIMED_OUT: &str = "gateway answered HTTP 504";

/// Starts one before an endpoint.
type GatewayBefore = fn(&Relay) -> Gateway;

#[test]
fn what_a_gateway_answers_while_its_backend_is_away_is_lost_and_no_finding_of_the_endpoint() {
    let serve = serve();
    let gateways: [(&str, &[&str], Relay, GatewayBefore); 4] = [
        ("nginx", &[BAD_GATEWAY], goes_away(&serve, Away::Ends), |relay| nginx(&relay.url, "")),
        ("nginx", &[TIMED_OUT], goes_away(&serve, Away::Silent), |relay| nginx(&relay.url, "    proxy_read_timeout 200ms;\n")),
        // It answers so the first call of a connection only, and closes on any other: that may be sent again.
        ("HAProxy", &["closed before the reply", BAD_GATEWAY], goes_away(&serve, Away::Ends), |relay| {
            Gateway::haproxy(&relay.url, "")
        }),
        ("HAProxy", &[UNAVAILABLE, TIMED_OUT], goes_away(&serve, Away::Silent), |relay| {
            Gateway::haproxy(&relay.url, " timeout server 200ms\n timeout queue 50ms\n")
        }),
    ];
    for (name, causes, relay, start) in &gateways {
        let gateway = start(relay);
        let (code, report) = load(&gateway.url(), &[]);
        let what = format!("{name} {causes:?}: {}", report["reason"]);
        let total = &report["load"]["total"];
        let losses = total["losses"].as_object().expect("losses");
        assert!(losses.keys().eq(causes.iter()), "{what} {losses:?}");
        assert_eq!(report["load"]["findings_by_clause"], serde_json::json!({}), "{what}");
        let [sent, accepted, lost] = ["sent", "accepted", "lost"].map(|name| total[name].as_u64().expect("a count"));
        assert!(sent == accepted + lost && accepted > 50 && lost > 50, "{what} {total}");
        // That it must not lose anything is a check that goes without saying, and breaks no clause.
        assert_eq!((code, &report["reason"]), (1, &"checks that do not hold: lost = 0".into()), "{what}");
    }
}

#[test]
fn a_gateway_that_closes_connections_after_some_calls_loses_none() {
    let serve = serve();
    let gateway = nginx(serve.url(), "    keepalive_requests 20;\n");
    let (code, report) = load(&gateway.url(), &[]);
    let (total, connections) = (&report["load"]["total"], &report["load"]["connections"]);
    assert_eq!((code, &total["sent"], &total["accepted"]), (0, &300.into(), &300.into()), "{}", report["reason"]);
    // Some 37 calls over each of the eight.
    assert!(connections["reopened"].as_u64() >= Some(8), "{connections}");
    let url = gateway.url();
    msgext(Some(KEY), &run_at(&url, &["--filter", "id:set-*", "--rate", "none"])).exits(0);
}

#[test]
fn where_a_gateway_turns_calls_beside_another_away_what_needs_them_is_skipped() {
    // Longer than a call may wait for its turn.
    let serve = Serve::start(&["--app-limit", "none", "--latency", "200ms"]);
    let gateway = Gateway::haproxy(serve.url(), " timeout queue 20ms\n");
    let skipped = "it sends calls at once, and the target takes one at a time";
    let args = ["--quiet", "--rate", "none", "--filter", "id:seq-o*"];
    for (url, takes, of_many) in
        [(serve.url(), "several", ("pass".into(), Value::Null)), (&gateway.url(), "one", ("skipped".into(), skipped.into()))]
    {
        let report = msgext(Some(KEY), &run_at(url, &args)).exits(0).report();
        let of = |id: &str| {
            let all = report["scenarios"].as_array().expect("scenarios");
            let one = all.iter().find(|one| one["id"].as_str().is_some_and(|own| own.starts_with(id))).expect("a scenario");
            (one["verdict"].clone(), one["why"].clone())
        };
        assert_eq!(report["calls_at_once"], takes);
        assert_eq!(of("seq-own-old-seq-conflicts"), ("pass".into(), Value::Null), "{takes}");
        assert_eq!(of("seq-one-of-many-wins"), of_many, "{takes}");
    }
    let race = msgext(Some(KEY), &test_at("race", &gateway.url(), &["--rate", "none"])).exits(3);
    assert!(race.stderr.contains("the target takes one call at a time: no two of them can meet at a key"), "{}", race.stderr);
}
