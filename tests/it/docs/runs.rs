//! Every command of the pages is run, ends as documented and prints what is shown below it. The tutorial is not among them: it is one
//! script, which has a test of its own.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

use super::commands::words;
use super::shell::Shell;
use super::shown::{fits, unseen_but};
use super::tables::{OUTPUTS, PLACEHOLDERS, PLAIN, SETTINGS, Setting, TARGET, UNRUN, VARYING};
use super::{Block, blocks, pages};
use crate::support::binary::{Serve, report_of};

const TUTORIAL: &str = "docs/tutorial.md";
/// Most of them wait.
const SIDE_BY_SIDE: usize = 10;
/// What a reader has to put something else for, and where something may be already.
const PLACES: &[&str] = &["…", "--target=", "127.0.0.1:8080", "127.0.0.1:9090"];

/// A page or a file, by its path.
type NamedText = (String, String);

/// A command of a page, with what is shown below it; none, where the page shows it without one that is known.
#[derive(Clone, Debug, PartialEq)]
struct Typed {
    page: String,
    line: usize,
    text: String,
    shown: String,
}

/// What is known of commands besides what their pages say.
struct Tables<'a> {
    placeholders: &'a [(&'a str, &'a str)],
    settings: &'a [Setting],
    varying: &'a [&'a str],
    outputs: &'a [(&'a str, &'a str, &'a str)],
    unrun: &'a [(&'a str, &'a str)],
}

const TABLES: Tables<'static> =
    Tables { placeholders: PLACEHOLDERS, settings: SETTINGS, varying: VARYING, outputs: OUTPUTS, unrun: UNRUN };

