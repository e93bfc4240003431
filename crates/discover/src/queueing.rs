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

/// How busy the workers are taken to be where their number is not told.
const BUSY: f64 = 0.8;

/// What requests wait less for a worker when each of them holds one for less time; beside what is
/// saved, never in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Credit {
    /// How many workers there are.
    pub workers: u32,
    /// Whether that number was told; else it is the one with which they are busy four fifths of the
    /// time.
    pub is_told: bool,
    /// How busy they are, and would be.
    pub busy: (f64, f64),
    /// How long a request waits for one, and would, in nanoseconds; `None` when they cannot keep up.
    pub waiting: (Option<f64>, Option<f64>),
}

impl Credit {
    /// Of requests each second that hold a worker for so many nanoseconds, of which so many are saved.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is cut to the limits of its type before"
    )]
    pub(crate) fn of(rate: f64, before: f64, saved: f64, told: Option<u32>) -> Option<Self> {
        let holding = (before / 1e9, (before - saved).max(0.0) / 1e9);
        let offered = rate * holding.0;
        if !offered.is_finite() || offered <= 0.0 {
            return None;
        }
        // A worker that is hardly ever busy may be one of many: then nothing tells how many there are.
        if told.is_none() && offered < 1.0 {
            return None;
        }
        let guessed = (offered / BUSY).ceil().clamp(1.0, 1e6) as u32;
        let workers = told.unwrap_or(guessed);
        let wait = |holding: f64| Some(waiting(rate, holding, workers)? * 1e9);
        Some(Self {
            workers,
            is_told: told.is_some(),
            busy: (
                offered / f64::from(workers),
                rate * holding.1 / f64::from(workers),
            ),
            waiting: (wait(holding.0), wait(holding.1)),
        })
    }
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

    #[test]
    fn a_credit_is_what_the_workers_are_less_busy() {
        // 95 requests a second that hold one of ten workers for 100 ms; 39 ms are saved.
        let credit = Credit::of(95.0, 100e6, 39e6, Some(10)).unwrap();
        assert!(
            (credit.waiting.0.unwrap() / 1e6 - 165.0).abs() < 1.0,
            "{credit:?}"
        );
        assert!(
            (credit.waiting.1.unwrap() / 1e6 - 1.2).abs() < 0.1,
            "{credit:?}"
        );
        let guessed = Credit::of(95.0, 100e6, 39e6, None).unwrap();
        assert_eq!((guessed.workers, guessed.is_told), (12, false));
        // They cannot keep up before, and can after.
        let relieved = Credit::of(95.0, 100e6, 39e6, Some(9)).unwrap();
        assert!(relieved.waiting.0.is_none() && relieved.waiting.1.is_some());
        assert_eq!(Credit::of(0.0, 1.0, 0.0, None), None);
    }
}
