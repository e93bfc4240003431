//! From a design to what the delivery machine is told.

use std::time::Duration;

use tidegate_base::limit::{
    CONCURRENCY_MAX, DEAD_LETTERS_MAX, FOLLOWERS_MAX, INBOX_IDENTITIES_MAX, WINDOW_DELIVERIES_MAX,
};
use tidegate_base::{BreakerName, Ratio};
use tidegate_delivery as delivery;
use tidegate_delivery::{
    ClassRules, ConsumerConfig, DependencyConfig, FlowConfig, OwnRetry, RateConfig, RetryPolicy,
    SystemConfig,
};
use tidegate_model::Design;
use tidegate_model::design::{
    Backoff, ClassRule, ConsumerRef, Deliver, FailureClass, Followers, Guarantee, Jitter, Limit,
    Order, Retry, RetryMode,
};

/// Without a `burst` a bucket holds what the rate gives in a tenth of a second: timers are not exact, and a
/// bucket of one loses what they are late.
const BURSTS_A_SECOND: f64 = 10.0;

/// The share of counted calls whose failure opens a consumer's own breaker.
pub(crate) const OWN_FAILURE_RATE: Ratio = Ratio::HALF;
/// The fewest calls before it may open: the consumer's attempts, within these. Two failures say little.
const OWN_MINIMUM_LEAST: u32 = 3;
const OWN_MINIMUM_MOST: u32 = 20;
/// How far back its calls count, or twice the timeout: those that started together and got no answer count together.
const OWN_WINDOW: Duration = Duration::from_secs(30);
/// How long it stays open before it probes.
const OWN_OPEN: Duration = Duration::from_secs(10);
/// Most probes at the same time.
const OWN_PROBES: u32 = 1;

/// The machine's configuration for `design`.
pub(crate) fn system(design: &Design, seed: u64, in_flight: u32) -> SystemConfig {
    let named = design.dependencies.iter().map(|(name, dependency)| {
        let breaker = &dependency.breaker;
        DependencyConfig {
            name: name.clone().into(),
            failure_rate: breaker.failure_rate.value,
            minimum: breaker.minimum.value,
            window: breaker.window.value,
            open: breaker.open.value,
            probes: breaker.probes.value,
            concurrency: dependency.concurrency.as_ref().map(|most| most.value),
        }
    });
    let own = design.consumers().filter_map(|c| own_breaker(&c));
    SystemConfig {
        seed,
        consumers: design
            .consumers()
            .map(|consumer| self::consumer(&consumer))
            .collect(),
        dependencies: named.chain(own).collect(),
        in_flight: Some(in_flight),
    }
}

/// The breaker of a consumer that names no dependency: as one of the design's without a word about it, but for the
/// fewest calls. Those are the attempts of one delivery, from three on, so that it opens before a single event has used
/// them up; one that has but one or two attempts may.
fn own_breaker(consumer: &ConsumerRef<'_>) -> Option<DependencyConfig> {
    let retry = &consumer.consume.retry;
    // Of the failures that it counts, those that end a delivery the soonest.
    let counted = [
        FailureClass::Unavailable,
        FailureClass::Timeout,
        FailureClass::Overload,
    ];
    let attempts = counted
        .into_iter()
        .filter_map(|class| match retry.of(class) {
            Some(policy) => Some(policy.attempts.value),
            None => retry.rule(class).map(|_| 1),
        });
    let attempts = attempts.min().unwrap_or_default();
    let timeout = consumer.consume.deliver.timeout.value;
    consumer.consume.needs.is_empty().then(|| DependencyConfig {
        name: consumer.id().into(),
        failure_rate: OWN_FAILURE_RATE,
        minimum: attempts.clamp(OWN_MINIMUM_LEAST, OWN_MINIMUM_MOST),
        window: OWN_WINDOW.max(timeout.saturating_mul(2)),
        open: OWN_OPEN,
        probes: OWN_PROBES,
        concurrency: None,
    })
}

