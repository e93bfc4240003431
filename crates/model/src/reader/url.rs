//! Checking where to deliver to.

use std::net::Ipv6Addr;

use crate::code::BAD_URL;
use crate::findings::{Problem, excerpt};

/// Whether `text` is an absolute `http` or `https` URL with a host, and without user or fragment.
///
/// Source: RFC 3986, "Uniform Resource Identifier (URI): Generic Syntax", of which this takes the
/// part that makes sense for an endpoint.
pub(crate) fn check(text: &str) -> Result<(), Problem> {
    const HINT: &str = "write a URL, such as `http://localhost:9001/events`";
    let Some(rest) = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
    else {
        return Err(wrong_scheme(text));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        // The text is not repeated: it may hold a password.
        return Err(Problem::new(&BAD_URL, "the URL holds a user or password")
            .hint("remove what stands before `@`: a design holds no secrets"));
    }
    let wrong =
        |why: String| Err(Problem::new(&BAD_URL, format!("`{}` {why}", excerpt(text))).hint(HINT));
    if let Some(character) = text.chars().find(|c| !is_url_character(*c)) {
        return wrong(format!(
            "has the character {character:?}, which a URL cannot have"
        ));
    }
    if rest.contains('#') {
        return wrong("has a fragment, `#…`, which is never sent".to_owned());
    }
    let (host, port) = split_port(authority);
    if !is_host(host) {
        return wrong("has no valid host".to_owned());
    }
    match port {
        Some(port) if port.parse::<u16>().map_or(true, |port| port == 0) => wrong(format!(
            "has port `{}`, which is not from 1 to 65535",
            excerpt(port)
        )),
        _ => Ok(()),
    }
}

fn wrong_scheme(text: &str) -> Problem {
    let problem = Problem::new(
        &BAD_URL,
        "the URL does not start with `http://` or `https://`",
    );
    match text.split_once("://") {
        // Whatever follows may hold a password.
        Some((scheme, _)) => problem.hint(format!(
            "deliveries are HTTP requests: write `http://…` instead of `{}://…`",
            excerpt(scheme)
        )),
        None if text.contains('@') => problem,
        None => problem.hint(format!(
            "write `http://{}`",
            excerpt(text.trim_start_matches('/'))
        )),
    }
}

/// Splits `host:port`; a host in brackets keeps its colons.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
    {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let label = |label: &str| {
                !label.is_empty()
                    && label
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            };
            host.strip_suffix('.').unwrap_or(host).split('.').all(label)
        }
    }
}

/// The characters of RFC 3986, reserved and unreserved, and `%`.
fn is_url_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_taken() {
        for url in [
            "http://localhost",
            "http://localhost:9001/events",
            "https://billing.example.com/a/b?c=d&e=%20",
            "http://127.0.0.1:80",
            "http://[::1]:9001/",
            "http://billing_1.svc.cluster.local./",
        ] {
            assert!(check(url).is_ok(), "{url}: {:?}", check(url));
        }
    }

    #[test]
    fn what_is_not_an_endpoint_is_not() {
        let said = |url: &str| {
            let problem = check(url).unwrap_err();
            format!("{} | {}", problem.message, problem.hint.unwrap_or_default())
        };
        for url in [
            "",
            "localhost:9001",
            "/events",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a b",
            "http://a..b",
            "http://[::1",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://é",
            "http://a/#b",
            "HTTP://a",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
        insta::assert_snapshot!(said("localhost:9001"), @"the URL does not start with `http://` or `https://` | write `http://localhost:9001`");
        insta::assert_snapshot!(said("kafka://secret@broker"), @"the URL does not start with `http://` or `https://` | deliveries are HTTP requests: write `http://…` instead of `kafka://…`");
        insta::assert_snapshot!(said("http://user:secret@host/"), @"the URL holds a user or password | remove what stands before `@`: a design holds no secrets");
        insta::assert_snapshot!(said("http://host:99999/"), @"`http://host:99999/` has port `99999`, which is not from 1 to 65535 | write a URL, such as `http://localhost:9001/events`");
    }

    #[test]
    fn a_secret_is_never_repeated() {
        for url in [
            "http://u:hunter2@h",
            "hunter2@h",
            "amqp://u:hunter2@h",
            "https://hunter2@h:1/ b",
        ] {
            let problem = check(url).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }
}
