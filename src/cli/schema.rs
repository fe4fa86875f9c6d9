//! `msgext schema`: JSON Schemas, for editors and for whoever reads the reports.

use std::io::{self, Write};

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use crate::{report, scenario};

/// Prints a JSON Schema
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_name = "KIND", default_value = "scenario")]
    kind: SchemaKind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaKind {
    /// Scenario files
    Scenario,
    /// Load plans
    Load,
    /// Target files
    Target,
    /// The JSON report
    Report,
}

pub fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.kind {
        SchemaKind::Scenario => scenario::conform::schema::schema(),
        SchemaKind::Load => scenario::load::schema(),
        SchemaKind::Target => scenario::target::schema(),
        SchemaKind::Report => report::json::schema().to_value(),
    };
    let mut out = io::stdout().lock();
    let written = serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from).and_then(|()| writeln!(out));
    written.map_err(|error| Failure::could_not_test(format!("standard output cannot be written: {error}")))?;
    Ok(Exit::Holds)
}
