//! The JSON Schema of a file of scenarios, for editors.

use schemars::transform::RecursiveTransform;
use schemars::{Schema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::File;

/// The schema of a file of scenarios.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(allow_columns));
    settings.into_generator().into_root_schema_for::<File>().to_value()
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
    for name in ["items", "additionalProperties"] {
        if let Some(value) = object.get_mut(name) {
            allow_column(value);
        }
    }
}

fn allow_column(property: &mut Value) {
    const PATTERN: &str = r"^\$\{.+\}$";
    let narrows = ["enum", "const", "pattern", "format"].iter().any(|word| property.get(word).is_some());
    let takes_text = match property.get("type") {
        Some(Value::String(name)) => name == "string" && !narrows,
        Some(Value::Array(names)) => names.iter().any(|name| name == "string") && !narrows,
        _ => false,
    };
    let asks_nothing =
        property.as_object().is_none_or(|property| !property.keys().any(|word| word != "description" && word != "default"));
    if !takes_text && !asks_nothing {
        let asked = property.take();
        *property = json!({"anyOf": [asked, {"type": "string", "pattern": PATTERN}]});
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
    clauses: [X-1]
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
    fn a_misspelt_field_or_word_does_not_fit() {
        let file = |step: &str| format!("scenarios: [{{ id: a, title: t, clauses: [X-1], steps: [{step}] }}]");
        assert_eq!(errors(&file("set: { kvs: [{ key: k }] }")), Vec::<String>::new());
        for wrong in
            ["set: { kvs: [{ kee: k }] }", "sett: {}", "set: { as: nobody }", "wait: soon", "set: { kvs: 5 }", "raw: { body: 5 }"]
        {
            assert_ne!(errors(&file(wrong)), Vec::<String>::new(), "{wrong}");
        }
    }
}
