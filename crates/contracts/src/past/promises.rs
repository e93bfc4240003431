//! What events promise beyond their schema, what consumers rely on, and versions.

use std::collections::HashSet;

use tidegate_base::Name;
use tidegate_model::design::{Consume, Event, Requirement, Rule, Service};
use tidegate_schema::{Declared, Outline};

use super::changes::{Changes, Kind};
use super::codes::{REQUIRES_MORE, RULES_CHANGED, VERSION_DROPPED};
use super::consumer::{Pair, outline};
use super::side::Both;
use super::subject::Subject;

/// The versions and rules of an event.
pub(super) fn event(
    both: &Both<'_>,
    name: &Name,
    subject: &Subject<'_>,
    (old, new): (&Event, &Event),
    changes: &mut Changes,
) {
    versions(both, name, subject, (old, new), changes);
    rules(both, name, subject, (&old.rules, &new.rules), changes);
}

fn versions(
    both: &Both<'_>,
    name: &Name,
    subject: &Subject<'_>,
    (old, new): (&Event, &Event),
    changes: &mut Changes,
) {
    if old.newest() != new.newest() {
        let message = format!(
            "{} has `{}` as its newest version, was `{}`",
            subject.label,
            new.newest(),
            old.newest()
        );
        changes
            .harmless(subject.places.1, subject.path_of("version"), message)
            .was_at(subject.places.0);
    }
    for (version, was) in &old.versions {
        let path = subject.path_of(&format!("versions.{version}"));
        let text = was.schema.as_ref().and_then(|schema| schema.text.as_ref());
        if !new.has_version(version.as_str()) {
            let mut publishers = both.old.publishers(name).iter();
            let publishes = |service: &Name| {
                let versions = both.old.design.services.get(service);
                let versions = versions.map(|service| service.versions_of(name));
                versions.is_some_and(|all| all.iter().any(|one| one.value == *version))
            };
            let is_published = publishers.any(|service| publishes(service));
            let message = format!(
                "{} has no version `{version}` any more: events of it are refused where they come in",
                subject.label
            );
            changes
                .add(VERSION_DROPPED, subject.places.1, path, message)
                .only_at(&was.place)
                .hint("keep it in `versions` until nobody publishes it")
                .weighing(if is_published {
                    Kind::Breaking
                } else {
                    Kind::Risky
                })
                .touches(both.old.who_publishes(name));
        } else if let Some(is) = new.versions.get(version)
            && is.schema.as_ref().and_then(|schema| schema.text.as_ref()) != text
        {
            let message = format!(
                "version `{version}` of {} has another schema: what its publishers send may be refused",
                subject.label
            );
            changes
                .add(
                    VERSION_DROPPED,
                    &is.place,
                    format!("{path}.schema"),
                    message,
                )
                .hint("leave a version as it was published, and add another one")
                .was_at(&was.place)
                .touches(both.old.who_publishes(name));
        }
    }
    for (version, is) in &new.versions {
        if !old.has_version(version.as_str()) {
            let message = format!("{} has version `{version}` too", subject.label);
            let path = subject.path_of(&format!("versions.{version}"));
            changes.harmless(&is.place, path, message);
        }
    }
}

/// What consumers may rely on, and what publishers must keep.
fn rules(
    both: &Both<'_>,
    name: &Name,
    subject: &Subject<'_>,
    (old, new): (&[Rule], &[Rule]),
    changes: &mut Changes,
) {
    let path = subject.path_of("rules");
    for rule in without(old, new) {
        let message = format!(
            "{} no longer keeps the rule `{}`: consumers may rely on it",
            subject.label, rule.expression.value
        );
        changes
            .add(RULES_CHANGED, subject.places.1, &path, message)
            .only_at(&rule.expression.place)
            .hint("ask its consumers first; who relies on a rule says so in its `requires`")
            .touches(both.old.who_consumes(name));
    }
    for rule in without(new, old) {
        let message = format!(
            "{} keeps the rule `{}` from now on: events that break it are refused, and those of before may",
            subject.label, rule.expression.value
        );
        changes
            .add(RULES_CHANGED, &rule.expression.place, &path, message)
            .hint("see first that every publisher keeps it")
            .touches(both.old.who_publishes(name));
    }
}

