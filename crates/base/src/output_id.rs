//! The identity of what a handler publishes: a function of the event that it handled.

use sha2::{Digest, Sha256};

use crate::ConsumerId;

/// The `id` of the event that a handler emits as its `ordinal`th, from zero: a function of the delivery, so that a
/// repeated run emits the same event and not another one.
///
/// It is the first 128 bits of SHA-256 in lower-case hexadecimal, over `consumer` (`service/event`), `source` and
/// `id`, each as UTF-8 behind its length in bytes (64 bits, big-endian), then `ordinal` (32 bits, big-endian). The
/// lengths keep two different deliveries from having one text.
#[must_use]
pub fn output_id(consumer: &ConsumerId, source: &str, id: &str, ordinal: u32) -> String {
    let mut hash = Sha256::new();
    for part in [consumer.to_string().as_str(), source, id] {
        let bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.update(bytes.to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(ordinal.to_be_bytes());
    let digest = hash.finalize();
    let half = digest.iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(consumer: &str, source: &str, id: &str, ordinal: u32) -> String {
        output_id(&consumer.parse().unwrap(), source, id, ordinal)
    }

    /// Fixed: other programs compute it too, and stored rows hold it.
    #[test]
    fn an_output_has_the_same_id_for_ever() {
        assert_eq!(
            id("billing/OrderPlaced", "/orders", "42", 0),
            "d2c51185ce9f7195476969437fe7a9d9"
        );
    }

    #[test]
    fn different_deliveries_never_share_an_output() {
        let first = id("a/b", "x", "yz", 0);
        for other in [
            id("a/b", "xy", "z", 0),
            id("a/b", "x", "yz", 1),
            id("a/c", "x", "yz", 0),
            id("a/b", "", "xyz", 0),
        ] {
            assert_ne!(first, other);
        }
    }
}
