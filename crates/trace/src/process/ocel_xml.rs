//! OCEL 2.0 as XML.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use tidegate_base::limit::LOG_EVENTS_MAX;

use super::ocel::{EventRow, OcelRows, is_resource};
use super::xml::{attribute, broken};
use super::{Columns, EventLog, LogError, LogFormat};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Log,
    Objects,
    Object,
    Events,
    Event,
    /// The attribute of an event that names who did it: its text matters.
    Resource,
    Other,
}

struct Walk<'a> {
    columns: &'a Columns,
    open: Vec<Open>,
    rows: OcelRows,
    event: EventRow,
    /// Line breaks up to here, so that lines are counted once.
    line: u64,
    counted: usize,
}

pub(super) fn read(name: &str, text: &[u8], columns: &Columns) -> Result<EventLog, LogError> {
    let content = String::from_utf8_lossy(text);
    let mut reader = Reader::from_str(&content);
    let mut walk = Walk {
        columns,
        open: Vec::new(),
        rows: OcelRows::default(),
        event: EventRow::default(),
        line: 1,
        counted: 0,
    };
    loop {
        let offset = reader.buffer_position();
        let wrong = |error: &dyn ToString| broken(name, text, offset, &error.to_string());
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                walk.start(&element, &content, offset)
                    .map_err(|e| wrong(&e))?;
            }
            Ok(Event::Empty(element)) => {
                walk.start(&element, &content, offset)
                    .map_err(|e| wrong(&e))?;
                walk.end(name)?;
            }
            Ok(Event::Text(written)) if walk.open.last() == Some(&Open::Resource) => {
                walk.event
                    .resource
                    .get_or_insert_default()
                    .push_str(written.trim());
            }
            Ok(Event::End(_)) => walk.end(name)?,
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
    walk.rows.into_log(name, LogFormat::OcelXml, columns)
}

impl Walk<'_> {
    fn start(
        &mut self,
        element: &BytesStart<'_>,
        content: &str,
        offset: u64,
    ) -> Result<(), String> {
        let must =
            |name: &str| attribute(element, name)?.ok_or_else(|| format!("no attribute `{name}`"));
        let qualified = element.name();
        let tag = qualified.as_ref();
        let open = match (self.open.last(), tag) {
            (None, "log") => Open::Log,
            (Some(Open::Log), "objects") => Open::Objects,
            (Some(Open::Log), "events") => Open::Events,
            (Some(Open::Objects), "object") => {
                self.rows.objects.push((must("id")?, must("type")?));
                Open::Object
            }
            (Some(Open::Events), "event") => {
                self.event = EventRow {
                    id: must("id")?,
                    kind: must("type")?,
                    time: must("time")?,
                    line: self.line_of(content, offset),
                    ..EventRow::default()
                };
                Open::Event
            }
            // Inside an event, objects are named and attributes say more; in an object, the same
            // elements tie objects to each other and are passed over.
            (Some(_), "relationship" | "object") if self.open.contains(&Open::Event) => {
                self.event.objects.push(must("object-id")?);
                Open::Other
            }
            (Some(_), "attribute") if self.open.contains(&Open::Event) => {
                if is_resource(self.columns, &must("name")?) {
                    Open::Resource
                } else {
                    Open::Other
                }
            }
            _ => Open::Other,
        };
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), LogError> {
        if self.open.pop() == Some(Open::Event) {
            if self.rows.events.len() >= LOG_EVENTS_MAX {
                return Err(LogError::events(name));
            }
            self.rows.events.push(std::mem::take(&mut self.event));
        }
        Ok(())
    }

    fn line_of(&mut self, content: &str, offset: u64) -> u64 {
        let end = usize::try_from(offset).unwrap_or(usize::MAX);
        let between = content
            .as_bytes()
            .get(self.counted..end)
            .unwrap_or_default();
        let breaks = between.iter().filter(|byte| **byte == b'\n').count();
        self.line += u64::try_from(breaks).unwrap_or(0);
        self.counted = end.min(content.len());
        self.line
    }
}
