//! One consumer of the design, simulated.

use tidegate_base::{ConsumerId, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{ConsumerRef, Deliver, Event, Limit, Order};

use crate::arrivals::{Arrivals, Profile, Spacing};
use crate::backlog::Timeline;
use crate::keys::KeySampler;
use crate::nanos::{from_duration, seconds};
use crate::outcome::{Outcome, Recovery, Simulated, TargetCheck, Verdict};
use crate::scenario::{RecordedArrival, Scenario, WARM_UP_SHARE};
use crate::stability::{Demand, stability};
use crate::station::{Hold, Pace, Served, Station};
use crate::statistics::Recorder;
use crate::work::{Duty, RetryPlan, Worker};
use tidegate_base::Random;

/// Simulates `consumer`, or says what is missing.
pub(crate) fn simulate(design: &Design, consumer: ConsumerRef<'_>, scenario: &Scenario) -> Outcome {
    let Some(event) = design.events.get(consumer.event_name) else {
        return skipped(format!("event `{}` is not declared", consumer.event_name));
    };
    let input = match Input::new(consumer, event, scenario) {
        Ok(input) => input,
        Err(reason) => return skipped(reason),
    };
    let holds = Held::all(design, consumer, scenario);
    let Some(run) = Run::of(&input, &holds, scenario) else {
        return skipped("the latency histogram could not be made".to_owned());
    };
    Outcome::Simulated(Box::new(run.into_simulated(consumer, event, input, &holds)))
}

fn skipped(reason: String) -> Outcome {
    Outcome::Skipped { reason }
}

/// When messages arrive.
enum Source {
    Profile(Profile),
    Recorded(Vec<u64>),
}

impl Source {
    fn end_ns(&self, scenario: &Scenario) -> u64 {
        match self {
            Self::Profile(profile) => profile.end_ns(),
            Self::Recorded(times) => times.last().map_or_else(
                || from_duration(scenario.duration),
                |last| last.saturating_add(1),
            ),
        }
    }
}

/// Everything that the queue of a consumer needs.
struct Input {
    source: Source,
    station: Station,
    demand: Demand,
    stream: Random,
    notes: Vec<String>,
}

impl Input {
    fn new(consumer: ConsumerRef<'_>, event: &Event, scenario: &Scenario) -> Result<Self, String> {
        let mut notes = Vec::new();
        let Arriving {
            source,
            usual,
            peak,
            keys,
        } = arrivals(consumer, event, scenario, &mut notes)?;
        let duty = duty(&consumer.id(), consumer, scenario, &mut notes)?;
        let consume = consumer.consume;
        let name = consumer.id().to_string();
        let event_name = consumer.event_name.as_str();
        let station = Station {
            servers: match consume.order.value {
                Order::Total => 1,
                Order::None | Order::Key => consume.deliver.concurrency.value.max(1),
            },
            order: match (consume.order.value, &event.key) {
                // Without a key there is nothing to keep the order of.
                (Order::Key, None) => Order::None,
                (order, _) => order,
            },
            worker: Worker::new(
                duty,
                scenario.failures.value(),
                RetryPlan::new(&consume.retry),
                scenario.seed,
                &name,
            ),
            keys,
            holds: Vec::new(),
            pace: pace(&consume.deliver),
        };
        if consume.deliver.limit.value == Limit::Adaptive {
            notes.push(format!(
                "the adaptive limit counts as its `concurrency` of {}: a simulated handler takes no longer \
                 when more of them run",
                consume.deliver.concurrency.value
            ));
        }
        if !consume.retry.classes.is_empty() && scenario.failures.value() > 0.0 {
            notes.push(format!(
                "a failure counts as one of the class with the most attempts, {}: failures have no class here",
                consume.retry.most_attempts()
            ));
        }
        let demand = Demand::new(&station, usual, peak);
        let stream = Random::new(scenario.seed, "arrival", event_name);
        Ok(Self {
            source,
            station,
            demand,
            stream,
            notes,
        })
    }
}

/// How fast attempts may start. Without `burst` a tenth of a second's starts may go at once, as in the machine.
fn pace(deliver: &Deliver) -> Option<Pace> {
    let limit = deliver.rate.as_ref()?.value;
    let rate = limit.value();
    if rate <= 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is finite and positive; the casts saturate"
    )]
    let (natural, interval_ns) = ((rate / 10.0).ceil() as u32, (1e9 / rate) as u64);
    let burst = deliver.burst.as_ref().map_or(natural, |burst| burst.value);
    Some(Pace {
        rate: limit,
        interval_ns: interval_ns.max(1),
        burst: burst.max(1),
    })
}

