//! A scenario turned back into the YAML that it is read from: what was found by trying becomes a file that can be kept.
//!
//! For whoever makes scenarios rather than reads them, as a search for failures does. Never a word that its author need
//! not have written: what is left out means the same.

use serde_yaml::with::singleton_map_recursive;
use thiserror::Error;

use super::conform::{File, Scenario};

/// Why a scenario cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// It would be read as a column of the scenario's table, and no text can say that it is none.
    #[error("a text of the scenario `{0}` holds `${{`, which stands for a column")]
    Column(String),
    #[error(transparent)]
    Yaml(#[from] serde_yaml::Error),
}

/// A file of these scenarios that reads back equal.
pub fn write(scenarios: Vec<Scenario>) -> Result<String, WriteError> {
    for scenario in scenarios.iter().filter(|scenario| scenario.cases.is_empty()) {
        if yaml(scenario)?.contains("${") {
            return Err(WriteError::Column(scenario.id.clone()));
        }
    }
    yaml(&File { scenarios })
}

/// A step is written as `set: …`, and not as the tag `!set` that the YAML of an enum would be.
fn yaml<T: serde::Serialize>(value: &T) -> Result<String, WriteError> {
    let mut bytes = Vec::new();
    singleton_map_recursive::serialize(value, &mut serde_yaml::Serializer::new(&mut bytes))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::Value as Json;

    use super::*;
    use crate::scenario::conform::plan;
    use crate::scenario::conform::text::{Body, Codes, KeyState, Seq, SeqExpect, Text};
    use crate::scenario::conform::{
        CallStep, Expect, Http, KeyExpect, KvSpec, LimitExpect, Observe, ObserveUntil, Parallel, Peek, Repeat, Step, UserSig,
    };
    use crate::scenario::{Caller, EmbeddedSetup, MessageKind};
    use crate::spec;
    use crate::yaml::reader::read_file;
    use crate::yaml::span::Span;

    /// What YAML or the words of the scenarios could take for something else.
    const AWKWARD: &[&str] = &[
        "", "absent", "any", "latest", "null", "~", "5", "-1", "1e3", "0x1f", "yes", "true", "a: b", "# c", "- d", "{e}", "[f]",
        "*g", "&h", "!i", "'", "\"", " j ", "k\n", "\n\nl", "\t", "\r\n", "\u{85}", "\u{2028}", "\u{feff}", "\u{1}", "<<", "/~",
    ];

    fn text() -> impl Strategy<Value = String> {
        let any = prop_oneof![
            "[a-z]{1,4}",
            "\\PC{0,6}",
            select(AWKWARD).prop_map(str::to_owned),
            (select(vec!["a", "é", "中"]), 50..200_usize).prop_map(|(character, times)| character.repeat(times)),
        ];
        any.prop_filter("a column", |text| !text.contains("${"))
    }

    fn texts<T: std::fmt::Debug>(value: impl Strategy<Value = T> + 'static) -> BoxedStrategy<BTreeMap<String, T>> {
        btree_map(text(), value, 0..3).boxed()
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            proptest::num::f64::NORMAL.prop_map(Json::from),
            text().prop_map(Json::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Json::from),
                btree_map(text(), inner, 0..3).prop_map(|fields| Json::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn caller() -> impl Strategy<Value = Caller> {
        select(vec![Caller::Admin, Caller::Sender, Caller::Recipient, Caller::Stranger])
    }

    fn codes() -> impl Strategy<Value = Codes> {
        prop_oneof![Just(Codes::AnyRefusal), vec(any::<i64>(), 0..3).prop_map(Codes::OneOf)]
    }

    fn seq() -> impl Strategy<Value = Seq> {
        prop_oneof![select(vec![Seq::Latest, Seq::Stale, Seq::Ahead, Seq::Absent]), any::<i64>().prop_map(Seq::Number)]
    }

    fn seq_expect() -> impl Strategy<Value = SeqExpect> {
        prop_oneof![select(vec![SeqExpect::Latest, SeqExpect::Grown]), any::<i64>().prop_map(SeqExpect::Number)]
    }

    fn span() -> impl Strategy<Value = Span> {
        (0..86_400_u64, prop_oneof![Just(0), (0..1000_u32).prop_map(|ms| ms * 1_000_000), 0..1_000_000_000_u32])
            .prop_map(|(seconds, nanoseconds)| Span(Duration::new(seconds, nanoseconds)))
    }

    fn body() -> impl Strategy<Value = Body> {
        prop_oneof![text().prop_map(Body::Text), vec(any::<u8>(), 0..4).prop_map(Body::Hex), json().prop_map(Body::Json),]
    }

    fn kv() -> BoxedStrategy<KvSpec> {
        let times = option::of(1..5_usize);
        (text(), option::of(text()), seq(), times, any::<bool>(), texts(json()), vec(text(), 0..2))
            .prop_map(|(key, value, seq, times, fresh, fields, omit)| KvSpec {
                key: Text(key),
                value: value.map(Text),
                seq,
                times,
                fresh,
                fields,
                omit,
            })
            .boxed()
    }

    fn http() -> BoxedStrategy<Http> {
        let usersig = select(vec![UserSig::Valid, UserSig::Empty, UserSig::Forged, UserSig::OtherApp]);
        (option::of(text()), option::of(text()), texts(option::of(text())), texts(text()), usersig, any::<bool>())
            .prop_map(|(method, path, query, headers, usersig, without_plan)| Http {
                method,
                path,
                query,
                headers,
                usersig,
                without_plan,
            })
            .boxed()
    }

    fn expect() -> BoxedStrategy<Expect> {
        fn key() -> impl Strategy<Value = KeyExpect> {
            (option::of(codes()), option::of(text()), option::of(seq_expect())).prop_map(|(code, value, seq)| KeyExpect {
                code,
                value: value.map(Text),
                seq,
            })
        }
        (option::of(codes()), option::of(codes()), texts(key()), option::of(key()), any::<bool>())
            .prop_map(|(code, refused, keys, each, unchanged)| Expect { code, refused, keys, each, unchanged })
            .boxed()
    }

    fn call() -> BoxedStrategy<CallStep> {
        let observe = (text(), texts(expect())).prop_map(|(reading, is)| Observe { reading, is });
        let sent = (option::of(vec(kv(), 0..3)), texts(json()), vec(text(), 0..2), option::of(body()), http());
        let asked = (option::of(expect()), texts(expect()), option::of(observe), texts(vec(text(), 0..2)));
        (option::of(caller()), option::of(text()), option::of(text()), sent, asked)
            .prop_map(|(caller, message, clause, (kvs, fields, omit, body, http), (expect, should, observe, when))| CallStep {
                caller,
                message,
                kvs,
                fields,
                omit,
                body,
                http,
                clause,
                expect,
                should,
                observe,
                when,
            })
            .boxed()
    }

    fn peek() -> BoxedStrategy<Peek> {
        let state = prop_oneof![
            Just(KeyState::Absent),
            (option::of(text()), option::of(seq_expect()))
                .prop_map(|(value, seq)| KeyState::Present { value: value.map(Text), seq }),
        ];
        (option::of(text()), option::of(text()), texts(state), texts(vec(text(), 0..2)))
            .prop_map(|(message, clause, keys, when)| Peek { message, clause, keys, when })
            .boxed()
    }

    fn step() -> impl Strategy<Value = Step> {
        let leaf = prop_oneof![
            call().prop_map(Step::Set),
            call().prop_map(Step::Delete),
            call().prop_map(Step::Clear),
            call().prop_map(Step::Raw),
            peek().prop_map(Step::Peek),
            span().prop_map(Step::Wait),
        ];
        leaf.prop_recursive(2, 4, 2, |inner| {
            let until = (text(), text(), text()).prop_map(|(reading, seen, never)| ObserveUntil { reading, seen, never });
            let limit = (any::<u64>(), span(), text(), text()).prop_map(|(rounds, window, fewer, more)| LimitExpect {
                rounds,
                window,
                fewer,
                more,
            });
            let steps = vec(inner, 0..3);
            let waits = (option::of(span()), option::of(expect()), option::of(until), option::of(limit));
            let repeat = (any::<usize>(), steps.clone(), waits, texts(vec(text(), 0..2))).prop_map(
                |(times, steps, (every, until, observe, limit), when)| Repeat {
                    times,
                    steps,
                    every,
                    until,
                    observe,
                    limit,
                    when,
                },
            );
            let parallel = (steps, option::of(any::<usize>()), option::of(text()), option::of(text()))
                .prop_map(|(steps, times, one_wins, clause)| Parallel { steps, times, one_wins, clause });
            prop_oneof![repeat.prop_map(Step::Repeat), parallel.prop_map(Step::Parallel)]
        })
    }

    fn scenario() -> impl Strategy<Value = Scenario> {
        let kinds = select(vec![MessageKind::Sent, MessageKind::FromAdmin, MessageKind::Unsupported, MessageKind::Missing]);
        let embedded = (option::of(any::<u32>()), any::<bool>())
            .prop_map(|(internal_error_every, no_app_limit)| EmbeddedSetup { internal_error_every, no_app_limit });
        let head = (text(), text(), vec(text(), 0..3), vec(text(), 0..2), caller());
        let rest = (texts(kinds), any::<bool>(), option::of(any::<u32>()), embedded, vec(texts(json()), 0..2));
        (head, rest, vec(step(), 0..3)).prop_map(
            |((id, title, clauses, tags, caller), (messages, alone, needs_rate, embedded, cases), steps)| Scenario {
                id,
                title,
                clauses,
                tags,
                caller,
                messages,
                alone,
                needs_rate,
                embedded,
                cases,
                steps,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_reads_back_equal(scenarios in vec(scenario(), 1..3)) {
            let yaml = write(scenarios.clone()).expect("no column is in it");
            let (_, read) = read_file::<File>("f.yaml", &yaml);
            prop_assert_eq!(read.problems, Vec::new());
            prop_assert_eq!(read.value.map(|file| file.scenarios), Some(scenarios), "{}", yaml);
        }
    }

    #[test]
    fn every_bundled_scenario_is_planned_again_as_it_was() {
        let spec = spec::bundled();
        let (planned, problems) = plan::load(plan::bundled(), &spec);
        assert_eq!(problems, []);
        for planned in planned {
            let yaml = write(vec![planned.scenario.clone()]).expect("a bundled row has no column left");
            let (again, problems) = plan::load(vec![("f.yaml".to_owned(), yaml)], &spec);
            assert_eq!(problems, [], "{}", planned.id);
            assert_eq!(again.len(), 1, "{}", planned.id);
            assert_eq!(again[0].scenario, planned.scenario, "{}", planned.id);
        }
    }

    #[test]
    fn a_scenario_is_written_as_a_person_would() {
        let long = "a".repeat(101);
        let text = format!(
            "scenarios:\n- id: a\n  title: t\n  clauses:\n  - SEQ-1\n  steps:\n  - set:\n      kvs:\n      - key:\n          \
             repeat: a\n          bytes: {}\n        seq: stale\n      expect:\n        code: 10004\n  - wait: 61s\n  - peek:\n      \
             keys:\n        k: absent\n",
            long.len()
        );
        let file = read_file::<File>("f.yaml", &text).1.value.expect("a file");
        assert_eq!(write(file.scenarios).expect("a text"), text);
    }

    #[test]
    fn a_text_that_would_be_a_column_is_refused_unless_the_scenario_has_a_table() {
        let read = |title: &str, cases: &str| {
            let text = format!("scenarios: [{{id: a, title: '{title}', clauses: [], cases: {cases}, steps: []}}]");
            read_file::<File>("f.yaml", &text).1.value.expect("a file").scenarios
        };
        assert!(write(read("${x}", "[{x: 1}]")).is_ok());
        assert!(write(read("$x", "[]")).is_ok());
        assert!(matches!(write(read("${x}", "[]")), Err(WriteError::Column(_))));
    }
}
