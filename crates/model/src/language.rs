//! The language, in one place: every section and field with its kind, default, meaning and example.
//!
//! A change here changes the reader and the published JSON Schema together; what a field becomes in
//! the design is in [`crate::resolve`].

mod contract;
mod flow;
mod messaging;
mod retry;

use std::time::Duration;

use tidegate_base::limit::CONCURRENCY_MAX;

use crate::design::{
    CleanupPolicy, Compatibility, Criticality, Followers, Guarantee, Order, Replay, Transaction,
};
use crate::shape::Presence::{Default, Derived, Optional, Required};
use crate::shape::{Field, Kind, Presence, Repeats, Section, Share};
use crate::words::{Choice, Word};

/// The version of the language that this reader reads.
pub(crate) const VERSION: u32 = 1;

/// The shortest duration that is not zero.
const POSITIVE: Duration = Duration::from_nanos(1);

/// Most attempts and calls that a count may ask for; no honest design comes near it.
const COUNT_MAX: u32 = 1_000_000;

const fn field(
    name: &'static str,
    kind: Kind,
    presence: Presence,
    summary: &'static str,
    example: &'static str,
) -> Field {
    Field {
        name,
        kind,
        presence,
        summary,
        example,
    }
}

const fn choice(word: &'static str, summary: &'static str) -> Choice {
    Choice { word, summary }
}

const fn names() -> Kind {
    Kind::List(&Kind::Name, Repeats::Refused)
}

const fn lines() -> Kind {
    Kind::List(&Kind::Line, Repeats::Refused)
}

const SUMMARY: Field = field(
    "summary",
    Kind::Text,
    Optional,
    "What it is, in one sentence.",
    "What a reader needs to know.",
);
const OWNER: Field = field(
    "owner",
    Kind::Line,
    Optional,
    "The person or team who answers for it.",
    "team-orders",
);

/// The whole design.
pub(crate) static DESIGN: Section = Section {
    name: "design",
    summary: "The design of an event-driven system.",
    fields: &[
        field(
            "tidegate",
            Kind::Version,
            Required,
            "The version of the design language.",
            "1",
        ),
        field(
            "system",
            Kind::Name,
            Required,
            "The name of the system.",
            "checkout",
        ),
        field(
            "processes",
            Kind::Named(&PROCESS),
            Optional,
            "Business processes by name: the stakeholder's words for a chain of services.",
            "{checkout: {steps: [orders, billing]}}",
        ),
        field(
            "events",
            Kind::Named(&EVENT),
            Optional,
            "Events by name: facts that happened, which services publish and consume.",
            "{OrderPlaced: {owner: team-orders}}",
        ),
        field(
            "services",
            Kind::Named(&SERVICE),
            Optional,
            "Services by name: what each publishes and consumes.",
            "{orders: {publishes: [OrderPlaced]}}",
        ),
        field(
            "dependencies",
            Kind::Named(&DEPENDENCY),
            Optional,
            "What handlers depend on, by name; each has its own circuit breaker.",
            "{payments-api: {owner: team-payments}}",
        ),
        field(
            "messaging",
            Kind::Section(&messaging::MESSAGING),
            Optional,
            "What the messaging infrastructure must be or do.",
            "{broker: kafka}",
        ),
    ],
};

static PROCESS: Section = Section {
    name: "process",
    summary: "A business process: the stakeholder's words for a chain of services.",
    fields: &[
        SUMMARY,
        OWNER,
        field(
            "criticality",
            Kind::Word(Criticality::CHOICES),
            Default("medium"),
            "How much the business depends on it.",
            "high",
        ),
        field(
            "steps",
            Kind::List(&Kind::Name, Repeats::Allowed),
            Optional,
            "The services that it passes through, in order.",
            "[orders, billing]",
        ),
    ],
};

