//! What handlers keep for each key: changed in one record with the end of a delivery.
//!
//! Two deliveries of a key never run at the same time, so a state needs no lock and no version.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_base::limit::{KEY_STATE_BYTES_MAX, KEY_STATES_BYTES_MAX};

use super::Consumer;
use super::delivery::LaneKey;
use crate::config::Order;
use crate::outcome::{KeyState, Outcome};
use crate::record::StateRecord;
use crate::shared::Shared;

/// The states of one consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    of: BTreeMap<Arc<str>, Arc<str>>,
    /// Of keys and states.
    bytes: usize,
    /// What becomes so once the end of a delivery is durable.
    under_way: BTreeMap<u64, (Arc<str>, KeyState)>,
}

impl States {
    pub(crate) fn set(&mut self, key: Arc<str>, state: KeyState) {
        self.bytes -= self.size(&key);
        match state {
            KeyState::Is(state) => {
                self.bytes += key.len() + state.len();
                self.of.insert(key, state);
            }
            KeyState::Gone => {
                self.of.remove(&key);
            }
        }
    }

    /// How many bytes the state of a key takes.
    fn size(&self, key: &Arc<str>) -> usize {
        self.of.get(key).map_or(0, |state| key.len() + state.len())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.of.iter()
    }
}

/// The name of the state of a total order: a key that begins with a zero byte is nobody's.
const TOTAL: &str = "\u{0}total";

/// The name of the state of a lane: every delivery of a total order shares one.
fn key_of(lane: &LaneKey) -> Option<Arc<str>> {
    match lane {
        LaneKey::Free => None,
        LaneKey::Total => Some(Arc::from(TOTAL)),
        LaneKey::Key(key) => Some(Arc::clone(key)),
    }
}

impl Consumer {
    /// What its handler keeps for the key of a delivery.
    pub(super) fn state_for(&self, sequence: u64) -> Option<Arc<str>> {
        let delivery = self.deliveries.get(&sequence)?;
        self.states.of.get(&key_of(&delivery.lane)?).cloned()
    }

    /// The change of a state with its key, or how the attempt ends instead.
    pub(super) fn change_state(
        &self,
        sequence: u64,
        state: KeyState,
    ) -> Result<Option<(Arc<str>, KeyState)>, Outcome> {
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return Ok(None);
        };
        let Some(key) = key_of(&delivery.lane) else {
            let error = "the handler keeps a state, and the delivery has no key or its consumer no order: \
                         a state belongs to a key";
            return Err(Outcome::Refused {
                error: error.to_owned(),
            });
        };
        let KeyState::Is(text) = &state else {
            return Ok(Some((key, state)));
        };
        if text.len() > KEY_STATE_BYTES_MAX {
            let bytes = text.len();
            let error = format!(
                "the handler keeps {bytes} bytes for a key; the most is {KEY_STATE_BYTES_MAX}"
            );
            return Err(Outcome::Refused { error });
        }
        let under_way = self.states.under_way.values();
        let under_way: usize = under_way
            .map(|(key, state)| match state {
                KeyState::Is(text) => key.len() + text.len(),
                KeyState::Gone => 0,
            })
            .sum();
        let bytes = self.reachable_bytes() + under_way - self.states.size(&key);
        let bytes = bytes + key.len() + text.len();
        if bytes > KEY_STATES_BYTES_MAX {
            let error = format!(
                "the states of its keys would take {bytes} bytes; the most is {KEY_STATES_BYTES_MAX}: \
                 let the handler remove some, or keep them in a database"
            );
            let after = None;
            return Err(Outcome::Overload { error, after });
        }
        Ok(Some((key, state)))
    }

    /// What the states take that a delivery of the present order can reach: those of another order stay, as a design
    /// may go back to it, and count no more.
    fn reachable_bytes(&self) -> usize {
        let total = self.states.size(&Arc::from(TOTAL));
        match self.config.order {
            Order::Total => total,
            Order::Key | Order::None => self.states.bytes - total,
        }
    }

    /// The change becomes so once the end of its delivery is durable.
    pub(super) fn announce_state(&mut self, sequence: u64, change: (Arc<str>, KeyState)) {
        self.states.under_way.insert(sequence, change);
    }

    /// Keeps the change of a state apart from the end that it belongs to, which is a fault. Returns what is
    /// left to keep with the end: nothing.
    pub(super) fn keep_state_beside(
        &self,
        change: Option<(Arc<str>, KeyState)>,
        shared: &mut Shared,
    ) -> Option<(Arc<str>, KeyState)> {
        if let Some((key, KeyState::Is(state))) = change {
            let consumer = self.config.id.clone();
            shared.out.advise(StateRecord::State {
                consumer,
                key,
                state,
            });
        }
        None
    }

    /// The end of a delivery is durable, and with it the state of its key.
    pub(super) fn settle_state(&mut self, sequence: u64) {
        if let Some((key, state)) = self.states.under_way.remove(&sequence) {
            self.states.set(key, state);
        }
    }
}
