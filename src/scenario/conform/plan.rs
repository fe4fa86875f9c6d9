//! Scenarios read, expanded, chosen and ordered: what a run does.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_yaml::Value;

use super::lint::{self, Lint};
use super::ready::{self, Act, ReadyStep};
use super::{Scenario, cases};
use crate::scenario::kind::{FileKind, misplaced};
use crate::scenario::{Caller, MessageKind};
use crate::spec::Spec;
use crate::yaml::reader::{self, Moved};
use crate::yaml::source::{Problem, SourceFile, child_path, item_path};

/// One scenario, or one row of a scenario's table with its values filled in.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The scenario's id; a row's is `id/row`, a repetition's ends in `#2`.
    pub id: String,
    /// As it is written; `steps` is what a run does.
    pub scenario: Scenario,
    pub steps: Vec<ReadyStep>,
    pub source: Arc<SourceFile>,
    /// Index path of the scenario in its file: `/scenarios/3`.
    pub place: String,
}

/// What a scenario asks of the target and of the user's patience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one need")]
pub struct Needs {
    pub callers: BTreeSet<Caller>,
    /// Reads keys back: `peek`, or `unchanged`.
    pub peeks: bool,
    /// Lets time pass: `wait`, or `every`.
    pub waits: bool,
    /// Calls as an app without the plan.
    pub without_plan: bool,
    /// Sends several calls at the same time.
    pub at_once: bool,
}

macro_rules! bundle {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("scenarios/conformance/", $name), include_str!(concat!("../../../scenarios/conformance/", $name)))),*]
    };
}

/// A file of `scenarios/conformance` is part of the binary by standing here.
const BUNDLED: &[(&str, &str)] = bundle![
    "url.yaml",
    "http.yaml",
    "request.yaml",
    "set.yaml",
    "seq.yaml",
    "delete.yaml",
    "clear.yaml",
    "who.yaml",
    "message.yaml",
    "limits.yaml"
];

/// The scenarios that are part of the binary: path and text of each file.
pub fn bundled() -> Vec<(String, String)> {
    BUNDLED.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Reads files (path and text of each) into a plan, and tells everything that is wrong with them. What has a problem is not planned.
pub fn load(files: Vec<(String, String)>, spec: &Spec) -> (Vec<Planned>, Vec<Problem>) {
    let mut loading = Loading { spec, ids: BTreeMap::new(), planned: Vec::new(), problems: Vec::new() };
    for (path, text) in files {
        loading.file(&Arc::new(SourceFile::new(path, text)));
    }
    (loading.planned, loading.problems)
}

/// Each scenario `times` times over, round by round; ids of the second round end in `#2`.
pub fn repeat(planned: &[Planned], times: usize) -> Vec<Planned> {
    let round = |number: usize| {
        planned.iter().map(move |planned| match number {
            1 => planned.clone(),
            _ => Planned { id: format!("{}#{number}", planned.id), ..planned.clone() },
        })
    };
    (1..=times).flat_map(round).collect()
}

/// The id of the scenario of which this is the id of a repetition; of any other, itself.
pub fn repeated(id: &str) -> &str {
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    id.rsplit_once('#').filter(|(_, number)| is_number(number)).map_or(id, |(scenario, _)| scenario)
}

/// One of several equal parts of a plan, as in `1/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// From 1.
    number: usize,
    of: usize,
}

impl Partition {
    /// Every so many-th scenario: the parts are of one size, and the slow ones of a file are not all in one.
    pub fn of(self, planned: Vec<Planned>) -> Vec<Planned> {
        planned.into_iter().skip(self.number - 1).step_by(self.of).collect()
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Partition { number, of }),
            _ => Err("write PART/PARTS, as in 1/4".to_owned()),
        }
    }
}

/// The field that holds all scenarios of a file.
const LIST: &str = "scenarios";

/// The outline of a file: enough to take its scenarios one by one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outline {
    #[expect(dead_code, reason = "only its shape is checked; the scenarios are read from the tree")]
    scenarios: Vec<IgnoredAny>,
}

