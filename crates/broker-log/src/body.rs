//! What a record is in the log: its key and headers before its payload.
//!
//! ```text
//! key length u16 | key | headers u16 | header … | payload
//! header   name length u16 | name | value length u32 | value
//! ```
//!
//! Little-endian. A key length of `0xFFFF` means that there is no key.

use bytes::{Buf, BufMut, Bytes};
use tidegate_broker::{Append, Record};

/// The length of a key that is not there.
const NO_KEY: u16 = u16::MAX;

/// A record's key, headers and payload in one. The batch is validated, so all lengths fit.
pub(crate) fn encode(append: &Append) -> Bytes {
    let mut body = Vec::with_capacity(4 + append.bytes() + 6 * append.headers.len());
    match &append.key {
        Some(key) => {
            body.put_u16_le(short(key.len()));
            body.put_slice(key.as_bytes());
        }
        None => body.put_u16_le(NO_KEY),
    }
    body.put_u16_le(short(append.headers.len()));
    for (name, value) in &append.headers {
        body.put_u16_le(short(name.len()));
        body.put_slice(name.as_bytes());
        body.put_u32_le(u32::try_from(value.len()).unwrap_or(u32::MAX));
        body.put_slice(value.as_bytes());
    }
    body.put_slice(&append.payload);
    Bytes::from(body)
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The record in the log; `None` when its body is not one that is written.
pub(crate) fn decode(record: tidegate_log::Record) -> Option<Record> {
    let mut body = record.body;
    let key = match body.try_get_u16_le().ok()? {
        NO_KEY => None,
        length => Some(text(&mut body, length.into())?),
    };
    let count = body.try_get_u16_le().ok()?;
    let mut headers = Vec::with_capacity(usize::from(count).min(body.len()));
    for _ in 0..count {
        let length = body.try_get_u16_le().ok()?;
        let name = text(&mut body, length.into())?;
        let length = body.try_get_u32_le().ok()?;
        headers.push((name, text(&mut body, usize::try_from(length).ok()?)?));
    }
    let (sequence, time, payload) = (record.sequence, record.time, body);
    Some(Record {
        sequence,
        key,
        time,
        headers,
        payload,
    })
}

fn text(body: &mut Bytes, length: usize) -> Option<String> {
    let bytes = (length <= body.len()).then(|| body.split_to(length))?;
    String::from_utf8(bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_base::{Name, Timestamp};

    proptest! {
        #[test]
        fn a_record_comes_back(
            key in proptest::option::of(".{0,40}"),
            headers in proptest::collection::vec((".{0,20}", ".{0,300}"), 0..9),
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let time = Timestamp::from_millis(1);
            let payload = Bytes::from(payload);
            let channel = Name::new("a").unwrap();
            let append = Append { channel, key, time, headers, payload };
            let stored = tidegate_log::Record { sequence: 5, time, body: encode(&append) };
            prop_assert_eq!(decode(stored), Some(append.into_record(5)));
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (sequence, time, body) = (0, Timestamp::EPOCH, Bytes::from(body));
            let _ = decode(tidegate_log::Record { sequence, time, body });
        }
    }
}
