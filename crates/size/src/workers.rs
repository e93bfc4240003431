//! The workers of one consumer: how many, by load, by formula and by simulation.

use tidegate_model::design::{ConsumerRef, Order, RetryMode};

use crate::consumer::{CatchUp, P99, Workers};
use crate::figure::{Figure, Input, Need, Source, Unit, seconds};
use crate::formulas::{Queue, amplification, catch_up, enough, log_normal_p99, mean_delay};
use crate::measured::Times;
use crate::options::{Options, SCV};
use crate::proof::{Proof, Question, Simulate};
use crate::traffic::Traffic;

/// More workers are not looked for by formula.
const WORKERS_MAX: u32 = 1 << 24;
/// The share of deliveries that may take longer than the target.
const LATE: f64 = 0.01;

/// What decides the workers of a consumer, gathered.
struct Work<'a> {
    consumer: ConsumerRef<'a>,
    traffic: &'a Traffic<'a>,
    options: &'a Options,
    order: Order,
    rate: Input,
    peak: Input,
    handler_time: Input,
    handler_scv: Input,
    times: Option<Times>,
    failures: Input,
    attempts: Figure,
    /// How long a delivery keeps its key, in seconds.
    lane_seconds: f64,
}

/// The workers of `consumer`, or what is missing.
pub(crate) fn workers(
    consumer: ConsumerRef<'_>,
    traffic: &Traffic<'_>,
    options: &Options,
    recorded: Option<&tidegate_base::Name>,
    simulate: &Simulate<'_>,
) -> Result<Workers, String> {
    let work = Work::new(consumer, traffic, options, recorded)?;
    let declared = consumer.consume.deliver.concurrency.value.max(1);
    let (needed, proof, out_of_reach) = work.needed(declared, simulate);
    let count = u32::try_from(needed.count).unwrap_or(u32::MAX);
    let p99 = work.p99(count, declared, &proof);
    let mean = proof.mean_at_peak(count);
    Ok(Workers {
        order: match work.order {
            Order::None => "none",
            Order::Key => "key",
            Order::Total => "total",
        },
        attempts_if_all_fail: work.attempts_if_all_fail(),
        concurrency: Input::new(
            "concurrency",
            f64::from(declared),
            Unit::Count,
            Source::Design {
                path: format!("{}.deliver.concurrency", consumer.path()),
                place: consumer.consume.deliver.concurrency.place.clone(),
            },
        ),
        out_of_reach,
        p99,
        load_at_peak: work.load(&work.peak, count),
        declared_load_at_peak: work.load(&work.peak, declared).value,
        key_load: work.key_load(&work.peak),
        in_flight: work.in_flight(mean),
        catch_up: work.catch_up(count, declared),
        trials: proof.trials.into_values().flatten().collect(),
        needed,
        rate: work.rate,
        peak: work.peak,
        handler_time: work.handler_time,
        handler_scv: work.handler_scv,
        attempts: work.attempts,
    })
}

impl<'a> Work<'a> {
    fn new(
        consumer: ConsumerRef<'a>,
        traffic: &'a Traffic<'a>,
        options: &'a Options,
        recorded: Option<&tidegate_base::Name>,
    ) -> Result<Self, String> {
        let (Some(rate), Some(peak)) = (traffic.rate.clone(), traffic.peak.clone()) else {
            return Err(traffic.missing());
        };
        // A recording is of one consumer of an event; others handle it in their own time.
        let measured = traffic.measured.as_ref();
        let own = measured.filter(|_| recorded == Some(consumer.service_name));
        let times = own.and_then(|measured| measured.handler);
        let handler_time = handler_time(consumer, times.as_ref())?;
        let handler_scv = times.map_or_else(
            || {
                let why = "handler times were not measured: as without memory";
                Input::new("scv", SCV, Unit::Count, Source::Assumed { why })
            },
            |times| {
                let how = format!(
                    "variance over squared mean of {} handler times",
                    times.count
                );
                Input::new("scv", times.scv, Unit::Count, Source::Recording { how })
            },
        );
        let failures = failures(options, own.map(|m| (m.failures, m.arrivals)));
        let retry = &consumer.consume.retry.heaviest();
        let order = match (consumer.consume.order.value, &traffic.event.key) {
            // Without a key there is nothing to keep the order of.
            (Order::Key, None) => Order::None,
            (order, _) => order,
        };
        let attempts = attempts(consumer, &failures);
        let delays = match retry.mode.value {
            RetryMode::Blocking => mean_delay(retry, failures.value),
            RetryMode::NonBlocking => 0.0,
        };
        Ok(Self {
            lane_seconds: handler_time.value * attempts.value + delays,
            consumer,
            traffic,
            options,
            order,
            rate,
            peak,
            handler_time,
            handler_scv,
            times,
            failures,
            attempts,
        })
    }