static EVENT: Section = Section {
    name: "event",
    summary: "A fact that happened, which services publish and consume.",
    fields: &[
        field(
            "type",
            Kind::Line,
            Derived("the event's name"),
            "The CloudEvents `type`.",
            "com.example.order.placed",
        ),
        SUMMARY,
        OWNER,
        field(
            "schema",
            Kind::Schema,
            Optional,
            "The schema of the payload: a file (JSON Schema `.json` or `.yaml`, Avro `.avsc`, Protobuf \
             `.proto#Message`) relative to this file, or a JSON Schema written inline.",
            "{type: object}",
        ),
        contract::VERSION,
        contract::VERSIONS,
        contract::RULES,
        field(
            "key",
            Kind::Pointer,
            Optional,
            "A JSON pointer into the payload; events with the same value keep their order.",
            "/orderId",
        ),
        field(
            "compatibility",
            Kind::Word(Compatibility::CHOICES),
            Default("backward"),
            "How the schema may change.",
            "full-transitive",
        ),
        field(
            "retention",
            Kind::Duration(POSITIVE),
            Default("7d"),
            "How long events are kept; what a consumer has not finished stays longer.",
            "30d",
        ),
        field(
            "retention-size",
            Kind::Bytes,
            Optional,
            "How much is kept at least; beyond it the oldest events go before their time.",
            "10GB",
        ),
        field(
            "cleanup-policy",
            Kind::Word(CleanupPolicy::CHOICES),
            Default("delete"),
            "What goes in the end: old events, or all but the latest of each key.",
            "compact",
        ),
        flow::BACKLOG_FIELD,
        field(
            "targets",
            Kind::Section(&TARGETS),
            Optional,
            "What the business expects, measurably.",
            "{rate: 100/s}",
        ),
    ],
};

static TARGETS: Section = Section {
    name: "targets",
    summary: "Measurable targets; each absent one is not checked.",
    fields: &[
        field("rate", Kind::Rate, Optional, "The usual rate.", "2000/s"),
        field(
            "peak",
            Kind::Rate,
            Derived("the usual rate"),
            "The highest rate.",
            "10000/s",
        ),
        field(
            "p99",
            Kind::Duration(POSITIVE),
            Optional,
            "From acceptance to the end of handling, 99th percentile, in each consumer.",
            "250ms",
        ),
        field(
            "size",
            Kind::Bytes,
            Optional,
            "The usual size of a payload.",
            "2KiB",
        ),
    ],
};

static SERVICE: Section = Section {
    name: "service",
    summary: "A service: what it publishes and what it consumes.",
    fields: &[
        SUMMARY,
        OWNER,
        contract::PUBLISHES,
        field(
            "consumes",
            Kind::Named(&CONSUME),
            Optional,
            "The events that it consumes, each with its side of the contract; `{}` takes every default.",
            "{OrderPlaced: {}}",
        ),
    ],
};

static CONSUME: Section = Section {
    name: "consume",
    summary: "One service's side of the contract for one event.",
    fields: &[
        contract::REQUIRES,
        contract::READS,
        field(
            "deliver",
            Kind::Section(&DELIVER),
            Default("{}"),
            "How a delivery reaches the handler.",
            "{concurrency: 4}",
        ),
        field(
            "order",
            Kind::Word(Order::CHOICES),
            Derived("`key` when the event has a key, else `none`"),
            "Which deliveries may not overtake each other.",
            "total",
        ),
        field(
            "guarantee",
            Kind::Word(Guarantee::CHOICES),
            Default("at-least-once"),
            "What is promised about repetition and loss.",
            "deduplicated",
        ),
        field(
            "replay",
            Kind::Word(Replay::CHOICES),
            Derived("`refused` where effects happen exactly once, else `allowed`"),
            "Whether an operator may have finished events run again.",
            "refused",
        ),
        field(
            "needs",
            names(),
            Optional,
            "The dependencies that the handler calls.",
            "[payments-api]",
        ),
        field(
            "retry",
            Kind::Section(&retry::RETRY),
            Default("{}"),
            "What happens after a failure that may pass.",
            "{attempts: 5}",
        ),
        field(
            "dead-letter",
            Kind::Section(&DEAD_LETTER),
            Optional,
            "Where a delivery goes that cannot succeed.",
            "{owner: team-billing}",
        ),
        field(
            "emits",
            names(),
            Derived("every event that the service publishes"),
            "The events that this handler publishes.",
            "[InvoiceSent]",
        ),
        field(
            "objective",
            Kind::Duration(POSITIVE),
            Default("30s"),
            "How far behind, in time, is still fine.",
            "5s",
        ),
    ],
};

