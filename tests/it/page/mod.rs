//! The pages, in a real browser: quiet, whole, and of use to whoever opens them, however they do.

mod browser;
mod live;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{KEY, Serve, WRONG, msgext, msgext_in, test_at};
use browser::Browser;

/// What is wrong with the accessibility of a page, by axe-core.
const AXE: &str = include_str!("axe-core/axe.min.js");
/// Narrow enough for any phone.
const PHONE: u32 = 360;
const DESK: u32 = 1280;

/// One page of each kind, made once by the commands themselves.
fn pages() -> &'static [(&'static str, PathBuf)] {
    static PAGES: OnceLock<(TempDir, Vec<(&'static str, PathBuf)>)> = OnceLock::new();
    let (_, pages) = PAGES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("wrong.yaml"), WRONG).expect("a file can be written");
        let flawed = Serve::start(&["--app-limit", "none", "--message-limit", "none", "--race", "duplicate-seq:500us"]);
        let race = test_at("race", flawed.url(), &["--rate", "none", "--messages", "20", "--operations", "2400"]);
        let load = ["load", "--rate", "260/s", "--for", "3s", "--messages", "9"];
        let runs: [(&str, &str, &[&str]); 11] = [
            ("run", "run", &["run"]),
            ("failing", "run", &["run", "wrong.yaml"]),
            ("load", "load", &load),
            ("again", "load", &load),
            ("compare", "compare", &["compare", "load/load", "again/load"]),
            ("history", "compare", &["compare", "load/load", "again/load", "--history", "history.jsonl"]),
            (
                "capacity",
                "load",
                &[
                    "load",
                    "--find-capacity",
                    "--slo",
                    "p99 response < 1s",
                    "--max-rate",
                    "200/s",
                    "--trial",
                    "300ms",
                    "--confirm",
                    "1s",
                ],
            ),
            ("limits", "limits", &["limits", "--only", "app"]),
            ("race", "race", &race),
            ("fuzz", "fuzz", &["fuzz", "--cases", "20"]),
            ("mutants", "mutants", &["mutants", "--filter", "keys to 101"]),
        ];
        let made = runs.map(|(name, command, args)| {
            let args = [args, &["--out", name]].concat();
            let ran = std::process::Command::new(env!("CARGO_BIN_EXE_msgext"))
                .args(args)
                .current_dir(&folder)
                .env("MSGEXT_SECRET_KEY", KEY)
                .output()
                .expect("the binary can be run");
            let page = folder.path().join(name).join(command).join("report.html");
            assert!(page.is_file(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
            (name, page)
        });
        (folder, made.to_vec())
    });
    pages
}

fn page(name: &str) -> &'static Path {
    let found = pages().iter().find(|(known, _)| *known == name);
    &found.unwrap_or_else(|| panic!("there is no page {name}")).1
}

/// What axe-core finds wrong with the page that is open.
fn violations(browser: &mut Browser) -> Vec<String> {
    browser.eval(AXE);
    let found = browser.eval("axe.run().then(found => found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary)))");
    texts(&found)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Opens all that can be opened, for what is closed is not looked at.
fn unfold(browser: &mut Browser) {
    browser.eval("document.querySelectorAll('details').forEach(details => { details.open = true; })");
}

/// By how many pixels the page is wider than its window.
fn sideways(browser: &mut Browser) -> i64 {
    browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").as_i64().expect("a number")
}

/// What can be used by a pointer and not be reached by pressing Tab.
fn unreachable(browser: &mut Browser) -> Vec<String> {
    let usable = browser.eval(
        "usable = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"], [onclick]')]
             .filter(element => element.checkVisibility() && !element.disabled);
         reached = new Set();
         addEventListener('focusin', event => reached.add(event.target));
         document.activeElement.blur();
         usable.length",
    );
    for _ in 0..usable.as_u64().expect("a number") + 5 {
        browser.press("Tab");
    }
    texts(&browser.eval("usable.filter(element => !reached.has(element)).map(element => element.outerHTML.slice(0, 120))"))
}

#[test]
fn every_page_is_quiet_accessible_and_fits_a_phone_in_light_and_in_dark() {
    let mut browser = Browser::start();
    for (name, path) in pages() {
        for is_dark in [false, true] {
            for width in [DESK, PHONE] {
                browser.looks(width, is_dark);
                browser.open_file(path);
                unfold(&mut browser);
                assert_eq!(sideways(&mut browser), 0, "{name}, {width} wide");
                assert_eq!(violations(&mut browser), Vec::<String>::new(), "{name}, dark: {is_dark}, {width} wide");
                assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
            }
        }
    }
}

