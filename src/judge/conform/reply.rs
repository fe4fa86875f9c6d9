//! One reply against what every reply has to be, and against what its step expects.

use super::memory::Memory;
use super::{At, Sent};
use crate::api::reply::{MAX_BODY_BYTES, decode_coded};
use crate::api::{Defect, Extension, KeyResult, Operation, Reply, code};
use crate::history::{Cut, HttpReply};
use crate::judge::text::{named, quoted};
use crate::scenario::conform::text::{Codes, SeqExpect};
use crate::scenario::conform::{Expect, KeyExpect, Observe};
use crate::spec::{Answer, Spec};
use crate::verdict::Finding;

/// Reads a reply: what it says, as far as it can be read, and every way in which it is not of the documented form.
pub fn read(sent: &Sent, http: &HttpReply, at: &At) -> (Option<Reply>, Vec<Finding>) {
    let mut findings = Vec::new();
    let finding = |clause: &str, subject: &str, expected: &str, actual: String| at.on(clause).finding(subject, expected, actual);
    if http.status != 200 {
        findings.push(finding("HTTP-1", "HTTP status", "200", http.status.to_string()));
    }
    if let Some(cut) = http.cut {
        let actual = match cut {
            Cut::Short => format!("cut short after {} bytes", http.body.len()),
            Cut::TooLong => format!("still going on after {MAX_BODY_BYTES} bytes"),
            Cut::Endless => format!("still coming when the time-out ended, after {} bytes", http.body.len()),
        };
        findings.push(finding("HTTP-2", "body", "a whole JSON object", actual));
        return (None, findings);
    }
    let (reply, defects) = decode_coded(&http.body, http.coding.as_deref());
    // An error page behind a wrong status is one difference, not two.
    if http.status == 200 || reply.is_some() {
        findings.extend(
            defects.iter().map(|Defect { clause, place, expected, actual }| finding(clause, place, expected, actual.clone())),
        );
    }
    if let Some(reply) = reply.as_ref().filter(|_| !defects.iter().any(|defect| defect.clause == "SET-3")) {
        findings.extend(
            unanswered(sent, reply).into_iter().map(|(subject, expected, actual)| finding("SET-3", &subject, expected, actual)),
        );
    }
    if let Some(reply) = &reply {
        findings.extend(
            impossible(sent, reply)
                .into_iter()
                .map(|(clause, subject, expected, actual)| finding(clause, &subject, expected, actual)),
        );
    }
    (reply, findings)
}

/// Results that cannot be, whatever was asked: a negative Seq, and a key that a clear which worked has not cleared.
fn impossible(sent: &Sent, reply: &Reply) -> Vec<(&'static str, String, &'static str, String)> {
    let is_cleared = sent.operation == Some(Operation::Clear) && reply.code == 0;
    let results = || reply.results.iter().flatten();
    let negative = results()
        .filter(|result| result.extension.seq < 0)
        .map(|result| ("SET-3", named(&result.extension.key), "a Seq of at least 0", format!("Seq {}", result.extension.seq)));
    let left = results().filter(|result| is_cleared && result.code != 0).map(|result| {
        ("CLR-1", named(&result.extension.key), "code 0, as the clear as a whole", format!("code {}", result.code))
    });
    negative.take(STRANGE_TOLD).chain(left.take(STRANGE_TOLD)).collect()
}

/// Results for keys that no call named: so many are told one by one.
const STRANGE_TOLD: usize = 3;

/// Keys of an accepted set or delete that have no result, or more than they should (clause SET-3).
fn unanswered(sent: &Sent, reply: &Reply) -> Vec<(String, &'static str, String)> {
    let has_results = matches!(sent.operation, Some(Operation::Set | Operation::Delete)) && reply.code == 0;
    if !has_results {
        return Vec::new();
    }
    let Some(results) = &reply.results else {
        return vec![("ExtensionList".to_owned(), "one result a key", "nothing, or null".to_owned())];
    };
    let mut differences = Vec::new();
    for key in sent.keys() {
        let asked = sent.kvs.iter().filter(|kv| kv.key == key).count();
        let told = results.iter().filter(|result| result.extension.key == key).count();
        if told == 0 || told > asked {
            differences.push((named(key), "one result", format!("{told} results")));
        }
    }
    let strange: Vec<&KeyResult> =
        results.iter().filter(|result| !sent.kvs.iter().any(|kv| kv.key == result.extension.key)).collect();
    let told = strange.iter().take(STRANGE_TOLD);
    differences.extend(
        told.map(|result| (named(&result.extension.key), "no result: the call did not name it", format!("code {}", result.code))),
    );
    if strange.len() > STRANGE_TOLD {
        let more = format!("{} more of them", strange.len() - STRANGE_TOLD);
        differences.push(("ExtensionList".to_owned(), "no result for a key that the call did not name", more));
    }
    differences
}

