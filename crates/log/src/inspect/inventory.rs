//! The files of a log, as opening sees them; nothing is removed.

use std::io;
use std::sync::Arc;

use super::{CUT_SUFFIX, DAMAGED_SUFFIX, InspectError, Leftover, LeftoverKind};
use crate::disk::DiskFile;
use crate::files::Files;
use crate::index_file;
use crate::segment::{
    self, Header, HeaderRead, NEW_SUFFIX, SNAPSHOT_AT, Segment, SegmentId, VERSION,
};
use crate::{Damage, OpenError};

/// Where the second copy of a header starts.
const COPY_AT: usize = 512;
/// The format version that is written anew when it is opened.
const FIRST_VERSION: u32 = 1;
/// Format versions that a later program may write; any other number is damage.
const NEWER_VERSIONS: std::ops::Range<u32> = VERSION + 1..1 << 16;

/// A segment that is in use.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: SegmentId,
    /// `None`: neither its header, the copy of it nor its index says how it is read.
    pub(crate) segment: Option<Arc<Segment>>,
    /// Its size.
    pub(crate) bytes: u64,
    /// What is damaged of its header.
    pub(crate) damages: Vec<Damage>,
}

/// The files of a log.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// In order of positions.
    pub(crate) members: Vec<Member>,
    pub(crate) leftovers: Vec<Leftover>,
    /// Whether a segment has the first format version.
    pub(crate) first_version: bool,
    /// Names of all files.
    pub(crate) names: Vec<String>,
}

impl Inventory {
    /// Reads the names and the headers.
    pub(crate) fn of(files: &Files) -> Result<Self, InspectError> {
        let names = files.disk().list().map_err(InspectError::io("list", "."))?;
        let mut ids: Vec<SegmentId> = names.iter().filter_map(|n| SegmentId::of_name(n)).collect();
        // Of one position, what was written last comes first.
        ids.sort_unstable_by_key(|id| (id.position, std::cmp::Reverse(id.generation)));
        let mut inventory = Self {
            names,
            ..Self::default()
        };
        let mut before: Option<(SegmentId, u64)> = None;
        for id in ids {
            let replaced = before
                .is_some_and(|(other, end)| other.position == id.position || end > id.position);
            if replaced {
                for name in [id.name(), id.index_name()] {
                    inventory.leftover(files, &name, LeftoverKind::Replaced)?;
                }
                continue;
            }
            let member = inventory.member(files, id)?;
            if let Some(segment) = &member.segment {
                before = Some((id, segment.end));
            }
            inventory.members.push(member);
        }
        inventory.others(files)?;
        Ok(inventory)
    }

    fn member(&mut self, files: &Files, id: SegmentId) -> Result<Member, InspectError> {
        let name = id.name();
        let file = files.get(&name).map_err(InspectError::io("open", &name))?;
        let read = read_headers(file.as_ref()).map_err(InspectError::io("read", &name))?;
        let (bytes, copies) = read;
        let is_it = |header: &Header| header.id == id;
        let whole = copies.map(|copy| match copy {
            HeaderRead::Whole(header) => Some(header).filter(is_it),
            HeaderRead::Version(_) | HeaderRead::Damaged => None,
        });
        let of_index = || header_of_index(files, id).filter(is_it);
        let header = whole.into_iter().flatten().next().or_else(of_index);
        let mut damages = Vec::new();
        if header.is_none() {
            match copies {
                [HeaderRead::Version(FIRST_VERSION), _] => self.first_version = true,
                [HeaderRead::Version(version), _] if NEWER_VERSIONS.contains(&version) => {
                    return Err(InspectError::Open(OpenError::Version {
                        segment: name,
                        version,
                        known: VERSION,
                    }));
                }
                _ => damages.push(damage(&name, 0, bytes, NO_HEADER)),
            }
        } else {
            for (copy, at) in whole.iter().zip([0, COPY_AT as u64]) {
                if copy.is_none() {
                    damages.push(damage(&name, at, COPY_AT as u64, ONE_COPY));
                }
            }
        }
        Ok(Member {
            id,
            segment: header.map(|header| Arc::new(Segment::new(header))),
            bytes,
            damages,
        })
    }

    /// Notes the files that are no segment in use.
    fn others(&mut self, files: &Files) -> Result<(), InspectError> {
        let mut names = self.names.clone();
        names.sort_unstable();
        for name in names {
            let kind = if name.ends_with(NEW_SUFFIX) {
                LeftoverKind::Unfinished
            } else if name.ends_with(CUT_SUFFIX) {
                LeftoverKind::Cut
            } else if name.contains(DAMAGED_SUFFIX) {
                LeftoverKind::Damaged
            } else {
                continue;
            };
            self.leftover(files, &name, kind)?;
        }
        Ok(())
    }

    fn leftover(
        &mut self,
        files: &Files,
        name: &str,
        kind: LeftoverKind,
    ) -> Result<(), InspectError> {
        // Not through the open files: it is looked at once.
        let length = files.disk().open(name).and_then(|file| file.length());
        match length {
            Ok(bytes) => {
                let file = name.to_owned();
                self.leftovers.push(Leftover { file, bytes, kind });
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(InspectError::io("open", name)(error)),
        }
    }

    /// A generation of the segment at `position` that no file has, in use or kept aside.
    pub(crate) fn free_generation(&self, position: u64) -> u32 {
        let of_name = |name: &String| {
            let end = name.find(".seg")? + ".seg".len();
            SegmentId::of_name(name.get(..end)?)
        };
        let ids = self.names.iter().filter_map(of_name);
        let taken = ids
            .filter(|id| id.position == position)
            .map(|id| id.generation);
        taken.max().map_or(0, |last| last.saturating_add(1))
    }
}

const NO_HEADER: &str = "neither its header, the copy of it nor its index says how it is read";
const ONE_COPY: &str = "its header is not what was written; the copy of it is used";

/// Damage of the segment `name`.
pub(crate) fn damage(name: &str, byte: u64, bytes: u64, reason: &str) -> Damage {
    Damage {
        segment: name.to_owned(),
        byte,
        bytes,
        reason: reason.to_owned(),
    }
}

/// The size of a segment, and both copies of its header.
fn read_headers(file: &dyn DiskFile) -> io::Result<(u64, [HeaderRead; 2])> {
    let mut page = [0; SNAPSHOT_AT];
    let read = file.read_at(&mut page, 0)?;
    let page = page.get(..read).unwrap_or_default();
    let (first, second) = page.split_at(COPY_AT.min(page.len()));
    let copies = [segment::read_header(first), segment::read_header(second)];
    Ok((file.length()?, copies))
}

fn header_of_index(files: &Files, id: SegmentId) -> Option<Header> {
    let file = files.get(&id.index_name()).ok()?;
    Some(index_file::read_head(file.as_ref()).ok()?.header)
}
