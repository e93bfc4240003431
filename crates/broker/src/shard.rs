//! Which shard a record belongs to, where a system has several: the one that Kafka's own clients would choose for its key.

use crate::Append;

/// The shard of a record, of so many.
///
/// What has no key goes by its identity, so that what is published twice meets itself in one shard.
#[must_use]
pub fn shard_of(append: &Append, shards: u32) -> u32 {
    let hash = match &append.key {
        Some(key) => murmur2(key.as_bytes()),
        None => {
            let value = |name: &str| {
                let mut headers = append.headers.iter();
                let found = headers.find(|(header, _)| header == name);
                found.map_or("", |(_, value)| value.as_str())
            };
            murmur2(format!("{}\0{}", value("source"), value("id")).as_bytes())
        }
    };
    // Kafka's own "to positive": the sign bit is dropped.
    (hash & 0x7fff_ffff) % shards.max(1)
}

/// MurmurHash2 as Kafka's Java client has it.
///
/// Source: `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn it_hashes_as_the_java_client_does() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (text, expected) in cases {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }
}
