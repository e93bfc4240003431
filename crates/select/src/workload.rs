//! What a design asks of its messaging infrastructure: the contract that options are held against.

use serde::Serialize;
use tidegate_base::{Bytes, Name, Rate, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{Event, Guarantee, Order};

use crate::facts::Criterion;

/// The contract of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// What must be there; an option that provably lacks one is out.
    pub needs: Vec<Need>,
    /// The tightest 99th percentile that the design asks for, in seconds.
    pub latency_seconds: Option<f64>,
    /// What it would use if it were there; what is missing, the runtime does itself.
    pub uses: Vec<Criterion>,
    /// What already runs.
    pub existing: Vec<String>,
    /// Where it may run; empty: anywhere.
    pub clouds: Vec<String>,
    /// The broker that the design names.
    pub chosen: Option<String>,
    /// What the design does not say, each a sentence: nothing can be excluded by it.
    pub gaps: Vec<String>,
}

/// One thing that must be there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    /// What.
    pub criterion: Criterion,
    /// How much of it.
    pub amount: Amount,
    /// What in the design asks for it.
    pub because: String,
}

/// How much is needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// It must be there.
    Yes,
    /// A limit must not lie below this.
    AtLeast(f64),
    /// A limit for one key must not lie below an unknown share of this.
    ShareOf(f64),
}

/// The words of `messaging.requires`, with what they ask for.
pub const REQUIREMENTS: [(&str, Criterion); 7] = [
    ("replay", Criterion::Replay),
    ("priority", Criterion::Priority),
    ("delay", Criterion::Delay),
    ("dead-letter", Criterion::DeadLetter),
    ("open-source", Criterion::OpenSource),
    ("node-loss", Criterion::SurvivesNodeLoss),
    ("power-loss", Criterion::FsyncBeforeAcknowledge),
];

impl Workload {
    /// The contract of `design`.
    #[must_use]
    pub fn of(design: &Design) -> Self {
        let mut gaps = Vec::new();
        let mut needs = rates(design, &mut gaps);
        needs.extend(sizes(design, &mut gaps));
        needs.extend(counts(design));
        needs.extend(promises(design));
        needs.extend(required(design, &mut gaps));
        let words = |list: &[tidegate_model::design::Located<String>]| {
            list.iter().map(|word| word.value.clone()).collect()
        };
        let latencies = design.events.values().filter_map(|event| event.targets.p99);
        Self {
            needs,
            latency_seconds: latencies.min().map(|p99| p99.as_secs_f64()),
            uses: uses(design),
            existing: words(&design.messaging.existing),
            clouds: words(&design.messaging.clouds),
            chosen: design
                .messaging
                .broker
                .as_ref()
                .map(|broker| broker.value.clone()),
            gaps,
        }
    }

    /// Whether a need for `criterion` is among the needs.
    #[must_use]
    pub fn needs(&self, criterion: Criterion) -> bool {
        self.needs.iter().any(|need| need.criterion == criterion)
    }
}

fn at_least(criterion: Criterion, amount: f64, because: String) -> Option<Need> {
    (amount > 0.0).then_some(Need {
        criterion,
        amount: Amount::AtLeast(amount),
        because,
    })
}

fn yes(criterion: Criterion, because: String) -> Need {
    Need {
        criterion,
        amount: Amount::Yes,
        because,
    }
}

/// The peak rate of an event.
fn peak(event: &Event) -> f64 {
    event.targets.peak_or_rate().map_or(0.0, Rate::value)
}

