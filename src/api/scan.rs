//! A reply read in one pass over borrowed bytes, for those who read a hundred thousand of them a second.
//!
//! Whatever is not plain (an escape, a fraction, a field that stands twice) or not lawful is left to [`super::reply::decode`],
//! which can say what is wrong with it. What is scanned, `decode` reads to the same content and finds no defect in.

use std::ops::Range;

use super::plain::{Cursor, MOST_NESTED, Names};

/// Room for what a scan finds: kept and used again, so that no scan allocates.
#[derive(Debug, Default)]
pub struct Scanner {
    results: Vec<ItemPlaces>,
}

/// A lawful reply.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    /// 0 exactly where `ActionStatus` is OK.
    pub code: i64,
    pub info: &'a str,
    text: &'a str,
    results: Option<&'a [ItemPlaces]>,
}

/// What became of one key of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item<'a> {
    pub code: i64,
    pub key: &'a str,
    pub value: &'a str,
    pub seq: i64,
}

/// An item by its places in the text: a vector of borrowed items could not outlive the body that it borrows from.
#[derive(Debug)]
struct ItemPlaces {
    code: i64,
    seq: i64,
    key: Range<usize>,
    value: Range<usize>,
}

impl Scanner {
    /// The reply, or `None` where only `decode` can say what the body is.
    pub fn scan<'a>(&'a mut self, body: &'a [u8]) -> Option<Scanned<'a>> {
        let text = str::from_utf8(body).ok()?;
        self.results.clear();
        let results = &mut self.results;
        let (mut status, mut code, mut info, mut list) = (None, None, None, None);
        let (mut cursor, mut names) = (Cursor::new(body), Names::default());
        cursor.object(|cursor| {
            if cursor.is_named(br#""ActionStatus""#) {
                once(&mut status, cursor.string()?)
            } else if cursor.is_named(br#""ErrorCode""#) {
                once(&mut code, cursor.integer()?)
            } else if cursor.is_named(br#""ErrorInfo""#) {
                once(&mut info, cursor.string()?)
            } else if cursor.is_named(br#""ExtensionList""#) {
                once(&mut list, read_results(cursor, results)?)
            } else {
                cursor.skip_member(&mut names, MOST_NESTED)
            }
        })?;
        cursor.end()?;
        let (code, info) = (code?, &text[info?]);
        let lawful = match &body[status?] {
            b"OK" => code == 0,
            b"FAIL" => code != 0 && !info.is_empty(),
            _ => false,
        };
        let results = (list == Some(List::There)).then_some(self.results.as_slice());
        lawful.then_some(Scanned { code, info, text, results })
    }
}

