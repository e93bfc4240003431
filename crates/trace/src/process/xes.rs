//! IEEE 1849 XES: a log of traces of events, each with attributes.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use tidegate_base::limit::LOG_EVENTS_MAX;

use super::builder::{Builder, Written};
use super::columns::Role;
use super::xml::{attribute, broken, line};
use super::{Columns, EventLog, LogError, LogFormat};

/// What is open around the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Log,
    Trace,
    Event,
    /// Something whose content does not matter: globals, classifiers, nested attributes.
    Other,
}

/// The attributes of one event that matter, as texts.
#[derive(Default)]
struct Texts {
    offset: u64,
    activity: String,
    end: Option<String>,
    start: Option<String>,
    resource: Option<String>,
    enabled: Option<String>,
    lifecycle: Option<String>,
    instance: Option<String>,
}

/// The trace that is read.
#[derive(Default)]
struct Trace {
    id: Option<String>,
    events: Vec<Texts>,
}

struct Walk<'a> {
    columns: &'a Columns,
    open: Vec<Open>,
    trace: Trace,
    event: Texts,
}

pub(super) fn read(name: &str, text: &[u8], columns: &Columns) -> Result<EventLog, LogError> {
    let content = String::from_utf8_lossy(text);
    let mut reader = Reader::from_str(&content);
    let mut builder = Builder::new(name, LogFormat::Xes);
    let mut walk = Walk {
        columns,
        open: Vec::new(),
        trace: Trace::default(),
        event: Texts::default(),
    };
    let mut traces = 0_usize;
    loop {
        let offset = reader.buffer_position();
        let wrong = |error: &dyn ToString| broken(name, text, offset, &error.to_string());
        match reader.read_event() {
            Ok(Event::Start(element)) => walk.start(&element, offset).map_err(|e| wrong(&e))?,
            Ok(Event::Empty(element)) => {
                walk.start(&element, offset).map_err(|e| wrong(&e))?;
                traces += usize::from(walk.end(name, text, &mut builder, traces)?);
            }
            Ok(Event::End(_)) => {
                traces += usize::from(walk.end(name, text, &mut builder, traces)?)
            }
            Ok(Event::Eof) if walk.open.is_empty() => break,
            Ok(Event::Eof) => {
                let at = u64::try_from(text.len()).unwrap_or(u64::MAX);
                return Err(broken(name, text, at, &"an element is not closed"));
            }
            Ok(_) => {}
            Err(error) => {
                return Err(broken(name, text, reader.error_position(), &error));
            }
        }
    }
    builder.finish(None)
}

impl Walk<'_> {
    fn start(&mut self, element: &BytesStart<'_>, offset: u64) -> Result<(), String> {
        let inside = self.open.last().copied();
        let qualified = element.name();
        let tag = qualified.as_ref().rsplit(':').next().unwrap_or_default();
        let open = match (inside, tag) {
            (None, "log") => Open::Log,
            (Some(Open::Log), "trace") => {
                self.trace = Trace::default();
                Open::Trace
            }
            (Some(Open::Trace), "event") => {
                self.event = Texts {
                    offset,
                    ..Texts::default()
                };
                Open::Event
            }
            (Some(Open::Trace | Open::Event), _) => {
                let key = attribute(element, "key")?;
                let value = attribute(element, "value")?;
                if let (Some(key), Some(value)) = (key, value) {
                    self.set(inside == Some(Open::Event), &key, value);
                }
                Open::Other
            }
            _ => Open::Other,
        };
        self.open.push(open);
        Ok(())
    }

    fn set(&mut self, of_event: bool, key: &str, value: String) {
        let is = |role| self.columns.is(role, key);
        if !of_event {
            let named = self.columns.case.as_deref();
            if named.map_or(key == "concept:name", |named| named == key) {
                self.trace.id = Some(value);
            }
        } else if is(Role::Activity) {
            self.event.activity = value;
        } else if is(Role::End) {
            self.event.end = Some(value);
        } else if is(Role::Start) {
            self.event.start = Some(value);
        } else if is(Role::Resource) {
            self.event.resource = Some(value);
        } else if is(Role::Enabled) {
            self.event.enabled = Some(value);
        } else if is(Role::Lifecycle) {
            self.event.lifecycle = Some(value);
        } else if key == "concept:instance" {
            self.event.instance = Some(value);
        }
    }

    /// Closes what is open; says whether it was a trace.
    fn end(
        &mut self,
        name: &str,
        text: &[u8],
        builder: &mut Builder<'_>,
        traces: usize,
    ) -> Result<bool, LogError> {
        match self.open.pop() {
            Some(Open::Event) => {
                if self.trace.events.len() >= LOG_EVENTS_MAX {
                    return Err(LogError::events(name));
                }
                self.trace.events.push(std::mem::take(&mut self.event));
                Ok(false)
            }
            Some(Open::Trace) => {
                let trace = std::mem::take(&mut self.trace);
                let id = trace.id.unwrap_or_else(|| format!("case {}", traces + 1));
                for event in &trace.events {
                    // Lines are counted where something is wrong only.
                    let written = Written {
                        line: 0,
                        case: &id,
                        activity: &event.activity,
                        resource: event.resource.as_deref(),
                        lifecycle: event.lifecycle.as_deref(),
                        instance: event.instance.as_deref(),
                        start: event.start.as_deref(),
                        end: event.end.as_deref(),
                        enabled: event.enabled.as_deref(),
                    };
                    builder.add(&written).map_err(|error| match error {
                        LogError::Row {
                            name,
                            message,
                            hint,
                            ..
                        } => LogError::Row {
                            name,
                            line: line(text, event.offset),
                            column: 0,
                            message,
                            hint,
                        },
                        other => other,
                    })?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
