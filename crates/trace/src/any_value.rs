//! A value as OTLP JSON writes it, in an object whose one field says its type.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::json::{Scalar, Type};
use crate::otlp_json::KeyValue;
use crate::payload::Given;

/// Deepest nesting of values that is looked at.
const DEPTH_MAX: usize = 16;

/// A value.
#[derive(Debug, Default)]
pub(crate) struct AnyValue<'a> {
    scalar: Scalar<'a>,
    of: Type,
    inner: Inner<'a>,
}

/// What is in the value, as with lists of headers.
#[derive(Debug, Default)]
enum Inner<'a> {
    #[default]
    None,
    List(Vec<AnyValue<'a>>),
    Map(Vec<KeyValue<'a>>),
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

#[derive(Debug, Deserialize)]
struct List<'a> {
    #[serde(default, borrow)]
    values: Option<Vec<AnyValue<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Map<'a> {
    #[serde(default, borrow)]
    values: Option<Vec<KeyValue<'a>>>,
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
                            let list: Option<List<'de>> = map.next_value()?;
                            let values = list.and_then(|list| list.values);
                            value.inner = Inner::List(values.unwrap_or_default());
                            continue;
                        }
                        Field::Map => {
                            let inner: Option<Map<'de>> = map.next_value()?;
                            let values = inner.and_then(|inner| inner.values);
                            value.inner = Inner::Map(values.unwrap_or_default());
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

impl AnyValue<'_> {
    /// The value; of a list the first one.
    pub(crate) fn text(&self) -> Option<&str> {
        let first = || match &self.inner {
            Inner::List(values) => values.first()?.scalar.text(),
            _ => None,
        };
        self.scalar.text().or_else(first)
    }

    /// The value with its type and what is in it.
    pub(crate) fn given(&self) -> Option<Given<'_>> {
        self.given_within(DEPTH_MAX)
    }

    fn given_within(&self, depth: usize) -> Option<Given<'_>> {
        let depth = depth.checked_sub(1)?;
        match &self.inner {
            Inner::None => self.scalar.text().map(|text| self.of.given(text)),
            Inner::List(values) => {
                let each = values.iter().filter_map(|value| value.given_within(depth));
                Some(Given::List(each.collect()))
            }
            Inner::Map(values) => {
                let each = values.iter().filter_map(|entry| {
                    let given = entry.value.as_ref()?.given_within(depth)?;
                    Some((entry.key.text()?.into(), given))
                });
                Some(Given::Map(each.collect()))
            }
        }
    }
}