/// The breakers that hold a consumer: those of what it needs, or its own.
pub(crate) fn breakers_of(consumer: &ConsumerRef<'_>) -> Vec<BreakerName> {
    let needs = &consumer.consume.needs;
    match needs.is_empty() {
        true => vec![consumer.id().into()],
        false => needs.iter().map(|need| need.value.clone().into()).collect(),
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
        needs: breakers_of(consumer),
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

/// How failures of the class are retried, where they are counted by themselves.
fn class_rule(retry: &Retry, rule: &ClassRule) -> delivery::ClassRule {
    match retry.of(rule.class) {
        None => delivery::ClassRule::Park,
        Some(_) if !rule.is_own() => delivery::ClassRule::Retry,
        Some(own) => delivery::ClassRule::Own(OwnRetry {
            backoff: backoff(own.backoff),
            immediate: own.immediate.value,
            initial: own.initial.value,
            max: own.max.value,
            jitter: jitter(own.jitter),
            attempts: own.attempts.value.max(1),
        }),
    }
}

fn classes(retry: &Retry) -> ClassRules {
    let rules = retry.classes.iter().filter_map(|rule| {
        let class = match rule.class {
            FailureClass::Retryable => delivery::FailureClass::Retryable,
            FailureClass::Unavailable => delivery::FailureClass::Unavailable,
            FailureClass::Timeout => delivery::FailureClass::Timeout,
            FailureClass::Overload => delivery::FailureClass::Overload,
            FailureClass::Permanent => delivery::FailureClass::Permanent,
            // The checker refuses it; whoever goes on all the same loses nothing by it.
            FailureClass::EndpointFault => return None,
        };
        Some((class, class_rule(retry, rule)))
    });
    rules.fold(ClassRules::default(), |rules, (class, rule)| {
        rules.with(class, rule)
    })
}

fn backoff(backoff: Backoff) -> delivery::Backoff {
    match backoff {
        Backoff::Constant => delivery::Backoff::Constant,
        Backoff::Linear => delivery::Backoff::Linear,
        Backoff::Exponential => delivery::Backoff::Exponential,
    }
}

fn jitter(jitter: Jitter) -> delivery::Jitter {
    match jitter {
        Jitter::None => delivery::Jitter::None,
        Jitter::Full => delivery::Jitter::Full,
        Jitter::Equal => delivery::Jitter::Equal,
        Jitter::Decorrelated => delivery::Jitter::Decorrelated,
    }
}

fn retry(retry: &Retry) -> RetryPolicy {
    RetryPolicy {
        backoff: backoff(retry.backoff),
        immediate: retry.immediate.value,
        initial: retry.initial.value,
        max: retry.max.value,
        jitter: jitter(retry.jitter),
        attempts: retry.attempts.value.max(1),
        age: retry.age.as_ref().map(|age| age.value),
        budget: retry.budget.as_ref().map(|budget| budget.value),
        mode: match retry.mode.value {
            RetryMode::Blocking => delivery::RetryMode::Blocking,
            RetryMode::NonBlocking => delivery::RetryMode::NonBlocking,
        },
        classes: classes(retry),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn planned(consume: &str) -> SystemConfig {
        let text = format!(
            "tidegate: 1\nsystem: shop\nevents: {{E: {{}}}}\nservices: {{a: {{publishes: [E]}}, b: {{consumes: {{E: {consume}}}}}}}\n\
             dependencies: {{plain: {{}}}}\n"
        );
        let source = tidegate_model::Source {
            name: Arc::from("design.yaml"),
            text,
        };
        let reading = tidegate_model::read(&[source], &|_| Ok(String::new()));
        system(&reading.design.unwrap(), 0, 100)
    }

    /// A word of the design language changes its default here too.
    #[test]
    fn a_consumer_s_own_breaker_is_as_one_without_a_word() {
        let planned = planned("{retry: {attempts: 20}, deliver: {timeout: 1s}}");
        let [plain, own] = &planned.dependencies[..] else {
            panic!("{:?}", planned.dependencies);
        };
        assert_eq!(own.name.to_string(), "b/E");
        assert_eq!(planned.consumers[0].needs, std::slice::from_ref(&own.name));
        let as_plain = DependencyConfig {
            name: plain.name.clone(),
            ..own.clone()
        };
        assert_eq!(format!("{plain:?}"), format!("{as_plain:?}"));
    }

    #[test]
    fn its_calls_are_the_attempts_from_three_on_and_its_window_holds_the_timeouts() {
        let own = |consume: &str| {
            let own = planned(consume).dependencies.pop().unwrap();
            (own.minimum, own.window.as_secs())
        };
        assert_eq!(own("{}"), (8, 60));
        assert_eq!(own("{retry: {attempts: 1}}"), (3, 60));
        assert_eq!(
            own("{retry: {attempts: 50}, deliver: {timeout: 5m}}"),
            (20, 600)
        );
    }

    #[test]
    fn its_calls_are_those_of_the_class_that_ends_a_delivery_the_soonest() {
        let minimum = |classes: &str| {
            let consume = format!("{{retry: {{attempts: 10, classes: {classes}}}}}");
            planned(&consume).dependencies.pop().unwrap().minimum
        };
        assert_eq!(minimum("{retryable: park, permanent: retry}"), 10);
        assert_eq!(minimum("{timeout: {attempts: 5}}"), 5);
        assert_eq!(minimum("{timeout: {attempts: 50}}"), 10);
        assert_eq!(minimum("{overload: {attempts: 6}}"), 6);
        assert_eq!(minimum("{unavailable: park}"), 3);
    }

    #[test]
    fn a_rule_takes_the_rest_from_retry_and_one_for_the_endpoint_is_none() {
        let text = "{retry: {backoff: linear, initial: 2s, attempts: 9, classes: {timeout: {attempts: 3}, \
                    permanent: retry, retryable: park, endpoint-fault: park}}}";
        let planned = planned(text);
        let rules = &planned.consumers[0].retry.classes;
        let own = OwnRetry {
            backoff: delivery::Backoff::Linear,
            immediate: 0,
            initial: Duration::from_secs(2),
            max: Duration::from_secs(30),
            jitter: delivery::Jitter::Full,
            attempts: 3,
        };
        let expected = ClassRules::default()
            .with(
                delivery::FailureClass::Timeout,
                delivery::ClassRule::Own(own),
            )
            .with(
                delivery::FailureClass::Permanent,
                delivery::ClassRule::Retry,
            )
            .with(delivery::FailureClass::Retryable, delivery::ClassRule::Park);
        assert_eq!(*rules, expected);
    }

    #[test]
    fn who_names_what_it_needs_has_no_breaker_of_its_own() {
        let planned = planned("{needs: [plain]}");
        assert_eq!(planned.dependencies.len(), 1);
        assert_eq!(planned.consumers[0].needs[0].to_string(), "plain");
    }
}