/// The arrivals of an event.
struct Arriving {
    source: Source,
    /// Messages a second, usually.
    usual: f64,
    /// Messages a second at the peak.
    peak: f64,
    keys: KeySampler,
}

/// The arrivals of the consumer's event: recorded ones, or at the declared rate.
fn arrivals(
    consumer: ConsumerRef<'_>,
    event: &Event,
    scenario: &Scenario,
    notes: &mut Vec<String>,
) -> Result<Arriving, String> {
    let name = consumer.event_name;
    let messages_max = scenario.messages_max as f64;
    if let Some(offsets) = scenario.recorded_arrivals.get(name) {
        return recorded(offsets, scenario, notes)
            .ok_or_else(|| format!("the recording has no `{name}` within the simulated time"));
    }
    let rate = event.targets.rate.or(event.targets.peak).or(scenario.rate);
    let Some(rate) = rate.filter(|rate| rate.value() > 0.0) else {
        return Err(format!(
            "event `{name}` declares no rate; give it `targets: {{rate: …}}` or assume one"
        ));
    };
    let peak = event.targets.peak.unwrap_or(rate).value();
    let mut profile = Profile::new(rate.value(), peak, &scenario.peaks, scenario.duration);
    let expected = profile.expected();
    if expected > messages_max {
        profile = profile.cut(messages_max);
        notes.push(format!(
            "only the first {} of {} are simulated: {} deliveries are the most of one run",
            crate::statistics::readable(seconds(profile.end_ns())),
            crate::statistics::readable(scenario.duration.as_secs_f64()),
            scenario.messages_max,
        ));
    }
    let keys = KeySampler::new(scenario.keys, scenario.seed, name.as_str());
    Ok(Arriving {
        source: Source::Profile(profile),
        usual: rate.value(),
        peak,
        keys,
    })
}

/// Recorded arrivals within the run; the peak is the busiest ten seconds.
fn recorded(
    arrivals: &[RecordedArrival],
    scenario: &Scenario,
    notes: &mut Vec<String>,
) -> Option<Arriving> {
    const BUSY_SECONDS: u64 = 10;
    let mut within: Vec<(u64, &str)> = arrivals
        .iter()
        .filter(|arrival| arrival.offset <= scenario.duration)
        .map(|arrival| (from_duration(arrival.offset), arrival.key.as_str()))
        .collect();
    within.sort_by_key(|(time, _)| *time);
    let most = usize::try_from(scenario.messages_max).unwrap_or(usize::MAX);
    if within.len() > most {
        within.truncate(most);
        notes.push(format!(
            "only the first {most} recorded deliveries are simulated"
        ));
    }
    let keys = KeySampler::recorded(within.iter().map(|(_, key)| *key));
    let times: Vec<u64> = within.into_iter().map(|(time, _)| time).collect();
    let last_ns = *times.last()?;
    let length = seconds(last_ns).max(1e-9);
    let usual = times.len() as f64 / length;
    let mut busiest = 0;
    let mut first = 0;
    for (last, time) in times.iter().enumerate() {
        while times
            .get(first)
            .is_some_and(|t| time - t > BUSY_SECONDS * 1_000_000_000)
        {
            first += 1;
        }
        busiest = busiest.max(last + 1 - first);
    }
    let peak = (busiest as f64 / length.min(BUSY_SECONDS as f64)).max(usual);
    Some(Arriving {
        source: Source::Recorded(times),
        usual,
        peak,
        keys,
    })
}

