//! What all channels and cursors are when a segment is started. With it a segment can be read without
//! those before it, so that they may go, and opening a log reads its last segment only.
//!
//! ```text
//! snapshot   checksum u32 | length u32 | channels u32 | channel … | cursors u32 | cursor … | floor u64
//!            checksum, length as in a record
//!            floor  the first sequence of a channel that is not listed; absent: 0
//! channel    name length u8 (0: the state) | name | next u64 | low u64
//!            next  the sequence that comes next
//!            low   the first sequence that retention has left
//! cursor     name length u8 | name | value u64
//! ```

use std::collections::BTreeMap;

use bytes::{Buf, BufMut};
use tidegate_base::Name;
use tidegate_base::limit::{CHANNELS_MAX, CURSORS_MAX};

use crate::record::{self, PREFIX_BYTES, Wrong, length_u32, prefix, seal, verify};

/// How far one channel, or the state, has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The sequence that comes next.
    pub(crate) next: u64,
    /// The first sequence that retention has left.
    pub(crate) low: u64,
}

/// All channels that have records, and all cursors. The state has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// In any order, each once.
    pub(crate) channels: Vec<(Option<Name>, Extent)>,
    pub(crate) cursors: BTreeMap<Name, u64>,
    /// The first sequence of a channel that is not listed. More than 0 once damage may have taken all
    /// that was known of a channel: no sequence is given twice.
    pub(crate) floor: u64,
}

impl Snapshot {
    /// Its bytes.
    pub(crate) fn encode(&self, salt: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 40 * (self.channels.len() + self.cursors.len()));
        out.put_bytes(0, PREFIX_BYTES);
        out.put_u32_le(length_u32(self.channels.len()));
        for (name, extent) in &self.channels {
            put_name(&mut out, name.as_ref().map_or("", Name::as_str));
            out.put_u64_le(extent.next);
            out.put_u64_le(extent.low);
        }
        out.put_u32_le(length_u32(self.cursors.len()));
        for (name, value) in &self.cursors {
            put_name(&mut out, name.as_str());
            out.put_u64_le(*value);
        }
        if self.floor > 0 {
            out.put_u64_le(self.floor);
        }
        seal(&mut out, 0, salt);
        out
    }

    /// The snapshot in `bytes`, all of them.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Result<Self, Wrong> {
        let (length, _) = prefix(bytes).ok_or(Wrong::Length(bytes.len() as u64))?;
        if Some(length) != bytes.len().checked_sub(PREFIX_BYTES) {
            return Err(Wrong::Length(length as u64));
        }
        verify(bytes, salt)?;
        Self::read(bytes.get(PREFIX_BYTES..).unwrap_or_default())
    }

    fn read(mut rest: &[u8]) -> Result<Self, Wrong> {
        let wrong = |_| Wrong::Content("snapshot");
        let mut snapshot = Self::default();
        let channels = rest.try_get_u32_le().map_err(wrong)?;
        if channels as usize > CHANNELS_MAX + 1 {
            return Err(Wrong::Content("number of channels"));
        }
        for _ in 0..channels {
            let (name, after) = record::name(rest)?;
            rest = after;
            let name = match name {
                "" => None,
                name => Some(Name::new(name).map_err(|_| Wrong::Content("channel name"))?),
            };
            let next = rest.try_get_u64_le().map_err(wrong)?;
            let low = rest.try_get_u64_le().map_err(wrong)?;
            snapshot.channels.push((name, Extent { next, low }));
        }
        let cursors = rest.try_get_u32_le().map_err(wrong)?;
        if cursors as usize > CURSORS_MAX {
            return Err(Wrong::Content("number of cursors"));
        }
        for _ in 0..cursors {
            let (name, after) = record::name(rest)?;
            rest = after;
            let name = Name::new(name).map_err(|_| Wrong::Content("cursor name"))?;
            let value = rest.try_get_u64_le().map_err(wrong)?;
            snapshot.cursors.insert(name, value);
        }
        if rest.has_remaining() {
            snapshot.floor = rest.try_get_u64_le().map_err(wrong)?;
        }
        match rest.has_remaining() {
            true => Err(Wrong::Content("snapshot")),
            false => Ok(snapshot),
        }
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.put_slice(name.as_bytes());
}
