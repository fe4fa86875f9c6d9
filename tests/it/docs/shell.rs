//! A shell that runs what a page says, with `msgext` on its path.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::NamedTempFile;

use crate::support::binary::{end, signal, until, without_variables};

/// A shell and all that it has started, which end with it.
pub(super) struct Shell {
    child: Child,
    said: NamedTempFile,
}

impl Shell {
    pub(super) fn start(folder: &Path, key: Option<&str>, script: &str) -> Shell {
        let said = NamedTempFile::new().expect("a file");
        let output = || fs::File::options().append(true).open(said.path()).expect("a handle");
        let binary = Path::new(env!("CARGO_BIN_EXE_msgext"));
        let own = binary.parent().expect("the folder of the binary").to_owned();
        let inherited = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([own].into_iter().chain(env::split_paths(&inherited))).expect("a path");
        let mut sh = without_variables(Command::new("sh"));
        sh.args(["-c", script]).current_dir(folder).env("PATH", path).envs(key.map(|key| ("MSGEXT_SECRET_KEY", key)));
        sh.process_group(0).stdin(Stdio::null()).stdout(output()).stderr(output());
        let child = sh.spawn().expect("a shell");
        Shell { child, said }
    }

    /// All that was said so far.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.said.path()).expect("text")
    }

    /// The exit code, -1 where a signal has ended it, and all that was said.
    pub(super) fn end(mut self) -> (i32, String) {
        let mut code = None;
        until("the script has ended", || {
            code = self.child.try_wait().expect("a child can be waited for");
            code.is_some()
        });
        (code.and_then(|code| code.code()).unwrap_or(-1), self.said())
    }

    /// The same, by Ctrl-C once it has begun, unless it ends before.
    pub(super) fn interrupt(mut self, has_begun: impl Fn(&str) -> bool) -> (i32, String) {
        let mut is_over = false;
        until("it has begun", || {
            is_over = self.child.try_wait().expect("a child can be waited for").is_some();
            is_over || has_begun(&self.said())
        });
        if !is_over {
            signal("-INT", &self.child);
        }
        self.end()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        // None of them is left where what was run cleans up behind itself.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        end(&mut self.child);
    }
}

/// Runs a script in an empty folder.
pub(super) fn run(script: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    Shell::start(folder.path(), None, script).end()
}
