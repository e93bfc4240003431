//! Why an event is where it is: the event is found in memory or in its channel, and every consumer's
//! delivery of it is explained as it is then.

use std::sync::Arc;

use futures_util::future::FutureExt;
use tidegate_base::limit::{INBOX_IDENTITIES_MAX, PAYLOAD_BYTES_MAX, SEARCH_RECORDS_MAX};
use tidegate_base::{BreakerName, ConsumerId, Name, Timestamp};
use tidegate_broker::{Broker, ReadLimit, Record};
use tidegate_delivery::{
    ConsumerStatus, DeliveryStatus, End, Explanation, HaltCause, Obstacle, SeekOrder,
};
use tokio::sync::oneshot;

use super::Actor;
use super::hear::Event;
use super::letters::{attempt_view, edit_view};
use super::select::{letter_id, read_id};
use crate::stored;
use crate::why::{Why, WhyBehind, WhyDelivery, WhyEvent, WhyGate, WhyOrder};

/// Records of one read.
const PAGE: u64 = 512;

impl Actor {
    pub(super) fn why(
        &mut self,
        id: String,
        source: Option<String>,
        reply: oneshot::Sender<Option<Why>>,
    ) {
        let known = self.parts.machine.find(&id, source.as_deref()).pop_first();
        let known = known.or_else(|| self.place_of(&id));
        let broker = Arc::clone(&self.parts.broker);
        let channels: Vec<Name> = self.parts.design.events.keys().cloned().collect();
        let work = async move {
            let found = match known {
                Some((channel, sequence)) => at(&*broker, channel, sequence).await,
                None => search(&*broker, channels, &id, source.as_deref()).await,
            };
            Event::Sought { found, reply }
        };
        self.work.push(work.boxed());
    }

    pub(super) fn sought(
        &self,
        found: Option<(Name, Record)>,
        reply: oneshot::Sender<Option<Why>>,
    ) {
        let why = found.map(|(channel, record)| {
            let arrival = stored::arrival(&record);
            let consumers = self.parts.design.consumers().map(|consumer| consumer.id());
            let consumers = consumers.filter(|id| id.event == channel);
            let deliveries = consumers.filter_map(|id| self.why_delivery(id, record.sequence));
            Why {
                deliveries: deliveries.collect(),
                event: WhyEvent {
                    id: arrival.event.id.clone(),
                    source: arrival.event.source.clone(),
                    r#type: channel.clone(),
                    key: record.key.clone(),
                    accepted_ms: record.time.millis(),
                },
            }
        });
        let _left = reply.send(why);
    }

    /// What the id of a dead letter, `SERVICE/EVENT/SEQUENCE`, is a delivery of.
    fn place_of(&self, id: &str) -> Option<(Name, u64)> {
        let (consumer, sequence) = read_id(id)?;
        let mut consumers = self.parts.design.consumers();
        let is_known = consumers.any(|known| known.id() == consumer);
        is_known.then_some((consumer.event, sequence))
    }

    fn why_delivery(&self, consumer: ConsumerId, sequence: u64) -> Option<WhyDelivery> {
        let now = self.now();
        let explanation = self.parts.machine.explain(&consumer, sequence, now)?;
        let gate = match (&explanation.obstacle, explanation.status) {
            (Some(obstacle), _) => Some(self.gate(&consumer, obstacle, now)),
            (None, DeliveryStatus::InChannel) => Some(WhyGate {
                what: "window",
                detail: "it has not been read from its channel yet: others go before it".to_owned(),
                until_ms: None,
            }),
            (None, _) => None,
        };
        let is_letter = matches!(
            explanation.status,
            DeliveryStatus::Dead | DeliveryStatus::Discarded
        );
        let until = explanation.until.map(Timestamp::millis);
        let edited = explanation.edited.as_ref();
        Some(WhyDelivery {
            sequence,
            state: word(&explanation),
            next_ms: until.or(gate.as_ref().and_then(|gate| gate.until_ms)),
            gate,
            behind: explanation.behind.map(|(sequence, event)| WhyBehind {
                sequence,
                event_id: event.id.clone(),
            }),
            attempts: explanation.history.iter().map(attempt_view).collect(),
            dead_letter: is_letter.then(|| letter_id(&consumer, sequence)),
            redrives: explanation.redrives,
            edits: edited
                .iter()
                .flat_map(|to| &to.notes)
                .map(edit_view)
                .collect(),
            edited_id: edited.map(|to| to.id.clone()),
            generation: explanation.generation,
            replay: explanation.replay.map(order),
            skip: explanation.skip.map(order),
            consumer,
        })
    }

