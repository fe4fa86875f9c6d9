//! The floors and the bans of this code base as tests, so that the picture in `src/lib.rs` cannot rot.
//!
//! Every check is a function from files to findings, and each is shown to accept and to reject a small sample of its own.
//! Never a formatter or a lint: what `cargo fmt` and clippy see is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use msgext::model::mutants::MUTANTS;
use msgext::model::readings::READINGS;
use msgext::scenario::conform::plan::{self, Planned};
use msgext::spec::{self, Clause, Level, Spec};

use crate::support::conform::suite;

/// The lowest floors, and what each imports of the others.
const GROUND: &[(&str, &[&str])] =
    &[("api", &[]), ("clock", &[]), ("random", &[]), ("history", &["api"]), ("verdict", &["api", "history"])];

/// The floors above the ground, from below; siblings share a line.
const STOREYS: &[&[&str]] =
    &[&["spec", "yaml"], &["model"], &["scenario"], &["judge"], &["drive", "host"], &["report"], &["cli"]];

const PURE: &[&str] = &["api", "clock", "random", "history", "verdict", "spec", "yaml", "model", "scenario", "judge"];

/// What a pure floor must not name: the way to a clock, a socket, a file, a global or a thread.
const IMPURE: &[&str] = &["std::net", "std::fs", "std::env", "thread::sleep", "tokio", "reqwest", "hyper", "wiremock"];

const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now"];
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln"];
const STREAMS: &[&str] = &["io::stdout", "io::stderr"];
const VAGUE: &[&str] = &["util", "utils", "helper", "helpers", "manager", "managers"];
const MOST_MAIN_LINES: usize = 40;

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
fn only_cli_prints() {
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
    assert_eq!(listed(&untested_clauses(spec::bundled(), &suite())), "");
}

#[test]
fn every_clause_that_a_bundled_scenario_names_exists() {
    assert_eq!(listed(&unknown_clauses(spec::bundled(), &suite())), "");
}

// ---------------------------------------------------------------------------------------------------------- the checks

/// A path from the root of the repository, and the text.
type File = (String, String);

