//! What a person sees: the binary in a pseudo terminal (of `script`, which every Linux has), with a size of its own.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::support::binary::{end, until};

const COLUMNS: usize = 60;

/// A command in a terminal of 60 columns.
struct Shown {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Shown {
    fn start(term: &str, args: &str) -> Shown {
        let folder = tempfile::tempdir().expect("a folder");
        let line = format!("stty cols {COLUMNS} rows 24; exec '{}' {args}", env!("CARGO_BIN_EXE_msgext"));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("TERM", term).env_remove("NO_COLOR");
        script.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("`script` can be run (Debian: apt-get install bsdutils)");
        let (said, mut out) = (Arc::default(), child.stdout.take().expect("a pipe"));
        let all: Arc<Mutex<Vec<u8>>> = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let (mut part, _folder) = ([0; 4096], folder);
            while let Ok(count @ 1..) = out.read(&mut part) {
                all.lock().expect("bytes").extend_from_slice(&part[..count]);
            }
        });
        Shown { child, said, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().expect("bytes")).into_owned()
    }

    fn presses_ctrl_c(&mut self) {
        self.child.stdin.as_mut().expect("a pipe").write_all(b"\x03").expect("a terminal");
    }

    /// Exit code, and what stands on the screen in the end.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let mut code = None;
        until("the command ends", || {
            code = self.child.try_wait().expect("a child can be waited for");
            code.is_some()
        });
        self.reader.take().map(JoinHandle::join).transpose().expect("a reader");
        (code.and_then(|code| code.code()), screen(&self.text()))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// What a terminal makes of this: lines that wrap, a cursor that moves, what is cleared.
fn screen(text: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0, 0);
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                let mut count = String::new();
                let end = rest.by_ref().skip(1).find(|character| {
                    let is_count = character.is_ascii_digit() || *character == ';';
                    count.extend(is_count.then_some(*character));
                    !is_count
                });
                match (end, count.as_str()) {
                    (Some('A'), count) => row -= count.parse::<usize>().unwrap_or(1),
                    (Some('K'), "2") => lines[row].clear(),
                    (Some('K'), "") => lines[row].truncate(column),
                    _ => {}
                }
            }
            character => {
                if column == COLUMNS {
                    (row, column) = (row + 1, 0);
                }
                lines.resize_with(lines.len().max(row + 1), Vec::new);
                let line: &mut Vec<char> = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                column += character.width().unwrap_or(0);
            }
        }
        lines.resize_with(lines.len().max(row + 1), Vec::new);
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}

#[test]
fn ctrl_c_leaves_no_bar_and_the_tables_fit() {
    let mut shown = Shown::start("xterm", "load --rate 50/s --for 1m --messages 4 --value-bytes 900");
    until("there is a bar", || shown.text().contains("p99"));
    shown.presses_ctrl_c();
    let (code, screen) = shown.end();
    let text = screen.join("\n");
    assert_eq!(code, Some(4), "{text}");
    assert!(!text.contains(['╌', '━']) && screen.iter().any(|line| line.starts_with("load: ")), "{text}");
    let tables = screen.iter().skip_while(|line| *line != "Phases").take_while(|line| !line.starts_with("INCONCLUSIVE"));
    let indented = tables.filter(|line| line.starts_with("  ")).collect::<Vec<_>>();
    assert!(indented.len() > 10 && indented.iter().any(|line| line.contains("no room for: ")), "{text}");
    assert!(indented.iter().all(|line| line.width() <= COLUMNS), "{text}");
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_told_now_and_then() {
    let shown = Shown::start("dumb", "load --rate 20/s --for 6s --messages 4");
    let (code, screen) = shown.end();
    assert_eq!(code, Some(0), "{}", screen.join("\n"));
    let told: Vec<_> = screen.iter().take_while(|line| *line != "Phases").map(|line| line.split("  ").next()).collect();
    assert_eq!(told, [Some("load: 5 of 6 s"), Some("load: 120 sent, 20.0/s")]);
}
