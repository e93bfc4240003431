//! How much work a comparison may be.
//!
//! A step is one question of a proof, or one sample. What takes longer the larger it is - to judge a
//! value, to make an automaton - is counted in small work, of which many make a step.

use serde_json::Value;

/// Work that is left. Counted, since these floors read no clock; who calls may stop it by the clock.
pub(crate) struct Effort<'k> {
    steps_left: u64,
    keep_going: &'k dyn Fn() -> bool,
    until_asked: u64,
    /// Small work that makes no step yet.
    small: u64,
    is_spent: bool,
    /// The caller has said to stop: nothing is given any more.
    is_stopped: bool,
}

/// Steps between two questions to the caller.
const ASK_EVERY: u64 = 32;
/// Small work that makes a step.
const SMALL_PER_STEP: u64 = 64;

impl<'k> Effort<'k> {
    pub(crate) fn new(steps: u64, keep_going: &'k dyn Fn() -> bool) -> Self {
        Self {
            steps_left: steps,
            keep_going,
            until_asked: 0,
            small: 0,
            is_spent: false,
            is_stopped: false,
        }
    }

    /// Takes some work; false once there is none left.
    pub(crate) fn take(&mut self, steps: u64) -> bool {
        if self.is_spent {
            return false;
        }
        match self.until_asked.checked_sub(steps) {
            Some(left) => self.until_asked = left,
            None => {
                self.until_asked = ASK_EVERY;
                self.ask();
            }
        }
        self.steps_left = self.steps_left.saturating_sub(steps);
        self.is_spent |= self.steps_left == 0;
        !self.is_spent
    }

    /// Takes small work, such as that of so many values or states; false once there is none left.
    pub(crate) fn work(&mut self, amount: usize) -> bool {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.small = self.small.saturating_add(amount);
        let steps = self.small / SMALL_PER_STEP;
        self.small %= SMALL_PER_STEP;
        match steps {
            0 => !self.is_spent,
            steps => self.take(steps),
        }
    }

    /// Whether work was refused.
    pub(crate) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether the caller has said to stop.
    pub(crate) const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Gives more work for what comes next, unless the caller has said to stop.
    pub(crate) fn refill(&mut self, steps: u64) {
        self.steps_left = steps;
        self.ask();
        self.is_spent = self.is_stopped;
    }

    fn ask(&mut self) {
        self.is_stopped = self.is_stopped || !(self.keep_going)();
        self.is_spent |= self.is_stopped;
    }
}

/// How many values there are in a value, itself included: what it takes to look at all of it.
pub(crate) fn size(value: &Value) -> usize {
    let mut count = 0;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        count += 1;
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => waiting.extend(fields.values()),
            // A long text is looked at too.
            Value::String(text) => count += text.len() / 64,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    count
}
