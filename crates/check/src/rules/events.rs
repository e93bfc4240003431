//! Each event says what it means and is told apart from every other.

use std::collections::HashMap;

use crate::codes::{DUPLICATE_EVENT_TYPE, EVENT_WITHOUT_SCHEMA, EVENT_WITHOUT_SUMMARY};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let mut types = HashMap::new();
    for (name, event) in &index.design.events {
        let path = format!("events.{name}");
        if event
            .summary
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
        {
            let message = format!("event `{name}` does not say what happened");
            out.add(EVENT_WITHOUT_SUMMARY, &event.place, path.clone(), message)
                .hint("write `summary: …`: one sentence, in the past tense");
        }
        if event.schema.is_none() && !event.is_schema_refused {
            let message = format!("event `{name}` has no schema, so nothing checks its payloads");
            out.add(EVENT_WITHOUT_SCHEMA, &event.place, path.clone(), message)
                .hint(format!(
                    "write `schema: schemas/{name}.json`, or the schema inline"
                ));
        }
        if let Some((other, place)) = types.insert(event.event_type.as_str(), (name, &event.place))
        {
            let kind = &event.event_type;
            let message =
                format!("events `{other}` and `{name}` have one CloudEvents type, `{kind}`");
            out.add(DUPLICATE_EVENT_TYPE, &event.place, path, message)
                .hint(format!(
                    "give `{name}` a `type` of its own: consumers tell events apart by it"
                ))
                .related(place, format!("event `{other}`"));
        }
    }
}