#[test]
fn a_keyboard_reaches_everything_on_every_page() {
    let mut browser = Browser::start();
    for (name, path) in pages().iter().filter(|(name, _)| *name != "run") {
        browser.looks(DESK, false);
        browser.open_file(path);
        assert_eq!(unreachable(&mut browser), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_no_page_may_do_is_seen_where_one_does_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.html");
    let bad = "<!doctype html><title>x</title><div style='width: 900px'>wide</div><img src='http://127.0.0.1:9/a.png'>
               <p style='color: #aaa'>pale</p><div onclick='0'>pressed</div><script>console.log('said'); nothing()</script>";
    fs::write(&path, bad).expect("a file can be written");
    let mut browser = Browser::start();
    browser.looks(PHONE, false);
    browser.open_file(&path);
    assert!(sideways(&mut browser) > 500);
    assert_eq!(unreachable(&mut browser).len(), 1);
    let complaints = browser.complaints();
    for kind in ["console: ", "exception: ", "request: http://127.0.0.1:9/a.png"] {
        assert!(complaints.iter().any(|complaint| complaint.starts_with(kind)), "{kind}: {complaints:?}");
    }
    let violations = violations(&mut browser);
    for rule in ["image-alt", "color-contrast", "html-has-lang"] {
        assert!(violations.iter().any(|violation| violation.starts_with(rule)), "{rule}: {violations:?}");
    }
}

/// Ids of the rows that are shown.
const SHOWN: &str = "[...document.querySelectorAll('[data-row]')].filter(row => row.checkVisibility()).map(row => row.querySelector('th').textContent.split(' ')[0])";

#[test]
fn filters_live_in_the_address_and_outlive_a_reload() {
    let mut browser = Browser::start();
    browser.looks(DESK, false);
    browser.open_file(page("run"));
    let all = texts(&browser.eval(SHOWN)).len();
    // By the keyboard alone: the space bar on a box, letters in a field.
    browser.eval("document.querySelector('[name=level][value=open]').focus()");
    browser.press(" ");
    browser.eval("document.querySelector('[name=verdict][value=skipped]').focus()");
    browser.press(" ");
    let open = texts(&browser.eval(SHOWN));
    assert!(!open.is_empty() && open.len() < all && open.iter().all(|id| id.contains('-')), "{open:?}");
    assert_eq!(browser.eval("location.search"), "?verdict=skipped&level=open");
    browser.reload();
    assert_eq!(texts(&browser.eval(SHOWN)), open);
    browser.eval("document.querySelector('[name=q]').focus()");
    for letter in ["l", "i", "m"] {
        browser.press(letter);
    }
    let searched = texts(&browser.eval(SHOWN));
    assert!(!searched.is_empty() && searched.len() < open.len(), "{searched:?}");
    assert_eq!(browser.eval("location.search"), "?q=lim&verdict=skipped&level=open");
    browser.reload();
    assert_eq!(texts(&browser.eval(SHOWN)), searched);
    browser.eval("document.querySelector('#filters [type=reset]').focus()");
    browser.press("Enter");
    assert_eq!((texts(&browser.eval(SHOWN)).len(), browser.eval("location.search")), (all, "".into()));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_clause_leads_to_its_scenarios_and_the_matrix_shows_what_is_left() {
    let mut browser = Browser::start();
    browser.looks(DESK, false);
    browser.open_file(page("run"));
    let marks = "(document.querySelector('#matrix path.pass').getAttribute('d').match(/M/g) || []).length";
    let all = browser.eval(marks).as_u64();
    browser.eval("document.querySelector('[data-clause=\"SEQ-1\"] a').focus()");
    browser.press("Enter");
    assert_eq!(browser.eval("location.search"), "?clause=SEQ-1");
    let of_clause = "[...document.querySelectorAll('#scenario-rows [data-row]')].filter(row => row.checkVisibility())";
    let count = browser.eval(&format!("{of_clause}.length")).as_u64();
    assert!(count > Some(0) && count < Some(100), "{count:?}");
    assert_eq!(browser.eval(&format!("{of_clause}.every(row => row.dataset.clause.split(' ').includes('SEQ-1'))")), true);
    assert_eq!(browser.eval(marks).as_u64(), count);
    assert!(count < all);
}

#[test]
fn a_stretch_of_seconds_lives_in_the_address_too() {
    let mut browser = Browser::start();
    browser.looks(DESK, false);
    browser.open_file(page("load"));
    let looks = "document.querySelector('#times-by-second .plot').getAttribute('viewBox')";
    assert_eq!(browser.eval(looks), "0 0 10000 1000");
    browser.eval("document.querySelector('#zoom [name=in]').focus()");
    browser.press("Enter");
    let zoomed = browser.eval(looks);
    assert_ne!(zoomed, "0 0 10000 1000");
    assert!(browser.eval("location.search").as_str().expect("a text").contains("from="));
    browser.reload();
    assert_ne!(browser.eval(looks), "0 0 10000 1000");
    browser.eval("document.querySelector('#zoom [type=reset]').focus()");
    browser.press("Enter");
    assert_eq!((browser.eval(looks), browser.eval("location.search")), ("0 0 10000 1000".into(), "".into()));
}

/// What nobody may be made to run, see run over by, or read from right to left.
const HOSTILE: &str =
    "\"'><script>hit=1</script><img src=x onerror=hit=1></style></title><svg onload=hit=1>{{7*7}}\u{202e}\u{1b}[2J\u{7}\u{200b}";

/// Appends a text to every text of a report that somebody else may have written.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(list) => list.iter_mut().for_each(poison),
        Value::Object(fields) => {
            let kept = ["verdict", "level", "started", "generator", "command", "scope", "of", "limited_by"];
            fields.iter_mut().filter(|(name, _)| !kept.contains(&name.as_str())).for_each(|(_, value)| poison(value));
        }
        _ => {}
    }
}

#[test]
fn nothing_that_a_report_holds_runs_or_hides_or_turns_around() {
    let mut browser = Browser::start();
    browser.looks(PHONE, false);
    for (name, path) in pages() {
        let json = fs::read_to_string(path.with_file_name("report.json")).expect("a JSON report");
        let mut report: Value = serde_json::from_str(&json).expect("JSON");
        poison(&mut report);
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("r.json"), report.to_string()).expect("a file can be written");
        let ran = msgext_in(folder, None, &["report", "r.json", "--html", "r.html"]).exits(0);
        browser.open_file(&ran.folder.path().join("r.html"));
        unfold(&mut browser);
        assert_eq!(browser.eval("typeof hit"), "undefined", "{name}");
        assert_eq!(browser.eval("document.scripts.length"), 1, "{name}");
        assert_eq!(
            browser.eval(r"/[\u202a-\u202e\u2066-\u2069\u200b\u0007\u001b]/.test(document.documentElement.outerHTML)"),
            false
        );
        assert_eq!(browser.eval(r"document.body.innerText.includes('<script>hit=1</script>') && document.body.innerText.includes('{{7*7}}\\u{202e}\\u{1b}[2J')"), true, "{name}");
        assert_eq!(sideways(&mut browser), 0, "{name}");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_saved_report_is_rendered_again_as_it_was_and_another_file_is_refused() {
    for (name, path) in pages() {
        let folder = path.parent().expect("a folder");
        let again = msgext(None, &["report", &folder.join("report.json").display().to_string(), "--html", "-"]).exits(0);
        assert_eq!(again.stdout, fs::read_to_string(path).expect("a page"), "{name}");
        let all = ["--markdown", "a.md", "--junit", "a.xml"];
        let again = msgext(None, &[&["report", &folder.join("report.json").display().to_string()], &all[..]].concat()).exits(0);
        for (kept, written) in [("report.md", "a.md"), ("junit.xml", "a.xml")] {
            let [kept, written] =
                [folder.join(kept), again.folder.path().join(written)].map(|path| fs::read(path).expect("a report"));
            assert_eq!(kept, written, "{name}");
        }
    }
    let json = fs::read_to_string(page("run").with_file_name("report.json")).expect("a JSON report");
    let newer = json.replacen("\"version\": 1", "\"version\": 2", 1);
    let half = &json[..json.len() / 2];
    let other = json.replacen("\"verdict\": \"pass\"", "\"verdict\": \"perhaps\"", 1);
    for (text, says) in
        [(newer.as_str(), "version 2 of a report"), (half, "EOF"), (&other, "perhaps"), ("{}", "version"), ("", "EOF")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("r.json"), text).expect("a file can be written");
        let ran = msgext_in(folder, None, &["report", "r.json", "--html", "r.html"]).exits(2);
        assert!(ran.stderr.starts_with("error: r.json ") && ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(!ran.folder.path().join("r.html").exists());
    }
    let nothing = msgext(None, &["report", "r.json"]).exits(2);
    assert!(nothing.stderr.contains("--html FILE"), "{}", nothing.stderr);
}