    /// How long one delivery keeps a worker busy.
    fn service(&self) -> f64 {
        match self.order {
            Order::Total => self.lane_seconds,
            Order::None | Order::Key => self.handler_time.value * self.attempts.value,
        }
    }

    fn load(&self, rate: &Input, workers: u32) -> Figure {
        let value = rate.value * self.service() / f64::from(workers.max(1));
        Figure::new(
            "load",
            (value, Unit::Share),
            "peak × handler time × attempts / workers",
            vec![
                rate.clone(),
                self.handler_time.clone(),
                Input::computed("attempts", self.attempts.value, Unit::Count),
                Input::computed("workers", f64::from(workers), Unit::Count),
            ],
        )
    }

    /// The workers, how they were proved, and why none are enough.
    fn needed(&self, declared: u32, simulate: &Simulate<'_>) -> (Need, Proof, Option<String>) {
        let ask = |workers: u32| simulate(&self.question(workers));
        let target = self.traffic.event.targets.p99.map(|p99| p99.as_secs_f64());
        let (least, most, mut terms) = match self.order {
            Order::Total => {
                let reason = "one delivery at a time";
                let one = Figure::new("order", (1.0, Unit::Count), reason, Vec::new());
                (1, 1, vec![one])
            }
            Order::None | Order::Key => {
                let load = self.by_load();
                let least = whole(load.value);
                (
                    least,
                    least.saturating_mul(4).saturating_add(64),
                    vec![load],
                )
            }
        };
        let need = |count: u32, terms: Vec<Figure>, unknown| Need {
            count: u64::from(count),
            binds: match terms.first() {
                Some(first) if count <= least => first.name,
                _ => "p99",
            },
            terms,
            unknown,
        };
        let Some(target) = target else {
            let unknown = format!(
                "by waiting: `{}` declares no p99; give it `targets: {{p99: …}}`",
                self.traffic.name
            );
            return (need(least, terms, vec![unknown]), Proof::default(), None);
        };
        let mut unknown = Vec::new();
        let formula = self.by_formula(target, least);
        if formula.is_none() {
            unknown.push(format!(
                "by formula: handling alone takes {} of the {} that are wanted: the simulation decides",
                seconds(self.handling_p99()),
                seconds(target)
            ));
        }
        let by_formula = formula.as_ref().map_or(least, |figure| whole(figure.value));
        let by_formula = if self.order == Order::Total {
            1
        } else {
            by_formula
        };
        terms.extend(formula.filter(|_| self.order != Order::Total));
        let mut proof = Proof::search(least, most.max(by_formula), target, &ask);
        if proof.is_known() {
            proof.at(declared, &ask);
        }
        let count = match proof.fewest {
            Some(workers) => {
                terms.push(self.by_simulation(workers, target));
                workers
            }
            // More would not help.
            None if proof.is_known() => least,
            None => {
                unknown.push("by simulation: too few deliveries to tell a p99".to_owned());
                by_formula
            }
        };
        let is_missed = proof.fewest.is_none() && proof.is_known();
        let out = is_missed.then(|| self.out_of_reach(target, &proof));
        (need(count, terms, unknown), proof, out)
    }

