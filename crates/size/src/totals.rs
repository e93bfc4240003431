//! What all events and consumers together ask of a broker.

use serde::Serialize;

use crate::channel::Channel;
use crate::consumer::{Consumer, Outcome};
use crate::figure::{Figure, Unit};

/// Sums over the events and consumers of a design, of what is known; absent when nothing is.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// Events.
    pub events: usize,
    /// Consumers.
    pub consumers: usize,
    /// Partitions of all events.
    pub partitions: u64,
    /// Events a second at the peaks.
    pub rate: Option<Figure>,
    /// Deliveries a second at the peaks: each event to each of its consumers.
    pub deliveries: Option<Figure>,
    /// Bytes a second that producers write at the peaks.
    pub ingest: Option<Figure>,
    /// Bytes a second that consumers read at the peaks.
    pub reading: Option<Figure>,
    /// Bytes that retention keeps, one copy.
    pub kept: Option<Figure>,
    /// Deliveries that wait after an outage of every consumer, at the usual rates.
    pub waiting: Option<Figure>,
    /// Their bytes, once for each consumer.
    pub waiting_bytes: Option<Figure>,
    /// Bytes that arrive in an outage, once for each event.
    pub missed_bytes: Option<Figure>,
    /// Events whose bytes are in these sums.
    pub events_with_bytes: usize,
    /// What is left out of these sums, each a sentence.
    pub left_out: Vec<String>,
}

impl Totals {
    pub(crate) fn of(channels: &[Channel], consumers: &[Consumer], outage: f64) -> Self {
        let sum = |value: &dyn Fn(&Channel) -> Option<f64>| -> f64 {
            channels.iter().filter_map(value).sum()
        };
        let figure = |name, value: f64, unit, formula| {
            // Nothing known is not nothing.
            (value > 0.0).then(|| Figure::new(name, (value, unit), formula, Vec::new()))
        };
        let peak = |channel: &Channel| Some(channel.peak.as_ref()?.value);
        let bytes = |channel: &Channel| Some(channel.ingest_at_peak.as_ref()?.value);
        let groups = |channel: &Channel| f64::from(channel.consumers);
        let missed = sum(&|channel| Some(channel.ingest.as_ref()?.value * outage));
        let waiting_bytes =
            sum(&|channel| Some(channel.ingest.as_ref()?.value * outage * groups(channel)));
        let waiting = sum(&|channel| Some(channel.rate.as_ref()?.value * outage * groups(channel)));
        let unsized_consumers = consumers
            .iter()
            .filter_map(|consumer| match &consumer.outcome {
                Outcome::Unknown { reason } => Some(format!("{}: {reason}", consumer.consumer)),
                Outcome::Sized(_) => None,
            });
        let unknown = channels.iter().flat_map(|channel| channel.unknown.clone());
        let mut left_out: Vec<String> = Vec::new();
        for sentence in unknown.chain(unsized_consumers) {
            if !left_out
                .iter()
                .any(|known| sentence.ends_with(known.as_str()))
            {
                left_out.push(sentence);
            }
        }
        let each = |channel: &Channel| Some(peak(channel)? * groups(channel));
        let read = |channel: &Channel| Some(bytes(channel)? * groups(channel));
        let kept = |channel: &Channel| Some(channel.kept.as_ref()?.value);
        Self {
            events: channels.len(),
            consumers: consumers.len(),
            partitions: channels
                .iter()
                .map(|channel| channel.partitions.count)
                .sum(),
            rate: figure("rate", sum(&peak), Unit::PerSecond, "Σ peak"),
            deliveries: figure(
                "deliveries",
                sum(&each),
                Unit::PerSecond,
                "Σ peak × consumers",
            ),
            ingest: figure("ingest", sum(&bytes), Unit::BytesPerSecond, "Σ peak × size"),
            reading: figure(
                "reading",
                sum(&read),
                Unit::BytesPerSecond,
                "Σ peak × size × consumers",
            ),
            kept: figure("kept", sum(&kept), Unit::Bytes, "Σ rate × size × retention"),
            waiting: figure(
                "waiting",
                waiting,
                Unit::Count,
                "Σ rate × outage × consumers",
            ),
            waiting_bytes: figure(
                "waiting",
                waiting_bytes,
                Unit::Bytes,
                "Σ rate × size × outage × consumers",
            ),
            missed_bytes: figure("missed", missed, Unit::Bytes, "Σ rate × size × outage"),
            events_with_bytes: channels.iter().filter(|c| c.ingest.is_some()).count(),
            left_out,
        }
    }
}

/// The value of a sum; nothing when nothing is known of it.
pub(crate) fn sum_of(figure: Option<&Figure>) -> f64 {
    figure.map_or(0.0, |figure| figure.value)
}
