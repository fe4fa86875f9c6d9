//! GitHub Actions: the failures as annotations, the Markdown in the step's summary, and no text of a target's taken for a command.

use std::collections::hash_map::RandomState;
use std::env;
use std::fs::OpenOptions;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write};

use super::exit::{Failure, say};
use crate::report::{Report, annotations, markdown};

/// GitHub takes no longer summary of a step, and shows none of one that is.
const MOST_SUMMARY_BYTES: usize = 1 << 20;

fn is_actions() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Tells people something on standard error. What cannot be shown keeps nothing from being done.
///
/// In GitHub Actions a line that begins with `::` commands the runner, and a key, or a reply, may be such a line: until a word that nobody
/// can guess, the runner listens to none.
pub fn tell(tell: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    if !is_actions() {
        let _ = tell(&mut anstream::stderr().lock());
        return;
    }
    // The standard library's maps are seeded by the system.
    let word = format!("msgext-{:016x}", RandomState::new().build_hasher().finish());
    say(format_args!("::stop-commands::{word}"));
    let _ = tell(&mut anstream::stderr().lock());
    say(format_args!("::{word}::"));
}

/// In GitHub Actions, the annotations and the summary; gives back why that could not be written.
pub fn publish(report: &Report) -> Option<Failure> {
    if !is_actions() {
        return None;
    }
    let _ = annotations::write(&mut anstream::stderr().lock(), report);
    let path = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    let mut summary = Vec::new();
    let written = markdown::write(&mut summary, report).and_then(|()| {
        if summary.len() > MOST_SUMMARY_BYTES {
            summary =
                format!("# msgext {}: {}\n\nThe report is too long for this page.\n", report.command, report.verdict.word())
                    .into();
        }
        OpenOptions::new().create(true).append(true).open(&path)?.write_all(&summary)
    });
    let failure = |error: io::Error| Failure::could_not_test(format!("GITHUB_STEP_SUMMARY cannot be written: {error}"));
    written.err().map(failure)
}
