//! Traces that a running daemon receives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Clock;
use tidegate_server::{Access, Observed, OtlpReceiver, Transport};
use tidegate_trace::window::Limits;

use crate::arguments::Run;
use crate::daemon::access_at;
use crate::exit::{Failure, Kind};
use crate::terminal::say;

/// Where traces are received; nowhere unless it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Receive {
    places: Vec<(Transport, Access)>,
}

impl Receive {
    /// As the arguments ask; the token is that of the server.
    pub(crate) fn of(arguments: &Run) -> Result<Self, Failure> {
        let wanted: [(Transport, Option<SocketAddr>); 2] = [
            (Transport::Http, arguments.otlp_http),
            (Transport::Grpc, arguments.otlp_grpc),
        ];
        let mut places = Vec::new();
        for (transport, address) in wanted {
            if let Some(address) = address {
                places.push((transport, access_at(address, &arguments.serve)?));
            }
        }
        Ok(Self { places })
    }

    /// The window that traces will come into.
    pub(crate) fn observed(&self, clock: &Arc<dyn Clock>) -> Option<Observed> {
        let is_wanted = !self.places.is_empty();
        is_wanted.then(|| Observed::new(Arc::clone(clock), Limits::default()))
    }

    /// Listens at every place.
    pub(crate) async fn start(self, observed: Option<Observed>) -> Result<Receivers, Failure> {
        let mut receivers = Vec::new();
        let Some(observed) = observed else {
            return Ok(Receivers(receivers));
        };
        for (transport, access) in self.places {
            let receiver = OtlpReceiver::start(transport, access, observed.clone())
                .await
                .map_err(|error| {
                    Failure::caused(Kind::Unreachable, &error)
                        .hint("a collector may listen there already: name another address")
                })?;
            let name = match transport {
                Transport::Http => "HTTP",
                Transport::Grpc => "gRPC",
            };
            say(&format!(
                "traces: OTLP over {name} at {}; what they say is at /v1/discover",
                receiver.address()
            ));
            receivers.push(receiver);
        }
        Ok(Receivers(receivers))
    }
}

/// Receivers that listen.
#[derive(Debug)]
pub(crate) struct Receivers(Vec<OtlpReceiver>);

impl Receivers {
    pub(crate) async fn stop(self, limit: Duration) {
        for receiver in self.0 {
            receiver.stop(limit).await;
        }
    }
}
