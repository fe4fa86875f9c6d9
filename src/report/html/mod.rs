//! The report as one page for a browser: no network, no file beside it, nothing that runs but its own script.
//!
//! Templates show, and [`mod@page`] says what: every text of somebody else's is made printable and escaped in one place, the
//! formatter of the templates, and the page's own policy lets no other script or style in.

mod chart;
mod compare;
mod limits;
mod load;
mod page;
mod race;

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, context, escape_formatter};
use sha2::{Digest as _, Sha256};

use self::page::{Groups, PageView};
use super::Report;
use crate::judge::load::check;
use crate::judge::text::printable;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const TEMPLATES: [(&str, &str); 7] = [
    ("page.html", include_str!("page.html")),
    ("body.html", include_str!("body.html")),
    ("macros.html", include_str!("macros.html")),
    ("failures.html", include_str!("failures.html")),
    ("load.html", include_str!("load.html")),
    ("compare.html", include_str!("compare.html")),
    ("modes.html", include_str!("modes.html")),
];

/// Writes the page.
pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    page(out, report, false)
}

/// Writes the page of a run that goes on: it asks whoever served it for its body, again and again.
pub fn write_live(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    page(out, report, true)
}

/// Writes what changes of such a page.
pub fn write_body(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    render(out, "body.html", &values(report, true))
}

fn page(out: &mut dyn io::Write, report: &Report, is_live: bool) -> io::Result<()> {
    render(out, "page.html", &values(report, is_live))
}

fn values(report: &Report, is_live: bool) -> Value {
    let safe = |text: &str| Value::from_safe_string(text.to_owned());
    let groups = Groups::new(report);
    context! {
        report => Value::from(Serde(report)),
        page => Value::from(Serde(&PageView::new(report, &groups))),
        is_live => is_live,
        style => safe(STYLE),
        script => safe(SCRIPT),
        policy => safe(&policy(is_live)),
    }
}

fn render(out: &mut dyn io::Write, template: &str, values: &Value) -> io::Result<()> {
    let rendered = environment().and_then(|environment| environment.get_template(template)?.render(values));
    out.write_all(rendered.map_err(io::Error::other)?.as_bytes())
}

/// What a browser may load and run for this page: itself.
fn policy(is_live: bool) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let connect = if is_live { "; connect-src 'self'" } else { "" };
    format!("default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'{connect}", hash(STYLE), hash(SCRIPT))
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_formatter(format);
    environment.add_filter("us", |us: f64| check::told(Duration::from_secs_f64(us.max(0.0) / 1e6)));
    environment.add_filter("count", grouped);
    environment.add_filter("rate", check::per_second);
    environment.add_filter("percent", |share: f64| format!("{:.1} %", share * 100.0));
    environment.add_filter("decimal", |number: f64| format!("{number:.1}"));
    environment.add_filter("plain", |number: f64| number.to_string());
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Whatever is shown comes through here.
fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(|_| Error::from(minijinja::ErrorKind::WriteFailure))
        }
        _ => escape_formatter(out, state, value),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// `12,345`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, plain};
    use crate::report::mutants::{MutantEntry, Mutants};

    #[test]
    fn a_page_holds_what_decided_and_asks_nobody_for_anything() {
        let page = plain(|out| write(out, &fixture::report()));
        for told in ["1 broken clause: SEQ-3", "seq-grows", "k1.Seq", "deleted-key", "no reply within the time-out"] {
            assert!(page.contains(told), "{told}\n{page}");
        }
        for asks in ["<link", " src=", "url(", "@import", "connect-src"] {
            assert!(!page.contains(asks), "{asks}");
        }
    }

    #[test]
    fn a_page_is_the_same_for_a_report_that_was_written_and_read_again() {
        let report = fixture::hostile("é</script>");
        let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(plain(|out| write(out, &report)), plain(|out| write(out, &again)));
    }

    #[test]
    fn texts_of_others_are_shown_and_never_obeyed() {
        let page = plain(|out| write(out, &fixture::hostile("</td><script>alert(1)</script>\u{202e}\u{1b}[2J\n' onload=\"x")));
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains(r"&lt;script&gt;alert(1)&lt;/script&gt;\u{202e}\u{1b}[2J\n&#39; onload=&quot;x"), "{page}");
    }

    #[test]
    fn a_mutant_that_nobody_kills_is_shown_beside_one_that_is_killed() {
        let entry = |name: &str, killed_by: Option<&str>| MutantEntry {
            name: name.to_owned(),
            breaks: vec!["SEQ-7".to_owned()],
            killed_by: killed_by.map(str::to_owned),
            clause: killed_by.map_or(String::new(), |_| "SEQ-7".to_owned()),
            unknown: None,
        };
        let (dead, alive) = (entry("dead", Some("race")), entry("alive", None));
        let mutants = Mutants {
            killed: 1,
            total: 2,
            survivors: vec![alive.clone()],
            combinations: 1,
            false_alarms: Vec::new(),
            matrix: vec![dead, alive],
        };
        let page = plain(|out| write(out, &Report { mutants: Some(mutants), ..fixture::report() }));
        assert!(page.contains("alive <small>survives</small>") && page.contains("data-by=\"race\""), "{page}");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
