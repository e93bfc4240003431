//! The name of an operation, the same for every request of its kind.

use std::borrow::Cow;

use crate::{Group, Keys, Span};

/// The operation with its HTTP method in front and identifiers in paths replaced by `{}`; of a
/// statement its literals by `?`, of a temporary queue its made-up name.
#[must_use]
pub fn name(span: &Span) -> String {
    let text = span.operation.as_ref();
    // Most spans are not of the web: they are asked for nothing of it.
    if !span.has_attributes(Group::Http) && !span.has_attributes(Group::Url) {
        return without_route(span, text);
    }
    let route = span.first(&ROUTE).map(str::to_owned).or_else(|| path(span));
    let bare = text
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches([':', ' ']);
    match (method(span), route) {
        (Some(method), Some(route)) if is_method(bare) || text == route => {
            format!("{method} {}", template(&route))
        }
        _ => without_route(span, text),
    }
}

/// Where everything lies that [`name`] is made from: the same places, the same name.
pub(crate) fn sources(span: &Span) -> [usize; 4] {
    let place = |text: Option<&str>| text.map_or(0, |text| text.as_ptr().addr());
    let of_web = span.has_attributes(Group::Http) || span.has_attributes(Group::Url);
    let of_database = span.has_attributes(Group::Database) && span.first(&SYSTEMS).is_some();
    let (route, method) = if of_web {
        let route = span.first(&ROUTE);
        let route = route.or_else(|| span.first(&PATHS));
        (route, span.first(&HTTP_METHODS))
    } else {
        (None, None)
    };
    [
        place(Some(span.operation.as_ref())),
        place(route),
        place(method),
        usize::from(of_web) << 1 | usize::from(of_database),
    ]
}

const ROUTE: Keys<1> = Keys::of(["http.route"]);
const SYSTEMS: Keys<2> = Keys::of(["db.system.name", "db.system"]);
const HTTP_METHODS: Keys<2> = Keys::of(["http.request.method", "http.method"]);
/// Where a path may stand, in this order.
const PATHS: Keys<6> = Keys::of([
    "url.path",
    "http.target",
    "http.path",
    "http.uri.client",
    "http.url",
    "url.full",
]);

fn without_route(span: &Span, text: &str) -> String {
    if text.is_empty() {
        "unnamed".to_owned()
    } else if is_statement(span, text) {
        without_literals(text)
    } else {
        template(&without_made_up_queue(text))
    }
}

/// Whether the name is the statement itself, as older instrumentation writes it.
fn is_statement(span: &Span, text: &str) -> bool {
    let of_database = span.first(&SYSTEMS).is_some();
    of_database && text.split_whitespace().nth(2).is_some()
}

/// A statement with `?` for every number and quoted text.
fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut previous = ' ';
    while let Some(letter) = letters.next() {
        if letter == '\'' {
            // Two quotes in a row are one inside the text: the rest is taken as another text.
            letters
                .by_ref()
                .take_while(|inner| *inner != '\'')
                .for_each(drop);
            if previous != '?' {
                out.push('?');
            }
            previous = '?';
            continue;
        }
        let starts_number =
            letter.is_ascii_digit() && !previous.is_alphanumeric() && previous != '_';
        if starts_number {
            let digits = |next: &char| next.is_ascii_digit() || *next == '.';
            while letters.next_if(digits).is_some() {}
            out.push('?');
            previous = '?';
            continue;
        }
        out.push(letter);
        previous = letter;
    }
    out
}

/// RabbitMQ makes up names of queues that live as long as one connection.
fn without_made_up_queue(text: &str) -> Cow<'_, str> {
    const MADE_UP: &str = "amq.gen-";
    if !text.contains('.') {
        return Cow::Borrowed(text);
    }
    match text.split_once(MADE_UP) {
        None => Cow::Borrowed(text),
        Some((before, rest)) => {
            let after = rest.find(char::is_whitespace).and_then(|at| rest.get(at..));
            let after = after.unwrap_or_default();
            Cow::Owned(format!("{before}{MADE_UP}{{}}{after}"))
        }
    }
}

fn path(span: &Span) -> Option<String> {
    let text = span.first(&PATHS)?;
    let after = text.split_once("://").map_or(text, |(_, rest)| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let path = after.split(['?', '#']).next().unwrap_or_default();
    (!path.is_empty()).then(|| path.to_owned())
}

/// Whether `text` is an HTTP method, with or without `HTTP ` in front.
#[must_use]
pub fn is_method(text: &str) -> bool {
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
#[must_use]
pub fn method(span: &Span) -> Option<&'static str> {
    method_attribute(span).or_else(|| method_in(&span.operation))
}

/// The HTTP method that an attribute of the span tells.
#[must_use]
pub fn method_attribute(span: &Span) -> Option<&'static str> {
    span.first(&HTTP_METHODS).and_then(as_method)
}

/// The HTTP method that a span's name begins with.
#[must_use]
pub fn method_in(name: &str) -> Option<&'static str> {
    let mut words = name.split_whitespace();
    match words.next()? {
        word if word.eq_ignore_ascii_case("http") => words.next().and_then(as_method),
        word => as_method(word),
    }
}

/// A path with numbers, hexadecimal and UUID segments replaced by `{}`.
fn template(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if !text.contains('/') {
        out.push_str(text);
        return out;
    }
    for (index, segment) in text.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(if is_identifier(segment) {
            "{}"
        } else {
            segment
        });
    }
    out
}

/// Whether a segment of a path names one thing of many: a number, a UUID, hexadecimal.
#[must_use]
pub fn is_identifier(segment: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_made_up_queues_become_places() {
        assert_eq!(
            without_literals("SELECT a1 FROM t_2 WHERE id = 42 AND x > 1.5 AND n = 'O''Neil'"),
            "SELECT a1 FROM t_2 WHERE id = ? AND x > ? AND n = ?"
        );
        assert_eq!(without_literals("SET n = 'cut o"), "SET n = ?");
        assert_eq!(
            without_made_up_queue("amq.gen-Xa3== publish"),
            "amq.gen-{} publish"
        );
        assert_eq!(without_made_up_queue("orders publish"), "orders publish");
    }

    #[test]
    fn identifiers_in_paths_become_places() {
        assert_eq!(template("/api/products/6E92ZMYYFZ"), "/api/products/{}");
        assert_eq!(template("/users/42/cart"), "/users/{}/cart");
        assert_eq!(template("/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301"), "/o/{}");
        assert_eq!(template("/shop.Cart/GetCart"), "/shop.Cart/GetCart");
    }
}
