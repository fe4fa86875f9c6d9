//! What was found out about a limit, against the clauses that speak of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Learnt;
use super::probe::{AskedCall, Probe};
use super::suspect::Suspect;
use super::trace::{ProbedCall, Trace};
use crate::api::code;
use crate::judge::limiter::{Direction, Timed, Violation, judge};
use crate::judge::text::counted;
use crate::model::limiter::{Algorithm, Scope, Unit};
use crate::spec::Spec;
use crate::verdict::{Overall, Verdict};

/// Calls that the documentation allows, of an app in a second and on a message in a minute.
pub const LIMIT: u64 = 200;
/// More lost calls than one in so many, and nothing is sure.
const MOST_LOST: u64 = 20;
/// Windows that a bucket is told by, in seconds.
const TOLD_WINDOWS: [u64; 8] = [1, 2, 5, 10, 30, 60, 300, 3600];

/// Calls that may come to a message's counter or not, the question that leaves it open, and its answers.
const SHARED: [(AskedCall, &str, [&str; 2]); 4] = [
    (AskedCall::Delete, "limit-deletes", ["counted", "free"]),
    (AskedCall::Clear, "limit-clears", ["counted", "free"]),
    (AskedCall::Invalid, "limit-invalid", ["counted", "free"]),
    (AskedCall::Member, "limit-callers", ["together", "apart"]),
];

/// Which of the documented limits is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentedLimit {
    App,
    Message,
}

/// What was found out about one limit, and how.
#[derive(Clone, Debug)]
pub struct Inquired {
    pub whose: DocumentedLimit,
    pub learnt: Learnt,
    /// One for each counter.
    pub traces: Vec<Trace>,
    /// How often each code came.
    pub codes: BTreeMap<i64, u64>,
    /// Whether refusals stand at the top of the reply, or at each key; `None` without any.
    pub at_top: Option<bool>,
    pub lost: u64,
    /// When it began, on the clock of the traces, and how long it took.
    pub begun: Duration,
    pub elapsed: Duration,
    pub cut_short: bool,
    /// Whether refused calls changed anything.
    pub unchanged: LimitClause,
}

/// The search of one limit at one moment.
#[derive(Clone, Copy, Debug)]
pub struct LimitsSoFar<'a> {
    /// What is known by the probes that are through.
    pub inquired: &'a Inquired,
    /// The probes that are out, and their calls.
    pub probes: &'a [Probe],
    pub out: &'a [ProbedCall],
    pub elapsed: Duration,
    pub left: Duration,
}

/// A limit in the words of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLimit {
    pub kind: &'static str,
    pub limit: Option<u64>,
    pub window: Option<Duration>,
    /// What a bucket or a queue holds.
    pub capacity: Option<u64>,
    pub unit: Option<Unit>,
    /// `None` where it makes no difference, or is not known.
    pub counts_rejected: Option<bool>,
    /// One sentence for people.
    pub meaning: String,
}

/// What became of one clause, and in words why, unless it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitClause {
    pub clause: &'static str,
    pub verdict: Verdict,
    pub why: String,
}

impl DocumentedLimit {
    pub fn word(self) -> &'static str {
        match self {
            DocumentedLimit::App => "app",
            DocumentedLimit::Message => "message",
        }
    }

    pub fn window(self) -> Duration {
        Duration::from_secs(if self == DocumentedLimit::App { 1 } else { 60 })
    }

    /// The clauses that a limit breaks that is too strict, and too lenient.
    fn clauses(self) -> [&'static str; 2] {
        if self == DocumentedLimit::App { ["LIM-1", "LIM-2"] } else { ["LIM-3", "LIM-4"] }
    }
}

impl NamedLimit {
    fn nameless(kind: &'static str, meaning: String) -> NamedLimit {
        NamedLimit { kind, limit: None, window: None, capacity: None, unit: None, counts_rejected: None, meaning }
    }

    pub fn of(suspect: &Suspect, documented: Duration) -> NamedLimit {
        let (limit, window) = numbers(suspect, documented);
        let kind = match suspect.algorithm {
            Algorithm::LeakyQueue { .. } => "leaky-queue",
            algorithm => algorithm.kind().word(),
        };
        NamedLimit {
            kind,
            limit: Some(limit),
            window: Some(window),
            capacity: suspect.algorithm.burst(),
            unit: Some(suspect.unit),
            counts_rejected: suspect.shows_rejected().then_some(suspect.counts_rejected),
            meaning: meaning(suspect, limit, window),
        }
    }
}

