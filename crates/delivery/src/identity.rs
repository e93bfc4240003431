//! Stable hashes: the identity of an event, and the cause that dead letters share.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use tidegate_base::ConsumerId;

use crate::mutant::{self, Mutant};

/// What an event is recognised by: a 128-bit hash of its `source` and `id`.
///
/// FNV-1a, because it is the same on every machine and in every version. Two events of honest
/// producers do not meet in 128 bits; a producer that seeks a collision harms its own events only
/// when it may choose their `source` and `id` freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Identity(u128);

impl Identity {
    /// The identity of the event `id` of `source`.
    #[must_use]
    pub fn of(source: &str, id: &str) -> Self {
        // The separator is a control character, which attributes cannot have.
        let bytes = source.bytes().chain([0]).chain(id.bytes());
        Self(
            bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
                (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
            }),
        )
    }

    /// The identity of the same event in a replay: what another replay has finished is not finished.
    /// That of generation 0, which is no replay, is the event's own.
    #[must_use]
    pub fn in_generation(self, generation: u64) -> Self {
        if generation == 0 || mutant::is(Mutant::GenerationNotInKey) {
            return self;
        }
        // No UTF-8 text has this byte, so no event's own identity goes on like this.
        let bytes = [0xff].into_iter().chain(generation.to_be_bytes());
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        }))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Written for every event that a deduplicated consumer finishes: without a string of its own.
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// A hexadecimal digit.
const fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

impl TryFrom<String> for Identity {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// 64-bit FNV-1a.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What dead letters of `consumer` with the same cause share: 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(consumer: &ConsumerId, reason: &str, error: &str) -> String {
    let text = format!("{consumer}\0{reason}\0{}", normalise(error));
    format!("{:016x}", hash(text.bytes()))
}

/// An error text with the parts that vary taken out: UUIDs, hexadecimal words and digits become `#`. A status of
/// HTTP stays: it is a cause.
#[must_use]
pub fn normalise(error: &str) -> String {
    let mut text = String::with_capacity(error.len());
    let mut rest = error;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let taken = if uuid_length(rest).is_some() {
            text.push('#');
            36
        } else if let Some(status) = status(rest).filter(|_| !text.ends_with(char::is_alphanumeric))
        {
            text.push_str(status);
            status.len()
        } else if word == 0 {
            text.push(first);
            first.len_utf8()
        } else {
            push_word(&mut text, rest.get(..word).unwrap_or_default());
            word
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    text
}

/// `HTTP` and the three digits that `text` begins with.
fn status(text: &str) -> Option<&str> {
    let status = text.get(..8)?;
    let digits = status.strip_prefix("HTTP ")?;
    let ends = !text
        .get(8..)?
        .starts_with(|c: char| c.is_ascii_alphanumeric());
    (ends && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(status)
}

/// 36 when `text` begins with a UUID.
fn uuid_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..36)?;
    let fits = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.iter().enumerate().all(fits).then_some(36)
}

fn push_word(text: &mut String, word: &str) {
    let hexadecimal = word.chars().all(|c| c.is_ascii_hexdigit());
    let digits = word.chars().any(|c| c.is_ascii_digit());
    if hexadecimal && (word.len() >= 16 || (word.len() >= 6 && digits)) {
        text.push('#');
        return;
    }
    let mut in_digits = false;
    for character in word.chars() {
        let digit = character.is_ascii_digit();
        if !digit {
            text.push(character);
        } else if !in_digits {
            text.push('#');
        }
        in_digits = digit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_varies_is_taken_out() {
        let cases = [
            ("order 4711 not found", "order # not found"),
            (
                "card 550e8400-e29b-41d4-a716-446655440000 declined",
                "card # declined",
            ),
            (
                "card deadbeef-dead-beef-dead-deadbeefdead declined",
                "card # declined",
            ),
            ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace #"),
            ("HTTP 422: /total is -3.5", "HTTP 422: /total is -#.#"),
            ("xHTTP 422, HTTP 42, HTTP 4221", "xHTTP #, HTTP #, HTTP #"),
            ("table t1 of tenant42x", "table t# of tenant#x"),
            ("dead face café", "dead face café"),
        ];
        for (error, expected) in cases {
            assert_eq!(normalise(error), expected);
        }
    }

    #[test]
    fn a_cause_is_of_one_consumer_and_one_reason() {
        let billing: ConsumerId = "billing/OrderPlaced".parse().unwrap();
        let shipping: ConsumerId = "shipping/OrderPlaced".parse().unwrap();
        let one = fingerprint(&billing, "permanent", "order 1 has no total");
        assert_eq!(
            one,
            fingerprint(&billing, "permanent", "order 22 has no total")
        );
        assert_ne!(
            one,
            fingerprint(&billing, "exhausted", "order 1 has no total")
        );
        assert_ne!(
            one,
            fingerprint(&shipping, "permanent", "order 1 has no total")
        );
        // Stored in state and links: it must not change between versions.
        assert_eq!(one, "f1ad92dd88ae4a86");
    }

    #[test]
    fn an_identity_is_stable_and_separates_its_parts() {
        assert_ne!(Identity::of("a", "bc"), Identity::of("ab", "c"));
        assert_eq!(
            Identity::of("", "").to_string(),
            "d228cb69101a8caf78912b704e4a147f"
        );
        let text: String = Identity::of("/shop", "1").into();
        assert_eq!(Identity::try_from(text), Ok(Identity::of("/shop", "1")));
    }

    #[test]
    fn every_generation_of_an_event_has_its_own_identity() {
        let event = Identity::of("/shop", "1");
        assert_eq!(event.in_generation(0), event);
        let others = [1, 2, 256].map(|generation| event.in_generation(generation));
        assert!(others.iter().all(|other| *other != event));
        assert_ne!(others[0], others[1]);
        // Stored in state: it must not change between versions.
        assert_eq!(others[0].to_string(), "6900e62e49a3ad3c7a832184857abac9");
    }

    proptest! {
        #[test]
        fn any_text_is_normalised_once_for_all(text in ".{0,60}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
