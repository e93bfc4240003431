//! Retries help, and do not make a bad moment worse.

use tidegate_base::format_duration;
use tidegate_model::design::{ConsumerRef, Event, Order, RetryMode};

use crate::backoff;
use crate::codes::{
    AGE_BELOW_FIRST_RETRY, KEY_HELD_BEYOND_OBJECTIVE, RETRY_SLOWER_THAN_TIMEOUT,
    RETRY_WITHOUT_BUDGET,
};
use crate::draft::Findings;
use crate::index::Index;
use crate::written::is_written;

/// The peak rate, in events a second, from which retries without a budget are reported: while a
/// dependency is down, every event fails, and the load is the rate times the attempts.
const BUDGETLESS_RATE_MAX: f64 = 100.0;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in index
        .consumers
        .iter()
        .filter(|c| c.consume.retry.most_attempts() > 1)
    {
        slower_than_timeout(consumer, out);
        age_below_first(consumer, out);
        held_beyond_objective(consumer, out);
    }
    for (consumer, event) in index.resolved() {
        without_budget(&consumer, event, out);
    }
}

/// Waiting longer than an attempt may take is rarely meant for the very first retry.
fn slower_than_timeout(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let (retry, deliver) = (&consumer.consume.retry, &consumer.consume.deliver);
    if retry.initial.value <= deliver.timeout.value || retry.initial.value > retry.max.value {
        return;
    }
    let message = format!(
        "the first retry of `{}` waits {}, longer than a whole attempt may take, {}",
        consumer.id(),
        format_duration(retry.initial.value),
        format_duration(deliver.timeout.value),
    );
    let path = format!("{}.retry.initial", consumer.path());
    out.add(
        RETRY_SLOWER_THAN_TIMEOUT,
        &retry.initial.place,
        path,
        message,
    )
    .hint("most failures pass quickly: write a shorter `initial` and let the backoff grow")
    .related(&deliver.timeout.place, "the timeout");
}

fn age_below_first(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let retry = &consumer.consume.retry;
    let Some(age) = retry
        .age
        .as_ref()
        .filter(|age| age.value <= retry.initial.value)
    else {
        return;
    };
    let message = format!(
        "a delivery older than {} is not retried, but the first retry waits {}",
        format_duration(age.value),
        format_duration(retry.initial.value),
    );
    out.add(
        AGE_BELOW_FIRST_RETRY,
        &age.place,
        format!("{}.retry.age", consumer.path()),
        message,
    )
    .hint("write a longer `age`, a shorter `initial`, or `attempts: 1` when none is wanted")
    .related(&retry.initial.place, "the first delay");
}

/// While the head of a key is retried, its followers wait: the objective is theirs too.
fn held_beyond_objective(consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let consume = consumer.consume;
    let objective = &consume.objective;
    let ordered = consume.order.value != Order::None;
    let blocking = consume.retry.mode.value == RetryMode::Blocking;
    let held = backoff::attempts_time(consume);
    if !(ordered && blocking && is_written(objective, &[&consume.place])) {
        return;
    }
    if held <= objective.value {
        return;
    }
    let message = format!(
        "{} attempts of up to {} can hold a key for {}, longer than the objective, {}",
        consume.retry.most_attempts(),
        format_duration(consume.deliver.timeout.value),
        format_duration(held),
        format_duration(objective.value),
    );
    let path = format!("{}.retry.attempts", consumer.path());
    out.add(
        KEY_HELD_BEYOND_OBJECTIVE,
        &consume.retry.attempts.place,
        path,
        message,
    )
    .hint("write fewer `attempts`, a shorter `timeout`, or a longer `objective`")
    .related(&consume.deliver.timeout.place, "the timeout")
    .related(&objective.place, "the objective");
}

fn without_budget(consumer: &ConsumerRef<'_>, event: &Event, out: &mut Findings) {
    let retry = &consumer.consume.retry;
    let Some(peak) = event.targets.peak_or_rate() else {
        return;
    };
    let attempts = retry.most_attempts();
    if retry.budget.is_some() || attempts <= 1 || peak.value() < BUDGETLESS_RATE_MAX {
        return;
    }
    let message = format!(
        "at {peak}, {attempts} attempts without a budget are up to {:.0} calls a second while all \
         fail",
        peak.value() * f64::from(attempts),
    );
    out.add(
        RETRY_WITHOUT_BUDGET,
        &retry.place,
        format!("{}.retry", consumer.path()),
        message,
    )
    .hint("write `retry: {budget: 20%}`: retries stay below a fifth of first attempts")
    .related(
        event.targets.place.as_ref().unwrap_or(&event.place),
        "the rate",
    );
}
