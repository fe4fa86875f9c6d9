//! Requests in bytes: what never changes is rendered once, a call fills in the rest.

use std::fmt::Write as _;

use serde_json::Value;

use crate::api::{HttpRequest, Operation, call};
use crate::drive::compose::Composer;
use crate::drive::messages::Message;
use crate::drive::route::Way;
use crate::judge::load::ledger::{Ledger, Ticket};
use crate::random::Random;
use crate::scenario::Caller;

/// The unchanging parts of every request of a plan.
#[derive(Debug)]
pub(super) struct Templates {
    callers: Vec<CallerTemplate>,
    /// Of the plan's messages every so many-th is this shard's.
    every: u32,
}

/// Room for one request, used again and again.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    /// The length of the body has to be known before it.
    body: Vec<u8>,
}

#[derive(Debug)]
struct CallerTemplate {
    caller: Caller,
    /// As a report shows it; the body is filled in.
    request: HttpRequest,
    /// The request's head up to the digits of `random`, and from there to the digits of `Content-Length`.
    head: (Vec<u8>, Vec<u8>),
    /// For each of the shard's messages the fields besides the pairs, parted where the digit of `OperateType` stands.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

const HEAD_END: &[u8] = b"\r\n\r\n";

impl Templates {
    /// Of messages that are every so many-th of the plan's.
    pub(super) fn new(composer: &Composer<'_>, callers: &[Caller], messages: &[Message], every: u32, way: &Way) -> Templates {
        let template = |&caller: &Caller| {
            let mut request = composer.plain(call::PATH, caller, &Value::Null, &mut Random::seeded(1));
            request.body.clear();
            let fields = messages.iter().map(|message| fields(composer, caller, message)).collect();
            CallerTemplate { caller, head: head(&request, way), request, fields }
        };
        Templates { callers: callers.iter().map(template).collect(), every }
    }

    /// The place of a caller in [`Templates::render`].
    pub(super) fn position(&self, caller: Caller) -> u8 {
        let position = self.callers.iter().position(|template| template.caller == caller);
        u8::try_from(position.unwrap_or(0)).unwrap_or(0)
    }

    /// Puts a call into the buffer's `bytes`.
    pub(super) fn render(&self, buffer: &mut Buffer, caller: u8, random: u32, ticket: &Ticket, ledger: &Ledger) {
        let template = &self.callers[usize::from(caller)];
        let Buffer { bytes, body: content } = buffer;
        content.clear();
        self.body(content, template, ticket, ledger);
        bytes.clear();
        bytes.extend_from_slice(&template.head.0);
        number(bytes, u64::from(random));
        bytes.extend_from_slice(&template.head.1);
        number(bytes, content.len() as u64);
        bytes.extend_from_slice(HEAD_END);
        bytes.extend_from_slice(content);
    }

    /// A call as a report shows it.
    pub(super) fn request(&self, caller: u8, random: u32, ticket: &Ticket, ledger: &Ledger) -> HttpRequest {
        let template = &self.callers[usize::from(caller)];
        let mut request = template.request.clone();
        for (name, value) in &mut request.query {
            if name == "random" {
                *value = random.to_string();
            }
        }
        self.body(&mut request.body, template, ticket, ledger);
        request
    }

    fn body(&self, out: &mut Vec<u8>, template: &CallerTemplate, ticket: &Ticket, ledger: &Ledger) {
        let (before, after) = &template.fields[(ticket.message / self.every) as usize];
        out.push(b'{');
        if ticket.operation != Operation::Clear {
            out.extend_from_slice(b"\"ExtensionList\":[");
            for (position, &key) in ticket.keys().iter().enumerate() {
                out.extend_from_slice(if position == 0 { b"{\"Key\":\"" } else { b",{\"Key\":\"" });
                out.extend_from_slice(ledger.name(key).as_bytes());
                out.extend_from_slice(b"\",\"Seq\":");
                number(out, ledger.seq(ticket.message, key).unsigned_abs());
                out.extend_from_slice(b",\"Value\":\"");
                if ticket.operation == Operation::Set {
                    ledger.write(ticket, position).put(out);
                }
                out.extend_from_slice(b"\"}");
            }
            out.extend_from_slice(b"],");
        }
        out.extend_from_slice(before);
        out.push(b'0' + ticket.operation as u8);
        out.extend_from_slice(after);
    }
}

/// `"From_Account":…,"MsgKey":…,"OperateType":` and `,"To_Account":…}`.
fn fields(composer: &Composer<'_>, caller: Caller, message: &Message) -> (Vec<u8>, Vec<u8>) {
    const OPERATION: &str = "\"OperateType\":1";
    let text = Value::Object(composer.body(Operation::Set, caller, message)).to_string();
    let fields = text.trim_start_matches('{');
    let at = fields.find(OPERATION).map_or(fields.len(), |at| at + OPERATION.len() - 1);
    (fields.as_bytes()[..at].to_vec(), fields.as_bytes()[(at + 1).min(fields.len())..].to_vec())
}

fn head(request: &HttpRequest, way: &Way) -> (Vec<u8>, Vec<u8>) {
    let (host, base) = (way.host_header(), way.base());
    let target = request.target();
    let random = "&random=";
    let at = target.find(random).map_or(target.len(), |at| at + random.len());
    let rest = target[at..].trim_start_matches(|letter: char| letter.is_ascii_digit());
    let mut after = format!("{rest} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in request.sent_headers(&way.route.sent_headers()) {
        let _ = write!(after, "{name}: {value}\r\n");
    }
    after.push_str("Content-Length: ");
    (format!("{} {base}{}", request.method, &target[..at]).into_bytes(), after.into_bytes())
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
