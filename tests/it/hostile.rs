//! A campaign of odd replies, seeded: every unlawful one has its finding, no lawful one has any, in `run` and in `load` alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use msgext::random::Random;
use serde_json::{Value, json};

use crate::support::binary::{KEY, Listener, body_of, is_get, is_set, msgext, msgext_in, read_http, report_of, test_at};

/// Replies that go through `run`, and through `load`.
const RUN: usize = 2_000;
const LOAD: usize = 20_000;

/// What a reply is made into.
struct Oddity {
    name: &'static str,
    /// The clauses that it breaks in a load, one finding each; none for a lawful one.
    breaks: &'static [&'static str],
    make: fn(&Lawful, &mut Random) -> Vec<u8>,
}

/// A lawful reply to a set of one key, in its parts.
struct Lawful {
    key: String,
    value: String,
    seq: u64,
}

impl Lawful {
    fn json(&self) -> Value {
        json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "ExtensionList": [
            {"ErrorCode": 0, "Extension": {"Key": self.key, "Value": self.value, "Seq": self.seq}}]})
    }

    fn with(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut reply = self.json();
        change(&mut reply);
        reply.to_string().into_bytes()
    }

    fn text(&self) -> String {
        self.json().to_string()
    }
}

/// As unlikely to be seen twice as a number of 64 bits.
fn field(random: &mut Random) -> String {
    format!("\"X{:x}\":", random.next_u64())
}

