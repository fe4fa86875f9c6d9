//! The floors and the bans of this code base as tests, so that the picture in `src/lib.rs` cannot rot.
//!
//! Every check is a function from files to findings, and each is shown to accept and to reject a small sample of its own.
//! Never a formatter or a lint: what `cargo fmt` and clippy see is theirs.

mod code;
mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use msgext::model::mutants::MUTANTS;
use msgext::model::readings::READINGS;
use msgext::scenario::conform::plan::{self, Planned};
use msgext::spec::{self, Clause, Level, Spec};

use crate::support::conform::suite;
use code::{Named, Token, group_end, is_name, paths, shipped, stands_at, tokens};

/// The lowest floors, and what each imports of the others.
const GROUND: &[(&str, &[&str])] =
    &[("api", &[]), ("clock", &[]), ("random", &[]), ("history", &["api"]), ("verdict", &["api", "history"])];

/// The floors above the ground, from below; siblings share a line.
const STOREYS: &[&[&str]] =
    &[&["spec", "yaml"], &["model"], &["scenario"], &["judge"], &["drive", "host"], &["report"], &["cli"]];

const PURE: &[&str] = &["api", "clock", "random", "history", "verdict", "spec", "yaml", "model", "scenario", "judge"];

/// What a pure floor must not name: the way to a clock, a socket, a file, a global or a thread.
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "thread::sleep",
    "thread::spawn",
    "tokio",
    "reqwest",
    "hyper",
    "wiremock",
];

const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now"];
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln"];
const STREAMS: &[&str] = &["io::stdout", "io::stderr"];
const VAGUE: &[&str] = &["util", "utils", "helper", "helpers", "manager", "managers"];
const MOST_MAIN_LINES: usize = 40;
/// Of a file, without its tests.
const MOST_LINES: usize = 500;
/// Modes; on each floor the room of one knows nothing of another's.
const ROOMS: &[&str] = &["conform", "load", "race", "fuzz", "limits"];
/// But for these: a case of `fuzz` is a scenario that nobody has written.
const STANDS_ON: &[(&str, &str)] = &[("fuzz", "conform")];
/// What judging makes: differences from a clause, and the words for what held and what did not.
const DIFFERENCES: &[&str] = &["Finding", "Difference"];
const JUDGED: &[&str] = &["Pass", "Passed", "Fail", "Failed"];
const VERDICTS: &[&str] = &["Overall", "TrialVerdict", "Verdict"];
/// Type names that may stand more than once, and why.
const TWICE: &[(&str, &str)] = &[];

#[test]
fn a_file_imports_only_from_floors_below_its_own() {
    assert_eq!(listed(&upward_imports(&sources())), "");
}

#[test]
fn no_file_imports_itself_in_a_circle() {
    assert_eq!(listed(&circles(&sources())), "");
}

#[test]
fn a_pure_floor_has_no_clock_socket_file_global_or_thread() {
    assert_eq!(listed(&impurities(&sources())), "");
}

#[test]
fn only_drive_host_and_cli_read_the_clock() {
    assert_eq!(listed(&clock_readings(&sources())), "");
}

#[test]
fn only_cli_prints_and_never_by_a_macro() {
    assert_eq!(listed(&prints(&sources())), "");
}

#[test]
fn nothing_is_ignored_unfinished_or_left_from_debugging() {
    assert_eq!(listed(&unfinished(&[sources(), tests()].concat())), "");
}

#[test]
fn the_model_does_not_know_whether_it_is_a_mutant() {
    assert_eq!(listed(&mutant_conditions(&sources())), "");
}

#[test]
fn every_module_has_a_name_that_says_what_it_is() {
    assert_eq!(listed(&vague_names(&[sources(), tests()].concat())), "");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    assert_eq!(listed(&undocumented(&sources())), "");
}

#[test]
fn nothing_above_judge_judges() {
    assert_eq!(listed(&judgements(&sources())), "");
}

#[test]
fn the_rooms_of_two_modes_do_not_know_each_other() {
    assert_eq!(listed(&doors(&sources())), "");
}

