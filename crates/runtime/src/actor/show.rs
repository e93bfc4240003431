//! The view: drawn twice a second from the machine, the meters and the design.

use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};
use tidegate_base::{BreakerName, ConsumerId, Name, Ratio, Timestamp};
use tidegate_delivery::{BreakerStatus, ConsumerStatus, Mode as Delivery, Obstacle};
use tidegate_model::design::ConsumerRef;

use super::{Actor, Parts};
use crate::attention;
use crate::meter::{ConsumerMeter, RateMeter};
use crate::plan::{OWN_FAILURE_RATE, breakers_of};
use crate::registry::OtherRegistry;
use crate::situation::Situation;
use crate::view::{
    BacklogView, ConsumerState, ConsumerView, DependencyView, EventView, Mode, PauseView,
    RefusedView, ReplayingView, ServiceView, SystemView, TotalsView,
};

/// A word must hold for so long before it is shown, so that a consumer at its objective does not
/// flicker. Halts and holds are shown at once.
const STEADY: Duration = Duration::from_secs(2);

/// What the view needs to remember.
#[derive(Debug)]
pub(super) struct Portrait {
    started: Timestamp,
    tails: HashMap<Name, u64>,
    words: HashMap<ConsumerId, Word>,
}

/// The word shown for a consumer, and the one that may follow.
#[derive(Clone, Copy, Debug)]
struct Word {
    shown: ConsumerState,
    since: Timestamp,
    next: ConsumerState,
    next_since: Timestamp,
}

