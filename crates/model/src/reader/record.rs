//! What the reader returns: values of the right type, each with its place.

use std::time::Duration;

use tidegate_base::{Bytes, Name, Rate, Ratio};

use crate::design::{Located, SchemaFormat};
use crate::finding::Place;
use crate::shape::Section;
use crate::words::Word;

/// A value of the kind that its field has.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Duration(Duration),
    Rate(Rate),
    Bytes(Bytes),
    Ratio(Ratio),
    Count(u32),
    Name(Name),
    Text(String),
    Word(&'static str),
    /// One plain value.
    Json(serde_json::Value),
    /// A schema in a file: the path as written, and its format.
    SchemaFile(String, SchemaFormat),
    /// A JSON Schema written inline, as JSON.
    SchemaInline(String),
    List(Vec<Located<Value>>),
    Section(Box<Record>),
    Named(Vec<(Name, Record)>),
    Weights(Vec<(String, Located<f64>)>),
}

/// A section as read: a slot for each of its fields, empty where nothing is to be had.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Where it is written; where its parent is when it is absent.
    pub(crate) place: Place,
    pub(super) section: &'static Section,
    pub(super) slots: Vec<Option<Located<Value>>>,
    /// Fields that are written, and of which nothing is to be had: there is a finding for each.
    pub(super) refused: Vec<&'static str>,
}

impl Value {
    /// A name, text or word as text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name.as_str()),
            Self::Text(text) => Some(text),
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// A type that a value may be read as.
pub(crate) trait FromValue: Sized {
    /// The value as this type; `None` when it is of another kind.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty = $variant:ident,)+) => {
        $(impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        })+
    };
}

from_value! {
    Duration = Duration,
    Rate = Rate,
    Bytes = Bytes,
    Ratio = Ratio,
    u32 = Count,
    Name = Name,
    serde_json::Value = Json,
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        value.as_text().map(str::to_owned)
    }
}

impl<T: Word> FromValue for T {
    fn from_value(value: &Value) -> Option<Self> {
        value.as_text().and_then(T::from_word)
    }
}

impl Record {
    /// The value of a field with its place; `None` when it is absent and has no default.
    pub(crate) fn get<T: FromValue>(&self, name: &str) -> Option<Located<T>> {
        let Located { value, place } = self.slot(name)?;
        T::from_value(value).map(|value| Located {
            value,
            place: place.clone(),
        })
    }

    /// The value of a field that has a default.
    pub(crate) fn located<T: FromValue + Default>(&self, name: &str) -> Located<T> {
        self.get(name).unwrap_or_else(|| Located {
            value: T::default(),
            place: self.place.clone(),
        })
    }

    /// The value of a field that has a default, without its place.
    pub(crate) fn value<T: FromValue + Default>(&self, name: &str) -> T {
        self.located(name).value
    }

    /// The items of a list; `None` when it is absent.
    pub(crate) fn list<T: FromValue>(&self, name: &str) -> Option<Vec<Located<T>>> {
        let Value::List(items) = &self.slot(name)?.value else {
            return None;
        };
        let located = |item: &Located<Value>| {
            T::from_value(&item.value).map(|value| Located {
                value,
                place: item.place.clone(),
            })
        };
        Some(items.iter().filter_map(located).collect())
    }

    /// The sections of a list, in the order written; none when it is absent.
    pub(crate) fn sections(&self, name: &str) -> impl Iterator<Item = &Self> {
        let items = match self.slot(name).map(|slot| &slot.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().filter_map(|item| match &item.value {
            Value::Section(record) => Some(&**record),
            _ => None,
        })
    }

    /// A section within this one; `None` when it is absent and has no default.
    pub(crate) fn section(&self, name: &str) -> Option<&Self> {
        match &self.slot(name)?.value {
            Value::Section(record) => Some(record),
            _ => None,
        }
    }

    /// Sections by name, in the order written; none when they are absent.
    pub(crate) fn named(&self, name: &str) -> &[(Name, Self)] {
        match self.slot(name).map(|slot| &slot.value) {
            Some(Value::Named(records)) => records,
            _ => &[],
        }
    }

    /// Criteria with their weights, in the order written; none when they are absent.
    pub(crate) fn weights(&self, name: &str) -> &[(String, Located<f64>)] {
        match self.slot(name).map(|slot| &slot.value) {
            Some(Value::Weights(weights)) => weights,
            _ => &[],
        }
    }

    /// Whether a field is written and was refused.
    pub(crate) fn is_refused(&self, name: &str) -> bool {
        self.refused.contains(&name)
    }

    /// What is in the slot of a field. The name is one of the section's: it comes from our own code.
    pub(crate) fn slot(&self, name: &str) -> Option<&Located<Value>> {
        let position = self.section.position(name);
        debug_assert!(
            position.is_some(),
            "section {} has no field {name}",
            self.section.name
        );
        self.slots.get(position?)?.as_ref()
    }
}