static DELIVER: Section = Section {
    name: "deliver",
    summary: "How a delivery reaches the handler.",
    fields: &[
        field(
            "to",
            Kind::Url,
            Derived("the consumer pulls"),
            "The HTTP endpoint to push to.",
            "http://localhost:9001/events",
        ),
        field(
            "concurrency",
            Kind::Count(1, CONCURRENCY_MAX),
            Default("16"),
            "Most deliveries that run at the same time.",
            "4",
        ),
        flow::LIMIT,
        flow::RATE,
        flow::BURST,
        field(
            "timeout",
            Kind::Duration(POSITIVE),
            Default("30s"),
            "How long one attempt may take; for pull, how long a lease lasts.",
            "5s",
        ),
        field(
            "handler-time",
            Kind::Duration(POSITIVE),
            Optional,
            "How long one attempt takes on average, as declared or measured.",
            "20ms",
        ),
        field(
            "transaction",
            Kind::Word(Transaction::CHOICES),
            Optional,
            "The store whose transaction holds effect, inbox row and emitted events together.",
            "postgres",
        ),
    ],
};

static DEAD_LETTER: Section = Section {
    name: "dead-letter",
    summary: "Where a delivery goes that cannot succeed.",
    fields: &[
        field(
            "owner",
            Kind::Line,
            Optional,
            "The person or team who looks after it.",
            "team-billing",
        ),
        field(
            "retention",
            Kind::Duration(POSITIVE),
            Default("30d"),
            "How long it is kept.",
            "90d",
        ),
        field(
            "followers",
            Kind::Word(Followers::CHOICES),
            Derived("`wait` where order is kept, else `continue`"),
            "What becomes of later deliveries with the same key.",
            "wait",
        ),
        field(
            "budget",
            Kind::Ratio(Share::FromZero),
            Optional,
            "Most dead letters, as a share of deliveries that succeed; beyond it the consumer halts.",
            "1%",
        ),
    ],
};

static DEPENDENCY: Section = Section {
    name: "dependency",
    summary: "Something that handlers depend on.",
    fields: &[
        SUMMARY,
        OWNER,
        flow::SHARED_CONCURRENCY,
        field(
            "breaker",
            Kind::Section(&BREAKER),
            Default("{}"),
            "When to stop calling it.",
            "{failure-rate: 20%}",
        ),
    ],
};

static BREAKER: Section = Section {
    name: "breaker",
    summary: "When deliveries that need the dependency are held, and for how long.",
    fields: &[
        field(
            "failure-rate",
            Kind::Ratio(Share::AboveZero),
            Default("50%"),
            "The share of unavailable, timed-out and overloaded calls that opens it.",
            "20%",
        ),
        field(
            "minimum",
            Kind::Count(1, COUNT_MAX),
            Default("20"),
            "The fewest calls in the window before it may open.",
            "50",
        ),
        field(
            "window",
            Kind::Duration(POSITIVE),
            Default("30s"),
            "How far back calls count.",
            "1m",
        ),
        field(
            "open",
            Kind::Duration(POSITIVE),
            Default("10s"),
            "How long it stays open before it probes.",
            "30s",
        ),
        field(
            "probes",
            Kind::Count(1, CONCURRENCY_MAX),
            Default("1"),
            "Most probes at the same time while half open.",
            "3",
        ),
    ],
};
