//! Exchanges, queues and bindings as they are exported, policies applied.

use serde_json::json;

use crate::bundle::At;
use crate::codes::{LOST, STRUCTURE};
use crate::findings::{Findings, excerpt};
use crate::import::report;
use crate::node::{Kind, Node};

/// How often a quorum queue delivers again when nothing else is said. Source: RabbitMQ 4.0 release
/// notes.
const QUORUM_DELIVERY_LIMIT: u64 = 20;

/// What is exported.
pub(super) struct Topology<'b> {
    pub(super) queues: Vec<Queue<'b>>,
    exchanges: Vec<Exchange<'b>>,
    bindings: Vec<Binding<'b>>,
    /// The exchanges that send on to others, with their virtual hosts.
    onward: Vec<(&'b str, &'b str)>,
}

pub(super) struct Queue<'b> {
    pub(super) name: &'b str,
    pub(super) vhost: &'b str,
    pub(super) at: At<'b>,
    pub(super) dead_letter_exchange: Option<&'b str>,
    dead_letter_key: Option<&'b str>,
    /// Milliseconds.
    pub(super) ttl: Option<u64>,
    pub(super) delivery_limit: Option<u64>,
    pub(super) is_single_active: bool,
}

impl Queue<'_> {
    pub(super) fn is(&self, other: &Queue<'_>) -> bool {
        self.name == other.name && self.vhost == other.vhost
    }
}

struct Exchange<'b> {
    name: &'b str,
    vhost: &'b str,
    kind: &'b str,
}

struct Binding<'b> {
    vhost: &'b str,
    source: &'b str,
    queue: &'b str,
    key: &'b str,
}

/// What an exchange routes by a key; the key is empty where the exchange routes everything.
pub(super) struct Routed<'b> {
    pub(super) vhost: &'b str,
    pub(super) exchange: &'b str,
    pub(super) key: String,
}

impl Routed<'_> {
    /// What the event may be called, best first.
    pub(super) fn wanted(&self) -> Vec<String> {
        let key = self.key.replace('*', "any").replace('#', "all");
        match (self.exchange, key.as_str()) {
            ("", key) => vec![key.to_owned(), format!("{}.{key}", self.vhost)],
            (exchange, "") => vec![exchange.to_owned(), format!("{}.{exchange}", self.vhost)],
            (exchange, key) => vec![key.to_owned(), format!("{exchange}.{key}")],
        }
    }
}

impl<'b> Topology<'b> {
    pub(super) fn read(root: &At<'b>, findings: &mut Findings<'_>) -> Self {
        let mut lists = LISTS.map(|key| list(root, key, findings)).into_iter();
        let mut next = || lists.next().unwrap_or_default();
        let (queues, exchanges, bindings, policies) = (next(), next(), next(), next());
        let mut topology = Self {
            queues: queues
                .iter()
                .filter_map(|at| queue(at, &policies, findings))
                .collect(),
            exchanges: exchanges.iter().filter_map(exchange).collect(),
            bindings: Vec::new(),
            onward: Vec::new(),
        };
        for at in bindings {
            topology.add_binding(&at, findings);
        }
        lifetimes(&queues, "queue", findings);
        lifetimes(&exchanges, "exchange", findings);
        virtual_hosts(queues.iter().chain(&exchanges), findings);
        for key in [
            "users",
            "permissions",
            "topic_permissions",
            "parameters",
            "global_parameters",
        ] {
            if let Some(at) = root.step(key).filter(|at| !at.node.items().is_empty()) {
                let message = format!("lost: `{key}`");
                report(findings, &LOST, (at.node.span, &at.path), message);
            }
        }
        topology
    }