    pub(super) fn gate(
        &self,
        consumer: &ConsumerId,
        obstacle: &Obstacle,
        now: Timestamp,
    ) -> WhyGate {
        let status = self.parts.machine.status(consumer, now);
        let status = status.as_ref();
        let (what, detail, until) = match obstacle {
            Obstacle::Boot => ("start", "the system is starting".to_owned(), None),
            Obstacle::Draining => ("drain", "the system is draining".to_owned(), None),
            Obstacle::Halted => {
                let halt = status.and_then(|status| status.halt.as_ref());
                let reason = halt.map_or("", |halt| halt.reason.as_str());
                let probes = halt.is_some_and(|halt| halt.cause == HaltCause::Endpoint);
                let until = status.filter(|_| probes).map(|status| status.probe_at);
                ("halt", format!("halted: {reason}"), until)
            }
            Obstacle::Paused => {
                let pause = status.and_then(|status| status.paused.as_ref());
                let reason = pause.map_or("", |pause| pause.reason.as_str());
                ("pause", format!("paused: {reason}"), None)
            }
            Obstacle::Overload { until } => {
                let reason = status.map_or("", |status| status.hold_reason.as_str());
                match status.is_some_and(|status| status.endpoint_faults > 0) {
                    true => (
                        "endpoint",
                        format!("the endpoint refuses: {reason}"),
                        Some(*until),
                    ),
                    false => (
                        "overload",
                        format!("the handler asked for time: {reason}"),
                        Some(*until),
                    ),
                }
            }
            Obstacle::Breaker(name) => {
                let (detail, until) = self.breaker_gate(name, now);
                ("breaker", detail, until)
            }
            Obstacle::Concurrency | Obstacle::Dependency(_) | Obstacle::Share => {
                let (what, detail) = self.full(consumer, obstacle, status);
                (what, detail, None)
            }
            Obstacle::Rate { until } => {
                let detail = "its rate is used up".to_owned();
                ("rate", detail, Some(*until))
            }
            Obstacle::NobodyPulls => ("pull", "nobody pulls".to_owned(), None),
            Obstacle::Suspect => {
                let detail = "a delivery that may have ended the process runs alone";
                ("suspect", detail.to_owned(), None)
            }
            Obstacle::Replay => {
                let detail = "a replay of earlier events goes first";
                ("replay", detail.to_owned(), None)
            }
            Obstacle::Inbox => {
                let detail = format!(
                    "{INBOX_IDENTITIES_MAX} finished events must be remembered until the oldest \
                     delivery is done"
                );
                ("inbox", detail, None)
            }
            Obstacle::Budget { until } => {
                let detail = "the retry budget is used up".to_owned();
                ("budget", detail, Some(*until))
            }
        };
        WhyGate {
            what,
            detail,
            until_ms: until.map(Timestamp::millis),
        }
    }

    /// Which places are all taken.
    fn full(
        &self,
        consumer: &ConsumerId,
        obstacle: &Obstacle,
        status: Option<&ConsumerStatus>,
    ) -> (&'static str, String) {
        match obstacle {
            Obstacle::Dependency(name) => {
                let most = self.parts.machine.places(name).map_or(0, |(_, most)| most);
                let what = "are taken, by it or by others that need it";
                (
                    "dependency",
                    format!("all {most} places of `{name}` {what}"),
                )
            }
            Obstacle::Share => {
                let most = self.parts.settings.in_flight_max;
                (
                    "share",
                    format!("all {most} places of the process are taken"),
                )
            }
            _ => {
                let running = status.map_or(0, |status| status.in_flight);
                let limit = status.map_or(running, |status| status.limit);
                let most = self.concurrency(consumer).filter(|most| limit < *most);
                let adapts = most.map_or_else(String::new, |most| {
                    format!("; measured times allow {limit} of {most}")
                });
                (
                    "concurrency",
                    format!("all {running} places are taken{adapts}"),
                )
            }
        }
    }

