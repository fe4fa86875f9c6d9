//! `msgext schema`: JSON Schemas, for editors and for whoever reads the reports.

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use super::files::print;
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
    /// Race plans
    Race,
    /// Target files
    Target,
    /// The JSON report
    Report,
    /// A line of a history
    History,
}

pub fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.kind {
        SchemaKind::Scenario => scenario::conform::schema::schema(),
        SchemaKind::Load => scenario::load::schema(),
        SchemaKind::Race => scenario::race::schema(),
        SchemaKind::Target => scenario::target::schema(),
        SchemaKind::History => report::history::schema().to_value(),
        SchemaKind::Report => report::json::schema().to_value(),
    };
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, &schema)?;
        writeln!(out)
    })?;
    Ok(Exit::Holds)
}
