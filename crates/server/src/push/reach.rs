//! Endpoints that are not reached: a wrong name or a wrong certificate is the endpoint's fault and holds the
//! consumer; an endpoint that is away is a failure of the attempt.

use std::error::Error;
use std::io;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use rustls::AlertDescription;
use rustls::pki_types::InvalidDnsNameError;
use thiserror::Error;
use tidegate_runtime::{Outcome, RetryClass};
use tower::Service;

use super::retry;

/// The name of an endpoint has no address.
#[derive(Debug, Error)]
#[error("the name `{name}` is not found")]
struct NotFound {
    name: String,
    source: io::Error,
}

/// Looks up names as the system does, with an error that is known again.
#[derive(Clone)]
pub(super) struct Names(pub(super) GaiResolver);

impl Service<Name> for Names {
    type Response = GaiAddrs;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<GaiAddrs, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, host: Name) -> Self::Future {
        let name = host.as_str().to_owned();
        let found = self.0.call(host);
        async move {
            found.await.map_err(|source| {
                // No more files, or a look-up that was called off, say nothing of the name.
                let is_ours = source.raw_os_error().is_some();
                match is_ours || source.kind() == io::ErrorKind::Interrupted {
                    true => source.into(),
                    false => NotFound { name, source }.into(),
                }
            })
        }
        .boxed()
    }
}

/// What it means that there is no answer.
pub(super) fn unreachable(error: &(dyn Error + 'static)) -> Outcome {
    let text = causes(error);
    if is_fault(error) {
        return Outcome::EndpointFault { error: text };
    }
    retry(RetryClass::Unavailable, text)
}

/// Whether a name or TLS is the cause. A connection that ends in the middle of a handshake is neither.
fn is_fault(error: &(dyn Error + 'static)) -> bool {
    if error.is::<NotFound>() || error.is::<InvalidDnsNameError>() {
        return true;
    }
    if let Some(error) = error.downcast_ref() {
        return is_tls_fault(error);
    }
    // The source of an I/O error is that of what is in it.
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    if let Some(inner) = inner {
        return is_fault(inner);
    }
    error.source().is_some_and(is_fault)
}

/// Whether the two sides will not come together as they are. What else goes wrong with TLS may pass.
fn is_tls_fault(error: &rustls::Error) -> bool {
    use AlertDescription as Alert;
    match error {
        rustls::Error::AlertReceived(alert) => matches!(
            alert,
            Alert::HandshakeFailure
                | Alert::ProtocolVersion
                | Alert::InsufficientSecurity
                | Alert::UnrecognisedName
                | Alert::NoApplicationProtocol
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRequired
                | Alert::UnknownCA
                | Alert::AccessDenied
        ),
        error => matches!(
            error,
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::InvalidMessage(_)
                | rustls::Error::InappropriateMessage { .. }
                | rustls::Error::InappropriateHandshakeMessage { .. }
        ),
    }
}

/// An error with its causes, each said once.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::time::Duration;

    use tidegate_base::{Clock, Timestamp};
    use tidegate_runtime::Caller;

    use crate::push::HttpCaller;
    use crate::push::tests::attempt;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }
    }

    async fn called(endpoint: &str) -> String {
        let answer = HttpCaller::new(Arc::new(Still))
            .call(attempt(endpoint))
            .await;
        format!("{:?}", answer.outcome)
    }

    /// A server that answers each connection with these bytes, or with none, and ends it.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 1024];
                let _some = stream.read(&mut request);
                let _all = stream.write_all(answer);
            }
        });
        address
    }

    /// A TLS server whose certificate nobody has signed.
    async fn unknown_authority(folder: &Path) -> (Child, u16) {
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(' '))
            .args("-keyout key.pem -out cert.pem -days 2 -subj /CN=localhost".split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listens = Command::new("openssl")
            .args("s_server -quiet -www -key key.pem -cert cert.pem -accept".split(' '))
            .arg(format!("127.0.0.1:{port}"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (listens, port)
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_is_the_endpoints_fault() {
        let found = called("http://nowhere.invalid/events").await;
        assert!(
            found.starts_with("EndpointFault") && found.contains("`nowhere.invalid` is not found"),
            "{found}"
        );
    }

    #[tokio::test]
    async fn a_certificate_that_cannot_be_trusted_is_the_endpoints_fault() {
        let folder = tempfile::tempdir().unwrap();
        let (mut server, port) = unknown_authority(folder.path()).await;
        let found = called(&format!("https://localhost:{port}/events")).await;
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(
            found.starts_with("EndpointFault") && found.contains("certificate"),
            "{found}"
        );
    }

    #[tokio::test]
    async fn an_endpoint_without_tls_is_the_endpoints_fault() {
        let plain = server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        let found = called(&format!("https://{plain}/events")).await;
        assert!(found.starts_with("EndpointFault"), "{found}");
    }

    /// As when it restarts: that passes, and is for retries and breakers.
    #[tokio::test]
    async fn an_endpoint_that_is_away_is_no_fault_of_its_own() {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let ends = server(b"");
        for endpoint in [
            format!("http://{free}/tls"),
            format!("https://{ends}/"),
            format!("http://{ends}/"),
        ] {
            let found = called(&endpoint).await;
            assert!(
                found.starts_with("Retry { class: Unavailable"),
                "{endpoint}: {found}"
            );
        }
    }
}
