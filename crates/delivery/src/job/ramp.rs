//! How many letters a job sends before it waits for what becomes of them, and when it gives up.

use serde::{Deserialize, Serialize};
use tidegate_base::Ratio;

/// Parts in a million.
const WHOLE: u64 = 1_000_000;

/// When a job stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRule {
    /// The share of failures at which it stops, in millionths: state has no fractions.
    share: u32,
    /// The fewest verdicts before the share counts.
    pub minimum: u32,
}

impl StopRule {
    /// Stops at this share of failures, once there are `minimum` verdicts.
    #[must_use]
    pub fn new(share: Ratio, minimum: u32) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio is from 0 to 1"
        )]
        let share = (share.value() * WHOLE as f64).round() as u32;
        Self { share, minimum }
    }

    /// The share of failures at which it stops.
    #[must_use]
    pub fn share(self) -> Ratio {
        Ratio::new(f64::from(self.share) / WHOLE as f64).unwrap_or_default()
    }

    fn is_met(self, verified: u64, failed: u64) -> bool {
        let verdicts = verified + failed;
        failed > 0
            && verdicts >= u64::from(self.minimum)
            && failed * WHOLE >= u64::from(self.share) * verdicts
    }
}

/// Where a job is in its steps of 1, 2, 5, 10, … letters, and what it has heard since it was last
/// begun or resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ramp {
    /// Which step: each that succeeds whole makes the next one larger.
    stage: u32,
    /// Letters sent in this step.
    sent: u32,
    /// Those of this step that failed again.
    failed_of_step: u32,
    /// Letters that succeeded, and that failed again, in all steps.
    verified: u64,
    failed: u64,
}

impl Ramp {
    /// How many letters the present step has.
    fn size(self) -> u32 {
        let first = [1, 2, 5].get(self.stage as usize % 3).copied().unwrap_or(1);
        10_u32.saturating_pow(self.stage / 3).saturating_mul(first)
    }

    /// Whether the present step has room for another letter.
    pub(crate) fn has_room(self) -> bool {
        self.sent < self.size()
    }

    pub(crate) fn sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }

    /// A letter that was said to be sent was not: it will be.
    pub(crate) fn unsent(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    pub(crate) fn heard(&mut self, succeeded: bool) {
        if succeeded {
            self.verified += 1;
        } else {
            self.failed += 1;
            self.failed_of_step = self.failed_of_step.saturating_add(1);
        }
    }

    /// Goes on to the next step when there are verdicts on all letters of this one.
    pub(crate) fn go_on(&mut self, outstanding: usize) {
        if outstanding > 0 || self.has_room() {
            return;
        }
        if self.failed_of_step == 0 {
            self.stage = self.stage.saturating_add(1);
        }
        self.sent = 0;
        self.failed_of_step = 0;
    }

    /// Why the job has to stop, if it has. With `canary` one step that fails whole is enough at the
    /// beginning: the cause has not been mended.
    pub(crate) fn stops(self, rule: StopRule, canary: bool) -> Option<String> {
        let Self {
            verified, failed, ..
        } = self;
        if canary && verified == 0 && failed >= u64::from(self.size()) {
            return Some("every letter of the first step failed again".to_owned());
        }
        rule.is_met(verified, failed).then(|| {
            let verdicts = verified + failed;
            format!("{failed} of {verdicts} letters failed again")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(share: f64, minimum: u32) -> StopRule {
        StopRule::new(Ratio::new(share).unwrap(), minimum)
    }

    #[test]
    fn steps_grow_with_success_only() {
        let mut ramp = Ramp::default();
        let mut sizes = Vec::new();
        for step in 0..7 {
            let size = ramp.size();
            sizes.push(size);
            for letter in 0..size {
                assert!(ramp.has_room());
                ramp.sent();
                ramp.heard(!(step == 3 && letter == 0));
                ramp.go_on(usize::from(letter + 1 < size));
            }
        }
        assert_eq!(sizes, [1, 2, 5, 10, 10, 20, 50]);
        ramp.stage = 200;
        assert_eq!(ramp.size(), u32::MAX, "it does not overflow");
    }

    #[test]
    fn a_step_without_all_verdicts_is_not_over() {
        let mut ramp = Ramp::default();
        ramp.sent();
        ramp.go_on(1);
        assert!(!ramp.has_room());
        ramp.heard(true);
        ramp.go_on(0);
        assert!(ramp.has_room());
    }

    #[test]
    fn it_stops_at_the_share_and_not_before_the_minimum() {
        let stops = |verified, failed, canary| {
            let ramp = Ramp {
                stage: 1,
                verified,
                failed,
                ..Ramp::default()
            };
            ramp.stops(rule(0.1, 10), canary).is_some()
        };
        assert!(!stops(8, 1, true), "too few to say");
        assert!(stops(9, 1, true));
        assert!(!stops(10, 1, true));
        assert!(!stops(100, 0, true));
        let first = Ramp {
            failed: 1,
            ..Ramp::default()
        };
        assert!(first.stops(rule(1.0, 100), true).is_some());
        assert!(first.stops(rule(1.0, 100), false).is_none());
        assert!(
            first.stops(rule(0.0, 1), false).is_some(),
            "any failure at all"
        );
        assert_eq!(rule(0.25, 1).share().value(), 0.25);
    }
}
