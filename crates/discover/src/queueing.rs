//! What callers gain besides when they wait less: requests queue less for their workers.
//!
//! Source: A. K. Erlang, 1917; the recursion as in R. B. Cooper, "Introduction to Queueing Theory",
//! 2nd edition, 1981.

/// The mean time that a request waits for one of `workers`, by M/M/c: requests each second, and the
/// seconds that each holds a worker. `None` when the workers cannot keep up.
#[must_use]
pub fn waiting(rate: f64, holding: f64, workers: u32) -> Option<f64> {
    let offered = rate * holding;
    let count = f64::from(workers);
    if workers == 0 || offered >= count || !offered.is_finite() || offered < 0.0 {
        return None;
    }
    let mut blocked = 1.0;
    for busy in 1..=workers {
        blocked = offered * blocked / (f64::from(busy) + offered * blocked);
    }
    let all_busy = blocked / (1.0 - offered / count * (1.0 - blocked));
    Some(all_busy * holding / (count - offered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_that_of_the_tables() {
        // M/M/1 at 50 %: as long as one service. M/M/2 at 50 %: a third of it.
        assert!((waiting(0.5, 1.0, 1).unwrap() - 1.0).abs() < 1e-12);
        assert!((waiting(1.0, 1.0, 2).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        // 450 requests a second that hold one of 50 workers for 100 ms wait 7.3 ms; for 61 ms, none.
        assert!((waiting(450.0, 0.1, 50).unwrap() - 0.0073).abs() < 1e-4);
        assert!(waiting(450.0, 0.061, 50).unwrap() < 1e-4);
        assert_eq!(waiting(10.0, 0.1, 1), None);
        assert_eq!(waiting(1.0, 1.0, 0), None);
    }
}
