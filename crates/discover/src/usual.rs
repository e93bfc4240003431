//! Who answers what is asked: for calls that nobody answered, as they timed out or their answer is lost.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_trace::{Labels, SpanKind, Trace};

/// By the label of an asking span: the label of what answers it, wherever it is answered; `None` where there are several.
#[derive(Default)]
pub(crate) struct Usual(HashMap<u32, Option<u32>, RandomState>);

impl Usual {
    /// Of all traces.
    pub(crate) fn of(traces: &[&Trace], labels: &Labels) -> Self {
        let mut usual: HashMap<u32, Option<u32>, RandomState> = HashMap::default();
        for (index, trace) in traces.iter().enumerate() {
            for (answer, span) in trace.spans().iter().enumerate() {
                let asking = trace.parent(answer).filter(|asking| {
                    let asking = trace.span(*asking);
                    asking.is_some_and(|asking| asking.kind == SpanKind::Client)
                });
                let (SpanKind::Server, Some(asking)) = (span.kind, asking) else {
                    continue;
                };
                let pair = (labels.number(index, asking), labels.number(index, answer));
                let (Some(asking), Some(answer)) = pair else {
                    continue;
                };
                let known = usual.entry(asking).or_insert(Some(answer));
                if *known != Some(answer) {
                    *known = None;
                }
            }
        }
        Self(usual)
    }

    /// The label of what answers spans of this one, where that is always the same.
    pub(crate) fn answer(&self, asking: u32) -> Option<u32> {
        self.0.get(&asking).copied().flatten()
    }
}
