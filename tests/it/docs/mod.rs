//! What README.md, docs/ and deploy/ tell a reader to type: the tutorial is run as it stands and shows what it says, every other command
//! has only flags that there are, every YAML block is read without a problem, and every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use crate::support::binary::{end, msgext, msgext_in, until, without_variables};

/// Programs beside `msgext` that a block may call; they are not called here.
const OTHERS: &[&str] = &["cargo", "curl", "export", "jq"];
/// What ends a command in a line of the shell.
const ENDS: &[&str] = &["|", "||", "&", "&&", ";", ">", "2>", "<", "]"];
/// YAML that is another program's.
const PIPELINES: &[&str] = &["# .github/", "# .gitlab-ci.yml"];
/// Fields that a block shows beside others that they do not go with.
const APART: &[(&str, &str)] = &[("docs/targets.md", "proxy:")];

/// A fenced block, and the number of its first line.
struct Block {
    language: String,
    line: usize,
    text: String,
}

#[test]
fn the_tutorial_works_as_it_stands_and_shows_what_it_says() {
    let page = fs::read_to_string("docs/tutorial.md").expect("the tutorial");
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

    let said = "one\n  two 2\nthree\n";
    assert_eq!(unseen("one\n…\nthree\n", said), None);
    assert_eq!(unseen("one\n  two …\n", said), None);
    assert_eq!(unseen("three\none\n", said), Some("one".to_owned()));
    assert_eq!(unseen("  two 3…\n", said), Some("  two 3…".to_owned()));
}