/// One reply against an expectation; `None` expects that everything worked. `memory` is from before the call.
pub fn judge(sent: &Sent, reply: &Reply, expect: Option<&Expect>, memory: &Memory, at: &At) -> Vec<Finding> {
    let nothing_said = Expect::default();
    let judgement = Judgement { sent, reply, expect: expect.unwrap_or(&nothing_said), memory, at };
    judgement.findings()
}

/// At a target whose refusals are known not to carry what was set: what is wrong with a pair that one carries is that, whatever
/// clause the step is about.
pub fn blame_refusals(findings: &mut [Finding], reply: &Reply) {
    let is_refused = |subject: &str| {
        let of_key = |result: &&KeyResult| named(&result.extension.key) == subject;
        reply.results.iter().flatten().find(of_key).is_some_and(|result| result.code == code::SEQ_CONFLICT)
    };
    let is_about_pair = |finding: &&mut Finding| finding.place.ends_with("/value") || finding.place.ends_with("/seq");
    for finding in findings.iter_mut().filter(is_about_pair).filter(|finding| is_refused(&finding.subject)) {
        "SEQ-3".clone_into(&mut finding.clause);
    }
}

/// The answer that a reply gives to an open question, or the finding that it gives none of the lawful ones.
pub fn answer<'a>(
    spec: &'a Spec,
    observe: &Observe,
    sent: &Sent,
    reply: &Reply,
    memory: &Memory,
    at: &At,
) -> Result<&'a str, Box<Finding>> {
    let clause = spec.question(&observe.reading);
    let answers = clause.map(|clause| clause.readings.as_slice()).unwrap_or_default();
    let fits = |answer: &&Answer| {
        observe.is.get(&answer.name).is_some_and(|expect| judge(sent, reply, Some(expect), memory, at).is_empty())
    };
    if let Some(answer) = answers.iter().find(fits) {
        return Ok(&answer.name);
    }
    let said = |result: &KeyResult| {
        let Extension { key, value, seq } = &result.extension;
        format!("{}: {} {} Seq {seq}", named(key), result.code, quoted(value))
    };
    let results = reply.results.iter().flatten().take(3).map(said);
    let actual: Vec<String> = std::iter::once(reply.code.to_string()).chain(results).collect();
    let expected = format!("one of {}", observe.is.keys().cloned().collect::<Vec<_>>().join(", "));
    let at = clause.map_or_else(|| at.clone(), |clause| at.on(&clause.id)).below("/observe");
    Err(Box::new(at.finding(&observe.reading, expected, actual.join(", "))))
}

struct Judgement<'a> {
    sent: &'a Sent,
    reply: &'a Reply,
    expect: &'a Expect,
    memory: &'a Memory,
    at: &'a At,
}

