//! Trace and span identifiers: hexadecimal ones as bytes, all others as their text.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most bytes of an identifier that is kept as bytes: 32 hexadecimal digits.
pub(crate) const HEX_BYTES_MAX: usize = 16;

/// An identifier as a capture writes it. The same text is always the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id<'a> {
    /// An even number of lower-case hexadecimal digits; the bytes after `len` are zero.
    Hex { bytes: [u8; HEX_BYTES_MAX], len: u8 },
    /// Any other text.
    Text(Cow<'a, str>),
}

/// The identifier of a span or a trace as it is kept: a hexadecimal one needs no memory of its own. Ordered
/// and written as its text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identifier(Kept);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kept {
    /// The bytes after `len` are zero.
    Hex {
        bytes: [u8; HEX_BYTES_MAX],
        len: u8,
    },
    Text(Arc<str>),
}

impl Identifier {
    /// The same with `/` and a word after it.
    pub(crate) fn with(&self, word: &str) -> Self {
        Self(Kept::Text(Arc::from(format!("{self}/{word}"))))
    }

    /// Calls `take` with the text.
    fn as_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Kept::Text(text) => take(text),
            Kept::Hex { bytes, len } => {
                let digits = digits(bytes);
                let digits = digits.get(..usize::from(*len) * 2).unwrap_or_default();
                take(std::str::from_utf8(digits).unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_text(|text| f.pad(text))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_text(|text| text.fmt(f))
    }
}

impl Ord for Identifier {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // Digits are in the order of what they stand for, and a text is before all that go on after it.
            (
                Kept::Hex { bytes, len },
                Kept::Hex {
                    bytes: others,
                    len: other,
                },
            ) => {
                let number = u128::from_be_bytes(*bytes).cmp(&u128::from_be_bytes(*others));
                number.then(len.cmp(other))
            }
            _ => self.as_text(|text| other.as_text(|other| text.cmp(other))),
        }
    }
}

impl PartialOrd for Identifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<str> for Identifier {
    fn eq(&self, other: &str) -> bool {
        self.as_text(|text| text == other)
    }
}

impl<'a> Id<'a> {
    /// The identifier of these bytes; `None` when they are none or all zero.
    pub(crate) fn from_bytes(given: &'a [u8]) -> Option<Self> {
        if given.iter().all(|byte| *byte == 0) {
            return None;
        }
        let mut bytes = [0; HEX_BYTES_MAX];
        match (bytes.get_mut(..given.len()), u8::try_from(given.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(given);
                Some(Self::Hex { bytes, len })
            }
            _ => Some(Self::Text(Cow::Owned(hexadecimal(given)))),
        }
    }

    /// The identifier of this text; `None` when it is empty or all zeros.
    fn present(text: Cow<'a, str>) -> Option<Self> {
        if text.bytes().all(|byte| byte == b'0') {
            return None;
        }
        Some(as_hex(&text).unwrap_or(Self::Text(text)))
    }

    /// An identifier as written, in lower case when it is a long hexadecimal one; `None` when it
    /// is empty or all zeros.
    pub(crate) fn from_text(text: &'a str) -> Option<Self> {
        if text.len() >= 16 && text.bytes().any(|b| b.is_ascii_uppercase()) && is_hex(text) {
            return Self::present(Cow::Owned(text.to_ascii_lowercase()));
        }
        Self::present(Cow::Borrowed(text))
    }

    /// A Zipkin identifier: hexadecimal, with the zeros that some tracers leave out in front.
    pub(crate) fn from_zipkin(text: &'a str) -> Option<Self> {
        let width = if text.len() > 16 { 32 } else { 16 };
        if !is_hex(text) {
            return Self::from_text(text);
        }
        if text.len() == width {
            return Self::from_text(text);
        }
        Self::present(Cow::Owned(format!("{text:0>width$}").to_ascii_lowercase()))
    }

