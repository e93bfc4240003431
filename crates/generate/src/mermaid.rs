//! The design as a Mermaid flowchart: services, events, dead letters, dependencies.

use std::collections::{HashMap, HashSet};
use std::fmt;

use tidegate_base::{Name, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{ConsumerRef, DeadLetter, Dependency, Event, Order, Service};

use crate::ids::{Ids, word};

/// `design` as a Mermaid flowchart, from left to right.
///
/// Services stand in a box for each process that names them (the first one where several do),
/// publish events and consume them; a consumer's dead letters and dependencies hang off its service.
/// References that do not resolve are left out.
#[must_use]
pub fn mermaid(design: &Design) -> String {
    Chart::new(design).to_string()
}

/// Everything drawn, with its id.
struct Chart<'a> {
    design: &'a Design,
    processes: HashMap<&'a Name, String>,
    services: HashMap<&'a Name, String>,
    events: HashMap<&'a Name, String>,
    dependencies: HashMap<&'a Name, String>,
    /// The dead letters of consumers, in the order of the design.
    dead: Vec<(ConsumerRef<'a>, &'a DeadLetter, String)>,
}

impl<'a> Chart<'a> {
    fn new(design: &'a Design) -> Self {
        let mut ids = Ids::default();
        let mut named = |kind: &str, name: &'a Name| {
            (name, ids.claim(&format!("{kind}_{}", word(name.as_str()))))
        };
        let processes = design
            .processes
            .keys()
            .map(|name| named("process", name))
            .collect();
        let services = design
            .services
            .keys()
            .map(|name| named("service", name))
            .collect();
        let events = design
            .events
            .keys()
            .map(|name| named("event", name))
            .collect();
        let dependencies = design
            .dependencies
            .keys()
            .map(|n| named("dependency", n))
            .collect();
        let dead = design
            .consumers()
            .filter(|consumer| design.events.contains_key(consumer.event_name))
            .filter_map(|consumer| {
                let dead_letter = consumer.consume.dead_letter.as_ref()?;
                let id = ids.claim(&format!("dead_{}", word(&consumer.id().to_string())));
                Some((consumer, dead_letter, id))
            })
            .collect();
        Self {
            design,
            processes,
            services,
            events,
            dependencies,
            dead,
        }
    }

    /// Services in the box of the first process that names them, then the others.
    fn write_services(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut boxed: HashSet<&Name> = HashSet::new();
        for (process_name, process) in &self.design.processes {
            let steps = process.steps.iter();
            let found = steps.filter_map(|step| self.design.services.get_key_value(&step.value));
            let own: Vec<_> = found.filter(|(name, _)| boxed.insert(name)).collect();
            let Some(id) = self.processes.get(process_name).filter(|_| !own.is_empty()) else {
                continue;
            };
            writeln!(f, "  subgraph {id}[\"{}\"]", escape(process_name.as_str()))?;
            for (name, service) in own {
                self.write_service(f, "    ", name, service)?;
            }
            writeln!(f, "  end")?;
        }
        for (name, service) in self
            .design
            .services
            .iter()
            .filter(|(n, _)| !boxed.contains(n))
        {
            self.write_service(f, "  ", name, service)?;
        }
        Ok(())
    }

    fn write_service(
        &self,
        f: &mut fmt::Formatter<'_>,
        indent: &str,
        name: &Name,
        service: &Service,
    ) -> fmt::Result {
        let Some(id) = self.services.get(name) else {
            return Ok(());
        };
        let owner = service
            .owner
            .as_ref()
            .map(|owner| format!("<br/>{}", escape(&owner.value)));
        let label = format!("{}{}", escape(name.as_str()), owner.unwrap_or_default());
        writeln!(f, "{indent}{id}[\"{label}\"]")
    }

    fn write_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, event) in &self.design.events {
            if let Some(id) = self.events.get(name) {
                writeln!(f, "  {id}([\"{}\"])", event_label(name, event))?;
            }
        }
        Ok(())
    }

    fn write_dependencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, dependency) in &self.design.dependencies {
            if let Some(id) = self.dependencies.get(name) {
                writeln!(
                    f,
                    "  {id}{{{{\"{}\"}}}}",
                    dependency_label(name, dependency)
                )?;
            }
        }
        Ok(())
    }

    fn write_publishing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, service) in &self.design.services {
            for published in &service.publishes {
                let from = self.services.get(name);
                if let (Some(from), Some(to)) = (from, self.events.get(&published.value)) {
                    writeln!(f, "  {from} --> {to}")?;
                }
            }
        }
        Ok(())
    }

    fn write_consuming(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut needed = HashSet::new();
        for consumer in self.design.consumers() {
            let Some(service) = self.services.get(consumer.service_name) else {
                continue;
            };
            let Some(event) = self.events.get(consumer.event_name) else {
                continue;
            };
            let order = match consumer.consume.order.value {
                Order::None => "",
                Order::Key => ", order by key",
                Order::Total => ", total order",
            };
            let concurrency = consumer.consume.deliver.concurrency.value;
            writeln!(
                f,
                "  {event} -->|\"{concurrency} at a time{order}\"| {service}"
            )?;
            for need in &consumer.consume.needs {
                let Some(dependency) = self.dependencies.get(&need.value) else {
                    continue;
                };
                if needed.insert((service, dependency)) {
                    writeln!(f, "  {service} -.->|\"needs\"| {dependency}")?;
                }
            }
        }
        Ok(())
    }

    fn write_dead_letters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (consumer, dead_letter, id) in &self.dead {
            let Some(service) = self.services.get(consumer.service_name) else {
                continue;
            };
            let owner = dead_letter
                .owner
                .as_ref()
                .map(|o| format!("<br/>{}", escape(&o.value)));
            let label = format!(
                "dead letters of {}<br/>kept {}{}",
                escape(&consumer.id().to_string()),
                format_duration(dead_letter.retention.value),
                owner.unwrap_or_default()
            );
            writeln!(f, "  {id}[/\"{label}\"/]")?;
            let attempts = consumer.consume.retry.most_attempts();
            let plural = if attempts == 1 { "" } else { "s" };
            writeln!(
                f,
                "  {service} -->|\"after {attempts} attempt{plural}\"| {id}"
            )?;
        }
        Ok(())
    }

    /// Colours that read on light and dark.
    fn write_classes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |ids: &HashMap<&Name, String>, names: Vec<&Name>| -> Vec<String> {
            names
                .into_iter()
                .filter_map(|name| ids.get(name))
                .cloned()
                .collect()
        };
        let dead = self.dead.iter().map(|(_, _, id)| id.clone()).collect();
        let events = ids(&self.events, self.design.events.keys().collect());
        let dependencies = ids(
            &self.dependencies,
            self.design.dependencies.keys().collect(),
        );
        for (class, style, members) in [
            ("event", "fill:#e8f1fb,stroke:#3b6ea5,color:#12263a", events),
            ("dead", "fill:#fbeaea,stroke:#a53b3b,color:#3a1212", dead),
            (
                "dependency",
                "fill:#f3f0e6,stroke:#8a7a3b,color:#2f2a12",
                dependencies,
            ),
        ] {
            if !members.is_empty() {
                writeln!(f, "  classDef {class} {style}")?;
                writeln!(f, "  class {} {class}", members.join(","))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flowchart LR")?;
        self.write_services(f)?;
        self.write_events(f)?;
        self.write_dependencies(f)?;
        self.write_publishing(f)?;
        self.write_consuming(f)?;
        self.write_dead_letters(f)?;
        self.write_classes(f)
    }
}

fn event_label(name: &Name, event: &Event) -> String {
    let targets = &event.targets;
    let rate = match (targets.rate, targets.peak) {
        (Some(rate), Some(peak)) => format!("<br/>{rate}, peak {peak}"),
        (Some(rate), None) => format!("<br/>{rate}"),
        (None, Some(peak)) => format!("<br/>peak {peak}"),
        (None, None) => String::new(),
    };
    let p99 = targets
        .p99
        .map(|p99| format!("<br/>p99 {}", format_duration(p99)));
    format!("{}{rate}{}", escape(name.as_str()), p99.unwrap_or_default())
}

fn dependency_label(name: &Name, dependency: &Dependency) -> String {
    let breaker = &dependency.breaker;
    format!(
        "{}<br/>breaker: opens at {} for {}",
        escape(name.as_str()),
        breaker.failure_rate.value,
        format_duration(breaker.open.value)
    )
}

/// `text` as it may stand within a quoted label.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '&' => escaped.push_str("#amp;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '`' => escaped.push_str("#96;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
