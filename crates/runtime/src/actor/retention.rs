//! Retention: the broker is told what each channel keeps, and cleans now and then; dead letters that nobody looked after
//! in their time are given up.

use futures_util::future::FutureExt;
use tidegate_base::limit::LETTERS_GIVEN_UP_MAX;
use tidegate_broker::{CleanError, Cleaned, History, Keep};
use tidegate_delivery::Command;
use tidegate_model::design::{CleanupPolicy, Event as EventDesign};

use super::Actor;
use super::hear::Event;
use super::operate::Answer;
use crate::view::Mode;

impl Actor {
    /// Tells the broker what each channel keeps as of now. But for a replay, after which it is said anew, what is
    /// needed later is never more of what is there already: this stays safe until it is said again.
    pub(super) fn keep(&self) {
        for (name, event) in &self.parts.design.events {
            let needed = self.parts.machine.needed(name);
            // Nobody needs what has come so far.
            let tail = || *self.parts.broker.tail(name).borrow();
            let keep = Keep {
                needed_from: needed.from.unwrap_or_else(tail),
                pinned: needed.pinned.into_iter().collect(),
                ..policy(event)
            };
            self.parts.broker.keep(name, keep);
        }
    }

    /// Has the broker remove what nobody needs, unless it is at it already.
    pub(super) fn clean(&mut self) {
        if self.cleaning || self.parts.publisher.mode() != Mode::Running {
            return;
        }
        self.give_up_letters();
        self.keep();
        self.cleaning = true;
        let clean = self.parts.broker.clean(self.now());
        self.work.push(clean.map(Event::Cleaned).boxed());
    }

    /// Discards the letters that are older than their consumer keeps them: as an operator would, so that they can be
    /// taken back for a while. What waits behind them goes on.
    fn give_up_letters(&mut self) {
        let now = self.now();
        let mut commands = Vec::new();
        for consumer in self.parts.design.consumers() {
            let Some(design) = &consumer.consume.dead_letter else {
                continue;
            };
            let (id, kept) = (consumer.id(), design.retention.value);
            let letters = self.parts.machine.dead_letters(&id);
            let old = letters.filter(|letter| now.since(letter.death.at) > kept);
            let sequences: Vec<u64> = old
                .map(|letter| letter.sequence)
                .take(LETTERS_GIVEN_UP_MAX)
                .collect();
            if sequences.is_empty() {
                continue;
            }
            let kept = tidegate_base::format_duration(kept);
            commands.push(Command::Discard {
                consumer: id,
                sequences,
                reason: format!("kept for {kept}, as `dead-letter.retention` says"),
            });
        }
        for command in commands {
            self.command(command, Answer::Nobody);
        }
    }

    /// Hears how a clean ended. One that failed left what is needed: the next one is as good.
    pub(super) fn cleaned(&mut self, result: Result<Cleaned, CleanError>) {
        self.cleaning = false;
        match result {
            Ok(Cleaned { records: 0, .. }) => {}
            Ok(Cleaned { records, bytes }) => {
                tracing::debug!(records, bytes, "events that nobody needs are removed");
            }
            Err(error) => tracing::warn!(%error, "events past their retention stay"),
        }
    }
}

/// What may go by the design.
fn policy(event: &EventDesign) -> Keep {
    match event.cleanup_policy.value {
        CleanupPolicy::Delete => Keep {
            age: Some(event.retention.value),
            bytes: event.retention_size.as_ref().map(|size| size.value.0),
            ..Keep::ALL
        },
        CleanupPolicy::Compact => Keep {
            history: History::LatestPerKey,
            ..Keep::ALL
        },
    }
}
