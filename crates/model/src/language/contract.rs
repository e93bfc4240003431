//! What producers promise and consumers rely on: versions, requirements, rules on data.

use super::{field, names};
use crate::design::{FieldType, Presence as FieldPresence};
use crate::shape::Presence::{Default, Derived, Optional, Required};
use crate::shape::{Field, Kind, Repeats, Section, Short};
use crate::words::Word;

pub(super) const VERSION: Field = field(
    "version",
    Kind::Name,
    Derived("`current`"),
    "The name of `schema` among the versions.",
    "v3",
);

pub(super) const VERSIONS: Field = field(
    "versions",
    Kind::Named(&EVENT_VERSION),
    Optional,
    "Older schemas of the payload by name, the oldest first; `schema` is the newest.",
    "{v1: {schema: schemas/order-placed-v1.json}}",
);

pub(super) const RULES: Field = field(
    "rules",
    Kind::List(&RULE_ITEM, Repeats::Refused),
    Optional,
    "What every event keeps beyond its schema, in CEL; an event that breaks one is refused.",
    "[{rule: 'event.total >= 0.0', because: a refund is another event}]",
);

pub(super) const PUBLISHES: Field = field(
    "publishes",
    Kind::List(&PUBLICATION_ITEM, Repeats::Refused),
    Optional,
    "The events that it publishes, each in its newest version unless said otherwise.",
    "[OrderPlaced]",
);

pub(super) const REQUIRES: Field = field(
    "requires",
    Kind::List(&REQUIREMENT_ITEM, Repeats::Refused),
    Optional,
    "What this consumer relies on: fields, as top-level names or JSON pointers, with types and values \
     where they matter, and rules.",
    "[orderId, /customer/id, {field: /status, values: [placed, paid]}]",
);

pub(super) const READS: Field = field(
    "reads",
    Kind::Name,
    Derived("the newest version"),
    "The version of the event that it was built to read.",
    "v2",
);

static EVENT_VERSION: Section = Section {
    name: "event-version",
    summary: "An older schema of an event.",
    fields: &[field(
        "schema",
        Kind::Schema,
        Required,
        "The schema of the payload, as of the event.",
        "{type: object}",
    )],
};

static RULE_ITEM: Kind = Kind::Short(&RULE_SHORT);

static RULE_SHORT: Short = Short {
    section: &RULE,
    field: "rule",
    kind: Kind::Text,
    one_of: &[],
};

static RULE: Section = Section {
    name: "rule",
    summary: "A rule on data.",
    fields: &[
        field(
            "rule",
            Kind::Text,
            Required,
            "An expression in CEL over `event` and `attributes` that is true of every event.",
            "'event.total >= 0.0'",
        ),
        BECAUSE,
    ],
};

const BECAUSE: Field = field(
    "because",
    Kind::Text,
    Optional,
    "Why, in one sentence: it is said wherever the rule is broken.",
    "A refund is another event.",
);

static PUBLICATION_ITEM: Kind = Kind::Short(&PUBLICATION_SHORT);

static PUBLICATION_SHORT: Short = Short {
    section: &PUBLICATION,
    field: "event",
    kind: Kind::Name,
    one_of: &[],
};

static PUBLICATION: Section = Section {
    name: "publication",
    summary: "An event that a service publishes.",
    fields: &[
        field("event", Kind::Name, Required, "The event.", "OrderPlaced"),
        field(
            "versions",
            names(),
            Derived("the newest version"),
            "The versions in which it is published.",
            "[v1, v2]",
        ),
    ],
};

static REQUIREMENT_ITEM: Kind = Kind::Short(&REQUIREMENT_SHORT);

static REQUIREMENT_SHORT: Short = Short {
    section: &REQUIREMENT,
    field: "field",
    kind: Kind::FieldPath,
    one_of: &["field", "rule"],
};

static REQUIREMENT: Section = Section {
    name: "requirement",
    summary: "What a consumer relies on: a field, or a rule.",
    fields: &[
        field(
            "field",
            Kind::FieldPath,
            Optional,
            "The field: a top-level name or a JSON pointer.",
            "/status",
        ),
        field(
            "presence",
            Kind::Word(FieldPresence::CHOICES),
            Default("always"),
            "Whether it must be there.",
            "optional",
        ),
        field(
            "type",
            Kind::Word(FieldType::CHOICES),
            Optional,
            "The only type that the consumer takes there.",
            "number",
        ),
        field(
            "values",
            Kind::List(&Kind::Literal, Repeats::Allowed),
            Optional,
            "The only values that the consumer handles there.",
            "[placed, paid]",
        ),
        field(
            "rule",
            Kind::Text,
            Optional,
            "In place of a field: an expression in CEL over `event` and `attributes` that it relies on.",
            "'event.total >= 0.0'",
        ),
        BECAUSE,
    ],
};
