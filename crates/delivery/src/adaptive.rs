//! How many attempts a handler can take at the same time, found out from how long they take.
//!
//! Every window of attempts moves the limit to where about `allowance` of them wait in a queue:
//!
//! ```text
//! limit ← (1 − γ)·limit + γ·(limit · no_load / latency + allowance)
//! ```
//!
//! where `latency` is the mean of the window, less its standard error so that chance alone does not shrink
//! the limit, and `no_load` the mean of an unloaded handler. Below the knee both are the same and the limit grows; beyond it the latency grows with the limit and the two cancel.
//!
//! Sources: D. Wei, C. Jin, S. Low, S. Hegde, "FAST TCP: Motivation, Architecture, Algorithms,
//! Performance", IEEE/ACM Transactions on Networking, 2006 (the formula; L. Brakmo, L. Peterson, "TCP
//! Vegas", 1995, is where it comes from); Netflix, `concurrency-limits` (the same for calls, and not
//! growing while the limit is not used); N. Cardwell et al., "BBR", ACM Queue, 2016 (measuring the
//! unloaded time anew by keeping little in flight for a moment); M. Alizadeh et al., "Data Center TCP",
//! SIGCOMM, 2010 (shrinking by half the share of what was refused).

use std::time::Duration;

use tidegate_base::Timestamp;

/// How far one window moves the limit to where it should be.
const GAIN: f64 = 0.5;
/// Attempts that may wait in the handler's queue, at the least and as a share of the limit.
const ALLOWANCE_MIN: f64 = 2.0;
const ALLOWANCE_SHARE: f64 = 0.25;
/// A single window shrinks the limit to no less than this share, whatever the latency.
const GRADIENT_MIN: f64 = 0.5;
/// The share of drops in a window from which on they, and not the latency, say what to do: a single event
/// that always times out must not shrink the limit for all.
const DROPS: f64 = 0.1;
/// Windows at the limit after which the unloaded time is measured anew: at first and after a change, and
/// at the most, as long as each measurement says the same as the one before.
const PROBE_FIRST: u32 = 8;
const PROBE_LAST: u32 = 128;
/// It is measured at once when the limit has fallen to this share of what it was: either the handler can
/// take less, or what is known of the unloaded time is wrong.
const PROBE_FALLEN: f64 = 0.5;
/// The share of the limit that runs meanwhile.
const PROBE_SHARE: f64 = 0.25;
/// Attempts that end before a probe counts any, as a share of the limit: those that ran before leave, and
/// the first of the others to end are the short ones, which are not like all.
const PROBE_SKIPS: f64 = 1.25;
/// The unloaded time and the mean of a probe that differ by more than so many standard errors are told
/// apart: something has changed.
const ERRORS: f64 = 3.0;
/// Without a probe the unloaded time becomes less only when it is this share of what was known: times
/// vary, and the smallest mean of many windows is not the unloaded one.
const FASTER: f64 = 0.5;
/// Drops alone do not shrink it below this while others are handled: a single event that always times
/// out would fill the one place that is left.
const DROPPED_MIN: f64 = 2.0;
/// Attempts of one window, at the least and at the most; between them two for each place.
const WINDOW_MIN: u32 = 32;
const WINDOW_MAX: u32 = 128;
/// Attempts of a window while the limit doubles.
const WINDOW_START: u32 = 8;
/// Shortest time that is told from another one, in seconds.
const SECONDS_MIN: f64 = 1e-6;

/// What the end of an attempt says about the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// It was handled, well or badly, in its time.
    Handled,
    /// There was too much to do: no answer in time, or a refusal for overload.
    Dropped,
    /// Nothing.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The limit doubles until a queue shows.
    Start,
    Steady,
    /// Little runs, so that the unloaded time shows.
    Probe,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    handled: u32,
    dropped: u32,
    seconds: f64,
    /// The sum of the squares.
    squares: f64,
    /// As much as allowed was in flight at some time.
    used: bool,
}

impl Window {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.handled += 1;
        self.seconds += seconds;
        self.squares += seconds * seconds;
    }

    /// The mean time of an attempt, and its standard error.
    fn latency(&self) -> (f64, f64) {
        let count = f64::from(self.handled);
        let mean = (self.seconds / count).max(SECONDS_MIN);
        let variance = (self.squares / count - mean * mean).max(0.0);
        (mean, (variance / count).sqrt())
    }
}

/// A limit between 1 and `most`.
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    most: f64,
    limit: f64,
    phase: Phase,
    /// The mean time of an unloaded handler, in seconds.
    no_load: Option<f64>,
    window: Window,
    /// The attempts of the start.
    unloaded: Window,
    /// Attempts that started before were under another load and say nothing.
    since: Timestamp,
    /// Attempts that end before the probe counts any.
    skips: u32,
    /// Windows since the unloaded time was measured, and after how many it is due.
    windows: u32,
    due: u32,
    /// The highest limit since then.
    highest: f64,
}

