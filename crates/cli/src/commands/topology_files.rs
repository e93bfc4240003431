//! `tidegate generate kafka-topics`, `strimzi`, `rabbitmq-definitions` and `nats`: what a design needs, as files.

use serde_json::{Value as Json, json};
use tidegate_model::Design;
use tidegate_topology::{Engine, Options, Use, desired, files};

use crate::arguments::estate::{
    KafkaTopics, Made, MadeTopics, NatsFiles, RabbitmqDefinitions, Strimzi, UsedBy,
};
use crate::commands::init::quoted;
use crate::commands::select::pretty;
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Copies of topics, where nothing else is said.
const COPIES: u32 = 3;

fn of_topics(topics: &MadeTopics) -> Options {
    Options {
        used_by: match topics.used_by {
            UsedBy::Clients => Use::Clients,
            UsedBy::Runtime => Use::Runtime,
        },
        partitions: topics.partitions,
        replication: topics.made.replication.or(Some(COPIES)),
        prefix: topics.made.prefix.clone(),
    }
}

fn of(made: &Made) -> Options {
    Options {
        prefix: made.prefix.clone(),
        replication: made.replication,
        ..Options::default()
    }
}

pub(crate) fn kafka_topics(arguments: &KafkaTopics) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let desired = desired(&design, Engine::Kafka, &of_topics(&arguments.topics));
    terminal::print(&files::kafka_topics(&desired))?;
    Ok(Exit::Yes)
}

pub(crate) fn strimzi(arguments: &Strimzi) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let desired = desired(&design, Engine::Kafka, &of_topics(&arguments.topics));
    let documents = files::strimzi(&desired, &arguments.cluster);
    let documents: Vec<String> = documents.iter().map(tidegate_generate::to_yaml).collect();
    terminal::print(&documents.join("---\n"))?;
    Ok(Exit::Yes)
}

pub(crate) fn rabbitmq_definitions(arguments: &RabbitmqDefinitions) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let desired = desired(&design, Engine::RabbitMq, &of(&arguments.made));
    let definitions = files::rabbitmq_definitions(&desired, &arguments.vhost);
    terminal::print(&pretty(&definitions))?;
    Ok(Exit::Yes)
}

pub(crate) fn nats(arguments: &NatsFiles) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let files = nats_files(&design, &arguments.made);
    let Some(folder) = &arguments.out else {
        let of_kind = |end: &str| -> Vec<&Json> {
            let own = files.iter().filter(|(name, _)| name.ends_with(end));
            own.map(|(_, config)| config).collect()
        };
        terminal::print(&pretty(&json!({
            "streams": of_kind(".stream.json"),
            "consumers": of_kind(".consumer.json"),
        })))?;
        return Ok(Exit::Yes);
    };
    let texts: Vec<(String, String)> = files
        .into_iter()
        .map(|(name, config)| (name, pretty(&config)))
        .collect();
    design_files::write_new(folder, &texts)?;
    let count = texts.len();
    terminal::say(&format!(
        "wrote {count} configurations into {}",
        quoted(folder)
    ));
    Ok(Exit::Yes)
}

fn nats_files(design: &Design, made: &Made) -> Vec<(String, Json)> {
    files::nats(&desired(design, Engine::Nats, &of(made)))
}
