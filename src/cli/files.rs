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

/// A file that appears whole or not at all: what it holds is written beside its place, and moved there in the end.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    /// `None` for what is written in its place.
    part: Option<PathBuf>,
    /// What is no ordinary file, such as a device, a pipe or a link to anything. It is opened once: a pipe that its reader has
    /// closed could not be opened again.
    in_place: Option<File>,
}

impl Output {
    /// Makes sure, before anything is sent, that it can be written, and takes away what an earlier run has left there.
    pub fn prepare(path: &Path) -> Result<Output, Failure> {
        let made = if is_stdout(path) { Ok((None, None)) } else { Output::begin(path) };
        let made = made.map(|(part, in_place)| Output { path: path.to_owned(), part, in_place });
        made.map_err(|error| unwritable(path, &error))
    }

    fn begin(path: &Path) -> io::Result<(Option<PathBuf>, Option<File>)> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        // `/dev/stdout` is a link too: to put a file in its place would take it away.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            return File::create(path).map(|file| (None, Some(file)));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        File::create(&part)?;
        if path.exists() {
            fs::remove_file(path)?;
        }
        Ok((Some(part.into()), None))
    }

    /// What is to be written to, before it is [placed](Output::place).
    pub fn create(&self) -> io::Result<File> {
        match &self.in_place {
            Some(file) => file.try_clone(),
            None => File::create(self.part.as_ref().unwrap_or(&self.path)),
        }
    }

    /// It is whole.
    pub fn place(mut self) -> Result<(), Failure> {
        self.part.take().map_or(Ok(()), |part| fs::rename(part, &self.path)).map_err(|error| self.unwritable(&error))
    }

    /// Writes it whole, or, for `-`, to standard output.
    pub fn write(self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        if is_stdout(&self.path) {
            return print(content);
        }
        let file = self.create().map(BufWriter::new);
        let written = file.and_then(|mut out| content(&mut out).and_then(|()| out.flush()));
        match written.or_else(unless_closed) {
            Ok(()) => self.place(),
            Err(error) => Err(self.unwritable(&error)),
        }
    }

    pub fn unwritable(&self, error: &io::Error) -> Failure {
        unwritable(&self.path, error)
    }
}

/// Writes data to standard output.
pub fn print(content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = content(&mut out).and_then(|()| out.flush()).or_else(unless_closed);
    written.map_err(|error| unwritable(Path::new("standard output"), &error))
}

/// Whoever closes a pipe has read enough of it, as in `msgext list | head`: that is no error.
fn unless_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

impl Drop for Output {
    fn drop(&mut self) {
        // It never became whole.
        self.part.take().map(fs::remove_file);
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not_test(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_takes_an_earlier_one_away_and_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/report.json");
        let names = || fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        Output::prepare(&path).unwrap().write(|out| out.write_all(b"first")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let second = Output::prepare(&path).unwrap();
        assert!(!path.exists());
        assert!(second.write(|_| Err(io::Error::other("cut off"))).is_err());
        assert_eq!(names(), Vec::<std::ffi::OsString>::new());
    }

    #[test]
    fn a_link_stays_a_link_and_what_it_leads_to_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let [link, file] = ["link", "file"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for content in ["longer than the next", "next"] {
            Output::prepare(&link).unwrap().write(|out| out.write_all(content.as_bytes())).unwrap();
            assert_eq!((fs::read_to_string(&file).unwrap().as_str(), fs::read_link(&link).unwrap()), (content, file.clone()));
        }
    }

    #[test]
    fn a_device_is_written_in_its_place_and_a_folder_is_none() {
        assert!(Output::prepare(Path::new("/dev/null")).unwrap().write(|out| out.write_all(b"x")).is_ok());
        assert!(Output::prepare(Path::new("/dev/full")).unwrap().write(|out| out.write_all(b"x")).is_err());
        assert!(Output::prepare(tempfile::tempdir().unwrap().path()).is_err());
        assert!(Path::new("/dev/null").exists() && Path::new("/dev/full").exists());
    }
}
