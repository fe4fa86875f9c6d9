//! A target file as its author writes it. Every problem is located, all of them are told at once.
//!
//! Never a key, nor a variable of the environment: those are no part of a file, and not looked at here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use clap::ValueEnum;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use url::Url;

use super::kind::{FileKind, misplaced};
use super::schema::{self, AnswerByQuestion, schemas};
use crate::spec::{Profile, Spec};
use crate::yaml::reader::{Read, read_file};
use crate::yaml::source::{Problem, SourceFile, child_path};
use crate::yaml::suggest;

/// The service's own domains, by region (section "request URL").
pub const REGIONS: &[(&str, &str)] = &[
    ("china", "https://console.tim.qq.com"),
    ("singapore", "https://adminapisgp.im.qcloud.com"),
    ("korea", "https://adminapikr.im.qcloud.com"),
    ("japan", "https://adminapijpn.im.qcloud.com"),
    ("germany", "https://adminapiger.im.qcloud.com"),
    ("india", "https://adminapiind.im.qcloud.com"),
    ("usa", "https://adminapiusa.im.qcloud.com"),
    ("indonesia", "https://adminapiidn.im.qcloud.com"),
];

/// The schema's word for what [`address`] takes.
struct AddressText;

impl JsonSchema for AddressText {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let regions: Vec<&str> = REGIONS.iter().map(|(region, _)| *region).collect();
        json_schema!({"type": "string", "anyOf": [{"enum": regions}, {"pattern": "^https?://[^/?#@]+(/[^?#]*)?$"}]})
    }
}

/// A target file. What it leaves out, a flag may say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TargetFile {
    /// A URL, or a region of the service.
    #[schemars(with = "AddressText")]
    pub url: String,
    /// A PEM file of authorities that are trusted beside the system's. Paths are relative to this file's folder.
    #[serde(default)]
    pub ca: Option<String>,
    /// Who we are in TLS.
    #[serde(default)]
    pub client_certificate: Option<ClientCertificateFile>,
    /// Sent with every request that has none of that name itself.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// The target's name in the Host header and in TLS, in place of the URL's.
    #[serde(default)]
    #[schemars(with = "Option<AuthorityText>")]
    pub host: Option<String>,
    /// Where to connect in place of the URL's host and port, which are then not looked up.
    #[serde(default)]
    #[schemars(with = "Option<HostPortText>")]
    pub connect_to: Option<String>,
    /// An HTTP proxy for every connection; none of the environment's is used.
    #[serde(default)]
    #[schemars(with = "Option<ProxyText>")]
    pub proxy: Option<String>,
    #[serde(default)]
    pub sdkappid: Option<u64>,
    #[serde(default)]
    pub admin: Option<String>,
    /// Where the app's secret key is, never the key itself; MSGEXT_SECRET_KEY if left out.
    #[serde(default)]
    pub secret_key: Option<SecretKeyFile>,
    #[serde(default)]
    pub members: Option<MembersFile>,
    #[serde(default)]
    pub member_calls: MemberCallsWord,
    #[serde(default)]
    pub read_back: ReadBackWord,
    #[serde(default)]
    pub messages: MessagesFile,
    #[serde(default)]
    pub without_plan: Option<WithoutPlanFile>,
    /// Answers that the target has to give.
    #[serde(default)]
    #[schemars(with = "AnswerByQuestion")]
    pub readings: Profile,
}

/// PEM files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientCertificateFile {
    /// The certificate, and those between it and its authority.
    pub certificate: String,
    /// Its key, which no passphrase protects.
    pub key: String,
}

/// Where a secret key is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKeyFile {
    /// A file that holds it, and nothing else.
    File(String),
    /// A shell command that prints it, run in this file's folder.
    Command(String),
    /// An environment variable.
    Variable(String),
}

/// A header's value, or the environment variable that holds it; such a one is shown nowhere.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderText {
    Text(String),
    Variable(String),
}

impl<'de> Deserialize<'de> for HeaderText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HeaderText, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct FromVariable {
            variable: String,
        }
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = HeaderText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text (quote a number), or { variable: NAME }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HeaderText, E> {
                Ok(HeaderText::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderText, A::Error> {
                let FromVariable { variable } = FromVariable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(HeaderText::Variable(variable))
            }
        }
        deserializer.deserialize_any(HeaderVisitor)
    }
}

/// The schema's words for what [`authority`], [`connect_to`] and [`proxy`] take.
struct AuthorityText;
struct HostPortText;
struct ProxyText;

