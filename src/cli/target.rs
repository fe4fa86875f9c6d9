//! The target as the user names it: flags, a file, or a region.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::exit::Failure;
use super::number::whole;
use super::route::{SetWay, secret_of, set_way};
use super::{embedded, files};
use crate::api::MemberCalls;
use crate::drive::route::Way;
use crate::drive::target::{
    Accounts, App, ListedMessage, MessageCommand, MessageSource, ReadBack, Signatures, Target, TargetPlace,
};
use crate::model::Rules;
use crate::report::secrets::MASK;
use crate::report::snippet;
use crate::scenario::LONGEST_TIMEOUT;
use crate::scenario::target::{
    self, MemberCallsWord, MessagesFile, REGIONS, ReadBackWord, SecretKeyFile, TargetFile, WithoutPlanFile,
};
use crate::spec::{self, Profile};
use crate::yaml::span::{EXAMPLES, Span};

/// The environment variable that holds the app's secret key.
pub const KEY_VARIABLE: &str = "MSGEXT_SECRET_KEY";

/// How long one exchange may take, where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Where the calls go: http://HOST:PORT, a target file, or a region of the service (china, singapore, korea, japan,
    /// germany, india, usa, indonesia). The embedded endpoint if left out
    #[arg(long, value_name = "URL|FILE|REGION")]
    target: Option<String>,
    /// The app's SDKAppID
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX))]
    sdkappid: Option<u64>,
    /// An App administrator's identifier
    #[arg(long, value_name = "ID")]
    admin: Option<String>,
    /// A file that holds the app's secret key, and nothing else; otherwise MSGEXT_SECRET_KEY holds it
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// How members call; none leaves their scenarios out, auto finds out
    #[arg(long, value_name = "HOW")]
    member_calls: Option<MemberCallsWord>,
    /// Requires this answer to an open question, e.g. deleted-key=tombstone; may be repeated
    #[arg(long, value_name = "QUESTION=ANSWER")]
    pin: Vec<String>,
    /// How long one exchange may take (the service's own limit is 3 s) [default: 10s, or what a load plan says]
    #[arg(long, value_name = "SPAN", value_parser = span_to(LONGEST_TIMEOUT))]
    timeout: Option<Duration>,
}

/// A target with everything else that naming it settled.
pub struct Named {
    pub target: Target,
    pub place: TargetPlace,
    /// As reports name it.
    pub name: String,
    pub pinned: Profile,
    /// What settles how it is reached, beside its URL; no secret is shown.
    pub settings: Vec<(String, String)>,
    /// The keys of its apps, and what else of its file is secret.
    keys: Vec<String>,
}

impl Named {
    /// The embedded endpoint, as the documentation has it.
    pub fn embedded() -> Named {
        Named {
            target: embedded::target(),
            place: embedded::place(Rules::default()),
            name: "embedded".to_owned(),
            pinned: Profile::new(),
            settings: Vec::new(),
            keys: vec![embedded::DEVELOPMENT_KEY.to_owned()],
        }
    }

    /// What no output may hold: the keys, and every signature that was made with them until now.
    pub fn secrets(&self) -> Vec<String> {
        let apps = std::iter::once(&self.target.app).chain(&self.target.without_plan);
        self.keys.iter().cloned().chain(apps.flat_map(|app| app.signatures.all())).collect()
    }

    /// Whether it is the vendor's own service, whose limits others feel.
    pub fn is_vendors(&self) -> bool {
        matches!(&self.place, TargetPlace::Remote(way) if target::is_vendors(&way.url))
    }
}

impl TargetArgs {
    pub fn is_embedded(&self) -> bool {
        self.target.is_none()
    }

    /// The same for another target.
    pub fn at(&self, target: &str) -> TargetArgs {
        TargetArgs { target: Some(target.to_owned()), ..self.clone() }
    }

    /// Answers that the target has to give, where flags ask for any.
    pub fn has_pins(&self) -> bool {
        !self.pin.is_empty()
    }

