//! The bytes of a capture, as many at a time as one unit of it needs.

use std::io::{self, Read};

use tidegate_base::limit::TRACE_UNIT_BYTES_MAX;

use crate::ReadError;
use crate::compression::{self, Compression, HEAD_BYTES};

/// How much is asked of the reader at least.
const READ_BYTES: usize = 64 << 10;
/// How often one compression may be inside another.
const NESTING_MAX: usize = 3;

/// A reader with the bytes that are not taken yet.
pub(crate) struct Input<'a> {
    name: &'a str,
    reader: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    start: usize,
    taken: u64,
    ended: bool,
    compression: Option<Compression>,
    /// How many bytes may still be read.
    allowed: u64,
}

impl<'a> Input<'a> {
    /// The content of `reader`, decompressed.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is compressed and broken.
    pub(crate) fn open(name: &'a str, reader: impl Read + 'a) -> Result<Self, ReadError> {
        let mut input = Self::new(name, Box::new(reader), None);
        for _ in 0..NESTING_MAX {
            input.ensure(HEAD_BYTES)?;
            let Some(compression) = Compression::of(input.data()) else {
                return Ok(input);
            };
            let raw = io::Cursor::new(input.buffer).chain(input.reader);
            input = Self::new(name, compression.decoded(raw), Some(compression));
        }
        Ok(input)
    }

    fn new(name: &'a str, reader: Box<dyn Read + 'a>, compression: Option<Compression>) -> Self {
        Self {
            name,
            reader,
            buffer: Vec::new(),
            start: 0,
            taken: 0,
            ended: false,
            compression,
            allowed: u64::MAX,
        }
    }

    /// No more bytes than these are read: a few bytes may decompress to many.
    pub(crate) fn allow(&mut self, bytes_max: u64) {
        let there = u64::try_from(self.data().len()).unwrap_or(u64::MAX);
        self.allowed = bytes_max.saturating_sub(there);
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// What was read and not taken.
    pub(crate) fn data(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// How many bytes were taken.
    pub(crate) fn offset(&self) -> u64 {
        self.taken
    }

    /// Takes bytes off the front.
    pub(crate) fn take(&mut self, count: usize) {
        let count = count.min(self.data().len());
        self.start += count;
        self.taken = self
            .taken
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Reads more; `false` when there is no more.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or [`TRACE_UNIT_BYTES_MAX`] bytes wait already, or as many as are
    /// allowed were read.
    pub(crate) fn fill(&mut self) -> Result<bool, ReadError> {
        if self.ended {
            return Ok(false);
        }
        if self.data().len() >= TRACE_UNIT_BYTES_MAX || self.allowed == 0 {
            return Err(ReadError::Large {
                name: self.name.to_owned(),
                offset: self.taken,
            });
        }
        self.compact();
        let filled = self.buffer.len();
        // Twice as much each time: a large unit is looked at a few times only.
        let more = filled.clamp(READ_BYTES, TRACE_UNIT_BYTES_MAX);
        self.buffer.resize(filled + more, 0);
        let room = self.buffer.get_mut(filled..).unwrap_or_default();
        let read = loop {
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(false)
            }
            Ok(count) => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                self.allowed = self.allowed.saturating_sub(count);
                Ok(true)
            }
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    /// Reads until that many bytes are there; `false` when there are fewer.
    pub(crate) fn ensure(&mut self, count: usize) -> Result<bool, ReadError> {
        while self.data().len() < count {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn compact(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.capacity() > 64 * READ_BYTES && self.buffer.len() < READ_BYTES {
            self.buffer.shrink_to(2 * READ_BYTES);
        }
    }

    fn unreadable(&self, error: &io::Error) -> ReadError {
        let name = self.name.to_owned();
        match self.compression {
            None => ReadError::Input {
                name,
                message: error.to_string(),
            },
            Some(compression) => ReadError::Compressed {
                name,
                compression: compression.name(),
                message: {
                    let there = u64::try_from(self.data().len()).unwrap_or(u64::MAX);
                    compression::said(error, self.taken.saturating_add(there))
                },
            },
        }
    }
}
