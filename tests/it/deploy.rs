//! What deploy/ hands out does what it says: the image as far as its file tells.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text with something else in the one place that says this.
#[track_caller]
fn with(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

// -------------------------------------------------------------------------------------------------------------- image

/// As whom the image's last stage runs.
fn user(containerfile: &str) -> Option<String> {
    let last = containerfile.rsplit("\nFROM ").next()?;
    last.lines().find_map(|line| line.strip_prefix("USER ")).map(str::to_owned)
}

/// What is wrong with the image, as far as its file tells.
fn faults(containerfile: &str) -> Vec<String> {
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a version").trim_matches('"');
    let copied = containerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|args| !args.starts_with("--from"));
    let sources = copied.flat_map(|args| args.split(' ').rev().skip(1));
    let missing = sources.filter(|source| !Path::new(source).exists()).map(|source| format!("there is no {source}"));
    let user = user(containerfile);
    let number = user.as_deref().and_then(|user| user.split(':').next()?.parse::<u32>().ok());
    let rules = [
        (containerfile.contains(&format!("FROM docker.io/library/rust:{version}-")), "its Rust is another one"),
        (containerfile.contains("cargo build --locked --release --bin msgext "), "its versions are not those of Cargo.lock"),
        (containerfile.contains("\nFROM scratch\n"), "it holds a system"),
        (number.is_some_and(|number| number > 0), "it may run as root"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).chain(missing).collect()
}

#[test]
fn the_image_is_built_of_what_this_repository_pins_and_runs_as_nobody_in_particular() {
    let file = read("deploy/Containerfile");
    assert_eq!(faults(&file), Vec::<String>::new());
    for (old, new, fault) in [
        ("rust:1.", "rust:2.", "its Rust is another one"),
        ("--locked", "--offline", "its versions are not those of Cargo.lock"),
        ("FROM scratch", "FROM debian", "it holds a system"),
        ("USER 65532:65532", "USER 0:0", "it may run as root"),
        ("USER 65532:65532", "", "it may run as root"),
        ("COPY src src", "COPY source src", "there is no source"),
    ] {
        assert_eq!(faults(&with(&file, old, new)), [fault]);
    }
}