struct Loading<'s> {
    spec: &'s Spec,
    /// Scenario id to where it was first seen.
    ids: BTreeMap<String, String>,
    planned: Vec<Planned>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn file(&mut self, source: &Arc<SourceFile>) {
        if let Some(problem) = misplaced(source, FileKind::Scenarios) {
            return self.tell(vec![problem]);
        }
        let (value, problems) = reader::parse(source);
        self.tell(problems);
        let Some(value) = value else { return };
        if let Some(field) = ["steps", "id"].into_iter().find(|field| value.get(field).is_some() && value.get(LIST).is_none()) {
            let help = Some(format!("write `{LIST}:` above it, and make it an item of that list: `- id: …`"));
            return self.tell(vec![source.key_problem(&child_path("", field), "a scenario stands in a list", help)]);
        }
        let outline = reader::read::<Outline>(source, &value, "", &Moved::default());
        self.tell(outline.problems);
        if value.get(LIST).and_then(Value::as_sequence).is_some_and(Vec::is_empty) {
            let help = Some("add one: `- id: …`".to_owned());
            self.tell(vec![source.problem(&child_path("", LIST), "there is no scenario in this list", help)]);
        }
        let mut budget = cases::MOST_EXPANDED;
        for (index, scenario) in value.get(LIST).and_then(Value::as_sequence).into_iter().flatten().enumerate() {
            self.scenario(source, &item_path("/scenarios", index), scenario, &mut budget);
        }
    }

    fn scenario(&mut self, source: &Arc<SourceFile>, path: &str, scenario: &Value, budget: &mut usize) {
        self.unique_id(source, path, scenario);
        let (rows, problems) = cases::expand(source, path, scenario, budget);
        self.tell(problems);
        for row in rows {
            let read = reader::read::<Scenario>(source, &row.value, path, &row.moved);
            let mut problems = read.problems;
            if let Some(scenario) = &read.value {
                let hidden = &read.hidden;
                problems.extend(lint::check(&Lint { source, spec: self.spec, scenario, path, moved: &row.moved, hidden }));
            }
            if let Some(scenario) = read.value.filter(|_| problems.is_empty()) {
                let id = match row.id {
                    Some(row) => format!("{}/{row}", scenario.id),
                    None => scenario.id.clone(),
                };
                self.planned.push(Planned::new(id, scenario, Arc::clone(source), path.to_owned()));
            }
            self.tell(problems);
        }
    }

    fn unique_id(&mut self, source: &SourceFile, path: &str, scenario: &Value) {
        let Some(id) = scenario.get("id").and_then(Value::as_str) else { return };
        let place = child_path(path, "id");
        let here = format!("{}:{}", source.path, source.place(&place).map_or(1, |place| place.line));
        if let Some(first) = self.ids.get(id) {
            let problem = source.problem(
                &place,
                format!("another scenario is called `{id}`"),
                Some(format!("rename one: the other is at {first}")),
            );
            self.tell(vec![problem]);
        } else {
            self.ids.insert(id.to_owned(), here);
        }
    }

    /// A problem that each row has is one problem.
    fn tell(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if !self.problems.iter().rev().take(MOST_COMPARED).any(|told| *told == problem) {
                self.problems.push(problem);
            }
        }
    }
}

/// Rows of one scenario repeat each other's problems soon, if at all.
const MOST_COMPARED: usize = 1000;

impl Planned {
    /// Makes a scenario that has no problem ready. `place` is its index path in the file.
    pub fn new(id: String, scenario: Scenario, source: Arc<SourceFile>, place: String) -> Planned {
        let steps = ready::ready(&scenario, &place);
        Planned { id, scenario, steps, source, place }
    }

