//! The design as a Mermaid flowchart: services, events, dead letters, dependencies.

use std::collections::HashMap;
use std::fmt::Write as _;

use tidegate_base::{Name, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{Dependency, Event, Order, Service};

use crate::ids::{Ids, word};

/// `design` as a Mermaid flowchart, from left to right.
///
/// Services stand in a box for each process that names them (the first one where several do),
/// publish events and consume them; a consumer's dead letters and dependencies hang off its service.
/// References that do not resolve are left out.
#[must_use]
pub fn mermaid(design: &Design) -> String {
    Chart::new(design).write()
}

/// Ids of everything drawn.
struct Chart<'a> {
    design: &'a Design,
    services: HashMap<&'a Name, String>,
    events: HashMap<&'a Name, String>,
    dependencies: HashMap<&'a Name, String>,
    ids: Ids,
}

impl<'a> Chart<'a> {
    fn new(design: &'a Design) -> Self {
        let mut ids = Ids::default();
        let mut named = |kind: &str, name: &'a Name| {
            (name, ids.claim(&format!("{kind}_{}", word(name.as_str()))))
        };
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
        Self {
            design,
            services,
            events,
            dependencies,
            ids,
        }
    }

    fn write(mut self) -> String {
        let mut text = String::from("flowchart LR\n");
        self.write_services(&mut text);
        for (name, event) in &self.design.events {
            if let Some(id) = self.events.get(name) {
                let _ = writeln!(text, "  {id}([\"{}\"])", event_label(name, event));
            }
        }
        for (name, dependency) in &self.design.dependencies {
            if let Some(id) = self.dependencies.get(name) {
                let _ = writeln!(
                    text,
                    "  {id}{{{{\"{}\"}}}}",
                    dependency_label(name, dependency)
                );
            }
        }
        self.write_publishing(&mut text);
        self.write_consuming(&mut text);
        text.push_str(
            "  classDef event fill:#e8f1fb,stroke:#3b6ea5,color:#12263a\n  \
             classDef dead fill:#fbeaea,stroke:#a53b3b,color:#3a1212\n  \
             classDef dependency fill:#f3f0e6,stroke:#8a7a3b,color:#2f2a12\n",
        );
        self.write_class(&mut text, "event", self.design.events.keys(), &self.events);
        let dependencies = self.design.dependencies.keys();
        self.write_class(&mut text, "dependency", dependencies, &self.dependencies);
        text
    }

    /// Services in the box of the first process that names them, then the others.
    fn write_services(&mut self, text: &mut String) {
        let design = self.design;
        let mut boxed: Vec<&Name> = Vec::new();
        for (process_name, process) in &design.processes {
            let steps: Vec<(&Name, &Service)> = process
                .steps
                .iter()
                .filter_map(|step| design.services.get_key_value(&step.value))
                .collect();
            let id = self
                .ids
                .claim(&format!("process_{}", word(process_name.as_str())));
            let _ = writeln!(
                text,
                "  subgraph {id}[\"{}\"]",
                escape(process_name.as_str())
            );
            for (name, service) in steps {
                if !boxed.contains(&name) {
                    boxed.push(name);
                    self.write_service(text, "    ", name, service);
                }
            }
            text.push_str("  end\n");
        }
        for (name, service) in design
            .services
            .iter()
            .filter(|(name, _)| !boxed.contains(name))
        {
            self.write_service(text, "  ", name, service);
        }
    }

    fn write_service(&self, text: &mut String, indent: &str, name: &Name, service: &Service) {
        let Some(id) = self.services.get(name) else {
            return;
        };
        let owner = service
            .owner
            .as_ref()
            .map(|owner| format!("<br/>{}", escape(&owner.value)));
        let label = format!("{}{}", escape(name.as_str()), owner.unwrap_or_default());
        let _ = writeln!(text, "{indent}{id}[\"{label}\"]");
    }

    fn write_publishing(&self, text: &mut String) {
        for (name, service) in &self.design.services {
            for published in &service.publishes {
                if let (Some(from), Some(to)) =
                    (self.services.get(name), self.events.get(&published.value))
                {
                    let _ = writeln!(text, "  {from} --> {to}");
                }
            }
        }
    }

    fn write_consuming(&mut self, text: &mut String) {
        let mut dead_ids = Vec::new();
        for consumer in self.design.consumers() {
            let Some(service) = self.services.get(consumer.service_name) else {
                continue;
            };
            let Some(event) = self.events.get(consumer.event_name) else {
                continue;
            };
            let deliver = &consumer.consume.deliver;
            let order = match consumer.consume.order.value {
                Order::None => "",
                Order::Key => ", order by key",
                Order::Total => ", total order",
            };
            let label = format!("{} at a time{order}", deliver.concurrency.value);
            let _ = writeln!(text, "  {event} -->|\"{label}\"| {service}");
            for need in &consumer.consume.needs {
                if let Some(dependency) = self.dependencies.get(&need.value) {
                    let _ = writeln!(text, "  {service} -.->|\"needs\"| {dependency}");
                }
            }
            if let Some(dead_letter) = &consumer.consume.dead_letter {
                let wanted = format!("dead_{}", word(&consumer.id().to_string()));
                let id = self.ids.claim(&wanted);
                let retention = format_duration(dead_letter.retention.value);
                let owner = dead_letter
                    .owner
                    .as_ref()
                    .map(|o| format!("<br/>{}", escape(&o.value)));
                let _ = writeln!(
                    text,
                    "  {id}[/\"dead letters of {}<br/>kept {retention}{}\"/]",
                    escape(&consumer.id().to_string()),
                    owner.unwrap_or_default()
                );
                let attempts = consumer.consume.retry.attempts.value;
                let plural = if attempts == 1 { "" } else { "s" };
                let _ = writeln!(
                    text,
                    "  {service} -->|\"after {attempts} attempt{plural}\"| {id}"
                );
                dead_ids.push(id);
            }
        }
        if !dead_ids.is_empty() {
            let _ = writeln!(text, "  class {} dead", dead_ids.join(","));
        }
    }

    fn write_class<'n>(
        &self,
        text: &mut String,
        class: &str,
        names: impl Iterator<Item = &'n Name>,
        ids: &HashMap<&Name, String>,
    ) {
        let ids: Vec<&str> = names
            .filter_map(|name| ids.get(name))
            .map(String::as_str)
            .collect();
        if !ids.is_empty() {
            let _ = writeln!(text, "  class {} {class}", ids.join(","));
        }
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
