//! What the messaging infrastructure must be or do.

use super::{choice, field, lines};
use crate::shape::Presence::{Derived, Optional};
use crate::shape::{Kind, Repeats, Section};
use crate::words::Choice;

/// The brokers that a design can run on.
const BROKERS: &[Choice] = &[
    choice("embedded", "The log in this program."),
    choice("kafka", "Apache Kafka and what speaks its protocol."),
    choice("rabbitmq", "RabbitMQ."),
    choice("nats", "NATS JetStream."),
];

/// Where messaging infrastructure may run.
const CLOUDS: &[Choice] = &[
    choice("self-hosted", "On machines of one's own."),
    choice("aws", "Amazon Web Services."),
    choice("gcp", "Google Cloud."),
    choice("azure", "Microsoft Azure."),
];

pub(super) static MESSAGING: Section = Section {
    name: "messaging",
    summary: "What the messaging infrastructure must be or do.",
    fields: &[
        field(
            "broker",
            Kind::Word(BROKERS),
            Optional,
            "The broker that was chosen.",
            "kafka",
        ),
        field(
            "existing",
            lines(),
            Optional,
            "What already runs.",
            "[kafka, postgres]",
        ),
        field(
            "clouds",
            Kind::List(&Kind::Word(CLOUDS), Repeats::Refused),
            Derived("anywhere"),
            "Where it may run.",
            "[self-hosted, aws]",
        ),
        field(
            "requires",
            lines(),
            Optional,
            "Hard needs beyond what the design implies.",
            "[replay, delay]",
        ),
        field(
            "weights",
            Kind::Weights,
            Optional,
            "How much each criterion of the choice weighs; others weigh as usual.",
            "{latency: 2, durability: 1}",
        ),
    ],
};