impl<'a> Scanned<'a> {
    /// `None` where the reply has no `ExtensionList`.
    pub fn results(&self) -> Option<impl ExactSizeIterator<Item = Item<'a>> + Clone + use<'a>> {
        let text = self.text;
        let item = move |span: &ItemPlaces| Item {
            code: span.code,
            key: &text[span.key.clone()],
            value: &text[span.value.clone()],
            seq: span.seq,
        };
        Some(self.results?.iter().map(item))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    There,
    Null,
}

/// Fills a field, unless it stood before.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

fn read_results(cursor: &mut Cursor, results: &mut Vec<ItemPlaces>) -> Option<List> {
    if cursor.peek()? == b'n' {
        return cursor.literal(b"null").map(|()| List::Null);
    }
    cursor.array(|cursor| {
        results.push(read_result(cursor)?);
        Some(())
    })?;
    Some(List::There)
}

fn read_result(cursor: &mut Cursor) -> Option<ItemPlaces> {
    let (mut code, mut extension, mut names) = (None, None, Names::default());
    cursor.object(|cursor| {
        if cursor.is_named(br#""ErrorCode""#) {
            once(&mut code, cursor.integer()?)
        } else if cursor.is_named(br#""Extension""#) {
            once(&mut extension, read_extension(cursor)?)
        } else {
            cursor.skip_member(&mut names, MOST_NESTED)
        }
    })?;
    let (key, value, seq) = extension?;
    Some(ItemPlaces { code: code?, seq, key, value })
}

fn read_extension(cursor: &mut Cursor) -> Option<(Range<usize>, Range<usize>, i64)> {
    let (mut key, mut value, mut seq, mut names) = (None, None, None, Names::default());
    cursor.object(|cursor| {
        if cursor.is_named(br#""Key""#) {
            once(&mut key, cursor.string()?)
        } else if cursor.is_named(br#""Value""#) {
            once(&mut value, cursor.string()?)
        } else if cursor.is_named(br#""Seq""#) {
            once(&mut seq, cursor.integer()?)
        } else {
            cursor.skip_member(&mut names, MOST_NESTED)
        }
    })?;
    Some((key?, value?, seq?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::{Value, json};

    use super::*;
    use crate::api::reply::{ActionStatus, Extension, KeyResult, Reply, decode};

    /// What was scanned, as `decode` gives it.
    fn scanned(body: &[u8]) -> Option<Reply> {
        let mut scanner = Scanner::default();
        let reply = scanner.scan(body)?;
        let result = |item: Item| KeyResult {
            code: item.code,
            extension: Extension { key: item.key.to_owned(), value: item.value.to_owned(), seq: item.seq },
        };
        let status = if reply.code == 0 { ActionStatus::Ok } else { ActionStatus::Fail };
        let results = reply.results().map(|items| items.map(result).collect());
        Some(Reply { status, code: reply.code, info: reply.info.to_owned(), results })
    }

    /// Whether the body is scanned; if so, `decode` must say the same of it.
    fn agrees(body: &[u8]) -> bool {
        let scanned = scanned(body);
        let is_scanned = scanned.is_some();
        if is_scanned {
            assert_eq!((scanned, vec![]), decode(body), "{}", String::from_utf8_lossy(body));
        }
        is_scanned
    }

    const DOCUMENTED: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[
        {"ErrorCode":0,"Extension":{"Key":"k1","Value":"v1","Seq":1}},
        {"ErrorCode":23001,"Extension":{"Key":"k2","Value":"v1234","Seq":2}}]}"#;

    #[test]
    fn the_documents_own_reply_is_scanned_key_by_key() {
        let mut scanner = Scanner::default();
        let reply = scanner.scan(DOCUMENTED.as_bytes()).expect("plain");
        let items: Vec<Item> = reply.results().expect("a list").collect();
        let expected =
            [Item { code: 0, key: "k1", value: "v1", seq: 1 }, Item { code: 23001, key: "k2", value: "v1234", seq: 2 }];
        assert_eq!((reply.code, reply.info, items.as_slice()), (0, "", expected.as_slice()));
    }

    #[test]
    fn a_scanner_used_again_forgets_the_reply_before() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan(DOCUMENTED.as_bytes()).and_then(|reply| Some(reply.results()?.len())), Some(2));
        let empty = br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ExtensionList":[]}"#;
        assert_eq!(scanner.scan(empty).and_then(|reply| Some(reply.results()?.len())), Some(0));
        let refused = br#"{"ActionStatus":"FAIL","ErrorInfo":"no","ErrorCode":60007}"#;
        assert!(scanner.scan(refused).is_some_and(|reply| reply.code == 60007 && reply.results().is_none()));
    }

