//! The declared rates can be handled with the declared workers.
//!
//! The mean number of busy workers is rate × handler time (Little's law); above the workers there
//! are, the backlog grows without end. At utilisation ρ, catching up after an outage of T takes
//! T·ρ/(1-ρ).

use tidegate_base::{Rate, format_duration};
use tidegate_model::Place;
use tidegate_model::design::{ConsumerRef, Event, Order};

use crate::codes::{
    CONCURRENCY_TOO_LOW, HOTTEST_KEY, NO_ROOM_FOR_RETRIES, SLOW_RECOVERY, TOTAL_ORDER_TOO_SLOW,
};
use crate::draft::Findings;
use crate::index::{Index, busy_workers};

/// The utilisation from which slow recovery is worth a note: catching up takes five times the
/// outage.
const UTILISATION_MAX: f64 = 5.0 / 6.0;
/// The utilisation that a proposed concurrency aims at: catching up takes twice the outage.
const UTILISATION_AIM: f64 = 2.0 / 3.0;
/// The share of the busiest key below which its bound is worth a note: keys that follow Zipf's law
/// with exponent 1 over 100,000 values give the busiest one 8 %.
const HOTTEST_SHARE_MAX: f64 = 0.08;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (consumer, event) in index.resolved() {
        let peak = event.targets.peak_or_rate();
        if let (Some(busy), Some(peak)) = (busy_workers(peak, &consumer), peak) {
            capacity(
                &Load {
                    consumer,
                    event,
                    peak,
                    busy,
                },
                out,
            );
        }
    }
}

/// One consumer at the peak.
struct Load<'a> {
    consumer: ConsumerRef<'a>,
    event: &'a Event,
    peak: Rate,
    busy: f64,
}

impl Load<'_> {
    fn targets(&self) -> &Place {
        self.event
            .targets
            .place
            .as_ref()
            .unwrap_or(&self.event.place)
    }

    fn handler_time(&self) -> String {
        let declared = self.consumer.consume.deliver.handler_time.as_ref();
        declared
            .map(|time| format_duration(time.value))
            .unwrap_or_default()
    }
}

fn capacity(load: &Load<'_>, out: &mut Findings) {
    let consume = load.consumer.consume;
    let total = consume.order.value == Order::Total;
    let workers = if total {
        1.0
    } else {
        f64::from(consume.deliver.concurrency.value)
    };
    if load.busy >= workers {
        if total {
            total_order(load, out)
        } else {
            concurrency(load, workers, out)
        }
        return;
    }
    if consume.order.value == Order::Key {
        hottest_key(load, out);
    }
    if let Some(budget) = &consume.retry.budget
        && consume.retry.most_attempts() > 1
        && load.busy * (1.0 + budget.value.value()) >= workers
    {
        no_room(load, workers, 1.0 + budget.value.value(), out);
    } else if load.busy / workers > UTILISATION_MAX {
        slow_recovery(load, workers, out);
    }
}

fn total_order(load: &Load<'_>, out: &mut Findings) {
    let consumer = &load.consumer;
    let message = format!(
        "in total order, `{}` handles one delivery at a time: {} at {} each is {:.1} times what it \
         can do",
        consumer.id(),
        load.peak,
        load.handler_time(),
        load.busy,
    );
    let order = &consumer.consume.order;
    out.add(
        TOTAL_ORDER_TOO_SLOW,
        &order.place,
        format!("{}.order", consumer.path()),
        message,
    )
    .hint("write `order: key` to run different keys at the same time, or make the handler faster")
    .related(load.targets(), "the peak rate");
}

fn concurrency(load: &Load<'_>, workers: f64, out: &mut Findings) {
    let consumer = &load.consumer;
    let concurrency = &consumer.consume.deliver.concurrency;
    let message = format!(
        "{} at {} each keeps {:.1} deliveries of `{}` running, but at most {workers} may run: its \
         backlog grows without end",
        load.peak,
        load.handler_time(),
        load.busy,
        consumer.id(),
    );
    let path = format!("{}.deliver.concurrency", consumer.path());
    out.add(CONCURRENCY_TOO_LOW, &concurrency.place, path, message)
        .hint(more_workers(load.busy))
        .related(load.targets(), "the peak rate");
}

/// What to write so that utilisation is [`UTILISATION_AIM`].
fn more_workers(busy: f64) -> String {
    let needed = (busy / UTILISATION_AIM).ceil();
    let most = f64::from(tidegate_base::limit::CONCURRENCY_MAX);
    if needed > most {
        return format!(
            "more than {most} at a time in one process: make the handler faster, or split the event"
        );
    }
    format!("write `deliver: {{concurrency: {needed}}}`: a third is left for catching up")
}

/// The deliveries of one key run one after the other, so its share of the rate is bounded.
fn hottest_key(load: &Load<'_>, out: &mut Findings) {
    let share = 1.0 / load.busy;
    if share >= HOTTEST_SHARE_MAX {
        return;
    }
    let consumer = &load.consumer;
    let message = format!(
        "in order by key, `{}` keeps up only while no key has more than {:.1}% of {}",
        consumer.id(),
        share * 100.0,
        load.peak,
    );
    let order = &consumer.consume.order;
    out.add(
        HOTTEST_KEY,
        &order.place,
        format!("{}.order", consumer.path()),
        message,
    )
    .hint("compare with the busiest key of real traffic; a finer key or a faster handler helps")
    .related(load.targets(), "the peak rate");
}

fn no_room(load: &Load<'_>, workers: f64, most: f64, out: &mut Findings) {
    let consumer = &load.consumer;
    let message = format!(
        "`{}` is {:.0}% busy at {}; with all retries of its budget it would need {:.1} of {workers} \
         workers and fall behind",
        consumer.id(),
        load.busy / workers * 100.0,
        load.peak,
        load.busy * most,
    );
    let concurrency = &consumer.consume.deliver.concurrency;
    let path = format!("{}.deliver.concurrency", consumer.path());
    out.add(NO_ROOM_FOR_RETRIES, &concurrency.place, path, message)
        .hint(more_workers(load.busy * most))
        .related(load.targets(), "the peak rate");
}

fn slow_recovery(load: &Load<'_>, workers: f64, out: &mut Findings) {
    let consumer = &load.consumer;
    let utilisation = load.busy / workers;
    let message = format!(
        "`{}` is {:.0}% busy at {}: after an outage it needs {:.0} times as long to catch up",
        consumer.id(),
        utilisation * 100.0,
        load.peak,
        utilisation / (1.0 - utilisation),
    );
    let concurrency = &consumer.consume.deliver.concurrency;
    let path = format!("{}.deliver.concurrency", consumer.path());
    out.add(SLOW_RECOVERY, &concurrency.place, path, message)
        .hint(more_workers(load.busy))
        .related(load.targets(), "the peak rate");
}
