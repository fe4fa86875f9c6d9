//! What README.md, docs/ and deploy/ tell a reader to type. Every command is one that there is and does what the page says, but for the
//! few that no test can run; every YAML block is read without a problem, and every link leads somewhere.

mod commands;
mod killed;
mod links;
mod runs;
mod shell;
mod shown;
mod tables;
mod tutorial;

use std::fs;

use crate::support::binary::msgext_in;

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