    /// An OTLP identifier of `N` bytes: hexadecimal, or base64 as protobuf's JSON mapping writes it.
    /// `Ok(None)` when it is empty or all zeros, which means absent; `Err` when it is neither.
    pub(crate) fn from_otlp_text<const N: usize>(text: &'a str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() == N * 2 && is_hex(text) {
            return Ok(Self::from_text(text));
        }
        let mut bytes = [0; N];
        // Room for exactly `N` bytes: a longer text fails to decode.
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(len) if len == N => Ok(Id::from_bytes(&bytes).map(Id::into_owned)),
            _ => Err(format!(
                "identifier `{text}` is neither {} hex digits nor base64 of {N} bytes",
                N * 2
            )),
        }
    }

    fn into_owned<'b>(self) -> Id<'b> {
        match self {
            Id::Hex { bytes, len } => Id::Hex { bytes, len },
            Id::Text(text) => Id::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// The identifier as lower-case text.
    pub(crate) fn shared(&self) -> Arc<str> {
        self.kept().as_text(|text| Arc::from(text))
    }

    /// The identifier, apart from the input.
    pub(crate) fn kept(&self) -> Identifier {
        Identifier(match self {
            Self::Hex { bytes, len } => Kept::Hex {
                bytes: *bytes,
                len: *len,
            },
            Self::Text(text) => Kept::Text(Arc::from(text.as_ref())),
        })
    }
}

fn digits(bytes: &[u8; HEX_BYTES_MAX]) -> [u8; HEX_BYTES_MAX * 2] {
    let mut digits = [0; HEX_BYTES_MAX * 2];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

/// The bytes of an even number of lower-case hexadecimal digits, 32 at most.
fn as_hex<'b>(text: &str) -> Option<Id<'b>> {
    let mut bytes = [0; HEX_BYTES_MAX];
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > HEX_BYTES_MAX {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (value(*high)? << 4) | value(*low)?;
    }
    let len = u8::try_from(pairs.len()).ok()?;
    Some(Id::Hex { bytes, len })
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + (nibble - 10)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)].map(char::from);
    bytes.iter().flat_map(digits).collect()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_one_identifier_however_it_is_written() {
        let bytes = [0xab; 16];
        let hex = "ab".repeat(16);
        let expected = Id::from_bytes(&bytes);
        assert_eq!(Id::from_text(&hex), expected);
        assert_eq!(Id::from_text(&hex.to_ascii_uppercase()), expected);
        assert_eq!(Id::from_zipkin(&hex), expected);
        assert_eq!(Id::from_otlp_text::<16>(&hex), Ok(expected.clone()));
        let base64 = STANDARD.encode(bytes);
        assert_eq!(Id::from_otlp_text::<16>(&base64), Ok(expected.clone()));
        assert_eq!(expected.unwrap().shared().as_ref(), hex);
    }

    #[test]
    fn identifiers_are_in_the_order_of_their_texts() {
        let texts = [
            "",
            "00",
            "ab",
            "ab00",
            "ab01",
            "abc",
            "b",
            "ffff",
            "z",
            "AB",
            "ab/server",
            "00ff/server",
            "00ff",
        ];
        let texts = texts.map(str::to_owned).into_iter();
        let long = [
            "f".repeat(32),
            "f".repeat(40),
            format!("{}0", "f".repeat(31)),
        ];
        let texts: Vec<String> = texts
            .chain(long)
            .filter(|text| Id::from_text(text).is_some())
            .collect();
        for one in &texts {
            for other in &texts {
                let kept = |text: &str| Id::from_text(text).unwrap().kept();
                assert_eq!(kept(one).cmp(&kept(other)), one.cmp(other), "{one} {other}");
                assert_eq!(kept(one) == kept(other), one == other, "{one} {other}");
            }
            assert_eq!(Id::from_text(one).unwrap().kept().to_string(), *one);
        }
        assert!(texts.len() > 10);
    }

    #[test]
    fn texts_come_back_as_they_were() {
        for text in [
            "A",
            "a",
            "ab",
            "abc",
            "trace-1",
            "00a",
            "0x1f",
            &"f".repeat(40),
        ] {
            assert_eq!(Id::from_text(text).unwrap().shared().as_ref(), text);
        }
        for absent in ["", "0", "0000000000000000"] {
            assert_eq!(Id::from_text(absent), None);
            assert_eq!(Id::from_zipkin(absent), None);
        }
        assert_eq!(Id::from_bytes(&[0; 8]), None);
        assert_eq!(Id::from_zipkin("1f").unwrap().shared().len(), 16);
        assert!(Id::from_otlp_text::<8>(&STANDARD.encode([1; 16])).is_err());
    }
}
