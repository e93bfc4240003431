//! One consumer that is in both designs.

use std::cmp::Ordering;

use tidegate_model::design::{ConsumerRef, Event, Guarantee, Order, Replay, Schema, SchemaFormat};
use tidegate_schema::Outline;

use super::changes::{Changes, Kind};
use super::codes::{
    CAPACITY_LOWERED, DELIVERY_TURNED, EMITS_LESS, ENDPOINT_MOVED, GUARANTEE_WEAKENED,
    ORDER_WEAKENED, PROTECTION_LOOSENED, REPLAY_CHANGED, TARGET_LOWERED, TIMEOUT_SHORTENED,
    TRANSACTION_CHANGED,
};
use super::policies;
use super::promises;
use super::services::difference;
use super::side::{Both, affected};
use super::subject::{FREE, Judged, Scale, Subject, limit};

/// A consumer on both sides.
pub(super) type Pair<'p, 'a> = (&'p ConsumerRef<'a>, &'p ConsumerRef<'a>);

pub(super) fn compare(both: &Both<'_>, pair: Pair<'_, '_>, changes: &mut Changes) {
    let (was, is) = pair;
    let subject = Subject {
        path: is.path(),
        label: format!("consumer `{}`", is.id()),
        places: (&was.consume.place, &is.consume.place),
        affected: vec![affected(is)],
    };
    promises::requires(both, &subject, pair, changes);
    turned(&subject, pair, changes);
    deliver(&subject, pair, changes);
    transaction(&subject, pair, changes);
    order(both, &subject, pair, changes);
    guarantee(&subject, pair, changes);
    needs(both, &subject, pair, changes);
    emits(both, &subject, pair, changes);
    policies::retry(&subject, pair, changes);
    policies::dead_letter(&subject, pair, changes);
    let objective = (Some(&was.consume.objective), Some(&is.consume.objective));
    let why = "being further behind counts as fine from now on";
    let fix = "keep it, or agree with the owner of the process";
    let scale = Scale {
        lower: Judged::Harmless,
        higher: Judged::As(TARGET_LOWERED, why, fix),
        absent: Ordering::Greater,
    };
    subject.quantity(changes, "objective", objective, scale);
}

pub(super) fn outline(event: &Event) -> Option<Outline> {
    let schema: &Schema = event.schema.as_ref()?;
    let text = schema.text.as_deref()?;
    match schema.format {
        SchemaFormat::JsonSchema => Outline::json_schema(text).ok(),
        SchemaFormat::Avro => Outline::avro(text).ok(),
        SchemaFormat::Protobuf => {
            Outline::protobuf(&schema.sources(), schema.message().unwrap_or_default()).ok()
        }
    }
}

/// Where deliveries go: another way is another program, another endpoint may be.
fn turned(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let values = (
        was.consume.deliver.to.as_ref(),
        is.consume.deliver.to.as_ref(),
    );
    let judged = match values {
        (Some(old), Some(new)) if old.value != new.value => Judged::As(
            ENDPOINT_MOVED,
            "what is under way and every retry go there, and the old one is called no more",
            "let the new endpoint answer before this is deployed, and the old one until attempts that run have ended",
        ),
        (Some(_), None) => Judged::As(
            DELIVERY_TURNED,
            "nothing is pushed any more; a service that does not pull gets nothing",
            "deploy a service that pulls together with this",
        ),
        (None, Some(_)) => Judged::As(
            DELIVERY_TURNED,
            "deliveries are pushed; a service that pulls gets nothing, and leases that run are void",
            "deploy a service with that endpoint before this, and stop those that pull",
        ),
        _ => return,
    };
    subject.moved(changes, "deliver.to", values, judged);
}