    fn question(&self, workers: u32) -> Question {
        Question {
            consumer: self.consumer.id(),
            workers,
            rate: self.rate.value,
            peak: self.peak.value,
            handler_seconds: self.handler_time.value,
            failures: self.failures.value,
            recorded_keys: self.keys().is_some(),
            recorded_times: self.times.is_some(),
        }
    }

    fn keys(&self) -> Option<crate::measured::Keys> {
        self.traffic.measured.as_ref()?.keys
    }

    fn by_load(&self) -> Figure {
        let utilisation = self.options.utilisation_input();
        let value = self.peak.value * self.service() / utilisation.value;
        Figure::new(
            "load",
            (value, Unit::Count),
            "peak × handler time × attempts / utilisation",
            vec![
                self.peak.clone(),
                self.handler_time.clone(),
                Input::computed("attempts", self.attempts.value, Unit::Count),
                utilisation,
            ],
        )
    }

    /// The loads that the formula is held against: the peak with arrivals by chance, and the usual
    /// rate with the bursts that were recorded.
    fn queues(&self) -> Vec<(Queue, Input)> {
        let queue = |rate: f64, arrivals: f64| Queue {
            rate,
            service: self.service(),
            variability: f64::midpoint(arrivals, self.handler_scv.value).max(1e-6),
        };
        let why = "arrivals at the peak are independent";
        let chance = Input::new("dispersion", 1.0, Unit::Count, Source::Assumed { why });
        let mut queues = vec![(queue(self.peak.value, 1.0), chance)];
        let measured = self.traffic.measured.as_ref();
        if let Some(dispersion) = measured.and_then(|measured| measured.dispersion) {
            let how = "variance over mean of the counts of seconds".to_owned();
            let source = Source::Recording { how };
            let input = Input::new("dispersion", dispersion, Unit::Count, source);
            queues.push((queue(self.rate.value, dispersion), input));
        }
        queues
    }

    fn handling_p99(&self) -> f64 {
        let measured = self.times.and_then(|times| times.p99_over_mean);
        measured.map_or_else(
            || log_normal_p99(self.handler_time.value, self.handler_scv.value),
            |over| over * self.handler_time.value,
        )
    }

    /// The fewest workers from `least` on whose wait leaves time for handling.
    fn by_formula(&self, target: f64, least: u32) -> Option<Figure> {
        let handling = self.handling_p99();
        let wait = target - handling;
        if wait <= 0.0 {
            return None;
        }
        let fewest = |queue: Queue| {
            let (mut missed, mut met) = (least.max(1) - 1, whole(queue.offered()).max(least));
            while queue.wait_exceeded_by(LATE, met) > wait && met < WORKERS_MAX {
                (missed, met) = (met, met.saturating_mul(2));
            }
            while met - missed > 1 {
                let middle = missed + (met - missed) / 2;
                if queue.wait_exceeded_by(LATE, middle) <= wait {
                    met = middle;
                } else {
                    missed = middle;
                }
            }
            met
        };
        let queues = self.queues();
        // The first of equals: the peak.
        let (queue, dispersion) = queues.iter().reduce(|most, next| {
            if fewest(next.0) > fewest(most.0) {
                next
            } else {
                most
            }
        })?;
        Some(Figure::new(
            "formula",
            (f64::from(fewest(*queue)), Unit::Count),
            "the fewest whose wait, exceeded by 1% (Erlang C, Allen and Cunneen), leaves time for handling",
            vec![
                Input::new("p99", target, Unit::Seconds, self.traffic.field("p99")),
                Input::computed("p99 of handling", handling, Unit::Seconds),
                Input::computed("deliveries", queue.rate, Unit::PerSecond),
                dispersion.clone(),
                self.handler_scv.clone(),
            ],
        ))
    }

    fn by_simulation(&self, workers: u32, target: f64) -> Figure {
        Figure::new(
            "simulation",
            (f64::from(workers), Unit::Count),
            "the fewest, from the load on, whose simulated p99 is below the target, interval included",
            vec![Input::new(
                "p99",
                target,
                Unit::Seconds,
                self.traffic.field("p99"),
            )],
        )
    }

