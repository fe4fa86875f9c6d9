//! The small words of the YAML: texts of an exact length, Seqs by name, sets of codes, spans of time.
//!
//! Each reads more than one YAML type (a number or a word, a text or a recipe), and says so when it gets neither.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

use crate::scenario::schema::schemas;

/// A text: as it stands, or `{ repeat: "é", bytes: 1000 }`, which repeats the characters up to exactly that many bytes
/// (an `a` fills what a wide character leaves).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

/// Longest text that a recipe makes: far beyond every bound of the API, and no danger to the memory.
const MOST_BYTES: usize = 1 << 20;

/// The Seq that a call sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seq {
    /// The last one that the target told for the key; 0 for a key that was never seen.
    #[default]
    Latest,
    /// One below the latest.
    Stale,
    /// One above the latest.
    Ahead,
    /// The field is left out.
    Absent,
    Number(i64),
}

/// The Seq that a result, or a key read back, has to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqExpect {
    /// The one last told before this call.
    Latest,
    /// More than the one last told before this call.
    Grown,
    Number(i64),
}

/// Error codes of which one is expected: `0`, `[60007, 60011]`, or `any` for whichever but 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    AnyRefusal,
    OneOf(Vec<i64>),
}

/// What a key read back has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Not there, or there with an empty value, as a deleted pair may be.
    Absent,
    Present {
        value: Option<Text>,
        seq: Option<SeqExpect>,
    },
}

/// A request body: text (with `<MsgKey>`, `<From_Account>`, `<To_Account>` filled in), `{ hex: "ff fe" }`, or `{ json: … }`
/// (placeholders filled in, in its strings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Text(String),
    Hex(Vec<u8>),
    Json(Json),
}

impl Codes {
    pub fn contains(&self, code: i64) -> bool {
        match self {
            Codes::AnyRefusal => code != 0,
            Codes::OneOf(codes) => codes.contains(&code),
        }
    }
}

impl Default for Codes {
    fn default() -> Codes {
        Codes::OneOf(vec![0])
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Recipe {
            repeat: String,
            bytes: usize,
        }
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text (quote a number), or { repeat: …, bytes: … }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                let recipe = Recipe::deserialize(MapAccessDeserializer::new(map))?;
                if recipe.bytes > MOST_BYTES {
                    return Err(de::Error::custom(format!("a text has at most {MOST_BYTES} bytes")));
                }
                repeated(&recipe.repeat, recipe.bytes).map(Text).ok_or_else(|| de::Error::custom("there is nothing to repeat"))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// `pattern` over and over, as many whole characters as fit, then `a` up to exactly `bytes`.
fn repeated(pattern: &str, bytes: usize) -> Option<String> {
    let mut text = String::with_capacity(bytes);
    if pattern.is_empty() {
        return None;
    }
    for character in pattern.chars().cycle() {
        if text.len() + character.len_utf8() > bytes {
            break;
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('a', bytes - text.len()));
    Some(text)
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seq, D::Error> {
        const WORDS: &[(&str, Seq)] =
            &[("latest", Seq::Latest), ("stale", Seq::Stale), ("ahead", Seq::Ahead), ("absent", Seq::Absent)];
        number_or_word(deserializer, "a number, or latest, stale, ahead or absent", WORDS, Seq::Number)
    }
}

impl<'de> Deserialize<'de> for SeqExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SeqExpect, D::Error> {
        const WORDS: &[(&str, SeqExpect)] = &[("latest", SeqExpect::Latest), ("grown", SeqExpect::Grown)];
        number_or_word(deserializer, "a number, or latest or grown", WORDS, SeqExpect::Number)
    }
}

/// Reads an integer, or one of a few words.
fn number_or_word<'de, D: Deserializer<'de>, T: Copy + 'static>(
    deserializer: D,
    expecting: &'static str,
    words: &'static [(&'static str, T)],
    number: fn(i64) -> T,
) -> Result<T, D::Error> {
    struct WordVisitor<T: 'static> {
        expecting: &'static str,
        words: &'static [(&'static str, T)],
        number: fn(i64) -> T,
    }
    impl<T: Copy> Visitor<'_> for WordVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expecting)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
            Ok((self.number)(value))
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
            i64::try_from(value).map(self.number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            let word = self.words.iter().find(|(word, _)| *word == text);
            word.map(|(_, value)| *value).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(WordVisitor { expecting, words, number })
}

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Codes, D::Error> {
        struct CodesVisitor;
        impl<'de> Visitor<'de> for CodesVisitor {
            type Value = Codes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a code, a list of codes, or any")
            }
            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Codes, E> {
                Ok(Codes::OneOf(vec![code]))
            }
            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Codes, E> {
                let code = i64::try_from(code).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(code), &self))?;
                self.visit_i64(code)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Codes, E> {
                (text == "any").then_some(Codes::AnyRefusal).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Codes, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Codes::OneOf)
            }
        }
        deserializer.deserialize_any(CodesVisitor)
    }
}