#[test]
fn a_type_name_stands_once() {
    assert_eq!(listed(&twins(&sources())), "");
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    assert_eq!(listed(&long_files(&sources())), "");
}

#[test]
fn main_is_a_table_of_contents() {
    assert_eq!(listed(&long_mains(&sources())), "");
}

#[test]
fn no_scenario_names_a_mutant() {
    let names: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    assert_eq!(listed(&named_mutants(&files("scenarios", "yaml"), &names)), "");
}

#[test]
fn every_must_and_should_clause_is_tested_by_a_bundled_scenario() {
    assert_eq!(listed(&untested_clauses(&spec::bundled(), &suite())), "");
}

#[test]
fn every_clause_that_a_bundled_scenario_names_exists() {
    assert_eq!(listed(&unknown_clauses(&spec::bundled(), &suite())), "");
}

// ---------------------------------------------------------------------------------------------------------- the checks

/// A path from the root of the repository, and the text.
type File = (String, String);

fn upward_imports(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files {
        let Some(floor) = floor(path) else { continue };
        let Some(below) = below(floor) else {
            findings.push(format!("{path}:1: {floor} is no floor; give it a place in tests/it/tidy"));
            continue;
        };
        for import in imports(path, &tokens(text)) {
            let Some(other) = import.segments.first() else { continue };
            if other != floor && !below.contains(&other.as_str()) {
                findings.push(format!("{path}:{}: {floor} imports {}", import.line, import.segments.join("::")));
            }
        }
    }
    findings
}

/// A folder's `mod.rs` and its files may import each other: the folder is named in both directions. All else is a circle.
fn circles(files: &[File]) -> Vec<String> {
    let sources: BTreeMap<Vec<String>, (&str, Vec<Token>)> =
        files.iter().map(|(path, text)| (module(path), (path.as_str(), shipped(&tokens(text))))).collect();
    let re_exports = re_exports(&sources);
    let mut edges: BTreeMap<&Vec<String>, Vec<(&Vec<String>, usize)>> = BTreeMap::new();
    for (from, (path, code)) in &sources {
        for import in imports(path, code) {
            let Some(to) = imported_file(&import.segments, &sources, &re_exports) else { continue };
            if !(to.starts_with(from) || from.starts_with(to)) {
                edges.entry(from).or_default().push((to, import.line));
            }
        }
    }
    let mut findings = Vec::new();
    for (from, targets) in &edges {
        for (to, line) in targets.iter().filter(|(to, _)| leads_to(&edges, to, from)) {
            findings.push(format!("{}:{line}: imports {}, which leads back here", sources[*from].0, sources[*to].0));
        }
    }
    findings
}

fn impurities(files: &[File]) -> Vec<String> {
    let banned = [IMPURE, CLOCKS].concat();
    in_shipped_code(
        files,
        |floor| PURE.contains(&floor),
        |code| [named_paths(code, &banned), macros(code, PRINTS), globals(code)].concat(),
    )
}

fn globals(code: &[Token]) -> Vec<(usize, String)> {
    // A lifetime's quote is read as an empty literal.
    let is_lifetime = |at: usize| at.checked_sub(1).is_some_and(|before| code[before].text.is_empty());
    let is_static = |at: &usize| code[*at].text == "static" && !is_lifetime(*at) && is_name(&code[at + 1].text);
    let statics = (0..code.len().saturating_sub(1)).filter(is_static);
    statics
        .map(|at| (code[at].line, format!("the global {}", code[at + 1].text)))
        .chain(macros(code, &["thread_local"]))
        .collect()
}

/// To judge is to make a finding, or to say that something passed or failed. Above `judge` both are only read: matched,
/// compared, shown. What was left undone (skipped, unknown, inconclusive) is said by whoever left it.
fn judgements(files: &[File]) -> Vec<String> {
    in_shipped_code(files, |floor| ["drive", "host", "report", "cli"].contains(&floor), |code| [made(code), said(code)].concat())
}

