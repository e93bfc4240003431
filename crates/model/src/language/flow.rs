//! How fast and how much at once: rates, limits that adapt, shared places, back-pressure.

use super::{COUNT_MAX, POSITIVE, field};
use crate::design::Limit;
use crate::shape::Presence::{Default, Derived, Optional};
use crate::shape::{Field, Kind, Section};
use crate::words::Word;

/// Most events that a backlog limit may ask for: what a runtime keeps for one consumer anyway.
const BACKLOG_EVENTS_MAX: u32 = 1_000_000_000;

pub(super) const BACKLOG_FIELD: Field = field(
    "backlog",
    Kind::Section(&BACKLOG),
    Optional,
    "How far behind a consumer may be before the event is refused to its producers.",
    "{events: 1000000, age: 1h}",
);

pub(super) const LIMIT: Field = field(
    "limit",
    Kind::Word(Limit::CHOICES),
    Default("fixed"),
    "Whether fewer run when measured times say that the handler is at its limit.",
    "adaptive",
);

pub(super) const RATE: Field = field(
    "rate",
    Kind::Rate,
    Optional,
    "Most attempts that start in a time, retries included.",
    "50/s",
);

pub(super) const BURST: Field = field(
    "burst",
    Kind::Count(1, COUNT_MAX),
    Derived("what the rate gives in a tenth of a second, at least 1"),
    "Most attempts that start at once after a quiet time.",
    "100",
);

pub(super) const SHARED_CONCURRENCY: Field = field(
    "concurrency",
    Kind::Count(1, COUNT_MAX),
    Optional,
    "Most attempts at the same time of all consumers that need it, shared fairly among them.",
    "32",
);

static BACKLOG: Section = Section {
    name: "backlog",
    summary: "Limits of what the slowest consumer has not finished; each absent one does not limit.",
    fields: &[
        field(
            "events",
            Kind::Count(1, BACKLOG_EVENTS_MAX),
            Optional,
            "Most events that a consumer has not finished.",
            "1000000",
        ),
        field(
            "bytes",
            Kind::Bytes,
            Optional,
            "Most bytes of their payloads.",
            "1GB",
        ),
        field(
            "age",
            Kind::Duration(POSITIVE),
            Optional,
            "The age of the oldest of them.",
            "1h",
        ),
    ],
};
