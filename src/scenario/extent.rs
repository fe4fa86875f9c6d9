//! The least and the most of something, as plans write it.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::schema::schemas;

/// The least and the most of something: a number, or `{from: 1, to: 20}`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent(pub u32, pub u32);

impl<'de> Deserialize<'de> for Extent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Extent, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ends {
            from: u32,
            to: u32,
        }
        struct ExtentVisitor;
        impl<'de> Visitor<'de> for ExtentVisitor {
            type Value = Extent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or { from: 1, to: 20 }")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Extent, E> {
                let number = u32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                Ok(Extent(number, number))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Extent, A::Error> {
                let Ends { from, to } = Ends::deserialize(MapAccessDeserializer::new(map))?;
                if from > to { Err(de::Error::custom("`from` is more than `to`")) } else { Ok(Extent(from, to)) }
            }
        }
        deserializer.deserialize_any(ExtentVisitor)
    }
}

schemas! {
    Extent: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "object", "additionalProperties": false, "required": ["from", "to"],
        "properties": {"from": {"type": "integer", "minimum": 0}, "to": {"type": "integer", "minimum": 0}}}],
        "description": "A number, or { from: …, to: … }."};
}
