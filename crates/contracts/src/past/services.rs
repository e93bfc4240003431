//! Services: removed, added, what they publish, and their consumers.

use std::collections::{HashMap, HashSet};

use tidegate_base::{Name, format_duration};
use tidegate_model::design::{ConsumerRef, Located, Service};

use super::changes::{Affected, Changes, Kind};
use super::codes::{CONSUMER_ADDED, CONSUMER_REMOVED, PUBLISHER_REMOVED, SERVICE_REMOVED};
use super::consumer;
use super::promises;
use super::rename::Renames;
use super::side::{Both, affected};
use super::subject::Subject;

pub(super) fn compare(both: &Both<'_>, changes: &mut Changes) {
    let renames = Renames::of_services(both);
    for (name, old) in &both.old.design.services {
        match both.new.design.services.get(name) {
            Some(new) => service(both, name, (old, new), changes),
            None => removed(both, name, old, &renames, changes),
        }
    }
    for (name, new) in &both.new.design.services {
        if !both.old.design.services.contains_key(name) {
            let message = format!("service `{name}` is new");
            changes.harmless(&new.place, format!("services.{name}"), message);
            for (event, consume) in &new.consumes {
                let new = ConsumerRef {
                    service_name: name,
                    service: new,
                    event_name: event,
                    consume,
                };
                consumer_added(both, &new, changes);
            }
        }
    }
}

/// Those who get fewer events when `service` no longer publishes `event`: everybody else who
/// consumes it.
fn left_without<'b>(
    both: &'b Both<'_>,
    service: &'b Name,
    event: &Name,
) -> impl Iterator<Item = Affected> + 'b {
    let consumers = both.old.consumers(event).iter();
    consumers
        .filter(move |consumer| consumer.service_name != service)
        .map(affected)
}

fn removed(
    both: &Both<'_>,
    name: &Name,
    old: &Service,
    renames: &Renames<'_>,
    changes: &mut Changes,
) {
    let kept = |event: &Name| both.new.design.events.contains_key(event);
    let published = old
        .publishes
        .iter()
        .map(|event| &event.value)
        .filter(|event| kept(event));
    let silent: Vec<&Name> = published
        .filter(|event| both.new.publishers(event).is_empty())
        .collect();
    let bereft: Vec<Affected> = silent
        .iter()
        .flat_map(|event| left_without(both, name, event))
        .collect();
    let mut message = format!("service `{name}` was removed");
    if !bereft.is_empty() {
        let names: Vec<String> = silent.iter().map(|event| format!("`{event}`")).collect();
        message.push_str(&format!(": nobody else publishes {}", names.join(", ")));
    }
    if !old.consumes.is_empty() {
        message.push_str("; what its consumers have not finished never runs");
    }
    let hint = match renames.of(name) {
        Some(renamed) => format!(
            "was it renamed to `{renamed}`? its consumers are other ones then, which begin with the oldest event \
             that is left: let both run until the old ones have finished"
        ),
        None => {
            "let its consumers finish, and let somebody else publish its events first".to_owned()
        }
    };
    let kind = if bereft.is_empty() {
        Kind::Risky
    } else {
        Kind::Breaking
    };
    let path = format!("services.{name}");
    let anchor = &both.new.design.system.place;
    changes
        .add(SERVICE_REMOVED, anchor, path, message)
        .only_at(&old.place)
        .hint(hint)
        .weighing(kind)
        .touches(bereft);
}

fn service(both: &Both<'_>, name: &Name, (old, new): (&Service, &Service), changes: &mut Changes) {
    let subject = Subject {
        path: format!("services.{name}"),
        label: format!("service `{name}`"),
        places: (&old.place, &new.place),
        affected: Vec::new(),
    };
    subject.text(
        changes,
        "summary",
        old.summary.as_ref(),
        new.summary.as_ref(),
    );
    subject.owner(changes, old.owner.as_ref(), new.owner.as_ref());
    publishes(both, name, (old, new), changes);
    for (event, consume) in &old.consumes {
        let was = ConsumerRef {
            service_name: name,
            service: old,
            event_name: event,
            consume,
        };
        match new.consumes.get(event) {
            Some(consume) => {
                let is = ConsumerRef {
                    service_name: name,
                    service: new,
                    event_name: event,
                    consume,
                };
                consumer::compare(both, (&was, &is), changes);
            }
            // With its event: that is said there.
            None if !both.new.design.events.contains_key(event) => {}
            None => consumer_removed(&was, new, changes),
        }
    }
    for (event, consume) in &new.consumes {
        if !old.consumes.contains_key(event) {
            let is = ConsumerRef {
                service_name: name,
                service: new,
                event_name: event,
                consume,
            };
            consumer_added(both, &is, changes);
        }
    }
}

