//! What is well-formed and still cannot be meant: names that nobody defined, steps that cannot do what they say.
//!
//! Looks at one scenario, one row of it, at a time. Never at types: see [`crate::yaml::reader`].

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::ready::{DEFAULT_MESSAGE, numbered};
use super::text::Codes;
use super::{CallStep, Expect, Parallel, Peek, Repeat, Scenario, Step};
use crate::api::code;
use crate::spec::{Level, Spec};
use crate::yaml::reader::{self, Moved};
use crate::yaml::source::{Problem, SourceFile, child_path, item_path};
use crate::yaml::suggest;

/// More pairs than this in one call are a slip, and would fill the memory.
const MOST_PAIRS: usize = 100_000;

/// As many calls as no run ever makes of one scenario.
const MOST_ROUNDS: usize = 1_000_000;

/// One scenario with all that is needed to say what is wrong with it.
pub(super) struct Lint<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) spec: &'a Spec,
    pub(super) scenario: &'a Scenario,
    /// Index path of the scenario.
    pub(super) path: &'a str,
    pub(super) moved: &'a Moved,
    /// Nodes that could not be read. What they may have said is not missing.
    pub(super) hidden: &'a HashSet<String>,
}

/// Everything that is wrong.
pub(super) fn check(lint: &Lint<'_>) -> Vec<Problem> {
    let mut problems = Problems { lint, found: Vec::new() };
    problems.scenario();
    problems.found
}

/// Lower-case words joined by hyphens.
fn is_id(id: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit())
    };
    id.split('-').all(is_word)
}

/// What a call does, as far as its fields depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Made,
    Raw,
}

struct Problems<'l, 'a> {
    lint: &'l Lint<'a>,
    found: Vec<Problem>,
}

impl Problems<'_, '_> {
    fn value(&mut self, path: &str, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.found.push(self.lint.source.problem(&self.lint.moved.in_file(path), message, help.into()));
    }

    fn key(&mut self, path: &str, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.found.push(self.lint.source.key_problem(&self.lint.moved.in_file(path), message, help.into()));
    }

    /// Whether the node, or a part of it, could not be read.
    fn is_partial(&self, path: &str) -> bool {
        self.lint.hidden.contains(path) || reader::is_partial(self.lint.hidden, path)
    }