/// The event with the largest amount, when that is above zero.
fn largest(design: &Design, amount: impl Fn(&Event) -> f64) -> Option<(&Name, f64)> {
    design
        .events
        .iter()
        .map(|(name, event)| (name, amount(event)))
        .filter(|(_, amount)| *amount > 0.0)
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn rates(design: &Design, gaps: &mut Vec<String>) -> Vec<Need> {
    let unknown = design.events.iter().filter(|(_, event)| peak(event) == 0.0);
    gaps.extend(unknown.map(|(name, _)| format!("event `{name}` declares no rate")));
    let total: f64 = design.events.values().map(peak).sum();
    let deliveries: f64 = design
        .consumers()
        .filter_map(|c| design.events.get(c.event_name))
        .map(peak)
        .sum();
    let mut needs: Vec<Need> = [
        at_least(
            Criterion::RateTotal,
            total,
            "the peaks of all events".to_owned(),
        ),
        at_least(
            Criterion::DeliveriesTotal,
            deliveries,
            "the peaks of all consumers".to_owned(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some((name, rate)) = largest(design, peak) {
        needs.extend(at_least(
            Criterion::RatePerChannel,
            rate,
            format!("the peak of `{name}`"),
        ));
    }
    let keyed = |event: &Event| {
        if event.key.is_some() {
            peak(event)
        } else {
            0.0
        }
    };
    if let Some((name, rate)) = largest(design, keyed) {
        needs.push(Need {
            criterion: Criterion::RatePerKey,
            amount: Amount::ShareOf(rate),
            because: format!("the peak of `{name}`, which has a key"),
        });
    }
    needs
}

fn sizes(design: &Design, gaps: &mut Vec<String>) -> Vec<Need> {
    let size = |event: &Event| event.targets.size.map_or(0.0, |Bytes(bytes)| bytes as f64);
    let unknown = design
        .events
        .iter()
        .filter(|(_, event)| event.targets.size.is_none());
    gaps.extend(unknown.map(|(name, _)| format!("event `{name}` declares no size")));
    let mut needs = Vec::new();
    if let Some((name, bytes)) = largest(design, size) {
        needs.extend(at_least(
            Criterion::MessageBytes,
            bytes,
            format!("the size of `{name}`"),
        ));
    }
    let total: f64 = design
        .events
        .values()
        .map(|event| peak(event) * size(event))
        .sum();
    needs.extend(at_least(
        Criterion::BytesTotal,
        total,
        "the peaks of all events".to_owned(),
    ));
    let keyed = |event: &Event| {
        if event.key.is_some() {
            peak(event) * size(event)
        } else {
            0.0
        }
    };
    if let Some((name, bytes)) = largest(design, keyed) {
        needs.push(Need {
            criterion: Criterion::BytesPerKey,
            amount: Amount::ShareOf(bytes),
            because: format!("the peak of `{name}`, which has a key"),
        });
    }
    needs
}

fn counts(design: &Design) -> Vec<Need> {
    let consumers = design.consumers().count();
    let channels = design.events.len() + consumers;
    let in_flight = design
        .consumers()
        .map(|c| c.consume.deliver.concurrency.value)
        .max();
    let retention = design
        .events
        .iter()
        .max_by_key(|(_, event)| event.retention.value)
        .map(|(name, event)| {
            let kept = event.retention.value;
            let because = format!("`{name}` is kept for {}", format_duration(kept));
            at_least(Criterion::Retention, kept.as_secs_f64(), because)
        });
    [
        at_least(
            Criterion::Channels,
            channels as f64,
            "events and their consumers".to_owned(),
        ),
        at_least(
            Criterion::Consumers,
            consumers as f64,
            "all consumers".to_owned(),
        ),
        in_flight.and_then(|count| {
            let because = "the most deliveries at the same time of one consumer".to_owned();
            at_least(Criterion::InFlight, f64::from(count), because)
        }),
        retention.flatten(),
        backlog(design),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What waits for one consumer while the breaker of something it needs is open.
fn backlog(design: &Design) -> Option<Need> {
    let pauses = design.consumers().filter_map(|consumer| {
        let rate = peak(design.events.get(consumer.event_name)?);
        let needs = consumer.consume.needs.iter();
        let dependencies = needs.filter_map(|need| design.dependencies.get(&need.value));
        let open = dependencies.map(|d| d.breaker.open.value).max()?;
        Some((consumer.id(), rate * open.as_secs_f64()))
    });
    let (id, messages) = pauses.max_by(|a, b| a.1.total_cmp(&b.1))?;
    at_least(
        Criterion::Backlog,
        messages,
        format!("one pause of a breaker before `{id}` at the peak"),
    )
}

/// What consumers are promised.
fn promises(design: &Design) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(consumer) = design
        .consumers()
        .find(|c| c.consume.order.value != Order::None)
    {
        needs.push(yes(
            Criterion::OrderPerKey,
            format!("`{}` keeps order", consumer.id()),
        ));
    }
    let transaction = |c: &tidegate_model::design::ConsumerRef<'_>| {
        c.consume.guarantee.value == Guarantee::KafkaTransaction
    };
    if let Some(consumer) = design.consumers().find(transaction) {
        let because = format!("`{}` is promised a Kafka transaction", consumer.id());
        needs.push(yes(Criterion::KafkaTransactions, because));
    }
    needs
}

/// The words of `messaging.requires`.
fn required(design: &Design, gaps: &mut Vec<String>) -> Vec<Need> {
    let mut needs = Vec::new();
    for word in &design.messaging.requires {
        match REQUIREMENTS.iter().find(|(known, _)| *known == word.value) {
            Some((_, criterion)) => {
                needs.push(yes(
                    *criterion,
                    format!("`messaging.requires` has `{}`", word.value),
                ));
            }
            None => {
                let known: Vec<&str> = REQUIREMENTS.iter().map(|(known, _)| *known).collect();
                gaps.push(format!(
                    "`messaging.requires` has `{}`, about which no facts are kept; there are facts \
                     about {}",
                    word.value,
                    known.join(", ")
                ));
            }
        }
    }
    needs
}

/// What the design would make use of.
fn uses(design: &Design) -> Vec<Criterion> {
    let any = |question: fn(&tidegate_model::design::Consume) -> bool| {
        design
            .consumers()
            .any(|consumer| question(consumer.consume))
    };
    [
        (Criterion::OrderPerKey, any(|c| c.order.value == Order::Key)),
        (Criterion::DeadLetter, any(|c| c.dead_letter.is_some())),
        (Criterion::Delay, any(|c| c.retry.most_attempts() > 1)),
        (
            Criterion::Deduplication,
            any(|c| c.guarantee.value != Guarantee::AtLeastOnce),
        ),
        (Criterion::Replay, true),
    ]
    .into_iter()
    .filter_map(|(criterion, used)| used.then_some(criterion))
    .collect()
}
