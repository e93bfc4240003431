//! Payloads of the broker's own messages.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};
use tidegate_base::Name;

use crate::reader::Standing;

/// Records of the state in payloads of at most so many bytes each, but for a record that is larger by itself.
pub(crate) fn pack(records: &[Bytes], most: usize) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    let mut payload = BytesMut::new();
    for record in records {
        if !payload.is_empty() && payload.len() + record.len() + LENGTH > most {
            payloads.push(payload.split().freeze());
        }
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        payload.put_u32_le(length);
        payload.put_slice(record);
    }
    payloads.push(payload.freeze());
    payloads
}

/// Bytes of a record's length.
pub(crate) const LENGTH: usize = 4;

/// The records of a payload; `None`: it is damaged.
pub(crate) fn unpack(payload: &Bytes) -> Option<Vec<Bytes>> {
    let mut records = Vec::new();
    let mut rest = payload.clone();
    while !rest.is_empty() {
        let length = rest.get(..LENGTH)?.try_into().ok()?;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let end = LENGTH.checked_add(length)?;
        if end > rest.len() {
            return None;
        }
        let record = rest.split_to(end);
        records.push(record.slice(LENGTH..));
    }
    Some(records)
}

/// What is to be known of what was removed: how to read on from `first`, and where channels begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    /// A position; what the messages before it have left behind is the standing. That is a fact, whoever says it.
    pub(crate) first: u64,
    pub(crate) standing: Standing,
    /// Of channels, their heads and tails: they count only if the message does.
    pub(crate) heads: Vec<(Name, u64, u64)>,
}

impl Base {
    /// As payloads of at most about so many bytes, each of which can be read alone.
    pub(crate) fn encode(&self, most: usize) -> Vec<Bytes> {
        let mut start = format!(
            "first {} {} {}\n",
            self.first, self.standing.epoch, self.standing.number
        );
        lines(&mut start, "passed", &self.standing.passed);
        lines(&mut start, "outgoing", &self.standing.outgoing);
        let mut payloads = Vec::new();
        let mut text = start.clone();
        for (name, head, tail) in &self.heads {
            let line = format!("head {name} {head} {tail}\n");
            if text.len() + line.len() > most && text.len() > start.len() {
                payloads.push(Bytes::from(std::mem::replace(&mut text, start.clone())));
            }
            text.push_str(&line);
        }
        payloads.push(Bytes::from(text));
        payloads
    }

    /// `None`: it is damaged.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut base = Self::default();
        let mut has_first = false;
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields.as_slice() {
                ["first", first, epoch, number] => {
                    base.first = first.parse().ok()?;
                    base.standing.epoch = epoch.parse().ok()?;
                    base.standing.number = number.parse().ok()?;
                    has_first = true;
                }
                ["passed", shard, position] => {
                    let passed = &mut base.standing.passed;
                    passed.insert(shard.parse().ok()?, position.parse().ok()?);
                }
                ["outgoing", shard, position] => {
                    let outgoing = &mut base.standing.outgoing;
                    outgoing.insert(shard.parse().ok()?, position.parse().ok()?);
                }
                ["head", name, head, tail] => {
                    let name = Name::new(name).ok()?;
                    base.heads
                        .push((name, head.parse().ok()?, tail.parse().ok()?));
                }
                // A later version may say more.
                _ => {}
            }
        }
        has_first.then_some(base)
    }
}

fn lines(text: &mut String, word: &str, places: &BTreeMap<u32, u64>) {
    for (shard, position) in places {
        // A text takes everything.
        let _written = writeln!(text, "{word} {shard} {position}");
    }
}

/// How far events were passed on to other shards.
pub(crate) fn encode_sent(sent: &BTreeMap<u32, u64>) -> Bytes {
    let mut text = String::new();
    lines(&mut text, "sent", sent);
    Bytes::from(text)
}

/// What [`encode_sent`] has written.
pub(crate) fn decode_sent(payload: &[u8]) -> BTreeMap<u32, u64> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let place = |line: &str| {
        let (shard, position) = line.strip_prefix("sent ")?.split_once(' ')?;
        Some((shard.parse().ok()?, position.parse().ok()?))
    };
    text.lines().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_whatever_they_are_packed_in() {
        let records: Vec<Bytes> = (0..20_usize).map(|at| vec![b'x'; at * 3].into()).collect();
        for most in [1, 10, 64, 10_000] {
            let payloads = pack(&records, most);
            let read: Vec<Bytes> = payloads.iter().flat_map(|p| unpack(p).unwrap()).collect();
            assert_eq!(read, records, "{most}");
        }
        assert_eq!(pack(&[], 10), [Bytes::new()]);
        assert_eq!(unpack(&Bytes::from_static(&[5, 0, 0, 0, 1])), None);
        assert_eq!(unpack(&Bytes::from_static(&[5, 0])), None);
    }

    #[test]
    fn a_base_comes_back_in_parts_that_stand_alone() {
        let name = |at: u64| Name::new(&format!("channel-{at}")).unwrap();
        let base = Base {
            first: 40,
            standing: Standing {
                epoch: 3,
                number: 77,
                passed: [(1, 5)].into(),
                outgoing: [(2, 9)].into(),
            },
            heads: (0..100).map(|at| (name(at), at, at + 1)).collect(),
        };
        let payloads = base.encode(200);
        assert!(payloads.len() > 5);
        let parts: Vec<Base> = payloads.iter().map(|p| Base::decode(p).unwrap()).collect();
        assert!(
            parts
                .iter()
                .all(|part| part.standing == base.standing && part.first == 40)
        );
        let heads: Vec<_> = parts.into_iter().flat_map(|part| part.heads).collect();
        assert_eq!(heads, base.heads);
        assert_eq!(Base::decode(b"head a 1 2"), None);
        assert_eq!(Base::decode(b"first 1 x 2"), None);
        let sent = BTreeMap::from([(1, 7), (4, 9)]);
        assert_eq!(decode_sent(&encode_sent(&sent)), sent);
    }
}