fn duty(
    id: &ConsumerId,
    consumer: ConsumerRef<'_>,
    scenario: &Scenario,
    notes: &mut Vec<String>,
) -> Result<Duty, String> {
    if let Some(duty) = scenario
        .recorded_handler_times
        .get(id)
        .and_then(|times| Duty::recorded(times))
    {
        return Ok(duty);
    }
    let declared = consumer
        .consume
        .deliver
        .handler_time
        .as_ref()
        .map(|time| time.value);
    let mean = declared.or(scenario.handler_time).ok_or_else(|| {
        format!("`{id}` declares no `handler-time`; give it one under `deliver`, or assume one")
    })?;
    let spread = scenario.recorded_spread.get(id);
    let Some((duty, count)) =
        spread.and_then(|times| Some((Duty::spread(mean, times)?, times.len())))
    else {
        return Ok(Duty::drawn(mean, scenario.service));
    };
    notes.push(format!(
        "its handler takes {} on average, as the design says, and varies as the {count} recorded times do",
        format_duration(mean)
    ));
    Ok(duty)
}

/// A hold, and why.
struct Held<'a> {
    dependency: Option<&'a tidegate_base::Name>,
    hold: Hold,
}

impl<'a> Held<'a> {
    /// The holds of a consumer, in order of time.
    fn all(design: &Design, consumer: ConsumerRef<'_>, scenario: &'a Scenario) -> Vec<Self> {
        let mut holds: Vec<Self> = scenario
            .outages
            .iter()
            .filter(|outage| {
                outage.dependency.as_ref().is_none_or(|dependency| {
                    consumer
                        .consume
                        .needs
                        .iter()
                        .any(|need| need.value == *dependency)
                })
            })
            .map(|outage| {
                let from_ns = from_duration(outage.window.from);
                let breaker = outage
                    .dependency
                    .as_ref()
                    .and_then(|d| design.dependencies.get(d));
                let open = breaker.map_or(0, |d| from_duration(d.breaker.open.value));
                let down_ns = from_duration(outage.window.length);
                // The breaker probes at the end of each pause: the first probe after the outage closes it.
                let held_ns = if open == 0 {
                    down_ns
                } else {
                    down_ns.div_ceil(open).saturating_mul(open)
                };
                let to_ns = from_ns.saturating_add(held_ns);
                Self {
                    dependency: outage.dependency.as_ref(),
                    hold: Hold { from_ns, to_ns },
                }
            })
            .collect();
        holds.sort_by_key(|held| held.hold.from_ns);
        holds
    }

    /// The same stretches of time, without overlap.
    fn merged(holds: &[Self]) -> Vec<Hold> {
        let mut merged: Vec<Hold> = Vec::new();
        for held in holds {
            match merged.last_mut() {
                Some(last) if held.hold.from_ns <= last.to_ns => {
                    last.to_ns = last.to_ns.max(held.hold.to_ns);
                }
                _ => merged.push(held.hold),
            }
        }
        merged
    }
}

/// What one run counted.
struct Run {
    warm_up_ns: u64,
    end_ns: u64,
    timeline: Timeline,
    recorder: Recorder,
    deliveries: u64,
    attempts: u64,
    dead_letters: u64,
    busy_ns: u64,
    behind_max_ns: u64,
}

