//! Who is tested, and with which credentials and accounts.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::api::MemberCalls;
use crate::api::usersig::{self, Claims};
use crate::clock::VirtualClock;
use crate::scenario::{Caller, EmbeddedSetup};

/// How long a signature that a run makes is good for.
const SIGNATURE_LIFE_S: u64 = 86_400;

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
pub struct Signatures(Arc<Mutex<BTreeSet<String>>>);

impl Signatures {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// As secret as a valid one is what has much of it.
    pub fn keep(&self, signature: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains(signature) {
            kept.insert(signature.to_owned());
        }
    }
}

/// They are as secret as the key.
impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").finish_non_exhaustive()
    }
}

impl App {
    /// A valid `UserSig` for one of the app's accounts, made at `now_s` (seconds since 1970).
    pub fn usersig(&self, identifier: &str, now_s: u64) -> String {
        self.sign(&Claims {
            identifier: identifier.to_owned(),
            sdkappid: self.sdkappid,
            issued_s: now_s,
            expire_s: SIGNATURE_LIFE_S,
        })
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
}

impl ReadBack {
    pub fn word(self) -> &'static str {
        match self {
            ReadBack::Get => "get_key_values",
            ReadBack::Member => "conflicting set",
            ReadBack::Impossible => "none",
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
    Remote(Url),
    /// A fresh endpoint, with a clock of its own, for every scenario.
    Embedded(Launch),
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