/// Findings that are made: a name, and its fields.
fn made(code: &[Token]) -> Vec<(usize, String)> {
    let is_literal = |at: &usize| {
        let before = at.checked_sub(1).map_or("", |before| code[before].text.as_str());
        DIFFERENCES.contains(&code[*at].text.as_str())
            && stands_at(code, at + 1, &["{"])
            && !["let", "struct", "impl", "for", ">", "mut"].contains(&before)
    };
    let literals = (0..code.len()).filter(is_literal);
    literals.map(|at| (code[at].line, format!("makes a {}", code[at].text))).collect()
}

/// Verdicts that are said. One in a pattern has an arrow, another pattern, a guard or a value behind it.
fn said(code: &[Token]) -> Vec<(usize, String)> {
    let is_said = |at: &usize| {
        let word = &code[at + 2].text;
        let end = if stands_at(code, at + 3, &["("]) { group_end(code, at + 3) } else { at + 3 };
        let behind = code.get(end).map_or("", |token| token.text.as_str());
        let compared = at
            .checked_sub(2)
            .is_some_and(|before| code[before + 1].text == "=" && ["=", "!"].contains(&code[before].text.as_str()))
            || at.checked_sub(1).is_some_and(|before| code[before].text == "!=");
        VERDICTS.contains(&code[*at].text.as_str())
            && code[at + 1].text == "::"
            && JUDGED.contains(&word.as_str())
            && !compared
            && !["=>", "|", "if", "="].contains(&behind)
    };
    let verdicts = (0..code.len().saturating_sub(2)).filter(is_said);
    verdicts.map(|at| (code[at].line, format!("says {}::{}", code[at].text, code[at + 2].text))).collect()
}

fn doors(files: &[File]) -> Vec<String> {
    in_code(files, |path, code| {
        let room = |segments: &[String]| segments.get(1).and_then(|name| ROOMS.iter().find(|room| *room == name)).copied();
        let Some(own) = room(&module(path)) else { return Vec::new() };
        let is_anothers = |other: &str| other != own && !STANDS_ON.contains(&(own, other));
        let others = imports(path, &code).into_iter().filter(|import| room(&import.segments).is_some_and(is_anothers));
        others.map(|import| (import.line, format!("{own} imports {}", import.text()))).collect()
    })
}

/// Types of one name in several places. What an `impl` calls the types that its trait asks for is no name of ours.
fn twins(files: &[File]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let for_tests: BTreeSet<String> = files.iter().flat_map(test_modules).collect();
    for (path, text) in files.iter().filter(|(path, _)| !for_tests.contains(path)) {
        for (name, line) in types(&shipped(&tokens(text))) {
            places.entry(name).or_default().push(format!("{path}:{line}"));
        }
    }
    let excused = |name: &str| TWICE.iter().any(|(twice, _)| *twice == name);
    let twins = places.into_iter().filter(|(name, places)| places.len() > 1 && !excused(name));
    twins.map(|(name, places)| format!("{}: {name} stands also at {}", places[0], places[1..].join(", "))).collect()
}

