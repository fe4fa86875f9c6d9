//! Where things stand in a YAML file: index paths to lines and columns, and problems that point there.

use std::collections::HashMap;
use std::ops::Range;

/// One YAML file with its index of places.
#[derive(Debug, Default)]
pub struct SourceFile {
    /// As given on the command line; `scenarios/…` for a bundled one.
    pub path: String,
    pub text: String,
    /// Index path (`/scenarios/3/steps/1/set`) to where the node stands.
    places: HashMap<String, Place>,
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes of the file's text.
    pub span: Range<usize>,
}

/// One thing that is wrong in a file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    /// `None` where the file could not be read at all.
    pub place: Option<Place>,
    pub message: String,
    pub help: Option<String>,
}

impl SourceFile {
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
}
