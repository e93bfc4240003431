//! Compressed captures: gzip, zstd, and the zstd messages of the collector's file exporter, each
//! with its length in front.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Enough bytes to tell.
pub(crate) const HEAD_BYTES: usize = 8;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    /// Zstd frames with four bytes of length before each.
    FramedZstd,
}

impl Compression {
    /// By the first bytes.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(GZIP) {
            Some(Self::Gzip)
        } else if head.starts_with(ZSTD) {
            Some(Self::Zstd)
        } else if head.get(4..).is_some_and(|rest| rest.starts_with(ZSTD)) {
            Some(Self::FramedZstd)
        } else {
            None
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd | Self::FramedZstd => "zstd",
        }
    }

    /// The content of `compressed`.
    pub(crate) fn decoded<'a>(self, compressed: impl Read + 'a) -> Box<dyn Read + 'a> {
        let compressed = BufReader::new(compressed);
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstd => Box::new(Zstd::new(compressed, false)),
            Self::FramedZstd => Box::new(Zstd::new(compressed, true)),
        }
    }
}

/// Every frame of a zstd stream, one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    has_lengths: bool,
}

impl<R: Read> Zstd<R> {
    fn new(source: R, has_lengths: bool) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
            has_lengths,
        }
    }

    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> io::Result<bool> {
        let mut first = [0];
        if read_some(&mut self.source, &mut first)? == 0 {
            return Ok(false);
        }
        let [first] = first;
        let mut start = io::Cursor::new([first]).chain(&mut self.source);
        if self.has_lengths {
            start.read_exact(&mut [0; 4])?;
        }
        match self.decoder.init(&mut start) {
            Ok(()) => self.in_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let skipped = io::copy(&mut start.take(u64::from(length)), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(invalid(error)),
        }
        Ok(true)
    }

    /// Ends a frame; its content has to be what its checksum says.
    fn end(&mut self) -> io::Result<()> {
        self.in_frame = false;
        let expected = self.decoder.get_checksum_from_data();
        if expected.is_some() && expected != self.decoder.get_calculated_checksum() {
            return Err(invalid("the checksum does not match"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame {
                if !self.begin()? {
                    return Ok(0);
                }
                continue;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
            }
            if self.decoder.can_collect() == 0 {
                self.end()?;
                continue;
            }
            return self.decoder.read(out);
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// One read that is not interrupted.
fn read_some(source: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
