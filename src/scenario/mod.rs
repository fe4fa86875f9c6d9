//! What authors write in YAML: scenarios, load plans, target files.
//!
//! Pure: text in, values and located problems out. Never a request: see [`crate::drive`].

pub(crate) mod check;
pub mod conform;
pub(crate) mod extent;
pub mod fuzz;
mod kind;
pub mod load;
pub mod race;
mod schema;
pub(crate) mod target;
pub mod writer;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reply is waited for no longer, so that what is sent after several time-outs still has a valid signature.
pub const LONGEST_TIMEOUT: Duration = Duration::from_mins(20);

/// Who makes a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// An App administrator.
    #[default]
    Admin,
    /// The member who sent the message.
    Sender,
    /// The member who received it.
    Recipient,
    /// An account outside the conversation.
    Stranger,
}

impl Caller {
    pub fn is_member(self) -> bool {
        matches!(self, Caller::Sender | Caller::Recipient)
    }
}

/// How a message comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// Sent by the sender to the recipient, with extension support.
    #[default]
    Sent,
    /// Sent by the admin (no `From_Account`) to the recipient, with extension support.
    FromAdmin,
    /// Sent without extension support.
    Unsupported,
    /// Never sent: a well-formed `MsgKey` that names nothing.
    Missing,
}

impl MessageKind {
    /// Whether any call can leave a pair on it.
    pub fn takes_pairs(self) -> bool {
        matches!(self, MessageKind::Sent | MessageKind::FromAdmin)
    }
}

/// Settings of the embedded endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EmbeddedSetup {
    /// Answers 10002, without doing anything, to every n-th call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_error_every: Option<u32>,
    /// Has no limit for the app, so that calls at one instant can reach a message's limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_app_limit: bool,
}