    #[test]
    fn unknown_fields_white_space_and_null_lists_are_passed_over() {
        for body in [
            "\t{ \"ErrorCode\" : 0 , \"ErrorInfo\" : \"\" ,\r\n\"ActionStatus\" : \"OK\" } \n",
            r#"{"ActionStatus":"OK","ErrorInfo":"fine","ErrorCode":0,"ExtensionList":null,"RequestId":"5\"f0c","Cost":-0.25}"#,
            r#"{"A":{"A":[[],{},{"A":[1,true,false,null,"\\"]}]},"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"B":1}"#,
            r#"{"ActionStatus":"FAIL","ErrorInfo":"é","ErrorCode":-999999999999999999}"#,
        ] {
            assert!(agrees(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn whatever_is_not_plain_or_not_lawful_is_left_to_decode() {
        let with = |fields: &str| format!(r#"{{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0{fields}}}"#);
        let item = |item: &str| with(&format!(r#","ExtensionList":[{item}]"#));
        let deep = format!(r#","A":{}{}"#, "[".repeat(33), "]".repeat(33));
        for body in [
            String::new(),
            "[]".into(),
            with("") + "0",
            with(","),
            with(r#","ErrorCode":0"#),
            with(r#","A":1,"A":1"#),
            with(r#","A":[{"B":1,"C":2,"B":1}]"#),
            with(r#","A":"\ud800""#),
            with(r#","A":"\x""#),
            with(r#","A":1e999"#),
            with(r#","A":01"#),
            with(r#","A":1."#),
            with(r#","A":nul"#),
            with(",\"A\":\"\n\""),
            with(&deep),
            with(r#","ExtensionList":{}"#),
            item(r#"{"Key":"k","Value":"v","Seq":1}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":"1"}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":1.0}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":-0}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":9223372036854775807}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"a\nb","Seq":1}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Key":"k","Value":"v","Seq":1}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v"}}"#),
            item(r#"{"ErrorCode":0,"Extension":{"Key":"k","Value":"v","Seq":1}},"#),
            r#"{"ActionStatus":"OK","ErrorInfo":"x","ErrorCode":10004}"#.into(),
            r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":10004}"#.into(),
            r#"{"ActionStatus":"FAIL","ErrorInfo":"x","ErrorCode":0}"#.into(),
            r#"{"ActionStatus":"ok","ErrorInfo":"","ErrorCode":0}"#.into(),
            r#"{"ActionStatus":"OK","ErrorCode":0}"#.into(),
        ] {
            assert!(!agrees(body.as_bytes()), "{body}");
        }
        assert!(!agrees(b"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\xff\",\"ErrorCode\":0}"));
    }

    fn any_integer() -> impl Strategy<Value = i64> {
        prop_oneof![0..1000_i64, -999_999_999_999_999_999..=999_999_999_999_999_999_i64]
    }

    /// Text that JSON need not escape.
    fn plain_text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9 éü中\u{1F600}\u{7f}]{0,40}", "[!-\\[\\]-~&&[^\"]]{0,20}"]
    }

    prop_compose! {
        fn lawful()(
            code in prop_oneof![Just(0), any_integer()],
            info in plain_text(),
            items in prop::option::of(prop::collection::vec((any_integer(), plain_text(), plain_text(), any_integer()), 0..5)),
        ) -> Value {
            let info = if code != 0 && info.is_empty() { "why".into() } else { info };
            let mut reply = json!({
                "ActionStatus": if code == 0 { "OK" } else { "FAIL" }, "ErrorCode": code, "ErrorInfo": info, "RequestId": [{"a": 1.5}],
            });
            if let Some(items) = items {
                let item = |(code, key, value, seq)| json!({"ErrorCode": code, "Extension": {"Key": key, "Value": value, "Seq": seq}});
                reply["ExtensionList"] = items.into_iter().map(item).collect();
            }
            reply
        }
    }

    /// Bytes that mean something to a reader of JSON, and words that a reply may hold.
    const SHARDS: &[&str] = &[
        "",
        " ",
        "\"",
        "\\",
        "\\u00e9",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "0",
        "-",
        ".",
        "e9",
        "1",
        "99999999999",
        "null",
        "true",
        "\n",
        "\u{0}",
        "\u{80}",
        "\"ErrorCode\":0,",
        "\"Key\":\"k\",",
        "\"A\":{\"B\":[1]},",
        "OK",
        "FAIL",
        "\\\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn plain_lawful_replies_are_all_scanned(reply in lawful()) {
            prop_assert!(agrees(reply.to_string().as_bytes()));
            prop_assert!(agrees(&serde_json::to_vec_pretty(&reply).expect("a value")));
        }

        #[test]
        fn what_is_scanned_of_a_damaged_reply_is_what_decode_reads(
            reply in lawful(),
            damages in prop::collection::vec((any::<Index>(), 0..3_usize, select(SHARDS)), 1..4),
        ) {
            let mut body = reply.to_string().into_bytes();
            for (place, cut, shard) in damages {
                let start = place.index(body.len() + 1);
                let end = (start + cut).min(body.len());
                body.splice(start..end, shard.bytes());
                agrees(&body);
            }
        }
    }
}
