//! The formulas of sizing, on plain numbers: seconds, events a second, shares.
//!
//! Sources: A. K. Erlang (1917) for the chance to wait; A. O. Allen and P. T. Cunneen for its
//! correction by how much arrivals and handler times vary; J. Little (1961); the rest is said at each.

use tidegate_model::design::{Backoff, Jitter, Retry};

/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874;

/// The chance that a delivery waits, of `servers` workers with `offered` of them busy on average.
pub(crate) fn erlang_c(servers: u32, offered: f64) -> f64 {
    if offered >= f64::from(servers) {
        return 1.0;
    }
    // Erlang's loss formula by recursion: the closed form overflows with many servers.
    let loss = (1..=servers).fold(1.0, |loss, server| {
        let blocked = offered * loss;
        blocked / (f64::from(server) + blocked)
    });
    let load = offered / f64::from(servers);
    loss / (1.0 - load * (1.0 - loss))
}

/// Deliveries in front of equal workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// How long each keeps a worker busy, in seconds.
    pub(crate) service: f64,
    /// Half the sum of the squared coefficients of variation of the time between arrivals and of
    /// `service`: 1 when both are without memory.
    pub(crate) variability: f64,
}

impl Queue {
    /// How many workers are busy on average.
    pub(crate) fn offered(self) -> f64 {
        self.rate * self.service
    }

    /// The wait that `share` of deliveries exceed with `servers`; infinite when they do not keep up.
    ///
    /// Exact for arrivals and times without memory; stretched by the variability otherwise.
    pub(crate) fn wait_exceeded_by(self, share: f64, servers: u32) -> f64 {
        let spare = f64::from(servers) / self.service - self.rate;
        if spare <= 0.0 {
            return f64::INFINITY;
        }
        let waits = erlang_c(servers, self.offered());
        if waits <= share {
            return 0.0;
        }
        self.variability * (waits / share).ln() / spare
    }
}

/// The 99th percentile of handler times of `mean` that vary by `scv`, where nobody measured more: of
/// the log-normal distribution.
pub(crate) fn log_normal_p99(mean: f64, scv: f64) -> f64 {
    let variance = scv.max(0.0).ln_1p();
    mean * (NORMAL_P99 * variance.sqrt() - variance / 2.0).exp()
}

/// How many times the mean the fullest of `partitions` gets.
///
/// `hottest` is the share of the most frequent key, `squares` the sum of the squared shares of all.
/// Many small keys fall together by chance; one large key does not divide.
pub(crate) fn fullest_partition(partitions: u64, hottest: f64, squares: f64) -> f64 {
    let count = partitions.max(1) as f64;
    let by_chance = 1.0 + (2.0 * count.ln() * (count - 1.0) * squares).sqrt();
    let by_one_key = count * hottest + (1.0 - hottest);
    by_chance.max(by_one_key).min(count)
}

/// Attempts of each delivery when each fails with `probability`: 1 + p + … + pⁿ⁻¹.
pub(crate) fn amplification(probability: f64, attempts: u32) -> f64 {
    if probability >= 1.0 {
        return f64::from(attempts);
    }
    (1.0 - probability.powf(f64::from(attempts))) / (1.0 - probability)
}

/// How long a consumer needs after an outage: T · ρ / (1 − ρ); `None` when it never catches up.
pub(crate) fn catch_up(outage: f64, load: f64) -> Option<f64> {
    (load < 1.0).then(|| outage * load / (1.0 - load))
}

/// Messages a second when one fsync covers `batch` of them: 1 / (t / batch + c).
pub(crate) fn synced_rate(sync_time: f64, batch: f64, message_time: f64) -> f64 {
    1.0 / (sync_time / batch + message_time)
}

/// The mean of all delays between the attempts of a delivery when each fails with `probability`.
pub(crate) fn mean_delay(retry: &Retry, probability: f64) -> f64 {
    let initial = retry.initial.value.as_secs_f64();
    let max = retry.max.value.as_secs_f64();
    let immediate = retry.immediate.value;
    let mut reached = 1.0;
    let mut previous = initial;
    let mut sum = 0.0;
    for failed in 1..retry.attempts.value {
        reached *= probability;
        if reached < 1e-9 {
            break;
        }
        let Some(delayed) = failed.checked_sub(immediate).filter(|delayed| *delayed > 0) else {
            continue;
        };
        let grown = match retry.backoff {
            Backoff::Constant => initial,
            Backoff::Linear => initial * f64::from(delayed),
            Backoff::Exponential => initial * 2_f64.powf(f64::from(delayed) - 1.0),
        };
        let grown = grown.min(max);
        let delay = match retry.jitter {
            Jitter::None => grown,
            Jitter::Full => grown / 2.0,
            Jitter::Equal => grown * 0.75,
            Jitter::Decorrelated => f64::midpoint(initial, previous * 3.0).min(max),
        };
        previous = delay.max(initial);
        sum += reached * delay;
    }
    sum
}

