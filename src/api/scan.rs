//! A plain reply read in one pass without a copy. Whatever is not plain is left to [`super::reply::decode`], which says
//! what is wrong with it: what is read here, that reads alike and without a defect.

/// The most pairs that a call can have, and so a reply.
pub const MOST_ITEMS: usize = 20;

/// What a plain reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    pub code: i64,
    /// Whether there is an `ExtensionList`.
    pub has_list: bool,
    items: [Item<'a>; MOST_ITEMS],
    count: usize,
}

/// One key's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item<'a> {
    pub code: i64,
    pub key: &'a str,
    pub value: &'a str,
    pub seq: i64,
}

impl<'a> Scanned<'a> {
    pub fn items(&self) -> &[Item<'a>] {
        &self.items[..self.count]
    }
}

/// Reads a body, or `None` where it is not plain.
pub fn scan(body: &[u8]) -> Option<Scanned<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut cursor = Cursor { text, at: 0 };
    let (mut status, mut code, mut info) = (None, None, None);
    let mut scanned = Scanned { code: 0, has_list: false, items: [Item::default(); MOST_ITEMS], count: 0 };
    cursor.object(|cursor, field| match field {
        "ActionStatus" => once(&mut status, cursor.string()?),
        "ErrorCode" => once(&mut code, cursor.integer()?),
        "ErrorInfo" => once(&mut info, cursor.string()?),
        "ExtensionList" if !scanned.has_list => {
            scanned.has_list = true;
            cursor.array(|cursor| {
                let item = item(cursor)?;
                *scanned.items.get_mut(scanned.count)? = item;
                scanned.count += 1;
                Some(())
            })
        }
        "ExtensionList" => None,
        _ => cursor.skip(MOST_DEPTH),
    })?;
    cursor.white();
    scanned.code = code?;
    let fits = match status? {
        "OK" => scanned.code == 0,
        "FAIL" => scanned.code != 0 && !info?.is_empty(),
        _ => false,
    };
    (fits && info.is_some() && cursor.at == text.len()).then_some(scanned)
}

/// Unknown fields may nest, to a depth that no stack minds.
const MOST_DEPTH: u8 = 16;

