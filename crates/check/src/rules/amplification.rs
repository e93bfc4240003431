//! How retries multiply along a chain of events.
//!
//! A failed attempt may already have emitted its events, so the attempts of one handler multiply
//! those of the next: the worst case is the product of the attempts along the chain. A retry budget
//! of share b bounds one factor to 1 + b; a handler whose events commit with its effect emits
//! nothing when it fails, so its factor does not reach the next one.
//! Source: B. Beyer et al., "Site Reliability Engineering", 2016, chapter 22 (three layers of four
//! attempts are 64 calls); M. Brooker, "Fixing retries with token buckets", 2022.

use tidegate_model::design::{Consume, ConsumerRef, Guarantee};

use crate::codes::RETRY_AMPLIFICATION;
use crate::components::Components;
use crate::draft::Findings;
use crate::index::Index;

/// The most attempts at the end of a chain, for one event at its start, that are not reported: two
/// handlers with ten attempts each. Three with five each are 125.
const AMPLIFICATION_MAX: f64 = 100.0;
/// Most handlers that a chain is followed back over: those that multiply are fewer by far.
const FOLLOWED_HANDLERS_MAX: usize = 1_000;
/// Most handlers that are printed of a chain.
const PRINTED_HANDLERS_MAX: usize = 8;

/// The worst chain up to a node.
#[derive(Clone, Copy)]
struct Worst<'a> {
    factor: f64,
    last: Option<(ConsumerRef<'a>, usize)>,
}

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let graph = &index.graph;
    let components = Components::of(graph);
    let mut worst = vec![
        Worst {
            factor: 1.0,
            last: None
        };
        graph.len()
    ];
    // A component leads only to those before it: from the last one on, every chain is complete.
    for node in components.members.iter().rev().flatten().copied() {
        let Some(so_far) = worst.get(node).copied() else {
            continue;
        };
        for edge in graph.from(node) {
            // Within a loop the product has no end: that is reported as a loop.
            if components.of.get(edge.to) == components.of.get(node) {
                continue;
            }
            let (factor, last) = match edge.consumer {
                Some(consumer) => (
                    so_far.factor * passed_on(consumer.consume),
                    Some((consumer, node)),
                ),
                None => (so_far.factor, so_far.last),
            };
            if let Some(target) = worst
                .get_mut(edge.to)
                .filter(|target| factor > target.factor)
            {
                *target = Worst { factor, last };
            }
        }
    }
    for (node, so_far) in worst.iter().enumerate() {
        let Some(event) = graph.event(node) else {
            continue;
        };
        for consumer in index.consumers_of(event) {
            let total = so_far.factor * attempts(consumer.consume);
            // Once a chain: at the handler that takes it over the limit.
            if so_far.factor <= AMPLIFICATION_MAX && total > AMPLIFICATION_MAX {
                say(&worst, node, consumer, total, out);
            }
        }
    }
}

/// The most attempts for each event that arrives.
fn attempts(consume: &Consume) -> f64 {
    let attempts = f64::from(consume.retry.most_attempts());
    match &consume.retry.budget {
        Some(budget) => attempts.min(1.0 + budget.value.value()),
        None => attempts,
    }
}

/// The most times that each event emitted on the way may be emitted.
fn passed_on(consume: &Consume) -> f64 {
    match consume.guarantee.value {
        Guarantee::ExactlyOnceEffect | Guarantee::KafkaTransaction => 1.0,
        Guarantee::AtLeastOnce | Guarantee::Deduplicated => attempts(consume),
    }
}

fn say(worst: &[Worst<'_>], node: usize, last: &ConsumerRef<'_>, total: f64, out: &mut Findings) {
    let mut chain = vec![*last];
    let mut at = node;
    while let Some((consumer, from)) = worst.get(at).and_then(|worst| worst.last)
        && chain.len() < FOLLOWED_HANDLERS_MAX
    {
        chain.push(consumer);
        at = from;
    }
    chain.reverse();
    let numbers: Vec<_> = chain
        .iter()
        .take(PRINTED_HANDLERS_MAX)
        .map(|consumer| format!("`{}` {}", consumer.id(), number(attempts(consumer.consume))))
        .collect();
    let more = if chain.len() > PRINTED_HANDLERS_MAX {
        " × …"
    } else {
        ""
    };
    let message = format!(
        "one event can cause {} attempts here: {}{more}",
        number(total),
        numbers.join(" × ")
    );
    let widest = chain.iter().filter(|c| c.consume.retry.budget.is_none());
    let widest = widest
        .max_by_key(|c| c.consume.retry.most_attempts())
        .unwrap_or(last);
    let hint = format!(
        "bound it with `retry: {{budget: 20%}}` in `{}`, or with fewer attempts along the chain",
        widest.id()
    );
    let mut draft = out
        .add(
            RETRY_AMPLIFICATION,
            &last.consume.retry.place,
            format!("{}.retry", last.path()),
            message,
        )
        .hint(hint);
    for consumer in chain.iter().rev().skip(1).take(PRINTED_HANDLERS_MAX) {
        let why = format!(
            "{} attempts in `{}`",
            number(attempts(consumer.consume)),
            consumer.id()
        );
        draft = draft.related(&consumer.consume.retry.place, why);
    }
}

/// At most one decimal, without a zero at the end.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
