//! Trace and span identifiers as lower-case text.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An OTLP identifier of `N` bytes: hex, or base64 as protobuf's JSON mapping writes it.
/// `Ok(None)` when it is empty or all zeros, which means absent; `Err` when it is neither.
pub(crate) fn from_otlp_text<const N: usize>(text: &str) -> Result<Option<Arc<str>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() == N * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(present(&text.to_ascii_lowercase()));
    }
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == N => Ok(from_bytes(&bytes)),
        _ => Err(format!(
            "identifier `{text}` is neither {} hex digits nor base64 of {N} bytes",
            N * 2
        )),
    }
}

/// An identifier as lower-case hex; `None` when it is empty or all zeros.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Arc<str>> {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let text: String = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect();
    present(&text)
}

/// An identifier as written, in lower case; `None` when it is empty or all zeros.
pub(crate) fn from_text(text: &str) -> Option<Arc<str>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) && is_hex(text) && text.len() >= 16 {
        return present(&text.to_ascii_lowercase());
    }
    present(text)
}

/// A Zipkin identifier: hex, with the zeros that some tracers leave out in front.
pub(crate) fn from_zipkin(text: &str) -> Option<Arc<str>> {
    let width = if text.len() > 16 { 32 } else { 16 };
    if is_hex(text) {
        present(&format!("{text:0>width$}").to_ascii_lowercase())
    } else {
        from_text(text)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn present(text: &str) -> Option<Arc<str>> {
    (!text.bytes().all(|byte| byte == b'0')).then(|| Arc::from(text))
}
