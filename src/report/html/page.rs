//! What a page shows of a report besides the report itself: put together, counted, placed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::chart::{Chart, percent};
use super::compare::ComparePictures;
use super::limits;
use super::load::LoadPictures;
use super::race::{Witness, witnesses};
use crate::report::failure::{self, FailureGroup, some_of};
use crate::report::{Counts, ExcerptEntry, FindingEntry, Level, Report, VerdictWord, build};

/// So many failures are open when the page is; the others are opened by hand.
const OPEN: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct PageView<'a> {
    profile: String,
    when: String,
    took: String,
    levels: Vec<LevelBar>,
    failures: Vec<ClauseFailures<'a>>,
    /// Those that do not decide.
    notices: Vec<ClauseFailures<'a>>,
    contradictions: Vec<String>,
    unknown: Vec<Reason<'a>>,
    skipped: Vec<Reason<'a>>,
    load: Option<LoadPictures>,
    limits: Vec<Option<Chart>>,
    witnesses: Vec<Witness<'a>>,
    compare: Option<ComparePictures<'a>>,
}

/// What the clauses of one level came to.
#[derive(Debug, Serialize)]
struct LevelBar {
    level: &'static str,
    total: usize,
    counts: Counts,
    parts: Vec<BarPart>,
}

#[derive(Debug, Serialize)]
struct BarPart {
    verdict: &'static str,
    count: usize,
    from: f64,
    width: f64,
}

/// All that broke one clause.
#[derive(Debug, Serialize)]
struct ClauseFailures<'a> {
    clause: &'a str,
    statement: &'a str,
    level: &'static str,
    failures: Vec<FailureView<'a>>,
}

#[derive(Debug, Serialize)]
struct FailureView<'a> {
    scenario: &'a str,
    title: &'a str,
    is_open: bool,
    findings: &'a [&'a FindingEntry],
    first: &'a FindingEntry,
    place: String,
    excerpt: Vec<ExcerptLine<'a>>,
    again: usize,
    also_in: Option<String>,
}

#[derive(Debug, Serialize)]
struct ExcerptLine<'a> {
    number: usize,
    text: &'a str,
    is_meant: bool,
}

/// Why some scenarios came to nothing.
#[derive(Debug, Serialize)]
struct Reason<'a> {
    why: &'a str,
    count: usize,
    scenarios: String,
}

/// The failures that a page shows, for as long as it is made.
pub(super) struct Groups<'a> {
    deciding: Vec<FailureGroup<'a>>,
    others: Vec<FailureGroup<'a>>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(report: &'a Report) -> Groups<'a> {
        Groups { deciding: failure::of_report(report, true), others: failure::of_report(report, false) }
    }
}

