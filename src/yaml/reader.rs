//! A reader that knows where it is: YAML values into types, with every problem located, and all of them at once.
//!
//! serde stops at the first problem. So `read` hides the node that is wrong and reads again, until nothing is left to say.
//! Never a place of its own making: see [`crate::yaml::source`].

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned, Visitor};
use serde_yaml::{Mapping, Value};

use super::mistake::Pruning;
pub use super::mistake::{Moved, describe, is_partial};
use super::node::Node;
use super::source::{Problem, SourceFile, child_path, item_path};

/// So many problems of one scenario are told; each costs a reading of it.
const MOST_PROBLEMS: usize = 100;

/// Reads a whole file of another kind: a target, a load plan, clauses.
pub fn read_file<T: DeserializeOwned>(path: &str, text: &str) -> (Arc<SourceFile>, Read<T>) {
    let source = Arc::new(SourceFile::new(path, text));
    let (value, mut problems) = parse(&source);
    let Some(value) = value else { return (source, Read { value: None, problems, hidden: HashSet::new() }) };
    let mut read = read::<T>(&source, &value, "", &Moved::default());
    problems.append(&mut read.problems);
    (source, Read { problems, ..read })
}

/// What was read of a node.
pub struct Read<T> {
    /// What is left without the nodes that are wrong; `None` where too little is left.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
    /// Index paths of the nodes that were left out.
    pub hidden: HashSet<String>,
}

/// The file's values, where it is YAML that can be read, and what is wrong with it as YAML.
pub fn parse(source: &SourceFile) -> (Option<Value>, Vec<Problem>) {
    let mut problems = source.problems().to_vec();
    if !source.is_readable() {
        return (None, problems);
    }
    match <Lenient as de::Deserialize>::deserialize(serde_yaml::Deserializer::from_str(&source.text)) {
        Ok(Lenient(mut value)) => {
            name_keys(&mut value, source, "", &mut problems);
            (Some(value), problems)
        }
        Err(error) => {
            let byte = error.location().map_or(0, |location| location.index());
            let help = Some("check the indentation, quotes and brackets here".to_owned());
            problems.push(source.problem_at_byte(byte, format!("this is not YAML: {error}"), help));
            (None, problems)
        }
    }
}

/// Reads `T` from the node at `path`.
pub fn read<T: DeserializeOwned>(source: &SourceFile, value: &Value, path: &str, moved: &Moved) -> Read<T> {
    let mut problems = Vec::new();
    let mut cut = Pruning { root: path.to_owned(), ..Pruning::default() };
    loop {
        let error = match T::deserialize(Node { value, path: path.to_owned(), cut: &cut }) {
            Ok(value) => return Read { value: Some(value), problems, hidden: cut.hidden },
            Err(error) => error,
        };
        if !error.follows_from(&cut) {
            problems.push(error.problem(source, moved));
        }
        if !cut.away(&error) || problems.len() == MOST_PROBLEMS {
            return Read { value: None, problems, hidden: cut.hidden };
        }
    }
}

/// A YAML value whose mappings may hold a key twice (the first stays): the scan tells of it, and the rest is read all the same.
struct Lenient(Value);

impl<'de> de::Deserialize<'de> for Lenient {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Lenient, D::Error> {
        struct LenientVisitor;
        impl<'de> Visitor<'de> for LenientVisitor {
            type Value = Lenient;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Lenient, E> {
                Ok(Lenient(Value::Null))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Lenient, A::Error> {
                let mut items = Vec::new();
                while let Some(Lenient(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Lenient(Value::Sequence(items)))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Lenient, A::Error> {
                let mut mapping = Mapping::new();
                while let Some((Lenient(key), Lenient(value))) = map.next_entry()? {
                    mapping.entry(key).or_insert(value);
                }
                Ok(Lenient(Value::Mapping(mapping)))
            }
        }
        deserializer.deserialize_any(LenientVisitor)
    }
}

/// Turns keys that are no texts into texts, and says so.
fn name_keys(value: &mut Value, source: &SourceFile, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                name_keys(item, source, &item_path(path, index), problems);
            }
        }
        Value::Mapping(mapping) => {
            for (key, mut value) in std::mem::take(mapping) {
                let name = scalar_text(&key).unwrap_or_default();
                let child = child_path(path, &name);
                if !key.is_string() {
                    let message = format!("this key is {}, not a text", describe(&key));
                    problems.push(source.key_problem(&child, message, Some(format!("quote it: \"{name}\""))));
                }
                name_keys(&mut value, source, &child, problems);
                mapping.entry(Value::String(name)).or_insert(value);
            }
        }
        _ => {}
    }
}

/// A scalar as it stands in a text; `None` for a list or a mapping.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}
