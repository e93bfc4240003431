//! What a design needs on a broker, as files for the tools of that broker.

mod kafka;
mod nats;
mod rabbitmq;
mod strimzi;

pub use kafka::kafka_topics;
pub use nats::nats;
pub use rabbitmq::rabbitmq_definitions;
pub use strimzi::strimzi;

use crate::desired::Wanted;
use crate::resource::Settings;

/// The settings of something that is made.
fn settings(wanted: &Wanted) -> Settings {
    let settings = wanted.settings.iter();
    settings
        .map(|(name, want)| (name.clone(), want.value.clone()))
        .collect()
}
