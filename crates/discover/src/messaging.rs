//! Which spans are the two sides of a message.

use tidegate_trace::{Span, SpanKind};

/// Whether `answering` handles a message that `asking` sent.
pub(crate) fn is_message(asking: &Span, answering: &Span) -> bool {
    if answering.kind == SpanKind::Consumer || asking.kind == SpanKind::Producer {
        return true;
    }
    let unspecified =
        asking.kind == SpanKind::Unspecified && answering.kind == SpanKind::Unspecified;
    // The span names of the messaging conventions of OpenTelemetry: `<destination> <operation>`.
    let ends = |span: &Span, words: &[&str]| {
        span.operation
            .rsplit_once(' ')
            .is_some_and(|(_, last)| words.contains(&last))
    };
    unspecified
        && asking.service != answering.service
        && ends(asking, &["send", "publish"])
        && ends(answering, &["process", "receive", "deliver"])
}

/// Whether the span alone says that it sends a message.
pub(crate) fn is_producer(span: &Span) -> bool {
    span.kind == SpanKind::Producer
}
