//! The report as Markdown, for a pull request or the summary page of a pipeline.

mod compare;

use std::io;

use super::doctor::Doctor;
use super::failure::{self, FailureGroup, some_of};
use super::load::Load;
use super::mutants::Mutants;
use super::{Report, VerdictWord};
use crate::judge::mutants::Killer;
use crate::judge::text::printable;

/// GitHub cuts off a summary of more than 1 MiB; what is not shown is in the JSON report.
const MAX_FAILURES: usize = 100;

pub fn write(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    writeln!(out, "# msgext {}: {}\n\n{}\n", report.command, report.verdict.word(), text(&report.reason))?;
    if let Some(mutants) = &report.mutants {
        return matrix(out, mutants);
    }
    if let Some(compare) = &report.compare {
        return compare::write(out, compare);
    }
    if let Some(doctor) = &report.doctor {
        return steps(out, doctor);
    }
    let totals = &report.totals;
    writeln!(out, "| target | scenarios | clauses | requests | retries | seed |\n|---|---|---|--:|--:|--:|")?;
    let (target, requests, retries) = (code(&report.target), totals.requests, totals.retries);
    writeln!(out, "| {target} | {} | {} | {requests} | {retries} | {} |", report.told_scenarios(), totals.clauses, report.seed)?;

    if let Some(load) = &report.load {
        figures(out, load)?;
    }
    if !report.limits.is_empty() {
        writeln!(
            out,
            "\n## Limits\n\n| limit of the | kind | sure | what it is | code | calls | refused |\n|---|---|--:|---|--:|--:|--:|"
        )?;
        for limit in &report.limits {
            let told = limit.code.map_or("none".to_owned(), |code| code.to_string());
            let (sure, calls, refused) = (limit.confidence * 100.0, limit.calls, limit.refused);
            let meaning = text(&limit.meaning);
            writeln!(out, "| {} | {} | {sure:.1} % | {meaning} | {told} | {calls} | {refused} |", limit.scope, limit.kind)?;
        }
    }
    if !report.checks.is_empty() {
        writeln!(out, "\n## Checks\n\n| check | holds | actual |\n|---|---|---|")?;
        for check in &report.checks {
            let holds = check.holds.map_or("unknown", |holds| if holds { "yes" } else { "**no**" });
            writeln!(out, "| {} | {holds} | {} |", code(&check.name), text(&check.actual))?;
        }
    }
    failures(out, "Failures", &failure::of_report(report, true))?;
    failures(out, "Should hold, but does not decide", &failure::of_report(report, false))?;
    if !report.contradictions.is_empty() {
        writeln!(out, "\n## Contradictions\n")?;
        for contradiction in &report.contradictions {
            writeln!(out, "- {}: {}", text(&contradiction.clause), text(&contradiction.to_string()))?;
        }
    }
    if !report.flaky.is_empty() {
        writeln!(out, "\n## Flaky\n")?;
    }
    report.flaky.iter().try_for_each(|flaky| writeln!(out, "- {}", text(&flaky.to_string())))?;
    whys(out, "Unknown", report, VerdictWord::Unknown)?;
    whys(out, "Skipped", report, VerdictWord::Skipped)?;
    if !report.readings.is_empty() {
        writeln!(out, "\n## Readings\n\n| question | answer |\n|---|---|")?;
        for (reading, answer) in &report.readings {
            writeln!(out, "| {} | {} |", text(reading), text(answer))?;
        }
    }
    writeln!(out, "\n## Clauses\n\n| clause | level | verdict | statement |\n|---|---|---|---|")?;
    for clause in &report.clauses {
        let why = clause.why.as_ref().map(|why| format!(": {}", text(why))).unwrap_or_default();
        let (level, verdict) = (clause.level.word(), clause.verdict.word());
        writeln!(out, "| {} | {level} | {verdict}{why} | {} |", text(&clause.id), text(&clause.statement))?;
    }
    Ok(())
}

