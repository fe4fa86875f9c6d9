//! Which scenarios to run: `--filter id:seq-*,tag:smoke,!level:open`.

use std::str::FromStr;

use thiserror::Error;

use super::plan::Planned;
use crate::spec::{Clause, Level, Spec};

/// Terms separated by commas. A scenario is in if any of them fits and none with a `!` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    include: Vec<Term>,
    exclude: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    /// `id:GLOB`
    Id(String),
    /// `clause:GLOB`
    Clause(String),
    /// `tag:NAME`
    Tag(String),
    /// `level:must`
    Level(Level),
    /// A part of the id, a clause or a tag.
    Word(String),
}

/// Why a filter cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    #[error("a filter has an empty term: separate terms by single commas")]
    Empty,
    #[error(
        "a filter knows no `{0}:`: use id:GLOB, clause:GLOB, tag:NAME, level:must|should|open or a bare word, with ! before it to exclude"
    )]
    UnknownKind(String),
    #[error("there is no level `{0}`: use level:must, level:should or level:open")]
    UnknownLevel(String),
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let mut filter = Filter::default();
        for term in text.split(',').map(str::trim) {
            match term.strip_prefix('!') {
                Some(term) => filter.exclude.push(term.trim().parse()?),
                None => filter.include.push(term.parse()?),
            }
        }
        Ok(filter)
    }
}

impl FromStr for Term {
    type Err = FilterError;

    fn from_str(term: &str) -> Result<Term, FilterError> {
        let (kind, word) = term.split_once(':').map_or((None, term), |(kind, word)| (Some(kind), word));
        if word.is_empty() {
            return Err(FilterError::Empty);
        }
        match kind {
            None => Ok(Term::Word(word.to_owned())),
            Some("id") => Ok(Term::Id(word.to_owned())),
            Some("clause") => Ok(Term::Clause(word.to_owned())),
            Some("tag") => Ok(Term::Tag(word.to_owned())),
            Some("level") => {
                let level = [Level::Must, Level::Should, Level::Open].into_iter().find(|level| level.word() == word);
                level.map(Term::Level).ok_or_else(|| FilterError::UnknownLevel(word.to_owned()))
            }
            Some(kind) => Err(FilterError::UnknownKind(kind.to_owned())),
        }
    }
}

impl Filter {
    /// Whether the scenario is in. Without a term that includes, all are in that no term excludes.
    pub fn admits(&self, planned: &Planned, spec: &Spec) -> bool {
        let fits = |term: &Term| term.fits(planned, spec);
        (self.include.is_empty() || self.include.iter().any(fits)) && !self.exclude.iter().any(fits)
    }
}

impl Filter {
    /// Whether a clause is in, where the clauses are asked for: a level or a clause means the clause itself, all else the
    /// scenarios that are in and cover it.
    pub fn admits_clause(&self, clause: &Clause, covering: &[&Planned], spec: &Spec) -> bool {
        let fits =
            |term: &Term| term.fits_clause(clause).unwrap_or_else(|| covering.iter().any(|planned| term.fits(planned, spec)));
        let is_excluded = |term: &Term| term.fits_clause(clause) == Some(true);
        (self.include.is_empty() || self.include.iter().any(fits)) && !self.exclude.iter().any(is_excluded)
    }
}

impl Term {
    /// `None` where it speaks of scenarios.
    fn fits_clause(&self, clause: &Clause) -> Option<bool> {
        match self {
            Term::Clause(pattern) => Some(glob(pattern, &clause.id)),
            Term::Level(level) => Some(clause.level == *level),
            Term::Word(word) if *word == clause.id => Some(true),
            Term::Id(_) | Term::Tag(_) | Term::Word(_) => None,
        }
    }

    fn fits(&self, planned: &Planned, spec: &Spec) -> bool {
        let has_tag = |name: &String| planned.scenario.tags.contains(name);
        match self {
            Term::Id(pattern) => glob(pattern, &planned.id),
            Term::Clause(pattern) => planned.clauses().iter().any(|clause| glob(pattern, clause)),
            Term::Tag(name) => has_tag(name),
            Term::Level(level) => planned.clauses().iter().any(|id| spec.clause(id).is_some_and(|clause| clause.level == *level)),
            Term::Word(word) => planned.id.contains(word) || planned.clauses().contains(word.as_str()) || has_tag(word),
        }
    }
}

