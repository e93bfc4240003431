//! A process log, the same for every format.

use std::fmt;

use tidegate_base::Timestamp;

/// What a log was written in, as found in its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// IEEE 1849 eXtensible Event Stream.
    Xes,
    /// Object-centric event log 2.0, JSON.
    OcelJson,
    /// Object-centric event log 2.0, XML.
    OcelXml,
    /// Object-centric event log 2.0, an SQLite database.
    OcelSqlite,
    /// Text with a header and one event a row.
    Csv,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Xes => "XES",
            Self::OcelJson => "OCEL 2.0 JSON",
            Self::OcelXml => "OCEL 2.0 XML",
            Self::OcelSqlite => "OCEL 2.0 SQLite",
            Self::Csv => "CSV",
        })
    }
}

/// The cases of one process, with what was done in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// As the caller named it.
    pub name: String,
    /// The format.
    pub format: LogFormat,
    /// The offset from UTC in which its first time is written, in seconds: that of working hours.
    pub zone: i32,
    /// What it records.
    pub recorded: Recorded,
    /// The names of the activities.
    pub activities: Vec<String>,
    /// The names of the resources.
    pub resources: Vec<String>,
    /// The cases, by the start of their first activity.
    pub cases: Vec<Case>,
    /// What was left out or assumed, in words; empty when nothing was.
    pub notes: Vec<String>,
    /// The objects that its events touch, when the log is object-centric.
    pub objects: Option<Objects>,
}

/// What is recorded of each activity instance, as far as instances have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Instances with the time when work on them started.
    pub starts: usize,
    /// Instances with who did them.
    pub resources: usize,
    /// Instances with the time when they could have started.
    pub enablements: usize,
    /// All instances.
    pub instances: usize,
}

/// One case: what was done for one order, claim or customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its identity in the log.
    pub id: String,
    /// What was done, by start (by end where the start is not recorded).
    pub instances: Vec<Instance>,
}

/// One activity done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which activity: index into [`EventLog::activities`].
    pub activity: usize,
    /// Who did it: index into [`EventLog::resources`].
    pub resource: Option<usize>,
    /// When it could have started, where the log says so.
    pub enabled: Option<Timestamp>,
    /// When work on it started, where the log says so; never after `end`.
    pub start: Option<Timestamp>,
    /// When it was complete.
    pub end: Timestamp,
}

impl Instance {
    /// When work on it started; its end where that is not recorded.
    #[must_use]
    pub fn begin(&self) -> Timestamp {
        self.start.unwrap_or(self.end)
    }
}

/// The objects of an object-centric log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// The types, by name.
    pub types: Vec<ObjectType>,
    /// The type of each object: index into `types`.
    pub kinds: Vec<usize>,
    /// Every event, by time.
    pub events: Vec<ObjectEvent>,
    /// The type whose objects are the cases: index into `types`.
    pub case: usize,
}

/// One type of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Its name.
    pub name: String,
    /// Its objects.
    pub objects: usize,
    /// Events that touch at least one of them.
    pub events: usize,
    /// Events that touch exactly one of them: an event with one fits a case, one with several is
    /// in several cases.
    pub single: usize,
}

/// One event with the objects that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEvent {
    /// Index into [`EventLog::activities`].
    pub activity: usize,
    /// When it happened.
    pub time: Timestamp,
    /// Indexes into [`Objects::kinds`], each once.
    pub objects: Vec<usize>,
}