impl Judgement<'_> {
    fn findings(&self) -> Vec<Finding> {
        if let Some(codes) = &self.expect.refused {
            return self.refused(codes).into_iter().collect();
        }
        let top = self.top_level();
        // A call that was refused as a whole says nothing of its keys.
        if top.is_some() && self.reply.results.is_none() {
            return top.into_iter().collect();
        }
        let expects_refusal = self.expect.code.as_ref().is_some_and(|codes| !codes.contains(0));
        let keys = if expects_refusal && self.expect.keys.is_empty() && self.expect.each.is_none() {
            Vec::new()
        } else {
            self.sent.keys().into_iter().flat_map(|key| self.key(key)).collect()
        };
        top.into_iter().chain(keys).chain(self.keys_of_raw()).collect()
    }

    fn refused(&self, codes: &Codes) -> Option<Finding> {
        let results = self.reply.results.as_deref().unwrap_or_default();
        let at_every_key =
            self.reply.code == 0 && !results.is_empty() && results.iter().all(|result| codes.contains(result.code));
        let refused = (self.reply.code != 0 && codes.contains(self.reply.code)) || at_every_key;
        let expected = match codes {
            Codes::AnyRefusal => "refused".to_owned(),
            Codes::OneOf(_) => format!("refused with {}", said(codes)),
        };
        (!refused).then(|| self.finding(None, "ErrorCode", "/expect/refused", expected, self.told()))
    }

    fn top_level(&self) -> Option<Finding> {
        let (codes, place) = match &self.expect.code {
            Some(codes) => (codes.clone(), "/expect/code"),
            // What the top level says when every key failed is open (SEQ-9).
            None if self.every_key_failed_as_it_may() => return None,
            None => (Codes::default(), ""),
        };
        (!codes.contains(self.reply.code)).then(|| self.finding(None, "ErrorCode", place, said(&codes), self.told()))
    }

    fn every_key_failed_as_it_may(&self) -> bool {
        let failed_as_it_may = |key: &str| {
            let expect = self.expect.keys.get(key).or(self.expect.each.as_ref());
            let code = self.reply.result(key).map_or(0, |result| result.code);
            code != 0 && expect.is_some_and(|expect| expect.code.as_ref().is_none_or(|codes| codes.contains(code)))
        };
        let keys = self.sent.keys();
        !keys.is_empty() && keys.into_iter().all(failed_as_it_may)
    }

    fn key(&self, key: &str) -> Vec<Finding> {
        let Some(result) = self.reply.result(key) else {
            // With an accepted call that is a finding of `read`; with a refused one the top level is.
            return Vec::new();
        };
        match (self.expect.keys.get(key), &self.expect.each) {
            (Some(expect), _) => self.named_key(result, expect, &format!("/expect/keys/{}", pointer(key))),
            (None, Some(expect)) => self.named_key(result, expect, "/expect/each"),
            (None, None) => self.working_key(result),
        }
    }

    /// Keys that only a raw call's author knows.
    fn keys_of_raw(&self) -> Vec<Finding> {
        if self.sent.operation.is_some() {
            return Vec::new();
        }
        let finding = |(key, expect): (&String, &KeyExpect)| {
            let place = format!("/expect/keys/{}", pointer(key));
            match self.reply.result(key) {
                Some(result) => self.named_key(result, expect, &place),
                None => vec![self.finding(Some("SET-3"), &named(key), &place, "one result".to_owned(), "none".to_owned())],
            }
        };
        self.expect.keys.iter().flat_map(finding).collect()
    }

    fn named_key(&self, result: &KeyResult, expect: &KeyExpect, place: &str) -> Vec<Finding> {
        let (key, extension) = (&result.extension.key, &result.extension);
        let mut findings = Vec::new();
        let mut differs = |field: &str, expected: String, actual: String| {
            findings.push(self.finding(None, &named(key), &format!("{place}/{field}"), expected, actual));
        };
        if let Some(codes) = &expect.code
            && !codes.contains(result.code)
        {
            differs("code", format!("code {}", said(codes)), format!("code {}", result.code));
        }
        if let Some(value) = &expect.value
            && value.0 != extension.value
        {
            differs("value", format!("value {}", quoted(&value.0)), format!("value {}", quoted(&extension.value)));
        }
        let seq = format!("Seq {}", extension.seq);
        match expect.seq.and_then(|expect| self.seq_differs(key, expect, extension.seq)) {
            Some(expected) => differs("seq", expected, seq),
            None if result.code == 0 && self.sets_a_value(key) && extension.seq <= 0 => {
                findings.push(self.finding(Some("SET-2"), &named(key), place, "a Seq above 0".to_owned(), seq));
            }
            None => {}
        }
        findings
    }

    /// A key that has to work: code 0, what was sent, and a Seq that grew.
    fn working_key(&self, result: &KeyResult) -> Vec<Finding> {
        let extension = &result.extension;
        let subject = named(&extension.key);
        if result.code != 0 {
            return vec![self.finding(None, &subject, "", "code 0".to_owned(), format!("code {}", result.code))];
        }
        if self.sent.operation != Some(Operation::Set) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let mut sent = self.sent.kvs.iter().filter(|kv| kv.key == extension.key);
        // Of a key that stands twice it is open which value wins (REQ-15).
        if let (Some(kv), None) = (sent.next(), sent.next())
            && let Some(value) = &kv.value
            && *value != extension.value
        {
            findings.push(self.finding(
                Some("SET-4"),
                &subject,
                "",
                format!("value {}", quoted(value)),
                format!("value {}", quoted(&extension.value)),
            ));
        }
        if let Some(expected) = self.seq_differs(&extension.key, SeqExpect::Grown, extension.seq) {
            findings.push(self.finding(Some("SET-2"), &subject, "", expected, format!("Seq {}", extension.seq)));
        }
        findings
    }

    /// Whether the call gives the key a value: what a set without one does is open (REQ-14).
    fn sets_a_value(&self, key: &str) -> bool {
        let has_value = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        self.sent.operation == Some(Operation::Set)
            && self.sent.kvs.iter().filter(|kv| kv.key == key).all(|kv| has_value(&kv.value))
    }

    /// What was expected of the Seq, where it is not that.
    fn seq_differs(&self, key: &str, expect: SeqExpect, actual: i64) -> Option<String> {
        let (message, memory) = (&self.sent.message, self.memory);
        match expect {
            SeqExpect::Number(seq) => (actual != seq).then(|| format!("Seq {seq}")),
            SeqExpect::Latest => {
                let latest = memory.latest(message, key);
                (actual != latest).then(|| format!("Seq {latest}, the latest"))
            }
            SeqExpect::Grown => {
                // Whatever a key counts from, a set that worked has a Seq.
                let floor = memory.floor(message, key).unwrap_or(0).max(0);
                (actual <= floor).then(|| format!("a Seq above {floor}"))
            }
        }
    }

    /// The reply in a few words.
    fn told(&self) -> String {
        const SHOWN: usize = 4;
        let results = self.reply.results.as_deref().unwrap_or_default();
        if self.reply.code != 0 {
            return if self.reply.info.is_empty() {
                self.reply.code.to_string()
            } else {
                format!("{} ({})", self.reply.code, self.reply.info)
            };
        }
        let mut words = vec!["0".to_owned()];
        words.extend(results.iter().take(SHOWN).map(|result| format!("{}: {}", named(&result.extension.key), result.code)));
        if results.len() > SHOWN {
            words.push(format!("… {} more", results.len() - SHOWN));
        }
        words.join(", ")
    }

    fn finding(&self, clause: Option<&str>, subject: &str, place: &str, expected: String, actual: String) -> Finding {
        self.at.on(clause.unwrap_or(&self.at.clause)).below(place).finding(subject, expected, actual)
    }
}

