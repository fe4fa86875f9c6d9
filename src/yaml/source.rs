//! Where things stand in a YAML file: index paths to lines and columns, and problems that point there.
//!
//! [`SourceFile::new`] also refuses what would make a file unsafe or ambiguous to read: aliases, tags, endless nesting,
//! a key that stands twice. Never a value: see [`crate::yaml::reader`].

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScanError, Span};

/// Deepest nesting of lists and mappings. Whatever walks the tree by recursion relies on it.
pub const MAX_DEPTH: usize = 64;

/// A marker beyond every text.
const END_OF_TEXT: usize = usize::MAX;

/// One YAML file with its index of places.
#[derive(Debug, Default)]
pub struct SourceFile {
    /// As given on the command line; `scenarios/…` for a bundled one.
    pub path: String,
    pub text: String,
    /// Index path (`/scenarios/3/steps/1/set`) to where the node stands.
    places: HashMap<String, Place>,
    /// Index path of a mapping's entry to where its key stands.
    keys: HashMap<String, Place>,
    problems: Vec<Problem>,
    readable: bool,
}

/// Where a node stands. Never more than one line: of a longer node, its key or its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes of the file's text.
    pub span: Range<usize>,
}

/// The beginning of a file.
const START: Place = Place { line: 1, column: 1, span: 0..0 };

/// One thing that is wrong in a file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    /// `None` where it must not be shown.
    pub place: Option<Place>,
    pub message: String,
    pub help: Option<String>,
}

impl SourceFile {
    /// Builds the index. What is wrong with the file as YAML is in [`SourceFile::problems`].
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> SourceFile {
        let (path, text) = (path.into(), text.into());
        let mut scan = Scan::new(&path, &text);
        scan.run();
        let Scan { places, keys, problems, readable, .. } = scan;
        SourceFile { path, text, places, keys, problems, readable }
    }

    /// Whether the file has a node of this index path.
    pub fn has(&self, index_path: &str) -> bool {
        self.places.contains_key(index_path)
    }

    /// The fields at the file's top, in no order.
    pub fn top(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().filter_map(|path| path.strip_prefix('/')).filter(|field| !field.contains('/'))
    }

    /// Where the node stands, or the nearest node around it.
    pub fn place(&self, index_path: &str) -> Option<&Place> {
        let mut path = index_path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(place);
            }
            path = &path[..path.rfind('/')?];
        }
    }

    /// Where the key of a mapping's entry stands, or the nearest node around it.
    pub fn key_place(&self, index_path: &str) -> Option<&Place> {
        self.keys.get(index_path).or_else(|| self.place(index_path))
    }

    /// What is wrong with the file as YAML: its syntax, keys that stand twice, aliases.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the values can be read in spite of [`SourceFile::problems`].
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// A problem with the node at `index_path`.
    pub fn problem(&self, index_path: &str, message: impl Into<String>, help: Option<String>) -> Problem {
        self.problem_at(self.place(index_path).cloned().unwrap_or(START), message, help)
    }

    /// A problem with the key of the entry at `index_path`.
    pub fn key_problem(&self, index_path: &str, message: impl Into<String>, help: Option<String>) -> Problem {
        self.problem_at(self.key_place(index_path).cloned().unwrap_or(START), message, help)
    }

    /// A problem at a byte of the text, or at the nearest character before it.
    pub fn problem_at_byte(&self, byte: usize, message: impl Into<String>, help: Option<String>) -> Problem {
        self.problem_at(at_byte(&self.text, byte), message, help)
    }

    fn problem_at(&self, place: Place, message: impl Into<String>, help: Option<String>) -> Problem {
        Problem { path: self.path.clone(), place: Some(place), message: message.into(), help }
    }
}

/// A byte of a text, or the nearest character before it.
fn at_byte(text: &str, byte: usize) -> Place {
    let offset = text.floor_char_boundary(byte);
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    Place { line, column: before[line_start..].chars().count() + 1, span: offset..offset }
}