impl Run {
    fn of(input: &Input, holds: &[Held<'_>], scenario: &Scenario) -> Option<Self> {
        let end_ns = input.source.end_ns(scenario);
        let warm_up_ns = from_duration(scenario.warm_up).min(end_ns / u64::from(WARM_UP_SHARE));
        let mut run = Self {
            warm_up_ns,
            end_ns,
            timeline: Timeline::new(warm_up_ns, end_ns),
            recorder: Recorder::new(warm_up_ns, end_ns)?,
            deliveries: 0,
            attempts: 0,
            dead_letters: 0,
            busy_ns: 0,
            behind_max_ns: 0,
        };
        let mut station = input.station.clone();
        station.holds = Held::merged(holds);
        match &input.source {
            Source::Profile(profile) => {
                let arrivals = Arrivals::new(profile, Spacing::Poisson, input.stream);
                station.run(arrivals, |served| run.add(&served));
            }
            Source::Recorded(times) => station.run(times.iter().copied(), |s| run.add(&s)),
        }
        Some(run)
    }

    fn add(&mut self, served: &Served) {
        self.timeline.add(served);
        self.deliveries += 1;
        self.attempts += served.work.attempts;
        self.dead_letters += u64::from(served.work.dead);
        let latency_ns = served.finished_ns - served.arrived_ns;
        self.recorder.add(served.arrived_ns, latency_ns);
        self.behind_max_ns = self
            .behind_max_ns
            .max(served.started_ns - served.arrived_ns);
        let busy_until = served
            .started_ns
            .saturating_add(served.work.busy_ns)
            .min(self.end_ns);
        self.busy_ns = self
            .busy_ns
            .saturating_add(busy_until.saturating_sub(served.started_ns.max(self.warm_up_ns)));
    }

    fn into_simulated(
        self,
        consumer: ConsumerRef<'_>,
        event: &Event,
        input: Input,
        holds: &[Held<'_>],
    ) -> Simulated {
        let stability = stability(&input.station, &input.demand);
        let latency = self.recorder.latency();
        let behind_max_seconds = seconds(self.behind_max_ns);
        let recoveries = self.recoveries(holds, stability.load);
        let mut targets = Vec::new();
        if let Some(p99) = event.targets.p99 {
            targets.push(TargetCheck::p99(p99, latency.p99));
        }
        targets.push(TargetCheck::objective(
            consumer.consume.objective.value,
            behind_max_seconds,
        ));
        // Who handles nothing meets nothing, and what ends as a dead letter was not handled.
        let handled = match (self.deliveries, self.dead_letters) {
            (0, _) => Verdict::Unknown,
            (_, 0) => Verdict::Met,
            _ => Verdict::Missed,
        };
        let verdict = targets
            .iter()
            .map(|target| target.verdict)
            .chain(recoveries.iter().map(Recovery::verdict))
            .chain([stability.verdict(), handled])
            .max()
            .unwrap_or(Verdict::Unknown);
        let span_ns = self.end_ns.saturating_sub(self.warm_up_ns).max(1);
        Simulated {
            rate: input.demand.usual,
            peak: input.demand.peak,
            concurrency: input.station.servers,
            handler_seconds: input.station.worker.mean_attempt_ns() / 1e9,
            deliveries: self.deliveries,
            dead_letters: self.dead_letters,
            amplification: self.attempts as f64 / self.deliveries.max(1) as f64,
            utilisation: self.busy_ns as f64 / span_ns as f64 / f64::from(input.station.servers),
            stability,
            latency,
            behind_max_seconds,
            backlog: self.timeline.report(),
            recoveries,
            targets,
            verdict,
            notes: input.notes,
        }
    }

    fn recoveries(&self, holds: &[Held<'_>], load: f64) -> Vec<Recovery> {
        holds
            .iter()
            .filter(|held| held.hold.from_ns < self.end_ns)
            .map(|held| {
                let Hold { from_ns, to_ns } = held.hold;
                let held_seconds = seconds(to_ns - from_ns);
                let usual = self
                    .timeline
                    .mean(self.warm_up_ns.min(from_ns), from_ns)
                    .ceil();
                let back_ns = self.timeline.falls_to(usual, to_ns);
                Recovery {
                    dependency: held.dependency.cloned(),
                    held_from_seconds: seconds(from_ns),
                    held_seconds,
                    backlog_max: self.timeline.highest(from_ns),
                    recovered_after_seconds: back_ns.map(|at| seconds(at.saturating_sub(to_ns))),
                    predicted_seconds: (load < 1.0).then(|| held_seconds * load / (1.0 - load)),
                }
            })
            .collect()
    }
}
