//! Whatever bytes come in: what a client reads of a reply, and what the reference endpoint makes of a request.

use std::collections::BTreeMap;
use std::time::Duration;

use msgext::api::message::{self, decode_get, decode_send};
use msgext::api::reply::decode;
use msgext::api::usersig::{Claims, sign};
use msgext::api::{call, http};
use msgext::model::readings::{READINGS, reading};
use msgext::model::{Model, Request, Rules, ServedApp, Setup, wire};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

const SDKAPPID: u64 = 1_400_000_000;
const ADMIN: &str = "administrator";
const KEY: &str = "a key of the endpoint's own";
const NOW: Duration = Duration::from_secs(1_767_225_617);

// ------------------------------------------------------------------------------------------------------------ replies

const REPLIES: [&str; 5] = [
    r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[{"ErrorCode":0,"Extension":{"Key":"k1","Value":"v1","Seq":2}},{"ErrorCode":23001,"Extension":{"Key":"k2","Value":"v1234","Seq":3}}]}"#,
    r#"{"ActionStatus":"FAIL","ErrorInfo":"invalid parameter","ErrorCode":10004}"#,
    r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
    r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"CompleteFlag":1,"LatestSeq":2,"ClearSeq":0,"ExtensionList":[{"Key":"k1","Value":"v1","Seq":2}]}"#,
    r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgTime":1,"MsgKey":"1_2_3"}"#,
];

/// A documented reply with some of its bytes taken out, put in, doubled or replaced.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..4_u8, prop_oneof![any::<u8>(), select(br#"{}[]",:0129-eE.\nulO"#.to_vec())]);
    (select(REPLIES.to_vec()), vec(edit, 0..6)).prop_map(|(reply, edits)| {
        let mut bytes = reply.as_bytes().to_vec();
        for (index, how, byte) in edits {
            let at = index.index(bytes.len().max(1));
            match how {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

/// A JSON object with the documented names, and any values at them.
fn lookalike() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..30_000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["OK", "FAIL", "", "0"]).prop_map(Value::from),
    ];
    let names = ["ActionStatus", "ErrorInfo", "ErrorCode", "ExtensionList", "Extension", "Key", "Value", "Seq", "MsgKey", "x"];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let name = select(names.to_vec()).prop_map(str::to_owned);
        let object = proptest::collection::btree_map(name, inner.clone(), 0..6);
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), object.prop_map(|map| Value::Object(map.into_iter().collect()))]
    })
    .prop_map(|value| value.to_string().into_bytes())
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..200), any::<String>().prop_map(String::into_bytes), mutated(), lookalike()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_reply_without_defect_is_rendered_back_to_itself_and_none_is_a_panic(body in any_body()) {
        let (reply, defects) = decode(&body);
        prop_assert!(reply.is_some() || !defects.is_empty(), "nothing was read, and nothing is wrong");
        if let (Some(reply), []) = (&reply, defects.as_slice()) {
            let rendered = wire::render(&Rules::default().wire, reply);
            prop_assert_eq!((rendered.status, decode(&rendered.body)), (200, (Some(reply.clone()), Vec::new())));
        }
        if let Ok(page) = decode_get(&body, None) {
            let value: Value = serde_json::from_slice(&body).expect("a page is JSON");
            prop_assert_eq!(&value["ErrorCode"], 0);
            let listed = value["ExtensionList"].as_array().map_or(0, Vec::len);
            prop_assert!(page.pairs.len() <= listed, "{:?}", page);
        }
        if let Ok(msg_key) = decode_send(&body, None) {
            let value: Value = serde_json::from_slice(&body).expect("a message is JSON");
            prop_assert_eq!((&value["ErrorCode"], &value["MsgKey"]), (&json!(0), &json!(msg_key)));
        }
    }
}

#[test]
fn each_documented_reply_has_no_defect_and_each_of_its_beginnings_has_one() {
    for reply in &REPLIES[..3] {
        assert_eq!(decode(reply.as_bytes()).1, Vec::new(), "{reply}");
    }
    for reply in REPLIES {
        for end in 0..reply.len() {
            let (read, defects) = decode(&reply.as_bytes()[..end]);
            assert!(read.is_none() && !defects.is_empty(), "{}", &reply[..end]);
        }
    }
}