    /// What stands in the way when no number of workers reaches the target.
    fn out_of_reach(&self, target: f64, proof: &Proof) -> String {
        let most = proof.trials.keys().next_back().copied().unwrap_or(1);
        let simulated = proof.worst(most).and_then(|trial| trial.p99_seconds);
        let simulated = simulated.map_or("longer".to_owned(), seconds);
        let handling = self.handling_p99();
        let key = self.key_load(&self.peak).map_or(0.0, |figure| figure.value);
        let cause = if key >= 1.0 {
            "the most frequent key alone is more than one worker can do".to_owned()
        } else if handling > target {
            format!("handling alone takes {}", seconds(handling))
        } else if self.order == Order::Total {
            "one delivery at a time is too slow".to_owned()
        } else if self.failures.value >= LATE {
            "the delays of retries alone take longer".to_owned()
        } else {
            "deliveries with the same key wait for each other".to_owned()
        };
        format!(
            "p99 {} is out of reach, {simulated} simulated with {most}: {cause}",
            seconds(target)
        )
    }

    fn p99(&self, count: u32, declared: u32, proof: &Proof) -> Option<P99> {
        let wanted = self.traffic.event.targets.p99?;
        let source = self.traffic.field("p99");
        let waits = self.queues().into_iter();
        let wait = waits.map(|(queue, _)| queue.wait_exceeded_by(LATE, count));
        let wait = wait.fold(0.0_f64, f64::max);
        let trial = proof.worst(count);
        let of = |workers: u32| proof.worst(workers)?.p99_seconds;
        Some(P99 {
            wanted: Input::new("p99", wanted.as_secs_f64(), Unit::Seconds, source),
            handling_seconds: self.handling_p99(),
            formula_seconds: wait.is_finite().then(|| wait + self.handling_p99()),
            simulated_seconds: trial.and_then(|trial| trial.p99_seconds),
            plus_minus_seconds: trial.and_then(|trial| trial.plus_minus_seconds),
            simulated_under: trial.map(|trial| trial.load),
            one_fewer_seconds: count.checked_sub(1).and_then(of),
            declared_seconds: of(declared),
        })
    }

    /// How busy the most frequent key keeps its worker; in total order there is one lane for all.
    fn key_load(&self, rate: &Input) -> Option<Figure> {
        let share = match self.order {
            Order::None => return None,
            Order::Total => {
                let why = "total order";
                Input::new("share", 1.0, Unit::Share, Source::Assumed { why })
            }
            Order::Key => {
                let keys = self.keys()?;
                hottest(keys, self.traffic)
            }
        };
        Some(Figure::new(
            "key load",
            (share.value * rate.value * self.lane_seconds, Unit::Share),
            "share of the most frequent key × peak × time for which a delivery keeps its key",
            vec![
                share,
                rate.clone(),
                Input::computed("time", self.lane_seconds, Unit::Seconds),
            ],
        ))
    }

    fn in_flight(&self, mean: Option<f64>) -> Figure {
        let (time, name) = match mean {
            Some(mean) => (mean, "mean time, simulated"),
            None => (self.service(), "handler time × attempts"),
        };
        Figure::new(
            "in flight",
            (self.peak.value * time, Unit::Count),
            "peak × mean time to the end of handling (Little)",
            vec![
                self.peak.clone(),
                Input::computed(name, time, Unit::Seconds),
            ],
        )
    }

    fn attempts_if_all_fail(&self) -> f64 {
        let retry = self.consumer.consume.retry.heaviest();
        let most = f64::from(retry.attempts.value.max(1));
        let budget = retry.budget.as_ref();
        budget.map_or(most, |budget| most.min(1.0 + budget.value.value()))
    }