/// The index path of an entry: `/` and `~` in keys are escaped as in JSON pointers.
pub fn child_path(parent: &str, key: &str) -> String {
    let mut path = String::with_capacity(parent.len() + 1 + key.len());
    path.push_str(parent);
    path.push('/');
    for character in key.chars() {
        match character {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            other => path.push(other),
        }
    }
    path
}

/// The index path of a list's item.
pub fn item_path(parent: &str, index: usize) -> String {
    let mut path = parent.to_owned();
    // Writing to a String cannot fail.
    let _ = write!(path, "/{index}");
    path
}

/// One walk over the events of a file. No recursion: nesting is still unchecked here.
struct Scan<'t> {
    path: &'t str,
    text: &'t str,
    /// Byte offset of each character; empty where they are the same.
    offsets: Vec<usize>,
    open: Vec<Collection>,
    places: HashMap<String, Place>,
    keys: HashMap<String, Place>,
    problems: Vec<Problem>,
    readable: bool,
}

/// A list or mapping whose end has not been seen.
struct Collection {
    path: String,
    start: Marker,
    kind: CollectionKind,
}

enum CollectionKind {
    List { next: usize },
    Mapping { seen: HashSet<String>, key: Option<(String, Place)> },
}

/// A node's index path, and its key where it is a mapping's entry.
struct Slot {
    path: String,
    key: Option<Place>,
}

