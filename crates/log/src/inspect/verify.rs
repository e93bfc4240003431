//! Verifies a log: reads every byte of it and changes none.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tidegate_base::Name;

use super::inventory::{Inventory, damage};
use super::survey::survey;
use super::{IndexState, InspectError, Progress, Report, SegmentReport, Torn, take};
use crate::disk::{Disk, DiskFile};
use crate::files::Files;
use crate::index_file::{self, Failure, Listed};
use crate::places::{ChannelPlaces, Place, Places};
use crate::registry::Registry;
use crate::segment::Segment;
use crate::upgrade;
use crate::{Damage, OpenError};

/// Reads all of the log in `directory` and says what it holds and what is wrong with it. Changes
/// nothing but the file `lock`.
///
/// # Errors
///
/// [`InspectError`] when there is no log, when it is in use, or when it cannot be read.
pub fn verify(directory: &Path, progress: impl FnMut(Progress)) -> Result<Report, InspectError> {
    let (disk, _lock) = take(directory)?;
    verify_on(disk, progress)
}

/// As [`verify`], of the log on `disk`, of which the caller is the only user.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_on(
    disk: Arc<dyn Disk>,
    mut progress: impl FnMut(Progress),
) -> Result<Report, InspectError> {
    let files = Files::new(Arc::clone(&disk));
    let inventory = Inventory::of(&files)?;
    if inventory.first_version {
        return first_version(disk, inventory);
    }
    Ok(survey(&files, inventory, &mut progress)?.report)
}

/// Verifies a log of the first version as the open that writes it anew does.
pub(crate) fn first_version(
    disk: Arc<dyn Disk>,
    inventory: Inventory,
) -> Result<Report, InspectError> {
    let upgraded = upgrade::run(&Files::new(Arc::new(Unwritten(disk))));
    let mut damages: BTreeMap<String, Damage> = BTreeMap::new();
    let mut torn = None;
    match upgraded {
        Ok(cut) => {
            torn = cut.map(|cut| Torn {
                segment: cut.segment,
                byte: cut.byte,
                bytes: cut.bytes,
                reason: cut.reason,
            });
        }
        Err(OpenError::Damaged {
            segment,
            byte,
            reason,
        }) => {
            let found = damage(&segment, byte, 0, &reason);
            damages.insert(segment, found);
        }
        Err(error) => return Err(error.into()),
    }
    let segments = inventory.members.iter().map(|member| {
        let name = member.id.name();
        let damage = damages.remove(&name).map(|damage| Damage {
            bytes: member.bytes.saturating_sub(damage.byte),
            ..damage
        });
        SegmentReport {
            name,
            position: member.id.position,
            next_position: member.id.position,
            bytes: member.bytes,
            frames: 0,
            records: 0,
            rewritten: false,
            damages: damage.into_iter().collect(),
            index: IndexState::NotNeeded,
        }
    });
    Ok(Report {
        first_version: true,
        segments: segments.collect(),
        torn,
        leftovers: inventory.leftovers,
        ..Report::default()
    })
}

/// How the index of `segment` is, which has `bytes` bytes and the records at `places`, when those are
/// to be compared.
pub(crate) fn index_state(
    files: &Files,
    segment: &Segment,
    bytes: u64,
    places: Option<&Places>,
    registry: &Registry,
) -> io::Result<IndexState> {
    let compared = compare(files, segment, bytes, places, registry);
    match compared {
        Ok(state) => Ok(state),
        Err(Failure::Wrong) => Ok(IndexState::Damaged),
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(IndexState::Absent)
        }
        Err(Failure::Io(error)) => Err(error),
    }
}

fn compare(
    files: &Files,
    segment: &Segment,
    bytes: u64,
    places: Option<&Places>,
    registry: &Registry,
) -> Result<IndexState, Failure> {
    let file = files.get(&segment.id.index_name())?;
    let head = index_file::read_head(file.as_ref())?;
    if Segment::new(head.header) != *segment || head.segment_bytes != bytes {
        return Ok(IndexState::Stale);
    }
    let directory = index_file::read_directory(file.as_ref(), &head)?;
    let mut same = true;
    let mut listed_records = 0;
    for (name, listed) in &directory {
        let number = match name {
            Some(name) => registry.find(name.as_str()),
            None => Some(crate::registry::STATE),
        };
        let channel = number.and_then(|number| places?.channel(number));
        let absent = ChannelPlaces::default();
        same &= is_same(file.as_ref(), listed, channel.unwrap_or(&absent))?;
        listed_records += u64::from(listed.count);
    }
    let Some(places) = places else {
        return Ok(IndexState::Whole);
    };
    let records: u64 = places
        .channels()
        .map(|(_, channel)| channel.count() as u64)
        .sum();
    Ok(match same && records == listed_records {
        true => IndexState::Whole,
        false => IndexState::Differs,
    })
}

/// Whether `listed` has exactly the places of `channel`; reads all of its blocks.
fn is_same(file: &dyn DiskFile, listed: &Listed, channel: &ChannelPlaces) -> Result<bool, Failure> {
    let mut expected = channel.from(0);
    let mut same = listed.next >= channel.next;
    let mut from = listed.start;
    loop {
        let places = listed.places(file, from)?;
        let Some(last) = places.last() else {
            return Ok(same && expected.next().is_none());
        };
        from = last.sequence + 1;
        let agrees = |place: &Place| expected.next().as_ref() == Some(place);
        same &= places.iter().all(agrees);
    }
}

/// The first sequence of each channel behind `segment`, as its index has it; `None` when it has none
/// that can be used.
pub(crate) fn listed(files: &Files, segment: &Segment) -> Option<Vec<(Option<Name>, u64)>> {
    let file = files.get(&segment.id.index_name()).ok()?;
    let head = index_file::read_head(file.as_ref()).ok()?;
    if Segment::new(head.header) != *segment {
        return None;
    }
    let directory = index_file::read_directory(file.as_ref(), &head).ok()?;
    let next = |(name, listed): (Option<Name>, Listed)| (name, listed.next);
    Some(directory.into_iter().map(next).collect())
}

/// A disk of which nothing is changed: what is written to it is forgotten.
#[derive(Debug)]
struct Unwritten(Arc<dyn Disk>);

/// A file that forgets what is written to it.
#[derive(Debug)]
struct Nothing;

impl Disk for Unwritten {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Nothing))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.0.open(name)
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for Nothing {
    fn length(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
