//! A broker that is named on the command line, and what a design is to be like there.

use std::path::Path;

use tidegate_estate::{Address, Broker, EstateError};
use tidegate_model::Design;
use tidegate_topology::{
    Desired, Engine, Kind as Resource, Options, Topology, Use, Value, desired,
};

use crate::arguments::estate::{At, UsedBy};
use crate::design_files::{read_text, unreadable};
use crate::exit::{Failure, Kind};

/// Largest file of settings, in bytes.
const SETTINGS_BYTES_MAX: usize = 1 << 20;
/// Copies of topics where there are servers enough.
const COPIES: u32 = 3;

/// A broker with all that it has.
pub(crate) struct Estate {
    pub(crate) broker: Broker,
    pub(crate) address: Address,
    pub(crate) actual: Topology,
}

/// The address that was named, with the settings of its file.
pub(crate) fn address(url: &str, settings: Option<&Path>) -> Result<Address, Failure> {
    let mut address = Address::parse(url).map_err(|error| failed(&error))?;
    if let Some(file) = settings {
        let text = read_text(file, SETTINGS_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
        address
            .add_settings(&text, file.parent().unwrap_or(Path::new(".")))
            .map_err(|error| Failure::configuration(format!("`{}`: {error}", file.display())))?;
    }
    Ok(address)
}

/// The broker that was named.
pub(crate) fn open(at: &At) -> Result<(Address, Broker), Failure> {
    let address = address(&at.broker, at.broker_config.as_deref())?;
    let broker = Broker::open(&address).map_err(|error| failed(&error))?;
    Ok((address, broker))
}

impl Estate {
    /// Reads all that the broker has.
    pub(crate) fn read(at: &At) -> Result<Self, Failure> {
        let (address, broker) = open(at)?;
        let actual = broker.topology().map_err(|error| failed(&error))?;
        Ok(Self {
            broker,
            address,
            actual,
        })
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        format!("{} at {}", self.actual.engine.name(), self.address.servers)
    }

    /// What the design is to be like there.
    pub(crate) fn options(
        &self,
        design: &Design,
        used_by: Option<UsedBy>,
    ) -> Result<Options, Failure> {
        let mut options = self.address.options.clone();
        let engine = self.actual.engine;
        let state = format!("{}tidegate.{}.state", options.prefix, design.system.value);
        let state = self.actual.get(Resource::Topic, &state);
        options.used_by = match (used_by, engine) {
            (None | Some(UsedBy::Runtime), Engine::Kafka) if state.is_some() => Use::Runtime,
            (Some(UsedBy::Runtime), Engine::Kafka) => Use::Runtime,
            (Some(UsedBy::Runtime), other) => {
                return Err(Failure::configuration(format!(
                    "what the runtime has on {} it makes by itself; there is nothing to be planned",
                    other.name()
                )));
            }
            _ => Use::Clients,
        };
        if engine == Engine::Kafka {
            let servers = self.actual.fact("servers").unwrap_or(1);
            let copies = u32::try_from(servers.max(1)).unwrap_or(COPIES).min(COPIES);
            options.replication = options.replication.or(Some(copies));
        }
        if options.used_by == Use::Runtime {
            // Every topic of a system has as many as its state.
            let shards = state.and_then(|state| state.get("partitions")?.number());
            let shards = shards.and_then(|shards| u32::try_from(shards).ok());
            options.partitions = options.partitions.or(shards);
        }
        Ok(options)
    }

    /// What the design needs there. Users that the broker does not have are nobody's to give rights to.
    pub(crate) fn desired(&self, design: &Design, options: &Options) -> Desired {
        let mut desired = desired(design, self.actual.engine, options);
        let known = match self.actual.facts.get("users") {
            Some(Value::Texts(users)) => users.clone(),
            _ => Vec::new(),
        };
        desired.only_users(&known);
        desired
    }
}

/// Why the broker gave no answer.
pub(crate) fn failed(error: &EstateError) -> Failure {
    match error {
        EstateError::Address { .. } => Failure::configuration(error.to_string()),
        EstateError::Unreachable { .. } => Failure::new(Kind::Unreachable, error.to_string())
            .hint("is it running, and is the address right?"),
        EstateError::NotAllowed { .. } => Failure::new(Kind::NotAllowed, error.to_string())
            .hint("name a file with credentials: --broker-config FILE"),
        EstateError::Refused { .. } => Failure::new(Kind::No, error.to_string()),
    }
}
