//! Channels by number: names are looked up once, where they come in, and numbers are used within.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_base::Name;
use tidegate_base::limit::CHANNELS_MAX;

/// The number of a channel while a log is open.
pub(crate) type Number = u32;

/// The number of the state, which is kept like a channel.
pub(crate) const STATE: Number = 0;

/// The names of channels and their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    /// By texts of their own: those of names stand beside the counters of their clones.
    numbers: HashMap<Box<str>, Number, RandomState>,
    /// By number.
    names: Vec<Option<Name>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            numbers: HashMap::default(),
            names: vec![None],
        }
    }
}

impl Registry {
    /// The number of `name`, when it has one.
    pub(crate) fn find(&self, name: &str) -> Option<Number> {
        self.numbers.get(name).copied()
    }

    /// The number of `name`, which gets one; `None` when there are too many channels.
    pub(crate) fn number(&mut self, name: &Name) -> Option<Number> {
        if let Some(number) = self.find(name.as_str()) {
            return Some(number);
        }
        if self.numbers.len() >= CHANNELS_MAX {
            return None;
        }
        let number = Number::try_from(self.names.len()).ok()?;
        self.numbers.insert(name.as_str().into(), number);
        self.names.push(Some(name.clone()));
        Some(number)
    }

    /// As [`Registry::number`], where no name stands for the state.
    pub(crate) fn number_or_state(&mut self, name: Option<&Name>) -> Option<Number> {
        name.map_or(Some(STATE), |name| self.number(name))
    }

    /// The name of a channel; `None` for the state.
    pub(crate) fn name(&self, number: Number) -> Option<&Name> {
        self.names.get(slot(number))?.as_ref()
    }

    /// All numbers that are taken.
    pub(crate) fn numbers(&self) -> std::ops::Range<Number> {
        0..Number::try_from(self.names.len()).unwrap_or(Number::MAX)
    }
}

/// Where a channel stands in a list by number.
pub(crate) fn slot(number: Number) -> usize {
    number as usize
}

/// The element of `list` for a channel; the list grows to have one.
pub(crate) fn slot_mut<T: Default + Clone>(list: &mut Vec<T>, number: Number) -> &mut T {
    let slot = slot(number);
    if list.len() <= slot {
        list.resize(slot + 1, T::default());
    }
    #[expect(clippy::indexing_slicing, reason = "it has just been made long enough")]
    &mut list[slot]
}
