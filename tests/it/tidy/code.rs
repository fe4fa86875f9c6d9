//! Rust as the checks read it: words, groups, and the paths that are named.

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A path as the code has it, with the modules inside the file that it stands in.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) segments: Vec<String>,
    pub(super) inside: Vec<String>,
    pub(super) line: usize,
}

impl Named {
    pub(super) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// Words, `::`, `=>`, `!=` and single signs. Comments are left out and literals are empty, so that no text looks like code.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at(length);
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        let is_text = token.len() > 1 && token.ends_with(['"', '#']);
        let is_character = token.starts_with(['b', '\'']) && token.ends_with('\'');
        if is_text || is_character {
            tokens.push(Token { text: String::new(), line });
        } else if !is_comment && !first.is_whitespace() {
            tokens.push(Token { text: token.trim_start_matches("r#").to_owned(), line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn token_length(rest: &str, first: char) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let prefix = rest.find(|c| !['b', 'c', 'r'].contains(&c)).unwrap_or(rest.len());
    let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
    let opening = prefix + hashes;
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else if rest[opening..].starts_with('"') && (hashes == 0 || rest[..prefix].contains('r')) && prefix <= 2 {
        if rest[..prefix].contains('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            rest[opening + 1..].find(&end).map_or(rest.len(), |at| opening + 1 + at + end.len())
        } else {
            quoted_length(rest, opening, '"')
        }
    } else if first == '\'' || rest.starts_with("b'") {
        let quote = usize::from(first == 'b');
        let mut inner = rest[quote + 1..].chars();
        let is_character = inner.next() == Some('\\') || inner.next() == Some('\'');
        if is_character { quoted_length(rest, quote, '\'') } else { quote + 1 }
    } else if is_word(first) {
        let raw = if rest.starts_with("r#") { 2 } else { 0 };
        rest[raw..].find(|c| !is_word(c)).map_or(rest.len(), |end| raw + end)
    } else if ["::", "=>", "!="].iter().any(|sign| rest.starts_with(sign)) {
        2
    } else {
        first.len_utf8()
    }
}

/// Comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, opening: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[opening + 1..].char_indices() {
        if c == quote && !escaped {
            return opening + 1 + at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The code without what is compiled for tests only.
pub(super) fn shipped(code: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if stands_at(code, at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            while at < code.len() && code[at].text != ";" && code[at].text != "{" {
                at = group_end(code, at);
            }
            at = group_end(code, at);
        } else {
            kept.push(code[at].clone());
            at += 1;
        }
    }
    kept
}

pub(super) fn stands_at(code: &[Token], at: usize, words: &[&str]) -> bool {
    code.get(at..at + words.len()).is_some_and(|part| part.iter().zip(words).all(|(token, word)| token.text == *word))
}

/// Behind the bracket that closes the one at `at`; behind `at`, where none opens there.
pub(super) fn group_end(code: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in code.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return index + 1;
        }
    }
    code.len()
}

/// Every path of the code: those of expressions and types with at least two segments, and the leaves of every `use`.
pub(super) fn paths(code: &[Token]) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < code.len() {
        let modules = || inside.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match code[at].text.as_str() {
            "use" if code.get(at + 1).is_some_and(|next| next.text != "<") => {
                let mut leaves = Vec::new();
                at = use_tree(code, at + 1, &[], &mut leaves);
                paths.extend(leaves.into_iter().map(|(segments, line)| Named { segments, inside: modules(), line }));
            }
            "mod" if stands_at(code, at + 2, &["{"]) => {
                inside.push((code[at + 1].text.clone(), depth));
                at += 2;
            }
            "{" => {
                depth += 1;
                at += 1;
            }
            "}" => {
                depth -= 1;
                inside.pop_if(|(_, outside)| *outside == depth);
                at += 1;
            }
            text if is_name(text) => {
                let line = code[at].line;
                let mut segments = vec![text.to_owned()];
                while stands_at(code, at + 1, &["::"]) && code.get(at + 2).is_some_and(|next| is_name(&next.text)) {
                    segments.push(code[at + 2].text.clone());
                    at += 2;
                }
                if segments.len() > 1 {
                    paths.push(Named { segments, inside: modules(), line });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    paths
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one branch of a `use`, and returns where it ends. `self` and `*` stand for the path before them.
fn use_tree(code: &[Token], mut at: usize, before: &[String], leaves: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut path = before.to_vec();
    let mut line = code.get(at).map_or(1, |token| token.line);
    while let Some(token) = code.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while code.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(code, at, &path, leaves);
                    at += usize::from(stands_at(code, at, &[","]));
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 2,
            text => {
                if is_name(text) && (text != "self" || path.is_empty()) {
                    path.push(text.to_owned());
                    line = token.line;
                }
                at += 1;
            }
        }
    }
    leaves.push((path, line));
    at
}

// ------------------------------------------------------------------------------------------------------ what is checked