/// Which mutants were killed, by what, and whom a pass was denied to.
fn matrix(out: &mut dyn io::Write, mutants: &Mutants) -> io::Result<()> {
    let (killed, total) = (mutants.killed, mutants.total);
    writeln!(out, "{killed} of {total} mutants killed; {} combinations of readings tried.", mutants.combinations)?;
    if !mutants.false_alarms.is_empty() {
        writeln!(out, "\n## False alarms\n")?;
    }
    for alarm in &mutants.false_alarms {
        writeln!(out, "- {}: {}", code(&alarm.readings.join(" ")), text(&alarm.why))?;
    }
    writeln!(
        out,
        "\n## Mutants\n\n| mutant | breaks | {} |\n|---|---|{}",
        Killer::words().join(" | "),
        "---|".repeat(Killer::ALL.len())
    )?;
    for mutant in &mutants.matrix {
        let by = |word: &str| match &mutant.killed_by {
            Some(by) if by == word => text(&mutant.clause),
            _ => String::new(),
        };
        let cells = Killer::words().map(by).join(" | ");
        let (name, breaks) = (text(&mutant.name), text(&mutant.breaks.join(" ")));
        let end = mutant.killed_by.as_ref().map_or("**survives** ", |_| "");
        writeln!(out, "| {end}{name} | {breaks} | {cells} |")?;
    }
    Ok(())
}

/// What a load run measured; times in milliseconds.
fn figures(out: &mut dyn io::Write, load: &Load) -> io::Result<()> {
    writeln!(
        out,
        "\n## Phases\n\n| phase | sent | rate | accepted | conflicts | refused | errors | lost | p50 ms | p99 ms | p99.9 ms | lag p99 ms |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    let ms = |us: u64| us as f64 / 1000.0;
    for phase in load.phases.iter().filter(|phase| phase.planned > 0) {
        let (name, response) = (text(&phase.name), &phase.response_us);
        write!(
            out,
            "| {name} | {} | {:.1}/s | {} | {} | {} | ",
            phase.sent, phase.rate, phase.accepted, phase.conflicts, phase.refused
        )?;
        write!(out, "{} | {} | {:.3} | {:.3} | ", phase.errors, phase.lost, ms(response.p50), ms(response.p99))?;
        writeln!(out, "{:.3} | {:.3} |", ms(response.p999), ms(phase.lag_us.p99))?;
    }
    if !load.doubts.is_empty() {
        writeln!(out, "\n## Doubts\n")?;
    }
    load.doubts.iter().try_for_each(|doubt| writeln!(out, "- {}", text(doubt)))
}

fn failures(out: &mut dyn io::Write, title: &str, failures: &[FailureGroup]) -> io::Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {title}")?;
    failures.iter().take(MAX_FAILURES).try_for_each(|failure| one(out, failure))?;
    if failures.len() > MAX_FAILURES {
        writeln!(out, "\n{} more are in the JSON report.", failures.len() - MAX_FAILURES)?;
    }
    Ok(())
}

fn one(out: &mut dyn io::Write, failure: &FailureGroup) -> io::Result<()> {
    let first = failure.first();
    writeln!(out, "\n### {}: {}\n\n{}\n", text(&first.clause), text(&failure.scenario.id), text(&first.statement))?;
    writeln!(out, "| subject | expected | actual |\n|---|---|---|")?;
    for finding in &failure.findings {
        let (expected, actual) = failure::shown(&finding.expected, &finding.actual);
        writeln!(out, "| {} | {} | {} |", code(&finding.subject), code(&expected), code(&actual))?;
    }
    let note = first.note.as_ref().map(|note| format!("; {}", text(note))).unwrap_or_default();
    writeln!(out, "\nAt {}{note}.", code(&first.place.to_string()))?;
    if failure.again > 0 {
        writeln!(out, "Seen again in this scenario: {} times.", failure.again)?;
    }
    if !failure.also_in.is_empty() {
        writeln!(out, "Also in: {}.", text(&some_of(&failure.also_in)))?;
    }
    if let Some(curl) = first.curl.as_ref().filter(|curl| curl.len() <= 2000) {
        let fence = "`".repeat(longest_backticks(curl).max(2) + 1);
        writeln!(out, "\n{fence}sh\n{curl}\n{fence}")?;
    }
    Ok(())
}

fn whys(out: &mut dyn io::Write, title: &str, report: &Report, verdict: VerdictWord) -> io::Result<()> {
    let whys = failure::whys(report, verdict);
    if whys.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {title}\n")?;
    for (why, scenarios) in whys {
        writeln!(out, "- {} ({}): {}", text(why), scenarios.len(), text(&some_of(&scenarios)))?;
    }
    Ok(())
}