#[test]
fn every_command_of_the_pages_does_what_they_say() {
    let pages = pages();
    let blocks: Vec<(Vec<Typed>, Vec<NamedText>)> =
        pages.iter().flat_map(|(path, text)| TABLES.blocks(path, text).into_iter().map(|typed| (typed, files(text)))).collect();
    let next = AtomicUsize::new(0);
    let wrong = || {
        let mut wrong = Vec::new();
        while let Some((typed, files)) = blocks.get(next.fetch_add(1, Ordering::SeqCst)) {
            wrong.extend(TABLES.wrong(typed, files));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(wrong)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_in_the_tables_is_needless() {
    assert_eq!(TABLES.needless(&pages()), Vec::<String>::new());
}

/// What is wrong with a page of these blocks, by tables of its own.
fn told(tables: &Tables, page: &str) -> Vec<String> {
    tables.blocks("page.md", page).iter().flat_map(|typed| tables.wrong(typed, &files(page))).collect()
}

/// The entries that this page needs.
const OWN: Tables<'static> = Tables {
    placeholders: &[("FILE", "own.yaml"), ("--sdkappid N", "--sdkappid 1400000000")],
    settings: &[
        Setting { page: "page.md", command: "msgext check", ends: &[(2, "error: …")], ..PLAIN },
        Setting {
            page: "page.md",
            command: "msgext serve",
            more: "--listen 127.0.0.1:0",
            until: Some("Ctrl-C stops it"),
            ..PLAIN
        },
    ],
    varying: &["1400000000"],
    outputs: &[("page.md", "eJ", "msgext usersig --sdkappid N --identifier a")],
    unrun: &[("docker", "needs a registry")],
};
const PAGE: &str = "```console
$ docker run FILE
$ msgext check FILE   # which is not there
error: …
$ echo 1500000000 && echo 'FAIL two' && exit 1   # --sdkappid N
1400000000
…
FAIL …
$ msgext serve
listening on …
```
```console
eJ…
```
";

#[test]
fn a_page_whose_commands_do_what_it_says_is_accepted() {
    assert_eq!(told(&OWN, PAGE), Vec::<String>::new());
    assert_eq!(OWN.needless(&[("page.md".to_owned(), PAGE.to_owned())]), Vec::<String>::new());
}

#[test]
fn a_command_that_does_something_else_is_found() {
    for (right, wrong, found) in [
        ("check FILE", "check FILES NAME", "nothing stands in for NAME"),
        ("check FILE", "check https://chat.example.org", "nothing stands in for https://chat.example.org"),
        ("check FILE", "check \"$NAME\"", "nothing stands in for $NAME"),
        ("check FILE", "check …", "nothing stands in for …"),
        ("check FILE", "doctor --target nowhere", "nothing stands in for nowhere"),
        ("check FILE", "doctor --target=nowhere", "nothing stands in for --target=nowhere"),
        ("check FILE", "check target.yaml", "it ends with 0, not as one of"),
        ("FAIL …", "PASS …", "it ends with 1, not as one of"),
        ("FAIL …", "FAIL three", "it does not print\nFAIL three\n"),
        ("1400000000\n", "1400000000 and one\n", "it does not print\n1400000000 and one\n"),
        ("listening on …", "sleeping", "it does not print\nsleeping\n"),
        ("$ msgext serve", "$ msgext serve --threads none", "it ends with 2, not as one of"),
        ("eJ…", "eJ…\nand more", "it does not print\nand more\n"),
        ("```console\neJ…", "```sh\nfalse", "it ends with 1, not as one of"),
    ] {
        assert!(PAGE.contains(right), "{right}");
        let told = told(&OWN, &PAGE.replacen(right, wrong, 1));
        assert!(matches!(&told[..], [one] if one.contains(found)), "{wrong}: {told:?}");
    }
}

#[test]
fn a_target_file_of_somebody_elses_is_used_for_nothing() {
    let page = "```yaml\n# target.yaml\nurl: nowhere\n```\n```sh\nmsgext doctor --target target.yaml\n```\n";
    let told = told(&OWN, page);
    assert!(matches!(&told[..], [one] if one.ends_with("target.yaml is for nowhere")), "{told:?}");
}

#[test]
fn a_shown_block_without_a_command_is_found() {
    let told = told(&Tables { outputs: &[], ..OWN }, PAGE);
    assert!(matches!(&told[..], [one] if one.starts_with("page.md:13: : no command is known that prints\neJ…\n")), "{told:?}");
}

#[test]
fn an_entry_that_no_page_needs_is_found() {
    for (line, needless) in [
        ("$ docker run FILE\n", "docker"),
        ("   # --sdkappid N", ""),
        ("1400000000\n…", "1400000000"),
        ("$ msgext serve\nlistening on …\n", "page.md: msgext serve"),
        ("```console\neJ…\n```\n", "eJ"),
    ] {
        assert!(PAGE.contains(line), "{line}");
        let page = PAGE.replacen(line, "", 1);
        let found = OWN.needless(&[("page.md".to_owned(), page)]);
        assert_eq!(found.iter().any(|entry| entry == needless), !needless.is_empty(), "{line}: {found:?}");
    }
}

impl Tables<'_> {
    /// The commands of each block of a page.
    fn blocks(&self, path: &str, page: &str) -> Vec<Vec<Typed>> {
        let shells = blocks(page).into_iter().filter(|block| match block.language.as_str() {
            "console" => true,
            "sh" => path != TUTORIAL,
            _ => false,
        });
        shells.map(|block| self.typed(path, &block)).collect()
    }

    /// Lines without a command above them are printed by the one that the table has for the block.
    fn typed(&self, path: &str, block: &Block) -> Vec<Typed> {
        let mut commands: Vec<Typed> = Vec::new();
        for (line, text) in (block.line..).zip(block.text.lines()) {
            let typed = if block.language == "console" { text.strip_prefix("$ ") } else { Some(text) };
            if let (None, Some(command)) = (typed, commands.last_mut()) {
                command.shown += text;
                command.shown.push('\n');
                continue;
            }
            let printing = || self.outputs.iter().find(|(page, begins, _)| *page == path && text.starts_with(begins));
            let (command, shown) = match typed {
                Some(typed) => (typed, String::new()),
                None => (printing().map_or("", |(_, _, command)| command), format!("{text}\n")),
            };
            let command = command.split_once("  #").map_or(command, |(command, _)| command).trim_end();
            commands.push(Typed { page: path.to_owned(), line, text: command.to_owned(), shown });
        }
        commands
    }

    fn setting(&self, typed: &Typed) -> Option<&Setting> {
        let is_of = |setting: &&Setting| setting.page == typed.page && typed.text.starts_with(setting.command);
        self.settings.iter().filter(is_of).max_by_key(|setting| setting.command.len())
    }

    fn is_run(&self, typed: &Typed) -> bool {
        !self.unrun.iter().any(|(begins, _)| is_left_out(typed, begins))
    }

    /// What is wrong with the commands of a block, which run one after another in one folder.
    fn wrong(&self, block: &[Typed], files: &[NamedText]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut exports, mut wrong) = (String::new(), Vec::new());
        for typed in block.iter().filter(|typed| self.is_run(typed)) {
            let told = self.run(typed, &exports, files, &folder).err();
            wrong.extend(told.map(|told| format!("{}:{}: {}: {told}", typed.page, typed.line, typed.text)));
            if typed.text.starts_with("export ") {
                exports += &self.filled(&typed.text, &[]);
                exports.push('\n');
            }
        }
        wrong
    }

    fn run(&self, typed: &Typed, exports: &str, files: &[NamedText], folder: &TempDir) -> Result<(), String> {
        if typed.text.is_empty() {
            return Err(format!("no command is known that prints\n{}", typed.shown));
        }
        let setting = self.setting(typed).unwrap_or(&PLAIN);
        let serves: Vec<Serve> = setting.serve.iter().map(|options| served(options)).collect();
        let (first, last) = (&serves[0], &serves[serves.len() - 1]);
        let facts = ["url", "usersig", "msg_key"].map(|name| (name, first.fact(name)));
        let facts = [&facts[..], &[("other", last.url()), ("root", env!("CARGO_MANIFEST_DIR"))]].concat();
        let filled = |text: &str| self.filled(text, &facts);

        let command = filled(&format!("{} {}", typed.text, setting.more));
        if let Some(left) = left(&command) {
            return Err(format!("nothing stands in for {left}"));
        }
        for (name, text) in [("target.yaml".to_owned(), TARGET.to_owned())].iter().chain(files) {
            let text = filled(text);
            if let Some(address) = text.lines().filter_map(|line| line.strip_prefix("url: ")).find(|address| !is_here(address)) {
                return Err(format!("{name} is for {address}"));
            }
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let shell = |script: &str| Shell::start(folder.path(), setting.key, &format!("set -eu\n{exports}{script}"));
        let (code, said) = shell(&filled(setting.before)).end();
        if code != 0 {
            return Err(format!("what comes before it ends with {code}\n{said}"));
        }
        let (code, said) = match setting.until {
            // Tests in the background run with signals ignored, which a child would go on ignoring.
            Some(sign) => {
                let shell = shell(&format!("exec env --default-signal {command}"));
                shell.interrupt(|said| said.contains(sign))
            }
            None => shell(&command).end(),
        };
        let is_shown = is_end(setting, typed, code, &said)?;
        let is_kept = |line: &&str| !setting.unlike.iter().any(|begins| line.starts_with(begins));
        let shown = filled(&typed.shown.split_inclusive('\n').filter(is_kept).collect::<String>());
        let varying = [self.varying, setting.varying].concat();
        match unseen_but(&varying, if is_shown { &shown } else { "" }, &said) {
            Some(line) => Err(format!("it does not print\n{line}\nbut\n{said}")),
            None if setting.until.is_some() && said.contains("reports: reports/load") => told_early(folder.path()),
            None => Ok(()),
        }
    }

    fn filled(&self, text: &str, facts: &[(&str, &str)]) -> String {
        let known = self.placeholders.iter().fold(text.to_owned(), |text, (stands, for_it)| text.replace(stands, for_it));
        facts.iter().fold(known, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The entries that no page needs.
    fn needless(&self, pages: &[NamedText]) -> Vec<String> {
        let typed: Vec<Typed> = pages.iter().flat_map(|(path, text)| self.blocks(path, text).concat()).collect();
        let run: Vec<&Typed> = typed.iter().filter(|typed| self.is_run(typed)).collect();
        let is_shown = |begins: &str| run.iter().any(|typed| typed.shown.lines().any(|line| line.starts_with(begins)));
        let mut needless: Vec<String> = Vec::new();
        let holds = |text: &str| run.iter().any(|typed| typed.text.contains(text));
        needless.extend(self.placeholders.iter().filter(|(text, _)| !holds(text)).map(|(text, _)| (*text).to_owned()));
        for setting in self.settings {
            let own = |typed: &&&Typed| self.setting(typed).is_some_and(|found| std::ptr::eq(found, setting));
            let shown: String = run.iter().filter(own).map(|typed| typed.shown.as_str()).collect();
            let is_needed = run.iter().any(|typed| own(&typed));
            needless.extend((!is_needed).then(|| format!("{}: {}", setting.page, setting.command)));
            let unlike = setting
                .unlike
                .iter()
                .chain(setting.varying)
                .filter(|begins| !shown.lines().any(|line| line.starts_with(**begins)));
            needless.extend(unlike.map(|begins| format!("{}: {begins}", setting.page)));
        }
        needless.extend(self.varying.iter().filter(|begins| !is_shown(begins)).map(|begins| (*begins).to_owned()));
        let is_printed = |(page, begins, command): &(&str, &str, &str)| {
            run.iter().any(|typed| typed.page == *page && typed.text == *command && typed.shown.starts_with(begins))
        };
        needless.extend(self.outputs.iter().filter(|output| !is_printed(output)).map(|(_, begins, _)| (*begins).to_owned()));
        let is_needed = |begins: &str| typed.iter().any(|typed| is_left_out(typed, begins));
        needless.extend(self.unrun.iter().filter(|(begins, _)| !is_needed(begins)).map(|(begins, _)| (*begins).to_owned()));
        needless
    }
}

fn is_left_out(typed: &Typed, begins: &str) -> bool {
    let first = if typed.text.is_empty() { &typed.shown } else { &typed.text };
    first.starts_with(begins)
}

/// The report of a load that was ended says so.
fn told_early(folder: &Path) -> Result<(), String> {
    let report = report_of(folder, "load");
    if report["incomplete"] == true { Ok(()) } else { Err(format!("its report is one of a whole run: {report}")) }
}

fn served(options: &str) -> Serve {
    let options = words(options);
    Serve::start(&options.iter().map(String::as_str).collect::<Vec<_>>())
}

/// YAML blocks of a page that begin with a file's name are that file.
fn files(page: &str) -> Vec<NamedText> {
    let yaml = blocks(page).into_iter().filter(|block| block.language == "yaml");
    let name = |text: &str| text.lines().next()?.strip_prefix("# ").filter(|name| is_yaml(name)).map(str::to_owned);
    yaml.filter_map(|block| Some((name(&block.text)?, block.text))).collect()
}

/// Of a file in the folder itself; a pipeline's is elsewhere.
fn is_yaml(name: &str) -> bool {
    let path = Path::new(name);
    path.extension().is_some_and(|extension| extension == "yaml") && path.components().count() == 1
}

/// A word of a command for which a reader has to put something else, or by which it would call somebody.
fn left(command: &str) -> Option<String> {
    let words = words(command);
    let is_name = |word: &str| word.chars().all(|char| char.is_ascii_uppercase() || char == '_');
    let is_variable =
        |word: &str| word.strip_prefix('$').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_uppercase()));
    let is_left = |word: &str| PLACES.iter().any(|part| word.contains(part)) || is_name(word) || is_variable(word);
    let is_target = |at: usize| at > 0 && words[at - 1] == "--target" && words[at] != "target.yaml";
    let is_elsewhere = |at: usize| (is_target(at) || words[at].contains("://")) && !is_here(&words[at]);
    (0..words.len()).find(|at| is_left(&words[*at]) || is_elsewhere(*at)).map(|at| words[at].clone())
}

fn is_here(address: &str) -> bool {
    address.starts_with("http://127.0.0.1:")
}

/// Whether it has ended as its page shows; an error, where it has not ended as is documented.
fn is_end(setting: &Setting, typed: &Typed, code: i32, said: &str) -> Result<bool, String> {
    let verdicts = [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 4)];
    let shown = typed.shown.lines().rev().find_map(|line| verdicts.iter().find(|(verdict, _)| line.starts_with(verdict)));
    let by_page = [(shown.map_or(0, |(_, code)| *code), "")];
    let ends = if setting.ends.is_empty() { &by_page[..] } else { setting.ends };
    let is_this = |(own, line): &(i32, &str)| *own == code && (line.is_empty() || said.lines().any(|told| fits(line, told)));
    match ends.iter().position(is_this) {
        Some(place) => Ok(place == 0),
        None => Err(format!("it ends with {code}, not as one of {ends:?}\n{said}")),
    }
}
