//! What handlers answer: some events are poison, some fail now and then, dependencies go down.

use std::time::Duration;

use tidegate_delivery::{Outcome, RetryClass};

use super::chance::Chance;

fn retry(class: RetryClass, after: Option<Duration>) -> Outcome {
    Outcome::Retry {
        class,
        error: format!("{} order 17", class.word()),
        after,
    }
}

/// The answer of a handler to event `sequence`; `None`: it never answers.
pub(crate) fn answer(
    chance: &mut Chance,
    sequence: u64,
    down: bool,
    healed: bool,
) -> Option<Outcome> {
    if healed {
        return Some(Outcome::Done);
    }
    if down && chance.in_thousand(900) {
        return Some(retry(RetryClass::Unavailable, None));
    }
    Some(match sequence % 23 {
        3 => Outcome::Permanent {
            error: format!("order {sequence} has no total"),
        },
        7 => retry(RetryClass::Retryable, None),
        11 => retry(RetryClass::Timeout, None),
        _ => match chance.below(100) {
            0..70 => Outcome::Done,
            70..80 => retry(RetryClass::Retryable, None),
            80..84 => retry(RetryClass::Retryable, Some(Duration::from_millis(700))),
            84..88 => retry(RetryClass::Timeout, None),
            88..91 => Outcome::Overload {
                error: "busy".to_owned(),
                after: chance
                    .in_thousand(500)
                    .then(|| Duration::from_millis(chance.below(900))),
            },
            91..93 => Outcome::EndpointFault {
                error: "HTTP 404".to_owned(),
            },
            93..96 => Outcome::Cancelled,
            96..98 => return None,
            _ => Outcome::Permanent {
                error: "malformed".to_owned(),
            },
        },
    })
}
