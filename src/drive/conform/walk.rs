//! One scenario, step by step, against one endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use crate::api::Reply;
use crate::api::call::{MAX_KEY_BYTES, MAX_KVS};
use crate::drive::compose::Composed;
use crate::drive::line::{Line, Session};
use crate::drive::messages::Message;
use crate::drive::readback::{ReadError, UNREACHABLE_SEQ, told_by_conflict};
use crate::drive::target::ReadBack;
use crate::history::{Loss, Outcome};
use crate::judge::conform::limit::{self, judge_rounds};
use crate::judge::conform::memory::Memory;
use crate::judge::conform::pairs::{self, Pairs};
use crate::judge::conform::race::one_wins;
use crate::judge::conform::reply::{answer, blame_refusals, judge, read};
use crate::judge::conform::verdict::{WalkEnd, ends, judge_should, verdict};
use crate::judge::conform::{At, Sent, incidental};
use crate::scenario::Caller;
use crate::scenario::conform::plan::Planned;
use crate::scenario::conform::ready::{Act, ReadyCall, ReadyPair, ReadyParallel, ReadyPeek, ReadyRepeat, ReadyStep, When};
use crate::scenario::conform::text::Seq;
use crate::spec::Spec;
use crate::verdict::{Finding, Observation, RequestCount, ScenarioOutcome};

/// Runs one scenario to its end.
pub async fn walk(spec: &Spec, planned: &Planned, session: &Session<'_>) -> ScenarioOutcome {
    let start = session.clock.now();
    let mut walk = Walk::new(spec, planned, session);
    let end = match walk.provision().await {
        Ok(()) => walk.steps(&planned.steps).await.err().or(walk.unread.take()),
        Err(end) => Some(end),
    };
    let nothing_to_retry = planned.scenario.embedded.internal_error_every.is_some() && walk.line.internal_errors == 0;
    ScenarioOutcome {
        id: planned.id.clone(),
        verdict: verdict(spec, &walk.findings, end, nothing_to_retry),
        findings: walk.findings,
        observations: walk.observations,
        requests: RequestCount::of(&walk.line.exchanges),
        exchanges: walk.line.exchanges,
        elapsed: session.clock.now().saturating_sub(start),
    }
}

struct Walk<'a> {
    spec: &'a Spec,
    planned: &'a Planned,
    line: Line<'a>,
    messages: BTreeMap<String, Message>,
    memory: Memory,
    /// Readings known so far: the probe's, and this scenario's own.
    readings: BTreeMap<String, String>,
    findings: Vec<Finding>,
    observations: Vec<Observation>,
    /// Why a message was not looked at around a call that has to change nothing, where that was asked.
    unread: Option<WalkEnd>,
}

/// One call with everything that was made of its reply.
struct JudgedCall {
    sent: Sent,
    reply: Reply,
    /// The ways in which the reply is not of the documented form; they are among the findings.
    form: Vec<Finding>,
    findings: Vec<Finding>,
    /// What the call changed of its message, where that was watched.
    changes: Vec<Finding>,
    exchange: usize,
}

