//! Latency and size targets are possible.

use tidegate_base::{Bytes, format_duration, limit::PAYLOAD_BYTES_MAX};
use tidegate_model::Place;
use tidegate_model::design::{ConsumerRef, Event};

use crate::codes::{P99_BELOW_FIRST_RETRY, P99_BELOW_HANDLER_TIME, PAYLOAD_TOO_LARGE};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        let most = Bytes(u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX));
        if let Some(size) = event.targets.size.filter(|size| *size > most) {
            let message = format!("payloads of `{name}` are {size}; the largest is {most}");
            out.add(
                PAYLOAD_TOO_LARGE,
                place(event),
                format!("events.{name}.targets.size"),
                message,
            )
            .hint("keep the bulk in a store and publish its address with the event");
        }
    }
    for (consumer, event) in index.resolved() {
        latency(&consumer, event, out);
    }
}

fn place(event: &Event) -> &Place {
    event.targets.place.as_ref().unwrap_or(&event.place)
}

fn latency(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let (deliver, retry) = (&consumer.consume.deliver, &consumer.consume.retry);
    let Some(p99) = event.targets.p99 else { return };
    let path = format!("events.{}.targets.p99", consumer.event_name);
    let handler_time = deliver.handler_time.as_ref();
    if let Some(time) = handler_time.filter(|time| time.value > p99) {
        let message = format!(
            "`{}` usually takes {}, longer than the 99th percentile that `{}` asks for, {}",
            consumer.id(),
            format_duration(time.value),
            consumer.event_name,
            format_duration(p99),
        );
        out.add(P99_BELOW_HANDLER_TIME, place(event), path, message)
            .hint(format!(
                "write a `p99` well above {}",
                format_duration(time.value)
            ))
            .related(&time.place, "the handler time");
        return;
    }
    if retry.attempts.value <= 1 || retry.initial.value <= p99 {
        return;
    }
    let message = format!(
        "the first retry of `{}` waits up to {}, longer than the 99th percentile that `{}` asks for, \
         {}: the target holds only while fewer than 1% fail",
        consumer.id(),
        format_duration(retry.initial.value),
        consumer.event_name,
        format_duration(p99),
    );
    out.add(P99_BELOW_FIRST_RETRY, place(event), path, message)
        .hint(format!(
            "write `retry: {{initial: {}}}` or less",
            format_duration(p99 / 4)
        ))
        .related(&retry.initial.place, "the first delay");
}
