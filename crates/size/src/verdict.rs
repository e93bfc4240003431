//! Whether the declared design suffices, and what to change where.

use serde::Serialize;
use tidegate_model::design::ConsumerRef;
use tidegate_model::{Design, Place};

use crate::broker::BrokerSize;
use crate::channel::Channel;
use crate::consumer::{Consumer, Outcome, Workers, processes};
use crate::figure::{Unit, seconds};
use crate::options::Options;

/// Whether the declared design suffices; ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Sufficient,
    /// Of a consumer nothing can be said.
    Unknown,
    /// It does not.
    Insufficient,
}

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field of the design.
    pub path: String,
    /// Where it is written, or would be.
    pub place: Place,
    /// What is too little and what would be enough, in one sentence.
    pub sentence: String,
}

/// What does not suffice, and what is worth knowing.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) changes: Vec<Change>,
    pub(crate) notes: Vec<String>,
}

impl Judged {
    pub(crate) fn of(
        design: &Design,
        channels: &[Channel],
        consumers: &[Consumer],
        brokers: &[BrokerSize],
        options: &Options,
    ) -> Self {
        let mut judged = Self::default();
        for (consumer, found) in design.consumers().zip(consumers) {
            if let Outcome::Sized(workers) = &found.outcome {
                judged.consumer(consumer, workers);
                judged.retention(design, consumer, workers);
            }
        }
        judged.dependencies(design, consumers);
        for channel in channels {
            judged.partitions(design, channel, options);
        }
        for broker in brokers {
            judged.broker(design, broker);
        }
        judged
    }

    fn change(&mut self, path: String, place: &Place, sentence: String) {
        self.changes.push(Change {
            path,
            place: place.clone(),
            sentence,
        });
    }

    fn consumer(&mut self, consumer: ConsumerRef<'_>, workers: &Workers) {
        let deliver = &consumer.consume.deliver;
        let path = |field: &str| format!("{}.{field}", consumer.path());
        let id = consumer.id();
        let key = workers.key_load.as_ref().map_or(0.0, |figure| figure.value);
        if key >= 1.0 {
            let sentence = match workers.order {
                "total" => format!(
                    "`{id}` takes one delivery at a time and would be busy for {} of its time: keep the order \
                     of keys only (`order: key`), or handle faster",
                    Unit::Share.text(key)
                ),
                _ => format!(
                    "the most frequent key keeps a worker of `{id}` busy for {} of its time: split the key, \
                     or drop the order (`order: none`)",
                    Unit::Share.text(key)
                ),
            };
            self.change(path("order"), &consumer.consume.order.place, sentence);
        } else if key >= 0.7 {
            self.notes.push(format!(
                "`{id}`: the most frequent key keeps a worker busy for {} of its time at the peak",
                Unit::Share.text(key)
            ));
        }
        if let Some(reason) = workers.out_of_reach.as_ref().filter(|_| key < 1.0)
            && let Some(p99) = &workers.p99
            && let crate::figure::Source::Design { path, place } = &p99.wanted.source
        {
            let sentence = format!("`{id}`: {reason}; give it more time, or handle faster");
            self.change(path.clone(), &place.clone(), sentence);
        }
        let declared = f64::from(deliver.concurrency.value);
        let needed = workers.needed.count;
        if declared < needed as f64 && workers.order != "total" {
            let why = match workers.needed.binds {
                "p99" => "for its p99",
                _ => "for the load at the peak",
            };
            let sentence = format!("`{id}` has {declared} workers and needs {needed} {why}");
            self.change(
                path("deliver.concurrency"),
                &deliver.concurrency.place,
                sentence,
            );
        }
        if let Some(rate) = &deliver.rate {
            let attempts = workers.peak.value * workers.attempts.value;
            if rate.value.value() < attempts {
                let wanted = Unit::PerSecond.text(attempts);
                let sentence = format!(
                    "`{id}` may start {} and has {wanted} at the peak, retries included",
                    rate.value
                );
                self.change(path("deliver.rate"), &rate.place, sentence);
            }
        }
        self.consumer_notes(&id.to_string(), workers);
    }