impl Portrait {
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            tails: HashMap::new(),
            words: HashMap::new(),
        }
    }

    /// Notes where a channel ends. Returns where it ended before; `None` at first.
    pub(super) fn note_tail(&mut self, channel: &Name, tail: u64) -> Option<u64> {
        self.tails.insert(channel.clone(), tail)
    }

    /// A view of nothing yet.
    pub(super) fn blank(&self, parts: &Parts) -> SystemView {
        SystemView {
            schema: "tidegate/state/v1",
            system: parts.design.system.value.clone(),
            time_ms: self.started.millis(),
            uptime_seconds: 0.0,
            broker: parts.broker.promises().name,
            mode: parts.publisher.mode(),
            totals: TotalsView::default(),
            attention: Vec::new(),
            services: Vec::new(),
            events: Vec::new(),
            consumers: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    fn word(&mut self, consumer: &ConsumerId, word: ConsumerState, now: Timestamp) -> Word {
        let fresh = Word {
            shown: word,
            since: now,
            next: word,
            next_since: now,
        };
        let entry = self.words.entry(consumer.clone()).or_insert(fresh);
        if entry.next != word {
            entry.next = word;
            entry.next_since = now;
        }
        let urgent = |word| matches!(word, ConsumerState::Halted | ConsumerState::Held);
        let steady = now.since(entry.next_since) >= STEADY;
        if entry.shown != word && (urgent(word) || urgent(entry.shown) || steady) {
            *entry = fresh;
        }
        *entry
    }
}

impl Actor {
    /// Draws the view anew.
    pub(super) fn show(&mut self) {
        let now = self.now();
        let mut view = self.portrait.blank(&self.parts);
        let idle = ConsumerMeter::default();
        view.time_ms = now.millis();
        view.uptime_seconds = now.since(self.portrait.started).as_secs_f64();
        view.services = self.services();
        view.dependencies = self.dependencies(now);
        for consumer in self.parts.design.consumers() {
            let id = consumer.id();
            let Some(status) = self.parts.machine.status(&id, now) else {
                continue;
            };
            let meter = self.meters.get(&id).unwrap_or(&idle);
            let finished = meter.finished.per_second(now);
            let (settled, oldest) = (status.settled, status.oldest);
            let publisher = &self.parts.publisher;
            publisher.note_progress(&id, settled, oldest, finished);
            let arrivals = self.arrivals.get(&id.event);
            let situation = Self::situation(&self.parts, arrivals, &consumer, &status, meter, now);
            let word = self.portrait.word(&id, situation.word(), now);
            view.attention.extend(attention::of_consumer(
                &id, &situation, word.shown, word.since,
            ));
            view.attention
                .extend(attention::of_dead_letters(&id, &status, now));
            view.consumers
                .push(consumer_view(&consumer, &situation, meter, word));
        }
        view.events = self.events(now);
        let refused = view.events.iter();
        view.attention
            .extend(refused.filter_map(attention::of_backlog));
        view.attention.extend(
            view.dependencies
                .iter()
                .filter_map(|d| attention::of_breaker(d, now)),
        );
        view.attention.extend(attention::of_mode(view.mode, now));
        let registry = self.parts.settings.other_registry.as_ref();
        let away = registry.and_then(OtherRegistry::away);
        view.attention
            .extend(away.map(|(since, reason)| attention::of_registry(since, &reason, now)));
        let full = self.commits.full();
        let full = full.filter(|_| view.mode != Mode::Stopped);
        view.attention
            .extend(full.map(|(since, limit)| attention::of_room(limit, since)));
        view.attention
            .sort_by_key(|attention| (attention.severity != "error", attention.since_ms));
        view.totals = totals(&view);
        self.views.send_replace(Arc::new(view));
    }

    fn situation<'a>(
        parts: &Parts,
        arrivals: Option<&RateMeter>,
        consumer: &ConsumerRef<'_>,
        status: &'a ConsumerStatus,
        meter: &ConsumerMeter,
        now: Timestamp,
    ) -> Situation<'a> {
        let [handler_p50_ms, _] = meter.handler.quantiles_ms(now, [0.5, 0.99]);
        Situation {
            now,
            status,
            mode: delivery_mode(consumer),
            concurrency: consumer.consume.deliver.concurrency.value,
            lag: status
                .oldest
                .map_or(Duration::ZERO, |oldest| now.since(oldest)),
            objective: consumer.consume.objective.value,
            in_per_second: arrivals.map_or(0.0, |arrivals| arrivals.per_second(now)),
            out_per_second: meter.finished.per_second(now),
            handler_p50_ms,
            breaker: held_by(status, |name| parts.machine.breaker(name, now)),
        }
    }

    fn services(&self) -> Vec<ServiceView> {
        let services = self
            .parts
            .design
            .services
            .iter()
            .map(|(name, service)| ServiceView {
                name: name.clone(),
                owner: service.owner.as_ref().map(|owner| owner.value.clone()),
                publishes: service
                    .publishes
                    .iter()
                    .map(|event| event.value.clone())
                    .collect(),
                consumes: service.consumes.keys().cloned().collect(),
            });
        services.collect()
    }

    fn events(&self, now: Timestamp) -> Vec<EventView> {
        let events = self
            .parts
            .design
            .events
            .iter()
            .map(|(name, event)| {
                let (refusal, refused) = self.parts.publisher.pressure(name, now);
                (name, event, refusal, refused)
            })
            .map(|(name, event, refusal, [events, bytes, age])| EventView {
                backlog_limit: refusal.map(|refusal| BacklogView {
                    consumer: refusal.behind.consumer.clone(),
                    limit: refusal.behind.measure.word(),
                    reason: refusal.behind.to_string(),
                    retry_after_seconds: refusal.retry_after.as_secs_f64(),
                    since_ms: refusal.since.millis(),
                }),
                refused_total: RefusedView { events, bytes, age },
                name: name.clone(),
                summary: event.summary.clone(),
                accepted_total: self.parts.publisher.accepted(name),
                invalid_total: self.parts.publisher.invalid(name),
                in_per_second: self
                    .arrivals
                    .get(name)
                    .map_or(0.0, |rate| rate.per_second(now)),
            });
        events.collect()
    }

    fn dependencies(&self, now: Timestamp) -> Vec<DependencyView> {
        let design = &self.parts.design;
        let mut needing: HashMap<BreakerName, Vec<ConsumerId>> = HashMap::new();
        for consumer in design.consumers() {
            for breaker in breakers_of(&consumer) {
                needing.entry(breaker).or_default().push(consumer.id());
            }
        }
        let named = design.dependencies.iter().filter_map(|(name, dependency)| {
            let name = BreakerName::from(name.clone());
            let consumers = needing.remove(&name).unwrap_or_default();
            let threshold = dependency.breaker.failure_rate.value;
            self.breaker(name, consumers, threshold, now)
        });
        let mut views: Vec<DependencyView> = named.collect();
        let own = design.consumers().filter_map(|consumer| {
            let name = BreakerName::from(consumer.id());
            let consumers = needing.remove(&name)?;
            self.breaker(name, consumers, OWN_FAILURE_RATE, now)
        });
        views.extend(own);
        views
    }

    fn breaker(
        &self,
        name: BreakerName,
        consumers: Vec<ConsumerId>,
        threshold: Ratio,
        now: Timestamp,
    ) -> Option<DependencyView> {
        let machine = &self.parts.machine;
        let status = machine.breaker(&name, now)?;
        let places = machine.places(&name);
        let forced = machine.forced_open(&name).map(|reason| PauseView {
            reason: reason.to_owned(),
            since_ms: status.since.millis(),
        });
        Some(DependencyView {
            own: name.dependency().is_none(),
            name,
            state: status.state,
            since_ms: status.since.max(self.portrait.started).millis(),
            probes_at_ms: status.probes_at.map(Timestamp::millis),
            calls: status.calls,
            failure_rate: status.failures as f64 / status.calls.max(1) as f64,
            threshold: threshold.value(),
            opened_total: status.opened_total,
            forced,
            in_flight: places.map_or(0, |(taken, _)| u64::from(taken)),
            concurrency: places.map(|(_, most)| u64::from(most)),
            consumers,
        })
    }
}

