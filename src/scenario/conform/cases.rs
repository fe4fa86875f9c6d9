//! Tables: a scenario with `cases` becomes one tree of values for each row, before any type is read.
//!
//! Never a type of the scenario's: a row's value may stand for anything. See [`crate::yaml::reader`].

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::{Mapping, Value};

use crate::yaml::reader::{Moved, describe, scalar_text};
use crate::yaml::source::{Problem, SourceFile, child_path, item_path};
use crate::yaml::suggest;

/// All rows of a file together may come to so many nodes and bytes of text: a small file must not fill the memory.
pub(super) const MOST_EXPANDED: usize = 32 << 20;

/// A scenario, or one row of it.
pub(super) struct Row {
    /// What joins the scenario's id; `None` without a table.
    pub(super) id: Option<String>,
    pub(super) value: Value,
    pub(super) moved: Moved,
}

/// The rows of the scenario at `path`. `budget` is what is left of [`MOST_EXPANDED`].
pub(super) fn expand(source: &SourceFile, path: &str, scenario: &Value, budget: &mut usize) -> (Vec<Row>, Vec<Problem>) {
    let cases_path = child_path(path, "cases");
    let Some(mut template) = scenario.as_mapping().cloned() else {
        return (vec![Row { id: None, value: scenario.clone(), moved: Moved::default() }], Vec::new());
    };
    let cases = template.shift_remove("cases").unwrap_or_default();
    let mut table = Table { source, path, problems: Vec::new(), used: BTreeSet::new() };
    let rows = table.rows(&cases, &cases_path);
    let columns: BTreeSet<&str> = rows.first().map(|(_, row)| row.keys().map(String::as_str).collect()).unwrap_or_default();
    let has_table = cases.as_sequence().is_some_and(|rows| !rows.is_empty());
    if cases.as_sequence().is_some_and(Vec::is_empty) {
        let help = Some("add a row, or remove `cases`".to_owned());
        table.problems.push(source.key_problem(&cases_path, "this table has no row", help));
    }
    // Where no row can be read, nothing can be said of the names either.
    let template_is_sound =
        (has_table && rows.is_empty()) || table.check_names(&Value::Mapping(template.clone()), path, &columns);
    if !has_table {
        let rows = if template_is_sound {
            vec![Row { id: None, value: Value::Mapping(template), moved: Moved::default() }]
        } else {
            Vec::new()
        };
        return (rows, table.problems);
    }
    if let Some((row_path, _)) = rows.first() {
        for column in columns.iter().filter(|column| **column != "row" && !table.used.contains(**column)) {
            let help = format!("write `${{{column}}}` where it belongs, or remove the column");
            table.problems.push(source.key_problem(
                &child_path(row_path, column),
                format!("the column `{column}` is never used"),
                Some(help),
            ));
        }
    }
    if !template_is_sound {
        return (Vec::new(), table.problems);
    }
    let mut ids = BTreeSet::new();
    let mut expanded = Vec::new();
    for (row_path, row) in &rows {
        if *budget == 0 {
            break;
        }
        let Some(row) = table.row(&template, row_path, row, &columns, &mut ids, budget) else { continue };
        expanded.push(row);
    }
    (expanded, table.problems)
}

type Columns<'v> = BTreeMap<String, &'v Value>;

struct Table<'s> {
    source: &'s SourceFile,
    /// Index path of the scenario.
    path: &'s str,
    problems: Vec<Problem>,
    /// Columns that the scenario names.
    used: BTreeSet<String>,
}

