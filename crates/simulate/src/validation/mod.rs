//! The queue against theory: systems whose answer is known.

mod laws;
mod theory;

use std::time::Duration;

use tidegate_model::design::Order;

use crate::arrivals::{Arrivals, Profile, Spacing};
use crate::keys::KeySampler;
use crate::scenario::{Keys, ServiceTime};
use crate::station::{Hold, Served, Station};
use crate::work::{Duty, RetryPlan, Worker};
use tidegate_base::Random;

/// A queue with one rate, told in seconds.
#[derive(Clone, Debug)]
struct Queue {
    rate: f64,
    spacing: Spacing,
    service: ServiceTime,
    service_seconds: f64,
    servers: u32,
    order: Order,
    keys: Keys,
    failure: f64,
    holds: Vec<Hold>,
    seconds: u64,
    seed: u64,
}

impl Queue {
    /// M/M/c with this load and a mean service time of 10 ms.
    fn m_m_c(servers: u32, load: f64) -> Self {
        Self {
            rate: load * f64::from(servers) / 0.01,
            spacing: Spacing::Poisson,
            service: ServiceTime::Exponential,
            service_seconds: 0.01,
            servers,
            order: Order::None,
            keys: Keys::Uniform { count: 1_000 },
            failure: 0.0,
            holds: Vec::new(),
            seconds: 4_000,
            seed: 11,
        }
    }

    fn station(&self) -> Station {
        let mean = Duration::from_secs_f64(self.service_seconds);
        let duty = Duty::drawn(mean, self.service);
        let worker = Worker::new(duty, self.failure, RetryPlan::none(), self.seed, "queue");
        Station {
            servers: self.servers,
            order: self.order,
            worker,
            keys: KeySampler::new(self.keys, self.seed, "queue"),
            holds: self.holds.clone(),
            pace: None,
        }
    }

    fn served(&self) -> Vec<Served> {
        let profile = Profile::new(self.rate, self.rate, &[], Duration::from_secs(self.seconds));
        let stream = Random::new(self.seed, "arrival", "queue");
        let mut served = Vec::new();
        self.station()
            .run(Arrivals::new(&profile, self.spacing, stream), |one| {
                served.push(one)
            });
        served
    }

    /// The mean wait before the start, in seconds, with the half-width of its 99.9 % interval by the
    /// means of 20 batches; the first tenth is left out.
    fn mean_wait(&self) -> (f64, f64) {
        const BATCHES: usize = 20;
        /// Student's t, 19 degrees of freedom, 99.9 %, two-sided.
        const STUDENT_T: f64 = 3.883;
        let served = self.served();
        let settled = &served[served.len() / 10..];
        let wait = |one: &Served| (one.started_ns - one.arrived_ns) as f64 / 1e9;
        let means: Vec<f64> = settled
            .chunks(settled.len().div_ceil(BATCHES))
            .map(|batch| batch.iter().map(wait).sum::<f64>() / batch.len() as f64)
            .collect();
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        let variance =
            means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
        (mean, STUDENT_T * (variance / means.len() as f64).sqrt())
    }
}

/// The mean wait of M/M/c: Erlang's C formula, by the recursion of his B formula.
///
/// Source: A. K. Erlang, 1917; recursion B(k) = aB(k−1) / (k + aB(k−1)).
fn erlang_c_wait(servers: u32, rate: f64, service_seconds: f64) -> f64 {
    let offered = rate * service_seconds;
    let blocked = (1..=servers).fold(1.0, |blocked, k| {
        offered * blocked / (f64::from(k) + offered * blocked)
    });
    let load = offered / f64::from(servers);
    let waits = blocked / (1.0 - load * (1.0 - blocked));
    waits / (f64::from(servers) / service_seconds - rate)
}
