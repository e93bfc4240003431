//! What counts of a journal: pure, so that whoever reads the same messages decides alike.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_base::Name;

use crate::codec::{Base, decode_sent};
use crate::control::{Change, Control, Own, Part};
use crate::journal::{Entry, Target};

/// What the messages before a position have left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Of the present owner; 0 before the first.
    pub(crate) epoch: u64,
    /// Of the owner's next message.
    pub(crate) number: u64,
    /// Of each other shard, where the last event that it passed on and that counted lies there.
    pub(crate) passed: BTreeMap<u32, u64>,
    /// For each other shard, where the last event for it lies here.
    pub(crate) outgoing: BTreeMap<u32, u64>,
}

/// A message, without a payload that is read again later.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) position: u64,
    /// `None`: it is the broker's own.
    pub(crate) channel: Option<Name>,
    pub(crate) nanos: u64,
    pub(crate) bytes: u32,
    /// `Ok(None)`: a foreign client has written it. `Err`: nobody knows who.
    control: Result<Option<Control>, ()>,
    /// Of what is needed at once.
    pub(crate) payload: Bytes,
}

impl Seen {
    pub(crate) fn of(entry: &Entry) -> Self {
        let message = &entry.message;
        let control = message.control.as_ref().map(|text| text.parse::<Control>());
        let control = control.transpose().map_err(|_unknown| ());
        let channel = match &message.target {
            Target::Channel(name) => Some(name.clone()),
            Target::System => None,
        };
        // Who may write events may not write what only the broker writes.
        let control = control.and_then(|control| match &control {
            Some(said) if said.is_event() != channel.is_some() => Err(()),
            _ => Ok(control),
        });
        let is_needed = matches!(
            control,
            Ok(Some(Control::Own(Own {
                part: Part::Base | Part::Sent,
                ..
            })))
        );
        Self {
            position: entry.position,
            channel,
            nanos: message.time.nanos(),
            bytes: u32::try_from(message.bytes()).unwrap_or(u32::MAX),
            control,
            payload: if is_needed {
                message.payload.clone()
            } else {
                Bytes::new()
            },
        }
    }

    /// What it says of what was removed, if it does.
    pub(crate) fn base(&self) -> Option<Base> {
        match &self.control {
            Ok(Some(Control::Own(Own {
                part: Part::Base, ..
            }))) => Base::decode(&self.payload),
            _ => None,
        }
    }

    /// The nonce of a probe.
    pub(crate) fn probe(&self) -> Option<u64> {
        match self.control {
            Ok(Some(Control::Probe { nonce })) => Some(nonce),
            _ => None,
        }
    }
}

/// What now counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A record of a channel.
    Event(Event),
    /// Records of the state.
    State { position: u64, change: Change },
    /// An event for another shard. The one before it for that shard lies at `before`.
    Outgoing {
        position: u64,
        shard: u32,
        channel: Name,
        before: u64,
    },
    /// How far events were passed on.
    Sent(BTreeMap<u32, u64>),
    /// What is to be known of what was removed.
    Base(Base),
    /// A batch of the owner is whole. Its last message, and where its appends are.
    Committed { number: u64, appends: Vec<u64> },
    /// The shard has another owner.
    Opened { epoch: u64, nonce: u64 },
}

/// A record of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) position: u64,
    pub(crate) channel: Name,
    pub(crate) nanos: u64,
    pub(crate) bytes: u32,
}

/// Reads message after message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    standing: Standing,
    /// The batch under way.
    batch: Vec<(Own, Seen)>,
    /// Events of others that came behind it: sequences become visible in their order.
    behind: Vec<Event>,
}

impl Reader {
    /// Reads on from where the standing was.
    pub(crate) fn from(standing: Standing) -> Self {
        Self {
            standing,
            ..Self::default()
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.standing.epoch
    }

    /// The number of the owner's next message.
    pub(crate) fn number(&self) -> u64 {
        self.standing.number
    }

    /// What was left behind up to here; `None` in the middle of a batch.
    pub(crate) fn standing(&self) -> Option<&Standing> {
        (self.batch.is_empty() && self.behind.is_empty()).then_some(&self.standing)
    }

    /// Takes the next message in. What counts now comes out, in the order of positions.
    pub(crate) fn step(&mut self, seen: Seen) -> Vec<Effect> {
        match seen.control.clone() {
            Ok(None) => self.foreign(seen),
            Ok(Some(Control::Open { epoch, nonce })) if epoch > self.standing.epoch => {
                self.standing.epoch = epoch;
                self.standing.number = 0;
                self.batch.clear();
                let mut effects = self.release();
                effects.push(Effect::Opened { epoch, nonce });
                effects
            }
            Ok(Some(Control::Own(own)))
                if own.epoch == self.standing.epoch && own.number == self.standing.number =>
            {
                self.standing.number += 1;
                let commits = own.commits;
                self.batch.push((own, seen));
                match commits {
                    true => self.commit(),
                    false => Vec::new(),
                }
            }
            Ok(Some(Control::Passed {
                origin,
                position,
                before,
            })) if self.standing.passed.get(&origin).copied().unwrap_or(0) == before
                && position > before =>
            {
                self.standing.passed.insert(origin, position);
                self.foreign(seen)
            }
            Ok(Some(_)) | Err(()) => Vec::new(),
        }
    }

    /// An event that counts by itself.
    fn foreign(&mut self, seen: Seen) -> Vec<Effect> {
        let Some(event) = event(seen) else {
            return Vec::new();
        };
        if self.batch.is_empty() {
            return vec![Effect::Event(event)];
        }
        self.behind.push(event);
        Vec::new()
    }

    fn release(&mut self) -> Vec<Effect> {
        self.behind.drain(..).map(Effect::Event).collect()
    }

    fn commit(&mut self) -> Vec<Effect> {
        let number = self.standing.number.saturating_sub(1);
        let mut appends = Vec::new();
        let mut effects = self.release();
        for (own, seen) in std::mem::take(&mut self.batch) {
            let position = seen.position;
            match own.part {
                Part::Event => {
                    appends.push(position);
                    effects.extend(event(seen).map(Effect::Event));
                }
                Part::State(change) => effects.push(Effect::State { position, change }),
                Part::Outgoing { shard, channel } => {
                    appends.push(position);
                    let before = self.standing.outgoing.insert(shard, position);
                    let before = before.unwrap_or(0);
                    effects.push(Effect::Outgoing {
                        position,
                        shard,
                        channel,
                        before,
                    });
                }
                Part::Sent => effects.push(Effect::Sent(decode_sent(&seen.payload))),
                Part::Base => effects.extend(Base::decode(&seen.payload).map(Effect::Base)),
            }
        }
        // Sorting is stable: what has no position of its own stays behind what was before it.
        effects.sort_by_key(Effect::position);
        effects.push(Effect::Committed { number, appends });
        effects
    }
}

impl Effect {
    fn position(&self) -> u64 {
        match self {
            Self::Event(event) => event.position,
            Self::State { position, .. } | Self::Outgoing { position, .. } => *position,
            Self::Sent(_) | Self::Base(_) | Self::Committed { .. } | Self::Opened { .. } => {
                u64::MAX
            }
        }
    }
}

fn event(seen: Seen) -> Option<Event> {
    Some(Event {
        position: seen.position,
        channel: seen.channel?,
        nanos: seen.nanos,
        bytes: seen.bytes,
    })
}
