//! What an operation's name, method and statement say about it.

use tidegate_trace::Span;

/// The operation with its HTTP method in front and identifiers in paths replaced by `{}`.
pub(crate) fn name(span: &Span) -> String {
    let text = span.operation.as_ref();
    let route = span
        .attribute("http.route")
        .map(str::to_owned)
        .or_else(|| path(span));
    let bare = text
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches([':', ' ']);
    match (method(span), route) {
        (Some(method), Some(route)) if is_method(bare) || text == route => {
            format!("{method} {}", template(&route))
        }
        _ if text.is_empty() => "unnamed".to_owned(),
        _ => template(text),
    }
}

fn path(span: &Span) -> Option<String> {
    const NAMES: [&str; 6] = [
        "url.path",
        "http.target",
        "http.path",
        "http.uri.client",
        "http.url",
        "url.full",
    ];
    let text = span.first_attribute(&NAMES)?;
    let after = text.split_once("://").map_or(text, |(_, rest)| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let path = after.split(['?', '#']).next().unwrap_or_default();
    (!path.is_empty()).then(|| path.to_owned())
}

/// Whether `text` is an HTTP method, with or without `HTTP ` in front.
fn is_method(text: &str) -> bool {
    as_method(text).is_some()
}

fn as_method(text: &str) -> Option<&'static str> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    let word = text.trim().strip_prefix("HTTP ").unwrap_or(text.trim());
    METHODS
        .into_iter()
        .find(|method| method.eq_ignore_ascii_case(word))
}

/// The HTTP method of the span, from its attributes or its name.
pub(crate) fn method(span: &Span) -> Option<&'static str> {
    let attribute = span.first_attribute(&["http.request.method", "http.method"]);
    attribute.and_then(as_method).or_else(|| {
        let mut words = span.operation.split_whitespace();
        match words.next()? {
            word if word.eq_ignore_ascii_case("http") => words.next().and_then(as_method),
            word => as_method(word),
        }
    })
}

/// A path with numbers, hexadecimal and UUID segments replaced by `{}`.
fn template(text: &str) -> String {
    if !text.contains('/') {
        return text.to_owned();
    }
    let segments = text.split('/').map(|segment| {
        if is_identifier(segment) {
            "{}"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

pub(crate) fn is_identifier(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = segment
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mixed = segment
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    // A UUID, also one that was masked.
    let uuid = segment.len() == 36 && segment.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    uuid || (digits > 0 && digits == segment.len())
        || (hexadecimal && digits > 0 && segment.len() >= 8)
        || (mixed && digits > 0 && segment.len() >= 8)
}

/// The words of the last telling part of an operation, in lower case:
/// `/shop.EmailService/SendOrderConfirmation` gives send, order, confirmation.
pub(crate) fn words(operation: &str) -> Vec<String> {
    let without_method = match operation.split_once(' ') {
        Some((first, rest)) if is_method(first) => rest,
        _ => operation,
    };
    let telling = |part: &&str| {
        let version = part
            .strip_prefix('v')
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        !part.is_empty() && !part.starts_with(['{', '*', ':']) && !version && *part != "api"
    };
    let last = without_method
        .split('/')
        .rfind(telling)
        .unwrap_or(without_method);
    let method = last
        .rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or(last);
    split_words(method)
}

/// Splits `sendOrderURL_v2` into send, order, url, v2.
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            previous = ' ';
            continue;
        }
        let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
        let starts = !previous.is_alphanumeric()
            || (letter.is_uppercase() && (previous.is_lowercase() || previous.is_numeric()))
            || (letter.is_uppercase() && previous.is_uppercase() && next_is_lower);
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        previous = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        let words = |text| words(text).join(" ");
        assert_eq!(
            words("/hipstershop.EmailService/SendOrderConfirmation"),
            "send order confirmation"
        );
        assert_eq!(words("POST /api/v1/orderservice/order/{orderId}"), "order");
        assert_eq!(
            words("/api/v1/travelservice/trips/left_tickets"),
            "left tickets"
        );
        assert_eq!(words("getHTTPStatus2Code"), "get http status2 code");
        assert_eq!(words("ingress"), "ingress");
        assert_eq!(words("/*"), "");
        assert_eq!(words(""), "");
    }

    #[test]
    fn identifiers_in_paths_become_places() {
        assert_eq!(template("/api/products/6E92ZMYYFZ"), "/api/products/{}");
        assert_eq!(template("/users/42/cart"), "/users/{}/cart");
        assert_eq!(template("/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301"), "/o/{}");
        assert_eq!(template("/shop.Cart/GetCart"), "/shop.Cart/GetCart");
    }
}
