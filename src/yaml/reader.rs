//! A reader that knows where it is: YAML values into types, with every problem located, and all of them at once.
//!
//! serde stops at the first problem. So `read` hides the node that is wrong and reads again, until nothing is left to say.
//! Never a place of its own making: see [`crate::yaml::source`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, Unexpected, Visitor};
use serde_yaml::{Mapping, Value};

use super::source::{Problem, SourceFile, child_path, item_path};
use super::suggest;

/// So many problems of one scenario are told; each costs a reading of it.
const MOST_PROBLEMS: usize = 100;

/// Reads a whole file of another kind: a target, a load plan.
pub fn read_file<T: DeserializeOwned>(path: &str, text: &str) -> (Arc<SourceFile>, Result<T, Vec<Problem>>) {
    let source = Arc::new(SourceFile::new(path, text));
    let (value, mut problems) = parse(&source);
    let read = value.map(|value| read::<T>(&source, &value, "", &Moved::default()));
    let value = read.and_then(|read| {
        problems.extend(read.problems);
        read.value
    });
    let result = value.filter(|_| problems.is_empty()).ok_or(problems);
    (source, result)
}

/// What was read of a node.
pub struct Read<T> {
    /// What is left without the nodes that are wrong; `None` where too little is left.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
    /// Index paths of the nodes that were left out.
    pub hidden: HashSet<String>,
}

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
            let place = error.location().map(|location| crate::yaml::source::Place {
                line: location.line(),
                column: location.column(),
                span: location.index().min(source.text.len())..location.index().min(source.text.len()),
            });
            let help = Some("check the indentation, quotes and brackets here".to_owned());
            problems.push(Problem { path: source.path.clone(), place, message: format!("this is not YAML: {error}"), help });
            (None, problems)
        }
    }
}

