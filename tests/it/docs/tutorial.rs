//! The tutorial is run as it stands, and shows what it says.

use super::shell::run;
use super::shown::unseen;
use super::{blocks, read};

#[test]
fn the_tutorial_works_as_it_stands_and_shows_what_it_says() {
    let page = read("docs/tutorial.md");
    let blocks = blocks(&page);
    let of = |language: &str| -> String {
        blocks.iter().filter(|block| block.language == language).map(|block| block.text.as_str()).collect()
    };
    let (code, said) = run(&script(&of("sh")));
    assert_eq!(code, 0, "\n{said}");
    assert_eq!(unseen(&of("text"), &said), None, "\n{said}");
}

#[test]
fn a_tutorial_that_promises_too_much_is_found() {
    let ends = |commands: &str| run(&script(commands)).0;
    assert_eq!(ends("true\nfalse  # exit 1\n(exit 4)  # exit 4\n"), 0);
    assert_ne!(ends("false\ntrue\n"), 0);
    assert_ne!(ends("true  # exit 1\n"), 0);
    assert_ne!(ends("msgext check nowhere.yaml  # exit 1\n"), 0);
}

/// The commands with the exit code that each promises; what promises none has to succeed.
fn script(commands: &str) -> String {
    let checked = commands.lines().map(|line| match line.split_once("  # exit ") {
        Some((command, code)) => format!("code=0; {command} || code=$?; [ \"$code\" = {code} ]\n"),
        None => format!("{line}\n"),
    });
    ["set -eu\n".to_owned()].into_iter().chain(checked).collect()
}