fn types(code: &[Token]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 1 < code.len() {
        let named = (code[at + 1].text.clone(), code[at + 1].line);
        match code[at].text.as_str() {
            "struct" | "enum" | "trait" | "union" if is_name(&named.0) => found.push(named),
            "type" if is_name(&named.0) && !is_associated(code, at) => found.push(named),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the `type` at `at` stands in the braces of an `impl` or of a trait.
fn is_associated(code: &[Token], at: usize) -> bool {
    let blocks = (0..at).filter(|start| ["impl", "trait"].contains(&code[*start].text.as_str()));
    blocks.into_iter().any(|start| {
        let opening = (start..at).find(|index| ["{", ";", ")"].contains(&code[*index].text.as_str()));
        opening.is_some_and(|opening| code[opening].text == "{" && group_end(code, opening) > at)
    })
}

fn long_files(files: &[File]) -> Vec<String> {
    let lines = |text: &str| text.find("#[cfg(test)]\nmod tests").map_or(text, |tests| &text[..tests]).lines().count();
    let long = files.iter().map(|(path, text)| (path, lines(text))).filter(|(_, lines)| *lines > MOST_LINES);
    long.map(|(path, lines)| format!("{path}:{lines}: longer than {MOST_LINES} lines")).collect()
}

fn clock_readings(files: &[File]) -> Vec<String> {
    in_shipped_code(files, |floor| !["drive", "host", "cli"].contains(&floor), |code| named_paths(code, CLOCKS))
}

/// A stream is for `cli` alone. The macros are for nobody: they panic where a disk is full or a pipe closed.
fn prints(files: &[File]) -> Vec<String> {
    let by_macro = in_shipped_code(files, |_| true, |code| macros(code, PRINTS));
    [by_macro, in_shipped_code(files, |floor| floor != "cli", |code| named_paths(code, STREAMS))].concat()
}

fn unfinished(files: &[File]) -> Vec<String> {
    in_code(files, |_, code| [ignored_tests(&code), macros(&code, &["todo", "unimplemented", "dbg"])].concat())
}

/// In the model and in its hosts. `cli` and `report` may well ask a mutant whether it was killed.
fn mutant_conditions(files: &[File]) -> Vec<String> {
    in_shipped_code(
        files,
        |floor| ["model", "host"].contains(&floor),
        |code| {
            let condition =
                |start: usize| code[start..].iter().take_while(|token| !["{", "=>", ";"].contains(&token.text.as_str()));
            let starts = (0..code.len()).filter(|at| ["if", "match"].contains(&code[*at].text.as_str()));
            let guilty = starts.filter(|at| condition(*at).any(|token| token.text.to_lowercase().starts_with("mutant")));
            guilty.map(|at| (code[at].line, "a choice that depends on the mutant".to_owned())).collect()
        },
    )
}

fn vague_names(files: &[File]) -> Vec<String> {
    let is_vague = |name: &str| VAGUE.contains(&name.to_lowercase().as_str());
    let mut findings: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.trim_end_matches(".rs").split('/').any(is_vague))
        .map(|(path, _)| format!("{path}:1: a name that says nothing"))
        .collect();
    findings.extend(in_code(files, |_, code| {
        let declared = code.windows(2).filter(|pair| pair[0].text == "mod" && is_vague(&pair[1].text));
        declared.map(|pair| (pair[1].line, format!("mod {} is a name that says nothing", pair[1].text))).collect()
    }));
    findings
}

fn undocumented(files: &[File]) -> Vec<String> {
    let silent = files.iter().filter(|(_, text)| !text.starts_with("//!"));
    silent.map(|(path, _)| format!("{path}:1: does not begin with //!")).collect()
}

fn long_mains(files: &[File]) -> Vec<String> {
    let mains = files.iter().filter(|(path, _)| path == "src/main.rs");
    let long = mains.map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > MOST_MAIN_LINES);
    long.map(|(path, lines)| format!("{path}:{lines}: longer than {MOST_MAIN_LINES} lines")).collect()
}

fn named_mutants(files: &[File], names: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            let hits = names.iter().filter(|name| line.contains(**name));
            findings.extend(hits.map(|name| format!("{path}:{}: names the mutant {name:?}", index + 1)));
        }
    }
    findings
}

fn untested_clauses(spec: &Spec, planned: &[Planned]) -> Vec<String> {
    let tested: BTreeSet<&str> = planned.iter().flat_map(Planned::clauses).collect();
    let untested = spec.clauses.iter().filter(|clause| clause.level != Level::Open && !tested.contains(clause.id.as_str()));
    untested.map(|clause| format!("{} ({}): no scenario tests it", clause.id, clause.level.word())).collect()
}

fn unknown_clauses(spec: &Spec, planned: &[Planned]) -> Vec<String> {
    let mut findings = Vec::new();
    for planned in planned {
        let line = planned.source.place(&planned.place).map_or(1, |place| place.line);
        let unknown = planned.clauses().into_iter().filter(|id| spec.clause(id).is_none());
        findings.extend(unknown.map(|id| format!("{}:{line}: {} names no clause: {id}", planned.source.path, planned.id)));
    }
    findings
}