/// A bucket has a rate and no window: it is told by the one that it fills in, or else by the documented one.
fn numbers(suspect: &Suspect, documented: Duration) -> (u64, Duration) {
    let Some(burst) = suspect.algorithm.burst() else { return (suspect.limit, suspect.window) };
    let calls = |window: Duration| suspect.rate() * window.as_secs_f64();
    let fills = |window: &Duration| (calls(*window) - burst as f64).abs() <= 1.5;
    let told = TOLD_WINDOWS.map(Duration::from_secs).into_iter().find(fills);
    let is_whole = |window: Duration| (calls(window) - calls(window).round()).abs() < 1e-6;
    let window = told.unwrap_or(if is_whole(documented) { documented } else { Duration::from_mins(1) });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
    (calls(window).round() as u64, window)
}

fn meaning(suspect: &Suspect, limit: u64, window: Duration) -> String {
    let what = if suspect.unit == Unit::Kv { "pairs" } else { "calls" };
    let seconds = window.as_secs_f64();
    let rejected = if suspect.shows_rejected() && suspect.counts_rejected { "; refused calls count as well" } else { "" };
    let kind = match suspect.algorithm {
        Algorithm::FixedWindowAligned { .. } => format!(
            "a fixed window of {seconds} s, whoever calls when: {} {what} can pass within a moment around its edge",
            2 * limit
        ),
        Algorithm::FixedWindowAnchored => {
            format!(
                "a window of {seconds} s that begins with the first call after the last one ended, with {limit} {what} in each"
            )
        }
        Algorithm::SlidingLog => format!("a sliding log: the {seconds} s before each call hold {limit} {what} at most"),
        Algorithm::SlidingCounter => format!(
            "a sliding counter: {limit} {what} in {seconds} s, those of the window before counting by the share that is still covered"
        ),
        Algorithm::IntervalRefill => {
            format!("{limit} {what} again every {seconds} s after the first call, however many were left")
        }
        Algorithm::LeakyQueue { capacity } => format!(
            "a queue that lets out {limit} {what} in {seconds} s: it holds calls back, and refuses them beyond {capacity} in it"
        ),
        _ => {
            let burst = suspect.algorithm.burst().unwrap_or(limit);
            format!("a token bucket of {burst} {what}, into which {limit} come back in {seconds} s, evenly")
        }
    };
    format!("{kind}{rejected}")
}

impl Inquired {
    pub fn has_limit(&self) -> bool {
        self.learnt.refused > 0
    }

    /// Whether it is sure which limiter this is.
    pub fn is_decided(&self) -> bool {
        !self.has_limit() || self.learnt.is_sure()
    }

    pub fn named(&self) -> NamedLimit {
        let calls = self.learnt.calls;
        if calls == 0 || self.lost * MOST_LOST > calls {
            return NamedLimit::nameless("unknown", self.without_reply());
        }
        if !self.has_limit() {
            let took = self.fastest();
            return NamedLimit::nameless(
                "none",
                format!("no limit: {calls} calls in {:.1} s were all admitted", took.as_secs_f64()),
            );
        }
        match self.learnt.candidates.first() {
            Some(first) if self.is_decided() => NamedLimit::of(&first.suspect, self.whose.window()),
            Some(_) if !self.learnt.is_explained => NamedLimit::nameless(
                "unknown",
                format!(
                    "no limiter explains what was seen: {} were refused that the likeliest would have admitted; do others call the same app?",
                    counted(usize::try_from(self.learnt.refused_besides).unwrap_or(usize::MAX), "call")
                ),
            ),
            _ => NamedLimit::nameless("unknown", "several limiters explain what was seen".to_owned()),
        }
    }

    fn without_reply(&self) -> String {
        format!("{} got no reply", counted(usize::try_from(self.lost).unwrap_or(usize::MAX), "call"))
    }

