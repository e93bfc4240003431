//! Order is kept only where nothing else gives it up.

use tidegate_model::design::{ConsumerRef, Event, Followers, Order, RetryMode};

use crate::codes::{
    ORDER_LOST_AT_DEAD_LETTER, ORDER_WITH_NON_BLOCKING, ORDER_WITHOUT_KEY, TOTAL_ORDER_CONCURRENCY,
};
use crate::draft::Findings;
use crate::index::Index;
use crate::written::is_written;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in &index.consumers {
        if let Some(event) = index.design.events.get(consumer.event_name) {
            without_key(consumer, event, out);
        }
        if consumer.consume.order.value != Order::None {
            with_non_blocking(consumer, out);
            lost_at_dead_letter(consumer, out);
        }
        with_concurrency(consumer, out);
    }
}

fn without_key(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let order = &consumer.consume.order;
    if order.value != Order::Key || event.key.is_some() {
        return;
    }
    let name = consumer.event_name;
    let message = format!(
        "`{}` keeps order by key, but event `{name}` has no key",
        consumer.id()
    );
    out.add(
        ORDER_WITHOUT_KEY,
        &order.place,
        format!("{}.order", consumer.path()),
        message,
    )
    .hint(format!(
        "write `key: /…` in event `{name}`: a JSON pointer into its payload"
    ))
    .related(&event.place, "the event");
}

fn with_non_blocking(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let mode = &consumer.consume.retry.mode;
    if mode.value != RetryMode::NonBlocking {
        return;
    }
    let order = &consumer.consume.order;
    let message = format!(
        "`{}` asks for order ({}), but its retries let later deliveries overtake",
        consumer.id(),
        order.value
    );
    let path = format!("{}.retry.mode", consumer.path());
    out.add(ORDER_WITH_NON_BLOCKING, &mode.place, path, message)
        .hint("write `mode: blocking`, or `order: none` when the handler can take any order")
        .related(&order.place, "order is asked for");
}

/// Only a bulkhead that the author wrote contradicts; the default is no wish.
fn with_concurrency(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let deliver = &consumer.consume.deliver;
    let concurrency = &deliver.concurrency;
    let total = consumer.consume.order.value == Order::Total;
    let wished = is_written(concurrency, &[&deliver.place, &consumer.consume.place]);
    if !total || concurrency.value <= 1 || !wished {
        return;
    }
    let message = format!(
        "`{}` keeps total order, so one delivery runs at a time, not {}",
        consumer.id(),
        concurrency.value
    );
    let path = format!("{}.deliver.concurrency", consumer.path());
    out.add(TOTAL_ORDER_CONCURRENCY, &concurrency.place, path, message)
        .hint("write `concurrency: 1`, or `order: key` to run different keys at the same time")
        .related(&consumer.consume.order.place, "total order");
}

fn lost_at_dead_letter(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let Some(dead_letter) = &consumer.consume.dead_letter else {
        return;
    };
    if dead_letter.followers != Followers::Continue {
        return;
    }
    let order = &consumer.consume.order;
    let message = format!(
        "`{}` asks for order ({}), but deliveries go on past a dead letter: redriven, it comes late",
        consumer.id(),
        order.value
    );
    out.add(
        ORDER_LOST_AT_DEAD_LETTER,
        &dead_letter.place,
        format!("{}.dead-letter.followers", consumer.path()),
        message,
    )
    .hint("write `followers: wait` to keep the order of the key")
    .related(&order.place, "order is asked for");
}
