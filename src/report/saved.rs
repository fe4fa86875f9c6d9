//! A report that was kept as JSON, read again.

use serde::Deserialize;

use super::{Report, VERSION};

/// Why a file cannot be read as a report. Begins with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("{name} is no JSON report of msgext: {cause}")]
    NoReport { name: String, cause: serde_json::Error },
    #[error("{name} is version {version} of a report, and this msgext knows version {VERSION}: take the msgext that wrote it")]
    Version { name: String, version: u32 },
}

/// What a form of any version has.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// The version of a form that says it.
pub fn version_of(text: &str) -> Result<u32, serde_json::Error> {
    serde_json::from_str(text).map(|VersionOnly { version }| version)
}

/// Reads the text of a file of this name.
pub fn read(name: &str, text: &str) -> Result<Report, SavedError> {
    let no_report = |cause| SavedError::NoReport { name: name.to_owned(), cause };
    let version = version_of(text).map_err(no_report)?;
    if version == VERSION {
        serde_json::from_str(text).map_err(no_report)
    } else {
        Err(SavedError::Version { name: name.to_owned(), version })
    }
}
