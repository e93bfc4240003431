//! The identity of what a handler publishes: a function of the event that it handled.

use sha2::{Digest, Sha256};

use crate::ConsumerId;

/// The `id` of the output number `ordinal`, from 0, of `consumer` handling the event `id` of `source`.
///
/// However often the event is handled, its outputs have the same ids, so that whoever receives one twice
/// knows it. It is the first 128 bits, in hexadecimal digits, of the SHA-256 of `consumer`, `source`, `id`,
/// `generation` (of the replay that it belongs to; 0 for none) and `ordinal`, each as text, with a zero byte between two.
#[must_use]
pub fn output_id(
    consumer: &ConsumerId,
    source: &str,
    id: &str,
    generation: u64,
    ordinal: usize,
) -> String {
    let text = format!("{consumer}\0{source}\0{id}\0{generation}\0{ordinal}");
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(16)
        .fold(String::with_capacity(32), |mut hex, byte| {
            for half in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(half), 16));
            }
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_depends_on_every_part_and_on_nothing_else() {
        let consumer = "billing/OrderPlaced".parse().unwrap();
        let other = "email/OrderPlaced".parse().unwrap();
        let first = output_id(&consumer, "/shop", "1", 0, 0);
        // printf 'billing/OrderPlaced\0/shop\0%s\0%s\0%s' 1 0 0 | sha256sum
        assert_eq!(first, "ed568e02dd15bb5df74f89276d6a0986");
        let others = [
            output_id(&other, "/shop", "1", 0, 0),
            output_id(&consumer, "/sho", "p1", 0, 0),
            output_id(&consumer, "/shop", "2", 0, 0),
            output_id(&consumer, "/shop", "1", 1, 0),
            output_id(&consumer, "/shop", "1", 0, 1),
        ];
        assert!(others.iter().all(|id| *id != first && id.len() == 32));
    }
}
