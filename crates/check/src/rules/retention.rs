//! Nothing is waited for longer than it is kept.

use std::time::Duration;

use tidegate_base::Name;
use tidegate_base::format_duration;
use tidegate_model::design::{CleanupPolicy, ConsumerRef, Event, Retry};

use crate::backoff;
use crate::codes::{
    BREAKER_OPEN_BEYOND_RETENTION, COMPACTION_WITHOUT_KEY, DEAD_LETTER_RETENTION,
    HORIZON_BEYOND_RETENTION, OBJECTIVE_BEYOND_RETENTION,
};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        compaction(name, event, out);
    }
    for (consumer, event) in index.resolved() {
        // Nothing goes for its age there.
        if event.cleanup_policy.value == CleanupPolicy::Compact {
            continue;
        }
        horizon(&consumer, event, out);
        objective(&consumer, event, out);
        dead_letters(&consumer, event, out);
        breakers(index, &consumer, event, out);
    }
}

fn compaction(name: &Name, event: &Event, out: &mut Findings) {
    let policy = &event.cleanup_policy;
    if policy.value != CleanupPolicy::Compact || event.key.is_some() {
        return;
    }
    let message =
        format!("`{name}` is compacted by its key, but it has no key: none of it ever goes");
    let path = format!("events.{name}.cleanup-policy");
    out.add(COMPACTION_WITHOUT_KEY, &policy.place, path, message)
        .hint("write `key: /…`, or `cleanup-policy: delete`");
}

fn horizon(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let retry = &consumer.consume.retry;
    let (horizon, kept) = (backoff::horizon(consumer.consume), event.retention.value);
    if horizon <= kept {
        return;
    }
    let message = format!(
        "retries can take {} ({} attempts of up to {} and delays of up to {}), but `{}` is kept {}",
        format_duration(horizon),
        retry.most_attempts(),
        format_duration(consumer.consume.deliver.timeout.value),
        format_duration(longest_delay(retry)),
        consumer.event_name,
        format_duration(kept),
    );
    let hint = format!(
        "write fewer `attempts`, a lower `max`, or `retention: {}` in event `{}`",
        round_up(horizon),
        consumer.event_name
    );
    out.add(
        HORIZON_BEYOND_RETENTION,
        &retry.place,
        format!("{}.retry", consumer.path()),
        message,
    )
    .hint(hint)
    .related(&event.retention.place, "kept this long");
}

fn longest_delay(retry: &Retry) -> Duration {
    let delays = retry.retried().map(|(_, policy)| policy.max.value);
    delays.max().unwrap_or(retry.max.value)
}

fn objective(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let (objective, kept) = (&consumer.consume.objective, event.retention.value);
    if objective.value <= kept {
        return;
    }
    let message = format!(
        "being {} behind counts as fine, but `{}` is kept {}: unfinished events outlive that on the embedded log, and are lost on other brokers",
        format_duration(objective.value),
        consumer.event_name,
        format_duration(kept),
    );
    out.add(
        OBJECTIVE_BEYOND_RETENTION,
        &objective.place,
        format!("{}.objective", consumer.path()),
        message,
    )
    .hint(format!(
        "write an `objective` well below {}",
        format_duration(kept)
    ))
    .related(&event.retention.place, "kept this long");
}

fn dead_letters(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let Some(dead_letter) = &consumer.consume.dead_letter else {
        return;
    };
    let (retention, kept) = (&dead_letter.retention, event.retention.value);
    if retention.value >= kept {
        return;
    }
    let message = format!(
        "dead letters of `{}` are kept {}, shorter than its events, which are kept {}",
        consumer.id(),
        format_duration(retention.value),
        format_duration(kept),
    );
    let path = format!("{}.dead-letter.retention", consumer.path());
    out.add(DEAD_LETTER_RETENTION, &retention.place, path, message)
        .hint(format!(
            "write `dead-letter: {{retention: {}}}` or more: people need longer than programs",
            round_up(kept)
        ))
        .related(&event.retention.place, "events are kept this long");
}

fn breakers(index: &Index<'_>, consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    for need in &consumer.consume.needs {
        let Some(dependency) = index.design.dependencies.get(&need.value) else {
            continue;
        };
        let (open, kept) = (&dependency.breaker.open, event.retention.value);
        if open.value < kept {
            continue;
        }
        let message = format!(
            "the breaker of `{}` holds `{}` for {}, but the event is kept {}",
            need.value,
            consumer.id(),
            format_duration(open.value),
            format_duration(kept),
        );
        let path = format!("dependencies.{}.breaker.open", need.value);
        out.add(BREAKER_OPEN_BEYOND_RETENTION, &open.place, path, message)
            .hint("write a shorter `open`: a breaker probes again, so seconds are usual")
            .related(&event.retention.place, "kept this long");
    }
}

/// The next whole unit that a reader would write: `52.7s` gives `1m`, `25h` gives `2d`.
fn round_up(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds.div_ceil(60)),
        3_600..86_400 => format!("{}h", seconds.div_ceil(3_600)),
        _ => format!("{}d", seconds.div_ceil(86_400)),
    }
}