impl Table<'_> {
    /// The rows that are mappings, each with its index path.
    fn rows<'v>(&mut self, cases: &'v Value, path: &str) -> Vec<(String, Columns<'v>)> {
        let rows = match cases {
            Value::Null => return Vec::new(),
            Value::Sequence(rows) => rows,
            other => {
                self.problems.push(self.source.problem(
                    path,
                    format!("expected a list of rows, found {}", describe(other)),
                    None,
                ));
                return Vec::new();
            }
        };
        let mut mappings = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let row_path = item_path(path, index);
            match row.as_mapping() {
                Some(row) => {
                    let columns = row.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value))).collect();
                    mappings.push((row_path, columns));
                }
                None => self.problems.push(self.source.problem(
                    &row_path,
                    format!("expected a row of columns, found {}", describe(row)),
                    Some("write `- { column: value, … }`".to_owned()),
                )),
            }
        }
        mappings
    }

    /// Collects the columns that are used; `false` where one does not exist.
    fn check_names(&mut self, value: &Value, path: &str, columns: &BTreeSet<&str>) -> bool {
        match value {
            Value::String(text) => self.check_text(text, path, columns, false),
            Value::Sequence(items) => {
                let checks =
                    items.iter().enumerate().map(|(index, item)| self.check_names(item, &item_path(path, index), columns));
                checks.fold(true, |all, one| all & one)
            }
            Value::Mapping(mapping) => {
                let mut sound = true;
                for (key, value) in mapping {
                    let child = child_path(path, key.as_str().unwrap_or_default());
                    sound &= self.check_text(key.as_str().unwrap_or_default(), &child, columns, true);
                    sound &= child == child_path(self.path, "id") || self.check_names(value, &child, columns);
                }
                sound
            }
            _ => true,
        }
    }

    fn check_text(&mut self, text: &str, path: &str, columns: &BTreeSet<&str>, is_key: bool) -> bool {
        let mut sound = true;
        for part in parts(text) {
            let Part::Column(name) = part else { continue };
            if columns.contains(name) {
                self.used.insert(name.to_owned());
                continue;
            }
            sound = false;
            let message = format!("there is no column `{name}`");
            let help = if columns.is_empty() {
                Some(format!("add `cases: [{{ {name}: … }}]`"))
            } else {
                suggest::help(name, columns.iter().copied())
            };
            let problem = if is_key { SourceFile::key_problem } else { SourceFile::problem };
            self.problems.push(problem(self.source, path, message, help));
        }
        sound
    }

    fn row(
        &mut self,
        template: &Mapping,
        row_path: &str,
        row: &Columns<'_>,
        columns: &BTreeSet<&str>,
        ids: &mut BTreeSet<String>,
        budget: &mut usize,
    ) -> Option<Row> {
        let missing: Vec<String> =
            columns.iter().filter(|column| !row.contains_key(**column)).map(|column| format!("`{column}`")).collect();
        if !missing.is_empty() {
            let help = "give every row the same columns; `null` where there is nothing to say".to_owned();
            self.problems.push(self.source.problem(row_path, format!("this row has no {}", missing.join(", ")), Some(help)));
        }
        let more: Vec<&String> = row.keys().filter(|column| !columns.contains(column.as_str())).collect();
        for column in &more {
            let place = child_path(row_path, column);
            let help = suggest::help(column, columns.iter().copied());
            self.problems.push(self.source.key_problem(&place, format!("the first row has no column `{column}`"), help));
        }
        if !missing.is_empty() || !more.is_empty() {
            return None;
        }
        let id = row_id(row_path, row);
        if !ids.insert(id.clone()) {
            let help = "give each row a `row` of its own".to_owned();
            self.problems.push(self.source.problem(row_path, format!("two rows are called `{id}`"), Some(help)));
        }
        let mut filling = Filling {
            source: self.source,
            scenario: self.path,
            row,
            row_path,
            moved: Moved::default(),
            problems: Vec::new(),
            budget,
        };
        let value = filling.mapping(template, self.path, self.path);
        let Filling { moved, problems, .. } = filling;
        let is_sound = problems.is_empty();
        self.problems.extend(problems);
        is_sound.then_some(Row { id: Some(id), value, moved })
    }
}

/// What the row adds to the scenario's id.
fn row_id(row_path: &str, row: &Columns<'_>) -> String {
    let words = match row.get("row") {
        Some(name) => scalar_text(name).unwrap_or_default(),
        None => row.values().filter_map(|value| scalar_text(value)).collect::<Vec<_>>().join(" "),
    };
    let slug = slug(&words);
    if !slug.is_empty() {
        return slug;
    }
    // Nothing in it can be part of an id, as in a row of lists: its number has to do.
    let index = row_path.rsplit('/').next().and_then(|index| index.parse().ok()).unwrap_or(0_usize);
    format!("row-{}", index + 1)
}

