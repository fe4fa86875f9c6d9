//! Texts of somebody else's, a target's above all: they steer no terminal, break no report, and uncover no secret.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::binary::{
    KEY, Listener, Ran, Running, Serve, command, ended_by, gone, msgext_in, read_http, report_of, test_at, until,
};

// ----------------------------------------------------------------------------------------------------- an odd target

/// One call as an odd target gets it.
struct Asked {
    what: What,
    usersig: String,
    body: Value,
    /// Calls of this kind before it.
    before: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Send,
    Get,
    Set,
}

/// A target that answers each call as a lawful one could, but where `answer` has another body for it.
struct Odd {
    url: String,
    usersigs: Arc<Mutex<BTreeSet<String>>>,
}

impl Odd {
    fn start(answer: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) -> Odd {
        let usersigs = Arc::new(Mutex::new(BTreeSet::new()));
        let (seen, counts) = (Arc::clone(&usersigs), [const { AtomicUsize::new(0) }; 3]);
        let listener = Listener::start(move |mut stream| {
            while let Ok(request) = read_http(&mut stream) {
                let start = request.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
                let (head, body) = request.split_at(start);
                let head = String::from_utf8_lossy(head);
                let line = head.lines().next().expect("a request line");
                let usersig = line.split_once("usersig=").map_or("", |(_, rest)| rest.split(['&', ' ']).next().expect("a part"));
                seen.lock().expect("a set").insert(usersig.to_owned());
                let what = match line {
                    _ if line.contains("/sendmsg?") => What::Send,
                    _ if line.contains("/get_key_values?") => What::Get,
                    _ => What::Set,
                };
                let before = counts[what as usize].fetch_add(1, Ordering::SeqCst);
                let body = serde_json::from_slice(body).unwrap_or_default();
                let asked = Asked { what, usersig: usersig.to_owned(), body, before };
                let body = answer(&asked).unwrap_or_else(|| asked.lawful().to_string().into_bytes());
                let reply = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
                if stream.write_all(&reply).is_err() {
                    return;
                }
            }
        });
        Odd { url: listener.url, usersigs }
    }
}

impl Asked {
    fn lawful(&self) -> Value {
        let mut reply = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""});
        match self.what {
            What::Send => reply["MsgKey"] = format!("1_{}_1700000000", self.before).into(),
            What::Get => {
                let rest = json!({"LatestSeq": 0, "ClearSeq": 0, "CompleteFlag": 1, "ExtensionList": []});
                reply.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            }
            What::Set => {
                let pairs = self.body["ExtensionList"].as_array().cloned().unwrap_or_default();
                let result =
                    |pair: Value| json!({"ErrorCode": 0, "Extension": {"Key": pair["Key"], "Value": pair["Value"], "Seq": 1}});
                reply["ExtensionList"] = pairs.into_iter().map(result).collect();
            }
        }
        reply
    }
}

fn refusal(code: i64, info: &str) -> Vec<u8> {
    json!({"ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": info}).to_string().into_bytes()
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    folder
}

