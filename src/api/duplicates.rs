//! Fields of a JSON text that stand twice in their object: lawful JSON, of which each reader makes something else.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper than this nobody looks.
const DEEPEST: usize = 32;
/// More of them than this are not told.
const MOST: usize = 20;

/// The fields of an object in their order, unread.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Where fields stand that stood in their object before: `ErrorCode`, `ExtensionList[2].Extension.Seq`.
pub(super) fn places(value: &RawValue) -> Vec<String> {
    let mut places = Vec::new();
    let mut left = vec![(String::new(), 0, value)];
    while let Some((place, depth, value)) = left.pop() {
        if depth == DEEPEST || places.len() >= MOST {
            continue;
        }
        if value.get().starts_with('{') {
            let mut seen = HashSet::new();
            for (name, value) in serde_json::from_str(value.get()).map(|Members(members)| members).unwrap_or_default() {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                if !seen.insert(name) {
                    places.push(place.clone());
                }
                left.extend(holds_more(value).then_some((place, depth + 1, value)));
            }
        } else if value.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
            let items = items.into_iter().enumerate().filter(|(_, item)| holds_more(item));
            left.extend(items.map(|(index, item)| (format!("{place}[{index}]"), depth + 1, item)));
        }
    }
    places
}

fn holds_more(value: &RawValue) -> bool {
    value.get().starts_with(['{', '['])
}
