//! From a design to what the delivery machine is told.

use tidegate_base::limit::{
    CONCURRENCY_MAX, DEAD_LETTERS_MAX, FOLLOWERS_MAX, INBOX_IDENTITIES_MAX, WINDOW_DELIVERIES_MAX,
};
use tidegate_delivery as delivery;
use tidegate_delivery::{
    ConsumerConfig, DependencyConfig, FlowConfig, RateConfig, RetryPolicy, SystemConfig,
};
use tidegate_model::Design;
use tidegate_model::design::{
    Backoff, ConsumerRef, Deliver, Followers, Guarantee, Jitter, Limit, Order, Retry, RetryMode,
};

/// Without a `burst` a bucket holds what the rate gives in a tenth of a second: timers are not exact, and a
/// bucket of one loses what they are late.
const BURSTS_A_SECOND: f64 = 10.0;

/// The machine's configuration for `design`.
pub(crate) fn system(design: &Design, seed: u64, in_flight: u32) -> SystemConfig {
    let dependencies = design.dependencies.iter().map(|(name, dependency)| {
        let breaker = &dependency.breaker;
        DependencyConfig {
            name: name.clone(),
            failure_rate: breaker.failure_rate.value,
            minimum: breaker.minimum.value,
            window: breaker.window.value,
            open: breaker.open.value,
            probes: breaker.probes.value,
            concurrency: dependency.concurrency.as_ref().map(|most| most.value),
        }
    });
    SystemConfig {
        seed,
        consumers: design
            .consumers()
            .map(|consumer| self::consumer(&consumer))
            .collect(),
        dependencies: dependencies.collect(),
        in_flight: Some(in_flight),
    }
}

fn consumer(consumer: &ConsumerRef<'_>) -> ConsumerConfig {
    let consume = consumer.consume;
    let order = match consume.order.value {
        Order::None => delivery::Order::None,
        Order::Key => delivery::Order::Key,
        Order::Total => delivery::Order::Total,
    };
    let kept_order = match order {
        delivery::Order::None => delivery::Followers::Continue,
        delivery::Order::Key | delivery::Order::Total => delivery::Followers::Wait,
    };
    ConsumerConfig {
        id: consumer.id(),
        mode: match consume.deliver.to {
            Some(_) => delivery::Mode::Push,
            None => delivery::Mode::Pull,
        },
        needs: consume
            .needs
            .iter()
            .map(|need| need.value.clone())
            .collect(),
        concurrency: consume.deliver.concurrency.value.clamp(1, CONCURRENCY_MAX),
        timeout: consume.deliver.timeout.value,
        order,
        retry: retry(&consume.retry),
        followers: consume
            .dead_letter
            .as_ref()
            .map_or(kept_order, |dead| match dead.followers {
                Followers::Wait => delivery::Followers::Wait,
                Followers::Continue => delivery::Followers::Continue,
            }),
        // The stronger guarantees rest on the handler's inbox; not repeating what is done helps them.
        repetition: match consume.guarantee.value {
            Guarantee::AtLeastOnce => delivery::Repetition::Allowed,
            Guarantee::Deduplicated
            | Guarantee::ExactlyOnceEffect
            | Guarantee::KafkaTransaction => delivery::Repetition::Deduplicated,
        },
        window: WINDOW_DELIVERIES_MAX,
        inbox: INBOX_IDENTITIES_MAX,
        kept: FOLLOWERS_MAX,
        dead_letters: DEAD_LETTERS_MAX,
        dead_letter_budget: consume
            .dead_letter
            .as_ref()
            .and_then(|dead| dead.budget.as_ref().map(|budget| budget.value)),
        flow: flow(&consume.deliver),
    }
}

fn flow(deliver: &Deliver) -> FlowConfig {
    let rate = deliver.rate.as_ref().map(|rate| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is finite and not negative; the cast saturates"
        )]
        let natural = (rate.value.value() / BURSTS_A_SECOND).ceil() as u32;
        RateConfig {
            rate: rate.value,
            burst: deliver
                .burst
                .as_ref()
                .map_or(natural, |burst| burst.value)
                .max(1),
        }
    });
    FlowConfig {
        rate,
        adaptive: deliver.limit.value == Limit::Adaptive,
    }
}

fn retry(retry: &Retry) -> RetryPolicy {
    RetryPolicy {
        backoff: match retry.backoff {
            Backoff::Constant => delivery::Backoff::Constant,
            Backoff::Linear => delivery::Backoff::Linear,
            Backoff::Exponential => delivery::Backoff::Exponential,
        },
        initial: retry.initial.value,
        max: retry.max.value,
        jitter: match retry.jitter {
            Jitter::None => delivery::Jitter::None,
            Jitter::Full => delivery::Jitter::Full,
            Jitter::Equal => delivery::Jitter::Equal,
            Jitter::Decorrelated => delivery::Jitter::Decorrelated,
        },
        attempts: retry.attempts.value.max(1),
        age: retry.age.as_ref().map(|age| age.value),
        budget: retry.budget.as_ref().map(|budget| budget.value),
        mode: match retry.mode.value {
            RetryMode::Blocking => delivery::RetryMode::Blocking,
            RetryMode::NonBlocking => delivery::RetryMode::NonBlocking,
        },
    }
}
