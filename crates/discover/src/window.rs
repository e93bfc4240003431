//! The time that captures cover: where they overlap it counts once, gaps between them not at all.

use std::time::Duration;

use tidegate_base::Timestamp;

/// Stretches of time, apart from each other, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window(Vec<(Timestamp, Timestamp)>);

impl Window {
    /// The union of stretches.
    pub(crate) fn new(mut stretches: Vec<(Timestamp, Timestamp)>) -> Self {
        stretches.sort();
        let mut union: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (start, end) in stretches {
            match union.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => union.push((start, end)),
            }
        }
        Self(union)
    }

    /// How long it is.
    pub(crate) fn duration(&self) -> Duration {
        self.0.iter().map(|(start, end)| end.since(*start)).sum()
    }

    /// How much of it lies before `time`.
    pub(crate) fn offset(&self, time: Timestamp) -> Duration {
        self.0
            .iter()
            .map(|(start, end)| time.min(*end).since(*start))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_do_not_count_and_overlaps_count_once() {
        let at = Timestamp::from_nanos;
        let window = Window::new(vec![(at(100), at(110)), (at(0), at(10)), (at(5), at(20))]);
        assert_eq!(window.duration(), Duration::from_nanos(30));
        assert_eq!(window.offset(at(7)), Duration::from_nanos(7));
        assert_eq!(window.offset(at(50)), Duration::from_nanos(20));
        assert_eq!(window.offset(at(105)), Duration::from_nanos(25));
        assert_eq!(window.offset(at(500)), Duration::from_nanos(30));
    }
}
