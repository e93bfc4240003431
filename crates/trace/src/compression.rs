//! Compressed captures: gzip, zstd, and the zstd messages of the collector's file exporter, each
//! with its length in front.

use std::error::Error;
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Enough bytes to tell.
pub(crate) const HEAD_BYTES: usize = 8;
/// The last block of a frame, with nothing in it, and room for a checksum.
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

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

    /// The content of `compressed`. Where it is cut off, everything before that comes out, then
    /// [`io::ErrorKind::UnexpectedEof`].
    pub(crate) fn decoded<'a>(self, compressed: impl Read + 'a) -> Box<dyn Read + 'a> {
        let compressed = BufReader::new(compressed);
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstd => Box::new(Zstd::new(compressed, false)),
            Self::FramedZstd => Box::new(Zstd::new(compressed, true)),
        }
    }
}

/// What is wrong with compressed bytes, of which so many could be decompressed.
pub(crate) fn said(error: &io::Error, decompressed: u64) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        format!("it is cut off after {decompressed} decompressed bytes")
    } else {
        format!("{error}, after {decompressed} decompressed bytes")
    }
}

/// Every frame of a zstd stream, one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    has_lengths: bool,
    /// The frame was cut off: that is said when everything before has come out.
    is_torn: bool,
}

impl<R: Read> Zstd<R> {
    fn new(source: R, has_lengths: bool) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
            has_lengths,
            is_torn: false,
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
            Err(error) => return Err(plain(&error)),
        }
        Ok(true)
    }

    /// Decodes the next block. A decoder keeps what later blocks may refer to, as much as the whole
    /// content of a file: where the source ends too soon, an empty last block makes it give that up.
    fn decode(&mut self) -> io::Result<()> {
        const ONE: BlockDecodingStrategy = BlockDecodingStrategy::UptoBlocks(1);
        let Err(error) = self.decoder.decode_blocks(&mut self.source, ONE) else {
            return Ok(());
        };
        let error = plain(&error);
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return Err(error);
        }
        self.is_torn = true;
        match self.decoder.decode_blocks(LAST_BLOCK, ONE) {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        }
    }

    /// Ends a frame; its content has to be what its checksum says.
    fn end(&mut self) -> io::Result<()> {
        if self.is_torn {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.in_frame = false;
        let expected = self.decoder.get_checksum_from_data();
        if expected.is_some() && expected != self.decoder.get_calculated_checksum() {
            return Err(invalid("its checksum does not match".to_owned()));
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
                self.decode()?;
            }
            if self.decoder.can_collect() == 0 {
                self.end()?;
                continue;
            }
            return self.decoder.read(out);
        }
    }
}

/// The error in words for who has the file: those of the decoder are for who writes one.
fn plain(error: &FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause.filter(|one| !one.is::<io::Error>()) {
        cause = one.source();
    }
    if let Some(error) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => error.kind().into(),
            kind => io::Error::new(kind, error.to_string()),
        };
    }
    invalid(match error {
        FrameDecoderError::WindowSizeTooBig { requested, max } => format!(
            "it refers back {requested} bytes, and at most {max} are kept: compress it without --long"
        ),
        FrameDecoderError::DictNotProvided { .. } => {
            "it was compressed with a dictionary, which is not at hand".to_owned()
        }
        _ => "it is damaged".to_owned(),
    })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
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