schemas! {
    AuthorityText: {"type": "string", "pattern": "^[^/?#@\\s]+$"};
    HostPortText: {"type": "string", "pattern": "^[^/?#@\\s]+:[0-9]{1,5}$"};
    ProxyText: {"type": "string", "pattern": "^http://[^/?#@\\s]+/?$"};
    HeaderText: {
        "description": "A text, or the environment variable that holds it.",
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"variable": {"type": "string"}},
                "required": ["variable"],
                "additionalProperties": false,
            },
        ],
    };
}

/// How members call; a flag says it in the same words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MemberCallsWord {
    Identifier,
    FromAccount,
    None,
    #[default]
    Auto,
}

/// How a message is read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadBackWord {
    #[default]
    Auto,
    Get,
    Member,
    None,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MembersFile {
    pub sender: String,
    pub recipient: String,
    pub stranger: String,
}

/// Where messages come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessagesFile {
    #[default]
    Sendmsg,
    List(MessageListFile),
    /// A shell command that prints one `MsgKey`.
    Command(String),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MessageListFile {
    /// Sent with extension support, by `members.sender` to `members.recipient`.
    pub supported: Vec<String>,
    #[serde(default)]
    pub unsupported: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WithoutPlanFile {
    pub sdkappid: u64,
    pub admin: String,
    /// Name of the environment variable that holds that app's key; the target's own key if left out.
    #[serde(default)]
    pub secret_key_variable: Option<String>,
}

/// Reads a target file, or tells everything that is wrong with it.
pub fn load(path: &str, text: &str, spec: &Spec) -> Result<TargetFile, Vec<Problem>> {
    let (source, Read { value, mut problems, hidden }) = read_file::<TargetFile>(path, text);
    if let Some(problem) = misplaced(&source, FileKind::Target) {
        return Err(vec![problem]);
    }
    problems.iter_mut().filter(|problem| shows_key(&source, problem)).for_each(|problem| hide_key(&source, problem));
    if let Some(file) = &value {
        problems.extend(address_problem(file, &source, &hidden));
        problems.extend(way_problems(file, &source));
        problems.extend(reading_problems(file, &source, spec));
    }
    value.filter(|_| problems.is_empty()).ok_or(problems)
}

/// The schema of a target file.
pub fn schema() -> Json {
    schema::of::<TargetFile>().to_value()
}

/// The URL of a target that is named by one, or by a region; or why it is none, in a line that says what to write.
pub fn address(text: &str) -> Result<Url, String> {
    let text = REGIONS.iter().find(|(region, _)| *region == text).map_or(text, |(_, url)| url);
    let shown = without_credentials(text);
    let url: Url = text.parse().map_err(|_| format!("{shown} is no URL and no region"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{shown}: a target's URL has no user and no password: take out what stands before the @"));
    }
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    usable.then_some(url).ok_or_else(|| format!("{shown}: a target is http://HOST:PORT or https://HOST, and no more"))
}

/// What may be shown of a text that was to be a URL.
pub fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
            format!("{scheme}***@{after}")
        }
        None => text.to_owned(),
    }
}

/// Whether the lines that a problem shows may hold what somebody took for the place of a secret key.
fn shows_key(source: &SourceFile, problem: &Problem) -> bool {
    let line = |field: &str| source.key_place(&child_path("", field)).map(|place| place.line);
    let first = source.has("/secret-key").then(|| line("secret-key")).flatten();
    let Some((first, place)) = first.zip(problem.place.as_ref()) else { return false };
    let next = source.top().filter_map(line).filter(|line| *line > first).min().unwrap_or(usize::MAX);
    (first..next).contains(&place.line)
}

/// The problem without the line that it stands in, and without the value.
fn hide_key(source: &SourceFile, problem: &mut Problem) {
    if problem.place.as_ref() == source.place("/secret-key") {
        "secret-key says where the key is, and never is the key".clone_into(&mut problem.message);
        problem.help = Some("write {file: PATH}, {command: LINE} or {variable: NAME}".to_owned());
    }
    problem.place = None;
}

/// Names of headers that follow from the request, or from another field.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "expect"];

/// `HOST` or `HOST:PORT`, as a URL has it; in words what is wrong with it.
fn authority(text: &str) -> Result<Url, String> {
    let wrong = || format!("{} is no host", without_credentials(text));
    if text.contains(['/', '?', '#', '@', '\\']) || text.contains(char::is_whitespace) {
        return Err(wrong());
    }
    format!("https://{text}").parse::<Url>().ok().filter(Url::has_host).ok_or_else(wrong)
}

