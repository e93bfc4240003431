//! A server for all tests of this program, and names of their own in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tidegate_base::{Clock, Name, Timestamp};
use tidegate_broker_rabbitmq::RabbitConfig;
use tidegate_servers::{Kind, Own, Server, own, running};

static SERVER: OnceLock<Option<(Server, Option<Own>)>> = OnceLock::new();
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Always the same time.
#[derive(Debug)]
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_730_291_041_637)
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(Still)
}

/// A shard of its own on a server that all tests share; `None`, which is said, where there is none.
pub(crate) fn config(test: &str) -> Option<RabbitConfig> {
    let start = || match running(Kind::RabbitMq) {
        Some(server) => Some((server, None)),
        None => {
            let own = own(Kind::RabbitMq, test).unwrap()?;
            Some((own.server.clone(), Some(own)))
        }
    };
    let (server, _own) = SERVER.get_or_init(start).as_ref()?;
    Some(on(server))
}

/// A shard of its own on this server.
pub(crate) fn on(server: &Server) -> RabbitConfig {
    let address = server.url.replace("guest:guest@", "");
    let mut config = RabbitConfig::parse(&address, Name::new("shop").unwrap()).unwrap();
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    config.prefix = format!("t{process}-{number}.");
    config
}