/// Reads `T` from the node at `path`.
pub fn read<T: DeserializeOwned>(source: &SourceFile, value: &Value, path: &str, moved: &Moved) -> Read<T> {
    let mut problems = Vec::new();
    let mut cut = Cut { root: path.to_owned(), ..Cut::default() };
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

/// What is left out of a tree, and what stands in for it.
#[derive(Default)]
struct Cut {
    root: String,
    hidden: HashSet<String>,
    /// Fields that the root lacks: read as an empty text or list, so that one slip at the top hides nothing below.
    stand_ins: Vec<&'static str>,
}

impl Cut {
    /// Leaves out what was wrong; `false` where that leaves nothing to read.
    fn away(&mut self, error: &Error) -> bool {
        match error.kind {
            Kind::MissingField(field) if error.path() == self.root && !self.stand_ins.contains(&field) => {
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

    fn hides(&self, path: &str) -> bool {
        self.hidden.contains(path)
    }

    fn stands_in(&self, path: &str) -> bool {
        path.strip_prefix(&self.root)
            .is_some_and(|field| self.stand_ins.iter().any(|known| field.strip_prefix('/') == Some(known)))
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

/// One thing that kept a value from being read.
#[derive(Debug)]
struct Error {
    /// Where; `None` until the node that raised it has been left.
    path: Option<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
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

impl Error {
    fn new(path: &str, kind: Kind) -> Error {
        Error { path: Some(path.to_owned()), kind }
    }

    fn wrong(path: &str, expected: impl Into<String>, found: &Value) -> Error {
        Error::new(path, Kind::Wrong { expected: expected.into(), found: describe(found) })
    }

    /// The innermost node that the error passes is where it belongs.
    fn at(mut self, path: &str) -> Error {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// Whether it is there only because a node was hidden.
    fn follows_from(&self, cut: &Cut) -> bool {
        match &self.kind {
            Kind::MissingField(field) => cut.hides(&child_path(self.path(), field)),
            Kind::NoVariant { .. } => {
                cut.hidden.iter().any(|path| path.rsplit_once('/').is_some_and(|(parent, _)| parent == self.path()))
            }
            _ => false,
        }
    }

    /// The node without which reading can go on.
    fn hide(&self) -> String {
        match &self.kind {
            // Its neighbour is in the wrong step, so neither says what was meant.
            Kind::SecondVariant { .. } => self.path().rsplit_once('/').map_or("", |(parent, _)| parent).to_owned(),
            _ => self.path().to_owned(),
        }
    }

    fn problem(&self, source: &SourceFile, moved: &Moved) -> Problem {
        let path = moved.in_file(self.path());
        match &self.kind {
            Kind::UnknownField { field, known } => {
                source.key_problem(&path, format!("unknown field `{field}`"), suggest::help(field, known.iter().copied()))
            }
            Kind::UnknownVariant { variant, known, is_key } => {
                let problem = if *is_key { SourceFile::key_problem } else { SourceFile::problem };
                let help = suggest::help(variant, known.iter().copied());
                problem(source, &path, format!("{} is not known here", quoted(variant)), help)
            }
            Kind::MissingField(field) => {
                source.key_problem(&path, format!("`{field}` is missing"), Some(format!("add `{field}: …`")))
            }
            Kind::Wrong { expected, found } => source.problem(&path, format!("expected {expected}, found {found}"), None),
            Kind::NoVariant { known } => {
                source.key_problem(&path, "nothing is said to be done here", Some(format!("write one of {}", known.join(", "))))
            }
            Kind::SecondVariant { first, second, is_variant } => {
                let help = if *is_variant {
                    format!("begin an item of its own: `- {second}: …`")
                } else {
                    format!("indent it further than `{first}`")
                };
                source.key_problem(&path, format!("`{second}` stands beside `{first}`"), Some(help))
            }
            Kind::Custom(message) => source.problem(&path, message.clone(), None),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.kind, self.path())
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        Error { path: None, kind: Kind::Custom(message.to_string()) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
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
        Error { path: None, kind: Kind::Wrong { expected: expected.to_string(), found } }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Error {
        Error { path: None, kind: Kind::UnknownField { field: field.to_owned(), known } }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Error {
        Error { path: None, kind: Kind::UnknownVariant { variant: variant.to_owned(), known, is_key: true } }
    }

    fn missing_field(field: &'static str) -> Error {
        Error { path: None, kind: Kind::MissingField(field) }
    }
}

/// One node of the tree, without what is hidden.
struct Node<'de, 'h> {
    value: &'de Value,
    path: String,
    cut: &'h Cut,
}

impl<'de> Node<'de, '_> {
    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.cut.stands_in(&self.path) {
            return visitor.visit_seq(Items { items: [].iter().enumerate(), list: &self });
        }
        let Value::Sequence(items) = self.value else { return Err(Error::wrong(&self.path, "a list", self.value)) };
        visitor.visit_seq(Items { items: items.iter().enumerate(), list: &self }).map_err(|error| error.at(&self.path))
    }

    fn mapping<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Mapping(mapping) = self.value else { return Err(Error::wrong(&self.path, "a mapping", self.value)) };
        let stand_ins = if self.path == self.cut.root { self.cut.stand_ins.iter() } else { [].iter() };
        let entries = Entries { rest: mapping.iter(), stand_ins, value: None, mapping: &self };
        visitor.visit_map(entries).map_err(|error| error.at(&self.path))
    }

    fn whole_number<V: Visitor<'de>>(self, visitor: V, least: i128, most: i128) -> Result<V::Value, Error> {
        let number = match self.value {
            Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
            _ => None,
        };
        let Some(number) = number.filter(|number| (least..=most).contains(number)) else {
            let expected = match (least, most) {
                (0, most) if most > i128::from(u32::MAX) => "a whole number, 0 or more".to_owned(),
                (least, most) if least < i128::from(i32::MIN) && most > i128::from(i32::MAX) => "a whole number".to_owned(),
                _ => format!("a whole number from {least} to {most}"),
            };
            return Err(Error::wrong(&self.path, expected, self.value));
        };
        match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => return Err(Error::wrong(&self.path, "a whole number", self.value)),
        }
        .map_err(|error: Error| error.at(&self.path))
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.cut.stands_in(&self.path) {
            return visitor.visit_str("");
        }
        let Value::String(text) = self.value else {
            return Err(Error::wrong(&self.path, "a text (quote a number)", self.value));
        };
        visitor.visit_borrowed_str(text).map_err(|error: Error| error.at(&self.path))
    }

    fn child(&self, key: &str) -> String {
        child_path(&self.path, key)
    }

    fn entries(&self, mapping: &'de Mapping) -> impl Iterator<Item = (&'de str, &'de Value, String)> {
        let visible = mapping.iter().filter_map(|(key, value)| {
            let key = key.as_str()?;
            Some((key, value, self.child(key)))
        });
        visible.filter(|(_, _, path)| !self.cut.hides(path))
    }
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.whole_number(visitor, i128::from(<$type>::MIN), i128::from(<$type>::MAX))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_i64(number),
                (_, Some(number), _) => visitor.visit_u64(number),
                (_, _, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(_) => return self.list(visitor),
            Value::Mapping(_) => return self.mapping(visitor),
            Value::Tagged(_) => return Err(Error::wrong(&self.path, "a value without a tag", self.value)),
        };
        result.map_err(|error: Error| error.at(&self.path))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Bool(value) = self.value else { return Err(Error::wrong(&self.path, "true or false", self.value)) };
        visitor.visit_bool(*value).map_err(|error: Error| error.at(&self.path))
    }

    whole_numbers! {
        deserialize_i8: i8; deserialize_i16: i16; deserialize_i32: i32; deserialize_i64: i64;
        deserialize_u8: u8; deserialize_u16: u16; deserialize_u32: u32; deserialize_u64: u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(number) = self.value.as_f64() else { return Err(Error::wrong(&self.path, "a number", self.value)) };
        visitor.visit_f64(number).map_err(|error: Error| error.at(&self.path))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_unit() } else { Err(Error::wrong(&self.path, "nothing", self.value)) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.mapping(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let chosen = match self.value {
            Value::String(text) => Variant { name: text, path: self.path.clone(), content: None },
            Value::Mapping(mapping) => {
                let mut entries = self.entries(mapping);
                let Some((name, value, path)) = entries.next() else {
                    return Err(Error::new(&self.path, Kind::NoVariant { known }));
                };
                if let Some((second, _, path)) = entries.next() {
                    let is_variant = known.contains(&second);
                    let kind = Kind::SecondVariant { first: name.to_owned(), second: second.to_owned(), is_variant };
                    return Err(Error::new(&path, kind));
                }
                Variant { name, path: path.clone(), content: Some(Node { value, path, cut: self.cut }) }
            }
            other => return Err(Error::wrong(&self.path, format!("one of {}", known.join(", ")), other)),
        };
        visitor.visit_enum(chosen).map_err(|error| error.at(&self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

struct Items<'n, 'de, 'h> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    list: &'n Node<'de, 'h>,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for (index, value) in self.items.by_ref() {
            let path = item_path(&self.list.path, index);
            if !self.list.cut.hides(&path) {
                return seed.deserialize(Node { value, path, cut: self.list.cut }).map(Some);
            }
        }
        Ok(None)
    }
}

struct Entries<'n, 'de, 'h> {
    rest: serde_yaml::mapping::Iter<'de>,
    stand_ins: std::slice::Iter<'h, &'static str>,
    value: Option<Node<'de, 'h>>,
    mapping: &'n Node<'de, 'h>,
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for (key, value) in self.rest.by_ref() {
            let Some(key) = key.as_str() else { continue };
            let path = self.mapping.child(key);
            if self.mapping.cut.hides(&path) {
                continue;
            }
            let key: StrDeserializer<'_, Error> = key.into_deserializer();
            let result = seed.deserialize(key).map_err(|error| error.at(&path));
            self.value = Some(Node { value, path, cut: self.mapping.cut });
            return result.map(Some);
        }
        let Some(field) = self.stand_ins.next() else { return Ok(None) };
        self.value = Some(Node { value: &Value::Null, path: self.mapping.child(field), cut: self.mapping.cut });
        let key: StrDeserializer<'_, Error> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.value.take() {
            Some(node) => seed.deserialize(node),
            None => Err(de::Error::custom("an entry without a value")),
        }
    }
}

/// A variant's name, and its content where it was written as `name: content`.
struct Variant<'de, 'h> {
    name: &'de str,
    path: String,
    content: Option<Node<'de, 'h>>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(variant) => Ok((variant, self)),
            Err(Error { kind: Kind::UnknownVariant { variant, known, .. }, .. }) => {
                Err(Error::new(&self.path, Kind::UnknownVariant { variant, known, is_key: self.content.is_some() }))
            }
            Err(error) => Err(error.at(&self.path)),
        }
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(node) => Err(Error::wrong(&node.path, format!("just the word `{}`", self.name), node.value)),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        match self.content {
            Some(node) => seed.deserialize(node),
            None => Err(Error::new(&self.path, Kind::Custom(format!("`{0}` needs to be told what: write `{0}: …`", self.name)))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(std::marker::PhantomData::<de::IgnoredAny>)?;
        visitor.visit_unit()
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Some(node) => node.mapping(visitor),
            None => Err(Error::new(&self.path, Kind::Custom(format!("`{0}` needs a mapping: write `{0}: {{…}}`", self.name)))),
        }
    }
}