fn item<'a>(cursor: &mut Cursor<'a>) -> Option<Item<'a>> {
    let (mut code, mut extension) = (None, None);
    cursor.object(|cursor, field| match field {
        "ErrorCode" => once(&mut code, cursor.integer()?),
        "Extension" => {
            let (mut key, mut value, mut seq) = (None, None, None);
            cursor.object(|cursor, field| match field {
                "Key" => once(&mut key, cursor.string()?),
                "Value" => once(&mut value, cursor.string()?),
                "Seq" => once(&mut seq, cursor.integer()?),
                _ => cursor.skip(MOST_DEPTH),
            })?;
            once(&mut extension, (key?, value?, seq?))
        }
        _ => cursor.skip(MOST_DEPTH),
    })?;
    let (key, value, seq) = extension?;
    Some(Item { code: code?, key, value, seq })
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn object(&mut self, mut field: impl FnMut(&mut Cursor<'a>, &'a str) -> Option<()>) -> Option<()> {
        self.list(b'{', b'}', |cursor| {
            let name = cursor.string()?;
            cursor.white();
            cursor.eat(b':')?;
            cursor.white();
            field(cursor, name)
        })
    }

    fn array(&mut self, item: impl FnMut(&mut Cursor<'a>) -> Option<()>) -> Option<()> {
        self.list(b'[', b']', item)
    }

    fn list(&mut self, opening: u8, closing: u8, mut part: impl FnMut(&mut Cursor<'a>) -> Option<()>) -> Option<()> {
        self.white();
        self.eat(opening)?;
        self.white();
        if self.eat(closing).is_some() {
            return Some(());
        }
        loop {
            self.white();
            part(self)?;
            self.white();
            if self.eat(b',').is_none() {
                return self.eat(closing);
            }
        }
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        if rest[length] != b'"' {
            return None;
        }
        let text = &self.text[self.at..self.at + length];
        self.at += length + 1;
        Some(text)
    }

    /// An integer of at most 18 digits, as JSON writes it.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.eat(b'-').is_some();
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == 18 {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        let digits = &self.text.as_bytes()[start..self.at];
        let plain = !digits.is_empty() && (digits.len() == 1 || digits[0] != b'0');
        if !plain || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        Some(if negative { -number } else { number })
    }

    /// Any plain value.
    fn skip(&mut self, depth: u8) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' if depth > 0 => self.object(|cursor, _| cursor.skip(depth - 1)),
            b'[' if depth > 0 => self.array(|cursor| cursor.skip(depth - 1)),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.integer().map(drop),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::reply::decode;

    const DOCUMENTED: &str = r#"{
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "ExtensionList": [
        {"ErrorCode": 0, "Extension": {"Key": "k1", "Value": "v1", "Seq": 1}},
        {"ErrorCode": 23001, "Extension": {"Key": "k2", "Value": "v1234", "Seq": 2}}]}"#;

    /// Whatever is read here has to be what the lenient reader reads, without a defect.
    fn check(body: &[u8]) -> bool {
        let Some(scanned) = scan(body) else { return false };
        let (reply, defects) = decode(body);
        let text = String::from_utf8_lossy(body);
        assert_eq!(defects, [], "{text}");
        let reply = reply.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(reply.code, scanned.code, "{text}");
        assert_eq!(reply.results.is_some(), scanned.has_list, "{text}");
        let results = reply.results.unwrap_or_default();
        assert_eq!(results.len(), scanned.items().len(), "{text}");
        for (result, item) in results.iter().zip(scanned.items()) {
            let extension = &result.extension;
            assert_eq!(
                (result.code, &*extension.key, &*extension.value, extension.seq),
                (item.code, item.key, item.value, item.seq)
            );
        }
        true
    }

    #[test]
    fn plain_replies_are_read_and_unknown_fields_passed_over() {
        let plain = [
            DOCUMENTED,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ExtensionList":[{"ErrorCode":0,"Extension":{"Key":"k","Seq":1,"Value":""}}]}"#,
            r#"{"ActionStatus":"FAIL","ErrorCode":60007,"ErrorInfo":"too often"}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ExtensionList":[]}"#,
            r#" {"RequestId":[1,{"a":null}],"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"é","Seq":-3} "#,
        ];
        for body in plain {
            assert!(check(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_the_lenient_reader() {
        let others = [
            "",
            "[]",
            r#"{"ActionStatus":"OK","ErrorCode":0}"#,
            r#"{"ActionStatus":"OK","ErrorCode":"0","ErrorInfo":""}"#,
            r#"{"ActionStatus":"OK","ErrorCode":01,"ErrorInfo":""}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0.0,"ErrorInfo":""}"#,
            r#"{"ActionStatus":"OK","ErrorCode":60007,"ErrorInfo":"x"}"#,
            r#"{"ActionStatus":"FAIL","ErrorCode":60007,"ErrorInfo":""}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorCode":0,"ErrorInfo":""}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"\u0041"}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""} x"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ExtensionList":{}}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ExtensionList":[{"Extension":{"Key":"k","Value":"v","Seq":1}}]}"#,
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"",}"#,
        ];
        for body in others {
            assert_eq!(scan(body.as_bytes()), None, "{body}");
        }
        assert_eq!(scan(b"{\"ActionStatus\":\"OK\",\"ErrorCode\":0,\"ErrorInfo\":\"\xff\"}"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn damage_never_makes_it_read_something_else(at in 0..DOCUMENTED.len(), byte: u8, cut in 0..DOCUMENTED.len()) {
            let mut body = DOCUMENTED.as_bytes().to_vec();
            body[at] = byte;
            check(&body);
            body.remove(cut);
            check(&body);
        }
    }
}
