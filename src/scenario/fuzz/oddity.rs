//! Single departures from an ordinary call, and what each is answered.

use serde_json::{Value as Json, json};

use crate::api::Operation::{self, Clear, Delete, Set};
use crate::api::code::{BAD_JSON, INVALID, NO_PLAN, NOT_A_STRING};
use crate::scenario::conform::text::{Body, Seq};
use crate::scenario::conform::{CallStep, KvSpec, Step};

/// What is odd about one call.
#[derive(Debug)]
pub struct Oddity {
    /// The clause that says what comes of it.
    pub clause: &'static str,
    /// The operations that it can happen to.
    pub operations: &'static [Operation],
    pub answer: OddityAnswer,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddityAnswer {
    /// It changes nothing.
    Accepted,
    /// The call is refused with one of these codes; with none given, with whichever.
    Refused(&'static [i64]),
}

#[derive(Debug)]
enum Change {
    Omit(&'static str),
    Field(&'static str, fn() -> Json),
    /// One pair more, which is this.
    Pair(fn() -> KvSpec),
    /// These pairs in place of the call's own.
    Pairs(fn() -> Vec<KvSpec>),
    WithoutPlan,
    /// The call with something after its JSON.
    Trailing,
}

const ALL: &[Operation] = &[Set, Delete, Clear];
const WITH_PAIRS: &[Operation] = &[Set, Delete];
const INVALID_ONLY: OddityAnswer = OddityAnswer::Refused(&[INVALID]);
/// Which of the three is open (reading `types`).
const WRONG_TYPE: OddityAnswer = OddityAnswer::Refused(&[INVALID, BAD_JSON, NOT_A_STRING]);

macro_rules! oddities {
    ($($clause:literal $operations:expr, $answer:expr => $change:expr;)*) => {
        /// Every oddity.
        pub const ODDITIES: &[Oddity] =
            &[$(Oddity { clause: $clause, operations: $operations, answer: $answer, change: $change }),*];
    };
}

oddities! {
    "REQ-19" ALL, WRONG_TYPE => Change::Field("From_Account", || json!(5));
    "REQ-2" ALL, INVALID_ONLY => Change::Omit("To_Account");
    "REQ-2" ALL, WRONG_TYPE => Change::Field("To_Account", || json!(5));
    "REQ-3" ALL, INVALID_ONLY => Change::Omit("MsgKey");
    "REQ-3" ALL, INVALID_ONLY => Change::Field("MsgKey", || json!(""));
    "REQ-4" ALL, INVALID_ONLY => Change::Omit("OperateType");
    "REQ-4" ALL, INVALID_ONLY => Change::Field("OperateType", || json!(0));
    "REQ-4" ALL, INVALID_ONLY => Change::Field("OperateType", || json!(4));
    "REQ-4" ALL, INVALID_ONLY => Change::Field("OperateType", || json!(257));
    "REQ-4" ALL, WRONG_TYPE => Change::Field("OperateType", || json!("1"));
    "REQ-16" ALL, WRONG_TYPE => Change::Field("OperateType", || json!(1.5));
    "REQ-5" WITH_PAIRS, INVALID_ONLY => Change::Omit("ExtensionList");
    "REQ-16" WITH_PAIRS, WRONG_TYPE => Change::Field("ExtensionList", || json!({"Key": "k1", "Value": "v"}));
    "REQ-5" WITH_PAIRS, INVALID_ONLY => Change::Pairs(Vec::new);
    "REQ-6" &[Clear], OddityAnswer::Accepted => Change::Pairs(|| vec![pair("k1", "v")]);
    "REQ-7" &[Set], INVALID_ONLY => Change::Pairs(|| vec![times(21)]);
    "REQ-7" WITH_PAIRS, OddityAnswer::Accepted => Change::Pairs(|| vec![times(20)]);
    "REQ-10" &[Set], OddityAnswer::Accepted => Change::Pairs(|| {
        vec![KvSpec { times: Some(20), ..pair(&"k".repeat(98), &"v".repeat(1000)) }]
    });
    "REQ-8" WITH_PAIRS, INVALID_ONLY => Change::Pair(|| KvSpec { omit: vec!["Key".to_owned()], ..pair("x", "v") });
    "REQ-8" WITH_PAIRS, INVALID_ONLY => Change::Pair(|| pair("", "v"));
    "REQ-8" WITH_PAIRS, INVALID_ONLY => Change::Pair(|| pair(&"k".repeat(101), "v"));
    "REQ-9" WITH_PAIRS, INVALID_ONLY => Change::Pair(|| pair(&"é".repeat(51), "v"));
    "REQ-9" WITH_PAIRS, INVALID_ONLY => Change::Pair(|| pair(&("😀".repeat(25) + "k"), "v"));
    "REQ-10" &[Set], INVALID_ONLY => Change::Pair(|| KvSpec { omit: vec!["Value".to_owned()], ..pair("x", "v") });
    "REQ-10" &[Set], INVALID_ONLY => Change::Pair(|| pair("x", &"v".repeat(1001)));
    "REQ-11" &[Set], INVALID_ONLY => Change::Pair(|| pair("x", &"中".repeat(334)));
    "REQ-11" &[Set], INVALID_ONLY => Change::Pair(|| pair("x", &("😀".repeat(250) + "v")));
    "HTTP-5" ALL, OddityAnswer::Accepted => Change::Field("CloudCustomData", || json!({"a": [1, null]}));
    "HTTP-5" &[Set], OddityAnswer::Accepted => Change::Pair(|| KvSpec {
        fields: [("Comment".to_owned(), json!("x"))].into(),
        ..pair("x", "v")
    });
    "HTTP-7" &[Clear], OddityAnswer::Refused(&[]) => Change::Trailing;
    "ERR-2" ALL, OddityAnswer::Refused(&[NO_PLAN]) => Change::WithoutPlan;
}

fn pair(key: &str, value: &str) -> KvSpec {
    KvSpec::new(key, Some(value), Seq::Latest)
}

fn times(times: usize) -> KvSpec {
    KvSpec { times: Some(times), ..pair("k", "v") }
}

impl Oddity {
    /// Whether it brings pairs that are for the admin alone to send: none of them has a Seq of its own.
    pub fn is_admins(&self) -> bool {
        matches!(self.change, Change::Pairs(_) | Change::WithoutPlan)
    }

    pub fn is_of_many(&self) -> bool {
        matches!(self.change, Change::Pairs(_))
    }

    pub fn needs_plan_less_app(&self) -> bool {
        matches!(self.change, Change::WithoutPlan)
    }

    pub(super) fn twist(&self, mut call: CallStep, wrap: fn(CallStep) -> Step) -> Step {
        match &self.change {
            Change::Omit(field) => call.omit.push((*field).to_owned()),
            Change::Field(field, value) => drop(call.fields.insert((*field).to_owned(), value())),
            Change::Pair(pair) => call.kvs.get_or_insert_default().push(pair()),
            Change::Pairs(pairs) => call.kvs = Some(pairs()),
            Change::WithoutPlan => call.http.without_plan = true,
            Change::Trailing => {
                let body =
                    r#"{"To_Account":"<To_Account>","From_Account":"<From_Account>","MsgKey":"<MsgKey>","OperateType":3} x"#;
                call.body = Some(Body::Text(body.to_owned()));
                return Step::Raw(call);
            }
        }
        wrap(call)
    }
}