fn said(codes: &Codes) -> String {
    match codes {
        Codes::AnyRefusal => "any code but 0".to_owned(),
        Codes::OneOf(codes) => codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}

/// A key as one step of an index path.
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_carries_is_blamed_on_refusals_and_what_else_is_wrong_is_not() {
        let result = |key: &str, code| KeyResult { code, extension: Extension { key: key.into(), value: "w".into(), seq: 1 } };
        let reply = Reply::accepted(Some(vec![result("refused", code::SEQ_CONFLICT), result("taken", 0)]));
        let at = At { clause: "SET-6".into(), place: "/scenarios/0/steps/0/set".into(), exchange: None };
        let finding = |subject: &str, place: &str| at.below(place).finding(subject, "value v", "value w");
        let mut findings = vec![
            finding("refused", "/expect/keys/refused/value"),
            finding("refused", "/expect/keys/refused/seq"),
            finding("refused", "/expect/keys/refused/code"),
            finding("taken", "/expect/keys/taken/value"),
        ];
        blame_refusals(&mut findings, &reply);
        let clauses: Vec<&str> = findings.iter().map(|finding| finding.clause.as_str()).collect();
        assert_eq!(clauses, ["SEQ-3", "SEQ-3", "SET-6", "SET-6"]);
    }
}
