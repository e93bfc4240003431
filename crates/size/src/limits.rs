//! What a broker allows for one key, one consumer or one machine, against what the design asks.

use serde::Serialize;

use crate::channel::Channel;
use crate::consumer::{Consumer, Outcome};
use crate::facts::{Broker, Capacity, Fact};
use crate::figure::Unit;
use crate::options::Options;
use crate::totals::Totals;

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// The fact.
    pub fact: Fact,
    /// How much is needed; absent when that is not known.
    pub needed: Option<f64>,
    /// Whether it is more than allowed, as far as known.
    pub is_over: bool,
    /// Whether it can be exceeded: by configuration, or because it is advice or was measured elsewhere.
    pub is_soft: bool,
    /// All of this in words.
    pub sentence: String,
}

/// The most that the design asks for one key and one consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    /// Events a second of the most frequent key, and of which event.
    key_rate: Option<(f64, String)>,
    key_bytes: Option<(f64, String)>,
    in_flight: Option<(f64, String)>,
}

impl Demands {
    pub(crate) fn of(channels: &[Channel], consumers: &[Consumer]) -> Self {
        let most = |found: &mut dyn Iterator<Item = (f64, String)>| {
            found.max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let rates = channels.iter().filter_map(|channel| {
            let share = channel.hottest_key.as_ref()?.value;
            let peak = channel.peak.as_ref()?.value;
            Some((
                share * peak,
                format!("the most frequent key of `{}`", channel.event),
            ))
        });
        let bytes = channels.iter().filter_map(|channel| {
            let share = channel.hottest_key.as_ref()?.value;
            let peak = channel.ingest_at_peak.as_ref()?.value;
            Some((
                share * peak,
                format!("the most frequent key of `{}`", channel.event),
            ))
        });
        let in_flight = consumers
            .iter()
            .filter_map(|consumer| match &consumer.outcome {
                Outcome::Sized(workers) => Some((
                    workers.in_flight.value.max(workers.needed.count as f64),
                    format!("`{}`", consumer.consumer),
                )),
                Outcome::Unknown { .. } => None,
            });
        Self {
            key_rate: most(&mut rates.into_iter()),
            key_bytes: most(&mut bytes.into_iter()),
            in_flight: most(&mut in_flight.into_iter()),
        }
    }
}

pub(crate) fn limits(
    broker: &Broker,
    demands: &Demands,
    totals: &Totals,
    options: &Options,
) -> Vec<Limit> {
    let whole = |value: f64, who: &str| Some((value, who.to_owned()));
    let replicas = f64::from(options.replicas);
    [
        (
            Capacity::RatePerKey,
            Unit::PerSecond,
            demands.key_rate.clone(),
        ),
        (
            Capacity::BytesPerKey,
            Unit::BytesPerSecond,
            demands.key_bytes.clone(),
        ),
        (Capacity::InFlight, Unit::Count, demands.in_flight.clone()),
        (
            Capacity::ReplicasMax,
            Unit::Count,
            whole(replicas, "`--replicas`"),
        ),
        (
            Capacity::DeliveriesPerNode,
            Unit::PerSecond,
            totals
                .deliveries
                .as_ref()
                .and_then(|all| whole(all.value, "everything at the peak")),
        ),
    ]
    .into_iter()
    .filter_map(|(capacity, unit, needed)| Some(limit(broker.fact(capacity)?, unit, needed)))
    .collect()
}

pub(crate) fn limit(fact: &Fact, unit: Unit, needed: Option<(f64, String)>) -> Limit {
    let allowed = unit.text(fact.amount);
    let about = serde_json::to_value(fact.about).unwrap_or_default();
    let about = about.as_str().unwrap_or_default().to_owned();
    let is_soft = !matches!(fact.kind.as_str(), "hard-limit" | "general-knowledge");
    let origin = format!("{}, {}", fact.source, fact.as_of);
    let Some((amount, who)) = needed else {
        return Limit {
            fact: fact.clone(),
            needed: None,
            is_over: false,
            is_soft,
            sentence: format!(
                "{about}: {allowed} are allowed; how much the design asks is not known without a recording ({origin})"
            ),
        };
    };
    let is_over = amount > fact.amount;
    let word = match (is_over, is_soft) {
        (false, _) => "within",
        (true, false) => "above",
        (true, true) => "above what is usual,",
    };
    Limit {
        fact: fact.clone(),
        needed: Some(amount),
        is_over,
        is_soft,
        sentence: format!(
            "{about}: {who} needs {}, {word} {allowed} ({origin})",
            unit.text(amount)
        ),
    }
}
