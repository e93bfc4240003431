//! What keeps the events and the state of a daemon: the embedded log, or a broker.

#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use std::path::Path;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use std::sync::Arc;

use tidegate_model::Design;
use tidegate_model::design::Guarantee;

use crate::arguments::Run;
use crate::exit::Failure;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use crate::shards::Engine;

/// Where a system runs.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On the embedded log.
    Log,
    /// On shards of an engine.
    #[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
    Shards(Arc<dyn Engine>),
}

impl Place {
    /// What it is called in messages.
    fn name(&self) -> &'static str {
        match self {
            Self::Log => "the embedded log",
            #[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
            Self::Shards(engine) => engine.name(),
        }
    }

    fn is_kafka(&self) -> bool {
        match self {
            Self::Log => false,
            #[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
            Self::Shards(engine) => engine.word() == "kafka",
        }
    }

    /// Refuses a design that asks for what nothing keeps here.
    pub(crate) fn keeps(&self, design: &Design) -> Result<(), Failure> {
        let asks = |guarantee: Guarantee| guarantee == Guarantee::KafkaTransaction;
        let mut consumers = design.consumers();
        let asking = consumers.find(|consumer| asks(consumer.consume.guarantee.value));
        let Some(consumer) = asking.filter(|_| !self.is_kafka()) else {
            return Ok(());
        };
        let (id, place) = (consumer.id(), self.name());
        let at = &consumer.consume.guarantee.place;
        let message = format!(
            "{at}: `{id}` asks for {}, and this runs on {place}",
            Guarantee::KafkaTransaction
        );
        Err(Failure::configuration(message).hint(
            "add `--broker kafka://HOST:PORT`, or write `guarantee: deduplicated`: what its handler answers with is \
             stored in one batch with the end of the delivery there too",
        ))
    }
}

/// Where the arguments say.
pub(crate) fn of(arguments: &Run) -> Result<Place, Failure> {
    match &arguments.broker {
        None => Ok(Place::Log),
        Some(address) => at(address, arguments),
    }
}

fn at(address: &str, arguments: &Run) -> Result<Place, Failure> {
    let (scheme, _) = address.split_once("://").unwrap_or((address, ""));
    match scheme {
        #[cfg(feature = "nats")]
        "nats" | "tls" => nats(address, arguments),
        #[cfg(feature = "kafka")]
        "kafka" => kafka(address, arguments),
        #[cfg(feature = "rabbitmq")]
        "amqp" | "amqps" => rabbitmq(address, arguments),
        // The rest of the address may have secrets in it.
        other => {
            let message = format!("`{other}` is of no broker that this program was built with");
            Err(Failure::configuration(message).hint(
                "write kafka://HOST:PORT, nats://HOST:PORT or amqp://HOST:PORT; each is a feature of the build",
            ))
        }
    }
}

#[cfg(feature = "kafka")]
fn kafka(address: &str, arguments: &Run) -> Result<Place, Failure> {
    use tidegate_broker_kafka::KafkaConfig;

    let mut config = KafkaConfig::parse(address, unnamed()?)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    settings(arguments, |text, _| config.add_settings(text))?;
    Ok(Place::Shards(Arc::new(config)))
}

#[cfg(feature = "nats")]
fn nats(address: &str, arguments: &Run) -> Result<Place, Failure> {
    use tidegate_broker_nats::NatsConfig;

    let mut config = NatsConfig::parse(address, unnamed()?)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    settings(arguments, |text, folder| config.add_settings(text, folder))?;
    Ok(Place::Shards(Arc::new(config)))
}

#[cfg(feature = "rabbitmq")]
fn rabbitmq(address: &str, arguments: &Run) -> Result<Place, Failure> {
    use tidegate_broker_rabbitmq::RabbitConfig;

    let mut config = RabbitConfig::parse(address, unnamed()?)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    settings(arguments, |text, folder| config.add_settings(text, folder))?;
    Ok(Place::Shards(Arc::new(config)))
}

/// Its system and channels are those of the design, which is not read yet.
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
fn unnamed() -> Result<tidegate_base::Name, Failure> {
    tidegate_base::Name::new("system").map_err(|error| Failure::configuration(error.to_string()))
}

/// Takes the settings of the file in that the arguments name.
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
fn settings<E: std::fmt::Display>(
    arguments: &Run,
    take: impl FnOnce(&str, &Path) -> Result<(), E>,
) -> Result<(), Failure> {
    use crate::design_files::{read_text, unreadable};

    /// Largest file of settings, in bytes.
    const SETTINGS_BYTES_MAX: usize = 1 << 20;

    let Some(file) = &arguments.broker_config else {
        return Ok(());
    };
    let text = read_text(file, SETTINGS_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
    // What the file names lies beside it.
    let folder = file.parent().unwrap_or(Path::new("."));
    take(&text, folder)
        .map_err(|error| Failure::configuration(format!("`{}`: {error}", file.display())))
}
