//! Files read and written, with errors that name them.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// More than this is no file that anybody wrote.
const MOST_BYTES: u64 = 64 << 20;

/// Path and text of each YAML file that the arguments name; a folder stands for all of its `.yaml` and `.yml` files. Each file
/// and each folder is read once, however many names and links lead to it.
pub fn read_yaml(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let (mut named, mut seen) = (Vec::new(), BTreeSet::new());
    for path in paths {
        if !path.is_dir() {
            named.push(path.clone());
            continue;
        }
        let mut found = yaml_below(path).map_err(|error| unreadable(path, &error))?;
        if found.is_empty() {
            return Err(Failure::usage(format!("{}: there is no .yaml file in this folder", path.display())));
        }
        found.sort();
        named.extend(found);
    }
    // What cannot be resolved is told when it is read.
    named.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    named.iter().map(|path| read(path)).collect()
}

/// A file's path and text, without the byte order mark that it may begin with.
pub fn read(path: &Path) -> Result<(String, String), Failure> {
    read_up_to(path, MOST_BYTES)
}

/// As [`read`], for what a program may have written, of so many bytes at most.
pub fn read_up_to(path: &Path, most: u64) -> Result<(String, String), Failure> {
    let told = |what: String| Failure::usage(format!("{} {what}", path.display()));
    if let Some(what) = no_file(path) {
        return Err(told(what));
    }
    let mut bytes = Vec::new();
    let content = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    content.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(told(format!("is larger than {} MiB", most >> 20)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(told("is UTF-16: save it as UTF-8".to_owned()));
    }
    let text = String::from_utf8(bytes);
    let mut text = text.map_err(|error| told(format!("is not UTF-8: see its byte {}", error.utf8_error().valid_up_to() + 1)))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok((path.display().to_string(), text))
}

/// Whether something of this name is there, be it a link that leads nowhere.
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What a path leads to, where that is nothing that can be read to its end.
fn no_file(path: &Path) -> Option<String> {
    let found = path.metadata().map(|found| found.file_type());
    let is_denied = found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    let Ok(found) = found else {
        let leads_to = path.read_link().ok().filter(|_| !is_denied)?;
        return Some(format!("is a link that leads nowhere: to {}", leads_to.display()));
    };
    // A pipe without a name, as in `<(…)` and /dev/stdin, has somebody who writes it.
    let is_named = || path.canonicalize().is_ok();
    let kinds = [
        (found.is_dir(), "a folder"),
        (found.is_fifo() && is_named(), "a named pipe"),
        (found.is_socket(), "a socket"),
        (found.is_char_device() || found.is_block_device(), "a device"),
    ];
    kinds.into_iter().find(|(is, _)| *is).map(|(_, what)| format!("is {what}, not a file"))
}

/// The YAML files of a folder and of those in it. Folders that a link leads to come last, so that a file is called by its own
/// name where it has one here.
fn yaml_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut read) = (Vec::new(), BTreeSet::new());
    let mut folders = VecDeque::from([folder.to_owned()]);
    let mut linked = VecDeque::new();
    while let Some(folder) = folders.pop_front().or_else(|| linked.pop_front()) {
        if !read.insert(folder.canonicalize()?) {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if path.is_symlink() { linked.push_back(path) } else { folders.push_back(path) }
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    Failure::usage(format!("{}: {what}", path.display()))
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
    fn each_folder_and_each_file_is_read_once_whatever_links_lead_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let suite = folder.path().join("suite");
        fs::create_dir_all(suite.join("sub/deep")).unwrap();
        for (file, text) in [("a.yaml", "a"), ("sub/b.yml", "b"), ("sub/deep/c.yaml", "c"), ("sub/d.txt", "d")] {
            fs::write(suite.join(file), text).unwrap();
        }
        let links = [
            ("..", "sub/up"),
            ("../..", "sub/deep/top"),
            (".", "self"),
            ("sub/deep", "another"),
            ("../../a.yaml", "sub/deep/z.yaml"),
        ];
        for (target, link) in links {
            std::os::unix::fs::symlink(target, suite.join(link)).unwrap();
        }
        let names = |paths: &[PathBuf]| {
            let read = read_yaml(paths).unwrap();
            read.into_iter().map(|(path, text)| (path.rsplit('/').next().unwrap().to_owned(), text)).collect::<Vec<_>>()
        };
        let each = [("a.yaml", "a"), ("b.yml", "b"), ("c.yaml", "c")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(names(std::slice::from_ref(&suite)), each);
        assert_eq!(
            names(&[suite.join("sub/b.yml"), suite.join("another"), suite.join("sub/deep/z.yaml"), suite.clone()]).len(),
            3
        );
    }

    #[test]
    fn one_byte_order_mark_is_no_part_of_a_text_and_another_coding_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path).map(|(_, text)| text).map_err(|failure| failure.message)
        };
        assert_eq!(read("\u{feff}---\na".as_bytes()).unwrap(), "---\na");
        assert_eq!(read("\u{feff}\u{feff}a".as_bytes()).unwrap(), "\u{feff}a");
        assert_eq!(read("a\u{feff}".as_bytes()).unwrap(), "a\u{feff}");
        assert!(read(b"\xff\xfea\0").unwrap_err().contains("UTF-16"));
        assert!(read(b"a\xff").unwrap_err().contains("byte 2"));
    }

    #[test]
    fn what_is_no_file_is_called_what_it_is_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("gone", at("broken")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, what) in [
            (at("pipe"), "is a named pipe"),
            (at("broken"), "leads nowhere: to gone"),
            (at("loop"), "leads nowhere: to loop"),
            (at("socket"), "is a socket"),
            (at(""), "is a folder"),
            (PathBuf::from("/dev/zero"), "is a device"),
            (at("nothing"), "there is no such file"),
        ] {
            let told = read(&path).unwrap_err().message;
            assert!(told.contains(what), "{told}");
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
