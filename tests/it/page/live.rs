//! The page of a load that goes on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};

use super::browser::Browser;
use super::{DESK, PHONE, sideways, unreachable, violations};
use crate::support::binary::{command, end, until};

/// A load of half a minute, and where it shows itself.
struct LiveLoad {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
    _stderr: BufReader<ChildStderr>,
}

impl LiveLoad {
    fn start(seconds: u32) -> LiveLoad {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = command();
        command.args(["load", "--quiet", "--rate", "50/s", "--for", &format!("{seconds}s"), "--metrics", "127.0.0.1:0"]);
        let child = command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary can be run");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut url = String::new();
        while !url.starts_with("live page: ") {
            url.clear();
            assert_ne!(stderr.read_line(&mut url).expect("a line"), 0, "the load says where its page is");
        }
        let url = url.trim().trim_start_matches("live page: ").to_owned();
        LiveLoad { child, url, _folder: folder, _stderr: stderr }
    }
}

impl Drop for LiveLoad {
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
    let load = LiveLoad::start(60);
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
    let load = LiveLoad::start(3);
    let mut browser = Browser::start();
    browser.open(&load.url);
    until("the page says so", || browser.eval("document.querySelector('.live').textContent") == "over");
}