    fn catch_up(&self, count: u32, declared: u32) -> CatchUp {
        let outage = self.options.outage_input();
        let backlog = self.rate.value * outage.value;
        let inputs = vec![self.rate.clone(), outage.clone()];
        let backlog = Figure::new(
            "backlog",
            (backlog, Unit::Count),
            "rate × outage",
            inputs.clone(),
        );
        let bytes = self.traffic.size.as_ref().map(|size| {
            Figure::new(
                "backlog",
                (backlog.value * size.value, Unit::Bytes),
                "rate × outage × size",
                inputs.into_iter().chain([size.clone()]).collect(),
            )
        });
        // What drains slowest: the workers, or the lane of the most frequent key.
        let slowest = |rate: &Input, workers: u32| {
            let key = self.key_load(rate).map_or(0.0, |figure| figure.value);
            self.load(rate, workers).value.max(key)
        };
        let figure = |rate: &Input| {
            let load = slowest(rate, count);
            let value = catch_up(outage.value, load)?;
            let inputs = vec![outage.clone(), Input::computed("load", load, Unit::Share)];
            let formula = "outage × load / (1 − load)";
            Some(Figure::new(
                "catch-up",
                (value, Unit::Seconds),
                formula,
                inputs,
            ))
        };
        CatchUp {
            backlog,
            backlog_bytes: bytes,
            usual: figure(&self.rate),
            at_peak: figure(&self.peak),
            declared_seconds: catch_up(outage.value, slowest(&self.rate, declared)),
        }
    }
}

/// The most frequent key's share, with how it was counted.
pub(crate) fn hottest(keys: crate::measured::Keys, traffic: &Traffic<'_>) -> Input {
    let arrivals = traffic.measured.as_ref().map_or(0, |m| m.arrivals);
    let how = format!("{} of {arrivals} arrivals have it", keys.hottest_count);
    Input::new(
        "share",
        keys.hottest,
        Unit::Share,
        Source::Recording { how },
    )
}

fn handler_time(consumer: ConsumerRef<'_>, times: Option<&Times>) -> Result<Input, String> {
    let name = "handler time";
    if let Some(declared) = &consumer.consume.deliver.handler_time
        && !declared.value.is_zero()
    {
        let source = Source::Design {
            path: format!("{}.deliver.handler-time", consumer.path()),
            place: declared.place.clone(),
        };
        let value = declared.value.as_secs_f64();
        return Ok(Input::new(name, value, Unit::Seconds, source));
    }
    let Some(times) = times else {
        return Err(format!(
            "`{}` declares no `handler-time`; give it one under `deliver`, or a recording",
            consumer.id()
        ));
    };
    let how = format!("mean of {}", times.count);
    Ok(Input::new(
        name,
        times.mean,
        Unit::Seconds,
        Source::Recording { how },
    ))
}

fn failures(options: &Options, recorded: Option<(f64, u64)>) -> Input {
    let share = |value, source| Input::new("failures", value, Unit::Share, source);
    match (options.failures, recorded) {
        (Some(given), _) => share(given.value(), Source::Option { name: "--failures" }),
        (None, Some((measured, arrivals))) => {
            let how = format!("failed, of {arrivals}");
            share(measured, Source::Recording { how })
        }
        (None, None) => {
            let why = "nothing says that attempts fail";
            share(0.0, Source::Assumed { why })
        }
    }
}

fn attempts(consumer: ConsumerRef<'_>, failures: &Input) -> Figure {
    let retry = consumer.consume.retry.heaviest();
    let most = retry.attempts.value.max(1);
    let source = Source::Design {
        path: format!("{}.retry.attempts", consumer.path()),
        place: retry.attempts.place.clone(),
    };
    Figure::new(
        "attempts",
        (amplification(failures.value, most), Unit::Count),
        "1 + p + … + pⁿ⁻¹",
        vec![
            failures.named("p"),
            Input::new("n", f64::from(most), Unit::Count, source),
        ],
    )
}

fn whole(value: f64) -> u32 {
    u32::try_from(enough(value)).unwrap_or(u32::MAX)
}
