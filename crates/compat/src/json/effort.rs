//! How much work a comparison may be.

/// Work that is left. Counted, since these floors read no clock; who calls may stop it by the clock.
pub(crate) struct Effort<'k> {
    steps_left: u64,
    keep_going: &'k dyn Fn() -> bool,
    until_asked: u32,
    is_spent: bool,
}

/// Steps between two questions to the caller.
const ASK_EVERY: u32 = 32;

impl<'k> Effort<'k> {
    pub(crate) fn new(steps: u64, keep_going: &'k dyn Fn() -> bool) -> Self {
        Self {
            steps_left: steps,
            keep_going,
            until_asked: 0,
            is_spent: false,
        }
    }

    /// Takes some work; false once there is none left.
    pub(crate) fn take(&mut self, steps: u64) -> bool {
        if self.is_spent {
            return false;
        }
        self.until_asked = match self.until_asked.checked_sub(1) {
            Some(left) => left,
            None => {
                self.is_spent = !(self.keep_going)();
                ASK_EVERY
            }
        };
        self.steps_left = self.steps_left.saturating_sub(steps);
        self.is_spent |= self.steps_left == 0;
        !self.is_spent
    }

    /// Whether work was refused.
    pub(crate) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Gives more work for what comes next, unless the caller has said to stop.
    pub(crate) fn refill(&mut self, steps: u64) {
        self.steps_left = steps;
        self.is_spent = !(self.keep_going)();
    }
}