    /// The design's `concurrency` of a consumer.
    fn concurrency(&self, consumer: &ConsumerId) -> Option<u32> {
        let service = self.parts.design.services.get(&consumer.service)?;
        let consume = service.consumes.get(&consumer.event)?;
        Some(consume.deliver.concurrency.value)
    }

    fn breaker_gate(&self, name: &BreakerName, now: Timestamp) -> (String, Option<Timestamp>) {
        let breaker = self.parts.machine.breaker(name, now);
        let detail = match self.parts.machine.forced_open(name) {
            Some(reason) => format!("breaker `{name}` is held open: {reason}"),
            None => {
                let state = breaker.map_or("open", |breaker| breaker.state);
                format!("breaker `{name}` is {state}")
            }
        };
        (detail, breaker.and_then(|breaker| breaker.probes_at))
    }
}

fn order(order: &SeekOrder) -> WhyOrder {
    WhyOrder {
        reason: order.reason.clone(),
        at_ms: order.at.millis(),
    }
}

fn word(explanation: &Explanation<'_>) -> &'static str {
    match explanation.status {
        DeliveryStatus::InChannel => "pending",
        DeliveryStatus::Ready if explanation.suspect => "suspect",
        DeliveryStatus::Ready if explanation.obstacle.is_some() || explanation.behind.is_some() => {
            "held"
        }
        DeliveryStatus::Ready => "pending",
        DeliveryStatus::Waiting => "waiting",
        DeliveryStatus::Running => "running",
        DeliveryStatus::Settling => "settling",
        DeliveryStatus::Dead => "dead-letter",
        DeliveryStatus::Discarded => "discarded",
        DeliveryStatus::Finished => match explanation.end {
            Some(End::Skipped) => "skipped",
            Some(End::Discarded) => "discarded",
            _ => "done",
        },
    }
}

async fn at(broker: &dyn Broker, channel: Name, sequence: u64) -> Option<(Name, Record)> {
    let limit = ReadLimit {
        records: 1,
        bytes: PAYLOAD_BYTES_MAX,
    };
    let records = broker.read(&channel, sequence, limit).await.ok()?;
    let record = records.into_iter().find(|r| r.sequence == sequence)?;
    Some((channel, record))
}

/// Looks through the latest records of every channel, from the tail back.
async fn search(
    broker: &dyn Broker,
    channels: Vec<Name>,
    id: &str,
    source: Option<&str>,
) -> Option<(Name, Record)> {
    for channel in channels {
        let tail = *broker.tail(&channel).borrow();
        let last = tail.saturating_sub(SEARCH_RECORDS_MAX);
        let mut end = tail;
        while end > last {
            let start = end.saturating_sub(PAGE).max(last);
            if let Some(record) = search_page(broker, &channel, start..end, id, source).await {
                return Some((channel, record));
            }
            end = start;
        }
    }
    None
}

async fn search_page(
    broker: &dyn Broker,
    channel: &Name,
    page: std::ops::Range<u64>,
    id: &str,
    source: Option<&str>,
) -> Option<Record> {
    let mut from = page.start;
    let mut found = None;
    while from < page.end {
        let limit = ReadLimit {
            records: usize::try_from(page.end - from).unwrap_or(usize::MAX),
            bytes: 4 * PAYLOAD_BYTES_MAX,
        };
        // What cannot be read may hold it, but does not say so.
        let Ok(records) = broker.read(channel, from, limit).await else {
            from += 1;
            continue;
        };
        let Some(last) = records.last() else {
            return found;
        };
        from = last.sequence + 1;
        let of_event = |record: &Record| {
            let event = stored::arrival(record).event;
            event.id == id && source.is_none_or(|source| event.source == source)
        };
        found = records.into_iter().filter(of_event).last().or(found);
    }
    found
}
