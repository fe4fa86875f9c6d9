//! Who is tested, and with which credentials and accounts.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::route::Way;
use crate::api::MemberCalls;
use crate::api::usersig::{self, Claims};
use crate::clock::VirtualClock;
use crate::scenario::{Caller, EmbeddedSetup};

/// How long a signature that a run makes is good for.
const SIGNATURE_LIFE_S: u64 = 86_400;
/// For so long it is used again: to sign every call would keep calls waiting. What is left of its life is longer than any plan
/// of `load`, which signs once for all of its calls.
const SIGNATURE_USE_S: u64 = 600;

/// An app's credentials. The key shows up nowhere: not in `Debug`, not in an error.
#[derive(Clone, Debug)]
pub struct App {
    pub sdkappid: u64,
    pub admin: String,
    pub secret_key: SecretString,
    /// What was signed for it.
    pub signatures: Signatures,
}

/// Every signature that was made, so that none is shown, whoever repeats it. Copies share what they keep.
#[derive(Clone, Default)]
pub struct Signatures(Arc<Mutex<KeptSignatures>>);

#[derive(Default)]
struct KeptSignatures {
    all: BTreeSet<String>,
    /// By app and account, the one in use and when it was made, in seconds since 1970.
    in_use: BTreeMap<(u64, String), (u64, String)>,
}

impl Signatures {
    pub fn all(&self) -> Vec<String> {
        self.kept().all.iter().cloned().collect()
    }

    /// As secret as a valid one is what has much of it.
    pub fn keep(&self, signature: &str) {
        let mut kept = self.kept();
        if !kept.all.contains(signature) {
            kept.all.insert(signature.to_owned());
        }
    }

    /// What is signed from now on is signed anew.
    pub fn renew(&self) {
        self.kept().in_use.clear();
    }

    fn in_use(&self, account: &(u64, String), now_s: u64) -> Option<String> {
        let kept = self.kept();
        let (made_s, signature) = kept.in_use.get(account)?;
        (*made_s..made_s + SIGNATURE_USE_S).contains(&now_s).then(|| signature.clone())
    }

    fn kept(&self) -> MutexGuard<'_, KeptSignatures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// They are as secret as the key.
impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").finish_non_exhaustive()
    }
}

impl App {
    /// A valid `UserSig` for one of the app's accounts at `now_s` (seconds since 1970), with most of its life ahead.
    pub fn usersig(&self, identifier: &str, now_s: u64) -> String {
        let account = (self.sdkappid, identifier.to_owned());
        if let Some(signature) = self.signatures.in_use(&account, now_s) {
            return signature;
        }
        let signature = self.sign(&Claims {
            identifier: identifier.to_owned(),
            sdkappid: self.sdkappid,
            issued_s: now_s,
            expire_s: SIGNATURE_LIFE_S,
        });
        self.signatures.kept().in_use.insert(account, (now_s, signature.clone()));
        signature
    }

    pub fn sign(&self, claims: &Claims) -> String {
        let signature = usersig::sign(self.secret_key.expose_secret(), claims);
        self.signatures.keep(&signature);
        signature
    }
}

/// The accounts that scenarios call as; a real service has to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    pub sender: String,
    pub recipient: String,
    pub stranger: String,
}

impl Default for Accounts {
    fn default() -> Accounts {
        Accounts { sender: "msgext_sender".into(), recipient: "msgext_recipient".into(), stranger: "msgext_stranger".into() }
    }
}

impl Accounts {
    /// The account of a caller that is no admin.
    pub fn of(&self, caller: Caller) -> Option<&str> {
        match caller {
            Caller::Admin => None,
            Caller::Sender => Some(&self.sender),
            Caller::Recipient => Some(&self.recipient),
            Caller::Stranger => Some(&self.stranger),
        }
    }
}

/// How a message is read back without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// `get_key_values`.
    Get,
    /// A member's set with a Seq that cannot match: the refusal carries the pair.
    Member,
    /// Not at all.
    Impossible,
    /// What a refusal carries is not what was set, so that nothing can be read by it.
    Untrue,
}

impl ReadBack {
    pub fn is_possible(self) -> bool {
        matches!(self, ReadBack::Get | ReadBack::Member)
    }

    pub fn word(self) -> &'static str {
        match self {
            ReadBack::Get => "get_key_values",
            ReadBack::Member => "conflicting set",
            ReadBack::Impossible => "none",
            ReadBack::Untrue => "none that tells the truth",
        }
    }
}

