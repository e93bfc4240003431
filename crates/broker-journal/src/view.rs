//! What its owner knows of a shard: the indexes of the channels, where the state is, what came last.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tidegate_base::Name;
use tidegate_base::limit::{CHANNELS_MAX, JOURNAL_RECORDS_MAX};
use tidegate_broker::Record;
use tokio::sync::watch;

use crate::channel::Channel;
use crate::codec::Base;
use crate::control::Change;
use crate::journal::{Entry, Target};
use crate::reader::{Effect, Reader, Standing};

/// Most bytes of latest records that are kept, so that who follows closely need not ask the engine.
const RECENT_BYTES_MAX: usize = 16 << 20;
/// Events that may wait to be passed on, until producers are refused.
const OUTGOING_MAX: usize = 65_536;
/// Messages between two places from which the journal can be read on.
const MARK_EVERY: u64 = 64;

/// Everything that is known.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) channels: HashMap<Name, Channel>,
    /// Messages of the state that count.
    pub(crate) state: VecDeque<u64>,
    /// Where in the state a checkpoint of several batches has begun.
    begun: Option<u64>,
    /// Grows whenever something is removed from the state.
    pub(crate) state_changes: u64,
    /// Places from which the journal can be read on, with what was left behind up to there.
    marks: VecDeque<(u64, Standing)>,
    since_mark: u64,
    /// What was left behind before the next message, if that is to be a mark.
    standing: Option<Standing>,
    /// Events for other shards that are not known to be there.
    pub(crate) outgoing: VecDeque<Outgoing>,
    /// For each other shard, up to where its events are there.
    pub(crate) sent: BTreeMap<u32, u64>,
    /// Grows with `outgoing`.
    pub(crate) has_outgoing: watch::Sender<u64>,
    /// Records of all channels.
    records: u64,
    recent: Recent,
}

/// An event for another shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) position: u64,
    pub(crate) shard: u32,
    pub(crate) channel: Name,
    pub(crate) before: u64,
}

/// The latest records, without a gap.
#[derive(Debug, Default)]
struct Recent {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl View {
    /// That the journal can be read on from here.
    pub(crate) fn begin(&mut self, first: u64, standing: Standing) {
        self.marks.push_back((first, standing));
    }

    pub(crate) fn channel(&mut self, name: &Name) -> Option<&mut Channel> {
        if !self.channels.contains_key(name) && self.channels.len() >= CHANNELS_MAX {
            return None;
        }
        Some(self.channels.entry(name.clone()).or_default())
    }

    /// Why no more is taken from producers, if so.
    pub(crate) fn full(&self) -> Option<&'static str> {
        if self.records >= JOURNAL_RECORDS_MAX {
            return Some(
                "the shard has as many records as its owner can know of; let retention remove some",
            );
        }
        (self.outgoing.len() >= OUTGOING_MAX)
            .then_some("much waits to be passed on to other shards")
    }

    /// Takes in what counts now, all of it before any reader is woken.
    pub(crate) fn apply(&mut self, effects: &[Effect], reader: &Reader, position: u64) {
        if let Some(standing) = self.standing.take() {
            // Positions have gaps: the place is that of a message that is there.
            self.marks.push_back((position, standing));
            self.since_mark = 0;
        }
        for effect in effects {
            self.take(effect);
        }
        for effect in effects {
            match effect {
                Effect::Event(event) => self.show(&event.channel),
                Effect::Base(base) => base.heads.iter().for_each(|(name, ..)| self.show(name)),
                Effect::Outgoing { .. } => self.has_outgoing.send_modify(|count| *count += 1),
                _ => {}
            }
        }
        self.since_mark += 1;
        self.standing = match self.since_mark >= MARK_EVERY {
            true => reader.standing().cloned(),
            false => None,
        };
    }

