//! A handler has the time that it needs.

use tidegate_base::format_duration;

use crate::codes::TIMEOUT_BELOW_HANDLER_TIME;
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for consumer in &index.consumers {
        let deliver = &consumer.consume.deliver;
        let Some(handler_time) = &deliver.handler_time else {
            continue;
        };
        if deliver.timeout.value >= handler_time.value {
            continue;
        }
        let message = format!(
            "`{}` usually takes {}, but an attempt is given up after {}",
            consumer.id(),
            format_duration(handler_time.value),
            format_duration(deliver.timeout.value),
        );
        let path = format!("{}.deliver.timeout", consumer.path());
        out.add(
            TIMEOUT_BELOW_HANDLER_TIME,
            &deliver.timeout.place,
            path,
            message,
        )
        .hint(format!(
            "write a `timeout` of several times the handler time, such as `{}`",
            format_duration(handler_time.value.saturating_mul(4))
        ))
        .related(&handler_time.place, "the handler time");
    }
}
