//! Quantities of facts and needs, in words.

use std::time::Duration;

use tidegate_base::{Bytes, Rate, format_duration};

use crate::facts::Criterion;

/// `amount` of `criterion` with its unit.
pub(crate) fn amount_text(criterion: Criterion, amount: f64) -> String {
    match criterion {
        Criterion::MessageBytes => bytes(amount),
        Criterion::BytesTotal | Criterion::BytesPerKey => format!("{}/s", bytes(amount)),
        Criterion::RateTotal
        | Criterion::RatePerChannel
        | Criterion::RatePerKey
        | Criterion::DeliveriesTotal => {
            Rate::per_second(amount).map_or_else(|| amount.to_string(), |rate| rate.to_string())
        }
        Criterion::Retention | Criterion::DelayMax | Criterion::Latency => {
            Duration::try_from_secs_f64(amount)
                .map_or_else(|_| format!("{amount}s"), format_duration)
        }
        _ => format!("{:.0} {}", amount, crate::facts::name_of(criterion)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "amounts are not negative, and the cast saturates"
)]
fn bytes(amount: f64) -> String {
    Bytes(amount.round() as u64).to_string()
}
