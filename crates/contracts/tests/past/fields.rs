//! The table of fields is that of the design language, and the documentation shows it.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_contracts::past::{FIELDS, Kind, fields_table};

use crate::designs::{SHOP, changes, codes, edited};

/// Every field of the language by its path, from the published JSON Schema: it and the reader come
/// from one table.
fn language() -> BTreeSet<String> {
    let schema = tidegate_model::json_schema();
    let mut paths = BTreeSet::new();
    below(&schema, &schema, "", &mut paths);
    paths
}

fn below(root: &Value, section: &Value, path: &str, paths: &mut BTreeSet<String>) {
    let Some(properties) = section["properties"].as_object() else {
        return;
    };
    for (name, field) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        assert!(paths.insert(path.clone()), "{path} twice");
        below(root, target(root, field), &path, paths);
        let named = &field["additionalProperties"];
        if named.is_object() {
            below(root, target(root, named), &format!("{path}.*"), paths);
        }
    }
}

fn target<'a>(root: &'a Value, field: &'a Value) -> &'a Value {
    match field["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'))
    {
        Some(pointer) => root.pointer(pointer).unwrap(),
        None => field,
    }
}

#[test]
fn every_field_of_the_language_is_classified() {
    let known: BTreeSet<String> = FIELDS.iter().map(|field| field.path.to_owned()).collect();
    assert_eq!(known.len(), FIELDS.len(), "a field is there twice");
    let language = language();
    let forgotten: Vec<_> = language.difference(&known).collect();
    assert!(
        forgotten.is_empty(),
        "say in FIELDS what a change of these may be: {forgotten:?}"
    );
    let unknown: Vec<_> = known.difference(&language).collect();
    assert!(
        unknown.is_empty(),
        "these are no fields of the language: {unknown:?}"
    );
    assert!(language.len() > 70);
}

#[test]
fn the_documentation_shows_the_table() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/breaking-changes.md"
    );
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let table = fields_table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let (before, rest) = page.split_once("| field | codes |").unwrap_or((&page, ""));
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        std::fs::write(path, format!("{before}{table}\n{after}")).unwrap();
        return;
    }
    assert!(
        page.contains(&table),
        "run UPDATE_DOCS=1 cargo test -p tidegate-contracts --test past fields"
    );
}

/// The shop without an event, and without whatever names it.
fn without(event: &str) -> String {
    let lines = SHOP
        .lines()
        .filter(|line| !line.trim_start().starts_with(&format!("{event}: ")));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text
        .replace(&format!(", {event}]"), "]")
        .replace(&format!("[{event}, "), "[");
    text.replace(
        &format!("consumes: {{{event}: {{needs: [disk]}}}}"),
        "consumes: {}",
    )
}

#[test]
fn an_event_that_others_use_is_missed() {
    let found = changes(SHOP, &without("InvoiceSent"));
    assert_eq!(codes(&found), ["e1002 breaking".to_owned()].into());
    assert_eq!(found.len(), 1);
    let change = &found[0];
    assert_eq!(change.finding.path, "events.InvoiceSent");
    assert_eq!(
        (&*change.finding.place.file, &*change.anchor.file),
        ("old.yaml", "new.yaml")
    );
    let names: Vec<&str> = change
        .affected
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["archive/InvoiceSent", "mail/InvoiceSent", "billing"]
    );
    assert!(change.finding.message.ends_with(
        "; breaks `archive/InvoiceSent` (team-data), `mail/InvoiceSent` (team-mail), `billing` (team-billing)"
    ), "{}", change.finding.message);
    let published_alone = changes(SHOP, &without("Unheard"));
    assert_eq!(codes(&published_alone), ["e1002 risky".to_owned()].into());
}

#[test]
fn a_renamed_event_or_service_is_told_so() {
    let renamed = SHOP.replace("OrderPlaced", "OrderTaken");
    let found = changes(SHOP, &renamed);
    let removed = found
        .iter()
        .find(|change| change.finding.code.0 == "E1002")
        .unwrap();
    let hint = removed.finding.hint.as_ref().unwrap();
    assert!(
        hint.starts_with("was it renamed to `OrderTaken`?"),
        "{hint}"
    );
    let other = changes(SHOP, &SHOP.replace("  mail:\n", "  post:\n"));
    let removed = other
        .iter()
        .find(|change| change.finding.code.0 == "E1015")
        .unwrap();
    assert!(
        removed
            .finding
            .hint
            .as_ref()
            .unwrap()
            .starts_with("was it renamed to `post`?")
    );
    assert!(other.iter().any(|change| change.finding.code.0 == "E1019"));
    // Nothing in common is no rename.
    let found = changes(
        SHOP,
        &edited(&without("InvoiceSent"), "  Forgotten:", "  Other:"),
    );
    let removed = found
        .iter()
        .find(|change| change.finding.code.0 == "E1002")
        .unwrap();
    assert!(!removed.finding.hint.as_ref().unwrap().contains("renamed"));
}

#[test]
fn a_dependency_that_consumers_needed_is_missed_once() {
    let text = edited(SHOP, "  disk: {}\n", "");
    let found = changes(SHOP, &text.replace("{needs: [disk]}", "{}"));
    assert_eq!(codes(&found), ["e1033 risky".to_owned()].into());
    assert_eq!(found[0].affected[0].name, "archive/InvoiceSent");
}

#[test]
fn what_breaks_comes_first_and_has_a_next_step() {
    let text = SHOP
        .replace("key: /orderId", "key: /total")
        .replace("objective: 31s", "objective: 2m")
        .replace("Takes orders.", "Takes any order.");
    let found = changes(SHOP, &text);
    let kinds: Vec<Kind> = found.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Kind::Breaking, Kind::Risky, Kind::Harmless]);
    for change in &found {
        assert_eq!(change.finding.severity, change.kind.severity());
        assert_eq!(change.finding.hint.is_some(), change.kind != Kind::Harmless);
        assert!(!change.finding.message.ends_with('.'));
    }
    assert!(
        found[0]
            .finding
            .message
            .contains("for as long as events of before are kept, 7d")
    );
    assert_eq!(
        (found[0].old.as_deref(), found[0].new.as_deref()),
        (Some("/orderId"), Some("/total"))
    );
    assert_eq!(found[0].finding.place.line, 16);
    assert_eq!(&*found[0].finding.related[0].0.file, "old.yaml");
}