/// Host, as it stands in a URL, and port of `HOST:PORT`.
pub fn connect_to(text: &str) -> Result<(String, u16), String> {
    let url = authority(text)?;
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let host = url.host_str().unwrap_or_default().to_owned();
    port.map(|port| (host, port)).ok_or_else(|| format!("{text} names no port"))
}

/// The URL of a proxy.
pub fn proxy(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| url.scheme() == "http" && url.has_host() && !text.contains('@'));
    let url = url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
    url.ok_or_else(|| format!("{} is no proxy that can be used", without_credentials(text)))
}

/// Whether a text can stand in a header.
pub fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) && text.trim() == text
}

fn is_header_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// What is wrong with the way to the target.
fn way_problems(file: &TargetFile, source: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found =
        |place: &str, message: String, help: &str| problems.push(source.problem(place, message, Some(help.to_owned())));
    for (name, value) in &file.headers {
        let place = child_path("/headers", name);
        if !is_header_name(name) {
            found(&place, format!("`{name}` is no name of a header"), "write a name such as X-Tenant");
        } else if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            found(&place, format!("`{name}` is settled by the request"), "leave it out; the Host header is the field `host`");
        }
        if matches!(value, HeaderText::Text(text) if !is_header_value(text)) {
            found(&place, format!("the value of `{name}` cannot stand in a header"), "write letters of ASCII, on one line");
        }
    }
    if let Some(message) = file.host.as_deref().and_then(|host| authority(host).err()) {
        found("/host", message, "write the target's name, such as chat.example.org or chat.example.org:8443");
    }
    if let Some(message) = file.connect_to.as_deref().and_then(|end| connect_to(end).err()) {
        found("/connect-to", message, "write HOST:PORT, such as 127.0.0.1:8443");
    }
    if let Some(message) = file.proxy.as_deref().and_then(|url| proxy(url).err()) {
        found("/proxy", message, "write http://HOST:PORT, without a user: a proxy that wants one cannot be used");
    }
    let field = if file.connect_to.is_some() { "connect-to" } else { "host" };
    if file.proxy.is_some() && (file.connect_to.is_some() || file.host.is_some()) {
        found("/proxy", format!("`proxy` does not go with `{field}`"), "the proxy looks the URL's host up: put it into `url`");
    } else if let Some(name) = unnamed(file) {
        found(&format!("/{field}"), format!("TLS asks for a name, and {name} is an address"), "write the name as `host`");
    }
    let is_tls = address(&file.url).is_ok_and(|url| url.scheme() == "https");
    for (field, is_set) in [("ca", file.ca.is_some()), ("client-certificate", file.client_certificate.is_some())] {
        if is_set && !is_tls {
            found(
                &format!("/{field}"),
                format!("`{field}` has no effect without TLS"),
                "write https:// in `url`, or leave it out",
            );
        }
    }
    problems
}

/// The address that TLS would have to ask for by name, at a target that is connected to elsewhere.
fn unnamed(file: &TargetFile) -> Option<String> {
    let url = address(&file.url).ok().filter(|url| url.scheme() == "https")?;
    (file.connect_to.is_some() || file.host.is_some()).then_some(())?;
    let asked = file.host.as_deref().map_or(Some(url), |host| authority(host).ok())?;
    if asked.domain().is_some() { None } else { asked.host_str().map(str::to_owned) }
}

/// Whether this is the vendor's own service, by any of its names.
pub fn is_vendors(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_in = |zone: &str| host.strip_suffix(zone).is_some_and(|name| name.is_empty() || name.ends_with('.'));
    ["tim.qq.com", "im.qcloud.com", "my-imcloud.com"].into_iter().any(is_in)
}

fn address_problem(file: &TargetFile, source: &SourceFile, hidden: &HashSet<String>) -> Option<Problem> {
    const URL: &str = "/url";
    let message = address(&file.url).err().filter(|_| !hidden.contains(URL))?;
    if file.url.contains('@') {
        // The line would show the password.
        let help = "write http://HOST:PORT".to_owned();
        return Some(Problem { path: source.path.clone(), place: None, message: format!("url: {message}"), help: Some(help) });
    }
    Some(source.problem(URL, message, Some(address_help(&file.url))))
}

/// What to write in place of a text that is no address: a region that is near, the text with its scheme, or what there is.
pub fn address_help(text: &str) -> String {
    let regions = REGIONS.iter().map(|(region, _)| *region);
    if let Some(meant) = suggest::nearest(text, regions.clone()) {
        return format!("did you mean `{meant}`?");
    }
    let with_scheme = format!("http://{text}");
    if text.contains(['.', ':']) && !text.contains("://") && address(&with_scheme).is_ok() {
        return format!("did you mean `{with_scheme}`, or https?");
    }
    format!("write http://HOST:PORT, or one of {}", regions.collect::<Vec<_>>().join(", "))
}

