//! What becomes of deliveries that fail: retry and dead letter of one consumer.

use std::cmp::Ordering;
use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_model::design::{
    DeadLetter, FailureClass, Followers, Jitter, Order, Retry, RetryMode,
};

use super::changes::Changes;
use super::codes::{
    DEAD_LETTER_REMOVED, DEAD_LETTER_WEAKENED, ORDER_WEAKENED, PROTECTION_LOOSENED, RETRY_WEAKENED,
};
use super::consumer::Pair;
use super::subject::{Judged, Scale, Shown, Subject, limit};

/// A budget protects what is called: less of it is less work, more is less protection.
const BUDGET_LOOSER: Judged = Judged::As(
    PROTECTION_LOOSENED,
    "more may fail before it is stopped",
    "keep it, unless what is called is known to take it",
);

pub(super) fn retry(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let (old, new) = (&was.consume.retry, &is.consume.retry);
    let moved = moved(old, new);
    if !moved.is_empty() {
        trying(subject, (old, new), &moved, changes);
    }
    let judged = match new.jitter {
        Jitter::None => Judged::As(
            PROTECTION_LOOSENED,
            "deliveries that failed together come back together",
            "leave the delays to chance, so that they spread",
        ),
        Jitter::Full | Jitter::Equal | Jitter::Decorrelated => Judged::Harmless,
    };
    subject.word(changes, "retry.jitter", (&old.jitter, &new.jitter), judged);
    let why = "more deliveries become dead letters while much fails";
    let budget = Scale {
        higher: BUDGET_LOOSER,
        ..limit(
            RETRY_WEAKENED,
            why,
            "keep it, if what is called comes back by itself",
        )
    };
    let values = (old.budget.as_ref(), new.budget.as_ref());
    subject.quantity(changes, "retry.budget", values, budget);
    let keeps_order = was.consume.order.value != Order::None;
    let judged = match new.mode.value {
        RetryMode::NonBlocking if keeps_order => Judged::As(
            ORDER_WEAKENED,
            "later events overtake one that is retried",
            "keep it blocking, unless the handler takes events in any order",
        ),
        RetryMode::NonBlocking | RetryMode::Blocking => Judged::Harmless,
    };
    subject.located(changes, "retry.mode", (&old.mode, &new.mode), judged);
}

/// The fields of how long and how often is tried that have another value: name, old, new.
fn moved(old: &Retry, new: &Retry) -> Vec<(&'static str, String, String)> {
    let age = |retry: &Retry| {
        retry
            .age
            .as_ref()
            .map_or("absent".to_owned(), |age| age.value.shown())
    };
    let all = [
        ("backoff", old.backoff.to_string(), new.backoff.to_string()),
        (
            "immediate",
            old.immediate.value.shown(),
            new.immediate.value.shown(),
        ),
        (
            "initial",
            old.initial.value.shown(),
            new.initial.value.shown(),
        ),
        ("max", old.max.value.shown(), new.max.value.shown()),
        (
            "attempts",
            old.attempts.value.shown(),
            new.attempts.value.shown(),
        ),
        ("age", age(old), age(new)),
    ];
    let rule = |retry: &Retry, class| {
        let rule = retry.classes.iter().find(|rule| rule.class == class);
        rule.map_or("absent".to_owned(), ToString::to_string)
    };
    let classes =
        FailureClass::ALL.map(|class| (class_field(class), rule(old, class), rule(new, class)));
    let moved = all.into_iter().chain(classes);
    moved.filter(|(_, old, new)| old != new).collect()
}

const fn class_field(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Retryable => "classes.retryable",
        FailureClass::Unavailable => "classes.unavailable",
        FailureClass::Timeout => "classes.timeout",
        FailureClass::Overload => "classes.overload",
        FailureClass::Permanent => "classes.permanent",
        FailureClass::EndpointFault => "classes.endpoint-fault",
    }
}

/// Fewer attempts for some failures, or the last of them sooner, or a dead letter where there was none.
fn is_weaker(old: &Retry, new: &Retry, class: FailureClass) -> bool {
    let is_held = |retry: &Retry| {
        let holds = matches!(class, FailureClass::Overload | FailureClass::EndpointFault);
        holds && retry.rule(class).is_none()
    };
    if is_held(old) || is_held(new) {
        return !is_held(new);
    }
    match (old.of(class), new.of(class)) {
        (Some(old), Some(new)) => {
            new.attempts.value < old.attempts.value || last_after(&new) < last_after(&old)
        }
        (was, is) => was.is_some() && is.is_none(),
    }
}

/// How long after the first attempt the last one is, but for the attempts themselves.
fn last_after(retry: &Retry) -> Duration {
    let delays = tidegate_check::delays(retry);
    match &retry.age {
        Some(age) => delays.min(age.value),
        None => delays,
    }
}