fn publishes(
    both: &Both<'_>,
    name: &Name,
    (old, new): (&Service, &Service),
    changes: &mut Changes,
) {
    let path = format!("services.{name}.publishes");
    let now: HashSet<&Name> = new.publishes.iter().map(|event| &event.value).collect();
    for Located {
        value: event,
        place,
    } in &old.publishes
    {
        if now.contains(event) {
            promises::published(name, event, (old, new), changes);
            continue;
        }
        if !both.new.design.events.contains_key(event) {
            continue;
        }
        let message = format!("service `{name}` no longer publishes `{event}`");
        let bereft: Vec<Affected> = left_without(both, name, event).collect();
        let is_last = both.new.publishers(event).is_empty();
        let (kind, why) = match (is_last, bereft.is_empty()) {
            (true, false) => (
                Kind::Breaking,
                "nobody does, and its consumers wait for nothing",
            ),
            (false, false) => (Kind::Risky, "its consumers get what others publish alone"),
            (_, true) => (Kind::Risky, "what it still publishes is refused"),
        };
        changes
            .add(
                PUBLISHER_REMOVED,
                &new.place,
                &path,
                format!("{message}: {why}"),
            )
            .only_at(place)
            .hint("let another service publish it first, or remove its consumers before")
            .weighing(kind)
            .touches(bereft);
    }
    let before: HashSet<&Name> = old.publishes.iter().map(|event| &event.value).collect();
    for Located {
        value: event,
        place,
    } in &new.publishes
    {
        if !before.contains(event) {
            changes.harmless(
                place,
                &path,
                format!("service `{name}` publishes `{event}` too"),
            );
        }
    }
}

fn consumer_removed(was: &ConsumerRef<'_>, new: &Service, changes: &mut Changes) {
    let message = format!(
        "consumer `{}` was removed: what it has not finished, and its dead letters, never run",
        was.id()
    );
    changes
        .add(CONSUMER_REMOVED, &new.place, was.path(), message)
        .only_at(&was.consume.place)
        .hint(format!(
            "let it finish first: `tidegate consumer list` shows what is left of `{}`, `tidegate dlq list` its dead \
             letters",
            was.id()
        ))
        .touches([affected(was)]);
}

fn consumer_added(both: &Both<'_>, is: &ConsumerRef<'_>, changes: &mut Changes) {
    let (id, event) = (is.id(), is.event_name);
    let place = &is.consume.place;
    let Some(old) = both.old.design.events.get(event) else {
        changes.harmless(
            place,
            is.path(),
            format!("consumer `{id}` is new, as its event is"),
        );
        return;
    };
    let kept = format_duration(old.retention.value);
    let message = format!(
        "consumer `{id}` is new, and begins with the oldest event that is left: all that `retention` {kept} has kept"
    );
    changes
        .add(CONSUMER_ADDED, place, is.path(), message)
        .hint(format!(
            "can it handle events that old? else skip them at once: `tidegate consumer seek {id} --to latest --reason … --yes`"
        ))
        .touches([affected(is)]);
}

/// Which of two lists of names has what the other has not: gone and come.
pub(super) fn difference<'a>(
    old: &'a [Located<Name>],
    new: &'a [Located<Name>],
) -> (Vec<&'a Located<Name>>, Vec<&'a Located<Name>>) {
    let places = |list: &'a [Located<Name>]| -> HashMap<&'a Name, &'a Located<Name>> {
        list.iter().map(|one| (&one.value, one)).collect()
    };
    let (was, is) = (places(old), places(new));
    let gone = old.iter().filter(|one| !is.contains_key(&one.value));
    let come = new.iter().filter(|one| !was.contains_key(&one.value));
    (gone.collect(), come.collect())
}