fn deliver(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let (old, new) = (&was.consume.deliver, &is.consume.deliver);
    let why = "fewer run at the same time, so that it is further behind at the same load";
    let fix = "does it still keep up at the peak? `tidegate simulate` tells";
    let slower = limit(CAPACITY_LOWERED, why, fix);
    let concurrency = (Some(&old.concurrency), Some(&new.concurrency));
    subject.quantity(changes, "deliver.concurrency", concurrency, slower);
    subject.located(
        changes,
        "deliver.limit",
        (&old.limit, &new.limit),
        Judged::Harmless,
    );
    let why = "fewer start in a time, so that it is further behind at the same load";
    let rate = Scale {
        higher: Judged::As(
            PROTECTION_LOOSENED,
            "more start in a time than the handler was protected from",
            "is the handler known to take that much? else keep the limit",
        ),
        ..limit(CAPACITY_LOWERED, why, fix)
    };
    subject.quantity(
        changes,
        "deliver.rate",
        (old.rate.as_ref(), new.rate.as_ref()),
        rate,
    );
    subject.quantity(
        changes,
        "deliver.burst",
        (old.burst.as_ref(), new.burst.as_ref()),
        FREE,
    );
    let times = (old.handler_time.as_ref(), new.handler_time.as_ref());
    subject.quantity(changes, "deliver.handler-time", times, FREE);
    let why = "an attempt that took longer and ended well is taken for failed, and runs again";
    let fix = "keep it above the longest time that the handler takes";
    let timeout = (Some(&old.timeout), Some(&new.timeout));
    subject.quantity(
        changes,
        "deliver.timeout",
        timeout,
        limit(TIMEOUT_SHORTENED, why, fix),
    );
}

/// Another store knows nothing of what has had its effect.
fn transaction(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let (old, new) = (
        &was.consume.deliver.transaction,
        &is.consume.deliver.transaction,
    );
    let text = |transaction: &Option<_>| {
        transaction
            .as_ref()
            .map(|one: &tidegate_model::design::Located<_>| one.value)
    };
    let (before, after) = (text(old), text(new));
    if before == after {
        return;
    }
    let (kind, why) = match (before, after) {
        (Some(_), Some(_)) => (
            Kind::Breaking,
            "the inbox of the other store does not know what has had its effect, which may happen again",
        ),
        (Some(_), None) => (Kind::Breaking, "effect and inbox no longer commit together"),
        _ => (
            Kind::Risky,
            "handlers that do not use it have their effects outside of it",
        ),
    };
    let word = |transaction: Option<_>| {
        transaction.map_or(
            "absent".to_owned(),
            |one: tidegate_model::design::Transaction| one.to_string(),
        )
    };
    let message = format!(
        "`deliver.transaction` of {} is {}, was {}: {why}",
        subject.label,
        word(after),
        word(before)
    );
    let place = new.as_ref().map_or(subject.places.1, |new| &new.place);
    let old_place = old.as_ref().map_or(subject.places.0, |old| &old.place);
    changes
        .add(
            TRANSACTION_CHANGED,
            place,
            subject.path_of("deliver.transaction"),
            message,
        )
        .hint("pause the consumer, let it finish, and move the rows of its inbox before it goes on")
        .was_at(old_place)
        .values(
            before.map(|one| one.to_string()),
            after.map(|one| one.to_string()),
        )
        .weighing(kind)
        .touches(subject.affected.iter().cloned());
}

const fn strength(order: Order) -> u8 {
    match order {
        Order::None => 0,
        Order::Key => 1,
        Order::Total => 2,
    }
}

fn order(both: &Both<'_>, subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let (old, new) = (&was.consume.order, &is.consume.order);
    let is_written = old.place != was.consume.place || new.place != is.consume.place;
    let has_key = |side: &super::side::Side<'_>| {
        let event = side.design.events.get(is.event_name);
        event.is_some_and(|event| event.key.is_some())
    };
    // It comes with the key, whose change says so.
    if !is_written && has_key(&both.old) != has_key(&both.new) {
        return;
    }
    let judged = if strength(new.value) < strength(old.value) {
        let why = "deliveries that kept their order may overtake each other";
        Judged::As(
            ORDER_WEAKENED,
            why,
            "keep it, unless the handler takes events in any order",
        )
    } else {
        Judged::Harmless
    };
    subject.located(changes, "order", (old, new), judged);
}

