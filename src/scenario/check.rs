//! Files of any kind, each read as what it is, and everything that is wrong with them.

use std::collections::BTreeMap;

use super::conform::plan;
pub use super::kind::FileKind;
use super::{load, race, target};
use crate::spec::Spec;
use crate::yaml::reader::read_file;
use crate::yaml::source::{Problem, SourceFile};

/// What some files hold, and everything that is wrong with them.
#[derive(Debug, Default)]
pub struct FilesRead {
    pub files: BTreeMap<FileKind, usize>,
    pub scenarios: usize,
    pub problems: Vec<Problem>,
}

/// Reads files (path and text of each), each as what it is.
pub fn check(files: &[(String, String)], spec: &Spec) -> FilesRead {
    let mut read = FilesRead::default();
    let mut scenarios = Vec::new();
    for (path, text) in files {
        let source = SourceFile::new(path, text);
        // A file that is no YAML is what its first lines say, and one without a value is nothing at all.
        let Some(kind) = FileKind::of(&source) else {
            read.problems.extend(unknown(&source));
            continue;
        };
        *read.files.entry(kind).or_default() += 1;
        read.problems.extend(match kind {
            FileKind::Scenarios => {
                scenarios.push((path.clone(), text.clone()));
                Vec::new()
            }
            FileKind::Target => target::load(path, text, spec).err().unwrap_or_default(),
            FileKind::Plan => load::load(path, text).1.err().unwrap_or_default(),
            FileKind::Race => race::load(path, text).1.err().unwrap_or_default(),
            FileKind::Clauses => read_file::<Spec>(path, text).1.problems,
        });
    }
    let (planned, problems) = plan::load(scenarios, spec);
    read.problems.extend(problems);
    read.scenarios = planned.len();
    read
}

/// A file of no kind: not YAML, empty, or of another tool.
fn unknown(source: &SourceFile) -> Vec<Problem> {
    if !source.problems().is_empty() {
        return source.problems().to_vec();
    }
    let marks = "scenarios have `scenarios` at the top, a load plan has `phases`, a race plan `clients`, a target file `url`";
    vec![source.problem("", "nothing at the top of this file says what it is for", Some(marks.to_owned()))]
}