    /// What it asks of the target and of the user's patience.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for act in ready::acts(&self.steps) {
            for call in act.calls() {
                needs.callers.insert(call.caller);
                needs.peeks |= call.expectations().any(|expect| expect.unchanged);
                needs.without_plan |= call.http.without_plan;
            }
            needs.peeks |= matches!(act, Act::Peek(_));
            needs.at_once |= matches!(act, Act::Parallel(_));
            needs.waits |= match act {
                Act::Wait(_) => true,
                Act::Repeat(repeat) => repeat.every.is_some(),
                Act::Call(_) | Act::Peek(_) | Act::Parallel(_) => false,
            };
        }
        needs
    }

    /// The clauses that it may find broken: its own, and those that its steps name.
    pub fn clauses(&self) -> BTreeSet<&str> {
        let mut clauses: BTreeSet<&str> = self.scenario.clauses.iter().map(String::as_str).collect();
        for act in ready::acts(&self.steps) {
            for call in act.calls() {
                clauses.insert(&call.clause);
                clauses.extend(call.should.keys().map(String::as_str));
            }
            match act {
                Act::Peek(peek) => drop(clauses.insert(&peek.clause)),
                Act::Parallel(parallel) => drop(clauses.insert(&parallel.clause)),
                Act::Repeat(repeat) => {
                    clauses.extend(repeat.limit.iter().flat_map(|limit| [limit.fewer.as_str(), limit.more.as_str()]));
                }
                Act::Call(_) | Act::Wait(_) => {}
            }
        }
        clauses
    }

    /// The open questions that its steps observe.
    pub fn questions(&self) -> BTreeSet<&str> {
        let mut questions = BTreeSet::new();
        for act in ready::acts(&self.steps) {
            let observed = act.calls().iter().filter_map(|call| call.observe.as_ref());
            questions.extend(observed.map(|observe| observe.reading.as_str()));
            if let Act::Repeat(repeat) = act {
                questions.extend(repeat.observe.iter().map(|observe| observe.reading.as_str()));
            }
        }
        questions
    }

    /// The messages that its steps use, by name.
    pub fn messages(&self) -> BTreeMap<&str, MessageKind> {
        let mut names = BTreeSet::new();
        for act in ready::acts(&self.steps) {
            names.extend(act.calls().iter().map(|call| call.message.as_str()));
            if let Act::Peek(peek) = act {
                names.insert(&peek.message);
            }
        }
        names.into_iter().map(|name| (name, self.message_kind(name))).collect()
    }

    /// How the message of that name comes to be.
    pub fn message_kind(&self, name: &str) -> MessageKind {
        self.scenario.messages.get(name).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::scenario::conform::Step;

    const SPEC: &str = "clauses:
  - { id: SEQ-1, level: must, section: s, statement: s }
  - { id: SEQ-2, level: must, section: s, statement: s }
  - { id: NUM-1, level: should, section: s, statement: s }
  - id: DEL-1
    level: open
    section: s
    statement: s
    reading: deleted-key
    readings: [{ name: tombstone, meaning: m }, { name: reset, meaning: m }]
";

    /// Nearly every word of the language, used as it is meant.
    const SOUND: &str = "\
scenarios:
  - id: sound
    title: Every word as it is meant
    clauses: [SEQ-1]
    tags: [smoke]
    as: sender
    messages: { other: from-admin }
    steps:
      - set: { kvs: [{ key: k, times: 2, seq: ahead }], expect: { keys: { k1: { code: 23001, value: v, seq: latest } }, unchanged: true } }
      - set:
          message: other
          fields: { ExtensionList: null }
          kvs: [{ key: k, value: { repeat: é, bytes: 9 } }]
          expect: { refused: any, keys: { q: {} } }
          should: { NUM-1: { code: 0 } }
      - delete: { kvs: [{ key: k }], observe: { reading: deleted-key, is: { tombstone: { code: 0 }, reset: { code: [0, 23001] } } } }
      - repeat:
          times: 3
          every: 500ms
          until: { code: 23003 }
          limit: { rounds: 2, window: 1m, fewer: SEQ-1, more: SEQ-2 }
          when: { deleted-key: [reset] }
          do: [clear: { as: recipient }]
      - parallel: { one_wins: k, do: [set: { kvs: [{ key: k }], http: { without-plan: true } }] }
      - raw: { body: { json: null }, http: { query: { usersig: null }, usersig: forged } }
      - peek: { keys: { k: absent, k2: { value: v, seq: grown } } }
      - wait: 61s
";

    fn sound() -> String {
        SOUND.replace("one_wins", "one-wins")
    }

    fn spec() -> Spec {
        serde_yaml::from_str(SPEC).expect("a spec")
    }

    fn load_one(text: &str) -> (Vec<Planned>, Vec<Problem>) {
        load(vec![("f.yaml".to_owned(), text.to_owned())], &spec())
    }

    /// Each problem as `line:column what stands there | message | help`.
    fn told(text: &str) -> Vec<String> {
        let (_, problems) = load_one(text);
        let mut problems: Vec<&Problem> = problems.iter().collect();
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
        let line = |problem: &&Problem| {
            let place = problem.place.as_ref().expect("a place");
            let help = problem.help.as_deref().unwrap_or("-");
            format!("{}:{} {} | {} | {help}", place.line, place.column, &text[place.span.clone()], problem.message)
        };
        problems.iter().map(line).collect()
    }

    /// A scenario of these lines, which begin on line 5.
    fn with(lines: &str) -> String {
        format!("scenarios:\n  - id: a\n    title: t\n    clauses: [SEQ-1]\n{lines}")
    }

    fn with_step(step: &str) -> String {
        with(&format!("    steps:\n      - {step}\n"))
    }

    #[test]
    fn every_word_as_it_is_meant_has_no_problem_and_tells_what_it_needs() {
        let (planned, problems) = load_one(&sound());
        assert_eq!(problems, []);
        let callers = [Caller::Sender, Caller::Recipient].into();
        assert_eq!(planned[0].needs(), Needs { callers, peeks: true, waits: true, without_plan: true, at_once: true });
        assert_eq!(planned[0].clauses(), ["NUM-1", "SEQ-1", "SEQ-2"].into());
    }

    #[test]
    fn a_scenario_that_only_calls_needs_nothing_more() {
        let (planned, _) = load_one(&with_step("set: { kvs: [{ key: k }] }"));
        assert_eq!(planned[0].needs(), Needs { callers: [Caller::Admin].into(), ..Needs::default() });
    }

    #[test]
    fn all_problems_of_a_file_are_told_at_once() {
        let text = "\
scenarios:
  - id: first
    titel: A slip
    clauses: [SEQ-1, SEQ-9]
    steps:
      - sett: { kvs: [{ key: k }] }
      - set:
          kvs: [{ key: 5 }, { key: k, seq: newest }]
          expect: { keys: { k1: { code: 0 } } }
      - set:
          kvs: [{ key: k, vale: v }]
          message: mm
          expect: { code: never }
        wait: 1s
      - wait: 61
      - repeat: { times: -1, do: [clear: { as: nobody }] }
      - peek: { keys: { 5: absent, k: 1 } }
      - delete:
        kvs: [{ key: k }]
  - id: first
    title: Again
    clauses: []
    steps: []
  - title: Nameless
    clauses: [SEQ-1]
    steps: [clear]
";
        insta::assert_snapshot!(told(text).join("\n"), @r#"
        2:5 id: first | `title` is missing | add `title: …`
        3:5 titel | unknown field `titel` | did you mean `title`?
        4:22 SEQ-9 | there is no clause `SEQ-9` | did you mean `SEQ-1`? There are SEQ-1 to SEQ-2
        6:9 sett | `sett` is not known here | did you mean `set`?
        8:24 5 | expected a text (quote a number), or { repeat: …, bytes: … }, found the number 5 | -
        8:44 newest | expected a number, or latest, stale, ahead or absent, found the text `newest` | -
        14:9 wait | `wait` stands beside `set` | begin an item of its own: `- wait: …`
        15:15 61 | expected a span of time like 500ms, 61s or 2m, at most 24h, found the number 61 | -
        16:26 -1 | expected a whole number, 0 or more, found the number -1 | -
        16:48 nobody | `nobody` is not known here | known here: `admin`, `sender`, `recipient`, `stranger`
        17:25 5 | this key is the number 5, not a text | quote it: "5"
        17:39 1 | expected absent, a value (quote a number), or { value: …, seq: … }, found the number 1 | -
        19:9 kvs | `kvs` stands beside `delete` | indent it further than `delete`
        20:9 first | another scenario is called `first` | rename one: the other is at f.yaml:2
        22:14 [] | this scenario tests no clause | name the clauses that a failure breaks
        23:5 steps | nothing happens here | add a step
        24:5 title: Nameless | `id` is missing | add `id: …`
        26:13 clear | `clear` needs to be told what: write `clear: …` | -
        "#);
    }

    #[test]
    fn a_file_with_nothing_in_it_says_what_is_missing() {
        for (text, expected) in [
            ("", "1:1  | the file is empty | "),
            ("\u{20}\n\n", "1:1  | the file is empty | "),
            ("# nothing\n", "1:1  | there is no value in this file | "),
            ("---\n", "1:1  | there is no value in this file | "),
            ("scenarios: []\n", "1:12 [] | there is no scenario in this list | add one: `- id: …`"),
            ("id: a\nsteps: []\n", "2:1 steps | a scenario stands in a list | "),
            ("phases: []\n", "1:1 phases | this is a load plan: msgext load f.yaml | "),
        ] {
            let told = told(text);
            assert!(matches!(&told[..], [told] if told.starts_with(expected)), "{text:?}: {told:?}");
        }
        let no_row = told(&with("    cases: []\n    steps: [set: {}]\n"));
        assert_eq!(no_row, ["5:5 cases | this table has no row | add a row, or remove `cases`"]);
    }

    #[test]
    fn what_cannot_be_meant_is_told_where_it_stands() {
        let told_of = |step: &str| told(&with_step(step)).join("\n");
        let told: Vec<String> = [
            "set: { body: x }",
            "raw: { http: { method: GET } }",
            "raw: { body: x, kvs: [] }",
            "set: { message: n }",
            "set: { clause: SEQ-3 }",
            "set: { kvs: [{ key: k, times: 2 }], expect: { keys: { k: {} } } }",
            "set: { kvs: [{ key: k, times: 0 }] }",
            "set: { kvs: [{ key: k, fresh: true }] }",
            "set: { should: { SEQ-2: {} } }",
            "set: { should: { NUM-2: {} } }",
            "set: { observe: { reading: deleted-keys, is: {} } }",
            "set: { observe: { reading: deleted-key, is: { tombstone: {}, rest: {} } } }",
            "set: { when: { deleted-key: [rest] } }",
            "set: { when: { deleted: [reset] } }",
            "repeat: { times: 0, do: [] }",
            "repeat: { times: 2, do: [set: {}], limit: { rounds: 1, window: 1s, fewer: SEQ-1, more: SEQ-0 } }",
            "parallel: { do: [wait: 1s] }",
            "peek: { keys: {} }",
            "set: { kvs: [{ key: { repeat: a, bytes: 99999999999 } }] }",
            "set: { expect: { code: [0, 99999], each: { code: 230001 } } }",
            "repeat: { times: 9999999, do: [set: {}], until: { refused: 2 } }",
        ]
        .into_iter()
        .map(told_of)
        .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        6:16 body | only `raw` has a body of its own | use `- raw:`, or `fields` to set single fields
        6:9 raw | `raw` has no body | add `body: …`
        6:25 kvs | `raw` sends its body and no `kvs` | write the pairs into the body, or use `- set:`
        6:25 n | there is no message `n` | add `messages: { n: sent }` to the scenario
        6:24 SEQ-3 | there is no clause `SEQ-3` | did you mean `SEQ-1`? There are SEQ-1 to SEQ-2
        6:63 k | the call sends no key `k` | did you mean `k1`?
        6:39 0 | 0 pairs cannot be made | write 1 to 100000
        6:32 fresh | only numbered keys can go on from round to round | add `times: 20`
        6:26 SEQ-2 | `SEQ-2` is of level must | expect it with `clause: SEQ-2`, or name a clause of level should
        6:26 NUM-2 | there is no clause `NUM-2` | did you mean `NUM-1`?
        6:36 deleted-keys | there is no reading `deleted-keys` | did you mean `deleted-key`?
        6:49 is | `deleted-key` may also be answered `reset` | say what each answer looks like: an outcome that is none of them fails
        6:70 rest | `rest` is no answer to `deleted-key` | did you mean `reset`?
        6:38 rest | `rest` is no answer to `deleted-key` | did you mean `reset`?
        6:24 deleted | there is no reading `deleted` | known here: `deleted-key`
        6:26 0 | 0 rounds do nothing | write 1 to 1000000
        6:29 do | nothing happens here | add a step
        6:44 limit | `limit` counts the rounds before `until`, and there is none | add `until: …`
        6:96 SEQ-0 | there is no clause `SEQ-0` | did you mean `SEQ-1`? There are SEQ-1 to SEQ-2
        6:26 wait | only calls can be sent at the same time, not `wait` | put it before or after, in a step of its own
        6:17 keys | no key is read back | name the keys: `keys: { k1: absent }`
        6:29 { repeat: a, bytes: 99999999999 } | a text has at most 1048576 bytes | -
        6:36 99999 | 99999 is no error code of the service | write a code of the documentation, or `any` for whichever but 0
        6:58 230001 | 230001 is no error code of the service | did you mean 23001?
        6:26 9999999 | 9999999 rounds never end | write 1 to 1000000
        6:68 2 | 2 is no error code of the service | write a code of the documentation, or `any` for whichever but 0
        "#);
    }

    #[test]
    fn a_row_fills_in_texts_keys_and_typed_values() {
        let (planned, problems) = load_one(
            "\
scenarios:
  - id: rows
    title: A key of ${bytes} bytes gives ${code}
    clauses: [SEQ-1]
    cases:
      - { row: Too Long!, bytes: 101, code: 10004, key: k, kvs: [{ key: k }] }
      - { row: fits, bytes: 100, code: [0, 10004], key: q, kvs: [{ key: q }] }
    steps:
      - set: { kvs: \"${kvs}\", expect: { code: \"${code}\", keys: { \"${key}\": { value: \"v${bytes}\" } } } }
"
            .replace("gives ${code}", "")
            .as_str(),
        );
        assert_eq!(problems, []);
        assert_eq!(planned.iter().map(|planned| planned.id.as_str()).collect::<Vec<_>>(), ["rows/too-long", "rows/fits"]);
        assert_eq!(planned[0].scenario.title.trim(), "A key of 101 bytes");
        let Step::Set(call) = &planned[1].scenario.steps[0] else { panic!("a set") };
        let expect = call.expect.as_ref().expect("an expectation");
        assert_eq!(expect.code, Some(crate::scenario::conform::text::Codes::OneOf(vec![0, 10004])));
        assert_eq!(expect.keys["q"].value.as_ref().map(|value| value.0.as_str()), Some("v100"));
    }

    #[test]
    fn rows_are_named_by_their_values_where_they_have_no_name() {
        let text =
            with("    cases: [{ x: Ab, y: 1 }, { x: [], y: [] }]\n    steps: [set: { fields: { A: \"${x}\", B: \"${y}\" } }]\n");
        let (planned, problems) = load_one(&text);
        assert_eq!(problems, []);
        assert_eq!(planned.iter().map(|planned| planned.id.as_str()).collect::<Vec<_>>(), ["a/ab-1", "a/row-2"]);
    }

    #[test]
    fn what_is_wrong_in_a_table_is_told_once_and_where_it_stands() {
        let text = r#"scenarios:
  - id: columns
    title: t
    clauses: [SEQ-1]
    cases:
      - { row: a, code: 0, spare: 0 }
      - { row: a, code: x, spare: 0 }
      - { row: b, coed: 1, spare: 0 }
      - 5
    steps:
      - set: { expect: { code: "${code}" }, kvs: 7 }
  - id: names
    title: ${codes}
    clauses: [SEQ-1]
    cases: [{ code: 1 }]
    steps: [set: { clause: "SEQ-${code}" }]
  - id: joined
    title: t
    clauses: [SEQ-1]
    cases: [{ code: 1, list: [1] }]
    steps: [set: { message: "x${code}${list}" }]
  - id: none
    title: ${x}
    clauses: [SEQ-1]
    cases: 5
    steps: [set: {}]
"#;
        insta::assert_snapshot!(told(text).join("\n"), @r#"
        6:28 spare | the column `spare` is never used | write `${spare}` where it belongs, or remove the column
        7:9 { row: a, code: x, spare: 0 } | two rows are called `a` | give each row a `row` of its own
        7:25 x | expected a code, a list of codes, or any, found the text `x` | -
        8:9 { row: b, coed: 1, spare: 0 } | this row has no `code` | give every row the same columns; `null` where there is nothing to say
        8:19 coed | the first row has no column `coed` | did you mean `code`?
        9:9 5 | expected a row of columns, found the number 5 | write `- { column: value, … }`
        11:50 7 | expected a list, found the number 7 | -
        13:12 ${codes} | there is no column `codes` | did you mean `code`?
        21:29 "x${code}${list}" | `list` is a list and cannot be part of a text | let `${list}` stand alone
        23:12 ${x} | there is no column `x` | add `cases: [{ x: … }]`
        25:12 5 | expected a list of rows, found the number 5 | -
        "#);
    }

    #[test]
    fn a_table_that_would_fill_the_memory_is_refused() {
        let row = format!("      - {{ x: {} }}\n", "y".repeat(2000));
        let steps = format!("    steps: [set: {{ fields: {{ a: \"{}\" }} }}]\n", "${x}".repeat(2000));
        let (_, problems) = load_one(&with(&format!("    cases:\n{}{steps}", row.repeat(20))));
        assert!(problems.iter().any(|problem| problem.message.contains("more than can be read")), "{problems:?}");
    }

    #[test]
    fn the_deepest_nesting_is_read_and_one_more_is_a_problem() {
        let nested =
            |levels: usize| with_step(&format!("set: {{ fields: {{ a: {}{} }} }}", "[".repeat(levels), "]".repeat(levels)));
        assert_eq!(told(&nested(crate::yaml::source::MAX_DEPTH - 7)), Vec::<String>::new());
        assert_eq!(told(&nested(crate::yaml::source::MAX_DEPTH)).len(), 1);
        let repeats = with_step(&format!("{}set: {{}}{}", "repeat: { times: 1, do: [".repeat(18), "] }".repeat(18)));
        assert_eq!(told(&repeats), Vec::<String>::new());
    }

    #[test]
    fn every_file_of_the_folder_is_bundled_and_has_no_problem() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/conformance");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| format!("scenarios/conformance/{}", entry.expect("an entry").file_name().display()))
            .collect();
        names.sort();
        let mut bundled: Vec<String> = bundled().into_iter().map(|(path, _)| path).collect();
        bundled.sort();
        assert_eq!(bundled, names);
        let (_, problems) = load(super::bundled(), &crate::spec::bundled());
        assert_eq!(problems, []);
    }

    #[test]
    fn repetitions_are_numbered_from_the_second_on() {
        let (planned, _) = load_one(&with_step("clear: {}"));
        let ids: Vec<String> = repeat(&planned, 3).into_iter().map(|planned| planned.id).collect();
        assert_eq!(ids, ["a", "a#2", "a#3"]);
    }

    #[test]
    fn endless_nesting_and_aliases_in_aliases_are_refused_at_once() {
        let level = |level: usize| format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1);
        let bomb = (1..30).map(level).collect::<Vec<_>>().concat();
        for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000), format!("a0: &a0 x\n{bomb}")] {
            assert!(!load_one(&text).1.is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            load_one(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_damage_to_a_sound_file_makes_reading_panic(
            cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0..6_usize, "[-a-z0-9 :{}\\[\\],&*!|>'\"$#\n\té]{0,4}"), 1..6),
        ) {
            let mut characters: Vec<char> = sound().chars().collect();
            for (at, length, instead) in cuts {
                let start = at.index(characters.len());
                let end = (start + length).min(characters.len());
                characters.splice(start..end, instead.chars());
            }
            let text: String = characters.into_iter().collect();
            for problem in load_one(&text).1 {
                let place = problem.place.expect("a place");
                prop_assert!(text.get(place.span).is_some());
            }
        }
    }
}