/// The rules of the first that the second has not.
fn without<'a>(these: &'a [Rule], those: &[Rule]) -> Vec<&'a Rule> {
    let those: HashSet<&str> = those
        .iter()
        .map(|rule| rule.expression.value.as_str())
        .collect();
    let is_new = |rule: &&Rule| !those.contains(rule.expression.value.as_str());
    these.iter().filter(is_new).collect()
}

/// What a consumer relies on: more of it may be missing in events of before.
pub(super) fn requires(
    both: &Both<'_>,
    subject: &Subject<'_>,
    (was, is): Pair<'_, '_>,
    changes: &mut Changes,
) {
    let path = subject.path_of("requires");
    let (before, after) = (said(was.consume), said(is.consume));
    let is_in = |all: &[(String, _)], what: &str| all.iter().any(|(said, _)| said == what);
    for (what, part) in &before {
        if !is_in(&after, what) {
            let message = format!("{} no longer requires {what}", subject.label);
            changes
                .harmless(subject.places.1, &path, message)
                .was_at(part.place());
        }
    }
    let old = both.old.design.events.get(is.event_name);
    let outline = old.and_then(outline);
    for (what, part) in &after {
        if is_in(&before, what) {
            continue;
        }
        let message = format!("{} requires {what} from now on", subject.label);
        if part.is_promised(outline.as_ref()) {
            let message = format!("{message}, which every event of before has");
            changes.harmless(part.place(), &path, message);
            continue;
        }
        changes
            .add(REQUIRES_MORE, part.place(), &path, format!(
                "{message}: the schema of before does not promise it, so that events which are kept may lack it"
            ))
            .hint("let the handler do without it for as long as events of before are kept")
            .touches(subject.affected.iter().cloned());
    }
    let reads = |consume: &Consume| {
        consume
            .reads
            .as_ref()
            .map(|version| version.value.to_string())
    };
    subject.text(
        changes,
        "reads",
        reads(was.consume).as_ref(),
        reads(is.consume).as_ref(),
    );
}

/// A part of what a consumer relies on.
enum Part<'a> {
    Field(&'a Requirement),
    Rule(&'a Rule),
}

impl Part<'_> {
    fn place(&self) -> &tidegate_model::Place {
        match self {
            Self::Field(field) => &field.field.place,
            Self::Rule(rule) => &rule.expression.place,
        }
    }

    fn is_promised(&self, old: Option<&Outline>) -> bool {
        match self {
            Self::Field(field) if field.is_plain() => {
                old.is_some_and(|old| old.requires(&field.field.value) == Declared::Yes)
            }
            Self::Field(_) | Self::Rule(_) => false,
        }
    }
}

/// Each part with how it is told; two that are told alike ask the same.
fn said(consume: &Consume) -> Vec<(String, Part<'_>)> {
    let fields = consume.requires.iter().map(|field| {
        let mut said = format!("`{}`", field.field.value);
        if field.presence != tidegate_model::design::Presence::Always {
            said.push_str(", where it is there,");
        }
        if let Some(kind) = &field.field_type {
            said.push_str(&format!(" as {:?}", kind.value).to_lowercase());
        }
        if let Some(values) = &field.values {
            let values: Vec<String> = values.iter().map(|value| value.value.to_string()).collect();
            said.push_str(&format!(" as one of {}", values.join(", ")));
        }
        (said, Part::Field(field))
    });
    let rules = consume.rules.iter().map(|rule| {
        let said = format!("the rule `{}`", rule.expression.value);
        (said, Part::Rule(rule))
    });
    fields.chain(rules).collect()
}

/// In which versions a service publishes an event that it published before.
pub(super) fn published(
    name: &Name,
    event: &Name,
    (old, new): (&Service, &Service),
    changes: &mut Changes,
) {
    let versions = |service: &Service| -> Vec<String> {
        let versions = service.versions_of(event).iter();
        versions.map(|version| version.value.to_string()).collect()
    };
    let (was, is) = (versions(old), versions(new));
    if was == is {
        return;
    }
    let told = |versions: &[String]| match versions.is_empty() {
        true => "its newest version alone".to_owned(),
        false => format!("versions {}", versions.join(", ")),
    };
    // Whether its consumers read them is a rule of the new design alone.
    let message = format!(
        "service `{name}` publishes `{event}` in {}, was {}",
        told(&is),
        told(&was)
    );
    changes
        .harmless(&new.place, format!("services.{name}.publishes"), message)
        .was_at(&old.place);
}
