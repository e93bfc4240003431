//! `tidegate import --from`: a design of a broker that runs.

use std::path::Path;
use std::sync::Arc;

use tidegate_asyncapi::Imported;
use tidegate_check::report::{Format, render};
use tidegate_estate::Broker;
use tidegate_model::Source;
use tidegate_topology::{Engine, import};

use super::import::{finish, system};
use crate::arguments::asyncapi::Target;
use crate::commands::select::pretty;
use crate::estate::{address, failed};
use crate::exit::{Exit, Failure};
use crate::terminal::say;

pub(super) fn run(url: &str, settings: Option<&Path>, target: &Target) -> Result<Exit, Failure> {
    let address = address(url, settings)?;
    let broker = Broker::open(&address).map_err(|error| failed(&error))?;
    let system = system(target)?;
    if address.engine == Engine::RabbitMq {
        let mut definitions = broker.definitions().map_err(|error| failed(&error))?;
        // Who may log in is no part of a design, and not to be shown.
        if let Some(object) = definitions.as_object_mut() {
            for key in ["users", "permissions", "topic_permissions"] {
                object.shift_remove(key);
            }
        }
        let source = Source {
            name: Arc::from(format!("the definitions of {}", address.servers)),
            text: pretty(&definitions),
        };
        let imported = tidegate_asyncapi::rabbitmq::import(&source, &system);
        say("schemas and publishers are unknown: RabbitMQ does not know them");
        return finish(&imported, target, |paint| {
            let sources = [(&*source.name, source.text.as_str())];
            render(Format::Human, &imported.findings, &sources, paint)
        });
    }
    let topology = broker.topology().map_err(|error| failed(&error))?;
    let found = match address.engine {
        Engine::Kafka => {
            let groups = broker.groups().map_err(|error| failed(&error))?;
            import::kafka(&topology, &groups, &system)
        }
        _ => import::nats(&topology, &system),
    };
    for unknown in topology.unread.iter().chain(&found.unknown) {
        say(unknown);
    }
    let imported = Imported {
        design: found.design,
        files: Vec::new(),
        flows: Vec::new(),
        findings: Vec::new(),
    };
    finish(&imported, target, |_| String::new())
}
