//! A value as OTLP JSON writes it, in an object whose one field says its type.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use tidegate_base::limit::SPAN_PAYLOAD_BYTES_MAX;

use crate::json::{Scalar, Type};
use crate::otlp_json::KeyValue;
use crate::payload::Given;

/// Deepest nesting of values that is looked at.
const DEPTH_MAX: usize = 16;
/// Most bytes of a list or a map that is looked into, with the types of its values: the payload in it has far
/// fewer.
const WRITTEN_MAX: usize = 16 * SPAN_PAYLOAD_BYTES_MAX;

/// A value.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnyValue<'a> {
    scalar: Scalar<'a>,
    of: Type,
    inner: Inner<'a>,
}

/// What is in the value, as with lists of headers: as it was written, since hardly any of it is asked
/// for, and since what lies too deep, or is of another form, is no reason to refuse a capture.
#[derive(Clone, Copy, Debug, Default)]
enum Inner<'a> {
    #[default]
    None,
    List(&'a RawValue),
    Map(&'a RawValue),
}

/// The fields of a value, in the names of protobuf and of JSON.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "stringValue", alias = "string_value")]
    Text,
    #[serde(rename = "intValue", alias = "int_value")]
    Whole,
    #[serde(rename = "boolValue", alias = "bool_value")]
    Flag,
    #[serde(rename = "doubleValue", alias = "double_value")]
    Real,
    #[serde(rename = "arrayValue", alias = "array_value")]
    List,
    #[serde(rename = "kvlistValue", alias = "kvlist_value")]
    Map,
    #[serde(other)]
    Other,
}

/// A list or a map: what it has is not read yet.
#[derive(Debug, Deserialize)]
struct Values<'a> {
    #[serde(default, borrow)]
    values: Option<Vec<&'a RawValue>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = AnyValue<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue<'de>, A::Error> {
                let mut value = AnyValue::default();
                while let Some(field) = map.next_key::<Field>()? {
                    let of = match field {
                        Field::Text => Type::Text,
                        Field::Whole => Type::Whole,
                        Field::Flag => Type::Flag,
                        Field::Real => Type::Real,
                        Field::List => {
                            value.inner = Inner::List(map.next_value()?);
                            continue;
                        }
                        Field::Map => {
                            value.inner = Inner::Map(map.next_value()?);
                            continue;
                        }
                        Field::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    value.scalar = map.next_value()?;
                    value.of = of;
                }
                Ok(value)
            }
        }
        deserializer.deserialize_map(ValueVisitor)
    }
}

impl<'a> AnyValue<'a> {
    /// The value; of a list the first one.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        let first = || match self.inner {
            Inner::List(list) => within::<Self>(list)?.next()?.scalar.0,
            _ => None,
        };
        self.scalar.text().map(Cow::Borrowed).or_else(first)
    }

    /// The value with its type and what is in it.
    pub(crate) fn given(&self) -> Option<Given<'_>> {
        let inner = match self.inner {
            Inner::None => "",
            Inner::List(inner) | Inner::Map(inner) => inner.get(),
        };
        // Every level is read again: of much that is too large nothing is.
        (inner.len() <= WRITTEN_MAX)
            .then(|| self.clone().given_within(DEPTH_MAX))
            .flatten()
    }

    fn given_within(self, depth: usize) -> Option<Given<'a>> {
        let depth = depth.checked_sub(1)?;
        match self.inner {
            Inner::None => self.scalar.0.map(|text| self.of.given(text)),
            Inner::List(list) => {
                let each = within::<Self>(list)?.filter_map(|value| value.given_within(depth));
                Some(Given::List(each.collect()))
            }
            Inner::Map(map) => {
                let each = within::<KeyValue<'_>>(map)?.filter_map(|entry| {
                    let given = entry.value?.given_within(depth)?;
                    Some((entry.key.0?, given))
                });
                Some(Given::Map(each.collect()))
            }
        }
    }
}

/// The elements of a list, or the entries of a map; nothing where it is neither.
fn within<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<impl Iterator<Item = T>> {
    let all: Option<Values<'_>> = read(raw)?;
    let values = all.and_then(|all| all.values).unwrap_or_default();
    Some(values.into_iter().filter_map(read))
}

/// Nothing where the value has another form.
fn read<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}
