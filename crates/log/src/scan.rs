//! The scan of one segment: frame after frame into the index, up to the first that is none.

use tidegate_base::Name;

use crate::OpenError;
use crate::frame::{
    Content, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameHead, PREFIX_BYTES, Wrong, decode_frame,
    frame_head, prefix,
};
use crate::index::{Entry, Index};
use crate::segment::{HEADER_BYTES, Segment};
use crate::window::Window;

/// Bytes that are read at once.
const AHEAD_BYTES: usize = 1 << 20;

/// The scan of one segment.
pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    length: u64,
    window: Window,
}

/// Where the frames of a segment end.
#[derive(Debug)]
pub(crate) struct ScanEnd {
    /// One past the last whole frame.
    pub(crate) byte: u64,
    /// Why what follows is no frame; `None` when nothing follows.
    pub(crate) torn: Option<Wrong>,
}

impl<'a> Scan<'a> {
    /// Before the first frame of `segment`.
    pub(crate) fn new(segment: &'a Segment) -> Result<Self, OpenError> {
        let length = segment
            .file
            .length()
            .map_err(OpenError::io("measure", &segment.name))?;
        Ok(Self {
            segment,
            length,
            window: Window::default(),
        })
    }

    /// Adds all frames to the index.
    ///
    /// # Errors
    ///
    /// When bytes are damaged that were whole on the disk once, or a whole frame is out of place.
    pub(crate) fn run(mut self, index: &mut Index) -> Result<ScanEnd, OpenError> {
        let segment = self.segment;
        let mut byte = HEADER_BYTES;
        let torn = loop {
            index.end = segment.base + byte;
            if byte == self.length {
                break None;
            }
            let bytes = self.frame_bytes(byte)?;
            match decode_frame(bytes, segment.salt) {
                Ok((head, records)) => {
                    let size = bytes.len() as u64;
                    add(index, segment, byte, head, &records)
                        .map_err(|wrong| OpenError::damaged(&segment.name, byte, &wrong))?;
                    byte += size;
                }
                Err(wrong) => break Some(wrong),
            }
        };
        if let Some(wrong) = &torn
            && let Some(later) = self.find_later(byte, index.position)?
        {
            let reason = format!(
                "{wrong}, and the whole frame at byte {later} says that it was on the disk"
            );
            return Err(OpenError::damaged(&self.segment.name, byte, reason));
        }
        Ok(ScanEnd { byte, torn })
    }

    /// The bytes of the frame at `byte`, as far as there are any; of the prefix alone when its length
    /// is not one that is written.
    fn frame_bytes(&mut self, byte: u64) -> Result<&[u8], OpenError> {
        let read = |error| OpenError::io("read", &self.segment.name)(error);
        let file = self.segment.file.as_ref();
        let head = self
            .window
            .bytes(file, byte, PREFIX_BYTES, AHEAD_BYTES)
            .map_err(read)?;
        let size = match prefix(head) {
            Some((length, _)) if is_written(length) => PREFIX_BYTES + length,
            _ => PREFIX_BYTES,
        };
        self.window
            .bytes(file, byte, size, AHEAD_BYTES)
            .map_err(read)
    }

    /// The next whole frame behind `damage` that was written once the damaged bytes were synced.
    fn find_later(&mut self, damage: u64, position: u64) -> Result<Option<u64>, OpenError> {
        let mut byte = damage + 1;
        loop {
            let read = OpenError::io("read", &self.segment.name);
            let file = self.segment.file.as_ref();
            let bytes = self
                .window
                .bytes(file, byte, AHEAD_BYTES, AHEAD_BYTES)
                .map_err(read)?;
            if bytes.len() < FRAME_HEAD_BYTES {
                return Ok(None);
            }
            let count = bytes.len() - FRAME_HEAD_BYTES + 1;
            let could_be = |(offset, head): (usize, &[u8])| {
                let at = byte + offset as u64;
                could_be_later(head, damage, at, position).then_some(at)
            };
            let heads = bytes.windows(FRAME_HEAD_BYTES).enumerate();
            let candidates: Vec<u64> = heads.filter_map(could_be).collect();
            for candidate in candidates {
                let salt = self.segment.salt;
                if decode_frame(self.frame_bytes(candidate)?, salt).is_ok() {
                    return Ok(Some(candidate));
                }
            }
            byte += count as u64;
        }
    }
}

/// Whether a frame of this length is ever written.
fn is_written(length: usize) -> bool {
    (FRAME_HEAD_BYTES - PREFIX_BYTES..=FRAME_BYTES_MAX).contains(&length)
}

/// Whether the bytes at `at` look like a frame that was written after `damage` was synced.
fn could_be_later(head: &[u8], damage: u64, at: u64, position: u64) -> bool {
    let length = prefix(head).is_some_and(|(length, _)| is_written(length));
    let head = frame_head(head).filter(|_| length);
    head.is_some_and(|head| head.position >= position && head.synced > damage && head.synced <= at)
}

/// Adds the records of a frame that starts at `byte` of its segment.
fn add(
    index: &mut Index,
    segment: &Segment,
    byte: u64,
    head: FrameHead,
    records: &[(usize, Content<'_>)],
) -> Result<(), Wrong> {
    expect("position", head.position, index.position)?;
    for (offset, content) in records {
        let address = segment.base + byte + *offset as u64;
        let entry = match content {
            Content::Channel { name, sequence, .. } => {
                expect("sequence", *sequence, index.tail(name))?;
                let known = index.name(name).cloned();
                let name = known.map_or_else(|| Name::new(name), Ok);
                Entry::Channel(name.map_err(|_| Wrong::Content("channel name"))?, address)
            }
            Content::StateAppend(_) => Entry::StateAppend(address),
            Content::StateReplace(_) => Entry::StateReplace(address),
        };
        index.add([entry]);
    }
    Ok(())
}

fn expect(what: &'static str, found: u64, expected: u64) -> Result<(), Wrong> {
    if found == expected {
        Ok(())
    } else {
        Err(Wrong::Place {
            what,
            found,
            expected,
        })
    }
}