/// The breaker that holds a consumer, with its state.
fn held_by(
    status: &ConsumerStatus,
    breaker: impl Fn(&BreakerName) -> Option<BreakerStatus>,
) -> Option<(&BreakerName, BreakerStatus)> {
    match &status.obstacle {
        Some(Obstacle::Breaker(name)) => Some((name, breaker(name)?)),
        _ => None,
    }
}

fn delivery_mode(consumer: &ConsumerRef<'_>) -> Delivery {
    match consumer.consume.deliver.to {
        Some(_) => Delivery::Push,
        None => Delivery::Pull,
    }
}

fn consumer_view(
    consumer: &ConsumerRef<'_>,
    situation: &Situation<'_>,
    meter: &ConsumerMeter,
    word: Word,
) -> ConsumerView {
    let (now, status) = (situation.now, situation.status);
    let (held, held_by) = situation.held();
    let [handler_p50_ms, handler_p99_ms] = meter.handler.quantiles_ms(now, [0.5, 0.99]);
    let [_, transit_p99_ms] = meter.transit.quantiles_ms(now, [0.5, 0.99]);
    ConsumerView {
        id: consumer.id(),
        service: consumer.service_name.clone(),
        event: consumer.event_name.clone(),
        state: word.shown,
        state_since_ms: word.since.millis(),
        reason: situation.reason(),
        mode: if situation.mode == Delivery::Push {
            "push"
        } else {
            "pull"
        },
        lag_seconds: situation.lag.as_secs_f64(),
        objective_seconds: situation.objective.as_secs_f64(),
        backlog: status.backlog,
        drain_seconds: situation.drain_seconds(),
        in_flight: u64::from(status.in_flight),
        concurrency: u64::from(situation.concurrency),
        limit: u64::from(status.limit),
        no_load_ms: status.no_load.map(|time| time.as_secs_f64() * 1_000.0),
        waiting_retry: status.waiting_retry,
        scheduled: status.scheduled,
        held,
        held_by,
        in_per_second: situation.in_per_second,
        out_per_second: situation.out_per_second,
        retries_per_second: meter.retries.per_second(now),
        failures_per_second: meter.failures.per_second(now),
        handler_p50_ms,
        handler_p99_ms,
        transit_p99_ms,
        succeeded_total: meter.succeeded_total,
        failed_total: meter.failed_total,
        retries_total: meter.retries_total,
        dead_lettered_total: meter.dead_lettered_total,
        dead_letters: status.dead_letters,
        followers: status.followers,
        needs: consumer
            .consume
            .needs
            .iter()
            .map(|need| need.value.clone())
            .collect(),
        paused: status.paused.as_ref().map(|pause| PauseView {
            reason: pause.reason.clone(),
            since_ms: pause.since.millis(),
        }),
        replaying: status.replaying.as_ref().map(|replaying| ReplayingView {
            generation: replaying.generation,
            reason: replaying.order.reason.clone(),
            since_ms: replaying.order.at.millis(),
            deliveries: replaying.deliveries,
            ranges: u64::try_from(replaying.ranges).unwrap_or(u64::MAX),
        }),
    }
}

fn totals(view: &SystemView) -> TotalsView {
    let in_per_second = view.events.iter().map(|event| event.in_per_second).sum();
    let mut totals = TotalsView {
        in_per_second,
        ..TotalsView::default()
    };
    for consumer in &view.consumers {
        totals.out_per_second += consumer.out_per_second;
        totals.retries_per_second += consumer.retries_per_second;
        totals.backlog += consumer.backlog;
        totals.in_flight += consumer.in_flight;
        totals.dead_letters += consumer.dead_letters;
    }
    totals
}
