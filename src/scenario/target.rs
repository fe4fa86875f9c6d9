//! A target file as its author writes it. Every problem is located, all of them are told at once.
//!
//! Never a key, nor a variable of the environment: those are no part of a file, and not looked at here.

use std::borrow::Cow;
use std::collections::HashSet;

use clap::ValueEnum;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::kind::{FileKind, misplaced};
use super::schema::{self, AnswerByQuestion};
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
    #[serde(default)]
    pub sdkappid: Option<u64>,
    #[serde(default)]
    pub admin: Option<String>,
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
    if let Some(file) = &value {
        problems.extend(address_problem(file, &source, &hidden));
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
            let place = problem.place.expect("a place");
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
