//! Probes of limits on their way: each call goes out when it is due, whatever became of those before it.

mod runner;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::ground::{Ground, GroundError};
use super::line::{Line, Session};
use super::messages::Message;
use super::stop::Stop;
use super::target::{Clock, ReadBack};
use crate::api::{HttpRequest, Kv, MemberCalls, Operation, call, code};
use crate::clock::nanoseconds;
use crate::history::Outcome;
use crate::judge::limits::probe::{AskedCall, Probe};
use crate::judge::limits::trace::ProbedCall;
use crate::judge::limits::unchanged::{self, ReadMessage, SetValue, can_tell};
use crate::judge::limits::verdict::{DocumentedLimit, Inquired, LimitClause, LimitsSoFar};
use crate::judge::limits::{Decision, Inquiry, Setting};
use crate::random::Random;
use crate::scenario::{Caller, EmbeddedSetup, MessageKind};
use runner::{Runner, ToldCall};

/// A call that comes later than this is not made up for.
const LATE: Duration = Duration::from_millis(5);
/// Messages over which the app's calls are spread, so that no message's own limit is met; fewer where there are no more.
const SPREAD: usize = 96;
/// Messages that are read back in the end.
const READ_BACK: usize = 4;
/// The first key of every set by the admin, and the one that is read back.
const KEY: &str = "k1";
/// The run's times begin here, so that a limiter's windows may have begun before.
const START: Duration = Duration::from_secs(1);

/// No limit is given longer to be free again.
const LONGEST_RECOVERY: Duration = Duration::from_mins(1);
/// A call that is due so soon is not to be kept waiting.
const BUSY: Duration = Duration::from_millis(50);
/// What goes on is told so often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Hears what goes on, while no call is due.
pub type ToldProgress<'t> = &'t mut dyn FnMut(&LimitsSoFar<'_>);

/// Finds out about one limit, as far as the setting's time allows; `before` are those that were just found out.
pub async fn inquire(
    ground: &Ground<'_>,
    whose: DocumentedLimit,
    setting: Setting,
    before: &[Inquired],
    stop: &Stop,
    told: ToldProgress<'_>,
) -> Result<Inquired, GroundError> {
    let (session, _launched) = ground.session(EmbeddedSetup::default()).await;
    // A limit that was met just before would refuse what this one is asked.
    if matches!(session.clock, Clock::Real(_)) {
        let recovery = before.iter().filter_map(|one| one.learnt.recovery()).max().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(recovery.min(LONGEST_RECOVERY)) => {}
            () = stop.wait() => {}
        }
    }
    let mut field = ProbeField::open(&session, whose, setting);
    let mut inquiry = Inquiry::new(setting, asks(whose, session.member_calls));
    // What the target was found out by has come to the app's limit, too: some kinds count from their first call.
    if let (DocumentedLimit::App, Clock::Real(_)) = (whose, &session.clock) {
        let (sent, received) = ground.found.first_call.unwrap_or((Duration::ZERO, ground.probed));
        let [sent, received] = [sent, received].map(|at| nanoseconds(START + at));
        inquiry.begin(ProbedCall { sent, received, pairs: 1, stage: 0, decision: Decision::Admitted });
    }
    let mut inquired = Inquired {
        whose,
        learnt: inquiry.learnt(),
        codes: BTreeMap::new(),
        at_top: None,
        traces: Vec::new(),
        lost: 0,
        begun: field.now(),
        elapsed: Duration::ZERO,
        cut_short: false,
        unchanged: unchanged::skipped("the search was cut short"),
    };
    while !stop.is_set() {
        let probes = inquiry.next(field.elapsed());
        if probes.is_empty() {
            break;
        }
        (inquired.learnt, inquired.traces) = (inquiry.learnt(), inquiry.traces().to_vec());
        let mut tell = |out: &[ProbedCall], elapsed: Duration| {
            let left = setting.time.saturating_sub(elapsed);
            told(&LimitsSoFar { inquired: &inquired, probes: &probes, out, elapsed, left });
        };
        let came = field.round(&probes, stop, &mut tell).await?;
        for (_, calls) in &came {
            note(&mut inquired, calls);
        }
        // A round that was cut short says less than it seems to.
        if !stop.is_set() {
            let calls = |calls: Vec<ToldCall>| calls.into_iter().map(|told| told.call).collect();
            let round: Vec<(Probe, Vec<ProbedCall>)> = came.into_iter().map(|(probe, told)| (probe, calls(told))).collect();
            inquiry.take(&round);
        }
    }
    let elapsed = field.elapsed();
    if !stop.is_set() && inquiry.learnt().refused > 0 {
        inquired.unchanged = field.read_back().await;
    }
    Ok(Inquired { learnt: inquiry.learnt(), traces: inquiry.traces().to_vec(), elapsed, cut_short: stop.is_set(), ..inquired })
}

