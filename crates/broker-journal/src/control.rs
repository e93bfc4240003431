//! What this broker says of its messages, beside their payloads.
//!
//! ```text
//! p:NONCE                            a probe: whoever wrote it has read the journal up to here
//! o:EPOCH:NONCE                      the shard is opened
//! m:EPOCH:NUMBER:PART[:CHANNEL]      a message of the owner; a PART in capitals commits its batch
//! f:ORIGIN:POSITION:BEFORE           an event that another shard passes on
//! ```

use std::fmt;
use std::str::FromStr;

use tidegate_base::Name;

/// What is said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Changes nothing.
    Probe { nonce: u64 },
    /// Somebody takes the shard over. It counts if the epoch is higher than the one before.
    Open { epoch: u64, nonce: u64 },
    /// A message of the owner.
    Own(Own),
    /// An event of a key of this shard, which the owner of `origin` has kept at `position` of its journal. It counts if
    /// the last one that counted from there was `before`.
    Passed {
        origin: u32,
        position: u64,
        before: u64,
    },
}

/// A message of the owner. It counts if its epoch is the present one, and its number the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    pub(crate) part: Part,
    /// Whether its batch is whole with it.
    pub(crate) commits: bool,
}

/// What a message of the owner carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// An event of a channel of this shard.
    Event,
    /// Records of the state, and what they do to those before.
    State(Change),
    /// An event whose key belongs to another shard.
    Outgoing { shard: u32, channel: Name },
    /// How far events were passed on to other shards.
    Sent,
    /// What is to be known of what was removed.
    Base,
}

/// What records of the state do to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Append,
    Replace,
    Begin,
    Finish,
}

impl Control {
    /// Whether it is said of an event of a channel.
    pub(crate) fn is_event(&self) -> bool {
        match self {
            Self::Passed { .. } => true,
            Self::Own(own) => own.part == Part::Event,
            Self::Probe { .. } | Self::Open { .. } => false,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe { nonce } => write!(f, "p:{nonce}"),
            Self::Open { epoch, nonce } => write!(f, "o:{epoch}:{nonce}"),
            Self::Own(own) => own.fmt(f),
            Self::Passed {
                origin,
                position,
                before,
            } => write!(f, "f:{origin}:{position}:{before}"),
        }
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match &self.part {
            Part::Event => 'e',
            Part::State(Change::Append) => 'a',
            Part::State(Change::Replace) => 'r',
            Part::State(Change::Begin) => 'b',
            Part::State(Change::Finish) => 'f',
            Part::Outgoing { .. } => 'x',
            Part::Sent => 's',
            Part::Base => 'k',
        };
        let letter = match self.commits {
            true => letter.to_ascii_uppercase(),
            false => letter,
        };
        write!(f, "m:{}:{}:{letter}", self.epoch, self.number)?;
        match &self.part {
            Part::Outgoing { shard, channel } => write!(f, "{shard}:{channel}"),
            _ => Ok(()),
        }
    }
}

/// It is none of this broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unknown;

impl FromStr for Control {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let mut fields = text.splitn(5, ':');
        let kind = fields.next();
        let mut field = || fields.next().ok_or(Unknown);
        let control = match kind {
            Some("p") => Self::Probe {
                nonce: number(field()?)?,
            },
            Some("o") => Self::Open {
                epoch: number(field()?)?,
                nonce: number(field()?)?,
            },
            Some("m") => {
                let (epoch, place) = (number(field()?)?, number(field()?)?);
                let (part, commits) = part(field()?, field().ok())?;
                return Ok(Self::Own(Own {
                    epoch,
                    number: place,
                    part,
                    commits,
                }));
            }
            Some("f") => Self::Passed {
                origin: field()?.parse().map_err(|_| Unknown)?,
                position: number(field()?)?,
                before: number(field()?)?,
            },
            _ => return Err(Unknown),
        };
        match fields.next() {
            None => Ok(control),
            Some(_) => Err(Unknown),
        }
    }
}

fn number(text: &str) -> Result<u64, Unknown> {
    text.parse().map_err(|_| Unknown)
}

fn part(text: &str, channel: Option<&str>) -> Result<(Part, bool), Unknown> {
    let mut characters = text.chars();
    let letter = characters.next().ok_or(Unknown)?;
    let rest = characters.as_str();
    let part = match (letter.to_ascii_lowercase(), channel) {
        ('x', Some(channel)) => Part::Outgoing {
            shard: rest.parse().map_err(|_| Unknown)?,
            channel: Name::new(channel).map_err(|_| Unknown)?,
        },
        _ if !rest.is_empty() || channel.is_some() => return Err(Unknown),
        ('e', _) => Part::Event,
        ('a', _) => Part::State(Change::Append),
        ('r', _) => Part::State(Change::Replace),
        ('b', _) => Part::State(Change::Begin),
        ('f', _) => Part::State(Change::Finish),
        ('s', _) => Part::Sent,
        ('k', _) => Part::Base,
        _ => return Err(Unknown),
    };
    Ok((part, letter.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let channel = Name::new("Orders.v2").unwrap();
        let parts = [
            Part::Event,
            Part::State(Change::Append),
            Part::State(Change::Replace),
            Part::State(Change::Begin),
            Part::State(Change::Finish),
            Part::Outgoing { shard: 7, channel },
            Part::Sent,
            Part::Base,
        ];
        let own = parts.into_iter().flat_map(|part| {
            [true, false].map(|commits| {
                Control::Own(Own {
                    epoch: 3,
                    number: u64::MAX,
                    part: part.clone(),
                    commits,
                })
            })
        });
        let others = [
            Control::Probe { nonce: 5 },
            Control::Open { epoch: 1, nonce: 2 },
            Control::Passed {
                origin: 2,
                position: 9,
                before: 0,
            },
        ];
        for control in own.chain(others) {
            assert_eq!(control.to_string().parse(), Ok(control));
        }
    }

    #[test]
    fn what_others_write_is_not_taken_for_ours() {
        for text in [
            "",
            "p",
            "p:x",
            "p:1:2",
            "o:1",
            "m:1:2",
            "m:1:2:q",
            "m:1:2:e:a",
            "m:1:2:ex",
            "m:1:2:x1",
            "m:1:2:x1:a b",
            "f:1:2",
            "f:1:2:3:4",
            "m:-1:2:e",
            "é:1",
        ] {
            assert_eq!(text.parse::<Control>(), Err(Unknown), "{text}");
        }
    }
}
