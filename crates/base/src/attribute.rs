//! What the values of event attributes must be.
//!
//! Source: CloudEvents 1.0.2, "Type System"; RFC 3986 for URIs, RFC 2046 for media types, RFC 3339 for times.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whether a text is an attribute's `String`: no control character, and no code point that is none.
pub(crate) fn is_text(text: &str) -> bool {
    if text.is_ascii() {
        return !text.bytes().any(|c| c.is_ascii_control());
    }
    let is_nothing = |c: char| {
        let code = u32::from(c);
        (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
    };
    !text.chars().any(|c| c.is_control() || is_nothing(c))
}

/// Whether a text is a date-time of RFC 3339, of any year.
pub(crate) fn is_time(text: &str) -> bool {
    OffsetDateTime::parse(text, &Rfc3339).is_ok()
}

/// Whether a text is a URI-reference: RFC 3986, section 4.1.
pub(crate) fn is_uri_reference(text: &str) -> bool {
    let (before, fragment) = match text.split_once('#') {
        Some((before, fragment)) => (before, fragment),
        None => (text, ""),
    };
    let (path, query) = match before.split_once('?') {
        Some((path, query)) => (path, query),
        None => (before, ""),
    };
    let marks = |c: u8| matches!(c, b'/' | b'?');
    if !is_made_of(fragment, marks) || !is_made_of(query, marks) {
        return false;
    }
    let path = match scheme(path) {
        Some((scheme, rest)) => {
            if !is_scheme(scheme) {
                return false;
            }
            rest
        }
        None => path,
    };
    match path.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && is_made_of(path, |c| c == b'/')
        }
        None => is_made_of(path, |c| c == b'/'),
    }
}

/// Whether a text is a URI with its scheme. A fragment is taken, as the libraries of CloudEvents do.
pub(crate) fn is_uri(text: &str) -> bool {
    let before = text.split(['?', '#']).next().unwrap_or_default();
    scheme(before).is_some() && is_uri_reference(text)
}

/// What is before the first `:` of the first segment, and what comes after it.
fn scheme(path: &str) -> Option<(&str, &str)> {
    let (before, rest) = path.split_once(':')?;
    (!before.contains('/')).then_some((before, rest))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
}

/// User, host and port; an address of IPv6 stands in brackets.
fn is_authority(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, ""),
        Some((address, port)) => match port.strip_prefix(':') {
            Some(port) => (address, port),
            None => return false,
        },
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    let colons = host.starts_with('[');
    is_made_of(user, |_| false)
        && !user.contains('@')
        && is_made_of(name, |_| false)
        && (colons || !name.contains([':', '@']))
        && port.bytes().all(|c| c.is_ascii_digit())
}

/// Whether a text is made of what a path segment may have, of whole escapes, and of `more`.
fn is_made_of(text: &str, more: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(c) = bytes.next() {
        let fits = match c {
            b'%' => {
                let mut digit = || bytes.next().is_some_and(|c| c.is_ascii_hexdigit());
                digit() && digit()
            }
            b'-' | b'.' | b'_' | b'~' | b':' | b'@' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            other => other.is_ascii_alphanumeric() || more(other),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Whether a text is a media type with its parameters: RFC 2046, in the syntax of RFC 2045.
pub(crate) fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let Some((kind, subtype)) = essence.trim().split_once('/') else {
        return false;
    };
    is_token(kind)
        && is_token(subtype)
        && (parameters.is_empty() || parameters.contains('='))
        && parameters
            .bytes()
            .all(|c| c == b'\t' || (b' '..=b'~').contains(&c))
}

fn is_token(text: &str) -> bool {
    let marks = b"!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || marks.contains(&c))
}
