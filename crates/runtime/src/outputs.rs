//! What handlers publish: judged as what producers send, stored with the end of the delivery.

use tidegate_base::limit::{OUTPUT_BYTES_MAX, OUTPUTS_MAX};
use tidegate_base::{ConsumerId, Envelope, output_id};
use tidegate_broker::Append;
use tidegate_delivery::Outcome;

use crate::actor::{Judged, size};
use crate::answer::Answer;
use crate::publisher::Publisher;
use crate::stored;

impl Publisher {
    /// An answer with its outputs ready to be stored. An output that the design refuses makes a dead
    /// letter of the event: no retry would change it, and publishing a part is not what the handler said.
    pub(crate) fn judge_answer(
        &self,
        consumer: &ConsumerId,
        event: &Envelope,
        answer: Answer,
    ) -> Judged {
        let Answer {
            mut outcome,
            outputs,
            state,
        } = answer;
        if let Some(state) = state.filter(|_| outcome.is_done()) {
            outcome = Outcome::DoneWith(state);
        }
        if !outcome.is_done() || outputs.is_empty() {
            return Judged::from(outcome);
        }
        match self.judge_outputs(consumer, event, outputs) {
            Ok(outputs) => Judged { outcome, outputs },
            Err(error) => Judged::from(Outcome::Refused { error }),
        }
    }

    fn judge_outputs(
        &self,
        consumer: &ConsumerId,
        event: &Envelope,
        outputs: Vec<Envelope>,
    ) -> Result<Vec<Append>, String> {
        if outputs.len() > OUTPUTS_MAX {
            let count = outputs.len();
            return Err(format!(
                "the handler publishes {count} events; the most is {OUTPUTS_MAX}"
            ));
        }
        let mut appends = Vec::with_capacity(outputs.len());
        for (ordinal, mut output) in (0_u32..).zip(outputs) {
            self.fill_in(consumer, event, ordinal, &mut output);
            let wrong = |what: String| {
                let kind = &output.event_type;
                format!("output {ordinal} of the handler (`{kind}`): {what}")
            };
            let (entry, key, written) = self
                .catalog
                .accept(&output)
                .map_err(|problem| wrong(problem.to_string()))?;
            if !self.emits(consumer, &entry.name) {
                return Err(wrong(format!(
                    "`{consumer}` does not emit `{}`; add it to `publishes` and `emits`",
                    entry.name
                )));
            }
            let now = self.clock.now();
            let output = written.unwrap_or(output);
            appends.push(stored::append(entry.name.clone(), key, now, output));
        }
        let bytes: usize = appends.iter().map(size).sum();
        if bytes > OUTPUT_BYTES_MAX {
            return Err(format!(
                "the handler publishes {bytes} bytes; the most is {OUTPUT_BYTES_MAX}"
            ));
        }
        Ok(appends)
    }

    fn fill_in(
        &self,
        consumer: &ConsumerId,
        event: &Envelope,
        ordinal: u32,
        output: &mut Envelope,
    ) {
        if output.id.is_empty() {
            output.id = output_id(consumer, &event.source, &event.id, ordinal);
        }
        if output.source.is_empty() {
            output.source = format!("/{}", consumer.service);
        }
        if output.time.is_none() {
            output.time = Some(self.clock.now().to_string());
        }
        let parent = event.extensions.get(TRACE_PARENT);
        if let Some(parent) = parent
            && !output.extensions.contains_key(TRACE_PARENT)
        {
            let (name, parent) = (TRACE_PARENT.to_owned(), parent.clone());
            output.extensions.insert(name, parent);
        }
    }
}

/// The extension attribute of a trace's context, which goes from an event to what follows from it.
///
/// Source: CloudEvents, "Distributed Tracing" extension.
const TRACE_PARENT: &str = "traceparent";