impl<'de> Deserialize<'de> for KeyState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeyState, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair {
            #[serde(default)]
            value: Option<Text>,
            #[serde(default)]
            seq: Option<SeqExpect>,
        }
        struct StateVisitor;
        impl<'de> Visitor<'de> for StateVisitor {
            type Value = KeyState;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("absent, a value (quote a number), or { value: …, seq: … }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyState, E> {
                Ok(match text {
                    "absent" => KeyState::Absent,
                    value => KeyState::Present { value: Some(Text(value.to_owned())), seq: None },
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyState, A::Error> {
                let pair = Pair::deserialize(MapAccessDeserializer::new(map))?;
                Ok(KeyState::Present { value: pair.value, seq: pair.seq })
            }
        }
        deserializer.deserialize_any(StateVisitor)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct BodyRecipe {
            #[serde(default)]
            hex: Option<String>,
            // A null of its own is a body, too.
            #[serde(default, deserialize_with = "present")]
            json: Option<Json>,
        }
        fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
            Json::deserialize(deserializer).map(Some)
        }
        struct BodyVisitor;
        impl<'de> Visitor<'de> for BodyVisitor {
            type Value = Body;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { hex: … } or { json: … }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Body, E> {
                Ok(Body::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body, A::Error> {
                match BodyRecipe::deserialize(MapAccessDeserializer::new(map))? {
                    BodyRecipe { json: None, hex: Some(digits) } => bytes_of_hex(&digits)
                        .map(Body::Hex)
                        .ok_or_else(|| de::Error::custom("hex takes pairs of the digits 0-9 and a-f, like \"ff 00\"")),
                    BodyRecipe { json: Some(json), hex: None } => Ok(Body::Json(json)),
                    BodyRecipe { .. } => Err(de::Error::custom("a body is either { hex: … } or { json: … }")),
                }
            }
        }
        deserializer.deserialize_any(BodyVisitor)
    }
}

fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A longer text is written as a recipe, where it is one.
const LONGEST_WRITTEN_OUT: usize = 60;

impl Text {
    /// The character that the text repeats, where a recipe says it in less.
    fn repeats(&self) -> Option<&str> {
        let first = self.0.chars().next().filter(|_| (LONGEST_WRITTEN_OUT..=MOST_BYTES).contains(&self.0.len()))?;
        let pattern = &self.0[..first.len_utf8()];
        (repeated(pattern, self.0.len())? == self.0).then_some(pattern)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.repeats() {
            None => serializer.serialize_str(&self.0),
            Some(repeat) => {
                let mut recipe = serializer.serialize_map(Some(2))?;
                recipe.serialize_entry("repeat", repeat)?;
                recipe.serialize_entry("bytes", &self.0.len())?;
                recipe.end()
            }
        }
    }
}

impl Serialize for Seq {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Seq::Latest => serializer.serialize_str("latest"),
            Seq::Stale => serializer.serialize_str("stale"),
            Seq::Ahead => serializer.serialize_str("ahead"),
            Seq::Absent => serializer.serialize_str("absent"),
            Seq::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

impl Serialize for SeqExpect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SeqExpect::Latest => serializer.serialize_str("latest"),
            SeqExpect::Grown => serializer.serialize_str("grown"),
            SeqExpect::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

impl Serialize for Codes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Codes::AnyRefusal => serializer.serialize_str("any"),
            Codes::OneOf(codes) => match codes[..] {
                [code] => serializer.serialize_i64(code),
                _ => codes.serialize(serializer),
            },
        }
    }
}