#[test]
fn json_as_deep_as_a_stack_is_refused_and_not_followed() {
    for deep in ["[".repeat(100_000), r#"{"a":"#.repeat(100_000), format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))] {
        assert!(decode(deep.as_bytes()).0.is_none());
        assert!(decode_get(deep.as_bytes(), None).is_err() && decode_send(deep.as_bytes(), None).is_err());
    }
}

// ----------------------------------------------------------------------------------------------------------- requests

/// An endpoint with one app, by these rules and without its limits.
fn setup(mut rules: Rules) -> Setup {
    rules.limits.app = None;
    rules.limits.message = None;
    Setup {
        rules,
        apps: vec![ServedApp { sdkappid: SDKAPPID, secret_key: KEY.into(), admins: vec![ADMIN.into()], has_plan: true }],
    }
}

fn query_of(identifier: &str) -> String {
    let claims = Claims { identifier: identifier.to_owned(), sdkappid: SDKAPPID, issued_s: NOW.as_secs(), expire_s: 3600 };
    let pairs = http::query(SDKAPPID, identifier, &sign(KEY, &claims), 7);
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A request body: any bytes, or one with the documented names and any values.
fn any_request_body() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        (0..5_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["alice", "bob", "1_1_1767225617", "", "k"]).prop_map(Value::from),
    ];
    let names = ["From_Account", "To_Account", "MsgKey", "OperateType", "StartSeq", "MsgRandom", "SupportMessageExtension"];
    let pair = proptest::collection::btree_map(select(vec!["Key", "Value", "Seq", "x"]), scalar.clone(), 0..4);
    let pairs = vec(pair.prop_map(|pair| pair.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()), 0..23);
    let list = prop_oneof![pairs.prop_map(|pairs: Vec<serde_json::Map<String, Value>>| Value::from(pairs)), scalar.clone()];
    let fields = proptest::collection::btree_map(select(names.to_vec()), scalar, 0..7);
    let object = (fields, proptest::option::of(list)).prop_map(|(fields, list)| {
        let mut object: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        object.extend(list.map(|list| ("ExtensionList".to_owned(), list)));
        Value::Object(object).to_string().into_bytes()
    });
    prop_oneof![1 => vec(any::<u8>(), 0..100), 1 => lookalike(), 4 => object]
}

fn any_request() -> impl Strategy<Value = (String, String, String, Vec<u8>)> {
    let method = prop_oneof![8 => Just("POST".to_owned()), 1 => "[A-Z]{1,7}"];
    let paths = [call::PATH, message::GET_PATH, message::SEND_PATH].map(str::to_owned);
    let path = prop_oneof![8 => select(paths.to_vec()), 1 => "/[ -~]{0,40}"];
    let signed = [ADMIN, "alice", "bob"].map(query_of);
    let query = prop_oneof![6 => select(signed.to_vec()), 1 => any::<String>(), 1 => "(sdkappid=1400000000|usersig=[!-~]*|&|identifier=a){0,6}"];
    (method, path, query, any_request_body())
}

/// The question and the answer of a reading.
type Named = (&'static str, &'static str);

fn any_reading() -> impl Strategy<Value = Named> {
    select(READINGS.iter().map(|reading| (reading.question, reading.answer)).collect::<Vec<Named>>())
}

