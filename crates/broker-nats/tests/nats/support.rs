//! A server for all tests of this program, and names of their own in it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_base::Name;
use tidegate_broker_nats::NatsConfig;
use tidegate_servers::{Kind, Own, Server, own, running};

static SERVER: OnceLock<Option<(Server, Option<Own>)>> = OnceLock::new();
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A system of its own on a server that all tests share; `None`, which is said, where there is none.
pub(crate) fn config(test: &str) -> Option<NatsConfig> {
    let start = || match running(Kind::Nats) {
        Some(server) => Some((server, None)),
        None => {
            let own = own(Kind::Nats, test).unwrap()?;
            Some((own.server.clone(), Some(own)))
        }
    };
    let (server, _own) = SERVER.get_or_init(start).as_ref()?;
    Some(on(server))
}

/// A system of its own on this server.
pub(crate) fn on(server: &Server) -> NatsConfig {
    let system = Name::new("shop").unwrap();
    let mut config = NatsConfig::parse(&server.url, system).unwrap();
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    config.prefix = format!("t{process}-{number}");
    config
}
