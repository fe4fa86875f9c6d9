//! The tree as serde reads it: each node knows its path, and none that was left out is seen.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde_yaml::{Mapping, Value};

use super::mistake::{Mistake, MistakeKind, Pruning};
use super::source::{child_path, item_path};

/// One node of the tree, without what is hidden.
pub(super) struct Node<'de, 'h> {
    pub(super) value: &'de Value,
    pub(super) path: String,
    pub(super) cut: &'h Pruning,
}

impl<'de> Node<'de, '_> {
    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.cut.stands_in(&self.path) {
            return visitor.visit_seq(Items { items: [].iter().enumerate(), list: &self });
        }
        let Value::Sequence(items) = self.value else { return Err(Mistake::wrong(&self.path, "a list", self.value)) };
        visitor.visit_seq(Items { items: items.iter().enumerate(), list: &self }).map_err(|error| error.at(&self.path))
    }

    fn mapping<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Value::Mapping(mapping) = self.value else { return Err(Mistake::wrong(&self.path, "a mapping", self.value)) };
        let stand_ins = if self.path == self.cut.root { self.cut.stand_ins.iter() } else { [].iter() };
        let entries = Entries { rest: mapping.iter(), stand_ins, value: None, mapping: &self };
        visitor.visit_map(entries).map_err(|error| error.at(&self.path))
    }

    fn whole_number<V: Visitor<'de>>(self, visitor: V, least: i128, most: i128) -> Result<V::Value, Mistake> {
        let number = match self.value {
            Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
            _ => None,
        };
        let Some(number) = number.filter(|number| (least..=most).contains(number)) else {
            let expected = match (least, most) {
                (0, most) if most > i128::from(u32::MAX) => "a whole number, 0 or more".to_owned(),
                (least, most) if least < i128::from(i32::MIN) && most > i128::from(i32::MAX) => "a whole number".to_owned(),
                _ => format!("a whole number from {least} to {most}"),
            };
            return Err(Mistake::wrong(&self.path, expected, self.value));
        };
        match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => return Err(Mistake::wrong(&self.path, "a whole number", self.value)),
        }
        .map_err(|error: Mistake| error.at(&self.path))
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.cut.stands_in(&self.path) {
            return visitor.visit_str("");
        }
        let Value::String(text) = self.value else {
            return Err(Mistake::wrong(&self.path, "a text (quote a number)", self.value));
        };
        visitor.visit_borrowed_str(text).map_err(|error: Mistake| error.at(&self.path))
    }

    fn child(&self, key: &str) -> String {
        child_path(&self.path, key)
    }

    fn entries(&self, mapping: &'de Mapping) -> impl Iterator<Item = (&'de str, &'de Value, String)> {
        let visible = mapping.iter().filter_map(|(key, value)| {
            let key = key.as_str()?;
            Some((key, value, self.child(key)))
        });
        visible.filter(|(_, _, path)| !self.cut.hides(path))
    }
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            self.whole_number(visitor, i128::from(<$type>::MIN), i128::from(<$type>::MAX))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node<'de, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let result = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_i64(number),
                (_, Some(number), _) => visitor.visit_u64(number),
                (_, _, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(_) => return self.list(visitor),
            Value::Mapping(_) => return self.mapping(visitor),
            Value::Tagged(_) => return Err(Mistake::wrong(&self.path, "a value without a tag", self.value)),
        };
        result.map_err(|error: Mistake| error.at(&self.path))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Value::Bool(value) = self.value else { return Err(Mistake::wrong(&self.path, "true or false", self.value)) };
        visitor.visit_bool(*value).map_err(|error: Mistake| error.at(&self.path))
    }

    whole_numbers! {
        deserialize_i8: i8; deserialize_i16: i16; deserialize_i32: i32; deserialize_i64: i64;
        deserialize_u8: u8; deserialize_u16: u16; deserialize_u32: u32; deserialize_u64: u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Some(number) = self.value.as_f64() else { return Err(Mistake::wrong(&self.path, "a number", self.value)) };
        visitor.visit_f64(number).map_err(|error: Mistake| error.at(&self.path))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.value.is_null() { visitor.visit_unit() } else { Err(Mistake::wrong(&self.path, "nothing", self.value)) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.mapping(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let chosen = match self.value {
            Value::String(text) => Variant { name: text, path: self.path.clone(), content: None },
            Value::Mapping(mapping) => {
                let mut entries = self.entries(mapping);
                let Some((name, value, path)) = entries.next() else {
                    return Err(Mistake::new(&self.path, MistakeKind::NoVariant { known }));
                };
                if let Some((second, _, path)) = entries.next() {
                    let is_variant = known.contains(&second);
                    let kind = MistakeKind::SecondVariant { first: name.to_owned(), second: second.to_owned(), is_variant };
                    return Err(Mistake::new(&path, kind));
                }
                Variant { name, path: path.clone(), content: Some(Node { value, path, cut: self.cut }) }
            }
            other => return Err(Mistake::wrong(&self.path, format!("one of {}", known.join(", ")), other)),
        };
        visitor.visit_enum(chosen).map_err(|error| error.at(&self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
}

struct Items<'n, 'de, 'h> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    list: &'n Node<'de, 'h>,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de, '_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        for (index, value) in self.items.by_ref() {
            let path = item_path(&self.list.path, index);
            if !self.list.cut.hides(&path) {
                let item = seed.deserialize(Node { value, path, cut: self.list.cut });
                return item.map(Some).map_err(|error| error.at(&item_path(&self.list.path, index)));
            }
        }
        Ok(None)
    }
}

struct Entries<'n, 'de, 'h> {
    rest: serde_yaml::mapping::Iter<'de>,
    stand_ins: std::slice::Iter<'h, &'static str>,
    value: Option<(&'de str, Node<'de, 'h>)>,
    mapping: &'n Node<'de, 'h>,
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de, '_> {
    type Error = Mistake;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        for (key, value) in self.rest.by_ref() {
            let Some(key) = key.as_str() else { continue };
            let path = self.mapping.child(key);
            if self.mapping.cut.hides(&path) {
                continue;
            }
            let name: StrDeserializer<'_, Mistake> = key.into_deserializer();
            let result = seed.deserialize(name).map_err(|error| error.at(&path));
            self.value = Some((key, Node { value, path, cut: self.mapping.cut }));
            return result.map(Some);
        }
        let Some(field) = self.stand_ins.next() else { return Ok(None) };
        self.value = Some((field, Node { value: &Value::Null, path: self.mapping.child(field), cut: self.mapping.cut }));
        let key: StrDeserializer<'_, Mistake> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mistake> {
        match self.value.take() {
            // A type that reads by way of another one raises its own errors here, outside of the node.
            Some((key, node)) => seed.deserialize(node).map_err(|error| error.at(&self.mapping.child(key))),
            None => Err(de::Error::custom("an entry without a value")),
        }
    }
}

