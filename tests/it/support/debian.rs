//! Programs of Debian and of Python that tests need, installed where they are missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Where the program is, once its package is installed. Says what is needed where it cannot be.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    needed(name, package, || found(name))
}

/// Where a library is that is loaded before others, once its package is installed.
pub(crate) fn library(name: &str, package: &str) -> PathBuf {
    needed(name, package, || {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        folders.map(|folder| folder.join(name)).find(|library| library.is_file())
    })
}

/// Where a program of Python is, once the package of its name is installed in an environment of its own beside the build.
pub(crate) fn python_program(name: &str, version: &str) -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{version}"));
    let [pip, program] = ["pip", name].map(|name| environment.join("bin").join(name));
    if !program.is_file() {
        let python = needed("python3 with ensurepip", "python3-venv", || {
            found("python3").filter(|python| ran(Command::new(python).args(["-c", "import ensurepip"])).is_ok())
        });
        let environment = ran(Command::new(python).args(["-m", "venv"]).arg(&environment));
        let install = || ran(Command::new(pip).args(["install", "--disable-pip-version-check", &format!("{name}=={version}")]));
        environment.and_then(|()| install()).unwrap_or_else(|told| panic!("these tests need {name} {version}: {told}"));
    }
    program
}

/// What `look` finds, once the package is installed.
fn needed(what: &str, package: &str, look: impl Fn() -> Option<PathBuf>) -> PathBuf {
    // One asks at a time; the next finds what the first has installed.
    static ASKING: Mutex<()> = Mutex::new(());
    let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    look().unwrap_or_else(|| {
        let told = install(package).err().unwrap_or_default();
        look().unwrap_or_else(|| panic!("these tests need {what}: apt-get install {package}\n{told}"))
    })
}

fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Servers lie where not everybody looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Asks Debian for it, as root or by a `sudo` that asks nothing.
fn install(package: &str) -> Result<(), String> {
    let line = format!(
        "as_root=; [ \"$(id -u)\" -eq 0 ] || as_root='sudo -n'
         export DEBIAN_FRONTEND=noninteractive
         $as_root apt-get update && $as_root apt-get install --yes --no-install-recommends {package}"
    );
    ran(Command::new("sh").args(["-c", &line]))
}

/// What was said, where it failed.
fn ran(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
