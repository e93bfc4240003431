//! What one event needs of the infrastructure: bytes a second, partitions, disk.

use serde::Serialize;
use tidegate_base::Name;

use crate::consumer::{Consumer, Outcome, Workers};
use crate::facts::{Broker, Capacity};
use crate::figure::{Figure, Input, Need, Source, Unit};
use crate::formulas::fullest_partition;
use crate::measured::Keys;
use crate::options::Options;
use crate::traffic::Traffic;
use crate::workers::hottest;

/// More partitions are not looked for.
const PARTITIONS_MAX: u64 = 10_000;

/// What one event needs.
#[derive(Clone, Debug, Serialize)]
pub struct Channel {
    /// Its name.
    pub event: Name,
    /// Events a second, usually; absent when nobody says.
    pub rate: Option<Input>,
    /// Events a second at the peak.
    pub peak: Option<Input>,
    /// Bytes of one payload.
    pub size: Option<Input>,
    /// How many consumers read it, each everything.
    pub consumers: u32,
    /// Bytes a second that producers write.
    pub ingest: Option<Figure>,
    /// The same at the peak.
    pub ingest_at_peak: Option<Figure>,
    /// Bytes that retention keeps, one copy.
    pub kept: Option<Figure>,
    /// Variance over mean of the counts of seconds, measured: 1 when arrivals are independent.
    pub dispersion: Option<Input>,
    /// The most frequent key, measured; absent where none came often enough.
    pub hottest_key: Option<Input>,
    /// From so many partitions on more of them take nothing from the fullest one.
    pub useful_partitions: Option<u64>,
    /// The partitions, on a broker that has them.
    pub partitions: Need,
    /// How much the fullest partition gets, in times of the mean.
    pub fullest_partition: Option<Figure>,
    /// What is not known, each a sentence.
    pub unknown: Vec<String>,
}

/// The consumers of one event that keep an order, with what they need.
struct Ordered<'a> {
    peak: &'a Input,
    workers: &'a Workers,
    id: String,
}

impl Ordered<'_> {
    /// How long a delivery keeps its partition, in seconds.
    fn time(&self) -> Input {
        let workers = self.workers;
        let handler = &workers.handler_time;
        let value = handler.value * workers.attempts.value;
        Input {
            value,
            ..handler.clone()
        }
    }
}

pub(crate) fn channel(
    traffic: &Traffic<'_>,
    consumers: &[Consumer],
    brokers: &[Broker],
    options: &Options,
) -> Channel {
    let ingest = traffic.ingest();
    let kept = traffic.kept();
    let mut unknown = Vec::new();
    if traffic.rate.is_none() || traffic.size.is_none() {
        unknown.push(traffic.missing());
    } else if let Err(reason) = &kept {
        unknown.push(reason.clone());
    }
    let keys = traffic.event.key.as_ref().and(traffic.measured.as_ref());
    let keys = keys.and_then(|measured| measured.keys);
    let partitions = partitions(traffic, consumers, brokers, options, keys);
    let measured = traffic.measured.as_ref();
    Channel {
        event: traffic.name.clone(),
        rate: traffic.rate.clone(),
        peak: traffic.peak.clone(),
        size: traffic.size.clone(),
        consumers: traffic.groups,
        ingest: ingest.as_ref().map(|(usual, _)| usual.clone()),
        ingest_at_peak: ingest.map(|(_, peak)| peak),
        kept: kept.ok(),
        dispersion: measured.and_then(|m| m.dispersion).map(|value| {
            let how = "variance over mean of the counts of seconds".to_owned();
            Input::new("dispersion", value, Unit::Count, Source::Recording { how })
        }),
        hottest_key: keys.map(|keys| hottest(keys, traffic)),
        useful_partitions: keys.map(|keys| crate::formulas::enough(1.0 / keys.hottest)),
        fullest_partition: keys.map(|keys| fullest(keys, traffic, partitions.count)),
        partitions,
        unknown,
    }
}

fn fullest(keys: Keys, traffic: &Traffic<'_>, partitions: u64) -> Figure {
    let value = fullest_partition(partitions, keys.hottest, keys.squares);
    let how = format!("of {} keys", keys.count);
    Figure::new(
        "fullest partition",
        (value, Unit::Count),
        "the more of 1 + √(2 ln P (P − 1) squares) and P × share + 1 − share, in times of the mean",
        vec![
            Input::computed("P", partitions as f64, Unit::Count),
            hottest(keys, traffic),
            Input::new(
                "squares",
                keys.squares,
                Unit::Count,
                Source::Recording { how },
            ),
        ],
    )
}

