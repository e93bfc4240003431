//! Events: removed, added, and their fields but for the schema.

use std::cmp::Ordering;
use std::time::Duration;

use tidegate_base::{Name, format_duration};
use tidegate_model::design::{
    Backlog, CleanupPolicy, Compatibility, Consume, Event, Located, Order, Targets,
};

use super::changes::{Changes, Kind};
use super::codes::{
    BACKLOG_LOWERED, CLEANUP_CHANGED, COMPATIBILITY_LOOSENED, EVENT_REMOVED, KEY_CHANGED,
    RETENTION_SHORTENED, TARGET_LOWERED, TYPE_CHANGED,
};
use super::promises;
use super::rename::Renames;
use super::schemas::Ways;
use super::side::{Both, affected};
use super::subject::{Judged, Scale, Subject, limit};

pub(super) fn compare(both: &Both<'_>, changes: &mut Changes) {
    let renames = Renames::of_events(both);
    for (name, old) in &both.old.design.events {
        match both.new.design.events.get(name) {
            Some(new) => event(both, name, (old, new), changes),
            None => removed(both, name, old, &renames, changes),
        }
    }
    for (name, new) in &both.new.design.events {
        if !both.old.design.events.contains_key(name) {
            changes.harmless(
                &new.place,
                format!("events.{name}"),
                format!("event `{name}` is new"),
            );
        }
    }
}

fn removed(
    both: &Both<'_>,
    name: &Name,
    old: &Event,
    renames: &Renames<'_>,
    changes: &mut Changes,
) {
    let path = format!("events.{name}");
    let anchor = &both.new.design.system.place;
    let is_consumed = !both.old.consumers(name).is_empty();
    let is_published = !both.old.publishers(name).is_empty();
    let message = format!("event `{name}` was removed");
    if !is_consumed && !is_published {
        let message = format!("{message}; nobody published or consumed it");
        changes.harmless(anchor, path, message).only_at(&old.place);
        return;
    }
    let why = if is_consumed {
        "its consumers get nothing more, and what they have not finished has no channel"
    } else {
        "its publishers are refused"
    };
    let hint = match renames.of(name) {
        Some(renamed) => format!(
            "was it renamed to `{renamed}`? publish both until every consumer has moved and has finished \
             `{name}`, then remove it"
        ),
        None => {
            "keep it until every consumer has finished it, then remove consumers, publishers and it"
                .to_owned()
        }
    };
    let kind = if is_consumed {
        Kind::Breaking
    } else {
        Kind::Risky
    };
    changes
        .add(EVENT_REMOVED, anchor, path, format!("{message}: {why}"))
        .only_at(&old.place)
        .hint(hint)
        .weighing(kind)
        .touches(
            both.old
                .who_consumes(name)
                .chain(both.old.who_publishes(name)),
        );
}

fn event(both: &Both<'_>, name: &Name, (old, new): (&Event, &Event), changes: &mut Changes) {
    let consumers = both.old.who_consumes(name);
    let subject = Subject {
        path: format!("events.{name}"),
        label: format!("event `{name}`"),
        places: (&old.place, &new.place),
        affected: consumers.collect(),
    };
    subject.text(
        changes,
        "summary",
        old.summary.as_ref(),
        new.summary.as_ref(),
    );
    subject.owner(changes, old.owner.as_ref(), new.owner.as_ref());
    if old.event_type != new.event_type {
        let (was, is) = (&old.event_type, &new.event_type);
        let message = format!(
            "CloudEvents `type` of event `{name}` is `{is}`, was `{was}`: what is published with the old one is \
             refused, and handlers that ask for the type no longer know it"
        );
        changes
            .add(TYPE_CHANGED, &new.place, subject.path_of("type"), message)
            .hint("declare another event with the new type, and publish both until every consumer has moved")
            .was_at(&old.place)
            .values(Some(was.clone()), Some(is.clone()))
            .touches(both.old.who_publishes(name).chain(both.old.who_consumes(name)));
    }
    key(both, name, &subject, (old, new), changes);
    compatibility(&subject, (old.compatibility, new.compatibility), changes);
    retention(both, name, &subject, (old, new), changes);
    let size = (old.retention_size.as_ref(), new.retention_size.as_ref());
    let why = "what is beyond goes before its time, so that less can be replayed";
    let fix = "keep the size, or ask who replays";
    subject.quantity(
        changes,
        "retention-size",
        size,
        limit(RETENTION_SHORTENED, why, fix),
    );
    cleanup(&subject, (old, new), changes);
    backlog(both, name, (old, new), changes);
    targets(&subject, (&old.targets, &new.targets), changes);
    promises::event(both, name, &subject, (old, new), changes);
}

