//! Puts the events of a log together, whatever it was written in.

use indexmap::{IndexMap, IndexSet};
use tidegate_base::Timestamp;
use tidegate_base::limit::{LOG_ACTIVITIES_MAX, LOG_EVENTS_MAX};

use super::lifecycle::{self, Step};
use super::moment::parse_moment;
use super::{Case, EventLog, LogError, LogFormat, Objects, Recorded};

/// One row or event as it was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written<'a> {
    pub(super) line: u64,
    pub(super) case: &'a str,
    pub(super) activity: &'a str,
    pub(super) resource: Option<&'a str>,
    pub(super) lifecycle: Option<&'a str>,
    /// What tells two runs of one activity in one case apart.
    pub(super) instance: Option<&'a str>,
    pub(super) start: Option<&'a str>,
    pub(super) end: Option<&'a str>,
    pub(super) enabled: Option<&'a str>,
}

/// One event, its texts as numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) activity: usize,
    pub(super) resource: Option<usize>,
    pub(super) instance: Option<usize>,
    pub(super) step: Step,
    pub(super) enabled: Option<Timestamp>,
    pub(super) start: Option<Timestamp>,
    pub(super) time: Timestamp,
}

/// Events of cases, in the order of the log.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    name: &'a str,
    format: LogFormat,
    activities: IndexSet<String>,
    resources: IndexSet<String>,
    runs: IndexSet<String>,
    cases: IndexMap<String, Vec<Event>>,
    events: usize,
    zone: Option<i32>,
    without_zone: usize,
    without_end: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(name: &'a str, format: LogFormat) -> Self {
        Self {
            name,
            format,
            activities: IndexSet::new(),
            resources: IndexSet::new(),
            runs: IndexSet::new(),
            cases: IndexMap::new(),
            events: 0,
            zone: None,
            without_zone: 0,
            without_end: 0,
        }
    }

    /// Adds one event.
    ///
    /// # Errors
    ///
    /// [`LogError`] with the line when something of it is missing or is not a time, and at the
    /// limits.
    pub(super) fn add(&mut self, written: &Written<'_>) -> Result<(), LogError> {
        self.events += 1;
        if self.events > LOG_EVENTS_MAX {
            return Err(LogError::events(self.name));
        }
        let missing = |what: &str| {
            let hint = "fill it in, or leave the row out";
            LogError::row(
                self.name,
                written.line,
                format!("the {what} is empty"),
                hint,
            )
        };
        if written.case.is_empty() {
            return Err(missing("case"));
        }
        if written.activity.is_empty() {
            return Err(missing("activity"));
        }
        let Some((start, time)) = self.span(written)? else {
            return Ok(());
        };
        let enabled = self.time(written.line, "enabled", written.enabled)?;
        let activity = index(&mut self.activities, written.activity);
        if self.activities.len() > LOG_ACTIVITIES_MAX {
            return Err(LogError::activities(self.name));
        }
        let resource = written
            .resource
            .filter(|text| !text.is_empty() && *text != "None" && *text != "NULL")
            .map(|text| index(&mut self.resources, text));
        let instance = written
            .instance
            .filter(|text| !text.is_empty())
            .map(|text| index(&mut self.runs, text));
        let step = match written.lifecycle {
            Some(_) if start.is_some() => Step::Complete,
            Some(word) => Step::read(word),
            None => Step::Complete,
        };
        let event = Event {
            activity,
            resource,
            instance,
            step,
            enabled,
            start,
            time,
        };
        match self.cases.get_mut(written.case) {
            Some(events) => events.push(event),
            None => {
                self.cases.insert(written.case.to_owned(), vec![event]);
            }
        }
        Ok(())
    }

    /// The start, where there is one, and the end; `None` for work that goes on at the end of the
    /// log.
    fn span(
        &mut self,
        written: &Written<'_>,
    ) -> Result<Option<(Option<Timestamp>, Timestamp)>, LogError> {
        let start = self.time(written.line, "start", written.start)?;
        let Some(time) = self.time(written.line, "end", written.end)? else {
            if start.is_some() {
                self.without_end += 1;
                return Ok(None);
            }
            return Err(LogError::row(
                self.name,
                written.line,
                "the event has no time".to_owned(),
                "fill it in, or leave the event out",
            ));
        };
        if start.is_some_and(|start| start > time) {
            let message = format!(
                "the start {} is after the end {time}",
                start.unwrap_or(time)
            );
            let hint = "exchange them, or name the columns with --columns start=NAME,end=NAME";
            return Err(LogError::row(self.name, written.line, message, hint));
        }
        Ok(Some((start, time)))
    }

    fn time(
        &mut self,
        line: u64,
        role: &str,
        text: Option<&str>,
    ) -> Result<Option<Timestamp>, LogError> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let Some((time, zone)) = parse_moment(text) else {
            let shown: String = text.chars().take(40).collect();
            return Err(LogError::row(
                self.name,
                line,
                format!("the {role} `{shown}` is not a time that is known"),
                "write it as 2025-12-24T18:30:00+01:00, or name another column with --columns",
            ));
        };
        self.without_zone += usize::from(zone.is_none());
        self.zone = self.zone.or(zone);
        Ok(Some(time))
    }

    /// The log of all events that were added.
    ///
    /// # Errors
    ///
    /// [`LogError::NoEvents`] when there is none.
    pub(super) fn finish(self, objects: Option<Objects>) -> Result<EventLog, LogError> {
        let mut left = lifecycle::Left::default();
        let mut cases: Vec<Case> = self
            .cases
            .into_iter()
            .map(|(id, events)| Case {
                id,
                instances: lifecycle::instances(events, &mut left),
            })
            .filter(|case| !case.instances.is_empty())
            .collect();
        let begin = |case: &Case| case.instances.first().map(super::Instance::begin);
        cases.sort_by(|a, b| (begin(a), &a.id).cmp(&(begin(b), &b.id)));
        let mut notes = left.notes();
        if self.without_end > 0 {
            notes.push(format!(
                "{} rows with a start and no end left out",
                self.without_end
            ));
        }
        if self.without_zone > 0 {
            notes.push(format!(
                "{} times without a zone taken as UTC",
                self.without_zone
            ));
        }
        if cases.is_empty() {
            let reason = if notes.is_empty() {
                "it is empty".to_owned()
            } else {
                notes.join(", ")
            };
            return Err(LogError::NoEvents {
                name: self.name.to_owned(),
                format: self.format,
                reason,
            });
        }
        let mut recorded = Recorded::default();
        for instance in cases.iter().flat_map(|case| &case.instances) {
            recorded.instances += 1;
            recorded.starts += usize::from(instance.start.is_some());
            recorded.resources += usize::from(instance.resource.is_some());
            recorded.enablements += usize::from(instance.enabled.is_some());
        }
        Ok(EventLog {
            name: self.name.to_owned(),
            format: self.format,
            zone: self.zone.unwrap_or(0),
            recorded,
            activities: self.activities.into_iter().collect(),
            resources: self.resources.into_iter().collect(),
            cases,
            notes,
            objects,
        })
    }
}

fn index(texts: &mut IndexSet<String>, text: &str) -> usize {
    match texts.get_index_of(text) {
        Some(index) => index,
        None => texts.insert_full(text.to_owned()).0,
    }
}
