//! AsyncAPI documents of a design, read back: nothing that a design has is lost.

#![cfg(test)]

mod designs;
mod foreign;
mod official;
mod sources;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use tidegate_asyncapi::{Bundle, Imported, import, validate};
use tidegate_base::Name;
use tidegate_generate::asyncapi::{Version, asyncapi, at_version, service};
use tidegate_model::{Design, SchemaPath, Severity, Source, read};

/// Reads a design; `files` has its schemas.
fn design_of(value: &Value, files: &[(String, String)]) -> Design {
    let source = Source {
        name: "design.yaml".into(),
        text: value.to_string(),
    };
    let text = |path: &SchemaPath| {
        let found = files.iter().find(|(name, _)| *name == path.written);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| format!("no {}", path.written))
    };
    let reading = read(&[source], &text);
    let errors: Vec<_> = reading
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
    reading.design.unwrap()
}

fn imported(documents: &[Value]) -> (Imported, Design) {
    let sources: Vec<Source> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| Source {
            name: format!("{index}.yaml").into(),
            text: tidegate_generate::to_yaml(document),
        })
        .collect();
    let bundle = Bundle::read(&sources, &[]);
    let imported = import(&bundle, None);
    let design = design_of(&imported.design, &imported.files);
    (imported, design)
}

/// Everything that a design says, without the places and without the files of its schemas.
fn said(design: &Design) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let mut design = design.clone();
    for (name, event) in &mut design.events {
        if let Some(schema) = event.schema.take() {
            let text = schema.text.unwrap_or_default();
            let mut value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            if value["$schema"] == "https://json-schema.org/draft/2020-12/schema" {
                value.as_object_mut().unwrap().shift_remove("$schema");
            }
            value.sort_all_objects();
            said.insert(
                format!("schema of {name}"),
                format!("{:?} {value}", schema.format),
            );
        }
    }
    said.insert("system".into(), design.system.value.to_string());
    said.insert(
        "messaging".into(),
        placeless(&format!("{:?}", design.messaging)),
    );
    for (name, process) in &design.processes {
        said.insert(
            format!("process {name}"),
            placeless(&format!("{process:?}")),
        );
    }
    for (name, event) in &design.events {
        said.insert(format!("event {name}"), placeless(&format!("{event:?}")));
    }
    for (name, service) in &design.services {
        said.insert(
            format!("service {name}"),
            placeless(&format!("{service:?}")),
        );
    }
    for (name, dependency) in &design.dependencies {
        said.insert(
            format!("dependency {name}"),
            placeless(&format!("{dependency:?}")),
        );
    }
    said
}

/// A debug text without `Place {…}`.
fn placeless(text: &str) -> String {
    let mut parts = text.split("Place { file: ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("here");
        plain.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    plain
        .replace("Some(here)", "here")
        .replace("place: None", "place: here")
}

fn assert_same(before: &Design, after: &Design, document: &Value) {
    let (before, after) = (said(before), said(after));
    for (what, text) in &before {
        let found = after.get(what);
        let document = || tidegate_generate::to_yaml(document);
        assert!(
            found == Some(text),
            "{what}\n  {text}\n  {found:?}\n{}",
            document()
        );
    }
    let more: Vec<_> = after
        .keys()
        .filter(|what| !before.contains_key(*what))
        .collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_design_with_everything_comes_back() {
    let design = design_of(&designs::everything(), &designs::files());
    let document = asyncapi(&design);
    let (imported, after) = imported(std::slice::from_ref(&document));
    assert_same(&design, &after, &document);
    let lost: Vec<_> = imported.findings.iter().map(|f| &f.message).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn the_comparison_sees_what_is_lost() {
    let before = said(&design_of(&designs::everything(), &designs::files()));
    let mut changed = designs::everything();
    changed["services"]["billing"]["consumes"]["OrderPlaced"]["deliver"]["burst"] = 8.into();
    let after = said(&design_of(&changed, &designs::files()));
    assert_ne!(before, after);
    assert!(before.contains_key("schema of OrderPlaced"));
}

#[test]
fn who_sends_what_to_whom_is_told() {
    let design = design_of(&designs::everything(), &designs::files());
    let (imported, _) = imported(&[asyncapi(&design)]);
    let flows = imported.flows;
    assert!(
        flows.contains(&"orders sends OrderPlaced to billing, shipping".to_owned()),
        "{flows:?}"
    );
    assert!(
        flows.contains(&"billing sends PaymentTaken to nobody that is known".to_owned()),
        "{flows:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_design_comes_back_from_the_document_of_the_system(value in designs::any(), newer in any::<bool>()) {
        let design = design_of(&value, &designs::files());
        let version = if newer { Version::V3_1 } else { Version::V3_0 };
        let document = at_version(asyncapi(&design), version);
        let (first, after) = imported(std::slice::from_ref(&document));
        assert_same(&design, &after, &document);
        // And once more: what was imported is what is imported.
        let again = imported(&[asyncapi(&after)]).0;
        prop_assert_eq!(first.design, again.design);
        prop_assert_eq!(first.files, again.files);
    }

    #[test]
    fn any_design_comes_back_from_one_document_a_service(value in designs::any()) {
        let design = design_of(&value, &designs::files());
        let documents: Vec<Value> = design
            .services
            .keys()
            .map(|name: &Name| service(&design, name).unwrap())
            .collect();
        let (_, after) = imported(&documents);
        let (before, after) = (said(&design), said(&after));
        for (what, text) in &before {
            // A document of a service says what the service has to do with.
            let elsewhere = what.starts_with("process") || what == "messaging" || !after.contains_key(what);
            prop_assert!(elsewhere || after.get(what) == Some(text), "{}: {:?}\n{}", what, after.get(what), text);
        }
        for (name, service) in &design.services {
            let key = format!("service {name}");
            prop_assert!(after.contains_key(&key), "{}", key);
            for event in service.publishes.iter().map(|p| &p.value).chain(service.consumes.keys()) {
                let key = format!("event {event}");
                prop_assert!(after.contains_key(&key), "{}", key);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_document_is_valid(value in designs::any()) {
        let design = design_of(&value, &designs::files());
        for document in std::iter::once(asyncapi(&design))
            .chain(design.services.keys().map(|name| service(&design, name).unwrap()))
        {
            let text = tidegate_generate::to_yaml(&document);
            let source = Source { name: "a.yaml".into(), text: text.clone() };
            let findings = validate(&Bundle::read(&[source], &[]));
            let bad: Vec<_> = findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error || finding.code.0 == "E0861")
                .collect();
            prop_assert!(bad.is_empty(), "{:#?}\n{}", bad, text);
        }
    }
}
