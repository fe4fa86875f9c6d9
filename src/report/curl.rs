//! A shell line that repeats a call, with the target and the signature left to variables. It is pasted as it stands, so every
//! character of it is printable: what is not, is written by `printf`.

use std::fmt::Write as _;

use super::secrets::Secrets;
use crate::api::HttpRequest;
use crate::judge::text::is_printable;

/// The line. `$MSGEXT_TARGET` is the target's origin, `$MSGEXT_USERSIG` the signature that the call is to carry.
pub fn line(request: &HttpRequest, secrets: &Secrets) -> String {
    // Single quotes keep the shell from all but the two variables, which stand in double quotes between them.
    let url = secrets.url(request, "\u{0}");
    let url = url.split('\u{0}').map(argument).collect::<Vec<_>>().join("\"$MSGEXT_USERSIG\"");
    let mut line = format!("curl -sS -X {} \"$MSGEXT_TARGET\"{url}", word(&request.method));
    for (name, value) in &request.headers {
        // curl leaves out a header that ends in a colon, and sends an empty one for a semicolon.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        let _ = write!(line, " -H {}", argument(&secrets.scrub(&header)));
    }
    if request.body.is_empty() && request.method != "POST" {
        return line;
    }
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        // Otherwise curl announces a form.
        line.push_str(" -H 'Content-Type:'");
    }
    match std::str::from_utf8(&request.body).map(|text| secrets.scrub(text)) {
        // Not `-d`, which would drop line ends, nor a first `@`, which would name a file.
        Ok(text) if text.chars().all(is_printable) && !text.starts_with('@') => {
            let _ = write!(line, " --data-binary {}", quoted(&text));
            line
        }
        _ => format!("printf {} | {line} --data-binary @-", format_of(&request.body, secrets)),
    }
}

/// One argument, whatever it holds but a line end as its last character, which no URL and no header has.
pub fn argument(text: &str) -> String {
    if text.chars().all(is_printable) {
        return quoted(text);
    }
    format!("\"$(printf {})\"", format_of(text.as_bytes(), &Secrets::default()))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn word(text: &str) -> String {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { text.to_owned() } else { argument(text) }
}

/// The bytes as a format for `printf`, whose octal escapes every POSIX shell knows.
fn format_of(bytes: &[u8], secrets: &Secrets) -> String {
    let mut line = "'".to_owned();
    for chunk in bytes.utf8_chunks() {
        for character in secrets.scrub(chunk.valid()).chars() {
            match character {
                '\\' => line.push_str(r"\\"),
                '%' => line.push_str("%%"),
                // A quote would end the format, a bang call up the history, a first hyphen begin an option.
                _ if is_printable(character) && !matches!(character, '\'' | '!') && (character != '-' || line.len() > 1) => {
                    line.push(character);
                }
                _ => octal(&mut line, character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        octal(&mut line, chunk.invalid());
    }
    line.push('\'');
    line
}

fn octal(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "\\{byte:03o}");
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

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

    /// What `curl` would get from this shell, in which a stand-in runs: its arguments, and then its standard input.
    fn run_by(shell: &str, line: &str) -> Vec<u8> {
        let script = format!("MSGEXT_TARGET=http://t MSGEXT_USERSIG='s g'\ncurl() {{ printf '%s\\n' \"$@\"; cat; }}\n{line}");
        let output = Command::new(shell).arg("-c").arg(script).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{shell}: {line}\n{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[test]
    fn the_line_carries_variables_instead_of_the_target_and_the_secret() {
        insta::assert_snapshot!(rendered(br#"{"a":1}"#), @r#"curl -sS -X POST "$MSGEXT_TARGET"'/p?identifier=it%27s&usersig='"$MSGEXT_USERSIG"'' -H 'Content-Type: application/json' --data-binary '{"a":1}'"#);
    }

    #[test]
    fn a_shell_hands_on_exactly_the_bytes_of_the_body() {
        let all_bytes: Vec<u8> = (0..=255).collect();
        let all_below_2100: String = (0..0x2100).filter_map(char::from_u32).collect();
        let keys = [
            "it's",
            "$'\\n'",
            "`id` $(id) $HOME \\",
            "a\nb",
            "a\r\tb\u{1b}[2J\u{9b}m\u{7f}",
            "\u{fffe}\u{202e}x",
            "!!",
            "%s%d%%",
            "中",
        ];
        let bodies = keys.map(|key| serde_json::json!({"Key": key, "raw": true}).to_string().into_bytes());
        let raw = keys.map(|key| key.as_bytes().to_vec());
        let odd: [&[u8]; 9] = [
            b"{}",
            b"@file",
            b"",
            b"-n\n",
            b"--\x01",
            "é中\n\n".as_bytes(),
            b"\xff\xfe'%\\\x00 9!",
            &all_bytes,
            all_below_2100.as_bytes(),
        ];
        for body in bodies.into_iter().chain(raw).chain(odd.map(<[u8]>::to_vec)) {
            let line = rendered(&body);
            assert!(line.chars().all(is_printable), "{line}");
            for shell in ["sh", "bash"] {
                let got = run_by(shell, &line);
                let by_pipe = line.starts_with("printf");
                let end = if by_pipe { [b"@-\n", &body[..]].concat() } else { [b"--data-binary\n", &body[..], b"\n"].concat() };
                assert!(got.ends_with(&end), "{shell}: {line}\n{}", String::from_utf8_lossy(&got));
                assert!(String::from_utf8_lossy(&got).contains("\nhttp://t/p?identifier=it%27s&usersig=s g\n"), "{line}");
            }
        }
    }

    #[test]
    fn a_shell_hands_on_exactly_a_header_and_a_path() {
        for odd in ["it's", "a\tb\u{1b}!$HOME`id`\\%s", "-x\u{85}", "é\u{202e}"] {
            let headers = vec![("X".to_owned(), odd.to_owned())];
            let line = line(&HttpRequest { path: format!("/{odd}"), headers, ..request(b"{}") }, &Secrets::default());
            assert!(line.chars().all(is_printable), "{line}");
            for shell in ["sh", "bash"] {
                let got = String::from_utf8(run_by(shell, &line)).unwrap();
                assert!(
                    got.contains(&format!("\nX: {odd}\n")) && got.contains(&format!("\nhttp://t/{odd}?identifier=")),
                    "{got}"
                );
            }
        }
    }

    #[test]
    fn a_secret_is_masked_in_a_body_that_is_no_text_too() {
        let secrets = Secrets::of(&["a-key-of-the-app".to_owned()], []);
        for body in [&b"\xffa-key-of-the-app"[..], b"a-key-of-the-app\n", b"a-key-of-the-app"] {
            let line = line(&request(body), &secrets);
            assert!(line.contains("***") && !line.contains("key-of"), "{line}");
        }
    }

    #[test]
    fn a_get_without_a_body_sends_none() {
        let get = HttpRequest { method: "GET".into(), query: vec![], headers: vec![("X".into(), String::new())], ..request(b"") };
        insta::assert_snapshot!(line(&get, &Secrets::default()), @r#"curl -sS -X GET "$MSGEXT_TARGET"'/p' -H 'X;'"#);
    }
}
