//! Who may talk to the server: loopback by default, a token beyond it, and no help for hostile web pages.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::problem::Problem;

/// Fewest characters of a token: 128 bits in hexadecimal.
const TOKEN_CHARACTERS_MIN: usize = 32;

/// A shared secret. Never printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token of `text`, white space at its ends removed.
    ///
    /// # Errors
    ///
    /// When it is shorter than 32 characters, or not visible ASCII.
    pub fn new(text: &str) -> Result<Self, AccessError> {
        let text = text.trim();
        if text.len() < TOKEN_CHARACTERS_MIN {
            return Err(AccessError::Short {
                characters: text.len(),
            });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccessError::NotVisible);
        }
        Ok(Self(text.to_owned()))
    }

    /// What a request carries in `Authorization` to show that it knows the token.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Compares without telling by its time where the first difference is.
    fn matches(&self, other: &[u8]) -> bool {
        let ours = self.0.as_bytes();
        let difference = ours.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == other.len() && difference == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why access cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessError {
    /// The token is too short to be a secret.
    #[error("the token has {characters} characters; the least is {TOKEN_CHARACTERS_MIN}")]
    Short {
        /// Its length.
        characters: usize,
    },
    /// The token has characters that a header cannot carry.
    #[error("the token has characters that are not visible ASCII")]
    NotVisible,
    /// The address is not loopback and there is no token.
    #[error("listening on {0} reaches beyond this machine and needs a token")]
    OpenToTheNetwork(SocketAddr),
}

/// Who may talk to the server.
#[derive(Clone, Debug)]
pub struct Access {
    listen: SocketAddr,
    token: Option<Token>,
}

impl Access {
    /// Access at `listen`; with a token, every request but health checks must carry it.
    ///
    /// # Errors
    ///
    /// [`AccessError::OpenToTheNetwork`] when `listen` is not loopback and there is no token.
    pub fn new(listen: SocketAddr, token: Option<Token>) -> Result<Self, AccessError> {
        if !listen.ip().is_loopback() && token.is_none() {
            return Err(AccessError::OpenToTheNetwork(listen));
        }
        Ok(Self { listen, token })
    }

    /// Where to listen.
    #[must_use]
    pub const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The same, so many ports higher; where the system chooses the port, it chooses that one as well.
    #[must_use]
    pub fn ports_higher(mut self, ports: u16) -> Self {
        if self.listen.port() != 0 {
            self.listen
                .set_port(self.listen.port().saturating_add(ports));
        }
        self
    }

    /// A page of another site may not reach a loopback server by a name of its own (DNS rebinding).
    fn host_is_ours(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
        if !self.listen.ip().is_loopback() {
            return true;
        }
        // One Host, as RFC 9112 asks; a target with a host of its own must be ours as well. HTTP/2 has
        // the target's alone.
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host,
            (None, _) if version == Version::HTTP_2 => {
                let authority = uri.authority();
                return authority.is_some_and(|authority| is_loopback(authority.as_str()));
            }
            _ => return false,
        };
        let target = uri
            .authority()
            .is_none_or(|authority| is_loopback(authority.as_str()));
        target && host.to_str().is_ok_and(is_loopback)
    }

    /// A page of another site may not make a browser act here (cross-site request forgery).
    fn origin_is_ours(headers: &HeaderMap) -> bool {
        if headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site")
        {
            return false;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        match (text(header::ORIGIN), text(header::HOST)) {
            (None, _) => true,
            (Some(origin), Some(host)) => origin
                .split_once("://")
                .is_some_and(|(_, authority)| authority == host),
            (Some(_), None) => false,
        }
    }

    fn is_authenticated(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some((scheme, rest)) = value.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return token.matches(rest.trim().as_bytes());
        }
        // Basic lets a browser open the console: any user, the token as the password.
        let basic = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| STANDARD.decode(rest.trim()).ok());
        let pair = basic.flatten().unwrap_or_default();
        let colon = pair.iter().position(|byte| *byte == b':');
        colon
            .and_then(|at| pair.get(at + 1..))
            .is_some_and(|password| token.matches(password))
    }
}

/// Whether `localhost:7070`, `127.0.0.1` or `[::1]:7070` is meant.
fn is_loopback(authority: &str) -> bool {
    let name = authority
        .rsplit_once(':')
        .map_or(authority, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                authority
            }
        });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Refuses requests of strangers, before any of their body is read.
