//! A breaker can open, and does not hold deliveries longer than the business waits.

use tidegate_base::{Name, format_duration};
use tidegate_model::design::{ConsumerRef, Dependency};

use crate::codes::{
    BREAKER_NEVER_OPENS, BREAKER_OPEN_BEYOND_OBJECTIVE, BREAKER_WINDOW_BELOW_TIMEOUT,
};
use crate::draft::Findings;
use crate::index::Index;
use crate::written::is_written;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, dependency) in &index.design.dependencies {
        never_opens(index, name, dependency, out);
        for consumer in index.needed_by(name) {
            open_beyond_objective(index, (name, dependency), consumer, out);
        }
        window_below_timeout(index, name, dependency, out);
    }
}

/// The calls in a window are the peak rates of all consumers that need it, times the window; only
/// told when every rate is declared.
fn never_opens(index: &Index<'_>, name: &Name, dependency: &Dependency, out: &mut Findings) {
    let breaker = &dependency.breaker;
    let consumers = index.needed_by(name);
    let peak = |consumer: &ConsumerRef<'_>| {
        let event = index.design.events.get(consumer.event_name)?;
        event.targets.peak_or_rate().map(tidegate_base::Rate::value)
    };
    let Some(rate) = consumers.iter().map(peak).sum::<Option<f64>>() else {
        return;
    };
    let calls = rate * breaker.window.value.as_secs_f64();
    let minimum = f64::from(breaker.minimum.value);
    if consumers.is_empty() || rate <= 0.0 || calls >= minimum {
        return;
    }
    let window = format_duration(breaker.window.value);
    let message = format!(
        "the breaker of `{name}` needs {minimum} calls within {window}, but at the peak there are \
         {calls:.1}: it never opens"
    );
    let needed = std::time::Duration::try_from_secs_f64((minimum / rate).ceil());
    let hint = match needed {
        Ok(needed) => format!(
            "write `window: {}` or more, or a lower `minimum`",
            format_duration(needed)
        ),
        Err(_) => "write a lower `minimum`".to_owned(),
    };
    let path = format!("dependencies.{name}.breaker.minimum");
    let mut draft = out
        .add(BREAKER_NEVER_OPENS, &breaker.minimum.place, path, message)
        .hint(hint);
    for consumer in consumers.iter().take(4) {
        draft = draft.related(
            &consumer.consume.place,
            format!("called by `{}`", consumer.id()),
        );
    }
}

/// While it is open, the oldest held delivery grows older: the lag is at least the open time.
fn open_beyond_objective(
    index: &Index<'_>,
    (name, dependency): (&Name, &Dependency),
    consumer: &ConsumerRef<'_>,
    out: &mut Findings,
) {
    let (open, objective) = (&dependency.breaker.open, &consumer.consume.objective);
    if open.value <= objective.value || !is_written(objective, &[&consumer.consume.place]) {
        return;
    }
    let peak = index
        .design
        .events
        .get(consumer.event_name)
        .and_then(|e| e.targets.peak_or_rate());
    let held = match peak {
        Some(peak) => format!(
            ", which is {:.0} deliveries at {peak}",
            peak.value() * open.value.as_secs_f64()
        ),
        None => String::new(),
    };
    let message = format!(
        "each time it opens, the breaker of `{name}` holds `{}` for {}{held}; its objective is to be \
         at most {} behind",
        consumer.id(),
        format_duration(open.value),
        format_duration(objective.value),
    );
    let path = format!("dependencies.{name}.breaker.open");
    out.add(BREAKER_OPEN_BEYOND_OBJECTIVE, &open.place, path, message)
        .hint(format!(
            "write `open: {}` or less, or a longer `objective`",
            format_duration(objective.value / 2)
        ))
        .related(&objective.place, "the objective");
}

/// A call that times out is counted when it ends: a window shorter than the timeout forgets the
/// start of an outage before its first timeout is known.
fn window_below_timeout(
    index: &Index<'_>,
    name: &Name,
    dependency: &Dependency,
    out: &mut Findings,
) {
    let window = &dependency.breaker.window;
    let longest = index
        .needed_by(name)
        .iter()
        .max_by_key(|c| c.consume.deliver.timeout.value);
    let Some(consumer) = longest else { return };
    let timeout = &consumer.consume.deliver.timeout;
    if window.value >= timeout.value {
        return;
    }
    let message = format!(
        "the breaker of `{name}` looks back {}, less than one attempt of `{}` may take, {}",
        format_duration(window.value),
        consumer.id(),
        format_duration(timeout.value),
    );
    let path = format!("dependencies.{name}.breaker.window");
    out.add(BREAKER_WINDOW_BELOW_TIMEOUT, &window.place, path, message)
        .hint(format!(
            "write `window: {}` or more",
            format_duration(timeout.value * 3)
        ))
        .related(&timeout.place, "the timeout");
}
