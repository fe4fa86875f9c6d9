//! Every command of the pages is one that there is, with flags that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{Block, blocks, pages, prose};
use crate::support::binary::msgext;

/// Programs beside `msgext` that a block may call.
const OTHERS: &[&str] = &["cargo", "curl", "export", "jq"];
/// What ends a command in a line of the shell.
const ENDS: &[&str] = &["|", "||", "&", "&&", ";", ">", "2>", "<", "]"];

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

/// What stands between backquotes in the text, over the ends of lines.
fn spans(page: &str) -> Vec<String> {
    prose(page).split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect()
}

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
pub(super) fn words(line: &str) -> Vec<String> {
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