/// What the check finds, line by line, in the code of each file.
fn in_code(files: &[File], check: impl Fn(&str, Vec<Token>) -> Vec<(usize, String)>) -> Vec<String> {
    let of = |(path, text): &File| {
        let found = check(path, tokens(text)).into_iter();
        found.map(|(line, finding)| format!("{path}:{line}: {finding}")).collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}

/// The same, on some floors and without the tests that stand in the file.
fn in_shipped_code(files: &[File], on: impl Fn(&str) -> bool, check: impl Fn(&[Token]) -> Vec<(usize, String)>) -> Vec<String> {
    let for_tests: BTreeSet<String> = files.iter().flat_map(test_modules).collect();
    let is_shipped = |path: &str| on(floor(path).unwrap_or_default()) && !for_tests.contains(path);
    in_code(files, |path, code| if is_shipped(path) { check(&shipped(&code)) } else { Vec::new() })
}

/// Files of the modules that a file declares for tests only.
fn test_modules((path, text): &File) -> Vec<String> {
    let code = tokens(text);
    let declared = (0..code.len()).filter(|at| stands_at(&code, *at, &["#", "[", "cfg", "(", "test", ")", "]", "mod"]));
    let files = declared.filter(|at| stands_at(&code, at + 9, &[";"])).map(|at| code[at + 8].text.clone());
    files.map(|name| format!("src/{}/{name}.rs", module(path).join("/"))).collect()
}

fn named_paths(code: &[Token], banned: &[&str]) -> Vec<(usize, String)> {
    let paths = paths(code).into_iter();
    paths.filter(|path| banned.iter().any(|banned| names(path, banned))).map(|path| (path.line, path.text())).collect()
}

/// `std::fs` stands anywhere in a path; the one word `tokio` is a crate, whose relatives are called `tokio_…`.
fn names(path: &Named, banned: &str) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    match banned[..] {
        [family] => path.segments[0].strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')),
        _ => path.segments.windows(banned.len()).any(|window| window == banned),
    }
}

fn macros(code: &[Token], banned: &[&str]) -> Vec<(usize, String)> {
    let called = code.windows(2).filter(|pair| pair[1].text == "!" && banned.contains(&pair[0].text.as_str()));
    called.map(|pair| (pair[0].line, format!("{}!", pair[0].text))).collect()
}

fn ignored_tests(code: &[Token]) -> Vec<(usize, String)> {
    let attributes = (0..code.len()).filter(|at| stands_at(code, *at, &["#", "["]));
    let ignored = attributes.filter(|at| code[*at..group_end(code, at + 1)].iter().any(|token| token.text == "ignore"));
    ignored.map(|at| (code[at].line, "#[ignore]".to_owned())).collect()
}

// --------------------------------------------------------------------------------------------------- floors and modules

/// `src/drive/walk.rs` and `src/history.rs` stand on a floor; `src/lib.rs` and `src/main.rs` on none.
fn floor(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let floor = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&floor)).then_some(floor)
}

fn below(floor: &str) -> Option<Vec<&'static str>> {
    if let Some((_, below)) = GROUND.iter().find(|(name, _)| *name == floor) {
        return Some(below.to_vec());
    }
    let height = STOREYS.iter().position(|siblings| siblings.contains(&floor))?;
    let ground = GROUND.iter().map(|(name, _)| *name);
    Some(ground.chain(STOREYS[..height].iter().flat_map(|siblings| siblings.iter().copied())).collect())
}

/// `src/drive/walk.rs` is `drive::walk`, `src/drive/mod.rs` is `drive`, `src/lib.rs` is the crate itself.
fn module(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut segments: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if segments.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        segments.pop();
    }
    segments
}

