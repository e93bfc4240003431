//! What keeps the events and the state of a daemon: the embedded log, or a broker.

use crate::arguments::Run;
use crate::exit::Failure;

/// Where a system runs.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On the embedded log.
    Log,
    /// On shards of a Kafka cluster.
    #[cfg(feature = "kafka")]
    Kafka(Box<tidegate_broker_kafka::KafkaConfig>),
}

/// Where the arguments say.
pub(crate) fn of(arguments: &Run) -> Result<Place, Failure> {
    match &arguments.broker {
        None => Ok(Place::Log),
        Some(address) => at(address, arguments),
    }
}

#[cfg(feature = "kafka")]
fn at(address: &str, arguments: &Run) -> Result<Place, Failure> {
    use tidegate_base::Name;
    use tidegate_broker_kafka::KafkaConfig;

    use crate::design_files::{read_text, unreadable};

    /// Largest file of settings, in bytes.
    const SETTINGS_BYTES_MAX: usize = 1 << 20;

    // Its system and channels are those of the design, which is not read yet.
    let unnamed = Name::new("system").map_err(|error| Failure::configuration(error.to_string()))?;
    let mut config = KafkaConfig::parse(address, unnamed)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    if let Some(file) = &arguments.broker_config {
        let text = read_text(file, SETTINGS_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
        config
            .add_settings(&text)
            .map_err(|error| Failure::configuration(format!("`{}`: {error}", file.display())))?;
    }
    Ok(Place::Kafka(Box::new(config)))
}

#[cfg(not(feature = "kafka"))]
fn at(address: &str, _arguments: &Run) -> Result<Place, Failure> {
    let message = format!("`{address}` is of no broker that this program was built with");
    Err(Failure::configuration(message).hint("build it with the feature `kafka`"))
}
