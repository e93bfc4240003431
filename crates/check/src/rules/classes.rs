//! Rules for single classes of failures say what can be.

use tidegate_model::design::{ClassRule, ConsumerRef, FailureClass};

use crate::codes::{ENDPOINT_FAULT_RULE, OUTAGE_MAKES_DEAD_LETTERS};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in &index.consumers {
        for rule in &consumer.consume.retry.classes {
            match rule.class {
                FailureClass::EndpointFault => of_endpoint(consumer, rule, out),
                FailureClass::Unavailable | FailureClass::Timeout | FailureClass::Overload => {
                    in_an_outage(consumer, rule, out);
                }
                FailureClass::Retryable | FailureClass::Permanent => {}
            }
        }
    }
}

fn path(consumer: &ConsumerRef<'_>, rule: &ClassRule) -> String {
    format!("{}.retry.classes.{}", consumer.path(), rule.class)
}

/// A wrong address is wrong for every event: whatever ends such deliveries makes dead letters of all that wait.
fn of_endpoint(consumer: &ConsumerRef<'_>, rule: &ClassRule, out: &mut Findings) {
    let message = format!(
        "a fault of the endpoint of `{}` holds it until the endpoint is right; with a rule its events would become \
         dead letters for it",
        consumer.id()
    );
    out.add(
        ENDPOINT_FAULT_RULE,
        &rule.place,
        path(consumer, rule),
        message,
    )
    .hint("remove it: the consumer is held, probes, and loses nothing");
}

/// Until the breaker opens, what meets an outage is judged as if the event were its cause.
fn in_an_outage(consumer: &ConsumerRef<'_>, rule: &ClassRule, out: &mut Findings) {
    let retry = &consumer.consume.retry;
    let attempts = retry.of(rule.class).map_or(1, |own| own.attempts.value);
    // A consumer that has a single attempt for all has said so; an overload would count for nothing without a rule.
    let says = rule.parks() || rule.attempts.is_some() || rule.class == FailureClass::Overload;
    if attempts > 1 || !says {
        return;
    }
    let message = format!(
        "`{}` gives an event up at its first `{}`: each outage makes dead letters of what meets it before a breaker \
         opens",
        consumer.id(),
        rule.class
    );
    out.add(
        OUTAGE_MAKES_DEAD_LETTERS,
        &rule.place,
        path(consumer, rule),
        message,
    )
    .hint("write `{attempts: 3}` or more, unless each attempt does harm");
}