/// Another key is another order and another place of each event.
fn key(
    both: &Both<'_>,
    name: &Name,
    subject: &Subject<'_>,
    (old, new): (&Event, &Event),
    changes: &mut Changes,
) {
    let text = |key: &Option<Located<String>>| key.as_ref().map(|key| key.value.clone());
    let (was, is) = (text(&old.key), text(&new.key));
    if was == is {
        return;
    }
    let ordered = both
        .old
        .consumers(name)
        .iter()
        .filter(|consumer| consumer.consume.order.value == Order::Key && was.is_some());
    let ordered: Vec<_> = ordered.map(affected).collect();
    let compacts = old.cleanup_policy.value == CleanupPolicy::Compact;
    let window = match new.cleanup_policy.value {
        CleanupPolicy::Compact => "as long as events of before are kept".to_owned(),
        CleanupPolicy::Delete => {
            format!(
                "for as long as events of before are kept, {}",
                format_duration(old.retention.value)
            )
        }
    };
    let quoted = |key: &Option<String>| {
        key.as_ref()
            .map_or("none".to_owned(), |key| format!("`{key}`"))
    };
    let what = if was.is_none() {
        format!("events of before have no place in the new order, {window}")
    } else if is.is_none() {
        "events of one value no longer keep their order, and go anywhere".to_owned()
    } else {
        format!(
            "events of one value on both sides of the change may overtake each other and be apart, {window}"
        )
    };
    let message = format!(
        "`key` of {} is {}, was {}: {what}",
        subject.label,
        quoted(&is),
        quoted(&was)
    );
    let breaks = !ordered.is_empty() || compacts && was.is_some();
    let place = new.key.as_ref().map_or(&new.place, |key| &key.place);
    let old_place = old.key.as_ref().map_or(&old.place, |key| &key.place);
    changes
        .add(KEY_CHANGED, place, subject.path_of("key"), message)
        .hint(
            "declare another event with the new key; else stop the producers, let every consumer finish, and \
             change it then",
        )
        .was_at(old_place)
        .values(was, is)
        .weighing(if breaks { Kind::Breaking } else { Kind::Risky })
        .touches(ordered);
}

fn compatibility(
    subject: &Subject<'_>,
    (old, new): (Compatibility, Compatibility),
    changes: &mut Changes,
) {
    let judged = if Ways::of(new).has_all_of(Ways::of(old)) {
        Judged::Harmless
    } else {
        Judged::As(
            COMPATIBILITY_LOOSENED,
            "from now on its schema may change in ways that its parties were promised it would not",
            "keep it, or agree with the owners of its consumers and publishers first",
        )
    };
    subject.word(changes, "compatibility", (&old, &new), judged);
}

fn retention(
    both: &Both<'_>,
    name: &Name,
    subject: &Subject<'_>,
    (old, new): (&Event, &Event),
    changes: &mut Changes,
) {
    let values = (&old.retention, &new.retention);
    let compacts = new.cleanup_policy.value == CleanupPolicy::Compact;
    if compacts || values.1.value >= values.0.value {
        let judged = Judged::Harmless;
        if values.0.value != values.1.value {
            subject.moved(
                changes,
                "retention",
                (Some(values.0), Some(values.1)),
                judged,
            );
        }
        return;
    }
    // Consumers as they are now: what they need is theirs to say.
    let need = |consume: &Consume| {
        consume
            .objective
            .value
            .max(tidegate_check::horizon(consume))
    };
    let now = both.new.consumers(name);
    let short = now
        .iter()
        .filter(|consumer| need(consumer.consume) > values.1.value);
    let short: Vec<_> = short.collect();
    let longest = short.iter().map(|consumer| need(consumer.consume)).max();
    let (was, is) = (
        format_duration(values.0.value),
        format_duration(values.1.value),
    );
    let message = format!("`retention` of {} is {is}, was {was}", subject.label);
    let path = subject.path_of("retention");
    let draft = match longest {
        Some(longest) => changes
            .add(RETENTION_SHORTENED, &values.1.place, path, format!(
                "{message}: consumers may be as far behind as {}, and lose what is older wherever the broker does \
                 not know of them",
                format_duration(longest)
            ))
            .hint(format!("keep it above {}, or lower objective and retries first", format_duration(longest)))
            .weighing(Kind::Breaking)
            .touches(short.into_iter().map(affected)),
        None => changes
            .add(RETENTION_SHORTENED, &values.1.place, path, format!(
                "{message}: what is older can no longer be replayed, and a new consumer starts later"
            ))
            .hint("keep it, or ask the owners of the consumers how far back they replay")
            .touches(subject.affected.iter().cloned()),
    };
    draft.was_at(&values.0.place).values(Some(was), Some(is));
}

