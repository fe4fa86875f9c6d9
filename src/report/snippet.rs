//! Lines of YAML with a mark under what is meant: problems of a file, and the expectation that a finding breaks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, Title};

use super::FilePlace;
use crate::judge::text::{is_printable, printable};
use crate::scenario::conform::plan::Planned;
use crate::yaml::source::Problem;

/// The texts of the files that snippets are cut from, by path. A file that is not in it is only named.
pub type Texts<'a> = BTreeMap<&'a str, &'a str>;

pub fn texts(planned: &[Planned]) -> Texts<'_> {
    planned.iter().map(|planned| (planned.source.path.as_str(), planned.source.text.as_str())).collect()
}

/// Everything that is wrong with some files.
pub fn problems(out: &mut dyn io::Write, problems: &[Problem], texts: &Texts) -> io::Result<()> {
    for problem in problems {
        let title = Level::ERROR.primary_title(printable(&problem.message));
        let place = problem.place.as_ref();
        let spot = Spot {
            file: &problem.path,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            span: place.map(|place| place.span.clone()),
        };
        let help = problem.help.as_ref().map(|help| Level::HELP.message(printable(help)));
        render(out, pointing(title, &spot, texts).elements(help))?;
        writeln!(out)?;
    }
    Ok(())
}

/// A title over the line of a place, marked from the place on.
pub fn point(out: &mut dyn io::Write, title: Title, place: &FilePlace, texts: &Texts) -> io::Result<()> {
    let text = texts.get(place.file.as_str());
    let span = text.zip(place.line).and_then(|(text, line)| offset(text, line, place.column.unwrap_or(1))).map(|at| at..at);
    let spot = Spot { file: &place.file, line: place.line, column: place.column, span };
    render(out, pointing(title, &spot, texts))
}

struct Spot<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    /// In bytes of the file; an empty one means the rest of its line.
    span: Option<Range<usize>>,
}

fn pointing<'a>(title: Title<'a>, spot: &Spot<'a>, texts: &Texts<'a>) -> Group<'a> {
    let marked = spot.span.clone().zip(texts.get(spot.file)).and_then(|(span, text)| Some((first_line(text, span)?, *text)));
    if let Some((span, text)) = marked {
        let snippet = Snippet::source(of_same_length(text)).path(printable(spot.file));
        return title.element(snippet.annotation(AnnotationKind::Primary.span(span)));
    }
    let mut origin = Origin::path(printable(spot.file));
    if let Some(line) = spot.line {
        origin = origin.line(line);
    }
    if let Some(column) = spot.column {
        origin = origin.char_column(column);
    }
    title.element(origin)
}

fn render(out: &mut dyn io::Write, group: Group) -> io::Result<()> {
    writeln!(out, "{}", Renderer::styled().render(&[group]))
}

/// A file's text with stand-ins for what must not be shown, each as long as that, so that places stay where they are. What is
/// one byte long, the renderer itself replaces.
fn of_same_length(text: &str) -> Cow<'_, str> {
    let stand_in = |character: char| match character.len_utf8() {
        _ if is_printable(character) => character,
        2 => '·',
        3 => char::REPLACEMENT_CHARACTER,
        4 => '🯄',
        _ => character,
    };
    if text.chars().all(|character| stand_in(character) == character) {
        return Cow::Borrowed(text);
    }
    text.chars().map(stand_in).collect()
}

/// The part of a span on its first line: a node may go on for pages. `None` where the text is not the one it was made for.
fn first_line(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(span.start..)?;
    let line_end = span.start + rest.find('\n').map_or(rest.len(), |end| rest[..end].trim_end().len());
    let end = if span.is_empty() { line_end } else { span.end.min(line_end) };
    text.is_char_boundary(end).then_some(span.start..end.max(span.start))
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(start..)?.lines().next()?;
    let column = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
    Some(start + column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::plain;
    use crate::yaml::source;

    const YAML: &str = "scenarios:\n  - id: é-one\n    stpes:\n      - set: {}\n";

    fn problem(place: Option<source::Place>) -> Problem {
        let help = Some("did you mean `steps`?".to_owned());
        Problem { path: "a.yaml".to_owned(), place, message: "unknown field `stpes`".to_owned(), help }
    }

    #[test]
    fn a_problem_shows_its_line_and_what_to_do() {
        let place = source::Place { line: 3, column: 5, span: 30..YAML.len() };
        let rendered = plain(|out| problems(out, &[problem(Some(place))], &Texts::from([("a.yaml", YAML)])));
        insta::assert_snapshot!(rendered, @r#"
        error: unknown field `stpes`
         --> a.yaml:3:5
          |
        3 |     stpes:
          |     ^^^^^^
          |
          = help: did you mean `steps`?
        "#);
    }

    #[test]
    fn a_file_cannot_steer_the_terminal_that_shows_its_problem() {
        const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{202e}\u{61c}\u{e0001}";
        let yaml = format!("x: \"{HOSTILE}\"\ny: 1\n");
        let name = format!("{HOSTILE}\n.yaml");
        let place = source::Place { line: 1, column: 1, span: 3..yaml.len() };
        let problem = Problem { path: name.clone(), place: Some(place), message: HOSTILE.into(), help: Some(HOSTILE.into()) };
        let mut out = Vec::new();
        problems(&mut out, std::slice::from_ref(&problem), &Texts::from([(name.as_str(), yaml.as_str())])).unwrap();
        problems(&mut out, &[problem], &Texts::new()).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("\u{1b}[2J"), "{out}");
        let out = plain(|strip| io::Write::write_all(strip, out.as_bytes()));
        assert!(out.chars().all(|character| is_printable(character) || character == '\n'), "{out:?}");
        assert!(out.contains(r"--> a\u{1b}[2J\u{9b}31m\u{202e}\u{61c}\u{e0001}\n.yaml:1:1"), "{out}");
    }

    #[test]
    fn a_problem_without_a_place_or_a_text_names_the_file() {
        let place = source::Place { line: 3, column: 5, span: 30..35 };
        let rendered = plain(|out| problems(out, &[problem(None), problem(Some(place))], &Texts::new()));
        insta::assert_snapshot!(rendered, @r#"
        error: unknown field `stpes`
        --> a.yaml
         = help: did you mean `steps`?

        error: unknown field `stpes`
        --> a.yaml:3:5
         = help: did you mean `steps`?
        "#);
    }

    #[test]
    fn a_place_is_marked_to_the_end_of_its_line() {
        let place = |line, column| FilePlace { file: "a.yaml".to_owned(), line: Some(line), column: Some(column) };
        let texts = Texts::from([("a.yaml", YAML)]);
        let rendered = plain(|out| {
            point(out, Level::ERROR.primary_title("here"), &place(2, 5), &texts)?;
            point(out, Level::ERROR.primary_title("beyond the end"), &place(9, 1), &texts)
        });
        insta::assert_snapshot!(rendered, @r#"
        error: here
         --> a.yaml:2:5
          |
        2 |   - id: é-one
          |     ^^^^^^^^^
        error: beyond the end
        --> a.yaml:9:1
        "#);
    }
}
