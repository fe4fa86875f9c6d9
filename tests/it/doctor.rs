//! `msgext doctor`, and what the probe that every command begins with has to say: which part works, and what to do.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::binary::{
    KEY, Listener, Ran, Running, Serve, Silent, body_of, ended_by, gone, hand_on, is_get, is_set, msgext, msgext_in, ok,
    read_http, report_of, run_at, test_at, until,
};

/// Counts what it should measure in bytes.
const MUTANT: &str = "value length in characters";

const STEPS: [&str; 16] = [
    "name resolution",
    "connection",
    "TLS and HTTP",
    "clock",
    "sdkappid",
    "region",
    "admin",
    "key and UserSig",
    "plan",
    "openim/sendmsg",
    "extension support",
    "member calls",
    "get_key_values",
    "read back by get_key_values",
    "read back by a refusal",
    "calls at once",
];

fn serve() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

/// The states of the steps of a run that exits so, each with its name; all are there, in their order.
fn states(ran: &Ran) -> Vec<(String, String)> {
    let report = report_of(ran.folder.path(), "doctor");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let steps = report["doctor"]["steps"].as_array().expect("steps");
    let steps: Vec<(String, String)> = steps.iter().map(|step| (text(&step["name"]), text(&step["state"]))).collect();
    assert_eq!(steps.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), STEPS);
    steps
}

fn doctor(url: &str, key: &str, more: &[&str], code: i32) -> Ran {
    msgext(Some(key), &test_at("doctor", url, more)).exits(code)
}