fn partitions(
    traffic: &Traffic<'_>,
    consumers: &[Consumer],
    brokers: &[Broker],
    options: &Options,
    keys: Option<Keys>,
) -> Need {
    let sized: Vec<Ordered<'_>> = consumers
        .iter()
        .filter(|consumer| consumer.consumer.event == *traffic.name)
        .filter_map(|consumer| match &consumer.outcome {
            Outcome::Sized(workers) if workers.order != "none" => Some(Ordered {
                peak: &workers.peak,
                workers,
                id: consumer.consumer.to_string(),
            }),
            Outcome::Sized(_) | Outcome::Unknown { .. } => None,
        })
        .collect();
    let mut unknown = Vec::new();
    if let Some(total) = sized
        .iter()
        .find(|ordered| ordered.workers.order == "total")
    {
        unknown.push(format!(
            "more would have no order of all: `{}` wants it",
            total.id
        ));
        let formula = "total order";
        let term = Figure::new("total order", (1.0, Unit::Count), formula, Vec::new());
        return Need {
            count: 1,
            binds: "total order",
            terms: vec![term],
            unknown,
        };
    }
    let mut terms = Vec::new();
    terms.extend(
        sized
            .iter()
            .max_by_key(|o| o.workers.needed.count)
            .map(by_workers),
    );
    let busiest = |ordered: &Ordered<'_>| ordered.peak.value * ordered.time().value;
    let busiest = sized
        .iter()
        .max_by(|a, b| busiest(a).total_cmp(&busiest(b)));
    if let Some(ordered) = busiest {
        terms.push(by_handling(ordered, options));
        match keys.map(|keys| by_key(ordered, keys, traffic, options)) {
            Some(Ok(term)) => terms.push(term),
            Some(Err(reason)) => unknown.push(reason),
            None => unknown.push(
                "by keys: how often each comes was not measured: they are taken as even".to_owned(),
            ),
        }
    }
    match by_bytes(traffic, brokers, options) {
        Ok(term) => terms.push(term),
        Err(reason) => unknown.push(reason),
    }
    Need::of(terms, unknown)
}

/// A worker reads one partition at least: more workers than partitions are idle.
fn by_workers(ordered: &Ordered<'_>) -> Figure {
    let workers = ordered.workers.needed.count as f64;
    let input = Input::computed("workers", workers, Unit::Count);
    let formula = "the workers of the consumer in order that needs most of them";
    Figure::new("workers", (workers, Unit::Count), formula, vec![input])
}

fn by_handling(ordered: &Ordered<'_>, options: &Options) -> Figure {
    let utilisation = options.utilisation_input();
    let time = ordered.time();
    let value = ordered.peak.value * time.value / utilisation.value;
    Figure::new(
        "handling",
        (value, Unit::Count),
        "peak × handler time × attempts / utilisation, one delivery at a time in each",
        vec![ordered.peak.clone(), time, utilisation],
    )
}

/// So many that the fullest one keeps a worker no busier than it may be.
fn by_key(
    ordered: &Ordered<'_>,
    keys: Keys,
    traffic: &Traffic<'_>,
    options: &Options,
) -> Result<Figure, String> {
    let busy = ordered.peak.value * ordered.time().value;
    let most = options.utilisation();
    let load =
        |count: u64| busy * fullest_partition(count, keys.hottest, keys.squares) / count as f64;
    let found = (1..=PARTITIONS_MAX).find(|count| load(*count) <= most);
    let Some(found) = found else {
        return Err(format!(
            "by keys: the most frequent one keeps a worker of `{}` busy for {} of its time: no number of \
             partitions divides it",
            ordered.id,
            Unit::Share.text(busy * keys.hottest)
        ));
    };
    Ok(Figure::new(
        "keys",
        (found as f64, Unit::Count),
        "the fewest whose fullest one keeps a worker no busier than the utilisation",
        vec![
            ordered.peak.clone(),
            ordered.time(),
            hottest(keys, traffic),
            options.utilisation_input(),
        ],
    ))
}

fn by_bytes(
    traffic: &Traffic<'_>,
    brokers: &[Broker],
    options: &Options,
) -> Result<Figure, String> {
    let peak = traffic.ingest().map(|(_, peak)| peak);
    let peak = peak.ok_or("by bytes: the rate or the size is not known")?;
    let name = "one partition";
    let given = options
        .partition_rate
        .filter(|rate| *rate > 0.0)
        .map(|rate| {
            let source = Source::Option {
                name: "--partition-rate",
            };
            Input::new(name, rate, Unit::BytesPerSecond, source)
        });
    let known = brokers
        .iter()
        .filter_map(|broker| broker.fact(Capacity::BytesPerPartition))
        .min_by(|a, b| a.amount.total_cmp(&b.amount));
    let rate = given.or_else(|| {
        let fact = known?.clone();
        let source = Source::Fact(Box::new(fact.clone()));
        Some(Input::new(name, fact.amount, Unit::BytesPerSecond, source))
    });
    let rate = rate.ok_or_else(|| {
        "by bytes: what one partition takes is not known; give `--partition-rate` as measured"
            .to_owned()
    })?;
    let value = peak.value / rate.value;
    let inputs = peak.inputs.into_iter().chain([rate]).collect();
    let formula = "peak × size / bytes a second of one partition";
    Ok(Figure::new("bytes", (value, Unit::Count), formula, inputs))
}
