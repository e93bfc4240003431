//! One span as a reader found it, before it is stored: texts borrow from the input.

use std::borrow::Cow;

use crate::attributes::{Key, OTHER_VALUES, cut_cow};
use crate::identifier::Id;
use crate::{SpanKind, Status, payload, values};

/// The last nanosecond that clocks show, in the year 2262: some exporters write the largest number where they have no
/// time, and one such end would stretch the time of all.
pub(crate) const TIME_MAX: u64 = i64::MAX as u64;

/// A span of any format, with its trace.
#[derive(Clone, Debug)]
pub(crate) struct RawSpan<'a> {
    pub(crate) trace: Id<'a>,
    pub(crate) id: Id<'a>,
    pub(crate) parent: Option<Id<'a>>,
    pub(crate) links: Vec<(Id<'a>, Id<'a>)>,
    pub(crate) kind: SpanKind,
    pub(crate) status: Status,
    /// Nanoseconds since the epoch.
    pub(crate) start: u64,
    /// Nanoseconds; no less than `start`.
    pub(crate) end: u64,
    /// Whether its own end was before its start, absent, or at no time that clocks show.
    pub(crate) is_endless: bool,
    pub(crate) service: Cow<'a, str>,
    pub(crate) host: Option<Cow<'a, str>>,
    pub(crate) operation: Cow<'a, str>,
    pub(crate) attributes: Vec<(Key, Cow<'a, str>)>,
    /// What attributes that are not kept name.
    pub(crate) values: String,
    /// What attributes tell of payloads, where somebody asks.
    pub(crate) payload: payload::Collected<'a>,
}

impl<'a> RawSpan<'a> {
    /// A span without anything that a format may leave out.
    pub(crate) fn new(trace: Id<'a>, id: Id<'a>, start: u64, end: u64) -> Self {
        let is_endless = end < start || end > TIME_MAX;
        Self {
            trace,
            id,
            parent: None,
            links: Vec::new(),
            kind: SpanKind::Unspecified,
            status: Status::Unset,
            start,
            end: if is_endless { start } else { end },
            is_endless,
            service: Cow::Borrowed("unknown"),
            host: None,
            operation: Cow::Borrowed(""),
            attributes: Vec::new(),
            values: String::new(),
            payload: Vec::new(),
        }
    }

    /// Keeps the attribute if discovery reads it; else the identifiers in it.
    pub(crate) fn attribute(&mut self, name: &str, value: impl FnOnce() -> Option<Cow<'a, str>>) {
        let Some(value) = value() else { return };
        match Key::of(name) {
            Some(key) => self.attributes.push((key, cut_cow(value))),
            None => values::add(&value, &mut self.values),
        }
    }

    /// The attributes in the order of their names; of one that is given twice, the least value.
    pub(crate) fn settle_attributes(&mut self) {
        if !self.values.is_empty()
            && let Some(key) = Key::of(OTHER_VALUES)
        {
            let values = std::mem::take(&mut self.values);
            self.attributes.push((key, Cow::Owned(values)));
        }
        self.attributes.sort_unstable();
        self.attributes
            .dedup_by(|later, earlier| later.0 == earlier.0);
    }
}