#[test]
fn every_command_in_the_pages_is_one_that_there_is() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        let shells = blocks(&text).into_iter().filter(|block| ["sh", "console", "yaml"].contains(&block.language.as_str()));
        for block in shells {
            wrong.extend(wrong_commands(&block).into_iter().map(|(line, told)| format!("{path}:{line}: {told}")));
        }
        for span in spans(&text) {
            let told = invocations(&span).iter().find_map(|words| unknown(words)).or_else(|| nobodys(&span));
            wrong.extend(told.map(|told| format!("{path}: {told}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_command_that_is_not_there_is_found() {
    let found = |language: &str, text: &str| -> Vec<(usize, String)> {
        wrong_commands(&Block { language: language.to_owned(), line: 1, text: text.to_owned() })
    };
    let right =
        "$ msgext run --fast -q --rate=none --json - wrong.yaml   # and --more\n$ cargo run -- run --no-such\n--not typed\n";
    assert_eq!(found("console", right), []);
    assert_eq!(found("yaml", "- run: for n in 1 2; do msgext load --for 2s; done\nmsgext:\n"), []);
    assert_eq!(found("sh", "X=1 msgext serve > a 2> b &\n"), []);

    let told = |text: &str| vec![(2, text.to_owned())];
    assert_eq!(found("console", "$ msgext list\n$ msgext run --fats\n"), told("msgext run has no --fats"));
    assert_eq!(found("sh", "msgext list\nmsgext list && msgext serve -q | cat\n"), told("msgext serve has no -q"));
    assert_eq!(found("yaml", "script:\n  - msgext race --for 2s\n"), told("msgext race has no --for"));
    assert_eq!(found("console", "$ msgext list\n$ msgext walk\n"), told("msgext has no walk"));
    assert_eq!(found("console", "$ msgext list\n$ rm file\n"), told("nobody knows rm"));

    assert_eq!(nobodys("--rate none"), None);
    assert_eq!(nobodys("--rates none"), Some("no command has --rates".to_owned()));
}

#[test]
fn every_yaml_block_is_read_without_a_problem() {
    for (path, text) in pages() {
        for block in blocks(&text).into_iter().filter(|block| block.language == "yaml") {
            if PIPELINES.iter().any(|first| block.text.starts_with(first)) {
                continue;
            }
            let is_apart = |line: &str| APART.iter().any(|(of, field)| *of == path && line.starts_with(field));
            let kept: String = block.text.split_inclusive('\n').filter(|line| !is_apart(line)).collect();
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("block.yaml"), kept).expect("a file");
            let ran = msgext_in(folder, None, &["check", "block.yaml"]);
            assert_eq!(ran.code, 0, "{path}:{}\n{}{}", block.line, ran.stdout, ran.stderr);
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let more = ["CONTRIBUTING.md", "CHANGELOG.md", "reports/README.md"].map(|path| (path.to_owned(), read(path)));
    let broken: Vec<String> = pages().into_iter().chain(more).flat_map(|(path, text)| broken_links(&path, &text)).collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "# One & two\n[a](docs/README.md) [b](#one--two) [c](https://example.org/x) [d](README.md#exit-codes)\n";
    assert_eq!(broken_links("README.md", text), Vec::<String>::new());
    let text = "[a](docs/NOWHERE.md) [b](#two) [d](README.md#no-codes)\n";
    let told = ["README.md leads to docs/NOWHERE.md", "README.md leads to #two", "README.md leads to README.md#no-codes"];
    assert_eq!(broken_links("README.md", text), told);
}

// ------------------------------------------------------------------------------------------------------------- the pages

fn pages() -> Vec<(String, String)> {
    let docs = fs::read_dir("docs").expect("docs").map(|entry| entry.expect("an entry").file_name());
    let mut paths: Vec<String> = docs.map(|name| format!("docs/{}", name.to_string_lossy())).collect();
    paths.extend(["README.md", "deploy/README.md"].map(str::to_owned));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(page.lines()) {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), line: number + 1, text: String::new() });
            }
            (Some(_), Some(block)) => found.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    found
}

/// The page without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What stands between backquotes in the text, over the ends of lines.
fn spans(page: &str) -> Vec<String> {
    prose(page).split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect()
}

fn broken_links(path: &str, text: &str) -> Vec<String> {
    let folder = Path::new(path).parent().expect("a folder");
    let leads = |link: &str| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let there = if file.is_empty() { path.into() } else { folder.join(file) };
        let own = || if file.is_empty() { text.to_owned() } else { read(&there.to_string_lossy()) };
        there.exists() && (anchor.is_empty() || anchors(&own()).contains(anchor))
    };
    let prose = prose(text);
    let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.starts_with("https://"));
    links.filter(|link| !leads(link)).map(|link| format!("{path} leads to {link}")).collect()
}

/// As GitHub makes them of headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

// ----------------------------------------------------------------------------------------------------------- the tutorial

/// The commands with the exit code that each promises; what promises none has to succeed.
fn script(commands: &str) -> String {
    let checked = commands.lines().map(|line| match line.split_once("  # exit ") {
        Some((command, code)) => format!("code=0; {command} || code=$?; [ \"$code\" = {code} ]\n"),
        None => format!("{line}\n"),
    });
    ["set -eu\n".to_owned()].into_iter().chain(checked).collect()
}

/// A shell and all that it has started, which end with it.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        // None of them is left where the tutorial cleans up behind itself.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        end(&mut self.0);
    }
}

/// The exit code, and all that was said.
fn run(script: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let said = folder.path().join("said");
    let output = File::options().create(true).append(true).open(&said).expect("a file");
    let binary = Path::new(env!("CARGO_BIN_EXE_msgext"));
    let own = binary.parent().expect("the folder of the binary").to_owned();
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&inherited))).expect("a path");
    let work = folder.path().join("work");
    fs::create_dir(&work).expect("a folder");
    let mut sh = without_variables(Command::new("sh"));
    sh.args(["-c", script]).current_dir(&work).env("PATH", path).process_group(0).stdin(Stdio::null());
    sh.stdout(output.try_clone().expect("a handle")).stderr(output);
    let mut shell = Shell(sh.spawn().expect("a shell"));
    let mut code = None;
    until("the script has ended", || {
        code = shell.0.try_wait().expect("a child can be waited for");
        code.is_some()
    });
    drop(shell);
    (code.and_then(|code| code.code()).expect("an exit code"), fs::read_to_string(said).expect("text"))
}

