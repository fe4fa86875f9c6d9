//! What is checked before a body is read: path, method, query string, signature.

use std::borrow::Cow;
use std::time::Duration;

use super::rules::{Gate, Rules};
use super::verified::Verified;
use super::{Request, ServedApp, Setup};
use crate::api::MemberCalls;
use crate::api::usersig::SigRefusal;
use crate::api::{Reply, call, message};

/// One refusal: its code and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: i64,
    pub info: String,
}

impl Refusal {
    pub fn new(code: i64, info: impl Into<String>) -> Refusal {
        Refusal { code, info: info.into() }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reply::refusal(refusal.code, refusal.info)
    }
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestCommand {
    SetKeyValues,
    GetKeyValues,
    SendMessage,
}

/// A caller whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub command: RestCommand,
    pub sdkappid: u64,
    pub identifier: String,
    pub is_admin: bool,
    pub has_plan: bool,
}

/// Lets a request in, or says why not. What it says depends on no earlier request.
pub fn admit(setup: &Setup, verified: &Verified, request: Request<'_>, now: Duration) -> Result<Admitted, Refusal> {
    let Request { method, path, query, .. } = request;
    let (rules, codes) = (&setup.rules, &setup.rules.codes);
    let command = match path {
        call::PATH => RestCommand::SetKeyValues,
        message::GET_PATH => RestCommand::GetKeyValues,
        message::SEND_PATH => RestCommand::SendMessage,
        _ => return Err(Refusal::new(codes.path, format!("no such resource: {path}"))),
    };
    if rules.gate.post_only && method != "POST" {
        return Err(Refusal::new(codes.method, format!("{method} is not allowed: POST only")));
    }
    let query = Query::parse(query);
    let sdkappid = query.get("sdkappid").filter(|text| !text.is_empty());
    let sdkappid = sdkappid.ok_or_else(|| Refusal::new(codes.no_sdkappid, "sdkappid is missing"))?;
    let app = setup.apps.iter().find(|app| app.sdkappid.to_string() == sdkappid);
    let app = match app {
        Some(app) => app,
        None if rules.gate.checks_app => return Err(Refusal::new(codes.unknown_app, format!("no app {sdkappid} here"))),
        None => &setup.apps[0],
    };
    check_form(rules, &query)?;
    let identifier = query.get("identifier").filter(|text| !text.is_empty());
    let identifier = identifier.ok_or_else(|| Refusal::new(codes.bad_query, "identifier is missing"))?;
    check_signature(rules, &query, verified, app, identifier, now)?;
    let is_admin = app.admins.iter().any(|admin| admin == identifier) || rules.access.every_identifier_is_admin;
    if !is_admin && (rules.access.members != MemberCalls::Identifier || command == RestCommand::SendMessage) {
        return Err(Refusal::new(codes.not_admin, format!("{identifier} is not an App admin")));
    }
    Ok(Admitted { command, sdkappid: app.sdkappid, identifier: identifier.to_owned(), is_admin, has_plan: app.has_plan })
}

/// The query string's pairs, decoded.
struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    fn parse(query: &'a str) -> Query<'a> {
        Query(form_urlencoded::parse(query.as_bytes()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}

fn check_form(rules: &Rules, query: &Query<'_>) -> Result<(), Refusal> {
    let Gate { checks_content_type, random, .. } = &rules.gate;
    let bad = |info: String| Err(Refusal::new(rules.codes.bad_query, info));
    if *checks_content_type && query.get("contenttype") != Some("json") {
        return bad("contenttype has to be json".to_owned());
    }
    if let Some((lowest, highest)) = random {
        let sent = query.get("random").unwrap_or("");
        // Digits only: Rust's own parser would let "+1" through.
        let number = sent.bytes().all(|byte| byte.is_ascii_digit()).then(|| sent.parse::<u64>().ok()).flatten();
        if !number.is_some_and(|number| (*lowest..=*highest).contains(&number)) {
            return bad(format!("random has to be a 32-bit unsigned integer, not {sent:?}"));
        }
    }
    Ok(())
}

fn check_signature(
    rules: &Rules,
    query: &Query<'_>,
    verified: &Verified,
    app: &ServedApp,
    identifier: &str,
    now: Duration,
) -> Result<(), Refusal> {
    let (gate, codes) = (&rules.gate, &rules.codes);
    let usersig = query.get("usersig").unwrap_or("");
    if usersig.is_empty() {
        return if gate.takes_empty_sig { Ok(()) } else { Err(Refusal::new(codes.sig_damaged, "usersig is empty")) };
    }
    let Err(refusal) = verified.verify(&app.secret_key, usersig, app.sdkappid, identifier, now.as_secs()) else { return Ok(()) };
    let (refused, code, info) = match refusal {
        SigRefusal::Damaged => (!gate.takes_damaged_sig, codes.sig_damaged, "the UserSig is damaged"),
        SigRefusal::OtherApp => (gate.checks_sig_app, codes.sig_app, "the UserSig is another app's"),
        SigRefusal::OtherIdentifier => (gate.checks_sig_identifier, codes.sig_identifier, "the UserSig is another identifier's"),
        SigRefusal::Expired => (gate.checks_sig_expiry, codes.sig_expired, "the UserSig has expired"),
        SigRefusal::Forged => (gate.checks_sig_hmac, codes.sig_forged, "the UserSig was made with another key"),
    };
    if refused { Err(Refusal::new(code, info)) } else { Ok(()) }
}
