//! An exchange of the system, a quorum queue of each consumer, and where its dead letters go.
//!
//! What may change later is in policies, as arguments of a queue never change. Sources: RabbitMQ documentation, "Quorum
//! Queues", "Dead Letter Exchanges" (at-least-once), "Policies", "Access Control".

use tidegate_base::{Name, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{ConsumerRef, Order};

use super::{Desired, Options, Wanted, millis, number};
use crate::resource::{Engine, Id, Kind};

/// The priority of policies: above those of everybody, which have 0.
const PRIORITY: i64 = 10;

/// The queue of a consumer.
#[must_use]
pub fn queue(consumer: ConsumerRef<'_>, prefix: &str) -> String {
    format!("{prefix}{}.{}", consumer.service_name, consumer.event_name)
}

/// The queue of its dead letters.
#[must_use]
pub fn dead_letter_queue(consumer: ConsumerRef<'_>, prefix: &str) -> String {
    format!("{}.dead-letters", queue(consumer, prefix))
}

/// Where dead letters of a system go.
#[must_use]
pub fn dead_letter_exchange(system: &Name, prefix: &str) -> String {
    format!("{prefix}{system}.dead-letters")
}

pub(super) fn desired(design: &Design, options: &Options) -> Desired {
    let mut desired = Desired::new(Engine::RabbitMq);
    let system = &design.system.value;
    let exchange = format!("{}{system}", options.prefix);
    let wanted = Wanted::because(format!("what the services of `{system}` publish"));
    desired.add(Kind::Exchange, &exchange, exchange_of(wanted, "topic"));
    let letters = dead_letter_exchange(system, &options.prefix);
    let mut has_letters = false;
    for consumer in design.consumers() {
        let name = queue(consumer, &options.prefix);
        let id = consumer.id();
        desired.add(Kind::Queue, &name, consumer_queue(consumer, options));
        let event = consumer.event_name;
        let because = format!("`{id}` consumes it");
        bind(&mut desired, (&exchange, &name, event.as_str()), &because);
        let store = consumer.consume.dead_letter.as_ref().map(|letter| {
            has_letters = true;
            (dead_letter_queue(consumer, &options.prefix), letter)
        });
        let letters = store.as_ref().map(|_| letters.as_str());
        policy(&mut desired, consumer, &name, letters);
        if let (Some((store, letter)), Some(letters)) = (store, letters) {
            let wanted = quorum(Wanted::because(format!("dead letters of `{id}`")), options);
            desired.add(Kind::Queue, &store, wanted);
            bind(&mut desired, (letters, &store, &name), "its dead letters");
            let retention = letter.retention.value;
            let because = format!("`dead-letter.retention: {}`", format_duration(retention));
            let wanted = of_queue(
                Wanted::because(format!("how long dead letters of `{id}` stay")),
                &store,
            )
            .want("definition.message-ttl", millis(retention), because);
            desired.add(Kind::Policy, &store, wanted);
        }
    }
    if has_letters {
        let wanted = Wanted::because("where what cannot be handled goes, by the queue's name");
        desired.add(Kind::Exchange, letters, exchange_of(wanted, "direct"));
    }
    permissions(&mut desired, design, &exchange, options);
    desired
}

fn exchange_of(wanted: Wanted, kind: &str) -> Wanted {
    wanted
        .want("type", kind, "queues are bound by the names of events")
        .want("durable", true, "it outlives a restart")
}

fn quorum(wanted: Wanted, options: &Options) -> Wanted {
    let wanted = wanted
        .want(
            "type",
            "quorum",
            "a replicated queue: its messages outlive a server",
        )
        .want("durable", true, "it outlives a restart");
    match options.replication {
        // A cluster of one has no more, whatever is asked for; it is an argument of new queues only.
        Some(replication) if replication > 1 => {
            let because = "so that it outlives servers";
            let setting = "argument.x-quorum-initial-group-size";
            wanted.want(setting, i64::from(replication), because)
        }
        _ => wanted,
    }
}

fn consumer_queue(consumer: ConsumerRef<'_>, options: &Options) -> Wanted {
    let wanted = quorum(
        Wanted::because(format!("consumer `{}`", consumer.id())),
        options,
    );
    let order = match consumer.consume.order.value {
        Order::None => return wanted,
        Order::Key => "key",
        Order::Total => "total",
    };
    let because = format!("`order: {order}`: with several consumers of a queue there is none");
    wanted.want("argument.x-single-active-consumer", true, because)
}

fn of_queue(wanted: Wanted, queue: &str) -> Wanted {
    let because = "of this queue alone";
    wanted
        .want("pattern", format!("^{}$", literal(queue)), because)
        .want("apply-to", "queues", because)
        .want("priority", PRIORITY, "before policies of everybody")
}

fn policy(desired: &mut Desired, consumer: ConsumerRef<'_>, queue: &str, letters: Option<&str>) {
    let Some(letters) = letters else {
        return;
    };
    let attempts = consumer.consume.retry.attempts.value;
    let lossless = "else RabbitMQ may lose a dead letter on its way";
    let because = format!("`retry.attempts: {attempts}`: one delivery and so many more");
    let wanted = Wanted::because(format!("when `{}` gives a message up", consumer.id()));
    let wanted = of_queue(wanted, queue)
        .want(
            "definition.dead-letter-exchange",
            letters,
            "`dead-letter` of the consumer",
        )
        .want(
            "definition.dead-letter-routing-key",
            queue,
            "to the queue of its dead letters",
        )
        .want("definition.dead-letter-strategy", "at-least-once", lossless)
        .want("definition.overflow", "reject-publish", lossless)
        .want(
            "definition.delivery-limit",
            number(attempts.saturating_sub(1)),
            because,
        );
    desired.add(Kind::Policy, queue, wanted);
}

fn bind(desired: &mut Desired, (exchange, queue, key): (&str, &str, &str), because: &str) {
    let id = Id::binding(exchange, queue, key);
    let wanted = Wanted::because(because)
        .want("source", exchange, because)
        .want("destination", queue, because)
        .want("routing_key", key, because);
    desired.add(Kind::Binding, id.name, wanted);
}

/// What each service's user may do. Users themselves have passwords, and are made by hand.
fn permissions(desired: &mut Desired, design: &Design, exchange: &str, options: &Options) {
    for (name, service) in &design.services {
        let queues: Vec<String> = design
            .consumers()
            .filter(|consumer| consumer.service_name == name)
            .map(|consumer| literal(&queue(consumer, &options.prefix)))
            .collect();
        let write = match service.publishes.is_empty() {
            true => "^$".to_owned(),
            false => format!("^{}$", literal(exchange)),
        };
        let read = match queues.is_empty() {
            true => "^$".to_owned(),
            false => format!("^({})$", queues.join("|")),
        };
        let because = "no more than the design says";
        let wanted = Wanted::because(format!("what user `{name}` may do"))
            .want("configure", "^$", because)
            .want("write", write, because)
            .want("read", read, because);
        desired.add(Kind::Permission, name.as_str(), wanted);
    }
}

/// A name as a regular expression that means just it. Names have no other character that means something.
fn literal(name: &str) -> String {
    name.replace('.', "\\.")
}
