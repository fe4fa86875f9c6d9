//! What the schemas of all kinds of files share: the names of clauses and readings, and fields that are left out or right.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::spec::{self, Clause};

/// A clause's id.
pub struct ClauseId;

/// The name of an open question.
pub struct QuestionName;

/// An answer to one open question or another.
pub struct AnswerName;

/// For each question that is named, answers to it.
pub struct AnswersByQuestion;

/// For each question that is named, its answer.
pub struct AnswerByQuestion;

fn answers(clause: &Clause) -> Value {
    clause.readings.iter().map(|answer| answer.name.as_str()).collect()
}

fn by_question(of: fn(Value) -> Value) -> Map<String, Value> {
    spec::bundled().questions().map(|(question, clause)| (question.to_owned(), of(json!({"enum": answers(clause)})))).collect()
}

/// The schema of a kind of file.
pub fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(not_null));
    settings.into_generator().into_root_schema_for::<T>()
}

/// A field that may be left out is not written as null, so that what is wrong within it is told, and not that it is not null.
fn not_null(schema: &mut Schema) {
    let choice = schema.get("anyOf").and_then(Value::as_array);
    let Some([asked, null]) = choice.map(Vec::as_slice) else { return };
    if let Some(asked) = asked.as_object().filter(|_| *null == json!({"type": "null"})).cloned() {
        schema.remove("anyOf");
        schema.ensure_object().extend(asked);
    }
}

/// A mapping of one kind of names to `V`.
pub fn keyed<K: JsonSchema, V: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let (names, values) = (generator.subschema_for::<K>(), generator.subschema_for::<V>());
    json_schema!({"type": "object", "propertyNames": names, "additionalProperties": values})
}

/// The schemas of types that are words or names: what an editor offers and accepts.
macro_rules! schemas {
    ($($type:ident: $json:tt;)*) => {$(
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($json)
            }
        }
    )*};
}
pub(in crate::scenario) use schemas;

schemas! {
    ClauseId: {
        "enum": spec::bundled().clauses.iter().map(|clause| clause.id.clone()).collect::<Vec<_>>(),
        "description": "A clause of the documentation: `msgext list --clauses`.",
    };
    QuestionName: {
        "enum": spec::bundled().questions().map(|(question, _)| question).collect::<Vec<_>>(),
        "description": "An open question of the documentation: `msgext list --readings`.",
    };
    AnswerName: {
        "enum": spec::bundled().clauses.iter().flat_map(|clause| &clause.readings).map(|answer| answer.name.clone())
            .collect::<std::collections::BTreeSet<_>>(),
    };
    AnswersByQuestion: {
        "type": "object", "additionalProperties": false,
        "properties": by_question(|answer| json!({"type": "array", "items": answer})),
    };
    AnswerByQuestion: {"type": "object", "additionalProperties": false, "properties": by_question(|answer| answer)};
}