    /// From the first call to the last.
    fn fastest(&self) -> Duration {
        let all = self.traces.iter().flat_map(|trace| &trace.calls);
        let (first, last) = (all.clone().map(|call| call.sent).min(), all.map(|call| call.received).max());
        Duration::from_nanos(first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first)))
    }

    /// The codes of refusals, the most frequent first.
    pub fn refusal_code(&self) -> Option<i64> {
        let refusals = self.codes.iter().filter(|(code, _)| code::is_limit(**code) && self.has_limit());
        let of_it = |code: i64| (self.whose == DocumentedLimit::Message) == (code == code::TOO_OFTEN);
        refusals.max_by_key(|(code, count)| (of_it(**code), **count)).map(|(code, _)| *code)
    }

    /// What the clauses come to.
    pub fn clauses(&self) -> Vec<LimitClause> {
        let [strict, lenient] = self.whose.clauses();
        let [mut too_strict, mut too_lenient] = self.violations();
        if let (true, true, Some(first)) = (self.has_limit(), self.is_decided(), self.learnt.candidates.first()) {
            let named = NamedLimit::of(&first.suspect, self.whose.window());
            let (less, more) = self.off(&first.suspect);
            let told = || format!("found: {}", named.meaning);
            // What is known to be too lenient is not blamed for being too strict by a kind that it is not.
            if less || more {
                (too_strict, too_lenient) = (less.then(told), more.then(told));
            }
        }
        if !self.has_limit() && self.learnt.calls > 2 * LIMIT && self.lost == 0 {
            too_lenient = Some(self.named().meaning);
        }
        too_lenient = self.shared_otherwise().or(too_lenient);
        let undecided = self.undecided();
        let clause = |clause, why: Option<String>| match (why, &undecided) {
            (Some(why), _) => LimitClause { clause, verdict: Verdict::Fail, why },
            (None, Some(why)) => LimitClause { clause, verdict: Verdict::Unknown(why.clone()), why: why.clone() },
            (None, None) => LimitClause { clause, verdict: Verdict::Pass, why: String::new() },
        };
        // A call counts as refused by the app's limit by its code.
        let wrong_code = self.refusal_code().filter(|code| self.whose == DocumentedLimit::Message && *code != code::TOO_OFTEN);
        let coded = wrong_code.map(|code| format!("calls beyond it are refused with {code}"));
        let mut clauses = vec![clause(strict, too_strict), clause(lenient, too_lenient.or(coded))];
        if let (Verdict::Pass, Some(why)) = (&clauses[1].verdict, self.unknown_sharing()) {
            clauses[1] = LimitClause { clause: lenient, verdict: Verdict::Unknown(why.clone()), why };
        }
        if self.has_limit() {
            clauses.push(self.unchanged.clone());
        }
        if let (DocumentedLimit::App, Some(code)) = (self.whose, self.refusal_code()) {
            let why = (code != code::APP_TOO_OFTEN).then(|| format!("calls beyond it are refused with {code}"));
            let verdict = if why.is_some() { Verdict::Fail } else { Verdict::Pass };
            clauses.push(LimitClause { clause: "LIM-14", verdict, why: why.unwrap_or_default() });
        }
        clauses
    }

    /// Questions that the documentation leaves open, with what was seen.
    pub fn readings(&self) -> Vec<(&'static str, &'static str)> {
        let mut readings = Vec::new();
        if self.whose == DocumentedLimit::App || !self.has_limit() {
            return readings;
        }
        let sharing = &self.learnt.sharing;
        readings.extend(SHARED.iter().filter_map(|(asked, question, [shared, apart])| {
            sharing.answer(*asked).map(|is_shared| (*question, if is_shared { *shared } else { *apart }))
        }));
        readings.extend(self.at_top.map(|at_top| ("limit-place", if at_top { "top" } else { "each-key" })));
        if let Some(first) = self.learnt.candidates.first().filter(|_| self.is_decided()) {
            readings.push(("limit-unit", if first.suspect.unit == Unit::Kv { "kv" } else { "request" }));
            if first.suspect.shows_rejected() {
                readings.push(("limit-refused", if first.suspect.counts_rejected { "counted" } else { "free" }));
            }
        }
        readings
    }

    /// What has a counter of its own; `None` where that is not known.
    pub fn counter(&self) -> Option<Scope> {
        let answer = |asked| self.learnt.sharing.answer(asked);
        match (self.whose, answer(AskedCall::OtherConnection)) {
            (_, Some(false)) => Some(Scope::Connection),
            (DocumentedLimit::App, answer) => answer.map(|_| Scope::App),
            (DocumentedLimit::Message, connection) => match answer(AskedCall::OtherMessage)? {
                true if answer(AskedCall::OtherConversation)? => Some(Scope::App),
                true => Some(Scope::Conversation),
                false if answer(AskedCall::OtherKey)? => connection.map(|_| Scope::Message),
                false => Some(Scope::Key),
            },
        }
    }

    /// A counter that is not the one that the documentation speaks of, in words.
    fn shared_otherwise(&self) -> Option<String> {
        let others = match self.whose {
            DocumentedLimit::App => [(AskedCall::OtherConnection, false)].as_slice(),
            DocumentedLimit::Message => {
                [(AskedCall::OtherMessage, true), (AskedCall::OtherKey, false), (AskedCall::OtherConnection, false)].as_slice()
            }
        };
        let wrong = others.iter().find(|(asked, wrong)| self.learnt.sharing.answer(*asked) == Some(*wrong));
        wrong.map(|(asked, is_shared)| {
            let became = if *is_shared { "are refused, too" } else { "are still served" };
            format!("beyond it {} {became}", asked.words())
        })
    }

    /// What the clause speaks of and was not found out about a message's counter.
    fn unknown_sharing(&self) -> Option<String> {
        let is_asked = self.whose == DocumentedLimit::Message && self.has_limit();
        let asked = [AskedCall::OtherMessage, AskedCall::OtherKey].into_iter().filter(|_| is_asked);
        let unknown = asked.into_iter().find(|asked| self.learnt.sharing.answer(*asked).is_none())?;
        Some(format!("whether {} come to the same counter is not known", unknown.words()))
    }

    /// Why it is not known which limiter this is, where it is not.
    pub fn undecided(&self) -> Option<String> {
        if self.cut_short {
            return Some("the search was cut short".to_owned());
        }
        if self.learnt.calls == 0 || self.lost * MOST_LOST > self.learnt.calls {
            return Some(self.without_reply());
        }
        if self.is_decided() { None } else { Some(self.named().meaning) }
    }

    /// A call that no limiter of the documented numbers could have refused, and one that none could have admitted.
    fn violations(&self) -> [Option<String>; 2] {
        let mut found = [None, None];
        for trace in &self.traces {
            // What weighs more than a call is counted one way or the other.
            if trace.calls.iter().any(|call| call.pairs > 1) {
                continue;
            }
            let timed = |call: &ProbedCall| Timed { sent: call.sent, received: call.received, decision: call.decision };
            let calls: Vec<Timed> = trace.calls.iter().map(timed).collect();
            let judgement = judge(LIMIT, self.whose.window(), &calls);
            if judgement.is_lawful() {
                continue;
            }
            for (found, direction) in found.iter_mut().zip([Direction::TooStrict, Direction::TooLenient]) {
                let violation = judgement.violations.iter().find(|violation| violation.direction == direction);
                let told = |violation: &Violation| {
                    let at = calls.get(violation.call).map_or(0, |call| call.sent);
                    format!("a call {:.3} s into the search was {}", at as f64 / 1e9, violation.actual())
                };
                *found = found.take().or_else(|| violation.map(told));
            }
        }
        found
    }

    /// Whether a limiter is stricter than the documented one, and whether it is more lenient.
    fn off(&self, suspect: &Suspect) -> (bool, bool) {
        let documented = LIMIT as f64 / self.whose.window().as_secs_f64();
        if suspect.algorithm.burst().is_some() {
            let (least, most) = self.learnt.rates().unwrap_or_default();
            return (most < documented * 0.999, least > documented * 1.001);
        }
        let is_slower = suspect.rate() < documented * 0.999;
        let is_faster = suspect.rate() > documented * 1.001;
        (suspect.limit < LIMIT || is_slower, suspect.limit > LIMIT || is_faster)
    }
}