    fn add_binding(&mut self, at: &At<'b>, findings: &mut Findings<'_>) {
        let text = |key: &str| at.node.text_of(key).unwrap_or_default();
        let (source, destination, key) = (text("source"), text("destination"), text("routing_key"));
        let lose = |findings: &mut Findings<'_>, what: String| {
            report(findings, &LOST, (at.node.span, &at.path), what);
        };
        if text("destination_type") == "exchange" {
            self.onward.push((vhost(at.node), source));
            let message = format!(
                "lost: exchange `{}` sends on to exchange `{}`",
                excerpt(source),
                excerpt(destination)
            );
            return lose(findings, message);
        }
        if at
            .node
            .get("arguments")
            .is_some_and(|arguments| arguments.entries().next().is_some())
        {
            lose(
                findings,
                format!(
                    "lost: arguments of the binding of `{}`",
                    excerpt(destination)
                ),
            );
        }
        self.bindings.push(Binding {
            vhost: vhost(at.node),
            source,
            queue: destination,
            key,
        });
    }

    fn kind(&self, vhost: &str, exchange: &str) -> &'b str {
        let found = self
            .exchanges
            .iter()
            .find(|e| e.vhost == vhost && e.name == exchange);
        found.map_or_else(|| built_in(exchange), |exchange| exchange.kind)
    }

    /// What is routed to a queue; what is sent to it by its name where nothing else is.
    pub(super) fn events_of<'t>(
        &'t self,
        queue: &'t Queue<'b>,
    ) -> impl Iterator<Item = Routed<'b>> + 't {
        let mut events: Vec<Routed<'b>> = Vec::new();
        let bindings = self.bindings.iter().filter(|binding| {
            binding.vhost == queue.vhost
                && binding.queue == queue.name
                && !binding.source.is_empty()
        });
        for binding in bindings {
            for key in self.keys(binding) {
                events.push(Routed {
                    vhost: binding.vhost,
                    exchange: binding.source,
                    key,
                });
            }
        }
        if events.is_empty() {
            events.push(Routed {
                vhost: queue.vhost,
                exchange: "",
                key: queue.name.to_owned(),
            });
        }
        events.into_iter()
    }

    /// The keys that a binding takes: those of others that its pattern fits, or the pattern itself.
    fn keys(&self, binding: &Binding<'b>) -> Vec<String> {
        match self.kind(binding.vhost, binding.source) {
            "direct" => vec![binding.key.to_owned()],
            "topic" if is_pattern(binding.key) => {
                let mut keys: Vec<String> = self
                    .bindings
                    .iter()
                    .filter(|other| other.vhost == binding.vhost && other.source == binding.source)
                    .filter(|other| !is_pattern(other.key) && fits(binding.key, other.key))
                    .map(|other| other.key.to_owned())
                    .collect();
                keys.sort();
                keys.dedup();
                if keys.is_empty() {
                    keys.push(binding.key.to_owned());
                }
                keys
            }
            "topic" => vec![binding.key.to_owned()],
            _ => vec![String::new()],
        }
    }

    /// The queues that dead letters of a queue are routed to.
    pub(super) fn dead_letters_of<'t>(
        &'t self,
        queue: &'t Queue<'b>,
    ) -> impl Iterator<Item = &'t Queue<'b>> {
        let exchange = queue.dead_letter_exchange;
        let keys = self.keys_of_letters(queue);
        self.queues.iter().filter(move |other| {
            let Some(exchange) = exchange.filter(|_| other.vhost == queue.vhost) else {
                return false;
            };
            if exchange.is_empty() {
                return queue.dead_letter_key == Some(other.name);
            }
            let own = self.bindings_of(queue.vhost, exchange);
            let mut own = own.filter(|binding| binding.queue == other.name);
            own.any(|binding| keys.iter().any(|key| self.takes(binding, *key)))
        })
    }

    /// What an exchange sends on to queues.
    fn bindings_of<'t>(
        &'t self,
        vhost: &'t str,
        exchange: &'t str,
    ) -> impl Iterator<Item = &'t Binding<'b>> {
        let all = self.bindings.iter();
        all.filter(move |binding| binding.vhost == vhost && binding.source == exchange)
    }

    /// The keys of the dead letters of a queue: the one that it gives them, or those that its
    /// messages came by.
    fn keys_of_letters(&self, queue: &Queue<'b>) -> Vec<Key<'b>> {
        if let Some(key) = queue.dead_letter_key {
            return vec![Key::Exactly(key)];
        }
        let bindings = self.bindings.iter().filter(|binding| {
            binding.vhost == queue.vhost
                && binding.queue == queue.name
                && !binding.source.is_empty()
        });
        let keys = bindings.map(|binding| match self.kind(binding.vhost, binding.source) {
            "topic" if is_pattern(binding.key) => Key::Fits(binding.key),
            "direct" | "topic" => Key::Exactly(binding.key),
            _ => Key::Any,
        });
        let mut keys: Vec<Key<'b>> = keys.collect();
        if keys.is_empty() {
            keys.push(Key::Exactly(queue.name));
        }
        keys
    }

    /// The keys of dead letters of a queue that no binding of their exchange takes, by which the
    /// broker drops them; none where the exchange has no bindings at all.
    pub(super) fn dropped_letters(&self, queue: &Queue<'b>) -> Vec<&'b str> {
        let Some(exchange) = queue.dead_letter_exchange.filter(|name| !name.is_empty()) else {
            return Vec::new();
        };
        let bindings: Vec<_> = self.bindings_of(queue.vhost, exchange).collect();
        let keys = self.keys_of_letters(queue).into_iter();
        let dropped = keys.filter_map(|key| {
            let written = match key {
                Key::Exactly(written) | Key::Fits(written) => written,
                Key::Any => return None,
            };
            let is_dropped = !bindings.is_empty() && !self.sends_on(queue.vhost, exchange);
            let is_taken = bindings.iter().any(|binding| self.takes(binding, key));
            (is_dropped && !is_taken).then_some(written)
        });
        dropped.collect()
    }

    /// Whether an exchange has another one to send to, which is not followed.
    fn sends_on(&self, vhost: &str, exchange: &str) -> bool {
        let mut all = self.onward.iter();
        all.any(|(of, name)| *of == vhost && *name == exchange)
    }

    /// Whether a binding takes a message with such a key, as far as it is known.
    fn takes(&self, binding: &Binding<'b>, key: Key<'_>) -> bool {
        match (self.kind(binding.vhost, binding.source), key) {
            ("direct", Key::Exactly(key)) => binding.key == key,
            ("direct", Key::Fits(pattern)) => fits(pattern, binding.key),
            ("topic", Key::Exactly(key)) => fits(binding.key, key),
            ("topic", Key::Fits(pattern)) if !is_pattern(binding.key) => fits(pattern, binding.key),
            _ => true,
        }
    }
}

/// The routing key of a message, as far as the bindings of its queue tell.
#[derive(Clone, Copy)]
enum Key<'b> {
    Exactly(&'b str),
    Fits(&'b str),
    Any,
}

/// The lists of an export that are read.
const LISTS: [&str; 4] = ["queues", "exchanges", "bindings", "policies"];

/// The entries of a list of the export; what is no list, or no entry of one, is an error.
fn list<'b>(root: &At<'b>, key: &str, findings: &mut Findings<'_>) -> Vec<At<'b>> {
    let Some(at) = root.step(key) else {
        return Vec::new();
    };
    let mut refuse = |at: &At<'b>, message: String| {
        report(findings, &STRUCTURE, (at.node.span, &at.path), message);
    };
    if !matches!(at.node.kind, Kind::List(_)) {
        refuse(
            &at,
            format!("`{key}` is a list in an export of definitions"),
        );
        return Vec::new();
    }
    let texts: &[&str] = match key {
        "bindings" => &["source", "destination"],
        "policies" => &["pattern"],
        _ => &["name"],
    };
    let mut entries = Vec::new();
    for entry in at.items() {
        let lacking = texts.iter().find(|text| entry.node.text_of(text).is_none());
        let wrong = [
            "vhost",
            "type",
            "routing_key",
            "destination_type",
            "apply-to",
        ]
        .iter()
        .find(|text| {
            entry
                .node
                .get(text)
                .is_some_and(|node| node.text().is_none())
        });
        match (entry.node.map(), lacking.or(wrong)) {
            (None, _) => refuse(&entry, format!("an entry of `{key}` is an object")),
            (Some(_), Some(text)) => {
                let message = format!("`{text}` of an entry of `{key}` is a text");
                refuse(&entry, message);
            }
            (Some(_), None) => entries.push(entry),
        }
    }
    entries
}

/// What may be gone before its messages are read: a design has events that stay.
fn lifetimes(entries: &[At<'_>], what: &str, findings: &mut Findings<'_>) {
    for at in entries {
        let name = at.node.text_of("name").unwrap_or_default();
        let is = |key: &str, value: bool| at.node.get(key).is_some_and(|n| n.to_json() == value);
        let said = [
            (is("durable", false), "`durable: false`"),
            (is("auto_delete", true), "`auto_delete: true`"),
        ];
        for (_, said) in said.into_iter().filter(|(is_said, _)| *is_said) {
            let message = format!("lost: {said} of {what} `{}`", excerpt(name));
            report(findings, &LOST, (at.node.span, &at.path), message);
        }
    }
}

/// A system is one virtual host: others are told by the summaries of events alone.
fn virtual_hosts<'a, 'b: 'a>(
    entries: impl Iterator<Item = &'a At<'b>>,
    findings: &mut Findings<'_>,
) {
    let mut known = vec!["/"];
    for at in entries {
        let name = vhost(at.node);
        if !known.contains(&name) {
            known.push(name);
            let message = format!("lost: the virtual host `{}`", excerpt(name));
            report(findings, &LOST, (at.node.span, &at.path), message);
        }
    }
}

fn vhost(node: &Node) -> &str {
    node.text_of("vhost").unwrap_or("/")
}

fn built_in(exchange: &str) -> &'static str {
    match exchange {
        "amq.topic" => "topic",
        "amq.fanout" => "fanout",
        "amq.headers" | "amq.match" => "headers",
        _ => "direct",
    }
}