/// Every text that a run has left: what it said, and its reports.
fn texts(ran: &Ran) -> Vec<(String, String)> {
    let mut texts = vec![("standard output".to_owned(), ran.stdout.clone()), ("standard error".to_owned(), ran.stderr.clone())];
    let mut folders = vec![ran.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "yaml") {
                texts.push((path.display().to_string(), fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    texts
}

// ------------------------------------------------------------------------------------------------------- for the eyes

const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{0}\r\nPASS 334\u{2028}PASS\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}\u{fffe}|`<b>\n\n| x |";

const SET: &str = "scenarios:
  - {id: one-set, title: A set works, clauses: [SET-2], steps: [{set: {kvs: [{key: k1, value: v1}]}}]}
";

/// Nothing in what was said, nor in the reports for people, that a terminal obeys or eyes do not see, and no line of its own.
fn is_tame(ran: &Ran) {
    for (name, text) in texts(ran).iter().filter(|(name, _)| !name.ends_with("report.json")) {
        let tame = |character: char| {
            character == '\n'
                || !character.is_control() && !"\u{2028}\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}\u{fffe}".contains(character)
        };
        assert!(text.chars().all(tame), "{name}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("PASS")), "{name}: {text}");
        if name.ends_with("junit.xml") {
            roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        }
    }
}

#[test]
fn what_a_target_says_is_shown_on_one_line_and_steers_nothing() {
    for (what, code, ends) in [(What::Send, 70003, 3), (What::Send, 90001, 3), (What::Set, 70009, 3), (What::Set, 10004, 1)] {
        let odd = Odd::start(move |asked| (asked.what == what).then(|| refusal(code, HOSTILE)));
        let run = test_at("run", &odd.url, &["one-set.yaml", "--member-calls", "identifier"]);
        let load = test_at("load", &odd.url, &["--rate", "100/s", "--calls", "4", "--messages", "2"]);
        for args in [run, load] {
            let ran = msgext_in(folder_with(&[("one-set.yaml", SET)]), Some(KEY), &args).exits(ends);
            is_tame(&ran);
            let said = r"a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{0}\r\nPASS 334\u{2028}PASS\u{202e}";
            assert!(ends == 1 || ran.stderr.contains(said) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
            assert!(report_of(ran.folder.path(), args[0]).to_string().contains("PASS 334"));
        }
    }
}

/// A string of YAML, all escapes but for letters and digits.
fn yaml(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        _ if letter.is_ascii_alphanumeric() => letter.to_string(),
        _ => format!("\\U{:08X}", u32::from(letter)),
    });
    format!("\"{}\"", escaped.collect::<Vec<_>>().concat())
}

#[test]
fn what_a_file_or_a_command_says_steers_nothing_either() {
    let hostile = HOSTILE.replace('\u{0}', "");
    let scenario = format!(
        "scenarios:\n  - {{id: odd, title: {0}, clauses: [SET-1], steps: [{{set: {{as: sender, kvs: [{{key: \"\\uFFFE\\e\", value: {0}}}], expect: {{keys: {{\"\\uFFFE\\e\": {{seq: 7}}}}}}}}}}]}}\n",
        yaml(&hostile)
    );
    let files = [("odd.yaml", scenario.as_str())];
    let ran = msgext_in(folder_with(&files), None, &["run", "odd.yaml"]).exits(1);
    is_tame(&ran);
    is_tame(&msgext_in(folder_with(&files), None, &["list", "odd.yaml"]).exits(0));
    let dry = msgext_in(folder_with(&files), None, &["run", "odd.yaml", "--dry-run"]).exits(0);
    is_tame(&dry);
    assert!(
        dry.stdout.lines().all(|line| ["# ", "curl ", "printf "].iter().any(|start| line.starts_with(start))),
        "{}",
        dry.stdout
    );

    let bad =
        format!("scenarios:\n  - {{id: one, title: t, clauses: [SET-1], {}: 1, steps: [{{set: \u{202e}}}]}}\n", yaml(&hostile));
    let ran = msgext_in(folder_with(&[("bad.yaml", &bad)]), None, &["check", "bad.yaml"]).exits(2);
    assert!(
        ran.stderr.chars().all(|character| character == '\n' || !character.is_control() && character != '\u{202e}'),
        "{}",
        ran.stderr
    );

    let target = "url: URL\nsdkappid: 1400000000\nadmin: administrator\nmessages: {command: \"cat said >&2; exit 1\"}\n";
    let target = target.replace("URL", &Odd::start(|_| None).url);
    let files = [("target.yaml", target.as_str()), ("said", hostile.as_str())];
    let ran = msgext_in(folder_with(&files), Some(KEY), &["run", "--target", "target.yaml"]).exits(3);
    fs::remove_file(ran.folder.path().join("said")).expect("a file");
    is_tame(&ran);
    assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains(r"\r\nPASS 334"), "{}", ran.stderr);

    for args in [["run", "--filter"], ["check", "--"], ["load", "--rate"], ["run", "--target"], ["serve", "--mutant"]] {
        let ran = msgext_in(folder_with(&[]), Some(KEY), &[args[0], args[1], &hostile]).exits(2);
        let told = ran.stderr.chars().all(|character| character == '\n' || !character.is_control());
        assert!(told && !ran.stderr.lines().any(|line| line.starts_with("PASS")), "{}", ran.stderr);
    }
}

#[test]
fn a_curl_line_repeats_the_call_whatever_the_key_holds() {
    let keys =
        ["it's", "$'\\n'", "`id` $(id) $HOME", "a\nb\n", "a\r\tb\u{1b}[2J\u{9b}31m", "\u{fffe}\u{202e}", "!!", "%s\\%", "中"];
    let serve = Serve::start(&[]);
    for key in keys {
        let quoted = yaml(key);
        let file = format!(
            "scenarios:\n  - {{id: odd, title: t, clauses: [SET-1], steps: [{{set: {{as: sender, kvs: [{{key: {quoted}, value: {quoted}}}], expect: {{keys: {{{quoted}: {{seq: 7}}}}}}}}}}]}}\n"
        );
        let ran = msgext_in(folder_with(&[("odd.yaml", &file)]), Some(KEY), &serve.run(&["odd.yaml"])).exits(1);
        let finding = &ran.report()["scenarios"][0]["findings"][0];
        let (line, sent) =
            (finding["curl"].as_str().expect("a line"), finding["exchange"]["request_body"].as_str().expect("a body"));
        let sent_json: Value = serde_json::from_str(sent).expect("JSON");
        assert_eq!(sent_json["ExtensionList"][0]["Key"], key);
        assert!(ran.stderr.lines().any(|shown| shown.trim() == line), "{line}\n{}", ran.stderr);
        let kept = |name: &str| fs::read_to_string(ran.folder.path().join("reports/run").join(name)).expect("a report");
        assert!(kept("report.md").lines().any(|shown| shown == line), "{line}");
        let xml = kept("junit.xml");
        let xml = roxmltree::Document::parse(&xml).expect("XML");
        assert!(xml.descendants().any(|node| node.text().is_some_and(|text| text.lines().any(|shown| shown.trim() == line))));
        for shell in ["sh", "bash"] {
            assert_eq!(body_by(shell, line), sent.as_bytes(), "{shell}: {line}");
        }
    }
}

/// The body that `curl` would send for this line in this shell.
fn body_by(shell: &str, line: &str) -> Vec<u8> {
    // A stand-in for it: the value of its last argument, or its standard input.
    let stand_in = "curl() { for last; do :; done; if [ \"$last\" = @- ]; then cat; else printf %s \"$last\"; fi; }";
    let output = Command::new(shell).arg("-c").arg(format!("{stand_in}\n{line}")).stdin(Stdio::null()).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.stdout
}

// ------------------------------------------------------------------------------------------------------------ secrets

/// As the service gives them out: 64 digits.
const SECRET: &str = "7d1f0c3b9a5e48266c04b7f3e9d2815a0fb3c6e1d47a92583e6bd0917c5f2a84";
/// So much of a secret is a leak, from wherever in it.
const LEAK: usize = 20;

/// Where a text shows a part of a secret, as it stands or by one or two rounds of what undoes escapes.
fn leak<'s>(text: &str, secrets: impl IntoIterator<Item = &'s str>) -> Option<String> {
    let parts: HashSet<&[u8]> = secrets.into_iter().flat_map(|secret| secret.as_bytes().windows(LEAK)).collect();
    let mut text = text.to_owned();
    for _ in 0..3 {
        if let Some(part) = text.as_bytes().windows(LEAK).find(|window| parts.contains(window)) {
            return Some(String::from_utf8_lossy(part).into_owned());
        }
        text = unescaped(&text);
    }
    None
}

/// `%2a` and `\u002a` as what they stand for, where that is ASCII.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with('%') {
            1
        } else if rest.starts_with("\\u00") {
            4
        } else {
            0
        };
        let code = rest.get(skipped..skipped + 2).filter(|_| skipped > 0).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            plain.push(char::from(code));
            rest = &rest[skipped + 2..];
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

#[test]
fn the_search_for_leaks_finds_what_is_hidden_and_nothing_else() {
    let hidden = each_as(SECRET, |letter| format!("%{letter:02X}"));
    for text in [&SECRET[30..50], &hidden, &hidden.replace('%', "\\u00"), &hidden.replace('%', "%25")] {
        assert!(leak(&format!("x{text}y"), [SECRET]).is_some(), "{text}");
    }
    assert_eq!(leak(&format!("x{}y{}", &SECRET[..19], &SECRET[20..39]), [SECRET]), None);
}

fn leaks_nothing(ran: &Ran, odd: &Odd) {
    let usersigs = odd.usersigs.lock().expect("a set");
    assert!(usersigs.iter().any(|usersig| usersig.len() > 100), "it was called");
    let secrets: Vec<&str> = usersigs.iter().map(String::as_str).chain([SECRET]).collect();
    for (name, text) in texts(ran) {
        assert_eq!(leak(&text, secrets.iter().copied()), None, "{name}: {text}");
    }
}

type Echo = fn(&str, Value) -> Vec<u8>;

/// How a target puts a secret into its reply to a set.
const ECHOES: [Echo; 20] = [
    |secret, _| refusal(10004, secret),
    |secret, _| refusal(10004, &format!("POST /?usersig={secret}&random=1 HTTP/1.1")),
    |secret, _| refusal(10004, &format!("{}{secret}", "x".repeat(4060))),
    |secret, _| refusal(10004, &each_as(secret, |letter| format!("%{letter:02x}"))),
    |secret, _| refusal(10004, &secret.replace('*', "%2a").replace('-', "%2D").replace('_', "%5f")),
    |secret, _| escaped_refusal(10004, secret),
    |secret, good| set(good, "/ActionStatus", secret.into()),
    |secret, good| set(good, "/ErrorCode", secret.into()),
    |secret, good| set(good, "/ErrorInfo", json!([secret])),
    |secret, good| set(good, "/ExtensionList", secret.into()),
    |secret, good| set(good, "/ExtensionList/0", secret.into()),
    |secret, good| set(good, "/ExtensionList/0/Extension", json!({ secret: secret })),
    |secret, good| set(good, "/ExtensionList/0/Extension/Key", secret.into()),
    |secret, good| set(good, "/ExtensionList/0/Extension/Value", secret.into()),
    |secret, good| set(good, "/ExtensionList/0/Extension/Value", format!("{}{secret}", "x".repeat(15)).into()),
    |secret, good| set(good, "/ExtensionList/0/Extension/Seq", secret.into()),
    |secret, _| format!("<html>{secret}</html>").into_bytes(),
    |secret, _| format!("{}{secret}{{", "x".repeat(30)).into_bytes(),
    |secret, _| [b"\xff", secret.as_bytes()].concat(),
    |secret, _| format!("{{\"usersig\":\"{secret}\",\"ErrorCode\":").into_bytes(),
];

fn set(mut reply: Value, place: &str, value: Value) -> Vec<u8> {
    *reply.pointer_mut(place).expect("a place of a lawful reply") = value;
    reply.to_string().into_bytes()
}

fn each_as(text: &str, escape: fn(u32) -> String) -> String {
    text.chars().map(|letter| escape(letter.into())).collect::<Vec<_>>().concat()
}

/// A refusal whose reason is all escapes of JSON.
fn escaped_refusal(code: i64, info: &str) -> Vec<u8> {
    const STAND_IN: &str = "to be escaped";
    let escaped = each_as(info, |letter| format!("\\u{letter:04x}"));
    String::from_utf8(refusal(code, STAND_IN)).expect("UTF-8").replace(STAND_IN, &escaped).into_bytes()
}

/// Which echo this key asks for, and of what: `echo-13-key`.
fn echo_by_key(asked: &Asked) -> Option<(usize, &str)> {
    let key = asked.body["ExtensionList"][0]["Key"].as_str()?.strip_prefix("echo-")?;
    let (index, what) = key.split_once('-')?;
    Some((index.parse().ok()?, if what == "key" { SECRET } else { &asked.usersig }))
}

#[test]
fn a_secret_that_a_reply_repeats_is_masked_wherever_it_stands() {
    let odd = Odd::start(|asked| {
        let (index, secret) = echo_by_key(asked)?;
        Some(ECHOES[index](secret, asked.lawful()))
    });
    let scenarios = (0..ECHOES.len()).flat_map(|index| ["key", "usersig"].map(|what| format!("echo-{index}-{what}"))).map(|key| {
        format!("  - {{id: {key}, title: t, clauses: [SET-2], steps: [{{set: {{kvs: [{{key: {key}, value: v}}], expect: {{keys: {{{key}: {{value: v, seq: 1}}}}}}}}}}]}}\n")
    });
    let yaml = format!("scenarios:\n{}", scenarios.collect::<String>());
    let more = ["echo.yaml", "--rate", "none", "--json", "j", "--junit", "x", "--markdown", "m", "--read-back", "none"];
    let args = test_at("run", &odd.url, &more[..9]);
    let ran = msgext_in(folder_with(&[("echo.yaml", &yaml)]), Some(SECRET), &args).exits(1);
    let report = ran.report();
    let failed = report["scenarios"].as_array().expect("scenarios").iter().filter(|scenario| scenario["verdict"] == "fail");
    assert_eq!(failed.count(), 2 * ECHOES.len(), "{}", ran.stderr);
    leaks_nothing(&ran, &odd);
}

#[test]
fn a_load_masks_them_in_its_log_and_its_metrics_too() {
    let odd = Odd::start(|asked| {
        let (index, of_key) = (asked.before / 2 % ECHOES.len(), asked.before.is_multiple_of(2));
        let is_load = asked.what == What::Set && asked.before > 1;
        is_load.then(|| ECHOES[index](if of_key { SECRET } else { &asked.usersig }, asked.lawful()))
    });
    let args =
        test_at("load", &odd.url, &["--rate", "200/s", "--calls", "120", "--messages", "2", "--json", "j", "--timeout", "1s"]);
    let ran = msgext_in(folder_with(&[]), Some(SECRET), &args).exits(1);
    assert!(ran.folder.path().join("reports/load/intervals.hlog").exists());
    leaks_nothing(&ran, &odd);

    let folder = folder_with(&[]);
    let mut load = command();
    load.args(test_at("load", &odd.url, &["--rate", "100/s", "--for", "60s", "--messages", "2", "--metrics", "127.0.0.1:0"]));
    load.env("MSGEXT_SECRET_KEY", SECRET).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut load = Running(load.spawn().expect("the binary can be run"));
    let mut said = BufReader::new(load.0.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("metrics: http://").and_then(|url| url.strip_suffix("/metrics")).expect("an address");
    let mut page = String::new();
    until("the page tells of errors", || {
        page.clear();
        let mut stream = TcpStream::connect(address).expect("metrics are served");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n").expect("asked");
        stream.read_to_string(&mut page).expect("an answer");
        page.lines().any(|line| line.starts_with("msgext_codes_total{code=\"10004\"}"))
    });
    ended_by("-INT", &mut load.0);
    said.read_to_string(&mut line).expect("the rest");
    leaks_nothing(&Ran { code: 0, stdout: page, stderr: line, folder }, &odd);
}

#[test]
fn a_secret_that_the_probe_is_refused_with_is_masked_in_the_error_too() {
    let stages: [(What, i64, Echo); 6] = [
        (What::Send, 70003, |secret, _| refusal(70003, secret)),
        (What::Send, 90001, |secret, _| refusal(90001, &format!("{}{secret}", "x".repeat(30)))),
        (What::Send, 0, |secret, good| set(good, "/MsgKey", secret.into())),
        (What::Set, 70009, |secret, _| refusal(70009, &secret.replace('*', "%2a").replace('-', "%2D"))),
        (What::Set, 60020, |secret, _| escaped_refusal(60020, secret)),
        (What::Get, 10004, |secret, _| refusal(10004, secret)),
    ];
    for (stage, code, echo) in stages {
        for of_key in [true, false] {
            let odd = Odd::start(move |asked| {
                let secret = if of_key { SECRET } else { &asked.usersig };
                (asked.what == stage).then(|| echo(secret, asked.lawful()))
            });
            let run = test_at("run", &odd.url, &["one-set.yaml"]);
            let load = test_at("load", &odd.url, &["--rate", "100/s", "--calls", "4", "--messages", "2"]);
            for args in [run, load] {
                let ran = msgext_in(folder_with(&[("one-set.yaml", SET)]), Some(SECRET), &args);
                let could_not_test = ![0, 10004].contains(&code);
                assert!(!could_not_test || ran.code == 3 && ran.stderr.contains("***"), "{args:?}: {}", ran.stderr);
                leaks_nothing(&ran, &odd);
            }
        }
    }
}

#[test]
fn serve_does_not_show_its_key() {
    let serve = Serve::start_with_key(SECRET, &[]);
    assert_eq!(leak(&serve.facts.to_string(), [SECRET]), None);
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let gone = gone();
    let address = gone.trim_start_matches("http://");
    let password = "hunter2-and-more";
    let urls = [
        format!("http://user:{password}@{address}"),
        format!("http://:{password}@{address}"),
        format!("http://{password}@{address}"),
        format!("http://user:{password}/@{address}:x"),
        format!("user:{password}@{address}"),
    ];
    for url in &urls {
        let file = format!("url: {}\nsdkappid: 1400000000\nadmin: administrator\n", Value::from(url.as_str()));
        let files = [("target.yaml", file.as_str())];
        let by_flag = |command| test_at(command, url, &[]);
        let by_file: [&[&str]; 2] = [&["check", "target.yaml"], &["run", "--target", "target.yaml"]];
        for args in [by_flag("run"), by_flag("load"), by_file[0].to_vec(), by_file[1].to_vec()] {
            let ran = msgext_in(folder_with(&files), Some(KEY), &args).exits(2);
            for (name, text) in texts(&ran) {
                assert!(!text.contains(password), "{args:?} {name}: {text}");
            }
            assert!(ran.stderr.contains("***@"), "{args:?}: {}", ran.stderr);
        }
    }
    let refused = msgext_in(folder_with(&[]), Some(KEY), &test_at("run", &urls[0], &[])).exits(2);
    assert!(refused.stderr.contains("password"), "{}", refused.stderr);
}