/// What a file names inside the crate, each from the crate's root.
fn imports(path: &str, code: &[Token]) -> Vec<Named> {
    let module = module(path);
    paths(code).into_iter().filter_map(|named| resolved(named, &module)).collect()
}

/// `None` for what begins with the name of another crate or of a child.
fn resolved(named: Named, module: &[String]) -> Option<Named> {
    let mut at = [module, &named.inside].concat();
    let mut rest = named.segments.as_slice();
    match rest.first()?.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
        }
        _ => return None,
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|segment| segment == "super") {
        at.pop();
        rest = &rest[1..];
    }
    at.extend_from_slice(rest);
    Some(Named { segments: at, ..named })
}

/// The names that a folder's `mod.rs` takes from its files, so that `super::Name` leads to the file that has it.
fn re_exports<'a>(
    sources: &'a BTreeMap<Vec<String>, (&str, Vec<Token>)>,
) -> BTreeMap<(&'a Vec<String>, String), &'a Vec<String>> {
    let mut found = BTreeMap::new();
    for (parent, (_, code)) in sources {
        for named in paths(code).into_iter().filter(|named| named.segments.len() == 2) {
            let child = [parent.as_slice(), &named.segments[..1]].concat();
            if let Some((child, _)) = sources.get_key_value(&child) {
                found.insert((parent, named.segments[1].clone()), child);
            }
        }
    }
    found
}

fn imported_file<'a>(
    segments: &[String],
    sources: &'a BTreeMap<Vec<String>, (&str, Vec<Token>)>,
    re_exports: &BTreeMap<(&'a Vec<String>, String), &'a Vec<String>>,
) -> Option<&'a Vec<String>> {
    let found = (1..=segments.len()).rev().find_map(|length| sources.get_key_value(&segments[..length]))?.0;
    let name = segments.get(found.len());
    Some(name.and_then(|name| re_exports.get(&(found, name.clone())).copied()).unwrap_or(found))
}

fn leads_to(edges: &BTreeMap<&Vec<String>, Vec<(&Vec<String>, usize)>>, from: &Vec<String>, to: &Vec<String>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(edges.get(next).into_iter().flatten().map(|(to, _)| *to));
        }
    }
    false
}

fn sources() -> Vec<File> {
    files("src", "rs")
}

fn tests() -> Vec<File> {
    files("tests", "rs")
}

fn files(folder: &str, extension: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of this repository can be read") {
            let path = entry.expect("a folder of this repository can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).expect("a file of this repository is text");
                let inside = path.strip_prefix(root).expect("it was found below the root");
                let inside: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
                found.push((inside.join("/"), text));
            }
        }
    }
    found.sort();
    assert_ne!(found, [], "{folder} has files");
    found
}

/// One finding a line, so that a failed assertion shows them as they are.
fn listed(findings: &[String]) -> String {
    findings.iter().flat_map(|finding| ["\n", finding]).collect()
}

#[test]
fn the_readme_and_the_docs_count_what_there_is() {
    let readme = fs::read_to_string("README.md").expect("README.md");
    let pages: String = files("docs", "md").into_iter().map(|(_, text)| text).chain([readme]).collect();
    let planned = suite();
    let written: BTreeSet<(&str, &str)> =
        planned.iter().map(|planned| (planned.source.path.as_str(), planned.place.as_str())).collect();
    let clauses = &spec::bundled().clauses;
    let of_level = |level| clauses.iter().filter(|clause| clause.level == level).count();
    let (must, should, open) = (of_level(Level::Must), of_level(Level::Should), of_level(Level::Open));
    let lost: Vec<String> = [
        format!("**{} scenarios**, the rows of {} written ones", planned.len(), written.len()),
        format!("**{} clauses**: {must} `must`, {should} `should`, {open} `open`", clauses.len()),
        format!("**{} mutants**", MUTANTS.len()),
        format!("**{} readings**", READINGS.len()),
    ]
    .into_iter()
    .filter(|count| !pages.contains(count))
    .collect();
    assert_eq!(lost, Vec::<String>::new(), "README.md and docs no longer say so");
}