/// Each clause of which the search says something, with what it says.
pub fn clauses(inquired: &[Inquired], spec: &Spec) -> Vec<(String, Verdict)> {
    let mut clauses: Vec<(String, Verdict)> = Vec::new();
    for LimitClause { clause, verdict, .. } in inquired.iter().flat_map(Inquired::clauses) {
        match clauses.iter_mut().find(|(other, _)| other == clause) {
            // Both limits tell of it: the worse of both stands.
            Some((_, known)) if rank(known) < rank(&verdict) => *known = verdict,
            Some(_) => {}
            None => clauses.push((clause.to_owned(), verdict)),
        }
    }
    let readings = inquired.iter().flat_map(Inquired::readings);
    let observed = readings.filter_map(|(question, _)| spec.question(question)).map(|clause| (clause.id.clone(), Verdict::Pass));
    clauses.extend(observed);
    clauses
}

/// How much a verdict weighs beside another of the same clause.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Skipped(_) => 0,
        Verdict::Pass => 1,
        Verdict::Unknown(_) => 2,
        Verdict::Fail => 3,
    }
}

/// What a whole search comes to, and one line that says why.
pub fn overall(inquired: &[Inquired]) -> (Overall, String) {
    let clauses: Vec<LimitClause> =
        inquired.iter().flat_map(Inquired::clauses).filter(|clause| clause.clause != "LIM-14").collect();
    if let Some(broken) = clauses.iter().find(|clause| clause.verdict == Verdict::Fail) {
        return (Overall::Fail, format!("{}: {}", broken.clause, broken.why));
    }
    let unknown = inquired.iter().find_map(|one| {
        let mut clauses = one.clauses().into_iter();
        let unknown = clauses
            .find_map(|clause| clause.verdict.why().filter(|_| matches!(clause.verdict, Verdict::Unknown(_))).map(str::to_owned));
        one.undecided().or(unknown).map(|why| format!("the {}'s limit: {why}", one.whose.word()))
    });
    match unknown {
        Some(why) => (Overall::Inconclusive, why),
        None if inquired.is_empty() => (Overall::Inconclusive, "nothing was looked at".to_owned()),
        None => {
            let named: Vec<String> =
                inquired.iter().map(|one| format!("the {}'s limit is {}", one.whose.word(), one.named().meaning)).collect();
            (Overall::Pass, named.join("; "))
        }
    }
}