fn rules_of(readings: &[Named]) -> Rules {
    let mut rules = Rules::default();
    for (question, answer) in readings {
        (reading(question, answer).expect("a reading of the endpoint's").apply)(&mut rules);
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_request_is_answered_with_200_and_the_documented_fields(
        readings in vec(any_reading(), 0..4),
        requests in vec(any_request(), 1..12),
    ) {
        let setup = Setup { rules: rules_of(&readings), ..setup(Rules::default()) };
        let mut model = Model::new();
        for (method, path, query, body) in &requests {
            let request = Request { method, path, query, body, connection: 0 };
            let response = model.answer(&setup, request, NOW);
            prop_assert_eq!(response.status, 200);
            let reply: Value = serde_json::from_slice(&response.body).expect("JSON");
            let code = reply["ErrorCode"].as_i64().expect("an ErrorCode");
            prop_assert_eq!(&reply["ActionStatus"], if code == 0 { "OK" } else { "FAIL" });
            let info = reply["ErrorInfo"].as_str().expect("an ErrorInfo");
            prop_assert_eq!(info.is_empty(), code == 0, "{}", reply);
            prop_assert!(path != call::PATH || decode(&response.body).1.is_empty(), "{}", reply);
        }
    }
}

// --------------------------------------------------------------------------------------------------------- properties

/// Key to (value, Seq), without what is deleted.
type Pairs = BTreeMap<String, (String, i64)>;

/// One call of a random sequence.
#[derive(Clone, Debug)]
struct Step {
    message: usize,
    caller: Caller,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Caller {
    Admin,
    Sender,
    Recipient,
}

#[derive(Clone, Debug)]
enum What {
    /// Key, value, and how far the Seq is from the latest.
    Set(Vec<(usize, String, i64)>),
    Delete(Vec<(usize, i64)>),
    Clear,
}

const KEYS: [&str; 4] = ["k1", "k2", "键", " "];
const MESSAGES: usize = 2;

fn any_step() -> impl Strategy<Value = Step> {
    let off = || prop_oneof![4 => Just(0_i64), 1 => -2..3_i64];
    // A value that is never empty: what an empty one does is an open question.
    let set = vec((0..KEYS.len(), "[a-c中]{1,3}", off()), 1..4).prop_map(What::Set);
    let delete = vec((0..KEYS.len(), off()), 1..3).prop_map(What::Delete);
    let what = prop_oneof![6 => set, 3 => delete, 1 => Just(What::Clear)];
    (0..MESSAGES, select(vec![Caller::Admin, Caller::Sender, Caller::Recipient]), what).prop_map(|(message, caller, what)| Step {
        message,
        caller,
        what,
    })
}

/// The endpoint behind its wire, with two messages of one conversation.
struct Endpoint {
    setup: Setup,
    model: Model,
    keys: Vec<String>,
    queries: BTreeMap<&'static str, String>,
}

impl Endpoint {
    fn new(rules: Rules) -> Endpoint {
        let queries = [ADMIN, "alice", "bob"].map(|who| (who, query_of(who)));
        let mut endpoint = Endpoint { setup: setup(rules), model: Model::new(), keys: vec![], queries: queries.into() };
        for _ in 0..MESSAGES {
            let body = json!({"From_Account": "alice", "To_Account": "bob", "MsgRandom": 7, "SupportMessageExtension": 1});
            let reply = endpoint.post(ADMIN, message::SEND_PATH, &body);
            endpoint.keys.push(decode_send(&reply, None).expect("a message"));
        }
        endpoint
    }

    fn post(&mut self, identifier: &str, path: &str, body: &Value) -> Vec<u8> {
        let (query, body) = (&self.queries[identifier], body.to_string());
        let request = Request { method: "POST", path, query, body: body.as_bytes(), connection: 0 };
        self.model.answer(&self.setup, request, NOW).body
    }

    /// Every listed pair of a message, tombstones included.
    fn listed(&mut self, message: usize) -> Pairs {
        let body = message::get_body(Some("alice"), "bob", &self.keys[message], 0);
        let page = decode_get(&self.post(ADMIN, message::GET_PATH, &body), None).expect("a page");
        assert!(page.complete);
        page.pairs
    }

    fn take(&mut self, step: &Step) -> msgext::api::Reply {
        let identifier = match step.caller {
            Caller::Admin => ADMIN,
            Caller::Sender => "alice",
            Caller::Recipient => "bob",
        };
        let listed = self.listed(step.message);
        let seq = |key: usize, off: i64| listed.get(KEYS[key]).map_or(0, |(_, seq)| *seq) + off;
        let mut body = json!({"From_Account": "alice", "To_Account": "bob", "MsgKey": self.keys[step.message]});
        let (operation, list) = match &step.what {
            What::Set(pairs) => {
                let item =
                    |(key, value, off): &(usize, String, i64)| json!({"Key": KEYS[*key], "Value": value, "Seq": seq(*key, *off)});
                (1, Some(pairs.iter().map(item).collect::<Vec<_>>()))
            }
            What::Delete(pairs) => {
                let item = |(key, off): &(usize, i64)| json!({"Key": KEYS[*key], "Value": "", "Seq": seq(*key, *off)});
                (2, Some(pairs.iter().map(item).collect()))
            }
            What::Clear => (3, None),
        };
        body["OperateType"] = operation.into();
        if let Some(list) = list {
            body["ExtensionList"] = list.into();
        }
        let reply = self.post(identifier, call::PATH, &body);
        let (reply, defects) = decode(&reply);
        assert_eq!(defects, Vec::new());
        reply.expect("a reply")
    }
}

fn live(pairs: &Pairs) -> Pairs {
    pairs.iter().filter(|(_, (value, _))| !value.is_empty()).map(|(key, pair)| (key.clone(), pair.clone())).collect()
}

/// Takes a step, and holds what it did against what its reply says.
fn check(endpoint: &mut Endpoint, step: &Step) -> Result<(), TestCaseError> {
    let (before, other) = (endpoint.listed(step.message), endpoint.listed(1 - step.message));
    let reply = endpoint.take(step);
    let after = endpoint.listed(step.message);
    prop_assert_eq!(&endpoint.listed(1 - step.message), &other, "another message has changed");
    if reply.code != 0 {
        prop_assert_eq!(&after, &before, "a refused call has changed something: {:?}", reply);
        return Ok(());
    }
    if let What::Clear = step.what {
        prop_assert_eq!(live(&after), Pairs::new());
        return Ok(());
    }
    let results = reply.results.as_deref().expect("a set and a delete have results");
    for key in KEYS {
        // A key that stood twice may have been answered twice; the later write has the higher Seq, or the same.
        let done =
            || results.iter().filter(|result| result.extension.key == key && result.code == 0).map(|result| &result.extension);
        let (old, new) = (before.get(key), after.get(key));
        match (done().map(|pair| pair.seq).max(), &step.what) {
            (None, _) => prop_assert_eq!(old, new, "{} was not answered with 0, and has changed", key),
            (Some(seq), What::Set(_)) => {
                let answered = done().filter(|pair| pair.seq == seq).map(|pair| (pair.value.clone(), seq));
                let held = new.is_some_and(|new| answered.clone().any(|pair| pair == *new));
                prop_assert!(held, "{} holds {:?}, and was answered with {:?}", key, new, answered.collect::<Vec<_>>());
                prop_assert!(old.is_none_or(|(_, old)| seq > *old), "{}: Seq {} after {:?}", key, seq, old);
            }
            (Some(_), _) => prop_assert!(!live(&after).contains_key(key), "{} is deleted, and there", key),
        }
    }
    let named = |key: &str| results.iter().any(|result| result.extension.key == key);
    for (key, pair) in before.iter().filter(|(key, _)| !named(key)) {
        prop_assert_eq!(after.get(key), Some(pair), "{} was not named", key);
    }
    for (key, (_, seq)) in &after {
        prop_assert!(before.get(key).is_none_or(|(_, old)| seq >= old), "{} has gone back to {}", key, seq);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_called_each_reading_does_what_it_answers(steps in vec(any_step(), 1..25)) {
        for reading in READINGS {
            let mut endpoint = Endpoint::new(rules_of(&[(reading.question, reading.answer)]));
            for step in &steps {
                check(&mut endpoint, step)?;
            }
        }
    }

    #[test]
    fn whatever_is_called_readings_together_do_what_they_answer(
        readings in vec(any_reading(), 2..12),
        sequences in vec(vec(any_step(), 1..25), 8),
    ) {
        for steps in &sequences {
            let mut endpoint = Endpoint::new(rules_of(&readings));
            for step in steps {
                check(&mut endpoint, step)?;
            }
        }
    }
}

#[test]
fn an_endpoint_that_loses_a_write_or_mixes_messages_up_is_caught_here() {
    type Change = fn(&mut Rules);
    let broken: [(&str, Change); 4] = [
        ("loses writes", |rules| rules.writes.loses_one_in = Some(3)),
        ("changes what it refuses", |rules| rules.seq.conflict_grows = true),
        ("has one store for all messages", |rules| rules.writes.key_space = msgext::model::rules::KeySpace::Conversation),
        ("does not count an admin's writes", |rules| rules.seq.admin_write_grows = false),
    ];
    let set = |message, caller, off| Step { message, caller, what: What::Set(vec![(0, "v".to_owned(), off)]) };
    let steps: Vec<Step> = (0..4)
        .flat_map(|_| {
            [set(0, Caller::Admin, 0), set(0, Caller::Sender, 0), set(0, Caller::Recipient, -1), set(1, Caller::Admin, 0)]
        })
        .collect();
    let holds = |rules| {
        let mut endpoint = Endpoint::new(rules);
        steps.iter().all(|step| check(&mut endpoint, step).is_ok())
    };
    assert!(holds(Rules::default()));
    for (what, apply) in broken {
        let mut rules = Rules::default();
        apply(&mut rules);
        assert!(!holds(rules), "{what}");
    }
}