/// How many calls a target takes at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallsAtOnce {
    /// It was not asked: none were to be sent at once.
    #[default]
    Unknown,
    Several,
    /// One connection: others wait until it is closed.
    OneConnection,
    /// One: of calls at the same time most are not answered, whether their connections are closed or not.
    One,
}

impl CallsAtOnce {
    pub fn is_one(self) -> bool {
        matches!(self, CallsAtOnce::OneConnection | CallsAtOnce::One)
    }

    pub fn word(self) -> &'static str {
        match self {
            CallsAtOnce::Unknown => "unknown",
            CallsAtOnce::Several => "several",
            CallsAtOnce::OneConnection => "one connection",
            CallsAtOnce::One => "one",
        }
    }
}

/// Where messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSource {
    /// `openim/sendmsg`, as the admin.
    SendMsg,
    /// These, one after another, each used once.
    Listed(Vec<ListedMessage>),
    /// A shell command that prints one `MsgKey`.
    Command(MessageCommand),
}

/// A shell command for one message; it gets `MSGEXT_FROM`, `MSGEXT_TO` and `MSGEXT_SUPPORT` in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageCommand {
    pub line: String,
    /// Variables of our environment that hold keys, and that it does not get.
    pub withheld: Vec<String>,
}

/// A message that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMessage {
    pub msg_key: String,
    /// Whether it was sent with extension support.
    pub supports_extension: bool,
}

/// Everything that a run has to know of its target, but for where it is.
#[derive(Clone)]
pub struct Target {
    pub app: App,
    pub accounts: Accounts,
    pub messages: MessageSource,
    /// An app of the same endpoint that lacks the plan.
    pub without_plan: Option<App>,
    /// `None` finds out.
    pub member_calls: Option<MemberCalls>,
    /// `None` finds out.
    pub read_back: Option<ReadBack>,
    pub timeout: Duration,
}

/// Where the calls go.
#[derive(Clone)]
pub enum TargetPlace {
    Remote(Way),
    /// A fresh endpoint, with a clock of its own, for every scenario.
    Embedded(Launch),
}

impl TargetPlace {
    pub fn way(&self) -> Option<&Way> {
        match self {
            TargetPlace::Remote(way) => Some(way),
            TargetPlace::Embedded(_) => None,
        }
    }
}

/// Starts an embedded endpoint.
pub type Launch = Arc<dyn Fn(EmbeddedSetup) -> Pin<Box<dyn Future<Output = Launched> + Send>> + Send + Sync>;

/// A running embedded endpoint.
pub struct Launched {
    pub url: Url,
    pub clock: VirtualClock,
    /// Whatever has to live as long as the endpoint.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// The time that a scenario lives in.
#[derive(Clone, Debug)]
pub enum Clock {
    /// With the run's start.
    Real(Instant),
    Virtual(VirtualClock),
}

impl Clock {
    /// Time on this clock; only differences mean something.
    pub fn now(&self) -> Duration {
        match self {
            Clock::Real(start) => start.elapsed(),
            Clock::Virtual(clock) => clock.now(),
        }
    }

    /// Jumps, or really waits.
    pub async fn wait(&self, time: Duration) {
        match self {
            Clock::Real(_) => tokio::time::sleep(time).await,
            Clock::Virtual(clock) => clock.advance(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_used_again_for_a_while_and_renewed_long_before_it_runs_out() {
        let app = App { sdkappid: 7, admin: "a".into(), secret_key: "key".into(), signatures: Signatures::default() };
        let first = app.usersig("a", 1000);
        assert_eq!(app.usersig("a", 1000 + SIGNATURE_USE_S - 1), first);
        for (identifier, now_s) in [("a", 1000 + SIGNATURE_USE_S), ("b", 1000), ("a", 999)] {
            let other = app.usersig(identifier, now_s);
            assert_ne!(other, first, "{identifier} {now_s}");
            assert_eq!(usersig::verify("key", &other, 7, identifier, now_s + SIGNATURE_LIFE_S - SIGNATURE_USE_S), Ok(()));
        }
        assert_eq!(app.signatures.all().len(), 4);
        let last = app.usersig("b", 1001);
        app.signatures.renew();
        assert_ne!(app.usersig("b", 1001), last);
    }
}
