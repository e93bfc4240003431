//! What no single field can show: values that contradict each other.

use tidegate_base::format_duration;

use crate::code::OUT_OF_RANGE;
use crate::design::Design;
use crate::findings::{Findings, Problem};

/// Reports values of one element that contradict each other.
pub(crate) fn check(design: &Design, findings: &mut Findings) {
    for (name, event) in &design.events {
        let targets = &event.targets;
        if let (Some(rate), Some(peak), Some(place)) = (targets.rate, targets.peak, &targets.place)
            && peak < rate
        {
            let message = format!("peak {peak} is below the usual rate {rate}");
            let problem = Problem::new(&OUT_OF_RANGE, message)
                .hint("the peak is the highest rate: raise it, or leave it out");
            findings.report_at(
                place.clone(),
                format!("events.{name}.targets.peak"),
                problem,
            );
        }
    }
    for consumer in design.consumers() {
        let rate = consumer.consume.deliver.rate.as_ref();
        if let Some(rate) = rate.filter(|rate| rate.value.value() <= 0.0) {
            let problem = Problem::new(&OUT_OF_RANGE, "at this rate nothing is ever delivered")
                .hint("write a rate above zero, or leave it out");
            let path = format!("{}.deliver.rate", consumer.path());
            findings.report_at(rate.place.clone(), path, problem);
        }
        let retry = &consumer.consume.retry;
        if retry.initial.value > retry.max.value {
            let message = format!(
                "the first delay, {}, is longer than the longest, {}",
                format_duration(retry.initial.value),
                format_duration(retry.max.value),
            );
            let problem =
                Problem::new(&OUT_OF_RANGE, message).hint("raise `max`, or lower `initial`");
            let path = format!("{}.retry.initial", consumer.path());
            findings.report_at(retry.initial.place.clone(), path, problem);
        }
    }
}