/// A variant's name, and its content where it was written as `name: content`.
struct Variant<'de, 'h> {
    name: &'de str,
    path: String,
    content: Option<Node<'de, 'h>>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de, '_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(variant) => Ok((variant, self)),
            Err(Mistake { kind: MistakeKind::UnknownVariant { variant, known, .. }, .. }) => {
                Err(Mistake::new(&self.path, MistakeKind::UnknownVariant { variant, known, is_key: self.content.is_some() }))
            }
            Err(error) => Err(error.at(&self.path)),
        }
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de, '_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        match self.content {
            None => Ok(()),
            Some(node) => Err(Mistake::wrong(&node.path, format!("just the word `{}`", self.name), node.value)),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mistake> {
        match self.content {
            Some(node) => seed.deserialize(node),
            None => Err(Mistake::new(
                &self.path,
                MistakeKind::Custom(format!("`{0}` needs to be told what: write `{0}: …`", self.name)),
            )),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.newtype_variant_seed(std::marker::PhantomData::<de::IgnoredAny>)?;
        visitor.visit_unit()
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        match self.content {
            Some(node) => node.mapping(visitor),
            None => Err(Mistake::new(
                &self.path,
                MistakeKind::Custom(format!("`{0}` needs a mapping: write `{0}: {{…}}`", self.name)),
            )),
        }
    }
}