/// What is asked of a counter that has been found.
fn asks(whose: DocumentedLimit, member_calls: MemberCalls) -> Vec<AskedCall> {
    let own = if whose == DocumentedLimit::Message { [AskedCall::OtherMessage, AskedCall::OtherKey].as_slice() } else { &[] };
    let member = (member_calls != MemberCalls::Nobody).then_some(AskedCall::Member);
    let others = [AskedCall::Delete, AskedCall::Clear, AskedCall::Invalid];
    own.iter().copied().chain([AskedCall::OtherConnection]).chain(member).chain(others).collect()
}

/// Takes down what the replies said.
fn note(inquired: &mut Inquired, calls: &[ToldCall]) {
    for told in calls {
        match told.code {
            Some(code) => *inquired.codes.entry(code).or_default() += 1,
            None => inquired.lost += 1,
        }
        if told.call.decision == Decision::Refused {
            inquired.at_top = Some(told.at_top);
        }
    }
}

/// Whose call it was, which of its calls, what came of it, and when.
type Flown = (usize, usize, Outcome, Duration);

/// Hears of the calls that are out, and how long the search goes on.
type CallsOut<'t> = &'t mut dyn FnMut(&[ProbedCall], Duration);

/// Where probes of one limit go.
struct ProbeField<'a> {
    session: &'a Session<'a>,
    whose: DocumentedLimit,
    setting: Setting,
    /// What the clock showed when the target was called first, and when this inquiry began.
    zero: Duration,
    begun: Duration,
    line: Line<'a>,
    messages: Vec<Message>,
    /// What was set on each, in the order of sending; `None` once something else was done to it.
    sets: Vec<Option<Vec<SetValue>>>,
    random: Random,
    /// Values that are each another.
    written: usize,
    /// Whether the message's own code ever came.
    has_own: bool,
}