/// An endpoint between: each request with the reply that `change` makes of it.
fn between(upstream: &str, change: impl Fn(&[u8], Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Listener {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    Listener::start(move |mut client| {
        let mut server = TcpStream::connect(&upstream).expect("the endpoint is there");
        while let Ok(request) = read_http(&mut client) {
            let Ok(answer) = hand_on(&request, &mut server) else { return };
            if client.write_all(&change(&request, answer)).is_err() {
                return;
            }
        }
    })
}

fn refusal(code: i64) -> Vec<u8> {
    ok(&json!({"ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": "no such command"}).to_string())
}

/// Without `get_key_values`; a refusal carries the caller's value in place of the stored one where `lies`.
fn home_made(upstream: &str, lies: bool) -> Listener {
    between(upstream, move |request, answer| {
        if is_get(request) {
            return refusal(60009);
        }
        if !lies || !is_set(request) {
            return answer;
        }
        // Some requests are no JSON, nor even UTF-8: those are refused whole.
        let body = request.windows(4).position(|end| end == b"\r\n\r\n").map_or(&[][..], |end| &request[end + 4..]);
        let Ok(sent) = serde_json::from_slice::<Value>(body) else { return answer };
        let mut reply: Value = serde_json::from_str(body_of(&answer)).expect("JSON");
        let sent = |key: &Value| {
            let items = sent["ExtensionList"].as_array().into_iter().flatten();
            items.clone().find(|item| item["Key"] == *key).map(|item| item["Value"].clone())
        };
        for result in reply["ExtensionList"].as_array_mut().into_iter().flatten() {
            if result["ErrorCode"] == 23001 {
                let own = sent(&result["Extension"]["Key"]);
                result["Extension"]["Value"] = own.unwrap_or_default();
            }
        }
        ok(&reply.to_string())
    })
}

#[test]
fn each_step_is_told_and_all_of_them_work_at_the_reference_endpoint() {
    for ran in [doctor(serve().url(), KEY, &[], 0), msgext(None, &["doctor"]).exits(0)] {
        assert!(states(&ran).iter().all(|(_, state)| state == "ok"), "{}", ran.stderr);
        assert!(STEPS.iter().all(|step| ran.stderr.contains(step)) && ran.stderr.contains("PASS"), "{}", ran.stderr);
    }
    let quiet = msgext(None, &["doctor", "--quiet", "--json", "-"]).exits(0);
    assert!(!quiet.stderr.contains("name resolution"), "{}", quiet.stderr);
    assert_eq!(serde_json::from_str::<Value>(&quiet.stdout).expect("JSON")["verdict"], "pass");
}

#[test]
fn what_is_in_the_way_is_named_with_what_to_do_and_what_comes_after_it_is_never_ok() {
    let serve = serve();
    let not_admin = ["doctor", "--target", serve.url(), "--sdkappid", "1400000000", "--admin", "msgext_sender"];
    let without_plan = ["doctor", "--target", serve.url(), "--sdkappid", "1400000001", "--admin", "administrator"];
    let other_app = ["doctor", "--target", serve.url(), "--sdkappid", "5", "--admin", "administrator"];
    let secured = serve.url().replace("http://", "https://");
    for (ran, in_the_way, works) in [
        (doctor(&gone(), KEY, &[], 3), "connection", 1),
        (doctor(&secured, KEY, &[], 3), "TLS and HTTP", 2),
        (doctor(serve.url(), "not the key of serve", &[], 3), "key and UserSig", 4),
        (msgext(Some(KEY), &other_app).exits(3), "sdkappid", 4),
        (msgext(Some(KEY), &without_plan).exits(3), "plan", 4),
        (msgext(Some(KEY), &not_admin).exits(3), "admin", 8),
    ] {
        let states = states(&ran);
        for (place, (name, state)) in states.iter().enumerate() {
            let is_first = STEPS.iter().position(|step| *step == in_the_way) == Some(place);
            assert_eq!(state == "blocked", is_first, "{in_the_way}: {name} is {state}");
        }
        assert_eq!(states.iter().filter(|(_, state)| state == "ok").count(), works, "{in_the_way}: {states:?}");
        assert!(ran.stderr.contains(&format!("{in_the_way}: ")), "{}", ran.stderr);
    }
}

#[test]
fn a_target_that_makes_no_messages_is_told_of_the_field_that_names_them_and_not_of_credentials() {
    let serve = serve();
    let without = between(
        serve.url(),
        |request, answer| {
            if request.starts_with(b"POST /v4/openim/sendmsg") { refusal(60006) } else { answer }
        },
    );
    let ran = msgext(Some(KEY), &run_at(&without.url, &[])).exits(3);
    assert!(ran.stderr.contains("`messages`") && ran.stderr.contains("/v4/openim/sendmsg"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("credentials"), "{}", ran.stderr);
    let ran = doctor(&without.url, KEY, &[], 3);
    let states = states(&ran);
    assert!(states[..9].iter().all(|(_, state)| state == "ok") && states[9].1 == "blocked", "{states:?}");
    let ran = msgext(Some("not the key of serve"), &run_at(&without.url, &[])).exits(3);
    assert!(ran.stderr.contains("refused the credentials: 70009") && ran.stderr.contains("/set_key_values"), "{}", ran.stderr);
}

#[test]
fn a_refusal_that_lies_is_the_finding_and_what_rests_on_reading_back_is_unknown() {
    let serve = serve();
    let (honest, lying) = (home_made(serve.url(), false), home_made(serve.url(), true));
    let state = |ran: &Ran| states(ran).iter().find(|(name, _)| name == "read back by a refusal").expect("a step").1.clone();
    assert_eq!(state(&doctor(&honest.url, KEY, &[], 0)), "ok");
    let ran = doctor(&lying.url, KEY, &[], 1);
    assert_eq!(state(&ran), "broken");
    assert!(ran.stderr.contains("admin was set to v, and it tells peek"), "{}", ran.stderr);

    let args = ["--fast", "--rate", "none", "--filter", "!tag:race"];
    let ran = msgext(Some(KEY), &run_at(&lying.url, &args)).exits(1);
    let report = ran.report();
    assert_eq!(report["read_back"], "none that tells the truth");
    let clauses = report["clauses"].as_array().expect("clauses");
    let broken: Vec<&str> =
        clauses.iter().filter(|clause| clause["verdict"] == "fail").filter_map(|clause| clause["id"].as_str()).collect();
    assert_eq!(broken, ["SEQ-3"]);
    assert!(report["totals"]["scenarios"]["unknown"].as_u64() > Some(20), "{}", report["totals"]);
    let ran = msgext(Some(KEY), &run_at(&honest.url, &args)).exits(0);
    assert_eq!(ran.report()["read_back"], "conflicting set");
}

#[test]
fn where_nothing_can_be_read_back_what_a_reply_shows_is_judged_and_what_it_does_not_is_skipped() {
    let mutant = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--mutant", MUTANT]);
    let lawful = serve();
    let args = ["--rate", "none", "--member-calls", "none", "--filter", "id:req-value-of-more-than-1000-bytes/*"];
    let verdict = |serve: &Serve, code| {
        let between = home_made(serve.url(), false);
        let ran = msgext(Some(KEY), &run_at(&between.url, &args)).exits(code);
        let clause = ran.report()["clauses"].as_array().expect("clauses").iter().find(|clause| clause["id"] == "REQ-11").cloned();
        clause.expect("REQ-11")["verdict"].as_str().expect("a verdict").to_owned()
    };
    assert_eq!((verdict(&mutant, 1), verdict(&lawful, 4)), ("fail".to_owned(), "skipped".to_owned()));
}

#[test]
fn the_limits_of_the_vendors_own_service_are_broken_only_where_that_is_asked_for() {
    let serve = serve();
    // Its name, and nobody but the reference endpoint behind it.
    let to = serve.url().trim_start_matches("http://");
    let vendors =
        format!("url: http://adminapisgp.im.qcloud.com\nconnect-to: {to}\nsdkappid: 1400000000\nadmin: administrator\n");
    let other = format!("url: {}\nsdkappid: 1400000000\nadmin: administrator\n", serve.url());
    let ran = |file: &str, args: &[&str], code| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("target.yaml"), file).expect("a file");
        msgext_in(folder, Some(KEY), &[args, &["--target", "target.yaml", "--quiet"]].concat()).exits(code)
    };
    let fast: &[&str] = &["load", "--rate", "300/s", "--calls", "30", "--messages", "200"];
    let hot: &[&str] = &["load", "--rate", "20/s", "--calls", "20", "--messages", "1"];
    let search: &[&str] = &["load", "--find-capacity", "--slo", "lost = 0"];
    for refused in [&["limits"][..], &["load"], fast, hot, search] {
        let told = ran(&vendors, refused, 2).stderr;
        assert!(told.contains("--yes-break-limits"), "{refused:?}: {told}");
    }
    ran(&vendors, &["load", "--rate", "20/s", "--calls", "20", "--messages", "64"], 0);
    for allowed in [fast, hot] {
        ran(&vendors, &[allowed, &["--yes-break-limits"]].concat(), 0);
        ran(&other, allowed, 0);
    }
}

#[test]
fn a_signal_ends_it_at_a_target_that_says_nothing_and_it_leaves_a_report() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let (silent, folder) = (Silent::start(), tempfile::tempdir().expect("a folder"));
        let mut running = Running::start(folder.path(), &test_at("doctor", &silent.url, &[]));
        // One to see whether there is anybody, one for the first call.
        until("the first call is sent", || silent.connections() >= 2);
        assert_eq!(ended_by(name, &mut running.0), Some(4), "{name}");
        let report = report_of(folder.path(), "doctor");
        assert_eq!((&report["verdict"], &report["incomplete"]), (&"inconclusive".into(), &true.into()), "{name}");
    }
}
