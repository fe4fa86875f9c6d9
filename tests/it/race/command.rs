//! `msgext race` as its users have it: against endpoints that are lawful, each in its own way, and others that lose atomicity.

use serde_json::Value;

use crate::support::binary::{KEY, Ran, Serve, msgext, msgext_in, report_of, test_at};

const UNLIMITED: [&str; 4] = ["--app-limit", "none", "--message-limit", "none"];
/// A tenth of the default plan.
const SHORT: [&str; 7] = ["--quiet", "--rate", "none", "--operations", "2400", "--messages", "20"];

fn race(serve: &Serve, more: &[&str]) -> Ran {
    msgext(Some(KEY), &test_at("race", serve.url(), more))
}

fn report(ran: &Ran) -> Value {
    report_of(ran.folder.path(), "race")
}

fn clause<'a>(report: &'a Value, id: &str) -> &'a Value {
    let clauses = report["clauses"].as_array().expect("clauses");
    clauses.iter().find(|clause| clause["id"] == id).unwrap_or(&Value::Null)
}

#[test]
fn the_embedded_endpoint_is_linearizable_and_its_readings_are_told() {
    let ran = msgext(None, &["race", "--quiet"]).exits(0);
    let report = report(&ran);
    assert_eq!((&report["verdict"], &report["race"]["linearizable"]), (&"pass".into(), &true.into()), "{}", ran.stderr);
    assert_eq!(clause(&report, "SEQ-7")["verdict"], "pass");
    for (question, answer) in [("seq", "per-key"), ("deleted-key", "tombstone"), ("cleared-key", "reset")] {
        assert_eq!(report["readings"][question], answer, "{}", report["readings"]);
    }
    assert!(report["race"]["contended"].as_u64() > Some(1000), "{}", report["race"]);
    assert!(ran.stderr.contains("PASS each key has an order"), "{}", ran.stderr);
}

#[test]
fn no_lawful_endpoint_is_blamed_and_the_readings_that_only_races_see_are_named() {
    let lawful: [&[&str]; 5] = [
        &["--reading", "seq=per-message", "--reading", "deleted-key=reset", "--reading", "cleared-key=tombstone"],
        &["--reading", "delete-missing=conflict", "--reading", "all-failed=fail", "--reading", "order=any"],
        &["--reading", "caller=from-account", "--reading", "delete-missing=not-exist"],
        &["--reading", "caller=none", "--latency", "bimodal:0ms,5ms,10%"],
        &["--fault", "close:20,on=set", "--fault", "reset:30,on=get"],
    ];
    for flags in lawful {
        let serve = Serve::start(&[flags, &UNLIMITED].concat());
        let ran = race(&serve, &SHORT).exits(0);
        assert_eq!(report(&ran)["race"]["linearizable"], true, "{flags:?}");
        let readings = &report(&ran)["readings"];
        for reading in flags.iter().filter_map(|flag| flag.split_once('=')) {
            let told = &readings[reading.0];
            assert!(told.is_null() || told == reading.1, "{reading:?}: {readings}");
        }
        let unknown = report(&ran)["race"]["unknown_outcomes"].as_u64();
        assert_eq!(unknown > Some(0), flags.contains(&"--fault"), "{unknown:?}");
    }
}

#[test]
fn a_call_that_comes_to_one_key_after_another_is_no_fault_and_is_told() {
    let serve = Serve::start(&[["--reading", "request=key-by-key", "--reading", "clear=key-by-key"], UNLIMITED].concat());
    let ran = race(&serve, &["clears", "--quiet", "--rate", "none"]).exits(0);
    let readings = &report(&ran)["readings"];
    assert_eq!((&readings["request"], &readings["clear"]), (&"key-by-key".into(), &"key-by-key".into()), "{}", ran.stderr);
}