impl<'a> ProbeField<'a> {
    fn open(session: &'a Session<'a>, whose: DocumentedLimit, setting: Setting) -> ProbeField<'a> {
        ProbeField {
            session,
            whose,
            setting,
            zero: if matches!(session.clock, Clock::Real(_)) { Duration::ZERO } else { session.clock.now() },
            begun: session.clock.now(),
            line: Line::open(session, whose.word()),
            messages: Vec::new(),
            sets: Vec::new(),
            random: Random::named(session.seed, "probes"),
            written: 0,
            has_own: false,
        }
    }

    fn elapsed(&self) -> Duration {
        self.session.clock.now().saturating_sub(self.begun)
    }

    fn now(&self) -> Duration {
        self.session.clock.now().saturating_sub(self.zero) + START
    }

    /// Makes one, and gives its number.
    async fn fresh_message(&mut self, kind: MessageKind) -> Result<usize, GroundError> {
        let message = self.line.message(kind).await.map_err(|why| GroundError::Messages { made: 0, wanted: 1, why })?;
        self.messages.push(message);
        self.sets.push(Some(Vec::new()));
        Ok(self.messages.len() - 1)
    }

    /// Sends all of them side by side, and once more those that came late; gives the calls of each.
    async fn round(
        &mut self,
        probes: &[Probe],
        stop: &Stop,
        told: CallsOut<'_>,
    ) -> Result<Vec<(Probe, Vec<ToldCall>)>, GroundError> {
        let mut came = Vec::new();
        let mut late = Vec::new();
        for (probe, calls, is_late) in self.once(probes, stop, told).await? {
            late.extend(is_late.then(|| probe.clone()));
            came.push((probe, calls));
        }
        if !late.is_empty() && !stop.is_set() {
            came.extend(self.once(&late, stop, told).await?.into_iter().map(|(probe, calls, _)| (probe, calls)));
        }
        Ok(came)
    }

    async fn once(
        &mut self,
        probes: &[Probe],
        stop: &Stop,
        told: CallsOut<'_>,
    ) -> Result<Vec<(Probe, Vec<ToldCall>, bool)>, GroundError> {
        let mut runners = Vec::new();
        if self.whose == DocumentedLimit::App && self.messages.is_empty() {
            self.fresh_message(MessageKind::Sent).await?;
            while self.messages.len() < SPREAD && self.fresh_message(MessageKind::Sent).await.is_ok() {}
        }
        for probe in probes {
            runners.push(self.runner(probe).await?);
        }
        // One after another, so that the bursts with which they begin do not meet.
        let mut begins = self.now();
        for runner in &mut runners {
            let first = &runner.probe.stages[0];
            runner.due = begins + first.rest;
            begins += first.gap() * u32::try_from(first.calls.min(300)).unwrap_or(300);
        }
        self.carry_out(&mut runners, stop, told).await;
        let came = runners.into_iter().map(|runner| {
            let (probe, is_late) = (runner.probe.clone(), runner.is_late);
            (probe, self.classified(runner), is_late)
        });
        Ok(came.collect())
    }

    async fn runner<'p>(&mut self, probe: &'p Probe) -> Result<Runner<'p>, GroundError> {
        let asks = |asked: AskedCall| probe.stages.iter().any(|stage| stage.asked == asked);
        let message = match self.whose {
            DocumentedLimit::Message => Some(self.fresh_message(MessageKind::Sent).await?),
            DocumentedLimit::App => None,
        };
        // A message of the admin's own is in another conversation. Not every target has one: then nothing is asked of it.
        let other_message = if asks(AskedCall::OtherMessage) { Some(self.fresh_message(MessageKind::Sent).await?) } else { None };
        let elsewhere =
            if asks(AskedCall::OtherConversation) { self.fresh_message(MessageKind::FromAdmin).await.ok() } else { None };
        let afresh = asks(AskedCall::OtherConnection).then(|| self.session.client.afresh()).transpose()?;
        Ok(Runner {
            probe,
            message,
            other_message,
            elsewhere,
            afresh,
            stage: 0,
            sent: 0,
            refused: 0,
            due: Duration::ZERO,
            is_late: false,
            calls: Vec::new(),
        })
    }

    async fn carry_out(&mut self, runners: &mut [Runner<'_>], stop: &Stop, told: CallsOut<'_>) {
        let mut flights: FuturesUnordered<BoxFuture<'_, Flown>> = FuturesUnordered::new();
        let least_gap = Duration::from_secs_f64(1.0 / self.setting.rate);
        let mut last_sent: Option<Duration> = None;
        let mut last_told: Option<Duration> = None;
        // What the time does not allow any more is left out of the round.
        while !stop.is_set() && self.elapsed() < self.setting.time {
            let free = last_sent.map_or(Duration::ZERO, |sent| sent + least_gap).max(self.now());
            let at_work = (0..runners.len()).filter(|at| runners[*at].stage().is_some());
            let next = at_work.min_by_key(|at| (!runners[*at].is_bursting(self.setting.rate, free), runners[*at].due));
            let Some(at) = next else {
                let Some((at, index, outcome, received)) = flights.next().await else { break };
                runners[at].settle(index, &outcome, received);
                continue;
            };
            // All of them together keep to the rate.
            let due = runners[at].due.max(last_sent.map_or(Duration::ZERO, |sent| sent + least_gap));
            let early = due.saturating_sub(self.now());
            let now = self.elapsed();
            if last_told.is_none_or(|last| early > BUSY && now > last + TOLD_EVERY) {
                last_told = Some(now);
                told(&runners.iter().flat_map(Runner::calls).collect::<Vec<_>>(), now);
            }
            if !early.is_zero() && matches!(self.session.clock, Clock::Real(_)) {
                tokio::select! {
                    biased;
                    () = stop.wait() => break,
                    Some((at, index, outcome, received)) = flights.next(), if !flights.is_empty() => runners[at].settle(index, &outcome, received),
                    () = tokio::time::sleep(early.min(TOLD_EVERY)) => {}
                }
                continue;
            }
            if !early.is_zero() {
                self.session.clock.wait(early).await;
            }
            let sent = self.now();
            last_sent = Some(if sent > due + LATE { sent } else { due });
            let runner = &mut runners[at];
            let asked = runner.stage().map_or(AskedCall::Set, |stage| stage.asked);
            let afresh = runner.afresh.clone().filter(|_| asked == AskedCall::OtherConnection);
            let client = afresh.unwrap_or_else(|| self.session.client.clone());
            let (request, written) = self.request(runner, asked);
            let index = runner.send(sent, due, written);
            let (zero, clock) = (self.zero, self.session.clock.clone());
            flights.push(Box::pin(async move {
                let outcome = client.send(&request).await;
                (at, index, outcome, clock.now().saturating_sub(zero) + START)
            }));
            // A clock that only this run moves stands still until the reply is there.
            if matches!(self.session.clock, Clock::Virtual(_))
                && let Some((at, index, outcome, received)) = flights.next().await
            {
                runners[at].settle(index, &outcome, received);
            }
        }
        // What is still under way is waited for, but not for long once the user has ended it.
        while let Some((at, index, outcome, received)) = flights.next().await {
            runners[at].settle(index, &outcome, received);
            if stop.is_set() {
                break;
            }
        }
    }

    /// A call as it is asked for, and what it sets the one key of a message to. Admins need no Seq; a member sets a key that is new.
    /// Each value is like no other.
    fn request(&mut self, runner: &Runner<'_>, asked: AskedCall) -> (HttpRequest, Option<(usize, usize)>) {
        let pairs = runner.stage().map_or(1, |stage| stage.pairs);
        self.written += 1;
        let other = match asked {
            AskedCall::OtherMessage => runner.other_message,
            AskedCall::OtherConversation => runner.elsewhere,
            _ => None,
        };
        let number = other.or(runner.message).unwrap_or(self.written % self.messages.len());
        let kv = |key: String, value: bool| Kv { key, value: value.then(|| self.written.to_string()), seq: None };
        let member = Kv { seq: Some(0), ..kv(format!("m{}", self.written), true) };
        let (operation, caller, kvs) = match asked {
            AskedCall::Delete => (Operation::Delete, Caller::Admin, Some(vec![kv(KEY.to_owned(), false)])),
            AskedCall::Clear => (Operation::Clear, Caller::Admin, None),
            AskedCall::Member => (Operation::Set, Caller::Sender, Some(vec![member])),
            AskedCall::Invalid => (Operation::Set, Caller::Admin, Some(vec![kv(KEY.to_owned(), false)])),
            AskedCall::OtherKey => (Operation::Set, Caller::Admin, Some(vec![kv("other".to_owned(), true)])),
            AskedCall::Set | AskedCall::OtherMessage | AskedCall::OtherConversation | AskedCall::OtherConnection => {
                (Operation::Set, Caller::Admin, Some((1..=pairs).map(|number| kv(format!("k{number}"), true)).collect()))
            }
        };
        let composer = self.line.composer();
        let mut body = composer.body(operation, caller, &self.messages[number]);
        if let Some(kvs) = kvs {
            body.insert("ExtensionList".into(), kvs.iter().map(Kv::to_json).collect());
        }
        let is_set =
            !matches!(asked, AskedCall::Delete | AskedCall::Clear | AskedCall::Invalid | AskedCall::OtherKey | AskedCall::Member);
        if matches!(asked, AskedCall::Delete | AskedCall::Clear) {
            self.sets[number] = None;
        }
        let request = composer.plain(call::PATH, caller, &Value::Object(body), &mut self.random);
        (request, is_set.then_some((number, self.written)))
    }

    /// What some messages hold that were refused a set in the end.
    async fn read_back(&mut self) -> LimitClause {
        if self.session.read_back != ReadBack::Get {
            return unchanged::skipped("the target does not tell what a message holds (get_key_values)");
        }
        let told = |number: &usize| self.sets[*number].as_deref().is_some_and(can_tell);
        let numbers: Vec<usize> = (0..self.messages.len()).rev().filter(told).take(READ_BACK).collect();
        let mut read = Vec::new();
        for number in numbers {
            let pairs = self.line.pairs(&self.messages[number]).await;
            let value = pairs.map(|pairs| pairs.get(KEY).map(|(value, _)| value.clone())).map_err(|why| why.to_string());
            read.push(ReadMessage { sets: self.sets[number].clone().unwrap_or_default(), value });
        }
        unchanged::judge(&read)
    }

    /// Whose limit refused each call. Where a message's own code never comes, and the app's rate was kept to, the app's code
    /// is the message's.
    fn classified(&mut self, runner: Runner<'_>) -> Vec<ToldCall> {
        let Runner { probe, elsewhere, mut calls, .. } = runner;
        let is_message = self.whose == DocumentedLimit::Message;
        self.has_own |= calls.iter().any(|told| told.code == Some(code::TOO_OFTEN));
        let has_own = self.has_own;
        for told in &mut calls {
            let asked = probe.stages[told.call.stage as usize].asked;
            told.call.decision = match told.code {
                // There was none, so it went to the message itself.
                _ if asked == AskedCall::OtherConversation && elsewhere.is_none() => Decision::Unknown,
                None => Decision::Lost,
                Some(code::TOO_OFTEN) if is_message => Decision::Refused,
                Some(code) if code::is_app_limit(code) && !(is_message && has_own) => Decision::Refused,
                Some(code) if is_message && (code::is_app_limit(code) || code == code::INTERNAL) => Decision::Unknown,
                Some(_) => Decision::Admitted,
            };
            if let Some((sets, value)) = told.written.and_then(|(number, value)| Some((self.sets[number].as_mut()?, value))) {
                sets.push(SetValue { value: value.to_string(), decision: told.call.decision });
            }
        }
        calls
    }
}