impl<'a> Walk<'a> {
    fn new(spec: &'a Spec, planned: &'a Planned, session: &'a Session<'a>) -> Walk<'a> {
        let caller = ("caller".to_owned(), session.member_calls.answer().to_owned());
        Walk {
            spec,
            planned,
            line: Line::open(session, &planned.id),
            messages: BTreeMap::new(),
            memory: Memory::default(),
            readings: BTreeMap::from([caller]),
            findings: Vec::new(),
            observations: Vec::new(),
            unread: None,
        }
    }

    // Messages

    async fn provision(&mut self) -> Result<(), WalkEnd> {
        for (name, kind) in self.planned.messages() {
            let message = self.line.message(kind).await.map_err(WalkEnd::Unknown)?;
            self.messages.insert(name.to_owned(), message);
        }
        Ok(())
    }

    // Steps

    async fn steps(&mut self, steps: &[ReadyStep]) -> Result<(), WalkEnd> {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &ReadyStep) -> Result<(), WalkEnd> {
        if !self.applies(&step.when) {
            return Ok(());
        }
        match &step.act {
            Act::Wait(time) => {
                self.line.session.clock.wait(*time).await;
                Ok(())
            }
            Act::Peek(peek) => self.peek(peek).await,
            Act::Repeat(repeat) => self.repeat(repeat).await,
            Act::Parallel(parallel) => self.parallel(parallel).await,
            Act::Call(call) => {
                let judged = self.call(call, false).await?;
                self.conclude(judged.findings)
            }
        }
    }

    fn applies(&self, when: &When) -> bool {
        when.iter().all(|(reading, answers)| self.readings.get(reading).is_some_and(|answer| answers.contains(answer)))
    }

    /// Takes over findings; one that decides ends the scenario.
    fn conclude(&mut self, findings: Vec<Finding>) -> Result<(), WalkEnd> {
        let stop = findings.iter().any(|finding| ends(self.spec, finding));
        for finding in findings {
            // A defect of every reply is one finding, not a hundred.
            if !self
                .findings
                .iter()
                .any(|known| known.clause == finding.clause && known.subject == finding.subject && known.actual == finding.actual)
            {
                self.findings.push(finding);
            }
        }
        if stop { Err(WalkEnd::Failed) } else { Ok(()) }
    }

    fn last_exchange(&self) -> Option<usize> {
        self.line.exchanges.len().checked_sub(1)
    }

    /// `watched` reads the message before and after, whatever the call itself expects.
    async fn call(&mut self, call: &ReadyCall, watched: bool) -> Result<JudgedCall, WalkEnd> {
        let name = call.message.as_str();
        let unchanged = call.expect.as_ref().is_some_and(|expect| expect.unchanged);
        let composed = self.compose(call)?;
        let keys: Vec<String> = composed.sent.kvs.iter().map(|kv| kv.key.clone()).collect();
        let is_read = self.reads_back();
        if watched {
            is_read.clone()?;
        } else if unchanged && is_read.is_err() {
            // What the reply says is judged all the same.
            self.unread = is_read.clone().err();
        }
        let before = if (unchanged || watched) && is_read.is_ok() { Some(self.held(name, &keys).await?) } else { None };
        let memory = self.memory.clone();
        let Composed { request, sent } = composed;
        let exchange = self.line.exchange(request, !self.planned.scenario.alone).await;
        self.closed_for_good(exchange, call).await?;
        let mut judged = self.judged(exchange, sent, call, &memory)?;
        if let Some(before) = before {
            let at = at(&call.clause, &format!("{}/expect/unchanged", call.place), Some(judged.exchange));
            judged.changes = match (before, self.held(name, &keys).await?) {
                // Beyond a message's limit nobody can watch it who reads it by calls that the limit counts.
                (Err(before), Err(after)) if before.is_turned_away() && after.is_turned_away() && !unchanged => Vec::new(),
                (before, after) => pairs::changes(&before.map_err(|why| unread(&why))?, &after.map_err(|why| unread(&why))?, &at),
            };
            if unchanged {
                judged.findings.extend(judged.changes.clone());
            }
        }
        Ok(judged)
    }

    /// A connection that ends without a reply is chance, unless it does so each time for a call that has to be refused.
    async fn closed_for_good(&mut self, exchange: usize, call: &ReadyCall) -> Result<(), WalkEnd> {
        let is_closed = matches!(self.line.exchanges[exchange].outcome, Outcome::Lost(Loss::Closed(_)));
        if !is_closed || !call.expects_refusal() || call.goes_elsewhere() {
            return Ok(());
        }
        let message = self.message(&call.message)?;
        if !self.line.closes_each_time(exchange, &message).await {
            return Ok(());
        }
        let at = at("HTTP-1", &call.place, Some(exchange));
        let actual = "no reply: the connection ended, each time, while other calls were answered";
        self.conclude(vec![at.finding("HTTP status", "200", actual)])
    }

    fn compose(&mut self, call: &ReadyCall) -> Result<Composed, WalkEnd> {
        if call.http.without_plan && self.line.session.target.without_plan.is_none() {
            return Err(WalkEnd::Skipped("the target names no app without the plan".to_owned()));
        }
        let message = self.message(&call.message)?;
        Ok(self.line.composer().call(call, &message, &self.memory, &mut self.line.random))
    }

    fn message(&self, name: &str) -> Result<Message, WalkEnd> {
        self.messages.get(name).cloned().ok_or_else(|| WalkEnd::Unknown(format!("there is no message {name}")))
    }

    /// Makes of a reply what its call says. `memory` is from before the call.
    fn judged(&mut self, exchange: usize, sent: Sent, call: &ReadyCall, memory: &Memory) -> Result<JudgedCall, WalkEnd> {
        let place = call.place.as_str();
        let at = at(&call.clause, place, Some(exchange));
        let http = match &self.line.exchanges[exchange].outcome {
            Outcome::Replied(http) => http,
            Outcome::Lost(loss) => return Err(WalkEnd::Unknown(format!("a reply was lost: {loss}"))),
        };
        let (reply, mut findings) = if call.goes_elsewhere() && http.status != 200 {
            // Another path or method is not this command: any HTTP error refuses it.
            (Some(Reply::refusal(i64::from(http.status), "an HTTP error")), Vec::new())
        } else {
            read(&sent, http, &at)
        };
        self.line.let_go(exchange);
        let form = findings.clone();
        let Some(reply) = reply else {
            self.note_retries(exchange, &mut findings);
            self.conclude(findings)?;
            return Err(WalkEnd::Unknown("a reply could not be read".to_owned()));
        };
        for (reading, answer) in incidental::readings(&sent, &reply, memory) {
            self.observed(reading, answer, place);
        }
        match &call.observe {
            Some(observe) => match answer(self.spec, observe, &sent, &reply, memory, &at) {
                Ok(answer) => self.observed(&observe.reading, answer, place),
                Err(finding) => findings.push(*finding),
            },
            // A step that only has something to say for `should` clauses asks nothing else.
            None if call.expect.is_none() && !call.should.is_empty() => {}
            None => findings.extend(judge(&sent, &reply, call.expect.as_ref(), memory, &at)),
        }
        findings.extend(judge_should(&sent, &reply, call, memory, &at));
        if self.line.session.read_back == ReadBack::Untrue {
            blame_refusals(&mut findings, &reply);
        }
        self.note_retries(exchange, &mut findings);
        self.memory.learn(&sent, &reply);
        Ok(JudgedCall { sent, reply, form, findings, changes: Vec::new(), exchange })
    }

    fn note_retries(&self, exchange: usize, findings: &mut [Finding]) {
        let retries = self.line.exchanges[exchange].retries;
        if retries > 0 {
            for finding in findings {
                finding.note =
                    Some(format!("sent again {retries} times, because the target answered 10002 or its app limit refused it"));
            }
        }
    }

    fn observed(&mut self, reading: &str, answer: &str, place: &str) {
        self.readings.insert(reading.to_owned(), answer.to_owned());
        if !self.observations.iter().any(|known| known.reading == reading && known.answer == answer) {
            self.observations.push(Observation { reading: reading.into(), answer: answer.into(), place: place.into() });
        }
    }

    // Reading back

    async fn peek(&mut self, peek: &ReadyPeek) -> Result<(), WalkEnd> {
        let name = peek.message.as_str();
        let keys: Vec<String> = peek.keys.keys().cloned().collect();
        let pairs = self.snapshot(name, &keys).await?.map_err(|why| unread(&why))?;
        let memory = self.memory.clone();
        let mut findings = Vec::new();
        for (key, state) in &peek.keys {
            let at = at(&peek.clause, &format!("{}/keys/{key}", peek.place), self.last_exchange());
            findings.extend(pairs::differs(key, state, pairs.get(key), &memory, name, &at));
        }
        for (key, (value, seq)) in &pairs {
            self.memory.learn_pair(name, key, value, *seq);
        }
        self.conclude(findings)
    }

    /// The pairs that a message holds. One that can hold none may well be refused by whatever names it, reading back too.
    async fn held(&mut self, name: &str, more_keys: &[String]) -> Result<Result<Pairs, ReadError>, WalkEnd> {
        let holds_none = !self.planned.message_kind(name).takes_pairs();
        let snapshot = self.snapshot(name, more_keys).await?;
        Ok(snapshot.or_else(|why| if holds_none && why.is_an_answer() { Ok(Pairs::new()) } else { Err(why) }))
    }

    /// The pairs of a message as they stand; the inner error says why they are unknown.
    async fn snapshot(&mut self, name: &str, more_keys: &[String]) -> Result<Result<Pairs, ReadError>, WalkEnd> {
        let message = self.message(name)?;
        match self.line.session.read_back {
            ReadBack::Get => Ok(self.line.pairs(&message).await),
            ReadBack::Member => self.conflicting_set(name, &message, more_keys).await,
            ReadBack::Impossible | ReadBack::Untrue => self.reads_back().map(|()| Ok(Pairs::new())),
        }
    }

    /// Whether a message can be read back; if not, what becomes of a scenario that asks for it.
    fn reads_back(&self) -> Result<(), WalkEnd> {
        match self.line.session.read_back {
            ReadBack::Get | ReadBack::Member => Ok(()),
            ReadBack::Impossible => Err(WalkEnd::Skipped("the target has no way to read a message back".to_owned())),
            ReadBack::Untrue => Err(WalkEnd::Unknown(
                "the message cannot be read back: the refusal of a member's set does not carry the pair that was set (SEQ-3)"
                    .to_owned(),
            )),
        }
    }

    /// Reads keys by a member's set whose Seq cannot match: each refusal carries the pair (clause SEQ-3).
    async fn conflicting_set(
        &mut self,
        name: &str,
        message: &Message,
        more_keys: &[String],
    ) -> Result<Result<Pairs, ReadError>, WalkEnd> {
        let mut keys: BTreeSet<String> = self.memory.keys(name).into_iter().map(str::to_owned).collect();
        keys.extend(more_keys.iter().cloned());
        // One key that no call may carry would have all of them refused.
        keys.retain(|key| (1..=MAX_KEY_BYTES).contains(&key.len()));
        // The admin's own messages have no sender who is a member.
        let caller = if message.from.is_some() { Caller::Sender } else { Caller::Recipient };
        let mut pairs = Pairs::new();
        for some in keys.into_iter().collect::<Vec<_>>().chunks(MAX_KVS) {
            // No message takes these, whatever the Seqs of their keys.
            let pairs_sent = some.iter().map(|key| ReadyPair::new(key, "peek", Seq::Number(UNREACHABLE_SEQ))).collect();
            let Composed { request, .. } = self.compose(&ReadyCall::set(caller, name, pairs_sent))?;
            let exchange = self.line.exchange(request, true).await;
            let told = told_by_conflict(some, &self.line.exchanges[exchange].outcome);
            self.line.let_go(exchange);
            match told {
                Ok(told) => pairs.extend(told),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(pairs))
    }

    // Repetition and concurrency

    async fn repeat(&mut self, repeat: &ReadyRepeat) -> Result<(), WalkEnd> {
        let start = self.line.session.clock.now();
        for round in 1..=repeat.times {
            if let Some(every) = repeat.every.filter(|_| round > 1) {
                self.line.session.clock.wait(every).await;
            }
            let last = self.last_exchange().unwrap_or_default();
            if self.round(repeat, round).await? {
                return self.rounds_done(repeat, round as u64 - 1, true, start);
            }
            self.forget(last);
        }
        self.rounds_done(repeat, repeat.times as u64, false, start)
    }

    /// The end of a repetition, with or without the answer that it waited for.
    fn rounds_done(&mut self, repeat: &ReadyRepeat, rounds: u64, ended: bool, start: Duration) -> Result<(), WalkEnd> {
        let at = at(&repeat.clause, &repeat.place, self.last_exchange());
        if let Some(observe) = &repeat.observe {
            self.observed(&observe.reading, if ended { &observe.seen } else { &observe.never }, &repeat.place);
            return Ok(());
        }
        match (&repeat.until, &repeat.limit) {
            (Some(_), Some(limit)) => {
                let elapsed = self.line.session.clock.now().saturating_sub(start);
                match judge_rounds(limit, rounds, ended, elapsed, &at) {
                    limit::Judged::Lawful => Ok(()),
                    limit::Judged::Unlawful(finding) => self.conclude(vec![*finding]),
                    limit::Judged::TooSlow(why) => Err(WalkEnd::Unknown(why)),
                }
            }
            (Some(_), None) if !ended => {
                let expected = format!("the awaited answer within {} rounds", repeat.times);
                self.conclude(vec![at.below("/until").finding("until", expected, "it never came")])
            }
            _ => Ok(()),
        }
    }

    /// Lets go of what replies said that no finding shows, but for the last: of rounds there may be a million. A history keeps it.
    fn forget(&mut self, from: usize) {
        if self.line.session.keeps_exchanges {
            return;
        }
        let last = self.last_exchange().unwrap_or_default();
        for place in from..last {
            let shown = self.findings.iter().any(|finding| finding.exchange == Some(place));
            if let Outcome::Replied(reply) = &mut self.line.exchanges[place].outcome
                && !shown
            {
                reply.body = Vec::new();
            }
        }
    }

    /// One round; true where its last call answered what the repetition waits for.
    async fn round(&mut self, repeat: &ReadyRepeat, round: usize) -> Result<bool, WalkEnd> {
        let last = repeat.steps.len() - 1;
        for (index, step) in repeat.steps.iter().enumerate() {
            let Act::Call(call) = &step.act else {
                Box::pin(self.step(step)).await?;
                continue;
            };
            if !self.applies(&step.when) {
                continue;
            }
            let memory = self.memory.clone();
            let until = repeat.until.as_ref().filter(|_| index == last);
            let watched = until.is_some_and(|until| until.unchanged);
            let mut judged = self.call(&call.in_round(round), watched).await?;
            if let Some(until) = until {
                let at = at(&repeat.clause, &call.place, Some(judged.exchange));
                if judge(&judged.sent, &judged.reply, Some(until), &memory, &at).is_empty() {
                    self.conclude(judged.changes)?;
                    return Ok(true);
                }
            }
            for finding in &mut judged.findings {
                finding.note = Some(format!("in round {round} of {}", repeat.times));
                if let Some(limit) = repeat.limit.as_ref().filter(|_| judged.reply.code != 0) {
                    let within = (round as u64) <= limit.rounds;
                    finding.clause.clone_from(if within { &limit.fewer } else { &limit.more });
                }
            }
            self.conclude(judged.findings)?;
        }
        Ok(false)
    }

    async fn parallel(&mut self, parallel: &ReadyParallel) -> Result<(), WalkEnd> {
        let memory = self.memory.clone();
        let mut calls = Vec::new();
        // Composed after the last turn: a signature is of that moment.
        for _ in 0..parallel.times * parallel.calls.len() {
            self.line.session.budget.turn().await;
        }
        for _ in 0..parallel.times {
            for call in &parallel.calls {
                let Composed { request, sent } = self.compose(call)?;
                calls.push((call, request, sent));
            }
        }
        let sent_at_once = (0..).zip(&calls).map(|(client, (_, request, ..))| self.line.once(request, client));
        let exchanges = join_all(sent_at_once).await;
        // All are recorded before the first is judged: one whose reply was lost ends the walk, and the others were sent all the same.
        let mut settled = Vec::new();
        for exchange in exchanges {
            // A call that did nothing and is sent again is still one of those that were under way together.
            settled.push(self.line.settle(exchange, !self.planned.scenario.alone).await);
        }
        let mut judged = Vec::new();
        for ((call, _, sent), exchange) in calls.into_iter().zip(settled) {
            judged.push(self.judged(exchange, sent, call, &memory)?);
        }
        match &parallel.one_wins {
            Some(key) => {
                let at = at(&parallel.clause, &parallel.place, None);
                // Every reply's form is judged; what it has to say is the race's to decide.
                let form = judged.iter().flat_map(|judged| judged.form.clone()).collect();
                self.conclude(form)?;
                let replies: Vec<(usize, &Reply)> = judged.iter().map(|judged| (judged.exchange, &judged.reply)).collect();
                self.conclude(one_wins(key, &replies, &at))
            }
            None => self.conclude(judged.into_iter().flat_map(|judged| judged.findings).collect()),
        }
    }
}

fn unread(why: &ReadError) -> WalkEnd {
    WalkEnd::Unknown(format!("the message cannot be read back: {why}"))
}

fn at(clause: &str, place: &str, exchange: Option<usize>) -> At {
    At { clause: clause.to_owned(), place: place.to_owned(), exchange }
}
