//! What the spans of calls tell of their payloads, put together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::RandomState;
use tidegate_trace::payload::{Fields, Marks, Shape};
use tidegate_trace::{Payload, SpanKind, Trace};

use crate::observe::Observation;

/// Most calls of one path whose payloads are put together, the first ones.
const SAMPLES_MAX: usize = 10_000;
/// Most different names of one object.
const NAMES_MAX: usize = 1_000;

/// What the spans of each call tell, for the calls in which one tells something.
pub(crate) fn of(traces: &[&Trace], seen: &[Observation]) -> Vec<Vec<Payload>> {
    let told = seen.iter().filter_map(|seen| {
        let trace = traces.get(seen.site.trace as usize)?;
        let told = of_call(trace, seen.site.span as usize);
        (!told.is_empty()).then_some(told)
    });
    told.take(SAMPLES_MAX).collect()
}

/// Of the span that asks and of those that answer it.
fn of_call(trace: &Trace, call: usize) -> Vec<Payload> {
    let Some(asking) = trace.span(call) else {
        return Vec::new();
    };
    let answers = trace.children(call).iter();
    let answers = answers
        .filter_map(|child| trace.span(*child))
        .filter(|child| {
            matches!(child.kind, SpanKind::Server | SpanKind::Consumer)
                || child.service != asking.service
        });
    std::iter::once(asking)
        .chain(answers)
        .filter_map(|span| span.payload())
        .collect()
}

/// The payloads of many calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// How many there are.
    pub(super) count: usize,
    /// The attributes that they are from.
    pub(super) attributes: BTreeSet<String>,
    pub(super) root: Object,
}

impl Samples {
    /// Of what is called a payload; only where there is none, of what applications say beside it.
    pub(super) fn of<'a>(calls: impl Iterator<Item = &'a Vec<Payload>>) -> (Self, Basis) {
        let (mut payloads, mut business) = (Self::default(), Self::default());
        for spans in calls {
            let mut payload = One::default();
            let mut beside = One::default();
            for (told, [marks, marks_beside]) in spans.iter().filter_map(Payload::read) {
                let (app, own) = told
                    .attributes
                    .into_iter()
                    .partition(|name| name == BUSINESS);
                payload.add(told.payload, marks, own);
                beside.add(told.business, marks_beside, app);
            }
            payloads.add(payload);
            business.add(beside);
        }
        if payloads.count > 0 {
            (payloads, Basis::Payload)
        } else {
            (business, Basis::Business)
        }
    }

    fn add(&mut self, one: One) {
        if one.attributes.is_empty() {
            return;
        }
        self.count += 1;
        self.attributes.extend(one.attributes);
        self.root.add(&one.fields, &one.marks, "");
    }
}

/// The attributes of applications beside payloads.
const BUSINESS: &str = "app.*";

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// What is called a payload, or a field of one.
    Payload,
    /// What applications say beside it.
    Business,
}

/// The payload of one call, of all its spans: what the first one says of a field counts.
#[derive(Default)]
struct One {
    fields: Fields,
    marks: Marks,
    attributes: Vec<String>,
}

impl One {
    fn add(&mut self, fields: Fields, marks: Marks, attributes: Vec<String>) {
        for (name, shape) in fields {
            // Marks are of the shape that is kept: of both, one is as good as the other.
            self.fields.entry(name).or_insert(shape);
        }
        for (pointer, mark) in marks {
            self.marks.entry(pointer).or_insert(mark);
        }
        self.attributes.extend(attributes);
    }
}

/// The objects at one place of payloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) count: usize,
    pub(super) fields: BTreeMap<String, Field>,
}

/// The values of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// In how many objects it is.
    pub(super) count: usize,
    pub(super) unknown: usize,
    pub(super) nulls: usize,
    pub(super) flags: usize,
    pub(super) wholes: usize,
    pub(super) reals: usize,
    pub(super) texts: usize,
    /// Of the texts.
    pub(super) date_times: usize,
    /// Of the texts.
    pub(super) uuids: usize,
    pub(super) lists: usize,
    /// The different shapes of elements, each once a list.
    pub(super) elements: Option<Box<Self>>,
    pub(super) objects: Object,
    marks: HashSet<u32, RandomState>,
}

impl Object {
    fn add(&mut self, fields: &Fields, marks: &Marks, above: &str) {
        self.count += 1;
        for (name, shape) in fields {
            if self.fields.len() >= NAMES_MAX && !self.fields.contains_key(name) {
                continue;
            }
            let field = self.fields.entry(name.clone()).or_default();
            field.add(shape, marks, &format!("{above}/{name}"));
        }
    }
}

impl Field {
    fn add(&mut self, shape: &Shape, marks: &Marks, pointer: &str) {
        self.count += 1;
        self.marks.extend(marks.get(pointer));
        match shape {
            Shape::Unknown => self.unknown += 1,
            Shape::Null => self.nulls += 1,
            Shape::Flag => self.flags += 1,
            Shape::Whole => self.wholes += 1,
            Shape::Real => self.reals += 1,
            Shape::Text => self.texts += 1,
            Shape::DateTime => {
                self.texts += 1;
                self.date_times += 1;
            }
            Shape::Uuid => {
                self.texts += 1;
                self.uuids += 1;
            }
            Shape::List(shapes) => {
                self.lists += 1;
                let elements = self.elements.get_or_insert_default();
                for shape in shapes {
                    elements.add(shape, &Marks::new(), "");
                }
            }
            Shape::Map(fields) => self.objects.add(fields, marks, pointer),
        }
    }

    /// How many different values there are.
    pub(super) fn different(&self) -> usize {
        self.marks.len()
    }

    /// Whether all values are texts, or all whole numbers.
    pub(super) fn is_plain(&self) -> bool {
        self.count > 0 && (self.texts == self.count || self.wholes == self.count)
    }

    /// Whether all values are objects.
    pub(super) fn is_object(&self) -> bool {
        self.count > 0 && self.objects.count == self.count
    }
}
