//! Tells every record of a log, damage on the way included.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_base::Name;

use super::inventory::{Inventory, Member, damage};
use super::pieces::{self, Met, Piece, Pieces};
use super::survey::SNAPSHOT;
use super::{InspectError, take};
use crate::disk::Disk;
use crate::files::Files;
use crate::record::{self, Content, Entry, Wrong};
use crate::recovery;
use crate::registry::Registry;
use crate::scan::{self, Base, Behind};
use crate::segment::{SNAPSHOT_AT, Segment};
use crate::{Damage, Record};

/// Which records are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only records of this channel, and what retention has noted of it.
    pub channel: Option<Name>,
    /// From this position on.
    pub from: u64,
    /// Before this position.
    pub to: Option<u64>,
    /// No more than this many.
    pub limit: Option<u64>,
}

/// What is met in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A record of a channel.
    Record {
        /// Where it is.
        place: At<'a>,
        /// Its channel.
        channel: &'a str,
        /// The record.
        record: Record,
    },
    /// A change of the state.
    State {
        /// Where it is.
        place: At<'a>,
        /// Its place among the changes of the state.
        sequence: u64,
        /// Whether it takes the place of all before.
        replaces: bool,
        /// What it adds.
        items: Vec<Bytes>,
    },
    /// A cursor's new value.
    Cursor {
        /// Where it is.
        place: At<'a>,
        /// The cursor.
        cursor: &'a str,
        /// Its value.
        value: u64,
    },
    /// What retention has noted.
    Trim {
        /// Where it is.
        place: At<'a>,
        /// The channel.
        channel: &'a str,
        /// Nothing before this sequence is needed.
        low: u64,
    },
    /// Damage. What is whole in it comes next.
    Damage(Damage),
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<'a> {
    /// In the whole log.
    pub position: u64,
    /// The segment's file name.
    pub segment: &'a str,
    /// Its first byte in the segment.
    pub byte: u64,
}

