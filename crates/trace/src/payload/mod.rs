//! What spans tell of payloads: the names and types of their fields, and no value of them.
//!
//! Only a draft asks for it, so nothing of it is read otherwise. A span's share is made while it is
//! read, as its values must not be kept: a shape as JSON, the same text for most spans of an operation,
//! and a few bits of the hash of each value, by which equal values are told.

mod names;
mod samples;
mod shape;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_base::limit::SPAN_PAYLOAD_BYTES_MAX;

use crate::attributes::{Key, PAYLOAD_MARKS as MARKS, PAYLOAD_SHAPE as SHAPE};
pub(crate) use names::tells;
use names::{Source, source};
pub(crate) use samples::Samples;
pub use shape::{Fields, Shape};
use shape::{Shaper, marked};

/// Longest shape of a span, in bytes; of a larger one the deepest fields are left out.
const SHAPE_BYTES_MAX: usize = 4 << 10;
/// How deep fields are looked at, from the whole payload on; less where the shape gets too long.
const DEPTHS: [usize; 4] = [8, 4, 2, 1];
/// Digits of one mark.
const MARK_DIGITS: usize = 6;

/// The value of an attribute, as far as the format tells its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Given<'a> {
    Text(Cow<'a, str>),
    /// Of a format in which everything is a text.
    Untyped(Cow<'a, str>),
    Flag,
    Whole(Cow<'a, str>),
    Real,
    List(Vec<Self>),
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl Given<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Untyped(text) | Self::Whole(text) => text.len(),
            Self::Flag | Self::Real => 1,
            // Empty values take room, too.
            Self::List(all) => all.iter().map(|of| of.bytes().max(1)).sum(),
            Self::Map(all) => all
                .iter()
                .map(|(name, of)| name.len() + of.bytes().max(1))
                .sum(),
        }
    }
}

/// What the attributes of one span tell of payloads, until it is settled.
pub(crate) type Collected<'a> = Vec<(Cow<'a, str>, Given<'a>)>;

/// How many bytes of these attributes are read.
pub(crate) fn bytes(collected: &Collected<'_>) -> usize {
    let all = collected.iter().map(|(_, given)| given.bytes());
    all.filter(|bytes| *bytes <= SPAN_PAYLOAD_BYTES_MAX).sum()
}

/// The attributes that are kept of them.
pub(crate) fn settle(collected: &mut Collected<'_>) -> Option<[(Key, String); 2]> {
    // The same whatever the order of the attributes; a name before those that go on behind it.
    collected.sort();
    let read = DEPTHS.iter().find_map(|depth| {
        let (told, marks) = read(collected, *depth);
        let text = serde_json::to_string(&told).ok()?;
        (text.len() <= SHAPE_BYTES_MAX).then_some((told, text, marks))
    });
    let (told, shape, marks) = read?;
    if told.attributes.is_empty() {
        return None;
    }
    Some([(Key::of(MARKS)?, marks), (Key::of(SHAPE)?, shape)])
}

fn read(collected: &Collected<'_>, depth: usize) -> (Told, String) {
    let mut told = Told::default();
    let (mut payload, mut business) = (Shaper::new(depth), Shaper::new(depth));
    let known = |given: &Given<'_>| given.bytes() <= SPAN_PAYLOAD_BYTES_MAX;
    for (name, given) in collected.iter().filter(|(_, given)| known(given)) {
        let used = match source(name) {
            Some(Source::Body) => payload.body(given).map(|fields| {
                for (name, shape) in fields {
                    told.payload.entry(name).or_insert(shape);
                }
                name.to_string()
            }),
            Some(Source::Field { of, path }) => payload
                .put(&mut told.payload, path, given)
                .then(|| format!("{of}.*")),
            Some(Source::Business { path }) => business
                .put(&mut told.business, path, given)
                .then(|| "app.*".to_owned()),
            None => None,
        };
        told.attributes.extend(used);
    }
    told.attributes.sort();
    told.attributes.dedup();
    let own = told.marks(&payload.marks, &business.marks);
    let marks = own.map(|mark| format!("{mark:06x}")).collect();
    (told, marks)
}

/// What one span tells of its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The fields of what is called a payload.
    #[serde(rename = "p", default)]
    pub payload: Fields,
    /// What the application says beside it.
    #[serde(rename = "a", default)]
    pub business: Fields,
    /// The names of the attributes; of those that hold one field each, how they begin.
    #[serde(rename = "n", default)]
    pub attributes: Vec<String>,
}

impl Told {
    /// The marks of all values that have one, in the order in which they are kept.
    fn marks(
        &self,
        payload: &BTreeMap<String, u32>,
        business: &BTreeMap<String, u32>,
    ) -> impl Iterator<Item = u32> {
        let find = |fields: &Fields, marks: &BTreeMap<String, u32>| -> Vec<u32> {
            let each = marked(fields).into_iter();
            each.map(|pointer| marks.get(&pointer).copied().unwrap_or_default())
                .collect()
        };
        let all = [find(&self.payload, payload), find(&self.business, business)];
        all.into_iter().flatten()
    }
}

/// What is kept of a span for [`Told`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    shape: Arc<str>,
    marks: Arc<str>,
}

/// Marks of values by their JSON pointers: equal for equal values, and hardly ever for others.
pub type Marks = BTreeMap<String, u32>;

impl Payload {
    pub(crate) fn of(shape: Option<&Arc<str>>, marks: Option<&Arc<str>>) -> Option<Self> {
        Some(Self {
            shape: Arc::clone(shape?),
            marks: Arc::clone(marks?),
        })
    }

    /// What the span tells, with the marks of the payload and of what is said beside it; `None` when an
    /// attribute of the capture only looks like ours.
    #[must_use]
    pub fn read(&self) -> Option<(Told, [Marks; 2])> {
        let told: Told = serde_json::from_str(&self.shape).ok()?;
        let mut digits = self.marks.as_bytes().chunks(MARK_DIGITS);
        let mut next = || {
            let digits = std::str::from_utf8(digits.next()?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let mut marks = |fields: &Fields| -> Marks {
            let each = marked(fields).into_iter();
            each.map_while(|pointer| Some((pointer, next()?))).collect()
        };
        let marks = [marks(&told.payload), marks(&told.business)];
        Some((told, marks))
    }
}

#[cfg(test)]
mod tests;
