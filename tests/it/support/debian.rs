//! Programs of Debian that tests need, installed where they are missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Where the program is, once its package is installed. Says what is needed where it cannot be.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    // One asks at a time; the next finds what the first has installed.
    static ASKING: Mutex<()> = Mutex::new(());
    let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    found(name).unwrap_or_else(|| {
        let told = install(package);
        found(name).unwrap_or_else(|| panic!("these tests need {name}: apt-get install {package}\n{told}"))
    })
}

fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Servers lie where not everybody looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Asks Debian for it, as root or by a `sudo` that asks nothing; what was said where that failed.
fn install(package: &str) -> String {
    let line = format!(
        "as_root=; [ \"$(id -u)\" -eq 0 ] || as_root='sudo -n'
         export DEBIAN_FRONTEND=noninteractive
         $as_root apt-get update && $as_root apt-get install --yes --no-install-recommends {package}"
    );
    let output = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().expect("sh can be run");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