impl Serialize for KeyState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            KeyState::Absent => serializer.serialize_str("absent"),
            // The word `absent` and a recipe mean a value only where it is called one.
            KeyState::Present { value: Some(value), seq: None } if value.0 != "absent" && value.repeats().is_none() => {
                value.serialize(serializer)
            }
            KeyState::Present { value, seq } => {
                let mut pair = serializer.serialize_map(None)?;
                if let Some(value) = value {
                    pair.serialize_entry("value", value)?;
                }
                if let Some(seq) = seq {
                    pair.serialize_entry("seq", seq)?;
                }
                pair.end()
            }
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, content) = match self {
            Body::Text(text) => return serializer.serialize_str(text),
            Body::Hex(bytes) => {
                let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                ("hex", Json::String(digits.join(" ")))
            }
            Body::Json(json) => ("json", json.clone()),
        };
        let mut body = serializer.serialize_map(Some(1))?;
        body.serialize_entry(kind, &content)?;
        body.end()
    }
}

schemas! {
    Text: {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false, "required": ["repeat", "bytes"],
        "properties": {"repeat": {"type": "string"}, "bytes": {"type": "integer", "minimum": 0}}}],
        "description": "A text, or { repeat: …, bytes: … }: characters repeated up to exactly that many bytes."};
    Seq: {"anyOf": [{"type": "integer"}, {"enum": ["latest", "stale", "ahead", "absent"]}],
        "description": "The Seq to send: a number, or one relative to the last that the target told for the key."};
    SeqExpect: {"anyOf": [{"type": "integer"}, {"enum": ["latest", "grown"]}]};
    Codes: {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}, {"const": "any"}],
        "description": "Error codes of which one is expected; any: whichever but 0."};
    KeyState: {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false,
        "properties": {"value": {"type": ["string", "object"]}, "seq": {}}}],
        "description": "absent, a value, or { value: …, seq: … }."};
    Body: {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
        "properties": {"hex": {"type": "string"}, "json": {}}}],
        "description": "The whole body; <MsgKey>, <From_Account> and <To_Account> are filled in."};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(yaml: &str) -> Result<T, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_recipe_gives_exactly_so_many_bytes_of_whole_characters() {
        for (repeat, bytes) in [("a", 100), ("é", 1000), ("é", 99), ("中", 100), ("😀", 101), ("aé中😀", 1000)] {
            let text: Text = read(&format!("{{ repeat: {repeat}, bytes: {bytes} }}")).expect("a text");
            assert_eq!(text.0.len(), bytes, "{repeat}");
        }
        assert!(read::<Text>("{ repeat: '', bytes: 3 }").is_err());
        assert!(read::<Text>("5").is_err_and(|error| error.contains("quote a number")));
    }

    #[test]
    fn seqs_are_numbers_or_known_words() {
        assert_eq!(read("latest"), Ok(Seq::Latest));
        assert_eq!(read("-1"), Ok(Seq::Number(-1)));
        assert!(read::<Seq>("newest").is_err());
        assert_eq!(read("grown"), Ok(SeqExpect::Grown));
        assert!(read::<SeqExpect>("stale").is_err());
    }

    #[test]
    fn codes_are_one_many_or_any() {
        assert_eq!(read("23001"), Ok(Codes::OneOf(vec![23001])));
        assert_eq!(read("[60007, 60011]"), Ok(Codes::OneOf(vec![60007, 60011])));
        assert_eq!(read("any"), Ok(Codes::AnyRefusal));
        assert!(read::<Codes>("none").is_err());
        assert!(!Codes::AnyRefusal.contains(0));
    }

    #[test]
    fn bodies_are_text_bytes_or_json() {
        assert_eq!(read("{ hex: ff 0A }"), Ok(Body::Hex(vec![255, 10])));
        assert_eq!(read("{ json: null }"), Ok(Body::Json(Json::Null)));
        for wrong in ["{ hex: f }", "{ hex: +f }", "{ hex: ff, json: 1 }", "{}"] {
            assert!(read::<Body>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read("'{}'"), Ok(Body::Text("{}".into())));
    }
}
