//! A target looked at one call at a time, by the steps that the probe takes and some that it does not.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::at_once;
use super::ground::{Ground, GroundError};
use super::line::{Line, Session};
use super::messages::Message;
use super::probe::{
    ProbeError, ReadTrial, WrittenPair, admin_may_call, by_get, by_refusal, called, credentials, find_member_calls, message,
};
use super::route::Way;
use super::stop::Stop;
use super::target::{CallsAtOnce, Target, TargetPlace};
use crate::api::message::{GET_PATH, SEND_PATH};
use crate::api::{MemberCalls, call, code};
use crate::history::Outcome;
use crate::judge::doctor::{CREDENTIALS, ExaminedStep, STEPS, StepState, blamed, clock, members};
use crate::scenario::{EmbeddedSetup, MessageKind};
use crate::yaml::rate::Rate;

/// Looks at the target at this way; each step is told as it is done. What could not be reached is not tested.
pub async fn examine(
    target: &Target,
    way: &Way,
    seed: u64,
    rate: Rate,
    stop: &Stop,
    tell: &(dyn Fn(&ExaminedStep) + Send + Sync),
) -> Result<Vec<ExaminedStep>, GroundError> {
    let place = TargetPlace::Remote(way.clone());
    let ground = Ground::new(target, &place, seed, Some(rate))?;
    let (session, _launched) = ground.session(EmbeddedSetup::default()).await;
    let mut visit = Visit { session, way, steps: Vec::new(), tell };
    tokio::select! {
        // Where it goes no further is told by its steps.
        _ = visit.steps() => {}
        () = stop.wait() => return Err(GroundError::Interrupted),
    }
    visit.rest();
    Ok(visit.steps)
}

/// It goes no further: what comes next rests on what is in the way.
struct InTheWay;

struct Visit<'a> {
    session: Session<'a>,
    way: &'a Way,
    steps: Vec<ExaminedStep>,
    tell: &'a (dyn Fn(&ExaminedStep) + Send + Sync),
}

