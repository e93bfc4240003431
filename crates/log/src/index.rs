//! Where every visible record is: in memory, built by the scan at open, extended by the writer.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_base::Name;

use crate::StateChange;
use crate::offsets::Offsets;
use crate::segment::Segment;

/// What a record adds to the index, with its address in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A record of a channel.
    Channel(Name, u64),
    /// A change of the state that adds.
    StateAppend(u64),
    /// A change of the state that takes the place of all before.
    StateReplace(u64),
}

impl Entry {
    /// The entry of a change of the state.
    pub(crate) fn of_state(change: &StateChange, address: u64) -> Self {
        match change {
            StateChange::Append(_) => Self::StateAppend(address),
            StateChange::Replace(_) => Self::StateReplace(address),
        }
    }
}

/// Every record that readers see.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In order of their addresses.
    pub(crate) segments: Vec<Arc<Segment>>,
    channels: HashMap<Name, Channel>,
    /// Channels that have grown since they were last asked for.
    grown: Vec<Name>,
    state: Offsets,
    /// The position that comes next.
    pub(crate) position: u64,
    /// One past the last byte of the last frame, as an address.
    pub(crate) end: u64,
}

#[derive(Debug, Default)]
struct Channel {
    offsets: Offsets,
    /// Whether it is in the list of those that have grown.
    grown: bool,
}

impl Index {
    /// Adds the records of one frame.
    pub(crate) fn add(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.position += 1;
            match entry {
                Entry::Channel(name, address) => self.add_record(name, address),
                Entry::StateAppend(address) => self.state.push(address),
                Entry::StateReplace(address) => {
                    self.state = Offsets::default();
                    self.state.push(address);
                }
            }
        }
    }

    fn add_record(&mut self, name: Name, address: u64) {
        let channel = match self.channels.get_mut(&name) {
            Some(channel) => channel,
            None => self.channels.entry(name.clone()).or_default(),
        };
        channel.offsets.push(address);
        if !channel.grown {
            channel.grown = true;
            self.grown.push(name);
        }
    }

    /// The channels that have grown since the last call, each with its tail.
    pub(crate) fn take_grown(&mut self) -> Vec<(Name, u64)> {
        let grown = std::mem::take(&mut self.grown);
        let with_tail = |name: Name| {
            let channel = self.channels.get_mut(&name)?;
            channel.grown = false;
            Some((name, channel.offsets.len()))
        };
        grown.into_iter().filter_map(with_tail).collect()
    }

    /// One past the last sequence of `channel`; 0 when it does not exist.
    pub(crate) fn tail(&self, channel: &str) -> u64 {
        self.channels
            .get(channel)
            .map_or(0, |channel| channel.offsets.len())
    }

    /// The name of `channel` as it is held, without a copy.
    pub(crate) fn name(&self, channel: &str) -> Option<&Name> {
        self.channels.get_key_value(channel).map(|(name, _)| name)
    }

    /// The tail of every channel that has records.
    pub(crate) fn tails(&self) -> HashMap<Name, u64> {
        let tail = |(name, channel): (&Name, &Channel)| (name.clone(), channel.offsets.len());
        self.channels.iter().map(tail).collect()
    }

    /// Addresses of at most `count` records of `channel` from sequence `from` on.
    pub(crate) fn addresses(&self, channel: &Name, from: u64, count: usize) -> Vec<u64> {
        let Some(channel) = self.channels.get(channel) else {
            return Vec::new();
        };
        channel.offsets.from(from).take(count).collect()
    }

    /// Addresses of all changes since the state was last replaced, that one included.
    pub(crate) fn state_addresses(&self) -> Vec<u64> {
        self.state.from(0).collect()
    }

    /// The segment that holds `address`.
    pub(crate) fn segment(&self, address: u64) -> Option<&Arc<Segment>> {
        let after = self
            .segments
            .partition_point(|segment| segment.base <= address);
        self.segments.get(after.checked_sub(1)?)
    }
}