impl AdaptiveLimit {
    /// A limit of 1 that grows up to `most`, at least 1.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most: f64::from(most.max(1)),
            limit: 1.0,
            phase: Phase::Start,
            no_load: None,
            window: Window::default(),
            unloaded: Window::default(),
            since: Timestamp::EPOCH,
            skips: 0,
            windows: 0,
            due: PROBE_FIRST,
            highest: 1.0,
        }
    }

    /// Most attempts at the same time now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        match self.phase {
            Phase::Probe => whole(self.limit * PROBE_SHARE),
            Phase::Start | Phase::Steady => whole(self.limit),
        }
    }

    /// The mean time of an unloaded handler, once it is known.
    #[must_use]
    pub fn no_load(&self) -> Option<Duration> {
        self.no_load.map(Duration::from_secs_f64)
    }

    /// Notes how many are in flight after a start.
    pub fn started(&mut self, in_flight: u32) {
        self.window.used |= in_flight >= self.limit();
    }

    /// Notes how an attempt ended that was sent at `sent`.
    pub fn ended(&mut self, sent: Timestamp, now: Timestamp, load: Load) {
        if self.skips > 0 {
            self.skips -= 1;
            return;
        }
        if sent < self.since {
            return;
        }
        match load {
            Load::Handled => self.window.add(now.since(sent)),
            Load::Dropped => self.window.dropped += 1,
            Load::Unknown => return,
        }
        if self.window.handled + self.window.dropped >= self.window_size() {
            let window = std::mem::take(&mut self.window);
            self.close(now, window);
        }
    }

    fn window_size(&self) -> u32 {
        let limit = whole(self.limit);
        match self.phase {
            Phase::Start => limit.saturating_mul(2).clamp(WINDOW_START, WINDOW_MAX),
            Phase::Steady => limit.saturating_mul(2).clamp(WINDOW_MIN, WINDOW_MAX),
            Phase::Probe => limit.clamp(WINDOW_MIN, WINDOW_MAX),
        }
    }

    fn close(&mut self, now: Timestamp, window: Window) {
        let all = f64::from(window.handled + window.dropped);
        let dropped = f64::from(window.dropped) / all;
        if dropped >= DROPS {
            let least = if window.handled > 0 { DROPPED_MIN } else { 1.0 };
            self.set((self.limit * (1.0 - dropped / 2.0)).max(least));
            self.highest = self.limit;
            self.enter(Phase::Steady, now);
            return;
        }
        if self.phase == Phase::Probe {
            self.probed(&window);
            self.enter(Phase::Steady, now);
            return;
        }
        let (latency, error) = window.latency();
        let no_load = match self.no_load {
            Some(known) if latency > FASTER * known => known,
            _ => latency,
        };
        self.no_load = Some(no_load);
        // What was not asked for says nothing about what could be had.
        if !window.used {
            return;
        }
        let allowance = (self.limit * ALLOWANCE_SHARE).max(ALLOWANCE_MIN);
        let latency = (latency - error).max(SECONDS_MIN);
        let queue = self.limit * (1.0 - no_load / latency);
        if self.phase == Phase::Start && queue < allowance {
            self.started_with(&window);
            return;
        }
        let gradient = (no_load / latency).clamp(GRADIENT_MIN, 1.0);
        let goal = self.limit * gradient + allowance;
        self.set((1.0 - GAIN) * self.limit + GAIN * goal);
        self.phase = Phase::Steady;
        self.windows += 1;
        self.highest = self.highest.max(self.limit);
        if self.windows >= self.due || self.limit < PROBE_FALLEN * self.highest {
            self.enter(Phase::Probe, now);
        }
    }

    /// Takes in a window of the start without a queue: all of them together say what the unloaded time is.
    fn started_with(&mut self, window: &Window) {
        self.unloaded.handled += window.handled;
        self.unloaded.seconds += window.seconds;
        self.no_load = Some(self.unloaded.latency().0);
        self.set(self.limit * 2.0);
        if self.limit >= self.most {
            self.phase = Phase::Steady;
        }
    }

    /// Takes in the times of a probe, by half: few as they are, chance has its part in them. What differs
    /// from what was known is measured again soon.
    fn probed(&mut self, window: &Window) {
        let (latency, error) = window.latency();
        let known = self.no_load.unwrap_or(latency);
        let is_near = (latency - known).abs() <= ERRORS * error.max(0.05 * known);
        self.no_load = Some(f64::midpoint(known, latency));
        self.windows = 0;
        self.due = if is_near {
            (self.due * 2).min(PROBE_LAST)
        } else {
            PROBE_FIRST
        };
        self.highest = self.limit;
    }

    fn enter(&mut self, phase: Phase, now: Timestamp) {
        if self.phase == Phase::Probe || phase == Phase::Probe {
            self.since = now;
        }
        if phase == Phase::Probe {
            self.skips = whole(self.limit * PROBE_SKIPS);
        }
        self.phase = phase;
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(1.0, self.most);
    }
}

/// A limit as a whole number, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are from 1 to a u32"
)]
fn whole(limit: f64) -> u32 {
    (limit as u32).max(1)
}
