//! The command line as its users meet it: exit codes, files, what is said and what never is.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use msgext::model::mutants::MUTANTS;
use msgext::model::readings::READINGS;
use msgext::spec::{self, Level};
use serde_json::{Value, json};

use crate::support::binary::{
    KEY, Listener, Ran, Serve, Silent, WRONG, ended_by, gone, msgext, msgext_in, read_http, run_at, verdicts,
};

/// A clause that should hold, and an expectation of it that nothing meets.
const SHOULD: &str = "scenarios:
  - id: should-only
    title: A set says what a refusal says
    clauses: [SET-1]
    steps:
      - set: {kvs: [{key: k, value: v}]}
      - set: {kvs: [{key: k, value: v}], should: {MSG-3: {refused: any}}}
";

/// Runs with a file of scenarios beside it.
fn msgext_with(file: (&str, &str), key: Option<&str>, args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(file.0), file.1).expect("a file can be written");
    msgext_in(folder, key, args)
}

fn strings<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value.as_array().expect("an array").iter().map(|item| item[field].as_str().expect("a string")).collect()
}

// ------------------------------------------------------------------------------------------------------ run, embedded

#[test]
fn run_without_arguments_passes_and_leaves_four_reports() {
    let ran = msgext::<&str>(None, &["run"]).exits(0);
    let report = ran.report();
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["target"], "embedded");
    assert_eq!(report["totals"]["scenarios"]["fail"], 0);
    let scenarios = report["scenarios"].as_array().expect("scenarios").len();
    assert_eq!(report["totals"]["scenarios"]["pass"], scenarios, "no scenario is left out");
    let folder = ran.folder.path().join("reports/run");
    let markdown = fs::read_to_string(folder.join("report.md")).expect("a Markdown report");
    let junit = fs::read_to_string(folder.join("junit.xml")).expect("a JUnit report");
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(markdown.starts_with('#'), "{markdown}");
    assert!(junit.starts_with("<?xml") && junit.contains(r#"failures="0""#), "{junit}");
    assert_eq!(junit.matches("<testcase ").count(), scenarios);
    assert_eq!(ran.stdout, "");
}

#[test]
fn every_report_has_the_form_of_its_schema_and_another_json_has_not() {
    let schema: Value = serde_json::from_str(&msgext(None, &["schema", "report"]).exits(0).stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema that can be used");
    let pass = msgext(None, &["run", "--filter", "id:seq-*"]).exits(0).report();
    let fail = msgext_with(("wrong.yaml", WRONG), None, &["run", "wrong.yaml"]).exits(1).report();
    let none = msgext(Some("k"), &run_at(&gone(), &[])).exits(3).report();
    for report in [&pass, &fail, &none] {
        let errors: Vec<String> = validator.iter_errors(report).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut other = pass;
    other["verdict"] = "perhaps".into();
    assert!(!validator.is_valid(&other));
}

#[test]
fn reports_land_where_they_are_asked_for_and_json_on_standard_output() {
    let args = ["run", "-q", "--filter", "id:seq-*", "--out", "o", "--json", "-", "--junit", "a/j.xml", "--markdown", "m.md"];
    let ran = msgext(None, &[&args[..], &["--html", "p.html"]].concat()).exits(0);
    let kept = fs::read_to_string(ran.folder.path().join("o/run/report.json")).expect("a report");
    assert_eq!(ran.stdout, kept);
    for (asked, kept) in [("a/j.xml", "o/run/junit.xml"), ("m.md", "o/run/report.md"), ("p.html", "o/run/report.html")] {
        let [asked, kept] = [asked, kept].map(|path| fs::read(ran.folder.path().join(path)).expect("a file"));
        assert_eq!(asked, kept);
    }
    assert!(!ran.folder.path().join("reports").exists());
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_sent() {
    let target = Silent::start();
    let ran = msgext_with(("file", ""), Some(KEY), &run_at(&target.url, &["--out", "file"])).exits(3);
    assert!(ran.stderr.contains("file/run/report.json cannot be written"), "{}", ran.stderr);
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_filter_takes_what_it_names_and_a_repetition_takes_it_again() {
    let once = ["set-first-gives-seq-1/sender", "set-first-gives-seq-1/recipient", "set-first-gives-seq-1/admin"];
    let ids = |args: &[&str]| {
        let ran = msgext(None, &[&["run", "--filter", "id:set-first-gives-seq-1/*"], args].concat()).exits(0);
        verdicts(&ran.report()).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), once);
    let twice: Vec<String> = once.iter().map(|id| (*id).to_owned()).chain(once.iter().map(|id| format!("{id}#2"))).collect();
    assert_eq!(ids(&["--repeat", "2"]), twice);
    let nothing = msgext(None, &["run", "--filter", "id:no-such-*"]).exits(2);
    assert!(nothing.stderr.contains("msgext list"), "{}", nothing.stderr);
}

#[test]
fn one_seed_shuffles_one_way_and_another_seed_another() {
    let shuffled = |seed: &str| {
        let ran = msgext(None, &["run", "--filter", "id:seq-*,id:set-*", "--shuffle", "--seed", seed]).exits(0);
        let report = ran.report();
        assert_eq!(report["seed"].to_string(), seed);
        verdicts(&report)
    };
    let (first, again, other) = (shuffled("7"), shuffled("7"), shuffled("8"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let sorted = |verdicts: Vec<(String, String)>| verdicts.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(first), sorted(other));
}

#[test]
fn fail_fast_ends_at_the_first_failure_and_without_it_every_scenario_runs() {
    let run = |args: &[&str]| {
        let ran = msgext_with(("wrong.yaml", WRONG), None, &[&["run", "wrong.yaml", "--repeat", "60"], args].concat()).exits(1);
        let report = ran.report();
        let unknown = verdicts(&report).iter().filter(|(_, verdict)| verdict == "unknown").count();
        (report["verdict"].clone(), report["incomplete"].clone(), unknown)
    };
    assert_eq!(run(&[]), ("fail".into(), false.into(), 0));
    let (verdict, incomplete, unknown) = run(&["--fail-fast"]);
    assert_eq!((verdict, incomplete), ("fail".into(), true.into()));
    assert!((1..60).contains(&unknown), "{unknown} of 60 did not run");
}

#[test]
fn a_rate_is_written_alike_for_run_and_load() {
    for rate in ["9000/m", "150/s", "150/1s", "150"] {
        msgext(None, &["run", "--rate", rate, "--filter", "id:set-first-gives-seq-1/*"]).exits(0);
        msgext(None, &["load", "--rate", rate, "--calls", "3", "--messages", "2"]).exits(0);
    }
    for wrong in ["150/d", "s", "-1/s", "0.0/s"] {
        let told = ["run", "load"].map(|command| msgext(None, &[command, &format!("--rate={wrong}")]).exits(2).stderr);
        assert!(told.iter().all(|told| told.contains("write 200/s, 12000/m or 200/1s")), "{told:?}");
    }
}

#[test]
fn a_pinned_answer_that_the_target_gives_passes_and_another_contradicts() {
    let run = |pin| msgext(None, &["run", "--filter", "clause:DEL-3", "--pin", pin]);
    let agrees = run("deleted-key=tombstone").exits(0).report();
    assert_eq!(agrees["contradictions"], Value::Array(vec![]));
    let ran = run("deleted-key=reset").exits(1);
    let report = ran.report();
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["pinned"]["deleted-key"], "reset");
    assert_eq!(strings(&report["contradictions"], "reading"), ["deleted-key"]);
    assert_eq!(strings(&report["contradictions"], "answer"), ["tombstone"]);
    assert!(ran.stderr.contains("deleted-key is tombstone in del-"), "{}", ran.stderr);
}

#[test]
fn a_should_clause_decides_only_when_strict() {
    let run = |args: &[&str]| msgext_with(("should.yaml", SHOULD), None, &[&["run", "should.yaml"], args].concat());
    let lax = run(&[]).exits(0);
    assert!(lax.stderr.contains("SHOULD[MSG-3]"), "{}", lax.stderr);
    let report = run(&["--strict"]).exits(1).report();
    assert_eq!((&report["verdict"], &report["strict"]), (&"fail".into(), &true.into()));
}

// ----------------------------------------------------------------------------------------------------- run, on a port

#[test]
fn a_fast_run_against_serve_passes_and_names_the_readings() {
    let serve = Serve::start(&[]);
    let report = msgext(Some(KEY), &serve.run(&["--fast"])).exits(0).report();
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["totals"]["retries"], 0, "the usual budget stays within the app's limit");
    assert_eq!(report["target"], format!("{}/", serve.url()));
    assert_eq!(report["member_calls"], "identifier");
    assert_eq!(report["read_back"], "get_key_values");
    for question in ["caller", "deleted-key", "empty-value", "limit-unit", "seq", "swapped", "types"] {
        let documented = &READINGS.iter().find(|reading| reading.question == question).expect(question).answer;
        assert_eq!(report["readings"][question], *documented, "{question}");
    }
    assert_eq!(report["readings"]["limit-place"], Value::Null, "nothing waited for that");
}

#[test]
fn every_other_reading_passes_over_tcp_and_is_named_where_no_wait_is_needed() {
    // What only shows after 200 sets of one message, and a minute's wait.
    let waits = ["limit-place", "limit-deletes", "limit-clears", "limit-refused", "limit-invalid", "limit-callers"];
    // What only calls side by side show.
    let races = ["request", "clear"];
    let mut seen = BTreeSet::new();
    let others: Vec<_> = READINGS.iter().filter(|reading| !seen.insert(reading.question)).collect();
    assert!(others.len() >= 25, "{} readings", others.len());
    for some in others.chunks(4) {
        thread::scope(|scope| {
            for reading in some {
                scope.spawn(|| {
                    let (question, answer) = (reading.question, reading.answer);
                    let pair = format!("{question}={answer}");
                    let serve = Serve::start(&["--app-limit", "none", "--reading", &pair]);
                    let report = msgext(Some(KEY), &serve.run(&["--fast", "--rate", "none"])).exits(0).report();
                    let expected =
                        if waits.contains(&question) || races.contains(&question) { Value::Null } else { answer.into() };
                    assert_eq!(report["readings"][question], expected, "{pair}");
                });
            }
        });
    }
}

#[test]
fn without_member_calls_the_rest_is_run_and_passes() {
    let serve = Serve::start(&["--app-limit", "none"]);
    let report = msgext(Some(KEY), &serve.run(&["--fast", "--rate", "none", "--member-calls", "none"])).exits(0).report();
    assert_eq!(report["readings"]["caller"], Value::Null, "nobody found out");
    let why = "it needs member calls (--member-calls none)";
    let scenarios = report["scenarios"].as_array().expect("scenarios");
    let skipped = scenarios.iter().filter(|scenario| scenario["why"] == why);
    assert!(skipped.clone().all(|scenario| scenario["verdict"] == "skipped"));
    assert!(skipped.clone().any(|scenario| scenario["id"] == "set-first-gives-seq-1/sender"));
    let admin = verdicts(&report).into_iter().find(|(id, _)| id == "set-first-gives-seq-1/admin").expect("a scenario");
    assert_eq!(admin.1, "pass");
}

#[test]
fn a_target_file_names_the_app_without_the_plan_and_pins_readings() {
    let serve = Serve::start(&["--app-limit", "none", "--reading", "deleted-key=reset"]);
    let file = format!(
        "url: {}\nsdkappid: 1400000000\nadmin: administrator\nwithout-plan: {{sdkappid: 1400000001, admin: administrator}}\n\
         readings: {{deleted-key: reset}}\n",
        serve.url()
    );
    let args = ["run", "--target", "t.yaml", "--rate", "none", "--filter", "clause:ERR-2,clause:DEL-3"];
    let report = msgext_with(("t.yaml", &file), Some(KEY), &args).exits(0).report();
    let plan = verdicts(&report).into_iter().filter(|(id, _)| id.starts_with("err-app-without-plan"));
    assert!(plan.clone().all(|(_, verdict)| verdict == "pass"));
    assert_eq!(plan.count(), 3);
    let other = msgext_with(("t.yaml", &file.replace("key: reset", "key: tombstone")), Some(KEY), &args).exits(1);
    assert_eq!(strings(&other.report()["contradictions"], "answer"), ["reset"]);
    let unknown = msgext_with(("t.yaml", &file.replace("admin: adm", "admni: adm")), Some(KEY), &args).exits(2);
    assert!(unknown.stderr.contains("t.yaml:3:1") && unknown.stderr.contains("`admin`"), "{}", unknown.stderr);
}

#[test]
fn a_target_that_is_not_named_in_full_is_a_usage_error() {
    let target = Silent::start();
    let named = |args: &[&'static str]| [&["run", "--target", target.url.as_str()], args].concat();
    let cases = [
        (None, named(&["--sdkappid", "1", "--admin", "a"]), "MSGEXT_SECRET_KEY"),
        (Some(" "), named(&["--sdkappid", "1", "--admin", "a"]), "the secret key is empty"),
        (Some(KEY), named(&["--admin", "a"]), "--sdkappid"),
        (Some(KEY), named(&["--sdkappid", "1"]), "--admin"),
        (Some(KEY), vec!["run", "--sdkappid", "1"], "need a --target"),
        (Some(KEY), vec!["run", "--target", "nowhere"], "singapore"),
        (Some(KEY), vec!["run", "--target", "ftp://host", "--sdkappid", "1", "--admin", "a"], "https://HOST"),
    ];
    for (key, args, says) in cases {
        let ran = msgext(key, &args).exits(2);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!ran.folder.path().join("reports").exists(), "{args:?}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_misspelt_value_is_a_usage_error_that_names_what_there_is() {
    let cases: &[(&[&str], &str)] = &[
        (&["run", "--pin", "deleted-kye=reset"], "deleted-key"),
        (&["run", "--pin", "deleted-key=rset"], "tombstone, reset"),
        (&["run", "--pin", "deleted-key"], "QUESTION=ANSWER"),
        (&["run", "--member-calls", "identifer"], "'identifier'"),
        (&["run", "--filter", "levle:must"], "level:must|should|open"),
        (&["run", "--filter", "level:mst"], "level:must, level:should or level:open"),
        (&["run", "--filter", "a,,b"], "single commas"),
        (&["run", "--rate", "fast"], "200/s, 12000/m or 200/1s"),
        (&["run", "--rate", "0"], "none lifts the limit"),
        (&["run", "--rate", "59/h"], "write 1/m or more"),
        (&["run", "--timeout", "21m"], "at most 20m"),
        (&["run", "--timeout", "5"], "500ms, 61s or 2m, at most 24h"),
        (&["run", "--repeat", "0"], "a whole number from 1 to 65535"),
        (&["run", "--seed", "x"], "a whole number, 0 or more"),
        (&["run", "--dryrun"], "--dry-run"),
        (&["serve", "--fault", "rest:3"], "bad-gateway"),
        (&["serve", "--fault", "reset"], "KIND:N"),
        (&["serve", "--reading", "seq=x"], "per-key, per-message"),
        (&["serve", "--app-limit", "200"], "sliding-log:200/60s"),
        (&["serve", "--internal-error", "0"], "a whole number from 1"),
        (&["serve", "--lose-one-in", "0"], "a whole number, 1 or more"),
        (&["serve", "--threads", "0"], "a whole number from 1 to 1024"),
        (&["serve", "--sdkappid", "x"], "a whole number from 1"),
        (&["usersig", "--sdkappid", "1", "--identifier", "a", "--expire", "0"], "a whole number from 1"),
        (&["fuzz", "--cases", "0"], "a whole number from 1"),
        (&["fuzz", "--jobs", "0"], "a whole number from 1 to 256"),
        (&["fuzz", "--for", "25h"], "at most 24h"),
        (&["fuzz", "--pin", "seq=per-key"], "has no effect on fuzz"),
        (&["limits", "--pin", "seq=per-key"], "has no effect on limits"),
        (&["doctor", "--pin", "seq=per-key"], "has no effect on doctor"),
        (&["limits", "--time", "4s"], "a time of 5s or more"),
        (&["limits", "--burst", "none"], "write 200/s"),
        (&["limits", "--rate", "1/s"], "write 10/s to 10000/s"),
        (&["limits", "--only", "key"], "app, message"),
        (&["load", "--connections", "0"], "a whole number from 1 to 20000"),
        (&["load", "--messages", "0"], "a whole number from 1 to 1000000"),
        (&["load", "--threads", "0"], "a whole number from 1 to 1024"),
        (&["load", "--rate", "50", "--calls", "0"], "a whole number from 1"),
        (&["load", "--rate", "0"], "200/s, 12000/m or 200/1s"),
        (&["load", "--rate", "50", "--for", "0s"], "more than nothing"),
        (&["load", "--rate", "50", "--for", "25h"], "at most 24h"),
        (&["load", "--find-capacity", "--slo", "lost = 0", "--trial", "5000000h"], "at most 24h"),
        (&["load", "--find-capacity", "--slo", "lost = 0", "--confirm", "24h"], "at most 23h"),
        (&["run", "--target", "singapor"], "did you mean `singapore`?"),
        (&["run", "--target", "localhost:8080"], "did you mean `http://localhost:8080`"),
        (&["schema", "reprot"], "report"),
        (&["chekc"], "check"),
    ];
    for (args, says) in cases {
        let ran = msgext(None, args).exits(2);
        assert!(!ran.stderr.contains("invalid digit") && !ran.stderr.contains("non-zero"), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

const BAD: &str = "scenarios:
  - id: one
    title: One
    clauses: [SEQ-999]
    steps:
      - set: {kvs: [{kye: k, value: v}]}
  - id: two
    title: Two
    clauses: [SET-1]
    stepps: []
";

/// Every problem of `BAD`: what, where, and what to do.
fn tells_every_problem(ran: &Ran) {
    let told = [
        ("unknown field `kye`", "bad.yaml:6:22", "did you mean `key`?"),
        ("`key` is missing", "bad.yaml:6:21", "add `key: …`"),
        ("unknown field `stepps`", "bad.yaml:10:5", "did you mean `steps`?"),
        ("`steps` is missing", "bad.yaml:7:5", "add `steps: …`"),
        ("there is no clause `SEQ-999`", "bad.yaml:4:15", "did you mean `SEQ-9`?"),
    ];
    for (what, place, help) in told {
        let start = ran.stderr.find(what).unwrap_or_else(|| panic!("{what} is not told:\n{}", ran.stderr));
        let problem = &ran.stderr[start..];
        let problem = &problem[..problem.find("\n\n").unwrap_or(problem.len())];
        assert!(problem.contains(place) && problem.contains(help), "{what}:\n{problem}");
    }
    assert!(ran.stderr.contains("5 problems"), "{}", ran.stderr);
}

#[test]
fn a_bad_scenario_file_is_told_whole_and_nothing_is_sent() {
    let target = Silent::start();
    let ran = msgext_with(("bad.yaml", BAD), Some(KEY), &run_at(&target.url, &["bad.yaml"])).exits(2);
    tells_every_problem(&ran);
    assert_eq!(target.connections(), 0);
    assert!(!ran.folder.path().join("reports").exists());
}

#[test]
fn check_takes_good_files_and_tells_every_problem_of_bad_ones() {
    let good = msgext_with(("good.yaml", WRONG), None, &["check", "good.yaml"]).exits(0);
    assert!(good.stderr.contains("1 scenario file, 1 scenario") && good.stderr.contains("no problem"), "{}", good.stderr);
    msgext(None, &["check"]).exits(0);
    tells_every_problem(&msgext_with(("bad.yaml", BAD), None, &["check", "bad.yaml"]).exits(2));
    let target = "url: singapore\nsdkappid: 1\nadmin: a\n";
    msgext_with(("t.yaml", target), None, &["check", "t.yaml"]).exits(0);
    let misspelt = target.replace("sdkappid", "sdkapid");
    let bad = msgext_with(("t.yaml", &misspelt), None, &["check", "t.yaml"]).exits(2);
    assert!(bad.stderr.contains("t.yaml:2:1") && bad.stderr.contains("`sdkappid`"), "{}", bad.stderr);
    msgext(None, &["check", "no-such-file.yaml"]).exits(2);
}

#[test]
fn each_command_knows_a_file_of_another_kind_and_names_the_command_that_takes_it() {
    let plan = r#"{"title": "t", "messages": 4, "phases": [{"name": "a", "rate": "20/s", "for": "1s"}]}"#;
    let target = "url: singapore\nsdkappid: 1\nadmin: a\n";
    let race = "title: t\nclients: 2\nmessages: 1\noperations: 9\n";
    for (text, kind, own) in [
        (plan, "this is a load plan: msgext load f.yaml", "load"),
        (race, "this is a race plan: msgext race f.yaml", "race"),
        (WRONG, "this is a file of scenarios: msgext run f.yaml", "run"),
        (target, "this is a target file: msgext run --target f.yaml", "target"),
    ] {
        // A byte order mark changes nothing.
        let marked = format!("\u{feff}---\n{text}");
        msgext_with(("f.yaml", &marked), None, &["check", "f.yaml"]).exits(0);
        let commands: [(&str, &[&str]); 4] = [
            ("run", &["run", "f.yaml"]),
            ("load", &["load", "f.yaml"]),
            ("race", &["race", "f.yaml"]),
            ("target", &["run", "--target", "f.yaml"]),
        ];
        for (command, args) in commands.into_iter().filter(|(command, _)| *command != own) {
            let ran = msgext_with(("f.yaml", &marked), Some(KEY), args).exits(2);
            assert!(ran.stderr.contains(kind) && ran.stderr.matches("error").count() == 2, "{command}: {}", ran.stderr);
        }
    }
    for (text, told) in
        [("", "the file is empty"), ("a: 1\n", "says what it is for"), ("scenario: []\n", "did you mean `scenarios`?")]
    {
        let ran = msgext_with(("f.yaml", text), None, &["check", "f.yaml"]).exits(2);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("f.yaml:1:1"), "{text}: {}", ran.stderr);
    }
}

#[test]
fn what_is_no_file_is_told_by_every_command_and_hangs_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let link = folder.path().join("link.yaml");
    std::os::unix::fs::symlink("gone", &link).expect("a link");
    let [pipe, link] = [&pipe, &link].map(|path| path.to_str().expect("UTF-8"));
    let target = ["--target", "http://127.0.0.1:9", "--sdkappid", "1", "--admin", "a", "--secret-key-file"];
    let by_key = [&["run"][..], &target].concat();
    let commands: [&[&str]; 5] = [&["check"], &["run"], &["load"], &["run", "--target"], &by_key];
    for (path, told) in [(pipe, "is a named pipe"), (link, "leads nowhere"), ("/dev/zero", "is a device")] {
        for command in commands {
            let ran = msgext(Some(KEY), &[command, &[path]].concat()).exits(2);
            assert!(ran.stderr.contains(told) && ran.stderr.contains(path), "{command:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn check_refuses_a_target_file_for_what_run_refuses_it_and_takes_what_run_takes() {
    const GOOD: &str = "url: URL\nsdkappid: 1400000000\nadmin: administrator\nreadings: {deleted-key: tombstone}\n";
    let target = Silent::start();
    let good = GOOD.replace("URL", &target.url);
    for good in [&good, &format!("{{url: '{}', sdkappid: 1400000000, admin: administrator}}", target.url)] {
        msgext_with(("t.yaml", good), None, &["check", "t.yaml"]).exits(0);
        let dry = ["run", "--target", "t.yaml", "--dry-run", "--filter", "id:set-first-gives-seq-1/*"];
        msgext_with(("t.yaml", good), Some(KEY), &dry).exits(0);
    }
    for (old, new, place, told) in [
        (target.url.as_str(), "ftp://host", "t.yaml:1:6", "https://HOST"),
        (target.url.as_str(), "atlantis", "t.yaml:1:6", "singapore"),
        ("url", "ulr", "t.yaml:1:1", "`url`"),
        ("sdkappid", "sdkapid", "t.yaml:2:1", "`sdkappid`"),
        ("1400000000", "many", "t.yaml:2:11", "number"),
        ("deleted-key", "deleted-kee", "t.yaml:4:12", "`deleted-key`"),
        ("tombstone", "tombstoned", "t.yaml:4:25", "`tombstone`"),
        ("admin: administrator", "messages: {list: {}}", "t.yaml:3:", "`supported`"),
    ] {
        let bad = good.replace(old, new);
        let checked = msgext_with(("t.yaml", &bad), None, &["check", "t.yaml"]).exits(2);
        let ran = msgext_with(("t.yaml", &bad), Some(KEY), &["run", "--target", "t.yaml"]).exits(2);
        for stderr in [&checked.stderr, &ran.stderr] {
            assert!(stderr.contains(place) && stderr.contains(told), "{new}: {stderr}");
        }
        let problems = |stderr: &str| stderr.rsplit_once("error: ").map(|(problems, _)| problems.to_owned());
        assert_eq!(problems(&checked.stderr), problems(&ran.stderr), "{new}");
    }
    assert_eq!(target.connections(), 0);
}

// ------------------------------------------------------------------------------------------------------- the curl line

/// Posts a body and gives the JSON that comes back.
fn post(url: &str, headers: &[String], body: &str) -> Value {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = TcpStream::connect(host).expect("the endpoint is there");
    let headers = [&[format!("POST /{path} HTTP/1.1"), format!("Host: {host}")], headers].concat().join("\r\n");
    let request = format!("{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("a request can be sent");
    let reply = read_http(&mut stream).expect("a reply");
    let start = reply.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    serde_json::from_slice(&reply[start..]).expect("a reply in JSON")
}

/// What a shell hands to `curl` for this line: its arguments.
fn arguments_of_curl(line: &str, target: &str, usersig: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{line}");
    let output = Command::new("sh").arg("-c").arg(script).env("MSGEXT_TARGET", target).env("MSGEXT_USERSIG", usersig).output();
    let arguments = String::from_utf8(output.expect("a shell").stdout).expect("UTF-8");
    arguments.split_terminator('\0').map(str::to_owned).collect()
}

/// Sends what the arguments of a curl line mean.
fn send_by_curl(arguments: &[String]) -> Value {
    let [silent, method_flag, method, url, rest @ ..] = arguments else { panic!("{arguments:?}") };
    assert_eq!([silent.as_str(), method_flag, method], ["-sS", "-X", "POST"]);
    let (mut headers, mut body) = (Vec::new(), "");
    for pair in rest.chunks(2) {
        match pair[0].as_str() {
            "-H" => headers.push(pair[1].clone()),
            "--data-binary" => body = &pair[1],
            other => panic!("{other}"),
        }
    }
    post(url, &headers, body)
}

#[test]
fn a_broken_expectation_is_told_with_clause_place_difference_and_a_curl_line_that_works() {
    let serve = Serve::start(&[]);
    let ran = msgext_with(("wrong.yaml", WRONG), Some(KEY), &serve.run(&["wrong.yaml"])).exits(1);
    for said in ["FAIL[SET-1]: first-seq-is-seven", "wrong.yaml:6:81", "k1       Seq 7     Seq 1", "FAIL 1 broken clause: SET-1"]
    {
        assert!(ran.stderr.contains(said), "{said}:\n{}", ran.stderr);
    }
    let finding = &ran.report()["scenarios"][0]["findings"][0];
    assert_eq!((&finding["subject"], &finding["expected"]), (&"k1".into(), &"Seq 7".into()));
    assert_eq!((&finding["actual"], &finding["place"]["line"]), (&"Seq 1".into(), &6.into()));

    let line = ran.stderr.lines().map(str::trim).find(|line| line.starts_with("curl ")).expect("a curl line");
    assert_eq!(finding["curl"], line);
    let usersig = msgext(Some(KEY), &["usersig", "--sdkappid", "1400000000", "--identifier", "msgext_sender"]).exits(0).stdout;
    let reply = send_by_curl(&arguments_of_curl(line, serve.url(), usersig.trim()));
    // The run's own call gave the key Seq 1; the same call again is behind it.
    assert_eq!(reply["ErrorCode"], 0, "{reply}");
    assert_eq!(reply["ExtensionList"][0]["ErrorCode"], 23001, "{reply}");
    assert_eq!(reply["ExtensionList"][0]["Extension"]["Seq"], 1, "{reply}");
}

#[test]
fn a_dry_run_prints_curl_lines_without_a_secret_and_sends_nothing() {
    let target = Silent::start();
    let ran = msgext(Some(SECRET), &run_at(&target.url, &["--dry-run", "--filter", "id:set-first-gives-seq-1/*"])).exits(0);
    assert_eq!(target.connections(), 0);
    assert!(!ran.folder.path().join("reports").exists());
    let ids: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(ids.len(), 3, "{}", ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 6, "{}", ran.stdout);
    let extent = format!("would send {} requests for 3 scenarios, 3 of them to make messages: about 1 s at 150/s\n", lines.len());
    assert_eq!(ran.stderr, extent);
    for line in lines {
        let arguments = arguments_of_curl(line, "http://target", "signature");
        assert!(arguments[3].starts_with("http://target/v4/openim"), "{line}");
        assert!(arguments[3].contains("&usersig=signature&"), "{line}");
        assert!(line.contains("$MSGEXT_USERSIG") && !has_secret(line), "{line}");
    }
}

#[test]
fn ctrl_c_stops_serve_and_its_exit_code_is_0() {
    let mut serve = Serve::start(&[]);
    // It serves, so it is past its start.
    assert_ne!(post(&format!("{}/", serve.url()), &[], "{}")["ErrorCode"], 0);
    assert_eq!(ended_by("-INT", &mut serve.child), Some(0));
    assert!(TcpStream::connect(serve.url().trim_start_matches("http://")).is_err());
}

// ------------------------------------------------------------------------------------------------- list, schema, usersig

#[test]
fn list_shows_each_scenario_of_a_run_once() {
    let listed = msgext(None, &["list", "--filter", "id:seq-*"]).exits(0).stdout;
    let ids: Vec<&str> = listed.lines().map(|line| line.split("  ").next().expect("a column")).collect();
    let report = msgext(None, &["run", "--filter", "id:seq-*"]).exits(0).report();
    assert_eq!(ids, strings(&report["scenarios"], "id"));
    let own = msgext_with(("wrong.yaml", WRONG), None, &["list", "wrong.yaml"]).exits(0).stdout;
    assert_eq!(own.lines().count(), 1);
    assert!(own.starts_with("first-seq-is-seven  SET-1"), "{own}");
}

#[test]
fn list_names_a_scenario_for_every_clause_that_must_or_should_hold() {
    let listed = msgext(None, &["list", "--clauses"]).exits(0).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2 * spec::bundled().clauses.len());
    for (clause, lines) in spec::bundled().clauses.iter().zip(lines.chunks(2)) {
        assert!(lines[0].starts_with(&clause.id) && lines[0].ends_with(&clause.statement), "{}", lines[0]);
        let covered = lines[1].trim();
        if clause.level != Level::Open {
            assert!(!covered.is_empty() && covered != "no scenario", "{}: {covered}", clause.id);
        }
    }
    let own = msgext_with(("wrong.yaml", WRONG), None, &["list", "--clauses", "wrong.yaml"]).exits(0).stdout;
    assert_eq!(own.lines().filter(|line| line.trim() == "first-seq-is-seven").count(), 1);
    assert!(own.lines().any(|line| line.trim() == "no scenario"));
}

#[test]
fn list_shows_of_the_clauses_those_that_a_filter_leaves_and_never_says_that_they_have_no_scenario() {
    let ids = |filter: &str| {
        let listed = msgext(None, &["list", "--clauses", "--filter", filter]).exits(0).stdout;
        listed.lines().filter(|line| !line.starts_with(' ')).map(|line| line[..8].trim().to_owned()).collect::<Vec<_>>()
    };
    let of_level = |level| {
        let clauses = spec::bundled().clauses.into_iter().filter(move |clause| clause.level == level);
        clauses.map(|clause| clause.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("level:open"), of_level(Level::Open));
    assert_eq!(ids("level:must"), of_level(Level::Must));
    let raced = msgext(None, &["list", "--clauses", "--filter", "tag:race"]).exits(0).stdout;
    assert!(raced.starts_with("SET-4") && raced.contains("SEQ-7") && !raced.contains("no scenario"), "{raced}");
}

#[test]
fn list_names_tags_for_filters_and_mutants_for_serve() {
    let tags = msgext(None, &["list", "--tags"]).exits(0).stdout;
    for line in tags.lines() {
        let mut words = line.split_whitespace();
        let (tag, count) = (words.next().expect("a tag"), words.next().expect("a count"));
        let listed = msgext(None, &["list", "--filter", &format!("tag:{tag}")]).exits(0).stdout;
        assert_eq!(listed.lines().count().to_string(), count, "{tag}");
    }
    assert!(tags.lines().count() >= 3, "{tags}");
    let mutants = msgext(None, &["list", "--mutants"]).exits(0).stdout;
    assert_eq!(mutants.lines().count(), MUTANTS.len());
    for (line, mutant) in mutants.lines().zip(MUTANTS) {
        assert!(line.starts_with(mutant.name) && line.ends_with(&mutant.breaks.join(" ")), "{line}");
    }
    msgext(None, &["list", "--mutants", "--filter", "tag:race"]).exits(2);
}

#[test]
fn no_help_shows_marks_of_its_source_and_each_flag_stands_under_its_heading() {
    for command in [
        "",
        "run",
        "load",
        "race",
        "fuzz",
        "limits",
        "doctor",
        "merge",
        "compare",
        "judge",
        "mutants",
        "report",
        "serve",
        "list",
        "check",
        "schema",
        "usersig",
        "completions",
        "man",
    ] {
        for help in ["-h", "--help"] {
            let args: Vec<&str> = [command, help].into_iter().filter(|word| !word.is_empty()).collect();
            let shown = msgext(None, &args).exits(0).stdout;
            assert!(!shown.contains('`'), "{command}: {shown}");
        }
    }
    let help = msgext(None, &["load", "--help"]).exits(0).stdout;
    let section = |heading: &str| {
        let section = help.split_once(&format!("\n{heading}:\n")).expect("a section").1;
        section.split("\n\n").take_while(|block| block.starts_with(' ')).collect::<String>()
    };
    for flag in ["--threads", "--metrics", "--seed", "--quiet"] {
        assert!(section("Options").contains(flag) && !section("Capacity").contains(flag), "{flag}: {help}");
    }
    assert!(section("Capacity").contains("--slo") && section("Plan").contains("--connections"), "{help}");
}

#[test]
fn every_command_is_completed_in_each_shell_and_has_a_man_page() {
    let help = msgext(None, &["--help"]).exits(0).stdout;
    let listed = help.split_once("Commands:\n").expect("commands").1.lines().take_while(|line| line.starts_with("  "));
    let commands: Vec<&str> =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 15 && commands.contains(&"doctor"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = msgext(None, &["completions", shell]).exits(0).stdout;
        let missing: Vec<&&str> = commands.iter().filter(|command| !script.contains(**command)).collect();
        assert!(missing.is_empty() && script.contains("find-capacity"), "{shell}: {missing:?}");
    }
    msgext(None, &["completions", "dos"]).exits(2);
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man/man1");
    msgext(None, &["man", pages.to_str().expect("a path")]).exits(0);
    for command in commands.iter().filter(|command| **command != "help") {
        let page = fs::read_to_string(pages.join(format!("msgext-{command}.1"))).expect("a page");
        assert!(page.contains(".TH") && page.contains(&format!("msgext-{command}").replace('-', "\\-")), "{command}: {page}");
    }
    fs::write(folder.path().join("file"), "").expect("a file can be written");
    msgext(None, &["man", folder.path().join("file/man1").to_str().expect("a path")]).exits(3);
}

#[test]
fn list_names_every_answer_to_every_question() {
    let listed = msgext(None, &["list", "--readings"]).exits(0).stdout;
    let questions: Vec<&str> = listed.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(questions.len(), spec::bundled().questions().count());
    for (question, clause) in spec::bundled().questions() {
        let heading = format!("{question} ({}): ", clause.id);
        let block = listed.split_once(&heading).unwrap_or_else(|| panic!("{heading}")).1;
        let answers = block.lines().skip(1).take_while(|line| line.starts_with(' '));
        let answers: Vec<&str> = answers.map(|line| line.split_whitespace().next().expect("an answer")).collect();
        assert_eq!(answers, clause.readings.iter().map(|answer| answer.name.as_str()).collect::<Vec<_>>());
    }
}

#[test]
fn schema_prints_what_the_editors_of_the_bundled_scenarios_use() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for kind in ["scenario", "load", "race", "target"] {
        let file = format!("{folder}/{kind}.schema.json");
        let kept = fs::read_to_string(&file).expect("the schema is kept");
        assert!(msgext(None, &["schema", kind]).exits(0).stdout == kept, "run `msgext schema {kind} > {file}`");
    }
    assert_eq!(msgext(None, &["schema"]).exits(0).stdout, msgext(None, &["schema", "scenario"]).exits(0).stdout);
}

#[test]
fn a_usersig_opens_the_door_of_its_own_app_and_identifier_only() {
    let serve = Serve::start(&[]);
    let code = |key: &str, claims: &[&str], identifier: &str| {
        let usersig = msgext(Some(key), &[&["usersig"], claims].concat()).exits(0).stdout;
        let usersig = usersig.strip_suffix('\n').expect("a line");
        let query = format!("sdkappid=1400000000&identifier={identifier}&usersig={usersig}&random=7&contenttype=json");
        let path = "v4/openim_msg_ext_http_svc/set_key_values";
        let body = json!({
            "From_Account": serve.fact("from_account"), "To_Account": serve.fact("to_account"),
            "MsgKey": serve.fact("msg_key"), "OperateType": 3,
        });
        post(&format!("{}/{path}?{query}", serve.url()), &[], &body.to_string())["ErrorCode"].clone()
    };
    let admin = ["--sdkappid", "1400000000", "--identifier", "administrator"];
    assert_eq!(code(KEY, &admin, "administrator"), 0);
    assert_eq!(code(KEY, &admin, "msgext_sender"), 70013);
    assert_eq!(code("another key", &admin, "administrator"), 70009);
    assert_eq!(code(KEY, &["--sdkappid", "1400000001", "--identifier", "administrator"], "administrator"), 70014);
    let without_key = msgext(None, &[&["usersig"][..], &admin].concat()).exits(2);
    assert!(without_key.stderr.contains("MSGEXT_SECRET_KEY"), "{}", without_key.stderr);
}

// ------------------------------------------------------------------------------------------------------------ secrets

/// Eight bytes at least, and found nowhere else.
const SECRET: &str = "zq-recognisable-secret-key-0451";

/// A `UserSig` is the base64 of a zlib stream, which always begins with these letters.
fn has_secret(text: &str) -> bool {
    let usersig = |word: &str| word.starts_with("eJ") && word.len() > 20;
    text.contains(SECRET) || text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "*-_".contains(letter))).any(usersig)
}

#[test]
fn no_output_of_a_run_holds_the_key_or_a_signature() {
    let serve = Serve::start_with_key(SECRET, &["--app-limit", "none", "--fault", "garbage:9"]);
    let usersig = serve.fact("usersig");
    assert!(has_secret(usersig) && has_secret(&format!("?usersig={usersig}&")) && !has_secret("usersig=***"));
    let args = serve.run(&["--fast", "--rate", "none", "--json", "copy.json", "--verbose"]);
    holds_no_secret(&msgext(Some(SECRET), &args).exits(1));
    holds_no_secret(&msgext(Some(SECRET), &run_at(&gone(), &[])).exits(3));
    // A target that answers with whatever it was sent.
    let echo = Listener::start(|mut stream| {
        while let Ok(request) = read_http(&mut stream) {
            let line = String::from_utf8_lossy(&request);
            let line = line.lines().next().unwrap_or_default();
            let sent = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "MsgKey": "1_2_3"});
            let refused = json!({"ActionStatus": "FAIL", "ErrorCode": 10004, "ErrorInfo": line});
            let body = if line.contains("/sendmsg?") { sent } else { refused }.to_string();
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    });
    let ran = msgext(Some(SECRET), &run_at(&echo.url, &["--member-calls", "identifier", "--filter", "id:set-first-*"])).exits(1);
    assert!(ran.stderr.contains("usersig="), "the echo is shown:\n{}", ran.stderr);
    holds_no_secret(&ran);
}

fn holds_no_secret(ran: &Ran) {
    assert!(!has_secret(&ran.stdout), "{}", ran.stdout);
    assert!(!has_secret(&ran.stderr), "{}", ran.stderr);
    let mut files = Vec::new();
    let mut folders = vec![ran.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a report");
        assert!(!has_secret(&text), "{}", file.display());
    }
}
