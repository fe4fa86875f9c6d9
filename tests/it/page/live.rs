//! The pages of commands that go on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};

use super::browser::Browser;
use super::{DESK, PHONE, sideways, unreachable, violations};
use crate::support::binary::{KEY, Serve, command, end, test_at, until};

/// A command that goes on, and where it shows itself.
struct LiveRun {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
    _stderr: BufReader<ChildStderr>,
}

impl LiveRun {
    fn load(seconds: u32) -> LiveRun {
        LiveRun::start(&["load", "--rate", "50/s", "--for", &format!("{seconds}s")])
    }

    fn start(args: &[&str]) -> LiveRun {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = command();
        command.args(args).args(["--quiet", "--metrics", "127.0.0.1:0"]).env("MSGEXT_SECRET_KEY", KEY);
        let child = command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary can be run");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut url = String::new();
        while !url.starts_with("live page: ") {
            url.clear();
            assert_ne!(stderr.read_line(&mut url).expect("a line"), 0, "it says where its page is");
        }
        let url = url.trim().trim_start_matches("live page: ").to_owned();
        LiveRun { child, url, _folder: folder, _stderr: stderr }
    }
}

impl Drop for LiveRun {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn sent(browser: &mut Browser) -> Option<u64> {
    let text = browser.eval("document.querySelector('#load dd')?.firstChild.textContent.trim().replace(',', '')");
    text.as_str().and_then(|text| text.parse().ok())
}

#[test]
fn a_load_that_goes_on_has_a_page_that_follows_it_over_one_connection() {
    let load = LiveRun::load(60);
    let mut browser = Browser::start();
    browser.looks(DESK, false);
    browser.open(&load.url);
    until("the page shows calls", || sent(&mut browser) > Some(0));
    let first = sent(&mut browser);
    until("the page shows more", || sent(&mut browser) > first);
    assert_eq!(browser.eval("document.querySelectorAll('.plot path.response').length > 1"), true);
    let asked: Vec<String> = browser.complaints();
    assert_eq!(asked, [format!("request: {}events", load.url)]);
    browser.looks(PHONE, true);
    assert_eq!(sideways(&mut browser), 0);
    assert_eq!(violations(&mut browser), Vec::<String>::new());
    assert_eq!(unreachable(&mut browser), Vec::<String>::new());
}

#[test]
fn a_page_says_that_its_load_is_over() {
    let load = LiveRun::load(3);
    let mut browser = Browser::start();
    browser.open(&load.url);
    until("the page says so", || browser.eval("document.querySelector('.live').textContent") == "over");
}

fn told(browser: &mut Browser) -> String {
    browser.eval("document.querySelector('h1')?.textContent ?? ''").as_str().unwrap_or_default().to_owned()
}

/// Follows a page until it says something else than at first, and holds it to what all pages are held to.
fn follow(live: &LiveRun, says: &str) {
    let mut browser = Browser::start();
    browser.looks(DESK, false);
    browser.open(&live.url);
    until("the page says what goes on", || told(&mut browser).contains(says));
    let first = told(&mut browser);
    until("the page says more", || told(&mut browser) != first);
    assert!(told(&mut browser).contains("running"), "{}", told(&mut browser));
    assert_eq!(browser.complaints(), [format!("request: {}events", live.url)]);
    browser.looks(PHONE, true);
    assert_eq!(sideways(&mut browser), 0);
    assert_eq!(violations(&mut browser), Vec::<String>::new());
}

#[test]
fn a_race_that_goes_on_has_a_page_that_counts_its_calls() {
    follow(&LiveRun::start(&["race", "--rate", "100/s"]), "calls have ended");
}

#[test]
fn a_search_of_limits_that_goes_on_has_a_page_that_tells_what_is_probed() {
    let serve = Serve::start(&["--app-limit", "none"]);
    let args = test_at("limits", serve.url(), &["--only", "message"]);
    follow(&LiveRun::start(&args), "message's limit: ");
}
