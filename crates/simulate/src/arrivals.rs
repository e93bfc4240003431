//! When messages arrive: a Poisson process whose rate changes in steps, an even beat, or a recording.

use std::time::Duration;

use crate::nanos::{from_duration, whole};
use crate::scenario::Window;
use tidegate_base::Random;

/// How messages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// Independently of each other.
    Poisson,
    /// Evenly: the D of D/D/1.
    #[cfg(test)]
    Even,
}

/// The rate over time: steps in order, each with its start.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// (start in nanoseconds, messages a nanosecond), the first one at 0.
    steps: Vec<(f64, f64)>,
    end_ns: f64,
}

impl Profile {
    /// `usual` messages a second, but `peak` within the windows, until `end`.
    pub(crate) fn new(usual: f64, peak: f64, peaks: &[Window], end: Duration) -> Self {
        let end_ns = from_duration(end) as f64;
        let mut windows: Vec<(f64, f64)> = peaks
            .iter()
            .map(|w| {
                (
                    from_duration(w.from) as f64,
                    from_duration(w.from.saturating_add(w.length)) as f64,
                )
            })
            .collect();
        windows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut steps = vec![(0.0, usual / 1e9)];
        let mut covered = 0.0_f64;
        for (from, to) in windows {
            let from = from.max(covered);
            if to > from {
                steps.push((from, peak / 1e9));
                steps.push((to, usual / 1e9));
                covered = to;
            }
        }
        Self { steps, end_ns }
    }

    /// How many messages are expected in all.
    pub(crate) fn expected(&self) -> f64 {
        self.lengths().map(|(rate, length)| rate * length).sum()
    }

    /// The same rates until an earlier end, such that at most `count` messages are expected.
    pub(crate) fn cut(mut self, count: f64) -> Self {
        let mut left = count;
        let mut end_ns = self.end_ns;
        for (&(from, rate), (_, length)) in self.steps.iter().zip(self.lengths()) {
            if rate * length > left {
                end_ns = from + left / rate;
                break;
            }
            left -= rate * length;
        }
        self.end_ns = end_ns;
        self
    }

    /// Where it ends, in nanoseconds.
    pub(crate) fn end_ns(&self) -> u64 {
        whole(self.end_ns)
    }

    /// The rate and length of each step, in nanoseconds, within the end.
    fn lengths(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let ends = self.steps.iter().skip(1).map(|s| s.0).chain([self.end_ns]);
        self.steps
            .iter()
            .zip(ends)
            .map(|(&(from, rate), to)| (rate, (to.min(self.end_ns) - from).max(0.0)))
    }
}

/// The arrival times of a profile in nanoseconds, in order.
///
/// A unit of the underlying process is stretched by the rate of the step that it falls into, so the
/// same random numbers give the same pattern at every rate.
#[derive(Debug)]
pub(crate) struct Arrivals<'a> {
    profile: &'a Profile,
    spacing: Spacing,
    stream: Random,
    index: u64,
    step: usize,
    now_ns: f64,
}

impl<'a> Arrivals<'a> {
    pub(crate) fn new(profile: &'a Profile, spacing: Spacing, stream: Random) -> Self {
        Self {
            profile,
            spacing,
            stream,
            index: 0,
            step: 0,
            now_ns: 0.0,
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut units = match self.spacing {
            Spacing::Poisson => self.stream.exponential(self.index),
            #[cfg(test)]
            Spacing::Even => 1.0,
        };
        self.index += 1;
        loop {
            let &(_, rate) = self.profile.steps.get(self.step)?;
            let end = self
                .profile
                .steps
                .get(self.step + 1)
                .map_or(f64::INFINITY, |s| s.0);
            let within = (end - self.now_ns) * rate;
            // A rate of zero to the end of time is 0 × ∞: nothing arrives any more.
            if units <= within && rate > 0.0 {
                self.now_ns += units / rate;
                return (self.now_ns < self.profile.end_ns).then(|| whole(self.now_ns));
            }
            if end > self.profile.end_ns {
                return None;
            }
            units -= within;
            self.now_ns = end;
            self.step += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: u64) -> Duration {
        Duration::from_secs(value)
    }

    #[test]
    fn a_peak_has_its_own_rate() {
        let peaks = [Window {
            from: seconds(100),
            length: seconds(50),
        }];
        let profile = Profile::new(10.0, 200.0, &peaks, seconds(300));
        assert_eq!(profile.expected().round(), 250.0 * 10.0 + 50.0 * 200.0);
        let stream = Random::new(1, "arrivals", "x");
        let times: Vec<u64> = Arrivals::new(&profile, Spacing::Poisson, stream).collect();
        assert!(times.is_sorted());
        let inside = times
            .iter()
            .filter(|t| (100..150).contains(&(*t / 1_000_000_000)))
            .count();
        // Ten thousand expected, standard deviation 100.
        assert!((9_600..10_400).contains(&inside), "{inside}");
        assert!((2_300..2_700).contains(&(times.len() - inside)));
    }

    #[test]
    fn overlapping_peaks_and_silence_are_fine() {
        let peaks = [
            Window {
                from: seconds(1),
                length: seconds(5),
            },
            Window {
                from: seconds(2),
                length: seconds(1),
            },
            Window {
                from: seconds(4),
                length: seconds(4),
            },
        ];
        let profile = Profile::new(0.0, 10.0, &peaks, seconds(20));
        assert_eq!(profile.expected().round(), 70.0);
        let stream = Random::new(1, "arrivals", "x");
        let times: Vec<u64> = Arrivals::new(&profile, Spacing::Even, stream).collect();
        assert_eq!(times.len(), 70);
        let silent = Profile::new(0.0, 0.0, &[], seconds(20));
        assert_eq!(Arrivals::new(&silent, Spacing::Poisson, stream).count(), 0);
    }

    #[test]
    fn a_cut_profile_expects_what_it_was_cut_to() {
        let peaks = [Window {
            from: seconds(100),
            length: seconds(50),
        }];
        let profile = Profile::new(10.0, 200.0, &peaks, seconds(300)).cut(2_000.0);
        assert!((profile.expected() - 2_000.0).abs() < 1e-6);
        assert_eq!(profile.end_ns(), 105_000_000_000);
    }
}
