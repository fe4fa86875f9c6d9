//! `msgext judge`: a history that was recorded, judged again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conduct::{close, now};
use super::exit::{Exit, Failure, say};
use super::files;
use super::output::OutputArgs;
use super::target::member_calls;
use super::terminal::width;
use crate::history::Identity;
use crate::judge::race::judge;
use crate::judge::race::raced::RacedHistory;
use crate::judge::text::{counted, printable};
use crate::report::history::together::together;
use crate::report::history::{self, HistoryError, RecordedHistory, har};
use crate::report::race::{build, text};
use crate::report::text::verdict;
use crate::report::{Facts, Report};
use crate::scenario::target::MemberCallsWord;
use crate::spec;

/// Judges calls that were recorded: is there an order of them that explains every reply?
#[derive(Debug, clap::Args)]
pub struct JudgeArgs {
    /// Histories of msgext (--history), or HAR 1.2 files of a browser or a proxy; each is judged by itself
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The admin's identifier, which a HAR does not tell [default: administrator]
    #[arg(long, value_name = "ID")]
    admin: Option<String>,
    /// How members call, which a HAR does not tell: identifier, from-account or none [default: identifier]
    #[arg(long, value_name = "HOW")]
    member_calls: Option<MemberCallsWord>,
    #[command(flatten)]
    output: OutputArgs,
}

pub fn run(args: &JudgeArgs) -> Result<Exit, Failure> {
    // What cannot be read is told before anything is judged.
    let histories = args.files.iter().map(|file| read(args, file)).collect::<Result<Vec<_>, Failure>>()?;
    let outputs = args.output.prepare("judge")?;
    let (reports, others): (Vec<Report>, Vec<usize>) = histories.iter().map(|(path, recorded)| judged(path, recorded)).unzip();
    for report in &reports {
        if reports.len() > 1 {
            say(format_args!("\n{}", printable(&report.target)));
        }
        if let Some(race) = &report.race {
            let _ = text::summary(&mut anstream::stderr().lock(), report, race, width());
        }
    }
    let others: usize = others.into_iter().sum();
    if others > 0 {
        say(format_args!("{} in it that are no call on a message's pairs", counted(others, "exchange")));
    }
    let report = together(reports).ok_or_else(|| Failure::usage("there is no file to judge"))?;
    if report.histories.len() > 1 {
        let _ = verdict(&mut anstream::stderr().lock(), &report);
    }
    close(outputs, &report, Vec::new(), true)
}

/// Its path, and what is in it.
fn read(args: &JudgeArgs, file: &Path) -> Result<(String, RecordedHistory), Failure> {
    let (path, text) = files::read(file)?;
    let recorded = if har::is_har(&text) { har::read(&text, identity(args)?) } else { of_history(args, &text)? };
    let recorded = recorded.map_err(|error| Failure::usage(format!("{path}:{error}")))?;
    Ok((path, recorded))
}

/// The report, and how many exchanges are no call on a message's pairs.
fn judged(path: &str, recorded: &RecordedHistory) -> (Report, usize) {
    let raced = RacedHistory::read(&recorded.exchanges, &recorded.identity, recorded.fresh.iter().map(String::as_str));
    let verdict = judge(&raced);
    let (overall, reason) = verdict.overall(None);
    let facts = Facts {
        target: path.to_owned(),
        member_calls: recorded.identity.member_calls.answer().to_owned(),
        read_back: "unknown".to_owned(),
        seed: 0,
        started_unix_s: i64::try_from(now().as_secs()).unwrap_or(i64::MAX),
        elapsed: recorded.exchanges.iter().map(|exchange| exchange.received).max().unwrap_or(Duration::ZERO),
        incomplete: None,
    };
    let report = build::build(&spec::bundled(), ("judge", &facts), &verdict, (overall, &reason), &recorded.exchanges, &[]);
    (report, recorded.others + raced.others)
}

/// A history says itself whose calls it holds.
fn of_history(args: &JudgeArgs, text: &str) -> Result<Result<RecordedHistory, HistoryError>, Failure> {
    if args.admin.is_some() || args.member_calls.is_some() {
        return Err(Failure::usage("--admin and --member-calls go with a HAR: a history of msgext says both itself"));
    }
    Ok(history::read(text))
}

fn identity(args: &JudgeArgs) -> Result<Identity, Failure> {
    let member_calls = member_calls(args.member_calls.unwrap_or(MemberCallsWord::Identifier));
    let member_calls = member_calls.ok_or_else(|| Failure::usage("--member-calls auto: there is no target to ask"))?;
    Ok(Identity { admin: args.admin.clone().unwrap_or_else(|| super::embedded::ADMIN.to_owned()), member_calls })
}