fn exchange<'b>(at: &At<'b>) -> Option<Exchange<'b>> {
    Some(Exchange {
        name: at.node.text_of("name")?,
        vhost: vhost(at.node),
        kind: at.node.text_of("type").unwrap_or("direct"),
    })
}

/// Arguments that are carried, or say nothing of the system.
const CARRIED: [&str; 8] = [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-message-ttl",
    "x-delivery-limit",
    "x-single-active-consumer",
    "x-queue-type",
    "x-expires",
    "x-quorum-initial-group-size",
];

fn queue<'b>(at: &At<'b>, policies: &[At<'b>], findings: &mut Findings<'_>) -> Option<Queue<'b>> {
    let name = at.node.text_of("name")?;
    let vhost = vhost(at.node);
    let arguments = at.node.get("arguments");
    let kind = at
        .node
        .text_of("type")
        .or_else(|| arguments?.text_of("x-queue-type"));
    let policy = policy(name, vhost, kind.unwrap_or("classic"), policies);
    // An argument of the queue itself comes before the policy.
    let find = |key: &str| {
        let argument = arguments.and_then(|arguments| arguments.get(&format!("x-{key}")));
        argument.or_else(|| policy.and_then(|policy| policy.get("definition")?.get(key)))
    };
    let number = |key: &str| find(key).and_then(|node| node.to_json().as_u64());
    for (key, entry) in arguments.into_iter().flat_map(Node::entries) {
        if !CARRIED.contains(&key) {
            let message = format!("lost: `{}` of queue `{}`", excerpt(key), excerpt(name));
            report(findings, &LOST, (entry.key, &at.path), message);
        }
    }
    let is_quorum = kind == Some("quorum");
    let limit = find("delivery-limit");
    if let Some(limit) = limit.filter(|_| !is_quorum) {
        let message = format!(
            "lost: `delivery-limit` of queue `{}`: only quorum queues have one",
            excerpt(name)
        );
        report(findings, &LOST, (limit.span, &at.path), message);
    }
    // A limit below zero is none.
    let limit = match limit {
        Some(_) => number("delivery-limit"),
        None => Some(QUORUM_DELIVERY_LIMIT),
    };
    Some(Queue {
        name,
        vhost,
        at: at.clone(),
        dead_letter_exchange: find("dead-letter-exchange").and_then(Node::text),
        dead_letter_key: find("dead-letter-routing-key").and_then(Node::text),
        ttl: number("message-ttl"),
        delivery_limit: limit.filter(|_| is_quorum),
        is_single_active: find("single-active-consumer").is_some_and(|node| node.to_json() == true),
    })
}

