//! Fresh messages for a scenario.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;

use super::target::{Accounts, ListedMessage, MessageCommand, MessageSource};
use crate::api::message::Send;
use crate::scenario::MessageKind;

/// A message that calls can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `None` for one that the admin sent.
    pub from: Option<String>,
    pub to: String,
    pub msg_key: String,
}

/// The messages that a target file lists, handed out one by one.
#[derive(Debug, Default)]
pub struct Pool(Mutex<VecDeque<ListedMessage>>);

impl Pool {
    pub fn new(source: &MessageSource) -> Pool {
        match source {
            MessageSource::Listed(listed) => Pool(Mutex::new(listed.iter().cloned().collect())),
            MessageSource::SendMsg | MessageSource::Command(_) => Pool::default(),
        }
    }

    /// The next one of that kind, or in words why there is none.
    pub fn take(&self, supports_extension: bool) -> Result<String, String> {
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = listed.iter().position(|message| message.supports_extension == supports_extension);
        let message = index.and_then(|index| listed.remove(index));
        message.map(|message| message.msg_key).ok_or_else(|| {
            let kind = if supports_extension { "with" } else { "without" };
            format!("the target's list has no unused message {kind} extension support left")
        })
    }
}

/// What has to be sent for a message of this kind; `None` for one that is never sent.
pub fn send_of(kind: MessageKind, accounts: &Accounts, random: u32) -> Option<Send> {
    let from = match kind {
        MessageKind::Sent | MessageKind::Unsupported => Some(accounts.sender.clone()),
        MessageKind::FromAdmin => None,
        MessageKind::Missing => return None,
    };
    Some(Send { from, to: accounts.recipient.clone(), random, supports_extension: kind != MessageKind::Unsupported })
}

/// A well-formed `MsgKey` that was never given out (`MessageKind::Missing`): no message is from the year 2001.
pub fn missing_key(random: u32) -> String {
    format!("{}_{random}_1000000000", random % 100_000)
}

/// Runs the target's command for one message.
pub async fn by_command(command: &MessageCommand, send: &Send, timeout: Duration) -> Result<String, String> {
    let mut child = Command::new("sh");
    child.arg("-c").arg(&command.line).kill_on_drop(true);
    child.env("MSGEXT_FROM", send.from.as_deref().unwrap_or("")).env("MSGEXT_TO", &send.to);
    child.env("MSGEXT_SUPPORT", if send.supports_extension { "1" } else { "0" });
    for variable in &command.withheld {
        child.env_remove(variable);
    }
    let output = tokio::time::timeout(timeout, child.output()).await;
    let output = output.map_err(|_| format!("the message command took longer than {timeout:?}"))?;
    let output = output.map_err(|error| format!("the message command cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the message command failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let one_word = !printed.is_empty() && !printed.contains(char::is_whitespace);
    if one_word { Ok(printed) } else { Err(format!("the message command has to print one MsgKey, and printed {printed:?}")) }
}