/// The lower-case letters and digits of a text, words joined by hyphens.
fn slug(text: &str) -> String {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

enum Part<'t> {
    Text(&'t str),
    Column(&'t str),
}

/// A text, cut at each `${column}`.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        parts.push(Part::Text(&rest[..start]));
        parts.push(Part::Column(rest[start + 2..start + length].trim()));
        rest = &rest[start + length + 1..];
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| !matches!(part, Part::Text("")));
    parts
}

/// Fills one row's values in.
struct Filling<'a, 'v> {
    source: &'a SourceFile,
    scenario: &'a str,
    row: &'a Columns<'v>,
    row_path: &'a str,
    moved: Moved,
    problems: Vec<Problem>,
    budget: &'a mut usize,
}

impl Filling<'_, '_> {
    /// `path` is the node's in the tree that comes out, `from` in the file.
    fn value(&mut self, value: &Value, path: &str, from: &str) -> Value {
        if !self.spend(1) {
            return Value::Null;
        }
        match value {
            Value::String(text) => self.text(text, path, from),
            Value::Sequence(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.value(item, &item_path(path, index), &item_path(from, index))).collect()
            }
            Value::Mapping(mapping) => self.mapping(mapping, path, from),
            other => other.clone(),
        }
    }

    fn mapping(&mut self, mapping: &Mapping, path: &str, from: &str) -> Value {
        let mut filled = Mapping::new();
        for (key, value) in mapping {
            let template = key.as_str().unwrap_or_default();
            let source = child_path(from, template);
            let name = self.joined(template, &source);
            let child = child_path(path, &name);
            if name != template {
                self.moved.0.insert(child.clone(), source.clone());
            }
            let value = if child == child_path(self.scenario, "id") { value.clone() } else { self.value(value, &child, &source) };
            if filled.insert(Value::String(name.clone()), value).is_some() {
                let message = format!("`{name}` stands twice here in the row `{}`", self.row_path);
                self.problems.push(self.source.key_problem(&source, message, Some("make the row's keys differ".to_owned())));
            }
        }
        Value::Mapping(filled)
    }

    fn text(&mut self, text: &str, path: &str, from: &str) -> Value {
        if let [Part::Column(name)] = parts(text)[..]
            && let Some(value) = self.row.get(name)
        {
            self.moved.0.insert(path.to_owned(), child_path(self.row_path, name));
            self.spend(size(value));
            return (*value).clone();
        }
        Value::String(self.joined(text, from))
    }

    fn joined(&mut self, text: &str, from: &str) -> String {
        self.spend(1 + text.len());
        let mut joined = String::new();
        for part in parts(text) {
            match part {
                Part::Text(text) => joined.push_str(text),
                Part::Column(name) => {
                    let Some(value) = self.row.get(name) else { continue };
                    let Some(text) = scalar_text(value) else {
                        let message = format!("`{name}` is {} and cannot be part of a text", describe(value));
                        self.problems.push(self.source.problem(from, message, Some(format!("let `${{{name}}}` stand alone"))));
                        continue;
                    };
                    if self.spend(text.len()) {
                        joined.push_str(&text);
                    }
                }
            }
        }
        joined
    }

    /// `false` where nothing is left to spend; that is told once.
    fn spend(&mut self, cost: usize) -> bool {
        if let Some(left) = self.budget.checked_sub(cost) {
            *self.budget = left;
            return true;
        }
        *self.budget = 0;
        let cases = child_path(self.scenario, "cases");
        let problem = self.source.key_problem(
            &cases,
            "the rows of this file come to more than can be read",
            Some("use fewer or smaller rows".to_owned()),
        );
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        false
    }
}

/// Nodes and bytes of text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Mapping(mapping) => 1 + mapping.iter().map(|(key, value)| size(key) + size(value)).sum::<usize>(),
        _ => 1,
    }
}
