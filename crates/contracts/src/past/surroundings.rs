//! What surrounds events and services: the system's name, processes, the infrastructure.

use std::collections::HashSet;

use tidegate_base::Name;
use tidegate_model::design::{Criticality, Located, Messaging, Process};

use super::changes::{Affected, Changes, Kind};
use super::codes::{BROKER_CHANGED, CRITICALITY_LOWERED, NEED_DROPPED, SYSTEM_RENAMED};
use super::side::{Both, affected};
use super::subject::{Judged, Subject};

pub(super) fn compare(both: &Both<'_>, changes: &mut Changes) {
    let (old, new) = (&both.old.design.system, &both.new.design.system);
    if old.value != new.value {
        changes
            .add(SYSTEM_RENAMED, &new.place, "system", format!(
                "`system` is `{}`, was `{}`: what goes by its name is another one, such as the `source` of events \
                 that a service in its process publishes",
                new.value, old.value
            ))
            .was_at(&old.place)
            .values(Some(old.value.to_string()), Some(new.value.to_string()))
            .hint("keep the name, or change dashboards, alerts and whoever asks for `source` with it");
    }
    processes(both, changes);
    messaging(both, changes);
}

fn processes(both: &Both<'_>, changes: &mut Changes) {
    let (old, new) = (&both.old.design.processes, &both.new.design.processes);
    for (name, was) in old {
        match new.get(name) {
            Some(is) => process(name, (was, is), changes),
            None => {
                let anchor = &both.new.design.system.place;
                let path = format!("processes.{name}");
                let message = format!("process `{name}` was removed");
                let draft = if was.criticality == Criticality::High {
                    let why = "its services are held to less";
                    let hint = "keep it for as long as the business depends on it";
                    changes
                        .add(
                            CRITICALITY_LOWERED,
                            anchor,
                            path,
                            format!("{message}: {why}"),
                        )
                        .hint(hint)
                } else {
                    changes.harmless(anchor, path, message)
                };
                draft.only_at(&was.place);
            }
        }
    }
    for (name, is) in new {
        if !old.contains_key(name) {
            let message = format!("process `{name}` is new");
            changes.harmless(&is.place, format!("processes.{name}"), message);
        }
    }
}

fn process(name: &Name, (was, is): (&Process, &Process), changes: &mut Changes) {
    let subject = Subject {
        path: format!("processes.{name}"),
        label: format!("process `{name}`"),
        places: (&was.place, &is.place),
        affected: Vec::new(),
    };
    subject.text(
        changes,
        "summary",
        was.summary.as_ref(),
        is.summary.as_ref(),
    );
    subject.owner(changes, was.owner.as_ref(), is.owner.as_ref());
    let judged = if is.criticality < was.criticality {
        let why = "its services are held to less";
        Judged::As(
            CRITICALITY_LOWERED,
            why,
            "keep it, or agree with the owner of the process",
        )
    } else {
        Judged::Harmless
    };
    subject.word(
        changes,
        "criticality",
        (&was.criticality, &is.criticality),
        judged,
    );
    let steps = |process: &Process| {
        process
            .steps
            .iter()
            .map(|step| step.value.clone())
            .collect()
    };
    let (old, new): (Vec<Name>, Vec<Name>) = (steps(was), steps(is));
    if old != new {
        let list = |names: &[Name]| {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            names.join(", ")
        };
        let (old, new) = (list(&old), list(&new));
        let message = format!("`steps` of process `{name}` are [{new}], were [{old}]");
        let draft = changes.harmless(subject.places.1, subject.path_of("steps"), message);
        draft.was_at(subject.places.0).values(Some(old), Some(new));
    }
}

fn messaging(both: &Both<'_>, changes: &mut Changes) {
    let (old, new) = (&both.old.design.messaging, &both.new.design.messaging);
    let system = (&both.old.design.system.place, &both.new.design.system.place);
    let everybody: Vec<Affected> = both
        .old
        .design
        .consumers()
        .map(|one| affected(&one))
        .collect();
    let subject = Subject {
        path: "messaging".to_owned(),
        label: "messaging".to_owned(),
        places: (
            old.place.as_ref().unwrap_or(system.0),
            new.place.as_ref().unwrap_or(system.1),
        ),
        affected: everybody,
    };
    broker(&subject, (old, new), changes);
    let needs = "the infrastructure may be one that cannot do it";
    dropped(
        &subject,
        "requires",
        (&old.requires, &new.requires),
        Some(needs),
        changes,
    );
    dropped(
        &subject,
        "existing",
        (&old.existing, &new.existing),
        None,
        changes,
    );
    dropped(
        &subject,
        "clouds",
        (&old.clouds, &new.clouds),
        None,
        changes,
    );
    let weights = |messaging: &Messaging| {
        let weights = messaging.weights.iter();
        let mut list: Vec<(String, f64)> = weights
            .map(|(name, weight)| (name.clone(), weight.value))
            .collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    };
    if weights(old) != weights(new) {
        let message = "`weights` of messaging are other ones";
        changes
            .harmless(subject.places.1, "messaging.weights", message)
            .was_at(subject.places.0);
    }
}

fn broker(subject: &Subject<'_>, (old, new): (&Messaging, &Messaging), changes: &mut Changes) {
    let values = (old.broker.as_ref(), new.broker.as_ref());
    let (was, is) = (
        values.0.map(|one| &one.value),
        values.1.map(|one| &one.value),
    );
    if was == is {
        return;
    }
    let why = "events that are kept, positions of consumers and dead letters stay behind";
    let fix = "let every consumer finish on the old one before the producers move; events to replay go over by hand";
    let judged = Judged::As(BROKER_CHANGED, why, fix);
    match (was, is) {
        (Some(_), Some(_)) => subject.moved(changes, "broker", values, judged),
        // What is not written has not been chosen: the choice moves nothing that the design knows of.
        _ => subject.moved(changes, "broker", values, Judged::Harmless),
    }
}

/// What a list of words has no longer, and what it has more.
fn dropped(
    subject: &Subject<'_>,
    field: &str,
    (old, new): (&[Located<String>], &[Located<String>]),
    why: Option<&str>,
    changes: &mut Changes,
) {
    let words = |list: &[Located<String>]| -> HashSet<String> {
        list.iter().map(|one| one.value.clone()).collect()
    };
    let (before, after) = (words(old), words(new));
    let path = subject.path_of(field);
    for one in old.iter().filter(|one| !after.contains(&one.value)) {
        let message = format!("`{field}` of messaging no longer has `{}`", one.value);
        let draft = match why {
            Some(why) => changes
                .add(
                    NEED_DROPPED,
                    subject.places.1,
                    &path,
                    format!("{message}: {why}"),
                )
                .hint("keep it, if anybody relies on it")
                .weighing(Kind::Risky),
            None => changes.harmless(subject.places.1, &path, message),
        };
        draft.only_at(&one.place);
    }
    for one in new.iter().filter(|one| !before.contains(&one.value)) {
        let message = format!("`{field}` of messaging has `{}` too", one.value);
        changes.harmless(&one.place, &path, message);
    }
}
