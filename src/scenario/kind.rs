//! What a file is for: told by the fields at its top, the same for every command.

use crate::yaml::source::{Problem, SourceFile, child_path};
use crate::yaml::suggest;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    Scenarios,
    Plan,
    Race,
    Target,
    Clauses,
}

/// A kind, what messages call it, the command that takes it, the field that only it has, and all that it may have.
struct KindOfFile {
    kind: FileKind,
    name: &'static str,
    command: &'static str,
    mark: &'static str,
    fields: &'static [&'static str],
}

/// Of two kinds that a file could be, the first.
const KINDS: &[KindOfFile] = &[
    KindOfFile {
        kind: FileKind::Scenarios,
        name: "a file of scenarios",
        command: "msgext run",
        mark: "scenarios",
        // One without its list, too.
        fields: &["id", "title", "clauses", "steps", "tags", "cases"],
    },
    KindOfFile {
        kind: FileKind::Plan,
        name: "a load plan",
        command: "msgext load",
        mark: "phases",
        fields: &["title", "connections", "timeout", "messages", "skip-later-than", "limits", "traffic", "checks"],
    },
    KindOfFile {
        kind: FileKind::Race,
        name: "a race plan",
        command: "msgext race",
        mark: "clients",
        fields: &["title", "messages", "keys", "operations", "kvs", "mix", "seq", "as"],
    },
    KindOfFile {
        kind: FileKind::Target,
        name: "a target file",
        command: "msgext run --target",
        mark: "url",
        fields: &["sdkappid", "admin", "members", "member-calls", "read-back", "messages", "without-plan", "readings"],
    },
    KindOfFile { kind: FileKind::Clauses, name: "a file of clauses", command: "msgext check", mark: "clauses", fields: &[] },
];

impl KindOfFile {
    fn all_fields(&self) -> impl Iterator<Item = &'static str> + Clone {
        std::iter::once(self.mark).chain(self.fields.iter().copied())
    }
}

impl FileKind {
    /// `None` where the file has no field of any kind at its top, not even a misspelt one.
    pub fn of(source: &SourceFile) -> Option<FileKind> {
        let has = |field: &str| source.has(&child_path("", field));
        let fields = |kind: &&KindOfFile| kind.fields.iter().filter(|field| has(field)).count();
        let most = KINDS.iter().map(|kind| fields(&kind)).max().unwrap_or_default();
        // A scenario names clauses, too.
        let marked = KINDS.iter().find(|kind| has(kind.mark) && (kind.kind != FileKind::Clauses || most < 2));
        let likeliest = || KINDS.iter().find(|kind| most > 0 && fields(kind) == most);
        let misspelt = || {
            // Any two letters are near to `as`.
            let telling = |field: &&str| field.len() > 2;
            let near = |kind: &&KindOfFile| {
                source.top().any(|field| suggest::nearest(field, kind.all_fields().filter(telling)).is_some())
            };
            KINDS.iter().find(near)
        };
        marked.or_else(likeliest).or_else(misspelt).map(|kind| kind.kind)
    }
}

/// Says so where a file that was to be of one kind is of another.
pub fn misplaced(source: &SourceFile, wanted: FileKind) -> Option<Problem> {
    let found = FileKind::of(source).filter(|found| *found != wanted)?;
    let found = KINDS.iter().find(|kind| kind.kind == found)?;
    let field = found.all_fields().map(|field| child_path("", field)).find(|field| source.has(field))?;
    let message = format!("this is {}: {} {}", found.name, found.command, source.path);
    Some(source.key_problem(&field, message, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<FileKind> {
        FileKind::of(&SourceFile::new("f.yaml", text))
    }

    #[test]
    fn a_file_is_known_by_its_fields_in_either_syntax_and_with_one_misspelt() {
        for (text, expected) in [
            ("scenarios: []", Some(FileKind::Scenarios)),
            (r#"{"title": "t", "messages": 4, "phases": [{"name": "a", "rate": "20/s", "for": "1s"}]}"#, Some(FileKind::Plan)),
            ("title: t\nphasess: []\nconnections: 4\n", Some(FileKind::Plan)),
            ("url: singapore", Some(FileKind::Target)),
            ("ulr: singapore\nsdkappid: 1\n", Some(FileKind::Target)),
            ("clauses: []", Some(FileKind::Clauses)),
            ("id: a\ntitle: t\nclauses: [SEQ-1]\nsteps: []\n", Some(FileKind::Scenarios)),
            ("scenarois: []", Some(FileKind::Scenarios)),
            ("phase: []", Some(FileKind::Plan)),
            ("services: {web: {image: nginx}}", None),
            ("[1, 2]", None),
            ("", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_told_with_the_command_that_takes_it() {
        let told = |text: &str, wanted| misplaced(&SourceFile::new("f.yaml", text), wanted).map(|problem| problem.message);
        let plan = "title: t\nphases: []\n";
        assert_eq!(told(plan, FileKind::Plan), None);
        assert_eq!(told(plan, FileKind::Scenarios).as_deref(), Some("this is a load plan: msgext load f.yaml"));
        assert_eq!(told("scenarios: []", FileKind::Plan).as_deref(), Some("this is a file of scenarios: msgext run f.yaml"));
        assert_eq!(told("url: usa", FileKind::Plan).as_deref(), Some("this is a target file: msgext run --target f.yaml"));
        assert_eq!(told("x: 1", FileKind::Plan), None);
    }
}