    /// Where it is given.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The target that the arguments mean.
    pub fn resolve(&self) -> Result<Named, Failure> {
        let mut pinned = Profile::new();
        let Some(named) = &self.target else {
            if self.sdkappid.is_some() || self.admin.is_some() || self.secret_key_file.is_some() {
                return Err(Failure::usage("--sdkappid, --admin and --secret-key-file need a --target"));
            }
            self.pin_into(&mut pinned)?;
            let mut named = Named { pinned, ..Named::embedded() };
            named.target.member_calls = member_calls(self.member_calls.unwrap_or_default());
            named.target.timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
            return Ok(named);
        };
        let (file, folder) = TargetArgs::file(named)?;
        let url = target::address(&file.url).map_err(Failure::usage)?;
        let SetWay { route, mut settings, secrets, variables } = set_way(&file, &url, &folder)?;
        let sdkappid = self.sdkappid.or(file.sdkappid).ok_or_else(|| Failure::usage("a target needs --sdkappid N"))?;
        let admin = self.admin.clone().or(file.admin).ok_or_else(|| Failure::usage("a target needs --admin ID"))?;
        let (secret_key, whence) = self.secret_key(file.secret_key.as_ref(), &folder)?;
        settings.push(whence);
        pinned.extend(file.readings);
        self.pin_into(&mut pinned)?;
        let mut keys = vec![secret_key.expose_secret().to_owned()];
        keys.extend(secrets);
        let mut withheld = vec![KEY_VARIABLE.to_owned()];
        withheld.extend(variables);
        withheld.extend(file.without_plan.iter().filter_map(|app| app.secret_key_variable.clone()));
        let without_plan = file.without_plan.map(|app| without_plan(app, &secret_key)).transpose()?;
        keys.extend(without_plan.iter().map(|app| app.secret_key.expose_secret().to_owned()));
        let target = Target {
            app: App { sdkappid, admin, secret_key, signatures: Signatures::default() },
            accounts: file.members.map_or_else(Accounts::default, |members| Accounts {
                sender: members.sender,
                recipient: members.recipient,
                stranger: members.stranger,
            }),
            messages: message_source(file.messages, withheld),
            without_plan,
            member_calls: member_calls(self.member_calls.unwrap_or(file.member_calls)),
            read_back: read_back(file.read_back),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
        };
        let (name, place) = (url.to_string(), TargetPlace::Remote(Way { url, route: route.into() }));
        Ok(Named { target, place, name, pinned, settings, keys })
    }

    /// What the target file says, and its folder; a URL or a region is a file that says nothing else.
    fn file(named: &str) -> Result<(TargetFile, PathBuf), Failure> {
        let is_name = named.contains("://") || REGIONS.iter().any(|(region, _)| *region == named);
        if is_name {
            return Ok((TargetFile { url: named.to_owned(), ..TargetFile::default() }, PathBuf::new()));
        }
        let path = Path::new(named);
        if !files::is_there(path) {
            let help = target::address_help(named);
            let named = target::without_credentials(named);
            return Err(Failure::usage(format!("--target {named}: no such file, URL or region: {help}")));
        }
        Ok((read_target_file(path)?, path.parent().unwrap_or(Path::new("")).to_owned()))
    }

    fn pin_into(&self, pinned: &mut Profile) -> Result<(), Failure> {
        for pin in &self.pin {
            let (question, answer) = question_and_answer(pin)?;
            pinned.insert(question, answer);
        }
        let known = pinned.iter().map(|(question, answer)| check_answer(question, answer));
        known.collect()
    }

    /// The key, and what a report says of where it is from.
    fn secret_key(&self, file: Option<&SecretKeyFile>, folder: &Path) -> Result<(SecretString, (String, String)), Failure> {
        let masked = |from: &str| (from.to_owned(), MASK.to_owned());
        let (key, whence) = match (&self.secret_key_file, file) {
            (Some(path), _) => (files::read(path)?.1, masked("--secret-key-file")),
            (None, Some(file)) => (secret_of(file, folder)?, masked("secret-key")),
            (None, None) => {
                let key = std::env::var(KEY_VARIABLE).map_err(|_| {
                    Failure::usage(format!(
                        "a target needs its secret key: set {KEY_VARIABLE}, or give --secret-key-file, or `secret-key` in a target file"
                    ))
                })?;
                (key, masked(KEY_VARIABLE))
            }
        };
        let key = key.trim();
        if key.is_empty() { Err(Failure::usage("the secret key is empty")) } else { Ok((key.into(), whence)) }
    }
}

