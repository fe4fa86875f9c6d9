//! `msgext report`: a report that was kept as JSON, written again in other forms.

use std::path::PathBuf;

use super::exit::{Exit, Failure, told};
use super::files;
use super::output::FormatArgs;
use crate::report::{Report, saved};

/// A report of the bundled suite is a few MB.
const MOST_BYTES: u64 = 512 << 20;

/// Writes a report that was kept as JSON again: as a page, as Markdown, as JUnit; nothing is sent
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// A JSON report, such as reports/run/report.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    formats: FormatArgs,
}

pub fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    if args.formats.is_empty() {
        return Err(Failure::usage("nothing is to be written: --html FILE, --markdown FILE or --junit FILE says what and where"));
    }
    let report = read(args)?;
    let outputs = args.formats.prepare()?;
    // What could not be written keeps no other from it.
    let failures = outputs.into_iter().filter_map(|(file, render)| file.write(|out| render(out, &report)).err());
    let mut failures: Vec<Failure> = failures.collect();
    let last = failures.pop();
    for failure in &failures {
        told(failure);
    }
    last.map_or(Ok(Exit::Holds), Err)
}

fn read(args: &ReportArgs) -> Result<Report, Failure> {
    let (path, text) = files::read_up_to(&args.file, MOST_BYTES)?;
    saved::read(&path, &text).map_err(|error| Failure::usage(error.to_string()))
}
