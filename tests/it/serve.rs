//! What `msgext serve` can be asked to do beyond answering: deviate, lose writes, take its time, take down its calls.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::binary::{KEY, Serve, msgext};

/// A few scenarios that set and set again, and end soon.
const SETS: [&str; 4] = ["--rate", "none", "--filter", "id:set-first-*,id:set-with-*"];

#[test]
fn one_thread_answers_as_all_do() {
    let serve = Serve::start(&["--app-limit", "none", "--threads", "1"]);
    msgext(Some(KEY), &serve.run(&SETS)).exits(0);
}

#[test]
fn a_mutant_deviates_as_its_name_says() {
    let serve = Serve::start(&["--app-limit", "none", "--mutant", "the first Seq is 2"]);
    let report = msgext(Some(KEY), &serve.run(&SETS)).exits(1).report();
    assert!(report["scenarios"].to_string().contains(r#""clause":"SET-1""#), "{}", report["reason"]);
}

#[test]
fn a_mutant_that_does_not_exist_is_a_usage_error_that_names_those_near_it() {
    for (name, near) in [("codes swapped", "refusal codes swapped"), ("21 pair set", "21 pairs a set")] {
        let ran = msgext(None, &["serve", "--mutant", name]).exits(2);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(&format!("`{near}`")), "{}", ran.stderr);
        assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    }
}

#[test]
fn a_misspelt_value_is_a_usage_error_that_says_what_to_write() {
    for (args, says) in [
        (["--latency", "fast"], "bimodal:1ms,50ms,1%"),
        (["--lose-one-in", "0"], "a whole number, 1 or more"),
        (["--threads", "0"], "a whole number from 1 to 1024"),
        (["--record", "/"], "cannot be written"),
    ] {
        let ran = msgext(None, &["serve", args[0], args[1]]);
        assert!([2, 3].contains(&ran.code) && ran.stderr.contains(says), "{args:?}: exit {}: {}", ran.code, ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn every_write_is_lost_where_one_in_one_is() {
    let serve = Serve::start(&["--app-limit", "none", "--lose-one-in", "1"]);
    msgext(Some(KEY), &serve.run(&SETS)).exits(1);
}

#[test]
fn set_calls_are_recorded_with_when_they_came_and_how_long_they_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("calls.csv");
    let latency = Duration::from_millis(3);
    let record = path.to_str().expect("UTF-8");
    let mut serve = Serve::start(&["--app-limit", "none", "--latency", "3ms", "--record", record]);
    let report = msgext(Some(KEY), &serve.run(&SETS)).exits(0).report();
    let scenarios = report["scenarios"].as_array().expect("scenarios").len();
    terminate(&mut serve);

    let csv = fs::read_to_string(&path).expect("a record");
    let (head, calls) = csv.split_once('\n').expect("a head");
    assert_eq!(head, "arrived_ns,service_ns");
    let calls: Vec<(u64, u64)> = calls
        .lines()
        .map(|line| line.split_once(',').expect("two columns"))
        .map(|(arrived, service)| (arrived.parse().expect("a time"), service.parse().expect("a time")))
        .collect();
    assert!(calls.len() >= scenarios, "{} calls of {scenarios} scenarios", calls.len());
    assert!(calls.iter().all(|(_, service)| Duration::from_nanos(*service) >= latency), "{csv}");
    assert!(calls.iter().all(|(arrived, _)| *arrived > 0), "{csv}");
}

fn terminate(serve: &mut Serve) {
    let kill = Command::new("kill").args(["-TERM", &serve.child.id().to_string()]).status();
    assert!(kill.expect("kill can be run").success());
    assert!(serve.child.wait().expect("a child can be waited for").success());
}