const ODDITIES: &[Oddity] = &[
    Oddity {
        name: "an unknown field",
        breaks: &[],
        make: |reply, random| reply.text().replacen('{', &format!("{{{}null,", field(random)), 1).into_bytes(),
    },
    Oddity {
        name: "a number beyond all",
        breaks: &[],
        make: |reply, random| {
            reply.text().replacen('{', &format!("{{{}-1e4{:04},", field(random), random.below(10_000)), 1).into_bytes()
        },
    },
    Oddity {
        name: "deeply nested",
        breaks: &[],
        make: |reply, random| {
            let deep = 1 + random.below(300);
            let nested = format!("{{{}{}1{},", field(random), "[".repeat(deep), "]".repeat(deep));
            reply.text().replacen('{', &nested, 1).into_bytes()
        },
    },
    Oddity {
        name: "white space",
        breaks: &[],
        make: |reply, random| {
            let space = |random: &mut Random| [" ", "\n", "\t", "\r\n", "  "][random.below(5)].repeat(1 + random.below(40));
            let text = reply.text().replacen(':', &format!("{}:{}", space(random), space(random)), 2);
            (space(random) + &text + &space(random)).into_bytes()
        },
    },
    Oddity {
        name: "escapes",
        breaks: &[],
        make: |reply, random| {
            let escaped: Vec<String> = reply.key.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
            let escaped = escaped.concat();
            let text = reply.text().replace(&format!("\"Key\":\"{}\"", reply.key), &format!("\"Key\":\"{escaped}\""));
            text.replacen('{', &format!("{{{}\"\\ud83d\\ude00\",", field(random)), 1).into_bytes()
        },
    },
    Oddity {
        name: "an info though it worked",
        breaks: &[],
        make: |reply, random| reply.with(|json| json["ErrorInfo"] = format!("fine {:x}", random.next_u64()).into()),
    },
    Oddity {
        name: "a list of its own in the item",
        breaks: &[],
        make: |reply, random| reply.with(|json| json["ExtensionList"][0]["Trace"] = json!([random.next_u64(), {"a": [null]}])),
    },
    Oddity {
        name: "no ActionStatus",
        breaks: &["HTTP-2"],
        make: |reply, random| {
            reply.with(|json| {
                json["Id"] = random.next_u64().into();
                json.as_object_mut().expect("an object").remove("ActionStatus");
            })
        },
    },
    Oddity {
        name: "ActionStatus of its own",
        breaks: &["HTTP-2"],
        make: |reply, random| reply.with(|json| json["ActionStatus"] = format!("ok{:x}", random.next_u64()).into()),
    },
    Oddity {
        name: "ErrorInfo is no string",
        breaks: &["HTTP-2"],
        make: |reply, random| reply.with(|json| json["ErrorInfo"] = random.next_u64().into()),
    },
    Oddity {
        name: "ErrorCode is text",
        breaks: &["HTTP-2"],
        make: |reply, random| reply.with(|json| json["ErrorCode"] = format!("0 {:x}", random.next_u64()).into()),
    },
    Oddity { name: "not JSON", breaks: &["HTTP-2"], make: |_, random| format!("<html>{:x}", random.next_u64()).into_bytes() },
    Oddity {
        name: "a part of it",
        breaks: &["HTTP-2"],
        make: |reply, random| {
            let text = reply.text().replacen('{', &format!("{{{}0,", field(random)), 1);
            text.as_bytes()[..=random.below(text.len() - 1)].to_vec()
        },
    },
    Oddity {
        name: "more than it",
        breaks: &["HTTP-2"],
        make: |reply, random| format!("{}{}", reply.text(), random.next_u64()).into_bytes(),
    },
    Oddity {
        name: "no UTF-8",
        breaks: &["HTTP-2"],
        make: |reply, random| {
            let mut bytes = reply.text().replacen('{', &format!("{{{}\"?\",", field(random)), 1).into_bytes();
            let at = bytes.iter().position(|byte| *byte == b'?').expect("it is there");
            bytes[at] = 0xff;
            bytes
        },
    },
    Oddity {
        name: "in an array",
        breaks: &["HTTP-2"],
        make: |reply, random| format!("[{},{}]", reply.text(), random.next_u64()).into_bytes(),
    },
    Oddity {
        name: "another value",
        breaks: &["SET-4"],
        make: |reply, random| {
            reply.with(|json| json["ExtensionList"][0]["Extension"]["Value"] = format!("x{:x}", random.next_u64()).into())
        },
    },
    Oddity {
        name: "no Seq that grew",
        breaks: &["SET-2"],
        make: |reply, random| {
            reply.with(|json| {
                json["Id"] = random.next_u64().into();
                json["ExtensionList"][0]["Extension"]["Seq"] = 0.into();
            })
        },
    },
    Oddity {
        name: "no result",
        breaks: &["SET-3", "SET-3"],
        make: |reply, random| {
            reply.with(|json| {
                json["Id"] = random.next_u64().into();
                json["ExtensionList"] = json!([]);
            })
        },
    },
    Oddity {
        name: "refused",
        breaks: &["SET-2"],
        make: |_, random| {
            format!(r#"{{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":"{:x}"}}"#, random.next_u64()).into_bytes()
        },
    },
    Oddity {
        name: "an unknown code at the key",
        breaks: &["SET-2"],
        make: |reply, random| reply.with(|json| json["ExtensionList"][0]["ErrorCode"] = (24_000 + random.below(10_000)).into()),
    },
];

/// What a target has sent so far.
#[derive(Default)]
struct SentSoFar {
    /// By message, the oddity of its set.
    messages: BTreeMap<String, usize>,
    /// By oddity.
    counts: Vec<usize>,
    distinct: BTreeSet<Vec<u8>>,
}

/// A target whose sets are answered with one oddity of these after another.
fn target(oddities: Vec<usize>, seed: u64) -> (Listener, Arc<Mutex<SentSoFar>>) {
    let sent = Arc::new(Mutex::new(SentSoFar { counts: vec![0; ODDITIES.len()], ..SentSoFar::default() }));
    let state = Arc::new(Mutex::new((Random::seeded(seed), 0_u64)));
    let told = Arc::clone(&sent);
    let listener = Listener::start(move |mut stream: TcpStream| {
        while let Ok(request) = read_http(&mut stream) {
            let mut state = state.lock().expect("no panic");
            state.1 += 1;
            let number = state.1;
            let body = if is_set(&request) {
                let call: Value = serde_json::from_str(body_of(&request)).expect("JSON");
                let pair = &call["ExtensionList"][0];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let lawful = Lawful { key: text(&pair["Key"]), value: text(&pair["Value"]), seq: number };
                // The probe's own calls are left alone.
                if lawful.key == "admin" || lawful.key == "identifier" {
                    lawful.text().into_bytes()
                } else {
                    let oddity = oddities[state.0.below(oddities.len())];
                    let made = (ODDITIES[oddity].make)(&lawful, &mut state.0);
                    let mut sent = told.lock().expect("no panic");
                    sent.messages.insert(text(&call["MsgKey"]), oddity);
                    sent.counts[oddity] += 1;
                    sent.distinct.insert(made.clone());
                    made
                }
            } else if is_get(&request) {
                br#"{"ActionStatus":"FAIL","ErrorCode":60006,"ErrorInfo":"no such command"}"#.to_vec()
            } else {
                format!(r#"{{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","MsgKey":"1_{number}_1700000000"}}"#).into_bytes()
            };
            drop(state);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    });
    (listener, sent)
}

fn those(lawful: bool) -> Vec<usize> {
    (0..ODDITIES.len()).filter(|oddity| ODDITIES[*oddity].breaks.is_empty() == lawful).collect()
}

#[test]
fn in_a_run_every_unlawful_reply_fails_its_scenario_and_no_lawful_one_does() {
    let (target, sent) = target((0..ODDITIES.len()).collect(), 1);
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = "scenarios:\n  - id: one-set\n    title: A set works\n    clauses: [SET-2]\n    steps:\n      \
                    - set: {kvs: [{key: k1, value: v1}]}\n";
    fs::write(folder.path().join("one-set.yaml"), scenario).expect("written");
    let repeat = RUN.to_string();
    let more = ["one-set.yaml", "--rate", "none", "--quiet", "--repeat", &repeat];
    let report = msgext_in(folder, Some(KEY), &test_at("run", &target.url, &more)).exits(1).report();
    let sent = sent.lock().expect("no panic");
    assert!(sent.distinct.len() > RUN * 99 / 100, "{} distinct replies", sent.distinct.len());
    let scenarios = report["scenarios"].as_array().expect("scenarios").iter();
    let findings = scenarios.flat_map(|scenario| scenario["findings"].as_array().expect("findings"));
    let failed: BTreeSet<String> = findings.map(|finding| message_of(&report, finding)).collect();
    for (message, oddity) in &sent.messages {
        let Oddity { name, breaks, .. } = &ODDITIES[*oddity];
        assert_eq!(failed.contains(message), !breaks.is_empty(), "{name}");
    }
    assert_eq!(report["totals"]["scenarios"]["unknown"], 0);
}

/// The message that a finding's call names.
fn message_of(report: &Value, finding: &Value) -> String {
    let request = finding["exchange"]["request"].to_string() + &finding["exchange"].to_string();
    let start = request.find("1_").unwrap_or_else(|| panic!("no message in {finding} of {}", report["command"]));
    request[start..].chars().take_while(|character| character.is_ascii_digit() || *character == '_').collect()
}

#[test]
fn in_a_load_every_unlawful_reply_is_counted_on_its_clause_and_no_lawful_one_is() {
    let calls = LOAD.to_string();
    let more = ["--rate", "10000/s", "--calls", &calls, "--messages", "50", "--quiet"];
    for (lawful, code) in [(true, 0), (false, 1)] {
        let (target, sent) = target(those(lawful), 2);
        let checks: &[&str] = if lawful { &[] } else { &["--check", "errors >= 0"] };
        // On a machine that is slow it is late, which is no reason for a finding.
        let ran = msgext(Some(KEY), &test_at("load", &target.url, &[more.as_slice(), checks].concat()));
        assert!(ran.code == code || (lawful && ran.code == 4), "{}: {}", ran.code, ran.stderr);
        let report = report_of(ran.folder.path(), "load");
        assert_eq!(report["load"]["total"]["sent"], LOAD, "{}", ran.stderr);
        let sent = sent.lock().expect("no panic");
        assert!(sent.distinct.len() > LOAD * 99 / 100, "{} distinct replies", sent.distinct.len());
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for (oddity, count) in ODDITIES.iter().zip(&sent.counts).filter(|(_, count)| **count > 0) {
            oddity.breaks.iter().for_each(|clause| *expected.entry(clause).or_default() += count);
        }
        assert_eq!(report["load"]["findings_by_clause"], json!(expected), "lawful: {lawful}");
    }
}
