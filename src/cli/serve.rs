//! `msgext serve`: the reference endpoint on a port.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use strsim::sorensen_dice;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::embedded::{ADMIN, DEVELOPMENT_KEY, SDKAPPID, apps};
use super::exit::{Exit, Failure, say};
use super::files::{self, Output};
use super::number::whole;
use super::target::{KEY_VARIABLE, question_and_answer};
use crate::api::message::{SEND_PATH, Send};
use crate::api::usersig::{Claims, sign};
use crate::api::{HttpRequest, call, http};
use crate::drive::target::Accounts;
use crate::host::fault::Fault;
use crate::host::latency::AddedLatency;
use crate::host::race::{ParseRaceError, RaceFlaw};
use crate::host::record::Record;
use crate::host::server::{Behaviour, bind, serve};
use crate::judge::text::printable;
use crate::model::limiter::{Limit, Scope};
use crate::model::mutants::{MUTANTS, Mutant};
use crate::model::readings::reading;
use crate::model::{Model, Request, Rules, Setup};
use crate::report::curl::argument;

/// Serves the reference endpoint on a port
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The app's SDKAppID; the next one is an app without the plan
    #[arg(long, value_name = "N", default_value_t = SDKAPPID, value_parser = whole::<u64>(1, u64::MAX - 1))]
    sdkappid: u64,
    /// The app's administrator
    #[arg(long, value_name = "ID", default_value = ADMIN)]
    admin: String,
    /// A file that holds the secret key; otherwise MSGEXT_SECRET_KEY holds it, or it is the development key
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// Answers an open question of the documentation this way (msgext list --readings); may be repeated
    #[arg(long, value_name = "QUESTION=ANSWER")]
    reading: Vec<String>,
    // Written as help and not as documentation, to which brackets are links.
    #[arg(
        long,
        value_name = "LIMIT",
        help = "Limit of each message: KIND:LIMIT/WINDOW[,burst=N][,phase=SPAN][,unit=kv][,rejected][,scope=SCOPE], or none"
    )]
    message_limit: Option<String>,
    /// Limit of the app, in the same form
    #[arg(long, value_name = "LIMIT")]
    app_limit: Option<String>,
    /// What every answer takes at least, to some 100 µs: 2ms, or bimodal:FAST,SLOW,SHARE of the set calls
    #[arg(long, value_name = "LATENCY", default_value = "0ms")]
    latency: AddedLatency,
    /// Fault of the wire in one call of N: reset, close, truncate, slow-body, endless, huge, garbage, bad-gateway; may be repeated
    ///
    /// Calls that set, that read back and that make messages are counted each for itself; on=set,
    /// on=get or on=send spoils one of them only.
    #[arg(long, value_name = "KIND:N[,on=COMMAND]")]
    fault: Vec<Fault>,
    /// Loses atomicity on purpose: check-then-set, map-copy, stale-replica, late-apply, late-clear, duplicate-seq, each for so
    /// long, as in check-then-set:50us; or lost-ack:N, which acknowledges one set or delete of N without carrying it out
    #[arg(long, value_name = "KIND:SPAN|lost-ack:N", value_parser = flaw, conflicts_with = "lose_one_in")]
    race: Option<Flaw>,
    /// Answers 10002 to one set call of N, without having done anything
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, u32::MAX.into()))]
    internal_error: Option<u32>,
    /// Acknowledges one set or delete of N without carrying it out
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX))]
    lose_one_in: Option<u64>,
    /// Deviates from the documentation in this one way, by its name (msgext list --mutants)
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Writes the arrival (monotonic clock) and the service time of each set call there as CSV, at the end; 5 million at most
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Threads that answer; one for each core if left out
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1, 1024))]
    threads: Option<u16>,
}

/// What writes suffer.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Race(RaceFlaw),
    /// One acknowledged write of so many is lost.
    LostAck(u64),
}

fn flaw(text: &str) -> Result<Flaw, String> {
    match text.strip_prefix("lost-ack:") {
        Some(every) => whole::<u64>(1, u64::MAX)(every).map(Flaw::LostAck),
        None => text.parse().map(Flaw::Race).map_err(|error: ParseRaceError| format!("{error}, or lost-ack:N")),
    }
}