/// The whole number that is enough for `amount`; what only rounding lifts above one is not more.
pub(crate) fn enough(amount: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "amounts are not negative, and the cast saturates"
    )]
    let whole = (amount * (1.0 - 1e-9)).ceil() as u64;
    whole.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(value: f64, wanted: f64, share: f64) {
        assert!(
            (value / wanted - 1.0).abs() <= share,
            "{value} is not {wanted}"
        );
    }

    #[test]
    fn the_chance_to_wait_is_that_of_the_tables() {
        // One server: the load. Two at 1 erlang: 1/3. Ten at 8: 0.4092 (tables of Erlang C).
        close(erlang_c(1, 0.7), 0.7, 1e-12);
        close(erlang_c(2, 1.0), 1.0 / 3.0, 1e-12);
        close(erlang_c(10, 8.0), 0.4092, 1e-3);
        close(erlang_c(100, 90.0), 0.2169, 1e-2);
        assert_eq!(erlang_c(3, 3.0), 1.0);
    }

    #[test]
    fn waits_of_one_server_are_those_of_theory() {
        // M/M/1: P(W > t) = ρ exp(−(μ − λ) t).
        let queue = Queue {
            rate: 80.0,
            service: 0.01,
            variability: 1.0,
        };
        close(
            queue.wait_exceeded_by(0.01, 1),
            (0.8_f64 / 0.01).ln() / 20.0,
            1e-12,
        );
        assert_eq!(queue.wait_exceeded_by(0.01, 12), 0.0, "hardly any waits");
        let over = Queue {
            rate: 100.0,
            ..queue
        };
        assert_eq!(over.wait_exceeded_by(0.01, 1), f64::INFINITY);
    }

    /// Share of the hottest key, and sum of squared shares, of `count` keys by Zipf's law.
    fn zipf(count: u32, exponent: f64) -> (f64, f64) {
        let weights = || (1..=count).map(|rank| f64::from(rank).powf(-exponent));
        let sum: f64 = weights().sum();
        (1.0 / sum, weights().map(|w| (w / sum).powi(2)).sum())
    }

    #[test]
    fn the_fullest_partition_is_as_full_as_simulated() {
        // Simulated: 64 partitions with 1,000 and 100,000 keys that come equally often.
        close(fullest_partition(64, 1e-3, 1e-3), 1.66, 0.05);
        close(fullest_partition(64, 1e-5, 1e-5), 1.06, 0.05);
        // Simulated: 100,000 keys by Zipf's law.
        for (exponent, partitions, simulated) in [
            (0.8, 12, 1.26),
            (0.8, 64, 2.34),
            (1.0, 12, 1.94),
            (1.0, 64, 6.05),
            (1.0, 256, 21.9),
            (1.2, 64, 13.3),
        ] {
            let (hottest, squares) = zipf(100_000, exponent);
            close(
                fullest_partition(partitions, hottest, squares),
                simulated,
                0.03,
            );
        }
        close(zipf(100_000, 1.0).0, 0.083, 0.01);
        close(zipf(100_000, 1.2).0, 0.196, 0.01);
        assert_eq!(fullest_partition(1, 0.3, 0.1), 1.0);
    }

    #[test]
    fn a_catch_up_takes_what_was_simulated() {
        for (load, seconds) in [(0.5, 60.0), (0.8, 240.0), (0.9, 540.0)] {
            close(catch_up(60.0, load).unwrap(), seconds, 1e-9);
        }
        assert_eq!(catch_up(60.0, 1.0), None);
    }

    #[test]
    fn a_quorum_queue_is_as_fast_as_its_disk_lets_it() {
        close(synced_rate(0.0059, 62.0, 4.7e-6), 9_986.0, 0.01);
        assert!(synced_rate(0.0005, 62.0, 4.7e-6) > 70_000.0);
    }

    #[test]
    fn retries_multiply() {
        assert_eq!(amplification(0.0, 8), 1.0);
        close(amplification(0.5, 2), 1.5, 1e-12);
        close(amplification(0.1, 100), 1.0 / 0.9, 1e-9);
        assert_eq!(amplification(1.0, 3), 3.0);
    }

    #[test]
    fn the_99th_percentile_of_handler_times() {
        assert_eq!(log_normal_p99(0.02, 0.0), 0.02);
        close(log_normal_p99(0.02, 1.0), 0.0981, 0.001);
    }

    #[test]
    fn what_only_rounding_lifts_is_not_more() {
        assert_eq!(enough(3.000_000_000_1), 3);
        assert_eq!(enough(3.000_1), 4);
        assert_eq!(enough(0.0), 1);
    }

    proptest! {
        #[test]
        fn more_servers_wait_less_and_more_load_waits_more(
            servers in 1_u32..200, load in 0.05_f64..0.95, service in 1e-4_f64..1.0,
        ) {
            let queue = Queue { rate: load * f64::from(servers) / service, service, variability: 1.0 };
            let wait = queue.wait_exceeded_by(0.01, servers);
            prop_assert!(queue.wait_exceeded_by(0.01, servers + 1) <= wait);
            let busier = Queue { rate: queue.rate * 1.02, ..queue };
            prop_assert!(busier.wait_exceeded_by(0.01, servers) >= wait);
            let chance = erlang_c(servers, queue.offered());
            prop_assert!((0.0..=1.0).contains(&chance));
        }

        #[test]
        fn more_partitions_never_fill_one_more(partitions in 1_u64..2_000, hottest in 1e-6_f64..1.0) {
            let load = |count: u64| fullest_partition(count, hottest, hottest * hottest) / count as f64;
            // Equality but for rounding: one key that is everything stays everything.
            prop_assert!(load(partitions + 1) <= load(partitions) * (1.0 + 1e-9) || partitions < 8);
        }
    }
}
