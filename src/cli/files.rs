//! Files read and written, with errors that name them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// Path and text of each YAML file that the arguments name; a folder stands for all of its `.yaml` and `.yml` files.
pub fn read_yaml(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut found = yaml_below(path).map_err(|error| unreadable(path, &error))?;
            found.sort();
            if found.is_empty() {
                return Err(Failure::usage(format!("{}: there is no .yaml file in this folder", path.display())));
            }
            for file in found {
                files.push(read(&file)?);
            }
        } else {
            files.push(read(path)?);
        }
    }
    Ok(files)
}

pub fn read(path: &Path) -> Result<(String, String), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::usage(format!("{}: byte {} is not UTF-8", path.display(), error.utf8_error().valid_up_to())))?;
    Ok((path.display().to_string(), text))
}

fn yaml_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(yaml_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be read: {error}", path.display()))
}

/// Makes sure, before anything is sent, that a file can be written there.
pub fn prepare(path: &Path) -> Result<(), Failure> {
    if is_stdout(path) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = fs::create_dir_all(parent).and_then(|()| fs::OpenOptions::new().append(true).create(true).open(path).map(drop));
    made.map_err(|error| unwritable(path, &error))
}

/// Writes a file whole, or, for `-`, to standard output.
pub fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let written = if is_stdout(path) {
        let mut out = io::stdout().lock();
        content(&mut out).and_then(|()| out.flush())
    } else {
        File::create(path).map(BufWriter::new).and_then(|mut out| content(&mut out).and_then(|()| out.flush()))
    };
    written.map_err(|error| unwritable(path, &error))
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not_test(format!("{} cannot be written: {error}", path.display()))
}