const fn rank(guarantee: Guarantee) -> u8 {
    match guarantee {
        Guarantee::AtLeastOnce => 0,
        Guarantee::Deduplicated => 1,
        Guarantee::ExactlyOnceEffect | Guarantee::KafkaTransaction => 2,
    }
}

const fn natural_replay(guarantee: Guarantee) -> Replay {
    match guarantee {
        Guarantee::ExactlyOnceEffect | Guarantee::KafkaTransaction => Replay::Refused,
        Guarantee::AtLeastOnce | Guarantee::Deduplicated => Replay::Allowed,
    }
}

fn guarantee(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let values = (&was.consume.guarantee, &is.consume.guarantee);
    let (old, new) = (values.0.value, values.1.value);
    let judged = if rank(new) < rank(old) {
        let why = "effects that happened once may happen again";
        Judged::As(
            GUARANTEE_WEAKENED,
            why,
            "keep it, unless the handler may run twice for one event",
        )
    } else if rank(new) == rank(old) && old != new {
        let why =
            "what has had its effect is not known to the other transaction, and may run again";
        Judged::As(
            GUARANTEE_WEAKENED,
            why,
            "pause the consumer and let it finish before this is deployed",
        )
    } else {
        Judged::Harmless
    };
    subject.located(changes, "guarantee", values, judged);
    let replays = (was.consume.replay, is.consume.replay);
    let is_natural = replays == (natural_replay(old), natural_replay(new));
    if is_natural && old != new {
        return;
    }
    let why = match replays.1 {
        Replay::Refused => "operators can no longer have finished events run again",
        Replay::Allowed => {
            "operators may have finished events run again, and their effects with them"
        }
    };
    let judged = Judged::As(
        REPLAY_CHANGED,
        why,
        "agree with those who operate the consumer",
    );
    subject.word(changes, "replay", (&replays.0, &replays.1), judged);
}

/// A dependency that is not named protects nobody any more.
fn needs(both: &Both<'_>, subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let path = subject.path_of("needs");
    let (gone, come) = difference(&was.consume.needs, &is.consume.needs);
    for need in gone {
        // With the dependency: that is said there.
        if !both.new.design.dependencies.contains_key(&need.value) {
            continue;
        }
        let name = &need.value;
        changes
            .add(PROTECTION_LOOSENED, subject.places.1, &path, format!(
                "{} no longer needs `{name}`: its breaker holds nothing back, and failures of it count as the \
                 handler's own",
                subject.label
            ))
            .only_at(&need.place)
            .hint(format!("keep it, if the handler still calls `{name}`"))
            .touches(subject.affected.iter().cloned());
    }
    for need in come {
        let message = format!("{} needs `{}` too", subject.label, need.value);
        changes.harmless(&need.place, &path, message);
    }
}

fn emits(both: &Both<'_>, subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    if was.consume.emits.is_none() && is.consume.emits.is_none() {
        return;
    }
    let path = subject.path_of("emits");
    let old: Vec<_> = was.emitted().cloned().collect();
    let new: Vec<_> = is.emitted().cloned().collect();
    let (gone, come) = difference(&old, &new);
    let still = |event: &tidegate_base::Name| {
        let mut published = is.service.publishes.iter();
        published.any(|one| one.value == *event) && both.new.design.events.contains_key(event)
    };
    // What its service publishes no longer is said there.
    for event in gone.into_iter().filter(|event| still(&event.value)) {
        let name = &event.value;
        changes
            .add(
                EMITS_LESS,
                subject.places.1,
                &path,
                format!(
                    "{} no longer emits `{name}`: consumers of it get nothing that follows from it",
                    subject.label
                ),
            )
            .was_at(&event.place)
            .hint("does another handler publish it instead? then accept this")
            .touches(both.old.who_consumes(name));
    }
    for event in come {
        let message = format!("{} emits `{}` too", subject.label, event.value);
        changes.harmless(subject.places.1, &path, message);
    }
}
