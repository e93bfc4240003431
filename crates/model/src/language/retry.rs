//! What happens after a failure, of any class and of single ones.

use super::{COUNT_MAX, POSITIVE, field};
use crate::design::{Backoff, Jitter, RetryMode, Then};
use crate::shape::Presence::{Default, Derived, Optional};
use crate::shape::{Field, Kind, Presence, Section, Share, Short};
use crate::words::Word;

pub(super) static RETRY: Section = Section {
    name: "retry",
    summary: "What happens after a failure that may pass.",
    fields: &[
        field(
            "backoff",
            Kind::Word(Backoff::CHOICES),
            Default("exponential"),
            "How the delay grows.",
            "linear",
        ),
        field(
            "immediate",
            Kind::Count(0, COUNT_MAX),
            Default("0"),
            "Retries without a delay, before those with one; they count among `attempts`.",
            "2",
        ),
        field(
            "initial",
            Kind::Duration(POSITIVE),
            Default("100ms"),
            "The first delay.",
            "250ms",
        ),
        field(
            "max",
            Kind::Duration(POSITIVE),
            Default("30s"),
            "The longest delay.",
            "1m",
        ),
        field(
            "jitter",
            Kind::Word(Jitter::CHOICES),
            Default("full"),
            "How much of a delay is left to chance.",
            "equal",
        ),
        field(
            "attempts",
            Kind::Count(1, COUNT_MAX),
            Default("8"),
            "Most attempts, the first one included.",
            "5",
        ),
        field(
            "age",
            Kind::Duration(POSITIVE),
            Optional,
            "A delivery older than this is not retried.",
            "1h",
        ),
        field(
            "budget",
            Kind::Ratio(Share::FromZero),
            Optional,
            "Most retries, as a share of first attempts.",
            "20%",
        ),
        field(
            "mode",
            Kind::Word(RetryMode::CHOICES),
            Default("blocking"),
            "Whether later deliveries of the same key wait meanwhile.",
            "non-blocking",
        ),
        field(
            "classes",
            Kind::Section(&CLASSES),
            Optional,
            "Rules for single classes of failures.",
            "{timeout: {attempts: 3}, permanent: retry}",
        ),
    ],
};

static CLASSES: Section = Section {
    name: "classes",
    summary: "Rules for single classes of failures: `park`, `retry`, or what differs from `retry` for this class, \
              whose failures are then counted by themselves.",
    fields: &[
        class(
            "retryable",
            "The handler failed. Without a rule it is retried.",
            "park",
        ),
        class(
            "unavailable",
            "It, or what it needs, could not be reached. Without a rule it is retried.",
            "{attempts: 20, max: 5m}",
        ),
        class(
            "timeout",
            "No answer came in time, or a lease ended. Without a rule it is retried.",
            "{attempts: 3, initial: 1s}",
        ),
        class(
            "overload",
            "The handler has too much to do. Without a rule the attempt does not count, and the consumer is held; \
             with one it is a failure of this delivery alone.",
            "{attempts: 20, initial: 1s}",
        ),
        class(
            "permanent",
            "The handler said that it can never succeed. Without a rule it is a dead letter at once.",
            "retry",
        ),
        class(
            "endpoint-fault",
            "The endpoint is wrong. It holds the consumer and never makes a dead letter: `check` refuses any rule.",
            "retry",
        ),
    ],
};

const fn class(name: &'static str, summary: &'static str, example: &'static str) -> Field {
    field(name, Kind::Short(&CLASS_SHORT), Optional, summary, example)
}

static CLASS_SHORT: Short = Short {
    section: &CLASS,
    field: "then",
    kind: Kind::Word(Then::CHOICES),
    one_of: &[],
};

const OF_RETRY: Presence = Derived("that of `retry`");

static CLASS: Section = Section {
    name: "class",
    summary: "What happens after a failure of one class.",
    fields: &[
        field(
            "then",
            Kind::Word(Then::CHOICES),
            Derived("`retry`"),
            "What becomes of the delivery.",
            "park",
        ),
        field(
            "backoff",
            Kind::Word(Backoff::CHOICES),
            OF_RETRY,
            "How the delay grows.",
            "linear",
        ),
        field(
            "immediate",
            Kind::Count(0, COUNT_MAX),
            OF_RETRY,
            "Retries without a delay, before those with one; they count among `attempts`.",
            "2",
        ),
        field(
            "initial",
            Kind::Duration(POSITIVE),
            OF_RETRY,
            "The first delay.",
            "250ms",
        ),
        field(
            "max",
            Kind::Duration(POSITIVE),
            OF_RETRY,
            "The longest delay.",
            "1m",
        ),
        field(
            "jitter",
            Kind::Word(Jitter::CHOICES),
            OF_RETRY,
            "How much of a delay is left to chance.",
            "equal",
        ),
        field(
            "attempts",
            Kind::Count(1, COUNT_MAX),
            OF_RETRY,
            "Most attempts that end in this class.",
            "5",
        ),
    ],
};