    fn show(&self, name: &Name) {
        if let Some(channel) = self.channels.get(name) {
            channel.show();
        }
    }

    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::Event(event) => {
                self.records += 1;
                match self.channel(&event.channel) {
                    Some(channel) => channel.add(event),
                    None => tracing::warn!(
                        "an event of `{}` is not seen: there are {CHANNELS_MAX} channels, the most",
                        event.channel
                    ),
                }
            }
            Effect::State { position, change } => self.change_state(*position, *change),
            Effect::Outgoing {
                position,
                shard,
                channel,
                before,
            } => {
                if self.sent.get(shard).is_none_or(|sent| sent < position) {
                    self.outgoing.push_back(Outgoing {
                        position: *position,
                        shard: *shard,
                        channel: channel.clone(),
                        before: *before,
                    });
                }
            }
            Effect::Sent(sent) => {
                for (shard, position) in sent {
                    self.note_sent(*shard, *position);
                }
            }
            Effect::Base(base) => {
                for (name, head, tail) in &base.heads {
                    let Some(channel) = self.channel(name) else {
                        continue;
                    };
                    let (records, _) = channel.begin(*head, *tail);
                    self.records = self.records.saturating_sub(records);
                }
            }
            // A checkpoint that its former owner has begun is never finished.
            Effect::Opened { .. } => self.begun = None,
            Effect::Committed { .. } => {}
        }
    }

    fn change_state(&mut self, position: u64, change: Change) {
        match change {
            Change::Append => {}
            Change::Begin => self.begun = Some(position),
            Change::Replace => {
                self.state.clear();
                self.begun = None;
                self.state_changes += 1;
            }
            Change::Finish => {
                if let Some(begun) = self.begun.take() {
                    let gone = self.state.partition_point(|place| *place < begun);
                    self.state.drain(..gone);
                    self.state_changes += 1;
                }
            }
        }
        self.state.push_back(position);
    }

    /// Notes that the events for a shard are there, up to a position.
    pub(crate) fn note_sent(&mut self, shard: u32, position: u64) {
        let sent = self.sent.entry(shard).or_default();
        *sent = position.max(*sent);
        let until = *sent;
        self.outgoing
            .retain(|event| event.shard != shard || event.position > until);
    }

    /// From where the journal is needed, and what was left behind there, if the channels began where `heads` says.
    pub(crate) fn needed(&self, heads: &BTreeMap<Name, u64>) -> Option<Base> {
        let of = |(name, channel): (&Name, &Channel)| match heads.get(name) {
            Some(head) => (*head < channel.tail()).then_some(*head),
            None => channel.first(),
        };
        let channels = self.channels.iter().filter_map(of);
        let state = self.state.front().copied();
        let outgoing = self.outgoing.front().map(|event| event.position);
        let needed = channels.chain(state).chain(outgoing).min();
        let needed = needed.unwrap_or(u64::MAX);
        let mark = self.marks.iter().rev().find(|(at, _)| *at <= needed)?;
        Some(Base {
            first: mark.0,
            standing: mark.1.clone(),
            heads: Vec::new(),
        })
    }

    /// The first place from which the journal can be read on.
    pub(crate) fn first(&self) -> u64 {
        self.marks.front().map_or(0, |(first, _)| *first)
    }

    /// Notes that what is before is gone, or may be.
    pub(crate) fn trimmed(&mut self, first: u64) {
        let gone = self.marks.partition_point(|(at, _)| *at < first);
        self.marks.drain(..gone);
    }

    /// Keeps an entry at hand.
    pub(crate) fn remember(&mut self, entry: Entry) {
        if entry.message.target != Target::System {
            self.recent.push(entry);
        }
    }

    /// Records of these positions that are at hand, and the positions of the others.
    pub(crate) fn at_hand(&self, positions: &[u64]) -> (Vec<Record>, Vec<u64>) {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for position in positions {
            match self.recent.get(*position) {
                Some(entry) => found.push(record(entry.clone())),
                None => missing.push(*position),
            }
        }
        (found, missing)
    }
}

impl Recent {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.message.bytes();
        self.entries.push_back(entry);
        while self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= oldest.message.bytes();
        }
    }

    fn get(&self, position: u64) -> Option<&Entry> {
        let at = self
            .entries
            .partition_point(|entry| entry.position < position);
        self.entries
            .get(at)
            .filter(|entry| entry.position == position)
    }
}

/// The record of an entry.
pub(crate) fn record(entry: Entry) -> Record {
    let Entry { position, message } = entry;
    Record {
        sequence: position,
        key: message.key,
        time: message.time,
        headers: message.attributes,
        payload: message.payload,
    }
}
