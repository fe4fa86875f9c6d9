//! `msgext limits`: which limiters the target has.

use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::conduct::{Conduct, ConductArgs, NO_HEADING, now};
use super::exit::{Exit, Failure};
use super::learnt::MannersArgs;
use super::live::{LiveArgs, LivePage};
use super::terminal::{Screen, bars, fitted, room, width};
use crate::drive::ground::{Ground, GroundError};
use crate::drive::limits::inquire;
use crate::drive::probe::Found;
use crate::judge::limits::Setting;
use crate::judge::limits::verdict::{DocumentedLimit, Inquired, LimitsSoFar};
use crate::report::limits::{build, live, text};
use crate::spec;
use crate::yaml::rate::Rate;
use crate::yaml::span::Span;

/// As long as finding out about a second's limit, and about a minute's, may take.
const APP_TIME: Duration = Duration::from_secs(90);
const MESSAGE_TIME: Duration = Duration::from_mins(6);
/// Bursts and budgets in calls a second, at least and at most.
const RATES: (f64, f64) = (10.0, 10_000.0);

/// Finds out which limiters the target has, from which of its calls they refuse
#[derive(Debug, clap::Args)]
pub struct LimitsArgs {
    /// Only this limit; both, where none is named
    #[arg(long, value_enum, value_name = "app|message", help_heading = NO_HEADING)]
    only: Option<Only>,
    /// The best answer within this time for each limit; 90s for the app's, 6m for the message's
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = NO_HEADING)]
    time: Option<Duration>,
    /// Calls a second of a burst that meets the app's limit: at least twice what it may be
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "2000/s", help_heading = NO_HEADING)]
    burst: Rate,
    /// Calls over everything where the message's limit is looked at (150/s, 9000/m): less than the app's limit
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "150/s", help_heading = NO_HEADING)]
    rate: Rate,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    manners: MannersArgs,
    #[command(flatten)]
    conduct: ConductArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    App,
    Message,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().map(|Span(time)| time).filter(|time| *time >= Duration::from_secs(5));
    time.ok_or_else(|| "write a time of 5s or more, such as 90s or 6m".to_owned())
}

fn rate(text: &str) -> Result<Rate, String> {
    let rate = Rate::of_argument(text)?;
    let (least, most) = RATES;
    if (least..=most).contains(&rate.per_second()) { Ok(rate) } else { Err(format!("write {least}/s to {most}/s")) }
}

pub fn run(args: &LimitsArgs) -> Result<Exit, Failure> {
    if args.conduct.target.has_pins() {
        return Err(Failure::usage("--pin has no effect on limits, which finds the answers out: it goes with run"));
    }
    let named = args.conduct.target.resolve()?;
    args.manners.admit_search(&named)?;
    let conduct = Conduct::begin("limits", &args.conduct.output, named, args.conduct.seed(now()))?;
    let (report, could_not_test) = match test(args, &conduct) {
        Ok((inquired, found, elapsed)) => {
            let cut_short = inquired.iter().any(|one| one.cut_short).then(|| "interrupted".to_owned());
            let facts = conduct.facts(Some(found), elapsed, cut_short);
            (build::build(&spec::bundled(), &facts, &inquired, &conduct.named.secrets()), None)
        }
        Err(failure) => (conduct.untested(&failure.message), Some(failure)),
    };
    conduct.finish(&report, could_not_test, None, |err, report| text::summary(err, report, width()))
}

/// The limits that are looked at, one after the other: the app's calls would be in the message's way.
fn settings(args: &LimitsArgs) -> Vec<(DocumentedLimit, Setting)> {
    let setting = |whose: DocumentedLimit, rate, fresh, time| {
        (whose, Setting { rate, fresh, time: args.time.unwrap_or(time), window: whose.window() })
    };
    let app = setting(DocumentedLimit::App, args.burst.per_second(), false, APP_TIME);
    let message = setting(DocumentedLimit::Message, args.rate.per_second(), true, MESSAGE_TIME);
    let wanted = |whose: Only| args.only.is_none_or(|only| only == whose);
    [(Only::App, app), (Only::Message, message)]
        .into_iter()
        .filter(|(whose, _)| wanted(*whose))
        .map(|(_, setting)| setting)
        .collect()
}

fn test(args: &LimitsArgs, conduct: &Conduct) -> Result<(Vec<Inquired>, Found, Duration), Failure> {
    let Conduct { named, stop, runtime, .. } = conduct;
    let failed = |error: GroundError| Failure::of_ground(&error, format!("{}: {error}", named.name));
    let ground = runtime.block_on(async {
        let mut ground = Ground::prepare(&named.target, &named.place, conduct.seed, None, stop).await?;
        ground.ask_at_once(stop).await?;
        Ok(ground)
    });
    let ground = ground.map_err(failed)?;
    let page = args.live.serve(conduct, ground.found)?;
    let progress = progress(args.conduct.quiet);
    let inquired = runtime.block_on(async {
        let mut all = Vec::new();
        for (whose, setting) in settings(args) {
            let mut told = |so_far: &LimitsSoFar<'_>| {
                progress.set_message(line(so_far));
                if let Some(page) = &page {
                    show(page, &all, so_far, ground.elapsed());
                }
            };
            let inquired = inquire(&ground, whose, setting, &all, stop, &mut told).await?;
            all.push(inquired);
            if stop.is_set() {
                break;
            }
        }
        Ok(all)
    });
    progress.finish_and_clear();
    Ok((inquired.map_err(failed)?, ground.found, ground.elapsed()))
}

fn show(page: &LivePage, before: &[Inquired], so_far: &LimitsSoFar<'_>, elapsed: Duration) {
    let mut metrics = Vec::new();
    live::metrics(&mut metrics, before, so_far).expect("memory takes everything");
    page.tell(metrics);
    if page.is_wanted() {
        page.show(live::build(&page.begun, before, so_far, elapsed));
    }
}

/// What goes on: whose limit, what is looked at, what may still be, and for how long it is gone on at the most.
fn line(LimitsSoFar { inquired, probes, left, .. }: &LimitsSoFar<'_>) -> String {
    let likely = inquired.learnt.candidates.iter().filter(|candidate| candidate.weight > 0.01).take(3);
    let likely: Vec<String> =
        likely.map(|candidate| format!("{} {:.0} %", candidate.suspect.algorithm.name(), candidate.weight * 100.0)).collect();
    let probe = probes.first().map_or("", |probe| probe.name.as_str());
    let more = if probes.len() > 1 { format!(" and {} more", probes.len() - 1) } else { String::new() };
    let left = format!("  {} s left at most", left.as_secs());
    fitted(
        &[
            (0, format!("{}'s limit: ", inquired.whose.word())),
            (1, format!("{probe}{more}  ")),
            (2, likely.join(", ")),
            (3, left),
        ],
        room(),
    )
}

fn progress(quiet: bool) -> ProgressBar {
    let bar = bars(Screen::of_stderr(quiet)).add(ProgressBar::new_spinner());
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("a template without a mistake"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
