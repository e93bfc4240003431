//! Frame after frame through one segment, as its bytes are, whatever they are.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::frame::{self, FRAME_HEAD_BYTES, FrameHead};
use crate::record::Wrong;
use crate::window::Window;

/// Bytes that are read at once.
const AHEAD_BYTES: usize = 1 << 20;

/// A way through the frames of a segment.
#[derive(Debug)]
pub(crate) struct Walk {
    file: Arc<dyn DiskFile>,
    salt: u32,
    length: u64,
    window: Window,
}

impl Walk {
    /// Through the frames of `file`, whose checksums start from `salt`.
    pub(crate) fn new(file: Arc<dyn DiskFile>, salt: u32) -> io::Result<Self> {
        let length = file.length()?;
        Ok(Self {
            file,
            salt,
            length,
            window: Window::default(),
        })
    }

    /// Bytes of the segment.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of the frame at `byte`: its head is whole, its records are not yet verified.
    pub(crate) fn frame(&mut self, byte: u64) -> io::Result<Result<(FrameHead, Bytes), Wrong>> {
        let bytes = self.bytes(byte, FRAME_HEAD_BYTES)?;
        let head = match frame::decode_head(&bytes, self.salt) {
            Ok(head) => head,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let bytes = self.bytes(byte, head.size)?;
        match bytes.len() < head.size {
            true => Ok(Err(Wrong::Length(head.size as u64))),
            false => Ok(Ok((head, bytes))),
        }
    }

    /// Where the next whole frame starts behind `byte`; `None` when there is none.
    pub(crate) fn next_whole(&mut self, byte: u64) -> io::Result<Option<u64>> {
        let mut at = byte + 1;
        loop {
            let bytes = self.bytes(at, AHEAD_BYTES)?;
            if bytes.len() < FRAME_HEAD_BYTES {
                return Ok(None);
            }
            let heads = bytes.windows(FRAME_HEAD_BYTES).enumerate();
            let count = bytes.len() - FRAME_HEAD_BYTES + 1;
            let could_be = |(offset, head): (usize, &[u8])| {
                let whole = frame::decode_head(head, self.salt).is_ok();
                whole.then_some(at + offset as u64)
            };
            for candidate in heads.filter_map(could_be).collect::<Vec<_>>() {
                if let Ok((_, bytes)) = self.frame(candidate)?
                    && frame::decode(&bytes, self.salt).is_ok()
                {
                    return Ok(Some(candidate));
                }
            }
            at += count as u64;
        }
    }

    /// Bytes from `byte` to the last one that is not zero.
    pub(crate) fn content_bytes(&mut self, byte: u64) -> io::Result<u64> {
        let (mut offset, mut content) = (byte, 0);
        loop {
            let bytes = self.bytes(offset, AHEAD_BYTES)?;
            if bytes.is_empty() {
                return Ok(content);
            }
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                content = offset + last as u64 + 1 - byte;
            }
            offset += bytes.len() as u64;
        }
    }

    fn bytes(&mut self, byte: u64, count: usize) -> io::Result<Bytes> {
        self.window
            .bytes(self.file.as_ref(), byte, count, AHEAD_BYTES)
    }
}