/// Tells `sink` every record of the log in `directory` that `filter` lets through, in order of
/// positions, until there is none or `sink` breaks. Damage is told where it is met. Records that are out
/// of their order come where they stand, behind a word about it. Changes nothing but the file `lock`.
///
/// # Errors
///
/// [`InspectError`] when there is no log, when it is in use, has the first format version, or cannot be
/// read.
pub fn dump(
    directory: &Path,
    filter: &Filter,
    sink: impl FnMut(Item<'_>) -> ControlFlow<()>,
) -> Result<(), InspectError> {
    let (disk, _lock) = take(directory)?;
    dump_on(disk, filter, sink)
}

/// As [`dump`], of the log on `disk`, of which the caller is the only user.
///
/// # Errors
///
/// As [`dump`].
pub fn dump_on(
    disk: Arc<dyn Disk>,
    filter: &Filter,
    mut sink: impl FnMut(Item<'_>) -> ControlFlow<()>,
) -> Result<(), InspectError> {
    let files = Files::new(disk);
    let inventory = Inventory::of(&files)?;
    if inventory.first_version {
        return Err(InspectError::Older);
    }
    let mut dumper = Dumper {
        filter,
        left: filter.limit.unwrap_or(u64::MAX),
        sink: &mut sink,
    };
    for (at, member) in inventory.members.iter().enumerate() {
        let next = inventory.members.get(at + 1);
        if next.is_some_and(|next| next.id.position <= filter.from) {
            continue;
        }
        match dumper.member(&files, member, next) {
            Ok(()) => {}
            Err(Stop::Enough) => break,
            Err(Stop::Io(error)) => return Err(InspectError::io("read", &member.id.name())(error)),
        }
    }
    Ok(())
}

/// Why it goes no further.
enum Stop {
    Enough,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Dumper<'a> {
    filter: &'a Filter,
    left: u64,
    sink: &'a mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
}

impl Dumper<'_> {
    fn member(
        &mut self,
        files: &Files,
        member: &Member,
        next: Option<&Member>,
    ) -> Result<(), Stop> {
        if self.left == 0 || self.is_behind(member.id.position) {
            return Err(Stop::Enough);
        }
        for damage in &member.damages {
            self.tell(Item::Damage(damage.clone()))?;
        }
        let Some(segment) = &member.segment else {
            return Ok(());
        };
        let file = files.get(&segment.name)?;
        let snapshot = recovery::snapshot(file.as_ref(), segment)?;
        let is_damaged = snapshot.is_none();
        let limit = match next {
            Some(_) => file.length()?,
            None => {
                let mut registry = Registry::default();
                let base = snapshot.map_or_else(Base::default, |s| Base::of(s, &mut registry));
                let nothing = Behind::Nothing;
                let found = scan::scan(segment, Arc::clone(&file), base, nothing, &mut registry)?;
                pieces::last_end(&file, segment, found.end)?
            }
        };
        if is_damaged {
            let (start, end) = (SNAPSHOT_AT as u64, u64::from(segment.frames_at));
            let damage = damage(&segment.name, start, end.saturating_sub(start), SNAPSHOT);
            self.tell(Item::Damage(damage))?;
        }
        let mut pieces = Pieces::new(file, segment, next.map(|next| next.id.position))?;
        let mut expected = 0;
        pieces.each(limit, &mut |met| match met {
            Met::Piece(piece, bytes) => {
                if piece.position < expected {
                    let found = piece.position;
                    let reason = format!("position {found}, expected {expected}");
                    let size = piece.size as u64;
                    let damage = damage(&segment.name, piece.byte, size, &reason);
                    self.tell(Item::Damage(damage))?;
                }
                expected = expected.max(piece.next);
                self.piece(segment, &piece, bytes)
            }
            Met::Hole(hole) if hole.end <= u64::from(segment.frames_at) => Ok(()),
            Met::Hole(hole) => {
                let (bytes, reason) = (hole.end - hole.byte, hole.wrong.to_string());
                let damage = damage(&segment.name, hole.byte, bytes, &reason);
                self.tell(Item::Damage(damage))
            }
        })
    }

    fn is_behind(&self, position: u64) -> bool {
        self.filter.to.is_some_and(|to| position >= to)
    }

    fn piece(&mut self, segment: &Segment, piece: &Piece, bytes: &Bytes) -> Result<(), Stop> {
        if piece.next <= self.filter.from || self.is_behind(piece.position) {
            return Ok(());
        }
        let Ok(records) = pieces::records(piece, bytes, segment.salt) else {
            return Ok(());
        };
        for (byte, _, entry) in records {
            if entry.position < self.filter.from || self.is_behind(entry.position) {
                continue;
            }
            if self.left == 0 {
                return Err(Stop::Enough);
            }
            let place = At {
                position: entry.position,
                segment: &segment.name,
                byte,
            };
            match self.item(place, entry, bytes) {
                Ok(None) => {}
                Ok(Some(item)) => {
                    self.left -= 1;
                    self.tell(item)?;
                }
                Err(wrong) => {
                    let damage = damage(&segment.name, byte, 0, &wrong.to_string());
                    self.tell(Item::Damage(damage))?;
                }
            }
        }
        Ok(())
    }

    fn item<'b>(
        &self,
        place: At<'b>,
        entry: Entry<'b>,
        bytes: &'b Bytes,
    ) -> Result<Option<Item<'b>>, Wrong> {
        let filter = self.filter.channel.as_ref().map(Name::as_str);
        let wanted = |name: Option<&str>| filter.is_none() || name == filter;
        Ok(match entry.content {
            Content::Channel {
                name,
                sequence,
                time,
                body,
            } if wanted(Some(name)) => Some(Item::Record {
                place,
                channel: name,
                record: record::of_channel(bytes, entry.position, sequence, time, body)?,
            }),
            Content::State {
                sequence,
                replaces,
                items,
            } if wanted(None) => Some(Item::State {
                place,
                sequence,
                replaces,
                items: record::decode_state(bytes, items)?,
            }),
            Content::Cursor { name, value } if wanted(None) => Some(Item::Cursor {
                place,
                cursor: name,
                value,
            }),
            Content::Trim { name, first } if wanted(Some(name)) => Some(Item::Trim {
                place,
                channel: name,
                low: first,
            }),
            _ => None,
        })
    }

    fn tell(&mut self, item: Item<'_>) -> Result<(), Stop> {
        match (self.sink)(item) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Enough),
        }
    }
}
