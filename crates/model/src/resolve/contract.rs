//! Versions, requirements and rules.

use indexmap::IndexMap;
use tidegate_base::Name;

use super::Schemas;
use crate::design::{EventVersion, Located, Requirement, Rule};
use crate::reader::Record;

/// The older versions of an event.
pub(super) fn versions(
    event: &Name,
    record: &Record,
    schemas: &mut Schemas<'_>,
) -> IndexMap<Name, EventVersion> {
    let versions = record.named("versions").iter().map(|(name, record)| {
        let written = record.slot("schema");
        let schema = written.and_then(|written| schemas.resolve((event, Some(name)), written));
        let place = record.place.clone();
        (name.clone(), EventVersion { place, schema })
    });
    versions.collect()
}

/// The rules in a list that may have other things in it.
pub(super) fn rules(record: &Record, list: &str) -> Vec<Rule> {
    let rules = record.sections(list).filter_map(|record| {
        Some(Rule {
            expression: record.get("rule")?,
            because: because(record),
        })
    });
    rules.collect()
}

/// The fields that a consumer relies on.
pub(super) fn requirements(record: &Record) -> Vec<Requirement> {
    let requirements = record.sections("requires").filter_map(|record| {
        Some(Requirement {
            place: record.place.clone(),
            field: record.get("field")?,
            presence: record.value("presence"),
            field_type: record.get("type"),
            values: record.list("values"),
            because: because(record),
        })
    });
    requirements.collect()
}

fn because(record: &Record) -> Option<String> {
    record.get("because").map(|because| because.value)
}

/// The events that a service publishes.
pub(super) fn published(record: &Record) -> Vec<Located<Name>> {
    let events = record.sections("publishes");
    events.filter_map(|record| record.get("event")).collect()
}

/// The versions of those of which the design says them.
pub(super) fn published_versions(record: &Record) -> IndexMap<Name, Vec<Located<Name>>> {
    let events = record.sections("publishes").filter_map(|record| {
        let event: Located<Name> = record.get("event")?;
        Some((event.value, record.list("versions")?))
    });
    events.collect()
}
