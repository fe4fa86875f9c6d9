//! Where reports go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::files::Output;
use crate::report::{Report, badge, json, junit, markdown};

type Renderer = fn(&mut dyn Write, &Report) -> io::Result<()>;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct OutputArgs {
    /// Folder of the reports: report.json, report.md and junit.xml of the newest run of each command land in a folder of its name
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// Writes the JSON report here too (-: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the JUnit report here too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes the Markdown report here too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes a badge here, as an endpoint of shields.io has it
    #[arg(long, value_name = "FILE")]
    badge: Option<PathBuf>,
}

impl OutputArgs {
    /// Where the newest run of this command leaves its reports.
    pub fn folder(&self, command: &str) -> PathBuf {
        self.out.join(command)
    }

    /// Makes every file that this command writes ready for it.
    pub fn prepare(&self, command: &str) -> Result<Outputs, Failure> {
        let folder = self.folder(command);
        let kept: [(&str, Renderer); 3] =
            [("report.json", json::write), ("report.md", markdown::write), ("junit.xml", junit::write)];
        let asked: [(&Option<PathBuf>, Renderer); 4] = [
            (&self.json, json::write),
            (&self.markdown, markdown::write),
            (&self.junit, junit::write),
            (&self.badge, badge::write),
        ];
        let kept = kept.into_iter().map(|(name, render)| (folder.join(name), render));
        let all = kept.chain(asked.into_iter().filter_map(|(path, render)| path.clone().map(|path| (path, render))));
        let files = all.map(|(path, render)| Output::prepare(&path).map(|file| (file, render))).collect::<Result<_, _>>()?;
        Ok(Outputs { folder, files })
    }
}

/// The files of a run's reports, ready to be written.
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