/// The policy of a queue: of those whose pattern fits, the one with the highest priority.
fn policy<'b>(name: &str, vhost_of: &str, kind: &str, policies: &[At<'b>]) -> Option<&'b Node> {
    let applies = |node: &Node| {
        let to = node.text_of("apply-to").unwrap_or("all");
        let is_for = matches!(to, "all" | "queues") || to == format!("{kind}_queues");
        let pattern = node.text_of("pattern").unwrap_or_default();
        is_for && vhost(node) == vhost_of && matches_pattern(pattern, name)
    };
    policies
        .iter()
        .map(|at| at.node)
        .filter(|node| applies(node))
        .max_by_key(|node| {
            node.get("priority")
                .and_then(|p| p.to_json().as_i64())
                .unwrap_or(0)
        })
}

fn matches_pattern(pattern: &str, name: &str) -> bool {
    let schema = json!({"type": "string", "pattern": pattern});
    jsonschema::validator_for(&schema).is_ok_and(|validator| validator.is_valid(&json!(name)))
}

fn is_pattern(key: &str) -> bool {
    key.split('.').any(|word| word == "*" || word == "#")
}

/// Whether a key fits a pattern of a topic exchange: `*` is one word, `#` any number of them.
fn fits(pattern: &str, key: &str) -> bool {
    let words: Vec<&str> = key.split('.').collect();
    // Which numbers of words the pattern so far can have taken.
    let mut taken = vec![false; words.len() + 1];
    if let Some(start) = taken.first_mut() {
        *start = true;
    }
    for part in pattern.split('.') {
        let mut next = vec![false; words.len() + 1];
        let mut any_before = false;
        for (position, slot) in next.iter_mut().enumerate() {
            let here = taken.get(position).copied().unwrap_or(false);
            let before = position > 0 && taken.get(position - 1).copied().unwrap_or(false);
            let word = position
                .checked_sub(1)
                .and_then(|position| words.get(position));
            any_before |= here;
            *slot = match part {
                "#" => any_before,
                "*" => before,
                part => before && word == Some(&part),
            };
        }
        taken = next;
    }
    taken.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_topic_exchanges_fit_as_the_broker_says() {
        for (pattern, key, expected) in [
            ("orders.*", "orders.placed", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.a.b", false),
            ("orders.#", "orders", true),
            ("orders.#", "orders.a.b", true),
            ("#", "anything.at.all", true),
            ("*.b.#.d", "a.b.c.d", true),
            ("*.b.#.d", "a.b.d", true),
            ("*.b.#.d", "b.d", false),
            ("#.x", "x", true),
        ] {
            assert_eq!(fits(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn policies_match_by_regular_expressions() {
        assert!(matches_pattern("^orders\\.", "orders.billing"));
        assert!(!matches_pattern("^orders$", "orders.billing"));
        assert!(!matches_pattern("[", "x"));
    }
}
