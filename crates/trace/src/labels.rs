//! What spans do, by number: the same service, operation and kind have the same one.
//!
//! The name of an operation is made from several attributes; it is made once for each span here, and
//! compared as a number from then on.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::{SpanKind, Trace, operation};

/// Most places of texts that are remembered: names made of identifiers could fill memory.
const SOURCES_MAX: usize = 1 << 16;

/// What a span does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The number of its service.
    pub service: u32,
    /// The number of its operation's name.
    pub name: u32,
    /// Which side of which interaction it is.
    pub kind: SpanKind,
}

/// What every span of some traces does.
#[derive(Debug, Default)]
pub struct Labels {
    services: Numbered,
    names: Numbered,
    numbers: HashMap<Label, u32, RandomState>,
    labels: Vec<Label>,
    /// The number of each span's label, trace after trace.
    spans: Vec<u32>,
    /// Where those of each trace begin, and where those of the last end.
    starts: Vec<usize>,
}

impl Labels {
    /// Names every span of the traces, which it goes through once and in their order.
    #[must_use]
    pub fn of<'a>(traces: impl IntoIterator<Item = &'a Trace>) -> Self {
        let mut all = Self::default();
        all.starts.push(0);
        // Texts that are the same are mostly shared, so that most spans need not be named again.
        let mut known: HashMap<[usize; 6], u32, RandomState> = HashMap::default();
        for trace in traces {
            for span in trace.spans() {
                let [operation, route, method, flags] = operation::sources(span);
                let service = span.service.as_ptr().addr();
                let sources = [service, operation, route, method, flags, span.kind as usize];
                if let Some(number) = known.get(&sources) {
                    all.spans.push(*number);
                    continue;
                }
                let label = Label {
                    service: all.services.shared(&span.service),
                    name: all.names.owned(operation::name(span)),
                    kind: span.kind,
                };
                let next = number(all.labels.len());
                let number = *all.numbers.entry(label).or_insert(next);
                if number == next {
                    all.labels.push(label);
                }
                all.spans.push(number);
                if known.len() < SOURCES_MAX {
                    known.insert(sources, number);
                }
            }
            all.starts.push(all.spans.len());
        }
        all
    }

    /// The number of the label of each span of a trace, by the trace's place.
    #[must_use]
    pub fn trace(&self, trace: usize) -> &[u32] {
        let range = self.starts.get(trace).zip(self.starts.get(trace + 1));
        range
            .and_then(|(from, to)| self.spans.get(*from..*to))
            .unwrap_or_default()
    }

    /// The number of the label of one span.
    #[must_use]
    pub fn number(&self, trace: usize, span: usize) -> Option<u32> {
        self.trace(trace).get(span).copied()
    }

    /// The label of a number.
    #[must_use]
    pub fn label(&self, number: u32) -> Option<Label> {
        self.labels.get(number as usize).copied()
    }

    /// How many different labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The service of a number.
    #[must_use]
    pub fn service(&self, number: u32) -> &str {
        self.services.text(number)
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.names.text(number)
    }

    /// The number of a service, when it has a span.
    #[must_use]
    pub fn number_of_service(&self, service: &str) -> Option<u32> {
        self.services.numbers.get(service).copied()
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Texts by number.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
}

impl Numbered {
    fn shared(&mut self, text: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.insert(Arc::clone(text))
    }

    fn owned(&mut self, text: String) -> u32 {
        if let Some(number) = self.numbers.get(text.as_str()) {
            return *number;
        }
        self.insert(Arc::from(text))
    }

    fn insert(&mut self, text: Arc<str>) -> u32 {
        let next = number(self.texts.len());
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, next);
        next
    }

    fn text(&self, number: u32) -> &str {
        self.texts
            .get(number as usize)
            .map(AsRef::as_ref)
            .unwrap_or_default()
    }
}
