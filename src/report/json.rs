//! The report as JSON, and the JSON Schema of that.

use std::io;

use schemars::{Schema, schema_for};

use super::Report;

pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

pub fn schema() -> Schema {
    schema_for!(Report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_report_validates_against_its_schema_and_reads_back_as_it_was() {
        let report = fixture::report();
        let mut json = Vec::new();
        write(&mut json, &report).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let validator = jsonschema::validator_for(schema().as_value()).unwrap();
        assert!(validator.is_valid(&value), "{:?}", validator.iter_errors(&value).map(|e| e.to_string()).collect::<Vec<_>>());
        assert_eq!(serde_json::from_slice::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn a_report_with_a_verdict_of_its_own_invention_does_not_validate() {
        let mut value = serde_json::to_value(fixture::report()).unwrap();
        value["verdict"] = "perhaps".into();
        assert!(!jsonschema::validator_for(schema().as_value()).unwrap().is_valid(&value));
    }

    #[test]
    fn the_names_that_others_read_are_there() {
        let value = serde_json::to_value(fixture::report()).unwrap();
        assert_eq!((&value["version"], &value["command"], &value["verdict"]), (&1.into(), &"run".into(), &"fail".into()));
        assert_eq!((&value["started"], &value["incomplete"]), (&"2023-11-14T22:13:20Z".into(), &false.into()));
        let finding = &value["scenarios"][0]["findings"][0];
        assert_eq!((&finding["clause"], &finding["level"]), (&"SEQ-3".into(), &"must".into()));
        assert_eq!(finding["exchange"]["http_status"], 200);
        assert_eq!(finding["place"]["file"], "scenarios/conformance/seq.yaml");
        assert_eq!(value["readings"]["deleted-key"], "reset");
    }
}