fn cleanup(subject: &Subject<'_>, (old, new): (&Event, &Event), changes: &mut Changes) {
    let (was, is) = (&old.cleanup_policy, &new.cleanup_policy);
    if was.value == is.value {
        return;
    }
    let why = match is.value {
        CleanupPolicy::Compact => {
            "an event goes when a later one has its key: who replays or comes late sees the last of each alone"
        }
        CleanupPolicy::Delete => {
            "the last event of a key goes by its age: who rebuilds its state from the channel misses it"
        }
    };
    changes
        .add(
            CLEANUP_CHANGED,
            &is.place,
            subject.path_of("cleanup-policy"),
            format!("`cleanup-policy` of {} is {}, was {}: {why}", subject.label, is.value, was.value),
        )
        .hint("declare another event with the other policy, and publish both until every consumer has moved")
        .was_at(&was.place)
        .values(Some(was.value.to_string()), Some(is.value.to_string()))
        .touches(subject.affected.iter().cloned());
}

fn backlog(both: &Both<'_>, name: &Name, (old, new): (&Event, &Event), changes: &mut Changes) {
    let section = |event: &'_ Event| event.backlog.clone();
    let (was, is) = (section(old), section(new));
    let place = |backlog: &Option<Backlog>, event: &Event| {
        backlog
            .as_ref()
            .map_or(event.place.clone(), |backlog| backlog.place.clone())
    };
    let places = (place(&was, old), place(&is, new));
    let subject = Subject {
        path: format!("events.{name}.backlog"),
        label: format!("`backlog` of event `{name}`"),
        places: (&places.0, &places.1),
        affected: both.old.who_publishes(name).collect(),
    };
    let why = "its producers are refused sooner than they were";
    let fix =
        "do producers wait and try again when they are refused? then raise it, or accept this";
    let scale = limit(BACKLOG_LOWERED, why, fix);
    let (was, is) = (was.as_ref(), is.as_ref());
    let events = |backlog: Option<&'_ Backlog>| backlog.and_then(|backlog| backlog.events.clone());
    let bytes = |backlog: Option<&'_ Backlog>| backlog.and_then(|backlog| backlog.bytes.clone());
    let age = |backlog: Option<&'_ Backlog>| backlog.and_then(|backlog| backlog.age.clone());
    subject.quantity(
        changes,
        "events",
        (events(was).as_ref(), events(is).as_ref()),
        scale,
    );
    subject.quantity(
        changes,
        "bytes",
        (bytes(was).as_ref(), bytes(is).as_ref()),
        scale,
    );
    subject.quantity(changes, "age", (age(was).as_ref(), age(is).as_ref()), scale);
}

/// What is promised of a rate or a size is less when it is lower, of a time when it is higher; no
/// promise is the least of all.
fn targets(subject: &Subject<'_>, (old, new): (&Targets, &Targets), changes: &mut Changes) {
    let judged = Judged::As(
        TARGET_LOWERED,
        "the system is no longer held to what the business expected of it",
        "keep it, or agree with the owner of the process",
    );
    let more_is_better = Scale {
        lower: judged,
        higher: Judged::Harmless,
        absent: Ordering::Less,
    };
    let less_is_better = Scale {
        lower: Judged::Harmless,
        higher: judged,
        absent: Ordering::Greater,
    };
    let places = (
        old.place.as_ref().unwrap_or(subject.places.0),
        new.place.as_ref().unwrap_or(subject.places.1),
    );
    let rate = (at(old.rate, places.0), at(new.rate, places.1));
    subject.quantity(
        changes,
        "targets.rate",
        (rate.0.as_ref(), rate.1.as_ref()),
        more_is_better,
    );
    // A peak that is not written is the rate, whose change is said already.
    let peak = (old.peak, new.peak);
    let peak = match peak {
        (None, None) => peak,
        _ => (old.peak_or_rate(), new.peak_or_rate()),
    };
    let peak = (at(peak.0, places.0), at(peak.1, places.1));
    subject.quantity(
        changes,
        "targets.peak",
        (peak.0.as_ref(), peak.1.as_ref()),
        more_is_better,
    );
    let p99: (Option<Located<Duration>>, _) = (at(old.p99, places.0), at(new.p99, places.1));
    subject.quantity(
        changes,
        "targets.p99",
        (p99.0.as_ref(), p99.1.as_ref()),
        less_is_better,
    );
    let size = (at(old.size, places.0), at(new.size, places.1));
    subject.quantity(
        changes,
        "targets.size",
        (size.0.as_ref(), size.1.as_ref()),
        more_is_better,
    );
}

fn at<T>(value: Option<T>, place: &tidegate_model::Place) -> Option<Located<T>> {
    value.map(|value| Located {
        value,
        place: place.clone(),
    })
}
