//! Dependencies and their breakers.

use std::cmp::Ordering;

use tidegate_base::Name;
use tidegate_model::design::Dependency;

use super::changes::{Affected, Changes};
use super::codes::{BREAKER_WEAKENED, CAPACITY_LOWERED, DEPENDENCY_REMOVED, PROTECTION_LOOSENED};
use super::side::{Both, affected};
use super::subject::{FREE, Judged, Scale, Subject, limit};

pub(super) fn compare(both: &Both<'_>, changes: &mut Changes) {
    let (old, new) = (&both.old.design.dependencies, &both.new.design.dependencies);
    for (name, was) in old {
        match new.get(name) {
            Some(is) => dependency(both, name, (was, is), changes),
            None => removed(both, name, was, changes),
        }
    }
    for (name, is) in new {
        if !old.contains_key(name) {
            let message = format!("dependency `{name}` is new");
            changes.harmless(&is.place, format!("dependencies.{name}"), message);
        }
    }
}

/// Those that needed it in the past; dependencies are few, and those that change fewer.
fn who_needs(both: &Both<'_>, name: &Name) -> Vec<Affected> {
    let consumers = both.old.design.consumers();
    let needing = consumers.filter(|one| one.consume.needs.iter().any(|need| need.value == *name));
    needing.map(|consumer| affected(&consumer)).collect()
}

fn removed(both: &Both<'_>, name: &Name, was: &Dependency, changes: &mut Changes) {
    let path = format!("dependencies.{name}");
    let anchor = &both.new.design.system.place;
    let needing = who_needs(both, name);
    if needing.is_empty() {
        let message = format!("dependency `{name}` was removed; nobody needed it");
        changes.harmless(anchor, path, message).only_at(&was.place);
        return;
    }
    changes
        .add(
            DEPENDENCY_REMOVED,
            anchor,
            path,
            format!("dependency `{name}` was removed: no breaker holds deliveries while it fails"),
        )
        .only_at(&was.place)
        .hint("keep it for as long as a handler calls it")
        .touches(needing);
}

fn dependency(
    both: &Both<'_>,
    name: &Name,
    (was, is): (&Dependency, &Dependency),
    changes: &mut Changes,
) {
    let subject = Subject {
        path: format!("dependencies.{name}"),
        label: format!("dependency `{name}`"),
        places: (&was.place, &is.place),
        affected: who_needs(both, name),
    };
    subject.text(
        changes,
        "summary",
        was.summary.as_ref(),
        is.summary.as_ref(),
    );
    subject.owner(changes, was.owner.as_ref(), is.owner.as_ref());
    let why = "fewer attempts of all that need it run at the same time";
    let places = Scale {
        higher: Judged::As(
            PROTECTION_LOOSENED,
            "more attempts at the same time than it was protected from",
            "is it known to take that many? else keep the limit",
        ),
        ..limit(
            CAPACITY_LOWERED,
            why,
            "do they still keep up at the peak? `tidegate simulate` tells",
        )
    };
    let values = (was.concurrency.as_ref(), is.concurrency.as_ref());
    subject.quantity(changes, "concurrency", values, places);
    breaker(&subject, (was, is), changes);
}

fn breaker(subject: &Subject<'_>, (was, is): (&Dependency, &Dependency), changes: &mut Changes) {
    let (old, new) = (&was.breaker, &is.breaker);
    let fix = "keep it, unless it opened without need";
    let later = Judged::As(
        BREAKER_WEAKENED,
        "it opens later, so that more calls fail and burn attempts",
        fix,
    );
    let sooner = Judged::As(
        BREAKER_WEAKENED,
        "it calls again sooner while what fails needs rest",
        fix,
    );
    let more = |judged| Scale {
        lower: Judged::Harmless,
        higher: judged,
        absent: Ordering::Greater,
    };
    let less = |judged| Scale {
        lower: judged,
        higher: Judged::Harmless,
        absent: Ordering::Greater,
    };
    let rate = (Some(&old.failure_rate), Some(&new.failure_rate));
    subject.quantity(changes, "breaker.failure-rate", rate, more(later));
    let minimum = (Some(&old.minimum), Some(&new.minimum));
    subject.quantity(changes, "breaker.minimum", minimum, more(later));
    subject.quantity(
        changes,
        "breaker.window",
        (Some(&old.window), Some(&new.window)),
        FREE,
    );
    subject.quantity(
        changes,
        "breaker.open",
        (Some(&old.open), Some(&new.open)),
        less(sooner),
    );
    let probes = (Some(&old.probes), Some(&new.probes));
    subject.quantity(changes, "breaker.probes", probes, more(sooner));
}