/// Less is tried when there are fewer attempts, or when the last one comes sooner.
fn trying(
    subject: &Subject<'_>,
    (old, new): (&Retry, &Retry),
    moved: &[(&'static str, String, String)],
    changes: &mut Changes,
) {
    let (before, after) = (last_after(old), last_after(new));
    let mut classes = FailureClass::ALL.into_iter();
    let is_weaker = classes.any(|class| is_weaker(old, new, class));
    let list: Vec<String> = moved
        .iter()
        .map(|(field, old, new)| format!("`{field}` {new}, was {old}"))
        .collect();
    let list = list.join("; ");
    let path = match moved {
        [(field, _, _)] => subject.path_of(&format!("retry.{field}")),
        _ => subject.path_of("retry"),
    };
    let place = match moved.first().map(|(field, _, _)| *field) {
        Some("initial") => &new.initial.place,
        Some("max") => &new.max.place,
        Some("attempts") => &new.attempts.place,
        Some(field) => {
            let class = new.classes.iter();
            let mut class = class.filter(|rule| class_field(rule.class) == field);
            class.next().map_or(&new.place, |rule| &rule.place)
        }
        None => &new.place,
    };
    let label = &subject.label;
    let draft = if is_weaker {
        let message = format!(
            "retry of {label} is weaker: {list}; it is tried for at most {} of delays, was {}, so that an outage \
             in between makes dead letters",
            format_duration(after),
            format_duration(before)
        );
        let draft = changes.add(RETRY_WEAKENED, place, path, message);
        let draft = draft.touches(subject.affected.iter().cloned());
        draft.hint("keep it longer than outages of what the handler calls")
    } else {
        changes.harmless(
            place,
            path,
            format!("retry of {label} is another one: {list}"),
        )
    };
    draft.was_at(&old.place);
}

pub(super) fn dead_letter(subject: &Subject<'_>, (was, is): Pair<'_, '_>, changes: &mut Changes) {
    let path = subject.path_of("dead-letter");
    let (old, new) = match (&was.consume.dead_letter, &is.consume.dead_letter) {
        (Some(old), Some(new)) => (old, new),
        (None, None) => return,
        (None, Some(new)) => {
            let message = format!("{} has a dead letter now", subject.label);
            changes.harmless(&new.place, path, message);
            return;
        }
        (Some(old), None) => {
            changes
                .add(DEAD_LETTER_REMOVED, subject.places.1, path, format!(
                    "{} says nothing of dead letters any more: nobody looks after them, and they are kept without end",
                    subject.label
                ))
                .only_at(&old.place)
                .hint("keep it; see to the dead letters that are there first: `tidegate dlq list`")
                .touches(subject.affected.iter().cloned());
            return;
        }
    };
    subject_of_letters(subject, (old, new), changes);
    followers(subject, (was, is), (old.followers, new.followers), changes);
}

fn subject_of_letters(
    subject: &Subject<'_>,
    (old, new): (&DeadLetter, &DeadLetter),
    changes: &mut Changes,
) {
    let owner = (old.owner.as_ref(), new.owner.as_ref());
    if owner.0.map(|one| &one.value) != owner.1.map(|one| &one.value) {
        let judged = match owner.1 {
            Some(_) => Judged::Harmless,
            None => Judged::As(
                DEAD_LETTER_WEAKENED,
                "nobody looks after them by name",
                "name who sees to them",
            ),
        };
        subject.moved(changes, "dead-letter.owner", owner, judged);
    }
    let why = "letters that are there may go before anybody has seen to them";
    let scale = limit(
        DEAD_LETTER_WEAKENED,
        why,
        "see to those that are older first, or keep it",
    );
    let retention = (Some(&old.retention), Some(&new.retention));
    subject.quantity(changes, "dead-letter.retention", retention, scale);
    let budget = Scale {
        lower: Judged::As(
            DEAD_LETTER_WEAKENED,
            "the consumer halts at fewer dead letters than before",
            "is the share of today well below it? `tidegate dlq groups` tells",
        ),
        higher: BUDGET_LOOSER,
        absent: Ordering::Greater,
    };
    let values = (old.budget.as_ref(), new.budget.as_ref());
    subject.quantity(changes, "dead-letter.budget", values, budget);
}

const fn natural_followers(order: Order) -> Followers {
    match order {
        Order::None => Followers::Continue,
        Order::Key | Order::Total => Followers::Wait,
    }
}

fn followers(
    subject: &Subject<'_>,
    (was, is): Pair<'_, '_>,
    values: (Followers, Followers),
    changes: &mut Changes,
) {
    let orders = (was.consume.order.value, is.consume.order.value);
    let natural = (natural_followers(orders.0), natural_followers(orders.1));
    // They come with the order, whose change says so.
    if values == natural && orders.0 != orders.1 {
        return;
    }
    let judged = match values.1 {
        Followers::Continue if orders.0 != Order::None => Judged::As(
            ORDER_WEAKENED,
            "later events of a key overtake its dead letter",
            "let them wait, unless the handler takes events in any order",
        ),
        Followers::Continue | Followers::Wait => Judged::Harmless,
    };
    subject.word(
        changes,
        "dead-letter.followers",
        (&values.0, &values.1),
        judged,
    );
}