pub(crate) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !access.host_is_ours(request.version(), request.uri(), headers) {
        let message = "the Host header does not name this machine";
        return Problem::new(StatusCode::FORBIDDEN, "foreign-host", message)
            .hint("use http://127.0.0.1 or http://localhost")
            .into_response();
    }
    if !Access::origin_is_ours(headers) {
        let message = "the request comes from a page of another site";
        return Problem::new(StatusCode::FORBIDDEN, "foreign-origin", message).into_response();
    }
    let open = matches!(request.uri().path(), "/healthz" | "/readyz");
    if !open && !access.is_authenticated(headers) {
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "token",
            "the request needs the token",
        )
        .hint("send `Authorization: Bearer <token>`, or the token as the password of any user");
        let challenge = (
            header::WWW_AUTHENTICATE,
            "Basic realm=\"tidegate\", charset=\"UTF-8\"",
        );
        return ([challenge], problem).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn loopback() -> Access {
        Access::new("127.0.0.1:7070".parse().unwrap(), None).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn the_network_needs_a_token() {
        let open = Access::new("0.0.0.0:7070".parse().unwrap(), None);
        assert!(matches!(open, Err(AccessError::OpenToTheNetwork(_))));
        let token = Token::new(SECRET).unwrap();
        assert!(Access::new("0.0.0.0:7070".parse().unwrap(), Some(token)).is_ok());
        assert!(matches!(
            Token::new("secret"),
            Err(AccessError::Short { characters: 6 })
        ));
        assert_eq!(format!("{:?}", Token::new(SECRET).unwrap()), "Token(…)");
    }

    #[test]
    fn foreign_hosts_and_origins_are_told_apart() {
        let found = |pairs: &[(&'static str, &str)], target: &'static str| {
            loopback().host_is_ours(Version::HTTP_11, &Uri::from_static(target), &headers(pairs))
        };
        for host in [
            "127.0.0.1:7070",
            "localhost:7070",
            "LOCALHOST",
            "[::1]:7070",
        ] {
            assert!(found(&[("host", host)], "/"), "{host}");
        }
        let foreign = [
            "evil.example",
            "evil.example:7070",
            "127.0.0.1.evil.example",
            "10.0.0.1",
        ];
        for host in foreign {
            assert!(!found(&[("host", host)], "/"), "{host}");
        }
        assert!(!found(&[], "/"), "no host");
        assert!(
            !found(&[("host", "localhost")], "http://evil.example/"),
            "foreign target"
        );
        let mut two = headers(&[("host", "localhost")]);
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(
            !loopback().host_is_ours(Version::HTTP_11, &Uri::from_static("/"), &two),
            "two hosts"
        );
        let same = headers(&[
            ("host", "localhost:7070"),
            ("origin", "http://localhost:7070"),
        ]);
        assert!(Access::origin_is_ours(&same));
        let cross = headers(&[("host", "localhost:7070"), ("sec-fetch-site", "cross-site")]);
        assert!(!Access::origin_is_ours(&cross));
        for origin in ["http://evil.example", "null", "http://localhost:1"] {
            let other = headers(&[("host", "localhost:7070"), ("origin", origin)]);
            assert!(!Access::origin_is_ours(&other), "{origin}");
        }
    }

    #[test]
    fn the_token_is_asked_for() {
        let token = Token::new(SECRET).ok();
        let access = Access::new("127.0.0.1:7070".parse().unwrap(), token).unwrap();
        let good = STANDARD.encode(format!("me:{SECRET}"));
        let bad = STANDARD.encode("me:wrong");
        let cases = [
            (Token::new(SECRET).unwrap().bearer(), true),
            (format!("Bearer {SECRET}0"), false),
            ("Bearer ".to_owned(), false),
            (format!("Basic {good}"), true),
            (format!("Basic {bad}"), false),
            (SECRET.to_owned(), false),
        ];
        for (value, expected) in cases {
            let found = access.is_authenticated(&headers(&[("authorization", &value)]));
            assert_eq!(found, expected, "{value}");
        }
        assert!(!access.is_authenticated(&HeaderMap::new()));
    }
}