    fn consumer_notes(&mut self, id: &str, workers: &Workers) {
        let count = processes(workers.needed.count);
        if count > 1 {
            self.notes.push(format!(
                "`{id}`: {} workers are more than one process runs for a consumer: {count} processes",
                workers.needed.count
            ));
        }
        let declared = workers.concurrency.value.max(1.0);
        let storm = workers.rate.value * workers.handler_time.value * workers.attempts_if_all_fail
            / declared;
        if storm >= 1.0 {
            self.notes.push(format!(
                "`{id}`: while every attempt fails, retries keep its workers busy for {} of their time at the \
                 usual rate: a breaker (`needs`) holds them, a budget of retries limits them",
                Unit::Share.text(storm)
            ));
        }
    }

    /// What waits must outlive the outage and the catch-up.
    fn retention(&mut self, design: &Design, consumer: ConsumerRef<'_>, workers: &Workers) {
        let Some(event) = design.events.get(consumer.event_name) else {
            return;
        };
        let Some(usual) = &workers.catch_up.usual else {
            return;
        };
        let outage = usual.inputs.first().map_or(0.0, |input| input.value);
        let whole = outage + usual.value;
        if event.retention.value.as_secs_f64() < whole {
            let sentence = format!(
                "`{}` is kept for {}; an outage of {} with its catch-up takes {} in `{}`",
                consumer.event_name,
                seconds(event.retention.value.as_secs_f64()),
                seconds(outage),
                seconds(whole),
                consumer.id()
            );
            let path = format!("events.{}.retention", consumer.event_name);
            self.change(path, &event.retention.place, sentence);
        }
    }

    /// What all consumers that need a dependency keep busy of it, against the places that it has.
    fn dependencies(&mut self, design: &Design, consumers: &[Consumer]) {
        for (name, dependency) in &design.dependencies {
            let Some(places) = &dependency.concurrency else {
                continue;
            };
            let busy: f64 = design
                .consumers()
                .zip(consumers)
                .filter(|(consumer, _)| {
                    let needs = &consumer.consume.needs;
                    needs.iter().any(|need| need.value == *name)
                })
                .filter_map(|(_, found)| match &found.outcome {
                    Outcome::Sized(workers) => Some(
                        workers.peak.value * workers.handler_time.value * workers.attempts.value,
                    ),
                    Outcome::Unknown { .. } => None,
                })
                .sum();
            if busy >= f64::from(places.value) {
                let sentence = format!(
                    "those who need `{name}` keep {} of its {} places busy at the peak",
                    Unit::Count.text(busy),
                    places.value
                );
                let path = format!("dependencies.{name}.concurrency");
                self.change(path, &places.place, sentence);
            }
        }
    }

    fn partitions(&mut self, design: &Design, channel: &Channel, options: &Options) {
        let needed = channel.partitions.count;
        if let Some(useful) = channel.useful_partitions
            && needed > useful
        {
            self.notes.push(format!(
                "`{}`: beyond {useful} partitions the fullest one has little but the most frequent key: more take \
                 nothing from it",
                channel.event
            ));
        }
        let (Some(given), Some(event)) = (options.partitions, design.events.get(&channel.event))
        else {
            return;
        };
        let has = u64::from(given);
        if has < needed && channel.partitions.binds != "total order" {
            let binds = channel.partitions.binds;
            let sentence = format!(
                "`{}` has {has} partitions and needs {needed}, by {binds}",
                channel.event
            );
            let path = format!("events.{}", channel.event);
            self.change(path, &event.place, sentence);
        }
    }

    fn broker(&mut self, design: &Design, broker: &BrokerSize) {
        let named = design.messaging.broker.as_ref().filter(|_| broker.is_named);
        for limit in broker.limits.iter().filter(|limit| limit.is_over) {
            match named.filter(|_| !limit.is_soft) {
                Some(named) => {
                    let sentence = format!("{}: {}", broker.name, limit.sentence);
                    self.change("messaging.broker".to_owned(), &named.place, sentence);
                }
                None => self
                    .notes
                    .push(format!("{}: {}", broker.name, limit.sentence)),
            }
        }
    }

    pub(crate) fn verdict(&self, consumers: &[Consumer]) -> Verdict {
        let unknown = consumers
            .iter()
            .any(|consumer| matches!(consumer.outcome, Outcome::Unknown { .. }));
        match (self.changes.is_empty(), unknown) {
            (false, _) => Verdict::Insufficient,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Sufficient,
        }
    }
}
