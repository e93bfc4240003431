//! What no single field can show: values that contradict each other.

use tidegate_base::{Name, format_duration};

use crate::code::{DUPLICATE, NOT_ALLOWED, OUT_OF_RANGE};
use crate::design::{ConsumerRef, Design, Event, Service};
use crate::findings::{Findings, Problem};
use crate::words::Word as _;

/// Reports values of one element that contradict each other.
pub(crate) fn check(design: &Design, findings: &mut Findings) {
    for (name, event) in &design.events {
        versions(name, event, findings);
        let targets = &event.targets;
        if let (Some(rate), Some(peak), Some(place)) = (targets.rate, targets.peak, &targets.place)
            && peak < rate
        {
            let message = format!("peak {peak} is below the usual rate {rate}");
            let problem = Problem::new(&OUT_OF_RANGE, message)
                .hint("the peak is the highest rate: raise it, or leave it out");
            findings.report_at(
                place.clone(),
                format!("events.{name}.targets.peak"),
                problem,
            );
        }
    }
    for (name, service) in &design.services {
        publications(name, service, findings);
    }
    for consumer in design.consumers() {
        let rate = consumer.consume.deliver.rate.as_ref();
        if let Some(rate) = rate.filter(|rate| rate.value.value() <= 0.0) {
            let problem = Problem::new(&OUT_OF_RANGE, "at this rate nothing is ever delivered")
                .hint("write a rate above zero, or leave it out");
            let path = format!("{}.deliver.rate", consumer.path());
            findings.report_at(rate.place.clone(), path, problem);
        }
        let retry = &consumer.consume.retry;
        if retry.initial.value > retry.max.value {
            let message = format!(
                "the first delay, {}, is longer than the longest, {}",
                format_duration(retry.initial.value),
                format_duration(retry.max.value),
            );
            let problem =
                Problem::new(&OUT_OF_RANGE, message).hint("raise `max`, or lower `initial`");
            let path = format!("{}.retry.initial", consumer.path());
            findings.report_at(retry.initial.place.clone(), path, problem);
        } else {
            classes(&consumer, findings);
        }
    }
}

/// The same of what classes of failures have in the place of that; and what is parked is not retried.
fn classes(consumer: &ConsumerRef<'_>, findings: &mut Findings) {
    let retry = &consumer.consume.retry;
    for rule in &retry.classes {
        let path = |field: &str| {
            let class = rule.class.word();
            format!("{}.retry.classes.{class}.{field}", consumer.path())
        };
        if let Some(then) = rule.then.as_ref().filter(|_| rule.parks() && rule.is_own()) {
            let message = format!("`{}` is parked, and says how it is retried", rule.class);
            let problem =
                Problem::new(&NOT_ALLOWED, message).hint("write `park` alone, or leave `then` out");
            findings.report_at(then.place.clone(), path("then"), problem);
            continue;
        }
        let initial = rule.initial.as_ref().unwrap_or(&retry.initial);
        let max = rule.max.as_ref().unwrap_or(&retry.max);
        if initial.value > max.value {
            let message = format!(
                "the first delay after `{}`, {}, is longer than the longest, {}",
                rule.class,
                format_duration(initial.value),
                format_duration(max.value),
            );
            let (field, place) = match &rule.initial {
                Some(initial) => ("initial", &initial.place),
                None => ("max", &max.place),
            };
            let problem =
                Problem::new(&OUT_OF_RANGE, message).hint("raise `max`, or lower `initial`");
            findings.report_at(place.clone(), path(field), problem);
        }
    }
}

/// The newest version has a name of its own.
fn versions(name: &Name, event: &Event, findings: &mut Findings) {
    if let Some((older, version)) = event
        .versions
        .iter()
        .find(|(older, _)| older.as_str() == event.newest())
    {
        let message = format!("`{older}` is the name of the newest version too");
        let problem = Problem::new(&DUPLICATE, message)
            .hint("say what `schema` is called with `version`, or rename this one");
        let path = format!("events.{name}.versions.{older}");
        findings.report_at(version.place.clone(), path, problem);
    }
}

/// An event stands in the list once, with all versions in which it is published.
fn publications(name: &Name, service: &Service, findings: &mut Findings) {
    let mut seen = std::collections::HashSet::new();
    for event in &service.publishes {
        let is_versioned = service.publishes_versions.contains_key(&event.value);
        if !seen.insert(&event.value) && is_versioned {
            let message = format!("`{}` is in the list twice", event.value);
            let problem =
                Problem::new(&DUPLICATE, message).hint("write one entry, with all its `versions`");
            let path = format!("services.{name}.publishes");
            findings.report_at(event.place.clone(), path, problem);
        }
    }
}