fn upward_imports(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files {
        let Some(floor) = floor(path) else { continue };
        let Some(below) = below(floor) else {
            findings.push(format!("{path}:1: {floor} is no floor; give it a place in tests/it/tidy.rs"));
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
    in_shipped_code(files, |floor| PURE.contains(&floor), |code| [named_paths(code, &banned), macros(code, PRINTS)].concat())
}

fn clock_readings(files: &[File]) -> Vec<String> {
    in_shipped_code(files, |floor| !["drive", "host", "cli"].contains(&floor), |code| named_paths(code, CLOCKS))
}

fn prints(files: &[File]) -> Vec<String> {
    in_shipped_code(files, |floor| floor != "cli", |code| [macros(code, PRINTS), named_paths(code, STREAMS)].concat())
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
    in_code(files, |path, code| if on(floor(path).unwrap_or_default()) { check(&shipped(&code)) } else { Vec::new() })
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

// --------------------------------------------------------------------------------------------------------- reading Rust

#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// A path as the code has it, with the modules inside the file that it stands in.
#[derive(Debug)]
struct Named {
    segments: Vec<String>,
    inside: Vec<String>,
    line: usize,
}

impl Named {
    fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// Words, `::`, `=>`, `!=` and single signs. Comments are left out and literals are empty, so that no text looks like code.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at(length);
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        let is_text = token.len() > 1 && token.ends_with(['"', '#']);
        let is_character = token.starts_with(['b', '\'']) && token.ends_with('\'');
        if is_text || is_character {
            tokens.push(Token { text: String::new(), line });
        } else if !is_comment && !first.is_whitespace() {
            tokens.push(Token { text: token.trim_start_matches("r#").to_owned(), line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn token_length(rest: &str, first: char) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let prefix = rest.find(|c| !['b', 'c', 'r'].contains(&c)).unwrap_or(rest.len());
    let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
    let opening = prefix + hashes;
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else if rest[opening..].starts_with('"') && (hashes == 0 || rest[..prefix].contains('r')) && prefix <= 2 {
        if rest[..prefix].contains('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            rest[opening + 1..].find(&end).map_or(rest.len(), |at| opening + 1 + at + end.len())
        } else {
            quoted_length(rest, opening, '"')
        }
    } else if first == '\'' || rest.starts_with("b'") {
        let quote = usize::from(first == 'b');
        let mut inner = rest[quote + 1..].chars();
        let is_character = inner.next() == Some('\\') || inner.next() == Some('\'');
        if is_character { quoted_length(rest, quote, '\'') } else { quote + 1 }
    } else if is_word(first) {
        let raw = if rest.starts_with("r#") { 2 } else { 0 };
        rest[raw..].find(|c| !is_word(c)).map_or(rest.len(), |end| raw + end)
    } else if ["::", "=>", "!="].iter().any(|sign| rest.starts_with(sign)) {
        2
    } else {
        first.len_utf8()
    }
}

/// Comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, opening: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[opening + 1..].char_indices() {
        if c == quote && !escaped {
            return opening + 1 + at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The code without what is compiled for tests only.
fn shipped(code: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if stands_at(code, at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            while at < code.len() && code[at].text != ";" && code[at].text != "{" {
                at = group_end(code, at);
            }
            at = group_end(code, at);
        } else {
            kept.push(code[at].clone());
            at += 1;
        }
    }
    kept
}

fn stands_at(code: &[Token], at: usize, words: &[&str]) -> bool {
    code.get(at..at + words.len()).is_some_and(|part| part.iter().zip(words).all(|(token, word)| token.text == *word))
}

/// Behind the bracket that closes the one at `at`; behind `at`, where none opens there.
fn group_end(code: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in code.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return index + 1;
        }
    }
    code.len()
}

/// Every path of the code: those of expressions and types with at least two segments, and the leaves of every `use`.
fn paths(code: &[Token]) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < code.len() {
        let modules = || inside.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match code[at].text.as_str() {
            "use" if code.get(at + 1).is_some_and(|next| next.text != "<") => {
                let mut leaves = Vec::new();
                at = use_tree(code, at + 1, &[], &mut leaves);
                paths.extend(leaves.into_iter().map(|(segments, line)| Named { segments, inside: modules(), line }));
            }
            "mod" if stands_at(code, at + 2, &["{"]) => {
                inside.push((code[at + 1].text.clone(), depth));
                at += 2;
            }
            "{" => {
                depth += 1;
                at += 1;
            }
            "}" => {
                depth -= 1;
                inside.pop_if(|(_, outside)| *outside == depth);
                at += 1;
            }
            text if is_name(text) => {
                let line = code[at].line;
                let mut segments = vec![text.to_owned()];
                while stands_at(code, at + 1, &["::"]) && code.get(at + 2).is_some_and(|next| is_name(&next.text)) {
                    segments.push(code[at + 2].text.clone());
                    at += 2;
                }
                if segments.len() > 1 {
                    paths.push(Named { segments, inside: modules(), line });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    paths
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one branch of a `use`, and returns where it ends. `self` and `*` stand for the path before them.
fn use_tree(code: &[Token], mut at: usize, before: &[String], leaves: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut path = before.to_vec();
    let mut line = code.get(at).map_or(1, |token| token.line);
    while let Some(token) = code.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while code.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(code, at, &path, leaves);
                    at += usize::from(stands_at(code, at, &[","]));
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 2,
            text => {
                if is_name(text) && (text != "self" || path.is_empty()) {
                    path.push(text.to_owned());
                    line = token.line;
                }
                at += 1;
            }
        }
    }
    leaves.push((path, line));
    at
}

// ------------------------------------------------------------------------------------------------------ what is checked

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

/// That each check can fail.
mod samples {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        (path.to_owned(), text.to_owned())
    }

    fn found(check: fn(&[File]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        check(&[file(path, text)])
    }

    #[test]
    fn accepts_imports_from_below_and_from_the_same_floor() {
        assert_eq!(
            found(upward_imports, "src/drive/walk.rs", "use super::line::Line;\nuse crate::{judge, scenario::plan};"),
            [""; 0]
        );
        assert_eq!(found(upward_imports, "src/verdict.rs", "use crate::history::Exchange;\nuse crate::api::Call;"), [""; 0]);
        assert_eq!(found(upward_imports, "src/api/call.rs", "mod tests { use super::super::code; }"), [""; 0]);
        assert_eq!(
            found(upward_imports, "src/api/mod.rs", "//! See [`crate::model`].\nconst A: &str = \"crate::model::B\";"),
            [""; 0]
        );
        assert_eq!(found(upward_imports, "src/lib.rs", "pub mod cli;\nuse crate::cli::main;"), [""; 0]);
    }

    #[test]
    fn rejects_imports_from_above_from_a_sibling_and_to_no_floor() {
        assert_eq!(
            found(upward_imports, "src/api/call.rs", "\nuse crate::{\n    history,\n};"),
            ["src/api/call.rs:3: api imports history"]
        );
        assert_eq!(
            found(upward_imports, "src/drive/walk.rs", "fn f() {\n    crate::host::embedded::start()\n}"),
            ["src/drive/walk.rs:2: drive imports host::embedded::start"]
        );
        assert_eq!(
            found(upward_imports, "src/model/mod.rs", "use super::judge::At;"),
            ["src/model/mod.rs:1: model imports judge::At"]
        );
        assert_eq!(
            found(upward_imports, "src/spec/mod.rs", "mod tests {\n use super::super::model::Rules; }"),
            ["src/spec/mod.rs:2: spec imports model::Rules"]
        );
        assert_eq!(found(upward_imports, "src/random.rs", "use crate::clock;"), ["src/random.rs:1: random imports clock"]);
        assert_eq!(
            found(upward_imports, "src/extra.rs", ""),
            ["src/extra.rs:1: extra is no floor; give it a place in tests/it/tidy.rs"]
        );
    }

    #[test]
    fn accepts_a_folder_and_its_file_that_name_each_other_and_circles_of_tests() {
        let folder = file("src/model/mod.rs", "pub mod gate;\npub mod rules;\nuse gate::check;\npub struct Setup;");
        let gate = file("src/model/gate.rs", "use super::Setup;\nuse super::rules::Rules;");
        let rules = file("src/model/rules.rs", "#[cfg(test)]\nmod tests {\n    use crate::model::gate::check;\n}");
        assert_eq!(circles(&[folder, gate, rules]), [""; 0]);
    }

    #[test]
    fn rejects_circles_of_any_length_and_through_a_re_export() {
        let gate = file("src/model/gate.rs", "use super::rules::Rules;");
        let rules = file("src/model/rules.rs", "use super::{\n    store::Store,\n};");
        let store = file("src/model/store.rs", "fn f() { crate::model::gate::check() }");
        assert_eq!(
            circles(&[gate, rules, store]),
            [
                "src/model/gate.rs:1: imports src/model/rules.rs, which leads back here",
                "src/model/rules.rs:2: imports src/model/store.rs, which leads back here",
                "src/model/store.rs:1: imports src/model/gate.rs, which leads back here",
            ]
        );
        let folder = file("src/model/mod.rs", "pub use rules::Rules;");
        let rules = file("src/model/rules.rs", "use super::gate;");
        let gate = file("src/model/gate.rs", "use super::Rules;");
        assert_eq!(circles(&[folder, rules, gate]).len(), 2);
    }

    #[test]
    fn accepts_what_is_pure_and_impure_tests_and_impure_floors() {
        assert_eq!(found(impurities, "src/judge/mod.rs", "use std::time::Duration;\nuse std::fmt;\nfn tokio() {}"), [""; 0]);
        assert_eq!(
            found(impurities, "src/scenario/plan.rs", "#[cfg(test)]\nmod tests { fn f() { std::fs::read(p); } }"),
            [""; 0]
        );
        assert_eq!(found(impurities, "src/drive/client.rs", "use std::net::IpAddr;\nuse tokio::time;"), [""; 0]);
    }

    #[test]
    fn rejects_what_a_pure_floor_must_not_name() {
        for code in [
            "use std::{fmt, fs};",
            "use std::net::IpAddr;",
            "use ::tokio::sync::mpsc;",
            "use tokio_rustls::TlsConnector;",
            "use hyper::body::Bytes;",
            "use wiremock::MockServer;",
            "fn f(c: reqwest::Client) {}",
            "fn f() { std::env::var(n); }",
            "fn f() { thread::sleep(d); }",
            "fn f() { Instant::now(); }",
            "fn f() { let c = '\"'; std::time::SystemTime::now(); }",
            "fn f<'a>(s: &'a str) { println!(\"{s}\"); }",
            "#[cfg(test)]\nuse a::b;\nuse std::fs;",
        ] {
            assert_eq!(found(impurities, "src/judge/mod.rs", code).len(), 1, "{code}");
        }
    }

    #[test]
    fn accepts_the_clock_in_drive_and_rejects_it_in_report() {
        let code = "fn f() {\n    Instant::now();\n}";
        assert_eq!(found(clock_readings, "src/drive/pace.rs", code), [""; 0]);
        assert_eq!(found(clock_readings, "src/report/build.rs", code), ["src/report/build.rs:2: Instant::now"]);
    }

    #[test]
    fn accepts_prints_in_cli_and_rejects_them_elsewhere() {
        let code = "fn f() {\n    eprintln!(\"a\");\n    std::io::stdout();\n}";
        assert_eq!(found(prints, "src/cli/mod.rs", code), [""; 0]);
        let places = ["src/report/text.rs:2: eprintln!", "src/report/text.rs:3: std::io::stdout"];
        assert_eq!(found(prints, "src/report/text.rs", code), places);
        assert_eq!(
            found(prints, "src/report/text.rs", "// println!(\nfn f() { child.stdout(p); write!(w, r#\"println!(\"#); }"),
            [""; 0]
        );
    }

    #[test]
    fn accepts_finished_code_and_rejects_unfinished() {
        assert_eq!(found(unfinished, "src/api/call.rs", "/* todo!() /* */ dbg!() */ fn ignore() { if todo != 1 {} }"), [""; 0]);
        let code = "#[ignore = \"slow\"]\nfn f() { todo!() }\n#[cfg_attr(windows, ignore)]\nfn g() { dbg!(unimplemented!()) }";
        assert_eq!(
            found(unfinished, "tests/strength.rs", code),
            [
                "tests/strength.rs:1: #[ignore]",
                "tests/strength.rs:3: #[ignore]",
                "tests/strength.rs:2: todo!",
                "tests/strength.rs:4: dbg!",
                "tests/strength.rs:4: unimplemented!",
            ]
        );
    }

    #[test]
    fn accepts_rules_in_the_model_and_rejects_a_mutant_in_a_condition() {
        assert_eq!(found(mutant_conditions, "src/model/store.rs", "if self.rules.open { mutants() }"), [""; 0]);
        assert_eq!(found(mutant_conditions, "src/cli/mutants.rs", "if mutant.killed { count() }"), [""; 0]);
        for code in ["if mutant { a }", "if !self.mutant.is_some() { a }", "match mutant { A => b }"] {
            assert_eq!(found(mutant_conditions, "src/model/store.rs", code).len(), 1, "{code}");
        }
    }

    #[test]
    fn accepts_names_that_say_something_and_rejects_those_that_do_not() {
        assert_eq!(found(vague_names, "src/drive/pace.rs", "mod utility {}\nfn helpers() {}"), [""; 0]);
        assert_eq!(found(vague_names, "src/drive/utils.rs", ""), ["src/drive/utils.rs:1: a name that says nothing"]);
        assert_eq!(found(vague_names, "src/manager/mod.rs", ""), ["src/manager/mod.rs:1: a name that says nothing"]);
        assert_eq!(
            found(vague_names, "src/drive/pace.rs", "\npub mod helpers;"),
            ["src/drive/pace.rs:2: mod helpers is a name that says nothing"]
        );
    }

    #[test]
    fn accepts_a_file_with_its_job_and_rejects_one_without() {
        assert_eq!(found(undocumented, "src/clock.rs", "//! A clock.\n"), [""; 0]);
        assert_eq!(found(undocumented, "src/clock.rs", "// A clock.\n"), ["src/clock.rs:1: does not begin with //!"]);
    }

    #[test]
    fn accepts_a_main_of_40_lines_and_rejects_one_of_41() {
        assert_eq!(found(long_mains, "src/main.rs", &"\n".repeat(40)), [""; 0]);
        assert_eq!(found(long_mains, "src/main.rs", &"\n".repeat(41)), ["src/main.rs:41: longer than 40 lines"]);
        assert_eq!(found(long_mains, "src/cli/mod.rs", &"\n".repeat(41)), [""; 0]);
    }

    #[test]
    fn accepts_a_scenario_without_a_mutant_and_rejects_one_with() {
        let files = [file("scenarios/a.yaml", "scenarios:\n  # kills 19 pairs a set\n")];
        assert_eq!(named_mutants(&files, &["21 pairs a set"]), [""; 0]);
        assert_eq!(
            named_mutants(&files, &["21 pairs a set", "19 pairs a set"]),
            ["scenarios/a.yaml:2: names the mutant \"19 pairs a set\""]
        );
    }

    #[test]
    fn accepts_clauses_that_are_tested_and_known_and_rejects_the_others() {
        let yaml = "scenarios:\n  - {id: a, title: A, clauses: [A-1], steps: [{clear: {clause: A-2}}]}\n";
        let both = spec(&[("A-1", Level::Must), ("A-2", Level::Should)]);
        let (planned, problems) = plan::load(vec![file("a.yaml", yaml)], &both);
        assert_eq!(problems, []);
        assert_eq!(untested_clauses(&both, &planned), [""; 0]);
        assert_eq!(unknown_clauses(&both, &planned), [""; 0]);

        let other = spec(&[("A-1", Level::Must), ("A-3", Level::Must), ("A-4", Level::Should), ("A-5", Level::Open)]);
        assert_eq!(
            untested_clauses(&other, &planned),
            ["A-3 (must): no scenario tests it", "A-4 (should): no scenario tests it"]
        );
        assert_eq!(unknown_clauses(&other, &planned), ["a.yaml:2: a names no clause: A-2"]);
    }

    fn spec(clauses: &[(&str, Level)]) -> Spec {
        let clause = |(id, level): &(&str, Level)| Clause {
            id: (*id).to_owned(),
            level: *level,
            section: String::new(),
            statement: String::new(),
            reading: None,
            readings: Vec::new(),
        };
        Spec { clauses: clauses.iter().map(clause).collect() }
    }
}

#[test]
fn the_readme_counts_what_there_is() {
    let readme = fs::read_to_string("README.md").unwrap();
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
    .filter(|count| !readme.contains(count))
    .collect();
    assert_eq!(lost, Vec::<String>::new(), "README.md no longer says so");
}
