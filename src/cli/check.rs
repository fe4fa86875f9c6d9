//! `msgext check`: are these files well-formed? Every problem at once; nothing is sent.

use std::path::PathBuf;

use super::exit::{Exit, Failure, say};
use super::files;
use crate::judge::text::counted;
use crate::report::snippet;
use crate::scenario::check::{FileKind, FilesRead, check};
use crate::scenario::conform::plan;
use crate::scenario::{load, race};
use crate::spec;

/// Tells everything that is wrong with scenario files, load plans or target files, and where
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Scenario files, load plans, target files, or folders; what is built in if left out
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let files = if args.paths.is_empty() { bundled() } else { files::read_yaml(&args.paths)? };
    let FilesRead { files: kinds, scenarios, problems } = check(&files, &spec::bundled());
    if !problems.is_empty() {
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
        return Err(Failure::usage(format!("{} in {}", counted(problems.len(), "problem"), counted(files.len(), "file"))));
    }
    let of_kind = |kind| kinds.get(&kind).copied().unwrap_or_default();
    let counts = [
        (of_kind(FileKind::Scenarios), "scenario file"),
        (scenarios, "scenario"),
        (of_kind(FileKind::Target), "target file"),
        (of_kind(FileKind::Clauses), "clause file"),
        (of_kind(FileKind::Plan), "load plan"),
        (of_kind(FileKind::Race), "race plan"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what));
    say(format_args!("{}: no problem", some.collect::<Vec<_>>().join(", ")));
    Ok(Exit::Holds)
}

/// What is built in.
fn bundled() -> Vec<(String, String)> {
    let plans = load::BUNDLED.iter().chain(race::BUNDLED).map(|(_, path, text)| ((*path).to_owned(), (*text).to_owned()));
    plan::bundled().into_iter().chain(plans).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;
    use crate::report::snippet::Texts;

    const CASES: usize = 12_000;

    /// What is put into a file, in place of a word or beside one.
    const SPANNERS: [&str; 30] = [
        "99999999999999999999999999",
        "-1",
        "1e999",
        ".nan",
        "0x7fffffffffffffff",
        "18446744073709551615",
        "5124095576h",
        "0s",
        "1/0s",
        "18446744073709551615/s",
        "&a ",
        "*a",
        "<<: *a\n",
        "!!binary ",
        "? ",
        ": ",
        "- ",
        "{",
        "]",
        "\"",
        "|\n",
        "---\n",
        "\u{feff}",
        "\u{0}",
        "\t",
        "\r",
        "\u{85}",
        "\u{2028}é中😀",
        "${row}",
        "null",
    ];

    /// The bundled files, and each scenario of them as a file of its own, which takes less time to read.
    fn sound() -> Vec<String> {
        let targets =
            [include_str!("../../scenarios/targets/local.yaml"), include_str!("../../scenarios/targets/singapore.yaml")];
        let plans = load::BUNDLED.iter().map(|(.., text)| *text);
        let json =
            r#"{"title": "t", "messages": 4, "phases": [{"name": "a", "rate": "20/s", "for": "1s", "checks": ["lost = 0"]}]}"#;
        let mut sound: Vec<String> = targets.into_iter().chain(plans).chain([json]).map(str::to_owned).collect();
        for (_, text) in plan::bundled() {
            let scenarios = text.split("\n  - id: ").skip(1);
            sound.extend(scenarios.map(|scenario| format!("scenarios:\n  - id: {}\n", scenario.trim_end())));
        }
        sound
    }

    fn damaged(text: &str, random: &mut Random) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() + 1);
            let line = |at: usize| {
                let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
                start..end
            };
            match random.below(9) {
                0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(line(at))),
                3 => {
                    let again = bytes[line(at)].to_vec();
                    bytes.splice(at..at, again);
                }
                4 => {
                    let deep = ["[", "{a: ", "- ", "{\"a\":["][random.below(4)];
                    let depth = random.below(3000);
                    bytes.splice(at..at, deep.repeat(depth).into_bytes());
                }
                5 => {
                    // A whole value.
                    let end = bytes[at..].iter().position(|byte| b",}]\n".contains(byte)).map_or(bytes.len(), |end| at + end);
                    let spanner = SPANNERS[random.below(SPANNERS.len())];
                    bytes.splice(at..end, spanner.bytes());
                }
                6 => drop(bytes.drain(at..(at + 2).min(bytes.len()))),
                _ => {
                    let spanner = SPANNERS[random.below(SPANNERS.len())];
                    bytes.splice(at..at, spanner.bytes());
                }
            }
        }
        // As a file's own mark of its byte order is, which no place counts.
        String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned()
    }

    #[test]
    fn whatever_a_file_holds_it_is_read_and_each_problem_stands_in_it() {
        let (sound, spec, mut random) = (sound(), spec::bundled(), Random::seeded(20_261_127));
        let (mut with_problems, mut messages) = (0, BTreeSet::new());
        for case in 0..CASES {
            let whole = &sound[random.below(sound.len())];
            let text = damaged(whole, &mut random);
            let files = [("f.yaml".to_owned(), text.clone())];
            let problems = check(&files, &spec).problems;
            with_problems += usize::from(!problems.is_empty());
            for problem in &problems {
                let place = problem.place.as_ref().unwrap_or_else(|| panic!("{case}: {problem:?} in {text:.900?}"));
                let before = text.get(..place.span.start).filter(|_| text.get(place.span.clone()).is_some());
                let before = before.unwrap_or_else(|| panic!("{case}: {problem:?} in {text:.900?}"));
                if !text.contains('\r') {
                    let line = before.rsplit('\n').next().unwrap_or_default();
                    let seen = (before.matches('\n').count() + 1, line.chars().count() + 1);
                    assert_eq!((place.line, place.column), seen, "{case}: {problem:?} in {text:.900?}");
                }
                messages.insert(problem.message.split('`').next().unwrap_or_default().to_owned());
            }
            let texts = Texts::from([("f.yaml", text.as_str())]);
            snippet::problems(&mut std::io::sink(), &problems, &texts).expect("a sink takes everything");
        }
        // The damage was neither none nor so great that nothing of the files was left to be read.
        assert!((CASES / 2..CASES).contains(&with_problems), "{with_problems}");
        assert!(messages.len() > 60, "{messages:?}");
    }
}