impl<'a> PageView<'a> {
    pub(super) fn new(report: &'a Report, groups: &'a Groups<'a>) -> PageView<'a> {
        PageView {
            profile: profile(report),
            when: when(&report.started),
            took: took(report.elapsed_ms),
            levels: [Level::Must, Level::Should, Level::Open].into_iter().filter_map(|level| bar(report, level)).collect(),
            failures: by_clause(&groups.deciding),
            notices: by_clause(&groups.others),
            contradictions: report.contradictions.iter().map(|found| format!("{}: {found}", found.clause)).collect(),
            unknown: reasons(report, VerdictWord::Unknown),
            skipped: reasons(report, VerdictWord::Skipped),
            load: report.load.as_ref().map(LoadPictures::new),
            limits: report.limits.iter().map(limits::chart).collect(),
            compare: report.compare.as_ref().map(ComparePictures::new),
            witnesses: report.race.as_ref().map(witnesses).unwrap_or_default(),
        }
    }
}

fn profile(report: &Report) -> String {
    let pinned = report.pinned.iter().map(|(question, answer)| format!("{question}={answer}"));
    pinned.collect::<Vec<_>>().join(", ")
}

fn when(started: &str) -> String {
    let at: Option<Timestamp> = started.parse().ok();
    at.map_or_else(|| started.to_owned(), |at| at.strftime("%-d %B %Y at %H:%M UTC").to_string())
}

fn took(elapsed_ms: u64) -> String {
    let (minutes, rest) = (elapsed_ms / 60_000, (elapsed_ms % 60_000) as f64 / 1000.0);
    match minutes {
        0 if elapsed_ms < 1000 => format!("{elapsed_ms} ms"),
        0 => format!("{rest:.1} s"),
        _ => format!("{minutes} min {rest:.0} s"),
    }
}

fn bar(report: &Report, level: Level) -> Option<LevelBar> {
    let counts = build::counts(report.clauses.iter().filter(|clause| clause.level == level).map(|clause| clause.verdict));
    let words = [VerdictWord::Pass, VerdictWord::Fail, VerdictWord::Unknown, VerdictWord::Skipped];
    let numbers = [counts.pass, counts.fail, counts.unknown, counts.skipped];
    let total: usize = numbers.iter().sum();
    let mut parts = Vec::new();
    let mut before = 0;
    for (word, count) in words.into_iter().zip(numbers) {
        let share = |count: usize| percent(count as f64 / total as f64);
        if count > 0 {
            parts.push(BarPart { verdict: word.word(), count, from: share(before), width: share(count) });
        }
        before += count;
    }
    (total > 0).then(|| LevelBar { level: level.word(), total, counts, parts })
}

fn by_clause<'a>(groups: &'a [FailureGroup<'a>]) -> Vec<ClauseFailures<'a>> {
    let mut clauses: Vec<ClauseFailures> = Vec::new();
    let mut place_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        let first = group.first();
        let place = *place_of.entry(&first.clause).or_insert(clauses.len());
        if place == clauses.len() {
            let (clause, statement, level) = (first.clause.as_str(), first.statement.as_str(), first.level.word());
            clauses.push(ClauseFailures { clause, statement, level, failures: Vec::new() });
        }
        clauses[place].failures.push(view(group, number < OPEN));
    }
    clauses
}

fn view<'a>(group: &'a FailureGroup<'a>, is_open: bool) -> FailureView<'a> {
    let first = group.first();
    FailureView {
        scenario: &group.scenario.id,
        title: &group.scenario.title,
        is_open,
        findings: &group.findings,
        first,
        place: first.place.to_string(),
        excerpt: first.excerpt.as_ref().map(|excerpt| lines(excerpt, first.place.line)).unwrap_or_default(),
        again: group.again,
        also_in: (!group.also_in.is_empty()).then(|| some_of(&group.also_in)),
    }
}

fn lines(excerpt: &ExcerptEntry, meant: Option<usize>) -> Vec<ExcerptLine<'_>> {
    let numbered = (excerpt.first_line..).zip(&excerpt.lines);
    numbered.map(|(number, text)| ExcerptLine { number, text, is_meant: meant == Some(number) }).collect()
}

fn reasons(report: &Report, verdict: VerdictWord) -> Vec<Reason<'_>> {
    let whys = failure::whys(report, verdict).into_iter();
    whys.map(|(why, scenarios)| Reason { why, count: scenarios.len(), scenarios: some_of(&scenarios) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_bar_is_as_long_as_its_level_has_clauses_and_a_level_without_any_has_none() {
        let mut report = fixture::report();
        let bar = bar(&report, Level::Must).unwrap();
        assert_eq!(
            bar.parts.iter().map(|part| (part.verdict, part.from, part.width)).collect::<Vec<_>>(),
            [("fail", 0.0, 50.0), ("skipped", 50.0, 50.0)]
        );
        report.clauses.retain(|clause| clause.level != Level::Open);
        assert!(super::bar(&report, Level::Open).is_none());
    }

    #[test]
    fn failures_of_one_clause_stand_together_and_only_the_first_are_open() {
        let mut report = fixture::many(8);
        for (number, scenario) in report.scenarios.iter_mut().enumerate() {
            scenario.findings.truncate(1);
            scenario.findings[0].actual = number.to_string();
        }
        let groups = Groups::new(&report);
        let page = PageView::new(&report, &groups);
        assert_eq!((page.failures.len(), page.failures[0].failures.len()), (1, 8));
        assert_eq!(page.failures[0].failures.iter().filter(|failure| failure.is_open).count(), OPEN);
    }

    #[test]
    fn the_line_that_is_meant_is_marked_in_its_excerpt() {
        let excerpt = ExcerptEntry { first_line: 4, lines: ["a", "b"].map(str::to_owned).to_vec() };
        let marked = |line| lines(&excerpt, line).iter().map(|line| line.is_meant).collect::<Vec<_>>();
        assert_eq!((marked(Some(5)), marked(None)), (vec![false, true], vec![false, false]));
    }

    #[test]
    fn times_are_told_for_people_and_what_is_no_time_as_it_is() {
        assert_eq!(when("2023-11-14T22:13:20Z"), "14 November 2023 at 22:13 UTC");
        assert_eq!((when("then").as_str(), took(12_345), took(150_000)), ("then", "12.3 s".to_owned(), "2 min 30 s".to_owned()));
    }
}