#[test]
fn every_way_of_losing_atomicity_is_found_and_drawn() {
    let kinds = [
        "check-then-set:500us",
        "map-copy:500us",
        "stale-replica:500us",
        "late-apply:500us",
        "late-clear:500us",
        "duplicate-seq:500us",
        "lost-ack:100",
    ];
    for kind in kinds {
        let serve = Serve::start(&[["--race", kind].as_slice(), &UNLIMITED].concat());
        let ran = race(&serve, &SHORT).exits(1);
        let report = report(&ran);
        let race = &report["race"];
        assert_eq!((&race["linearizable"], &clause(&report, "SEQ-7")["verdict"]), (&false.into(), &"fail".into()), "{kind}");
        let anomalies = race["anomalies"].as_array().expect("anomalies");
        assert!(!anomalies.is_empty(), "{kind}: {race}");
        for anomaly in anomalies {
            let (exchanges, timeline) = (&anomaly["exchanges"], anomaly["timeline"].as_array().expect("a timeline"));
            assert_eq!(exchanges.as_array().map(Vec::len), Some(timeline.len()), "{kind}");
            assert!((1..=12).contains(&timeline.len()), "{kind}: {anomaly}");
        }
        assert!(ran.stderr.contains('├') && ran.stderr.contains("FAIL SEQ-7: "), "{kind}: {}", ran.stderr);
    }
}

#[test]
fn what_a_refused_call_leaves_behind_is_a_phantom() {
    let limit = ["--message-limit", "sliding-log:60/60s", "--app-limit", "none"];
    let mutant = ["--mutant", "a call over its limit is carried out"];
    let sound = Serve::start(&limit);
    assert_eq!(report(&race(&sound, &SHORT).exits(0))["race"]["linearizable"], true);
    let ran = race(&Serve::start(&[limit.as_slice(), &mutant].concat()), &SHORT).exits(1);
    assert!(report(&ran)["race"]["anomalies"].to_string().contains("\"phantom\""), "{}", ran.stderr);
}

#[test]
fn where_no_two_calls_meet_nothing_is_decided() {
    // Of 2,400 calls one is served.
    let serve = Serve::start(&["--app-limit", "fixed-window-anchored:1/1h", "--message-limit", "none"]);
    let ran = race(&serve, &SHORT).exits(4);
    assert_eq!((&report(&ran)["verdict"], &report(&ran)["race"]["contended"]), (&"inconclusive".into(), &0.into()));
    assert_eq!(clause(&report(&ran), "SEQ-7")["verdict"], "unknown");
}

#[test]
fn a_plan_of_ones_own_is_read_strictly_and_flags_change_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = "title: Two writers\nclients: 2\nmessages: 1\nkeys: 1\noperations: 50\nas: [sender]\n";
    std::fs::write(folder.path().join("own.yaml"), plan).expect("a file");
    let ran = msgext_in(folder, None, &["race", "own.yaml", "--quiet", "--operations", "60"]).exits(0);
    assert_eq!(report(&ran)["race"]["operations"], 61, "60, and what the message holds at the end");
    for (field, wrong, says) in [
        ("clients: 2", "clients: 1", "2 to 256 clients race"),
        ("keys: 1", "keys: 0", "1 to 300 keys"),
        ("operations: 50", "operation: 50", "operations"),
        ("as: [sender]", "as: [stranger]", "admin, sender and recipient"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("own.yaml"), plan.replace(field, wrong)).expect("a file");
        let ran = msgext_in(folder, None, &["race", "own.yaml"]).exits(2);
        assert!(ran.stderr.contains(says) && ran.stderr.contains("own.yaml:"), "{wrong}: {}", ran.stderr);
    }
    let cases: [(&[&str], &str); 4] = [
        (&["race", "--clients", "1"], "a whole number from 2 to 256"),
        (&["race", "--operations", "5", "--messages", "10"], "10 messages take 10"),
        (&["race", "--pin", "seq=per-key"], "has no effect on race"),
        (&["race", "nowhere"], "writers, clears"),
    ];
    for (args, says) in cases {
        let ran = msgext(None, args).exits(2);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
}
