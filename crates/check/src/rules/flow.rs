//! Limits on how fast, how much at once and how far behind contradict neither each other nor the rest.

use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_base::limit::WINDOW_DELIVERIES_MAX;
use tidegate_model::Severity;
use tidegate_model::design::{Backlog, ConsumerRef, Limit, Located};

use crate::backoff::horizon;
use crate::codes::{
    ADAPTIVE_PULL, BACKLOG_IN_A_CYCLE, BACKLOG_TOO_LOW, BURST_WITHOUT_RATE, RATE_BELOW_TARGET,
};
use crate::components::Components;
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in &index.consumers {
        adaptive_pull(consumer, out);
        rate(index, consumer, out);
    }
    for (name, event) in &index.design.events {
        let Some(backlog) = &event.backlog else {
            continue;
        };
        for consumer in index.consumers_of(name) {
            few_events(backlog, consumer, out);
            young_age(index, backlog, consumer, out);
        }
    }
    cycles(index, out);
}

fn adaptive_pull(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let deliver = &consumer.consume.deliver;
    if deliver.limit.value != Limit::Adaptive || deliver.to.is_some() {
        return;
    }
    let message = format!(
        "`{}` pulls, so nothing is known of its load and its limit does not adapt",
        consumer.id()
    );
    let path = format!("{}.deliver.limit", consumer.path());
    out.add(ADAPTIVE_PULL, &deliver.limit.place, path, message)
        .hint("leave `limit` out: a puller asks for what it can take; or push to it, with `to`");
}

fn rate(index: &Index<'_>, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let deliver = &consumer.consume.deliver;
    let Some(rate) = &deliver.rate else {
        if let Some(burst) = &deliver.burst {
            let message = format!(
                "`{}` has a burst of {} and no rate, so nothing is limited",
                consumer.id(),
                burst.value
            );
            let path = format!("{}.deliver.burst", consumer.path());
            out.add(BURST_WITHOUT_RATE, &burst.place, path, message)
                .hint("write a `rate` beside it, such as `rate: 50/s`, or remove it");
        }
        return;
    };
    let event = index.design.events.get(consumer.event_name);
    let Some(targets) = event.map(|event| &event.targets) else {
        return;
    };
    let beyond = |target: &tidegate_base::Rate| *target > rate.value;
    let (target, what, then, severity) = match (targets.rate, targets.peak) {
        (Some(usual), _) if beyond(&usual) => (
            usual,
            "usual rate",
            "the backlog grows without end",
            RATE_BELOW_TARGET.severity,
        ),
        (_, Some(peak)) if beyond(&peak) => (
            peak,
            "peak",
            "the backlog grows as long as the peak lasts",
            Severity::Warning,
        ),
        _ => return,
    };
    let message = format!(
        "`{}` is delivered at most {}, and the {what} of `{}` is {target}: {then}",
        consumer.id(),
        rate.value,
        consumer.event_name,
    );
    let path = format!("{}.deliver.rate", consumer.path());
    let draft = out
        .add(RATE_BELOW_TARGET, &rate.place, path, message)
        .hint(format!("write `rate: {target}` or more, or leave it out"))
        .weighing(severity);
    if let Some(place) = &targets.place {
        draft.related(place, "the targets");
    }
}

/// Producers are refused while there are places free, or while all that waits is in memory anyway.
fn few_events(backlog: &Backlog, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let Some(events) = &backlog.events else {
        return;
    };
    let concurrency = consumer.consume.deliver.concurrency.value;
    let window = u32::try_from(WINDOW_DELIVERIES_MAX).unwrap_or(u32::MAX);
    let (than, least, severity) = if events.value < concurrency {
        let than = format!("the {concurrency} that may run at the same time");
        (than, concurrency, BACKLOG_TOO_LOW.severity)
    } else if events.value < window {
        let than = format!("the {window} deliveries that are in memory");
        (than, window, Severity::Note)
    } else {
        return;
    };
    let message = format!(
        "`{}` is refused at {} unfinished events of `{}`, which is less than {than}",
        consumer.event_name,
        events.value,
        consumer.id(),
    );
    let path = format!("events.{}.backlog.events", consumer.event_name);
    out.add(BACKLOG_TOO_LOW, &events.place, path, message)
        .hint(format!("write `events: {least}` or more"))
        .weighing(severity)
        .related(&consumer.consume.place, "the consumer");
}

/// Producers are refused while nothing is wrong, or because of a single event that fails.
fn young_age(index: &Index<'_>, backlog: &Backlog, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let Some(age) = &backlog.age else {
        return;
    };
    let objective = consumer.consume.objective.value;
    let retries = horizon(consumer.consume);
    let needs = consumer.consume.needs.iter();
    let opens = needs.filter_map(|need: &Located<_>| {
        let dependency = index.design.dependencies.get(&need.value)?;
        Some(dependency.breaker.open.value)
    });
    let open = opens.max().unwrap_or(Duration::ZERO);
    let reasons = [
        (
            retries,
            "the attempts of a single event that fails may take",
        ),
        (open, "a breaker that opens holds deliveries for"),
        (objective, "being behind is still fine up to"),
    ];
    let longest = reasons.into_iter().max_by_key(|(time, _)| *time);
    let Some((time, why)) = longest.filter(|(time, _)| *time >= age.value) else {
        return;
    };
    let message = format!(
        "`{}` is refused once an unfinished event of `{}` is {} old, but {why} {}",
        consumer.event_name,
        consumer.id(),
        format_duration(age.value),
        format_duration(time),
    );
    let path = format!("events.{}.backlog.age", consumer.event_name);
    out.add(BACKLOG_TOO_LOW, &age.place, path, message)
        .hint(format!(
            "write `age: {}` or more",
            format_duration(time.saturating_mul(2))
        ))
        .related(&consumer.consume.place, "the consumer");
}

/// On a cycle a handler that publishes waits for room which only it can make.
fn cycles(index: &Index<'_>, out: &mut Findings) {
    let graph = index.graph.declared();
    let components = Components::of(&graph);
    for members in &components.members {
        let leads_back = |node: &usize| {
            let home = components.of.get(*node);
            let mut edges = graph.from(*node).iter();
            edges.any(|edge| components.of.get(edge.to) == home)
        };
        for node in members.iter().filter(|node| leads_back(node)) {
            let Some(name) = graph.event(*node) else {
                continue;
            };
            let event = index.design.events.get(name);
            let Some(backlog) = event.and_then(|event| event.backlog.as_ref()) else {
                continue;
            };
            let message = format!(
                "`{name}` leads back to itself and is refused when its consumers are behind: a handler on \
                 the way that publishes then waits for room that only it can make"
            );
            let path = format!("events.{name}.backlog");
            out.add(BACKLOG_IN_A_CYCLE, &backlog.place, path, message)
                .hint("leave `backlog` out on the cycle, and limit the event that enters it");
        }
    }
}
