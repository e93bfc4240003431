//! Which delivery has its effect.

use tidegate_base::ConsumerId;

/// One run of one delivery, as the daemon hands it out.
///
/// The effect is had once for each (`consumer`, `source`, `id`, `generation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The consumer: two of them in one database do not hide events from each other.
    pub consumer: ConsumerId,
    /// The event's `source`.
    pub source: String,
    /// The event's `id`.
    pub id: String,
    /// Which deliberate replay this is. Zero is the first handling and all repeats and redrives of it.
    pub generation: u64,
    /// The event's sequence in its channel. The same event may come under a later one.
    pub position: u64,
    /// The owner's epoch: only grows from process to process.
    pub epoch: u64,
}