/// Whether the whole text fits a pattern in which `*` stands for any characters and `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // Where the last star stands, and how far its match reached: only that one ever needs another try.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(character), _) if *character == '?' || *character == text[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((star_at, reached))) => {
                star = Some((star_at, reached + 1));
                at = star_at + 1;
                read = reached + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::conform::plan::load;

    const SPEC: &str = "clauses:
  - { id: SEQ-1, level: must, section: s, statement: s }
  - { id: LIM-1, level: should, section: s, statement: s }
";
    const FILE: &str = "scenarios:
  - { id: seq-grows, title: t, clauses: [SEQ-1], tags: [smoke], steps: [set: {}] }
  - { id: limit-bites, title: t, clauses: [SEQ-1], steps: [set: { should: { LIM-1: {} } }] }
";

    fn chosen(filter: &str) -> Vec<String> {
        let spec: Spec = serde_yaml::from_str(SPEC).expect("a spec");
        let (planned, problems) = load(vec![("f.yaml".into(), FILE.into())], &spec);
        assert_eq!(problems, []);
        let filter: Filter = filter.parse().expect("a filter");
        planned.into_iter().filter(|planned| filter.admits(planned, &spec)).map(|planned| planned.id).collect()
    }

    #[test]
    fn any_term_includes_and_any_exclamation_excludes() {
        for (filter, ids) in [
            ("id:seq-*", vec!["seq-grows"]),
            ("clause:LIM-?", vec!["limit-bites"]),
            ("tag:smoke, level:should", vec!["seq-grows", "limit-bites"]),
            ("level:open", vec![]),
            ("bites", vec!["limit-bites"]),
            ("smoke", vec!["seq-grows"]),
            ("SEQ-1,!smoke", vec!["limit-bites"]),
            ("!LIM-1", vec!["seq-grows"]),
        ] {
            assert_eq!(chosen(filter), ids, "{filter}");
        }
    }

    #[test]
    fn a_clause_is_in_by_itself_or_by_the_scenarios_that_cover_it() {
        let spec: Spec = serde_yaml::from_str(SPEC).expect("a spec");
        let (planned, _) = load(vec![("f.yaml".into(), FILE.into())], &spec);
        let admitted = |filter: &str| {
            let filter: Filter = filter.parse().expect("a filter");
            let covering = |clause: &Clause| {
                let of_clause = planned.iter().filter(|planned| planned.clauses().contains(clause.id.as_str()));
                of_clause.filter(|planned| filter.admits(planned, &spec)).collect::<Vec<_>>()
            };
            let clauses = spec.clauses.iter().filter(|clause| filter.admits_clause(clause, &covering(clause), &spec));
            clauses.map(|clause| clause.id.as_str()).collect::<Vec<_>>()
        };
        // `limit-bites` covers both clauses; the level is the clause's own.
        assert_eq!(admitted("level:should"), ["LIM-1"]);
        assert_eq!(admitted("!level:should"), ["SEQ-1"]);
        assert_eq!(admitted("clause:*-1"), ["SEQ-1", "LIM-1"]);
        assert_eq!(admitted("tag:smoke"), ["SEQ-1"]);
        assert_eq!(admitted("bites"), ["SEQ-1", "LIM-1"]);
        assert_eq!(admitted("level:open"), [""; 0]);
    }

    #[test]
    fn a_filter_that_means_nothing_is_refused_with_what_is_allowed() {
        assert_eq!("a,,b".parse::<Filter>(), Err(FilterError::Empty));
        assert_eq!("!".parse::<Filter>(), Err(FilterError::Empty));
        assert_eq!("name:x".parse::<Filter>(), Err(FilterError::UnknownKind("name".into())));
        assert_eq!("level:high".parse::<Filter>(), Err(FilterError::UnknownLevel("high".into())));
    }

    #[test]
    fn stars_and_question_marks_fit_whole_texts() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*b*b", "abcbb"), ("", "")] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a?", "a"), ("*b", "abc"), ("", "a")] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}
