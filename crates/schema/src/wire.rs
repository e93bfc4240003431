//! The wire format of schema registries: which schema a payload was written with, and the payload.
//!
//! A payload begins with the byte 0 and the schema's id in four bytes, the highest first. Of Protobuf
//! the place of the message in its file follows: how many indexes and then the indexes, as zigzag
//! variable-length numbers; a single byte 0 stands for the first message. The newer form keeps all of
//! this out of the payload, in a header that begins with the byte 0 and an id, or the byte 1 and a
//! GUID of 16 bytes. Source: Confluent Schema Registry, "Formats, Serializers, and Deserializers",
//! section "Wire format".

use std::fmt;

use thiserror::Error;

/// Deepest nesting of a message that an index path names.
const INDEXES_MAX: u64 = 64;
/// What a payload or a header with an id begins with.
const MAGIC_ID: u8 = 0;
/// What a header with a GUID begins with.
const MAGIC_GUID: u8 = 1;

/// How a payload names the schema that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaId {
    /// The number that the registry gave.
    Number(u32),
    /// The same for a schema in every registry.
    Guid(u128),
}

/// As registries write it: a number, or a GUID with its hyphens.
impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Guid(guid) => {
                let hex = format!("{guid:032x}");
                let part = |from, to| hex.get(from..to).unwrap_or_default();
                let [a, b, c] = [part(0, 8), part(8, 12), part(12, 16)];
                write!(f, "{a}-{b}-{c}-{}-{}", part(16, 20), part(20, 32))
            }
        }
    }
}

/// Why bytes are not in the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The first byte is another one.
    #[error("the first byte is {0}, and no byte of the wire format")]
    Magic(u8),
    /// They end too early.
    #[error("the bytes end inside of the {0}")]
    Short(&'static str),
    /// The place of the message in its file makes no sense.
    #[error("the indexes of the message are no path into a file")]
    Indexes,
    /// More follows where nothing should.
    #[error("{0} bytes follow the schema's id")]
    Trailing(usize),
}

/// Whether a payload may be in the wire format: no JSON text and no Protobuf message begins so.
#[must_use]
pub fn is_framed(payload: &[u8]) -> bool {
    payload.first() == Some(&MAGIC_ID)
}

/// The schema's id, and what follows it.
///
/// # Errors
///
/// [`WireError`] when the bytes do not begin with an id or a GUID.
pub fn read(bytes: &[u8]) -> Result<(SchemaId, &[u8]), WireError> {
    let (magic, rest) = bytes.split_first().ok_or(WireError::Short("id"))?;
    match *magic {
        MAGIC_ID => {
            let (id, rest) = rest.split_first_chunk().ok_or(WireError::Short("id"))?;
            Ok((SchemaId::Number(u32::from_be_bytes(*id)), rest))
        }
        MAGIC_GUID => {
            let (guid, rest) = rest.split_first_chunk().ok_or(WireError::Short("GUID"))?;
            Ok((SchemaId::Guid(u128::from_be_bytes(*guid)), rest))
        }
        other => Err(WireError::Magic(other)),
    }
}

/// The place of a Protobuf message in its file, and what follows it: the message itself.
///
/// # Errors
///
/// [`WireError`] when there is no such path.
pub fn read_indexes(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), WireError> {
    let (count, mut rest) = number(bytes)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    if count > INDEXES_MAX {
        return Err(WireError::Indexes);
    }
    let mut indexes = Vec::new();
    for _ in 0..count {
        let (index, after) = number(rest)?;
        indexes.push(usize::try_from(index).map_err(|_| WireError::Indexes)?);
        rest = after;
    }
    Ok((indexes, rest))
}

/// Bytes that begin with the schema's id, as [`read`] takes them.
#[must_use]
pub fn write(id: SchemaId) -> Vec<u8> {
    let mut out = Vec::new();
    match id {
        SchemaId::Number(id) => {
            out.push(MAGIC_ID);
            out.extend(id.to_be_bytes());
        }
        SchemaId::Guid(guid) => {
            out.push(MAGIC_GUID);
            out.extend(guid.to_be_bytes());
        }
    }
    out
}

/// Adds the place of a Protobuf message in its file, in its shortest form.
pub fn write_indexes(indexes: &[usize], out: &mut Vec<u8>) {
    if indexes == [0] {
        out.push(0);
        return;
    }
    put(indexes.len(), out);
    for index in indexes {
        put(*index, out);
    }
}

/// A zigzag number that is not negative.
fn number(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        let low = u64::from(byte & 0x7f);
        // Five bytes hold every number that an index can be.
        let shift = u32::try_from(at * 7).unwrap_or(u32::MAX);
        if shift > 28 {
            return Err(WireError::Indexes);
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            let is_negative = value & 1 == 1;
            if is_negative {
                return Err(WireError::Indexes);
            }
            return Ok((value >> 1, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(WireError::Short("indexes of the message"))
}

fn put(number: usize, out: &mut Vec<u8>) {
    let mut rest = number << 1;
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_shown_as_registries_write_it() {
        assert_eq!(SchemaId::Number(258).to_string(), "258");
        let guid = SchemaId::Guid(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(guid.to_string(), "01234567-89ab-cdef-0011-223344556677");
    }

    #[test]
    fn the_forms_of_the_documentation() {
        assert_eq!(
            read(&[0, 0, 0, 1, 2, 9]),
            Ok((SchemaId::Number(258), &[9][..]))
        );
        // The short form of the first message, and its long form.
        assert_eq!(read_indexes(&[0, 9]), Ok((vec![0], &[9][..])));
        assert_eq!(read_indexes(&[2, 0, 9]), Ok((vec![0], &[9][..])));
        // [1, 0]: the first message inside of the second one.
        assert_eq!(read_indexes(&[4, 2, 0]), Ok((vec![1, 0], &[][..])));
        assert_eq!(read(&[7]), Err(WireError::Magic(7)));
        assert_eq!(read(&[0, 0, 0, 1]), Err(WireError::Short("id")));
        assert_eq!(read(&[1, 0]), Err(WireError::Short("GUID")));
        assert_eq!(read_indexes(&[1]), Err(WireError::Indexes), "negative");
        assert_eq!(read_indexes(&[0xff; 9]), Err(WireError::Indexes), "endless");
        let many = [0xfe, 0x7f];
        assert_eq!(read_indexes(&many), Err(WireError::Indexes), "too deep");
        let short = WireError::Short("indexes of the message");
        assert_eq!(read_indexes(&[4, 2]), Err(short.clone()));
        assert_eq!(read_indexes(&[]), Err(short));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            id in any::<u32>(),
            guid in any::<u128>(),
            indexes in proptest::collection::vec(0_usize..100_000, 1..8),
            payload in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            for id in [SchemaId::Number(id), SchemaId::Guid(guid)] {
                let mut bytes = write(id);
                write_indexes(&indexes, &mut bytes);
                bytes.extend(&payload);
                let (found, rest) = read(&bytes).unwrap();
                prop_assert_eq!(found, id);
                prop_assert_eq!(read_indexes(rest), Ok((indexes.clone(), &payload[..])));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok((_, rest)) = read(&bytes) {
                prop_assert!(rest.len() < bytes.len());
            }
            if let Ok((indexes, rest)) = read_indexes(&bytes) {
                prop_assert!(!indexes.is_empty() && rest.len() < bytes.len());
            }
        }
    }
}
