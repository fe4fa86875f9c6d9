//! What keeps a value from being read, where, and what is left out of the tree so that the rest can be.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{self, Expected, Unexpected};
use serde_yaml::Value;

use super::source::{Problem, SourceFile, child_path};
use super::suggest;

/// Nodes of an expanded tree that stand elsewhere in the file: index path in the tree to index path in the file.
#[derive(Clone, Debug, Default)]
pub struct Moved(pub BTreeMap<String, String>);

impl Moved {
    /// Where the node of the tree stands in the file.
    pub fn in_file(&self, path: &str) -> String {
        let mut head = path;
        loop {
            if let Some(moved) = self.0.get(head) {
                return format!("{moved}{}", &path[head.len()..]);
            }
            match head.rfind('/') {
                Some(end) => head = &head[..end],
                None => return path.to_owned(),
            }
        }
    }
}

/// One thing that kept a value from being read.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Where; `None` until the node that raised it has been left.
    pub(super) path: Option<String>,
    pub(super) kind: MistakeKind,
}

#[derive(Debug)]
pub(super) enum MistakeKind {
    UnknownField {
        field: String,
        known: &'static [&'static str],
    },
    UnknownVariant {
        variant: String,
        known: &'static [&'static str],
        is_key: bool,
    },
    MissingField(&'static str),
    /// Of the wrong type, or out of range.
    Wrong {
        expected: String,
        found: String,
    },
    /// A mapping that should hold one of the variants holds nothing.
    NoVariant {
        known: &'static [&'static str],
    },
    /// A mapping that should hold one variant holds another entry, too.
    SecondVariant {
        first: String,
        second: String,
        is_variant: bool,
    },
    /// Raised by a type: the message says what to do.
    Custom(String),
}

impl Mistake {
    pub(super) fn new(path: &str, kind: MistakeKind) -> Mistake {
        Mistake { path: Some(path.to_owned()), kind }
    }

    pub(super) fn wrong(path: &str, expected: impl Into<String>, found: &Value) -> Mistake {
        Mistake::new(path, MistakeKind::Wrong { expected: expected.into(), found: describe(found) })
    }

    /// The innermost node that the error passes is where it belongs.
    pub(super) fn at(mut self, path: &str) -> Mistake {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// Whether it is there only because a node was hidden.
    pub(super) fn follows_from(&self, cut: &Pruning) -> bool {
        match &self.kind {
            MistakeKind::MissingField(field) => cut.hides(&child_path(self.path(), field)),
            MistakeKind::NoVariant { .. } => is_partial(&cut.hidden, self.path()),
            _ => false,
        }
    }

    /// The node without which reading can go on.
    pub(super) fn hide(&self) -> String {
        match &self.kind {
            // Its neighbour is in the wrong step, so neither says what was meant.
            MistakeKind::SecondVariant { .. } => self.path().rsplit_once('/').map_or("", |(parent, _)| parent).to_owned(),
            _ => self.path().to_owned(),
        }
    }

    pub(super) fn problem(&self, source: &SourceFile, moved: &Moved) -> Problem {
        let path = moved.in_file(self.path());
        match &self.kind {
            MistakeKind::UnknownField { field, known } => {
                source.key_problem(&path, format!("unknown field `{field}`"), suggest::help(field, known.iter().copied()))
            }
            MistakeKind::UnknownVariant { variant, known, is_key } => {
                let problem = if *is_key { SourceFile::key_problem } else { SourceFile::problem };
                let help = suggest::help(variant, known.iter().copied());
                problem(source, &path, format!("{} is not known here", quoted(variant)), help)
            }
            MistakeKind::MissingField(field) => {
                source.key_problem(&path, format!("`{field}` is missing"), Some(format!("add `{field}: …`")))
            }
            MistakeKind::Wrong { expected, found } => source.problem(&path, format!("expected {expected}, found {found}"), None),
            MistakeKind::NoVariant { known } => {
                source.key_problem(&path, "nothing is said to be done here", Some(format!("write one of {}", known.join(", "))))
            }
            MistakeKind::SecondVariant { first, second, is_variant } => {
                let help = if *is_variant {
                    format!("begin an item of its own: `- {second}: …`")
                } else {
                    format!("indent it further than `{first}`")
                };
                source.key_problem(&path, format!("`{second}` stands beside `{first}`"), Some(help))
            }
            MistakeKind::Custom(message) => source.problem(&path, message.clone(), None),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.kind, self.path())
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Mistake {
        Mistake { path: None, kind: MistakeKind::Custom(message.to_string()) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        let found = match found {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Float(number) => format!("the number {number}"),
            Unexpected::Str(text) => format!("the text {}", quoted(text)),
            Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a mapping".to_owned(),
            other => other.to_string(),
        };
        let expected = match expected.to_string() {
            // serde's words for a `NonZero`.
            expected if expected.starts_with("a nonzero ") => "a whole number, 1 or more".to_owned(),
            expected => expected,
        };
        Mistake { path: None, kind: MistakeKind::Wrong { expected, found } }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        Mistake::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Mistake {
        Mistake { path: None, kind: MistakeKind::UnknownField { field: field.to_owned(), known } }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Mistake {
        Mistake { path: None, kind: MistakeKind::UnknownVariant { variant: variant.to_owned(), known, is_key: true } }
    }

    fn missing_field(field: &'static str) -> Mistake {
        Mistake { path: None, kind: MistakeKind::MissingField(field) }
    }
}

/// What is left out of a tree, and what stands in for it.
#[derive(Default)]
pub(super) struct Pruning {
    pub(super) root: String,
    pub(super) hidden: HashSet<String>,
    /// Fields that the root lacks: read as an empty text or list, so that one slip at the top hides nothing below.
    pub(super) stand_ins: Vec<&'static str>,
}

impl Pruning {
    /// Leaves out what was wrong; `false` where that leaves nothing to read.
    pub(super) fn away(&mut self, error: &Mistake) -> bool {
        match error.kind {
            MistakeKind::MissingField(field) if error.path() == self.root && !self.stand_ins.contains(&field) => {
                self.hidden.insert(child_path(&self.root, field));
                self.stand_ins.push(field);
                true
            }
            _ => {
                let hide = error.hide();
                hide != self.root && self.hidden.insert(hide)
            }
        }
    }

    pub(super) fn hides(&self, path: &str) -> bool {
        self.hidden.contains(path)
    }

    pub(super) fn stands_in(&self, path: &str) -> bool {
        path.strip_prefix(&self.root)
            .is_some_and(|field| self.stand_ins.iter().any(|known| field.strip_prefix('/') == Some(known)))
    }
}

/// Whether a part of the node was left out.
pub fn is_partial(hidden: &HashSet<String>, path: &str) -> bool {
    hidden.iter().any(|hidden| hidden.rsplit_once('/').is_some_and(|(parent, _)| parent == path))
}

/// The value in a few words: "the number 5", "a list".
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(_) => "a tagged value".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() > MOST {
        format!("`{}…`", text.chars().take(MOST).collect::<String>())
    } else {
        format!("`{text}`")
    }
}