impl Visit<'_> {
    async fn steps(&mut self) -> Result<(), InTheWay> {
        self.reach().await?;
        self.first_call().await?;
        self.credentials().await?;
        let message = self.message().await?;
        let written = self.extension(&message).await?;
        self.members(&message).await?;
        self.read_back(&message, written.as_ref()).await;
        self.at_once().await
    }

    fn step(&mut self, name: &'static str, (state, told, advice): (StepState, impl Into<String>, &str), call: Option<&str>) {
        let (told, advice, call) = (told.into(), advice.to_owned(), call.map(str::to_owned));
        let step = ExaminedStep { name, state, told, advice, call };
        (self.tell)(&step);
        self.steps.push(step);
    }

    fn blocked(&mut self, name: &'static str, told: impl Into<String>, advice: &str, call: Option<&str>) -> Result<(), InTheWay> {
        self.step(name, (StepState::Blocked, told, advice), call);
        Err(InTheWay)
    }

    /// What was not come to, in its place.
    fn rest(&mut self) {
        for name in STEPS {
            if !self.steps.iter().any(|step| step.name == name) {
                self.step(name, (StepState::NotTested, "what stands above is in the way", ""), None);
            }
        }
        let place = |step: &ExaminedStep| STEPS.iter().position(|name| *name == step.name);
        self.steps.sort_by_key(place);
    }

    // ------------------------------------------------------------------------------------------------------- the way

    async fn reach(&mut self) -> Result<(), InTheWay> {
        let next = self.way.next();
        let what = if self.way.route.proxy.is_some() { "the proxy " } else { "" };
        let patience = self.session.target.timeout;
        let found = timeout(patience, lookup_host((next.host.as_str(), next.port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => {
                return self.blocked(
                    "name resolution",
                    format!("{what}{}: {error}", next.host),
                    "is the name right, and does this machine reach a name server?",
                    None,
                );
            }
            Err(_) => {
                return self.blocked(
                    "name resolution",
                    format!("{what}{}: no answer within {patience:?}", next.host),
                    "does this machine reach a name server?",
                    None,
                );
            }
        };
        let listed = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
        self.step("name resolution", (StepState::Works, format!("{what}{} is {listed}", next.host), ""), None);
        let mut why = "it has no address".to_owned();
        for address in addresses {
            match timeout(patience.min(Duration::from_secs(5)), TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    self.step("connection", (StepState::Works, format!("{what}{address} takes connections"), ""), None);
                    return Ok(());
                }
                Ok(Err(error)) => why = format!("{what}{address} cannot be reached: {error}"),
                Err(_) => why = format!("{what}{address} cannot be reached: no answer"),
            }
        }
        self.blocked("connection", why, "does it run, is the port right, and does a firewall stand between?", None)
    }

    /// The first call of all, for how it is answered and when, not for what.
    async fn first_call(&mut self) -> Result<(), InTheWay> {
        let mut line = Line::open(&self.session, "doctor");
        let Ok(nowhere) = line.message(MessageKind::Missing).await else { return Err(InTheWay) };
        let request = line.get(&nowhere, 0);
        let (outcome, date) = self.session.client.send_dated(&request).await;
        let ours_s = i64::try_from(line.composer().now_s).unwrap_or(i64::MAX);
        let asked = called(&self.session, GET_PATH);
        if let Outcome::Lost(loss) = outcome {
            return self.blocked("TLS and HTTP", loss.to_string(), "see what it says", Some(&asked));
        }
        let how = if self.way.is_tls() { "TLS is set up, and HTTP is answered" } else { "HTTP is answered; there is no TLS" };
        self.step("TLS and HTTP", (StepState::Works, how, ""), Some(&asked));
        let found = date.map_or_else(
            || (StepState::Absent, "a reply has no Date to compare with".to_owned(), ""),
            |date_s| clock(date_s - ours_s),
        );
        let is_blocked = found.0 == StepState::Blocked;
        self.step("clock", found, Some(&asked));
        if is_blocked { Err(InTheWay) } else { Ok(()) }
    }

    // --------------------------------------------------------------------------------------------------- credentials

    /// Whether the call is taken is shown by one for a message that there is not.
    async fn credentials(&mut self) -> Result<(), InTheWay> {
        let asked = called(&self.session, call::PATH);
        match credentials(&self.session).await {
            Ok(reply) => {
                let code = reply.map_or(0, |reply| reply.code);
                let told = format!("nothing is said against it (the answer was {code})");
                for name in CREDENTIALS {
                    self.step(name, (StepState::Works, told.clone(), ""), Some(&asked));
                }
                Ok(())
            }
            Err(error) => self.refused("key and UserSig", error),
        }
    }

    /// A step that a call of the probe has shown to be in the way.
    fn refused(&mut self, otherwise: &'static str, error: ProbeError) -> Result<(), InTheWay> {
        let (name, told, advice, call) = match error {
            ProbeError::Credentials { code, info, call } => {
                let (name, advice) = blamed(code);
                (name, format!("refused: {code} {info}"), advice, Some(call))
            }
            ProbeError::NoPlan { info, call } => {
                ("plan", format!("refused: {} {info}", code::NO_PLAN), blamed(code::NO_PLAN).1, Some(call))
            }
            ProbeError::NoApi { told, call, advice } => {
                ("TLS and HTTP", format!("what answers is not this API: {told}"), advice, Some(call))
            }
            ProbeError::Unreachable { loss, call } => (otherwise, loss.to_string(), "is it still there?", Some(call)),
            ProbeError::NoMessages { why, call } => (otherwise, why, super::probe::NO_SENDMSG, Some(call)),
            ProbeError::NoMessage(why) => (otherwise, why, "see `messages` of the target file", None),
        };
        self.steps.retain(|step| step.name != name);
        self.blocked(name, told, advice, call.as_deref())
    }

    // ------------------------------------------------------------------------------------------------------ messages

    async fn message(&mut self) -> Result<Message, InTheWay> {
        let mut line = Line::open(&self.session, "probe");
        let made = message(&mut line).await;
        let asked = (!line.exchanges.is_empty()).then(|| called(&self.session, SEND_PATH));
        match made {
            Ok(message) => {
                let how =
                    if asked.is_some() { "makes messages" } else { "not needed: the target file says where messages are from" };
                self.step("openim/sendmsg", (StepState::Works, how, ""), asked.as_deref());
                Ok(message)
            }
            Err(error) => Err(self.refused("openim/sendmsg", error).err().unwrap_or(InTheWay)),
        }
    }

    async fn extension(&mut self, message: &Message) -> Result<Option<WrittenPair>, InTheWay> {
        let asked = called(&self.session, call::PATH);
        match admin_may_call(&self.session, message).await {
            Ok((Some(written), _)) => {
                self.step("extension support", (StepState::Works, "a pair is set on a message", ""), Some(&asked));
                Ok(Some(written))
            }
            Ok((None, Some(code::UNSUPPORTED))) => {
                const ADVICE: &str = "send it with SupportMessageExtension 1, and turn message extensions on in the console";
                let told = "the message does not support extensions (23002)";
                Err(self.blocked("extension support", told, ADVICE, Some(&asked)).err().unwrap_or(InTheWay))
            }
            Ok((None, answer)) => {
                let told = answer.map_or("the reply cannot be read".to_owned(), |code| {
                    format!("the admin's set of a pair was answered {code}")
                });
                self.step("extension support", (StepState::Broken, told, "a run says which clauses that breaks"), Some(&asked));
                Err(InTheWay)
            }
            Err(error) => Err(self.refused("extension support", error).err().unwrap_or(InTheWay)),
        }
    }

    async fn members(&mut self, message: &Message) -> Result<(), InTheWay> {
        let asked = called(&self.session, call::PATH);
        let found = match self.session.target.member_calls {
            Some(calls) => Ok((calls, true)),
            None => find_member_calls(&mut self.session, message).await,
        };
        match found {
            Ok((calls, is_known)) => {
                self.session.member_calls = calls;
                let found = if is_known {
                    members(calls)
                } else {
                    (StepState::NotTested, "the reply to a member's set cannot be read".to_owned(), "")
                };
                self.step("member calls", found, Some(&asked));
                Ok(())
            }
            Err(error) => self.refused("member calls", error),
        }
    }

    // ------------------------------------------------------------------------------------------------- reading back

    async fn read_back(&mut self, message: &Message, written: Option<&WrittenPair>) {
        const SKIPPED: &str = "set `read-back` in the target file, if it has another way";
        let (get_call, set_call) = (called(&self.session, GET_PATH), called(&self.session, call::PATH));
        let get = by_get(&self.session, message, written).await;
        let found = match &get {
            ReadTrial::True | ReadTrial::Untrue(_) => (StepState::Works, "it is answered".to_owned(), ""),
            ReadTrial::Refused(why) => {
                (StepState::Absent, why.clone(), "messages are read back by a member's refused set, where members can call")
            }
            ReadTrial::Unknown(why) => (StepState::NotTested, why.clone(), ""),
        };
        self.step("get_key_values", found, Some(&get_call));
        self.step("read back by get_key_values", truth(&get), Some(&get_call));
        if self.session.member_calls == MemberCalls::Nobody {
            self.step("read back by a refusal", (StepState::Absent, "no member can call", SKIPPED), None);
            return;
        }
        let refusal = by_refusal(&self.session, message, written).await;
        self.step("read back by a refusal", truth(&refusal), Some(&set_call));
    }

    // -------------------------------------------------------------------------------------------------- side by side

    async fn at_once(&mut self) -> Result<(), InTheWay> {
        const ALONE: &str = "a run sends it one call at a time, each over a connection of its own; load wants --connections 1";
        const NEVER: &str = "what needs calls at the same time cannot be tested here, and is skipped";
        let asked = called(&self.session, GET_PATH);
        let found = match at_once::find(&self.session, self.session.clock.now()).await {
            Ok(CallsAtOnce::Unknown | CallsAtOnce::Several) => (StepState::Works, "several are answered".to_owned(), ""),
            Ok(CallsAtOnce::OneConnection) => {
                (StepState::Absent, "one connection is served until it is closed, and others wait".to_owned(), ALONE)
            }
            Ok(CallsAtOnce::One) => (StepState::Absent, "one call is answered, and those beside it are not".to_owned(), NEVER),
            Err(error) => (StepState::NotTested, error.to_string(), ""),
        };
        self.step("calls at once", found, Some(&asked));
        Ok(())
    }
}

/// Whether a way to read tells what was set.
fn truth(trial: &ReadTrial) -> (StepState, String, &'static str) {
    match trial {
        ReadTrial::True => (StepState::Works, "what was set is what is read".to_owned(), ""),
        ReadTrial::Untrue(told) => (StepState::Broken, told.clone(), "it has to tell the stored value and Seq"),
        ReadTrial::Refused(why) => (StepState::Absent, why.clone(), ""),
        ReadTrial::Unknown(why) => (StepState::NotTested, why.clone(), ""),
    }
}