fn reading_problems(file: &TargetFile, source: &SourceFile, spec: &Spec) -> Vec<Problem> {
    let problem = |(reading, answer): (&String, &String)| {
        let place = child_path("/readings", reading);
        let Some(question) = spec.question(reading) else {
            let help = suggest::help(reading, spec.questions().map(|(name, _)| name).collect::<Vec<_>>());
            return Some(source.key_problem(&place, format!("there is no reading `{reading}`"), help));
        };
        let known: Vec<&str> = question.readings.iter().map(|answer| answer.name.as_str()).collect();
        let help = suggest::help(answer, known.iter().copied());
        (!known.contains(&answer.as_str()))
            .then(|| source.problem(&place, format!("`{answer}` is no answer to `{reading}`"), help))
    };
    file.readings.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    /// Each problem as `line:column message`.
    fn told(text: &str) -> Vec<String> {
        let problems = load("t.yaml", text, &spec::bundled()).err().unwrap_or_default();
        let line = |problem: Problem| {
            assert!(problem.help.is_some() || problem.message.contains("expected"), "{problem:?}");
            // Only what may hold a key has none.
            let Some(place) = problem.place else { return problem.message };
            format!("{}:{} {}", place.line, place.column, problem.message)
        };
        problems.into_iter().map(line).collect()
    }

    #[test]
    fn every_bundled_target_is_read() {
        for text in [include_str!("../../scenarios/targets/local.yaml"), include_str!("../../scenarios/targets/singapore.yaml")] {
            assert_eq!(told(text), Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_takes_what_is_read_and_refuses_what_is_not() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let valid = |text: &str| validator.is_valid(&serde_yaml::from_str::<Json>(text).expect("YAML"));
        let good = [
            include_str!("../../scenarios/targets/local.yaml"),
            include_str!("../../scenarios/targets/singapore.yaml"),
            "{url: 'https://h', messages: {command: x}, member-calls: none, readings: {deleted-key: reset}}",
            "{url: usa, messages: {list: {supported: [a]}}, without-plan: {sdkappid: 1, admin: a}}",
            "{url: 'https://h/prefix', ca: ca.pem, client-certificate: {certificate: c.pem, key: k.pem}}",
            "{url: 'https://h', host: 'n:1', connect-to: '127.0.0.1:8443', headers: {X-A: b, X-C: {variable: D}}}",
            "{url: 'https://127.0.0.1', host: name, connect-to: '[::1]:1'}",
            "{url: 'http://h', proxy: 'http://p:3128', secret-key: {file: key}}",
            "{url: usa, secret-key: {command: 'pass show key'}}",
            "{url: usa, secret-key: {variable: KEY}}",
        ];
        let bad = [
            "{}",
            "{url: atlantis}",
            "{url: 127.0.0.1}",
            "{url: usa, sdkapid: 1}",
            "{url: usa, readings: {deleted-key: rest}}",
            "{url: usa, readings: {deleted-keys: reset}}",
            "{url: usa, messages: {list: {}}}",
            "{url: usa, member-calls: maybe}",
            "{url: usa, secret-key: 5bd2850fff3ecb11}",
            "{url: usa, secret-key: {key: 5bd2850fff3ecb11}}",
            "{url: usa, client-certificate: {certificate: c.pem}}",
            "{url: usa, headers: {X-A: {variables: B}}}",
            "{url: usa, headers: {X-A: 5}}",
            "{url: usa, host: 'http://h'}",
            "{url: usa, connect-to: 'h'}",
            "{url: usa, proxy: 'https://h'}",
            "{url: usa, proxy: 'h:3128'}",
            "{url: usa, proxy: 'http://me:pass@h:3128'}",
        ];
        for (text, is_good) in good.map(|text| (text, true)).into_iter().chain(bad.map(|text| (text, false))) {
            assert_eq!((valid(text), told(text).is_empty()), (is_good, is_good), "{text}");
        }
    }

    #[test]
    fn a_region_or_a_bare_url_is_an_address_and_nothing_else_is() {
        for good in ["singapore", "http://127.0.0.1:8080", "https://host"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["atlantis", "ftp://host", "http://host?x=1", "http://me@host", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_that_is_near_an_address_is_told_the_address() {
        for (text, help) in [
            ("singapor", "did you mean `singapore`?"),
            ("127.0.0.1:8080", "did you mean `http://127.0.0.1:8080`, or https?"),
            ("localhost:8080", "did you mean `http://localhost:8080`, or https?"),
            ("chat.example.org", "did you mean `http://chat.example.org`, or https?"),
            ("ftp://host", "write http://HOST:PORT, or one of china"),
            ("atlantis", "write http://HOST:PORT, or one of china"),
        ] {
            assert!(address(text).is_err() && address_help(text).starts_with(help), "{text}: {}", address_help(text));
        }
        let text = "url: singapor\nreadings: {deleted-key: tombston}\n";
        let problems = load("t.yaml", text, &spec::bundled()).expect_err("problems");
        let helps: Vec<&str> = problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
        assert_eq!(helps, ["did you mean `singapore`?", "did you mean `tombstone`?"]);
    }

    #[test]
    fn what_the_way_to_a_target_cannot_be_is_told_in_its_place() {
        for (text, problem) in [
            ("{url: usa, headers: {'X A': b}}", "1:29 `X A` is no name of a header"),
            ("{url: usa, headers: {hOst: b}}", "1:28 `hOst` is settled by the request"),
            ("{url: usa, headers: {X: \"a\\nb\"}}", "1:25 the value of `X` cannot stand in a header"),
            ("{url: usa, connect-to: 'h:0'}", "1:24 h:0 names no port"),
            ("{url: usa, proxy: 'http://p', connect-to: 'h:1'}", "1:19 `proxy` does not go with `connect-to`"),
            ("{url: usa, proxy: 'http://p', host: h}", "1:19 `proxy` does not go with `host`"),
            ("{url: 'https://127.0.0.1', connect-to: 'h:1'}", "1:40 TLS asks for a name, and 127.0.0.1 is an address"),
            ("{url: usa, host: 127.0.0.1}", "1:18 TLS asks for a name, and 127.0.0.1 is an address"),
            ("{url: 'http://h', ca: c.pem}", "1:23 `ca` has no effect without TLS"),
        ] {
            assert_eq!(told(text), [problem], "{text}");
        }
        assert_eq!(told("{url: 'http://127.0.0.1', host: '127.0.0.2', connect-to: 'h:1'}"), Vec::<String>::new());
    }

    #[test]
    fn a_secret_key_that_was_written_into_a_file_is_not_repeated() {
        const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee46";
        let beside = format!("{{url: usa, sdkapid: 1, secret-key: {{file: {KEY}}}}}");
        let below = format!("url: usa\nsecret-key:\n  key: {KEY}\nsdkapid: 1\n");
        for text in [format!("url: usa\nsecret-key: {KEY}\n"), beside, below.clone()] {
            let problems = load("t.yaml", &text, &spec::bundled()).expect_err("problems");
            assert!(problems[0].place.is_none(), "{problems:?}");
            assert!(problems.iter().all(|problem| !problem.message.contains(KEY)), "{problems:?}");
        }
        // What stands elsewhere is shown.
        let problems = load("t.yaml", &below, &spec::bundled()).expect_err("problems");
        assert_eq!(problems.iter().filter_map(|problem| problem.place.as_ref()).map(|place| place.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn the_vendors_own_service_is_known_by_all_of_its_names_and_nothing_else_is() {
        let all =
            REGIONS.iter().map(|(_, url)| *url).chain(["https://adminapisgp.my-imcloud.com", "https://console.tim.qq.com:443/x"]);
        for own in all {
            assert!(is_vendors(&own.parse().expect("a URL")), "{own}");
        }
        for other in ["http://127.0.0.1", "https://im.qcloud.com.example.org", "https://evilim.qcloud.com"] {
            assert!(!is_vendors(&other.parse().expect("a URL")), "{other}");
        }
    }

    #[test]
    fn all_problems_of_a_file_are_told_at_once() {
        let text = "\
url: ftp://host
sdkapid: 1
admin: 5
member-calls: identfier
readings: {deleted-keys: reset, deleted-key: rest}
messages: {list: {unsupported: []}}
";
        let mut told = told(text);
        told.sort();
        assert_eq!(
            told,
            [
                "1:6 ftp://host: a target is http://HOST:PORT or https://HOST, and no more",
                "2:1 unknown field `sdkapid`",
                "3:8 expected a text (quote a number), found the number 5",
                "4:15 `identfier` is not known here",
                "5:12 there is no reading `deleted-keys`",
                "5:46 `rest` is no answer to `deleted-key`",
                "6:12 `supported` is missing",
            ]
        );
    }

    #[test]
    fn a_file_without_an_address_is_told_so_once() {
        assert_eq!(told("sdkappid: 1\n"), ["1:1 `url` is missing"]);
    }
}
