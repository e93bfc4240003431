//! The design so far.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use tidegate_base::Name;

/// What a design is called when nothing says its name.
const UNNAMED: &str = "imported";

/// A design that is being made.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) system: Option<String>,
    pub(crate) processes: Map<String, Value>,
    pub(crate) events: Map<String, Value>,
    pub(crate) services: IndexMap<String, Service>,
    pub(crate) dependencies: Map<String, Value>,
    pub(crate) messaging: Map<String, Value>,
    pub(crate) files: Vec<(String, String)>,
}

/// A service that is being made.
#[derive(Default)]
pub(crate) struct Service {
    /// Its summary and owner.
    pub(crate) about: Map<String, Value>,
    publishes: Vec<String>,
    /// The versions in which an event is published, where somebody says so.
    versions: Map<String, Value>,
    consumes: Map<String, Value>,
}

impl Service {
    pub(crate) fn publishes(&self, event: &str) -> bool {
        self.publishes.iter().any(|known| known == event)
    }

    pub(crate) fn consumes(&self, event: &str) -> bool {
        self.consumes.contains_key(event)
    }

    fn finish(self) -> Value {
        let mut service = self.about;
        if !self.publishes.is_empty() {
            let publishes = self
                .publishes
                .iter()
                .map(|event| match self.versions.get(event) {
                    Some(versions) => json!({"event": event, "versions": versions}),
                    None => json!(event),
                });
            service.insert("publishes".to_owned(), publishes.collect());
        }
        if !self.consumes.is_empty() {
            service.insert("consumes".to_owned(), Value::Object(self.consumes));
        }
        Value::Object(service)
    }
}

impl Draft {
    /// The design's own fields, in the order of the language, and its files.
    pub(crate) fn finish(self, system: Option<&Name>) -> (Value, Vec<(String, String)>) {
        let system = system
            .map(ToString::to_string)
            .or(self.system)
            .unwrap_or_else(|| UNNAMED.to_owned());
        let services = self.services.into_iter();
        let services = services.map(|(name, service)| (name, service.finish()));
        let mut design = Map::new();
        design.insert("tidegate".to_owned(), json!(1));
        design.insert("system".to_owned(), json!(system));
        for (name, section) in [
            ("processes", self.processes),
            ("events", self.events),
            ("services", services.collect()),
            ("dependencies", self.dependencies),
            ("messaging", self.messaging),
        ] {
            if !section.is_empty() {
                design.insert(name.to_owned(), Value::Object(section));
            }
        }
        (Value::Object(design), self.files)
    }

    /// A service, made when it is new.
    pub(crate) fn service(&mut self, name: &str) -> &mut Service {
        self.services.entry(name.to_owned()).or_default()
    }

    /// Adds an event to those that a service publishes.
    pub(crate) fn publish(&mut self, service: &str, event: &str) {
        let service = self.service(service);
        if !service.publishes(event) {
            service.publishes.push(event.to_owned());
        }
    }

    /// Says in which versions a service publishes an event.
    pub(crate) fn publish_versions(&mut self, service: &str, event: &str, versions: Value) {
        self.service(service)
            .versions
            .insert(event.to_owned(), versions);
    }

    /// Adds an event to those that a service consumes. The first contract counts: `false` when this
    /// is another one.
    pub(crate) fn consume(
        &mut self,
        service: &str,
        event: &str,
        contract: Map<String, Value>,
    ) -> bool {
        let consumes = &mut self.service(service).consumes;
        match consumes.get(event) {
            Some(known) => known.as_object() == Some(&contract),
            None => {
                consumes.insert(event.to_owned(), Value::Object(contract));
                true
            }
        }
    }
}
