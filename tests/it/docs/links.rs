//! Every link of the pages leads somewhere.

use std::collections::BTreeSet;
use std::path::Path;

use super::{pages, prose, read};

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