pub fn run(args: &ServeArgs) -> Result<Exit, Failure> {
    let (secret_key, key_source) = secret_key(args)?;
    let setup = Setup { rules: rules(args)?, apps: apps(args.sdkappid, &args.admin, &secret_key) };
    // It is there, and can be written, before anybody is served.
    let output = args.record.as_deref().map(Output::prepare).transpose()?;
    let record = output.as_ref().map(|_| Arc::new(Record::default()));
    let race = match args.race {
        Some(Flaw::Race(race)) => Some(race),
        _ => None,
    };
    let behaviour = Behaviour { latency: args.latency, faults: args.fault.clone(), race, record: record.clone() };
    let runtime =
        runtime(args.threads).map_err(|error| Failure::could_not_test(format!("no runtime can be started: {error}")))?;
    runtime.block_on(async {
        let bound = bind(args.listen).await;
        let (listener, address) =
            bound.map_err(|error| Failure::could_not_test(format!("cannot listen on {}: {error}", args.listen)))?;
        // Listened to before anybody is told that it runs.
        let stop = |kind| signal(kind).map_err(|error| Failure::could_not_test(format!("no signal can be listened to: {error}")));
        let (mut interrupt, mut terminate) = (stop(SignalKind::interrupt())?, stop(SignalKind::terminate())?);
        let mut model = Model::new();
        let welcome = Welcome::new(args, &setup, &mut model, address);
        welcome.tell(key_source)?;
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        serve(listener, setup, model, behaviour, stopped).await;
        if let (Some(output), Some(record)) = (output, &record) {
            if record.left_out() > 0 {
                say(format_args!("{} set calls found no room in the record", record.left_out()));
            }
            output.write(|out| record.write_csv(out))?;
        }
        say("stopped");
        Ok(Exit::Holds)
    })
}

/// One thread needs no scheduler beside it.
fn runtime(threads: Option<u16>) -> io::Result<Runtime> {
    let mut builder = if threads == Some(1) { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if let Some(threads) = threads {
        builder.worker_threads(threads.into());
    }
    builder.enable_all().build()
}

fn secret_key(args: &ServeArgs) -> Result<(String, &'static str), Failure> {
    let (key, source) = match (&args.secret_key_file, std::env::var(KEY_VARIABLE)) {
        (Some(path), _) => (files::read(path)?.1.trim().to_owned(), "from --secret-key-file"),
        (None, Ok(key)) => (key.trim().to_owned(), "from MSGEXT_SECRET_KEY"),
        (None, Err(_)) => (DEVELOPMENT_KEY.to_owned(), "the development key, MSGEXT_SECRET_KEY=msgext-development-key"),
    };
    if key.is_empty() { Err(Failure::usage("the secret key is empty")) } else { Ok((key, source)) }
}

fn rules(args: &ServeArgs) -> Result<Rules, Failure> {
    let mut rules = Rules::default();
    if let Some(limit) = &args.app_limit {
        rules.limits.app = parse_limit("--app-limit", limit, Scope::App)?;
    }
    if let Some(limit) = &args.message_limit {
        rules.limits.message = parse_limit("--message-limit", limit, Scope::Message)?;
    }
    rules.writes.internal_error_every = args.internal_error;
    rules.writes.loses_one_in = match args.race {
        Some(Flaw::LostAck(every)) => Some(every),
        _ => args.lose_one_in,
    };
    for text in &args.reading {
        let (question, answer) = question_and_answer(text)?;
        let reading = reading(&question, &answer);
        let reading =
            reading.ok_or_else(|| Failure::usage(format!("the reference endpoint cannot answer {question} with {answer}")))?;
        (reading.apply)(&mut rules);
    }
    // Last, so that nothing takes the deviation back.
    if let Some(name) = &args.mutant {
        (mutant(name)?.apply)(&mut rules);
    }
    Ok(rules)
}

fn mutant(name: &str) -> Result<&'static Mutant, Failure> {
    const SHOWN: usize = 3;
    MUTANTS.iter().find(|mutant| mutant.name == name).ok_or_else(|| {
        let mut names: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        names.sort_by(|one, other| sorensen_dice(other, name).total_cmp(&sorensen_dice(one, name)));
        Failure::usage(format!("there is no mutant `{name}`; near it are `{}`", names[..SHOWN].join("`, `")))
    })
}