impl<'t> Scan<'t> {
    fn new(path: &'t str, text: &'t str) -> Scan<'t> {
        let offsets = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(offset, _)| offset).collect() };
        let (places, keys) = (HashMap::new(), HashMap::new());
        Scan { path, text, offsets, open: Vec::new(), places, keys, problems: Vec::new(), readable: true }
    }

    fn run(&mut self) {
        let mut documents = 0;
        for event in Parser::new_from_str(self.text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => return self.syntax(&error),
            };
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
                if documents > 1 {
                    return self.refuse(span, "a second YAML document begins here", "put it into a file of its own");
                }
            }
            if !self.event(&event, span) {
                return;
            }
        }
        // Nothing at the top has a place: there is no value, or one that nobody wrote.
        if self.places.is_empty() && self.problems.is_empty() {
            let message = if self.text.trim().is_empty() { "the file is empty" } else { "there is no value in this file" };
            self.told(Some(START), message, "write scenarios, a load plan or a target into it, or leave it out");
            self.readable = false;
        }
    }

    /// Takes one event in; `false` ends the walk.
    fn event(&mut self, event: &Event, span: Span) -> bool {
        let (anchor, tag) = match event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.as_deref())
            }
            _ => (0, None),
        };
        if anchor > 0 || matches!(event, Event::Alias(_)) {
            self.refuse(span, "anchors and aliases are not read here", "write the value out, or use `cases`");
        }
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            self.refuse(span, "tags are not read here", "write a step as `- set: {…}`, without a `!`");
        }
        match event {
            Event::Scalar(text, ..) if self.awaits_key() => self.key(text, span),
            Event::SequenceStart(..) | Event::MappingStart(..) if self.awaits_key() => {
                self.refuse(span, "a key has to be a text", "quote it");
                return false;
            }
            Event::Scalar(..) | Event::Alias(_) => {
                let slot = self.slot();
                let place = self.clip(span.start, span.end);
                self.record(slot, place);
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if self.open.len() == MAX_DEPTH {
                    self.refuse(span, &format!("nested deeper than {MAX_DEPTH} levels"), "split the scenario");
                    return false;
                }
                let slot = self.slot();
                let kind = match event {
                    Event::SequenceStart(..) => CollectionKind::List { next: 0 },
                    _ => CollectionKind::Mapping { seen: HashSet::new(), key: None },
                };
                self.open.push(Collection { path: slot.path.clone(), start: span.start, kind });
                // A block has no end of its own to point at, and its first line is another node's: its key says it best.
                let place = slot.key.clone().or_else(|| self.clip(span.start, Marker::new(END_OF_TEXT, 0, 0)));
                self.record(slot, place);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
        true
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Collection { kind: CollectionKind::Mapping { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, span: Span) {
        let place = self.clip(span.start, span.end).unwrap_or_else(|| self.point(span.start));
        let Some(Collection { kind: CollectionKind::Mapping { seen, key }, .. }) = self.open.last_mut() else { return };
        *key = Some((text.to_owned(), place.clone()));
        if !seen.insert(text.to_owned()) {
            self.told(Some(place), &format!("`{text}` stands twice in this mapping"), "keep one of the two");
        }
    }

    /// The place in the tree that the next value takes.
    fn slot(&mut self) -> Slot {
        let Some(Collection { path, kind, .. }) = self.open.last_mut() else {
            return Slot { path: String::new(), key: None };
        };
        match kind {
            CollectionKind::List { next } => {
                *next += 1;
                Slot { path: item_path(path, *next - 1), key: None }
            }
            CollectionKind::Mapping { key, .. } => {
                let (key, place) = key.take().unzip();
                Slot { path: child_path(path, &key.unwrap_or_default()), key: place }
            }
        }
    }

    /// The first of two entries with one key is the one that is read, so the first place stays.
    fn record(&mut self, slot: Slot, place: Option<Place>) {
        if let Some(place) = place.or_else(|| slot.key.clone()) {
            self.places.entry(slot.path.clone()).or_insert(place);
        }
        if let Some(key) = slot.key {
            self.keys.entry(slot.path).or_insert(key);
        }
    }

    /// A flow collection (`{…}`, `[…]`) does have an end to point at.
    fn close(&mut self, span: Span) {
        let Some(Collection { path, start, .. }) = self.open.pop() else { return };
        let from = self.offset(start);
        if self.text[from..].starts_with(['{', '['])
            && let Some(place) = self.clip(start, span.end)
        {
            self.places.insert(path, place);
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        // Its line and column do not always count what its index does.
        let place = at_byte(self.text, self.offset(*error.marker()));
        self.told(Some(place), &format!("this is not YAML: {}", error.info()), "check the indentation, quotes and brackets here");
        self.readable = false;
    }

    fn refuse(&mut self, span: Span, message: &str, help: &str) {
        let place = self.clip(span.start, span.end).unwrap_or_else(|| self.point(span.start));
        self.told(Some(place), message, help);
        self.readable = false;
    }

    fn told(&mut self, place: Option<Place>, message: &str, help: &str) {
        self.problems.push(Problem {
            path: self.path.to_owned(),
            place,
            message: message.to_owned(),
            help: Some(help.to_owned()),
        });
    }

    /// Markers count characters.
    fn offset(&self, marker: Marker) -> usize {
        if self.offsets.is_empty() {
            marker.index().min(self.text.len())
        } else {
            self.offsets.get(marker.index()).copied().unwrap_or(self.text.len())
        }
    }

    /// What stands between the two on the first line; `None` for nothing.
    fn clip(&self, start: Marker, end: Marker) -> Option<Place> {
        let from = self.offset(start);
        let to = self.offset(end).max(from);
        let first_line = self.text[from..to].lines().next()?.trim_end();
        (!first_line.is_empty()).then(|| Place { span: from..from + first_line.len(), ..self.point(start) })
    }

    fn point(&self, marker: Marker) -> Place {
        let offset = self.offset(marker);
        // The parser takes the end of a text for the beginning of one more line.
        if offset == self.text.len() {
            return at_byte(self.text, offset);
        }
        Place { line: marker.line().max(1), column: marker.col() + 1, span: offset..offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at each place, as line:column and text.
    fn seen(file: &SourceFile, place: Option<&Place>) -> String {
        place.map_or("nowhere".to_owned(), |place| format!("{}:{} {}", place.line, place.column, &file.text[place.span.clone()]))
    }

    #[test]
    fn values_keys_and_blocks_have_places_in_bytes() {
        let text = "scenarios:\n  - id: é中 # note\n    a/b~c: \"ü\"\n    steps:\n      - set:\n          kvs: [{ key: ключ }]\n      - wait: 1s\n    body: |\n      one\n      two\n";
        let file = SourceFile::new("f.yaml", text);
        assert_eq!(file.problems(), []);
        for (path, value, key) in [
            ("/scenarios/0/id", "2:9 é中", "2:5 id"),
            ("/scenarios/0/a~1b~0c", "3:12 \"ü\"", "3:5 a/b~c"),
            ("/scenarios/0/steps", "4:5 steps", "4:5 steps"),
            ("/scenarios/0/steps/0", "5:9 set:", "5:9 set:"),
            ("/scenarios/0/steps/0/set", "5:9 set", "5:9 set"),
            ("/scenarios/0/steps/0/set/kvs", "6:16 [{ key: ключ }]", "6:11 kvs"),
            ("/scenarios/0/steps/0/set/kvs/0/key", "6:24 ключ", "6:19 key"),
            ("/scenarios/0/steps/1/wait", "7:15 1s", "7:9 wait"),
            ("/scenarios/0/body", "9:7 one", "8:5 body"),
        ] {
            assert_eq!(seen(&file, file.place(path)), value, "{path}");
            assert_eq!(seen(&file, file.key_place(path)), key, "{path}");
        }
    }

    #[test]
    fn a_node_that_is_not_there_stands_where_its_nearest_neighbour_does() {
        let file = SourceFile::new("f.yaml", "a:\n  b: 1\n");
        assert_eq!(seen(&file, file.place("/a/b/c/7")), "2:6 1");
        assert_eq!(seen(&file, file.place("/a/x")), "1:1 a");
        assert_eq!(SourceFile::new("f.yaml", "").place("/a"), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_told_and_the_rest_is_read() {
        let file = SourceFile::new("f.yaml", "a: 1\nb: 2\na: 3\n");
        assert_eq!(file.problems().len(), 1);
        assert_eq!(seen(&file, file.problems()[0].place.as_ref()), "3:1 a");
        assert!(file.is_readable());
        assert_eq!(seen(&file, file.place("/a")), "1:4 1");
    }

    #[test]
    fn what_would_be_unsafe_or_ambiguous_is_refused_where_it_stands() {
        let deep = "[".repeat(100);
        for (text, line, message) in [
            ("a: &x 1\nb: 2\n", 1, "anchors and aliases are not read here"),
            ("a: 1\nb: !set {}\n", 2, "tags are not read here"),
            ("a: 1\n---\nb: 2\n", 2, "a second YAML document begins here"),
            ("a: 1\n? [b]\n: 2\n", 2, "a key has to be a text"),
            (deep.as_str(), 1, "nested deeper than 64 levels"),
            ("a: 1\nb: [1, 2\nc: 3\n", 3, "this is not YAML"),
            ("a: \"x\n", 1, "this is not YAML"),
        ] {
            let file = SourceFile::new("f.yaml", text);
            let problem = file.problems().first().expect("a problem");
            assert!(problem.message.starts_with(message), "{problem:?}");
            assert_eq!(problem.place.as_ref().map(|place| place.line), Some(line), "{problem:?}");
            assert!(!file.is_readable());
        }
    }

    #[test]
    fn what_looks_unsafe_and_is_not_is_read() {
        for text in ["a: '&x'\nb: \"*x\"\n", "---\na: 1\n", "a: !!str 5\n", "\"? \": 1\n", "\u{feff}a: 1\n"] {
            let file = SourceFile::new("f.yaml", text);
            assert_eq!(file.problems(), [], "{text}");
        }
    }
}
