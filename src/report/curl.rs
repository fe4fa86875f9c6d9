//! A shell line that repeats a call, with the target and the signature left to variables.

use std::fmt::Write as _;

use super::secrets::Secrets;
use crate::api::HttpRequest;

/// The line. `$MSGEXT_TARGET` is the target's origin, `$MSGEXT_USERSIG` the signature that the call is to carry.
pub fn line(request: &HttpRequest, secrets: &Secrets) -> String {
    // Single quotes keep the shell from all but the two variables, which stand in double quotes between them.
    let url = secrets.url(request, "\u{0}");
    let url = quoted(&url).replace('\u{0}', "'\"$MSGEXT_USERSIG\"'");
    let mut line = format!("curl -sS -X {} \"$MSGEXT_TARGET\"{url}", word(&request.method));
    for (name, value) in &request.headers {
        // curl leaves out a header that ends in a colon, and sends an empty one for a semicolon.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        let _ = write!(line, " -H {}", quoted(&secrets.scrub(&header)));
    }
    if request.body.is_empty() && request.method != "POST" {
        return line;
    }
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        // Otherwise curl announces a form.
        line.push_str(" -H 'Content-Type:'");
    }
    match std::str::from_utf8(&request.body) {
        Ok(text) if !text.contains('\0') => {
            let text = secrets.scrub(text);
            // Not `-d`, which would drop line ends, nor a first `@`, which would name a file.
            if text.starts_with('@') {
                return format!("printf %s {} | {line} --data-binary @-", quoted(&text));
            }
            let _ = write!(line, " --data-binary {}", quoted(&text));
            line
        }
        _ => format!("printf '{}' | {line} --data-binary @-", octal(&request.body)),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn word(text: &str) -> String {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { text.to_owned() } else { quoted(text) }
}

/// The bytes for `printf`, whose octal escapes every POSIX shell knows.
fn octal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str(r"\\"),
            b'%' => text.push_str("%%"),
            b'\'' => text.push_str(r"\047"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn request(body: &[u8]) -> HttpRequest {
        HttpRequest {
            method: "POST".to_owned(),
            path: "/p".to_owned(),
            query: vec![("identifier".into(), "it's".into()), ("usersig".into(), "eJwSecretSecret".into())],
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_vec(),
        }
    }

    fn rendered(body: &[u8]) -> String {
        line(&request(body), &Secrets::default())
    }

    /// What `curl` would get, by a shell that runs a stand-in: its arguments, and then its standard input.
    fn run_by_a_shell(line: &str) -> Vec<u8> {
        let script =
            format!("MSGEXT_TARGET=http://t MSGEXT_USERSIG='s g'\ncurl() {{ printf '%s\\n' \"$@\"; cat; }}\n{line} </dev/null");
        let script = if line.starts_with("printf") { script.replace(" </dev/null", "") } else { script };
        Command::new("sh").arg("-c").arg(script).output().unwrap().stdout
    }

    #[test]
    fn the_line_carries_variables_instead_of_the_target_and_the_secret() {
        insta::assert_snapshot!(rendered(br#"{"a":1}"#), @r#"curl -sS -X POST "$MSGEXT_TARGET"'/p?identifier=it%27s&usersig='"$MSGEXT_USERSIG"'' -H 'Content-Type: application/json' --data-binary '{"a":1}'"#);
    }

    #[test]
    fn a_shell_hands_on_exactly_the_bytes_of_the_body() {
        let bodies: [&[u8]; 7] =
            [b"{}", b"it's $HOME `id` \"x\" \\n %s", b"@file", b"", "é中\n".as_bytes(), b"\xff\xfe'%\\\x00 9", b"a\x00b"];
        for body in bodies {
            let line = rendered(body);
            let stdin_used = line.starts_with("printf");
            let got = run_by_a_shell(&line);
            let expected_end = if stdin_used { [b"@-\n", body].concat() } else { [b"--data-binary\n", body, b"\n"].concat() };
            assert!(got.ends_with(&expected_end), "{line}\n{}", String::from_utf8_lossy(&got));
            assert!(String::from_utf8_lossy(&got).contains("\nhttp://t/p?identifier=it%27s&usersig=s g\n"), "{line}");
        }
    }

    #[test]
    fn a_get_without_a_body_sends_none() {
        let get = HttpRequest { method: "GET".into(), query: vec![], headers: vec![("X".into(), String::new())], ..request(b"") };
        insta::assert_snapshot!(line(&get, &Secrets::default()), @r#"curl -sS -X GET "$MSGEXT_TARGET"'/p' -H 'X;'"#);
    }
}
