//! The JSON Schema of a file of scenarios, for editors.

use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value, json};

use super::File;
use crate::scenario::schema;

/// The schema of a file of scenarios. Columns may stand in a scenario only: whoever writes a list of something else in place of
/// scenarios is to be told that, and not that it is no column.
pub fn schema() -> Value {
    let mut schema = schema::of::<File>();
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for definition in definitions.into_iter().flat_map(|definitions| definitions.values_mut()) {
        // The table itself is read before any column is.
        let table = definition.pointer("/properties/cases").cloned();
        let Ok(schema) = <&mut Schema>::try_from(&mut *definition) else { continue };
        RecursiveTransform(one_of_many).transform(schema);
        RecursiveTransform(allow_columns).transform(schema);
        if let (Some(table), Some(place)) = (table, definition.pointer_mut("/properties/cases")) {
            *place = table;
        }
    }
    schema.to_value()
}

/// Words of which one is written, as one mapping with one entry: who errs in that entry is told of it, where a choice between
/// as many mappings could only say that none fits.
fn one_of_many(schema: &mut Schema) {
    let variant = |variant: &Value| {
        let properties = variant.get("properties")?.as_object().filter(|properties| properties.len() == 1)?;
        let (word, content) = properties.iter().next()?;
        let mut content = content.clone();
        if let (Some(content), Some(description)) = (content.as_object_mut(), variant.get("description")) {
            content.insert("description".to_owned(), description.clone());
        }
        Some((word.clone(), content))
    };
    let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let Some(words) = variants.iter().map(variant).collect::<Option<Map<String, Value>>>() else { return };
    schema.remove("oneOf");
    let one =
        json!({"type": "object", "properties": words, "additionalProperties": false, "minProperties": 1, "maxProperties": 1});
    schema.ensure_object().extend(one.as_object().cloned().unwrap_or_default());
}

/// Lets `${column}` stand wherever something other than a free text is asked: a row of `cases` may give it any value.
fn allow_columns(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    for name in ["properties", "patternProperties"] {
        for property in
            object.get_mut(name).and_then(Value::as_object_mut).into_iter().flat_map(|properties| properties.values_mut())
        {
            allow_column(property);
        }
    }
    for name in ["items", "additionalProperties", "propertyNames"] {
        if let Some(value) = object.get_mut(name) {
            allow_column(value);
        }
    }
}

fn allow_column(property: &mut Value) {
    const PATTERN: &str = r"\$\{.+\}";
    let narrows = ["enum", "const", "pattern", "format"].iter().any(|word| property.get(word).is_some());
    let takes_text = match property.get("type") {
        Some(Value::String(name)) => name == "string" && !narrows,
        Some(Value::Array(names)) => names.iter().any(|name| name == "string") && !narrows,
        _ => false,
    };
    let asks_nothing = property == &json!(false)
        || property.as_object().is_none_or(|property| !property.keys().any(|word| word != "description" && word != "default"));
    if !takes_text && !asks_nothing {
        let asked = property.take();
        // What is no column is told what was asked for, and nothing of columns.
        *property = json!({"if": {"type": "string", "pattern": PATTERN}, "then": true, "else": asked});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::conform::plan::bundled;

    fn errors(yaml: &str) -> Vec<String> {
        let instance: Value = serde_yaml::from_str(yaml).expect("YAML");
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        validator.iter_errors(&instance).map(|error| error.to_string()).collect()
    }

    #[test]
    fn every_bundled_file_fits() {
        for (path, text) in bundled() {
            assert_eq!(errors(&text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn columns_may_stand_for_values_of_any_type() {
        let yaml = r#"
scenarios:
  - id: a
    title: t
    clauses: [SEQ-1]
    as: ${who}
    needs-rate: ${rate}
    cases: [{ who: admin, rate: 5, codes: [1, 2], step: { clear: {} } }]
    steps:
      - ${step}
      - set: { kvs: [{ key: k, value: { repeat: é, bytes: 9 }, seq: latest }], expect: { code: "${codes}", keys: { k: { seq: grown } } } }
      - wait: 61s
      - peek: { keys: { k: absent } }
      - raw: { body: { hex: ff }, http: { query: { usersig: null }, usersig: forged } }
"#;
        assert_eq!(errors(yaml), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands_and_not_as_a_column() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        for (yaml, place, told) in [
            ("scenarios: [{id: a}]", "/scenarios/0", "\"title\" is a required property"),
            ("scenarios: [5]", "/scenarios/0", "5 is not of type \"object\""),
            ("scenarios: 5", "/scenarios", "5 is not of type \"array\""),
            ("scenarios: '${x}'", "/scenarios", "\"${x}\" is not of type \"array\""),
            ("scenarios: [{id: a, title: t, clauses: [SEQ-1], steps: [{sett: {}}]}]", "/scenarios/0/steps/0", "'sett'"),
            ("scenarios: [{id: a, title: t, clauses: [SEQ-99], steps: []}]", "/scenarios/0/clauses/0", "\"SEQ-99\""),
            (
                "scenarios: [{id: a, title: t, clauses: [SEQ-1], steps: [{set: {kvs: [{kee: k}]}}]}]",
                "/scenarios/0/steps/0/set/kvs/0",
                "kee",
            ),
            (
                "scenarios: [{id: a, title: t, clauses: [SEQ-1], steps: [{set: {expect: {cod: 0}}}]}]",
                "/scenarios/0/steps/0/set/expect",
                "cod",
            ),
        ] {
            let instance: Value = serde_yaml::from_str(yaml).expect("YAML");
            let errors: Vec<_> = validator.iter_errors(&instance).collect();
            let fits = |error: &jsonschema::ValidationError<'_>| {
                error.instance_path().to_string() == place && error.to_string().contains(told)
            };
            assert!(errors.iter().any(fits) && errors.iter().all(|error| !error.to_string().contains("anyOf")), "{errors:?}");
        }
    }

    #[test]
    fn clauses_and_readings_are_those_of_the_documentation() {
        let step = |step: &str| errors(&format!("scenarios: [{{id: a, title: t, clauses: [SEQ-1], steps: [{step}]}}]"));
        for good in [
            "set: {clause: SEQ-2, should: {MSG-3: {}}, when: {deleted-key: [reset]}}",
            "set: {observe: {reading: deleted-key, is: {reset: {}, tombstone: {}}}}",
            "set: {clause: 'SEQ-${n}', should: {'${c}': {}}, when: {deleted-key: '${w}'}}",
        ] {
            assert_eq!(step(good), Vec::<String>::new(), "{good}");
        }
        for wrong in [
            "set: {clause: SEQ-0}",
            "set: {should: {X-1: {}}}",
            "set: {when: {deleted-keys: [reset]}}",
            "set: {when: {deleted-key: [rest]}}",
            "set: {observe: {reading: deleted, is: {}}}",
            "set: {observe: {reading: deleted-key, is: {resett: {}}}}",
        ] {
            assert_ne!(step(wrong), Vec::<String>::new(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_field_or_word_does_not_fit() {
        let file = |step: &str| format!("scenarios: [{{ id: a, title: t, clauses: [SEQ-1], steps: [{step}] }}]");
        assert_eq!(errors(&file("set: { kvs: [{ key: k }] }")), Vec::<String>::new());
        for wrong in
            ["set: { kvs: [{ kee: k }] }", "sett: {}", "set: { as: nobody }", "wait: soon", "set: { kvs: 5 }", "raw: { body: 5 }"]
        {
            assert_ne!(errors(&file(wrong)), Vec::<String>::new(), "{wrong}");
        }
    }
}
