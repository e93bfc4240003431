//! What the machine is told about a system: plain values, nothing of the design file.

use std::time::Duration;

use tidegate_base::{BreakerName, ConsumerId, Rate, Ratio};

use crate::retry::RetryPolicy;

/// A system: who consumes, and what they depend on.
#[derive(Clone, Debug, Default)]
pub struct SystemConfig {
    /// Where the jitter starts from: the same seed and inputs give the same effects.
    pub seed: u64,
    /// The consumers.
    pub consumers: Vec<ConsumerConfig>,
    /// The dependencies; needs that are not among them hold nothing.
    pub dependencies: Vec<DependencyConfig>,
    /// Most attempts at the same time of all consumers, shared fairly; `None`: no limit.
    pub in_flight: Option<u32>,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Its identity; its event names the channel.
    pub id: ConsumerId,
    /// Who takes the first step.
    pub mode: Mode,
    /// The breakers that hold it.
    pub needs: Vec<BreakerName>,
    /// Most attempts at the same time.
    pub concurrency: u32,
    /// How long an attempt may take; for pull, how long a lease lasts.
    pub timeout: Duration,
    /// Which deliveries may not overtake each other.
    pub order: Order,
    /// What happens after a failure that may pass.
    pub retry: RetryPolicy,
    /// What becomes of later deliveries with the key of a dead letter.
    pub followers: Followers,
    /// Whether a finished event may run again.
    pub repetition: Repetition,
    /// Most deliveries held in memory; at most [`WINDOW_DELIVERIES_MAX`](tidegate_base::limit::WINDOW_DELIVERIES_MAX).
    pub window: usize,
    /// Most finished events of a deduplicated consumer that may not be forgotten: at the limit only its
    /// oldest delivery may start.
    pub inbox: usize,
    /// Most deliveries that the state keeps so that the window is free: what waits behind dead letters, and what is
    /// for much later. At the limit they stay in the window, which pushes back. What a dead letter has overtaken is kept
    /// beyond it.
    pub kept: usize,
    /// Most dead letters; at most [`DEAD_LETTERS_MAX`](tidegate_base::limit::DEAD_LETTERS_MAX).
    pub dead_letters: usize,
    /// Dead letters as a share of deliveries that succeed; beyond it the consumer halts. `None`: no budget.
    pub dead_letter_budget: Option<Ratio>,
    /// How fast attempts start, and whether their number adapts.
    pub flow: FlowConfig,
}

/// How fast attempts start, and whether their number adapts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlowConfig {
    /// Most starts in a time; `None`: no limit.
    pub rate: Option<RateConfig>,
    /// Whether measured times lower the concurrency; for push only.
    pub adaptive: bool,
}

/// Most starts in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateConfig {
    /// Starts a second in the long run.
    pub rate: Rate,
    /// Most starts at once.
    pub burst: u32,
}

/// Who takes the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The runtime calls the handler.
    Push,
    /// The handler asks for deliveries.
    Pull,
}

/// Which deliveries of a consumer may not overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// None keeps its order.
    None,
    /// Those with the same key; an event without a key is on its own.
    Key,
    /// All.
    Total,
}

/// What becomes of later deliveries with the key of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followers {
    /// They wait until it is redriven.
    Wait,
    /// They go on.
    Continue,
}

/// Whether an event that was finished may run again when it is in the channel twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It may.
    Allowed,
    /// A run recorded as done is never repeated, as far back as identities are remembered.
    Deduplicated,
}

/// A dependency and when to stop calling it.
#[derive(Clone, Debug)]
pub struct DependencyConfig {
    /// Its name; that of a consumer for what only this one needs.
    pub name: BreakerName,
    /// The share of counted failures that opens its breaker.
    pub failure_rate: Ratio,
    /// The fewest calls in the window before it may open.
    pub minimum: u32,
    /// How far back calls count.
    pub window: Duration,
    /// How long it stays open before it probes.
    pub open: Duration,
    /// Most probes at the same time while half open.
    pub probes: u32,
    /// Most attempts at the same time of all that need it, shared fairly; `None`: no limit.
    pub concurrency: Option<u32>,
}