fn parse_limit(flag: &str, text: &str, scope: Scope) -> Result<Option<Limit>, Failure> {
    if text == "none" {
        return Ok(None);
    }
    let limit: Limit = text.parse().map_err(|error| Failure::usage(format!("{flag} {text}: {error}")))?;
    let names_scope = text.split(',').any(|part| part.starts_with("scope="));
    Ok(Some(if names_scope { limit } else { Limit { scope, ..limit } }))
}

/// What a client needs to know.
struct Welcome<'a> {
    args: &'a ServeArgs,
    url: String,
    usersig: String,
    msg_key: String,
    accounts: Accounts,
}

impl<'a> Welcome<'a> {
    /// Makes a signature, and a message to try things on.
    fn new(args: &'a ServeArgs, setup: &Setup, model: &mut Model, address: SocketAddr) -> Welcome<'a> {
        const DAYS_180_S: u64 = 180 * 86_400;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let claims =
            Claims { identifier: args.admin.clone(), sdkappid: args.sdkappid, issued_s: now.as_secs(), expire_s: DAYS_180_S };
        let usersig = sign(&setup.apps[0].secret_key, &claims);
        let accounts = Accounts::default();
        let send =
            Send { from: Some(accounts.sender.clone()), to: accounts.recipient.clone(), random: 12, supports_extension: true };
        let envelope = HttpRequest {
            method: "POST".into(),
            path: SEND_PATH.into(),
            query: http::query(args.sdkappid, &args.admin, &usersig, 1),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let target = envelope.target();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let body = send.to_json().to_string();
        let request = Request { method: "POST", path, query, body: body.as_bytes(), connection: 0 };
        let reply: Value = serde_json::from_slice(&model.answer(setup, request, now).body).unwrap_or_default();
        let msg_key = reply["MsgKey"].as_str().unwrap_or_default().to_owned();
        Welcome { args, url: format!("http://{address}"), usersig, msg_key, accounts }
    }

    /// One line of JSON for programs on standard output, the rest for people on standard error.
    fn tell(&self, key_source: &str) -> Result<(), Failure> {
        let facts = json!({
            "url": self.url, "sdkappid": self.args.sdkappid, "admin": self.args.admin, "usersig": self.usersig,
            "sdkappid_without_plan": self.args.sdkappid + 1,
            "from_account": self.accounts.sender, "to_account": self.accounts.recipient, "msg_key": self.msg_key,
        });
        files::print(|out| writeln!(out, "{facts}"))?;
        say(format_args!("listening on  {}", self.url));
        say(format_args!("sdkappid      {} ({} lacks the plan)", self.args.sdkappid, self.args.sdkappid + 1));
        say(format_args!("admin         {}", printable(&self.args.admin)));
        say(format_args!("secret key    {key_source}"));
        say(format_args!("usersig       {}", self.usersig));
        say(format_args!("try it        {}", self.curl()));
        say("Ctrl-C stops it");
        Ok(())
    }

    fn curl(&self) -> String {
        let body = json!({
            "From_Account": self.accounts.sender, "To_Account": self.accounts.recipient, "MsgKey": self.msg_key,
            "OperateType": 1, "ExtensionList": [{"Key": "k1", "Value": "v1", "Seq": 0}],
        });
        let query = http::query(self.args.sdkappid, &self.args.admin, &self.usersig, 1);
        let request =
            HttpRequest { method: "POST".into(), path: call::PATH.into(), query, headers: Vec::new(), body: Vec::new() };
        let [url, body] = [format!("{}{}", self.url, request.target()), body.to_string()].map(|text| argument(&text));
        format!("curl -s {url} -d {body}")
    }
}