/// The first line that was not said after those before it; `…` stands for anything.
fn unseen(shown: &str, said: &str) -> Option<String> {
    let mut rest = said.lines();
    let shown = shown.lines().filter(|line| line.trim() != "…" && !line.is_empty());
    shown.into_iter().find(|line| !rest.any(|told| fits(line, told))).map(str::to_owned)
}

fn fits(shown: &str, told: &str) -> bool {
    let pieces: Vec<&str> = shown.split('…').collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return shown == told };
    let Some(mut rest) = told.strip_prefix(first) else { return false };
    for piece in middle {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

// ----------------------------------------------------------------------------------------------------------- the commands

/// What is wrong in a block, each with its line.
fn wrong_commands(block: &Block) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    for (line, text) in (block.line..).zip(block.text.lines()) {
        let typed = if block.language == "console" { text.strip_prefix("$ ") } else { Some(text) };
        let found = invocations(typed.unwrap_or_default());
        wrong.extend(found.iter().filter_map(|words| unknown(words)).map(|told| (line, told)));
        let program = typed.filter(|_| block.language == "console").and_then(|typed| typed.split(' ').next());
        let stranger = program.filter(|program| *program != "msgext" && !OTHERS.contains(program));
        wrong.extend(stranger.map(|program| (line, format!("nobody knows {program}"))));
    }
    wrong
}

/// The calls of `msgext` in a line: the words after its name.
fn invocations(line: &str) -> Vec<Vec<String>> {
    let words = words(line);
    let starts = (0..words.len()).filter(|at| words[*at] == "msgext");
    let call = |at: usize| words[at + 1..].iter().take_while(|word| !ENDS.contains(&word.as_str())).cloned().collect();
    starts.map(call).collect()
}

/// As a shell splits them, without a comment; a `;` is a word of its own.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for char in line.chars() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None, '#') if word.is_empty() => break,
            (None, ' ' | ';') => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                words.extend((char == ';').then(|| ";".to_owned()));
            }
            _ => word.push(char),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// What `msgext` does not have of a call. What is a placeholder is not looked at: only the command and the flags are.
fn unknown(words: &[String]) -> Option<String> {
    let first = words.first()?.as_str();
    let (name, rest) = if first.starts_with('-') { ("", words) } else { (first, &words[1..]) };
    let Some(flags) = FLAGS.get(name) else { return Some(format!("msgext has no {name}")) };
    let typed = rest.iter().filter(|word| word.len() > 1 && word.starts_with('-'));
    let mut typed = typed.map(|word| word.split('=').next().unwrap_or_default());
    typed.find(|flag| !flags.contains(*flag)).map(|flag| format!("{} has no {flag}", format!("msgext {name}").trim_end()))
}

/// A flag in the text, of which nothing says whose it is.
fn nobodys(span: &str) -> Option<String> {
    let flag = span.starts_with("--").then(|| span.split([' ', '=']).next().unwrap_or_default())?;
    (!FLAGS.values().any(|flags| flags.contains(flag))).then(|| format!("no command has {flag}"))
}

/// The flags of each command, by its help; those of the program itself under no name.
static FLAGS: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let help = help("");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    // `help` has no help of its own.
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").chain([""]);
    names.map(|name| (name.to_owned(), flags(name))).collect()
});

fn flags(name: &str) -> BTreeSet<String> {
    let help = help(name);
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let heads = lines.flat_map(|line| line.split(' ').take_while(|word| word.starts_with('-')));
    heads.map(|flag| flag.trim_end_matches(',').to_owned()).collect()
}

fn help(name: &str) -> String {
    let args: Vec<&str> = [name, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
    msgext(None, &args).exits(0).stdout
}