/// Prose that stays prose: whatever Markdown or HTML it holds is shown.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A code span, also inside a table.
fn code(foreign: &str) -> String {
    let text = printable(foreign);
    if text.contains("\\|") {
        // In a table this backslash would itself be escaped, and the pipe would end the cell.
        return format!("<code>{}</code>", self::text(foreign));
    }
    let text = text.replace('|', "\\|");
    let fence = "`".repeat(longest_backticks(&text) + 1);
    // Spaces keep the text's own backticks from its fence; one on each side is not shown.
    let pad = if text.is_empty() || text.contains('`') || text.starts_with(' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_backticks(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

fn steps(out: &mut dyn io::Write, doctor: &Doctor) -> io::Result<()> {
    writeln!(out, "| step | | what was seen | what to do |\n|---|---|---|---|")?;
    for step in &doctor.steps {
        let (told, advice) = (text(&step.told), text(&step.advice));
        writeln!(out, "| {} | {} | {told} | {advice} |", step.name, step.state.word())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, plain};

    #[test]
    fn everything_that_decided_is_in_it() {
        insta::assert_snapshot!(plain(|out| write(out, &fixture::report())), @r#"
        # msgext run: fail

        1 broken clause: SEQ-3

        | target | scenarios | clauses | requests | retries | seed |
        |---|---|---|--:|--:|--:|
        | `https://console.tim.qq.com` | 1 passed, 1 failed, 1 unknown, 2 skipped, 1 failed on a should clause only | 1 passed, 2 failed, 1 skipped | 7 | 1 | 42 |

        ## Failures

        ### SEQ-3: seq-grows

        Seq grows by one with every successful set.

        | subject | expected | actual |
        |---|---|---|
        | `k1.Seq` | `1` | `0` |
        | `ErrorCode` | `0` | `10002` |

        At `scenarios/conformance/seq.yaml:5:9`; after a retry.

        ```sh
        curl -sS -X POST "$MSGEXT_TARGET"'/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&identifier=admin&usersig='"$MSGEXT_USERSIG"'&random=7&contenttype=json' -H 'Content-Type: application/json' --data-binary '{"MsgKey":"1_2_3"}'
        ```

        ## Should hold, but does not decide

        ### LIMIT-9: at-most-300

        A message holds at most 300 pairs.

        | subject | expected | actual |
        |---|---|---|
        | `k1.Seq` | `23004` | `0` |
        | `ErrorCode` | `0` | `10002` |

        At `scenarios/conformance/seq.yaml:5:9`; after a retry.

        ```sh
        curl -sS -X POST "$MSGEXT_TARGET"'/v4/openim_msg_ext_http_svc/set_key_values?sdkappid=1400000000&identifier=admin&usersig='"$MSGEXT_USERSIG"'&random=7&contenttype=json' -H 'Content-Type: application/json' --data-binary '{"MsgKey":"1_2_3"}'
        ```

        ## Unknown

        - no reply within the time-out (1): lost

        ## Skipped

        - --member-calls none (2): by-member, by-other

        ## Readings

        | question | answer |
        |---|---|
        | deleted-key | reset |

        ## Clauses

        | clause | level | verdict | statement |
        |---|---|---|---|
        | SEQ-3 | must | fail | Seq grows by one with every successful set. |
        | LIMIT-9 | should | fail | A message holds at most 300 pairs. |
        | DEL-4 | open | pass | What a deleted key's Seq is. |
        | URL-1 | must | skipped: no scenario of this run tests it | The path is set\_key\_values. |
        "#);
    }

    #[test]
    fn each_row_of_a_table_stays_one_row_of_so_many_cells() {
        let report = fixture::hostile("|a\\|b`\n| --- |\u{2028}<td>\r|");
        let markdown = plain(|out| write(out, &report));
        let mut columns = None;
        for line in markdown.lines() {
            // Backslashes pair up from the left; a pipe after a whole pair, or after none, parts cells.
            let parts = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            columns = line.starts_with('|').then(|| *columns.get_or_insert(parts));
            assert!(columns.is_none_or(|columns| columns == parts), "{line}");
        }
        assert!(markdown.contains("<code>") && !markdown.contains("<td>"), "{markdown}");
    }

    #[test]
    fn texts_cannot_break_out_of_their_cell() {
        assert_eq!(code("a|`b``\n"), r"``` a\|`b``\n ```");
        assert_eq!(code(r"a\|b`<"), r"<code>a\\\|b\`&lt;</code>");
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(text("<img> *a*|b\n# $x$"), r"&lt;img&gt; \*a\*\|b\\n# \$x\$");
    }
}
