//! Retention: the broker is told what each channel keeps, and cleans now and then.

use futures_util::future::FutureExt;
use tidegate_broker::{CleanError, Cleaned, History, Keep};
use tidegate_model::design::{CleanupPolicy, Event as EventDesign};

use super::Actor;
use super::hear::Event;
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
        self.keep();
        self.cleaning = true;
        let clean = self.parts.broker.clean(self.now());
        self.work.push(clean.map(Event::Cleaned).boxed());
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