/// Reads a target file; everything that is wrong with it is told at once.
fn read_target_file(path: &Path) -> Result<TargetFile, Failure> {
    let (name, text) = files::read(path)?;
    target::load(&name, &text, &spec::bundled()).map_err(|problems| {
        let texts = BTreeMap::from([(name.as_str(), text.as_str())]);
        let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
        Failure::usage(format!("{name} is no target file that can be used"))
    })
}

/// A question and its answer, both known to the spec: `deleted-key=reset`.
pub fn question_and_answer(text: &str) -> Result<(String, String), Failure> {
    let (question, answer) = text.split_once('=').ok_or_else(|| Failure::usage(format!("`{text}`: write QUESTION=ANSWER")))?;
    check_answer(question, answer)?;
    Ok((question.to_owned(), answer.to_owned()))
}

fn check_answer(question: &str, answer: &str) -> Result<(), Failure> {
    let spec = spec::bundled();
    let Some(clause) = spec.question(question) else {
        let known = spec.questions().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("there is no question `{question}`; there are {known}")));
    };
    if clause.readings.iter().any(|known| known.name == answer) {
        return Ok(());
    }
    let known = clause.readings.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Failure::usage(format!("`{answer}` is no answer to {question}; there are {known}")))
}

/// A span of time on the command line: `500ms`, `10s`, `2m`. None is without length: nothing happens in no time.
pub fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse().ok().map(|Span(span)| span).filter(|span| !span.is_zero());
    span.ok_or_else(|| format!("write {EXAMPLES}, and more than nothing"))
}

/// The same, and no longer than this.
pub fn span_to(most: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| match span(text)? {
        span if span <= most => Ok(span),
        _ => Err(format!("write a span of time of at most {}", Span(most))),
    }
}

/// `None` finds out.
pub fn member_calls(arg: MemberCallsWord) -> Option<MemberCalls> {
    match arg {
        MemberCallsWord::Identifier => Some(MemberCalls::Identifier),
        MemberCallsWord::FromAccount => Some(MemberCalls::FromAccount),
        MemberCallsWord::None => Some(MemberCalls::Nobody),
        MemberCallsWord::Auto => None,
    }
}

fn read_back(arg: ReadBackWord) -> Option<ReadBack> {
    match arg {
        ReadBackWord::Auto => None,
        ReadBackWord::Get => Some(ReadBack::Get),
        ReadBackWord::Member => Some(ReadBack::Member),
        ReadBackWord::None => Some(ReadBack::Impossible),
    }
}

fn message_source(file: MessagesFile, withheld: Vec<String>) -> MessageSource {
    match file {
        MessagesFile::Sendmsg => MessageSource::SendMsg,
        MessagesFile::Command(line) => MessageSource::Command(MessageCommand { line, withheld }),
        MessagesFile::List(list) => {
            let listed = |supports_extension| move |msg_key| ListedMessage { msg_key, supports_extension };
            let supported = list.supported.into_iter().map(listed(true));
            MessageSource::Listed(supported.chain(list.unsupported.into_iter().map(listed(false))).collect())
        }
    }
}

fn without_plan(file: WithoutPlanFile, own_key: &SecretString) -> Result<App, Failure> {
    let secret_key = match file.secret_key_variable {
        None => own_key.clone(),
        Some(variable) => match std::env::var(&variable) {
            Ok(key) if !key.trim().is_empty() => key.trim().into(),
            _ => return Err(Failure::usage(format!("without-plan: set {variable} to that app's secret key"))),
        },
    };
    Ok(App { sdkappid: file.sdkappid, admin: file.admin, secret_key, signatures: Signatures::default() })
}
