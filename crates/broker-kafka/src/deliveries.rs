//! What became of the records of the transaction under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;

use crate::channel::lock;
use crate::context::{log, note};

/// Places of a transaction's records: the rest of the number is which transaction.
pub(crate) const PLACE_BITS: u32 = 24;

/// What became of the records of the transaction under way.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    transaction: AtomicUsize,
    pub(crate) places: Mutex<Places>,
    /// The last of them is known, or the producer has ended.
    whole: Condvar,
    /// The producer can write no more: what it has not sent stays where it is until its time is over.
    has_ended: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) outcomes: Vec<Option<Result<u64, RDKafkaErrorCode>>>,
    missing: usize,
}

impl Deliveries {
    /// Another transaction with so many records begins.
    pub(crate) fn begin(&self, transaction: usize, records: usize) {
        *lock(&self.places) = Places {
            outcomes: vec![None; records],
            missing: records,
        };
        self.transaction.store(transaction, Ordering::Release);
    }

    /// Waits until it is known of every record what has become of it, or that nothing will be. Returns of how many
    /// it is not known.
    ///
    /// The library's own waiting sleeps on when the last word has come.
    pub(crate) fn wait(&self, patience: Duration) -> usize {
        let places = lock(&self.places);
        let waited = self.whole.wait_timeout_while(places, patience, |places| {
            places.missing > 0 && !self.has_ended()
        });
        let (places, _) = waited.unwrap_or_else(PoisonError::into_inner);
        places.missing
    }

    /// Whether the producer can write no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        // Whoever is about to wait sees it before, or hears of it.
        let _places = lock(&self.places);
        self.has_ended.store(true, Ordering::Release);
        self.whole.notify_all();
    }

    /// The first of the records that were not written; known once all are.
    pub(crate) fn refused(&self) -> Option<RDKafkaErrorCode> {
        let places = lock(&self.places);
        let mut refused = places.outcomes.iter().flatten();
        refused.find_map(|outcome| outcome.as_ref().err().copied())
    }

    fn note(&self, place: usize, outcome: Result<u64, RDKafkaErrorCode>) {
        let mut places = lock(&self.places);
        if let Some(found @ None) = places.outcomes.get_mut(place) {
            *found = Some(outcome);
            places.missing -= 1;
            if places.missing == 0 {
                self.whole.notify_all();
            }
        }
    }
}

impl ClientContext for Shared {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.0.end();
        }
    }
}

/// The context of the producer; shared with the thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(pub(crate) Arc<Deliveries>);

impl ProducerContext for Shared {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let of = &self.0;
        if place >> PLACE_BITS != of.transaction.load(Ordering::Acquire) {
            return;
        }
        let outcome = match result {
            // Kafka takes the first records that it sees of a producer for the first that there are. When those before them
            // come at last, as after a retry on a topic that is new, it takes them for known, and the library says that they
            // are written, but not where: they are not.
            Ok(message) => u64::try_from(message.offset())
                .map_err(|_negative| RDKafkaErrorCode::DuplicateSequenceNumber),
            Err((error, _)) => Err(error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        of.note(place & ((1 << PLACE_BITS) - 1), outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// How many are missing, as one hears who waits for an hour.
    fn heard(deliveries: &Arc<Deliveries>, meanwhile: impl FnOnce(&Deliveries)) -> usize {
        let (told, heard) = mpsc::sync_channel(1);
        let waits = Arc::clone(deliveries);
        thread::spawn(move || told.send(waits.wait(Duration::from_secs(3_600))));
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
        meanwhile(deliveries);
        heard.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    #[test]
    fn who_waits_hears_of_the_last_record_and_of_the_end_of_the_producer() {
        let deliveries = Arc::new(Deliveries::default());
        deliveries.begin(1, 2);
        deliveries.note(0, Ok(7));
        assert_eq!(deliveries.wait(Duration::ZERO), 1);
        let refused = RDKafkaErrorCode::MessageTimedOut;
        let missing = heard(&deliveries, |deliveries| deliveries.note(1, Err(refused)));
        assert_eq!((missing, deliveries.refused()), (0, Some(refused)));

        deliveries.begin(2, 3);
        deliveries.note(1, Ok(8));
        assert_eq!(heard(&deliveries, Deliveries::end), 2);
        assert!(deliveries.has_ended());
    }

    #[test]
    fn only_a_fatal_error_ends_the_producer() {
        let shared = Shared::default();
        shared.error(
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown),
            "all are down",
        );
        assert!(!shared.0.has_ended());
        shared.error(KafkaError::Global(RDKafkaErrorCode::Fatal), "fenced");
        assert!(shared.0.has_ended());
    }
}
