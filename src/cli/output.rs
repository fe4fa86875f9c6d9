//! Where reports go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::files::Output;
use crate::report::{Report, badge, html, json, junit, markdown};

type Renderer = fn(&mut dyn Write, &Report) -> io::Result<()>;

/// What the newest run of a command leaves in its folder.
const KEPT: [(&str, Renderer); 4] =
    [("report.json", json::write), ("report.md", markdown::write), ("junit.xml", junit::write), ("report.html", html::write)];

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct OutputArgs {
    /// Folder of the reports: report.html, report.json, report.md and junit.xml of the newest run of each command land in a folder
    /// of its name
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// Writes the JSON report here too (-: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    formats: FormatArgs,
}

/// The forms that a JSON report can be written in.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct FormatArgs {
    /// Writes the report as a page for a browser here (-: standard output)
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the JUnit report here (-: standard output)
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes the Markdown report here (-: standard output)
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes a badge here, as an endpoint of shields.io has it
    #[arg(long, value_name = "FILE")]
    badge: Option<PathBuf>,
}

impl FormatArgs {
    pub fn is_empty(&self) -> bool {
        self.asked().next().is_none()
    }

    /// Makes every file that is asked for ready.
    pub fn prepare(&self) -> Result<Vec<(Output, Renderer)>, Failure> {
        self.asked().map(|(path, render)| Output::prepare(path).map(|file| (file, render))).collect()
    }

    fn asked(&self) -> impl Iterator<Item = (&Path, Renderer)> {
        let all: [(&Option<PathBuf>, Renderer); 4] = [
            (&self.html, html::write),
            (&self.markdown, markdown::write),
            (&self.junit, junit::write),
            (&self.badge, badge::write),
        ];
        all.into_iter().filter_map(|(path, render)| path.as_deref().map(|path| (path, render)))
    }
}

impl OutputArgs {
    /// Whether a report is asked for by its own name.
    pub fn asks_for_a_report(&self) -> bool {
        self.json.is_some() || !self.formats.is_empty()
    }

    /// Where the newest run of this command leaves its reports.
    pub fn folder(&self, command: &str) -> PathBuf {
        self.out.join(command)
    }

    /// Makes every file that this command writes ready for it.
    pub fn prepare(&self, command: &str) -> Result<Outputs, Failure> {
        let folder = self.folder(command);
        let kept = KEPT.into_iter().map(|(name, render)| (folder.join(name), render));
        let asked = self.json.iter().map(|path| (path.clone(), json::write as Renderer));
        let files = kept.chain(asked).map(|(path, render)| Output::prepare(&path).map(|file| (file, render)));
        let mut files: Vec<(Output, Renderer)> = files.collect::<Result<_, _>>()?;
        files.extend(self.formats.prepare()?);
        Ok(Outputs { folder, files })
    }
}

/// The files of a run's reports, ready to be written.
#[derive(Default)]
pub struct Outputs {
    folder: PathBuf,
    files: Vec<(Output, Renderer)>,
}

impl Outputs {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes them all; what could not be written keeps no other from it, and is given back.
    pub fn write(self, report: &Report) -> Vec<Failure> {
        self.files.into_iter().filter_map(|(file, render)| file.write(|out| render(out, report)).err()).collect()
    }
}
