//! What a change does, as text.

use serde_json::{Value, json};

use super::table::{Cell, aligned};
use super::{Answer, Paint, short, toned};
use crate::parties::impact::{Changed, Impact, Party};

pub(super) fn human(impact: &Impact, paint: Paint) -> String {
    let mut text = String::new();
    let field = impact.field.as_deref().unwrap_or_default();
    let owner = owned(impact.owner.as_ref());
    line!(text, "{}{}{owner}", impact.event, hash(field));
    text.push_str(&parties("published by", &impact.producers));
    let mut rows = Vec::new();
    for reader in &impact.readers {
        rows.push(vec![
            Cell::from("  read by"),
            Cell::from(reader.party.service.as_str()),
            Cell::from(owned(reader.party.owner.as_ref()).trim()),
            Cell::from(reader.clauses.join("; ").as_str()),
        ]);
    }
    text.push_str(&aligned(&rows));
    text.push_str(&parties("read as a whole by", &impact.whole));
    if impact.field.is_some() {
        text.push_str(&parties("not read by", &impact.others));
    }
    if impact.readers.is_empty() && impact.whole.is_empty() {
        text.push_str("  read by nobody\n");
    }
    if impact.is_key {
        text.push_str("  it is the event's key: its order and its place depend on it\n");
    }
    for rule in &impact.rules {
        line!(text, "  the event's own rule reads it: {}", short(rule));
    }
    if !impact.fields.is_empty() {
        text.push_str("\nfields that are relied on:\n");
        let rows = impact.fields.iter().map(|(field, readers)| {
            let readers: Vec<&str> = readers.iter().map(|name| name.as_str()).collect();
            vec![
                Cell::from(format!("  {field}").as_str()),
                Cell::from(readers.join(", ").as_str()),
            ]
        });
        text.push_str(&aligned(&rows.collect::<Vec<_>>()));
    }
    for changed in &impact.changes {
        text.push('\n');
        change(changed, paint, &mut text);
    }
    text
}

fn hash(field: &str) -> String {
    match field {
        "" => String::new(),
        field => format!("#{field}"),
    }
}

fn owned(owner: Option<&String>) -> String {
    owner.map_or_else(String::new, |owner| format!(" ({})", short(owner)))
}

fn parties(what: &str, parties: &[Party]) -> String {
    if parties.is_empty() {
        return String::new();
    }
    let names = parties.iter().map(named);
    format!("  {what} {}\n", names.collect::<Vec<_>>().join(", "))
}

fn named(party: &Party) -> String {
    format!("{}{}", party.service, owned(party.owner.as_ref()))
}

fn change(changed: &Changed, paint: Paint, text: &mut String) {
    line!(text, "if it {}:", changed.words);
    for (party, broken) in &changed.breaks {
        let word = toned(Answer::No, "breaks", paint);
        line!(text, "  {word} {}", named(party));
        line!(
            text,
            "    by this event: {}",
            short(&broken.event.to_string())
        );
        let at = match broken.path.as_str() {
            "" => String::new(),
            path => format!("{path}: "),
        };
        line!(text, "    {at}{}", broken.reason);
    }
    for (party, why) in &changed.not_proved {
        let word = toned(Answer::NotProved, "not proved", paint);
        line!(text, "  {word} {}: {why}", named(party));
    }
    if !changed.keeps.is_empty() {
        let names: Vec<String> = changed.keeps.iter().map(named).collect();
        line!(
            text,
            "  {} {}",
            toned(Answer::Yes, "keeps", paint),
            names.join(", ")
        );
    }
    if !changed.already.is_empty() {
        let names: Vec<String> = changed.already.iter().map(named).collect();
        line!(
            text,
            "  broken without it, as `tidegate contracts` says: {}",
            names.join(", ")
        );
    }
}

pub(super) fn json(impact: &Impact) -> String {
    let party = |party: &Party| json!({"service": party.service, "owner": party.owner});
    let all = |list: &[Party]| list.iter().map(party).collect::<Vec<Value>>();
    let readers: Vec<Value> = impact
        .readers
        .iter()
        .map(|reader| {
            json!({
                "service": reader.party.service,
                "owner": reader.party.owner,
                "relies_on": reader.clauses,
            })
        })
        .collect();
    let fields: Vec<Value> = impact
        .fields
        .iter()
        .map(|(field, readers)| json!({"field": field, "consumers": readers}))
        .collect();
    let changes: Vec<Value> = impact.changes.iter().map(changed).collect();
    super::json::pretty(&json!({
        "schema": "tidegate/impact/v1",
        "event": impact.event,
        "owner": impact.owner,
        "field": impact.field,
        "is_key": impact.is_key,
        "producers": all(&impact.producers),
        "readers": readers,
        "whole_event_readers": all(&impact.whole),
        "other_consumers": all(&impact.others),
        "rules": impact.rules,
        "fields": fields,
        "changes": changes,
    }))
}

fn changed(changed: &Changed) -> Value {
    let who = |party: &Party| json!({"service": party.service, "owner": party.owner});
    let breaks: Vec<Value> = changed
        .breaks
        .iter()
        .map(|(party, broken)| {
            json!({
                "service": party.service,
                "owner": party.owner,
                "witness": super::json::witness(broken),
                "reason": broken.reason,
            })
        })
        .collect();
    let not_proved: Vec<Value> = changed
        .not_proved
        .iter()
        .map(|(party, why)| json!({"service": party.service, "owner": party.owner, "reason": why}))
        .collect();
    json!({
        "change": changed.change.name(),
        "what": changed.words,
        "breaks": breaks,
        "not_proved": not_proved,
        "keeps": changed.keeps.iter().map(who).collect::<Vec<_>>(),
        "already_broken": changed.already.iter().map(who).collect::<Vec<_>>(),
    })
}
