//! Messages and their pairs for a server that has to be fast: what an admin's well-formed calls get, and no more.
//!
//! It knows no limits, no signatures and no bounds, takes every `MsgKey` for a message, and checks no Seq, as an admin's is not.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use msgext::api::{call, message};
use serde::Deserialize;

/// Every message that was written to.
#[derive(Debug, Default)]
pub(crate) struct Store {
    messages: HashMap<String, HashMap<String, Entry>>,
    /// How many messages were asked for.
    made: u64,
    /// How many calls to set, delete or clear were answered.
    pub(crate) calls: u64,
}

/// A key that is set, or was and is a tombstone.
#[derive(Debug, Default)]
struct Entry {
    seq: i64,
    is_set: bool,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(rename = "MsgKey", borrow)]
    msg_key: Cow<'a, str>,
    #[serde(rename = "OperateType")]
    operation: u8,
    #[serde(rename = "ExtensionList", borrow, default)]
    pairs: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(rename = "Key", borrow)]
    key: Cow<'a, str>,
    #[serde(rename = "Value", borrow, default)]
    value: Cow<'a, str>,
}

impl Store {
    /// Writes the reply to one request.
    pub(crate) fn answer(&mut self, path: &str, body: &[u8], reply: &mut Vec<u8>) {
        match path {
            call::PATH => {
                self.calls += 1;
                match serde_json::from_slice(body) {
                    Ok(call) => self.write(&call, reply),
                    Err(_) => fail(60003, reply),
                }
            }
            message::SEND_PATH => {
                self.made += 1;
                put(
                    reply,
                    format_args!(
                        r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgTime":1,"MsgKey":"1_{}_3"}}"#,
                        self.made
                    ),
                );
            }
            // As a server answers that has no such command.
            _ => fail(60009, reply),
        }
    }

    fn write(&mut self, call: &Call<'_>, reply: &mut Vec<u8>) {
        const CLEAR: u8 = 3;
        const DELETE: u8 = 2;
        // A message that is known needs no key of its own.
        if !self.messages.contains_key(call.msg_key.as_ref()) {
            self.messages.insert(call.msg_key.clone().into_owned(), HashMap::new());
        }
        let Some(entries) = self.messages.get_mut(call.msg_key.as_ref()) else { return };
        if call.operation == CLEAR {
            entries.clear();
            return put(reply, format_args!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}}"#));
        }
        put(reply, format_args!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":["#));
        for (index, Pair { key, value }) in call.pairs.iter().enumerate() {
            let deletes = call.operation == DELETE;
            let seq = if deletes { delete(entries, key) } else { set(entries, key) };
            let value = if deletes { "" } else { value };
            let comma = if index == 0 { "" } else { "," };
            put(reply, format_args!(r#"{comma}{{"ErrorCode":0,"Extension":{{"Key":"#));
            put_string(reply, key);
            put(reply, format_args!(r#","Value":"#));
            put_string(reply, value);
            put(reply, format_args!(r#","Seq":{seq}}}}}"#));
        }
        put(reply, format_args!("]}}"));
    }
}

/// The key's new Seq.
fn set(entries: &mut HashMap<String, Entry>, key: &str) -> i64 {
    if !entries.contains_key(key) {
        entries.insert(key.to_owned(), Entry::default());
    }
    entries.get_mut(key).map_or(0, |entry| {
        entry.seq += 1;
        entry.is_set = true;
        entry.seq
    })
}

/// The key's Seq then: one more, where there was something to delete.
fn delete(entries: &mut HashMap<String, Entry>, key: &str) -> i64 {
    entries.get_mut(key).map_or(0, |entry| {
        entry.seq += i64::from(entry.is_set);
        entry.is_set = false;
        entry.seq
    })
}

fn fail(code: i32, reply: &mut Vec<u8>) {
    put(reply, format_args!(r#"{{"ActionStatus":"FAIL","ErrorInfo":"not here","ErrorCode":{code}}}"#));
}

fn put(reply: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    reply.write_fmt(text).expect("a Vec takes every byte");
}

fn put_string(reply: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(reply, text).expect("a Vec takes every byte");
}