    /// Index paths of the items of a list that could be read.
    fn items<'i, T>(&self, path: &str, items: &'i [T]) -> Vec<(String, &'i T)> {
        let paths = (0..).map(|index| item_path(path, index)).filter(|path| !self.lint.hidden.contains(path));
        paths.zip(items).collect()
    }

    fn scenario(&mut self) {
        let (path, scenario) = (self.lint.path, self.lint.scenario);
        if !is_id(&scenario.id) && !self.is_partial(&child_path(path, "id")) {
            let help = "write lower-case words joined by hyphens".to_owned();
            self.value(&child_path(path, "id"), format!("`{}` is no id", scenario.id), help);
        }
        let clauses = child_path(path, "clauses");
        if scenario.clauses.is_empty() && !self.is_partial(&clauses) {
            self.value(&clauses, "this scenario tests no clause", "name the clauses that a failure breaks".to_owned());
        }
        for (place, id) in self.items(&clauses, &scenario.clauses) {
            self.clause(&place, id);
        }
        self.steps(&child_path(path, "steps"), &scenario.steps);
    }

    fn steps(&mut self, path: &str, steps: &[Step]) {
        if steps.is_empty() && !self.is_partial(path) {
            self.key(path, "nothing happens here", "add a step".to_owned());
        }
        for (place, step) in self.items(path, steps) {
            let place = child_path(&place, step.word());
            match step {
                Step::Set(call) | Step::Delete(call) | Step::Clear(call) => self.call(&place, call, Form::Made),
                Step::Raw(call) => self.call(&place, call, Form::Raw),
                Step::Peek(peek) => self.peek(&place, peek),
                Step::Wait(_) => {}
                Step::Repeat(repeat) => self.repeat(&place, repeat),
                Step::Parallel(parallel) => self.parallel(&place, parallel),
            }
        }
    }

    fn call(&mut self, path: &str, call: &CallStep, form: Form) {
        self.message(path, call.message.as_deref());
        self.named_clause(path, "clause", call.clause.as_deref());
        self.when(path, &call.when);
        match form {
            Form::Made if call.body.is_some() => {
                self.key(
                    &child_path(path, "body"),
                    "only `raw` has a body of its own",
                    "use `- raw:`, or `fields` to set single fields".to_owned(),
                );
            }
            Form::Raw if call.body.is_none() && !self.lint.hidden.contains(&child_path(path, "body")) => {
                self.key(path, "`raw` has no body", "add `body: …`".to_owned());
            }
            Form::Raw if call.kvs.is_some() => {
                self.key(
                    &child_path(path, "kvs"),
                    "`raw` sends its body and no `kvs`",
                    "write the pairs into the body, or use `- set:`".to_owned(),
                );
            }
            Form::Made | Form::Raw => {}
        }
        for (place, kv) in self.items(&child_path(path, "kvs"), call.kvs.as_deref().unwrap_or_default()) {
            if let Some(times) = kv.times.filter(|times| !(1..=MOST_PAIRS).contains(times)) {
                self.value(
                    &child_path(&place, "times"),
                    format!("{times} pairs cannot be made"),
                    format!("write 1 to {MOST_PAIRS}"),
                );
            }
            if kv.fresh && kv.times.is_none() && !self.is_partial(&place) {
                let help = "add `times: 20`".to_owned();
                self.key(&child_path(&place, "fresh"), "only numbered keys can go on from round to round", help);
            }
        }
        self.expectations(path, call);
    }

    fn expectations(&mut self, path: &str, call: &CallStep) {
        let sent = if self.is_partial(&child_path(path, "kvs")) { None } else { sent_keys(call) };
        if let Some(expect) = &call.expect {
            self.expect(&child_path(path, "expect"), expect, sent.as_ref());
        }
        let should = child_path(path, "should");
        for (id, expect) in &call.should {
            let place = child_path(&should, id);
            match self.lint.spec.clause(id).map(|clause| clause.level) {
                None => self.unknown_clause(&place, id),
                Some(Level::Should) => {}
                Some(level) => {
                    let help = format!("expect it with `clause: {id}`, or name a clause of level should");
                    self.key(&place, format!("`{id}` is of level {}", level.word()), help);
                }
            }
            self.expect(&place, expect, sent.as_ref());
        }
        let Some(observe) = &call.observe else { return };
        let place = child_path(path, "observe");
        self.answers(&child_path(&place, "reading"), &observe.reading, &child_path(&place, "is"), &observe.is);
        for (answer, expect) in &observe.is {
            self.expect(&child_path(&child_path(&place, "is"), answer), expect, sent.as_ref());
        }
    }

    fn expect(&mut self, path: &str, expect: &Expect, sent: Option<&BTreeSet<String>>) {
        self.codes(&child_path(path, "code"), expect.code.as_ref());
        self.codes(&child_path(path, "refused"), expect.refused.as_ref());
        let keys = child_path(path, "keys");
        let each = expect.each.iter().map(|each| (child_path(path, "each"), each));
        for (place, key) in expect.keys.iter().map(|(key, expect)| (child_path(&keys, key), expect)).chain(each) {
            self.codes(&child_path(&place, "code"), key.code.as_ref());
        }
        let Some(sent) = sent else { return };
        for key in expect.keys.keys().filter(|key| !sent.contains(*key)) {
            let help = suggest::help(key, sent.iter().map(String::as_str));
            self.key(&child_path(&keys, key), format!("the call sends no key `{key}`"), help);
        }
    }

    /// A code that the service does not have is never seen.
    fn codes(&mut self, path: &str, codes: Option<&Codes>) {
        let Some(Codes::OneOf(codes)) = codes else { return };
        let known: Vec<String> = code::TABLE.iter().map(|(code, _)| code.to_string()).collect();
        for (place, unknown) in self.items(path, codes).into_iter().filter(|(_, code)| !code::is_possible(**code)) {
            let meant = suggest::nearest(&unknown.to_string(), known.iter().map(String::as_str));
            let help = meant.map_or_else(
                || "write a code of the documentation, or `any` for whichever but 0".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            self.value(&place, format!("{unknown} is no error code of the service"), help);
        }
    }

    /// An observation knows the question and says what each of its answers looks like.
    fn answers(&mut self, reading_place: &str, reading: &str, is_place: &str, is: &BTreeMap<String, Expect>) {
        let Some(question) = self.lint.spec.question(reading) else { return self.unknown_reading(reading_place, reading, false) };
        let known: Vec<&str> = question.readings.iter().map(|answer| answer.name.as_str()).collect();
        for answer in is.keys().filter(|answer| !known.contains(&answer.as_str())) {
            let help = suggest::help(answer, known.iter().copied());
            self.key(&child_path(is_place, answer), format!("`{answer}` is no answer to `{reading}`"), help);
        }
        let missing: Vec<String> =
            known.iter().filter(|answer| !is.contains_key(**answer)).map(|answer| format!("`{answer}`")).collect();
        if !missing.is_empty() && !self.is_partial(is_place) {
            let help = "say what each answer looks like: an outcome that is none of them fails".to_owned();
            self.key(is_place, format!("`{reading}` may also be answered {}", missing.join(", ")), help);
        }
    }

    fn when(&mut self, path: &str, when: &BTreeMap<String, Vec<String>>) {
        let when_path = child_path(path, "when");
        for (reading, answers) in when {
            let place = child_path(&when_path, reading);
            let Some(question) = self.lint.spec.question(reading) else {
                self.unknown_reading(&place, reading, true);
                continue;
            };
            let known: Vec<&str> = question.readings.iter().map(|answer| answer.name.as_str()).collect();
            for (place, answer) in self.items(&place, answers) {
                if !known.contains(&answer.as_str()) {
                    let help = suggest::help(answer, known.iter().copied());
                    self.value(&place, format!("`{answer}` is no answer to `{reading}`"), help);
                }
            }
        }
    }

    fn unknown_reading(&mut self, place: &str, reading: &str, is_key: bool) {
        let help = suggest::help(reading, self.lint.spec.questions().map(|(name, _)| name).collect::<Vec<_>>());
        let message = format!("there is no reading `{reading}`");
        if is_key { self.key(place, message, help) } else { self.value(place, message, help) }
    }

    fn peek(&mut self, path: &str, peek: &Peek) {
        self.message(path, peek.message.as_deref());
        self.named_clause(path, "clause", peek.clause.as_deref());
        self.when(path, &peek.when);
        let keys = child_path(path, "keys");
        if peek.keys.is_empty() && !self.is_partial(&keys) {
            self.key(&keys, "no key is read back", "name the keys: `keys: { k1: absent }`".to_owned());
        }
    }

    fn repeat(&mut self, path: &str, repeat: &Repeat) {
        self.when(path, &repeat.when);
        self.times(path, repeat.times, "rounds");
        if let Some(until) = &repeat.until {
            self.expect(&child_path(path, "until"), until, None);
        }
        if let Some(observe) = &repeat.observe {
            let place = child_path(path, "observe");
            if repeat.until.is_none() {
                self.key(&place, "there is nothing to wait for", "add `until`".to_owned());
            }
            let both = [("seen", &observe.seen), ("never", &observe.never)];
            match self.lint.spec.question(&observe.reading) {
                None => self.unknown_reading(&child_path(&place, "reading"), &observe.reading, false),
                Some(question) => {
                    let known: Vec<&str> = question.readings.iter().map(|answer| answer.name.as_str()).collect();
                    for (field, answer) in both.into_iter().filter(|(_, answer)| !known.contains(&answer.as_str())) {
                        let help = suggest::help(answer, known.iter().copied());
                        self.value(&child_path(&place, field), format!("`{answer}` is no answer to `{}`", observe.reading), help);
                    }
                }
            }
        }
        if let Some(limit) = &repeat.limit {
            let place = child_path(path, "limit");
            if repeat.until.is_none() && !self.lint.hidden.contains(&child_path(path, "until")) {
                self.key(&place, "`limit` counts the rounds before `until`, and there is none", "add `until: …`".to_owned());
            }
            self.named_clause(&place, "fewer", Some(&limit.fewer));
            self.named_clause(&place, "more", Some(&limit.more));
        }
        self.steps(&child_path(path, "do"), &repeat.steps);
    }

    fn times(&mut self, path: &str, times: usize, what: &str) {
        if !(1..=MOST_ROUNDS).contains(&times) {
            let message = if times == 0 { format!("0 {what} do nothing") } else { format!("{times} {what} never end") };
            self.value(&child_path(path, "times"), message, format!("write 1 to {MOST_ROUNDS}"));
        }
    }

    fn parallel(&mut self, path: &str, parallel: &Parallel) {
        self.named_clause(path, "clause", parallel.clause.as_deref());
        self.times(path, parallel.times.unwrap_or(1), "times");
        let steps = child_path(path, "do");
        for (place, step) in self.items(&steps, &parallel.steps) {
            if step.call().is_some() {
                continue;
            }
            let name = step.word();
            let help = "put it before or after, in a step of its own".to_owned();
            self.key(&child_path(&place, name), format!("only calls can be sent at the same time, not `{name}`"), help);
        }
        self.steps(&steps, &parallel.steps);
    }

    fn message(&mut self, path: &str, message: Option<&str>) {
        let messages = &self.lint.scenario.messages;
        let Some(name) = message.filter(|name| *name != DEFAULT_MESSAGE && !messages.contains_key(*name)) else { return };
        if self.is_partial(&child_path(self.lint.path, "messages")) {
            return;
        }
        let known: Vec<&str> = messages.keys().map(String::as_str).chain([DEFAULT_MESSAGE]).collect();
        let help = suggest::nearest(name, known).map_or_else(
            || format!("add `messages: {{ {name}: sent }}` to the scenario"),
            |meant| format!("did you mean `{meant}`?"),
        );
        self.value(&child_path(path, "message"), format!("there is no message `{name}`"), help);
    }

    fn named_clause(&mut self, path: &str, field: &str, id: Option<&str>) {
        if let Some(id) = id {
            self.clause(&child_path(path, field), id);
        }
    }

    fn clause(&mut self, place: &str, id: &str) {
        if self.lint.spec.clause(id).is_none() {
            self.unknown_clause(place, id);
        }
    }

    /// The name stands in the key under `should`, and in the value everywhere else.
    fn unknown_clause(&mut self, place: &str, id: &str) {
        let help = suggest::numbered(id, self.lint.spec.clauses.iter().map(|clause| clause.id.as_str()))
            .unwrap_or_else(|| "`msgext list --clauses` shows the clauses".to_owned());
        let message = format!("there is no clause `{id}`");
        if place.ends_with(&child_path("/should", id)) {
            self.key(place, message, help);
        } else {
            self.value(place, message, help);
        }
    }
}

/// The keys that a call sends; `None` where that is not for `kvs` to say.
fn sent_keys(call: &CallStep) -> Option<BTreeSet<String>> {
    const LIST: &str = "ExtensionList";
    let kvs = call.kvs.as_ref()?;
    let is_replaced = |field: &str, fields: &BTreeMap<_, _>, omit: &[String]| {
        fields.contains_key(field) || omit.iter().any(|omitted| omitted == field)
    };
    if is_replaced(LIST, &call.fields, &call.omit) || kvs.iter().any(|kv| is_replaced("Key", &kv.fields, &kv.omit)) {
        return None;
    }
    Some(kvs.iter().flat_map(|kv| numbered(&kv.key.0, kv.times.map(|times| times.min(MOST_PAIRS)), 0)).collect())
}
