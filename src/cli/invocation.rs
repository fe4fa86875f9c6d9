//! The command as it was given, for whoever wants to give it again.

use std::collections::BTreeMap;
use std::env;

use super::target::Named;
use crate::report::curl;

/// A shell line that repeats this process, with its seed where random choices depend on one.
pub fn command_line(seed: Option<u64>) -> String {
    let arguments: Vec<String> = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let names_seed = arguments.iter().any(|argument| argument == "--seed" || argument.starts_with("--seed="));
    let seed = seed.filter(|_| !names_seed).map(|seed| format!("--seed {seed}"));
    let words = arguments.iter().map(|argument| word(argument));
    std::iter::once("msgext".to_owned()).chain(words).chain(seed).collect::<Vec<_>>().join(" ")
}

fn word(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) { argument.to_owned() } else { curl::argument(argument) }
}

/// What settles how a target is called.
pub fn configuration(named: &Named) -> BTreeMap<String, String> {
    let target = &named.target;
    let accounts = &target.accounts;
    let settings = [
        ("sdkappid", target.app.sdkappid.to_string()),
        ("admin", target.app.admin.clone()),
        ("accounts", [&accounts.sender, &accounts.recipient, &accounts.stranger].map(String::as_str).join(", ")),
        ("time-out", format!("{} s", target.timeout.as_secs_f64())),
    ];
    let of_target = named.settings.iter().cloned();
    settings.into_iter().map(|(what, set)| (what.to_owned(), set)).chain(of_target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_stands_as_it_is_where_the_shell_leaves_it_and_else_in_quotes() {
        assert_eq!(["--rate", "190/s", "a=b,c@d"].map(word), ["--rate", "190/s", "a=b,c@d"]);
        assert_eq!(
            ["p99 response < 20ms", "", "it's", "!tag:x"].map(word),
            ["'p99 response < 20ms'", "''", r"'it'\''s'", "'!tag:x'"]
        );
    }
}
