//! `msgext judge`: a history that was recorded, judged again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conduct::{close, now};
use super::exit::{Exit, Failure, say};
use super::invocation::command_line;
use super::output::OutputArgs;
use super::target::member_calls;
use super::terminal::width;
use super::{files, github};
use crate::history::Identity;
use crate::judge::race::judge;
use crate::judge::race::raced::RacedHistory;
use crate::judge::text::{counted, printable};
use crate::report::build::begun;
use crate::report::history::together::together;
use crate::report::history::{self, HistoryError, RecordedHistory, har};
use crate::report::race::{build, text};
use crate::report::secrets::Secrets;
use crate::report::text::verdict;
use crate::report::{Facts, Report};
use crate::scenario::target::MemberCallsWord;
use crate::spec;

/// As much as a load of a million calls records.
const MOST_BYTES: u64 = 2 << 30;

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
    let histories: Vec<_> = args.files.iter().map(|file| (file.display().to_string(), read(args, file))).collect();
    // Of one file that cannot be read there is nothing to report; of several it hides no other's verdict.
    if let [(_, Err(failure))] = &histories[..] {
        return Err(failure.clone());
    }
    let outputs = args.output.prepare("judge")?;
    let (mut reports, mut others, mut failures) = (Vec::new(), 0, Vec::new());
    for (path, history) in histories {
        let (report, left) = match history {
            Ok(history) => judged(&path, &history),
            Err(failure) => {
                let report = unread(&path, &failure);
                failures.push(failure);
                (report, 0)
            }
        };
        others += left;
        reports.push(report);
    }
    for report in &reports {
        if reports.len() > 1 {
            say(format_args!("\n{}", printable(&report.target)));
        }
        if let Some(race) = &report.race {
            github::tell(|err| text::summary(err, report, race, width()));
        }
    }
    if others > 0 {
        say(format_args!("{} in it that are no call on a message's pairs", counted(others, "exchange")));
    }
    let report = together(reports).ok_or_else(|| Failure::usage("there is no file to judge"))?;
    if report.histories.len() > 1 {
        github::tell(|err| verdict(err, &report));
    }
    close(outputs, &report, failures, true)
}

fn read(args: &JudgeArgs, file: &Path) -> Result<RecordedHistory, Failure> {
    let (path, text) = files::read_up_to(file, MOST_BYTES)?;
    let recorded = match har::parse(&text) {
        Ok(Some(log)) => log.history(identity(args)?),
        Ok(None) => of_history(args, &text)?,
        Err(error) => Err(error),
    };
    recorded.map_err(|error| Failure::usage(format!("{path}:{error}")))
}

/// The report, and how many exchanges are no call on a message's pairs.
fn judged(path: &str, recorded: &RecordedHistory) -> (Report, usize) {
    let raced = RacedHistory::read(&recorded.exchanges, &recorded.identity, recorded.fresh.iter().map(String::as_str));
    let verdict = judge(&raced);
    let (overall, reason) = verdict.overall(None);
    let elapsed = recorded.exchanges.iter().map(|exchange| exchange.received).max().unwrap_or_default();
    let facts = facts(path, recorded.identity.member_calls.answer(), elapsed, None);
    let report = build::build(&spec::bundled(), ("judge", &facts), &verdict, (overall, &reason), &recorded.exchanges, &[]);
    (report, recorded.others + raced.others)
}

/// The report of a file that cannot be read: what it would say is unknown.
fn unread(path: &str, failure: &Failure) -> Report {
    let facts = facts(path, "unknown", Duration::ZERO, Some(failure.message.clone()));
    Report { reason: failure.message.clone(), ..begun("judge", &facts, &Secrets::default()) }
}

fn facts(path: &str, member_calls: &str, elapsed: Duration, incomplete: Option<String>) -> Facts {
    Facts {
        target: path.to_owned(),
        member_calls: member_calls.to_owned(),
        read_back: "unknown".to_owned(),
        calls_at_once: "unknown".to_owned(),
        seed: 0,
        started_unix_s: i64::try_from(now().as_secs()).unwrap_or(i64::MAX),
        elapsed,
        incomplete,
        command_line: command_line(None),
        configuration: BTreeMap::new(),
    }
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
