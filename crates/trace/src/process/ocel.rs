//! Object-centric event logs 2.0: events that touch objects of several types.

use indexmap::{IndexMap, IndexSet};
use tidegate_base::limit::{LOG_ACTIVITIES_MAX, LOG_EVENTS_MAX, LOG_RELATIONS_MAX};

use super::builder::{Builder, Written};
use super::moment::parse_moment;
use super::{Columns, EventLog, LogError, LogFormat, ObjectEvent, ObjectType, Objects};

/// An object-centric log as its tables hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OcelRows {
    /// Every object: its identity and its type.
    pub objects: Vec<(String, String)>,
    /// Every event.
    pub events: Vec<EventRow>,
}

/// One event of an object-centric log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// Its identity.
    pub id: String,
    /// Its type: the activity.
    pub kind: String,
    /// When it happened, as written.
    pub time: String,
    /// Who did it, where an attribute says so.
    pub resource: Option<String>,
    /// The objects that it touches.
    pub objects: Vec<String>,
    /// The line that it starts in; 0 where there are no lines.
    pub line: u64,
}

/// Whether an attribute of events names who did it.
pub(super) fn is_resource(columns: &Columns, name: &str) -> bool {
    match &columns.resource {
        Some(named) => named == name,
        None => matches!(name, "resource" | "org:resource"),
    }
}

impl OcelRows {
    /// The log whose cases are the objects of one type: the one that `columns` names; else the
    /// one that most events touch exactly once.
    ///
    /// # Errors
    ///
    /// [`LogError`] when an event has no time that is known or names an object that is not there,
    /// and at the limits.
    pub fn into_log(
        self,
        name: &str,
        format: LogFormat,
        columns: &Columns,
    ) -> Result<EventLog, LogError> {
        if self.events.len() > LOG_EVENTS_MAX {
            return Err(LogError::events(name));
        }
        let mut types: IndexMap<&str, ObjectType> = IndexMap::new();
        for (_, kind) in &self.objects {
            let entry = types.entry(kind).or_insert_with(|| ObjectType {
                name: kind.clone(),
                objects: 0,
                events: 0,
                single: 0,
            });
            entry.objects += 1;
        }
        types.sort_keys();
        let objects: IndexMap<&str, usize> = self
            .objects
            .iter()
            .map(|(id, kind)| (id.as_str(), types.get_index_of(kind.as_str()).unwrap_or(0)))
            .collect();
        let mut activities: IndexSet<&str> = IndexSet::new();
        let mut events = Vec::with_capacity(self.events.len());
        let mut relations = 0_usize;
        for row in &self.events {
            relations += row.objects.len();
            if relations > LOG_RELATIONS_MAX {
                return Err(LogError::relations(name));
            }
            let event = event(name, row, &objects, &mut activities)?;
            count(&event, &objects, &mut types);
            events.push(event);
        }
        let mut types: Vec<ObjectType> = types.into_values().collect();
        types.retain(|kind| kind.objects > 0);
        let case = case(name, &types, columns)?;
        let (log, order) = self.flattened(name, format, case, &objects, &activities)?;
        events.iter_mut().for_each(|event| {
            event.activity = order.get(event.activity).copied().unwrap_or_default();
        });
        events.sort_by_key(|event| event.time);
        let kinds = objects.values().copied().collect();
        Ok(EventLog {
            objects: Some(Objects {
                types,
                kinds,
                events,
                case,
            }),
            ..log
        })
    }

    /// The log of one type, and where each activity of the events is in it.
    fn flattened(
        &self,
        name: &str,
        format: LogFormat,
        case: usize,
        objects: &IndexMap<&str, usize>,
        activities: &IndexSet<&str>,
    ) -> Result<(EventLog, Vec<usize>), LogError> {
        let mut builder = Builder::new(name, format);
        for row in &self.events {
            let mut cases: Vec<&str> = row
                .objects
                .iter()
                .map(String::as_str)
                .filter(|id| objects.get(id) == Some(&case))
                .collect();
            cases.sort_unstable();
            cases.dedup();
            for id in cases {
                builder.add(&Written {
                    line: row.line,
                    case: id,
                    activity: &row.kind,
                    resource: row.resource.as_deref(),
                    end: Some(&row.time),
                    ..Written::default()
                })?;
            }
        }
        let mut log = builder.finish(None)?;
        let mut order = Vec::with_capacity(activities.len());
        for activity in activities {
            let found = log.activities.iter().position(|known| known == activity);
            order.push(found.unwrap_or_else(|| {
                // Other objects have it; the cases do not.
                log.activities.push((*activity).to_owned());
                log.activities.len() - 1
            }));
        }
        Ok((log, order))
    }
}

fn event<'a>(
    name: &str,
    row: &'a EventRow,
    objects: &IndexMap<&str, usize>,
    activities: &mut IndexSet<&'a str>,
) -> Result<ObjectEvent, LogError> {
    let place = || format!("event `{}`", row.id.chars().take(60).collect::<String>());
    let Some((time, _)) = parse_moment(&row.time) else {
        let shown: String = row.time.chars().take(40).collect();
        return Err(LogError::row(
            name,
            row.line,
            format!("{}: `{shown}` is not a time that is known", place()),
            "write it as 2025-12-24T18:30:00Z",
        ));
    };
    let mut touched = Vec::with_capacity(row.objects.len());
    for id in &row.objects {
        let Some(index) = objects.get_index_of(id.as_str()) else {
            let shown: String = id.chars().take(60).collect();
            return Err(LogError::row(
                name,
                row.line,
                format!(
                    "{} names the object `{shown}`, which is not in the log",
                    place()
                ),
                "export the objects with the events",
            ));
        };
        touched.push(index);
    }
    touched.sort_unstable();
    touched.dedup();
    let activity = activities.insert_full(&row.kind).0;
    if activities.len() > LOG_ACTIVITIES_MAX {
        return Err(LogError::activities(name));
    }
    Ok(ObjectEvent {
        activity,
        time,
        objects: touched,
    })
}

/// Counts the event at each type that it touches.
fn count(
    event: &ObjectEvent,
    objects: &IndexMap<&str, usize>,
    types: &mut IndexMap<&str, ObjectType>,
) {
    let mut touched: IndexMap<usize, usize> = IndexMap::new();
    for object in &event.objects {
        if let Some((_, kind)) = objects.get_index(*object) {
            *touched.entry(*kind).or_default() += 1;
        }
    }
    for (kind, times) in touched {
        if let Some((_, kind)) = types.get_index_mut(kind) {
            kind.events += 1;
            kind.single += usize::from(times == 1);
        }
    }
}

fn case(name: &str, types: &[ObjectType], columns: &Columns) -> Result<usize, LogError> {
    if types.is_empty() {
        let name = name.to_owned();
        return Err(LogError::NoObjects { name });
    }
    let found = || {
        let names: Vec<String> = types
            .iter()
            .map(|kind| format!("`{}`", kind.name))
            .collect();
        names.join(", ")
    };
    let chosen = match &columns.object_type {
        Some(asked) => types.iter().position(|kind| kind.name == *asked),
        None => (0..types.len()).rev().max_by_key(|index| {
            let kind = types.get(*index);
            kind.map(|kind| (kind.single, kind.events))
        }),
    };
    chosen.ok_or_else(|| LogError::ObjectType {
        name: name.to_owned(),
        asked: columns.object_type.clone().unwrap_or_default(),
        found: found(),
    })
}
